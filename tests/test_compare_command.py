"""The commands compare, rank and power: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .compared import found, people
from .scored import command


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    truth = people(60)
    truth.to_coco(place / "truth.json")
    (place / "sent").mkdir()
    for name, seed, noise in (("hrnet", 1, 2.0), ("vit", 2, 2.5), ("old", 3, 9.0)):
        found(truth, seed, noise).to_json(place / "sent" / f"{name}.json")
    return place


FEW = ("--truth", "truth.json", "--protocol", "coco", "--resamples", "200", "--quiet")


def test_two_models_are_compared_in_a_table_and_in_words(files: Path) -> None:
    done = command("compare", "sent/hrnet.json", "sent/old.json", *FEW, "--metrics", "AP, PCK@0.1", "--by", "instances", cwd=files)
    assert done.returncode == 0, done.stderr
    assert "hrnet has " in done.stdout and "sure (p = " in done.stdout and "200 paired resamples of 60 images, seed 0" in done.stdout
    assert "instances: 1" in done.stdout and "mostly by" not in done.stdout and done.stderr == ""


def test_three_models_as_json_with_reasons(files: Path) -> None:
    paths = [f"sent/{name}.json" for name in ("hrnet", "vit", "old")]
    done = command("compare", *paths, *FEW, "--metrics", "AP", "--why", "--json", "-o", "differences.csv", cwd=files)
    values = json.loads(done.stdout)
    assert values["models"] == ["hrnet", "vit", "old"] and len(values["differences"]) == 3 and len(values["reasons"]) == 3
    assert values["standings"]["ranking"][2]["name"] == "old" and values["reasons"][1]["kind"]
    lines = (files / "differences.csv").read_text().splitlines()
    assert len(lines) == 4 and lines[0].startswith("a,b,metric")


def test_files_of_one_name_are_told_apart(files: Path) -> None:
    again = files / "again"
    again.mkdir(exist_ok=True)
    (again / "hrnet.json").write_text((files / "sent" / "hrnet.json").read_text())
    done = command("compare", "sent/hrnet.json", "again/hrnet.json", *FEW, "--metrics", "AP", "--json", "-o", "d.png", cwd=files)
    values = json.loads(done.stdout)
    assert values["models"] == ["sent/hrnet.json", "again/hrnet.json"] and values["differences"][0]["p"] == 1
    assert (files / "d.png").read_bytes().startswith(b"\x89PNG")
    twice = json.loads(command("compare", "sent/hrnet.json", "sent/hrnet.json", *FEW, "--metrics", "AP", "--json", cwd=files).stdout)
    assert twice["models"] == ["sent/hrnet.json", "sent/hrnet.json (2)"]


def test_a_folder_is_ranked(files: Path) -> None:
    done = command("rank", "sent", *FEW, "-o", "ranks.svg", cwd=files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["1", "hrnet"] and (files / "ranks.svg").read_text().startswith("<?xml")
    bad = files / "sent" / "torn.json"
    bad.write_text("[{")
    try:
        done = command("rank", "sent", *FEW, "--metric", "EPE", "--json", "-o", "ranks.json", cwd=files)
    finally:
        bad.unlink()
    values = json.loads(done.stdout)
    assert done.returncode == 1 and list(values["refused"]) == ["torn"] and [row["rank"] for row in values["ranking"]] == [1, 2, 3]
    assert json.loads((files / "ranks.json").read_text()) == values


def test_power_with_one_model_and_with_two(files: Path) -> None:
    one = command("power", "sent/hrnet.json", *FEW, "--delta", ".02", cwd=files)
    assert "assumed: " in one.stdout and "a difference of 2.0 AP is seen with a chance of 80% on " in one.stdout
    two = json.loads(command("power", "sent/hrnet.json", "sent/vit.json", *FEW, "--delta", ".02", "--json", cwd=files).stdout)
    assert two["assumed"] == "" and two["needed"] > 60 and 0 < two["chance"] < 1 and two["images"] == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "sent/hrnet.json", *FEW), "one file of predictions; name two or more"),
        (("compare", "sent/hrnet.json", "sent/none.json", *FEW), "sent/none.json"),
        (("compare", "sent/hrnet.json", "sent/vit.json", *FEW, "-o", "x.txt"), "a form we do not write"),
        (("compare", "sent/hrnet.json", "sent/vit.json", *FEW, "--correction", "sidak"), "no such choice"),
        (("compare", "sent/hrnet.json", "sent/vit.json", *FEW, "--metrics", ","), "none is named"),
        (("rank", "nowhere", *FEW), "nowhere: not there"),
        (("rank", "truth.json", *FEW), "truth.json: no folder"),
        (("power", "sent/hrnet.json", "sent/vit.json", "sent/old.json", *FEW), "3 files of predictions"),
        (("power", "sent/hrnet.json", *FEW, "--level", "2"), "level=2.0: no share"),
    ],
)
def test_bad_input_is_one_line(files: Path, arguments: tuple[str, ...], words: str) -> None:
    done = command(*arguments, cwd=files)
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
