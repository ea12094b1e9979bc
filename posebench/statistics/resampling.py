"""Resampling: which images go together, and how often each of them is in a resample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean

from ..slices import image_column
from ..workings import Workings

__all__ = ["BLOCK", "Clusters", "clusters", "draws", "groups", "left_out"]

Floats = NDArray[np.float64]

BLOCK = 128
"""Resamples that are worked on at once: enough for one product to serve many, few enough to stay in the processor's cache."""
_CELLS = 1 << 20
"""Weights in a block at most: 8 MB, however many images."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Images that were sampled together, and so are drawn together."""

    code: NDArray[np.intp]
    """(I,) number of each image's cluster."""
    n: int
    name: str
    """'image', or the column that says which go together."""

    def sums(self, values: Floats) -> Floats:
        """(n, ...) values of the images (I, ...) added up by cluster."""
        if self.name == "image":
            return values
        total = np.zeros((self.n, *values.shape[1:]))
        np.add.at(total, self.code, values)
        return total

    def __str__(self) -> str:
        return f"{self.n:,} {'images' if self.name == 'image' else f'clusters by {self.name!r}'}"


def clusters(workings: Workings, by: str = "image") -> Clusters:
    """Each image by itself, or those together that share a value of an image column; an image without a value stands alone."""
    count = len(workings.aligned.truth.images)
    if not count:
        raise PoseError(f"truth {workings.aligned.truth.name!r}", "no images", "there is nothing to draw from")
    if by == "image":
        return Clusters(np.arange(count), count, by)
    column = image_column(workings, by)
    if column is None:
        own = "it belongs to truths, and images are drawn whole" if by in workings.aligned.truth.instances.meta else "no image has it"
        images = workings.aligned.truth.images
        known = {"image", *images.meta, *(key for layout in images.rest.layouts for key in layout)}
        raise PoseError(f"clusters={brief(repr(by))}", own, f"a column of the images; {did_you_mean(str(by), known)}")
    return _coded(column, by)


def _coded(column: NDArray[np.generic], name: str) -> Clusters:
    without = column == "" if column.dtype == object else np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)
    code = np.zeros(len(column), np.intp)
    values, code[~without] = np.unique(column[~without], return_inverse=True)
    code[without] = len(values) + np.arange(int(without.sum()))
    return Clusters(code, len(values) + int(without.sum()), name)


def draws(drawn: Clusters, count: int, seed: int = 0) -> Iterator[Floats]:
    """Blocks (b, I) of how often each image is in each of `count` resamples of as many clusters; one seed, one sequence."""
    rng = np.random.default_rng(seed)
    for start, stop in _bounds(count, len(drawn.code)):
        size = stop - start
        chosen = rng.integers(drawn.n, size=(size, drawn.n)) + np.arange(size)[:, None] * drawn.n
        times = np.bincount(chosen.ravel(), minlength=size * drawn.n).reshape(size, drawn.n).astype(np.float64)
        yield times if drawn.name == "image" else times[:, drawn.code]


def groups(drawn: Clusters, most: int) -> NDArray[np.intp]:
    """(I,) number of each image's group: the clusters themselves, or `most` groups of them in turn."""
    return np.asarray(drawn.code % min(most, drawn.n))


def left_out(group: NDArray[np.intp]) -> Iterator[Floats]:
    """Blocks (b, I) of weights without one group after the other."""
    count = int(group.max(initial=-1)) + 1
    for start, stop in _bounds(count, len(group)):
        yield (group != np.arange(start, stop)[:, None]).astype(np.float64)


def _bounds(count: int, images: int) -> Iterator[tuple[int, int]]:
    """First and last row of each block."""
    size = min(BLOCK, max(1, _CELLS // images))
    return ((start, min(start + size, count)) for start in range(0, count, size))
