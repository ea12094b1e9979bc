"""A report of several models as Markdown and as plain values."""

from __future__ import annotations

from typing import Any

from posedata.version import __version__

from ..plain import plain
from ..table import number, percent
from .markdown import fenced, grid, plain_text
from .versus import Versus

__all__ = ["versus_dict", "versus_markdown"]


def versus_markdown(v: Versus) -> str:
    """The verdict, the numbers, the reasons, and how they were made."""
    row = v.leading
    models = [(s.name, s.value, s.low, s.high, s.groups) for s in v.comparison.standings.rows]
    rows = [(d.metric, f"{d.a} → {d.b}", d.value_a, d.value_b, d.difference, d.low, d.high, number(d.corrected, 3), "real" if d.real else "may be luck") for d in v.comparison.rows if not d.by]  # fmt: skip
    blocks = [
        f"# {plain_text(v.title, 160)}",
        f"**{plain_text(v.verdict, 160)}**",
        "\n".join(f"* {plain_text(said, 300)}" for key, said in v.said.items() if said and key != "verdict"),
        "\n".join(f"> {plain_text(note, 600)}" for note in v.comparison.notes),
        grid(("model", row.metric, "from", "to", "group"), models),
        "## Differences",
        grid(("metric", "models", "first", "second", "difference", "from", "to", "p, corrected", ""), rows),
        "## Why",
        grid(("error", plain_text(row.a), plain_text(row.b)), [(kind, percent(a), percent(b)) for kind, a, b in v.kinds]),
        "\n".join(f"* {plain_text(f'{r.b} against {r.a}: {r.text}', 300)}" for r in v.comparison.reasons),
        "## How this was made",
        f"```text\n{fenced(v.reproduced)}\n\n{fenced(v.comparison.how)}\n\n{fenced(v.first.block())}\n```",
    ]
    return "\n\n".join(b for b in blocks if b) + "\n"


def versus_dict(v: Versus) -> dict[str, Any]:
    """Everything that the page says; null where there is nothing."""
    own = v.first.truth.instances.id
    return plain({
        "version": __version__,
        "title": v.title,
        "command": v.reproduced,
        "said": v.said,
        "comparison": v.comparison.to_dict(),
        "reasons": [{"a": r.a, "b": r.b, "kind": r.kind or None, "text": r.text, "costs": dict(r.costs)} for r in v.comparison.reasons],
        "kinds": [{"kind": kind, "first": a, "second": b} for kind, a, b in v.kinds],
        "evaluations": {name: ev.to_dict() for name, ev in v.evs.items()},
        "errors": {name: report.to_dict() for name, report in v.errors.items()},
        "apart": [{"annotation_id": own[each.truth], "difference": each.difference} for each in v.apart],
    })  # fmt: skip
