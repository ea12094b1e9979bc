"""Writing predictions as COCO results JSON, with the header that makes them explain themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import DataError, brief
from ..files import write_bytes
from ..predictions import Predictions
from .coco_out import whole_as_int
from .records import HEADER_KEY, RESULT_KEYS
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
