"""Annotation files read to the end, whatever is wrong with them: every fault is noted with its JSON path, the sound rest becomes columns.

The strict reader does the reading. What it refuses is noted, taken out of a copy in memory, and the copy is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import FormatError, PoseError
from ..schema import Schema
from .akd import parse_akd
from .coco import parse_coco
from .mending import Mended, Noted, mend
from .oddities import odd_annotations, odd_categories, odd_images
from .rows import Row, gc_paused, parse_blocks, parse_object, read_bytes

__all__ = ["Noted", "Tolerant", "plain_document", "read_tolerant"]

_ROUNDS = 16
TABLES = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Tolerant:
    """What could be read of a file, and what is wrong with the rest."""

    dataset: PoseDataset | None
    notes: tuple[Noted, ...]
    places: dict[str, Sequence[int | str]] = field(default_factory=dict)
    """For each table, where each row of the columns stands in the file: its number in the list, or its key; absent: as it is."""
    stands_under: dict[str, str] = field(default_factory=lambda: {t: t for t in TABLES})
    lost: dict[str, dict[int, Any]] = field(default_factory=dict)
    """For each table, the ids that rows had in the file where the columns had to hold another."""

    def path(self, table: str, row: int) -> str:
        """JSON path of a row of the columns."""
        place = self.places[table][row] if table in self.places else row
        key = self.stands_under[table]
        return f"$.{key}[{place}]" if isinstance(place, int) else f"$.{key}.{place}"


def read_tolerant(path: str | Path, images: str | Path | None = None, schema: Schema | None = None) -> Tolerant:
    """A COCO or TechNumber file and all that is wrong with it; FormatError only for what is no annotation file at all."""
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _csv(path)
    data = read_bytes(path)
    with gc_paused():
        if data.lstrip()[:1] == b"[":
            return _records(data, str(path))
        data, notes = _without_constants(data, str(path))
        top = parse_object(data, str(path))
        found = _akd(data, top, str(path)) if _is_akd(top) else _coco(data, top, schema, str(path))
    dataset = None if found.dataset is None else _placed(found.dataset, path, images)
    return Tolerant(dataset, (*notes, *found.notes), found.places, found.stands_under, found.lost)


def plain_document(path: str | Path) -> Any:
    """The whole file as plain values, NaN and all."""
    data = read_bytes(path)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(data)


# -- files of other forms ----------------------------------------------------------------------------


def _csv(path: Path) -> Tolerant:
    lines = read_bytes(path).decode().splitlines()[:3]
    heads = [line.split(",")[0] for line in lines]
    kind = (
        "DeepLabCut's tracks: three header rows, empty cells for missing points"
        if heads[1:3] == ["bodyparts", "coords"]
        else "a table of comma-separated values"
    )
    return Tolerant(
        None, (Noted("foreign-form", "$", kind, "convert it to COCO's images, annotations, categories; frames without labels stay images without annotations"),)
    )


def _records(data: bytes, where: str) -> Tolerant:
    """A list of records: StanfordExtra's form is named; anything else is refused as the reader does."""
    try:
        first = msgspec.json.decode(data)[0]
    except (msgspec.DecodeError, RecursionError, LookupError):
        first = None
    if isinstance(first, dict) and "joints" in first:
        seen = f"a list of records with {', '.join(map(repr, list(first)[:6]))}: StanfordExtra's form"
        return Tolerant(None, (Noted("foreign-form", "$", seen, "convert it to COCO's images, annotations, categories"),))
    parse_coco(data, where=where)
    raise AssertionError("a list is no annotation file")


def _without_constants(data: bytes, where: str) -> tuple[bytes, list[Noted]]:
    """NaN and Infinity, which are no JSON, as null, each noted; other text that is no JSON is refused."""
    try:
        msgspec.json.decode(data, type=dict[str, Raw])
        return data, []
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        parse_object(data, where)  # says what is wrong, and where
        raise
    notes: list[Noted] = []
    _find_constants(value, "$", notes)
    return msgspec.json.encode(value), notes


