"""label_errors: annotations ranked by how likely they are wrong, from a held-out model's predictions and the set's own shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean, first_few

from .errors.labels import Rules
from .suspects.evidence import Evidence, evidence_of
from .suspects.kinds import KINDS, Suspicion, missing_instances, suspicions
from .suspects.shape import shape_outliers

if TYPE_CHECKING:
    import pandas
    from PIL import Image

    from .evaluation import Evaluation

__all__ = ["KINDS", "LabelErrors", "Suspects", "label_errors"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

_SHAPE = 0.25
"""What the set's own shapes add to the rank beside a model's word; alone they rank the poses that no prediction found."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Suspects:
    """The rows of one fold: its annotations, then predictions that no annotation covers. S rows, K points."""

    ev: Evaluation
    evidence: Evidence
    truth: Rows
    """(S,) row of the annotation; -1 for one that is missing."""
    pred: Rows
    """(S,) row of the prediction; -1 where the model found none."""
    doubt: dict[str, Floats]
    """By kind (S,) -log of the chance that the label is right, and the model errs so."""
    points: dict[str, Bools]
    """By kind (S, K) the points in question."""
    other: Rows
    """(S,) row of the other annotation, of neighbour and wrong_instance; -1 for none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelErrors:
    """Annotations, the most suspect first: `.frame()` is a table, `.sheet()` a picture."""

    folds: tuple[Suspects, ...]
    fold: Rows
    """(S,) which fold."""
    row: Rows
    """(S,) which row there."""
    kind: NDArray[np.object_]
    """(S,) the kind that is suspected most; empty where nothing is."""
    doubt: Floats
    """(S,) what ranks: -log of what the score leaves to 1, and a little of the shape's."""
    scores: dict[str, Floats]
    """By kind (S,) 1 less the chance that the label is right and the model, as sure as it is, errs so; 0: nothing is suspected."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.row)

    @property
    def score(self) -> Floats:
        """(S,) what ranks, between 0 and 1: the score of the kind that is suspected most, and a little of the shape's."""
        return np.asarray(1 - np.exp(-self.doubt))

    def top(self, n: int | None = None, kind: str | None = None) -> Rows:
        """Places of the first n, of one kind if named; those of which nothing is suspected are left out."""
        return _chosen(self, n, kind)

    def columns(self, n: int | None = None, kind: str | None = None) -> dict[str, Any]:
        """The table by column."""
        from .suspects.telling import columns

        return columns(self, self.top(n, kind), kind)

    def frame(self, n: int | None = None, kind: str | None = None) -> pandas.DataFrame:
        """One row for each suspect, most suspect first: ids, kind, keypoints, a sentence, and a score for every kind."""
        from .frames import table_frame

        return table_frame(self.columns(n, kind))

    def sheet(self, n: int = 24, kind: str | None = None, columns: int = 3) -> Image.Image:
        """A picture of the first n: the annotation beside the prediction; on blank paper where the image is not at hand."""
        from .suspects.sheet import draw_sheet

        return draw_sheet(self, self.top(n, kind), columns, kind)

    def counts(self, above: float = 0.99) -> dict[str, int]:
        """How many annotations have their highest score, above this, in each kind."""
        sure = self.score > above
        return {k: int((sure & (self.kind == k)).sum()) for k in KINDS}

    def to_dict(self, n: int | None = 100, kind: str | None = None) -> dict[str, Any]:
        """Plain values: the first n, and counts."""
        from .plain import plain

        found = self.columns(n, kind)
        rows = [dict(zip(found, row, strict=True)) for row in zip(*(_listed(v) for v in found.values()), strict=True)]
        return {"annotations": len(self), "folds": len(self.folds), "above_0.99": self.counts(), "suspects": plain(rows), "notes": list(self.notes)}

    def as_text(self, n: int = 20, kind: str | None = None) -> str:
        """The first n with their sentences."""
        from .suspects.telling import as_text

        return as_text(self, n, kind)

    def __repr__(self) -> str:
        return self.as_text(10)


def label_errors(ev: Evaluation | Sequence[Evaluation], rules: Rules | None = None) -> LabelErrors:
    """Annotations ranked by how likely they are wrong, given predictions of a model that was not trained on them.

    For k folds give the evaluation of each fold's predictions: every fold is judged by its own model, on the images its
    predictions lie on. Scores compare a label with how often a model this sure errs this way, so they need no threshold.
    """
    evs = list(ev) if isinstance(ev, Sequence) else [ev]
    if not evs:
        raise PoseError("label_errors", "no evaluations", "give one, or one for each fold")
    for e in evs:
        if not hasattr(e, "workings"):
            raise PoseError("label_errors", brief(repr(type(e).__name__)), "give what evaluate() returns: label_errors(evaluate(truth, predictions))")
    seen = [_images(e, len(evs) > 1) for e in evs]
    _require_apart(evs, seen)
    folds = tuple(_suspects(e, rows, rules or Rules()) for e, rows in zip(evs, seen, strict=True))
    return _ranked(folds, _notes(folds))


