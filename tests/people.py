"""People and animals on paper, and predictions as good as a good model's: the sound data from which mistakes are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata import PoseDataset, Predictions, load_schema

WIDTH, HEIGHT = 640, 480


def people(schema: str = "coco17", images: int = 60, seed: int = 0, categories: int = 1) -> PoseDataset:
    """One to three bodies an image, about a tenth of the points unlabelled, of all sizes."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), rng.integers(1, 4, images))
    n, shape = len(image), upright(schema)
    h = rng.uniform(80, 320, n)
    size = np.stack([h * rng.uniform(0.4, 0.7, n), h], 1)
    corner = rng.uniform(0, 1, (n, 2)) * ((WIDTH, HEIGHT) - size)
    xy = corner[:, None] + (shape + rng.normal(0, 0.04, (n, *shape.shape))) * size[:, None]
    v = rng.choice([0.0, 1.0, 2.0], (n, len(shape), 1), p=[0.1, 0.2, 0.7])
    v[:, 0] = 2
    return PoseDataset.from_arrays(
        schema=schema,
        name="people",
        image=image * 7 + 3,
        keypoints=np.concatenate([xy, v], -1) * (v > 0),
        bbox=np.concatenate([corner, size], -1),
        area=size.prod(-1) * 0.53,
        category=[f"kind {c}" for c in np.append(np.arange(categories), rng.integers(0, categories, n - categories)).tolist()],
        images={
            "id": np.arange(images) * 7 + 3,
            "file": [f"{i}.png" for i in range(images)],
            "width": np.full(images, WIDTH),
            "height": np.full(images, HEIGHT),
        },
    )


def upright(schema: str) -> NDArray[np.float64]:
    """(K, 2) the points in their box, where the drawing of the schema puts them."""
    at: list[Any] = [k.at for k in load_schema(schema).keypoints]
    return np.array(at)


def found(truth: PoseDataset, seed: int = 1, off: float = 0.4, missed: float = 0.1, **columns: Any) -> Predictions:
    """Most truths, a little off (in sigmas), with surer scores than a few bodies that are not there."""
    rng = np.random.default_rng(seed)
    own = truth.instances
    seen = np.flatnonzero(rng.random(len(truth)) > missed)
    shape = upright(truth.schema.name)
    size = own.bbox[seen, 2:]
    somewhere = own.bbox[seen, None, :2] + shape * size[:, None]
    xy = np.where(own.labelled[seen][..., None], own.keypoints[seen][..., :2], somewhere)
    sigma = 2 * truth.schema.sigmas * np.sqrt(own.area[seen])[:, None]
    xy = xy + rng.normal(0, off, xy.shape) * sigma[..., None]
    ghosts = rng.choice(len(seen), len(seen) // 2)
    elsewhere = np.clip(xy[ghosts] + rng.uniform(-200, 200, (len(ghosts), 1, 2)), 0, (WIDTH - 1, HEIGHT - 1))
    image = truth.images.id[np.concatenate([own.image[seen], own.image[seen][ghosts]])]
    ids = np.array([c.id for c in truth.categories])
    category = ids[np.concatenate([own.category[seen], own.category[seen][ghosts]])]
    points = np.concatenate([xy, elsewhere])
    sure = rng.uniform(0.3, 1, (*points.shape[:2], 1))
    score = np.concatenate([rng.uniform(0.5, 1, len(seen)), rng.uniform(0.05, 0.6, len(ghosts))])
    return Predictions.from_arrays(schema=truth.schema, image=image, keypoints=np.concatenate([points, sure], -1), score=score, category=category, **columns)


def moved(pred: Predictions, change: Any) -> Predictions:
    """The predictions with their x, y gone through a function of (M, K, 2)."""
    return replace(pred, keypoints=np.concatenate([change(pred.keypoints[..., :2]), pred.keypoints[..., 2:]], -1))


def reordered(pred: Predictions, columns: Any) -> Predictions:
    """The predictions as a file has them whose column `columns[k]` holds point k."""
    points = np.empty_like(pred.keypoints)
    points[:, columns] = pred.keypoints
    return replace(pred, keypoints=points)
