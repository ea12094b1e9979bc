"""Zip and tar, read as one thing: a row of members."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from ..errors import FormatError
from .remote import is_page

__all__ = ["Archive", "Member", "opened_archive"]

HEADER_MOST, PADDING_MOST = 16 << 20, 16 << 20
"""Bytes of one tar header (tarfile reads it into memory), and of the zeros behind the last member."""
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    kind: str  # "file", "folder", or what it is instead
    size: int  # bytes, as declared
    packed: int  # bytes of the archive it takes
    read: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Archive:
    """An open archive; each member is to be read before the next one is asked for."""

    members: Iterator[Member]
    packed: int
    size: int | None  # declared for all members; a tar knows it only at its end


@contextmanager
def opened_archive(path: Path) -> Iterator[Archive]:
    """The archive at a path, its kind told by its first bytes."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        head = file.read(tarfile.BLOCKSIZE)
        file.seek(0)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            infos = stack.enter_context(zipfile.ZipFile(file))
            yield zip_archive(infos)
        elif head.startswith((GZIP, BZIP2, XZ)) or is_tar(head):
            tape = Tape(stack.enter_context(unpacked(file, head)))
            yield Archive(tar_members(tape, file), path.stat().st_size, None)
        else:
            seen = "empty" if not head else "a web page, not an archive" if is_page(head, "") else f"neither zip nor tar; it begins with {head[:8]!r}"
            raise FormatError(str(path), seen, "fetch it anew, or unpack it by hand")


def readable(raw: bytes) -> str:
    """A stored name as text: UTF-8, else the letters zip was born with, which give every byte one."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


# zip


def zip_archive(file: zipfile.ZipFile) -> Archive:
    """A zip: all is declared at its end."""
    infos = file.infolist()
    rows = (Member(zip_name(i), zip_kind(i), i.file_size, i.compress_size, partial(file.open, i)) for i in infos)
    return Archive(rows, sum(i.compress_size for i in infos), sum(i.file_size for i in infos))


def zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was stored: many zips hold UTF-8 and do not say so."""
    named = info.orig_filename
    return named if info.flag_bits & 0x800 else readable(named.encode("cp437"))


def zip_kind(info: zipfile.ZipInfo) -> str:
    """What a member of a zip is; its mode is Unix's, or zero."""
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return "symbolic link"
    if info.orig_filename.endswith(("/", "\\")) or mode == stat.S_IFDIR:
        return "folder"
    if mode not in (0, stat.S_IFREG):
        return "special file"
    return "encrypted file" if info.flag_bits & 1 else "file"


# tar


class Tape:
    """A tar's bytes, forward only, so that no header fills the memory, turns back, or asks for ever behind the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.last, self.ends = file, b"", 0

    def read(self, size: int, /) -> bytes:
        if not 0 <= size <= HEADER_MOST:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last = self.file.read(size)
        self.ends = 0 if self.last else self.ends + 1
        if self.ends > 8:
            raise tarfile.ReadError("unexpected end of data")
        return self.last

    def seek(self, position: int, /) -> int:
        if position < self.tell():
            raise tarfile.ReadError("it turns back")
        return self.file.seek(position)

    def tell(self) -> int:
        return self.file.tell()

    def write(self, data: bytes, /) -> int:
        raise OSError("a tape to read")

    def close(self) -> None:
        self.file.close()


def is_tar(head: bytes) -> bool:
    """Whether a block is a tar's first header."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def unpacked(file: IO[bytes], head: bytes) -> IO[bytes]:
    """The bytes under a compression."""
    if head.startswith(GZIP):
        return cast(IO[bytes], gzip.open(file))
    if head.startswith(BZIP2):
        return cast(IO[bytes], bz2.open(file))
    return cast(IO[bytes], lzma.open(file)) if head.startswith(XZ) else file


def tar_members(tape: Tape, packed: IO[bytes]) -> Iterator[Member]:
    """The members of a tar as they stream by; at its end the marker that tells a whole one from a cut one."""
    tar = tarfile.open(fileobj=tape, mode="r:", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115  the tape is closed by who opened it
    before = 0
    while (info := tar.next()) is not None:
        if info.size < 0:  # or tarfile would turn in a circle
            raise tarfile.ReadError("a negative size")
        at = packed.tell()
        yield Member(readable(info.name.encode("utf-8", "surrogateescape")), tar_kind(info), info.size, at - before, partial(data_of, tar, info))
        before = at
    check_end(tape)


def data_of(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    """The bytes of a regular member."""
    return cast(IO[bytes], tar.extractfile(info))


def tar_kind(info: tarfile.TarInfo) -> str:
    """What a member of a tar is."""
    if info.issparse():
        return "sparse file"
    if info.isreg():
        return "file"
    kinds = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link"}
    return kinds.get(info.type, "special file")


def check_end(tape: Tape) -> None:
    """Zeros to the very end, which makes a compression check its own sum; tarfile takes every oddity for the end."""
    if len(tape.last) < tarfile.BLOCKSIZE or any(tape.last):
        raise tarfile.ReadError("cut off, or a damaged header")
    left = PADDING_MOST
    while chunk := tape.read(tarfile.BLOCKSIZE * 128):
        left -= len(chunk)
        if any(chunk) or left < 0:
            raise tarfile.ReadError("more data behind its end")
