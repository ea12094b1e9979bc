"""A file somewhere else: where it lies, what it must be, and whether what came is it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Protocol
from urllib.parse import quote, urlsplit

from ..errors import DataError, FormatError, brief
from ..progress import bar

__all__ = ["Remote", "drive", "verify"]

DRIVE = "https://drive.usercontent.google.com/download"
CHUNK = 1 << 20
STARTS = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"{", b"[")
"""How archives and JSON begin, and no web page does."""


class Hasher(Protocol):
    """What of hashlib is used here."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True)
class Remote:
    """One file to fetch. A size or a checksum that nobody published is None or empty."""

    url: str
    name: str  # in the download folder
    size: int | None = None
    sha256: str = ""
    md5: str = ""

    def __post_init__(self) -> None:
        plain = PurePosixPath(self.name).name == PureWindowsPath(self.name).name == self.name
        if not plain or self.name in ("", ".", "..") or "\0" in self.name:
            raise DataError(f"Remote {brief(self.name)!r}", "not a plain file name", "name the file, without folders")
        if not is_web(self.url):
            raise DataError(f"Remote {self.name}", f"not a web address: {brief(self.url)}", "use http:// or https://")
        if self.size is not None and self.size < 0:
            raise DataError(f"Remote {self.name}", f"a size of {self.size:,}", "leave out what is not known")
        for kind, digits in (("sha256", 64), ("md5", 32)):
            if not re.fullmatch(rf"([0-9a-fA-F]{{{digits}}})?", getattr(self, kind)):
                raise DataError(f"Remote {self.name}", f"{kind} is {brief(getattr(self, kind))!r}", f"it has {digits} hexadecimal digits")

    @property
    def checksums(self) -> dict[str, str]:
        """The published checksums, by kind."""
        return {kind: value.lower() for kind, value in (("sha256", self.sha256), ("md5", self.md5)) if value}


def drive(id: str, name: str, size: int | None = None, sha256: str = "", md5: str = "", base: str = DRIVE) -> Remote:
    """A single file on Google Drive; `fetch` answers the question Drive asks before a large one."""
    return Remote(f"{base}?id={quote(id, safe='')}&export=download&confirm=t", name, size, sha256, md5)


def verify(path: str | Path, remote: Remote, *, quiet: bool = True) -> None:
    """Nothing when the file is the one meant; else a FormatError that names what was expected and what was found."""
    path = Path(path)
    try:
        fault = fault_of(path, remote, quiet)
    except OSError as e:
        raise FormatError(str(path), f"cannot be read ({(e.strerror or str(e)).lower()})", "check the path") from None
    if fault:
        raise FormatError(str(path), fault, f"it is left as it is: move it away to fetch {remote.name} anew, or put the right file there")


def fault_of(path: Path, remote: Remote, quiet: bool) -> str:
    """What is wrong with the file; its size first, since that costs nothing."""
    size, hashers = path.stat().st_size, new_hashers(remote)
    with path.open("rb") as file:
        head = file.read(512)
        if remote.size not in (None, size) or is_page(head, remote.name):
            return mismatch(remote, head, size, {})
        file.seek(0)
        hash_file(file, hashers, f"checking {remote.name}", size, quiet)
    return mismatch(remote, head, size, hashers)


def mismatch(remote: Remote, head: bytes, size: int, hashers: Mapping[str, Hasher]) -> str:
    """What tells a file from the one meant, in words; empty when nothing does."""
    if is_page(head, remote.name):
        return "a web page, not the file"
    if remote.size not in (None, size):
        return f"{size:,} bytes, expected {remote.size:,}"
    wrong = [f"{kind} is {h.hexdigest()}, expected {remote.checksums[kind]}" for kind, h in hashers.items() if h.hexdigest() != remote.checksums[kind]]
    return ", ".join(wrong)


def new_hashers(remote: Remote) -> dict[str, Hasher]:
    """One hasher for every published checksum."""
    kinds: dict[str, Callable[..., Hasher]] = {"sha256": hashlib.sha256, "md5": hashlib.md5}
    return {kind: kinds[kind](usedforsecurity=False) for kind in remote.checksums}


def hash_file(file: IO[bytes], hashers: Mapping[str, Hasher], title: str, size: int, quiet: bool) -> None:
    """Feed the rest of an open file to all hashers."""
    with bar(title, size if hashers else 0, quiet, in_bytes=True) as tick:
        while hashers and (chunk := file.read(CHUNK)):
            for hasher in hashers.values():
                hasher.update(chunk)
            tick(len(chunk))


def is_web(url: str) -> bool:
    """Whether an address is one of the web, and nothing else."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def is_page(head: bytes, name: str, content_type: str = "") -> bool:
    """Whether a web page came where a file was meant: by its first bytes, or by what the server calls it."""
    if name.lower().endswith((".html", ".htm")):
        return False
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    called = content_type.split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")
    return bool(re.match(rb"<(!doctype\s+html|html|head|title|body|script)\b", start, re.IGNORECASE)) or (called and not start.startswith(STARTS))
