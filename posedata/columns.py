"""Columns: what a user gives becomes arrays of one kind, nothing coerced and nothing lost."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, brief, first_few

__all__ = [
    "array_of",
    "cast_to",
    "copied",
    "copied_columns",
    "half_known",
    "ids_column",
    "meta_column",
    "numbers_of",
    "plain_texts",
    "read_only",
    "repeats",
    "require_unique",
    "row_numbers",
    "rows_of",
    "says_nothing",
    "texts_of",
]


def ids_column(values: Any, where: str) -> NDArray[Any]:
    """Ids as int64 or as text, never coerced from one to the other."""
    array = array_of(values, where)
    if array.ndim != 1:
        raise DataError(where, f"shape {array.shape}", "one id for each row")
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        array = np.array([*values, None], object)[:-1]  # numpy would spell 1 beside "a" as "1"
    if array.dtype.kind in "iu" and (array.dtype.kind == "i" or array.max() < 2**63):
        return array.astype(np.int64, copy=False)
    if array.dtype.kind in "UT" or (array.dtype == object and all(isinstance(v, str) for v in array.flat)):
        return plain_texts(array)
    raise DataError(where, f"ids such as {brief(repr(np.array(_odd_ids(array)).tolist()[0]))}", "ids of one table are all whole numbers or all text")


def says_nothing(keypoints: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(...,) points with v = 0 at (0, 0) or (-1, -1): files fill these in where nobody knows anything."""
    x, y, v = np.moveaxis(keypoints, -1, 0)
    return (v == 0) & (x == y) & ((x == 0) | (x == -1))


def rows_of(table: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.intp]:
    """Row in `table` of every id; -1 where it has none."""
    if len(ids) == 0 or len(table) == 0 or table.dtype != ids.dtype:
        return np.full(len(ids), -1)
    order = np.argsort(table, kind="stable")
    found = order[np.searchsorted(table[order], ids).clip(0, len(table) - 1)]
    return np.where(np.asarray(table[found] == ids, bool), found, -1)


def array_of(value: Any, where: str) -> NDArray[Any]:
    """`value` as an array; rows of different lengths make none."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError) as e:
        raise DataError(where, brief(str(e), 80), "an array is needed, all its rows of one length") from None


def numbers_of(value: Any, where: str) -> NDArray[np.float64]:
    """`value` as numbers of an array of its own."""
    return np.array(cast_to(where, value, np.float64))


def copied(value: Any) -> Any:
    """An array that nobody else can write to; a list is one as it is."""
    return np.array(value) if hasattr(value, "__array__") else value


def copied_columns(meta: Any) -> Any:
    """Columns by name, each `copied`; what is none is left for the table to refuse."""
    return {k: copied(v) for k, v in meta.items()} if isinstance(meta, Mapping) else meta


def row_numbers(rows: Any, n: int, what: str) -> NDArray[np.intp]:
    """Row numbers from numbers or a mask, checked."""
    array = array_of(rows, what)
    if array.dtype == bool and array.shape == (n,):
        return np.flatnonzero(array)
    if array.shape == (0,) and array.dtype != bool:
        return np.zeros(0, np.intp)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(what, f"rows of {array.dtype} {array.shape}", f"row numbers, or a mask of {n}")
    wrapped = np.where(array < 0, array + n, array)
    if wrapped.min() < 0 or wrapped.max() >= n:
        raise DataError(what, f"row {array[(wrapped < 0) | (wrapped >= n)][0]}", f"there are {n}")
    return wrapped.astype(np.intp)


def half_known(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows in which some numbers are NaN and others are not."""
    unknown = np.isnan(boxes)
    if not unknown.any() or unknown.all():  # the usual cases, told without a look at each row
        return np.zeros(boxes.shape[:-1], bool)
    return np.asarray(unknown.any(-1) & ~unknown.all(-1), bool)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that refuses writing."""
    view = array.view()
    view.flags.writeable = False
    return view


def repeats(ids: NDArray[Any]) -> bool:
    """Whether a value stands twice."""
    if ids.dtype.kind == "i" and (ids[1:] > ids[:-1]).all():
        return False  # sorted, the usual case
    ordered = np.sort(ids)
    return bool((ordered[1:] == ordered[:-1]).any())


def require_unique(ids: NDArray[Any], where: str) -> None:
    """Refuse an id that stands twice."""
    if repeats(ids):
        values, counts = np.unique(ids, return_counts=True)
        raise DataError(where, f"{first_few(values[counts > 1], between=', ')} more than once", "every id stands once")


def _odd_ids(array: NDArray[Any]) -> list[Any]:
    kinds = [type(v) for v in array.flat]
    rare = min(set(kinds), key=kinds.count)
    return [v for v, k in zip(array.flat, kinds, strict=True) if k is rare][:1]


def cast_to(where: str, value: Any, dtype: Any) -> NDArray[Any]:
    """`value` as `dtype` when nothing is lost by it."""
    array = array_of(value, where)
    if dtype is object:
        return texts_of(where, array)
    if array.dtype == dtype:
        return array
    try:
        _require_numbers(array)
        with np.errstate(invalid="ignore"):
            cast = array.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        raise DataError(where, f"{array.dtype} values such as {brief(str(array.flat[0]))}", f"numbers of kind {np.dtype(dtype).name} are needed") from None
    if np.dtype(dtype).kind in "ib" and array.size and not (cast == array).all():
        raise DataError(where, f"values such as {array.flat[int(np.argmax((cast != array).ravel()))]}", f"they do not fit {np.dtype(dtype).name}")
    return cast


def texts_of(where: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.size and array.dtype.kind not in "UT" and not (array.dtype == object and all(isinstance(v, str) for v in array.flat)):
        raise DataError(where, f"values that are not text ({brief(str(array.flat[0]))})", "text is needed")
    return plain_texts(array)


def plain_texts(array: NDArray[Any]) -> NDArray[Any]:
    """Python's own strings: writers know no others."""
    texts = array.astype(object)
    if any(type(v) is not str for v in texts.flat):
        texts = np.array([*map(str, texts.flat), None], object)[:-1].reshape(array.shape)
    return texts


def meta_column(where: str, value: Any, n: int) -> NDArray[Any]:
    """A column of numbers, truth values or text, of the table's length."""
    array = array_of(value, where)
    array = array if array.dtype.kind in "biuf" else texts_of(where, array) if array.size else array.astype(object)
    if array.shape != (n,):
        raise DataError(where, f"shape {array.shape}", f"the table needs ({n},)")
    return array


def _require_numbers(array: NDArray[Any]) -> None:
    """numpy would read "1", dates and complex numbers as floats too."""
    if array.dtype.kind not in "biuf" and not (array.dtype == object and all(v is None or isinstance(v, Real) for v in array.flat)):
        raise TypeError
