"""Corrections: each wrong point moved to where it would have been without its error, and the similarities that follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posedata.similarity import extent_area, oks

from ..match import Pairs
from ..problem import Problem
from .labels import CODE, Labelled, row_sigmas

__all__ = ["corrected_points", "kinds_mask", "rescored", "with_corrections", "with_optimal_scores"]

Floats = NDArray[np.float64]


def corrected_points(labelled: Labelled) -> Floats:
    """(P, K, 2) each point beside its own place, to the right, as far off as its label allows.

    A miss comes to the similarity where misses end, a jitter to that where it ends; an inversion or a swap keeps the
    similarity it has to the wrong place, now to its own.
    """
    problem, rules = labelled.problem, labelled.rules
    target = np.where(labelled.is_("jitter"), rules.good, np.where(labelled.is_("miss") | labelled.is_("absent"), rules.near, labelled.nearest))
    spread = row_sigmas(problem, labelled.truth) * (1 if rules.legacy else 2)  # the original forgot that its similarity doubles sigma
    with np.errstate(divide="ignore"):
        off = np.sqrt(-2 * np.log(np.clip(target, 1e-300, 1)) * problem.area[labelled.truth][:, None] * spread**2)
    place = problem.points[labelled.truth][..., :2].copy()
    place[..., 0] += off
    return place


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
    cell = problem.rank[problem.pred_image] * problem.kinds + problem.pred_category
    order = np.lexsort((problem.pred.row[problem.rows], -score, cell))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    own = {name: getattr(problem, name)[order] for name in ("rows", "pred_image", "pred_category", "pred_area")}
    moved = place[pairs.pred]
    again = np.argsort(moved, kind="stable")
    return replace(problem, pred_score=score[order], **own), Pairs(pred=moved[again], truth=pairs.truth[again], oks=pairs.oks[again])


def with_optimal_scores(problem: Problem, pairs: Pairs, points: Floats, ignored: NDArray[np.bool_]) -> tuple[Problem, Pairs]:
    """Each pose scored by its largest similarity to a truth that counts, then by soft suppression among its rivals.

    points: (M, K, 2) of the predictions as they now stand.
    """
    best = np.zeros(len(problem.rows))
    counts = ~ignored[pairs.truth]
    np.maximum.at(best, pairs.pred[counts], pairs.oks[counts])
    return rescored(problem, pairs, soft_suppressed(problem, points, best))


def soft_suppressed(problem: Problem, points: Floats, score: Floats) -> Floats:
    """(M,) scores after each best pose of an image has lowered the others by exp(-oks² / .5), best first (soft NMS)."""
    score = score.copy()
    cell = problem.rank[problem.pred_image] * problem.kinds + problem.pred_category
    alive = np.flatnonzero(score > 0)
    sigmas, area = _pred_sigmas(problem), extent_area(points, np.ones(points.shape[:2], bool))
    corners = np.concatenate([points.min(1), points.max(1)], 1) if points.shape[1] else np.zeros((len(points), 4))
    while len(alive):
        order = alive[np.lexsort((-score[alive], cell[alive]))]
        first = np.diff(cell[order], prepend=-1) != 0
        leader, rest = order[first], order[~first]
        chief = np.repeat(leader, np.diff(np.append(np.flatnonzero(first), len(order))) - 1)
        alive = np.sort(rest)
        mean = (area[chief] + area[rest]) / 2
        felt = np.flatnonzero(_gap(corners[chief], corners[rest]) <= _FAR * (2 * sigmas.max()) ** 2 * mean)
        chief, rest, mean = chief[felt], rest[felt], mean[felt]
        likeness = _likeness(points[rest], points[chief], mean, sigmas if len(sigmas) == 1 else sigmas[chief])
        score[rest] *= np.exp(-(likeness**2) / 0.5)
    return score


_FAR = 2 * 22.0
"""Poses whose corners are so far apart have an OKS under 3e-10: exp(-oks² / .5) is 1 in every digit."""


def _gap(a: Floats, b: Floats) -> Floats:
    """Squared distance between two boxes of corners: no point is nearer to its twin."""
    apart = np.maximum(0, np.maximum(a[:, :2] - b[:, 2:], b[:, :2] - a[:, 2:]))
    return np.asarray((apart**2).sum(1))


def _likeness(a: Floats, b: Floats, area: Floats, sigmas: Floats) -> Floats:
    """OKS of poses with poses, over all points."""
    rows = np.arange(len(a))
    return oks(b, np.ones(a.shape[:2], bool), area, sigmas, a, rows, rows)


def _pred_sigmas(problem: Problem) -> Floats:
    """(M, K) or (1, K) sigmas by the category of each prediction."""
    if len(problem.sigmas) == 1:
        return np.nan_to_num(problem.sigmas, nan=1.0)
    table = np.ones((problem.kinds, problem.sigmas.shape[1]))
    table[problem.category] = np.nan_to_num(problem.sigmas, nan=1.0)
    return table[problem.pred_category]
