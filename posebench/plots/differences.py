"""Differences between models: each with its interval, beside the line where nothing differs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics import METRICS, read_metric
from ..statistics.compare import Comparison, Difference
from ..statistics.words import p_text, sentence
from .style import COLOURS, FAINT, INK, LINE, MARGIN, SMALL, TEXT, axes, page, put, short, styled, text_width

__all__ = ["differences"]

_MOST = 60
"""Rows that a page holds."""
_BETTER, _WORSE, _LUCK = COLOURS["inversion"], COLOURS["miss"], COLOURS["good"]
_UNITS = {"EPE": "pixels", "RMSE": "pixels", "Distance": "pixels", "NME": "shares of the norm"}


def differences(comparison: Comparison) -> Figure:
    """A forest of differences: coloured where they are real, grey where luck makes them too; numbers of one unit share an axis."""
    rows = [row for row in comparison.rows if not math.isnan(row.difference)][:_MOST]
    many = len(comparison.names) > 2
    units = list(dict.fromkeys(_unit(row) for row in rows))
    with styled():
        step, wide = 0.3, 4.6
        margin = MARGIN + 0.2 + max((text_width(_name(row, many), TEXT) for row in rows), default=1.0)
        height = sum(step * (sum(_unit(row) == unit for row in rows) + 1) + 0.62 for unit in units)
        figure = page(_title(comparison), _subtitle(comparison, len(rows)), margin + wide + 2.1, max(height, 0.3) + 0.25)
        top = height + 0.1
        for unit in units:
            own = [row for row in rows if _unit(row) == unit]
            tall = step * (len(own) + 1)
            top -= tall + 0.62
            _panel(figure, (margin, top + 0.62, wide, tall), own, unit, comparison, many)
    return figure


def _panel(figure: Figure, place: tuple[float, float, float, float], rows: Sequence[Difference], unit: str, comparison: Comparison, many: bool) -> None:
    ax = axes(figure, *place)
    scale = 100 if unit == "points" else 1
    for y, row in enumerate(rows):
        _draw(ax, y, row, scale)
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    ax.set_ylim(len(rows), -1)
    low, high = (end(0.0, *(v * scale for row in rows for v in (row.low, row.high, row.difference) if not math.isnan(v))) for end in (min, max))
    room = 0.08 * (high - low) or 1.0
    ax.set_xlim(low - room, high + room)
    ax.set_yticks(range(len(rows)), [_name(row, many) for row in rows], fontsize=TEXT, color=INK)
    ax.tick_params(axis="y", length=0, pad=6)
    ax.grid(True, axis="x")
    ax.spines["left"].set_visible(False)
    second = "second less first" if many else f"{short(comparison.names[1])} less {short(comparison.names[0])}"
    ax.set_xlabel(f"{second}, {unit}", fontsize=SMALL)
    _figures(figure, place, rows, scale, comparison)


def _figures(figure: Figure, place: tuple[float, float, float, float], rows: Sequence[Difference], scale: int, comparison: Comparison) -> None:
    """The numbers at the right."""
    left, bottom, wide, tall = place
    columns = (left + wide + 0.85, left + wide + 1.8)
    step = tall / (len(rows) + 1)
    for x, name in zip(columns, ("difference", "p" if comparison.correction == "none" else "p, corrected"), strict=True):
        put(figure, x, bottom + tall - step / 4, name, size=SMALL, color=FAINT, ha="right", va="center_baseline")
    for y, row in enumerate(rows):
        for x, text in zip(columns, (f"{scale * row.difference + 0.0:+.2f}", p_text(row.corrected)), strict=True):
            weight = "bold" if row.real else "normal"
            put(figure, x, bottom + tall - (y + 1) * step, text, size=SMALL, ha="right", va="center_baseline", weight=weight)


def _draw(ax: Axes, y: int, row: Difference, scale: int) -> None:
    colour = _LUCK if not row.real else _BETTER if row.better == row.b else _WORSE
    if not math.isnan(row.low):
        ax.plot([scale * row.low, scale * row.high], [y, y], color=colour, linewidth=2.4, solid_capstyle="round", zorder=2)
    ax.plot(
        [scale * row.difference], [y], "o", markersize=6.5, markerfacecolor=colour, markeredgecolor=INK if row.real else LINE, markeredgewidth=0.9, zorder=3
    )


def _unit(row: Difference) -> str:
    return _UNITS.get(read_metric(row.metric).name, "points")


def _name(row: Difference, many: bool) -> str:
    """Which number of whom; an arrow down where less is better."""
    down = "" if METRICS[read_metric(row.metric).name].higher_is_better else " ↓"
    where = f"  {short(row.by, 14)}: {short(str(row.label), 18)}" if row.by else ""
    who = f"{short(row.a, 16)} → {short(row.b, 16)}  " if many else ""
    return f"{who}{row.metric}{down}{where}"


def _title(comparison: Comparison) -> str:
    """The finding: the first difference in words, or how many are real."""
    if len(comparison.names) == 2:
        return sentence(comparison.rows[0], comparison.correction)
    real, known = sum(row.real for row in comparison.rows), sum(not math.isnan(row.difference) for row in comparison.rows)
    return f"{real} of {known} differences are real" if real else "No difference between any two models is real"


def _subtitle(comparison: Comparison, shown: int) -> str:
    ev, known = comparison.evaluations[0], sum(not math.isnan(row.difference) for row in comparison.rows)
    cut = f"; the first {shown} of {known}" if shown < known else ""
    return f"{ev.truth.name}, {ev.counts['images']:,} images; colour: real after correction, grey: may be luck; {comparison.how}{cut}"
