"""Truth and predictions on common rows: every prediction finds its image and its category, or the file is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.columns import ids_column, repeats, rows_of
from posedata.dataset import PoseDataset
from posedata.errors import DataError, brief, first_few
from posedata.predictions import Predictions

__all__ = ["Aligned", "align"]

UNKNOWN = ("error", "drop")


@dataclass(frozen=True, eq=False, kw_only=True)
class Aligned:
    """M predictions beside the truth they are scored against."""

    truth: PoseDataset
    pred: Predictions
    image: NDArray[np.intp]
    """(M,) row in truth.images."""
    category: NDArray[np.intp]
    """(M,) row in truth.categories."""
    rank: NDArray[np.intp]
    """(I,) place of each image in the order of ids, which decides between equal scores."""
    warnings: tuple[str, ...] = ()


def align(truth: PoseDataset, pred: Predictions, per_category: bool = True, unknown: str = "error") -> Aligned:
    """Rows of the truth for every prediction; what names nothing in it is an error, or dropped and counted."""
    if unknown not in UNKNOWN:
        raise DataError("evaluate", f"unknown={brief(repr(unknown))}", f"one of: {', '.join(UNKNOWN)}")
    _require_one_schema(truth, pred)
    _refuse_negative_areas(truth)
    truth, told = _seen_images(truth, pred, unknown)
    image, renamed = image_rows(truth, pred.image)
    category = _category_rows(truth, pred) if per_category else np.zeros(len(pred), np.intp)
    lost = (image < 0) | (category < 0)
    if lost.any() and unknown == "error":
        raise _unknown(truth, pred, image, category)
    warnings = [*told, *renamed]
    if lost.any():
        warnings.append(f"{lost.sum():,} of {len(pred):,} predictions name images or categories that the truth lacks; they were dropped, as asked")
        keep = np.flatnonzero(~lost)
        pred, image, category = pred.take(keep), image[keep], category[keep]
    order = np.argsort(truth.images.id, kind="stable")
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return Aligned(truth=truth, pred=pred, image=image, category=category, rank=rank, warnings=tuple(warnings))


def _require_one_schema(truth: PoseDataset, pred: Predictions) -> None:
    if truth.schema.same_points(pred.schema):
        return
    raise DataError(
        "evaluate",
        f"predictions of schema {pred.schema.name!r} ({len(pred.schema)} points) against truth of {truth.schema.name!r} ({len(truth.schema)})",
        "score the points both have with mapping='known' (--mapping known|FILE), or bring the truth to one schema: truth.as_schema(...)",
    )


def _refuse_negative_areas(truth: PoseDataset) -> None:
    bad = truth.instances.area < 0
    if bad.any():
        raise DataError(truth.name, f"negative area in instance {first_few(truth.instances.id[bad], between=', ')}", "correct the file")


def _seen_images(truth: PoseDataset, pred: Predictions, unknown: str) -> tuple[PoseDataset, list[str]]:
    """The truth of the images the model saw, where the header lists them; predictions elsewhere contradict it."""
    listed = pred.header.get("images", "all")
    if listed == "all" or listed is None:
        return truth, []
    if not isinstance(listed, list) or not listed:
        raise DataError("predictions header images", brief(repr(listed)), "'all', or a list of image ids")
    rows, _ = image_rows(truth, ids_column(listed, "predictions header images"))
    lost = rows < 0
    if lost.all() or (lost.any() and unknown == "error"):
        seen = f"{lost.sum():,} of {len(rows):,} name no image of {truth.name!r}: {_ids([i for i, gone in zip(listed, lost, strict=True) if gone])}"
        raise DataError("predictions header images", seen, "predictions of another split or dataset?")
    rows = np.unique(rows[~lost])
    if len(rows) == len(truth.images):
        return truth, []
    own = image_rows(truth, pred.image)[0]
    beyond = (own >= 0) & ~np.isin(own, rows)
    if beyond.any():
        seen = f"{beyond.sum():,} of {len(pred):,} predictions lie on images that the header does not list: {_ids(pred.image[beyond].tolist())}"
        raise DataError(_first_record(pred, beyond, "image_id"), seen, "correct images in the header, or leave it out for all")
    kept = truth.take_images(rows)
    return kept, [f"scored on {len(kept.images):,} of {len(truth.images):,} images: those the header of the predictions lists"]


def image_rows(truth: PoseDataset, ids: NDArray[Any]) -> tuple[NDArray[np.intp], list[str]]:
    """Row of the image of each id, -1 for none; file names are the ids where they match and no id does."""
    rows = rows_of(truth.images.id, ids)
    if not len(rows) or (rows >= 0).any() or ids.dtype != object:
        return rows, []
    for what, names in _file_names(truth).items():
        by_name = rows_of(names, ids)
        if (by_name >= 0).all() and not repeats(names):
            return by_name, [f"predictions name images by {what}, not by id: names were taken for ids"]
    return rows, []


def _file_names(truth: PoseDataset) -> dict[str, NDArray[Any]]:
    files = truth.images.file
    paths = [PurePosixPath(f) for f in files]
    return {
        "file name": files,
        "file name without folder": np.array([*(p.name for p in paths), None], object)[:-1],
        "file name without ending": np.array([*(p.stem for p in paths), None], object)[:-1],
    }


def _category_rows(truth: PoseDataset, pred: Predictions) -> NDArray[np.intp]:
    ids = [c.id for c in truth.categories]
    texts = any(isinstance(i, str) for i in ids)  # ids of one table are of one kind
    table = np.array([*ids, None], object)[:-1] if texts else np.array(ids, np.int64)
    return rows_of(table, pred.category)


def _unknown(truth: PoseDataset, pred: Predictions, image: NDArray[np.intp], category: NDArray[np.intp]) -> DataError:
    """What names nothing in the truth, and the likely reason."""
    if (image < 0).any():
        return _unknown_images(truth, pred, image < 0)
    bad = category < 0
    known = first_few([f"{c.id} {c.name}" for c in truth.categories], 3, ", ")
    said = np.unique(pred.category[bad])
    seen = f"{bad.sum():,} of {len(pred):,} predictions have category {_ids(said.tolist())}"
    return DataError(_first_record(pred, bad, "category_id"), f"{seen}; the truth has {known}", _category_cure(truth, said))


def _category_cure(truth: PoseDataset, said: NDArray[Any]) -> str:
    ids = [c.id for c in truth.categories]
    texts = [isinstance(i, str) for i in ids]
    if said.dtype == object and not any(texts):
        return "category ids are numbers in the truth and text in the predictions: write them as numbers"
    if said.dtype != object and texts and all(texts):
        return "category ids are text in the truth and numbers in the predictions: write them as text"
    if said.dtype != object:
        for shift in (1, -1):
            if np.isin(said + shift, ids).all():
                return f"counted from {'0' if shift == 1 else '1'}? add {shift} to category_id" if shift == 1 else "off by one? subtract 1 from category_id"
    return "drop them with --allow-unknown (unknown='drop'), or correct category_id"


def _unknown_images(truth: PoseDataset, pred: Predictions, bad: NDArray[np.bool_]) -> DataError:
    where = _first_record(pred, bad, "image_id")
    seen = f"{bad.sum():,} of {len(pred):,} predictions name unknown image ids {_ids(pred.image[bad].tolist())}"
    if pred.image.dtype != truth.images.id.dtype and len(truth.images):
        mine, theirs = ("text", "numbers") if pred.image.dtype == object else ("numbers", "text")
        cure = f"write them as {theirs}"
        if mine == "text" and truth.images.file[0] and not all(i.lstrip("-").isdigit() for i in pred.image.tolist()):
            named = max(int((rows_of(names, pred.image) >= 0).sum()) for names in _file_names(truth).values())
            cure = f"as file names {named:,} of {len(pred):,} match; write the ids, or file names such as {brief(truth.images.file[0])!r}"
        return DataError(where, f"{seen}; ids are {mine} here and {theirs} in the truth ({truth.images.id.tolist()[0]!r})", cure)
    if bad.all():
        return DataError(where, f"{seen}: none is an image of {truth.name!r}", "predictions of another split or dataset?")
    return DataError(where, seen, "predictions of another split? drop them with --allow-unknown (unknown='drop')")


def _ids(ids: list[Any]) -> str:
    return first_few([brief(repr(i)) for i in dict.fromkeys(ids)], 3, ", ")


def _first_record(pred: Predictions, bad: NDArray[np.bool_], key: str) -> str:
    return f"predictions $[{pred.row[np.flatnonzero(bad)[0]]}].{key}"
