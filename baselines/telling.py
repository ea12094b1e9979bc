"""What a run says while it works: a line for each epoch, a bar where a person looks, and the trackers somebody asked for."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, PoseError, did_you_mean

from .recipes import Recipe

__all__ = ["TRACKERS", "Teller"]

Tracker = Callable[[dict[str, float], int], None]
"""Takes numbers by name, and the step they are of."""


class Teller:
    """Lines to the log and to stderr, numbers to trackers. Processes other than the first have no log and say nothing."""

    def __init__(self, log: Path | None, trackers: tuple[str, ...], recipe: Recipe, quiet: bool) -> None:
        self.log, self.quiet = log, quiet or log is None
        self.trackers = [_tracker(name, recipe, log.parent) for name in trackers] if log else []
        self._status: Any = None

    def line(self, text: str) -> None:
        """A line for people, with the time in the log."""
        if self.log is not None:
            try:
                self.log.parent.mkdir(parents=True, exist_ok=True)
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")
            except OSError as e:
                raise FormatError(
                    str(self.log), f"cannot be written ({(e.strerror or str(e)).lower()})", "make room; --resume goes on from the last checkpoint"
                ) from None
        if not self.quiet:
            self.clear()
            sys.stderr.write(text + "\n")

    def epoch(self, line: Mapping[str, Any], best: bool) -> None:
        """What an epoch came to."""
        shown = [f"{k} {v:.4f}" for k, v in line.items() if k in ("loss", "val_loss") or k[0].isupper()]
        rest = timedelta(seconds=round(line["rest"]))
        self.line(
            f"epoch {line['epoch']:>3}/{line['epochs']}  {'  '.join(shown)}  {line['images_per_second']:.0f} images/s  {rest} to go{'  best' if best else ''}"
        )
        for track in self.trackers:
            track({k: float(v) for k, v in line.items() if isinstance(v, int | float)}, int(line["step"]))

    def progress(self, text: str) -> None:
        """One line that is drawn over and over, where a person looks."""
        if not self.quiet and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
            self._status = text

    def clear(self) -> None:
        """Wipe the line that is drawn over."""
        if self._status is not None:
            sys.stderr.write("\r\x1b[2K")
            self._status = None


def _tensorboard(recipe: Recipe, folder: Path) -> Tracker:
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))

    def track(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name.replace("@", "_at_"), value, step)
        writer.flush()

    return track


def _weights_and_biases(module: str) -> Callable[[Recipe, Path], Tracker]:
    """wandb, or trackio, which speaks the same words."""

    def begin(recipe: Recipe, folder: Path) -> Tracker:
        room = importlib.import_module(module)
        room.init(project="posebench", name=folder.name, config=recipe.to_dict())
        return lambda values, step: room.log(values, step=step)

    return begin


TRACKERS: Mapping[str, Callable[[Recipe, Path], Tracker]] = {
    "tensorboard": _tensorboard,
    "trackio": _weights_and_biases("trackio"),
    "wandb": _weights_and_biases("wandb"),
}
"""Who else is told each epoch's numbers, where it is installed and --log asks for it."""


def _tracker(name: str, recipe: Recipe, folder: Path) -> Tracker:
    if name not in TRACKERS:
        raise PoseError(f"--log {name}", "no such tracker", did_you_mean(name, TRACKERS))
    try:
        return TRACKERS[name](recipe, folder)
    except ModuleNotFoundError as e:
        raise PoseError(f"--log {name}", f"{e.name} is not installed", f"pip install {name}; metrics.jsonl is written without it") from None
