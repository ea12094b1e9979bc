"""Workings: what metrics are made from, each made once and when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean

from .align import Aligned
from .curve import Ranking, Scores, rankings, scores
from .match import Matches, Pairs, match, pairs_of
from .pairing import MATCHED_AT, Paired, given, matched
from .problem import Problem, prepare
from .protocol import Protocol

__all__ = ["Workings"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Workings:
    """Problems, pairs, matches and curves of one evaluation."""

    aligned: Aligned
    protocol: Protocol
    made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` gives, kept."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    # -- problems: all points, a part of them, or all categories as one ------------------------------

    def problem(self, where: str = "") -> Problem:
        """The problem behind `where`: a part, 'pooled', or the whole."""
        key = where if where in self.protocol.parts or where == "pooled" else ""
        return self.once(("problem", key), lambda: prepare(self.aligned, self.protocol, self.protocol.parts.get(key), key == "pooled"))

    def pairs(self, where: str = "") -> Pairs:
        problem = self.problem(where)
        return self.once(("pairs", id(problem)), lambda: pairs_of(problem))

    def has_part(self, where: str) -> bool:
        """Whether the truth's schema has the points of a part."""
        part = self.protocol.parts.get(where)
        return part is None or set(part.points) <= set(self.aligned.truth.schema.names)

    # -- matches and what follows ----------------------------------------------------------------------

    def matches(self, where: str = "") -> Matches:
        """Matches at the protocol's thresholds: without a range, then in each of the ranges."""
        problem = self.problem(where)
        return self.once(("matches", id(problem)), lambda: self._matched(problem, self.pairs(where)))

    def _matched(self, problem: Problem, pairs: Pairs) -> Matches:
        ranges = [*self.protocol.ranges.values()] if not problem_is_part(problem) else []
        low, high = np.array([(-np.inf, np.inf), *ranges]).T[..., None]
        ignored = problem.ignored | (problem.area < low) | (problem.area > high)
        beyond = (problem.pred_area < low) | (problem.pred_area > high)
        return match(problem, pairs, self.protocol.thresholds, ignored, beyond)

    def attempts(self, where: str = "") -> Matches:
        """Matches at the one similarity from which distances and labels are read."""
        problem = self.problem(where)
        return self.once(("attempts", id(problem)), lambda: match(problem, self.pairs(where), (MATCHED_AT,)))

    def paired(self, pairing: str, where: str = "") -> Paired:
        """Each truth that counts beside the prediction it is compared to: of all points or of a part, with categories or pooled."""
        part = self.protocol.parts.get(where)
        key = where if part is not None or where == "pooled" else ""
        make = (lambda: given(self.aligned, part)) if pairing == "given" else lambda: matched(self.problem(key), self.attempts(key))
        return self.once(("paired", pairing, key), make)

    def ranked(self, where: str = "") -> list[Ranking]:
        """A ranking for each category; `where` is a range, a part or 'pooled'."""
        ranges = list(self.protocol.ranges)
        r = ranges.index(where) + 1 if where in ranges else 0
        key = where if self.is_where(where) and where not in self.protocol.levels else ""
        return self.once(("ranked", key), lambda: rankings(self.matches(where), r))

    def scores(self, where: str = "", weights: NDArray[np.float64] | None = None) -> Scores:
        """Average precision and recall under `where`; weights are those of images."""
        if weights is None:
            return self.once(("scores", where), lambda: scores(self.ranked(where), self.protocol.interpolation, self.weights(where)))
        return scores(self.ranked(where), self.protocol.interpolation, self.weights(where, weights))

    def weights(self, where: str, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64] | None:
        """(I,) weights of the images under a level, and as given; None where all count once."""
        levels = self.level_weights(where)
        return weights if levels is None else levels if weights is None else levels * weights

    def level_weights(self, where: str) -> NDArray[np.float64] | None:
        """(I,) 1 for the images of a level; None where `where` is none."""
        if where not in self.protocol.levels:
            return None
        low, high = self.protocol.levels[where]
        column = self.level_column()
        return np.asarray((column >= low) & (column < high), np.float64)

    def level_column(self) -> NDArray[np.float64]:
        """(I,) the column that levels are made of."""
        name, meta = self.protocol.level_column, self.aligned.truth.images.meta
        if name not in meta or meta[name].dtype.kind not in "biuf":
            have = ", ".join(meta) or "none"
            raise PoseError(f"truth {self.aligned.truth.name!r}", f"levels need a column {name!r} of numbers on the images", f"it has: {have}")
        return np.asarray(meta[name], np.float64)

    def is_where(self, where: str) -> bool:
        return where in ("", "pooled") or where in self.wheres()

    def wheres(self) -> tuple[str, ...]:
        """Everything that can stand between the brackets."""
        p = self.protocol
        return (*p.ranges, *p.levels, *p.parts, "pooled")

    def require_where(self, where: str, metric: str) -> None:
        if not self.is_where(where):
            raise PoseError(metric, f"protocol {self.protocol.name!r} has no range, level or part {where!r}", did_you_mean(where, self.wheres()))

    def threshold(self, at: float, metric: str) -> int:
        """Place of a similarity among the protocol's thresholds."""
        near = np.flatnonzero(np.abs(np.array(self.protocol.thresholds) - at) < 1e-6)
        if not len(near):
            known = ", ".join(f"{t:.2f}" for t in self.protocol.thresholds)
            raise PoseError(
                metric, f"protocol {self.protocol.name!r} has no threshold {at:g}", f"it has {known}; more: {self.protocol.name}.replace(thresholds=...)"
            )
        return int(near[0])

    def under(self, protocol: Protocol) -> Workings:
        """The same truth and predictions under another protocol."""
        return Workings(self.aligned, protocol)

    def on(self, aligned: Aligned) -> Workings:
        """The same protocol on other truth or predictions."""
        return replace(self, aligned=aligned, made={})


def problem_is_part(problem: Problem) -> bool:
    """A part is scored over all sizes."""
    return len(problem.columns) < len(problem.truth.schema)
