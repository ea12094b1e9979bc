"""COCO's ten numbers and every single match, as pycocotools has them. POSE_LONG=1 runs 10,000 problems instead of 400."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO as PyCOCO
from pycocotools.cocoeval import COCOeval

from posebench.protocols import COCO, CROWDPOSE
from posedata import Keypoint, Predictions, Schema, read_coco, read_predictions

from .evaluating import evaluated
from .problems import Made, made

SHARES = 20
"""The problems run in this many tests, so that they can run beside each other."""
RUNS = (10_000 if os.environ.get("POSE_LONG") else 400) // SHARES

RANGES = ("", *COCO.ranges)


@dataclass(frozen=True)
class Theirs:
    metrics: dict[str, float]
    found: dict[tuple[str, float], dict[int, Any]]


def pycocotools_of(coco: dict[str, Any], results: list[dict[str, Any]], sigmas: np.ndarray, max_preds: int = 20) -> COCOeval:
    """Their evaluation, without its prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = PyCOCO()
        truth.dataset = json.loads(json.dumps(coco))
        truth.createIndex()
        if results:
            pred = truth.loadRes(json.loads(json.dumps(results)))
        else:  # loadRes looks into the first result
            pred = PyCOCO()
            pred.dataset = {**truth.dataset, "annotations": []}
            pred.createIndex()
        run = COCOeval(truth, pred, "keypoints")
        run.params.kpt_oks_sigmas = sigmas
        run.params.maxDets = [max_preds]
        run.evaluate()
        run.accumulate()
        if max_preds == 20:  # for others their summary finds nothing and says -1
            run.summarize()
    return run


def theirs(problem: Made) -> Theirs:
    """Their numbers and matches by our names; category by category where points or sigmas differ, which they cannot do at once."""
    parts = list(_by_category(problem)) if not problem.one_kind else [_whole(problem)]
    ids = [a["id"] for a in problem.coco["annotations"]]
    found: dict[tuple[str, float], dict[int, Any]] = {(name, t): {} for name in RANGES for t in COCO.thresholds}
    runs = []
    for coco, results, rows, sigmas in parts:
        run = pycocotools_of(coco, results, sigmas, problem.max_preds)
        runs.append(run)
        _read_matches(run, rows, ids, found)
    precision = np.concatenate([r.eval["precision"] for r in runs], 2)
    recall = np.concatenate([r.eval["recall"] for r in runs], 1)
    metrics = _means(precision, recall)
    if len(runs) == 1 and problem.max_preds == 20:
        wanted = [nan_for_minus_one(x) for x in runs[0].stats]
        assert [metrics[name] for name in COCO.metrics] == pytest.approx(wanted, abs=1e-15, nan_ok=True)
    return Theirs(metrics, found)


def _whole(problem: Made) -> tuple[dict[str, Any], list[dict[str, Any]], list[int], np.ndarray]:
    return _digestible(problem), _boxed(problem.results), list(range(len(problem.results))), np.array(problem.schema.sigmas)


def _by_category(problem: Made) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], list[int], np.ndarray]]:
    """Each category as a set of its own: its truths, its predictions with its points alone, its sigmas."""
    coco, results = _digestible(problem), problem.results
    for c in coco["categories"]:
        columns = [problem.schema.index(name) for name in c["keypoints"]]
        rows = [i for i, p in enumerate(results) if p["category_id"] == c["id"]]
        own = [{**results[i], "keypoints": np.array(results[i]["keypoints"]).reshape(-1, 3)[columns].ravel().tolist()} for i in rows]
        sigmas = np.array(problem.sigmas.get(c["name"], problem.schema.sigmas[columns]))
        yield {**coco, "categories": [c], "annotations": [a for a in coco["annotations"] if a["category_id"] == c["id"]]}, _boxed(own), rows, sigmas


def _digestible(problem: Made) -> dict[str, Any]:
    """What pycocotools refuses or misreads, said otherwise: ids from 1 on (0 is no match to it), a count for every annotation."""
    notes = [{**a, "id": i, "num_keypoints": a.get("num_keypoints", _labelled(a))} for i, a in enumerate(problem.coco["annotations"], 1)]
    return {**problem.coco, "annotations": notes}


