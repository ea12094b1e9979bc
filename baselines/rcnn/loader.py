"""Whole pictures with everybody in them: fitted into the input, changed on the device, their boxes, points and crowds with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posedata.dataset import PoseDataset
from posedata.errors import DataError

from ..augment import Changes, body_of, draw, recoloured, warped
from ..boxes import picture_size
from ..crops import boxes_of, crop_affine, cut, opened
from ..data import ahead, inside, parts_of
from ..recipes import Recipe

__all__ = ["PictureLoader", "Pictures", "edges_to_image", "edges_to_input", "fitted"]

_HELD = 2_000_000_000
"""Bytes of pictures that are kept in memory once read; more are read again in each epoch."""
_LEFT = 0.25
"""Share of a box that augmentation must leave for it to be learned; with less it is a region that teaches nothing."""


class Pictures(NamedTuple):
    """B pictures as the network sees them, and the M instances on them."""

    images: Tensor
    """(B, 3, h, w) float 0..255."""
    owner: Tensor
    """(M,) which picture."""
    boxes: Tensor
    """(M, 4) x0, y0, x1, y1 of edges, in pixels of the input."""
    crowd: Tensor
    """(M,) regions that are neither somebody nor background."""
    points: Tensor
    """(M, K, 2) pixel centres."""
    v: Tensor
    """(M, K) 0 not labelled, 1 hidden, 2 seen."""
    annotated: Tensor
    """(M, K) whether anything is known of the point."""
    area: Tensor
    """(M,) in pixels of the input squared."""
    rows: Tensor
    """(B,) numbers of the pictures."""


def fitted(ds: PoseDataset, rows: NDArray[np.intp], size: tuple[int, int], padding: float = 1.0) -> NDArray[np.float64]:
    """(B, 2, 3) from the input's pixels to the pictures', centres both: each picture whole, in the middle, what it leaves is black."""
    sides = np.array([picture_size(ds, int(row)) for row in rows], np.float64).reshape(-1, 2)
    return crop_affine(np.concatenate([np.zeros_like(sides), sides], 1), size, padding)


def edges_to_input(boxes: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) x, y, w, h on pictures as corners in the input; affine: (n, 2, 3) of each box's picture, upright as `fitted` makes it."""
    scale, low = affine[:, [0, 1], [0, 1]], affine[:, :, 2]
    corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    return np.asarray(((corners - 0.5 - low[:, None]) / scale[:, None] + 0.5).reshape(-1, 4))


