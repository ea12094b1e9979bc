"""Small recipes and backbones for tests of models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from baselines.models import PoseModel, build
from posedata import Schema, load_schema


@dataclass(frozen=True)
class Small:
    """A recipe's fields that a model reads."""

    backbone: str = "tests.modelled:three_layers"
    pretrained: bool = False
    head: str = "fpn"
    head_channels: int = 16
    head_layers: int = 3
    head_kernel: int = 4
    presence: bool = True
    drop_path: float = 0.0
    width: int = 64
    height: int = 96
    sigma: float = 2.0
    hidden: str = "same"
    decode: str = "dark"
    seed: int = 0


def small(schema: str | Schema = "coco17", **changes: Any) -> PoseModel:
    """A model of a small recipe with changes."""
    return build(replace(Small(), **changes), load_schema(schema) if isinstance(schema, str) else schema)


class ThreeLayers(nn.Module):
    """Maps at strides 4 and 8, and a classifier that no map needs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.ReLU())
        self.fine = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.classifier = nn.Linear(32, 10)
        self.coarse = nn.Sequential(nn.Conv2d(16, 32, 2, 2), nn.ReLU())

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.fine(self.stem(images))
        return [fine, self.coarse(fine)]


def three_layers() -> nn.Module:
    return ThreeLayers()


def no_module() -> list[int]:
    return [1]


def no_maps() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))


def noise(model: PoseModel, n: int = 2, seed: int = 0) -> Tensor:
    """(n, 3, height, width) from 0 to 255."""
    width, height = model.size
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 255
