"""Four-legged bodies from a species and a stance."""

from __future__ import annotations

from math import cos, sin
from typing import NamedTuple

import numpy as np

from . import adornments
from .gait import LEGS, STANCES, Angles, Stance
from .shading import Colour, Material
from .solids import FORWARD, SIDEWAYS, UP, Body, Point, Solid, Vector, tip, turn
from .species import QUADRUPEDS, Coat, Species

QUADRUPED_POINTS: tuple[str, ...] = (
    "left_eye", "right_eye", "nose", "neck", "root_of_tail",
    "left_shoulder", "left_elbow", "left_front_paw", "right_shoulder", "right_elbow", "right_front_paw",
    "left_hip", "left_knee", "left_back_paw", "right_hip", "right_knee", "right_back_paw",
)  # fmt: skip

EYE: Colour = (0.05, 0.04, 0.04)


class Trunk(NamedTuple):
    chest: Vector
    rump: Vector
    pitch: float

    def at(self, x: float, y: float, z: float) -> Vector:
        """A place given from the chest, along, above and to the right of the spine."""
        return np.asarray(self.chest + tip(np.array([x, y, z]), self.pitch))


class Head(NamedTuple):
    centre: Vector
    forward: Vector
    up: Vector
    aside: Vector  # to the right

    def at(self, forward: float, up: float, aside: float) -> Vector:
        return np.asarray(self.centre + forward * self.forward + up * self.up + aside * self.aside)


def quadruped(name: str, pose: str, rng: np.random.Generator) -> Body:
    """A body of the species, its lowest part on the ground, its middle over the origin."""
    kind = QUADRUPEDS[name]
    stance = STANCES[pose](kind.bend, rng)
    trunk = trunk_of(kind, stance)
    points: dict[str, Point] = {}
    solids = barrel(kind, trunk)
    for leg in LEGS:
        solids += limb(kind, trunk, leg, stance.legs[leg], points)
    solids += neck_and_head(kind, trunk, stance, points)
    solids += tail(kind, trunk, stance, points)
    return grounded(solids, [points[p] for p in QUADRUPED_POINTS])


def grounded(solids: list[Solid], points: list[Point]) -> Body:
    """The body moved so that it touches the ground."""
    lift = min(min(s.a[1] - s.ra, s.b[1] - s.rb) for s in solids) * UP
    return Body(
        [s._replace(a=s.a - lift, b=s.b - lift) for s in solids],
        [p._replace(at=p.at - lift) for p in points],
    )


def trunk_of(kind: Species, stance: Stance) -> Trunk:
    rump = np.array([-kind.length / 2, kind.croup - kind.rump, 0.0])
    chest = np.array([kind.length / 2, 1 - kind.chest, 0.0])
    along = tip(chest - rump, stance.rear_up)
    return Trunk(rump + along, rump, stance.rear_up)


def barrel(kind: Species, trunk: Trunk) -> list[Solid]:
    """Chest, belly and rump: three tapering barrels that share the belly."""
    sag = 0.5 * (kind.chest + kind.rump) - kind.waist
    middle = 0.45 * trunk.chest + 0.55 * trunk.rump + tip(np.array([0.0, sag * 0.5, 0.0]), trunk.pitch)
    half = float(np.linalg.norm(trunk.chest - middle))
    fray = 0.25 if "wool" in kind.extras else 0.0
    solids = [
        Solid(trunk.chest, middle, kind.chest, kind.waist, "coat", kind.flat, fray=fray),
        Solid(middle, trunk.rump, kind.waist, kind.rump, "coat", kind.flat, fray=fray, start=half),
    ]
    return solids + [grow(kind, trunk) for extra, grow in adornments.ON_TRUNK.items() if extra in kind.extras]


def limb(kind: Species, trunk: Trunk, leg: str, angles: Angles, points: dict[str, Point]) -> list[Solid]:
    """One leg: three bones and a foot; sets its three keypoints."""
    side, place = leg.split("_")
    front, sign = place == "front", 1 if side == "right" else -1
    girth = kind.chest if front else kind.rump
    wide = sign * (girth * kind.flat - 0.75 * kind.limb)
    start = trunk.at(0.06, -0.12 * girth, wide) if front else trunk.rump + tip(np.array([-0.02, 0.1 * girth, wide]), trunk.pitch)
    reach = (1 - kind.chest * 1.12) if front else kind.croup - kind.rump * 0.9
    joints = chain(start, angles, bone_lengths(kind, front, reach - kind.foot * 0.6), -sign * 0.05)
    thick = (kind.limb * (1.45 if front else 1.75), kind.limb * 0.74, kind.shin, kind.shin * 0.9)
    upper, middle, lower, foot = joints
    toe = foot + np.array([kind.foot * (0.35 if kind.hoof else 0.75), 0.0, 0.0])
    names = ("shoulder", "elbow", "front_paw") if front else ("hip", "knee", "back_paw")
    for name, at, flesh in zip(names, (upper, middle, foot), (thick[0], thick[1], kind.foot), strict=True):
        points[f"{side}_{name}"] = Point(at, flesh * 1.4)
    return [
        Solid(upper, middle, thick[0], thick[1], "coat", 0.68),
        Solid(middle, lower, thick[1], thick[2], "coat", start=0.3),
        Solid(lower, foot, thick[2], thick[3], "socks", start=0.6),
        Solid(foot, toe, kind.foot * 0.9, kind.foot * (0.95 if kind.hoof else 0.75), "foot", 0.85),
    ]


