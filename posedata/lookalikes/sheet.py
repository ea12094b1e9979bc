"""Pairs side by side. A room of Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..errors import FormatError, one_line
from ..images import FAINT, INK, PAPER, fitting, font, open_image, save_picture
from ..tables import Images

if TYPE_CHECKING:
    from .found import Duplicates

__all__ = ["pair_sheet"]

_TILE, _GAP, _FOOT, _HEAD = 200, 10, 52, 56
_RED = (178, 44, 44)


def pair_sheet(found: Duplicates, path: str | Path, n: int) -> Path:
    """Write up to `n` pairs, two to a line."""
    rows = _chosen(found, n)
    lines = max(1, -(-len(rows) // 2))
    wide = 2 * _TILE + 4
    sheet = Image.new("RGB", (2 * wide + 3 * _GAP, _HEAD + lines * (_TILE + _FOOT + _GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 8), fitting(one_line(" and ".join(found.sets)), sheet.width - 2 * _GAP, font(17)), fill=INK, font=font(17))
    shown = f"{len(rows):,} of {len(found):,} pairs shown" if len(rows) else "no duplicates found"
    pen.text((_GAP, 32), f"{shown}; leaks first, then the least alike of each kind", fill=FAINT, font=font(12))
    for place, row in enumerate(rows):
        _pair(sheet, pen, found, row, (_GAP + place % 2 * (wide + _GAP), _HEAD + place // 2 * (_TILE + _FOOT + _GAP)))
    return save_picture(sheet, path)


def _chosen(found: Duplicates, n: int) -> list[int]:
    """Leaks first; kinds take turns, so that none hides the others."""
    chosen: list[int] = []
    for crossing in (True, False):
        queues = []
        for kind in reversed(found.kinds):
            rows = np.flatnonzero((found.pairs.kind == kind) & (found.crossing == crossing))
            queues.append(rows[np.argsort(found.pairs.similarity[rows], kind="stable")].tolist())
        deepest = max(map(len, queues), default=0)
        chosen += [q[depth] for depth in range(min(deepest, n)) for q in queues if depth < len(q)]
    return chosen[:n]


def _pair(sheet: Image.Image, pen: ImageDraw.ImageDraw, found: Duplicates, row: int, at: tuple[int, int]) -> None:
    pairs, images = found.pairs, found.images
    for side, picture in enumerate((pairs.left[row], pairs.right[row])):
        x, y = at[0] + side * (_TILE + 4), at[1]
        pen.rectangle((x, y, x + _TILE - 1, y + _TILE - 1), fill=(236, 233, 226))
        try:
            tile = open_image(Images(id=[0], file=[images.file[picture]], folder=[images.folder[picture]]), 0)  # type: ignore[arg-type]
        except FormatError as e:
            pen.text((x + 8, y + _TILE // 2), fitting(e.seen, _TILE - 16, font(11)), fill=FAINT, font=font(11))
        else:
            tile.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (x + (_TILE - tile.width) // 2, y + (_TILE - tile.height) // 2))
        name = one_line(str(images.file[picture]) or str(images.id[picture]))
        pen.text((x, y + _TILE + 20), fitting(name, _TILE - 4, font(11)), fill=INK, font=font(11))
        size = f"{found.sets[images.set[picture]]}, {images.width[picture]} x {images.height[picture]}"
        pen.text((x, y + _TILE + 35), fitting(one_line(size), _TILE - 4, font(11)), fill=FAINT, font=font(11))
    leak = bool(found.crossing[row])
    measures = f", {pairs.distance[row]} bits apart, similarity {pairs.similarity[row]:.3f}" if pairs.kind[row] in ("near", "flip", "turn") else ""
    turn = f" ({pairs.turn[row]})" if pairs.kind[row] == "turn" else ""
    pen.text((at[0], at[1] + _TILE + 4), f"{'LEAK ' if leak else ''}{pairs.kind[row]}{turn}{measures}", fill=_RED if leak else INK, font=font(12))
