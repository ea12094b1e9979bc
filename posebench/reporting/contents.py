"""Contents: all that a report holds, each part made once; every form of the report reads from here."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from posedata.errors import PoseError
from posedata.progress import bar

from ..errors.report import ErrorReport
from ..evaluation import Evaluation
from ..operating import OperatingPoint
from ..statistics.ceiling import ceiling
from ..statistics.limits import Limit
from .cases import Case, pick
from .crops import pictures, unseen
from .slicing import Group, groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from posedata.validation.report import Report as Findings

    from ..plots import Drawing
    from ..statistics.interval import Interval

__all__ = ["PLOTS", "Contents", "Plot"]


@dataclass(frozen=True)
class Plot:
    """One figure by its name: what it shows, and how it is drawn."""

    summary: str
    draw: Callable[[ErrorReport], Figure]


def _plots() -> Any:
    from .. import plots

    return plots


PLOTS: Mapping[str, Plot] = {
    "precision_recall": Plot("precision against recall at several similarities, and who was never found", lambda r: _plots().precision_recall(r.ev)),
    "ap_by_threshold": Plot("AP and AR at each similarity", lambda r: _plots().ap_by_threshold(r.ev)),
    "cost_waterfall": Plot("the AP that each kind of error takes", lambda r: _plots().cost_waterfall(r)),
    "skeleton": Plot("errors of each keypoint on the schema's body", lambda r: _plots().skeleton(r)),
    "error_shares": Plot("errors of each keypoint as bars", lambda r: _plots().error_shares(r)),
    "similarity_strips": Plot("the distribution of each keypoint's similarity", lambda r: _plots().similarity_strips(r)),
    "tolerance_circles": Plot("circles of similarity .5 and .85 on the schema's body", lambda r: _plots().tolerance_circles(r.ev)),
    "confusion": Plot("which keypoint is put on which, and left on right", lambda r: _plots().confusion(r)),
    "calibration_bars": Plot("whether confidences mean what they say", lambda r: _plots().calibration_bars(r.ev)),
}
"""What `posebench plot` draws, and what stands in a report."""


@dataclass(frozen=True, eq=False)
class Contents:
    """A report of one set of predictions."""

    ev: Evaluation
    images: int = 100
    """Cases in the gallery."""
    command: tuple[str, ...] = ()
    """The command that makes this report, word by word; empty where it came from Python."""
    predictions: str = ""
    """The predictions as a command names them."""
    quiet: bool = True

    @cached_property
    def errors(self) -> ErrorReport:
        return self.ev.errors()

    @cached_property
    def figures(self) -> dict[str, Drawing]:
        """Every plot that has something to show, by name."""
        made = {}
        with bar("figures", len(PLOTS), self.quiet) as advance:
            for name, plot in PLOTS.items():
                if self._drawable(name):
                    made[name] = _plots().drawing(self._drawn(name, plot), name)
                advance(1)
        return made

    def _drawn(self, name: str, plot: Plot) -> Figure:
        if name == "ap_by_threshold" and self.ceiling is not None:
            return _plots().ap_by_threshold(self.ev, [self.ceiling.metrics[f"AP@{t:.2f}"] for t in self.ev.protocol.thresholds])
        return plot.draw(self.errors)

    def _drawable(self, name: str) -> bool:
        return bool(len(self.ev.truth.schema)) and (name != "confusion" or bool(self.errors.landings.any()))

    @cached_property
    def slices(self) -> list[Group]:
        return groups(self.errors)

    @cached_property
    def cases(self) -> list[Case]:
        return pick(self.errors, self.images)

    @cached_property
    def crops(self) -> dict[int, str]:
        """Pictures of the cases, as data addresses, by place."""
        return pictures(self.errors, self.cases, self.quiet)

    @property
    def blind(self) -> int:
        """Cases without a picture."""
        return len(self.cases) - len(self.crops)

    def why_blind(self) -> str:
        """Why they have none: what opening the first says, or the size of the page."""
        first = next(i for i in range(len(self.cases)) if i not in self.crops)
        return unseen(self.ev.truth.images, self.cases[first].image) or "the page would be too large"

    @cached_property
    def points(self) -> list[OperatingPoint]:
        """Where to cut the scores: the highest F1, at a few similarities of the protocol."""
        t = self.ev.protocol.thresholds
        made = [self.ev.best(t[i]) for i in sorted({0, len(t) // 2, len(t) - 1})]
        return [p for p in made if not math.isnan(p.confidence)]

    @cached_property
    def findings(self) -> Findings | None:
        """What `validate` says of the truth; None where it cannot look."""
        from posedata.validation.running import validate

        try:
            return validate(self.ev.truth, quiet=self.quiet)
        except PoseError:
            return None

    @cached_property
    def said(self) -> dict[str, str]:
        """What the figures find, by their names: the sentence above each."""
        return {name: drawn.title for name, drawn in self.figures.items()}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of the metrics that are printed, from common resamples."""
        (_, made), *_ = self.ev.interval_slices(None)
        return made

    @cached_property
    def ceiling(self) -> Limit | None:
        """What perfect predictions reach under the noise that the sigmas stand for; None where nothing is scored."""
        if not self.ev.counts["counted"]:
            return None
        made = ceiling(self.ev, grids=(), draws=2)
        return next((limit for limit in made.limits if limit.cause == "annotators"), None)

    @property
    def title(self) -> str:
        """The model, where the predictions say which, on the data."""
        model = self.ev.predictions.header.get("model")
        return f"{model} on {self.ev.truth.name}" if model else self.ev.truth.name

    @cached_property
    def reproduced(self) -> str:
        """How to make it again: a command, or Python."""
        return shlex.join(self.command) if self.command else "posebench.evaluate(truth, predictions).report(path)"

    def browse(self, case: Case) -> str:
        """The command that shows one case."""
        nobody = case.truth < 0 or "background" in case.kinds
        which = f"p{self.ev.predictions.row[case.pred]}" if nobody else str(self.ev.truth.instances.id[case.truth])
        return shlex.join(["posebench", "browse", self.predictions or "preds.json", *self._truth_options(), "--instance", which])

    def _truth_options(self) -> list[str]:
        """The words of the command that say where the truth is."""
        words, kept = list(self.command), []
        for i, word in enumerate(words[:-1]):
            if word in ("--truth", "--dataset", "--config", "--split", "--root", "--schema", "--protocol", "--mapping") or (
                word == "--images" and not words[i + 1].isdigit()
            ):
                kept += [word, words[i + 1]]
        return kept

    def notes(self) -> tuple[str, ...]:
        """The warnings of the evaluation."""
        return self.ev.warnings