def _boxed(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A box for every result, or for none: pycocotools looks at the first. The extent of all points is what it takes without."""
    mixed = 0 < sum("bbox" in p for p in results) < len(results)
    return [{**p, "bbox": p.get("bbox") or _extent(p)} for p in results] if mixed else results


def _labelled(annotation: dict[str, Any]) -> int:
    return sum(v > 0 for v in annotation["keypoints"][2::3])


def _extent(p: dict[str, Any]) -> list[float]:
    x, y = p["keypoints"][::3], p["keypoints"][1::3]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _read_matches(run: COCOeval, rows: list[int], ids: list[Any], found: dict[tuple[str, float], dict[int, Any]]) -> None:
    """Their tables of matches: per category, range and image, None where nothing is."""
    images = len(run.params.imgIds)
    for i, cell in enumerate(run.evalImgs):
        if cell is None:
            continue
        name = RANGES[i // images % len(RANGES)]
        for t, matched in zip(COCO.thresholds, cell["dtMatches"], strict=True):
            for pred, truth in zip(cell["dtIds"], matched, strict=True):
                found[name, t][rows[int(pred) - 1]] = ids[int(truth) - 1] if truth else None


def _means(precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """As their summary has them; -1 is no truth."""
    metrics: dict[str, float] = {}
    for r, name in enumerate(RANGES):
        slot = f"[{name}]" if name else ""
        metrics[f"AP{slot}"], metrics[f"AR{slot}"] = _mean(precision[:, :, :, r]), _mean(recall[:, :, r])
        for t, threshold in enumerate(COCO.thresholds):
            metrics[f"AP@{threshold:.2f}{slot}"], metrics[f"AR@{threshold:.2f}{slot}"] = _mean(precision[t, :, :, r]), _mean(recall[t, :, r])
    return metrics


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else math.nan


def nan_for_minus_one(x: float) -> float:
    return math.nan if x == -1 else float(x)


def differences(problem: Made) -> list[str]:
    """What we say otherwise than pycocotools."""
    ours, wanted = evaluated(problem.truth(), problem.pred(), COCO.replace(max_preds=problem.max_preds)), theirs(problem)
    numbers = [f"{k}: {ours.metrics[k]!r}, not {v!r}" for k, v in wanted.metrics.items() if ours.metrics[k] != pytest.approx(v, abs=1e-12, nan_ok=True)]
    return numbers + [f"{k}: {ours.found[k]}, not {v}" for k, v in wanted.found.items() if ours.found[k] != v]


@pytest.mark.parametrize("share", range(SHARES))
def test_random_problems_have_the_numbers_and_the_matches_of_pycocotools(share: int) -> None:
    wrong = {seed: found for seed in range(share * RUNS, (share + 1) * RUNS) if (found := differences(made(Random(seed))))}
    assert not wrong


def test_the_random_problems_hold_what_they_are_made_for() -> None:
    """A parity test over easy problems proves little."""
    seen = [made(Random(seed)) for seed in range(400)]
    notes = [a for m in seen for a in m.coco["annotations"]]
    assert {len(m.schema) for m in seen} >= {1, 2, 3, 17, 30} and {len(m.coco["categories"]) for m in seen} == {1, 2, 3, 4}
    assert any(not m.coco["images"] for m in seen) and any(m.coco["annotations"] and not m.results for m in seen)
    assert any(a["id"] == 0 for a in notes) and any(isinstance(a["id"], str) for a in notes)
    assert {a["area"] for a in notes} >= {0.0, 1024.0, 9216.0} and any("num_keypoints" not in a for a in notes)
    assert any(a.get("num_keypoints") == 0 and _labelled(a) and not a["iscrowd"] for a in notes) and any(a["iscrowd"] and _labelled(a) for a in notes)
    assert sum(not m.one_kind for m in seen) > 40 and any(m.sigmas for m in seen)
    assert any(len({p["score"] for p in m.results}) < len(m.results) for m in seen)
    found = [theirs(m).metrics["AP"] for m in seen[:60]]
    assert sum(0.05 < x < 0.95 for x in found) > 20


# -- where we differ, and mean to --------------------------------------------------------------------


def _wild(results: list[dict[str, Any]], area: float = 1000.0) -> Made:
    """One truth of two points, found by the last result; what comes before is a false alarm."""
    schema = Schema(name="two", keypoints=(Keypoint("a", 0.05), Keypoint("b", 0.05)))
    pose = {"image_id": 1, "category_id": 1, "keypoints": [10, 10, 2, 50, 50, 2]}
    truth = {**pose, "id": 1, "bbox": [0, 0, 60, 60], "area": area, "iscrowd": 0, "num_keypoints": 2}
    kinds = [{"id": 1, "name": "thing", "keypoints": ["a", "b"], "skeleton": []}]
    return Made(schema, {"images": [{"id": 1, "file_name": "1.jpg"}], "categories": kinds, "annotations": [truth]}, [*results, {**pose, "score": 0.5}])


@pytest.mark.parametrize(
    "alarm",
    [
        {"keypoints": [0, 0, 1, 2e5, 2e5, 1]},
        {"keypoints": [300, 300, 1, 400, 400, 1], "bbox": [5, 5, -40, 40]},
    ],
    ids=["over 1e10", "below 0"],
)
def test_a_false_alarm_of_impossible_area_is_one_here_and_none_to_pycocotools(alarm: dict[str, Any]) -> None:
    """Its range "all" ends at 0 and 1e10 as well, so it ignores the alarm; a false alarm is one, however large."""
    problem = _wild([{"image_id": 1, "category_id": 1, "score": 0.9, **alarm}])
    assert theirs(problem).metrics["AP"] == pytest.approx(1)
    assert evaluated(problem.truth(), problem.pred(), COCO).metrics["AP"] == pytest.approx(0.5)


def test_a_truth_over_1e10_counts_here_and_not_to_pycocotools() -> None:
    problem = _wild([], area=2e10)
    assert math.isnan(theirs(problem).metrics["AP"])
    assert evaluated(problem.truth(), problem.pred(), COCO).metrics["AP"] == pytest.approx(1)


# -- real files --------------------------------------------------------------------------------------

KNOWN = {
    "coco_1": (0.5048844884488449, 0.7227722772277227, 0.6336633663366337, 0.46633663366336636, 0.7504950495049505,
               0.5181818181818182, 0.7272727272727273, 0.6363636363636364, 0.4666666666666666, 0.75),
    "coco_4": (0.8608896054440609, 0.993145468392993, 0.9108910891089109, 0.7755775577557756, 0.9372524752475248,
               0.875, 1.0, 0.9166666666666666, 0.78, 0.9428571428571428),
}  # fmt: skip
"""The ten numbers that pycocotools 2.0.11 prints for these files."""

CROWDPOSE_KNOWN = (0.7877215935879303, 0.9881188118811886, 0.7314356435643564, 0.8222222222222223, 1.0, 0.7777777777777778)
CROWDPOSE_LEVELS = (1.0, 0.9802, 0.4116)
"""crowdpose-api on faster-coco-eval's example (its tests/test_crowdpose.py); it prints the levels with four digits."""


@pytest.mark.parametrize("name", KNOWN)
def test_real_files_of_coco_have_the_ten_numbers_of_pycocotools(real: Path, name: str) -> None:
    truth, pred = read_coco(real / name / "gt.json"), read_predictions(real / name / "preds.json", schema="coco17")
    ours = evaluated(truth, pred, COCO)
    assert [ours.metrics[m] for m in COCO.metrics] == pytest.approx(KNOWN[name], abs=1e-12)
    again = pycocotools_of(
        json.loads((real / name / "gt.json").read_text()), json.loads((real / name / "preds.json").read_text()), np.array(truth.schema.sigmas)
    )
    assert [ours.metrics[m] for m in COCO.metrics] == pytest.approx(again.stats, abs=1e-12)


def test_the_crowdpose_example_has_the_numbers_of_the_official_code(real: Path) -> None:
    truth = read_coco(real / "crowdpose_example" / "gt.json")
    pred = read_predictions(real / "crowdpose_example" / "preds.json", schema="crowdpose14")
    ours = evaluated(truth, pred, CROWDPOSE).metrics
    assert [ours[m] for m in CROWDPOSE.metrics[:6]] == pytest.approx(CROWDPOSE_KNOWN, abs=1e-12)
    assert [round(ours[m], 4) for m in ("AP[easy]", "AP[medium]", "AP[hard]")] == list(CROWDPOSE_LEVELS)


def test_truth_as_prediction_of_the_ap10k_sample_is_perfect_and_has_nothing_medium(real: Path) -> None:
    truth = read_coco(real / "ap10k_sample" / "test_ap10k.json")
    ids = [c.id for c in truth.categories]
    own = truth.instances
    pred = Predictions.from_arrays(
        schema=truth.schema, image=truth.images.id[own.image], keypoints=own.keypoints, score=np.ones(len(truth)), category=[ids[c] for c in own.category]
    )
    ours = evaluated(truth, pred, COCO.replace(name="ap10k")).metrics
    assert [ours[m] for m in COCO.metrics] == pytest.approx([1, 1, 1, math.nan, 1, 1, 1, 1, math.nan, 1], nan_ok=True, abs=1e-12)
    assert ours["AP[pooled]"] == pytest.approx(1, abs=1e-12)
