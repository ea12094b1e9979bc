"""Weights that stay as they are: named by their beginnings, counted part by part, and compared after training."""

from __future__ import annotations

import hashlib

from torch import nn

from posedata.errors import PoseError, brief, first_few

__all__ = ["check_frozen", "frozen_digest", "frozen_parts", "frozen_report"]


def frozen_parts(model: nn.Module, beginnings: tuple[str, ...]) -> list[nn.Module]:
    """Freeze the weights whose names begin so; gives back the modules whose batch norms must not learn either."""
    names = [n for n, _ in model.named_parameters()]
    for word in beginnings:
        if not any(n.startswith(word) for n in names):
            raise PoseError(
                "freeze", f"no weight begins with {brief(word)!r}", f"they begin with {first_few(dict.fromkeys(n.split('.')[0] for n in names), 5, ', ')}"
            )
    for name, weight in model.named_parameters():
        if name.startswith(beginnings):
            weight.requires_grad_(False)
    return [m for n, m in model.named_modules() if n and beginnings and n.startswith(beginnings)]


def frozen_report(model: nn.Module, beginnings: tuple[str, ...]) -> list[str]:
    """Which parts learn and which do not, in millions of weights; nothing where all of them learn."""
    if not beginnings:
        return []
    parts: dict[str, list[int]] = {}
    for name, weight in model.named_parameters():
        parts.setdefault(_part(name), [0, 0])[weight.requires_grad] += weight.numel()
    still, learn = (sum(counts[i] for counts in parts.values()) for i in (0, 1))
    lines = [f"  {part}: {_millions(n)} frozen, {_millions(m)} learn" for part, (n, m) in parts.items()]
    return [f"frozen: {', '.join(beginnings)}: {_millions(still)} of {_millions(still + learn)} weights stay", *lines]


def _part(name: str) -> str:
    words = name.split(".")
    return ".".join(words[: 2 if words[0] in ("rpn", "roi_heads") else 1])


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def frozen_digest(model: nn.Module, beginnings: tuple[str, ...]) -> str:
    """Sixteen hex digits that change with any weight, and any statistic of a norm, of the frozen parts; none where nothing is frozen."""
    if not beginnings:
        return ""
    found = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if name.startswith(beginnings):
            found.update(name.encode() + value.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return found.hexdigest()[:16]


def check_frozen(model: nn.Module, beginnings: tuple[str, ...], digest: str, where: str) -> None:
    """Refuse a run whose frozen weights are not those it began with."""
    if frozen_digest(model, beginnings) != digest:
        raise PoseError(
            where, f"weights of {', '.join(beginnings)} have changed, though they are frozen", "its weights are not what config.toml says: train again"
        )
