"""Labels of a FiftyOne field as they stand in the database, whatever a view hides. A room of fiftyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, PoseError, brief, did_you_mean
from ..schema import Schema
from ..schemas import load_schema, recognise
from .fiftyone_db import words_of

__all__ = ["Standing", "standing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Standing:
    """The labels of a field as they stand, L of them on S samples."""

    dataset: Any
    field: str
    schema: Schema
    samples: list[str]
    image_id: list[Any]
    file: list[str]
    size: Floats
    """(S, 2) width and height; NaN when unknown."""
    sample_tags: list[list[str]]
    place: NDArray[np.intp]
    """(L,) sample of each label."""
    columns: dict[str, list[Any]]
    """By attribute, (L,) values."""

    def __len__(self) -> int:
        return len(self.place)

    def column(self, name: str, otherwise: Any = None) -> list[Any]:
        return [otherwise if v is None else v for v in self.columns.get(name, [None] * len(self))]

    def points(self) -> Floats:
        """(L, K, 2) shares; NaN where there is none, or half of one."""
        k = len(self.schema)
        rows = [p or [[np.nan, np.nan]] * k for p in self.column("points")]
        bad = next((i for i, p in enumerate(rows) if len(p) != k), None)
        if bad is not None:
            raise DataError(
                f"FiftyOne {self.field!r}", f"a label of {len(rows[bad])} points", f"schema {self.schema.name!r} has {k}: one field for each schema"
            )
        made = np.array(rows, np.float64).reshape(len(self), k, 2)
        return np.where(np.isfinite(made).all(-1, keepdims=True), made, np.nan)


def standing(samples: Any, field: str, schema: Schema | str | Path | None = None, tags: Sequence[str] | str | None = None) -> Standing:
    """The labels that a dataset or a view shows; their content is the dataset's, whatever points a view hides."""
    if not hasattr(samples, "dataset_name" if isinstance(samples, fo.DatasetView) else "get_field_schema"):
        raise PoseError("from_fiftyone", brief(repr(samples)), "give a FiftyOne dataset or a view of one")
    dataset = fo.load_dataset(samples.dataset_name) if isinstance(samples, fo.DatasetView) else samples
    _require_field(dataset, field)
    chosen = samples if tags is None else _tagged(samples, field, [tags] if isinstance(tags, str) else list(tags))
    ids, wanted = _shown(chosen, field)
    view = dataset.select(ids, ordered=True)
    prefix = f"{field}.keypoints."
    names = [p.removeprefix(prefix) for p in dataset.get_field_schema(flat=True) if p.startswith(prefix) and p.count(".") == 2]
    kept = [n for n in dict.fromkeys(["id", "tags", "points", "label", "confidence", *names]) if n not in ("attributes", "instance", "index")]
    made = dict(zip(kept, view.values([prefix + n for n in kept]), strict=True)) if ids else {n: [] for n in kept}
    lengths = [len(line or ()) for line in made["id"]]
    columns = {name: [v for line, n in zip(lines, lengths, strict=True) for v in (line or [None] * n)] for name, lines in made.items()}
    place = np.repeat(np.arange(len(ids)), lengths)
    if wanted is not None:
        keep = [i for i, label in enumerate(columns["id"]) if label in wanted]
        columns, place = {n: [v[i] for i in keep] for n, v in columns.items()}, place[keep]
    file, size, image_id, sample_tags = _samples(dataset, view if ids else None)
    known = schema_of(dataset, field, schema)
    return Standing(
        dataset=dataset, field=field, schema=known, samples=ids, image_id=image_id, file=file, size=size, sample_tags=sample_tags, place=place, columns=columns
    )


def _require_field(dataset: Any, field: str) -> None:
    fields = [name for name, kind in dataset.get_field_schema().items() if getattr(kind, "document_type", None) is fo.Keypoints]
    if field not in fields:
        raise DataError(f"FiftyOne {brief(dataset.name)!r}", f"no field of keypoints called {brief(field)!r}", did_you_mean(field, fields))


def _tagged(samples: Any, field: str, tags: list[str]) -> Any:
    """Samples with one of these tags, with all their labels; and labels with one."""
    whole = samples.match_tags(tags).values("id")
    labels = set(samples.select_labels(tags=tags, fields=field).values(f"{field}.keypoints.id", unwind=True))
    every = samples.values(["id", f"{field}.keypoints.id"])
    mine = [i for sample, ids in zip(*every, strict=True) for i in ids or () if sample in set(whole) or i in labels]
    picked = [sample for sample, ids in zip(*every, strict=True) if sample in set(whole) or labels & set(ids or ())]
    return samples.select(picked, ordered=True).select_labels(ids=mine, fields=field, omit_empty=False)


def _shown(samples: Any, field: str) -> tuple[list[str], set[str] | None]:
    """Samples of a dataset or view, and the labels that it shows; None for all."""
    if not isinstance(samples, fo.DatasetView):
        return samples.values("id"), None
    if isinstance(samples, fo.core.patches.PatchesView):  # a sample for each label
        own = samples.get_field_schema()
        path = f"{field}.keypoints.id" if getattr(own.get(field), "document_type", None) is fo.Keypoints else f"{field}.id"
        labels = samples.values(path, unwind=True) if field in own else []
        return list(dict.fromkeys(samples.values("sample_id"))), {i for i in labels if i}
    ids, labels = samples.values(["id", f"{field}.keypoints.id"])
    return ids, {i for line in labels for i in line or ()}


def _samples(dataset: Any, view: Any) -> tuple[list[str], Floats, list[Any], list[list[str]]]:
    if view is None:
        return [], np.zeros((0, 2)), [], []
    numbered = dataset.has_field("image_id")
    asked = ["filepath", "metadata.width", "metadata.height", "tags", *(["image_id"] if numbered else [])]
    file, width, height, tags, *rest = view.values(asked)
    size = np.array([[np.nan if v is None else v for v in pair] for pair in zip(width, height, strict=True)], np.float64).reshape(-1, 2)
    return file, size, rest[0] if rest else [None] * len(file), tags


def schema_of(dataset: Any, field: str, schema: Schema | str | Path | None) -> Schema:
    """As given; else as we wrote it; else the one whose names the skeleton has."""
    said = words_of(dataset)["fields"].get(field)
    if schema is not None:
        return load_schema(schema)
    if said is not None:
        return Schema.from_dict(said["schema"], f"FiftyOne {field!r}")
    skeleton = dataset.skeletons.get(field) or dataset.default_skeleton
    found = recognise(tuple(skeleton.labels or ())) if skeleton is not None else None
    if found is None or found[1] != found[0].names:
        raise DataError(f"FiftyOne {field!r}", "no skeleton whose names we know", "name the schema of its points: schema='coco17', or your own .toml")
    return found[0]
