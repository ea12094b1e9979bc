"""Keypoints to heatmaps and back, on the half pixel: numpy arrays in, numpy arrays out; torch tensors in, tensors out, on their device.

Cell i of a map has its centre at input pixel (i + .5) * stride - .5. So a flip of the map is a flip of the input, and interpolation
with align_corners=False, a ViT's patches and the crops all agree. The bins of SimCC obey the same rule with a stride below one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from posedata.errors import PoseError, did_you_mean

__all__ = ["DECODERS", "HIDDEN", "Coding", "decode_heatmaps", "decode_simcc", "encode", "encode_simcc", "hidden_points", "signs", "unflip"]

Array = Any
"""A numpy array or a torch tensor; every function returns the kind it was given."""

HIDDEN = {"same": 1.0, "negative": -1.0, "ignore": 0.0}
"""How a labelled but hidden point (v = 1) is drawn: as a seen one, upside down, or not at all and out of the loss."""


@dataclass(frozen=True, kw_only=True)
class Coding:
    """All that turns points into targets and outputs into points, in one object: mixed conventions cost the field its sub-pixels."""

    size: tuple[int, int]
    """Width and height of the input, pixels."""
    stride: float
    """Input pixels for one cell, or for one bin of SimCC."""
    sigma: float = 2.0
    """Of the Gaussians, in cells or bins; DARK blurs with the same."""
    decode_by: str = "dark"
    hidden: str = "same"
    simcc: bool = False

    def __post_init__(self) -> None:
        for field, word, known in (("decode", self.decode_by, DECODERS), ("hidden", self.hidden, HIDDEN)):
            if word not in known:
                raise PoseError("recipe", f"{field} {word!r}", did_you_mean(str(word), known))
        if not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise PoseError("recipe", f"sigma {self.sigma}", "a width above 0, in cells of the heatmap")
        if self.simcc and self.hidden == "negative":
            raise PoseError(
                "recipe", "hidden 'negative' with head 'simcc'", "a distribution has no sign: take hidden 'same' or 'ignore', or a head of heatmaps"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a heatmap; bins down and across."""
        width, height = self.size
        return round(height / self.stride), round(width / self.stride)

    def encode(self, points: Array, v: Array) -> tuple[tuple[Array, ...], Array]:
        """Targets, one for each output of the head (heatmaps; or x and y), and the weight of each point in the loss.

        points: (N, K, 2) input pixels; v: (N, K) visibility -> targets; (N, K)
        """
        sign, weight = signs(v, self.hidden)
        rows, columns = self.shape
        if self.simcc:
            return encode_simcc(points, sign, bins=(columns, rows), stride=self.stride, sigma=self.sigma), weight
        return (encode(points, sign, shape=(rows, columns), stride=self.stride, sigma=self.sigma),), weight

    def decode(self, *outputs: Array) -> Array:
        """What the head put out -> (N, K, 3): x, y in input pixels, and the height of the peak."""
        if self.simcc:
            return decode_simcc(*outputs, stride=self.stride, sigma=self.sigma, decode_by=self.decode_by)
        signed = self.hidden == "negative"
        return decode_heatmaps(*outputs, stride=self.stride, sigma=self.sigma, decode_by=self.decode_by, signed=signed)

    def merge(self, outputs: Sequence[Array], flipped: Sequence[Array], mirror: Sequence[int]) -> tuple[Array, ...]:
        """The mean of what the head said of the inputs and of their mirror images."""
        back = (unflip(flipped[0], mirror), *(other[:, list(mirror)] for other in flipped[1:]))  # only x turns round
        if self.simcc:
            return tuple(_kind(a)[0].log((_softmax(a) + _softmax(b)) / 2) for a, b in zip(outputs, back, strict=True))
        return tuple((a + b) / 2 for a, b in zip(outputs, back, strict=True))


def signs(v: Array, hidden: str = "same") -> tuple[Array, Array]:
    """What to draw for each visibility, and its weight in the loss.

    v: (N, K) 0 unlabelled, 1 hidden, 2 seen -> (N, K) 1, 0 or -1; (N, K) 1 or 0
    """
    xp, v = _kind(v)
    sign = xp.where(v == 1, HIDDEN[hidden], 1.0) * (v > 0)
    return sign, abs(sign)


def encode(points: Array, sign: Array, *, shape: tuple[int, int], stride: float, sigma: float) -> Array:
    """Unrounded Gaussians of height `sign`; points of sign 0 may be NaN.

    points: (N, K, 2) input pixels; sign: (N, K); shape: rows, columns -> (N, K, rows, columns)
    """
    x, y = _drawn(points, sign)
    down, across = _profile(y, shape[0], stride, sigma), _profile(x, shape[1], stride, sigma)
    return (sign[..., None] * down)[..., :, None] * across[..., None, :]


