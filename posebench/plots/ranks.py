"""Ranks of models, and the ranks they could have had."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..statistics.standings import Standing, Standings
from .style import COLOURS, FAINT, INK, MARGIN, PAPER, SMALL, TEXT, axes, number, page, percent, put, short, styled, text_width

__all__ = ["rank_distribution"]

_MOST = 40
"""Models that a page holds."""
_SHADES = LinearSegmentedColormap.from_list("ranks", (PAPER, COLOURS["swap"], COLOURS["inversion"]))


def rank_distribution(standings: Standings) -> Figure:
    """A row for each model: how often each rank was its own in the resamples; a ring where it stands, letters for who cannot be told apart."""
    rows = standings.rows[:_MOST]
    shares = _shares(standings, len(rows))
    with styled():
        step = 0.32
        wide = min(max(step * shares.shape[1], 2.4), 8.0)
        margin = MARGIN + 0.2 + max(text_width(short(row.name), TEXT) for row in rows)
        figure = page(_title(standings), _subtitle(standings, len(rows)), margin + wide + 2.5, step * len(rows) + 0.95)
        ax = axes(figure, margin, 0.55, wide, step * len(rows))
        _draw(ax, rows, shares)
        put(figure, margin, 0.22, "rank; darker: in more of the resamples; a ring: on these images", size=SMALL, color=FAINT, va="center_baseline")
        _figures(figure, margin + wide, 0.55 + step * len(rows), step, rows, standings.metric)
    return figure


def _shares(standings: Standings, count: int) -> NDArray[np.float64]:
    """(M, R) share of the resamples in which each model has each rank."""
    ranks = standings.ranks[:, :count]
    places = np.arange(1, min(len(standings.rows), int(ranks.max(initial=1))) + 1)
    return np.asarray((ranks[:, :, None] == places).mean(0))


def _draw(ax: Axes, rows: tuple[Standing, ...], shares: NDArray[np.float64]) -> None:
    ax.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, aspect="auto", extent=(0.5, shares.shape[1] + 0.5, len(rows) - 0.5, -0.5), interpolation="nearest")
    for y, row in enumerate(rows):
        if 0 < row.rank <= shares.shape[1]:
            ax.plot([row.rank], [y], "o", markersize=7, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2)
    ax.set_yticks(range(len(rows)), [short(row.name) for row in rows], fontsize=TEXT, color=INK)
    every = max(1, -(-shares.shape[1] // 12))
    ax.set_xticks(range(1, shares.shape[1] + 1, every))
    ax.tick_params(axis="both", length=0, pad=6)
    for side in ax.spines.values():
        side.set_visible(False)


def _figures(figure: Figure, left: float, top: float, step: float, rows: tuple[Standing, ...], metric: str) -> None:
    columns = (left + 0.75, left + 1.3, left + 1.95)
    for x, name in zip(columns, (short(metric, 12), "first", "group"), strict=True):
        put(figure, x, top + 0.12, name, size=SMALL, color=FAINT, ha="right", va="center_baseline")
    for y, row in enumerate(rows):
        for x, text in zip(columns, (number(row.value), percent(row.first), short(row.groups, 8)), strict=True):
            put(figure, x, top - (y + 0.5) * step, text, size=SMALL, ha="right", va="center_baseline")


def _title(standings: Standings) -> str:
    """Who leads, and whether that is sure."""
    best = standings.rows[0]
    if not best.rank:
        return f"No model has {standings.metric}"
    if len(standings.rows) == 1:
        return f"{short(best.name)} stands alone"
    rivals = [row for row in standings.rows[1:] if set(row.groups) & set(best.groups)]
    if not rivals:
        return f"{short(best.name)} is first, and told apart from all others"
    return f"{short(best.name)} leads, but cannot be told from {short(rivals[0].name) if len(rivals) == 1 else f'{len(rivals)} others'}"


def _subtitle(standings: Standings, shown: int) -> str:
    cut = f"; the first {shown} of {len(standings.rows)} models" if shown < len(standings.rows) else ""
    return f"models that share a letter cannot be told apart; {standings.how}{cut}"
