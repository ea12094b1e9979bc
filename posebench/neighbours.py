"""Neighbours: what else the same files could have been scored as - other rules, other sigmas, predictions put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from posedata.predictions import Predictions
from posedata.schema import Schema
from posedata.schemas import COCO17, SCHEMAS

from .postprocess import RESCORES, oks_nms, rescore
from .protocol import ABSENT, IGNORED, INTERPOLATIONS, TRUTH_AREAS, Protocol
from .protocols import PROTOCOLS
from .sight import Distortion, distortions, image_steps, kept, sight, stepped, tiny_areas
from .suspicions import same_poses
from .workings import Workings

__all__ = ["Change", "neighbours", "sigma_lists"]

EVERY = 1_000_000
"""More predictions than an image has."""


@dataclass(frozen=True)
class Change:
    """One thing done otherwise: what it is, why it is plausible, and the workings after it."""

    name: str
    why: str
    apply: Callable[[Workings], Workings]
    mistake: bool = False
    """Whether it puts something right; other rules are no mistakes, only others'."""
    metric: str = ""
    """The metric read in place of the one asked for; empty for that one."""


def neighbours(w: Workings, where: str = "") -> Iterator[Change]:
    """Every change that makes sense for these workings; `where` is what stands between the brackets of the metric."""
    yield from _rules(w.protocol, where, w)
    yield from _presets(w)
    yield from _sigmas(w, where)
    yield from _points(w)
    yield from _rows(w)


# -- other rules -------------------------------------------------------------------------------------


def _under(**changes: object) -> Callable[[Workings], Workings]:
    return lambda w: w.under(w.protocol.replace(**changes))


def _rules(p: Protocol, where: str, w: Workings) -> Iterator[Change]:
    choices = {"truth_area": TRUTH_AREAS, "ignored": IGNORED, "interpolation": INTERPOLATIONS}
    if np.isnan(w.aligned.pred.keypoints[..., 0]).any():
        choices["absent"] = ABSENT
    for name, words in choices.items():
        for word, meaning in words.items():
            if word != getattr(p, name):
                yield Change(f"{name} = {word!r}", f"{name.replace('_', ' ')}: {meaning}", _under(**{name: word}), name == "truth_area" and tiny_areas(w))
    for most in (1, 10, 20, 100, EVERY):
        if most != p.max_preds:
            said = "all" if most == EVERY else f"the best {most}"
            yield Change(f"max_preds = {'all' if most == EVERY else most}", f"{said} of each image are looked at, not {p.max_preds}", _under(max_preds=most))
    if len(w.aligned.truth.categories) > 1:
        one, each = "categories pooled", "categories apart"
        why = "all categories are made one before matching" if p.per_category else "matched within categories, then averaged"
        yield Change(one if p.per_category else each, why, _under(per_category=not p.per_category))
    for other in PROTOCOLS.values():
        if where in p.levels and where in other.levels and other.levels[where] != p.levels[where]:
            low, high = other.levels[where]
            yield Change(f"{where} as in {other.name}", f"{other.level_column} from {low:g} to {high:g}", _under(levels=other.levels))


_WHOLE = ("truth_area", "ignored", "absent", "max_preds", "per_category", "interpolation", "prediction_area")


def _presets(w: Workings) -> Iterator[Change]:
    """Published rules that differ in several choices at once; those that differ in one are there already."""
    seen = set()
    for other in PROTOCOLS.values():
        differs = {name: getattr(other, name) for name in _WHOLE if getattr(other, name) != getattr(w.protocol, name)}
        key = tuple(sorted(differs.items()))
        if len(differs) > 1 and key not in seen:
            seen.add(key)
            yield Change(f"the rules of {other.name}", ", ".join(f"{name} = {value!r}" for name, value in differs.items()), _under(**differs))


# -- other sigmas ------------------------------------------------------------------------------------


def _with_sigmas(where: str, made: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Workings], Workings]:
    """The problem with other sigmas; wrong ones may be what no protocol would let pass."""

    def apply(w: Workings) -> Workings:
        key = where if where in w.protocol.parts or where == "pooled" else ""
        problem = w.problem(where)
        changed = Workings(w.aligned, w.protocol)
        changed.once(("problem", key), lambda: replace(problem, sigmas=made(problem.sigmas)))
        return changed

    return apply


_TIMES = (
    (10, "written as .26 instead of .026, as pycocotools prints them before it divides by 10"),
    (0.1, "divided by 10 twice"),
    (2, "taken for k = 2 sigma where the formula doubles them again"),
    (0.5, "sigma where the formula means k = 2 sigma: exponent without the factor 2"),
)


def _sigmas(w: Workings, where: str) -> Iterator[Change]:
    for factor, why in _TIMES:
        yield Change(f"sigmas x {factor:g}", why, _with_sigmas(where, partial(np.multiply, factor)))
    schema = w.aligned.truth.schema
    if where in w.protocol.parts:
        return
    for name, why, values in sigma_lists(schema):
        if not np.array_equal(values[None], w.problem(where).sigmas[:1]):
            yield Change(name, why, _with_sigmas(where, partial(_listed, values)))


def _listed(values: NDArray[np.float64], sigmas: NDArray[np.float64]) -> NDArray[np.float64]:
    """The listed values, but nothing for points that a category lacks."""
    lacking = np.isnan(sigmas)
    return np.asarray(np.where(lacking, np.nan, values))


