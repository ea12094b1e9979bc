"""Semantics: counts, flags and crowds against the points; poses against the set's own statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .findings import Hits, Rule, hits
from .shape import far_limbs, mixed_sides, odd_angles
from .subject import Batch, Subject

__all__ = ["SEMANTICS", "pose_keys"]


def num_keypoints(s: Subject) -> Hits:
    """Rows whose recorded count is another; where all would agree on the first so many points, that is said."""
    recorded, counted = s.ds.instances.recorded, s.labelled_counts
    rows = np.flatnonzero((recorded > 0) & (recorded != counted))
    return hits(rows, recorded[rows], counted[rows], np.array([_count_of_first(s, rows)] * len(rows) + [None], object)[:-1])


def _count_of_first(s: Subject, rows: NDArray[np.intp]) -> str:
    if not len(rows):
        return ""
    some = rows[:: max(1, len(rows) // 10_000)]
    upto = s.ds.instances.labelled[some].cumsum(1)
    agree = (upto == s.ds.instances.recorded[some, None]).all(0)
    return f", as are among the first {np.flatnonzero(agree)[-1] + 1}" if agree.any() else ""


def recorded_zero(b: Batch) -> Hits:
    rows = np.flatnonzero((b.ds.instances.recorded[b.rows] == 0) & (b.count > 0))
    return hits(rows, b.count[rows])


def nothing_labelled(s: Subject) -> Hits:
    posed = ~s.ds.instances.crowd & s.ds.instances.annotated.any(1)
    n, silent = int(posed.sum()), int((posed & (s.labelled_counts == 0)).sum())
    some = 0 < silent < n
    return hits(np.zeros(int(some), int), *([[silent], [n]] if some else [[], []]))


def crowd_with_points(b: Batch) -> Hits:
    rows = np.flatnonzero(b.crowd & (b.count > 0))
    return hits(rows, b.count[rows])


def never_seen(s: Subject) -> Hits:
    """Keypoints that are hidden only, where others are seen."""
    hidden, seen = s.flags[1], s.flags[2]
    odd = (hidden >= s.limits["flag_enough"]) & (seen == 0) & (seen.sum() > 0)
    k = np.flatnonzero(odd)
    return hits(np.zeros(len(k), int), hidden[k], keypoint=k)


def one_flag(s: Subject) -> Hits:
    """Sets that use v = 1 alone, or v = 2 alone."""
    hidden, seen = int(s.flags[1].sum()), int(s.flags[2].sum())
    odd = (hidden == 0) != (seen == 0) and hidden + seen >= s.limits["flag_enough"]
    return hits(np.zeros(int(odd), int), *([[2 if seen else 1], [1 if seen else 2]] if odd else [[], []]))


def crowd_index(s: Subject) -> Hits:
    index = s.ds.images.meta.get("crowd_index")
    if index is None or index.dtype == object:
        return hits(np.zeros(0, int), np.zeros(0))
    rows = np.flatnonzero((index < 0) | (index > 1))
    return hits(rows, index[rows])


def pose_keys(s: Subject) -> NDArray[np.int64]:
    """(N,) a number for each pose, equal for equal coordinates: integer sums, which no order of summing changes."""
    keys = [np.zeros(0, np.int64)]
    odd = np.random.default_rng(0).integers(1, 2**62, (len(s.ds.schema), 3)) * 2 + 1
    with np.errstate(over="ignore"):
        keys += [((s.ds.instances.keypoints[b.rows] + 0.0).view(np.int64) * odd).sum((1, 2)) for _, b in s.batches()]
    return np.concatenate(keys)


def same_pose(s: Subject) -> Hits:
    """Poses that stand, number for number, on another image before."""
    own = s.ds.instances
    rows = np.flatnonzero(s.labelled_counts >= s.limits["same_pose"])
    if len(rows) == 0:
        return hits(rows, np.zeros(0, object), np.zeros(0, object))
    keys = pose_keys(s)[rows]
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    origin = rows[first][back]
    again = rows != origin
    rows, origin = rows[again], origin[again]
    alike = (own.keypoints[rows] == own.keypoints[origin]).all((1, 2)) & (own.image[rows] != own.image[origin])
    rows, origin = rows[alike], origin[alike]
    texts = [[str(s.ids("annotations", r)[which]) for r in origin.tolist()] for which in (1, 0)]
    return hits(rows, *(np.array([*t, None], object)[:-1] for t in texts))


def _rule(
    code: str, name: str, severity: str, scope: str, table: str, key: str, find: Any, says: str, observed: str, expected: str, sentence: str, **more: Any
) -> Rule:
    return Rule(code=code, name=name, topic="semantics", severity=severity, scope=scope, table=table, key=key, find=find, says=says, observed=observed, expected=expected,
                sentence=sentence, **more)  # fmt: skip


_NOTES = "annotations"
SEMANTICS = (
    _rule("PD201", "num-keypoints", "warning", "set", _NOTES, "num_keypoints", num_keypoints, "num_keypoints is not the count", "{0}{2}", "{1} points are labelled",
          "Evaluation ignores truths by num_keypoints: a wrong count moves AP. Never mended unasked: published numbers rest on the files as they are.",
          trap="CrowdPose counts the first 12 joints only (issue #16); CMU's feet and COCO-WholeBody count the body; Animal-Pose says 20 always.",
          traps=("crowdpose-count", "cmu-foot", "wholebody", "animal-pose"), fix="recount"),
    _rule("PD202", "recorded-zero", "warning", "rows", _NOTES, "num_keypoints", recorded_zero, "num_keypoints is 0, yet points are labelled", "0", "{0} points are labelled",
          "COCOeval ignores the instance: its points are never scored.", trap="CrowdPose val: 954 instances of which head or neck alone are labelled.",
          traps=("crowdpose-count",), fix="recount"),
    _rule("PD203", "nothing-labelled", "note", "set", "", "", nothing_labelled, "instances without labelled points", "{0:,} of {1:,}", "evaluation ignores them",
          "Boxes without a pose: harmless where ignored, empty targets where a loader forgets to drop them.",
          trap="COCO val2017: 859 of 2,213 people (of a sample); CrowdPose val: 499; Animal-Pose: 43.", traps=("coco", "crowdpose-misc", "animal-pose")),
    _rule("PD204", "crowd-with-points", "warning", "rows", _NOTES, "keypoints", crowd_with_points, "crowd with keypoints", "{0} labelled", "a crowd has none",
          "iscrowd marks a region of many: evaluation ignores it, whoever is annotated there."),
    _rule("PD205", "never-seen", "note", "set", "", "", never_seen, "is never v = 2", "v = 1 {0:,} times", "ask for v > 0",
          "Code that asks for v == 2 finds none of these points.", trap="CrowdPose's head and neck have v = 1 at most (issue #23).", traps=("crowdpose-flags",), thresholds=("flag_enough",)),
    _rule("PD206", "one-flag", "note", "set", "", "", one_flag, "only one flag occurs", "labelled points are always v = {0}", "v = {1} never",
          "Hidden and seen are not told apart: slices by visibility say nothing.", trap="AP-10K stores v = 2 only; CMU's feet 0 and 2; Animal-Pose 0 and 1.",
          traps=("cmu-foot", "animal-pose"), thresholds=("flag_enough",)),
    _rule("PD207", "crowd-index", "note", "set", "images", "crowdIndex", crowd_index, "crowdIndex beyond 0 to 1", "{0:g}", "a share, says the paper",
          "Levels with an upper bound of 1 drop the image.", trap="CrowdPose val: up to 3.02, 96 images above 1 (issue #25).", traps=("crowdpose-index",)),
    _rule("PD208", "same-pose", "warning", "set", _NOTES, "keypoints", same_pose, "the same pose on another image", "that of annotation {0} on image {1}", "two pictures show two poses",
          "Number for number the same points: a picture that stands in the set twice, or a row copied to another image.", thresholds=("same_pose",)),
    _rule("PD209", "mixed-sides", "warning", "set", _NOTES, "keypoints", mixed_sides, "left and right look exchanged", "runs against {0} other pairs", "which it never crosses in this set",
          "A pair of points runs from left to right where pairs that the body holds it together with (hips and shoulders, eyes and ears, ankle and toes; which, the set itself tells) run from right to left. Where two pairs disagree, both are named. Limbs that cross freely have no such pairs, and a body whose every point is exchanged is not found so.",
          thresholds=("sides_rare", "sides_enough", "sides_length", "sides_cosine")),
    _rule("PD210", "far-limb", "warning", "set", _NOTES, "keypoints", far_limbs, "limb impossibly long", "{0:.1f} times its usual length in this pose", "up to {1:.1f} in this set",
          "Compared with the pose's other limbs: one end is on somebody else, or a click went astray. Short limbs are not judged, for perspective shortens.",
          thresholds=("limb_limit", "limb_times", "enough_poses")),
    _rule("PD211", "odd-angle", "note", "set", _NOTES, "keypoints", odd_angles, "angle between limbs far from the set's", "{0:.0f} degrees", "{1:.0f} within {2:.0f} in this set",
          "Only joints that hardly move in this set have a limit.", thresholds=("angle_limit", "angle_rare", "enough_poses")),
)  # fmt: skip
