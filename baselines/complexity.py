"""What a model costs: parameters, multiply-accumulates for one image, bytes on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Complexity", "complexity"]


@dataclass(frozen=True)
class Complexity:
    """Costs that no machine changes."""

    parameters: int
    macs: int
    """Multiply-accumulates of one forward of one image: matrix products and convolutions, as torch counts them, halved."""
    size: int
    """Bytes of weights and buffers, as safetensors holds them, without its header."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} M parameters, {self.macs / 1e9:.2f} GMAC, {self.size / 1e6:.1f} MB"


def complexity(model: nn.Module, size: tuple[int, int] | None = None) -> Complexity:
    """The costs of a model for one image of `size` (width, height), by default its own; it is left in the mode it was in."""
    width, height = size or model.size
    like = next(model.parameters())
    training = model.training
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.eval()(torch.zeros(1, 3, height, width, dtype=like.dtype, device=like.device))
    finally:
        model.train(training)
    held = model.state_dict().values()
    return Complexity(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2, sum(t.numel() * t.element_size() for t in held))
