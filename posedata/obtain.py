"""posedata download: fetch what can be fetched, unpack it where load_dataset looks, and say what a person must do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalog import Entry, Source, entry, find, source_text
from .download import extract, fetch
from .download.remote import Remote
from .errors import CatalogError, did_you_mean
from .files import cache_folder

__all__ = ["Obtained", "obtain"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


@dataclass(frozen=True)
class Obtained:
    """What a download did, and what is left to do by hand."""

    root: Path
    fetched: tuple[str, ...]
    by_hand: tuple[str, ...]
    present: tuple[str, ...]
    """Splits that load_dataset finds now."""


def obtain(name: str, config: str | None = None, root: str | Path | None = None, only: Sequence[str] = (), quiet: bool = False) -> Obtained:
    """Fetch and unpack a dataset below `root` (else $POSEDATA_ROOT, else the cache); `only` names some of its files."""
    known = entry(name)
    chosen = config or next(iter(known.splits))
    if chosen not in known.splits:
        raise CatalogError(name, f"no configuration {chosen!r}", did_you_mean(chosen, known.splits))
    base = Path(root or os.environ.get("POSEDATA_ROOT") or cache_folder() / "datasets")
    sources = _chosen(name, known, chosen, only)
    fetched = [_get(source, source.remote, base, quiet) for source in sources if source.remote is not None]
    by_hand = tuple(source_text(s) for s in sources if s.remote is None)
    present = tuple(s for s in known.splits[chosen] if find(name, known, chosen, s, base) is not None)
    return Obtained(base, tuple(fetched), by_hand, present)


def _chosen(name: str, known: Entry, config: str, only: Sequence[str]) -> list[Source]:
    needed = [s for s in known.sources if not s.configs or config in s.configs]
    for what in only:
        if what not in {s.what for s in needed}:
            raise CatalogError(f"{name}/{config}", f"no file {what!r}", did_you_mean(what, [s.what for s in needed]))
    return [s for s in needed if not only or s.what in only]


def _get(source: Source, remote: Remote, base: Path, quiet: bool) -> str:
    """Fetch one source and put it in its place; what is in place already stays."""
    file = fetch(remote, base / "downloads", quiet=quiet)
    target = base / source.into
    if file.name.endswith(_ARCHIVES):
        unpacked = extract(file, file.with_name(f".{file.name}.unpacked"), quiet=quiet)
        move_into(unpacked, target)
        shutil.rmtree(unpacked, ignore_errors=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        if not (target / file.name).exists():
            os.link(file, target / file.name) if hasattr(os, "link") else shutil.copy(file, target / file.name)
    return source.what


def move_into(unpacked: Path, target: Path) -> None:
    """Everything below one folder into another; folders are joined, a file that is there already stays if it is alike."""
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(unpacked.iterdir()):
        place = target / item.name
        if not place.exists():
            os.rename(item, place)
        elif item.is_dir() and place.is_dir():
            move_into(item, place)
        elif item.is_dir() or place.is_dir() or item.stat().st_size != place.stat().st_size:
            raise CatalogError(str(place), "is there already, and is another file", "move it away and download again")
