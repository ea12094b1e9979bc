"""Suspicions: what makes a number deserve a second look, each one function with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .sight import Sight, image_steps, sight, stepped, tiny_areas, verdict
from .workings import Workings

if TYPE_CHECKING:
    from posedata.predictions import Predictions

    from .evaluation import Evaluation

__all__ = ["SUSPICIONS", "Suspicion", "same_poses", "suspicions"]

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Suspicion:
    """One thing that may be wrong: its sentence, and the function that finds the figures for it, or None."""

    name: str
    sentence: str
    look: Callable[[Workings], Figures | None]

    def said(self, workings: Workings) -> str | None:
        """The sentence with its figures; None where all is well."""
        figures = self.look(workings)
        return None if figures is None else self.sentence.format(**figures)


def suspicions(ev: Evaluation) -> Iterator[str]:
    """A sentence for each suspicion that holds."""
    for suspicion in SUSPICIONS.values():
        said = suspicion.said(ev.workings)
        if said:
            yield said


# -- the truth ---------------------------------------------------------------------------------------


def _tiny_areas(w: Workings) -> Figures | None:
    area = w.problem().area[_counted(w)]
    tiny = area <= 1
    return {"n": int(tiny.sum()), "of": len(area), "least": float(area.min())} if tiny.any() else None


def _ignored(w: Workings) -> Figures | None:
    """A third or more; COCO itself leaves out four in ten of its people, those without points, and says nothing of it."""
    problem, own = w.problem(), w.aligned.truth.instances
    out, pointed = problem.ignored, problem.labelled.any(1)
    if not out.any() or out.sum() < len(out) / 3:
        return None
    why = {
        "crowds": own.crowd,
        "without a labelled point": ~pointed & ~own.crowd,
        "with points, but num_keypoints 0": pointed & ~own.crowd & (own.recorded == 0),
    }
    counts = [f"{int((out & rows).sum()):,} {what}" for what, rows in why.items() if (out & rows).any()]
    return {"n": int(out.sum()), "of": len(out), "why": ", ".join(counts)}


# -- scores and boxes --------------------------------------------------------------------------------


def _equal_scores(w: Workings) -> Figures | None:
    score = w.problem().pred.score
    return {"n": len(score), "score": float(score[0])} if len(score) > 1 and score.min() == score.max() else None


def _truth_boxes(w: Workings) -> Figures | None:
    pred = w.aligned.pred
    if pred.header.get("boxes") == "truth":
        return {"how": "so the header says"}
    made_for = pred.truth != ("" if pred.truth.dtype == object else -1)
    if len(pred) and made_for.all():
        return {"how": "every prediction names the annotation it was made for"}
    look = sight(w)
    same = _on_a_truth_box(look)
    return {"how": f"{same.sum():,} of {len(same):,} boxes looked at are those of annotations"} if len(same) > 2 and same.mean() > 0.9 else None


def _on_a_truth_box(look: Sight) -> NDArray[np.bool_]:
    """Whether each box of a prediction is, to the pixel, that of an annotation."""
    boxes = look.problem.pred.bbox[look.rows]
    near = np.abs(boxes[look.pred] - look.problem.truth.instances.bbox[look.truth]).max(-1, initial=0) <= 1
    known = np.flatnonzero(~np.isnan(boxes).any(1))
    return np.isin(known, look.pred[near])


# -- coordinates -------------------------------------------------------------------------------------


def _nothing_found(w: Workings) -> Figures | None:
    pairs, counted = w.pairs(), _counted(w)
    at = float(w.protocol.thresholds[0])
    ap = w.scores().ap(0)
    if not (counted.any() and len(pairs)) or np.isnan(ap) or ap >= 0.01:
        return None
    best = np.zeros(len(counted))
    np.maximum.at(best, pairs.truth, pairs.oks)
    best = best[counted]
    found = verdict(w)
    likely = found.distortion.name if found else _why_so_few(w, best, at)
    return {"at": at, "ap": ap, "n": int((best >= at).sum()), "of": len(best), "best": float(best.max()), "likely": likely}


def _why_so_few(w: Workings, best: NDArray[np.float64], at: float) -> str:
    """What to think when no distortion explains it; best: (N,) highest similarity of each truth."""
    if tiny_areas(w):
        return "the areas of the truth are none"
    if (best >= at).mean() > 0.2:
        return "the scores rank what fits last: are they losses or ranks?"
    for step in image_steps(w):
        if sight(stepped(step, w)).similarity() > sight(w).similarity() + 0.3:
            return f"image ids are off by one: {'add 1 to' if step > 0 else 'subtract 1 from'} image_id"
    if np.median(best) > 0.1:
        return "points are too far off for the sigmas and areas of this truth"
    return "predictions of other images, or points in a form of their own: draw some"


def _normalised(w: Workings) -> Figures | None:
    look = sight(w)
    xy = look.points[..., :2]
    xy = xy[~np.isnan(xy)]
    if not len(look) or not len(xy) or xy.max() > 1.5 or xy.min() < -0.5:
        return None
    true = look.problem.points[look.truth][..., :2].max()
    return {"high": float(xy.max()), "true": float(true)} if true > 5 else None


def _distorted(*kinds: str) -> Callable[[Workings], Figures | None]:
    def look(w: Workings) -> Figures | None:
        found = verdict(w)
        return {"what": found.distortion.name, "before": found.before, "after": found.after} if found and found.distortion.kind in kinds else None

    return look


# -- rows --------------------------------------------------------------------------------------------


def _categories(w: Workings) -> Figures | None:
    look, truth = sight(w), w.aligned.truth
    if not w.protocol.per_category or len(truth.categories) < 2 or not len(look):
        return None
    chosen = look.best(look.found)
    chosen = chosen[look.found[chosen] >= 0.5]
    true, said = truth.instances.category[look.truth[chosen]], w.aligned.category[look.rows[look.pred[chosen]]]
    same = int((true == said).sum())
    if len(chosen) < 5 or same >= len(chosen) / 2:
        return None
    return {"n": same, "of": len(chosen), "cure": _category_cure([c.id for c in truth.categories], true, said)}


def _category_cure(ids: list[Any], true: NDArray[np.intp], said: NDArray[np.intp]) -> str:
    if all(isinstance(i, int) for i in ids):
        off = np.array(ids)[true] - np.array(ids)[said]
        for step, cure in ((1, "add 1 to category_id"), (-1, "subtract 1 from category_id")):
            if (off == step).mean() > 0.8:
                return f"they are off by one: {cure}"
    return "AP[pooled] does not look at categories"


def _duplicates(w: Workings) -> Figures | None:
    again = same_poses(w.aligned.pred, w.aligned.image)
    n = len(w.aligned.pred)
    return {"n": int(again.sum()), "share": again.mean(), "row": int(w.aligned.pred.row[again.argmax()])} if n and again.mean() >= 0.01 else None


def same_poses(pred: Predictions, image: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(M,) whether a pose with the same points and category stands before it on its image; poses without any point are none."""
    again = np.zeros(len(pred), bool)
    if not len(pred) or not len(pred.schema):
        return again
    middle = len(pred.schema) // 2
    x, y, z = (np.nan_to_num(pred.keypoints[:, k, axis]) for k, axis in ((0, 0), (-1, 1), (middle, 0)))
    key = x + np.pi * y + np.sqrt(2) * z + 1e4 * np.e * image  # equal poses have equal keys; others hardly ever
    order = np.argsort(key, kind="stable")
    step = np.flatnonzero(key[order][1:] == key[order][:-1])
    a, b = order[step], order[step + 1]
    same = (image[a] == image[b]) & (pred.category[a] == pred.category[b]) & ~np.isnan(pred.keypoints[b, :, 0]).all(1)
    a, b = a[same], b[same]
    xy = pred.keypoints[..., :2]
    again[b] = ((xy[a] == xy[b]) | (np.isnan(xy[a]) & np.isnan(xy[b]))).all((1, 2))
    return again


