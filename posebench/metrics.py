"""METRICS: every number by its name, each a function of the workings, a spelling, and what is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean

from . import distances
from .curve import Ranking, Scores, rankings, scores
from .match import match, pairs_of
from .pairing import Paired
from .problem import Problem
from .selection import EVERYTHING, Selection
from .spelling import Spelling, spelled
from .workings import Workings

__all__ = ["METRICS", "Measured", "Metric", "as_matched", "judged_points", "measure", "ranked_under", "read_metric", "rules_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


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
    """What stands after @: 'similarity' (one of the protocol's), 'share' of the norm, 'pixels', 'percent', 'confidence', or '' for nothing."""
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


def rules_of(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The seven choices behind each PCK among the metrics, at the threshold that is asked for."""
    asked = {canonical(s): s for s in map(read_metric, names) if s.name == "PCK"}
    return {name: _rule_at(s).choices() for name, s in asked.items()}


def _rule_at(s: Spelling) -> distances.PCKRule:
    rule = distances.pck_rule(s.variant)
    return rule if s.at is None else rule.replace(name=rule.name, thresholds=(rule.threshold(s.at),))


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
        if s.variant:
            return _poseval(workings, s, selection)
        t = None if s.at is None else workings.threshold(s.at, canonical(s))
        selection = as_matched(workings, s, selection)
        scored = _selected_scores(workings, s.where, selection)
        c = selection.category
        truths = scored.truths.sum() if c is None else scored.truths[c : c + 1].sum()
        return Measured(pick(scored, t, c), round(float(truths)))

    return value


def as_matched(workings: Workings, s: Spelling, selection: Selection) -> Selection:
    """The selection as matching has it: a category, where all are one, means that truths of the others are ignored."""
    if selection.category is None or s.where != "pooled":
        return selection
    mine = workings.aligned.truth.instances.category == selection.category
    return replace(selection, category=None, truths=mine if selection.truths is None else mine & selection.truths, made={})


def _poseval(workings: Workings, s: Spelling, selection: Selection) -> Measured:
    """PoseTrack's mean over joints, which has a matching of its own."""
    joints = poseval_joints(workings, s, selection).ap(selection.images)
    return Measured(joints.mean, int(joints.n.sum()))


def poseval_joints(workings: Workings, s: Spelling, selection: Selection) -> distances.Joints:
    """What poseval makes of every point; images may be chosen, for it looks at each by itself."""
    if s.where or not selection.only_images:
        raise PoseError(f"metric {canonical(s)!r}", "poseval's AP has no ranges or parts, and no slices but of images", f"ask for {s.name}.{s.variant}")
    at = 0.5 if s.at is None else s.at
    return workings.once(("poseval", at), lambda: distances.poseval_joints(workings.aligned, at))


def _selected_scores(workings: Workings, where: str, selection: Selection) -> Scores:
    """Scores under `where`, kept for the next metric."""
    if selection is EVERYTHING:
        return workings.scores(where)
    if where not in selection.made:
        ranked, weights = ranked_under(workings, where, selection), workings.weights(where, selection.images)
        selection.made[where] = scores(ranked, workings.protocol.interpolation, weights)
    return selection.made[where]


def ranked_under(workings: Workings, where: str, selection: Selection) -> list[Ranking]:
    """A ranking for each category; matched anew where the selection leaves truths out or looks at one point."""
    if selection.truths is None and selection.keypoint is None:
        return workings.ranked(where)
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
    return rankings(match(problem, pairs, workings.protocol.thresholds, ignored[None], beyond[None]))


def _one_point(problem: Problem, keypoint: int) -> Problem:
    """The problem of one point; of nothing, where the part does not have it."""
    column = np.flatnonzero(problem.columns == keypoint)
    return problem.only_column(int(column[0])) if len(column) else replace(problem, ignored=np.ones(len(problem.ignored), bool))


# -- distances ---------------------------------------------------------------------------------------


def judged_points(workings: Workings, s: Spelling, selection: Selection) -> tuple[distances.Averaged, Rows, Floats | None]:
    """What becomes of the points that are selected, the image of each pair, and how often each counts."""
    pairing = distances.pck_rule(s.variant).pairing if s.name == "PCK" else "matched"
    paired, weights = _selected_pairs(workings, pairing, s.where, selection)
    return distances.DISTANCE_METRICS[s.name].judge(paired, s.variant, s.at), paired.image, weights


def _of_points(workings: Workings, s: Spelling, selection: Selection) -> Measured:
    averaged, _, weights = judged_points(workings, s, selection)
    return Measured(*averaged.measured(weights))


def _selected_pairs(workings: Workings, pairing: str, where: str, selection: Selection) -> tuple[Paired, NDArray[np.float64] | None]:
    """The pairs that count under `where` and the selection, and how often each does."""
    paired = workings.paired(pairing, where)
    keep = np.ones(len(paired), bool)
    if where in workings.protocol.ranges:
        low, high = workings.protocol.ranges[where]
        keep &= (paired.area >= low) & (paired.area <= high)
    if selection.truths is not None:
        keep &= selection.truths[paired.truth_row]
    if selection.category is not None:
        keep &= workings.aligned.truth.instances.category[paired.truth_row] == selection.category
    images = workings.weights(where, selection.images)
    if images is not None:
        keep &= images[paired.image] > 0
    chosen = paired if keep.all() else paired.take(np.flatnonzero(keep))
    if selection.keypoint is not None:
        name = workings.aligned.truth.schema.names[selection.keypoint]
        chosen = chosen.only(np.array([i for i, n in enumerate(chosen.names) if n == name], np.intp))
    if selection.visibility is not None:
        chosen = chosen.where(chosen.points[..., 2] == selection.visibility)
    weights = None if images is None else images[chosen.image]
    return chosen, None if weights is None or (weights == 1).all() else weights


def _distance_metric(name: str, m: distances.DistanceMetric) -> Metric:
    at = {"PCK": "share", "AUC": "pixels", "EPE": "confidence", "Distance": "percent"}.get(name, "")
    summary = {
        "PCK": "percentage of correct keypoints, as a share",
        "AUC": "area under the PCK curve in pixels",
        "EPE": "end point error: mean distance in pixels",
        "RMSE": "root of the mean squared distance in pixels",
        "Distance": "median distance in pixels, or another percentile",
        "NME": "normalised mean error",
    }[name]
    return Metric(
        name,
        summary,
        m.formula,
        _of_points,
        of="points",
        at=at,
        variants=m.variants,
        per_keypoint=True,
        higher_is_better=m.best > 0,
    )


METRICS: Mapping[str, Metric] = MappingProxyType({
    m.name: m
    for m in (
        Metric(
            "AP",
            "average precision of whole poses, by object keypoint similarity",
            "mean over categories, thresholds and recalls of the highest precision at that recall or beyond",
            _of_scores(Scores.ap),
            variants={"poseval": "PoseTrack's: mean over joints of each one's AP, poses assigned by PCKh at .5 of the head (or @ of it); n counts points"},
        ),
        Metric(
            "AR",
            "average recall of whole poses: truths found with the best max_preds predictions of an image",
            "mean over categories and thresholds of found / counted truths",
            _of_scores(Scores.ar),
        ),
        *(_distance_metric(name, m) for name, m in distances.DISTANCE_METRICS.items()),
    )
})  # fmt: skip
"""By name; read by the parser, the commands, the docs and the tests."""
