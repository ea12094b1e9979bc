"""Perfect predictions, and what is done to them: the noise of annotators, a grid, a second annotator's points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import PoseError, brief, did_you_mean
from posedata.predictions import Predictions
from posedata.schema import Schema
from posedata.similarity import oks

from ..align import Aligned, align
from ..problem import Problem
from ..workings import Workings
from .grids import Grid, through

if TYPE_CHECKING:
    from posedata.annotators.estimate import SigmaEstimate

__all__ = ["Noise", "Scene", "Second", "noise_of", "own_similarity", "scene_of", "second_annotator"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """R truths for which a perfect model predicts a pose, and the boxes it looks in."""

    truth: PoseDataset
    problem: Problem
    """Of the protocol as it is."""
    rows: NDArray[np.intp]
    """(R,) rows of the truth: no crowds."""
    xy: Floats
    """(R, K, 2) the labelled points; others in the middle of the box."""
    box: Floats
    """(R, 4) the truth's box, else the extent of its labelled points."""

    def posed(self, noise: Noise | None, grid: Grid | None, generator: np.random.Generator) -> Floats:
        """(R, K, 2) points after an annotator's error and a grid."""
        xy = self.xy
        if noise is not None:
            xy = xy + generator.standard_normal(xy.shape) * (noise.distance[self.rows] / np.sqrt(2))[..., None]
        return xy if grid is None else through(grid, xy, self.box)

    def aligned(self, xy: Floats, score: Floats) -> Aligned:
        """The poses as predictions on the truth's own rows."""
        own, truth = self.truth.instances, self.truth
        ids = np.array([*(c.id for c in truth.categories), None], object)[:-1]
        ids = ids if any(isinstance(i, str) for i in ids) else ids.astype(np.int64)
        pred = Predictions(
            schema=truth.schema,
            image=truth.images.id[own.image[self.rows]],
            keypoints=np.concatenate([xy, np.ones((*xy.shape[:2], 1))], -1),
            score=score,
            category=ids[own.category[self.rows]],
            bbox=self.box,
        )
        return Aligned(truth=truth, pred=pred, image=own.image[self.rows], category=own.category[self.rows], rank=self.problem.rank)


def scene_of(workings: Workings) -> Scene:
    """Every truth that is no crowd; crowds are not predicted."""
    truth, problem = workings.aligned.truth, workings.problem()
    own = truth.instances
    rows = np.flatnonzero(~own.crowd & (own.labelled.any(1) | ~problem.ignored))
    unboxed = np.asarray(np.isnan(own.bbox[rows]).any(1))[:, None]
    box = np.nan_to_num(np.where(unboxed, own.extent()[rows], own.bbox[rows]))
    middle = box[:, None, :2] + box[:, None, 2:] / 2 - 0.5
    xy = np.where(own.labelled[rows][..., None], own.keypoints[rows][..., :2], middle)
    return Scene(truth=truth, problem=problem, rows=rows, xy=xy, box=box)


def own_similarity(scene: Scene, problem: Problem, xy: Floats) -> Floats:
    """(R,) OKS of each pose to the truth it was made for."""
    places = np.arange(len(scene.rows))
    return oks(problem.points, problem.labelled, problem.area, problem.sigmas, xy, scene.rows, places, scene.truth.instances.bbox)


# -- noise -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Noise:
    """How far annotators err."""

    says: str
    distance: Floats
    """(N, K) root mean squared distance of each point from its place, in pixels; 0 where nothing is known of it."""


def noise_of(given: float | Mapping[str, float] | SigmaEstimate | Schema, scene: Scene) -> Noise | None:
    """The noise that a caller names; None for none."""
    problem = scene.problem
    own = np.broadcast_to(problem.sigmas, problem.labelled.shape)
    if isinstance(given, int | float) and not isinstance(given, bool):
        if not 0 <= given < np.inf:
            raise PoseError("ceiling: noise", f"{given!r}", "a multiple of the sigmas, 0 or more: 1 is the noise that they stand for")
        said, sigmas = f"{'' if given == 1 else f'{given:g} x '}the sigmas of the truth", own * given
    else:
        said, named = _named(given)
        unknown = [name for name in named if name not in scene.truth.schema.names]
        if unknown:
            raise PoseError("ceiling: noise", f"no keypoint {brief(repr(unknown[0]))}", did_you_mean(str(unknown[0]), scene.truth.schema.names))
        bad = next((name for name, sigma in named.items() if not (isinstance(sigma, int | float) and 0 <= sigma < 1)), None)
        if bad is not None:
            raise PoseError(f"ceiling: noise {bad!r}", brief(repr(named[bad])), "a sigma lies between 0 and 1 (COCO's nose: 0.026)")
        sigmas = own.copy()
        for name, sigma in named.items():
            sigmas[:, scene.truth.schema.index(name)] = sigma
    distance = np.nan_to_num(sigmas) * np.sqrt(np.maximum(problem.area, 0.0))[:, None]
    return Noise(says=said, distance=distance) if distance.any() else None


def _named(given: Any) -> tuple[str, Mapping[str, float]]:
    """Sigmas by keypoint, and where they come from; points that nothing tells keep those of the truth."""
    if isinstance(given, Mapping):
        return "sigmas as given", given
    if isinstance(given, Schema):
        return f"the sigmas of {given.name}", dict(zip(given.names, given.sigmas.tolist(), strict=True))
    if hasattr(given, "sigmas") and hasattr(given, "schema"):
        known = {name: float(s) for name, s in zip(given.schema.names, given.sigmas, strict=True) if s > 0}
        return "sigmas estimated from repeated annotation", known
    raise PoseError(
        "ceiling: noise", brief(repr(given)), "a multiple of the sigmas, sigmas by keypoint, estimate_sigmas(...), or a second annotator's PoseDataset"
    )


# -- a second annotator ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Second:
    """A second annotator's poses as predictions on the images that both annotated."""

    aligned: Aligned
    says: str


def second_annotator(truth: PoseDataset, other: PoseDataset, per_category: bool) -> Second:
    """The other's instances, crowds left out, on the images that both know."""
    own = other.instances
    rows = np.flatnonzero(~own.crowd & own.labelled.any(1))
    points = np.where(own.labelled[rows][..., None], own.keypoints[rows], [np.nan, np.nan, 0.0])
    ids = np.array([*(c.id for c in other.categories), None], object)[:-1]
    ids = ids if any(isinstance(i, str) for i in ids) else ids.astype(np.int64)
    pred = Predictions(
        schema=other.schema,
        image=other.images.id[own.image[rows]],
        keypoints=points,
        score=np.ones(len(rows)),
        category=ids[own.category[rows]],
        bbox=own.bbox[rows],
    )
    both = np.flatnonzero(np.isin(truth.images.id, other.images.id)) if truth.images.id.dtype == other.images.id.dtype else np.zeros(0, np.intp)
    if not len(both):
        raise PoseError("ceiling: noise", f"{other.name!r} has no image of {truth.name!r}", "a second annotation of the same images, by the same ids")
    known = truth if len(both) == len(truth.images) else truth.take_images(both)
    aligned = align(known, pred, per_category, "drop")
    return Second(aligned=replace(aligned, warnings=()), says=f"{other.name}, on {len(both):,} of {len(truth.images):,} images")
