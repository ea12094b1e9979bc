"""Optimisers, learning rates by layer, schedules as functions of how far a run has come, and the running mean of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from posedata.errors import PoseError

from .layers import layers, undecayed
from .models import PoseModel
from .recipes import Recipe

__all__ = ["SCHEDULES", "Mean", "groups_of", "learning_rate", "optimiser_of", "set_rate"]

Group = dict[str, Any]


def groups_of(model: PoseModel, recipe: Recipe) -> list[Group]:
    """The weights that learn, by learning rate and weight decay. Layer decay is in each group's own rate, so every schedule keeps it."""
    depths, spared = layers(model), undecayed(model)
    deepest = max(depths.values())
    found: dict[tuple[float, float], Group] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decay = 0.0 if name in spared else recipe.weight_decay
            scale = recipe.layer_decay ** (deepest - depths[name])
            group = found.setdefault((scale, decay), {"params": [], "names": [], "weight_decay": decay, "scale": scale, "lr": recipe.lr * scale})
            group["params"].append(weight)
            group["names"].append(name)
    if not found:
        raise PoseError(f"{recipe.name}: freeze", ", ".join(recipe.freeze), "nothing is left to learn; freeze less")
    return list(found.values())


def optimiser_of(model: PoseModel, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser a recipe names, over the groups of its weights."""
    return OPTIMISERS[recipe.optimiser](groups_of(model, recipe), recipe)


OPTIMISERS: Mapping[str, Callable[[list[Group], Recipe], torch.optim.Optimizer]] = {
    "adamw": lambda groups, r: torch.optim.AdamW(groups, lr=r.lr, betas=(r.momentum, 0.999)),
    "adam": lambda groups, r: torch.optim.Adam(groups, lr=r.lr, betas=(r.momentum, 0.999)),
    "sgd": lambda groups, r: torch.optim.SGD(groups, lr=r.lr, momentum=r.momentum, nesterov=r.momentum > 0),
}


# -- schedules: the share of a run that is done -> the share of the learning rate -----------------------


def _constant(done: float, recipe: Recipe) -> float:
    return 1.0


def _cosine(done: float, recipe: Recipe) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


def _step(done: float, recipe: Recipe) -> float:
    return float(0.1 ** sum(done >= m for m in recipe.milestones))


def _onecycle(done: float, recipe: Recipe) -> float:
    """Three phases of torch's OneCycleLR: up from a 25th, down to it in as many steps, then to a 10,000th of that; cosines all."""
    up, start, end = 0.3, 1 / 25, 1 / 25 / 1e4
    for until, since, high, low in ((up, 0.0, start, 1.0), (2 * up, up, 1.0, start), (1.0, 2 * up, start, end)):
        if done <= until:
            share = (done - since) / (until - since)
            return low + (high - low) * 0.5 * (1 + math.cos(math.pi * share))
    return end


SCHEDULES: Mapping[str, Callable[[float, Recipe], float]] = {"constant": _constant, "cosine": _cosine, "onecycle": _onecycle, "step": _step}


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of one step of a run, before layer decay. Warm-up is a line from next to nothing; the schedule runs under it."""
    warming = recipe.warmup * steps
    rise = min((step + 1) / warming, 1.0) if warming >= 1 else 1.0
    return recipe.lr * rise * SCHEDULES[recipe.schedule](step / max(steps - 1, 1), recipe)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]


# -- the mean ------------------------------------------------------------------------------------------


class Mean:
    """The running mean of weights and of what batch norms have seen; young runs forget faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Move a little towards the weights after a step."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():  # detached from the graph, as a state dict is
            mean = self.values[name]
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


def clipped(weights: Iterable[Tensor], largest: float) -> float:
    """The norm of the gradient, which is scaled down where it is larger than allowed."""
    return float(torch.nn.utils.clip_grad_norm_(list(weights), largest or math.inf))
