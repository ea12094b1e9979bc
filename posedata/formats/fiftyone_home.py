"""The way home from FiftyOne: samples, labels and tags as a PoseDataset. A room of fiftyone.

What nobody has touched comes back as it was, from the data kept beside the field; only what differs from it is read anew.
"""

from __future__ import annotations

import base64
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..category import Category
from ..columns import ids_column, rows_of
from ..dataset import PoseDataset
from ..errors import DataError
from ..predictions import Predictions
from ..schema import Schema
from ..tables import Images, Instances, stack
from .fiftyone_db import words_of
from .fiftyone_fields import recall
from .fiftyone_standing import Standing, standing
from .shares import as_pixels, as_shares, truth_columns

__all__ = ["edits", "from_fiftyone", "predictions_from"]

Floats = NDArray[np.float64]


NUMBERS = ("area", "iscrowd", "ignore")


def from_fiftyone(
    samples: Any, field: str = "truth", *, tags: Sequence[str] | str | None = None, schema: Schema | str | Path | None = None, name: str | None = None
) -> PoseDataset:
    """What a FiftyOne dataset or view shows of a field, as a PoseDataset; see posedata.from_fiftyone."""
    return _home(standing(samples, field, schema, tags), name)[0]


def edits(dataset: Any, field: str) -> tuple[PoseDataset, NDArray[np.intp]]:
    """All of a field, and the rows that somebody has changed or added there."""
    return _home(standing(dataset, field))


def _home(now: Standing, name: str | None = None) -> tuple[PoseDataset, NDArray[np.intp]]:
    base = _kept_truth(now)
    ours = base is not None
    base = base if base is not None else _nothing(now)
    images, rows = _images(now, base)
    size = _sizes(now)
    known, first = _places(now, base)
    same = np.flatnonzero(first)
    instances, categories, changed = _edited(now, base.take(known[same]), same, size, rows)
    new = np.flatnonzero(~first)
    fresh, categories = _added(now, base, new, size, rows, ours, categories)
    order = np.argsort(known[same], kind="stable")
    kept = instances.take(order)
    instances = stack([kept, fresh]) if len(fresh) else kept
    made = replace(base, name=name or base.name, images=images, instances=instances, categories=categories)
    if base.rest.listing is not None and len(images) != len(base.images):
        made = replace(made, rest=replace(base.rest, listing=None))
    made = _with_tags(made, now, np.concatenate([same[order], new]), rows)
    gone = len(base) - len(same)
    counts = ((int(changed.sum()), "changed"), (len(new), "added"), (gone, "not shown or deleted"))
    said = ", ".join(f"{n:,} {what}" for n, what in counts if n)
    made = replace(made, provenance=made.provenance.then(f"from FiftyOne: {said}")) if said and ours else made
    return made, np.concatenate([np.flatnonzero(changed[order]), np.arange(len(same), len(made))])


def _kept_truth(now: Standing) -> PoseDataset | None:
    """The dataset as it was written there."""
    text = recall(now.dataset, now.field, "source").get("source")
    if text is None:
        return None
    from .arrow import read_parquet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.parquet"
        path.write_bytes(base64.b64decode(text))
        found = read_parquet(path)
    if not found.schema.same_points(now.schema):
        raise DataError(f"FiftyOne {now.field!r}", f"its points are those of {found.schema.name!r}", "bring them home so, then .as_schema(...)")
    return found


def _nothing(now: Standing) -> PoseDataset:
    """A dataset without images, for fields that others made."""
    names = list(dict.fromkeys(str(v) for v in now.column("label", "object"))) or ["object"]
    points = now.schema.names
    return PoseDataset(
        name=str(now.dataset.name),
        schema=now.schema,
        categories=tuple(Category(i, n, points, points) for i, n in enumerate(names, 1)),
        images=Images(id=np.zeros(0, np.int64), file=np.zeros(0, object)),
        instances=Instances(image=np.zeros(0, np.int64), keypoints=np.zeros((0, len(points), 3))),
    )


def _images(now: Standing, base: PoseDataset) -> tuple[Images, NDArray[np.intp]]:
    """The images in the order of the source, new ones last; and the row there of each sample."""
    ids = base.images.id
    known = {v: row for row, v in enumerate(ids.tolist())}
    found = np.array([known.get(i, -1) for i in now.image_id], np.intp)
    kept, new = np.sort(found[found >= 0]), np.flatnonzero(found < 0)
    place = np.full(len(ids) + 1, -1)
    place[kept] = np.arange(len(kept))
    rows = place[found]
    rows[new] = len(kept) + np.arange(len(new))
    images = base.images.take(kept)
    if not len(new):
        return images, rows
    path = [Path(now.file[i]) for i in new.tolist()]
    size = np.nan_to_num(now.size[new]).astype(np.int64)
    folder, file = (texts_of([str(p) for p in each]) for each in ([p.parent for p in path], [p.name for p in path]))
    fresh = Images(id=_next_ids(ids, len(new)), file=file, width=size[:, 0], height=size[:, 1], folder=folder)
    return (stack([images, fresh]) if len(ids) else fresh), rows


