"""COCO keypoint JSON, in and out, with nothing lost: what no column holds is kept as the text it was."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..category import Category, Provenance
from ..columns import repeats, rows_of
from ..dataset import PoseDataset
from ..errors import DataError, Fault, FormatError, brief, first_few, raise_faults
from ..rest import FileRest, Rest
from ..schema import Schema
from ..schemas import NO_POINTS, canonical_names, load_schema, recognise
from ..tables import Images, Instances, stack
from .cache import cached
from .info import told_meta, told_schema
from .rows import Row, RowTable, gc_paused, parse_blocks, parse_object, parse_rows, read_bytes

__all__ = ["parse_coco", "read_coco"]

READER_VERSION = 4
"""Part of every cache key; raise it when the columns read from the same file change."""

IMAGE_KEYS = {"id": "id", "file_name": "file", "width": "width", "height": "height"}
INSTANCE_KEYS = {
    "id": "id", "image_id": "image", "category_id": "category", "keypoints": "keypoints", "num_keypoints": "recorded",
    "bbox": "bbox", "area": "area", "iscrowd": "crowd", "ignore": "ignore", "annotated": "annotated",
}  # fmt: skip
"""COCO's keys and the columns that hold them. `annotated` is ours: 0 or 1 for each point of the category, where a source lacks some."""
META = {
    "crowdIndex": "crowd_index",
    "background": "background",
    "species": "species",
    "track_id": "track",
    "annotator_id": "annotator",
    "foot_valid": "foot_valid",
}
"""Keys that become meta columns unasked, and the column's name; `meta=` names more."""
_NO_META = {*META.values(), *IMAGE_KEYS.values(), *INSTANCE_KEYS.values(), "folder"} - {*META, *IMAGE_KEYS, *INSTANCE_KEYS}
"""Names of columns that another key fills, so that a key of this name can have none."""
_BITS = re.compile(rb'"[01]+"')
"""What `annotated` looks like where it is ours; another's key of that name is kept as it is."""


def read_coco(
    path: str | Path,
    images: str | Path | None = None,
    schema: Schema | str | Path | None = None,
    *,
    meta: Sequence[str] = (),
    name: str | None = None,
    cache: bool = True,
) -> PoseDataset:
    """A dataset from a COCO JSON file. `images` is the folder its file names are in.

    The schema is found by the names of the keypoints in the file; a file without names needs `schema=`.
    `meta` names further keys of images or annotations to hold as columns. Parsed files are cached; a changed file is noticed.
    """
    _check_meta(meta)
    path = Path(path)
    wanted = None if schema is None else load_schema(schema)
    key = {"reader": f"coco {READER_VERSION}", "schema": wanted.to_dict() if wanted else None, "meta": sorted(meta)}

    def parse() -> PoseDataset:
        data = read_bytes(path)
        return parse_coco(data, wanted, meta=meta, where=str(path))

    found = cached(path, key, parse) if cache else parse()
    return _placed(found, name or path.stem, path, images)


def parse_coco(data: bytes, schema: Schema | None = None, *, meta: Sequence[str] = (), where: str = "data") -> PoseDataset:
    """A dataset from the text of a COCO JSON file; all faults are gathered before raising."""
    with gc_paused():
        top = _top_level(data, where)
        faults: list[Fault] = []
        notes = top.get("annotations", Raw(b"[]"))
        category_rows = parse_rows(top["categories"], where, "$.categories") if "categories" in top else _implied(notes, "category_id", where)
        categories, known = _categories(RowTable(category_rows, "$.categories", faults), schema, told_schema(top, faults) if schema is None else None)
        image_rows = parse_rows(top["images"], where, "$.images") if "images" in top else _implied(notes, "image_id", where)
        image_rows, listing = _each_image_once(image_rows, faults)
        table = RowTable(image_rows, "$.images", faults)
        asked = {**META, **{k: k for k in meta}, **{k: META.get(k, k) for k in told_meta(top, META)}}
        asked = {k: column for k, column in asked.items() if k not in _NO_META}
        images = _images(table, asked)
        instances = _all_instances(notes, asked, None if faults else images, categories, known, where, faults)
        raise_faults(where, faults)
    rest = FileRest(tuple(top), {k: bytes(v) for k, v in top.items() if k not in ("images", "annotations", "categories")}, listing)
    files = ((where, hashlib.sha256(data).hexdigest()),)
    return PoseDataset(name=where, schema=known, categories=tuple(categories), images=images, instances=instances, rest=rest, provenance=Provenance(files))


