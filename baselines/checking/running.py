"""check: a recipe before it is trained, or a run, part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from posedata.dataset import PoseDataset
from posedata.errors import PoseError

from ..checkpoint import load_weights
from ..distributed import best_device
from ..families import family_of
from ..freezing import frozen_parts
from ..models import build
from ..recipes import Recipe, load_recipe
from ..runs import Run, read_run
from ..starting import data_of, exact, same_points, started
from . import batch
from .bench import Bench
from .data import look_at_data
from .fitting import look_at_fit, look_at_history, look_at_rate
from .flow import look_at_activations, look_at_gradients
from .verdicts import Checked, Part, Verdict

__all__ = ["check", "opened"]


def check(
    source: Recipe | Run | str | Path,
    out: str | Path | None = None,
    *,
    init: str = "weights",
    examples: int = 11,
    steps: int = 300,
    quick: bool = False,
    root: str | Path | None = None,
    device: str | None = None,
    quiet: bool = True,
) -> Checked:
    """What would spoil the training of a recipe, or has spoilt a run; pictures go into the folder `out`.

    `examples` are learned by heart in `steps` steps, unless `quick`. `init` is as in `train`. Of a run the trained weights are looked at,
    and its history in the place of trial steps.
    """
    run = source if isinstance(source, Run) else read_run(source) if isinstance(source, str | Path) and Path(source).is_dir() else None
    recipe = run.recipe if run else load_recipe(source)  # type: ignore[arg-type]
    folder = Path(out) if out else run.folder / "checks" if run else Path("checks") / recipe.name
    name = str(run.folder) if run else recipe.name
    where = torch.device(device) if device else best_device()
    exact(where)
    sets = _sets(recipe, root)
    data = look_at_data(recipe, sets)
    try:
        bench = _bench(recipe, run, sets, where, init, quiet)
    except _Unusable as e:
        return Checked(name, (data, Part("batch", verdicts=(e.verdict,))), (f"all beyond the data: {e.verdict.seen}",))
    jobs: dict[str, Callable[[], Part]] = {
        "batch": lambda: _family(bench).look_at_batch(bench, folder),
        "shapes": lambda: _family(bench).look_at_shapes(bench),
        "gradients": lambda: look_at_gradients(bench),
        "activations": lambda: look_at_activations(bench, folder),
    }
    if run:
        jobs["history"] = lambda: look_at_history(bench, folder, run.folder, examples)
    else:
        jobs["rate"] = lambda: look_at_rate(bench, examples, quiet)
        if not quick:
            jobs["fit"] = lambda: look_at_fit(bench, examples, steps, folder, quiet)
    return _done(name, data, jobs, quick and not run)


def _done(name: str, data: Part, jobs: dict[str, Callable[[], Part]], quick: bool) -> Checked:
    """Every part, as far as they go: where shapes do not fit nothing can be learned."""
    parts, skipped = [data], ["fit: --quick"] if quick else []
    for job, look in jobs.items():
        if any(part.name == "shapes" and part.values["outputs"] != part.values["targets"] for part in parts):
            skipped.append(f"{job}: outputs and targets have other shapes")
            continue
        parts.append(look())
    return Checked(name, tuple(parts), tuple(skipped))


def _family(bench: Bench) -> Any:
    """The module that knows the batches and shapes of a kind of model; that of detectors needs torchvision's."""
    if not bench.finds:
        return batch
    from . import detectors

    return detectors


# -- setting up ------------------------------------------------------------------------------------------


def opened(recipe: Recipe, *, init: str = "weights", root: str | Path | None = None, device: str | None = None, quiet: bool = True) -> Bench:
    """A recipe's model and examples as the checks see them, for looking further."""
    try:
        return _bench(recipe, None, _sets(recipe, root), torch.device(device) if device else best_device(), init, quiet)
    except _Unusable as e:
        raise PoseError(recipe.name, e.verdict.seen, e.verdict.cure) from None


class _Unusable(Exception):
    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def _sets(recipe: Recipe, root: str | Path | None) -> dict[str, PoseDataset]:
    truth, val = data_of(recipe, "train", root), data_of(recipe, "val", root)
    if truth is None:
        raise PoseError(f"{recipe.name}: train", "empty", "--set train=... names what is learned")
    same_points(truth, val)
    return {"train": truth} | ({"val": val} if val is not None else {})


def _bench(recipe: Recipe, run: Run | None, sets: dict[str, PoseDataset], device: torch.device, init: str, quiet: bool) -> Bench:
    """The model and its crops; what keeps the crops from being cut is a verdict."""
    schema = sets["train"].schema
    if run:
        model = build(recipe, run.schema, weights=False)
        load_weights(model, run.weights)
        if not run.schema.same_points(schema):
            raise PoseError(str(run.folder), f"learned {run.schema.name!r}, its data has {schema.name!r} now", "bring the data back to those points")
    else:
        model = started(recipe, schema, init)[0]
    frozen_parts(model, family_of(recipe).frozen(recipe))
    model = model.to(device, memory_format=torch.channels_last if recipe.channels_last else torch.contiguous_format)
    plain = replace(recipe, compile=False)
    try:
        train, val = family_of(plain).loaders(plain, sets["train"], sets.get("val"), device, None, False, None, quiet)
    except PoseError as e:
        raise _Unusable(Verdict("batch", f"{e.where}: {e.seen}", e.cure)) from None
    return Bench(recipe=plain, model=model, train=train, val=val, trained=run is not None)
