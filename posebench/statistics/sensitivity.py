"""sensitivity: what becomes of a number, and of the order of models, under rules that others might have followed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from posedata.errors import DataError, PoseError, brief, did_you_mean
from posedata.predictions import Predictions
from posedata.progress import bar

from ..evaluation import Evaluation, evaluate
from ..metrics import METRICS, canonical, measure, read_metric
from ..plain import plain
from ..protocol import Protocol
from ..workings import Workings
from .changes import BOXES, KINDS, SHARES_PAIRS, Change, Impossible, changes_of
from .order import flips, kendall
from .same import model_names, require_same

if TYPE_CHECKING:
    import pandas

__all__ = ["Row", "Sensitivity", "sensitivity"]

AS_IS = "as it is"
Boxed = Predictions | Evaluation


@dataclass(frozen=True, kw_only=True)
class Row:
    """One change, and what it makes of each model."""

    kind: str
    change: str
    says: str
    values: tuple[float, ...]
    """The metric of each model, in the order of the models."""
    tau: float
    """Kendall's tau between this order of models and that of the rules as they are; NaN with one model."""
    flips: tuple[tuple[str, str], ...]
    """Pairs (a, b) where a is better by the rules as they are, and b is here."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensitivity:
    """A row for each change, the first as it is. `print` says which moves most, and whether the order of models holds."""

    metric: str
    models: tuple[str, ...]
    protocol: Protocol
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, change: str) -> Row:
        for row in self.rows:
            if row.change == change:
                return row
        raise PoseError("sensitivity", f"no change {brief(repr(change))}", did_you_mean(str(change), [row.change for row in self.rows]))

    @property
    def base(self) -> Row:
        """The rules as they are."""
        return self.rows[0]

    @property
    def holds(self) -> bool:
        """Whether no change makes two models exchange their places."""
        return not any(row.flips for row in self.rows)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What the rows say."""
        from .sensitivity_text import sentences

        return sentences(self)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each change: a column per model, its difference from the rules as they are, tau, and who exchanged places."""
        from ..frames import records_frame

        return records_frame([(row.change, self._columns(row)) for row in self.rows], "change")

    def _columns(self, row: Row) -> dict[str, Any]:
        values = dict(zip(self.models, row.values, strict=True))
        moved = {f"change of {name}": v - b for (name, v), b in zip(values.items(), self.base.values, strict=True)}
        order = {"tau": row.tau, "flips": "; ".join(f"{b} over {a}" for a, b in row.flips)} if len(self.models) > 1 else {}
        return {"kind": row.kind, **values, **moved, **order, "says": row.says}

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no number."""
        rows = [
            {
                "kind": row.kind,
                "change": row.change,
                "says": row.says,
                "values": dict(zip(self.models, row.values, strict=True)),
                "tau": row.tau,
                "flips": [list(pair) for pair in row.flips],
            }
            for row in self.rows
        ]
        return plain({
            "metric": self.metric,
            "models": self.models,
            "protocol": {"name": self.protocol.name, "fingerprint": self.protocol.fingerprint},
            "holds": self.holds,
            "rows": rows,
            "sentences": self.sentences,
            "notes": self.notes,
        })  # fmt: skip

    def __repr__(self) -> str:
        from .sensitivity_text import as_text

        return as_text(self)


def sensitivity(
    *evs: Evaluation,
    metric: str = "AP",
    kinds: Iterable[str] | None = None,
    names: Sequence[str] | None = None,
    truth_boxes: Boxed | Sequence[Boxed | None] | None = None,
    quiet: bool = False,
) -> Sensitivity:
    """AP, or another number of similarities, of one or several models under every rule that others might have followed.

    `kinds` are some of KINDS; all of them unless given. `truth_boxes` are predictions of the same model made from truth boxes,
    one set for each model, None for those without. Several models are of one truth and one protocol; `names` are what they
    are called.

    >>> import posedata, posebench
    >>> truth = posedata.PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 2]] * 6], area=[900.0])
    >>> found = posedata.Predictions.from_arrays(schema="foot6", image=[1], keypoints=[[[6, 5, 1]] * 6], score=[0.9])
    >>> sensitivity(posebench.evaluate(truth, found), kinds=["sigmas"])["sigmas x 0.5"].values
    (0.8,)
    """
    models = _named(evs, names)
    chosen = _kinds(kinds)
    name = _of_similarity(metric)
    first = next(iter(models.values()))
    boxes = _boxed(models, truth_boxes)
    base = [measure(ev.workings, name).value for ev in models.values()]
    rows = [_row(AS_IS, AS_IS, first.protocol.name, models, base, base)]
    tried = changes_of(first.truth, first.protocol, chosen)
    notes = [f"{c.name} left out: {c.why}" for c in tried if isinstance(c, Impossible)]
    many = sum(len(ev.predictions) for ev in models.values()) > _MANY
    with bar("sensitivity", len(tried) * len(models) if many else 0, quiet) as advance:
        for change in tried:
            if isinstance(change, Change):
                rows += _tried(change, name, models, base, notes, advance)
    if boxes and BOXES in chosen:
        values = [measure(boxes[n].workings, name).value if n in boxes else math.nan for n in models]
        rows.append(_row(BOXES, "truth boxes", "predictions made from truth boxes", models, base, values))
    order = {kind: place for place, kind in enumerate([AS_IS, *KINDS])}
    rows.sort(key=lambda row: order[row.kind])
    return Sensitivity(metric=name, models=tuple(models), protocol=first.protocol, rows=tuple(rows), notes=tuple(dict.fromkeys(notes)))


