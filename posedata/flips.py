"""Mirrors: points, boxes and whole datasets flipped left to right, sides exchanged through the schema and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dataset import PoseDataset
from .errors import DataError
from .rest import Rest
from .schema import Schema

__all__ = ["flip_boxes", "flip_dataset", "flip_points"]


def flip_points(keypoints: NDArray[np.float64], schema: Schema, width: ArrayLike) -> NDArray[np.float64]:
    """(N, K, 3) in images of these widths, mirrored: x -> W - 1 - x, left and right exchanged. All zero points stay so."""
    flipped = keypoints[:, schema.mirror].copy()
    known = flipped.any(-1)
    flipped[..., 0] = np.where(known, np.reshape(width, (-1, 1)) - 1 - flipped[..., 0], 0)
    return flipped


def flip_boxes(bbox: NDArray[np.float64], width: ArrayLike) -> NDArray[np.float64]:
    """(N, 4) x, y, w, h mirrored: x -> W - x - w."""
    flipped = bbox.copy()
    flipped[:, 0] = np.asarray(width) - bbox[:, 0] - bbox[:, 2]
    return flipped


def flip_dataset(ds: PoseDataset) -> PoseDataset:
    """The annotations as they are on the pictures turned left to right; masks, kept as text, do not follow and are dropped."""
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
        rest=Rest.empty(len(ds)),
    )
    return replace(ds, instances=own, provenance=ds.provenance.then("flipped left to right"))
