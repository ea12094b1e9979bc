"""split: parts of a set that share no image and no group, by a rule that gives the same parts again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean, first_few
from .assign import RULES, Wanted, balanced, by_hash
from .manifest import Manifest, checksum, part_record, read_manifest
from .report import Balance, Report, balances
from .units import OF, Column, Labels, Units, column_of, image_keys, key_kind, labels_of, units_of

__all__ = ["Splits", "split"]

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Splits(Mapping[str, PoseDataset]):
    """The parts by name, the manifest that makes them again, and the report."""

    dataset: PoseDataset
    side: Rows
    """(I,) part of each image, by its number."""
    manifest: Manifest
    report: Report

    def __getitem__(self, part: str) -> PoseDataset:
        names = list(self.manifest.parts)
        if part not in names:
            raise KeyError(f"no part {part!r}; {did_you_mean(str(part), names)}")
        return self._part(part, self.side == names.index(part))

    def __iter__(self) -> Iterator[str]:
        return iter(self.manifest.parts)

    def __len__(self) -> int:
        return len(self.manifest.parts)

    def without(self, part: str) -> PoseDataset:
        """All but one part: what is trained on where that part is held out."""
        return self._part(f"~{part}", self.side != list(self.manifest.parts).index(part))

    def folds(self) -> Iterator[tuple[PoseDataset, PoseDataset]]:
        """(all others, the fold) for every part."""
        return ((self.without(part), self[part]) for part in self)

    def _part(self, name: str, mask: NDArray[np.bool_]) -> PoseDataset:
        chosen = self.dataset.take_images(mask)
        rule = self.manifest.rule
        step = f"split {name}: seed {rule['seed']}, {rule['rule']}, by {rule['by'] or 'nothing'}, groups {rule['group'] or 'none'}"
        return replace(chosen, name=f"{self.dataset.name} [{name}]", provenance=chosen.provenance.then(step))

    def __repr__(self) -> str:
        return repr(self.report)


def split(
    ds: PoseDataset,
    parts: Mapping[str, float | int | str] | None = None,
    *,
    folds: int | None = None,
    by: str | Sequence[str] = (),
    group: str | Sequence[str] = (),
    of: str = "images",
    seed: int = 0,
    rule: str | None = None,
    hold: Mapping[str, Any] | None = None,
    previous: Manifest | str | Path | None = None,
    key: str | None = None,
) -> Splits:
    """Parts of a set: no image is cut, nor any group (docs/splitting.md).

    `parts` are fractions, {"train": .8, "val": .2}, or counts, {"val": 500, "train": "rest"}; or give `folds`. `by` names columns the parts are
    to have alike; `group` columns whose values stay whole, several together too. `of` counts "images" or "instances". `hold` sends values of a
    group column to a part: {"test": ["cat", "dog"]}; a part that is "held" gets nothing else.

    The `rule` is "hash" where nothing is balanced: more data moves nobody; else "balanced". `previous`, a manifest, keeps every image where it
    was and places only new ones. `key` says what names an image: "id", "file", "source", "source_id".
    """
    if not isinstance(ds, PoseDataset):
        raise DataError("split", brief(repr(ds)), "give a dataset")
    columns, groups = _names(by, "by"), _names(group, "group")
    names, amounts = _asked(parts, folds)
    chosen = _check_words(of, seed, rule, bool(columns), folds, amounts)
    before = None if previous is None else read_manifest(previous)
    kind = key or (before.rule["key"] if before else key_kind(ds))
    keys = image_keys(ds, kind)
    linked = [column_of(ds, c, "group") for c in groups]
    units = units_of(ds, keys, linked, seed)
    size = np.ones(len(keys)) if of == "images" else np.bincount(ds.instances.image, minlength=len(keys)).astype(np.float64)
    held = _held(ds, units, names, amounts, linked, hold)
    pinned = _pinned(ds, units, keys, before, names, held)
    shares, counted = _shares(amounts, float(size.sum()), size, held[units.of_image] >= 0, names)
    labels = labels_of(ds, [column_of(ds, c, "by") for c in columns], of)
    free = _without_held(labels, size, held[units.of_image] >= 0, amounts)
    wanted = Wanted(shares, pinned)
    side = by_hash(units, wanted) if chosen == "hash" else balanced(units, *free, wanted, counted)
    image_side = side[units.of_image] if len(keys) else np.zeros(0, np.intp)
    asked = {
        **({"folds": folds} if folds else {"parts": dict(zip(names, amounts, strict=True))}),
        "of": of, "by": columns, "group": groups, "seed": seed, "rule": chosen, "key": kind, "hold": _plain_hold(hold), "previous": before.sha256 if before else None,
    }  # fmt: skip
    manifest = _manifest(ds, keys, names, image_side, asked)
    report = _report(ds, names, shares, image_side, held[units.of_image] >= 0, of, columns, linked, counted, amounts)
    return Splits(ds, image_side, manifest, report)


# -- what was asked ----------------------------------------------------------------------------------


def _names(columns: Any, word: str) -> list[str]:
    found = [columns] if isinstance(columns, str) else list(columns) if isinstance(columns, Sequence) else None
    if found is None or not all(isinstance(c, str) for c in found):
        raise DataError(f"split: {word}", brief(repr(columns)), "a column, or several")
    return list(dict.fromkeys(found))


_PART = re.compile(r"[^\s~+:\[\]/\\]+")


def _asked(parts: Any, folds: Any) -> tuple[list[str], list[Any]]:
    """Names of the parts, and how much of each: a fraction, a count, "rest" or "held"."""
    if (parts is None) == (folds is None):
        raise DataError("split", "parts and folds" if folds else "neither parts nor folds", "give one: {'train': .8, 'val': .2}, or folds=5")
    if folds is not None:
        if not isinstance(folds, int) or isinstance(folds, bool) or not 2 <= folds <= 1000:
            raise DataError("split: folds", brief(repr(folds)), "a whole number from 2 to 1000")
        return [f"fold{i}" for i in range(folds)], [1 / folds] * folds
    if not isinstance(parts, Mapping) or not parts:
        raise DataError("split: parts", brief(repr(parts)), "a table: {'train': .8, 'val': .2}")
    for name, amount in parts.items():
        if not isinstance(name, str) or not _PART.fullmatch(name):
            raise DataError("split: parts", f"a part named {brief(repr(name))}", "a word without blanks and without ~ + : [ ] /")
        fine = amount in ("rest", "held") if isinstance(amount, str) else isinstance(amount, int | float) and not isinstance(amount, bool) and amount >= 0
        if not fine:
            raise DataError(f"split: parts[{name!r}]", brief(repr(amount)), "a fraction, a count, 'rest' or 'held'")
    return list(parts), list(parts.values())


def _check_words(of: str, seed: Any, rule: str | None, stratified: bool, folds: int | None, amounts: Sequence[Any]) -> str:
    """The rule that is used."""
    if of not in OF:
        raise DataError("split: of", brief(repr(of)), did_you_mean(str(of), OF))
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise DataError("split: seed", brief(repr(seed)), "a whole number")
    counts = any(isinstance(a, int) and a > 0 for a in amounts)
    chosen = rule or ("balanced" if stratified or counts or folds else "hash")
    if chosen not in RULES:
        raise DataError("split: rule", brief(repr(chosen)), did_you_mean(str(chosen), RULES))
    if chosen == "hash" and (stratified or counts):
        raise DataError("split: rule", f"'hash' beside {'by' if stratified else 'counts'}", "it places each image by itself; leave one of them out")
    return chosen


def _shares(amounts: Sequence[Any], total: float, size: Floats, held: NDArray[np.bool_], names: Sequence[str]) -> tuple[Floats, bool]:
    """(S,) share of each part in what is not held out; and whether counts were asked for."""
    numbers = [a for a in amounts if not isinstance(a, str)]
    counts = any(isinstance(a, int) and a > 0 for a in numbers)  # 1 is one image, 1.0 is all
    if amounts.count("rest") > 1:
        raise DataError("split: parts", "two parts that get the rest", "one part may")
    if counts and any(isinstance(a, float) and a > 0 for a in numbers):
        raise DataError("split: parts", "counts beside fractions", "one or the other; 'rest' goes with both")
    whole = total - (float(size[held].sum()) if "held" in amounts else 0.0) if counts else 1.0
    left = whole - sum(numbers)
    if left < -1e-9 or ("rest" not in amounts and left > 1e-9):
        seen = f"{sum(numbers):g} asked for, {whole:g} there" if counts else f"fractions that sum to {sum(numbers):g}"
        raise DataError("split: parts", seen, "they make up the whole; one part may get 'rest'")
    values = np.array([0 if a == "held" else max(left, 0.0) if a == "rest" else a for a in amounts], np.float64)
    return values / (values.sum() or 1), counts


# -- who has a place already ---------------------------------------------------------------------------


def _held(ds: PoseDataset, units: Units, names: Sequence[str], amounts: Sequence[Any], groups: Sequence[Column], hold: Any) -> Rows:
    """(U,) part that holds each unit out; -1 for the others."""
    out = np.full(len(units), -1)
    if hold is None:
        if "held" in amounts:
            raise DataError("split: parts", "a part that is 'held' and nothing to hold", "hold={'test': ['cat']}")
        return out
    if not isinstance(hold, Mapping):
        raise DataError("split: hold", brief(repr(hold)), "a table: {'test': ['cat', 'dog']}")
    for part, values in hold.items():
        if part not in names:
            raise DataError("split: hold", f"no part {brief(repr(part))}", did_you_mean(str(part), names))
        for column, value in _hold_values(groups, part, values):
            if value not in column.values:
                raise DataError(f"split: hold[{part!r}]", f"no {column.name} {brief(value)!r}", did_you_mean(value, column.values))
            chosen = np.unique(units.of_image[column.image[column.code == column.values.index(value)]])
            other = chosen[(out[chosen] >= 0) & (out[chosen] != names.index(part))]
            if len(other):
                raise DataError(
                    "split: hold", f"{value!r} hangs together with what goes to {names[out[other[0]]]!r}", "an image, or another group column, links them"
                )
            out[chosen] = names.index(part)
    return out


def _hold_values(groups: Sequence[Column], part: str, values: Any) -> list[tuple[Column, str]]:
    table = values if isinstance(values, Mapping) else {groups[0].name: values} if len(groups) == 1 else None
    if table is None:
        raise DataError(f"split: hold[{part!r}]", "values without a column", "group= names one column, or write {'test': {'species': ['cat']}}")
    known = {c.name: c for c in groups}
    for name in table:
        if name not in known:
            raise DataError(f"split: hold[{part!r}]", f"{brief(str(name))!r} is no group column", "held-out values are of columns named in group=")
    return [(known[n], str(v)) for n, own in table.items() for v in ([own] if isinstance(own, str | int) else own)]


def _plain_hold(hold: Any) -> Any:
    if hold is None:
        return None
    return {
        p: {k: [str(x) for x in ([w] if isinstance(w, str | int) else w)] for k, w in v.items()}
        if isinstance(v, Mapping)
        else [str(x) for x in ([v] if isinstance(v, str | int) else v)]
        for p, v in hold.items()
    }


def _pinned(ds: PoseDataset, units: Units, keys: NDArray[Any], before: Manifest | None, names: Sequence[str], held: Rows) -> Rows:
    """(U,) part of each unit that has one: as the previous manifest says, else as held out."""
    if before is None:
        return held
    if list(before.parts) != list(names):
        raise DataError("split: previous", f"its parts are {', '.join(before.parts)}", f"the same parts are needed, not {', '.join(names)}")
    before.check(ds, keys)
    side = before.sides(keys)
    gone = sum(len(p["ids"]) for p in before.parts.values()) - int((side >= 0).sum())
    if gone:
        raise DataError(
            "split: previous", f"{gone:,} of its images are not in {ds.name}", "an earlier manifest is kept whole; is this the same set, with more data?"
        )
    out, known = held.copy(), np.flatnonzero(side >= 0)
    low, high = np.full(len(units), len(names)), np.full(len(units), -1)
    np.minimum.at(low, units.of_image[known], side[known])
    np.maximum.at(high, units.of_image[known], side[known])
    torn = np.flatnonzero((high >= 0) & (low != high))
    if len(torn):
        new = np.flatnonzero(np.isin(units.of_image, torn) & (side < 0))
        seen = f"{len(torn):,} groups stand in two parts already: new data links them ({first_few(keys[new].tolist(), 3, ', ') or 'by other group columns'})"
        raise DataError("split: previous", seen, "leave these images out, or split anew without previous")
    moved = np.flatnonzero((high >= 0) & (held >= 0) & (held != high))
    if len(moved):
        raise DataError("split: hold", f"{len(moved):,} groups that the previous manifest has elsewhere", "split anew without previous")
    out[high >= 0] = high[high >= 0]
    return out


def _without_held(labels: Labels, size: Floats, held: NDArray[np.bool_], amounts: Sequence[Any]) -> tuple[Labels, Floats]:
    """Where a part takes only what is held out, the shares of the others are of the rest."""
    if "held" not in amounts:
        return labels, size
    return replace(labels, weight=np.where(held[labels.image], 0.0, labels.weight)), np.where(held, 0.0, size)


# -- what came out -----------------------------------------------------------------------------------


def _manifest(ds: PoseDataset, keys: NDArray[Any], names: Sequence[str], side: Rows, rule: Mapping[str, Any]) -> Manifest:
    order = np.argsort(keys, kind="stable")
    data = {
        "name": ds.name, "images": len(ds.images), "instances": len(ds), "checksum": checksum(keys[order], ds.images.file[order]),
        "files": [[Path(path).name, sha] for path, sha in ds.provenance.files],
    }  # fmt: skip
    return Manifest(data, rule, {name: part_record(ds, keys, np.flatnonzero(side == i)) for i, name in enumerate(names)})


def _report(
    ds: PoseDataset,
    names: Sequence[str],
    shares: Floats,
    side: Rows,
    held: NDArray[np.bool_],
    of: str,
    by: Sequence[str],
    groups: Sequence[Column],
    counted: bool,
    amounts: Sequence[Any],
) -> Report:
    """Of the columns that were balanced; of the categories where none was."""
    parts, n = tuple(names), len(names)
    looked = list(by) or (["category"] if len(ds.categories) > 1 else [])
    labels = labels_of(ds, [column_of(ds, c, "by") for c in looked], of)
    reached = np.zeros((len(labels.names), n))
    np.add.at(reached, (labels.label, side[labels.image]), labels.weight)
    alone = held if "held" in amounts else np.zeros(len(held), bool)
    base = np.bincount(labels.label, np.where(alone[labels.image], 0.0, labels.weight), len(labels.names)).astype(np.float64)
    per_image = np.bincount(ds.instances.image, minlength=len(ds.images)).astype(np.float64)
    sizes = np.array([np.bincount(side, w, n) for w in (np.ones(len(side)), per_image)]).reshape(2, n)
    free = np.array([[float((~alone).sum())], [float(per_image[~alone].sum())]])
    balance = Balance("size", ("images", "instances"), parts, free * shares, sizes)
    return Report(of, parts, balance, balances(labels.names, parts, shares, reached, base), tuple(_notes(ds, side, groups)))


def _notes(ds: PoseDataset, side: Rows, groups: Sequence[Column]) -> list[str]:
    """What a reader should know."""
    notes = []
    for column in ("duplicate",):
        if column in ds.images.meta and column not in [g.name for g in groups]:
            copies = column_of(ds, column, "group")
            told = copies.code >= 0
            low, high = np.full(len(copies.values), len(side) + 1), np.full(len(copies.values), -1)
            np.minimum.at(low, copies.code[told], side[copies.image[told]])
            np.maximum.at(high, copies.code[told], side[copies.image[told]])
            cut = int((high > low).sum())
            notes += [f"{cut:,} groups of copies are cut: group='{column}' keeps them whole"] if cut else []
    return notes
