"""The same person in two annotations: found by id, or by box and points, and made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..columns import rows_of, says_nothing
from ..grouping import pairs_within
from ..rest import Rest
from ..similarity import box_iou, extent_area, keypoint_similarity, oks
from ..tables import AREA_SHARE, Images, Instances, T
from .losses import Loss

__all__ = ["SHARED", "SIMILAR", "absorb", "partners_by_id", "partners_by_overlap", "united"]

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]

SIMILAR = 0.5
"""From this similarity on two annotations are of one person, and two points one point: COCO's loosest threshold."""
_BLOCK = 1 << 15
"""Pairs compared at a time: crowds make many."""
SHARED = 3
"""Points two annotations must share before OKS speaks; with fewer, boxes do, where both have one."""


def partners_by_id(ids: NDArray[Any], images: NDArray[Any], boxes: Floats, other: tuple[NDArray[Any], NDArray[Any], Floats]) -> Rows:
    """(N,) row of the instance of `other` with the same annotation id on the same image and, where both have one, the same box; else -1.

    Boxes may differ by a pixel: some files round them.
    """
    if not len(ids) or not len(other[0]):
        return np.full(len(ids), -1)
    row = rows_of(other[0], ids)
    with np.errstate(invalid="ignore"):
        another_box = (np.abs(other[2][row] - boxes) > 1).any(1)
    return np.where((row >= 0) & (other[1][row] == images) & ~another_box, row, -1)


def partners_by_overlap(own: Instances, sigmas: Floats, rows: Rows, others: Rows, homes: Rows) -> tuple[Rows, Rows, int]:
    """Rows, and the other rows they are one with, on the same image; and how many had a rival.

    `homes` is the image of every instance. Each is one with one other at most; the most alike first. Categories and the crowd mark must agree.
    """
    a, b = pairs_within(homes[rows], homes[others])
    a, b = rows[a], others[b]
    fit = (own.category[a] == own.category[b]) & (own.crowd[a] == own.crowd[b])
    a, b = a[fit], b[fit]
    alike = pair_similarity(own, sigmas, a, b)
    a, b, alike = a[alike >= SIMILAR], b[alike >= SIMILAR], alike[alike >= SIMILAR]
    rivals = max(len(a) - len(np.unique(a)), len(b) - len(np.unique(b)))
    chosen = _best_first(a, b, alike, len(own))
    return a[chosen], b[chosen], rivals


def pair_similarity(own: Instances, sigmas: Floats, a: Rows, b: Rows) -> Floats:
    """(P,) OKS over the points both have labelled, at the scale of `b`; overlap of the boxes where these are too few."""
    labelled, scale, alike = own.labelled, _scale(own), np.zeros(len(a))
    boxed = np.asarray(~np.isnan(own.bbox).any(1), bool)
    for start in range(0, len(a), _BLOCK):
        p, q = a[start : start + _BLOCK], b[start : start + _BLOCK]
        shared, every = labelled[p] & labelled[q], np.arange(len(p))
        similarity = oks(own.keypoints[q], shared, scale[q], sigmas[None], own.keypoints[p], every, every)
        alike[start : start + _BLOCK] = np.where((shared.sum(1) < SHARED) & boxed[p] & boxed[q], box_iou(own.bbox[p], own.bbox[q]), similarity)
    return alike


def _scale(own: Instances) -> Floats:
    """(N,) areas; of the box, or of the extent of the points, where a source has none."""
    box = AREA_SHARE * own.bbox[:, 2] * own.bbox[:, 3]
    extent = extent_area(own.keypoints[..., :2], own.labelled)
    return np.where(np.isnan(own.area), np.where(np.isnan(box), extent, box), own.area)


def _best_first(a: Rows, b: Rows, alike: Floats, n: int) -> Rows:
    """Pairs chosen greedily, the most alike first, each row once: in rounds, every pair that is best for both its ends at once."""
    left, chosen = np.lexsort((b, a, -alike)), []
    while len(left):
        rank = np.arange(len(left))
        best_a, best_b = np.full(n, len(left)), np.full(n, len(left))
        np.minimum.at(best_a, a[left], rank)
        np.minimum.at(best_b, b[left], rank)
        mutual = (best_a[a[left]] == rank) & (best_b[b[left]] == rank)
        chosen.append(left[mutual])
        used_a, used_b = np.zeros(n, bool), np.zeros(n, bool)
        used_a[a[left[mutual]]] = used_b[b[left[mutual]]] = True
        left = left[~used_a[a[left]] & ~used_b[b[left]]]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.intp)


# -- making one of two -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Union:
    """Points of pairs made one, and how they agreed."""

    keypoints: Floats
    annotated: NDArray[np.bool_]
    twice: NDArray[np.bool_]
    """(P, K) labelled by both."""
    conflict: NDArray[np.bool_]
    """(P, K) labelled by both, and not the same point."""
    place: NDArray[np.bool_]
    """(P, K) coordinates of an unlabelled point that gave way."""


