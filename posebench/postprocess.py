"""What is done to predictions before they are scored: duplicates thinned by similarity, scores made from those of the points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posedata.columns import numbers_of
from posedata.errors import DataError, PoseError, brief, did_you_mean
from posedata.predictions import Predictions
from posedata.similarity import extent_area

__all__ = ["RESCORES", "TIES", "oks_nms", "rescore", "soft_oks_nms"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

TIES: Mapping[str, str] = {
    "stable": "of equal scores the first in the file goes first; what is kept stays in the order of the file",
    "mmpose": "of equal scores the last goes first, similarities have single precision, and what is kept is filed image by image, best first: mmpose 1.x, nms.py. Its argsort()[::-1] turns ties round where the sort is stable; numpy's own is not on every processor",
}
_BLOCK = 1 << 18
"""Coordinates compared at once: their arrays stay in the processor's cache."""


def oks_nms(
    pred: Predictions,
    threshold: float = 0.9,
    sigmas: ArrayLike | None = None,
    area: ArrayLike | None = None,
    ties: str = "stable",
    visible: float | None = None,
) -> Predictions:
    """The predictions left when each drops those of its image that are more similar to it than `threshold`, best scores first.

    Categories are not looked at, as in mmpose. Sigmas are the schema's, areas the extents of the points (mmpose takes those of its
    padded boxes where it has them: area=); a pair is measured by the mean of its two areas. With `visible` only points count whose two confidences are above it. An absent point lies at (0, 0).
    """
    kept = np.ones(len(pred), bool)
    thing = _Thing(pred, threshold, sigmas, area, ties, visible)
    for rows in _equal_crowds(thing.ranked, pred.image):
        kept[rows] = _hard(thing, rows)
    return _filed(pred, thing.ranked[kept[thing.ranked]], ties)


def soft_oks_nms(
    pred: Predictions,
    threshold: float = 0.9,
    sigmas: ArrayLike | None = None,
    area: ArrayLike | None = None,
    ties: str = "stable",
    visible: float | None = None,
    max_preds: int = 20,
    score: str = "filed",
) -> Predictions:
    """The `max_preds` predictions of each image that stay best when a choice lowers the scores of what resembles it by exp(-oks²/threshold).

    As mmpose leaves it, the scores on file stay; score="lowered" gives those that decided.
    """
    if score not in ("filed", "lowered"):
        raise PoseError("soft_oks_nms: score", brief(repr(score)), "filed or lowered")
    thing = _Thing(pred, threshold, sigmas, area, ties, visible)
    order, lowered = np.full(len(pred), -1), pred.score.copy()
    for rows in _equal_crowds(thing.ranked, pred.image):
        chosen, scores = _soft(thing, rows, max_preds)
        order[chosen] = np.arange(chosen.shape[1])
        lowered[chosen] = scores
    images = np.unique(pred.image, return_inverse=True)[1] if len(pred) else np.zeros(0, np.intp)
    first = np.full(len(pred), len(pred))
    np.minimum.at(first, images, np.arange(len(pred)))
    ranked = np.lexsort((order, first[images]))
    changed = pred if score == "filed" else replace(pred, score=lowered)
    return _filed(changed, ranked[order[ranked] >= 0], ties)


