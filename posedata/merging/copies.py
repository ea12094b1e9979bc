"""The same image in several sources: found by the bytes of its file or by groups that are given, and what is done then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import array_of
from ..dataset import PoseDataset
from ..errors import DataError, PoseError, brief, did_you_mean, first_few
from ..grouping import codes_of, components
from ..progress import bar
from .losses import Loss
from .people import absorb, joined_words, partners_by_overlap, point_losses, united

__all__ = ["POLICIES", "Copies", "copies"]

Rows = NDArray[np.intp]


class Copies:
    """Which images of a merged set are copies of another."""

    def __init__(self, ds: PoseDataset, group: Rows) -> None:
        self.source, self.sources = codes_of(ds.images.meta["source"])
        self.group = group
        """(I,) the first image that each is a copy of: itself, where it is none."""
        self.later = self.source != self.source[group]
        """(I,) copies of an image of another, earlier source; a source's own repeats are its own."""


def copies(parts: Mapping[str, PoseDataset], merged: PoseDataset, groups: str | Sequence[Any], quiet: bool, joins: bool = False) -> tuple[Copies, list[Loss]]:
    """Copies among the images: what the parts say in a column `duplicate`, and what `groups` says across them.

    Where people are to be joined only equal pictures will do: the column `same_pixels` then, where a part has it.
    """
    if joins and isinstance(groups, str) and groups == "duplicate" and any("same_pixels" in p.images.meta for p in parts.values()):
        seen = "'duplicate' also groups mirrored, cropped and altered pictures, whose poses do not fit each other"
        raise DataError("merge: duplicate_groups", seen, "join those that are equal: duplicate_groups='same_pixels'")
    sizes = [len(p.images) for p in parts.values()]
    own = [p.images.meta.get("same_pixels" if joins and "same_pixels" in p.images.meta else "duplicate") for p in parts.values()]
    within = _numbered([_labels(column, len(p.images), f"{name}: duplicate") for column, (name, p) in zip(own, parts.items(), strict=True)], apart=True)
    if isinstance(groups, str) and groups == "bytes":
        across, unread = _by_bytes(parts, quiet)
        losses = [Loss(name, "not looked at", "", int(n), "give images=FOLDER, or duplicate_groups") for name, n in unread.items()]
    else:
        across, losses = _given(parts, groups), []
    return Copies(merged, components(sum(sizes), [(np.flatnonzero(c >= 0), c[c >= 0]) for c in (within, across)])), losses


def _given(parts: Mapping[str, PoseDataset], groups: str | Sequence[Any]) -> Rows:
    """Groups from a column of the images, or from an array for each part."""
    if isinstance(groups, str):
        if groups == "none":
            return np.full(sum(len(p.images) for p in parts.values()), -1)
        for name, p in parts.items():
            if groups not in p.images.meta:
                raise DataError(
                    "merge: duplicate_groups", f"{name} has no image column {brief(groups)!r}", did_you_mean(groups, ["bytes", "none", *p.images.meta])
                )
        return _numbered([_labels(p.images.meta[groups], len(p.images), groups) for p in parts.values()])
    given = list(groups)
    if len(given) != len(parts):
        raise DataError("merge: duplicate_groups", f"{len(given)} arrays", f"one for each of the {len(parts)} sources")
    return _numbered([_labels(g, len(p.images), f"merge: duplicate_groups of {name}") for g, (name, p) in zip(given, parts.items(), strict=True)])


def _labels(values: Any, n: int, where: str) -> list[Any]:
    """A label for each image; None where it stands alone ("", -1 or NaN)."""
    if values is None:
        return [None] * n
    array = array_of(values, where)
    if array.shape != (n,):
        raise DataError(where, f"shape {array.shape}", f"a group for each of the {n} images")
    return [None if v == "" or v == -1 or v != v else v for v in array.tolist()]


def _numbered(labels: Sequence[list[Any]], apart: bool = False) -> Rows:
    """Labels of all parts as numbers; `apart`: a label means nothing beyond its part."""
    if not any(v is not None for own in labels for v in own):
        return np.full(sum(map(len, labels)), -1)
    flat = [None if v is None else (i if apart else 0, v) for i, own in enumerate(labels) for v in own]
    known: dict[Any, int] = {None: -1}
    return np.fromiter((known.setdefault(v, len(known)) for v in flat), np.intp, len(flat))


