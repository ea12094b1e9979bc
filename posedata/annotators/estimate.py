"""Sigmas from repeated annotation, and an upper bound from a model's residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..columns import repeats, rows_of
from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean, first_few
from ..predictions import Predictions
from ..schema import Schema
from ..tables import AREA_SHARE
from .repeats import OUTLIER, Repeats, group_sums, outliers, repeats_of
from .spread import INTERVALS, freedom, mean_squares, require_share

if TYPE_CHECKING:
    import pandas

__all__ = ["SigmaEstimate", "estimate_sigmas", "scatter", "sigmas_from_residuals"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KINDS = {
    "repeats": "measured from repeated annotation",
    "residuals": "upper bounds from a model's residuals: its own errors are in them",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class SigmaEstimate:
    """A sigma for each of K points, with its interval and what it was made from. `to_schema(name)` puts them to use."""

    schema: Schema
    kind: str
    """Of KINDS: 'repeats', or 'residuals' for an upper bound."""
    sigmas: Floats
    """(K,) NaN where nothing tells."""
    low: Floats
    high: Floats
    subjects: NDArray[np.intp]
    """(K,) instances that tell."""
    annotations: NDArray[np.intp]
    """(K,) annotations, or residuals, that were counted."""
    left_out: NDArray[np.intp]
    """(K,) of points that are off."""
    exchanged: NDArray[np.intp]
    """(K,) of those, points that fit on their mirror point."""
    plain: Floats
    """(K,) sigmas with nothing left out."""
    degrees: Floats
    """(K,) degrees of freedom of the squared sigma."""
    confidence: float
    interval: str
    pooled: bool
    outlier: float | None
    notes: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """The table, by column."""
        return {
            "keypoint": list(self.schema.names), "sigma": self.sigmas, "low": self.low, "high": self.high, "n": self.annotations, "instances": self.subjects,
            "left_out": self.left_out, "exchanged": self.exchanged, "plain": self.plain, "degrees": self.degrees, "schema_sigma": self.schema.sigmas,
            "sigma_source": [k.sigma_source for k in self.schema.keypoints],
        }  # fmt: skip

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each keypoint; `schema_sigma` is what the schema has now."""
        from ..formats.frames import table_frame

        return table_frame(self.columns())

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is unknown is None."""
        columns = {name: values if isinstance(values, list) else values.tolist() for name, values in self.columns().items()}
        rows = [{k: _known(v) for k, v in zip(columns, row, strict=True)} for row in zip(*columns.values(), strict=True)]
        return {
            "schema": self.schema.name, "kind": self.kind, "confidence": self.confidence, "interval": self.interval, "pooled": self.pooled,
            "outlier": self.outlier, "keypoints": rows, "notes": list(self.notes),
        }  # fmt: skip

    def to_schema(self, name: str | None = None) -> Schema:
        """The schema with these sigmas; points that nothing tells keep theirs, and their source."""
        chosen = {k: round(float(s), 6) for k, s in zip(self.schema.names, self.sigmas, strict=True) if 0 < s < 1}
        n = int(self.annotations.sum())
        said = f"{KINDS[self.kind]}: {n:,} points, {self.confidence:.0%} intervals by {self.interval}"
        unequal = any(chosen.get(a) != chosen.get(b) for a, b in self.schema.pairs or ())
        return self.schema.with_sigmas(
            name or f"{self.schema.name}_{'measured' if self.kind == 'repeats' else 'bounded'}",
            chosen,
            "measured" if self.kind == "repeats" else "assumed",
            asymmetry=self.schema.asymmetry or ("each side is estimated for itself" if unequal else ""),
            source=f"sigmas {said}; the points of {self.schema.name}" + (f" ({self.schema.source})" if self.schema.source else ""),
        )

    def __str__(self) -> str:
        how = f"{self.confidence:.0%} interval ({self.interval})"
        lines = [f"sigmas of {self.schema.name}: {KINDS[self.kind]}", f"{'keypoint':<20} {'sigma':>7}  {how:<24} {'n':>7} {'left out':>9} {'plain':>7}  now"]
        for i, k in enumerate(self.schema.keypoints):
            value = "      -" if math.isnan(self.sigmas[i]) else f"{self.sigmas[i]:7.4f}"
            span = "" if math.isnan(self.low[i]) else f"{self.low[i]:.4f} to {self.high[i]:.4f}"
            plain = "      -" if math.isnan(self.plain[i]) else f"{self.plain[i]:7.4f}"
            lines.append(f"{k.name:<20} {value}  {span:<24} {self.annotations[i]:7,} {self.left_out[i]:9,} {plain}  {k.sigma:.4f} {k.sigma_source}")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


def estimate_sigmas(
    given: PoseDataset | Sequence[PoseDataset] | Repeats,
    *,
    subject: str = "subject",
    annotator: str = "annotator",
    pool: bool = False,
    outlier: float | None = OUTLIER,
    confidence: float = 0.95,
    interval: str = "chi2",
    seed: int = 0,
) -> SigmaEstimate:
    """Sigmas by COCO's definition: the square root of the mean of d² / s², d the distance to the place of the point.

    The place is the mean of a subject's annotations, and the mean square is made unbiased by r / (r - 1); s² is the area.
    `given` is one set whose columns say who annotated what, or a set for each annotator. `pool` makes one of left and right.
    `outlier` is the number of robust deviations from which a point is left out and counted; None keeps all.
    """
    _check(outlier, confidence, interval)
    data = repeats_of(given, subject, annotator)
    off, exchanged = outliers(data, outlier)
    squares, weights = scatter(data, data.known & ~off)
    if not (weights > 0).any():
        raise DataError("estimate_sigmas", "no point is labelled by two annotators of one subject", f"check the columns {subject!r} and {annotator!r}")
    plain = scatter(data, data.known)
    counted = _several(data, data.known & ~off)
    return _estimate(data.ds.schema, "repeats", squares, weights, plain, counted.sum(0), off.sum(0), exchanged.sum(0), pool, outlier, confidence, interval,
                     seed, data.notes)  # fmt: skip


def scatter(data: Repeats, kept: Bools) -> tuple[Floats, Floats]:
    """(S, K), (S, K) sums of squared deviations of each subject, and the weight they count for: its annotators less one.

    Only annotators that differ are compared, so that somebody's repeats of his own work do not make a point look surer.
    """
    n, raters = len(data.subjects), len(data.annotators)
    cell, seat = np.unique(data.subject * raters + data.annotator, return_inverse=True)
    owner = cell // raters
    xy = np.where(kept[..., None], data.xy, 0.0) - np.where(kept[..., None], np.nan_to_num(data.middle)[data.subject], 0.0)
    count = kept.astype(np.float64)

    def spread(group: NDArray[np.intp], groups: int) -> tuple[Floats, Floats]:
        size, total = group_sums(count, group, groups), group_sums(xy, group, groups)
        about = group_sums((xy**2).sum(-1), group, groups) - (total**2).sum(-1) / np.maximum(size, 1)
        return size, np.maximum(about, 0.0) * size  # the sum over all pairs

    size, every = spread(data.subject, n)
    own_size, own = spread(seat, len(cell))
    pairs = (size**2 - group_sums(own_size**2, owner, n)) / 2
    weights = np.maximum(group_sums((own_size > 0).astype(np.float64), owner, n) - 1, 0.0)
    squares = np.maximum(every - group_sums(own, owner, n), 0.0)
    return np.where(weights > 0, squares / np.maximum(2 * pairs, 1) * weights, 0.0), weights


def _several(data: Repeats, kept: Bools) -> Bools:
    """(A, K) kept points that have another beside them."""
    return kept & (group_sums(kept.astype(np.intp), data.subject, len(data.subjects))[data.subject] > 1)


def _check(outlier: float | None, confidence: float, interval: str) -> None:
    if outlier is not None and not outlier > 0:
        raise DataError("estimate_sigmas", f"outlier={outlier!r}", "a number of deviations above 0, or None")
    require_share("estimate_sigmas", "confidence", confidence)
    if interval not in INTERVALS:
        raise DataError("estimate_sigmas", f"interval={brief(repr(interval))}", did_you_mean(str(interval), INTERVALS))


def _estimate(
    schema: Schema, kind: str, squares: Floats, weights: Floats, plain: tuple[Floats, Floats], annotations: Any, left_out: Any, exchanged: Any, pool: bool,
    outlier: float | None, confidence: float, interval: str, seed: int, notes: tuple[str, ...],
) -> SigmaEstimate:  # fmt: skip
    if pool:
        squares, weights, annotations, left_out, exchanged, *plain_two = (
            _both_sides(schema, x) for x in (squares, weights, annotations, left_out, exchanged, *plain)
        )
        plain = (plain_two[0], plain_two[1])
    low, high = INTERVALS[interval](squares, weights, confidence, seed)
    silent = [name for name, w in zip(schema.names, weights.sum(0), strict=True) if not w > 0]
    said = (f"no repeats tell of {first_few(silent, 6, ', ')}",) if silent else ()
    return SigmaEstimate(
        schema=schema, kind=kind, sigmas=np.sqrt(mean_squares(squares, weights)), low=low, high=high, subjects=(weights > 0).sum(0), annotations=annotations,
        left_out=left_out, exchanged=exchanged, plain=np.sqrt(mean_squares(*plain)), degrees=freedom(squares, weights), confidence=confidence,
        interval=interval, pooled=pool, outlier=outlier, notes=(*notes, *said),
    )  # fmt: skip


def _both_sides(schema: Schema, values: NDArray[Any]) -> NDArray[Any]:
    """Each point with its mirror point; a point that is its own stays as it is."""
    return np.where(schema.mirror == np.arange(len(schema)), values, values + values[..., schema.mirror])


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- from a model ------------------------------------------------------------------------------------


def sigmas_from_residuals(
    truth: PoseDataset,
    pred: Predictions,
    *,
    pool: bool = False,
    outlier: float | None = OUTLIER,
    confidence: float = 0.95,
    interval: str = "chi2",
    seed: int = 0,
) -> SigmaEstimate:
    """Upper bounds of sigmas from the residuals of a model that has not seen this set.

    A residual holds the model's error beside the annotator's, so its mean square is above sigma²; how far is unknown.
    Predictions name their truth (truth_id), or are alone with one truth on their image.
    """
    _check(outlier, confidence, interval)
    if not truth.schema.same_points(pred.schema):
        raise DataError("sigmas_from_residuals", f"schemas {truth.schema.name!r} and {pred.schema.name!r}", "bring the truth to one: .as_schema(...)")
    rows, mine = _pairs(truth, pred)
    own = truth.instances
    area = np.where(own.area > 0, own.area, own.bbox[:, 2] * own.bbox[:, 3] * AREA_SHARE)[rows]
    sized = area > 0
    notes = (f"{(~sized).sum():,} of {len(rows):,} truths left out: neither area nor box",) if not sized.all() else ()
    rows, mine, area = rows[sized], mine[sized], area[sized]
    known = own.labelled[rows] & ~pred.absent[mine]
    if not known.any():
        raise DataError("sigmas_from_residuals", "no labelled point beside a predicted one", "predictions of the same instances are needed")
    square = ((own.keypoints[rows][..., :2] - np.nan_to_num(pred.keypoints[mine][..., :2])) ** 2).sum(-1) / area[:, None]
    off = known & (square > (outlier or np.inf) ** 2 * _robust_square(np.where(known, square, np.nan)))
    kept = known & ~off
    plain = (np.where(known, square, 0.0), known.astype(np.float64))
    return _estimate(truth.schema, "residuals", np.where(kept, square, 0.0), kept.astype(np.float64), plain, kept.sum(0), off.sum(0),
                     np.zeros(len(truth.schema), np.intp), pool, outlier, confidence, interval, seed, notes)  # fmt: skip


def _robust_square(square: Floats) -> Floats:
    """(K,) mean square by the median: that of an exponential is its mean times ln 2."""
    count = (~np.isnan(square)).sum(0)
    ordered = np.sort(square, axis=0)
    return np.where(count > 0, ordered[np.maximum(count - 1, 0) // 2, np.arange(square.shape[1])], np.nan) / np.log(2)


def _pairs(truth: PoseDataset, pred: Predictions) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of truths that are no crowd, and of the prediction made for each."""
    named = np.asarray(pred.truth != ("" if pred.truth.dtype == object else -1), bool)
    if named.any():
        rows, mine = rows_of(truth.instances.id, pred.truth[named]), np.flatnonzero(named)
    else:
        at = rows_of(truth.images.id, pred.image)
        alone = np.bincount(truth.instances.image, minlength=len(truth.images)) == 1
        alone &= np.bincount(at[at >= 0], minlength=len(truth.images)) == 1
        mine = np.flatnonzero((at >= 0) & alone[at])
        only = np.full(len(truth.images), -1)
        only[truth.instances.image] = np.arange(len(truth))
        rows = only[at[mine]]
    found = (rows >= 0) & ~truth.instances.crowd[rows]
    if not found.any():
        raise DataError("sigmas_from_residuals", f"none of {len(pred):,} predictions names its truth, or is alone with it", "give truth ids: truth_id, truth=")
    if repeats(rows[found]):
        raise DataError("sigmas_from_residuals", "two predictions for one truth", "keep one of them")
    return rows[found], mine[found]
