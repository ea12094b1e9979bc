"""A batch as a picture: crops with their points, and their heatmaps over them. A room of Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from posedata.images import FAINT, INK, PAPER, font, save_picture
from posedata.schema import Schema

from ..data import Batch

__all__ = ["HIDDEN", "VISIBLE", "draw_batch"]

VISIBLE, HIDDEN = (0, 230, 200), (255, 60, 160)
"""The two colours of points: seen, and hidden."""
_TILE, _GAP, _COLUMNS, _MOST, _HEAD = 192, 6, 6, 18, 46
_ABOVE, _BELOW = np.array([255.0, 226.0, 40.0]), np.array([90.0, 150.0, 255.0])
"""Colours of heatmaps, and of those drawn upside down for hidden points."""


def draw_batch(batch: Batch, targets: tuple[Tensor, ...], schema: Schema, simcc: bool, path: Path) -> Path:
    """Each crop above, and below it its targets over it."""
    count = min(len(batch.rows), _MOST)
    columns = min(_COLUMNS, count)
    height = round(_TILE * batch.images.shape[2] / batch.images.shape[3])
    bands = -(-count // columns)
    sheet = Image.new("RGB", (max(columns * (_TILE + _GAP) + _GAP, 560), _HEAD + bands * (2 * height + 3 * _GAP)), PAPER)
    _title(sheet, count, len(batch.rows), schema)
    for i in range(count):
        x, y = _GAP + (i % columns) * (_TILE + _GAP), _HEAD + (i // columns) * (2 * height + 3 * _GAP)
        pixels = batch.images[i].clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        whole = _whole(targets, i, simcc)
        scale = _TILE / pixels.shape[1]
        sheet.paste(_with_points(_shown(pixels, height), batch, i, scale), (x, y))
        sheet.paste(_shown(_under(pixels, whole), height), (x, y + height + _GAP // 2))
    return save_picture(sheet, path)


def _title(sheet: Image.Image, count: int, of: int, schema: Schema) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP + 2, 4), f"{count} of the {of} crops of the first batch, as the model sees them", fill=INK, font=font(15))
    x = _GAP + 2
    for name, colour in (("visible", VISIBLE), ("hidden", HIDDEN)):
        pen.ellipse((x, 28, x + 9, 37), fill=colour, outline=INK)
        pen.text((x + 14, 25), name, fill=INK, font=font(12))
        x += 76
    pen.text((x, 25), f"below each: the targets of its {len(schema)} points over it", fill=FAINT, font=font(12))


def _shown(pixels: NDArray[np.uint8], height: int) -> Image.Image:
    return Image.fromarray(pixels).resize((_TILE, height), Image.Resampling.BILINEAR)


def _with_points(picture: Image.Image, batch: Batch, i: int, scale: float) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    for (x, y), v in zip(batch.points[i].tolist(), batch.v[i].tolist(), strict=True):
        if v > 0:
            cx, cy = (x + 0.5) * scale, (y + 0.5) * scale
            pen.ellipse((cx - 4, cy - 4, cx + 4, cy + 4), fill=HIDDEN if v == 1 else VISIBLE, outline=INK)
    return picture


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
