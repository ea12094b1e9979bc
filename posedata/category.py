"""Category: a kind of object and its points. Provenance: where a dataset comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Category", "Provenance"]


@dataclass(frozen=True)
class Category:
    """A kind of object: its id and name in the source, and which points of the schema it has, in the source's order."""

    id: int | str
    name: str
    points: tuple[str, ...] = ()
    """Names of the schema, in the source's order."""
    spellings: tuple[str, ...] = ()
    """The source's own words for `points`."""
    sigmas: tuple[float, ...] | None = None
    """For `points`, where this category's differ from the schema's."""
    keys: tuple[str, ...] = ()
    """Keys of the source's record, in order."""
    rest: Mapping[str, bytes] = field(default_factory=dict)
    """JSON text of the keys not held above."""


@dataclass(frozen=True)
class Provenance:
    """Where a dataset comes from and what was done to it."""

    files: tuple[tuple[str, str], ...] = ()
    """(path, sha256) of every file read."""
    fixes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def then(self, step: str) -> Provenance:
        """The same, one step later."""
        return replace(self, steps=(*self.steps, step))