def edges_to_image(boxes: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) corners in the input as x, y, w, h on pictures: undoes `edges_to_input`."""
    scale, low = affine[:, [0, 1], [0, 1]], affine[:, :, 2]
    corners = (boxes.reshape(-1, 2, 2) - 0.5) * scale[:, None] + low[:, None] + 0.5
    return np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], 1)


class PictureLoader:
    """The pictures of one set. `batch(rows, epoch)` makes any batch, whenever asked, always the same."""

    def __init__(self, ds: PoseDataset, recipe: Recipe, device: torch.device, workers: int | None = None, everything: bool = False) -> None:
        """`everything`: pictures with nobody on them too, as val has them."""
        self.dataset, self.recipe, self.device = ds, recipe, device
        own, bbox = ds.instances, boxes_of(ds)
        boxed = ~np.isnan(bbox[:, 0])
        some = np.unique(own.image[boxed & ~own.crowd])
        self.pictures = np.arange(len(ds.images)) if everything else some
        if not len(some):
            raise DataError(ds.name, "no picture has an instance with a box that is no crowd", "nothing can be learned from it or scored on it")
        self.affine = fitted(ds, self.pictures, recipe.size, recipe.padding)
        self.body = body_of(ds.schema, device)
        place = np.full(len(ds.images), -1)
        place[self.pictures] = np.arange(len(self.pictures))
        self.instances = np.flatnonzero(boxed & (place[own.image] >= 0))
        self.instances = self.instances[np.argsort(place[own.image[self.instances]], kind="stable")]
        self._columns(place[own.image[self.instances]], bbox[self.instances])
        self._held: dict[int, NDArray[np.uint8]] | None = {} if len(self.pictures) * recipe.width * recipe.height * 3 <= _HELD else None
        self.workers = workers or min(os.cpu_count() or 1, 16)

    def _columns(self, picture: NDArray[np.intp], bbox: NDArray[np.float64]) -> None:
        """What is known of the instances, in pixels of the input."""
        own, rows = self.dataset.instances, self.instances
        affine, keypoints = self.affine[picture], own.keypoints[rows]
        scale = affine[:, 0, 0]
        placed = (keypoints[..., :2] - affine[:, None, :, 2]) / scale[:, None, None]
        area = np.where(own.area[rows] > 0, own.area[rows], 0.53 * bbox[:, 2] * bbox[:, 3]) / scale**2
        tensor = partial(torch.tensor, dtype=torch.float32, device=self.device)
        self.boxes, self.points, self.area = tensor(edges_to_input(bbox, affine)), tensor(placed), tensor(area)
        self.v = tensor(keypoints[..., 2] * own.labelled[rows])
        self.annotated = torch.tensor(own.annotated[rows], device=self.device)
        self.crowd = torch.tensor(own.crowd[rows], device=self.device)
        self.first = np.searchsorted(picture, np.arange(len(self.pictures) + 1))

    def __len__(self) -> int:
        return len(self.pictures)

    def rows_of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) the instances on some pictures, and (M,) which of these pictures each is on."""
        spans = [np.arange(self.first[row], self.first[row + 1]) for row in rows.tolist()]
        owner = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        return torch.as_tensor(np.concatenate(spans), device=self.device), torch.as_tensor(owner, device=self.device)

    def _picture(self, row: int) -> NDArray[np.uint8]:
        if self._held is not None and row in self._held:
            return self._held[row]
        pixels = cut(opened(self.dataset, int(self.pictures[row])), self.affine[row], self.recipe.size)
        if self._held is not None:
            self._held[row] = pixels
        return pixels

    def pixels(self, rows: Tensor, pool: ThreadPoolExecutor | None = None) -> Tensor:
        """(B, h, w, 3) uint8 on the device."""
        read = map if pool is None else pool.map
        picked = torch.from_numpy(np.stack(list(read(self._picture, rows.tolist()))))
        return picked.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else picked

    def plain(self, rows: Tensor) -> Pictures:
        """These pictures as they are: for validation."""
        at, owner = self.rows_of(rows)
        images = self.pixels(rows).permute(0, 3, 1, 2).float()
        v = inside(self.points[at], self.v[at], self.recipe.size)
        return Pictures(images, owner, self.boxes[at], self.crowd[at], self.points[at], v, self.annotated[at], self.area[at], rows.to(self.device))

    def batch(self, rows: Tensor, epoch: int, pool: ThreadPoolExecutor | None = None) -> Pictures:
        """These pictures, augmented as the epoch has it."""
        numbers, (at, owner) = rows.to(self.device), self.rows_of(rows)
        nothing = torch.zeros(len(rows), len(self.dataset.schema), 2, device=self.device)
        changes = draw(self.recipe, epoch, numbers, nothing, nothing[..., 0] > 0, self.body, (0, 0))  # no half bodies here
        images = recoloured(warped(self.pixels(rows, pool), changes.affine, self.recipe.size), changes)
        points, v, annotated = self._moved(at, owner, changes)
        boxes, left, zoom = self._framed(at, owner, changes)
        kept = left > 0
        crowd = self.crowd[at] | (left < _LEFT)
        columns = (owner, boxes, crowd, points, inside(points, v, self.recipe.size), annotated, self.area[at] * zoom)
        return Pictures._make([images, *(column[kept] for column in columns), numbers])

    def _moved(self, at: Tensor, owner: Tensor, changes: Changes) -> tuple[Tensor, Tensor, Tensor]:
        """Points of instances and what is known of them, sides exchanged on mirrored pictures: by the schema, so that no point is lost."""
        back = torch.linalg.inv(changes.affine[..., :2])[owner]
        moved = (self.points[at] - changes.affine[owner][:, None, :, 2]) @ back.mT
        swap, mirror = changes.flip[owner][:, None], self.body.mirror
        v, known = self.v[at], self.annotated[at]
        return torch.where(swap[..., None], moved[:, mirror], moved), torch.where(swap, v[:, mirror], v), torch.where(swap, known[:, mirror], known)

    def _framed(self, at: Tensor, owner: Tensor, changes: Changes) -> tuple[Tensor, Tensor, Tensor]:
        """(M, 4) boxes around the moved boxes, cut at the input's edge; (M,) the share of each that is left, 0 for none, and how its area grew."""
        x0, y0, x1, y1 = (self.boxes[at] - 0.5).unbind(1)
        corners = torch.stack([torch.stack([x, y], -1) for x in (x0, x1) for y in (y0, y1)], 1)
        linear = changes.affine[..., :2]
        moved = (corners - changes.affine[owner][:, None, :, 2]) @ torch.linalg.inv(linear)[owner].mT + 0.5
        low, high = moved.amin(1), moved.amax(1)
        edge = torch.tensor(self.recipe.size, dtype=torch.float32, device=self.device)
        cut_low, cut_high = torch.minimum(low.clamp(min=0), edge), torch.minimum(high.clamp(min=0), edge)
        sides = cut_high - cut_low
        left = sides.prod(1) / (high - low).prod(1).clamp(min=1e-6) * (sides.amin(1) >= 2)
        return torch.cat([cut_low, cut_high], 1), left, 1 / torch.linalg.det(linear).abs()[owner]

    def epoch(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[list[Pictures]]:
        """The parts of each step, the next ones made while the network learns."""

        def made(parts: list[Tensor]) -> list[Pictures]:
            return [self.batch(rows, epoch, readers) for rows in parts]

        with ThreadPoolExecutor(self.workers) as readers, ThreadPoolExecutor(1) as maker:
            yield from ahead(maker, (partial(made, parts) for parts in parts_of(len(self), self.recipe, epoch, start, rank, world)))
