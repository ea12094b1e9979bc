"""KeypointRCNN as torchvision published it, and any file of its names, as weights of ours: every tensor that fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

from posedata.errors import PoseError, SchemaError, brief
from posedata.schema import Schema
from posedata.schemas import load_schema

from ..recipes import Recipe
from .foreign import read_foreign
from .model import RCNN, build_rcnn

__all__ = ["our_name", "published"]

_WEIGHTS = KeypointRCNN_ResNet50_FPN_Weights.COCO_V1
_SCHEMA = "coco17"
"""The points of torchvision's weights, in their order."""


def our_name(theirs: str) -> str:
    """A name of torchvision's as ours: its backbone holds body and pyramid, ours are two."""
    for before, after in (("backbone.body.", "backbone.body.model."), ("backbone.fpn.", "fpn.")):
        if theirs.startswith(before):
            return after + theirs.removeprefix(before)
    return theirs


def published(recipe: Recipe, schema: Schema, file: Path | None = None) -> tuple[RCNN, dict[str, Any]]:
    """The model with torchvision's weights wherever they fit, be it a file of such or the ones it published, and what was copied.

    A backbone that is not its ResNet-50 has its own published weights; pyramid, proposals and heads still keep what fits.
    """
    from ..starting import filled

    if file is None and not recipe.pretrained:
        return build_rcnn(recipe, schema), {"init": "scratch: the recipe asks for no weights"}
    tensors = {our_name(name): value for name, value in read_foreign(file or _fetched()).items()}
    source = load_schema(_SCHEMA)
    known = tensors.get("roi_heads.keypoint_predictor.kps_score_lowres.bias")
    if known is not None and len(known) != len(source):
        raise SchemaError(str(file), f"{len(known)} points", f"only torchvision's {len(source)} are known by name; --init RUN takes weights of ours")
    theirs = recipe.backbone.startswith("resnet50")
    model = build_rcnn(recipe, schema, weights=file is None and not theirs)
    said = str(file) if file else "published weights of torchvision" if theirs else "published weights of the backbone and of torchvision's heads"
    return model, filled(model, _body(tensors, model, theirs or file is not None), source, schema, said, f"torchvision {_WEIGHTS}")


def _body(tensors: dict[str, Tensor], model: RCNN, whole: bool) -> dict[str, Tensor]:
    """The tensors, without those of a body that is not theirs: a ResNet-152 must not have the stem of a ResNet-50."""
    return {name: value for name, value in tensors.items() if whole or not name.startswith("backbone.")}


def _fetched() -> Path:
    """torchvision's file, downloaded once and known by the digest in its name."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / _WEIGHTS.url.rpartition("/")[2]
    if not path.exists():
        digest = path.stem.rpartition("-")[2]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(_WEIGHTS.url, str(path), digest, progress=False)
        except (URLError, OSError, RuntimeError) as e:
            cure = f"put the file at {path}, name it with --init FILE, or start without: --init scratch"
            raise PoseError(_WEIGHTS.url, f"cannot be had ({brief(str(e), 80)})", cure) from None
    return path
