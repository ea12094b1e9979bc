"""RULES: all of them by code, and choosing among them by code, name or topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import PoseError, brief, did_you_mean
from .findings import Rule, by_code
from .geometry import GEOMETRY
from .pictures import PICTURES
from .semantics import SEMANTICS
from .sets import SETS
from .structure import STRUCTURE

__all__ = ["RULES", "TOPICS", "chosen_rules"]

TOPICS = {
    "structure": "ids, references, lengths, names, skeletons: what the file is made of",
    "geometry": "points, boxes, areas and frames against each other",
    "semantics": "counts, flags, crowds; poses against the set's own statistics",
    "images": "the pictures themselves; only with --images",
    "sets": "what stands twice, what is rare, what is missing",
}
RULES: Mapping[str, Rule] = by_code([*STRUCTURE, *GEOMETRY, *SEMANTICS, *PICTURES, *SETS])


def chosen_rules(wanted: Iterable[str] | str | None, without: Iterable[str] | str = ()) -> list[Rule]:
    """Rules by code, beginning of a code (PD1), name or topic; all when nothing is said; less those of `without`."""
    left = set(RULES) if wanted is None else _codes(wanted, "rules")
    return [RULES[code] for code in sorted(left - _codes(without, "without"))]


def _codes(words: Iterable[str] | str, where: str) -> set[str]:
    codes: set[str] = set()
    for word in [w.strip() for w in (words.split(",") if isinstance(words, str) else words)]:
        found = {c for c, r in RULES.items() if word in (r.name, r.topic) or (word.upper().startswith("PD") and c.startswith(word.upper()))}
        if not found:
            known = [*TOPICS, *RULES, *(r.name for r in RULES.values())]
            raise PoseError(where, f"no rule {brief(word)!r}", did_you_mean(word, known))
        codes |= found
    return codes
