"""PoseTrack's average precision per joint: poses are assigned by PCKh, then every point is a detection of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, first_few
from posedata.predictions import Predictions

from ..align import Aligned
from ..pairing import HEAD_KEYS, head_sizes

__all__ = ["JointAP", "Joints", "poseval_ap", "poseval_joints"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class JointAP:
    """Average precision of K joints."""

    ap: Floats
    """(K,) NaN for joints without a truth."""
    n: Rows
    """(K,) labelled points."""

    @property
    def mean(self) -> float:
        """Over the joints that have truths, each alike."""
        known = self.ap[~np.isnan(self.ap)]
        return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class Joints:
    """M poses, each of whose points is a detection of its own."""

    image: Rows
    """(M,)"""
    true: Bools
    """(M, K) near its place, in the pose that the truth keeps."""
    present: Bools
    confidence: Floats
    truth_image: Rows
    """(N,)"""
    labelled: Bools
    """(N, K)"""

    def ap(self, weights: Floats | None = None) -> JointAP:
        """Average precision of each joint; weights (I,) say how often each image is in the set."""
        each = np.ones(len(self.image)) if weights is None else weights[self.image]
        totals = (np.ones(len(self.truth_image)) if weights is None else weights[self.truth_image]) @ self.labelled
        ap = np.full(len(totals), np.nan)
        for joint in np.flatnonzero(totals):
            ranked = self._ranked[joint]
            ap[joint] = _area(self.true[ranked, joint], each[ranked], totals[joint])
        return JointAP(ap, np.rint(totals).astype(np.intp))

    def places(self) -> Floats:
        """(M, K) how many points of that joint stand before each; 0 where it is absent."""
        place = np.zeros(self.present.shape)
        for joint, ranked in enumerate(self._ranked):
            place[ranked, joint] = np.arange(len(ranked))
        return place

    @cached_property
    def _ranked(self) -> list[Rows]:
        """Of each joint the poses that have it, best first; the last of equals first, as poseval's argsort()[::-1]."""
        rows = [np.flatnonzero(column) for column in self.present.T]
        return [own[np.argsort(self.confidence[own, joint], kind="stable")[::-1]] for joint, own in enumerate(rows)]


def poseval_ap(aligned: Aligned, at: float = 0.5) -> JointAP:
    """Average precision per joint by poseval's rule."""
    return poseval_joints(aligned, at).ap()


def poseval_joints(aligned: Aligned, at: float = 0.5) -> Joints:
    """What poseval makes of every point.

    Each prediction goes to the truth of its image of which it has the largest share of labelled points within `at` head sizes
    (the first of equals); each truth keeps the best of those. A kept point within reach is true; all others are false:
    of poses not kept, of points too far or not labelled. Points are ranked by confidence, and the area is VOC's.
    Images without any annotation are left out, with their predictions; crowds and polygons to ignore are not looked at.
    """
    truth, pred = aligned.truth, aligned.pred
    truths = np.flatnonzero(truth.instances.labelled.any(1))
    head = _heads(truth, truths)
    annotated = np.bincount(truth.instances.image, minlength=len(truth.images)) > 0
    preds = np.flatnonzero(annotated[aligned.image] & ~pred.absent.all(1))
    p, t = _pairs(aligned.image[preds], truth.instances.image[truths])
    near = _near(truth, pred, truths[t], preds[p], head[t], at)
    labelled = truth.instances.labelled[truths]
    kept = _assigned(p, t, near.sum(1) / labelled[t].sum(1))
    true = np.zeros((len(preds), labelled.shape[1]), bool)
    true[p[kept]] = near[kept]
    return Joints(
        image=aligned.image[preds],
        true=true,
        present=~pred.absent[preds],
        confidence=pred.keypoints[preds, :, 2],
        truth_image=truth.instances.image[truths],
        labelled=labelled,
    )


def _heads(truth: PoseDataset, rows: Rows) -> Floats:
    head = head_sizes(truth.instances)[rows]
    bad = ~(head > 0)
    if bad.any():
        seen = f"no head box in {bad.sum():,} of {len(rows):,} truths, the first with id {first_few(truth.instances.id[rows][bad], 3, ', ')}"
        raise DataError("poseval_ap", seen, f"PoseTrack carries it; keys read: {', '.join(HEAD_KEYS)}")
    return head


def _pairs(pred_image: Rows, truth_image: Rows) -> tuple[Rows, Rows]:
    """All pairs of a prediction and a truth of one image, by prediction, then by truth."""
    order = np.argsort(truth_image, kind="stable")
    ordered = truth_image[order]
    first, last = (np.searchsorted(ordered, pred_image, side=side) for side in ("left", "right"))
    count = last - first
    p = np.repeat(np.arange(len(pred_image)), count)
    within = np.arange(len(p)) - np.repeat(np.cumsum(count) - count, count)
    return p, order[np.repeat(first, count) + within]


def _near(truth: PoseDataset, pred: Predictions, t: Rows, p: Rows, head: Floats, at: float) -> Bools:
    """(P, K) labelled points within reach."""
    offset = pred.keypoints[p, :, :2] - truth.instances.keypoints[t, :, :2]
    within = np.hypot(offset[..., 0], offset[..., 1]) / head[:, None] <= at
    return np.asarray(within & truth.instances.labelled[t] & ~pred.absent[p], bool)


def _assigned(p: Rows, t: Rows, share: Floats) -> Rows:
    """Places of the pairs kept: the best truth of each prediction, then the best prediction of each truth; the first of equals, none at 0."""
    by_pred = np.lexsort((t, -share, p))
    best = by_pred[np.diff(p[by_pred], prepend=-1) != 0]
    best = best[share[best] > 0]
    by_truth = best[np.lexsort((p[best], -share[best], t[best]))]
    return by_truth[np.diff(t[by_truth], prepend=-1) != 0]


def _area(true: Bools, weights: Floats, total: float) -> float:
    """Area under the highest precision at each recall or beyond."""
    seen = np.cumsum(weights)[true]
    precision = np.divide(np.cumsum(weights[true]), seen, out=np.zeros(len(seen)), where=seen > 0)
    return float((weights[true] * np.maximum.accumulate(precision[::-1])[::-1]).sum() / total)
