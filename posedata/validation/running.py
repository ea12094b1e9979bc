"""validate: a set or a file through all rules, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..catalog import Entry, _config, entry, find, list_datasets
from ..dataset import PoseDataset
from ..errors import DataError, brief
from ..formats.anything import read
from ..formats.tolerant import Tolerant, read_tolerant
from ..progress import bar
from ..schema import Schema
from ..schemas import NO_POINTS, load_schema
from ..tables import Images, Instances
from .findings import Hits, Rule
from .looking import look_at_all
from .report import Found, Report
from .rules import chosen_rules
from .subject import ROWS, Batch, Subject
from .thresholds import limits_from

__all__ = ["validate"]


def validate(
    source: PoseDataset | str | Path,
    *,
    rules: Iterable[str] | str | None = None,
    without: Iterable[str] | str = (),
    images: str | Path | bool | None = None,
    schema: Schema | str | Path | None = None,
    thresholds: Mapping[str, float] | str | Path | None = None,
    root: str | Path | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> Report:
    """What is wrong with a dataset, a file, or a dataset by its name, as published; nothing is changed.

    Of a file every fault is found, also those that reading stops at. `images` opens the pictures: True where they are known to
    lie, or their folder. `rules` and `without` choose by code, beginning of a code, name or topic.
    """
    chosen, limits = chosen_rules(rules, without), limits_from(thresholds)
    folder = None if isinstance(images, bool) or images is None else images
    subject, skipped = _subject(source, folder, schema, root)
    subject = replace(subject, limits=limits)
    if images is not None and images is not False and any(r.scope == "images" for r in chosen):
        subject = replace(subject, looks=look_at_all(subject.ds.images, workers, quiet))
    ran = [r for r in chosen if _can(r, subject)]
    found = _run(subject, ran, quiet)
    return Report(_name(source, subject), subject, tuple(found), tuple(r.code for r in ran), tuple(skipped))


def _name(source: PoseDataset | str | Path, subject: Subject) -> str:
    return source.name if isinstance(source, PoseDataset) else str(source)


def _can(rule: Rule, subject: Subject) -> bool:
    """File rules need a file, picture rules pictures that were opened."""
    return {"file": subject.file is not None, "images": subject.looks is not None}.get(rule.scope, True)


# -- what is looked at -------------------------------------------------------------------------------


def _subject(
    source: PoseDataset | str | Path, folder: str | Path | None, schema: Schema | str | Path | None, root: str | Path | None
) -> tuple[Subject, list[str]]:
    if isinstance(source, PoseDataset):
        return Subject(_with_folder(source, folder)), []
    if not isinstance(source, str | Path):
        raise DataError("validate", brief(repr(source)), "give a PoseDataset, a file, or the name of a dataset")
    path = Path(source)
    if path.suffix.lower() in (".json", ".csv"):
        return _of_file(path, folder, load_schema(schema) if schema is not None else None, None)
    name, *parts = str(source).split("/")
    if name in list_datasets() and not path.exists():
        return _of_name(name, parts, folder, schema, root)
    return Subject(_with_folder(read(source, folder, schema, root), folder)), []


def _with_folder(ds: PoseDataset, folder: str | Path | None) -> PoseDataset:
    return ds if folder is None else replace(ds, images=ds.images.with_trusted(folder=np.full(len(ds.images), str(folder), object)))


def _of_name(
    name: str, parts: Sequence[str], folder: str | Path | None, schema: Schema | str | Path | None, root: str | Path | None
) -> tuple[Subject, list[str]]:
    """A dataset's own file as it was published, where it is one JSON; else what its reader makes of it."""
    known = entry(name)
    config = parts[0] if parts and parts[0] in known.splits else next(iter(known.splits))
    left = [p for p in parts if p != config] or [next(iter(known.splits[config]))]
    split = left[0]
    found = find(name, known, _config(name, known, config), split, root) if split in known.splits[config] else None
    if found is None or len(found.files) != 1 or found.files[0].suffix != ".json" or len(left) > 1:
        return Subject(_with_folder(read("/".join([name, *parts]), None, schema, root), folder), counts=_published(known, config, split)), []
    own = None if config == "joined" or known.schema not in _known_schemas() else load_schema(known.schema)
    subject, skipped = _of_file(found.files[0], folder or found.images, own if schema is None else load_schema(schema), _published(known, config, split))
    return subject, skipped


def _known_schemas() -> set[str]:
    from ..schemas import SCHEMAS

    return set(SCHEMAS) - {"coco_foot23"}  # CMU's file says itself which of its points it holds


def _published(known: Entry, config: str, split: str) -> tuple[int, int] | None:
    return known.counts.get(f"{config}/{split}")


def _of_file(path: Path, folder: str | Path | None, schema: Schema | None, counts: tuple[int, int] | None) -> tuple[Subject, list[str]]:
    if not path.is_file():
        read_tolerant(path)  # says why it cannot be read
    file = read_tolerant(path, folder, schema)
    if file.dataset is None:
        empty = PoseDataset(
            name=path.stem,
            schema=NO_POINTS,
            categories=(),
            images=Images(id=np.zeros(0, np.int64), file=np.zeros(0, object)),
            instances=Instances(image=np.zeros(0, np.int64)),
        )
        return Subject(empty, file=file), ["rows, for the file could not be brought into columns"]
    return Subject(file.dataset, file=file, counts=counts), _left_out(file)


def _left_out(file: Tolerant) -> list[str]:
    gone = sum(n.kind in ("dangling",) for n in file.notes)
    return [f"{gone:,} annotations that can be placed nowhere (PD006), by other rules"] if gone else []


# -- running -----------------------------------------------------------------------------------------


def _run(subject: Subject, rules: Sequence[Rule], quiet: bool) -> list[Found]:
    """Whole-set rules once, row rules batch by batch."""
    whole = [r for r in rules if r.scope != "rows"]
    by_rows = {r.code: Gathered(r, subject.limits["findings_kept"]) for r in rules if r.scope == "rows"}
    with bar("validating", len(whole) + -(-len(subject.ds) // ROWS), quiet) as advance:
        if by_rows:
            for first, batch in subject.batches():
                for gathered in by_rows.values():
                    gathered.look(first, batch)
                advance(1)
        found = {code: g.found() for code, g in by_rows.items()}
        for rule in whole:
            hits = rule.find(subject)
            if hits is not None:
                found[rule.code] = Found(rule, hits.head(int(subject.limits["findings_kept"])), len(hits))
            advance(1)
    return [found[code] for code in sorted(found) if found[code].count]


class Gathered:
    """The hits of one rule over all batches: counted, and the first so many kept."""

    def __init__(self, rule: Rule, most: float) -> None:
        self.rule, self.most, self.count = rule, int(most), 0
        self.parts: list[Hits] = []

    def look(self, first: int, batch: Batch) -> None:
        """One batch more."""
        hits = self.rule.find(batch)
        if hits is None or not len(hits):
            return
        room = self.most - self.count
        if room > 0:
            self.parts.append(hits.head(room).later(first))
        self.count += len(hits)

    def found(self) -> Found:
        """All batches as one."""
        if not self.parts:
            return Found(self.rule, Hits(np.zeros(0, np.intp)), 0)
        points: Any = None if self.parts[0].keypoint is None else np.concatenate([p.keypoint for p in self.parts if p.keypoint is not None])
        values = tuple(np.concatenate(c) for c in zip(*(p.values for p in self.parts), strict=True))
        return Found(self.rule, Hits(np.concatenate([p.rows for p in self.parts]), points, values), self.count)
