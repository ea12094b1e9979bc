"""Soft shadows on the ground: every solid flattened along the light."""

from __future__ import annotations

import numpy as np

from .ground import View
from .shading import Light
from .solids import Camera, Solid, rotation

f32 = np.float32
MOST = 11  # thin solids throw no shadow of their own


def cast_all(canvas: np.ndarray, things: list[tuple[list[Solid], Camera]], light: Light, view: View) -> None:
    """Darken the ground below all things. Shadows are soft: half the pixels are enough."""
    height, width = canvas.shape[:2]
    dark = np.zeros((height // 2 + 2, width // 2 + 2), f32)
    for solids, camera in things:
        halved = camera._replace(x=camera.x / 2, row=camera.row / 2, scale=camera.scale / 2)
        thickest = sorted(solids, key=lambda s: -max(s.ra, s.rb))
        cast(dark, thickest[:MOST], light, halved)
    dark = doubled(doubled(dark).T).T[:height, :width]
    for channel, depth in enumerate((0.62, 0.58, 0.5)):
        canvas[view.first :, :, channel] *= 1 - f32(depth) * dark[view.first :]


def doubled(image: np.ndarray) -> np.ndarray:
    """Twice the rows, new ones between."""
    rows = np.repeat(image, 2, axis=0)
    rows[1:-1:2] = (image[:-1] + image[1:]) * f32(0.5)
    return rows


def cast(dark: np.ndarray, solids: list[Solid], light: Light, camera: Camera) -> None:
    """Put one body's shadow into the darkness of the frame (H, W)."""
    a, b = (grounded(np.array([getattr(s, end) for s in solids]), light, camera) for end in "ab")
    squash = max(0.3, float(np.sin(camera.pitch)) * 1.6)
    for i, solid in enumerate(solids):
        stain(dark, a[i].tolist(), b[i].tolist(), max(solid.ra, solid.rb) * camera.scale, squash)


def grounded(xyz: np.ndarray, light: Light, camera: Camera) -> np.ndarray:
    """(N, 3): screen x, y of where the light through body places meets the ground, and the height above it."""
    level = camera._replace(pitch=0.0)
    x, down, z = (xyz @ rotation(level).T).T
    right, below, towards = light.towards
    x, z = x - down * right / below * 0.8, z - down * towards / below
    return np.column_stack([camera.x + camera.scale * x, camera.row + camera.scale * z * np.sin(camera.pitch), -down])


def stain(dark: np.ndarray, a: list[float], b: list[float], radius: float, squash: float) -> None:
    """A blurred flat capsule; softer the higher its caster."""
    soft = radius * (0.5 + 0.6 * min(1.0, 0.5 * (a[2] + b[2])))
    r = radius + soft
    (height, width), rise = dark.shape, r * squash
    left, right = max(0, int(min(a[0], b[0]) - r)), min(width, int(max(a[0], b[0]) + r) + 2)
    top, bottom = max(0, int(min(a[1], b[1]) - rise)), min(height, int(max(a[1], b[1]) + rise) + 2)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=f32)[None, :] - f32(a[0])
    y = (np.arange(top, bottom, dtype=f32)[:, None] - f32(a[1])) / f32(squash)
    dx, dy = b[0] - a[0], (b[1] - a[1]) / squash
    flat2 = dx * dx + dy * dy + 1e-3
    t = np.minimum(np.maximum(x * f32(dx / flat2) + y * f32(dy / flat2), 0), 1)
    ex, ey = x - t * f32(dx), y - t * f32(dy)
    depth = np.minimum(np.maximum(f32(r) - np.sqrt(ex * ex + ey * ey), 0) * f32(0.5 / soft), 1)
    here = dark[top:bottom, left:right]
    np.maximum(here, depth * depth * (3 - 2 * depth), out=here)
