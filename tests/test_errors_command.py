"""The command `errors`: its object, its tables, and one line for whatever cannot be diagnosed."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posebench.diagnosing import diagnose_command
from posebench.simulate import simulate
from posedata import PoseDataset, Predictions, Schema

from .test_cli import run
from .test_simulate import crowded, of_points

SHARES = {"absent": 0.05, "surplus": 0.3, "duplicate": 0.3, "background": 0.3, "missed": 0.1}
LABELS = {"good", "jitter", "inversion", "swap", "miss", "absent"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """truth.json, and predictions with every kind of error: preds.json."""
    place = tmp_path_factory.mktemp("errors")
    ds = crowded(60, 3)
    ds.to_coco(place / "truth.json")
    simulate(ds, **SHARES).pred.to_json(place / "preds.json")
    simulate(ds, **{**SHARES, "missed": 0.0}).pred.to_json(place / "boxes.json")
    return place


def errors(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run("posebench", "errors", "preds.json", "--truth", "truth.json", *arguments, cwd=folder)


def values(folder: Path, *arguments: object) -> dict[str, Any]:
    done = errors(folder, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert "NaN" not in done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# -- what it prints --------------------------------------------------------------------------------------


def test_the_object_has_the_shape_that_is_promised(folder: Path) -> None:
    found = values(folder)
    assert set(found["counts"]) == LABELS and all(isinstance(n, int) for n in found["counts"].values())
    assert set(found["by_keypoint"]) == set(crowded(3).schema.names)
    for row in found["by_keypoint"].values():
        assert row["points"] == sum(row[name] for name in LABELS)
    assert set(found["instances"]) == {"predictions", "truths"}
    cost = found["cost"]
    assert set(cost["alone"]) == {"miss", "absent", "swap", "inversion", "jitter", "score", "background", "missed"}
    assert [kind for kind, _ in cost["progressive"]] == ["miss", "absent", "swap", "inversion", "jitter", "score", "background", "missed"]
    assert cost["progressive"][-1][1] == pytest.approx(1)
    assert set(cost["oks"]) == LABELS | {"missed"}
    assert set(cost["by_range"]) == {"medium", "large"} and cost["by_range"]["large"]["now"] is None
    assert cost["now"] == pytest.approx(np.mean(cost["by_threshold"]["now"]))
    assert cost["alone"]["miss"] == pytest.approx(np.mean(cost["by_threshold"]["alone"]["miss"]))
    assert found["protocol"]["name"] == "coco" and found["rules"]["legacy"] is False


def test_the_table_has_bars_and_says_what_an_inversion_is(folder: Path) -> None:
    done = errors(folder)
    assert done.returncode == 0 and done.stderr == ""
    assert "█" in done.stdout and "left taken for right" in done.stdout
    for word in (*LABELS, "background", "missed", "protocol coco", "similarity lost per truth", "surplus"):
        assert word in done.stdout


def test_help_says_what_others_call_it(folder: Path) -> None:
    text = " ".join(run("posebench", "errors", "--help", cwd=folder).stdout.split())
    assert "inversion on the mirror point of the same body; what others call a swap of left and right" in text


def test_slices_stand_below_and_sum_to_the_whole(folder: Path) -> None:
    found = values(folder, "--by", "keypoint", "--by", "size", "--by", "visibility")
    assert set(found["by"]) == {"keypoint", "size", "visibility"}
    for rows in found["by"].values():
        for label in LABELS:
            assert sum(row[label] for row in rows) == found["counts"][label]
    text = errors(folder, "--by", "visibility").stdout
    assert "seen" in text and "hidden" in text


def test_greedy_names_what_to_correct_first(folder: Path) -> None:
    found = values(folder, "--greedy", 2)
    assert len(found["greedy"]) == 2
    assert found["cost"]["now"] <= found["greedy"][0][1] <= found["greedy"][1][1]
    text = errors(folder, "--greedy", 1).stdout.split("correct first")[1]
    assert f"{found['greedy'][0][1] - found['cost']['now']:+.4f}" in text


def test_look_alikes_can_be_named(folder: Path) -> None:
    found = values(folder, "--confused", "left_wrist,left_hip", "--confused", "nose, left_eye")
    assert "confusion" in found["counts"]
    assert found["rules"]["confused"] == [["left_wrist", "left_hip"], ["nose", "left_eye"]]


def test_legacy_counts_as_the_original(folder: Path) -> None:
    ours, original = values(folder), values(folder, "--legacy")
    assert original["counts"]["absent"] == 0 and original["counts"]["miss"] >= ours["counts"]["miss"]
    assert original["cost"]["alone"]["miss"] > ours["cost"]["alone"]["miss"], "it moves points too near"
    assert set(original["cost"]["by_range"]) == {"medium", "large"}


def test_predictions_from_truth_boxes_say_what_boxes_cost(folder: Path) -> None:
    found = values(folder, "--truth-boxes", "boxes.json")
    assert found["cost"]["alone"]["box"] > 0
    assert "box" in errors(folder, "--truth-boxes", "boxes.json").stdout


def test_the_rules_stand_beside_the_numbers(folder: Path) -> None:
    usual = errors(folder).stdout
    assert "errors      good from 0.85, near from 0.5, found from OKS 0.1; surplus over confidence 0.2\n" in usual
    odd = errors(folder, "--legacy", "--confused", "nose,left_eye").stdout
    assert "nose and left_eye look alike; as coco-analyze: areas from 32² to 1e5²" in odd


@pytest.mark.parametrize("rules", [(), ("--legacy",)])
def test_the_cost_of_boxes_is_told_by_size_and_threshold(folder: Path, rules: tuple[str, ...]) -> None:
    found = values(folder, "--truth-boxes", "boxes.json", *rules)["cost"]
    done = run("posebench", "errors", "boxes.json", "--truth", "truth.json", "--json", *rules, cwd=folder)
    boxed = json.loads(done.stdout)["cost"]
    assert found["alone"]["box"] == pytest.approx(boxed["now"] - found["now"])
    for where, spans in found["by_range"].items():
        after = boxed["by_range"][where]["now"]
        assert spans["alone"]["box"] == (None if after is None else pytest.approx(after - spans["now"]))
    steps = [after - now for after, now in zip(boxed["by_threshold"]["now"], found["by_threshold"]["now"], strict=True)]
    assert found["by_threshold"]["alone"]["box"] == pytest.approx(steps)


def test_boxes_that_are_the_same_cost_nothing(folder: Path) -> None:
    for rules in ((), ("--legacy",)):
        assert values(folder, "--truth-boxes", "preds.json", *rules)["cost"]["alone"]["box"] == 0


def test_a_large_cost_of_what_is_missed_is_explained_where_all_is_found(tmp_path: Path) -> None:
    ds = crowded(12, 3)
    ds.to_coco(tmp_path / "truth.json")
    simulate(ds, jitter=1.0, inversion=0, swap=0, miss=0).pred.to_json(tmp_path / "preds.json")
    found = values(tmp_path)
    assert found["instances"]["truths"]["missed"] == 0 < found["cost"]["alone"]["missed"]
    assert "at each similarity by itself, whatever does not reach it" in errors(tmp_path).stdout


# -- what it writes --------------------------------------------------------------------------------------


def test_the_worst_poses_are_a_table(folder: Path) -> None:
    assert errors(folder, "--worst", 5, "-o", "worst.csv").returncode == 0
    assert errors(folder, "--worst", 5, "-o", "worst.parquet", "--quiet").stderr == ""
    with (folder / "worst.csv").open() as file:
        rows = list(csv.DictReader(file))
    frame = pd.read_parquet(folder / "worst.parquet")
    assert len(rows) == len(frame) == 5
    assert [float(row["lost"]) for row in rows] == pytest.approx(frame["lost"].tolist())
    assert frame["lost"].is_monotonic_decreasing
    assert {"image_id", "file", "annotation_id", "prediction", "category", "oks", "score", "labels", "confidences", "losses"} <= set(frame)


def test_the_report_is_written_as_json(folder: Path) -> None:
    done = errors(folder, "--worst", 3, "-o", "report.json", "--json")
    assert done.returncode == 0 and done.stderr == ""
    written = json.loads((folder / "report.json").read_text())
    assert written == json.loads(done.stdout)
    assert len(written["worst"]["oks"]) == 3


def test_without_worst_every_keypoint_is_a_row(folder: Path) -> None:
    assert errors(folder, "-o", "points.parquet").returncode == 0
    assert errors(folder, "-o", "points.csv").returncode == 0
    frame = pd.read_parquet(folder / "points.parquet")
    counts = values(folder)["counts"]
    assert frame.loc[frame["label"] != "", "label"].value_counts().to_dict() == {name: n for name, n in counts.items() if n}
    assert len(pd.read_csv(folder / "points.csv")) == len(frame)


@pytest.mark.parametrize("kind", [*sorted(LABELS), "surplus"])
def test_the_worst_of_a_kind(folder: Path, kind: str) -> None:
    found = values(folder, "--worst", 100, "--kind", kind)["worst"]
    assert found["lost"] == sorted(found["lost"], reverse=True) or kind == "surplus"
    if kind in LABELS - {"good"}:
        assert all(kind in labels for labels in found["labels"])


@pytest.mark.parametrize("kind", ["background", "duplicate", "badly localised", "scored too low", "wrong category", "ignored"])
def test_the_worst_of_a_kind_of_pose(folder: Path, kind: str) -> None:
    found = values(folder, "--worst", 100, "--kind", kind)
    n = found["instances"]["predictions"][kind]
    assert len(found["worst"]["label"]) == n and set(found["worst"]["label"]) <= {kind}
    assert found["worst"]["score"] == sorted(found["worst"]["score"], reverse=True)


def test_the_worst_of_a_keypoint_have_that_keypoint(folder: Path) -> None:
    found = values(folder, "--worst", 100, "--keypoint", "left_hip", "--kind", "miss")["worst"]
    assert found["labels"] and all("miss: " in labels and "left_hip" in labels.split("miss: ")[1] for labels in found["labels"])
    assert "left_hip" in errors(folder, "--worst", 1, "--keypoint", "left_hip", "--kind", "miss").stdout


def test_nothing_of_a_kind_is_said(folder: Path) -> None:
    assert "worst poses: none" in errors(folder, "--worst", 5, "--kind", "confusion").stdout


# -- what is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--worst", 3, "--kind", "jiter"), "no kind 'jiter'; did you mean 'jitter'?"),
        (("--worst", 3, "--keypoint", "nos"), "no keypoint 'nos'; did you mean 'nose'?"),
        (("--kind", "jitter"), "--kind: given without --worst"),
        (("--kind", "jitter", "--keypoint", "nose"), "--kind and --keypoint: given without --worst"),
        (("--worst", 3, "--kind", "background", "--keypoint", "nose"), "is a label of whole poses"),
        (("--confused", "nose"), "--confused nose: not two names"),
        (("--confused", "nose,left_ey"), "did you mean 'left_eye'?"),
        (("--confused", "nose,nose"), "pairs of two different keypoints"),
        (("--by", "sise"), "did you mean 'size'?"),
        (("--by", "crowd"), "need a column 'crowd_index'"),
        (("-o", "x.txt"), "-o x.txt: a form we do not write"),
        (("--truth-boxes", "nowhere.json"), "nowhere.json"),
    ],
    ids=str,
)
def test_wrong_options_are_one_line(folder: Path, arguments: tuple[object, ...], words: str) -> None:
    done = errors(folder, *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr, done.stderr


# -- odd data --------------------------------------------------------------------------------------------


def points(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.concatenate([np.random.default_rng(seed).uniform(0, 100, (n, k, 2)), np.full((n, k, 1), 2.0)], -1)


def pair(schema: str | Schema, k: int, truths: int, preds: int, far: float = 0.0, **columns: object) -> tuple[PoseDataset, Predictions]:
    """Truths on one image each, of which some are predicted, `far` off."""
    given: dict[str, Any] = {"area": [400.0] * truths, **columns}
    images = {"id": [1, 2, 3], "file": ["a", "b", "c"], "width": [640] * 3, "height": [480] * 3}
    truth = PoseDataset.from_arrays(
        schema=schema, image=np.arange(1, truths + 1), keypoints=points(truths, k), images=images, **{key: v for key, v in given.items() if v is not None}
    )
    found = points(max(truths, preds), k)[:preds] + np.array([far, far, 0])
    return truth, Predictions.from_arrays(schema=schema, image=np.arange(1, preds + 1), keypoints=found, score=np.linspace(0.9, 0.5, preds))


ODD = {
    "no truths": pair("coco17", 17, 0, 2),
    "no predictions": pair("coco17", 17, 2, 0),
    "neither": pair("coco17", 17, 0, 0),
    "nothing found": pair("coco17", 17, 2, 2, far=9000.0),
    "one keypoint": pair(of_points(1), 1, 2, 2, far=1.0),
    "no mirror pairs": pair(of_points(4), 4, 2, 2, far=1.0),
    "thirty keypoints": pair(of_points(30, 15), 30, 2, 2, far=1.0),
    "no areas": pair("coco17", 17, 2, 2, area=None),
    "boxes alone": pair("coco17", 17, 2, 2, area=None, bbox=[[0, 0, 100, 100]] * 2),
    "areas of 0": pair("coco17", 17, 2, 2, area=[0.0, 0.0]),
}


NONE_GIVEN: dict[str, Any] = dict.fromkeys(
    ("dataset", "config", "split", "root", "schema", "protocol", "mapping", "worst", "kind", "keypoint", "greedy", "out", "truth_boxes")
)


def inside(folder: Path, as_json: bool = False, **options: Any) -> None:
    """The command in this process; warnings are errors here too."""
    given = {**NONE_GIVEN, "truth": str(folder / "truth.json"), "allow_unknown": False, "by": (), "confused": (), "legacy": False, **options}
    diagnose_command([str(folder / "preds.json")], given, as_json, quiet=True)


@pytest.mark.parametrize("name", ODD)
def test_odd_data_has_sound_numbers(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    truth, pred = ODD[name]
    truth.to_coco(tmp_path / "truth.json")
    pred.to_json(tmp_path / "preds.json")
    names = truth.schema.names
    every: dict[str, Any] = {"schema": truth.schema, "by": ("keypoint", "size", "overlap", "visibility"), "worst": 5, "greedy": 1}
    for more in ({"legacy": True}, {"keypoint": names[0]}, {"kind": "background"}, {"kind": "surplus"}, {}):
        inside(tmp_path, **every, **more)
        assert "nan" not in capsys.readouterr().out.replace("nance", "")
    for suffix in (".csv", ".parquet"):
        inside(tmp_path, schema=truth.schema, out=str(tmp_path / f"points{suffix}"))
        inside(tmp_path, schema=truth.schema, out=str(tmp_path / f"worst{suffix}"), worst=3)
    capsys.readouterr()
    inside(tmp_path, True, **every)
    found = json.loads(capsys.readouterr().out)
    total = sum(found["counts"].values())
    assert total == (0 if name in ("no truths", "no predictions", "neither", "nothing found") else len(names) * 2)
    if name in ("one keypoint", "no mirror pairs"):
        assert found["inversions"] == {"single": 0, "limb": 0, "body": 0}
    if name in ("no predictions", "nothing found"):
        assert found["instances"]["truths"]["missed"] == 2 and found["cost"]["oks"]["missed"] == 1
    if name == "no truths":
        assert found["instances"]["predictions"]["background"] == 2 and found["cost"]["now"] is None


@pytest.mark.parametrize("name", ["no truths", "no predictions", "nothing found", "boxes alone"])
def test_odd_data_on_the_command_line(tmp_path: Path, name: str) -> None:
    truth, pred = ODD[name]
    truth.to_coco(tmp_path / "truth.json")
    pred.to_json(tmp_path / "preds.json")
    done = errors(tmp_path, "--schema", "coco17", "--worst", 2)
    assert done.returncode == 0 and done.stderr == ""
