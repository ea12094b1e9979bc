"""Replicates: metrics under many weightings of the images, from what was matched once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..metrics import as_matched, canonical, judged_points, poseval_joints, ranked_under, read_metric
from ..selection import EVERYTHING, Selection
from ..spelling import Spelling
from ..workings import Workings
from .sums import percentiles, ratios_of

__all__ = ["replay", "replicates"]

Floats = NDArray[np.float64]
Replay = Callable[[Floats], Floats]
"""(b, I) weights of the images -> (b,) values, or (b, M) of several metrics."""

THREADS = 2
"""numpy and scipy work side by side on two blocks; more would not fit the cache."""


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
    values = list(_ahead(replay(workings, metrics, selection), blocks, advance))
    return np.concatenate(values) if values else np.zeros((0, len(metrics)))


def _ahead(function: Replay, blocks: Iterable[Floats], advance: Callable[[int], None]) -> Iterator[Floats]:
    """The results in order; only as many blocks are made as threads can take."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[Future[Floats]] = deque()
        for block in blocks:
            waiting.append(pool.submit(function, block))
            if len(waiting) > THREADS:
                yield _done(waiting.popleft(), advance)
        while waiting:
            yield _done(waiting.popleft(), advance)


def _done(future: Future[Floats], advance: Callable[[int], None]) -> Floats:
    values = future.result()
    advance(len(values))
    return values


def replay(workings: Workings, metrics: Sequence[str | Spelling], selection: Selection = EVERYTHING) -> Replay:
    """A function of a block of weights (b, I) that has everything else made: matches, sums, matrices."""
    spellings = [read_metric(m) for m in metrics]
    for s in spellings:
        workings.require_where(s.where, canonical(s))
    scored = [i for i, s in enumerate(spellings) if s.name in ("AP", "AR") and not s.variant and workings.has_part(s.where)]
    others = [(i, _replayed(workings, s, selection)) for i, s in enumerate(spellings) if i not in scored]
    curves = _of_curves(workings, [spellings[i] for i in scored], selection)

    def under(block: Floats) -> Floats:
        values = np.full((len(block), len(spellings)), np.nan)
        values[:, scored] = curves(block)
        for i, function in others:
            values[:, i] = function(block)
        return values

    return under


def _replayed(workings: Workings, s: Spelling, selection: Selection) -> Replay:
    """A metric of points, or of joints by poseval's rule."""
    if not workings.has_part(s.where):
        return lambda block: np.full(len(block), np.nan)
    if s.variant == "poseval":
        return _poseval(workings, s, selection)
    averaged, image, weights = judged_points(workings, s, selection)
    if averaged.share is not None:
        return percentiles(averaged, averaged.share, image, weights)
    return ratios_of(averaged, image, len(workings.aligned.truth.images), weights).under


def _poseval(workings: Workings, s: Spelling, selection: Selection) -> Replay:
    joints = poseval_joints(workings, s, selection)
    fixed = 1.0 if selection.images is None else selection.images
    return lambda block: np.array([joints.ap(weights * fixed).mean for weights in block])


def _of_curves(workings: Workings, spellings: Sequence[Spelling], selection: Selection) -> Replay:
    """AP and AR of several spellings: (b, I) -> (b, M); those of one ranking share all work."""
    by_ranking: dict[tuple[str, bool], list[int]] = {}
    for i, s in enumerate(spellings):
        anew = selection.category is not None and s.where == "pooled"
        by_ranking.setdefault((s.where, anew), []).append(i)
    parts = [(columns, _of_ranking(workings, [spellings[i] for i in columns], selection)) for columns in by_ranking.values()]

    def under(block: Floats) -> Floats:
        values = np.empty((len(block), len(spellings)))
        for columns, function in parts:
            values[:, columns] = function(block)
        return values

    return under


def _of_ranking(workings: Workings, spellings: Sequence[Spelling], selection: Selection) -> Replay:
    """AP and AR of one range, level, part or pool."""
    from .batched import averages, batch_of

    where = spellings[0].where
    chosen = as_matched(workings, spellings[0], selection)
    fixed = workings.weights(where, chosen.images)
    ranked = ranked_under(workings, where, chosen)
    ranked = ranked if chosen.category is None else ranked[chosen.category : chosen.category + 1]
    batches = [batch_of(ranking, len(workings.aligned.truth.images)) for ranking in ranked]
    picks = [(int(s.name == "AR"), None if s.at is None else workings.threshold(s.at, canonical(s))) for s in spellings]
    interpolation = workings.protocol.interpolation

    def under(block: Floats) -> Floats:
        weights = np.ascontiguousarray((block if fixed is None else block * fixed).T)
        both = [averages(batch, weights, interpolation) for batch in batches]
        return np.stack([_mean([pair[which] for pair in both], t, len(block)) for which, t in picks], 1)

    return under


def _mean(values: Sequence[Floats], t: int | None, size: int) -> Floats:
    """(b,) mean over the categories that have truths, and over thresholds unless one is named; NaN without any. values: (T, b) each."""
    total, known = np.zeros(size), np.zeros(size)
    for each in values:
        value = each.mean(0) if t is None else each[t]
        some = ~np.isnan(value)
        total[some] += value[some]
        known += some
    return np.divide(total, known, out=np.full(size, np.nan), where=known > 0)
