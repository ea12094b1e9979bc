"""The evaluator once more, slow and plain: loops over images, categories, predictions, truths and thresholds.

Written from the definitions, to be checked by reading. Nothing here comes from posebench but the protocol itself.
Numpy stands only where the last digit matters: exp, and sums of the points' similarities, which numpy adds in an order of
its own. A tie between two truths must be a tie here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from posebench.protocol import Part, Protocol
from posedata import Category, PoseDataset, Predictions

__all__ = ["reference"]

Id = int | str
Point = tuple[float, float] | None
Found = dict[tuple[str, float], dict[int, Id | None]]


@dataclass
class Truth:
    id: Id
    image: Id
    category: str
    points: list[Point]
    """None where the point is not labelled."""
    sigmas: list[float]
    """NaN where the category lacks the point."""
    bbox: tuple[float, ...]
    area: float
    crowd: bool
    recorded: int
    valid: bool = True


@dataclass
class Pred:
    row: int
    image: Id
    category: str
    points: list[Point]
    """None where the point is absent and that is to mean similarity 0."""
    score: float
    area: float


def reference(truth: PoseDataset, pred: Predictions, protocol: Protocol) -> tuple[dict[str, float], Found]:
    """Every metric by its name, and the truth that each prediction row found, by range and threshold."""
    metrics: dict[str, float] = {}
    found: Found = {}

    def run(name: str, part: Part | None = None, pooled: bool = False, span: tuple[float, float] | None = None) -> None:
        result = match_all(truths_of(truth, protocol, part), preds_of(truth, pred, protocol, part), protocol, part, pooled, span)
        found.update({(name, threshold): pairs for threshold, pairs in result.found.items()})
        add_scores(metrics, name, result, protocol, {*truth.images.id.tolist()})
        if not name:
            for level, (low, high) in protocol.levels.items():
                of_image = dict(zip(truth.images.id.tolist(), truth.images.meta[protocol.level_column].tolist(), strict=True))
                add_scores(metrics, level, result, protocol, {i for i, value in of_image.items() if low <= value < high})

    run("")
    for name, span in protocol.ranges.items():
        run(name, span=span)
    for name, part in protocol.parts.items():
        run(name, part=part)
    run("pooled", pooled=True)
    return metrics, found


# -- reading the tables ------------------------------------------------------------------------------


def columns_of(truth: PoseDataset, part: Part | None) -> list[int]:
    names = list(truth.schema.names)
    return list(range(len(names))) if part is None else [names.index(p) for p in part.points]


def sigma_of(truth: PoseDataset, protocol: Protocol, category: int, column: int) -> float:
    """The protocol's for this category and point, or for the point, else the category's, else the schema's; NaN without the point."""
    kind, point = truth.categories[category], truth.schema.keypoints[column]
    if point.name not in kind.points:
        return math.nan
    own = protocol.sigmas.get(kind.name, {})
    if point.name in own:
        return own[point.name]
    if point.name in protocol.sigmas:
        return protocol.sigmas[point.name]
    return point.sigma if kind.sigmas is None else kind.sigmas[kind.points.index(point.name)]


def truths_of(truth: PoseDataset, protocol: Protocol, part: Part | None) -> list[Truth]:
    own, columns = truth.instances, columns_of(truth, part)
    areas = areas_of(truth, protocol)
    truths = []
    for row in range(len(truth)):
        kind = int(own.category[row])
        points = [known_point(own.keypoints[row, c].tolist(), own.annotated[row, c]) for c in columns]
        truths.append(
            Truth(
                id=own.id.tolist()[row],
                image=truth.images.id.tolist()[own.image[row]],
                category=truth.categories[kind].name,
                points=points,
                sigmas=[sigma_of(truth, protocol, kind, c) for c in columns],
                bbox=tuple(own.bbox[row].tolist()),
                area=areas[row],
                crowd=bool(own.crowd[row]),
                recorded=int(own.recorded[row]),
                valid=part is None or not part.valid or part.valid not in own.meta or own.meta[part.valid][row] == 1,
            )
        )
    return truths


def known_point(xyv: list[float], annotated: bool) -> Point:
    x, y, v = xyv
    return (x, y) if annotated and v > 0 else None


def areas_of(truth: PoseDataset, protocol: Protocol) -> list[float]:
    """By the protocol's rule; a file without any area has .53 of the box instead, one without boxes the extent."""
    own, rule = truth.instances, protocol.truth_area
    if rule == "recorded" and all(math.isnan(a) for a in own.area.tolist()):
        rule = ".53 box"
    if rule in ("box", ".53 box") and all(math.isnan(x) for x in own.bbox[:, 0].tolist()):
        rule = "extent"
    areas = []
    for row in range(len(truth)):
        _, _, w, h = own.bbox[row].tolist()
        points = [known_point(p, a) for p, a in zip(own.keypoints[row].tolist(), own.annotated[row], strict=True)]
        area = {"recorded": own.area[row], "box": w * h, ".53 box": h * w * 0.53, "extent": extent(points)}[rule]
        areas.append(0.0 if math.isnan(area) else float(area))
    return areas


