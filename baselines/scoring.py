"""Validation: every crop of val once, over all processes, as predictions that posebench scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posebench.evaluation import evaluate, protocol_of
from posebench.metrics import METRICS, read_metric
from posebench.postprocess import rescore
from posedata.dataset import PoseDataset
from posedata.entries import called
from posedata.predictions import Predictions

from .crops import boxes_of, to_image
from .data import Batch, Loader, inside
from .distributed import World
from .losses import loss_of
from .models import Output, PoseModel, predict_flipped
from .presence import Calibration, fit_calibration
from .recipes import Recipe

__all__ = ["Validation", "higher_is_better", "metrics_of", "require_metrics", "validate"]

_AT_ONCE = 64
"""Crops of one forward."""


@dataclass(frozen=True, eq=False)
class Validation:
    """What a validation found."""

    loss: float
    predictions: Predictions
    metrics: dict[str, float]
    lines: Mapping[str, Calibration]
    """What makes logits probabilities, by the buffer of the model that holds it."""


class Seen(NamedTuple):
    """One crop after the network."""

    points: NDArray[np.float32]
    """(K, 3) in pixels of the crop."""
    logits: NDArray[np.float32] | None
    """(K,) of presence, raw."""
    loss: float


def validate(model: PoseModel, loader: Loader, recipe: Recipe, world: World) -> Validation:
    """Predict the crops of val, those of one process each, and score all of them together."""
    rows = torch.arange(world.rank, len(loader), world.size)
    model.eval()
    with torch.no_grad():
        mine = [one for part in rows.split(_AT_ONCE) for one in _seen(model, loader.plain(part), recipe)]
    found = dict(pair for part in world.gather(mine) for pair in part)
    everyone = [found[row] for row in range(len(loader))]
    predictions = predictions_of(loader, np.array([one.points for one in everyone]), recipe, model)
    names = metrics_of(recipe, loader.crops.dataset)
    ev = evaluate(loader.crops.dataset, predictions, metrics=names)
    return Validation(
        float(np.mean([one.loss for one in everyone])), predictions, {name: ev[name] for name in names}, {"presence.line": _line(loader, everyone)}
    )


def metrics_of(recipe: Recipe, val: PoseDataset) -> tuple[str, ...]:
    """What is said of val: the recipe's choice, AP, and PCK by the set's own rule, else by one that its boxes allow."""
    own = [name for name in protocol_of(val).metrics if read_metric(name).name == "PCK"]
    boxes = bool(np.isfinite(val.instances.bbox).all())
    return tuple(dict.fromkeys((recipe.score, "AP", own[-1] if own else "PCK@0.2" if boxes else "PCK.diagonal@0.2")))


def require_metrics(recipe: Recipe, val: PoseDataset) -> None:
    """Refuse before the first step what val cannot be scored by."""
    nothing = Predictions.from_arrays(schema=val.schema, image=val.images.id[:0], keypoints=np.zeros((0, len(val.schema), 3)), score=np.zeros(0))
    ev = evaluate(val, nothing, metrics=metrics_of(recipe, val))
    _ = ev.metrics


def _seen(model: PoseModel, batch: Batch, recipe: Recipe) -> list[tuple[int, Seen]]:
    """The number of each crop of a batch, and what the network made of it."""
    images = laid_out(batch.images, recipe)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda and recipe.precision == "bf16"):
        straight = model(images)
        out = predict_flipped(model, images) if flips(recipe, model) else straight
    points = model.decode(Output(tuple(m.float() for m in out.maps), None)).cpu().numpy()
    logits = [None] * len(points) if straight.presence is None else list(straight.presence.float().cpu().numpy())
    loss = float(loss_of(straight, batch, model.coding).total)
    return [(row, Seen(one, sure, loss)) for row, one, sure in zip(batch.rows.tolist(), points, logits, strict=True)]


def _line(loader: Loader, everyone: list[Seen]) -> Calibration:
    """The line through what was seen of all points that are annotated; the identity where it is no number, or nothing was asked."""
    logits = np.array([one.logits for one in everyone if one.logits is not None])
    if not len(logits) or not np.isfinite(logits).all():
        return Calibration()
    there = inside(loader.points - loader.points.new_tensor(loader.crops.margin), loader.v, loader.recipe.size)
    return fit_calibration(logits, (there > 0).cpu().numpy(), loader.annotated.cpu().numpy())


def flips(recipe: Recipe, model: PoseModel) -> bool:
    """Whether crops are averaged with their mirror images."""
    return recipe.flip_test and bool(len(model.schema.pairs or ()))


def laid_out(images: Tensor, recipe: Recipe) -> Tensor:
    """Images in the order of memory the recipe wants."""
    return images.contiguous(memory_format=torch.channels_last) if recipe.channels_last else images.contiguous()


def predictions_of(loader: Loader, points: NDArray[Any], recipe: Recipe, model: PoseModel) -> Predictions:
    """Points of crops as predictions on their images, by the rules of `baselines predict --boxes truth`."""
    ds, own, rows = loader.crops.dataset, loader.crops.dataset.instances, loader.crops.rows
    placed = to_image(points.astype(np.float64) + np.array([*loader.crops.margin, 0.0]), loader.crops.affine)
    placed[..., 2] = np.clip(np.nan_to_num(placed[..., 2]), 0, 1)
    header = {
        **(called(ds.name) or {"dataset": ds.name}), "truth": ds.fingerprint, "images": "all", "model": recipe.backbone, "recipe": recipe.name,
        "boxes": "truth", "flip_test": flips(recipe, model), "keypoint_score": "confidence",
    }  # fmt: skip
    found = Predictions.from_arrays(
        schema=ds.schema, image=ds.images.id[own.image[rows]], keypoints=placed, score=np.ones(len(rows)), bbox=boxes_of(ds)[rows],
        category=np.array([c.id for c in ds.categories])[own.category[rows]], truth=own.id[rows], header=header,
    )  # fmt: skip
    return rescore(found, 0.0, "keypoints")


def better(new: float, old: float, metric: str) -> bool:
    """Whether a number beats the best so far; one that is no number beats nothing."""
    if math.isnan(new) or math.isnan(old):
        return not math.isnan(new)
    return new > old if higher_is_better(metric) else new < old


def higher_is_better(metric: str) -> bool:
    """The direction of a metric by its spelling."""
    return METRICS[read_metric(metric).name].higher_is_better
