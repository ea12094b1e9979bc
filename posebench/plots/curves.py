"""Precision and recall at several similarities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation import Evaluation
from .style import FAINT, INK, LINE, MARGIN, SHADES, SMALL, axes, number, page, percent, spread, styled, text_width

if TYPE_CHECKING:
    from ..operating import PrecisionRecall

__all__ = ["precision_recall"]

_WANTED = (0.5, 0.75, 0.85, 0.95)


def precision_recall(ev: Evaluation, similarities: Sequence[float] | None = None) -> Figure:
    """A curve for each similarity, its AP at the side; the dotted line from its end is as long as the share never found."""
    chosen = list(similarities or _chosen(ev.protocol.thresholds))
    curves = {s: ev.curve(s) for s in chosen}
    with styled():
        labels = [_label(ev, s, curve) for s, curve in curves.items()]
        side = max(text_width(line, SMALL, bold=True) for label in labels for line in label) + 0.5
        wide, high = 5.2, 4.2
        figure = page(_title(curves), _subtitle(ev), max(MARGIN + 0.6 + wide + side, 7.5), high + 0.9)
        ax = axes(figure, MARGIN + 0.55, 0.75, wide, high)
        _frame(ax)
        ends = [_draw(ax, curve, colour) for curve, colour in zip(curves.values(), _colours(len(curves)), strict=True)]
        wanted = [end - 1e-6 * i for i, end in enumerate(ends)]  # of equal ends the least strict stands highest
        gap = 0.62 / high
        for label, colour, end, y in zip(labels, _colours(len(curves)), ends, spread(wanted, gap, gap / 2, 1 - gap / 4), strict=True):
            _name(ax, label, colour, end, y)
    return figure


def _chosen(thresholds: Sequence[float]) -> list[float]:
    """The usual ones where the protocol has them; else its first, its last and some between."""
    usual = [t for t in thresholds if any(math.isclose(t, w) for w in _WANTED)]
    return usual if len(usual) > 1 else [thresholds[i] for i in np.unique(np.linspace(0, len(thresholds) - 1, 4).round().astype(int))]


def _colours(count: int) -> list[str]:
    return [SHADES[i % len(SHADES)] for i in range(count)]


def _frame(ax: Axes) -> None:
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall: share of the truths that are found", ylabel="precision: share of the predictions that find one")
    ax.set_xticks(np.linspace(0, 1, 6), ["0", "20%", "40%", "60%", "80%", "all"])
    ax.set_yticks(np.linspace(0, 1, 6), ["0", "20%", "40%", "60%", "80%", "all"])
    ax.grid(True)


def _draw(ax: Axes, curve: PrecisionRecall, colour: str) -> float:
    """One curve; the height at which it ends."""
    if not curve.truths or not len(curve.recall):
        ax.plot([0, 1], [0, 0], color=colour, linestyle=(0, (1, 2)), linewidth=1.4, clip_on=False)
        return 0.0
    recall, precision = np.append(0.0, curve.recall), np.append(curve.precision[0], curve.precision)
    ax.plot(recall, precision, color=colour, linewidth=2, solid_joinstyle="round", clip_on=False)
    end, height = float(recall[-1]), float(precision[-1])
    ax.plot([end, 1], [height, height], color=colour, linestyle=(0, (1, 2)), linewidth=1.4, clip_on=False)
    ax.plot([end], [height], "o", color=colour, markersize=6, clip_on=False)
    return height


def _label(ev: Evaluation, similarity: float, curve: PrecisionRecall) -> tuple[str, str, str]:
    found = round(curve.recall[-1] * curve.truths) if curve.truths and len(curve.recall) else 0
    missing = f"{curve.truths - found:,} of {curve.truths:,} never found" if curve.truths - found else f"all {curve.truths:,} found"
    return f"similarity {similarity:.2f}", f"AP {number(ev[f'AP@{similarity:.2f}'])}", missing if curve.truths else "no truth counts"


def _name(ax: Axes, label: tuple[str, str, str], colour: str, end: float, y: float) -> None:
    """The three lines at the side, joined to where the curve's dotted line ends."""
    ax.plot([1.0, 1.045], [end, y], color=LINE, linewidth=0.8, clip_on=False)
    line = 0.165 / 4.2 * 1.02
    for i, (text, ink) in enumerate(zip(label, (colour, INK, FAINT), strict=True)):
        ax.text(1.055, y + (1 - i) * line, text, fontsize=SMALL, color=ink, weight="normal" if i else "bold", va="center", clip_on=False)


def _title(curves: dict[float, PrecisionRecall]) -> str:
    reached = {s: float(c.recall[-1]) for s, c in curves.items() if c.truths and len(c.recall)}
    if not any(c.truths for c in curves.values()):
        return "No truth counts: there is no curve"
    if not reached:
        return "Nothing is found: there are no predictions"
    if not any(reached.values()):
        return f"Nothing is found, not even at similarity {min(reached):.2f}"
    (first, most), (last, least) = next(iter(reached.items())), list(reached.items())[-1]
    start = "All poses" if most == 1 else f"{percent(most)} of the poses"
    return f"{start} are found at similarity {first:.2f}" + (f", {percent(least) if least else 'none'} at {last:.2f}" if last != first else "")


def _subtitle(ev: Evaluation) -> str:
    counts = ev.counts
    several = "; curves of all categories together, AP the mean over them" if counts["categories"] > 1 and ev.protocol.per_category else ""
    return f"{ev.truth.name}: {counts['counted']:,} truths, {counts['scored']:,} predictions; AP {number(ev['AP'])} over all similarities of {ev.protocol.name}{several}"