def preds_of(truth: PoseDataset, pred: Predictions, protocol: Protocol, part: Part | None) -> list[Pred]:
    names = {c.id: c for c in truth.categories}
    columns = columns_of(truth, part)
    preds = []
    for row in range(len(pred)):
        kind = names[pred.category.tolist()[row]]
        points = [pred_point(p, protocol, pred.header) for p in pred.keypoints[row].tolist()]
        if part is not None and part.drop_silent and all(pred.keypoints[row][c][2] <= 0 for c in columns):
            continue
        preds.append(
            Pred(
                row=int(pred.row[row]),
                image=pred.image.tolist()[row],
                category=kind.name,
                points=[points[c] for c in columns],
                score=score_of(pred, row, part),
                area=pred_area(pred.bbox[row].tolist(), [points[c] for c in own_columns(truth, kind, protocol)], protocol),
            )
        )
    return preds


def own_columns(truth: PoseDataset, kind: Category, protocol: Protocol) -> list[int]:
    """Columns of the points that the category has; all where categories are one and nobody reads a prediction's."""
    return [c for c, name in enumerate(truth.schema.names) if name in kind.points or not protocol.per_category]


def pred_point(xyc: list[float], protocol: Protocol, header: Mapping[str, Any]) -> Point:
    """Where it is; None for nowhere. A probability of 0 says that the point is absent, too."""
    x, y, confidence = xyc
    if protocol.absent == "origin":
        return (0.0, 0.0) if math.isnan(x) else (x, y)
    improbable = header.get("keypoint_score") == "probability" and confidence <= 0
    return None if math.isnan(x) or improbable else (x, y)


def score_of(pred: Predictions, row: int, part: Part | None) -> float:
    own = math.nan
    if part is not None and part.score and part.score in pred.meta:
        own = float(pred.meta[part.score][row])
    return float(pred.score[row]) if math.isnan(own) else own


def pred_area(bbox: list[float], points: list[Point], protocol: Protocol) -> float:
    """Of its box where the protocol looks at boxes and there is one, else of all points of its category, whatever the part."""
    _, _, w, h = bbox
    return extent(points) if protocol.prediction_area == "extent" or math.isnan(w) else w * h


def extent(points: Iterable[Point]) -> float:
    """Width x height of the smallest box around the points."""
    known = [p for p in points if p is not None]
    if not known:
        return 0.0
    return (max(x for x, _ in known) - min(x for x, _ in known)) * (max(y for _, y in known) - min(y for _, y in known))


# -- object keypoint similarity ----------------------------------------------------------------------


def oks(truth: Truth, pred: Pred) -> float:
    """Mean over the labelled points of exp(-d² / (2 (2 sigma)² area)).

    Without a labelled point, over all points that the truth's kind has, d being how far outside the box the point lies,
    where the box is grown by its own size on each side.
    """
    rows = [k for k, p in enumerate(truth.points) if p is not None]
    offset: Callable[[int], tuple[float, float] | None] = lambda k: between(pred.points[k], truth.points[k])
    if not rows:
        rows = [k for k, s in enumerate(truth.sigmas) if not math.isnan(s)]
        offset = lambda k: outside(pred.points[k], truth.bbox)
        if not rows or math.isnan(truth.bbox[0]):
            return 0.0
    exponents = []
    for k in rows:
        d = offset(k)
        if d is None:
            exponents.append(math.inf)
        else:
            two_sigma = truth.sigmas[k] * 2
            exponents.append((d[0] * d[0] + d[1] * d[1]) / (two_sigma * two_sigma) / (truth.area + math.ulp(1.0)) / 2)
    return float(np.sum(np.exp(-np.array(exponents)))) / len(rows)


def between(pred: Point, truth: Point) -> tuple[float, float] | None:
    return None if pred is None or truth is None else (pred[0] - truth[0], pred[1] - truth[1])


def outside(pred: Point, bbox: tuple[float, ...]) -> tuple[float, float] | None:
    if pred is None:
        return None
    x, y, w, h = bbox
    return beyond(pred[0], x - w, x + w * 2), beyond(pred[1], y - h, y + h * 2)


def beyond(place: float, low: float, high: float) -> float:
    return max(0.0, low - place) + max(0.0, place - high)


# -- matching ----------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What became of one prediction at one threshold."""

    image: Id
    category: str
    score: float
    kind: str
    """true: found a truth that counts; false: found nothing; nothing: does not count."""


@dataclass
class Result:
    outcomes: dict[float, list[Outcome]]
    """By threshold; by image in the order of ids, best score first, then by row."""
    counted: list[tuple[Id, str]]
    """Image and category of every truth that counts."""
    found: dict[float, dict[int, Id | None]]


