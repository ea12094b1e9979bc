"""Metrics of distance over paired truths and predictions, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean

from ..pairing import Paired
from .means import Averaged, Judged, Measured, means_by_keypoint
from .norms import NORMS, Pair, norm_of, norm_text
from .presets import MMPOSE, PCK_RULES, POSEBENCH
from .rules import COMPARE, POINTS, PCKRule

__all__ = [
    "DISTANCE_METRICS",
    "DistanceMetric",
    "NME_NORMS",
    "auc",
    "epe",
    "judged",
    "judged_distance",
    "mean_distance",
    "nme",
    "pck",
    "pck_rule",
    "per_keypoint",
    "percentile",
    "rmse",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NME_NORMS: Mapping[str, str | Pair] = {
    "horse10": (0, 1),
    "300w": (36, 45),
    "wflw": (60, 72),
    "cofw": (8, 9),
    "lapa": (66, 79),
    "wholebody-face": (36, 45),
    "aflw": "box side",
}
"""What each benchmark divides by in mmpose: points by number in its own order (eye corners; Horse-10: nose and eye), or a norm."""


# -- PCK ---------------------------------------------------------------------------------------------


def pck_rule(name: str = "") -> PCKRule:
    """The rule of that name; ours without one."""
    if name and name not in PCK_RULES:
        raise PoseError(f"PCK.{brief(name)}", "no such rule", did_you_mean(name, PCK_RULES))
    return PCK_RULES[name] if name else POSEBENCH


def pck(paired: Paired, rule: PCKRule = POSEBENCH, at: float | None = None, weights: Floats | None = None) -> Measured:
    """Share of correct keypoints by that rule; without `at` the mean over the rule's own thresholds."""
    return Averaged(judged(paired, rule, at), rule.unit).measured(weights)


def per_keypoint(paired: Paired, rule: PCKRule = POSEBENCH, at: float | None = None, weights: Floats | None = None) -> tuple[Floats, NDArray[np.intp]]:
    """(K,) share correct of each kind of point and (K,) how many count; NaN where none does."""
    return means_by_keypoint(judged(paired, rule, at), weights)


def judged(paired: Paired, rule: PCKRule, at: float | None = None) -> Judged:
    """Which points count by the rule, and at what share of the thresholds each is correct."""
    if paired.pairing != rule.pairing:
        raise PoseError(rule.where, f"{paired.pairing} pairs where the rule has {rule.pairing} ones", f"rule.replace(pairing={paired.pairing!r}) takes them")
    thresholds = [rule.threshold(t) for t in (rule.thresholds if at is None else (at,))]
    counts = _counts(paired, rule)
    norm = norm_of(paired, rule.norm, counts, rule.where)
    distance = _distance(paired, norm, POINTS[rule.points].located(paired))
    return Judged.of(_reached(distance, thresholds, rule.compare), counts & _known(norm), paired.category)


def _counts(paired: Paired, rule: PCKRule) -> Bools:
    counts = paired.counted & POINTS[rule.points].counted(paired)
    for point in rule.without:
        counts[:, paired.column(point, rule.where)] = False
    if rule.unfound == "out":
        counts &= paired.found[:, None]
    if rule.absent == "out":
        counts &= ~(paired.absent & paired.found[:, None])
    return counts


def _known(norm: Floats) -> Bools:
    """(N, 1) whether the truth has a norm."""
    return np.asarray(~np.isnan(norm).any(1) if norm.ndim == 2 else ~np.isnan(norm), bool)[:, None]


def _distance(paired: Paired, norm: Floats, located: Bools) -> Floats:
    """(N, K) distances over the norm; NaN where either side has no place."""
    dx, dy = (paired.pred[..., axis] - paired.points[..., axis] for axis in (0, 1))
    distance = np.hypot(dx / norm[:, :1], dy / norm[:, 1:]) if norm.ndim == 2 else np.hypot(dx, dy) / norm[:, None]
    return np.where(located & ~paired.absent, distance, np.nan)


