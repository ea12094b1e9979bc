"""How an evaluation reads as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from posedata.errors import first_few, one_line

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .metrics import Measured
    from .statistics.interval import Interval

__all__ = ["as_text", "number", "schema_line"]


def number(value: float, digits: int = 4) -> str:
    """A number for people; - where there is no truth."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def as_text(ev: Evaluation, intervals: Mapping[str, Interval] = MappingProxyType({})) -> str:
    """The numbers, with intervals where there are some, what they were counted on, warnings, and the protocol."""
    width = max((len(name) for name in ev.table), default=0)
    counts = ev.counts
    cut = f" ({counts['scored']:,} looked at)" if counts["scored"] < counts["predictions"] else ""
    head = f"{ev.truth.name}: {counts['predictions']:,} predictions{cut} against {counts['counted']:,} truths on {counts['images']:,} images"
    ignored = f" ({counts['ignored']:,} truths ignored)" if counts["ignored"] else ""
    rows = [f"  {name:<{width}}  {number(m.value)}{_between(intervals, name)}  n {m.n:,}" for name, m in ev.table.items()]
    rows += ["", *made_how(intervals)] if intervals else []
    warned = [f"warning: {one_line(w)}" for w in ev.warnings]
    return "\n".join([head + ignored, "", *rows, "", *warned, *([""] if warned else []), ev.block()])


def _between(intervals: Mapping[str, Interval], name: str) -> str:
    found = intervals.get(name)
    return "" if found is None or math.isnan(found.low) else f"  [{number(found.low)}, {number(found.high)}]"


def made_how(intervals: Mapping[str, Interval]) -> list[str]:
    """How all of them were made; then every doubt, with those it is about."""
    doubts: dict[str, list[str]] = {}
    for name, each in intervals.items():
        for doubt in each.doubts:
            doubts.setdefault(doubt, []).append(name)
    every = len(intervals)
    lines = [f"warning: {doubt}: {'all intervals' if len(names) == every > 1 else first_few(names, 6, ', ')}" for doubt, names in doubts.items()]
    return [f"intervals: {made}" for made in dict.fromkeys(each.made for each in intervals.values())] + lines


def schema_line(ev: Evaluation) -> str:
    """Schema and sigmas, and where these come from."""
    note = ev.truth.schema.sigma_note()
    own = f"; the protocol's for {', '.join(ev.protocol.sigmas)}" if ev.protocol.sigmas else ""
    return f"{ev.truth.schema.name} ({len(ev.truth.schema)} points): {note}{own}"


def slices_text(by: str, rows: Sequence[tuple[Any, Mapping[str, Measured]]], intervals: Sequence[tuple[Any, Mapping[str, Interval]]] = ()) -> str:
    """A row for each slice, n beside every number, and its interval where there is one."""
    names = list(rows[0][1]) if rows else []
    table = [[by, *(cell for name in names for cell in (name, "n"))]]
    for i, (label, measured) in enumerate(rows):
        sure = intervals[i][1] if intervals else {}
        table.append([one_line(str(label)), *(cell for name, m in measured.items() for cell in (number(m.value) + _between(sure, name), f"{m.n:,}"))])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = ["  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))) for line in table]
    named = {f"{name} of {one_line(str(label))}": each for label, found in intervals for name, each in found.items()}
    return "\n".join([*lines, *(["", *made_how(named)] if named else [])])


def styled(text: str) -> str:
    """The same with the first line bold and warnings yellow, for a terminal; click takes it off elsewhere."""
    import click  # not at the top: a bare machine can print an evaluation

    lines = text.split("\n")
    looks = [click.style(line, fg="yellow") if line.startswith("warning:") else line for line in lines[1:]]
    return "\n".join([click.style(lines[0], bold=True), *looks])


def percent(share: float) -> str:
    """A share for people."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}%"
