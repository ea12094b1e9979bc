"""What is split: images that hang together are one unit; each has a place in a fixed order, and labels to balance."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import repeats
from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean
from ..grouping import codes_of, components

__all__ = ["KEYS", "OF", "Column", "Labels", "Units", "column_of", "image_keys", "key_kind", "labels_of", "units_of"]

Rows = NDArray[np.intp]

OF = {"images": "an image counts once", "instances": "an image counts as often as it has instances"}
KEYS = {
    "source": "source and source_id, as a merge leaves them",
    "source_id": "the id before a renumbering",
    "id": "the image's id",
    "file": "the image's file name",
}
_BINS = 4
_MANY = 20
"""Different numbers a column may hold before they are taken in quarters."""


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one column, seen from the images."""

    name: str
    image: Rows
    """(E,) image of each entry: every image once, or every instance."""
    code: Rows
    """(E,) its value's number; -1 where unknown."""
    values: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Labels:
    """Entries (image, label, weight); labels are values of columns."""

    image: Rows
    label: Rows
    weight: NDArray[np.float64]
    names: tuple[tuple[str, str], ...]
    """(column, value) of every label."""


@dataclass(frozen=True, eq=False)
class Units:
    """Images that may not be parted."""

    of_image: Rows
    """(I,) unit of each image."""
    place: NDArray[np.uint64]
    """(U,) a number drawn from the seed and what the unit is called: the same in whatever company it comes."""

    def __len__(self) -> int:
        return len(self.place)


def column_of(ds: PoseDataset, name: str, what: str) -> Column:
    """A column of images or instances, `category`, or an image's own; numbers of many values in quarters when it is to be balanced."""
    images, own = ds.images.columns(), ds.instances.columns()
    every = np.arange(len(ds.images))
    if name == "category":
        rows, values = ds.instances.image, ds.category_names
    elif name == "file" or name in ds.images.meta or (name in ("width", "height", "folder")):
        rows, values = every, images[name]
    elif name in own and own[name].ndim == 1 and name not in ("id", "image"):
        rows, values = ds.instances.image, own[name]
    else:
        known = ["category", *ds.images.meta, *ds.instances.meta, "area", "width", "height", "file"]
        raise DataError(f"split: {what}", f"no column {brief(str(name))!r}", did_you_mean(str(name), known))
    if what == "by" and values.dtype.kind in "iuf" and len(np.unique(values)) > _MANY:
        return Column(name, rows, *_quarters(values))
    return Column(name, rows, *_coded(values))


def _coded(values: NDArray[Any]) -> tuple[Rows, tuple[str, ...]]:
    """Values as a person writes them; "", NaN and -1 say nothing."""
    codes, found = codes_of(values)
    texts = ["" if v == "" or v != v or (not isinstance(v, str) and v == -1) else _text(v) for v in found]
    names = [t for t in dict.fromkeys(texts) if t]
    place = {t: row for row, t in enumerate(names)} | {"": -1}
    return np.array([place[t] for t in texts], np.intp)[codes] if len(codes) else codes, tuple(names)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else str(value)


def _quarters(values: NDArray[Any]) -> tuple[Rows, tuple[str, ...]]:
    """Four ranges that hold as many each."""
    known = ~np.isnan(values.astype(np.float64))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _BINS + 1)))
    code = np.searchsorted(edges[1:-1], values, "right")
    names = tuple(f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)) or (f"{edges[0]:g}",)
    return np.where(known, code.clip(0, len(names) - 1), -1), names


# -- units -------------------------------------------------------------------------------------------


def key_kind(ds: PoseDataset) -> str:
    """What names an image for good: by the columns there are, never by their content, which more data would change."""
    meta = ds.images.meta
    return "source" if "source" in meta and "source_id" in meta else "source_id" if "source_id" in meta else "id"


