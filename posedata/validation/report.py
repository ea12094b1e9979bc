"""Report: what all rules found, read as findings one by one, as a table, as a summary or as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .findings import SEVERITIES, Finding, Hits, Rule, made
from .subject import Subject

if TYPE_CHECKING:
    import pandas

__all__ = ["Found", "Report"]


@dataclass(frozen=True)
class Found:
    """The hits of one rule; `count` is exact where not all were kept."""

    rule: Rule
    hits: Hits
    count: int


@dataclass(frozen=True, eq=False)
class Report:
    """What was found wrong with a set. Iterate it for findings; print it for the summary."""

    name: str
    subject: Subject
    found: tuple[Found, ...]
    ran: tuple[str, ...]
    """Codes of the rules that looked."""
    skipped: tuple[str, ...] = ()
    """What could not be looked at, in words."""

    def __iter__(self) -> Iterator[Finding]:
        for f in self.found:
            yield from made(f.rule, f.hits, self.subject)

    def __len__(self) -> int:
        return sum(f.count for f in self.found)

    def __bool__(self) -> bool:
        return True

    @property
    def ok(self) -> bool:
        """No error and no warning."""
        return not self.worst("warning")

    def worst(self, least: str = "warning") -> int:
        """How many findings are at least so severe."""
        order = list(SEVERITIES)
        return sum(f.count for f in self.found if order.index(f.rule.severity) <= order.index(least))

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each rule, by code."""
        return {f.rule.code: f.count for f in self.found}

    def of(self, *codes: str) -> list[Finding]:
        """The findings of some rules, by code or name."""
        return [x for f in self.found if f.rule.code in codes or f.rule.name in codes for x in made(f.rule, f.hits, self.subject)]

    @property
    def summary(self) -> str:
        """A line for each rule that found something, worst first, with an example."""
        order = list(SEVERITIES)
        rows = sorted(self.found, key=lambda f: (order.index(f.rule.severity), f.rule.code))
        lines = [f"{self.name}: {self._tally()}; {len(self.ran)} rules looked at {len(self.subject.ds):,} instances on {len(self.subject.ds.images):,} images"]
        for f in rows:
            first = next(made(f.rule, f.hits, self.subject))
            mend = f"   [--fix {f.rule.fix}]" if f.rule.fix else ""
            lines.append(f"{f.rule.code} {f.rule.severity:<7} {f.count:>9,}  {f.rule.says}{mend}")
            lines.append(f"{'':27}e.g. {str(first).split(maxsplit=2)[2].strip()}")
        return "\n".join([*lines, *(f"not looked at: {s}" for s in self.skipped)])

    def _tally(self) -> str:
        parts = [(sum(f.count for f in self.found if f.rule.severity == s), s) for s in SEVERITIES]
        return ", ".join(f"{n:,} {s}{'s' if n != 1 else ''}" for n, s in parts if n) or "nothing found"

    def __repr__(self) -> str:
        return self.summary

    def to_dict(self, most: int | None = None) -> dict[str, Any]:
        """Plain values; `most` findings of each rule."""
        findings: list[dict[str, Any]] = []
        for f in self.found:
            findings += [x.to_dict() for x in islice(made(f.rule, f.hits, self.subject), most)]
        rules = [
            {"code": f.rule.code, "name": f.rule.name, "severity": f.rule.severity, "says": f.rule.says, "count": f.count, "fix": f.rule.fix}
            for f in self.found
        ]
        by_severity = {s: sum(f.count for f in self.found if f.rule.severity == s) for s in SEVERITIES}
        size = {"images": len(self.subject.ds.images), "instances": len(self.subject.ds)}
        return {
            "name": self.name,
            "ok": self.ok,
            **size,
            "counts": by_severity,
            "rules": rules,
            "ran": list(self.ran),
            "skipped": list(self.skipped),
            "findings": findings,
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row for each finding."""
        from ..formats.frames import frame_of

        rows: Sequence[dict[str, Any]] = [x.to_dict() for x in self]
        return frame_of({name: [r[name] for r in rows] for name in Finding.__dataclass_fields__})
