"""What the strict reader refused, noted and taken out of a copy in memory, so that the rest can be read and looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import Fault, PoseError
from ..schema import Keypoint, Schema

__all__ = ["Mended", "Noted", "kind_of", "mend"]

_PATH = re.compile(r"\$\.(images|annotations|categories)(?:\[(\d+)\])?(?:\.(\w+))?")

# What the reader says, and the kind of fault it is; the first that fits.
_KINDS = (
    (re.compile(r"^missing$"), "missing"),
    (re.compile(r" stands \d+ times$|also the id of another image$|^an id that stands twice$"), "repeated-id"),
    (re.compile(r"^no (image|category) has id|, yet there is no "), "dangling"),
    (re.compile(r", where the first is |, yet the ids of the file "), "id-kind"),
    (re.compile(r"^\d+ numbers, schema "), "length"),
    (re.compile(r"^v = "), "visibility"),
)


class Noted(NamedTuple):
    """One fault of a file: its kind, where it is, what was seen and what should be; the ids of what it is about."""

    kind: str
    path: str
    seen: str
    cure: str = ""
    image: Any = None
    annotation: Any = None


@dataclass
class Mended:
    """The copy at work: plain values, and where each row stood in the file."""

    document: dict[str, Any]
    places: dict[str, list[int | str]]
    schema: Schema | None = None
    lost: dict[str, dict[int, Any]] = field(default_factory=dict)
    """Ids that rows had, by row, where another had to stand for them."""
    fresh: dict[str, int] = field(default_factory=dict)
    """For each table the largest id, from which on new ones are given; -1 where ids are text."""

    @classmethod
    def of(cls, document: dict[str, Any], places: dict[str, list[int | str] | None], schema: Schema | None) -> Mended:
        """A copy whose tables are lists of objects."""
        tables = {t: document[t] for t in ("images", "annotations", "categories") if t in document}
        return cls(document, {t: list(places.get(t) or range(len(rows))) for t, rows in tables.items()}, schema)

    def drop(self, table: str, rows: Iterable[int]) -> None:
        """Rows that can stand nowhere."""
        gone = set(rows)
        kept = [i for i in range(len(self.document[table])) if i not in gone]
        self.document[table] = [self.document[table][i] for i in kept]
        self.places[table] = [self.places[table][i] for i in kept]
        renumber = {old: new for new, old in enumerate(kept)}
        self.lost[table] = {renumber[i]: v for i, v in self.lost.get(table, {}).items() if i in renumber}

    def stand_in(self, table: str, row: int) -> None:
        """An id of its own for a row whose own cannot be."""
        own = self.document[table][row].get("id")
        self.lost.setdefault(table, {}).setdefault(row, own)
        if table not in self.fresh:
            ids = [r.get("id") for r in self.document[table]]
            whole = [i for i in ids if type(i) in (int, float)]
            self.fresh[table] = -1 if sum(isinstance(i, str) for i in ids) > len(whole) else int(max(whole, default=0))
        if self.fresh[table] < 0:
            self.document[table][row]["id"] = f"no id, row {row}"
        else:
            self.fresh[table] += 1
            self.document[table][row]["id"] = self.fresh[table]


def kind_of(fault: Fault) -> str:
    """The kind of what the reader refused."""
    known = next((kind for pattern, kind in _KINDS if pattern.search(fault.seen)), "")
    return known or ("categories" if fault.path.startswith("$.categories") else "value")


def mend(work: Mended, faults: Sequence[Fault]) -> list[Noted]:
    """Take out what the faults name; what is returned says so with the paths of the file as it is."""
    notes = [_noted(work, fault) for fault in faults]
    dropped: list[int] = []
    for fault, note in zip(faults, notes, strict=True):
        table, row, key = _parts(fault)
        if table not in work.document:
            dropped += _unplaceable(work, table)
        elif note.kind in ("repeated-id", "repeated-row"):
            continue
        elif key == "id":
            _mend_id(work, table, row, note.kind)
        elif table == "annotations" and key in ("image_id", "category_id"):
            dropped += _mend_reference(work, row, key, note.kind)
        elif (table, key) != ("categories", "keypoints"):
            work.document[table][row].pop(key, None)
    if any(_parts(f)[::2] == ("categories", "keypoints") for f in faults):
        _own_schema(work)
    if dropped:
        work.drop("annotations", dropped)
    for table in {_parts(f)[0] for f, n in zip(faults, notes, strict=True) if n.kind in ("repeated-id", "repeated-row")}:
        _set_apart(work, table)
    return notes


def _parts(fault: Fault) -> tuple[str, int, str]:
    """Table, row and key of what is at fault."""
    match = _PATH.match(fault.path)
    return (match[1], int(match[2] or 0), match[3] or "") if match else ("", 0, "")


def _noted(work: Mended, fault: Fault) -> Noted:
    table, row, _ = _parts(fault)
    kind = kind_of(fault)
    if table not in work.document or f"[{row}]" not in fault.path:
        return Noted(kind, fault.path, fault.seen, fault.cure)
    values, place = work.document[table][row], work.places[table]
    if kind == "repeated-id" and table == "annotations":
        twins = [i for i, r in enumerate(work.document[table]) if r == values]
        if len(twins) == sum(r.get("id") == values.get("id") for r in work.document[table]):
            row, kind = twins[-1], "repeated-row"
            return Noted(kind, _path(table, place[row]), fault.seen, fault.cure, values.get("image_id"), values.get("id"))
    path = _path(table, place[row]) + fault.path[len(f"$.{table}[{row}]") :]
    own = work.lost.get(table, {}).get(row, values.get("id"))
    image = values.get("image_id") if table == "annotations" else own if table == "images" else None
    return Noted(kind, path, fault.seen, fault.cure, image, own if table == "annotations" else None)


def _path(table: str, at: int | str) -> str:
    return f"$.{table}[{at}]" if isinstance(at, int) else f"$.{table}.{at}"


def _unplaceable(work: Mended, table: str) -> list[int]:
    """Annotations whose ids make no row of a table that the file leaves out."""
    key = {"images": "image_id", "categories": "category_id"}.get(table, "")
    kinds = [type(r.get(key)) for r in work.document.get("annotations", [])]
    usual = next((k for k in kinds if k in (int, str)), int)
    return [i for i, k in enumerate(kinds) if k is not usual]


def _set_apart(work: Mended, table: str) -> None:
    """Rows of one id: what repeats another in all values goes, what does not gets an id of its own."""
    first: dict[Any, Any] = {}
    again: list[int] = []
    for i, row in enumerate(work.document[table]):
        id_ = row.get("id")
        if isinstance(id_, int | float | str) and id_ in first:
            again.append(i)
        elif isinstance(id_, int | float | str):
            first[id_] = row
    rows = work.document[table]
    twins = [i for i in again if rows[i] == first[rows[i]["id"]] or table == "categories"]
    for i in sorted(set(again) - set(twins)):
        work.stand_in(table, i)
    work.drop(table, twins)


def _mend_id(work: Mended, table: str, row: int, kind: str) -> None:
    own = work.document[table][row].get("id")
    if kind == "id-kind" and isinstance(own, str) and own.isdecimal() and own.isascii():
        work.document[table][row]["id"] = int(own)
    else:
        work.stand_in(table, row)


def _mend_reference(work: Mended, row: int, key: str, kind: str) -> list[int]:
    """Rows to drop; ids of another kind are brought to the kind of the table's where that is the same text."""
    rows = work.document["annotations"]
    if kind != "id-kind":
        return [row]
    table = [r.get("id") for r in work.document.get("images" if key == "image_id" else "categories", [])]
    spelled = {str(i): i for i in table}
    for r in rows:
        r[key] = spelled.get(str(r.get(key)), r.get(key))
    return [] if str(rows[row].get(key)) in spelled else [row]


def _own_schema(work: Mended) -> None:
    """A schema of the file's own names where we know none, so that its points can be looked at; else no points."""
    lists = [c.get("keypoints") for c in work.document["categories"] if c.get("keypoints")]
    words = lists[0] if lists and all(isinstance(names, list) and names == lists[0] for names in lists) else None
    if work.schema is None and words and all(isinstance(w, str) and w for w in words):
        points = tuple(Keypoint(w, 0.05, "assumed") for w in words)
        for pairs in (None, ()):
            try:
                work.schema = Schema(name="of the file", keypoints=points, limbs=(), pairs=pairs, source="the file's own names; sigmas assumed")
                return
            except PoseError:
                continue
    for rows in (work.document.get("categories", []), work.document.get("annotations", [])):
        for r in rows:
            r.pop("keypoints", None)
    work.schema = None
