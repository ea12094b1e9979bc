"""Intervals of what `ev.errors()` counts: the share of points of each kind, and the AP that each kind costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError

from ..metrics import Measured
from ..selection import EVERYTHING, Selection
from ..slices import slices_of
from .interval import Interval
from .intervals import Sampling, from_sums, resampled, sampling
from .replicates import mean_over_categories
from .sums import Ratios

if TYPE_CHECKING:
    from ..errors.report import ErrorReport

__all__ = ["gain_intervals", "rate_intervals", "rates"]

Floats = NDArray[np.float64]


def rate_intervals(report: ErrorReport, by: str | None = None, method: str = "wilson", **how: Any) -> list[tuple[Any, dict[str, Interval]]]:
    """(label, kind -> interval of its share of points) for each slice; one without a label where nothing is sliced."""
    chosen = _sampling(report, method, how)
    slices = [(None, EVERYTHING)] if by is None else [(each.label, each.selection) for each in slices_of(report.ev.workings, by)]
    return [(label, {kind: _of_rate(chosen, kind, ratios) for kind, ratios in rates(report, selection).items()}) for label, selection in slices]


def rates(report: ErrorReport, selection: Selection = EVERYTHING) -> dict[str, Ratios]:
    """Sums by image: points of each kind over labelled points of found poses; "wrong" is all that is not good."""
    own = report.labelled
    image, images = own.problem.image[own.truth], len(own.problem.rank)
    held = report.points(selection) & (own.code >= 0)
    masks = {kind: own.is_(kind) for kind in report.counts}
    masks["wrong"] = ~masks["good"]

    def sums(mask: NDArray[np.bool_]) -> Floats:
        return np.bincount(image, (held & mask).sum(1), images).astype(np.float64)[:, None]

    bottom = sums(held)
    return {kind: Ratios(sums(mask), bottom) for kind, mask in masks.items()}


def _of_rate(how: Sampling, kind: str, ratios: Ratios) -> Interval:
    measured = Measured(ratios.linearised()[0], round(float(ratios.bottom.sum())))
    if how.method == "wilson":
        return from_sums(how, kind, measured, ratios)
    values = resampled(how, lambda block: ratios.under(block)[:, None], 1, False)
    return how.interval(kind, measured, values[:, 0], ratios.bottom[:, 0])


def gain_intervals(report: ErrorReport, method: str = "bca", **how: Any) -> dict[str, Interval]:
    """kind -> interval of the AP gained by correcting it alone, from the matches of both."""
    if report.rules.legacy:
        raise PoseError("cost intervals", "the rules are legacy ones", "ask the errors of ours: ev.errors()")
    chosen = _sampling(report, method, how)
    kinds = list(report.cost.alone)
    if not kinds or math.isnan(report.cost.now.ap[""]):
        return {}
    replay, held = _gains(report, kinds)
    values = resampled(chosen, replay, len(kinds), True)
    return {kind: chosen.interval(kind, Measured(report.cost.gain(kind), round(float(held.sum()))), values[:, i], held) for i, kind in enumerate(kinds)}


def _gains(report: ErrorReport, kinds: list[str]) -> tuple[Callable[[Floats], Floats], Floats]:
    """(b, I) weights -> (b, M) gains; (I,) truths that count."""
    from ..errors.cost import rankings_after
    from .batched import averages, batch_of

    images, interpolation = len(report.labelled.problem.rank), report.ev.protocol.interpolation
    steps = {kind: [batch_of(ranking, images) for ranking in rankings_after(report.stage, (kind,) if kind else ())] for kind in ("", *kinds)}

    def ap(kind: str, weights: Floats) -> Floats:
        each = [averages(batch, weights, interpolation, found_only=kind == "missed")[0] for batch in steps[kind]]
        return mean_over_categories(each, None, weights.shape[1])

    def replay(block: Floats) -> Floats:
        weights = np.ascontiguousarray(block.T)
        return np.stack([ap(kind, weights) for kind in kinds], 1) - ap("", weights)[:, None]

    return replay, sum((batch.truths for batch in steps[""]), np.zeros(images))


def _sampling(report: ErrorReport, method: str, how: dict[str, Any]) -> Sampling:
    unknown = set(how) - {"level", "clusters", "resamples", "seed"}
    if unknown:
        raise PoseError("intervals", f"no argument {sorted(unknown)[0]!r}", "level, method, clusters, resamples, seed")
    return sampling(report.ev.workings, method=method, by=how.pop("clusters", "image"), **how)
