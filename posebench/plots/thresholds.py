"""AP and AR at each similarity, below what anybody could reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation import Evaluation
from .style import FAINT, INK, LINE, MARGIN, SHADES, SMALL, axes, number, page, put, spread, styled

__all__ = ["ap_by_threshold"]

_STEEP = 0.5
"""AP at the strictest similarity below this share of that at the laxest makes a title."""


def ap_by_threshold(ev: Evaluation, ceiling: Sequence[float] | None = None) -> Figure:
    """AP and AR at each similarity of the protocol; `ceiling` is the AP that human disagreement leaves, one for each."""
    at = ev.protocol.thresholds
    ap, ar = ([ev[f"{name}@{t!r}"] for t in at] for name in ("AP", "AR"))
    lines = {"AP": (ap, SHADES[0]), "AR": (ar, SHADES[2])} | ({"ceiling of AP": (list(ceiling), FAINT)} if ceiling is not None else {})
    with styled():
        wide, high = 4.6, 2.9
        figure = page(_title(at, ap), _subtitle(ev), MARGIN + 0.5 + wide + 1.75, high + 0.9)
        ax = axes(figure, MARGIN + 0.45, 0.7, wide, high)
        _frame(ax, at)
        ends = {name: _draw(ax, at, values, colour, name) for name, (values, colour) in lines.items()}
        shown = [name for name, end in ends.items() if not math.isnan(end)]
        for name, y in zip(shown, spread([ends[n] for n in shown], 0.2 / high, 0, 1), strict=True):
            put(
                figure,
                MARGIN + 0.45 + wide + 0.12,
                0.7 + y * high,
                f"{name} {number(ends[name])}",
                size=SMALL,
                color=lines[name][1],
                weight="bold",
                va="center",
            )
        if not shown:
            put(figure, MARGIN + 0.45 + wide / 2, 0.7 + high / 2, "no truth counts", color=FAINT, ha="center", va="center")
    return figure


def _frame(ax: Axes, at: Sequence[float]) -> None:
    room = max(at[-1] - at[0], 0.1) * 0.04
    ax.set(xlim=(at[0] - room, at[-1] + room), ylim=(0, 1), xlabel="similarity from which a pose counts as found")
    ticks = at if len(at) <= 10 else at[:: -(-len(at) // 10)]
    ax.set_xticks(ticks, [f"{t:.2f}".removeprefix("0") for t in ticks])
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", ".2", ".4", ".6", ".8", "1"])
    ax.grid(True, axis="y")


def _draw(ax: Axes, at: Sequence[float], values: Sequence[float], colour: str, name: str) -> float:
    """One line; where it ends."""
    dashed = name.startswith("ceiling")
    ax.plot(at, values, color=colour, linewidth=1.6 if dashed else 2, linestyle=(0, (3, 2)) if dashed else "-", marker="" if dashed else "o", markersize=4.5,
            clip_on=False, label=name)  # fmt: skip
    ax.plot([at[-1], at[-1] + 0.001], [values[-1]] * 2, color=LINE if math.isnan(values[-1]) else INK, linewidth=0)
    return float(values[-1])


def _title(at: Sequence[float], ap: Sequence[float]) -> str:
    if math.isnan(ap[0]):
        return "No truth counts: there is no AP"
    if len(at) == 1:
        return f"AP is {number(ap[0])} at similarity {at[0]:.2f}"
    steps = [(a - b, t, u) for a, b, t, u in zip(ap, ap[1:], at, at[1:], strict=False)]
    drop, here, there = max(steps)
    said = f"AP falls from {number(ap[0])} at {at[0]:.2f} to {number(ap[-1])} at {at[-1]:.2f}"
    return f"{said}, most between {here:.2f} and {there:.2f}" if drop > 0 and ap[-1] < _STEEP * ap[0] else said


def _subtitle(ev: Evaluation) -> str:
    t = ev.protocol.thresholds
    return f"{ev.truth.name}: {ev.counts['counted']:,} truths; AP {number(ev['AP'])} is the mean over {len(t)} similarities of {ev.protocol.name}"
