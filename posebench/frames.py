"""Tables of pandas: the room of pandas in this package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posedata.errors import PoseError
from posedata.files import write_with

from .metrics import Measured

__all__ = ["factorised", "records_frame", "slice_frame", "table_frame", "write_frame"]


def factorised(column: NDArray[Any]) -> tuple[NDArray[np.intp], list[Any]]:
    """A number for each row and the values they stand for; by hashing, for sorting text is slow."""
    codes, values = pd.factorize(column)
    return codes, list(values)


def slice_frame(rows: Sequence[tuple[Any, dict[str, Measured]]], by: str) -> pd.DataFrame:
    """One row per slice; beside each metric what it was made from."""
    index = pd.Index([label for label, _ in rows], name=by)
    columns = {}
    for name in rows[0][1] if rows else ():
        columns[name] = [measured[name].value for _, measured in rows]
        columns[f"n {name}"] = [measured[name].n for _, measured in rows]
    return pd.DataFrame(columns, index=index)


def records_frame(rows: Sequence[tuple[Any, dict[str, Any]]], by: str) -> pd.DataFrame:
    """One row per slice, a column per value."""
    return pd.DataFrame([values for _, values in rows], index=pd.Index([label for label, _ in rows], name=by))


def table_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """A table of columns."""
    return pd.DataFrame({name: list(values) if isinstance(values, list) else values for name, values in columns.items()})


def write_frame(frame: pd.DataFrame, path: str | Path) -> Path:
    """The table as Parquet or CSV, by its suffix; whole or not at all."""
    writers = {".parquet": frame.to_parquet, ".csv": frame.to_csv}
    suffix = Path(path).suffix
    if suffix not in writers:
        raise PoseError(str(path), "a form we do not write", f"name a file that ends in {' or '.join(writers)}")
    return write_with(path, lambda temporary: writers[suffix](temporary, index=False))