def is_ignored(t: Truth, rule: str, span: tuple[float, float] | None) -> bool:
    empty = all(p is None for p in t.points)
    none = {"recorded": t.recorded == 0 if t.recorded >= 0 else empty, "labelled": empty, "crowd": False}[rule]
    return t.crowd or none or not t.valid or (span is not None and not span[0] <= t.area <= span[1])


def match_all(truths: list[Truth], preds: list[Pred], protocol: Protocol, part: Part | None, pooled: bool, span: tuple[float, float] | None) -> Result:
    """Image by image, category by category, threshold by threshold."""
    if pooled or not protocol.per_category:
        for t in truths:
            t.category = "all"
        for p in preds:
            p.category = "all"
    rule = protocol.ignored if part is None else part.ignored
    counted = [(t.image, t.category) for t in truths if not is_ignored(t, rule, span)]
    result = Result({threshold: [] for threshold in protocol.thresholds}, counted, {threshold: {} for threshold in protocol.thresholds})
    for image in sorted({p.image for p in preds}):
        for category in sorted({p.category for p in preds}):
            rivals = sorted((p for p in preds if (p.image, p.category) == (image, category)), key=lambda p: (-p.score, p.row))
            here = [t for t in truths if (t.image, t.category) == (image, category)]
            match_cell(rivals[: protocol.max_preds], here, lambda t: is_ignored(t, rule, span), span, result)
    return result


def match_cell(rivals: list[Pred], truths: list[Truth], ignored: Callable[[Truth], bool], span: tuple[float, float] | None, result: Result) -> None:
    """The best scores choose first."""
    similarity = {(p.row, t.id): oks(t, p) for p in rivals for t in truths}
    for threshold in result.outcomes:
        taken: set[Id] = set()
        for p in rivals:
            free = [t for t in truths if t.id not in taken or t.crowd]
            chosen = choose([(similarity[p.row, t.id], ignored(t), t) for t in free], threshold)
            result.found[threshold][p.row] = None if chosen is None else chosen.id
            if chosen is not None:
                taken.add(chosen.id)
                kind = "nothing" if ignored(chosen) else "true"
            else:
                kind = "false" if span is None or span[0] <= p.area <= span[1] else "nothing"
            result.outcomes[threshold].append(Outcome(p.image, p.category, p.score, kind))


def choose(free: list[tuple[float, bool, Truth]], threshold: float) -> Truth | None:
    """The most similar truth that counts and is similar enough; where there is none, of those that are ignored. The last of equals."""
    enough = min(threshold, 1 - 1e-10)
    for wanted in (False, True):
        near = [(s, t) for s, ignored, t in free if ignored is wanted and s >= enough]
        if near:
            best = max(s for s, _ in near)
            return [t for s, t in near if s == best][-1]
    return None


# -- scores ------------------------------------------------------------------------------------------


def add_scores(metrics: dict[str, float], name: str, result: Result, protocol: Protocol, images: set[Id]) -> None:
    """Means over thresholds and categories that have truths among these images."""
    slot = f"[{name}]" if name else ""
    categories = sorted({category for image, category in result.counted if image in images})
    ap: dict[float, list[float]] = {}
    ar: dict[float, list[float]] = {}
    for threshold, outcomes in result.outcomes.items():
        ap[threshold], ar[threshold] = [], []
        for c in categories:
            truths = sum(image in images and category == c for image, category in result.counted)
            ranked = sorted((o for o in outcomes if o.category == c and o.image in images), key=lambda o: -o.score)
            curve = curve_of(ranked, truths)
            ap[threshold].append(average_precision(curve, protocol.interpolation))
            ar[threshold].append(max((recall for recall, _ in curve), default=0.0))
        metrics[f"AP@{threshold:.2f}{slot}"], metrics[f"AR@{threshold:.2f}{slot}"] = mean(ap[threshold]), mean(ar[threshold])
    metrics[f"AP{slot}"] = mean([x for values in ap.values() for x in values])
    metrics[f"AR{slot}"] = mean([x for values in ar.values() for x in values])


def curve_of(ranked: list[Outcome], truths: int) -> list[tuple[float, float]]:
    """(recall, precision) after each prediction, best score first."""
    curve, true, false = [], 0, 0
    for outcome in ranked:
        true += outcome.kind == "true"
        false += outcome.kind == "false"
        if true + false:
            curve.append((true / truths, true / (true + false)))
    return curve


def average_precision(curve: list[tuple[float, float]], interpolation: str) -> float:
    def best(recall: float) -> float:
        return max((p for r, p in curve if r >= recall), default=0.0)

    if interpolation == "all points":
        recalls = [0.0, *sorted({r for r, _ in curve})]
        return sum((after - before) * best(after) for before, after in pairwise(recalls))
    # pycocotools' points: .57 is 0.5700000000000001 there, and a recall of 57 in 100 does not reach it
    points = np.linspace(0, 1, {"101 points": 101, "11 points": 11}[interpolation]).tolist()
    return mean([best(r) for r in points])


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
