"""Ears, tails, horns, trunks and manes: what makes a four-legged body somebody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .solids import FORWARD, Solid, Vector, tip, unit
from .species import Species

if TYPE_CHECKING:
    from .quadruped import Head, Trunk

SIGNS = (-1, 1)


def bent(root: Vector, length: float, angles: list[float], thick: list[float], material: str, fray: float = 0.0) -> list[Solid]:
    """A chain of equal bones in the plane of the spine; angles are above the backward horizon."""
    solids, at = [], root
    for i, angle in enumerate(angles):
        end = at + length / len(angles) * tip(-FORWARD, -angle)
        solids.append(Solid(at, end, thick[i], thick[i + 1], material, fray=fray, start=0.25 * i))
        at = end
    return solids


def pointed_ears(kind: Species, head: Head) -> list[Solid]:
    r, size, solids = kind.skull, kind.ear_size, []
    for s in SIGNS:
        root, end = head.at(-0.15 * r, 0.62 * r, s * 0.55 * r), head.at(-0.2 * r, 0.7 * r + size, s * (0.7 * r + 0.1 * size))
        ahead = head.forward * 0.02
        solids.append(Solid(root, end, 0.42 * size, 0.08 * size, "coat", 0.5, head.forward))
        solids.append(Solid(root + ahead * 1.4, 0.8 * end + 0.2 * root + ahead, 0.27 * size, 0.05 * size, "inner", 0.45, head.forward))
    return solids


def round_ears(kind: Species, head: Head) -> list[Solid]:
    r, size, solids = kind.skull, kind.ear_size, []
    for s in SIGNS:
        at = head.at(-0.2 * r, 0.8 * r, s * 0.72 * r)
        solids.append(Solid(at, at, size, size, "coat", 0.5, head.forward))
        solids.append(Solid(at + head.forward * 0.4 * size, at + head.forward * 0.4 * size, 0.6 * size, 0.6 * size, "inner", 0.4, head.forward))
    return solids


def floppy_ears(kind: Species, head: Head) -> list[Solid]:
    r, size = kind.skull, kind.ear_size
    return [
        Solid(head.at(-0.2 * r, 0.6 * r, s * 0.75 * r), head.at(-0.1 * r, 0.55 * r - size, s * 1.05 * r), 0.35 * size, 0.4 * size, "mark", 0.4, head.aside)
        for s in SIGNS
    ]


def leaf_ears(kind: Species, head: Head) -> list[Solid]:
    r, size = kind.skull, kind.ear_size
    return [
        Solid(
            head.at(-0.35 * r, 0.6 * r, s * 0.7 * r),
            head.at(-0.5 * r, 0.75 * r + 0.25 * size, s * (0.8 * r + size)),
            0.22 * size,
            0.2 * size,
            "face",
            0.5,
            head.forward,
        )
        for s in SIGNS
    ]


def upright_ears(kind: Species, head: Head) -> list[Solid]:
    r, size = kind.skull, kind.ear_size
    return [
        Solid(head.at(-0.5 * r, 0.7 * r, s * 0.5 * r), head.at(-0.55 * r, 0.9 * r + size, s * 0.6 * r), 0.26 * size, 0.08 * size, "face", 0.7, head.forward)
        for s in SIGNS
    ]


def fan_ears(kind: Species, head: Head) -> list[Solid]:
    """Elephant: great flat sails, spread a little from the neck."""
    r, size, solids = kind.skull, kind.ear_size, []
    for s in SIGNS:
        face = 0.85 * head.aside * s + 0.5 * head.forward
        top, low = head.at(-0.55 * r, 0.25 * r, s * 1.15 * r), head.at(-0.5 * r, -0.95 * r, s * 1.2 * r)
        solids.append(Solid(top, low, 0.72 * size, 0.4 * size, "coat", 0.14, face / np.linalg.norm(face)))
    return solids


def trunk_and_tusks(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    r = kind.skull
    joints = [head.at(0.75 * r, -0.3 * r, 0), head.at(1.25 * r, -1.2 * r, 0), head.at(1.3 * r, -2.1 * r, 0), head.at(1.5 * r, -2.85 * r, 0)]
    thick = [0.5 * r, 0.36 * r, 0.25 * r, 0.18 * r]
    trunk = [Solid(joints[i], joints[i + 1], thick[i], thick[i + 1], "coat", start=0.3 * i) for i in range(3)]
    tusks = [Solid(head.at(0.75 * r, -0.6 * r, s * 0.45 * r), head.at(1.75 * r, -1.0 * r, s * 0.55 * r), 0.11 * r, 0.05 * r, "horn") for s in SIGNS]
    return trunk + tusks


def horns(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    r, solids = kind.skull, []
    for s in SIGNS:
        joints = [head.at(-0.2 * r, 0.8 * r, s * 0.5 * r), head.at(-0.1 * r, 1.1 * r, s * 1.2 * r), head.at(0.1 * r, 1.7 * r, s * 1.35 * r)]
        solids += [Solid(joints[0], joints[1], 0.16 * r, 0.12 * r, "horn"), Solid(joints[1], joints[2], 0.12 * r, 0.04 * r, "horn")]
    return solids


def ossicones(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    r, solids = kind.skull, []
    for s in SIGNS:
        root, end = head.at(-0.3 * r, 0.8 * r, s * 0.4 * r), head.at(-0.5 * r, 1.75 * r, s * 0.5 * r)
        solids += [Solid(root, end, 0.17 * r, 0.13 * r, "face"), Solid(end, end, 0.22 * r, 0.22 * r, "mane")]
    return [*solids, *crest(kind, head, neck)]


def antlers(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    """Two beams that sweep back and up, with three tines each."""
    r, solids = kind.skull, []
    for s in SIGNS:
        beam = [
            head.at(0.0, 0.8 * r, s * 0.35 * r),
            head.at(-1.0 * r, 1.9 * r, s * 1.3 * r),
            head.at(-0.9 * r, 3.2 * r, s * 1.7 * r),
            head.at(-0.2 * r, 4.0 * r, s * 1.5 * r),
        ]
        solids += [Solid(beam[i], beam[i + 1], (0.16 - 0.03 * i) * r, (0.13 - 0.03 * i) * r, "horn") for i in range(3)]
        for i, forward in ((0, 0.9), (1, 1.1), (2, -0.5)):
            root = 0.5 * (beam[i] + beam[i + 1])
            end = root + head.forward * forward * r + head.up * 0.6 * r + head.aside * s * 0.2 * r
            solids.append(Solid(root, end, 0.11 * r, 0.04 * r, "horn"))
    return solids


def crest(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    """A short upright mane along the back of the neck."""
    back = back_of(neck)
    root, crown = neck.a + back * neck.ra * 0.85, neck.b + back * neck.rb * 0.95
    return [Solid(root, crown, 0.045, 0.045, "mane", 0.5), Solid(crown, head.at(0.2 * kind.skull, 0.95 * kind.skull, 0), 0.045, 0.03, "mane", 0.5)]


def mane(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    """Long hair that falls on both sides of the neck."""
    back, solids = back_of(neck), crest(kind, head, neck)
    for share in (0.2, 0.45, 0.7, 0.95):
        at = (1 - share) * (neck.a + back * neck.ra * 0.8) + share * (neck.b + back * neck.rb * 0.8)
        down = np.array([0.03, -0.17, 0.0])
        for s in SIGNS:
            solids.append(Solid(at, at + down + s * head.aside * 0.09, 0.05, 0.03, "mane", fray=0.4))
    return solids


def ruff(kind: Species, head: Head, neck: Solid) -> list[Solid]:
    """Lion: a great ring of hair behind the face and down to the chest."""
    r = kind.skull
    ring = head.at(-0.55 * r, -0.1 * r, 0)
    return [
        Solid(ring, ring, 1.6 * r, 1.6 * r, "mane", 0.55, head.forward, 0.4),
        Solid(ring - head.forward * 0.3 * r - head.up * 0.3 * r, neck.a + np.array([0.06, -0.06, 0.0]), 1.4 * r, 1.15 * r, "mane", 0.85, fray=0.4),
    ]


def back_of(neck: Solid) -> Vector:
    along = neck.b - neck.a
    return unit(-along[1], along[0], 0.0)


def udder(kind: Species, trunk: Trunk) -> Solid:
    at = trunk.rump + np.array([0.14, -kind.rump * 0.95, 0.0])
    return Solid(at, at + np.array([0.05, 0.0, 0.0]), 0.09, 0.09, "udder")


def wool(kind: Species, trunk: Trunk) -> Solid:
    return Solid(trunk.chest, trunk.chest + 0.25 * FORWARD * kind.chest, kind.chest * 0.95, kind.chest * 0.8, "coat", kind.flat)


def long_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    return bent(root, size, [lift - 0.9, lift - 0.5, lift, lift + 0.7, lift + 1.3], [0.05, 0.048, 0.045, 0.042, 0.04, 0.035], "coat")


def sabre_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    return bent(root, size, [lift, lift + 0.4, lift + 0.9], [0.055, 0.045, 0.035, 0.02], "coat")


def bushy_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    body = bent(root, size, [lift - 0.9, lift - 0.6, lift - 0.2], [0.05, 0.1, 0.11, 0.06], "coat")
    end = body[-1].b
    brush = Solid(end, end + 0.12 * tip(-FORWARD, 0.2 - lift), 0.07, 0.02, "mane")
    return [solid._replace(fray=0.3) for solid in (*body, brush)]


def hair_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    return bent(root, size, [lift - 0.6, lift - 1.3, lift - 1.5], [0.04, 0.065, 0.07, 0.025], "mane", 0.4)


def tuft_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    body = bent(root, size, [lift - 1.0, lift - 1.5, lift - 1.4], [0.032, 0.024, 0.02, 0.018], "coat")
    end = body[-1].b
    return [*body, Solid(end, end + 0.12 * tip(-FORWARD, 1.4 - lift), 0.035, 0.022, "mane")]


def short_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    return bent(root, size, [lift - 0.8], [0.06, 0.03], "mane")


def curl_tail(root: Vector, size: float, lift: float) -> list[Solid]:
    return bent(root, size, [0.3, 1.6, 3.0, 4.4], [0.03, 0.025, 0.022, 0.018, 0.015], "coat")


EARS: dict[str, Callable[[Species, Head], list[Solid]]] = {
    "pointed": pointed_ears,
    "round": round_ears,
    "floppy": floppy_ears,
    "leaf": leaf_ears,
    "upright": upright_ears,
    "fan": fan_ears,
}
TAILS: dict[str, Callable[[Vector, float, float], list[Solid]]] = {
    "long": long_tail,
    "sabre": sabre_tail,
    "bushy": bushy_tail,
    "hair": hair_tail,
    "tuft": tuft_tail,
    "short": short_tail,
    "curl": curl_tail,
}
ON_HEAD: dict[str, Callable[[Species, Head, Solid], list[Solid]]] = {
    "trunk": trunk_and_tusks,
    "horns": horns,
    "ossicones": ossicones,
    "antlers": antlers,
    "crest": crest,
    "mane": mane,
    "ruff": ruff,
}
ON_TRUNK: dict[str, Callable[[Species, Trunk], Solid]] = {"udder": udder, "wool": wool}
