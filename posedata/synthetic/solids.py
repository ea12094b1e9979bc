"""Bodies as lists of solids, and their way from body space to the screen.

Body space is in metres: x forward, y up, z to the figure's own right. Screen space is in pixels: x right, y down,
z towards the viewer. A solid is a sphere swept from `a` to `b` while its radius goes from `ra` to `rb`, then squeezed
by `flat` along `side`: one shape that is a ball, a limb, a barrel, an ear or a foot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .lens import lenses

Vector = np.ndarray
SIDEWAYS = np.array([0.0, 0.0, 1.0])
FORWARD = np.array([1.0, 0.0, 0.0])
UP = np.array([0.0, 1.0, 0.0])
SMALLEST_PX = 0.5
THINNEST_PX = 0.75  # > sqrt(.5): the pixel nearest to a joint always lies on the limb that holds it


class Solid(NamedTuple):
    """One swept ball of a body, in metres."""

    a: Vector
    b: Vector
    ra: float
    rb: float
    material: str
    flat: float = 1.0
    side: Vector = SIDEWAYS
    fray: float = 0.0  # how deep leaves or hair bite into its outline
    start: float = 0.0  # where along the coat this solid begins, so that a pattern runs on over a joint


class Point(NamedTuple):
    """One keypoint: a place in the body and how much flesh may lie between it and the viewer."""

    at: Vector
    flesh: float


class Body(NamedTuple):
    solids: list[Solid]
    points: list[Point]


class Camera(NamedTuple):
    """Where a body stands on the screen and how it is looked at."""

    x: float  # column of the body's origin
    row: float  # row of the ground below it
    scale: float  # pixels in a metre there
    yaw: float  # 0 faces right, pi / 2 faces the viewer
    pitch: float  # how far the viewer looks down
    reach: float  # metres to the viewer


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweeps:
    """S solids on the screen, in pixels, rounded: all that drawing may depend on."""

    a: np.ndarray  # (S, 3)
    b: np.ndarray  # (S, 3)
    ra: np.ndarray  # (S,)
    rb: np.ndarray  # (S,)
    side: np.ndarray  # (S, 3) unit, the direction of the squeeze
    flat: np.ndarray  # (S,)
    fray: np.ndarray  # (S,)
    lens: np.ndarray  # (S, 6), see lens.py
    coat: np.ndarray  # (8, S) metres along the solid, then across it, as affine functions of (1, x, y, z)
    material: tuple[str, ...]


def rotation(camera: Camera) -> np.ndarray:
    """(3, 3) from body axes to screen axes (y down)."""
    c, s, cp, sp = math.cos(camera.yaw), math.sin(camera.yaw), math.cos(camera.pitch), math.sin(camera.pitch)
    turned = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    tilted = np.array([[1.0, 0.0, 0.0], [0.0, -cp, sp], [0.0, sp, cp]])
    return np.asarray(tilted @ turned)


def project(xyz: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Screen places (N, 3) of body places (N, 3), and the pixels in a metre at each of them (N,)."""
    seen = xyz @ rotation(camera).T
    scale = camera.scale / np.maximum(1 - seen[:, 2] / camera.reach, 0.4)
    return seen * scale[:, None] + [camera.x, camera.row, 0.0], scale


def project_solids(solids: list[Solid], camera: Camera) -> Sweeps:
    """The solids as the camera sees them, rounded to 1/100 pixel; those too small to see are left out."""
    solids = [s for s in solids if round(max(s.ra, s.rb) * camera.scale, 2) >= SMALLEST_PX] or solids[:1]
    a, scale_a = project(np.array([s.a for s in solids]), camera)
    b, scale_b = project(np.array([s.b for s in solids]), camera)
    side = np.array([s.side for s in solids]) @ rotation(camera).T
    start = np.array([s.start for s in solids])
    a, b, side = a.round(2), b.round(2), (side / np.linalg.norm(side, axis=1)[:, None]).round(3)
    flat = np.array([s.flat for s in solids]).round(3)
    return Sweeps(
        a=a,
        b=b,
        side=side,
        flat=flat,
        lens=lenses(side, flat),
        coat=coat_axes(a, b, side, scale_a, start),
        ra=np.maximum(scale_a * [s.ra for s in solids], THINNEST_PX).round(2),
        rb=np.maximum(scale_b * [s.rb for s in solids], THINNEST_PX).round(2),
        fray=np.array([s.fray for s in solids]),
        material=tuple(s.material for s in solids),
    )


def coat_axes(a: np.ndarray, b: np.ndarray, side: np.ndarray, scale: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The coat is painted on the plane of each bone: along it and across it, in metres; (8, S)."""
    odd = np.array([[0.31], [0.17], [0.93]])  # a ball's axis is any, and so is what lies across a disc's
    along = normalised((b - a).T + 0.01 * cross(side.T, odd))
    across = normalised(cross(along, side.T + 0.02 * odd))
    along, across = along / scale, across / scale
    return np.stack([start - (along * a.T).sum(0), *along, -(across * a.T).sum(0), *across]).astype(np.float32)


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length one; components come first."""
    return np.asarray(vectors / np.sqrt((vectors * vectors).sum(0)))


def cross(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Cross product of vectors whose components come first."""
    return np.stack([p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]])


def project_points(points: list[Point], camera: Camera) -> np.ndarray:
    """(K, 4): x, y, depth, and the depth of the flesh before it, rounded to 1/100 pixel."""
    at, scale = project(np.array([p.at for p in points]), camera)
    flesh = np.maximum(scale * [p.flesh for p in points], 1.5)
    return np.column_stack([at, flesh]).round(2)


def unit(*xyz: float) -> Vector:
    vector = np.array(xyz)
    return np.asarray(vector / np.linalg.norm(vector))


def turn(vector: Vector, yaw: float) -> Vector:
    """The vector after a turn of the body to its own right."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([c * vector[0] - s * vector[2], vector[1], s * vector[0] + c * vector[2]])


def tip(vector: Vector, pitch: float) -> Vector:
    """The vector after the nose goes up by `pitch`."""
    c, s = math.cos(pitch), math.sin(pitch)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1], vector[2]])
