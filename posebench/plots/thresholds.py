"""AP and AR at each similarity, below what anybody could reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation import Evaluation
from .style import FAINT, INK, LINE, MARGIN, SHADES, SMALL, axes, number, page, put, short, spread, styled, text_width

__all__ = ["ap_by_threshold", "ap_of_models"]

_STEEP = 0.5
"""AP at the strictest similarity below this share of that at the laxest makes a title."""


def ap_by_threshold(ev: Evaluation, ceiling: Sequence[float] | None = None) -> Figure:
    """AP and AR at each similarity of the protocol; `ceiling` is the AP that human disagreement leaves, one for each."""
    at = ev.protocol.thresholds
    ap, ar = ([ev[f"{name}@{t!r}"] for t in at] for name in ("AP", "AR"))
    lines: dict[str, tuple[Sequence[float], str]] = {"AP": (ap, SHADES[0]), "AR": (ar, SHADES[2])}
    if ceiling is not None:
        lines["ceiling of AP"] = (list(ceiling), FAINT)
    with styled():
        return _lines(at, lines, _title(at, ap), _subtitle(ev))


def _lines(at: Sequence[float], lines: Mapping[str, tuple[Sequence[float], str]], title: str, subtitle: str) -> Figure:
    """Lines with their names and last values at the side."""
    wide, high = 4.6, 2.9
    side = max(text_width(f"{name} 0.000", SMALL, bold=True) for name in lines) + 0.3
    figure = page(title, subtitle, MARGIN + 0.5 + wide + side, high + 0.9)
    ax = axes(figure, MARGIN + 0.45, 0.7, wide, high)
    _frame(ax, at)
    ends = {name: _draw(ax, at, values, colour, name) for name, (values, colour) in lines.items()}
    shown = [name for name, end in ends.items() if not math.isnan(end)]
    for name, y in zip(shown, spread([ends[n] for n in shown], 0.2 / high, 0, 1), strict=True):
        put(figure, MARGIN + 0.45 + wide + 0.12, 0.7 + y * high, f"{name} {number(ends[name])}", size=SMALL, color=lines[name][1], weight="bold", va="center")
    if not shown:
        put(figure, MARGIN + 0.45 + wide / 2, 0.7 + high / 2, "no truth counts", color=FAINT, ha="center", va="center")
    return figure


def ap_of_models(evs: Mapping[str, Evaluation]) -> Figure:
    """AP of several models at each similarity of their protocol."""
    first = next(iter(evs.values()))
    at = first.protocol.thresholds
    lines = {short(name): ([ev[f"AP@{t!r}"] for t in at], SHADES[(0, 4, 2, 5, 1, 3)[i % 6]]) for i, (name, ev) in enumerate(evs.items())}
    with styled():
        subtitle = f"{first.truth.name}: {first.counts['counted']:,} truths, protocol {first.protocol.name}"
        return _lines(at, lines, _lead(at, {name: values for name, (values, _) in lines.items()}), subtitle)


def _lead(at: Sequence[float], values: Mapping[str, Sequence[float]]) -> str:
    """Where the models differ most."""
    known = [(max(v) - min(v), t) for t, *v in zip(at, *values.values(), strict=True) if not any(map(math.isnan, v))]
    most, where = max(known, default=(0.0, 0.0))
    return f"They differ most at similarity {where:.2f}: by {number(most)} of AP" if most > 0 else "They have the same AP at every similarity"


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
