"""Crops through a network: pictures are read ahead by threads, cut, looked at in batches, and the points put back into their images."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posedata.dataset import PoseDataset
from posedata.progress import bar

from .boxes import Boxes, find_boxes
from .crops import crop_affine, cut, opened, to_image
from .timing import Stopwatch

if TYPE_CHECKING:
    from .predict import Predictor

__all__ = ["Asked", "crops_of", "find_in_crops", "on_device", "one_by_one", "read_ahead"]

_AHEAD = 4
"""Batches whose pictures are read while the network works."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How somebody wants a prediction made."""

    boxes: str | Boxes
    least: float = 0.0
    flip: bool = False
    leave_out: float = 0.0
    batch: int = 64
    quiet: bool = False

    def boxes_on(self, ds: PoseDataset) -> Boxes:
        """The boxes asked for, found if they are only named."""
        return self.boxes if isinstance(self.boxes, Boxes) else find_boxes(ds, self.boxes, self.least, self.quiet)


def find_in_crops(predictor: Predictor, ds: PoseDataset, asked: Asked, watch: Stopwatch) -> tuple[Boxes, NDArray[np.float64]]:
    """The boxes, and (N, K, 3) the points of every box in pixels of its image."""
    recipe, boxes = predictor.recipe, asked.boxes_on(ds)
    affine = crop_affine(boxes.bbox, recipe.size, recipe.padding)
    found = np.zeros((len(boxes), len(predictor.model.schema), 3))
    with bar("predicting", len(boxes), asked.quiet) as step:
        for rows, pixels in watch.read(crops_of(ds, boxes, affine, recipe.size, asked.batch)):
            with watch.network():
                maps, presence = predictor.forward(on_device(pixels, predictor.device), asked.flip)
            with watch.decoding():
                found[rows] = predictor.points(maps, presence, asked.leave_out)
            step(len(rows))
    return boxes, to_image(found, affine)


def on_device(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(B, h, w, 3) uint8 as a float (B, 3, h, w) tensor on the device."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()


def crops_of(
    ds: PoseDataset, boxes: Boxes, affine: NDArray[np.float64], size: tuple[int, int], batch: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Rows of boxes and their pixels, a batch at a time; each picture is opened once, by threads that read ahead."""
    order = np.argsort(boxes.image, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(boxes.image[order])) + 1) if len(order) else []

    def work(group: NDArray[np.intp]) -> NDArray[np.uint8]:
        picture = opened(ds, int(boxes.image[group[0]]))
        return np.stack([cut(picture, affine[row], size) for row in group.tolist()])

    rows: list[NDArray[np.intp]] = []
    pixels: list[NDArray[np.uint8]] = []
    for group, cuts in read_ahead(work, groups, _AHEAD * batch):
        rows.append(group)
        pixels.append(cuts)
        while sum(map(len, rows)) >= batch:
            all_rows, all_pixels = np.concatenate(rows), np.concatenate(pixels)
            yield all_rows[:batch], all_pixels[:batch]
            rows, pixels = [all_rows[batch:]], [all_pixels[batch:]]
    if sum(map(len, rows)):
        yield np.concatenate(rows), np.concatenate(pixels)


def read_ahead(work: Any, groups: list[NDArray[np.intp]], window: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """What `work` makes of each group, in order, some of them begun early but never all: pictures are large."""
    with ThreadPoolExecutor() as pool:
        waiting: list[tuple[NDArray[np.intp], Future[NDArray[np.uint8]]]] = []
        held = 0
        try:
            for group in groups:
                waiting.append((group, pool.submit(work, group)))
                held += len(group)
                while held > window and waiting:
                    first, future = waiting.pop(0)
                    held -= len(first)
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def one_by_one(predictor: Predictor, ds: PoseDataset, boxes: Boxes, flip: bool, count: int) -> list[float]:
    """Seconds of network and decoding for single crops, after a few that warm up."""
    if count < 1:
        return []
    few = np.arange(min(count, len(boxes)))
    part = Boxes(image=boxes.image[few], bbox=boxes.bbox[few], score=boxes.score[few], category=boxes.category[few], source=boxes.source)
    affine = crop_affine(part.bbox, predictor.recipe.size, predictor.recipe.padding)
    crops = [on_device(pixels, predictor.device) for _, pixels in crops_of(ds, part, affine, predictor.recipe.size, 1)]
    return Stopwatch(predictor.device).each(lambda crop: predictor.points(*predictor.forward(crop, flip), 0.0), crops)
