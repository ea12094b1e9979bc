"""Cases: the poses that a person should look at, a few of each kind of error, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors.cost import lost_by_point
from ..errors.instances import PREDICTION_LABELS, TRUTH_LABELS
from ..errors.labels import ERRORS, LABELS
from ..errors.report import ErrorReport

__all__ = ["KINDS", "Case", "case_of", "pick"]

KINDS = (*ERRORS, "surplus", *(name for name in PREDICTION_LABELS if name not in ("ignored", "good")), "missed")
"""Kinds by which cases are chosen and filtered: of points, then of whole poses."""
_NAMES = (*LABELS, "")


@dataclass(frozen=True)
class Case:
    """One pose, and what is wrong with it."""

    truth: int
    """Row of the truth; -1 for none."""
    pred: int
    """Row of the predictions; -1 for none."""
    image: int
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    """Of each scored point; '' where it has none."""
    similarity: tuple[float, ...]
    """Of each scored point to its own place."""
    oks: float
    score: float
    area: float

    def wrong(self) -> dict[str, list[int]]:
        """Places of the scored points that are not good, by label."""
        found: dict[str, list[int]] = {}
        for k, label in enumerate(self.labels):
            if label not in ("", "good"):
                found.setdefault(label, []).append(k)
        return found


def pick(report: ErrorReport, n: int) -> list[Case]:
    """At most `n` cases: the one that loses most, the worst of each kind, the next of each, none twice."""
    queues = [_by_loss(report), *(_worst(report, kind) for kind in KINDS)]
    chosen: dict[tuple[str, int], None] = {}
    for key in _in_turn([_keys(report, queue, n) for queue in queues]):
        if len(chosen) >= n:
            break
        chosen.setdefault(key)
    return [case_of(report, *key) for key in chosen]


def _in_turn(queues: Sequence[Sequence[tuple[str, int]]]) -> Iterator[tuple[str, int]]:
    """The first of each, the second of each, ..."""
    for place in range(max(map(len, queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))


Queue = tuple[str, NDArray[np.intp]]
"""What the rows are of, and the rows, the worst first: poses that were 'found', predictions ('pred') of the problem, or truths ('truth')."""


def _by_loss(report: ErrorReport) -> Queue:
    order = np.argsort(report.labelled.oks, kind="stable")
    wrong = [row for row in order.tolist() if (report.labelled.code[row] > 0).any()]
    return "found", np.array(wrong, np.intp)


def _worst(report: ErrorReport, kind: str) -> Queue:
    """Rows of one kind."""
    own, poses, problem = report.labelled, report.poses, report.labelled.problem
    if kind == "missed":
        rows = np.flatnonzero(poses.truth == list(TRUTH_LABELS).index(kind))
        return "truth", rows[np.argsort(-problem.area[rows], kind="stable")]
    if kind in PREDICTION_LABELS:
        rows = np.flatnonzero(poses.pred == list(PREDICTION_LABELS).index(kind))
        return "pred", rows[np.argsort(-problem.pred_score[rows], kind="stable")]
    chosen = own.surplus if kind == "surplus" else own.is_(kind)
    weight = chosen.sum(1) if kind == "surplus" else np.where(chosen, lost_by_point(own), 0.0).sum(1)
    rows = np.flatnonzero(chosen.any(1))
    return "found", rows[np.argsort(-weight[rows], kind="stable")]


def _keys(report: ErrorReport, queue: Queue, n: int) -> list[tuple[str, int]]:
    """The first rows; a prediction that found a truth under the name that other queues have for it."""
    what, rows = queue
    first = rows[: 2 * n].tolist()
    if what != "pred":
        return [(what, row) for row in first]
    found = {int(m): p for p, m in enumerate(report.labelled.pred)}
    return [("found", found[m]) if m in found else ("pred", m) for m in first]


def case_of(report: ErrorReport, what: str, row: int) -> Case:
    """A 'found' pose of `labelled`, a 'pred' of the problem, or a 'truth', by its row."""
    own, poses, problem = report.labelled, report.poses, report.labelled.problem
    blank: dict[str, Any] = {"labels": ("",) * len(problem.columns), "similarity": (0.0,) * len(problem.columns)}
    if what == "truth":
        nothing = {"pred": -1, "kinds": ("missed",), "oks": _nearest(report, row), "score": float("nan"), **blank}
        return Case(truth=row, image=int(problem.image[row]), area=float(problem.area[row]), **nothing)
    m = int(own.pred[row]) if what == "found" else row
    truth = int(own.truth[row]) if what == "found" else int(poses.best_truth[m])
    label = list(PREDICTION_LABELS)[poses.pred[m]]
    whole = (label,) if label in KINDS else ()
    shared: dict[str, Any] = {
        "truth": truth,
        "pred": int(problem.rows[m]),
        "image": int(problem.pred_image[m]),
        "score": float(problem.pred_score[m]),
        "area": float(problem.area[truth] if truth >= 0 else problem.pred_area[m]),
    }
    if what == "pred":
        return Case(**shared, kinds=whole, oks=float(poses.best[m]), **blank)
    labels = tuple("surplus" if extra else _NAMES[code] for code, extra in zip(own.code[row].tolist(), own.surplus[row].tolist(), strict=True))
    kinds = tuple(kind for kind in KINDS if kind in labels)
    return Case(**shared, kinds=(*kinds, *whole), labels=labels, similarity=tuple(own.own[row].tolist()), oks=float(own.oks[row]))


def _nearest(report: ErrorReport, truth: int) -> float:
    """The highest similarity that any prediction has to a truth."""
    pairs = report.ev.workings.pairs()
    return float(pairs.oks[pairs.truth == truth].max(initial=0.0))
