"""The page of several models: which is better, by how much, how sure, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from posedata.pages import Html, document, joined, named, tag
from posedata.version import __version__

from ..errors.cost import Cost
from ..errors.report import ErrorReport
from ..statistics.compare import Difference
from ..statistics.standings import Standing
from ..statistics.words import p_text
from ..table import number, percent
from .cases import Case, case_of
from .crops import TILE, around_truth, crop_of, overlay
from .looks import script, style
from .parts import Cell, code, dot, figure, lines, link, section, span_of, table
from .printing import sheets
from .slicing import Group
from .versus import Apart, Versus

__all__ = ["versus_page", "versus_printed"]


def versus_page(v: Versus) -> str:
    """The whole page."""
    titles = {"differences": "Differences", "why": "Why", "keypoints": "Keypoints", "slices": "Slices", "gallery": "Gallery", "about": "About"}
    parts = zip(titles, (differences(v), why(v), keypoints(v), slices(v), gallery(v), about(v)), strict=True)
    shown = {key: part for key, part in parts if part is not None}
    contents = tag("nav", *(link(key, titles[key]) for key in shown), aria_label="contents")
    foot = tag("footer", tag("p", "Made by posebench. This page loads nothing from elsewhere."))
    body = joined(versus_hero(v), contents, tag("main", *shown.values()), foot)
    return document(f"{v.title}: posebench report", body, style(), script())


def versus_printed(v: Versus) -> str:
    """Four sheets: the verdict, the reasons, the slices, the poses."""
    pages = [joined(versus_hero(v), differences(v)), joined(why(v), keypoints(v)), joined(slices(v), about(v)), joined(gallery(v, 8))]
    return sheets(f"{v.title}: posebench report", pages)


# -- the first screen --------------------------------------------------------------------------------


def versus_hero(v: Versus) -> Html:
    """Four answers and the numbers they rest on."""
    counts, protocol = v.first.counts, v.first.protocol
    over = f"{len(v.names)} models, {counts['counted']:,} truths that count, {counts['images']:,} images; {v.first.truth.schema.name}; protocol {protocol.name}"
    answers = [(name, said) for name, said in (("By how much", v.how_much), ("How sure", v.how_sure), ("Why", v.why)) if said]
    shown = tag("dl", *(tag("div", tag("dt", name), tag("dd", said)) for name, said in answers), class_="answers")
    verdict = tag("div", tag("p", "Which is better", class_="name"), tag("p", named(v.verdict, 120), class_="verdict"), _models(v), class_="headline")
    return tag(
        "header",
        tag("p", over, class_="over"),
        tag("h1", named(v.title, 160)),
        tag("div", verdict, tag("div", shown, _kinds(v)), class_="hero versus"),
        _notes(v),
    )


def _models(v: Versus) -> Html:
    """Each model's number on one line from 0 to 1."""
    rows = v.comparison.standings.rows
    return tag("div", *(_model(v.comparison.standings.metric, row, rows) for row in rows[:8]), class_="models")


def _model(metric: str, row: Standing, rows: tuple[Standing, ...]) -> Html:
    ends = [x for r in rows for x in (r.low, r.high, r.value) if not math.isnan(x)]
    room = 0.15 * (max(ends) - min(ends)) if ends else 0.0
    shown = span_of(row.value, row.low, row.high, min(ends) - room, max(ends) + room) if ends else None
    return tag("p", tag("b", named(row.name, 40)), f" {metric} {number(row.value, 3)} ", tag("small", f"{number(row.low, 3)} to {number(row.high, 3)}"), shown)


def _kinds(v: Versus) -> Html:
    """The kinds of error, with the share of points that each model has of them."""
    a, b = v.leading.a, v.leading.b
    rows = [[joined(dot(kind), kind), Cell(percent(x), x), Cell(percent(y), y), Cell(_points(y - x), y - x)] for kind, x, y in v.kinds[:5]]
    return table(("error", named_short(a), named_short(b), "change"), rows, "Share of the labelled points of found poses", sort=False)


def _points(change: float) -> str:
    """A change of a share, in points of percent."""
    return "-" if math.isnan(change) else f"{100 * change + 0.0:+.1f}"


