"""Boxes a model looks into: of the truth, of whole images, of a file of detections, of another run, or of a user's own detector."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.columns import ids_column, rows_of
from posedata.dataset import PoseDataset
from posedata.errors import DataError, Fault, FormatError, PoseError, brief, first_few, raise_faults
from posedata.progress import bar

from .crops import boxes_of, opened, usable
from .runs import read_run

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BOXES", "Boxes", "Detector", "find_boxes", "picture_size"]

Detector = Callable[["Image.Image"], Any]
"""A user's own: a picture in, (n, 5) x, y, w, h, score out, or (n, 6) with the category's id."""

BOXES = {
    "truth": "those of the dataset: no detector is involved",
    "whole": "each image is one box",
    "own": "those a detector finds itself: for a model of head rcnn alone",
    "FILE": "COCO detections: a list of image_id, bbox, score and category_id; predictions with boxes will do",
    "RUN": "the folder of a detector's run, which then looks for everybody; or of a run whose predictions have boxes of their own",
    "MODULE:FUNCTION": "a detector in Python: a picture in, rows of x, y, w, h, score out",
}
"""What --boxes may be."""
_WHOLE_RUN = ("predictions.json", "predictions.npz")


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes:
    """N boxes on the images of a dataset, and where they came from."""

    image: NDArray[np.intp]
    """(N,) row of the image."""
    bbox: NDArray[np.float64]
    """(N, 4) x, y, w, h of edges."""
    score: NDArray[np.float64]
    category: NDArray[Any]
    """(N,) id of the category."""
    truth: NDArray[Any] | None = None
    """(N,) id of the annotation, where the boxes are those of the truth."""
    source: str = "truth"

    def __len__(self) -> int:
        return len(self.image)

    def where(self, keep: NDArray[np.bool_]) -> Boxes:
        """Some of the boxes."""
        truth = None if self.truth is None else self.truth[keep]
        return replace(self, image=self.image[keep], bbox=self.bbox[keep], score=self.score[keep], category=self.category[keep], truth=truth)


def find_boxes(ds: PoseDataset, said: str, least: float = 0.0, quiet: bool = False) -> Boxes:
    """The boxes that `said` names (see BOXES) on the images of a dataset, with scores of at least `least`."""
    if said == "truth":
        return _of_truth(ds)
    if said == "whole":
        return _of_images(ds)
    if said == "own":
        raise PoseError("--boxes own", "this model looks into boxes and finds none", "name the RUN of one that does; or truth, or whole")
    path = Path(said)
    if (path / "config.toml").is_file() and read_run(path).recipe.head == "rcnn":
        boxes = _of_run(ds, path, quiet)
    elif path.is_dir():
        found = next((path / name for name in _WHOLE_RUN if (path / name).is_file()), None)
        if found is None:
            raise FormatError(said, "a folder without predictions", "name a file of detections, or a run that found boxes")
        boxes = _of_file(ds, found, f"run {path.name}")
    elif path.suffix in (".json", ".npz", ".gz"):
        boxes = _of_file(ds, path, path.name)
    elif ":" in said:
        boxes = _of_detector(ds, said, quiet)
    else:
        raise PoseError(f"--boxes {brief(said)}", "no such boxes", f"one of: {', '.join(BOXES)}")
    return boxes.where(boxes.score >= least) if least > 0 else boxes


def _of_truth(ds: PoseDataset) -> Boxes:
    """Of every instance that counts; of all that have a box, where nothing is labelled, as in a test set."""
    own, bbox = ds.instances, boxes_of(ds)
    rows = usable(ds)
    rows = rows if len(rows) else np.flatnonzero(~np.isnan(bbox[:, 0]) & ~own.crowd)
    if len(ds) and not len(rows):
        raise DataError(ds.name, "no instance has a box or labelled points", "--boxes FILE, or --boxes whole")
    if not len(ds):
        raise DataError(ds.name, "no truth, and so no boxes of it", "--boxes whole, FILE, or module:function")
    kinds = ids_column([c.id for c in ds.categories], "categories")
    return Boxes(image=own.image[rows], bbox=bbox[rows], score=np.ones(len(rows)), category=kinds[own.category[rows]], truth=own.id[rows])


def _of_images(ds: PoseDataset) -> Boxes:
    sizes = np.array([picture_size(ds, row) for row in range(len(ds.images))], np.float64).reshape(-1, 2)
    bbox = np.concatenate([np.zeros_like(sizes), sizes], 1)
    return Boxes(image=np.arange(len(bbox)), bbox=bbox, score=np.ones(len(bbox)), category=_only_category(ds, len(bbox)), source="whole image")


def picture_size(ds: PoseDataset, row: int) -> tuple[int, int]:
    """Width and height of a picture, as recorded, else as its file has them."""
    width, height = int(ds.images.width[row]), int(ds.images.height[row])
    if width and height:
        return width, height

    from posedata.images import image_size

    return image_size(ds.images, row)


def _only_category(ds: PoseDataset, n: int) -> NDArray[Any]:
    """The dataset's first category: who only gives boxes does not say what is in them."""
    return ids_column([ds.categories[0].id if ds.categories else 1] * n, "category")


# -- files -------------------------------------------------------------------------------------------


