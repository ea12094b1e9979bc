"""Entries of the catalogue: what is known of each dataset, ours and those of other distributions."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .dataset import PoseDataset
from .download.remote import Remote
from .errors import CatalogError, PoseError, brief, did_you_mean

__all__ = ["Entry", "Found", "KnownFault", "Part", "Source", "called", "entry", "list_datasets"]

ENTRY_POINTS = "posedata.datasets"
"""Group under which another distribution names a module with an ENTRY."""


@dataclass(frozen=True)
class Source:
    """One thing to get: fetched by us, or by a person who reads `how`."""

    what: str
    size: str = ""
    """As a person says it: "3.4 GB"."""
    remote: Remote | None = None
    page: str = ""
    how: str = ""
    """What a person does where we cannot: which form, which folder of a drive, what goes where."""
    into: str = "."
    """Folder, below the root, that an archive is unpacked into, or a single file put."""
    configs: tuple[str, ...] = ()
    """Configurations that need it; empty for all."""


@dataclass(frozen=True)
class Part:
    """Where the files of one split lie, below the dataset's folder: candidates in the order they are tried."""

    files: tuple[tuple[str, ...], ...]
    """For each file needed, the names it has in the wild."""
    images: tuple[str, ...] = ()
    extra: tuple[tuple[str, ...], ...] = ()
    """The same for files that are used where they are there."""


@dataclass(frozen=True)
class Found:
    """The files of one split, found."""

    config: str
    split: str
    files: tuple[Path, ...]
    images: Path | None
    fixes: bool = True
    extra: tuple[Path | None, ...] = ()


@dataclass(frozen=True)
class KnownFault:
    """Something wrong or odd in the published files, and what is done about it."""

    name: str
    text: str
    fix: Callable[[PoseDataset], tuple[PoseDataset, int]] | None = None
    """Repairs it where it is there, and counts."""
    how: str = ""
    """What is done about it, where that is not `fix`: "fixed" by the reader unless fixes=False, or "read" for what it means; else nothing is."""

    @property
    def done(self) -> str:
        """In words."""
        return {"fixed": "fixed unless fixes=False", "read": "read as it should be"}.get("fixed" if self.fix else self.how, "left as it is")


Reader = Callable[..., PoseDataset]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of one dataset."""

    title: str
    schema: str
    protocol: str
    splits: Mapping[str, Mapping[str, Part]]
    """config -> split -> where its files are; the first config is the default."""
    read: Reader
    """(Found, **options) -> PoseDataset"""
    folders: tuple[str, ...] = ()
    """Names its folder has in the wild."""
    sources: tuple[Source, ...] = ()
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`config/split` -> published (images, instances)."""
    licence: str = "unknown"
    citation: str = ""
    homepage: str = ""
    sigmas: str = ""
    faults: tuple[KnownFault, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """Splits that people ask for and that are not there: what to do instead."""


def list_datasets() -> list[str]:
    """The names load_dataset knows, ours and those other distributions bring."""
    return sorted({*_own(), *(point.name for point in _foreign())})


@cache
def _own() -> tuple[str, ...]:
    from . import datasets

    return tuple(m.name for m in pkgutil.iter_modules(datasets.__path__) if not m.name.startswith("_"))


def called(name: str) -> dict[str, str]:
    """What load_dataset was asked for, from the name it gave the dataset; nothing for a dataset of no catalogue.

    >>> called("synthetic/person val[:10%]")
    {'dataset': 'synthetic', 'config': 'person', 'split': 'val[:10%]'}
    """
    path, _, split = name.partition(" ")
    dataset, _, config = path.partition("/")
    return {k: v for k, v in (("dataset", dataset), ("config", config), ("split", split)) if v} if split and dataset in list_datasets() else {}


def entry(name: str) -> Entry:
    """What is known of a dataset."""
    if not isinstance(name, str):
        raise CatalogError("load_dataset", f"the name {brief(repr(name))}", f"known: {', '.join(list_datasets())}")
    return _entry(name)


@cache
def _entry(name: str) -> Entry:
    if name in _own():
        return _entry_of(importlib.import_module(f"{__package__}.datasets.{name}"), name)
    point = next((p for p in _foreign() if p.name == name), None)
    if point is None:
        raise CatalogError(
            brief(name), "no such dataset", f"{did_you_mean(str(name), list_datasets())}; a file of your own: load_dataset('coco_json', path=...)"
        )
    try:
        return _entry_of(point.load(), name)
    except PoseError:
        raise
    except Exception as e:  # whatever another distribution does while it is imported
        raise CatalogError(name, f"{point.value} cannot be imported ({brief(str(e), 80)})", "mend or remove the distribution that brings it") from None


def _entry_of(module: Any, name: str) -> Entry:
    found = getattr(module, "ENTRY", module)
    if not isinstance(found, Entry):
        raise CatalogError(name, "its module has no ENTRY", "an entry point names a module with ENTRY = Entry(...)")
    return found


def _foreign() -> tuple[metadata.EntryPoint, ...]:
    return tuple(metadata.entry_points(group=ENTRY_POINTS))