def encode_simcc(points: Array, sign: Array, *, bins: tuple[int, int], stride: float, sigma: float) -> tuple[Array, Array]:
    """Distributions over the bins across and down, each of sum 1; all zero where nothing is drawn.

    points: (N, K, 2); sign: (N, K); bins: across, down -> (N, K, across), (N, K, down)
    """
    x, y = (_profile(line, n, stride, sigma) for line, n in zip(_drawn(points, sign), bins, strict=True))
    x, y = (sign[..., None] * line / (line.sum(-1)[..., None] + 1e-12) for line in (x, y))
    return x, y


def decode_heatmaps(heatmaps: Array, *, stride: float, sigma: float, decode_by: str = "dark", signed: bool = False) -> Array:
    """The peak of every map, between the cells; NaN where the map is not finite there.

    heatmaps: (N, K, rows, columns); signed: peaks may point down, as hidden points drawn negative do
    -> (N, K, 3): x, y in input pixels, the peak's height (without sign)
    """
    xp, maps = _kind(heatmaps)
    if signed:
        maps = xp.where(hidden_points(maps)[..., None, None], -maps, maps)
    columns = maps.shape[-1]
    flat = _flat(maps)
    best = flat.argmax(-1)  # the first of equals
    peak = _take(flat, best[..., None])[..., 0]
    x, y = best % columns, best // columns
    dx, dy = DECODERS[decode_by](maps, x, y, sigma)
    lost = xp.where(xp.isfinite(peak), 0.0, math.nan)
    return xp.stack([(x + dx + 0.5) * stride - 0.5 + lost, (y + dy + 0.5) * stride - 0.5 + lost, peak + lost], -1)


def decode_simcc(x: Array, y: Array, *, stride: float, sigma: float, decode_by: str = "dark") -> Array:
    """The peak of both distributions, and how near their height comes to that of the target's (1: as sure as can be).

    x, y: (N, K, bins) logits -> (N, K, 3)
    """
    xp = _kind(x)[0]
    lines = [decode_heatmaps(_softmax(line)[:, :, None, :], stride=stride, sigma=sigma, decode_by=decode_by) for line in (x, y)]
    height = xp.minimum(*(line[..., 2] for line in lines)) * (sigma * math.sqrt(2 * math.pi))
    return xp.stack([lines[0][..., 0], lines[1][..., 0], xp.clip(height, 0, 1)], -1)


def hidden_points(heatmaps: Array) -> Array:
    """Where the model says: there, but hidden, which is a map whose depth exceeds its height.

    heatmaps: (N, K, rows, columns) of a model trained with hidden="negative" -> (N, K) truth values
    """
    xp, maps = _kind(heatmaps)
    flat = _flat(maps)
    return -xp.amin(flat, -1) > xp.amax(flat, -1)


def unflip(maps: Array, mirror: Sequence[int]) -> Array:
    """Maps (or bins across) of mirrored inputs, turned back: columns reversed, left points where the right ones were.

    maps: (N, K, ..., columns)
    """
    return _kind(maps)[0].flip(maps[:, list(mirror)], (-1,))


# --- where the peak lies between the cells: (maps, column, row, sigma) -> dx, dy in cells


def _at_the_cell(maps: Array, x: Array, y: Array, sigma: float) -> tuple[Array, Array]:
    return 0.0 * x, 0.0 * y


def _parabola(maps: Array, x: Array, y: Array, sigma: float) -> tuple[Array, Array]:
    """The vertex of a parabola through three logarithms along each axis: exact for a Gaussian, up to and in the border."""
    rows, columns = maps.shape[-2:]
    flat = _flat(maps)
    return _vertex(flat, y * columns, 1, x, columns), _vertex(flat, x, columns, y, rows)


def _vertex(flat: Array, start: Array, step: int, place: Array, length: int) -> Array:
    """From cell `place` of a line to the vertex. In the border the three cells are those inside, since one beyond does not exist.

    flat: (N, K, cells); start: (N, K) the line's first cell; place: (N, K) -> (N, K)
    """
    xp = _kind(flat)[0]
    if length < 3:
        return 0.0 * place
    middle = xp.clip(place, 1, length - 2)
    three = _logarithms(_finite(flat, start[..., None] + (middle[..., None] + _range(flat, -1, 2)) * step))
    slope, bend = (three[..., 2] - three[..., 0]) / 2, three[..., 2] - 2 * three[..., 1] + three[..., 0]
    offset = xp.where(bend < 0, middle - place - slope / xp.where(bend < 0, bend, -1.0), 0.0)
    return xp.clip(offset, -0.5, 0.5)


