"""Categories of several sources as one list, by name."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..category import Category
from ..dataset import PoseDataset
from ..errors import DataError, FormatError, brief, did_you_mean
from ..schema import Schema, plain_name
from .losses import Loss

__all__ = ["read_names", "unified"]

Names = Mapping[str, Any]
"""old name -> new name for all sources, or source -> (old name -> new name)."""


def read_names(path: str | Path) -> dict[str, Any]:
    """A table of categories from a CSV file: `source,category,to`; an empty source speaks of all."""
    try:
        lines = [[c.strip() for c in line] for line in csv.reader(Path(path).read_text("utf-8-sig").splitlines()) if line and line[0][:1] != "#"]
    except (OSError, ValueError, csv.Error) as e:
        raise FormatError(str(path), brief(str(getattr(e, "strerror", None) or e).lower(), 80), "name a CSV file: source,category,to") from None
    if not lines or lines[0] != ["source", "category", "to"] or any(len(line) != 3 for line in lines):
        raise FormatError(str(path), "no rows of source,category,to", "the first line reads source,category,to; an empty source speaks of all")
    names: dict[str, Any] = {}
    for source, old, new in lines[1:]:
        (names.setdefault(source, {}) if source else names)[old] = new
    return names


def unified(parts: Mapping[str, PoseDataset], target: Schema, names: Names) -> tuple[tuple[Category, ...], list[NDArray[np.intp]], list[Loss]]:
    """One list of categories; for each part where its own went; and what that changed."""
    _check(parts, names)
    found: dict[str, list[tuple[str, Category]]] = {}
    for source, ds in parts.items():
        for c in ds.categories:
            found.setdefault(_renamed(source, c.name, names), []).append((source, c))
    losses: list[Loss] = []
    ids = _ids(found)
    merged = tuple(replace(_one(name, kinds, target, losses), id=i) for (name, kinds), i in zip(found.items(), ids, strict=True))
    place = {c.name: row for row, c in enumerate(merged)}
    where = [np.array([place[_renamed(s, c.name, names)] for c in ds.categories], np.intp) for s, ds in parts.items()]
    return merged, where, [*_moved(found, ids), *losses, *_alike(found)]


def _check(parts: Mapping[str, PoseDataset], names: Names) -> None:
    if not isinstance(names, Mapping):
        raise DataError("merge: categories", brief(repr(names)), "a table: {'kitty': 'cat'}, or {source: {'kitty': 'cat'}}")
    for key, value in names.items():
        asked = {key: value} if isinstance(value, str) else value
        if not isinstance(asked, Mapping) or not all(isinstance(v, str) and v for v in asked.values()):
            raise DataError(f"merge: categories[{key!r}]", brief(repr(value)), "the new name, or a table of them for one source")
        if not isinstance(value, str) and key not in parts:
            raise DataError("merge: categories", f"no source {brief(str(key))!r}", did_you_mean(str(key), parts))
        known = {c.name for s, ds in parts.items() for c in ds.categories if isinstance(value, str) or s == key}
        for old in asked:
            if old not in known:
                raise DataError("merge: categories", f"no category {brief(str(old))!r}", did_you_mean(str(old), known))


def _renamed(source: str, name: str, names: Names) -> str:
    own = names.get(source)
    if isinstance(own, Mapping) and name in own:
        return str(own[name])
    given = names.get(name, name)
    return given if isinstance(given, str) else name


def _ids(found: Mapping[str, Sequence[tuple[str, Category]]]) -> list[int | str]:
    """The first source's id for each name while it is free, else a number that none of them has."""
    firsts = [kinds[0][1].id for kinds in found.values()]
    if not all(isinstance(i, int) for i in firsts):
        return list(range(1, len(firsts) + 1))
    taken: dict[int | str, None] = {}
    fresh = max((i for i in firsts if isinstance(i, int)), default=0)
    for wanted in firsts:
        fresh += wanted in taken
        taken[fresh if wanted in taken else wanted] = None
    return list(taken)


def _one(name: str, kinds: Sequence[tuple[str, Category]], target: Schema, losses: list[Loss]) -> Category:
    """One category from those of one name; the first one's words stay."""
    head = kinds[0][1]
    points = head.points
    if any(c.points != points for _, c in kinds):
        has = {p for _, c in kinds for p in c.points}
        points = tuple(n for n in target.names if n in has)
    same = points == head.points
    rest = dict(head.rest) if same else {k: v for k, v in head.rest.items() if k != "skeleton"}
    keys = list(head.keys) or [k for _, c in kinds for k in c.keys]
    for source, c in kinds:
        beaten = [k for k, v in c.rest.items() if rest.get(k, v if k != "skeleton" or same else None) != v]
        losses += [Loss(source, "category key", k, 1, f"of {name}") for k in beaten]
        rest |= {k: v for k, v in c.rest.items() if k not in rest and k not in beaten}
        losses += (
            [Loss(source, "category key", "keypoints", 1, f"spellings of {name}")]
            if (c.points, c.spellings) != (points, head.spellings) and c.spellings != c.points
            else []
        )
    sigmas = {c.sigmas for _, c in kinds if c.points}
    kept = head.sigmas if same and len(sigmas) == 1 else None
    losses += [Loss(source, "sigma", name, len(c.sigmas)) for source, c in kinds if c.sigmas is not None and kept is None]
    keys = list(dict.fromkeys([*keys, *(k for k in rest), *(["keypoints", "skeleton"] if points and keys and not same else [])])) if keys else []
    return replace(head, name=name, points=points, spellings=head.spellings if same else points, sigmas=kept, keys=tuple(keys), rest=rest)


def _moved(found: Mapping[str, Sequence[tuple[str, Category]]], ids: Sequence[int | str]) -> list[Loss]:
    """Names and numbers that are others now."""
    return [
        Loss(source, "category", f"{c.name} ({c.id})", 1, f"now {name} ({i})" if (c.name != name) else f"now {i}")
        for (name, kinds), i in zip(found.items(), ids, strict=True)
        for source, c in kinds
        if (c.name, c.id) != (name, i)
    ]


def _alike(found: Mapping[str, Sequence[tuple[str, Category]]]) -> list[Loss]:
    """Two names that a person would read as one."""
    by_plain: dict[str, list[str]] = {}
    for name in found:
        by_plain.setdefault(plain_name(name).replace("_", ""), []).append(name)
    return [
        Loss(found[other][0][0], "alike", other, 1, f"{names[0]!r} stands beside it: categories={{{other!r}: {names[0]!r}}} makes them one")
        for names in by_plain.values()
        for other in names[1:]
    ]