def image_keys(ds: PoseDataset, kind: str) -> NDArray[Any]:
    """(I,) the name of every image, all different."""
    if kind not in KEYS:
        raise DataError("split: key", brief(repr(kind)), did_you_mean(str(kind), KEYS))
    needed = {"source": ("source", "source_id"), "source_id": ("source_id",)}.get(kind, ())
    for column in needed:
        if column not in ds.images.meta or ds.images.meta[column].dtype != object:
            raise DataError(f"{ds.name}: split", f"images have no column {column!r}", f"they are named by {KEYS[kind]} here; is it the set that was split?")
    meta = ds.images.meta
    keys = meta["source"] + ":" + meta["source_id"] if kind == "source" else ds.images.columns()[kind]
    if repeats(keys):
        raise DataError(f"{ds.name}: split", f"two images have one {kind}", f"name images by another of {', '.join(KEYS)}: key=")
    return np.asarray(keys)


def units_of(ds: PoseDataset, keys: NDArray[Any], groups: Sequence[Column], seed: int) -> Units:
    """Images linked by any value of any group column, as one; each unit's number is that of the least of its names."""
    n, links, drawn = len(ds.images), list[tuple[Rows, Rows]](), _drawn(keys, "", seed)
    grouped = np.zeros(n, bool)
    for column in groups:
        told = column.code >= 0
        links.append((column.image[told], column.code[told]))
        grouped[column.image[told]] = True
    first = components(n, links)
    _, unit = np.unique(first, return_inverse=True)
    unit = unit.reshape(-1)
    place = np.full(unit.max() + 1 if n else 0, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(place, unit[~grouped], drawn[~grouped])
    for column in groups:
        told = column.code >= 0
        names = _drawn(np.array([*column.values, None], object)[:-1], column.name, seed)
        np.minimum.at(place, unit[column.image[told]], names[column.code[told]])
    return Units(unit, place)


def _drawn(names: NDArray[Any], column: str, seed: int) -> NDArray[np.uint64]:
    """A 64-bit number for each name, by the seed alone."""
    head = f"{seed}\0{column}\0"
    digests = b"".join(hashlib.blake2b(f"{head}{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names.tolist())
    return np.frombuffer(digests, ">u8").astype(np.uint64)


# -- labels ------------------------------------------------------------------------------------------


def labels_of(ds: PoseDataset, columns: Sequence[Column], of: str) -> Labels:
    """Entries to balance: every value of every column on every image, counted in images or instances; `(none)` where it has no value."""
    n, per_image = len(ds.images), np.bincount(ds.instances.image, minlength=len(ds.images))
    size = np.ones(n) if of == "images" else per_image.astype(np.float64)
    images, labels, weights, names = [], [], [], list[tuple[str, str]]()
    for column in columns:
        entry, code, weight = _entries(n, column, of, size)
        images.append(entry)
        labels.append(code + len(names))
        weights.append(weight)
        names += [(column.name, v) for v in (*column.values, "(none)")]
    if not columns or of == "instances":  # images without instances weigh nothing, and are dealt out too
        images.append(np.arange(n))
        labels.append(np.where(size > 0, 0, 1) + len(names))
        weights.append(np.where(size > 0, size, 1.0))
        names += [("", "all"), ("", "without instances")]
    return Labels(np.concatenate(images), np.concatenate(labels), np.concatenate(weights), tuple(names))


def _entries(n: int, column: Column, of: str, size: NDArray[np.float64]) -> tuple[Rows, Rows, NDArray[np.float64]]:
    """(image, value, weight), each pair once."""
    k = len(column.values) + 1
    code = np.where(column.code >= 0, column.code, k - 1)
    per_image = len(column.image) == n and bool((column.image == np.arange(n)).all())
    if per_image:
        return column.image, code, size
    pairs, counts = np.unique(column.image * k + code, return_counts=True)
    empty = np.setdiff1d(np.arange(n), column.image)
    entry = np.concatenate([pairs // k, empty])
    value = np.concatenate([pairs % k, np.full(len(empty), k - 1)])
    weight = np.concatenate([counts.astype(np.float64) if of == "instances" else np.ones(len(pairs)), np.ones(len(empty))])
    return entry, value, weight
