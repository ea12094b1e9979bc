"""Losses: what a merge could not keep, and what it changed, counted by source and kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DataError, did_you_mean, first_few

if TYPE_CHECKING:
    import pandas

__all__ = ["CHANGED", "LOST", "Loss", "Losses"]

LOST = {
    "point": "labelled points that no point of the target takes",
    "place": "coordinates of unlabelled points that no point of the target takes",
    "recorded": "num_keypoints of the file, which counted other points",
    "sigma": "sigmas of one category that the target cannot hold",
    "category key": "keys of a category's record that the merged category cannot hold",
    "listing": "image entries that stood twice, alike, in the file",
    "image": "images left out, as an earlier source has them",
    "instance": "instances left out",
    "twice": "labelled points that an earlier source has labelled too; its own stays",
    "value": "values that an earlier source's value beats",
}
CHANGED = {
    "approximate": "labelled points carried to the nearest point the target has",
    "derived": "points computed from others",
    "no target": "points of the source that are never labelled and that the target lacks",
    "not annotated": "points of the target that this source does not know",
    "column": "columns whose values are written another way",
    "category": "categories that have another name or number now",
    "alike": "names of categories that differ in spelling alone and stay apart",
    "joined": "instances that are one with an instance of an earlier source",
    "image joined": "images that are one with an image of an earlier source",
    "conflict": "points on which two sources disagree (similarity below .5); the earlier one's stays",
    "ambiguous": "instances that two of an earlier source resemble",
    "apart": "images that an earlier source has too, kept apart",
    "not looked at": "images whose pictures are not here, so that copies were not looked for",
    "file name": "images whose file name another image has too",
}


@dataclass(frozen=True)
class Loss:
    """So many things of one kind that one source lost, or that were changed."""

    source: str
    kind: str
    what: str
    count: int
    note: str = ""

    @property
    def lost(self) -> bool:
        """Gone, not only changed."""
        return self.kind in LOST


@dataclass(frozen=True, repr=False)
class Losses:
    """Every loss and every change of a merge, in the order of the sources."""

    rows: tuple[Loss, ...] = ()

    def __iter__(self) -> Iterator[Loss]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Loss:
        return self.rows[row]

    def __add__(self, other: Losses) -> Losses:
        return Losses(self.rows + other.rows)

    @property
    def lost(self) -> Losses:
        """What is gone."""
        return Losses(tuple(r for r in self.rows if r.lost))

    @property
    def changed(self) -> Losses:
        """What is there in another form, and what a reader should know."""
        return Losses(tuple(r for r in self.rows if not r.lost))

    def of(self, kind: str, source: str | None = None) -> Losses:
        """The rows of one kind, of one source where named."""
        if kind not in LOST and kind not in CHANGED:
            raise DataError("Losses.of", f"kind {kind!r}", did_you_mean(kind, [*LOST, *CHANGED]))
        return Losses(tuple(r for r in self.rows if r.kind == kind and source in (None, r.source)))

    @property
    def count(self) -> int:
        """All counts added."""
        return sum(r.count for r in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: lost and changed, a record for each row."""
        return {"lost": [asdict(r) for r in self.lost], "changed": [asdict(r) for r in self.changed]}

    def to_frame(self) -> pandas.DataFrame:
        """One row for each loss: source, kind, what, count, note, lost."""
        import pandas as pd

        records = [{**asdict(r), "lost": r.lost} for r in self.rows]
        return pd.DataFrame(records, columns=["source", "kind", "what", "count", "note", "lost"])

    def __repr__(self) -> str:
        return "\n".join(["lost", *_block(self.lost), "changed", *_block(self.changed)])


def told(rows: Iterable[Loss]) -> Losses:
    """The rows that count something."""
    return Losses(tuple(r for r in rows if r.count))


def _block(rows: Losses) -> list[str]:
    """Lines by source and kind."""
    lines: list[str] = []
    groups: dict[tuple[str, str], list[Loss]] = {}
    for r in rows:
        groups.setdefault((r.source, r.kind), []).append(r)
    for (source, kind), found in groups.items():
        things = ", ".join(f"{r.what} {r.count:,}" if r.what else f"{r.count:,}" for r in found[:8])
        more = f", and {len(found) - 8} more" if len(found) > 8 else ""
        notes = first_few(dict.fromkeys(r.note for r in found if r.note), 3)
        lines.append(f"  {source}: {kind}: {things}{more}" + (f" ({notes})" if notes else ""))
    return lines or ["  nothing"]
