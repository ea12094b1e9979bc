"""why: the same files scored in every way that is near, ranked by how much each explains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from posedata.errors import PoseError

from .align import Aligned
from .metrics import METRICS, canonical, measure, read_metric
from .neighbours import Change, neighbours, numbers_of_metric
from .spelling import Spelling
from .workings import Workings

if TYPE_CHECKING:
    import pandas

    from .evaluation import Evaluation

__all__ = ["Reason", "Why", "why"]

SAMPLE = 20_000
"""Predictions on which everything is tried, when there are more."""
FULL = 5
"""Changes of the highest rank that are then scored on all."""


GAIN = 0.02
"""What undoing a mistake must gain to be called likely."""
CLOSE = 0.005
"""How near a number must come to one seen elsewhere to explain it."""


@dataclass(frozen=True)
class Reason:
    """One change, and what it makes of the metric."""

    change: str
    before: float
    after: float
    difference: float
    images: int
    """On how many images both numbers were made."""
    evidence: str
    mistake: bool
    """Whether something was put right; else other rules were followed."""


@dataclass(frozen=True, eq=False)
class Why:
    """Changes that move a metric, best explanation first."""

    metric: str
    value: float
    expected: float | None
    reasons: tuple[Reason, ...]
    without_effect: tuple[str, ...]
    images: int
    higher_is_better: bool = True

    def __len__(self) -> int:
        return len(self.reasons)

    def __getitem__(self, place: int) -> Reason:
        return self.reasons[place]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no truth."""

        def plain(x: Any) -> Any:
            return None if isinstance(x, float) and math.isnan(x) else x

        return {
            "metric": self.metric,
            "value": plain(self.value),
            "expected": self.expected,
            "images": self.images,
            "reasons": [{k: plain(v) for k, v in asdict(r).items()} for r in self.reasons],
            "without_effect": list(self.without_effect),
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row for each change."""
        import pandas

        return pandas.DataFrame([asdict(r) for r in self.reasons], columns=list(Reason.__dataclass_fields__))

    def __repr__(self) -> str:
        return self.as_text()

    def as_text(self, most: int = 12) -> str:
        """A table for people."""
        goal = "" if self.expected is None else f"; nearest to {self.expected:g} first"
        head = f"{self.metric} is {_number(self.value)} on {self.images:,} images{goal}"
        shown = self.reasons[:most]
        width = max((len(r.change) for r in shown), default=0)
        rows = [f"  {r.change:<{width}}  {_number(r.before)} -> {_number(r.after)}  {r.difference:+.4f}  {r.evidence}{self._part(r)}" for r in shown]
        more = [f"  and {len(self.reasons) - most} more"] if len(self.reasons) > most else []
        return "\n".join([head, "", *rows, *more, "", self._summary()])

    def _part(self, r: Reason) -> str:
        return f" (on {r.images:,} images)" if r.images < self.images else ""

    def _summary(self) -> str:
        if not self.reasons:
            return "nothing we know of changes it"
        best = self.reasons[0]
        if self.expected is not None:
            near = abs(best.after - self.expected)
            return f"{best.change} gives {_number(best.after)}" if near < CLOSE else f"nothing alone comes nearer to {self.expected:g} than {near:.4f}"
        if best.mistake and _gain(best, self.higher_is_better) > GAIN:
            return f"likely: {best.change}"
        if self.higher_is_better and self.value < 0.1 < 0.3 < best.after:
            return f"perhaps: {best.change}"
        return f"no mistake we know of takes more than {GAIN:g}; other rules give other numbers: name the one you expected to see which"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def why(ev: Evaluation, metric: str = "AP", expected: float | None = None) -> Why:
    """What would change a number, and by how much: neighbouring rules, other sigmas, predictions put right.

    Mistakes that cost most come first; with `expected`, a number seen elsewhere, what comes nearest to it. Of more than 20,000 predictions
    an even sample of the images is tried, and the best are scored again on all.
    """
    if expected is not None and not math.isfinite(expected):
        raise PoseError("why: expected", repr(expected), "the number seen elsewhere, for instance 0.72")
    s = read_metric(metric)
    whole = _bare(ev.workings, s)
    value = measure(whole, s).value
    small = _sampled(whole)
    tried = [*neighbours(whole, s.where), *(numbers_of_metric(canonical(s)) if expected is not None else ())]
    found = {c.name: r for c in tried if (r := _reason(c, small, s)) is not None}
    higher = METRICS[s.name].higher_is_better
    ranked = _ranked(found.values(), expected, higher)
    if small is not whole:
        by_name = {c.name: c for c in tried}
        again = [_reason(by_name[r.change], whole, s) for r in ranked[:FULL]]
        ranked = _ranked([r for r in again if r is not None], expected, higher) + ranked[FULL:]
    moved = tuple(r for r in ranked if abs(r.difference) > 1e-12)
    same = tuple(r.change for r in ranked if not abs(r.difference) > 1e-12)
    return Why(canonical(s), value, expected, moved, same, len(whole.aligned.truth.images), higher)


def _ranked(reasons: Iterable[Reason], expected: float | None, higher: bool) -> list[Reason]:
    """Mistakes that cost something, then other rules, largest gain first; or what is nearest to the expected number.

    Laxer rules always gain; that they do explains nothing.
    """
    if expected is None:
        return sorted(reasons, key=lambda r: (not (r.mistake and _gain(r, higher) > GAIN / 2), -_gain(r, higher)))
    return sorted(reasons, key=lambda r: round(abs(r.after - expected), 9))


def _gain(r: Reason, higher: bool) -> float:
    """What a change gains; as a share where the metric is a distance, which is better small."""
    return r.difference if higher else -r.difference / abs(r.before or 1.0)


def _reason(change: Change, w: Workings, s: Spelling) -> Reason | None:
    """What a change makes of the metric; None where it cannot be made."""
    asked = read_metric(change.metric) if change.metric else s
    try:
        before, after = measure(w, s).value, measure(change.apply(w), asked).value
    except PoseError:  # no area by that rule, no such threshold: no explanation either
        return None
    if math.isnan(after) or math.isnan(before):
        return None
    return Reason(change.name, before, after, after - before, len(w.aligned.truth.images), change.why, change.mistake)


def _bare(w: Workings, s: Spelling) -> Workings:
    """The workings without ranges, whose matching nobody asks for here."""
    return w if s.where in w.protocol.ranges or not w.protocol.ranges else w.under(w.protocol.replace(ranges={}))


def _sampled(w: Workings) -> Workings:
    """The workings of an even sample of the images; the whole where that is small."""
    a = w.aligned
    if len(a.pred) <= SAMPLE:
        return w
    total = len(a.truth.images)
    images = np.unique(np.linspace(0, total - 1, max(1, total * SAMPLE // len(a.pred))).astype(np.intp))
    place = np.full(total, -1)
    place[images] = np.arange(len(images))
    keep = np.flatnonzero(place[a.image] >= 0)
    rank = np.argsort(np.argsort(a.rank[images]))
    part = Aligned(truth=a.truth.take_images(images), pred=a.pred.take(keep), image=place[a.image[keep]], category=a.category[keep], rank=rank)
    return w.on(replace(part, warnings=a.warnings))
