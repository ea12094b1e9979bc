"""The data before any pixel is read: labels, areas, boxes, and mirror pairs, of train and val."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import SchemaError, first_few
from posedata.schema import Schema, pairs_by_name
from posedata.validation.running import validate

from ..crops import boxes_of, crop_affine, to_crop, usable
from ..recipes import Recipe
from .verdicts import Part, Verdict

__all__ = ["look_at_data"]

Floats = NDArray[np.float64]

USUAL = 0.05
"""Share of the instances from which a likely fault (a warning of the validation) is a verdict; an error is one at once."""
_LEFT_OUT = 0.75
"""Share of the instances that cannot be learned from. Two in five of COCO's people have no labelled point."""
_OUTSIDE = 0.2
"""Share of the labelled points that lie outside their own padded box."""
_PADDING = 1.25
"""Of detectors, whose own padding is that of whole pictures."""
_SELDOM, _ENOUGH = 0.2, 20
"""A point labelled so much more seldom than its mirror image, which has at least so many labels."""
_UNLIKE = 0.18
"""Relative difference of distances that a mirror should keep. Right pairs of rendered animals and people stay below .13, of exchanged ones most lie above .2."""
_POSES = 30
"""Poses from which distances are usual ones."""


def look_at_data(recipe: Recipe, parts: Mapping[str, PoseDataset]) -> Part:
    """Train and val by their columns, and what a mirror makes of them."""
    lines: list[str] = []
    verdicts: list[Verdict] = []
    values: dict[str, Any] = {}
    for name, ds in parts.items():
        values[name], told, found = _look(name, ds, recipe)
        lines += told
        verdicts += found
    schema = parts["train"].schema
    if recipe.flip:
        verdicts += [*_sides(schema), *_distances(parts["train"])]
    if "val" in parts:
        verdicts += _shared(parts["train"], parts["val"])
    values["mirror"] = [list(pair) for pair in schema.pairs or ()]
    return Part("data", tuple(lines), values, tuple(dict.fromkeys(verdicts)))


def _look(name: str, ds: PoseDataset, recipe: Recipe) -> tuple[dict[str, Any], list[str], list[Verdict]]:
    own, learned = ds.instances, usable(ds)
    labels = own.labelled.sum(0)
    v = own.keypoints[..., 2]
    counts: dict[str, int] = dict(zip(ds.schema.names, labels.tolist(), strict=True))
    values = {
        "images": len(ds.images), "instances": len(ds), "learned": len(learned), "labelled": int(labels.sum()),
        "hidden": int((own.labelled & (v == 1)).sum()), "by_point": counts,
    }  # fmt: skip
    few = sorted(counts.items(), key=lambda item: item[1])[:3]
    lines = [
        f"{name}: {ds.name}: {len(learned):,} of {len(ds):,} instances on {len(ds.images):,} images can be learned from",
        f"  {values['labelled']:,} labelled points, {values['hidden']:,} of them hidden; fewest: {', '.join(f'{n} {count:,}' for n, count in few)}",
    ]
    return values, lines, [*_labels(name, ds, len(learned)), *_rules(name, ds), *_boxes(name, ds, recipe, learned)]


# -- labels and areas ------------------------------------------------------------------------------------


def _labels(name: str, ds: PoseDataset, learned: int) -> list[Verdict]:
    """Points nobody labelled, points labelled on one side only, instances that are left out."""
    own, found = ds.instances, []
    labels = own.labelled.sum(0)
    if not labels.sum():
        return [Verdict("data", f"{name} has no labelled point", "is v read from the right place? posedata validate says more")]
    never = [n for n, count, known in zip(ds.schema.names, labels.tolist(), np.any(own.annotated, axis=0).tolist(), strict=True) if known and not count]
    if never and name == "train":
        found.append(Verdict("data", f"{name}: labels missing: never labelled: {first_few(never, 6, ', ')}", "label them, or --set schema=... without them"))
    for left, right in ds.schema.pairs or ():
        counts = {n: int(labels[ds.schema.index(n)]) for n in (left, right)}
        (less, few), (more, many) = sorted(counts.items(), key=lambda item: item[1])
        if 0 < few < _SELDOM * many and many >= _ENOUGH:
            found.append(Verdict("data", f"{name}: labels missing: {less} is labelled {few:,} times, {more} {many:,} times", "was one column lost?"))
    if learned < (1 - _LEFT_OUT) * len(ds):
        seen = f"{name}: {len(ds) - learned:,} of {len(ds):,} instances have no labelled point or no box, or are crowds"
        found.append(Verdict("data", seen, "labels missing? they are left out of training"))
    return found


def _rules(name: str, ds: PoseDataset) -> list[Verdict]:
    """What posedata validate finds: errors at once, warnings where they are usual."""
    found = []
    for f in validate(ds).found:
        usual = f.count >= USUAL * max(len(ds) if f.rule.scope == "rows" else 1, 1)
        if f.rule.severity == "error" or (f.rule.severity == "warning" and usual and f.rule.scope == "rows"):
            seen = f"{name}: {f.count:,} x {f.rule.says} ({f.rule.code})"
            cure = f"posedata validate names them{', and --fix mends them' if f.rule.fix else ''}; docs/validation.md, {f.rule.code}"
            found.append(Verdict("data", seen, cure))
    return found


