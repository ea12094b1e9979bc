"""Looks: the one style and the small scripts of our pages, read from the files beside this one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHEETS", "script", "style"]

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
    return (_HERE / "style.css").read_text("utf-8")


def script() -> str:
    return (_HERE / "script.js").read_text("utf-8")