def _find_constants(value: Any, path: str, notes: list[Noted]) -> None:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        notes.append(Noted("value", path, f"{value}", "JSON has no such number; an unlabelled point is 0, 0, 0"))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _find_constants(inner, f"{path}.{key}", notes)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _find_constants(inner, f"{path}[{i}]", notes)


# -- TechNumber --------------------------------------------------------------------------------------


def _is_akd(top: Row) -> bool:
    return all(key in top and bytes(top[key]).lstrip()[:1] == b"{" for key in ("images", "keypoints"))


def _akd(data: bytes, top: Row, where: str) -> Tolerant:
    """Entries that cannot be read are noted and left out."""
    notes: list[Noted] = []
    images, points = (parse_object(top[key], where, f"$.{key}") for key in ("images", "keypoints"))
    for _ in range(_ROUNDS):
        try:
            ds = parse_akd(msgspec.json.encode({**top, "images": images, "keypoints": points}), where)
            break
        except FormatError as e:
            for fault in e.faults:
                notes.append(Noted("missing" if "partner" in fault.seen else "value", fault.path, fault.seen, fault.cure))
                key = fault.path.split(".")[2]
                images.pop(key, None)
                points.pop(key, None)
            if not e.faults:
                raise
    places: dict[str, Sequence[int | str]] = {t: [k for k in images if k in points] for t in ("images", "annotations")}
    return Tolerant(ds, tuple(notes), places, {"images": "images", "annotations": "keypoints", "categories": "categories"})


# -- COCO and what is near it ------------------------------------------------------------------------


def _coco(data: bytes, top: Row, schema: Schema | None, where: str) -> Tolerant:
    if "images" not in top and "annotations" not in top:
        parse_coco(data, schema, where=where)
    notes: list[Noted] = []
    places: dict[str, list[int | str] | None] = {}
    changed: dict[str, Raw] = {}
    for name in TABLES:
        if name in top:
            raw, places[name] = _as_list(top[name], name, notes, where)
            raw = _renamed(raw, notes, places[name], where) if name == "images" else raw
            if raw is not top[name]:
                changed[name] = raw
    top = {**top, **changed}
    data = msgspec.json.encode(top) if changed else data
    notes += odd_categories(top.get("categories", Raw(b"[]")), schema, places.get("categories"))
    notes += odd_images(top.get("images", Raw(b"[]")), places.get("images"), where)
    notes += odd_annotations(top.get("annotations", Raw(b"[]")), places.get("annotations"), where)
    return _mended(data, schema, where, notes, places)


def _mended(data: bytes, schema: Schema | None, where: str, notes: list[Noted], places: dict[str, list[int | str] | None]) -> Tolerant:
    """The columns of all that the strict reader takes."""
    work: Mended | None = None
    for _ in range(_ROUNDS):
        try:
            ds = parse_coco(data, schema if work is None else work.schema or schema, where=where)
            break
        except FormatError as e:
            if not e.faults:
                raise
            work = work or Mended.of(msgspec.json.decode(data), places, schema)
            notes += [n for n in mend(work, e.faults) if n not in notes[-len(e.faults) :]]
            data = msgspec.json.encode(work.document)
        except PoseError:
            return Tolerant(None, tuple(notes))
    else:
        return Tolerant(None, tuple(notes))
    kept = work.places if work else {t: p for t, p in places.items() if p is not None}
    notes += _repeated_images(ds, kept.get("images"))
    firsts = _first_entries(ds.rest.listing)
    if firsts is not None:
        kept = {**kept, "images": [kept["images"][i] if "images" in kept else i for i in firsts]}
    return Tolerant(ds, tuple(notes), dict(kept), lost={} if work is None else work.lost)


