"""Poses of quadrupeds: joint angles in radians, from straight down, forward positive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Angles = tuple[float, float, float]
LEGS = ("left_front", "right_front", "left_back", "right_back")


class Stance(NamedTuple):
    legs: dict[str, Angles]  # upper, middle and lower bone
    rear_up: float = 0.0  # pitch of the trunk
    neck: float = 0.0  # added to the neck's own angle
    nod: float = -0.5  # the head against the horizon
    look: float = 0.0  # the head to the right
    tail: float = 0.3  # lift of the tail


def standing(bend: float) -> dict[str, Angles]:
    fore, hind = (-0.4 * bend, 0.1 * bend, 0.03), (0.5 * bend, -0.55 * bend, 0.08 * bend)
    return {"left_front": fore, "right_front": fore, "left_back": hind, "right_back": hind}


def stride(bend: float, phases: dict[str, float], reach: float, lift: float) -> dict[str, Angles]:
    """Legs on their way through a gait: each swings by `reach` and folds by `lift` while it comes forward."""
    legs = {}
    for name, (upper, middle, lower) in standing(bend).items():
        swing = reach * math.sin(math.tau * phases[name])
        fold = lift * max(0.0, math.cos(math.tau * phases[name])) * (0.4 + 0.6 * bend)
        if name.endswith("front"):
            legs[name] = (upper + swing + 0.5 * fold, middle + swing + 0.3 * fold, lower + swing - 1.3 * fold)
        else:
            legs[name] = (upper + swing + 0.5 * fold, middle + swing - 0.7 * fold, lower + swing - 0.2 * fold)
    return legs


def around(phase: float, offsets: Angles) -> dict[str, float]:
    return dict(zip(LEGS, (phase, *(phase + o for o in offsets)), strict=True))


def stand(bend: float, rng: np.random.Generator) -> Stance:
    legs = {name: (a + d, b + d, c + d) for (name, (a, b, c)), d in zip(standing(bend).items(), rng.uniform(-0.14, 0.14, 4).tolist(), strict=True)}
    return Stance(legs, neck=rng.uniform(-0.2, 0.2), look=rng.uniform(-0.8, 0.8), nod=rng.uniform(-0.7, -0.2), tail=rng.uniform(0, 0.6))


def walk(bend: float, rng: np.random.Generator) -> Stance:
    legs = stride(bend, around(rng.random(), (0.5, 0.75, 0.25)), reach=rng.uniform(0.25, 0.42), lift=0.7)
    return Stance(legs, neck=rng.uniform(-0.35, 0.1), look=rng.uniform(-0.4, 0.4), nod=rng.uniform(-0.7, -0.3), tail=rng.uniform(0.2, 0.7))


def run(bend: float, rng: np.random.Generator) -> Stance:
    legs = stride(bend, around(rng.random(), (0.12, 0.5, 0.6)), reach=rng.uniform(0.55, 0.8), lift=1.1)
    return Stance(legs, neck=rng.uniform(-0.5, -0.2), nod=rng.uniform(-0.5, -0.2), rear_up=rng.uniform(-0.1, 0.12), tail=rng.uniform(0.8, 1.3))


def graze(bend: float, rng: np.random.Generator) -> Stance:
    legs = stride(bend, around(rng.random(), (0.5, 0.75, 0.25)), reach=0.18, lift=0.1)
    return Stance(legs, neck=rng.uniform(-1.75, -1.45), nod=rng.uniform(-1.3, -1.0), look=rng.uniform(-0.3, 0.3), tail=0.1)


def folded(spread: float) -> Angles:
    """A hind leg under a sitting body: thigh forward, shank back, foot flat."""
    return (1.45 + spread, -0.95 + spread, 1.52)


def sit(bend: float, rng: np.random.Generator) -> Stance:
    d = rng.uniform(-0.08, 0.08, 2).tolist()
    fore = {"left_front": (-0.12 + d[0], 0.02, 0.1), "right_front": (-0.12 + d[1], 0.02, 0.1)}
    hind = {"left_back": folded(d[0]), "right_back": folded(d[1])}
    return Stance(fore | hind, rear_up=rng.uniform(0.58, 0.7), neck=0.35, look=rng.uniform(-0.9, 0.9), nod=rng.uniform(-0.35, 0.1), tail=rng.uniform(0.8, 1.1))


def lie(bend: float, rng: np.random.Generator) -> Stance:
    d = rng.uniform(-0.1, 0.1, 2).tolist()
    fore = {"left_front": (-1.2, 1.5 + d[0], 1.55), "right_front": (-1.2, 1.5 + d[1], 1.55)}
    hind = {"left_back": folded(d[0]), "right_back": folded(d[1])}
    return Stance(fore | hind, rear_up=0.06, neck=rng.uniform(0.0, 0.45), look=rng.uniform(-0.7, 0.7), nod=rng.uniform(-0.4, 0), tail=rng.uniform(0.8, 1.1))


STANCES: dict[str, Callable[[float, np.random.Generator], Stance]] = {
    "stand": stand,
    "walk": walk,
    "run": run,
    "graze": graze,
    "sit": sit,
    "lie": lie,
}
