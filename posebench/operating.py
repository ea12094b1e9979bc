"""Operating points: what the predictions are worth once a confidence is chosen; and the curves to choose it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief
from posedata.similarity import keypoint_similarity

from .match import Matches
from .workings import Workings

__all__ = ["PrecisionRecall", "OperatingPoint", "Presence", "best_point", "calibration", "operating_point", "precision_recall", "presence", "similarities"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """Counts of whole poses at a confidence, at one similarity."""

    confidence: float
    similarity: float
    found: int
    """Predictions that found a truth that counts."""
    false: int
    """Predictions that found nothing."""
    missed: int
    """Truths that count and were not found."""

    @property
    def precision(self) -> float:
        return _share(self.found, self.found + self.false)

    @property
    def recall(self) -> float:
        return _share(self.found, self.found + self.missed)

    @property
    def f1(self) -> float:
        return _share(2 * self.found, 2 * self.found + self.false + self.missed)

    def to_dict(self) -> dict[str, Any]:
        return {
            "confidence": self.confidence, "similarity": self.similarity, "precision": self.precision, "recall": self.recall, "f1": self.f1,
            "found": self.found, "false": self.false, "missed": self.missed,
        }  # fmt: skip


@dataclass(frozen=True)
class Presence:
    """Whether the model says a point where there is one, on the poses it found."""

    confidence: float
    right: int
    """Points said and labelled."""
    surplus: int
    """Points said where the truth has none."""
    silent: int
    """Labelled points not said."""

    @property
    def precision(self) -> float:
        return _share(self.right, self.right + self.surplus)

    @property
    def recall(self) -> float:
        return _share(self.right, self.right + self.silent)

    @property
    def f1(self) -> float:
        return _share(2 * self.right, 2 * self.right + self.surplus + self.silent)


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall after each prediction that counts, best score first; all categories together."""

    score: Floats
    precision: Floats
    recall: Floats
    truths: int

    @property
    def f1(self) -> Floats:
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _counted(workings: Workings, similarity: float, where: str) -> tuple[Floats, NDArray[np.bool_], int]:
    """(scores, found a truth that counts) of the predictions that count, best first, and the truths."""
    t = workings.threshold(similarity, "similarity")
    workings.require_where(where, "where")
    if not workings.has_part(where):
        return np.zeros(0), np.zeros(0, bool), 0
    scores, hits, truths = [], [], 0
    problem, level = workings.problem(where), workings.level_weights(where)
    inside = np.ones(len(problem.rank), bool) if level is None else level > 0
    for ranking in workings.ranked(where):
        hit, idle = ranking.marks(t)
        counts = ~idle & inside[ranking.image]
        scores.append(problem.pred_score[ranking.order][counts])
        hits.append(hit[counts])
        truths += int(inside[ranking.truth_image].sum())
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    return score[order], hit[order], truths


def precision_recall(workings: Workings, similarity: float = 0.5, where: str = "") -> PrecisionRecall:
    """The plain curve, not its envelope; a category without truths adds its false positives."""
    score, hit, truths = _counted(workings, similarity, where)
    positive = np.cumsum(hit)
    return PrecisionRecall(score, positive / np.arange(1, len(hit) + 1), positive / truths if truths else np.full(len(hit), np.nan), truths)


def operating_point(workings: Workings, confidence: float, similarity: float = 0.5, where: str = "") -> OperatingPoint:
    """Counts of the predictions with this score or a better one."""
    score, hit, truths = _counted(workings, similarity, where)
    kept = hit[score >= confidence]
    return OperatingPoint(float(confidence), float(similarity), int(kept.sum()), int((~kept).sum()), truths - int(kept.sum()))


def best_point(workings: Workings, similarity: float = 0.5, where: str = "") -> OperatingPoint:
    """The confidence of the highest F1; the highest of several. Equal scores stand or fall together."""
    score, hit, truths = _counted(workings, similarity, where)
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.zeros(0, np.intp)
    if not truths or not len(last):
        return OperatingPoint(float("nan"), float(similarity), 0, 0, truths)
    found = np.cumsum(hit)[last]
    f1 = 2 * found / (last + 1 + truths)
    return operating_point(workings, float(score[last[int(np.argmax(f1))]]), similarity, where)


# -- single points of the poses that were found ------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Found:
    """P truths that count beside the predictions that attempt them."""

    labelled: NDArray[np.bool_]
    annotated: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    confidence: Floats
    similarity: Floats
    oks: Floats


def _found(workings: Workings) -> _Found:
    matches = workings.attempts()
    problem = matches.problem
    pred, truth = found_pairs(matches)
    rows = problem.rows[pred]
    sigmas = problem.sigmas if len(problem.sigmas) == 1 else problem.sigmas[truth]
    points = problem.pred.keypoints[rows]
    labelled = problem.labelled[truth]
    similarity = keypoint_similarity(problem.points[truth], problem.area[truth], np.nan_to_num(sigmas, nan=1.0), points)
    kept = np.maximum(labelled.sum(1), 1)
    return _Found(
        labelled, problem.truth.instances.annotated[truth], problem.pred.absent[rows], points[..., 2], similarity, (similarity * labelled).sum(1) / kept
    )


def found_pairs(matches: Matches) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(prediction, truth) of every truth that counts and was found, at the first threshold."""
    truth = matches.found[:, 0, 0]
    kept = (truth >= 0) & ~matches.ignored[0][truth]
    return matches.near[kept], truth[kept].astype(np.intp)


def presence(workings: Workings, confidence: float = 0.0) -> Presence:
    """Points with more than this confidence against labelled ones; points that the truth's source lacks are no surplus."""
    found = _found(workings)
    said = ~found.absent & (found.confidence > confidence)
    return Presence(
        float(confidence), int((said & found.labelled).sum()), int((said & ~found.labelled & found.annotated).sum()), int((~said & found.labelled).sum())
    )


def similarities(workings: Workings) -> tuple[Floats, Floats]:
    """OKS of the poses found, and the similarity of their labelled points."""
    found = _found(workings)
    return found.oks, found.similarity[found.labelled]


def calibration(workings: Workings, bins: int = 10, good: float = 0.5) -> dict[str, Any]:
    """How often points of a confidence are right (similarity at `good` or over): per bin the mean confidence, the share, and n.

    `error` is the expected calibration error: the mean distance of the two, weighted by n. Confidences beyond 0 and 1 are no
    probabilities; then it is NaN.
    """
    if not isinstance(bins, int) or isinstance(bins, bool) or bins < 1:
        raise PoseError("calibration", f"bins={brief(repr(bins))}", "a whole number from 1 on")
    found = _found(workings)
    said = found.labelled & ~found.absent
    confidence, right = found.confidence[said], found.similarity[said] >= good
    probable = bool(len(confidence)) and confidence.min() >= 0 and confidence.max() <= 1
    low, high = (0.0, 1.0) if probable or not len(confidence) else (float(confidence.min()), float(confidence.max()))
    ends = np.linspace(low, high if high > low else low + 1, bins + 1)
    place = np.clip(np.searchsorted(ends, confidence, side="right") - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, share = np.bincount(place, confidence, bins) / n, np.bincount(place, right, bins) / n
    error = float(np.nansum(np.abs(mean - share) * n) / n.sum()) if probable else float("nan")
    return {"from": ends[:-1], "to": ends[1:], "confidence": mean, "right": share, "n": n, "error": error}
