"""The second look at a pair: lay one small picture over the other as well as an affine map can, then compare what is left.

The map is found by Gauss-Newton on grey values with free contrast and brightness (Lucas and Kanade 1981, in the inverse
compositional form of Baker and Matthews 2004), for thousands of pairs at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hashes import SIDE, TURNS, VARIANTS

__all__ = ["Agreement", "agreement"]

Floats = NDArray[np.float32]

_STEPS = 7
_BLOCK = 128
_TILE = 8
_GATE = 0.8
"""Correlation of the blurred pictures; of planted copies hardly one in a thousand has less."""
_COVER = 0.7
"""Share of the frame that both must show."""
_BOUNDS = (0.18, 0.16)
"""A copy moves less than the second and stretches, turns or leans less than the first; more is another picture."""


class Agreement(NamedTuple):
    """Two measures of a pair, (P,) each, 1 for the same picture."""

    similarity: NDArray[np.float64]
    """Share of the variance that one picture explains in the other, brightness and contrast free."""
    weakest: NDArray[np.float64]
    """The same in the tile where it is least: a different frame of one scene differs in places."""


def agreement(
    small: NDArray[np.uint8],
    query: NDArray[np.int64],
    base: NDArray[np.int64],
    variant: NDArray[np.int64],
    advance: Callable[[int], None] | None = None,
) -> Agreement:
    """How well `query`, cut and turned as its variant says, agrees with `base`."""
    measures = np.zeros((2, len(query)))
    for start in range(0, len(query), _BLOCK):
        rows = slice(start, start + _BLOCK)
        windows = np.array([v.window for v in VARIANTS])[variant[rows]]
        moving, target = _normal(small[query[rows]]), _normal(_unturned(small[base[rows]], variant[rows]))
        kept = np.flatnonzero(_promising(moving, target, windows))
        if len(kept):
            measures[:, start + kept] = _compare(moving[kept], target[kept], windows[kept])
        if advance:
            advance(len(windows))
    return Agreement(*measures)


def _unturned(small: NDArray[np.uint8], variant: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Pictures turned back."""
    made = small.copy()
    for name, (transposed, mirrored, upended) in TURNS.items():
        rows = np.array([v.turn == name for v in VARIANTS])[variant]
        if name != "same" and rows.any():
            some = small[rows]
            some = some[:, ::-1] if upended else some
            some = some[:, :, ::-1] if mirrored else some
            made[rows] = some.transpose(0, 2, 1) if transposed else some
    return made


def _normal(small: NDArray[np.uint8]) -> Floats:
    """Mean 0, deviation 1."""
    values = small.astype(np.float32)
    values -= values.mean((1, 2), keepdims=True)
    return values / np.maximum(values.std((1, 2), keepdims=True), 1e-3)


def _promising(moving: Floats, target: Floats, windows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pairs whose blurred pictures go together as they are cut: half of what is alike by its hash alone is let go here."""
    both = [_blurred(picture) for picture in (_warp(moving, _starts(windows))[0], target)]
    a, b = (picture - picture.mean(1, keepdims=True) for picture in both)
    return np.asarray((a * b).sum(1) > _GATE * np.sqrt((a * a).sum(1) * (b * b).sum(1)))


def _blurred(pictures: Floats) -> Floats:
    """(P, 64) means of large tiles."""
    side = SIDE // 8
    return np.asarray(pictures.reshape(-1, 8, side, 8, side).mean((2, 4)).reshape(len(pictures), -1))


def _compare(moving: Floats, target: Floats, windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, P) both measures; 0 where no small move lays one over the other."""
    maps = _aligned(moving, target, _starts(windows))
    shift = np.abs(maps[:, :, 2]).max(1)
    stretch = np.abs(maps[:, :, :2] - np.eye(2)).max((1, 2))
    possible = (stretch < _BOUNDS[0]) & (shift < _BOUNDS[1])
    warped, inside = _warp(moving, maps)
    overall, local = _explained(warped, target, inside)
    possible &= inside.mean((1, 2)) > _COVER
    return np.where(possible, np.stack([overall, local]), 0.0)


def _starts(windows: NDArray[np.float64]) -> Floats:
    """(P, 2, 3) maps from the target's plane, its middle 0 and its side 1, to the moving picture's."""
    x, y, w, h = windows.T
    maps = np.zeros((len(windows), 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 0, 2] = w, x + w / 2 - 0.5
    maps[:, 1, 1], maps[:, 1, 2] = h, y + h / 2 - 0.5
    return maps


def _aligned(moving: Floats, target: Floats, maps: Floats) -> Floats:
    """Maps after some steps of Gauss-Newton; each pair keeps the map that explained it best."""
    jacobian, inverse = _normal_equations(target)
    best, least = maps.copy(), np.full(len(maps), np.inf, np.float32)
    for _ in range(_STEPS + 1):
        warped, inside = _warp(moving, maps)
        residual = np.where(inside, warped - target, 0).reshape(len(maps), -1, 1)
        error = (residual**2).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)
        better = error < least
        best[better], least[better] = maps[better], error[better]
        maps = _composed(maps, (inverse @ (jacobian @ residual))[:, :6, 0].reshape(-1, 2, 3))
    return best


def _normal_equations(target: Floats) -> tuple[Floats, Floats]:
    """(P, 8, SIDE²) change of every pixel with six numbers of a map, contrast and brightness; and (P, 8, 8) to solve for them."""
    dy, dx = np.gradient(target, 1 / SIDE, axis=(1, 2))
    x, y = _grid()
    rows = [dx * x, dx * y, dx, dy * x, dy * y, dy, target, np.ones_like(target)]
    jacobian = np.stack([row.reshape(len(target), -1) for row in rows], 1)
    normal = jacobian @ jacobian.transpose(0, 2, 1)
    normal += 1e-3 * np.eye(8, dtype=np.float32) * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 8
    return jacobian, np.asarray(np.linalg.inv(normal), np.float32)


def _composed(maps: Floats, step: Floats) -> Floats:
    """Maps after the inverse of one small step."""
    step = np.clip(step, -0.1, 0.1)
    linear = np.linalg.inv(np.eye(2, dtype=np.float32) + step[:, :, :2])
    made = np.empty_like(maps)
    made[:, :, :2] = maps[:, :, :2] @ linear
    made[:, :, 2:] = maps[:, :, 2:] - made[:, :, :2] @ step[:, :, 2:]
    return np.clip(made, -2, 2)


def _grid() -> tuple[Floats, Floats]:
    """x along rows, y along columns, of pixel centres."""
    line = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)
    return np.broadcast_to(line, (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))


