"""What `posebench metrics` and `posebench protocols` print."""

from __future__ import annotations

from typing import Any

from .distances import pck_rule
from .metrics import METRICS, Metric, read_metric
from .protocols import PROTOCOLS, load_protocol

__all__ = ["metrics_guide", "protocols_guide"]

LANGUAGE = """\
A metric is written NAME[.variant][@threshold][[where]], everywhere the same:

  AP            mean over the protocol's similarities
  AP@0.75       at one similarity
  AP[large]     in an area range of the protocol, a level (AP[hard]) or a part of the body (AP[foot])
  AP[pooled]    all categories made one before matching
  PCK@0.2       at a share of the norm; PCK.technumber@0.1 is another benchmark's rule

No truth is null in JSON, NaN in Python and - in tables; it is never -1, and never part of a mean."""

_AT = {
    "similarity": "@ a similarity of the protocol",
    "share": "@ a share of the norm",
    "pixels": "@ pixels",
    "percent": "@ percent",
    "confidence": "@ least confidence of the points that enter",
    "": "no @",
}


def metrics_guide(name: str | None = None) -> tuple[dict[str, Any], str]:
    """Values and text for all metrics, or for one; for one variant of PCK also the choices of its rule."""
    if name is None:
        return {m.name: _values(m) for m in METRICS.values()}, "\n\n".join([LANGUAGE, *(_text(m, variants=False) for m in METRICS.values())])
    s = read_metric(name)
    m = METRICS[s.name]
    if s.name != "PCK":
        return {m.name: _values(m)}, _text(m, variants=True)
    rule = pck_rule(s.variant)
    choices = "\n".join(f"  {choice:<10} {text}" for choice, text in rule.choices().items())
    values = {m.name: {**_values(m), "rule": {"name": rule.name, "summary": rule.summary, "source": rule.source, **rule.choices()}}}
    return values, f"{_text(m, variants=not s.variant)}\n\n{rule.where}\n  {rule.summary}\n{choices}\n  source     {rule.source}"


def _values(m: Metric) -> dict[str, Any]:
    return {
        "summary": m.summary, "formula": m.formula, "n": m.of, "at": m.at, "variants": dict(m.variants),
        "higher_is_better": m.higher_is_better, "per_keypoint": m.per_keypoint,
    }  # fmt: skip


def _text(m: Metric, variants: bool) -> str:
    lines = [m.name, f"  {m.summary}", f"  = {m.formula}", f"  {_AT[m.at]}; n counts {m.of}; {'higher' if m.higher_is_better else 'lower'} is better"]
    if variants:
        lines += [f"  {m.name}.{name:<18} {text}" for name, text in m.variants.items()]
    elif m.variants:
        lines.append(f"  variants: {', '.join(m.variants)} (posebench metrics {m.name})")
    return "\n".join(lines)


def protocols_guide(name: str | None = None) -> tuple[dict[str, Any], str]:
    """Values and text for all protocols, or for one."""
    if name is None:
        values = {p.name: {**p.to_dict(), "fingerprint": p.fingerprint} for p in PROTOCOLS.values()}
        return values, "\n\n".join(map(str, PROTOCOLS.values())) + "\n\nOne with its notes and sources: posebench protocols NAME"
    p = load_protocol(name)
    notes = [f"  {note}" for note in p.notes]
    sources = [f"  {field:<16}{source}" for field, source in p.sources.items()]
    text = "\n".join([str(p), *(["", "notes", *notes] if notes else []), "", "sources", *sources])
    return {**p.to_dict(), "fingerprint": p.fingerprint}, text
