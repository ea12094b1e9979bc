"""A large population of images to draw small datasets from: people, and two models whose errors go together within an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.problem import People, draw_people, draw_predictions
from posebench import Evaluation, evaluate
from posedata import PoseDataset, Predictions

__all__ = ["Population", "drawn", "populated"]

IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class Population:
    """Both models are one model's two runs: no difference between them is real."""

    truth: PoseDataset
    models: tuple[Predictions, Predictions]
    whole: tuple[Evaluation, Evaluation]
    """On all images: what small datasets are to estimate."""
    peopled: NDArray[np.bool_]
    """(I,) images with a truth that counts."""


def populated(images: int = IMAGES, seed: int = 0) -> Population:
    """val2017's shares of people and of images without any; some images are hard, so that errors of one image go together."""
    rng = np.random.default_rng(seed)
    people = draw_people(rng, images, images * 2)
    points = np.concatenate([people.xy * (people.v > 0)[..., None], people.v[..., None]], -1)
    truth = PoseDataset.from_arrays(
        schema="coco17", name="population", image=people.image + 1, keypoints=points, area=people.area, bbox=people.bbox, crowd=people.crowd,
        images={"id": np.arange(images) + 1, "file": [f"{i}.jpg" for i in range(images)]},
    )  # fmt: skip
    hard = rng.lognormal(0, 0.5, images)
    models = (_model(rng, people, images, hard), _model(rng, people, images, hard))
    whole = (evaluate(truth, models[0], "coco"), evaluate(truth, models[1], "coco"))
    problem = whole[0].workings.problem()
    return Population(truth, models, whole, np.bincount(problem.image[~problem.ignored], minlength=images) > 0)


def _model(rng: np.random.Generator, people: People, images: int, hard: NDArray[np.float64]) -> Predictions:
    n = len(people.image)
    image, keypoints, score, bbox = draw_predictions(rng, people, images, int(0.85 * n), int(0.3 * n), 2 * images, hard)
    return Predictions.from_arrays(schema="coco17", image=image + 1, keypoints=keypoints, score=score, bbox=bbox)


def drawn(population: Population, n: int, seed: int) -> tuple[Evaluation, Evaluation]:
    """Both models on images drawn at random until `n` of them have truths; images change models at random, so that nothing is to be found."""
    rng = np.random.default_rng((seed, n))
    order = rng.permutation(len(population.peopled))
    rows = np.sort(order[: int(np.searchsorted(np.cumsum(population.peopled[order]), n)) + 1])
    truth = population.truth.take_images(rows)
    turned = rng.random(len(population.peopled)) < 0.5
    inside = np.zeros(len(turned), bool)
    inside[rows] = True
    first, second = (evaluate(truth, _mixed(population.models, inside, t), "coco") for t in (turned, ~turned))
    return first, second


def _mixed(models: tuple[Predictions, Predictions], inside: NDArray[np.bool_], turned: NDArray[np.bool_]) -> Predictions:
    """The first model's predictions of some images and the second's of the others."""
    parts = [m.take((inside & mine)[m.image - 1]) for m, mine in zip(models, (~turned, turned), strict=True)]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("image", "keypoints", "score", "bbox")}
    return Predictions.from_arrays(schema="coco17", **columns)
