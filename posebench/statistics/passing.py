"""The share of poses that pass a similarity when each point errs as an annotator does: no draws, but the law itself.

Where a point's squared distance has the mean `sigma_noise² area`, its similarity is U^a with U uniform on 0..1 and
a = (sigma_noise / sigma)² / 8, and the pose's OKS is the mean over its labelled points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["PATTERNS", "patterns", "share_passing", "tail"]

Floats = NDArray[np.float64]

PATTERNS = 256
"""Kinds of poses up to which the law is computed; beyond, draws are quicker."""
_CELLS = 2000
"""Of the similarity of one point: thresholds in hundredths lie on their edges."""


def patterns(power: Floats, labelled: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.intp]]:
    """Kinds of poses and how many there are of each: sorted powers of the labelled points, -1 for the others.

    power, labelled: (N, K) -> (G, K), (G,)
    """
    with np.errstate(divide="ignore"):
        digits = 10.0 ** (9 - np.floor(np.log10(np.where(power > 0, power, 1.0))))
    rounded = np.where(labelled, np.round(power * digits) / digits, -1.0)
    kinds, count = np.unique(np.sort(rounded, axis=1), axis=0, return_counts=True)
    return kinds, count


def share_passing(kinds: Floats, count: NDArray[np.intp], thresholds: Sequence[float]) -> Floats:
    """(T,) share of the poses whose OKS reaches each threshold, expected over all errors."""
    if not count.sum():
        return np.full(len(thresholds), np.nan)
    each = np.array([tail(row[row >= 0], thresholds) for row in kinds])
    return np.asarray(count @ each / count.sum())


def tail(powers: Floats, thresholds: Sequence[float]) -> Floats:
    """(T,) chance that the mean of U^a over these powers a reaches each threshold.

    >>> tail(np.array([0.5]), [0.9]).round(4).tolist()
    [0.19]
    """
    n, wanted = len(powers), np.asarray(thresholds, np.float64)
    exact = powers[powers > 0]
    still = n - len(exact)  # points that do not move at all have similarity 1
    if not len(exact):
        return np.ones(len(wanted))
    mass = _mass_of_sum(exact)
    # each mass is spread over a cell's width around its place, so that the distribution has no steps
    reached = np.concatenate([[0.0], np.cumsum(mass)])
    edges = (np.arange(len(mass) + 1) + (len(exact) - 1) / 2) / _CELLS
    below = np.interp(wanted * n - still, edges, reached)
    return np.clip(1 - below, 0.0, 1.0)


def _mass_of_sum(powers: Floats) -> Floats:
    """Chances of the sum of U^a over cells: the convolution of one distribution for each power."""
    size = len(powers) * (_CELLS - 1) + 1
    width = 1 << (size - 1).bit_length()
    whole = np.ones(width // 2 + 1, complex)
    for a, times in zip(*np.unique(powers, return_counts=True), strict=True):
        whole *= np.fft.rfft(_mass(float(a)), width) ** times
    return np.maximum(np.fft.irfft(whole, width)[:size], 0.0)


def _mass(a: float) -> Floats:
    """(cells,) chances of U^a between the edges of the cells of 0..1."""
    return np.diff(np.linspace(0.0, 1.0, _CELLS + 1) ** (1 / a))
