"""Writing COCO keypoint JSON: columns and the text kept beside them become the rows they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..category import Category
from ..dataset import PoseDataset
from ..errors import DataError, brief
from ..files import write_bytes
from ..rest import Rest
from ..schema import Schema
from ..tables import Images, Table
from .coco import META
from .info import info_text, word_of
from .keys import whole_as_int
from .rows import gc_paused

__all__ = ["to_coco"]

Column = tuple[list[Any], Any, Any]
"""Values; where they say something; where they may stand if the source had the key."""

_SOURCE_KEYS = {column: key for key, column in META.items()}


def to_coco(ds: PoseDataset, path: str | Path | None = None) -> bytes:
    """The dataset as COCO JSON; keys, order and values of its source are kept."""
    with gc_paused():
        parts: dict[str, Any] = {
            "images": _listed(_rows(_image_columns(ds.images), ds.images), ds.rest.listing),
            "annotations": _rows(_instance_columns(ds), ds.instances),
            "categories": [_category(c, ds.schema) for c in ds.categories],
        }
        own: dict[str, Any] = {} if ds.rest.keys else {"info": _info(ds)}
        own |= {k: Raw(v) for k, v in ds.rest.texts.items()}
        # a union of categories with points of their own is read back from those
        whole = all(len(c.points) == len(ds.schema) for c in ds.categories if c.points)
        changed = info_text(ds.schema, ds.rest.texts) if ds.rest.keys and whole else None
        own |= {"info": changed} if changed else {}
        order = dict.fromkeys((*(ds.rest.keys or ("info",)), *own, *_parts_to_write(ds)))
        try:
            data = msgspec.json.encode({k: parts[k] if k in parts else own[k] for k in order})
        except UnicodeEncodeError as e:
            raise DataError("to_coco", f"text that is no Unicode: {brief(repr(e.object))}", "spell it without lone surrogates") from None
    if path is not None:
        write_bytes(path, data)
    return data


def _parts_to_write(ds: PoseDataset) -> list[str]:
    """All three tables, but not one that the source left out and that has nothing to say since."""
    silent = {
        "images": not (ds.images.file != "").any() and not ds.images.width.any(),
        "categories": all(c.keys == ("id",) for c in ds.categories),  # those that annotations imply
        "annotations": not len(ds),
    }
    return [part for part, quiet in silent.items() if not (quiet and ds.rest.keys)]


def _info(ds: PoseDataset) -> dict[str, Any]:
    """For sets that came from no COCO file: what reading it back wants to know."""
    meta = [_SOURCE_KEYS.get(m, m) for m in dict.fromkeys((*ds.images.meta, *ds.instances.meta))]
    return {"description": ds.name, "posebench": {"version": 1, "schema": word_of(ds.schema), "meta": meta}}


def _listed(rows: list[Any], listing: NDArray[np.int64] | None) -> list[Any]:
    return rows if listing is None else [rows[i] for i in listing]


def _image_columns(images: Images) -> dict[str, Column]:
    n = len(images)
    own: dict[str, Column] = {
        "id": _always(images.id.tolist(), n),
        "file_name": _known(images.file.tolist(), np.array([f != "" for f in images.file], bool), n),
        "width": _known(images.width.tolist(), images.width > 0, n),
        "height": _known(images.height.tolist(), images.height > 0, n),
    }
    return _with_meta(own, images)


def _instance_columns(ds: PoseDataset) -> dict[str, Column]:
    own, n = ds.instances, len(ds)
    category_ids = [c.id for c in ds.categories]
    counted = np.where(own.recorded >= 0, own.recorded, own.labelled.sum(1))
    has_points = own.annotated.any(1)
    columns: dict[str, Column] = {
        "id": _always(own.id.tolist(), n),
        "image_id": _always(ds.images.id[own.image].tolist(), n),
        "category_id": _always([category_ids[c] for c in own.category.tolist()], n),
        "keypoints": (_keypoint_lists(ds), own.keypoints.any((1, 2)) | (has_points & (own.rest.layout < 0)), has_points),
        "num_keypoints": (counted.tolist(), has_points & (own.rest.layout < 0), np.ones(n, bool)),
        "bbox": (whole_as_int(own.bbox), np.isfinite(own.bbox).all(1), np.zeros(n, bool)),
        "area": (whole_as_int(own.area), np.isfinite(own.area), np.zeros(n, bool)),
        "iscrowd": (own.crowd.astype(int).tolist(), own.crowd | (own.rest.layout < 0), np.ones(n, bool)),
        "ignore": _known(own.ignore.astype(int).tolist(), own.ignore, n),
        "annotated": _annotated(ds),
    }
    return _with_meta(columns, own)


def _annotated(ds: PoseDataset) -> Column:
    """`annotated` of rows whose source lacks some of their category's points; the others need no word, unless the source had it."""
    values, partial = ["1" * len(ds.categories[c].points) for c in ds.instances.category.tolist()], np.zeros(len(ds), bool)
    for c, kind in enumerate(ds.categories):
        places = np.array([ds.schema.index(p) for p in kind.points], np.intp)
        rows = np.flatnonzero((ds.instances.category == c) & ~ds.instances.annotated[:, places].all(1))
        partial[rows] = True
        for row, bits in zip(rows.tolist(), ds.instances.annotated[np.ix_(rows, places)].astype(int).tolist(), strict=True):
            values[row] = "".join(map(str, bits))
    return values, partial, np.ones(len(ds), bool)


