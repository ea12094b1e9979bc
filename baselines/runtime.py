"""What models cost, in one table: parameters, multiply-accumulates, bytes on disk; milliseconds of network and of decoding apart. A room of torch.

One crop at a time is latency; many at once is throughput. The crops are noise, for speed does not look at pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posedata.errors import PoseError, did_you_mean

from .benchmark import schema_of
from .complexity import complexity
from .distributed import device_of
from .models import build
from .pairs import aligned, plainly, points
from .predict import Predictor, load_predictor
from .recipes import load_recipe
from .runs import Run, read_metrics, read_run
from .timing import Stopwatch, device_name

__all__ = ["CLOCKS", "runtime", "runtime_text", "weight_of"]

CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}
"""What is waited for; or what the processor works, over all threads, which other programs do not change. A GPU has the first only."""
_WARM = 3


def weight_of(run: Run) -> dict[str, Any]:
    """Size and arithmetic of a run's network, and the bytes of its weights' file."""
    found = complexity(build(run.recipe, run.schema, weights=False))
    return {"params_m": round(found.parameters / 1e6, 3), "gmac": round(found.macs / 1e9, 4), "size_mb": round(run.weights.stat().st_size / 1e6, 3)}


def runtime(sources: Sequence[str | Path], *, crops: int = 50, batch: int = 16, device: str | None = None, clock: str = "wall") -> list[dict[str, Any]]:
    """A row for each run's folder or recipe. Those who are compared are timed in turns, so that a busy machine is busy for all."""
    if clock not in CLOCKS:
        raise PoseError(f"clock={clock}", "no such clock", did_you_mean(clock, CLOCKS))
    if clock == "processor" and device_of(device).type != "cpu":
        raise PoseError("clock=processor", f"says nothing of {device_of(device)}", "--device cpu, or --clock wall")
    loaded = [_loaded(source, device) for source in sources]
    watches = [Stopwatch(predictor.device) for predictor, _ in loaded]
    singles: list[list[tuple[float, float]]] = [[] for _ in loaded]
    batches: list[list[tuple[float, float]]] = [[] for _ in loaded]
    for turn in range(crops + _WARM):
        for i, (predictor, _) in enumerate(loaded):
            singles[i].append(_timed(predictor, watches[i], 1, CLOCKS[clock]))
            if turn < _WARM or (turn - _WARM) % 10 == 0:
                batches[i].append(_timed(predictor, watches[i], batch, CLOCKS[clock]))
    return [
        {"name": predictor.name, **about, **_times(np.array(one[_WARM:]), np.array(many[_WARM:]), batch), "flip_test": flips(predictor), "batch": batch, "clock": clock,
         "hardware": device_name(predictor.device)}
        for (predictor, about), one, many in zip(loaded, singles, batches, strict=True)
    ]  # fmt: skip


def _loaded(source: str | Path, device: str | None) -> tuple[Predictor, dict[str, Any]]:
    """A predictor, and what can be said of it without a watch."""
    if Path(source).is_dir():
        run, predictor = read_run(source), load_predictor(source, device)
        best: dict[str, Any] = next((line for line in reversed(read_metrics(run.folder)) if line.get("best")), {})
        scores = {"metric": run.recipe.score, "value": None if best.get(run.recipe.score) is None else plainly(best[run.recipe.score])}
        return predictor, {"input": f"{run.recipe.height}x{run.recipe.width}", **weight_of(run), **scores}
    recipe, where = load_recipe(source), device_of(device)
    model = build(recipe, schema_of(recipe), weights=False)
    found = complexity(model)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    predictor = Predictor(model.to(where, memory_format=layout).eval(), recipe, recipe.name, where)
    sizes = {"params_m": round(found.parameters / 1e6, 3), "gmac": round(found.macs / 1e9, 4), "size_mb": round(found.size / 1e6, 3)}
    return predictor, {"input": f"{recipe.height}x{recipe.width}", **sizes, "metric": recipe.score, "value": None}


def flips(predictor: Predictor) -> bool:
    """Whether each crop goes through the network twice."""
    return predictor.recipe.flip_test and bool(len(predictor.model.schema.pairs or ()))


def _timed(predictor: Predictor, watch: Stopwatch, n: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds of network and of decoding for n crops at once."""
    width, height = predictor.recipe.size
    crops = torch.randint(0, 256, (n, 3, height, width)).float().to(predictor.device)
    watch.wait()
    begun = clock()
    maps, presence = predictor.forward(crops, flips(predictor))
    watch.wait()
    between = clock()
    predictor.points(maps, presence, 0.0)
    watch.wait()
    return between - begun, clock() - between


def _times(singles: np.ndarray[Any, Any], batches: np.ndarray[Any, Any], batch: int) -> dict[str, float]:
    """Medians: a machine that is busy elsewhere makes some of them late, none early."""
    network, decoding = np.median(singles, 0) * 1e3
    total = np.median(singles.sum(1)) * 1e3
    return {"total_ms": round(float(total), 3), "network_ms": round(float(network), 3), "decoding_ms": round(float(decoding), 3),
            "images_per_second": round(batch / float(np.median(batches.sum(1))), 2)}  # fmt: skip


def runtime_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for people."""
    if not rows:
        raise PoseError("complexity", "nothing is named", "folders of runs, or recipes")
    metrics = {row["metric"] for row in rows if row["value"] is not None}
    metric = metrics.pop() if len(metrics) == 1 else "score"
    head = ("", "input", "M params", "GMAC", "MB", "t_total ms", "t_NN ms", "t_dec ms", "images/s", metric)
    cells = [
        (row["name"], row["input"], f"{row['params_m']:.2f}", f"{row['gmac']:.3f}", f"{row['size_mb']:.1f}", f"{row['total_ms']:.1f}", f"{row['network_ms']:.1f}",
         f"{row['decoding_ms']:.1f}", f"{row['images_per_second']:,.0f}", points(row["value"]) if row["value"] is not None else "not trained")
        for row in rows
    ]  # fmt: skip
    flip = {row["flip_test"] for row in rows}
    told = "flip test in all" if flip == {True} else "no flip test" if flip == {False} else "flip test where the recipe has one"
    return f"{aligned([head, *cells])}\n\none crop at a time, medians; images/s in batches of {rows[0]['batch']}; {told}; {rows[0]['clock']} time on {rows[0]['hardware']}"
