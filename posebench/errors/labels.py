"""Labels of keypoints: for each point of a pose that was found, which labelled point of the image it lies nearest to, and how near."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief
from posedata.schema import Schema
from posedata.similarity import keypoint_similarity

from ..match import Matches
from ..problem import Problem

__all__ = ["CODE", "ERRORS", "EXTENTS", "LABELS", "Labelled", "Rules", "inversion_extent", "label_keypoints", "row_sigmas", "same_image"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Codes = NDArray[np.int8]

LABELS: Mapping[str, str] = {
    "good": "near its own place, within the spread of human annotators (similarity .85 or more)",
    "jitter": "near its own place, but beyond that spread (.5 to .85)",
    "inversion": "near the place of its mirror point on the same body: left for right",
    "swap": "near the same or the mirror point of another body",
    "miss": "near no such point",
    "absent": "the model left the point out",
    "confusion": "near a look-alike point of the same body, where look-alikes are named",
}
"""By name, in the order of their codes. What others call a swap of left and right is an inversion here."""
ERRORS = tuple(name for name in LABELS if name != "good")
CODE = {name: code for code, name in enumerate(LABELS)}
NONE = -1
"""Code of a point without a label: the truth has it not labelled."""

EXTENTS = ("single", "limb", "body")
"""How much of a body is inverted: one joint, two or more that follow each other on one side, or most of it."""
_MOST = 0.75


@dataclass(frozen=True)
class Rules:
    """Where one label ends and the next begins."""

    good: float = 0.85
    near: float = 0.5
    matched: float = 0.1
    """OKS from which a prediction is an attempt at a truth."""
    confused: tuple[tuple[str, str], ...] = ()
    """Pairs of look-alike points, such as fore and hind paws."""
    surplus: float = 0.2
    """Confidence over which a point is said, where the truth has none."""
    legacy: bool = False
    """As coco-analyze has it: exactly .85 is no label, areas from 32² to 1e5², ignored truths too, corrections at half their distance."""

    def __post_init__(self) -> None:
        if not 0 < self.matched <= 1 or not 0 < self.near < self.good <= 1:
            raise PoseError("error rules", f"matched {self.matched:g}, near {self.near:g}, good {self.good:g}", "0 < matched, and near < good, all up to 1")
        if not 0 <= self.surplus < np.inf:
            raise PoseError("error rules", f"surplus {self.surplus:g}", "a confidence of 0 or more")
        if any(isinstance(pair, str) or len(set(pair)) != 2 or len(pair) != 2 for pair in self.confused):
            raise PoseError(
                "error rules", f"confused {brief(repr(self.confused))}", "pairs of two different keypoints: (('left_front_paw', 'left_back_paw'), ...)"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """P poses that were found, with a label for each of their K points."""

    problem: Problem
    rules: Rules
    pred: Rows
    """(P,) place among the predictions of the problem."""
    truth: Rows
    """(P,) row of the truth."""
    oks: Floats
    code: Codes
    """(P, K) place of the label in LABELS; -1 where the truth has the point not labelled."""
    own: Floats
    """(P, K) similarity to its own place; 0 where absent or not labelled."""
    nearest: Floats
    """(P, K) similarity to the nearest candidate, which decided."""
    owner: Rows
    """(P, K) row of the truth that attracted the point; -1 for none."""
    point: Rows
    """(P, K) its keypoint there."""
    said: NDArray[np.bool_]
    """(P, K) points the model gives."""
    surplus: NDArray[np.bool_]
    """(P, K) points said with confidence where the truth, whose source knows the point, has none."""

    def is_(self, name: str) -> NDArray[np.bool_]:
        """(P, K) whether a point has this label."""
        return np.asarray(self.code == CODE[name])

    def counts(self, rows: NDArray[np.bool_] | slice = slice(None)) -> dict[str, int]:
        """How many points have each label."""
        codes = self.code[rows]
        found = np.bincount(codes[codes >= 0].ravel(), minlength=len(LABELS))
        return {name: int(n) for name, n in zip(LABELS, found, strict=True) if name != "confusion" or self.rules.confused}


def label_keypoints(problem: Problem, attempts: Matches, rules: Rules) -> Labelled:
    """Labels of every labelled point of every truth that counts and was found."""
    found = attempts.found[:, 0, 0]
    kept = (found >= 0) & problem.labelled[found].any(1)
    if not rules.legacy:
        kept &= ~attempts.ignored[0][found]
    pred, truth = attempts.near[kept], found[kept].astype(np.intp)
    parts = [_block(problem, pred[rows], truth[rows], rules) for rows in _blocks(problem, truth)]
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = problem.rows[pred]
    said = ~np.isnan(_places(problem, pred, rules)[..., 0])
    annotated = problem.truth.instances.annotated[truth][:, problem.columns]
    confident = problem.pred.keypoints[rows][:, problem.columns, 2] > rules.surplus
    return Labelled(
        problem=problem,
        rules=rules,
        pred=pred,
        truth=truth,
        said=said,
        surplus=said & confident & annotated & ~problem.labelled[truth],
        **columns,
    )  # fmt: skip


_CELLS = 1 << 20
"""Similarities computed at once: 8 MB for each array, however crowded the images."""


def _blocks(problem: Problem, truth: Rows) -> list[Rows]:
    """Places of these truths, few enough together to be compared with all truths of their images; one block at least."""
    beside = np.bincount(problem.image, minlength=1)[problem.image[truth]]
    block = np.cumsum(beside * len(problem.columns)) // _CELLS
    return np.split(np.arange(len(truth)), np.flatnonzero(np.diff(block)) + 1)


def _block(problem: Problem, pred: Rows, truth: Rows, rules: Rules) -> dict[str, NDArray[Any]]:
    """The columns of Labelled that compare each pose with all truths of its image."""
    mirror = _mirror(problem)
    sigmas = row_sigmas(problem, truth)
    points = _places(problem, pred, rules)
    pose, other = same_image(problem, truth)
    itself = other == truth[pose]
    first = np.flatnonzero(np.diff(pose, prepend=-1))
    same = _similarity(problem, points, sigmas, pose, other, np.arange(len(mirror)))
    crossed = _similarity(problem, points, sigmas, pose, other, mirror)
    own, inverted = same[itself], crossed[itself]
    same[itself], crossed[itself] = _OUT, _OUT
    best_same, by_same = _best(same, first, other)
    best_crossed, by_crossed = _best(crossed, first, other)
    # in this order: the first of equals wins
    candidates = [own, best_same, inverted, best_crossed]
    lookalike, by_lookalike = _lookalikes(problem, points, sigmas, truth, rules)
    candidates += [lookalike] if rules.confused else []
    stacked = np.stack(candidates)
    choice = stacked.argmax(0)
    nearest = np.maximum(stacked.max(0), 0.0)
    code = _codes(choice, nearest, rules)
    code[np.isnan(points[..., 0])] = CODE["absent"]
    labelled = problem.labelled[truth]
    code[~labelled] = NONE
    near = (nearest > 0) & labelled & ~np.isnan(points[..., 0])
    mine, columns = np.broadcast_to(truth[:, None], choice.shape), np.broadcast_to(np.arange(len(mirror)), choice.shape)
    across = np.broadcast_to(mirror, choice.shape)
    owner = _chosen(choice, mine, by_same, mine, by_crossed, mine)
    point = _chosen(choice, columns, columns, across, across, by_lookalike)
    own_or_none = np.where(labelled, np.maximum(own, 0.0), 0.0)
    oks = own_or_none.sum(1) / np.maximum(labelled.sum(1), 1)
    return {
        "oks": oks, "code": code, "own": own_or_none, "nearest": np.where(near, nearest, 0.0),
        "owner": np.where(near, owner, -1), "point": np.where(near, point, -1),
    }  # fmt: skip


def _places(problem: Problem, pred: Rows, rules: Rules) -> Floats:
    """(P, K, 2) where the model puts each point; NaN where it leaves one out. The original knows no such thing: there it lies at (0, 0)."""
    rows = problem.rows[pred]
    points = problem.pred.keypoints[rows][:, problem.columns, :2]
    return np.nan_to_num(points, nan=0.0) if rules.legacy else np.where(problem.pred.absent[rows][:, problem.columns, None], np.nan, points)


def _chosen(choice: Rows, *options: Rows) -> Rows:
    return np.take_along_axis(np.stack(options), choice[None], 0)[0]


_OUT = -1.0
"""Similarity of a candidate that is not there."""


def _codes(choice: Rows, nearest: Floats, rules: Rules) -> Codes:
    """(P, K) codes from the place of the nearest candidate and the similarity to it."""
    kinds = np.array([CODE[k] for k in ("jitter", "swap", "inversion", "swap", "confusion")], np.int8)
    code = np.where(nearest >= rules.near, kinds[choice], np.int8(CODE["miss"])).astype(np.int8)
    own = choice == 0
    code[own & (nearest > rules.good if rules.legacy else nearest >= rules.good)] = CODE["good"]
    if rules.legacy:
        code[own & (nearest == rules.good)] = NONE
    return code


def _similarity(problem: Problem, points: Floats, sigmas: Floats, pose: Rows, other: Rows, columns: Rows) -> Floats:
    """(Q, K) similarity of each point to a truth's point in `columns`, under that truth's area; -1 where it is not labelled."""
    there = problem.points[other][:, columns]
    similarity = keypoint_similarity(there, problem.area[other], sigmas[pose], points[pose])
    similarity[~problem.labelled[other][:, columns]] = _OUT
    return similarity


def same_image(problem: Problem, truth: Rows) -> tuple[Rows, Rows]:
    """(Q,), (Q,) every truth of the image of each of these, itself too, in the order of the file."""
    order = np.argsort(problem.image, kind="stable")
    ordered = problem.image[order]
    start, stop = (np.searchsorted(ordered, problem.image[truth], side=side) for side in ("left", "right"))
    count = stop - start
    pose = np.repeat(np.arange(len(truth)), count)
    within = np.arange(len(pose)) - np.repeat(np.cumsum(count) - count, count)
    return pose, order[np.repeat(start, count) + within]


def _best(similarity: Floats, first: Rows, other: Rows) -> tuple[Floats, Rows]:
    """(P, K) the highest of each pose's candidates, and the truth it belongs to: the first of equals."""
    if not len(first):
        return similarity, np.zeros(similarity.shape, np.intp)
    best = np.maximum.reduceat(similarity, first, axis=0)
    size = np.diff(np.append(first, len(similarity)))
    place = np.where(similarity == np.repeat(best, size, axis=0), np.arange(len(similarity))[:, None], len(similarity))
    return best, other[np.minimum.reduceat(place, first, axis=0)]


