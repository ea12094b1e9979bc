"""Corrections: each wrong point moved to where it would have been without its error, and the similarities that follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posedata.similarity import oks

from ..match import Pairs
from ..problem import Problem
from .labels import CODE, Labelled, row_sigmas

__all__ = ["corrected_points", "kinds_mask", "rescored", "with_corrections", "with_optimal_scores"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def corrected_points(labelled: Labelled) -> Floats:
    """(P, K, 2) each point beside its own place, to the right, as far off as its label allows.

    A miss comes to the similarity where misses end, a jitter to that where it ends; an inversion or a swap keeps the
    similarity it has to the wrong place, now to its own. It comes nearer by a trifle, lest rounding decide whether a pose
    reaches a threshold of just that similarity.
    """
    problem, rules = labelled.problem, labelled.rules
    target = np.where(labelled.is_("jitter"), rules.good, np.where(labelled.is_("miss") | labelled.is_("absent"), rules.near, labelled.nearest))
    spread = row_sigmas(problem, labelled.truth) * (1 if rules.legacy else 2)  # the original forgot that its similarity doubles sigma
    target = target if rules.legacy else target * (1 + _TRIFLE)
    off = np.sqrt(-2 * np.log(np.clip(target, 1e-300, 1)) * problem.area[labelled.truth][:, None] * spread**2)
    place = problem.points[labelled.truth][..., :2].copy()
    place[..., 0] += off
    return place


_TRIFLE = 1e-9


def with_corrections(labelled: Labelled, pairs: Pairs, mask: NDArray[np.bool_], corrected: Floats) -> Pairs:
    """The pairs after the points under `mask` were moved: all similarities of the changed poses, with every truth."""
    problem = labelled.problem
    changed = np.flatnonzero(mask.any(1))
    if not len(changed):
        return pairs
    points = problem.pred_points[problem.rows[labelled.pred[changed]]][..., :2]
    points = np.where(mask[changed][..., None], corrected[changed], points)
    place = np.full(len(problem.rows), -1)
    place[labelled.pred[changed]] = np.arange(len(changed))
    again = np.flatnonzero(place[pairs.pred] >= 0)
    similarity = pairs.oks.copy()
    similarity[again] = oks(
        problem.points, problem.labelled, problem.area, problem.sigmas, points, pairs.truth[again], place[pairs.pred[again]], problem.truth.instances.bbox
    )
    return replace(pairs, oks=similarity)


def kinds_mask(labelled: Labelled, kinds: tuple[str, ...]) -> NDArray[np.bool_]:
    """(P, K) points with one of these labels."""
    return np.isin(labelled.code, [CODE[k] for k in kinds if k in CODE])


# -- scores ------------------------------------------------------------------------------------------


def rescored(problem: Problem, pairs: Pairs, score: Floats) -> tuple[Problem, Pairs]:
    """The same poses served by other scores."""
    order = np.lexsort((problem.pred.row[problem.rows], -score, problem.cell))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    own = {name: getattr(problem, name)[order] for name in ("rows", "pred_image", "pred_category", "pred_area")}
    moved = place[pairs.pred]
    again = np.argsort(moved, kind="stable")
    return replace(problem, pred_score=score[order], **own), Pairs(pred=moved[again], truth=pairs.truth[again], oks=pairs.oks[again])


def with_optimal_scores(problem: Problem, pairs: Pairs, changed: Rows, corrected: Floats, ignored: NDArray[np.bool_]) -> tuple[Problem, Pairs]:
    """Each pose scored by its largest similarity to a truth that counts, then by soft suppression among its rivals.

    changed: (P,) the predictions that were corrected, to the points corrected: (P, K, 2).
    """
    best = np.zeros(len(problem.rows))
    counts = ~ignored[pairs.truth]
    np.maximum.at(best, pairs.pred[counts], pairs.oks[counts])
    living = np.flatnonzero(best > 0)
    points = problem.pred_points[problem.rows[living], :, :2]
    inside = best[changed] > 0
    points[np.searchsorted(living, changed[inside])] = corrected[inside]
    best[living] = soft_suppressed(problem, living, points, best[living])
    return rescored(problem, pairs, best)


def soft_suppressed(problem: Problem, living: Rows, points: Floats, score: Floats) -> Floats:
    """(P,) scores of these predictions after each best one of an image has lowered the others by exp(-oks² / .5), best first (soft NMS)."""
    cell, own = problem.cell[living], score.copy()
    sigmas, has = _pred_sigmas(problem, living)
    corners = _corners(points, has)
    area = np.prod(np.maximum(corners[:, 2:] - corners[:, :2], 0), axis=1)
    reach = _FAR * (2 * sigmas.max(initial=0)) ** 2
    alive = np.arange(len(living))
    while len(alive):
        leaders, size = _leaders(cell[alive], own[alive])
        chief, alive = np.repeat(alive[leaders], size - 1), np.delete(alive, leaders)
        mean = (area[chief] + area[alive]) / 2
        felt = np.flatnonzero(_gap(corners[chief], corners[alive]) <= reach * mean)
        a, b, rows = chief[felt], alive[felt], np.arange(len(felt))
        likeness = oks(points[a], has[a], mean[felt], sigmas if len(sigmas) == 1 else sigmas[a], points[b], rows, rows)
        own[b] *= np.exp(-(likeness**2) / 0.5)
    return own


def _leaders(cell: Rows, score: Floats) -> tuple[Rows, Rows]:
    """Place of the highest score of each cell, the first of equals; and how many stand in it. Cells stand together."""
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    size = np.diff(np.append(first, len(cell)))
    top = np.flatnonzero(score == np.repeat(np.maximum.reduceat(score, first), size))
    return top[np.searchsorted(top, first)], size


_FAR = 2 * 22.0
"""Poses whose corners are so far apart have an OKS under 3e-10: exp(-oks² / .5) is 1 in every digit."""


def _gap(a: Floats, b: Floats) -> Floats:
    """Squared distance between two boxes of corners: no point is nearer to its twin."""
    apart = np.maximum(0, np.maximum(a[:, :2] - b[:, 2:], b[:, :2] - a[:, 2:]))
    return np.asarray((apart**2).sum(1))


def _corners(points: Floats, has: NDArray[np.bool_]) -> Floats:
    """(M, 4) the lowest x and y of each pose, and the highest; infinitely far where it has no point."""
    corners = np.empty((len(points), 4))
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        xy = np.ascontiguousarray(points[rows].transpose(1, 2, 0))  # points first: numpy then compares whole rows
        there = has[rows].T[:, None] & ~np.isnan(xy)
        corners[rows, :2] = np.where(there, xy, np.inf).min(0, initial=np.inf).T
        corners[rows, 2:] = np.where(there, xy, -np.inf).max(0, initial=-np.inf).T
    return corners


_BLOCK = 4096
"""Poses copied at once."""


def _pred_sigmas(problem: Problem, preds: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """(P, K) or (1, K) sigmas by the category of these predictions; and (P, K) the points that it has."""
    if len(problem.sigmas) == 1:
        sigmas = problem.sigmas
        has = np.broadcast_to(~np.isnan(sigmas), (len(preds), sigmas.shape[1]))
    else:
        table = np.full((problem.kinds, problem.sigmas.shape[1]), np.nan)
        table[problem.category] = problem.sigmas
        sigmas = table[problem.pred_category[preds]]
        has = ~np.isnan(sigmas)
    return np.nan_to_num(sigmas, nan=1.0), has
