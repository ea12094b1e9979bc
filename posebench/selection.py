"""Selection: the part of an evaluation that a slice looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EVERYTHING", "Selection"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """What counts: images by weight, truths, a category, a keypoint, a visibility; None for all."""

    images: NDArray[np.float64] | None = None
    """(I,) how often each image is in the set: 0 and 1 in a slice, any number in a resample."""
    truths: NDArray[np.bool_] | None = None
    """(N,) truths outside are ignored, and matching is redone."""
    beyond: NDArray[np.bool_] | None = None
    """(rows of the predictions,) those that are no false positive in this slice where they match nothing."""
    category: int | None = None
    """Row of the category."""
    keypoint: int | None = None
    """Row of the schema's keypoint."""
    visibility: int | None = None
    """v of the keypoints that count; only metrics of single points know it."""
    made: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What several metrics of one selection share."""

    @property
    def only_images(self) -> bool:
        """Whether it chooses among images and nothing else."""
        return all(getattr(self, name) is None for name in ("truths", "beyond", "category", "keypoint", "visibility"))


EVERYTHING = Selection()
