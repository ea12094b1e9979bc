"""Repeats: several annotations of the same instances, side by side, and which of them are off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import plain_texts, rows_of
from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean, first_few
from ..joining import joined_categories
from ..rest import Rest
from ..tables import AREA_SHARE, Instances, stack

__all__ = ["OUTLIER", "Repeats", "group_medians", "group_sums", "outliers", "repeats_of", "robust_sigmas"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

OUTLIER = 4.0
"""Robust deviations from which an annotation of a point is left out: one in nine million of a round normal scatter."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeats:
    """A annotations of S subjects by R annotators, K points each."""

    ds: PoseDataset
    """The annotations, one row each."""
    subject: Rows
    """(A,) which subject."""
    annotator: Rows
    """(A,) which annotator."""
    subjects: NDArray[Any]
    """(S,) their names."""
    annotators: tuple[str, ...]
    scale: Floats
    """(A,) square root of the area: the median over the annotations of a subject."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def known(self) -> Bools:
        """(A, K) labelled points."""
        return self.ds.instances.labelled

    @cached_property
    def xy(self) -> Floats:
        """(A, K, 2) in shares of the scale; NaN where not labelled."""
        points = self.ds.instances.keypoints[..., :2] / self.scale[:, None, None]
        return np.where(self.known[..., None], points, np.nan)

    @cached_property
    def middle(self) -> Floats:
        """(S, K, 2) median of the annotations of each subject, each axis for itself; NaN without any."""
        return group_medians(self.xy, self.subject, len(self.subjects))

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """(S, K) annotations that have the point."""
        return group_sums(self.known.astype(np.intp), self.subject, len(self.subjects))


def repeats_of(given: PoseDataset | Sequence[PoseDataset] | Repeats, subject: str = "subject", annotator: str = "annotator") -> Repeats:
    """Annotations side by side: one dataset whose columns say who annotated what, or a dataset for each annotator.

    Datasets are matched by the column `subject` where all have it, else by the ids of their instances.
    Crowds are left out, and so is who has no labelled point in any annotation.
    """
    if isinstance(given, Repeats):
        return given
    notes: list[str] = []
    if isinstance(given, PoseDataset):
        ds, who, what = given, _column(given, annotator, "annotated it"), _column(given, subject, "is annotated")
    else:
        ds, who, what = _side_by_side(list(given), subject, annotator)
    crowd = ds.instances.crowd
    if crowd.any():
        notes.append(f"{crowd.sum():,} crowds left out")
        ds, who, what = ds.take(~crowd), who[~crowd], what[~crowd]
    if not len(ds) or not len(ds.schema):
        raise DataError("repeats", f"{len(ds):,} annotations of {len(ds.schema)} keypoints", "annotate some instances at least twice")
    subjects, code = np.unique(what, return_inverse=True)
    annotators, by = np.unique(who, return_inverse=True)
    _require_one_place(ds, code, subjects)
    scale, said = _scales(ds, code, len(subjects))
    if np.bincount(code).max() < 2:
        raise DataError("repeats", f"{len(subjects):,} subjects, each annotated once", f"check the columns {subject!r} and {annotator!r}")
    names = tuple(map(str, annotators.tolist()))
    return Repeats(ds=ds, subject=code, annotator=by, subjects=subjects, annotators=names, scale=scale, notes=(*notes, *said))


def _column(ds: PoseDataset, name: str, what: str) -> NDArray[Any]:
    """A meta column as text or whole numbers."""
    meta = ds.instances.meta
    if name not in meta:
        cure = did_you_mean(name, meta) if meta else "give a dataset for each annotator, or read the key: read_coco(path, meta=[...])"
        raise DataError(f"{ds.name}: repeats", f"no column {name!r} that says who or what {what}", cure)
    return _plain(meta[name], f"{ds.name}: {name}")


def _plain(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and (values == values.round()).all()):
            raise DataError(where, "unknown or broken numbers", "every annotation needs one: a whole number, or text")
        return values.astype(np.int64)
    if values.dtype == object and (values == "").any():
        raise DataError(where, f"{(values == '').sum():,} annotations without one", "every annotation needs one")
    return values


def _side_by_side(parts: list[PoseDataset], subject: str, annotator: str) -> tuple[PoseDataset, NDArray[Any], NDArray[Any]]:
    """One dataset of all, who annotated each row, and what."""
    if len(parts) < 2:
        raise DataError("repeats", f"{len(parts)} datasets", "one for each annotator, two at least; or one whose columns say who annotated what")
    by_column = all(subject in p.instances.meta for p in parts)
    keys = [_plain(p.instances.meta[subject], p.name) if by_column else p.instances.id for p in parts]
    if len({k.dtype for k in keys}) > 1:
        raise DataError("repeats", "subjects that are numbers beside subjects that are text", "name them alike in every set")
    names = _names(parts)
    who = [
        plain_texts(_plain(p.instances.meta[annotator], p.name).astype(str)) if annotator in p.instances.meta else np.full(len(p), name, object)
        for p, name in zip(parts, names, strict=True)
    ]
    return _stacked(parts), np.concatenate(who), np.concatenate(keys)


def _names(parts: Sequence[PoseDataset]) -> list[str]:
    names = [p.name for p in parts]
    return names if len(set(names)) == len(names) else [f"{i + 1} {name}" for i, name in enumerate(names)]


def _stacked(parts: Sequence[PoseDataset]) -> PoseDataset:
    """All annotations on the images of all parts, numbered anew; `source_id` is the id that each had."""
    head = parts[0]
    odd = next((p for p in parts if not p.schema.same_points(head.schema)), None)
    if odd is not None:
        raise DataError("repeats", f"schemas {head.schema.name!r} and {odd.schema.name!r}", f"bring one to the other: .as_schema({head.schema.name!r})")
    images = head.images
    for part in parts[1:]:
        if part.images.id.dtype != images.id.dtype and len(part.images) and len(images):
            raise DataError("repeats", "image ids that are numbers beside ids that are text", "spell them alike in every set")
        images = stack([images, part.images.take(rows_of(images.id, part.images.id) < 0)])
    categories, kinds = joined_categories(parts)
    firsts = np.cumsum([1] + [len(p) for p in parts]).tolist()
    tables = [_renumbered(p, first, rows_of(images.id, p.images.id), kind) for p, first, kind in zip(parts, firsts, kinds, strict=False)]
    return replace(head, name=" + ".join(p.name for p in parts), images=images, categories=categories, instances=stack(tables))


def _renumbered(ds: PoseDataset, first: int, images: Rows, kinds: NDArray[np.intp]) -> Instances:
    own = ds.instances
    kept = own.meta.get("source_id", plain_texts(own.id.astype(str)))
    return replace(
        own.with_meta(source_id=kept), id=np.arange(first, first + len(own)), image=images[own.image], category=kinds[own.category], rest=Rest.empty(len(own))
    )


def _require_one_place(ds: PoseDataset, subject: Rows, subjects: NDArray[Any]) -> None:
    """A subject is one body on one image."""
    image = ds.instances.image
    first = np.zeros(len(subjects), np.intp)
    first[subject[::-1]] = image[::-1]
    astray = first[subject] != image
    if astray.any():
        one = np.flatnonzero(astray)[0]
        seen = f"subject {brief(str(subjects[subject[one]]))} lies on images {ds.images.id[first[subject[one]]]} and {ds.images.id[image[one]]}"
        raise DataError("repeats", seen, "a subject is one body on one image: number them over all images")


def _scales(ds: PoseDataset, subject: Rows, n: int) -> tuple[Floats, list[str]]:
    """(A,) square root of the area, of every subject the median of its annotations; and what stood in for unknown areas."""
    own, notes = ds.instances, []
    boxed = own.bbox[:, 2] * own.bbox[:, 3] * AREA_SHARE
    bare = ~(own.area > 0)
    area = np.where(bare, boxed, own.area)
    middle = group_medians(np.where(area > 0, area, np.nan)[:, None], subject, n)[:, 0]
    lost = np.isnan(middle)
    if lost.any():
        ids = own.id[lost[subject]]
        raise DataError(
            "repeats",
            f"neither area nor box in {first_few(ids, 3, ', ')} and their repeats" if len(ids) > 1 else f"neither area nor box in {ids[0]}",
            "a sigma is a share of the object's size: give areas, or ds.with_mask_area()",
        )
    if bare.any():
        notes.append(f"{bare.sum():,} annotations without an area: {AREA_SHARE:g} of the box stood in".replace("0.", "."))
    return np.sqrt(middle)[subject], notes


# -- groups ------------------------------------------------------------------------------------------


def group_sums(values: NDArray[Any], group: Rows, n: int) -> NDArray[Any]:
    """(n, ...) sums of rows of equal group; 0 for a group of none."""
    sums = np.zeros((n, *values.shape[1:]), values.dtype)
    order = np.argsort(group, kind="stable")
    present, starts = np.unique(group[order], return_index=True)
    if len(starts):
        sums[present] = np.add.reduceat(values[order], starts, axis=0)
    return sums


def group_medians(values: Floats, group: Rows, n: int) -> Floats:
    """(n, ...) medians of rows of equal group, NaN left out; NaN for a group of none."""
    medians = np.full((n, *values.shape[1:]), np.nan)
    order = np.argsort(group, kind="stable")
    present, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
    for count in np.unique(counts).tolist():
        same = counts == count
        medians[present[same]] = _medians(values[order[starts[same, None] + np.arange(count)]])
    return medians


def _medians(values: Floats) -> Floats:
    """Medians over axis 1 of (G, n, ...), NaN left out."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = (~np.isnan(values)).sum(1, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, 1) for at in (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[1] - 1)))
    return np.asarray(((low + high) / 2)[:, 0])


