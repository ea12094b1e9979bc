"""What a model costs a GPU at the very least: the two floors, arithmetic and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .complexity import complexity
from .models import PoseModel

__all__ = ["H200", "Floors", "Hardware", "costs", "floors"]


@dataclass(frozen=True)
class Hardware:
    """What one GPU can do at best."""

    name: str
    flops: float
    """Operations a second in bf16, a multiply-add being two."""
    copied: float
    """Bytes a second, read and written together."""


H200 = Hardware("H200", 790e12, 4.3e12)
"""Measured: large matrix products in bf16, and large copies."""


@dataclass(frozen=True)
class Floors:
    """Images a second that no program can beat, by arithmetic and by memory."""

    train_flops: float
    train_bandwidth: float
    infer_flops: float
    infer_bandwidth: float

    def to_dict(self) -> dict[str, float]:
        """Plain values, whole images."""
        return {name: round(getattr(self, name)) for name in self.__dataclass_fields__}


def costs(model: PoseModel) -> dict[str, float]:
    """Millions of parameters, and billions of multiply-adds of one crop."""
    found = complexity(model)
    return {"params_m": round(found.parameters / 1e6, 3), "gmac": round(found.macs / 1e9, 4)}


def traffic(model: PoseModel) -> float:
    """Bytes that the layers of one forward pass read and write in bf16 for one crop, weights left out: they are shared by a batch."""
    total = 0.0

    def count(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        nonlocal total
        total += 2.0 * sum(t.numel() for t in (*given, *(made if isinstance(made, list | tuple) else [made])) if isinstance(t, torch.Tensor))

    leaves = [m for m in model.modules() if not list(m.children()) and not isinstance(m, nn.Identity)]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        with torch.no_grad():
            model.eval()(_crop(model))
    finally:
        for hook in hooks:
            hook.remove()
    return total


def floors(model: PoseModel, hardware: Hardware = H200) -> Floors:
    """Training is three forward passes of arithmetic and of traffic. What no layer does is not counted: a bound, not a forecast."""
    operations, moved = 2 * complexity(model).macs, traffic(model)
    return Floors(hardware.flops / operations / 3, hardware.copied / moved / 3, hardware.flops / operations, hardware.copied / moved)


def _crop(model: PoseModel) -> torch.Tensor:
    width, height = model.size
    return torch.zeros(1, 3, height, width, device=next(model.parameters()).device)
