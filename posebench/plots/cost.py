"""What errors cost: AP now, and after each correction in turn."""

from __future__ import annotations

import math
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors.cost import Cost
from ..errors.report import ErrorReport
from .style import COLOURS, FAINT, INK, LINE, MARGIN, PALE, SMALL, TEXT, axes, number, page, put, styled

__all__ = ["cost_waterfall"]

_NAMES = {
    "miss": "misses",
    "absent": "absent points",
    "swap": "swaps",
    "inversion": "inversions",
    "confusion": "look-alikes",
    "jitter": "jitter",
    "score": "order of scores",
    "background": "poses on nothing",
    "missed": "truths not reached",
    "box": "boxes",
}


class _Step(NamedTuple):
    kind: str
    before: float
    after: float
    """AP after it and all above; NaN where it is no step."""
    alone: float
    """AP if only this were corrected."""


def cost_waterfall(report: ErrorReport) -> Figure:
    """AP now, the steps that corrections add in turn, up to 1; a ring where AP would be if only that one were corrected."""
    made = report.cost
    steps = _steps(made)
    with styled():
        step, left, wide = 0.34, MARGIN + 1.55, 5.0
        height = step * (len(steps) + 2)
        figure = page(_title(made), _subtitle(report), left + wide + 1.9, height + 0.95)
        ax = axes(figure, left, 0.6, wide, height)
        _frame(ax, steps)
        for row, each in enumerate(steps, 1):
            _draw(ax, row, each, made.now.ap[""])
        columns = {
            left + wide + 0.75: ("in turn", [s.after - s.before for s in steps]),
            left + wide + 1.55: ("alone", [s.alone - made.now.ap[""] for s in steps]),
        }
        for x, (name, gains) in columns.items():
            put(figure, x, 0.6 + height + 0.12, name, size=SMALL, color=FAINT, ha="right", va="center_baseline")
            for row, gain in enumerate(gains, 1):
                put(figure, x, 0.6 + height - (row + 0.5) * step, number(gain, sign=True), size=SMALL, ha="right", va="center_baseline")
        _ends(ax, len(steps), made.now.ap[""], steps[-1].after if steps else math.nan)
    return figure


def _steps(made: Cost) -> list[_Step]:
    steps, before = [], made.now.ap[""]
    for kind, gains in made.progressive:
        after = gains.ap[""]
        steps.append(_Step(kind, before, after, made.alone[kind].ap[""]))
        before = before if math.isnan(after) else after
    return steps + [_Step(kind, before, math.nan, gains.ap[""]) for kind, gains in made.extra.items()]


def _frame(ax: Axes, steps: list[_Step]) -> None:
    ax.set(xlim=(0, 1), ylim=(len(steps) + 1.5, -0.5), xlabel="AP; a ring: if only this were corrected")
    names = ["AP now", *(_NAMES.get(s.kind, s.kind) for s in steps), "all corrected"]
    ax.set_yticks(range(len(names)), names, fontsize=TEXT, color=INK)
    ax.tick_params(axis="y", length=0, pad=6)
    ax.grid(True, axis="x")
    ax.spines["left"].set_visible(False)


def _draw(ax: Axes, row: int, each: _Step, now: float) -> None:
    """The bar of one step, the thin line that carries it on, and its ring."""
    if not math.isnan(each.after) and not math.isnan(each.before):
        ax.barh(row, each.after - each.before, left=each.before, height=0.66, color=COLOURS[each.kind], linewidth=0, label=each.kind)
        ax.plot([each.after, each.after], [row, row + 1], color=LINE, linewidth=0.8, zorder=0.5)
    if not math.isnan(each.alone):
        ax.plot([now, each.alone], [row, row], color=INK, linewidth=0.8, zorder=3)
        ax.plot([each.alone], [row], "o", markersize=5.5, markerfacecolor="white", markeredgecolor=INK, markeredgewidth=1.1, zorder=4, clip_on=False)


def _ends(ax: Axes, count: int, now: float, last: float) -> None:
    """The bars at the top and at the bottom."""
    if math.isnan(now):
        return
    ax.barh(0, now, height=0.66, color=COLOURS["good"], linewidth=0, label="now")
    ax.plot([now, now], [0, count + 0.5], color=INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.6)
    ax.barh(count + 1, 0 if math.isnan(last) else last, height=0.66, color=PALE, linewidth=0, label="end")
    for row, value in ((0, now), (count + 1, last)):
        inside = not math.isnan(value) and value > 0.15
        ax.annotate(number(value), (value if inside else max(now, 0.0) if row == 0 else 0.0, row), (-4 if inside else 4, 0), textcoords="offset points",
                    ha="right" if inside else "left", va="center_baseline", fontsize=SMALL, weight="bold")  # fmt: skip


def _title(made: Cost) -> str:
    """What to correct first: the largest gain alone; 'missed' aside, which holds at each similarity whatever does not reach it."""
    now = made.now.ap[""]
    if math.isnan(now):
        return "No truth counts: there is no AP"
    if now == 1:
        return "Nothing to correct: AP is 1"
    gains = {kind: made.gain(kind) for kind in made.each() if kind != "missed" and made.gain(kind) > 5e-4}
    if not gains:
        return f"No correction of one kind alone gains AP: it is {number(now)}"
    best = max(gains, key=lambda kind: gains[kind])
    return f"Correct the {_NAMES[best]} first: AP would be {number(now + gains[best])}, not {number(now)}"


def _subtitle(report: ErrorReport) -> str:
    counts = report.ev.counts
    return (
        f"{report.ev.truth.name}: {counts['counted']:,} truths, {counts['scored']:,} predictions, {sum(report.counts.values()):,} labelled points of found poses; "
        "the last two hold at each similarity whatever does not reach it"
    )
