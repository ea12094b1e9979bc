"""Parts that sections are made of: figures, tables, tiles, bars; data in, markup out, text escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posedata.pages import Html, joined, named, tag

from ..table import number, percent

if TYPE_CHECKING:
    from ..errors.report import ErrorReport
    from ..plots import Drawing

__all__ = ["Cell", "bar_of", "code", "dot", "figure", "label_rows", "link", "section", "span_of", "table", "tile"]


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and by what its column is sorted."""

    shown: object
    key: float | str | None = None


def figure(drawn: Drawing, name: str, wide: bool = False, title: str = "") -> Html:
    """A figure with its finding as the heading, or another title; the picture says the same to who does not see it."""
    size = {"width": round(drawn.width), "height": round(drawn.height), "viewBox": f"0 {drawn.top:g} {drawn.width:g} {drawn.height:g}"}
    picture = tag(
        "svg",
        tag("title", drawn.title, id=f"{name}-title"),
        tag("desc", drawn.subtitle, id=f"{name}-desc"),
        Html(drawn.inside),
        class_="plot",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        **size,
    )
    return tag(
        "figure",
        tag("h3", title or drawn.title),
        tag("div", picture, class_="scroll", tabindex=0, role="group", aria_label=drawn.title),
        tag("figcaption", drawn.subtitle),
        class_="card wide" if wide else "card",
        id=name,
    )


def section(key: str, title: str, *children: object, lead: object = None) -> Html:
    """A section that the contents of the page link to."""
    return tag("section", tag("h2", title), tag("p", lead, class_="lead") if lead else None, *children, id=key)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "", sort: bool = True) -> Html:
    """A table whose columns sort by a click on their heads; what is no text stands at the right."""
    listed = [[_cell(value) for value in row] for row in rows]
    right = [all(not isinstance(row[i].key, str) for row in listed) for i in range(len(heads))]
    long = [any(isinstance(key := row[i].key, str) and len(key) > _LONG for row in listed) for i in range(len(heads))]
    head = tag(
        "tr",
        *(tag("th", tag("button", h, type="button") if sort and h else h, scope="col", class_="n" if r else None) for h, r in zip(heads, right, strict=True)),
    )
    looks = ["n" if r else "long" if w else None for r, w in zip(right, long, strict=True)]
    body = [tag("tr", *(_td(cell, look, first=not i) for i, (cell, look) in enumerate(zip(row, looks, strict=True)))) for row in listed]
    return tag("div", tag("table", tag("caption", caption) if caption else None, tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex=0, role="group", aria_label=caption or "table")  # fmt: skip


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell(value if isinstance(value, Html) else named(value, 120), str(value))
    return Cell(f"{value:,}" if isinstance(value, int) else number(value, 3), float(value))


_LONG = 28
"""Letters from which a cell wants room on a phone."""


def _td(cell: Cell, look: str | None, first: bool) -> Html:
    key = None if cell.key is None or isinstance(cell.key, str) else "" if math.isnan(cell.key) else f"{cell.key:.6g}"
    if first:
        return tag("th", cell.shown, scope="row", data_v=key, class_="n" if look == "n" else None)
    return tag("td", cell.shown, data_v=key, class_=look)


def bar_of(shares: Mapping[str, float], shown: float | None = None) -> Html:
    """A bar of shares, each in the colour of its kind, with their sum beside it."""
    total = sum(shares.values()) if shown is None else shown
    parts = [Html(f'<i class="k-{kind}" style="width:{100 * share:.2f}%"></i>') for kind, share in shares.items() if share > 0]
    return tag("span", tag("span", *parts, class_="bar", aria_hidden="true"), tag("span", percent(total)), class_="barred")


def span_of(value: float, low: float, high: float, least: float = 0.0, most: float = 1.0) -> Html | None:
    """An interval on the line from least to most, a mark at the value; nothing where an end is unknown."""
    width = most - least
    if any(map(math.isnan, (value, low, high))) or width <= 0:
        return None
    places = [100 * min(max((x - least) / width, 0.0), 1.0) for x in (low, high, value)]
    inner = [Html(f'<i style="left:{places[0]:.2f}%;width:{max(places[1] - places[0], 0.4):.2f}%"></i>'), Html(f'<b style="left:{places[2]:.2f}%"></b>')]
    return tag("span", *inner, class_="span", aria_hidden="true")


def tile(name: object, value: object, note: object = None, **attributes: Any) -> Html:
    """A number with its name."""
    return tag("div", tag("dt", name), tag("dd", value), tag("dd", note, class_="note") if note is not None else None, **attributes)


def label_rows(report: ErrorReport) -> list[list[object]]:
    """A row for each label of points: its share, how many, the AP it takes."""
    total, cost, rows = sum(report.counts.values()), report.cost, list[list[object]]()
    for kind, count in report.counts.items():
        share, gain = count / total if total else math.nan, cost.gain(kind) if kind in cost.alone else math.nan
        rows.append([Cell(bar_of({kind: share} if total else {}, share), share), count, Cell("" if math.isnan(gain) else f"{gain:+.3f}", gain)])
    return rows


def code(text: str) -> Html:
    """A command; a click marks all of it."""
    return tag("code", text, class_="command")


def dot(kind: str) -> Html:
    """A kind's colour."""
    return tag("i", class_=f"dot k-{kind.replace(' ', '-')}")


def link(target: str, *children: object, **attributes: object) -> Html:
    """A link within the page."""
    return tag("a", *children, href=f"#{target}", **attributes)


def lines(text: str) -> Html:
    """Several lines as they are."""
    return tag("pre", Html("\n".join(joined(line) for line in text.split("\n"))), tabindex=0)
