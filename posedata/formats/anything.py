"""One door for every source: a file is known by its ending and its content, a built-in set by its name."""

from __future__ import annotations

from pathlib import Path

from ..dataset import PoseDataset
from ..errors import FormatError, PoseError
from ..schema import Schema
from .rows import parse_object, read_bytes

__all__ = ["read"]


def read(source: str | Path, images: str | Path | None = None, schema: Schema | str | Path | None = None) -> PoseDataset:
    """A dataset from a COCO or TechNumber JSON file, a Parquet file or folder, or `synthetic[/CONFIG[/SPLIT]]`."""
    path, parts = Path(source), str(source).split("/")
    there = _exists(path)
    if parts[0] == "synthetic" and not there:
        from ..synthetic.build import synthesize

        if len(parts) > 3:
            raise PoseError(str(source), "too many parts", "synthetic[/CONFIG[/SPLIT]], for instance synthetic/person/val")
        return synthesize(*parts[1:3])  # type: ignore[arg-type]  # at most two texts
    if path.suffix == ".parquet" or (there and _holds_parquet(path)):
        from .arrow import read_parquet

        return read_parquet(path)
    if not there and not path.suffix:
        raise FormatError(str(source), "neither a file nor a set that is known", "name a .json or .parquet file, or synthetic")
    if _is_akd(path):
        from .akd import read_akd

        return read_akd(path, images)
    from .coco import read_coco

    return read_coco(path, images, schema)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _holds_parquet(path: Path) -> bool:
    return path.is_dir() and any(path.rglob("*.parquet"))


def _is_akd(path: Path) -> bool:
    """TechNumber's file keys both its tables by number; COCO's are lists."""
    try:
        small = path.stat().st_size < 1 << 26
    except (OSError, ValueError):
        return False
    if not small or not path.is_file():
        return False
    data = read_bytes(path)
    if data.lstrip()[:1] != b"{" or b'"keypoints"' not in data:
        return False
    top = parse_object(data, str(path))
    return all(key in top and bytes(top[key]).lstrip()[:1] == b"{" for key in ("images", "keypoints"))
