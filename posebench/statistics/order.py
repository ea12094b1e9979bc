"""Orders of models: how much two agree, and who has changed places."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

__all__ = ["flips", "kendall"]


def kendall(before: Sequence[float], after: Sequence[float]) -> float:
    """Kendall's tau-b of two scores of the same models: 1 the same order, -1 the reverse; NaN where there is none.

    >>> kendall([3, 2, 1], [3, 1, 2])
    0.3333333333333333
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    first, second = np.triu_indices(len(a), 1)
    x, y = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    with np.errstate(invalid="ignore"):
        return float((x * y).sum() / np.sqrt((x != 0).sum() * (y != 0).sum()))


def flips(names: Sequence[str], before: Sequence[float], after: Sequence[float]) -> list[tuple[str, str]]:
    """Pairs (a, b) where a was better and b is."""
    found = []
    for i, j in combinations(range(len(names)), 2):
        was, now = before[i] - before[j], after[i] - after[j]
        if was * now < 0:
            found.append((names[i], names[j]) if was > 0 else (names[j], names[i]))
    return found
