"""What the checks work on: a model before or after training, its examples, and a few steps that leave the model as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posebench.evaluation import Evaluation, evaluate

from ..crops import Crops
from ..data import Batch, Loader
from ..distributed import World
from ..families import family_of
from ..freezing import frozen_parts
from ..models import Output
from ..optim import clipped, optimiser_of, set_rate
from ..recipes import Recipe
from ..scoring import laid_out, predictions_of

__all__ = ["Bench", "all_of", "as_outputs", "as_trained", "ceiling", "descend", "few", "joined_by", "scored"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """A model with its examples, crops or whole pictures, on their device."""

    recipe: Recipe
    model: Any
    train: Any
    val: Any
    trained: bool
    """Whether the weights are those of a run, judged as it predicts; else those a run would start from."""

    @property
    def device(self) -> torch.device:
        return torch.device(self.train.device)

    @property
    def finds(self) -> bool:
        """Whether the model finds its own boxes on whole pictures."""
        return self.recipe.head == "rcnn"

    def output(self, batch: Batch, model: nn.Module | None = None) -> Output:
        """What a model of crops says of a batch, in fp32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda" and self.recipe.precision == "bf16"):
            out = (model or self.model)(laid_out(batch.images, self.recipe))
        return Output(tuple(m.float() for m in out.maps), None if out.presence is None else out.presence.float())

    def told(self, batch: Any) -> list[Tensor]:
        """What the model makes of each picture, first axis: its outputs; of a detector the pyramid that boxes and points are read from."""
        if self.finds:
            return [m.float() for m in self.model.features(batch.images).maps.values()]
        out = self.output(batch)
        return [*out.maps, *([] if out.presence is None else [out.presence])]

    def loss(self, batch: Any, model: Any = None) -> Tensor:
        """The loss of a batch, in whatever mode the model is."""
        model = model or self.model
        found: Tensor = family_of(self.recipe).loss(model, batch, model, self.recipe)
        return found

    def copy(self) -> Any:
        """The model's own weights in a model that may be trained."""
        return copy.deepcopy(self.model)

    @contextmanager
    def judging(self, model: Any) -> Iterator[None]:
        """Whatever the modes are, a loss can be had: a detector must sample its proposals for it."""
        if not self.finds:
            yield
            return
        from ..rcnn.losses import learning

        with learning(model.rpn, model.roi_heads):
            yield


def few(loader: Any, count: int) -> Any:
    """Some crops or pictures of a set, spread evenly over it, as a set of their own."""
    return _few_crops(loader, count) if isinstance(loader, Loader) else _few_pictures(loader, count)


def _few_crops(loader: Loader, count: int) -> Loader:
    """Hidden points that the recipe leaves out are not labelled there."""
    crops, own = loader.crops, loader.crops.dataset.instances
    ignored = (own.keypoints[..., 2] == 1) & (loader.recipe.hidden == "ignore")
    able = np.flatnonzero((own.labelled & ~ignored)[crops.rows].any(1))
    rows = able[_spread(len(able), count)]
    left = replace(crops.dataset, instances=own.with_trusted(keypoints=np.where(ignored[..., None], 0.0, own.keypoints)))
    ds = (left if ignored.any() else crops.dataset).take(crops.rows[rows]).without_empty()
    part = Crops(dataset=ds, rows=np.arange(len(rows)), pixels=crops.pixels[rows], affine=crops.affine[rows], margin=crops.margin)
    return Loader(part, loader.recipe, loader.device)


def _few_pictures(loader: Any, count: int) -> Any:
    some = np.flatnonzero(np.diff(loader.first) > 0)
    rows = loader.pictures[some[_spread(len(some), count)]]
    return type(loader)(loader.dataset.take_images(rows), loader.recipe, loader.device, loader.workers)


def _spread(of: int, count: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, of - 1, min(count, of)).round().astype(np.intp))


def ceiling(bench: Bench, examples: Any) -> Evaluation | None:
    """What examples score where the outputs are their own targets: what box, crop and heatmap leave possible. Of a detector it is not known."""
    if bench.finds:
        return None
    coding, batch = bench.model.coding, all_of(examples)
    targets, _ = coding.encode(batch.points, batch.v)
    points = coding.decode(*as_outputs(targets, coding.simcc)).cpu().numpy()
    return evaluate(examples.crops.dataset, predictions_of(examples, points, bench.recipe, bench.model))


def all_of(examples: Any) -> Any:
    """Every example, upright and unchanged, as a batch."""
    return examples.plain(torch.arange(len(examples)))


def as_outputs(targets: tuple[Tensor, ...], simcc: bool) -> tuple[Tensor, ...]:
    """Targets as a perfect network puts them out: of SimCC as logits."""
    return tuple(t.clamp_min(1e-12).log() for t in targets) if simcc else targets


def scored(bench: Bench, model: Any, examples: Any) -> Evaluation:
    """The scores of what a model makes of some examples, without flip test."""
    found = family_of(bench.recipe).validate(model, examples, replace(bench.recipe, flip_test=False), World(device=bench.device))
    return evaluate(examples.dataset if bench.finds else examples.crops.dataset, found.predictions)


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
    bench: Bench, model: Any, batch: Any, steps: int, rate: Callable[[int], float], after: Callable[[int, float], bool] = lambda step, loss: False
) -> list[float]:
    """The losses of steps over one batch by the recipe's optimiser; ends at one that is no number, or when `after` says so."""
    model.train()
    for module in frozen_parts(model, family_of(bench.recipe).frozen(bench.recipe)):
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
