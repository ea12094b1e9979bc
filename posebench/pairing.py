"""Pairing: each truth beside the one prediction it is compared to, for metrics of distance."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.columns import repeats, rows_of
from posedata.dataset import PoseDataset
from posedata.errors import DataError, did_you_mean, first_few
from posedata.predictions import Predictions
from posedata.tables import Instances

from .align import Aligned
from .match import Matches
from .problem import Problem, part_columns
from .protocol import Part

__all__ = ["HEAD_KEYS", "HEAD_SHARE", "MATCHED_AT", "PAIRINGS", "Paired", "given", "head_sizes", "matched"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

MATCHED_AT = 0.1
"""Similarity from which on a prediction may be compared to a truth: low, so that poor poses count as poor, not as unfound."""

PAIRINGS = {
    "matched": f"the prediction that found the truth, by COCO's greedy matching at OKS >= {MATCHED_AT:g}".replace("0.", "."),
    "given": "the prediction made for that truth: its truth_id, or the only pose of an image with one truth",
}

HEAD_SHARE = 0.6
"""Of the diagonal of the head box: the head size of MPII and PoseTrack."""

HEAD_KEYS = {
    "head_size": "pixels, the share of .6 already taken (mmpose)",
    "bbox_head": "x, y, width, height (PoseTrack18)",
    "head_box": "x, y, width, height",
    "headbox": "x1, y1, x2, y2, flat or as two corners (MPII)",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Paired:
    """N truths that count, each beside the prediction it is compared to. Crowds and truths without a labelled point are left out."""

    points: Floats
    """(N, K, 3) x, y, v of the truth."""
    annotated: Bools
    """(N, K) false where the source lacks the point: it leaves every rule, also those that use all points."""
    counted: Bools
    """(N, K) points a slice asks for; ANDed with what a rule counts, and read by no norm."""
    pred: Floats
    """(N, K, 3) x, y, confidence; x and y NaN where the prediction lacks the point, all NaN where there is none."""
    absent: Bools
    """(N, K) left out by the prediction; true where there is none."""
    found: Bools
    """(N,) whether there is a prediction."""
    id: NDArray[Any]
    image: Rows
    """(N,) row in the truth's images."""
    category: Rows
    truth_row: Rows
    """(N,) row in the truth's instances."""
    pred_row: Rows
    """(N,) row in the predictions; -1 for none."""
    bbox: Floats
    """(N, 4) x, y, w, h of the truth; NaN where it has none."""
    area: Floats
    size: Floats
    """(N, 2) width and height of the image; 0 when unknown."""
    head_size: Floats
    """(N,) .6 of the diagonal of the head box; NaN where the truth has none."""
    names: tuple[str, ...]
    """K points."""
    schema: str
    pairing: str

    def __len__(self) -> int:
        return len(self.found)

    @property
    def labelled(self) -> Bools:
        """(N, K) annotated and v > 0."""
        return np.asarray(self.annotated & (self.points[..., 2] > 0), bool)

    def take(self, rows: NDArray[Any]) -> Paired:
        """These truths, by number or mask; a row may stand twice."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in ("names", "schema", "pairing")})

    def only(self, columns: NDArray[Any]) -> Paired:
        """Only these points count, by number or mask; norms still see the others."""
        chosen = np.zeros(len(self.names), bool)
        chosen[columns] = True
        return replace(self, counted=self.counted & chosen)

    def where(self, mask: Bools) -> Paired:
        """Only the points of an (N, K) mask count: `paired.where(paired.points[..., 2] == 1)`."""
        return replace(self, counted=self.counted & mask)

    def column(self, point: str | int, where: str) -> int:
        """Column of a point by its name, or by its number."""
        if isinstance(point, str):
            if point not in self.names:
                raise DataError(where, f"schema {self.schema!r} has no point {point!r}", did_you_mean(point, self.names))
            return self.names.index(point)
        if not 0 <= point < len(self.names):
            raise DataError(where, f"schema {self.schema!r} has {len(self.names)} points, none of number {point}", "name the pair of this schema")
        return point


def matched(problem: Problem, matches: Matches) -> Paired:
    """Each truth that counts beside the prediction that found it; `matches` is made at the one threshold MATCHED_AT."""
    if matches.found.shape[2] != 1:
        raise DataError("matched pairs", f"matches at {matches.found.shape[2]} thresholds", f"match at one: [{MATCHED_AT:g}]")
    truths = matches.found[:, 0, 0]
    hit = truths >= 0
    pred_row = np.full(len(problem.area), -1)
    pred_row[truths[hit]] = problem.rows[matches.near[hit]]
    return _paired(problem.truth, problem.pred, problem.columns, pred_row, np.flatnonzero(~matches.ignored[0]), "matched")


def given(aligned: Aligned, part: Part | None = None) -> Paired:
    """Each truth that counts beside the prediction made for it: the one that names its id.

    Where no prediction names a truth, each image that has predictions needs exactly one, and exactly one truth.
    Categories are not looked at; a prediction made for a truth that does not count leaves with it.
    """
    truth, columns = aligned.truth, part_columns(aligned.truth, part)
    pred_row = _by_id(aligned) if _named(aligned.pred).any() else _by_image(aligned)
    counts = ~truth.instances.crowd & truth.instances.labelled[:, columns].any(1)
    return _paired(truth, aligned.pred, columns, pred_row, np.flatnonzero(counts), "given")


def _paired(truth: PoseDataset, pred: Predictions, columns: Rows, pred_row: Rows, rows: Rows, pairing: str) -> Paired:
    """Columns of the truths at `rows`; pred_row is that of every truth."""
    own, mine = truth.instances, pred_row[rows]
    found = mine >= 0
    chosen = np.full((len(rows), len(columns), 3), np.nan)
    chosen[found] = pred.keypoints[mine[found]][:, columns]
    absent = np.ones(chosen.shape[:2], bool)
    absent[found] = pred.absent[mine[found]][:, columns]
    images = truth.images
    return Paired(
        points=own.keypoints[rows][:, columns],
        annotated=own.annotated[rows][:, columns],
        counted=np.ones(absent.shape, bool),
        pred=chosen,
        absent=absent,
        found=found,
        id=own.id[rows],
        image=own.image[rows].astype(np.intp),
        category=own.category[rows].astype(np.intp),
        truth_row=rows,
        pred_row=mine,
        bbox=own.bbox[rows],
        area=own.area[rows],
        size=np.stack([images.width, images.height], -1)[own.image[rows]].astype(np.float64),
        head_size=head_sizes(own)[rows],
        names=tuple(truth.schema.names[c] for c in columns),
        schema=truth.schema.name,
        pairing=pairing,
    )


# -- given pairs -------------------------------------------------------------------------------------

_CURE = "give truth ids (truth_id in the file, truth= in Python), or choose the matched variant"


def _named(pred: Predictions) -> Bools:
    """(M,) whether the prediction says which truth it was made for."""
    return np.asarray(pred.truth != ("" if pred.truth.dtype == object else -1), bool)


def _by_id(aligned: Aligned) -> Rows:
    """(N,) prediction that names each truth; -1 for none."""
    truth, pred = aligned.truth, aligned.pred
    rows = rows_of(truth.instances.id, pred.truth)
    unsaid = ~_named(pred)
    _refuse(pred, unsaid, f"{unsaid.sum():,} of {len(pred):,} predictions have no truth id", "give one to each, or choose the matched variant")
    unknown = rows < 0
    _refuse(pred, unknown, f"no truth has the id {first_few(pred.truth[unknown], 3, ', ')}", "ids are those of the annotations: predictions of another file?")
    astray = truth.instances.image[rows] != aligned.image
    _refuse(pred, astray, f"truth {first_few(pred.truth[astray], 3, ', ')} is in another image than the prediction", "correct truth_id or image_id")
    if repeats(rows):
        ids, times = np.unique(rows, return_counts=True)
        twice = np.isin(rows, ids[times > 1])
        seen = f"two predictions for truth {first_few(truth.instances.id[ids[times > 1]], 3, ', ')}"
        _refuse(pred, twice, seen, "keep one of them, or choose the matched variant")
    return _placed(rows, len(truth))


def _refuse(pred: Predictions, bad: Bools, seen: str, cure: str) -> None:
    if bad.any():
        raise DataError(f"predictions $[{pred.row[bad][0]}].truth_id", seen, cure)


def _by_image(aligned: Aligned) -> Rows:
    """(N,) the only prediction of the image of each truth; -1 for none."""
    truth, n = aligned.truth, len(aligned.truth.images)
    truths, preds = np.bincount(truth.instances.image, minlength=n), np.bincount(aligned.image, minlength=n)
    unclear = (preds > 0) & ((preds != 1) | (truths != 1))
    if unclear.any():
        first = np.flatnonzero(unclear)[0]
        seen = (
            f"image {truth.images.id[first]} has {_times(truths[first], 'truth')} and {_times(preds[first], 'prediction')}, and no prediction names its truth"
        )
        raise DataError("given pairs", seen, _CURE)
    only = np.full(n, -1)
    only[truth.instances.image] = np.arange(len(truth))
    return _placed(only[aligned.image], len(truth))


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _placed(truth_rows: Rows, n: int) -> Rows:
    table = np.full(n, -1)
    table[truth_rows] = np.arange(len(truth_rows))
    return table


# -- head boxes --------------------------------------------------------------------------------------


def head_sizes(instances: Instances) -> Floats:
    """(N,) .6 of the diagonal of the head box, from the keys of HEAD_KEYS; NaN where a row has none of them."""
    if "head_size" in instances.meta and instances.meta["head_size"].dtype.kind in "iuf":
        return instances.meta["head_size"].astype(np.float64)
    sizes, rest = np.full(len(instances), np.nan), instances.rest
    # The layouts know the keys of a file without its text; rows that came from no file have none.
    if not (any(key in layout for layout in rest.layouts for key in HEAD_KEYS) or (len(rest.text) and (rest.layout < 0).any())):
        return sizes
    keys = [key.encode() for key in HEAD_KEYS]
    for row, text in enumerate(rest.rows()):
        if any(key in text for key in keys):
            sizes[row] = _head_size(json.loads(text), instances.id[row])
    return sizes


def _head_size(values: dict[str, Any], instance: Any) -> float:
    """One row's; NaN without a key of HEAD_KEYS."""
    for key in HEAD_KEYS:
        value = values.get(key)
        if value is None:
            continue
        numbers = [value] if key == "head_size" else _flat(value)
        if not numbers or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers) or len(numbers) != (1 if key == "head_size" else 4):
            raise DataError(f"instance {instance}.{key}", f"{value!r}", HEAD_KEYS[key])
        if key == "head_size":
            return float(numbers[0])
        x, y, a, b = map(float, numbers)
        return HEAD_SHARE * (float(np.hypot(a - x, b - y)) if key == "headbox" else float(np.hypot(a, b)))
    return float("nan")


def _flat(value: Any) -> list[Any]:
    """Four numbers, or two corners of two."""
    if not isinstance(value, list):
        return []
    return [x for part in value for x in part] if value and all(isinstance(part, list) for part in value) else value
