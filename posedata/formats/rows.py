"""JSON files as rows of undecoded values, and rows as columns: the one place where JSON is read.

A row is `dict[str, msgspec.Raw]`: the parser has found where each value starts and ends, and made nothing of it.
A column decodes one key of all rows in a single call; what no column wants stays the text it was.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import Fault, FormatError, brief
from .text import cut_blocks, inner_path, read_bytes, translated, why_no_json

__all__ = ["LARGEST_EXACT", "Row", "RowTable", "gc_paused", "json_checked", "parse_blocks", "parse_object", "parse_rows", "read_bytes", "rows_of_block"]

Row = dict[str, Raw]

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ROWS = msgspec.json.Decoder(list[dict[str, Raw]])
_NUMBERS = msgspec.json.Decoder(list[float])
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_WHOLE = msgspec.json.Decoder(list[_Int64])
_VECTORS = msgspec.json.Decoder(list[list[float]])
_POINTS = msgspec.json.Decoder(list[list[float | list[float]]])
_TEXTS = msgspec.json.Decoder(list[str])
_IDS = msgspec.json.Decoder(list[_Int64 | str])
_FLAGS = msgspec.json.Decoder(list[bool | float])
LARGEST_EXACT = 2**53
"""From it on a float rounds whole numbers; no pixel is there."""
BLOCK = 1 << 20
"""Bytes parsed at a time."""


@contextmanager
def gc_paused() -> Iterator[None]:
    """No collection meanwhile: a million live rows, walked again and again, would make reading quadratic."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse_object(data: bytes | Raw, where: str, path: str = "$") -> Row:
    """The members of a JSON object, undecoded."""
    return _parse(_OBJECT, data, where, path)


def parse_rows(data: bytes | Raw, where: str, path: str) -> list[Row]:
    """The objects of a JSON list, undecoded."""
    return _parse(_ROWS, data, where, path)


def parse_blocks(data: bytes | Raw, where: str, path: str) -> Iterator[tuple[int, list[Row]]]:
    """The objects of a JSON list, some at a time, each block with the place of its first."""
    first = 0

    def decode(block: bytes) -> list[Row]:
        return rows_of_block(block, where, path, first)

    with json_checked(data, f"{where} {path}"):
        for rows in cut_blocks(data, BLOCK, decode):
            if rows:
                yield first, rows
            first += len(rows)


def rows_of_block(block: bytes, where: str, path: str, first: int) -> list[Row]:
    """The objects of one block; a member that is none is named by its place in the whole list."""
    try:
        return _ROWS.decode(block)
    except msgspec.ValidationError as e:
        if not str(e).startswith("Expected"):  # a number of thousands of digits: no JSON to us
            raise msgspec.DecodeError(str(e)) from None
        row, _, inner = inner_path(e).lstrip("[").partition("]")
        place = f"[{first + int(row)}]{inner}" if row else ""  # without one it is no list
        raise FormatError(f"{where} {path}{place}", translated(e), "see docs/formats.md for the form") from None


@contextmanager
def json_checked(data: bytes | Raw, where: str) -> Iterator[None]:
    """What the fast reader refuses as JSON is looked at again, slowly, to say where it breaks."""
    try:
        yield
    except msgspec.ValidationError:
        raise  # JSON it is
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise why_no_json(bytes(data), where, str(e)) from None


def _parse(decoder: Any, data: bytes | Raw, where: str, path: str) -> Any:
    try:
        with json_checked(data, where):
            return decoder.decode(data)
    except msgspec.ValidationError as e:
        raise FormatError(f"{where} {path}{inner_path(e)}", translated(e), "see docs/formats.md for the form") from None


