"""Unpacking: a folder whole or not at all, and nothing outside it.

Links are refused, also those that stay inside: no data set here needs them, and a link is how later members leave.
Modes and owners in the archive are ignored; what is unpacked gets the user's own.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import FormatError, PoseError, brief
from ..progress import bar
from .archives import Archive, Member, opened_archive
from .disk import RESERVE, locked, made, need_space, room, write_all
from .remote import CHUNK

__all__ = ["extract"]

BROKEN = (
    OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip
"""What the standard library says of an archive that is damaged or beyond it."""
DISTRUST = "do not trust this archive; if you know it, unpack it by hand"


def extract(archive: str | Path, folder: str | Path, *, quiet: bool = False) -> Path:
    """The folder with everything in a zip or tar; one that holds something already is taken as unpacked before."""
    archive, folder = Path(archive), Path(folder).absolute()
    if not filled(folder):
        made(folder.parent)
        with locked(folder.with_name(f".{folder.name}.lock"), quiet):
            if not filled(folder):
                unpack(archive, folder, quiet)
    return folder


def filled(folder: Path) -> bool:
    """Whether a folder is there with something in it."""
    if folder.exists() and not folder.is_dir():
        raise PoseError(str(folder), "a file, where a folder is to be", "move it away or choose another folder")
    return folder.is_dir() and any(folder.iterdir())


def unpack(archive: Path, folder: Path, quiet: bool) -> None:
    """Fill a neighbour, then give it the folder's name."""
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
    try:
        with writing(temporary):
            temporary.mkdir()
        fill(temporary, archive, quiet)
        with writing(folder):
            if folder.is_dir():
                folder.rmdir()  # an empty one; only POSIX renames onto it
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fill(root: Path, archive: Path, quiet: bool) -> None:
    """All members into an empty folder; whatever is wrong with the archive is one line."""
    try:
        with opened_archive(archive) as contents, bar(f"unpacking {archive.name}", contents.packed, quiet) as tick:
            for member in fitting(contents, root, archive):
                place(member, root, archive)
                tick(member.packed)
    except PoseError:
        raise
    except FileNotFoundError:
        raise FormatError(str(archive), "no such file", "check the path") from None
    except BROKEN as e:
        why = brief(str(e) or "it ends too early", 100).lower()
        raise FormatError(str(archive), f"cannot be unpacked ({why})", "it is damaged: fetch it anew") from None


def fitting(contents: Archive, root: Path, archive: Path) -> Iterator[Member]:
    """The members, as long as what they declare fits the disk as it was at the beginning."""
    if contents.size is not None:
        need_space(root, contents.size, str(archive))
    most, declared = room(root), 0
    for member in contents.members:
        declared += member.size
        if declared > most:
            seen = f"holds {declared:,} bytes or more, but {most + RESERVE:,} are free in {root.parent} and {RESERVE:,} are spared"
            raise PoseError(str(archive), seen, "make room there or choose another folder")
        yield member


def place(member: Member, root: Path, archive: Path) -> None:
    """One member under the root."""
    path = root.joinpath(*inside(member.name, archive))
    if member.kind == "encrypted file":
        raise FormatError(str(archive), f"{member.name!r} is encrypted", "unpack it by hand, with its password")
    if member.kind not in ("file", "folder"):
        raise FormatError(str(archive), f"{member.name!r} is a {member.kind}, not a plain file", DISTRUST)
    with writing(path, f"{archive} member {member.name!r}"):
        (path if member.kind == "folder" else path.parent).mkdir(parents=True, exist_ok=True)
    if member.kind == "file":
        copy(member, path, archive)


def inside(name: str, archive: Path) -> list[str]:
    """The parts of a member's name when it stays in its folder, on every system; a backslash divides as a slash does."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts or "\0" in name:
        raise FormatError(str(archive), f"member {brief(name, 100)!r} leaves its folder", DISTRUST)
    return list(windows.parts)


def copy(member: Member, path: Path, archive: Path) -> None:
    """The bytes of one member: as many as declared, and never one more."""
    left = member.size
    where = f"{archive} member {member.name!r}"
    with writing(path, where):
        file = path.open("xb", buffering=0)  # nothing is left to fail when it is closed
    with file, member.read() as data:
        while left >= 0 and (chunk := data.read(min(CHUNK, left + 1))):
            left -= len(chunk)
            if left >= 0:
                with writing(path, where):
                    write_all(file, chunk)
    if left:
        raise FormatError(where, f"is {'longer' if left < 0 else 'shorter'} than the {member.size:,} bytes declared", "it is damaged: fetch it anew")


@contextmanager
def writing(path: Path, where: str = "") -> Iterator[None]:
    """What the disk refuses, in one line; a name that is taken came twice."""
    try:
        yield
    except FileExistsError:
        raise FormatError(where or str(path), "there twice, or in the place of another", DISTRUST) from None
    except OSError as e:
        raise PoseError(where or str(path), f"cannot be written ({(e.strerror or str(e)).lower()})", "make room there or choose another folder") from None
