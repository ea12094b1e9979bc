"""poseval's average precision per joint, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from posebench.align import align
from posebench.distances import poseval_ap
from posedata import DataError, PoseDataset, Predictions, Schema

POINTS = Schema.from_dict({"name": "made", "keypoints": ["head", "body"], "sigmas": 0.05})
TRUTHS = np.array([[(0, 0, 2), (100, 0, 2)], [(0, 50, 2), (100, 50, 0)], [(0, 0, 1), (100, 0, 2)], [(0, 0, 0), (0, 0, 0)]], float)


def truth(**columns: object) -> PoseDataset:
    """Two people in image 1, one in image 2, one without points in image 3, nobody in image 4; heads of 10 pixels."""
    images = {"id": np.arange(1, 5), "file": ["a", "b", "c", "d"]}
    meta = {"head_size": np.full(4, 10.0)} | columns
    return PoseDataset.from_arrays(schema=POINTS, image=[1, 1, 2, 3], keypoints=TRUTHS, images=images, meta=meta)


def preds(*poses: tuple[int, list[tuple[float, float, float]]]) -> Predictions:
    return Predictions.from_arrays(schema=POINTS, image=[i for i, _ in poses], keypoints=np.array([p for _, p in poses], float), score=np.ones(len(poses)))


def test_each_point_of_an_assigned_pose_within_half_a_head_is_true() -> None:
    found = poseval_ap(
        align(
            truth(),
            preds(
                (1, [(5, 0, 0.9), (106, 0, 0.9)]),  # of the first person half: the head ties at 5, the body is beyond
                (1, [(0, 0, 0.8), (100, 0, 0.8)]),  # of the first person all: it keeps her, the one above is false
                (1, [(0, 50, 0.7), (100, 50, 0.7)]),  # the second person, whose body is not labelled: false there
                (2, [(0, 5, 0.6), (np.nan, np.nan, 0)]),
                (3, [(0, 0, 0.5), (0, 0, 0.95)]),  # a person without points: false
                (4, [(0, 0, 1), (0, 0, 1)]),  # an image without annotations: left out
            ),
        )
    )
    # heads by confidence: false .9, true .8, .7, .6, false .5: precisions 1/2, 2/3, 3/4 -> the highest from there on is 3/4
    # bodies: false .95, .9, true .8, false .7 of two: 1/3, once
    assert found.ap == pytest.approx([3 / 4, 1 / 3 / 2])
    assert found.n.tolist() == [3, 2]
    assert found.mean == pytest.approx((3 / 4 + 1 / 6) / 2)


def test_a_pose_goes_to_the_truth_of_which_it_has_most_and_to_no_other() -> None:
    # near the first person's head and body, and beyond reach of the second: the second person stays unfound
    assert poseval_ap(align(truth(), preds((1, [(0, 0, 1), (100, 0, 1)])))).ap == pytest.approx([1 / 3, 1 / 2])


def test_of_equal_poses_the_first_is_kept() -> None:
    found = poseval_ap(align(truth(), preds((1, [(0, 0, 0.2), (100, 0, 0.2)]), (1, [(0, 0, 0.9), (100, 0, 0.9)]))))
    assert found.ap == pytest.approx([1 / 2 / 3, 1 / 2 / 2])


def test_nothing_predicted_is_zero_and_a_joint_without_truth_is_nan() -> None:
    nothing = Predictions.from_arrays(schema=POINTS, image=[], keypoints=np.zeros((0, 2, 3)), score=[])
    assert poseval_ap(align(truth(), nothing)).ap.tolist() == [0, 0]
    bodiless = truth().take([1])
    found = poseval_ap(align(bodiless, preds((1, [(0, 50, 1), (0, 0, 1)]))))
    assert found.ap[0] == 1 and np.isnan(found.ap[1]) and found.mean == 1
    assert np.isnan(poseval_ap(align(truth().take([3]), nothing)).mean)


def test_a_perfect_prediction_has_one() -> None:
    poses = [(i, p.tolist()) for i, p in zip([1, 1, 2], np.concatenate([TRUTHS[:3, :, :2], np.ones((3, 2, 1))], -1), strict=True)]
    poses[1][1][1] = [np.nan, np.nan, 0]
    assert poseval_ap(align(truth(), preds(*poses))).ap.tolist() == [1, 1]


def test_a_truth_without_head_box_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        poseval_ap(align(truth(head_size=np.array([10, np.nan, 0, np.nan])), preds((1, [(0, 0, 1), (0, 0, 1)]))))
    assert (
        str(caught.value)
        == "poseval_ap: no head box in 2 of 3 truths, the first with id 2, 3; PoseTrack carries it; keys read: head_size, bbox_head, head_box, headbox"
    )


# -- a slow twin -------------------------------------------------------------------------------------


def slow_ap(ds: PoseDataset, pred: Predictions, heads: list[float], at: float) -> list[float]:
    """One image, one pose, one joint at a time."""
    scored: list[list[tuple[float, bool]]] = [[], []]
    totals = [0, 0]
    for image in range(len(ds.images)):
        people = [i for i in range(len(ds)) if ds.instances.image[i] == image]
        labelled = [i for i in people if ds.instances.labelled[i].any()]
        poses = [j for j in range(len(pred)) if pred.image[j] == ds.images.id[image]] if people else []
        near = {(j, i): [bool(ds.instances.labelled[i, k]) and float(np.hypot(*(pred.keypoints[j, k, :2] - ds.instances.keypoints[i, k, :2]))) / heads[i] <= at for k in range(2)] for j in poses for i in labelled}  # fmt: skip
        share = {(j, i): sum(n) / int(ds.instances.labelled[i].sum()) for (j, i), n in near.items()}
        favourite = {j: max(labelled, key=lambda i, j=j: share[j, i]) for j in poses if labelled}  # type: ignore[misc]
        for k in range(2):
            totals[k] += sum(bool(ds.instances.labelled[i, k]) for i in labelled)
        mine: dict[int, int] = {}
        for i in labelled:
            rivals = [j for j in poses if favourite[j] == i and share[j, i] > 0]
            if rivals:
                mine[max(rivals, key=lambda j, i=i: share[j, i])] = i  # type: ignore[misc]
        for j in poses:
            for k in range(2):
                scored[k].append((float(pred.keypoints[j, k, 2]), j in mine and near[j, mine[j]][k]))
    return [slow_area(sorted(s, key=lambda x: -x[0]), n) for s, n in zip(scored, totals, strict=True)]


def slow_area(ranked: list[tuple[float, bool]], total: int) -> float:
    precisions = [sum(true for _, true in ranked[: n + 1]) / (n + 1) for n in range(len(ranked))]
    return sum(max(precisions[n:]) for n, (_, true) in enumerate(ranked) if true) / total if total else float("nan")


@drawn(seed=st.integers(0, 2**32 - 1))
def test_random_poses_agree_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 7, 2)
    points = np.concatenate([rng.integers(0, 9, (n, 2, 2)), rng.integers(0, 3, (n, 2, 1))], -1)
    heads = rng.integers(1, 9, n).astype(float)
    ds = PoseDataset.from_arrays(
        schema=POINTS, image=rng.integers(0, 3, n), keypoints=points, images={"id": np.arange(3), "file": list("abc")}, meta={"head_size": heads}
    )
    confidence = rng.permutation(2 * m).reshape(m, 2, 1) + 1.0  # no two alike
    poses = np.concatenate([rng.integers(0, 9, (m, 2, 2)), confidence], -1)
    pred = Predictions.from_arrays(schema=POINTS, image=rng.integers(0, 3, m), keypoints=poses, score=np.ones(m))
    assert poseval_ap(align(ds, pred), 0.5).ap == pytest.approx(slow_ap(ds, pred, heads.tolist(), 0.5), nan_ok=True)
