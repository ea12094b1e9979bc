"""CPU against another device: the same weights, crops and draws must give the same points. The room of torch for parity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .benchmark import noise_crops, schema_of
from .data import Loader
from .losses import loss_of
from .models import PoseModel, build
from .recipes import Recipe, load_recipe

__all__ = ["TOLERANCES", "compared"]

TOLERANCES = {
    "forward": 2e-3,
    "points_px": 0.05,
    "augmented": 0.6,
    "targets": 1e-4,
    "loss": 2e-3,
}
"""Largest differences that count as the same: maps relative to their largest value, points of fp32 in pixels, pixels of 0 to 255, ..."""


def compared(recipe: Recipe | str | Path, device: str, crops: int = 8) -> dict[str, Any]:
    """Largest differences between the CPU and a device, in fp32 and, where the device has it, in bf16; and whether all are small."""
    chosen = replace(load_recipe(recipe), batch=crops, accumulate=1, precision="fp32")
    schema = schema_of(chosen)
    model = build(chosen, schema, weights=False).eval()
    noise = noise_crops(chosen, schema)
    rows = torch.arange(crops)
    here, there = Loader(noise, chosen, torch.device("cpu")), Loader(noise, chosen, torch.device(device))
    with torch.no_grad(), _exact():
        one, other = here.batch(rows, 1), there.batch(rows, 1)
        found = _said(model, one.images)
        moved = model.to(device)
        again = _said(moved, one.images.to(device))
        values = {
            "augmented": _largest(one.images, other.images),
            "targets": _largest(one.points, other.points),
            "forward": _largest(found[0], again[0]) / max(float(found[0].abs().max()), 1e-9),
            "points_px": _same_peaks(found, again),
            "loss": abs(_loss(moved.cpu(), one, chosen) - _loss(moved.to(device), other, chosen)),
        }
    bf16 = {"bf16_forward": _bf16(model.to(device), one.images.to(device), again[0])} if torch.device(device).type == "cuda" else {}
    wrong = [name for name, limit in TOLERANCES.items() if not values[name] <= limit]
    return {**{k: float(f"{v:.3g}") for k, v in {**values, **bf16}.items()}, "device": device, "wrong": wrong, "same": not wrong}


@contextmanager
def _exact() -> Iterator[None]:
    """No TF32, which training uses: it keeps ten bits of a product, and the difference would be its own."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _said(model: PoseModel, images: Tensor) -> tuple[Tensor, Tensor]:
    """The first of the maps and the decoded points, on the CPU."""
    output = model(images)
    return output.maps[0].float().cpu(), model.decode(output).float().cpu()


def _largest(a: Tensor, b: Tensor) -> float:
    return float((a.float().cpu() - b.float().cpu()).abs().max())


def _same_peaks(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Largest distance of points whose highest cell is the same: where two cells are equally high, either is right."""
    same = a[0].flatten(2).argmax(-1) == b[0].flatten(2).argmax(-1)
    apart = (a[1][..., :2] - b[1][..., :2]).norm(dim=-1)[same]
    return float(apart.max()) if len(apart) else float("nan")


def _loss(model: PoseModel, batch: Any, recipe: Recipe) -> float:
    return float(loss_of(model(batch.images), batch, model.coding).total)


def _bf16(model: PoseModel, images: Tensor, exact: Tensor) -> float:
    """What bf16 changes in the maps, relative to their largest value."""
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        maps = model(images).maps[0].float().cpu()
    return float((maps - exact).abs().max()) / max(float(exact.abs().max()), 1e-9)
