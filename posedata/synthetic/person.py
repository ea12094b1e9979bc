"""People from a posture, a build and an outfit. Lengths are in body heights."""

from __future__ import annotations

from math import cos, sin
from typing import NamedTuple

import numpy as np

from .posture import POSTURES, Bone, Posture
from .quadruped import Head, grounded
from .solids import FORWARD, SIDEWAYS, UP, Body, Point, Solid, Vector, tip, turn
from .wardrobe import HAIR, Outfit

PERSON_POINTS: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
SIDES = (("left", -1), ("right", 1))


class Build(NamedTuple):
    """How this person departs from the mean; 1 is average."""

    head: float  # children have large heads
    girth: float
    shoulders: float
    hips: float
    legs: float


def build(rng: np.random.Generator) -> Build:
    child = rng.random() < 0.18
    head = rng.uniform(1.25, 1.45) if child else rng.uniform(1.0, 1.12)
    wide = rng.uniform(0.85, 1.12)
    return Build(head, rng.uniform(0.88, 1.25), wide, rng.uniform(0.92, 1.15), 0.9 if child else rng.uniform(0.97, 1.04))


def person(pose: str, frame: Build, outfit: Outfit, rng: np.random.Generator) -> Body:
    """A clothed body that stands or sits on the ground above the origin."""
    posture = POSTURES[pose](rng)
    points: dict[str, Point] = {}
    thighs = []
    hip = 0.52 * frame.legs * UP
    solids = torso(posture, frame, outfit, hip)
    solids += head(posture, frame, outfit, hip, points)
    for (side, sign), arm_bones, leg_bones in zip(SIDES, posture.arms, posture.legs, strict=True):
        solids += arm(side, shoulder(posture, frame, hip, sign), sign, arm_bones, frame, outfit, points)
        limb = leg(side, hip + sign * 0.055 * frame.hips * SIDEWAYS, sign, leg_bones, frame, outfit, points)
        thighs.append(limb[0])
        solids += limb
    solids += outfit.skirt(hip, thighs)
    return grounded(solids, [points[p] for p in PERSON_POINTS])


def leaned(posture: Posture, x: float, y: float) -> Vector:
    """A vector of the trunk, after it leans."""
    return tip(np.array([x, y, 0.0]), -posture.lean)


def shoulder(posture: Posture, frame: Build, hip: Vector, sign: int) -> Vector:
    return np.asarray(hip + leaned(posture, 0.0, 0.29) + turn(sign * 0.108 * frame.shoulders * SIDEWAYS, posture.twist))


def torso(posture: Posture, frame: Build, outfit: Outfit, hip: Vector) -> list[Solid]:
    g, facing = frame.girth, turn(leaned(posture, 1.0, 0.0), posture.twist / 2)
    belly, chest = hip + leaned(posture, 0.004, 0.045), hip + leaned(posture, 0.0, 0.235)
    yoke = [shoulder(posture, frame, hip, sign) - leaned(posture, 0.0, 0.006) for _, sign in SIDES]
    side = 0.05 * frame.hips * SIDEWAYS
    return [
        Solid(belly, chest, 0.093 * g, 0.104 * frame.shoulders, "top", 0.68, facing),
        Solid(yoke[0], yoke[1], 0.045, 0.045, "top", start=0.3),
        Solid(hip - side, hip + side, 0.07 * g**0.5, 0.07 * g**0.5, "top" if outfit.long_top else "bottom", 0.95, FORWARD),
        Solid(hip + leaned(posture, 0, 0.285), hip + leaned(posture, 0.008, 0.35), 0.037, 0.032, "skin"),
    ]


def bone(flex: float, spread: float, sign: int) -> Vector:
    return np.array([sin(flex) * cos(spread), -cos(flex) * cos(spread), sign * sin(spread)])


def arm(side: str, start: Vector, sign: int, bones: tuple[Bone, Bone], frame: Build, outfit: Outfit, points: dict[str, Point]) -> list[Solid]:
    g = frame.girth**0.5
    elbow = start + 0.165 * bone(*bones[0], sign)
    wrist = elbow + 0.145 * bone(*bones[1], sign)
    fingers = wrist + 0.05 * bone(*bones[1], sign)
    for name, at, flesh in (("shoulder", start, 0.055), ("elbow", elbow, 0.04), ("wrist", wrist, 0.034)):
        points[f"{side}_{name}"] = Point(at, flesh * 1.4)
    upper, lower = outfit.sleeves
    loose = 0.004 if lower == "top" else 0.0
    return [
        Solid(start, elbow, 0.046 * g, 0.031 * g + loose, upper, start=0.3),
        Solid(elbow, wrist, 0.03 * g + loose, 0.021 * g + loose, lower, start=0.45),
        Solid(wrist, fingers, 0.022, 0.02, "skin", 0.7),
    ]


