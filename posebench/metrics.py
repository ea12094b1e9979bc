"""METRICS: every number by its name, each a function of the workings, a spelling, and weights of the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean

from .curve import Scores
from .spelling import Spelling, spelled
from .workings import Workings

__all__ = ["METRICS", "Measured", "Metric", "measure", "read_metric"]

Weights = NDArray[np.float64] | None


class Measured(NamedTuple):
    """A number, and how many things it was made from; NaN where there were none."""

    value: float
    n: int


NOTHING = Measured(float("nan"), 0)


@dataclass(frozen=True)
class Metric:
    """One number: what it is, how it is spelled, and the function that measures it."""

    name: str
    summary: str
    formula: str
    value: Callable[[Workings, Spelling, Weights], Measured]
    of: str = "truths"
    """What n counts."""
    at: str = "similarity"
    """What stands after @: 'similarity' (one of the protocol's), 'share' of the norm, 'pixels', or '' for nothing."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Names after the dot, each with a sentence."""
    per_keypoint: bool = False
    """Whether it is made of single points, so that slices by keypoint and visibility have it."""
    higher_is_better: bool = True


def read_metric(text: str | Spelling) -> Spelling:
    """A spelling whose name and variant exist, canonical."""
    s = text if isinstance(text, Spelling) else spelled(text)
    if s.name not in METRICS:
        raise PoseError(f"metric {s.written()!r}", f"no metric {s.name!r}", did_you_mean(s.name, METRICS))
    metric = METRICS[s.name]
    if s.variant and s.variant not in metric.variants:
        raise PoseError(
            f"metric {s.written()!r}",
            f"{s.name} has no variant {s.variant!r}",
            did_you_mean(s.variant, metric.variants) if metric.variants else f"it has none; write {s.name}",
        )
    if s.at is not None and not metric.at:
        raise PoseError(f"metric {s.written()!r}", f"{s.name} takes no threshold", f"write {replace(s, at=None).written()}")
    return s


def canonical(s: Spelling) -> str:
    """The one way to write it."""
    return s.written(2 if METRICS[s.name].at == "similarity" else None)


def measure(workings: Workings, text: str | Spelling, weights: Weights = None) -> Measured:
    """One metric; weights say how often each image is in the set."""
    s = read_metric(text)
    workings.require_where(s.where, canonical(s))
    if not workings.has_part(s.where):
        return NOTHING
    return METRICS[s.name].value(workings, s, weights)


# -- the numbers of COCO -----------------------------------------------------------------------------


def _of_scores(pick: Callable[[Scores, int | None], float]) -> Callable[[Workings, Spelling, Weights], Measured]:
    def value(workings: Workings, s: Spelling, weights: Weights) -> Measured:
        t = None if s.at is None else workings.threshold(s.at, canonical(s))
        scored = workings.scores(s.where, weights)
        return Measured(pick(scored, t), round(float(scored.truths.sum())))

    return value


METRICS: Mapping[str, Metric] = MappingProxyType({
    m.name: m
    for m in (
        Metric(
            "AP",
            "average precision of whole poses, by object keypoint similarity",
            "mean over categories, thresholds and recalls of the highest precision at that recall or beyond",
            _of_scores(lambda scored, t: scored.ap(t)),
        ),
        Metric(
            "AR",
            "average recall of whole poses: truths found with the best max_preds predictions of an image",
            "mean over categories and thresholds of found / counted truths",
            _of_scores(lambda scored, t: scored.ar(t)),
        ),
    )
})  # fmt: skip
"""By name; read by the parser, the commands, the docs and the tests."""
