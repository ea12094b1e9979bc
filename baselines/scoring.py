"""Validation: every crop of val once, over all processes, as predictions that posebench scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posebench.evaluation import evaluate
from posebench.metrics import read_metric
from posedata.predictions import Predictions

from .crops import to_image
from .data import Batch, Loader
from .distributed import World
from .losses import loss_of
from .models import PoseModel, predict_flipped
from .recipes import Recipe

__all__ = ["Validation", "higher_is_better", "validate"]

_AT_ONCE = 64
"""Crops of one forward."""


class Validation:
    """What a validation found: the loss, the predictions and their numbers."""

    def __init__(self, loss: float, predictions: Predictions, metrics: dict[str, float]) -> None:
        self.loss, self.predictions, self.metrics = loss, predictions, metrics


def validate(model: PoseModel, loader: Loader, recipe: Recipe, world: World, header: dict[str, Any]) -> Validation:
    """Predict the crops of val, those of one process each, and score all of them together."""
    rows = torch.arange(world.rank, len(loader), world.size)
    model.eval()
    with torch.no_grad():
        mine = [_predicted(model, loader.plain(part), recipe) for part in rows.split(_AT_ONCE)]
    found = {int(row): (points, loss) for part in world.gather(mine) for row, points, loss in (one for batch in part for one in batch)}
    everyone = np.array([found[row][0] for row in range(len(loader))])
    predictions = predictions_of(loader, everyone, header)
    names = tuple(dict.fromkeys((recipe.score, "AP", "PCK@0.2")))
    ev = evaluate(loader.crops.dataset, predictions, metrics=names)
    return Validation(float(np.mean([loss for _, loss in found.values()])), predictions, {name: ev[name] for name in names})


def _predicted(model: PoseModel, batch: Batch, recipe: Recipe) -> list[tuple[int, NDArray[np.float32], float]]:
    """(number of the crop, (K, 3) points in its pixels, its loss) of each crop of a batch."""
    images, cuda = laid_out(batch.images, recipe), batch.images.is_cuda
    with torch.autocast(images.device.type, torch.bfloat16, enabled=cuda and recipe.precision == "bf16"):
        straight = model(images)
        out = predict_flipped(model, images) if recipe.flip_test and len(model.schema.pairs or ()) else straight
    points = model.decode(type(out)(tuple(m.float() for m in out.maps), None)).cpu().numpy()
    loss = float(loss_of(straight, batch, model.coding).total)
    return [(row, one, loss) for row, one in zip(batch.rows.tolist(), points, strict=True)]


def laid_out(images: Tensor, recipe: Recipe) -> Tensor:
    """Images in the order of memory the recipe wants."""
    return images.contiguous(memory_format=torch.channels_last) if recipe.channels_last else images.contiguous()


def predictions_of(loader: Loader, points: NDArray[Any], header: dict[str, Any]) -> Predictions:
    """Points of crops as predictions on their images; a pose's score is the mean of its points'."""
    ds, own = loader.crops.dataset, loader.crops.dataset.instances
    rows, (x, y) = loader.crops.rows, loader.crops.margin
    placed = to_image(points.astype(np.float64) + np.array([x, y, 0.0]), loader.crops.affine)
    placed[..., 2] = np.clip(np.nan_to_num(placed[..., 2]), 0, 1)
    category = np.array([c.id for c in ds.categories])[own.category[rows]]
    return Predictions.from_arrays(
        schema=ds.schema, image=ds.images.id[own.image[rows]], keypoints=placed, score=placed[..., 2].mean(1), category=category, truth=own.id[rows], header=header
    )  # fmt: skip


def better(new: float, old: float, metric: str) -> bool:
    """Whether a number beats the best so far; one that is no number beats nothing."""
    if math.isnan(new) or math.isnan(old):
        return not math.isnan(new)
    return new > old if higher_is_better(metric) else new < old


def higher_is_better(metric: str) -> bool:
    """The direction of a metric by its spelling."""
    from posebench.metrics import METRICS

    return METRICS[read_metric(metric).name].higher_is_better