def _check_meta(meta: Sequence[str]) -> None:
    if isinstance(meta, str) or not all(isinstance(key, str) for key in meta):
        raise DataError("read_coco: meta", brief(repr(meta)), "a list of keys, such as ['species']")
    for key in _NO_META.intersection(meta):
        raise DataError("read_coco: meta", f"{key!r} is the column of another key", "it stays in the file's rest; to_coco() writes it back")


def _placed(found: PoseDataset, name: str, path: Path, images: str | Path | None) -> PoseDataset:
    """What is of this call, not of the file's content: the name and where the pictures lie."""
    folder = np.full(len(found.images), "" if images is None else str(images), object)
    provenance = replace(found.provenance, files=((str(path), found.provenance.files[0][1]),))
    return replace(found, name=name, images=replace(found.images, folder=folder), provenance=provenance)


# -- in ----------------------------------------------------------------------------------------------


def _top_level(data: bytes, where: str) -> Row:
    if data.lstrip()[:1] == b"[":
        raise FormatError(where, "a list where an annotation file holds an object", "a results file? read it with posedata.read_predictions")
    top = parse_object(data, where)
    if "images" not in top and "annotations" not in top:
        seen = first_few(map(repr, map(brief, top)), between=", ")
        raise FormatError(
            where, f"neither 'images' nor 'annotations' among its keys ({seen or 'none'})", "an annotation file has images, annotations, categories"
        )
    return top


def _implied(annotations: Raw, key: str, where: str) -> list[Row]:
    """Rows for a table the file leaves out: the ids its annotations name."""
    ids = {bytes(row[key]): row[key] for _, rows in parse_blocks(annotations, where, "$.annotations") for row in rows if key in row}
    return [{"id": raw} for raw in ids.values()]


def _categories(rows: RowTable, schema: Schema | None, told: Schema | None) -> tuple[list[Category], Schema]:
    """The file's categories and the schema of all: the one asked for, the one their names say (`told` by the file, or known), or the union by name."""
    ids, names = rows.ids("id"), rows.texts("name")
    spelled = [_spellings(row, i, rows) for i, row in enumerate(rows.rows)]
    schemas, points = [], []
    for i, words in enumerate(spelled):
        found = _schema_of(words, schema, told, i, rows)
        schemas.append(found[0])
        points.append(found[1])
    union = schema or _union([s for s in schemas if s is not NO_POINTS])
    categories = []
    for i, row in enumerate(rows.rows):
        held = ("id", "name", "keypoints") if spelled[i] or "keypoints" not in row else ("id", "name")
        rest = {k: bytes(v) for k, v in row.items() if k not in held}
        own = tuple(schemas[i].sigmas[[schemas[i].index(p) for p in points[i]]].tolist()) if schemas[i] is not union and points[i] and schema is None else None
        categories.append(Category(ids[i] if isinstance(ids[i], str) else int(ids[i]), names[i], points[i], spelled[i] or points[i], own, tuple(row), rest))
    if len(set(ids.tolist())) < len(ids):
        rows.faults.append(Fault("$.categories", "an id that stands twice", "every category has its own id"))
    return categories, union


def _spellings(row: Row, i: int, rows: RowTable) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(row.get("keypoints", b"[]"), type=list[str]))
    except (msgspec.DecodeError, RecursionError):
        rows.fault(i, "keypoints", f"{brief(bytes(row['keypoints']))} where a list of names is needed")
        return ()


