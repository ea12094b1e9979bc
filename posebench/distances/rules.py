"""PCKRule: the seven choices that make one PCK, and the words for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean

from ..pairing import PAIRINGS, Paired
from .norms import NORMS, Pair, norm_text

__all__ = ["COMPARE", "POINTS", "PCKRule", "Points", "UNITS"]

Bools = NDArray[np.bool_]

UNITS = {
    "pooled": "all points alike",
    "keypoint": "a rate per kind of point, then the mean of the kinds that have any",
    "instance": "a rate per instance, then the mean of the instances that have any",
    "category": "a rate per category, then the mean of the categories that have any",
}
COMPARE: Mapping[str, Callable[..., Any]] = {"<": np.less, "<=": np.less_equal}
UNFOUND = {"wrong": "all points of a truth without prediction are wrong", "out": "a truth without prediction is left out"}
ABSENT = {"wrong": "a point the prediction lacks is wrong", "out": "a point the prediction lacks is left out"}


class Points(NamedTuple):
    """Which points enter, and which of them have a place to be near to; the others are wrong."""

    counted: Callable[[Paired], Bools]
    located: Callable[[Paired], Bools]
    text: str


def _labelled(paired: Paired) -> Bools:
    return paired.labelled


def _every(paired: Paired) -> Bools:
    return paired.annotated


def _visible(paired: Paired) -> Bools:
    return np.asarray(paired.annotated & (paired.points[..., 2] == 2), bool)


def _beyond_one(paired: Paired) -> Bools:
    return np.asarray(paired.labelled & (paired.points[..., :2] > 1).all(-1), bool)


POINTS: Mapping[str, Points] = {
    "labelled": Points(_labelled, _labelled, "v > 0"),
    "visible": Points(_visible, _visible, "v = 2"),
    "all": Points(_every, _every, "all, where they lie, whatever v says"),
    "all, unlabelled wrong": Points(_every, _labelled, "all; those with v = 0 are wrong"),
    "labelled beyond 1, 1": Points(_beyond_one, _beyond_one, "v > 0 and both x and y over 1"),
}
"""Points that count; never one that the truth's source does not annotate."""

_WORDS: Mapping[str, Mapping[str, Any]] = {
    "unit": UNITS, "compare": COMPARE, "points": POINTS, "pairing": PAIRINGS, "unfound": UNFOUND, "absent": ABSENT,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PCKRule:
    """Share of correct keypoints, in all the choices that change it. One choice otherwise: `rule.replace(compare="<")`."""

    name: str
    summary: str = ""
    source: str = ""
    unit: str = "pooled"
    norm: str | Pair = "box side"
    """A name of NORMS, or two points."""
    compare: str = "<="
    points: str = "labelled"
    pairing: str = "matched"
    unfound: str = "wrong"
    absent: str = "wrong"
    thresholds: tuple[float, ...] = (0.2,)
    """Of the rule's own number: the mean over them where nobody asks for one."""
    without: tuple[str, ...] = ()
    """Points that never count."""
    read_as: Mapping[float, float] = field(default_factory=dict)
    """Thresholds that the benchmark's code takes for others."""

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if value not in words:
                raise PoseError(f"{self.where}.{name}", brief(repr(value)), did_you_mean(str(value), words))
        if isinstance(self.norm, str) and self.norm not in NORMS:
            raise PoseError(f"{self.where}.norm", brief(repr(self.norm)), did_you_mean(self.norm, NORMS) + ", or two points")
        if not isinstance(self.norm, str) and (len(self.norm) != 2 or len({type(p) for p in self.norm}) > 1):
            raise PoseError(f"{self.where}.norm", brief(repr(self.norm)), "two points by name, or two by number")
        if not self.thresholds:
            raise PoseError(f"{self.where}.thresholds", "none", "at least one number")
        for at in self.thresholds:
            self.threshold(at)

    @property
    def where(self) -> str:
        """The rule as errors call it."""
        return f"PCK.{self.name}"

    def threshold(self, at: float) -> float:
        """The threshold that the benchmark's code uses when asked for `at`."""
        if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) or at < 0:
            raise PoseError(f"{self.where}@{at}", "no threshold", f"a share of the norm, such as PCK.{self.name}@{self.thresholds[0]:g}")
        return float(self.read_as.get(at, at))

    def replace(self, **changes: Any) -> PCKRule:
        """The rule with some choices made otherwise; its name says so unless `name` is among them."""
        known = [f.name for f in fields(self)]
        unknown = [k for k in changes if k not in known]
        if unknown:
            raise PoseError(self.where, f"no field {unknown[0]!r}", did_you_mean(unknown[0], known))
        changed = [k for k in changes if k not in ("name", "summary", "source") and getattr(self, k) != changes[k]]
        name = changes.pop("name", f"{self.name}, changed: {', '.join(changed)}" if changed else self.name)
        return replace(self, name=name, **changes)

    def choices(self) -> dict[str, str]:
        """The seven choices in words, as printed beside the number and in the docs."""
        at = ", ".join(f"{t:g}" for t in self.thresholds)
        return {
            "unit": self.unit + (f", without {', '.join(self.without)}" if self.without else ""),
            "norm": norm_text(self.norm),
            "threshold": f"{self.compare} {at}" + (" (mean)" if len(self.thresholds) > 1 else ""),
            "points": POINTS[self.points].text,
            "pairing": self.pairing,
            "unfound": self.unfound,
            "absent": self.absent,
        }

    def __str__(self) -> str:
        return f"{self.where}: " + "; ".join(f"{k} {v}" for k, v in self.choices().items())
