"""Reading prediction files: COCO results JSON and .npz, with or without our header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..category import Category
from ..errors import DataError, Fault, FormatError, brief, did_you_mean, first_few, raise_faults
from ..predictions import HEADER_FIELDS, Predictions
from ..rest import Rest
from ..schema import Schema
from ..schemas import SCHEMAS, load_schema
from .keys import HEADER_KEY
from .placing import Order, keypoints_of, unsaid_category
from .records import read_records
from .results_npz import read_npz
from .rows import Row, gc_paused, parse_object, read_bytes

__all__ = ["parse_results", "read_predictions"]

_OBJECT = re.compile(rb"\s*\{")
_LISTS = ("annotations", "predictions", "results")
"""Keys under which some tools wrap the list of results."""


def read_predictions(
    path: str | Path | Sequence[str | Path], schema: Schema | str | Path | None = None, categories: Sequence[Category] | None = None
) -> Predictions:
    """Predictions from a COCO results file (also as .json.gz), an `.npz`, or several of them.

    The schema is the header's; a file without header needs `schema=`. `categories` are those of the truth:
    with them a record may hold the points of its own category only, in the order of the truth's file.
    """
    if isinstance(path, str | Path):
        return _read_one(Path(path), schema, categories)
    parts = [_read_one(Path(p), schema, categories) for p in path]
    if not parts:
        raise DataError("read_predictions", "no files", "name at least one")
    headers = {json.dumps(p.header, sort_keys=True): p for p in parts}
    if len(headers) > 1 or any(p.schema != parts[0].schema for p in parts):
        raise FormatError(first_few(path, 3, ", "), "different headers", "evaluate them one by one, or predict with one model")
    return _joined(parts, first_few(path, 3, ", "))


def _read_one(path: Path, schema: Schema | str | Path | None, categories: Sequence[Category] | None) -> Predictions:
    if path.suffix == ".npz":
        return read_npz(path, check_header, lambda header, where: _schema_of(header, schema, where), categories)
    return parse_results(read_bytes(path, packed=True), schema, str(path), categories)


def parse_results(data: bytes, schema: Schema | str | Path | None = None, where: str = "data", categories: Sequence[Category] | None = None) -> Predictions:
    """Predictions from the text of a COCO results file, bare or wrapped in an object."""
    faults: list[Fault] = []
    with gc_paused():
        listed, path = _list_of(data, where)
        found = read_records(listed, where, path, faults)
        header = _header(found.headers, where)
        known = _schema_of(header, schema, where)
        category = unsaid_category(len(found), categories, where) if found.category is None else found.category
        if categories and any(f.path.endswith(".category_id") for f in faults):
            raise_faults(where, faults)  # whose points these are, nobody can say
        points = keypoints_of(found, known, category, _orders(categories or (), known, header), path, faults)
        raise_faults(where, faults)
        return Predictions(
            schema=known,
            header=header,
            image=found.image,
            score=found.score,
            keypoints=points,
            bbox=found.bbox,
            category=category,
            truth=found.truth,
            meta=found.extras,
            row=np.arange(len(found)),
            rest=Rest.added(found.texts) if any(found.texts) else Rest.empty(len(found)),
        )


def _orders(categories: Sequence[Category], schema: Schema, header: Mapping[str, Any]) -> dict[int | str, Order]:
    """Where each category's own points go, if the schema has them all.

    A header that names the schema says what as many numbers as the schema has points mean: they are in its order.
    Without one they are in the order of the truth's file, as evaluators that know no names take them.
    """
    known = [c for c in categories if set(c.points) <= set(schema.names)]
    orders = {c.id: Order(c.name, tuple(schema.index(p) for p in c.points)) for c in known}
    whole = tuple(range(len(schema)))
    return {i: o._replace(places=whole) if "schema" in header and len(o.places) == len(whole) else o for i, o in orders.items()}


def _list_of(data: bytes, where: str) -> tuple[bytes | Raw, str]:
    if not _OBJECT.match(data):
        return data, "$"
    top = parse_object(data, where)
    found = [k for k in _LISTS if k in top]
    if "images" in top and "categories" in top:
        raise FormatError(where, "an annotation file where results are needed", "read it with posedata.read_coco")
    if not found:
        raise FormatError(where, *_no_list(top))
    return top[found[0]], f"$.{found[0]}"


def _no_list(top: Row) -> tuple[str, str]:
    """What an object without a list of results is, and the way out."""
    first = next((bytes(v) for v in top.values() if bytes(v)[:1] == b"{"), b"")
    if "people" in top or b'"people"' in first or b'"bodies"' in first:  # OpenPose's form, and AlphaPose's --format open and cmu
        return "people without scores, image by image, as OpenPose writes them", "a results file is a list of records; AlphaPose writes one without --format"
    return f"no list of results among {first_few(map(repr, map(brief, top)), between=', ') or 'its keys (none)'}", "results are a list of records"


def _header(texts: Sequence[bytes], where: str) -> dict[str, Any]:
    """The one header of the file, wherever its record went; two that differ are an error."""
    try:
        values = [msgspec.json.decode(text) for text in texts]
    except (msgspec.DecodeError, RecursionError) as e:
        raise FormatError(f"{where} {HEADER_KEY}", brief(str(e), 100), f"its fields: {', '.join(HEADER_FIELDS)}") from None
    if any(v != values[0] for v in values):
        raise FormatError(where, f"{len(values)} different headers", "one file holds the predictions of one model on one set; split it")
    return check_header(values[0] if values else {}, where)


def check_header(header: Any, where: str) -> dict[str, Any]:
    """A header's fields, all known."""
    if not isinstance(header, dict):
        raise FormatError(f"{where} {HEADER_KEY}", f"{brief(header)} where an object is needed", f"its fields: {', '.join(HEADER_FIELDS)}")
    unknown = sorted(set(header) - set(HEADER_FIELDS))
    if unknown:
        raise FormatError(f"{where} {HEADER_KEY}", f"unknown field {brief(unknown[0])!r}", did_you_mean(unknown[0], HEADER_FIELDS))
    if header.get("version", 1) != 1:
        raise FormatError(f"{where} {HEADER_KEY}", f"version {brief(repr(header['version']))}", "this posebench reads version 1; pip install -U posebench")
    return header


