"""What the tolerances mean: circles of equal similarity around each keypoint, on a body of the size that the truth has."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from posedata.errors import DataError
from posedata.similarity import extent_area

from ..evaluation import Evaluation
from ..problem import sigma_table
from .body import places
from .style import FAINT, INK, MARGIN, PAPER, SHADES, SMALL, axes, page, put, short, styled

__all__ = ["tolerance_circles"]

Floats = NDArray[np.float64]

GOOD, NEAR = 0.85, 0.5
"""Similarities where good ends, and where jitter does."""
_HIGH, _WIDE = 5.2, 5.6
"""Inches at most."""


def tolerance_circles(ev: Evaluation) -> Figure:
    """The schema's body with the circles on which a point has similarity .85 and .5, to the scale of this truth's areas."""
    schema, sigmas = ev.truth.schema, _sigmas(ev)
    if not len(schema):
        raise DataError(schema.name, "no keypoints to draw", "choose a schema with points")
    xy, unit, size = _placed(places(schema), 2 * sigmas * _scale(ev))
    with styled():
        figure = page(_title(schema.names, sigmas), _subtitle(ev), max(float(size[0]) + 2 * MARGIN, 7.5), float(size[1]) + 0.6)
        wide = float(figure.get_size_inches()[0])
        ax = axes(figure, 0, 0.6, wide, float(size[1]))
        ax.set(xlim=((size[0] - wide) / 2, (size[0] + wide) / 2), ylim=(size[1], 0))
        ax.axis("off")
        for a, b in schema.limb_rows.tolist():
            ax.plot(xy[[a, b], 0], xy[[a, b], 1], color=FAINT, linewidth=2.2, solid_capstyle="round", zorder=1)
        for similarity in (NEAR, GOOD):
            _circles(ax, xy, unit * _radius(similarity), similarity)
        ax.plot(*xy.T, "o", markersize=3.4, color=INK, markeredgecolor=PAPER, markeredgewidth=0.6, linestyle="none", zorder=5)
        put(figure, MARGIN, 0.28, "inner circle: similarity .85, where good ends; outer: .5, where jitter ends", size=SMALL, color=FAINT, va="center")
    return figure


def _radius(similarity: float) -> float:
    """Distance of a similarity, in spreads."""
    return math.sqrt(-2 * math.log(similarity))


def _placed(xy: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """(K, 2) inches of points from (0, 0), (K,) their spreads, and the room they take, circles and all; `spread` is in roots of the extent."""
    extent = np.ptp(xy, axis=0)
    # a body that is a line, or a point, still has a size
    root = math.sqrt(float(np.prod(np.maximum(extent, max(0.35 * float(extent.max()), 0.1)))))
    room = (_radius(NEAR) * spread * root)[:, None]
    low, high = (xy - room).min(0), (xy + room).max(0)
    inches = min(np.array([_WIDE, _HIGH]) / np.maximum(high - low, 1e-6))
    return (xy - low) * inches, spread * root * inches, (high - low) * inches


def _circles(ax: Axes, xy: Floats, radii: Floats, similarity: float) -> None:
    depth = 3 if similarity == GOOD else 2
    for centre, radius in zip(xy.tolist(), radii.tolist(), strict=True):
        ax.add_patch(Circle(tuple(centre), radius, facecolor=SHADES[2], alpha=0.15 * (depth - 1), linewidth=0, zorder=depth))
        ax.add_patch(Circle(tuple(centre), radius, fill=False, edgecolor=SHADES[1], linewidth=0.8, zorder=depth + 0.5, label=f"{similarity:g}"))


def _sigmas(ev: Evaluation) -> Floats:
    """(K,) as they are used, the median where categories differ; 0 where none has the point."""
    table = sigma_table(ev.truth, ev.protocol)
    return np.array([np.median(known) if len(known := column[~np.isnan(column)]) else 0.0 for column in table.T])


def _scale(ev: Evaluation) -> float:
    """Root of the area over the root of the extent of the labelled points: the median over truths that show most of their points."""
    problem = ev.workings.problem()
    shown = ~problem.ignored & (problem.labelled.sum(1) >= 0.7 * problem.labelled.shape[1]) & (problem.area > 0)
    extent = extent_area(problem.points[shown][..., :2], problem.labelled[shown])
    ratio = problem.area[shown][extent > 0] / extent[extent > 0]
    return float(np.sqrt(np.median(ratio))) if len(ratio) else 1.0


def _title(names: tuple[str, ...], sigmas: Floats) -> str:
    known = {n: s for n, s in zip(names, sigmas.tolist(), strict=True) if s > 0}
    if not known or max(known.values()) == min(known.values()):
        return "All keypoints have one tolerance"
    least, most = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    return f"{short(most)} may be off {known[most] / known[least]:.1f} times as far as {short(least)}"


def _subtitle(ev: Evaluation) -> str:
    return f"{ev.truth.schema.name}: {ev.truth.schema.sigma_note()}. Circles to the scale of a usual body of {ev.truth.name}"
