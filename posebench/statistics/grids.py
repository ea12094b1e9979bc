"""Grids of heatmaps: where a point comes out that went through the cells of a crop."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean

__all__ = ["DECODES", "GRIDS", "Grid", "read_grid", "through"]

Floats = NDArray[np.float64]

DECODES: Mapping[str, str] = MappingProxyType({
    "nearest": "the centre of the best cell",
    "quarter": "a quarter of a cell from there towards the better neighbour",
    "exact": "the very place: a decoder that loses nothing within the crop",
    "corner": "the corner of the best cell: its number times the stride, the half cell forgotten",
})  # fmt: skip
"""How a place is read from a perfect heatmap."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cells that a crop of `height` x `width` pixels is read from, one in each `stride` pixels."""

    height: int
    width: int
    stride: float = 4.0
    """Pixels of the crop to a cell; less than 1 for the bins of SimCC."""
    decode: str = "nearest"
    padding: float = 1.25
    """How much larger than the box the crop is."""
    keeps_shape: bool = True
    """Whether the box is widened to the crop's shape; else it is stretched to it, as in KeypointRCNN."""

    def __post_init__(self) -> None:
        if self.decode not in DECODES:
            raise PoseError("grid", f"decode {brief(repr(self.decode))}", did_you_mean(str(self.decode), DECODES))
        sizes = (self.height, self.width, self.stride, self.padding)
        if not all(isinstance(x, int | float) and not isinstance(x, bool) and 0 < x < 1e6 for x in sizes):
            raise PoseError("grid", f"{self.height} x {self.width}, stride {self.stride}, padding {self.padding}", "numbers above 0")
        if self.stride > min(self.height, self.width):
            raise PoseError("grid", f"stride {self.stride:g} in a crop of {self.height} x {self.width}", "a cell is no larger than the crop")

    def __str__(self) -> str:
        named = next((name for name, grid in GRIDS.items() if grid == self), None)
        return named or f"{self.height}x{self.width}/{self.stride:g}" + (f":{self.decode}" if self.decode != "nearest" else "")


GRIDS: Mapping[str, Grid] = MappingProxyType({
    # torchvision, roi_heads.py keypoints_to_heatmap: 56 x 56 cells stretched over the box itself
    "keypointrcnn": Grid(height=56, width=56, stride=1.0, padding=1.0, keeps_shape=False),
})  # fmt: skip
"""By name, beside HEIGHTxWIDTH/STRIDE[:DECODE]."""

_SPELLED = re.compile(r"(\d{1,5})x(\d{1,5})(?:/(\d+\.?\d*|\.\d+))?(?::(\w+))?")


def read_grid(text: Grid | str) -> Grid:
    """A grid as it is spelled.

    >>> read_grid("256x192/4:quarter").decode
    'quarter'
    """
    if isinstance(text, Grid):
        return text
    if text in GRIDS:
        return GRIDS[text]
    found = _SPELLED.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise PoseError("grid", brief(repr(text)), f"HEIGHTxWIDTH/STRIDE[:{'|'.join(DECODES)}], for instance 256x192/4:quarter, or {', '.join(GRIDS)}")
    return Grid(height=int(found[1]), width=int(found[2]), stride=float(found[3] or 4), decode=found[4] or "nearest")


def through(grid: Grid, xy: Floats, box: Floats) -> Floats:
    """Points as they come out of the heatmaps of their boxes' crops. xy: (N, K, 2); box: (N, 4) -> (N, K, 2)"""
    start, size = _crops(grid, box)
    cells = np.array([grid.width, grid.height]) / grid.stride
    step = np.maximum(size / cells, np.spacing(1e4))[:, None]
    place = (xy + 0.5 - start[:, None]) / step  # keypoints count pixel centres, boxes count edges
    inside = np.clip(place, 0.0, cells)
    read = _READ[grid.decode](inside, np.clip(np.floor(inside), 0, np.ceil(cells) - 1))
    return np.asarray(read * step + start[:, None] - 0.5)


def _crops(grid: Grid, box: Floats) -> tuple[Floats, Floats]:
    """(N, 2) upper left corners and sizes of the crops."""
    size = np.maximum(box[:, 2:], 1.0)
    if grid.keeps_shape:
        shape = np.array([grid.width, grid.height], np.float64)
        size = (size / shape).max(1, keepdims=True) * shape
    size = size * grid.padding
    return box[:, :2] + box[:, 2:] / 2 - size / 2, size


_READ: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "nearest": lambda place, cell: cell + 0.5,
    "quarter": lambda place, cell: cell + 0.5 + 0.25 * np.sign(place - cell - 0.5),
    "exact": lambda place, cell: place,
    "corner": lambda place, cell: cell,
}