def _schema_of(header: Mapping[str, Any], schema: Schema | str | Path | None, where: str) -> Schema:
    said = header.get("schema")
    if said is not None and not isinstance(said, str | dict):
        raise FormatError(f"{where} {HEADER_KEY}.schema", f"{brief(said)}", "a schema's name, or the schema itself")
    if isinstance(said, str) and said not in SCHEMAS:  # and never a path: a file of others does not choose what is read here
        raise FormatError(f"{where} {HEADER_KEY}.schema", f"no schema {brief(said)!r}", did_you_mean(said, SCHEMAS))
    named = Schema.from_dict(said, f"{where} {HEADER_KEY}.schema") if isinstance(said, dict) else None if said is None else SCHEMAS[said]
    asked = None if schema is None else load_schema(schema)
    if asked is None and named is None:
        raise FormatError(where, "no header says which schema its keypoints follow", f"give schema= (or --schema); known: {', '.join(SCHEMAS)}")
    if asked is not None and named is not None and not asked.same_points(named):
        raise FormatError(where, f"its header says schema {named.name!r}, you say {asked.name!r}", "leave schema= out, or map it afterwards")
    return asked or named or SCHEMAS["none"]


def _joined(parts: Sequence[Predictions], where: str) -> Predictions:
    own: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("keypoints", "score", "bbox")}
    ids: dict[str, Any] = {name: _one_kind([getattr(p, name) for p in parts], name, where) for name in ("image", "category")}
    texts = any(p.truth.dtype == object for p in parts)
    unsaid = [np.full(len(p), "", object) if texts and p.truth.dtype != object and (p.truth == -1).all() else p.truth for p in parts]
    ids["truth"] = _one_kind(unsaid, "truth", where)
    shared = [m for m in parts[0].meta if all(m in p.meta for p in parts)]
    meta = {m: np.concatenate([p.meta[m] for p in parts]) for m in shared}
    return Predictions(
        schema=parts[0].schema, header=parts[0].header, row=np.arange(len(own["score"])), meta=meta, rest=Rest.concat([p.rest for p in parts]), **own, **ids
    )


def _one_kind(columns: Sequence[NDArray[Any]], name: str, where: str) -> NDArray[Any]:
    filled = [c for c in columns if len(c)] or list(columns[:1])
    if len({c.dtype for c in filled}) > 1:
        raise FormatError(f"{where} {name}", "ids that are numbers beside ids that are text", "ids of one table are all whole numbers or all text")
    return np.concatenate(filled)
