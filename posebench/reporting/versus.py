"""Versus: what a report of several models on the same images holds."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from posedata.progress import bar

from ..errors.labels import ERRORS
from ..errors.report import ErrorReport
from ..evaluation import Evaluation
from ..statistics.compare import Comparison, Difference
from ..statistics.words import amount, p_text, sentence
from .cases import Case, case_of
from .slicing import Group, groups

if TYPE_CHECKING:
    from ..plots import Drawing

__all__ = ["Apart", "Versus"]


class Apart(NamedTuple):
    """One truth on which two models differ, as each has it; None where it found nothing."""

    truth: int
    cases: tuple[Case | None, Case | None]
    difference: float
    """OKS of the second less that of the first; of a truth that is not found it is 0."""


@dataclass(frozen=True, eq=False)
class Versus:
    """A report of several models."""

    comparison: Comparison
    images: int = 40
    """Truths in the gallery."""
    command: tuple[str, ...] = ()
    quiet: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return self.comparison.names

    @property
    def evs(self) -> dict[str, Evaluation]:
        return dict(zip(self.names, self.comparison.evaluations, strict=True))

    @property
    def first(self) -> Evaluation:
        return self.comparison.evaluations[0]

    @cached_property
    def leading(self) -> Difference:
        """What the page begins with: the two models, or of more the best two, by the first metric."""
        order = [row.name for row in self.comparison.standings.rows]
        pair = self.names if len(self.names) == 2 else order[:2]
        metric = self.comparison.rows[0].metric
        return next(row for row in self.comparison.rows if row.metric == metric and not row.by and {row.a, row.b} == set(pair))

    @cached_property
    def errors(self) -> dict[str, ErrorReport]:
        return {name: ev.errors() for name, ev in self.evs.items()}

    @property
    def title(self) -> str:
        return f"{' or '.join(self.names) if len(self.names) < 4 else f'{len(self.names)} models'} on {self.first.truth.name}"

    # -- the first screen ------------------------------------------------------------------------------

    @cached_property
    def verdict(self) -> str:
        """Which is better."""
        row = self.leading
        if np.isnan(row.difference):
            return "There is nothing to compare"
        if not row.better:
            return f"Both have the same {row.metric}"
        return f"{row.better} is better" if row.real else f"{row.better} has more, which may be luck"

    @cached_property
    def how_much(self) -> str:
        row = self.leading
        if np.isnan(row.difference):
            return ""
        sign = -1 if row.difference < 0 else 1
        low, high = sorted((sign * row.low, sign * row.high))
        between = "" if np.isnan(low) else f", between {amount(row.metric, low)} and {amount(row.metric, high)} at {100 * self.comparison.level:g}%"
        return f"By {amount(row.metric, abs(row.difference))}{between}"

    @cached_property
    def how_sure(self) -> str:
        row = self.leading
        if np.isnan(row.p):
            return ""
        after = f" after {self.comparison.correction.title()}" if self.comparison.correction != "none" else ""
        said = "Sure" if row.real else "Not sure"
        return f"{said}: luck would make a difference this large {_often(row.p)} (p = {p_text(row.corrected)}{after})"

    @cached_property
    def why(self) -> str:
        """The kinds of error that differ."""
        reason = next(r for r in self.comparison.reasons if {r.a, r.b} == {self.leading.a, self.leading.b})
        return reason.text[:1].upper() + reason.text[1:]

    @cached_property
    def kinds(self) -> list[tuple[str, float, float]]:
        """Share of the labelled points of found poses by kind, for both models, the largest change first."""
        shares = []
        for report in (self.errors[self.leading.a], self.errors[self.leading.b]):
            total = sum(report.counts.values()) or 1
            shares.append({kind: report.counts.get(kind, 0) / total for kind in ERRORS})
        rows = [(kind, shares[0][kind], shares[1][kind]) for kind in ERRORS if shares[0][kind] or shares[1][kind]]
        return sorted(rows, key=lambda row: -abs(row[2] - row[1]))

    @property
    def said(self) -> dict[str, str]:
        """The first screen in words."""
        return {"verdict": self.verdict, "how much": self.how_much, "how sure": self.how_sure, "why": self.why}

    @cached_property
    def sentences(self) -> list[str]:
        """A sentence for each two models."""
        metric = self.comparison.rows[0].metric
        return [sentence(row, self.comparison.correction) for row in self.comparison.rows if row.metric == metric and not row.by]

    # -- figures and tables ----------------------------------------------------------------------------

    @cached_property
    def figures(self) -> dict[str, Drawing]:
        from .. import plots

        wanted: dict[str, Any] = {
            "differences": lambda: plots.differences(self.comparison),
            "ap_of_models": lambda: plots.ap_of_models(self.evs),
            **({"rank_distribution": lambda: plots.rank_distribution(self.comparison.standings)} if len(self.evs) > 2 else {}),
        }
        made = {}
        with bar("figures", len(wanted), self.quiet) as advance:
            for name, draw in wanted.items():
                made[name] = plots.drawing(draw(), name)
                advance(1)
        return made

    @cached_property
    def slices(self) -> dict[str, list[Group]]:
        """For each model its slices; the truth is one, so they are the same ones."""
        return {name: groups(report) for name, report in self.errors.items()}

    # -- the gallery -----------------------------------------------------------------------------------

    @cached_property
    def apart(self) -> list[Apart]:
        """Truths on which the two models differ most, in turn those the second wins and those it loses."""
        reports = (self.errors[self.leading.a], self.errors[self.leading.b])
        places = [{int(t): p for p, t in enumerate(report.labelled.truth)} for report in reports]
        oks = [np.zeros(len(self.first.truth)) for _ in reports]
        for values, report in zip(oks, reports, strict=True):
            values[report.labelled.truth] = report.labelled.oks
        difference = oks[1] - oks[0]
        order = np.argsort(-difference, kind="stable")
        won, lost = order[difference[order] > 0], order[::-1][difference[order[::-1]] < 0]
        turns = [int(t) for pair in zip(won[: self.images], lost[: self.images], strict=False) for t in pair]
        more = [int(t) for t in (*won[len(lost) :], *lost[len(won) :])]
        return [
            Apart(t, tuple(case_of(r, "found", at[t]) if t in at else None for r, at in zip(reports, places, strict=True)), float(difference[t]))  # type: ignore[arg-type]
            for t in [*turns, *more][: self.images]
        ]

    @cached_property
    def reproduced(self) -> str:
        return shlex.join(self.command) if self.command else "posebench.compare(a, b).report(path)"


def _often(p: float) -> str:
    """How often, in words."""
    return "less than once in a thousand times" if p < 0.001 else f"{100 * p:.1f} times in a hundred" if p < 0.1 else f"{100 * p:.0f} times in a hundred"
