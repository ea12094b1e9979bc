"""The error taxonomy once more, slow and plain: loops over poses, points, truths and thresholds.

Written from the definitions, on top of tests/reference.py; nothing here comes from posebench.errors. Numpy stands only
where the last digit matters, since a tie here must be a tie there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from posebench.protocol import Protocol
from posedata import PoseDataset, Predictions

from .reference import Id, Point, Pred, Result, Truth, average_precision, curve_of, extent, is_ignored, match_all, mean, oks, preds_of, truths_of

__all__ = ["Found", "SlowErrors", "ap"]

Span = tuple[float, float] | None
LEGACY = (32.0**2, 1e5**2)


@dataclass
class Found:
    """A pose beside the truth it is an attempt at, and what became of its points."""

    pred: Pred
    truth: Truth
    oks: float = 0.0
    labels: list[str | None] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    nearest: list[float] = field(default_factory=list)
    by: list[tuple[Id, int] | None] = field(default_factory=list)
    """Id of the truth that attracted the point, and its keypoint."""
    surplus: list[bool] = field(default_factory=list)


class SlowErrors:
    """All that an error report says of one problem, each part anew."""

    def __init__(
        self,
        truth: PoseDataset,
        pred: Predictions,
        protocol: Protocol,
        confused: Sequence[tuple[int, int]] = (),
        legacy: bool = False,
        surplus: float = 0.2,
    ) -> None:
        self.protocol, self.confused, self.legacy = protocol, confused, legacy
        self.data, self.pred = truth, pred
        self.truths, self.preds = truths_of(truth, protocol, None), preds_of(truth, pred, protocol, None)
        self.mirror = truth.schema.mirror.tolist()
        self.category = {t.id: t.category for t in self.truths}
        if not protocol.per_category:
            for pose in (*self.truths, *self.preds):
                pose.category = "all"
        self.row = {int(r): i for i, r in enumerate(pred.row)}
        self.found = [self.labelled(f, surplus) for f in self.attempts()]

    # -- labels ----------------------------------------------------------------------------------------

    def ignored(self, t: Truth, span: Span = None) -> bool:
        return is_ignored(t, self.protocol.ignored, span)

    def matched(self, preds: list[Pred], thresholds: Sequence[float], span: Span = None) -> Result:
        return match_all(self.truths, preds, self.protocol.replace(thresholds=tuple(thresholds)), None, False, span)

    def attempts(self) -> list[Found]:
        """Matches at .1 with a truth that counts and has labelled points; legacy: in its range, also with truths that are ignored."""
        span = LEGACY if self.legacy else None
        by_id, by_row = {t.id: t for t in self.truths}, {p.row: p for p in self.preds}
        found = [Found(by_row[row], by_id[i]) for row, i in self.matched(self.preds, [0.1], span).found[0.1].items() if i is not None]
        return [f for f in found if any(p is not None for p in f.truth.points) and (self.legacy or not self.ignored(f.truth))]

    def place(self, pred: Pred, k: int) -> Point:
        """Where the model puts a point; None where it leaves the point out. The original knows no such thing: there it is at (0, 0)."""
        x, y, confidence = self.pred.keypoints[self.row[pred.row], k].tolist()
        improbable = self.pred.header.get("keypoint_score") == "probability" and confidence <= 0
        if math.isnan(x) or improbable:
            return (0.0, 0.0) if self.legacy and math.isnan(x) else (x, y) if self.legacy else None
        return (x, y)

    def labelled(self, f: Found, surplus: float) -> Found:
        """Every point by the nearest of its candidates, the first of equal ones."""
        row = next(i for i, t in enumerate(self.truths) if t is f.truth)
        for k in range(len(f.truth.points)):
            place, known = self.place(f.pred, k), f.truth.points[k] is not None
            confidence = float(self.pred.keypoints[self.row[f.pred.row], k, 2])
            f.surplus.append(not known and place is not None and confidence > surplus and bool(self.data.instances.annotated[row, k]))
            label, own, nearest, by = self.label(f.truth, k, place) if known else (None, 0.0, 0.0, None)
            f.labels.append(label)
            f.own.append(own)
            f.nearest.append(nearest)
            f.by.append(by)
        f.oks = sum(f.own) / sum(p is not None for p in f.truth.points)
        return f

    def label(self, truth: Truth, k: int, place: Point) -> tuple[str | None, float, float, tuple[Id, int] | None]:
        if place is None:
            return "absent", 0.0, 0.0, None
        others = [t for t in self.truths if t.image == truth.image and t is not truth]
        m = self.mirror[k]
        candidates = [("own", truth, k), *(("swap", t, k) for t in others), ("inversion", truth, m), *(("swap", t, m) for t in others)]
        candidates += [("confusion", truth, b if a == k else a) for a, b in self.confused if k in (a, b)]
        best, kind, owner, point = -1.0, "own", truth, k
        for what, t, j in candidates:
            s = similarity(t, j, truth.sigmas[k], place)
            if s > best:
                best, kind, owner, point = s, what, t, j
        own = similarity(truth, k, truth.sigmas[k], place)
        by = (owner.id, point) if best > 0 else None
        if best < 0.5:
            return "miss", own, best, by
        if kind != "own":
            return kind, own, best, by
        if self.legacy and best == 0.85:
            return None, own, best, by
        return "good" if best >= 0.85 else "jitter", own, best, by

    # -- corrections -----------------------------------------------------------------------------------

    def corrected(self, f: Found, k: int) -> tuple[float, float]:
        """A place to the right of the point's own at which it has the similarity that its label allows."""
        label = f.labels[k]
        wanted = {"jitter": 0.85, "miss": 0.5, "absent": 0.5}.get(str(label), f.nearest[k])
        spread = f.truth.sigmas[k] * (1 if self.legacy else 2)
        own = f.truth.points[k]
        assert own is not None
        reached = min(wanted * (1 if self.legacy else 1 + 1e-9), 1.0)
        return own[0] + float(np.sqrt(-2 * np.log(np.array([reached])) * f.truth.area * spread**2)[0]), own[1]

    def moved(self, kinds: Iterable[str], columns: Iterable[int] | None = None) -> list[Pred]:
        """All predictions, those points of these kinds corrected."""
        kinds = set(kinds)
        chosen = None if columns is None else set(columns)
        found = {f.pred.row: f for f in self.found}
        result = []
        for p in self.preds:
            points = list(p.points)
            if p.row in found:
                f = found[p.row]
                for k, label in enumerate(f.labels):
                    if label in kinds and (chosen is None or k in chosen):
                        points[k] = self.corrected(f, k)
            result.append(replace(p, points=points))
        return result

    # -- cost ------------------------------------------------------------------------------------------

    def ap(self, kinds: Sequence[str], span: Span = None, columns: Iterable[int] | None = None) -> float:
        """AP after these kinds are corrected."""
        preds = self.moved(kinds, columns)
        if "score" in kinds:
            preds = self.optimal(preds)
        return ap(self.matched(preds, self.protocol.thresholds, span), self.protocol.interpolation, "background" in kinds, "missed" in kinds, self.legacy)

    def optimal(self, preds: list[Pred]) -> list[Pred]:
        """Each scored by its best similarity to a truth that counts; then the best of an image lower all others, one after another."""
        scored: list[Pred] = []
        for image, category in dict.fromkeys((p.image, p.category) for p in preds):
            here = sorted((p for p in preds if (p.image, p.category) == (image, category)), key=lambda p: (-p.score, p.row))
            truths = [t for t in self.truths if (t.image, t.category) == (image, category) and not self.ignored(t, LEGACY if self.legacy else None)]
            rest = [replace(p, score=max((oks(t, p) for t in truths), default=0.0)) for p in here]
            while rest:
                best = max(rest, key=lambda p: p.score)
                rest = [p for p in rest if p is not best]
                scored.append(best)
                rest = [replace(p, score=p.score * float(np.exp(np.array([-(self.likeness(best, p) ** 2) / 0.5]))[0])) for p in rest]
        return scored

    def likeness(self, a: Pred, b: Pred) -> float:
        """OKS of two poses over all points their category has, the area being the mean of their extents; a point nowhere is like none."""
        columns, sigmas = self.columns_of(a.category)
        if not columns:
            return 0.0
        area = (extent(a.points[c] for c in columns) + extent(b.points[c] for c in columns)) / 2
        exponents = []
        for c, s in zip(columns, sigmas, strict=True):
            one, other = a.points[c], b.points[c]
            if one is None or other is None:
                exponents.append(math.inf)
                continue
            dx, dy = one[0] - other[0], one[1] - other[1]
            exponents.append((dx * dx + dy * dy) / ((s * 2) * (s * 2)) / (area + math.ulp(1.0)) / 2)
        return float(np.sum(np.exp(-np.array(exponents)))) / len(exponents)

    def columns_of(self, category: str) -> tuple[list[int], list[float]]:
        """Columns and sigmas of a category, which are those of any truth of it; without truths nothing is ranked."""
        mine = [t for t in self.truths if t.category == category]
        sigmas = mine[-1].sigmas if mine else []
        known = [c for c, s in enumerate(sigmas) if not math.isnan(s)]
        return known, [sigmas[c] for c in known]

    def greedy(self, steps: int) -> list[tuple[str, float]]:
        """Points in the order in which correcting them gains most; of equals the one that loses most similarity, then the first."""
        names, path = list(self.data.schema.names), []
        kinds = ("jitter", "inversion", "swap", "miss", "absent", "confusion")
        done: list[int] = []
        for _ in range(min(steps, len(names))):
            tried = {k: self.ap(kinds, columns=[*done, k]) for k in range(len(names)) if k not in done}
            best = max(tried, key=lambda k: (tried[k], self.lost_at(k)))
            done.append(best)
            path.append((names[best], tried[best]))
        return path

    def lost_at(self, k: int) -> float:
        """Similarity that wrong points of one kind take from the poses that were found."""
        wrong = [f for f in self.found if f.labels[k] not in (None, "good")]
        return sum((1 - f.own[k]) / sum(p is not None for p in f.truth.points) for f in wrong)

    def oks_lost(self) -> dict[str, float]:
        """Similarity lost per truth that counts and has points, by label; a truth that nothing found loses all of it."""
        counted = [t for t in self.truths if not self.ignored(t) and any(p is not None for p in t.points)]
        found = [f for f in self.found if any(t is f.truth for t in counted)]
        lost: dict[str, float] = {}
        for f in found:
            n = sum(p is not None for p in f.truth.points)
            for label, own in zip(f.labels, f.own, strict=True):
                if label is not None:
                    lost[label] = lost.get(label, 0.0) + (1 - own) / n
        lost["missed"] = float(sum(all(t is not f.truth for f in found) for t in counted))
        return {name: value / len(counted) for name, value in lost.items()} if counted else {}

    # -- poses -----------------------------------------------------------------------------------------

    def pose_labels(self) -> tuple[dict[int, str], dict[Id, str]]:
        """By row of the prediction, and by id of the truth."""
        taker: dict[Id, float] = {}
        by_id, by_row = {t.id: t for t in self.truths}, {p.row: p for p in self.preds}
        found = self.matched(self.preds, [0.5]).found[0.5]
        for row, i in found.items():
            if i is not None and not by_id[i].crowd:
                taker[i] = oks(by_id[i], by_row[row])
        preds = {row: self.pose_label(by_row[row], None if i is None else by_id[i], taker) for row, i in found.items()}
        served = [by_row[row] for row in found]
        return preds, {t.id: self.truth_label(t, served, taker) for t in self.truths}

    def pose_label(self, p: Pred, found: Truth | None, taker: dict[Id, float]) -> str:
        if found is not None:
            return "ignored" if self.ignored(found) else "good"
        here = [t for t in self.truths if t.image == p.image]
        same = [(oks(t, p), t) for t in here if t.category == p.category]
        taken = [(s, taker[t.id]) for s, t in same if s >= 0.5 and t.id in taker]
        if any(s > other for s, other in taken):
            return "scored too low"
        if taken:
            return "duplicate"
        if any(t.category != p.category and t.id not in taker and not self.ignored(t) and oks(t, p) >= 0.5 for t in here):
            return "wrong category"
        return "badly localised" if any(s >= 0.1 for s, _ in same) else "background"

    def truth_label(self, t: Truth, served: list[Pred], taker: dict[Id, float]) -> str:
        if self.ignored(t):
            return "ignored"
        if t.id in taker:
            return "found"
        return "badly localised" if any((p.image, p.category) == (t.image, t.category) and oks(t, p) >= 0.1 for p in served) else "missed"


