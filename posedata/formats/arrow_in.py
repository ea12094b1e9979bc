"""Arrow tables as datasets: ours whole, others as far as their columns say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, FormatError, PoseError, brief
from ..rest import FileRest, Rest
from ..schema import Schema
from ..schemas import load_schema
from ..tables import Images, Instances
from .hf import IMAGE_COLUMNS, INSTANCE_COLUMNS, feature_of, find_header, read_category, read_provenance, read_schema_of

__all__ = ["from_arrow"]


def from_arrow(table: pa.Table, where: str, schema: Schema | str | Path | None) -> PoseDataset:
    """The dataset in a table, whose metadata hold its header or at least its features; `where` names it in errors."""
    head = find_header(table.schema.metadata, where)
    try:
        rows = {name: table[name].combine_chunks() for name in table.column_names}
        records, owner = _records(rows, where)
        wanted = None if schema is None else load_schema(schema)
        if head is None:
            head, records = _foreign(table, records, wanted, where)
        known = read_schema_of(head, where)
        if wanted not in (None, known):
            raise DataError(where, f"its schema is {known.name!r}", f"read it so, then .as_schema({str(schema)!r})")
        image_meta, left = _meta_in(rows, head["meta"]["images"], IMAGE_COLUMNS)
        instance_meta, left_too = _meta_in(records, head["meta"]["instances"], INSTANCE_COLUMNS)
        own = {"meta": instance_meta, "rest": _rest_in(records, head["layouts"]["instances"], len(owner), where)}
        provenance = read_provenance(head["provenance"])
        gone = [*left, *(f"instances.{name}" for name in left_too)]
        return PoseDataset(
            name=head["name"],
            schema=known,
            categories=tuple(map(read_category, head["categories"])),
            images=_images(rows, len(table), {"meta": image_meta, "rest": _rest_in(rows, head["layouts"]["images"], len(table), where)}),
            instances=_instances(records, owner, known, where, own),
            provenance=provenance.then(f"columns left out: {', '.join(gone)}") if gone else provenance,
            rest=FileRest(tuple(head["keys"]), {k: v.encode() for k, v in head["texts"].items()}, _listing(rows, len(table))),
        )
    except PoseError:
        raise
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as e:
        raise FormatError(where, f"columns or header are not as they should be ({brief(str(e), 100)})", "write it again with to_parquet or to_hf") from None


def _records(rows: Mapping[str, pa.Array], where: str) -> tuple[dict[str, pa.Array], NDArray[np.int64]]:
    """The columns of all instances, and the row of the image that each lies on."""
    lists = rows.get("instances")
    if lists is None or not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)) or not pa.types.is_struct(lists.type.value_type):
        raise FormatError(where, "no column 'instances' that is a list of records", "posedata.from_hf says which columns are needed")
    owner = np.repeat(np.arange(len(lists)), pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
    flat = lists.flatten()
    return {field.name: pc.struct_field(flat, field.name) for field in flat.type}, owner


def _images(rows: Mapping[str, pa.Array], n: int, more: Mapping[str, Any]) -> Images:
    ids = _ids_in(rows["image_id"]) if "image_id" in rows else np.arange(1, n + 1)
    own: dict[str, Any] = {"file": _texts_in(rows["file_name"]) if "file_name" in rows else ids.astype(str).astype(object)}
    own |= {name: rows[name].fill_null(0).cast(pa.int64()).to_numpy() for name in ("width", "height") if name in rows}
    own |= {"folder": _texts_in(rows["folder"])} if "folder" in rows else {}
    return Images(id=ids, **own, **more)


def _instances(records: Mapping[str, pa.Array], owner: NDArray[np.int64], schema: Schema, where: str, more: Mapping[str, Any]) -> Instances:
    n, own = len(owner), {}
    if len(schema) and "keypoints" not in records:
        raise FormatError(where, "no 'keypoints' in the records of 'instances'", f"{len(schema)} lists of x, y, v are needed")
    for column, name, fill in (("category", "category", 0), ("num_keypoints", "recorded", -1)):
        if column in records:
            own[name] = records[column].fill_null(fill).cast(pa.int64()).to_numpy()
    for column, name in (("iscrowd", "crowd"), ("ignore", "ignore")):
        if column in records:
            own[name] = records[column].cast(pa.bool_()).fill_null(False).to_numpy(zero_copy_only=False)
    own |= {name: _nested(records[name], shape, where, name) for name, shape in (("bbox", (4,)), ("area", ())) if name in records}
    own |= {"id": _ids_in(records["id"])} if "id" in records else {}
    points = _nested(records["keypoints"], (len(schema), 3), where, "keypoints", 0) if len(schema) else np.zeros((n, 0, 3))
    if "annotated" in records and len(schema):
        own["annotated"] = _nested(records["annotated"], (len(schema),), where, "annotated", 1) == 1
    found = Instances(image=owner, keypoints=points, **own, **more)
    order = np.argsort(records["row"].to_numpy(), kind="stable") if "row" in records else np.arange(n)
    return found.take(order) if (np.diff(order) < 0).any() else found


def _nested(column: pa.Array, shape: tuple[int, ...], where: str, name: str, fill: float = np.nan) -> NDArray[np.float64]:
    """(N, *shape) numbers of nested lists; `fill` where a row has none."""
    valid, flat = column.is_valid().to_numpy(zero_copy_only=False), column.drop_null()
    for size in shape:
        sizes = pc.list_value_length(flat).to_numpy(zero_copy_only=False)
        if (sizes != size).any():
            raise FormatError(f"{where}: instances.{name}", f"lists of {sizes[sizes != size][0]} where {size} are needed", "is it another schema?")
        flat = flat.flatten()
    out = np.full((len(column), *shape), fill, np.float64)
    out[valid] = flat.cast(pa.float64() if not pa.types.is_boolean(flat.type) else pa.uint8()).to_numpy(zero_copy_only=False).reshape(-1, *shape)
    return out


def _ids_in(column: pa.Array) -> NDArray[Any]:
    if column.null_count:
        raise ValueError("an id is null")
    return column.cast(pa.int64()).to_numpy() if pa.types.is_integer(column.type) else _texts_in(column)


def _texts_in(column: pa.Array) -> NDArray[Any]:
    texts: NDArray[Any] = column.cast(pa.large_string()).fill_null("").to_numpy(zero_copy_only=False)
    return texts


def _meta_in(columns: Mapping[str, pa.Array], told: Mapping[str, Any], reserved: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Columns beyond our own as meta, and the names of those that cannot be."""
    found = {name: _scalars(values) for name, values in columns.items() if name not in reserved}
    return {told[k][0] if k in told else k: v for k, v in found.items() if v is not None}, [k for k, v in found.items() if v is None]


