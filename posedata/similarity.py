"""Similarity of poses and overlap of boxes, over pairs of rows: the one kernel that data work and evaluation share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_iou", "extent_area", "keypoint_similarity", "oks"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_BLOCK = 4096
"""Pairs computed at once: their arrays stay in the processor's cache."""


def oks(
    points: Floats, labelled: NDArray[np.bool_], area: Floats, sigmas: Floats, pred: Floats, truth_rows: Rows, pred_rows: Rows, bbox: Floats | None = None
) -> Floats:
    """Object keypoint similarity of P pairs.

    points: (N, K, 2 or more); labelled: (N, K); area: (N,); sigmas: (N, K) or (1, K), NaN where a truth's kind lacks the point;
    pred: (M, K, 2 or more), NaN where absent; truth_rows, pred_rows: (P,); bbox: (N, 4) -> (P,)

    A truth without labelled points is compared by how far a pose lies outside its box, grown by its own size on each side.
    """
    tolerance = (sigmas * 2) ** 2
    count = labelled.sum(1)
    similarity = np.zeros(len(truth_rows))
    for n, pairs in _by_value(count[truth_rows]):
        for start in range(0, len(pairs), _BLOCK):
            chosen = pairs[start : start + _BLOCK]
            t, p = truth_rows[chosen], pred_rows[chosen]
            spread = tolerance[t] if len(tolerance) > 1 else tolerance
            if n:
                # Only labelled points, packed: sums then add up in the order of pycocotools, to the last digit.
                terms = _exponent(*_offset(pred[p], points[t]), spread, area[t])[labelled[t]].reshape(-1, n)
                similarity[chosen] = np.exp(-terms).sum(1) / n
            elif bbox is not None:
                similarity[chosen] = _outside_similarity(pred[p], bbox[t], spread, area[t])
    return similarity


def keypoint_similarity(points: Floats, area: Floats, sigmas: Floats, pred: Floats) -> Floats:
    """Similarity of single points: points, pred (..., K, 2), area (...), sigmas (..., K) -> (..., K); 0 where pred is absent."""
    return np.exp(-_exponent(*_offset(pred, points), (sigmas * 2) ** 2, area))


def _offset(pred: Floats, points: Floats) -> tuple[Floats, Floats]:
    return pred[..., 0] - points[..., 0], pred[..., 1] - points[..., 1]


def _exponent(dx: Floats, dy: Floats, spread: Floats, area: Floats) -> Floats:
    """d² over the spread, over the area, over 2, divided in pycocotools' order; infinite where a point is absent."""
    with np.errstate(over="ignore", invalid="ignore"):
        e = dx**2 + dy**2
        e /= spread
        e /= (area + np.spacing(1))[..., None]
        e /= 2
    absent = np.isnan(dx)
    if absent.any():
        e[absent] = np.inf
    return e


def _outside_similarity(pred: Floats, bbox: Floats, spread: Floats, area: Floats) -> Floats:
    """Mean over the points that the truth's kind has; 0 for truths without a box."""
    dx, dy = (_beyond(pred[..., axis], bbox[:, None, axis], bbox[:, None, axis + 2]) for axis in (0, 1))
    known = np.broadcast_to(~np.isnan(spread), pred.shape[:2])
    e = _exponent(dx, dy, spread, area)
    similarity = np.zeros(len(pred))
    for n, rows in _by_value(known.sum(1)):
        if n:
            similarity[rows] = np.exp(-e[rows][known[rows]].reshape(-1, n)).sum(1) / n
    similarity[np.isnan(bbox).any(1)] = 0
    return similarity


def _beyond(place: Floats, start: Floats, size: Floats) -> Floats:
    """How far outside a span, grown by its size on each side."""
    return np.maximum(0, (start - size) - place) + np.maximum(0, place - (start + size * 2))


def _by_value(values: NDArray[np.intp]) -> list[tuple[int, Rows]]:
    """(value, rows that have it), ascending."""
    order = np.argsort(values.astype(np.uint16), kind="stable")  # few bits: numpy counts instead of comparing
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return [(int(ordered[s]), rows) for s, rows in zip(starts, np.split(order, starts[1:]), strict=True)] if len(values) else []


def extent_area(xy: Floats, known: NDArray[np.bool_]) -> Floats:
    """(M,) width x height of the smallest box around the known points; 0 without any. xy (M, K, 2), known (M, K)."""
    size = np.zeros((2, len(xy)))
    with np.errstate(over="ignore", invalid="ignore"):  # a pose that is nowhere may be of any size
        for start in range(0, len(xy) if xy.shape[1] else 0, _BLOCK):
            rows = slice(start, start + _BLOCK)
            # points first: numpy then compares whole rows, six times faster than a few numbers at a time
            points, seen = np.ascontiguousarray(xy[rows].transpose(1, 2, 0)), known[rows].T[:, None]
            low, high = (points, points) if seen.all() else (np.where(seen, points, np.inf), np.where(seen, points, -np.inf))
            size[:, rows] = np.maximum(high.max(0) - low.min(0), 0)
        return np.asarray(size[0] * size[1])


def box_iou(a: Floats, b: Floats) -> Floats:
    """(P,) overlap of P pairs of boxes x, y, w, h over their union; 0 where one is unknown or both are empty."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.prod(np.maximum(high - low, 0), 1)
        share = shared / (np.prod(a[:, 2:], 1) + np.prod(b[:, 2:], 1) - shared)
    return np.nan_to_num(share, nan=0.0)
