"""posedata download: fetch what can be fetched, unpack it where load_dataset looks, and say what a person must do."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalog import Entry, Source, entry, find, source_text
from .download import extract, fetch
from .download.disk import locked
from .download.remote import Remote
from .errors import CatalogError, FormatError, PoseError, brief, did_you_mean
from .files import cache_folder, write_bytes

__all__ = ["Obtained", "obtain"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True)
class Obtained:
    """What a download did, and what is left to do by hand."""

    root: Path
    fetched: tuple[str, ...]
    failed: tuple[str, ...]
    """What could not be had, and why; the rest was fetched all the same."""
    by_hand: tuple[str, ...]
    present: tuple[str, ...]
    """Splits that load_dataset finds now."""


def obtain(name: str, config: str | None = None, root: str | Path | None = None, only: Sequence[str] = (), quiet: bool = False) -> Obtained:
    """Fetch and unpack a dataset below `root` (else $POSEDATA_ROOT, else the cache); `only` names some of its files."""
    known = entry(name)
    chosen = config or next(iter(known.splits))
    if chosen not in known.splits:
        raise CatalogError(name, f"no configuration {brief(chosen)!r}", did_you_mean(chosen, known.splits))
    base = Path(root or os.environ.get("POSEDATA_ROOT") or cache_folder() / "datasets").expanduser()
    fetched, failed, sources = [], [], _chosen(name, known, chosen, only)
    for source in sources:
        if source.remote is None:
            continue
        try:
            fetched.append(_get(source, source.remote, known, base, quiet))
        except PoseError as e:
            failed.append(f"{e}" + (f" ({source.how})" if source.how else ""))
    by_hand = tuple(source_text(s) for s in sources if s.remote is None)
    present = tuple(s for s in known.splits[chosen] if base.is_dir() and find(name, known, chosen, s, base) is not None)
    return Obtained(base, tuple(fetched), tuple(failed), by_hand, present)


def _chosen(name: str, known: Entry, config: str, only: Sequence[str]) -> list[Source]:
    needed = [s for s in known.sources if not s.configs or config in s.configs]
    for what in only:
        if what not in {s.what for s in needed}:
            raise CatalogError(f"{name}/{config}", f"no file {brief(what)!r}", did_you_mean(what, [s.what for s in needed]))
    return [s for s in needed if not only or s.what in only]


def _get(source: Source, remote: Remote, known: Entry, base: Path, quiet: bool) -> str:
    """Fetch one source and put it in its place; what was put there before stays. One process at a time."""
    file = base / "downloads" / remote.name
    done = file.with_name(f".{file.name}.done")
    if done.exists():
        return f"{source.what} (before; delete {done} to do it again)"
    fetch(remote, file.parent, quiet=quiet)
    with locked(file.with_name(f".{file.name}.unpacking.lock"), quiet):
        if not done.exists():
            _place(source, file, known, base, quiet)
            write_bytes(done, b"")
    return source.what


def _place(source: Source, file: Path, known: Entry, base: Path, quiet: bool) -> None:
    target = base / source.into
    if not file.name.lower().endswith(_ARCHIVES):
        target.mkdir(parents=True, exist_ok=True)
        place = target / file.name
        if os.path.lexists(place):
            _require_same(file, place)
        else:
            shutil.copy(file, place)
        return
    unpacked = file.with_name(f".{file.name}.unpacked")
    try:
        extract(file, unpacked, quiet=quiet)
    except FormatError as e:
        raise FormatError(e.where, e.seen, f"delete {file}, then download again") from None
    _refuse_strangers(unpacked, source, known)
    move_into(unpacked, target)
    shutil.rmtree(unpacked, ignore_errors=True)


def _refuse_strangers(unpacked: Path, source: Source, known: Entry) -> None:
    """An archive that is unpacked beside other datasets may hold this one's folders and no others."""
    for item in _LITTER:
        shutil.rmtree(unpacked / item, ignore_errors=True)
        (unpacked / item).unlink(missing_ok=True)
    own = {Path(folder).parts[0] for folder in known.folders}
    strange = [item.name for item in sorted(unpacked.iterdir()) if item.name not in own]
    if source.into == "." and strange:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise CatalogError(source.what, f"holds {brief(strange[0])!r}, which is not of this dataset", f"look into it; its folders are {', '.join(sorted(own))}")


def move_into(unpacked: Path, target: Path) -> None:
    """Everything below one folder into another; folders are joined, a file that is there already stays if it is the same."""
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(unpacked.iterdir()):
        place = target / item.name
        if not os.path.lexists(place):
            os.rename(item, place)
        elif item.is_dir() and place.is_dir():
            move_into(item, place)
        else:
            _require_same(item, place)


def _require_same(file: Path, place: Path) -> None:
    if not (file.is_file() and place.is_file() and filecmp.cmp(file, place, shallow=False)):
        raise CatalogError(str(place), "is there already, and is another file", "move it away and download again")
