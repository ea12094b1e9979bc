"""Who may be ranked beside whom: rows of one set, one metric, one protocol, one source of boxes and one kind of conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rows import Row

if TYPE_CHECKING:
    from posebench.evaluation import Evaluation

__all__ = ["RANKED_BY", "Ranking", "rankings", "standing_letters"]

RANKED_BY: Mapping[str, Callable[[Row], str | None]] = {
    "set": lambda row: row.set_name,
    "metric": lambda row: row.headline,
    "protocol": lambda row: row.protocol or (f"published by {row.evaluator}" if row.evaluator else None),
    "truth": lambda row: row.truth or ("as published" if row.published else None),
    "boxes": lambda row: row.boxes,
    "conditions": lambda row: row.conditions,
}
"""What must be the same, and known, for two rows to stand in one ranking."""


@dataclass(frozen=True)
class Ranking:
    """Rows that may stand side by side, best first."""

    key: tuple[str | None, ...]
    """A value for each of RANKED_BY; None where the sources do not say."""
    rows: tuple[Row, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """What would have to be known to rank these rows."""
        return tuple(name for name, value in zip(RANKED_BY, self.key, strict=True) if value is None)

    @property
    def ranked(self) -> bool:
        """Published rows have a place in a list, never a rank: how each was scored is somebody's word."""
        return not self.unknown and not any(row.published for row in self.rows)

    def __getitem__(self, name: str) -> str | None:
        return self.key[list(RANKED_BY).index(name)]

    def rank(self, row: Row) -> str:
        """1 for the best; rows that cannot be told apart from a better one share its rank, marked =; empty where nothing is ranked."""
        if not self.ranked or math.isnan(value_of(row)):
            return ""
        better = [other for other in self.rows if value_of(other) > value_of(row) and not _alike(other, row)]
        shared = any(other is not row and _alike(other, row) for other in self.rows)
        return f"{len(better) + 1}{'=' if shared else ''}"


def rankings(rows: Iterable[Row]) -> tuple[Ranking, ...]:
    """All rows in rankings: sets by name, those we computed before those of others, the best first."""
    grouped: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(tuple(of(row) for of in RANKED_BY.values()), []).append(row)
    made = [Ranking(key, tuple(sorted(own, key=lambda row: (-_or_last(value_of(row)), row.id)))) for key, own in grouped.items()]
    return tuple(sorted(made, key=_order))


def value_of(row: Row) -> float:
    """The number that ranks; NaN where there is none."""
    value = row.metrics[row.headline]
    return math.nan if value is None else value


def _or_last(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _alike(a: Row, b: Row) -> bool:
    return bool(set(a.groups or "") & set(b.groups or "")) or value_of(a) == value_of(b)


def _order(ranking: Ranking) -> tuple[str | bool | float, ...]:
    published = any(row.published for row in ranking.rows)
    best = max((_or_last(value_of(row)) for row in ranking.rows), default=0.0)
    return ranking["set"] or "", published, bool(ranking.unknown), ranking["boxes"] or "~", -len(ranking.rows), -best, ranking["protocol"] or ""


def standing_letters(evaluations: Mapping[str, Evaluation], metric: str) -> dict[str, str]:
    """For each row its letters: those that share one cannot be told apart by this metric."""
    from posebench.statistics.compare import compare

    if len(evaluations) < 2:
        return dict.fromkeys(evaluations, "")
    compared = compare(*evaluations.values(), names=list(evaluations), metrics=[metric])
    return {row.name: row.groups for row in compared.standings.rows}
