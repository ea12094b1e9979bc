"""Everybody in a picture: boxes of the network's own, or those somebody gives, and the points in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posedata.columns import ids_column
from posedata.dataset import PoseDataset
from posedata.progress import bar

from ..boxes import Boxes, picture_size
from ..crops import cut, opened
from ..looking import Asked, on_device, read_ahead
from ..recipes import Recipe
from ..scoring import laid_out
from ..timing import Stopwatch
from .decode import Placed, judged, looked_at, place
from .loader import edges_to_image, edges_to_input, fitted
from .model import RCNN, Features, Found

if TYPE_CHECKING:
    from ..predict import Predictor

__all__ = ["boxes_by", "find", "fp32", "kept_boxes", "one_by_one", "seen"]

_CROPS = 8
"""Crops that one picture counts for in a batch."""


def seen(model: RCNN, images: Tensor, recipe: Recipe, flip: bool) -> tuple[Features, Features | None]:
    """The pyramids of pictures and, for a flip test, of their mirror images."""
    images = laid_out(images, recipe)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda and recipe.precision == "bf16"):
        return fp32(model.features(images)), fp32(model.features(images.flip(-1))) if flip else None


def fp32(features: Features) -> Features:
    """Boxes and places are made in fp32, whatever the network ran in."""
    return features._replace(maps=type(features.maps)((name, one.float()) for name, one in features.maps.items()))


def find(predictor: Predictor, ds: PoseDataset, asked: Asked, watch: Stopwatch) -> tuple[Boxes, NDArray[np.float64]]:
    """The boxes asked for, or found, and (N, K, 3) the points in them, in pixels of the images."""
    given = None if asked.boxes == "own" else asked.boxes_on(ds)
    rows = np.arange(len(ds.images)) if given is None else np.unique(given.image)
    parts: list[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = []
    with bar("predicting", len(rows), asked.quiet) as step:
        for some, pixels, affine in watch.read(_pictures(ds, rows, predictor.recipe, max(asked.batch // _CROPS, 1))):
            inside = None if given is None else [_of_picture(given, row, affine[i]) for i, row in enumerate(some)]
            with watch.network(), torch.no_grad():
                features, turned = seen(predictor.model, on_device(pixels, predictor.device), predictor.recipe, asked.flip)
                found = predictor.model.detect(features) if inside is None else [Found(b.to(predictor.device), b.new_ones(len(b))) for b in inside]
                shares, presence = looked_at(predictor.model, features, [one.boxes for one in found], turned)
            with watch.decoding(), torch.no_grad():
                corners = torch.cat([one.boxes for one in found])
                placed = judged(place(predictor.model, shares, presence, corners, predictor.recipe), asked.leave_out)
                parts.append(_on_images(some, found, placed, affine))
            step(len(some))
    k = len(predictor.model.schema)
    empty = (np.zeros(0, np.intp), np.zeros((0, 4)), np.zeros(0), np.zeros((0, k, 3)))
    image, bbox, score, points = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    if given is not None:
        order = np.argsort(np.argsort(given.image, kind="stable"), kind="stable")  # found picture by picture, wanted as given
        return given, points[order]
    boxes, kept = kept_boxes(ds, image, bbox, score, "own")
    few = boxes.score >= asked.least
    return boxes.where(few), points[kept][few]


def _of_picture(given: Boxes, row: int, affine: NDArray[np.float64]) -> Tensor:
    bbox = given.bbox[given.image == row]
    return torch.as_tensor(edges_to_input(bbox, np.repeat(affine[None], len(bbox), 0)), dtype=torch.float32)


def _pictures(ds: PoseDataset, rows: NDArray[np.intp], recipe: Recipe, batch: int) -> Any:
    """Rows of pictures, their pixels (B, h, w, 3), and the affine maps they were fitted by; read ahead by threads."""
    groups = [rows[i : i + batch] for i in range(0, len(rows), batch)]

    def work(group: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        affine = fitted(ds, group, recipe.size, recipe.padding)
        return np.stack([cut(opened(ds, int(row)), affine[i], recipe.size) for i, row in enumerate(group)]), affine

    return ((group, *made) for group, made in read_ahead(work, groups, 2 * batch))


def _on_images(
    rows: NDArray[np.intp], found: Sequence[Found], placed: Tensor, affine: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Image, box, score and points of what was found on some pictures, in their own pixels."""
    counts = [len(one.boxes) for one in found]
    own = np.repeat(affine, counts, 0)
    bbox = edges_to_image(torch.cat([one.boxes for one in found]).double().cpu().numpy(), own)
    points = placed.double().cpu().numpy()
    points[..., :2] = points[..., :2] * own[:, None, 0, :1] + own[:, None, :, 2]
    return np.repeat(rows, counts), bbox, torch.cat([one.scores for one in found]).double().cpu().numpy(), points


