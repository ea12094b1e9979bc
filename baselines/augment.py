"""Augmentation: flip, rotation, scale, shift, half bodies, colour and cutout of a whole batch on its device.

Every number is drawn from (seed, epoch, crop) and nothing else, by the same whole-number arithmetic everywhere: neither the batch a crop
comes in, nor the process, nor the device changes what becomes of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from posedata.schema import Schema

from .recipes import Recipe

__all__ = ["Body", "Changes", "body_of", "cropped", "draw", "recoloured", "uniforms", "warped"]

_DRAWS = 20
_MANY = 9
"""Labelled points from which on a body may be cut in half, as mmpose and HRNet have it."""
_FIRST_HALF = 0.7
"""How often it is the upper (or front) half: HRNet draws a normal number below .5, which is about that."""
_HALF_PADDING = 1.5
"""Half a body's crop over its points' extent, theirs too."""


class Body(NamedTuple):
    """What augmentation must know of a schema."""

    mirror: Tensor
    """(K,) the row each point goes to in a mirror."""
    pairs: bool
    """Whether there are mirror pairs: without them nothing is flipped."""
    first: Tensor
    """(K,) the points of the upper, or front, half; none where the schema has no figure."""


class Changes(NamedTuple):
    """What becomes of B crops."""

    affine: Tensor
    """(B, 2, 3) from pixels of the network's input to pixels of the cached crop, centres both."""
    flip: Tensor
    """(B,) whether left and right are exchanged."""
    colour: Tensor
    """(B, 6) factors: brightness, contrast, saturation, red, green, blue."""
    hole: Tensor
    """(B, 3) centre and half side of a square painted over, in pixels of the input; half side 0 for none."""


def body_of(schema: Schema, device: torch.device | str = "cpu") -> Body:
    """The mirror and the halves of a schema; halves are cut across the longer side of its figure."""
    first = _first_half(schema)
    return Body(torch.as_tensor(schema.mirror.copy(), device=device), bool(schema.pairs), torch.as_tensor(first, device=device))


def _first_half(schema: Schema) -> NDArray[np.bool_]:
    at = [k.at for k in schema.keypoints if k.at is not None]
    if len(at) < len(schema) or not at:
        return np.zeros(len(schema), bool)
    xy = np.array(at)
    along = xy[:, xy.std(0).argmax()]
    return np.asarray(along < np.median(along), bool)


def uniforms(seed: int, epoch: int, rows: Tensor, n: int) -> Tensor:
    """(B, n) numbers in [0, 1) that depend on the seed, the epoch, each row and their place, and on nothing else."""
    state = _mixed(rows.long() + _signed((seed * 0x9E3779B97F4A7C15 + epoch * 0xD1B54A32D192ED03 + 1) % 2**64))
    bits = _mixed(state[:, None] + torch.arange(1, n + 1, device=rows.device) * _signed(0x9E3779B97F4A7C15))
    return (bits >> 40 & 0xFFFFFF).float() / 2**24


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's last steps, on whole numbers that wrap around."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> shift & (1 << (64 - shift)) - 1)) * _signed(factor)
    return bits ^ (bits >> 31 & (1 << 33) - 1)


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >= 2**63 else bits


def draw(recipe: Recipe, epoch: int, rows: Tensor, points: Tensor, labelled: Tensor, body: Body, margin: tuple[int, int]) -> Changes:
    """What becomes of each crop in an epoch.

    rows: (B,) numbers of the crops; points: (B, K, 2) in pixels of the cached crop; labelled: (B, K)
    """
    u = uniforms(recipe.seed, epoch, rows, _DRAWS)
    size = torch.tensor(recipe.size, dtype=torch.float32, device=rows.device)
    offset = torch.tensor(margin, dtype=torch.float32, device=rows.device)
    centre, zoom = _seen(recipe, u, points, labelled, body, size, offset)
    centre = centre + (u[:, 0:2] * 2 - 1) * recipe.shift * size * zoom[:, None]
    zoom = zoom * (recipe.scale[0] + u[:, 2] * (recipe.scale[1] - recipe.scale[0])).reciprocal()
    angle = _normal(u[:, 3], u[:, 4]).clamp(-2, 2) * math.radians(recipe.rotate) * (u[:, 5] < recipe.rotate_share)
    flip = (u[:, 6] < recipe.flip) & body.pairs
    colour = 1 + (u[:, 7:13] * 2 - 1) * recipe.colour * torch.tensor([1, 1, 1, 0.5, 0.5, 0.5], device=rows.device)
    side = (0.05 + 0.15 * u[:, 13]) * size.min() * (u[:, 14] < recipe.cutout)
    return Changes(_affine(centre, zoom, angle, flip, size), flip, colour, torch.cat([u[:, 15:17] * size, side[:, None]], 1))


