"""Runs side by side: a number or a difference for each, with its interval. A room of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebench.plots.style import COLOURS, FAINT, INK, LINE, MARGIN, SMALL, TEXT, axes, page, put, save, short, styled, text_width

if TYPE_CHECKING:
    from .rates import RangeTest

__all__ = ["draw_ablation", "draw_rates", "draw_sweep"]

_STEP, _WIDE, _GAP = 0.3, 4.4, 0.85


@dataclass(frozen=True)
class _Mark:
    """A dot with its interval, and figures at its right."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    colour: str
    figures: tuple[str, ...]


def draw_sweep(values: Mapping[str, Any], path: str | Path) -> Path:
    """Every run of a sweep with its interval, best first; what was learned for longer above."""
    metric = values["metric"]
    marks = [_of_run(row, COLOURS["inversion"], f"{values['then']} epochs: ") for row in values["longer"]]
    marks += [_of_run(row, COLOURS["miss"] if row["best"] and row["best"]["real"] else COLOURS["good"], "") for row in values["rows"]]
    best, tied = values["rows"][0], sum(row["best"] is not None and not row["best"]["real"] for row in values["rows"])
    title = f"{best['name']} is best of {len(values['rows'])} after {values['epochs']} epochs" + (f"; {tied} may be as good" if tied else "")
    told = f"{metric} of val; {values['how']}; orange: worse than the best of {values['epochs']} epochs, not by luck"
    return _forest(marks, title, told, metric, ("M params", "GMAC"), path)


def _of_run(row: Mapping[str, Any], colour: str, before: str) -> _Mark:
    return _Mark(before + row["name"], row["value"], row["low"], row["high"], colour, (f"{row['params_m']:.2f}", f"{row['gmac']:.3f}"))


def draw_ablation(values: Mapping[str, Any], path: str | Path) -> Path:
    """Every changed setting's difference from the run, with the paired interval."""
    rows, metric = values["rows"], values["metric"]
    marks = [_of_change(row) for row in rows if row["difference"] is not None]
    real = [row["name"] for row in rows if row["real"]]
    title = f"{len(real)} of {len(marks)} changes matter: {', '.join(real[:4])}" if real else "No change of a setting can be told from luck"
    return _forest(marks, title, f"{metric} with the change less that of {values['run']}; {values['how']}; grey: may be luck", f"difference in {metric}",
                   ("difference", "p, Holm"), path, zero=True)  # fmt: skip


def _of_change(row: Mapping[str, Any]) -> _Mark:
    colour = COLOURS["good"] if not row["real"] else COLOURS["inversion"] if row["better"] else COLOURS["miss"]
    return _Mark(row["name"], row["difference"], row["low"], row["high"], colour, (f"{row['difference']:+.3f}", "-" if row["p"] is None else f"{row['p']:.3f}"))


def _forest(marks: Sequence[_Mark], title: str, told: str, label: str, heads: tuple[str, ...], path: str | Path, zero: bool = False) -> Path:
    with styled():
        left = MARGIN + 0.2 + max((text_width(short(m.label, 44), TEXT) for m in marks), default=1.0)
        tall = _STEP * (len(marks) + 1)
        figure = page(title, told, left + _WIDE + _GAP * len(heads) + MARGIN, tall + 0.85)
        ax = axes(figure, left, 0.65, _WIDE, tall)
        for y, mark in enumerate(marks):
            if mark.low is not None and mark.high is not None:
                ax.plot([mark.low, mark.high], [y, y], color=mark.colour, linewidth=2.4, solid_capstyle="round", zorder=2)
            if mark.value is not None:
                ax.plot(
                    [mark.value],
                    [y],
                    "o",
                    markersize=6.5,
                    markerfacecolor=mark.colour,
                    markeredgecolor=LINE if mark.colour == COLOURS["good"] else INK,
                    zorder=3,
                )
            for i, text in enumerate(mark.figures):
                put(figure, left + _WIDE + _GAP * (i + 1), 0.65 + tall - (y + 1) * _STEP, text, size=SMALL, ha="right", va="center_baseline")
        for i, text in enumerate(heads):
            put(figure, left + _WIDE + _GAP * (i + 1), 0.65 + tall - _STEP / 4, text, size=SMALL, color=FAINT, ha="right", va="center_baseline")
        if zero:
            ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
        ax.set_ylim(len(marks), -1)
        ax.set_yticks(range(len(marks)), [short(m.label, 44) for m in marks], fontsize=TEXT, color=INK)
        ax.tick_params(axis="y", length=0, pad=6)
        ax.grid(True, axis="x")
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(label, fontsize=SMALL)
    return save(figure, path)


def draw_rates(found: RangeTest, path: str | Path) -> Path:
    """The loss by the rate of its step, with the rate to try."""
    steepest = found.steepest
    title = f"The loss falls fastest at {steepest:.1e}" if steepest == steepest else "The loss never fell"
    with styled():
        figure = page(title, f"{found.recipe}, {found.optimiser}; a step at each rate; the line is a mean over neighbours", 7.2, 3.6)
        ax = axes(figure, MARGIN + 0.6, 0.65, 5.9, 2.8)
        ax.plot(found.rates, found.losses, ".", color=COLOURS["good"], markersize=4)
        ax.plot(found.rates, found.smoothed, color=COLOURS["inversion"], linewidth=1.8)
        for rate, label in ((steepest, " steepest"), (found.lowest, " lowest")):
            if rate == rate:
                ax.axvline(rate, color=FAINT, linewidth=0.9, linestyle=":")
                ax.text(rate, 1.0, label, transform=ax.get_xaxis_transform(), fontsize=SMALL, color=FAINT, va="top")
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0e}".replace("e-0", "e-").replace("e+00", ""))
        ax.grid(True)
        ax.set_xlabel("learning rate", fontsize=SMALL)
        ax.set_ylabel("loss", fontsize=SMALL)
    return save(figure, path)
