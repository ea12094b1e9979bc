"""How fast a recipe is, part by part, beside what its GPU could do at best. The room of torch for benchmarks.

Every number is images a second: the median of warm steps, timed by CUDA events on a GPU. The crops are noise, for speed does not
look at pictures; network, augmentation, targets, losses and steps are those of training.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from posedata.dataset import PoseDataset
from posedata.entries import entry
from posedata.errors import PoseError
from posedata.schemas import load_schema
from posedata.version import __version__

from .cost import H200, costs, floors
from .crops import CONTEXT, Crops, boxes_of, crop_affine
from .data import Loader
from .distributed import World, device_of
from .models import build
from .optim import Mean, optimiser_of
from .predict import Predictor, fitting
from .recipes import Recipe, load_recipe
from .session import Session
from .starting import exact
from .telling import Teller
from .timing import device_name
from .train import take_step

__all__ = ["PARTS", "benchmark", "count"]

PARTS = {
    "data": "crops from the cache, augmented, nothing learned from them",
    "model": "forward, loss, backward and step on one batch that never changes",
    "train": "both together: training as it is",
    "infer": "forward and decoding, with the flip test where the recipe has one",
}
"""What is measured."""
_CROPS = 4
"""Batches of noise that are cycled through."""
_FEWEST = 5


def benchmark(
    recipe: Recipe | str | Path, *, device: str | None = None, batch: int | None = None, seconds: float = 10.0, compiled: bool | None = None
) -> dict[str, Any]:
    """Images a second of one recipe in each of PARTS, its memory, its size and its floors, as plain values."""
    where = device_of(device)
    chosen = load_recipe(recipe)
    if chosen.head == "rcnn":
        raise PoseError(chosen.name, "a detector: its examples are pictures", "baselines predict says how fast it is on real ones; --count what it holds")
    size = batch or (chosen.batch if where.type == "cuda" else min(chosen.batch, 16))
    chosen = replace(chosen, batch=size, accumulate=1, compile=chosen.compile if compiled is None else compiled)
    speeds, memory = {}, {}
    with fitting(chosen.name, f"--batch {max(size // 2, 1)}"):
        session = _session(chosen, where)
        for name, work in _works(session).items():
            if where.type == "cuda":
                torch.cuda.reset_peak_memory_stats(where)
            speeds[name] = size / _median(work, where, seconds)
            memory[name] = _memory_gb(where)
    return {
        **about(where), "recipe": chosen.name, "backbone": chosen.backbone, "input": f"{chosen.height}x{chosen.width}", "batch": size,
        "precision": chosen.precision if where.type == "cuda" else "fp32", "compile": chosen.compile, "flip_test": chosen.flip_test,
        "images_per_second": {k: round(v, 2) for k, v in speeds.items()}, "memory_gb": memory,
        **costs(session.model), "floors": {"of": H200.name, **floors(session.model).to_dict()},
    }  # fmt: skip


def count(recipe: Recipe | str | Path) -> dict[str, Any]:
    """Size and floors of a recipe, without running it for time."""
    chosen = load_recipe(recipe)
    model = build(chosen, schema_of(chosen), weights=False)
    sizes = {"recipe": chosen.name, "backbone": chosen.backbone, "input": f"{chosen.height}x{chosen.width}"}
    return {**sizes, **costs(model), "floors": {"of": H200.name, **floors(model).to_dict()}}


def about(device: torch.device) -> dict[str, Any]:
    """The machine and the versions."""
    return {"hardware": device_name(device), "device": device.type, "torch": torch.__version__, "timm": timm.__version__,
            "python": platform.python_version(), "posebench": __version__}  # fmt: skip


def schema_of(recipe: Recipe) -> Any:
    """The recipe's points; speed hardly looks at how many there are, so the first will do where a dataset has several schemas."""
    return load_schema(recipe.schema or (entry(recipe.dataset).schema.split()[0] if recipe.dataset else "coco17"))


def _session(recipe: Recipe, device: torch.device) -> Session:
    """What the loop of training works on, made of noise."""
    exact(device)  # as in training
    schema = schema_of(recipe)
    model = build(recipe, schema, weights=False).to(device, memory_format=torch.channels_last if recipe.channels_last else torch.contiguous_format)
    loader = Loader(noise_crops(recipe, schema), recipe, device)
    runner = torch.compile(model) if recipe.compile else model
    return Session(recipe=recipe, folder=Path(), world=World(device=device), model=model, runner=runner, still=[], optimiser=optimiser_of(model, recipe),
                   mean=Mean(model, recipe.ema) if recipe.ema else None, loader=loader, val=None, teller=Teller(None, (), recipe, True))  # fmt: skip


def noise_crops(recipe: Recipe, schema: Any) -> Crops:
    """Crops as the cache would hold them."""
    rng = np.random.default_rng(0)
    n, (width, height) = min(_CROPS * recipe.batch, 2048), recipe.size
    margin = (round(width * (CONTEXT - 1) / 2), round(height * (CONTEXT - 1) / 2))
    keypoints = np.concatenate([rng.uniform(0, (width, height), (n, len(schema), 2)), np.full((n, len(schema), 1), 2.0)], -1)
    ds = PoseDataset.from_arrays(schema=schema, image=np.arange(n), keypoints=keypoints, bbox=np.tile([0.0, 0, width, height], (n, 1)))
    affine = crop_affine(boxes_of(ds), recipe.size, 1.0, margin)
    pixels = rng.integers(0, 256, (n, height + 2 * margin[1], width + 2 * margin[0], 3), np.uint8)
    return Crops(dataset=ds, rows=np.arange(n), pixels=pixels, affine=affine, margin=margin)


def _works(s: Session) -> dict[str, Callable[[], object]]:
    """One step of each part."""
    batches = _forever(s)
    still = next(batches)
    predictor = Predictor(s.model, s.recipe, s.recipe.name, s.world.device)
    flip = s.recipe.flip_test and bool(len(s.model.schema.pairs or ()))

    def infer() -> object:
        s.model.eval()
        return predictor.points(*predictor.forward(still[0].images, flip), 0.0)

    def learn(parts: Any) -> object:
        s.step = 0  # the schedule of a run that never ends
        return take_step(s, parts)

    return {"data": lambda: next(batches), "model": lambda: learn(still), "train": lambda: learn(next(batches)), "infer": infer}


def _forever(s: Session) -> Iterator[Any]:
    epoch = 0
    while True:
        yield from s.loader.epoch(epoch)
        epoch += 1


def _median(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of a warm step."""
    for _ in range(20 if device.type == "cuda" else 2):
        work()
    taken: list[float] = []
    begun = time.perf_counter()
    timed = _by_events if device.type == "cuda" else _by_clock
    while len(taken) < _FEWEST or time.perf_counter() - begun < seconds:
        taken += timed(work)
        if len(taken) >= 1000:
            break
    return float(np.median(taken))


def _by_clock(work: Callable[[], object]) -> list[float]:
    begun = time.perf_counter()
    work()
    return [time.perf_counter() - begun]


def _by_events(work: Callable[[], object], steps: int = 10) -> list[float]:
    """Some steps in a row, so that the GPU never waits for us to look at it; a mean of each row is one measurement."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(steps):
        work()
    last.record()
    last.synchronize()
    return [first.elapsed_time(last) / 1e3 / steps]


def _memory_gb(device: torch.device) -> float:
    """The most that was held at once: by tensors on a GPU, by the whole process on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e9, 3)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 3)