def _schema_of(words: tuple[str, ...], schema: Schema | None, told: Schema | None, i: int, rows: RowTable) -> tuple[Schema, tuple[str, ...]]:
    """Schema of one category, and the schema's own names for its points in the file's order."""
    if schema is not None:
        names = canonical_names(schema, words) if words else schema.names
        if names is None:
            rows.fault(i, "keypoints", f"{_odd_words(schema, words)} of schema {schema.name!r}", "give the schema these names are of")
        return schema, names or ()
    if not words:
        return NO_POINTS, ()
    if told and sorted(words) == sorted(told.names):
        return told, words
    found = recognise(words)
    if found is None:
        rows.fault(
            i,
            "keypoints",
            f"the names ({first_few(map(brief, words), 3, ', ')}) are those of no known schema",
            "give schema=NAME, or describe yours in a small file: docs/schemas.md#your-own",
        )
        return NO_POINTS, ()
    return found


def _odd_words(schema: Schema, words: tuple[str, ...]) -> str:
    odd = [w for w in words if canonical_names(schema, (w,)) is None]
    return f"{first_few((repr(brief(w)) for w in odd), 3, ', ')} is no point" if odd else "a name twice, no list of points"


def _union(schemas: Sequence[Schema]) -> Schema:
    """All points of several schemas, by name, in the order they are met."""
    kinds = list(dict.fromkeys(schemas))
    if len(kinds) <= 1:
        return kinds[0] if kinds else NO_POINTS
    points = {k.name: k for s in reversed(kinds) for k in reversed(s.keypoints)}
    return Schema(
        name="+".join(s.name for s in kinds),
        keypoints=tuple(reversed(points.values())),
        limbs=tuple(dict.fromkeys(limb for s in kinds for limb in s.limbs)),
        pairs=tuple(dict.fromkeys(pair for s in kinds for pair in s.pairs or ())),
        asymmetry="; ".join(dict.fromkeys(s.asymmetry for s in kinds if s.asymmetry)) or "categories with sigmas of their own",
        source="the union of the file's categories, by name",
    )


def _each_image_once(rows: list[Row], faults: list[Fault]) -> tuple[list[Row], NDArray[np.int64] | None]:
    """Each image once. An entry that repeats another in all its values is legal and remembered; a contradiction is a fault."""
    place: dict[bytes, int] = {}
    listing = [place.setdefault(bytes(row["id"]) if "id" in row else b"row %d" % i, len(place)) for i, row in enumerate(rows)]
    if len(place) == len(rows):
        return rows, None
    once: list[Row] = []
    for i, (row, at) in enumerate(zip(rows, listing, strict=True)):
        if at == len(once):
            once.append(row)
        elif _values(row) != _values(once[at]):
            faults.append(Fault(f"$.images[{i}].id", f"{brief(bytes(row['id']))} is also the id of another image", "every image has its own id"))
    return once, np.array(listing)


def _values(row: Row) -> dict[str, Any]:
    try:
        return {k: msgspec.json.decode(v) for k, v in row.items()}
    except (msgspec.DecodeError, RecursionError):  # no value of ours: 1e999, say
        return {k: bytes(v) for k, v in row.items()}


def _images(rows: RowTable, asked: dict[str, str]) -> Images:
    ids, meta = rows.ids("id"), _meta(rows, asked)
    width, height = rows.whole("width", 0), rows.whole("height", 0)
    for key, sizes in (("width", width), ("height", height)):
        for row in np.flatnonzero(sizes < 0):
            rows.fault(int(row), key, f"{sizes[row]} pixels")
    _unique(ids, "$.images", rows.faults)
    if rows.faults:
        return Images(id=np.zeros(0, np.int64), file=np.zeros(0, object))  # a placeholder; the faults are raised before anyone sees it
    return Images(id=ids, file=rows.texts("file_name"), width=width, height=height, meta=meta, rest=_rest(rows.rows, {*IMAGE_KEYS, *_meta_keys(meta, asked)}))


