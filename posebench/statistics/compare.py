"""compare: is one model better than another, or luckier? Paired differences, intervals, corrected p-values, standings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief
from posedata.files import write_bytes
from posedata.progress import bar

from ..metrics import METRICS, Measured, canonical, measure, read_metric
from ..plain import plain
from ..selection import EVERYTHING, Selection
from ..slices import default_metrics, require_fitting, slices_of
from ..spelling import Spelling
from .exchange import exchanged, exchanges, p_value
from .interval import FEW, ends
from .replicates import replicates
from .resampling import Clusters, draws
from .resampling import clusters as clustered
from .same import model_names, require_same, require_word
from .standings import Standings, stand

if TYPE_CHECKING:
    import pandas

    from ..evaluation import Evaluation
    from .reasons import Reason

__all__ = ["CORRECTIONS", "Comparison", "Difference", "compare"]

Floats = NDArray[np.float64]

CORRECTIONS = {
    "holm": "no difference is called real by luck, but in 1 of 20 comparisons at level .95",
    "benjamini-hochberg": "of the differences called real, 1 in 20 is luck",
    "none": "each p-value by itself",
}
_MANY = 10**8
"""Predictions times resamples from which a person waits."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number of two models on the same images: b less a."""

    a: str
    b: str
    metric: str
    by: str
    """What was sliced by; empty for all."""
    label: Any
    """The slice."""
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    """Ends of the interval of the difference."""
    p: float
    """How often exchanging the models image by image makes a difference at least as large."""
    corrected: float
    """The same, corrected for all that was tested at once."""
    n: int
    """Truths or points behind the number."""
    real: bool
    """Whether luck is unlikely: corrected <= 1 - level."""

    @property
    def better(self) -> str:
        """Who has the better number; empty where both have the same, or none."""
        gain = self.difference if METRICS[read_metric(self.metric).name].higher_is_better else -self.difference
        return self.b if gain > 0 else self.a if gain < 0 else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Models side by side: `.rows`, `.standings`, `.reasons`; printed as a table that marks what is real, and in words."""

    names: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    rows: tuple[Difference, ...]
    level: float
    correction: str
    clusters: Clusters
    resamples: int
    seed: int
    lead: Floats
    """(B, M) the first metric of each model in each resample."""
    notes: tuple[str, ...] = ()

    def __getitem__(self, metric: str) -> Difference:
        """The difference of the first two models on all images."""
        name = canonical(read_metric(metric))
        found = next((row for row in self.rows if row.metric == name and not row.by), None)
        if found is None:
            raise PoseError(f"comparison[{name!r}]", "not compared", f"it has {', '.join(dict.fromkeys(r.metric for r in self.rows))}")
        return found

    @property
    def how(self) -> str:
        """How the numbers were made."""
        tests = sum(not np.isnan(row.p) for row in self.rows)
        after = f"corrected by {self.correction} over {tests} tests" if self.correction != "none" else "not corrected"
        return (
            f"intervals at {self.level:g} by {self.resamples:,} paired resamples of {self.clusters}, seed {self.seed}; "
            f"p by {self.resamples:,} exchanges of the models on these, two-sided, {after}"
        )

    @cached_property
    def standings(self) -> Standings:
        """The models in their order by the first metric, with rank intervals and groups that cannot be told apart."""
        metric = self.rows[0].metric
        p = np.ones((len(self.names), len(self.names)))
        for row in self.rows:
            if row.metric == metric and not row.by:
                i, j = self.names.index(row.a), self.names.index(row.b)
                p[i, j] = p[j, i] = 1.0 if np.isnan(row.corrected) else row.corrected
        values = np.array([ev[metric] for ev in self.evaluations])
        higher = METRICS[read_metric(metric).name].higher_is_better
        return stand(metric, self.names, values, self.lead, p, how=self.how, higher=higher, level=self.level)

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Why AP differs, for each two models: what each kind of error costs the one and the other. Made when first asked for."""
        from .reasons import reason

        pairs = combinations(range(len(self.names)), 2)
        return tuple(reason(self.evaluations[i], self.evaluations[j], self.names[i], self.names[j]) for i, j in pairs)

    def mcnemar(self, metric: str = "PCK", by: str = "", label: Any = None) -> float:
        """McNemar's exact p for the first two models: only where every image has one outcome, right or wrong."""
        from .mcnemar import mcnemar

        return mcnemar(self.evaluations[0].workings, self.evaluations[1].workings, metric, by, label)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no number."""
        rows = [{k: getattr(row, k) for k in Difference.__dataclass_fields__} | {"better": row.better} for row in self.rows]
        values = {
            "models": list(self.names),
            "differences": rows,
            "standings": self.standings.to_dict(),
            "level": self.level,
            "correction": self.correction,
            "resamples": self.resamples,
            "clusters": {"by": self.clusters.name, "n": self.clusters.n},
            "seed": self.seed,
            "how": self.how,
            "protocol": {"name": self.evaluations[0].protocol.name, "fingerprint": self.evaluations[0].protocol.fingerprint},
            "truth": self.evaluations[0].truth.name,
            "notes": list(self.notes),
        }
        return dict(plain(values))

    def to_json(self, path: str | Path | None = None) -> str:
        """`to_dict` as JSON text, written to `path` when given."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        if path is not None:
            write_bytes(path, text.encode())
        return text

    def report(self, path: str | Path, images: int = 40, *, quiet: bool = True) -> Path:
        """Which is better, by how much, how sure and why, as .html, .pdf, .md or .json; `images` limits the gallery of poses on which they differ."""
        from ..reporting.forms import write_report
        from ..reporting.versus import Versus

        return write_report(Versus(self, images, quiet=quiet), path)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each difference."""
        from ..frames import table_frame

        return table_frame({k: [getattr(row, k) for row in self.rows] for k in Difference.__dataclass_fields__})

    def __repr__(self) -> str:
        from .words import comparison_text

        return comparison_text(self)


def compare(
    a: Evaluation,
    b: Evaluation,
    *more: Evaluation,
    metrics: Sequence[str] | None = None,
    by: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    correction: str = "holm",
    clusters: str = "image",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    quiet: bool = True,
) -> Comparison:
    """Paired differences between models on the same images: with intervals, p-values corrected for each other, and standings.

    `metrics` are the protocol's unless named; `by` slices as `ev.by` does, beside the whole. `clusters` names a column of the images
    that says which belong together. `correction` is 'holm', 'benjamini-hochberg' or 'none', over metrics, slices and pairs of models.
    """
    evs = (a, b, *more)
    called = model_names(evs, names)
    require_same(evs, called)
    require_word("correction", correction, list(CORRECTIONS))
    require_counts(resamples, level, seed)
    plan = _plan(evs, metrics, (by,) if isinstance(by, str) else tuple(by or ()))
    drawn = clustered(a.workings, clusters)
    tested = _Tested(evs, called, drawn, resamples, seed, level)
    rounds = len(plan) * len(evs) * (len(evs) + 1) // 2
    long = sum(len(ev.predictions) for ev in evs) * resamples * rounds > _MANY
    with bar("comparing", rounds * resamples if long else 0, quiet) as advance:
        made = [tested.rows(each, advance) for each in plan]
    rows = _corrected([row for part, _ in made for row in part], correction, level)
    notes = _notes(a, drawn, rows, correction, resamples, level)
    return Comparison(names=called, evaluations=evs, rows=rows, level=level, correction=correction, clusters=drawn, resamples=resamples,
                      seed=seed, lead=made[0][1], notes=notes)  # fmt: skip


# -- what is tested ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """One slice, or the whole, of each model, and the numbers that are compared there."""

    by: str
    label: Any
    metrics: tuple[Spelling, ...]
    selections: tuple[Selection, ...]


@dataclass(frozen=True, eq=False)
class _Tested:
    """Everything that all parts share."""

    evs: Sequence[Evaluation]
    names: Sequence[str]
    drawn: Clusters
    resamples: int
    seed: int
    level: float

    def rows(self, part: _Part, advance: Callable[[int], None]) -> tuple[list[Difference], Floats]:
        """The differences between each two models, p-values not yet corrected; (B, M) the first number of each model."""
        seen = [[measure(ev.workings, s, each) for s in part.metrics] for ev, each in zip(self.evs, part.selections, strict=True)]
        drawn = [replicates(ev.workings, part.metrics, self._draws(), each, advance) for ev, each in zip(self.evs, part.selections, strict=True)]
        made = []
        for i, j in combinations(range(len(self.evs)), 2):
            swapped = exchanged(self.evs[i].workings, self.evs[j].workings, part.metrics, self._exchanges(), (part.selections[i], part.selections[j]), advance)
            for m, s in enumerate(part.metrics):
                made.append(self._row(part, s, (i, j), (seen[i][m], seen[j][m]), drawn[j][:, m] - drawn[i][:, m], swapped[:, m]))
        return made, np.stack([each[:, 0] for each in drawn], 1)

    def _draws(self) -> Iterator[Floats]:
        return draws(self.drawn, self.resamples, self.seed)

    def _exchanges(self) -> Iterator[Floats]:
        return exchanges(self.drawn, self.resamples, self.seed)

    def _row(self, part: _Part, s: Spelling, models: tuple[int, int], values: tuple[Measured, Measured], drawn: Floats, swapped: Floats) -> Difference:
        seen = values[1].value - values[0].value
        low, high = ends("percentile", seen, drawn, self.level, np.zeros(0))
        return Difference(a=self.names[models[0]], b=self.names[models[1]], metric=canonical(s), by=part.by, label=part.label, value_a=values[0].value,
                          value_b=values[1].value, difference=seen, low=low, high=high, p=p_value(seen, swapped), corrected=float("nan"), n=values[0].n, real=False)  # fmt: skip


def _plan(evs: Sequence[Evaluation], metrics: Sequence[str] | None, by: Sequence[str]) -> list[_Part]:
    """The whole, then every slice."""
    own = tuple(read_metric(m) for m in _names(evs[0], metrics))
    whole = _Part("", None, own, tuple(EVERYTHING for _ in evs))
    return [whole, *(part for what in by for part in _slices(evs, what, metrics))]


def _names(ev: Evaluation, metrics: Sequence[str] | None) -> Sequence[str]:
    if metrics is None:
        known = [name for name, m in ev.table.items() if m.n]
        if not known:
            raise PoseError(ev.truth.name, "no truth counts, so there is nothing to compare", "another truth, or another protocol")
        return known
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if not names:
        raise PoseError("metrics", "none is named", "for instance AP,AR; posebench metrics lists them")
    return list(dict.fromkeys(canonical(read_metric(m)) for m in names))


def _slices(evs: Sequence[Evaluation], what: str, metrics: Sequence[str] | None) -> list[_Part]:
    chosen = default_metrics(what, evs[0].protocol.metrics) if metrics is None else _names(evs[0], metrics)
    own = tuple(read_metric(m) for m in chosen)
    for s in own:
        require_fitting(what, s)
    each = [slices_of(ev.workings, what) for ev in evs]
    return [_Part(what, row[0].label, own, tuple(s.selection for s in row)) for row in zip(*each, strict=True)]


def require_counts(resamples: int, level: float, seed: int) -> None:
    """Refuse numbers that no test can be made with."""
    if not isinstance(resamples, Integral) or resamples < 20:
        raise PoseError(f"resamples={brief(repr(resamples))}", "too few to tell anything", "20 or more; 1000 are usual")
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise PoseError(f"level={brief(repr(level))}", "no share", "between 0 and 1; .95 is usual")
    if not isinstance(seed, Integral) or seed < 0:
        raise PoseError(f"seed={brief(repr(seed))}", "no seed", "a whole number from 0 on")


def few(ev: Evaluation, drawn: Clusters) -> tuple[str, ...]:
    """Said where few images have truths."""
    problem = ev.workings.problem()
    counted = len(np.unique(drawn.code[problem.image[~problem.ignored]]))
    if counted >= FEW["percentile"]:
        return ()
    unit = "image" if drawn.name == "image" else "cluster"
    have = f"{unit} has" if counted == 1 else f"{unit}s have"
    return (f"only {counted:,} {have} truths: below {FEW['percentile']} no spread is to be trusted",)


def _corrected(rows: list[Difference], correction: str, level: float) -> tuple[Difference, ...]:
    p = np.array([row.p for row in rows])
    if correction != "none":
        from ..stats import corrected

        p = corrected(p, correction)
    return tuple(replace(row, corrected=float(q), real=bool(q <= 1 - level + 1e-12)) for row, q in zip(rows, p, strict=True))


def _notes(ev: Evaluation, drawn: Clusters, rows: Sequence[Difference], correction: str, resamples: int, level: float) -> tuple[str, ...]:
    """What a reader should know."""
    told = list(few(ev, drawn))
    tests = sum(not np.isnan(row.p) for row in rows)
    least = tests / (1 + resamples)
    if correction == "holm" and least > 1 - level:
        told.append(f"with {tests} tests and {resamples:,} exchanges no p can be below {least:.2g} after Holm: ask for more resamples, or for less")
    return tuple(told)
