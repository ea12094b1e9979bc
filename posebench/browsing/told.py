"""What an evaluation says of every prediction and of every truth, as columns and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError

from ..errors.cost import lost_by_point
from ..errors.instances import AT, PREDICTION_LABELS, TRUTH_LABELS
from ..errors.labels import LABELS
from ..errors.report import ErrorReport
from ..evaluation import Evaluation
from ..labels import LabelErrors, label_errors
from ..match import match
from ..suspects.telling import columns as told_columns

__all__ = ["Told", "told"]

Columns = Mapping[str, NDArray[Any]]
UNSEEN = "not looked at"
"""Of a prediction that the protocol's max_preds cuts."""
_NAMES = np.array([*LABELS, ""], object)  # -1, no label, is the last


@dataclass(frozen=True, eq=False, kw_only=True)
class Told:
    """Columns and tags of M predictions and N truths; names of kinds that occur."""

    preds: Columns
    pred_tags: list[tuple[str, ...]]
    truths: Columns
    truth_tags: list[tuple[str, ...]]
    found: NDArray[np.intp]
    """(M,) row of the truth that a prediction found at .5; -1 for none, -2 for one that does not count."""
    counted: NDArray[np.bool_]
    """(N,) truths that count."""
    bars: dict[str, dict[str, int]]
    """By kind and keypoint, how many points."""
    notes: tuple[str, ...] = field(default=())


def told(ev: Evaluation, model: str, worst: int, suspects: int) -> Told:
    """All that is said of one model's poses; columns of truths begin with the model's field."""
    report = ev.errors()
    preds, found = _predictions(report, worst)
    truths, counted = _truths(report)
    doubts, notes = _doubted(ev, suspects)
    missing, doubted = _suspects(ev, doubts, suspects)
    truths |= doubted
    preds |= missing
    return Told(
        preds=preds,
        pred_tags=_prediction_tags(report, preds),
        truths={f"{model}_{name}": values for name, values in truths.items()},
        truth_tags=_truth_tags(model, truths),
        found=found,
        counted=counted,
        bars=_bars(report),
        notes=notes,
    )


def _predictions(report: ErrorReport, worst: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.intp]]:
    own, poses, pred = report.labelled, report.poses, report.ev.predictions
    problem, m = own.problem, len(pred)
    rows, mine = problem.rows, problem.rows[own.pred]
    pose, oks, truth = _filled(m, UNSEEN), np.full(m, np.nan), np.full(m, -1)
    pose[rows] = _texts([*PREDICTION_LABELS])[poses.pred]
    oks[rows], truth[rows] = poses.best, poses.best_truth
    oks[mine], truth[mine] = own.oks, own.truth
    k = len(problem.truth.schema)
    error, similarity, cost = np.full((m, k), "", object), np.full((m, k), np.nan), np.full(m, np.nan)
    labels = np.where(own.surplus, "surplus", _NAMES[own.code])
    known = own.code >= 0
    error[np.ix_(mine, problem.columns)] = labels
    similarity[np.ix_(mine, problem.columns)] = np.where(known, own.own, np.nan)
    cost[mine] = lost_by_point(own).sum(1)
    ids = np.array([*problem.truth.instances.id.tolist(), None], object)
    columns = {
        "pose": pose,
        "oks": oks,
        "truth_id": ids[truth],
        "cost": cost,
        "error": error,
        "similarity": similarity,
        "worst": _ranks(report, worst),
    }
    return columns, _found(report)


def _found(report: ErrorReport) -> NDArray[np.intp]:
    """(M,) who found whom at .5, as FiftyOne's evaluation counts: -2 is neither right nor wrong."""
    problem, codes = report.labelled.problem, report.poses.pred
    at = match(problem, report.ev.workings.pairs(), (AT,)).dense()[0]
    found = np.full(len(report.ev.predictions), -2)
    found[problem.rows] = np.where(codes == list(PREDICTION_LABELS).index("ignored"), -2, at)
    return found