_MANY = 20_000
"""Predictions from which a person waits."""


def _tried(change: Change, name: str, models: Mapping[str, Evaluation], base: list[float], notes: list[str], advance: Any) -> list[Row]:
    """The row of a change; none where the truth or the metric does not know it, and a note."""
    values = []
    for ev in models.values():
        try:
            w = _under(ev.workings, change)
            used = w.problem().used.get("area") if change.kind == "area" else None
            if used:
                raise DataError("", "the truth has none", "")
            values.append(measure(w, name).value)
        except PoseError as e:
            notes.append(f"{change.name} left out: {e.seen}")
            return []
        finally:
            advance(1)
    return [_row(change.kind, change.name, change.says, models, base, values)]


def _under(w: Workings, change: Change) -> Workings:
    """The same files by other rules; similarities are kept where the rules leave them."""
    changed = w.under(change.protocol)
    if change.kind in SHARES_PAIRS:
        changed.made.update({key: made for key, made in w.made.items() if key[0] in ("problem", "pairs")})
    return changed


def _row(kind: str, change: str, says: str, models: Mapping[str, Any], base: Sequence[float], values: Sequence[float]) -> Row:
    tau = kendall(base, values) if len(models) > 1 else math.nan
    return Row(kind=kind, change=change, says=says, values=tuple(values), tau=tau, flips=tuple(flips(list(models), base, values)))


# -- what may be asked for ---------------------------------------------------------------------------


def _named(evs: Sequence[Any], names: Sequence[str] | None) -> dict[str, Evaluation]:
    """The models by name, all of one truth and one protocol."""
    odd = next((ev for ev in evs if not isinstance(ev, Evaluation)), None)
    if odd is not None or not evs:
        raise PoseError("sensitivity", "no evaluation" if odd is None else brief(repr(odd)), "one evaluation or several: evaluate(truth, predictions)")
    alone = names is None and len(evs) == 1 and not evs[0].predictions.header.get("model")
    called = ("this model",) if alone else model_names(evs, names)
    require_same(evs, called)
    return dict(zip(called, evs, strict=True))


def _kinds(kinds: Iterable[str] | None) -> list[str]:
    chosen = list(KINDS) if kinds is None else [kinds] if isinstance(kinds, str) else list(kinds)
    unknown = [k for k in chosen if k not in KINDS]
    if unknown or not chosen:
        raise PoseError("sensitivity: kinds", brief(repr(unknown[0])) if unknown else "none", did_you_mean(str(unknown[0]) if unknown else "", KINDS))
    return chosen


def _of_similarity(metric: str) -> str:
    s = read_metric(metric)
    if METRICS[s.name].at != "similarity" or s.variant:
        known = [name for name, m in METRICS.items() if m.at == "similarity"]
        raise PoseError("sensitivity: metric", f"{canonical(s)} does not look at similarities", f"one of: {', '.join(known)}")
    return canonical(s)


def _boxed(models: Mapping[str, Evaluation], given: Any) -> dict[str, Evaluation]:
    """The models' predictions from truth boxes, scored by the same rules."""
    if given is None:
        return {}
    each = [given] if isinstance(given, Predictions | Evaluation) else list(given)
    if len(each) != len(models):
        raise PoseError("sensitivity: truth_boxes", f"{len(each)} sets of predictions, {len(models)} models", "one set for each model, None for those without")
    return {name: _rescored(models[name], made) for name, made in zip(models, each, strict=True) if made is not None}


def _rescored(ev: Evaluation, made: Any) -> Evaluation:
    pred = made.predictions if isinstance(made, Evaluation) else made
    return replace(evaluate(ev.truth, pred, ev.protocol), notes=())
