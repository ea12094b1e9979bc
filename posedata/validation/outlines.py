"""Areas of segmentations, where a file holds them beside its columns."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset

__all__ = ["mask_areas"]


def mask_areas(ds: PoseDataset) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows whose area and segmentation can be compared, and the pixels the segmentation covers; crowds are left out."""
    own, rest = ds.instances, ds.instances.rest
    has = np.array([*("segmentation" in keys for keys in rest.layouts), False])[rest.layout]
    rows, areas = [], []
    for row in np.flatnonzero(has & np.isfinite(own.area) & ~own.crowd).tolist():
        area = _area(msgspec.json.decode(rest.row(row)).get("segmentation"))
        if area is not None:
            rows.append(row)
            areas.append(area)
    return np.array(rows, np.intp), np.array(areas, np.float64)


def _area(segmentation: object) -> float | None:
    """The sum over polygons, as COCO computes it, or the pixels of an RLE; None for what is neither."""
    if isinstance(segmentation, dict):
        runs = segmentation.get("counts")
        return float(sum(runs[1::2])) if isinstance(runs, list) and all(type(r) is int for r in runs) else None
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    try:
        return sum(_inside(np.array(p, np.float64).reshape(-1, 2)) for p in polygons)
    except (ValueError, TypeError):
        return None


def _inside(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
