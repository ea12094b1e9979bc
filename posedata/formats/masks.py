"""Masks: the room of pycocotools. Polygons and RLEs become areas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as coco_mask

from ..dataset import PoseDataset
from ..errors import Fault, brief, raise_faults

__all__ = ["mask_area", "with_mask_area"]


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
        except (ValueError, TypeError, KeyError, OverflowError, IndexError) as e:
            faults.append(Fault(f"annotation {ds.instances.id[row]} segmentation", brief(str(e), 80), "polygons, or an RLE with counts and size"))
    raise_faults(ds.name, faults)
    measured = int(np.isfinite(area[unknown]).sum())
    return replace(ds, instances=replace(ds.instances, area=area), provenance=ds.provenance.then(f"area of {measured:,} of {len(unknown):,} measured on masks"))


def mask_area(segmentation: Any, height: int, width: int) -> float:
    """Pixels inside a COCO segmentation: polygons (a flat one too, as CMU writes them), or an RLE of either kind."""
    if isinstance(segmentation, dict):
        counts, size = segmentation["counts"], segmentation["size"]
        _check_size(size)
        if isinstance(counts, list):
            if any(type(c) is not int or c < 0 for c in counts) or sum(counts) != size[0] * size[1]:
                raise ValueError("the runs of the RLE do not fill its frame")
            return float(coco_mask.area(coco_mask.frPyObjects(segmentation, *size)))
        return float(coco_mask.area({"counts": str(counts).encode(), "size": size}))
    polygons = [segmentation] if segmentation and not isinstance(segmentation[0], list) else segmentation
    if not height or not width:
        raise ValueError("its image has no width and height")
    if any(len(p) < 6 or len(p) % 2 for p in polygons):
        raise ValueError("a polygon has at least three points of two numbers")
    return float(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))))


def _check_size(size: Any) -> None:
    if not isinstance(size, list) or len(size) != 2 or any(type(s) is not int or not 0 < s < 1 << 16 for s in size):
        raise ValueError(f"size {brief(size)} of the RLE")


def encode_mask(mask: Any) -> dict[str, Any]:
    """COCO's compressed RLE of a (H, W) mask."""
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(map(int, rle["size"])), "counts": rle["counts"].decode()}
