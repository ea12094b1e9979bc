"""Fingerprints of pictures, kept by file identity: a second run decodes nothing."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, PoseError
from ..files import cache_folder, write_with
from ..images import image_path
from ..progress import bar
from ..tables import Images
from .reading import RECORD, read_files

__all__ = ["Fingerprints", "fingerprints", "image_paths"]

LAYOUT_VERSION = 1
_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again within one tick of the file system's clock."""


class Fingerprints:
    """One record for each of I pictures; `unread` names rows that have none, and why."""

    def __init__(self, records: NDArray[Any], unread: dict[int, str]) -> None:
        self.records, self.unread = records, unread
        self.known = np.ones(len(records), bool)
        self.known[list(unread)] = False


def image_paths(images: Images) -> tuple[list[str], dict[int, str]]:
    """Where each picture lies; and rows that lie nowhere, with the reason."""
    paths, nowhere = [""] * len(images), {}
    for row in range(len(images)):
        try:
            paths[row] = str(image_path(images, row).absolute())
        except FormatError as e:
            nowhere[row] = e.seen
    return paths, nowhere


def fingerprints(images: Images, workers: int | None = None, quiet: bool = False) -> Fingerprints:
    """Fingerprints of all pictures of a table, from the cache where their files have not changed."""
    paths, unread = image_paths(images)
    unique = sorted({path for path in paths if path})
    found = _known(unique)
    missing = [path for path in unique if path not in found]
    started = time.time_ns()
    with bar("reading pictures", len(missing), quiet) as advance:
        answers = dict(zip(missing, read_files(missing, workers, advance), strict=True))
    fresh = {path: np.frombuffer(a, RECORD)[0] for path, a in answers.items() if isinstance(a, bytes)}
    _keep(fresh, started)
    found |= fresh
    records = np.zeros(len(images), RECORD)
    for row, path in enumerate(paths):
        if path in found:
            records[row] = found[path]
        elif path:
            unread[row] = str(answers[path])
    return Fingerprints(records, dict(sorted(unread.items())))


def _identity(path: str) -> tuple[bytes, int]:
    """Sixteen bytes that change with the file's place, size or times; and when it last changed."""
    stat = Path(path).stat()
    marks = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
    return hashlib.blake2b(repr(marks).encode() + os.fsencode(path), digest_size=16).digest(), max(stat.st_mtime_ns, stat.st_ctime_ns)


def _shelf(folder: str) -> Path:
    """One file for each folder of pictures."""
    return cache_folder() / "lookalikes" / f"v{LAYOUT_VERSION}" / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]}.npz"


def _by_folder(paths: Sequence[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(str(Path(path).parent), []).append(path)
    return folders


def _known(paths: Sequence[str]) -> dict[str, Any]:
    """Records of files that have not changed since they were read."""
    found = {}
    for folder, names in _by_folder(paths).items():
        shelf = _load(_shelf(folder))
        for path in names if shelf else ():
            try:
                record = shelf.get(_identity(path)[0])
            except (OSError, ValueError):
                continue
            if record is not None:
                found[path] = record
    return found


def _load(path: Path) -> dict[bytes, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, records = file["keys"], file["records"]
        if records.dtype != RECORD or keys.shape != (len(records), 16):
            return {}
        return dict(zip(map(bytes, keys), records, strict=True))
    except Exception:  # absent, or damaged in one of zipfile's many ways: slower this time, never wrong
        return {}


def _keep(fresh: dict[str, Any], started: int) -> None:
    for folder, names in _by_folder(list(fresh)).items():
        path = _shelf(folder)
        shelf = _load(path)
        for name in names:
            try:
                key, changed = _identity(name)
            except (OSError, ValueError):
                continue
            if changed + _RACY_NS < started:
                shelf[key] = fresh[name]
        if not shelf:
            continue
        keys = np.frombuffer(b"".join(shelf), np.uint8).reshape(-1, 16)
        records = np.array(list(shelf.values()), RECORD)
        try:
            write_with(path, lambda temporary, keys=keys, records=records: np.savez(temporary, keys=keys, records=records))  # type: ignore[misc]
        except PoseError:
            pass  # a full or read-only disk costs the next run its speed and nothing else