def leg(side: str, start: Vector, sign: int, bones: tuple[Bone, Bone], frame: Build, outfit: Outfit, points: dict[str, Point]) -> list[Solid]:
    g = frame.girth**0.5
    knee = start + 0.24 * frame.legs * bone(*bones[0], sign)
    ankle = knee + 0.235 * frame.legs * bone(*bones[1], sign)
    for name, at, flesh in (("hip", start, 0.075), ("knee", knee, 0.045), ("ankle", ankle, 0.034)):
        points[f"{side}_{name}"] = Point(at, flesh * 1.4)
    upper, lower = outfit.trousers
    loose = 0.006 if lower == "bottom" else 0.0
    return [
        Solid(start, knee, 0.068 * g, 0.042 * g + loose, upper),
        Solid(knee, ankle, 0.041 * g + loose, 0.026 * g + loose, lower, start=0.24),
        *foot(side, ankle, sign, bones[1][0], points),
    ]


def foot(side: str, ankle: Vector, sign: int, shank: float, points: dict[str, Point]) -> list[Solid]:
    """A shoe from heel to toes; it stays flat until the shank leans far."""
    slope = min(0.0, shank + 0.25) * 0.8 + max(0.0, shank - 0.5) * 0.5

    def place(x: float, y: float, z: float) -> Vector:
        return np.asarray(ankle + turn(tip(np.array([x, y, 0.0]), slope), sign * 0.15) + sign * z * SIDEWAYS)

    heel, big, small = place(-0.026, -0.03, 0.0), place(0.098, -0.034, -0.012), place(0.082, -0.035, 0.016)
    for name, at in (("heel", heel), ("big_toe", big), ("small_toe", small)):
        points[f"{side}_{name}"] = Point(at, 0.034)
    return [
        Solid(heel + 0.008 * UP, big, 0.031, 0.017, "shoe"),
        Solid(heel + 0.008 * UP, small, 0.031, 0.016, "shoe"),
    ]


def head(posture: Posture, frame: Build, outfit: Outfit, hip: Vector, points: dict[str, Point]) -> list[Solid]:
    """Skull, face and hair; sets the five points of the face."""
    k, nod = frame.head, posture.nod - 0.5 * posture.lean
    yaw = posture.twist + posture.look
    centre = hip + leaned(posture, 0.012, 0.35 + 0.062 * k)
    frame_of = Head(centre, turn(tip(FORWARD, nod), yaw), turn(tip(UP, nod), yaw), turn(SIDEWAYS, yaw))
    at = Skull(frame_of, k)
    solids = [
        Solid(at(0.006, -0.03, 0.0), at(-0.004, 0.016, 0.0), 0.046 * k, 0.06 * k, "skin", 0.9, frame_of.aside),
        Solid(at(0.052, -0.006, 0.0), at(0.062, -0.02, 0.0), 0.007 * k, 0.011 * k, "skin"),
        Solid(at(0.05, -0.045, -0.011), at(0.05, -0.045, 0.011), 0.005 * k, 0.005 * k, "lips"),
    ]
    points["nose"] = Point(at(0.064, -0.02, 0.0), 0.014 * k)
    for side, sign in SIDES:
        eye, ear = at(0.052, 0.002, sign * 0.023), at(-0.004, -0.01, sign * 0.055)
        points[f"{side}_eye"], points[f"{side}_ear"] = Point(eye, 0.016 * k), Point(ear, 0.02 * k)
        solids += [
            Solid(eye, eye, 0.0095 * k, 0.0095 * k, "white"),
            Solid(at(0.0575, 0.002, sign * 0.0235), at(0.0575, 0.002, sign * 0.0235), 0.007 * k, 0.007 * k, "pupil"),
            Solid(ear, ear, 0.017 * k, 0.017 * k, "skin", 0.5, frame_of.aside),
        ]
    return solids + HAIR[outfit.hair](at, k, frame_of)


class Skull(NamedTuple):
    """Places in a head of size `k`."""

    head: Head
    k: float

    def __call__(self, forward: float, up: float, aside: float) -> Vector:
        return self.head.at(forward * self.k, up * self.k, aside * self.k)
