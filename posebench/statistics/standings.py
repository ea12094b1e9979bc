"""Standings: models in their order, how sure each rank is, and who cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Standing", "Standings", "adjusted", "complete", "letters", "ranks_of", "stand"]

Floats = NDArray[np.float64]
_ALIKE = 1e-12
"""Sums in another order differ by less."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One model: its number, its rank, and what both could have been on other images of the same kind."""

    name: str
    value: float
    low: float
    high: float
    rank: int
    """1 for the best; models with the same number share it. 0 where there is no number."""
    rank_low: int
    rank_high: int
    first: float
    """Share of the resamples in which it is first; who shares a first place shares it here."""
    groups: str
    """Letters; models that share one cannot be told apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Standings:
    """A ranking with its doubts, best first."""

    metric: str
    rows: tuple[Standing, ...]
    level: float
    how: str
    """How the intervals, ranks and groups were made."""
    apart: dict[tuple[str, str], float]
    """For each two models the corrected p-value of their difference."""
    ranks: NDArray[np.intp]
    """(B, M) rank of each model of `rows` in each resample."""
    refused: dict[str, str]
    """Files that could not be ranked, and why."""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        from ..plain import plain

        rows = [{k: getattr(row, k) for k in Standing.__dataclass_fields__} for row in self.rows]
        apart = [{"a": a, "b": b, "p": p} for (a, b), p in self.apart.items()]
        values = {"metric": self.metric, "level": self.level, "how": self.how, "ranking": rows, "apart": apart, "refused": self.refused, "notes": self.notes}
        return dict(plain(values))

    def __getitem__(self, name: str) -> Standing:
        return next(row for row in self.rows if row.name == name)

    def __repr__(self) -> str:
        from .words import standings_text

        return standings_text(self)


def stand(
    metric: str,
    names: Sequence[str],
    values: Floats,
    replicates: Floats,
    p: Floats,
    *,
    how: str,
    higher: bool = True,
    level: float = 0.95,
    alpha: float | None = None,
    refused: dict[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Standings:
    """The ranking of M models by (M,) values and (B, M) replicates; p: (M, M) says how sure two are apart."""
    replicates = complete(values, replicates)
    sign = 1.0 if higher else -1.0
    best = np.lexsort((np.array(names), np.where(np.isnan(values), np.inf, -sign * values)))
    ordered = ranks_of(sign * values[best][None])[0]
    ranks = ranks_of(sign * replicates[:, best])
    known = ~np.isnan(values[best])
    lead = np.where(ranks == 1, 1.0, 0.0)
    first = (lead / np.maximum(lead.sum(1, keepdims=True), 1)).mean(0)
    tail = (1 - level) / 2
    low, high = np.quantile(ranks, (tail, 1 - tail), axis=0, method="inverted_cdf")
    ends = _ends(values[best], replicates[:, best], level)
    groups = letters(p[np.ix_(best, best)] <= (1 - level if alpha is None else alpha))
    rows = tuple(
        Standing(name=names[m], value=float(values[m]), low=float(ends[0, i]), high=float(ends[1, i]), rank=int(ordered[i]) if known[i] else 0,
                 rank_low=min(int(low[i]), int(ordered[i])), rank_high=max(int(high[i]), int(ordered[i])), first=float(first[i]) if known[i] else 0.0, groups=groups[i] if known[i] else "")
        for i, m in enumerate(best.tolist())
    )  # fmt: skip
    pairs = {(names[i], names[j]): float(p[i, j]) for a, i in enumerate(best.tolist()) for j in best.tolist()[a + 1 :]}
    return Standings(metric=metric, rows=rows, level=level, how=how, apart=pairs, ranks=ranks, refused=refused or {}, notes=tuple(notes))


def complete(values: Floats, replicates: Floats) -> Floats:
    """The resamples in which each model that has a number has one too; all of them where there is none such."""
    known = ~np.isnan(replicates[:, ~np.isnan(values)]).any(1)
    return replicates[known] if known.any() else replicates


def _ends(values: Floats, replicates: Floats, level: float) -> Floats:
    """(2, M) percentile interval of each column, which holds the number itself; NaN where a model has no number in some resample."""
    low, high = np.quantile(replicates, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return np.stack([np.minimum(low, values), np.maximum(high, values)])


def ranks_of(values: Floats) -> NDArray[np.intp]:
    """(B, M) one more than those that are better; who has no number is last."""
    own = np.where(np.isnan(values), -np.inf, values)
    return np.stack([(own > own[:, m : m + 1] + _ALIKE).sum(1) + 1 for m in range(own.shape[1])], 1)


def adjusted(values: Floats, replicates: Floats) -> Floats:
    """(M, M) p-values of all differences between M models, corrected for looking at all of them.

    The largest difference of any two, each over its own deviation, is what a difference is held against: single-step
    max-T over common resamples, which knows how alike the models are and has no floor that grows with their number.
    """
    i, j = np.triu_indices(len(values), 1)
    p = np.ones((len(values), len(values)))
    if not len(i):
        return p
    seen = values[i] - values[j]
    noise = replicates[:, i] - replicates[:, j] - seen
    deviation = noise.std(0)
    moves = deviation > _ALIKE
    size = np.divide(np.abs(seen), deviation, out=np.where(np.abs(seen) > _ALIKE, np.inf, 0.0), where=moves)
    largest = np.max(np.abs(noise[:, moves]) / deviation[moves], axis=1, initial=0.0)
    p[i, j] = p[j, i] = np.where(np.isnan(seen), 1.0, (1 + (largest[:, None] >= size - _ALIKE).sum(0)) / (1 + len(replicates)))
    return p


def letters(apart: NDArray[np.bool_]) -> list[str]:
    """Letters for each of M models, best first; two share one where they are not apart (insert and absorb, Piepho 2004)."""
    groups = [frozenset(range(len(apart)))]
    for i, j in np.argwhere(np.triu(apart, 1)).tolist():
        cut = [part for group in groups for part in ((group - {i}, group - {j}) if {i, j} <= group else (group,))]
        groups = [g for g in dict.fromkeys(cut) if not any(g < other for other in cut)]
    ordered = sorted(groups, key=lambda g: (min(g), sorted(g)))
    return ["".join(_letter(k) for k, group in enumerate(ordered) if m in group) for m in range(len(apart))]


def _letter(k: int) -> str:
    return chr(ord("a") + k) if k < 26 else f"({k + 1})"
