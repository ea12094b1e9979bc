"""Evidence: how unlikely it is that a model this sure is this wrong, for every point of every pose that it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posedata.similarity import keypoint_similarity, oks

from ..errors.labels import CODE, Labelled, Rules, label_keypoints, row_sigmas
from ..match import Matches, Pairs, match
from ..pairing import MATCHED_AT
from ..problem import Problem

if TYPE_CHECKING:
    from ..workings import Workings

__all__ = ["Evidence", "bins_of", "evidence_of", "share_in_bins", "similarity_to", "tail_in_bins"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

BIN, BINS = 200, 20
"""Points that make a bin of confidence, and how many bins at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """P poses that were found beside their labels, K points each."""

    problem: Problem
    matches: Matches
    similarity: Floats
    """Of all pairs of a prediction and a truth, the better of the label as it is and with its sides exchanged."""
    pairs: Pairs
    labelled: Labelled
    truth: Rows
    """(P,) row of the truth."""
    known: Bools
    """(P, K) labelled points."""
    said: Bools
    """(P, K) points the model gives."""
    label: Floats
    """(P, K, 2) NaN where not labelled."""
    found: Floats
    """(P, K, 2) NaN where the model gives none."""
    confidence: Floats
    """(P, K) 0 where the model gives none."""
    own: Floats
    """(P, K) similarity of label and prediction."""
    doubt: Floats
    """(P, K) -log of the share of points, of this confidence, that lie as far from their label; 0 where one is missing."""
    odd: Floats
    """(P, K) -log of the share of labels that lie as far from where the rest of their pose expects them."""

    @property
    def area(self) -> Floats:
        return self.problem.area[self.truth]

    @property
    def sigmas(self) -> Floats:
        return row_sigmas(self.problem, self.truth)

    @property
    def mirror(self) -> Rows:
        return self.problem.truth.schema.mirror


def evidence_of(workings: Workings, rules: Rules, shares: Floats) -> Evidence:
    """Poses matched so that a label whose sides are exchanged is found too, and what each point says; `shares` (N, K) are of the shape."""
    problem = workings.problem()
    pairs, similarity = _either_way(problem, workings.pairs())
    matches = match(problem, Pairs(pred=pairs.pred, truth=pairs.truth, oks=similarity), (MATCHED_AT,))
    labelled = label_keypoints(problem, matches, rules)
    truth, rows = labelled.truth, problem.rows[labelled.pred]
    known, said = problem.labelled[truth], labelled.said
    points = problem.pred.keypoints[rows]
    confidence = np.where(said, points[..., 2], 0.0)
    label = np.where(known[..., None], problem.points[truth][..., :2], np.nan)
    found = np.where(said[..., None], points[..., :2], np.nan)
    return Evidence(
        problem=problem, matches=matches, similarity=similarity, pairs=pairs, labelled=labelled, truth=truth, known=known, said=said, label=label, found=found,
        confidence=confidence, own=labelled.own, doubt=_doubt(labelled, known & said, confidence),
        odd=-np.log(shares[truth]),
    )  # fmt: skip


def _either_way(problem: Problem, pairs: Pairs) -> tuple[Pairs, Floats]:
    """Pairs, and the better of the similarities with the sides as labelled and exchanged."""
    mirror = problem.truth.schema.mirror
    sigmas = problem.sigmas[:, mirror]
    box = problem.truth.instances.bbox
    turned = oks(problem.points[:, mirror], problem.labelled[:, mirror], problem.area, sigmas, problem.pred_points, pairs.truth, problem.rows[pairs.pred], box)
    return pairs, np.maximum(pairs.oks, turned)


def _doubt(labelled: Labelled, both: Bools, confidence: Floats) -> Floats:
    """(P, K) how surprising a point is if its label is right.

    What looks like an error models make (on the mirror point, on another body) is as surprising as that error is rare at this
    confidence; anything else as surprising as a residual of this size is.
    """
    code, own = labelled.code, labelled.own
    usual = both & ((code == CODE["inversion"]) | (code == CODE["swap"]))
    bins = bins_of(confidence, both)
    share = np.ones(code.shape)
    for kind in ("inversion", "swap"):
        mine = both & (code == CODE[kind])
        share[mine] = share_in_bins(bins, both, mine)[bins[mine]]
    odd = both & ~usual
    share[odd] = tail_in_bins(bins[odd], -np.log(np.maximum(own[odd], 1e-300)), np.bincount(bins[both], minlength=BINS))
    # the farthest of many good points is rare too, and no reason to doubt it
    return np.where(both, -np.log(share) * (1 - own), 0.0)


def bins_of(confidence: Floats, told: Bools) -> Rows:
    """(P, K) place in bins of about as many points each; ties stay together."""
    values = confidence[told]
    n = int(np.clip(len(values) // BIN, 1, BINS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n + 1)[1:-1])) if len(values) else np.zeros(0)
    return np.searchsorted(edges, confidence, side="right")


def share_in_bins(bins: Rows, told: Bools, mine: Bools) -> Floats:
    """(BINS,) share of the told points of each bin that are mine; never quite none."""
    every, some = (np.bincount(bins[mask], minlength=BINS) for mask in (told, mine))
    return np.asarray((some + 0.5) / (every + 1))


def tail_in_bins(bins: Rows, values: Floats, every: Rows) -> Floats:
    """(n,) share of a bin's points whose value is as large; `every` counts the bins, others included."""
    order = np.lexsort((values, bins))
    count = np.bincount(bins, minlength=len(every))
    below = np.empty(len(values))
    below[order] = np.arange(len(values)) - np.repeat(np.cumsum(count) - count, count)
    return np.asarray((count[bins] - below) / every[bins])


def similarity_to(evidence: Evidence, poses: Rows, points: Floats) -> Floats:
    """(Q, K) similarity of the labels of these poses to points (Q, K, 2); 0 where one is missing."""
    similarity = keypoint_similarity(np.nan_to_num(evidence.label[poses]), evidence.area[poses], evidence.sigmas[poses], points)
    return np.where(evidence.known[poses], similarity, 0.0)
