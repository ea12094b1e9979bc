"""Commands: results on stdout, talk on stderr, one line for an error, and an exit status that can be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import poses

ROOT = Path(__file__).parents[1]


def run(name: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """One of our commands in a process of its own, warnings being errors."""
    code = f"from {name}.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-W", "error", "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=env)


def test_show_draws_a_file_and_a_schema(tmp_path: Path) -> None:
    poses().to_coco(tmp_path / "a.json")
    done = run("posedata", "show", "a.json", "-o", "a.png", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) | {"counts": 0} == json.loads(done.stdout) | {"out": "a.png", "name": "a", "schema": "coco17", "counts": 0}
    assert (tmp_path / "a.png").is_file()
    assert run("posedata", "show", "akd16", "-o", "s.png", cwd=tmp_path).stdout == "s.png: the 16 points of akd16\n"


def test_convert_loses_nothing_on_the_way_to_parquet_and_back(tmp_path: Path) -> None:
    poses().to_coco(tmp_path / "a.json")
    assert run("posedata", "convert", "a.json", "b.parquet", cwd=tmp_path).returncode == 0
    assert run("posedata", "convert", "b.parquet", "c.json", cwd=tmp_path).returncode == 0
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_convert_to_another_schema_says_what_is_lost(tmp_path: Path) -> None:
    poses("coco_foot23").to_coco(tmp_path / "a.json")
    done = run("posedata", "convert", "a.json", "b.json", "--as", "crowdpose14", cwd=tmp_path)
    assert "12 exact; 11 lost, 2 missing" in done.stderr
    assert done.stdout == "b.json: 5 instances on 4 images, crowdpose14\n"
    derived = run("posedata", "convert", "a.json", "b.json", "--as", "crowdpose14", "--derived", cwd=tmp_path)
    assert "1 derived" in derived.stderr


def test_real_cats_convert(real: Path, tmp_path: Path) -> None:
    done = run("posedata", "convert", real / "technumber_cats/train/keypoints_annotations.json", "cats.json", "--as", "ap10k17", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["instances"] == 138
    done = run("posedata", "show", real / "technumber_cats/train/keypoints_annotations.json", "-n", 6, "-o", "cats.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nowhere.json"), "nowhere.json: no such file or directory; check the path"),
        (("show", "nowhere"), "neither a file nor a dataset we know"),
        (("show", "synthetic/cats"), "no configuration or split 'cats'"),
        (("show", "a.json", "-o", "a.tiff"), "no picture ends in '.tiff'"),
        (("show", "a.json", "--by", "colour"), "no column 'colour'"),
        (("convert", "a.json", "a.xml"), "no format ends in '.xml'"),
        (("convert", "a.json", "b.json", "--as", "humans"), "humans: no such schema; did you mean 'human'?"),
        (("convert", "a.json", "b.json", "--as", "ap10k17"), "no mapping is known"),
        (("convert", ".", "b.json"), "is a folder"),
    ],
)
def test_bad_input_is_one_line_and_status_two(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    poses().to_coco(tmp_path / "a.json")
    done = run("posedata", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("posedata: ")
    assert words in done.stderr
    spoken = run("posedata", *arguments, "--json", cwd=tmp_path)
    assert set(json.loads(spoken.stdout)["error"]) == {"where", "seen", "cure"}
    assert spoken.returncode == 2


def test_usage_errors_are_clicks_own(tmp_path: Path) -> None:
    done = run("posedata", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert "Missing argument 'SOURCE'" in done.stderr
    assert run("posedata", "--version", cwd=tmp_path).stdout.startswith("posedata, version ")
