"""Poses where nobody is: the shape of a truth, moved until it is like no truth of its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.similarity import oks

from .place import MARGIN
from .scene import Floats, Rows, Scene

__all__ = ["APART", "moved"]

APART = 0.1
"""OKS below which a pose belongs to no truth: what error analysis matches at."""

_TRIES = 12
_WITHIN = 4
"""Tries inside the frame; each later one looks in a frame twice as large."""


def moved(truth: PoseDataset, scene: Scene, rows: Rows, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """(B, 2) how far the shape of each row is moved, and whether a place was found for it."""
    to_middle, frame = _frames(truth, scene, rows)
    shift, found = np.zeros((len(rows), 2)), np.zeros(len(rows), bool)
    pending = np.arange(len(rows))
    for attempt in range(_TRIES):
        far = frame[pending] * 2 ** max(0, attempt + 1 - _WITHIN)
        offset = to_middle[pending] + (rng.random((len(pending), 2)) - 0.5) * far
        free = _likeness(truth, scene, rows[pending], offset) < APART - MARGIN
        shift[pending[free]], found[pending[free]] = offset[free], True
        pending = pending[~free]
    return shift, found


def _frames(truth: PoseDataset, scene: Scene, rows: Rows) -> tuple[Floats, Floats]:
    """(B, 2) the way from each shape's middle to that of its frame, and the frame's size: the image, or four times the shape."""
    x, y = (a.reshape(scene.labelled.shape)[rows] for a in (scene.x, scene.y))
    known = scene.labelled[rows]
    low = np.stack([np.where(known, a, np.inf).min(1) for a in (x, y)], 1)
    high = np.stack([np.where(known, a, -np.inf).max(1) for a in (x, y)], 1)
    images = truth.instances.image[rows]
    size = np.stack([truth.images.width[images], truth.images.height[images]], 1).astype(np.float64)
    sized = (size > 0).all(1, keepdims=True)
    frame = np.where(sized, size, 4 * np.maximum(high - low, np.sqrt(scene.area[rows])[:, None]))
    return np.where(sized, (size - 1 - low - high) / 2, 0), frame


def _likeness(truth: PoseDataset, scene: Scene, rows: Rows, offset: Floats) -> Floats:
    """(B,) OKS of each moved shape with the truth of its image that it is most like."""
    own = truth.instances
    most = np.zeros(len(rows))
    for block in scene.blocks(rows):
        family = scene.family(rows[block])
        near = family.ravel()
        at = rows[block]
        shape = np.where(scene.labelled[at, :, None], own.keypoints[at, :, :2] + offset[block, None], np.nan)
        similarity = oks(
            own.keypoints[near], scene.labelled[near], scene.area[near], scene.sigmas[near], shape,
            np.arange(len(near)), np.repeat(np.arange(len(block)), family.shape[1]), own.bbox[near],
        )  # fmt: skip
        most[block] = similarity.reshape(family.shape).max(1)
    return most
