"""Replicates: metrics under many weightings of the images, from what was matched once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..curve import Ranking
from ..distances import Averaged
from ..metrics import as_matched, canonical, judged_points, poseval_joints, ranked_under, read_metric
from ..selection import EVERYTHING, Selection
from ..spelling import Spelling
from ..workings import Workings
from .sums import Ratios, percentiles, ratios_of

__all__ = ["CURVED", "Plan", "Replay", "curved", "curves_under", "plan", "points_under", "proportion", "replicates", "run", "selected_rankings", "together"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Replay = Callable[[Floats], Floats]
"""(b, I) weights of the images -> (b, M) values of some metrics."""

CURVED = ("AP", "AR")
"""Metrics of rankings."""
THREADS = 2
"""numpy and scipy work side by side on two blocks; more would not fit the cache."""


@dataclass(frozen=True, eq=False)
class Plan:
    """M metrics with everything made that does not depend on the weights: matches, sums, matrices."""

    parts: Sequence[tuple[Sequence[int], Replay]]
    """Columns, and what fills them."""
    held: Sequence[Floats]
    """(I,) of each metric: truths or points that it is made of, by image."""

    def __call__(self, block: Floats) -> Floats:
        values = np.full((len(block), len(self.held)), np.nan)
        for columns, replay in self.parts:
            values[:, columns] = replay(block)
        return values


def replicates(
    workings: Workings,
    metrics: Sequence[str | Spelling],
    blocks: Iterable[Floats],
    selection: Selection = EVERYTHING,
    advance: Callable[[int], None] = lambda steps: None,
) -> Floats:
    """(B, M) each metric under each weighting of the blocks (b, I), as `measure` has it of a selection with these weights.

    Weights are whole numbers: how often each image is in the set. Nothing is matched again, but once where the selection asks for it.
    """
    return run(plan(workings, metrics, selection), blocks, len(metrics), advance)


def run(replay: Replay, blocks: Iterable[Floats], width: int, advance: Callable[[int], None] = lambda steps: None) -> Floats:
    """(B, width) values of all blocks, in their order; only as many blocks are made as threads can take."""
    return np.concatenate([np.zeros((0, width)), *_ahead(replay, blocks, advance)])


def _ahead(replay: Replay, blocks: Iterable[Floats], advance: Callable[[int], None]) -> Iterator[Floats]:
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[Floats]] = deque()
        for block in blocks:
            waiting.append(pool.submit(replay, block))
            if len(waiting) > THREADS:
                yield _done(waiting.popleft(), advance)
        while waiting:
            yield _done(waiting.popleft(), advance)


def _done(future: Future[Floats], advance: Callable[[int], None]) -> Floats:
    values = future.result()
    advance(len(values))
    return values


def plan(workings: Workings, metrics: Sequence[str | Spelling], selection: Selection = EVERYTHING) -> Plan:
    """What these metrics need; those of one ranking share all work."""
    spellings = [read_metric(m) for m in metrics]
    held: list[Floats] = [np.zeros(len(workings.aligned.truth.images))] * len(spellings)
    parts: list[tuple[Sequence[int], Replay]] = []
    for columns in together(workings, spellings):
        alike = [spellings[i] for i in columns]
        replay, count = _of_ranking(workings, alike, selection) if curved(alike[0]) else _of_points(workings, alike[0], selection)
        parts.append((columns, replay))
        for i in columns:
            held[i] = count
    return Plan(parts, held)


def curved(s: Spelling) -> bool:
    return s.name in CURVED and not s.variant


def together(workings: Workings, spellings: Sequence[Spelling]) -> list[list[int]]:
    """Places of the metrics that share a ranking, or stand alone; without those of a part that the truth lacks."""
    found: dict[object, list[int]] = {}
    for i, s in enumerate(spellings):
        workings.require_where(s.where, canonical(s))
        if workings.has_part(s.where):
            found.setdefault(s.where if curved(s) else i, []).append(i)
    return list(found.values())


# -- points ------------------------------------------------------------------------------------------


def _of_points(workings: Workings, s: Spelling, selection: Selection) -> tuple[Replay, Floats]:
    if s.variant == "poseval":
        return _of_joints(workings, s, selection)
    averaged, image, weights = judged_points(workings, s, selection)
    images = len(workings.aligned.truth.images)
    count = np.bincount(image, averaged.judged.count * (1.0 if weights is None else weights), images).astype(np.float64)
    return points_under(averaged, image, weights, images), count


def points_under(averaged: Averaged, image: Rows, weights: Floats | None, images: int) -> Replay:
    """One number of points that lie on these images, each truth counting `weights` times beside what is asked."""
    replay: Replay = ratios_of(averaged, image, images, weights).under
    replay = replay if averaged.share is None else percentiles(averaged, averaged.share, image, weights)
    return lambda block: replay(block)[:, None]


def _of_joints(workings: Workings, s: Spelling, selection: Selection) -> tuple[Replay, Floats]:
    """poseval's rule."""
    joints = poseval_joints(workings, s, selection)
    fixed = np.ones(len(workings.aligned.truth.images)) if selection.images is None else selection.images
    count = np.bincount(joints.truth_image, joints.labelled.sum(1), len(fixed)) * fixed
    return lambda block: np.array([[joints.ap(weights * fixed).mean] for weights in block]), np.asarray(count, np.float64)


