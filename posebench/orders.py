"""Orders in which the points of a schema are written elsewhere; a file in another order is accepted by every reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posedata.schema import Schema

__all__ = ["ORDERS", "known_orders", "moves"]

Rows = NDArray[np.intp]


def _sided(side: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts)


_COCO_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
_BY_LIMB = tuple(name for limb in (_ARM, _LEG) for side in ("left", "right") for name in _sided(side, *limb))
# COCO's pairs in turn: left shoulder, right shoulder, left elbow, ...
_IN_TURN = tuple(f"{side}_{part}" for part in (*_ARM, *_LEG) for side in ("left", "right"))
_OPENPOSE = (
    "nose", *_sided("right", *_ARM), *_sided("left", *_ARM), *_sided("right", *_LEG), *_sided("left", *_LEG), "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_HALPE_FEET = ("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel")
_AIC = (*_sided("right", *_ARM), *_sided("left", *_ARM), *_sided("right", *_LEG), *_sided("left", *_LEG), "head", "neck")
_LSP = (*_sided("right", *_LEG[::-1]), *_sided("left", *_LEG), *_sided("right", *_ARM[::-1]), *_sided("left", *_ARM), "neck", "head")
_AP10K_HEAD = ("left_eye", "right_eye", "nose", "neck", "root_of_tail")
_AP10K_IN_TURN = tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "front_paw", "hip", "knee", "back_paw") for side in ("left", "right"))
_ANIMAL_LEGS = tuple(f"{side}_{leg}_{part}" for part in ("elbow", "knee", "paw") for leg in ("front", "back") for side in ("left", "right"))
_MMPOSE_ANIMAL = ("left_eye", "right_eye", "left_ear", "right_ear", "nose", "throat", "tailbase", "withers", *_ANIMAL_LEGS)
_OPENPIFPAF_ANIMAL = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "throat", "tailbase", "withers", *_ANIMAL_LEGS)
_COCO_BODY_BY_LIMB = (*_COCO_HEAD, *_BY_LIMB)

ORDERS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "coco17": {"OpenPose's order without its neck": _OPENPOSE, "limb by limb": _COCO_BODY_BY_LIMB},
    "coco_foot23": {
        "the feet in Halpe's order": (*_COCO_HEAD, *_IN_TURN, *_HALPE_FEET),
        "OpenPose's order of the body": (*_OPENPOSE, "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
    },
    "foot6": {"Halpe's order": _HALPE_FEET},
    "crowdpose14": {"AI Challenger's order": _AIC, "LSP's order": _LSP, "head and neck first": ("head", "neck", *_IN_TURN)},
    "ap10k17": {
        "COCO's order, left and right in turn": (*_AP10K_HEAD, *_AP10K_IN_TURN),
        "nose first": ("nose", "left_eye", "right_eye", "neck", "root_of_tail", *(f"{s}_{p}" for limb in (("shoulder", "elbow", "front_paw"), ("hip", "knee", "back_paw")) for s in ("left", "right") for p in limb)),
    },
    "animalpose20": {"mmpose's order": _MMPOSE_ANIMAL, "openpifpaf's order": _OPENPIFPAF_ANIMAL},
})  # fmt: skip
"""By schema and by a name for the order: the names of the points as such a file writes them."""


def known_orders(schema: Schema) -> dict[str, Rows]:
    """For each order known for a schema, and for left and right exchanged: the column in which such a file has each point."""
    found = {"left and right exchanged": np.asarray(schema.mirror, np.intp)}
    for name, points in ORDERS.get(schema.name.removesuffix("_062"), {}).items():
        found[name] = source_columns(schema, points)
    return {name: rows for name, rows in found.items() if (rows != np.arange(len(schema))).any()}


def source_columns(schema: Schema, written: Sequence[str]) -> Rows:
    """(K,) where a file in this order has the points of the schema."""
    return np.array([list(written).index(name) for name in schema.names], np.intp)


def moves(schema: Schema, columns: Rows, shown: int = 3) -> str:
    """Where points are found, in words: `left_eye under right_eye, ...`."""
    moved = np.flatnonzero(columns != np.arange(len(columns))).tolist()
    words = [f"{schema.names[k]} under {schema.names[columns[k]]}" for k in moved[:shown]]
    more = len(moved) - shown
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
