"""Drawings of the labels: one small panel for each kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from posedata.errors import DataError
from posedata.schema import Schema

from ..errors.labels import LABELS, Rules
from .body import places
from .style import COLOURS, FAINT, INK, LINE, MARGIN, PALE, SMALL, TEXT, axes, page, put, styled, wrapped

__all__ = ["label_drawings"]

Floats = NDArray[np.float64]

KINDS = ("good", "jitter", "inversion", "swap", "miss", "absent", "surplus")
_TEXT: Mapping[str, str] = {**LABELS, "surplus": "said with confidence where the truth has no such point"}
_WIDE = ("inversion", "swap")
"""Panels that hold the whole body; the others look at the point from near."""
_ACROSS, _SIDE = 4, 2.15
"""Panels in a row, and the inches of one."""


@dataclass(frozen=True, eq=False)
class _Body:
    """A pose as the panels have it: y down, its longer side 1."""

    schema: Schema
    xy: Floats
    point: int
    """The keypoint that goes wrong."""
    area: float

    def radius(self, similarity: float) -> float:
        """Distance of this similarity from the point's place."""
        spread = 2 * float(self.schema.sigmas[self.point])
        return float(np.sqrt(-2 * np.log(similarity) * self.area)) * spread

    @property
    def mirror(self) -> int:
        return int(self.schema.mirror[self.point])


