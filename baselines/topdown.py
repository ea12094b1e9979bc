"""The family of models that look into crops: heatmaps, or SimCC, of one instance each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posedata.dataset import PoseDataset
from posedata.errors import PoseError
from posedata.schema import Schema

from .crops import load_crops
from .data import Batch, Loader, PlainLoader, Transform
from .families import Family
from .looking import find_in_crops, one_by_one
from .losses import loss_of
from .models import PoseModel, build
from .recipes import Recipe
from .scoring import laid_out, validate

__all__ = ["FAMILY"]


def _loaders(
    recipe: Recipe,
    truth: PoseDataset,
    val: PoseDataset | None,
    device: torch.device,
    workers: int | None,
    plainly: bool,
    transform: Transform | None,
    quiet: bool,
) -> tuple[Loader | PlainLoader, Loader | None]:
    """The crops of train and val. Those who come second find what the first process cut."""
    crops = load_crops(truth, recipe.size, recipe.padding, workers=workers, quiet=quiet)
    learned: Loader | PlainLoader = PlainLoader(crops, recipe, device, workers or 0, transform) if plainly or transform else Loader(crops, recipe, device)
    return learned, None if val is None else Loader(load_crops(val, recipe.size, recipe.padding, 1.0, workers, quiet), recipe, device)


def _loss(runner: nn.Module, batch: Batch, model: PoseModel, recipe: Recipe) -> Tensor:
    kind = batch.images.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" and recipe.precision == "bf16"):
        output = runner(laid_out(batch.images, recipe))
    return loss_of(output, batch, model.coding).total


def _published(recipe: Recipe, schema: Schema, file: Path | None = None) -> tuple[Any, dict[str, Any]]:
    """The backbone's published weights; the head is fresh."""
    if file is not None:
        raise PoseError(f"--init {file}", "a file", "a model of crops starts from the folder of a run, weights or scratch")
    said = "published weights of the backbone" if recipe.pretrained else "scratch: the recipe asks for no weights"
    return build(recipe, schema), {"init": said}


FAMILY = Family(
    kind="top-down", unit="crops", boxes="truth", confidence="confidence", grows=False, loaders=_loaders, loss=_loss, validate=validate, frozen=lambda recipe: recipe.freeze,
    published=_published, find=find_in_crops, one_by_one=one_by_one,
)  # fmt: skip
