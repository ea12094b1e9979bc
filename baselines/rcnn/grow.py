"""Weights of a network with other points: found by name, and for points it never knew taken from the nearest one along the limbs."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posedata.schema import Schema

__all__ = ["PREDICTOR", "grown", "kin"]

PREDICTOR = "roi_heads.keypoint_predictor.kps_score_lowres"
"""The layer whose output channels are the points."""
_OWN = 0.01
"""Share of its own fresh weights that a point gets on top of its relative's."""


def kin(source: Schema, target: Schema) -> dict[str, str]:
    """For each point of `target` that `source` lacks, the nearest one it has, along target's limbs and on the same side first.

    A heel, toes: the ankle of their side. A point that no limb ties to a known one is not in it.
    """
    near: dict[str, list[str]] = {name: [] for name in target.names}
    for a, b in target.limbs:
        near[a].append(b)
        near[b].append(a)
    found = {name: _nearest(name, near, set(source.names)) for name in target.names if name not in source.names}
    return {name: relative for name, relative in found.items() if relative is not None}


def _nearest(name: str, near: dict[str, list[str]], known: set[str]) -> str | None:
    """The first known point of a walk along the limbs, step by step; on one step those of the same side come first."""
    ring, passed = [name], {name}
    while ring:
        ring = [n for at in ring for n in near[at] if n not in passed]
        passed.update(ring)
        hits = [n for n in ring if n in known]
        if hits:
            return min(hits, key=lambda n: (_side(n) != _side(name), ring.index(n)))
    return None


def _side(name: str) -> str:
    return next((side for side in ("left", "right") if side in name.split("_")), "")


def grown(theirs: Tensor, mine: Tensor, source: Schema, target: Schema, axis: int, relatives: Mapping[str, str]) -> Tensor | None:
    """A weight whose `axis` is the keypoints, of another network, for the points of this one; None where the rest does not fit.

    Known points keep their weights to the bit; new ones have their relative's and a little of their own.
    """
    a, b = theirs.movedim(axis, 0), mine.movedim(axis, 0).clone()
    if a.shape[1:] != b.shape[1:] or len(a) != len(source):
        return None
    for row, name in enumerate(target.names):
        if name in source.names:
            b[row] = a[source.index(name)]
        elif name in relatives:
            b[row] = a[source.index(relatives[name])] + _OWN * b[row]
    return b.movedim(0, axis)