def _keypoint_lists(ds: PoseDataset) -> list[Any]:
    """Each row's points in its category's own order."""
    out: list[Any] = [None] * len(ds)
    for c, kind in enumerate(ds.categories):
        rows = np.flatnonzero(ds.instances.category == c)
        places = np.array([ds.schema.index(p) for p in kind.points], np.intp)
        values = whole_as_int(ds.instances.keypoints[np.ix_(rows, places)].reshape(len(rows), 3 * len(places)))
        for row, value in zip(rows.tolist(), values, strict=True):
            out[row] = value
    return out


def _with_meta(columns: dict[str, Column], table: Table) -> dict[str, Column]:
    """The columns, and those of `meta` under the keys they had."""
    for name, values in table.meta.items():
        key = _SOURCE_KEYS.get(name, name)
        if key in columns:
            raise DataError(f"to_coco: meta {name!r}", f"another column is written as {key!r}", "give it another name")
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise DataError(f"to_coco: meta {name!r}", "infinite values", "JSON has none; NaN says unknown")
        said = (
            np.array([v != "" for v in values], bool)
            if values.dtype == object
            else ~np.isnan(values)
            if values.dtype.kind == "f"
            else np.ones(len(table), bool)
        )
        may = np.ones(len(table), bool) if values.dtype == object else np.zeros(len(table), bool)
        columns[key] = (whole_as_int(values) if values.dtype.kind == "f" else values.tolist(), said, may)
    return columns


def _always(values: list[Any], n: int) -> Column:
    return values, np.ones(n, bool), np.ones(n, bool)


def _known(values: list[Any], known: NDArray[np.bool_], n: int) -> Column:
    """Written where it says something, and where the source had the key."""
    return values, known, np.ones(n, bool)


def _rows(columns: dict[str, Column], table: Table) -> list[dict[str, Any]]:
    """Row dictionaries: first the keys of the source in its order, then what has been learned since."""
    plan = _plan(columns, table.rest)
    values = {key: column[0] for key, column in columns.items()}
    said = {key: column[1].tolist() for key, column in columns.items()}
    rows = []
    for i, text in enumerate(table.rest.rows()):
        kept = msgspec.json.decode(text, type=dict[str, Raw]) if text else {}
        for key in kept.keys() & said.keys():
            if said[key][i]:
                del kept[key]  # the column has learned more since
        rows.append({key: kept[key] if key in kept else values[key][i] for key in plan(i, kept)})
    return rows


def _plan(columns: dict[str, Column], rest: Rest) -> Callable[[int, dict[str, Raw]], list[str]]:
    """Which keys row i has, in order; worked out once for rows that agree."""
    said = {key: column[1].tolist() for key, column in columns.items()}
    may = {key: column[2].tolist() for key, column in columns.items()}
    layout = rest.layout.tolist()
    names, memo = list(columns), {}

    def plan(i: int, kept: dict[str, Raw]) -> list[str]:
        signature = (layout[i], *(said[k][i] for k in names), *(may[k][i] for k in names), *kept)
        if signature not in memo:
            source = rest.keys(i) or tuple(kept)
            had = [k for k in source if k in kept or (k in said and (said[k][i] or may[k][i]))]
            memo[signature] = [*had, *(k for k in names if said[k][i] and k not in had)]
        return memo[signature]

    return plan


def _category(c: Category, schema: Schema) -> dict[str, Any]:
    held = {"id": c.id, "name": c.name, "keypoints": list(c.spellings)}
    skeleton = [[c.points.index(a) + 1, c.points.index(b) + 1] for a, b in schema.limbs if a in c.points and b in c.points]
    learned = {"supercategory": c.name, "skeleton": skeleton} if not c.keys else {"skeleton": skeleton} if "skeleton" in c.keys else {}
    kept = {k: Raw(v) for k, v in c.rest.items()}
    values = {**held, **learned, **kept}
    keys = c.keys or ("supercategory", "id", "name", *(("keypoints", "skeleton") if c.points else ()))
    return {k: values[k] for k in keys if k in values}
