"""browse: an evaluation, or several on one truth, as a persistent FiftyOne dataset with every error a click away. A room of fiftyone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean
from posedata.formats.fiftyone import field_name, keep_source, missing_pictures, open_dataset, put_truth, set_skeleton, truth_field, with_sizes
from posedata.formats.fiftyone_db import Browsing, connect, untested, words_of
from posedata.formats.fiftyone_fields import LabelTable, label_ids, note_field, save_views, write_labels
from posedata.formats.hf import content_fingerprint
from posedata.formats.shares import prediction_columns, sizes_of
from posedata.progress import bar

from ..evaluation import Evaluation
from ..table import number
from . import backend
from .install import install_panel
from .told import Told, told
from .views import views_of

__all__ = ["browse_evaluations"]


def browse_evaluations(
    evs: Mapping[str, Evaluation], name: str | None = None, *, worst: int = 100, suspects: int = 200, instance: str | int | None = None, fresh: bool = False
) -> Browsing:
    """The dataset of evaluations by name of the model; see posebench.browse."""
    models = _fields(evs)
    first = next(iter(models.values()))
    _require_one_truth(models)
    connect()
    dataset, at = open_dataset(first.truth, name, fresh)
    notes = [*untested(), *missing_pictures(first.truth)]
    with bar("models", len(models)) as step:
        for model, ev in models.items():
            notes += _put_model(dataset, model, ev, at, worst, suspects)
            step(1)
    notes += [line for line in (install_panel(),) if line]
    truth = truth_field(dataset, first.truth.schema)
    view = None if instance is None else instance_view(dataset, truth, models, instance)
    return Browsing(dataset=dataset, fields=(truth, *models), view=view, spaces=_beside(dataset), notes=tuple(dict.fromkeys(notes)))


WORKSPACE = "Pose errors"


def _beside(dataset: Any) -> Any:
    """Images and the panel side by side, saved as a workspace; as somebody has rearranged it since."""
    if not dataset.has_workspace(WORKSPACE):
        panels = [fo.Space(children=[fo.Panel(type="Samples", pinned=True)]), fo.Space(children=[fo.Panel(type="pose_errors")])]
        dataset.save_workspace(WORKSPACE, fo.Space(children=panels, orientation="horizontal", sizes=[0.62, 0.38]), description="Errors beside the images")
    return dataset.load_workspace(WORKSPACE)


def _fields(evs: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """A name of a field for each model; equal ones are numbered."""
    made: dict[str, Evaluation] = {}
    for text, ev in evs.items():
        word = field_name(text)
        word = f"{word}_model" if word.startswith("truth") else word
        made[next(w for w in (word, *(f"{word}_{i}" for i in range(2, len(evs) + 2))) if w not in made)] = ev
    if not made:
        raise PoseError("browse", "no evaluation", "give what evaluate() returns: posebench.browse(evaluate(truth, predictions))")
    return made


def _require_one_truth(models: Mapping[str, Evaluation]) -> None:
    marks = {name: content_fingerprint(ev.truth, np.zeros(len(ev.truth.images), bool)) for name, ev in models.items()}
    odd = [name for name, mark in marks.items() if mark != next(iter(marks.values()))]
    if odd:
        raise PoseError("browse", f"{odd[0]!r} is scored on another truth than {next(iter(marks))!r}", "models stand side by side on one truth")


def _put_model(dataset: Any, model: str, ev: Evaluation, at: list[str], worst: int, suspects: int) -> list[str]:
    """Everything of one model; returns what is to be said."""
    said = told(ev, model, worst, suspects)
    truth_name = truth_field(dataset, ev.truth.schema)
    eval_key = f"eval_{model}"
    sides = _sides(dataset, model, truth_name, ev, said)
    put_truth(dataset, ev.truth, at, {**said.truths, **sides.columns(eval_key, truth=True)}, said.truth_tags, owner=model)
    _put_predictions(dataset, model, ev, said, at, sides.columns(eval_key, truth=False))
    notes = list(said.notes)
    try:
        notes += _put_evaluation(dataset, ev, eval_key, (model, truth_name), sides, at)
    except PoseError:
        raise
    except Exception as e:  # semi-internal: whatever a coming release changes there, the rest stands
        notes.append(f"no Model Evaluation of {model}: FiftyOne has changed ({brief(str(e), 80)})")
    return notes + save_views(dataset, model, model, views_of(dataset, model, truth_name, said))


def _put_predictions(dataset: Any, model: str, ev: Evaluation, said: Told, at: list[str], more: Mapping[str, NDArray[Any]]) -> None:
    aligned, truth = ev.workings.aligned, with_sizes(ev.truth)
    names = np.array([*(c.name for c in truth.categories), ""], object)[aligned.category]
    own = prediction_columns(ev.predictions, names, sizes_of(truth, aligned.image))
    keys = np.arange(len(ev.predictions))
    note_field(
        dataset,
        model,
        of="predictions",
        schema=ev.truth.schema.to_dict(),
        keypoints=list(ev.truth.schema.names),
        categories={c.name: c.id for c in truth.categories},
        bars=said.bars,
        protocol=ev.protocol.name,
        text=", ".join(f"{name} {number(value)}" for name, value in list(ev.metrics.items())[:2]) + f" ({ev.protocol.name})",
    )
    write_labels(dataset, model, LabelTable(image=aligned.image, key=keys, own=own, told={**said.preds, **more}, tags=tuple(said.pred_tags)), at, model)
    mark = hashlib.sha256(ev.predictions.keypoints.tobytes() + ev.predictions.score.tobytes() + ev.predictions.row.tobytes()).hexdigest()
    keep_source(dataset, model, ev.predictions.to_npz, ".npz", mark)
    set_skeleton(dataset, model, ev.truth.schema)


# -- the evaluation ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class _Sides:
    """Who found whom, by ids of FiftyOne's labels."""

    found: NDArray[np.intp]
    counted: NDArray[np.bool_]
    oks: NDArray[np.float64]
    pred_ids: NDArray[Any]
    truth_ids: NDArray[Any]

    @property
    def hits(self) -> NDArray[np.intp]:
        """Predictions that found a truth which counts."""
        return np.flatnonzero(self.found >= 0)

    def columns(self, eval_key: str, truth: bool) -> dict[str, NDArray[Any]]:
        """FiftyOne's columns of an evaluation."""
        n = len(self.truth_ids) if truth else len(self.pred_ids)
        verdict, other, oks = np.full(n, None, object), np.full(n, None, object), np.full(n, np.nan)
        hits, theirs = self.hits, self.found[self.hits]
        mine, others = (theirs, self.pred_ids[hits]) if truth else (hits, self.truth_ids[theirs])
        verdict[self.counted if truth else self.found == -1] = "fn" if truth else "fp"
        verdict[mine], other[mine], oks[mine] = "tp", others, self.oks[hits]
        return {eval_key: verdict, f"{eval_key}_id": other, f"{eval_key}_iou": oks}