class RowTable:
    """The rows of one list of a file, read column by column; faults are gathered on the way."""

    def __init__(self, rows: Sequence[Row], path: str, faults: list[Fault], first: int = 0) -> None:
        self.rows, self.path, self.faults, self.first = rows, path, faults, first

    def __len__(self) -> int:
        return len(self.rows)

    def ids(self, key: str, required: bool = True, like: int | str | None = None) -> NDArray[Any]:
        """A column of whole numbers, or of text; never a mixture. -1 or empty where absent; stand-ins that differ where there was a fault.

        `like` is the first id of the list, where these rows are not its first.
        """
        before = len(self.faults)
        values = self._decoded(key, _IDS, _id, None, required)
        kinds = set(map(type, values)) - {type(None)}
        first = next((v for v in values if v is not None), None) if like is None else like
        if kinds - {type(first)}:
            row = next(i for i, v in enumerate(values) if v is not None and type(v) is not type(first))
            seen = f"id {brief(repr(values[row]))}, where the first is {brief(repr(first))}"
            self.fault(row, key, seen, "ids of one table are all whole numbers or all text")
        if len(self.faults) > before:
            return np.arange(len(self))
        texts = type(first) is str
        filled = [("" if texts else -1) if v is None else v for v in values] if None in values else values
        return np.array([*filled, None], object)[:-1] if texts else np.array(filled, np.int64)

    def numbers(self, key: str, default: float) -> NDArray[np.float64]:
        """One number a row, `default` where the key is absent."""
        values = np.array(self._decoded(key, _NUMBERS, _number, default), np.float64)
        self.refuse_huge(key, values)
        return values

    def whole(self, key: str, default: int) -> NDArray[np.int64]:
        """One whole number a row; 3.0 is one."""
        return np.array(self._decoded(key, _WHOLE, _whole, default), np.int64)

    def flags(self, key: str) -> NDArray[np.bool_]:
        """0, 1, true or false; false where absent."""
        values = np.array(self._decoded(key, _FLAGS, _flag, 0), np.float64)
        for row in np.flatnonzero(~np.isin(values, (0, 1))):
            self.fault(int(row), key, f"{values[row]:g} where 0 or 1 is needed")
        return values == 1

    def texts(self, key: str) -> NDArray[np.object_]:
        """Text; empty where absent."""
        return np.array([*self._decoded(key, _TEXTS, _text, ""), None], object)[:-1]

    def vectors(self, key: str, length: int) -> NDArray[np.float64]:
        """(N, length) numbers; NaN where absent."""
        values = self.lists(key)
        for row, v in enumerate(values):
            if v is not None and len(v) != length:
                self.fault(row, key, f"{len(v)} numbers where {length} are needed")
        good = np.array([v if v is not None and len(v) == length else [np.nan] * length for v in values], np.float64).reshape(-1, length)
        self.refuse_huge(key, good)
        return good

    def lists(self, key: str) -> list[list[float] | None]:
        """Lists of numbers of any length; None where absent."""
        return self._decoded(key, _VECTORS, _vector, None, required=False)

    def points(self, key: str) -> list[list[float] | None]:
        """Numbers of any length, x, y, score of a point after those of another; written point by point, they are unrolled. None where absent."""
        values = [
            v if v is None or not any(map(_is_list, v)) else self._unrolled(row, key, v)
            for row, v in enumerate(self._decoded(key, _POINTS, _point_list, None, required=False))
        ]
        for row, v in enumerate(values):
            huge = next((n for n in v or () if abs(n) >= LARGEST_EXACT), None)
            if huge is not None:
                self.fault(row, key, f"{huge:g} is out of range", "numbers stay below 2**53, where floats are exact")
        return values

    def _unrolled(self, row: int, key: str, points: list[Any]) -> list[float] | None:
        sizes = [len(p) if _is_list(p) else 1 for p in points]
        if set(sizes) == {3} or set(sizes) == {2}:
            return [n for p in points for n in (*p, 1.0)[:3]]
        odd = next((i for i, n in enumerate(sizes) if n != max(sizes[0], 2)), 0)
        self.fault(row, key, f"point {odd} is {brief(points[odd])}", "each is [x, y, score], or each [x, y]; or all numbers stand in one list")
        return None

    def refuse_huge(self, key: str, values: NDArray[np.float64]) -> None:
        """Note the rows of `values` that hold a number too large to be kept exactly."""
        huge = np.abs(values) >= LARGEST_EXACT
        for row in np.unique(np.nonzero(huge)[0]):
            self.fault(int(row), key, f"{values[row][huge[row]].flat[0]:g} is out of range", "numbers stay below 2**53, where floats are exact")

    def scalars(self, key: str) -> NDArray[Any] | None:
        """Numbers, truth values or text, if all rows that have the key agree and nothing is lost in a column; else None."""
        present = [r[key] for r in self.rows if key in r]
        try:
            values = msgspec.json.decode(b"[" + b",".join(present) + b"]")
        except (msgspec.DecodeError, RecursionError):
            return None
        if all(type(v) is str for v in values):
            return self.texts(key)
        if len(values) == len(self) and all(type(v) is bool for v in values):
            return np.array(values, bool)
        if not all(type(v) in (int, float) and abs(v) <= LARGEST_EXACT for v in values):
            return None
        whole = len(values) == len(self) and all(type(v) is int for v in values)
        return self.whole(key, 0) if whole else self.numbers(key, np.nan)

    def fault(self, row: int, key: str, seen: str, cure: str = "") -> None:
        """Note what is wrong at `path[row].key`."""
        self.faults.append(Fault(f"{self.path}[{self.first + row}].{key}", seen, cure))

    def _decoded(self, key: str, decoder: Any, one: Callable[[Any], Any], default: Any, required: bool = True) -> list[Any]:
        """The values of one key, decoded in one call; row by row only to say which is wrong."""
        raws = [row.get(key) for row in self.rows]
        present = [raw for raw in raws if raw is not None]
        try:
            values = decoder.decode(b"[" + b",".join(present) + b"]")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            values = [self._one(row, key, raw, one, default) for row, raw in enumerate(raws) if raw is not None]
        if len(present) == len(raws):
            return values
        if required and default is None:
            for row in (i for i, raw in enumerate(raws) if raw is None):
                self.fault(row, key, "missing", f"every entry has {key!r}")
        given = iter(values)
        return [default if raw is None else next(given) for raw in raws]

    def _one(self, row: int, key: str, raw: Raw, one: Callable[[Any], Any], default: Any) -> Any:
        try:
            return one(msgspec.json.decode(raw))
        except (ValueError, TypeError, RecursionError, msgspec.DecodeError) as e:
            self.fault(row, key, f"{brief(bytes(raw))} {e}" if type(e) is ValueError else f"{brief(bytes(raw))} cannot be read")
            return default


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError("where a number is needed")
    return _finite(value)