def _all_instances(
    raw: Raw, asked: dict[str, str], images: Images | None, categories: list[Category], schema: Schema, where: str, faults: list[Fault]
) -> Instances:
    """The annotations, block by block; without `images`, where these or the categories have faults, only what they say alone is checked. A meta key that is a column in one block and none in another is none in all."""
    blocks, refused = [_instances(RowTable([], "$.annotations", faults), asked, images, categories, schema)], set()
    for first, rows in parse_blocks(raw, where, "$.annotations"):
        table = RowTable(rows, "$.annotations", faults, first)
        blocks.append(_instances(table, asked, images, categories, schema))
        refused |= _present(rows) & set(asked) - _meta_keys(blocks[-1].meta, asked)
    kinds = {key: {b.meta[c].dtype == object for b in blocks if c in b.meta} for key, c in asked.items()}
    refused |= {key for key, texts in kinds.items() if len(texts) > 1}
    if refused - INSTANCE_KEYS.keys():
        return _all_instances(raw, {k: c for k, c in asked.items() if k not in refused}, images, categories, schema, where, faults)
    if faults:
        return blocks[0]
    _unique(np.concatenate([b.id for b in blocks if len(b)] or [blocks[0].id]), "$.annotations", faults)
    return blocks[0] if faults else stack(blocks)


def _present(rows: Sequence[Row]) -> set[str]:
    return set().union(*set(map(frozenset, rows)))


def _instances(rows: RowTable, asked: dict[str, str], images: Images | None, categories: list[Category], schema: Schema) -> Instances:
    ids = rows.ids("id")
    category_ids = np.array([c.id for c in categories], object if categories and isinstance(categories[0].id, str) else np.int64)
    image = _joined(rows, "image_id", None if images is None else images.id, "image")
    category = _joined(rows, "category_id", None if images is None else category_ids, "category")
    keypoints, annotated, kept = _keypoints(rows, category, categories, schema)
    recorded = rows.whole("num_keypoints", -1)
    for row in np.flatnonzero(recorded < 0).tolist():
        if "num_keypoints" in rows.rows[row]:
            rows.fault(row, "num_keypoints", f"{recorded[row]} points")
    meta = _meta(rows, asked)
    own: dict[str, Any] = {
        "bbox": rows.vectors("bbox", 4),
        "area": rows.numbers("area", np.nan),
        "crowd": rows.flags("iscrowd"),
        "ignore": rows.flags("ignore"),
    }
    _unique(ids, "$.annotations", rows.faults, rows.first)
    if rows.faults:
        return Instances(image=np.zeros(0, np.int64), keypoints=np.zeros((0, len(schema), 3)))  # a placeholder; the faults are raised before anyone sees it
    rest = _rest(rows.rows, {*INSTANCE_KEYS, *_meta_keys(meta, asked)}, kept)
    return Instances(id=ids, image=image, category=category, keypoints=keypoints, annotated=annotated, recorded=recorded, meta=meta, rest=rest, **own)


def _joined(rows: RowTable, key: str, table: NDArray[Any] | None, what: str) -> NDArray[np.int64]:
    """Row in `table` of the id that each row names; -1 where a fault leaves it unknown."""
    before = len(rows.faults)
    ids = rows.ids(key)
    if len(ids) == 0 or table is None or len(rows.faults) > before:
        return np.full(len(ids), -1)
    if len(table) == 0 or table.dtype != ids.dtype:
        known = f"the ids of the file are such as {brief(repr(table.item(0)))}" if len(table) else f"there is no {what}"
        rows.fault(0, key, f"{brief(repr(ids.item(0)))}, yet {known}", f"add the {what} or drop the annotation")
        return np.full(len(ids), -1)
    found = rows_of(table, ids)
    for row in np.flatnonzero(found < 0).tolist():
        rows.fault(row, key, f"no {what} has id {brief(repr(ids.item(row)))}", f"add the {what} or drop the annotation")
    return found


def _unique(ids: NDArray[Any], path: str, faults: list[Fault], at: int = 0) -> None:
    if not repeats(ids):
        return
    values, first, counts = np.unique(ids, return_index=True, return_counts=True)
    again = counts > 1
    for value, row, count in zip(values[again].tolist(), first[again].tolist(), counts[again].tolist(), strict=True):
        faults.append(Fault(f"{path}[{at + row}].id", f"{brief(repr(value))} stands {count} times", "every entry has its own id"))


