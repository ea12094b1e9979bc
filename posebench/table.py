"""How an evaluation reads as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from posedata.errors import one_line

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .metrics import Measured

__all__ = ["as_text", "number", "schema_line"]


def number(value: float, digits: int = 4) -> str:
    """A number for people; - where there is no truth."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def as_text(ev: Evaluation) -> str:
    """The numbers, what they were counted on, warnings, and the protocol."""
    width = max((len(name) for name in ev.table), default=0)
    counts = ev.counts
    cut = f" ({counts['scored']:,} looked at)" if counts["scored"] < counts["predictions"] else ""
    head = f"{ev.truth.name}: {counts['predictions']:,} predictions{cut} against {counts['counted']:,} truths on {counts['images']:,} images"
    ignored = f" ({counts['ignored']:,} truths ignored)" if counts["ignored"] else ""
    rows = [f"  {name:<{width}}  {number(m.value)}  n {m.n:,}" for name, m in ev.table.items()]
    warned = [f"warning: {one_line(w)}" for w in ev.warnings]
    return "\n".join([head + ignored, "", *rows, "", *warned, *([""] if warned else []), ev.block()])


def schema_line(ev: Evaluation) -> str:
    """Schema and sigmas, and where these come from."""
    note = ev.truth.schema.sigma_note()
    own = f"; the protocol's for {', '.join(ev.protocol.sigmas)}" if ev.protocol.sigmas else ""
    return f"{ev.truth.schema.name} ({len(ev.truth.schema)} points): {note}{own}"


def slices_text(by: str, rows: Sequence[tuple[Any, Mapping[str, Measured]]]) -> str:
    """A row for each slice, n beside every number."""
    names = list(rows[0][1]) if rows else []
    table = [[by, *(cell for name in names for cell in (name, "n"))]]
    table += [[one_line(str(label)), *(cell for m in measured.values() for cell in (number(m.value), f"{m.n:,}"))] for label, measured in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))) for line in table)


def styled(text: str) -> str:
    """The same with the first line bold and warnings yellow, for a terminal; click takes it off elsewhere."""
    import click  # not at the top: a bare machine can print an evaluation

    lines = text.split("\n")
    looks = [click.style(line, fg="yellow") if line.startswith("warning:") else line for line in lines[1:]]
    return "\n".join([click.style(lines[0], bold=True), *looks])


def percent(share: float) -> str:
    """A share for people."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}%"
