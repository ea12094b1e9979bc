"""Mix: what kinds of images a set is made of, and the weights that give one set the mix of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean

from ..slices import SIZES, image_column
from ..workings import Workings

__all__ = ["KINDS", "Standard", "standardised"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Standard:
    """Weights of the images of two sets, so that the first has the mix of the second on what both have."""

    first: Floats
    """(I,) how often each image of the first set is to count; 0 where the second has none of its kind."""
    second: Floats
    """(J,) 1, or 0 where the first set has none of its kind."""
    by: tuple[str, ...]
    left_out: float
    """Share of the second set's truths that have no counterpart."""
    effective: float
    """As many evenly weighted images of the first set as the weights are worth (Kish)."""


def _size(w: Workings) -> NDArray[Any]:
    """The band of the median area of the truths that count."""
    problem = w.problem()
    counted = ~problem.ignored
    order = np.argsort(problem.area[counted], kind="stable")
    image, area = problem.image[counted][order], problem.area[counted][order]
    by_image = np.argsort(image, kind="stable")  # areas stay ascending within an image
    count = np.bincount(image, minlength=len(problem.rank))
    first = np.cumsum(count) - count
    label = np.full(len(count), "none", object)
    some = count > 0
    median = area[by_image][(first + (count - 1) // 2)[some]]
    names = np.array(list(SIZES), object)
    label[some] = names[np.searchsorted([low for low, _ in SIZES.values()], median, side="right") - 1]
    return label


def _crowding(w: Workings) -> NDArray[Any]:
    """How many truths count: none, 1, 2 to 4, 5 or more."""
    problem = w.problem()
    count = np.bincount(problem.image[~problem.ignored], minlength=len(problem.rank))
    return np.array(["none", "1", "2-4", "5+"], object)[np.searchsorted([1, 2, 5], count, side="right")]


KINDS: Mapping[str, Callable[[Workings], NDArray[Any]]] = {"size": _size, "crowding": _crowding}
"""What every set can tell of its images; any column of the images can be named beside."""


def standardised(first: Workings, second: Workings, by: Sequence[str]) -> Standard:
    """Weights that give the first set as many truths of each kind of image, to all of its truths, as the second has."""
    code, other = _coded(*(_labels(w, by) for w in (first, second)))
    kinds = max(code.max(initial=-1), other.max(initial=-1)) + 1
    mine, theirs = _truths(first, code, kinds), _truths(second, other, kinds)
    both = (mine > 0) & (theirs > 0) & (mine[:, 1].sum() > 0) & (theirs[:, 1].sum() > 0)  # without truths there is no mix
    weight = np.zeros(mine.shape)
    weight[both] = (theirs / max(theirs[:, 1].sum(), 1))[both] / (mine / max(mine[:, 1].sum(), 1))[both]
    # kinds with truths are balanced by truths, kinds without by images
    chosen = np.where((mine[:, 1] > 0) | (theirs[:, 1] > 0), weight[:, 1], weight[:, 0])
    shared = chosen > 0
    images = chosen[code]
    total = theirs[:, 1].sum()
    return Standard(
        first=images,
        second=shared[other].astype(np.float64),
        by=tuple(by),
        left_out=float(theirs[~shared, 1].sum() / total) if total else float("nan"),
        effective=float(images.sum() ** 2 / (images**2).sum()) if images.any() else 0.0,
    )


def _truths(w: Workings, code: NDArray[np.intp], kinds: int) -> Floats:
    """(kinds, 2) images, and truths that count."""
    problem = w.problem()
    truths = np.bincount(code[problem.image[~problem.ignored]], minlength=kinds)
    return np.stack([np.bincount(code, minlength=kinds), truths], 1).astype(np.float64)


def _labels(w: Workings, by: Sequence[str]) -> list[list[str]]:
    """The kind of each image, by each of the names."""
    return [[str(value) for value in _column(w, name)] for name in by]


def _column(w: Workings, name: str) -> NDArray[Any]:
    if name in KINDS:
        return KINDS[name](w)
    column = image_column(w, name)
    if column is None:
        truth = w.aligned.truth
        raise PoseError(f"gap: mix {brief(repr(name))}", f"no such column on the images of {truth.name!r}", did_you_mean(name, [*KINDS, *truth.images.meta]))
    return column


def _coded(first: list[list[str]], second: list[list[str]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the kinds, the same in both sets."""
    count = len(first[0])
    pairs = list(zip(*(a + b for a, b in zip(first, second, strict=True)), strict=True))
    number = {kind: i for i, kind in enumerate(dict.fromkeys(pairs))}
    codes = np.array([number[kind] for kind in pairs], np.intp)
    return codes[:count], codes[count:]
