"""Poses as FiftyOne counts them: coordinates as shares of the image's edges, NaN where there is no point; columns by FiftyOne's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..predictions import Predictions

__all__ = ["as_pixels", "as_shares", "prediction_columns", "sizes_of", "truth_columns"]

Floats = NDArray[np.float64]


def as_shares(xy: Floats, size: Floats) -> Floats:
    """(N, K, 2) places of pixel centres as shares of images of (N, 2) width and height: an edge is the centre and a half."""
    return np.asarray((xy + 0.5) / size[:, None])


def as_pixels(shares: Floats, size: Floats) -> Floats:
    """The way back."""
    return np.asarray(shares * size[:, None] - 0.5)


def sizes_of(ds: PoseDataset, image: NDArray[Any]) -> Floats:
    """(N, 2) width and height of the image of each row."""
    return np.stack([ds.images.width, ds.images.height], -1)[image].astype(np.float64)


def truth_columns(ds: PoseDataset, size: Floats | None = None) -> dict[str, NDArray[Any]]:
    """What a label of the truth is, by FiftyOne's names; `size` where the images' own are not known."""
    own = ds.instances
    shares = as_shares(own.keypoints[..., :2], sizes_of(ds, own.image) if size is None else size)
    return {
        "label": ds.category_names,
        "points": np.where(own.labelled[..., None], shares, np.nan),
        "visible": np.where(own.annotated, own.keypoints[..., 2], 0).astype(np.int64),
        "annotation_id": own.id,
        "bbox": own.bbox,
        "area": own.area,
        "iscrowd": own.crowd,
        "ignore": own.ignore,
        **{name if name not in _TAKEN else f"its_{name}": values for name, values in own.meta.items() if values.ndim == 1 and name.isidentifier()},
    }


_TAKEN = ("id", "label", "points", "visible", "annotation_id", "bbox", "area", "iscrowd", "ignore", "tags", "attributes", "index", "instance", "confidence")
"""Attributes of labels that no meta column may hide."""


def prediction_columns(pred: Predictions, category: NDArray[Any], size: Floats) -> dict[str, NDArray[Any]]:
    """What a label of a model is: (M,) names of categories, (M, 2) sizes of images."""
    there = ~pred.absent[..., None]
    return {
        "label": category,
        "points": np.where(there, as_shares(pred.keypoints[..., :2], size), np.nan),
        "confidence": pred.keypoints[..., 2],
        "score": pred.score,
        "bbox": pred.bbox,
        "prediction": pred.row,
    }
