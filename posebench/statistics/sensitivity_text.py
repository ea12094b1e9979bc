"""How sensitivity reads: one table, and what it says in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from posedata.errors import first_few, one_line

from ..table import number

if TYPE_CHECKING:
    from .sensitivity import Row, Sensitivity

__all__ = ["as_text", "sentences"]

_WIDE = 24


def as_text(made: Sensitivity) -> str:
    """A row for each change; the order of models where there are several."""
    several = len(made.models) > 1
    head = f"{made.metric} of {f'{len(made.models)} models' if several else made.models[0]} under {made.protocol.name}, and under {len(made) - 1} other rules"
    table = [["change", *(h for name in made.models for h in (_short(name), "")), *(["tau"] if several else []), "what it is"]]
    table += [[row.change, *_cells(row, made), *([_tau(row)] if several else []), _last(row)] for row in made.rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]) - 1)]
    lines = []
    for line in table:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=False))]
        lines.append("  " + "  ".join([*cells, line[-1]]).rstrip())
    notes = [f"note: {one_line(n)}" for n in made.notes]
    return "\n".join([head, "", *lines, "", *made.sentences, *notes])


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= _WIDE else f"{name[: _WIDE - 1]}…"


def _cells(row: Row, made: Sensitivity) -> list[str]:
    """The value of each model, and how far it moved."""
    cells = []
    for value, base in zip(row.values, made.base.values, strict=True):
        cells += [number(value), "" if row is made.base or math.isnan(value - base) else f"{value - base:+.4f}"]
    return cells


def _tau(row: Row) -> str:
    return "-" if math.isnan(row.tau) else f"{row.tau:.2f}"


def _last(row: Row) -> str:
    """What the change is, or who exchanged places."""
    if not row.flips:
        return one_line(row.says)
    return f"{first_few([f'{_short(b)} over {_short(a)}' for a, b in row.flips], 2, ', ')}; {one_line(row.says)}"


def sentences(made: Sensitivity) -> tuple[str, ...]:
    """How far the number moves, by what most; and whether the order of the models holds."""
    others = [row for row in made.rows[1:] if not all(math.isnan(v) for v in row.values)]
    if not others:
        return (f"No other rule gives {made.metric} a number.",)
    return (*(_spans(made, others)), *([_order(made, others)] if len(made.models) > 1 else []))


def _spans(made: Sensitivity, rows: list[Row]) -> list[str]:
    """For the first model, where the number goes by kind of change."""
    base = made.base.values[0]
    if math.isnan(base):
        return []
    spans = []
    for kind in dict.fromkeys(row.kind for row in rows):
        values = [row.values[0] for row in rows if row.kind == kind and not math.isnan(row.values[0])]
        if values and (low := min(*values, base)) < (high := max(*values, base)):
            spans.append((high - low, f"{kind} {number(low)} to {number(high)}"))
    still = " It stays the same under the other kinds." if len(spans) < len({row.kind for row in rows}) else ""
    whose = made.metric if len(made.models) == 1 else f"{made.metric} of {_short(made.models[0])}"
    said = ", ".join(text for _, text in sorted(spans, reverse=True))
    return [f"{whose} is {number(base)}; by {said}.{still}" if spans else f"{whose} is {number(base)} under every rule that was tried."]


def _order(made: Sensitivity, rows: list[Row]) -> str:
    flipped = [row for row in rows if row.flips]
    if not flipped:
        return f"The order of the models is the same under all {len(rows)} changes."
    pairs: dict[tuple[str, str], list[str]] = {}
    for row in flipped:
        for pair in row.flips:
            pairs.setdefault(pair, []).append(row.change)
    base = dict(zip(made.models, made.base.values, strict=True))
    told = [f"{_short(a)} leads {_short(b)} by {base[a] - base[b]:.4f} and falls behind with {first_few(names, 3, ', ')}" for (a, b), names in pairs.items()]
    worst = min(row.tau for row in flipped)
    return f"The order of the models changes under {len(flipped)} of {len(rows)} changes (tau down to {worst:.2f}): {first_few(told, 4, '; ')}."
