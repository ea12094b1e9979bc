"""Pictures: the room of Pillow. Opening images, drawing poses on them, contact sheets, and drawings of schemas."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from .dataset import PoseDataset
from .errors import DataError, FormatError, brief, did_you_mean
from .files import write_with
from .schema import Schema
from .tables import Images

__all__ = [
    "contact_sheet",
    "cut_square",
    "decode_image",
    "draw_pose",
    "draw_schema",
    "fitting",
    "font",
    "image_path",
    "image_size",
    "jpeg",
    "look_at",
    "open_image",
    "save_picture",
    "small_example",
    "square_around",
]

T = TypeVar("T")

LEFT, RIGHT, MIDDLE = (255, 138, 61), (64, 156, 255), (122, 220, 120)
"""Warm is the body's own left, cool its right; orange and blue stay apart for colour-blind eyes."""
PAPER, INK, FAINT = (250, 249, 246), (38, 38, 42), (150, 148, 142)
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "MPO", "JPEG2000", "AVIF")
"""Pictures and nothing else: EPS, which Pillow also opens, is a program."""
_ORIENTATION = 0x0112
"""EXIF's tag of how a camera was held."""
_SMOOTH = 2
"""Lines are drawn this much larger, then shrunk: Pillow's own have no soft edge."""


def image_path(images: Images, row: int) -> Path:
    """Where the picture of one row lies: inside its folder, or nowhere."""
    name, folder = str(images.file[row]), str(images.folder[row])
    if not name or not folder:
        raise FormatError(brief(name) or f"image {images.id[row]}", "nobody said where its picture lies", "give images=FOLDER (or --images FOLDER)")
    parts = [*PurePosixPath(name).parts, *PureWindowsPath(name).parts]
    if ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\0" in name:
        raise FormatError(brief(name), "a file name that leaves its folder", "images are opened inside their folder only")
    return Path(folder) / name


def open_image(images: Images, row: int) -> Image.Image:
    """The picture of one row, decoded, as RGB. Stored orientation marks are left alone: annotations count stored pixels."""
    return _opened(image_path(images, row), lambda picture: picture.convert("RGB"))


def image_size(images: Images, row: int) -> tuple[int, int]:
    """Width and height of the picture itself, read from its head without decoding it."""
    return _opened(image_path(images, row), lambda picture: picture.size)


def look_at(path: str | Path) -> tuple[int, int, int]:
    """Width, height and EXIF orientation (1: as stored) of a picture that was decoded to its last pixel."""

    def take(picture: Image.Image) -> tuple[int, int, int]:
        picture.load()
        return *picture.size, int(picture.getexif().get(_ORIENTATION, 1))

    return _opened(Path(path), take)


def decode_image(data: bytes, path: Path) -> Image.Image:
    """The picture in the bytes of a file, as RGB."""
    return _opened(path, lambda picture: picture.convert("RGB"), data)


def _opened(path: Path, take: Callable[[Image.Image], T], data: bytes | None = None) -> T:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path if data is None else io.BytesIO(data), formats=_formats()) as picture:
            return take(picture)
    except FileNotFoundError:
        raise FormatError(brief(str(path), 200), "no such picture", "check images=FOLDER (or --images FOLDER)") from None
    except Exception as e:  # a broken picture fails in a dozen ways: struct.error, IndexError, EOFError, DecompressionBombError, ...
        why = "no kind of picture we know" if data is not None and isinstance(e, UnidentifiedImageError) else brief(str(e), 80)
        raise FormatError(brief(str(path), 200), f"cannot be decoded ({why})", "replace the file or drop its image") from None


def save_picture(picture: Image.Image, path: str | Path) -> Path:
    """The picture as a file, in the format its name ends in."""
    path = Path(path)
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    if path.suffix.lower() not in kinds:
        raise FormatError(str(path), f"no picture ends in {path.suffix!r}", "write .png, .jpg or .webp")
    return write_with(path, lambda temporary: picture.save(temporary, kinds[path.suffix.lower()]))


def square_around(points: NDArray[np.float64], margin: float = 0.25, least: float = 24.0) -> tuple[float, float, float]:
    """Corner and side of a square around (n, 2) pixels, counted as edges are; `margin` is a share of their longer extent."""
    low, high = points.min(0), points.max(0)
    side = max(float((high - low).max()) * (1 + 2 * margin), least)
    x, y = ((low + high) / 2 + 0.5 - side / 2).tolist()
    return x, y, side


