"""Operating points and curves, by numbers that fit on the back of an envelope."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
from posebench import COCO, Evaluation
from posedata import PoseDataset, Predictions, load_schema
from posedata.errors import PoseError
from tests.scored import at_distance

FAR = 5000.0


def pose(x: float) -> Any:
    """Six seen points."""
    return np.array([[x + i, 10.0 + 2 * (i % 3), 2] for i in range(6)])


def scene(hits: str, scores: list[float], truths: int, images: list[int] | None = None, **columns: Any) -> Evaluation:
    """One prediction for each letter, h finds the next truth exactly and f finds nothing; one truth and its prediction on each image unless given."""
    points, of, hit = [], [], 0
    for i, letter in enumerate(hits):
        points.append(pose(100.0 * hit) if letter == "h" else pose(FAR + i))
        of.append(hit + 1 if letter == "h" else 1)
        hit += letter == "h"
    own = np.array([pose(100.0 * n) for n in range(truths)])
    truth = PoseDataset.from_arrays(schema="foot6", image=list(range(1, truths + 1)), keypoints=own, area=columns.pop("area", [1000.0] * truths), **columns)
    return posebench.evaluate(truth, Predictions.from_arrays(schema="foot6", image=images or of, keypoints=points, score=scores), COCO)


SIX = ("hfhhfh", [0.9, 0.8, 0.8, 0.7, 0.6, 0.5], 5)
"""Five truths, four of them found; two false positives, one of the score of a hit."""


# -- counts at a confidence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "found", "false", "missed"),
    [(0.95, 0, 0, 5), (0.9, 1, 0, 4), (0.85, 1, 0, 4), (0.8, 2, 1, 3), (0.7, 3, 1, 2), (0.6, 3, 2, 2), (0.5, 4, 2, 1), (0.0, 4, 2, 1), (-1, 4, 2, 1)],
)
def test_counts_at_a_confidence(confidence: float, found: int, false: int, missed: int) -> None:
    point = scene(*SIX).at(confidence)
    assert (point.found, point.false, point.missed) == (found, false, missed)
    assert point.precision == pytest.approx(found / (found + false) if found + false else np.nan, nan_ok=True)
    assert point.recall == pytest.approx(found / 5)
    assert point.f1 == pytest.approx(2 * found / (2 * found + false + missed))
    assert point.to_dict() == {
        "confidence": confidence, "similarity": 0.5, "precision": pytest.approx(point.precision, nan_ok=True), "recall": point.recall, "f1": point.f1,
        "found": found, "false": false, "missed": missed,
    }  # fmt: skip


def test_the_best_point_is_that_of_the_highest_f1() -> None:
    best = scene(*SIX).best()
    assert (best.confidence, best.f1) == (0.5, 8 / 11)


def test_of_points_equally_good_the_highest_confidence_is_taken() -> None:
    """One of two found: 2/3. Both, with two false: 4/6."""
    assert scene("hffh", [0.9, 0.8, 0.7, 0.6], 2).best().confidence == 0.9


def test_equal_scores_stand_or_fall_together() -> None:
    """A hit before a false positive of its score is no point of its own."""
    best = scene("hfff", [0.8, 0.8, 0.8, 0.8], 1).best()
    assert (best.confidence, best.found, best.false) == (0.8, 1, 3)
    assert scene("hhf", [0.9, 0.8, 0.8], 2).best().to_dict() | {"similarity": 0} == {
        "confidence": 0.8, "similarity": 0, "precision": 2 / 3, "recall": 1, "f1": 0.8, "found": 2, "false": 1, "missed": 0,
    }  # fmt: skip


def test_without_predictions_or_truths_there_is_no_best_point() -> None:
    truth = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[pose(0)], area=[1000.0])
    silent = posebench.evaluate(truth, Predictions.from_arrays(schema="foot6", image=[], keypoints=np.zeros((0, 6, 3)), score=[]))
    assert np.isnan(silent.best().confidence) and silent.best().missed == 1
    assert (silent.at(0.5).recall, silent.at(0.5).f1) == (0, 0) and np.isnan(silent.at(0.5).precision)
    empty = posebench.evaluate(truth.take([]), Predictions.from_arrays(schema="foot6", image=[1], keypoints=[pose(0)], score=[0.5]))
    assert np.isnan(empty.best().confidence)
    assert (empty.at(0).false, empty.at(0).precision) == (1, 0) and np.isnan(empty.at(0).recall)


def test_crowds_and_ignored_truths_are_neither_found_nor_missed() -> None:
    ev = scene("hhf", [0.9, 0.8, 0.7], 3, crowd=[True, False, False])
    assert (ev.at(0).found, ev.at(0).false, ev.at(0).missed) == (1, 1, 1), "what finds a crowd counts for nothing"
    ev = scene("hhf", [0.9, 0.8, 0.7], 3, recorded=[6, 0, 6])
    assert (ev.at(0).found, ev.at(0).false, ev.at(0).missed) == (1, 1, 1)


def test_a_similarity_of_the_protocol_may_be_asked_for() -> None:
    """All points at similarity .7: found at .5, false at .75."""
    sigma = load_schema("foot6").sigmas
    near = pose(0)
    for i in range(6):
        near[i] = at_distance(near[i : i + 1], [0.7], 1000.0, sigma[i])[0]
    truth = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[pose(0)], area=[1000.0])
    ev = posebench.evaluate(truth, Predictions.from_arrays(schema="foot6", image=[1], keypoints=[near], score=[0.5]))
    assert ev.similarities()[0] == pytest.approx([0.7])
    assert (ev.at(0).found, ev.at(0, similarity=0.65).found, ev.at(0, similarity=0.75).found) == (1, 1, 0)
    with pytest.raises(PoseError, match=r"has no threshold 0.52; it has 0.50, 0.55"):
        ev.at(0, similarity=0.52)


def test_ranges_levels_and_parts_may_be_asked_for() -> None:
    ev = scene("hfhhfh", [0.9, 0.8, 0.8, 0.7, 0.6, 0.5], 5, area=[2000.0, 2000.0, 20000.0, 20000.0, 20000.0])
    assert (ev.at(0, where="medium").found, ev.at(0, where="medium").missed) == (2, 0)
    assert (ev.at(0, where="large").found, ev.at(0, where="large").missed) == (2, 1)
    with pytest.raises(PoseError, match="where: protocol 'coco' has no range, level or part 'larg'; did you mean 'large'"):
        ev.at(0, where="larg")
    with pytest.raises(PoseError, match="no range, level or part 'tiny'"):
        ev.best(where="tiny")
    truth = replace(ev.truth, images=ev.truth.images.with_meta(crowd_index=np.array([0.1, 0.1, 0.9, 0.9, 0.9])))
    levelled = posebench.evaluate(truth, ev.predictions, COCO.replace(levels={"easy": (0, 0.5), "hard": (0.5, 2)}))
    easy, hard = levelled.at(0, where="easy"), levelled.at(0, where="hard")
    assert (easy.found, easy.false, easy.missed) == (2, 2, 0), "the false ones lie on image 1"
    assert (hard.found, hard.false, hard.missed) == (2, 0, 1)
    foot = posebench.evaluate(ev.truth, ev.predictions, "coco_foot")
    assert foot.at(0, where="foot").found == 4
    assert foot.at(0, where="body").to_dict()["found"] == 0 and np.isnan(foot.at(0, where="body").recall)


def test_categories_are_matched_apart_and_counted_together() -> None:
    truth = PoseDataset.from_arrays(schema="foot6", image=[1, 1], keypoints=[pose(0), pose(200)], area=[1000.0, 1000.0], category=["cat", "dog"])
    found = Predictions.from_arrays(schema="foot6", image=[1, 1, 1], keypoints=[pose(0), pose(200), pose(0)], score=[0.9, 0.8, 0.7], category=[1, 1, 2])
    ev = posebench.evaluate(truth, found)
    assert (ev.at(0).found, ev.at(0).false, ev.at(0).missed) == (1, 2, 1)
    assert (ev.at(0, where="pooled").found, ev.at(0, where="pooled").false) == (2, 1)


# -- the curve -------------------------------------------------------------------------------------------------


def test_the_curve_is_the_plain_one() -> None:
    curve = scene(*SIX).curve()
    assert curve.score.tolist() == [0.9, 0.8, 0.8, 0.7, 0.6, 0.5]
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5, 4 / 6])
    assert curve.recall == pytest.approx([1 / 5, 1 / 5, 2 / 5, 3 / 5, 3 / 5, 4 / 5])
    assert curve.truths == 5
    p, r = curve.precision, curve.recall
    assert curve.f1 == pytest.approx(2 * p * r / (p + r))


def test_a_curve_without_hits_has_an_f1_of_zero() -> None:
    curve = scene("ff", [0.9, 0.8], 1).curve()
    assert curve.f1.tolist() == curve.precision.tolist() == [0, 0]


def test_the_area_under_the_envelope_of_the_curve_is_the_average_precision() -> None:
    ev = scene(*SIX)
    exact = replace(COCO, interpolation="all points")
    curve = ev.curve()
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    area = (np.diff(curve.recall, prepend=0) * best).sum()
    assert posebench.evaluate(ev.truth, ev.predictions, exact)["AP@0.50"] == pytest.approx(area)


# -- single points -----------------------------------------------------------------------------------------------


def one_pose(confidence: list[float], off: list[bool], labelled: str = "llllll", **header: Any) -> Evaluation:
    """One found pose; `off` points are far from theirs. l labelled, u annotated without label, s a point the source lacks."""
    points = pose(50) * np.array([[letter == "l"] for letter in labelled])
    annotated = np.array([[letter != "s" for letter in labelled]])
    truth = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[points], area=[1000.0], annotated=annotated)
    own = pose(50)
    own[:, 2] = confidence
    own[np.array(off), 0] += FAR
    own[np.isnan(confidence), :2] = np.nan
    own[np.isnan(confidence), 2] = 0
    return posebench.evaluate(truth, Predictions.from_arrays(schema="foot6", image=[1], keypoints=[own], score=[0.9], header=header))


def test_presence_counts_surplus_only_where_the_source_annotates() -> None:
    ev = one_pose([0.9, 0.9, 0.2, np.nan, 0.9, 0.9], [False] * 6, "llllus")
    said = ev.presence(0.5)
    assert (said.right, said.surplus, said.silent) == (2, 1, 2)
    assert (said.precision, said.recall, said.f1) == (pytest.approx(2 / 3), 0.5, pytest.approx(4 / 7))
    every = ev.presence()
    assert (every.right, every.surplus, every.silent) == (3, 1, 1)


def test_a_confidence_of_zero_is_an_absent_point_only_where_it_is_a_probability() -> None:
    confidence = [0.9, 0.9, 0.9, 0.9, -1.0, 0.0]
    assert one_pose(confidence, [False] * 6, keypoint_score="probability").presence(-5).right == 4
    assert one_pose(confidence, [False] * 6, keypoint_score="confidence").presence(-5).right == 6


def test_presence_looks_at_poses_that_were_found() -> None:
    ev = scene("hf", [0.9, 0.8], 2)
    assert (ev.presence().right, ev.presence().silent) == (6, 0)
    nothing = scene("ff", [0.9, 0.8], 2).presence()
    assert nothing.right == 0 and np.isnan(nothing.precision) and np.isnan(nothing.recall)


def test_similarities_are_those_of_found_poses_and_their_labelled_points() -> None:
    ev = one_pose([0.9] * 6, [True, False, False, False, False, False], "lllluu")
    poses, points = ev.similarities()
    assert poses == pytest.approx([0.75])
    assert sorted(points.round(9)) == [0, 1, 1, 1]
    unfound = one_pose([0.9] * 6, [True] * 6)
    assert [len(x) for x in unfound.similarities()] == [0, 0]


def test_similarities_equal_those_that_were_matched(real: Path) -> None:
    ev = posebench.evaluate(real / "coco_4/gt.json", real / "coco_4/preds.json")
    poses, points = ev.similarities()
    assert len(poses) == 12 and poses.min() >= 0.1 and poses.max() <= 1
    pairs = ev.workings.pairs().oks
    assert all(np.abs(pairs - s).min() < 1e-12 for s in poses)
    assert len(points) <= ev.counts["keypoints"] and 0 <= points.min() <= points.max() <= 1


def test_calibration_sets_confidence_beside_the_share_that_is_right() -> None:
    """Below a half: mean .2, one of three right. Above: mean .8, two of three."""
    ev = one_pose([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [True, True, False, False, False, True])
    table = ev.calibration(bins=2)
    assert table["from"].tolist() == [0, 0.5] and table["to"].tolist() == [0.5, 1]
    assert table["n"].tolist() == [3, 3]
    assert table["confidence"] == pytest.approx([0.2, 0.8])
    assert table["right"] == pytest.approx([1 / 3, 2 / 3])
    assert table["error"] == pytest.approx((abs(0.2 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)


def test_calibration_at_the_ends_of_its_bins() -> None:
    table = one_pose([0.0, 0.5, 1.0, 1.0, 0.5, 0.0], [False] * 6).calibration(bins=2)
    assert table["n"].tolist() == [2, 4], "a bin holds its lower end; the last one both"
    table = one_pose([1.0] * 6, [False] * 6).calibration(bins=4)
    assert table["n"].tolist() == [0, 0, 0, 6] and table["error"] == 0
    assert np.isnan(table["confidence"][:3]).all() and np.isnan(table["right"][:3]).all()


def test_calibration_of_what_is_no_probability_has_no_error() -> None:
    table = one_pose([-3.0, -1, 0, 2, 5, 9], [True, True, True, False, False, False]).calibration(bins=3)
    assert np.isnan(table["error"])
    assert (table["from"][0], table["to"][-1]) == (-3, 9)
    assert table["n"].tolist() == [3, 1, 2] and table["right"] == pytest.approx([0, 1, 1])


def test_calibration_leaves_out_points_without_label_and_absent_ones() -> None:
    assert one_pose([0.9, np.nan, 0.9, 0.9, 0.9, 0.9], [False] * 6, "lllluu").calibration(bins=1)["n"].tolist() == [3]
    empty = one_pose([0.9] * 6, [True] * 6).calibration(bins=2)
    assert empty["n"].tolist() == [0, 0] and np.isnan(empty["error"])


@pytest.mark.parametrize("bins", [0, -1, 2.5, True, "ten"])
def test_calibration_needs_a_bin(bins: Any) -> None:
    with pytest.raises(PoseError, match=r"calibration: bins=.*; a whole number from 1 on"):
        one_pose([0.9] * 6, [False] * 6).calibration(bins=bins)
