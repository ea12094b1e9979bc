"""The sections of a report of one set of predictions, in the order in which they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from posedata.pages import Html, named, tag
from posedata.version import __version__

from ..errors.instances import PREDICTION_LABELS, TRUTH_LABELS
from ..errors.labels import ERRORS, LABELS
from ..metrics import METRICS, read_metric
from ..statistics.interval import Interval
from ..table import number, percent
from .contents import Contents
from .gallery import gallery
from .parts import Cell, bar_of, code, dot, figure, label_rows, lines, link, section, span_of, table, tile
from .slicing import Group

__all__ = ["SECTIONS", "errors", "hero", "short_slices", "truth"]


# -- the first screen --------------------------------------------------------------------------------


def hero(c: Contents) -> Html:
    """What it is about, the number, and the three sentences that matter."""
    return tag("header", _about_line(c), tag("h1", named(c.title, 120)), tag("div", _headline(c), _sentences(c), class_="hero"), _tiles(c), _warned(c))


def _about_line(c: Contents) -> Html:
    counts = c.ev.counts
    words = f"{counts['scored']:,} predictions, {counts['counted']:,} truths that count, {counts['images']:,} images; {c.ev.truth.schema.name}; protocol {c.ev.protocol.name}"
    return tag("p", words, class_="over")


def _headline(c: Contents) -> Html:
    """The first number, and how sure it is."""
    first = next(iter(c.intervals.values()))
    said = tag("p", number(first.value, 3), class_="figure")
    return tag("div", tag("p", first.metric, class_="name"), said, _interval(first), class_="headline")


def _interval(i: Interval) -> Html | None:
    if math.isnan(i.low) or math.isnan(i.high):
        return None
    words = f"{number(i.low, 3)} to {number(i.high, 3)} at {100 * i.level:g}%" + (f"; {'; '.join(i.doubts)}" if i.doubts else "")
    return tag("p", span_of(i.value, i.low, i.high, *_ends_of_line(i)), words, class_="interval", title=i.how)


def _ends_of_line(i: Interval) -> tuple[float, float]:
    """Shares on 0 to 1; a distance from 0 on."""
    return (0.0, 1.0) if i.low >= 0 and i.high <= 1 else (min(0.0, i.low), 1.25 * i.high)


def _sentences(c: Contents) -> Html:
    """The findings of the plots that say most."""
    said = [(name, c.figures[name].title) for name in ("cost_waterfall", "skeleton", "precision_recall") if name in c.figures]
    return tag("ul", *(tag("li", link(name, title)) for name, title in said), class_="sentences")


def _tiles(c: Contents) -> Html | None:
    others = list(c.intervals.values())[1:]
    return tag("dl", *(tile(i.metric, number(i.value, 3), _ends(i)) for i in others), class_="tiles") if others else None


def _ends(i: Interval) -> str:
    """Both ends, short."""
    return "" if math.isnan(i.low) else f"{number(i.low, 3)} to {number(i.high, 3)}"


def _warned(c: Contents) -> Html | None:
    told = c.notes()
    if not told:
        return None
    head = f"{len(told)} warning{'s' if len(told) > 1 else ''}: what a reader of the numbers should know"
    return tag("details", tag("summary", head), tag("ul", *(tag("li", w) for w in told)), class_="warned", id="warnings", open=len(told) < 4)


# -- sections ----------------------------------------------------------------------------------------


def score(c: Contents) -> Html:
    rows = [[i.metric, Cell(number(i.value), i.value), Cell(number(i.low), i.low), Cell(number(i.high), i.high),
             Cell(span_of(i.value, i.low, i.high, *_ends_of_line(i)) or ""), i.n, METRICS[read_metric(i.metric).name].of] for i in c.intervals.values()]  # fmt: skip
    how = next(iter(c.intervals.values())).how
    heads = ("metric", "value", "from", "to", "", "n", "of")
    most = c.ceiling
    limit = f"Perfect predictions with the noise that the sigmas stand for would reach AP {number(most.ap, 3)}: the dashed line." if most else ""
    drawn = [figure(c.figures[name], name) for name in ("precision_recall", "ap_by_threshold") if name in c.figures]
    shown = tag("div", *drawn, class_="figures")
    return section(
        "score",
        "The score",
        table(heads, rows, f"On other images like these each would mostly lie between its ends: {how}"),
        tag("p", limit, class_="lead"),
        shown,
    )


def errors(c: Contents) -> Html:
    report, total = c.errors, sum(c.errors.counts.values())
    rows = [[_chip(kind), *row, LABELS[kind]] for kind, row in zip(report.counts, label_rows(report), strict=True)]
    return section(
        "errors",
        "What goes wrong",
        table(
            ("label", "share", "points", "AP it takes", "meaning"), rows, f"Labels of {total:,} labelled points of {len(report.labelled.truth):,} found poses"
        ),
        tag("div", *(figure(c.figures[n], n) for n in ("cost_waterfall",) if n in c.figures), _poses(c), class_="figures"),
        _extents(report),
    )


def _extents(report: Any) -> Html | None:
    extents = ", ".join(f"{n:,} {what}" for what, n in report.inversions.items() if n)
    lost = report.surplus
    said = f"Inversions are left taken for right: {extents}. " if extents else ""
    more = (
        f"{lost['surplus']:,} surplus points over confidence {lost['confidence']:g}, of {lost['could']:,} that the truth does not have."
        if lost["could"]
        else ""
    )
    return tag("p", said + more) if said + more else None


def _poses(c: Contents) -> Html:
    kinds: Mapping[str, Mapping[str, str]] = {"predictions": PREDICTION_LABELS, "truths": TRUTH_LABELS}
    parts = [
        table((what, "n", "meaning"), [[_chip(name), n, kinds[what][name]] for name, n in counts.items() if n], f"What became of the {what}")
        for what, counts in c.errors.instances.items()
    ]
    return tag("div", tag("h3", "Whole poses"), *parts, class_="card")


def _chip(kind: str) -> Html:
    """A kind in its colour; a click filters the gallery by it."""
    return link("gallery", dot(kind), kind, class_="chip", data_kind=kind)


def keypoints(c: Contents) -> Html | None:
    rows = c.errors.slices("keypoint")
    if not rows:
        return None
    total = sum(row["oks lost"] for _, row in rows)
    kinds = [kind for kind in ERRORS if any(row.get(kind, 0) for _, row in rows)]
    lines_of = []
    for place, (name, row) in enumerate(rows):
        shares = {kind: row[kind] / row["points"] if row["points"] else 0.0 for kind in kinds}
        lines_of.append([Cell(link("gallery", named(name, 60), class_="chip", data_point=place), str(name)), row["points"],
                         Cell(bar_of(shares, row["wrong"]), row["wrong"]), Cell(percent(row["oks lost"] / total if total else 0.0), row["oks lost"]),
                         *(Cell(percent(shares[kind]) if row[kind] else "", shares[kind]) for kind in kinds)])  # fmt: skip
    names = ("skeleton", "error_shares", "similarity_strips", "tolerance_circles", "confusion")
    return section(
        "keypoints",
        "Keypoint by keypoint",
        tag("div", *(figure(c.figures[n], n, n == "confusion", _TITLES.get(n, "")) for n in names if n in c.figures), class_="figures"),
        table(("keypoint", "points", "wrong", "of what is lost", *kinds), lines_of, "Labelled points of found poses; what is lost is similarity"),
    )


_TITLES = {"error_shares": "Errors of each keypoint, the worst first"}
"""Of figures whose own title another one has."""


def slices(c: Contents) -> Html | None:
    if not c.slices:
        return None
    parts = [_sliced(group) for group in c.slices]
    return section("slices", "Where it goes wrong", tag("div", *parts, class_="piles"), lead="n stands beside every number; few truths say little.")


def short_slices(c: Contents) -> Html | None:
    """The first few, for paper."""
    return tag("div", *(_sliced(group, 6) for group in c.slices[:4]), class_="piles") if c.slices else None


def _sliced(group: Group, most: int | None = None) -> Html:
    """One way to slice as a table."""
    names, rows = list(group.metrics[0]), []
    for label, measured, points in zip(group.labels, group.metrics, group.points, strict=True):
        shares = {kind: points[kind] / points["points"] for kind in ERRORS if points.get(kind)} if points["points"] else {}
        cells = [Cell(number(measured[n].value, 3), measured[n].value) for n in names]
        rows.append([named(label, 60), *cells, max((measured[n].n for n in names), default=0), Cell(bar_of(shares, points["wrong"]), points["wrong"])])
    left = group.left_out + max(0, len(rows) - (most or len(rows)))
    more = f" {left:,} are left out here." if left else ""
    return tag("div", tag("h3", named(group.name)), table((group.name, *names, "n", "wrong points"), rows[:most], f"{group.summary}.{more}"), class_="card")


def confidence(c: Contents) -> Html | None:
    if "calibration_bars" not in c.figures:
        return None
    rows = [[Cell(f"{p.similarity:.2f}", p.similarity), Cell(f"{p.confidence:.3g}", p.confidence), Cell(percent(p.precision), p.precision),
             Cell(percent(p.recall), p.recall), Cell(number(p.f1, 3), p.f1), p.found, p.false, p.missed] for p in c.points]  # fmt: skip
    heads = ("similarity", "score", "precision", "recall", "F1", "found", "false", "missed")
    points = tag("div", tag("h3", "Where to cut"), table(heads, rows, "Whole poses, at the score of the highest F1"), class_="card") if rows else None
    return section("confidence", "Confidence", tag("div", figure(c.figures["calibration_bars"], "calibration_bars"), points, class_="figures"))


def truth(c: Contents) -> Html:
    found = c.findings
    if found is None:
        return section("truth", "The truth itself", tag("p", "It could not be looked at."))
    rows = [
        [tag("code", f.rule.code), tag("span", f.rule.severity, class_=f"severity {f.rule.severity}"), f.count, f.rule.says, _example(found, f.rule.code)]
        for f in found.found
    ]
    head = f"{len(found):,} findings of {len(found.ran)} rules; pictures were not opened. posedata validate has them one by one."
    body = table(("rule", "severity", "n", "what is wrong", "for example"), rows, "Findings of posedata validate") if rows else tag("p", "Nothing found.")
    return section("truth", "The truth itself", body, lead=head)


def _example(found: Any, code_: str) -> Html:
    first = next(iter(found.of(code_)), None)
    return named(str(first).split(maxsplit=2)[-1].strip() if first is not None else "", 160)


def about(c: Contents) -> Html:
    ev = c.ev
    facts = {"made by": f"posebench {__version__}", "truth": ev.truth.name, "schema": f"{ev.truth.schema.name}: {ev.truth.schema.sigma_note()}"}
    facts |= {f"truth file {i}": f"{path} (sha256 {digest[:16]})" for i, (path, digest) in enumerate(ev.truth.provenance.files, 1)}
    facts |= {
        f"predictions: {k}": v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)
        for k, v in ev.predictions.header.items()
        if k not in ("images", "schema", "version")
    }
    shown = tag("dl", *(tag("div", tag("dt", named(k)), tag("dd", named(v, 600))) for k, v in facts.items()), class_="facts")
    again = tag("div", tag("h3", "Make it again"), code(c.reproduced), class_="card")
    return section(
        "about",
        "How this was made",
        again,
        tag("div", tag("h3", "Rules"), lines(ev.block()), class_="card"),
        tag("div", tag("h3", "Origin"), shown, class_="card"),
    )


SECTIONS: Mapping[str, tuple[str, Callable[[Contents], Html | None]]] = {
    "score": ("Score", score),
    "errors": ("Errors", errors),
    "keypoints": ("Keypoints", keypoints),
    "slices": ("Slices", slices),
    "confidence": ("Confidence", confidence),
    "gallery": ("Gallery", gallery),
    "truth": ("Truth", truth),
    "about": ("About", about),
}
"""By the id on the page: the name in its contents, and the function."""