PALE = (236, 233, 226)


def cut_square(picture: Image.Image, square: tuple[float, float, float], tile: int, beyond: tuple[int, int, int] = PALE) -> Image.Image:
    """The part of a picture under a square, `tile` pixels wide; of one colour where the square leaves the picture."""
    x, y, side = square
    shrink = max(1, min(int(side // (2 * tile)), *picture.size))  # the transform alone would skip pixels
    small = picture.reduce(shrink) if shrink > 1 else picture
    box = (x / shrink, y / shrink, (x + side) / shrink, (y + side) / shrink)
    return small.transform((tile, tile), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR, fillcolor=beyond)


def jpeg(picture: Image.Image, quality: int = 72) -> bytes:
    """The bytes of a small picture."""
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=quality)
    return held.getvalue()


@cache
def _formats() -> tuple[str, ...]:
    """Those of `_FORMATS` that this Pillow was built with."""
    Image.init()
    return tuple(f for f in _FORMATS if f in Image.OPEN)


def draw_pose(picture: Image.Image, schema: Schema, keypoints: NDArray[np.float64], labelled: NDArray[np.bool_], width: float = 2.0) -> Image.Image:
    """A copy of `picture` with one or more poses, (N, K, 3) in its pixels. Hidden points are rings; left is warm, right cool.

    Lines are `width` pixels wide at most; small poses get thinner ones.
    """
    large = picture.resize((picture.width * _SMOOTH, picture.height * _SMOOTH), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(large)
    colours = point_colours(schema)
    for points, known in zip(keypoints, labelled, strict=True):
        thin = np.clip(np.ptp(points[known, :2], axis=0).max() / 60, 0.3, 1) if known.any() else 1.0
        _draw_one(pen, schema, (points[:, :2] + 0.5) * _SMOOTH, points[:, 2], known, colours, width * thin * _SMOOTH)
    return large.resize(picture.size, Image.Resampling.LANCZOS)


def point_colours(schema: Schema) -> list[tuple[int, int, int]]:
    """Warm for the left of a pair, cool for its right, green between."""
    sides = {name: colour for pair in schema.pairs or () for name, colour in zip(pair, (LEFT, RIGHT), strict=True)}
    return [sides.get(name, MIDDLE) for name in schema.names]


def _draw_one(
    pen: ImageDraw.ImageDraw,
    schema: Schema,
    xy: NDArray[np.float64],
    v: NDArray[np.float64],
    known: NDArray[np.bool_],
    colours: Sequence[tuple[int, int, int]],
    width: float,
) -> None:
    for a, b in schema.limb_rows.tolist():
        if known[a] and known[b]:
            line = (*xy[a], *xy[b])
            pen.line(line, fill=INK, width=max(2, round(width * 1.9)))
            pen.line(line, fill=colours[a] if colours[a] == colours[b] else MIDDLE, width=max(1, round(width)))
    for row in np.flatnonzero(known).tolist():
        _dot(pen, xy[row], width * 1.5, colours[row], hollow=v[row] == 1)


def _dot(pen: ImageDraw.ImageDraw, centre: NDArray[np.float64], radius: float, colour: tuple[int, int, int], hollow: bool = False) -> None:
    x, y = float(centre[0]), float(centre[1])
    edge = radius * 1.4
    pen.ellipse((x - edge, y - edge, x + edge, y + edge), fill=INK)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    if hollow:
        hole = radius * 0.55
        pen.ellipse((x - hole, y - hole, x + hole, y + hole), fill=INK)


# -- contact sheets ----------------------------------------------------------------------------------


def contact_sheet(ds: PoseDataset, n: int = 24, by: str | None = None, columns: int = 6, tile: int = 220) -> Image.Image:
    """Pictures with their poses, spread evenly over the set; with `by`, a row for each value of an instance or image column."""
    if len(ds.images) == 0:
        raise DataError(ds.name, "no images to show", "load a set that has some")
    if by is None:
        rows = np.unique(np.linspace(0, len(ds.images) - 1, min(n, len(ds.images))).round().astype(int))
        return _sheet(ds, [("", rows)], columns, tile)
    groups = _groups(ds, by)
    return _sheet(ds, [(f"{value}  ({count:,})", rows[:columns]) for value, rows, count in groups], columns, tile)


def _groups(ds: PoseDataset, by: str) -> list[tuple[str, NDArray[np.intp], int]]:
    """(value, image rows, instances) for each value of a column, at most 60 values."""
    columns = {"category": ds.category_names, **ds.instances.meta, **{k: v[ds.instances.image] for k, v in ds.images.meta.items()}}
    if by not in columns:
        raise DataError(f"{ds.name}: by", f"no column {by!r}", did_you_mean(by, columns))
    values, counts = np.unique(columns[by], return_counts=True)
    if len(values) > 60:
        raise DataError(f"{ds.name}: by={by}", f"{len(values):,} values", "a sheet shows 60 at most; choose a column of kinds")
    picked = []
    for value, count in zip(values, counts, strict=True):
        rows = np.unique(ds.instances.image[columns[by] == value])
        picked.append((str(value), rows[np.unique(np.linspace(0, len(rows) - 1, min(6, len(rows))).round().astype(int))], int(count)))
    return picked


def _sheet(ds: PoseDataset, groups: Sequence[tuple[str, NDArray[np.intp]]], columns: int, tile: int) -> Image.Image:
    gap, head, foot = 8, 54, 20
    columns = min(columns, max(len(rows) for _, rows in groups))
    heights = [(26 if label else 0) + math.ceil(len(rows) / columns) * (tile + foot + gap) for label, rows in groups]
    sheet = Image.new("RGB", (max(columns * (tile + gap) + gap, 640), head + sum(heights) + gap), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((gap + 2, 8), brief(ds.name, 80), fill=INK, font=font(18))
    pen.text(
        (gap + 2, 31),
        f"{len(ds):,} instances on {len(ds.images):,} images, {ds.schema.name}; left warm, right cool, hidden points hollow",
        fill=FAINT,
        font=font(12),
    )
    y = head
    for (label, rows), height in zip(groups, heights, strict=True):
        if label:
            pen.text((gap + 2, y + 4), label, fill=INK, font=font(15))
        top = y + (26 if label else 0)
        for place, row in enumerate(rows.tolist()):
            at = (gap + place % columns * (tile + gap), top + place // columns * (tile + foot + gap))
            _paste_tile(sheet, pen, ds, row, at, tile)
        y += height
    return sheet


def _paste_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, ds: PoseDataset, row: int, at: tuple[int, int], tile: int) -> None:
    try:
        picture = small_example(ds, row, tile)
    except FormatError as e:
        pen.rectangle((*at, at[0] + tile - 1, at[1] + tile - 1), fill=(236, 233, 226))
        pen.text((at[0] + 8, at[1] + tile // 2 - 6), e.seen[:34], fill=FAINT, font=font(11))
    else:
        sheet.paste(picture, (at[0] + (tile - picture.width) // 2, at[1] + (tile - picture.height) // 2))
    pen.text((at[0] + 2, at[1] + tile + 3), fitting(str(ds.images.file[row]) or f"image {ds.images.id[row]}", tile - 4, font(11)), fill=FAINT, font=font(11))


def small_example(ds: PoseDataset, row: int, tile: int) -> Image.Image:
    """One image with all its poses, its longer side `tile` pixels."""
    picture = open_image(ds.images, row)
    own = ds.instances.take(ds.instances.image == row)
    scale = np.array([tile / max(picture.size)] * 2)
    small = picture.resize([max(1, round(side * scale[0])) for side in picture.size], Image.Resampling.LANCZOS)
    scale = np.array(small.size) / picture.size
    points = own.keypoints.copy()
    points[..., :2] = (points[..., :2] + 0.5) * scale - 0.5
    return draw_pose(small, ds.schema, points, own.labelled & ~ds.take(ds.instances.image == row).outside, width=1.6)


def fitting(text: str, width: float, letters: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut where it would be wider."""
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """matplotlib's DejaVu, found without importing it: file names of the wild are not all Latin."""
    home = find_spec("matplotlib")
    for folder in (home.submodule_search_locations or []) if home else []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), round(size * 0.92))
    return ImageFont.load_default(size)


# -- drawings of schemas -----------------------------------------------------------------------------


def draw_schema(schema: Schema, width: int = 860) -> Image.Image:
    """The schema as a figure, every point named at the margin with its number and sigma."""
    if not len(schema):
        raise DataError(schema.name, "no keypoints to draw", "choose a schema with points")
    xy = _places(schema)
    tall = int(width * 0.44 * np.ptp(xy[:, 1]) / max(np.ptp(xy[:, 0]), 0.55))
    sides = _margins(xy)
    meanings = _meanings(schema)
    figure = max(tall, max(map(len, sides)) * 20 + 20, 200) + 90
    height = figure + len(meanings) * 17 + (14 if meanings else 0)
    box = np.array([[width * 0.28, 66], [width * 0.72, figure - 24]])
    low, span = xy.min(0), np.ptp(xy, axis=0)
    scale = min((box[1] - box[0]) / np.maximum(span, 1e-6))
    xy = (xy - low - span / 2) * scale + box.mean(0)
    sheet = Image.new("RGB", (width * _SMOOTH, height * _SMOOTH), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((16 * _SMOOTH, 10 * _SMOOTH), schema.name, fill=INK, font=font(19 * _SMOOTH))
    subtitle = f"{len(schema)} keypoints, {schema.sigma_note()}"
    pen.text((16 * _SMOOTH, 34 * _SMOOTH), fitting(subtitle, (width - 32) * _SMOOTH, font(12 * _SMOOTH)), fill=FAINT, font=font(12 * _SMOOTH))
    for rows, left in zip(sides, (True, False), strict=True):
        _label_margin(pen, schema, xy, rows, left, width, figure)
    for i, line in enumerate(meanings):
        pen.text(
            (16 * _SMOOTH, (figure + 4 + i * 17) * _SMOOTH), fitting(line, (width - 32) * _SMOOTH, font(11 * _SMOOTH)), fill=FAINT, font=font(11 * _SMOOTH)
        )
    _draw_one(pen, schema, xy * _SMOOTH, np.full(len(schema), 2.0), np.ones(len(schema), bool), point_colours(schema), 3.0 * _SMOOTH)
    return sheet.resize((width, height), Image.Resampling.LANCZOS)


def _meanings(schema: Schema) -> list[str]:
    """A line for each definition, one for both sides of a pair."""
    by_meaning: dict[str, list[str]] = {}
    for k in schema.keypoints:
        if k.definition:
            by_meaning.setdefault(k.definition, []).append(k.name)
    return [f"{', '.join(names)}: {meaning}" for meaning, names in by_meaning.items()]


def _places(schema: Schema) -> NDArray[np.float64]:
    """(K, 2) where the points go: as the schema says, else around a circle."""
    angles = np.linspace(0, 2 * np.pi, len(schema), endpoint=False) - np.pi / 2
    ring = 0.5 + 0.4 * np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.array([k.at if k.at is not None else ring[row] for row, k in enumerate(schema.keypoints)], np.float64)


def _margins(xy: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Rows to name at the left and at the right margin, each from top to bottom, about as many on both."""
    order = np.argsort(xy[:, 0], kind="stable")
    half = np.array_split(order, 2)
    left, right = (sorted(rows.tolist(), key=lambda r: (xy[r, 1], xy[r, 0])) for rows in half)
    return left, right


def _label_margin(pen: ImageDraw.ImageDraw, schema: Schema, xy: NDArray[np.float64], rows: Sequence[int], left: bool, width: int, height: int) -> None:
    letters, colours = font(12 * _SMOOTH), point_colours(schema)
    wanted = np.array([xy[r, 1] for r in rows])
    for row, y in zip(rows, _spread(wanted, 20, 70, height - 20), strict=True):
        k = schema.keypoints[row]
        text = f"{row}  {k.name}   {k.sigma:.3f}".replace("0.", ".")
        x = 16 * _SMOOTH if left else width * _SMOOTH - 16 * _SMOOTH - letters.getlength(text)
        edge = x + letters.getlength(text) + 5 * _SMOOTH if left else x - 5 * _SMOOTH
        pen.line((edge, y * _SMOOTH, *(xy[row] * _SMOOTH)), fill=(214, 211, 203), width=_SMOOTH)
        pen.text((x, (y - 8) * _SMOOTH), text, fill=tuple(int(c * 0.62) for c in colours[row]), font=letters)


def _spread(wanted: NDArray[np.float64], gap: float, low: float, high: float) -> list[float]:
    """The wanted heights, moved apart until labels do not touch, inside low..high."""
    places = wanted.copy()
    for i in range(len(places)):
        places[i] = max(places[i], low if i == 0 else places[i - 1] + gap)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], high if i == len(places) - 1 else places[i + 1] - gap)
    return [float(p) for p in places]
