"""Problem: what a protocol makes of truth and predictions before anything is matched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, PoseError, did_you_mean, first_few
from posedata.predictions import Predictions
from posedata.similarity import extent_area
from posedata.tables import AREA_SHARE

from .align import Aligned
from .protocol import Part, Protocol

__all__ = ["Problem", "prepare", "sigma_table"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """N truths and the M predictions that count, in the order in which they are served: by image, category, score, row."""

    truth: PoseDataset
    pred: Predictions
    protocol: Protocol
    columns: NDArray[np.intp]
    """(K,) columns of the schema that are scored."""
    points: NDArray[np.float64]
    """(N, K, 3) of the truths."""
    labelled: NDArray[np.bool_]
    sigmas: NDArray[np.float64]
    """(N, K), or (1, K) where all truths share them."""
    area: NDArray[np.float64]
    ignored: NDArray[np.bool_]
    """(N,) neither found nor missed."""
    image: NDArray[np.intp]
    """(N,) row in truth.images."""
    category: NDArray[np.intp]
    """(N,) what is matched together; all 0 where categories are one."""
    rows: NDArray[np.intp]
    """(M,) row in pred."""
    pred_points: NDArray[np.float64]
    """(all rows of pred, K, 3); absent points as the protocol reads them."""
    pred_image: NDArray[np.intp]
    pred_category: NDArray[np.intp]
    pred_score: NDArray[np.float64]
    pred_area: NDArray[np.float64]
    rank: NDArray[np.intp]
    """(I,) place of each image in the order of ids."""
    used: Mapping[str, str] = field(default_factory=dict)
    """What the data made of a choice of the protocol, for its printed block."""
    warnings: tuple[str, ...] = ()

    @cached_property
    def kinds(self) -> int:
        """How many categories are matched apart."""
        return int(max(self.category.max(initial=0), self.pred_category.max(initial=0))) + 1

    @cached_property
    def cell(self) -> NDArray[np.intp]:
        """(M,) number of each prediction's image and category: rivals share it, and stand together."""
        return np.asarray(self.rank[self.pred_image] * self.kinds + self.pred_category)

    @cached_property
    def best_first(self) -> NDArray[np.intp]:
        """(M,) the predictions by category, then best score first; equal scores by image id and row, as pycocotools has them."""
        order = np.argsort(-self.pred_score, kind="stable")
        return order[np.argsort(self.pred_category[order], kind="stable")] if self.kinds > 1 else order

    def only_column(self, column: int) -> Problem:
        """The same poses, one point of them; who does not have it labelled is ignored."""
        chosen = self.columns[column : column + 1]
        labelled = self.labelled[:, column : column + 1]
        return replace(
            self,
            columns=chosen,
            points=self.points[:, column : column + 1],
            labelled=labelled,
            sigmas=self.sigmas[:, column : column + 1],
            ignored=self.ignored | ~labelled[:, 0],
            pred_points=self.pred_points[:, column : column + 1],
        )


def prepare(aligned: Aligned, protocol: Protocol, part: Part | None = None, pooled: bool = False) -> Problem:
    """All columns that matching looks at, for all points or for a part of them."""
    truth, pred = aligned.truth, aligned.pred
    own = truth.instances
    columns = part_columns(truth, part)
    every = part is None  # a part may name all points, in another order
    labelled = own.labelled[:, columns]
    ignored = _ignored(truth, labelled, protocol.ignored if part is None else part.ignored) | ~_valid(truth, part)
    area, area_used, warnings = truth_areas(truth, protocol, ~ignored)
    hollow = ~ignored & ~labelled.any(1)
    if every and hollow.any():
        warnings.append(f"{hollow.sum():,} truths count by their num_keypoints though no point is labelled; only their box is compared")
    score = _scores(pred, part)
    one = pooled or not protocol.per_category
    pred_category = np.zeros(len(pred), np.intp) if one else aligned.category
    rows = _served(aligned, pred_category, score, protocol.max_preds, _spoken(pred, columns, part))
    points = _points(pred, protocol.absent)
    return Problem(
        truth=truth,
        pred=pred,
        protocol=protocol,
        columns=columns,
        points=own.keypoints if every else own.keypoints[:, columns],
        labelled=labelled,
        sigmas=_sigmas_of(truth, protocol)[:, columns],
        area=area,
        ignored=ignored,
        image=own.image,
        category=np.zeros(len(truth), np.intp) if one else own.category,
        rows=rows,
        pred_points=points if every else points[:, columns],
        pred_image=aligned.image[rows],
        pred_category=pred_category[rows],
        pred_score=score[rows],
        pred_area=prediction_areas(aligned, points, rows, protocol),
        rank=aligned.rank,
        used={"area": area_used} if area_used else {},
        warnings=(*aligned.warnings, *warnings),
    )


