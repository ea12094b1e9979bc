"""The report as Markdown: the same sentences and tables, for a pull request or a chat."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from posedata.errors import brief, one_line

from ..table import number, percent
from .contents import Contents

__all__ = ["markdown"]


def markdown(c: Contents) -> str:
    """Headline, findings, tables, and how to make it again."""
    blocks = [
        f"# {plain_text(c.title, 120)}",
        _counted(c),
        "\n".join(f"* {plain_text(title, 300)}" for title in c.said.values()),
        "\n".join(f"> {plain_text(w, 600)}" for w in c.notes()),
        "## Score",
        grid(("metric", "value", "from", "to", "n"), [(i.metric, i.value, i.low, i.high, i.n) for i in c.intervals.values()]),
        _how(c),
        "## Errors",
        _errors(c),
        "## Keypoints",
        _keypoints(c),
        *_slices(c),
        "## Worst poses",
        _cases(c),
        "## Truth",
        _truth(c),
        "## How this was made",
        f"```text\n{c.reproduced.replace('`', chr(39))}\n\n{fenced(c.ev.block())}\n```",
    ]
    return "\n\n".join(b for b in blocks if b) + "\n"


def plain_text(text: object, width: int = 80) -> str:
    """A name that is text in Markdown too, whatever letters it has."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$&-])", r"\\\1", one_line(brief(str(text), width)))


def fenced(text: str) -> str:
    """Lines that cannot end the block they stand in."""
    return "\n".join(one_line(line).replace("```", "'''") for line in text.split("\n"))


def grid(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers at the right, none is -."""
    listed = [list(row) for row in rows]
    right = [all(isinstance(row[i], int | float) for row in listed) for i in range(len(heads))]
    lines = [heads, ["---:" if r else "---" for r in right], *([_cell(v) for v in row] for row in listed)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value, 3)
    return f"{value:,}" if isinstance(value, int) else plain_text(value, 120)


def _how(c: Contents) -> str:
    """How sure the numbers are, and what could be reached."""
    made = f"Intervals: {next(iter(c.intervals.values())).how}."
    return made if c.ceiling is None else f"{made} Perfect predictions with the noise that the sigmas stand for would reach AP {number(c.ceiling.ap, 3)}."


def _counted(c: Contents) -> str:
    n = c.ev.counts
    words = f"{n['scored']:,} predictions, {n['counted']:,} truths that count, {n['images']:,} images"
    return f"{words}; schema {plain_text(c.ev.truth.schema.name)}, protocol {plain_text(c.ev.protocol.name)} ({c.ev.protocol.fingerprint})"


def _errors(c: Contents) -> str:
    report, total = c.errors, sum(c.errors.counts.values())
    alone = report.cost.alone
    return grid(
        ("label", "share", "points", "AP it takes"),
        [(kind, percent(n / total if total else math.nan), n, report.cost.gain(kind) if kind in alone else math.nan) for kind, n in report.counts.items()],
    )


def _keypoints(c: Contents) -> str:
    rows = c.errors.slices("keypoint")
    kinds = [kind for kind in c.errors.counts if kind != "good" and any(row[kind] for _, row in rows)]
    shares = [
        (str(name), row["points"], percent(row["wrong"]), *(percent(row[k] / row["points"] if row["points"] else math.nan) for k in kinds))
        for name, row in rows
    ]
    return grid(("keypoint", "points", "wrong", *kinds), shares)


def _slices(c: Contents) -> list[str]:
    parts = []
    for group in c.slices:
        names = list(group.metrics[0])
        rows = [
            (label, *(m[n].value for n in names), max(x.n for x in m.values()), percent(p["wrong"]))
            for label, m, p in zip(group.labels, group.metrics, group.points, strict=True)
        ]
        parts += [f"### By {plain_text(group.name)}", grid((plain_text(group.name), *names, "n", "wrong points"), rows)]
    return ["## Slices", *parts] if parts else []


def _cases(c: Contents) -> str:
    images = c.ev.truth.images
    rows = [(", ".join(case.kinds), case.oks, str(images.file[case.image]) or f"image {images.id[case.image]}", c.browse(case)) for case in c.cases[:20]]
    return grid(("kinds", "OKS", "image", "command"), rows) if rows else "None is wrong."


def _truth(c: Contents) -> str:
    found = c.findings
    if found is None or not found.found:
        return "Nothing found." if found is not None else "It could not be looked at."
    return grid(("rule", "severity", "n", "what is wrong"), [(f.rule.code, f.rule.severity, f.count, f.rule.says) for f in found.found])
