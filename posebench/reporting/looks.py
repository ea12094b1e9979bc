"""Looks: the one style and the small scripts of our pages, read from the files beside this one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHEETS", "notebook_style", "script", "style"]

_HERE = Path(__file__).parent

SHEETS = """
"use strict";
document.querySelectorAll(".sheet").forEach((sheet) => {
  const inside = sheet.firstElementChild;
  const room = 0.97 * sheet.clientHeight; // paper sets some lines otherwise
  for (let n = 0; n < 5 && inside.getBoundingClientRect().height > room; n += 1) {
    inside.style.zoom = Number(inside.style.zoom || 1) * Math.min(0.98, room / inside.getBoundingClientRect().height);
  }
});
"""
"""Shrinks what stands on a sheet until it fits: narrower text is higher, so it may take more than one step."""


def style() -> str:
    """Of a page."""
    return _read("palette.css") + _read("kinds.css") + _read("style.css")


def notebook_style() -> str:
    """Of a result in a notebook: the same kinds, the ink of whatever theme there is, and nothing outside is touched."""
    return f"{_read('palette.css').replace(':root', '.posebench')}.posebench {{ {_read('kinds.css')} {_read('notebook.css')} }}"


def script() -> str:
    return _read("script.js")


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
