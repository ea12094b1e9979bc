"""One door for every source: a file is known by its ending and its content, a dataset by its name."""

from __future__ import annotations

from pathlib import Path

from ..dataset import PoseDataset
from ..errors import FormatError, PoseError, did_you_mean
from ..schema import Schema
from ..schemas import load_schema

__all__ = ["read"]


def read(source: str | Path, images: str | Path | None = None, schema: Schema | str | Path | None = None, root: str | Path | None = None) -> PoseDataset:
    """A dataset from a COCO or TechNumber JSON file, a Parquet file or folder, or by its name: NAME[/CONFIG[/SPLIT]]."""
    path = Path(source)
    there = _exists(path)
    holds = there and _holds_parquet(path)
    if (not there and path.suffix not in (".json", ".parquet")) or (there and path.is_dir() and not holds and _is_name(str(source))):
        return _by_name(str(source), root)
    if path.suffix == ".parquet" or holds:
        from .arrow import read_parquet

        return read_parquet(path, schema, images)
    if _is_akd(path):
        from .akd import read_akd

        return _of_schema(read_akd(path, images), schema)
    from .coco import read_coco

    return read_coco(path, images, schema)


def _by_name(source: str, root: str | Path | None) -> PoseDataset:
    from ..catalog import entry, list_datasets, load_split  # its readers are formats themselves

    name, *rest = source.split("/")
    if name not in list_datasets():
        raise FormatError(source, "neither a file nor a dataset we know", did_you_mean(name, list_datasets()))
    known = entry(name)
    first = next(iter(known.splits))
    if len(rest) > 2:
        raise PoseError(source, "too many parts", "NAME[/CONFIG[/SPLIT]], for instance synthetic/person/val")
    if len(rest) == 1 and rest[0] not in known.splits and rest[0].split("[")[0] not in known.splits[first]:
        cure = known.missing.get(rest[0]) or did_you_mean(rest[0], [*known.splits, *known.splits[first]])
        raise PoseError(source, f"no configuration or split {rest[0]!r}", cure)
    config = rest[0] if rest and rest[0] in known.splits else first
    split = rest[-1] if rest and rest[-1] != config else next(iter(known.splits[config]))
    return load_split(name, rest[0] if len(rest) == 2 else config, split, root)


def _is_name(source: str) -> bool:
    from ..catalog import list_datasets

    return source.split("/")[0] in list_datasets()


def _of_schema(ds: PoseDataset, schema: Schema | str | Path | None) -> PoseDataset:
    if schema is not None and not load_schema(schema).same_points(ds.schema):
        raise FormatError(
            ds.name,
            f"holds points of {ds.schema.name!r}, you say {load_schema(schema).name!r}",
            "leave schema out; bring it to another one afterwards: as_schema",
        )
    return ds


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _holds_parquet(path: Path) -> bool:
    return path.is_dir() and any(path.rglob("*.parquet"))


def _is_akd(path: Path) -> bool:
    """TechNumber's file keys both its tables by number; COCO's are lists."""
    from .rows import parse_object, read_bytes  # not at the top: it brings msgspec, which a dataset by its name may not need

    try:
        small = path.is_file() and path.stat().st_size < 1 << 26
    except (OSError, ValueError):
        return False
    data = read_bytes(path) if small else b""
    if data.lstrip()[:1] != b"{" or b'"keypoints"' not in data:
        return False
    top = parse_object(data, str(path))
    return all(key in top and bytes(top[key]).lstrip()[:1] == b"{" for key in ("images", "keypoints"))
