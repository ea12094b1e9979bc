"""The curves of runs: losses and metrics by epoch. A room of matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from posebench.plots.style import MARGIN, SHADES, SMALL, axes, page, save, short, styled
from posedata.errors import DataError

from .runs import Run, read_metrics, read_run

__all__ = ["plot_runs"]

Lines = Sequence[dict[str, Any]]
_PANEL, _WIDE, _SIDE = 2.3, 6.2, 2.4


def plot_runs(folders: Sequence[str | Path], out: str | Path) -> Path:
    """Runs in one picture: losses above, below the metrics of val, the weights that were kept as dots."""
    runs = [(read_run(folder), read_metrics(folder)) for folder in folders]
    for run, lines in runs:
        if not lines:
            raise DataError(str(run.folder), "no epoch is recorded", "wait for the first one")
    with styled():
        figure = page(_title(runs), "Lines of one colour are one run; a dot marks the weights that were kept.", _WIDE + _SIDE + 1, 2 * _PANEL + 1.5)
        losses = axes(figure, MARGIN + 0.55, _PANEL + 1.15, _WIDE, _PANEL)
        scores = axes(figure, MARGIN + 0.55, 0.7, _WIDE, _PANEL)
        for i, (run, lines) in enumerate(runs):
            _draw(losses, scores, run, lines, SHADES[i % len(SHADES)])
        losses.set(ylabel="loss")
        scores.set(ylabel="of val", xlabel="epoch", ylim=(0, 1.02))
        last = max(lines[-1]["epoch"] for _, lines in runs)
        for ax in (losses, scores):
            ax.set_xlim(0.5, last + 0.5)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.grid(True)
            ax.legend(fontsize=SMALL, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
    return save(figure, out)


def _draw(losses: Axes, scores: Axes, run: Run, lines: Lines, colour: str) -> None:
    name = short(run.folder.resolve().name, 16)
    _line(losses, lines, "loss", f"{name}: train", colour, "-")
    _line(losses, lines, "val_loss", f"{name}: val", colour, "--")
    others = (name for line in lines for name in line if name == "AP" or name.startswith("PCK"))
    for metric, style in zip(dict.fromkeys((run.recipe.score, *others)), ("-", "--", ":"), strict=False):
        _line(scores, lines, metric, f"{name}: {metric}", colour, style)
    kept = _kept(run, lines)
    if kept is not None:
        scores.plot([kept["epoch"]], [kept[run.recipe.score]], "o", color=colour)


def _line(ax: Axes, lines: Lines, name: str, label: str, colour: str, style: str) -> None:
    known = [(line["epoch"], line[name]) for line in lines if line.get(name) is not None]
    if known:
        x, y = zip(*known, strict=True)
        ax.plot(x, y, color=colour, linestyle=style, label=label, marker="." if len(x) == 1 else "", linewidth=1.6)


def _kept(run: Run, lines: Lines) -> dict[str, Any] | None:
    """The line of the weights that were kept."""
    chosen = [line for line in lines if line.get("best") and line.get(run.recipe.score) is not None]
    return chosen[-1] if chosen else None


def _title(runs: Sequence[tuple[Run, Lines]]) -> str:
    """What became of each run."""
    told = []
    for run, lines in runs[:3]:
        kept, name = _kept(run, lines), run.folder.resolve().name
        told.append(
            f"{name}: {run.recipe.score} {kept[run.recipe.score]:.3f} at epoch {kept['epoch']} of {lines[-1]['epoch']}" if kept else f"{name}: never validated"
        )
    return "; ".join(told) + (f"; and {len(runs) - 3} more" if len(runs) > 3 else "")
