"""A detector that is quick to make and to run: two maps of a three-layer backbone, and people on small pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from baselines.rcnn.loader import Pictures
from baselines.rcnn.model import RCNN, build_rcnn
from baselines.recipes import RECIPES, Recipe
from posedata import PoseDataset, Schema, load_schema

TINY = replace(
    RECIPES["synthetic-person-keypointrcnn"], name="tiny", backbone="tests.modelled:three_layers", head_channels=16, head_layers=1, width=64, height=64,
    anchors=(8, 16, 32), proposals=16, rois=8, detections=4, box_score=0.0, scenes=8, val="val[:4]", epochs=1, batch=4, validate_every=1, ema=0.0, warmup=0.0,
)  # fmt: skip


def tiny(schema: str | Schema = "coco_foot23", **changes: Any) -> RCNN:
    """A tiny model in evaluation mode."""
    return build_rcnn(recipe(**changes), load_schema(schema) if isinstance(schema, str) else schema).eval()


def recipe(**changes: Any) -> Recipe:
    return replace(TINY, **changes)


def pictures(schema: str = "coco_foot23", n: int = 2, seed: int = 0, people: int = 2) -> Pictures:
    """Noise with boxes and points on it."""
    rng = torch.Generator().manual_seed(seed)
    k, m = len(load_schema(schema)), n * people
    low = torch.rand(m, 2, generator=rng) * 24
    boxes = torch.cat([low, low + 16 + torch.rand(m, 2, generator=rng) * 20], 1)
    points = boxes[:, None, :2] + torch.rand(m, k, 2, generator=rng) * (boxes[:, None, 2:] - boxes[:, None, :2]) - 0.5
    images = torch.rand(n, 3, 64, 64, generator=rng) * 255
    whole = torch.ones(m, k)
    return Pictures(
        images, torch.arange(n).repeat_interleave(people), boxes, torch.zeros(m, dtype=torch.bool), points, 2 * whole, whole > 0,
        (boxes[:, 2:] - boxes[:, :2]).prod(1), torch.arange(n),
    )  # fmt: skip


def people(n: int = 3, schema: str = "coco_foot23") -> PoseDataset:
    """Annotations without pictures: boxes, points, a crowd and a person without labels."""
    rng = np.random.default_rng(0)
    k = len(load_schema(schema))
    bbox = np.concatenate([rng.uniform(5, 60, (2 * n, 2)), rng.uniform(20, 40, (2 * n, 2))], 1)
    xy = bbox[:, None, :2] + rng.uniform(0.1, 0.9, (2 * n, k, 2)) * bbox[:, None, 2:]
    keypoints = np.concatenate([xy, np.full((2 * n, k, 1), 2.0)], -1)
    crowd = np.arange(2 * n) == 1
    keypoints[1] = keypoints[2] = 0
    images = {"id": np.arange(n), "file": [f"{i}.png" for i in range(n)], "width": np.full(n, 120), "height": np.full(n, 100)}
    return PoseDataset.from_arrays(schema=schema, image=np.repeat(np.arange(n), 2), keypoints=keypoints, bbox=bbox, crowd=crowd, images=images, name="drawn")
