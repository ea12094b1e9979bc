"""Datasets one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .category import Category, Provenance
from .dataset import PoseDataset
from .errors import DataError, brief, first_few
from .rest import FileRest
from .tables import stack

__all__ = ["concat", "joined_categories"]


def concat(parts: Sequence[PoseDataset], name: str | None = None) -> PoseDataset:
    """Datasets of one schema, one after another. Ids must differ: `ds.renumbered(first)` makes them."""
    parts = list(parts)
    if not parts:
        raise DataError("concat", "no datasets", "give at least one")
    head = parts[0]
    for other in parts[1:]:
        if other.schema != head.schema:
            raise DataError("concat", f"schemas {head.schema.name!r} and {other.schema.name!r}", f"bring one to the other: .as_schema({head.schema.name!r})")
    categories, renumber = joined_categories(parts)
    firsts = np.cumsum([0] + [len(p.images) for p in parts])
    instances = [
        p.instances.with_trusted(image=p.instances.image + at, category=c[p.instances.category]) for p, at, c in zip(parts, firsts, renumber, strict=False)
    ]
    return replace(
        head,
        name=name or " + ".join(p.name for p in parts),
        categories=categories,
        images=stack([p.images for p in parts]),
        instances=stack(instances),
        provenance=_provenance(parts),
        rest=_joined_tops(parts),
    )


def _provenance(parts: Sequence[PoseDataset]) -> Provenance:
    """All of all, and a word on what could not stand twice in one file."""
    joined = Provenance(*(tuple(dict.fromkeys(entry for p in parts for entry in getattr(p.provenance, f))) for f in ("files", "fixes", "steps")))
    kept = _joined_tops(parts).texts
    lost = [key for p in parts for key, text in p.rest.texts.items() if text != kept[key]]
    return joined.then(f"concat: {first_few(dict.fromkeys(lost), between=', ')} of the first part that has it") if lost else joined


def _joined_tops(parts: Sequence[PoseDataset]) -> FileRest:
    """Top-level keys of all parts, each with the value of the first part that has it."""
    keys = dict.fromkeys(key for p in parts for key in p.rest.keys)
    texts = {key: text for p in reversed(parts) for key, text in p.rest.texts.items()}
    return FileRest(tuple(keys), texts)


def joined_categories(parts: Sequence[PoseDataset]) -> tuple[tuple[Category, ...], list[NDArray[np.intp]]]:
    """One list of categories, and for each part where its own went."""
    joined: dict[int | str, Category] = {}
    for part in parts:
        for c in part.categories:
            known = joined.setdefault(c.id, c)
            if (known.name, known.points, known.sigmas) != (c.name, c.points, c.sigmas):
                raise DataError("concat", f"category {c.id!r} is {brief(known.name)!r} and {brief(c.name)!r}", "give them other ids, or the same points")
    place = {id_: row for row, id_ in enumerate(joined)}
    return tuple(joined.values()), [np.array([place[c.id] for c in p.categories], np.intp) for p in parts]