def texts_of(values: Sequence[str]) -> NDArray[Any]:
    return np.array([*values, None], object)[:-1]


def _next_ids(ids: NDArray[Any], n: int) -> NDArray[Any]:
    """Ids nobody has."""
    if ids.dtype != object:
        first = int(ids.max(initial=0)) + 1
        return np.arange(first, first + n)
    taken = set(ids.tolist())
    free = (word for i in itertools.count(1) if (word := f"fiftyone {i}") not in taken)
    return texts_of(list(itertools.islice(free, n)))


def _sizes(now: Standing) -> Floats:
    """(L, 2) size of the image of each label."""
    size = now.size[now.place]
    if np.isnan(size).any() or (size <= 0).any():
        raise DataError(f"FiftyOne {now.dataset.name!r}", "samples without width and height", "let it look at the files: dataset.compute_metadata()")
    return size


def _places(now: Standing, base: PoseDataset) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(L,) row of the source, and whether it is the first label that says so: a copy is another annotation."""
    row = {v: r for r, v in enumerate(base.instances.id.tolist())}
    known = np.array([row.get(v, -1) if v is not None else -1 for v in now.column("annotation_id")], np.intp)
    first = np.zeros(len(known), bool)
    first[np.unique(known, return_index=True)[1]] = True
    return known, first & (known >= 0)


def _edited(
    now: Standing, base: PoseDataset, at: NDArray[np.intp], size: Floats, image: NDArray[np.intp]
) -> tuple[Instances, tuple[Category, ...], NDArray[np.bool_]]:
    """Rows of the source with what differs from them now; and which do."""
    own, size = base.instances, size[at]
    was = truth_columns(base, size)
    points, visible = now.points()[at], _visible(now, at)
    moved = np.asarray(~_alike(points, was["points"]).all(-1))
    there = ~np.isnan(points[..., 0])
    other_v = there & (visible != was["visible"]) & (visible > 0)
    touched = moved | other_v
    xy = np.where(moved[..., None], np.where(there[..., None], as_pixels(points, size), 0), own.keypoints[..., :2])
    v = np.where(touched, np.where(there, np.where(visible > 0, visible, 2), 0), own.keypoints[..., 2])
    columns: dict[str, Any] = {
        "keypoints": np.concatenate([xy, v[..., None]], -1),
        "annotated": own.annotated | (touched & there),
        "recorded": np.where(touched.any(1), -1, own.recorded),
        "image": image[now.place[at]],
        **{("crowd" if n == "iscrowd" else n): _column(now, n, at, was[n]) for n in NUMBERS},
        "bbox": _boxes(now, at, was["bbox"]),
    }
    labels = [now.column("label")[i] for i in at.tolist()]
    category, categories = _categories(labels, was["label"], own.category, base)
    columns["category"] = category
    differs: NDArray[np.bool_] = np.asarray(touched.any(1) | (category != own.category))
    for name in ("bbox", "area", "crowd", "ignore"):
        equal: NDArray[np.bool_] = _alike(np.asarray(columns[name], np.float64), np.asarray(getattr(own, name), np.float64))
        differs |= ~(equal.all(1) if equal.ndim > 1 else equal)
    return replace(own, **columns), categories, differs


def _alike(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
    return same


def _visible(now: Standing, at: NDArray[np.intp]) -> NDArray[np.int64]:
    """(L, K) 1 hidden, 2 seen, 0 where nothing is said."""
    k, values = len(now.schema), now.column("visible")
    rows = [v if isinstance(v := values[i], list) and len(v) == k else [0] * k for i in at.tolist()]
    made = np.array([[n if n in (0, 1, 2) else 2 for n in row] for row in rows], np.int64)
    return made.reshape(len(at), k)


def _column(now: Standing, name: str, at: NDArray[np.intp], was: NDArray[Any]) -> NDArray[Any]:
    """Values as they stand; an attribute that is not there says nothing new."""
    values = now.columns.get(name)
    if values is None:
        return was
    made = [w if (v := values[i]) is None else v for i, w in zip(at.tolist(), was.tolist(), strict=True)]
    return np.array(made, was.dtype)


def _boxes(now: Standing, at: NDArray[np.intp], was: Floats) -> Floats:
    values = now.column("bbox")
    made = [v if isinstance(v := values[i], list) and len(v) == 4 else w for i, w in zip(at.tolist(), was.tolist(), strict=True)]
    return np.array(made, np.float64).reshape(-1, 4)


def _categories(labels: Sequence[Any], was: NDArray[Any], rows: NDArray[np.int64], base: PoseDataset) -> tuple[NDArray[np.int64], tuple[Category, ...]]:
    """Rows of the categories that labels name; a name that is new becomes one more."""
    place = {c.name: i for i, c in reversed(list(enumerate(base.categories)))}
    categories = list(base.categories)
    made = []
    for label, before, row in zip(labels, was.tolist(), rows.tolist(), strict=True):
        if label is not None and label != before and label not in place:
            place[label] = len(categories)
            ids = [c.id for c in categories if isinstance(c.id, int)]
            categories.append(Category(max(ids, default=0) + 1, str(label), base.schema.names, base.schema.names))
        made.append(row if label in (None, before) else place[label])
    return np.array(made, np.int64), tuple(categories)


def _added(
    now: Standing, base: PoseDataset, at: NDArray[np.intp], size: Floats, image: NDArray[np.intp], ours: bool, categories: tuple[Category, ...]
) -> tuple[Instances, tuple[Category, ...]]:
    """Labels that the source does not have. Where others made them a coordinate is a plain share of the width, as FiftyOne's importers have it."""
    points, visible = now.points()[at], _visible(now, at)
    there = ~np.isnan(points[..., 0])
    xy = as_pixels(points, size[at]) + (0.0 if ours else 0.5)
    v = np.where(there, np.where(visible > 0, visible, 2), 0)
    labels = [now.column("label")[i] for i in at.tolist()]
    grown = replace(base, categories=categories)
    none = np.array([None] * len(at), object)
    category, categories = _categories(labels, none, np.zeros(len(at), np.int64), grown)
    ids = _next_ids(base.instances.id, len(at))
    said = ids_column([now.column("annotation_id")[i] for i in at.tolist()], "annotation_id") if not ours and "annotation_id" in now.columns else None
    unknown = np.full(len(at), np.nan)
    instances = Instances(
        id=ids if said is None else said,
        image=image[now.place[at]],
        category=category,
        keypoints=np.where(there[..., None], np.concatenate([np.nan_to_num(xy), v[..., None]], -1), 0.0),
        bbox=_boxes(now, at, np.full((len(at), 4), np.nan)),
        area=_column(now, "area", at, unknown),
        crowd=_column(now, "iscrowd", at, np.zeros(len(at), bool)),
        ignore=_column(now, "ignore", at, np.zeros(len(at), bool)),
    )
    return instances, categories


