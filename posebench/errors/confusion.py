"""Which point is taken for which: left for right, and one kind for another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.similarity import keypoint_similarity

from .labels import CODE, Labelled, row_sigmas

__all__ = ["landings", "left_right"]

Rows = NDArray[np.intp]


def landings(labelled: Labelled) -> NDArray[np.intp]:
    """(K, K + 1) counts: rows are predicted points that are said but neither good nor jittered, columns the labelled point of
    the same body they lie nearest to (at .5 or over); the last column is none of them."""
    k = labelled.code.shape[1]
    table = np.zeros((k, k + 1), np.intp)
    poses, points = np.nonzero((labelled.code > CODE["jitter"]) & ~labelled.is_("absent"))
    for start in range(0, len(poses), _POINTS):
        some = slice(start, start + _POINTS)
        np.add.at(table, (points[some], _landed(labelled, poses[some], points[some])), 1)
    return table


_POINTS = 8192
"""Points compared with their whole body at once."""


def _landed(labelled: Labelled, poses: Rows, points: Rows) -> Rows:
    """(n,) the point of its own body that each lies nearest to; K for none."""
    problem, k = labelled.problem, labelled.code.shape[1]
    truth = labelled.truth[poses]
    place = problem.pred_points[problem.rows[labelled.pred[poses]], points, :2]
    sigmas = row_sigmas(problem, truth)[np.arange(len(truth)), points]
    similarity = keypoint_similarity(problem.points[truth], problem.area[truth], sigmas[:, None], place[:, None])
    similarity[~problem.labelled[truth]] = -1
    return np.where(similarity.max(1) >= labelled.rules.near, similarity.argmax(1), k)


def left_right(labelled: Labelled) -> list[dict[str, Any]]:
    """One row for each pair: points near their own side (good or jittered), and near the other."""
    schema, place = labelled.problem.truth.schema, {int(c): i for i, c in enumerate(labelled.problem.columns)}
    rows = []
    for left, right in schema.pairs or ():
        a, b = place.get(schema.index(left)), place.get(schema.index(right))
        if a is None or b is None:
            continue
        own = [int((labelled.is_("good") | labelled.is_("jitter"))[:, c].sum()) for c in (a, b)]
        other = [int(labelled.is_("inversion")[:, c].sum()) for c in (a, b)]
        rows.append({"left": left, "right": right, "left as left": own[0], "left as right": other[0], "right as right": own[1], "right as left": other[1]})
    return rows
