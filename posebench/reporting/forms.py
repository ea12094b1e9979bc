"""Forms: the report as a file, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from posedata.errors import FormatError, brief, did_you_mean
from posedata.files import write_bytes

from .contents import Contents
from .markdown import markdown
from .page import page, printed
from .printing import print_page
from .values import as_json

__all__ = ["FORMS", "require_form", "write_report"]

FORMS: Mapping[str, Callable[[Contents, Path], Path]] = {
    ".html": lambda c, path: write_bytes(path, page(c).encode("utf-8", "replace")),
    ".pdf": lambda c, path: print_page(printed(c), path),
    ".md": lambda c, path: write_bytes(path, markdown(c).encode("utf-8", "replace")),
    ".json": lambda c, path: write_bytes(path, as_json(c).encode("utf-8", "replace")),
}


def write_report(c: Contents, path: str | Path) -> Path:
    """Write the report in the form that the name asks for."""
    return FORMS[require_form(path)](c, Path(path))


def require_form(path: str | Path) -> str:
    """The ending of a name, where we can write it."""
    suffix = Path(path).suffix.lower()
    suffix = ".html" if suffix == ".htm" else suffix
    if suffix not in FORMS:
        raise FormatError(brief(str(path), 200), f"no report ends in {suffix!r}", did_you_mean(suffix, FORMS))
    return suffix
