"""Parsed files kept as mapped columns: the second load reads no JSON and copies nothing."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..category import Category, Provenance
from ..dataset import PoseDataset
from ..errors import PoseError
from ..files import cache_folder, write_bytes, write_folder
from ..rest import FileRest, Rest
from ..schema import Schema
from ..schemas import NO_POINTS
from ..tables import Images, Instances, Table

__all__ = ["SMALLEST", "cached", "load_columns", "save_columns"]

LAYOUT_VERSION = 2
SMALLEST = 1 << 18
"""Smaller files are parsed sooner than their columns would be found."""
_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was hashed may change again within one tick of the file system's clock."""


def cached(path: Path, key: Mapping[str, Any], parse: Callable[[], PoseDataset]) -> PoseDataset:
    """What `parse` makes of the file at `path`, from the cache when the same content was parsed under the same key."""
    if not _worth_keeping(path):
        return parse()
    try:
        digest = _digest(path)
        name = hashlib.sha256(json.dumps([LAYOUT_VERSION, key, digest], sort_keys=True).encode()).hexdigest()[:32]
        folder = cache_folder() / "columns" / name
        kept = folder.is_dir()
    except OSError:
        return parse()
    try:
        if kept:
            return load_columns(folder)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        shutil.rmtree(folder, ignore_errors=True)  # damaged: slower this time, never wrong
    found = parse()
    if found.provenance.files[0][1] == digest:  # else the file changed under our hands
        try:
            write_folder(folder, lambda into: save_columns(found, into))
        except OSError:
            pass  # a full or read-only disk costs the next load its speed and nothing else
    return found


def _worth_keeping(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size >= SMALLEST
    except (OSError, ValueError):
        return False


def save_columns(ds: PoseDataset, folder: Path) -> None:
    """One file of columns, one of names and places."""
    places: dict[str, Any] = {}
    with open(folder / "columns.bin", "wb") as out:
        for name, array in _arrays(ds).items():
            out.write(b"\0" * (-out.tell() % 64))
            places[name] = [array.dtype.str, list(array.shape), out.tell()]
            out.write(np.ascontiguousarray(array).tobytes())
    header = {
        "size": (folder / "columns.bin").stat().st_size, "places": places, "name": ds.name, "schema": ds.schema.to_dict(),
        "categories": [_category_values(c) for c in ds.categories], "provenance": [ds.provenance.files, ds.provenance.fixes, ds.provenance.steps],
        "layouts": [ds.images.rest.layouts, ds.instances.rest.layouts], "top": [ds.rest.keys, {k: v.decode() for k, v in ds.rest.texts.items()}],
    }  # fmt: skip
    data = json.dumps(header).encode()
    (folder / "header").write_bytes(hashlib.sha256(data).digest() + data)


def load_columns(folder: Path) -> PoseDataset:
    """The dataset that `save_columns` wrote, its columns mapped, read-only, from the file."""
    data = (folder / "header").read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError("the header is damaged")
    header = json.loads(data[32:])
    with open(folder / "columns.bin", "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(mapped) != header["size"]:
        raise ValueError("the columns are cut short")
    arrays = {name: np.frombuffer(mapped, dtype, int(np.prod(shape)), at).reshape(shape) for name, (dtype, shape, at) in header["places"].items()}
    top_keys, top_texts = header["top"]
    return PoseDataset(
        name=header["name"],
        schema=Schema.from_dict(header["schema"]) if header["schema"]["keypoints"] else NO_POINTS,
        categories=tuple(_category(c) for c in header["categories"]),
        images=_table(Images, "images", arrays, header["layouts"][0]),
        instances=_table(Instances, "instances", arrays, header["layouts"][1]),
        provenance=Provenance(tuple((p, s) for p, s in header["provenance"][0]), *map(tuple, header["provenance"][1:])),
        rest=FileRest(tuple(top_keys), {k: v.encode() for k, v in top_texts.items()}, arrays.get("listing")),
    )


def _arrays(ds: PoseDataset) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for table, name in ((ds.images, "images"), (ds.instances, "instances")):
        for column, values in table.columns().items():
            kind = "meta" if column in table.meta else "own"
            arrays |= _text_arrays(f"{name}.{kind}.{column}", values) if values.dtype == object else {f"{name}.{kind}.{column}": values}
        arrays |= {f"{name}.rest.layout": table.rest.layout, f"{name}.rest.text": table.rest.text, f"{name}.rest.offsets": table.rest.offsets}
    return arrays if ds.rest.listing is None else arrays | {"listing": ds.rest.listing}


def _text_arrays(name: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    texts = [v.encode() for v in values.tolist()]
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return {f"{name}.text": np.frombuffer(b"".join(texts), np.uint8), f"{name}.ends": ends}


def _texts(text: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[Any]:
    data, stops = text.tobytes(), ends.tolist()
    values = [data[a:b].decode() for a, b in zip([0, *stops], stops, strict=False)]
    return np.array([*values, None], object)[:-1]


def _table(kind: type[Any], name: str, arrays: Mapping[str, NDArray[Any]], layouts: list[list[str]]) -> Any:
    found: dict[str, dict[str, NDArray[Any]]] = {"own": {}, "meta": {}, "rest": {}}
    for key, array in arrays.items():
        table, _, column = key.partition(".")
        group, _, column = column.partition(".")
        if table != name or column.endswith(".ends"):
            continue
        stem = column.removesuffix(".text") if group != "rest" else column
        found[group][stem] = _texts(array, arrays[f"{name}.{group}.{stem}.ends"]) if stem != column else array
    rest = Rest(tuple(map(tuple, layouts)), found["rest"]["layout"], found["rest"]["text"], found["rest"]["offsets"])
    trusted: Table = kind.trusted(found["own"], found["meta"], rest)
    return trusted


def _category_values(c: Category) -> list[Any]:
    return [c.id, c.name, c.points, c.spellings, c.sigmas, c.keys, {k: v.decode() for k, v in c.rest.items()}]


def _category(values: list[Any]) -> Category:
    id_, name, points, spellings, sigmas, keys, rest = values
    return Category(
        id_, name, tuple(points), tuple(spellings), None if sigmas is None else tuple(sigmas), tuple(keys), {k: v.encode() for k, v in rest.items()}
    )


def _digest(path: Path) -> str:
    """sha256 of the file, remembered as long as its size, times and place do not change."""
    stat = path.stat()
    now = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
    memo = cache_folder() / "digests" / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    try:
        known = json.loads(memo.read_text())
        if known["stat"] == now and max(stat.st_mtime_ns, stat.st_ctime_ns) + _RACY_NS < known["hashed_ns"]:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    hashed_ns = time.time_ns()
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        write_bytes(memo, json.dumps({"stat": now, "hashed_ns": hashed_ns, "sha256": digest}).encode())
    except PoseError:
        pass  # the next load hashes again
    return digest
