"""The page: sections in one file that needs nothing else; and the same on four sheets of paper."""

from __future__ import annotations

from posedata.pages import document, joined, tag

from . import sections
from .contents import Contents
from .gallery import shown_few
from .looks import script, style
from .parts import code, figure, lines, link
from .printing import sheets

__all__ = ["page", "printed"]


def page(c: Contents) -> str:
    """The whole page of one set of predictions."""
    made = {key: part for key, (_, make) in sections.SECTIONS.items() if (part := make(c)) is not None}
    contents = tag("nav", *(link(key, sections.SECTIONS[key][0]) for key in made), aria_label="contents")
    foot = tag("footer", tag("p", "Made by posebench. This page loads nothing from elsewhere."))
    return document(f"{c.title}: posebench report", joined(sections.hero(c), contents, tag("main", *made.values()), foot), style(), script())


def printed(c: Contents) -> str:
    """Four sheets: the score, the errors, the keypoints, and the poses to look at."""

    def drawn(*names: str) -> object:
        return tag("div", *(figure(c.figures[n], n) for n in names if n in c.figures), class_="figures")

    return sheets(
        f"{c.title}: posebench report",
        [
            joined(
                sections.hero(c),
                drawn("precision_recall", "ap_by_threshold"),
                tag("h3", "Make it again"),
                code(c.reproduced),
                tag("h3", "Rules"),
                lines(c.ev.block()),
            ),
            joined(sections.errors(c), drawn("skeleton", "calibration_bars")),
            joined(tag("h2", "Keypoint by keypoint"), drawn("error_shares", "similarity_strips", "tolerance_circles", "confusion"), sections.short_slices(c)),
            joined(shown_few(c), sections.truth(c)),
        ],
    )
