"""Families of models: those that look into crops, and those that find the boxes too. What differs between them, as a table of functions.

Everything else, the loop, its checkpoints, recipes, runs, results files and the leaderboard, is the same for both.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .recipes import Recipe

__all__ = ["Family", "family_of"]


@dataclass(frozen=True)
class Family:
    """What the loop and the commands ask of a kind of model."""

    kind: str
    """As the leaderboard calls it."""
    unit: str
    """What one example is: crops, pictures."""
    boxes: str
    """What --boxes is unless somebody says."""
    confidence: str
    """What a point's third number is, as the header of predictions says."""
    grows: bool
    """Whether points that copied weights lack start from their relatives."""
    loaders: Callable[..., tuple[Any, Any]]
    """(recipe, train, val or None, device, workers, plainly, transform, quiet) -> the examples of train, and of val or None."""
    loss: Callable[..., Any]
    """(runner, batch, model, recipe) -> what a batch is learned by."""
    validate: Callable[..., Any]
    """(model, examples of val, recipe, world) -> Validation."""
    frozen: Callable[[Recipe], tuple[str, ...]]
    """Beginnings of the names of weights that stay as they are."""
    published: Callable[..., Any]
    """(recipe, schema, file or None) -> the model with published weights, or those of a file, and what is to be known of them."""
    find: Callable[..., Any]
    """(predictor, dataset, boxes, Asked, watch) -> Boxes, and their points (N, K, 3) in pixels of the images."""
    one_by_one: Callable[..., list[float]]
    """(predictor, dataset, boxes, flip, count) -> seconds of single examples."""


_HOME = {"rcnn": ".rcnn.family"}
"""The module of a head that is a family of its own."""


def family_of(recipe: Recipe) -> Family:
    """The family of a recipe's head. Its module, and torch with it, is imported here and not before."""
    return importlib.import_module(_HOME.get(recipe.head, ".topdown"), __package__).FAMILY
