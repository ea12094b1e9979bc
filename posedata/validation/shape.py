"""A set's own statistics: lengths of limbs, angles between them, and which pairs run the same way from right to left.

Limits are medians and median deviations of the set itself; a set too small for them has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .findings import Hits, hits
from .subject import Subject

__all__ = ["far_limbs", "mixed_sides", "odd_angles", "robust"]

Floats = NDArray[np.float64]
_MAD = 1.4826
"""A median deviation times this is the standard deviation of a normal distribution."""
SAMPLE = 100_000
"""Poses whose statistics stand for the set's: spread evenly."""
_LEAST_DEVIATION = 0.05
"""Of a logarithm: sets of one pose repeated would else allow nothing."""


def robust(values: Floats) -> tuple[Floats, Floats]:
    """Median and robust deviation of each column, NaN left out."""
    with np.errstate(all="ignore"):
        middle = _nanmedian(values)
        return middle, _MAD * _nanmedian(np.abs(values - middle))


def _nanmedian(values: Floats) -> Floats:
    """np.nanmedian, NaN without a warning for columns without a value."""
    known = ~np.isnan(values)
    filled = np.sort(values, axis=0)  # NaN last
    n = known.sum(0)
    low, high = np.maximum((n - 1) // 2, 0), np.minimum(n // 2, max(len(values) - 1, 0))
    columns = np.arange(values.shape[1])
    return np.where(n > 0, (filled[low, columns] + filled[high, columns]) / 2, np.nan) if len(values) else np.full(values.shape[1], np.nan)


def _posed(s: Subject, least: int) -> NDArray[np.intp]:
    return np.flatnonzero((s.labelled_counts >= least) & ~s.ds.instances.crowd)


def _spread(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most SAMPLE of the rows, evenly."""
    return rows if len(rows) <= SAMPLE else rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.intp)]


def _none(*figures: Any) -> Hits:
    return hits(np.zeros(0, int), *([] for _ in figures), keypoint=np.zeros(0, int))


# -- limbs -------------------------------------------------------------------------------------------


def _lengths(s: Subject, rows: NDArray[np.intp]) -> Floats:
    """(R, L) logarithm of each limb's length; NaN where an end is not labelled or both are one."""
    a, b = s.ds.schema.limb_rows.T
    points, known = s.ds.instances.keypoints[rows], s.ds.instances.labelled[rows]
    with np.errstate(divide="ignore"):
        length = np.log(np.hypot(points[:, a, 0] - points[:, b, 0], points[:, a, 1] - points[:, b, 1]))
    return np.where(known[:, a] & known[:, b] & np.isfinite(length), length, np.nan)


def _to_scale(lengths: Floats, usual: Floats) -> Floats:
    """Each limb against its usual length, over the median of the same for the other limbs of the pose; poses of three limbs and more."""
    ratio = lengths - usual
    n = (~np.isnan(ratio)).sum(1)
    middle = _nanmedian(ratio.T)
    return np.where((n >= 4)[:, None], ratio - middle[:, None], np.nan)


def _usual_lengths(lengths: Floats) -> Floats:
    """(L,) logarithm of each limb's length against the pose's, settled in a few rounds."""
    usual = np.zeros(lengths.shape[1])
    for _ in range(3):
        step = _nanmedian(_to_scale(lengths, usual))
        usual = usual + np.where(np.isnan(step), 0, step)
    return usual


def far_limbs(s: Subject) -> Hits:
    """Limbs far longer than the set's for their pose; the keypoint is the end farther from the rest of the body."""
    rows = _posed(s, 5)
    if len(rows) < s.limits["enough_poses"] or len(s.ds.schema.limbs) < 4:
        return _none(0, 1)
    sample = _lengths(s, _spread(rows))
    usual = _usual_lengths(sample)
    scaled = _to_scale(sample, usual)
    middle, deviation = robust(scaled)
    enough = (~np.isnan(scaled)).sum(0) >= s.limits["enough_poses"]
    limit = middle + np.maximum(s.limits["limb_limit"] * np.maximum(deviation, _LEAST_DEVIATION), np.log(s.limits["limb_times"]))
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), SAMPLE):
        part = rows[start : start + SAMPLE]
        own = _to_scale(_lengths(s, part), usual)
        with np.errstate(invalid="ignore"):
            at, limb = np.nonzero((own > limit) & enough)
        found.append((part[at], np.exp(own[at, limb] - middle[limb]), np.exp(limit[limb] - middle[limb]), limb))
    at, times, most, limb = (np.concatenate(c) for c in zip(*found, strict=True))
    return hits(at, times, most, keypoint=_farther_end(s, at, limb.astype(np.intp)))


