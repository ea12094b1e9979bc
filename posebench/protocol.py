"""Protocol: every choice of the evaluator that changes a number, as data; the presets are in protocols.py."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from posedata.errors import FormatError, PoseError, brief, did_you_mean, first_few
from posedata.tables import AREA_SHARE

from .spelling import Spelling, spelled

__all__ = ["ABSENT", "IGNORED", "INTERPOLATIONS", "OKS_THRESHOLDS", "PREDICTION_AREAS", "TRUTH_AREAS", "Part", "Protocol"]

OKS_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""As pycocotools makes them: .95 is 0.95 there, not the sum of steps."""

TRUTH_AREAS = {
    "recorded": "the area in the file",
    "box": "width x height of the box in the file",
    f"{AREA_SHARE:g} box".removeprefix("0"): "0.53 of width x height of the box in the file",
    "extent": "width x height of the smallest box around the labelled points",
}
PREDICTION_AREAS = {
    "box or extent": "its own box, else the extent of all its points; only the area ranges look at it",
    "extent": "the extent of all its points, also where it has a box",
}
IGNORED = {
    "recorded": "crowds, and truths whose num_keypoints in the file is 0 (counted where the file has none)",
    "labelled": "crowds, and truths without a labelled point, whatever num_keypoints says",
    "crowd": "crowds only",
}
ABSENT = {
    "origin": "scored as if predicted at (0, 0), where result files put it",
    "nowhere": "similarity 0",
}
INTERPOLATIONS = {
    "101 points": "mean of the highest precision at or beyond recall 0, .01, ..., 1",
    "11 points": "the same at recall 0, .1, ..., 1 (VOC before 2010)",
    "all points": "the area under the curve of highest precisions (VOC since 2010)",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "truth_area": TRUTH_AREAS,
    "prediction_area": PREDICTION_AREAS,
    "ignored": IGNORED,
    "absent": ABSENT,
    "interpolation": INTERPOLATIONS,
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of the points, scored as if there were no others: `AP[foot]`."""

    points: tuple[str, ...]
    ignored: str = "labelled"
    """As the protocol's `ignored`, of these points alone."""
    valid: str = ""
    """A column of the truth that must be true for it to count."""
    score: str = ""
    """A column of the predictions that ranks them, where they have it."""
    drop_silent: bool = False
    """Leave out predictions whose confidence is 0 or less at every point of the part."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _tuple("part", "points", self.points))
        if not self.points or not all(isinstance(p, str) for p in self.points) or len(set(self.points)) < len(self.points):
            raise PoseError("part.points", brief(repr(self.points)), "names of the schema are needed, each once")
        _require_word("part", "ignored", self.ignored)
        _require_text("part", valid=self.valid, score=self.score)
        if not isinstance(self.drop_silent, bool):
            raise PoseError("part.drop_silent", brief(repr(self.drop_silent)), "true or false")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is counted, and how. Change one choice with `replace`: `posebench.COCO.replace(max_preds=100)`.

    >>> Protocol(name="mine", thresholds=(.5, .75)).thresholds
    (0.5, 0.75)
    """

    name: str
    thresholds: tuple[float, ...] = OKS_THRESHOLDS
    """Similarities at which a pose counts as found; AP and AR are means over them."""
    max_preds: int = 20
    """Predictions per image and category that are looked at, best scores first."""
    truth_area: str = "recorded"
    prediction_area: str = "box or extent"
    ignored: str = "recorded"
    absent: str = "origin"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Areas in pixels squared, both ends included; truths outside are ignored and matching is redone: AP[medium]."""
    levels: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Values of `level_column`, the upper end excluded; only images of that level count: AP[hard]."""
    level_column: str = "crowd_index"
    parts: Mapping[str, Part] = field(default_factory=dict)
    per_category: bool = True
    """Match within categories and average over those that have truths; else all categories are one."""
    interpolation: str = "101 points"
    sigmas: Mapping[str, Any] = field(default_factory=dict)
    """By keypoint, or by category and keypoint; the schema's where nothing is said."""
    metrics: tuple[str, ...] = ("AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75")
    """What is printed unless somebody asks for others."""
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each choice was made public."""

    def __post_init__(self) -> None:
        where = f"protocol {self.name!r}" if isinstance(self.name, str) and self.name.strip() else "protocol"
        if where == "protocol":
            raise PoseError(where, f"name {brief(repr(self.name))}", "a protocol has a name")
        for name in ("thresholds", "metrics", "notes"):
            object.__setattr__(self, name, _tuple(where, name, getattr(self, name)))
        object.__setattr__(self, "parts", {k: p if isinstance(p, Part) else _part(where, k, p) for k, p in self._table(where, "parts").items()})
        for name in ("ranges", "levels"):
            object.__setattr__(self, name, {k: _bounds(where, name, k, v) for k, v in self._table(where, name).items()})
        self._check(where)

    def _table(self, where: str, name: str) -> Mapping[str, Any]:
        value = getattr(self, name)
        if not isinstance(value, Mapping):
            raise PoseError(f"{where}.{name}", brief(repr(value)), "a table by name is needed")
        return value

    def _check(self, where: str) -> None:
        t = self.thresholds
        if not t or not all(_is_number(x) and 0 < x <= 1 for x in t) or sorted(set(t)) != list(t):
            raise PoseError(f"{where}.thresholds", brief(repr(t)), "similarities over 0 up to 1, ascending, at least one")
        if not isinstance(self.max_preds, int) or isinstance(self.max_preds, bool) or self.max_preds < 1:
            raise PoseError(f"{where}.max_preds", brief(repr(self.max_preds)), "a whole number from 1 on")
        if not isinstance(self.per_category, bool):
            raise PoseError(f"{where}.per_category", brief(repr(self.per_category)), "true or false")
        for name in _WORDS:
            _require_word(where, name, getattr(self, name))
        _require_text(where, level_column=self.level_column, **{f"notes[{i}]": note for i, note in enumerate(self.notes)})
        _require_text(where, **{f"sources.{k}": v for k, v in self._table(where, "sources").items()})
        for metric in self.metrics:
            spelled(metric)
        self._refuse_collisions(where)
        check_sigmas(where, self._table(where, "sigmas"))

    def _refuse_collisions(self, where: str) -> None:
        names = [*self.ranges, *self.levels, *self.parts, "pooled"]
        twice = [n for n in names if names.count(n) > 1]
        if twice:
            raise PoseError(where, f"{twice[0]!r} names two things", "ranges, levels, parts and 'pooled' share one spelling, AP[NAME]: rename one")
        odd = [n for n in names if not n or n != n.strip() or not set(n) <= _NAME_LETTERS]
        if odd:
            raise PoseError(where, f"name {brief(repr(odd[0]))}", "letters, digits, '-', '_', '.' and blanks stand between the brackets of AP[NAME]")

    def replace(self, **changes: Any) -> Protocol:
        """The protocol with some choices made otherwise; its name says so unless `name` is among them.

        Metrics of similarities, ranges, levels and parts that are gone go with them, unless `metrics` is among the changes.
        """
        unknown = [k for k in changes if k not in _FIELDS]
        if unknown:
            raise PoseError(f"protocol {self.name!r}", f"no field {unknown[0]!r}", did_you_mean(unknown[0], _FIELDS))
        new = replace(self, **changes)
        metrics = new.metrics if "metrics" in changes else tuple(m for m in new.metrics if self._has(spelled(m)) <= new._has(spelled(m)))
        changed = [k for k in changes if k not in ("name", "metrics", "notes", "sources") and getattr(new, k) != getattr(self, k)]
        sources = {k: v for k, v in new.sources.items() if k not in changed or "sources" in changes}
        name = new.name if "name" in changes or not changed else f"{self.name}, changed: {', '.join(changed)}"
        return replace(new, name=name, sources=sources, metrics=metrics)

    def _has(self, s: Spelling) -> bool:
        """Whether there is what a metric names between its brackets, and the similarity of AP and AR."""
        at = s.name not in ("AP", "AR") or s.at is None or any(math.isclose(s.at, t) for t in self.thresholds)
        return at and s.where in ("", "pooled", *self.ranges, *self.levels, *self.parts)

    @property
    def fingerprint(self) -> str:
        """Twelve letters that change with any choice, not with the name or the prose."""
        choices = {k: v for k, v in self.to_dict().items() if k not in ("name", "metrics", "notes", "sources")}
        return hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and TOML hold them; an open end of a level or range is null."""
        values = asdict(self)
        for name in ("ranges", "levels"):
            values[name] = {k: [None if math.isinf(x) else x for x in v] for k, v in values[name].items()}
        for name in ("thresholds", "metrics", "notes"):
            values[name] = list(values[name])
        for part in values["parts"].values():
            part["points"] = list(part["points"])
        return values

    def __str__(self) -> str:
        return block(self)


_FIELDS = [f.name for f in fields(Protocol)]
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ")


def block(p: Protocol, used: Mapping[str, str] | None = None) -> str:
    """The protocol as printed under every result; `used` says what the data made of a choice."""
    spread = f"{p.thresholds[0]:g} to {p.thresholds[-1]:g}, {len(p.thresholds)} values" if len(p.thresholds) > 1 else f"{p.thresholds[0]:g}"
    rows = {
        "similarity": f"OKS at {spread}; curve: {p.interpolation}",
        "predictions": f"best {p.max_preds} per image{' and category' if p.per_category else '; all categories are one'}; absent points: {ABSENT[p.absent]}",
        "area": TRUTH_AREAS[p.truth_area],
        "ignored": IGNORED[p.ignored],
        "ranges": _spans(p.ranges, "area", math.sqrt, "²"),
        "levels": _spans(p.levels, p.level_column, float, ""),
        "parts": ", ".join(f"{name} ({len(part.points)} points)" for name, part in p.parts.items()),
        "sigmas": f"of the protocol: {first_few(p.sigmas, 4, ', ')}" if p.sigmas else "the schema's",
        **(used or {}),
    }
    lines = [f"  {name:<12}{text}" for name, text in rows.items() if text]
    return "\n".join([f"protocol {p.name} ({p.fingerprint})", *lines])


def _spans(table: Mapping[str, tuple[float, float]], what: str, shown: Callable[[float], float], unit: str) -> str:
    def end(x: float) -> str:
        return f"{shown(x):g}{unit if x else ''}"

    def span(low: float, high: float) -> str:
        if math.isinf(high) or high >= 1e10:
            return f"from {end(low)}"
        return f"up to {end(high)}" if math.isinf(low) or low == 0 else f"{end(low)} to {end(high)}"

    return f"{what}: " + ", ".join(f"{name} {span(*ends)}" for name, ends in table.items()) if table else ""


def protocol_from_dict(values: Any, where: str, known: Mapping[str, Protocol]) -> Protocol:
    """A protocol from a file's values: those given, the rest as in the preset that `base` names."""
    if not isinstance(values, dict):
        raise FormatError(where, f"{brief(repr(values))} where a table is needed", f"its fields: {', '.join(_FIELDS)}")
    base = values.get("base", "coco")
    if not isinstance(base, str) or base not in known:
        raise FormatError(f"{where} base", f"no protocol {brief(repr(base))}", did_you_mean(str(base), known))
    unknown = [k for k in values if k not in (*_FIELDS, "base")]
    if unknown:
        raise FormatError(where, f"no field {brief(unknown[0])!r}", did_you_mean(unknown[0], ["base", *_FIELDS]))
    try:
        return known[base].replace(**{k: v for k, v in values.items() if k != "base"})
    except PoseError as e:
        raise FormatError(f"{where}: {e.where}", e.seen, e.cure) from None


def read_protocol(path: str | Path, known: Mapping[str, Protocol]) -> Protocol:
    """A protocol from a small TOML or JSON file: `base = "coco"` and what differs from it."""
    try:
        text = Path(path).read_bytes().decode()
        values = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), f"a file, or one of: {', '.join(known)}") from None
    except (ValueError, RecursionError) as e:
        raise FormatError(str(path), f"no TOML or JSON: {brief(str(e), 100)}", 'for instance: base = "coco"') from None
    return protocol_from_dict(values, str(path), known)


