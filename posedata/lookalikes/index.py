"""Pairs of hashes that differ in few bits, without comparing all with all: what shares one band of bits meets in its bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hashes import BITS, VARIANTS, Words, distance, hashes

__all__ = ["CROWD", "RADIUS", "Near", "near_pairs"]

RADIUS = 30
"""Bits of 128 that may differ; pictures that have nothing to do with each other differ in some 50."""
CROWD = 256
"""Members of a bucket that one hash is compared with. A fuller one gives those nearest in order, and the rest is counted."""
_BAND = 16
_AT_ONCE = 1 << 21
"""Comparisons whose arrays are held at once."""


class Near(NamedTuple):
    """Pairs i < j of one list whose hashes are near, each once: where it was nearest."""

    query: NDArray[np.int64]
    """The picture that had to be cut or turned to look like `base`."""
    base: NDArray[np.int64]
    variant: NDArray[np.int64]
    distance: NDArray[np.int64]
    left_out: int
    """Comparisons not made in crowded buckets."""


def near_pairs(
    small: NDArray[np.uint8], radius: int = RADIUS, variants: int | tuple[int, ...] = len(VARIANTS), advance: Callable[[int], None] | None = None
) -> Near:
    """All near pairs of (I, SIDE, SIDE) pictures; `variants` are those of `VARIANTS` to try."""
    rows = range(variants) if isinstance(variants, int) else variants
    queries = hashes(small, [VARIANTS[row] for row in rows])
    base = queries[0] if rows[0] == 0 else hashes(small)[0]
    tables = [_Bucket(base, band) for band in range(BITS // _BAND)]
    best = np.zeros((0, 4), np.int64)
    left_out = 0
    for row, query in zip(rows, queries, strict=True):
        found = []
        for table in tables:
            for q, b, crowded in table.meetings(query):
                left_out += crowded
                d = distance(query[q], base[b])
                keep = (d <= radius) & (q != b)
                found.append(np.column_stack([q[keep], b[keep], np.full(keep.sum(), row), d[keep]]))
        best = _nearest(np.concatenate([best, *found]), len(small))
        if advance:
            advance(1)
    query, other, variant, apart = best.T
    return Near(query, other, variant, apart, left_out)


def _nearest(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """One row for each pair: the least distance, then the simplest variant."""
    low, high = np.minimum(rows[:, 0], rows[:, 1]), np.maximum(rows[:, 0], rows[:, 1])
    pair = low * n + high
    order = np.lexsort((rows[:, 0], rows[:, 2], rows[:, 3], pair))
    first = np.ones(len(order), bool)
    first[1:] = pair[order][1:] != pair[order][:-1]
    return rows[order[first]]


class _Bucket:
    """Hashes in the order of one band of bits, the bits beside it breaking ties."""

    def __init__(self, base: Words, band: int) -> None:
        self.word, self.turn = divmod(band * _BAND, 64)
        keys = self._keys(base)
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]
        counts = np.bincount((keys >> np.uint64(48)).astype(np.intp), minlength=1 << _BAND)
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts

    def _keys(self, values: Words) -> Words:
        """The band's word turned so that the band stands on top."""
        word = values[:, self.word]
        return word if self.turn == 0 else (word << np.uint64(self.turn)) | (word >> np.uint64(64 - self.turn))

    def meetings(self, query: Words) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
        """(query rows, base rows) that share the band, in blocks, and how many were left out."""
        keys = self._keys(query)
        top = (keys >> np.uint64(48)).astype(np.intp)
        start, end = self.starts[top], self.ends[top]
        crowded = np.flatnonzero(end - start > CROWD)
        left_out = int((end - start - CROWD)[crowded].sum())
        if len(crowded):
            middle = np.searchsorted(self.keys, keys[crowded]) - CROWD // 2
            start[crowded] = middle.clip(start[crowded], end[crowded] - CROWD)
            end[crowded] = start[crowded] + CROWD
        counts = end - start
        total = np.cumsum(counts)
        cuts = np.searchsorted(total, np.arange(_AT_ONCE, total[-1], _AT_ONCE)) if len(total) else np.zeros(0, np.intp)
        for rows in np.split(np.arange(len(keys)), cuts):
            n = counts[rows]
            q = np.repeat(rows, n)
            offset = np.arange(len(q)) - np.repeat(np.cumsum(n) - n, n)
            yield q, self.order[np.repeat(start[rows], n) + offset], left_out
            left_out = 0
