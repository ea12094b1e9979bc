"""Average precision and recall under many weightings of the images at once: the room of scipy's sparse matrices.

What a prediction found does not depend on the weights. So the counted predictions between two true positives are a row of a
sparse matrix (places x images), and its product with the weights (images x resamples) serves all resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..curve import Ranking

__all__ = ["Batch", "averages", "batch_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Step:
    """One threshold: P true positives, best score first."""

    hit: Rows
    """(P,) which of the true positives of any threshold they are."""
    image: Rows
    """(P,)"""
    between: csr_array
    """(P, I) predictions that count at this threshold, not at every one: from after the true positive before up to this one."""
    false: Floats
    """(I,) all that count at this threshold and find nothing, by image."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One category: H predictions that are a true positive at any threshold, and what lies between them."""

    truths: Floats
    """(I,) truths that count, by image."""
    before: csr_array
    """(H, I) predictions that count at every threshold and find nothing, from after one of the H up to the next."""
    steps: Sequence[Step]


def batch_of(ranking: Ranking, images: int) -> Batch:
    """What does not depend on the weights."""
    near, hits = ranking.place, np.flatnonzero(ranking.hit.any(0))
    varied = ranking.hit.any(0) | (ranking.idle.any(0) & ~ranking.idle.all(0))
    always = ~ranking.outside
    always[near] = ~varied & ~ranking.idle.any(0)
    places = np.flatnonzero(always)
    places = places[: np.searchsorted(places, near[hits[-1]]) if len(hits) else 0]
    never = np.bincount(ranking.image[~ranking.outside], minlength=images) - np.bincount(ranking.image[near[~ranking.outside[near]]], minlength=images)

    def step(hit: NDArray[np.bool_], idle: NDArray[np.bool_]) -> Step:
        false = never + np.bincount(ranking.image[near[~hit & ~idle]], minlength=images)
        return _step(ranking.image[near], hit, varied & ~idle, hits, false.astype(np.float64))

    return Batch(
        truths=np.bincount(ranking.truth_image, minlength=images).astype(np.float64),
        before=_counted(np.searchsorted(near[hits], places), ranking.image[places], (len(hits), images)),
        steps=[step(hit, idle) for hit, idle in zip(ranking.hit, ranking.idle, strict=True)],
    )


def _step(image: Rows, hit: NDArray[np.bool_], counts: NDArray[np.bool_], hits: Rows, false: Floats) -> Step:
    at = np.flatnonzero(hit)
    counted = np.flatnonzero(counts[: at[-1] + 1]) if len(at) else at
    return Step(np.searchsorted(hits, at), image[at], _counted(np.searchsorted(at, counted), image[counted], (len(at), len(false))), false)


def _counted(rows: Rows, columns: Rows, shape: tuple[int, int]) -> csr_array:
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def averages(batch: Batch, weights: Floats, interpolation: str, found_only: bool = False) -> tuple[Floats, Floats]:
    """(T, b) average precision and recall; NaN where no truth counts. weights: (I, b).

    With `found_only` truths that nothing finds are not there; where none is left precision is 1, or 0 while anything is false.
    """
    total = batch.truths @ weights
    precision, recall = np.zeros((len(batch.steps), len(total))), np.zeros((len(batch.steps), len(total)))
    behind = scan(np.add, batch.before @ weights)
    for t, step in enumerate(batch.steps):
        found = scan(np.add, weights[step.image])
        reached = found[-1] if len(found) else np.zeros(len(total))
        all_of = reached if found_only else total
        if len(found):
            precision[t] = VALUES[interpolation](*_curve(step, found, behind, weights, all_of))
        recall[t] = reached / np.maximum(all_of, np.spacing(1))
        if found_only:
            precision[t] = np.where(reached > 0, precision[t], step.false @ weights == 0)
    precision[:, total == 0], recall[:, total == 0] = np.nan, np.nan
    return precision, recall


def _curve(step: Step, found: Floats, behind: Floats, weights: Floats, total: Floats) -> tuple[Floats, Floats]:
    """(b, P) recall and (P, b) the highest precision from there on."""
    seen = scan(np.add, step.between @ weights)
    seen += behind[step.hit]
    seen += np.spacing(1)
    precision = np.divide(found, seen, out=seen)
    recall = np.divide(found.T, np.maximum(total, np.spacing(1))[:, None], order="C")
    scan(np.maximum, precision[::-1])
    return recall, precision


def scan(ufunc: np.ufunc, values: Floats, length: int = 32) -> Floats:
    """Running sums or maxima down the columns, in place. Many short runs side by side are three times as fast as `accumulate`."""
    runs = len(values) // length
    if runs > 1:
        cut = values[: runs * length].reshape(runs, length, -1)
        for i in range(1, length):
            ufunc(cut[:, i - 1], cut[:, i], out=cut[:, i])
        ends = scan(ufunc, cut[:, -1].copy(), length)
        ufunc(cut[1:], ends[:-1, None], out=cut[1:])
    for i in range(max(runs * length if runs > 1 else 0, 1), len(values)):
        ufunc(values[i - 1], values[i], out=values[i])
    return values


def _at_points(count: int) -> Callable[[Floats, Floats], Floats]:
    points = np.linspace(0.0, 1.0, count)

    def averaged(recall: Floats, precision: Floats) -> Floats:
        reached = np.stack([np.searchsorted(row, points) for row in recall])
        inside = reached < len(precision)
        values = precision[np.minimum(reached, len(precision) - 1), np.arange(len(recall))[:, None]]
        return np.asarray(np.where(inside, values, 0.0).mean(1))

    return averaged


def _area_under(recall: Floats, precision: Floats) -> Floats:
    return np.asarray((np.diff(recall, axis=1, prepend=0.0) * precision.T).sum(1))


VALUES: Mapping[str, Callable[[Floats, Floats], Floats]] = {"101 points": _at_points(101), "11 points": _at_points(11), "all points": _area_under}
"""(recall (b, P), highest precision from there on (P, b)) -> (b,), by the name in `Protocol.interpolation`."""
