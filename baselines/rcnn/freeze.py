"""The ladder: how much of a KeypointRCNN learns, from its last layer to all of it."""

from __future__ import annotations

from ..recipes import Recipe

__all__ = ["LADDER", "frozen"]

_BOXES = ("roi_heads.box_head", "roi_heads.box_predictor")

LADDER: dict[str, tuple[str, ...]] = {
    "predictor": ("backbone", "fpn", "rpn", *_BOXES, "roi_heads.keypoint_head"),
    "keypoints": ("backbone", "fpn", "rpn", *_BOXES),
    "roi": ("backbone", "fpn", "rpn"),
    "detector": ("backbone",),
    "all": (),
}
"""A rung, and the beginnings of names that stay as they are under it. The presence, which is fresh in published weights, learns on all.

"roi" is the rule `"roi" not in name` that people write by hand: it keeps the proposals and the pyramid still too, so a person whose box
the frozen proposals miss is never learned.
"""


def frozen(recipe: Recipe) -> tuple[str, ...]:
    """What stays: what its rung says, and what the recipe names itself."""
    return tuple(dict.fromkeys((*LADDER[recipe.rung], *recipe.freeze)))