def united(own: Instances, sigmas: Floats, kept: Rows, gone: Rows) -> Union:
    """The points of `kept`, filled from `gone` where they are unknown or unlabelled."""
    a, b = own.keypoints[kept], own.keypoints[gone]
    known_a, known_b = own.annotated[kept], own.annotated[gone]
    labelled_a, labelled_b = known_a & (a[..., 2] > 0), known_b & (b[..., 2] > 0)
    silent_a, silent_b = says_nothing(a) | ~known_a, says_nothing(b) | ~known_b
    take = (labelled_b & ~labelled_a) | (silent_a & ~labelled_a & ~silent_b)
    twice = labelled_a & labelled_b
    near = keypoint_similarity(a[..., :2], _scale(own)[kept], sigmas, b[..., :2])
    place = (take & ~silent_a) | (~take & ~silent_b & ~labelled_b & ((a != b).any(-1) | ~known_a))
    return Union(np.where(take[..., None], b, a), known_a | known_b, twice, twice & (near < SIMILAR), place)


def point_losses(source: str, union: Union, names: Sequence[str]) -> list[Loss]:
    """What both had, what they disagree on, and what gave way, point by point."""
    kinds = {"twice": union.twice, "conflict": union.conflict, "place": union.place}
    return [Loss(source, kind, name, int(n)) for kind, mask in kinds.items() for name, n in zip(names, mask.sum(0).tolist(), strict=True)]


_OWN_WORDS = ("source", "source_id", "joined", "duplicate")


def absorb(table: T, kept: Rows, gone: Rows, source: str, what: str) -> tuple[T, list[Loss]]:
    """The table, rows `kept` filled from rows `gone` in columns and rest; values that were beaten are losses. Rows stay."""
    losses: list[Loss] = []
    own, meta = dict[str, NDArray[Any]](), dict[str, NDArray[Any]]()
    for name, values in {**table.own(), **table.meta}.items():
        filled, beaten = _filled(name, values, kept, gone) if name not in (*_KEYS, *_OWN_WORDS) else (values, 0)
        (meta if name in table.meta else own)[name] = filled
        losses.append(Loss(source, "value", f"{what}.{name}", beaten))
    rest, beaten_keys = _filled_rest(table.rest, kept, gone)
    losses += [Loss(source, "value", f"{what}.{key}", n) for key, n in beaten_keys.items()]
    return table.trusted(own, meta, rest), losses


_KEYS = ("id", "image", "category", "keypoints", "annotated", "recorded", "file", "folder")
"""Columns that say which row it is, or that are joined in their own way."""


def _filled(name: str, values: NDArray[Any], kept: Rows, gone: Rows) -> tuple[NDArray[Any], int]:
    """A column with what was unknown filled in; how many values were beaten."""
    a, b = values[kept], values[gone]
    unknown_a, unknown_b = _unknown(name, a), _unknown(name, b)
    out = values.copy()
    out[kept[unknown_a]] = b[unknown_a]
    differ = a != b
    return out, int((~unknown_a & ~unknown_b & (differ.any(1) if differ.ndim > 1 else differ)).sum())


def _unknown(name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.asarray(values == "", bool)
    if values.dtype.kind == "f":
        return np.isnan(values).any(1) if values.ndim > 1 else np.isnan(values)
    return values == 0 if name in ("width", "height") else np.zeros(len(values), bool)


def _filled_rest(rest: Rest, kept: Rows, gone: Rows) -> tuple[Rest, dict[str, int]]:
    """Keys that a kept row lacks, taken over; and by key how many differ from the kept row's."""
    if not len(gone) or not np.diff(rest.offsets)[gone].any():
        return rest, {}
    texts, beaten, layouts = rest.rows(), dict[str, int](), {key: i for i, key in enumerate(rest.layouts)}
    layout = rest.layout.copy()
    for a, b in zip(kept.tolist(), gone.tolist(), strict=True):
        ours, theirs = (msgspec.json.decode(t, type=dict[str, msgspec.Raw]) if t else {} for t in (texts[a], texts[b]))
        for key in theirs.keys() & ours.keys():
            if bytes(theirs[key]) != bytes(ours[key]) and msgspec.json.decode(theirs[key]) != msgspec.json.decode(ours[key]):
                beaten[key] = beaten.get(key, 0) + 1
        more = {k: v for k, v in theirs.items() if k not in ours}
        if more:
            texts[a] = msgspec.json.encode({**ours, **more})
            if layout[a] >= 0:
                layout[a] = layouts.setdefault(tuple(dict.fromkeys((*rest.keys(a), *more))), len(layouts))
    made = Rest.of([()] * len(texts), texts)
    return Rest(tuple(layouts), layout, made.text, made.offsets), beaten


def joined_words(table: Images | Instances, kept: Rows, gone: Rows) -> NDArray[np.object_]:
    """Meta `joined`: `source:source_id` of everything that a row took in."""
    words = table.meta.get("joined", np.full(len(table), "", object)).copy()
    said = table.meta["source"][gone] + ":" + table.meta["source_id"][gone]
    for row, word, more in zip(kept.tolist(), said.tolist(), words[gone].tolist(), strict=True):
        words[row] = "; ".join(filter(None, (words[row], word, more)))
    return words
