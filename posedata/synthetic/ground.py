"""Backgrounds: sky or wall, something on the horizon, and a textured ground that runs towards it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from . import textures
from .shading import Colour, Light

Painter = Callable[["View", np.ndarray, "Ground", np.random.Generator], None]
f32 = np.float32


@dataclass(frozen=True, kw_only=True)
class View:
    """A frame and where its horizon lies; `size` is the longest side, the unit of all distances."""

    height: int
    width: int
    size: int
    horizon: float  # row

    @property
    def first(self) -> int:
        """The first row of ground."""
        return min(max(ceil(self.horizon), 0), self.height)


@dataclass(frozen=True, kw_only=True)
class Ground:
    near: Colour
    far: Colour
    grain: Callable[[], np.ndarray]
    contrast: float  # of the grain
    sky: tuple[Colour, Colour] = ((0.42, 0.6, 0.82), (0.82, 0.88, 0.92))  # at the top, at the horizon
    backdrop: tuple[Painter, ...] = ()
    litter: tuple[Painter, ...] = ()  # blades, flowers, cracks: what lies on the ground
    prop: tuple[str, ...] = ("bush", "rock")
    indoors: bool = False
    bounce: Colour = (0.24, 0.22, 0.17)  # light thrown back from the ground


class Hour(NamedTuple):
    """Time and weather: a glow above the horizon, how hard the sun is, and the tone of the whole picture."""

    glow: Colour
    strength: float
    sun: float
    tone: Colour


HOURS: dict[str, Hour] = {
    "noon": Hour((0.9, 0.94, 0.96), 0.0, 1.0, (1.0, 1.0, 1.0)),
    "morning": Hour((0.97, 0.9, 0.78), 0.6, 1.0, (1.04, 1.0, 0.92)),
    "evening": Hour((0.98, 0.7, 0.5), 0.9, 1.05, (1.05, 0.93, 0.82)),
    "overcast": Hour((0.84, 0.86, 0.88), 1.0, 0.62, (1.02, 1.03, 1.06)),
}


def any_hour(rng: np.random.Generator) -> Hour:
    return HOURS[("noon", "noon", "morning", "evening", "overcast")[rng.integers(5)]]


def paint(name: str, view: View, hour: Hour, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 in 0..1."""
    ground = GROUNDS[name]
    canvas = np.empty((view.height, view.width, 3), f32)
    paint_sky(view, canvas, ground, hour, rng)
    for painter in ground.backdrop:
        painter(view, canvas, ground, rng)
    paint_floor(view, canvas, ground, rng)
    for painter in ground.litter:
        painter(view, canvas, ground, rng)
    return canvas


def wash(canvas: np.ndarray, cover: np.ndarray, colour: Sequence[float] | np.ndarray, tone: np.ndarray | float = 1.0) -> None:
    """Lay a colour over a part of the canvas; plane by plane, since numpy is slow on axes of three."""
    for channel, strength in enumerate(colour):
        plane = canvas[..., channel]
        plane += cover * (tone * f32(strength) - plane)


def sunlight(name: str, hour: Hour, rng: np.random.Generator) -> Light:
    """Light from one of the upper corners."""
    x = rng.uniform(0.25, 0.8) * (1 if rng.random() < 0.5 else -1)
    towards = np.array([x, -0.8, rng.uniform(0.35, 0.8)])
    a, b, c = (towards / np.linalg.norm(towards)).tolist()
    sun = (1.03 * hour.sun, 0.96 * hour.sun, 0.84 * hour.sun)
    return Light((a, b, c), sun, (0.5, 0.54, 0.6), GROUNDS[name].bounce)


def paint_sky(view: View, canvas: np.ndarray, ground: Ground, hour: Hour, rng: np.random.Generator) -> None:
    rows = view.first
    if rows == 0:
        return
    canvas[:rows] = np.array(ground.sky[0], f32)
    down = (np.arange(rows, dtype=f32) / rows)[:, None]
    wash(canvas[:rows], down, ground.sky[1])
    if ground.indoors:
        return
    wash(canvas[:rows], hour.strength * (0.25 + 0.75 * down * down), hour.glow)
    ahead = f32(0.25 * view.size) / (view.horizon - np.arange(rows, dtype=f32) + f32(0.12 * view.size))
    across = np.arange(view.width, dtype=f32) / f32(view.size)
    u = (across[None, :] - f32(0.5)) * ahead[:, None] + f32(rng.random())
    clouds = textures.ramp(textures.look_up(textures.cloud(11, 4, 64), u, ahead[:, None] * f32(0.7) + u * 0), 0.5, 0.85)
    wash(canvas[:rows], clouds * f32(rng.uniform(0.2, 0.9)), (0.96, 0.96, 0.96))


