"""simulate: predictions for a dataset, with errors of given kinds in given shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.catalog import called
from posedata.columns import ids_column
from posedata.dataset import PoseDataset
from posedata.errors import DataError, brief
from posedata.predictions import Predictions

from .background import moved
from .injected import ABSENT, BACKGROUND, DUPLICATE, GOOD, INVERSION, JITTER, KINDS, NONE, POSE, PROXIMITY, SURPLUS, SWAP, Injected, Share, Simulated
from .place import place, possible
from .scene import Floats, Rows, Scene, scene_of

__all__ = ["SHARES", "simulate"]

SHARES = {
    "jitter": "labelled points to put near their place, but beyond what people disagree by",
    "inversion": "labelled points to put on their own mirror image",
    "swap": "labelled points to put on that point, or its mirror image, of another truth of the image",
    "miss": "labelled points to put where no place is that they could be taken for",
    "absent": "labelled points to leave out",
    "surplus": "unlabelled points to predict nevertheless",
    "missed": "truths to make no prediction for",
    "duplicate": "poses of OKS .5 or more to predict twice, the second with a lower score",
    "background": "truths beside which to add a pose where nobody is",
}
"""What each share is a share of. The shares of labelled points add to 1 at most; the rest is good."""

_POINTS = KINDS[JITTER : ABSENT + 1]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Poses:
    """M predictions of one sort."""

    sort: int
    rows: Rows
    """(M,) the truths they were drawn from; on the background: whose shape and image they have."""
    xy: Floats
    labels: NDArray[np.int8]
    confidence: Floats
    score: Floats
    bbox: Floats
    attracted: Rows
    """(S, 4) pose, keypoint; row of a truth and its keypoint."""

    def take(self, keep: NDArray[np.bool_]) -> _Poses:
        own = {name: getattr(self, name)[keep] for name in ("rows", "xy", "labels", "confidence", "score", "bbox")}
        kept = self.attracted[keep[self.attracted[:, 0]]]
        place = np.cumsum(keep) - 1
        return _Poses(sort=self.sort, attracted=np.concatenate([place[kept[:, :1]], kept[:, 1:]], 1), **own)


def simulate(
    truth: PoseDataset,
    *,
    jitter: float = 0.16,
    inversion: float = 0.03,
    swap: float = 0.08,
    miss: float = 0.10,
    absent: float = 0.0,
    surplus: float = 0.0,
    missed: float = 0.0,
    duplicate: float = 0.0,
    background: float = 0.0,
    score_noise: float = 0.0,
    seed: int = 0,
) -> Simulated:
    """Predictions for every truth that has labelled points and is no crowd, with errors in these shares; one seed, one result.

    A kind that a point cannot have (an inversion of the nose, a swap without neighbours, a place that cannot be told from
    another) becomes good; `injected` holds what was really drawn. Scores follow a pose's similarity to its truth;
    `score_noise` is the deviation of noise on their log odds. Another share of missed, duplicate or background leaves
    all other poses as they were.
    """
    shares = {"jitter": jitter, "inversion": inversion, "swap": swap, "miss": miss, "absent": absent, "surplus": surplus, "missed": missed,
              "duplicate": duplicate, "background": background}  # fmt: skip
    _check(shares, score_noise, seed)
    scene = scene_of(truth)
    rows = _predictable(truth, scene)
    streams = np.random.default_rng(seed).spawn(4)
    every, quality = _posed(truth, scene, rows, shares, score_noise, streams[0])
    lost = streams[1].random(len(rows)) < missed
    found = (quality >= PROXIMITY) & ~lost
    twice = _twice(scene, every.take(found & (streams[2].random(len(rows)) < duplicate)), streams[2])
    ground = _on_background(truth, scene, rows, background, streams[3])
    poses = every.take(~lost)
    counts = {"missed": Share(missed, int(lost.sum()), len(rows)), "duplicate": Share(duplicate, len(twice.rows), int(found.sum())),
              "background": Share(background, len(ground.rows), len(rows))}  # fmt: skip
    reached = _point_shares(truth, poses, shares) | counts
    return _joined(truth, [poses, twice, ground], rows[lost], reached, {**shares, "score_noise": score_noise, "seed": seed})


def _check(shares: Mapping[str, float], score_noise: float, seed: int) -> None:
    for name, share in {**shares, "score_noise": min(score_noise, 1.0)}.items():
        if not 0 <= share <= 1:
            raise DataError("simulate", f"{name} {share:g}", "a share lies between 0 and 1; score_noise at 0 or above")
    total = math.fsum(shares[name] for name in _POINTS)
    if total > 1 + 1e-9:
        raise DataError("simulate", f"{' + '.join(_POINTS)} = {total:g}", "the shares of labelled points add to 1 at most; the rest is good")
    if not math.isfinite(score_noise) or not isinstance(seed, int) or seed < 0:
        raise DataError("simulate", f"score_noise {score_noise:g}, seed {brief(repr(seed))}", "a finite number, and a whole number of 0 or more")


def _predictable(truth: PoseDataset, scene: Scene) -> Rows:
    """Rows that get a prediction."""
    if not len(truth.schema):
        raise DataError(truth.name, f"schema {truth.schema.name!r} has no keypoints", "there is nothing to simulate; name a schema")
    rows = np.flatnonzero(scene.labelled.any(1) & ~truth.instances.crowd)
    if not len(rows):
        raise DataError(truth.name, f"{len(truth):,} instances, none with labelled points that is no crowd", "there is nothing to simulate")
    return rows


# -- poses --------------------------------------------------------------------------------------------


def _posed(truth: PoseDataset, scene: Scene, rows: Rows, shares: Mapping[str, float], noise: float, rng: np.random.Generator) -> tuple[_Poses, Floats]:
    """One pose for each row, and its similarity to its truth."""
    done = place(scene, rows, _kinds(scene, rows, shares, rng), rng)
    quality = done.own.sum(1) / scene.labelled[rows].sum(1)
    odds = _log_odds(quality) + noise * rng.standard_normal(len(rows))
    extra = _unlabelled(truth, rows) & (rng.random(done.kinds.shape) < shares["surplus"])
    confidence = np.where(extra, rng.uniform(0.6, 0.95, extra.shape), _confidence(done.near, done.kinds))
    poses = _Poses(
        sort=POSE,
        rows=rows,
        xy=_with_extra(truth, rows, done.xy, extra, rng),
        labels=np.where(extra, np.int8(SURPLUS), done.kinds),
        confidence=confidence,
        score=1 / (1 + np.exp(-odds)),
        bbox=truth.instances.bbox[rows],
        attracted=done.attracted,
    )
    return poses, quality


def _kinds(scene: Scene, rows: Rows, shares: Mapping[str, float], rng: np.random.Generator) -> NDArray[np.int8]:
    """(M, K) what each point shall be; good where it cannot be that."""
    bounds = np.cumsum([shares[name] for name in _POINTS])
    lot = np.searchsorted(bounds, rng.random((len(rows), scene.labelled.shape[1])), side="right")
    kinds = np.append(np.arange(JITTER, ABSENT + 1), GOOD).astype(np.int8)[lot]
    for kind, can in zip((INVERSION, SWAP), possible(scene, rows), strict=True):
        kinds[(kinds == kind) & ~can] = GOOD
    kinds[~scene.labelled[rows]] = NONE
    return kinds


def _confidence(near: Floats, kinds: NDArray[np.int8]) -> Floats:
    """A model is as sure of a point as the point is near to what it takes it for; 0 where it is left out."""
    return np.where((kinds == NONE) | (kinds == ABSENT), 0.0, 0.05 + 0.9 * near)


def _log_odds(quality: Floats) -> Floats:
    """Of a score between .05 and .95, so that noise can move all of them."""
    score = 0.05 + 0.9 * quality
    return np.log(score / (1 - score))


def _unlabelled(truth: PoseDataset, rows: Rows) -> NDArray[np.bool_]:
    """(M, K) points that the source could have labelled, and did not."""
    own = truth.instances
    return own.annotated[rows] & ~own.labelled[rows]


def _with_extra(truth: PoseDataset, rows: Rows, xy: Floats, extra: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """The poses with points the truth does not have, somewhere in its box, or in the extent of its points."""
    m, k = np.nonzero(extra)
    if not len(m):
        return xy
    box = np.where(np.isnan(truth.instances.bbox), truth.instances.extent(), truth.instances.bbox)[rows[m]]
    full = xy.copy()
    full[m, k] = box[:, :2] - 0.5 + rng.random((len(m), 2)) * box[:, 2:]
    return full


def _twice(scene: Scene, poses: _Poses, rng: np.random.Generator) -> _Poses:
    """Second predictions of truths that are found well: every point good or jitter, so that OKS is over .5; a lower score."""
    rows = poses.rows
    kinds = np.where(scene.labelled[rows], rng.integers(GOOD, JITTER + 1, poses.labels.shape, dtype=np.int8), np.int8(NONE))
    done = place(scene, rows, kinds, rng)
    lower = poses.score * rng.uniform(0.5, 0.95, len(rows))
    return replace(poses, sort=DUPLICATE, xy=done.xy, labels=done.kinds, confidence=_confidence(done.near, done.kinds), score=lower, attracted=done.attracted)


def _on_background(truth: PoseDataset, scene: Scene, every: Rows, share: float, rng: np.random.Generator) -> _Poses:
    """Poses like no truth of their image; scores from low to middling."""
    rows = every[rng.random(len(every)) < share]
    shift, found = moved(truth, scene, rows, rng)
    rows, shift = rows[found], shift[found]
    known = scene.labelled[rows]
    return _Poses(
        sort=BACKGROUND,
        rows=rows,
        xy=np.where(known[..., None], truth.instances.keypoints[rows, :, :2] + shift[:, None], np.nan),
        labels=np.full(known.shape, NONE, np.int8),
        confidence=np.where(known, rng.uniform(0.05, 0.6, known.shape), 0.0),
        score=0.05 + 0.4 * rng.random(len(rows)),
        bbox=truth.instances.bbox[rows] + np.concatenate([shift, np.zeros_like(shift)], 1),
        attracted=np.zeros((0, 4), np.intp),
    )


# -- what comes of it ---------------------------------------------------------------------------------


def _point_shares(truth: PoseDataset, poses: _Poses, shares: Mapping[str, float]) -> dict[str, Share]:
    """What was asked of points, and what came."""
    asked = {"good": 1 - math.fsum(shares[name] for name in _POINTS), **shares}
    count = np.bincount(poses.labels[poses.labels != NONE], minlength=len(KINDS)).tolist()
    free = int(_unlabelled(truth, poses.rows).sum())
    return {name: Share(asked[name], count[kind], free if kind == SURPLUS else sum(count[:SURPLUS])) for kind, name in enumerate(KINDS)}


def _joined(truth: PoseDataset, parts: Sequence[_Poses], lost: Rows, shares: Mapping[str, Share], conditions: Mapping[str, Any]) -> Simulated:
    """All poses image by image, and the record of what they are."""
    own = truth.instances
    rows = np.concatenate([p.rows for p in parts])
    sort = np.repeat(np.array([p.sort for p in parts], np.int8), [len(p.rows) for p in parts])
    order = np.argsort(own.image[rows], kind="stable")
    column = {name: np.concatenate([getattr(p, name) for p in parts])[order] for name in ("xy", "labels", "confidence", "score", "bbox")}
    ids = own.id[rows]
    ids[sort == BACKGROUND] = "" if ids.dtype == object else -1
    pred = Predictions(
        schema=truth.schema,
        image=truth.images.id[own.image[rows[order]]],
        category=ids_column([c.id for c in truth.categories], "categories")[own.category[rows[order]]],
        keypoints=np.concatenate([column["xy"], column["confidence"][..., None]], -1),
        score=column["score"],
        bbox=column["bbox"],
        truth=ids[order],
        header=_header(truth, conditions),
    )
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    attracted = parts[0].attracted  # no other sort is attracted away
    attracted = np.concatenate([place[attracted[:, :1]], attracted[:, 1:]], 1)
    attracted = attracted[np.argsort(attracted[:, 0], kind="stable")]
    injected = Injected(
        keypoints=truth.schema.names,
        labels=column["labels"],
        poses=sort[order],
        truth=pred.truth,
        attracted=attracted[:, :2],
        attracted_truth=own.id[attracted[:, 2]],
        attracted_keypoint=attracted[:, 3],
        missed=own.id[lost],
        shares=shares,
        seed=conditions["seed"],
    )
    return Simulated(pred, injected)


def _header(truth: PoseDataset, conditions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "schema": truth.schema.name,
        **_source(truth),
        "model": "simulated",
        "boxes": "truth",
        "flip_test": False,
        "score": "similarity to the truth, with noise" if conditions["score_noise"] else "similarity to the truth",
        "keypoint_score": "confidence",
        "conditions": dict(conditions),
    }


def _source(truth: PoseDataset) -> dict[str, Any]:
    """Dataset, configuration, split and images, as load_dataset calls them, so that an evaluation finds its truth; else the name."""
    known = called(truth.name)
    return {**known, "images": truth.images.id.tolist()} if known else {"dataset": truth.name, "images": "all"}
