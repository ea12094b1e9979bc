"""Sets: what stands in them twice, what is rare, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import brief, first_few
from ..similarity import keypoint_similarity
from ..tables import AREA_SHARE
from .findings import Hits, Rule, hits
from .semantics import pose_keys
from .subject import Subject

__all__ = ["SETS"]

_PAIRS = 1 << 18
"""Pairs compared at once."""


def repeated_annotation(s: Subject) -> Hits:
    """Annotations that repeat an earlier one of their image in points, box and category."""
    own = s.ds.instances
    keys = _row_keys(s)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    rows = np.flatnonzero(first[back] != np.arange(len(keys)))
    origin = first[back][rows]
    alike = (own.image[rows] == own.image[origin]) & (own.category[rows] == own.category[origin]) & (own.keypoints[rows] == own.keypoints[origin]).all((1, 2))
    box = (own.bbox[rows] == own.bbox[origin]) | (np.isnan(own.bbox[rows]) & np.isnan(own.bbox[origin]))
    alike &= box.all(1) & (np.isfinite(own.bbox[rows]).all(1) | (s.labelled_counts[rows] > 0))
    rows, origin = rows[alike], origin[alike]
    noted = s.notes.get("repeated-row", [])
    made = hits(rows, np.array([*(str(s.ids("annotations", r)[1]) for r in origin.tolist()), None], object)[:-1])
    if not noted:
        return made
    paths = tuple([s.path("annotations", r) for r in rows.tolist()] + [n.path for n in noted])
    ids = tuple([s.ids("annotations", r) for r in rows.tolist()] + [(n.image, n.annotation) for n in noted])
    texts = np.array([*made.values[0], *(str(n.annotation) for n in noted), None], object)[:-1]
    return Hits(np.arange(len(paths)), None, (texts,), paths, ids)


def _row_keys(s: Subject) -> NDArray[np.int64]:
    own = s.ds.instances
    with np.errstate(over="ignore"):
        box = (np.nan_to_num(own.bbox, nan=-1.0) + 0.0).view(np.int64)
        return pose_keys(s) + own.image * 0x1E3779B97F4A7C15 + (box * np.array([3, 5, 7, 11])).sum(1)


def near_instances(s: Subject) -> Hits:
    """Poses of one image and category that are nearly the same, and not quite."""
    own, found = s.ds.instances, []
    sigmas, area = np.nan_to_num(s.ds.sigmas, nan=np.inf), _scale(s)
    extent = own.extent()
    for a, b in _pairs(s):
        near = _overlap(extent[a], extent[b]) >= 0.5
        a, b = a[near], b[near]
        shared = own.labelled[a] & own.labelled[b]
        n = shared.sum(1)
        similar = keypoint_similarity(own.keypoints[a][..., :2], np.fmin(area[a], area[b]), sigmas[own.category[a]], own.keypoints[b][..., :2])
        oks = (similar * shared).sum(1) / np.maximum(n, 1)
        twice = (oks >= s.limits["near_oks"]) & (n >= s.limits["near_points"]) & ~_equal(s, a, b)
        found.append((a[twice], b[twice], oks[twice]))
    if not found:
        return hits(np.zeros(0, int), [], [])
    earlier, later, alike = (np.concatenate(c) for c in zip(*found, strict=True))
    order = np.argsort(later, kind="stable")
    names = [str(s.ids("annotations", r)[1]) for r in earlier[order].tolist()]
    return hits(later[order], alike[order], np.array([*names, None], object)[:-1])


def _pairs(s: Subject) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of one image and category with points enough, the earlier row first: neighbours at distance 1, 2, ... in the order of images."""
    own = s.ds.instances
    rows = np.flatnonzero((s.labelled_counts >= s.limits["near_points"]) & ~own.crowd)
    place = own.image[rows] * len(s.ds.categories) + own.category[rows]
    order = np.argsort(place, kind="stable")
    rows, place = rows[order], place[order]
    start = np.arange(len(rows))
    for step in range(1, len(rows)):
        start = start[start + step < len(rows)]
        start = start[place[start] == place[start + step]]
        if len(start) == 0:
            return
        for cut in range(0, len(start), _PAIRS):
            part = start[cut : cut + _PAIRS]
            yield rows[part], rows[part + step]


