"""Scenes of animals or people with exact keypoints.

>>> scene = render("quadruped", seed=0, split="train", index=3)
>>> scene.pixels.dtype, scene.figures[0].keypoints.shape
(dtype('uint8'), (17, 3))
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from . import shadows, textures
from .cast import POINTS, SPECIES, TROUPES, Actor
from .ground import GROUNDS, View, any_hour, paint, sunlight
from .person import PERSON_POINTS
from .quadruped import QUADRUPED_POINTS
from .raster import Surface, draw
from .shading import Colour, Light, Material, shade
from .solids import Camera, Solid, project_points, project_solids
from .staging import Stage, stage

__all__ = ["PERSON_POINTS", "POINTS", "QUADRUPED_POINTS", "SPECIES", "Figure", "Scene", "render"]

OUTSIDE, HIDDEN, SEEN = 0.0, 1.0, 2.0
NOBODY = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Figure:
    """One animal or person of a scene."""

    species: str
    coat: str
    pose: str
    keypoints: np.ndarray  # (K, 3) float64 x, y, v: 2 seen, 1 hidden, 0 outside the frame, where x and y stay true
    mask: np.ndarray  # (H, W) bool, the pixels where it is in front
    facing: float  # degrees: 0 right, 90 towards the viewer, 180 left, -90 away
    scale: float  # pixels in a metre


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    pixels: np.ndarray  # (H, W, 3) uint8
    background: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Presence:
    """Something drawn: what is left to know of it once the next thing stands before it."""

    actor: Actor
    camera: Camera
    surface: Surface
    owner: int


def render(config: str, *, seed: int, split: str, index: int, size: int = 256) -> Scene:
    """The scene with this number; the same arguments give the same bytes. `size` is the longest side in pixels."""
    rng = generator(config, seed, split, index)
    troupe = TROUPES[config](rng)
    set_up = stage(troupe, size, rng)
    hour = any_hour(rng)
    canvas = paint(troupe.ground, set_up.view, hour, rng)
    light = sunlight(troupe.ground, hour, rng)
    owners, present = perform(set_up, canvas, light, np.array(GROUNDS[troupe.ground].sky[1], np.float32))
    figures = [figure(p, owners) for p in present]
    seen = tuple(f for f in figures if f.mask.any() and (f.keypoints[:, 2] == SEEN).any())
    return Scene(pixels=develop(canvas, hour.tone), background=troupe.ground, figures=seen)


def generator(config: str, seed: int, split: str, index: int) -> np.random.Generator:
    """One stream for every scene, whatever was drawn before it; crc32 because hash() differs between processes."""
    return np.random.default_rng(np.random.SeedSequence((seed, zlib.crc32(f"{config}/{split}".encode()), index)))


def perform(set_up: Stage, canvas: np.ndarray, light: Light, haze: np.ndarray) -> tuple[np.ndarray, list[Presence]]:
    """Draw everything, far things first; who owns each pixel (H, W), and who was there."""
    view = set_up.view
    owners = np.full(canvas.shape[:2], NOBODY, np.int16)
    cast = [(actor.body.solids, actor.materials, seen, actor) for actor, seen in set_up.actors]
    things = [(solids, materials, seen, None) for (solids, materials), seen in set_up.props]
    order = sorted([*cast, *things], key=lambda thing: thing[2].row)
    shadows.cast_all(canvas, [(solids, seen) for solids, _, seen, _ in order], light, view)
    present: list[Presence] = []
    for solids, materials, seen, actor in order:
        surface = add(canvas, solids, materials, seen, light, haze, distance(view, seen))
        if surface is None:
            continue
        owner = len(present) if actor else NOBODY
        owners[surface.window][surface.solid] = owner
        if actor:
            present.append(Presence(actor=actor, camera=seen, surface=surface, owner=owner))
    return owners, present


def distance(view: View, seen: Camera) -> np.float32:
    """How much haze lies before a thing: none for what is near."""
    near = (seen.row - view.horizon) / (0.6 * view.size)
    return np.float32(min(max(0.3 - 0.5 * near, 0.0), 0.3))


def add(
    canvas: np.ndarray, solids: list[Solid], materials: dict[str, Material], seen: Camera, light: Light, haze: np.ndarray, veil: np.float32
) -> Surface | None:
    """Draw one body over what is there, behind a veil of haze."""
    sweeps = project_solids(solids, seen)
    surface = draw(sweeps, *canvas.shape[:2])
    if surface is None:
        return None
    spot = np.flatnonzero(surface.edge > -0.5)
    colour = shade(surface, spot, sweeps, materials, light, soft=min(6.0, 0.035 * seen.scale)).T
    colour += veil * (haze - colour)
    cover = np.minimum(surface.edge.ravel()[spot] + np.float32(0.5), 1)[:, None]
    rows, columns = np.divmod(spot, surface.edge.shape[1])
    pixels = canvas.reshape(-1, 3)
    where = (rows + surface.top) * canvas.shape[1] + columns + surface.left
    behind = pixels.take(where, axis=0)
    pixels[where] = behind + cover * (colour - behind)
    return surface


def figure(presence: Presence, owners: np.ndarray) -> Figure:
    """What a scene tells of one of its actors."""
    seen, actor = presence.camera, presence.actor
    mask = owners == presence.owner
    points = project_points(actor.body.points, seen)
    state = visibility(points, presence.surface, mask)
    degrees = round(float(np.degrees(seen.yaw)), 1)
    return Figure(
        species=actor.species,
        coat=actor.coat,
        pose=actor.pose,
        mask=mask,
        keypoints=np.column_stack([points[:, :2], state]),
        facing=round((degrees + 180) % 360 - 180, 1),
        scale=round(seen.scale / actor.height, 2),
    )


def visibility(points: np.ndarray, surface: Surface, mask: np.ndarray) -> np.ndarray:
    """(K,) v: seen where the figure owns the pixel and no more than its own flesh lies before the point."""
    height, width = mask.shape
    x, y, depth, flesh = points.T
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    column = np.clip(np.floor(x + 0.5), 0, width - 1).astype(int)
    row = np.clip(np.floor(y + 0.5), 0, height - 1).astype(int)
    front = np.full(mask.shape, np.inf, np.float32)
    front[surface.window] = surface.depth
    clear = mask[row, column] & (front[row, column] <= depth + flesh)
    return np.where(inside, np.where(clear, SEEN, HIDDEN), OUTSIDE)


def develop(canvas: np.ndarray, tone: Colour) -> np.ndarray:
    """uint8 pixels in the tone of the hour, with a little grain."""
    height, width = canvas.shape[:2]
    rows, columns = np.arange(height)[:, None] & 255, np.arange(width)[None, :] & 255
    grain = textures.cloud(29, 128, 128)[rows, columns] * np.float32(4) - np.float32(2)
    pixels = np.empty(canvas.shape, np.uint8)
    for channel, gain in enumerate(tone):
        pixels[..., channel] = np.clip(canvas[..., channel] * np.float32(255 * gain) + grain, 0, 255)
    return pixels
