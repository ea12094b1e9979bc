"""How comparisons, standings and power read as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from posedata.errors import one_line

from ..metrics import METRICS, read_metric
from ..table import number

if TYPE_CHECKING:
    from .compare import Comparison, Difference
    from .power import Power
    from .standings import Standings

__all__ = ["amount", "comparison_text", "p_text", "power_text", "sentence", "share", "standings_text"]

_NAMES = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg", "none": ""}


def p_text(p: float) -> str:
    """A p-value as papers print it: .003."""
    return "-" if math.isnan(p) else "1" if p >= 0.9995 else f"{p:.3f}".lstrip("0") if p >= 0.0005 else "<.001"


def share(level: float) -> str:
    """95%."""
    return f"{100 * level:.10g}%"


def amount(metric: str, value: float) -> str:
    """A difference with its unit: 1.2 AP, in hundredths where the number is a share; 0.8 pixels of EPE."""
    s = read_metric(metric)
    if s.name in ("EPE", "RMSE", "Distance"):
        return f"{value:.2f} pixels of {metric}"
    return f"{value:.4f} of {metric}" if s.name == "NME" else f"{100 * value:.1f} {metric}"


def sentence(row: Difference, correction: str = "none") -> str:
    """What a difference means, in plain words."""
    where = f" where {row.by} is {one_line(str(row.label))}" if row.by else ""
    after = f" after {_NAMES[correction]}" if correction != "none" else ""
    if math.isnan(row.difference):
        return f"{row.a} and {row.b}: nothing to compare by {row.metric}{where}"
    if not row.better:
        return f"{row.a} and {row.b} have the same {row.metric}{where} (p = {p_text(row.corrected)}{after})"
    worse = row.a if row.better == row.b else row.b
    more = "has" if METRICS[read_metric(row.metric).name].higher_is_better else "is better by"
    gain = f"{one_line(row.better)} {more} {amount(row.metric, abs(row.difference))}{' more' if more == 'has' else ''} than {one_line(worse)}{where}"
    verdict = "sure" if row.real else "may be luck"
    return f"{gain}; {verdict} (p = {p_text(row.corrected)}{after})"


def comparison_text(c: Comparison) -> str:
    """The table, what it means in words, the standings of more than two, and how all was made."""
    ev = c.evaluations[0]
    head = f"{ev.truth.name}: {', '.join(map(one_line, c.names))} on {ev.counts['images']:,} images with {ev.counts['counted']:,} truths"
    parts = [head, differences_table(c)]
    words = [sentence(row, c.correction) + why for row, why in zip(_leading(c), _whys(c), strict=True)]
    parts.append("\n".join(words))
    if len(c.names) > 2:
        parts.append(standings_table(c.standings))
    parts.append("\n".join([*(f"warning: {one_line(note)}" for note in c.notes), c.how, f"protocol {ev.protocol.name} ({ev.protocol.fingerprint})"]))
    return "\n\n".join(parts)


def _leading(c: Comparison) -> list[Difference]:
    """The first metric of each two models on all images."""
    return [row for row in c.rows if not row.by and row.metric == c.rows[0].metric]


def _whys(c: Comparison) -> list[str]:
    """Why, where somebody has asked for the reasons and the sentence is of AP."""
    made = c.__dict__.get("reasons")  # a cached property: printing alone does not make it
    pairs = _leading(c)
    return [f"; {r.text}" if made and pairs[0].metric == "AP" else "" for r in made] if made else ["" for _ in pairs]


def differences_table(c: Comparison) -> str:
    """A row for each difference; a star where it is real."""
    many = len(c.names) > 2
    value = ("first", "second") if many else tuple(one_line(n) for n in c.names)
    after = _NAMES[c.correction]
    rows = [
        [
            *(["models"] if many else []),
            "",
            "metric",
            *value,
            "difference",
            f"{share(c.level)} interval",
            "n",
            "p",
            *([f"p after {after}"] if after else []),
            "",
        ]
    ]
    for row in c.rows:
        where = f"{row.by}: {one_line(str(row.label))}" if row.by else ""
        rows.append([
            *([f"{one_line(row.a)} -> {one_line(row.b)}"] if many else []), where, row.metric, number(row.value_a), number(row.value_b),
            _signed(row.difference), _span(_signed(row.low), _signed(row.high)), f"{row.n:,}", p_text(row.p), *([p_text(row.corrected)] if after else []), "*" if row.real else "",
        ])  # fmt: skip
    return f"{_aligned(rows, 3 if many else 2)}\n  * real: not by luck, at level {c.level:g}"


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value + 0.0:+.4f}"


def _span(low: str, high: str) -> str:
    """Both ends, or a dash where there are none."""
    return low if low == high == "-" else f"{low} to {high}"


def standings_text(s: Standings) -> str:
    """The ranking, who was refused, and how it was made."""
    refused = [f"refused: {one_line(name)}: {one_line(why)}" for name, why in s.refused.items()]
    return "\n\n".join(part for part in (standings_table(s), "\n".join([*refused, *(f"warning: {one_line(n)}" for n in s.notes)]), s.how) if part)


def standings_table(s: Standings) -> str:
    """A row for each model, best first."""
    ties = [sum(other.rank == row.rank for other in s.rows) > 1 for row in s.rows]
    rows = [["rank", "model", s.metric, f"{share(s.level)} interval", "ranks", "first", "group"]]
    for row, tied in zip(s.rows, ties, strict=True):
        spread = f"{row.rank_low}" if row.rank_low == row.rank_high else f"{row.rank_low} to {row.rank_high}"
        known = row.rank > 0
        rows.append([
            (f"{row.rank}{'=' if tied else ''}" if known else "-"), one_line(row.name), number(row.value), _span(number(row.low), number(row.high)),
            spread if known else "-", f"{row.first:.0%}" if known else "-", row.groups,
        ])  # fmt: skip
    return f"{_aligned(rows, 2)}\n  models that share a letter cannot be told apart; first: share of resamples in which it leads"


def _aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """Columns of one width, the first few to the left; empty columns are left out."""
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    widths = {i: max(len(row[i]) for row in rows) for i in kept}
    lines = ["  " + "  ".join(row[i].ljust(widths[i]) if i < left else row[i].rjust(widths[i]) for i in kept) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def power_text(p: Power) -> str:
    """How many images, how small a difference, and what was assumed."""
    lines = [
        f"{p.truth}: {p.metric} {' and '.join(number(v) for v in p.values)} on {p.images:,} images",
        f"  a difference of {amount(p.metric, p.delta)} is seen with a chance of {p.power:.0%} on {_images(p.needed)}"
        + (f"; here with one of {p.chance():.0%}" if p.deviation > 0 else ""),
        f"  these {p.images:,} images show {amount(p.metric, p.smallest)} with a chance of {p.power:.0%}, smaller ones less often",
    ]
    if p.assumed:
        lines += ["", f"  assumed: {p.assumed}"]
        lines += [f"    correlation {row['correlation']:g}: {_images(row['needed'])}, or {amount(p.metric, row['smallest'])} here" for row in p.table]
    return "\n".join([*lines, "", *(f"warning: {one_line(n)}" for n in p.notes), p.how])


def _images(needed: int) -> str:
    return f"{needed:,} images" if needed else "any number of images"
