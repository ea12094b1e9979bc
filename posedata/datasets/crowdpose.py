"""CrowdPose: people in crowds, 14 points, images ranked by how crowded they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..dataset import PoseDataset
from ..download.remote import drive
from ..entries import Entry, Found, KnownFault, Part, Source
from ..errors import PoseError
from ..formats.coco import read_coco
from ..schemas import CROWDPOSE14


def read(found: Found) -> PoseDataset:
    return read_coco(found.files[0], found.images, CROWDPOSE14)


def with_true_sizes(ds: PoseDataset) -> tuple[PoseDataset, int]:
    """Width and height exchanged where the picture itself proves it (train and test before 2021-03-29)."""
    sample = np.linspace(0, len(ds.images) - 1, min(64, len(ds.images))).astype(int)
    if not any(_is_turned(ds, row) for row in (*_fits_only_turned(ds).tolist(), *sample.tolist())):
        return ds, 0
    turned = np.array([_is_turned(ds, row) for row in range(len(ds.images))])
    width, height = np.where(turned, ds.images.height, ds.images.width), np.where(turned, ds.images.width, ds.images.height)
    return replace(ds, images=replace(ds.images, width=width, height=height)), int(turned.sum())


def _fits_only_turned(ds: PoseDataset) -> np.ndarray:
    """Images with a box beyond the recorded frame that lies inside it once turned."""
    ends = np.nan_to_num(ds.instances.bbox[:, :2] + ds.instances.bbox[:, 2:])
    size = np.stack([ds.images.width, ds.images.height], 1)[ds.instances.image]
    beyond, inside = (ends > size + 1).any(1), (ends <= size[:, ::-1] + 1).all(1)
    return np.unique(ds.instances.image[beyond & inside])


def _is_turned(ds: PoseDataset, row: int) -> bool:
    from ..images import image_size

    try:
        width, height = image_size(ds.images, row)
    except PoseError:
        return False  # no picture, no proof
    return width != height and (width, height) == (ds.images.height[row], ds.images.width[row])


def _part(split: str) -> Part:
    names = (f"annotations/crowdpose_{split}.json", f"json/crowdpose_{split}.json", f"annotations/mmpose_crowdpose_{split}.json", f"crowdpose_{split}.json")
    return Part((names,), ("images",))


def _annotations(split: str, drive_id: str) -> Source:
    return Source(f"crowdpose_{split}.json", remote=drive(drive_id, f"crowdpose_{split}.json"), into="crowdpose/annotations")


ENTRY = Entry(
    title="CrowdPose",
    schema="crowdpose14",
    protocol="crowdpose",
    folders=("crowdpose", "CrowdPose", "data-crowdpose", "crowd_pose"),
    splits={"default": {split: _part(split) for split in ("train", "val", "trainval", "test")}},
    read=read,
    sources=(
        _annotations("train", "1b3APtKpc43dx_5FxizbS-EWGvd-zl7Lb"),
        _annotations("val", "18-IwNa6TOGQPE0RqGNjNY1cJOfNC7MXj"),
        _annotations("trainval", "13xScmTWqO6Y6m_CjiQ-23ptgX9sC-J9I"),
        _annotations("test", "1FUzRj-dPbL1OyBwcIX2BgFPEaY5Yrz7S"),
        Source(
            "images.zip",
            remote=drive("1VprytECcLtU4tKP32SYi_7oDRbw7yUTL", "images.zip"),
            how="unpack it into data/crowdpose/, which gives data/crowdpose/images/",
            into="crowdpose",
        ),
    ),
    counts={"default/val": (2000, 8527)},
    licence="none stated; the pictures are under the terms of COCO, MPII and AI Challenger",
    citation="Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation and a New Benchmark, CVPR 2019",
    homepage="https://github.com/Jeff-sjtu/CrowdPose",
    sigmas="COCO's for the body, .079 for head and neck (crowdpose-api)",
    faults=(
        KnownFault("swapped-size", "old copies of train and test have width and height exchanged (issue #12, mended 2021-03-29).", with_true_sizes),
        KnownFault(
            "num-keypoints-of-twelve",
            "num_keypoints counts the first 12 points, without head and neck; evaluation ignores whoever has 0. It is kept as `recorded`.",
        ),
        KnownFault("head-and-neck-hidden", "head and neck are never v = 2: ask for v > 0, not for v == 2."),
        KnownFault("crowd-index-above-one", "crowdIndex reaches 3.02, and cannot be recomputed from the annotations."),
        KnownFault("skeleton-of-coco", "the skeleton in the files is COCO's and points at joints that are not there; the schema has its own."),
        KnownFault("no-area", "the files have no area; the official evaluation takes .53 of the box."),
        KnownFault("points-outside", "some points lie outside their image or box; they are kept."),
    ),
    notes=(
        "Images come from COCO, MPII and AI Challenger: at least 181 images of train and val are in COCO val (ViTPose issue #24).",
        "crowdpose_val.json as in the repository: 2,746,206 bytes, md5 6a11a688d0cfe96190cbba4ab84792d6.",
    ),
)
