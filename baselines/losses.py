"""Losses: maps against the Gaussians they should be, and how sure the network is that a point is there at all."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from .codec import Coding
from .data import Batch

__all__ = ["PRESENCE", "Loss", "loss_of"]

PRESENCE = 0.05
"""Weight of the presence: enough to calibrate it, too little to cost the maps anything."""


class Loss(NamedTuple):
    """What is learned from, and its parts."""

    total: Tensor
    points: Tensor
    presence: Tensor


def loss_of(out: Any, batch: Batch, coding: Coding) -> Loss:
    """The loss of a batch, in fp32. Only labelled points count for the maps, only annotated ones for the presence."""
    targets, weight = coding.encode(batch.points.float(), batch.v)
    compare = _divergence if coding.simcc else _distance
    each = sum(compare(seen.float(), wanted, coding.sigma) for seen, wanted in zip(out.maps, targets, strict=True))
    points = _mean(each, weight)
    if out.presence is None:
        return Loss(points, points.detach(), points.detach() * 0)
    likely = binary_cross_entropy_with_logits(out.presence.float(), (batch.v > 0).float(), reduction="none")
    presence = _mean(likely, batch.annotated.float())
    return Loss(points + PRESENCE * presence, points.detach(), presence.detach())


def _distance(seen: Tensor, wanted: Tensor, sigma: float) -> Tensor:
    """(N, K) squared distance of maps, over the squared size of one Gaussian: an empty map costs 1, whatever its size."""
    return (seen - wanted).square().sum((-1, -2)) / (math.pi * sigma**2)


def _divergence(seen: Tensor, wanted: Tensor, sigma: float) -> Tensor:
    """(N, K) what it costs to take the network's distribution over the bins for the true one."""
    entropy = (wanted * wanted.clamp_min(1e-12).log()).sum(-1)
    return entropy - (wanted * log_softmax(seen, -1)).sum(-1)


def _mean(each: Tensor | Any, weight: Tensor) -> Tensor:
    """The mean over points that count; what lies under a weight of 0, NaN included, does not."""
    return torch.where(weight > 0, each * weight, 0.0).sum() / weight.sum().clamp_min(1.0)
