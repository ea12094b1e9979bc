"""NAME.part, the beginning of a file, and NAME.part.json, whose beginning it is."""

from __future__ import annotations

import http.client
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import FormatError, PoseError
from ..files import write_bytes
from .disk import write_all
from .remote import Remote, hash_file, mismatch, new_hashers

__all__ = ["Origin", "Part"]


@dataclass(frozen=True)
class Origin:
    """Which file some bytes are the beginning of, as its server told."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def validator(self) -> str:
        """What If-Range may carry: a strong ETag, else a date."""
        return self.etag if self.etag.startswith('"') else self.modified


class Part:
    """The open beginning of a file: bytes, digests and origin move together."""

    def __init__(self, target: Path, remote: Remote, quiet: bool) -> None:
        self.target, self.remote = target, remote
        self.path, self.note = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")
        self.origin = recall(self.note, remote)
        self.hashers = new_hashers(remote)
        self.at = 0
        try:
            self.file = self.path.open("a+b", buffering=0)  # a killed process loses nothing that came
        except OSError as e:
            raise unwritable(self.path, e) from None
        try:
            self.resume(quiet)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.file.close()
        if not self.at:
            self.discard()  # nothing came: nothing to keep

    def resume(self, quiet: bool) -> None:
        """Go on after the bytes that are there, when it is known whose they are."""
        size = self.path.stat().st_size
        known = self.origin is not None and (self.origin.validator or self.remote.checksums)
        if not known or (self.total is not None and size > self.total):
            self.clear()
            return
        self.file.seek(0)
        hash_file(self.file, self.hashers, f"checking {self.path.name}", size, quiet)
        self.at = size

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, from its server or from the catalogue."""
        told = self.origin.total if self.origin else None
        return self.remote.size if told is None else told

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.origin is not None and self.origin.total is not None and self.at == self.origin.total

    def clear(self) -> None:
        """Forget the bytes."""
        self.file.seek(0)
        self.file.truncate()
        self.at, self.origin, self.hashers = 0, None, new_hashers(self.remote)

    def wishes(self) -> dict[str, str]:
        """Headers that ask for what is missing."""
        if not self.at or self.origin is None:
            return {}
        since = {"If-Range": self.origin.validator} if self.origin.validator else {}
        return {"Range": f"bytes={self.at}-"} | since

    def takes(self, response: http.client.HTTPResponse) -> bool:
        """Make ready for the answer's bytes; False when they do not belong to ours."""
        told = told_by(response, self.remote)
        if response.status == 200:
            self.clear()  # first the bytes, then the note: killed between the two, nothing is taken for something else
            self.origin = told
            write_bytes(self.note, json.dumps(asdict(told)).encode())
            return True
        start = range_start(response)
        same = self.origin is not None and same_file(self.origin, told)
        return bool(self.at) and same and (start == self.at if response.status == 206 else told.total == self.at)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes in; never more than there should be."""
        if self.total is not None and self.at + len(chunk) > self.total:
            raise FormatError(self.remote.name, f"more came than the {self.total:,} bytes announced", "try again later; the source is broken")
        try:
            write_all(self.file, chunk)
        except OSError as e:
            raise unwritable(self.path, e) from None
        for hasher in self.hashers.values():
            hasher.update(chunk)
        self.at += len(chunk)

    def finish(self) -> Path:
        """The file under its own name, when it is the one meant."""
        self.file.seek(0)
        fault = mismatch(self.remote, self.file.read(512), self.at, self.hashers)
        if fault:
            cure = "nothing of it was kept; try again, and if that does not help, its source has changed"
            raise FormatError(self.remote.name, fault, cure)
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.path, self.target)
        self.note.unlink(missing_ok=True)
        return self.target

    def discard(self) -> None:
        """Leave nothing behind."""
        self.file.close()
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def recall(note: Path, remote: Remote) -> Origin | None:
    """The origin noted down; None when there is none, or it is another address."""
    with suppress(OSError, ValueError, TypeError):
        origin = Origin(**json.loads(note.read_bytes()))
        texts = all(isinstance(v, str) and v.isprintable() for v in (origin.etag, origin.modified))
        if origin.url == remote.url and texts and isinstance(origin.total, int | None):
            return origin
    return None


def told_by(response: http.client.HTTPResponse, remote: Remote) -> Origin:
    """The origin of an answer's bytes."""
    headers = response.headers
    if response.status == 200:
        length = headers.get("Content-Length", "") if not response.chunked else ""
        total = re.fullmatch(r"()(\d+)", length.strip())
    else:
        total = re.fullmatch(r"bytes\s+(\*|\d+-\d+)/(\d+)", headers.get("Content-Range", "").strip())
    return Origin(remote.url, headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip(), int(total[2]) if total else None)


def range_start(response: http.client.HTTPResponse) -> int | None:
    """Where the bytes of a 206 begin."""
    found = re.match(r"bytes\s+(\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def same_file(ours: Origin, told: Origin) -> bool:
    """Whether two answers are about one file: nothing that both of them say differs."""
    pairs = ((ours.etag, told.etag), (ours.modified, told.modified), (ours.total, told.total))
    return all(a == b for a, b in pairs if a not in ("", None) and b not in ("", None))


def unwritable(path: Path, e: OSError) -> PoseError:
    return PoseError(str(path), f"cannot be written ({(e.strerror or str(e)).lower()})", "make room there or choose another folder")
