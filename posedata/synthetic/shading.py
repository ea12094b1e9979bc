"""Colours for surfaces: coats, light and the shadow that near parts throw on those behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np

from . import textures
from .raster import NOTHING, Surface, normals
from .solids import Sweeps

Colour = tuple[float, float, float]  # red, green, blue in 0..1
Pattern = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Light(NamedTuple):
    """The sun's side and the colours of the hour."""

    towards: tuple[float, float, float]  # unit, screen axes: y is down
    sun: Colour
    sky: Colour
    ground: Colour


@dataclass(frozen=True, kw_only=True)
class Material:
    colour: Colour
    other: Colour = (0.0, 0.0, 0.0)  # the pattern's second colour
    pattern: str = "plain"
    size: float = 1.0  # metres that the pattern's tile spans
    belly: Colour | None = None  # what faces down is paler
    rough: float = 0.12  # how much the fur or the cloth varies
    gloss: float = 0.0


def stripes(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bands round the limb, wandering, of uneven width."""
    wander = textures.look_up(textures.cloud(2, 4, 16), u * 0.25, v * 0.25)
    phase = u * 5 + wander * 2.2
    wave = np.abs((phase - np.floor(phase)) * 2 - 1)
    return textures.ramp(wave, 0.42, 0.56)


def tabby(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.asarray(stripes(u, v) * textures.look_up(textures.cloud(4, 8, 32), u * 0.5, v))


def hoops(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Straight bands, as woven."""
    wave = np.abs((u * 4 - np.floor(u * 4)) * 2 - 1)
    return textures.ramp(wave, 0.45, 0.55)


def checks(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.asarray((hoops(u, v) + hoops(v, u)) / 2)


def tiled(tile: Callable[[], np.ndarray]) -> Pattern:
    return lambda u, v: textures.look_up(tile(), u, v)


PATTERNS: Mapping[str, Pattern] = {
    "stripes": stripes,
    "tabby": tabby,
    "hoops": hoops,
    "checks": checks,
    "net": tiled(textures.net),
    "rosettes": tiled(textures.rosettes),
    "dots": tiled(textures.dots),
    "patches": tiled(textures.patches),
    "leaves": tiled(textures.leaves),
}


def shade(surface: Surface, spot: np.ndarray, sweeps: Sweeps, materials: Mapping[str, Material], light: Light, soft: float) -> np.ndarray:
    """(3, n) colours at flat pixel numbers of a surface; `soft` is the reach in pixels of the shadows between its parts."""
    part = surface.place.ravel()[spot].astype(np.intp)
    normal = normals(surface, sweeps, spot)
    colour = albedo(spot, part, normal, surface, sweeps, materials)
    colour *= lit(normal, light)
    colour += gleam(part, normal, sweeps, materials, light)
    colour *= 1 - crevices(surface, soft).ravel()[spot]
    return colour


def albedo(
    spot: np.ndarray,
    part: np.ndarray,
    normal: np.ndarray,
    surface: Surface,
    sweeps: Sweeps,
    materials: Mapping[str, Material],
) -> np.ndarray:
    """(3, n) colour of the coat itself."""
    used = [materials[name] for name in sweeps.material]
    colour = per_part([m.colour for m in used]).take(part, axis=1)
    u, v = coat_place(spot, part, surface, sweeps)
    names = np.array(sweeps.material)
    for name in sorted(set(sweeps.material)):
        m = materials[name]
        here = np.flatnonzero((names == name)[part])
        if m.pattern != "plain" and len(here):
            weight = PATTERNS[m.pattern](u[here] / np.float32(m.size), v[here] / np.float32(m.size))
            colour[:, here] += weight * (column(m.other) - colour[:, here])
        if m.belly is not None and len(here):
            pale = textures.ramp(normal[1, here], 0.1, 0.75)
            colour[:, here] += pale * (column(m.belly) - colour[:, here])
    fur = textures.look_up(textures.cloud(6, 8, 128, 0.9), u * np.float32(1.3), v * np.float32(2.1)) - np.float32(0.5)
    return np.asarray(colour * (1 + fur * per_part([m.rough * 3 for m in used])[part]))


def coat_place(spot: np.ndarray, part: np.ndarray, surface: Surface, sweeps: Sweeps) -> tuple[np.ndarray, np.ndarray]:
    """Where on its part's coat every pixel lies, in metres along and across."""
    rows, columns = np.divmod(spot, surface.depth.shape[1])
    place = (columns + surface.left).astype(np.float32), (rows + surface.top).astype(np.float32), surface.depth.ravel()[spot]
    one, x, y, z, *rest = (column.take(part) for column in sweeps.coat)
    u = one + x * place[0] + y * place[1] + z * place[2]
    one, x, y, z = rest
    return u, one + x * place[0] + y * place[1] + z * place[2]


def lit(normal: np.ndarray, light: Light) -> np.ndarray:
    """(3, n) light that falls on a surface: sun, sky from above, ground from below."""
    x, y, z = (np.float32(c) for c in light.towards)
    facing = normal[0] * x + normal[1] * y + normal[2] * z
    sun = np.square(np.maximum(facing * np.float32(0.7) + np.float32(0.3), 0))
    above = np.float32(0.5) - normal[1] * np.float32(0.5)
    sky, ground = column(light.sky), column(light.ground)
    return np.asarray(column(light.sun) * sun + ground + above * (sky - ground))


def gleam(part: np.ndarray, normal: np.ndarray, sweeps: Sweeps, materials: Mapping[str, Material], light: Light) -> np.ndarray:
    """(n,) highlight of wet and polished parts."""
    gloss = per_part([materials[name].gloss for name in sweeps.material])[part]
    x, y, z = light.towards
    shiny = np.flatnonzero(gloss)
    half = np.array([x, y, z + 1], np.float32) / np.float32(sqrt(x * x + y * y + (z + 1) * (z + 1)))
    facing = np.maximum((normal[:, shiny] * half[:, None]).sum(0), 0)
    gloss[shiny] *= facing**16
    return np.asarray(gloss)


def crevices(surface: Surface, soft: float) -> np.ndarray:
    """(h, w) darkness of what lies behind its own surroundings: legs below a belly, a neck under a chin."""
    height, width = surface.depth.shape
    coarse = surface.depth[::2, ::2]
    solid = coarse > NOTHING
    n = max(1, round(soft / 2))
    mean = box_blur(np.where(solid, coarse, 0), n) / np.maximum(box_blur(solid.astype(np.float32), n), np.float32(1e-3))
    behind = mean.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width] - surface.depth
    return np.asarray(np.minimum(np.maximum(behind, 0) * np.float32(0.62 / (8 * n)), np.float32(0.62)))


def box_blur(image: np.ndarray, n: int) -> np.ndarray:
    """Mean over (2 n + 1) squared pixels, zeros outside."""
    for _ in (0, 1):
        height, width = image.shape
        total = np.zeros((height + 2 * n + 1, width), np.float32)
        np.cumsum(image, axis=0, out=total[n + 1 : n + 1 + height])
        total[n + 1 + height :] = total[n + height]
        image = ((total[2 * n + 1 :] - total[: -2 * n - 1]) * np.float32(1 / (2 * n + 1))).T
    return image


def per_part(values: list[float] | list[Colour]) -> np.ndarray:
    """A table of the parts' values as columns, float32."""
    return np.ascontiguousarray(np.array(values, np.float32).T)


def column(colour: Colour) -> np.ndarray:
    return np.array(colour, np.float32)[:, None]
