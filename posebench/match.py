"""Matching: all images and thresholds at once, by COCO's greedy rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posedata.similarity import oks

from .problem import Problem

__all__ = ["Matches", "Pairs", "match", "pairs_of", "served"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """P pairs of a prediction and a truth of its image and category, by prediction."""

    pred: Rows
    """(P,) place among the predictions of the problem."""
    truth: Rows
    oks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pred)


@dataclass(frozen=True, eq=False, kw_only=True)
class Matches:
    """Who found whom, for R ways to ignore truths and T thresholds."""

    problem: Problem
    thresholds: NDArray[np.float64]
    ignored: NDArray[np.bool_]
    """(R, N) truths that are neither found nor missed."""
    beyond: NDArray[np.bool_]
    """(R, M) predictions that are no false positive where they match nothing; (1, 0) for none."""
    near: Rows
    """(H,) predictions that reach the lowest threshold with any truth, ascending; all others match nothing."""
    found: NDArray[np.int32]
    """(H, R, T) the truth matched; -1 for none."""

    def dense(self, r: int = 0) -> NDArray[np.int32]:
        """(T, M) the truth that each prediction of the problem found; -1 for none."""
        table = np.full((len(self.thresholds), len(self.problem.rows)), -1, np.int32)
        table[:, self.near] = self.found[:, r].T
        return table


def served(problem: Problem) -> tuple[Rows, Rows]:
    """(P,) pairs of a prediction and every truth of its image and category, in the order of predictions and of the file."""
    kinds = int(max(problem.category.max(initial=0), problem.pred_category.max(initial=0))) + 1
    cell = problem.rank[problem.image] * kinds + problem.category
    order = np.argsort(cell, kind="stable")
    wanted = problem.rank[problem.pred_image] * kinds + problem.pred_category
    ordered = cell[order]
    first, last = np.searchsorted(ordered, wanted, side="left"), np.searchsorted(ordered, wanted, side="right")
    count = last - first
    pred = np.repeat(np.arange(len(wanted)), count)
    within = np.arange(len(pred)) - np.repeat(np.cumsum(count) - count, count)
    return pred, order[np.repeat(first, count) + within]


def pairs_of(problem: Problem) -> Pairs:
    """All pairs with their similarity."""
    pred, truth = served(problem)
    similarity = oks(
        problem.points, problem.labelled, problem.area, problem.sigmas, problem.pred_points, truth, problem.rows[pred], problem.truth.instances.bbox
    )
    return Pairs(pred=pred, truth=truth, oks=similarity)


def match(
    problem: Problem,
    pairs: Pairs,
    thresholds: Sequence[float],
    ignored: NDArray[np.bool_] | None = None,
    beyond: NDArray[np.bool_] | None = None,
) -> Matches:
    """Greedy matching: best scores choose first, each the most similar truth that is free; the last of equals, as in pycocotools.

    A truth that counts goes before one that is ignored; a crowd can be found many times.
    """
    ignored = problem.ignored[None] if ignored is None else ignored
    steps = np.asarray(thresholds, np.float64)
    # a similarity of 1 - 1e-10 counts as 1 (pycocotools, evaluateImg)
    reach = np.minimum(steps, 1 - 1e-10)
    kept = pairs.oks >= reach.min()
    order = np.lexsort((pairs.oks[kept], pairs.pred[kept]))  # stable: the last of equals stands last
    pred, truth, similarity = pairs.pred[kept][order], pairs.truth[kept][order], pairs.oks[kept][order]
    near, segment = np.unique(pred, return_inverse=True)
    turn = _turns(problem, near)
    found = np.full((len(near), len(ignored), len(steps)), -1, np.int32)
    taken = np.zeros((len(problem.area), len(ignored), len(steps)), bool)
    endless = problem.truth.instances.crowd
    by_turn = np.argsort(turn[segment], kind="stable")
    bounds = np.searchsorted(turn[segment][by_turn], np.arange(turn.max(initial=-1) + 2))
    for start, stop in pairwise(bounds.tolist()):
        chosen = by_turn[start:stop]
        mine, t = segment[chosen], truth[chosen]
        free = (~taken[t] | endless[t, None, None]) & (similarity[chosen, None] >= reach)[:, None]
        best = _best(free, ignored[:, t].T, mine)
        owner = np.unique(mine)
        r, s = np.nonzero(best.reshape(len(owner), -1) >= 0)
        truths = t[best.reshape(len(owner), -1)[r, s]]
        found.reshape(len(near), -1)[owner[r], s] = truths
        taken.reshape(len(taken), -1)[truths, s] = True
    return Matches(problem=problem, thresholds=steps, ignored=ignored, beyond=np.zeros((1, 0), bool) if beyond is None else beyond, near=near, found=found)


def _best(free: NDArray[np.bool_], ignored: NDArray[np.bool_], owner: Rows) -> NDArray[np.intp]:
    """(S, R, T) place of the last free pair of each owner, one whose truth counts if there is any; -1 for none.

    free: (P, R, T); ignored: (P, R); owner: (P,) ascending.
    """
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(1, len(owner) + 1)[:, None, None]
    counts = np.maximum.reduceat(np.where(free & ~ignored[..., None], place, 0), starts, axis=0)
    others = np.maximum.reduceat(np.where(free & ignored[..., None], place, 0), starts, axis=0)
    return np.where(counts > 0, counts, others) - 1


def _turns(problem: Problem, near: Rows) -> Rows:
    """(H,) how many rivals of the same image and category choose before."""
    image, category = problem.pred_image[near], problem.pred_category[near]
    first = np.flatnonzero((np.diff(image, prepend=-1) != 0) | (np.diff(category, prepend=-1) != 0))
    size = np.diff(np.append(first, len(near)))
    return np.arange(len(near)) - np.repeat(first, size)
