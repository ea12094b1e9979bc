"""Interval: where a number would lie on other images like these, and how that was found out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sums import Ratios

__all__ = ["FEW", "METHODS", "UNSPREAD", "Interval", "ends", "standard_error", "wilson_ends"]

Floats = NDArray[np.float64]

METHODS: Mapping[str, str] = MappingProxyType({
    "bca": "quantiles of the resampled values, corrected for their bias and for a spread that changes with the value (grouped jackknife)",
    "percentile": "quantiles of the resampled values",
    "wilson": "Wilson's interval of a proportion, for as many independent points as the clusters are worth; for shares of points, and AR",
})  # fmt: skip
UNSPREAD = "all resamples have the same value: nothing is known of the spread"
FEW: Mapping[str, int] = MappingProxyType({"bca": 100, "percentile": 100, "wilson": 50})
"""Clusters with truths below which an interval of that method is not to be trusted: docs/statistics.md has the coverage."""
_TAIL = 5
"""Resamples that should lie beyond each end."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number with the ends between which it would mostly lie; `how` says how they were found.

    Ends are NaN where there is no truth.
    """

    metric: str
    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    """Truths or points that the number was made from."""
    clusters: int
    """Clusters that were drawn, or whose spread was measured."""
    held: int
    """Those among them that hold such truths or points."""
    unit: str = "image"
    """'image', or the column that says which images go together."""
    resamples: int = 0
    """None for Wilson's."""
    seed: int | None = None
    se: float = math.nan
    """Standard error."""
    undefined: float = 0.0
    """Share of the resamples in which the metric is NaN for want of truths; they are left out."""
    design_effect: float = math.nan
    """Of Wilson's: how many points are worth one independent one."""

    @property
    def how(self) -> str:
        """One sentence: level, method, resamples, clusters, seed, and what speaks against it."""
        held = f"{self.held:,} of them with truths" if not math.isnan(self.value) else ""
        effect = f"design effect {self.design_effect:.3g}" if not math.isnan(self.design_effect) else ""
        return "; ".join(part for part in (self.made, held, effect, *self.doubts) if part)

    @property
    def made(self) -> str:
        """What all intervals of one call share: level, method, resamples, clusters, seed."""
        noun, by = ("image", "") if self.unit == "image" else ("cluster", f" by {self.unit!r}")
        drawn = f"{self.clusters:,} {noun}{'s' * (self.clusters != 1)}{by}"
        if self.method == "wilson":
            return f"{100 * self.level:g}% Wilson, from the spread between {drawn}"
        name = {"bca": "BCa", "percentile": "percentile"}[self.method]
        return f"{100 * self.level:g}% {name} bootstrap, {self.resamples:,} resamples of {drawn}, seed {self.seed}"

    @property
    def doubts(self) -> list[str]:
        """Why it should not be trusted; empty where nothing speaks against it."""
        if math.isnan(self.value):
            return ["no number, no interval"]
        few, drawn = FEW[self.method], self.method != "wilson"
        told = {
            f"fewer than {few} {'images' if self.unit == 'image' else 'clusters'} with truths: not to be trusted": self.held < few,
            f"{100 * self.undefined:.2g}% of the resamples have no truth and are left out": self.undefined > 0,
            f"{self.resamples:,} resamples are few for this level": drawn and self.resamples * (1 - self.level) / 2 < _TAIL,
            UNSPREAD: drawn and self.low == self.high,
        }
        return [doubt for doubt, true in told.items() if true]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, `how` among them."""
        return {**asdict(self), "how": self.how}

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.4f} [{self.low:.4f}, {self.high:.4f}]: {self.how}"


# -- ends --------------------------------------------------------------------------------------------


def ends(method: str, value: float, values: Floats, level: float, jackknife: Floats) -> tuple[float, float]:
    """Ends of an interval from resampled values; it contains the value. jackknife: values without one group after the other."""
    known = values[~np.isnan(values)]
    if math.isnan(value) or not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, _QUANTILES[method](value, known, level, jackknife))
    return min(float(low), value), max(float(high), value)


def _plain(value: float, values: Floats, level: float, jackknife: Floats) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def _corrected(value: float, values: Floats, level: float, jackknife: Floats) -> tuple[float, float]:
    """Efron's bias-corrected and accelerated quantiles."""
    normal = NormalDist()
    below = (np.sum(values < value) + np.sum(values == value) / 2) / len(values)
    bias = normal.inv_cdf(float(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values))))
    acceleration = _acceleration(jackknife)

    def moved(share: float) -> float:
        z = bias + normal.inv_cdf(share)
        room = 1 - acceleration * z
        return normal.cdf(bias + z / room) if room > 0 else float(z > 0)

    low, high = _plain(value, values, level, jackknife)
    return moved(low), moved(high)


def _acceleration(jackknife: Floats) -> float:
    known = jackknife[~np.isnan(jackknife)]
    away = known.mean() - known if len(known) else known
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0


_QUANTILES: Mapping[str, Callable[[float, Floats, float, Floats], tuple[float, float]]] = {"bca": _corrected, "percentile": _plain}


def standard_error(values: Floats) -> float:
    """Deviation of resampled values; NaN for fewer than two."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


# -- proportions -------------------------------------------------------------------------------------


def wilson_ends(ratios: Ratios, n: int, level: float) -> tuple[float, float, float, float]:
    """Low, high, standard error and design effect of a mean of proportions whose sums are by cluster.

    The spread between clusters says how many independent points there are (linearised ratio); fewer clusters mean fewer
    degrees of freedom (Korn and Graubard, Survey Methodology 24, 1998). Where all points are right, or all wrong, nothing
    is known of the spread, and each cluster counts as one.
    """
    from ..stats import student, wilson

    share, residuals = ratios.linearised()
    held = int((ratios.bottom > 0).any(1).sum())
    if math.isnan(share):
        return math.nan, math.nan, math.nan, math.nan
    variance = len(residuals) / max(len(residuals) - 1, 1) * float((residuals**2).sum())
    size = share * (1 - share) / variance if variance > 0 else float(held)
    reach = NormalDist().inv_cdf((1 + level) / 2) / student(level, held - 1) if held > 1 else 0.0
    low, high = wilson(share, max(size * reach**2, 1e-9), level)
    return min(low, share), max(high, share), math.sqrt(variance), n / size
