"""What results files are written with: their keys, and numbers as people write them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEADER_KEY", "RESULT_KEYS", "whole_as_int"]

HEADER_KEY = "posebench"
RESULT_KEYS = ("image_id", "category_id", "keypoints", "score", "bbox", "truth_id")


def whole_as_int(values: NDArray[np.float64]) -> list[Any]:
    """Nested lists in which 269.0 is 269, as people write it."""
    whole = (values == np.floor(np.nan_to_num(values, nan=0.5, posinf=0.5, neginf=0.5))) & (np.abs(np.nan_to_num(values)) < 2**53)
    if whole.all():
        return values.astype(np.int64).tolist()
    mixed = values.astype(object)
    mixed[whole] = values[whole].astype(np.int64).astype(object)
    return mixed.tolist()
