"""Each truth beside its prediction: the one that found it, or the one made for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
from posebench.align import align
from posebench.distances import PCK_RULES, pck
from posebench.match import match, pairs_of
from posebench.pairing import MATCHED_AT, Paired, given, matched
from posebench.problem import prepare
from posebench.protocol import Part
from posebench.protocols import COCO
from posedata import DataError, PoseDataset, Predictions, Schema, read_coco, read_predictions

from .reference_pck import slow_pck

POINTS = Schema.from_dict({"name": "made", "keypoints": ["head", "body", "tail"], "sigmas": 0.05})
POSE = np.array([(10, 10, 2), (20, 10, 1), (30, 20, 2)], float)


def truth(shifts: Any = (0, 50, 0), image: Any = (1, 1, 2), **columns: Any) -> PoseDataset:
    """Poses shifted to the right."""
    keypoints = np.stack([POSE + np.array([s, 0, 0]) for s in shifts])
    boxes = np.stack([(5 + s, 5, 30, 20) for s in shifts]).astype(float)
    ids = {"id": np.arange(1, 6), "file": [f"{i}.png" for i in range(1, 6)], "width": np.full(5, 640), "height": np.full(5, 480)}
    n = len(shifts)
    return PoseDataset.from_arrays(
        schema=POINTS, name="made", image=image, keypoints=columns.pop("keypoints", keypoints), images=ids, bbox=boxes, area=np.full(n, 600.0), **columns
    )


def preds(shifts: Any, image: Any, **columns: Any) -> Predictions:
    keypoints = np.stack([POSE + np.array([s, 0, 0]) for s in shifts]) if len(shifts) else np.zeros((0, 3, 3))
    keypoints[..., 2] = 1
    return Predictions.from_arrays(schema=POINTS, image=image, keypoints=keypoints, score=columns.pop("score", np.linspace(1, 0.5, len(shifts))), **columns)


def matches_of(ds: PoseDataset, pred: Predictions, part: Part | None = None) -> Paired:
    problem = prepare(align(ds, pred), COCO, part)
    return matched(problem, match(problem, pairs_of(problem), [MATCHED_AT]))


def rows(pairs: Paired) -> dict[int, int]:
    return dict(zip(pairs.truth_row.tolist(), pairs.pred_row.tolist(), strict=True))


# -- matched -----------------------------------------------------------------------------------------


def test_a_truth_stands_beside_the_prediction_that_found_it() -> None:
    pairs = matches_of(truth(), preds([51, 1], [1, 1]))
    assert rows(pairs) == {0: 1, 1: 0, 2: -1}
    assert pairs.found.tolist() == [True, True, False]
    assert pairs.pred[0, :, 0].tolist() == [11, 21, 31] and np.isnan(pairs.pred[2]).all()
    assert pairs.absent.tolist() == [[False] * 3] * 2 + [[True] * 3]
    assert (pairs.pairing, pairs.schema, pairs.names) == ("matched", "made", ("head", "body", "tail"))
    assert pairs.size.tolist() == [[640, 480]] * 3
    assert pck(pairs).value == pytest.approx(6 / 9)


def test_a_truth_that_does_not_count_is_left_out() -> None:
    unlabelled = np.stack([POSE, POSE * (1, 1, 0), POSE])
    pairs = matches_of(truth((0, 0, 0), (1, 2, 3), keypoints=unlabelled, crowd=[True, False, False]), preds([0, 0, 0], [1, 2, 3]))
    assert rows(pairs) == {2: 2}


def test_points_with_a_confidence_of_zero_are_absent_where_it_is_a_probability() -> None:
    keypoints = POSE[None].copy()
    keypoints[..., 2] = [0, 0.5, 0.5]
    for kind, absent in (("probability", [True, False, False]), ("confidence", [False] * 3)):
        pred = Predictions.from_arrays(schema=POINTS, image=[1], keypoints=keypoints, score=[1], header={"keypoint_score": kind})
        assert matches_of(truth((0,), (1,)), pred).absent.tolist() == [absent]


def test_absent_points_stay_absent_where_the_protocol_reads_them_at_the_origin() -> None:
    keypoints = POSE[None].copy()
    keypoints[0, 2] = np.nan, np.nan, 0
    pairs = matches_of(truth((0,), (1,)), Predictions.from_arrays(schema=POINTS, image=[1], keypoints=keypoints, score=[1]))
    assert pairs.found.all() and pairs.absent.tolist() == [[False, False, True]] and np.isnan(pairs.pred[0, 2, 0])


def test_a_part_has_the_points_of_the_part() -> None:
    pairs = matches_of(truth((0,), (1,)), preds([0], [1]), Part(points=("tail", "head")))
    assert pairs.names == ("tail", "head") and pairs.points[0, :, 0].tolist() == [30, 10] and pairs.pred[0, :, 0].tolist() == [30, 10]


def test_matching_at_several_thresholds_is_refused() -> None:
    problem = prepare(align(truth(), preds([0], [1])), COCO)
    with pytest.raises(DataError, match=r"^matched pairs: matches at 2 thresholds; match at one: \[0.1\]$"):
        matched(problem, match(problem, pairs_of(problem), [0.1, 0.5]))


@pytest.mark.parametrize("name", ["coco_1", "coco_4"])
def test_pairs_of_real_files_agree_with_the_slow_twin(name: str, real: Path) -> None:
    pairs = matches_of(read_coco(real / name / "gt.json"), read_predictions(real / name / "preds.json", "coco17"))
    assert pairs.found.any() and len(pairs) > 10
    for rule in PCK_RULES.values():
        if rule.norm != "head":
            mine = rule.replace(pairing="matched")
            assert pck(pairs, mine, rule.thresholds[-1]) == pytest.approx(slow_pck(pairs, mine, rule.thresholds[-1])), rule


def test_pooled_pairs_do_not_look_at_categories() -> None:
    ds = truth((0, 50), (1, 1), category=["cat", "dog"])
    ev = posebench.evaluate(ds, preds([51, 1], [1, 1], category=[1, 1]))  # both said to be cats
    assert ev.measured("EPE") == (1.0, 3) and ev.measured("EPE[pooled]") == (1.0, 6)
    assert ev["PCK@0.2"] == 0.5 and ev["PCK@0.2[pooled]"] == 1


# -- given -------------------------------------------------------------------------------------------


def test_a_prediction_goes_to_the_truth_it_names_however_far_it_is() -> None:
    pairs = given(align(truth(), preds([300, 0], [1, 1], truth=[2, 1])))
    assert rows(pairs) == {0: 1, 1: 0, 2: -1}
    assert pairs.pairing == "given" and pck(pairs, PCK_RULES["cub"]).value == pytest.approx(3 / 9)


def test_text_ids_do_as_well() -> None:
    ds = truth(id=["a", "b", "c"])
    assert rows(given(align(ds, preds([0], [2], truth=["c"])))) == {0: -1, 1: -1, 2: 0}
    assert rows(given(align(ds.where(id="c"), preds([0], [2], truth=[""])))) == {0: 0}


def test_without_ids_the_only_prediction_goes_to_the_only_truth() -> None:
    pairs = given(align(truth((0, 0, 0), (3, 1, 2)), preds([9, 8], [1, 3])))
    assert rows(pairs) == {0: 1, 1: 0, 2: -1}


def test_an_image_without_predictions_may_have_many_truths() -> None:
    assert rows(given(align(truth(), preds([0], [2])))) == {0: -1, 1: -1, 2: 0}
    assert rows(given(align(truth(), preds([], [])))) == {0: -1, 1: -1, 2: -1}


def test_what_was_made_for_a_truth_that_does_not_count_leaves_with_it() -> None:
    unlabelled = np.stack([POSE, POSE * (1, 1, 0), POSE])
    ds = truth((0, 0, 0), (1, 2, 3), keypoints=unlabelled, crowd=[True, False, False])
    assert rows(given(align(ds, preds([0, 0, 0], [1, 2, 3])))) == {2: 2}
    assert rows(given(align(ds, preds([0, 0, 0], [1, 2, 3], truth=[1, 2, 3])))) == {2: 2}


CURE = "give truth ids (truth_id in the file, truth= in Python), or choose the matched variant"
REFUSED = {
    "two truths": (preds([0], [1]), f"given pairs: image 1 has 2 truths and 1 prediction, and no prediction names its truth; {CURE}"),
    "two predictions": (preds([0, 0], [2, 2]), f"given pairs: image 2 has 1 truth and 2 predictions, and no prediction names its truth; {CURE}"),
    "no truth": (preds([0], [4]), f"given pairs: image 4 has 0 truths and 1 prediction, and no prediction names its truth; {CURE}"),
    "some ids": (
        preds([0, 0], [1, 2], truth=[1, -1]),
        "predictions $[1].truth_id: 1 of 2 predictions have no truth id; give one to each, or choose the matched variant",
    ),
    "unknown id": (
        preds([0, 0], [1, 2], truth=[1, 7]),
        "predictions $[1].truth_id: no truth has the id 7; ids are those of the annotations: predictions of another file?",
    ),
    "text id": (
        preds([0], [1], truth=["1"]),
        "predictions $[0].truth_id: no truth has the id 1; ids are those of the annotations: predictions of another file?",
    ),
    "other image": (
        preds([0], [2], truth=[1]),
        "predictions $[0].truth_id: truth 1 is in another image than the prediction; correct truth_id or image_id",
    ),
    "twice": (
        preds([0, 0, 0], [2, 1, 1], truth=[3, 2, 2]),
        "predictions $[1].truth_id: two predictions for truth 2; keep one of them, or choose the matched variant",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_pairing_that_is_not_clear_is_refused(case: str) -> None:
    pred, text = REFUSED[case]
    with pytest.raises(DataError) as caught:
        given(align(truth(), pred))
    assert str(caught.value) == text


# -- slices ------------------------------------------------------------------------------------------


def test_slices_keep_truths_and_points_and_norms_see_all_points() -> None:
    pairs = given(align(truth(), preds([4, 50], [1, 1], truth=[1, 2])))
    assert pairs.take(np.array([1, 0])).truth_row.tolist() == [1, 0] and len(pairs.take(pairs.found)) == 2
    rule = PCK_RULES["cub"].replace(norm="labelled diagonal")
    hidden = pairs.where(pairs.points[..., 2] == 1)
    assert pck(hidden, rule, 0.2) == (2 / 3, 3)  # of a diagonal of 22.4 around all three points
    assert pck(pairs.only(np.array([0])).where(pairs.points[..., 2] == 1), rule).n == 0


# -- head boxes --------------------------------------------------------------------------------------


def coco_file(folder: Path, extra: list[dict[str, Any]]) -> PoseDataset:
    """One annotation for each set of extra keys."""
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "keypoints": POSE.astype(int).ravel().tolist(), "num_keypoints": 3, "bbox": [5, 5, 30, 20], "area": 600, "iscrowd": 0, **own}
        for i, own in enumerate(extra, 1)
    ]  # fmt: skip
    images = [{"id": i, "file_name": f"{i}.png", "width": 64, "height": 48} for i in range(1, len(extra) + 1)]
    categories = [{"id": 1, "name": "fish", "keypoints": list(POINTS.names), "skeleton": []}]
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return read_coco(path, schema=POINTS)


def test_head_boxes_are_read_from_the_keys_files_have(tmp_path: Path) -> None:
    ds = coco_file(tmp_path, [{"bbox_head": [1, 1, 30, 40]}, {"head_box": [0, 0, 3, 4]}, {"headbox": [10, 10, 16, 18]}, {"headbox": [[0, 0], [3, 4]]}, {}])
    pairs = given(align(ds, preds([0], [1])))
    assert pairs.head_size[:4] == pytest.approx([30, 3, 6, 3]) and np.isnan(pairs.head_size[4])


def test_a_head_size_is_taken_as_it_is(tmp_path: Path) -> None:
    ds = coco_file(tmp_path, [{"head_size": 12.5}, {"head_size": 7.5}])
    assert given(align(ds, preds([0], [1]))).head_size.tolist() == [12.5, 7.5]


@pytest.mark.parametrize("value", ["wide", [1, 2, 3], [1, 2, "3", 4], [], [[1, 2], 3]])
def test_a_head_box_that_is_none_is_refused(tmp_path: Path, value: Any) -> None:
    ds = coco_file(tmp_path, [{"bbox_head": value}, {"bbox_head": [0, 0, 1, 1]}])
    with pytest.raises(DataError, match=r"^instance 1\.bbox_head: .*; x, y, width, height \(PoseTrack18\)$"):
        given(align(ds, preds([0], [1])))
