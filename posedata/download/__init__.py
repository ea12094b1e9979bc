"""Files from elsewhere: fetched whole, verified while they come, and unpacked without leaving their folder."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .extract import extract
    from .fetch import fetch
    from .remote import Remote, drive, verify

__all__ = ["Remote", "drive", "extract", "fetch", "verify"]

_HOME = {"extract": "extract", "fetch": "fetch", "Remote": "remote", "drive": "remote", "verify": "remote"}
"""Doors: the catalogue names files to fetch without loading what fetches them."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'posedata.download' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
