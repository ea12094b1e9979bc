"""Means of one number per point: pooled, over kinds of points, over instances, over categories; weighted or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEANS", "Averaged", "Judged", "Measured", "mean_of", "means_by_keypoint", "percentile_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Measured(NamedTuple):
    """A number and how many it stands on: points, or instances where each instance has a rate; nan and 0 where nothing counts."""

    value: float
    n: int


NOTHING = Measured(float("nan"), 0)


@dataclass(frozen=True, eq=False)
class Judged:
    """What was made of each point; kept, a thousand weightings cost a thousand products and no distance."""

    value: Floats
    """(N, K) share of the thresholds reached, or a distance; 0 where nothing counts."""
    counts: Bools
    """(N, K)"""
    category: NDArray[np.intp]

    @cached_property
    def total(self) -> Floats:
        """(N,) sum of each truth."""
        return np.asarray(self.value.sum(1))

    @cached_property
    def count(self) -> Floats:
        """(N,) points of each truth that count."""
        return np.asarray(self.counts.sum(1), np.float64)

    @cached_property
    def each(self) -> Floats:
        """(N, K) `counts` as numbers, which a product needs."""
        return self.counts.astype(np.float64)

    @classmethod
    def of(cls, value: Floats, counts: Bools, category: NDArray[np.intp]) -> Judged:
        return cls(np.where(counts, value, 0.0), counts, category)


def _ratio(total: Floats, count: Floats) -> Floats:
    """total / count where anything counts."""
    some = count > 0
    return np.asarray(total[some] / count[some])


def _pooled(judged: Judged, weights: Floats) -> Measured:
    count = float(weights @ judged.count)
    return Measured(float(weights @ judged.total) / count, round(count)) if count else NOTHING


def _mean_of_groups(total: Floats, count: Floats) -> Measured:
    rates = _ratio(total, count)
    return Measured(float(rates.mean()), round(float(count.sum()))) if len(rates) else NOTHING


def _keypoint(judged: Judged, weights: Floats) -> Measured:
    return _mean_of_groups(weights @ judged.value, weights @ judged.each)


def _category(judged: Judged, weights: Floats) -> Measured:
    kinds = int(judged.category.max(initial=0)) + 1
    total, count = (np.bincount(judged.category, weights * each, kinds) for each in (judged.total, judged.count))
    return _mean_of_groups(total.astype(np.float64), count.astype(np.float64))


def _instance(judged: Judged, weights: Floats) -> Measured:
    some = judged.count > 0
    own = weights[some]
    if not own.sum():
        return NOTHING
    return Measured(float(own @ (judged.total[some] / judged.count[some]) / own.sum()), round(float(own.sum())))


MEANS: Mapping[str, Callable[[Judged, Floats], Measured]] = {"pooled": _pooled, "keypoint": _keypoint, "instance": _instance, "category": _category}
"""By the unit of a rule."""


def mean_of(judged: Judged, unit: str = "pooled", weights: Floats | None = None) -> Measured:
    """The mean in that unit; weights (N,) say how often each truth is in the set."""
    return MEANS[unit](judged, np.ones(len(judged.counts)) if weights is None else np.asarray(weights, np.float64))


def means_by_keypoint(judged: Judged, weights: Floats | None = None) -> tuple[Floats, NDArray[np.intp]]:
    """(K,) means and (K,) how many points each stands on; NaN where none counts."""
    own = np.ones(len(judged.counts)) if weights is None else np.asarray(weights, np.float64)
    total, count = own @ judged.value, own @ judged.each
    values = np.full(len(count), np.nan)
    values[count > 0] = _ratio(total, count)
    return values, np.rint(count).astype(np.intp)


def percentile_of(judged: Judged, share: float, weights: Floats | None = None) -> Measured:
    """The value below which `share` percent of the points lie, between neighbours in proportion (numpy's default)."""
    own = np.ones(len(judged.counts)) if weights is None else np.asarray(weights, np.float64)
    each = np.broadcast_to(own[:, None], judged.counts.shape)[judged.counts]
    values = judged.value[judged.counts]
    order = np.argsort(values, kind="stable")
    place = np.cumsum(each[order])
    if not len(place) or place[-1] <= 0:
        return NOTHING
    wanted = share / 100 * max(place[-1] - 1, 0)
    low, high = (values[order[np.searchsorted(place, np.floor(wanted) + step, side="right").clip(0, len(order) - 1)]] for step in (0, 1))
    return Measured(float(low + (high - low) * (wanted - np.floor(wanted))), round(float(place[-1])))


@dataclass(frozen=True, eq=False)
class Averaged:
    """Judged points, and the one number that becomes of them under any weights."""

    judged: Judged
    unit: str = "pooled"
    """One of MEANS."""
    root: bool = False
    """Whether the number is the square root of the mean."""
    share: float | None = None
    """Percent of the points that lie below the number, where it is no mean."""

    def measured(self, weights: Floats | None = None) -> Measured:
        if self.share is not None:
            return percentile_of(self.judged, self.share, weights)
        value, n = mean_of(self.judged, self.unit, weights)
        return Measured(float(np.sqrt(value)) if self.root else value, n)
