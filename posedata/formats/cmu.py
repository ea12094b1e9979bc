"""CMU's foot files: almost COCO. What is wrong in their structure is mended by name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw

from ..dataset import PoseDataset
from ..errors import FormatError
from ..rest import Rest
from .coco import parse_coco
from .rows import parse_object, read_bytes

__all__ = ["read_cmu"]


_FLOAT_ID = re.compile(rb'"id"\s*:\s*\d+(?:\.\d+)?[eE][+]?\d+')


def read_cmu(path: Path, images: Path | None = None, *, fixes: bool = True) -> PoseDataset:
    """A dataset of six or 23 points from one of CMU's files; without fixes, the file as it was published."""
    data, fixed = read_bytes(path), []
    if fixes:
        data, listed = _listed_categories(data, str(path))
        fixed = [f"dict-categories ({listed})"] if listed else []
    try:
        ds = parse_coco(data, where=str(path))
    except FormatError as e:
        raise (
            e if fixes else FormatError(e.where, e.seen, "with fixes=True it is read as the list it should be" if "categories" in e.where else e.cure)
        ) from None
    if fixes:
        ds, wrapped = _wrapped_polygons(ds)
        floats = len(_FLOAT_ID.findall(data))
        fixed += [f"{name} ({count:,})" for name, count in (("flat-polygons", wrapped), ("float-ids", floats)) if count]
    folder = np.full(len(ds.images), "" if images is None else str(images), object)
    return replace(ds, images=replace(ds.images, folder=folder), provenance=replace(ds.provenance, fixes=tuple(fixed)))


def _listed_categories(data: bytes, where: str) -> tuple[bytes, int]:
    """`categories` as the list it should be, where it is one object."""
    top = parse_object(data, where)
    raw = bytes(top.get("categories", b"[]")).lstrip()
    if raw[:1] != b"{":
        return data, 0
    return msgspec.json.encode({**top, "categories": Raw(b"[" + raw + b"]")}), 1


def _is_flat(segmentation: Raw | None) -> bool:
    """A list of numbers where a list of such lists belongs."""
    value = None if segmentation is None else msgspec.json.decode(segmentation)
    return isinstance(value, list) and bool(value) and not isinstance(value[0], list)


def _wrapped_polygons(ds: PoseDataset) -> tuple[PoseDataset, int]:
    """Flat lists of numbers as lists of one polygon."""
    texts, wrapped = [], 0
    for text in ds.instances.rest.rows():
        kept = msgspec.json.decode(text, type=dict[str, Raw]) if text else {}
        if _is_flat(kept.get("segmentation")):
            kept["segmentation"] = Raw(b"[" + bytes(kept["segmentation"]) + b"]")
            text, wrapped = msgspec.json.encode(kept), wrapped + 1
        texts.append(text)
    own = ds.instances.rest
    rest = Rest.of([own.keys(i) for i in range(len(own))], texts)
    return replace(ds, instances=replace(ds.instances, rest=rest)), wrapped
