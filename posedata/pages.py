"""Pages: HTML in which every text is escaped unless it is markup already, under a head that lets nothing in from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html

from .errors import brief, one_line

__all__ = ["Html", "document", "joined", "named", "tag"]


class Html(str):
    """Text that is markup already; all other text is escaped on its way into a page."""

    __slots__ = ()


_VOID = ("br", "col", "img", "input", "meta")


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. `class_` and `data_x` are spelled class and data-x; True is an attribute without a value, None and False none.

    >>> tag("a", "1 < 2", class_="x", data_n=3)
    '<a class="x" data-n="3">1 &lt; 2</a>'
    """
    words = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Html(f"<{name}{words}>" if name in _VOID else f"<{name}{words}>{joined(*children)}</{name}>")


def joined(*children: object) -> Html:
    """The children one after the other, None left out."""
    return Html("".join(_markup(child) for child in children if child is not None))


def named(text: object, width: int = 80) -> Html:
    """A name of the wild as a page may show it: on one line, not too long, escaped."""
    return _markup(brief(str(text), width))


def _markup(child: object) -> Html:
    if isinstance(child, Html):
        return child
    if isinstance(child, list | tuple):
        return joined(*child)
    return Html(html.escape(one_line(str(child))))


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{_markup(value if isinstance(value, str) else str(value))}"'


def document(title: object, body: object, style: str, script: str = "") -> str:
    """The whole page. It may load nothing: pictures are in it, and no script runs but this one."""
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=Html(policy)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", named(title, 120)),
        Html(f"<style>{style}</style>"),
    )
    run = Html(f"<script>{script}</script>") if script else None
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{joined(body, run)}</body></html>\n'
