"""Suspicions: what makes a number deserve a second look, each one function with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__ = ["suspicions"]


def suspicions(ev: Evaluation) -> Iterator[str]:
    """A sentence for each suspicion that holds."""
    yield from ()
