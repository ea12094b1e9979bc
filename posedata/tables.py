"""Frozen columns: what a row of images and a row of poses holds. A table checks itself once, then never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .columns import array_of, cast_to, half_known, ids_column, meta_column, read_only, require_unique, row_numbers
from .errors import DataError, brief, did_you_mean, first_few
from .rest import Rest

__all__ = ["AREA_SHARE", "FrozenDict", "Images", "Instances", "Table", "matching", "stack"]

T = TypeVar("T", bound="Table")

AREA_SHARE = 0.53
"""Area of a person over that of the box: the share CrowdPose's and xtcocotools' evaluators assume where a file has no area."""


class FrozenDict(dict[str, Any]):
    """Columns by name that nobody adds to: a column enters a table through `with_meta`, which checks it."""

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise TypeError("the columns of a table do not change; make another: table.with_meta(name=values)")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


def column(dtype: Any, *shape: int | str, default: Any = None) -> Any:
    """A field that is a column: its dtype, the shape of one row, and the value of rows not given (None: required)."""
    return field(default=None, metadata={"dtype": dtype, "shape": shape, "default": default})


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Table:
    """Columns of one length. To change one, make another table: `dataclasses.replace(table, area=new)`."""

    meta: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    rest: Rest = None  # type: ignore[assignment]  # filled in __post_init__
    """What the columns do not hold, verbatim."""

    def __post_init__(self) -> None:
        if not isinstance(self.meta, Mapping):
            raise DataError(self._where("meta"), brief(repr(self.meta)), "columns by name are needed")
        n = self._length()
        taken = {f.name for f in fields(self)}.intersection(self.meta)
        if taken:
            raise DataError(self._where("meta"), f"{min(taken)!r} is a column of its own", "give it another name")
        sizes: dict[str, int] = {}
        for f in fields(self):
            if "dtype" in f.metadata:
                value = getattr(self, f.name)
                if value is None:
                    value = self._default(f.name, n, f.metadata["default"])
                object.__setattr__(self, f.name, self._as_column(f.name, value, n, f.metadata, sizes))
        object.__setattr__(self, "meta", FrozenDict({str(k): read_only(meta_column(self._where(k), v, n)) for k, v in self.meta.items()}))
        object.__setattr__(self, "rest", Rest.empty(n) if self.rest is None else self.rest)
        if len(self.rest) != n:
            raise DataError(self._where("rest"), f"{len(self.rest)} rows", f"the table has {n}")
        self._check()

    def _length(self) -> int:
        raise NotImplementedError

    def _default(self, name: str, n: int, default: Any) -> Any:
        if default is None:
            raise DataError(self._where(name), "not given", "this column is required")
        return np.full(n, default)

    def _check(self) -> None:
        """What one table can know of itself."""

    def _as_column(self, name: str, value: Any, n: int, meta: Mapping[str, Any], sizes: dict[str, int]) -> NDArray[Any]:
        array = ids_column(value, self._where(name)) if meta["dtype"] == "id" else cast_to(self._where(name), value, meta["dtype"])
        shape = (n, *(sizes.setdefault(s, array.shape[i + 1] if array.ndim > i + 1 else -1) if isinstance(s, str) else s for i, s in enumerate(meta["shape"])))
        if array.shape != shape:
            raise DataError(self._where(name), f"shape {array.shape}", f"the table needs {shape}")
        return read_only(array)

    def _where(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"

    def __len__(self) -> int:
        return self._length()

    def __repr__(self) -> str:
        shapes = ", ".join(
            f"{name} {values.dtype if values.dtype != object else 'text'}{list(values.shape[1:]) or ''}" for name, values in self.columns().items()
        )
        return f"{type(self).__name__}({len(self):,} rows: {shapes})"

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy made by pickle is as frozen as its original; numpy would let it be written."""
        for name, value in state.items():
            object.__setattr__(self, name, read_only(value) if isinstance(value, np.ndarray) else value)
        object.__setattr__(self, "meta", FrozenDict({k: read_only(v) for k, v in self.meta.items()}))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Own columns, then those of `meta`, by name."""
        return self.own() | dict(self.meta)

    def own(self) -> dict[str, NDArray[Any]]:
        """The columns every such table has, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if "dtype" in f.metadata}

    def take(self, rows: NDArray[Any]) -> Self:
        """The rows at these places, in this order, none twice. What was checked stays checked."""
        rows = row_numbers(rows, len(self), f"{type(self).__name__}.take")
        require_unique(rows, f"{type(self).__name__}.take")
        own = {f.name: getattr(self, f.name)[rows] for f in fields(self) if "dtype" in f.metadata}
        return self.trusted(own, {k: v[rows] for k, v in self.meta.items()}, self.rest.take(rows))

    def with_trusted(self, **columns: NDArray[Any]) -> Self:
        """The table with some columns replaced by ones that need no check: rearranged from this very table."""
        return self.trusted(self.own() | columns, self.meta, self.rest)

    @classmethod
    def require_columns(cls, names: Iterable[str], where: str) -> None:
        """Refuse a name that is no column of this kind of table."""
        known = [f.name for f in fields(cls) if "dtype" in f.metadata]
        for name in names:
            if name not in known:
                raise DataError(where, f"no column {name!r}", did_you_mean(name, known))

    @classmethod
    def trusted(cls, own: Mapping[str, NDArray[Any]], meta: Mapping[str, NDArray[Any]], rest: Rest) -> Self:
        """A table of columns that were checked before: chosen rows of a table, or a table we wrote ourselves."""
        table = object.__new__(cls)
        for name, values in own.items():
            object.__setattr__(table, name, read_only(values))
        object.__setattr__(table, "meta", FrozenDict({k: read_only(v) for k, v in meta.items()}))
        object.__setattr__(table, "rest", rest)
        return table

    def with_trusted_meta(self, **columns: NDArray[Any]) -> Self:
        """`with_meta` for columns we made ourselves, of the right length and no other column's name."""
        return self.trusted(self.own(), {**self.meta, **columns}, self.rest)

    def with_meta(self, **columns: Any) -> Self:
        """The table with more columns in `meta`, or other values in those."""
        return replace(self, meta={**self.meta, **columns})


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Images(Table):
    """I images, one row each."""

    id: NDArray[Any] = column("id")
    file: NDArray[np.object_] = column(object)
    """The name in the source, possibly with folders."""
    width: NDArray[np.int64] = column(np.int64, default=0)
    """Pixels; 0 when unknown, as height."""
    height: NDArray[np.int64] = column(np.int64, default=0)
    folder: NDArray[np.object_] = column(object, default="")
    """Where the file is looked for; empty when nobody said."""

    def _length(self) -> int:
        return np.shape(self.id)[0] if self.id is not None and np.ndim(self.id) else 0

    def _check(self) -> None:
        require_unique(self.id, "Images.id")
        for name in ("width", "height"):
            if len(self) and getattr(self, name).min() < 0:
                raise DataError(self._where(name), f"{getattr(self, name).min()}", "sizes are 0 (unknown) or more")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Instances(Table):
    """N poses (or bare boxes), one row each."""

    id: NDArray[Any] = column("id")
    image: NDArray[np.int64] = column(np.int64)
    """(N,) row in Images, not an id: a join is an index."""
    category: NDArray[np.int64] = column(np.int64, default=0)
    """(N,) row in the dataset's categories."""
    keypoints: NDArray[np.float64] = column(np.float64, "K", 3)
    """(N, K, 3) x, y of pixel centres; v: 0 not labelled, 1 hidden, 2 seen."""
    annotated: NDArray[np.bool_] = column(np.bool_, "K")
    """(N, K) false where the source's schema lacks the point."""
    bbox: NDArray[np.float64] = column(np.float64, 4, default=np.nan)
    """(N, 4) x, y, w, h of edges; NaN when the source has none."""
    area: NDArray[np.float64] = column(np.float64, default=np.nan)
    """(N,) pixels squared; NaN when the source has none."""
    crowd: NDArray[np.bool_] = column(np.bool_, default=False)
    ignore: NDArray[np.bool_] = column(np.bool_, default=False)
    """The file's own key; no protocol of ours reads it unasked."""
    recorded: NDArray[np.int64] = column(np.int64, default=-1)
    """The file's num_keypoints; -1 when absent or after any change of the points."""

    def _length(self) -> int:
        return np.shape(self.image)[0] if self.image is not None and np.ndim(self.image) else 0

    def _default(self, name: str, n: int, default: Any) -> Any:
        if name == "id":
            return np.arange(1, n + 1)
        if name == "keypoints":
            return np.zeros((n, 0, 3))
        if name == "annotated":
            return np.ones(np.shape(self.keypoints)[:2], bool)
        return np.full((n, 4), default) if name == "bbox" else super()._default(name, n, default)

    def _check(self) -> None:
        require_unique(self.id, "Instances.id")
        xy, v = self.keypoints[..., :2], self.keypoints[..., 2]
        _refuse(~np.isfinite(xy).all(-1).all(-1), self.id, "Instances.keypoints", "not finite", "an unlabelled point is 0, 0, 0")
        _refuse(~((v == 0) | (v == 1) | (v == 2)).all(-1), self.id, "Instances.keypoints", "v other than 0, 1, 2", "0 not labelled, 1 hidden, 2 seen")
        _refuse(
            (self.keypoints.any(-1) & ~self.annotated).any(-1),
            self.id,
            "Instances.keypoints",
            "values where not annotated",
            "points the schema of the source lacks are 0, 0, 0",
        )
        _refuse(half_known(self.bbox), self.id, "Instances.bbox", "a box that is NaN in part", "four numbers, or four NaN")
        _refuse(np.isinf(self.bbox).any(-1) | np.isinf(self.area), self.id, "Instances.bbox", "infinite box or area", "NaN says unknown")

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, K) annotated and v > 0: the only points that enter similarity, losses and extents."""
        return self.annotated & (self.keypoints[..., 2] > 0)

    def extent(self) -> NDArray[np.float64]:
        """(N, 4) smallest box around the centres of the labelled points, in edge coordinates; NaN without any."""
        xy = np.where(self.labelled[..., None], self.keypoints[..., :2], np.nan)
        low, high = np.fmin.reduce(xy, 1, initial=np.nan), np.fmax.reduce(xy, 1, initial=np.nan)
        return np.concatenate([low + 0.5, high - low], -1)


def _refuse(bad: Any, ids: NDArray[Any], where: str, seen: str, cure: str) -> None:
    if bad.any():
        raise DataError(where, f"{seen} in instance {first_few(ids[bad], between=', ')}", cure)


def matching(table: Table, name: str, wanted: Any) -> NDArray[np.bool_]:
    """Rows of `table` whose column equals a value, is among a collection, or passes a function of the column."""
    values = table.columns()[name]
    if values.ndim > 1:
        raise DataError(f"where({name}=...)", "a column of several numbers a row", "make a mask of it: where(mask)")
    if callable(wanted):
        return _as_mask(wanted, values, name)
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        return np.isin(values, array_of(list(wanted), f"where({name}=...)"))
    return np.asarray(values == wanted, bool)


def _as_mask(test: Callable[[Any], Any], values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    mask = np.asarray(test(values))
    if mask.shape != values.shape[:1] or mask.dtype != bool:
        raise DataError(f"where({name}=...)", f"the function returned {mask.dtype} {mask.shape}", f"it gets the column and returns bool {values.shape[:1]}")
    return mask


def stack(tables: Sequence[T]) -> T:
    """Tables of one kind, one after another; their ids must differ."""
    own = {f.name: [getattr(t, f.name) for t in tables] for f in fields(tables[0]) if "dtype" in f.metadata}
    if len({ids.dtype for ids in own["id"] if len(ids)}) > 1:
        raise DataError("concat", "ids that are numbers beside ids that are text", "renumber them: .renumbered()")
    own["id"] = [ids for ids in own["id"] if len(ids)] or own["id"]
    names = dict.fromkeys(name for t in tables for name in t.meta)
    meta = {name: np.concatenate(_alike([t.meta.get(name) for t in tables], [len(t) for t in tables])) for name in names}
    columns = {k: np.concatenate(v) for k, v in own.items()}
    try:
        require_unique(columns["id"], f"{type(tables[0]).__name__}.id")
    except DataError as e:
        raise DataError(f"concat: {e.where}", e.seen, "the same rows twice? else renumber them: .renumbered(first)") from None
    return type(tables[0]).trusted(columns, meta, Rest.concat([t.rest for t in tables]))  # every row was checked in its own table


def _as_texts(values: NDArray[Any]) -> NDArray[np.object_]:
    """Numbers as a person writes them: 7, not 7.0; 1 for true; nothing for NaN."""
    texts = ["" if v != v else str(int(v)) if isinstance(v, bool) or (isinstance(v, float) and v.is_integer()) else str(v) for v in values.tolist()]
    return np.array([*texts, None], object)[:-1]


def _alike(columns: Sequence[NDArray[Any] | None], sizes: Sequence[int]) -> list[NDArray[Any]]:
    """Meta columns that can stand together; where a table lacks one, numbers are NaN and text is empty."""
    known = [c for c in columns if c is not None]
    if any(c.dtype == object for c in known):
        return [np.full(n, "", object) if c is None else c if c.dtype == object else _as_texts(c) for c, n in zip(columns, sizes, strict=True)]
    if len(known) == len(columns):
        return known
    return [np.full(n, np.nan) if c is None else c.astype(np.float64) for c, n in zip(columns, sizes, strict=True)]
