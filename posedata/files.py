"""Files: atomic writes, and the folder where what can be made again is kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import FormatError, PoseError

__all__ = ["cache_folder", "write_bytes", "write_folder"]


def cache_folder() -> Path:
    """$POSEBENCH_CACHE, else posebench/ in the user's cache folder. All in it can be deleted at any time."""
    own = os.environ.get("POSEBENCH_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posebench"


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write the whole file or nothing: to a temporary neighbour, then renamed."""
    return write_with(path, lambda temporary: temporary.write_bytes(data))


def write_with(path: str | Path, write: Callable[[Path], object]) -> Path:
    """`write_bytes` for writers that want a path of their own."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}.", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            write(temporary)
            os.replace(temporary, path)
    except PoseError:
        raise  # what is being written has a fault of its own
    except (OSError, ValueError) as e:
        raise FormatError(str(path), f"cannot be written ({(getattr(e, 'strerror', None) or str(e)).lower()})", "choose another place") from None
    return path


def write_folder(path: Path, fill: Callable[[Path], object]) -> Path:
    """A folder that appears filled or not at all; who comes second finds the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", dir=path.parent))
    try:
        fill(temporary)
        temporary.chmod(0o755)  # mkdtemp's own mode would keep everybody else out
        try:
            os.rename(temporary, path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path
