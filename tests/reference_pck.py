"""PCK as anybody would write it who has all day: one point at a time. What `posebench.distances` has to agree with."""

from __future__ import annotations

import math
import operator

from posebench.distances import PCKRule
from posebench.pairing import Paired


def length(paired: Paired, i: int, norm: str | tuple[str, str] | tuple[int, int]) -> tuple[float, float]:
    """The norm of one truth for x and for y; NaN where it has none."""
    own = [(x, y, v, known) for (x, y, v), known in zip(paired.points[i].tolist(), paired.annotated[i].tolist(), strict=True)]
    w, h = paired.bbox[i, 2:].tolist()
    width, height = paired.size[i].tolist()

    def around(points: list[tuple[float, float]]) -> float:
        return math.hypot(*(max(c) - min(c) for c in zip(*points, strict=True))) if points else 0.0

    def between(a: str | int, b: str | int) -> float:
        p, q = (own[paired.names.index(n) if isinstance(n, str) else n] for n in (a, b))
        return math.hypot(p[0] - q[0], p[1] - q[1]) if p[2] > 0 and q[2] > 0 and p[3] and q[3] else math.nan

    if norm == "heatmap":
        return height / 10, width / 10
    if norm == "square diagonal":
        known = (
            [(x / (width or 1), y / (height or 1)) for x, y, v, annotated in own if annotated]
            if width and height
            else [(x, y) for x, y, v, annotated in own if annotated]
        )
        share = max(around(known), 2.2250738585072014e-308)
        return (share * width, share * height) if width and height else (share, share)
    if norm == "torso or predicted":
        a, b = paired.names.index("left_shoulder"), paired.names.index("right_hip")
        one = math.hypot(own[a][0] - own[b][0], own[a][1] - own[b][1])
        if one < 1:
            one = math.hypot(paired.pred[i, a, 0] - paired.pred[i, b, 0], paired.pred[i, a, 1] - paired.pred[i, b, 1])
    elif isinstance(norm, tuple):
        one = between(*norm)
    else:
        one = {
            "box side": max(w, h),
            "box diagonal": math.hypot(w, h),
            "box root": math.sqrt(w * h),
            "labelled diagonal": around([(x, y) for x, y, v, known in own if known and v > 0]),
            "full diagonal": around([(x, y) for x, y, v, known in own if known]),
            "head": float(paired.head_size[i]),
            "torso": between("left_shoulder", "right_hip"),
            "image side": max(width, height),
            "pixels": 1.0,
        }[norm]
    return one, one


def enters(paired: Paired, rule: PCKRule, i: int, k: int) -> bool:
    """Whether one point counts."""
    x, y, v = paired.points[i, k].tolist()
    if not paired.annotated[i, k] or not paired.counted[i, k] or paired.names[k] in rule.without:
        return False
    if rule.points == "labelled" and v == 0:
        return False
    if rule.points == "visible" and v != 2:
        return False
    if rule.points == "labelled beyond 1, 1" and (v == 0 or x <= 1 or y <= 1):
        return False
    if not paired.found[i]:
        return rule.unfound == "wrong"
    return not paired.absent[i, k] or rule.absent == "wrong"


def correct(paired: Paired, rule: PCKRule, i: int, k: int, at: float, norm: tuple[float, float]) -> float:
    """1 where one point is near enough, else 0."""
    x, y, v = paired.points[i, k].tolist()
    if not paired.found[i] or paired.absent[i, k] or (rule.points == "all, unlabelled wrong" and v == 0):
        return 0.0
    px, py = paired.pred[i, k, :2].tolist()
    distance = math.hypot((px - x) / norm[0], (py - y) / norm[1]) if norm[0] != norm[1] else math.hypot(px - x, py - y) / norm[0]
    return float({"<": operator.lt, "<=": operator.le}[rule.compare](distance, at))


def slow_pck(paired: Paired, rule: PCKRule, at: float, weights: list[int] | None = None) -> tuple[float, int]:
    """Value and count: a truth of weight 2 is walked over twice."""
    groups: dict[object, list[float]] = {}
    walked = 0
    for i in range(len(paired)):
        norm = length(paired, i, rule.norm)
        if not (norm[0] > 0 and norm[1] > 0):
            continue
        for _ in range(1 if weights is None else weights[i]):
            walked += 1
            for k in range(len(paired.names)):
                if enters(paired, rule, i, k):
                    group = {"pooled": 0, "keypoint": k, "instance": walked, "category": int(paired.category[i])}[rule.unit]
                    groups.setdefault(group, []).append(correct(paired, rule, i, k, rule.read_as.get(at, at), norm))
    if not groups:
        return math.nan, 0
    n = len(groups) if rule.unit == "instance" else sum(map(len, groups.values()))
    return sum(sum(g) / len(g) for g in groups.values()) / len(groups), n