def check_sigmas(where: str, sigmas: Mapping[str, Any], of_category: bool = False) -> None:
    """Refuse what is no tolerance."""
    for name, value in sigmas.items():
        if isinstance(value, Mapping) and not of_category:
            check_sigmas(f"{where} {name!r}", value, of_category=True)
        elif not _is_number(value) or not 0 < value < 1:
            raise PoseError(f"{where}.sigmas.{name}", brief(repr(value)), "a sigma lies between 0 and 1 (COCO's nose: 0.026)")


def _part(where: str, name: str, value: Any) -> Part:
    if not isinstance(value, Mapping) or not set(value) <= {f.name for f in fields(Part)}:
        raise PoseError(f"{where}.parts.{name}", brief(repr(value)), f"a table of {', '.join(f.name for f in fields(Part))}")
    try:
        return Part(**{"points": (), **value})
    except PoseError as e:
        raise PoseError(f"{where}.parts.{name}{e.where.removeprefix('part')}", e.seen, e.cure) from None


def _bounds(where: str, table: str, name: str, value: Any) -> tuple[float, float]:
    ends = _tuple(where, f"{table}.{name}", value)
    low, high = (-math.inf if ends[0] is None else ends[0], math.inf if ends[1] is None else ends[1]) if len(ends) == 2 else (math.nan, math.nan)
    if not (_is_number(low, True) and _is_number(high, True) and low < high):
        raise PoseError(f"{where}.{table}.{name}", brief(repr(value)), "two numbers, the lower first")
    if table == "ranges" and (high <= 0 or -math.inf < low < 0):
        raise PoseError(f"{where}.{table}.{name}", brief(repr(value)), "areas are 0 or more")
    return float(low), float(high)


def _tuple(where: str, name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise PoseError(f"{where}.{name}", brief(repr(value)), "a list is needed")
    return tuple(x.item() if isinstance(x, np.generic) else x for x in value)


def _require_word(where: str, name: str, value: Any) -> None:
    if not isinstance(value, str) or value not in _WORDS[name]:
        raise PoseError(f"{where}.{name}", brief(repr(value)), did_you_mean(str(value), _WORDS[name]))


def _require_text(where: str, **values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, str):
            raise PoseError(f"{where}.{name}", brief(repr(value)), "text is needed")


def _is_number(value: Any, infinite: bool = False) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and (math.isfinite(value) or (infinite and not math.isnan(value)))