def _warp(moving: Floats, maps: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The moving pictures seen through their maps, between pixels; and which pixels lie inside them."""
    x, y = _grid()
    m = maps[..., None, None]
    at_x = (m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2] + 0.5) * SIDE - 0.5
    at_y = (m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2] + 0.5) * SIDE - 0.5
    inside = (at_x > -0.5) & (at_y > -0.5) & (at_x < SIDE - 0.5) & (at_y < SIDE - 0.5)
    at_x, at_y = at_x.clip(0, SIDE - 1.001), at_y.clip(0, SIDE - 1.001)
    left, top = at_x.astype(np.int32), at_y.astype(np.int32)
    fx, fy = at_x - left, at_y - top
    flat = moving.reshape(-1)
    corner = left + top * SIDE + np.arange(len(moving), dtype=np.int32)[:, None, None] * (SIDE * SIDE)
    above = flat[corner] * (1 - fx) + flat[corner + 1] * fx
    below = flat[corner + SIDE] * (1 - fx) + flat[corner + SIDE + 1] * fx
    return above * (1 - fy) + below * fy, inside


def _explained(warped: Floats, target: Floats, inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the target's variance that a parabola of the warped brightness explains, over all and in the worst tile."""
    n = np.maximum(inside.sum((1, 2)), 1)
    basis = np.stack([np.ones_like(warped), warped, warped**2], -1).reshape(len(warped), -1, 3) * inside.reshape(len(warped), -1, 1)
    wanted = (target * inside).reshape(len(target), -1, 1)
    normal = (basis.transpose(0, 2, 1) @ basis).astype(np.float64) + 1e-6 * n[:, None, None] * np.eye(3)
    weights = np.linalg.solve(normal, (basis.transpose(0, 2, 1) @ wanted).astype(np.float64))
    residual = (wanted - basis @ weights.astype(np.float32)).reshape(target.shape)
    rises = ((wanted - wanted.sum(1, keepdims=True) / n[:, None, None]) * basis[..., 1:2]).sum((1, 2)) > 0  # a negative is no copy
    variance = ((target**2) * inside).sum((1, 2)) / n - ((target * inside).sum((1, 2)) / n) ** 2
    overall = 1 - (residual**2).sum((1, 2)) / n / np.maximum(variance, 1e-3)
    return np.where(rises, overall, 0).clip(0, 1), np.where(rises, _worst_tile(residual, target, inside, variance), 0).clip(0, 1)


def _worst_tile(residual: Floats, target: Floats, inside: NDArray[np.bool_], variance: Floats) -> Floats:
    def tiles(values: NDArray[np.generic]) -> Floats:
        return np.asarray(values, np.float32).reshape(-1, SIDE // _TILE, _TILE, SIDE // _TILE, _TILE).sum((2, 4))

    n = tiles(inside)
    m = np.maximum(n, 1)
    own = tiles(target**2 * inside) / m - (tiles(target * inside) / m) ** 2
    lost = tiles(residual**2) / m / (own + 0.25 * variance[:, None, None])
    return np.asarray(1 - np.where(n > _TILE * _TILE / 2, lost, 0).max((1, 2)))
