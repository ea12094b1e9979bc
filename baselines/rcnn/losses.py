"""What is learned: proposals, boxes, and the points in boxes that hold somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.models.detection.roi_heads import fastrcnn_loss

from ..losses import PRESENCE
from ..recipes import Recipe
from ..scoring import laid_out
from .loader import Pictures
from .targets import point_loss, seen_in

if TYPE_CHECKING:
    from .model import RCNN, Features

__all__ = ["LOSSES", "loss", "losses_of"]

LOSSES = {"objectness": 1.0, "rpn_box": 1.0, "class": 1.0, "box": 1.0, "points": 1.0, "presence": PRESENCE}
"""The parts of the loss and their weights: torchvision's, and a presence that must not cost the points anything."""


def loss(runner: nn.Module, batch: Pictures, model: RCNN, recipe: Recipe) -> Tensor:
    """The loss of a batch, of all its parts."""
    kind = batch.images.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" and recipe.precision == "bf16"):
        parts = runner(laid_out(batch.images, recipe), (batch, recipe.hidden, recipe.sigma))
    return total(parts)


def total(parts: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum of the parts."""
    return torch.stack([LOSSES[name] * part.float() for name, part in parts.items()]).sum()


def losses_of(model: RCNN, features: Features, truths: Any) -> dict[str, Tensor]:
    """Every part of the loss of a batch, none of them NaN where nobody is in a picture.

    truths: the batch, what becomes of hidden points, and the width of a target
    """
    batch, hidden, sigma = truths
    rows = [torch.nonzero((batch.owner == i) & ~batch.crowd)[:, 0] for i in range(len(batch.images))]
    targets = [_target(batch, i, own) for i, own in enumerate(rows)]
    proposals, first = model.rpn(features.images, features.maps, targets)
    boxes, matched, labels, ways = model.roi_heads.sampled(proposals, targets)
    logits, said = model.roi_heads.judged(features.maps, boxes, features.shapes)
    kind, box = fastrcnn_loss(logits.float(), said.float(), labels, ways)
    positive = [torch.nonzero(label > 0)[:, 0] for label in labels]
    inside = [one[where] for one, where in zip(boxes, positive, strict=True)]
    truth = torch.cat([own[match[where]] if len(own) else where[:0] for own, match, where in zip(rows, matched, positive, strict=True)])
    points, presence = _points(model, features, inside, truth, batch, hidden, sigma)
    return {
        "objectness": first["loss_objectness"], "rpn_box": first["loss_rpn_box_reg"], "class": kind, "box": box, "points": points,
        **({} if presence is None else {"presence": presence}),
    }  # fmt: skip


def _target(batch: Pictures, picture: int, rows: Tensor) -> dict[str, Tensor]:
    """A picture's truth as torchvision reads it, and the regions of its crowds."""
    boxes = batch.boxes[rows]
    crowd = batch.boxes[(batch.owner == picture) & batch.crowd]
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64, device=boxes.device), "crowd": crowd}


def _points(model: RCNN, features: Features, boxes: list[Tensor], truth: Tensor, batch: Pictures, hidden: str, sigma: float) -> tuple[Tensor, Tensor | None]:
    """What the points of boxes with somebody cost, and their presence; truth: (n,) the row of the batch that each box is matched to."""
    maps, presence = model.look(features, boxes)
    rois, points, v = torch.cat(boxes), batch.points[truth], batch.v[truth]
    placed = point_loss(maps.float(), rois, points, v, hidden, sigma)
    if presence is None:
        return placed, None
    there = (seen_in(points, v, rois, maps.shape[-1]) > 0).float()
    known = batch.annotated[truth]
    each = binary_cross_entropy_with_logits(presence.float(), there, reduction="none")
    return placed, torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)
