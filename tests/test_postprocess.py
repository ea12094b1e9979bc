"""Post-processing: the fast ways against slow, obvious loops, ties and all."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from posebench.postprocess import RESCORES, TIES, oks_nms, rescore, soft_oks_nms
from posedata import PoseError, Predictions, load_schema

SIGMAS = load_schema("foot6").sigmas


def crowd(seed: int, n: int = 60, images: int = 7, ties: bool = True) -> Predictions:
    """Poses in clumps, so that many are alike; scores of one decimal, so that many are equal."""
    rng = np.random.default_rng(seed)
    clump = rng.integers(0, 4, n)
    shape = rng.uniform(0, 100, (4, 6, 2))
    xy = shape[clump] + rng.normal(0, 1.5, (n, 6, 2)) * rng.choice([0.2, 1, 4], (n, 1, 1))
    points = np.concatenate([xy, rng.uniform(0, 1, (n, 6, 1))], -1)
    points[rng.random((n, 6)) < 0.05, :2] = np.nan
    score = np.round(rng.random(n), 1) if ties else rng.permutation(n) / n
    return Predictions.from_arrays(schema="foot6", image=rng.integers(0, images, n) * 10, keypoints=points, score=score)


def slow_oks(a: NDArray[np.float64], b: NDArray[np.float64], visible: float | None) -> float:
    """Mean over the points, the two extents averaged."""

    def area(p: NDArray[np.float64]) -> float:
        return float((p[:, 0].max() - p[:, 0].min()) * (p[:, 1].max() - p[:, 1].min()))

    terms = []
    for k, sigma in enumerate(SIGMAS):
        if visible is None or (a[k, 2] > visible and b[k, 2] > visible):
            d2 = float((a[k, 0] - b[k, 0]) ** 2 + (a[k, 1] - b[k, 1]) ** 2)
            terms.append(np.exp(-d2 / (2 * sigma) ** 2 / ((area(a) + area(b)) / 2 + np.spacing(1)) / 2))
    return float(np.mean(terms)) if terms else 0.0


def best_first(pred: Predictions, rows: list[int], score: dict[int, float], ties: str) -> list[int]:
    up = sorted(rows, key=lambda r: score[r]) if ties == "mmpose" else []
    return up[::-1] if ties == "mmpose" else sorted(rows, key=lambda r: -score[r])


def slow_nms(pred: Predictions, threshold: float, ties: str, visible: float | None) -> list[int]:
    points, kept = np.nan_to_num(pred.keypoints), []
    for image in dict.fromkeys(pred.image.tolist()):
        left = best_first(pred, np.flatnonzero(pred.image == image).tolist(), dict(enumerate(pred.score.tolist())), ties)
        while left:
            first, *left = left
            kept.append(first)
            left = [r for r in left if slow_oks(points[first], points[r], visible) <= threshold]
    return kept if ties == "mmpose" else sorted(kept)


def slow_soft(pred: Predictions, threshold: float, ties: str, most: int) -> list[int]:
    points, kept = np.nan_to_num(pred.keypoints), []
    for image in dict.fromkeys(pred.image.tolist()):
        score = dict(enumerate(pred.score.tolist()))
        left = best_first(pred, np.flatnonzero(pred.image == image).tolist(), score, ties)
        for _ in range(most):
            if left:
                first, *left = left
                kept.append(first)
                for r in left:
                    score[r] *= np.exp(-(slow_oks(points[first], points[r], None) ** 2) / threshold)
                left = best_first(pred, left, score, ties)
    return kept if ties == "mmpose" else sorted(kept)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("visible", [None, 0.3])
@pytest.mark.parametrize("threshold", [0.3, 0.9])
def test_nms_keeps_what_a_slow_loop_keeps(ties: str, visible: float | None, threshold: float) -> None:
    for seed in range(6):
        pred = crowd(seed)
        found = oks_nms(pred, threshold, ties=ties, visible=visible)
        wanted = slow_nms(pred, threshold, ties, visible)
        assert np.array_equal(found.keypoints, pred.keypoints[wanted], equal_nan=True)
        assert 0 < len(found) < len(pred)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("most", [3, 20])
def test_soft_nms_keeps_what_a_slow_loop_keeps(ties: str, most: int) -> None:
    for seed in range(6):
        pred = crowd(seed)
        found = soft_oks_nms(pred, 0.9, ties=ties, max_preds=most)
        assert np.array_equal(found.keypoints, pred.keypoints[slow_soft(pred, 0.9, ties, most)], equal_nan=True)
        assert np.isin(found.score, pred.score).all()


def test_of_two_equal_poses_with_equal_scores_the_tie_rule_decides() -> None:
    pose = [[[x, x, 0.5] for x in range(6)]] * 2
    pred = Predictions.from_arrays(schema="foot6", image=[1, 1], keypoints=pose, score=[0.5, 0.5], bbox=[[0, 0, 1, 1], [0, 0, 2, 2]])
    assert oks_nms(pred).bbox[:, 2].tolist() == [1]
    assert oks_nms(pred, ties="mmpose").bbox[:, 2].tolist() == [2]


def test_soft_nms_can_hand_out_the_scores_that_decided() -> None:
    pred = Predictions.from_arrays(schema="foot6", image=[1, 1], keypoints=[[[x, x, 0.5] for x in range(6)]] * 2, score=[0.8, 0.6])
    assert soft_oks_nms(pred, 0.5, score="lowered").score == pytest.approx([0.8, 0.6 * np.exp(-2)])


def test_areas_and_sigmas_can_be_given() -> None:
    pred = crowd(3)
    assert len(oks_nms(pred, 0.5, area=np.full(len(pred), 1e9))) == len(np.unique(pred.image))
    assert len(oks_nms(pred, 0.9, sigmas=np.full(6, 1e-6))) == len(pred)
    with pytest.raises(PoseError, match=r"nms: sigmas \(2,\), area \(60,\); \(6,\) and \(60,\) are needed"):
        oks_nms(pred, sigmas=[0.1, 0.1])


def test_nothing_stays_nothing() -> None:
    none = crowd(0).take(np.zeros(0, np.intp))
    assert len(oks_nms(none)) == len(soft_oks_nms(none)) == len(rescore(none)) == 0


def test_a_score_is_made_from_the_box_and_the_points_that_are_sure() -> None:
    points = np.zeros((2, 6, 3)) + 1.0
    points[0, :, 2] = [0.9, 0.5, 0.2, 0.1, 0.0, 0.1]
    points[1, :, 2] = 0.1
    pred = Predictions.from_arrays(schema="foot6", image=[1, 1], keypoints=points, score=[0.5, 0.5])
    assert rescore(pred).score == pytest.approx([0.35, 0])
    assert rescore(pred, mode="keypoints").score == pytest.approx([0.7, 0])
    assert rescore(pred, mode="box + keypoints").score == pytest.approx([0.5 + 0.3 + 0.9, 0.7])
    assert rescore(pred, mode="box").score.tolist() == [0.5, 0.5]
    assert rescore(pred).header["score"] == "box x keypoints"


def test_scores_are_not_made_twice() -> None:
    with pytest.raises(PoseError, match=r"rescore: the header says that score is 'box x keypoints' already; nothing is left to do"):
        rescore(rescore(crowd(0)))
    with pytest.raises(PoseError, match="start from the predictions with the scores of their boxes"):
        rescore(rescore(crowd(0)), mode="keypoints")


@pytest.mark.parametrize("mode", RESCORES)
def test_every_mode_says_itself_in_the_header(mode: str) -> None:
    assert rescore(crowd(1), mode=mode).header["score"] == mode


def test_wrong_words_are_refused() -> None:
    for call in (lambda p: oks_nms(p, ties="last"), lambda p: oks_nms(p, 1.5), lambda p: rescore(p, mode="boxes"), lambda p: soft_oks_nms(p, score="x")):
        with pytest.raises(PoseError):
            call(crowd(0))


def test_a_hundred_thousand_predictions_take_seconds() -> None:
    big = crowd(0, 100_000, 5000)
    begun = time.perf_counter()
    oks_nms(big)
    soft_oks_nms(replace(big, header={}))
    assert time.perf_counter() - begun < 10
