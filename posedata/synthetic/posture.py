"""Poses of people. A bone's direction is (flex, spread) in radians from straight down: forward and outward."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Bone = tuple[float, float]


class Posture(NamedTuple):
    arms: tuple[tuple[Bone, Bone], tuple[Bone, Bone]]  # left, right: upper, lower
    legs: tuple[tuple[Bone, Bone], tuple[Bone, Bone]]
    lean: float = 0.0  # trunk forward
    twist: float = 0.0  # shoulders to the right against the hips
    look: float = 0.0  # head to the right
    nod: float = 0.0  # head up


def hanging(rng: np.random.Generator, swing: float = 0.0) -> tuple[Bone, Bone]:
    spread = rng.uniform(0.06, 0.22)
    return (swing, spread), (swing + rng.uniform(0.1, 0.5), spread - rng.uniform(0.0, 0.2))


def on_hip(rng: np.random.Generator) -> tuple[Bone, Bone]:
    return (-0.35, rng.uniform(0.65, 0.85)), (0.55, rng.uniform(-0.9, -0.7))


def bent_up(rng: np.random.Generator) -> tuple[Bone, Bone]:
    """A hand before the chest: holding a cup or a telephone."""
    return (rng.uniform(0.1, 0.5), 0.12), (rng.uniform(1.7, 2.2), rng.uniform(-0.5, -0.2))


def waving(rng: np.random.Generator) -> tuple[Bone, Bone]:
    return (0.15, rng.uniform(1.3, 1.9)), (0.15, rng.uniform(2.5, 3.2))


def raised(rng: np.random.Generator) -> tuple[Bone, Bone]:
    return (rng.uniform(-0.1, 0.4), rng.uniform(2.2, 2.7)), (0.1, rng.uniform(2.6, 3.1))


def reaching(rng: np.random.Generator) -> tuple[Bone, Bone]:
    flex = rng.uniform(1.2, 1.8)
    return (flex, 0.1), (flex + 0.15, 0.05)


ARMS: tuple[Callable[[np.random.Generator], tuple[Bone, Bone]], ...] = (hanging, hanging, hanging, on_hip, bent_up, reaching)


def pick(rng: np.random.Generator) -> tuple[Bone, Bone]:
    return ARMS[rng.integers(len(ARMS))](rng)


def upright(rng: np.random.Generator) -> tuple[tuple[Bone, Bone], tuple[Bone, Bone]]:
    def leg(ease: float) -> tuple[Bone, Bone]:
        return (ease, rng.uniform(0.0, 0.14)), (-0.4 * abs(ease), rng.uniform(0.0, 0.08))

    return leg(rng.uniform(-0.05, 0.2)), leg(rng.uniform(-0.05, 0.2))


def stand(rng: np.random.Generator) -> Posture:
    return Posture((pick(rng), pick(rng)), upright(rng), rng.uniform(-0.04, 0.06), rng.uniform(-0.25, 0.25), rng.uniform(-0.7, 0.7), rng.uniform(-0.3, 0.15))


def wave(rng: np.random.Generator) -> Posture:
    arms = (waving(rng), pick(rng)) if rng.random() < 0.5 else (pick(rng), waving(rng))
    return Posture(arms, upright(rng), look=rng.uniform(-0.3, 0.3), nod=rng.uniform(0, 0.2))


def cheer(rng: np.random.Generator) -> Posture:
    return Posture((raised(rng), raised(rng)), upright(rng), -0.05, nod=rng.uniform(0, 0.35))


def walk(rng: np.random.Generator) -> Posture:
    phase, reach = rng.uniform(0, math.tau), rng.uniform(0.35, 0.5)
    legs = (stepping(phase, reach, 0.7), stepping(phase + math.pi, reach, 0.7))
    swing = 0.8 * reach * math.sin(phase)
    arms = (hanging(rng, -swing), hanging(rng, swing))
    return Posture(arms, legs, 0.05, 0.25 * math.sin(phase), rng.uniform(-0.4, 0.4), rng.uniform(-0.2, 0.05))


def stepping(phase: float, reach: float, fold: float) -> tuple[Bone, Bone]:
    """A leg in mid gait: the shank folds back while the thigh comes forward."""
    thigh = reach * math.sin(phase) + 0.1
    lift = max(0.0, math.cos(phase)) * fold
    return (thigh + 0.5 * lift, 0.03), (thigh - 0.12 - lift, 0.02)


def run(rng: np.random.Generator) -> Posture:
    phase, reach = rng.uniform(0, math.tau), rng.uniform(0.7, 0.95)
    legs = (stepping(phase, reach, 1.5), stepping(phase + math.pi, reach, 1.5))
    swing = math.sin(phase)
    arms = (pumping(-swing), pumping(swing))
    return Posture(arms, legs, rng.uniform(0.15, 0.3), 0.35 * swing, nod=0.05)


def pumping(swing: float) -> tuple[Bone, Bone]:
    return (0.9 * swing - 0.1, 0.2), (0.9 * swing + 1.3, -0.1)


def sit(rng: np.random.Generator) -> Posture:
    """On the ground, knees up."""

    def leg() -> tuple[Bone, Bone]:
        shank = rng.uniform(0.45, 1.0)
        thigh = math.acos(0.13 - 0.98 * math.cos(shank))  # so that the seat and the heels meet the ground
        return (thigh, rng.uniform(0.05, 0.3)), (shank, rng.uniform(-0.1, 0.1))

    behind = (-0.6, 0.25), (-0.5, 0.2)
    round_knees = (rng.uniform(0.6, 0.9), 0.15), (rng.uniform(1.1, 1.4), -0.3)
    arms = (behind, round_knees) if rng.random() < 0.3 else (round_knees, round_knees)
    return Posture(arms, (leg(), leg()), rng.uniform(-0.2, 0.15), look=rng.uniform(-0.7, 0.7), nod=rng.uniform(-0.2, 0.1))


def squat(rng: np.random.Generator) -> Posture:
    leg = (rng.uniform(1.6, 1.95), rng.uniform(0.15, 0.4)), (-0.55, 0.05)
    return Posture((reaching(rng), bent_up(rng)), (leg, leg), rng.uniform(0.35, 0.6), look=rng.uniform(-0.4, 0.4), nod=-0.1)


def bow(rng: np.random.Generator) -> Posture:
    """Bending down to something on the ground."""
    return Posture((hanging(rng, 0.3), reaching(rng)), upright(rng), rng.uniform(0.7, 1.2), rng.uniform(-0.2, 0.2), nod=-0.4)


POSTURES: dict[str, Callable[[np.random.Generator], Posture]] = {
    "stand": stand,
    "walk": walk,
    "run": run,
    "wave": wave,
    "cheer": cheer,
    "sit": sit,
    "squat": squat,
    "bow": bow,
}
