"""Prediction files: plain COCO results that every evaluator reads, with a header of ours for those who look."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posedata import FormatError, Predictions, Schema, load_schema, read_predictions
from posedata.formats.results import parse_results

REAL = {"coco_1/preds.json": ("coco17", 128), "coco_4/preds.json": ("coco17", 73), "crowdpose_example/preds.json": ("crowdpose14", 15)}


def made(n: int = 3, header: dict[str, Any] | None = None, schema: str = "foot6", text: bool = False) -> Predictions:
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(1, 90, (n, len(load_schema(schema)), 3))
    keypoints[0, 0, :2] = np.nan
    keypoints[0, 0, 2] = 0
    image = np.array([f"im{i}" for i in range(n)], object) if text else np.arange(n)
    return Predictions.from_arrays(
        schema=schema, image=image, keypoints=keypoints, score=rng.random(n), header=header, bbox=rng.uniform(0, 9, (n, 4)), truth=np.arange(10, 10 + n)
    )


def same(a: Predictions, b: Predictions) -> bool:
    return a.schema == b.schema and all(np.array_equal(a.columns()[k], b.columns()[k], equal_nan=a.columns()[k].dtype.kind == "f") for k in a.columns())


@pytest.mark.parametrize("name", REAL)
def test_real_results_keep_every_number(real: Path, name: str) -> None:
    schema, count = REAL[name]
    found = read_predictions(real / name, schema=schema)
    original = json.loads((real / name).read_text())
    assert len(found) == count
    written = json.loads(found.to_json())
    for key in ("image_id", "category_id", "keypoints", "score"):
        assert [r[key] for r in written] == [r[key] for r in original]


@pytest.mark.parametrize("text", [False, True])
def test_json_and_npz_hold_the_same(tmp_path: Path, text: bool) -> None:
    p = made(header={"dataset": "coco_foot", "split": "val", "keypoint_score": "probability", "images": "all"}, text=text)
    p.to_json(tmp_path / "p.json")
    p.to_npz(tmp_path / "p.npz")
    for again in (read_predictions(tmp_path / "p.json"), read_predictions(tmp_path / "p.npz")):
        assert same(again, p)
        assert again.header == {"version": 1, **p.header, "schema": "foot6"}
        assert again.absent[0, 0]


def test_a_users_schema_travels_in_the_header(tmp_path: Path) -> None:
    mine = Schema.from_dict({"name": "mine", "keypoints": ["a", "b"], "sigmas": 0.1})
    p = Predictions.from_arrays(schema=mine, image=[1], keypoints=[[[1, 2, 0.5], [3, 4, 0.5]]], score=[1])
    assert parse_results(p.to_json()).schema == mine
    assert read_predictions(p.to_npz(tmp_path / "p.npz")).schema == mine


def test_the_header_is_found_in_any_record() -> None:
    records = json.loads(made(header={"model": "m"}).to_json())
    assert parse_results(json.dumps(records[::-1]).encode()).header["model"] == "m"


def test_two_headers_that_differ_are_an_error() -> None:
    records = json.loads(made(header={"model": "m"}).to_json()) + json.loads(made(header={"model": "n"}).to_json())
    with pytest.raises(FormatError, match="2 different headers"):
        parse_results(json.dumps(records).encode())


def test_without_a_header_the_schema_is_asked_for() -> None:
    records = [{k: v for k, v in r.items() if k != "posebench"} for r in json.loads(made().to_json())]
    with pytest.raises(FormatError, match="give schema="):
        parse_results(json.dumps(records).encode())
    assert same(parse_results(json.dumps(records).encode(), "foot6"), made())
    with pytest.raises(FormatError, match="its header says schema 'foot6', you say 'coco17'"):
        parse_results(made().to_json(), "coco17")


@pytest.mark.parametrize("key", ["annotations", "predictions", "results"])
def test_wrapped_results_are_read(key: str) -> None:
    assert same(parse_results(json.dumps({key: json.loads(made().to_json())}).encode()), made())


def test_part_scores_become_columns() -> None:
    records = [{**r, "foot_score": 0.25 * i, "center": [1, 2]} for i, r in enumerate(json.loads(made().to_json()))]
    found = parse_results(json.dumps(records).encode())
    assert found.meta["foot_score"].tolist() == [0, 0.25, 0.5]
    assert list(found.meta) == ["foot_score"]
    assert [r["center"] for r in json.loads(found.to_json())] == [[1, 2]] * 3, "what no column holds is written back"


def test_no_results_are_results() -> None:
    assert len(parse_results(b"[]", "coco17")) == 0


def test_several_files_are_one_set_with_each_rows_place_counted_on(tmp_path: Path) -> None:
    paths = [made(2).to_npz(tmp_path / "a.npz"), made(3).to_npz(tmp_path / "b.npz")]
    found = read_predictions(paths)
    assert found.row.tolist() == [0, 1, 2, 3, 4]
    made(2, header={"model": "other"}).to_npz(tmp_path / "c.npz")
    with pytest.raises(FormatError, match="different headers"):
        read_predictions([*paths, tmp_path / "c.npz"])


def test_take_remembers_the_place_in_the_file() -> None:
    assert made(5).take(np.array([4, 2])).row.tolist() == [4, 2]


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", image=np.array([{"a": 1}], object), keypoints=np.zeros((1, 6, 3)), score=np.ones(1))
    with pytest.raises(FormatError, match=r"not an \.npz file of plain arrays"):
        read_predictions(tmp_path / "p.npz", "foot6")


def test_pycocotools_reads_our_files_unchanged(real: Path, tmp_path: Path) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def score(results: Path) -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(real / "coco_4/gt.json"))
            run = COCOeval(truth, truth.loadRes(str(results)), "keypoints")
            run.evaluate()
            run.accumulate()
            run.summarize()
        return [float(v) for v in run.stats]

    read_predictions(real / "coco_4/preds.json", schema="coco17").to_json(tmp_path / "ours.json")
    assert score(tmp_path / "ours.json") == score(real / "coco_4/preds.json")


@pytest.mark.parametrize("size", [3, 200, 999])
def test_reading_many_blocks_is_reading_one(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    from posedata.formats import records

    p = made(20)
    whole = parse_results(p.to_json())
    monkeypatch.setattr(records, "BLOCK", size)
    assert same(parse_results(p.to_json()), whole)
