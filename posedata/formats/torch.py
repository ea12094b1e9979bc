"""torch Datasets of poses, or of images with all their poses. The room of torch.

loader = DataLoader(ds.to_torch(size=(256, 256), heatmap=(64, 64)), batch_size=32, num_workers=4)
loader = DataLoader(ds.to_torch("images"), batch_size=2, collate_fn=posedata.formats.torch.collate)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean, first_few
from ..rest import FileRest, Rest

__all__ = ["ImageItems", "InstanceItems", "Options", "collate", "to_torch"]

Item = dict[str, Any]

_BILINEAR = 2  # PIL.Image.Resampling.BILINEAR; Pillow has its own room


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may ask of the items."""

    size: tuple[int, int] | None = None
    """(height, width) every image is resized to, its points, boxes and areas with it."""
    transform: Callable[[Item], Item] | None = None
    """The last word on each item."""
    relative: bool = False
    """Points, boxes and areas as shares of the image: 0 is its left or upper edge, 1 the other."""
    order: str = "xy"
    """Of the two numbers of a point: "xy" or "yx"."""
    visibility: bool = False
    """v as the third number of each point; heatmaps of hidden points are negative."""
    heatmap: tuple[int, int] | None = None
    """(height, width) of one map for each keypoint, a Gaussian around the point as it is, never rounded to a cell."""
    heatmap_sigma: float = 2.0
    """Its standard deviation, in cells of the map."""

    def __post_init__(self) -> None:
        for name in ("size", "heatmap"):
            pair = getattr(self, name)
            if pair is not None and not (_is_pair(pair) and min(pair) > 0):
                raise DataError("to_torch", f"{name}={brief(pair)}", "two whole numbers, (height, width)")
        for name in ("relative", "visibility"):
            if not isinstance(getattr(self, name), bool):
                raise DataError("to_torch", f"{name}={brief(getattr(self, name))}", "True or False")
        if self.order not in ("xy", "yx"):
            raise DataError("to_torch", f"order={brief(self.order)!r}", did_you_mean(str(self.order), ("xy", "yx")))
        if isinstance(self.heatmap_sigma, bool) or not isinstance(self.heatmap_sigma, int | float) or not 0 < self.heatmap_sigma < np.inf:
            raise DataError("to_torch", f"heatmap_sigma={brief(self.heatmap_sigma)}", "a number of cells above 0")
        if self.transform is not None and not callable(self.transform):
            raise DataError("to_torch", f"transform={brief(self.transform)}", "a function that gets an item and returns one")


def to_torch(ds: PoseDataset, of: str = "instances", **options: Any) -> InstanceItems | ImageItems:
    """A map-style torch Dataset of `instances` or `images`; the options are the fields of `Options`."""
    if of not in _KINDS:
        raise DataError("to_torch", f"of={brief(of)!r}", did_you_mean(str(of), _KINDS))
    kind, known = _KINDS[of]
    for name in options:
        if name not in known:
            elsewhere = [other for other, (_, names) in _KINDS.items() if name in names]
            raise DataError(f"to_torch(of={of!r})", f"no option {name!r}", f"it is for of={elsewhere[0]!r}" if elsewhere else did_you_mean(name, known))
    items: InstanceItems | ImageItems = kind(ds, Options(**options))
    return items


class InstanceItems(Dataset):  # type: ignore[misc]  # torch is not followed by the type checker
    """One item per instance.

    image uint8 (3, H, W); keypoints float32 (K, 2), or (K, 3) with v; visibility uint8 (K,); labelled bool (K,); bbox x, y, w, h and
    area float32, NaN when unknown; category int64, a row of the dataset's categories; crowd bool; id and image_id as in the source.
    Points that are not labelled are 0, 0. With `heatmap` also heatmap float32 (K, h, w), 0 where a point is not labelled.
    """

    def __init__(self, ds: PoseDataset, options: Options) -> None:
        self.ds, self.options = _light(ds), options

    def __len__(self) -> int:
        return len(self.ds)

    def __getitem__(self, row: int) -> Item:
        row = _row(row, len(self))
        own, o = self.ds.instances, self.options
        image_row = int(own.image[row])
        image, size = _picture(self.ds, image_row, o.size)
        target = o.size or size
        xy, v, labelled = own.keypoints[row, :, :2], own.keypoints[row, :, 2], own.labelled[row]
        points = np.where(labelled[:, None], _shares(xy, size) if o.relative else _moved(xy, size, target), 0)
        to = (1, 1) if o.relative else target
        item = {
            "image": image,
            "keypoints": _float(_arranged(points, v * labelled, o)),
            "visibility": torch.tensor((v * labelled).astype(np.uint8)),
            "labelled": torch.tensor(labelled),
            "bbox": _float(own.bbox[row] * _scale(size, to)),
            "area": _float(own.area[row] * _scale(size, to)[:2].prod()),
            "category": torch.tensor(int(own.category[row])),
            "crowd": torch.tensor(bool(own.crowd[row])),
            "id": _id(own.id[row]),
            "image_id": _id(self.ds.images.id[image_row]),
        }
        if o.heatmap:
            sign = np.where((v == 1) & o.visibility, -1, 1) * labelled
            item["heatmap"] = _float(sign[:, None, None] * heatmaps(_moved(xy, size, o.heatmap), o.heatmap, o.heatmap_sigma))
        return o.transform(item) if o.transform else item


