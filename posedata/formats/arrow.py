"""Arrow, Parquet, Hugging Face datasets: one row per image, its instances a list of records, nothing lost. The room of pyarrow and datasets.

`image_id`, `file_name`, `width`, `height`, `image`, `instances` and meta columns are for everyone. `folder`, `listed`, `row`, `rest`,
`layout` and `posebench` are what it takes to get the very same PoseDataset back. Columns that others add come back as meta.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets.table import InMemoryTable, MemoryMappedTable
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, FormatError, PoseError, brief, first_few
from ..files import cache_folder, write_folder, write_with
from ..rest import Rest
from ..schema import Schema
from ..tables import Images, Table
from .arrow_in import from_arrow
from .hf import IMAGE_COLUMNS, INSTANCE_COLUMNS, content_fingerprint, features, find_header, header, meta_columns

__all__ = ["from_hf", "read_parquet", "to_arrow", "to_hf", "to_parquet"]

ROWS = 1000
"""Images in a batch: what a reader must hold to get at one of them."""
BATCH_BYTES = 1 << 25
SHARD_BYTES = 1 << 28
# Absolute, or with a way up, in the notation of any system; or no name at all.
_OUTSIDE = r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:[/\\]|^$|\x00"


# -- out ---------------------------------------------------------------------------------------------


def to_arrow(ds: PoseDataset) -> pa.Table:
    """One row per image; the metadata holds `huggingface` (features) and `posebench` (a header that says the rest)."""
    try:
        schema = features(ds).arrow_schema
        columns = _image_columns(ds) | {"instances": _instance_lists(ds)}
        schema = schema.with_metadata({**schema.metadata, b"posebench": header(ds).encode()})
        return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
    except PoseError:
        raise
    except (pa.ArrowException, ValueError, TypeError) as e:
        raise DataError(ds.name, f"a value that Arrow cannot hold ({brief(str(e), 100)})", "text is Unicode, numbers are of 64 bits or less") from None


def to_parquet(ds: PoseDataset, path: str | Path, images: bool = False) -> Path:
    """A file when `path` ends in .parquet, else a folder of shards that `datasets.load_dataset` opens. `images` embeds their bytes."""
    path, table = Path(path), to_arrow(ds)
    if images:
        _require_files(ds, table)
        table = _without_places(ds, table)
    pieces = _with_bytes(table) if images else (table.slice(at, ROWS) for at in range(0, len(table), ROWS))
    if path.suffix == ".parquet":
        return write_with(path, lambda file: _write([file], table.schema, pieces))
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise DataError(str(path), "is there already", "choose a new folder, or a name that ends in .parquet")
    try:
        return write_folder(path, lambda into: _write((into / f"part-{i:05d}.parquet" for i in range(100_000)), table.schema, pieces))
    except OSError as e:
        raise FormatError(str(path), f"cannot be written ({(e.strerror or str(e)).lower()})", "choose another place") from None


def _without_places(ds: PoseDataset, table: pa.Table) -> pa.Table:
    """The table as it travels: the paths of the machine it was made on stay there."""
    files = tuple((Path(file).name, sha256) for file, sha256 in ds.provenance.files)
    nameless = replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), "", object)), provenance=replace(ds.provenance, files=files))
    made = to_arrow(nameless)
    return made.set_column(made.schema.get_field_index("image"), made.schema.field("image"), table["image"])


def to_hf(ds: PoseDataset) -> datasets.Dataset:
    """A `datasets.Dataset` on a mapped file in the cache; equal content has the same fingerprint, so `map` finds its own results again."""
    mark = fingerprint(ds)
    path = cache_folder() / "hf" / f"{mark}.arrow"
    table = _mapped(path)
    if table is None:
        made = to_arrow(ds)
        try:
            write_with(path, lambda file: _write_stream(file, made))
        except FormatError:
            pass  # a full or read-only disk costs the mapping and nothing else
        table = _mapped(path) or InMemoryTable(made)
    return datasets.Dataset(table, info=datasets.DatasetInfo(features=features(ds)), fingerprint=mark)


def fingerprint(ds: PoseDataset) -> str:
    """That of the content, and of which pictures are here."""
    return content_fingerprint(ds, _image_places(ds.images).is_valid().to_numpy(zero_copy_only=False))


def _mapped(path: Path) -> MemoryMappedTable | None:
    """The table in the cache; None when there is none that is whole."""
    try:
        return MemoryMappedTable.from_file(str(path))
    except (OSError, pa.ArrowException):
        return None


def _write_stream(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=ROWS)


def _write(paths: Iterable[Path], schema: pa.Schema, pieces: Iterable[pa.Table]) -> None:
    """The pieces as row groups of the first file; the next file is begun, where there is one, when a file is large."""
    files = iter(paths)
    writer, size = pq.ParquetWriter(next(files), schema, compression="zstd"), 0
    try:
        for piece in pieces:
            if size > SHARD_BYTES and (following := next(files, None)):
                writer.close()
                writer, size = pq.ParquetWriter(following, schema, compression="zstd"), 0
            writer.write_table(piece)
            size += piece.nbytes
    finally:
        writer.close()


def _paths(table: pa.Table) -> list[str | None]:
    return pc.struct_field(table["image"], "path").to_pylist()


def _require_files(ds: PoseDataset, table: pa.Table) -> None:
    """All images that cannot be had, before the first byte is written."""
    bad = [f if p is None else p for f, p in zip(ds.images.file.tolist(), _paths(table), strict=True) if p is None or not _readable(p)]
    if bad:
        raise FormatError(
            bad[0],
            f"{len(bad):,} of {len(table):,} images cannot be read: {first_few(bad, 3, ', ')}",
            "put them there, or leave their images out: ds.where(file=...)",
        )


def _readable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.R_OK) and Path(path).stat().st_size > 0


def _with_bytes(table: pa.Table) -> Iterator[pa.Table]:
    """The table piece by piece, images as bytes under their own names; never many of them at a time."""
    at, held, size = 0, [], 0
    paths = _paths(table)
    for row, path in enumerate(paths):
        held.append(_bytes_of(path or ""))
        size += len(held[-1])
        if size >= BATCH_BYTES or len(held) == ROWS or row == len(paths) - 1:
            piece = table.slice(at, len(held))
            image = pa.StructArray.from_arrays([pa.array(held, pa.binary()), piece["file_name"].combine_chunks()], ["bytes", "path"])
            yield piece.set_column(piece.schema.get_field_index("image"), piece.schema.field("image"), image)
            at, held, size = row + 1, [], 0


def _bytes_of(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise FormatError(path, f"cannot be read ({(e.strerror or str(e)).lower()})", "it was there a moment ago; write again") from None


def _image_columns(ds: PoseDataset) -> dict[str, pa.Array]:
    own = ds.images
    columns = {
        "image": _image_places(own), "image_id": _plain(own.id), "file_name": _plain(own.file), "width": _plain(own.width), "height": _plain(own.height),
        "folder": _plain(own.folder), **_meta_out(own, IMAGE_COLUMNS), **_rest_out(own.rest), "posebench": pa.array(np.zeros(len(own), np.int64)),
    }  # fmt: skip
    if ds.rest.listing is not None:
        columns["listed"] = _grouped(ds.rest.listing, len(own), pa.array(np.argsort(ds.rest.listing, kind="stable")))
    return columns


def _image_places(images: Images) -> pa.Array:
    """Path of each image, inside its folder; null when no folder is known, when the name leads out of it, or when there is no such file."""
    folder = _plain(images.folder).dictionary_encode()
    # absolute: the columns outlive the working directory
    places = pa.array([str(Path(f).absolute()) if f else None for f in folder.dictionary.to_pylist()], pa.string()).take(folder.indices)
    names = _plain(images.file)
    path = pc.if_else(pc.match_substring_regex(names, _OUTSIDE), pa.scalar(None, pa.string()), pc.binary_join_element_wise(places, names, "/"))
    here = pa.array([p is not None and Path(p).is_file() for p in path.to_pylist()], pa.bool_())
    return pa.StructArray.from_arrays([pa.nulls(len(images), pa.binary()), path], ["bytes", "path"], mask=pc.invert(here))


def _instance_lists(ds: PoseDataset) -> pa.Array:
    order = np.argsort(ds.instances.image, kind="stable")
    own = ds.instances.take(order) if (np.diff(order) < 0).any() else ds.instances
    columns = {
        "id": _plain(own.id), "category": _plain(own.category), "bbox": _boxes(own.bbox), "area": _plain(own.area),
        "iscrowd": _plain(own.crowd), "ignore": _plain(own.ignore), "num_keypoints": pa.array(own.recorded, mask=own.recorded == -1),
    }  # fmt: skip
    if len(ds.schema):
        columns |= {"keypoints": _fixed(own.keypoints), "annotated": _fixed(own.annotated)}
    columns |= {**_meta_out(own, INSTANCE_COLUMNS), "row": pa.array(order.astype(np.int64)), **_rest_out(own.rest)}
    return _grouped(ds.instances.image, len(ds.images), pa.StructArray.from_arrays(list(columns.values()), list(columns)))


def _grouped(owner: NDArray[np.int64], n: int, values: pa.Array) -> pa.Array:
    """Lists of the values that each of n rows owns; the values are sorted by owner."""
    ends = np.cumsum(np.bincount(owner, minlength=n))
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), values)


def _fixed(values: NDArray[Any]) -> pa.Array:
    """(N, a, b) as lists of a lists of b."""
    nested = pa.array(np.ascontiguousarray(values).reshape(-1))
    for size in values.shape[:0:-1]:
        nested = pa.FixedSizeListArray.from_arrays(nested, size)
    return nested


def _boxes(bbox: NDArray[np.float64]) -> pa.Array:
    """(N, 4) as lists of four, null where nothing is known."""
    known = ~np.isnan(bbox).all(1)
    ends = np.concatenate([[0], np.cumsum(known * 4)])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(bbox[known].reshape(-1)), mask=pa.array(~known))


def _plain(values: NDArray[Any]) -> pa.Array:
    """Text, or numbers with null for NaN."""
    return pa.array(values, pa.string()) if values.dtype == object else pa.array(values.astype(values.dtype.newbyteorder("="), copy=False), from_pandas=True)


def _meta_out(table: Table, reserved: tuple[str, ...]) -> dict[str, pa.Array]:
    return {column: _plain(table.meta[name]) for column, (name, _) in meta_columns(table, reserved).items()}


def _rest_out(rest: Rest) -> dict[str, pa.Array]:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(rest.offsets)), pa.py_buffer(np.ascontiguousarray(rest.text))]
    text = pa.Array.from_buffers(pa.large_binary(), len(rest), buffers)
    return {"rest": text.cast(pa.large_string()), "layout": pa.array(rest.layout)}  # the cast checks that it is UTF-8


# -- in ----------------------------------------------------------------------------------------------


def read_parquet(path: str | Path, schema: Schema | str | Path | None = None, images: str | Path | None = None) -> PoseDataset:
    """The dataset in a file, or in a folder of shards, that `to_parquet` or `Dataset.to_parquet` wrote. `schema`: as in `from_hf`.

    `images` is the folder its file names are in. Without it, pictures that travel inside the file are unpacked into the cache.
    """
    path = Path(path)
    files = sorted(f for f in path.rglob("*.parquet") if not _hidden(f.relative_to(path))) if path.is_dir() else [path]
    if not files:
        raise FormatError(str(path), "holds no .parquet files", "name the folder they are in")
    try:
        tables = [_without_image(pq.ParquetFile(f)) for f in files]
    except pa.ArrowException as e:
        raise FormatError(str(path), f"is no whole Parquet file ({brief(str(e), 100)})", "copy or export it again") from None
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "check the path") from None
    if any(t.schema != tables[0].schema or _said(t, path) != _said(tables[0], path) for t in tables):
        raise FormatError(str(path), "its files are of different datasets", "read them one by one and join them with posedata.concat")
    ds = from_arrow(pa.concat_tables(tables), str(path), schema)
    folder = images if images is not None else _unpacked(ds, files)
    return ds if folder is None else replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), str(folder), object)))


def _unpacked(ds: PoseDataset, files: list[Path]) -> Path | None:
    """The folder in the cache with the pictures embedded in these files; None when there are none."""
    if not any(_embeds(f) for f in files):
        return None
    stats = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns, f.stat().st_ctime_ns) for f in files]
    folder = cache_folder() / "pictures" / hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:32]
    return folder if folder.is_dir() else write_folder(folder, lambda into: _unpack(files, into))


def _embeds(file: Path) -> bool:
    """Whether the first picture of a file is inside it."""
    with pq.ParquetFile(file) as opened:
        if "image" not in opened.schema_arrow.names:
            return False
        first = next(opened.iter_batches(1, columns=["image"]), None)
    return first is not None and pc.struct_field(first["image"], "bytes").is_valid().to_pylist() == [True]


def _unpack(files: list[Path], into: Path) -> None:
    for file in files:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(64, columns=["image", "file_name"]):
                outside = pc.match_substring_regex(batch["file_name"], _OUTSIDE).to_pylist()
                for picture, name, stray in zip(batch["image"].to_pylist(), batch["file_name"].to_pylist(), outside, strict=True):
                    if picture and picture["bytes"] and not stray:
                        (into / name).parent.mkdir(parents=True, exist_ok=True)
                        (into / name).write_bytes(picture["bytes"])


def from_hf(hf: datasets.Dataset, schema: Schema | str | Path | None = None) -> PoseDataset:
    """The dataset in a `datasets.Dataset` of ours, also after filter, shuffle, select, or a way through Parquet and the Hub.

    One that is not ours needs `schema=` and a column `instances`, a list of records with `keypoints` (K lists of x, y, v). Read
    where they are there: `image_id`, `file_name`, `width`, `height`, and in the records `id`, `category`, `bbox` (x, y, w, h), `area`,
    `iscrowd`, `ignore`, `num_keypoints`. Other columns of numbers or text become meta; what is left out is named in `provenance`.
    """
    if isinstance(hf, dict):
        raise DataError("from_hf", f"several splits ({first_few(hf, between=', ')})", f"choose one: hf[{next(iter(hf), 'train')!r}]")
    if isinstance(hf, datasets.IterableDataset):
        raise DataError("from_hf", "a streamed dataset", "load it without streaming=True, or gather it with datasets.Dataset.from_list(list(hf), hf.features)")
    if not isinstance(hf, datasets.Dataset):
        raise DataError("from_hf", f"a {type(hf).__name__}", "give a datasets.Dataset")
    chosen = hf.select_columns([name for name in hf.column_names if name != "image"])
    table = chosen.with_format("arrow")[:]
    return from_arrow(table.replace_schema_metadata({**(hf.data.schema.metadata or {}), **chosen.features.arrow_schema.metadata}), "from_hf", schema)


def _hidden(path: Path) -> bool:
    """Half-written files lie in hidden folders."""
    return any(part.startswith(".") for part in path.parts)


def _without_image(file: pq.ParquetFile) -> pa.Table:
    with file:
        return file.read(columns=[name for name in file.schema_arrow.names if name != "image"])


def _said(table: pa.Table, path: Path) -> dict[str, Any] | None:
    return find_header(table.schema.metadata, str(path))
