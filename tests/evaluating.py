"""The evaluator under test behind one call, with every number by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posebench.align import Aligned, align
from posebench.curve import Ranking, Scores, rankings, scores
from posebench.match import Matches, match, pairs_of
from posebench.problem import prepare
from posebench.protocol import Part, Protocol
from posedata import PoseDataset, Predictions

__all__ = ["Found", "evaluated", "weighted"]

Found = dict[tuple[str, float], dict[int, int | str | None]]
"""By range (or part, or "pooled"; "" for all) and threshold: the truth id that each prediction row found, None for none."""


@dataclass(frozen=True)
class Evaluated:
    metrics: Mapping[str, float]
    found: Found


def evaluated(truth: PoseDataset, pred: Predictions, protocol: Protocol) -> Evaluated:
    """All numbers and matches of a protocol."""
    aligned = align(truth, pred, protocol.per_category)
    metrics: dict[str, float] = {}
    found: Found = {}
    matches = _matches(aligned, protocol, ranges=True)
    for r, name in enumerate(("", *protocol.ranges)):
        _add(metrics, found, name, matches, r, protocol)
    for name, (low, high) in protocol.levels.items():
        value = np.asarray(aligned.truth.images.meta[protocol.level_column], float)
        weights = ((value >= low) & (value < high)).astype(float)
        _add_scores(metrics, name, scores(rankings(matches), protocol.interpolation, weights), protocol)
    for name, part in protocol.parts.items():
        _add(metrics, found, name, _matches(aligned, protocol, part=part), 0, protocol)
    _add(metrics, found, "pooled", _matches(aligned, protocol, pooled=True), 0, protocol)
    return Evaluated(metrics, found)


def weighted(truth: PoseDataset, pred: Predictions, protocol: Protocol, weights: list[int]) -> dict[str, float]:
    """The numbers when each image, in the truth's order, is in the set so many times."""
    metrics: dict[str, float] = {}
    matches = _matches(align(truth, pred, protocol.per_category), protocol, ranges=True)
    for r, name in enumerate(("", *protocol.ranges)):
        _add_scores(metrics, name, scores(rankings(matches, r), protocol.interpolation, np.array(weights, float)), protocol)
    return metrics


def _matches(aligned: Aligned, protocol: Protocol, part: Part | None = None, pooled: bool = False, ranges: bool = False) -> Matches:
    problem = prepare(aligned, protocol, part, pooled)
    spans = list(protocol.ranges.values()) if ranges else []
    ignored = [problem.ignored] + [problem.ignored | (problem.area < low) | (problem.area > high) for low, high in spans]
    beyond = [np.zeros(len(problem.rows), bool)] + [(problem.pred_area < low) | (problem.pred_area > high) for low, high in spans]
    return match(problem, pairs_of(problem), protocol.thresholds, np.array(ignored), np.array(beyond))


def _add(metrics: dict[str, float], found: Found, name: str, matches: Matches, r: int, protocol: Protocol) -> None:
    ranked: list[Ranking] = rankings(matches, r)
    _add_scores(metrics, name, scores(ranked, protocol.interpolation), protocol)
    problem = matches.problem
    ids = [*problem.truth.instances.id.tolist(), None]
    for threshold, row in zip(protocol.thresholds, matches.dense(r), strict=True):
        found[name, threshold] = {int(problem.pred.row[m]): ids[t] for m, t in zip(problem.rows, row, strict=True)}


def _add_scores(metrics: dict[str, float], name: str, s: Scores, protocol: Protocol) -> None:
    slot = f"[{name}]" if name else ""
    metrics[f"AP{slot}"], metrics[f"AR{slot}"] = s.ap(), s.ar()
    for t, threshold in enumerate(protocol.thresholds):
        metrics[f"AP@{threshold:.2f}{slot}"], metrics[f"AR@{threshold:.2f}{slot}"] = s.ap(t), s.ar(t)
