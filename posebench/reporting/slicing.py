"""Slices: which a report shows, its numbers for each, and which of them every truth is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError

from ..errors.report import ErrorReport
from ..metrics import Measured
from ..slices import SLICES, Slice, slices_of

__all__ = ["Group", "groups"]

_MOST = 40
"""Slices of one kind that a page shows; the largest, where there are more."""
_COLUMNS = 8
"""Columns of the data that become slices by themselves."""
_BOOKKEEPING = ("source_id", "track", "track_id")
"""Columns that name rows, and kinds of nothing."""


@dataclass(frozen=True, eq=False)
class Group:
    """One way to slice: its rows, and which truths each holds."""

    name: str
    summary: str
    labels: tuple[str, ...]
    metrics: tuple[Mapping[str, Measured], ...]
    points: tuple[Mapping[str, Any], ...]
    """Points of found poses by label, and the similarity they lose."""
    members: tuple[NDArray[np.bool_] | None, ...]
    """(N,) truths of each; None where slices are of points."""
    left_out: int = 0
    """Rows that were too many to show."""


def groups(report: ErrorReport) -> list[Group]:
    """Every kind of slice that tells something here: two rows at least that hold truths."""
    made: list[Group] = []
    for name in _names(report):
        group = _group(report, name)
        if group is not None and sum(any(m.n for m in row.values()) for row in group.metrics) > 1 and not any(_alike(group, other) for other in made):
            made.append(group)
    return made


def _alike(a: Group, b: Group) -> bool:
    """Whether two ways to slice are one under two names, as category and species may be."""
    return _parts(a) == _parts(b) != set()


def _parts(group: Group) -> set[bytes]:
    return {mask.tobytes() for mask in group.members if mask is not None and mask.any()}


def _names(report: ErrorReport) -> list[str]:
    truth = report.ev.truth
    own = {**truth.instances.meta, **truth.images.meta}
    skipped = (*SLICES, *_BOOKKEEPING, report.ev.protocol.level_column)  # which "crowd" shows
    columns = [name for name, column in own.items() if name not in skipped and _few(column)][:_COLUMNS]
    return [name for name in SLICES if name != "keypoint"] + columns


def _few(column: NDArray[Any]) -> bool:
    """Kinds, or numbers, which come in quarters; not names of single rows."""
    if column.dtype.kind in "biuf":
        return True
    try:
        return 1 < len(set(column.tolist())) <= max(12, min(60, len(column) // 5))
    except TypeError:  # a column of lists
        return False


def _group(report: ErrorReport, name: str) -> Group | None:
    ev = report.ev
    try:
        slices, measured, points = slices_of(ev.workings, name), ev.slices(name), report.slices(name)
    except PoseError:  # levels without their column, for instance: nothing to show
        return None
    rows = list(range(len(slices)))
    if len(rows) > _MOST:
        rows = sorted(sorted(rows, key=lambda i: -max(m.n for m in measured[i][1].values()))[:_MOST])
    return Group(
        name=name,
        summary=SLICES[name].summary if name in SLICES else "a column of the data",
        labels=tuple(str(slices[i].label) for i in rows),
        metrics=tuple(measured[i][1] for i in rows),
        points=tuple(points[i][1] for i in rows),
        members=tuple(_members(report, slices[i]) for i in rows),
        left_out=len(slices) - len(rows),
    )


def _members(report: ErrorReport, each: Slice) -> NDArray[np.bool_] | None:
    own, chosen = report.ev.truth.instances, each.selection
    if chosen.keypoint is not None or chosen.visibility is not None:
        return None
    held = np.ones(len(own.image), bool)
    if chosen.truths is not None:
        held &= chosen.truths
    if chosen.images is not None:
        held &= chosen.images[own.image] > 0
    if chosen.category is not None:
        held &= own.category == chosen.category
    return held


def held_by(made: Sequence[Group], truth: int) -> list[tuple[int, int]]:
    """(group, row) of all slices that a truth is in."""
    if truth < 0:
        return []
    return [(g, i) for g, group in enumerate(made) for i, mask in enumerate(group.members) if mask is not None and mask[truth]]