def _seen(recipe: Recipe, u: Tensor, points: Tensor, labelled: Tensor, body: Body, size: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2) centre and (B,) pixels of the cache for one of the input: the whole crop, or a half of the body."""
    whole = ((size - 1) / 2 + offset).expand(len(u), 2)
    half = labelled & torch.where((u[:, 17] < _FIRST_HALF)[:, None], body.first, ~body.first)
    chosen = (u[:, 18] < recipe.half_body) & (labelled.sum(1) >= _MANY) & (half.sum(1) > 2) & body.first.any()
    low = torch.where(half[..., None], points, math.inf).amin(1)
    high = torch.where(half[..., None], points, -math.inf).amax(1)
    zoom = ((high - low) / size).amax(1) * _HALF_PADDING
    chosen &= zoom > 0.4  # three points on one spot show nothing
    return torch.where(chosen[:, None], (low + high) / 2, whole), torch.where(chosen, zoom, 1.0)


def _normal(a: Tensor, b: Tensor) -> Tensor:
    """Box and Muller's normal numbers, of two uniform ones."""
    return (-2 * (1 - a).log()).sqrt() * (2 * math.pi * b).cos()


def _affine(centre: Tensor, zoom: Tensor, angle: Tensor, flip: Tensor, size: Tensor) -> Tensor:
    """(B, 2, 3): the input's middle comes from `centre`; flipped first, then turned and zoomed."""
    cos, sin, sign = angle.cos() * zoom, angle.sin() * zoom, 1 - 2 * flip.float()
    turn = torch.stack([torch.stack([cos * sign, -sin], -1), torch.stack([sin * sign, cos], -1)], -2)
    return torch.cat([turn, (centre - (turn @ ((size - 1) / 2)))[..., None]], -1)


def warped(pixels: Tensor, affine: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 3, h, w) float 0..255 seen through the maps; black beyond the cached crop.

    pixels: (B, H, W, 3) uint8; affine: (B, 2, 3) from output to source
    """
    height, width = pixels.shape[1:3]
    x = torch.arange(size[0], device=pixels.device, dtype=torch.float32)
    y = torch.arange(size[1], device=pixels.device, dtype=torch.float32)
    grid = affine[:, None, None, :, 0] * x[:, None] + (affine[:, None, None, :, 1] * y[:, None, None] + affine[:, None, None, :, 2])
    grid = (2 * grid + 1) / torch.tensor([width, height], device=pixels.device) - 1
    return grid_sample(pixels.permute(0, 3, 1, 2).contiguous().float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def cropped(points: Tensor, v: Tensor, changes: Changes, body: Body) -> tuple[Tensor, Tensor]:
    """Points and what is known of them, as the network sees them: through the maps, sides exchanged where flipped.

    points: (B, K, 2) in pixels of the cached crop; v: (B, K) -> the same of the network's input
    """
    linear, offset = changes.affine[..., :2], changes.affine[..., 2]
    moved = (points - offset[:, None]) @ torch.linalg.inv(linear).mT
    swap = changes.flip[:, None]
    return torch.where(swap[..., None], moved[:, body.mirror], moved), torch.where(swap, v[:, body.mirror], v)


def recoloured(images: Tensor, changes: Changes) -> Tensor:
    """(B, 3, h, w) with brightness, contrast, saturation and channels changed, and holes painted grey."""
    factor = changes.colour[..., None, None]
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * factor[:, 2:3]
    mean = images.mean((1, 2, 3), keepdim=True)
    images = ((images - mean) * factor[:, 1:2] + mean) * factor[:, 0:1] * factor[:, 3:6]
    x = torch.arange(images.shape[3], device=images.device)
    y = torch.arange(images.shape[2], device=images.device)
    near_x = (x - changes.hole[:, 0:1]).abs() < changes.hole[:, 2:3]
    near_y = (y - changes.hole[:, 1:2]).abs() < changes.hole[:, 2:3]
    return torch.where((near_y[:, :, None] & near_x[:, None, :])[:, None], 127.0, images.clamp(0, 255))
