"""What a profile is made of: columns of images and instances, tables of keypoints, limbs and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..tables import Table

__all__ = ["MEANINGS", "cooccurrence", "heatmaps", "image_columns", "instance_columns", "keypoint_table", "limb_angles", "limb_table", "summaries", "tallies"]

Floats = NDArray[np.float64]

CELLS = 24
"""Cells along a side of a heat map."""
MARGIN = 0.1
"""Share of the box shown around it."""
ANGLES = 36
_MOST_VALUES = 200
"""A text column with more values is names, not kinds."""
_NAMES = {"source_id", "source_ids", "duplicate"}
"""Columns of names however few there are: merges, duplicates and consensus leave them."""

MEANINGS = {
    "instances": "instances on the image",
    "aspect": "width over height",
    "megapixels": "width x height in millions",
    "sharpness": "variance of the Laplacian of the picture's luminance; blurred pictures have less",
    "brightness": "mean luminance, 0 to 255",
    "contrast": "deviation of the luminance",
    "pixels": "root of the instance's area in pixels, of its box where it has no area",
    "box_share": "share of the image that the box covers",
    "box_aspect": "width of the box over its height",
    "centre_x": "middle of the box, 0 left to 1 right in the image",
    "centre_y": "middle of the box, 0 top to 1 bottom in the image",
    "at_edge": "1 where the box reaches the edge of the image",
    "labelled": "labelled points of the instance",
    "labelled_share": "of the points its source annotates",
    "hidden_share": "of its labelled points, those marked hidden",
    "others": "other instances on its image",
}


def image_columns(ds: PoseDataset) -> dict[str, NDArray[Any]]:
    """(I,) numbers of each image that need no picture; NaN where unknown."""
    width, height = _size(ds)
    return {
        "width": width,
        "height": height,
        "aspect": width / height,
        "megapixels": width * height / 1e6,
        "instances": np.bincount(ds.instances.image, minlength=len(ds.images)).astype(float),
    }


def instance_columns(ds: PoseDataset) -> dict[str, NDArray[Any]]:
    """(N,) numbers of each instance; NaN where unknown."""
    own = ds.instances
    width, height = (side[own.image] for side in _size(ds))
    x, y, w, h = own.bbox.T
    labelled = own.labelled
    count = labelled.sum(1)
    area = np.where(np.isnan(own.area), w * h, own.area)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "pixels": np.sqrt(np.where(area > 0, area, np.nan)),
            "box_share": w * h / (width * height),
            "box_aspect": np.where(h > 0, w / h, np.nan),
            "centre_x": (x + w / 2) / width,
            "centre_y": (y + h / 2) / height,
            "at_edge": np.where(np.isnan(x + width), np.nan, (x < 1) | (y < 1) | (x + w > width - 1) | (y + h > height - 1)),
            "labelled": count.astype(float),
            "labelled_share": count / np.where(own.annotated.any(1), own.annotated.sum(1), np.nan),
            "hidden_share": np.where(count > 0, (labelled & (own.keypoints[..., 2] == 1)).sum(1) / np.maximum(count, 1), np.nan),
            "others": np.bincount(own.image, minlength=len(ds.images))[own.image] - 1.0,
        }


def _size(ds: PoseDataset) -> tuple[Floats, Floats]:
    """Width and height of the images, NaN where unknown."""
    known = (ds.images.width > 0) & (ds.images.height > 0)
    return np.where(known, ds.images.width, np.nan), np.where(known, ds.images.height, np.nan)


def summaries(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """One row for each column: how many are known, mean, deviation, and quantiles."""
    rows = [_summary(np.asarray(values, np.float64)) for values in columns.values()]
    names = ["n", "mean", "sd", "min", "p5", "p25", "median", "p75", "p95", "max"]
    table: dict[str, NDArray[Any]] = {"column": np.array([*columns, None], object)[:-1]}
    table |= {name: np.array([row[place] for row in rows]) for place, name in enumerate(names)}
    return table | {"n": table["n"].astype(np.int64)}


def _summary(values: Floats) -> list[float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return [0.0, *[np.nan] * 9]
    return [
        float(len(known)),
        float(known.mean()),
        float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        *np.quantile(known, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(),
    ]


def keypoint_table(ds: PoseDataset) -> dict[str, NDArray[Any]]:
    """One row for each keypoint. Shares are of the instances whose source annotates it and that have any point."""
    own = ds.instances
    labelled, v = own.labelled, own.keypoints[..., 2]
    asked = own.annotated & labelled.any(1, keepdims=True)
    n = asked.sum(0)
    seen, hidden = (asked & (v == 2)).sum(0), (asked & (v == 1)).sum(0)
    outside = (asked & ds.outside & ~labelled).sum(0)
    within = _in_box(ds)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(n > 0, n, np.nan)
        known = np.asarray(np.isfinite(within[..., 0]))
        middle = np.nan_to_num(within).sum(0) / np.where(known.sum(0) > 0, known.sum(0), np.nan)[:, None]
    return {
        "keypoint": np.array([*ds.schema.names, None], object)[:-1], "instances": n, "seen": seen, "hidden": hidden, "outside": outside, "unlabelled": n - seen - hidden - outside,
        "labelled_share": (seen + hidden) / total, "hidden_share": hidden / np.where(seen + hidden > 0, seen + hidden, np.nan), "x_in_box": middle[:, 0], "y_in_box": middle[:, 1],
    }  # fmt: skip


def _in_box(ds: PoseDataset) -> Floats:
    """(N, K, 2) labelled points in parts of their box; NaN elsewhere."""
    own = ds.instances
    side = np.where(own.bbox[:, 2:] > 0, own.bbox[:, 2:], np.nan)
    places = (own.keypoints[..., :2] + 0.5 - own.bbox[:, None, :2]) / side[:, None]
    return np.where(own.labelled[..., None], places, np.nan)


def cooccurrence(ds: PoseDataset) -> Floats:
    """(K, K) share of the instances with point `row` labelled that have point `column` labelled too; NaN where none has."""
    labelled = ds.instances.labelled.astype(np.float64)
    both = labelled.T @ labelled
    own = np.diagonal(both)
    return np.asarray(both / np.where(own > 0, own, np.nan)[:, None])


def heatmaps(ds: PoseDataset) -> NDArray[np.int64]:
    """(K, CELLS, CELLS) labelled points by place in their box and a margin around it."""
    k = len(ds.schema)
    places = (_in_box(ds) + MARGIN) / (1 + 2 * MARGIN) * CELLS
    known = np.asarray(np.isfinite(places).all(-1) & (places >= 0).all(-1) & (places < CELLS).all(-1))
    point = np.broadcast_to(np.arange(k), known.shape)[known]
    column, row = places[known].astype(np.int64).T if known.any() else np.zeros((2, 0), np.int64)
    return np.bincount((point * CELLS + row) * CELLS + column, minlength=k * CELLS * CELLS).reshape(k, CELLS, CELLS)


def limb_table(ds: PoseDataset) -> dict[str, NDArray[Any]]:
    """One row for each limb: its length in roots of the box's area, and the mean and spread of its direction in degrees.

    0 points right, 90 down; `steadiness` is 1 where all limbs point one way, 0 where they point anywhere.
    """
    length, angle = _limbs(ds)
    turned = np.exp(1j * np.radians(angle))
    known = np.isfinite(angle)
    n = known.sum(0)
    mean = np.where(known, turned, 0).sum(0) / np.maximum(n, 1)
    quantiles = np.array(
        [[np.quantile(column[np.isfinite(column)], q) if np.isfinite(column).any() else np.nan for q in (0.05, 0.25, 0.5, 0.75, 0.95)] for column in length.T]
    ).reshape(-1, 5)
    return {
        "limb": np.array([*(f"{a} - {b}" for a, b in ds.schema.limbs), None], object)[:-1], "n": n,
        **{name: quantiles[:, place] for place, name in enumerate(("length_p5", "length_p25", "length_median", "length_p75", "length_p95"))},
        "direction": np.where(n > 0, np.degrees(np.angle(mean)), np.nan), "steadiness": np.where(n > 0, np.abs(mean), np.nan),
    }  # fmt: skip


def limb_angles(ds: PoseDataset) -> NDArray[np.int64]:
    """(L, ANGLES) limbs by direction, from -180 degrees on."""
    _, angle = _limbs(ds)
    known = np.isfinite(angle)
    cell = ((angle[known] + 180) / 360 * ANGLES).astype(np.int64) % ANGLES
    limb = np.broadcast_to(np.arange(angle.shape[1]), angle.shape)[known]
    return np.bincount(limb * ANGLES + cell, minlength=angle.shape[1] * ANGLES).reshape(-1, ANGLES)


def _limbs(ds: PoseDataset) -> tuple[Floats, Floats]:
    """(N, L) lengths in roots of the box's area, and directions in degrees; NaN where an end is not labelled."""
    own = ds.instances
    a, b = ds.schema.limb_rows.T
    step = own.keypoints[:, b, :2] - own.keypoints[:, a, :2]
    both = own.labelled[:, a] & own.labelled[:, b]
    size = np.sqrt(own.bbox[:, 2] * own.bbox[:, 3])
    length = np.where(both, np.hypot(step[..., 0], step[..., 1]), np.nan)
    return length / np.where(size > 0, size, np.nan)[:, None], np.where(both & (length > 0), np.degrees(np.arctan2(step[..., 1], step[..., 0])), np.nan)


def tallies(ds: PoseDataset) -> dict[str, dict[str, int]]:
    """How often each value stands in columns of kinds: categories, and text columns of instances and images."""
    found = {"category": _tally(ds.category_names)}
    found["category"] |= {c.name: 0 for c in ds.categories if c.name not in found["category"]}
    for table, prefix in ((ds.instances, ""), (ds.images, "image ")):
        found |= {f"{prefix}{name}": _tally(values) for name, values in table.meta.items() if name not in _NAMES and _is_kind(values, table)}
    return found


def _is_kind(values: NDArray[Any], table: Table) -> bool:
    """Whether a column names kinds: text with few values; names of files and ids have one for each row."""
    if values.dtype != object or not len(table):
        return False
    n = len(set(values.tolist()))
    return n <= _MOST_VALUES and (n <= 12 or n <= len(table) / 3)


def _tally(values: NDArray[Any]) -> dict[str, int]:
    names, counts = np.unique(values.astype(str), return_counts=True) if len(values) else (np.zeros(0, str), np.zeros(0, int))
    order = np.argsort(-counts, kind="stable")
    return dict(zip(names[order].tolist(), counts[order].tolist(), strict=True))
