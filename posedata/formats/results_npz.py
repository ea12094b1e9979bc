"""Reading predictions from .npz: ours, and plain arrays that others saved under the names of a results file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..category import Category
from ..errors import FormatError, PoseError, brief
from ..predictions import Predictions
from ..schema import Schema
from .placing import unsaid_category
from .results_out import NPZ_COLUMNS

__all__ = ["read_npz"]

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