def kept_boxes(ds: PoseDataset, image: NDArray[np.intp], bbox: NDArray[np.float64], score: NDArray[np.float64], source: str) -> tuple[Boxes, NDArray[np.intp]]:
    """Boxes cut at the edges of their pictures, and the rows of those of which something is left."""
    sides = np.array([picture_size(ds, int(row)) for row in np.unique(image)], np.float64).reshape(-1, 2)
    edge = sides[np.searchsorted(np.unique(image), image)]
    low, high = np.clip(bbox[:, :2], 0, edge), np.clip(bbox[:, :2] + bbox[:, 2:], 0, edge)
    kept = np.flatnonzero(((high - low) > 0.5).all(1))
    category = ids_column([ds.categories[0].id if ds.categories else 1] * len(kept), "category")  # it finds who has these points, not what they are
    return Boxes(image=image[kept], bbox=np.concatenate([low, high - low], 1)[kept], score=score[kept], category=category, source=source), kept


def boxes_by(predictor: Predictor, ds: PoseDataset, quiet: bool) -> Boxes:
    """What a detector finds on a dataset, as boxes for a model of crops."""
    image, bbox, score = [np.zeros(0, np.intp)], [np.zeros((0, 4))], [np.zeros(0)]
    rows = np.arange(len(ds.images))
    with bar("detecting", len(rows), quiet) as step:
        for some, pixels, affine in _pictures(ds, rows, predictor.recipe, _CROPS):
            with torch.no_grad():
                found = predictor.model.detect(seen(predictor.model, on_device(pixels, predictor.device), predictor.recipe, False)[0])
            own = np.repeat(affine, [len(one.boxes) for one in found], 0)
            image.append(np.repeat(some, [len(one.boxes) for one in found]))
            bbox.append(edges_to_image(torch.cat([one.boxes for one in found]).double().cpu().numpy(), own))
            score.append(torch.cat([one.scores for one in found]).double().cpu().numpy())
            step(len(some))
    return kept_boxes(ds, np.concatenate(image), np.concatenate(bbox), np.concatenate(score), f"detector: {predictor.name}")[0]


def one_by_one(predictor: Predictor, ds: PoseDataset, boxes: Boxes, flip: bool, count: int) -> list[float]:
    """Seconds of single pictures, from pixels to points, whoever is on them."""
    rows = np.unique(boxes.image)[:count]
    pictures = [on_device(pixels, predictor.device) for _, pixels, _ in _pictures(ds, rows, predictor.recipe, 1)]

    def work(images: Tensor) -> Placed:
        with torch.no_grad():
            features, turned = seen(predictor.model, images, predictor.recipe, flip)
            found = predictor.model.detect(features)
            shares, presence = looked_at(predictor.model, features, [one.boxes for one in found], turned)
            return place(predictor.model, shares, presence, found[0].boxes, predictor.recipe)

    return Stopwatch(predictor.device).each(work, pictures)
