"""RCNN: a backbone, a pyramid, proposals, boxes and the points in them; torchvision's parts under torchvision's names.

model = build_rcnn(recipe, schema)
features = model.features(images)                  # (N, 3, height, width) RGB, 0 to 255
boxes, scores = model.detect(features)[0]          # of the first picture, in pixels of the input, edges
maps, presence = model.look(features, [boxes])     # logits (n, K, 56, 56) over the box, and whether each point is there
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from posedata.errors import PoseError, SchemaError
from posedata.schema import Schema

from ..backbones import Backbone, load_backbone
from ..heads import Presence
from ..recipes import Recipe
from .regions import Proposals, Regions

__all__ = ["RCNN", "Features", "Found", "build_rcnn"]

CELLS = 56
"""Across and down the map of a point, over its box: 14 from the pooling, twice from the predictor, twice from bilinear growth."""
_RATIOS = (0.5, 1.0, 2.0)


class Features(NamedTuple):
    """What a network made of N pictures."""

    maps: OrderedDict[str, Tensor]
    images: ImageList

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each picture."""
        return self.images.image_sizes


class Found(NamedTuple):
    """Boxes of one picture, best first."""

    boxes: Tensor
    """(n, 4) x0, y0, x1, y1 of edges, in pixels of the input."""
    scores: Tensor


class Line(nn.Module):  # type: ignore[misc]
    """A slope and an intercept that make logits probabilities; found on val, kept with the weights."""

    line: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("line", torch.tensor([1.0, 0.0]))

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.line[0] + self.line[1]


class RCNN(nn.Module):  # type: ignore[misc]
    """Pictures in; normalising is inside, so that training and prediction agree."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: Backbone, fpn: nn.Module, rpn: Proposals, roi_heads: Regions, presence: Presence | None, *, schema: Schema, recipe: Recipe
    ) -> None:
        super().__init__()
        self.backbone, self.fpn, self.rpn, self.roi_heads, self.presence = backbone, fpn, rpn, roi_heads, presence
        self.peak = Line()
        self.schema, self.size = schema, recipe.size
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(backbone, name)).view(1, 3, 1, 1) * 255, persistent=False)

    def features(self, images: Tensor) -> Features:
        """The pyramid of pictures that all have one size; what lies beyond a picture in it is black."""
        maps = self.backbone((images.to(self.mean.dtype) - self.mean) / self.std)
        pyramid = self.fpn(OrderedDict((str(i), one) for i, one in enumerate(maps)))
        return Features(pyramid, ImageList(images, [tuple(images.shape[-2:])] * len(images)))

    def detect(self, features: Features) -> list[Found]:
        """The boxes of each picture and how sure the network is of them."""
        proposals, _ = self.rpn(features.images, features.maps)
        return [Found(*one) for one in self.roi_heads.boxes(features.maps, proposals, features.shapes)]

    def look(self, features: Features, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """(n, K, 56, 56) logits over each box of all pictures, one after another, and (n, K) of presence."""
        seen = self.roi_heads.keypoint_features(features.maps, boxes, features.shapes)
        return self.roi_heads.keypoint_predictor(seen), None if self.presence is None else self.presence(seen)

    def forward(self, images: Tensor, truths: object = None) -> object:
        """With truths what they are learned by, part by part (so that processes share gradients); else boxes and what lies in them."""
        features = self.features(images)
        if truths is not None:
            from .losses import losses_of

            return losses_of(self, features, truths)
        found = self.detect(features)
        return found, self.look(features, [one.boxes for one in found])


@contextmanager
def learning(model: RCNN) -> Iterator[None]:
    """Proposals and regions sample and match as in training, while norms and dropout stay as they are: for the loss of val."""
    parts: tuple[nn.Module, ...] = (model.rpn, model.roi_heads)
    before = [part.training for part in parts]
    for part in parts:
        part.training = True
    try:
        yield
    finally:
        for part, was in zip(parts, before, strict=True):
            part.training = was


def build_rcnn(recipe: Recipe, schema: Schema, weights: bool = True) -> RCNN:
    """The model of a recipe for the points of a schema; fresh parts come from recipe.seed alone."""
    if not len(schema):
        raise SchemaError(schema.name, "no keypoints", "a model needs at least one")
    if recipe.hidden == "negative":
        raise PoseError("recipe", "hidden 'negative' with head 'rcnn'", "a distribution over a box has no sign: take hidden 'same' or 'ignore'")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        backbone = load_backbone(recipe.backbone, recipe.size, weights=weights and recipe.pretrained, drop_path=recipe.drop_path, all_maps=True)
        _fits(recipe, backbone)
        if recipe.norm == "frozen":
            backbone = freeze_batch_norm_2d(backbone)
        width = recipe.head_channels
        fpn = FeaturePyramidNetwork(backbone.channels, width, extra_blocks=LastLevelMaxPool())
        names = [str(i) for i in range(len(backbone.strides))]
        rois = _regions(recipe, names, len(schema))
        presence = Presence(2 * width, len(schema)) if recipe.presence else None
        return RCNN(backbone, fpn, _proposals(recipe), rois, presence, schema=schema, recipe=recipe)


def _fits(recipe: Recipe, backbone: Backbone) -> None:
    levels = len(backbone.strides) + 1
    if levels < 3:
        raise PoseError(
            recipe.name, f"{recipe.backbone} has one map of stride {backbone.strides[0]}", "a pyramid needs several: take a convolutional backbone, or Swin"
        )
    if len(recipe.anchors) != levels:
        raise PoseError(
            f"{recipe.name}: anchors", f"{len(recipe.anchors)} sizes for {levels} levels of the pyramid", "one for each level, in pixels of the input"
        )


def _proposals(recipe: Recipe) -> Proposals:
    anchors = AnchorGenerator(tuple((side,) for side in recipe.anchors), (_RATIOS,) * len(recipe.anchors))
    many = {"training": 2 * recipe.proposals, "testing": recipe.proposals}
    return Proposals(anchors, RPNHead(recipe.head_channels, len(_RATIOS)), 0.7, 0.3, 256, 0.5, many, many, 0.7)


def _regions(recipe: Recipe, names: list[str], k: int) -> Regions:
    """Widths grow with the pyramid's: at its 256 they are torchvision's, 1024 for boxes and 512 for points."""
    width = recipe.head_channels
    return Regions(
        MultiScaleRoIAlign(names, 7, 2), TwoMLPHead(width * 49, 4 * width), FastRCNNPredictor(4 * width, 2),
        0.5, 0.5, recipe.rois, 0.25, None, recipe.box_score, recipe.box_nms, recipe.detections,
        keypoint_roi_pool=MultiScaleRoIAlign(names, 14, 2), keypoint_head=KeypointRCNNHeads(width, (2 * width,) * recipe.head_layers),
        keypoint_predictor=KeypointRCNNPredictor(2 * width, k),
    )  # fmt: skip
