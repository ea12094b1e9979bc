"""A figure as an SVG element for a page: its title apart, its ink the page's own, its text still text."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure

from .style import COLOURS, FAINT, INK, LINE, PALE, PAPER, SHADES, head_height, styled

__all__ = ["INKS", "Drawing", "drawing"]

INKS: Mapping[str, str] = {
    PAPER: "paper",
    "#ffffff": "paper",
    INK: "ink",
    FAINT: "faint",
    LINE: "line",
    PALE: "pale",
    **{colour: f"shade{i}" for i, colour in enumerate(SHADES)},
    **{colour: kind for kind, colour in COLOURS.items()},
}
"""Colours that a page names itself, so that dark pages have dark figures: var(--ink), var(--jitter), ..."""


@dataclass(frozen=True)
class Drawing:
    """What a page needs of a figure."""

    title: str
    subtitle: str
    width: float
    """In points, as the numbers inside are."""
    height: float
    top: float
    """Where it begins: above stood the title."""
    inside: str
    """Markup between <svg> and </svg>; its ids begin with the name that was given."""


def drawing(figure: Figure, name: str) -> Drawing:
    """The figure without its title, which goes to the page. `name` keeps its ids apart from other figures' of the page."""
    heads = {gid: [t for t in figure.texts if t.get_gid() == gid] for gid in ("title", "subtitle")}
    words = {gid: " ".join(t.get_text() for t in texts) for gid, texts in heads.items()}
    top = 72 * head_height(*map(len, heads.values()))
    for text in [t for texts in heads.values() for t in texts]:
        text.set_visible(False)
    width, height = (72 * float(side) for side in figure.get_size_inches())
    return Drawing(words["title"], words["subtitle"], width, height - top, top, _slim(_saved(figure, name), name))


def _saved(figure: Figure, name: str) -> str:
    out = io.StringIO()
    with styled(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing")
        figure.savefig(out, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _slim(svg: str, name: str) -> str:
    """The markup without what a page does not need: two thirds are blanks, digits and ids that nothing refers to."""
    body = svg[svg.index("<g id=") : svg.rindex("</svg>")]
    body = re.sub(r">\s+<", "><", body).replace("xlink:href", "href").replace("font-family: 'DejaVu Sans'; ", "")
    used = {*re.findall(r'(?:href="|url\()#([\w.-]+)', body)}
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", body)
    body = re.sub(r' (d|x|y|transform)="([^"]*)"', lambda m: f' {m[1]}="{_rounded(m[2])}"', body)
    return re.sub(r'style="[^"]*"', lambda m: re.sub(r"#[0-9a-f]{6}", _own_ink, m[0]), body)


def _rounded(numbers: str) -> str:
    """Two digits behind the point: a hundredth of a point is seen by nobody."""
    return " ".join(re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), numbers).split())


def _own_ink(colour: re.Match[str]) -> str:
    return f"var(--{INKS[colour[0]]})" if colour[0] in INKS else colour[0]