def _dark(maps: Array, x: Array, y: Array, sigma: float) -> tuple[Array, Array]:
    """A Newton step on the logarithm of the map blurred with the target's own sigma (DARK, Zhang et al. 2020).

    The blur is made only where it is looked at. It would read beyond the border within its reach; there the parabola is kept.
    Under noise the highest cell need not be the nearest one, so a step may reach the next.
    """
    xp, (rows, columns) = _kind(maps)[0], maps.shape[-2:]
    nine = _logarithms(_blurred(maps, x, y, sigma).reshape(*x.shape, 9))
    a, b, c, d, e, f, g, h, i = (nine[..., n] for n in range(9))
    sx, sy, xx, yy, xy = (f - d) / 2, (h - b) / 2, f - 2 * e + d, h - 2 * e + b, (i - g - c + a) / 4
    whole = xx * yy - xy * xy
    peaked = (whole > 0) & (xx < 0)
    whole = xp.where(peaked, whole, 1.0)
    dx, dy = (xy * sy - yy * sx) / whole, (xy * sx - xx * sy) / whole
    px, py = _parabola(maps, x, y, sigma)
    need = _reach(sigma) + 1
    inside_x = peaked & (x >= need) & (x < columns - need)
    inside_y = peaked & (y >= need) & (y < rows - need)
    return xp.where(inside_x, xp.clip(dx, -1, 1), px), xp.where(inside_y, xp.clip(dy, -1, 1), py)


def _blurred(maps: Array, x: Array, y: Array, sigma: float) -> Array:
    """The blurred map in the nine cells around each peak: a window, times the kernel at three shifts from both sides.

    -> (N, K, 3, 3) rows, columns
    """
    reach = _reach(sigma)
    rows, columns = maps.shape[-2:]
    around = _range(maps, -reach - 1, reach + 2)
    kernel = _kernel(maps, reach, sigma)
    down, across = y[..., None] + around, x[..., None] + around
    xp = _kind(maps)[0]
    index = xp.clip(down, 0, rows - 1)[..., :, None] * columns + xp.clip(across, 0, columns - 1)[..., None, :]
    known = ((down >= 0) & (down < rows))[..., :, None] & ((across >= 0) & (across < columns))[..., None, :]
    flat = _flat(maps)
    window = _finite(flat, _flat(index)).reshape(index.shape) * known
    return kernel @ window @ kernel.T


def _reach(sigma: float) -> int:
    """Cells to each side that a blur reads: what lies further away weighs less than a twentieth."""
    return max(1, round(2.5 * sigma))


def _kernel(like: Array, reach: int, sigma: float) -> Array:
    """(3, 2 * reach + 3): the Gaussian one cell before, at, and one cell after the middle of a window."""
    xp = _kind(like)[0]
    away = _range(like, -reach - 1, reach + 2)[None, :] - _range(like, -1, 2)[:, None] + xp.zeros_like(like[:0]).sum()  # in the maps' own precision
    return xp.exp(-0.5 * (away / sigma) ** 2) * (abs(away) <= reach)


DECODERS = {"dark": _dark, "parabola": _parabola, "argmax": _at_the_cell}
"""Ways to find the peak between the cells, best first."""


# --- what numpy and torch spell differently


def _kind(a: Array) -> tuple[ModuleType, Array]:
    """The library of an array, and the array in floating point wide enough for differences of logarithms."""
    if not hasattr(a, "detach"):
        return np, np.asarray(a, np.float64)
    import torch

    return torch, a if a.dtype in (torch.float32, torch.float64) else a.float()


def _range(like: Array, first: int, stop: int) -> Array:
    xp = _kind(like)[0]
    return xp.arange(first, stop) if xp is np else xp.arange(first, stop, device=like.device)


def _flat(maps: Array) -> Array:
    """(N, K, rows, columns) -> (N, K, cells)"""
    return maps.reshape(*maps.shape[:2], maps.shape[2] * maps.shape[3])


def _take(flat: Array, index: Array) -> Array:
    return np.take_along_axis(flat, index, -1) if isinstance(flat, np.ndarray) else flat.take_along_dim(index, -1)


def _finite(flat: Array, index: Array) -> Array:
    """Some of the cells, those that are no numbers as nothing."""
    xp, taken = _kind(_take(flat, index))
    return xp.where(xp.isfinite(taken), taken, 0.0)


def _profile(place: Array, cells: int, stride: float, sigma: float) -> Array:
    """(N, K) input pixels -> (N, K, cells) a Gaussian of height 1 along one axis."""
    centre = (place + 0.5) / stride - 0.5
    away = _range(place, 0, cells) - centre[..., None]
    return _kind(place)[0].exp(-0.5 * (away / sigma) ** 2)


def _drawn(points: Array, sign: Array) -> tuple[Array, Array]:
    """x and y of the points, with numbers for those that are not drawn: NaN times nothing is NaN."""
    xp, points = _kind(points)
    points = xp.where(sign[..., None] != 0, points, 0.0)
    return points[..., 0], points[..., 1]


def _logarithms(heights: Array) -> Array:
    """Logarithms along the last axis; what is under a thousandth of the middle is no part of its peak and must not pull at it."""
    xp = _kind(heights)[0]
    middle = heights[..., heights.shape[-1] // 2][..., None]
    return xp.log(xp.clip(xp.maximum(heights, middle * 1e-3), 1e-12, None))


def _softmax(logits: Array) -> Array:
    xp, logits = _kind(logits)
    grown = xp.exp(logits - xp.amax(logits, -1)[..., None])
    return grown / grown.sum(-1)[..., None]