# -- rankings ----------------------------------------------------------------------------------------


def selected_rankings(workings: Workings, s: Spelling, selection: Selection) -> tuple[list[Ranking], Floats | None]:
    """The rankings that a metric is made of, and the fixed weights of the images."""
    chosen = as_matched(workings, s, selection)
    ranked = ranked_under(workings, s.where, chosen)
    c = chosen.category
    return ranked if c is None else ranked[c : c + 1], workings.weights(s.where, chosen.images)


def _of_ranking(workings: Workings, spellings: Sequence[Spelling], selection: Selection) -> tuple[Replay, Floats]:
    """AP and AR of one range, level, part or pool."""
    images = len(workings.aligned.truth.images)
    ranked, fixed = selected_rankings(workings, spellings[0], selection)
    count = np.bincount(np.concatenate([np.zeros(0, np.intp), *(ranking.truth_image for ranking in ranked)]), minlength=images).astype(np.float64)
    return curves_under(workings, spellings, ranked, fixed, images), count if fixed is None else count * fixed


def curves_under(workings: Workings, spellings: Sequence[Spelling], ranked: Sequence[Ranking], fixed: Floats | None, images: int) -> Replay:
    """AP and AR of these rankings, whose (I,) images count `fixed` times beside what is asked."""
    from .batched import averages, batch_of

    batches = [batch_of(ranking, images) for ranking in ranked]
    picks = [(int(s.name == "AR"), None if s.at is None else workings.threshold(s.at, canonical(s))) for s in spellings]
    interpolation = workings.protocol.interpolation

    def replay(block: Floats) -> Floats:
        weights = np.ascontiguousarray((block if fixed is None else block * fixed).T)
        both = [averages(batch, weights, interpolation) for batch in batches]
        return np.stack([mean_over_categories([pair[which] for pair in both], t, len(block)) for which, t in picks], 1)

    return replay


def mean_over_categories(values: Sequence[Floats], t: int | None, size: int) -> Floats:
    """(b,) mean over the categories that have truths, and over thresholds unless one is named; NaN without any. values: (T, b) each."""
    total, known = np.zeros(size), np.zeros(size)
    for each in values:
        value = each.mean(0) if t is None else each[t]
        some = ~np.isnan(value)
        total[some] += value[some]
        known += some
    return np.divide(total, known, out=np.full(size, np.nan), where=known > 0)


# -- proportions -------------------------------------------------------------------------------------


def proportion(workings: Workings, s: Spelling, selection: Selection = EVERYTHING) -> Ratios | None:
    """The sums by image behind a metric that is a mean of shares of truths or points, AR and PCK; None for any other."""
    images = len(workings.aligned.truth.images)
    if s.name == "PCK":
        averaged, image, weights = judged_points(workings, s, selection)
        return ratios_of(averaged, image, images, weights)
    if s.name != "AR":
        return None
    ranked, fixed = selected_rankings(workings, s, selection)
    steps = slice(None) if s.at is None else [workings.threshold(s.at, canonical(s))]
    each = np.ones(images) if fixed is None else fixed
    top = [np.bincount(r.image[r.place], r.hit[steps].mean(0), images) * each for r in ranked]
    bottom = [np.bincount(r.truth_image, minlength=images) * each for r in ranked]
    return Ratios(np.stack(top, 1), np.stack(bottom, 1)) if ranked else None
