"""What rules look at: a set's columns, some thousand rows at a time, and what its file says beyond them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..formats.tolerant import Noted, Tolerant
from .thresholds import Limits, limits_from

if TYPE_CHECKING:
    from .looking import Looks

__all__ = ["Batch", "Subject"]

Floats = NDArray[np.float64]
ROWS = 4096
"""Rows of a batch: its columns stay in the processor's cache."""


@dataclass(frozen=True)
class Subject:
    """A set to look at."""

    ds: PoseDataset
    limits: Limits = field(default_factory=limits_from)
    file: Tolerant | None = None
    counts: tuple[int, int] | None = None
    """Published (images, instances), where the catalogue knows them."""
    looks: Looks | None = None
    """What the pictures themselves say, where they were opened."""

    @property
    def schema_names(self) -> tuple[str, ...]:
        return self.ds.schema.names

    @cached_property
    def notes(self) -> Mapping[str, list[Noted]]:
        """What the reader of the file noted, by kind."""
        kinds: dict[str, list[Noted]] = {}
        for note in self.file.notes if self.file else ():
            kinds.setdefault(note.kind, []).append(note)
        return kinds

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """The instances, some thousand at a time, with the row of the first."""
        for first in range(0, len(self.ds), ROWS):
            yield first, Batch(self.ds, slice(first, first + ROWS), self.limits)

    def path(self, table: str, row: int, key: str = "") -> str:
        """JSON path of a row, in the file as it is, or as it would be written."""
        if not table:
            return "$"
        if self.file is not None:
            key = key if self.file.stands_under.get(table, table) == table else ""
            return self.file.path(table, row) + (f".{key}" if key else "")
        return f"$.{table}[{row}]" + (f".{key}" if key else "")

    def ids(self, table: str, row: int) -> tuple[Any, Any]:
        """(image id, annotation id) of a row, as the file has them."""
        if table == "annotations":
            return self._id("images", int(self.ds.instances.image[row])), self._id("annotations", row)
        return (self._id("images", row), None) if table == "images" else (None, None)

    def _id(self, table: str, row: int) -> Any:
        lost = self.file.lost.get(table, {}) if self.file else {}
        ids = (self.ds.images if table == "images" else self.ds.instances).id
        return lost[row] if row in lost else ids[row].item() if ids.dtype.kind == "i" else ids[row]

    @cached_property
    def labelled_counts(self) -> NDArray[np.int64]:
        """(N,) labelled points of each instance."""
        return np.concatenate([np.zeros(0, np.int64), *(b.count for _, b in self.batches())])

    @cached_property
    def flags(self) -> NDArray[np.int64]:
        """(3, K) how often each keypoint is v = 0, 1, 2 among poses that have labelled points."""
        total = np.zeros((3, len(self.ds.schema)), np.int64)
        for _, b in self.batches():
            posed = b.count > 0
            known = b.annotated & posed
            for v in (0, 1, 2):
                total[v] += ((b.v == v) & known).sum(1)
        return total


@dataclass(frozen=True)
class Batch:
    """Some rows of a set, points first: (K, n) arrays, over which numpy goes many rows at a time."""

    ds: PoseDataset
    rows: slice
    limits: Limits

    @cached_property
    def _xyv(self) -> Floats:
        return np.ascontiguousarray(self.ds.instances.keypoints[self.rows].transpose(2, 1, 0))

    @property
    def x(self) -> Floats:
        return self._xyv[0]

    @property
    def y(self) -> Floats:
        return self._xyv[1]

    @property
    def v(self) -> Floats:
        return self._xyv[2]

    @cached_property
    def annotated(self) -> NDArray[np.bool_]:
        return np.ascontiguousarray(self.ds.instances.annotated[self.rows].T)

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """(K, n); what is not annotated has v = 0."""
        return self.v > 0

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """(n,) labelled points."""
        return self.labelled.sum(0)

    @cached_property
    def reach(self) -> tuple[Floats, Floats, Floats, Floats]:
        """(n,) least and largest x, least and largest y of the labelled points; inf, -inf, ... without any."""
        if len(self.v) == 0:
            none = np.full(self.v.shape[1], np.inf)
            return none, -none, none, -none
        least = [np.where(self.labelled, a, np.inf).min(0) for a in (self.x, self.y)]
        most = [np.where(self.labelled, a, -np.inf).max(0) for a in (self.x, self.y)]
        return least[0], most[0], least[1], most[1]

    @cached_property
    def image(self) -> NDArray[np.int64]:
        return self.ds.instances.image[self.rows]

    @cached_property
    def frame(self) -> tuple[Floats, Floats]:
        """(n,) width and height of the image; inf where unknown."""
        sides = [table[self.image].astype(np.float64) for table in (self.ds.images.width, self.ds.images.height)]
        unknown = (sides[0] <= 0) | (sides[1] <= 0)
        return np.where(unknown, np.inf, sides[0]), np.where(unknown, np.inf, sides[1])

    @cached_property
    def box(self) -> tuple[Floats, Floats, Floats, Floats]:
        """(n,) x, y, w, h; NaN where unknown."""
        x, y, w, h = np.ascontiguousarray(self.ds.instances.bbox[self.rows].T)
        return x, y, w, h

    @cached_property
    def area(self) -> Floats:
        return self.ds.instances.area[self.rows]

    @cached_property
    def crowd(self) -> NDArray[np.bool_]:
        return self.ds.instances.crowd[self.rows]

    def take(self, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        """(K, len(rows)) x, y, v of some rows."""
        return self.x[:, rows], self.y[:, rows], self.v[:, rows]
