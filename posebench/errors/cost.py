"""Cost: the AP that each kind of error takes, alone and after one another, and the similarity it loses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve import Curve, Ranking, curves, rankings, scores
from ..match import Matches, Pairs, match, pairs_of
from ..problem import Problem
from .correct import corrected_points, kinds_mask, with_corrections, with_optimal_scores
from .labels import LABELS, Labelled

__all__ = ["ORDER", "Cost", "Gains", "Stage", "as_filed", "cost", "greedy", "lost_by_point", "oks_lost", "rankings_after", "stage", "with_points"]

Floats = NDArray[np.float64]

ORDER = ("miss", "absent", "swap", "inversion", "confusion", "jitter", "score", "background", "missed")
"""The order of the original; kinds that do not occur are left out where they are ours."""
_OURS = ("absent", "confusion")

LEGACY_RANGES = {"all": (32.0**2, 1e5**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)}


@dataclass(frozen=True)
class Gains:
    """AP after a correction: of all sizes, and of each range of the protocol."""

    ap: Mapping[str, float]
    by_threshold: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What errors take. `alone[kind]` is gained when only that kind is corrected; `progressive` corrects one after another."""

    now: Gains
    alone: Mapping[str, Gains]
    """AP with this kind alone corrected."""
    progressive: tuple[tuple[str, Gains], ...]
    """AP after this kind and all before it."""
    oks: Mapping[str, float]
    """Similarity lost per truth that counts and has points, by kind; their sum is 1 - the mean similarity, 0 for truths not found."""
    extra: Mapping[str, Gains] = field(default_factory=dict)
    """AP of other predictions: 'box', those made from truth boxes."""

    def each(self) -> dict[str, Gains]:
        """AP with one thing corrected and nothing else: every kind, and what needs other predictions."""
        return {**self.alone, **self.extra}

    def gain(self, kind: str, where: str = "") -> float:
        """AP gained by correcting this kind alone."""
        return self.each()[kind].ap[where] - self.now.ap[where]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; gains alone, AP after each step."""
        return {
            "now": self.now.ap[""],
            "alone": {kind: self.gain(kind) for kind in self.each()},
            "progressive": [[kind, gains.ap[""]] for kind, gains in self.progressive],
            "oks": dict(self.oks),
            "by_threshold": {
                "now": list(self.now.by_threshold),
                "alone": {kind: [after - now for after, now in zip(g.by_threshold, self.now.by_threshold, strict=True)] for kind, g in self.each().items()},
                "progressive": [[kind, list(g.by_threshold)] for kind, g in self.progressive],
            },
            "by_range": {
                where: {
                    "now": ap,
                    "alone": {kind: self.gain(kind, where) for kind in self.each()},
                    "progressive": [[k, g.ap[where]] for k, g in self.progressive],
                }
                for where, ap in self.now.ap.items()
                if where
            },
        }


@dataclass(frozen=True, eq=False)
class Stage:
    """Where corrections are applied: the poses, their pairs, and the ways to ignore truths."""

    labelled: Labelled
    pairs: Pairs
    ranges: Mapping[str, tuple[float, float]]
    wide: Problem
    """The problem with the predictions that its max_preds cuts, for scores that would serve them."""
    made: dict[tuple[str, ...], Matches] = field(default_factory=dict)
    """Matches after corrections, by what was corrected."""

    @cached_property
    def corrected(self) -> Floats:
        """(P, K, 2) every point as its correction has it."""
        return corrected_points(self.labelled)

    @cached_property
    def wide_pairs(self) -> Pairs:
        """Pairs of the wide problem, as filed."""
        return self.pairs if self.wide is self.problem else pairs_of(self.wide)

    @property
    def problem(self) -> Problem:
        return self.labelled.problem


def stage(labelled: Labelled, pairs: Pairs, wide: Problem) -> Stage:
    """All sizes, then the ranges of the protocol; in legacy those of the original."""
    if labelled.rules.legacy:
        return Stage(labelled, pairs, {"": LEGACY_RANGES["all"], **{k: LEGACY_RANGES[k] for k in ("medium", "large")}}, wide)
    return Stage(labelled, pairs, {"": (-np.inf, np.inf), **labelled.problem.protocol.ranges}, wide)


def cost(on: Stage, order: Sequence[str] = ORDER) -> Cost:
    """AP now, with each kind corrected alone, and with one after another."""
    chosen = [kind for kind in order if kind not in _OURS or on.labelled.is_(kind).any()]
    now = as_filed(on)
    alone = {kind: _gains(on, (kind,)) for kind in chosen}
    progressive = [(kind, _gains(on, tuple(chosen[: i + 1])) if i else alone[kind]) for i, kind in enumerate(chosen)]
    return Cost(now, alone, tuple(progressive), oks_lost(on.labelled))


def as_filed(on: Stage) -> Gains:
    """AP with nothing corrected."""
    return _gains(on, ())


def _gains(on: Stage, kinds: tuple[str, ...]) -> Gains:
    """AP after the corrections of these kinds."""
    return _measured(on, _after(on, kinds), "background" in kinds, "missed" in kinds)


def _after(on: Stage, kinds: tuple[str, ...]) -> Matches:
    """Matches after the corrections of these kinds, kept."""
    moved = tuple(kind for kind in kinds if kind not in ("background", "missed"))
    if moved not in on.made:
        on.made[moved] = _matched(on, kinds_mask(on.labelled, moved), "score" in moved)
    return on.made[moved]


def rankings_after(on: Stage, kinds: tuple[str, ...]) -> list[Ranking]:
    """Rankings of all sizes after the corrections of these kinds; those that nothing found are still there."""
    ranked = rankings(_after(on, kinds))
    return [_without_background(ranking) for ranking in ranked] if "background" in kinds else ranked


def _matched(on: Stage, mask: NDArray[np.bool_], best_scores: bool = False) -> Matches:
    """Matches after the points under the mask were corrected, and the scores, in each range."""
    problem, pairs = on.problem, with_corrections(on.labelled, on.pairs, mask, on.corrected) if mask.any() else on.pairs
    if best_scores:
        problem, pairs = _best_scored(on, mask, pairs)
    return match_ranges(problem, pairs, on)


def _measured(on: Stage, matches: Matches, no_background: bool = False, no_missed: bool = False) -> Gains:
    left = _as_the_original if on.labelled.rules.legacy else _without_missed
    made: Callable[[Ranking, Floats | None], list[Curve]] = left if no_missed else curves
    by_range = []
    for r in range(len(on.ranges)):
        ranked = [_without_background(ranking) if no_background else ranking for ranking in rankings(matches, r)]
        by_range.append(scores(ranked, matches.problem.protocol.interpolation, None, made))
    return Gains({where: s.ap() for where, s in zip(on.ranges, by_range, strict=True)}, tuple(by_range[0].ap(t) for t in range(len(matches.thresholds))))


def match_ranges(problem: Problem, pairs: Pairs, on: Stage) -> Matches:
    """Matches at the protocol's thresholds, in each range."""
    low, high = np.array(list(on.ranges.values())).T[..., None]
    ignored = problem.ignored | (problem.area < low) | (problem.area > high)
    beyond = (problem.pred_area < low) | (problem.pred_area > high)
    return match(problem, pairs, problem.protocol.thresholds, ignored, beyond)