def _reached(distance: Floats, thresholds: Sequence[float], compare: str) -> Floats:
    """(N, K) share of the thresholds that each point reaches; NaN reaches none."""
    return sum((COMPARE[compare](distance, t).astype(np.float64) for t in thresholds), np.zeros(distance.shape)) / len(thresholds)


def auc(paired: Paired, pixels: float = 30.0, steps: int = 20, weights: Floats | None = None) -> Measured:
    """Mean PCK at 0, 1, ..., steps - 1 of `steps` parts of so many pixels, as mmpose has it: strict, a mean over kinds of points.

    Nothing lies strictly within 0, so a perfect prediction has 1 - 1 / steps. What was not found or is absent is wrong.
    """
    return Averaged(_judged_steps(paired, pixels, steps), MMPOSE.unit).measured(weights)


def _judged_steps(paired: Paired, pixels: float, steps: int = 20) -> Judged:
    if pixels <= 0 or steps < 1:
        raise PoseError("AUC", f"{steps} steps of {pixels:g} pixels", "both are over 0: AUC@30")
    counts = _counts(paired, MMPOSE)
    distance = _distance(paired, np.full(len(paired), float(pixels)), paired.labelled)
    reached = _reached(distance, [i / steps for i in range(steps)], MMPOSE.compare)
    return Judged.of(reached, counts, paired.category)


# -- distances ---------------------------------------------------------------------------------------


def judged_distance(paired: Paired, norm: str | Pair = "pixels", confidence: float | None = None, where: str = "EPE") -> Judged:
    """Distances of labelled points over a norm; what was not found, or is absent, or is less confident than asked, is left out."""
    counts = paired.counted & paired.labelled & ~paired.absent
    if confidence is not None:
        counts &= paired.pred[..., 2] >= confidence
    lengths = norm_of(paired, norm, counts, where)
    return Judged.of(_distance(paired, lengths, counts), counts & _known(lengths), paired.category)


def epe(paired: Paired, weights: Floats | None = None) -> Measured:
    """Mean distance in pixels over all labelled points; unfound truths and absent points are left out."""
    return mean_distance(paired, None, weights)


def mean_distance(paired: Paired, confidence: float | None = None, weights: Floats | None = None) -> Measured:
    """As `epe`, of points at least so confident: what DeepLabCut prints as RMSE, although no square is taken."""
    return Averaged(judged_distance(paired, confidence=confidence)).measured(weights)


def rmse(paired: Paired, weights: Floats | None = None) -> Measured:
    """Square root of the mean squared distance in pixels, over the points of `epe`."""
    return _rmse(paired, "", None).measured(weights)


def percentile(paired: Paired, share: float = 50.0, weights: Floats | None = None) -> Measured:
    """Distance in pixels within which that percentage of the points of `epe` lies: 50 is the median."""
    return _percentile(paired, "", share).measured(weights)


def nme(paired: Paired, norm: str | Pair = "box side", weights: Floats | None = None) -> Measured:
    """Mean of distance over norm, over the points of `epe`; the norm is a benchmark of NME_NORMS, a name of NORMS, or two points.

    Truths in which a point of the pair is not labelled are left out.
    """
    return _normalised(paired, norm).measured(weights)


def _normalised(paired: Paired, norm: str | Pair) -> Averaged:
    if isinstance(norm, str) and norm not in NME_NORMS and norm not in NORMS:
        raise PoseError(f"NME.{brief(norm)}", "no such norm", did_you_mean(norm, [*NME_NORMS, *NORMS]))
    where = f"NME.{norm}" if isinstance(norm, str) else "NME"
    chosen = NME_NORMS.get(norm, norm) if isinstance(norm, str) else norm
    return Averaged(judged_distance(paired, chosen, where=where))