def _scale(s: Subject) -> NDArray[np.float64]:
    """(N,) area, or .53 of the box, or of the extent."""
    own, extent = s.ds.instances, s.ds.instances.extent()
    with np.errstate(invalid="ignore"):
        guess = AREA_SHARE * np.where(np.isfinite(own.bbox[:, 2]), own.bbox[:, 2] * own.bbox[:, 3], extent[:, 2] * extent[:, 3])
        return np.maximum(np.where(own.area > 0, own.area, guess), 1e-9)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shared part of two extents over the larger one; a line has the width of a pixel."""
    size_a, size_b = a[:, 2:] + 1, b[:, 2:] + 1
    shared = np.minimum(a[:, :2] + size_a, b[:, :2] + size_b) - np.maximum(a[:, :2], b[:, :2])
    return np.asarray(np.prod(np.maximum(shared, 0), 1) / np.maximum(np.prod(size_a, 1), np.prod(size_b, 1)))


def _equal(s: Subject, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Pairs that `repeated-annotation` has."""
    own = s.ds.instances
    box = (own.bbox[a] == own.bbox[b]) | (np.isnan(own.bbox[a]) & np.isnan(own.bbox[b]))
    return np.asarray((own.keypoints[a] == own.keypoints[b]).all((1, 2)) & box.all(1))


def repeated_file(s: Subject) -> Hits:
    """Two images of one file name."""
    files = s.ds.images.file
    known = np.flatnonzero(files != "")
    if not len(known):
        return hits(known, np.zeros(0, object))
    first: dict[str, int] = {}
    origin = np.array([first.setdefault(f, i) for i, f in zip(known.tolist(), files[known].tolist(), strict=True)])
    rows = known[origin != known]
    return hits(rows, files[rows])


def _class_counts(s: Subject) -> NDArray[np.int64]:
    return np.bincount(s.ds.instances.category, minlength=len(s.ds.categories))


def _names(s: Subject, rows: NDArray[np.intp]) -> NDArray[np.object_]:
    return np.array([*(brief(s.ds.categories[r].name) for r in rows.tolist()), None], object)[:-1]


def empty_category(s: Subject) -> Hits:
    rows = np.flatnonzero(_class_counts(s) == 0) if len(s.ds) else np.zeros(0, np.intp)
    return hits(rows, _names(s, rows))


def rare_category(s: Subject) -> Hits:
    counts = _class_counts(s)
    rows = (
        np.flatnonzero((counts > 0) & (counts < s.limits["rare_class"])) if len(counts) > 1 and counts.max() >= s.limits["rare_class"] else np.zeros(0, np.intp)
    )
    return hits(rows, _names(s, rows), counts[rows])


def imbalance(s: Subject) -> Hits:
    counts = _class_counts(s)
    known = counts[counts > 0]
    odd = len(known) > 1 and known.max() > s.limits["imbalance"] * known.min()
    if not odd:
        return hits(np.zeros(0, int), *([[]] * 4))
    most, least = (np.flatnonzero(counts == c)[:1] for c in (known.max(), known.min()))
    return hits([0], counts[most], _names(s, most), counts[least], _names(s, least))


def rare_keypoint(s: Subject) -> Hits:
    """Keypoints labelled in few poses; what the source lacks is not its own fault."""
    labelled, known = s.flags[1:].sum(0), s.flags.sum(0)
    rows = np.flatnonzero((known >= s.limits["rare_class"]) & (labelled < s.limits["rare_keypoint"] * known))
    return hits(np.zeros(len(rows), int), labelled[rows], known[rows], keypoint=rows)


def empty_images(s: Subject) -> Hits:
    used = np.zeros(len(s.ds.images), bool)
    used[s.ds.instances.image] = True
    rows = np.flatnonzero(~used)
    if not len(rows) or not len(s.ds):
        return hits(np.zeros(0, int), *([[]] * 3))
    few = first_few([str(s.ids("images", r)[0]) for r in rows[:5].tolist()], between=", ")
    return hits([0], [len(rows)], [len(used)], np.array([few], object))