def _as_list(raw: Raw, name: str, notes: list[Noted], where: str) -> tuple[Raw, list[int | str] | None]:
    """A table as the list of objects it should be, and where its members stood when that is not their number."""
    text = bytes(raw).lstrip()
    if text[:1] == b"[":
        return _of_objects(raw, name, notes, where)
    if text[:1] != b"{":
        notes.append(Noted("table-form", f"$.{name}", text[:40].decode(errors="replace"), "a list of objects"))
        return Raw(b"[]"), None
    members = msgspec.json.decode(raw, type=dict[str, Raw])
    if "id" in members or "name" in members:  # one category alone, as CMU writes it
        notes.append(Noted("table-form", f"$.{name}", "one object", "a list of objects"))
        return Raw(b"[" + text + b"]"), None
    notes.append(Noted("table-form", f"$.{name}", f"an object of {len(members):,} members, keyed by id", "a list of objects"))
    return Raw(msgspec.json.encode(listed_members(name, members))), list(members)


def listed_members(name: str, members: dict[str, Any]) -> list[Any]:
    """The members of `{id: value}` as objects with an id; a text is the name of a file, or of a category."""
    key = "file_name" if name == "images" else "name"
    whole = all(k.isascii() and k.isdigit() and str(int(k)) == k for k in members)
    out = []
    for id_, raw in members.items():
        value = msgspec.json.decode(raw) if isinstance(raw, Raw) else raw
        number = int(id_) if whole else id_
        out.append({"id": number, **value} if isinstance(value, dict) else {"id": number, key: value})
    return out


def _of_objects(raw: Raw, name: str, notes: list[Noted], where: str) -> tuple[Raw, list[int | str] | None]:
    try:
        for _ in parse_blocks(raw, where, f"$.{name}"):
            pass
        return raw, None
    except FormatError:
        members = msgspec.json.decode(raw, type=list[Raw])
    good = [i for i, m in enumerate(members) if bytes(m).lstrip()[:1] == b"{"]
    odd = sorted(set(range(len(members))) - set(good))
    notes += [Noted("value", f"$.{name}[{i}]", bytes(members[i])[:40].decode(errors="replace"), "an object") for i in odd]
    return Raw(msgspec.json.encode([members[i] for i in good])), list(good)


def _renamed(raw: Raw, notes: list[Noted], places: Sequence[int | str] | None, where: str) -> Raw:
    """`filename` read as the file_name it is."""
    rows = [row for _, block in parse_blocks(raw, where, "$.images") for row in block]
    odd = [i for i, row in enumerate(rows) if "filename" in row and "file_name" not in row]
    for i in odd:
        notes.append(Noted("file-name-key", place("images", i, places), "'filename'", "'file_name'", image=_plain(rows[i].get("id"))))
        rows[i]["file_name"] = rows[i].pop("filename")
    return Raw(msgspec.json.encode(rows)) if odd else raw


def place(table: str, i: int, places: Sequence[int | str] | None) -> str:
    """JSON path of a member, by where it stood in the file."""
    at = places[i] if places is not None else i
    return f"$.{table}[{at}]" if isinstance(at, int) else f"$.{table}.{at}"


def _plain(raw: Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)


def _first_entries(listing: NDArray[np.int64] | None) -> list[int] | None:
    return None if listing is None else np.unique(listing, return_index=True)[1].tolist()


def _repeated_images(ds: PoseDataset, places: Sequence[int | str] | None) -> Iterable[Noted]:
    """Entries that repeat another in all values."""
    firsts = _first_entries(ds.rest.listing)
    if firsts is None or ds.rest.listing is None:
        return []
    again = sorted(set(range(len(ds.rest.listing))) - set(firsts))
    ids = ds.images.id.tolist()
    return [
        Noted("repeated-image", place("images", i, places), f"the entry of {ids[ds.rest.listing[i]]!r} again", "each image once", image=ids[ds.rest.listing[i]])
        for i in again
    ]


def _placed(ds: PoseDataset, path: Path, images: str | Path | None) -> PoseDataset:
    """What is of the file's place, not of its content."""
    from dataclasses import replace

    beside = [path.parent / f for f in ("labeled", "images")] if ds.schema.name == "akd16" else []
    folder = images if images is not None else next((f for f in beside if f.is_dir()), "")
    table = ds.images.with_trusted(folder=np.full(len(ds.images), str(folder), object))
    return replace(ds, name=path.stem, images=table)
