"""Printing: the report on four sheets of A4, by a Chromium that is at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from posedata.errors import PoseError, brief
from posedata.files import write_bytes
from posedata.pages import Html, document, tag

from .looks import SHEETS, style

__all__ = ["ABSENT", "BROWSERS", "browser", "print_page", "sheets"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
ABSENT = ("no Chromium on PATH prints it", "install chromium (or name one in $CHROMIUM), or write .html and print that")
_SECONDS = 120


def browser() -> str | None:
    """A Chromium: $CHROMIUM, else on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def sheets(title: str, pages: Sequence[Html]) -> str:
    """A page whose parts are sheets; a small script shrinks each until it fits."""
    return document(title, tag("main", *(tag("div", tag("div", page, class_="inside"), class_="sheet") for page in pages)), style(), SHEETS)


def print_page(html: str, path: str | Path) -> Path:
    """The page as a PDF, the same bytes for the same page and browser."""
    found = browser()
    if found is None:
        raise PoseError(str(path), *ABSENT)
    with tempfile.TemporaryDirectory(prefix="posebench.") as folder:
        page, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, "utf-8")
        _run(found, page, made, str(path))
        return write_bytes(path, _undated(made.read_bytes()))


def _run(found: str, page: Path, made: Path, where: str) -> None:
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # which Chromium refuses to root
    quiet = [
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={page.parent / 'profile'}",
    ]
    asked = [found, *quiet, *root, "--no-pdf-header-footer", f"--print-to-pdf={made}", page.as_uri()]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PoseError(where, f"{found} cannot print ({brief(str(e), 80)})", "write .html and print that") from None
    if not made.is_file():
        last = (done.stderr.strip() or "it wrote nothing").split("\n")[-1]
        raise PoseError(where, f"{found} cannot print ({brief(last, 80)})", "write .html and print that")


def _undated(pdf: bytes) -> bytes:
    """Dates as zeros of the same length: offsets in the file still hold."""
    return re.sub(rb"\(D:\d{14}", b"(D:20000101000000", pdf)
