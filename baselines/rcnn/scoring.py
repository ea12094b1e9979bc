"""Validation of a detector: the loss of val, the lines that make its logits probabilities, and what it finds, as posebench scores it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posebench.evaluation import evaluate
from posedata.predictions import Predictions

from ..distributed import World
from ..presence import Calibration, fit_calibration
from ..recipes import Recipe
from ..scoring import Validation, flips
from .decode import Placed, looked_at, place
from .finding import kept_boxes, seen
from .loader import PictureLoader, Pictures, edges_to_image
from .losses import losses_of, total
from .model import RCNN, Features, Found, learning

if TYPE_CHECKING:
    from ..boxes import Boxes

__all__ = ["lines_of", "validate"]

_AT_ONCE = 8
"""Pictures of one forward."""
_RIGHT = 0.5
"""Similarity of one point from which on it was placed right."""


class Judged(NamedTuple):
    """What the points of truth boxes show of the network's logits."""

    peak: NDArray[np.float32]
    """(n, K) logits of the mass around the peaks."""
    right: NDArray[np.bool_]
    """(n, K) whether the point was placed right."""
    labelled: NDArray[np.bool_]
    annotated: NDArray[np.bool_]
    presence: NDArray[np.float32]
    """(n, K) logits; NaN for a model that cannot tell."""


class Seen(NamedTuple):
    """One part of val after the network."""

    rows: NDArray[np.intp]
    loss: float
    judged: Judged
    corners: list[NDArray[np.float64]]
    """(n, 4) the boxes found on each picture, in pixels of the input."""
    scores: list[NDArray[np.float64]]
    points: list[NDArray[np.float64]]
    """(n, K, 2) in pixels of the input."""
    peak: list[NDArray[np.float64]]
    presence: list[NDArray[np.float64]]


def validate(model: RCNN, loader: PictureLoader, recipe: Recipe, world: World) -> Validation:
    """Predict the pictures of val, those of one process each, and score all of them together."""
    rows = torch.arange(world.rank, len(loader), world.size)
    model.eval()
    with torch.no_grad():
        mine = [_seen(model, loader.plain(part), recipe) for part in rows.split(_AT_ONCE)]
    everyone = [one for part in world.gather(mine) for one in part]
    lines = lines_of([one.judged for one in everyone])
    names = tuple(dict.fromkeys((recipe.score, "AP", "PCK@0.2")))
    predictions = _predictions(model, loader, recipe, everyone, lines, world)
    ev = evaluate(loader.dataset, predictions, metrics=names)
    weights = [len(one.rows) for one in everyone]
    return Validation(float(np.average([one.loss for one in everyone], weights=weights)), predictions, {name: ev[name] for name in names}, lines)


def lines_of(parts: list[Judged]) -> dict[str, Calibration]:
    """The lines of the peaks, by whether labelled points were placed right, and of the presence, by whether annotated points are labelled."""
    peak, right, labelled, annotated, presence = (np.concatenate(column) for column in zip(*parts, strict=True))
    lines = {"peak.line": _line(peak, right, labelled)}
    if not np.isnan(presence).any():
        lines["presence.line"] = _line(presence, labelled, annotated)
    return lines


def _line(logits: NDArray[np.float32], happened: NDArray[np.bool_], known: NDArray[np.bool_]) -> Calibration:
    return fit_calibration(logits, happened, known) if np.isfinite(logits).all() and known.any() else Calibration()


