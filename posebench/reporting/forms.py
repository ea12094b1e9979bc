"""Forms: a report as a file, by the ending of its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, PoseError, brief, did_you_mean
from posedata.files import write_bytes

from .contents import Contents
from .markdown import markdown
from .page import page, printed
from .printing import ABSENT, browser, print_page
from .values import to_dict
from .versus import Versus
from .versus_page import versus_page, versus_printed
from .versus_text import versus_dict, versus_markdown

__all__ = ["FORMS", "require_form", "write_report"]

FORMS = {".html": "a page", ".pdf": "four sheets, by Chromium", ".md": "Markdown", ".json": "plain values"}

_ONE: Mapping[str, Callable[[Any], Any]] = {".html": page, ".pdf": printed, ".md": markdown, ".json": to_dict}
_SEVERAL: Mapping[str, Callable[[Any], Any]] = {".html": versus_page, ".pdf": versus_printed, ".md": versus_markdown, ".json": versus_dict}


def write_report(c: Contents | Versus, path: str | Path) -> Path:
    """Write a report in the form that the name asks for."""
    form = require_form(path)
    made = (_ONE if isinstance(c, Contents) else _SEVERAL)[form](c)
    if form == ".pdf":
        return print_page(made, path)
    text = json.dumps(made, ensure_ascii=False, indent=1) if form == ".json" else made
    return write_bytes(path, text.encode("utf-8", "replace"))


def require_form(path: str | Path) -> str:
    """The ending of a name, where we can write it."""
    suffix = Path(path).suffix.lower()
    suffix = ".html" if suffix == ".htm" else suffix
    if suffix not in FORMS:
        raise FormatError(brief(str(path), 200), f"no report ends in {suffix!r}", did_you_mean(suffix, FORMS))
    if suffix == ".pdf" and browser() is None:
        raise PoseError(str(path), *ABSENT)
    return suffix
