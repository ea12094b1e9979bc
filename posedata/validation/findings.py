"""What a rule is and what it finds: columns of hits, made into findings one by one when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import one_line

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["SCOPES", "SEVERITIES", "Finding", "Hits", "Rule", "hits"]

SEVERITIES = {
    "error": "wrong: scores or training on it mean something else",
    "warning": "most likely wrong, or right in a way that surprises the tools that read it",
    "note": "worth knowing; no fault",
}
SCOPES = {
    "file": "reads the raw file",
    "rows": "reads columns, some thousand rows at a time",
    "set": "reads the columns of the whole set",
    "images": "opens the pictures; only when asked for",
}


@dataclass(frozen=True)
class Hits:
    """What one rule found: rows of its table, the keypoint where it is one, and the numbers its sentences name."""

    rows: NDArray[np.intp]
    keypoint: NDArray[np.intp] | None = None
    values: tuple[NDArray[Any], ...] = ()
    paths: tuple[str, ...] | None = None
    """JSON paths, where the rows are none of a table."""
    ids: tuple[tuple[Any, Any], ...] | None = None
    """(image id, annotation id) beside `paths`."""

    def __len__(self) -> int:
        return len(self.rows)

    def later(self, first: int) -> Hits:
        """The same, found in a block that starts at row `first`."""
        return Hits(self.rows + first, self.keypoint, self.values, self.paths, self.ids)

    def head(self, n: int) -> Hits:
        """The first n."""
        return Hits(
            self.rows[:n],
            None if self.keypoint is None else self.keypoint[:n],
            tuple(v[:n] for v in self.values),
            None if self.paths is None else self.paths[:n],
            None if self.ids is None else self.ids[:n],
        )


def hits(rows: Any, *values: Any, keypoint: Any = None) -> Hits:
    """Hits from rows (or a mask of them) and a column, or one value, for each figure."""
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
    return Hits(rows, None if keypoint is None else np.asarray(keypoint, np.intp), tuple(_column(v, len(rows)) for v in values))


def _column(value: Any, n: int) -> NDArray[Any]:
    return np.array([value] * n, object) if isinstance(value, str) or np.ndim(value) == 0 else np.asarray(value)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that may be wrong with a set, and how it is found."""

    code: str
    name: str
    topic: str
    severity: str
    scope: str
    table: str
    """annotations, images, categories, or "" for the set as a whole."""
    says: str
    """What a finding says, a few words."""
    sentence: str
    """What is wrong and what follows from it, for the docs."""
    observed: str
    """Template over the values of a hit."""
    expected: str
    find: Callable[[Any], Hits | None]
    key: str = ""
    """JSON key of the row that the path ends in."""
    trap: str = ""
    """Where this fault is known from, with its public source."""
    traps: tuple[str, ...] = ()
    """Names of known traps (`traps.py`) that it finds."""
    thresholds: tuple[str, ...] = ()
    fix: str = ""
    """Name of the fix, where there is one."""


@dataclass(frozen=True)
class Finding:
    """One fault at one place."""

    code: str
    rule: str
    severity: str
    path: str
    image: int | str | None
    annotation: int | str | None
    keypoint: str | None
    says: str
    observed: str
    expected: str
    fix: str = field(default="", compare=False)

    def __str__(self) -> str:
        what = f"{self.keypoint} {self.says}" if self.keypoint else self.says
        figures = "; ".join(filter(None, (self.observed, self.expected)))
        return one_line(f"{self.code} {self.severity:<7} {self.path} {what}" + (f": {figures}" if figures else ""))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def made(rule: Rule, found: Hits, subject: Subject) -> Iterator[Finding]:
    """The findings of one rule, written out one by one."""
    names: Sequence[str] = subject.schema_names
    columns = [v.tolist() if isinstance(v, np.ndarray) else list(v) for v in found.values]
    points = None if found.keypoint is None else found.keypoint.tolist()
    for i, row in enumerate(found.rows.tolist()):
        figures = [c[i] for c in columns]
        path = found.paths[i] if found.paths is not None else subject.path(rule.table, row, rule.key)
        image, annotation = found.ids[i] if found.ids is not None else subject.ids(rule.table, row)
        keypoint = names[points[i]] if points is not None and points[i] >= 0 else None
        observed, expected = _filled(rule.observed, figures), _filled(rule.expected, figures)
        yield Finding(rule.code, rule.name, rule.severity, path, image, annotation, keypoint, rule.says, observed, expected, rule.fix)


def _filled(template: str, figures: Sequence[Any]) -> str:
    return template.format(*figures) if "{" in template else template


def by_code(rules: Sequence[Rule]) -> Mapping[str, Rule]:
    """Rules by their code, ascending; two of one code or name are our mistake."""
    table = {rule.code: rule for rule in sorted(rules, key=lambda r: r.code)}
    if not len(table) == len(rules) == len({r.name for r in rules}):
        raise ValueError("two rules of one code or name")
    return table
