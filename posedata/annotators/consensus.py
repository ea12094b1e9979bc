"""Consensus: one annotation of what several say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..columns import plain_texts
from ..dataset import PoseDataset
from ..rest import Rest
from ..tables import Instances
from .repeats import OUTLIER, Repeats, group_medians, group_sums, outliers, repeats_of

__all__ = ["consensus"]

Floats = NDArray[np.float64]


def consensus(
    given: PoseDataset | Sequence[PoseDataset] | Repeats, *, subject: str = "subject", annotator: str = "annotator", outlier: float | None = OUTLIER
) -> PoseDataset:
    """One instance for each subject: v by vote, each point the mean of the annotations that are not off.

    A tie on labelled or not goes to labelled, one on seen or hidden to hidden. Boxes and areas are medians, the category is
    the commonest. What two annotators put too far apart is the mean of both, and counted in `disputed`.
    Meta: `subject`, `annotators`, `annotations`, `left_out` (points not counted), `disputed`, `source_ids`.
    """
    data = repeats_of(given, subject, annotator)
    off, _ = outliers(data, outlier)
    own, n = data.ds.instances, len(data.subjects)
    told = data.counts[data.subject]
    disputed = off & (told == 2)
    keypoints, annotated = _points(data, off & ~disputed)
    first = np.zeros(n, np.intp)
    first[data.subject[::-1]] = np.arange(len(data))[::-1]
    cells = np.unique(np.stack([data.subject, data.annotator], 1), axis=0)
    instances = Instances(
        id=data.subjects if data.subjects.dtype.kind == "i" else plain_texts(data.subjects),
        image=own.image[first],
        category=_commonest(own.category, data.subject, n, len(data.ds.categories)),
        keypoints=keypoints,
        annotated=annotated,
        bbox=group_medians(own.bbox, data.subject, n),
        area=group_medians(own.area[:, None], data.subject, n)[:, 0],
        ignore=2 * group_sums(own.ignore.astype(np.intp), data.subject, n) > np.bincount(data.subject, minlength=n),
        meta={
            "subject": data.subjects,
            "annotators": np.bincount(cells[:, 0], minlength=n),
            "annotations": np.bincount(data.subject, minlength=n),
            "left_out": group_sums((off & ~disputed).sum(1), data.subject, n),
            "disputed": group_sums(disputed.sum(1), data.subject, n) // 2,
            "source_ids": _joined_ids(data, n),
        },
        rest=Rest.empty(n),
    )
    limit = "nothing left out" if outlier is None else f"points beyond {outlier:g} robust deviations left out"
    step = f"consensus of {len(data):,} annotations by {len(data.annotators)} annotators: mean of each point, {limit}, v by vote"
    return replace(data.ds, instances=instances, provenance=data.ds.provenance.then(step))


def _points(data: Repeats, off: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """(S, K, 3), (S, K): means of what is not off, and v by vote of those whose source knows the point."""
    own, n = data.ds.instances, len(data.subjects)
    v = own.keypoints[..., 2]
    unlabelled, hidden, seen = (group_sums((own.annotated & (v == value)).astype(np.intp), data.subject, n) for value in (0, 1, 2))
    labelled = (hidden + seen >= unlabelled) & (hidden + seen > 0)
    kept = own.labelled & ~off
    count = group_sums(kept.astype(np.float64), data.subject, n)
    total = group_sums(np.where(kept[..., None], own.keypoints[..., :2], 0.0), data.subject, n)
    mean = total / np.maximum(count, 1)[..., None]
    # all annotations of a point may be off at once; their median is then what they have in common
    middle = group_medians(np.where(own.labelled[..., None], own.keypoints[..., :2], np.nan), data.subject, n)
    mean = np.where((count > 0)[..., None], mean, np.nan_to_num(middle))
    vote = np.where(labelled, np.where(seen > hidden, 2.0, 1.0), 0.0)
    return np.concatenate([mean, vote[..., None]], -1) * labelled[..., None], (unlabelled + hidden + seen) > 0


def _commonest(values: NDArray[np.int64], group: NDArray[np.intp], n: int, kinds: int) -> NDArray[np.int64]:
    """(n,) the commonest value of each group; the lowest of equals."""
    votes = np.zeros((n, max(kinds, 1)), np.intp)
    np.add.at(votes, (group, values), 1)
    return votes.argmax(1).astype(np.int64)


def _joined_ids(data: Repeats, n: int) -> NDArray[np.object_]:
    """(n,) the ids of the annotations of each subject, in one text."""
    own = data.ds.instances
    ids = own.meta.get("source_id", own.id.astype(str).astype(object))
    order = np.argsort(data.subject, kind="stable")
    parts = np.split(ids[order], np.cumsum(np.bincount(data.subject, minlength=n))[:-1])
    return np.array([*(" ".join(map(str, part)) for part in parts), None], object)[:-1]