class _Thing:
    """What both ways of thinning look at, checked."""

    def __init__(self, pred: Predictions, threshold: float, sigmas: ArrayLike | None, area: ArrayLike | None, ties: str, visible: float | None) -> None:
        if ties not in TIES:
            raise PoseError("nms: ties", brief(repr(ties)), did_you_mean(str(ties), TIES))
        if not 0 < threshold <= 1:
            raise PoseError("nms: threshold", brief(repr(threshold)), "a similarity over 0 and up to 1")
        self.points = np.nan_to_num(pred.keypoints, nan=0.0)
        spread = pred.schema.sigmas if sigmas is None else numbers_of(sigmas, "sigmas")
        self.spread = (spread * 2) ** 2
        own = extent_area(self.points[..., :2], np.ones(self.points.shape[:2], bool)) if area is None else numbers_of(area, "area")
        if self.spread.shape != (len(pred.schema),) or own.shape != (len(pred),):
            raise DataError("nms", f"sigmas {self.spread.shape}, area {own.shape}", f"({len(pred.schema)},) and ({len(pred)},) are needed")
        self.area, self.score, self.threshold, self.visible, self.ties = own, pred.score, threshold, visible, ties
        self.ranked = _ranked(pred, ties)

    def similarity(self, a: Rows, b: Rows) -> NDArray[Any]:
        """(P,) of pairs of rows."""
        found = np.empty(a.shape, np.float32 if self.ties == "mmpose" else np.float64)
        flat, one, other = found.reshape(-1), a.reshape(-1), b.reshape(-1)
        step = max(1, _BLOCK // max(1, 3 * len(self.spread)))
        for start in range(0, len(flat), step):
            part = slice(start, start + step)
            flat[part] = self._pairs(one[part], other[part])
        return found

    def _pairs(self, a: Rows, b: Rows) -> Floats:
        p, q = self.points[a], self.points[b]
        e = (p[..., 0] - q[..., 0]) ** 2 + (p[..., 1] - q[..., 1]) ** 2
        e /= self.spread * 2
        e /= ((self.area[a] + self.area[b]) / 2 + np.spacing(1))[:, None]
        near = np.exp(-e)
        if self.visible is None:
            return near.mean(1)
        seen = (p[..., 2] > self.visible) & (q[..., 2] > self.visible)
        return (near * seen).sum(1) / np.maximum(seen.sum(1), 1)


def _ranked(pred: Predictions, ties: str) -> Rows:
    """All rows, image by image in the order of the file, best first."""
    if not len(pred):
        return np.zeros(0, np.intp)
    _, first, image = np.unique(pred.image, return_index=True, return_inverse=True)
    rank = np.arange(len(pred))
    return np.lexsort((rank if ties == "stable" else -rank, -pred.score, first[image]))


def _equal_crowds(ranked: Rows, image: NDArray[np.generic]) -> Iterator[Rows]:
    """(B, n) ranked rows of the images with n predictions each, some images at a time."""
    starts = np.flatnonzero(np.append(True, image[ranked][1:] != image[ranked][:-1])) if len(ranked) else np.zeros(0, np.intp)
    sizes = np.diff(np.append(starts, len(ranked)))
    for n in np.unique(sizes).tolist():
        mine = starts[sizes == n]
        step = max(1, (1 << 22) // (n * n))  # similarities held at once
        for at in range(0, len(mine), step):
            yield ranked[mine[at : at + step, None] + np.arange(n)]


def _hard(thing: _Thing, rows: Rows) -> NDArray[np.bool_]:
    """(B, n) whether each is kept; rows stand best first."""
    n = rows.shape[1]
    alive = np.ones(rows.shape, bool)
    a, b = np.triu_indices(n, 1)
    close = thing.similarity(rows[:, a], rows[:, b]) > thing.threshold
    for j, start in enumerate(np.searchsorted(a, np.arange(n - 1)).tolist()):
        alive[:, j + 1 :] &= ~(close[:, start : start + n - 1 - j] & alive[:, j, None])
    return alive


def _soft(thing: _Thing, rows: Rows, most: int) -> tuple[Rows, Floats]:
    """(B, m) rows in the order they are chosen, and the scores they then have."""
    count, n = rows.shape
    a, b = np.triu_indices(n, 1)
    likeness = thing.similarity(rows[:, a], rows[:, b])
    near = np.zeros((count, n, n), likeness.dtype)
    near[:, a, b] = near[:, b, a] = likeness
    every = np.arange(count)[:, None]
    order, score = np.tile(np.arange(n), (count, 1)), thing.score[rows].copy()
    chosen, given = [], []
    for _ in range(min(n, most)):
        chosen.append(rows[every[:, 0], order[:, 0]])
        given.append(score[:, 0])
        overlap = near[every, order[:, :1], order[:, 1:]]
        score, order = score[:, 1:] * np.exp(-(overlap**2) / thing.threshold), order[:, 1:]
        # mmpose sorts anew and turns round at every step, so equal scores change places every time
        again = np.argsort(-score, 1, kind="stable") if thing.ties == "stable" else np.argsort(score, 1, kind="stable")[:, ::-1]
        score, order = score[every, again], order[every, again]
    return np.stack(chosen, 1), np.stack(given, 1)


def _filed(pred: Predictions, kept: Rows, ties: str) -> Predictions:
    return pred.take(np.sort(kept)) if ties == "stable" else replace(pred.take(kept), row=np.arange(len(kept)))


# -- scores ------------------------------------------------------------------------------------------


def _mean_above(confidence: Floats, threshold: float) -> Floats:
    """(M,) mean of the confidences above a threshold; 0 where none is."""
    above = confidence > threshold
    return np.where(above, confidence, 0).sum(1) / np.maximum(above.sum(1), 1)


RESCORES: Mapping[str, tuple[str, Callable[[Floats, Floats, float], Floats]]] = {
    "box x keypoints": (
        "the score on file x the mean confidence of the points above the threshold (mmpose 1.x, bbox_keypoint)",
        lambda score, c, t: score * _mean_above(c, t),
    ),
    "keypoints": ("the mean confidence of the points above the threshold", lambda score, c, t: _mean_above(c, t)),
    "box": ("the score on file", lambda score, c, t: score),
    "box + keypoints": (
        "the score on file + the mean and the highest confidence of all points (mmpose 1.x, bbox_rle)",
        lambda score, c, t: score + c.mean(1) + c.max(1),
    ),
}
"""What a score is made from, by name: what it is, and a function of scores, confidences and the threshold."""


def rescore(pred: Predictions, threshold: float = 0.2, mode: str = "box x keypoints") -> Predictions:
    """The predictions with scores made anew from the score on file and the confidences of the points; the header says which."""
    if mode not in RESCORES:
        raise PoseError("rescore: mode", brief(repr(mode)), did_you_mean(str(mode), RESCORES))
    before = pred.header.get("score")
    if before in RESCORES and before not in ("box", mode):
        raise PoseError("rescore", f"the header says that score is {before!r} already", "start from the predictions with the scores of their boxes")
    if before == mode != "box":
        raise PoseError("rescore", f"the header says that score is {mode!r} already", "nothing is left to do")
    confidence = np.where(np.isnan(pred.keypoints[..., 0]), 0.0, pred.keypoints[..., 2])
    return replace(pred, score=RESCORES[mode][1](pred.score, confidence, threshold), header={**pred.header, "score": mode})
