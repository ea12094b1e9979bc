"""How near each keypoint comes: the distribution of its similarities."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors.report import ErrorReport
from .shares import grouped, subtitle
from .style import FAINT, INK, MARGIN, SHADES, SMALL, TEXT, axes, page, percent, put, short, styled, text_width

__all__ = ["similarity_strips"]

Floats = NDArray[np.float64]

_BINS = 25
_STEP = 0.27


def similarity_strips(report: ErrorReport) -> Figure:
    """A strip for each keypoint, as dark as many of its points have this similarity, a line at their median."""
    own = report.labelled
    names = [report.ev.truth.schema.names[c] for c in own.problem.columns]
    rows = [names.index(n) for group in grouped(report.ev.truth.schema, names) for n in group]
    values = [own.own[own.code[:, k] >= 0, k] for k in rows]
    with styled():
        left = MARGIN + max((text_width(short(names[k]), TEXT) for k in rows), default=1.0) + 0.15
        height = _STEP * max(len(rows), 1)
        figure = page(_title([names[k] for k in rows], values), _subtitle(report), max(left + 6.2, 7.5), height + 0.85)
        ax = axes(figure, left, 0.6, 5.0, height)
        _frame(ax, [names[k] for k in rows])
        for row, of_one in enumerate(values):
            _strip(ax, row, of_one)
        for row, of_one in enumerate(values):
            said = percent(float((of_one >= report.rules.near).mean())) if len(of_one) else "-"
            put(figure, left + 5.6, 0.6 + height - (row + 0.5) * _STEP, said, size=SMALL, color=FAINT, ha="right", va="center_baseline")
        put(figure, left + 5.6, 0.36, f"from {report.rules.near:g}".replace("0.", "."), size=SMALL, color=FAINT, ha="right", va="center_baseline")
    return figure


def _frame(ax: Axes, names: list[str]) -> None:
    ax.set(xlim=(0, 1), ylim=(max(len(names), 1) - 0.5, -0.5), xlabel="similarity of the predicted point to its own place; a line: the median")
    ax.set_yticks(range(len(names)), [short(n) for n in names], fontsize=TEXT, color=INK)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 0.85, 1], ["0", ".25", ".5", "", ".85", "1"])
    ax.tick_params(axis="y", length=0, pad=6)
    ax.spines["left"].set_visible(False)
    for x in (0.5, 0.85):
        ax.axvline(x, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=4)


def _strip(ax: Axes, row: int, values: Floats) -> None:
    """Cells of one keypoint: their darkness is the root of their share, so that few are seen too."""
    if not len(values):
        ax.text(0, row, " none to judge", fontsize=SMALL, color=FAINT, va="center_baseline")
        return
    counts, ends = np.histogram(values, _BINS, (0, 1))
    for count, low, high in zip(counts.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        if count:
            shade = float(np.sqrt(count / counts.sum()))
            ax.barh(row, high - low, left=low, height=0.78, color=SHADES[1], alpha=round(0.08 + 0.92 * shade, 3), linewidth=0, label=str(count))
    middle = float(np.median(values))
    ax.plot([middle, middle], [row - 0.46, row + 0.46], color=INK, linewidth=2, solid_capstyle="butt", zorder=5, clip_on=False)


def _title(names: list[str], values: list[Floats]) -> str:
    middles = {n: float(np.median(v)) for n, v in zip(names, values, strict=True) if len(v)}
    if not middles:
        return "No pose was found: no keypoint has a similarity"
    worst, best = min(middles, key=lambda n: middles[n]), max(middles, key=lambda n: middles[n])
    if middles[worst] == middles[best]:
        return f"Half of the points of each keypoint reach similarity {middles[best]:.2f}"
    return f"Half of the points reach similarity {middles[worst]:.2f} at {short(worst)}, {middles[best]:.2f} at {short(best)}"


def _subtitle(report: ErrorReport) -> str:
    return f"{subtitle(report)}; a point left out has similarity 0"
