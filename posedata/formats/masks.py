"""Masks: the room of pycocotools. Polygons and RLEs become areas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as coco_mask

from ..dataset import PoseDataset
from ..errors import Fault, brief, raise_faults
from .rle import runs_of

__all__ = ["mask_area", "with_mask_area"]

_FARTHEST = 1 << 16
"""Pixels; no image of a dataset is so large."""


def with_mask_area(ds: PoseDataset) -> PoseDataset:
    """The dataset with unknown areas measured on its segmentations; known ones stay as they are."""
    area, faults = ds.instances.area.copy(), []
    unknown = np.flatnonzero(np.isnan(area)).tolist()
    for row in unknown:
        text = ds.instances.rest.row(row)
        image = ds.instances.image[row]
        try:
            segmentation = msgspec.json.decode(text).get("segmentation") if text else None
            area[row] = mask_area(segmentation, int(ds.images.height[image]), int(ds.images.width[image])) if segmentation else np.nan
        except (ValueError, TypeError, OverflowError, msgspec.DecodeError, RecursionError) as e:
            faults.append(Fault(f"annotation {ds.instances.id[row]} segmentation", brief(str(e), 80), "polygons, or an RLE with counts and size"))
    raise_faults(ds.name, faults)
    measured = int(np.isfinite(area[unknown]).sum())
    return replace(ds, instances=replace(ds.instances, area=area), provenance=ds.provenance.then(f"area of {measured:,} of {len(unknown):,} measured on masks"))


def mask_area(segmentation: Any, height: int, width: int) -> float:
    """Pixels inside a COCO segmentation: polygons (a flat one too, as CMU writes them), or an RLE of either kind."""
    if isinstance(segmentation, dict):
        counts, size = segmentation.get("counts"), _checked_size(segmentation.get("size"))
        runs = runs_of(counts) if isinstance(counts, str) else counts
        if not isinstance(runs, list) or any(type(c) is not int or c < 0 for c in runs) or sum(runs) != size[0] * size[1]:
            raise ValueError("the runs of the RLE do not fill its frame")
        return float(sum(runs[1::2]))
    if not isinstance(segmentation, list):
        raise ValueError(f"{brief(repr(segmentation))} is no segmentation")
    polygons = [segmentation] if segmentation and not isinstance(segmentation[0], list) else segmentation
    if not height or not width:
        raise ValueError("its image has no width and height")
    _checked_size([height, width])
    for polygon in polygons:
        _check_polygon(polygon)
    return float(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))))


def _check_polygon(polygon: Any) -> None:
    """Refuse what pycocotools would take at its word: it draws every pixel of an edge."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon has at least three points of two numbers")
    if any(type(c) not in (int, float) or abs(c) > _FARTHEST for c in polygon):
        raise ValueError(f"a polygon holds numbers, none beyond {_FARTHEST:,}")


def _checked_size(size: Any) -> list[int]:
    if not isinstance(size, list) or len(size) != 2 or any(type(s) is not int or not 0 < s < _FARTHEST for s in size):
        raise ValueError(f"a frame of size {brief(repr(size))}")
    return size
