"""A batch as a picture: crops with their points, and their heatmaps over them. A room of Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from posedata.images import FAINT, INK, PAPER, font, save_picture

from ..data import Batch

__all__ = ["HIDDEN", "MOST", "VISIBLE", "Tile", "draw_batch", "pixels_of", "tiles_of"]

VISIBLE, HIDDEN = (0, 230, 200), (255, 60, 160)
"""The two colours of points: seen, and hidden."""
MOST = 18
"""Pictures that are drawn."""
_TILE, _GAP, _COLUMNS, _HEAD = 192, 6, 6, 46
_ABOVE, _BELOW = np.array([255.0, 226.0, 40.0]), np.array([90.0, 150.0, 255.0])
"""Colours of heatmaps, and of those drawn upside down for hidden points."""


class Tile(NamedTuple):
    """One picture of a batch, with what is known of it."""

    pixels: NDArray[np.uint8]
    """(h, w, 3)"""
    points: NDArray[np.float64]
    """(n, 2) in its pixels."""
    v: NDArray[np.float64]
    """(n,) 0 not drawn, 1 hidden, 2 seen."""
    heat: NDArray[np.float64]
    """(rows, columns) the strongest of all targets in each cell, its sign kept."""
    boxes: NDArray[np.float64]
    """(m, 4) corners, edges."""


def tiles_of(batch: Batch, targets: tuple[Tensor, ...], simcc: bool) -> list[Tile]:
    """The crops of a batch with their targets."""
    return [
        Tile(pixels_of(batch.images[i]), _array(batch.points[i]), _array(batch.v[i]), _whole(targets, i, simcc), np.zeros((0, 4)))
        for i in range(min(len(batch.rows), MOST))
    ]


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """(h, w, 3) of (3, h, w)."""
    return np.asarray(image.clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy())


def draw_batch(tiles: Sequence[Tile], title: str, below: str, path: Path) -> Path:
    """Each picture above, and below it its targets over it."""
    columns = min(_COLUMNS, len(tiles))
    h, w = tiles[0].pixels.shape[:2]
    height = round(_TILE * h / w)
    bands = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (max(columns * (_TILE + _GAP) + _GAP, 560), _HEAD + bands * (2 * height + 3 * _GAP)), PAPER)
    _title(sheet, title, below)
    for i, tile in enumerate(tiles):
        x, y = _GAP + (i % columns) * (_TILE + _GAP), _HEAD + (i // columns) * (2 * height + 3 * _GAP)
        sheet.paste(_with_points(_shown(tile.pixels, height), tile, _TILE / w), (x, y))
        sheet.paste(_shown(_under(tile.pixels, tile.heat), height), (x, y + height + _GAP // 2))
    return save_picture(sheet, path)


def _title(sheet: Image.Image, title: str, below: str) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP + 2, 4), title, fill=INK, font=font(15))
    x = _GAP + 2
    for name, colour in (("visible", VISIBLE), ("hidden", HIDDEN)):
        pen.ellipse((x, 28, x + 9, 37), fill=colour, outline=INK)
        pen.text((x + 14, 25), name, fill=INK, font=font(12))
        x += 76
    pen.text((x, 25), below, fill=FAINT, font=font(12))


def _shown(pixels: NDArray[np.uint8], height: int) -> Image.Image:
    return Image.fromarray(pixels).resize((_TILE, height), Image.Resampling.BILINEAR)


def _with_points(picture: Image.Image, tile: Tile, scale: float) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    for corners in tile.boxes.tolist():
        pen.rectangle([c * scale for c in corners], outline=(255, 255, 255))
    size = 4 if len(tile.boxes) == 0 else 2.5
    for (x, y), v in zip(tile.points.tolist(), tile.v.tolist(), strict=True):
        if v > 0:
            cx, cy = (x + 0.5) * scale, (y + 0.5) * scale
            pen.ellipse((cx - size, cy - size, cx + size, cy + size), fill=HIDDEN if v == 1 else VISIBLE, outline=INK)
    return picture


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.double().cpu().numpy())


def _whole(targets: tuple[Tensor, ...], i: int, simcc: bool) -> NDArray[np.float64]:
    """(rows, columns) the strongest of all points' targets in each place, its sign kept."""
    if simcc:
        across, down = (t[i] / t[i].amax(-1, keepdim=True).clamp_min(1e-12) for t in targets)
        maps = down[:, :, None] * across[:, None, :]
    else:
        maps = targets[0][i]
    high, low = maps.amax(0), maps.amin(0)
    return np.where((-low > high).cpu().numpy(), low.cpu().numpy(), high.cpu().numpy()).astype(float)


def _under(pixels: NDArray[np.uint8], whole: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A dimmed picture with heat over it, each cell of the heatmap a block of pixels."""
    rows = (np.arange(pixels.shape[0]) * whole.shape[0]) // pixels.shape[0]
    columns = (np.arange(pixels.shape[1]) * whole.shape[1]) // pixels.shape[1]
    heat = whole[rows[:, None], columns[None]][..., None]
    share = np.clip(abs(heat), 0, 1) ** 2 * 0.9  # squared, so that neighbours do not run together
    colour = np.where(heat < 0, _BELOW, _ABOVE)
    return np.asarray(pixels * 0.6 * (1 - share) + colour * share, np.uint8)
