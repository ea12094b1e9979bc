"""Drawings of checks: activations by layer, and losses while examples are learned. A room of matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import FuncFormatter, MaxNLocator

from posebench.plots.style import COLOURS, FAINT, MARGIN, SHADES, SMALL, axes, page, percent, save, short, styled

from .flow import DEAD, NEAR, Activation

__all__ = ["plot_activations", "plot_fit"]

_WIDE, _HIGH = 7.4, 2.6


def plot_activations(layers: Sequence[Activation], dead: Sequence[Activation], when: str, path: Path) -> Path:
    """Above the share of values near 0 by layer, from the input to the output; below their spread."""
    more = f", and {len(dead) - 1} more" if len(dead) > 1 else ""
    title = f"{short(dead[0].name, 56)} is dead{more}" if dead else f"no layer is dead: at most {percent(max(a.near for a in layers))} of one are near 0"
    x = range(1, len(layers) + 1)
    with styled():
        figure = page(title, f"{len(layers)} layers, {when}; a value counts as near 0 within {NEAR}.", _WIDE + 1.3, 2 * _HIGH + 1.15)
        above = axes(figure, MARGIN + 0.6, _HIGH + 1.05, _WIDE, _HIGH)
        below = axes(figure, MARGIN + 0.6, 0.65, _WIDE, _HIGH)
        above.bar(x, [a.near for a in layers], color=[COLOURS["miss"] if a in dead else COLOURS["swap"] for a in layers], width=0.8)
        above.axhline(DEAD, color=COLOURS["miss"], linewidth=1, linestyle=(0, (4, 3)))
        above.set(ylim=(0, 1.02), ylabel="share near 0")
        above.text(len(layers) + 0.45, DEAD + 0.015, f"dead from {DEAD:.0%}", ha="right", va="bottom", fontsize=SMALL, color=FAINT)
        spreads = [max(a.spread, 1e-3) for a in layers]
        below.plot(x, spreads, color=SHADES[1], marker="o", markersize=3, linewidth=1.2)
        below.set(yscale="log", ylabel="spread (standard deviation)", xlabel="layer, from the input to the output")
        below.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        below.set_ylim(min(0.05, min(spreads) / 2), max(20.0, max(spreads) * 2))
        for ax in (above, below):
            ax.set_xlim(0.4, len(layers) + 0.6)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.grid(True, axis="y")
    return save(figure, path)


def plot_fit(losses: Sequence[float], seen: Sequence[tuple[int, float]], turned: int | None, examples: int, path: Path) -> Path:
    """The loss of the examples, and of val beside it, with the step at which val turned."""
    title = f"{examples} examples: loss {losses[0]:.3g} to {losses[-1]:.3g}" + (f"; validation turned after step {turned}" if turned else "")
    with styled():
        figure = page(
            title,
            "A model that can learn learns a few examples by heart; the loss of val rises from where it stops to learn anything else.",
            _WIDE + 1.3,
            _HIGH + 0.8,
        )
        ax = axes(figure, MARGIN + 0.6, 0.65, _WIDE, _HIGH)
        ax.plot(range(1, len(losses) + 1), losses, color=SHADES[0], linewidth=1.6, label=f"{examples} examples of train")
        if seen:
            steps, values = zip(*seen, strict=True)
            ax.plot(steps, values, color=SHADES[4], linewidth=1.6, marker="o", markersize=3, label=f"{examples} of val")
        if turned:
            ax.axvline(turned, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        ax.set(xlabel="step", ylabel="loss", ylim=(0, None), xlim=(0, len(losses) + 1))
        ax.grid(True)
        ax.legend(fontsize=SMALL, frameon=False, loc="center right")
    return save(figure, path)
