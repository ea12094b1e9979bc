"""ceiling: the AP that perfect predictions reach under the noise of annotators, a heatmap's grid, an area rule, a convention of sigmas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posedata.dataset import PoseDataset
from posedata.errors import PoseError, brief
from posedata.progress import bar
from posedata.schema import Schema

from ..align import align
from ..evaluation import Evaluation, protocol_of
from ..metrics import canonical, read_metric
from ..plain import plain
from ..protocol import Protocol
from ..protocols import load_protocol
from ..workings import Workings
from .grids import Grid, read_grid
from .limits import Limit, Run, causes_of, of_model, without_predictions
from .perfect import noise_of, scene_of, second_annotator

if TYPE_CHECKING:
    import pandas

    from posedata.annotators.estimate import SigmaEstimate

__all__ = ["Ceiling", "ceiling"]

GRID = ("256x192/4", "256x192/4:quarter", "keypointrcnn")
"""What most models of the last years read their points from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ceiling:
    """Limits by cause; `.answer` says in one line why little passes the strictest thresholds. `print` says all."""

    name: str
    protocol: Protocol
    noise: str
    truths: int
    draws: int
    seed: int
    limits: tuple[Limit, ...]
    model: Limit | None = None
    """What the evaluation that was given has reached."""
    notes: tuple[str, ...] = ()

    def __getitem__(self, cause: str) -> Limit:
        for limit in self.limits:
            if limit.cause == cause:
                return limit
        raise PoseError("ceiling", f"no cause {brief(repr(cause))}", f"one of: {', '.join(limit.cause for limit in self.limits)}")

    @cached_property
    def answer(self) -> str:
        """Why little, or nothing, passes a strict threshold."""
        from .ceiling_text import answer

        return answer(self)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What the numbers say."""
        from .ceiling_text import sentences

        return sentences(self)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each cause: AP, its Monte Carlo error, AP without knowing the order, each metric, and the share passing each threshold."""
        from ..frames import records_frame

        return records_frame([(limit.cause, _columns(limit)) for limit in self._rows], "cause")

    @property
    def _rows(self) -> tuple[Limit, ...]:
        return self.limits if self.model is None else (*self.limits, self.model)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no truth."""
        return plain({
            "truth": self.name,
            "protocol": {"name": self.protocol.name, "fingerprint": self.protocol.fingerprint},
            "noise": self.noise,
            "truths": self.truths,
            "draws": self.draws,
            "seed": self.seed,
            "answer": self.answer,
            "sentences": self.sentences,
            "limits": [{"cause": limit.cause, "says": limit.says, "how": limit.how, **_columns(limit), "errors": limit.errors} for limit in self._rows],
            "notes": self.notes,
        })  # fmt: skip

    def __repr__(self) -> str:
        from .ceiling_text import as_text

        return as_text(self)


def _columns(limit: Limit) -> dict[str, Any]:
    rest = {name: value for name, value in limit.metrics.items() if name != "AP"}
    return {
        "AP": limit.ap,
        "error": limit.errors["AP"],
        "AP, order unknown": limit.blind,
        **rest,
        **{f"pass {t:.2f}": share for t, share in zip(limit.thresholds, limit.passing, strict=True)},
        "draws": limit.draws,
    }


def ceiling(
    given: Evaluation | PoseDataset | str | Path,
    protocol: Protocol | str | Path | None = None,
    *,
    noise: float | Mapping[str, float] | SigmaEstimate | Schema | PoseDataset = 1.0,
    grids: str | Grid | Iterable[str | Grid] = GRID,
    metrics: Iterable[str] = (),
    draws: int = 20,
    seed: int = 0,
    quiet: bool = False,
    schema: Schema | str | Path | None = None,
    root: str | Path | None = None,
) -> Ceiling:
    """What perfect predictions of a truth would score, cause by cause: no model can be expected to do better.

    `noise` is how annotators err: a multiple of the truth's own sigmas, sigmas by keypoint, those of `estimate_sigmas`, or a
    second annotator's dataset of the same images. `grids` are spelled HEIGHTxWIDTH/STRIDE[:nearest|quarter|exact|corner], or
    "keypointrcnn". Rows of area rules and sigma conventions keep the noise as it is and score it by the other rule.

    >>> import posedata
    >>> truth = posedata.PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 2]] * 6], area=[900.0])
    >>> ceiling(truth, noise=0, grids=())["nothing"].ap == 1
    True
    """
    _check(draws, seed)
    truth, rules = _truth_and_rules(given, protocol, schema, root)
    model = replace(given, workings=given.workings.under(rules)) if isinstance(given, Evaluation) else None
    names = tuple(dict.fromkeys(["AP", *(f"AP@{t:.2f}" for t in rules.thresholds), "AR", *(canonical(read_metric(m)) for m in _listed(metrics))]))
    chosen = [read_grid(grid) for grid in _listed(grids)]
    second = second_annotator(truth, noise, rules.per_category) if isinstance(noise, PoseDataset) else None
    known = truth if second is None else second.aligned.truth
    workings = Workings(align(known, without_predictions(known), rules.per_category), rules)
    for name in names:
        workings.require_where(read_metric(name).where, name)
    scene = scene_of(workings)
    sort = second or noise_of(noise, scene)  # type: ignore[arg-type]
    run = Run(scene, rules, names, draws, seed)
    causes, notes = causes_of(run, sort, chosen)
    with bar("ceiling", sum(c.evaluations for c in causes) if len(scene.rows) * draws > _MANY else 0, quiet) as advance:
        limits = tuple(run.limit(cause, advance) for cause in causes)
    return Ceiling(
        name=truth.name,
        protocol=rules,
        noise="none" if sort is None else sort.says,
        truths=int((~scene.problem.ignored).sum()),
        draws=draws,
        seed=seed,
        limits=limits,
        model=None if model is None else of_model(model, names),
        notes=tuple(notes),
    )


_MANY = 20_000
"""Poses from which a person waits."""


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str | Grid) else list(names)


def _check(draws: int, seed: int) -> None:
    if not isinstance(draws, int) or isinstance(draws, bool) or draws < 2:
        raise PoseError("ceiling: draws", brief(repr(draws)), "a whole number from 2 on, so that their error is known")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise PoseError("ceiling: seed", brief(repr(seed)), "a whole number of 0 or more")


def _truth_and_rules(given: Any, protocol: Any, schema: Any, root: Any) -> tuple[PoseDataset, Protocol]:
    if isinstance(given, Evaluation):
        return given.truth, given.protocol if protocol is None else load_protocol(protocol)
    if not isinstance(given, PoseDataset | str | Path):
        raise PoseError("ceiling", brief(repr(given)), "an Evaluation, a PoseDataset, a file or the name of a dataset")
    from posedata.formats.anything import read

    truth = given if isinstance(given, PoseDataset) else read(given, None, schema, root)
    return truth, protocol_of(truth) if protocol is None else load_protocol(protocol)
