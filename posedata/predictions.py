"""Predictions: poses a model found, with what must be known to score them; Collector gathers them in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .columns import array_of, copied, half_known, ids_column, numbers_of, row_numbers
from .errors import DataError, brief, did_you_mean
from .schema import Schema
from .schemas import load_schema
from .tables import Table, column

__all__ = ["HEADER_FIELDS", "Collector", "Predictions"]

HEADER_FIELDS = {
    "version": "of this form: 1",
    "schema": "name of the schema, or the schema itself",
    "dataset": "what was predicted on, as load_dataset calls it",
    "config": "and its configuration",
    "split": "and its split",
    "truth": "fingerprint of the annotations",
    "images": "'all', or the ids of the images the model saw; images without predictions count too",
    "model": "what predicted",
    "recipe": "how it was trained",
    "boxes": "where the boxes came from: 'truth', a detector, 'none' for bottom-up",
    "flip_test": "whether flipped images were averaged in",
    "score": "what score is: 'box', 'box x keypoints', ...",
    "keypoint_score": "what the third number is: 'probability', 'confidence', 'constant'",
    "conditions": "anything else that changed the numbers",
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Predictions(Table):
    """M poses, one row each, in the order of their file."""

    image: NDArray[Any] = column("id")
    """(M,) image id, as the truth spells it."""
    keypoints: NDArray[np.float64] = column(np.float64, "K", 3)
    """(M, K, 3) x, y, confidence; x and y NaN where the model leaves the point out."""
    score: NDArray[np.float64] = column(np.float64)
    category: NDArray[Any] = column("id", default=1)
    """(M,) category id."""
    bbox: NDArray[np.float64] = column(np.float64, 4, default=np.nan)
    """(M, 4) x, y, w, h; NaN where the model gives none."""
    truth: NDArray[Any] = column("id", default=-1)
    """(M,) id of the annotation the pose was made for; -1 (or '') for none."""
    row: NDArray[np.int64] = column(np.int64)
    """(M,) place in the file."""
    schema: Schema
    header: Mapping[str, Any] = field(default_factory=dict)

    def _length(self) -> int:
        return np.shape(self.image)[0] if self.image is not None and np.ndim(self.image) else 0

    def _default(self, name: str, n: int, default: Any) -> Any:
        if name == "row":
            return np.arange(n)
        return np.full((n, 4), default) if name == "bbox" else super()._default(name, n, default)

    def _check(self) -> None:
        if self.keypoints.shape[1] != len(self.schema):
            raise DataError("Predictions.keypoints", f"{self.keypoints.shape[1]} points", f"schema {self.schema.name!r} has {len(self.schema)}")
        xy = self.keypoints[..., :2]
        self._refuse(_rows_with(half_known(xy)), "one of x and y is NaN", "an absent point has both")
        self._refuse(_rows_with(np.isinf(xy)), "infinite coordinates", "an absent point is NaN, NaN")
        self._refuse(_rows_with(~np.isfinite(self.keypoints[..., 2])), "confidence that is no number", "without one, 1 does")
        self._refuse(half_known(self.bbox) | _rows_with(np.isinf(self.bbox)), "a box that is infinite, or NaN in part", "four numbers, or four NaN")
        self._refuse(~np.isfinite(self.score), "score that is no number", "without one, 1 does")
        check_header_fields(self.header)

    def _refuse(self, bad: Any, seen: str, cure: str) -> None:
        if bad.any():
            raise DataError(f"Predictions row {self.row[bad][0]}", seen, cure)

    def take(self, rows: NDArray[Any]) -> Predictions:
        """The rows at these places; `row` still tells where in the file they stood."""
        chosen = row_numbers(rows, len(self), "Predictions.take")
        own = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if "dtype" in f.metadata}
        return replace(self, **own, meta={k: v[chosen] for k, v in self.meta.items()}, rest=self.rest.take(chosen))

    @property
    def absent(self) -> NDArray[np.bool_]:
        """(M, K) points the model left out; a confidence of 0 says so only where it is a probability."""
        missing = np.isnan(self.keypoints[..., 0])
        probable = self.header.get("keypoint_score") == "probability"
        return missing | (self.keypoints[..., 2] <= 0) if probable else missing

    def __repr__(self) -> str:
        where = " / ".join(str(self.header[k]) for k in ("dataset", "config", "split") if self.header.get(k))
        images = len(np.unique(self.image))
        return f"Predictions({len(self):,} poses on {images:,} images, schema {self.schema.name!r}{f', of {where}' if where else ''})"

    def to_json(self, path: str | Path | None = None) -> bytes:
        """COCO results JSON, which every evaluator reads; the header is one extra key of the first record."""
        from .formats.results_out import to_json

        return to_json(self, path)

    def to_npz(self, path: str | Path) -> Path:
        """The columns and the header in one compressed file."""
        from .formats.results_npz import to_npz

        return to_npz(self, path)

    @classmethod
    def from_arrays(
        cls, *, schema: Schema | str | Path, image: ArrayLike, keypoints: ArrayLike, score: ArrayLike, header: Mapping[str, Any] | None = None, **columns: Any
    ) -> Predictions:
        """Predictions from arrays; keypoints are (M, K, 3), or (M, K, 2) for a confidence of 1 throughout."""
        known = load_schema(schema)
        cls.require_columns(columns.keys() - {"meta", "rest"}, "Predictions.from_arrays")
        points = numbers_of(keypoints, "keypoints")
        if points.ndim == 3 and points.shape[-1] == 2:
            points = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)
        own = {k: copied(v) if k not in ("meta", "rest") else v for k, v in columns.items()}
        ids = ids_column(copied(image), "image")
        return cls(schema=known, image=ids, keypoints=points, score=numbers_of(score, "score"), header=dict(header or {}), **own)


def _rows_with(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(M,) rows in which anything of (M, ...) is true; mostly nothing is, and that is told fast."""
    return np.asarray(mask.reshape(len(mask), -1).any(1), bool) if mask.any() else np.zeros(len(mask), bool)


