"""Our panel among FiftyOne's plugins: copied with its version, beside whatever the user has there. A room of fiftyone."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo

from posedata.errors import FormatError
from posedata.files import write_bytes
from posedata.version import __version__

__all__ = ["install_panel"]

FOLDER, NAME = "posebench-errors", "@posebench/errors"


def install_panel() -> str:
    """Copy the panel where it is not, or is of another version; a line about it, empty when nothing was done."""
    source, target = Path(__file__).parent / "plugin", Path(fo.config.plugins_dir) / FOLDER
    files = {p.name: p.read_bytes().replace(b"VERSION", __version__.encode()) for p in sorted(source.iterdir()) if p.suffix in (".py", ".yml")}
    if all(_same(target / name, data) for name, data in files.items()):
        return ""
    if target.exists() and not _is_ours(target):
        return f"{target} is another's: the panel Pose errors is not installed"
    try:
        for name, data in files.items():
            write_bytes(target / name, data)
    except FormatError as e:
        return f"the panel Pose errors is not installed ({e.where}: {e.seen})"
    return f"the panel Pose errors {__version__} is now in {target}"


def _same(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _is_ours(target: Path) -> bool:
    try:
        return NAME in (target / "fiftyone.yml").read_text("utf-8", "replace")
    except OSError:
        return target.is_dir() and not any(target.iterdir())
