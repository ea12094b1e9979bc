"""Grouping rows: values as numbers, rows linked by what they share, and the pairs within groups. No loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["codes_of", "components", "pairs_within", "spans"]

Rows = NDArray[np.intp]


def codes_of(values: NDArray[Any]) -> tuple[Rows, list[Any]]:
    """(N,) a number for each row, and the values they stand for, in the order they are met.

    >>> codes_of(np.array(["b", "a", "b"], object))
    (array([0, 1, 0]), ['b', 'a'])
    """
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(v, len(known)) for v in values.tolist()), np.intp, len(values))
    return codes, list(known)


def components(n: int, links: Sequence[tuple[Rows, Rows]]) -> Rows:
    """(n,) for each row the first row it hangs together with. A link is (rows, labels): rows that stand beside one label hang together.

    >>> components(4, [(np.array([0, 1, 1, 2]), np.array([7, 7, 8, 8]))])
    array([0, 0, 0, 3])
    """
    first = np.arange(n)
    links = [(rows, labels) for rows, labels in links if len(rows)]
    while True:
        before = first
        for rows, labels in links:
            lowest = np.full(labels.max() + 1, n)
            np.minimum.at(lowest, labels, first[rows])
            pull = np.arange(n)
            np.minimum.at(pull, first[rows], lowest[labels])  # whole chains move, not single rows
            first = np.minimum(first, pull[first])
        first = first[first]
        if (first == before).all():
            return first


def spans(starts: Rows, sizes: Rows) -> Rows:
    """starts[i], starts[i] + 1, ... sizes[i] of them, for each i, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)


def pairs_within(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Rows of `a` and of `b` with the same group: every such pair, ordered by the row of `a`."""
    order = np.argsort(b, kind="stable")
    low, high = np.searchsorted(b[order], a, "left"), np.searchsorted(b[order], a, "right")
    return np.repeat(np.arange(len(a)), high - low), order[spans(low, high - low)]