def _points(pred: Predictions, absent: str) -> NDArray[np.float64]:
    """Absent points at (0, 0), or NaN; a point that only its confidence calls absent stays where it is for who scores the origin."""
    if absent == "origin":
        return np.nan_to_num(pred.keypoints, nan=0.0) if np.isnan(pred.keypoints).any() else pred.keypoints
    return np.where(pred.absent[..., None], np.nan, pred.keypoints)


def part_columns(truth: PoseDataset, part: Part | None) -> NDArray[np.intp]:
    """Columns of a part's points; all without one."""
    return np.arange(len(truth.schema)) if part is None else np.array([truth.schema.index(name) for name in part.points], np.intp)


def _served(aligned: Aligned, category: NDArray[np.intp], score: NDArray[np.float64], max_preds: int, spoken: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """Rows of the predictions by image, category, score and row, the first `max_preds` of each image and category."""
    cell = aligned.rank[aligned.image] * (int(category.max(initial=0)) + 1) + category
    order = np.lexsort((aligned.pred.row, -score, cell))
    order = order if spoken is None else order[spoken[order]]
    ordered = cell[order]
    first = np.searchsorted(ordered, ordered, side="left")
    return order[np.arange(len(order)) - first < max_preds]


def _spoken(pred: Predictions, columns: NDArray[np.intp], part: Part | None) -> NDArray[np.bool_] | None:
    """Predictions that say anything about a part, where the part asks for it."""
    return np.asarray((pred.keypoints[:, columns, 2] > 0).any(1)) if part is not None and part.drop_silent else None


def _scores(pred: Predictions, part: Part | None) -> NDArray[np.float64]:
    if part is None or not part.score:
        return pred.score
    own = np.asarray(pred.meta[part.score], np.float64) if part.score in pred.meta else _scattered(pred, part.score)
    return np.where(np.isnan(own), pred.score, own)


def _scattered(pred: Predictions, key: str) -> NDArray[np.float64]:
    """A number that only some records hold, which is no column then; NaN in the others."""
    values, mark = np.full(len(pred), np.nan), f'"{key}"'.encode()
    for row, text in enumerate(pred.rest.rows()):
        if text and mark in bytes(text):
            value = json.loads(bytes(text)).get(key)
            values[row] = value if isinstance(value, int | float) else np.nan
    return values


def _valid(truth: PoseDataset, part: Part | None) -> NDArray[np.bool_]:
    column = truth.instances.meta.get(part.valid) if part is not None and part.valid else None
    return np.ones(len(truth), bool) if column is None else np.asarray(column == 1, bool)


def _ignored(truth: PoseDataset, labelled: NDArray[np.bool_], rule: str) -> NDArray[np.bool_]:
    own = truth.instances
    none = ~labelled.any(1)
    empty = {"recorded": np.where(own.recorded >= 0, own.recorded == 0, none), "labelled": none, "crowd": np.zeros(len(truth), bool)}
    return own.crowd | empty[rule]


# -- sigmas ------------------------------------------------------------------------------------------


def sigma_table(truth: PoseDataset, protocol: Protocol) -> NDArray[np.float64]:
    """(C, K) sigmas by category: the protocol's where it names them, else the truth's."""
    table = truth.sigmas.copy()
    where = f"protocol {protocol.name!r} sigmas"
    names = [c.name for c in truth.categories]
    for key, value in protocol.sigmas.items():
        mine = [row for row, name in enumerate(names) if name == key] if isinstance(value, Mapping) else list(range(len(names)))
        if isinstance(value, Mapping) and not mine:
            raise PoseError(where, f"no category {key!r}", did_you_mean(key, names))
        for point, sigma in (value if isinstance(value, Mapping) else {key: value}).items():
            if point not in truth.schema.names:
                raise PoseError(where, f"no keypoint {point!r} in schema {truth.schema.name!r}", did_you_mean(point, truth.schema.names))
            column = truth.schema.index(point)
            table[mine, column] = np.where(np.isnan(table[mine, column]), np.nan, sigma)
    return table


def _sigmas_of(truth: PoseDataset, protocol: Protocol) -> NDArray[np.float64]:
    table = sigma_table(truth, protocol)
    if len(table) and (np.nan_to_num(table) == np.nan_to_num(table[:1])).all():
        return table[:1]
    return table[truth.instances.category]


# -- areas -------------------------------------------------------------------------------------------


def truth_areas(truth: PoseDataset, protocol: Protocol, counted: NDArray[np.bool_]) -> tuple[NDArray[np.float64], str, list[str]]:
    """(N,) areas by the protocol's rule; where the file has none, by the next rule that it allows, and words that say so."""
    rule = protocol.truth_area
    said: list[str] = []
    boxed = ~np.isnan(truth.instances.bbox).any(1)
    if rule == "recorded" and len(truth) and np.isnan(truth.instances.area).all():
        rule = ".53 box"
        if boxed.any():
            said.append("no area in the truth: .53 of the box stands in; numbers are not comparable with those of recorded areas")
    if rule in ("box", ".53 box") and len(truth) and not boxed.any():
        what = "neither area nor box" if rule != protocol.truth_area else "no box"
        rule = "extent"
        said.append(f"{what} in the truth: the extent of the labelled points stands in for the area; numbers are not comparable with those of others")
    area = _AREAS[rule](truth)
    missing = np.isnan(area) & counted
    if missing.any():
        what = "area" if rule == "recorded" else "bbox"
        rules = [r for r in (".53 box", "extent") if not (np.isnan(_AREAS[r](truth)) & counted).any()]
        cure = f"fill it in, or choose another rule in the protocol: truth_area = {' or '.join(map(repr, rules))}"
        raise DataError(
            truth.name,
            f"no {what} in {missing.sum():,} of {len(truth):,} truths, the first with id {first_few(truth.instances.id[missing].tolist(), 3, ', ')}",
            cure,
        )
    return np.nan_to_num(area), f"{rule}, for the truth has none by the rule" if said else "", said


def _box_area(truth: PoseDataset) -> NDArray[np.float64]:
    return np.asarray(truth.instances.bbox[:, 2] * truth.instances.bbox[:, 3])


_AREAS: Mapping[str, Any] = {
    "recorded": lambda truth: truth.instances.area,
    "box": _box_area,
    # in the order of CrowdPose's own code: h x w x .53
    ".53 box": lambda truth: truth.instances.bbox[:, 3] * truth.instances.bbox[:, 2] * AREA_SHARE,
    "extent": lambda truth: extent_area(truth.instances.keypoints[..., :2], truth.instances.labelled),
}


def prediction_areas(aligned: Aligned, points: NDArray[np.float64], rows: NDArray[np.intp], protocol: Protocol) -> NDArray[np.float64]:
    """(M,) areas of the predictions that count; a point that the category lacks is in no extent."""
    box = aligned.pred.bbox[rows]
    areas = np.asarray(box[:, 2] * box[:, 3])
    unknown = np.flatnonzero(np.isnan(areas) if protocol.prediction_area == "box or extent" else np.ones(len(rows), bool))
    lacking = np.isnan(aligned.truth.sigmas)
    for start in range(0, len(unknown), _BLOCK):
        chosen = unknown[start : start + _BLOCK]
        xy = points[rows[chosen]][..., :2]
        known = ~np.isnan(xy[..., 0])
        if protocol.per_category and lacking.any():
            known &= ~lacking[aligned.category[rows[chosen]]]
        areas[chosen] = extent_area(xy, known)
    return areas


_BLOCK = 8192
"""Poses copied at once."""
