"""What is wrong with each keypoint: bars of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posedata.errors import PoseError, did_you_mean
from posedata.schema import Schema

from ..errors.labels import ERRORS
from ..errors.report import ErrorReport
from .style import COLOURS, FAINT, MARGIN, PALE, SMALL, TEXT, axes, key, listed, page, percent, put, short, styled, text_width

__all__ = ["ORDERS", "by_keypoint", "error_shares", "grouped", "kinds_of", "worst_title"]

ORDERS = ("worst", "schema")

Row = Mapping[str, Any]

_ALIKE, _NAMED = 0.8, 4
"""Points this near to the worst are named with it, up to so many."""


def error_shares(report: ErrorReport, order: str = "worst") -> Figure:
    """A bar for each keypoint: the share of its labelled points that is wrong, by kind. Mirror points stand together."""
    if order not in ORDERS:
        raise PoseError("error_shares: order", f"no order {order!r}", did_you_mean(order, ORDERS))
    rows = by_keypoint(report)
    groups = grouped(report.ev.truth.schema, list(rows))
    if order == "worst":
        groups.sort(key=lambda names: -max(wrong(rows[n]) for n in names))
    with styled():
        return _drawn(report, rows, groups)


def by_keypoint(report: ErrorReport) -> dict[str, Row]:
    """Counts of each keypoint, by name."""
    return {str(name): row for name, row in report.slices("keypoint")}


def wrong(row: Row) -> float:
    """Share of wrong points; 0 where there are none at all."""
    return float(row["wrong"]) if row["points"] else 0.0


def kinds_of(rows: Mapping[str, Row]) -> list[str]:
    """Kinds that occur."""
    return [kind for kind in ERRORS if any(row.get(kind, 0) for row in rows.values())]


def grouped(schema: Schema, names: Sequence[str]) -> list[list[str]]:
    """The names in the order of the schema, mirror points together."""
    groups, seen = [], set[str]()
    for name in names:
        mirror = schema.names[schema.mirror[schema.index(name)]]
        group = [n for n in dict.fromkeys((name, mirror)) if n in names and n not in seen]
        seen.update(group)
        groups += [group] if group else []
    return groups


def _drawn(report: ErrorReport, rows: Mapping[str, Row], groups: Sequence[Sequence[str]]) -> Figure:
    kinds = kinds_of(rows)
    names, places = _places(groups)
    step = 0.24
    left = MARGIN + max((text_width(short(n), TEXT) for n in names), default=1.0) + 0.15
    height = step * (places[-1] + 1 if places else 1)
    figure = page(worst_title(rows), subtitle(report), max(left + 6.2, 7.5), height + 1.15)
    ax = axes(figure, left, 0.6, 5.0, height)
    longest = max([wrong(row) for row in rows.values()], default=0.0)
    _frame(ax, names, places, min(1.0, max(longest * 1.12, 0.05)))
    for name, place in zip(names, places, strict=True):
        _bar(ax, rows[name], place, kinds)
    key(figure, left, 0.6 + height + 0.28, kinds)
    put(figure, left + 5.75, 0.6 + height + 0.28, "labelled", size=SMALL, color=FAINT, ha="right", va="center_baseline")
    for name, place in zip(names, places, strict=True):
        y = 0.6 + height - (place + 0.5) * step
        put(figure, left + 5.75, y, f"{rows[name]['points']:,}", size=SMALL, color=FAINT, ha="right", va="center_baseline")
    return figure


def _places(groups: Sequence[Sequence[str]]) -> tuple[list[str], list[float]]:
    """Names and their rows, with a gap between groups."""
    names, places, at = [], [], 0.0
    for group in groups:
        for name in group:
            names.append(name)
            places.append(at)
            at += 1
        at += 0.35
    return names, places


def _frame(ax: Axes, names: Sequence[str], places: Sequence[float], top: float) -> None:
    ax.set(xlim=(0, top), ylim=((places[-1] if places else 0) + 0.5, -0.5), xlabel="share of the labelled points of found poses")
    ax.set_yticks(list(places), [short(n) for n in names], fontsize=TEXT, color="#26262a")
    ax.tick_params(axis="y", length=0, pad=6)
    ticks = [t for t in ax.get_xticks() if 0 <= t <= top]
    ax.set_xticks(ticks, [f"{100 * t:g}%" for t in np.round(ticks, 6)])
    ax.grid(True, axis="x")
    ax.spines["left"].set_visible(False)


def _bar(ax: Axes, row: Row, place: float, kinds: Sequence[str]) -> None:
    if not row["points"]:
        ax.text(0, place, " none to judge", fontsize=SMALL, color=FAINT, va="center_baseline")
        return
    start = 0.0
    for kind in kinds:
        share = row.get(kind, 0) / row["points"]
        if share:
            ax.barh(place, share, left=start, height=0.78, color=COLOURS[kind], linewidth=0, label=kind)
        start += share
    ax.barh(place, 0.0, left=start, height=0.78, color=PALE, label="end")
    ax.annotate(percent(start), (start, place), (4, 0), textcoords="offset points", fontsize=SMALL, va="center_baseline")


def worst_title(rows: Mapping[str, Row]) -> str:
    """Which points go wrong most, and how."""
    known = {n: row for n, row in rows.items() if row["points"]}
    if not known:
        return "No pose was found: no keypoint can be judged"
    order = sorted(known, key=lambda n: -wrong(known[n]))
    most = [n for n in order if wrong(known[n]) >= _ALIKE * wrong(known[order[0]])]
    if not wrong(known[most[0]]):
        return "Every keypoint is good"
    low, high = percent(wrong(known[most[-1]])), percent(wrong(known[most[0]]))
    how_much = f"{high if low == high else f'{low} to {high}'}, {_mostly(known, most)}"
    if len(most) == 1:
        return f"{short(most[0])} goes wrong most: {how_much}"
    if len(most) > _NAMED:
        return f"{'All' if len(most) == len(known) else len(most)} keypoints go wrong {'alike' if len(most) == len(known) else 'most'}: {how_much}"
    return f"{listed([short(n) for n in most])} go wrong most: {how_much}"


def _mostly(rows: Mapping[str, Row], names: Sequence[str]) -> str:
    """The kind that most of their errors are."""
    both = {kind: sum(rows[n].get(kind, 0) for n in names) for kind in ERRORS}
    main = max(both, key=lambda kind: both[kind])
    share = both[main] / sum(both.values())
    return f"{'all' if share == 1 else 'mostly' if share > 0.5 else 'most often'} {plural(main)}"


def plural(kind: str) -> str:
    """A kind as a title speaks of many."""
    return {"miss": "misses", "jitter": "jitter", "absent": "absent", "confusion": "confused", "score": "scores", "missed": "missed truths",
            "background": "background poses", "box": "boxes"}.get(kind, f"{kind}s")  # fmt: skip


def subtitle(report: ErrorReport) -> str:
    """Of how many."""
    total, poses, counted = sum(report.counts.values()), len(report.labelled.truth), report.ev.counts["counted"]
    return f"{report.ev.truth.name}: {total:,} labelled points of {poses:,} found poses ({counted:,} truths count)"