def _ranks(report: ErrorReport, worst: int) -> NDArray[Any]:
    """(M,) 1 for the pose that loses most similarity, and so on; none for all the others."""
    rank = np.full(len(report.ev.predictions), None, object)
    own = report.labelled
    if worst:
        rows = own.problem.rows[own.pred]
        lost = lost_by_point(own).sum(1)
        order = np.lexsort((rows, -lost))[:worst]
        order = order[lost[order] > 0]
        rank[rows[order]] = list(range(1, len(order) + 1))
    return rank


def _truths(report: ErrorReport) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    own, poses = report.labelled, report.poses
    problem, n = own.problem, len(report.ev.truth)
    oks, row = np.full(n, np.nan), np.full(n, None, object)
    oks[own.truth], row[own.truth] = own.oks, problem.pred.row[problem.rows[own.pred]]
    return {"found": _texts([*TRUTH_LABELS])[poses.truth], "oks": oks, "prediction": row}, ~problem.ignored


def _doubted(ev: Evaluation, suspects: int) -> tuple[LabelErrors | None, tuple[str, ...]]:
    if not suspects or not len(ev.truth):
        return None, ()
    try:
        found = label_errors(ev)
    except PoseError as e:
        return None, (f"no suspects of labels: {e}",)
    return found, found.notes


def _suspects(ev: Evaluation, found: LabelErrors | None, most: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Columns `suspect`, `doubt`, `why` of predictions, whose annotations may be missing, and of truths."""
    sides = [_nothing(len(ev.predictions)), _nothing(len(ev.truth))]
    if found is not None and len(top := found.top(most)):
        said = told_columns(found, top)
        of_fold = found.folds[0]
        truth, pred = of_fold.truth[found.row[top]], of_fold.pred[found.row[top]]
        for side, rows, mine in ((sides[0], pred, truth < 0), (sides[1], truth, truth >= 0)):
            chosen = np.flatnonzero(mine)
            for name, source in (("suspect", "kind"), ("doubt", "score"), ("why", "sentence")):
                side[name][rows[chosen]] = _texts(list(said[source]))[chosen] if name != "doubt" else np.asarray(said[source])[chosen]
    return sides[0], sides[1]


def _nothing(n: int) -> dict[str, NDArray[Any]]:
    return {"suspect": _filled(n), "doubt": np.full(n, np.nan), "why": _filled(n)}


def _filled(n: int, value: str | None = None) -> NDArray[Any]:
    return np.full(n, value, object)


def _texts(values: list[Any]) -> NDArray[Any]:
    return np.array([*values, None], object)[:-1]


def _prediction_tags(report: ErrorReport, columns: Columns) -> list[tuple[str, ...]]:
    """The label of the pose, and the kinds of errors of its points."""
    kinds = [name for name in (*LABELS, "surplus") if name != "good"]
    has = {kind: (columns["error"] == kind).any(1).tolist() for kind in kinds}
    pose, suspect = columns["pose"].tolist(), columns["suspect"].tolist()
    made = []
    for i, whole in enumerate(pose):
        points = [kind for kind in kinds if has[kind][i]]
        made.append((whole, *points, *(["missing instance"] if suspect[i] else [])))
    return made


def _truth_tags(model: str, columns: Columns) -> list[tuple[str, ...]]:
    """What a model missed, and what is suspect in its eyes; the model is named, for another may see it otherwise."""
    pairs = zip(columns["found"].tolist(), columns["suspect"].tolist(), strict=True)
    return [
        (*([f"{model}: {found}"] if found in ("missed", "badly localised") else []), *([f"{model}: suspect {kind.replace('_', ' ')}"] if kind else []))
        for found, kind in pairs
    ]


def _bars(report: ErrorReport) -> dict[str, dict[str, int]]:
    """By kind that occurs, points of each keypoint."""
    own = report.labelled
    names = [own.problem.truth.schema.names[c] for c in own.problem.columns]
    counted = {kind: own.is_(kind).sum(0) for kind in LABELS if kind != "good"} | {"surplus": own.surplus.sum(0)}
    return {kind: dict(zip(names, n.tolist(), strict=True)) for kind, n in counted.items() if n.any()}
