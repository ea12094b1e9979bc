"""Records of a results file as columns, before anyone knows their schema: typed where they are plain, row by row where one is odd."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray

from ..errors import Fault
from ..predictions import Predictions
from .keys import HEADER_KEY, RESULT_KEYS
from .placing import MISSING, REFUSED
from .rows import LARGEST_EXACT, Row, RowTable, json_checked, rows_of_block
from .text import cut_blocks

__all__ = ["Records", "read_records"]

BLOCK = 1 << 17
"""Bytes parsed at a time: some hundred records, whose numbers fit the processor's cache."""
MOST_KEYS = 64
"""Records with more keys are read row by row."""
_HELD = {*RESULT_KEYS, HEADER_KEY}
_NONE = np.zeros(0)
_COLUMN_NAMES = {f.name for f in fields(Predictions)}
_NESTED = re.compile(rb"\[[ \t\n\r]*\[")
_Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str

Ids = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Records:
    """What N records say, some of a file or all."""

    image: Ids
    category: Ids | None
    """None where no record has one."""
    truth: Ids
    score: Floats
    bbox: Floats
    sizes: NDArray[np.int64]
    """(N,) how many of `numbers` are of each record, or MISSING, or REFUSED."""
    numbers: Floats
    """All keypoints, one after another."""
    extras: dict[str, NDArray[Any]]
    """Further numbers of every record: part scores, say."""
    headers: list[bytes]
    texts: list[bytes]
    """JSON of what no column holds, one object a record, or nothing."""

    def __len__(self) -> int:
        return len(self.texts)


def read_records(data: bytes | Raw, where: str, path: str, faults: list[Fault]) -> Records:
    """All records of a JSON list. Faults are gathered; what is no JSON is raised."""
    refused: set[str] = set()
    while True:
        reader = _Reader(where, path, refused)
        found = reader.read(data)
        if reader.refused == refused:
            faults += reader.faults
            return found
        refused = reader.refused  # a column in one block and none in another is none in all


