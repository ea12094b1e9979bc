"""Draws sweeps into a depth buffer.

What decides masks and visibility uses only + - * / sqrt and comparisons on rounded numbers, each of them exact to the
last bit under IEEE 754: every machine gets the same annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from . import textures
from .lens import Lens, through
from .solids import Sweeps

f32 = np.float32
NOTHING = f32(-1e9)
LAST = 0.9995  # the end of a sweep: below 1, so that the next whole number is the next sweep


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface:
    """The visible surface of one body over the window of the frame that holds it."""

    top: int
    left: int
    depth: np.ndarray  # (h, w) float32, NOTHING where there is none
    edge: np.ndarray  # (h, w) float32, pixels inside the outline: > 0 where the pixel's centre is covered
    place: np.ndarray  # (h, w) float32, the number of the sweep in front and, as fraction, how far along it

    @property
    def window(self) -> tuple[slice, slice]:
        h, w = self.depth.shape
        return slice(self.top, self.top + h), slice(self.left, self.left + w)

    @property
    def solid(self) -> np.ndarray:
        """(h, w) bool: the pixels whose centre is covered."""
        return self.edge >= 0


def boxes(sweeps: Sweeps) -> np.ndarray:
    """(S, 4) int: left, top, right, bottom of the pixels each sweep may touch; right and bottom exclusive."""
    thin = 1 - sweeps.flat * sweeps.flat
    half = np.sqrt(1 - thin[:, None] * sweeps.side[:, :2] * sweeps.side[:, :2])
    reach_a, reach_b = sweeps.ra[:, None] * half + 1, sweeps.rb[:, None] * half + 1
    low = np.minimum(sweeps.a[:, :2] - reach_a, sweeps.b[:, :2] - reach_b)
    high = np.maximum(sweeps.a[:, :2] + reach_a, sweeps.b[:, :2] + reach_b)
    return np.concatenate([np.floor(low), np.ceil(high) + 1], axis=1).astype(int)


def draw(sweeps: Sweeps, height: int, width: int) -> Surface | None:
    """The surface of a body within the frame, or None where it is wholly outside."""
    box = np.minimum(np.maximum(boxes(sweeps), 0), [width, height, width, height])
    inside = np.flatnonzero((box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1]))
    if not len(inside):
        return None
    left, top = box[inside, :2].min(0).tolist()
    right, bottom = box[inside, 2:].max(0).tolist()
    shape = (bottom - top, right - left)
    surface = Surface(top=top, left=left, depth=np.full(shape, NOTHING), edge=np.full(shape, f32(-0.5)), place=np.zeros(shape, f32))
    for i in inside.tolist():
        draw_sweep(surface, sweeps, i, box[i].tolist())
    return surface


def draw_sweep(surface: Surface, sweeps: Sweeps, i: int, box: list[int]) -> None:
    """Put sweep `i` in front of what lies behind it."""
    left, top, right, bottom = box
    lens, (ax, ay, az) = Lens(*sweeps.lens[i].tolist()), sweeps.a[i].tolist()
    x = (np.arange(left, right) - ax).astype(f32)[None, :]
    y = (np.arange(top, bottom) - ay).astype(f32)[:, None]
    axis = through(lens, *(sweeps.b[i] - sweeps.a[i]).tolist())
    bite = bites(float(sweeps.fray[i]), box) if sweeps.fray[i] else None
    ra, rb = float(sweeps.ra[i]), float(sweeps.rb[i])
    if sweeps.flat[i] == 1:  # the lens changes nothing
        edge, depth, along = front_of(x, y, axis, ra, rb, bite)
        depth += az
    else:
        edge, depth, along = front_of(lens.xx * x + lens.xy * y, lens.yy * y, axis, ra, rb, bite)
        depth = depth * (1 / lens.zz) + (az - lens.zx * x - lens.zy * y)
    here = (slice(top - surface.top, bottom - surface.top), slice(left - surface.left, right - surface.left))
    before, best = surface.depth[here], surface.edge[here]
    front = (edge > -0.5) & (depth > before)
    np.copyto(before, depth, where=front)
    np.copyto(surface.place[here], i + along * LAST, where=front)
    np.maximum(best, edge, out=best)


def bites(fray: float, box: list[int]) -> np.ndarray:
    """How much of the squared radius leaves and hair take away at every pixel of a box."""
    left, top, right, bottom = box
    rows, columns = np.arange(top, bottom) & 255, np.arange(left, right) & 255
    return np.asarray(fray * textures.fringe()[rows[:, None], columns[None, :]])


def front_of(
    x: np.ndarray, y: np.ndarray, axis: tuple[float, float, float], ra: float, rb: float, bite: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | np.float32]:
    """Pixels inside the outline (about), the front depth, and the place along a round sweep from the origin.

    The highest point above a pixel is not above the nearest point of the axis but `climb` further up the axis.
    """
    dx, dy, dz = axis
    if dx == dy == dz == 0.0:
        h2 = frayed(ra * ra - x * x - y * y, ra, bite)
        return h2 * (0.5 / ra), np.sqrt(np.maximum(h2, 0)), f32(0)
    flat2 = dx * dx + dy * dy + 1e-4
    along = x * (dx / flat2) + y * (dy / flat2)
    nearest = np.minimum(np.maximum(along, 0), 1)
    r = ra + nearest * (rb - ra)
    h2 = frayed(height2(x, y, nearest, dx, dy, r), r, bite)
    climb = np.sqrt(np.maximum(h2, 0)) * (dz / (sqrt(flat2 + dz * dz) * sqrt(flat2)))
    top = np.minimum(np.maximum(along + climb, 0), 1)
    h = np.sqrt(np.maximum(height2(x, y, top, dx, dy, ra + top * (rb - ra)), 0))
    return h2 / (r + r), top * dz + h, top


def height2(x: np.ndarray, y: np.ndarray, t: np.ndarray, dx: float, dy: float, r: np.ndarray) -> np.ndarray:
    """The squared height above the pixels of the ball of radius `r` at `t` along the axis."""
    ex, ey = x - t * dx, y - t * dy
    return np.asarray(r * r - ex * ex - ey * ey)


def frayed(h2: np.ndarray, r: np.ndarray | float, bite: np.ndarray | None) -> np.ndarray:
    return h2 if bite is None else np.asarray(h2 - r * r * bite)


def normals(surface: Surface, sweeps: Sweeps, spot: np.ndarray) -> np.ndarray:
    """(3, n) unit normals at flat pixel numbers of the window: found again from depth and place along the sweep."""
    table = np.concatenate([sweeps.lens, sweeps.a, sweeps.b - sweeps.a], axis=1).astype(f32)
    place = surface.place.ravel()[spot]
    part = place.astype(np.intp)
    xx, xy, yy, zz, zx, zy, ax, ay, az, bx, by, bz = (column.take(part) for column in table.T.copy())
    rows, columns = np.divmod(spot, surface.depth.shape[1])
    t = (place - part.astype(f32)) * (1 / LAST)
    x = (columns + surface.left).astype(f32) - ax - t * bx
    y = (rows + surface.top).astype(f32) - ay - t * by
    z = surface.depth.ravel()[spot] - az - t * bz
    nx, ny, nz = xx * x + xy * y, yy * y, zz * zz * np.maximum(z + zx * x + zy * y, 0)
    x, y = xx * nx + zx * nz, xy * nx + yy * ny + zy * nz
    scale = 1 / (np.sqrt(x * x + y * y + nz * nz) + f32(1e-6))
    return np.stack([x * scale, y * scale, nz * scale])
