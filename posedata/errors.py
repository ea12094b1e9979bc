"""Every complaint about input: one line that says where, what was seen, and the way out.

PoseError           base of them all; a ValueError
├── SchemaError     a schema, or a mapping between two, that cannot be
├── FormatError     a file that is not what it should be
└── DataError       columns or arguments that contradict each other
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["CatalogError", "DataError", "Fault", "FormatError", "PoseError", "SchemaError", "brief", "did_you_mean", "first_few", "needs"]


class PoseError(ValueError):
    """`where: what was seen; the way out`, kept apart for `--json`."""

    def __init__(self, where: str, seen: str, cure: str = "") -> None:
        self.where, self.seen, self.cure = one_line(where), one_line(seen), one_line(cure)
        super().__init__(f"{self.where}: {self.seen}" + (f"; {self.cure}" if cure else ""))

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.where, self.seen, self.cure)  # an error crosses process pools whole


class SchemaError(PoseError):
    """A schema, or a mapping between two, that cannot be."""


class FormatError(PoseError):
    """A file that is not what it should be."""

    faults: tuple[Fault, ...] = ()
    """All that is wrong with it, where more than the text shows was gathered."""


class CatalogError(PoseError):
    """A dataset, configuration or split that is not there."""


class DataError(PoseError):
    """Columns or arguments that contradict each other."""


class Fault(NamedTuple):
    """One thing wrong at one JSON path; a file's faults are gathered, then raised together."""

    path: str
    seen: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.seen}"


def raise_faults(where: str, faults: Iterable[Fault]) -> None:
    """Raise one FormatError for all faults of a file; nothing when there are none."""
    faults = list(faults)
    if not faults:
        return
    cures = list(dict.fromkeys(f.cure for f in faults if f.cure))
    several = FormatError(where, f"{len(faults):,} faults: {first_few(faults)}", "; ".join(cures[:2]))
    error = several if len(faults) > 1 else FormatError(f"{where} {faults[0].path}", faults[0].seen, faults[0].cure)
    error.faults = tuple(faults)
    raise error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The cure for a word nobody knows: its nearest neighbour, or all that are known."""
    names = sorted(known)
    lower = {n.lower(): n for n in names}
    near = [lower[n] for n in difflib.get_close_matches(word.lower(), lower, n=1)] or [n for n in names if n and word.startswith(n)]
    return f"did you mean {near[0]!r}?" if near else f"known: {first_few(names, 40, ', ')}"


def first_few(things: Iterable[object], shown: int = 5, between: str = "; ") -> str:
    """The first things joined, the rest counted."""
    texts = [str(thing) for thing in things]
    more = len(texts) - shown
    return between.join(texts[:shown]) + (f"{between}and {more:,} more" if more > 0 else "")


def brief(value: object, width: int = 60) -> str:
    """`value` as a reader sees it, cut in the middle when it is long."""
    text = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else repr(value)
    return text if len(text) <= width else f"{text[: width // 2]}...{text[-width // 4 :]} ({len(text):,} characters)"


def needs(tool: str, extra: str) -> PoseError:
    """The error of a door whose room is not installed."""
    return PoseError(tool, "not installed", f"pip install 'posebench[{extra}]'")


def one_line(text: str) -> str:
    """Hostile names may hold line breaks, terminal codes and letters that turn the line around; an error stays one plain line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
