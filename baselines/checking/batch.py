"""The first batch as the model sees it, and the shapes on the way: targets, what is read back from them, and pixels under points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ..data import Batch, Loader, augmented, order
from ..models import Output
from .bench import Bench, as_outputs, as_trained, ceiling, few, joined_by
from .verdicts import Part, Verdict

__all__ = ["first_batch", "look_at_batch", "look_at_shapes"]

_MOST = 64
"""Crops that are looked at."""
_SOME = 0.1
"""Share of crops without a target, or without a picture, from which training is spoilt; half a body cut away leaves a few."""
_FLAT = 2.0
"""Standard deviation of a picture's values, of 255, below which there is none."""
_ALIKE = 0.3
"""Correlation of the colours under points before and after augmentation; points exchanged in x and y come to about 0."""


def first_batch(bench: Bench, most: int = _MOST) -> Any:
    """The examples of the first step, augmented."""
    return bench.train.batch(order(len(bench.train), bench.recipe.seed, 0)[: min(bench.recipe.batch, most)], 0)


def look_at_batch(bench: Bench, folder: Path) -> Part:
    """Draw the batch, and look for crops without picture or target."""
    from .pictures import draw_batch, tiles_of

    batch = first_batch(bench)
    plain = bench.train.plain(batch.rows.cpu())
    targets, weight = bench.model.coding.encode(batch.points, batch.v)
    peaks = torch.stack([t.abs().flatten(2).amax(-1) for t in targets]).amin(0)
    empty = (weight.abs().sum(1) == 0) | ((peaks * weight).sum(1) == 0)
    flat = batch.images.flatten(1).std(1) < _FLAT
    counts = {int(v): int((batch.v == v).sum()) for v in (0, 1, 2)}
    likeness = _likeness(bench.train, batch.rows)
    low, high = float(batch.images.min()), float(batch.images.max())
    values = {
        "crops": len(batch.rows), "visible": counts[2], "hidden": counts[1], "without": counts[0], "empty_targets": int(empty.sum()), "flat": int(flat.sum()),
        "lost_by_augmentation": int((plain.v > 0).sum()) - int((batch.v > 0).sum()), "likeness": likeness,
        "value_range": [low, high],
    }  # fmt: skip
    lines = [
        f"{len(batch.rows)} crops: {counts[2]:,} visible points, {counts[1]:,} hidden, {counts[0]:,} without label or outside",
        f"pictures from {low:.0f} to {high:.0f}; augmentation moves {values['lost_by_augmentation']:,} points out",
    ]
    tiles = tiles_of(batch, targets, bench.model.coding.simcc)
    title = f"{len(tiles)} of the {len(batch.rows)} crops of the first batch, as the model sees them"
    drawn = draw_batch(tiles, title, f"below each: the targets of its {len(bench.model.schema)} points over it", folder / "batch.png")
    verdicts = [*_empty(batch, plain, empty, flat), *_unlike(likeness), *_read_back(bench, batch)]
    return Part("batch", tuple(lines), values, tuple(verdicts), (drawn,))


def _empty(batch: Batch, plain: Batch, empty: Tensor, flat: Tensor) -> list[Verdict]:
    n, found = len(batch.rows), []
    if not torch.isfinite(batch.images).all() or not torch.isfinite(batch.points[batch.v > 0]).all():
        found.append(Verdict("batch", "pictures or points that are no numbers", "posedata validate names the rows"))
    if int(empty.sum()) > _SOME * n:
        before = int((plain.v > 0).any(1).logical_not().sum())
        cure = (
            "their boxes do not hold their points: see the picture"
            if before > _SOME * n
            else "augmentation moves the points out: lower scale, shift or half_body"
        )
        seen = "all targets are empty" if bool(empty.all()) else f"{int(empty.sum())} of {n} crops have an empty target"
        found.append(Verdict("batch", seen, cure))
    if int(flat.sum()) > _SOME * n:
        found.append(Verdict("batch", f"{int(flat.sum())} of {n} crops show nothing, one colour only", "do the boxes lie in their pictures?"))
    return found


# -- pixels under points ---------------------------------------------------------------------------------


def _likeness(loader: Loader, rows: Tensor) -> float | None:
    """How well colours under the points after rotation, scale and shift agree with those before: a correlation; None for too few points."""
    probe = replace(loader.recipe, flip=0.0, colour=0.0, cutout=0.0)
    at = rows.to(loader.device)
    pixels, points, v = loader.pixels(rows.cpu()), loader.points[at], loader.v[at]
    moved = augmented(pixels, points, v, loader.annotated[at], at, 0, probe, loader.body, loader.crops.margin)
    before = _colours(pixels.permute(0, 3, 1, 2).float(), points)
    after = _colours(moved.images, moved.points)
    seen = (moved.v > 0) & (v > 0)
    a, b = before[seen].flatten().cpu().numpy(), after[seen].flatten().cpu().numpy()
    return float(np.corrcoef(a, b)[0, 1]) if len(a) >= 30 and a.std() > 1 and b.std() > 1 else None


