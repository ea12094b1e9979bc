"""The gallery: cases as cards that can be filtered by error, keypoint and slice, and sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from posedata.pages import Html, named, tag

from ..table import number
from .cases import KINDS, Case
from .contents import Contents
from .crops import TILE, framed, overlay
from .parts import code, dot, section
from .slicing import held_by

__all__ = ["gallery"]

_SORTS = {"": "worst of each kind first", "oks": "OKS, lowest first", "-score": "score, highest first", "-area": "area, largest first", "area": "area, smallest first"}  # fmt: skip


_LEGEND = "White: the truth, hidden points hollow. Bright: the prediction; coloured points are wrong, dashes lead to where they belong."


def gallery(c: Contents) -> Html | None:
    """Cards, and what filters them."""
    if not c.cases:
        return (
            section("gallery", "The worst poses", tag("p", "No pose is wrong." if c.images else "No case was asked for.")) if c.ev.counts["counted"] else None
        )
    cards = [_card(c, place, case) for place, case in enumerate(c.cases)]
    lead = f"{len(c.cases):,} poses, the worst of each kind. {_LEGEND}"
    lead += f" {c.blind:,} have no picture here: {c.why_blind()}." if c.blind else ""
    return section("gallery", "The worst poses", _controls(c), tag("div", *cards, class_="cards"), tag("p", tag("button", "Show all", type="button", id="more"), class_="more"), lead=lead)  # fmt: skip


def shown_few(c: Contents, n: int = 8) -> Html:
    """The first cases without anything to press, for paper."""
    cards = [_card(c, place, case) for place, case in enumerate(c.cases[:n])]
    return section("gallery", "The worst poses", tag("div", *cards, class_="cards"), lead=f"{len(cards)} of {len(c.cases)}. {_LEGEND}")


# -- what filters ------------------------------------------------------------------------------------


def _controls(c: Contents) -> Html:
    kinds = [kind for kind in KINDS if any(kind in case.kinds for case in c.cases)]
    names = [c.ev.truth.schema.names[k] for k in c.errors.labelled.problem.columns]
    points = sorted({k for case in c.cases for rows in case.wrong().values() for k in rows})
    return tag(
        "form",
        _choice("kind", "Error", [tag("option", kind, value=kind) for kind in kinds]),
        _choice("point", "Keypoint", [tag("option", named(names[k], 40), value=k) for k in points]),
        _choice("slice", "Slice", [tag("optgroup", *options, label=named(group, 40)) for group, options in _slices(c) if options]),
        tag("label", "Sort by", tag("select", *(tag("option", text, value=key) for key, text in _SORTS.items()), name="sort")),
        tag("label", tag("input", type="checkbox", name="truth", checked=True), "truth", class_="check"),
        tag("label", tag("input", type="checkbox", name="pred", checked=True), "prediction", class_="check"),
        tag("output", f"{len(c.cases):,} shown", aria_live="polite"),
        class_="controls",
        id="controls",
    )


def _choice(name: str, title: str, options: Sequence[Html]) -> Html | None:
    return tag("label", title, tag("select", tag("option", "all", value=""), *options, name=name)) if options else None


def _slices(c: Contents) -> list[tuple[str, list[Html]]]:
    held = {pair for case in c.cases for pair in held_by(c.slices, case.truth)}
    return [
        (group.name, [tag("option", f"{group.name}: {named_text(label)}", value=f"{g}.{i}") for i, label in enumerate(group.labels) if (g, i) in held])
        for g, group in enumerate(c.slices)
    ]


def named_text(label: str) -> str:
    """A label short enough for a list."""
    return label if len(label) <= 40 else f"{label[:38]}…"


# -- cards -------------------------------------------------------------------------------------------


def _card(c: Contents, place: int, case: Case) -> Html:
    wrong = case.wrong()
    data = {
        "data_kind": "|".join(case.kinds),
        "data_point": " ".join(str(k) for k in sorted({k for rows in wrong.values() for k in rows})),
        "data_slice": " ".join(f"{g}.{i}" for g, i in held_by(c.slices, case.truth)),
        "data_oks": f"{case.oks:.4f}",
        "data_score": "" if math.isnan(case.score) else f"{case.score:.4f}",
        "data_area": f"{case.area:.0f}",
    }
    return tag("article", _picture(c, case, c.crops.get(place)), _caption(c, case), class_="case", id=f"case-{place + 1}", **data)


def _picture(c: Contents, case: Case, crop: str | None) -> Html:
    says = _says(c, case)
    square = framed(c.errors, case)
    if crop is None:
        return tag("div", overlay(c.errors, case, square, role="img", aria_label=says), class_="crop blind")
    shown = tag("img", src=Html(crop), width=TILE, height=TILE, alt=says, decoding="async")
    return tag("div", shown, overlay(c.errors, case, square, aria_hidden="true"), class_="crop")


def _says(c: Contents, case: Case) -> str:
    """The card in words."""
    images = c.ev.truth.images
    return f"{', '.join(case.kinds) or 'good'} on {named_text(str(images.file[case.image]) or f'image {images.id[case.image]}')}, OKS {case.oks:.2f}"


def _caption(c: Contents, case: Case) -> Html:
    names = [c.ev.truth.schema.names[k] for k in c.errors.labelled.problem.columns]
    images, own = c.ev.truth.images, c.ev.truth.instances
    wrong = case.wrong()
    chips = [tag("p", dot(kind), tag("b", kind)) for kind in case.kinds if kind not in wrong]
    numbers = [
        f"OKS {case.oks:.2f}",
        *([] if math.isnan(case.score) else [f"score {number(case.score, 2)}"]),
    ]
    near = "nearest: " if "background" in case.kinds else ""
    who = f"{near}annotation {own.id[case.truth]}" if case.truth >= 0 else "no truth"
    points = [tag("li", dot(label), tag("b", label), ": ", named(", ".join(names[k] for k in rows), 160)) for label, rows in wrong.items()]
    return tag(
        "div",
        tag("p", " · ".join(numbers), class_="numbers"),
        *chips,
        tag("ul", *points) if points else None,
        tag("p", named(str(images.file[case.image]) or f"image {images.id[case.image]}", 60), tag("br"), named(who, 60), class_="note"),
        code(c.browse(case)),
        class_="caption",
    )
