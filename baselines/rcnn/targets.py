"""Points as cells of a map over a box, and the distributions they are learned as."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from ..codec import encode, signs

__all__ = ["from_cells", "point_loss", "seen_in", "to_cells"]


def to_cells(points: Tensor, boxes: Tensor, cells: int) -> Tensor:
    """Pixels as places on maps over boxes, the first cell's centre being 0.

    points: (n, K, 2) pixel centres; boxes: (n, 4) edges -> (n, K, 2)
    """
    low, side = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1.0)
    return (points + 0.5 - low) / side * cells - 0.5


def from_cells(places: Tensor, boxes: Tensor, cells: int) -> Tensor:
    """Places on maps over boxes as pixels: undoes `to_cells`."""
    low, side = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1.0)
    return low + (places + 0.5) * side / cells - 0.5


def seen_in(points: Tensor, v: Tensor, boxes: Tensor, cells: int) -> Tensor:
    """(n, K) v, and 0 for points outside their box: its map cannot show them."""
    places = to_cells(points, boxes, cells)
    return v * ((places >= -0.5) & (places < cells - 0.5)).all(-1)


def point_loss(maps: Tensor, boxes: Tensor, points: Tensor, v: Tensor, hidden: str, sigma: float) -> Tensor:
    """What it costs to take the network's distribution over the cells for the true one: 0 at best, the mean over points that count.

    The truth is a Gaussian around the very point, not one cell: rounding could never be undone.
    maps: (n, K, S, S) logits; boxes: (n, 4); points: (n, K, 2); v: (n, K)
    """
    cells = maps.shape[-1]
    _, weight = signs(seen_in(points, v, boxes, cells), hidden)
    counted = weight > 0
    if not counted.any():
        return maps.sum() * 0
    places = to_cells(points, boxes, cells)[counted][:, None]
    wanted = encode(places, torch.ones_like(places[..., 0]), shape=(cells, cells), stride=1.0, sigma=sigma).flatten(1)
    wanted = wanted / wanted.sum(1, keepdim=True)
    entropy = (wanted * wanted.clamp_min(1e-12).log()).sum(1)
    return (entropy - (wanted * log_softmax(maps[counted].flatten(1), 1)).sum(1)).mean()
