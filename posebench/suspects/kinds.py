"""Kinds of label errors, and how strongly each is suspected of every pose that was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors.labels import same_image
from .evidence import Evidence, bins_of, share_in_bins, similarity_to

__all__ = ["FOUND", "KINDS", "Suspicion", "missing_instances", "suspicions"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

KINDS: Mapping[str, str] = {
    "displaced": "a label lies where the model, sure of another place, does not see it",
    "exchange": "left and right are exchanged: of a pair, a limb, or the whole body; or one side is labelled on the other",
    "neighbour": "a point is exchanged with that of another body",
    "wrong_instance": "a point is labelled on another body",
    "missing_keypoint": "a point is not labelled, though its source knows it and the model is sure of it",
    "surplus_keypoint": "a point is labelled where the model finds none",
    "missing_instance": "the model is sure of a body that no annotation covers",
    "shape": "a point lies where the rest of its pose does not expect it, by the set's own shapes; needs no model",
}
"""In the order in which equals are named."""

_FITS = 0.5
"""Similarity from which a label lies on a place."""
_EXPLAINED = np.log(2)
"""What an explanation adds to the doubt it explains: it halves what chance is left."""
_CROSSED = 0.3
"""Gain in similarity from which points are said to be exchanged."""
_ODD = 0.8
"""What the set's own shapes add to a model's word."""
_REST = 0.5
"""What further pairs add to the first: models that exchange one side of a body often exchange all of it."""


@dataclass(frozen=True, eq=False)
class Suspicion:
    """One kind: of each of P poses -log of the chance that the label is right and the model errs, which points, and whose."""

    value: Floats
    """(P,) 0 where nothing is suspected."""
    points: Bools
    """(P, K)"""
    other: Rows
    """(P,) row of the truth that a point was exchanged with, or lies on; -1 for none."""


def _plain(value: Floats, points: Bools) -> Suspicion:
    return Suspicion(value, points, np.full(len(value), -1))


def _worst(doubt: Floats, told: Bools, near: float) -> Suspicion:
    """The most doubtful point of each pose, and those nearly as doubtful; of the many points that are told one is always odd."""
    most = doubt.max(1, initial=0)
    value = np.maximum(most - np.log(np.maximum(told.sum(1), 1)), 0)
    return _plain(value, (doubt > 0) & (doubt >= near * most[:, None]) & (value > 0)[:, None])


def displaced(e: Evidence, explained: Bools) -> Suspicion:
    """Doubtful points that no other kind explains."""
    return _worst(np.where((e.doubt > 0) & ~explained, e.doubt + _ODD * (1 - e.own) * e.odd, 0.0), e.known, 0.7)


def exchange(e: Evidence) -> Suspicion:
    """Pairs that fit crossed and not as they are; or a side that lies on the other, which is labelled right or not at all."""
    mirror = e.mirror
    paired = mirror != np.arange(len(mirror))
    both = e.known & e.said & paired
    crossed = np.where(both, similarity_to(e, np.arange(len(e.truth)), e.found[:, mirror]), 0.0)
    whole = both & both[:, mirror]
    gain = _gain(whole, crossed + crossed[:, mirror], e.own + e.own[:, mirror])
    surprise = gain * (e.doubt + e.doubt[:, mirror])
    first = surprise.max(1, initial=0)
    # each pair stands in two columns
    value = first + _REST * (surprise.sum(1) / 2 - first)
    alone = both & (crossed >= _FITS) & ~(gain > 0) & ((e.own[:, mirror] >= _FITS) | ~e.known[:, mirror])
    single = np.where(alone, np.clip(crossed - e.own, 0, 1) * (e.doubt + _EXPLAINED), 0.0)
    one = single.max(1, initial=0)
    pairwise = value >= one
    points = np.where(pairwise[:, None], gain > 0, (single > 0) & (single >= one[:, None]))
    return _plain(np.maximum(value, one), points)


def _gain(both: Bools, crossed: Floats, straight: Floats) -> Floats:
    """How much more similar two points are crossed than straight; 0 where that is not clear."""
    gain = np.clip((crossed - straight) / 2, 0, 1)
    return np.where(both & (gain > _CROSSED), gain, 0.0)


def neighbour(e: Evidence) -> Suspicion:
    """Points of two bodies that fit crossed and not as they are."""
    pose, other, seat = _beside(e)
    there = seat >= 0
    pose, other, seat = pose[there], other[there], seat[there]
    theirs = similarity_to(e, pose, e.found[seat])
    ours = similarity_to(e, seat, e.found[pose])
    both = e.known[pose] & e.known[seat] & e.said[pose] & e.said[seat]
    gain = _gain(both, theirs + ours, e.own[pose] + e.own[seat])
    surprise = gain * (e.doubt[pose] + e.doubt[seat])
    return _strongest(e, pose, other, surprise, surprise.max(1, initial=0), gain > 0)


def wrong_instance(e: Evidence) -> Suspicion:
    """A label on the same or the mirror point of another body, which the model finds there, while it finds this one elsewhere."""
    pose, other, seat = _beside(e)
    found = np.where((seat >= 0)[:, None, None], e.found[seat], np.nan)
    there = np.maximum(similarity_to(e, pose, found), similarity_to(e, pose, found[:, e.mirror]))
    on = np.maximum(there, _labels_near(e, pose, other, seat))
    fits = e.known[pose] & e.said[pose] & (on >= _FITS)
    surprise = np.where(fits, np.clip(on - e.own[pose], 0, 1) * (e.doubt[pose] + _EXPLAINED), 0.0)
    most = surprise.max(1, initial=0)
    return _strongest(e, pose, other, surprise, most, (surprise > 0) & (surprise >= most[:, None]))


def _labels_near(e: Evidence, pose: Rows, other: Rows, seat: Rows) -> Floats:
    """(Q, K) similarity of labels to the same label of another body, unless the model finds that one elsewhere."""
    theirs = np.where(e.problem.labelled[other][..., None], e.problem.points[other][..., :2], np.nan)
    elsewhere = (seat >= 0)[:, None] & (e.own[seat] < _FITS)
    return np.where(elsewhere, 0.0, similarity_to(e, pose, theirs))


def _beside(e: Evidence) -> tuple[Rows, Rows, Rows]:
    """(Q,) poses, rows of the other truths of their images that count, and the poses of those; -1 for one that was not found."""
    place = np.full(len(e.problem.area), -1)
    place[e.truth] = np.arange(len(e.truth))
    pose, other = same_image(e.problem, e.truth)
    kept = (other != e.truth[pose]) & ~e.problem.ignored[other]
    return pose[kept], other[kept], place[other[kept]]


def _strongest(e: Evidence, pose: Rows, other: Rows, surprise: Floats, value: Floats, points: Bools) -> Suspicion:
    """Of each pose's neighbours the one that is suspected most."""
    n, k = e.known.shape
    best, whose, which = np.zeros(n), np.full(n, -1), np.zeros((n, k), bool)
    order = np.argsort(value, kind="stable")  # the last one written is the strongest
    best[pose[order]], whose[pose[order]], which[pose[order]] = value[order], other[order], points[order]
    whose[best <= 0] = -1
    return Suspicion(best, which & (best > 0)[:, None], whose)


