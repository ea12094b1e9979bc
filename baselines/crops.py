"""Crops: from a box to pixels of the network's size and back; and the cache that decodes every picture once.

A crop is an affine map from centres of its pixels to centres of the image's pixels. The cache holds, for each instance, the crop of
the network's input with a margin around it, at the input's own scale: its middle is exactly what a crop without margin would be, and
the margin is what rotation, scale and shift may bring in. What lies beyond the margin, as beyond the image, is black.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, Fault, FormatError, PoseError, raise_faults
from posedata.files import cache_folder, write_folder
from posedata.progress import bar

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["CONTEXT", "Crops", "boxes_of", "crop_affine", "cut", "load_crops", "to_crop", "to_image", "usable"]

CONTEXT = 1.5
"""Side of a training crop in the cache, over the input's: a crop turned by 45 degrees lacks nothing but its corners."""
CROP_VERSION = 1
"""Part of the cache's key; raise it when a crop is cut differently."""
_BILINEAR = 2  # PIL.Image.Resampling.BILINEAR; Pillow has its own room
_LARGEST = 250_000_000
"""Pixels of an image's region that is decoded for one crop."""


def boxes_of(ds: PoseDataset) -> NDArray[np.float64]:
    """(N, 4) each instance's box, else the extent of its labelled points; NaN where neither has a size."""
    own = ds.instances
    given = np.min(own.bbox[:, 2:], 1, initial=np.inf) > 0  # NaN is not above 0
    boxes = np.where(given.reshape(-1, 1), own.bbox, own.extent())
    return np.where((boxes[:, 2:] > 0).all(1, keepdims=True), boxes, np.nan)


def usable(ds: PoseDataset) -> NDArray[np.intp]:
    """Rows of instances that can be learned from and are scored from truth boxes: labelled points, a box, and no crowd."""
    return np.flatnonzero(ds.instances.labelled.any(1) & ~np.isnan(boxes_of(ds)[:, 0]) & ~ds.instances.crowd)


def crop_affine(boxes: NDArray[np.float64], size: tuple[int, int], padding: float = 1.25, margin: tuple[int, int] = (0, 0)) -> NDArray[np.float64]:
    """Crops of (width, height) around boxes, grown to its shape and by `padding`, with more pixels on all sides.

    boxes: (N, 4) x, y, w, h of edges -> (N, 2, 3) from crop to image, both in pixel centres.
    """
    scale = np.maximum(boxes[:, 2] / size[0], boxes[:, 3] / size[1]) * padding
    centre = boxes[:, :2] + boxes[:, 2:] / 2 - 0.5
    affine = np.zeros((len(boxes), 2, 3))
    affine[:, 0, 0] = affine[:, 1, 1] = scale
    middle = (np.array(size) + 2 * np.array(margin) - 1) / 2
    affine[:, :, 2] = centre - scale[:, None] * middle
    return affine


def to_image(points: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K, 2 or more) points of crops, as points of their images; what follows x and y stays."""
    moved = points[..., :2] @ affine[:, :, :2].swapaxes(1, 2) + affine[:, None, :, 2]
    return np.concatenate([moved, points[..., 2:]], -1)


def to_crop(points: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K, 2 or more) points of images, as points of crops: undoes `to_image`."""
    moved = (points[..., :2] - affine[:, None, :, 2]) @ np.linalg.inv(affine[:, :, :2]).swapaxes(1, 2)
    return np.concatenate([moved, points[..., 2:]], -1)


