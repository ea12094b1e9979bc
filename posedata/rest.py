"""Rest: the JSON of each row that has no column, kept verbatim, so that a file can be written back whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

__all__ = ["FileRest", "Rest", "without_key"]

_BLOCK = 1 << 24
"""Bytes gathered at a time: an index of eight bytes for each would else outgrow the text."""


@dataclass(frozen=True, eq=False)
class FileRest:
    """The top of a file: its keys in order, the JSON text of those that are no table, and repeated image entries."""

    keys: tuple[str, ...] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict)
    listing: NDArray[np.int64] | None = None
    """Row of Images for each entry of the file's list, where some image stands there twice alike; else None."""


@dataclass(frozen=True, eq=False)
class Rest:
    """For each of N rows: which keys it had, in order, and the JSON text of those that no column holds.

    `layouts[layout[i]]` are the keys of row i; `text[offsets[i]:offsets[i + 1]]` is one JSON object, or nothing.
    """

    layouts: tuple[tuple[str, ...], ...]
    layout: NDArray[np.int32]
    """(N,) row in `layouts`, -1 for a row that came from no file."""
    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    """(N + 1,)"""

    def __post_init__(self) -> None:
        for name in ("layout", "text", "offsets"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if len(self.offsets) != len(self.layout) + 1 or self.offsets[-1] > len(self.text):
            raise DataError("Rest", "offsets do not fit the text", "one offset for each row, and one more")

    def __len__(self) -> int:
        return len(self.layout)

    @classmethod
    def empty(cls, n: int) -> Self:
        """N rows of nothing."""
        return cls((), np.full(n, -1, np.int32), np.zeros(0, np.uint8), np.zeros(n + 1, np.int64))

    @classmethod
    def of(cls, keys: Iterable[tuple[str, ...]], texts: Sequence[bytes]) -> Self:
        """From the keys of each row and the JSON text of what the columns leave over."""
        known: dict[tuple[str, ...], int] = {}
        layout = np.fromiter((known.setdefault(k, len(known)) for k in keys), np.int32, len(texts))
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offsets[1:])
        return cls(tuple(known), layout, np.frombuffer(b"".join(texts), np.uint8), offsets)

    @classmethod
    def added(cls, texts: Sequence[bytes]) -> Self:
        """For rows that came from no file, JSON objects to be written with them."""
        made = cls.of([()] * len(texts), texts)
        return cls((), np.full(len(texts), -1, np.int32), made.text, made.offsets)

    def row(self, i: int) -> bytes:
        """The JSON object of one row; empty when nothing was left over."""
        return self.text[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def rows(self) -> list[bytes]:
        """`row` for all rows at once."""
        text, edges = self.text.tobytes(), self.offsets.tolist()
        return [text[a:b] for a, b in itertools.pairwise(edges)]

    def keys(self, i: int) -> tuple[str, ...]:
        """The keys row i had in its file, in order; none when it came from no file."""
        return self.layouts[self.layout[i]] if self.layout[i] >= 0 else ()

    def take(self, rows: NDArray[Any]) -> Self:
        """The rows at these places; text is gathered without a loop over rows."""
        starts, sizes = self.offsets[:-1][rows], np.diff(self.offsets)[rows]
        offsets = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        return type(self)(self.layouts, self.layout[rows], _gather(self.text, starts, sizes, offsets), offsets)

    @classmethod
    def concat(cls, parts: Sequence[Rest]) -> Self:
        """Rests one after another."""
        known: dict[tuple[str, ...], int] = {}
        layouts, offsets, at = [], [np.zeros(1, np.int64)], 0
        for part in parts:
            renumber = np.array([known.setdefault(k, len(known)) for k in part.layouts] + [-1], np.int32)
            layouts.append(renumber[part.layout])
            offsets.append(part.offsets[1:] - part.offsets[0] + at)
            at += int(part.offsets[-1] - part.offsets[0])
        text = [p.text[p.offsets[0] : p.offsets[-1]] for p in parts]
        return cls(tuple(known), np.concatenate([np.zeros(0, np.int32), *layouts]), np.concatenate([np.zeros(0, np.uint8), *text]), np.concatenate(offsets))


def without_key(rest: Rest, key: str) -> Rest:
    """The same without one key, wherever a row has it."""
    import msgspec  # not at the top: a machine that trains on rendered scenes reads no JSON

    texts = []
    for text in rest.rows():
        kept = msgspec.json.decode(text, type=dict[str, msgspec.Raw]) if text else {}
        texts.append(msgspec.json.encode({k: v for k, v in kept.items() if k != key}) if key in kept else text)
    made = Rest.of([rest.keys(i) for i in range(len(rest))], texts)
    fresh = np.where(rest.layout < 0, np.int32(-1), made.layout)
    return Rest(made.layouts, fresh, made.text, made.offsets)


def _gather(text: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The slices `text[starts[i]:starts[i] + sizes[i]]` one after another."""
    out = np.empty(int(offsets[-1]), np.uint8)
    cuts = np.unique(np.searchsorted(offsets, np.arange(0, offsets[-1] + _BLOCK, _BLOCK)).clip(0, len(sizes)))
    for a, b in itertools.pairwise(cuts):
        places = np.arange(offsets[a], offsets[b]) + np.repeat(starts[a:b] - offsets[a:b], sizes[a:b])
        out[offsets[a] : offsets[b]] = text[places]
    return out
