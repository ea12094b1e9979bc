"""CMU's foot files: almost COCO. What is wrong in their structure is mended by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw

from ..dataset import PoseDataset
from ..rest import Rest
from .coco import parse_coco
from .rows import parse_object, read_bytes

__all__ = ["read_cmu"]


def read_cmu(path: Path, images: Path | None = None, *, fixes: bool = True) -> PoseDataset:
    """A dataset of six or 23 points from one of CMU's files; without fixes, the file as it was published."""
    data, fixed = read_bytes(path), []
    if fixes:
        data, listed = _listed_categories(data, str(path))
        fixed = [f"dict-categories ({listed})"] if listed else []
    ds = parse_coco(data, where=str(path))
    if fixes:
        ds, wrapped = _wrapped_polygons(ds)
        fixed += [f"flat-polygons ({wrapped:,})"] if wrapped else []
    folder = np.full(len(ds.images), "" if images is None else str(images), object)
    return replace(ds, images=replace(ds.images, folder=folder), provenance=replace(ds.provenance, fixes=tuple(fixed)))


def _listed_categories(data: bytes, where: str) -> tuple[bytes, int]:
    """`categories` as the list it should be, where it is one object."""
    top = parse_object(data, where)
    raw = bytes(top.get("categories", b"[]")).lstrip()
    if raw[:1] != b"{":
        return data, 0
    return msgspec.json.encode({**top, "categories": Raw(b"[" + raw + b"]")}), 1


def _wrapped_polygons(ds: PoseDataset) -> tuple[PoseDataset, int]:
    """Flat lists of numbers as lists of one polygon."""
    texts, wrapped = [], 0
    for text in ds.instances.rest.rows():
        kept = msgspec.json.decode(text, type=dict[str, Raw]) if text else {}
        flat = bytes(kept.get("segmentation", b"")).replace(b" ", b"")
        if flat[:1] == b"[" and flat[1:2] not in (b"[", b"]"):
            kept["segmentation"] = Raw(b"[" + bytes(kept["segmentation"]) + b"]")
            text, wrapped = msgspec.json.encode(kept), wrapped + 1
        texts.append(text)
    own = ds.instances.rest
    rest = Rest.of([own.keys(i) for i in range(len(own))], texts)
    return replace(ds, instances=replace(ds.instances, rest=rest)), wrapped
