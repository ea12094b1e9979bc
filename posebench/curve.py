"""Precision and recall from matches: the curve of every category, range and threshold, under any weights of the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .match import Matches

__all__ = ["CURVES", "Curve", "Ranking", "Scores", "curves", "rankings", "scores"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The predictions of one category, best first, and what those near a truth have found."""

    image: Rows
    """(m,) image of each prediction, best first."""
    outside: NDArray[np.bool_]
    """(m,) whether it counts for nothing where it matches nothing."""
    place: Rows
    """(h,) places in that order of the predictions near a truth, ascending."""
    hit: NDArray[np.bool_]
    """(T, h) found a truth that counts."""
    idle: NDArray[np.bool_]
    """(T, h) counts for nothing: found an ignored truth, or nothing and lies outside."""
    truth_image: Rows
    """(n,) images of the truths that count."""
    order: Rows
    """(m,) the predictions of the problem, best first."""

    def marks(self, t: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(m,) found a truth that counts; (m,) counts for nothing."""
        hit, idle = np.zeros(len(self.order), bool), self.outside.copy()
        hit[self.place], idle[self.place] = self.hit[t], self.idle[t]
        return hit, idle


def rankings(matches: Matches, r: int = 0) -> list[Ranking]:
    """One ranking per category, for one way to ignore truths."""
    problem = matches.problem
    kinds, order = problem.kinds, problem.best_first
    beyond = matches.beyond[r] if matches.beyond.size else np.zeros(len(problem.rows), bool)
    counted = ~matches.ignored[r]
    place = np.empty(len(order), np.intp)
    bounds = np.searchsorted(problem.pred_category[order], np.arange(kinds + 1))
    place[order] = np.arange(len(order))
    near = np.argsort(place[matches.near], kind="stable")
    found = matches.found[near, r].T
    real = found >= 0
    ignored_truth = real & ~counted[found]
    idle = ignored_truth | (~real & beyond[matches.near[near]])
    near_place = place[matches.near[near]]
    cuts = np.searchsorted(near_place, bounds)
    result = []
    for c in range(kinds):
        mine, some = order[bounds[c] : bounds[c + 1]], slice(cuts[c], cuts[c + 1])
        result.append(
            Ranking(
                image=problem.pred_image[mine],
                outside=beyond[mine],
                place=near_place[some] - bounds[c],
                hit=(real & ~ignored_truth)[:, some],
                idle=idle[:, some],
                truth_image=problem.image[counted & (problem.category == c)],
                order=mine,
            )
        )
    return result


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision at each true positive of one threshold, best score first."""

    recall: Floats
    precision: Floats
    place: Rows
    """Places in the ranking."""
    total: float
    """Truths that count."""


def curves(ranking: Ranking, weights: Floats | None = None) -> list[Curve]:
    """One curve per threshold; a weight per image stands for how often it is in the set."""
    total = float(len(ranking.truth_image)) if weights is None else float(weights[ranking.truth_image].sum())
    each = np.ones(len(ranking.image)) if weights is None else weights[ranking.image]
    at, outside = ranking.place, ranking.outside[ranking.place]
    mine = each[at]
    # all up to each place, less those that lie outside; the near ones are then corrected by what they found
    before = np.cumsum(each * ~ranking.outside)[at]
    found = []
    for hit, idle in zip(ranking.hit, ranking.idle, strict=True):
        seen = before + np.cumsum(mine * (outside.astype(float) - idle))
        rows = np.flatnonzero(hit)
        positive = np.cumsum(mine[rows])
        with np.errstate(divide="ignore", invalid="ignore"):
            recall = positive / total
        found.append(Curve(recall, positive / (seen[rows] + np.spacing(1)), at[rows], total))
    return found


def _envelope(precision: Floats) -> Floats:
    """The highest precision at this recall or beyond."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _at_points(count: int) -> Callable[[Curve], Floats]:
    points = np.linspace(0.0, 1.0, count)

    def averaged(curve: Curve) -> Floats:
        values = np.zeros(count)
        reached = np.searchsorted(curve.recall, points, side="left")
        inside = reached < len(curve.recall)
        values[inside] = _envelope(curve.precision)[reached[inside]]
        return values

    return averaged


def _area_under(curve: Curve) -> Floats:
    steps = np.diff(curve.recall, prepend=0.0)
    return np.array([(steps * _envelope(curve.precision)).sum()])


CURVES: Mapping[str, Callable[[Curve], Floats]] = {"101 points": _at_points(101), "11 points": _at_points(11), "all points": _area_under}
"""Values whose mean is the average precision, by the name in `Protocol.interpolation`."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What the curves come to; NaN for categories without a truth that counts."""

    precision: Floats
    """(T, Q, C) values whose mean is AP."""
    recall: Floats
    """(T, C) the highest recall."""
    truths: Floats
    """(C,) truths that count."""

    def ap(self, t: int | None = None, category: int | None = None) -> float:
        return _mean(self.precision, t, category)

    def ar(self, t: int | None = None, category: int | None = None) -> float:
        return _mean(self.recall, t, category)


def _mean(values: Floats, t: int | None, category: int | None) -> float:
    """Mean over what has truths; NaN without any, never a number that stands for none."""
    chosen = values if t is None else values[t : t + 1]
    chosen = chosen if category is None else chosen[..., category : category + 1]
    known = chosen[~np.isnan(chosen)]
    return float(known.mean()) if known.size else float("nan")


def scores(
    ranked: list[Ranking],
    interpolation: str = "101 points",
    weights: Floats | None = None,
    curves_of: Callable[[Ranking, Floats | None], list[Curve]] = curves,
) -> Scores:
    """Average precision and recall of every category and threshold."""
    averaged = CURVES[interpolation]
    steps = len(ranked[0].hit)
    width = len(averaged(Curve(np.zeros(0), np.zeros(0), np.zeros(0, np.intp), 0.0)))
    precision, recall = np.full((steps, width, len(ranked)), np.nan), np.full((steps, len(ranked)), np.nan)
    truths = np.zeros(len(ranked))
    for c, ranking in enumerate(ranked):
        truths[c] = len(ranking.truth_image) if weights is None else weights[ranking.truth_image].sum()
        if truths[c] > 0:
            for t, curve in enumerate(curves_of(ranking, weights)):
                if not curve.total:
                    continue
                precision[t, :, c] = averaged(curve)
                recall[t, c] = curve.recall[-1] if len(curve.recall) else 0.0
    return Scores(precision, recall, truths)
