"""A run in memory: what the loop works on, how it is set up, kept and taken up again."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from posebench.metrics import read_metric
from posedata.dataset import PoseDataset
from posedata.errors import FormatError, PoseError, first_few
from posedata.files import write_bytes
from posedata.version import __version__

from .checkpoint import flat_state, load_state, read_tensors, restore_state, save_tensors
from .data import Transform, fits, steps_of
from .distributed import World
from .families import family_of
from .freezing import check_frozen, frozen_digest, frozen_parts, frozen_report
from .models import PoseModel
from .optim import Mean, optimiser_of
from .recipes import Recipe
from .runs import BEST, CONFIG, FACTS, LAST, LOG, PREDICTIONS, RESUME, Run, read_metrics, read_run, write_metrics
from .scoring import Validation, better, require_metrics
from .starting import data_of, exact, report, same_points, started
from .telling import Teller

__all__ = ["Session", "begin"]


@dataclass(eq=False, kw_only=True)
class Session:
    """A model, its data, and how far it has come."""

    recipe: Recipe
    folder: Path
    world: World
    model: PoseModel
    runner: nn.Module
    """The model as it is run: shared between processes, compiled."""
    still: list[nn.Module]
    """Frozen parts, whose batch norms do not learn."""
    optimiser: torch.optim.Optimizer
    mean: Mean | None
    loader: Any
    """The examples, as the recipe's family has them."""
    val: Any
    teller: Teller
    step: int = 0
    """Steps done."""
    total: float = 0.0
    """Sum of the losses of the epoch's steps."""
    best: float = float("nan")
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def epoch_steps(self) -> int:
        return steps_of(len(self.loader), self.recipe)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.recipe.epochs * self.epoch_steps

    def weights(self) -> dict[str, Tensor]:
        """What is validated and kept: the mean of the weights where the recipe has one."""
        return self.model.state_dict() if self.mean is None else self.mean.values

    # -- keeping ---------------------------------------------------------------------------------

    def save(self) -> None:
        """Everything needed to go on, in one file, which is there whole or not at all."""
        if not self.world.first:
            return
        tensors = {f"model|{n}": t for n, t in self.model.state_dict().items()} | {f"optimiser|{n}": t for n, t in flat_state(self.optimiser).items()}
        tensors |= {f"mean|{n}": t for n, t in self.mean.values.items()} if self.mean else {}
        own = {"fingerprint": self.recipe.fingerprint, "points": list(self.model.schema.names), "parts": self.recipe.accumulate * self.world.size}
        save_tensors(self.folder / RESUME, tensors, own | {"step": self.step, "total": self.total, "best": self.best})

    def restore(self) -> None:
        """Take up what `save` kept, which must be of this recipe and these points."""
        path = self.folder / RESUME
        if not path.exists():
            return  # killed before the first checkpoint: the same start again
        tensors, header = read_tensors(path)
        if header.get("fingerprint") != self.recipe.fingerprint:
            raise FormatError(str(path), f"a checkpoint of another recipe than {self.recipe.name!r}", "give the settings it was begun with, or another --out")
        if header["points"] != list(self.model.schema.names):
            raise FormatError(
                str(path), f"learned {first_few(header['points'], 3, ', ')}", f"the data has {self.model.schema.name!r} now; bring it back to those points"
            )
        if header["parts"] != self.recipe.accumulate * self.world.size:
            self.teller.line(f"note: begun with batches in {header['parts']} parts, going on with {self.recipe.accumulate * self.world.size}: not bit for bit")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimiser": {}, "mean": {}}
        for name, value in tensors.items():
            kind, _, rest = name.partition("|")
            parts[kind][rest] = value
        load_state(self.model, parts["model"], str(path))
        restore_state(self.optimiser, parts["optimiser"])
        if self.mean:
            self.mean.values = {n: t.to(self.mean.values[n].device) for n, t in parts["mean"].items()}
        self.step, self.total, self.best = header["step"], header["total"], header["best"]
        done = self.step // self.epoch_steps
        self.history = [line for line in read_metrics(self.folder) if line["epoch"] <= done] if done else []
        self.teller.line(f"resumed after step {self.step:,} of {self.steps:,}")

    def check(self) -> None:
        """What is frozen is as it was at the start."""
        begun = read_run(self.folder).facts.get("frozen_digest", "")
        check_frozen(self.model, family_of(self.recipe).frozen(self.recipe), begun, str(self.folder))

    def record(self, line: dict[str, Any], found: Validation | None) -> None:
        """Keep an epoch: the last weights, the best ones with their predictions, and its line."""
        value = float("nan") if found is None else found.metrics[self.recipe.score]
        chosen = found is not None and (better(value, self.best, self.recipe.score) or not (self.folder / BEST).exists())
        self.best = value if chosen else self.best
        if self.world.first:
            about = {"recipe": self.recipe.name, "fingerprint": self.recipe.fingerprint, "epoch": line["epoch"], **({} if found is None else found.metrics)}
            kept = self.weights()
            if found is not None:  # the network that learns goes on with its own lines
                kept = kept | {name: torch.tensor(line) for name, line in found.lines.items() if name in kept}
            save_tensors(self.folder / LAST, kept, plain(about))
            if chosen and found is not None:
                save_tensors(self.folder / BEST, kept, plain(about))
                found.predictions.to_json(self.folder / PREDICTIONS)
            self.history = [*self.history, plain(line | {"best": chosen})]
            write_metrics(self.folder, self.history)
        self.teller.epoch(line, chosen)


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: no NaN."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}


# -- setting up ------------------------------------------------------------------------------------------


