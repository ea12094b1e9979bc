"""Whether confidences mean what they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation import Evaluation
from .style import FAINT, INK, LINE, MARGIN, PAPER, SHADES, SMALL, axes, page, percent, put, styled

__all__ = ["calibration_bars"]


def calibration_bars(ev: Evaluation, bins: int = 10, good: float = 0.5) -> Figure:
    """How often points of a confidence are right, beside how often they should be; below, how many points there are."""
    made = ev.calibration(bins, good)
    with styled():
        wide, high, low = 4.6, 2.9, 0.7
        figure = page(_title(made), _subtitle(ev, made, good), max(MARGIN + 0.6 + wide + 0.9, 7.5), high + low + 1.0)
        ax, below = axes(figure, MARGIN + 0.55, 0.7 + low + 0.15, wide, high), axes(figure, MARGIN + 0.55, 0.7, wide, low)
        _rates(ax, made)
        _counts(below, made)
        if not made["n"].sum():
            put(figure, MARGIN + 0.55 + wide / 2, 0.85 + low + high / 2, "no pose was found", color=FAINT, ha="center", va="center")
    return figure


def _ends(made: dict[str, Any]) -> tuple[float, float]:
    return float(made["from"][0]), float(made["to"][-1])


def _rates(ax: Axes, made: dict[str, Any]) -> None:
    ax.set(xlim=_ends(made), ylim=(0, 1.02), xticks=[], ylabel="share that is right")
    ax.set_yticks(np.linspace(0, 1, 6), ["0", "20%", "40%", "60%", "80%", "all"])
    ax.grid(True, axis="y")
    probable = not math.isnan(made["error"])
    if probable:
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1.4, zorder=1)
    for start, end, mean, right, n in zip(made["from"], made["to"], made["confidence"], made["right"], made["n"], strict=True):
        if n:
            ax.bar(start, right, width=end - start, align="edge", color=SHADES[2], alpha=0.5, edgecolor=PAPER, linewidth=1, zorder=2, label="right")
            ax.plot([mean, mean], [mean if probable else right, right], color=INK, linewidth=1, zorder=3)
            ax.plot([mean], [right], "o", markersize=5, color=SHADES[0], zorder=4, clip_on=False)


def _counts(ax: Axes, made: dict[str, Any]) -> None:
    ax.set(xlim=_ends(made), xlabel="confidence of the point", yticks=[])
    ax.bar(made["from"], made["n"], width=made["to"] - made["from"], align="edge", color=LINE, edgecolor=PAPER, linewidth=1, label="n")
    ax.spines["left"].set_visible(False)
    most = max(int(made["n"].max(initial=0)), 1)
    ax.set_ylim(0, most * 1.45)
    for start, end, n in zip(made["from"], made["to"], made["n"], strict=True):
        if n:
            ax.text(
                (start + end) / 2, n + most * 0.08, f"{n:,}" if n < 10_000 else f"{n / 1000:.0f}k", fontsize=SMALL - 1.5, color=FAINT, ha="center", va="bottom"
            )


def _title(made: dict[str, Any]) -> str:
    total = int(made["n"].sum())
    if not total:
        return "No pose was found: no confidence can be judged"
    right = float(np.nansum(made["right"] * made["n"]) / total)
    if math.isnan(made["error"]):
        return f"Confidences are no probabilities; {percent(right)} of the points are right"
    said = float(np.nansum(made["confidence"] * made["n"]) / total)
    if made["error"] < 0.02:
        return f"Confidences mean what they say, to {made['error']:.3f}"
    how = "surer than it should be" if said > right + 0.01 else "less sure than it could be" if said < right - 0.01 else "sure at the wrong points"
    return f"The model is {how}: it says {percent(said)}, {percent(right)} are right"


def _subtitle(ev: Evaluation, made: dict[str, Any], good: float) -> str:
    error = "" if math.isnan(made["error"]) else f"; expected calibration error {made['error']:.3f}"
    return f"{ev.truth.name}: {int(made['n'].sum()):,} points of found poses; right is a similarity of {good:g} or more{error}"
