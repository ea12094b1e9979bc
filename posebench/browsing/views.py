"""Saved views: one click to each kind of error. A room of fiftyone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fiftyone import ViewField as F

from ..errors.instances import PREDICTION_LABELS
from ..errors.labels import LABELS
from .told import Told

__all__ = ["views_of"]


def views_of(dataset: Any, model: str, truth: str, said: Told) -> dict[str, tuple[Any, str]]:
    """By name, the views of one model that show anything, each with a sentence."""
    tags = {tag for tags in said.pred_tags for tag in tags}
    kinds: Mapping[str, str] = {**LABELS, "surplus": "points said where the truth has none", **PREDICTION_LABELS}
    made = {
        f"{model}: {kind}": (dataset.filter_labels(model, F("tags").contains(kind)), text)
        for kind, text in kinds.items()
        if kind in tags and kind not in ("good", "ignored")
    }
    if (said.preds["worst"] != None).any():  # noqa: E711  # by element
        worst = dataset.filter_labels(model, F("worst") > 0).sort_by(F(f"{model}.keypoints").map(F("worst")).min())
        made[f"{model}: worst"] = worst, "poses that lose most similarity, the worst first"
    for label, text in (("missed", "truths that no prediction is near"), ("badly localised", "truths found between .1 and .5")):
        if (said.truths[f"{model}_found"] == label).any():
            made[f"{model}: truth {label}"] = dataset.filter_labels(truth, F(f"{model}_found") == label), text
    if (said.truths[f"{model}_suspect"] != None).any():  # noqa: E711
        doubt = F(f"{truth}.keypoints").map(F(f"{model}_doubt")).max()
        made[f"{model}: suspects"] = dataset.filter_labels(truth, F(f"{model}_doubt") > 0).sort_by(doubt, reverse=True), "annotations that look wrong"
    if "missing instance" in tags:
        made[f"{model}: missing instance"] = (
            dataset.filter_labels(model, F("tags").contains("missing instance")),
            "poses that nobody has annotated, as it seems",
        )
    return made
