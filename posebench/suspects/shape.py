"""Shape: where the points of a pose lie given its other points, learnt robustly from the set itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset

__all__ = ["shape_outliers"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST = 4
"""Labelled points from which on a pose has a shape."""
_GROUP = 200
"""Poses from which on a category has a model of its own; the others share one."""
_FAR = 5.0
"""Medians of the absolute deviation beyond which a coordinate counts as if it lay there: three deviations and a half of a normal one."""
_ROUNDS, _LEARN, _BLOCK, _SHRINK = 4, 5000, 2048, 0.1


@dataclass(frozen=True, eq=False)
class _Model:
    mean: Floats
    """(K, 2)"""
    covariance: Floats
    """(2K, 2K)"""


def shape_outliers(ds: PoseDataset) -> Floats:
    """(N, K) share of the set's points that lie as far from where the rest of their pose expects them; 1 where nothing can be said.

    Poses are brought to one place and size, and turned to face one way where a mirror image fits better. A normal model of all
    coordinates is fitted, outliers counting less; each point is then compared with what the others of its pose foretell.
    """
    own = ds.instances
    known = own.labelled & ~own.crowd[:, None]
    usable = known.sum(1) >= FEWEST
    shares = np.ones(known.shape)
    for rows in _groups(own.category, usable):
        shares[rows] = _shares(own.keypoints[rows, :, :2], known[rows], ds.schema.mirror)
    return shares


def _groups(category: NDArray[np.int64], usable: Bools) -> list[NDArray[np.intp]]:
    """Rows that share a model."""
    counts = np.bincount(category[usable], minlength=int(category.max(initial=-1)) + 1)
    large = np.flatnonzero(counts >= _GROUP)
    groups = [np.flatnonzero(usable & (category == c)) for c in large]
    rest = np.flatnonzero(usable & ~np.isin(category, large))
    return [g for g in (*groups, rest) if len(g) >= 3 * FEWEST]


def _shares(xy: Floats, known: Bools, mirror: NDArray[np.intp]) -> Floats:
    """(n, K) of one group."""
    both = np.stack([_centred(xy, known), _centred(xy[:, mirror] * (-1, 1), known[:, mirror])])
    seen = np.stack([known, known[:, mirror]])
    model = _learnt(both, seen)
    chosen, there, side = _turned(both, seen, model)
    squared = _conditional(chosen, there, model)
    typical = _typical(squared, there)
    scaled = np.where(there, squared / np.maximum(typical, 1e-9), 0)
    return _tail(np.where((side == 1)[:, None], scaled[:, mirror], scaled), known)


def _learnt(both: Floats, seen: Bools) -> _Model:
    """The model of (2, n, K, 2) poses and their mirror images, fitted in rounds on a part of them where they are many."""
    rows = np.unique(np.linspace(0, both.shape[1] - 1, min(both.shape[1], _LEARN)).astype(np.intp))
    both, seen = both[:, rows], seen[:, rows]
    weight = np.ones(len(rows))
    model = _Model(_means(both[0], seen[0], weight), np.eye(2 * both.shape[2]))
    for _ in range(_ROUNDS):
        chosen, there, _side = _turned(both, seen, model)
        model = _fitted(chosen, there, weight)
        weight = np.minimum(1, 4 / np.maximum(_conditional(chosen, there, model).sum(1) / there.sum(1), 1e-9))
    return model


def _turned(both: Floats, seen: Bools, model: _Model) -> tuple[Floats, Bools, NDArray[np.intp]]:
    """(n, K, 2), (n, K) poses in place, each as it is or as its mirror image, whichever fits better; (n,) 1 for the image."""
    placed = np.stack([_placed(b, s, model.mean) for b, s in zip(both, seen, strict=True)])
    side = _misfit(placed, seen, model).argmin(0)
    every = np.arange(len(side))
    return placed[side, every], seen[side, every], side


def _centred(xy: Floats, known: Bools) -> Floats:
    """Poses about the median of their labelled points, the median distance from there one; 0 where not labelled."""
    middle, radius = _frame(xy, known)
    return np.where(known[..., None], (xy - middle) / radius, 0)


def _frame(xy: Floats, known: Bools) -> tuple[Floats, Floats]:
    """(n, 1, 2) place and (n, 1, 1) size of the labelled points, by medians: a point that is off shall not move the others."""
    middle = np.stack([_typical(xy[..., i].T, known.T) for i in (0, 1)], 1)[:, None]
    far = np.hypot(*np.moveaxis(xy - middle, -1, 0))
    return middle, np.maximum(_typical(far.T, known.T), 1e-9)[:, None, None]


def _placed(poses: Floats, known: Bools, mean: Floats) -> Floats:
    """Centred poses at the place and size that the labelled points have in the mean."""
    middle, radius = _frame(np.broadcast_to(mean, poses.shape), known)
    return np.where(known[..., None], poses * radius + middle, 0)


def _means(poses: Floats, known: Bools, weight: Floats) -> Floats:
    count = (known * weight[:, None]).sum(0)[:, None]
    return np.asarray((poses * weight[:, None, None]).sum(0) / np.maximum(count, 1e-9))


def _misfit(placed: Floats, seen: Bools, model: _Model) -> Floats:
    """(2, n) squared distance to the mean in deviations, of the poses and their mirror images."""
    deviation = np.diagonal(model.covariance).reshape(-1, 2)
    return np.asarray((np.where(seen[..., None], placed - model.mean, 0) ** 2 / deviation).sum((2, 3)))


def _fitted(poses: Floats, known: Bools, weight: Floats) -> _Model:
    """Mean and covariance of what is labelled; shrunk, and made positive, for pairs of points are counted apart."""
    mean = _means(poses, known, weight)
    off = np.where(known[..., None], poses - mean, 0).reshape(len(poses), -1)
    # what lies far out says how far only to the model it would spoil
    reach = _FAR * _typical(np.abs(off), np.repeat(known, 2, axis=1))
    off = np.clip(off, -reach, reach)
    there = np.repeat(known, 2, axis=1).astype(np.float64)
    covariance = (off * weight[:, None]).T @ off / np.maximum((there * weight[:, None]).T @ there, 1)
    variance = np.maximum(np.diagonal(covariance), 1e-6)
    covariance = (1 - _SHRINK) * covariance + _SHRINK * np.diag(variance)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return _Model(mean, (vectors * np.maximum(values, values[-1] * 1e-4)) @ vectors.T)


def _typical(values: Floats, known: Bools) -> Floats:
    """(n,) medians of the columns, of what is known; 0 for a column of nothing."""
    count = known.sum(0)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    middle = ordered[np.maximum(count - 1, 0) // 2, np.arange(values.shape[1])]
    return np.where(count > 0, middle, 0.0)


def _conditional(poses: Floats, known: Bools, model: _Model) -> Floats:
    """(n, K) squared distance of each labelled point from where the others foretell it, in deviations."""
    k = known.shape[1]
    squared = np.zeros(known.shape)
    for start in range(0, len(poses), _BLOCK):
        rows = slice(start, start + _BLOCK)
        there = np.repeat(known[rows], 2, axis=1)
        off = np.where(known[rows][..., None], poses[rows] - model.mean, 0).reshape(len(there), -1)
        # a point that is not labelled is cut off from the others, so that one inverse serves all patterns
        inverse = np.linalg.inv(np.where(there[:, :, None] & there[:, None], model.covariance, np.eye(2 * k)))
        pull = np.einsum("nij,nj->ni", inverse, off).reshape(len(there), k, 2)
        own = inverse.reshape(len(there), k, 2, k, 2)[:, np.arange(k), :, np.arange(k)].transpose(1, 0, 2, 3)
        squared[rows] = np.einsum("nki,nkij,nkj->nk", pull, np.linalg.inv(own), pull)
    return np.where(known, squared, 0)


def _tail(values: Floats, known: Bools) -> Floats:
    """(n, K) share of the labelled points with at least this value; 1 where not labelled."""
    ordered = np.sort(values[known])
    return np.where(known, (len(ordered) - np.searchsorted(ordered, values)) / max(len(ordered), 1), 1.0)
