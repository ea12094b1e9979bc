"""The figures of a profile: the room of matplotlib. Each is one set of axes, drawn alone as SVG or with the others on a sheet."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..errors import FormatError, brief, one_line
from ..files import write_with
from .looking import Profile
from .measuring import CELLS, MARGIN, MEANINGS

__all__ = ["Panel", "panels", "svg", "write_sheet"]

WIDTH = 4.2
"""Inches: a phone shows it without shrinking the letters much."""
INK, FAINT, SEEN, HIDDEN, OUTSIDE, WARM = "#2a2a2e", "#8a8880", "#3f7fb5", "#8fb8da", "#d9a066", "#d2691e"
_DEEP = LinearSegmentedColormap.from_list("deep", [(0.25, 0.5, 0.71, 0.0), (0.25, 0.5, 0.71, 1.0)])
"""From nothing to blue: the page's own ground shows through, be it light or dark."""
_STYLE = {
    "font.size": 8.8, "text.parse_math": False, "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": FAINT, "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.labelcolor": INK, "text.color": INK, "axes.titlesize": 9.5, "axes.titlelocation": "left", "font.sans-serif": ["DejaVu Sans"],
}  # fmt: skip
_MOST_ROWS = 60


@dataclass(frozen=True)
class Panel:
    """One figure: its title, what it says to who does not see it, its height and its left margin in inches."""

    title: str
    alt: str
    height: float
    left: float
    draw: Callable[[Any], None]
    bottom: float = 0.45
    top: float = 0.1


def panels(p: Profile) -> list[Panel]:
    """The figures for which the set has something to show."""
    made: list[Panel | None] = [
        _sizes(p),
        _counts(p.images["instances"], "instances on an image", "images"),
        _numbers(p.instances["pixels"], "pixels of an instance", MEANINGS["pixels"], "instances", marks=(32, 96)),
        _numbers(p.instances["box_share"], "share of the image", MEANINGS["box_share"], "instances"),
        *[_bars(name, counts) for name, counts in p.values.items() if len(counts) > 1 or name == "category"],
        _visibility(p),
        _counts(p.instances["labelled"], "labelled points of an instance", "instances") if len(p.keypoints["keypoint"]) else None,
        _together(p),
        _places(p),
        _lengths(p),
        _directions(p),
        *[_numbers(p.images[name], name, MEANINGS[name], "images") for name in ("sharpness", "brightness")],
        _differences(p),
    ]
    return [panel for panel in made if panel is not None]


# -- single figures ----------------------------------------------------------------------------------


def _sizes(p: Profile) -> Panel | None:
    known = np.isfinite(p.images["width"])
    if not known.any():
        return None
    sizes, counts = np.unique(np.stack([p.images["width"][known], p.images["height"][known]], 1), axis=0, return_counts=True)

    def draw(ax: Any) -> None:
        ax.scatter(*sizes.T, s=14 + 240 * counts / counts.max(), color=SEEN, alpha=0.55, linewidths=0)
        ax.set(xlabel="width", ylabel="height", xlim=(0, sizes[:, 0].max() * 1.12), ylim=(0, sizes[:, 1].max() * 1.12))

    commonest = sizes[np.argmax(counts)].astype(int)
    return Panel("sizes of images", f"{len(sizes):,} sizes; most often {commonest[0]} x {commonest[1]} ({counts.max():,} images).", 2.6, 0.6, draw)


def _counts(values: Any, title: str, of: str) -> Panel | None:
    known = values[np.isfinite(values)].astype(int)
    if not len(known):
        return None
    n = np.bincount(np.minimum(known, 40))

    def draw(ax: Any) -> None:
        ax.bar(np.arange(len(n)), n, color=SEEN, width=0.85)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel=title + (" (40: or more)" if known.max() > 40 else ""), ylabel=of)

    return Panel(title, f"From {known.min()} to {known.max():,}, median {np.median(known):g}, over {len(known):,} {of}.", 2.2, 0.65, draw)


