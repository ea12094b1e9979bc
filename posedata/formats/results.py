"""Prediction files: COCO results JSON and .npz, with or without our header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import DataError, Fault, FormatError, PoseError, brief, did_you_mean, first_few, raise_faults
from ..files import write_bytes, write_with
from ..predictions import HEADER_FIELDS, Predictions
from ..rest import Rest
from ..schema import Schema
from ..schemas import SCHEMAS, load_schema
from .coco_out import whole_as_int
from .rows import Row, RowTable, gc_paused, parse_blocks, parse_object, read_bytes

__all__ = ["parse_results", "read_predictions", "to_json", "to_npz"]

HEADER_KEY = "posebench"
RESULT_KEYS = ("image_id", "category_id", "keypoints", "score", "bbox", "truth_id")
_LISTS = ("annotations", "predictions", "results")
"""Keys under which some tools wrap the list of results."""


def read_predictions(path: str | Path | Sequence[str | Path], schema: Schema | str | Path | None = None) -> Predictions:
    """Predictions from a COCO results file, an `.npz`, or several of them.

    The schema is the header's; a file without header needs `schema=`.
    """
    if isinstance(path, str | Path):
        return _read_one(Path(path), schema)
    parts = [_read_one(Path(p), schema) for p in path]
    if not parts:
        raise DataError("read_predictions", "no files", "name at least one")
    headers = {json.dumps(p.header, sort_keys=True): p for p in parts}
    if len(headers) > 1 or any(p.schema != parts[0].schema for p in parts):
        raise FormatError(first_few(path, 3, ", "), "different headers", "evaluate them one by one, or predict with one model")
    return _joined(parts, first_few(path, 3, ", "))


def _read_one(path: Path, schema: Schema | str | Path | None) -> Predictions:
    if path.suffix == ".npz":
        return _read_npz(path, schema)
    return parse_results(read_bytes(path), schema, str(path))


def parse_results(data: bytes, schema: Schema | str | Path | None = None, where: str = "data") -> Predictions:
    """Predictions from the text of a COCO results file, bare or wrapped in an object."""
    with gc_paused():
        listed, path = _list_of(data, where)
        blocks = list(parse_blocks(listed, where, path))
        faults: list[Fault] = []
        header = _header([row for _, rows in blocks for row in rows if HEADER_KEY in row], where)
        extras = _numeric_extras([row for _, rows in blocks for row in rows])
        known = _schema_of(header, schema, where)
        parts = [_block(RowTable(rows, path, faults, first), known, header, extras) for first, rows in blocks]
        raise_faults(where, faults)
        empty = Predictions(
            schema=known, header=header, image=np.zeros(0, np.int64), keypoints=np.zeros((0, len(known), 3)), score=np.zeros(0), row=np.zeros(0, np.int64)
        )
        return _joined(parts, where) if parts else empty


def _list_of(data: bytes, where: str) -> tuple[bytes | Raw, str]:
    if data.lstrip()[:1] != b"{":
        return data, "$"
    top = parse_object(data, where)
    found = [k for k in _LISTS if k in top]
    if "images" in top and "categories" in top:
        raise FormatError(where, "an annotation file where results are needed", "read it with posedata.read_coco")
    if not found:
        raise FormatError(
            where, f"no list of results among {first_few(map(repr, map(brief, top)), between=', ') or 'its keys (none)'}", "results are a list of records"
        )
    return top[found[0]], f"$.{found[0]}"


def _header(rows: Sequence[Row], where: str) -> dict[str, Any]:
    """The one header of the file, wherever its record went; two that differ are an error."""
    headers = {bytes(row[HEADER_KEY]): row[HEADER_KEY] for row in rows}
    try:
        values = [msgspec.json.decode(raw) for raw in headers.values()]
    except (msgspec.DecodeError, RecursionError) as e:
        raise FormatError(f"{where} {HEADER_KEY}", brief(str(e), 100), f"its fields: {', '.join(HEADER_FIELDS)}") from None
    if any(v != values[0] for v in values):
        raise FormatError(where, f"{len(values)} different headers", "one file holds the predictions of one model on one set; split it")
    header = values[0] if values else {}
    return check_header(header, where)


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


def _block(rows: RowTable, schema: Schema, header: Mapping[str, Any], extras: Sequence[str]) -> Predictions:
    k, n = len(schema), len(rows)
    image, score = rows.ids("image_id"), rows.numbers("score", np.nan)
    category = rows.ids("category_id") if any("category_id" in row for row in rows.rows) else np.ones(n, np.int64)
    points = rows.vectors("keypoints", 3 * k).reshape(n, k, 3)
    for row in np.flatnonzero(np.isnan(score)).tolist():
        rows.fault(row, "score", "missing", "every record has a score")
    for row in np.flatnonzero(np.isnan(points).any((1, 2))).tolist():
        if "keypoints" not in rows.rows[row]:
            rows.fault(row, "keypoints", "missing", f"every record has {3 * k} numbers")
    bbox = rows.vectors("bbox", 4)
    truth = rows.ids("truth_id", required=False)
    columns = {key: _extra(rows, key) for key in extras}
    meta = {key: values for key, values in columns.items() if values is not None}
    if rows.faults:
        image, score, points, bbox, category, truth, meta = (
            image[:0] * 0 if image.dtype != object else image[:0],
            score[:0],
            points[:0],
            bbox[:0],
            category[:0],
            truth[:0],
            {},
        )
    held = {*RESULT_KEYS, HEADER_KEY, *meta}
    rest = Rest.empty(0) if rows.faults else Rest.added([_leftover(row, held) for row in rows.rows])
    absent = (points == 0).all(-1)
    points[absent, :2] = np.nan
    return Predictions(
        schema=schema,
        header=header,
        image=image,
        score=score,
        keypoints=points,
        bbox=bbox,
        category=category,
        truth=truth,
        meta=meta,
        row=rows.first + np.arange(len(image)),
        rest=rest,
    )


def _leftover(row: Row, held: set[str]) -> bytes:
    """JSON object of the keys no column holds; nothing when there are none."""
    extra = [msgspec.json.encode(k) + b":" + v for k, v in row.items() if k not in held]
    return b"{" + b",".join(extra) + b"}" if extra else b""


def _numeric_extras(rows: Sequence[Row]) -> list[str]:
    """Further numbers of every record (part scores, say), or null: they become meta columns."""
    held = {*RESULT_KEYS, HEADER_KEY, *(f.name for f in fields(Predictions))}
    first = [k for k in (rows[0] if rows else ()) if k not in held]
    return [k for k in first if all(k in row and bytes(row[k])[:1] in b"-0123456789n" for row in rows)]


def _extra(rows: RowTable, key: str) -> NDArray[Any] | None:
    """A column of numbers, NaN for null; None where they would be rounded."""
    said = [{key: row[key]} if bytes(row[key]) != b"null" else {} for row in rows.rows]
    return RowTable(said, rows.path, rows.faults, rows.first).scalars(key) if any(said) else np.full(len(rows), np.nan)


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


def to_json(p: Predictions, path: str | Path | None = None) -> bytes:
    """COCO results; an absent point is 0, 0, 0."""
    points = np.where(np.isnan(p.keypoints[..., :1]), 0, p.keypoints).reshape(len(p), 3 * len(p.schema))
    columns = (p.image.tolist(), p.category.tolist(), whole_as_int(points), p.score.tolist())
    rows: list[dict[str, Any]] = [dict(zip(RESULT_KEYS, values, strict=False)) for values in zip(*columns, strict=True)]
    named = {
        "bbox": (whole_as_int(p.bbox), np.isfinite(p.bbox).all(1)),
        "truth_id": (p.truth.tolist(), p.truth != (-1 if p.truth.dtype.kind == "i" else "")),
        **_meta_values(p),
    }
    for key, (values, known) in named.items():
        for row in np.flatnonzero(known).tolist():
            rows[row][key] = values[row]
    for record, text in zip(rows, p.rest.rows(), strict=True):
        record.update(msgspec.json.decode(text, type=dict[str, Raw]) if text else {})
    header = written_header(p)
    if rows:
        rows[0][HEADER_KEY] = header
    try:
        data = msgspec.json.encode(rows)
    except UnicodeEncodeError as e:
        raise DataError("to_json", f"text that is no Unicode: {brief(repr(e.object))}", "spell it without lone surrogates") from None
    if path is not None:
        write_bytes(path, data)
    return data


def _meta_values(p: Predictions) -> dict[str, tuple[list[Any], NDArray[np.bool_]]]:
    """Meta columns, null for NaN."""
    for name, values in p.meta.items():
        if name in (*RESULT_KEYS, HEADER_KEY):
            raise DataError(f"to_json: meta {name!r}", "a key that results hold already", "give it another name")
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise DataError(f"to_json: meta {name!r}", "infinite values", "JSON has none; NaN says unknown")
    return {name: (v.tolist(), np.ones(len(p), bool)) for name, v in p.meta.items()}  # msgspec writes NaN as null


def written_header(p: Predictions) -> dict[str, Any]:
    """The header with version and schema filled in."""
    known = SCHEMAS.get(p.schema.name) == p.schema
    header = {"version": 1, **p.header, "schema": p.schema.name if known else p.schema.to_dict()}
    try:
        msgspec.json.encode(header)
    except (TypeError, ValueError) as e:
        raise DataError("Predictions.header", brief(str(e), 100), "plain text, numbers, lists and dictionaries only") from None
    return header


_NPZ = ("image", "category", "keypoints", "score", "bbox", "truth")


def to_npz(p: Predictions, path: str | Path) -> Path:
    """Columns and header; nothing in it is a pickle."""
    arrays: dict[str, Any] = {name: _plain(getattr(p, name)) for name in _NPZ} | {f"meta.{k}": _plain(v) for k, v in p.meta.items()}
    header = np.frombuffer(json.dumps(written_header(p), ensure_ascii=False).encode(), np.uint8)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as out:
            np.savez_compressed(out, **arrays, header=header)

    return write_with(path, write)


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    return column.astype(str) if column.dtype == object else column


def _read_npz(path: Path, schema: Schema | str | Path | None) -> Predictions:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "not an .npz file").lower(), "check the path") from None
    except Exception as e:  # a broken archive fails in a dozen ways: zlib.error, BadZipFile, MemoryError, TypeError for a bare .npy, ...
        raise FormatError(str(path), f"not an .npz file of plain arrays ({brief(str(e), 80)})", "write it with Predictions.to_npz") from None
    try:
        header = check_header(json.loads(arrays.pop("header").tobytes()) if "header" in arrays else {}, str(path))
    except FormatError:
        raise
    except (ValueError, RecursionError):
        raise FormatError(f"{path} header", "not UTF-8 JSON", "write it with Predictions.to_npz") from None
    missing = [k for k in ("image", "keypoints", "score") if k not in arrays]
    if missing:
        raise FormatError(str(path), f"no array {missing[0]!r}", f"an .npz of predictions holds {', '.join(_NPZ)}")
    known = _schema_of(header, schema, str(path))
    meta = {k.removeprefix("meta."): arrays.pop(k) for k in list(arrays) if k.startswith("meta.")}
    try:
        return Predictions.from_arrays(schema=known, header=header, meta=meta, **{k: v for k, v in arrays.items() if k in _NPZ})
    except (PoseError, ValueError, TypeError) as e:
        where = getattr(e, "where", "arrays")
        raise FormatError(f"{path} {where}", getattr(e, "seen", brief(str(e))), getattr(e, "cure", "")) from None
