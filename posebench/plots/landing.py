"""Which keypoint is taken for which: where wrong points land on their own body, and left for right."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors.report import ErrorReport
from .shares import grouped, subtitle
from .style import COLOURS, FAINT, INK, LINE, MARGIN, SMALL, TEXT, axes, page, percent, put, short, styled, text_width

__all__ = ["confusion"]

_MOST = 14
"""Rows and columns of the matrix, and pairs beside it, when there are more."""
_CELL = 0.36
_NO_POINT = ("other points", "no point of its body")
"""Columns that are no keypoint."""
_OFTEN = 0.2
"""Share of a row that makes a title."""


class _Table(NamedTuple):
    rows: list[str]
    columns: list[str]
    counts: NDArray[np.intp]
    """(rows, columns)"""
    hidden: int
    """Points of the rows left out."""


def confusion(report: ErrorReport) -> Figure:
    """A matrix of the wrong points, rows as predicted, columns where they lie; beside it the share taken for the other side."""
    table, pairs = _table(report), _pairs(report)
    with styled():
        left = MARGIN + max([text_width(short(n), SMALL) for n in table.rows] + [1.2]) + 0.15
        head = max([text_width(short(n), SMALL) for n in table.columns] + [0.5]) * 0.72 + 0.15
        wide, high = _CELL * max(len(table.columns), 3), _CELL * max(len(table.rows), 1)
        side = max([text_width(short(p["left"]), SMALL) for p in pairs], default=0.0)
        beside = side + 0.3 + 2.6 if pairs else 0.0
        body = max(high + head + 0.25, 0.52 * len(pairs) + 0.75) if table.rows else 0.0
        figure = page(_title(table), _subtitle(report, table), max(left + wide + 0.7 + head * 0.5 + beside, 7.5), body + 0.55)
        if table.rows:
            _matrix(axes(figure, left, body + 0.3 - head - high, wide, high), table)
        if pairs:
            _sides(figure, left + wide + 0.6 + head * 0.5, body, pairs)
    return figure


# -- the matrix --------------------------------------------------------------------------------------


def _table(report: ErrorReport) -> _Table:
    """Rows and columns that matter: those with most points; what the other columns hold is one column."""
    counts = report.landings
    schema, own = report.ev.truth.schema, report.labelled.problem.columns
    names = [schema.names[c] for c in own]
    order = [names.index(n) for group in grouped(schema, names) for n in group]
    rows = [k for k in order if k in _largest(counts.sum(1))]
    columns = [k for k in order if k in _largest(counts[rows, :-1].sum(0))]
    shown = counts[np.ix_(rows, columns)]
    others = counts[rows, :-1].sum(1) - shown.sum(1)
    parts, titles = [shown], [names[c] for c in columns]
    if others.any():
        parts, titles = [*parts, others[:, None]], [*titles, _NO_POINT[0]]
    parts, titles = [*parts, counts[rows, -1:]], [*titles, _NO_POINT[1]]
    return _Table([names[r] for r in rows], titles, np.concatenate(parts, 1), int(counts.sum() - counts[rows].sum()))


def _largest(sums: NDArray[np.intp]) -> set[int]:
    """Those that hold something, the largest `_MOST`."""
    return {int(k) for k in np.argsort(-sums, kind="stable")[:_MOST] if sums[k]}


def _matrix(ax: Axes, table: _Table) -> None:
    most = max(int(table.counts.max(initial=0)), 1)
    shade = LinearSegmentedColormap.from_list("landing", [to_rgba(COLOURS["miss"], 0), to_rgba(COLOURS["miss"], 0.5), to_rgba("#a34700", 1)])
    rows, columns = table.counts.shape
    ax.pcolormesh(np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, table.counts, cmap=shade, vmin=0, vmax=most)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    for (r, c), count in np.ndenumerate(table.counts):
        if count:
            ax.text(c, r, f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k", fontsize=SMALL - 1, ha="center", va="center_baseline",
                    color="#fffefd" if count > 0.55 * most else INK)  # fmt: skip
    ax.set_yticks(range(len(table.rows)), [short(n) for n in table.rows], fontsize=SMALL, color=INK)
    ax.xaxis.tick_top()
    ax.set_xticks(range(len(table.columns)), [short(n) for n in table.columns], fontsize=SMALL, color=INK, rotation=45, ha="left", rotation_mode="anchor")
    ax.tick_params(length=0, pad=3)
    ax.set_xticks(np.arange(len(table.columns) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(table.rows) + 1) - 0.5, minor=True)
    ax.grid(True, which="minor", color=LINE, linewidth=0.6)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    ax.axvline(len(table.columns) - 1.5, color=FAINT, linewidth=1.2)


# -- left and right ----------------------------------------------------------------------------------


def _pairs(report: ErrorReport) -> list[dict[str, Any]]:
    """Pairs of which something is on the wrong side, the worst first, with the shares of both ways."""
    made = []
    for pair in report.left_right:
        left = pair["left as left"] + pair["left as right"]
        right = pair["right as right"] + pair["right as left"]
        shares = (pair["left as right"] / left if left else 0.0, pair["right as left"] / right if right else 0.0)
        made += [{**pair, "shares": shares}] if any(shares) else []
    return sorted(made, key=lambda p: -max(p["shares"]))[:_MOST]


def _sides(figure: Figure, x: float, top: float, pairs: list[dict[str, Any]]) -> None:
    """Two bars for each pair: left put on the right, and right put on the left."""
    put(figure, x, top + 0.12, "on the other side of the body", size=TEXT, weight="bold", va="center_baseline")
    most = max(max(p["shares"]) for p in pairs)
    side = max(text_width(short(n), SMALL) for p in pairs for n in (p["left"], p["right"])) + 0.12
    height = 0.52 * len(pairs)
    ax = axes(figure, x + side, top - 0.05 - height, 1.9, height)
    ax.set(xlim=(0, most * 1.3), ylim=(len(pairs) - 0.5, -0.5))
    ax.axis("off")
    for row, pair in enumerate(pairs):
        for name, share, shift in zip((pair["left"], pair["right"]), pair["shares"], (-0.2, 0.2), strict=True):
            ax.barh(row + shift, share, height=0.34, color=COLOURS["inversion"], alpha=1.0 if shift < 0 else 0.62, linewidth=0, label=name)
            ax.annotate(percent(share), (share, row + shift), (4, 0), textcoords="offset points", fontsize=SMALL, va="center_baseline")
            ax.annotate(
                short(name), (0, row + shift), (-6, 0), textcoords="offset points", fontsize=SMALL, ha="right", va="center_baseline", annotation_clip=False
            )


def _title(table: _Table) -> str:
    if not table.rows:
        return "No point lies on another's place"
    known = np.array([[0 if column in (row, *_NO_POINT) else n for column, n in zip(table.columns, counts, strict=True)]
                      for row, counts in zip(table.rows, table.counts.tolist(), strict=True)])  # fmt: skip
    r, c = (int(i) for i in np.unravel_index(int(known.argmax()), known.shape))
    share = float(known[r, c] / table.counts[r].sum())
    if share >= _OFTEN:
        return f"{short(table.rows[r])} is most often put on {short(table.columns[c])}: {percent(share)} of its wrong points"
    return "Wrong points seldom lie on another point of their body"


def _subtitle(report: ErrorReport, table: _Table) -> str:
    total = int(report.landings.sum())
    hidden = f"; {table.hidden:,} of points with fewer are left out" if table.hidden else ""
    return f"{subtitle(report)}. Rows: {total:,} points that are neither good nor jitter; columns: the point of their own body on which they lie, at similarity {report.rules.near:g} or more{hidden}"
