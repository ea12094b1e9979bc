"""Norms: the length of each truth in which distances are measured, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posedata.errors import DataError, first_few

from ..pairing import HEAD_KEYS, Paired

__all__ = ["NORMS", "Norm", "Pair", "TORSO", "norm_of", "norm_text", "scale_free"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Pair = tuple[str, str] | tuple[int, int]
"""Two points, by name or by number; their distance in the truth is the norm."""

TORSO = ("left_shoulder", "right_hip")
"""JHMDB's points 4 and 5 in mmpose, and LSP's."""


@dataclass(frozen=True)
class Norm:
    """How one norm is measured, and what it needs of the truth."""

    measure: Callable[[Paired], Floats]
    """(N,) lengths, or (N, 2) one for x and one for y. NaN: unknown. 0: the truth is left out, as mmpose does."""
    text: str
    needs: str = ""
    """What to name where the length is unknown; without it an unknown length leaves the truth out."""
    scale_free: bool = True
    """Whether a picture of twice the size has a norm of twice the size."""


def _box(measure: Callable[[Floats], Floats]) -> Callable[[Paired], Floats]:
    return lambda paired: measure(paired.bbox[:, 2:])


def _diagonal(xy: Floats, known: Bools) -> Floats:
    """(N,) diagonal of the smallest box around the known points; 0 without any."""
    low, high = (f.reduce(np.where(known[..., None], xy, edge), 1, initial=edge) for f, edge in ((np.minimum, np.inf), (np.maximum, -np.inf)))
    size = np.where(known.any(1, keepdims=True), high - low, 0)
    return np.hypot(size[:, 0], size[:, 1])


def _square_diagonal(paired: Paired) -> Floats:
    """(N, 2) the diagonal in shares of width and height, as lengths along x and y; pixels are square where a size is unknown.

    A truth without extent keeps its points, and whatever is not exactly there is wrong.
    """
    size = np.where((paired.size > 0).all(1, keepdims=True), paired.size, 1.0)
    diagonal = _diagonal(paired.points[..., :2] / size[:, None], paired.annotated)
    return np.maximum(diagonal, np.finfo(np.float64).tiny)[:, None] * size


def pair_length(paired: Paired, pair: Pair, where: str = "norm") -> Floats:
    """(N,) distance of two points of the truth; NaN unless both are labelled."""
    a, b = (paired.column(point, where) for point in pair)
    both = paired.labelled[:, a] & paired.labelled[:, b]
    return np.where(both, _span(paired.points, a, b), np.nan)


def _span(points: Floats, a: int, b: int) -> Floats:
    return np.hypot(points[:, a, 0] - points[:, b, 0], points[:, a, 1] - points[:, b, 1])


def _torso_or_predicted(paired: Paired) -> Floats:
    """mmpose reads both points wherever they lie, labelled or not, and turns to the prediction below one pixel."""
    a, b = (paired.column(point, "norm 'torso or predicted'") for point in TORSO)
    own = _span(paired.points, a, b)
    return np.where(own < 1, _span(paired.pred, a, b), own)


NORMS: Mapping[str, Norm] = {
    "box side": Norm(_box(lambda wh: wh.max(1)), "longest side of the truth's box", "bbox"),
    "box diagonal": Norm(_box(lambda wh: np.hypot(wh[:, 0], wh[:, 1])), "diagonal of the truth's box", "bbox"),
    "box root": Norm(_box(lambda wh: np.sqrt(wh[:, 0] * wh[:, 1])), "square root of the area of the truth's box", "bbox"),
    "labelled diagonal": Norm(lambda p: _diagonal(p.points[..., :2], p.labelled), "diagonal around the labelled points"),
    "full diagonal": Norm(lambda p: _diagonal(p.points[..., :2], p.annotated), "diagonal around all points, whatever v says"),
    "square diagonal": Norm(_square_diagonal, "diagonal around all points, whatever v says, in the picture drawn out to a square"),
    "head": Norm(lambda p: p.head_size, ".6 of the diagonal of the head box", "head box"),
    "torso": Norm(lambda p: pair_length(p, TORSO, "norm 'torso'"), "left shoulder to right hip, where both are labelled"),
    "torso or predicted": Norm(_torso_or_predicted, "left shoulder to right hip; below 1 px the prediction's", scale_free=False),
    "image side": Norm(lambda p: p.size.max(1), "longest side of the image", "image size"),
    # HRNet divides x by the height and y by the width; it matters where they differ.
    "heatmap": Norm(lambda p: p.size[:, ::-1] / 10, "a tenth of the heatmap: x in tenths of its height, y of its width", "image size"),
    "pixels": Norm(lambda p: np.ones(len(p)), "1 pixel", scale_free=False),
}
"""By the name a rule has for it."""

_CURES = {
    "bbox": "choose a norm that needs no box: PCK.diagonal, PCK.technumber, PCK.sleap, EPE",
    "head box": f"MPII and PoseTrack carry it; keys read: {', '.join(HEAD_KEYS)}",
    "image size": "give width and height to the images, or choose a norm that needs no image",
}


def norm_of(paired: Paired, norm: str | Pair, counts: Bools, where: str) -> Floats:
    """(N,) or (N, 2) lengths, NaN where the truth is left out; refused where a truth with points that count has none."""
    if not isinstance(norm, str):
        return _positive(pair_length(paired, norm, where))
    known = NORMS[norm]
    try:
        lengths = known.measure(paired)
    except DataError as e:
        raise DataError(f"{where}, {e.where}" if e.where.startswith("norm") else where, e.seen, e.cure) from None
    if known.needs:
        unknown = np.isnan(lengths) if lengths.ndim == 1 else np.isnan(lengths).any(1)
        if known.needs == "image size":
            unknown |= (paired.size <= 0).any(1)
        _refuse(paired, np.asarray(unknown & counts.any(1), bool), known.needs, where)
    return _positive(lengths)


def _positive(lengths: Floats) -> Floats:
    return np.where(lengths > 0, lengths, np.nan)


def _refuse(paired: Paired, unknown: Bools, what: str, where: str) -> None:
    if unknown.any():
        seen = f"no {what} in {unknown.sum():,} of {len(paired):,} truths, the first with id {first_few(paired.id[unknown], 3, ', ')}"
        raise DataError(where, seen, _CURES[what])


def norm_text(norm: str | Pair) -> str:
    """A norm in words."""
    return NORMS[norm].text if isinstance(norm, str) else f"{norm[0]} to {norm[1]}, where both are labelled"


def scale_free(norm: str | Pair) -> bool:
    """Whether doubling every coordinate doubles the norm."""
    return not isinstance(norm, str) or NORMS[norm].scale_free
