"""The profile as one page: nothing is fetched from elsewhere, light or dark as the reader has it, and all names are escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..files import write_bytes
from ..images import jpeg, small_example
from ..pages import Html, document, named
from .looking import Profile
from .measuring import MEANINGS
from .plots import panels, svg

__all__ = ["page", "write_page"]

_MOST_EXAMPLES = 60
_STYLE = """
:root { color-scheme: light dark; --ground: #faf9f6; --card: #fff; --ink: #26262a; --faint: #6f6d67; --line: #e4e1d9; }
@media (prefers-color-scheme: dark) { :root { --ground: #161618; --card: #1f1f22; --ink: #e8e6e1; --faint: #a09d96; --line: #36363b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1560px; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .2rem 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
p, figcaption, .note { color: var(--faint); margin: .2rem 0; overflow-wrap: anywhere; }
.grid { columns: 410px; column-gap: 1rem; } .grid figure { break-inside: avoid; margin-bottom: 1rem; }
figure { margin: 0; padding: .8rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figure h3 { margin: 0 0 .3rem; font-size: 1rem; overflow-wrap: anywhere; } figcaption { font-size: .85rem; }
figure svg { width: 100%; height: auto; color: var(--ink); display: block; }
.examples { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.examples figure { padding: .4rem; } .examples img { width: 100%; height: 150px; object-fit: contain; display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; background: var(--card); }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--faint); font-weight: 600; } th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .5rem; margin: 1rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; } dt { color: var(--faint); font-size: .82rem; } dd { margin: 0; font-size: 1.2rem; }
"""


def write_page(p: Profile, path: str | Path, examples: int = 24) -> Path:
    """Write the page."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise FormatError(str(path), f"no page ends in {Path(path).suffix!r}", "write .html")
    return write_bytes(path, page(p, examples).encode())


def page(p: Profile, examples: int = 24) -> str:
    """The whole page."""
    name = named(p.dataset.name, 120)
    parts = [
        f"<h1>{name}</h1>",
        f"<p>{named(p.dataset.schema.name)}: {len(p.dataset.schema)} keypoints, {named(p.dataset.schema.sigma_note(), 400)}.{_opened(p)}</p>",
        _counts(p),
        *_differences(p),
        "<h2>Figures</h2>",
        f'<div class="grid">{"".join(_figure(title, alt, drawing) for title, alt, drawing in _drawn(p))}</div>',
        *_examples(p, min(examples, _MOST_EXAMPLES)),
        "<h2>Numbers</h2>",
        _summary(p),
        *_keypoints(p),
    ]
    return document(f"{p.dataset.name}: profile", Html("".join(parts)), _STYLE)


def _opened(p: Profile) -> str:
    total = len(p.images["width"])
    said = f" {p.opened:,} of {total:,} pictures were opened." if p.opened else " No picture was opened."
    return said + (f" {len(p.unread):,} could not be." if p.unread else "")


def _counts(p: Profile) -> str:
    return "<dl>" + "".join(f"<div><dt>{named(name)}</dt><dd>{n:,}</dd></div>" for name, n in p.counts.items()) + "</dl>"


def _drawn(p: Profile) -> Iterable[tuple[str, str, str]]:
    return ((panel.title, panel.alt, svg(panel)) for panel in panels(p))


def _figure(title: str, alt: str, drawing: str) -> str:
    label = html.escape(f"{title}. {alt}", quote=True)
    return f'<figure><h3>{html.escape(title)}</h3><div role="img" aria-label="{label}">{drawing}</div><figcaption>{html.escape(alt)}</figcaption></figure>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Cells that are numbers are written short, text is escaped."""
    lines = "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{"".join(f"<th>{html.escape(h)}</th>" for h in heads)}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "-" if not np.isfinite(value) else f"{value:,.4g}" if abs(float(value)) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else named(value)


def _summary(p: Profile) -> str:
    table = p.summary
    names = [str(name) for name in table["column"]]
    rows = [row for row in zip(*table.values(), strict=True) if row[1]]
    meanings = "; ".join(f"{name}: {MEANINGS[name]}" for name in dict.fromkeys(n.removeprefix("image ") for n in names) if name in MEANINGS)
    return _table(["", *list(table)[1:]], rows) + f'<p class="note">{html.escape(meanings)}.</p>'


def _keypoints(p: Profile) -> list[str]:
    if not len(p.keypoints["keypoint"]):
        return []
    return ["<h2>Keypoints</h2>", _table([name.replace("_", " ") for name in p.keypoints], zip(*p.keypoints.values(), strict=True))]


def _differences(p: Profile, most: int = 30) -> list[str]:
    if p.against is None:
        return []
    table = p.differences
    order = ("what", "difference", "low", "high", "here", "there", "n_here", "n_there")
    rows = list(zip(*(table[name] for name in order), strict=True))[:most]
    heads = ["", "difference", "from", "to", "here", "there", "n here", "n there"]
    note = "Difference of the means or shares over the pooled deviation, with a 95 % interval: by custom .2 is small, .5 medium, .8 large."
    return [f"<h2>Differences from {named(p.against.dataset.name)}</h2>", _table(heads, rows), f'<p class="note">{note}</p>']


def _examples(p: Profile, n: int) -> list[str]:
    """Small pictures: spread over the set, then the extremes."""
    ds = p.dataset
    cards = []
    for row, why in _chosen(p, n):
        try:
            picture = small_example(ds, row, 220)
        except FormatError:
            continue  # the count of unread pictures stands at the top
        data = base64.b64encode(jpeg(picture)).decode()
        name = named(ds.images.file[row] or ds.images.id[row], 60)
        cards.append(
            f'<figure><img alt="{name}, {html.escape(why)}" src="data:image/jpeg;base64,{data}"><figcaption>{name}<br>{html.escape(why)}</figcaption></figure>'
        )
    return ["<h2>Examples</h2>", f'<div class="examples">{"".join(cards)}</div>'] if cards else []


def _chosen(p: Profile, n: int) -> list[tuple[int, str]]:
    """Rows of images and why each is shown, none twice."""
    known = np.flatnonzero(np.isfinite(p.images["sharpness"]))
    if not len(known) or n <= 0:
        return []
    found = {int(row): "one of many" for row in known[np.unique(np.linspace(0, len(known) - 1, min(n, len(known))).round().astype(int))][: max(1, n - 6)]}
    for name, last, why in (
        ("sharpness", False, "least sharp"),
        ("sharpness", True, "sharpest"),
        ("brightness", False, "darkest"),
        ("brightness", True, "brightest"),
        ("instances", True, "most instances"),
        ("instances", False, "fewest instances"),
    ):
        values = p.images[name][known]
        row = int(known[np.argmax(values) if last else np.argmin(values)])
        found[row] = f"{why}: {values.max() if last else values.min():.4g}"
    return list(found.items())[: max(n, 0)] if n < 7 else list(found.items())