def check_header_fields(header: Mapping[str, Any]) -> None:
    """Refuse a field nobody would read."""
    unknown = sorted(str(field) for field in set(header) - set(HEADER_FIELDS))
    if unknown:
        raise DataError("Predictions.header", f"unknown field {brief(unknown[0])!r}", did_you_mean(unknown[0], HEADER_FIELDS))


class Collector:
    """Gathers poses one image at a time, as a validation loop makes them.

    >>> collector = Collector("foot6", header={"model": "mine"})
    >>> collector.add(7, [[[1, 2, .9]] * 6], [.8])
    >>> collector.predictions()
    Predictions(1 poses on 1 images, schema 'foot6')
    """

    def __init__(self, schema: Schema | str | Path, header: Mapping[str, Any] | None = None) -> None:
        self.schema, self.header = load_schema(schema), dict(header or {})
        check_header_fields(self.header)
        self._id_kind: Any = None
        self._parts: list[dict[str, NDArray[Any]]] = []

    def add(
        self,
        image: int | str,
        keypoints: ArrayLike,
        score: ArrayLike,
        *,
        category: ArrayLike = 1,
        bbox: ArrayLike | None = None,
        truth: ArrayLike | None = None,
    ) -> None:
        """Poses of one image: keypoints (n, K, 2 or 3) or (K, 2 or 3), a score each; tensors are taken off their device."""
        where = f"image {brief(str(image))}"
        points = numbers_of(_array(keypoints, where), where)
        points = points[None] if points.ndim == 2 else points
        n, k = len(points) if points.ndim else 1, len(self.schema)
        if points.shape[1:] not in ((k, 2), (k, 3)) and n:
            raise DataError(where, f"keypoints of shape {points.shape}", f"schema {self.schema.name!r} needs (n, {k}, 3)")
        points = points.reshape(n, k, points.shape[-1] if n else 3)
        if points.shape[-1] == 2:
            points = np.concatenate([points, np.ones((n, k, 1))], -1)
        ids, scores = ids_column([image] * n, where), numbers_of(_array(score, where), where)
        if not np.isfinite(scores).all():
            raise DataError(where, "a score that is no number", "leave the pose out, or give it one")
        if n and self._id_kind not in (None, ids.dtype):
            raise DataError(where, "an id of another kind than the images before", "ids of one table are all whole numbers or all text")
        self._id_kind = ids.dtype if n else self._id_kind
        boxes = np.full(4, np.nan) if bbox is None else numbers_of(_array(bbox, where), where)
        self._parts.append({
            "image": _for_each(ids, (n,), f"{where}: image"),
            "keypoints": points,
            "score": _for_each(scores, (n,), f"{where}: score"),
            "category": _for_each(_ids(category, where), (n,), f"{where}: category"),
            "truth": _for_each(_ids(_NONE if truth is None else truth, where), (n,), f"{where}: truth"),
            "bbox": _for_each(boxes, (n, 4), f"{where}: bbox"),
        })  # fmt: skip

    def __repr__(self) -> str:
        return f"Collector({len(self):,} poses, schema {self.schema.name!r})"

    def __len__(self) -> int:
        return sum(len(p["image"]) for p in self._parts)

    def predictions(self) -> Predictions:
        """All that was added, in that order."""
        k = len(self.schema)
        empty = {"image": np.zeros(0, np.int64), "keypoints": np.zeros((0, k, 3)), "score": np.zeros(0), "category": np.zeros(0, np.int64),
                 "truth": np.zeros(0, np.int64), "bbox": np.zeros((0, 4))}  # fmt: skip
        parts = [p for p in self._parts if len(p["image"])] or [empty]
        if any(p["truth"].dtype == object for p in parts):
            parts = [{**p, "truth": np.full(len(p["truth"]), "", object)} if (p["truth"] == _NONE).all() else p for p in parts]
        columns: dict[str, Any] = {name: np.concatenate([p[name] for p in parts]) for name in empty}
        return Predictions(schema=self.schema, header=self.header, **columns)


_NONE = -1
"""The truth of a pose made for none."""


def _ids(values: Any, where: str) -> NDArray[Any]:
    """Ids for all poses of an image, or one for all."""
    array = _array(values, where)
    return ids_column(array.reshape(1) if array.ndim == 0 else values if isinstance(values, list) else array, where)


def _for_each(values: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """One value for each pose, given so or as one for all."""
    if values.shape != shape and values.shape not in ((), (1,), shape[1:]):
        raise DataError(where, f"shape {values.shape}", f"{shape} is needed")
    return np.broadcast_to(values, shape)


def _array(values: Any, where: str) -> NDArray[Any]:
    """An array from arrays, lists, or tensors on any device, without importing their library."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        try:
            return array_of(values.numpy(), where)
        except TypeError:  # bfloat16, which numpy lacks
            values = values.float().numpy()
    return array_of(values, where)
