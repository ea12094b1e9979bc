"""check_results: what can be known of a results file without its truth, before it is sent to somebody who has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.columns import rows_of
from posedata.dataset import PoseDataset
from posedata.errors import PoseError, first_few
from posedata.formats.results import read_predictions
from posedata.predictions import Predictions
from posedata.schema import Schema

from .sources import truth_of
from .suspicions import same_poses

__all__ = ["CHECKS", "Finding", "Submission", "check_results"]

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """What one check saw; nothing to mend where count is 0."""

    check: str
    count: int
    seen: str
    first: str = ""
    """The first record it is about, as a path in the file."""

    @property
    def ok(self) -> bool:
        return self.count == 0

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'finding':<8} {self.check:<12} {self.seen}{f'; first: {self.first}' if self.first else ''}"


@dataclass(frozen=True, eq=False)
class Submission:
    """The answer of every check, in order."""

    findings: tuple[Finding, ...]
    name: str
    """What was checked, against what."""

    @property
    def ok(self) -> bool:
        return all(f.ok for f in self.findings)

    def __iter__(self) -> Any:
        return iter(self.findings)

    def __getitem__(self, check: str) -> Finding:
        return next(f for f in self.findings if f.check == check)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "findings": [{**asdict(f), "ok": f.ok} for f in self.findings]}

    def __repr__(self) -> str:
        bad = sum(not f.ok for f in self.findings)
        return "\n".join([self.name, *(f"  {f}" for f in self.findings), f"{bad} of {len(self.findings)} checks have findings" if bad else "nothing to mend"])


@dataclass(frozen=True, eq=False)
class _Sent:
    """The predictions beside what is known of the images."""

    pred: Predictions
    images: PoseDataset | None
    max_preds: int
    bytes: int

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """(M,) row of the image; -1 for unknown ids."""
        return rows_of(self.images.images.id, self.pred.image) if self.images is not None else np.full(len(self.pred), -1)

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """(M,) the image by number, known or not."""
        return np.unique(self.pred.image, return_inverse=True)[1] if len(self.pred) else np.zeros(0, np.intp)

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """(M, 2) width and height of the image; 0 where unknown."""
        if self.images is None or not len(self.images.images):
            return np.zeros((len(self.pred), 2))
        known = np.stack([self.images.images.width, self.images.images.height], 1)
        return np.where((self.rows >= 0)[:, None], known[self.rows], 0).astype(float)

    def found(self, check: str, bad: Rows, key: str, wrong: str, right: str) -> Finding:
        """A finding about the records that are bad; `wrong` follows their number."""
        n = int(bad.sum())
        return Finding(check, n, f"{n:,} of {len(bad):,} predictions {wrong}" if n else right, f"$[{self.pred.row[bad.argmax()]}].{key}" if n else "")


def check_results(
    predictions: Predictions | str | Path,
    images: PoseDataset | str | Path | None = None,
    schema: Schema | str | Path | None = None,
    max_preds: int = 20,
) -> Submission:
    """Look at predictions where no truth is at hand: ids, counts, scores, coordinates, repeats.

    `images` is the dataset or the file that lists the images, such as image_info_test-dev2017.json; without it what the header of
    the predictions names, and where that is not here ids are not looked at.
    A file that cannot be read (wrong lengths, NaN) is an error that names its first records.
    """
    known = _images_of(images, schema)
    own = known.schema if schema is None and known is not None and len(known.schema) else schema
    pred = predictions if isinstance(predictions, Predictions) else read_predictions(predictions, own)
    size = 0 if isinstance(predictions, Predictions) else Path(predictions).stat().st_size
    known, missing = (known, "") if known is not None else _images_by_header(pred)
    sent = _Sent(pred, known, max_preds, size)
    against = f"against {known.name} ({len(known.images):,} images)" if known is not None else f"ids not looked at: {missing}"
    name = "predictions" if isinstance(predictions, Predictions) else str(predictions)
    return Submission(tuple(f for _, check in CHECKS.values() if (f := check(sent)) is not None), f"{name}, {against}")


def _images_of(images: PoseDataset | str | Path | None, schema: Schema | str | Path | None) -> PoseDataset | None:
    if images is None or isinstance(images, PoseDataset):
        return images
    from posedata.formats.anything import read

    return read(images, schema=schema)


def _images_by_header(pred: Predictions) -> tuple[PoseDataset | None, str]:
    """The dataset that the header names, or why there is none."""
    if not pred.header.get("dataset"):
        return None, "no list of images"
    try:
        return truth_of(pred), ""
    except PoseError as e:
        return None, str(e)


# -- the checks --------------------------------------------------------------------------------------


def _records(s: _Sent) -> Finding:
    size = f", {s.bytes / 1e6:,.1f} MB" if s.bytes else ""
    images = s.place.max(initial=-1) + 1
    empty = not len(s.pred)
    return Finding("records", int(empty), "no predictions" if empty else f"{len(s.pred):,} predictions on {images:,} images, schema {s.pred.schema.name}{size}")


def _image_ids(s: _Sent) -> Finding | None:
    if s.images is None:
        return None
    ids = s.images.images.id
    kinds = {True: "text", False: "numbers"}
    mine, theirs = s.pred.image.dtype == object, ids.dtype == object
    why = f" (ids are {kinds[mine]} here and {kinds[theirs]} there)" if mine != theirs else ""
    strangers = list(dict.fromkeys(s.pred.image[s.rows < 0].tolist()))
    return s.found(
        "image-ids", s.rows < 0, "image_id", f"name images that are not in the set: {first_few(strangers, 3, ', ')}{why}", "every image is in the set"
    )


def _bare_images(s: _Sent) -> Finding | None:
    """Images with nothing on them are rightly bare: where boxes are known a tenth of those with some may be, else half of all."""
    if s.images is None or not len(s.images.images):
        return None
    wanted = np.unique(s.images.instances.image) if len(s.images) else np.arange(len(s.images.images))
    has = np.zeros(len(s.images.images), bool)
    has[s.rows[s.rows >= 0]] = True
    bare = wanted[~has[wanted]]
    what = "images with annotated boxes" if len(s.images) else "images"
    seen = f"{len(bare):,} of {len(wanted):,} {what} have no prediction"
    bad = len(bare) > len(wanted) * (0.1 if len(s.images) else 0.5)
    return Finding("coverage", len(bare) if bad else 0, seen, f"image {s.images.images.id[bare[0]]}" if bad else "")


def _category_ids(s: _Sent) -> Finding | None:
    if s.images is None or not s.images.categories:
        return None
    ids = [c.id for c in s.images.categories]
    known = np.isin(s.pred.category, np.array(ids, dtype=object if s.pred.category.dtype == object else None))
    said = first_few([repr(c) for c in dict.fromkeys(s.pred.category[~known].tolist())], 3, ", ")
    return s.found("categories", ~known, "category_id", f"have category {said}; the set has {first_few(ids, 5, ', ')}", "every category is in the set")


def _per_image(s: _Sent) -> Finding:
    _, kind = np.unique(s.pred.category, return_inverse=True) if len(s.pred) else (None, np.zeros(0, np.intp))
    cell = s.place * (int(kind.max(initial=0)) + 1) + kind
    order = np.lexsort((s.pred.row, -s.pred.score, cell))
    late = np.zeros(len(cell), bool)
    late[order] = np.arange(len(cell)) - np.searchsorted(cell[order], cell[order]) >= s.max_preds
    most = int(np.bincount(cell).max(initial=0))
    return s.found("per-image", late, "score", f"are beyond the best {s.max_preds} of their image and are not looked at", f"at most {most} on an image")


def _scores(s: _Sent) -> Finding:
    score = s.pred.score
    if len(score) < 2:
        return Finding("scores", 0, "too few to compare")
    if score.min() == score.max():
        return Finding("scores", len(score), f"all {len(score):,} scores are {score[0]:g}: the order of the file decides")
    order = np.lexsort((score, s.place))
    same = np.zeros(len(score), bool)
    ties = (score[order][1:] == score[order][:-1]) & (s.place[order][1:] == s.place[order][:-1])
    same[order[1:][ties]] = same[order[:-1][ties]] = True
    right = f"{score.min():g} to {score.max():g}"
    if same.mean() < 0.1:
        return Finding("scores", 0, f"{right}; {same.sum():,} share theirs with another of their image")
    return s.found("scores", same, "score", "share their score with another of their image: the order of the file decides", right)


def _coordinates(s: _Sent) -> Finding:
    xy = s.pred.keypoints[..., :2]
    if len(xy) and xy.size and not np.isnan(xy).all() and np.nanmax(xy) <= 1.5 and np.nanmin(xy) >= -0.5:
        return Finding("coordinates", len(xy), f"no coordinate is over {np.nanmax(xy):.2f}: shares of the image's size? pixels are needed", "$[0].keypoints")
    sizes, known = s.sizes, np.asarray((s.sizes > 0).all(-1))
    with np.errstate(invalid="ignore"):
        out = _any((xy < -0.1 * sizes[:, None]) | (xy > 1.1 * sizes[:, None])) & known[:, None]
    given = ~np.isnan(xy[..., 0])
    lost = np.asarray(out.sum(1) > np.maximum(given.sum(1), 1) / 2)
    right = "most points of every pose lie in its image" if known.any() else "in pixels; sizes of the images are not known"
    return s.found("coordinates", lost, "keypoints", "have most of their points outside their image", right)


def _exchanged(s: _Sent) -> Finding | None:
    """Upright pictures and lying ones tell: whose points fit only with x and y exchanged."""
    if s.images is None:
        return None
    xy, known = s.pred.keypoints[..., :2], (s.sizes > 0).all(-1)
    with np.errstate(invalid="ignore"):
        out = [_any(_any(p > s.sizes[:, None] * 1.02)) & known for p in (xy, xy[..., ::-1])]
    wrong = out[0] & ~out[1]
    clear = wrong.sum() > 10 * (out[1] & ~out[0]).sum() and wrong.sum() > 0.05 * len(wrong)
    return s.found(
        "axes", wrong if clear else np.zeros(len(wrong), bool), "keypoints", "fit into their image only with x and y exchanged", "x and y as they should be"
    )


def _empty_poses(s: _Sent) -> Finding:
    empty = np.asarray(np.isnan(s.pred.keypoints[..., 0]).all(1)) & (len(s.pred.schema) > 0)
    return s.found("empty", empty, "keypoints", "have no point: all are 0, 0", "every pose has points")


def _collapsed(s: _Sent) -> Finding:
    xy = s.pred.keypoints[..., :2]
    spread = np.fmax.reduce(xy, 1, initial=-np.inf) - np.fmin.reduce(xy, 1, initial=np.inf) if len(xy) else np.zeros((0, 2))
    flat = np.asarray((spread <= 1).all(1)) & ((~np.isnan(xy[..., 0])).sum(1) > 1)
    return s.found("collapsed", flat, "keypoints", "have all points within a pixel", "no pose is a single place")


def _repeats(s: _Sent) -> Finding:
    return s.found("repeats", same_poses(s.pred, s.place), "keypoints", "repeat a pose of their image", "no pose stands twice on an image")


def _any(values: NDArray[np.bool_]) -> Rows:
    return np.asarray(values.any(-1))


CHECKS: Mapping[str, tuple[str, Callable[[_Sent], Finding | None]]] = MappingProxyType({
    "records": ("there are predictions, all of one schema", _records),
    "image-ids": ("every image is in the set", _image_ids),
    "coverage": ("images with annotated boxes have predictions, nine in ten at least; half of all images where no boxes are known", _bare_images),
    "categories": ("every category is in the set", _category_ids),
    "per-image": ("no image has more predictions than are looked at", _per_image),
    "scores": ("scores differ; fewer than a tenth are shared with another of the same image", _scores),
    "coordinates": ("points are pixels, and most of those of a pose lie in its image, give or take a tenth", _coordinates),
    "axes": ("no more than chance fits into its image only with x and y exchanged", _exchanged),
    "empty": ("every pose has points", _empty_poses),
    "collapsed": ("no pose has all points within a pixel", _collapsed),
    "repeats": ("no pose stands twice on an image", _repeats),
})  # fmt: skip
"""By name: what is right, and the function that looks; None where it has nothing to look at."""
