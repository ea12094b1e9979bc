"""Results in a notebook: the parts of the report that are made at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posedata.pages import Html, joined, named, tag

from ..errors.labels import LABELS
from ..table import number
from .looks import notebook_style
from .parts import Cell, dot, figure, label_rows, lines, table

if TYPE_CHECKING:
    from ..errors.report import ErrorReport
    from ..evaluation import Evaluation

__all__ = ["errors_html", "evaluation_html"]


def evaluation_html(ev: Evaluation) -> str:
    """The numbers, with what they were made from, warnings, and the protocol folded away."""
    counts = ev.counts
    head = f"{counts['scored']:,} predictions, {counts['counted']:,} truths that count, {counts['images']:,} images; protocol {ev.protocol.name}"
    rows = [[name, Cell(number(m.value), m.value), m.n] for name, m in ev.table.items()]
    rules = tag("details", tag("summary", "rules"), lines(ev.block()))
    return _boxed(ev, tag("p", head, class_="faint"), table(("metric", "value", "n"), rows, sort=False), *_warnings(ev), rules)


def errors_html(report: ErrorReport) -> str:
    """Labels with what they take, and the errors drawn on the body."""
    from .. import plots

    total = sum(report.counts.values())
    rows = [[joined(dot(kind), kind), *row, LABELS[kind]] for kind, row in zip(report.counts, label_rows(report), strict=True)]
    caption = f"{total:,} labelled points of {len(report.labelled.truth):,} found poses; AP is {number(report.cost.now.ap[''], 3)}"
    labels = table(("label", "share", "points", "AP it takes", "meaning"), rows, caption, sort=False)
    drawn = [figure(plots.drawing(draw(report), name), name) for name, draw in (("cost_waterfall", plots.cost_waterfall), ("skeleton", plots.skeleton))]
    return _boxed(report.ev, labels, tag("div", *drawn, class_="both"), *_warnings(report.ev))


def _boxed(ev: Evaluation, *parts: object) -> str:
    return tag("div", Html(f"<style>{notebook_style()}</style>"), tag("p", named(ev.truth.name), class_="title"), *parts, class_="posebench")


def _warnings(ev: Evaluation) -> list[Html]:
    return [tag("p", warning, class_="warning") for warning in ev.warnings]