def _sides(dataset: Any, model: str, truth: str, ev: Evaluation, said: Told) -> _Sides:
    return _Sides(
        found=said.found,
        counted=said.counted,
        oks=backend.similarity_of(ev, said.found),
        pred_ids=_array(label_ids(model, np.arange(len(ev.predictions)))),
        truth_ids=_array(label_ids(truth, ev.truth.instances.id)),
    )


def _array(values: list[Any]) -> NDArray[Any]:
    return np.array([*values, None], object)[:-1]


def _put_evaluation(dataset: Any, ev: Evaluation, eval_key: str, fields: tuple[str, str], sides: _Sides, at: list[str]) -> list[str]:
    """Our numbers in the Model Evaluation panel, written where they differ from those there."""
    backend.register()
    matches = _matches(ev, sides)
    mark = hashlib.sha256(repr((matches, backend.numbers(ev))).encode("utf-8", "surrogatepass")).hexdigest()
    if dataset.has_evaluation(eval_key) and words_of(dataset)["fields"][fields[0]].get("evaluation") == mark:
        return []
    backend.store(dataset, ev, eval_key, fields, matches, _tallies(ev, sides), at)
    note_field(dataset, fields[0], evaluation=mark)
    return []


def _matches(ev: Evaluation, sides: _Sides) -> list[tuple[Any, ...]]:
    """(truth's category, prediction's, OKS, score, id, id): those that found each other, false positives, false negatives."""
    names, aligned = _array([c.name for c in ev.truth.categories] + [""]), ev.workings.aligned
    of_truth, of_pred = ev.truth.category_names, names[aligned.category]
    hits, score = sides.hits, ev.predictions.score
    if not ev.protocol.per_category:  # categories play no part then
        of_pred = of_pred.copy()
        of_pred[hits] = of_truth[sides.found[hits]]
    theirs, wrong = sides.found[hits], np.flatnonzero(sides.found == -1)
    missed = np.setdiff1d(np.flatnonzero(sides.counted), theirs)

    def zipped(*columns: NDArray[Any]) -> list[tuple[Any, ...]]:
        return list(zip(*(c.tolist() for c in columns), strict=True))

    none = np.full(max(len(wrong), len(missed)), None, object)
    return [
        *zipped(of_truth[theirs], of_pred[hits], sides.oks[hits], score[hits], sides.truth_ids[theirs], sides.pred_ids[hits]),
        *zipped(none[: len(wrong)], of_pred[wrong], none[: len(wrong)], score[wrong], none[: len(wrong)], sides.pred_ids[wrong]),
        *zipped(of_truth[missed], *[none[: len(missed)]] * 3, sides.truth_ids[missed], none[: len(missed)]),
    ]


def _tallies(ev: Evaluation, sides: _Sides) -> dict[str, list[int]]:
    """Right, wrong and missed poses of each sample."""
    image, own = ev.workings.aligned.image, ev.truth.instances.image
    missed = np.setdiff1d(np.flatnonzero(sides.counted), sides.found[sides.hits])
    rows = {"tp": image[sides.hits], "fp": image[sides.found == -1], "fn": own[missed]}
    return {name: np.bincount(r, minlength=len(ev.truth.images)).tolist() for name, r in rows.items()}


# -- one instance ------------------------------------------------------------------------------------


def instance_view(dataset: Any, truth: str, models: Mapping[str, Evaluation], instance: str | int) -> Any:
    """The sample of one pose and, of its field, that pose alone: `p17` is row 17 of the first model's predictions, all else the id of an annotation."""
    model, ev = next(iter(models.items()))
    text = str(instance)
    rows, ids = ev.predictions.row.tolist(), ev.truth.instances.id.tolist()
    by_text = {str(i): i for i in ids}
    if text in by_text:
        place, value = (truth, "annotation_id"), by_text[text]
    elif text[:1] == "p" and text[1:].isdecimal() and int(text[1:]) in rows:
        place, value = (model, "prediction"), int(text[1:])
    else:
        cure = f"rows go from p{min(rows)} to p{max(rows)}" if text[:1] == "p" and rows else did_you_mean(text, by_text)
        raise PoseError(f"instance {brief(text)!r}", "no annotation, and no row of the predictions (p17)", cure)
    return dataset.filter_labels(place[0], F(place[1]) == value)