def missing_keypoint(e: Evidence) -> Suspicion:
    """Points without a label, that are not known to lie outside the frame, as sure as points that are mostly labelled."""
    ds = e.problem.truth
    could = np.asarray(ds.instances.annotated[e.truth] & ~ds.outside[e.truth] & e.said & _inside(e), bool)
    bins = bins_of(e.confidence, could)
    bare = np.asarray(could & ~e.known, bool)
    share = share_in_bins(bins, could, bare)
    return _worst(np.where(bare, -np.log(share[bins]), 0.0), bare, 0.9)


def _inside(e: Evidence) -> Bools:
    """(P, K) predicted points in their frame; all where its size is unknown."""
    images = e.problem.truth.images
    row = e.problem.image[e.truth]
    size = np.stack([images.width[row], images.height[row]], -1)[:, None]
    with np.errstate(invalid="ignore"):
        within = ((e.found >= -0.5) & (e.found <= size - 0.5)).all(-1)
    return np.asarray(within | ~(size > 0).all(-1), bool)


def surplus_keypoint(e: Evidence) -> Suspicion:
    """Points labelled as seen that the model leaves out, or is less sure of than of nearly all such points."""
    seen = np.asarray(e.known & (e.problem.points[e.truth][..., 2] == 2), bool)
    ordered = np.sort(e.confidence[seen])
    share = (np.searchsorted(ordered, e.confidence, side="right") + 0.5) / (len(ordered) + 1)
    return _worst(np.where(seen, (-np.log(np.minimum(share, 1)) + _ODD * e.odd) * (1 - e.own), 0.0), seen, 0.9)


