"""What checks say: parts with their figures, and verdicts, one line each, with the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PARTS", "Checked", "Part", "Verdict"]

PARTS = {
    "data": "labels, areas, boxes, mirror pairs and sides, by the columns of train and val",
    "batch": "the first batch as the model sees it, drawn; targets, and points that lie where their pixels do",
    "shapes": "input, maps, outputs and targets; what perfect outputs would score",
    "gradients": "one sample's loss: what reaches it, what it reaches",
    "activations": "each layer's share of values near 0, and their spread",
    "rate": "some steps at the recipe's learning rate, and at a tenth of it",
    "fit": "a few examples learned by heart; when validation turned; precision and recall on them",
    "history": "of a run: what its losses and metrics say; precision and recall on examples it learned from",
}
"""The parts, in the order they are looked at."""


@dataclass(frozen=True)
class Verdict:
    """Something that will spoil the training: where, what was seen, and the way out."""

    part: str
    seen: str
    cure: str

    def __str__(self) -> str:
        return f"{self.part}: {self.seen}; {self.cure}"


@dataclass(frozen=True)
class Part:
    """What one check looked at and found."""

    name: str
    lines: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Checked:
    """All parts of a check. Print it for people, `to_dict` for programs."""

    name: str
    parts: tuple[Part, ...]
    skipped: tuple[str, ...] = ()
    """Parts that were not looked at, and why."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(v for part in self.parts for v in part.verdicts)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.verdicts

    def __getitem__(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def __repr__(self) -> str:
        lines = []
        for part in self.parts:
            lines += [f"{part.name}", *(f"  {line}" for line in part.lines), *(f"  drawn in {path}" for path in part.pictures)]
        lines += [f"not looked at: {why}" for why in self.skipped]
        count = len(self.verdicts)
        lines += ["", f"{self.name}: " + (f"{count} verdict{'s' * (count > 1)}" if count else "nothing found"), *map(str, self.verdicts)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "ok": self.ok,
            "verdicts": [{"part": v.part, "seen": v.seen, "cure": v.cure} for v in self.verdicts],
            "parts": {part.name: dict(part.values) for part in self.parts},
            "pictures": [str(path) for part in self.parts for path in part.pictures],
            "skipped": list(self.skipped),
        }
