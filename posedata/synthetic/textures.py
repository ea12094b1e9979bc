"""Tiles of noise and pattern that repeat without a seam, made once in a process and read-only."""

from __future__ import annotations

from functools import cache

import numpy as np

SIDE = 256


@cache
def cloud(seed: int = 0, coarsest: int = 4, finest: int = 128, fade: float = 0.55) -> np.ndarray:
    """(SIDE, SIDE) float32 in 0..1: value noise summed over octaves, each `fade` times as strong as the one before."""
    rng = np.random.default_rng(seed)
    total, weight, cells = np.zeros((SIDE, SIDE)), 1.0, coarsest
    while cells <= finest:
        total += weight * stretched(rng.random((cells, cells)))
        weight, cells = weight * fade, cells * 2
    total -= total.min()
    return sealed(total / total.max())


def stretched(lattice: np.ndarray) -> np.ndarray:
    """A periodic lattice enlarged to a tile, smoothly."""
    cells = len(lattice)
    place = np.arange(SIDE) * cells / SIDE
    low = place.astype(int)
    part = place - low
    part = part * part * (3 - 2 * part)
    rows = lattice[low] * (1 - part)[:, None] + lattice[(low + 1) % cells] * part[:, None]
    return np.asarray(rows[:, low] * (1 - part) + rows[:, (low + 1) % cells] * part)


@cache
def cells(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest of `count` scattered sites and to the second nearest, in mean cell sizes."""
    n = round(count**0.5)
    sites = np.random.default_rng(seed).uniform(0.1, 0.9, (n, n, 2))
    y, x = np.mgrid[:SIDE, :SIDE] * (n / SIDE)
    row, column = y.astype(int), x.astype(int)
    around = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            site = sites[(row + down) % n, (column + right) % n]
            dy, dx = row + down + site[..., 0] - y, column + right + site[..., 1] - x
            around.append(np.sqrt(dx * dx + dy * dy))
    nearest = np.partition(np.stack(around, -1), 1, axis=-1)
    return sealed(nearest[..., 0]), sealed(nearest[..., 1])


@cache
def net() -> np.ndarray:
    """Giraffe: 1 inside the patches, 0 in the pale lines between."""
    first, second = cells(64, seed=3)
    return sealed(ramp(second - first, 0.1, 0.2))


@cache
def rosettes() -> np.ndarray:
    """Leopard: broken dark rings."""
    first, _ = cells(100, seed=5)
    ring = ramp(first, 0.16, 0.24) * (1 - ramp(first, 0.36, 0.44))
    return sealed(ring * ramp(cloud(9, 16, 32), 0.3, 0.42))


@cache
def dots() -> np.ndarray:
    first, _ = cells(100, seed=7)
    return sealed(1 - ramp(first, 0.2, 0.3))


@cache
def patches() -> np.ndarray:
    """Cow: a few large islands."""
    return sealed(ramp(cloud(21, 4, 16, 0.35), 0.5, 0.54))


@cache
def leaves(seed: int = 31) -> np.ndarray:
    """Dappled foliage: bright cells with dark gaps."""
    first, _ = cells(400, seed=seed)
    return sealed((1 - ramp(first, 0.1, 0.75)) * 0.7 + 0.3 * cloud(seed, 8, 64))


@cache
def fringe() -> np.ndarray:
    """How deep each pixel bites into a frayed outline, 0..1. It decides masks: made by exact arithmetic only."""
    rng = np.random.default_rng(33)
    return sealed(0.6 * stretched(rng.random((64, 64))) + 0.4 * rng.random((SIDE, SIDE)))


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def look_up(tile: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The tile's values at places in units of the tile, repeating."""
    rows = (v * SIDE).astype(np.int32) & (SIDE - 1)
    columns = (u * SIDE).astype(np.int32) & (SIDE - 1)
    return tile.take((rows << 8) | columns)


def sealed(tile: np.ndarray) -> np.ndarray:
    tile = np.ascontiguousarray(tile, dtype=np.float32)
    tile.setflags(write=False)
    return tile