class _Reader:
    """Reads block by block; it learns the keys of the records and has msgspec decode them by type."""

    def __init__(self, where: str, path: str, refused: set[str]) -> None:
        self.where, self.path, self.refused = where, path, set(refused)
        self.faults: list[Fault] = []
        self.first = 0
        self.like: dict[str, int | str] = {}
        self.keys: dict[str, None] = {}
        self.typed: Any = None
        self.nested = False
        """Whether keypoints are written point by point."""
        self.numeric: list[str] | None = None
        """Keys that are `extras`, chosen in the first block."""

    def read(self, data: bytes | Raw) -> Records:
        """The whole list."""
        blocks, numbers = [], bytearray()  # grows in place; parts to be joined would need all the memory twice
        with json_checked(data, f"{self.where} {self.path}"):
            for block in cut_blocks(data, BLOCK, self.decode):
                self.first += len(block)
                self.remember(block)
                numbers += block.numbers.data.cast("B") if block.numbers.size else b""
                blocks.append(replace(block, numbers=_NONE))
        return self.joined([b for b in blocks if len(b)] or blocks, np.frombuffer(numbers, np.float64))

    def remember(self, block: Records) -> None:
        """The first id of each kind: those of later blocks are to be like it."""
        for key, ids in {"image_id": block.image, "category_id": block.category, "truth_id": block.truth}.items():
            if key in self.like or ids is None or self.faults:  # where a block has faults, its ids are stand-ins
                continue
            given = [i for i in ids.tolist() if key != "truth_id" or i not in (-1, "")]
            self.like |= {key: given[0]} if given else {}

    def decode(self, block: bytes) -> Records:
        """The records of one block: by type, or row by row where that finds anything odd."""
        found = self.plain(block)
        if found is None:
            rows = rows_of_block(block, self.where, self.path, self.first)
            found = (self.plain(block) if self.learns(rows) else None) or self.odd(rows)
        return found

    def learns(self, rows: Sequence[Row]) -> bool:
        """Whether the rows have keys not seen before; then the type is made anew."""
        before = len(self.keys)
        for keys in dict.fromkeys(map(tuple, rows)):
            self.keys.update(dict.fromkeys(keys))
        if len(self.keys) == before:
            return False
        if len(self.keys) > MOST_KEYS or not all(map(_is_plain, self.keys)):
            self.typed = None
            return False
        self.nested = any(_NESTED.match(row["keypoints"]) for row in rows[:1] if "keypoints" in row)
        self.typed = msgspec.json.Decoder(list[_record(self.keys, self.nested)])  # type: ignore[misc]
        return True

    # -- by type -------------------------------------------------------------------------------------

    def plain(self, block: bytes) -> Records | None:
        """The records by type; None where one is not of it, and for whoever looks closer to say why."""
        if self.typed is None:
            return None
        try:
            rows = self.typed.decode(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        image, category = self.ids([r.image_id for r in rows], "image_id"), self.ids([r.category_id for r in rows], "category_id")
        truth, points = self.ids([r.truth_id for r in rows], "truth_id"), _flat([r.keypoints for r in rows], self.nested)
        score, bbox = np.fromiter((r.score for r in rows), np.float64, len(rows)), _boxes([r.bbox for r in rows])
        if image is None or category is None or truth is None or points is None or bbox is None or _any_huge(points[1]) or _any_huge(score):
            return None
        extra = {key: [getattr(r, f"extra{i}") for r in rows] for i, key in enumerate(k for k in self.keys if k not in _HELD)}
        extras = self.columns(extra, len(rows))
        return Records(
            image=image,
            category=category if len(category) == len(rows) else None,
            truth=truth if len(truth) == len(rows) else np.full(len(rows), -1),
            score=score,
            bbox=bbox,
            sizes=points[0],
            numbers=points[1],
            extras=extras,
            headers=[bytes(r.header) for r in rows if r.header is not UNSET],
            texts=_texts({k: v for k, v in extra.items() if k not in extras}, len(rows)),
        )

    def ids(self, values: Sequence[Any], key: str) -> Ids | None:
        """All numbers or all text, as those before; empty where none is given; else None."""
        kinds = set(map(type, values))
        if kinds <= {UnsetType}:
            return np.zeros(0, np.int64)
        if len(kinds) > 1 or (key in self.like and type(self.like[key]) not in kinds):
            return None
        return np.array(values, np.int64) if int in kinds else np.array([*values, None], object)[:-1]

    def columns(self, extra: dict[str, list[Any]], n: int) -> dict[str, NDArray[Any]]:
        """The extra keys that are numbers throughout. The first block chooses them; what a later one refuses is noted."""
        columns = {key: _numbers(extra[key]) if key in extra else None for key in (extra if self.numeric is None else self.numeric)}
        good = {k: v for k, v in columns.items() if v is not None and k not in self.refused and k not in _COLUMN_NAMES}
        if self.numeric is None:
            self.numeric = list(good) if n else None
        else:
            self.refused |= set(self.numeric) - set(good)
        return good

    # -- row by row ----------------------------------------------------------------------------------

    def odd(self, rows: Sequence[Row]) -> Records:
        """The records row by row, faults noted."""
        table = RowTable(rows, self.path, self.faults, self.first)
        image, score = table.ids("image_id", like=self.like.get("image_id")), table.numbers("score", np.nan)
        category = table.ids("category_id", like=self.like.get("category_id")) if any("category_id" in row for row in rows) else None
        sizes, numbers = _points(table)
        for row in [i for i, r in enumerate(rows) if "score" not in r]:
            table.fault(row, "score", "missing", "every record has a score")
        bbox, truth = table.vectors("bbox", 4), table.ids("truth_id", required=False, like=self.like.get("truth_id"))
        keys = dict.fromkeys(rows[0] if rows else ()) if self.numeric is None else dict.fromkeys(self.numeric)
        extras = self.columns({key: [row.get(key, UNSET) for row in rows] for key in keys if key not in _HELD}, len(rows))
        return Records(
            image=image,
            category=category,
            truth=truth,
            score=score,
            bbox=bbox,
            sizes=sizes,
            numbers=numbers,
            extras=extras,
            headers=[bytes(row[HEADER_KEY]) for row in rows if HEADER_KEY in row],
            texts=[_object(row, _HELD | extras.keys()) for row in rows],
        )

    # -- together ------------------------------------------------------------------------------------

    def joined(self, blocks: Sequence[Records], numbers: Floats) -> Records:
        """The blocks as one; categories that only some records have are faults."""
        return Records(
            image=_together([b.image for b in blocks]),
            category=self.all_or_none(blocks),
            truth=_together(_named_alike([b.truth for b in blocks])),
            score=np.concatenate([b.score for b in blocks]),
            bbox=np.concatenate([b.bbox for b in blocks]),
            sizes=np.concatenate([b.sizes for b in blocks]),
            numbers=numbers,
            extras={key: np.concatenate([b.extras[key] for b in blocks]) for key in self.numeric or () if all(key in b.extras for b in blocks)},
            headers=list(dict.fromkeys(chain.from_iterable(b.headers for b in blocks))),
            texts=list(chain.from_iterable(b.texts for b in blocks)),
        )

    def all_or_none(self, blocks: Sequence[Records]) -> Ids | None:
        """The categories; a block without any beside one with them is short of them."""
        if all(b.category is None for b in blocks):
            return None
        given = [b.category for b in blocks if b.category is not None]
        if len(given) == len(blocks):
            return _together(given)
        for first, block in zip(_firsts([len(b) for b in blocks]), blocks, strict=True):
            if block.category is None:
                self.faults.append(Fault(f"{self.path}[{first}].category_id", "missing", "every entry has 'category_id'"))
        return np.zeros(sum(map(len, blocks)), np.int64)


def _is_plain(key: str) -> bool:
    """Whether msgspec takes the key as the name of a field."""
    return key.isprintable() and '"' not in key and "\\" not in key


def _record(keys: Iterable[str], nested: bool) -> type[msgspec.Struct]:
    """The type of records with these keys; what is not of a results file stays the text it was."""
    own: list[Any] = [
        ("image_id", _Id),
        ("keypoints", list[list[float]] if nested else list[float]),
        ("score", float),
        ("category_id", _Id | UnsetType, UNSET),
        ("truth_id", _Id | UnsetType, UNSET),
        ("bbox", list[float] | UnsetType, UNSET),
        ("header", Raw | UnsetType, msgspec.field(default=UNSET, name=HEADER_KEY)),
    ]
    others = enumerate(k for k in keys if k not in _HELD)
    extra = [(f"extra{i}", Raw | UnsetType, msgspec.field(default=UNSET, name=key)) for i, key in others]
    return msgspec.defstruct("Record", own + extra, forbid_unknown_fields=True, gc=False)


def _boxes(values: Sequence[Any]) -> Floats | None:
    """(N, 4), NaN where not given; None where one has not four numbers."""
    kinds = set(map(type, values))
    if kinds <= {UnsetType}:
        return np.full((len(values), 4), np.nan)
    given = [v if v is not UNSET else (np.nan,) * 4 for v in values] if UnsetType in kinds else values
    if set(map(len, given)) != {4}:
        return None
    boxes = np.fromiter(chain.from_iterable(given), np.float64, 4 * len(given)).reshape(-1, 4)
    return None if _any_huge(boxes) else boxes


def _flat(lists: Sequence[Any], nested: bool = False) -> tuple[NDArray[np.int64], Floats] | None:
    """Sizes and numbers of lists that are flat, or points by point."""
    if nested:
        unrolled = [_unrolled(v) for v in lists]
        if any(v is None for v in unrolled):
            return None
        lists = unrolled
    sizes = np.fromiter(map(len, lists), np.int64, len(lists))
    return sizes, np.fromiter(chain.from_iterable(lists), np.float64, int(sizes.sum()))


def _unrolled(points: Sequence[Sequence[float]]) -> list[float] | None:
    """[[x, y, score], ...] one after another; without scores each is 1."""
    widths = set(map(len, points))
    if widths <= {3}:
        return list(chain.from_iterable(points))
    return [n for x, y in points for n in (x, y, 1.0)] if widths == {2} else None


def _points(table: RowTable) -> tuple[NDArray[np.int64], Floats]:
    """`_flat`, row by row."""
    lists = table.points("keypoints")  # unrolled
    sizes, numbers = _flat([v if v is not None else [] for v in lists]) or (np.zeros(len(lists), np.int64), np.zeros(0))
    for row in [i for i, v in enumerate(lists) if v is None]:
        sizes[row] = REFUSED if "keypoints" in table.rows[row] else MISSING
    return sizes, numbers


def _any_huge(values: Floats) -> bool:
    flat = values.reshape(-1)
    return bool(values.size) and bool(np.fmax.reduce(flat) >= LARGEST_EXACT or np.fmin.reduce(flat) <= -LARGEST_EXACT)


def _numbers(raws: Sequence[Any]) -> NDArray[Any] | None:
    """A column of numbers, NaN for null; None where one is none, is missing, or would be rounded."""
    try:
        values = msgspec.json.decode(b"[" + b",".join(raws) + b"]")
    except (msgspec.DecodeError, RecursionError, TypeError):  # TypeError: UNSET is no text
        return None
    kinds = set(map(type, values))
    if not kinds <= {int, float, type(None)} or any(v is not None and abs(v) > LARGEST_EXACT for v in values):
        return None
    return np.array(values, np.int64 if kinds == {int} else np.float64)


def _texts(extra: dict[str, list[Any]], n: int) -> list[bytes]:
    """For each row the JSON object of its extra keys; nothing without any."""
    heads = [msgspec.json.encode(key) + b":" for key in extra]
    rows = zip(*extra.values(), strict=True) if extra else [()] * n
    return [_braced([head + raw for head, raw in zip(heads, row, strict=True) if raw is not UNSET]) for row in rows]


def _object(row: Row, without: Collection[str]) -> bytes:
    return _braced([msgspec.json.encode(k) + b":" + v for k, v in row.items() if k not in without])


def _braced(members: Sequence[bytes]) -> bytes:
    return b"{" + b",".join(members) + b"}" if members else b""


def _together(columns: Sequence[Ids]) -> Ids:
    """One column; stand-ins for ids with faults may be of another kind, and nobody sees them."""
    alike = len({c.dtype for c in columns}) == 1
    return np.concatenate(columns if alike else [c.astype(object) for c in columns])


def _named_alike(columns: Sequence[Ids]) -> list[Ids]:
    """-1, no truth among numbers, is '' among text."""
    texts = any(c.dtype == object for c in columns)
    return [np.full(len(c), "", object) if texts and c.dtype != object and (c == -1).all() else c for c in columns]


def _firsts(sizes: Sequence[int]) -> list[int]:
    """Place of the first row of each block."""
    return [0, *np.cumsum(sizes).tolist()][:-1]
