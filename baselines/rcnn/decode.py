"""From maps over boxes to points: all boxes at once, between the cells, with probabilities; and the mean with the mirror image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..codec import decode_heatmaps, unflip
from ..recipes import Recipe
from .targets import from_cells

if TYPE_CHECKING:
    from .model import RCNN, Features

__all__ = ["Placed", "judged", "mirrored", "place", "probabilities"]

_WINDOW = 5
"""Cells across the window around a peak whose mass says how sure the network is of it: most of a target's own Gaussian."""


class Placed(NamedTuple):
    """Where the points of n boxes were found."""

    points: Tensor
    """(n, K, 2) pixel centres of the input."""
    peak: Tensor
    """(n, K) logit of the mass around the peak, through the model's line."""
    presence: Tensor | None
    """(n, K) logit of the point being there, through the model's line; None for a model that cannot tell."""


def probabilities(maps: Tensor) -> Tensor:
    """(n, K, S, S) logits as distributions over the cells."""
    return maps.float().flatten(2).softmax(-1).view_as(maps)


def mirrored(boxes: Tensor, width: int) -> Tensor:
    """(n, 4) edges in the mirror image of a picture."""
    return torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)


def looked_at(model: RCNN, features: Features, boxes: Sequence[Tensor], turned: Features | None) -> tuple[Tensor, Tensor | None]:
    """Distributions of each point over each box, and its presence; with the features of the mirror images the mean of both, feet and all.

    The schema's mirror says which point is which in a mirror: no list of 17 numbers does.
    """
    maps, presence = model.look(features, boxes)
    shares = probabilities(maps)
    if turned is None:
        return shares, presence
    mirror = model.schema.mirror.tolist()
    others, likely = model.look(turned, [mirrored(one, model.size[0]) for one in boxes])
    shares = (shares + unflip(probabilities(others), mirror)) / 2
    return shares, None if presence is None or likely is None else (presence + likely[:, mirror]) / 2


def place(model: RCNN, shares: Tensor, presence: Tensor | None, boxes: Tensor, recipe: Recipe) -> Placed:
    """The points of distributions over boxes.

    shares: (n, K, S, S); presence: (n, K); boxes: (n, 4)
    """
    cells = shares.shape[-1]
    found = decode_heatmaps(shares, stride=1.0, sigma=recipe.sigma, decode_by=recipe.decode)
    around = avg_pool2d(shares, _WINDOW, 1, _WINDOW // 2) * _WINDOW**2
    best = shares.flatten(2).argmax(-1, keepdim=True)
    mass = around.flatten(2).take_along_dim(best, -1)[..., 0].clamp(1e-6, 1 - 1e-6)
    likely = None if presence is None else presence.float()
    return Placed(from_cells(found[..., :2], boxes, cells), model.peak(mass.logit()), likely)


def judged(placed: Placed, leave_out: float = 0.0) -> Tensor:
    """(n, K, 3) points with the probability that they are there and placed right; x and y NaN where presence is less likely than asked."""
    sure = placed.peak.sigmoid()
    points = placed.points
    if placed.presence is not None:
        there = placed.presence.sigmoid()
        sure = sure * there
        points = torch.where((there < leave_out)[..., None], torch.nan, points)
    return torch.cat([points, sure[..., None]], -1)
