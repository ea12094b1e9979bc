"""One look for all plots: colours, type, pages with a title that says the finding, and how a figure becomes a file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from posedata.errors import FormatError, one_line
from posedata.files import write_with

__all__ = [
    "COLOURS",
    "FAINT",
    "INK",
    "LINE",
    "PALE",
    "PAPER",
    "SHADES",
    "head_height",
    "key",
    "number",
    "page",
    "percent",
    "put",
    "save",
    "short",
    "spread",
    "styled",
    "text_width",
]

PAPER, INK, FAINT, LINE, PALE = "#fbfaf7", "#26262a", "#716f69", "#d8d5cd", "#e6e3db"

COLOURS: Mapping[str, str] = {
    "good": "#c9c6be",
    "jitter": "#e3ab18",
    "inversion": "#0072b2",
    "swap": "#74c0ee",
    "miss": "#d55e00",
    "absent": "#55534e",
    "confusion": "#009e73",
    "surplus": "#cc79a7",
    "score": "#9384c4",
    "background": "#b39a78",
    "missed": "#8f2d1c",
    "box": "#5c8a3a",
}
"""One for each kind of error, the same in every plot. After Okabe and Ito: told apart with any kind of colour vision, by lightness too."""

SHADES = ("#0b3c5d", "#1f78a8", "#4fa3c7", "#8a8780", "#b06a2c", "#7a3e12")
"""For lines that follow one another, such as similarities."""

TITLE, TEXT, SMALL = 14.0, 10.0, 9.0
MARGIN = 0.3
"""Inches around a page."""

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,  # a keypoint may be called $x$
    "axes.edgecolor": LINE,
    "axes.facecolor": PAPER,
    "axes.labelcolor": FAINT,
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "posebench",
}


@contextmanager
def styled() -> Iterator[None]:
    """Our look, whatever the user's matplotlibrc says; theirs is back afterwards."""
    with matplotlib.style.context(["default", _RC]):
        yield


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG or SVG, by its ending; whole or not at all, the same bytes for the same figure."""
    path = Path(path)
    silent: dict[str, dict[str, str | None]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
    if path.suffix not in silent:
        raise FormatError(str(path), f"no picture ends in {path.suffix!r}", "write .png or .svg")

    def write(temporary: Path) -> None:
        figure.savefig(temporary, dpi=144, metadata=silent[path.suffix])

    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing")  # names of the wild are drawn as boxes, not told about
        return write_with(path, write)


# -- pages -------------------------------------------------------------------------------------------


def page(title: str, subtitle: str, width: float, height: float) -> Figure:
    """A figure of this width whose lower `height` inches are free; above stand what was found, and of how many."""
    room = width - 2 * MARGIN
    heads, subs = wrapped(title, room, TITLE, bold=True), wrapped(subtitle, room, SMALL)
    top = head_height(len(heads), len(subs))
    figure = Figure(figsize=(width, height + top))
    y = height + top - MARGIN
    for line in heads:
        put(figure, MARGIN, y, line, size=TITLE, weight="bold", va="top", gid="title")
        y -= 0.27
    for line in subs:
        put(figure, MARGIN, y - 0.02, line, size=SMALL, color=FAINT, va="top", gid="subtitle")
        y -= 0.17
    return figure


def head_height(titles: int, subtitles: int) -> float:
    """Inches that so many lines take at the top of a page."""
    return MARGIN + 0.27 * titles + 0.17 * subtitles + 0.1


def axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, bottom / h, width / w, height / h))


def put(figure: Figure, x: float, y: float, text: str, size: float = TEXT, **how: Any) -> None:
    """Text at a place in inches."""
    w, h = figure.get_size_inches()
    figure.text(x / w, y / h, text, fontsize=size, **how)


def key(figure: Figure, x: float, y: float, kinds: Iterable[str], names: Mapping[str, str] | None = None) -> None:
    """The kinds by name, each beside its colour."""
    for kind in kinds:
        name = (names or {}).get(kind, kind)
        put(figure, x, y, "■", size=TEXT + 2, color=COLOURS[kind], va="center_baseline")
        put(figure, x + 0.17, y, name, size=SMALL, va="center_baseline")
        x += 0.17 + text_width(name, SMALL) + 0.2


# -- text --------------------------------------------------------------------------------------------


_HINTED = 1.035
"""On a grid of pixels letters are drawn up to this much wider than their outlines."""


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Inches."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing")
        font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72 * _HINTED


def wrapped(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Lines that fit."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(short(word, 60))
    return lines


def short(name: str, most: int = 28) -> str:
    """A name that fits a margin: its middle gives way. What no page can show is spelled out."""
    name = one_line(name)
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - half]}…{name[-half:]}"


def number(value: float, sign: bool = False) -> str:
    """Three digits; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:+.3f}" if sign else f"{value:.3f}"


def percent(share: float) -> str:
    """Whole percents, but never 0 of something or 100 of less than all."""
    if math.isnan(share):
        return "-"
    return "<1%" if 0 < share < 0.01 else ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The wanted places in their order, moved apart until labels do not touch, within low..high where there is room."""
    order = np.argsort(np.asarray(wanted, float), kind="stable")
    places = np.asarray(wanted, float)[order]
    for i in range(len(places)):
        places[i] = max(places[i], places[i - 1] + gap if i else low)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], places[i + 1] - gap if i + 1 < len(places) else high)
    back = np.empty_like(places)
    back[order] = places
    return [float(p) for p in back]
