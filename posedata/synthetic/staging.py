"""Where everybody stands: places on the ground that agree with one horizon."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .cast import Actor, Troupe
from .ground import GROUNDS, View
from .props import PROPS, Prop
from .solids import Camera

SHAPES = ((1.0, 1.0), (1.0, 0.75), (1.0, 0.75), (1.0, 0.667), (1.0, 0.5625), (0.75, 1.0), (0.667, 1.0), (0.8, 1.0))
SHARES = ((0.25, 0.45), (0.5, 0.75), (0.6, 0.9), (0.65, 0.95), (0.7, 0.95), (0.75, 1.0), (0.75, 1.0), (0.95, 1.4))  # of the frame that the first actor fills
LONG_LENS = 3.0  # distance of the viewer in frames: mild perspective


class Stage(NamedTuple):
    view: View
    actors: list[tuple[Actor, Camera]]
    props: list[tuple[Prop, Camera]]


class Spot(NamedTuple):
    x: float
    row: float
    scale: float  # pixels in a metre


def stage(troupe: Troupe, size: int, rng: np.random.Generator) -> Stage:
    """The troupe on its ground; in units of `size`, so that every size shows the same scene."""
    wide, high = SHAPES[rng.integers(len(SHAPES))]
    width, height = round(wide * size), round(high * size)
    low, top = (0.55, 0.25) if troupe.ground == "room" else (0.5, 0.06)
    view = View(height=height, width=width, size=size, horizon=height * rng.uniform(top, low))
    cameras: list[Camera] = []
    lead = lead_spot(troupe, view, rng)
    for i, actor in enumerate(troupe.actors):
        spot = lead if i == 0 else beside(lead, actor, view, rng)
        cameras.append(camera(view, spot, actor.height, heading(rng)))
    unit = lead.scale * (troupe.actors[0].height if troupe.actors else 1.0)
    props = furnish(troupe, view, lead._replace(scale=unit), cameras, rng)
    return Stage(view, list(zip(troupe.actors, cameras, strict=True)), props)


def heading(rng: np.random.Generator) -> float:
    """Side and three-quarter views are commoner than front and back."""
    if rng.random() < 0.25:
        return rng.uniform(-math.pi, math.pi)
    return (0.0 if rng.random() < 0.5 else math.pi) + rng.uniform(-0.9, 0.9) + 0.15


def extent(actor: Actor) -> tuple[float, float]:
    """Length and height of an actor from the side, in metres."""
    ends = np.array([s.a for s in actor.body.solids])
    span = ends.max(0) - ends.min(0)
    return float(max(span[0], span[2]) + 0.1) * actor.height, float(span[1] + 0.1) * actor.height


def lead_spot(troupe: Troupe, view: View, rng: np.random.Generator) -> Spot:
    """The first actor: from a small far figure to a close-up that the frame cuts."""
    long, high = extent(troupe.actors[0]) if troupe.actors else (1.0, 1.0)
    share = rng.uniform(*SHARES[rng.integers(len(SHARES))])
    if len(troupe.actors) > 2:
        share = min(share, rng.uniform(0.5, 0.85))
    scale = share * min(view.height / high, 1.1 * view.width / long)
    lowest = view.horizon + 0.1 * view.size
    if share > 0.9:
        row = max(lowest, view.height * rng.uniform(-0.2, 0.15) + scale * high)  # mostly the feet are cut, now and then the head
    else:
        row = rng.uniform(max(lowest, min(scale * high * 1.05, view.height * 0.93)), max(lowest, view.height * 0.97))
    edge = 0.5 * min(scale * long, view.width * 0.8) * rng.uniform(0.5, 1.0)
    return Spot(rng.uniform(edge, view.width - edge), row, scale)


def beside(lead: Spot, actor: Actor, view: View, rng: np.random.Generator) -> Spot:
    """Another place on the same ground, with the size that the horizon demands."""
    nearest = view.horizon + 0.07 * view.size
    row = float(np.clip(lead.row + rng.uniform(-0.2, 0.13) * view.size, nearest, 1.3 * view.height))
    scale = lead.scale * (row - view.horizon) / (lead.row - view.horizon)
    long, _ = extent(actor)
    offset = rng.uniform(0.3, 1.5) * scale * min(long, 1.5 * actor.height) * (1 if rng.random() < 0.5 else -1)
    x = lead.x + offset
    return Spot(x if 0 < x < view.width else rng.uniform(0.05, 0.95) * view.width, row, scale)


def camera(view: View, spot: Spot, metres: float, yaw: float) -> Camera:
    """How the viewer sees a body that measures `metres` in each of its units."""
    away = LONG_LENS * view.size
    pitch = math.atan((spot.row - view.horizon) / away)
    scale = spot.scale * metres
    return Camera(spot.x, spot.row, scale, yaw, pitch, away / scale)


def furnish(troupe: Troupe, view: View, unit: Spot, cameras: list[Camera], rng: np.random.Generator) -> list[tuple[Prop, Camera]]:
    """Things behind the actors and, in some scenes, before one of them."""
    kinds, props = GROUNDS[troupe.ground].prop, []
    for _ in range(int(rng.integers(0, 3))):
        row = view.horizon + (unit.row - view.horizon) * rng.uniform(0.25, 0.8)
        props.append(put(kinds, view, Spot(rng.uniform(0, view.width), row, unit.scale), unit, rng))
    if cameras and rng.random() < 0.4:
        hidden = cameras[rng.integers(len(cameras))]
        x = hidden.x + rng.uniform(-0.6, 0.6) * hidden.scale
        props.append(put(kinds, view, Spot(x, hidden.row + 0.14 * hidden.scale, unit.scale), unit, rng, 0.75))
    return props


def put(kinds: tuple[str, ...], view: View, spot: Spot, unit: Spot, rng: np.random.Generator, most: float = 1.0) -> tuple[Prop, Camera]:
    prop = PROPS[kinds[rng.integers(len(kinds))]](rng)
    scale = spot.scale * (spot.row - view.horizon) / (unit.row - view.horizon) * rng.uniform(0.6, 1.1) * most
    return prop, camera(view, spot._replace(scale=scale), 1.0, rng.uniform(-0.6, 0.6))