# -- by bytes ----------------------------------------------------------------------------------------


def _by_bytes(parts: Mapping[str, PoseDataset], quiet: bool) -> tuple[Rows, dict[str, int]]:
    """A number for each content; -1 where nothing is like it or there is no file. Only files of one length in two sources are read."""
    paths = [path for p in parts.values() for path in _paths(p)]
    source = np.repeat(np.arange(len(parts)), [len(p.images) for p in parts.values()])
    length = np.fromiter(map(_length, paths), np.int64, len(paths))
    if (length < 0).all():
        return np.full(len(paths), -1), {name: len(p.images) for name, p in parts.items()}
    look = np.flatnonzero((length >= 0) & _in_several(codes_of(length)[0], source))
    labels = np.full(len(paths), -1)
    with bar("comparing images", len(look), quiet) as tick, ThreadPoolExecutor() as pool:
        digests: dict[bytes, int] = {}
        for row, digest in zip(look.tolist(), pool.map(_digest, [paths[i] for i in look.tolist()]), strict=True):
            labels[row] = digests.setdefault(digest, len(digests)) if digest else -1
            tick(1)
    labels = np.where((labels >= 0) & _in_several(labels, source), labels, -1)  # a source's own repeats are its own
    return labels, {name: int(((length < 0) & (source == i)).sum()) for i, name in enumerate(parts)}


def _in_several(codes: Rows, source: Rows) -> NDArray[np.bool_]:
    """Rows whose code stands in two sources or more."""
    found, place = np.unique(codes, return_inverse=True)
    low, high = np.full(len(found), len(source) + 1), np.full(len(found), -1)
    np.minimum.at(low, place.reshape(-1), source)
    np.maximum.at(high, place.reshape(-1), source)
    return np.asarray((high > low)[place.reshape(-1)], bool)


def _paths(ds: PoseDataset) -> list[Path | None]:
    """Where the pictures lie, for images of which somebody said so."""
    if not (ds.images.folder != "").any():
        return [None] * len(ds.images)
    from ..images import image_path  # the room of Pillow

    def place(row: int) -> Path | None:
        try:
            return image_path(ds.images, row)
        except PoseError:
            return None

    return [place(row) for row in range(len(ds.images))]


def _length(path: Path | None) -> int:
    try:
        return path.stat().st_size if path is not None else -1
    except (OSError, ValueError):
        return -1


