"""gap: what lies between a model's numbers on two sets, such as the one it was trained on and one it was not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import PoseError, brief
from posedata.progress import bar

from ..evaluation import Evaluation
from ..metrics import canonical, measure, read_metric
from ..plain import plain
from ..protocol import Protocol
from ..selection import EVERYTHING, Selection
from .kinds import Rates, rates_of
from .mix import Standard, standardised
from .replicates import replicates
from .resampling import Clusters, draws
from .resampling import clusters as clustered
from .same import Task, difference

if TYPE_CHECKING:
    import pandas

__all__ = ["Difference", "Gap", "Row", "gap"]

Floats = NDArray[np.float64]

MIX = ("size", "crowding")


@dataclass(frozen=True)
class Difference:
    """First less second, with an interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A metric, or the rate of a kind of error, on both sets."""

    name: str
    of: str
    """'metric', or what the rate is a share of."""
    train: float
    val: float
    gap: Difference
    standard: Difference
    """The same when the first set has the mix of the second."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Gap:
    """A row for each metric and each kind of error. `print` says what the gap may mean, and what it may not."""

    names: tuple[str, str]
    protocol: Protocol
    images: tuple[int, int]
    truths: tuple[int, int]
    rows: tuple[Row, ...]
    level: float
    resamples: int
    seed: int
    clusters: tuple[str, str]
    standard: Standard
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise PoseError("gap", f"no row {brief(repr(name))}", f"one of: {', '.join(row.name for row in self.rows)}")

    @property
    def how(self) -> str:
        """How the intervals were made."""
        drawn = f"{self.clusters[0]} of the first set and {self.clusters[1]} of the second, each drawn with replacement by itself"
        return f"{self.level:.0%} intervals: percentiles of {self.resamples:,} resamples of {drawn}; seed {self.seed}"

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What the gap may mean."""
        from .gap_text import sentences

        return sentences(self)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each metric and kind of error: both values, their gap, and the gap at the same mix, with intervals."""
        from ..frames import records_frame

        return records_frame([(row.name, _columns(row)) for row in self.rows], "number")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no number."""
        return plain({
            "sets": [{"name": n, "images": i, "truths": t} for n, i, t in zip(self.names, self.images, self.truths, strict=True)],
            "protocol": {"name": self.protocol.name, "fingerprint": self.protocol.fingerprint},
            "rows": [{"name": row.name, **_columns(row)} for row in self.rows],
            "mix": {"by": self.standard.by, "left_out": self.standard.left_out, "effective_images": self.standard.effective},
            "how": {"level": self.level, "resamples": self.resamples, "seed": self.seed, "clusters": self.clusters, "method": "percentile, unpaired"},
            "sentences": self.sentences,
            "notes": self.notes,
        })  # fmt: skip

    def __repr__(self) -> str:
        from .gap_text import as_text

        return as_text(self)


def _columns(row: Row) -> dict[str, Any]:
    return {
        "of": row.of,
        "train": row.train,
        "val": row.val,
        "gap": row.gap.value,
        "low": row.gap.low,
        "high": row.gap.high,
        "same mix": row.standard.value,
        "same mix low": row.standard.low,
        "same mix high": row.standard.high,
    }


def gap(
    train: Evaluation,
    val: Evaluation,
    *,
    metrics: Iterable[str] | None = None,
    mix: str | Sequence[str] = MIX,
    clusters: str = "image",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> Gap:
    """What lies between two sets that share no image: every metric and every kind of error, first less second.

    Each set is drawn again by itself. `mix` names what the first set is then given in the second's shares: "size" (of an
    image's median truth), "crowding" (truths that count on it), or columns of the images. `clusters` is a column of the
    images that belong together.
    """
    _check(train, val, level, resamples, seed)
    names = [canonical(read_metric(m)) for m in (val.names if metrics is None else [metrics] if isinstance(metrics, str) else metrics)]
    names, notes = _known(train, val, list(dict.fromkeys(names)))
    standard = standardised(train.workings, val.workings, [mix] if isinstance(mix, str) else list(mix))
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(2)]
    drawn = [clustered(ev.workings, clusters) for ev in (train, val)]
    with bar("gap", 4 * resamples if len(train.predictions) + len(val.predictions) > _MANY else 0, quiet) as advance:
        sides = [
            _Side(ev, names, rates_of(ev.errors()), weights, partial(draws, c, resamples, s), advance)
            for ev, weights, c, s in zip((train, val), (standard.first, standard.second), drawn, seeds, strict=True)
        ]
        rows = _rows(sides[0], sides[1], level)
    return Gap(
        names=(train.truth.name, val.truth.name),
        protocol=val.protocol,
        images=(len(train.truth.images), len(val.truth.images)),
        truths=(train.counts["counted"], val.counts["counted"]),
        rows=tuple(rows),
        level=level,
        resamples=resamples,
        seed=seed,
        clusters=(str(drawn[0]), str(drawn[1])),
        standard=standard,
        notes=tuple([*notes, *_few(drawn), *_shared(train, val), *_models(train, val)]),
    )


_MANY = 20_000
"""Predictions from which a person waits."""


@dataclass(frozen=True, eq=False)
class _Side:
    """One set, and how often each of its images is in each resample."""

    ev: Evaluation
    names: list[str]
    rates: Rates
    weights: Floats
    blocks: Callable[[], Iterator[Floats]]
    """The same resamples every time; a large set has more than fit the memory at once."""
    advance: Callable[[int], None]

    def values(self, weighted: bool) -> tuple[Floats, Floats]:
        """(M,) every metric and rate, and (B, M) in each resample; with the weights of the common mix or without."""
        selection = Selection(images=self.weights) if weighted else EVERYTHING
        each = self.weights if weighted else np.ones(len(self.weights))
        own = [measure(self.ev.workings, name, selection).value for name in self.names]
        again = replicates(self.ev.workings, self.names, self.blocks(), selection, self.advance)
        rates = np.concatenate([self.rates.under(block * each) for block in self.blocks()])
        return np.array([*own, *self.rates.under(each[None])[0]]), np.concatenate([again, rates], 1)


def _rows(train: _Side, val: _Side, level: float) -> list[Row]:
    (mine, mine_again), (theirs, theirs_again) = train.values(False), val.values(False)
    (even, even_again), (other, other_again) = train.values(True), val.values(True)
    plain_gaps = _differences(mine - theirs, mine_again - theirs_again, level)
    standard = _differences(even - other, even_again - other_again, level)
    names = [*train.names, *train.rates.names]
    of = {**dict.fromkeys(train.names, "metric"), **train.rates.of}
    return [Row(name=name, of=of[name], train=float(mine[i]), val=float(theirs[i]), gap=plain_gaps[i], standard=standard[i]) for i, name in enumerate(names)]


def _differences(values: Floats, again: Floats, level: float) -> list[Difference]:
    """Intervals by percentiles; resamples without a number are left out."""
    found = []
    for value, column in zip(values.tolist(), again.T, strict=True):
        known = column[~np.isnan(column)]
        if math.isnan(value) or not len(known):
            found.append(Difference(value, math.nan, math.nan))
        else:
            low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
            found.append(Difference(value, float(low), float(high)))
    return found


# -- what may be compared ------------------------------------------------------------------------------


def _check(train: Any, val: Any, level: float, resamples: int, seed: int) -> None:
    for name, ev in (("the first", train), ("the second", val)):
        if not isinstance(ev, Evaluation):
            raise PoseError(f"gap: {name}", brief(repr(ev)), "an evaluation is needed: evaluate(truth, predictions)")
    if train.protocol.fingerprint != val.protocol.fingerprint:
        raise PoseError("gap", f"scored under {train.protocol.name!r} and {val.protocol.name!r}", "evaluate both under one protocol")
    if not train.truth.schema.same_points(val.truth.schema):
        raise PoseError("gap", f"schemas {train.truth.schema.name!r} and {val.truth.schema.name!r}", "bring both truths to one: truth.as_schema(...)")
    if not difference(Task(train.truth, train.protocol), Task(val.truth, val.protocol)):
        raise PoseError("gap", f"both are scored on {train.truth.name!r}", "two models on one set are compared with posebench.compare")
    if not isinstance(level, float) or not 0 < level < 1:
        raise PoseError("gap: level", brief(repr(level)), "a share between 0 and 1, such as .95")
    if not isinstance(resamples, int) or isinstance(resamples, bool) or resamples < 100:
        raise PoseError("gap: resamples", brief(repr(resamples)), "a whole number from 100 on")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise PoseError("gap: seed", brief(repr(seed)), "a whole number of 0 or more")


def _known(train: Evaluation, val: Evaluation, names: list[str]) -> tuple[list[str], list[str]]:
    """The metrics that both sets can be measured by, and a word on the others."""
    kept, notes = [], []
    for name in names:
        try:
            for ev in (train, val):
                ev.measured(name)
            kept.append(name)
        except PoseError as e:
            notes.append(f"{name} left out: {e.seen}")
    if not kept:
        raise PoseError("gap: metrics", "none can be measured on both sets" + (f": {notes[0]}" if notes else ""), "name others: metrics=['AP', 'AR']")
    return kept, notes


def _shared(train: Evaluation, val: Evaluation) -> list[str]:
    """A word on truths that stand in both sets, point for point."""
    both = len(np.intersect1d(_marks(train.truth), _marks(val.truth)))
    return [f"{both:,} truths stand in both sets, point for point: the gap is smaller than it would be without them"] if both else []


def _marks(truth: PoseDataset) -> Floats:
    """A number for each labelled truth: equal for equal points, and for hardly any others."""
    points = truth.instances.keypoints[truth.instances.labelled.any(1)].reshape(-1, 3 * len(truth.schema))
    return np.asarray((points * np.random.default_rng(0).random(points.shape[1])).sum(1))


def _models(train: Evaluation, val: Evaluation) -> list[str]:
    """A word where the headers name two models."""
    a, b = (ev.predictions.header.get("model") for ev in (train, val))
    return [f"the headers name two models, {a!r} and {b!r}: their gap is also that of the models"] if a and b and a != b else []


_FEW = 50
"""Images of a set below which percentiles of resamples are too narrow."""


def _few(drawn: Sequence[Clusters]) -> list[str]:
    least = min(c.n for c in drawn)
    return [f"{least} {'image' if least == 1 else 'images or clusters'} in the smaller set: intervals of so few are too narrow"] if least < _FEW else []
