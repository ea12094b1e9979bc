"""Which unit goes to which part: by its drawn number alone, or so that the parts are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..grouping import spans
from .units import Labels, Units

__all__ = ["RULES", "Wanted", "balanced", "by_hash"]

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]

RULES = {
    "hash": "each unit by itself: its number, drawn from seed and name, falls into a part; more data moves nobody, shares are met on average",
    "balanced": "iterative stratification: the rarest values first, dealt out in the order of the drawn numbers; shares are met closely, more data moves a few",
}

_SLACK = 0.03
"""How far, as a share of its images, the last value may leave its own balance for that of the sizes."""
_FEW = 50
"""Units of one value that are dealt out one by one, the heaviest first; the others are cut by their running sum."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """How large every part is to be."""

    shares: Floats
    """(S,) of all that is not held out."""
    pinned: Rows
    """(U,) part of each unit that has one already, else -1."""


def by_hash(units: Units, wanted: Wanted) -> Rows:
    """(U,) part of each unit."""
    edges = np.cumsum(wanted.shares)[:-1]
    drawn = (units.place >> np.uint64(11)).astype(np.float64) / 2**53
    return np.where(wanted.pinned >= 0, wanted.pinned, np.searchsorted(edges, drawn, "right"))


@dataclass(eq=False)
class _Deal:
    """The state of a deal: who sits where, and what every part still lacks of every value."""

    side: Rows
    lacking: Floats
    """(S, L)"""
    entries: tuple[Rows, Rows, Floats]
    """Units, labels, weights, ordered by unit."""
    starts: Rows

    def seat(self, rows: Rows, sides: Rows) -> None:
        """Units take their seats; their parts lack so much less."""
        self.side[rows] = sides
        at = spans(self.starts[rows], np.diff(self.starts)[rows])
        unit, label, weight = self.entries[0][at], self.entries[1][at], self.entries[2][at]
        np.subtract.at(self.lacking, (self.side[unit], label), weight)


def balanced(units: Units, labels: Labels, size: Floats, wanted: Wanted, exact: bool = False) -> Rows:
    """(U,) part of each unit: the value of which fewest units are left is dealt out next, to the parts that lack it most.

    The idea is Sechidis, Tsoumakas and Vlahavas (2011), a value at a time instead of a row at a time. size: (I,) what an image counts.
    The last value dealt out makes up for the sizes of the parts: to the unit where `exact`, else as far as it stays near its own share.
    """
    unit, label, weight = _entries(units, labels)
    sizes = np.bincount(units.of_image, size, len(units)).astype(np.float64)
    count = len(labels.names)
    # one more value that all units have: the size itself, which settles ties and the last deal
    unit, label, weight = np.append(unit, np.arange(len(units))), np.append(label, np.full(len(units), count)), np.append(weight, sizes)
    order = np.argsort(unit, kind="stable")
    unit, label, weight = unit[order], label[order], weight[order]
    totals = np.bincount(label, weight, count + 1)
    starts = np.searchsorted(unit, np.arange(len(units) + 1))
    deal = _Deal(np.full(len(units), -1), wanted.shares[:, None] * totals, (unit, label, weight), starts)
    rows = np.flatnonzero(wanted.pinned >= 0)
    deal.seat(rows, wanted.pinned[rows])
    by_label = np.argsort(label, kind="stable")
    edges = np.searchsorted(label[by_label], np.arange(count + 2))
    left = np.bincount(label[deal.side[unit] < 0], minlength=count + 1)
    while left[:count].any():
        rarest = int(np.argmin(np.where(left[:count] > 0, left[:count], len(unit) + 1)))
        entry = by_label[edges[rarest] : edges[rarest + 1]]
        entry = entry[deal.side[unit[entry]] < 0]
        entry = entry[np.argsort(units.place[unit[entry]], kind="stable")]
        last = int(left[count]) == len(entry)
        lacking = deal.lacking[:, count if last else rarest]
        if last and not exact:
            slack = max(1.0, _SLACK * float(weight[entry].sum()))
            lacking = np.clip(lacking, deal.lacking[:, rarest] - slack, deal.lacking[:, rarest] + slack)
        sides = _dealt(weight[entry] if not last else sizes[unit[entry]], lacking, deal.lacking[:, count], wanted.shares)
        deal.seat(unit[entry], sides)
        gone = spans(starts[unit[entry]], np.diff(starts)[unit[entry]])
        left -= np.bincount(label[gone], minlength=count + 1)
    return deal.side


def _entries(units: Units, labels: Labels) -> tuple[Rows, Rows, Floats]:
    """Labels of units, each once, weights added."""
    k = len(labels.names)
    pairs, place = np.unique(units.of_image[labels.image] * k + labels.label, return_inverse=True)
    return pairs // k, pairs % k, np.bincount(place.reshape(-1), labels.weight, len(pairs)).astype(np.float64)


def _dealt(weight: Floats, lacking: Floats, size_lacking: Floats, shares: Floats) -> Rows:
    """(n,) part of each unit: the heavy ones one by one to the part that lacks most, the others cut where the parts are full."""
    sides = np.zeros(len(weight), np.intp)
    lacking, size_lacking = lacking.copy(), size_lacking.copy()
    heavy = np.arange(len(weight)) if len(weight) <= _FEW else np.flatnonzero(weight * _FEW > weight.sum())
    open_parts = shares > 0
    for row in heavy[np.argsort(-weight[heavy], kind="stable")].tolist():
        best = np.lexsort((size_lacking, lacking.round(9), open_parts))[-1]
        sides[row] = best
        lacking[best] -= weight[row]
        size_lacking[best] -= weight[row]
    light = np.setdiff1d(np.arange(len(weight)), heavy)
    if len(light):
        sides[light] = _cut(weight[light], np.where(open_parts, lacking.clip(0), 0), size_lacking, shares)
    return sides


def _cut(weight: Floats, lacking: Floats, size_lacking: Floats, shares: Floats) -> Rows:
    """Units in order, cut into runs as heavy as each part lacks."""
    total = weight.sum()
    quota = (lacking if lacking.sum() > 0 else shares) * total / (lacking.sum() if lacking.sum() > 0 else shares.sum())
    if (weight == weight[0]).all():
        quota = _whole(quota / weight[0], size_lacking) * weight[0]
    # a unit belongs to the run its middle falls into
    return np.searchsorted(np.cumsum(quota)[:-1], np.cumsum(weight) - weight / 2, "right")


def _whole(quota: Floats, size_lacking: Floats) -> Floats:
    """Whole numbers of the same sum: the largest remainders are rounded up, of equal ones that of the part that lacks most."""
    floor = np.floor(quota + 1e-9)
    missing = round(quota.sum() - floor.sum())
    order = np.lexsort((-size_lacking, -(quota - floor).round(9)))
    floor[order[:missing]] += 1
    return floor
