"""Limits: what perfect predictions score under one cause, and the causes there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, PoseError
from posedata.predictions import Predictions

from ..align import Aligned, align
from ..evaluation import Evaluation
from ..metrics import measure
from ..problem import Problem, sigma_table
from ..protocol import TRUTH_AREAS, Protocol
from ..workings import Workings
from .grids import DECODES, Grid, through
from .passing import PATTERNS, patterns, share_passing
from .perfect import Noise, Scene, Second, own_similarity

__all__ = ["CONFUSED", "Cause", "Limit", "Run", "causes_of", "named_sigmas", "of_model", "without_predictions"]

Floats = NDArray[np.float64]

CONFUSED = "k taken for sigma"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What perfect predictions reach under one cause."""

    cause: str
    says: str
    draws: int
    """Over how many draws the numbers are means; 0 where nothing is drawn and they are exact."""
    metrics: Mapping[str, float]
    """With the best order of scores: that of the similarities themselves."""
    errors: Mapping[str, float]
    """Standard errors of the draws."""
    blind: float
    """AP where scores know nothing of the errors: their order is drawn."""
    thresholds: tuple[float, ...]
    passing: tuple[float, ...]
    """Share of the truths that count whose own pose reaches each threshold."""
    exact: bool
    """Whether `passing` is the law's own, not a mean over draws."""

    @property
    def ap(self) -> float:
        return self.metrics["AP"]

    @property
    def how(self) -> str:
        return f"mean of {self.draws} draws" if self.draws else "exact"

    def passes(self, similarity: float) -> float:
        """Share of the poses that reach a threshold of the protocol."""
        near = [share for t, share in zip(self.thresholds, self.passing, strict=True) if math.isclose(t, similarity, abs_tol=1e-6)]
        if not near:
            raise PoseError("ceiling", f"no threshold {similarity:g}", f"the protocol has {', '.join(f'{t:.2f}' for t in self.thresholds)}")
        return near[0]


# -- causes ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cause:
    """One row: what is done to the poses, and by which rules they are then scored."""

    name: str
    says: str
    protocol: Protocol
    noise: Noise | None = None
    grid: Grid | None = None
    second: Second | None = None
    draws: int = 0

    @property
    def evaluations(self) -> int:
        return max(self.draws, 1)


def causes_of(run: Run, sort: Noise | Second | None, grids: list[Grid]) -> tuple[list[Cause], list[str]]:
    """Every row, the first with nothing done at all; and words on those that cannot be had."""
    rules, notes = run.protocol, []
    noise, second = (sort, None) if isinstance(sort, Noise) else (None, sort)
    said = "" if sort is None else sort.says
    errs = {"second annotator": f"the points of {said}"} if second else {"annotators": f"each point errs as annotators do: {said}"}
    drawn = run.draws if noise else 0
    alone = [Cause(f"grid {grid}", _grid_says(grid), rules, None, grid) for grid in grids]
    noisy = [Cause(name, says, rules, noise, None, second, drawn) for name, says in errs.items() if sort]
    both = [Cause(f"annotators, grid {g}", f"{errs['annotators']}; {_grid_says(g)}", rules, noise, g, None, drawn) for g in grids] if noise else []
    for grid in grids:
        notes += _beyond(run.scene, grid)
    rows = [Cause("nothing", "perfect points: what is lost is lost to the rules", rules), *noisy, *alone, *both]
    others = _other_rules(run, notes) if noisy or alone else []
    for each in noisy or alone:
        for other, what, says in others:
            rows.append(Cause(f"{each.name}, {what}", f"{each.says}; {says}", other, each.noise, each.grid, each.second, each.draws))
    return rows, notes


def _grid_says(grid: Grid) -> str:
    crop = f"box x {grid.padding:g}, {'in the shape of the crop' if grid.keeps_shape else 'stretched to the crop'}"
    return f"points read from {grid.height / grid.stride:g} x {grid.width / grid.stride:g} cells of the {crop}: {DECODES[grid.decode]}"


