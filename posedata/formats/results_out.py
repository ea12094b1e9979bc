"""Writing predictions as COCO results JSON, with the header that makes them explain themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, brief
from ..files import write_bytes
from ..predictions import Predictions
from .keys import HEADER_KEY, RESULT_KEYS, whole_as_int
from .results_npz import written_header

__all__ = ["to_json"]


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
    try:
        data = _encoded(rows, written_header(p), p)
    except UnicodeEncodeError as e:
        raise DataError("to_json", f"text that is no Unicode: {brief(repr(e.object))}", "spell it without lone surrogates") from None
    if path is not None:
        write_bytes(path, data)
    return data


def _encoded(rows: list[dict[str, Any]], header: dict[str, Any], p: Predictions) -> bytes:
    """The records as JSON, with what their files held besides. Predictions that came from no file need no msgspec, only more time."""
    try:
        import msgspec
    except ModuleNotFoundError:
        if len(p.rest.text):
            raise
        first = [{**rows[0], HEADER_KEY: header}] if rows else []
        return json.dumps([*first, *rows[1:]], ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    kind = dict[str, msgspec.Raw]
    for record, text in zip(rows, p.rest.rows(), strict=True):
        record.update(msgspec.json.decode(text, type=kind) if text else {})
    if rows:
        rows[0][HEADER_KEY] = header
    return bytes(msgspec.json.encode(rows))


def _meta_values(p: Predictions) -> dict[str, tuple[list[Any], NDArray[np.bool_]]]:
    """Meta columns, null for NaN."""
    for name, values in p.meta.items():
        if name in (*RESULT_KEYS, HEADER_KEY):
            raise DataError(f"to_json: meta {name!r}", "a key that results hold already", "give it another name")
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise DataError(f"to_json: meta {name!r}", "infinite values", "JSON has none; NaN says unknown")
    return {name: (_null_for_nan(v), np.ones(len(p), bool)) for name, v in p.meta.items()}


def _null_for_nan(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind != "f" or not np.isnan(values).any():
        return list(values.tolist())
    return [None if v != v else v for v in values.tolist()]