def _keypoints(
    rows: RowTable, category: NDArray[np.int64], categories: list[Category], schema: Schema
) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[int, list[bytes]]]:
    """(N, K, 3), (N, K), and by row what neither holds: a list that is there but empty, another's `annotated`."""
    n, k = len(rows), len(schema)
    points, annotated = np.zeros((n, k, 3)), np.zeros((n, k), bool)
    lists = rows.lists("keypoints")
    sizes = np.fromiter((-1 if v is None else len(v) for v in lists), np.int64, n)
    bits = {i: bytes(row["annotated"]) for i, row in enumerate(rows.rows) if "annotated" in row}
    ours = np.zeros(n, bool)
    ours[[i for i, text in bits.items() if _BITS.fullmatch(text)]] = True
    for c in np.flatnonzero(np.bincount(category[category >= 0])).tolist():
        kind, mine = categories[c], category == c
        places = [schema.index(p) for p in kind.points]
        annotated[np.ix_(mine, places)] = True
        full = mine & (sizes == 3 * len(places)) & (sizes > 0)
        if full.any():
            chosen = lists if full.all() else [lists[i] for i in np.flatnonzero(full)]
            points[np.ix_(full, places)] = np.array(chosen, np.float64).reshape(-1, len(places), 3)
        for row in np.flatnonzero(mine & ours).tolist():
            said = np.frombuffer(bits[row][1:-1], np.uint8) == ord("1")
            if len(said) == len(places):
                annotated[row, places] = said
            else:
                rows.fault(row, "annotated", brief(bits[row]), f"a 0 or 1 for each of the {len(places)} points")
        for row in np.flatnonzero(mine & (sizes > 0) & ~full).tolist():
            cure = "" if places else "its category names no keypoints; give schema=NAME"
            rows.fault(row, "keypoints", f"{sizes[row]} numbers, schema {schema.name!r} needs {3 * len(places)} ({len(places)} x 3)", cure)
    for row in np.flatnonzero((points.any(-1) & ~annotated).any(1)).tolist():
        rows.fault(row, "annotated", "0 for a point that has values", "a point its source lacks is 0, 0, 0")
    rows.refuse_huge("keypoints", points)
    v = points[..., 2]
    bad = ~((v == 0) | (v == 1) | (v == 2)).all(1)
    for row in np.flatnonzero(bad).tolist():
        odd = next(value for value in v[row] if value not in (0, 1, 2))
        rows.fault(row, "keypoints", f"v = {odd:g}", "v is 0 (not labelled), 1 (hidden) or 2 (seen)")
    kept = {i: [b'"annotated":' + text] for i, text in bits.items() if not ours[i]}
    for row in np.flatnonzero(sizes == 0).tolist():
        kept.setdefault(row, []).append(b'"keypoints":[]')
    return points, annotated, kept


def _meta(rows: RowTable, asked: dict[str, str]) -> dict[str, NDArray[Any]]:
    """Columns for the keys asked for that some row has."""
    present = _present(rows.rows)
    columns = {column: rows.scalars(key) for key, column in asked.items() if key in present and key not in INSTANCE_KEYS and key not in IMAGE_KEYS}
    return {name: values for name, values in columns.items() if values is not None}


def _meta_keys(meta: Mapping[str, NDArray[Any]], asked: dict[str, str]) -> set[str]:
    return {key for key, column in asked.items() if column in meta}


def _rest(rows: Sequence[Row], held: set[str], kept: Mapping[int, list[bytes]] | None = None) -> Rest:
    """What no column holds, verbatim; also, by row, members that a column holds elsewhere but not here."""
    kept = kept or {}
    leftover: dict[tuple[str, ...], list[tuple[str, bytes]]] = {}
    texts = []
    for i, row in enumerate(rows):
        keys = tuple(row)
        extra = leftover.get(keys)
        if extra is None:
            extra = leftover[keys] = [(k, msgspec.json.encode(k) + b":") for k in keys if k not in held]
        members = [head + row[k] for k, head in extra]
        members += kept.get(i, ())
        texts.append(b"{" + b",".join(members) + b"}" if members else b"")
    return Rest.of(map(tuple, rows), texts)
