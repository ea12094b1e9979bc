"""What is wrong, drawn on the schema's own body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean
from posedata.schema import Schema

from ..errors.labels import ERRORS
from ..errors.report import ErrorReport
from .shares import by_keypoint, kinds_of, subtitle, worst_title, wrong
from .style import COLOURS, FAINT, INK, LINE, MARGIN, PAPER, SMALL, TEXT, axes, key, page, percent, short, spread, styled, text_width

__all__ = ["QUANTITIES", "places", "skeleton"]

Floats = NDArray[np.float64]

QUANTITIES: Mapping[str, str] = {
    "wrong": "area of a disc: the share of this keypoint's points that is wrong",
    "oks lost": "area of a disc: the similarity that this keypoint loses; its colours: how often which error",
}
_LARGEST, _APART, _GAP = 0.24, 0.5, 0.23
"""Inches: radius of the worst point's disc, the distance that points keep, and between labels."""
_FULL = 14
"""Names at one margin."""
_COLUMN = 8
"""Points in one column, where none has a place or a mirror point."""


def skeleton(report: ErrorReport, quantity: str = "wrong") -> Figure:
    """Each keypoint as a disc, as large as it is wrong, in the colours of its errors; named with its rate at the margin."""
    if quantity not in QUANTITIES:
        raise PoseError("skeleton: quantity", f"no quantity {quantity!r}", did_you_mean(quantity, QUANTITIES))
    rows = by_keypoint(report)
    schema = report.ev.truth.schema
    values = {n: wrong(row) if quantity == "wrong" else float(row["oks lost"]) for n, row in rows.items()}
    with styled():
        xy, size = _inches(schema)
        sides = _sides(xy)
        labels = {n: _label(n, rows.get(n), values.get(n, 0.0), quantity, sum(values.values())) for n in schema.names}
        margin = max((text_width(f"{a}  {b}", TEXT, bold=True) for a, b in labels.values()), default=1.0) + 0.45
        height = max(size[1] + 2 * _LARGEST, _GAP * (max(map(len, sides)) + 1), 1.2)
        figure = page(_title(rows, values, quantity), f"{subtitle(report)}; {QUANTITIES[quantity]}", max(size[0] + 2 * (margin + MARGIN), 7.5), height + 0.8)
        ax = _canvas(figure, height)
        xy = xy + (np.array([float(figure.get_size_inches()[0]), height]) - size) / 2
        _body(ax, schema, xy)
        _discs(ax, schema, xy, rows, values)
        _margins(ax, schema, xy, sides, labels, height)
        key(figure, MARGIN, 0.3, kinds_of(rows))
    return figure


def _canvas(figure: Figure, height: float) -> Axes:
    """Axes whose unit is an inch, y down."""
    width = float(figure.get_size_inches()[0])
    ax = axes(figure, 0, 0.6, width, height)
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.axis("off")
    return ax


# -- where points go ---------------------------------------------------------------------------------