def _seen(model: RCNN, batch: Pictures, recipe: Recipe) -> Seen:
    """A part of val: its loss, its truths' boxes, and what the network finds on its own."""
    features, turned = seen(model, batch.images, recipe, flips(recipe, model))
    with torch.random.fork_rng(devices=[batch.images.device] if batch.images.is_cuda else []), learning(model):
        torch.manual_seed(recipe.seed)  # which boxes are sampled must not change from one validation to the next
        loss = float(total(losses_of(model, features, (batch, recipe.hidden, recipe.sigma))))
    judged = _judged(model, features, turned, batch, recipe)
    found = model.detect(features)
    placed = _placed(model, features, turned, found, recipe)
    counts = [len(one.boxes) for one in found]
    return Seen(
        batch.rows.cpu().numpy(), loss, judged, [_numpy(one.boxes) for one in found], [_numpy(one.scores) for one in found],
        [_numpy(p) for p in placed.points.split(counts)], [_numpy(p) for p in placed.peak.split(counts)],
        [np.full((n, len(model.schema)), np.nan) for n in counts] if placed.presence is None else [_numpy(p) for p in placed.presence.split(counts)],
    )  # fmt: skip


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().cpu().numpy())


def _placed(model: RCNN, features: Features, turned: Features | None, found: list[Found], recipe: Recipe) -> Placed:
    shares, presence = looked_at(model, features, [one.boxes for one in found], turned)
    return place(model, shares, presence, torch.cat([one.boxes for one in found]), recipe)


def _judged(model: RCNN, features: Features, turned: Features | None, batch: Pictures, recipe: Recipe) -> Judged:
    """How the network's logits relate to what it gets right, in boxes of the truth."""
    rows = torch.nonzero(~batch.crowd & (batch.v > 0).any(1))[:, 0]
    rows = rows[batch.owner[rows].argsort(stable=True)]
    boxes = [batch.boxes[rows[batch.owner[rows] == i]] for i in range(len(batch.images))]
    placed = _placed(model, features, turned, [Found(one, one[:, 0]) for one in boxes], recipe)
    sigmas = torch.as_tensor(np.array(model.schema.sigmas), dtype=torch.float32, device=batch.points.device)
    away = (placed.points - batch.points[rows]).square().sum(-1)
    similar = (-away / (2 * sigmas) ** 2 / batch.area[rows, None].clamp(min=1e-6) / 2).exp()
    labelled = batch.v[rows] > 0
    likely = torch.full_like(placed.peak, torch.nan) if placed.presence is None else placed.presence
    columns = (placed.peak, (similar > _RIGHT) & labelled, labelled, batch.annotated[rows], likely)
    return Judged(*(column.cpu().numpy() for column in columns))


def _predictions(model: RCNN, loader: PictureLoader, recipe: Recipe, everyone: list[Seen], lines: dict[str, Calibration], world: World) -> Predictions:
    """What was found, by the rules of `baselines predict`, with the lines of this very val."""
    from ..predict import Predictor, filed

    ds, k = loader.dataset, len(model.schema)
    boxes, kept = _boxes(loader, everyone)
    affine = loader.affine[np.searchsorted(loader.pictures, boxes.image)]
    points, peak, presence = (np.concatenate([np.zeros((0, k, *more)), *(one for part in everyone for one in getattr(part, name))])[kept]
                              for name, more in (("points", (2,)), ("peak", ()), ("presence", ())))  # fmt: skip
    sure = lines["peak.line"](peak) * (lines["presence.line"](presence) if "presence.line" in lines else 1.0)
    placed = points * affine[:, None, 0, :1] + affine[:, None, :, 2]
    predictor = Predictor(model, recipe, recipe.name, world.device)
    return filed(predictor, ds, boxes, np.concatenate([placed, sure[..., None]], -1), flips(recipe, model))


def _boxes(loader: PictureLoader, everyone: list[Seen]) -> tuple[Boxes, NDArray[np.intp]]:
    """The boxes of all parts on their images, and which of them were kept."""
    rows = np.concatenate([np.repeat(part.rows, [len(one) for one in part.corners]) for part in everyone])
    corners = np.concatenate([np.zeros((0, 4)), *(one for part in everyone for one in part.corners)])
    scores = np.concatenate([np.zeros(0), *(one for part in everyone for one in part.scores)])
    return kept_boxes(loader.dataset, loader.pictures[rows], edges_to_image(corners, loader.affine[rows]), scores, "own")
