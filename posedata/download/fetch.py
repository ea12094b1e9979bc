"""Fetching: a file whole and verified under its own name, or nothing under it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import FormatError, PoseError
from ..progress import bar
from .disk import locked, made, need_space
from .part import Part
from .remote import CHUNK, Remote, verify
from .web import Broken, ask, by_hand, in_words

__all__ = ["fetch"]

WORTH = 1 << 20
"""Bytes that make an attempt worth its while: after it, all retries are left again."""


def fetch(
    remote: Remote, folder: str | Path, *, quiet: bool = False, timeout: float = 30.0, retries: int = 5, pause: Callable[[float], object] = time.sleep
) -> Path:
    """The file in its folder, verified; what lies there already is verified and used, never replaced.

    A broken download goes on where it stopped, in this process or a later one.
    """
    target = made(Path(folder)) / remote.name
    if not target.exists():
        with locked(target.with_name(f"{target.name}.lock"), quiet):
            if not target.exists():
                return download(remote, target, quiet, timeout, retries, pause)
    verify(target, remote, quiet=quiet)
    return target


def download(remote: Remote, target: Path, quiet: bool, timeout: float, retries: int, pause: Callable[[float], object]) -> Path:
    """The file, from the web; a wrong one is not kept, an unfinished one is."""
    with Part(target, remote, quiet) as part:
        try:
            insist(part, quiet, timeout, retries, pause)
            return part.finish()
        except FormatError:
            part.discard()
            raise


def insist(part: Part, quiet: bool, timeout: float, retries: int, pause: Callable[[float], object]) -> None:
    """Attempt again until the part is whole, or `retries` attempts in a row brought next to nothing."""
    failed = 0
    while not part.whole:
        before = part.at
        try:
            attempt(part, quiet, timeout)
            return
        except Broken as e:
            failed = 1 if part.at - before >= WORTH else failed + 1
            if failed > retries:
                raise given_up(part, str(e), failed) from None
            pause(e.after or min(2.0 ** (failed - 1), 30.0))


def given_up(part: Part, why: str, failed: int) -> PoseError:
    """The error of the last attempt, and what is left of it."""
    of = f" of {part.total:,}" if part.total is not None else ""
    kept = f"try again: it goes on after {part.at:,}{of} bytes" if part.at else "try again later"
    return PoseError(part.remote.name, f"not to be had in {failed} attempts, the last one: {why}", f"{kept}; or {by_hand(part.remote, part.target)}")


def attempt(part: Part, quiet: bool, timeout: float) -> None:
    """Bring what is missing; Broken when it ends early, and the part keeps what came."""
    with ask(part.remote, part.target, part.wishes(), timeout) as response:
        if part.takes(response):
            if response.status != 416:
                receive(response, part, quiet)
            return
        if not part.at:
            raise PoseError(part.remote.name, f"the server answers {response.status} to a plain question", by_hand(part.remote, part.target))
    part.clear()  # the remote file is another one by now: from its beginning, then
    attempt(part, quiet, timeout)


def receive(response: http.client.HTTPResponse, part: Part, quiet: bool) -> None:
    """All bytes of an answer into the part, when they can be right and fit."""
    name, total, size = part.remote.name, part.total, part.remote.size
    if size is not None and total != size:
        raise FormatError(name, f"the server has {total:,} bytes, expected {size:,}", "its source has changed; nothing was fetched")
    need_space(part.path.parent, max(0, (total or 0) - part.at), name)
    with bar(name, total or 0, quiet, in_bytes=True) as tick:
        tick(part.at)
        for chunk in chunks(response):
            if total is None:
                need_space(part.path.parent, len(chunk), name)
            part.write(chunk)
            tick(len(chunk))
    if total is not None and part.at < total:
        raise Broken(f"it ended after {part.at:,} of {total:,} bytes")


def chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes in; whatever breaks the connection is Broken."""
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise Broken(in_words(e)) from None
