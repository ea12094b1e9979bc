"""What the tests of `posebench compare` are worth: how often they find a difference where there is none, and where there is one.

    python -m benchmarks.compare [--trials 2000] [--images 200] [--seed 0] [--json FILE]

Each trial draws images, people on them and the predictions of two models anew, and tests the difference in AP at level .95.
In a true null both models have the same AP on all images there could be; that of models of different kinds is tuned on many
images. benchmarks.coverage measures intervals, benchmarks.statistics speed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posebench import COCO, Evaluation, evaluate, power
from posebench.metrics import read_metric
from posebench.statistics.exchange import exchanged, exchanges, p_value
from posebench.statistics.replicates import replicates
from posebench.statistics.resampling import clusters, draws
from posebench.statistics.standings import adjusted
from posedata import PoseDataset, Predictions

RULES = COCO.replace(thresholds=(0.5, 0.75), ranges={}, metrics=("AP",))
EXCHANGES = 199
MANY = 12_000
"""Images on which models are tuned, and a difference is known."""
SIDE = 100.0


@dataclass(frozen=True)
class Model:
    """How a model errs: by how many pixels, how unevenly, how often where nobody is, and how sure it is of that."""

    noise: float = 3.0
    shape: float = 1.0
    background: float = 0.3
    surest: float = 0.7


USUAL = Model()
PAIRS: dict[str, tuple[Model, Model, bool]] = {
    "the same model twice": (USUAL, USUAL, True),
    "many small errors, or few large ones": (replace(USUAL, shape=0.4), replace(USUAL, shape=2.0), True),
    "three poses on nothing for each person, or none": (replace(USUAL, background=3.0, surest=0.07), replace(USUAL, background=0.02), True),
    "a better model": (USUAL, replace(USUAL, noise=4.0), False),
}
"""Two models, and whether the second is tuned to the AP of the first."""


def people(rng: np.random.Generator, images: int) -> PoseDataset:
    """None to three on each image, six points each."""
    image = np.repeat(np.arange(1, images + 1), rng.integers(0, 4, images))
    xy = rng.uniform(0, 400, (len(image), 1, 2)) + rng.uniform(0, SIDE, (len(image), 6, 2))
    points = np.concatenate([xy, np.full((len(image), 6, 1), 2.0)], -1)
    own = {"id": np.arange(1, images + 1), "file": [f"{i}.png" for i in range(1, images + 1)], "width": np.full(images, 640), "height": np.full(images, 640)}
    return PoseDataset.from_arrays(schema="foot6", name="people", image=image, keypoints=points, area=np.full(len(image), SIDE**2), images=own)


def predicted(rng: np.random.Generator, truth: PoseDataset, model: Model) -> Predictions:
    """Surer where it is nearer; one in twenty people is not found."""
    away = rng.gamma(model.shape, model.noise / model.shape, len(truth))
    xy = truth.instances.keypoints[..., :2] + rng.normal(0, 1, (len(truth), 6, 2)) * away[:, None, None]
    score, kept = np.exp(-away / 5) * rng.uniform(0.6, 1, len(truth)), rng.random(len(truth)) < 0.95
    extra = rng.poisson(model.background * len(truth))
    points = np.concatenate([xy[kept], rng.uniform(0, 400, (extra, 6, 2))])
    return Predictions.from_arrays(
        schema="foot6",
        image=np.concatenate([truth.images.id[truth.instances.image][kept], rng.choice(truth.images.id, extra)]),
        keypoints=np.concatenate([points, np.ones((len(points), 6, 1))], -1),
        score=np.concatenate([score[kept], rng.uniform(0, model.surest, extra)]),
    )


def drawn(seed: int, trial: int, images: int, models: tuple[Model, Model]) -> tuple[Evaluation, Evaluation]:
    rng = np.random.default_rng([seed, trial])
    truth = people(rng, images)
    a, b = (evaluate(truth, predicted(rng, truth, model), RULES) for model in models)
    return a, b


def tuned(seed: int, first: Model, second: Model) -> Model:
    """The second with the noise that gives it the AP of the first, on ten sets of many images."""
    low, high = 0.1, 20.0
    wanted = statistics.mean(drawn(seed, 0xFFFF - i, MANY, (first, first))[0]["AP"] for i in range(10))
    for _ in range(12):
        middle = replace(second, noise=(low + high) / 2)
        better = statistics.mean(drawn(seed, 0xFFFF - i, MANY, (middle, middle))[0]["AP"] for i in range(10)) > wanted
        low, high = (middle.noise, high) if better else (low, middle.noise)
    return replace(second, noise=(low + high) / 2)


def tested(trials: int, images: int, seed: int, models: tuple[Model, Model]) -> dict[str, float]:
    """The mean difference, and the shares of the trials in which each test rejects at 5%: exchanges, and common resamples as in `rank`."""
    p, p_rank, difference = np.empty((3, trials))
    for trial in range(trials):
        a, b = drawn(seed, trial, images, models)
        together, difference[trial] = clusters(a.workings), b["AP"] - a["AP"]
        p[trial] = p_value(difference[trial], exchanged(a.workings, b.workings, [read_metric("AP")], exchanges(together, EXCHANGES, trial))[:, 0])
        both = np.stack([replicates(ev.workings, ["AP"], draws(together, EXCHANGES, trial))[:, 0] for ev in (a, b)], 1)
        p_rank[trial] = adjusted(np.array([a["AP"], b["AP"]]), both)[0, 1]
    return {"difference": float(difference.mean()), "exchange": float((p <= 0.05).mean()), "resamples": float((p_rank <= 0.05).mean())}


def foretold(images: int, seed: int, models: tuple[Model, Model], difference: float) -> float:
    """The chance to find that difference, by what `power` measures on 50 other sets."""
    pairs = [drawn(seed + 1, trial, images, models) for trial in range(50)]
    return statistics.mean(power(a, b, resamples=EXCHANGES).chance(difference) for a, b in pairs)


def sizes(trials: int, images: int, seed: int) -> dict[str, dict[str, float]]:
    """The table of the docs."""
    rows: dict[str, dict[str, float]] = {}
    for name, (first, second, null) in PAIRS.items():
        models = (first, second if first == second or not null else tuned(seed, first, second))
        found = tested(trials, images, seed, models)
        rows[name] = {**found, "predicted": foretold(images, seed, models, found["difference"])}
        print(f"  {name:<50} {'   '.join(f'{k} {v:.4f}' for k, v in rows[name].items())}", file=sys.stderr)
    return rows


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown."""
    lines = ["| the two models | difference in AP | found by exchange | found by common resamples | foretold by `power` |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row['difference']:+.4f} | {row['exchange']:.1%} | {row['resamples']:.1%} | {row['predicted']:.1%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = sizes(asked.trials, asked.images, asked.seed)
    print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
