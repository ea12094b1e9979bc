"""Labels of whole poses: exactly one for every prediction that is looked at, exactly one for every truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..match import Matches, Pairs, match, pairs_of
from ..problem import Problem

__all__ = ["PREDICTION_LABELS", "TRUTH_LABELS", "Poses", "label_poses"]

Rows = NDArray[np.intp]
Codes = NDArray[np.int8]

AT = 0.5
"""Similarity at which a pose counts as found."""

PREDICTION_LABELS: Mapping[str, str] = {
    "ignored": "found a truth that does not count, or does not count itself",
    "good": "found a truth at .5",
    "scored too low": "fits a taken truth at .5, and better than the pose that took it",
    "duplicate": "fits a taken truth at .5",
    "wrong category": "fits a free truth of another category at .5",
    "badly localised": "fits a truth best between .1 and .5",
    "background": "fits no truth at .1",
}
"""In this order: the first that fits."""
TRUTH_LABELS: Mapping[str, str] = {
    "ignored": "does not count",
    "found": "found at .5",
    "badly localised": "a prediction fits it between .1 and .5, none found it",
    "missed": "no prediction fits it at .1",
}


@dataclass(frozen=True, eq=False)
class Poses:
    """What became of every prediction and every truth."""

    pred: Codes
    """(M,) of the predictions of the problem, as places in PREDICTION_LABELS."""
    truth: Codes
    """(N,) as places in TRUTH_LABELS."""
    best: NDArray[np.float64]
    """(M,) the highest similarity to a truth of its category."""
    best_truth: Rows
    """(M,) the truth it is to; -1 for none."""

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each."""
        kinds = {"predictions": (self.pred, PREDICTION_LABELS), "truths": (self.truth, TRUTH_LABELS)}
        return {what: {name: int((codes == i).sum()) for i, name in enumerate(labels)} for what, (codes, labels) in kinds.items()}


def label_poses(problem: Problem, pairs: Pairs, attempt: float = 0.1) -> Poses:
    """Labels of all poses, from one matching at .5."""
    matches = match(problem, pairs, (AT,))
    found = matches.dense()[0]
    best, best_truth = _best(problem, pairs)
    taken_by = _takers(problem, pairs, matches)
    near = pairs.oks >= AT
    taken = ~np.isnan(taken_by[pairs.truth])
    better = _any(problem, pairs, near & taken & (pairs.oks > np.nan_to_num(taken_by[pairs.truth], nan=np.inf)))
    twice = _any(problem, pairs, near & taken)
    tests = [
        np.append(problem.ignored, False)[found],  # -1 is the last
        found >= 0,
        better,
        twice,
        _fits_other_category(problem, taken_by),
        best >= attempt,
    ]
    pred = np.full(len(found), len(tests), np.int8)
    for code in reversed(range(len(tests))):
        pred[tests[code]] = code
    return Poses(pred, _truths(problem, pairs, taken_by, attempt), best, best_truth)


def _takers(problem: Problem, pairs: Pairs, matches: Matches) -> NDArray[np.float64]:
    """(N,) similarity of the pose that found each truth; NaN for free ones, and for crowds, which are never taken."""
    found = matches.dense()[0]
    mine = found[pairs.pred] == pairs.truth
    taken = np.full(len(problem.area), np.nan)
    taken[pairs.truth[mine]] = pairs.oks[mine]
    taken[problem.truth.instances.crowd] = np.nan
    return taken


def _best(problem: Problem, pairs: Pairs) -> tuple[NDArray[np.float64], Rows]:
    """(M,) the highest similarity to a truth, and the first that has it."""
    best, which = np.zeros(len(problem.rows)), np.full(len(problem.rows), -1)
    np.maximum.at(best, pairs.pred, pairs.oks)
    reached = np.flatnonzero((pairs.oks == best[pairs.pred]) & (pairs.oks > 0))[::-1]
    which[pairs.pred[reached]] = pairs.truth[reached]
    return best, which


def _any(problem: Problem, pairs: Pairs, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(M,) predictions that have such a pair."""
    has = np.zeros(len(problem.rows), bool)
    has[pairs.pred[mask]] = True
    return has


def _fits_other_category(problem: Problem, taken_by: NDArray[np.float64]) -> NDArray[np.bool_]:
    if problem.kinds == 1:
        return np.zeros(len(problem.rows), bool)
    one = replace(problem, category=np.zeros_like(problem.category), pred_category=np.zeros_like(problem.pred_category))
    pairs = pairs_of(one)
    other = problem.category[pairs.truth] != problem.pred_category[pairs.pred]
    free = np.isnan(taken_by[pairs.truth]) & ~problem.ignored[pairs.truth]
    return _any(problem, pairs, other & free & (pairs.oks >= AT))


def _truths(problem: Problem, pairs: Pairs, taken_by: NDArray[np.float64], attempt: float) -> Codes:
    tried = np.zeros(len(problem.area), bool)
    tried[pairs.truth[pairs.oks >= attempt]] = True
    codes = np.where(np.isnan(taken_by), np.where(tried, 2, 3), 1)
    return np.where(problem.ignored, 0, codes).astype(np.int8)
