"""What sets one quadruped apart from another: proportions, ears, tails, horns and coats. Lengths are in shoulder heights."""

# Tables read better in their own columns than as the formatter breaks them.
# fmt: off
from __future__ import annotations

from dataclasses import dataclass, field

from .shading import Colour

INK: Colour = (0.09, 0.08, 0.08)
CREAM: Colour = (0.93, 0.88, 0.78)
WHITE: Colour = (0.95, 0.94, 0.91)
PINK: Colour = (0.85, 0.62, 0.57)


@dataclass(frozen=True, kw_only=True)
class Coat:
    main: Colour
    other: Colour = INK
    pattern: str = "plain"
    size: float = 1.0
    belly: Colour | None = None
    face: Colour | None = None      # what is not named takes the main colour
    snout: Colour | None = None
    socks: Colour | None = None
    mane: Colour = INK
    nose: Colour = INK
    foot: Colour | None = None


@dataclass(frozen=True, kw_only=True)
class Species:
    height: float                   # metres at the shoulder
    length: float = 1.0             # shoulder to hip
    chest: float = 0.24
    waist: float = 0.2
    rump: float = 0.22
    croup: float = 1.0              # height of the hips
    flat: float = 0.8               # width of the body against its depth
    limb: float = 0.095
    shin: float = 0.045
    foot: float = 0.06
    hoof: bool = False
    bend: float = 1.0               # how far the legs zigzag
    neck: float = 0.4
    neck_up: float = 0.7            # radians above the horizon
    neck_thick: tuple[float, float] = (0.17, 0.12)
    skull: float = 0.14
    snout: float = 0.16
    snout_thick: tuple[float, float] = (0.09, 0.06)
    eyes: tuple[float, float, float] = (0.55, 0.4, 0.7)     # forward, up, aside
    ear: str = "pointed"
    ear_size: float = 0.14
    tail: str = "tuft"
    tail_size: float = 0.6
    extras: tuple[str, ...] = ()
    poses: tuple[str, ...] = ("stand", "walk", "run")
    grounds: tuple[str, ...] = ("grass",)
    coats: dict[str, Coat] = field(default_factory=dict)


FARM = ("grass", "meadow", "grass", "sand")
WILD = ("savanna", "savanna", "sand", "grass")
WOODS = ("forest", "snow", "meadow", "forest")
HOME = ("grass", "room", "street", "room", "meadow", "snow")