def _of_file(ds: PoseDataset, path: Path, name: str) -> Boxes:
    """Detections as COCO's evaluators read them, or the boxes of predictions."""
    if path.suffix == ".npz":
        from posedata.formats.results import read_predictions

        pred = read_predictions(path)
        records = [
            {"image_id": i, "bbox": b, "score": s, "category_id": c}
            for i, b, s, c in zip(pred.image.tolist(), pred.bbox.tolist(), pred.score.tolist(), pred.category.tolist(), strict=True)
        ]
    else:
        records = _records(path)
    faults = [fault for i, record in enumerate(records) for fault in _faults(f"$[{i}]", record)]
    raise_faults(str(path), faults)
    image = _image_rows(ds, [r["image_id"] for r in records], str(path))
    bbox = np.array([r["bbox"] for r in records], np.float64).reshape(-1, 4)
    default = ds.categories[0].id if ds.categories else 1
    category = ids_column([r.get("category_id", default) for r in records], "category_id")
    score = np.array([r.get("score", 1.0) for r in records], np.float64)
    return Boxes(image=image, bbox=bbox, score=score, category=category, source=f"detector: {name}")


def _records(path: Path) -> list[Any]:
    try:
        if path.suffix == ".gz":
            import gzip

            data = gzip.decompress(path.read_bytes())
        else:
            data = path.read_bytes()
        values = json.loads(data)
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "check the path") from None
    except (ValueError, EOFError, RecursionError) as e:
        raise FormatError(str(path), f"no JSON ({brief(str(e), 80)})", "COCO detections are a list of records") from None
    if isinstance(values, dict):
        values = next((values[k] for k in ("annotations", "detections", "results") if isinstance(values.get(k), list)), None)
    if not isinstance(values, list):
        raise FormatError(str(path), "no list of detections", "records of image_id, bbox, score, category_id are needed")
    return values


def _faults(where: str, record: Any) -> Iterator[Fault]:
    if not isinstance(record, Mapping):
        yield Fault(where, f"{brief(record)} where an object is needed")
        return
    bbox = record.get("bbox")
    if not isinstance(bbox, list | tuple) or len(bbox) != 4 or not all(_is_number(v) for v in bbox):
        yield Fault(f"{where}.bbox", brief(repr(bbox)), "four numbers: x, y, width, height")
    elif bbox[2] <= 0 or bbox[3] <= 0:
        yield Fault(f"{where}.bbox", f"a width of {bbox[2]:g} and a height of {bbox[3]:g}", "both are above 0; drop the others")
    if not isinstance(record.get("image_id"), int | str) or isinstance(record.get("image_id"), bool):
        yield Fault(f"{where}.image_id", brief(repr(record.get("image_id"))), "the id of an image")
    if not _is_number(record.get("score", 1.0)):
        yield Fault(f"{where}.score", brief(repr(record.get("score"))), "a number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _image_rows(ds: PoseDataset, ids: list[Any], where: str) -> NDArray[np.intp]:
    """Rows of the images; ids that match none may be file names."""
    if not ids:
        return np.zeros(0, np.intp)
    wanted = ids_column(ids, "image_id")
    for known in (ds.images.id, ds.images.file):
        if known.dtype == wanted.dtype:
            rows = rows_of(known, wanted)
            if (rows >= 0).all():
                return rows.astype(np.intp)
    unknown = [i for i in dict.fromkeys(ids) if i not in set(ds.images.id.tolist()) | set(ds.images.file.tolist())]
    raise FormatError(where, f"{len(unknown):,} images that {ds.name} lacks: {first_few(unknown, 3, ', ')}", "detections of these very images are needed")


# -- detectors: a run of ours, or one's own -------------------------------------------------------------------------


def _of_run(ds: PoseDataset, folder: Path, quiet: bool) -> Boxes:
    from .predict import load_predictor
    from .rcnn.finding import boxes_by

    return boxes_by(load_predictor(folder), ds, quiet)


def _of_detector(ds: PoseDataset, said: str, quiet: bool) -> Boxes:
    module, _, name = said.partition(":")
    try:
        detect: Detector = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise PoseError(
            f"--boxes {brief(said)}", brief(str(e), 100), "module:function, where the module can be imported: PYTHONPATH=. baselines predict ..."
        ) from None
    images, found = [], []
    with bar("detecting", len(ds.images), quiet) as step:
        for row in range(len(ds.images)):
            one = _checked(detect(opened(ds, row)), f"{said} on {ds.images.file[row]}")
            images.append(np.full(len(one), row))
            found.append(one)
            step(1)
    table = np.concatenate([np.zeros((0, 6)), *(_with_category(one, ds) for one in found)])
    category = ids_column([int(c) for c in table[:, 5]], "category") if not _has_text_ids(ds) else _only_category(ds, len(table))
    image = np.concatenate([np.zeros(0, np.intp), *images]).astype(np.intp)
    return Boxes(image=image, bbox=table[:, :4], score=table[:, 4], category=category, source=f"detector: {said}")


def _has_text_ids(ds: PoseDataset) -> bool:
    return bool(ds.categories) and isinstance(ds.categories[0].id, str)


def _with_category(rows: NDArray[np.float64], ds: PoseDataset) -> NDArray[np.float64]:
    if rows.shape[1] == 6:
        return rows
    only = ds.categories[0].id if ds.categories and not _has_text_ids(ds) else 1
    return np.concatenate([rows, np.full((len(rows), 1), float(only))], 1)


def _checked(rows: Any, where: str) -> NDArray[np.float64]:
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    try:
        table = np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        raise DataError(where, "no table of numbers", "rows of x, y, w, h, score are needed") from None
    if not table.size:
        return np.zeros((0, 5))
    if table.ndim != 2 or table.shape[1] not in (5, 6) or not np.isfinite(table).all():
        raise DataError(
            where, f"shape {table.shape}{'' if np.isfinite(table).all() else ', and numbers that are none'}", "rows of x, y, w, h, score are needed"
        )
    if (table[:, 2:4] <= 0).any():
        raise DataError(where, "a box without width or height", "x, y, w, h: not corners?")
    return table
