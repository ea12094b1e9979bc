"""Scene: the truths of a dataset as a drawing needs them, each beside all others of its image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.similarity import extent_area
from posedata.tables import AREA_SHARE

__all__ = ["Scene", "areas", "scene_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_CELLS = 1 << 17
"""Candidate places in memory at once: a few megabytes for each array, however large the set."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """N truths with K points; only points that are labelled, and have a sigma, attract a prediction."""

    labelled: NDArray[np.bool_]
    x: Floats
    """(N * K,) infinite where not labelled: such a place is near to nothing."""
    y: Floats
    area: Floats
    sigmas: Floats
    """(N, K) of each truth's category."""
    mirror: Rows
    order: Rows
    """(N,) truths by image."""
    first: Rows
    """(N,) where in `order` the truths of the same image begin."""
    seat: Rows
    """(N,) how many of them come before."""
    count: Rows
    """(N,) truths on the same image, itself included."""

    def family(self, rows: Rows) -> Rows:
        """(B, T) all truths of the image of each row, the row itself first; rows must agree in T."""
        seat, places = self.seat[rows, None], np.arange(self.count[rows[0]] - 1)
        others = places + (places >= seat)
        return self.order[self.first[rows, None] + np.concatenate([seat, others], 1)]

    def blocks(self, rows: Rows) -> Iterator[Rows]:
        """Places in `rows` whose truths have equally many others beside them, few enough to draw at once."""
        count = self.count[rows]
        ordered = np.argsort(count, kind="stable")
        for same in np.split(ordered, np.flatnonzero(np.diff(count[ordered])) + 1):
            step = max(1, _CELLS // (2 * self.labelled.shape[1] * int(count[same[0]]))) if len(same) else 1
            for start in range(0, len(same), step):
                yield same[start : start + step]


def scene_of(truth: PoseDataset) -> Scene:
    """The scene of a dataset."""
    own = truth.instances
    sigmas = truth.sigmas[own.category] if len(truth.categories) else np.zeros((len(truth), len(truth.schema)))
    labelled = own.labelled & np.isfinite(sigmas)
    order = np.argsort(own.image, kind="stable")
    count = np.bincount(own.image, minlength=1)
    first = (np.cumsum(count) - count)[own.image]
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    return Scene(
        labelled=labelled,
        x=np.where(labelled, own.keypoints[..., 0], np.inf).ravel(),
        y=own.keypoints[..., 1].ravel(),
        area=areas(truth),
        sigmas=sigmas,
        mirror=truth.schema.mirror,
        order=order,
        first=first,
        seat=place - first,
        count=count[own.image],
    )


def areas(truth: PoseDataset) -> Floats:
    """(N,) recorded; else .53 of the box; else the extent of the labelled points, at least one pixel. An area of 0 says nothing."""
    own = truth.instances
    boxed = own.bbox[:, 2] * own.bbox[:, 3] * AREA_SHARE
    known = np.where(own.area > 0, own.area, boxed)
    bare = np.flatnonzero(~(known > 0))
    known[bare] = np.maximum(extent_area(own.keypoints[bare, :, :2], own.labelled[bare]), 1)
    return known
