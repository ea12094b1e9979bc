"""Planted label errors: a copy of clean annotations with faults of known kinds, and a record of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, did_you_mean
from posedata.tables import AREA_SHARE

__all__ = ["PLANTED", "Planted", "plant_label_errors"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Planted:
    """The annotations with their faults; `record` holds a row for each: kind, annotation id, keypoints."""

    truth: PoseDataset
    record: tuple[Mapping[str, Any], ...]
    short: Mapping[str, int]
    """Kinds of which fewer could be planted than were asked for, and how many were."""

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        found: dict[str, int] = {}
        for row in self.record:
            found[row["kind"]] = found.get(row["kind"], 0) + 1
        return found


def plant_label_errors(truth: PoseDataset, counts: Mapping[str, int], seed: int = 0) -> Planted:
    """A copy of `truth` with `counts[kind]` label errors of each kind of PLANTED, one on an annotation, none on a crowd.

    An exchange is one of a pair, a limb or the whole body in turn. Where a set offers fewer places than asked for, `short` says so.
    """
    for kind, count in counts.items():
        if kind not in PLANTED:
            raise DataError("plant_label_errors", f"no kind {kind!r}", did_you_mean(str(kind), PLANTED))
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise DataError("plant_label_errors", f"{kind}: {count!r}", "a whole number of 0 or more")
    bed = _Bed(truth, np.random.default_rng(seed))
    short = {}
    for kind, count in counts.items():
        done = sum(PLANTED[kind](bed, turn) for turn in range(count))
        if done < count:
            short[kind] = done
    keep = np.ones(len(truth), bool)
    keep[bed.removed] = False
    own = replace(truth.instances, keypoints=bed.points, recorded=np.full(len(truth), -1)).take(keep)
    return Planted(replace(truth, instances=own, name=f"{truth.name} with planted errors"), tuple(bed.record), short)


class _Bed:
    """Points to be spoilt, which annotations are free, and what was done."""

    def __init__(self, truth: PoseDataset, rng: np.random.Generator) -> None:
        own = truth.instances
        self.truth, self.rng = truth, rng
        self.points = own.keypoints.copy()
        self.labelled, self.mirror = own.labelled, truth.schema.mirror
        area = np.where(own.area > 0, own.area, own.bbox[:, 2] * own.bbox[:, 3] * AREA_SHARE)
        self.reach = truth.sigmas[own.category] * 2 * np.sqrt(np.nan_to_num(area))[:, None] if len(truth.categories) else np.zeros(own.labelled.shape)
        self.free = ~own.crowd & (self.labelled.sum(1) >= 4) & (area > 0)
        self.removed: list[int] = []
        self.record: list[dict[str, Any]] = []

    def pick(self, could: NDArray[np.bool_]) -> int | None:
        """A free row for which something could be done; it is free no more."""
        rows = np.flatnonzero(self.free & could)
        if not len(rows):
            return None
        row = int(self.rng.choice(rows))
        self.free[row] = False
        return row

    def done(self, kind: str, row: int, columns: Any, **more: Any) -> bool:
        names = self.truth.schema.names
        ids = self.truth.instances.id
        self.record.append({"kind": kind, "annotation_id": ids[row].item() if ids.dtype.kind == "i" else ids[row], "row": row,
                            "keypoints": [names[int(k)] for k in np.atleast_1d(columns)], **more})  # fmt: skip
        return True

    def apart(self, row: int, a: Any, b: Any) -> NDArray[np.bool_]:
        """Whether places (n, 2) lie clearly apart, at the tolerance of the points."""
        return np.asarray(np.hypot(*(np.asarray(a) - np.asarray(b)).T) > 2 * self.reach[row])


def _displaced(bed: _Bed, turn: int) -> bool:
    """A point put three to eight of its tolerances (of 2 sigma) away, in the frame where its size is known."""
    row = bed.pick(np.ones(len(bed.free), bool))
    if row is None:
        return False
    k = int(bed.rng.choice(np.flatnonzero(bed.labelled[row])))
    angle, far = bed.rng.uniform(0, 2 * np.pi), bed.rng.uniform(3, 8) * bed.reach[row, k]
    bed.points[row, k, :2] = bed.points[row, k, :2] + far * np.array([np.cos(angle), np.sin(angle)])
    return bed.done("displaced", row, k)


def _pairs_apart(bed: _Bed) -> NDArray[np.bool_]:
    """(N, K) labelled points whose mirror point is labelled and lies clearly apart."""
    gap = np.hypot(*np.moveaxis(bed.points[..., :2] - bed.points[:, bed.mirror, :2], -1, 0))
    return np.asarray(bed.labelled & bed.labelled[:, bed.mirror] & (bed.mirror != np.arange(len(bed.mirror))) & (gap > 2 * bed.reach))


def _exchange(bed: _Bed, turn: int) -> bool:
    """Left and right of a pair, of a limb (two pairs that a limb joins), or of the whole body."""
    extent = ("pair", "limb", "body")[turn % 3]
    apart = _pairs_apart(bed)
    row = bed.pick(apart.sum(1) >= {"pair": 2, "limb": 4, "body": 6}[extent])
    if row is None:
        return False
    columns = np.flatnonzero(apart[row])
    if extent == "body":
        columns = np.arange(len(bed.mirror))
    else:
        k = int(bed.rng.choice(columns))
        chosen = [k, *_joined(bed, columns, k)[: 0 if extent == "pair" else 1]]
        columns = np.unique([c for k in chosen for c in (k, bed.mirror[k])])
    bed.points[row, columns] = bed.points[row, bed.mirror[columns]]
    moved = columns[bed.labelled[row, columns] & (bed.mirror[columns] != columns)]
    return bed.done("exchange", row, moved, extent=extent)


def _joined(bed: _Bed, columns: Rows, k: int) -> list[int]:
    """Others of these columns, those on a limb with `k` first."""
    near = {int(b if a == k else a) for a, b in bed.truth.schema.limb_rows.tolist() if k in (a, b)} - {int(bed.mirror[k])}
    others = [int(c) for c in columns if c not in (k, bed.mirror[k])]
    return sorted(others, key=lambda c: c not in near)


def _others(bed: _Bed) -> list[Rows]:
    """Rows of the free annotations of every image that has several."""
    rows = np.flatnonzero(bed.free)
    rows = rows[np.argsort(bed.truth.instances.image[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(bed.truth.instances.image[rows], prepend=-1))
    return [group for group in np.split(rows, starts[1:]) if len(group) > 1]


def _beside(bed: _Bed, both: bool) -> tuple[int, int, int] | None:
    """Two annotations of one image and a point that lies clearly apart on them; both labelled, or only the first."""
    images = _others(bed)
    for i in bed.rng.permutation(len(images)).tolist():
        a, b = bed.rng.permutation(images[i])[:2].tolist()
        there = bed.labelled[a] & bed.labelled[b]
        gap = np.hypot(*(bed.points[a, :, :2] - bed.points[b, :, :2]).T)
        columns = np.flatnonzero(there & (gap > 2 * np.maximum(bed.reach[a], bed.reach[b])))
        if len(columns):
            bed.free[[a, b] if both else [a]] = False
            return int(a), int(b), int(bed.rng.choice(columns))
    return None


def _neighbour(bed: _Bed, turn: int) -> bool:
    """A point exchanged between two bodies: both annotations are wrong, and both are recorded."""
    found = _beside(bed, True)
    if found is None:
        return False
    a, b, k = found
    bed.points[[a, b], k] = bed.points[[b, a], k]
    ids = bed.truth.instances.id.tolist()
    bed.done("neighbour", a, k, other=ids[b])
    return bed.done("neighbour", b, k, other=ids[a])


def _wrong_instance(bed: _Bed, turn: int) -> bool:
    """A point labelled on another body, whose own label is right."""
    found = _beside(bed, False)
    if found is None:
        return False
    a, b, k = found
    bed.free[b] = False
    bed.points[a, k] = bed.points[b, k]
    return bed.done("wrong_instance", a, k, other=bed.truth.instances.id.tolist()[b])


def _missing_instance(bed: _Bed, turn: int) -> bool:
    """An annotation left out."""
    row = bed.pick(np.ones(len(bed.free), bool))
    if row is None:
        return False
    bed.removed.append(row)
    return bed.done("missing_instance", row, np.flatnonzero(bed.labelled[row]))


def _missing_keypoint(bed: _Bed, turn: int) -> bool:
    """A labelled point left out: 0, 0, 0."""
    seen = bed.labelled & (bed.points[..., 2] == 2)
    row = bed.pick(np.asarray(seen.any(1), bool))
    if row is None:
        return False
    k = int(bed.rng.choice(np.flatnonzero(seen[row])))
    bed.points[row, k] = 0
    return bed.done("missing_keypoint", row, k)


def _surplus_keypoint(bed: _Bed, turn: int) -> bool:
    """A point that is not to be seen labelled as seen, somewhere in the box of the others."""
    bare = bed.truth.instances.annotated & ~bed.labelled
    row = bed.pick(np.asarray(bare.any(1), bool))
    if row is None:
        return False
    k = int(bed.rng.choice(np.flatnonzero(bare[row])))
    known = bed.points[row, bed.labelled[row], :2]
    bed.points[row, k] = [*(known.min(0) + bed.rng.random(2) * np.ptp(known, axis=0)), 2]
    return bed.done("surplus_keypoint", row, k)


PLANTED: Mapping[str, Callable[[_Bed, int], bool]] = {
    "displaced": _displaced,
    "exchange": _exchange,
    "neighbour": _neighbour,
    "wrong_instance": _wrong_instance,
    "missing_instance": _missing_instance,
    "missing_keypoint": _missing_keypoint,
    "surplus_keypoint": _surplus_keypoint,
}
"""What can be planted, and how."""