def _with_tags(ds: PoseDataset, now: Standing, labels: NDArray[np.intp], rows: NDArray[np.intp]) -> PoseDataset:
    """Tags that people have put there, as a column `tags`; ours stay behind."""
    ours = set(words_of(now.dataset)["fields"].get(now.field, {}).get("tags", ()))
    said = [", ".join(t for t in now.column("tags", [])[i] if t not in ours) for i in labels.tolist()]
    if any(said):
        ds = replace(ds, instances=ds.instances.with_meta(tags=np.array([*said, None], object)[:-1]))
    of_images = np.array([*[""] * len(ds.images), None], object)[:-1]
    of_images[rows] = [", ".join(t) for t in now.sample_tags]
    return replace(ds, images=ds.images.with_meta(tags=of_images)) if any(of_images) else ds


def predictions_from(samples: Any, field: str, schema: Schema | str | Path | None = None) -> Predictions:
    """The labels of a field as predictions; a label without a score has the mean confidence of its points, as in FiftyOne."""
    now = standing(samples, field, schema)
    base = _kept_predictions(now)
    points, size = now.points(), _sizes(now)
    xy = as_pixels(points, size) + (0.0 if base is not None else 0.5)
    k = len(now.schema)
    confidence = np.array([c if isinstance(c, list) and len(c) == k else [1.0] * k for c in now.column("confidence")], np.float64).reshape(-1, k)
    score = np.array([s if s is not None else float(np.mean(c)) for s, c in zip(now.column("score"), confidence.tolist(), strict=True)], np.float64)
    rows = np.array(now.column("prediction", -1), np.int64)
    category: Any = now.column("label", "object")
    if base is not None and len(base):
        mine = rows_of(base.row, rows)
        was = as_shares(base.keypoints[mine][..., :2], size)
        same = _alike(points, np.where(base.absent[mine][..., None], np.nan, was)).all(-1, keepdims=True) & (mine >= 0)[:, None, None]
        xy = np.where(same, base.keypoints[mine][..., :2], xy)
    images = [i if i is not None else s for i, s in zip(now.image_id, now.samples, strict=True)]
    header = {} if base is None else dict(base.header)
    names = words_of(now.dataset)["fields"].get(field, {}).get("categories", {})
    return Predictions.from_arrays(
        schema=now.schema,
        image=[images[i] for i in now.place.tolist()],
        keypoints=np.concatenate([xy, confidence[..., None]], -1),
        score=score,
        category=[names.get(c, 1) for c in category],
        bbox=_boxes(now, np.arange(len(now)), np.full((len(now), 4), np.nan)),
        row=rows if (rows >= 0).all() and len(np.unique(rows)) == len(rows) else np.arange(len(rows)),
        header=header,
    )


def _kept_predictions(now: Standing) -> Predictions | None:
    text = recall(now.dataset, now.field, "source").get("source")
    if text is None or words_of(now.dataset)["fields"].get(now.field, {}).get("of") != "predictions":
        return None
    from .results import read_predictions

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.npz"
        path.write_bytes(base64.b64decode(text))
        return read_predictions(path)