def _numbers(values: Any, title: str, meaning: str, of: str, marks: Sequence[float] = ()) -> Panel | None:
    """A histogram without its most extreme hundredth."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [0, 0.99])
    high = high if high > low else low + 1

    def draw(ax: Any) -> None:
        ax.hist(known, bins=40, range=(low, high), color=SEEN)
        for mark in marks:
            if low < mark < high:
                ax.axvline(mark, color=WARM, linewidth=1)
        ax.set(xlabel=f"{title}" + (f"; lines at {' and '.join(map(str, marks))}" if marks else ""), ylabel=of)

    return Panel(
        title,
        f"{meaning}: median {_short(np.median(known))}, half between {_short(np.quantile(known, 0.25))} and {_short(np.quantile(known, 0.75))}, {len(known):,} {of}.",
        2.2,
        0.65,
        draw,
    )


def _bars(name: str, counts: dict[str, int] | Any) -> Panel | None:
    """A bar for each value; the rarest are added up where there are very many."""
    rows = sorted(counts.items(), key=lambda item: -item[1])
    if not rows:
        return None
    if len(rows) > _MOST_ROWS:
        rest = rows[_MOST_ROWS - 1 :]
        rows = [*rows[: _MOST_ROWS - 1], (f"({len(rest):,} more)", sum(n for _, n in rest))]
    labels = [_label(value) for value, _ in rows]
    values = np.array([n for _, n in rows])

    def draw(ax: Any) -> None:
        place = np.arange(len(rows))
        ax.barh(place, values, color=SEEN, height=0.75)
        for at, n in zip(place, values, strict=True):
            ax.text(n, at, f" {n:,}", va="center", fontsize=7.5, color=FAINT)
        ax.set_yticks(place, labels)
        ax.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, max(1, values.max()) * 1.18))
        ax.tick_params(axis="y", length=0)

    total = max(1, values.sum())
    most = f"{labels[0]!r} {values[0] / total:.0%}" if len(rows) else ""
    return Panel(
        _label(name, 40),
        f"{len(counts):,} value{'s' * (len(counts) != 1)} over {total:,}; most often {most}.",
        0.19 * len(rows) + 0.5,
        _margin(labels),
        draw,
        bottom=0.35,
    )


def _label(text: str, width: int = 26) -> str:
    """A name as a figure can hold it."""
    plain = one_line(str(text))
    return (plain if len(plain) <= width else f"{plain[: width - 8]}...{plain[-5:]}") or "(empty)"


def _short(value: float) -> str:
    """Three figures, and no power of ten."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _margin(labels: Sequence[str]) -> float:
    """Inches that names at the left need."""
    return 0.25 + 0.072 * max(map(len, labels), default=0)


def _visibility(p: Profile) -> Panel | None:
    k = p.keypoints
    known = k["instances"] > 0
    if not known.any():
        return None
    labels = [_label(name) for name in k["keypoint"]]
    total = np.where(known, k["instances"], 1)

    def draw(ax: Any) -> None:
        place, start = np.arange(len(labels)), np.zeros(len(labels))
        for name, colour in (("seen", SEEN), ("hidden", HIDDEN), ("outside", OUTSIDE)):
            ax.barh(place, k[name] / total, left=start, color=colour, height=0.75, label=name)
            start = start + k[name] / total
        ax.set_yticks(place, labels)
        ax.set(ylim=(len(labels) - 0.4, -0.6), xlim=(0, 1))
        ax.set_xlabel("share of instances that have any point", loc="right")
        ax.tick_params(axis="y", length=0)
        ax.legend(ncols=3, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, handlelength=1, fontsize=8)

    share = np.where(known, k["labelled_share"], np.nan)
    low, high = int(np.nanargmin(share)), int(np.nanargmax(share))
    alt = f"Labelled most often: {labels[high]} ({share[high]:.0%}); least often: {labels[low]} ({share[low]:.0%}). Blank is unlabelled."
    return Panel("visibility of the keypoints", alt, 0.19 * len(labels) + 0.9, _margin(labels), draw, top=0.3)


def _together(p: Profile) -> Panel | None:
    labels = [_label(name) for name in p.keypoints["keypoint"]]
    if len(labels) < 2 or not np.isfinite(p.together).any():
        return None

    def draw(ax: Any) -> None:
        n = len(labels)
        values = np.ma.masked_invalid(p.together)
        ax.pcolormesh(np.arange(n + 1), np.arange(n + 1), values, cmap=_DEEP, vmin=0, vmax=1)
        size = min(8.5, 8.5 * 18 / n)
        ax.set_yticks(np.arange(n) + 0.5, labels, fontsize=size)
        ax.set_xticks(np.arange(n) + 0.5, labels, rotation=90, fontsize=size)
        ax.set(xlim=(0, n), ylim=(n, 0))
        ax.tick_params(length=0)

    off = p.together + np.where(np.eye(len(labels)) > 0, np.nan, 0)
    if not np.isfinite(off).any():
        return None
    row, column = np.unravel_index(np.nanargmin(off), off.shape)
    alt = f"Where the row's point is labelled, how often the column's is too: full blue always, blank never. Least: {labels[column]} given {labels[row]} ({off[row, column]:.0%})."
    margin = _margin(labels) * min(1, 18 / len(labels))
    return Panel("keypoints labelled together", alt, WIDTH - 0.1 + 0.2, margin, draw, bottom=margin)


