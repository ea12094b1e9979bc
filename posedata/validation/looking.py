"""Looking at the pictures: each decoded once, by processes of our own, which a broken picture may take down without taking us.

python -m posedata.validation.looking < PATHS     one JSON path a line in, one JSON list a line out
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..images import image_path, look_at
from ..progress import bar
from ..tables import Images

__all__ = ["Looks", "look_at_all"]

FINE, ABSENT, UNREADABLE, UNPLACED = range(4)
_FEW = 24
"""So few pictures are looked at before another process has started."""


@dataclass(frozen=True)
class Looks:
    """What the pictures of I images say of themselves."""

    state: NDArray[np.int64]
    """(I,) FINE, ABSENT, UNREADABLE; UNPLACED where nobody said where it lies."""
    size: NDArray[np.int64]
    """(I, 2) width and height of the picture; 0 where it is not fine."""
    orientation: NDArray[np.int64]
    """(I,) EXIF's; 1 where none."""
    words: NDArray[np.object_]
    """(I,) why it is not fine."""


def look_at_all(images: Images, workers: int | None = None, quiet: bool = False) -> Looks:
    """Every picture decoded, by as many processes as there are cores."""
    paths = [_path(images, row) for row in range(len(images))]
    chosen = min(workers or os.cpu_count() or 1, 16, -(-len(paths) // _FEW))
    with bar("looking at pictures", len(paths), quiet) as advance:
        seen = _alone(paths, advance) if chosen <= 1 else _together(paths, chosen, advance)
    state, width, height, orientation, words = zip(*seen, strict=True) if seen else ((),) * 5
    return Looks(
        np.array(state, np.int64), np.array([width, height], np.int64).T.reshape(-1, 2), np.array(orientation, np.int64), np.array([*words, None], object)[:-1]
    )


def _path(images: Images, row: int) -> str:
    try:
        return str(image_path(images, row))
    except FormatError:
        return ""


def look(path: str) -> list[Any]:
    """[state, width, height, orientation, words] of one picture."""
    if not path:
        return [UNPLACED, 0, 0, 1, "nobody said where it lies"]
    try:
        return [FINE, *look_at(path), ""]
    except FormatError as e:
        words = e.seen.split(" '")[0]  # the path is said already
        return [UNREADABLE if Path(path).exists() else ABSENT, 0, 0, 1, words + ")" * (words.count("(") - words.count(")"))]


def _alone(paths: Sequence[str], advance: Callable[[int], None]) -> list[list[Any]]:
    seen = []
    for path in paths:
        seen.append(look(path))
        advance(1)
    return seen


def _together(paths: Sequence[str], workers: int, advance: Callable[[int], None]) -> list[list[Any]]:
    """Every n-th picture by the n-th process; a process that dies is followed by one that goes on behind the picture it died of."""
    with ThreadPoolExecutor(workers) as threads:
        parts = list(threads.map(lambda w: _watched(paths[w::workers], advance), range(workers)))
    seen: list[list[Any]] = [[]] * len(paths)
    for w, part in enumerate(parts):
        seen[w::workers] = part
    return seen


def _watched(paths: Sequence[str], advance: Callable[[int], None]) -> list[list[Any]]:
    seen: list[list[Any]] = []
    while len(seen) < len(paths):
        for line in _lines(paths[len(seen) :]):
            seen.append(json.loads(line))
            advance(1)
        if len(seen) < len(paths):
            seen.append([UNREADABLE, 0, 0, 1, "its decoder crashed"])
            advance(1)
    return seen


def _lines(paths: Sequence[str]) -> Any:
    """What one process answers, line by line."""
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(json.dumps(p) + "\n" for p in paths).encode())
        asked.seek(0)
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with subprocess.Popen([sys.executable, "-m", __name__], stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True) as process:
            yield from process.stdout or ()


if __name__ == "__main__":
    for asked in sys.stdin:
        print(json.dumps(look(json.loads(asked))), flush=True)