FOUND: Mapping[str, Callable[[Evidence], Suspicion]] = {
    "exchange": exchange,
    "neighbour": neighbour,
    "wrong_instance": wrong_instance,
    "missing_keypoint": missing_keypoint,
    "surplus_keypoint": surplus_keypoint,
}
"""Kinds told by a pose and its prediction; what the first three explain is not `displaced`."""


def suspicions(e: Evidence) -> dict[str, Suspicion]:
    """Every kind that a pose and its prediction tell."""
    found = {kind: tell(e) for kind, tell in FOUND.items()}
    crossed = found["exchange"].points | found["neighbour"].points
    found["wrong_instance"] = _without(found["wrong_instance"], crossed)
    return {"displaced": displaced(e, crossed | found["wrong_instance"].points), **found}


def _without(s: Suspicion, explained: Bools) -> Suspicion:
    """Nothing is suspected where all points are explained."""
    kept = np.asarray((s.points & ~explained).any(1), bool)
    return Suspicion(np.where(kept, s.value, 0.0), s.points & kept[:, None], np.where(kept, s.other, -1))


def missing_instances(e: Evidence) -> tuple[Rows, Floats]:
    """Predictions, by place in the problem, that are like no truth, and how strongly each speaks for an annotation that is missing."""
    problem, n = e.problem, len(e.problem.rows)
    free = e.matches.dense()[0] < 0
    nearest = np.zeros(n)
    np.maximum.at(nearest, e.pairs.pred, e.similarity)
    free &= (nearest < _LIKE) & ~_covered(e)
    rows = np.flatnonzero(free)
    return rows, -np.log(_share_at(problem.pred_score, free)[rows]) * (1 - nearest[rows])


def _share_at(score: Floats, mine: Bools) -> Floats:
    """(M,) share of the predictions of about this score that are mine; it does not rise with the score, so that the surest say most."""
    order = np.argsort(score, kind="stable")
    total = np.concatenate([[0], np.cumsum(mine[order])])
    place = np.arange(len(score))
    low, high = np.maximum(place - _WINDOW, 0), np.minimum(place + _WINDOW + 1, len(score))
    share = np.empty(len(score))
    share[order] = np.minimum.accumulate((total[high] - total[low] + 0.5) / (high - low + 1))
    return share


_WINDOW = 100
_LIKE = 0.3
"""Similarity from which a second prediction is one of the same body."""


def _covered(e: Evidence) -> Bools:
    """(M,) predictions half of whose points lie in the box of a truth that says too little to be compared: a crowd, or no labelled point."""
    problem, own = e.problem, e.problem.truth.instances
    mute = np.flatnonzero((problem.ignored | ~problem.labelled.any(1)) & (own.bbox[:, 2] > 0))
    covered = np.zeros(len(problem.rows), bool)
    if not len(mute):
        return covered
    order = np.argsort(problem.image[mute], kind="stable")
    mute = mute[order]
    first, last = (np.searchsorted(problem.image[mute], problem.pred_image, side=side) for side in ("left", "right"))
    count = last - first
    pred = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(pred)) - np.repeat(np.cumsum(count) - count, count)
    box = own.bbox[mute[np.repeat(first, count) + within]]
    xy = problem.pred.keypoints[problem.rows[pred]][..., :2] + 0.5
    inside = ((xy >= box[:, None, :2]) & (xy <= box[:, None, :2] + box[:, None, 2:])).all(-1)
    there = np.maximum((~np.isnan(xy[..., 0])).sum(1), 1)
    covered[pred[np.asarray(inside.sum(1) >= 0.5 * there, bool)]] = True
    return covered