def places(schema: Schema) -> Floats:
    """(K, 2) in 0..1, y down: where the schema says; where it does not for all, in columns, the body's left at the right as one faces it."""
    if all(k.at is not None for k in schema.keypoints):
        return np.array([k.at for k in schema.keypoints], np.float64).reshape(-1, 2)
    lefts, rights = ({schema.index(pair[i]) for pair in schema.pairs or ()} for i in (0, 1))
    if not schema.pairs and len(schema) > _COLUMN:
        rows = -(-len(schema) // 2)
        return np.array([[0.2 + 0.6 * (k // rows), (k % rows + 0.5) / rows] for k in range(len(schema))])
    row_of: dict[int, int] = {}
    xy, free = np.zeros((len(schema), 2)), 0
    for k, mirror in enumerate(schema.mirror.tolist()):
        row_of[k] = row_of.get(mirror, free)
        free = max(free, row_of[k] + 1)
        xy[k] = (0.8 if k in lefts else 0.2 if k in rights else 0.5), row_of[k]
    xy[:, 1] = (xy[:, 1] + 0.5) / max(free, 1)
    return xy


def _inches(schema: Schema) -> tuple[Floats, Floats]:
    """(K, 2) places from (0, 0), and the room they take: a drawing at most 4.6 by 5.2, crowded points moved apart."""
    xy = places(schema)
    if not len(xy):
        return xy, np.ones(2)
    xy = xy - xy.min(0)
    span = np.maximum(xy.max(0), 1e-6)
    drawn = all(k.at is not None for k in schema.keypoints)
    room = np.array([4.6, 5.2]) if drawn else np.array([2.4, 0.52 * (len(np.unique(xy[:, 1])) - 1)])
    xy = _apart(xy * (min(room / span) if drawn and len(xy) > 1 else room / span))
    xy = xy - xy.min(0)
    return xy, xy.max(0)


def _apart(xy: Floats) -> Floats:
    """The points moved until none is nearer to another than discs need; the others stay."""
    xy = xy.copy()
    for _ in range(60):
        step = xy[:, None] - xy[None]
        far = np.hypot(step[..., 0], step[..., 1])
        near = (far < _APART) & ~np.eye(len(xy), dtype=bool)
        if not near.any():
            break
        # two points on one spot part sideways
        away = np.where(
            far[..., None] > 1e-9,
            step / np.maximum(far, 1e-9)[..., None],
            np.sign(np.subtract.outer(np.arange(len(xy)), np.arange(len(xy))))[..., None] * [1.0, 0.0],
        )
        xy += (np.where(near, (_APART - far) * 0.3, 0.0)[..., None] * away).sum(1)
    return xy


def _sides(xy: Floats) -> tuple[list[int], list[int]]:
    """Rows named at the left and at the right margin: the nearer one, as long as there is room."""
    middle = (xy[:, 0].min() + xy[:, 0].max()) / 2 if len(xy) else 0.0
    left = [k for k in range(len(xy)) if xy[k, 0] < middle - 1e-6]
    right = [k for k in range(len(xy)) if xy[k, 0] > middle + 1e-6]
    for k in set(range(len(xy))) - {*left, *right}:
        min(left, right, key=len).append(k)
    if max(len(left), len(right)) > _FULL and abs(len(left) - len(right)) > 2:
        half = np.array_split(np.argsort(xy[:, 0], kind="stable"), 2)
        return half[0].tolist(), half[1].tolist()
    return left, right


# -- what is drawn -----------------------------------------------------------------------------------


def _body(ax: Axes, schema: Schema, xy: Floats) -> None:
    for a, b in schema.limb_rows.tolist():
        ax.plot(xy[[a, b], 0], xy[[a, b], 1], color=LINE, linewidth=4, solid_capstyle="round", zorder=1)


def _discs(ax: Axes, schema: Schema, xy: Floats, rows: Mapping[str, Mapping[str, Any]], values: Mapping[str, float]) -> None:
    most = max(values.values(), default=0.0)
    for k in sorted(range(len(schema)), key=lambda k: -values.get(schema.names[k], 0.0)):
        row, value = rows.get(schema.names[k]), values.get(schema.names[k], 0.0)
        ax.add_patch(Circle(tuple(xy[k]), 0.05, facecolor=FAINT, edgecolor=PAPER, linewidth=0.8, zorder=3))
        if row is not None and row["points"] and value > 0:
            _disc(ax, xy[k], _LARGEST * float(np.sqrt(value / most)), row)


def _disc(ax: Axes, at: Floats, radius: float, row: Mapping[str, Any]) -> None:
    """A pie of the kinds."""
    counts = {kind: row.get(kind, 0) for kind in ERRORS if row.get(kind, 0)}
    total, start = sum(counts.values()), 90.0
    ax.add_patch(Circle(tuple(at), max(radius, 0.04) + 0.02, facecolor=PAPER, linewidth=0, zorder=3.5))
    for kind, count in counts.items():
        turn = 360 * count / total
        ax.add_patch(Wedge(tuple(at), max(radius, 0.04), start - turn, start, facecolor=COLOURS[kind], linewidth=0, zorder=4, label=kind))
        start -= turn


def _label(name: str, row: Mapping[str, Any] | None, value: float, quantity: str, total: float) -> tuple[str, str]:
    if row is None or not row["points"]:
        return short(name), "-"
    return short(name), percent(value) if quantity == "wrong" else percent(value / total if total else 0.0)


def _margins(ax: Axes, schema: Schema, xy: Floats, sides: Sequence[Sequence[int]], labels: Mapping[str, tuple[str, str]], height: float) -> None:
    """Names at both margins, a thin line from each to its point."""
    width = ax.get_xlim()[1]
    for side, rows in enumerate(sides):
        ys = spread([float(xy[k, 1]) for k in rows], _GAP, _GAP / 2, height - _GAP / 2)
        for k, y in zip(rows, ys, strict=True):
            name, value = labels[schema.names[k]]
            edge, far = (MARGIN, width - MARGIN)[side], text_width(value, TEXT, bold=True) + 0.12
            inner = edge + (1 - 2 * side) * (far + text_width(name, SMALL) + 0.08)
            ax.text(edge, y, value, fontsize=TEXT, weight="bold", color=INK, ha=("left", "right")[side], va="center_baseline")
            ax.text(edge + (1 - 2 * side) * far, y, name, fontsize=SMALL, color=INK, ha=("left", "right")[side], va="center_baseline")
            ax.plot([inner, xy[k, 0]], [y, xy[k, 1]], color=LINE, linewidth=0.7, zorder=0.5)


def _title(rows: Mapping[str, Mapping[str, Any]], values: Mapping[str, float], quantity: str) -> str:
    if quantity == "wrong" or not any(values.values()):
        return worst_title(rows)
    most = max(values, key=lambda n: values[n])
    return f"{short(most)} loses most: {percent(values[most] / sum(values.values()))} of the similarity that is lost"