def no_labels(s: Subject) -> Hits:
    odd = len(s.ds) > 0 and not s.labelled_counts.any()
    return hits(np.zeros(int(odd), int), *([[len(s.ds)]] if odd else [[]]))


def published_count(s: Subject) -> Hits:
    if s.counts is None or s.counts == (len(s.ds.images), len(s.ds)):
        return hits(np.zeros(0, int), *([[]] * 4))
    return hits([0], [len(s.ds.images)], [len(s.ds)], [s.counts[0]], [s.counts[1]])


def _rule(code: str, name: str, severity: str, table: str, key: str, find: Any, says: str, observed: str, expected: str, sentence: str, **more: Any) -> Rule:
    return Rule(code=code, name=name, topic="sets", severity=severity, scope="set", table=table, key=key, find=find, says=says, observed=observed, expected=expected,
                sentence=sentence, **more)  # fmt: skip


SETS = (
    _rule("PD401", "repeated-annotation", "error", "annotations", "", repeated_annotation, "annotation that stands twice", "that of annotation {0} again", "each body once",
          "The same points, box and category on the same image: one of two predictions is always a miss.", fix="once"),
    _rule("PD402", "near-instances", "warning", "annotations", "keypoints", near_instances, "nearly the pose of another", "OKS {0:.3f} with annotation {1}", "one body, one pose",
          "Two poses of one image and category that lie on each other: annotated twice, or imported twice with rounding.", thresholds=("near_oks", "near_points")),
    _rule("PD403", "repeated-file", "warning", "images", "file_name", repeated_file, "file name of another image", "{0!r}", "each picture once",
          "Two images share one picture: what is on it is spread over two ids, and splits may part them."),
    _rule("PD404", "empty-category", "note", "categories", "", empty_category, "category without instances", "{0}", "scores skip it",
          "A mean over categories is over fewer than the file names.", trap="AP-10K names 54 species; arctic fox, for one, has no instance, and mmpose's page counts 50.", traps=("ap10k-counts",)),
    _rule("PD405", "rare-category", "note", "categories", "", rare_category, "category with few instances", "{0}: {1}", "is it there by mistake?",
          "A handful of instances cannot be scored, yet weighs as much as any other in a mean over categories, as AP-10K's is.",
          trap="Animal Kingdom's file of mammals holds 7 birds; AP-10K's AP is a mean over its species.", traps=("animal-kingdom", "ap10k-mean"), thresholds=("rare_class",)),
    _rule("PD406", "imbalance", "note", "", "", imbalance, "classes of very different size", "{0:,} of {1}, {2:,} of {3}", "a mean over categories and one over instances differ",
          "Say which mean a number is.", trap="AP-10K.", traps=("ap10k-mean",), thresholds=("imbalance",)),
    _rule("PD407", "rare-keypoint", "note", "", "", rare_keypoint, "is hardly ever labelled", "in {0:,} of {1:,} poses", "its scores are noise",
          "It is hardly learnt.", trap="PoseTrack18's ears are never labelled.", thresholds=("rare_keypoint", "rare_class")),
    _rule("PD408", "empty-images", "note", "", "", empty_images, "images without annotations", "{0:,} of {1:,}: {2}, ...", "nobody there, or nobody looked",
          "True negatives for detectors; a loader that joins images and annotations one to one drops or misplaces them.",
          trap="COCO subsets; Animal Kingdom's reptile test lists 9; DeepLabCut folders hold frames nobody labelled.", traps=("coco-subsets", "animal-kingdom", "dlc-csv")),
    _rule("PD409", "no-labels", "note", "", "", no_labels, "no labelled points at all", "{0:,} instances", "fit for prediction, not for scoring",
          "A test file whose labels are kept back.", trap="The HKU cats' test_info.json (jin-s13/COMP7606).", traps=("hku-cats",)),
    _rule("PD410", "published-count", "warning", "", "", published_count, "counts differ from the published", "{0:,} images, {1:,} instances", "{2:,} and {3:,}",
          "Another version of the files, or a part of them.", trap="The HKU cats' val is documented with 128 images and holds 124, with 132 cats; the data were replaced once (jin-s13/COMP7606@708af90).",
          traps=("hku-cats", "ap10k-counts")),
)  # fmt: skip
