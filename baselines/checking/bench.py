"""What the checks work on: a model before or after training, its examples, and a few steps that leave the model as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posebench.evaluation import Evaluation, evaluate

from ..crops import Crops
from ..data import Batch, Loader
from ..distributed import World
from ..losses import loss_of
from ..models import Output, PoseModel
from ..optim import clipped, optimiser_of, set_rate
from ..recipes import Recipe
from ..scoring import Validation, laid_out, predictions_of, validate
from ..starting import frozen_parts

__all__ = ["Bench", "all_of", "as_outputs", "as_trained", "ceiling", "descend", "few", "joined_by", "scored"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """A model with its examples, on their device."""

    recipe: Recipe
    model: PoseModel
    train: Loader
    val: Loader | None
    trained: bool
    """Whether the weights are those of a run, judged as it predicts; else those a run would start from."""

    @property
    def device(self) -> torch.device:
        return self.train.device

    def output(self, batch: Batch, model: nn.Module | None = None) -> Output:
        """What the model says of a batch, in fp32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda" and self.recipe.precision == "bf16"):
            out = (model or self.model)(laid_out(batch.images, self.recipe))
        return Output(tuple(m.float() for m in out.maps), None if out.presence is None else out.presence.float())

    def loss(self, batch: Batch, model: nn.Module | None = None) -> Tensor:
        """The loss of a batch."""
        return loss_of(self.output(batch, model), batch, self.model.coding).total

    def copy(self) -> PoseModel:
        """The model's own weights in a model that may be trained."""
        return copy.deepcopy(self.model)


def few(loader: Loader, count: int) -> Loader:
    """Some crops of a set, spread evenly over it, as a set of their own. Hidden points that the recipe leaves out are not labelled there."""
    crops, own = loader.crops, loader.crops.dataset.instances
    ignored = (own.keypoints[..., 2] == 1) & (loader.recipe.hidden == "ignore")
    able = np.flatnonzero((own.labelled & ~ignored)[crops.rows].any(1))
    rows = able[np.unique(np.linspace(0, len(able) - 1, min(count, len(able))).round().astype(int))]
    left = replace(crops.dataset, instances=own.with_trusted(keypoints=np.where(ignored[..., None], 0.0, own.keypoints)))
    ds = (left if ignored.any() else crops.dataset).take(crops.rows[rows]).without_empty()
    part = Crops(dataset=ds, rows=np.arange(len(rows)), pixels=crops.pixels[rows], affine=crops.affine[rows], margin=crops.margin)
    return Loader(part, loader.recipe, loader.device)


def ceiling(bench: Bench, examples: Loader) -> Evaluation:
    """What examples score where the outputs are their own targets: what box, crop and heatmap leave possible."""
    coding, batch = bench.model.coding, all_of(examples)
    targets, _ = coding.encode(batch.points, batch.v)
    points = coding.decode(*as_outputs(targets, coding.simcc)).cpu().numpy()
    return evaluate(examples.crops.dataset, predictions_of(examples, points, bench.recipe, bench.model))


def all_of(examples: Loader) -> Batch:
    """Every crop, upright and unchanged."""
    return examples.plain(torch.arange(len(examples)))


def as_outputs(targets: tuple[Tensor, ...], simcc: bool) -> tuple[Tensor, ...]:
    """Targets as a perfect network puts them out: of SimCC as logits."""
    return tuple(t.clamp_min(1e-12).log() for t in targets) if simcc else targets


def scored(bench: Bench, model: PoseModel, examples: Loader) -> tuple[Validation, Evaluation]:
    """What a model makes of some examples, without flip test, and its scores."""
    found = validate(model, examples, replace(bench.recipe, flip_test=False), World(device=bench.device))
    return found, evaluate(examples.crops.dataset, found.predictions)


@contextmanager
def as_trained(model: nn.Module) -> Iterator[None]:
    """Batch norms see the batch, as in training, and keep what they had seen; nothing is dropped at random."""
    before = {m: (m.training, getattr(m, "momentum", None)) for m in model.modules()}
    model.eval()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for m in norms:
        m.train()
        m.momentum = 0.0
    counted = {m: m.num_batches_tracked.clone() for m in norms if m.num_batches_tracked is not None}
    try:
        yield
    finally:
        for m, (training, momentum) in before.items():
            m.training = training
            if m in norms:
                m.momentum = momentum
        for m, count in counted.items():
            m.num_batches_tracked.copy_(count)


def descend(
    bench: Bench, model: PoseModel, batch: Batch, steps: int, rate: Callable[[int], float], after: Callable[[int, float], bool] = lambda step, loss: False
) -> list[float]:
    """The losses of steps over one batch by the recipe's optimiser; ends at one that is no number, or when `after` says so."""
    model.train()
    for module in frozen_parts(model, bench.recipe.freeze):
        module.eval()
    optimiser, losses = optimiser_of(model, bench.recipe), list[float]()
    still = [m for m in model.modules() if not m.training]
    for step in range(steps):
        model.train()
        for module in still:
            module.eval()
        set_rate(optimiser, rate(step))
        loss = bench.loss(batch, model)
        losses.append(float(loss.detach()))
        if not np.isfinite(losses[-1]):
            break
        loss.backward()
        if bench.recipe.clip:
            clipped(model.parameters(), bench.recipe.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if after(step, losses[-1]):
            break
    return losses


def joined_by(values: Any) -> str:
    """Sizes as people write them: 64 x 48."""
    return " x ".join(f"{v:g}" for v in values)
