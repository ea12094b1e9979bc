"""METRICS: every number by its name, each a function of the workings, a spelling, and what is selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from posedata.errors import PoseError, did_you_mean

from .curve import Scores, rankings, scores
from .match import match, pairs_of
from .problem import Problem
from .selection import EVERYTHING, Selection
from .spelling import Spelling, spelled
from .workings import Workings

__all__ = ["METRICS", "Measured", "Metric", "measure", "read_metric"]


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
    value: Callable[[Workings, Spelling, Selection], Measured]
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


def measure(workings: Workings, text: str | Spelling, selection: Selection = EVERYTHING) -> Measured:
    """One metric of all that was evaluated, or of a selection of it."""
    s = read_metric(text)
    workings.require_where(s.where, canonical(s))
    if not workings.has_part(s.where):
        return NOTHING
    return METRICS[s.name].value(workings, s, selection)


# -- the numbers of COCO -----------------------------------------------------------------------------


def _of_scores(pick: Callable[[Scores, int | None, int | None], float]) -> Callable[[Workings, Spelling, Selection], Measured]:
    def value(workings: Workings, s: Spelling, selection: Selection) -> Measured:
        t = None if s.at is None else workings.threshold(s.at, canonical(s))
        if selection.category is not None and s.where == "pooled":
            selection = _one_of_all(workings, selection, selection.category)
        scored = _selected_scores(workings, s.where, selection)
        c = selection.category
        truths = scored.truths.sum() if c is None else scored.truths[c : c + 1].sum()
        return Measured(pick(scored, t, c), round(float(truths)))

    return value


def _one_of_all(workings: Workings, selection: Selection, category: int) -> Selection:
    """A category where all are one: truths of the others are ignored."""
    mine = workings.aligned.truth.instances.category == category
    return replace(selection, category=None, truths=mine if selection.truths is None else mine & selection.truths, made={})


def _selected_scores(workings: Workings, where: str, selection: Selection) -> Scores:
    """Scores under `where`, matched anew where the selection leaves truths out or looks at one point."""
    if selection is EVERYTHING:
        return workings.scores(where)
    if where not in selection.made:
        plain = selection.truths is None and selection.keypoint is None
        selection.made[where] = workings.scores(where, selection.images) if plain else _matched_anew(workings, where, selection)
    return selection.made[where]


def _matched_anew(workings: Workings, where: str, selection: Selection) -> Scores:
    problem = workings.problem(where)
    if selection.keypoint is not None:
        problem = _one_point(problem, selection.keypoint)
    pairs = workings.pairs(where) if selection.keypoint is None else workings.once(("pairs", where, selection.keypoint), lambda: pairs_of(problem))
    low, high = workings.protocol.ranges.get(where, (-np.inf, np.inf))
    ignored = problem.ignored | (problem.area < low) | (problem.area > high)
    beyond = (problem.pred_area < low) | (problem.pred_area > high)
    if selection.truths is not None:
        ignored = ignored | ~selection.truths
    if selection.beyond is not None:
        beyond = beyond | selection.beyond[problem.rows]
    matches = match(problem, pairs, workings.protocol.thresholds, ignored[None], beyond[None])
    return scores(rankings(matches), workings.protocol.interpolation, workings.weights(where, selection.images))


def _one_point(problem: Problem, keypoint: int) -> Problem:
    """The problem of one point; of nothing, where the part does not have it."""
    column = np.flatnonzero(problem.columns == keypoint)
    return problem.only_column(int(column[0])) if len(column) else replace(problem, ignored=np.ones(len(problem.ignored), bool))


METRICS: Mapping[str, Metric] = MappingProxyType({
    m.name: m
    for m in (
        Metric(
            "AP",
            "average precision of whole poses, by object keypoint similarity",
            "mean over categories, thresholds and recalls of the highest precision at that recall or beyond",
            _of_scores(Scores.ap),
        ),
        Metric(
            "AR",
            "average recall of whole poses: truths found with the best max_preds predictions of an image",
            "mean over categories and thresholds of found / counted truths",
            _of_scores(Scores.ar),
        ),
    )
})  # fmt: skip
"""By name; read by the parser, the commands, the docs and the tests."""