def _images(ev: Evaluation, several: bool) -> NDArray[np.bool_]:
    """(I,) images a fold speaks of: all of its truth, or, of several folds, those with predictions or that the header lists."""
    n = len(ev.truth.images)
    if not several or isinstance(ev.predictions.header.get("images"), list):
        return np.ones(n, bool)
    return np.bincount(ev.workings.aligned.image, minlength=n) > 0


def _require_apart(evs: Sequence[Evaluation], seen: Sequence[Bools]) -> None:
    ids = np.concatenate([e.truth.images.id[s].astype(object) for e, s in zip(evs, seen, strict=True)])
    values, counts = np.unique(ids.astype(str), return_counts=True)
    if (counts > 1).any():
        seen_twice = f"{(counts > 1).sum():,} images are predicted by two folds: {first_few(values[counts > 1], 3, ', ')}"
        raise PoseError("label_errors", seen_twice, "each image is predicted by the model that has not seen it; list images in the header")


def _suspects(ev: Evaluation, images: Bools, rules: Rules) -> Suspects:
    """All rows of one fold."""
    if not len(ev.truth.schema):
        raise PoseError(ev.truth.name, "a schema without keypoints", "there are no labels to doubt")
    shares = shape_outliers(ev.truth)
    e = evidence_of(ev.workings, rules, shares)
    problem, own = e.problem, ev.truth.instances
    annotations = np.flatnonzero(~own.crowd & problem.labelled.any(1) & images[own.image])
    extra, missing = missing_instances(e)
    place = np.full(len(own), -1)
    place[annotations] = np.arange(len(annotations))
    at = place[e.truth]
    n, k = len(annotations) + len(extra), len(ev.truth.schema)
    doubt = {kind: np.zeros(n) for kind in KINDS}
    points = {kind: np.zeros((n, k), bool) for kind in KINDS}
    other = np.full(n, -1)
    found = suspicions(e)
    for kind, s in found.items():
        doubt[kind][at], points[kind][at] = s.value, s.points
    other[at] = _others(found)
    doubt["missing_instance"][len(annotations) :] = missing
    shares = shares[annotations]
    doubt["shape"][: len(annotations)] = np.maximum(-np.log(shares.min(1, initial=1) * np.maximum(own.labelled[annotations].sum(1), 1)), 0)
    points["shape"][: len(annotations)] = (shares < 1) & (shares <= shares.min(1, keepdims=True, initial=1))
    pred = np.full(n, -1)
    pred[at] = problem.rows[e.labelled.pred]
    pred[len(annotations) :] = problem.rows[extra]
    return Suspects(ev=ev, evidence=e, truth=np.concatenate([annotations, np.full(len(extra), -1)]), pred=pred, doubt=doubt, points=points, other=other)


def _others(found: dict[str, Suspicion]) -> Rows:
    a, b = found["neighbour"], found["wrong_instance"]
    return np.where(a.value >= b.value, a.other, b.other)


def _ranked(folds: tuple[Suspects, ...], notes: tuple[str, ...]) -> LabelErrors:
    """All folds' rows, most suspect first; equals in the order of the file."""
    doubt = {k: np.concatenate([f.doubt[k] for f in folds]) for k in KINDS}
    told = np.stack([doubt[k] for k in KINDS if k != "shape"])
    unfound = np.concatenate([f.pred < 0 for f in folds])
    most = np.where(unfound, 0.0, told.max(0, initial=0))
    names = np.array([k for k in KINDS if k != "shape"], object)
    kind = names[told.argmax(0)] if told.shape[1] else np.zeros(0, object)
    alone = _SHAPE * doubt["shape"]
    kind = np.where((most <= 0) & (alone > 0), "shape", np.where(most > 0, kind, ""))
    total = most + alone
    order = np.argsort(-total, kind="stable")
    return LabelErrors(
        folds=folds,
        fold=np.repeat(np.arange(len(folds)), [len(f.truth) for f in folds])[order],
        row=np.concatenate([np.arange(len(f.truth)) for f in folds])[order],
        kind=kind[order],
        doubt=total[order],
        scores={k: 1 - np.exp(-values[order]) for k, values in doubt.items()},
        notes=notes,
    )


def _notes(folds: tuple[Suspects, ...]) -> tuple[str, ...]:
    unfound = sum(int(((f.pred < 0) & (f.truth >= 0)).sum()) for f in folds)
    every = sum(int((f.truth >= 0).sum()) for f in folds)
    notes = [f"{unfound:,} of {every:,} annotations have no prediction: only their shape is judged"] if unfound else []
    for i, f in enumerate(folds, 1):
        c = f.evidence.confidence[f.evidence.said]
        if len(c) and c.min() == c.max():
            notes.append(f"{'the' if len(folds) == 1 else f'fold {i}: the'} model is equally sure of all points ({c[0]:g}): residuals alone tell")
    return tuple(notes)


def _chosen(found: LabelErrors, n: int | None, kind: str | None) -> Rows:
    if kind is not None and kind not in KINDS:
        raise PoseError("kind", f"{kind!r}", did_you_mean(kind, KINDS))
    if kind is None:
        rows = np.flatnonzero(found.doubt > 0)
    else:
        rows = np.argsort(-found.scores[kind], kind="stable")
        rows = rows[found.scores[kind][rows] > 0]
    return rows[:n]


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else values.tolist()