def _places(p: Profile) -> Panel | None:
    """Small maps, one for each point, side by side."""
    labels = [_label(name, 15) for name in p.keypoints["keypoint"]]
    if not labels or not p.places.any():
        return None
    across = min(len(labels), 4)
    down = -(-len(labels) // across)

    def draw(ax: Any) -> None:
        for place, (label, cells) in enumerate(zip(labels, p.places, strict=True)):
            x, y = place % across * 1.12, place // across * 1.36
            edges = np.linspace(0, 1, CELLS + 1)
            if cells.any():
                shown = np.ma.masked_equal(cells / np.quantile(cells[cells > 0], 0.98), 0)
                ax.pcolormesh(x + edges, y + edges, shown, cmap=_DEEP, vmin=0, vmax=1, rasterized=True)
            inner = MARGIN / (1 + 2 * MARGIN)
            ax.plot(
                x + np.array([inner, 1 - inner, 1 - inner, inner, inner]), y + np.array([inner, inner, 1 - inner, 1 - inner, inner]), color=FAINT, linewidth=0.7
            )
            ax.text(x + 0.5, y + 1.02, label, ha="center", va="top", fontsize=6.4 if across > 3 else 7.2)
        ax.set(xlim=(-0.02, max(across, 3) * 1.12 - 0.1), ylim=(down * 1.36, -0.03), aspect="equal")
        ax.axis("off")

    wide = (WIDTH - 0.2) / (max(across, 3) * 1.12)
    return Panel(
        "where keypoints lie in the box",
        "A map for each point; the frame is the box, a tenth of it is shown around.",
        down * 1.36 * wide + 0.15,
        0.1,
        draw,
        bottom=0.05,
    )


def _lengths(p: Profile) -> Panel | None:
    t = p.limbs
    if not len(t["limb"]) or not t["n"].any() or not np.isfinite(t["length_median"]).any():
        return None
    labels = [_label(name, 34) for name in t["limb"]]

    def draw(ax: Any) -> None:
        place = np.arange(len(labels))
        ax.hlines(place, t["length_p5"], t["length_p95"], color=HIDDEN, linewidth=1.2)
        ax.hlines(place, t["length_p25"], t["length_p75"], color=SEEN, linewidth=5)
        ax.plot(t["length_median"], place, "|", color=WARM, markersize=7, markeredgewidth=1.6)
        ax.set_yticks(place, labels, fontsize=7.5)
        ax.set(ylim=(len(labels) - 0.4, -0.6), xlim=(0, None))
        ax.set_xlabel("length / root of the box's area", loc="right")
        ax.tick_params(axis="y", length=0)

    longest = int(np.nanargmax(t["length_median"]))
    alt = f"Median, middle half and nine tenths. Longest: {labels[longest]}, median {t['length_median'][longest]:.2f}."
    return Panel("lengths of limbs", alt, 0.19 * len(labels) + 0.6, _margin(labels) * 0.88, draw)


def _directions(p: Profile) -> Panel | None:
    labels = [_label(name, 34) for name in p.limbs["limb"]]
    if not labels or not p.angles.any():
        return None

    def draw(ax: Any) -> None:
        shares = p.angles / np.maximum(p.angles.max(1, keepdims=True), 1)
        ax.pcolormesh(np.linspace(-180, 180, p.angles.shape[1] + 1), np.arange(len(labels) + 1), shares, cmap=_DEEP, vmin=0, vmax=1)
        ax.set_yticks(np.arange(len(labels)) + 0.5, labels, fontsize=7.5)
        ax.set_xticks([-180, -90, 0, 90, 180], ["left", "up", "right", "down", "left"])
        ax.set_ylim(len(labels), 0)
        ax.tick_params(axis="y", length=0)

    steady = int(np.nanargmax(np.where(p.limbs["n"] > 0, p.limbs["steadiness"], -1)))
    alt = f"How often each limb points where, from its first end to its second. Steadiest: {labels[steady]}."
    return Panel("directions of limbs", alt, 0.19 * len(labels) + 0.5, _margin(labels) * 0.88, draw, bottom=0.35)


def _differences(p: Profile, most: int = 24) -> Panel | None:
    d = p.differences
    if not d or not len(d["what"]):
        return None
    rows = np.flatnonzero(np.isfinite(d["difference"]))[:most]
    labels = [_label(d["what"][row], 38) for row in rows]

    def draw(ax: Any) -> None:
        place = np.arange(len(rows))
        ax.axvline(0, color=FAINT, linewidth=0.8)
        ax.hlines(place, d["low"][rows], d["high"][rows], color=HIDDEN, linewidth=2)
        ax.plot(d["difference"][rows], place, "o", color=SEEN, markersize=4)
        ax.set_yticks(place, labels, fontsize=7.2)
        ax.set(
            ylim=(len(rows) - 0.4, -0.6),
        )
        ax.set_xlabel("standardised difference, 95 % interval", loc="right")
        ax.tick_params(axis="y", length=0)

    other = _label(p.against.dataset.name, 60) if p.against else ""
    alt = f"Against {other}: what differs most. Largest: {labels[0]} ({d['difference'][rows[0]]:+.2f})." if len(rows) else f"Against {other}: nothing differs."
    return Panel("largest differences from the other set", alt, 0.19 * len(rows) + 0.6, _margin(labels) * 0.84, draw)


# -- out ---------------------------------------------------------------------------------------------


@contextmanager
def _styled(**more: Any) -> Iterator[None]:
    """Our style; letters that the font lacks are drawn as boxes, which is no event."""
    with warnings.catch_warnings(), rc_context({**_STYLE, **more}):
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        yield


def svg(panel: Panel) -> str:
    """The figure as an element for a page; its ink is the page's own, its text stays text."""
    with _styled(**{"svg.hashsalt": panel.title}):
        figure = Figure(figsize=(WIDTH, panel.height + 0.1), facecolor="none")
        FigureCanvasSVG(figure)
        _place(figure, panel, 0.0, panel.height + 0.1, WIDTH, panel.height + 0.1)
        out = io.StringIO()
        figure.savefig(out, format="svg", dpi=160, metadata={"Date": None, "Creator": None}, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return text[: text.index("<metadata>")] + text[text.index("</metadata>") + 11 :] if "<metadata>" in text else text


def _place(figure: Figure, panel: Panel, x: float, top: float, wide: float, high: float) -> None:
    """Draw a panel whose upper left corner is at (x, top), counted in inches from the figure's lower left."""
    left = min(panel.left, WIDTH * 0.55)
    low = top - panel.height + panel.bottom
    ax = figure.add_axes((
        (x + left) / wide,
        low / high,
        (WIDTH - left - 0.12) / wide,
        max(panel.height - panel.bottom - panel.top, 0.2) / high,
    ))  # fmt: skip
    ax.set_facecolor("none")
    panel.draw(ax)


def write_sheet(p: Profile, path: str | Path, columns: int = 3) -> Path:
    """All figures as one picture, in columns of about one height."""
    if Path(path).suffix.lower() != ".png":
        raise FormatError(str(path), f"no sheet ends in {Path(path).suffix!r}", "write .png")
    shown = panels(p)
    piles: list[list[Panel]] = [[] for _ in range(columns)]
    for panel in shown:  # the shortest column gets the next figure
        min(piles, key=lambda pile: sum(q.height + 0.5 for q in pile)).append(panel)
    high = max((sum(q.height + 0.5 for q in pile) for pile in piles), default=1) + 0.7
    wide = columns * (WIDTH + 0.3) + 0.3
    with _styled():
        figure = Figure(figsize=(wide, high), facecolor="#faf9f6")
        FigureCanvasAgg(figure)
        figure.text(0.3 / wide, 1 - 0.3 / high, _label(brief(p.dataset.name, 80), 90), fontsize=14, va="center")
        counts = f"{p.counts['instances']:,} instances on {p.counts['images']:,} images, {p.dataset.schema.name}"
        figure.text(0.3 / wide, 1 - 0.55 / high, counts, fontsize=9, color=FAINT, va="center")
        for place, pile in enumerate(piles):
            x, top = 0.3 + place * (WIDTH + 0.3), high - 0.75
            for panel in pile:
                figure.text(x / wide, (top - 0.12) / high, panel.title, fontsize=10, va="center", weight="bold")
                _place(figure, panel, x, top - 0.28, wide, high)
                top -= panel.height + 0.5
        return write_with(path, lambda temporary: figure.savefig(temporary, dpi=110))
