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
        ids = {r.get("id") for r in self.document[table] if isinstance(r.get("id"), int | float | str)}
        whole = [i for i in ids if isinstance(i, int | float)]
        texts = len(whole) * 2 < len(ids)
        self.lost.setdefault(table, {}).setdefault(row, self.document[table][row].get("id"))
        number = int(max(whole, default=0)) + 1
        self.document[table][row]["id"] = f"no id, row {row}" if texts else number


def kind_of(fault: Fault) -> str:
    """The kind of what the reader refused."""
    known = next((kind for pattern, kind in _KINDS if pattern.search(fault.seen)), "")
    return known or ("categories" if fault.path.startswith("$.categories") else "value")


def mend(work: Mended, faults: Sequence[Fault]) -> list[Noted]:
    """Take out what the faults name; what is returned says so with the paths of the file as it is."""
    notes: list[Noted] = []
    dropped: list[int] = []
    unnamed = False
    for fault in faults:
        match = _PATH.match(fault.path)
        if match is None or (match[1] == "categories" and match[2] is None):
            notes.append(Noted(kind_of(fault), fault.path, fault.seen, fault.cure))
            _first_of_each(work, "categories")
            continue
        table, row, key = match[1], int(match[2] or 0), match[3] or ""
        notes.append(_noted(work, fault, table, row, key))
        kind = notes[-1].kind
        if table == "categories":
            unnamed |= key == "keypoints"
            _mend_category(work, row, key, kind)
        elif key == "id":
            _mend_id(work, table, row, kind)
        elif table == "annotations" and key in ("image_id", "category_id"):
            dropped += _mend_reference(work, row, key, kind)
        else:
            work.document[table][row].pop(key, None)
    if unnamed:
        _own_schema(work)
    if dropped:
        work.drop("annotations", dropped)
    return notes


def _noted(work: Mended, fault: Fault, table: str, row: int, key: str) -> Noted:
    at = work.places[table][row] if table in work.places else row
    path = (f"$.{table}[{at}]" if isinstance(at, int) else f"$.{table}.{at}") + fault.path[len(f"$.{table}[{row}]") :]
    values = work.document[table][row]
    own = work.lost.get(table, {}).get(row, values.get("id"))
    kind = kind_of(fault)
    if kind == "repeated-id" and table == "annotations":
        twins = [r for r in work.document[table] if r.get("id") == values.get("id")]
        if all(t == twins[0] for t in twins):
            again = max(i for i, r in enumerate(work.document[table]) if r == twins[0])
            path, kind = path.replace(f"[{at}]", f"[{work.places[table][again]}]").removesuffix(".id"), "repeated-row"
    image = values.get("image_id") if table == "annotations" else own if table == "images" else None
    return Noted(kind, path, fault.seen, fault.cure, image, own if table == "annotations" else None)


def _mend_id(work: Mended, table: str, row: int, kind: str) -> None:
    rows = work.document[table]
    if kind == "id-kind" and isinstance(rows[row].get("id"), str) and rows[row]["id"].isdigit():
        rows[row]["id"] = int(rows[row]["id"])
    elif kind in ("repeated-id", "repeated-row"):
        seen: set[Any] = set()
        again = []
        for i, r in enumerate(rows):
            if isinstance(r.get("id"), int | float | str) and r["id"] in seen:
                again.append(i)
            else:
                seen.add(r.get("id") if isinstance(r.get("id"), int | float | str) else None)
        if table == "annotations":
            twins = [i for i in again if any(rows[i] == r for r in rows[:i])]
            work.drop(table, twins)
            again = [] if twins else again
        for i in again:
            work.stand_in(table, i)
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


def _mend_category(work: Mended, row: int, key: str, kind: str) -> None:
    rows = work.document["categories"]
    if kind == "repeated-id":
        _first_of_each(work, "categories")
    elif key == "id":
        work.stand_in("categories", row)
    elif key != "keypoints":
        rows[row].pop(key, None)


def _first_of_each(work: Mended, table: str) -> None:
    ids: list[Any] = [r.get("id") for r in work.document.get(table, [])]
    work.drop(table, [i for i, id_ in enumerate(ids) if id_ in ids[:i]])


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
    for rows in (work.document["categories"], work.document.get("annotations", [])):
        for r in rows:
            r.pop("keypoints", None)
    work.schema = None
