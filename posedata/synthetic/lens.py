"""The linear map under which a squeezed sweep is round and lines of sight stay lines of sight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Lens(NamedTuple):
    """x' = xx x + xy y,  y' = yy y,  z' = zz (z + zx x + zy y)."""

    xx: float
    xy: float
    yy: float
    zz: float
    zx: float
    zy: float


def lenses(side: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """(S, 6) from directions (S, 3) and depths (S,) of squeezes; each row makes a Lens.

    The squeeze is the form |p|^2 + q (p . side)^2; completing its squares, z first, gives the map.
    """
    q, (x, y, z) = 1 / (flat * flat) - 1, side.T
    zz = 1 + q * z * z
    zx, zy = q * x * z / zz, q * y * z / zz
    xx = 1 + q * x * x - zz * zx * zx
    xy = (q * x * y - zz * zx * zy) / xx
    yy = 1 + q * y * y - zz * zy * zy - xx * xy * xy
    root = np.sqrt(xx)
    return np.column_stack([root, root * xy, np.sqrt(yy), np.sqrt(zz), zx, zy])


def through(lens: Lens, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A screen vector as seen through the lens."""
    return lens.xx * x + lens.xy * y, lens.yy * y, lens.zz * (z + lens.zx * x + lens.zy * y)
