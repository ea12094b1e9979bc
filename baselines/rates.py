"""The range test of learning rates (Smith 2015): let the rate rise from step to step and look at the loss. A room of torch.

found = range_test("synthetic-demo")
found.steepest, found.lowest
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError
from posedata.progress import bar

from .distributed import world
from .pairs import plainly
from .recipes import Recipe, load_recipe
from .session import Session, begin
from .train import take_step
from .trials import write_table

__all__ = ["RangeTest", "range_test"]

Floats = NDArray[np.float64]

_EXPLODED = 4.0
"""Times the lowest smoothed loss from which nothing is learned any more."""


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The loss of each step, and the rate it was made with."""

    recipe: str
    optimiser: str
    rates: Floats
    losses: Floats
    exploded: bool
    """Whether the test ended before its highest rate."""

    @cached_property
    def smoothed(self) -> Floats:
        """A mean over neighbours, which does not lag behind; the ends take what neighbours they have."""
        width = max(3, len(self.losses) // 10) | 1
        ones = np.ones(width)
        return np.convolve(self.losses, ones, "same") / np.convolve(np.ones(len(self.losses)), ones, "same")

    @property
    def lowest(self) -> float:
        """The rate at which the loss is lowest: beyond what a run should use."""
        return float(self.rates[np.argmin(self.smoothed)])

    @cached_property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest, before its lowest; NaN if it never falls."""
        until = int(np.argmin(self.smoothed)) + 1
        if until < 3:
            return float("nan")
        slope = np.gradient(self.smoothed[:until], np.log(self.rates[:until]))
        return float(self.rates[np.argmin(slope)]) if slope.min() < 0 else float("nan")

    def place(self, rate: float) -> float:
        """Where a rate lies from the steepest (0) to the lowest (1), on the logarithm's scale."""
        wide = math.log(self.lowest / self.steepest)
        return min(max(math.log(rate / self.steepest) / wide, 0.0), 1.0) if wide > 0 else 0.5

    def rate(self, place: float) -> float:
        """The rate at a place."""
        return float(self.steepest * (self.lowest / self.steepest) ** place)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no number."""
        rows = [{"lr": float(f"{r:.6g}"), "loss": plainly(v)} for r, v in zip(self.rates.tolist(), self.losses.tolist(), strict=True)]
        return {"recipe": self.recipe, "optimiser": self.optimiser, "steepest": plainly(self.steepest), "lowest": plainly(self.lowest), "exploded": self.exploded, "rows": rows}  # fmt: skip

    def text(self) -> str:
        """For people."""
        told = f"{len(self.rates)} steps from {self.rates[0]:.1e} to {self.rates[-1]:.1e}" + (", where the loss exploded" if self.exploded else "")
        if math.isnan(self.steepest):
            return f"{self.recipe}, {self.optimiser}: the loss never fell in {told}: more --steps, or another range"
        return f"{self.recipe}, {self.optimiser}: try rates from {self.steepest:.1e}, where the loss falls fastest, to {self.lowest:.1e}, where it is lowest; {told}"

    def write(self, path: str | Path) -> Path:
        """The numbers as .json, or the curve as .png or .svg."""
        if Path(path).suffix == ".json":
            return write_table(Path(path), self.to_dict())
        from .forest import draw_rates

        return draw_rates(self, path)


def range_test(
    recipe: Recipe | str | Path,
    *,
    steps: int = 100,
    lowest: float = 1e-6,
    highest: float = 1.0,
    init: str = "weights",
    root: str | Path | None = None,
    device: str | None = None,
    quiet: bool = True,
) -> RangeTest:
    """Learn for some steps, each with a rate a little higher than the one before. Nothing is kept of the weights."""
    chosen = load_recipe(recipe)
    if not 0 < lowest < highest:
        raise PoseError("lr", f"from {lowest:g} to {highest:g}", "the lowest above 0 and below the highest")
    if steps < 10:
        raise PoseError("lr: steps", str(steps), "10 or more; 100 are usual")
    plain = replace(chosen, val="", schedule="constant", warmup=0.0, ema=0.0)
    rates = np.geomspace(lowest, highest, steps)
    with tempfile.TemporaryDirectory() as folder, world(device) as among:
        session = begin(plain, Path(folder), among, init=init, resume=False, root=root, workers=None, plainly=False, transform=None, log=(), quiet=True)
        losses = _losses(session, rates, quiet)
    if len(losses) < 3:
        raise PoseError(chosen.name, f"the loss exploded after {len(losses)} steps", "a lower --lowest")
    return RangeTest(chosen.name, chosen.optimiser, rates[: len(losses)], np.array(losses), len(losses) < len(rates))


def _losses(session: Session, rates: Floats, quiet: bool) -> list[float]:
    """The loss of each step, until it explodes."""
    losses: list[float] = []
    least, recipe = math.inf, session.recipe
    with bar("rising", len(rates), quiet) as advance:
        for rate, parts in zip(rates.tolist(), _forever(session), strict=False):
            session.recipe = replace(recipe, lr=rate)
            loss = float(take_step(session, parts))
            recent = float(np.mean([*losses[-4:], loss]))
            least = min(least, recent)
            if not math.isfinite(loss) or recent > _EXPLODED * least:
                break
            losses.append(loss)
            advance(1)
    return losses


def _forever(session: Session) -> Iterator[Any]:
    for epoch in itertools.count():
        yield from session.loader.epoch(epoch, 0, session.world.rank, session.world.size)