def _without_background(ranking: Ranking) -> Ranking:
    """Whatever finds nothing counts for nothing, at each threshold by itself."""
    return replace(ranking, outside=np.ones(len(ranking.order), bool), idle=~ranking.hit)


def _without_missed(ranking: Ranking, weights: Floats | None) -> list[Curve]:
    """Truths that nothing finds are not there, at each threshold by itself.

    Where none is left AP is 1, for nothing is wrong, or 0 while there are false positives.
    """
    return [_all_found(c) if len(c.recall) else _none_left(ranking, t) for t, c in enumerate(curves(ranking, weights))]


def _all_found(c: Curve) -> Curve:
    n = len(c.recall)
    return Curve(np.arange(1, n + 1) / n, c.precision, c.place, float(n))


def _none_left(ranking: Ranking, t: int) -> Curve:
    hit, idle = ranking.marks(t)
    clean = bool((hit | idle).all())
    return Curve(np.ones(1), np.array([float(clean)]), np.zeros(1, np.intp), 1.0)


def _as_the_original(ranking: Ranking, weights: Floats | None) -> list[Curve]:
    """The same, where a threshold without truths leaves the mean."""
    return [_all_found(c) if len(c.recall) else replace(c, total=0.0) for c in curves(ranking, weights)]


# -- scores ------------------------------------------------------------------------------------------