# -- who is off --------------------------------------------------------------------------------------


def robust_sigmas(data: Repeats) -> Floats:
    """(K,) deviations by the median distance of two annotations; the schema's where fewer than ten pairs tell.

    Distances of a pair are those of neighbours in the list, so that a subject of many annotations does not outweigh the others.
    """
    order = np.lexsort((data.annotator, data.subject))
    xy, subject = data.xy[order], data.subject[order]
    step = np.where((subject[1:] == subject[:-1])[:, None], ((xy[1:] - xy[:-1]) ** 2).sum(-1), np.nan)
    pairs = (~np.isnan(step)).sum(0)
    # the squared distance of two round normal scatters is exponential with mean 2 sigma²
    with np.errstate(invalid="ignore"):
        own = np.sqrt(_medians(step[None])[0] / (2 * np.log(2)))
    return np.where((pairs >= _ENOUGH) & (own > 0), own, data.ds.schema.sigmas)


_ENOUGH = 10


def outliers(data: Repeats, limit: float | None = OUTLIER) -> tuple[Bools, Bools]:
    """(A, K) points that are off by more than `limit` robust deviations; and those of them that fit on their mirror point.

    Three annotations or more: off the median. Two: too far apart, and both are off, for nobody knows which one is.
    """
    off = np.zeros(data.known.shape, bool)
    if limit is None:
        return off, off.copy()
    sigmas = robust_sigmas(data)
    counts = data.counts[data.subject]
    middle = data.middle[data.subject]
    distance = np.sqrt(((data.xy - middle) ** 2).sum(-1))
    # the two of a pair lie half their distance from its middle; that distance has a deviation of sqrt(2) sigmas
    reach = np.where(counts == 2, limit * sigmas / np.sqrt(2), limit * sigmas)
    with np.errstate(invalid="ignore"):
        off = (distance > reach) & (counts > 1)
        crossed = np.sqrt(((data.xy - middle[:, data.ds.schema.mirror]) ** 2).sum(-1))
        exchanged = off & (crossed <= np.where(counts == 2, reach, limit * sigmas)) & (counts > 2)
    return off, exchanged
