"""Mirrors: points, boxes and whole datasets flipped left to right, sides exchanged through the schema and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .columns import says_nothing
from .dataset import PoseDataset
from .errors import DataError
from .rest import without_key
from .schema import Schema

__all__ = ["flip_boxes", "flip_dataset", "flip_points"]


def flip_points(keypoints: NDArray[np.float64], schema: Schema, width: ArrayLike) -> NDArray[np.float64]:
    """(N, K, 3) in images of these widths, mirrored: x -> W - 1 - x, left and right exchanged. Points that say nothing stay as they are."""
    flipped = keypoints[:, schema.mirror].copy()
    mirrored = np.reshape(width, (-1, 1)) - 1 - flipped[..., 0]
    # An unlabelled point at the last column would come to lie on (0, 0), which says nothing: it has no mirror image that could come back.
    flipped[..., 0] = np.where(says_nothing(flipped) | says_nothing(np.stack([mirrored, *np.moveaxis(flipped[..., 1:], -1, 0)], -1)), flipped[..., 0], mirrored)
    return flipped


def flip_boxes(bbox: NDArray[np.float64], width: ArrayLike) -> NDArray[np.float64]:
    """(N, 4) x, y, w, h mirrored: x -> W - x - w."""
    flipped = bbox.copy()
    flipped[:, 0] = np.asarray(width) - bbox[:, 0] - bbox[:, 2]
    return flipped


def flip_dataset(ds: PoseDataset) -> PoseDataset:
    """The annotations as they are on the pictures turned left to right; masks, kept as text, do not follow and are dropped by name."""
    rows = ds.instances.image
    width = ds.images.width[rows]
    if len(ds) and width.min() <= 0:
        raise DataError(ds.name, "images of unknown width", "a mirror needs it; read it from the pictures first")
    points = flip_points(ds.instances.keypoints, ds.schema, width)
    own = replace(
        ds.instances,
        keypoints=points,
        annotated=ds.instances.annotated[:, ds.schema.mirror],
        bbox=flip_boxes(ds.instances.bbox, width),
        rest=without_key(ds.instances.rest, "segmentation"),
    )
    return replace(ds, instances=own, provenance=ds.provenance.then("flipped left to right, segmentation dropped"))
