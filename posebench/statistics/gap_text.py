"""How a gap reads: a table, and what it may mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from posedata.errors import one_line

from ..table import number

if TYPE_CHECKING:
    from .gap import Difference, Gap, Row

__all__ = ["as_text", "sentences"]


def as_text(made: Gap) -> str:
    """Metrics first, then rates of errors, then the similarity they take."""
    sizes = [f"{one_line(n)} ({i:,} images, {t:,} truths)" for n, i, t in zip(made.names, made.images, made.truths, strict=True)]
    head = f"{sizes[0]} less {sizes[1]}, under {made.protocol.name}"
    table = [["", "first", "second", "gap", "", "at the same mix", "", "of"]]
    shown = [row for row in made.rows if not (row.train == row.val == 0 or (math.isnan(row.train) and math.isnan(row.val)))]
    table += [[row.name, number(row.train), number(row.val), *_cells(row.gap), *_cells(row.standard), row.of] for row in shown]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = []
    for line in table:
        cells = [c.ljust(w) if i in (0, 4, 6, 7) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    notes = [f"note: {one_line(n)}" for n in made.notes]
    return "\n".join([head, "", *lines, "", *made.sentences, *notes, "", f"{made.how}. * leaves 0 out."])


def _cells(d: Difference) -> list[str]:
    if math.isnan(d.value):
        return ["-", ""]
    return [f"{d.value:+.4f}", f"{d.low:+.4f} to {d.high:+.4f}{' *' if d.clear else ''}"]


def sentences(made: Gap) -> tuple[str, ...]:
    """The gap of the first metric, how much of it the mix explains, what it may mean, and which errors make it."""
    row = made.rows[0]
    if math.isnan(row.gap.value):
        return (f"{row.name} has no value on one of the sets: there is no gap to speak of.",)
    return tuple(s for s in (_size(row), _mix(made, row), _meaning(made, row), _errors(made)) if s)


def _size(row: Row) -> str:
    told = "" if row.gap.clear else "; the sets are too small to tell it from none"
    return f"{row.name} is {number(row.train)} on the first set and {number(row.val)} on the second: a gap of {_interval(row.gap)}{told}."


def _interval(d: Difference) -> str:
    return f"{d.value:+.4f} ({d.low:+.4f} to {d.high:+.4f})"


def _mix(made: Gap, row: Row) -> str:
    if math.isnan(row.standard.value):
        return f"The sets have no kind of image in common (by {' and '.join(made.standard.by)}): the gap cannot be had at the same mix."
    moved = row.gap.value - row.standard.value
    lacking = (
        f" {made.standard.left_out:.1%} of the second set's truths are of kinds that the first lacks, and are left out of that."
        if made.standard.left_out
        else ""
    )
    thin = made.standard.effective < 0.5 * made.images[0]
    worth = f" The weights make {made.images[0]:,} images worth {made.standard.effective:,.0f}." if thin else ""
    by = " and ".join(made.standard.by)
    return f"With the second set's mix of {by} it is {_interval(row.standard)}: {moved:+.4f} of the gap comes from another mix.{lacking}{worth}"


def _meaning(made: Gap, row: Row) -> str:
    left = row.gap if math.isnan(row.standard.value) else row.standard
    if not left.clear:
        most = max(abs(left.low), abs(left.high))
        return f"What is left is not told from none; a gap of up to {most:.4f} is not excluded either."
    better = _worse_is_higher(row.name) != (left.value > 0)
    if better:
        return (
            "What is left may be over-fitting, or anything else in which the sets differ: annotators, cameras, categories, poses. "
            "Only images drawn as the first set was, and not trained on, tell these apart."
        )
    return "The model does better on the second set: that set is easier in some way other than its mix, or its annotation is; this is no over-fitting."


def _worse_is_higher(name: str) -> bool:
    from ..metrics import METRICS, read_metric

    return not METRICS[read_metric(name).name].higher_is_better


def _errors(made: Gap) -> str:
    """Which kinds of error take more similarity on one set than on the other."""
    lost = [row for row in made.rows if row.name.startswith("lost to ") and not math.isnan(row.gap.value)]
    clear = sorted((row for row in lost if row.gap.clear), key=lambda row: -abs(row.gap.value))
    if not lost:
        return ""
    if not clear:
        return "No kind of error is told apart between the sets."
    told = [f"{row.name.removeprefix('lost to ')} {row.train:.4f} and {row.val:.4f}" for row in clear[:3]]
    return f"Similarity that a truth loses, first set and second, where they differ clearly: {', '.join(told)}."