def _lookalikes(problem: Problem, points: Floats, sigmas: Floats, truth: Rows, rules: Rules) -> tuple[Floats, Rows]:
    """(P, K) the highest similarity to a look-alike point of the same body, and which."""
    best, which = np.full(points.shape[:2], _OUT), np.zeros(points.shape[:2], np.intp)
    for a, b in _confused_columns(problem, rules.confused):
        columns = np.arange(points.shape[1])
        columns[a] = b
        similarity = _similarity(problem, points, sigmas, np.arange(len(truth)), truth, columns)[:, a]
        better = similarity > best[:, a]
        best[better, a], which[better, a] = similarity[better], b
    return best, which


def _confused_columns(problem: Problem, confused: Sequence[tuple[str, str]]) -> Iterable[tuple[int, int]]:
    schema = problem.truth.schema
    place = {int(c): i for i, c in enumerate(problem.columns)}
    for one, other in confused:
        a, b = place.get(schema.index(one)), place.get(schema.index(other))
        if a is not None and b is not None:
            yield from ((a, b), (b, a))


def _mirror(problem: Problem) -> Rows:
    """(K,) the column of each point's mirror; its own where there is none among the columns."""
    place = {int(c): i for i, c in enumerate(problem.columns)}
    mirror = problem.truth.schema.mirror
    return np.array([place.get(int(mirror[c]), i) for i, c in enumerate(problem.columns)], np.intp)


