"""Files become fingerprints: digests of bytes and of pixels, a small grey picture, sharpness. A room of Pillow.

Pictures are decoded by processes of our own program, not by forks of the caller's: nothing of an unguarded script runs twice, and
a decoder that dies takes one picture with it.
"""

from __future__ import annotations

import hashlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import FormatError, brief
from ..images import decode_image
from .hashes import SIDE

__all__ = ["RECORD", "fingerprint", "read_files"]

RECORD = np.dtype(
    [
        ("bytes", "<u8", 4), ("pixels", "<u8", 2), ("width", "<i4"), ("height", "<i4"),
        ("sharpness", "<f4"), ("brightness", "<f4"), ("contrast", "<f4"), ("small", "u1", (SIDE, SIDE)),
    ]
)  # fmt: skip
"""What is kept of a picture: sha256 of the file, blake2b of size and pixels, its size, variance of the Laplacian, and a small grey copy."""
_CHUNK = 8
_FEW = 48
"""So many pictures are read sooner than a process starts."""

Answer = bytes | str
"""A record, or why there is none."""


def fingerprint(path: str) -> Answer:
    """One file's record; one line where it cannot be read."""
    try:
        data = Path(path).read_bytes()
        picture = decode_image(data, Path(path))
    except FormatError as e:
        return e.seen
    except (OSError, ValueError) as e:
        return "no such picture" if isinstance(e, FileNotFoundError) else brief(getattr(e, "strerror", None) or str(e), 80).lower()
    record = np.zeros((), RECORD)
    grey = picture.convert("L")
    record["bytes"] = np.frombuffer(hashlib.sha256(data).digest(), "<u8")
    record["pixels"] = np.frombuffer(hashlib.blake2b(picture.tobytes(), digest_size=16, key=repr(picture.size).encode()).digest(), "<u8")
    record["width"], record["height"] = picture.size
    values = np.asarray(grey)
    record["sharpness"], record["brightness"], record["contrast"] = _laplacian_variance(values), values.mean(), values.std()
    record["small"] = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    return record.tobytes()


def _laplacian_variance(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of four neighbours; 0 for pictures without an inside."""
    if min(grey.shape) < 3:
        return 0.0
    g = grey.astype(np.int16)
    return float((g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]).astype(np.float32).var())


def read_files(paths: Sequence[str], workers: int | None, advance: Callable[[int], None]) -> list[Answer]:
    """The fingerprint of every file, in order."""
    count = min(workers or _cores(), 32, -(-len(paths) // _CHUNK))
    if count <= 1 or len(paths) <= _FEW:
        answers = []
        for path in paths:
            answers.append(fingerprint(path))
            advance(1)
        return answers
    return _read_in_processes(paths, count, advance)


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_in_processes(paths: Sequence[str], count: int, advance: Callable[[int], None]) -> list[Answer]:
    work: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Answer] | BaseException] = queue.SimpleQueue()
    for start in range(0, len(paths), _CHUNK):
        work.put(list(range(start, min(start + _CHUNK, len(paths)))))
    readers = [_Reader() for _ in range(count)]
    threads = [threading.Thread(target=_serve, args=(reader, paths, work, done), daemon=True) for reader in readers]
    for thread in threads:
        work.put(None)
        thread.start()
    answers: list[Answer] = [""] * len(paths)
    try:
        for _ in paths:
            got = done.get()
            if isinstance(got, BaseException):
                raise got
            answers[got[0]] = got[1]
            advance(1)
    finally:
        for reader in readers:
            reader.stop()
    return answers


def _serve(reader: _Reader, paths: Sequence[str], work: queue.SimpleQueue[Any], done: queue.SimpleQueue[Any]) -> None:
    """Hand chunks to one process until there are no more; the queue ends with one None for each thread."""
    try:
        while (rows := work.get()) is not None:
            for row, answer in zip(rows, reader.read([paths[row] for row in rows]), strict=True):
                done.put((row, answer))
    except BaseException as e:
        done.put(e)


class _Reader:
    """One process that decodes; another takes its place when a picture kills it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def read(self, paths: Sequence[str]) -> list[Answer]:
        got = list(self._ask(paths))
        while len(got) < len(paths) and not self.stopped:  # the process died at the next one
            got += list(self._ask([paths[len(got)]])) or ["its decoder crashed"]
            got += list(self._ask(paths[len(got) :]))
        return got + [""] * (len(paths) - len(got))

    def _ask(self, paths: Sequence[str]) -> Iterator[Answer]:
        """Answers as far as the process lives."""
        if not paths or self.stopped:
            return
        process = self.process if self.process and self.process.poll() is None else self._start()
        if process.stdin is None or process.stdout is None:
            return
        try:
            process.stdin.write(b"".join(os.fsencode(path) + b"\0" for path in paths) + b"\0")
            process.stdin.flush()
        except OSError:
            return
        for _ in paths:
            size = process.stdout.read(4)
            data = process.stdout.read(abs(int.from_bytes(size, "little", signed=True))) if len(size) == 4 else b""
            if not data:
                process.wait()
                return
            yield data if int.from_bytes(size, "little", signed=True) > 0 else data.decode()

    def _start(self) -> subprocess.Popen[bytes]:
        self.stop()
        self.stopped = False
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", __name__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        return self.process

    def stop(self) -> None:
        self.stopped = True
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:
                        pass  # what was still to be sent has no reader


def _answer_forever(asked: IO[bytes], out: IO[bytes]) -> None:
    """Paths end in NUL, a request in another; each answer has its length before it, negative for words."""
    waiting = b""
    while block := asked.read1(1 << 16):  # type: ignore[attr-defined]
        waiting += block
        *paths, waiting = waiting.split(b"\0")
        for path in filter(None, paths):
            answer = fingerprint(os.fsdecode(path))
            data = answer if isinstance(answer, bytes) else (answer or "unreadable").encode()
            out.write((len(data) if isinstance(answer, bytes) else -len(data)).to_bytes(4, "little", signed=True) + data)
        out.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints does not disturb the answers
    _answer_forever(sys.stdin.buffer, answers)
