"""Models to compare: many small images with boxes of one size, and predictions that miss by more or less."""

from __future__ import annotations

from typing import Any

import numpy as np

import posebench
from posebench import Evaluation
from posedata import PoseDataset, Predictions

__all__ = ["AT_TWO", "found", "models", "people"]

AT_TWO = posebench.COCO.replace(thresholds=(0.5, 0.75), ranges={}, metrics=("AP", "AR"))
"""COCO at two similarities: five times as fast."""
_SIDE = 100.0


def people(images: int, seed: int = 0, most: int = 3, **columns: Any) -> PoseDataset:
    """Up to so many feet of six points on each image, all labelled; `columns` are of the images."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(1, images + 1), rng.integers(0, most + 1, images))
    xy = rng.uniform(0, 400, (len(image), 1, 2)) + rng.uniform(0, _SIDE, (len(image), 6, 2))
    points = np.concatenate([xy, np.full((len(image), 6, 1), 2.0)], -1)
    box = np.concatenate([xy.min(1) - 1, np.ptp(xy, axis=1) + 2], 1)
    own = {"id": np.arange(1, images + 1), "file": [f"{i}.png" for i in range(1, images + 1)], "width": np.full(images, 640), "height": np.full(images, 640)}
    return PoseDataset.from_arrays(
        schema="foot6", name="people", image=image, keypoints=points, bbox=box, area=np.full(len(image), _SIDE**2), images={**own, **columns}
    )


def found(truth: PoseDataset, seed: int, noise: float = 3.0, background: float = 0.3, shape: float = 1.0) -> Predictions:
    """Most of the truths, each missed by a distance of its own, and poses where nobody is; surer where it is nearer."""
    rng = np.random.default_rng(seed)
    away = rng.gamma(shape, noise / shape, len(truth))
    xy = truth.instances.keypoints[..., :2] + rng.normal(0, 1, (len(truth), 6, 2)) * away[:, None, None]
    score, kept = np.exp(-away / 5) * rng.uniform(0.6, 1, len(truth)), rng.random(len(truth)) < 0.95
    extra = rng.poisson(background * len(truth))
    points = np.concatenate([xy[kept], rng.uniform(0, 400, (extra, 6, 2))])
    return Predictions.from_arrays(
        schema="foot6",
        image=np.concatenate([truth.images.id[truth.instances.image][kept], rng.choice(truth.images.id, extra)]),
        keypoints=np.concatenate([points, np.ones((len(points), 6, 1))], -1),
        score=np.concatenate([score[kept], rng.uniform(0, 0.7, extra)]),
    )


def models(images: int, *noises: float, seed: int = 0, protocol: posebench.Protocol = AT_TWO) -> list[Evaluation]:
    """A model for each noise, on one truth."""
    truth = people(images, seed)
    return [posebench.evaluate(truth, found(truth, 1000 * seed + i + 1, noise), protocol) for i, noise in enumerate(noises)]
