"""join: two annotations of the same people as one, the first leading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import rows_of
from ..dataset import PoseDataset
from ..errors import DataError, SchemaError, brief, did_you_mean, first_few
from ..schema import Schema
from ..schemas import SCHEMAS, load_schema
from .copies import grouped
from .losses import Loss, Losses, told
from .merge import named_parts, numbered, stacked
from .people import absorb, joined_words, partners_by_id, partners_by_overlap, point_losses, united
from .points import bring

__all__ = ["BY", "ORPHANS", "join"]

Rows = NDArray[np.intp]
Places = Callable[[PoseDataset], NDArray[Any]]

BY = {
    "id": "the same annotation id on the same image, and the same box where both have one",
    "overlap": "one person by OKS over the points both have, by overlap of the boxes where these are fewer than three",
}
ORPHANS = {"out": "left out, and counted", "keep": "kept as instances of their own"}
_IMAGES: dict[str, Places] = {"id": lambda ds: ds.images.id, "file": lambda ds: ds.images.file}


def join(
    a: PoseDataset,
    b: PoseDataset,
    schema: Schema | str | Path | None = None,
    *,
    by: str = "id",
    images: str = "id",
    orphans: str = "out",
    name: str | None = None,
) -> tuple[PoseDataset, Losses]:
    """The instances of `a`, with the points `b` has of the same people; and what could not be kept.

    `by` says what makes two annotations one person: "id" or "overlap". `images` says which images are one: those of one "id", or of one "file"
    name. Where both have labelled a point, that of `a` stays; where they disagree, it is counted. `orphans` of `b`, which find no partner, are
    left "out", or "keep" stands for them. Without `schema` it is the one that holds the points of both.
    """
    for word, value, known in (("by", by, BY), ("images", images, _IMAGES), ("orphans", orphans, ORPHANS)):
        if value not in known:
            raise DataError(f"join: {word}", brief(repr(value)), did_you_mean(str(value), known))
    parts = named_parts([a, b] if getattr(a, "name", 0) != getattr(b, "name", 1) else {f"{a.name} (1)": a, f"{b.name} (2)": b})
    target = load_schema(schema) if schema is not None else _holding(a.schema, b.schema)
    brought = [bring(n, ds, target, None, ("exact", "approximate")) for n, ds in parts.items()]
    both, notes = stacked({p.name: p.dataset for p in brought}, parts, target, {}, name)
    home, strangers = _homes(a, b, _IMAGES[images])
    kept, gone, rivals = _partners(by, a, b, both, home)
    done, more = _united(both, kept, gone, brought[1].name)
    left, out = _placed(done, home, strangers, gone, len(a), orphans, brought[1].name)
    losses = [*brought[0].losses, *brought[1].losses, *notes, *more, Loss(brought[1].name, "ambiguous", "", rivals), *out]
    return numbered(grouped(left, np.arange(len(left.images)))), told(losses)


def _holding(a: Schema, b: Schema) -> Schema:
    """The schema that has exactly the points of both."""
    names = {*a.names, *b.names}
    fit = next((s for s in (a, b, *SCHEMAS.values()) if set(s.names) == names), None)
    if fit is None:
        raise SchemaError("join", f"no schema has the points of {a.name} and {b.name} and no others", "say which to use: schema=NAME, such as 'human'")
    return fit


def _homes(a: PoseDataset, b: PoseDataset, place: Places) -> tuple[Rows, NDArray[np.bool_]]:
    """(images of both,) where each image goes: to that of `a` that is the same one; and which of `b` have none."""
    found = rows_of(place(a), place(b))
    own = np.arange(len(a.images), len(a.images) + len(b.images))
    return np.concatenate([np.arange(len(a.images)), np.where(found >= 0, found, own)]), np.concatenate([np.zeros(len(a.images), bool), found < 0])


def _partners(by: str, a: PoseDataset, b: PoseDataset, both: PoseDataset, home: Rows) -> tuple[Rows, Rows, int]:
    """Rows of the joined table that are one: those of `a`, those of `b`; and how many had a rival."""
    homes = home[both.instances.image]
    if by == "overlap":
        gone, kept, rivals = partners_by_overlap(both.instances, both.schema.sigmas, np.arange(len(a), len(both)), np.arange(len(a)), homes)
        return kept, gone, rivals
    if len(a) and len(b) and a.instances.id.dtype != b.instances.id.dtype:
        raise DataError("join", "annotation ids of different kinds", "join(..., by='overlap') does without")
    first = a.instances.id, homes[: len(a)], a.instances.bbox
    partner = partners_by_id(b.instances.id, homes[len(a) :], b.instances.bbox, first)
    return partner[partner >= 0], np.flatnonzero(partner >= 0) + len(a), 0


def _united(both: PoseDataset, kept: Rows, gone: Rows, source: str) -> tuple[PoseDataset, list[Loss]]:
    union = united(both.instances, both.schema.sigmas, kept, gone)
    words = joined_words(both.instances, kept, gone)
    own, beaten = absorb(both.instances, kept, gone, source, "annotations")
    points, known, recorded = own.keypoints.copy(), own.annotated.copy(), own.recorded.copy()
    points[kept], known[kept], recorded[kept] = union.keypoints, union.annotated, -1
    own = own.with_trusted(keypoints=points, annotated=known, recorded=recorded).with_trusted_meta(joined=words)
    counted = int((both.instances.recorded[kept] >= 0).sum() + (both.instances.recorded[gone] >= 0).sum())
    losses = [
        *beaten,
        *point_losses(source, union, both.schema.names),
        Loss(source, "joined", "", len(gone)),
        Loss(source, "recorded", "num_keypoints", counted),
    ]
    return replace(both, instances=own), losses


def _placed(ds: PoseDataset, home: Rows, strangers: NDArray[np.bool_], gone: Rows, first: int, orphans: str, source: str) -> tuple[PoseDataset, list[Loss]]:
    """Everybody on their image; images and people of the second set that found no partner stay or go."""
    later = np.arange(len(ds.images)) != home
    rows, moved = np.flatnonzero(later), ds.instances.with_trusted(image=home[ds.instances.image])
    words = joined_words(ds.images, home[rows], rows)
    images, losses = absorb(ds.images, home[rows], rows, source, "images")
    images = images.with_trusted_meta(joined=words)
    alone = np.arange(len(moved)) >= first
    alone[gone] = False
    out = alone if orphans == "out" else np.zeros(len(moved), bool)
    losses += [Loss(source, "instance", "", int(out.sum()), _orphans(ds, out)), Loss(source, "point", "", int(moved.labelled[out].sum()), "of orphans")]
    drop = later | (strangers if orphans == "out" else False)
    losses += [Loss(source, "image", "", int((drop & ~later).sum()), "images the first set lacks"), Loss(source, "image joined", "", len(rows))]
    out = out.copy()
    out[gone] = True
    return replace(ds, images=images, instances=moved.take(~out)).take_images(~drop), losses


def _orphans(ds: PoseDataset, out: NDArray[np.bool_]) -> str:
    return f"orphans, joined to nobody: {first_few(ds.instances.meta['source_id'][out].tolist(), between=', ')}" if out.any() else ""
