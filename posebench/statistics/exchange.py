"""Exchange of images between two models: what a difference would be, were it luck alone which of the two predicted an image.

AP is no mean over images, so the models' rankings are joined into one in which every image stands three times: with the
predictions of the one, with those of the other, and with the truths. Weights then say whose predictions count on which
image, and nothing is matched anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..curve import Ranking
from ..distances import Joints, Judged
from ..metrics import METRICS, judged_points, poseval_joints
from ..selection import EVERYTHING, Selection
from ..spelling import Spelling
from ..workings import Workings
from .replicates import Replay, curved, curves_under, points_under, run, selected_rankings, together
from .resampling import BLOCK, Clusters

__all__ = ["exchanged", "exchanges", "joined_rankings", "p_value"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_ALIKE = 1e-12
"""Sums in another order differ by less."""


def exchanges(drawn: Clusters, count: int, seed: int = 0) -> Iterator[Floats]:
    """Blocks (b, I) of 1 where the two models change places in `count` exchanges, 0 elsewhere; whole clusters do so together."""
    rng = np.random.default_rng([seed, 1])  # another sequence than that of the resamples
    for start in range(0, count, BLOCK):
        swapped = rng.integers(2, size=(min(BLOCK, count - start), drawn.n)).astype(np.float64)
        yield swapped if drawn.name == "image" else swapped[:, drawn.code]


def p_value(seen: float, differences: Floats) -> float:
    """Two-sided: how often an exchange makes a difference at least as large, the one that was seen among them.

    An exchange without a number, where one model finds nothing, speaks for neither, and counts against a difference.
    """
    if np.isnan(seen):
        return float("nan")
    return float((1 + (~(np.abs(differences) < abs(seen) - _ALIKE)).sum()) / (1 + len(differences)))


def exchanged(
    a: Workings,
    b: Workings,
    metrics: Sequence[Spelling],
    blocks: Iterator[Floats],
    selections: tuple[Selection, Selection] = (EVERYTHING, EVERYTHING),
    advance: Callable[[int], None] = lambda steps: None,
) -> Floats:
    """(B, metrics) difference, b less a, of each metric under each exchange."""
    parts = [(columns, _joined_plan(a, b, [metrics[i] for i in columns], selections)) for columns in together(a, metrics)]

    def differ(block: Floats) -> Floats:
        values = np.full((len(block), len(metrics)), np.nan)
        for columns, replay in parts:
            one, other = (replay(side) for side in _sides(block))
            values[:, columns] = other - one
        return values

    return run(differ, blocks, len(metrics), advance)


def _joined_plan(a: Workings, b: Workings, metrics: Sequence[Spelling], selections: tuple[Selection, Selection]) -> Replay:
    """(b, 3 I) weights -> (b, metrics), of metrics that share all work."""
    if curved(metrics[0]):
        return _poses(a, b, metrics, selections)
    return (_points if METRICS[metrics[0].name].per_keypoint else _joints)(a, b, metrics[0], selections)


def _sides(block: Floats) -> tuple[Floats, Floats]:
    """(b, 3 I) what counts on the one side and on the other of each exchange: predictions of a, of b, and the truths."""
    own, truths = 1 - block, np.ones_like(block)
    return np.concatenate([own, block, truths], 1), np.concatenate([block, own, truths], 1)


# -- whole poses -------------------------------------------------------------------------------------


def joined_rankings(a: Sequence[Ranking], b: Sequence[Ranking], rank: Rows, weights: Floats | None = None) -> list[Ranking]:
    """One ranking of both models' predictions for each category that has truths; images of `b` follow those of `a`, then those of truths.

    Scores of two models have no common scale, and AP asks none: it looks at the order alone. So the first of the one
    stands beside the first of the other, the second beside the second; of equals the first image by id goes first, for
    neither model may be preferred.
    """
    return [_joined(one, other, rank, weights) for one, other in zip(a, b, strict=False)]  # a category that only one has predictions of has no truth


def _joined(a: Ranking, b: Ranking, rank: Rows, weights: Floats | None) -> Ranking:
    own, count = np.concatenate([a.image, b.image]), len(rank)
    nth = [np.arange(len(r.image)) if weights is None else np.cumsum(weights[r.image]) for r in (a, b)]
    order = np.lexsort((rank[own], np.concatenate(nth)))
    at = np.empty_like(order)
    at[order] = np.arange(len(order))
    place = np.concatenate([at[a.place], at[len(a.image) + b.place]])
    near = np.argsort(place)
    return Ranking(
        image=np.concatenate([a.image, b.image + count])[order],
        outside=np.concatenate([a.outside, b.outside])[order],
        place=place[near],
        hit=np.concatenate([a.hit, b.hit], 1)[:, near],
        idle=np.concatenate([a.idle, b.idle], 1)[:, near],
        truth_image=a.truth_image + 2 * count,
        order=order,
    )


def _poses(a: Workings, b: Workings, metrics: Sequence[Spelling], selections: tuple[Selection, Selection]) -> Replay:
    """AP and AR of one range, level, part or pool."""
    (one, fixed), (other, _) = (selected_rankings(w, metrics[0], each) for w, each in zip((a, b), selections, strict=True))
    ranked = joined_rankings(one, other, a.aligned.rank, fixed)
    return curves_under(a, metrics, ranked, None if fixed is None else np.tile(fixed, 3), 3 * len(a.aligned.rank))


def _joints(a: Workings, b: Workings, s: Spelling, selections: tuple[Selection, Selection]) -> Replay:
    """poseval's AP, whose points are ranked joint by joint."""
    one, other = (poseval_joints(w, s, each) for w, each in zip((a, b), selections, strict=True))
    rank = a.aligned.rank
    joined = Joints(
        image=np.concatenate([one.image, other.image + len(rank)]),
        true=np.concatenate([one.true, other.true]),
        present=np.concatenate([one.present, other.present]),
        confidence=-np.concatenate([own.places() + (rank[own.image] / len(rank))[:, None] for own in (one, other)]),
        truth_image=one.truth_image + 2 * len(rank),
        labelled=one.labelled,
    )
    fixed = selections[0].images
    base = 1.0 if fixed is None else np.tile(fixed, 3)
    return lambda block: np.array([[joined.ap(weights * base).mean] for weights in block])


# -- single points -----------------------------------------------------------------------------------


def _points(a: Workings, b: Workings, s: Spelling, selections: tuple[Selection, Selection]) -> Replay:
    """One number of points."""
    (one, image, weights), (other, image_b, weights_b) = (judged_points(w, s, each) for w, each in zip((a, b), selections, strict=True))
    count = len(a.aligned.rank)
    joined = replace(one, judged=_together(one.judged, other.judged))
    return points_under(joined, np.concatenate([image, image_b + count]), _both(weights, weights_b, len(image), len(image_b)), 3 * count)


def _together(a: Judged, b: Judged) -> Judged:
    return Judged(np.concatenate([a.value, b.value]), np.concatenate([a.counts, b.counts]), np.concatenate([a.category, b.category]))


def _both(a: Floats | None, b: Floats | None, n: int, m: int) -> Floats:
    return np.concatenate([np.ones(n) if a is None else a, np.ones(m) if b is None else b])
