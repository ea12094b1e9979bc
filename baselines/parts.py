"""PARTS: what a run can be without, and how that is done: another way to predict, or learning again with other settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .recipes import Recipe

__all__ = ["PARTS", "Change", "Part"]

NMS = 0.9


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of an ablation."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the recipe."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Of predict."""
    init: str = ""
    """Another start."""
    raw: bool = False
    """The last weights as they are against their mean."""
    rate: bool = False
    """The learning rate is found by range tests."""


@dataclass(frozen=True)
class Part:
    """A part of what makes a result, and what it is held against."""

    text: str
    learned: bool
    """Whether it takes learning again."""
    changes: Callable[[Recipe], list[Change]]


def _flip(r: Recipe) -> list[Change]:
    return [Change(name="no flip test" if r.flip_test else "flip test", asked={"flip_test": not r.flip_test})]


def _decoding(r: Recipe) -> list[Change]:
    return [Change(name=f"decode={d}", settings={"decode": d}) for d in ("dark", "parabola", "argmax") if d != r.decode and r.head != "simcc"]


def _nms(r: Recipe) -> list[Change]:
    return [Change(name=f"OKS-NMS {NMS:g}", asked={"nms": NMS})]


def _rescoring(r: Recipe) -> list[Change]:
    return [Change(name="score=box", asked={"score": "box"}), Change(name="score=box x keypoints", asked={"score": "box x keypoints"})]


def _mean(r: Recipe) -> list[Change]:
    return [Change(name="no mean of weights", raw=True)] if r.ema else []


def _augmentation(r: Recipe) -> list[Change]:
    """Nothing is changed in the crops; and each kind of change alone is left to a sweep."""
    none = {"flip": 0.0, "rotate_share": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "half_body": 0.0, "colour": 0.0, "cutout": 0.0}
    return [Change(name="no augmentation", settings=none)]


def _start(r: Recipe) -> list[Change]:
    """Scratch against weights; a run that began from scratch is held against weights, which a machine without a network cannot have."""
    return [Change(name="from scratch", init="scratch")] if r.pretrained else [Change(name="from weights", init="weights", settings={"pretrained": True})]


def _schedule(r: Recipe) -> list[Change]:
    return [Change(name=f"schedule={s}", settings={"schedule": s}) for s in ("onecycle", "constant") if s != r.schedule]


def _accumulation(r: Recipe) -> list[Change]:
    parts = next((n for n in (4, 2) if r.batch % n == 0), 1)
    if r.accumulate > 1 or parts == 1:
        return [Change(name="accumulate=1", settings={"accumulate": 1})]
    return [
        Change(name=f"the batch in {parts} parts", settings={"accumulate": parts}),
        Change(name=f"{parts} batches a step", settings={"accumulate": parts, "batch": parts * r.batch}),
    ]


def _optimiser(r: Recipe) -> list[Change]:
    other = "adamw" if r.optimiser == "sgd" else "sgd"
    return [Change(name=f"optimiser={other}", settings={"optimiser": other}, rate=True)]


def _seed(r: Recipe) -> list[Change]:
    return [Change(name=f"seed={r.seed + 1}", settings={"seed": r.seed + 1})]


PARTS: Mapping[str, Part] = {
    "flip-test": Part("each crop averaged with its mirror image, or not", False, _flip),
    "decoding": Part("sub-pixel decoding: the other ways to refine a maximum, and none", False, _decoding),
    "nms": Part(f"poses more similar than {NMS:g} thinned to the best; does nothing where each truth has one box", False, _nms),
    "rescoring": Part("the score of a pose: of its box alone, or with its points", False, _rescoring),
    "ema": Part("the mean of the weights, or those of the last step", False, _mean),
    "augmentation": Part("crops as they are", True, _augmentation),
    "initialisation": Part("another start: scratch where there were weights, weights where there were none, or --start", True, _start),
    "schedule": Part("one cycle, or a rate that never changes", True, _schedule),
    "accumulation": Part("a batch in parts, which batch norms see one by one; and a larger batch, which parts make possible", True, _accumulation),
    "optimiser": Part("SGD for Adam and the other way round, at the rate that lies on its range test where the run's lies on its own", True, _optimiser),
    "seed": Part("the same again with other random choices: what chance alone does", True, _seed),
}
"""What `baselines ablate` takes away or changes."""
