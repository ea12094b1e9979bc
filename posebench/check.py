"""The room of pycocotools in this package: the same numbers by another hand, for those who want to see them agree."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posedata.errors import PoseError

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__ = ["TEN", "by_pycocotools"]

TEN = ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR@0.75", "AR[medium]", "AR[large]")


def by_pycocotools(ev: Evaluation) -> dict[str, float]:
    """COCO's ten numbers of the same columns, as pycocotools counts them; NaN where it says -1."""
    _require_comparable(ev)
    truth, found = _as_coco(ev)
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = truth
        known.createIndex()
        judge = COCOeval(known, known.loadRes(found) if found else _nothing(truth), "keypoints")
        judge.params.kpt_oks_sigmas = ev.workings.problem().sigmas[0]
        judge.params.iouThrs = np.array(ev.protocol.thresholds)
        judge.params.areaRng = [list(ev.protocol.ranges.get(name, usual)) for name, usual in zip(judge.params.areaRngLbl, judge.params.areaRng, strict=True)]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: float(value) if value > -1 else float("nan") for name, value in zip(TEN, judge.stats, strict=True)}


def _require_comparable(ev: Evaluation) -> None:
    """pycocotools knows one rule; what lies beyond it cannot be checked by it."""
    p, problem = ev.protocol, ev.workings.problem()
    beyond = {
        "several sigmas by category": len(problem.sigmas) > 1,
        "max_preds other than 20": p.max_preds != 20,
        f"a curve of {p.interpolation}": p.interpolation != "101 points",
        "absent points counted as nowhere": p.absent != "origin",
        "categories made one": not p.per_category,
    }
    named = [what for what, there in beyond.items() if there]
    if named:
        raise PoseError("--check", f"pycocotools cannot count under {named[0]}", "check under --protocol coco")


def _as_coco(ev: Evaluation) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Truth and predictions as pycocotools takes them: areas and ignored truths as the protocol made them, ids from 1."""
    problem, truth, pred = ev.workings.problem(), ev.truth, ev.predictions
    place = problem.rank
    own = truth.instances
    annotations = [
        {"id": n + 1, "image_id": int(place[i]) + 1, "category_id": int(c) + 1, "keypoints": k, "area": a, "bbox": b, "iscrowd": int(crowd), "num_keypoints": int(not ignored)}
        for n, (i, c, k, a, b, crowd, ignored) in enumerate(
            zip(own.image, own.category, _flat(own.keypoints * own.annotated[..., None]), problem.area.tolist(), np.nan_to_num(own.bbox).tolist(), own.crowd, problem.ignored, strict=True)
        )
    ]  # fmt: skip
    aligned = ev.workings.aligned
    order = np.argsort(pred.row, kind="stable")
    boxes = _boxes_of_area(pred.bbox[order], problem.pred_points[order])
    found = [
        {"image_id": int(place[i]) + 1, "category_id": int(c) + 1, "keypoints": k, "score": s, "bbox": b}
        for i, c, k, s, b in zip(
            aligned.image[order], aligned.category[order], _flat(problem.pred_points[order]), pred.score[order].tolist(), boxes, strict=True
        )
    ]
    images = [{"id": i + 1} for i in range(len(truth.images))]
    return {"images": images, "annotations": annotations, "categories": [{"id": c + 1} for c in range(len(truth.categories))]}, found


def _boxes_of_area(boxes: Any, points: Any) -> list[list[float]]:
    """A box for each: pycocotools looks at the first result alone to know whether all have one."""
    low, high = points[..., :2].min(1), points[..., :2].max(1)
    extent = np.concatenate([low, high - low], 1)
    return np.where(np.isnan(boxes), extent, boxes).tolist()


def _flat(points: Any) -> list[list[float]]:
    return points.reshape(len(points), int(np.prod(points.shape[1:]))).tolist()


def _nothing(truth: dict[str, Any]) -> COCO:
    """pycocotools cannot load an empty list."""
    empty = COCO()
    empty.dataset = {**truth, "annotations": []}
    empty.createIndex()
    return empty
