"""Tables of pandas: the room of pandas in this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posedata.formats.frames import table_frame, write_frame

from .metrics import Measured
from .statistics.interval import Interval

__all__ = ["factorised", "interval_frame", "records_frame", "slice_frame", "table_frame", "write_frame"]


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


def interval_frame(rows: Sequence[tuple[Any, Mapping[str, Interval]]], by: str | None) -> pd.DataFrame:
    """One row per metric, or per slice and metric."""
    found = [(label, i) for label, each in rows for i in each.values()]
    names = pd.Index([i.metric for _, i in found], name="metric")
    index = names if by is None else pd.MultiIndex.from_arrays([[label for label, _ in found], names], names=[by, "metric"])
    columns = ("value", "low", "high", "se", "n", "clusters", "held", "how")
    return pd.DataFrame({c: [getattr(i, c) for _, i in found] for c in columns}, index=index)
