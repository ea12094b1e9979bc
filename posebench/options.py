"""Options that all commands share which score predictions: where the truth is, and by which rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from posedata.errors import PoseError

__all__ = ["read_with", "scored", "source_of"]

_OPTIONS = (
    click.option("--truth", metavar="FILE", help="Annotations: COCO or TechNumber JSON, Parquet."),
    click.option("--dataset", metavar="ID", help="Or a dataset by its name, as posedata list has it."),
    click.option("--config", metavar="NAME", help="Its configuration, where it has several."),
    click.option("--split", metavar="NAME", help="Its split: val, test, train[:10%]."),
    click.option("--root", metavar="FOLDER", help="Where datasets lie; else $POSEDATA_ROOT, ./data, the cache."),
    click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say; posedata list --schemas."),
    click.option("--protocol", metavar="NAME_OR_FILE", help="Rules of the score; the dataset's own unless given. posebench protocols lists them."),
    click.option("--mapping", metavar="known|FILE", help="Score predictions of another schema on the points both have."),
    click.option("--allow-unknown", is_flag=True, help="Leave out predictions of images or categories that the truth lacks."),
)


def scored(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the predictions and these options; it passes them to `source_of` and `evaluate`."""
    return click.argument("predictions", nargs=-1, required=True, metavar="PREDS...")(read_with(function))


def read_with(function: Callable[..., Any]) -> Callable[..., Any]:
    """These options alone."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def source_of(truth: str | None, dataset: str | None, config: str | None, split: str | None, root: str | None) -> Any:
    """The truth that the options name: a file, a dataset, or None where the header of the predictions says."""
    if truth and dataset:
        raise PoseError("--truth and --dataset", "both are given", "name one")
    if (config or split) and not dataset:
        raise PoseError("--config and --split", "given without --dataset", "name the dataset: --dataset ID")
    if not dataset:
        return truth
    from .sources import catalogued

    return catalogued(dataset, config, split, root)
