"""The disk under a download: room for it, and one process at a time."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from io import FileIO
from pathlib import Path
from types import ModuleType
from typing import IO

from ..command import say
from ..errors import PoseError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None

__all__ = ["locked", "made", "need_space", "room", "write_all"]

RESERVE = 256 << 20
"""Bytes left free: a disk that is quite full harms everyone on it."""
BEAT, STALE, POLL = 5.0, 30.0, 0.2
"""Seconds between two signs of life of a lock without flock, until it counts as left behind, and between two looks at it."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def made(folder: Path) -> Path:
    """The folder, made when it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise PoseError(str(folder), f"cannot be made ({(e.strerror or str(e)).lower()})", "choose another place") from None
    return folder


def room(folder: Path) -> int:
    """Bytes that may be written."""
    return max(0, shutil.disk_usage(folder).free - RESERVE)


def need_space(folder: Path, size: int, where: str) -> None:
    """A PoseError with numbers when `size` bytes more do not fit."""
    if size > room(folder):
        free = shutil.disk_usage(folder).free
        seen = f"needs {size:,} bytes and {RESERVE:,} to spare, but {free:,} are free in {folder}"
        raise PoseError(where, seen, "make room there or choose another folder")


def write_all(file: FileIO, chunk: bytes) -> None:
    """Write to an unbuffered file; a disk that takes only a part is full."""
    if file.write(chunk) != len(chunk):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def locked(path: Path, quiet: bool = False) -> Iterator[None]:
    """Hold a lock file; who has to wait says so once. The lock ends with its process, however that ends."""

    @cache
    def tell() -> None:
        say(f"{path.name.removeprefix('.').removesuffix('.lock')}: another process is at it; waiting", quiet)

    try:
        file = flocked(path, tell)
        other = None if file else path.with_name(f"{path.name}ed")
        if other:
            create(other, tell)
    except OSError as e:
        raise PoseError(str(path), f"cannot be written ({(e.strerror or str(e)).lower()})", "choose another folder") from None
    try:
        with alive(other):
            yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who waits for it sees that it is gone, and makes another
        if file:
            file.close()


def flocked(path: Path, tell: Callable[[], None]) -> IO[bytes] | None:
    """The lock file, locked by the kernel; None where kernel or file system know no locks."""
    while fcntl:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("ab"))
            try:
                wait_for(file, fcntl, tell)
            except OSError as e:
                if e.errno in NO_LOCKS:
                    break
                raise
            if is_at(file, path):
                stack.pop_all()
                return file
    return None


def wait_for(file: IO[bytes], fcntl: ModuleType, tell: Callable[[], None]) -> None:
    """Wait for the kernel's lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell()
        fcntl.flock(file, fcntl.LOCK_EX)


def is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file still lies at its path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def alive(path: Path | None) -> Iterator[None]:
    """Touch a lock that is there while its file is, again and again: so a dead holder's is found out."""
    if path is None:
        yield
        return
    done = threading.Event()
    beats = threading.Thread(target=beat, args=(path, done), daemon=True)
    beats.start()
    try:
        yield
    finally:
        done.set()
        beats.join()
        path.unlink(missing_ok=True)


def create(path: Path, tell: Callable[[], None]) -> None:
    """Make the file once nobody else has it. Ages go by our own clock: a file server's may differ."""
    last, since = 0, time.monotonic()
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError:
            tell()
        touched = when(path)
        if touched != last:
            last, since = touched, time.monotonic()
        elif time.monotonic() - since > STALE:
            path.unlink(missing_ok=True)
        time.sleep(POLL)


def when(path: Path) -> int:
    """When the file was touched last; 0 when it is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def beat(path: Path, done: threading.Event) -> None:
    """Touch the file until done."""
    while not done.wait(BEAT):
        with suppress(OSError):
            os.utime(path)
