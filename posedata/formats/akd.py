"""TechNumber's cat keypoints: one JSON of dictionaries, coordinates relative to the image, one cat on each."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..category import Category, Provenance
from ..dataset import PoseDataset
from ..errors import Fault, FormatError, brief, raise_faults
from ..schemas import AKD16
from ..tables import Images, Instances
from .rows import parse_object, read_bytes

__all__ = ["parse_akd", "read_akd"]

_LARGEST = 2**20
"""No image has so many pixels on a side, and no point is so many images away."""


def read_akd(path: str | Path, images: str | Path | None = None, *, name: str | None = None) -> PoseDataset:
    """A dataset from `keypoints_annotations.json`; `images` is the folder of its pictures, else `labeled` or `images` beside it."""
    path = Path(path)
    ds = parse_akd(read_bytes(path), where=str(path), name=name or path.parent.name)
    beside = [path.parent / folder for folder in ("labeled", "images")]
    folder = images if images is not None else next((f for f in beside if f.is_dir()), "")
    return replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), str(folder), object)))


def parse_akd(data: bytes, where: str = "data", name: str = "akd") -> PoseDataset:
    """A dataset from the text of that JSON. Its ids are the file's own keys.

    The authors' text says (y, x); the numbers are x, y, as their own code reads them. Their visibility is 1 for seen and 0 for
    hidden but located, which here are 2 and 1. There are no boxes and no areas; points outside the image stay where they are.
    """
    faults: list[Fault] = []
    top = parse_object(data, where)
    for key in ("images", "keypoints"):
        if key not in top:
            raise FormatError(where, f"no {key!r}", "TechNumber's file holds images and keypoints, keyed by the same numbers")
    images, points = (parse_object(top[key], where, f"$.{key}") for key in ("images", "keypoints"))
    alone = sorted(set(images) ^ set(points))
    faults += [Fault(f"$.{'images' if k in images else 'keypoints'}.{brief(k)}", "has no partner", "images and keypoints have the same keys") for k in alone]
    shared = [key for key in images if key in points]
    records = [_record(images[key], f"$.images.{brief(key)}", faults) for key in shared]
    sizes = np.array([(r[1], r[2]) for r in records], np.int64).reshape(-1, 2)
    keypoints = np.array([_pose(points[key], f"$.keypoints.{brief(key)}", faults) for key in shared], np.float64).reshape(-1, 16, 3)
    raise_faults(where, faults)
    table = Images(id=_ids(shared), file=np.array([*(r[0] for r in records), None], object)[:-1], width=sizes[:, 0], height=sizes[:, 1])
    instances = Instances(id=_ids(shared), image=np.arange(len(shared)), keypoints=_in_pixels(keypoints, sizes))
    category = Category(1, "cat", AKD16.names, AKD16.names)
    provenance = Provenance(((where, hashlib.sha256(data).hexdigest()),))
    return PoseDataset(name=name, schema=AKD16, categories=(category,), images=table, instances=instances, provenance=provenance)


def _in_pixels(relative: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of width and height count edges; keypoints count pixel centres, half a pixel less."""
    xy = relative[..., :2] * sizes[:, None] - 0.5
    return np.concatenate([xy, relative[..., 2:] + 1], -1)


def _decoded(raw: Any) -> Any:
    """The value; None where it is none of ours, such as 1e999."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _record(raw: Any, path: str, faults: list[Fault]) -> tuple[str, int, int]:
    value = _decoded(raw)
    good = (
        isinstance(value, dict)
        and type(value.get("file_name")) is str
        and all(type(value.get(k)) is int and 0 < value[k] < _LARGEST for k in ("width", "height"))
    )
    if not good:
        faults.append(Fault(path, brief(bytes(raw)), "an image has file_name, width and height"))
        return "", 1, 1
    return value["file_name"], value["width"], value["height"]


def _pose(raw: Any, path: str, faults: list[Fault]) -> list[list[float]]:
    value = _decoded(raw)
    if not isinstance(value, dict) or set(value) != set(AKD16.names):
        odd = sorted(set(value) ^ set(AKD16.names))[0] if isinstance(value, dict) else bytes(raw)
        faults.append(Fault(path, f"keypoints other than the sixteen ({brief(odd)})", "every cat has all sixteen, by name"))
        return [[0, 0, 0]] * 16
    for name, point in value.items():
        if not isinstance(point, list) or len(point) != 3 or any(type(c) not in (int, float) or abs(c) > _LARGEST for c in point) or point[2] not in (0, 1):
            faults.append(Fault(f"{path}.{name}", brief(msgspec.json.encode(point)), "a point is x, y, visible (0 or 1)"))
            value[name] = [0, 0, 0]
    return [value[name] for name in AKD16.names]


def _ids(keys: list[str]) -> NDArray[Any]:
    """Numbers when all keys are plain numbers, else the text they are."""
    plain = all(k.isascii() and k.isdigit() and (k == "0" or k[0] != "0") and len(k) < 19 for k in keys)
    return np.array(keys, np.int64) if plain else np.array([*keys, None], object)[:-1]
