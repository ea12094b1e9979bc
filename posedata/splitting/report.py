"""The report of a split: what every part was to hold, what it holds, and whether the parts differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

__all__ = ["Balance", "Report"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Balance:
    """One column: how often each of its values stands in each part."""

    column: str
    values: tuple[str, ...]
    parts: tuple[str, ...]
    asked: Floats
    """(V, S)"""
    reached: Floats
    """(V, S)"""

    @property
    def test(self) -> dict[str, Any]:
        """Chi-square test that the parts are drawn from one distribution: statistic, degrees of freedom, p, and the share of small cells.

        p is nan where there is nothing to compare. Beyond a fifth of cells that expect fewer than 5, it is a rough guide (Cochran's rule).
        """
        table = self.reached[self.reached.any(1)][:, self.reached.any(0)].round()
        if table.shape[0] < 2 or table.shape[1] < 2:
            return {"chi2": float("nan"), "dof": 0, "p": float("nan"), "small_cells": 0.0}
        from scipy.stats import chi2_contingency

        found = chi2_contingency(table, correction=False)
        return {"chi2": float(found.statistic), "dof": int(found.dof), "p": float(found.pvalue), "small_cells": float((found.expected_freq < 5).mean())}

    @property
    def absent(self) -> dict[str, tuple[str, ...]]:
        """value: the parts that were to have some of it and have none."""
        none = (self.reached == 0) & (self.asked > 0)
        return {v: tuple(p for p, no in zip(self.parts, row, strict=True) if no) for v, row in zip(self.values, none, strict=True) if row.any()}


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Sizes, then a balance for each column looked at."""

    of: str
    parts: tuple[str, ...]
    sizes: Balance
    """images and instances"""
    columns: tuple[Balance, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, column: str) -> Balance:
        return next(b for b in (self.sizes, *self.columns) if b.column == column)

    @property
    def differs(self) -> tuple[str, ...]:
        """Columns whose parts differ (p < .05)."""
        return tuple(b.column for b in self.columns if b.test["p"] < 0.05)

    @property
    def absent(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """column: value: parts without it."""
        return {b.column: b.absent for b in self.columns if b.absent}

    def to_frame(self) -> pandas.DataFrame:
        """One row for each column, value and part: asked, reached, and both as shares of the value."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=["column", "value", "part", "asked", "reached", "share_asked", "share_reached"])

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for b in (self.sizes, *self.columns):
            for v, value in enumerate(b.values):
                total = max(b.reached[v].sum(), 1)
                for s, part in enumerate(b.parts):
                    asked, reached = float(b.asked[v, s]), float(b.reached[v, s])
                    row = {"column": b.column, "value": value, "part": part, "asked": asked, "reached": reached}
                    rows.append({**row, "share_asked": asked / total, "share_reached": reached / total})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values; nan, which JSON lacks, is null."""
        tests = {b.column: {k: v if v == v else None for k, v in b.test.items()} for b in self.columns}
        return {
            "of": self.of,
            "rows": self._rows(),
            "tests": tests,
            "absent": {c: {v: list(p) for v, p in a.items()} for c, a in self.absent.items()},
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        head = f"{'':<28}" + "".join(f"{p[:22]:>24}" for p in self.parts)
        lines = [head, *_lines(self.sizes, len(self.sizes.values))]
        for b in self.columns:
            test = b.test
            said = f"p = {test['p']:.3f}" if test["p"] == test["p"] else "nothing to compare"
            rough = f", {test['small_cells']:.0%} of cells expect fewer than 5" if test["small_cells"] > 0.2 else ""
            lines += [f"{b.column}, in {self.of} (chi-square: {said}{rough})", *_lines(b, 12)]
            lines += [f"  none of {v} in {', '.join(p)}" for v, p in list(b.absent.items())[:5]]
            lines += [f"  and {len(b.absent) - 5} more values that some part lacks"] if len(b.absent) > 5 else []
        return "\n".join([*lines, *self.notes])


def _lines(b: Balance, most: int) -> list[str]:
    """The values with the most, a line each: reached of asked."""
    order = np.argsort(-b.reached.sum(1), kind="stable") if len(b.values) > most else np.arange(len(b.values))
    lines = []
    for v in order[:most].tolist():
        cells = "".join(f"{f'{b.reached[v, s]:,.0f} of {b.asked[v, s]:,.1f}':>24}" for s in range(len(b.parts)))
        lines.append(f"  {b.values[v][:26]:<26}{cells}")
    return lines + ([f"  and {len(b.values) - most} more values"] if len(b.values) > most else [])


def balances(names: Sequence[tuple[str, str]], parts: tuple[str, ...], shares: Floats, reached: Floats, asked_base: Floats) -> tuple[Balance, ...]:
    """A balance for each column of the labels. reached: (L, S); asked_base: (L,) what there is to be shared out."""
    found = []
    for column in dict.fromkeys(c for c, _ in names if c):
        rows = [i for i, (c, _) in enumerate(names) if c == column and reached[i].any()]
        found.append(Balance(column, tuple(names[i][1] for i in rows), parts, asked_base[rows][:, None] * shares, reached[rows]))
    return tuple(found)
