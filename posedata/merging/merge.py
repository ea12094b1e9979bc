"""merge: many sets under one schema, and what could not be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..category import Provenance
from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean
from ..grouping import codes_of
from ..mapping import KINDS, LABELS
from ..mapping import Mapping as SchemaMapping
from ..rest import FileRest
from ..schema import Schema
from ..tables import Images, Instances, T, Table, stack
from .classes import unified
from .copies import POLICIES, copies
from .losses import Loss, Losses, told
from .points import bring, target_schema, with_sigma_rule

__all__ = ["merge"]


def merge(
    parts: Sequence[PoseDataset] | Mapping[str, PoseDataset],
    schema: Schema | str | Path | None = None,
    *,
    policy: str = "apart",
    sigmas: str = "schema",
    mappings: Mapping[str, SchemaMapping | str | Path] | None = None,
    kinds: Sequence[str] = LABELS,
    categories: Mapping[str, Any] | None = None,
    duplicate_groups: str | Sequence[Any] = "bytes",
    name: str | None = None,
    quiet: bool = False,
) -> tuple[PoseDataset, Losses]:
    """All sets as one under `schema`, and a word on everything that was lost or changed on the way (docs/merging.md).

    Points go over by name through a mapping, the one we know or one of `mappings` (by source or by schema's name); computed points are made
    only when `kinds` names "derived". `policy` says what becomes of an image that several sources have: apart, join, first, error. `sigmas`
    names the rule for each point's sigma: schema, strictest, loosest, first, pooled. `categories` renames: {"kitty": "cat"}.
    Images and instances are numbered anew; meta `source` and `source_id` say what they were.

    `duplicate_groups` is "bytes" (equal files), "none", a column of the images, or an array of groups for each part.
    """
    named = named_parts(parts)
    _check_words(policy, kinds, mappings, named)
    target = target_schema(named, schema)
    tables = mappings or {}
    brought = [bring(n, ds, target, tables.get(n, tables.get(ds.schema.name)), kinds) for n, ds in named.items()]
    ruled = with_sigma_rule(target, brought, sigmas)
    losses = [loss for b in brought for loss in b.losses]
    moved = {b.name: replace(b.dataset, schema=ruled) for b in brought}
    both, told_of = stacked(moved, named, ruled, categories or {}, name)
    found, looked = copies(named, both, duplicate_groups, quiet, policy == "join")
    both, more = POLICIES[policy][1](both, found)
    return numbered(both), told([*losses, *told_of, *looked, *more, *_file_names(both)])


def named_parts(parts: Any) -> dict[str, PoseDataset]:
    """Sources by name: as given, or the datasets' own names."""
    if not isinstance(parts, Mapping | list | tuple) or not len(parts):
        raise DataError("merge", "no datasets" if isinstance(parts, Mapping | list | tuple) else brief(repr(parts)), "give them as [a, b] or {'name': a}")
    pairs = list(parts.items()) if isinstance(parts, Mapping) else [(getattr(p, "name", ""), p) for p in parts]
    for n, ds in pairs:
        if not isinstance(ds, PoseDataset) or not isinstance(n, str) or not n:
            raise DataError("merge", brief(repr(ds if isinstance(n, str) and n else n)), "give datasets, as [a, b] or {'name': a}")
    twice = [n for i, (n, _) in enumerate(pairs) if n in [m for m, _ in pairs[:i]]]
    if twice:
        raise DataError("merge", f"two sources named {brief(twice[0])!r}", "name them: merge({'one': a, 'other': b})")
    return dict(pairs)


def _check_words(policy: str, kinds: Sequence[str], mappings: Any, parts: Mapping[str, PoseDataset]) -> None:
    if policy not in POLICIES:
        raise DataError("merge: policy", brief(repr(policy)), did_you_mean(str(policy), POLICIES))
    if isinstance(kinds, str) or not all(k in KINDS for k in kinds):
        raise DataError("merge: kinds", brief(repr(kinds)), f"some of {', '.join(KINDS)}")
    if mappings is not None and not isinstance(mappings, Mapping):
        raise DataError("merge: mappings", brief(repr(mappings)), "a table: {source or schema: Mapping or 'rows.csv'}")
    known = {*parts, *(p.schema.name for p in parts.values())}
    for key in mappings or {}:
        if key not in known:
            raise DataError("merge: mappings", f"no source or schema {brief(str(key))!r}", did_you_mean(str(key), known))


def stacked(
    parts: Mapping[str, PoseDataset], origins: Mapping[str, PoseDataset], schema: Schema, names: Mapping[str, Any], name: str | None
) -> tuple[PoseDataset, list[Loss]]:
    """Sets of one schema, one after another, every row marked with where it comes from. Ids are not yet new."""
    categories, places, losses = unified(parts, schema, names)
    images, notes = list[Images](), list[Instances]()
    firsts = np.cumsum([0] + [len(p.images) for p in parts.values()])
    for (source, p), first, place in zip(parts.items(), firsts.tolist(), places, strict=False):
        image, renamed = traced(p.images, source, "images")
        note, more = traced(p.instances, source, "annotations")
        rows = np.arange(len(note)) + 1
        images.append(image.with_trusted(id=np.arange(first + 1, first + 1 + len(image))))
        start = sum(len(n) for n in notes)
        notes.append(note.with_trusted(id=rows + start, image=note.image + first, category=place[note.category] if len(place) else note.category))
        losses += [*renamed, *more]
    losses += [*_column_losses(parts, images, "images"), *_column_losses(parts, notes, "annotations"), *_listing_losses(parts)]
    both = PoseDataset(
        name=name or " + ".join(parts),
        schema=schema,
        categories=categories,
        images=stack(images),
        instances=stack(notes),
        provenance=_provenance(parts),
        rest=_tops(origins),
    )
    _require_different(both, parts)
    return both, losses


def traced(table: T, source: str, what: str) -> tuple[T, list[Loss]]:
    """The table with `source` and `source_id`; those of an earlier merge stay, a column `source` of another meaning gets another name."""
    meta, losses = dict(table.meta), list[Loss]()
    if "source" in meta and "source_id" in meta and meta["source"].dtype == object:
        return table, []
    if "source" in meta:
        free = next(n for n in (f"{'own_' * i}source" for i in range(1, 99)) if n not in meta)
        meta[free] = meta.pop("source")
        losses = [Loss(source, "column", f"{what}.source", len(table), f"now {free}")]
    ids = meta.get("source_id", table.columns()["id"])
    meta["source_id"] = ids if ids.dtype == object else ids.astype(str).astype(object)
    meta["source"] = np.full(len(table), source, object)
    return table.trusted(table.own(), meta, table.rest), losses


def numbered(ds: PoseDataset) -> PoseDataset:
    """Images and instances from 1 on."""
    images = ds.images.with_trusted(id=np.arange(1, len(ds.images) + 1))
    return replace(ds, images=images, instances=ds.instances.with_trusted(id=np.arange(1, len(ds) + 1)))


def _require_different(both: PoseDataset, parts: Mapping[str, PoseDataset]) -> None:
    """Two parts that were merged from one source may not hold the same annotation twice."""
    kinds = [set(p.images.meta["source"].tolist()) if "source" in p.images.meta and "source_id" in p.images.meta else {n} for n, p in parts.items()]
    if sum(map(len, kinds)) == len(set().union(*kinds)):
        return
    for table, what in ((both.images, "image"), (both.instances, "annotation")):
        part = np.repeat(np.arange(len(parts)), [len(p.images if what == "image" else p.instances) for p in parts.values()])
        codes, found = codes_of(table.meta["source"] + "\x1f" + table.meta["source_id"])  # numpy drops a final NUL
        first = np.full(len(found), len(parts))
        np.minimum.at(first, codes, part)
        again = np.flatnonzero(part != first[codes])
        if len(again):
            seen = " ".join(str(found[codes[again[0]]]).split("\x1f"))
            raise DataError("merge", f"{len(again):,} {what}s stand in two parts, such as {seen}", "is a set merged twice?")


def _column_losses(parts: Mapping[str, PoseDataset], tables: Sequence[Table], what: str) -> list[Loss]:
    """Meta columns that cannot stand as they are below those of the others."""
    losses = []
    for column in dict.fromkeys(n for t in tables for n in t.meta):
        kinds = [t.meta[column].dtype if column in t.meta else None for t in tables]
        for source, table, kind in zip(parts, tables, kinds, strict=True):
            note = _rewritten(kind, kinds)
            if note and len(table):
                losses.append(Loss(source, "column", f"{what}.{column}", len(table), note))
            if kind is not None and kind.kind in "iu" and any(k is None or k.kind == "f" for k in kinds):
                rounded = table.meta[column].astype(np.float64).astype(object) != table.meta[column].astype(object)
                losses.append(Loss(source, "value", f"{what}.{column}", int(rounded.sum()), "too large to be exact"))
    return losses


def _rewritten(kind: np.dtype[Any] | None, kinds: Sequence[np.dtype[Any] | None]) -> str:
    """How a column of one kind is written beside the others."""
    if kind is None or kind.kind == "O":
        return ""
    if any(k is not None and k.kind == "O" for k in kinds):
        return "numbers as text, as another source has text there"
    numeric = [k for k in kinds if k is not None]
    if kind.kind == "b" and (None in kinds or any(k.kind != "b" for k in numeric)):
        return "truth values as 1 and 0"
    return ""


def _listing_losses(parts: Mapping[str, PoseDataset]) -> list[Loss]:
    return [Loss(n, "listing", "", len(p.rest.listing) - len(p.images)) for n, p in parts.items() if p.rest.listing is not None]


def _file_names(ds: PoseDataset) -> list[Loss]:
    """Names that two images of different sources have: a COCO file of this set could not tell them apart."""
    codes, found = codes_of(ds.images.file)
    source, names = codes_of(ds.images.meta["source"])
    first = np.full(len(found), len(names))
    np.minimum.at(first, codes, source)
    again = (source != first[codes]) & (ds.images.file != "")
    return [Loss(n, "file name", "", int((again & (source == i)).sum()), "folders tell them apart; COCO JSON holds none") for i, n in enumerate(names)]


def _provenance(parts: Mapping[str, PoseDataset]) -> Provenance:
    """Files, fixes and steps of all; whose they are where they are not a whole merge's."""
    joined = {f.name: tuple(dict.fromkeys(entry for p in parts.values() for entry in getattr(p.provenance, f.name))) for f in fields(Provenance)}
    return Provenance(**joined).then(f"merged: {' + '.join(parts)}")


def _tops(parts: Mapping[str, PoseDataset]) -> FileRest:
    """What stood at the top of each file, under the key `sources` and the source's name; nothing of it is lost."""
    sources: dict[str, Any] = {}
    for name, p in parts.items():
        own = {k: msgspec.Raw(v) for k, v in p.rest.texts.items()}
        earlier = _merged_tops(own)
        sources |= earlier if earlier is not None else {name: own} if own else {}
    return FileRest((), {"sources": msgspec.json.encode(sources)} if sources else {})


def _merged_tops(texts: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw] | None:
    """The tops of an earlier merge's sources; None where there was none."""
    if not texts.keys() <= {"sources", "info"} or "sources" not in texts:
        return None
    try:
        json.loads(bytes(texts.get("info", b'{"posebench": 1}')))["posebench"]
        return msgspec.json.decode(texts["sources"], type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
