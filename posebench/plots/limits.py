"""What perfect predictions reach at each threshold, cause by cause; and where a number goes under other rules."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posedata.errors import one_line

from ..statistics.ceiling import Ceiling
from ..statistics.ceiling_text import noisy, strict, whose
from ..statistics.limits import CONFUSED, Limit
from ..statistics.sensitivity import Row, Sensitivity
from .style import COLOURS, FAINT, INK, LINE, MARGIN, SHADES, SMALL, axes, number, page, percent, put, short, spread, styled, text_width

__all__ = ["ceiling_by_threshold", "sensitivity_ranges"]


class _Line(NamedTuple):
    limit: Limit
    colour: str
    dashes: str


def ceiling_by_threshold(made: Ceiling) -> Figure:
    """A line for each cause: the share of perfect poses that pass each threshold; the model's own beside, where it was given."""
    lines = _chosen(made)
    with styled():
        labels = [(short(line.limit.cause, 38), f"AP {number(line.limit.ap)}") for line in lines]
        side = max(text_width(text, SMALL, bold=True) for label in labels for text in label) + 0.5
        wide, high = 5.2, 4.2
        figure = page(_title(made), _subtitle(made), MARGIN + 0.6 + wide + side, high + 0.9)
        ax = axes(figure, MARGIN + 0.55, 0.75, wide, high)
        _frame(ax, made)
        ends = [_draw(ax, line) for line in lines]
        gap = 0.45 / high
        order = sorted(range(len(lines)), key=lambda i: (round(ends[i], 2), lines[i].limit.ap))
        places = dict(zip(order, spread([ends[i] for i in order], gap, gap / 2, 1 - gap / 2), strict=True))
        for i, (line, label) in enumerate(zip(lines, labels, strict=True)):
            _name(ax, made, label, line.colour, ends[i], places[i])
    return figure


def _chosen(made: Ceiling) -> list[_Line]:
    """What annotators do, what the worst grid does alone and on top, the area rule that moves most, the convention; and the model."""
    rows = {limit.cause: limit for limit in made.limits}
    base = rows.get("annotators") or rows.get("second annotator")
    grids = [limit for name, limit in rows.items() if name.startswith("grid ") and ", " not in name]
    worst = min(grids, key=lambda limit: limit.ap, default=None)
    areas = [limit for name, limit in rows.items() if base and name.startswith(f"{base.cause}, area = ")]
    moved = max(areas, key=lambda limit: abs(limit.ap - base.ap), default=None) if base else None
    own = noisy(made)
    both = rows.get(f"annotators, {worst.cause}") if worst else None
    wanted: list[tuple[Limit | None, str, str]] = [
        (worst or made["nothing"], SHADES[2], "-"),
        (base, COLOURS["inversion"], "-"),
        (both, SHADES[1], "--"),
        (moved, SHADES[3], ":"),
        (rows[f"{own.cause}, {CONFUSED}"] if own else None, COLOURS["miss"], "-"),
        (made.model, INK, "-"),
    ]
    return [_Line(limit, colour, dashes) for limit, colour, dashes in wanted if limit is not None]


def _frame(ax: Axes, made: Ceiling) -> None:
    t = made.protocol.thresholds
    low, high = (t[0], t[-1]) if len(t) > 1 else (t[0] - 0.05, t[0] + 0.05)
    ax.set(xlim=(low, high), ylim=(0, 1), xlabel="similarity (OKS) to pass", ylabel="share of the poses that pass")
    ax.set_yticks(np.linspace(0, 1, 6), ["0", "20%", "40%", "60%", "80%", "all"])
    ax.grid(True)


def _draw(ax: Axes, line: _Line) -> float:
    """One cause; where it ends."""
    shares = np.nan_to_num(line.limit.passing)
    ax.plot(
        line.limit.thresholds, shares, color=line.colour, linestyle=line.dashes, linewidth=2, marker="o", markersize=4, clip_on=False, label=line.limit.cause
    )
    return float(shares[-1])


def _name(ax: Axes, made: Ceiling, label: tuple[str, str], colour: str, end: float, y: float) -> None:
    """Its name and AP at the side, joined to its end."""
    join: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "clip_on": False}
    ax.plot([1.0, 1.035], [end, y], color=LINE, linewidth=0.8, **join)
    for i, (text, ink) in enumerate(zip(label, (colour, FAINT), strict=True)):
        ax.text(1.045, y + (0.5 - i) * 0.04, text, fontsize=SMALL, color=ink, weight="normal" if i else "bold", va="center", **join)


