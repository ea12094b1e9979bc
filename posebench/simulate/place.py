"""Placing points: each kind of error has its source and its ring around it; a draw that could be taken for another kind is drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .injected import ABSENT, GOOD, HUMAN, INVERSION, JITTER, MISS, NONE, PROXIMITY, SWAP
from .scene import Floats, Rows, Scene

__all__ = ["MARGIN", "Placed", "possible", "place"]

MARGIN = 0.01
"""In similarity: how far from a boundary, and how much nearer to its source than to any other place, a point is put."""

_TRIES = 8
"""As the kind that was asked for; then half as many as a good point, which in the end goes to its exact place."""

_LOW = np.array([HUMAN, PROXIMITY, PROXIMITY, PROXIMITY, 0.1 - MARGIN]) + MARGIN
_HIGH = np.array([1, HUMAN - MARGIN, 1, 1, PROXIMITY - MARGIN])
"""Similarity to the source, by kind; drawn evenly in between."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """M poses drawn from truths."""

    xy: Floats
    """(M, K, 2) NaN where nothing was drawn."""
    kinds: NDArray[np.int8]
    """(M, K) what was really drawn."""
    near: Floats
    """(M, K) similarity to the place the point was drawn from; 0 where nothing was."""
    own: Floats
    """(M, K) similarity to its own place."""
    attracted: Rows
    """(S, 4) of every inversion and swap: pose, keypoint, row of the truth and keypoint that attracted it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Candidates:
    """P points and the 2T places that can attract each: the point on T truths, its own truth first, then its mirror image on them."""

    x: Floats
    y: Floats
    scale: Floats
    """(P, T) d² over it is the exponent of the similarity."""

    def exponents(self, p: Rows, xy: Floats) -> Floats:
        """(p, 2T) -ln of the similarity to every place."""
        dx, dy = self.x[p], self.y[p]
        dx -= xy[:, :1]
        dy -= xy[:, 1:]
        dx *= dx
        dy *= dy
        dx += dy
        by_truth = dx.reshape(len(p), 2, -1)
        by_truth /= self.scale[p][:, None]
        return dx


