"""Heads: from a backbone's maps to one heatmap (or two distributions) per keypoint, and to whether the keypoint is there at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from posedata.errors import PoseError, did_you_mean

from .backbones import FINEST, Backbone

__all__ = ["HEADS", "JOINING", "SPLIT", "Bilinear", "Deconvolutions", "Pyramid", "Presence", "SimCC", "make_head"]

SPLIT = 2
"""Bins of SimCC for one input pixel."""


class Bilinear(nn.Module):  # type: ignore[misc]
    """ViTPose's simple head: the map made larger between its cells, then one 3 x 3 convolution; 1 x 1 where it is fine enough, as on HRNet."""

    def __init__(self, channels: int, stride: int, k: int) -> None:
        super().__init__()
        self.factor = 2 ** max(0, round(math.log2(stride / FINEST)))
        self.stride = stride / self.factor
        self.out = nn.Conv2d(channels, k, 3 if self.factor > 1 else 1, padding="same")

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        (x,) = maps
        if self.factor > 1:
            x = functional.relu(functional.interpolate(x, scale_factor=float(self.factor), mode="bilinear", align_corners=False))
        return (self.out(x),)


class Deconvolutions(nn.Module):  # type: ignore[misc]
    """SimpleBaseline's head: transposed convolutions, each followed by batch norm, then one 1 x 1 convolution."""

    def __init__(self, channels: int, stride: int, k: int, *, layers: int = 3, width: int = 256, kernel: int = 4, step: int = 2) -> None:
        super().__init__()
        if layers < 0 or width < 1 or step < 1 or kernel < step:
            raise PoseError(
                "head",
                f"{layers} deconvolutions of {width} channels, kernel {kernel}, stride {step}",
                "at least 1 channel, and a kernel no smaller than its stride",
            )
        self.stride = stride / step**layers
        if self.stride < 1:
            raise PoseError(
                "head",
                f"{layers} deconvolutions of stride {step} on a map of stride {stride} end finer than the input",
                f"head_layers {int(math.log(stride / FINEST, max(step, 2)))} ends at stride {FINEST}",
            )
        widths = [channels] + [width] * layers
        self.up = nn.Sequential(*(_doubled(a, b, kernel, step) for a, b in pairwise(widths)))
        self.out = nn.Conv2d(widths[-1], k, 1)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        (x,) = maps
        return (self.out(self.up(x)),)


def _doubled(channels: int, width: int, kernel: int, step: int) -> nn.Sequential:
    padding = math.ceil((kernel - step) / 2)
    enlarge = nn.ConvTranspose2d(channels, width, kernel, step, padding, output_padding=step - kernel + 2 * padding, bias=False)
    return nn.Sequential(enlarge, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class Pyramid(nn.Module):  # type: ignore[misc]
    """A feature pyramid: every map to one width, the coarse added to the fine down to stride 4, smoothed, then one 1 x 1 convolution."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], k: int, *, width: int = 256) -> None:
        super().__init__()
        if len(strides) < 2:
            raise PoseError("head", f"'fpn' on a backbone with one stride ({strides[0]})", "take head 'bilinear' or 'deconv'")
        self.stride = float(strides[0])
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.out = nn.Conv2d(width, k, 1)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        *finer, x = (lateral(one) for lateral, one in zip(self.lateral, maps, strict=True))
        for one in reversed(finer):
            x = one + functional.interpolate(x, size=one.shape[-2:], mode="bilinear", align_corners=False)
        return (self.out(self.smooth(x)),)


class SimCC(nn.Module):  # type: ignore[misc]
    """Two distributions for each keypoint, over bins across and down: a linear layer each on the flattened map (SimCC, Li et al. 2022)."""

    def __init__(self, maps: nn.Module, size: tuple[int, int]) -> None:
        """maps: a head of heatmaps, whose cells the linear layers read."""
        super().__init__()
        self.maps, self.stride = maps, 1 / SPLIT
        cells = round(size[0] / maps.stride) * round(size[1] / maps.stride)
        self.x, self.y = (nn.Linear(cells, side * SPLIT) for side in size)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        flat = self.maps(maps)[0].flatten(2)
        return self.x(flat), self.y(flat)


class Presence(nn.Module):  # type: ignore[misc]
    """Whether each keypoint is there to be found: logits from the mean and the maximum of a map, set right by a line fitted on validation data."""

    line: Tensor

    def __init__(self, channels: int, k: int) -> None:
        super().__init__()
        self.out = nn.Linear(2 * channels, k)
        self.register_buffer("line", torch.tensor([1.0, 0.0]))  # slope and intercept; see presence.fit

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)) * self.line[0] + self.line[1]


# --- by name

JOINING = frozenset({"fpn"})
"""Heads that read all maps of a backbone."""


def _bilinear(b: Backbone, k: int, recipe: object) -> nn.Module:
    return Bilinear(b.channels[b.best], b.strides[b.best], k)


def _deconvolutions(b: Backbone, k: int, recipe: object) -> nn.Module:
    layers, width, kernel, step = (
        getattr(recipe, f"head_{name}", default) for name, default in (("layers", 3), ("channels", 256), ("kernel", 4), ("stride", 2))
    )
    return Deconvolutions(b.channels[b.best], b.strides[b.best], k, layers=layers, width=width, kernel=kernel, step=step)


def _pyramid(b: Backbone, k: int, recipe: object) -> nn.Module:
    return Pyramid(b.channels, b.strides, k, width=getattr(recipe, "head_channels", 256))


def _simcc(b: Backbone, k: int, recipe: object) -> nn.Module:
    return SimCC(_deconvolutions(b, k, recipe), (recipe.width, recipe.height))  # type: ignore[attr-defined]


HEADS: dict[str, Callable[[Backbone, int, object], nn.Module]] = {"bilinear": _bilinear, "deconv": _deconvolutions, "fpn": _pyramid, "simcc": _simcc}
"""A name in a recipe, and what makes the head: of a backbone, K, and the recipe's head_layers, head_channels, head_kernel, head_stride."""


def make_head(backbone: Backbone, k: int, recipe: object) -> nn.Module:
    """The head a recipe names, with small first weights, so that the first heatmaps are near the empty ones that most targets are."""
    head = HEADS[known_head(recipe)](backbone, k, recipe)
    for module in head.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return head


def known_head(recipe: object) -> str:
    """The recipe's head, which HEADS has."""
    name = str(getattr(recipe, "head", "deconv"))
    if name not in HEADS:
        raise PoseError("recipe", f"head {name!r}", did_you_mean(name, HEADS))
    return name