# -- the table ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DistanceMetric:
    """One name of `NAME[.variant][@number]`, what it means, and how it is measured."""

    judge: Callable[[Paired, str, float | None], Averaged]
    """(paired, variant, number); '' and None stand for what is usual."""
    formula: str
    unit: str
    best: float
    """Of a perfect prediction."""
    number: str = ""
    """What stands behind the @; empty for nothing."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """In words, by name."""
    source: str = ""

    def measure(self, paired: Paired, variant: str = "", number: float | None = None, weights: Floats | None = None) -> Measured:
        """The number; weights (N,) say how often each truth is in the set."""
        return self.judge(paired, variant, number).measured(weights)


def _pck(paired: Paired, variant: str, at: float | None) -> Averaged:
    rule = pck_rule(variant)
    return Averaged(judged(paired, rule, at), rule.unit)


def _auc(paired: Paired, variant: str, at: float | None) -> Averaged:
    return Averaged(_judged_steps(paired, 30.0 if at is None else at), MMPOSE.unit)


def _epe(paired: Paired, variant: str, at: float | None) -> Averaged:
    return Averaged(judged_distance(paired, confidence=at))


def _nme(paired: Paired, variant: str, at: float | None) -> Averaged:
    return _normalised(paired, variant or "box side")


def _rmse(paired: Paired, variant: str, at: float | None) -> Averaged:
    own = judged_distance(paired, where="RMSE")
    return Averaged(Judged(own.value**2, own.counts, own.category), root=True)


def _percentile(paired: Paired, variant: str, at: float | None) -> Averaged:
    share = 50.0 if at is None else at
    if not 0 <= share <= 100:
        raise PoseError(f"Distance@{share:g}", "no percentage", "from 0 to 100: Distance@95")
    return Averaged(judged_distance(paired, where="Distance"), share=share)


_LEFT_OUT = "labelled points; unfound truths and absent points are left out"

_TABLE: dict[str, Any] = {
    "PCK": DistanceMetric(
        judge=_pck,
        formula="share of points with distance <= @ x norm, by the seven choices of a rule",
        unit="share",
        best=1,
        number="threshold, a share of the norm",
        variants={name: rule.summary for name, rule in PCK_RULES.items()},
        source="Yang & Ramanan 2013; each rule names its own",
    ),
    "AUC": DistanceMetric(
        judge=_auc,
        formula="mean of PCK at 0, .05, ..., .95 of @ pixels (30), strict, mean over kinds of points; a perfect one has .95",
        unit="share",
        best=0.95,
        number="pixels",
        source="mmpose 1.3, AUC",
    ),
    "EPE": DistanceMetric(
        judge=_epe,
        formula=f"mean of distance, {_LEFT_OUT}",
        unit="pixels",
        best=0,
        number="least confidence of the points that enter; DeepLabCut's RMSE and RMSE with cutoff",
        source="mmpose 1.3, EPE; DeepLabCut 3, compute_rmse",
    ),
    "RMSE": DistanceMetric(judge=_rmse, formula=f"sqrt(mean of squared distance), {_LEFT_OUT}", unit="pixels", best=0, source="the usual definition"),
    "Distance": DistanceMetric(
        judge=_percentile,
        formula=f"distance within which @ percent (50) of the points lie, {_LEFT_OUT}",
        unit="pixels",
        best=0,
        number="percent",
        source="SLEAP-nn 0.3, Evaluator.distance_metrics",
    ),
    "NME": DistanceMetric(
        judge=_nme,
        formula=f"mean of distance / norm, {_LEFT_OUT}",
        unit="norm",
        best=0,
        variants={name: norm_text(norm) if isinstance(norm, str) else f"points {norm[0]} and {norm[1]}" for name, norm in NME_NORMS.items()},
        source="mmpose 1.3, NME",
    ),
}

DISTANCE_METRICS: Mapping[str, DistanceMetric] = MappingProxyType(_TABLE)
"""By name: what `ev["PCK.mmpose@0.05"]`, the list of metrics, the docs and the laws of the tests read."""
