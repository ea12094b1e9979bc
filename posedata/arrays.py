"""Columns from a user's arrays: what PoseDataset.from_arrays is given becomes what tables hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .columns import array_of, copied, half_known, ids_column, numbers_of, rows_of
from .errors import DataError, brief, first_few
from .tables import Images

__all__ = ["category_rows", "image_rows", "image_table", "with_visibility"]


def image_table(instance_image: ArrayLike, images: Images | Mapping[str, ArrayLike] | None) -> tuple[NDArray[Any], Images]:
    """The image id of each instance, and the images: as given, or those the instances name."""
    ids = ids_column(instance_image, "image")
    if isinstance(images, Images):
        return ids, images
    if images is not None and not isinstance(images, Mapping):
        raise DataError("images", brief(repr(images)), "columns of Images by name: id, file, width, height")
    Images.require_columns((images or {}).keys() - {"meta"}, "images")
    columns: dict[str, Any] = {k: copied(v) for k, v in (images or {}).items()}
    table_ids = columns.pop("id", None)
    if table_ids is None:
        table_ids = np.array(list(dict.fromkeys(ids.tolist())), ids.dtype)
    files = columns.pop("file", None)
    return ids, Images(id=table_ids, file=np.array([str(i) for i in table_ids], object) if files is None else files, **columns)


def image_rows(table: NDArray[Any], ids: NDArray[Any], where: str) -> NDArray[np.intp]:
    """Row in `table` of every id."""
    rows = rows_of(table, ids)
    if (rows < 0).any():
        unknown = first_few(dict.fromkeys(ids[rows < 0].tolist()), between=", ")
        raise DataError(where, f"unknown image ids {unknown}", "every instance names an image of the set")
    return rows


def category_rows(category: ArrayLike | None, n: int) -> tuple[list[str], NDArray[np.intp]]:
    """The names there are, and the place among them of each instance's."""
    if category is None:
        return ["object"], np.zeros(n, np.intp)
    values = array_of(category, "category")
    if values.ndim != 1:
        raise DataError("category", f"shape {values.shape}", "a name for each instance")
    texts = [str(c) for c in values.tolist()]
    names = list(dict.fromkeys(texts))
    place = {c: row for row, c in enumerate(names)}
    return names, np.array([place[c] for c in texts], np.intp)


def with_visibility(keypoints: ArrayLike) -> NDArray[np.float64]:
    """(N, K, 3) from that, or from (N, K, 2) with NaN where unlabelled."""
    points = numbers_of(keypoints, "keypoints")
    if points.ndim != 3 or points.shape[-1] not in (2, 3):
        raise DataError("keypoints", f"shape {points.shape}", "(N, K, 3), or (N, K, 2) with NaN where unlabelled")
    if points.shape[-1] == 3:
        return points
    if half_known(points).any():
        raise DataError("keypoints", "one of x and y is NaN", "an unlabelled point has both")
    known = ~np.isnan(points).any(-1, keepdims=True)
    return np.concatenate([np.where(known, points, 0), 2.0 * known], -1)