def label_drawings(schema: Schema, keypoint: str | None = None, rules: Rules | None = None) -> Figure:
    """The truth in grey, the predicted point in the colour of its label, circles where good and jitter end."""
    if not len(schema):
        raise DataError(schema.name, "no keypoints to draw", "choose a schema with points")
    rules = rules or Rules()
    body = _body(schema, keypoint)
    kinds = [kind for kind in KINDS if kind != "inversion" or body.mirror != body.point]
    rows = -(-len(kinds) // _ACROSS)
    height = _SIDE + 0.95
    with styled():
        name = schema.names[body.point]
        subtitle = f"{schema.name}, {name}: sigma {schema.sigmas[body.point]:g}. Circles: similarity {rules.good:g} and {rules.near:g}. Grey: the truth. Coloured: where the model puts the point"
        figure = page("What can be wrong with a keypoint", subtitle, 2 * MARGIN + _ACROSS * (_SIDE + 0.15), rows * height + 0.1)
        for i, kind in enumerate(kinds):
            row, column = divmod(i, _ACROSS)
            x, y = MARGIN + column * (_SIDE + 0.15), 0.1 + (rows - 1 - row) * height
            _panel(axes(figure, x, y + 0.95 - 0.1, _SIDE, _SIDE), kind, body, rules)
            put(figure, x, y + 0.66, "●", size=TEXT + 1, color=_ink(kind), va="center_baseline")
            put(figure, x + 0.18, y + 0.66, kind, size=TEXT + 1, weight="bold", va="center_baseline")
            for n, line in enumerate(wrapped(_TEXT[kind], _SIDE, SMALL - 1)):
                put(figure, x, y + 0.47 - 0.15 * n, line, size=SMALL - 1, color=FAINT, va="center_baseline")
    return figure


def _body(schema: Schema, keypoint: str | None) -> _Body:
    xy = places(schema)
    xy = xy - xy.min(0)
    xy = xy / max(float(xy.max()), 1e-6) if len(xy) > 1 else xy
    area = 0.53 * float(np.prod(np.maximum(np.ptp(xy, axis=0), 0.35)))
    return _Body(schema, xy, schema.index(keypoint) if keypoint is not None else _telling(schema, xy), area)


def _telling(schema: Schema, xy: Floats) -> int:
    """The point with a mirror point farthest from it, else the last."""
    far = np.hypot(*(xy - xy[schema.mirror]).T)
    return int(far.argmax()) if far.max() > 0 else len(schema) - 1


def _panel(ax: Axes, kind: str, body: _Body, rules: Rules) -> None:
    other = body.xy + _beside(body)
    place = _predicted(kind, body, other, rules)
    low, high = _window(body, np.concatenate([body.xy, other, [place]]) if kind == "swap" else body.xy) if kind in _WIDE else _near(body)
    ax.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal", xticks=[], yticks=[], facecolor="white")
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(PALE)
    hidden = body.point if kind == "surplus" else -1
    if kind == "swap":
        _pose(ax, body.schema, other, -1, PALE)
    _pose(ax, body.schema, body.xy, hidden, "#a5a29a")
    own = body.xy[body.point]
    if kind != "surplus":
        for similarity in (rules.good, rules.near):
            ax.add_patch(Circle(tuple(own), body.radius(similarity), fill=False, edgecolor=FAINT, linewidth=0.8, linestyle=(0, (3, 2)), zorder=2.5))
            if kind not in _WIDE:
                ax.annotate(
                    f"{similarity:g}"[1:],
                    (float(own[0]), float(own[1]) + body.radius(similarity)),
                    (0, -7),
                    textcoords="offset points",
                    fontsize=7,
                    color=FAINT,
                    ha="center",
                    va="center",
                )
    if place is None:
        ax.plot(*own, "o", markersize=9, markerfacecolor="white", markeredgecolor=COLOURS[kind], markeredgewidth=1.6, zorder=5)
        ax.text(float(own[0]), float(own[1]), "?", fontsize=SMALL, ha="center", va="center", color=COLOURS[kind], weight="bold", zorder=6)
        return
    ink = _ink(kind)
    if kind != "surplus":
        ax.plot([own[0], place[0]], [own[1], place[1]], color=ink, linewidth=1.2, zorder=4)
    ax.plot(*place, "o", markersize=8, color=ink, markeredgecolor="white", markeredgewidth=1, zorder=5, label=kind)


def _ink(kind: str) -> str:
    """The colour of the predicted point; good, which is pale elsewhere, is dark."""
    return COLOURS[kind] if kind != "good" else INK


def _beside(body: _Body) -> Floats:
    """Where a second body stands."""
    return np.array([float(np.ptp(body.xy[:, 0])) + 0.12, 0.05])


def _window(body: _Body, xy: Floats) -> tuple[Floats, Floats]:
    """A square around all that a panel holds."""
    ring = body.radius(0.5) * 1.15
    every = np.concatenate([body.xy, xy, body.xy[[body.point]] - ring, body.xy[[body.point]] + ring])
    middle, half = (every.min(0) + every.max(0)) / 2, float(np.ptp(every, axis=0).max()) / 2 + 0.08
    return middle - half, middle + half


def _near(body: _Body) -> tuple[Floats, Floats]:
    """A square around the point, with a miss and its neighbours."""
    own, far, half = body.xy[body.point], _far(body), 2.9 * body.radius(0.5)
    middle = own + np.clip((body.xy.mean(0) - own) * 0.3, -0.25 * half, 0.25 * half)
    half = max(half, float(np.abs(far - middle).max()) * 1.15)
    return middle - half, middle + half


def _far(body: _Body) -> Floats:
    """A place near no point: of many on a ring around the own place, the one farthest from all."""
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    ring = body.xy[body.point] + 2.1 * body.radius(0.5) * np.stack([np.cos(angles), np.sin(angles)], 1)
    near = np.hypot(*(ring[:, None] - body.xy[None]).transpose(2, 0, 1)).min(1)
    return np.asarray(ring[int(near.argmax())], np.float64)


def _predicted(kind: str, body: _Body, other: Floats, rules: Rules) -> Floats | None:
    """Where the model puts the point; None where it is left out."""
    own, aside = body.xy[body.point], np.array([0.8, -0.6])
    between = (rules.good + rules.near) / 2
    spots = {
        "good": own + aside * body.radius(rules.good) * 0.45,
        "jitter": own + aside * body.radius(between),
        "inversion": body.xy[body.mirror] + aside * body.radius(rules.good) * 0.5,
        "swap": other[body.point] + aside * body.radius(rules.good) * 0.5,
        "miss": _far(body),
        "surplus": own,
    }
    return spots.get(kind)


def _pose(ax: Axes, schema: Schema, xy: Floats, hidden: int, colour: str) -> None:
    for a, b in schema.limb_rows.tolist():
        if hidden not in (a, b):
            ax.plot(xy[[a, b], 0], xy[[a, b], 1], color=LINE if colour == PALE else colour, linewidth=2, solid_capstyle="round", zorder=1)
    shown = np.arange(len(xy)) != hidden
    ax.plot(xy[shown, 0], xy[shown, 1], "o", markersize=3.2, color=LINE if colour == PALE else "#75726b", linestyle="none", zorder=2)
