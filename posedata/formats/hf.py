"""What a table of ours says of itself: a header of plain values, the features Hugging Face reads, a fingerprint of the content.

The header is JSON. It stands in the Arrow metadata under `posebench`, where any reader of Parquet finds it, and once more as the
only class name of a column `posebench` of zeros: of all metadata, only features outlive `datasets`' own writing and choosing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from datasets import ClassLabel, Features, Image, List, Value
from numpy.typing import NDArray

from ..category import Category, Provenance
from ..dataset import PoseDataset
from ..errors import DataError, FormatError, PoseError, brief
from ..schema import Schema
from ..tables import Table

__all__ = [
    "IMAGE_COLUMNS", "INSTANCE_COLUMNS", "feature_of", "features", "content_fingerprint", "find_header", "header", "meta_columns",
    "read_category", "read_provenance", "read_schema_of",
]  # fmt: skip

VERSION = 1
"""Of header and columns; part of every fingerprint."""

IMAGE_COLUMNS = ("image", "image_id", "file_name", "width", "height", "instances", "folder", "listed", "rest", "layout", "posebench")
INSTANCE_COLUMNS = (
    "id", "category", "bbox", "area", "iscrowd", "ignore", "num_keypoints", "keypoints", "annotated", "row", "rest", "layout",
)  # fmt: skip


# -- out ---------------------------------------------------------------------------------------------


def header(ds: PoseDataset) -> str:
    """All that stands in no column, as one line of JSON."""
    values = {
        "version": VERSION,
        "name": ds.name,
        "schema": ds.schema.to_dict(),
        "categories": [_category_values(c) for c in ds.categories],
        "provenance": {"files": ds.provenance.files, "fixes": ds.provenance.fixes, "steps": ds.provenance.steps},
        "keys": ds.rest.keys,
        "texts": _decoded(ds.rest.texts),
        "layouts": {"images": ds.images.rest.layouts, "instances": ds.instances.rest.layouts},
        "meta": {"images": meta_columns(ds.images, IMAGE_COLUMNS), "instances": meta_columns(ds.instances, INSTANCE_COLUMNS)},
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def meta_columns(table: Table, reserved: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Column in the file: (name in `meta`, dtype). A name of our own columns gets `meta_` before it."""
    columns: dict[str, tuple[str, str]] = {}
    for name, values in table.meta.items():
        column = re.sub(r"[\x00-\x1f.]", "_", name)  # Arrow ends names at a zero, Parquet nests them at dots
        while column in reserved or column in columns:
            column = f"meta_{column}"
        columns[column] = (name, values.dtype.newbyteorder("=").str)
    return columns


def features(ds: PoseDataset) -> Features:
    """The columns as Hugging Face knows them; nested `List`, which keeps lists of records what they are."""
    own, k = ds.instances, len(ds.schema)
    record: dict[str, Any] = {
        "id": _id_feature(own.id), "category": ClassLabel(names=_class_names(ds.categories)),
        "bbox": List(Value("float64")), "area": Value("float64"),
        "iscrowd": Value("bool"), "ignore": Value("bool"), "num_keypoints": Value("int64"),
    }  # fmt: skip
    # no fixed length for bbox: pyarrow 17 cannot write a null of fixed length to Parquet
    if k:  # lists of length 0 are more than some readers of Parquet can take
        record |= {"keypoints": List(List(Value("float64"), length=3), length=k), "annotated": List(Value("bool"), length=k)}
    record |= _meta_features(own, INSTANCE_COLUMNS) | {"row": Value("int64"), "rest": Value("large_string"), "layout": Value("int32")}
    table: dict[str, Any] = {
        "image": Image(), "image_id": _id_feature(ds.images.id), "file_name": Value("string"), "width": Value("int64"), "height": Value("int64"),
        **_meta_features(ds.images, IMAGE_COLUMNS), "instances": List(record), "folder": Value("string"),
    }  # fmt: skip
    if ds.rest.listing is not None:
        table["listed"] = List(Value("int64"))
    return Features(table | {"rest": Value("large_string"), "layout": Value("int32"), "posebench": ClassLabel(names=[header(ds)])})