def _digest(path: Path | None) -> bytes:
    """Of the whole content; nothing where it cannot be read after all."""
    try:
        with open(path or "", "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


# -- policies ----------------------------------------------------------------------------------------


def keep_apart(ds: PoseDataset, found: Copies) -> tuple[PoseDataset, list[Loss]]:
    """Every image stays; meta `duplicate` says which are one."""
    return grouped(ds, found.group), [Loss(s, "apart", "", int(n), "column duplicate has their groups") for s, n in _by_source(found, found.later)]


def keep_first(ds: PoseDataset, found: Copies) -> tuple[PoseDataset, list[Loss]]:
    """Later sources' copies go, with their instances."""
    counts = np.bincount(ds.instances.image, minlength=len(ds.images))
    losses = [Loss(s, "image", "", int(n)) for s, n in _by_source(found, found.later)]
    losses += [Loss(s, "instance", "", int(n), "with their images") for s, n in _by_source(found, np.where(found.later, counts, 0))]
    labelled = ds.instances.labelled & found.later[ds.instances.image][:, None]
    points = np.bincount(ds.instances.image, labelled.sum(1), len(ds.images))
    losses += [Loss(s, "point", "", int(n), "with their images") for s, n in _by_source(found, points)]
    return grouped(ds, found.group).take_images(~found.later), losses


def refuse(ds: PoseDataset, found: Copies) -> tuple[PoseDataset, list[Loss]]:
    """No image may stand twice."""
    if found.later.any():
        rows = np.flatnonzero(found.later)
        names = [f"{found.sources[s]} {file}" for s, file in zip(found.source.tolist(), ds.images.file.tolist(), strict=True)]
        seen = first_few((f"{names[r]} is {names[found.group[r]]}" for r in rows.tolist()), 3)
        raise DataError("merge", f"{len(rows):,} images stand in two sources: {seen}", "policy='join', 'first' or 'apart' says what to do")
    return grouped(ds, found.group), []


def join_copies(ds: PoseDataset, found: Copies) -> tuple[PoseDataset, list[Loss]]:
    """Copies become one image with the instances of all; instances of one person become one. Images of another size stay apart."""
    home = np.where(found.later & _same_size(ds, found.group), found.group, np.arange(len(ds.images)))
    joined = home != np.arange(len(home))
    ds, dead, losses = _joined_people(ds, found, home)
    losses += [Loss(s, "apart", "", int(n), "copies of another size") for s, n in _by_source(found, found.later & ~joined)]
    losses += [Loss(s, "image joined", "", int(n)) for s, n in _by_source(found, joined)]
    images = ds.images
    for s in np.unique(found.source[joined]).tolist():
        rows = np.flatnonzero(joined & (found.source == s))
        words = joined_words(images, home[rows], rows)
        images, beaten = absorb(images, home[rows], rows, found.sources[s], "images")
        images = images.with_trusted_meta(joined=words)
        losses += beaten
    moved = ds.instances.with_trusted(image=home[ds.instances.image]).take(~dead)
    moved = moved.take(np.argsort(moved.image, kind="stable")) if joined.any() else moved
    return grouped(replace(ds, images=images, instances=moved), found.group).take_images(~joined), losses


def _same_size(ds: PoseDataset, group: Rows) -> NDArray[np.bool_]:
    """Copies by bytes have one size; records may not say it (0) or say it wrongly."""
    w, h = ds.images.width, ds.images.height
    return np.asarray(((w == w[group]) | (w == 0) | (w[group] == 0)) & ((h == h[group]) | (h == 0) | (h[group] == 0)), bool)


def _joined_people(ds: PoseDataset, found: Copies, home: Rows) -> tuple[PoseDataset, NDArray[np.bool_], list[Loss]]:
    """Source after source, its people on joined images made one with those already there; which rows are gone."""
    homes, at = home[ds.instances.image], found.source[ds.instances.image]
    moving = homes != ds.instances.image
    dead, losses, own = np.zeros(len(ds), bool), list[Loss](), ds.instances
    for s in np.unique(at[moving]).tolist():
        rows = np.flatnonzero(moving & (at == s))
        there = np.flatnonzero(~dead & np.isin(homes, homes[rows]) & (at != s) & (~moving | (at < s)))
        gone, kept, rivals = partners_by_overlap(own, ds.schema.sigmas, rows, there, homes)
        if len(gone):
            union = united(own, ds.schema.sigmas, kept, gone)
            words = joined_words(own, kept, gone)
            own, beaten = absorb(own, kept, gone, found.sources[s], "annotations")
            points, known, recorded = own.keypoints.copy(), own.annotated.copy(), own.recorded.copy()
            points[kept], known[kept], recorded[kept] = union.keypoints, union.annotated, -1
            own = own.with_trusted(keypoints=points, annotated=known, recorded=recorded).with_trusted_meta(joined=words)
            losses += [*beaten, *point_losses(found.sources[s], union, ds.schema.names)]
            dead[gone] = True
        losses += [Loss(found.sources[s], "joined", "", len(gone)), Loss(found.sources[s], "ambiguous", "", rivals)]
    return replace(ds, instances=own), dead, losses


def _by_source(found: Copies, weights: NDArray[Any]) -> list[tuple[str, int]]:
    sums = np.bincount(found.source, weights.astype(np.float64), len(found.sources))
    return [(s, int(n)) for s, n in zip(found.sources, sums.tolist(), strict=True)]


def grouped(ds: PoseDataset, group: Rows) -> PoseDataset:
    """Meta `duplicate`: what the first image of each group of copies was called; every image is in one.

    Not a number: a split draws a group's side from its name, which must stay when a source grows.
    """
    meta = ds.images.meta
    names = meta["source"] + ":" + meta["source_id"]
    return replace(ds, images=ds.images.with_trusted_meta(duplicate=names[group]))


POLICIES: dict[str, tuple[str, Callable[[PoseDataset, Copies], tuple[PoseDataset, list[Loss]]]]] = {
    "apart": ("every image stays; the column `duplicate` says which are one, so that a split cuts none", keep_apart),
    "join": ("copies become one image with the instances of all sources; the same person is made one", join_copies),
    "first": ("the first source that has the image keeps it; later copies go, with their instances", keep_first),
    "error": ("no image may stand in two sources", refuse),
}
"""name: (meaning, what is done)."""