def row_sigmas(problem: Problem, truth: Rows) -> Floats:
    """(P, K) sigmas of the predicted points, which are those of the truth's category; 1 where it lacks the point."""
    sigmas = np.broadcast_to(problem.sigmas, (len(truth), problem.sigmas.shape[1])) if len(problem.sigmas) == 1 else problem.sigmas[truth]
    return np.nan_to_num(sigmas, nan=1.0)


def inversion_extent(labelled: Labelled) -> NDArray[np.int8]:
    """(P, K) place in EXTENTS of every inverted point; -1 elsewhere.

    body: at least three points, and three quarters of those that could be inverted; limb: a neighbour along a limb is inverted too.
    """
    inverted = labelled.is_("inversion")
    mirror = _mirror(labelled.problem)
    known = labelled.problem.labelled[labelled.truth]
    could = known & known[:, mirror] & (mirror != np.arange(len(mirror))) & labelled.said
    most = (inverted.sum(1) >= 3) & (inverted.sum(1) >= _MOST * could.sum(1))
    limb = (inverted @ _neighbours(labelled.problem.truth.schema, labelled.problem.columns, mirror)) > 0
    extent = np.where(limb, 1, 0)
    extent[most] = 2
    return np.where(inverted, extent, -1).astype(np.int8)


def _neighbours(schema: Schema, columns: Rows, mirror: Rows) -> NDArray[np.intp]:
    """(K, K) points joined by a limb that is no bridge from left to right."""
    place = {int(c): i for i, c in enumerate(columns)}
    joined = np.zeros((len(columns), len(columns)), np.intp)
    for a, b in schema.limb_rows.tolist():
        if a in place and b in place and mirror[place[a]] != place[b]:
            joined[place[a], place[b]] = joined[place[b], place[a]] = 1
    return joined