def paint_floor(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """The ground, darker and coarser near by; far grain fades before it would flicker."""
    near, far = np.array(ground.near, f32) * f32(rng.uniform(0.9, 1.08)), np.array(ground.far, f32)
    rows = (np.arange(view.first, view.height, dtype=f32) - f32(view.horizon)) / f32(view.size) + f32(0.012)
    u, v = floor_places(view, rows, rng)
    fine = textures.look_up(ground.grain(), u, v) - f32(0.5)
    broad = textures.look_up(textures.cloud(13, 4, 16), u * f32(0.13), v * f32(0.13)) - f32(0.5)
    fade = np.clip(rows * 3.5, 0.05, 1)[:, None]
    tone = 1 + f32(ground.contrast) * (fine * fade + broad * f32(0.8))
    blend = np.clip(rows * 2.2, 0, 1)[:, None]
    for channel in range(3):
        canvas[view.first :, :, channel] = tone * (far[channel] + (near[channel] - far[channel]) * blend)


def floor_places(view: View, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where on the floor every pixel lies, in tiles; `rows` are distances below the horizon."""
    du, dv = rng.random(2).tolist()
    across = (np.arange(view.width, dtype=f32) - f32(view.width / 2)) / f32(view.size)
    u = across[None, :] * f32(0.75) / rows[:, None] + f32(du)
    v = np.broadcast_to((f32(0.3) / rows + f32(dv))[:, None], u.shape)
    return u, v


def ridge(view: View, rng: np.random.Generator, height: float, jagged: float) -> np.ndarray:
    """(W,) rows of a skyline."""
    profile = textures.cloud(17, 4, 128, jagged)[int(rng.integers(textures.SIDE))]
    x = (np.arange(view.width) * (200 / view.size) + 256 * rng.random()).astype(int) & 255
    return np.asarray(view.horizon - view.size * height * (0.25 + profile[x]))


def fill_below(view: View, canvas: np.ndarray, skyline: np.ndarray, colour: np.ndarray, tone: np.ndarray | None = None) -> None:
    top = int(np.clip(skyline.min() - 1, 0, view.first))
    rows = np.arange(top, view.first, dtype=f32)[:, None]
    cover = np.clip(rows - skyline.astype(f32)[None, :] + f32(0.5), 0, 1)
    wash(canvas[top : view.first], cover, colour, 1.0 if tone is None else tone[top:])


def hills(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    haze, own = np.array(ground.sky[1], f32), np.array(ground.far, f32)
    for height, share in ((rng.uniform(0.06, 0.16), 0.35), (rng.uniform(0.02, 0.07), 0.65)):
        fill_below(view, canvas, ridge(view, rng, height, 0.35), haze + f32(share) * (own * f32(0.85) - haze))


def mountains(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    haze = np.array(ground.sky[1], f32)
    for height, share in ((rng.uniform(0.15, 0.3), 0.3), (rng.uniform(0.05, 0.12), 0.5)):
        fill_below(view, canvas, ridge(view, rng, height, 0.55), haze + f32(share) * (np.array([0.38, 0.46, 0.58], f32) - haze))


def treeline(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """Woods at the edge of the field, dappled."""
    for height, dark in ((rng.uniform(0.07, 0.15), 1.25), (rng.uniform(0.03, 0.08), 1.0)):
        skyline = ridge(view, rng, height, 0.75)
        shade = f32(dark * rng.uniform(0.85, 1.1)) * np.array([0.2, 0.3, 0.17], f32)
        fill_below(view, canvas, skyline, shade, dapple(view, view.first, rng, 2.0))


def dapple(view: View, rows: int, rng: np.random.Generator, fine: float) -> np.ndarray:
    """(rows, W) light and dark of foliage on an upright plane."""
    y, x = np.arange(rows, dtype=f32)[:, None] / f32(view.size), np.arange(view.width, dtype=f32)[None, :] / f32(view.size)
    tile = textures.look_up(textures.leaves(), x * f32(fine) + f32(rng.random()), y * f32(fine) + x * 0)
    return np.asarray(f32(0.6) + f32(0.75) * tile)


def thicket(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """Inside a wood: foliage up to the sky and trunks before it."""
    rows = view.first
    wash(canvas[:rows], np.full((1, 1), 0.6, f32), (0.36, 0.49, 0.26), dapple(view, rows, rng, 2.2))
    barks = dapple(view, rows, rng, 4.0)
    for _ in range(int(rng.integers(6, 14))):
        half, x = view.size * rng.uniform(0.006, 0.03), rng.uniform(0, view.width)
        left, right = max(0, int(x - half)), min(view.width, int(x + half) + 1)
        across = (np.arange(left, right, dtype=f32) - f32(x)) / f32(half)
        round_ = np.clip(1 - 0.55 * (across + 0.4) ** 2, 0.2, 1) * f32(rng.uniform(0.7, 1.15))
        wash(canvas[:rows, left:right], np.ones((1, 1), f32), (0.33, 0.26, 0.2), round_ * barks[:, left:right])


def houses(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """A row of facades with windows."""
    walls = np.array([[0.7, 0.6, 0.5], [0.62, 0.42, 0.34], [0.78, 0.74, 0.66], [0.52, 0.52, 0.53], [0.74, 0.66, 0.52]], f32)
    left, rows = -rng.uniform(0, 0.3) * view.size, view.first
    while left < view.width:
        right = left + rng.uniform(0.22, 0.45) * view.size
        top = max(0, int(view.horizon - rng.uniform(0.3, 0.75) * view.size))
        x = np.arange(max(0, int(left)), min(view.width, int(right)))
        y = np.arange(top, rows)
        if len(x) and len(y):
            canvas[top:rows, x[0] : x[-1] + 1] = facade(view, x - left, y - view.horizon, walls[rng.integers(len(walls))], rng)
        left = right


def facade(view: View, x: np.ndarray, y: np.ndarray, wall: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    step = view.size * rng.uniform(0.07, 0.11)
    across, up = (x / step) % 1, (-y / (step * 1.35)) % 1
    pane = ((across > 0.3) & (across < 0.72))[None, :] & ((up > 0.3) & (up < 0.78))[:, None]
    sill = ((across > 0.26) & (across < 0.76))[None, :] & ((up > 0.22) & (up < 0.3))[:, None]
    glass = np.array([0.3, 0.36, 0.42], f32)
    image = np.where(pane[..., None], glass, wall * f32(rng.uniform(0.85, 1.05)))
    return np.asarray(np.where(sill[..., None], f32(0.8), image))


def wallpaper(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    tones = np.array([[0.8, 0.77, 0.7], [0.62, 0.7, 0.68], [0.76, 0.66, 0.6], [0.58, 0.64, 0.72], [0.82, 0.76, 0.6]], f32)
    tone, rows = tones[rng.integers(len(tones))], view.first
    x = np.arange(view.width, dtype=f32) / f32(view.size) * f32(rng.uniform(10, 22))
    band = f32(1) - f32(0.05) * (x % 1 > 0.5)
    canvas[:rows] = tone * band[None, :, None] * np.linspace(0.82, 1.0, max(rows, 1), dtype=f32)[:rows, None, None]
    skirting = max(0, rows - max(2, round(0.03 * view.size)))
    canvas[skirting:rows] = np.array([0.9, 0.88, 0.84], f32)


def planks(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """Boards that run towards the wall."""
    rows = (np.arange(view.first, view.height, dtype=f32) - f32(view.horizon)) / f32(view.size) + f32(0.05)
    across = (np.arange(view.width, dtype=f32) - f32(view.width / 2)) / f32(view.size)
    place = across[None, :] / rows[:, None] * f32(2.2) + f32(rng.random() + 40)
    board = place.astype(np.int32)
    tone = textures.cloud(19, 128, 128)[0].take(board & 255) * f32(0.35) + f32(0.83)
    gap = (place - board) < f32(0.03)
    canvas[view.first :] *= np.where(gap, f32(0.6), tone)[..., None]


def pavement(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """A kerb along the houses, and slabs or asphalt before it."""
    edge = view.first + round(view.size * rng.uniform(0.03, 0.07))
    thick = max(1, round(0.012 * view.size))
    canvas[view.first : edge] *= f32(1.25)
    canvas[edge : edge + thick] *= f32(0.6)


def blades(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
    """Blades of grass: short strokes, longer near by, far ones first."""
    count = 700
    depth = np.sort(rng.random(count)) ** 0.8
    low, high = view.first, view.height * 1.04
    root_y, root_x = low + depth * (high - low), rng.random(count) * view.width
    length = view.size * (0.008 + 0.05 * (root_y - view.horizon) / view.size) * rng.uniform(0.5, 1.2, count)
    lean = rng.uniform(-0.5, 0.5, count)
    tone = rng.uniform(0.78, 1.3, (count, 1))
    colour = np.array(ground.near) * tone * (1 + 0.12 * rng.uniform(-1, 1, (count, 3)))
    for step in range(8):
        t = step / 7
        x, y = (root_x + lean * t * t * length).astype(int), (root_y - t * length).astype(int)
        keep = (x >= 0) & (x < view.width) & (y >= low) & (y < view.height)
        canvas[y[keep], x[keep]] = (colour * (0.75 + 0.4 * t))[keep]


def scatter(colours: tuple[Colour, ...], count: int, reach: float) -> Painter:
    """Small round things strewn over the ground: flowers, pebbles, leaves."""

    def painter(view: View, canvas: np.ndarray, ground: Ground, rng: np.random.Generator) -> None:
        y = view.first + np.sort(rng.random(count)) * (view.height - view.first)
        x = rng.random(count) * view.width
        radius = np.maximum(reach * (y - view.horizon + 0.05 * view.size) * rng.uniform(0.4, 1.0, count), 0.3)
        paint_of = np.array(colours)[rng.integers(len(colours), size=count)] * rng.uniform(0.8, 1.1, (count, 1))
        most = int(np.ceil(radius.max()))
        for dy in range(-most, most + 1):
            for dx in range(-most, most + 1):
                px, py = (x + dx).astype(int), (y + dy).astype(int)
                keep = (dx * dx + dy * dy * 2.5 <= radius * radius) & (px >= 0) & (px < view.width) & (py >= view.first) & (py < view.height)
                canvas[py[keep], px[keep]] = paint_of[keep]

    return painter


def soil() -> np.ndarray:
    return textures.cloud(23, 8, 128, 0.75)


def drift() -> np.ndarray:
    return textures.cloud(25, 4, 64, 0.5)


def turf() -> np.ndarray:
    return textures.cloud(27, 16, 128, 0.95)


PETALS: tuple[Colour, ...] = ((0.95, 0.93, 0.88), (0.95, 0.82, 0.35), (0.83, 0.45, 0.5), (0.6, 0.5, 0.78))
PEBBLES: tuple[Colour, ...] = ((0.52, 0.48, 0.42), (0.62, 0.57, 0.5), (0.42, 0.39, 0.35))
FALLEN: tuple[Colour, ...] = ((0.42, 0.28, 0.13), (0.5, 0.37, 0.16), (0.3, 0.24, 0.12), (0.36, 0.38, 0.16))

GROUNDS: dict[str, Ground] = {
    "grass": Ground(
        near=(0.47, 0.58, 0.27),
        far=(0.6, 0.68, 0.4),
        grain=turf,
        contrast=0.5,
        backdrop=(hills, treeline),
        litter=(blades,),
        prop=("bush", "rock", "tree", "fence"),
        bounce=(0.2, 0.24, 0.13),
    ),
    "meadow": Ground(
        near=(0.52, 0.6, 0.3),
        far=(0.68, 0.71, 0.45),
        grain=turf,
        contrast=0.5,
        backdrop=(hills, hills),
        litter=(blades, scatter(PETALS, 110, 0.012)),
        prop=("bush", "tree", "fence"),
        bounce=(0.22, 0.24, 0.13),
    ),
    "savanna": Ground(
        near=(0.7, 0.58, 0.32),
        far=(0.8, 0.7, 0.45),
        grain=soil,
        contrast=0.4,
        sky=((0.5, 0.64, 0.78), (0.93, 0.86, 0.72)),
        backdrop=(hills,),
        litter=(blades,),
        prop=("acacia", "bush", "rock", "acacia"),
        bounce=(0.3, 0.24, 0.15),
    ),
    "sand": Ground(
        near=(0.8, 0.68, 0.48),
        far=(0.88, 0.78, 0.6),
        grain=soil,
        contrast=0.22,
        backdrop=(hills,),
        litter=(scatter(PEBBLES, 50, 0.012),),
        prop=("rock", "bush"),
        bounce=(0.32, 0.26, 0.18),
    ),
    "snow": Ground(
        near=(0.83, 0.87, 0.93),
        far=(0.87, 0.9, 0.95),
        grain=drift,
        contrast=0.16,
        sky=((0.55, 0.67, 0.8), (0.86, 0.9, 0.94)),
        backdrop=(mountains,),
        prop=("fir", "rock", "fir"),
        bounce=(0.34, 0.36, 0.4),
    ),
    "forest": Ground(
        near=(0.47, 0.4, 0.26),
        far=(0.45, 0.47, 0.28),
        grain=soil,
        contrast=0.7,
        sky=((0.5, 0.6, 0.5), (0.7, 0.78, 0.62)),
        backdrop=(thicket,),
        litter=(scatter(FALLEN, 160, 0.014),),
        prop=("bush", "tree", "tree", "fern"),
        bounce=(0.2, 0.18, 0.11),
    ),
    "street": Ground(
        near=(0.47, 0.46, 0.45),
        far=(0.56, 0.55, 0.54),
        grain=turf,
        contrast=0.2,
        backdrop=(houses,),
        litter=(pavement,),
        prop=("post", "planter", "tree"),
        bounce=(0.25, 0.24, 0.23),
    ),
    "room": Ground(
        near=(0.62, 0.44, 0.28),
        far=(0.66, 0.48, 0.32),
        grain=soil,
        contrast=0.12,
        backdrop=(wallpaper,),
        litter=(planks,),
        prop=("planter", "cushion"),
        indoors=True,
        bounce=(0.28, 0.22, 0.16),
    ),
}
