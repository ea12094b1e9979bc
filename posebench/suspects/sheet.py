"""Sheets of suspects: the annotation beside what the model says, cut around the body. A room of Pillow, as posedata.images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from posedata.errors import FormatError
from posedata.images import FAINT, INK, PAPER, cut_square, draw_pose, fitting, font, open_image, square_around

from .telling import image_row, sentence

if TYPE_CHECKING:
    from ..labels import LabelErrors, Suspects

__all__ = ["draw_sheet"]

Floats = NDArray[np.float64]

_TILE, _GAP, _HEAD, _FOOT = 230, 14, 64, 80
_MARK = (214, 40, 94)
"""Of the ring around what is suspected; no skeleton has it."""
_MARGIN = 0.25
"""Around both poses, of the longer side."""


def draw_sheet(found: LabelErrors, rows: NDArray[np.intp], columns: int = 3, only: str | None = None) -> Image.Image:
    """The suspects at these places, each as two pictures: as labelled, as predicted."""
    columns = max(1, min(columns, len(rows)))
    wide, tall = 2 * _TILE + 4, _TILE + _FOOT
    sheet = Image.new("RGB", (max(columns * (wide + _GAP) + _GAP, 700), _HEAD + max(1, math.ceil(len(rows) / columns)) * (tall + _GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    name = found.folds[0].ev.truth.name
    pen.text((_GAP, 10), fitting(f"{name}: suspect annotations", sheet.width - 2 * _GAP, font(18)), fill=INK, font=font(18))
    legend = "left: as annotated; right: as predicted. Rings: the points in question. Body's left warm, right cool, hidden points hollow."
    pen.text((_GAP, 36), fitting(legend, sheet.width - 2 * _GAP, font(12)), fill=FAINT, font=font(12))
    for place, i in enumerate(rows.tolist()):
        at = (_GAP + place % columns * (wide + _GAP), _HEAD + place // columns * (tall + _GAP))
        _suspect(sheet, pen, found, i, at, only)
    if not len(rows):
        pen.text((_GAP, _HEAD), "nothing is suspected", fill=INK, font=font(15))
    return sheet


def _suspect(sheet: Image.Image, pen: ImageDraw.ImageDraw, found: LabelErrors, i: int, at: tuple[int, int], only: str | None) -> None:
    fold, s, kind = found.folds[found.fold[i]], int(found.row[i]), only or str(found.kind[i])
    label, found_there = _label(fold, s), _prediction(fold, s)
    crop, known = _view(fold, s, label, found_there)
    marked = np.flatnonzero(fold.points[kind][s]) if kind else np.zeros(0, np.intp)
    for side, (points, seen) in enumerate((label, found_there)):
        picture = _drawn(crop, fold, points, seen, known)
        _rings(picture, _in_tile(points, known), seen, marked)
        sheet.paste(picture, (at[0] + side * (_TILE + 4), at[1]))
    score = float(found.score[i] if only is None else found.scores[only][i])
    _caption(pen, fold, f"{i + 1}.  {kind.replace('_', ' ')}  {score:.3f}", s, kind, (at[0], at[1] + _TILE + 5))


def _caption(pen: ImageDraw.ImageDraw, fold: Suspects, title: str, s: int, kind: str, at: tuple[int, int]) -> None:
    wide, images = 2 * _TILE, fold.ev.truth.images
    who = f"annotation {fold.ev.truth.instances.id[fold.truth[s]]}" if fold.truth[s] >= 0 else "no annotation"
    row = image_row(fold, s)
    pen.text(at, fitting(title, wide, font(14)), fill=_MARK, font=font(14))
    for line, text in enumerate(_two_lines(sentence(fold, s, kind), wide)):
        pen.text((at[0], at[1] + 20 + 16 * line), text, fill=INK, font=font(12))
    said = f"{who}, {images.file[row] or f'image {images.id[row]}'}"
    pen.text((at[0], at[1] + 54), fitting(said, wide, font(11)), fill=FAINT, font=font(11))


def _two_lines(text: str, wide: float) -> list[str]:
    """The text on one line or two; what is too long even so is cut."""
    letters, words = font(12), text.split(" ")
    n = len(words)
    while n > 1 and letters.getlength(" ".join(words[:n])) > wide:
        n -= 1
    first, rest = " ".join(words[:n]), " ".join(words[n:])
    return [fitting(first, wide, letters), *([fitting(rest, wide, letters)] if rest else [])]


def _label(fold: Suspects, s: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(K, 3) points as annotated, (K,) which are labelled; none of an annotation that is missing."""
    own = fold.ev.truth.instances
    if fold.truth[s] < 0:
        return np.zeros((len(fold.ev.truth.schema), 3)), np.zeros(len(fold.ev.truth.schema), bool)
    return own.keypoints[fold.truth[s]], own.labelled[fold.truth[s]]


def _prediction(fold: Suspects, s: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(K, 3) points as predicted, v = 2, those of little confidence hollow; (K,) which there are."""
    if fold.pred[s] < 0:
        return np.zeros((len(fold.ev.truth.schema), 3)), np.zeros(len(fold.ev.truth.schema), bool)
    points = fold.ev.predictions.keypoints[fold.pred[s]]
    said = ~fold.ev.predictions.absent[fold.pred[s]]
    sure = points[:, 2] > 0.5 * max(float(np.nanmax(points[:, 2])), 1e-9)
    return np.concatenate([np.nan_to_num(points[:, :2]), np.where(sure, 2.0, 1.0)[:, None]], 1), said


def _view(fold: Suspects, s: int, *poses: tuple[Floats, NDArray[np.bool_]]) -> tuple[Image.Image, tuple[float, float, float]]:
    """The square around both poses as a tile, blank where the image is not at hand; its corner and scale."""
    square = square_around(np.concatenate([points[seen, :2] for points, seen in poses]), _MARGIN)
    try:
        tile = cut_square(open_image(fold.ev.truth.images, image_row(fold, s)), square, _TILE)
    except FormatError:
        tile = Image.new("RGB", (_TILE, _TILE), (236, 233, 226))
    return tile, (*square[:2], _TILE / square[2])


def _in_tile(points: Floats, view: tuple[float, float, float]) -> Floats:
    """(K, 3) points in the pixels of the tile."""
    x, y, scale = view
    return np.concatenate([(points[:, :2] + 0.5 - (x, y)) * scale - 0.5, points[:, 2:]], 1)


def _drawn(tile: Image.Image, fold: Suspects, points: Floats, seen: NDArray[np.bool_], view: tuple[float, float, float]) -> Image.Image:
    return draw_pose(tile, fold.ev.truth.schema, _in_tile(points, view)[None], seen[None], width=2.4)


def _rings(picture: Image.Image, points: Floats, seen: NDArray[np.bool_], marked: NDArray[np.intp]) -> None:
    pen = ImageDraw.Draw(picture)
    for k in marked[seen[marked]].tolist():
        x, y = points[k, :2].tolist()
        pen.ellipse((x - 10, y - 10, x + 11, y + 11), outline=PAPER, width=4)
        pen.ellipse((x - 9, y - 9, x + 10, y + 10), outline=_MARK, width=2)
    if not seen.any():
        pen.text((10, _TILE // 2 - 8), "nothing here", fill=PAPER, font=font(14), stroke_width=2, stroke_fill=INK)
