"""The commands merge and split: what they write, say, and refuse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import posedata
from posedata.cli import main

from .test_catalog import person, put


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small files and their pictures, one of which both have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSEDATA_QUIET", "1")  # --quiet sets it for the process; this takes it back
    for name, schema, points in (("a", "coco17", 17), ("b", "crowdpose14", 14)):
        put(tmp_path / f"{name}.json", person(schema, points))
        for i in (1, 2):
            put(tmp_path / name / f"{i}.jpg", "same" if i == 1 else f"{name}{i}")
    return tmp_path


def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["posedata", *words])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.fixture
def run(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: ran(monkeypatch, capsys, *words)


def test_merge_writes_one_set_and_its_losses(run: Any, here: Path) -> None:
    code, out, err = run(
        "merge", "a.json", "crowd=b.json", "-o", "both.json", "--schema", "human", "--images", "a=a", "--images", "crowd=b", "--losses", "lost.csv"
    )
    assert code == 0 and out == "both.json: 4 instances on 4 images, human\n" and "crowd: apart: 1" in err
    both = posedata.read_coco("both.json")
    assert both.instances.meta["source"].tolist() == ["a", "a", "crowd", "crowd"] and both.images.meta["duplicate"].tolist() == ["a:1", "a:2", "a:1", "crowd:2"]
    assert (here / "lost.csv").read_text().startswith("source,kind,what,count,note,lost\n")


def test_merge_speaks_json_and_is_strict_when_asked(run: Any, here: Path) -> None:
    words = ("merge", "a.json", "b.json", "-o", "c14.parquet", "--schema", "crowdpose14", "--json", "--losses", "lost.json")
    code, out, err = run(*words)
    told = json.loads(out)
    assert code == 0 and told["instances"] == 4 and not err
    assert {r["what"] for r in told["losses"]["lost"] if r["kind"] == "point"} == {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
    assert json.loads((here / "lost.json").read_text()) == told["losses"]
    assert run(*words, "--strict")[0] == 1
    assert posedata.read_parquet("c14.parquet").instances.annotated.sum(1).tolist() == [12, 12, 14, 14]


def test_merge_takes_mappings_names_and_policies(run: Any, here: Path) -> None:
    posedata.mapping_between(posedata.load_schema("crowdpose14"), posedata.load_schema("coco17")).to_csv(here / "rows.csv")
    put(here / "names.csv", "source,category,to\n,person,human being\n")
    code, out, _ = run(
        "merge", "a=a.json", "b=b.json", "-o", "out.json", "--schema", "coco17", "--mapping", "b=rows.csv", "--categories", "names.csv", "--images", "a=a", "--images", "b=b",
        "--policy", "join", "--sigmas", "strictest", "--quiet", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["images"] == 3
    assert [c.name for c in posedata.read_coco("out.json").categories] == ["human being"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("merge", "a.json", "a.json", "-o", "c.json"), "merge: two sources named 'a'; name them: one=a.json other=b.json"),
        (("merge", "a.json", "b.json", "-o", "c.json"), "merge: parts of coco17, crowdpose14; say which schema all get: schema='human' or 'tetrapod'"),
        (("merge", "a.json", "-o", "c.csv"), "c.csv: no format ends in '.csv'; write .json, .parquet, or a folder (Parquet in shards)"),
        (("merge", "a.json", "-o", "c.json", "--losses", "x.txt"), "x.txt: no table of losses ends in '.txt'; write .json or .csv"),
        (("merge", "a.json", "-o", "c.json", "--images", "b=a"), "--images: no source named b; sources are a"),
        (("merge", "a.json", "-o", "c.json", "--rename", "x"), "--rename: x; write it as NAME=VALUE"),
        (("merge", "a.json", "-o", "c.json", "--policy", "jion"), "merge: policy: 'jion'; did you mean 'join'?"),
        (("split", "a.json", "-o", "s.json"), "split: neither parts nor folds; give one: {'train': .8, 'val': .2}, or folds=5"),
        (("split", "a.json", "-o", "a.json", "--folds", "2"), "a.json: stands already; choose another name, remove it, or go on with it: --previous"),
        (("split", "a.json", "-o", "s.json", "--part", "train=most"), "--part train: most; a fraction, a count, rest or held"),
        (("split", "a.json", "-o", "s.txt", "--folds", "2"), "s.txt: no manifest ends so; name a .json file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Any, words: tuple[str, ...], line: str) -> None:
    code, out, err = run(*words)
    assert (code, out, err) == (2, "", f"posedata: {line}\n")
    code, out, err = run(*words, "--json")
    assert code == 2 and set(json.loads(out)["error"]) == {"where", "seen", "cure"} and not err


def test_split_writes_a_manifest_and_its_parts(run: Any, here: Path) -> None:
    words = ("split", "a.json", "--part", "train=1", "--part", "val=rest", "--group", "file")
    code, out, err = run(*words, "-o", "s.json", "--write", "parts")
    assert code == 0 and out == "s.json: train 1, val 1 images\n" and "instances" in err
    assert len(posedata.read_coco("parts/train.json")) == 1
    assert sorted(p.name for p in (here / "parts").iterdir()) == ["train.json", "val.json"]
    code, out, err = run(*words, "-o", "s.json", "--previous", "s.json", "--json")
    told = json.loads(out)
    assert code == 0 and told["parts"] == {"train": 1, "val": 1} and told["report"]["of"] == "images" and not err


def test_split_holds_out_and_is_strict_when_asked(run: Any) -> None:
    code, out, _ = run("split", "a.json", "-o", "s.json", "--part", "train=rest", "--part", "test=held", "--group", "file", "--hold", "test=1.jpg", "--json")
    assert code == 0 and json.loads(out)["parts"] == {"train": 1, "test": 1}
    code, _, _ = run("split", "a.json", "-o", "t.json", "--part", "train=0.5", "--part", "val=0.5", "--by", "file", "--strict", "--quiet")
    assert code == 1, "each file stands in one part alone"


def test_help_teaches_by_examples(run: Any) -> None:
    for verb in ("merge", "split"):
        code, out, _ = run(verb, "--help")
        assert code == 0 and out.count(f"posedata {verb} ") >= 3