def _colours(images: Tensor, points: Tensor) -> Tensor:
    """(B, K, 3) mean colours of the three by three pixels around points."""
    size = torch.tensor([images.shape[-1], images.shape[-2]], device=images.device)
    around = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2)).to(points)
    places = torch.nan_to_num(points)[:, :, None] + around
    return grid_sample(images, (2 * places + 1) / size - 1, align_corners=False).mean(-1).mT


def _unlike(likeness: float | None) -> list[Verdict]:
    if likeness is None or likeness >= _ALIKE:
        return []
    seen = f"pixels under the points change when the crop is turned (correlation {likeness:.2f})"
    return [Verdict("batch", seen, "points and pictures are moved apart: are x and y exchanged in the crop or a transform?")]


# -- shapes ----------------------------------------------------------------------------------------------


def _read_back(bench: Bench, batch: Batch) -> list[Verdict]:
    """Targets read as predictions must give the points back."""
    off = _error(bench, batch)
    if off is None or not off > max(bench.model.coding.stride, 1):
        return []
    turned = _error(bench, batch._replace(points=batch.points.flip(-1)), batch.points)
    cure = "x and y are exchanged" if turned is not None and turned < off / 4 else "do encode and decode agree on stride and shape?"
    return [Verdict("batch", f"points read back from their targets are {off:.1f} px off", cure)]


def _error(bench: Bench, batch: Batch, wanted: Tensor | None = None) -> float | None:
    """Median distance in input pixels between points and what is read from their targets."""
    coding = bench.model.coding
    targets, weight = coding.encode(batch.points, batch.v)
    read = coding.decode(*as_outputs(targets, coding.simcc))[..., :2]
    off = (read - (batch.points if wanted is None else wanted)).norm(dim=-1)[weight > 0]
    return float(off.nanmedian()) if len(off) else None


def look_at_shapes(bench: Bench) -> Part:
    """The tensors on the way through the model, and what perfect outputs would score."""
    batch, model, coding = first_batch(bench), bench.model, bench.model.coding
    with as_trained(model), torch.no_grad():
        maps = model.backbone((batch.images[:8] - model.mean) / model.std)
        out = bench.output(Batch(*(t[:8] for t in batch)))
    targets, _ = coding.encode(batch.points[:8], batch.v[:8])
    perfect = ceiling(bench, few(bench.train, _MOST))
    assert perfect is not None  # noqa: S101  of crops it is known
    possible = {name: perfect[name] for name in ("AP", "AP@0.50", "AP@0.95")}
    shapes: dict[str, Any] = {
        "input": list(batch.images.shape[1:]), "maps": [list(m.shape[1:]) for m in maps], "strides": list(model.backbone.strides),
        "outputs": [list(m.shape[1:]) for m in out.maps], "targets": [list(t.shape[1:]) for t in targets], "stride": coding.stride, "ceiling": possible,
        "parameters": sum(p.numel() for p in model.parameters()), "learning": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }  # fmt: skip
    rows, columns = coding.shape
    result = f"{columns} bins across, {rows} down" if coding.simcc else f"heatmaps of {columns} x {rows} (width x height)"
    lines = [
        f"input {joined_by(batch.images.shape[:0:-1][:2])} -> maps {', '.join(f'{joined_by(m.shape[1:])} at stride {s}' for m, s in zip(maps, model.backbone.strides, strict=True))}",
        f"-> {result} for {len(model.schema)} points, stride {coding.stride:g}, sigma {coding.sigma:g} cells = {coding.sigma * coding.stride:g} px of the input",
        f"perfect outputs would score AP {possible['AP']:.3f}, AP@0.95 {possible['AP@0.95']:.3f}: what boxes and maps of this size leave possible",
        f"{shapes['parameters'] / 1e6:.2f} M parameters, {shapes['learning'] / 1e6:.2f} M of them learn",
    ]
    return Part("shapes", tuple(lines), shapes, tuple(_misfits(out, targets, model.schema, possible)))


def _misfits(out: Output, targets: tuple[Tensor, ...], schema: Any, possible: dict[str, float]) -> list[Verdict]:
    got, wanted = [tuple(m.shape[1:]) for m in out.maps], [tuple(t.shape[1:]) for t in targets]
    found = []
    if got != wanted:
        seen = f"outputs are {', '.join(map(joined_by, got))}, targets {', '.join(map(joined_by, wanted))}"
        found.append(Verdict("shapes", seen, "width and height exchanged, or a head of another stride"))
    if not all(torch.isfinite(m).all() for m in out.maps):
        found.append(Verdict("shapes", "outputs that are no numbers", "are the weights? --init scratch tells"))
    if out.presence is not None and out.presence.shape[1] != len(schema):
        found.append(Verdict("shapes", f"presence of {out.presence.shape[1]} points, the schema has {len(schema)}", "build the model for this schema"))
    if possible["AP"] < 0.9:
        seen = f"even perfect outputs would score AP {possible['AP']:.2f}"
        found.append(Verdict("shapes", seen, "finer heatmaps (width, height, head_layers), or decode=dark; are areas right?"))
    return found