def begin(
    recipe: Recipe,
    folder: Path,
    world: World,
    *,
    init: str,
    resume: bool,
    root: str | Path | None,
    workers: int | None,
    plainly: bool,
    transform: Transform | None,
    log: tuple[str, ...],
    quiet: bool,
) -> Session:
    """Read, check and make everything a run needs before its first step."""
    read_metric(recipe.score)
    before = _before(recipe, folder, resume)
    exact(world.device)
    with world.ahead():
        truth, val = _data(recipe, folder, root, before)
        if val is not None:
            require_metrics(recipe, val)
        if before is not None:  # what a checkpoint will fill needs no weights; without one it is the same start again
            init = "scratch" if (folder / RESUME).exists() else before.facts["start"]["from"]
        model, facts = started(recipe, truth.schema, init)
        family = family_of(recipe)
        still = frozen_parts(model, family.frozen(recipe))
        model = model.to(world.device, memory_format=torch.channels_last if recipe.channels_last else torch.contiguous_format)
        loader, val_loader = family.loaders(recipe, truth, val, world.device, workers, plainly, transform, quiet or not world.first)
        fits(len(loader), recipe, world.size)
    teller = Teller(folder / LOG if world.first else None, log if world.first else (), recipe, quiet)
    runner = world.share(model)
    session = Session(
        recipe=recipe, folder=folder, world=world, model=model, still=still, loader=loader, val=val_loader, teller=teller,
        runner=torch.compile(runner) if recipe.compile else runner, optimiser=optimiser_of(model, recipe),
        mean=Mean(model, recipe.ema) if recipe.ema else None,
    )  # fmt: skip
    if world.first and not resume:
        _write_facts(session, truth, val, {"from": init, **facts})
    _say(session, truth, val, facts if before is None else before.facts["start"])
    if resume:
        session.restore()
    return session


def _data(recipe: Recipe, folder: Path, root: str | Path | None, before: Run | None) -> tuple[PoseDataset, PoseDataset | None]:
    """What is learned and what it is chosen on, of the same points."""
    truth = data_of(recipe, "train", root)
    if truth is None:
        raise PoseError(f"{recipe.name}: train", "empty", "--set train=... names what is learned")
    val = data_of(recipe, "val", root)
    same_points(truth, val)
    if before is not None and not before.schema.same_points(truth.schema):
        seen = f"was begun on {before.schema.name!r}, the data has {truth.schema.name!r} now"
        raise FormatError(str(folder), seen, "another --out, and --init to start from it")
    return truth, val


def _before(recipe: Recipe, folder: Path, resume: bool) -> Run | None:
    """The run that is taken up again; a folder that holds one is never written over."""
    if not resume:
        if (folder / CONFIG).exists() or (folder / RESUME).exists():
            raise PoseError(str(folder), "holds a run", "--resume goes on with it; --out names another folder")
        return None
    run = read_run(folder)
    other = [f.name for f in fields(Recipe) if getattr(run.recipe, f.name) != getattr(recipe, f.name) and f.name not in ("name", "note", "published")]
    if other:
        told = first_few([f"{n}={getattr(run.recipe, n)}, not {getattr(recipe, n)}" for n in other], 3)
        raise PoseError(str(folder), f"holds a run of another recipe ({told})", "resume with its own settings, or name another --out")
    return run


def _write_facts(session: Session, truth: PoseDataset, val: PoseDataset | None, start: dict[str, Any]) -> None:
    recipe, folder = session.recipe, session.folder
    size = sum(p.numel() for p in session.model.parameters())
    values = {
        "schema": truth.schema.to_dict(), "start": start, "seed": recipe.seed, "fingerprint": recipe.fingerprint, "parameters": size,
        "frozen_digest": frozen_digest(session.model, family_of(recipe).frozen(recipe)),
        "frozen": sum(p.numel() for p in session.model.parameters() if not p.requires_grad), "processes": session.world.size,
        "data": {"train": _counted(truth, len(session.loader)), **({"val": _counted(val, len(session.val))} if val is not None and session.val else {})},
        "versions": {"posebench": __version__, "torch": torch.__version__, "timm": timm.__version__, "python": platform.python_version()},
        "hardware": hardware(session.world.device),
    }  # fmt: skip
    write_bytes(folder / FACTS, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
    write_bytes(folder / CONFIG, recipe.to_toml().encode())


def _counted(ds: PoseDataset, crops: int) -> dict[str, Any]:
    return {"name": ds.name, "images": len(ds.images), "instances": len(ds), "crops": crops, "labelled_points": int(ds.instances.labelled.sum())}


def hardware(device: torch.device) -> dict[str, Any]:
    """What a run was made on."""
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device), "memory_gb": round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1)}
    return {"device": "cpu", "processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}


def _say(session: Session, truth: PoseDataset, val: PoseDataset | None, facts: dict[str, Any]) -> None:
    """What a reader should know before the first number."""
    recipe, say, unit = session.recipe, session.teller.line, family_of(session.recipe).unit
    say(f"{recipe.name}: {recipe.backbone}, {recipe.head} head, {recipe.width} x {recipe.height}, on {session.world.device}, {session.world.size} process(es)")
    for name, ds, n in (("train", truth, len(session.loader)), ("val", val, len(session.val) if session.val else 0)):
        if ds is not None:
            say(f"{name}: {ds.name}: {n:,} {unit} of {len(ds):,} instances on {len(ds.images):,} images, {ds.schema.name}")
    for line in report(facts, truth.schema):
        say(line)
    for told in frozen_report(session.model, family_of(recipe).frozen(recipe)):
        say(told)
    if recipe.flip and not truth.schema.pairs:
        say(f"no flips: {truth.schema.name!r} has no mirror pairs")
    if len(session.loader) < recipe.batch:
        say(f"note: fewer {unit} than a batch of {recipe.batch}: every step sees all {len(session.loader)}")
