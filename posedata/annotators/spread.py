"""Spread: the mean square of deviations that come in clusters, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

__all__ = ["INTERVALS", "chi_square_quantile", "freedom", "mean_squares", "require_share"]

Floats = NDArray[np.float64]

_DRAWS, _BLOCK = 2000, 100


def mean_squares(squares: Floats, weights: Floats) -> Floats:
    """(K,) mean square of (S, K) sums of squares that count for (S, K) weights; NaN without any."""
    total = weights.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, squares.sum(0) / total, np.nan)


def freedom(squares: Floats, weights: Floats) -> Floats:
    """(K,) degrees of freedom of the mean square: those of a chi-square that varies as much as the clusters make it vary.

    At most two for each weight, which a round normal scatter on the plane has. A single cluster cannot tell: one for each weight.
    """
    mean, total = mean_squares(squares, weights), weights.sum(0)
    clusters = (weights > 0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = clusters / (clusters - 1) * ((squares - mean * weights) ** 2).sum(0) / total**2
        seen = np.where(clusters > 1, 2 * mean**2 / variance, total)
    return np.minimum(np.where(np.isnan(seen), total, seen), 2 * total)


def chi_square_quantile(share: float, degrees: Floats) -> Floats:
    """Quantile of the chi-square, by the cube root (Wilson and Hilferty, 1931): within a percent from three degrees on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = 2 / (9 * degrees)
        return degrees * np.maximum(1 - part + NormalDist().inv_cdf(share) * np.sqrt(part), 0) ** 3


def _by_chi_square(squares: Floats, weights: Floats, confidence: float, seed: int) -> tuple[Floats, Floats]:
    """(K,), (K,) ends of the interval of the deviation."""
    mean, degrees = mean_squares(squares, weights), freedom(squares, weights)
    tail = (1 - confidence) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (np.sqrt(mean * degrees / chi_square_quantile(share, degrees)) for share in (1 - tail, tail))
    return low, high


def _by_bootstrap(squares: Floats, weights: Floats, confidence: float, seed: int) -> tuple[Floats, Floats]:
    """The same by drawing clusters anew; a draw without the point says nothing."""
    rng, n = np.random.default_rng(seed), len(squares)
    drawn = []
    for _ in range(_DRAWS // _BLOCK):
        times = rng.multinomial(n, np.full(n, 1 / n), _BLOCK).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn.append(np.sqrt((times @ squares) / (times @ weights)))
    every = np.concatenate(drawn)
    every[:, ~(weights > 0).any(0)] = 0
    low, high = np.nanquantile(every, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    few = (weights > 0).sum(0) < 2
    return np.where(few, np.nan, low), np.where(few, np.nan, high)


INTERVALS: Mapping[str, Callable[[Floats, Floats, float, int], tuple[Floats, Floats]]] = {"chi2": _by_chi_square, "bootstrap": _by_bootstrap}
"""chi2: degrees of freedom from how much the subjects vary; bootstrap: subjects drawn anew, 2,000 times."""


def require_share(where: str, name: str, value: float) -> None:
    """Refuse what is no share between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise DataError(where, f"{name}={value!r}", "a number between 0 and 1 is needed")