# -- boxes -----------------------------------------------------------------------------------------------


def _boxes(name: str, ds: PoseDataset, recipe: Recipe, learned: NDArray[np.intp]) -> list[Verdict]:
    """Boxes that lie beside their image, and boxes that do not hold their points."""
    if not len(learned):
        return []
    boxes, image, found = boxes_of(ds)[learned], ds.instances.image[learned], []
    width, height = ds.images.width[image], ds.images.height[image]
    beside = (boxes[:, 0] >= width) | (boxes[:, 1] >= height) | (boxes[:, :2] + boxes[:, 2:] <= 0).any(1)
    beside &= (width > 0) & (height > 0)
    if beside.any():
        seen = f"{name}: {int(beside.sum()):,} boxes lie wholly outside their image (e.g. instance {ds.instances.id[learned][beside][0]})"
        found.append(Verdict("data", seen, "boxes are x, y, width, height in pixels of the image: repair or drop them"))
    points, labelled = ds.instances.keypoints[learned], ds.instances.labelled[learned]
    placed = to_crop(points, crop_affine(boxes, recipe.size, max(recipe.padding, _PADDING)))[..., :2]
    outside = labelled & ((placed < -0.5) | (placed > np.array(recipe.size) - 0.5)).any(-1)
    if outside.sum() > _OUTSIDE * labelled.sum():
        share = outside.sum() / labelled.sum()
        seen = f"{name}: {share:.0%} of the labelled points lie outside their own padded box"
        found.append(Verdict("data", seen, "are boxes x, y, width, height, and points x, y, of the same picture?"))
    return found


# -- mirrors ---------------------------------------------------------------------------------------------


def _sides(schema: Schema) -> list[Verdict]:
    """Mirror pairs that are not those the names say."""
    try:
        named = pairs_by_name(schema.name, schema.names)
    except SchemaError:
        return []  # names with one side only: then pairs were given by hand
    own = {name: schema.names[row] for name, row in zip(schema.names, schema.mirror, strict=True)}
    wrong = [f"{left} goes to {own[left]}, not {right}" for left, right in named if own[left] != right]
    cure = "flips teach the wrong side: correct mirror= in the schema, or leave it out; or --set flip=0"
    return [Verdict("data", f"mirror pairs of {schema.name}: {first_few(wrong, 3, ', ')}", cure)] if wrong else []


def _distances(ds: PoseDataset) -> list[Verdict]:
    """Points whose usual distances from the others are not those of their mirror image."""
    mirror, names = ds.schema.mirror, ds.schema.names
    usual = _usual_distances(ds)
    if usual is None or not len(ds.schema.pairs or ()):
        return []
    turned = usual[np.ix_(mirror, mirror)]
    difference = abs(usual - turned) / np.maximum(np.fmax(usual, turned), 1e-9)
    known = np.isfinite(difference).any(1)
    unlike = np.zeros(len(names))
    unlike[known] = np.nanmedian(difference[known], 1)
    wrong = [names[i] for i in np.flatnonzero(unlike > _UNLIKE) if mirror[i] > i]
    if not wrong:
        return []
    told = ", ".join(f"{n} and {names[mirror[ds.schema.index(n)]]}" for n in wrong[:3])
    return [Verdict("data", f"mirror pairs: {told} lie at other distances from the rest of the body", "are they each other's mirror image? correct mirror=")]


def _usual_distances(ds: PoseDataset) -> Floats | None:
    """(K, K) medians of the distances between points, over each pose's size; NaN where too few have both; None with too few poses."""
    rows = np.flatnonzero(ds.instances.labelled.sum(1) >= 3)[:512]
    if len(rows) < _POSES:
        return None
    xy = np.where(ds.instances.labelled[rows, :, None], ds.instances.keypoints[rows, :, :2], np.nan)
    size = np.nanmax(xy, 1) - np.nanmin(xy, 1)
    apart = np.hypot(*np.moveaxis(xy[:, :, None] - xy[:, None], -1, 0)) / np.maximum(size.max(1), 1e-9)[:, None, None]
    enough = np.isfinite(apart).sum(0) >= _POSES // 2
    return np.where(enough & ~np.eye(len(ds.schema), dtype=bool), np.nanmedian(np.where(enough, apart, 0.0), 0), np.nan)


def _shared(train: PoseDataset, val: PoseDataset) -> list[Verdict]:
    """Pictures that are in both."""
    places = [set(zip(ds.images.folder.tolist(), ds.images.file.tolist(), strict=True)) for ds in (train, val)]
    both = len(places[0] & places[1])
    seen = f"{both:,} of {len(places[1]):,} pictures of val are in train"
    return [Verdict("data", seen, "val then measures memory: split them apart, posedata split")] if both else []