def _share(value: float) -> Cell:
    return Cell(percent(value), value)


def named_short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:22]}…"


def _notes(v: Versus) -> Html | None:
    told = list(dict.fromkeys([*v.comparison.notes, *(f"{name}: {w}" for name, ev in v.evs.items() for w in ev.warnings)]))
    if not told:
        return None
    head = f"{len(told)} warning{'s' if len(told) > 1 else ''}: what a reader of the numbers should know"
    return tag("details", tag("summary", head), tag("ul", *(tag("li", w) for w in told)), class_="warned", id="warnings", open=len(told) < 3)


# -- sections ----------------------------------------------------------------------------------------


def differences(v: Versus) -> Html:
    many = len(v.names) > 2
    rows = [_difference(row, many) for row in v.comparison.rows if not row.by]
    values = ("models", "first", "second") if many else tuple(map(named_short, v.names))
    heads = ("metric", *values, "difference", "from", "to", "p, corrected", "", "n")
    drawn = tag("div", *(figure(d, name) for name, d in v.figures.items()), class_="figures")
    return section(
        "differences", "Differences", tag("ul", *(tag("li", s) for s in v.sentences[:10]), class_="sentences"), drawn, table(heads, rows, v.comparison.how)
    )


def _difference(row: Difference, many: bool) -> list[object]:
    signed = [Cell("-" if math.isnan(x) else f"{x + 0.0:+.4f}", x) for x in (row.difference, row.low, row.high)]
    who = [named(f"{named_short(row.a)} → {named_short(row.b)}")] if many else []
    return [row.metric, *who, Cell(number(row.value_a), row.value_a), Cell(number(row.value_b), row.value_b), *signed,
            Cell(p_text(row.corrected), row.corrected), "real" if row.real else "may be luck", row.n]  # fmt: skip


def why(v: Versus) -> Html:
    """What errors cost each model, and how many there are."""
    told = tag("ul", *(tag("li", f"{r.b} against {r.a}: {r.text}") for r in v.comparison.reasons[:10]), class_="sentences")
    return section("why", "Why", told, tag("div", _costs(v), _labels(v), class_="figures"))


def _costs(v: Versus) -> Html:
    costs = {name: report.cost for name, report in v.errors.items()}
    kinds = list(dict.fromkeys(kind for made in costs.values() for kind in made.alone))
    rows = [[joined(dot(kind), kind), *(_gain(made, kind) for made in costs.values())] for kind in kinds]
    return tag("div", tag("h3", "AP that each kind of error takes"), table(("error", *map(named_short, costs)), rows, "corrected alone"), class_="card")


def _gain(made: Cost, kind: str) -> Cell:
    gain = made.gain(kind) if kind in made.alone else math.nan
    return Cell("" if math.isnan(gain) else f"{gain:+.3f}", gain)


def _labels(v: Versus) -> Html:
    counts = {name: report.counts for name, report in v.errors.items()}
    totals = {name: sum(own.values()) or 1 for name, own in counts.items()}
    kinds = list(dict.fromkeys(kind for own in counts.values() for kind in own))
    rows = [[joined(dot(kind), kind), *(_share(own.get(kind, 0) / totals[name]) for name, own in counts.items())] for kind in kinds]
    title = tag("h3", "What became of the points")
    return tag("div", title, table(("label", *map(named_short, totals)), rows, "share of the labelled points of found poses"), class_="card")


def keypoints(v: Versus) -> Html | None:
    """Wrong points of each keypoint, side by side."""
    tables = {name: dict(report.slices("keypoint")) for name, report in v.errors.items()}
    points = next(iter(tables.values()))
    if not points:
        return None
    a, b = v.leading.a, v.leading.b
    changes = {point: tables[b][point]["wrong"] - tables[a][point]["wrong"] for point in points}
    order = sorted(points, key=lambda point: -abs(changes[point]) if not math.isnan(changes[point]) else 1.0)
    rows = [[named(p, 60), *(_share(made[p]["wrong"]) for made in tables.values()), Cell(_points(changes[p]), changes[p])] for p in order]
    caption = f"Share of the labelled points of found poses that is wrong; change: {named_short(b)} less {named_short(a)}, in points of percent"
    return section("keypoints", "Keypoint by keypoint", table(("keypoint", *map(named_short, tables), "change"), rows, caption))


