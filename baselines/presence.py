"""Whether a keypoint is there: logits made probabilities by a line fitted on data the model has not learned from."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.errors import DataError

__all__ = ["Calibration", "fit_calibration", "judge", "set_calibration"]


class Calibration(NamedTuple):
    """probability = 1 / (1 + exp(-(slope * logit + intercept)))"""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of raw logits, of any shape."""
        return _sigmoid(self.slope * np.asarray(logits, np.float64) + self.intercept)


def fit_calibration(logits: NDArray[Any], present: NDArray[Any], known: NDArray[Any] | None = None) -> Calibration:
    """The line through the logits under which what happened was likeliest (Platt 1999, with his softened targets, so that it is finite).

    logits, present: (N, K) raw logits of unseen data, and whether each point is labelled; known: (N, K) whether its source could have labelled it.
    With fewer than two distinct logits nothing can be learned but their mean; with none the line is the identity.
    """
    chosen = np.ones(np.shape(logits), bool) if known is None else np.asarray(known, bool)
    if not np.shape(logits) == np.shape(present) == chosen.shape:
        raise DataError("presence", f"logits {np.shape(logits)}, present {np.shape(present)}, known {chosen.shape}", "give all three one shape")
    x, happened = np.asarray(logits, np.float64)[chosen], np.asarray(present, bool)[chosen]
    if not np.isfinite(x).all():
        raise DataError("presence", f"{int((~np.isfinite(x)).sum()):,} of {x.size:,} logits are not finite", "calibrate a model whose outputs are numbers")
    if not x.size:
        return Calibration()
    yes, no = int(happened.sum()), int((~happened).sum())
    target = np.where(happened, (yes + 1) / (yes + 2), 1 / (no + 2))
    return _climbed(x, target) if np.ptp(x) > 1e-9 and yes and no else _level(target.mean())


def _climbed(x: NDArray[np.float64], target: NDArray[np.float64]) -> Calibration:
    """Newton's method on the (convex) loss of a logistic line, in units of the logits' own spread; a step that does not help is halved."""
    middle, spread = float(x.mean()), float(x.std())
    design = np.stack([(x - middle) / spread, np.ones_like(x)], 1)
    line = np.array([0.0, math.log(target.mean() / (1 - target.mean()))])
    for _ in range(100):
        p = _sigmoid(design @ line)
        slope = design.T @ (p - target)
        bend = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        while _loss(design @ (line - step), target) > _loss(design @ line, target) + 1e-12 and np.abs(step).max() > 1e-10:
            step = step / 2
        line = line - step
        if np.abs(step).max() < 1e-9:
            break
    a, b = line[0] / spread, line[1] - line[0] * middle / spread
    return Calibration(float(a), float(b)) if a > 0 else _level(float(target.mean()))  # a falling line would call the likely unlikely


def _level(share: float) -> Calibration:
    """The same probability for everything: all that data without a rising trend supports."""
    return Calibration(0.0, math.log(share / (1 - share)))


def _loss(logit: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, logit) - target * logit).sum())


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0, -z))


def set_calibration(model: Any, line: Calibration) -> None:
    """Put a line into a model's presence output, where weights files and exports keep it. It replaces the former one: fit on logits of `Calibration()`."""
    model.presence.line.copy_(model.presence.line.new_tensor(line))


def judge(points: NDArray[Any], presence: NDArray[Any] | None) -> NDArray[np.float64]:
    """Points with a confidence between 0 and 1: the height of the peak, times the probability that the point is there at all.

    points: (N, K, 3) decoded; presence: (N, K) calibrated logits, or None -> (N, K, 3)
    """
    judged = np.array(points, np.float64)
    judged[..., 2] = np.clip(judged[..., 2], 0, 1)
    if presence is not None:
        judged[..., 2] *= _sigmoid(np.asarray(presence, np.float64))
    return judged