def _beyond(scene: Scene, grid: Grid) -> list[str]:
    """A word on labelled points outside the crop of a grid, which it cannot give back."""
    known = scene.truth.instances.labelled[scene.rows]
    there = through(replace(grid, decode="exact"), scene.xy, scene.box)
    lost = int((known & (np.abs(there - scene.xy).max(-1) > 1e-6)).sum())
    return [f"grid {grid}: {lost:,} of {int(known.sum()):,} labelled points lie outside the crop of their box, and come out on its edge"] if lost else []


def _other_rules(run: Run, notes: list[str]) -> list[tuple[Protocol, str, str]]:
    """Protocols that score the same errors otherwise: (protocol, name, sentence)."""
    found = []
    for rule in TRUTH_AREAS:
        other = run.protocol.replace(truth_area=rule)
        if rule != run.protocol.truth_area and run.can(other, f"area = {rule}", notes):
            found.append((other, f"area = {rule}", f"scored with {TRUTH_AREAS[rule]}"))
    half = run.protocol.replace(sigmas=named_sigmas(run.scene.truth, sigma_table(run.scene.truth, run.protocol) / 2))
    return [*found, (half, CONFUSED, "scored with exp(-d² / 2 s² sigma²) where k = 2 sigma is meant: tolerances halved")]


def named_sigmas(truth: PoseDataset, table: Floats) -> dict[str, Any]:
    """A (C, K) table by keypoint, or by category and keypoint where categories differ."""
    rows = [{name: s for name, s in zip(truth.schema.names, row, strict=True) if not math.isnan(s)} for row in table.tolist()]
    if all(row == rows[0] for row in rows):
        return dict(rows[0]) if rows else {}
    return {c.name: row for c, row in zip(truth.categories, rows, strict=True)}


# -- numbers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Run:
    """What all rows share; the same errors are drawn for each of them."""

    scene: Scene
    protocol: Protocol
    names: tuple[str, ...]
    draws: int
    seed: int

    def can(self, protocol: Protocol, what: str, notes: list[str]) -> bool:
        """Whether the truth can be scored so; else a note says why not."""
        try:
            problem = self.problem(protocol)
        except DataError as e:
            notes.append(f"{what} left out: {e.seen}")
            return False
        if problem.used:
            notes.append(f"{what} left out: the truth has none")
        return not problem.used

    def problem(self, protocol: Protocol) -> Problem:
        return Workings(align(self.scene.truth, without_predictions(self.scene.truth), protocol.per_category), protocol).problem()

    def limit(self, cause: Cause, advance: Callable[[int], None]) -> Limit:
        """One row."""
        problem = self.problem(cause.protocol)
        values, passing = [], []
        for draw in range(cause.evaluations):
            made, passed = self._once(cause, problem, np.random.default_rng((self.seed, draw)))
            values.append(made)
            passing.append(passed)
            advance(1)
        mean, error = _mean(np.array(values))
        law = self._law(cause, problem)
        return Limit(
            cause=cause.name,
            says=cause.says,
            draws=cause.draws,
            metrics=dict(zip(self.names, mean[1:].tolist(), strict=True)),
            errors=dict(zip(self.names, error[1:].tolist(), strict=True)),
            blind=float(mean[0]),
            thresholds=self.protocol.thresholds,
            passing=tuple((np.mean(passing, axis=0) if law is None else law).tolist()),
            exact=law is not None or not cause.draws,
        )

    def _once(self, cause: Cause, problem: Problem, generator: np.random.Generator) -> tuple[list[float], Floats]:
        """AP in a drawn order and each metric in the best one; the shares that pass."""
        counted = ~problem.ignored
        if cause.second is not None:
            aligned, best = cause.second.aligned, _nearest(cause.second.aligned, cause.protocol)
            passed = _reached(_found_best(cause.second.aligned, cause.protocol)[counted], self.protocol.thresholds)
            orders = [_scored(aligned, generator.random(len(best))), _scored(aligned, best)]
        else:
            xy = self.scene.posed(cause.noise, cause.grid, generator)
            similarity = own_similarity(self.scene, problem, xy)
            mine = counted[self.scene.rows]
            passed = _reached(similarity[mine], self.protocol.thresholds)
            # whoever does not count stands last, so that it takes nobody's place among the max_preds
            orders = [self.scene.aligned(xy, score - 2.0 * ~mine) for score in (generator.random(len(mine)), similarity)]
        blind, best_first = (Workings(aligned, cause.protocol) for aligned in orders)
        return [measure(blind, "AP").value, *(measure(best_first, name).value for name in self.names)], passed

    def _law(self, cause: Cause, problem: Problem) -> Floats | None:
        """The shares expected over all draws, where the law can be computed: no grid, and few kinds of poses."""
        if cause.noise is None or cause.grid is not None:
            return None
        counted = ~problem.ignored & problem.labelled.any(1)
        if not (counted == ~problem.ignored).all():
            return None
        area = (problem.area + np.spacing(1))[counted, None]
        sigmas = np.broadcast_to(problem.sigmas, problem.labelled.shape)[counted]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            power = (cause.noise.distance[counted] / sigmas) ** 2 / area / 8
        kinds, count = patterns(np.nan_to_num(power), problem.labelled[counted])
        return share_passing(kinds, count, self.protocol.thresholds) if len(kinds) <= PATTERNS else None


