"""DataFrames: the room of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..dataset import PoseDataset
from ..errors import PoseError
from ..files import write_with

__all__ = ["frame_of", "table_frame", "to_pandas", "write_frame"]


def to_pandas(ds: PoseDataset) -> pd.DataFrame:
    """One row per instance; keypoint columns are `NAME.x`, `NAME.y`, `NAME.v`, NaN where the source lacks the point."""
    own, rows = ds.instances, ds.instances.image
    columns = {
        "id": own.id,
        "image_id": ds.images.id[rows],
        "file": ds.images.file[rows],
        "width": ds.images.width[rows],
        "height": ds.images.height[rows],
        "category": ds.category_names,
        **{f"bbox.{name}": own.bbox[:, i] for i, name in enumerate("xywh")},
        "area": own.area,
        "crowd": own.crowd,
        "ignore": own.ignore,
        "labelled": own.labelled.sum(1),
        **{f"image.{name}": values[rows] for name, values in ds.images.meta.items()},
        **own.meta,
    }
    points = own.keypoints.copy()
    points[~own.annotated] = float("nan")
    names = pd.Index([f"{name}.{axis}" for name in ds.schema.names for axis in "xyv"])
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(points.reshape(len(ds), len(names)), columns=names)], axis=1)


def frame_of(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A table of plain columns."""
    return pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})


def table_frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """A table of columns."""
    return pd.DataFrame({name: list(values) if isinstance(values, list) else values for name, values in columns.items()})


def write_frame(table: pd.DataFrame, path: str | Path) -> Path:
    """The table as CSV or Parquet, by its suffix; whole or not at all."""
    writers = {".parquet": table.to_parquet, ".csv": table.to_csv}
    suffix = Path(path).suffix
    if suffix not in writers:
        raise PoseError(str(path), "a form we do not write", f"name a file that ends in {' or '.join(writers)}")
    return write_with(path, lambda temporary: writers[suffix](temporary, index=False))
