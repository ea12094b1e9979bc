"""The training loop, on one page. What it works on is a `Session`; what it says goes through its `Teller`."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posedata.errors import PoseError, brief

from .checkpoint import save_tensors
from .data import Batch, Transform
from .distributed import World, world
from .families import family_of
from .optim import clipped, learning_rate, set_rate
from .recipes import Recipe, load_recipe
from .runs import Run, read_run
from .scoring import Validation
from .session import Session, begin

__all__ = ["Stopped", "take_step", "train"]

_LOOK = 10
"""Steps between two looks at the losses: a GPU works ahead until somebody asks for a number."""


class Stopped(PoseError):
    """A run that was asked to stop, and has saved itself."""


def train(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    init: str = "weights",
    resume: bool = False,
    root: str | Path | None = None,
    device: str | None = None,
    workers: int | None = None,
    plain_loader: bool = False,
    transform: Transform | None = None,
    log: tuple[str, ...] = (),
    quiet: bool = False,
) -> Run:
    """Learn a recipe into a folder, or go on with what the folder holds; gives back the run.

    `init` is "weights" (the backbone's published ones), "scratch", or the folder of another run, of which what fits is copied.
    `transform` changes each crop before augmentation, in a plain DataLoader of `workers` processes. Under torchrun all processes learn
    as one. `root` is where datasets lie; `log` names trackers.
    """
    chosen, folder = load_recipe(recipe), Path(out)
    with world(device) as among, _explained(chosen, among):
        session = begin(
            chosen, folder, among, init=init, resume=resume, root=root, workers=workers, plainly=plain_loader, transform=transform, log=log, quiet=quiet
        )  # fmt: skip
        _learn(session)
    return read_run(folder)


def _learn(s: Session) -> None:
    """Epoch after epoch from wherever the session stands."""
    with _asked_to_stop() as asked:
        while s.step < s.steps:
            epoch, first = divmod(s.step, s.epoch_steps)
            started, begun, losses = time.perf_counter(), s.step, list[Tensor]()
            for parts in s.loader.epoch(epoch, first, s.world.rank, s.world.size):
                losses.append(take_step(s, parts))
                if s.step % _LOOK == 0 or s.step % s.epoch_steps == 0:
                    _look(s, losses, epoch)
                    _tell(s, epoch, started, begun)
                    if s.step % s.epoch_steps and s.world.any(asked()):
                        _stop(s)
                if s.recipe.save_every and s.step % s.recipe.save_every == 0 and s.step % s.epoch_steps:
                    _look(s, losses, epoch)
                    s.save()
            _finish(s, epoch + 1, started, begun)
            if s.step < s.steps and s.world.any(asked()):
                _stop(s)
            s.save()
    if s.world.first:
        s.check()


def _stop(s: Session) -> None:
    s.save()
    raise Stopped(str(s.folder), f"stopped after step {s.step:,} of {s.steps:,}, saved", "--resume goes on from there")


def take_step(s: Session, parts: list[Batch]) -> Tensor:
    """One step of the optimiser over a batch in parts; its loss, still on the device."""
    recipe, device = s.recipe, s.world.device
    set_rate(s.optimiser, learning_rate(s.step, s.steps, recipe))
    s.runner.train()
    for module in s.still:
        module.eval()
    total = torch.zeros((), device=device)
    for a, batch in enumerate(parts):
        # Drop path draws anew from here for each part, so that neither resuming nor the number of processes changes what is drawn.
        torch.manual_seed((recipe.seed * 1_000_003 + s.step) * 4099 + a * s.world.size + s.world.rank)
        waits = s.runner.no_sync() if s.world.size > 1 and a + 1 < len(parts) else nullcontext()
        with waits:
            loss = family_of(recipe).loss(s.runner, batch, s.model, recipe) / len(parts)
            loss.backward()
        total += loss.detach()
    if recipe.clip:
        clipped(s.model.parameters(), recipe.clip)
    s.optimiser.step()
    s.optimiser.zero_grad(set_to_none=True)
    s.step += 1
    if s.mean:
        s.mean.update(s.model, s.step)
    return total


def _finish(s: Session, epoch: int, started: float, begun: int) -> None:
    """Validate and record an epoch."""
    learned = time.perf_counter() - started
    found = _validated(s, s.val) if s.val and (epoch % s.recipe.validate_every == 0 or epoch == s.recipe.epochs) else None
    spent = time.perf_counter() - started
    mean = sum(s.world.gather(s.total)) / s.world.size / s.epoch_steps
    seen = (s.step - begun) * min(s.recipe.batch, len(s.loader))
    line: dict[str, Any] = {
        "epoch": epoch, "epochs": s.recipe.epochs, "step": s.step, "lr": learning_rate(s.step - 1, s.steps, s.recipe), "loss": mean,
        **({} if found is None else {"val_loss": found.loss, **found.metrics}),
        "images_per_second": seen / max(learned, 1e-9), "seconds": spent, "rest": spent * (s.recipe.epochs - epoch),
    }  # fmt: skip
    s.total = 0.0
    s.record(line, found)


def _validated(s: Session, val: Any) -> Validation:
    """Validate the weights that would be kept: the mean, where there is one, put in for as long as it takes."""
    validate = family_of(s.recipe).validate
    if s.mean is None:
        return validate(s.model, val, s.recipe, s.world)
    own = {name: value.clone() for name, value in s.model.state_dict().items()}
    s.model.load_state_dict(s.mean.values)
    try:
        return validate(s.model, val, s.recipe, s.world)
    finally:
        s.model.load_state_dict(own)


# -- what can go wrong -----------------------------------------------------------------------------------


def _look(s: Session, losses: list[Tensor], epoch: int) -> None:
    """Add up the losses since the last look, or stop at the first that is no number and keep its batch. No checkpoint is made before."""
    values = torch.stack(losses).tolist() if losses else []
    losses.clear()
    bad = [i for i, value in enumerate(values) if not abs(value) < float("inf")]
    step = s.step - len(values) + bad[0] if bad else s.step
    if not s.world.any(bool(bad)):
        s.total += sum(values)
        return
    kept = s.folder / f"bad-batch-{s.world.rank}.safetensors"
    rate = learning_rate(step, s.steps, s.recipe)
    if bad:
        for parts in s.loader.epoch(epoch, step % s.epoch_steps, s.world.rank, s.world.size):
            tensors = {f"{name}.{a}": value for a, batch in enumerate(parts) for name, value in batch._asdict().items()}
            save_tensors(kept, tensors, {"step": step, "epoch": epoch, "lr": rate})
            break
    seen = f"the loss of step {step:,} is {values[bad[0]] if bad else 'no number elsewhere'} (lr {rate:.2g}); its batch is kept in {kept.name}"
    raise PoseError(str(s.folder), seen, "--set clip=1, a lower lr or more warmup; --resume goes on from the last good checkpoint")


def _tell(s: Session, epoch: int, started: float, begun: int) -> None:
    speed = (s.step - begun) * min(s.recipe.batch, len(s.loader)) / max(time.perf_counter() - started, 1e-9)
    done = s.step - epoch * s.epoch_steps
    s.teller.progress(f"epoch {epoch + 1}/{s.recipe.epochs}  step {done}/{s.epoch_steps}  loss {s.total / max(done, 1):.4f}  {speed:.0f} images/s")


@contextmanager
def _asked_to_stop() -> Iterator[Any]:
    """Whether Ctrl-C or a SIGTERM came since; a second one stops at once, without saving."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before: dict[int, Any] = {}

    def note(number: Any, frame: Any) -> None:
        came.set()
        signal.signal(number, before[number])

    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, note)
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _explained(recipe: Recipe, among: World) -> Iterator[None]:
    """Running out of memory, as a line that says what to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as e:
        raise _too_large(recipe, among, e) from None
    except RuntimeError as e:
        if "can't allocate memory" not in str(e) and "out of memory" not in str(e):
            raise
        raise _too_large(recipe, among, e) from None


def _too_large(recipe: Recipe, among: World, e: BaseException) -> PoseError:
    held = recipe.batch // (recipe.accumulate * among.size)
    cure = f"--set accumulate={recipe.accumulate * 2} halves what is held at once, and learns the same; or --set batch={max(recipe.batch // 2, 1)}"
    return PoseError(
        f"{recipe.name} on {among.device}",
        f"out of memory with {held} {family_of(recipe).unit} of {recipe.width} x {recipe.height} at once ({brief(str(e), 60)})",
        cure,
    )
