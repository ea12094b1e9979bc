"""Metrics of points under many weightings at once: ratios of sums over images, and percentiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..distances import Averaged, Judged

__all__ = ["Ratios", "percentiles", "ratios_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ratios:
    """The mean over G groups of top / bottom, each a sum over images; groups without anything are left out."""

    top: Floats
    """(I, G)"""
    bottom: Floats
    root: bool = False

    def under(self, weights: Floats) -> Floats:
        """(b,) the number under each weighting (b, I); NaN where nothing counts."""
        top, bottom = weights @ self.top, weights @ self.bottom
        some = bottom > 0
        rates = np.divide(top, bottom, out=np.zeros(top.shape), where=some)
        count = some.sum(1)
        value = np.divide(rates.sum(1), count, out=np.full(len(top), np.nan), where=count > 0)
        return np.sqrt(value) if self.root else value

    def linearised(self) -> tuple[float, Floats]:
        """The number, and what each row adds to its error; NaN and zeros where nothing counts."""
        top, bottom = self.top.sum(0), self.bottom.sum(0)
        some = bottom > 0
        if not some.any():
            return float("nan"), np.zeros(len(self.top))
        rates = top[some] / bottom[some]
        return float(rates.mean()), ((self.top[:, some] - rates * self.bottom[:, some]) / bottom[some]).mean(1)

    def by(self, sums: Callable[[Floats], Floats]) -> Ratios:
        """The same with rows added up: `clusters.sums`."""
        return replace(self, top=sums(self.top), bottom=sums(self.bottom))


def ratios_of(averaged: Averaged, image: Rows, images: int, weights: Floats | None = None) -> Ratios:
    """The sums behind a mean of points. image: (N,) of each truth; weights: (N,)."""
    top, bottom = _TERMS[averaged.unit](averaged.judged)
    each = np.ones(len(image)) if weights is None else weights
    sums = [np.zeros((images, part.shape[1])) for part in (top, bottom)]
    for into, part in zip(sums, (top, bottom), strict=True):
        np.add.at(into, image, part * each[:, None])
    return Ratios(sums[0], sums[1], averaged.root)


def _pooled(judged: Judged) -> tuple[Floats, Floats]:
    return judged.total[:, None], judged.count[:, None]


def _keypoint(judged: Judged) -> tuple[Floats, Floats]:
    return judged.value, judged.each


def _instance(judged: Judged) -> tuple[Floats, Floats]:
    return (judged.total / np.maximum(judged.count, 1))[:, None], (judged.count > 0).astype(np.float64)[:, None]


def _category(judged: Judged) -> tuple[Floats, Floats]:
    kind = judged.category[:, None] == np.unique(judged.category)
    return judged.total[:, None] * kind, judged.count[:, None] * kind


_TERMS: Mapping[str, Callable[[Judged], tuple[Floats, Floats]]] = {"pooled": _pooled, "keypoint": _keypoint, "instance": _instance, "category": _category}
"""(N, G) of each truth, by the unit of a rule; their weighted sums are what `MEANS` divides."""


def percentiles(averaged: Averaged, share: float, image: Rows, weights: Floats | None = None) -> Callable[[Floats], Floats]:
    """The percentile of all points under each weighting: sorted once, then counted."""
    judged = averaged.judged
    order = np.argsort(judged.value[judged.counts], kind="stable")
    values = judged.value[judged.counts][order]
    owner = np.broadcast_to(np.arange(len(image))[:, None], judged.counts.shape)[judged.counts][order]
    each = np.ones(len(owner)) if weights is None else weights[owner]
    mine = image[owner]

    def under(block: Floats) -> Floats:
        return np.array([_percentile(values, np.cumsum(row[mine] * each), share) for row in block])

    return under


def _percentile(values: Floats, place: Floats, share: float) -> float:
    """As `percentile_of`, of values that are sorted; place: (P,) running sum of the weights."""
    if not len(place) or place[-1] <= 0:
        return float("nan")
    wanted = share / 100 * max(place[-1] - 1, 0)
    low, high = values[np.searchsorted(place, np.floor(wanted) + np.arange(2), side="right").clip(0, len(values) - 1)]
    return float(low + (high - low) * (wanted - np.floor(wanted)))
