"""Pairs become clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..grouping import components

__all__ = ["clustered", "same_rows"]

Rows = NDArray[np.int64]


def clustered(n: int, left: Rows, right: Rows) -> Rows:
    """(n,) the least member of each one's cluster: who is joined to nobody is its own."""
    return components(n, [(np.concatenate([left, right]), np.tile(np.arange(len(left)), 2))])


def same_rows(values: NDArray[np.uint64], chosen: NDArray[np.bool_]) -> Rows:
    """(I,) the first of the chosen rows of (I, W) values that is equal; itself where it is not chosen."""
    first = np.arange(len(values))
    rows = np.flatnonzero(chosen)
    if len(rows):
        order = rows[np.lexsort((rows, *values[rows].T))]
        new = np.r_[True, (values[order][1:] != values[order][:-1]).any(1)]
        first[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return first
