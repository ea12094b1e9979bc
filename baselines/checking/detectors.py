"""The batch and the shapes of a detector: whole pictures, boxes, and maps over boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..rcnn.loader import Pictures
from ..rcnn.model import CELLS
from ..rcnn.targets import seen_in
from .batch import first_batch
from .bench import Bench, as_trained, joined_by
from .verdicts import Part, Verdict

__all__ = ["look_at_batch", "look_at_shapes"]

_SOME = 0.1
"""Share of the people on whom no point can be learned, from which training is spoilt."""
_SMALL = 8.0
"""Input pixels: a side of a box below which its maps show nothing."""


def look_at_batch(bench: Bench, folder: Path) -> Part:
    """Draw the pictures with boxes, points and targets; look for people who teach nothing."""
    from .pictures import MOST, draw_batch

    batch: Pictures = first_batch(bench)
    people = ~batch.crowd
    v = seen_in(batch.points, batch.v, batch.boxes, CELLS)[people]
    sides = (batch.boxes[:, 2:] - batch.boxes[:, :2])[people]
    counts = {int(kind): int((v == kind).sum()) for kind in (0, 1, 2)}
    empty, small = int((v > 0).any(1).logical_not().sum()), int((sides.amin(1) < _SMALL).sum()) if len(sides) else 0
    values = {"pictures": len(batch.rows), "people": int(people.sum()), "crowds": int(batch.crowd.sum()), "visible": counts[2], "hidden": counts[1],
              "without": counts[0], "empty_targets": empty, "small_boxes": small}  # fmt: skip
    lines = (
        f"{len(batch.rows)} pictures with {values['people']} people and {values['crowds']} regions that teach nothing",
        f"{counts[2]:,} visible points, {counts[1]:,} hidden, {counts[0]:,} without label or outside their box",
    )
    tiles = [_tile(bench, batch, i) for i in range(min(len(batch.rows), MOST))]
    title = f"{len(tiles)} of the {len(batch.rows)} pictures of the first batch, as the model sees them"
    drawn = draw_batch(tiles, title, "below each: the targets of its boxes over it", folder / "batch.png")
    return Part("batch", lines, values, tuple(_verdicts(values)), (drawn,))


def _verdicts(values: dict[str, int]) -> list[Verdict]:
    people, found = values["people"], []
    if not people:
        return [Verdict("batch", "nobody is on the pictures of the first batch", "augmentation moves them out: lower scale or shift; or boxes are wrong")]
    if values["empty_targets"] > _SOME * people and values["empty_targets"] == people:
        found.append(
            Verdict("batch", "all targets are empty: no labelled point lies in its box", "are boxes x, y, width, height, and points x, y, of the same picture?")
        )
    if values["small_boxes"] > 0.5 * people:
        seen = f"{values['small_boxes']} of {people} boxes are narrower than {_SMALL:g} px in the input"
        found.append(Verdict("batch", seen, "larger width and height"))
    return found


def _tile(bench: Bench, batch: Pictures, i: int) -> Any:
    from .pictures import Tile, pixels_of

    own = torch.nonzero((batch.owner == i) & ~batch.crowd)[:, 0]
    pixels = pixels_of(batch.images[i])
    boxes = batch.boxes[own].double().cpu().numpy()
    v = seen_in(batch.points[own], batch.v[own], batch.boxes[own], CELLS)
    points = batch.points[own].double().cpu().numpy()
    heat = _heat(points, v.cpu().numpy(), boxes, bench.recipe.sigma, pixels.shape[:2])
    return Tile(pixels, points.reshape(-1, 2), v.double().cpu().numpy().reshape(-1), heat, boxes)


def _heat(points: NDArray[np.float64], v: NDArray[np.float64], boxes: NDArray[np.float64], sigma: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(h, w) the strongest of all Gaussians, each as wide as so many cells of its box."""
    heat = np.zeros(shape)
    y, x = np.ogrid[: shape[0], : shape[1]]
    for own, known, (x0, y0, x1, y1) in zip(points, v, boxes, strict=True):
        wide, high = max(sigma * (x1 - x0) / CELLS, 0.8), max(sigma * (y1 - y0) / CELLS, 0.8)  # a pixel of the picture shows what is narrower
        for px, py in own[known > 0]:
            np.maximum(heat, np.exp(-0.5 * (((x - px) / wide) ** 2 + ((y - py) / high) ** 2)), out=heat)
    return heat


def look_at_shapes(bench: Bench) -> Part:
    """The pyramid, the maps over boxes, and what a cell of them is on a person of usual size."""
    batch: Pictures = first_batch(bench, 2)
    model = bench.model
    own = ~batch.crowd
    with as_trained(model), torch.no_grad():
        model.eval()
        features = model.features(batch.images)
        maps, presence = model.look(features, [batch.boxes[own & (batch.owner == i)] for i in range(len(batch.images))])
    pyramid = [list(m.shape[1:]) for m in features.maps.values()]
    sides = (bench.train.boxes[:, 2:] - bench.train.boxes[:, :2]).cpu().numpy()[~bench.train.crowd.cpu().numpy()]
    usual = np.median(sides, 0) if len(sides) else np.zeros(2)
    shapes = {"input": list(batch.images.shape[1:]), "pyramid": pyramid, "outputs": [list(maps.shape[1:])], "targets": [[len(model.schema), CELLS, CELLS]],
              "usual_box": usual.tolist(), "parameters": sum(p.numel() for p in model.parameters()),
              "learning": sum(p.numel() for p in model.parameters() if p.requires_grad)}  # fmt: skip
    lines = (
        f"input {joined_by(batch.images.shape[:0:-1][:2])} -> pyramid of {', '.join(map(joined_by, pyramid))}",
        f"-> heatmaps of {CELLS} x {CELLS} over each box for {len(model.schema)} points; "
        f"over a usual one ({usual[0]:.0f} x {usual[1]:.0f} px of the input) a cell is {usual[0] / CELLS:.1f} x {usual[1] / CELLS:.1f} px",
        f"{shapes['parameters'] / 1e6:.2f} M parameters, {shapes['learning'] / 1e6:.2f} M of them learn",
    )
    return Part("shapes", lines, shapes, tuple(_misfits(shapes, maps, presence, len(model.schema))))


def _misfits(shapes: dict[str, Any], maps: torch.Tensor, presence: torch.Tensor | None, k: int) -> list[Verdict]:
    found = []
    if shapes["outputs"] != shapes["targets"]:
        seen = f"outputs are {joined_by(shapes['outputs'][0])}, targets {joined_by(shapes['targets'][0])}"
        found.append(Verdict("shapes", seen, "build the model for this schema"))
    if not torch.isfinite(maps).all() or (presence is not None and not torch.isfinite(presence).all()):
        found.append(Verdict("shapes", "outputs that are no numbers", "are the weights? --init scratch tells"))
    if presence is not None and presence.shape[1] != k:
        found.append(Verdict("shapes", f"presence of {presence.shape[1]} points, the schema has {k}", "build the model for this schema"))
    return found
