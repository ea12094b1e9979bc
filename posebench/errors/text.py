"""How an error report reads on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..table import number, percent
from .labels import Rules

if TYPE_CHECKING:
    from .report import ErrorReport

__all__ = ["as_text", "greedy_text", "slices_text", "worst_text"]

_WIDTH = 28


def as_text(report: ErrorReport) -> str:
    """Counts with bars, what became of the poses, costs, and the protocol."""
    counts, total = report.counts, sum(report.counts.values())
    blocks = [
        f"{report.ev.truth.name}: {total:,} labelled points of {len(report.labelled.truth):,} found poses",
        _bars({name: n / total if total else 0.0 for name, n in counts.items()}, counts),
        _notes(report),
        _instances(report.instances),
        _costs(report),
        *([f"warning: {w}" for w in report.ev.warnings]),
        f"{report.ev.block()}\n{_rules(report.rules)}",
    ]
    return "\n\n".join(b for b in blocks if b)


def _rules(rules: Rules) -> str:
    """Where labels begin, as a line of the protocol's block."""
    said = f"good from {rules.good:g}, near from {rules.near:g}, found from OKS {rules.matched:g}; surplus over confidence {rules.surplus:g}"
    alike = "".join(f"; {a} and {b} look alike" for a, b in rules.confused)
    as_original = "; as coco-analyze: areas from 32² to 1e5², ignored truths too, half the distance" if rules.legacy else ""
    return f"  errors      {said}{alike}{as_original}"


def bar(share: float, width: int = _WIDTH) -> str:
    """A share as a bar, in eighths of a letter."""
    eighths = 0 if math.isnan(share) else round(max(0.0, min(1.0, share)) * width * 8)
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]


def _bars(shares: Mapping[str, float], counts: Mapping[str, int]) -> str:
    return "\n".join(f"  {name:<10}{percent(share):>7}  {counts[name]:>9,}  {bar(share)}".rstrip() for name, share in shares.items())


def _notes(report: ErrorReport) -> str:
    extents = ", ".join(f"{n:,} {what}" for what, n in report.inversions.items() if n)
    lost = report.surplus
    lines = [f"  inversions are left taken for right: {extents}"] if extents else []
    if lost["could"]:
        lines.append(f"  surplus: {lost['surplus']:,} points said over confidence {lost['confidence']:g} of {lost['could']:,} that the truth does not have")
    return "\n".join(lines)


def _instances(instances: Mapping[str, Mapping[str, int]]) -> str:
    lines = []
    for what, counts in instances.items():
        lines.append(f"  {what:<12}" + (", ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "none"))
    return "\n".join(["poses", *lines])


def _costs(report: ErrorReport) -> str:
    made = report.cost
    before = made.now.ap[""]
    rows = [f"  {'now':<12}{number(before):>9}"]
    for kind, gains in made.progressive:
        gain, step = made.gain(kind), gains.ap[""]
        rows.append(f"  {kind:<12}{_signed(gain):>9}  {number(step):>9}  {_signed(step - before):>8}  {bar(gain)}".rstrip())
        before = step
    rows += [f"  {kind:<12}{_signed(made.gain(kind)):>9}" for kind in made.extra]
    lost = ", ".join(f"{name} {value:.4f}" for name, value in made.oks.items() if value > 0)
    notes = [_NOTE] if before == before and made.progressive else []
    return "\n".join([f"AP      {'alone':>14}  {'in turn':>9}  {'step':>8}", *rows, *notes, f"  similarity lost per truth: {lost or 'none'}"])


_NOTE = "  background and missed: at each similarity by itself, whatever does not reach it; poses above says who came near no truth at all"


def greedy_text(path: Sequence[tuple[str, float]], now: float) -> str:
    """A line for each keypoint, the one to correct first on top: AP after it and those above, and what it adds."""
    before = [now, *(ap for _, ap in path)]
    return "\n".join(["correct first", *(f"  {name:<20}AP {number(ap)}  {_signed(ap - then)}" for (name, ap), then in zip(path, before, strict=False))])


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.4f}"


def slices_text(by: str, rows: Sequence[tuple[Any, Mapping[str, Any]]]) -> str:
    """A row for each slice: shares of the labels, with a bar of what is wrong."""
    names = [name for name in (rows[0][1] if rows else {}) if name not in ("points", "wrong", "surplus", "oks lost")]
    width = max([len(str(label)) for label, _ in rows] + [len(by)])
    head = f"  {by:<{width}}  {'points':>8}" + "".join(f"{name:>11}" for name in names) + f"{'oks lost':>10}"
    lines = [head]
    for label, row in rows:
        shares = "".join(f"{percent(row[name] / row['points']) if row['points'] else '-':>11}" for name in names)
        lines.append(f"  {label!s:<{width}}  {row['points']:>8,}{shares}{row['oks lost']:>10.2f}  {bar(row['wrong'] if row['points'] else 0.0, 12)}".rstrip())
    return "\n".join(lines)


def worst_text(columns: Mapping[str, Any]) -> str:
    """A line for each of the worst poses."""
    lines = ["worst poses" if len(columns["image_id"]) else "worst poses: none"]
    for i in range(len(columns["image_id"])):
        lost = f"lost {columns['lost'][i]:.3f}  " if "lost" in columns else ""
        what = columns["labels"][i] if "labels" in columns else columns["label"][i]
        who = "" if columns["annotation_id"][i] is None else f" annotation {columns['annotation_id'][i]}"
        by = "" if columns["prediction"][i] is None else f" prediction {columns['prediction'][i]}"
        lines.append(f"  {lost}oks {columns['oks'][i]:.3f}  image {columns['image_id'][i]}{who}{by}  {what}")
    return "\n".join(lines)