class ImageItems(Dataset):  # type: ignore[misc]
    """One item per image, in the form of torchvision's KeypointRCNN.

    image uint8 (3, H, W); boxes x1, y1, x2, y2 float32 (N, 4); labels int64 (N,), row of the category + 1; keypoints float32 (N, K, 3);
    area float32 (N,); iscrowd int64 (N,), crowds are there; image_id as in the source.
    """

    def __init__(self, ds: PoseDataset, options: Options) -> None:
        bad = ~(ds.instances.bbox[:, 2:] > 0).all(1)
        if bad.any():
            raise DataError(
                f"{ds.name}: to_torch(of='images')",
                f"{int(bad.sum()):,} instances without a box of positive size: {first_few(ds.instances.id[bad].tolist(), between=', ')}",
                "give them one, or leave them out: ds.take((ds.instances.bbox[:, 2:] > 0).all(1))",
            )
        self.ds, self.options = _light(ds), options
        self.order = np.argsort(ds.instances.image, kind="stable")
        self.ends = np.searchsorted(ds.instances.image[self.order], np.arange(len(ds.images) + 1))

    def __len__(self) -> int:
        return len(self.ds.images)

    def __getitem__(self, row: int) -> Item:
        row = _row(row, len(self))
        own, o = self.ds.instances, self.options
        mine = self.order[self.ends[row] : self.ends[row + 1]]
        image, size = _picture(self.ds, row, o.size)
        target, labelled = o.size or size, own.labelled[mine][..., None]
        boxes = own.bbox[mine] * _scale(size, target)
        points = np.concatenate([_moved(own.keypoints[mine, :, :2], size, target), own.keypoints[mine, :, 2:]], -1)
        item = {
            "image": image,
            "boxes": _float(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)),
            "labels": torch.tensor(own.category[mine] + 1),
            "keypoints": _float(np.where(labelled, points, 0)),
            "area": _float(own.area[mine] * _scale(size, target)[:2].prod()),
            "iscrowd": torch.tensor(own.crowd[mine].astype(np.int64)),
            "image_id": _id(self.ds.images.id[row]),
        }
        return o.transform(item) if o.transform else item


_KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "instances": (InstanceItems, tuple(f.name for f in fields(Options))),
    "images": (ImageItems, ("size", "transform")),
}


def collate(items: Sequence[Mapping[str, Any]]) -> tuple[list[torch.Tensor], list[Item]]:
    """Images and targets as two lists, as torchvision's detectors take them: nothing is stacked, sizes and numbers may differ."""
    return [item["image"] for item in items], [{name: value for name, value in item.items() if name != "image"} for item in items]


def heatmaps(xy: NDArray[np.float64], size: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    """(K, h, w) Gaussians of height 1 around (K, 2) points, in cells whose centres are whole numbers."""
    down, across = (np.exp(-((np.arange(n) - xy[:, axis, None]) ** 2) / (2 * sigma**2)) for n, axis in ((size[0], 1), (size[1], 0)))
    return down[:, :, None] * across[:, None]


def _moved(xy: NDArray[np.float64], old: tuple[int, int], new: tuple[int, int]) -> NDArray[np.float64]:
    """Pixel centres after resizing (h, w) to (h, w): x' = (x + .5) * w' / w - .5."""
    return (xy + 0.5) * _scale(old, new)[:2] - 0.5


def _shares(xy: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    return (xy + 0.5) * _scale(size, (1, 1))[:2]


def _scale(old: tuple[int, int], new: tuple[int, int]) -> NDArray[np.float64]:
    """(4,) factors of x, y, w, h."""
    return np.array([new[1] / old[1], new[0] / old[0]] * 2)


def _arranged(xy: NDArray[np.float64], v: NDArray[np.float64], options: Options) -> NDArray[np.float64]:
    points = xy if options.order == "xy" else xy[:, ::-1]
    return np.concatenate([points, v[:, None]], 1) if options.visibility else points


def _picture(ds: PoseDataset, row: int, size: tuple[int, int] | None) -> tuple[torch.Tensor, tuple[int, int]]:
    """The pixels, resized if asked, and the (height, width) they had before."""
    from ..images import open_image

    image, images = open_image(ds.images, row).convert("RGB"), ds.images
    recorded = (int(images.width[row]), int(images.height[row]))
    if 0 not in recorded and recorded != image.size:
        raise DataError(
            str(images.file[row]),
            f"{image.size[0]} x {image.size[1]} pixels, where its record says {recorded[0]} x {recorded[1]}",
            "the points would lie elsewhere; is it the right file?",
        )
    resized = image if size is None else image.resize((size[1], size[0]), resample=_BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous(), (image.size[1], image.size[0])


def _light(ds: PoseDataset) -> PoseDataset:
    """Without the texts of the source: workers get a copy of what is left."""
    images = replace(ds.images, rest=Rest.empty(len(ds.images)), meta={})
    return replace(ds, images=images, instances=replace(ds.instances, rest=Rest.empty(len(ds)), meta={}), rest=FileRest())


def _id(value: Any) -> int | str:
    return value if isinstance(value, str) else int(value)


def _row(row: int, n: int) -> int:
    if not -n <= row < n:
        raise IndexError(f"no item {row}; there are {n}")
    return int(row) % n


def _float(values: Any) -> torch.Tensor:
    return torch.tensor(np.array(values, np.float32, order="C"))


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
