"""Anybody's COCO keypoint file: load_dataset("coco_json", path=..., images=..., schema=...)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..dataset import PoseDataset
from ..entries import Entry, Found, Part
from ..formats.coco import read_coco


def read(found: Found, *, path: str | Path, images: str | Path | None = None, schema: Any = None, meta: tuple[str, ...] = ()) -> PoseDataset:
    return read_coco(path, images, schema, meta=meta)


ENTRY = Entry(
    title="A COCO keypoint file of your own",
    schema="by the names in the file",
    protocol="coco",
    splits={"default": {"all": Part(())}},
    read=read,
    licence="yours",
    notes=("Options: path, images (folder), schema (name or file) where the file names no keypoints, meta (keys to hold as columns).",),
)