def _scalars(column: pa.Array) -> NDArray[Any] | None:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts_in(column)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or (pa.types.is_boolean(kind) and not column.null_count)
    return column.to_numpy(zero_copy_only=False) if number else None  # Arrow makes NaN of null


def _rest_in(columns: Mapping[str, pa.Array], layouts: list[list[str]], n: int, where: str) -> Rest:
    if n == 0 or not columns.keys() >= {"rest", "layout"}:
        return Rest.empty(n)
    text, layout = columns["rest"].cast(pa.large_binary()).fill_null(b""), columns["layout"].fill_null(-1).cast(pa.int32()).to_numpy()
    if layout.min() < -1 or layout.max() >= len(layouts):
        raise FormatError(f"{where}: layout", f"{layout.max()}, where the header has {len(layouts)}", "rows of different datasets? read them one by one")
    _, edges, data = text.buffers()
    offsets = np.frombuffer(edges, np.int64)[text.offset : text.offset + n + 1]
    kept = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    return Rest(tuple(map(tuple, layouts)), layout, kept, offsets - offsets[0])


def _listing(rows: Mapping[str, pa.Array], n: int) -> NDArray[np.int64] | None:
    """The list of images as the file had it; None when no image stood there twice, or some are gone."""
    if "listed" not in rows:
        return None
    places = rows["listed"].flatten().to_numpy()
    if not np.array_equal(np.sort(places), np.arange(len(places))):
        return None
    listing = np.empty(len(places), np.int64)
    listing[places] = np.repeat(np.arange(n), pc.list_value_length(rows["listed"]).to_numpy())
    return listing


def _foreign(table: pa.Table, records: dict[str, pa.Array], schema: Schema | None, where: str) -> tuple[dict[str, Any], dict[str, pa.Array]]:
    """A header for a table that is not ours; its categories become rows of a list."""
    if schema is None:
        raise FormatError(where, "no posebench header among its features", "give schema=NAME; posedata.from_hf says which columns are read")
    names = feature_of(table.schema.metadata or {}, "instances", "category").get("names")
    if "category" not in records:
        names = ["object"]
    elif names is None:
        values = pc.unique(records["category"].drop_null()).to_pylist()
        names = [str(v) for v in values]
        records = records | {"category": pc.index_in(records["category"], pa.array(values, records["category"].type))}
    points: dict[str, Any] = {"points": schema.names, "spellings": schema.names, "sigmas": None, "keys": (), "rest": {}}
    head = {
        "name": where, "schema": schema.to_dict(), "categories": [{"id": i, "name": name, **points} for i, name in enumerate(names, 1)],
        "provenance": {"files": (), "fixes": (), "steps": ("from a table without a posebench header",)},
        "keys": (), "texts": {}, "layouts": {"images": [], "instances": []}, "meta": {"images": {}, "instances": {}},
    }  # fmt: skip
    return head, {k: v for k, v in records.items() if k not in ("rest", "layout", "row")}