def slices(v: Versus) -> Html | None:
    """The first number of each slice, side by side; none of these differences is tested."""
    per_model = {name: {group.name: group for group in made} for name, made in v.slices.items()}
    first = next(iter(per_model.values()))
    parts = [_sliced(v, [made[name] for made in per_model.values()]) for name in first if all(name in made for made in per_model.values())]
    lead = f"Change: {v.leading.b} less {v.leading.a}. None of these is tested: posebench compare --by does that."
    return section("slices", "Where they differ", tag("div", *parts, class_="piles"), lead=lead) if parts else None


def _sliced(v: Versus, made: Sequence[Group]) -> Html:
    """One way to slice, a column for each model."""
    group, metric = made[0], next(iter(made[0].metrics[0]))
    a, b = (v.names.index(name) for name in (v.leading.a, v.leading.b))
    rows: list[list[object]] = []
    for i, label in enumerate(group.labels):
        values = [one.metrics[i][metric].value for one in made]
        change = values[b] - values[a]
        shown = Cell("-" if math.isnan(change) else f"{change + 0.0:+.3f}", change)
        rows.append([named(label, 60), *(Cell(number(x, 3), x) for x in values), shown, group.metrics[i][metric].n])
    heads = (group.name, *map(named_short, v.names), "change", "n")
    return tag("div", tag("h3", named(f"{metric} by {group.name}")), table(heads, rows, f"{group.summary}."), class_="card")


# -- the gallery -------------------------------------------------------------------------------------


def gallery(v: Versus, most: int | None = None) -> Html | None:
    """Truths on which the two models differ most."""
    chosen = v.apart[:most]
    if not chosen:
        return None
    names, reports = (v.leading.a, v.leading.b), (v.errors[v.leading.a], v.errors[v.leading.b])
    cards = [_card(v, each, names, reports) for each in chosen]
    lead = f"Where they differ most, in turn what {names[1]} wins and what it loses. White: the truth; bright: the prediction; coloured points are wrong."
    return section("gallery", "Poses on which they differ", tag("div", *cards, class_="cards pairs"), lead=lead)


def _card(v: Versus, each: Apart, names: tuple[str, str], reports: tuple[ErrorReport, ErrorReport]) -> Html:
    own, images = v.first.truth.instances, v.first.truth.images
    row = int(own.image[each.truth])
    file = named(str(images.file[row]) or f"image {images.id[row]}", 60)
    tiles = [_tile(v, name, report, case, each.truth) for name, report, case in zip(names, reports, each.cases, strict=True)]
    better = names[1] if each.difference > 0 else names[0]
    said = tag("p", tag("b", named(better, 40)), f" by {abs(each.difference):.2f} OKS", class_="numbers")
    caption = tag("div", said, tag("p", file, tag("br"), f"annotation {own.id[each.truth]}", class_="note"), class_="caption")
    return tag("article", tag("div", *tiles, class_="pair"), caption, class_="case")


def _tile(v: Versus, name: str, report: ErrorReport, case: Case | None, truth: int) -> Html:
    """One model's prediction over the truth; the truth alone where it found none."""
    shown = case or case_of(report, "truth", truth)
    square = around_truth(report, shown)
    says = f"{name}: " + (f"OKS {case.oks:.2f}" if case else "not found")
    crop = crop_of(report, shown, square)
    label = tag("p", named_short(name), f" {case.oks:.2f}" if case else ": not found", class_="whose")
    if crop is None:
        return tag("div", overlay(report, shown, square, role="img", aria_label=says), label, class_="crop blind")
    picture = tag("img", src=Html(crop), width=TILE, height=TILE, alt=says, decoding="async")
    return tag("div", picture, overlay(report, shown, square, aria_hidden="true"), label, class_="crop")


def about(v: Versus) -> Html:
    """How it was made."""
    again = tag("div", tag("h3", "Make it again"), code(v.reproduced), class_="card")
    facts = tag("p", f"posebench {__version__}. {v.comparison.how}.")
    rules = tag("div", tag("h3", "Rules"), lines(v.first.block()), facts, class_="card")
    return section("about", "How this was made", again, rules)