def _best_scored(on: Stage, mask: NDArray[np.bool_], pairs: Pairs) -> tuple[Problem, Pairs]:
    """The poses as corrected, served by their optimal scores; also those that the filed scores cut."""
    problem, wide = on.problem, on.wide
    changed = np.flatnonzero(mask.any(1))
    rows = problem.rows[on.labelled.pred[changed]]
    points = np.where(mask[changed][..., None], on.corrected[changed], problem.pred_points[rows][..., :2])
    place = np.full(len(wide.pred), -1)
    place[wide.rows] = np.arange(len(wide.rows))
    if wide is not problem:
        pairs = _widened(problem, wide, pairs, on.wide_pairs)
    low, high = on.ranges[""]
    again, moved = with_optimal_scores(wide, pairs, place[rows], points, problem.ignored | (problem.area < low) | (problem.area > high))
    return _cut(again, moved, problem.protocol.max_preds)


def _widened(problem: Problem, wide: Problem, pairs: Pairs, every: Pairs) -> Pairs:
    """Pairs of the wide problem, those of poses that are in both as they stand now."""
    place = np.full(len(wide.pred), -1)
    place[problem.rows] = np.arange(len(problem.rows))
    mine = place[wide.rows[every.pred]]
    known = mine >= 0
    # both are in the order of poses, and of the file within them
    start = np.searchsorted(pairs.pred, mine[known], side="left")
    first = np.searchsorted(every.pred, every.pred[known], side="left")
    similarity = every.oks.copy()
    similarity[known] = pairs.oks[start + np.flatnonzero(known) - first]
    return replace(every, oks=similarity)


def _cut(problem: Problem, pairs: Pairs, max_preds: int) -> tuple[Problem, Pairs]:
    """The first `max_preds` of each image and category."""
    kept = np.arange(len(problem.cell)) - np.searchsorted(problem.cell, problem.cell, side="left") < max_preds
    if kept.all():
        return problem, pairs
    place = np.cumsum(kept) - 1
    own = {name: getattr(problem, name)[kept] for name in ("rows", "pred_image", "pred_category", "pred_area", "pred_score")}
    inside = kept[pairs.pred]
    return replace(problem, **own), Pairs(pred=place[pairs.pred[inside]], truth=pairs.truth[inside], oks=pairs.oks[inside])


# -- without matching anew ---------------------------------------------------------------------------


def lost_by_point(labelled: Labelled) -> Floats:
    """(P, K) what each point takes from its pose's OKS; a pose's sum is 1 - its OKS."""
    known = labelled.problem.labelled[labelled.truth]
    return np.where(known, 1 - labelled.own, 0.0) / np.maximum(known.sum(1), 1)[:, None]


def with_points(problem: Problem) -> NDArray[np.bool_]:
    """(N,) truths that count and have a labelled point: those whose similarity can be lost point by point."""
    return np.asarray(~problem.ignored & problem.labelled.any(1))


def oks_lost(labelled: Labelled, truths: NDArray[np.bool_] | None = None, points: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """Similarity lost per truth, by label, and by truths that nothing found; of (N,) truths, and (P, K) points of theirs that were found."""
    mine = with_points(labelled.problem) if truths is None else truths
    found = mine[labelled.truth]
    lost = np.where(found[:, None] if points is None else found[:, None] & points, lost_by_point(labelled), 0.0)
    total = int(mine.sum()) or float("nan")
    shares = {name: float(lost[labelled.is_(name)].sum()) / total for name in LABELS if name != "confusion" or labelled.rules.confused}
    return {**shares, "missed": (int(mine.sum()) - int(found.sum())) / total}


def greedy(on: Stage, steps: int | None = None) -> list[tuple[str, float]]:
    """Keypoints in the order in which correcting them gains most: (name, AP after it and all before); of equals the one that loses most similarity."""
    names = [on.problem.truth.schema.names[c] for c in on.problem.columns]
    wrong = on.labelled.code > 0
    lost = np.where(wrong, lost_by_point(on.labelled), 0.0).sum(0)
    done = np.zeros(len(names), bool)
    path: list[tuple[str, float]] = []
    only_all = replace(on, ranges={"": on.ranges[""]}, made={})
    for _ in range(min(steps or len(names), len(names))):
        tried = {}
        for k in np.flatnonzero(~done).tolist():
            columns = done.copy()
            columns[k] = True
            tried[k] = _measured(only_all, _matched(only_all, wrong & columns)).ap[""] if wrong[:, k].any() or not path else path[-1][1]
        best = max(tried, key=lambda k: (tried[k], lost[k]))
        done[best] = True
        path.append((names[best], tried[best]))
    return path