def _title(made: Ceiling) -> str:
    if not made.truths:
        return "No truth counts: there is no ceiling"
    own, at = noisy(made), strict(made)
    if own is None:
        return "Nothing is done to the poses: all of them pass"
    confused = made[f"{own.cause}, {CONFUSED}"].passes(at)
    said = percent(confused) if confused >= 5e-4 else "none"
    return f"{percent(own.passes(at))} of perfect poses with the noise of {whose(own)} pass {at:.2f}; with k taken for sigma {said}"


def _subtitle(made: Ceiling) -> str:
    return f"{one_line(made.name)}: {made.truths:,} truths, perfect predictions; noise: {one_line(made.noise)}; {made.draws} draws, seed {made.seed}; AP with the best order of scores"


# -- sensitivity -------------------------------------------------------------------------------------


def sensitivity_ranges(made: Sensitivity) -> Figure:
    """A row for each change, a dot for each model, a line through each model's number by the rules as they are; exchanges in red."""
    step, left, wide = 0.21, MARGIN + 0.2, 5.2
    with styled():
        names = [short(row.change, 40) for row in made.rows]
        left += max(text_width(name, SMALL) for name in names)
        height = step * (len(made.rows) + 0.6)
        side = max([text_width(_flipped(row), SMALL) for row in made.rows] + [0.6]) + 0.4
        figure = page(_range_title(made), _range_subtitle(made), left + wide + side, height + 0.95)
        ax = axes(figure, left, 0.6, wide, height)
        ax.set(ylim=(len(made.rows) - 0.2, -0.8), xlabel=made.metric, xlim=(0, 1))
        ax.set_yticks(range(len(names)), names, fontsize=SMALL)
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.grid(True, axis="x")
        ax.spines["left"].set_visible(False)
        colours = _colours(len(made.models))
        for value, colour in zip(made.base.values, colours, strict=True):
            if not math.isnan(value):
                ax.axvline(value, color=colour, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.6)
        for y, row in enumerate(made.rows):
            _dots(ax, y, row, colours)
            put(
                figure,
                left + wide + 0.15,
                0.6 + height - (y + 0.8) * height / (len(made.rows) + 0.6),
                _flipped(row),
                size=SMALL,
                color=COLOURS["miss"],
                va="center",
            )
        if len(made.models) <= len(SHADES):
            _key(figure, made, colours, left, 0.6 + height + 0.12)
    return figure


def _colours(count: int) -> list[str]:
    """One for each model, neighbours well apart; more models than colours are all one."""
    apart = [*SHADES[::2], *SHADES[1::2]]
    return apart[:count] if count <= len(apart) else [INK] * count


def _dots(ax: Axes, y: int, row: Row, colours: list[str]) -> None:
    known = [v for v in row.values if not math.isnan(v)]
    if len(known) > 1:
        ax.plot([min(known), max(known)], [y, y], color=COLOURS["miss"] if row.flips else LINE, linewidth=1.2, zorder=1)
    for value, colour in zip(row.values, colours, strict=True):
        ax.plot([value], [y], "o", color=colour, markersize=5, zorder=2, clip_on=False)


def _flipped(row: Row) -> str:
    """The first pair that exchanged places."""
    if not row.flips:
        return ""
    (a, b), more = row.flips[0], len(row.flips) - 1
    return f"{short(b, 18)} over {short(a, 18)}" + (f" and {more} more" if more else "")


def _key(figure: Figure, made: Sensitivity, colours: list[str], x: float, y: float) -> None:
    for name, colour in zip(made.models, colours, strict=True):
        put(figure, x, y, "●", color=colour, va="center_baseline")
        put(figure, x + 0.15, y, short(name), size=SMALL, va="center_baseline")
        x += 0.4 + text_width(short(name), SMALL)


def _range_title(made: Sensitivity) -> str:
    if all(math.isnan(v) for v in made.base.values):
        return f"No truth counts: there is no {made.metric}"
    values = [v for row in made.rows for v in row.values[:1] if not math.isnan(v)]
    if len(made.models) == 1:
        return f"{made.metric} {number(made.base.values[0])} is {number(min(values))} to {number(max(values))} by other rules"
    flipped = sum(bool(row.flips) for row in made.rows)
    return (
        f"{flipped} of {len(made) - 1} other rules change the order of the models"
        if flipped
        else f"The order of the models holds under all {len(made) - 1} other rules"
    )


def _range_subtitle(made: Sensitivity) -> str:
    models = f"{len(made.models)} models, a dot for each; " if len(made.models) > len(SHADES) else ""
    return f"{made.metric} under {made.protocol.name} and under other rules; {models}the dotted lines are the rules as they are"