def possible(scene: Scene, rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(M, K) points that can be inverted, and those that can be swapped."""
    paired = scene.mirror != np.arange(len(scene.mirror))
    labelled = scene.labelled
    here = labelled | labelled[:, scene.mirror]
    total = np.cumsum(np.concatenate([np.zeros((1, labelled.shape[1]), np.intp), here[scene.order]]), 0)
    beside = total[scene.first[rows] + scene.count[rows]] - total[scene.first[rows]] - here[rows]
    return labelled[rows] & labelled[rows][:, scene.mirror] & paired, labelled[rows] & (beside > 0)


def place(scene: Scene, rows: Rows, kinds: NDArray[np.int8], rng: np.random.Generator) -> Placed:
    """Poses of these truths, each point of the kind asked for; what finds no place in a few tries becomes good, and says so.

    rows: (M,); kinds: (M, K)
    """
    shape = kinds.shape
    done = Placed(xy=np.full((*shape, 2), np.nan), kinds=kinds.copy(), near=np.zeros(shape), own=np.zeros(shape), attracted=np.zeros((0, 4), np.intp))
    attracted = [_place_block(scene, rows, block, done, rng) for block in scene.blocks(rows) if len(block)]
    found = np.concatenate([done.attracted, *attracted])
    return Placed(xy=done.xy, kinds=done.kinds, near=done.near, own=done.own, attracted=found[np.lexsort((found[:, 1], found[:, 0]))])


def _place_block(scene: Scene, rows: Rows, block: Rows, done: Placed, rng: np.random.Generator) -> Rows:
    """Draw the poses of one block into `done`; what attracted its inversions and swaps."""
    wanted = done.kinds[block]
    b, k = np.nonzero((wanted != NONE) & (wanted != ABSENT))
    family = scene.family(rows[block])
    kind, source, xy, near, own = _drawn(_candidates(scene, family[b], k), wanted[b, k], rng)
    done.xy[block[b], k], done.kinds[block[b], k], done.near[block[b], k], done.own[block[b], k] = xy, kind, near, own
    away = (kind == INVERSION) | (kind == SWAP)
    b, k, source, members = b[away], k[away], source[away], family.shape[1]
    return np.stack([block[b], k, family[b, source % members], np.where(source < members, k, scene.mirror[k])], 1)


def _candidates(scene: Scene, owners: Rows, k: Rows) -> _Candidates:
    """owners: (P, T), the point's own truth first; k: (P,)"""
    mirror = scene.mirror[k]
    cells = np.concatenate([owners, owners], 1) * len(scene.mirror)
    cells[:, : owners.shape[1]] += k[:, None]
    cells[:, owners.shape[1] :] += mirror[:, None]
    x = scene.x[cells]
    x[mirror == k, owners.shape[1] :] = np.inf  # a point without partner is its own mirror image: one place, not two
    spread = 2 * (2 * scene.sigmas[owners[:, 0], k]) ** 2
    return _Candidates(x=x, y=scene.y[cells], scale=spread[:, None] * scene.area[owners])


def _drawn(c: _Candidates, kinds: NDArray[np.int8], rng: np.random.Generator) -> tuple[NDArray[np.int8], Rows, Floats, Floats, Floats]:
    """Kind, source, place, similarity to the source and to the own place of P points."""
    kind, source = kinds.copy(), np.zeros(len(kinds), np.intp)
    xy, near, own = np.stack([c.x[:, 0], c.y[:, 0]], 1), np.ones(len(kinds)), np.ones(len(kinds))
    pending = np.arange(len(kinds))
    for attempt in range(_TRIES + _TRIES // 2):
        if attempt == _TRIES:
            kind[pending] = GOOD
        if not len(pending):
            break
        at = _sources(c, pending, kind[pending], rng)
        similarity = _similarities(kind[pending], attempt % _TRIES, rng)
        spot = _around(c, pending, at, similarity, rng)
        own_now, fits = _fitting(c.exponents(pending, spot), at, kind[pending], similarity)
        kept = pending[fits]
        source[kept], xy[kept], near[kept], own[kept] = at[fits], spot[fits], similarity[fits], own_now[fits]
        pending = pending[~fits]
    kind[pending] = GOOD  # they stay at their exact place, which is nearer than all others or first among equals
    return kind, source, xy, near, own


def _sources(c: _Candidates, pending: Rows, kind: NDArray[np.int8], rng: np.random.Generator) -> Rows:
    """(p,) the candidate each point is drawn from; a swap takes any place of others, each as likely."""
    members = c.scale.shape[1]
    at = np.where(kind == INVERSION, members, 0)
    swaps = np.flatnonzero(kind == SWAP)
    if len(swaps):
        lots = rng.random((len(swaps), 2 * members))
        lots[np.isinf(c.x[pending[swaps]])] = -1
        lots[:, [0, members]] = -1
        at[swaps] = lots.argmax(1)
    return at


def _similarities(kind: NDArray[np.int8], attempt: int, rng: np.random.Generator) -> Floats:
    """(p,) to the source; later tries come closer to it, or go farther beyond for a miss."""
    low, high = _LOW[kind], _HIGH[kind]
    low = np.where((kind == JITTER) | (kind == MISS), low, high - (high - low) * (1 - attempt / _TRIES))
    drawn = high - (high - low) * rng.random(len(kind))
    return np.where(kind == MISS, drawn ** ((1 + attempt) ** 2), drawn)


def _around(c: _Candidates, pending: Rows, at: Rows, similarity: Floats, rng: np.random.Generator) -> Floats:
    """(p, 2) places that have this similarity to their sources."""
    radius = np.sqrt(-np.log(similarity) * c.scale[pending, at % c.scale.shape[1]])
    angle = rng.random(len(pending)) * 2 * np.pi
    return np.stack([c.x[pending, at] + radius * np.cos(angle), c.y[pending, at] + radius * np.sin(angle)], 1)


def _fitting(exponents: Floats, at: Rows, kind: NDArray[np.int8], similarity: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(p,) similarity to the own place; whether the draw is what it should be, by a margin."""
    every = np.arange(len(at))
    own, reached = np.exp(-exponents[:, 0]), np.exp(-exponents[every, at])
    exponents[every, at] = np.inf
    rival = np.exp(-exponents.min(1))
    exact = np.abs(reached - similarity) < MARGIN / 2  # far from the origin, floats may not resolve a small object
    return own, exact & np.where(kind == MISS, rival <= PROXIMITY - MARGIN, rival <= reached - MARGIN)
