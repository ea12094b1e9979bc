"""Animal-Pose: dogs, cats, sheep, horses and cows, 20 points, in a JSON of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np

from ..category import Category, Provenance
from ..dataset import PoseDataset
from ..entries import Entry, Found, KnownFault, Part, Source
from ..errors import FormatError, brief
from ..formats.rows import read_bytes
from ..schemas import ANIMALPOSE20
from ..tables import Images, Instances


def read(found: Found) -> PoseDataset:
    """keypoints.json: images {id: file}, annotations without ids whose boxes are corners, v 0 or 1."""
    where, raw = str(found.files[0]), read_bytes(found.files[0])
    try:
        data = msgspec.json.decode(raw)
        files, notes, kinds = data["images"], data["annotations"], data["categories"]
        ids = {str(i): row for row, i in enumerate(files)}
        kind = {c["id"]: row for row, c in enumerate(kinds)}
        corners = np.array([n["bbox"] for n in notes], float).reshape(-1, 4)
        keypoints = np.array([n["keypoints"] for n in notes], float).reshape(len(notes), 20, 3)
        image = [ids[str(n["image_id"])] for n in notes]
        category = [kind[n["category_id"]] for n in notes]
        names = [[str(c["name"]), c["keypoints"]] for c in kinds]
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as e:
        raise FormatError(where, f"not Animal-Pose's keypoints.json ({brief(str(e), 60)})", "it holds images, annotations and categories") from None
    _refuse_other_names(names, where)
    keypoints[..., 2] *= 2  # 1 says seen
    folder = np.full(len(files), str(found.images or ""), object)
    return PoseDataset(
        name="animalpose",
        schema=ANIMALPOSE20,
        categories=tuple(Category(c["id"], c["name"], ANIMALPOSE20.names, tuple(c["keypoints"])) for c in kinds),
        images=Images(id=np.array([int(i) for i in files], np.int64), file=np.array([*files.values(), None], object)[:-1], folder=folder),
        instances=Instances(image=np.array(image, np.int64), category=np.array(category, np.int64), keypoints=keypoints, bbox=_from_corners(corners)),
        provenance=Provenance(((where, hashlib.sha256(raw).hexdigest()),)),
    )


def _from_corners(boxes: Any) -> Any:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def _refuse_other_names(names: list[list[Any]], where: str) -> None:
    for kind, points in names:
        if tuple(points) != ANIMALPOSE20.names:
            raise FormatError(
                where, f"category {kind!r} names other points", "is it the official keypoints.json? mmpose's copy has another order: load it as coco_json"
            )


ENTRY = Entry(
    title="Animal-Pose",
    schema="animalpose20",
    protocol="ap10k",
    folders=("animalpose", "animal-pose", "animal_pose_dataset"),
    splits={"default": {"all": Part((("keypoints.json",),), ("images",))}},
    read=read,
    sources=(
        Source(
            "keypoints.json and images",
            page="https://drive.google.com/drive/folders/1xxm6ZjfsDSmv6C9JvbgiGrmHktrUjV5x",
            how="put keypoints.json (md5 d5ece3243aeed5ee3b1b8145016ef5cd) and images/ into data/animalpose/",
        ),
    ),
    licence="none stated",
    citation="Cao et al., Cross-Domain Adaptation for Animal Pose Estimation, ICCV 2019",
    homepage="https://github.com/noahcao/animal-pose-dataset",
    sigmas="borrowed from COCO, as openpifpaf's plugin does; mmpose's list differs",
    faults=(
        KnownFault("corner-boxes", "bbox is x1, y1, x2, y2; read as x, y, width, height.", how="read"),
        KnownFault("always-twenty", "num_keypoints is always 20; it is not kept."),
        KnownFault("located-but-unlabelled", "299 points have v = 0 with coordinates; they stay unlabelled, their place is kept."),
        KnownFault("no-split", "there is no official split: split it yourself, by image, for 58 images show two species."),
    ),
)
