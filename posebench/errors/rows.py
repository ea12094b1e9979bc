"""Rows for tables: the worst poses, and every point of every pose that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from posedata.errors import PoseError

from .cost import lost_by_point
from .instances import PREDICTION_LABELS, TRUTH_LABELS
from .labels import CODE, LABELS
from .report import WHOLE, require_kind

if TYPE_CHECKING:
    from .report import ErrorReport

__all__ = ["keypoint_rows", "worst_rows"]

_NAMES = np.array([*LABELS, ""], object)  # -1 is the last: no label


def worst_rows(report: ErrorReport, n: int, kind: str | None = None, keypoint: str | None = None) -> dict[str, Any]:
    """Columns of the poses that lose most, worst first; ties by row of the predictions."""
    problem = report.labelled.problem
    names = [problem.truth.schema.names[c] for c in problem.columns]
    require_kind(kind, names, keypoint)
    if kind in WHOLE and kind not in LABELS:
        if keypoint is not None:
            raise PoseError("errors: keypoint", f"{kind!r} is a label of whole poses", "name a kind or a keypoint, not both")
        return _missed_truths(report, n) if kind == "missed" else _worst_poses(report, n, kind)
    own = report.labelled
    lost = lost_by_point(own)
    chosen = np.ones(own.code.shape, bool)
    if kind is not None:
        chosen &= own.surplus if kind == "surplus" else own.is_(kind)
    if keypoint is not None:
        chosen &= (np.array(names) == keypoint) & ((own.code >= 0) | own.surplus)
    weight = np.where(chosen, lost, 0.0).sum(1)
    rank = np.where(kind == "surplus", chosen.sum(1), weight)
    order = np.lexsort((problem.rows[own.pred], -rank))
    order = order[chosen[order].any(1)] if kind or keypoint else order
    order = order[:n]
    rows = problem.rows[own.pred[order]]
    labels = np.where(own.surplus[order], "surplus", _NAMES[own.code[order]])  # no point has both
    return {
        **_where(report, problem.rows[own.pred[order]], own.truth[order]),
        "oks": own.oks[order],
        "score": problem.pred.score[rows],
        "lost": weight[order],
        **{f"n {name}": (own.code[order] == CODE[name]).sum(1) for name in LABELS if name != "good" and name in report.counts},
        "n surplus": own.surplus[order].sum(1),
        "labels": [_said(names, line) for line in labels],
        "confidences": [_listed(names, line) for line in problem.pred.keypoints[rows][:, problem.columns, 2]],
        "losses": [_listed(names, line, 3) for line in lost[order]],
    }


def _worst_poses(report: ErrorReport, n: int, kind: str) -> dict[str, Any]:
    """Predictions of a kind, the most confident first."""
    poses, problem = report.poses, report.labelled.problem
    mine = np.flatnonzero(poses.pred == list(PREDICTION_LABELS).index(kind))
    mine = mine[np.argsort(-problem.pred_score[mine], kind="stable")][:n]
    rows = problem.rows[mine]
    return {
        **_where(report, rows, poses.best_truth[mine]),
        "oks": poses.best[mine],
        "score": problem.pred.score[rows],
        "label": [kind] * len(mine),
    }


def _missed_truths(report: ErrorReport, n: int) -> dict[str, Any]:
    """Truths that no prediction is near, the largest first: they are the easiest to see, and all of their similarity is lost."""
    problem, ds = report.labelled.problem, report.ev.truth
    mine = np.flatnonzero(report.poses.truth == list(TRUTH_LABELS).index("missed"))
    mine = mine[np.argsort(-problem.area[mine], kind="stable")][:n]
    nearest = np.zeros(len(problem.area))
    pairs = report.ev.workings.pairs()
    np.maximum.at(nearest, pairs.truth, pairs.oks)
    own = ds.instances
    return {
        "image_id": ds.images.id[own.image[mine]],
        "file": ds.images.file[own.image[mine]],
        "annotation_id": own.id[mine],
        "prediction": [None] * len(mine),
        "category": np.array([c.name for c in ds.categories], object)[own.category[mine]],
        "area": problem.area[mine],
        "points": problem.labelled[mine].sum(1),
        "oks": nearest[mine],
        "label": ["missed"] * len(mine),
    }


def _where(report: ErrorReport, rows: Any, truth: Any) -> dict[str, Any]:
    ds, pred = report.ev.truth, report.ev.predictions
    ids = _or_none(ds.instances.id)
    aligned = report.ev.workings.aligned
    image, category = aligned.image[rows], aligned.category[rows]
    if not report.ev.protocol.per_category:  # predictions need not name one that the truth knows
        category = np.where(truth >= 0, np.append(ds.instances.category, -1)[truth], -1)
    return {
        "image_id": ds.images.id[image],
        "file": ds.images.file[image],
        "annotation_id": ids[truth],
        "prediction": pred.row[rows],
        "category": np.array([c.name for c in ds.categories] + [""], object)[category],
    }


def _or_none(values: Any) -> Any:
    """The values, and None as the last, which row -1 picks."""
    return np.array([*values.tolist(), None], object)


def _said(names: list[str], labels: Any) -> str:
    """The points that are not good, by label."""
    wrong: dict[str, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        if label not in ("good", ""):
            wrong.setdefault(label, []).append(name)
    return "; ".join(f"{label}: {', '.join(points)}" for label, points in wrong.items())


def _listed(names: list[str], values: Any, digits: int = 2) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in zip(names, values.tolist(), strict=True))


def keypoint_rows(report: ErrorReport) -> dict[str, Any]:
    """Columns of the long table: one row per point of each pose that was found."""
    own = report.labelled
    problem, (p, k) = own.problem, own.code.shape
    names = np.array([problem.truth.schema.names[c] for c in problem.columns], object)
    rows = problem.rows[own.pred]
    points = problem.pred.keypoints[rows][:, problem.columns]
    ids = _or_none(problem.truth.instances.id)
    there = _or_none(names)

    def each(values: Any) -> Any:
        return np.repeat(values, k)

    return {
        "image_id": each(problem.truth.images.id[problem.image[own.truth]]),
        "annotation_id": each(problem.truth.instances.id[own.truth]),
        "prediction": each(problem.pred.row[rows]),
        "oks": each(own.oks),
        "keypoint": np.tile(names, p),
        "v": problem.points[own.truth][..., 2].astype(np.int8).ravel(),
        "label": _NAMES[own.code].ravel(),
        "similarity": own.own.ravel(),
        "nearest": own.nearest.ravel(),
        "attracted_by": ids[own.owner].ravel(),
        "attracted_keypoint": there[own.point].ravel(),
        "confidence": points[..., 2].ravel(),
        "x": points[..., 0].ravel(),
        "y": points[..., 1].ravel(),
        "truth_x": problem.points[own.truth][..., 0].ravel(),
        "truth_y": problem.points[own.truth][..., 1].ravel(),
        "lost": lost_by_point(own).ravel(),
        "surplus": own.surplus.ravel(),
    }