def cut(picture: Image.Image, affine: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) pixels of one upright crop, smoothed where it shrinks; black beyond the picture.

    affine: (2, 3) as `crop_affine` makes it.
    """
    scale, low = np.diag(affine[:, :2]), affine[:, 2] + 0.5
    low = low - scale / 2  # the outer edge of the first pixel
    reach = np.ceil(np.maximum(scale, 1)) + 1  # of the filter that shrinks, so that margins change nothing inside
    first, last = np.floor(low - reach), np.ceil(low + scale * size + reach)
    if not np.isfinite([first, last]).all() or np.prod(last - first) > _LARGEST or np.abs([first, last]).max() > 2**30:
        raise DataError("a crop", f"{np.prod(last - first):,.0f} pixels around one box", "is the box in pixels of this picture?")
    region = picture.crop((int(first[0]), int(first[1]), int(last[0]), int(last[1])))
    edges = (*(low - first).tolist(), *(low - first + scale * size).tolist())
    return np.asarray(region.resize(size, resample=_BILINEAR, box=edges), np.uint8)


# -- the cache -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Crops:
    """N crops of a dataset and where they lie in their images."""

    dataset: PoseDataset
    rows: NDArray[np.intp]
    """(N,) rows of instances."""
    pixels: NDArray[np.uint8]
    """(N, H, W, 3) mapped from the cache."""
    affine: NDArray[np.float64]
    """(N, 2, 3) from these pixels to the image's."""
    margin: tuple[int, int]
    """Pixels at the left and right, above and below, around the network's input."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def points(self) -> NDArray[np.float64]:
        """(N, K, 3) x, y, v in these pixels."""
        return to_crop(self.dataset.instances.keypoints[self.rows], self.affine)


def load_crops(
    ds: PoseDataset, size: tuple[int, int], padding: float = 1.25, context: float = CONTEXT, workers: int | None = None, quiet: bool = False
) -> Crops:
    """Every usable instance of a dataset as a crop of (width, height) with its margin: from the cache, else decoded once into it."""
    rows = usable(ds)
    if not len(rows):
        raise DataError(ds.name, "no instance has a box, labelled points and is no crowd", "nothing can be learned from it or scored on it")
    margin = (round(size[0] * (context - 1) / 2), round(size[1] * (context - 1) / 2))
    affine = crop_affine(boxes_of(ds)[rows], size, padding, margin)
    shape = (len(rows), size[1] + 2 * margin[1], size[0] + 2 * margin[0], 3)
    folder = cache_folder() / "crops" / _key(ds, rows, affine, shape)
    if not folder.is_dir():
        _build(folder, ds, rows, affine, shape, workers or min(os.cpu_count() or 1, 16), quiet)
    return Crops(dataset=ds, rows=rows, pixels=np.load(folder / "pixels.npy", mmap_mode="r"), affine=affine, margin=margin)


def _key(ds: PoseDataset, rows: NDArray[np.intp], affine: NDArray[np.float64], shape: tuple[int, ...]) -> str:
    """What the crops are made of: where they are cut, and size and time of every picture. All pictures that are missing are named here."""
    from posedata.images import image_path

    digest = hashlib.sha256(json.dumps([CROP_VERSION, shape]).encode() + affine.tobytes() + ds.instances.image[rows].tobytes())
    faults = []
    for row in np.unique(ds.instances.image[rows]).tolist():
        path = image_path(ds.images, row)
        try:
            seen = path.stat()
        except OSError as e:
            faults.append(Fault(str(path), (e.strerror or "cannot be read").lower(), "check images=FOLDER (or --images FOLDER)"))
        else:
            digest.update(f"{path}\0{seen.st_size}\0{seen.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    raise_faults(ds.name, faults)
    return digest.hexdigest()[:32]


def _build(folder: Path, ds: PoseDataset, rows: NDArray[np.intp], affine: NDArray[np.float64], shape: tuple[int, ...], workers: int, quiet: bool) -> None:
    need = int(np.prod(shape))

    def fill(place: Path) -> None:
        pixels = _reserved(place / "pixels.npy", shape)
        _cut_all(pixels, ds, rows, affine, workers, quiet)
        pixels.flush()
        np.savez(place / "columns.npz", affine=affine, instance=ds.instances.id[rows].astype(str), image=ds.images.file[ds.instances.image[rows]].astype(str))

    try:
        write_folder(folder, fill)
    except PoseError:
        raise
    except OSError as e:
        room = shutil.disk_usage(next(p for p in folder.parents if p.is_dir())).free
        seen = f"crops of {need / 1e9:.2f} GB cannot be kept ({(e.strerror or str(e)).lower()}; {room / 1e9:.2f} GB are free)"
        raise FormatError(str(folder.parent), seen, "make room, or name a folder on another disk: POSEBENCH_CACHE=FOLDER") from None


def _reserved(path: Path, shape: tuple[int, ...]) -> Any:
    """A mapped array whose room on the disk is taken: writing to a map on a full disk would end the process without a word."""
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return pixels


def _cut_all(pixels: Any, ds: PoseDataset, rows: NDArray[np.intp], affine: NDArray[np.float64], workers: int, quiet: bool) -> None:
    """Decode each picture once, in threads: Pillow lets go of the interpreter while it works."""
    order = np.argsort(ds.instances.image[rows], kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(ds.instances.image[rows][order])) + 1)

    def work(group: NDArray[np.intp]) -> int:
        picture = opened(ds, int(ds.instances.image[rows[group[0]]]))
        for place in group.tolist():
            pixels[place] = cut(picture, affine[place], (pixels.shape[2], pixels.shape[1]))
        return len(group)

    with ThreadPoolExecutor(workers) as pool, bar("cutting crops", len(rows), quiet) as step:
        try:
            for done in pool.map(work, groups):
                step(done)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def opened(ds: PoseDataset, row: int) -> Image.Image:
    """The picture of one image, which must have the size its record says: the points would lie elsewhere."""
    from posedata.images import open_image

    picture = open_image(ds.images, row)
    recorded = (int(ds.images.width[row]), int(ds.images.height[row]))
    if 0 not in recorded and recorded != picture.size:
        seen = f"{picture.size[0]} x {picture.size[1]} pixels, where its record says {recorded[0]} x {recorded[1]}"
        raise DataError(str(ds.images.file[row]), seen, "is it the right file?")
    return picture


Cutter = Callable[[int], NDArray[np.uint8]]


def cutter(crops: Crops) -> Cutter:
    """A function from a crop's number to its pixels, decoded anew from its picture: the plain way, beside the cache."""
    height, width = crops.pixels.shape[1:3]

    def one(place: int) -> NDArray[np.uint8]:
        return cut(opened(crops.dataset, int(crops.dataset.instances.image[crops.rows[place]])), crops.affine[place], (width, height))

    return one
