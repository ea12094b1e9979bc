"""The evaluator against tests/reference.py: every number and every match, under published protocols and made ones."""

from __future__ import annotations

import math
import os
from random import Random

import pytest
from hypothesis import given

from posebench.protocol import Part, Protocol
from posebench.protocols import AKD, AP10K, COCO, COCO_FOOT, COCO_FOOT_WHOLEBODY, CROWDPOSE, CROWDPOSE_OPENPIFPAF
from posedata import Keypoint, PoseDataset, Predictions, Schema, load_schema
from posedata.schemas import SCHEMAS

from .evaluating import evaluated
from .problems import Made, made, made_protocol, problems, problems_and_protocols
from .reference import oks, preds_of, reference, truths_of

RUNS = 5000 if os.environ.get("POSE_LONG") else 200


def assert_same(truth: PoseDataset, pred: Predictions, protocol: Protocol) -> None:
    ours = evaluated(truth, pred, protocol)
    metrics, found = reference(truth, pred, protocol)
    assert ours.found == found
    assert ours.metrics == pytest.approx(metrics, abs=1e-12, rel=0, nan_ok=True)


def _leveled(problem: Made, protocol: Protocol) -> Protocol:
    """Without images, there is no column of levels."""
    return protocol if problem.coco["images"] else protocol.replace(levels={})


@pytest.mark.parametrize("protocol", [COCO, CROWDPOSE, CROWDPOSE_OPENPIFPAF, AP10K, AKD], ids=lambda p: p.name)
@given(problem=problems())
def test_published_protocols_agree_with_the_reference(protocol: Protocol, problem: Made) -> None:
    assert_same(problem.truth(), problem.pred(), _leveled(problem, protocol.replace(max_preds=problem.max_preds)))


@pytest.mark.parametrize("protocol", [COCO_FOOT, COCO_FOOT_WHOLEBODY], ids=lambda p: p.name)
@given(problem=problems(SCHEMAS["coco_foot23"]))
def test_body_and_feet_agree_with_the_reference(protocol: Protocol, problem: Made) -> None:
    assert_same(problem.truth(), problem.pred(), protocol)


@given(problems_and_protocols())
def test_made_protocols_agree_with_the_reference(both: tuple[Made, Protocol]) -> None:
    problem, protocol = both
    assert_same(problem.truth(), problem.pred(), protocol)


def test_many_problems_under_many_protocols_agree_with_the_reference() -> None:
    for seed in range(RUNS):
        r = Random(seed)
        problem = made(r)
        assert_same(problem.truth(), problem.pred(), made_protocol(r, problem))


@pytest.mark.parametrize("lacking", [("area",), ("area", "bbox")])
def test_files_without_areas_or_boxes_agree_with_the_reference(lacking: tuple[str, ...]) -> None:
    for seed in range(30):
        problem = made(Random(seed))
        for annotation in problem.coco["annotations"]:
            for key in lacking:
                annotation.pop(key)
        assert_same(problem.truth(), problem.pred(), COCO)


def test_a_part_may_name_all_points_in_another_order() -> None:
    for seed in range(20):
        problem = made(Random(seed), SCHEMAS["coco17"])
        backwards = COCO.replace(ignored="labelled", parts={"all": Part(points=tuple(reversed(problem.schema.names)))})
        ours = evaluated(problem.truth(), problem.pred(), backwards).metrics
        assert ours["AP[all]"] == pytest.approx(ours["AP"], abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(("similarity", "found"), [(1 - 5e-11, True), (1 - 5e-10, False)])
def test_a_similarity_within_a_ten_billionth_of_one_reaches_a_threshold_of_one(similarity: float, found: bool) -> None:
    """As in pycocotools; exp(-e) of the one point is that similarity."""
    away = math.sqrt(-math.log(similarity) * 2 * 100 * 0.01)
    one_point = Schema(name="one", keypoints=(Keypoint("p", 0.05),))
    truth = PoseDataset.from_arrays(schema=one_point, image=[1], keypoints=[[[0, 0, 2]]], area=[100.0], bbox=[[0, 0, 9, 9]])
    pred = Predictions.from_arrays(schema=one_point, image=[1], keypoints=[[[away, 0, 1]]], score=[1])
    rules = Protocol(name="strict", thresholds=(1.0,))
    assert_same(truth, pred, rules)
    assert evaluated(truth, pred, rules).metrics["AR"] == found


# -- the reference itself, by hand -------------------------------------------------------------------


def one(x: float, area: float = 100.0, labelled: bool = True, box: tuple[float, ...] = (0, 0, 10, 10)) -> float:
    """OKS of a pose with each of six points `x` to the right of the truth's, which lie at (5, 5)."""
    foot = load_schema("foot6")
    truth = PoseDataset.from_arrays(schema=foot, image=[1], keypoints=[[[5, 5, 2.0 * labelled]] * 6], area=[area], bbox=[box])
    pred = Predictions.from_arrays(schema=foot, image=[1], keypoints=[[[5 + x, 5, 1]] * 6], score=[1])
    kinds = Protocol(name="hand", sigmas=dict.fromkeys(foot.names, 0.05))
    pred = Predictions.from_arrays(schema=foot, image=[1], keypoints=pred.keypoints, score=[1], category=[truth.categories[0].id])
    return oks(truths_of(truth, kinds, None)[0], preds_of(truth, pred, kinds, None)[0])


def test_similarity_of_the_reference_by_hand() -> None:
    assert one(0) == 1
    # d² = 4, (2 sigma)² = .01, area 100: exp(-4 / .01 / 100 / 2) = exp(-2)
    assert one(2) == pytest.approx(math.exp(-2), abs=1e-14)
    assert one(2, area=400) == pytest.approx(math.exp(-0.5), abs=1e-14)
    # without labelled points, the box counts, grown to -10..20: 25 lies 5 outside
    assert one(15, labelled=False) == 1
    assert one(20, labelled=False) == pytest.approx(math.exp(-12.5), abs=1e-14)


def test_scores_of_the_reference_by_hand() -> None:
    """Two truths; three predictions: a hit, a miss, a hit. Precision 1 up to recall .5, then 2/3."""
    foot = load_schema("foot6")
    at = lambda *xs: [[[x, 0, 2.0]] * 6 for x in xs]
    truth = PoseDataset.from_arrays(schema=foot, image=[1, 1], keypoints=at(10, 200), area=[100, 100], bbox=[[0, 0, 9, 9]] * 2)
    pred = Predictions.from_arrays(schema=foot, image=[1, 1, 1], keypoints=at(10, 400, 200), score=[0.9, 0.8, 0.7])
    metrics, found = reference(truth, pred, Protocol(name="hand", thresholds=(0.5,)))
    assert found["", 0.5] == {0: 1, 1: None, 2: 2}
    assert metrics["AR"] == 1
    assert metrics["AP"] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-14)
    metrics, _ = reference(truth, pred, Protocol(name="hand", thresholds=(0.5,), interpolation="11 points"))
    assert metrics["AP"] == pytest.approx((6 + 5 * 2 / 3) / 11, abs=1e-14)
    metrics, _ = reference(truth, pred, Protocol(name="hand", thresholds=(0.5,), interpolation="all points"))
    assert metrics["AP"] == pytest.approx(0.5 + 0.5 * 2 / 3, abs=1e-14)
