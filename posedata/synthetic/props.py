"""Things that stand about and hide part of what is behind them. Lengths are in heights of the scene's main figure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .shading import Colour, Material
from .solids import UP, Solid, unit

Prop = tuple[list[Solid], dict[str, Material]]


def spot(x: float, y: float, z: float = 0.0) -> np.ndarray:
    return np.array([x, y, z])


def ball(x: float, y: float, z: float, r: float, flat: float = 1.0) -> Solid:
    """A tuft of leaves."""
    return Solid(spot(x, y, z), spot(x, y, z), r, r, "leaf", flat, UP, fray=0.7)


def foliage(rng: np.random.Generator, colour: Colour) -> Material:
    r, g, b = (np.array(colour) * rng.uniform(0.8, 1.15) * rng.uniform(0.94, 1.06, 3)).tolist()
    return Material(colour=(0.62 * r, 0.62 * g, 0.66 * b), other=(1.3 * r, 1.3 * g, 1.15 * b), pattern="leaves", size=1.3, rough=0.25)


def mound(rng: np.random.Generator, count: int, wide: float, low: float, high: float, r: float) -> list[Solid]:
    """Tufts of leaves heaped within a dome."""
    x = rng.uniform(-1, 1, count)
    y = low + (high - low) * rng.uniform(0, 1, count) * (1 - 0.75 * x * x)
    z, size = rng.uniform(-0.3, 0.3, count) * wide, r * rng.uniform(0.65, 1.2, count)
    return [ball(*row) for row in zip((x * wide).tolist(), y.tolist(), z.tolist(), size.tolist(), strict=True)]


def bush(rng: np.random.Generator) -> Prop:
    green = ((0.3, 0.42, 0.17), (0.38, 0.44, 0.2), (0.26, 0.36, 0.2))[rng.integers(3)]
    return mound(rng, 13, rng.uniform(0.3, 0.55), 0.08, rng.uniform(0.3, 0.6), 0.15), {"leaf": foliage(rng, green)}


def fern(rng: np.random.Generator) -> Prop:
    """Fronds that arch out from one root."""
    solids = []
    for turn, reach in zip(rng.uniform(-1, 1, 9).tolist(), rng.uniform(0.35, 0.6, 9).tolist(), strict=True):
        knee = spot(turn * reach * 0.5, 0.35 * reach + 0.1, 0.1)
        solids.append(Solid(spot(0, 0.02), knee, 0.02, 0.05, "leaf", 0.4, UP, 0.5))
        solids.append(Solid(knee, spot(turn * reach, 0.3 * reach, 0.15), 0.05, 0.012, "leaf", 0.4, UP, 0.5))
    return solids, {"leaf": foliage(rng, (0.33, 0.47, 0.18))}


def rock(rng: np.random.Generator) -> Prop:
    solids = []
    for x in rng.uniform(-0.25, 0.25, int(rng.integers(1, 4))).tolist():
        r = rng.uniform(0.16, 0.34)
        tilt = unit(rng.uniform(-0.5, 0.5), 1.0, rng.uniform(-0.4, 0.4))
        solids.append(Solid(spot(x - 0.1, 0.4 * r), spot(x + 0.1, 0.5 * r), r, 0.8 * r, "stone", rng.uniform(0.55, 0.8), tilt))
    grey = rng.uniform(0.42, 0.6)
    return solids, {"stone": Material(colour=(grey, grey * 0.97, grey * 0.92), rough=0.4)}


def bark(rng: np.random.Generator) -> Material:
    tone = rng.uniform(0.75, 1.1)
    return Material(colour=(0.4 * tone, 0.31 * tone, 0.23 * tone), rough=0.45)


def tree(rng: np.random.Generator) -> Prop:
    """A trunk that forks below a crown, mostly above the frame."""
    thick, tall, lean = rng.uniform(0.08, 0.14), rng.uniform(1.5, 2.0), rng.uniform(-0.15, 0.15)
    fork = spot(lean, tall)
    limbs = [Solid(fork, fork + spot(s * 0.4, 0.5), thick * 0.6, thick * 0.35, "bark") for s in (-1, 1)]
    crown = [s._replace(a=s.a + fork, b=s.b + fork) for s in mound(rng, 10, 0.75, 0.25, 0.95, 0.3)]
    return [Solid(spot(0, 0), fork, thick * 1.2, thick * 0.8, "bark", 0.4, UP), *limbs, *crown], {"bark": bark(rng), "leaf": foliage(rng, (0.3, 0.42, 0.18))}


def acacia(rng: np.random.Generator) -> Prop:
    """A flat crown on thin boughs."""
    tall = rng.uniform(0.9, 1.5)
    fork = spot(0.05, 0.55 * tall)
    boughs = [Solid(fork, spot(x, tall), 0.035, 0.02, "bark") for x in (-0.4, -0.1, 0.35)]
    crown = [ball(x, tall + rng.uniform(-0.03, 0.06), 0.0, rng.uniform(0.17, 0.25), 0.45) for x in np.linspace(-0.6, 0.6, 7).tolist()]
    return [Solid(spot(0, 0), fork, 0.06, 0.045, "bark", 0.4, UP), *boughs, *crown], {"bark": bark(rng), "leaf": foliage(rng, (0.42, 0.46, 0.2))}


def fir(rng: np.random.Generator) -> Prop:
    tall, solids = rng.uniform(1.0, 1.8), [Solid(spot(0, 0), spot(0, 0.3), 0.05, 0.05, "bark")]
    for i in range(5):
        low = 0.16 + 0.17 * i
        wide = 0.3 * tall * (1 - 0.17 * i)
        solids.append(Solid(spot(0, low * tall), spot(0, (low + 0.22) * tall), 0.62 * wide, 0.05 * wide, "leaf", fray=0.5))
    return solids, {"bark": bark(rng), "leaf": foliage(rng, (0.2, 0.32, 0.24))}


def fence(rng: np.random.Generator) -> Prop:
    """Posts and two rails."""
    wide, tone = rng.uniform(0.8, 1.6), rng.uniform(0.8, 1.2)
    posts = [Solid(spot(x, 0), spot(x, 0.55), 0.035, 0.032, "wood") for x in np.linspace(-wide, wide, 4).tolist()]
    rails = [Solid(spot(-wide - 0.1, y, 0.03), spot(wide + 0.1, y + rng.uniform(-0.02, 0.02), 0.03), 0.026, 0.026, "wood", 0.6) for y in (0.22, 0.44)]
    return [*posts, *rails], {"wood": Material(colour=(0.5 * tone, 0.4 * tone, 0.3 * tone), rough=0.35)}


def post(rng: np.random.Generator) -> Prop:
    """A street lamp or a bollard."""
    tall = 0.5 if rng.random() < 0.5 else 2.2
    solids = [
        Solid(spot(0, 0), spot(0, tall), 0.04, 0.034, "iron"),
        Solid(spot(0, 0), spot(0, 0.1), 0.06, 0.05, "iron", 0.3, UP),
        Solid(spot(0, tall), spot(0, tall), 0.06, 0.06, "iron"),
    ]
    return solids, {"iron": Material(colour=(0.2, 0.23, 0.23), rough=0.08, gloss=0.25)}


def planter(rng: np.random.Generator) -> Prop:
    """A pot with leaves."""
    leaves = [s._replace(a=s.a + 0.28 * UP, b=s.b + 0.28 * UP) for s in mound(rng, 8, 0.22, 0.0, 0.35, 0.11)]
    pot = [Solid(spot(0, 0.02), spot(0, 0.25), 0.1, 0.15, "clay", 0.3, UP), Solid(spot(0, 0.26), spot(0, 0.26), 0.16, 0.16, "clay", 0.3, UP)]
    clay: Colour = ((0.66, 0.4, 0.28), (0.8, 0.78, 0.74), (0.35, 0.4, 0.45))[rng.integers(3)]
    return [*pot, *leaves], {"clay": Material(colour=clay, rough=0.08), "leaf": foliage(rng, (0.28, 0.44, 0.22))}


def cushion(rng: np.random.Generator) -> Prop:
    cloth: Colour = ((0.6, 0.32, 0.28), (0.3, 0.42, 0.48), (0.76, 0.6, 0.36))[rng.integers(3)]
    return [Solid(spot(-0.15, 0.14), spot(0.15, 0.14), 0.24, 0.24, "cloth", 0.55, UP)], {"cloth": Material(colour=cloth, rough=0.08)}


PROPS: dict[str, Callable[[np.random.Generator], Prop]] = {
    "bush": bush,
    "fern": fern,
    "rock": rock,
    "tree": tree,
    "acacia": acacia,
    "fir": fir,
    "fence": fence,
    "post": post,
    "planter": planter,
    "cushion": cushion,
}