def bone_lengths(kind: Species, front: bool, reach: float) -> Angles:
    """Lengths of three bones so that the leg, when standing, spans `reach` downwards."""
    shares = (0.34, 0.36, 0.3) if front else (0.36, 0.36, 0.28)
    standing = STANCES_AT_REST[front]
    span = sum(s * cos(a * kind.bend) for s, a in zip(shares, standing, strict=True))
    first, second, third = (float(s * reach / span) for s in shares)
    return first, second, third


STANCES_AT_REST: dict[bool, Angles] = {True: (-0.4, 0.1, 0.03), False: (0.5, -0.55, 0.08)}


def chain(start: Vector, angles: Angles, lengths: Angles, splay: float) -> list[Vector]:
    """The joints of a limb that hangs from `start`."""
    joints = [start]
    for angle, length in zip(angles, lengths, strict=True):
        joints.append(joints[-1] + length * np.array([sin(angle), -cos(angle), splay]))
    return joints


def neck_and_head(kind: Species, trunk: Trunk, stance: Stance, points: dict[str, Point]) -> list[Solid]:
    base = trunk.at(kind.chest * 0.35, kind.chest * 0.3, 0.0)
    rise = kind.neck_up + stance.neck + 0.4 * trunk.pitch
    toward = turn(tip(FORWARD, rise), 0.4 * stance.look)
    crown = base + kind.neck * toward
    head = head_frame(crown, stance)
    thick, thin = kind.neck_thick
    share = 0.3
    points["neck"] = Point(base + share * kind.neck * toward, ((1 - share) * thick + share * thin) * 1.3)
    neck = Solid(base, crown, thick * 1.12, thin, "coat", 0.72, turn(SIDEWAYS, 0.4 * stance.look), start=0.9)
    extras = [solid for extra, grow in adornments.ON_HEAD.items() if extra in kind.extras for solid in grow(kind, head, neck)]
    return [neck, *face(kind, head, points), *adornments.EARS[kind.ear](kind, head), *extras]


def head_frame(crown: Vector, stance: Stance) -> Head:
    forward, up = turn(tip(FORWARD, stance.nod), stance.look), turn(tip(UP, stance.nod), stance.look)
    return Head(crown, forward, up, turn(SIDEWAYS, stance.look))


def face(kind: Species, head: Head, points: dict[str, Point]) -> list[Solid]:
    """Skull, snout, nose and eyes; sets their keypoints."""
    r, (thick, thin) = kind.skull, kind.snout_thick
    tip_of_snout = head.at(r * 0.6 + kind.snout, -r * 0.32, 0.0)
    nose = tip_of_snout + head.forward * thin * 0.75 + head.up * thin * 0.35
    points["nose"] = Point(nose, thin * 0.9)
    solids = [
        Solid(head.at(-0.1 * r, 0, 0), head.at(0.25 * r, 0, 0), r, r * 0.92, "face", 0.9, head.aside),
        Solid(head.at(r * 0.45, -r * 0.2, 0), tip_of_snout, thick, thin, "snout", 0.9, head.aside),
        Solid(nose, nose, thin * 0.5, thin * 0.5, "nose", 0.7, head.forward),
    ]
    f, u, a = np.array(kind.eyes) / np.linalg.norm(kind.eyes)
    size = max(0.15 * r, 0.016)
    for side, sign in (("left", -1), ("right", 1)):
        eye = head.at((0.1 + f * 0.92) * r, u * 0.95 * r, sign * a * 0.9 * r)
        points[f"{side}_eye"] = Point(eye, size * 2)
        solids.append(Solid(eye, eye, size, size, "eye"))
    return solids


def tail(kind: Species, trunk: Trunk, stance: Stance, points: dict[str, Point]) -> list[Solid]:
    root = trunk.rump + tip(np.array([-0.9 * kind.rump, 0.5 * kind.rump, 0.0]), trunk.pitch)
    points["root_of_tail"] = Point(root, 0.45 * kind.rump)
    return adornments.TAILS[kind.tail](root, kind.tail_size, stance.tail)


def materials(coat: Coat, rng: np.random.Generator) -> dict[str, Material]:
    """What the solids of this animal are made of; no two animals are quite alike in colour."""
    tint = rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)

    def of(colour: Colour | None) -> Colour:
        r, g, b = (np.array(colour or coat.main) * tint).tolist()
        return r, g, b

    fur = Material(colour=of(coat.main), other=of(coat.other), pattern=coat.pattern, size=coat.size, belly=coat.belly and of(coat.belly))
    plain = {name: Material(colour=of(c)) for name, c in {"mane": coat.mane, "inner": (0.78, 0.58, 0.52), "horn": (0.8, 0.74, 0.62)}.items()}
    parts = {"face": coat.face, "snout": coat.snout, "socks": coat.socks}
    marked = {name: fur if colour is None else Material(colour=of(colour)) for name, colour in parts.items()}
    foot = Material(colour=of(coat.foot or coat.socks or darker(coat.main, 0.6)))
    return {
        "coat": fur,
        "mark": Material(colour=of(darker(coat.main, 0.72))),
        "foot": foot,
        **marked,
        **plain,
        "udder": Material(colour=(0.88, 0.65, 0.6)),
        "eye": Material(colour=EYE, rough=0.0, gloss=0.9),
        "nose": Material(colour=of(coat.nose), rough=0.0, gloss=0.35),
    }


def darker(colour: Colour, share: float) -> Colour:
    r, g, b = colour
    return r * share, g * share, b * share
