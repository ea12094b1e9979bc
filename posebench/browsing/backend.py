"""The evaluation backend `posebench`: our numbers in FiftyOne's Model Evaluation panel. A room of fiftyone.

`dataset.evaluate_detections(pred, gt_field=truth, method="posebench", eval_key=...)` scores what stands in the fields,
under `protocol=`; `posebench.browse` stores the same for the evaluation it is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone.utils.eval.detection import DetectionEvaluation, DetectionEvaluationConfig, DetectionResults

from posedata.formats.fiftyone import put_columns
from posedata.formats.fiftyone_home import from_fiftyone, predictions_from

from ..evaluation import Evaluation, evaluate
from .told import told

__all__ = ["METHOD", "PoseEvaluation", "PoseEvaluationConfig", "PoseResults", "register", "store"]

METHOD = "posebench"


def register() -> None:
    """Let FiftyOne know of the method; once for each process."""
    fo.evaluation_config.detection_backends[METHOD] = {"config_cls": f"{__name__}.PoseEvaluationConfig"}


class PoseEvaluationConfig(DetectionEvaluationConfig):  # type: ignore[misc]
    """Which fields, and the protocol by name; FiftyOne's own choices of similarity play no part."""

    def __init__(self, pred_field: str, gt_field: str, protocol: str | None = None, iou: float = 0.5, classwise: bool = True, **kwargs: Any) -> None:
        for name in ("use_masks", "use_boxes"):
            kwargs.pop(name, None)
        super().__init__(pred_field, gt_field, iou=0.5, classwise=classwise, **kwargs)
        self.protocol = protocol

    @property
    def method(self) -> str:
        return METHOD


class PoseEvaluation(DetectionEvaluation):  # type: ignore[misc]
    """Scores all samples at once, then hands each sample its share, as FiftyOne asks for it."""

    def register_samples(self, samples: Any, eval_key: str | None, dynamic: bool = True) -> None:
        super().register_samples(samples, eval_key, dynamic=dynamic)
        truth, pred = from_fiftyone(samples, self.gt_field), predictions_from(samples, self.pred_field)
        self.ev = evaluate(truth, pred, self.config.protocol)
        self.said = told(self.ev, self.pred_field, 0, 0)
        self.by_truth, self.by_pred = _outcomes(self.ev, self.said.found, self.said.counted)

    def evaluate(self, doc: Any, eval_key: str | None = None) -> list[tuple[Any, ...]]:
        """The matches of one sample, written on its labels too."""
        truths = {label.annotation_id: label for label in _labels(doc, self.gt_field)}
        preds = {label.prediction: label for label in _labels(doc, self.pred_field)}
        made = []
        for number, label in preds.items():
            outcome, truth_id, oks = self.by_pred[number]
            other = truths.get(truth_id)
            _write(label, eval_key, outcome, other, oks)
            if outcome:
                made.append((getattr(other, "label", None), label.label, oks if other else None, label.score, getattr(other, "id", None), label.id))
        for annotation, label in truths.items():
            outcome, number, oks = self.by_truth[annotation]
            _write(label, eval_key, outcome, preds.get(number), oks)
            if outcome == "fn":
                made.append((label.label, None, None, None, label.id, None))
        return made

    def generate_results(self, samples: Any, matches: Any, eval_key: str | None = None, classes: Any = None, missing: Any = None, progress: Any = None) -> Any:
        return PoseResults(samples, self.config, eval_key, matches, classes=classes, missing=missing, custom_metrics=numbers(self.ev), backend=self)


class PoseResults(DetectionResults):  # type: ignore[misc]
    """FiftyOne's report at a similarity of .5, with our metrics; mAP and mAR are those of the protocol."""

    def mAP(self) -> float | None:  # FiftyOne's spelling
        return self._ours("AP")

    def mAR(self) -> float | None:
        return self._ours("AR")

    def _ours(self, name: str) -> float | None:
        return (self.custom_metrics or {}).get(f"{METHOD}/{name}", {}).get("value")


def numbers(ev: Evaluation) -> dict[str, dict[str, Any]]:
    """The metrics of the protocol as FiftyOne's panel lists them."""
    return {
        f"{METHOD}/{name}": {"key": name, "value": None if math.isnan(value) else value, "label": name, "lower_is_better": False}
        for name, value in ev.metrics.items()
    }


def _labels(doc: Any, field: str) -> list[Any]:
    return doc[field].keypoints if doc[field] is not None else []


def _write(label: Any, eval_key: str | None, outcome: str | None, other: Any, oks: float | None) -> None:
    if eval_key is not None:
        label[eval_key] = outcome
        label[f"{eval_key}_id"] = None if other is None else other.id
        label[f"{eval_key}_iou"] = oks if other is not None else None


def _outcomes(ev: Evaluation, found: Any, counted: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """By annotation id and by row of the predictions: tp, fp or fn, who is on the other side, and the similarity."""
    ids, rows = ev.truth.instances.id.tolist(), ev.predictions.row.tolist()
    oks = similarity_of(ev, found)
    names = np.array(["tp", None, "fp"], object)[np.where(found >= 0, 0, found)]  # -1 is the last, -2 none
    by_pred = {row: (name, ids[t] if t >= 0 else None, s) for row, name, t, s in zip(rows, names.tolist(), found.tolist(), oks.tolist(), strict=True)}
    by_truth = {i: ("fn" if c else None, None, None) for i, c in zip(ids, counted.tolist(), strict=True)}
    by_truth |= {ids[t]: ("tp", row, s) for row, t, s in zip(rows, found.tolist(), oks.tolist(), strict=True) if t >= 0 and counted[t]}
    return by_truth, by_pred


def similarity_of(ev: Evaluation, found: Any) -> Any:
    """(M,) OKS of each prediction and the truth it found; NaN for none."""
    problem, pairs = ev.workings.problem(), ev.workings.pairs()
    oks = np.full(len(found), np.nan)
    rows = problem.rows[pairs.pred]
    mine = found[rows] == pairs.truth
    oks[rows[mine]] = pairs.oks[mine]
    return oks


def store(
    dataset: Any, ev: Evaluation, eval_key: str, fields: tuple[str, str], matches: Iterable[tuple[Any, ...]], counts: Mapping[str, list[int]], at: list[str]
) -> None:
    """Write an evaluation that was made elsewhere where FiftyOne keeps its own: `fields` are those of predictions and of truth."""
    config = PoseEvaluationConfig(*fields, protocol=ev.protocol.name)
    method = config.build()
    method.register_run(dataset, eval_key, overwrite=True, cleanup=False)
    put_columns(dataset, {f"{eval_key}_{name}": tally for name, tally in counts.items()}, at)
    results = PoseResults(dataset, config, eval_key, list(matches), custom_metrics=numbers(ev), backend=method)
    method.save_run_results(dataset, eval_key, results, overwrite=True, cache=False)
    method.add_fields_to_sidebar_group(dataset, eval_key, omit_fields=fields)
