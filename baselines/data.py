"""Batches: drawn from the crop cache and changed on the device; and the plain DataLoader way, which must give the same tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from posedata.errors import DataError, PoseError, brief

from .augment import Body, body_of, cropped, draw, recoloured, warped
from .crops import Crops, cutter
from .recipes import Recipe

__all__ = ["Batch", "Loader", "PlainLoader", "Transform", "order"]

T = TypeVar("T")
Item = dict[str, Any]
Transform = Callable[[Item], Item]
"""A user's own last word on a crop before it is augmented: {image uint8 (3, H, W), points float (K, 2), v float (K,)} in, the same out."""

_RESIDENT = 0.5
"""Share of a GPU's free memory that the crops may take; beyond it they stay on the host, pinned a batch at a time."""


class Batch(NamedTuple):
    """B crops as the network sees them."""

    images: Tensor
    """(B, 3, h, w) float 0..255."""
    points: Tensor
    """(B, K, 2) in pixels of the input."""
    v: Tensor
    """(B, K) 0 not labelled, 1 hidden, 2 seen; 0 too where the point fell outside the input."""
    annotated: Tensor
    """(B, K) whether anything is known of the point."""
    rows: Tensor
    """(B,) numbers of the crops."""


def order(n: int, seed: int, epoch: int) -> Tensor:
    """(n,) crops as an epoch sees them."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def parts_of(n: int, recipe: Recipe, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[list[Tensor]]:
    """For each step of an epoch from `start` on, the parts of its batch that one of `world` processes works through.

    Part a of rank r is the batch's part a * world + r: two processes see what one sees that accumulates twice as many.
    """
    rows, batch = order(n, recipe.seed, epoch), min(recipe.batch, n)
    for step in range(start, n // batch):
        parts = rows[step * batch : (step + 1) * batch].tensor_split(recipe.accumulate * world)
        yield list(parts[rank::world])


def steps_of(n: int, recipe: Recipe) -> int:
    """Steps of an epoch: the crops that do not fill a batch wait for the next order; fewer crops than a batch are one."""
    return n // min(recipe.batch, n)


class Loader:
    """Crops of one set on one device. `batch(rows, epoch)` makes any batch, whenever asked, always the same."""

    def __init__(self, crops: Crops, recipe: Recipe, device: torch.device) -> None:
        self.crops, self.recipe, self.device = crops, recipe, device
        self.body = body_of(crops.dataset.schema, device)
        known = crops.points
        self.points = torch.tensor(known[..., :2], dtype=torch.float32, device=device)
        self.v = torch.tensor(known[..., 2] * crops.dataset.instances.labelled[crops.rows], dtype=torch.float32, device=device)
        self.annotated = torch.tensor(crops.dataset.instances.annotated[crops.rows], device=device)
        self.resident = _resident(crops.pixels, device)

    def __len__(self) -> int:
        return len(self.crops)

    def pixels(self, rows: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 on the device."""
        if self.resident is not None:
            return self.resident[rows.to(self.device)]
        picked = torch.from_numpy(self.crops.pixels[rows.numpy()])
        return picked.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else picked

    def batch(self, rows: Tensor, epoch: int) -> Batch:
        """These crops, augmented as the epoch has it."""
        at = rows.to(self.device)
        return augmented(self.pixels(rows), self.points[at], self.v[at], self.annotated[at], at, epoch, self.recipe, self.body, self.crops.margin)

    def plain(self, rows: Tensor) -> Batch:
        """These crops as they are, without margin: for validation."""
        at, (x, y), (width, height) = rows.to(self.device), self.crops.margin, self.recipe.size
        images = self.pixels(rows)[:, y : y + height, x : x + width].permute(0, 3, 1, 2).float()
        points = self.points[at] - torch.tensor([x, y], device=self.device)
        return Batch(images, points, inside(points, self.v[at], self.recipe.size), self.annotated[at], at)

    def epoch(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[list[Batch]]:
        """The parts of each step. Where the crops lie on the host, the next ones are fetched while a GPU works."""
        steps = parts_of(len(self), self.recipe, epoch, start, rank, world)
        if self.resident is not None or self.device.type != "cuda":
            for parts in steps:
                yield self._batches(parts, epoch)
            return
        with ThreadPoolExecutor(1) as pool:
            yield from ahead(pool, (partial(self._batches, parts, epoch) for parts in steps))

    def _batches(self, parts: list[Tensor], epoch: int) -> list[Batch]:
        return [self.batch(rows, epoch) for rows in parts]


def ahead(pool: ThreadPoolExecutor, jobs: Iterator[Callable[[], T]]) -> Iterator[T]:
    """What the jobs give, each begun while the one before is used."""
    waiting = None
    for job in jobs:
        begun = pool.submit(job)
        if waiting is not None:
            yield waiting.result()
        waiting = begun
    if waiting is not None:
        yield waiting.result()


def _resident(pixels: NDArray[np.uint8], device: torch.device) -> Tensor | None:
    """The whole cache on the GPU, where it fits."""
    if device.type != "cuda" or pixels.nbytes > torch.cuda.mem_get_info(device)[0] * _RESIDENT:
        return None
    whole = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for first in range(0, len(pixels), 4096):
        whole[first : first + 4096] = torch.from_numpy(pixels[first : first + 4096].copy()).to(device)
    return whole


def augmented(
    pixels: Tensor, points: Tensor, v: Tensor, annotated: Tensor, rows: Tensor, epoch: int, recipe: Recipe, body: Body, margin: tuple[int, int]
) -> Batch:
    """A batch of cached crops as the network sees them in an epoch."""
    changes = draw(recipe, epoch, rows, points, v > 0, body, margin)
    images = recoloured(warped(pixels, changes.affine, recipe.size), changes)
    moved, seen = cropped(points, v, changes, body)
    known = torch.where(changes.flip[:, None], annotated[:, body.mirror], annotated)
    return Batch(images, moved, inside(moved, seen, recipe.size), known, rows)


def inside(points: Tensor, v: Tensor, size: tuple[int, int]) -> Tensor:
    """v, and 0 for points outside the input: the network cannot see them."""
    edge = torch.tensor(size, device=points.device) - 0.5
    return v * ((points > -0.5) & (points < edge)).all(-1)


# -- the plain way -------------------------------------------------------------------------------------


class PlainCrops(Dataset):  # type: ignore[misc]  # torch is not followed by the type checker
    """Map-style: every item opens its picture, cuts the crop, lets the user change it, and augments it alone."""

    def __init__(self, crops: Crops, recipe: Recipe, transform: Transform | None = None) -> None:
        self.recipe, self.transform, self.margin = recipe, transform, crops.margin
        self.cut = cutter(crops)
        self.body = body_of(crops.dataset.schema)
        known = crops.points
        self.points = torch.tensor(known[..., :2], dtype=torch.float32)
        self.v = torch.tensor(known[..., 2] * crops.dataset.instances.labelled[crops.rows], dtype=torch.float32)
        self.annotated = torch.tensor(crops.dataset.instances.annotated[crops.rows])

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, row = key
        image = torch.from_numpy(self.cut(row).copy()).permute(2, 0, 1)
        item = {"image": image, "points": self.points[row], "v": self.v[row]}
        if self.transform is not None:
            item = _still_fits(self.transform(item), item)
        pixels = item["image"].permute(1, 2, 0)[None]
        known, at = self.annotated[row][None], torch.tensor([row])
        return augmented(pixels, item["points"][None], item["v"][None], known, at, epoch, self.recipe, self.body, self.margin)


def _still_fits(new: Any, old: Item) -> Item:
    if not isinstance(new, dict) or any(getattr(new.get(k), "shape", None) != old[k].shape for k in old):
        raise DataError("transform", brief(repr(new if not isinstance(new, dict) else sorted(new)), 80), "give back image, points and v of the same shapes")
    return new


class PlainLoader:
    """The same batches through a torch DataLoader: slower, and the place for a user's own transform."""

    def __init__(self, crops: Crops, recipe: Recipe, device: torch.device, workers: int = 0, transform: Transform | None = None) -> None:
        self.recipe, self.device, self.workers = recipe, device, workers
        self.items = PlainCrops(crops, recipe, transform)

    def __len__(self) -> int:
        return len(self.items)

    def batch(self, rows: Tensor, epoch: int) -> Batch:
        """These crops, one after another."""
        return self._moved(joined([self.items[epoch, row] for row in rows.tolist()]))

    def epoch(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[list[Batch]]:
        """The parts of each step."""
        keys = [[(epoch, row) for row in part.tolist()] for parts in parts_of(len(self), self.recipe, epoch, start, rank, world) for part in parts]
        loader = DataLoader(self.items, batch_sampler=keys, num_workers=self.workers, collate_fn=joined, pin_memory=self.device.type == "cuda")
        several: list[Batch] = []
        for batch in loader:
            several.append(self._moved(batch))
            if len(several) == self.recipe.accumulate:
                yield several
                several = []

    def _moved(self, batch: Batch) -> Batch:
        return Batch(*(t.to(self.device, non_blocking=True) for t in batch))


def joined(items: list[Batch]) -> Batch:
    """Batches of one as a batch."""
    return Batch(*(torch.cat(column) for column in zip(*items, strict=True)))


def fits(n: int, recipe: Recipe, world: int) -> None:
    """Refuse a batch that cannot be shared out evenly."""
    parts, batch = recipe.accumulate * world, min(recipe.batch, n)
    if batch < parts or batch % parts:
        seen = f"{batch} crops for {world} processes of {recipe.accumulate} parts each"
        raise PoseError("batch", seen, f"--set batch=... to a multiple of {parts}" if n >= parts else "fewer processes, or more data")
