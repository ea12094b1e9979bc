"""The family of detectors: KeypointRCNN as the loop and the commands see it."""

from __future__ import annotations

from typing import Any

import torch

from posedata.dataset import PoseDataset
from posedata.errors import PoseError

from ..families import Family
from ..recipes import Recipe
from .finding import find, one_by_one
from .freeze import frozen
from .loader import PictureLoader
from .losses import loss
from .published import published
from .scoring import validate

__all__ = ["FAMILY"]


def _loaders(
    recipe: Recipe, truth: PoseDataset, val: PoseDataset | None, device: torch.device, workers: int | None, plainly: bool, transform: Any, quiet: bool
) -> tuple[PictureLoader, PictureLoader | None]:
    if plainly or transform is not None:
        raise PoseError(recipe.name, "a plain loader, or a transform of crops", "a detector reads whole pictures: leave them out")
    learned = PictureLoader(truth, recipe, device, workers)
    return learned, None if val is None else PictureLoader(val, recipe, device, workers, everything=True)


FAMILY = Family(
    kind="two-stage", unit="pictures", boxes="own", confidence="probability", grows=True, loaders=_loaders, loss=loss, validate=validate, frozen=frozen,
    published=published, find=find, one_by_one=one_by_one,
)  # fmt: skip
