"""Predictions as .npz: ours, written and read, and plain arrays that others saved under the names of a results file.

numpy is all it takes: a machine that only trains need have no reader of JSON files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..category import Category
from ..errors import DataError, FormatError, PoseError, brief
from ..files import write_with
from ..predictions import Predictions
from ..schema import Schema
from ..schemas import SCHEMAS
from .placing import unsaid_category

__all__ = ["read_npz", "to_npz", "written_header"]

NPZ_COLUMNS = ("image", "category", "keypoints", "score", "bbox", "truth")

Arrays = dict[str, NDArray[Any]]

ALIASES = {
    "image": ("image_id", "image_ids"), "category": ("category_id", "category_ids"), "score": ("scores",), "bbox": ("bboxes",), "truth": ("truth_id",),
}  # fmt: skip
"""Our columns, and what others call them. Boxes are x, y, w, h under either name; `boxes` is left alone, for it often holds corners."""


def read_npz(
    path: Path,
    check_header: Callable[[Any, str], dict[str, Any]],
    schema_of: Callable[[Mapping[str, Any], str], Schema],
    categories: Sequence[Category] | None = None,
) -> Predictions:
    """Predictions from the arrays of one file; nothing in it is unpickled."""
    arrays = _loaded(path)
    header = _header(arrays, path, check_header)
    columns = {name: _named(arrays, name, path) for name in NPZ_COLUMNS}
    missing = [k for k in ("image", "keypoints", "score") if columns[k] is None]
    if missing:
        raise FormatError(str(path), f"no array {missing[0]!r}", f"an .npz of predictions holds {', '.join(NPZ_COLUMNS)}")
    known = schema_of(header, str(path))
    meta = {k.removeprefix("meta."): v for k, v in arrays.items() if k.startswith("meta.")}
    own: dict[str, Any] = {k: v for k, v in columns.items() if v is not None}
    if "category" not in own:
        own["category"] = unsaid_category(np.size(own["image"]), categories, str(path))
    own["keypoints"] = _unrolled(own["keypoints"], len(known))
    try:
        return Predictions.from_arrays(schema=known, header=header, meta=meta, **own)
    except (PoseError, ValueError, TypeError) as e:
        where = getattr(e, "where", "arrays")
        raise FormatError(f"{path} {where}", getattr(e, "seen", brief(str(e))), getattr(e, "cure", "")) from None


def _loaded(path: Path) -> Arrays:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "not an .npz file").lower(), "check the path") from None
    except Exception as e:  # a broken archive fails in a dozen ways: zlib.error, BadZipFile, MemoryError, TypeError for a bare .npy, ...
        raise FormatError(str(path), f"not an .npz file of plain arrays ({brief(str(e), 80)})", "write it with Predictions.to_npz") from None


def _header(arrays: Arrays, path: Path, check_header: Callable[[Any, str], dict[str, Any]]) -> dict[str, Any]:
    try:
        return check_header(json.loads(arrays.pop("header").tobytes()) if "header" in arrays else {}, str(path))
    except FormatError:
        raise
    except (ValueError, RecursionError):
        raise FormatError(f"{path} header", "not UTF-8 JSON", "write it with Predictions.to_npz") from None


def _named(arrays: Arrays, name: str, path: Path) -> NDArray[Any] | None:
    """The array of a column, under whichever of its names; under two, nobody knows which counts."""
    found = [k for k in (name, *ALIASES.get(name, ())) if k in arrays]
    if len(found) > 1:
        raise FormatError(str(path), f"arrays {found[0]!r} and {found[1]!r} are one column", "keep one of them")
    return arrays[found[0]] if found else None


def _unrolled(points: NDArray[Any], k: int) -> NDArray[Any]:
    """(M, 3K) numbers, as a results file holds them, are (M, K, 3)."""
    return points.reshape(len(points), k, 3) if k and points.ndim == 2 and points.shape[1] == 3 * k else points


# -- writing -----------------------------------------------------------------------------------------


def to_npz(p: Predictions, path: str | Path) -> Path:
    """Columns and header; nothing in it is a pickle."""
    arrays: dict[str, Any] = {name: _plain(getattr(p, name)) for name in NPZ_COLUMNS} | {f"meta.{k}": _plain(v) for k, v in p.meta.items()}
    header = np.frombuffer(json.dumps(written_header(p), ensure_ascii=False).encode(), np.uint8)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as out:
            np.savez_compressed(out, **arrays, header=header)

    return write_with(path, write)


def written_header(p: Predictions) -> dict[str, Any]:
    """The header with version and schema filled in."""
    known = SCHEMAS.get(p.schema.name) == p.schema
    header = {"version": 1, **p.header, "schema": p.schema.name if known else p.schema.to_dict()}
    try:
        json.dumps(header)
    except (TypeError, ValueError, RecursionError) as e:
        raise DataError("Predictions.header", brief(str(e), 100), "plain text, numbers, lists and dictionaries only") from None
    return header


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    return column.astype(str) if column.dtype == object else column
