"""Hair, clothes and their colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from .shading import Colour, Material
from .solids import Solid, Vector

if TYPE_CHECKING:
    from .quadruped import Head


class Place(Protocol):
    """Turns lengths of an average head, forward, up and to the right, into a place."""

    def __call__(self, forward: float, up: float, aside: float, /) -> Vector: ...


SKINS: tuple[Colour, ...] = (
    (0.95, 0.79, 0.69),
    (0.9, 0.71, 0.58),
    (0.82, 0.62, 0.47),
    (0.7, 0.49, 0.35),
    (0.55, 0.37, 0.26),
    (0.42, 0.28, 0.2),
    (0.31, 0.21, 0.16),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.1, 0.08, 0.07),
    (0.17, 0.11, 0.08),
    (0.3, 0.19, 0.11),
    (0.45, 0.29, 0.15),
    (0.72, 0.54, 0.3),
    (0.55, 0.26, 0.12),
    (0.66, 0.65, 0.64),
)
CLOTHS: tuple[Colour, ...] = (
    (0.86, 0.84, 0.79),
    (0.7, 0.24, 0.21),
    (0.2, 0.33, 0.52),
    (0.23, 0.42, 0.33),
    (0.85, 0.66, 0.28),
    (0.33, 0.32, 0.35),
    (0.55, 0.38, 0.5),
    (0.45, 0.62, 0.72),
    (0.83, 0.49, 0.36),
    (0.16, 0.18, 0.25),
    (0.62, 0.6, 0.42),
    (0.88, 0.68, 0.67),
)
TROUSERS: tuple[Colour, ...] = (
    (0.23, 0.31, 0.46),
    (0.15, 0.18, 0.26),
    (0.17, 0.16, 0.17),
    (0.6, 0.52, 0.4),
    (0.36, 0.34, 0.31),
    (0.4, 0.46, 0.55),
    (0.33, 0.38, 0.28),
)
SHOES: tuple[Colour, ...] = ((0.13, 0.11, 0.11), (0.36, 0.22, 0.14), (0.87, 0.86, 0.84), (0.6, 0.22, 0.2), (0.28, 0.32, 0.42))


class Style(NamedTuple):
    """A kind of dress: what covers the arms and the legs, and the weave of the top."""

    sleeves: tuple[str, str]
    trousers: tuple[str, str]
    bottom: str = "trousers"
    pattern: str = "plain"
    long_top: bool = False


STYLES: dict[str, Style] = {
    "plain": Style(("top", "skin"), ("bottom", "bottom")),
    "striped": Style(("top", "top"), ("bottom", "bottom"), pattern="hoops"),
    "checked": Style(("top", "top"), ("bottom", "bottom"), pattern="checks"),
    "sporty": Style(("top", "skin"), ("bottom", "skin")),
    "coat": Style(("top", "top"), ("bottom", "bottom"), long_top=True),
    "dress": Style(("top", "skin"), ("skin", "skin"), bottom="skirt", long_top=True),
    "dotted": Style(("top", "skin"), ("skin", "skin"), bottom="skirt", pattern="dots"),
}


class Outfit(NamedTuple):
    coat: str
    sleeves: tuple[str, str]
    trousers: tuple[str, str]
    bottom: str
    long_top: bool
    hair: str
    materials: dict[str, Material]

    def skirt(self, hip: Vector, thighs: list[Solid]) -> list[Solid]:
        """A cone of cloth that points where the thighs point, and what of the thighs it cannot hold."""
        if not (self.bottom == "skirt" or self.long_top):
            return []
        cloth, share = "top" if self.long_top else "bottom", 0.75 if self.bottom == "skirt" else 0.5
        hem = hip + share * (0.5 * sum((s.b for s in thighs), np.zeros(3)) - hip)
        wraps = [s._replace(b=(1 - share) * s.a + share * s.b, ra=1.06 * s.ra, rb=0.95 * s.ra, material=cloth) for s in thighs]
        return [cone(hip, hem, cloth), *wraps]


def cone(waist: Vector, hem: Vector, cloth: str) -> Solid:
    """Discs from the waist to the hem: a squeeze along the axis makes balls flat."""
    axis = hem - waist
    return Solid(waist - 0.25 * axis, hem, 0.088, 0.115, cloth, 0.2, axis)


def outfit(rng: np.random.Generator) -> Outfit:
    name = list(STYLES)[rng.integers(len(STYLES))]
    style = STYLES[name]
    hair = list(HAIR)[rng.integers(len(HAIR))]
    return Outfit(name, style.sleeves, style.trousers, style.bottom, style.long_top, hair, dyed(style, rng))


def dyed(style: Style, rng: np.random.Generator) -> dict[str, Material]:
    """Materials of one person: skin, hair and cloth in colours drawn at random."""
    skin, hair, shoe = pick(SKINS, rng), pick(HAIR_COLOURS, rng), pick(SHOES, rng)
    top, other = (CLOTHS[i] for i in rng.permutation(len(CLOTHS))[:2].tolist())
    return {
        "skin": Material(colour=skin, rough=0.04),
        "lips": Material(colour=(skin[0] * 0.75, skin[1] * 0.5, skin[2] * 0.5), rough=0.0),
        "hair": Material(colour=hair, rough=0.3, gloss=0.08),
        "hat": Material(colour=pick(CLOTHS, rng), rough=0.1),
        "top": Material(colour=top, other=other, pattern=style.pattern, size=0.25, rough=0.1),
        "bottom": Material(colour=pick(CLOTHS if style.bottom == "skirt" else TROUSERS, rng), rough=0.14),
        "shoe": Material(colour=shoe, rough=0.05, gloss=0.1),
        "white": Material(colour=(0.95, 0.94, 0.92), rough=0.0),
        "pupil": Material(colour=(0.1, 0.07, 0.05), rough=0.0, gloss=0.6),
    }


def pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    """One of the colours, a little lighter or darker."""
    r, g, b = (np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.92, 1.08)).clip(0, 1).tolist()
    return r, g, b


def short(at: Place, k: float, head: Head) -> list[Solid]:
    return [Solid(at(-0.012, 0.022, 0.0), at(-0.018, 0.006, 0.0), 0.064 * k, 0.062 * k, "hair", 0.93, head.aside)]


def bald(at: Place, k: float, head: Head) -> list[Solid]:
    """Only a fringe behind the ears."""
    return [Solid(at(-0.026, -0.012, 0.0), at(-0.03, -0.02, 0.0), 0.046 * k, 0.04 * k, "hair")]


def long(at: Place, k: float, head: Head) -> list[Solid]:
    return [*short(at, k, head), Solid(at(-0.03, 0.0, 0.0), at(-0.045, -0.13, 0.0), 0.062 * k, 0.055 * k, "hair", 0.6, head.forward)]


def bun(at: Place, k: float, head: Head) -> list[Solid]:
    return [*short(at, k, head), Solid(at(-0.055, 0.07, 0.0), at(-0.055, 0.07, 0.0), 0.032 * k, 0.032 * k, "hair")]


def ponytail(at: Place, k: float, head: Head) -> list[Solid]:
    return [*short(at, k, head), Solid(at(-0.07, 0.03, 0.0), at(-0.11, -0.1, 0.0), 0.026 * k, 0.014 * k, "hair")]


def afro(at: Place, k: float, head: Head) -> list[Solid]:
    return [Solid(at(-0.022, 0.034, 0.0), at(-0.03, 0.02, 0.0), 0.084 * k, 0.082 * k, "hair", fray=0.25)]


def cap(at: Place, k: float, head: Head) -> list[Solid]:
    crown = Solid(at(-0.008, 0.032, 0.0), at(-0.008, 0.032, 0.0), 0.064 * k, 0.064 * k, "hat", 0.8, head.up)
    brim = Solid(at(0.03, 0.032, 0.0), at(0.06, 0.028, 0.0), 0.045 * k, 0.04 * k, "hat", 0.16, head.up)
    return [Solid(at(-0.02, 0.004, 0.0), at(-0.02, 0.004, 0.0), 0.06 * k, 0.06 * k, "hair"), crown, brim]


def sun_hat(at: Place, k: float, head: Head) -> list[Solid]:
    brim = Solid(at(0.0, 0.034, 0.0), at(0.0, 0.034, 0.0), 0.12 * k, 0.12 * k, "hat", 0.1, head.up)
    return [*long(at, k, head)[:1], Solid(at(-0.005, 0.04, 0.0), at(-0.005, 0.06, 0.0), 0.06 * k, 0.05 * k, "hat"), brim]


def scarf(at: Place, k: float, head: Head) -> list[Solid]:
    hood = Solid(at(-0.014, 0.018, 0.0), at(-0.016, -0.02, 0.0), 0.068 * k, 0.064 * k, "hat")
    return [hood, Solid(at(-0.012, -0.06, 0.0), at(-0.01, -0.1, 0.0), 0.05 * k, 0.075 * k, "hat")]


HAIR: dict[str, Callable[[Place, float, Head], list[Solid]]] = {
    "short": short,
    "long": long,
    "bun": bun,
    "ponytail": ponytail,
    "afro": afro,
    "bald": bald,
    "cap": cap,
    "sun_hat": sun_hat,
    "scarf": scarf,
}