def similarity(t: Truth, k: int, sigma: float, place: tuple[float, float]) -> float:
    """Of a place to a point of a truth, under the area of that truth; -1 where it is not labelled."""
    there = t.points[k]
    if there is None:
        return -1.0
    dx, dy, two_sigma = place[0] - there[0], place[1] - there[1], sigma * 2
    return float(np.exp(np.array([-((dx * dx + dy * dy) / (two_sigma * two_sigma) / (t.area + math.ulp(1.0)) / 2)]))[0])


def ap(result: Result, interpolation: str, no_background: bool = False, no_missed: bool = False, legacy: bool = False) -> float:
    """Mean over thresholds and categories; without background what finds nothing does not count, without missed only truths that are found are there."""
    values = []
    for outcomes in result.outcomes.values():
        for category in sorted({c for _, c in result.counted}):
            mine = [o for o in outcomes if o.category == category and not (no_background and o.kind == "false")]
            hits = sum(o.kind == "true" for o in mine)
            truths = hits if no_missed else sum(c == category for _, c in result.counted)
            if truths:
                values.append(average_precision(curve_of(sorted(mine, key=lambda o: -o.score), truths), interpolation))
            elif no_missed and not legacy:  # none is left: nothing is wrong, or what is false still is
                values.append(float(not any(o.kind == "false" for o in mine)))
    return mean(values)