def _mean(values: Floats) -> tuple[Floats, Floats]:
    """Means over draws, and their standard errors; 0 for a single one."""
    if len(values) == 1:
        return values[0], np.zeros(values.shape[1])
    return values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))


def _reached(similarity: Floats, thresholds: tuple[float, ...]) -> Floats:
    """(T,) share of similarities that reach each threshold; 1 - 1e-10 counts as 1, as in matching."""
    if not len(similarity):
        return np.full(len(thresholds), np.nan)
    return np.asarray((similarity[:, None] >= np.minimum(thresholds, 1 - 1e-10)).mean(0))


def _scored(aligned: Aligned, score: Floats) -> Aligned:
    return replace(aligned, pred=replace(aligned.pred, score=score))


def _nearest(aligned: Aligned, protocol: Protocol) -> Floats:
    """(M,) the highest similarity of each prediction to a truth."""
    wide = Workings(aligned, protocol.replace(max_preds=max(len(aligned.pred), 1)))
    pairs, problem = wide.pairs(), wide.problem()
    best = np.zeros(len(aligned.pred))
    np.maximum.at(best, problem.rows[pairs.pred], pairs.oks)
    return best


def _found_best(aligned: Aligned, protocol: Protocol) -> Floats:
    """(N,) the highest similarity of a prediction to each truth."""
    wide = Workings(aligned, protocol.replace(max_preds=max(len(aligned.pred), 1)))
    best = np.zeros(len(aligned.truth))
    np.maximum.at(best, wide.pairs().truth, wide.pairs().oks)
    return best


def of_model(ev: Evaluation, names: tuple[str, ...]) -> Limit:
    """The evaluation itself, in the form of a row."""
    problem = ev.workings.problem()
    found = _found_best(ev.workings.aligned, ev.protocol)[~problem.ignored]
    metrics = {name: ev[name] for name in names}
    return Limit(
        cause="this model",
        says="the predictions that were given",
        draws=0,
        metrics=metrics,
        errors=dict.fromkeys(names, 0.0),
        blind=float("nan"),
        thresholds=ev.protocol.thresholds,
        passing=tuple(_reached(found, ev.protocol.thresholds).tolist()),
        exact=True,
    )


def without_predictions(truth: PoseDataset) -> Predictions:
    empty = np.zeros((0, len(truth.schema), 3))
    return Predictions(schema=truth.schema, image=truth.images.id[:0], keypoints=empty, score=np.zeros(0))