_AP10K_BEFORE = (.025, .025, .026, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089)  # fmt: skip
_ANIMALPOSE_MMPOSE = {
    "left_eye": .025, "right_eye": .025, "left_ear": .026, "right_ear": .035, "nose": .035, "throat": .1, "tailbase": .1, "withers": .1,
    **{f"{s}_{leg}_{part}": v for part, v in (("elbow", .107), ("knee", .087), ("paw", .089)) for leg in ("front", "back") for s in ("left", "right")},
}  # fmt: skip


def sigma_lists(schema: Schema) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """(name, why, sigmas in the schema's order) of lists in use for a schema."""
    name = schema.name.removesuffix("_062")
    if name == "ap10k17":
        yield "AP-10K's sigmas before 2021-12-02", "in COCO's interleaved order until AlexTheBad/AP-10K@417e1d6", np.array(_AP10K_BEFORE)
    if name == "animalpose20":
        yield "mmpose's sigmas of Animal-Pose", "its list is shifted by one at ears and nose", np.array([_ANIMALPOSE_MMPOSE[n] for n in schema.names])
    if len(schema) == len(COCO17) and name != "coco17":
        yield "COCO's sigmas by place", "the default of tools that know 17 points as COCO's", COCO17.sigmas
    for other in (name, f"{name}_062"):
        if other in SCHEMAS and other != schema.name:
            yield f"the sigmas of {other}", SCHEMAS[other].source, SCHEMAS[other].sigmas
    if len(schema):
        yield "sigma 1/K for every point", "the default of ultralytics where the points are not COCO's", np.full(len(schema), 1 / len(schema))


# -- predictions put right ---------------------------------------------------------------------------


def _with(change: Callable[[Workings], Predictions]) -> Callable[[Workings], Workings]:
    return lambda w: w.on(replace(w.aligned, pred=change(w)))


def _undone(d: Distortion) -> Callable[[Workings], Workings]:
    def change(w: Workings) -> Predictions:
        pred, images = w.aligned.pred, w.aligned.truth.images
        sizes = np.stack([images.width, images.height], 1)[w.aligned.image].astype(float)
        return replace(pred, keypoints=d.undo(pred.keypoints, sizes))

    return _with(change)


def _points(w: Workings) -> Iterator[Change]:
    look = sight(w)
    if not len(look):
        return
    before, known = look.similarity(), bool((look.sizes > 0).all())
    for d in distortions(look):
        if known or not d.needs_sizes:
            after = look.similarity(d.undo(look.points, look.sizes))
            yield Change(d.name, f"mean similarity of what fits best goes from {before:.2f} to {after:.2f} when that is undone", _undone(d), True)
    for step, why in ((0.5, "pixel centres counted from edges"), (1.0, "pixels counted from 1")):
        for sign in (1, -1):
            shift = np.array((sign * step, sign * step, 0))
            name = f"points are {step:g} px too {'small' if sign > 0 else 'large'}"
            yield Change(name, why, _undone(Distortion(name, "shifted", partial(_shifted, shift))), True)


def _shifted(shift: NDArray[np.float64], points: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return points + shift


def _rows(w: Workings) -> Iterator[Change]:
    pred = w.aligned.pred
    if not len(pred):
        return
    yield Change("scores negated", "lower is better in the file", _with(lambda w: replace(w.aligned.pred, score=-w.aligned.pred.score)), True)
    confidence = pred.keypoints[..., 2]
    if confidence.min() != confidence.max():
        yield from _rescored(pred)
    if same_poses(pred, w.aligned.image).any():
        yield Change("repeated poses dropped", "the same pose stands more than once on its image", _without_repeats, True)
    yield Change("oks_nms(0.9)", "mmpose drops what is more similar than .9 to something better before it scores", _thinned)
    yield from _image_steps(w)


def _rescored(pred: Predictions) -> Iterator[Change]:
    no_score = bool(pred.score.min() == pred.score.max())
    for mode in ("box x keypoints", "keypoints"):
        if no_score or pred.header.get("score") in (None, "box"):
            what = f"all {len(pred):,} scores are {pred.score[0]:g}; {RESCORES[mode][0]}" if no_score else RESCORES[mode][0]
            yield Change(f"score = {mode}", what, _with(partial(_scored_by, mode)), no_score)


def _scored_by(mode: str, w: Workings) -> Predictions:
    return rescore(w.aligned.pred, mode=mode)


def _without_repeats(w: Workings) -> Workings:
    return kept(w, ~same_poses(w.aligned.pred, w.aligned.image))


def _thinned(w: Workings) -> Workings:
    numbered = replace(w.aligned.pred, row=np.arange(len(w.aligned.pred)))
    left = np.zeros(len(numbered), bool)
    left[oks_nms(numbered).row] = True
    return kept(w, left)


def _image_steps(w: Workings) -> Iterator[Change]:
    for step in image_steps(w):
        yield Change(f"image ids {step:+d}", "images counted from 0 in one file and from 1 in the other", partial(stepped, step), True)


def numbers_of_metric(metric: str, others: Sequence[str] = ("AP@0.50", "AP@0.75", "AR")) -> Iterator[Change]:
    """Other numbers of the same table, which a reader may have taken for this one."""
    if metric == "AP":
        for other in others:
            yield Change(f"the number is {other}", "another line of the same table", lambda w: w, metric=other)
