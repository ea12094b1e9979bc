"""Why one model has more AP than another: what each kind of error costs the one and the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["FEWER", "Reason", "reason"]

FEWER = {
    "miss": "fewer misses",
    "absent": "fewer absent points",
    "swap": "fewer swaps",
    "inversion": "fewer inversions",
    "confusion": "fewer look-alikes taken for each other",
    "jitter": "less jitter",
    "score": "a better order of scores",
    "background": "fewer poses on nothing",
    "missed": "more truths reached",
}
"""What a model does that an error costs less."""
_LEAST = 5e-4
"""AP below which a cost is none worth a word."""


@dataclass(frozen=True)
class Reason:
    """AP that each kind of error costs two models, corrected alone."""

    a: str
    b: str
    gain: float
    """AP of b less that of a."""
    costs: Mapping[str, tuple[float, float]]

    @property
    def kind(self) -> str:
        """The kind that explains most of the gain; empty where none does. Truths not reached only where nothing else does."""
        saved = {kind: (a - b) * (1 if self.gain > 0 else -1) for kind, (a, b) in self.costs.items()}
        best = max((kind for kind in saved if kind != "missed"), key=lambda kind: saved[kind], default="")
        best = best if best and saved[best] > _LEAST else "missed"
        return best if self.gain and saved.get(best, 0.0) > _LEAST else ""

    @property
    def text(self) -> str:
        """The reason in plain words."""
        if not self.kind:
            return "no one kind of error explains it"
        one, other = self.costs[self.kind]
        return f"mostly by {FEWER[self.kind]} (cost: {self.a} {100 * one:.1f} AP, {self.b} {100 * other:.1f})"


def reason(a: Evaluation, b: Evaluation, name_a: str, name_b: str) -> Reason:
    """What each kind of error costs both."""
    one, other = (ev.errors().cost for ev in (a, b))
    kinds = [kind for kind in FEWER if kind in one.alone or kind in other.alone]
    costs = {kind: tuple(made.gain(kind) if kind in made.alone else 0.0 for made in (one, other)) for kind in kinds}
    return Reason(name_a, name_b, b["AP"] - a["AP"], {kind: (x, y) for kind, (x, y) in costs.items()})