def _farther_end(s: Subject, rows: NDArray[np.intp], limb: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of a limb's ends the one farther from the median of the pose."""
    ends = s.ds.schema.limb_rows[limb]
    points = np.where(s.ds.instances.labelled[rows][..., None], s.ds.instances.keypoints[rows][..., :2], np.nan)
    middle = np.stack([_nanmedian(points[..., axis].T) for axis in (0, 1)], -1)
    distance = np.stack([np.hypot(*(points[np.arange(len(rows)), ends[:, e]] - middle).T) for e in (0, 1)], 1)
    return ends[np.arange(len(rows)), distance.argmax(1)] if len(rows) else np.zeros(0, np.intp)


# -- angles ------------------------------------------------------------------------------------------


def _joints(s: Subject) -> NDArray[np.intp]:
    """(J, 3) a joint between two limbs, and the ends of both."""
    links: dict[int, list[int]] = {}
    for a, b in s.ds.schema.limb_rows.tolist():
        links.setdefault(a, []).append(b)
        links.setdefault(b, []).append(a)
    found = [(end, joint, other) for joint, ends in links.items() for i, end in enumerate(ends) for other in ends[i + 1 :]]
    return np.array(found, np.intp).reshape(-1, 3)


def _angles(s: Subject, rows: NDArray[np.intp], joints: NDArray[np.intp]) -> Floats:
    """(R, J) degrees between the two limbs of each joint; NaN where a point is missing."""
    xy, known = s.ds.instances.keypoints[rows][..., :2], s.ds.instances.labelled[rows]
    a, j, b = joints.T
    p, q = xy[:, a] - xy[:, j], xy[:, b] - xy[:, j]
    cross, dot = p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0], (p * q).sum(-1)
    good = known[:, a] & known[:, j] & known[:, b] & (p.any(-1)) & (q.any(-1))
    return np.where(good, np.degrees(np.arctan2(np.abs(cross), dot)), np.nan)


def odd_angles(s: Subject) -> Hits:
    rows, joints = _posed(s, 5), _joints(s)
    if len(rows) < s.limits["enough_poses"] or len(joints) == 0:
        return _none(0, 1, 2)
    sample = _angles(s, _spread(rows), joints)
    middle, deviation = robust(sample)
    reach = s.limits["angle_limit"] * np.maximum(deviation, 1.0)
    n = (~np.isnan(sample)).sum(0)
    with np.errstate(invalid="ignore"):
        enough = (n >= s.limits["enough_poses"]) & ((np.abs(sample - middle) > reach).sum(0) <= np.maximum(s.limits["angle_rare"] * n, 1))
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), SAMPLE):
        part = rows[start : start + SAMPLE]
        own = _angles(s, part, joints)
        with np.errstate(invalid="ignore"):
            at, joint = np.nonzero((np.abs(own - middle) > reach) & enough)
        found.append((part[at], own[at, joint], middle[joint], reach[joint], joints[joint, 1]))
    at, own, usual, most, joint = (np.concatenate(c) for c in zip(*found, strict=True))
    return hits(at, own, usual, most, keypoint=joint)


# -- sides -------------------------------------------------------------------------------------------


def _ways(s: Subject, rows: NDArray[np.intp]) -> tuple[Floats, NDArray[np.bool_]]:
    """(R, P, 2) from right to left of every pair, over the pose's size; (R, P) both labelled."""
    left, right = np.array([[s.ds.schema.index(a), s.ds.schema.index(b)] for a, b in s.ds.schema.pairs or ()], np.intp).reshape(-1, 2).T
    points, known = s.ds.instances.keypoints[rows], s.ds.instances.labelled[rows]
    low = np.where(known[..., None], points[..., :2], np.inf).min(1)
    high = np.where(known[..., None], points[..., :2], -np.inf).max(1)
    size = np.maximum(np.hypot(*(high - low).T), 1e-9)
    return (points[:, left, :2] - points[:, right, :2]) / size[:, None, None], known[:, left] & known[:, right]


def _against(ways: Floats, known: NDArray[np.bool_], usual: Floats, limits: Any, below: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(R, P, P) pairs that can be compared, and those whose directions have a cosine below some value."""
    length = np.hypot(ways[..., 0], ways[..., 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        tells = known & (length >= limits["sides_length"] * usual)
        cosine = (ways[:, :, None] * ways[:, None]).sum(-1) / (length[:, :, None] * length[:, None])
    both = tells[:, :, None] & tells[:, None]
    return both, both & (cosine < below)


def mixed_sides(s: Subject) -> Hits:
    """Pairs that run against the pairs which, in this set, they never cross."""
    rows, pairs = _posed(s, 5), len(s.ds.schema.pairs or ())
    if len(rows) < s.limits["sides_enough"] or pairs < 2:
        return _none(0)
    ways, known = _ways(s, _spread(rows))
    usual = _nanmedian(np.where(known, np.hypot(ways[..., 0], ways[..., 1]), np.nan))
    both, crossed = np.zeros((2, pairs, pairs))
    step = 8192
    for start in range(0, len(ways), step):
        b, a = _against(ways[start : start + step], known[start : start + step], usual, s.limits, 0.0)
        both += b.sum(0)
        crossed += a.sum(0)
    steady = (both >= s.limits["sides_enough"]) & (crossed <= s.limits["sides_rare"] * both)
    np.fill_diagonal(steady, False)
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        b, a = _against(*_ways(s, part), usual, s.limits, s.limits["sides_cosine"])
        compared, contrary = (b & steady).sum(2), (a & steady).sum(2)
        at, pair = np.nonzero((contrary > 0) & (contrary >= 0.75 * compared))
        found.append((part[at], contrary[at, pair], pair))
    at, contrary, pair = (np.concatenate(c) for c in zip(*found, strict=True))
    lefts = np.array([s.ds.schema.index(a) for a, _ in s.ds.schema.pairs or ()], np.intp)
    return hits(at, contrary, keypoint=lefts[pair.astype(np.intp)])
