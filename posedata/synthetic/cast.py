"""Who appears in a scene: bodies with their looks, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .person import PERSON_POINTS, build, person
from .quadruped import QUADRUPED_POINTS, materials, quadruped
from .shading import Material
from .solids import Body
from .species import COMPANY, QUADRUPEDS
from .wardrobe import outfit

PEOPLE_GROUNDS = ("grass", "street", "sand", "snow", "forest", "room", "street", "meadow")
PERSON_POSES = ("stand", "stand", "stand", "walk", "walk", "walk", "run", "run", "wave", "cheer", "sit", "squat", "bow")

SPECIES: dict[str, tuple[str, ...]] = {"quadruped": tuple(QUADRUPEDS), "person": ("person",)}
POINTS: dict[str, tuple[str, ...]] = {"quadruped": QUADRUPED_POINTS, "person": PERSON_POINTS}


class Actor(NamedTuple):
    species: str
    coat: str
    pose: str
    height: float  # metres in one unit of the body
    body: Body
    materials: dict[str, Material]


class Troupe(NamedTuple):
    ground: str
    actors: list[Actor]


def animal(name: str, rng: np.random.Generator) -> Actor:
    kind = QUADRUPEDS[name]
    pose = kind.poses[rng.integers(len(kind.poses))]
    coat = list(kind.coats)[rng.integers(len(kind.coats))]
    young = rng.uniform(0.88, 1.06)
    return Actor(name, coat, pose, kind.height * young, quadruped(name, pose, rng), materials(kind.coats[coat], rng))


def human(rng: np.random.Generator) -> Actor:
    pose = PERSON_POSES[rng.integers(len(PERSON_POSES))]
    frame, dress = build(rng), outfit(rng)
    height = rng.uniform(1.0, 1.35) if frame.head > 1.2 else rng.uniform(1.52, 1.92)
    return Actor("person", dress.coat, pose, height, person(pose, frame, dress, rng), dress.materials)


def herd(rng: np.random.Generator) -> Troupe:
    """Mostly of one kind, now and then a mixed company."""
    lead = SPECIES["quadruped"][rng.integers(len(QUADRUPEDS))]
    ground = QUADRUPEDS[lead].grounds[rng.integers(len(QUADRUPEDS[lead].grounds))]
    count = int(np.searchsorted([0.02, 0.55, 0.78, 0.9, 0.96], rng.random()))
    company = next((c for c in COMPANY if lead in c), (lead,)) if rng.random() < 0.35 else (lead,)
    names = [lead, *(company[rng.integers(len(company))] for _ in range(count))][:count]
    return Troupe(ground, [animal(name, rng) for name in names])


def crowd(rng: np.random.Generator) -> Troupe:
    ground = PEOPLE_GROUNDS[rng.integers(len(PEOPLE_GROUNDS))]
    count = int(np.searchsorted([0.02, 0.42, 0.68, 0.83, 0.9, 0.94, 0.97, 0.985], rng.random()))
    return Troupe(ground, [human(rng) for _ in range(count)])


TROUPES: dict[str, Callable[[np.random.Generator], Troupe]] = {"quadruped": herd, "person": crowd}
