"""Accuracy against cost: a room of matplotlib. One panel for each ranking, for no line may join two protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from posebench.plots.style import FAINT, INK, MARGIN, SMALL, axes, page, put, save, short, spread, styled, text_width
from posedata.errors import PoseError, did_you_mean

from .ranking import Ranking, rankings, value_of
from .rows import Board, Row

__all__ = ["COSTS", "cost_plot", "save_plot"]

COSTS: Mapping[str, str] = {
    "params_m": "millions of parameters",
    "gmac": "billions of multiply-adds of one forward pass",
    "size_mb": "megabytes of weights",
    "images_per_second": "images a second",
}
"""What accuracy is held against, and how the axis is called."""
OURS, THEIRS = "#0072b2", "#8a8780"
_WIDE, _HIGH, _GAP, _LABELS = 4.4, 3.0, 0.9, 2.9
_MOST_PANELS = 12


def cost_plot(board: Board, cost: str = "params_m", dataset: str | None = None) -> Figure:
    """Every ranking in which at least one row's cost is known."""
    if cost not in COSTS:
        raise PoseError(f"--cost {cost}", "no such cost", did_you_mean(cost, COSTS))
    chosen = [row for row in board.rows if dataset in (None, row.dataset, row.set_name)]
    panels = [(ranking, rows) for ranking in rankings(chosen) if (rows := _known(ranking, cost))][:_MOST_PANELS]
    if not panels:
        raise PoseError("leaderboard", f"no row says {COSTS[cost]}", f"another cost: {', '.join(c for c in COSTS if c != cost)}")
    columns = 1 if len(panels) == 1 else 2
    lines = math.ceil(len(panels) / columns)
    with styled():
        figure = page("What accuracy costs", f"{COSTS[cost]}; filled: computed by us, with 95% intervals; hollow: as published. One panel for each protocol.",
                      2 * MARGIN + columns * (_WIDE + _LABELS), lines * (_HIGH + _GAP) - 0.1)  # fmt: skip
        for i, (ranking, rows) in enumerate(panels):
            left = MARGIN + 0.35 + (i % columns) * (_WIDE + _LABELS)
            bottom = 0.55 + (lines - 1 - i // columns) * (_HIGH + _GAP)
            _panel(figure, ranking, rows, cost, left, bottom)
    return figure


def save_plot(board: Board, path: str | Path, cost: str = "params_m", dataset: str | None = None) -> Path:
    """Write it as PNG or SVG."""
    return save(cost_plot(board, cost, dataset), path)


def _known(ranking: Ranking, cost: str) -> list[Row]:
    """Rows with a cost and a number; one published row by itself shows nothing."""
    found = [row for row in ranking.rows if getattr(row, cost) and not math.isnan(value_of(row))]
    return [] if len(found) == 1 and found[0].published else found


def _panel(figure: Figure, ranking: Ranking, rows: Sequence[Row], cost: str, left: float, bottom: float) -> None:
    panel = axes(figure, left, bottom, _WIDE - 0.35, _HIGH - 0.3)
    width = _WIDE + _LABELS - 0.5
    title = f"{ranking['set']}, {ranking['metric']}"
    put(figure, left, bottom + _HIGH - 0.02, short(title, 60), weight="bold", va="bottom")
    put(figure, left, bottom + _HIGH - 0.06, _fitting(_what(ranking), width), size=SMALL, color=FAINT, va="top")
    for row in rows:
        x, y = getattr(row, cost), 100 * value_of(row)
        colour = THEIRS if row.published else OURS
        if ends := row.intervals.get(row.headline):
            panel.plot([x, x], [100 * ends[0], 100 * ends[1]], color=colour, linewidth=1.4, solid_capstyle="butt")
        panel.plot([x], [y], "o", markersize=6, markerfacecolor="none" if row.published else colour, markeredgecolor=colour, markeredgewidth=1.3)
    _frame(panel, rows, cost)
    _names(figure, panel, rows, cost, left, bottom)


def _what(ranking: Ranking) -> str:
    return ", ".join(f"{k} {v}" for k, v in (("", ranking["protocol"]), ("boxes", ranking["boxes"]), ("conditions", ranking["conditions"])) if v).strip()


def _fitting(text: str, width: float) -> str:
    while text and text_width(text, SMALL) > width:
        text = text[:-2].rstrip("…") + "…"
    return text


def _frame(panel: Axes, rows: Sequence[Row], cost: str) -> None:
    """A logarithmic axis of cost, with plain numbers; room around the points."""
    costs, values = [float(getattr(row, cost)) for row in rows], [100 * v for row in rows for v in (value_of(row), *row.intervals.get(row.headline, ()))]
    room = max(0.06 * (max(values) - min(values)), 0.5)
    panel.set_xscale("log")
    panel.set_xlim(min(costs) / 1.3, max(costs) * 1.3)
    panel.set_ylim(min(values) - room, max(values) + room)
    ticks = _ticks(min(costs) / 1.3, max(costs) * 1.3)
    panel.set_xticks(ticks)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.minorticks_off()
    panel.grid(visible=True)
    panel.set_xlabel(COSTS[cost])


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers in every power of ten, as many as have room."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [low, high]
    for steps in ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [s * 10.0**p for p in powers for s in steps if low <= s * 10.0**p <= high]
        if len(found) <= 7:
            break
    return found


def _names(figure: Figure, panel: Axes, rows: Sequence[Row], cost: str, left: float, bottom: float) -> None:
    """Names stand in the right margin, joined to their points by a thin line."""
    low, high = panel.get_ylim()
    height, edge = _HIGH - 0.3, left + _WIDE - 0.35
    ordered = sorted(rows, key=value_of)
    wanted = [bottom + height * (100 * value_of(row) - low) / (high - low) for row in ordered]
    places = spread(wanted, min(0.17, height / max(len(rows), 1)), bottom, bottom + height)
    w, h = figure.get_size_inches()
    for row, y in zip(ordered, places, strict=True):
        twice = sum(other.model == row.model for other in rows) > 1
        name = _fitting(f"{row.model}, {row.input or row.id}" if twice else row.model, _LABELS - 0.35)
        put(figure, edge + 0.22, y, name, size=min(SMALL, 72 * 0.17 * 0.75), color=INK, va="center")
        start = panel.transData.transform((getattr(row, cost), 100 * value_of(row)))
        x, level = figure.transFigure.inverted().transform(start)
        line = Line2D((x, (edge + 0.18) / w), (level, y / h), transform=figure.transFigure, color=FAINT, linewidth=0.5, alpha=0.6, zorder=3)
        figure.add_artist(line)