def _few_images(w: Workings) -> Figures | None:
    problem = w.problem()
    images = np.unique(problem.image[_counted(w)])
    predicted = np.zeros(len(problem.truth.images), bool)
    predicted[w.aligned.image] = True
    bare = images[~predicted[images]]
    return {"n": len(bare), "of": len(images), "id": problem.truth.images.id[bare[0]]} if len(bare) >= max(1, 0.4 * len(images)) else None


def _cut(w: Workings) -> Figures | None:
    """One image with many predictions is no habit."""
    problem, total = w.problem(), len(w.aligned.pred)
    lost = np.ones(total, bool)
    lost[problem.rows] = False
    images = len(np.unique(w.aligned.image[lost]))
    return {"n": int(lost.sum()), "of": total, "images": images, "most": w.protocol.max_preds} if lost.sum() > 0.2 * total and images > 1 else None


def _counted(w: Workings) -> NDArray[np.bool_]:
    return ~w.problem().ignored


_FITS = "mean similarity of what fits best goes from {before:.2f} to {after:.2f} when that is undone"

SUSPICIONS: Mapping[str, Suspicion] = MappingProxyType({
    s.name: s
    for s in (
        Suspicion("tiny-area", "{n:,} of {of:,} counted truths have an area of at most 1 pixel (the least: {least:g}): a pose is found there only where it is exact; mend area, or choose another truth_area", _tiny_areas),
        Suspicion("ignored", "{n:,} of {of:,} truths are ignored: {why}; the numbers are about the rest", _ignored),
        Suspicion("equal-scores", "all {n:,} predictions have the score {score:g}: their order, and so AP, is that of the file; give each its own", _equal_scores),
        Suspicion("truth-boxes", "the boxes are those of the truth ({how}): numbers are with truth boxes, above what a detector leaves; say so beside them", _truth_boxes),
        Suspicion("nothing-found", "AP@{at:.2f} is {ap:.3g}: {n:,} of {of:,} truths have a prediction that reaches similarity {at:.2f} (the best: {best:.2f}); likely: {likely}", _nothing_found),
        Suspicion("normalised", "no predicted coordinate is over {high:.2f}, while those of the truth go up to {true:.0f}: shares of the image's size? multiply x by width and y by height", _normalised),
        Suspicion("exchanged", "{what}: " + _FITS + "; write x, y, confidence", _distorted("exchanged")),
        Suspicion("scaled", "{what}: " + _FITS + "; bring points back to the pixels of the image (stride, resized input)", _distorted("scaled")),
        Suspicion("shifted", "{what}: " + _FITS + "; add the corner of the crop back", _distorted("shifted")),
        Suspicion("order", "{what}: mean similarity of these points goes from {before:.2f} to {after:.2f} when that is undone; write the points in the schema's order", _distorted("order")),
        Suspicion("categories", "only {n:,} of {of:,} truths agree in category with the prediction that fits best; {cure}", _categories),
        Suspicion("duplicates", "{n:,} predictions ({share:.0%}) repeat a pose of their image, the first in row {row}: each counts as a false positive; was a file joined twice?", _duplicates),
        Suspicion("few-images", "{n:,} of {of:,} images with counted truths have no prediction at all, the first with id {id}: predictions of a part of the set? list the images in the header, or predict the rest", _few_images),
        Suspicion("cut", "{n:,} of {of:,} predictions, on {images:,} images, are beyond the best {most} of their image and were not looked at; thin them first (oks_nms), or say so", _cut),
    )
})  # fmt: skip
"""By name; read by the warnings, the docs and the tests."""
