"""How deep each parameter lies, for learning rates that shrink towards the image, and which parameters no decay may touch."""

from __future__ import annotations

from timm.models import group_parameters
from torch import nn

from .models import PoseModel

__all__ = ["layers", "undecayed"]

_FIRST = ("pos_embed", "cls_token", "reg_token", "register_tokens", "mask_token", "dist_token")
"""Parameters that join the image's patches, so as shallow as these, whatever a library's table of depths forgets."""
_NEVER_DECAYED = (*_FIRST, "relative_position_bias_table")


def layers(model: PoseModel) -> dict[str, int]:
    """The depth of every parameter by name: 0 at the image, the heads deepest. `decay ** (max(depths) - depth)` is its share of the learning rate.

    All parameters count, frozen or not, so that freezing one layer leaves the rates of the others.
    """
    inside = "backbone.body."
    body = _by_library(model.backbone.body) or _by_order(model.backbone.body)
    deepest = 1 + max(body.values(), default=-1)
    depths = {name: body[name.removeprefix(inside)] if name.startswith(inside) else deepest for name, _ in model.named_parameters()}
    return {name: 0 if name.rpartition(".")[2] in _FIRST else depth for name, depth in depths.items()}


def undecayed(model: PoseModel) -> set[str]:
    """Names of parameters that weight decay leaves alone: biases, norms, scales, places and tokens."""
    return {name for name, own in model.named_parameters() if own.ndim < 2 or name.rpartition(".")[2] in _NEVER_DECAYED}


def _by_library(body: nn.Module) -> dict[str, int]:
    """timm's own depths; empty for a body that has none."""
    for prefix, module in body.named_modules():
        if hasattr(module, "group_matcher"):
            known = group_parameters(module, module.group_matcher(coarse=False), reverse=True)
            names = [name for name, _ in module.named_parameters()]
            ranks = {depth: rank for rank, depth in enumerate(sorted({known[name] for name in names}))}  # pruned stages leave no gaps
            return {f"{prefix}.{name}" if prefix else name: ranks[known[name]] for name in names}
    return {}


def _by_order(body: nn.Module) -> dict[str, int]:
    """Depths of any other body: its blocks in the order they are written, a block being a child, or a numbered part of one."""
    blocks: dict[str, int] = {}
    return {name: blocks.setdefault(_block(name), len(blocks)) for name, _ in body.named_parameters()}


def _block(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[: 2 if len(parts) > 2 and parts[1].isdigit() else 1])
