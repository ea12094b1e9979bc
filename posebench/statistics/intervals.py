"""Intervals of an evaluation's metrics, whole or by slice, from common resamples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean
from posedata.progress import bar

from ..metrics import METRICS, Measured, canonical, read_metric
from ..selection import EVERYTHING, Selection
from ..spelling import Spelling
from ..workings import Workings
from .interval import METHODS, Interval, ends, standard_error, wilson_ends
from .replicates import Plan, plan, proportion, run
from .resampling import Clusters, clusters, draws, groups, left_out
from .sums import Ratios

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["Sampling", "from_sums", "intervals_of", "resampled", "sampling"]

Floats = NDArray[np.float64]

_GROUPS = 200
"""Of the jackknife: no more of them tell more of the acceleration."""
_MANY = 10**8
"""Predictions times resamples from which a person waits."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """How intervals are made."""

    drawn: Clusters
    level: float
    method: str
    resamples: int
    seed: int

    @property
    def blocks(self) -> chain[Floats]:
        """The jackknife, where it is needed, then the resamples."""
        first = left_out(self._groups) if self.method == "bca" else iter(())
        return chain(first, draws(self.drawn, self.resamples, self.seed))

    @property
    def _groups(self) -> NDArray[np.intp]:
        return groups(self.drawn, _GROUPS)

    @property
    def jackknifed(self) -> int:
        """Blocks' rows that are of the jackknife."""
        return min(_GROUPS, self.drawn.n) if self.method == "bca" else 0

    def interval(self, name: str, measured: Measured, values: Floats, held: Floats) -> Interval:
        """From the values under `blocks`; held: (I,) what the metric is made of."""
        first, rest = values[: self.jackknifed], values[self.jackknifed :]
        low, high = ends(self.method, measured.value, rest, self.level, first)
        return Interval(
            low=low,
            high=high,
            resamples=self.resamples,
            seed=self.seed,
            se=standard_error(rest),
            undefined=float(np.isnan(rest).mean()),
            **self._about(name, measured, held),
        )

    def _about(self, name: str, measured: Measured, held: Floats) -> dict[str, Any]:
        some = int(np.count_nonzero(np.bincount(self.drawn.code, held)))
        about = {"clusters": self.drawn.n, "held": some, "unit": self.drawn.name}
        return {"metric": name, "value": measured.value, "n": measured.n, "level": self.level, "method": self.method, **about}

    def of_proportion(self, name: str, measured: Measured, ratios: Ratios) -> Interval:
        """From the spread between clusters."""
        low, high, error, effect = wilson_ends(ratios.by(self.drawn.sums), measured.n, self.level)
        return Interval(low=low, high=high, se=error, design_effect=effect, **self._about(name, measured, ratios.bottom.sum(1)))


def sampling(workings: Workings, level: float = 0.95, method: str = "bca", by: str = "image", resamples: int = 1000, seed: int = 0) -> Sampling:
    """Checked."""
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise PoseError("level", brief(repr(level)), "between 0 and 1: .95 for nineteen of twenty")
    if method not in METHODS:
        raise PoseError(f"method {brief(repr(method))}", "no such interval", did_you_mean(str(method), METHODS))
    for name, value, least in (("resamples", resamples, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise PoseError(name, brief(repr(value)), f"a whole number from {least} on")
    return Sampling(clusters(workings, by), float(level), method, int(resamples), int(seed))


def intervals_of(ev: Evaluation, how: Sampling, metrics: Sequence[str], by: str | None = None) -> list[tuple[Any, dict[str, Interval]]]:
    """(label, metric -> interval) for each slice; one without a label where nothing is sliced."""
    from ..slices import require_fitting, slices_of

    wanted = [read_metric(m) for m in metrics]
    if by is None:
        told = {canonical(s): ev.told(canonical(s)) for s in wanted}
        return [(None, _of_selection(ev.workings, how, told, EVERYTHING, 1))]
    for s in wanted:
        require_fitting(by, s)
    slices = slices_of(ev.workings, by)
    return [(each.label, _of_selection(ev.workings, how, _measured(ev, wanted, each.selection), each.selection, len(slices))) for each in slices]


def _measured(ev: Evaluation, wanted: Sequence[Spelling], selection: Selection) -> dict[str, Measured]:
    from ..metrics import measure

    return {canonical(s): measure(ev.workings, s, selection) for s in wanted}


def _of_selection(workings: Workings, how: Sampling, measured: dict[str, Measured], selection: Selection, slices: int) -> dict[str, Interval]:
    if how.method == "wilson":
        return {name: _wilson(workings, how, name, m, selection) for name, m in measured.items()}
    known = [name for name, m in measured.items() if not math.isnan(m.value)]
    made = plan(workings, known, selection)
    waits = slices * how.resamples * len(workings.aligned.pred) > _MANY
    values = resampled(how, made, len(known), waits)
    found = {name: how.interval(name, measured[name], values[:, i], made.held[i]) for i, name in enumerate(known)}
    nothing, none = np.full(how.jackknifed + how.resamples, np.nan), np.zeros(len(how.drawn.code))
    return {name: found[name] if name in found else how.interval(name, m, nothing, none) for name, m in measured.items()}


def resampled(how: Sampling, replay: Plan | Callable[[Floats], Floats], width: int, waits: bool) -> Floats:
    """(jackknifed + resamples, width) values under the blocks, with a bar where a person waits."""
    total = how.jackknifed + how.resamples
    with bar("resamples", total if waits and width else 0) as advance:
        return run(replay, how.blocks, width, advance) if width else np.zeros((total, 0))


def _wilson(workings: Workings, how: Sampling, name: str, measured: Measured, selection: Selection) -> Interval:
    s = read_metric(name)
    if METRICS[s.name].name not in ("PCK", "AR"):
        raise PoseError(f"method 'wilson' of {name}", "no share of truths or points", "PCK and AR are; method='bca' is for all")
    ratios = None if math.isnan(measured.value) else proportion(workings, s, selection)
    return from_sums(how, name, measured, ratios)


def from_sums(how: Sampling, name: str, measured: Measured, ratios: Ratios | None) -> Interval:
    """Wilson's interval from sums by image; without ends where there is nothing."""
    nothing = np.zeros((len(how.drawn.code), 1))
    return how.of_proportion(name, measured, ratios or Ratios(nothing, nothing))
