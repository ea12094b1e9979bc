"""poseval's average precision per joint, by hand."""

from __future__ import annotations

import numpy as np
import pytest

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