def content_fingerprint(ds: PoseDataset, here: NDArray[np.bool_]) -> str:
    """32 hex digits that are the same in every process and change with any value, with the place of the pictures, and with which of them are here.

    Where the annotations were read from, and how the path of a folder is spelled, changes nothing.
    """
    provenance = replace(ds.provenance, files=tuple(("", sha256) for _, sha256 in ds.provenance.files))
    folders = {f: str(Path(f).absolute()) if f else "" for f in set(ds.images.folder.tolist())}
    digest = hashlib.sha256(json.dumps([VERSION, header(replace(ds, provenance=provenance))]).encode())
    digest.update(np.packbits(here).tobytes())
    for kind, table in (("images", ds.images), ("instances", ds.instances)):
        arrays = {**table.columns(), "rest.layout": table.rest.layout, "rest.offsets": table.rest.offsets, "rest.text": table.rest.text}
        for name, values in arrays.items():
            if name == "folder":
                values = np.array([*(folders[f] for f in values.tolist()), None], object)[:-1]
            digest.update(json.dumps([kind, name, values.dtype.str, values.shape]).encode())
            # text as JSON: no two lists of texts are written alike
            digest.update(json.dumps(values.tolist()).encode() if values.dtype == object else np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    if ds.rest.listing is not None:
        digest.update(json.dumps(["listing", ds.rest.listing.tolist()]).encode())
    return digest.hexdigest()[:32]


def _category_values(c: Category) -> dict[str, Any]:
    id_ = c.id if isinstance(c.id, str) else int(c.id)
    return {"id": id_, "name": c.name, "points": c.points, "spellings": c.spellings, "sigmas": c.sigmas, "keys": c.keys, "rest": _decoded(c.rest)}


def _decoded(texts: Mapping[str, bytes]) -> dict[str, str]:
    try:
        return {key: text.decode() for key, text in texts.items()}
    except UnicodeDecodeError as e:
        raise DataError("to_arrow", f"text that is not UTF-8 ({e})", "JSON is UTF-8 text; export the source again") from None


def _class_names(categories: tuple[Category, ...]) -> list[str]:
    """Names that differ, as class labels must; a name that stands twice gets its id behind it."""
    names = [c.name for c in categories]
    for row, c in enumerate(categories):
        while names.count(names[row]) > 1:
            names[row] = f"{names[row]} ({c.id})"
    return names


def _id_feature(ids: Any) -> Value:
    return Value("string" if ids.dtype == object else "int64")


def _meta_features(table: Table, reserved: tuple[str, ...]) -> dict[str, Value]:
    return {column: Value("string" if dtype == "|O" else np.dtype(dtype).name) for column, (_, dtype) in meta_columns(table, reserved).items()}


# -- in ----------------------------------------------------------------------------------------------


def find_header(metadata: Mapping[bytes, bytes] | None, where: str) -> dict[str, Any] | None:
    """The header in an Arrow schema's metadata: among the features, else under our own key; None in a table that is not ours."""
    known = metadata or {}
    names = feature_of(known, "posebench").get("names") or []
    text = names[0].encode() if names else known.get(b"posebench")
    if text is None:
        return None
    try:
        values: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        version = int(values["version"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise FormatError(where, f"posebench header {brief(text)}", "the file is damaged; write it again") from None
    if version > VERSION:
        raise FormatError(where, f"posebench header of version {version}", "it was written by a newer posebench; update this one")
    return values


def feature_of(metadata: Mapping[bytes, bytes], *path: str) -> dict[str, Any]:
    """The feature at this path of column and record names; empty when there is none."""
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        for name in path:
            found = found.get("feature", found)[name]
        return dict(found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def read_schema_of(values: Mapping[str, Any], where: str) -> Schema:
    """The schema in a header."""
    try:
        return Schema.from_dict(values["schema"], f"{where}: schema")
    except PoseError as e:
        raise FormatError(where, f"schema in its header: {e.seen}", e.cure) from None


def read_category(values: Mapping[str, Any]) -> Category:
    """A category from its plain values."""
    sigmas = values["sigmas"]
    return Category(
        values["id"],
        values["name"],
        tuple(values["points"]),
        tuple(values["spellings"]),
        None if sigmas is None else tuple(map(float, sigmas)),
        tuple(values["keys"]),
        {key: text.encode() for key, text in values["rest"].items()},
    )


def read_provenance(values: Mapping[str, Any]) -> Provenance:
    """Provenance from its plain values."""
    return Provenance(tuple((str(path), str(sha)) for path, sha in values["files"]), tuple(values["fixes"]), tuple(values["steps"]))