QUADRUPEDS: dict[str, Species] = {
    "cat": Species(
        height=0.3, length=0.92, chest=0.22, waist=0.2, rump=0.21, neck=0.24, neck_up=0.8, neck_thick=(0.15, 0.13),
        skull=0.19, snout=0.1, snout_thick=(0.1, 0.075), eyes=(0.82, 0.22, 0.52), ear_size=0.19, tail="long", tail_size=0.95,
        limb=0.1, shin=0.058, foot=0.072, poses=("stand", "walk", "sit", "sit", "lie"), grounds=HOME,
        coats={
            "tabby": Coat(main=(0.6, 0.5, 0.39), other=(0.22, 0.17, 0.13), pattern="tabby", size=0.62, belly=CREAM, snout=CREAM, nose=PINK),
            "ginger": Coat(main=(0.86, 0.55, 0.27), other=(0.66, 0.33, 0.12), pattern="tabby", size=0.62, belly=CREAM, snout=CREAM, socks=CREAM, nose=PINK),
            "black": Coat(main=(0.15, 0.14, 0.15)),
            "patched": Coat(main=WHITE, other=(0.22, 0.2, 0.2), pattern="patches", size=0.9, nose=PINK),
            "grey": Coat(main=(0.5, 0.53, 0.57), belly=(0.7, 0.72, 0.74)),
        },
    ),
    "dog": Species(
        height=0.55, length=0.9, chest=0.23, waist=0.17, rump=0.19, neck=0.34, neck_up=0.85, neck_thick=(0.16, 0.13),
        skull=0.155, snout=0.19, snout_thick=(0.095, 0.068), eyes=(0.72, 0.35, 0.58), ear="floppy", ear_size=0.2, tail="sabre", tail_size=0.55,
        limb=0.105, shin=0.05, foot=0.066, poses=("stand", "walk", "run", "sit", "lie"), grounds=HOME,
        coats={
            "golden": Coat(main=(0.82, 0.62, 0.36), belly=(0.93, 0.8, 0.58)),
            "brown": Coat(main=(0.4, 0.25, 0.16), snout=(0.55, 0.38, 0.25), socks=(0.62, 0.44, 0.28)),
            "spotted": Coat(main=WHITE, other=INK, pattern="dots", size=0.75),
            "collie": Coat(main=(0.16, 0.15, 0.16), belly=WHITE, snout=WHITE, socks=WHITE),
        },
    ),
    "fox": Species(
        height=0.4, length=1.0, chest=0.2, waist=0.17, rump=0.18, neck=0.3, neck_up=0.6, neck_thick=(0.15, 0.12),
        skull=0.15, snout=0.2, snout_thick=(0.08, 0.04), eyes=(0.72, 0.35, 0.58), ear_size=0.19, tail="bushy", tail_size=0.85,
        limb=0.09, shin=0.045, foot=0.055, poses=("stand", "walk", "run", "sit"), grounds=("snow", "forest", "meadow", "grass"),
        coats={
            "red": Coat(main=(0.8, 0.41, 0.17), belly=CREAM, snout=CREAM, socks=(0.17, 0.13, 0.12), mane=WHITE),
            "arctic": Coat(main=(0.9, 0.91, 0.92), mane=WHITE),
        },
    ),
    "pig": Species(
        height=0.75, length=1.05, chest=0.33, waist=0.35, rump=0.33, flat=0.85, neck=0.2, neck_up=0.1, neck_thick=(0.3, 0.24),
        skull=0.23, snout=0.22, snout_thick=(0.15, 0.115), eyes=(0.62, 0.42, 0.66), ear="leaf", ear_size=0.2, tail="curl", tail_size=0.25,
        limb=0.12, shin=0.065, foot=0.065, hoof=True, bend=0.7, poses=("stand", "walk", "walk"), grounds=FARM,
        coats={
            "pink": Coat(main=(0.9, 0.68, 0.62), nose=(0.78, 0.47, 0.44), foot=(0.5, 0.38, 0.34)),
            "patched": Coat(main=(0.88, 0.7, 0.64), other=(0.2, 0.17, 0.17), pattern="patches", size=1.5, nose=(0.7, 0.45, 0.42)),
        },
    ),
    "sheep": Species(
        height=0.7, length=0.8, chest=0.33, waist=0.34, rump=0.33, flat=0.88, neck=0.26, neck_up=0.6, neck_thick=(0.24, 0.16),
        skull=0.14, snout=0.17, snout_thick=(0.1, 0.07), eyes=(0.5, 0.35, 0.78), ear="leaf", ear_size=0.17, tail="short", tail_size=0.2,
        limb=0.06, shin=0.036, foot=0.05, hoof=True, bend=0.7, poses=("stand", "walk", "graze", "graze"), grounds=FARM, extras=("wool",),
        coats={
            "white": Coat(main=(0.92, 0.89, 0.82), face=(0.9, 0.86, 0.78), socks=(0.84, 0.79, 0.7)),
            "blackface": Coat(main=(0.91, 0.88, 0.81), face=(0.14, 0.13, 0.13), snout=(0.14, 0.13, 0.13), socks=(0.14, 0.13, 0.13)),
        },
    ),
    "cow": Species(
        height=1.4, length=1.12, chest=0.3, waist=0.3, rump=0.27, flat=0.85, neck=0.38, neck_up=0.35, neck_thick=(0.22, 0.16),
        skull=0.15, snout=0.25, snout_thick=(0.12, 0.1), eyes=(0.4, 0.45, 0.8), ear="leaf", ear_size=0.2, tail="tuft", tail_size=0.75,
        limb=0.1, shin=0.05, foot=0.06, hoof=True, bend=0.7, extras=("horns", "udder"),
        poses=("stand", "walk", "graze", "graze"), grounds=FARM,
        coats={
            "patched": Coat(main=WHITE, other=(0.13, 0.12, 0.12), pattern="patches", size=1.6, snout=PINK),
            "brown": Coat(main=(0.55, 0.31, 0.18), snout=(0.85, 0.74, 0.62), mane=(0.4, 0.22, 0.13)),
            "fawn": Coat(main=(0.78, 0.61, 0.43), belly=(0.88, 0.77, 0.62), snout=(0.3, 0.25, 0.22)),
        },
    ),
    "horse": Species(
        height=1.55, length=0.95, chest=0.22, waist=0.2, rump=0.22, neck=0.5, neck_up=0.85, neck_thick=(0.18, 0.115),
        skull=0.125, snout=0.29, snout_thick=(0.1, 0.068), eyes=(0.4, 0.35, 0.8), ear="upright", ear_size=0.14, tail="hair", tail_size=0.6,
        limb=0.105, shin=0.042, foot=0.056, hoof=True, extras=("mane",),
        poses=("stand", "walk", "run", "run", "graze"), grounds=FARM,
        coats={
            "bay": Coat(main=(0.46, 0.25, 0.14), socks=(0.12, 0.1, 0.1)),
            "chestnut": Coat(main=(0.62, 0.34, 0.17), mane=(0.72, 0.44, 0.22), socks=WHITE),
            "grey": Coat(main=(0.78, 0.78, 0.78), other=(0.62, 0.62, 0.64), pattern="dots", size=0.9, mane=(0.55, 0.55, 0.57), snout=(0.45, 0.44, 0.44)),
            "pinto": Coat(main=(0.5, 0.29, 0.17), other=WHITE, pattern="patches", size=1.5, socks=WHITE),
        },
    ),
    "zebra": Species(
        height=1.35, length=0.9, chest=0.24, waist=0.23, rump=0.23, neck=0.43, neck_up=0.85, neck_thick=(0.19, 0.13),
        skull=0.13, snout=0.27, snout_thick=(0.11, 0.075), eyes=(0.4, 0.35, 0.8), ear="upright", ear_size=0.16, tail="tuft", tail_size=0.55,
        limb=0.105, shin=0.045, foot=0.056, hoof=True, extras=("crest",), poses=("stand", "walk", "run", "graze"), grounds=WILD,
        coats={"striped": Coat(main=(0.93, 0.91, 0.86), other=(0.1, 0.09, 0.09), pattern="stripes", size=0.62, snout=(0.17, 0.14, 0.13))},
    ),
    "giraffe": Species(
        height=2.8, length=0.58, chest=0.19, waist=0.16, rump=0.155, croup=0.88, neck=0.78, neck_up=1.12, neck_thick=(0.15, 0.062),
        skull=0.07, snout=0.15, snout_thick=(0.055, 0.04), eyes=(0.4, 0.35, 0.8), ear="leaf", ear_size=0.1, tail="tuft", tail_size=0.42,
        limb=0.075, shin=0.032, foot=0.04, hoof=True, bend=0.6, extras=("ossicones",), poses=("stand", "walk", "walk"), grounds=WILD,
        coats={
            "netted": Coat(main=(0.93, 0.82, 0.6), other=(0.62, 0.36, 0.16), pattern="net", size=0.85,
                socks=(0.93, 0.84, 0.66), snout=(0.82, 0.68, 0.48), mane=(0.5, 0.28, 0.14)),
            "dark": Coat(main=(0.88, 0.74, 0.5), other=(0.38, 0.21, 0.11), pattern="net", size=0.75,
                socks=(0.88, 0.77, 0.57), snout=(0.7, 0.56, 0.4), mane=(0.34, 0.2, 0.12)),
        },
    ),
    "elephant": Species(
        height=3.0, length=0.78, chest=0.32, waist=0.34, rump=0.3, flat=0.86, neck=0.2, neck_up=0.3, neck_thick=(0.24, 0.21),
        skull=0.21, snout=0.1, snout_thick=(0.14, 0.1), eyes=(0.6, 0.1, 0.75), ear="fan", ear_size=0.34, tail="tuft", tail_size=0.45,
        limb=0.145, shin=0.105, foot=0.115, bend=0.25, extras=("trunk", "tusks"), poses=("stand", "walk", "walk"), grounds=WILD,
        coats={
            "grey": Coat(main=(0.5, 0.48, 0.47), foot=(0.6, 0.57, 0.52)),
            "dusty": Coat(main=(0.56, 0.47, 0.4), foot=(0.64, 0.57, 0.49)),
        },
    ),
    "deer": Species(
        height=1.1, length=0.85, chest=0.2, waist=0.17, rump=0.19, neck=0.45, neck_up=1.0, neck_thick=(0.14, 0.085),
        skull=0.105, snout=0.2, snout_thick=(0.075, 0.048), eyes=(0.4, 0.35, 0.8), ear="leaf", ear_size=0.19, tail="short", tail_size=0.18,
        limb=0.09, shin=0.034, foot=0.042, hoof=True, extras=("antlers",), poses=("stand", "walk", "run", "graze"), grounds=WOODS,
        coats={
            "red": Coat(main=(0.58, 0.36, 0.2), belly=(0.85, 0.74, 0.58), snout=(0.35, 0.24, 0.17), mane=CREAM),
            "spotted": Coat(main=(0.66, 0.42, 0.23), other=CREAM, pattern="dots", size=0.62, belly=CREAM, socks=(0.7, 0.5, 0.32), mane=WHITE),
        },
    ),
    "bear": Species(
        height=1.1, length=0.95, chest=0.31, waist=0.3, rump=0.3, flat=0.88, neck=0.26, neck_up=0.25, neck_thick=(0.24, 0.19),
        skull=0.205, snout=0.17, snout_thick=(0.11, 0.075), eyes=(0.8, 0.3, 0.5), ear="round", ear_size=0.1, tail="short", tail_size=0.1,
        limb=0.15, shin=0.095, foot=0.1, bend=0.6, poses=("stand", "walk", "walk", "sit"), grounds=("forest", "snow", "grass", "forest"),
        coats={
            "brown": Coat(main=(0.4, 0.26, 0.16), snout=(0.58, 0.42, 0.28)),
            "black": Coat(main=(0.15, 0.14, 0.15), snout=(0.5, 0.37, 0.25)),
            "white": Coat(main=(0.93, 0.91, 0.84)),
        },
    ),
    "leopard": Species(
        height=0.7, length=1.05, chest=0.22, waist=0.19, rump=0.21, neck=0.27, neck_up=0.45, neck_thick=(0.16, 0.135),
        skull=0.165, snout=0.13, snout_thick=(0.105, 0.08), eyes=(0.78, 0.3, 0.52), ear="round", ear_size=0.085, tail="long", tail_size=0.95,
        limb=0.115, shin=0.065, foot=0.08, poses=("stand", "walk", "run", "lie", "sit"), grounds=(*WILD, "forest"),
        coats={
            "rosettes": Coat(main=(0.88, 0.67, 0.36), other=(0.16, 0.11, 0.08), pattern="rosettes", size=0.8, belly=CREAM, snout=CREAM, nose=(0.5, 0.3, 0.27)),
            "snow": Coat(main=(0.82, 0.8, 0.75), other=(0.25, 0.24, 0.24), pattern="rosettes", size=0.9, belly=WHITE, snout=WHITE, nose=(0.5, 0.35, 0.33)),
        },
    ),
    "lion": Species(
        height=1.05, length=1.0, chest=0.24, waist=0.2, rump=0.21, neck=0.3, neck_up=0.45, neck_thick=(0.18, 0.15),
        skull=0.17, snout=0.16, snout_thick=(0.115, 0.085), eyes=(0.78, 0.3, 0.52), ear="round", ear_size=0.085, tail="tuft", tail_size=0.75,
        limb=0.12, shin=0.068, foot=0.085, extras=("ruff",), poses=("stand", "walk", "run", "lie", "sit"), grounds=WILD,
        coats={
            "tawny": Coat(main=(0.8, 0.6, 0.36), belly=CREAM, snout=(0.9, 0.78, 0.58), mane=(0.44, 0.26, 0.12), nose=(0.4, 0.25, 0.22)),
            "dark": Coat(main=(0.74, 0.55, 0.34), belly=CREAM, snout=(0.85, 0.72, 0.52), mane=(0.2, 0.13, 0.09), nose=(0.4, 0.25, 0.22)),
        },
    ),
}

COMPANY = (
    ("zebra", "giraffe", "elephant", "leopard", "lion"),
    ("cow", "horse", "pig", "sheep"),
    ("cat", "dog"),
    ("deer", "fox", "bear"),
)