def _finite(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("is out of range") from None


def _whole(value: Any) -> int:
    if type(value) not in (int, float) or value != int(value):
        raise ValueError("where a whole number is needed")
    if not -(2**63) <= value < 2**63:
        raise ValueError("is out of range")
    if type(value) is float and abs(value) >= LARGEST_EXACT:
        raise ValueError("is rounded; write it without a point or exponent")
    return int(value)


def _id(value: Any) -> int | str:
    return value if type(value) is str else _whole(value)


def _flag(value: Any) -> float:
    if type(value) not in (bool, int, float) or value not in (0, 1):
        raise ValueError("where 0 or 1 is needed")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("where text is needed")
    return value


def _is_list(value: Any) -> bool:
    return type(value) is list


def _point_list(value: Any) -> list[Any]:
    nested = type(value) is list and any(map(_is_list, value))
    return [_vector(p) if _is_list(p) else _vector([p])[0] for p in value] if nested else _vector(value)


def _vector(value: Any) -> list[float]:
    if type(value) is not list:
        raise ValueError("where a list of numbers is needed")
    odd = next((v for v in value if type(v) not in (int, float)), None)
    if odd is not None or None in value:
        raise ValueError(f"holds {brief(msgspec.json.encode(odd))} where a number is needed")
    return [_finite(v) for v in value]
