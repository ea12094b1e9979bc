"""ErrorReport: what went wrong, where, and what it costs; every part made when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean
from posedata.predictions import Predictions

from ..match import match
from ..problem import Problem, prepare
from ..selection import Selection
from ..slices import slices_of
from .confusion import landings, left_right
from .cost import ORDER, Cost, Stage, as_filed, cost, greedy, lost_by_point, oks_lost, stage, with_points
from .instances import PREDICTION_LABELS, Poses, label_poses
from .labels import EXTENTS, LABELS, Labelled, Rules, inversion_extent, label_keypoints

if TYPE_CHECKING:
    import pandas

    from ..evaluation import Evaluation
    from ..statistics.interval import Interval

__all__ = ["ErrorReport", "diagnose"]

_WIDE = 200
"""Predictions of an image that optimal scores may bring back, where more were filed than the protocol looks at."""


def diagnose(ev: Evaluation, rules: Rules | None = None, order: Sequence[str] = ORDER, truth_boxes: Predictions | None = None) -> ErrorReport:
    """The errors of an evaluation.

    `order` is that of the progressive correction; `truth_boxes` are predictions of the same model made from truth boxes:
    what they gain is the cost of the boxes.
    """
    unknown = [kind for kind in order if kind not in ORDER]
    if unknown or len(set(order)) < len(order):
        raise PoseError("errors: order", f"{unknown[0] if unknown else list(order)!r}", did_you_mean(str(unknown[0]), ORDER) if unknown else "each kind once")
    return ErrorReport(ev, rules or Rules(), tuple(order), truth_boxes)


@dataclass(frozen=True, eq=False)
class ErrorReport:
    """`.counts`, `.instances`, `.cost`, `.by(...)`, `.cost_by(...)`, `.worst(...)`, `.per_keypoint()`, `.landings`, `.left_right`."""

    ev: Evaluation
    rules: Rules = Rules()
    order: tuple[str, ...] = ORDER
    truth_boxes: Predictions | None = None

    # -- what went wrong -------------------------------------------------------------------------------

    @cached_property
    def labelled(self) -> Labelled:
        """A label for every labelled point of every truth that counts and was found."""
        problem = self._problem
        low, high = (32.0**2, 1e5**2) if self.rules.legacy else (-np.inf, np.inf)
        ignored = problem.ignored | (problem.area < low) | (problem.area > high)
        return label_keypoints(problem, match(problem, self.ev.workings.pairs(), (self.rules.matched,), ignored[None]), self.rules)

    @property
    def _problem(self) -> Problem:
        return self.ev.workings.problem()

    @cached_property
    def poses(self) -> Poses:
        """A label for every prediction and every truth."""
        return label_poses(self._problem, self.ev.workings.pairs(), self.rules.matched)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Points by label."""
        return self.labelled.counts()

    @cached_property
    def instances(self) -> dict[str, dict[str, int]]:
        """Predictions and truths by label."""
        return self.poses.counts()

    @cached_property
    def inversions(self) -> dict[str, int]:
        """Inverted points by how much of the body is inverted: a single joint, a limb, the body."""
        extent = inversion_extent(self.labelled)
        return {name: int((extent == i).sum()) for i, name in enumerate(EXTENTS)}

    @cached_property
    def surplus(self) -> dict[str, Any]:
        """Points said where the truth has none: how many over the rules' confidence, of how many that could be, and the rate by confidence."""
        own = self.labelled
        problem = own.problem
        empty = problem.truth.instances.annotated[own.truth][:, problem.columns] & ~problem.labelled[own.truth]
        confidence = problem.pred.keypoints[problem.rows[own.pred]][:, problem.columns, 2]
        steps = np.linspace(0, 0.9, 10)
        said = [int((empty & own.said & (confidence > c)).sum()) for c in steps]
        total = int(empty.sum())
        rates = [{"confidence": round(float(c), 1), "surplus": n, "rate": n / total if total else None} for c, n in zip(steps, said, strict=True)]
        return {"surplus": int(own.surplus.sum()), "could": total, "confidence": self.rules.surplus, "by_confidence": rates}

    # -- what it costs ---------------------------------------------------------------------------------

    @cached_property
    def stage(self) -> Stage:
        """Where corrections are applied."""
        problem = self._problem
        wide = prepare(self.ev.workings.aligned, replace(self.ev.protocol, max_preds=max(_WIDE, self.ev.protocol.max_preds)))
        return stage(self.labelled, self.ev.workings.pairs(), problem if len(wide.rows) == len(problem.rows) else wide)

    @cached_property
    def cost(self) -> Cost:
        """AP that each kind takes, alone and after one another; and the similarity it loses."""
        made = cost(self.stage, self.order)
        if self.truth_boxes is None:
            return made
        from ..evaluation import evaluate

        with_boxes = diagnose(evaluate(self.ev.truth, self.truth_boxes, self.ev.protocol), self.rules)
        return replace(made, extra={"box": as_filed(with_boxes.stage)})

    def greedy(self, steps: int | None = None) -> list[tuple[str, float]]:
        """Keypoints in the order in which correcting them gains most, with the AP after each; all of them without `steps`."""
        if steps is not None:
            _require_some("greedy", steps)
        return greedy(self.stage, steps)

    # -- where -----------------------------------------------------------------------------------------

    def by(self, what: str) -> pandas.DataFrame:
        """Points by label for each slice, and the similarity they lose: by "keypoint", "category", "size", "overlap", "visibility", any column."""
        from ..frames import records_frame

        return records_frame(self.slices(what), what)

    def slices(self, what: str) -> list[tuple[Any, dict[str, Any]]]:
        """The same as plain values: (label, counts, errors' share, similarity lost)."""
        return [(each.label, self._summed(each.selection)) for each in slices_of(self.ev.workings, what)]

    def _summed(self, selection: Selection) -> dict[str, Any]:
        own, points = self.labelled, self.points(selection)
        codes = own.code[points & (own.code >= 0)]
        counts = {name: int((codes == i).sum()) for i, name in enumerate(LABELS) if name in self.counts}
        total = sum(counts.values())
        lost = float(lost_by_point(own)[points].sum())
        return {
            "points": total,
            **counts,
            "surplus": int((own.surplus & points).sum()),
            "wrong": 1 - counts["good"] / total if total else float("nan"),
            "oks lost": lost,
        }

    def points(self, selection: Selection) -> NDArray[np.bool_]:
        """(P, K) points of the found poses that a selection holds."""
        own = self.labelled
        problem = own.problem
        rows = np.ones(len(own.truth), bool)
        if selection.truths is not None:
            rows &= selection.truths[own.truth]
        if selection.images is not None:
            rows &= selection.images[problem.image[own.truth]] > 0
        if selection.category is not None:
            rows &= problem.truth.instances.category[own.truth] == selection.category
        points = np.broadcast_to(rows[:, None], own.code.shape).copy()
        if selection.keypoint is not None:
            points &= problem.columns == selection.keypoint
        if selection.visibility is not None:
            points &= problem.points[own.truth][..., 2] == selection.visibility
        return points

    def cost_by(self, what: str) -> pandas.DataFrame:
        """Similarity lost per truth that counts, by kind, for each slice; points of a slice share the truths of the whole where it is one of points."""
        from ..frames import records_frame

        return records_frame([(each.label, self._lost(each.selection)) for each in slices_of(self.ev.workings, what)], what)

    def _lost(self, selection: Selection) -> dict[str, Any]:
        problem = self._problem
        counted = with_points(problem)
        if selection.truths is not None:
            counted &= selection.truths
        if selection.images is not None:
            counted &= selection.images[problem.image] > 0
        if selection.category is not None:
            counted &= problem.truth.instances.category == selection.category
        whole = selection.keypoint is None and selection.visibility is None
        lost = oks_lost(self.labelled, counted, self.points(selection))
        return {"truths": int(counted.sum()), **{k: v for k, v in lost.items() if whole or k != "missed"}}

    def sensitivity(self, what: str) -> dict[str, Any]:
        """AP of each slice, their spread (max - min), and the impact (max - the whole): what hard slices cost."""
        rows = {label: measured["AP"] for label, measured in self.ev.slices(what, ["AP"])}
        known = [m.value for m in rows.values() if m.n]
        return {
            "ap": {label: m.value for label, m in rows.items()},
            "n": {label: m.n for label, m in rows.items()},
            "sensitivity": max(known) - min(known) if known else float("nan"),
            "impact": max(known) - self.ev["AP"] if known else float("nan"),
        }

    @cached_property
    def landings(self) -> NDArray[np.intp]:
        """(K, K + 1) where points that are not near their own place land on their own body; the last column is nowhere."""
        return landings(self.labelled)

    @cached_property
    def left_right(self) -> list[dict[str, Any]]:
        """For each pair of mirror points: how many lie on their own side, and how many on the other."""
        return left_right(self.labelled)

    # -- how far to trust it ---------------------------------------------------------------------------

    def intervals(self, by: str | None = None, **how: Any) -> pandas.DataFrame:
        """A row for each kind of error, or for each slice and kind: its share of the labelled points of found poses, and between what it lies.

        `how` are the arguments of `ev.interval`; Wilson's intervals unless a method is named.
        """
        from ..frames import interval_frame

        return interval_frame(self.interval_slices(by, **how), by)

    def interval_slices(self, by: str | None = None, **how: Any) -> list[tuple[Any, dict[str, Interval]]]:
        """The same as plain values: (label, kind -> interval); "wrong" is all that is not good."""
        from ..statistics.error_rates import rate_intervals

        return rate_intervals(self, by, **how)

    def cost_intervals(self, **how: Any) -> dict[str, Interval]:
        """AP gained by correcting each kind alone, and between what it lies; `how` are the arguments of `ev.interval`."""
        from ..statistics.error_rates import gain_intervals

        return gain_intervals(self, **how)

    # -- rows ------------------------------------------------------------------------------------------

    def worst(self, n: int = 100, kind: str | None = None, keypoint: str | None = None) -> pandas.DataFrame:
        """The poses that lose most similarity, worst first; only what one kind of error, or one keypoint, loses where named.

        These are poses that were found. Kinds of whole poses have lists of their own: predictions, the surest first, or
        "missed" truths, the largest first.
        """
        from ..frames import table_frame

        return table_frame(self.worst_columns(n, kind, keypoint))

    def worst_columns(self, n: int = 100, kind: str | None = None, keypoint: str | None = None) -> dict[str, Any]:
        """The same as plain columns."""
        from .rows import worst_rows

        _require_some("worst", n)
        return worst_rows(self, n, kind, keypoint)

    def per_keypoint(self, path: str | Path | None = None) -> pandas.DataFrame:
        """A row for each point of each pose that was found; written as Parquet or CSV when `path` is given."""
        from ..frames import table_frame, write_frame
        from .rows import keypoint_rows

        frame = table_frame(keypoint_rows(self))
        if path is not None:
            write_frame(frame, path)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `posebench errors --json` prints them."""
        return {
            "protocol": {**self.ev.protocol.to_dict(), "fingerprint": self.ev.protocol.fingerprint},
            "counts": self.counts,
            "by_keypoint": dict(self.slices("keypoint")),
            "instances": self.instances,
            "cost": self.cost.to_dict(),
            "surplus": self.surplus,
            "inversions": self.inversions,
            "left_right": self.left_right,
            "rules": {
                "good": self.rules.good,
                "near": self.rules.near,
                "matched": self.rules.matched,
                "surplus": self.rules.surplus,
                "confused": [list(pair) for pair in self.rules.confused],
                "legacy": self.rules.legacy,
            },
            "warnings": list(self.ev.warnings),
        }

    def __repr__(self) -> str:
        from .text import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from ..reporting.notebook import errors_html

        return errors_html(self)


def _require_some(what: str, n: int) -> None:
    if n < 1:
        raise PoseError(f"errors: {what}", f"{n} rows", "a number of 1 or more")


WHOLE = (*PREDICTION_LABELS, "missed")
"""Labels of whole poses by which the worst are listed."""


def require_kind(kind: str | None, schema_names: Sequence[str], keypoint: str | None) -> None:
    """Refuse a kind or a keypoint that does not exist."""
    known: Mapping[str, str] = {**LABELS, "surplus": "", **dict.fromkeys(WHOLE, "")}
    if kind is not None and kind not in known:
        raise PoseError("errors: kind", f"no kind {kind!r}", did_you_mean(kind, known))
    if keypoint is not None and keypoint not in schema_names:
        raise PoseError("errors: keypoint", f"no keypoint {keypoint!r}", did_you_mean(keypoint, schema_names))
