"""PoseModel: a backbone, a head, and all that a caller must know of its numbers.

model = build(recipe, schema)                # recipe: baselines.RECIPES["synthetic-..."]
output = model(images)                       # (N, 3, height, width) RGB, 0 to 255, of any dtype
points = model.decode(output)                # (N, K, 3): x, y in input pixels, and the height of the peak
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from posedata.errors import PoseError
from posedata.schema import Schema

from .backbones import Backbone, load_backbone
from .codec import Coding
from .heads import JOINING, Presence, known_head, make_head

__all__ = ["Output", "PoseModel", "RecipeLike", "build", "predict_flipped"]


class RecipeLike(Protocol):
    """What a model reads of a recipe; it also reads head_channels, head_layers, head_kernel, head_stride where the head has such."""

    @property
    def backbone(self) -> str: ...
    @property
    def pretrained(self) -> bool: ...
    @property
    def head(self) -> str: ...
    @property
    def presence(self) -> bool: ...
    @property
    def drop_path(self) -> float: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def sigma(self) -> float: ...
    @property
    def hidden(self) -> str: ...
    @property
    def decode(self) -> str: ...
    @property
    def seed(self) -> int: ...


class Output(NamedTuple):
    """What a model says of N crops."""

    maps: tuple[Tensor, ...]
    """One tensor of heatmaps (N, K, rows, columns); or the logits of SimCC, x (N, K, bins) and y (N, K, bins)."""
    presence: Tensor | None
    """(N, K) logits of the keypoint being there, or None for a model without that head."""


class PoseModel(nn.Module):  # type: ignore[misc]
    """Images in, Output out; normalising is inside, so that training, prediction and exports agree."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, head: nn.Module, presence: Presence | None, *, schema: Schema, coding: Coding) -> None:
        super().__init__()
        self.backbone, self.head, self.presence = backbone, head, presence
        self.schema, self.coding = schema, coding
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(backbone, name)).view(1, 3, 1, 1) * 255, persistent=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input, pixels."""
        return self.coding.size

    @property
    def stride(self) -> float:
        """Input pixels for one cell of a heatmap, or one bin."""
        return self.coding.stride

    def forward(self, images: Tensor) -> Output:
        maps = self.backbone((images.to(self.mean.dtype) - self.mean) / self.std)
        logits = None if self.presence is None else self.presence(maps[self.backbone.best])
        return Output(self.head(maps), logits)

    def decode(self, output: Output) -> Tensor:
        """(N, K, 3): x, y in input pixels, and the height of the peak."""
        return self.coding.decode(*output.maps)


def build(recipe: RecipeLike, schema: Schema, weights: bool = True) -> PoseModel:
    """The model of a recipe for the points of a schema; fresh parts come from recipe.seed alone.

    weights: False leaves the published weights out, for a caller who is about to load others.
    """
    if recipe.head == "rcnn":
        from .rcnn.model import build_rcnn

        return build_rcnn(recipe, schema, weights)  # type: ignore[arg-type]  # a whole Recipe has more settings than a model of crops reads
    size = (recipe.width, recipe.height)
    if min(size) < 1 or not len(schema):
        raise PoseError("recipe", f"input {size[0]} x {size[1]}, {len(schema)} keypoints", "both need at least one")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        backbone = load_backbone(
            recipe.backbone, size, weights=weights and recipe.pretrained, drop_path=recipe.drop_path, all_maps=known_head(recipe) in JOINING
        )
        head = make_head(backbone, len(schema), recipe)
        presence = Presence(backbone.channels[backbone.best], len(schema)) if recipe.presence else None
    coding = Coding(size=size, stride=head.stride, sigma=recipe.sigma, decode_by=recipe.decode, hidden=recipe.hidden, simcc=recipe.head == "simcc")
    return PoseModel(backbone, head, presence, schema=schema, coding=coding)


def predict_flipped(model: PoseModel, images: Tensor) -> Output:
    """The mean of what the model says of the images and of their mirror images, in one forward; exact on the half pixel."""
    mirror: Sequence[int] = model.schema.mirror.tolist()
    both = model(torch.cat([images, images.flip(-1)]))
    halves = [one.chunk(2) for one in both.maps]
    maps = model.coding.merge([a for a, _ in halves], [b for _, b in halves], mirror)
    if both.presence is None:
        return Output(maps, None)
    straight, turned = both.presence.chunk(2)
    return Output(maps, (straight + turned[:, mirror]) / 2)
