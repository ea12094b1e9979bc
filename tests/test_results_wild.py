"""Results as other programs write them: each row is read with its number, or refused in one line that says the way out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posedata import Category, FormatError, PoseError, Predictions, Schema, read_coco, read_predictions
from posedata.formats import records
from posedata.formats.results import parse_results

K4 = Schema.from_dict({"name": "k4", "keypoints": ["a", "b", "c", "d"], "sigmas": 0.1})
K3 = Schema.from_dict({"name": "k3", "keypoints": ["a", "b", "c"], "sigmas": 0.1})
FLAT = [1.5, 2.0, 0.9, 3.0, 4.0, 0.8, 5.0, 6.0, 0.7, 7.0, 8.0, 0.6]
NESTED = [FLAT[i : i + 3] for i in range(0, 12, 3)]
XY = [[x, y] for x, y, _ in NESTED]
ONES = [[x, y, 1] for x, y, _ in NESTED]

Rows = list[dict[str, Any]]


def row(image: Any = 1, **changes: Any) -> dict[str, Any]:
    """A record as pycocotools' loadRes wants it."""
    return {"image_id": image, "category_id": 1, "keypoints": FLAT, "score": 0.5, **changes}


def read(value: Any, schema: Schema = K4, categories: Sequence[Category] | None = None) -> Predictions:
    return parse_results(value if isinstance(value, bytes) else json.dumps(value).encode(), schema, "r.json", categories)


def refused(value: Any, schema: Schema = K4, categories: Sequence[Category] | None = None) -> str:
    with pytest.raises(PoseError) as caught:
        read(value, schema, categories)
    return str(caught.value)


# -- forms -------------------------------------------------------------------------------------------

FORMS: dict[str, tuple[Rows, dict[str, Any]]] = {
    # mmpose CocoMetric.results2json: sorted keys
    "mmpose": ([row(), row(2)], {"image": [1, 2], "score": [0.5, 0.5], "category": [1, 1]}),
    # mmpose CocoWholebodyMetric.results2json: the body, and each part under a key of its own
    "mmpose wholebody": ([row(foot_kpts=[1, 2, 3] * 6, face_kpts=[])], {"keypoints": [NESTED]}),
    # detectron2 instances_to_json; an RLE where masks are predicted too
    "detectron2": ([row(bbox=[1, 2, 3, 4], segmentation={"size": [4, 4], "counts": "04"})], {"bbox": [[1, 2, 3, 4]], "keypoints": [NESTED]}),
    # torchvision references CocoEvaluator.prepare_for_coco_keypoint: the third number is a constant 1
    "torchvision": ([row(keypoints=[v for p in ONES for v in p])], {"keypoints": [ONES]}),
    # ultralytics PoseValidator.pred_to_json: image_id is the stem where that is no number; newer ones add file_name
    "ultralytics": ([row("a", file_name="a.jpg", bbox=[1, 2, 3, 4])], {"image": ["a"], "keypoints": [NESTED]}),
    # ... with kpt_shape [K, 2] it writes x, y only; four times two is not three times anything
    "ultralytics without visibility": ([row(keypoints=[v for p in XY for v in p]), row(2, keypoints=[v for p in XY for v in p])], {"keypoints": [ONES, ONES]}),
    # openpifpaf metric/coco.py: a made-up pose for images without any
    "openpifpaf": ([row(), row(2, keypoints=[0.0] * 12, score=0.001)], {"score": [0.5, 0.001], "keypoints": [NESTED, [[np.nan, np.nan, 0]] * 4]}),
    # AlphaPose write_json: file names, scores above 1, box instead of bbox, idx of the tracker
    "alphapose": ([row("000000000139.jpg", score=2.93, box=[1.0, 2.0, 3.0, 4.0], idx=[0.0])], {"image": ["000000000139.jpg"], "score": [2.93], "bbox": [[np.nan] * 4]}),
    "a logit for confidence": ([row(keypoints=[1, 2, -3.5, *FLAT[3:]])], {"keypoints": [[[1, 2, -3.5], *NESTED[1:]]]}),
    "whole numbers": ([row(keypoints=[1, 2, 1] * 4, score=1)], {"keypoints": [[[1, 2, 1]] * 4], "score": [1]}),
    "no category": ([{k: v for k, v in row().items() if k != "category_id"}], {"category": [1]}),
    "text categories": ([row(category_id="1")], {"category": ["1"]}),
    "a box in some records": ([row(), row(2, bbox=[1, 2, 3, 4]), row(3)], {"bbox": [[np.nan] * 4, [1, 2, 3, 4], [np.nan] * 4]}),
    "point by point": ([row(keypoints=NESTED)], {"keypoints": [NESTED]}),
    "point by point without confidence": ([row(keypoints=XY), row(2, keypoints=XY)], {"keypoints": [ONES, ONES]}),
    "flat and point by point": ([row(), row(2, keypoints=NESTED), row(3, keypoints=XY)], {"keypoints": [NESTED, NESTED, ONES]}),
    "1.0 is a whole number": ([row(1.0, category_id=2.0)], {"image": [1], "category": [2]}),
    "x and y 0 with a confidence": ([row(keypoints=[0, 0, 0.5, *FLAT[3:]])], {"keypoints": [[[0, 0, 0.5], *NESTED[1:]]]}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_these_columns_and_keeps_the_rest(form: str) -> None:
    rows, columns = FORMS[form]
    found = read(rows)
    for name, values in columns.items():
        np.testing.assert_array_equal(found.columns()[name], np.array(values, object if isinstance(values[0], str) else None), name)
        assert (found.columns()[name].dtype == object) == isinstance(values[0], str)
    for original, written in zip(rows, json.loads(found.to_json()), strict=True):
        assert all(written[k] == v for k, v in original.items() if k not in ("keypoints", "category_id"))


def test_further_numbers_of_every_record_are_columns_and_the_rest_is_kept() -> None:
    extra = {"area": 3, "id": 7, "foot_score": 0.25, "center": [1.5, 2], "scale": {"w": [1, {}]}, "name": "ж", "ok": True}
    found = read([row(**extra), row(2, **{**extra, "foot_score": None})])
    assert {k: v.tolist() for k, v in found.meta.items() if k != "foot_score"} == {"area": [3, 3], "id": [7, 7]}
    np.testing.assert_array_equal(found.meta["foot_score"], [0.25, np.nan])
    assert [json.loads(text) for text in found.rest.rows()] == [{k: extra[k] for k in ("center", "scale", "name", "ok")}] * 2


@pytest.mark.parametrize("key", ["annotations", "predictions", "results"])
def test_a_wrapped_list_is_read_also_when_it_is_empty(key: str) -> None:
    assert read({"info": {}, key: [row()]}).keypoints.tolist() == [NESTED]
    assert len(read({key: []})) == len(read([])) == len(read(b" [ ] \n")) == 0
    with pytest.raises(FormatError, match=r"^r.json: no header says which schema its keypoints follow; give schema= \(or --schema\); known: "):
        parse_results(json.dumps({key: []}).encode(), where="r.json")


def test_gzip_is_unpacked_under_any_name(tmp_path: Path) -> None:
    data = gzip.compress(json.dumps([row()]).encode())
    for name in ("r.json.gz", "r.json"):
        (tmp_path / name).write_bytes(data)
        assert read_predictions(tmp_path / name, K4).keypoints.tolist() == [NESTED]
    (tmp_path / "cut.json.gz").write_bytes(data[:-9])
    with pytest.raises(FormatError, match=r"cut.json.gz: not a whole gzip file \(.*\); copy or pack it again"):
        read_predictions(tmp_path / "cut.json.gz", K4)


def test_several_files_of_several_kinds_are_one_set(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([row(), row(2)]))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps({"results": [row(3)]}).encode()))
    np.savez(tmp_path / "c.npz", image_id=[4], keypoints=[NESTED], scores=[0.25])
    found = read_predictions([tmp_path / n for n in ("a.json", "b.json.gz", "c.npz")], K4)
    assert (found.image.tolist(), found.score.tolist(), found.row.tolist()) == ([1, 2, 3, 4], [0.5, 0.5, 0.5, 0.25], [0, 1, 2, 3])


# -- refused -----------------------------------------------------------------------------------------

OPEN = {"a.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": [1] * 54}]}}
CMU = {"a.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": [1] * 54}]}}
PEOPLE = "r.json: people without scores, image by image, as OpenPose writes them; a results file is a list of records; AlphaPose writes one without --format"

REFUSED: dict[str, tuple[Any, str]] = {
    "AlphaPose --format open": (OPEN, PEOPLE),
    "AlphaPose --format cmu": (CMU, PEOPLE),
    "OpenPose --write_json": ({"version": 1.3, "people": []}, PEOPLE),
    "records by image": ({"a.jpg": [row()]}, "r.json: no list of results among 'a.jpg'; results are a list of records"),
    "openpifpaf predict": ([{k: v for k, v in row().items() if k != "image_id"}], "r.json $[0].image_id: missing; every entry has 'image_id'"),
    "ultralytics to_json": (
        [row(keypoints={"x": [1], "y": [2]})],
        'r.json $[0].keypoints: {"x": [1], "y": [2]} where a list of numbers is needed',
    ),
    "no score": ([{k: v for k, v in row().items() if k != "score"}], "r.json $[0].score: missing; every record has a score"),
    "score as text": ([row(score="0.5")], 'r.json $[0].score: "0.5" where a number is needed'),
    "keypoints as text": ([row(keypoints="1 2 1")], 'r.json $[0].keypoints: "1 2 1" where a list of numbers is needed'),
    "text in keypoints": (
        [row(keypoints=[*FLAT[:-1], "1"])],
        'r.json $[0].keypoints: [1.5, 2.0, 0.9, 3.0, 4.0, 0.8, 5.0, 6.0, 0.7, 7.0, 8.0, "1"] holds "1" where a number is needed',
    ),
    "numbers and text ids": ([row(), row("2")], "r.json $[1].image_id: id '2', where the first is 1; ids of one table are all whole numbers or all text"),
    "numbers and text categories": (
        [row(), row(2, category_id="1")],
        "r.json $[1].category_id: id '1', where the first is 1; ids of one table are all whole numbers or all text",
    ),
    "half an id": ([row(1.5)], "r.json $[0].image_id: 1.5 where a whole number is needed"),
    "category in some records": (
        [row(), {k: v for k, v in row(2).items() if k != "category_id"}],
        "r.json $[1].category_id: missing; every entry has 'category_id'",
    ),
    "a null box": ([row(), row(bbox=None)], "r.json $[1].bbox: null where a list of numbers is needed"),
    "corners": ([row(bbox=[[1, 2], [3, 4]])], "r.json $[0].bbox: [[1, 2], [3, 4]] holds [1,2] where a number is needed"),
    "x, y beside x, y, score": ([row(), row(2, keypoints=[v for p in XY for v in p])], "r.json $[1].keypoints: 8 numbers where 12 are needed; without scores, write [[x, y], [x, y], ...]"),
    "points of four": ([row(keypoints=[[1, 2, 3, 4]] * 4)], "r.json $[0].keypoints: point 0 is [1.0, 2.0, 3.0, 4.0]; each is [x, y, score], or each [x, y]; or all numbers stand in one list"),
    "points of two kinds": ([row(keypoints=[[1, 2, 3], [1, 2], [1, 2, 3], [1, 2, 3]])], "r.json $[0].keypoints: point 1 is [1.0, 2.0]; each is [x, y, score], or each [x, y]; or all numbers stand in one list"),
    "null in a point": (
        [row(keypoints=[[1, None, 1]] * 4)],
        "r.json $[0].keypoints: [[1, null, 1], [1, null, 1], [1, null, 1], [1, null, 1]] holds null where a number is needed",
    ),
    "a record that is none": ([row(), 5], "r.json $[1]: a whole number where an object is needed; see docs/formats.md for the form"),
    "two faults": (
        [row(score=None), row(keypoints=FLAT[:3])],
        "r.json: 2 faults: $[0].score: null where a number is needed; $[1].keypoints: 3 numbers where 12 are needed",
    ),
    "NaN": (b'[{"image_id": 1, "keypoints": [1, NaN], "score": 1}]', "r.json $[0].keypoints[1] is NaN: 1 values that are NaN or infinite; JSON has no such numbers; an unlabelled point is 0, 0, 0"),
    "out of range": ([row(keypoints=[2.0**53, *FLAT[1:]])], "r.json $[0].keypoints: 9.0072e+15 is out of range; numbers stay below 2**53, where floats are exact"),
    "nothing but a number": (5, "r.json $: a whole number where a list is needed; see docs/formats.md for the form"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line(case: str) -> None:
    value, message = REFUSED[case]
    assert refused(value) == message


def test_eight_numbers_are_not_read_as_four_points_where_they_could_be_others() -> None:
    """Six numbers are two points of three; with a schema of three points they would also be x, y of each."""
    message = "r.json $[0].keypoints: 6 numbers where 9 are needed; without scores, write [[x, y], [x, y], ...]"
    assert refused([row(keypoints=[1, 2, 3, 4, 5, 6])], K3) == message
    assert read([row(keypoints=[[1, 2], [3, 4], [5, 6]])], K3).keypoints.tolist() == [[[1, 2, 1], [3, 4, 1], [5, 6, 1]]]


# -- .npz --------------------------------------------------------------------------------------------

NPZ: dict[str, dict[str, Any]] = {
    "ours": {"image": [1, 2], "keypoints": [NESTED] * 2, "score": [0.5, 0.25]},
    "plural names": {"image_ids": [1, 2], "keypoints": [NESTED] * 2, "scores": [0.5, 0.25], "category_ids": [1, 1]},
    "names of a results file": {"image_id": [1, 2], "keypoints": [NESTED] * 2, "score": [0.5, 0.25], "category_id": [1, 1]},
    "numbers in a row": {"image": [1, 2], "keypoints": [FLAT] * 2, "score": [0.5, 0.25], "boxes": [[1, 2, 3, 4]] * 2},
    "float32": {"image": np.array([1, 2], np.int32), "keypoints": np.array([NESTED] * 2, np.float32), "score": [0.5, 0.25]},
}


@pytest.mark.parametrize("form", NPZ)
def test_arrays_of_others_are_read_by_their_names(form: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", **NPZ[form])
    found = read_predictions(tmp_path / "p.npz", K4)
    assert (found.image.tolist(), found.category.tolist(), found.score.tolist()) == ([1, 2], [1, 1], [0.5, 0.25])
    np.testing.assert_allclose(found.keypoints, [NESTED] * 2, rtol=1e-7)
    assert np.isnan(found.bbox).all()


def test_an_array_under_two_names_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", **NPZ["ours"], image_id=[3, 4])
    with pytest.raises(FormatError, match=r"p.npz: arrays 'image' and 'image_id' are one column; keep one of them$"):
        read_predictions(tmp_path / "p.npz", K4)


def test_arrays_without_confidence_count_each_as_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", image=["a"], keypoints=[XY], score=[0.5], bbox=[[1, 2, 3, 4]])
    found = read_predictions(tmp_path / "p.npz", K4)
    assert (found.image.tolist(), found.keypoints.tolist(), found.bbox.tolist()) == (["a"], [ONES], [[1, 2, 3, 4]])


# -- blocks ------------------------------------------------------------------------------------------

MIXED: Rows = [
    row(i, **extra)
    for i, extra in enumerate(
        [{}, {"part": 0.5, "part2": 1}, {"bbox": [1, 2, 3, 4]}, {"note": "}, {"}, {"note": {"a": [{"b": "\\"}, {"c": "]}"}]}}, {"keypoints": NESTED}, {"truth_id": 4}, {"part": None, "score": 1}, {"odd\n": 1}, {"image_id": 9.0}, {"posebench": {"model": "m"}}, {"keypoints": [0] * 12}]
    )
]  # fmt: skip
EVERY: Rows = [row(i, a=i, b=0.5 * i, c=[i], d=None if i % 3 else i) for i in range(40)]


@pytest.mark.parametrize("size", [1, 150, 400, 1 << 20])
@pytest.mark.parametrize("rows", [MIXED, MIXED[::-1], EVERY, [*EVERY, row(50, a="text", b=1, c=1, d=2)]])
@pytest.mark.parametrize("text", ["compact", "spaced", "indented"])
def test_by_type_in_blocks_is_row_by_row_at_once(monkeypatch: pytest.MonkeyPatch, rows: Rows, size: int, text: str) -> None:
    spell: dict[str, Any] = {"compact": {"separators": (",", ":")}, "spaced": {}, "indented": {"indent": 4}}[text]
    data = json.dumps(rows, **spell).encode()
    monkeypatch.setattr(records, "BLOCK", size)
    found = read(data)
    monkeypatch.setattr(records._Reader, "plain", lambda reader, block: None)
    monkeypatch.setattr(records, "BLOCK", 1 << 20)
    slow = read(data)
    assert list(found.columns()) == list(slow.columns())
    for name, values in slow.columns().items():
        np.testing.assert_array_equal(found.columns()[name], values, name)
        assert found.columns()[name].dtype == values.dtype or name in found.meta
    assert [json.loads(t or "{}") for t in found.rest.rows()] == [json.loads(t or "{}") for t in slow.rest.rows()]
    assert found.header == slow.header


def test_plain_records_are_never_read_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By type they take a third of the time."""
    monkeypatch.setattr(records._Reader, "odd", lambda reader, rows: pytest.fail("row by row"))
    monkeypatch.setattr(records, "BLOCK", 500)
    later = [row(i, bbox=[1, 2, 3, 4], center=[1, 2], part=0.5 * i, truth_id=i) for i in range(20)]
    assert len(read([row(i) for i in range(20)] + later)) == 40
    assert len(read([row(i, keypoints=NESTED) for i in range(20)])) == 20


LATE: dict[str, tuple[dict[str, Any], str]] = {
    "score": ({"score": None}, "r.json $[30].score: null where a number is needed"),
    "id": ({"image_id": "x"}, "r.json $[30].image_id: id 'x', where the first is 0; ids of one table are all whole numbers or all text"),
    "category": ({"category_id": "x"}, "r.json $[30].category_id: id 'x', where the first is 1; ids of one table are all whole numbers or all text"),
    "length": ({"keypoints": [1, 2, 3]}, "r.json $[30].keypoints: 3 numbers where 12 are needed"),
    "box": ({"bbox": [1]}, "r.json $[30].bbox: 1 numbers where 4 are needed"),
    "huge": ({"score": 1e300}, "r.json $[30].score: 1e+300 is out of range; numbers stay below 2**53, where floats are exact"),
}


@pytest.mark.parametrize("size", [1, 500, 1 << 20])
@pytest.mark.parametrize("case", LATE)
def test_a_fault_far_into_the_file_has_its_place(monkeypatch: pytest.MonkeyPatch, case: str, size: int) -> None:
    change, message = LATE[case]
    monkeypatch.setattr(records, "BLOCK", size)
    rows = [row(i) for i in range(40)]
    rows[30] |= change
    assert refused(rows) == message


def test_a_category_that_comes_late_is_missing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 1)
    bare = {k: v for k, v in row().items() if k != "category_id"}
    assert refused([bare, row(2)]) == "r.json $[0].category_id: missing; every entry has 'category_id'"


def test_faults_of_several_kinds_are_gathered_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 1)
    rows = [row(i, category_id="a") for i in range(9)]
    rows[2]["category_id"] = None
    rows[5] |= {"image_id": "x", "score": "1"}
    rows[8]["keypoints"] = [1, 2]
    message = (
        "r.json: 4 faults: $[2].category_id: null where a whole number is needed; $[5].image_id: id 'x', where the first is 0; "
        '$[5].score: "1" where a number is needed; $[8].keypoints: 2 numbers where 12 are needed; ids of one table are all whole numbers or all text'
    )
    assert refused(rows) == message
    without_lengths = message.replace("4 faults", "3 faults").replace("; $[8].keypoints: 2 numbers where 12 are needed", "")
    assert refused(rows, K4, [Category("a", "animal", K4.names)]) == without_lengths, "whose points these are, nobody can say"


def test_other_faults_make_no_right_length_wrong() -> None:
    rows = [row(keypoints=HAND, category_id=2), row(keypoints=BODY, score=None), row(keypoints=[1] * 12, category_id=2)]
    message = "r.json: 2 faults: $[1].score: null where a number is needed; $[2].keypoints: 12 numbers, category 'hand' needs 6 (2 x 3)"
    assert refused(rows, BOTH, CATEGORIES) == message


def test_broken_text_far_into_the_file_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 100)
    text = "[" + ",\n".join(json.dumps(row(i)) for i in range(40)) + "]"
    assert refused(text.replace('"image_id": 30', '"image_id" 30').encode()).startswith("r.json $: Expecting ':' delimiter at line 31, column 13")
    assert "the file ends early" in refused(text[:-40].encode())


# -- categories of their own points ------------------------------------------------------------------

BOTH = Schema.from_dict({"name": "both", "keypoints": ["a", "b", "c", "d", "e"], "sigmas": 0.1})
CATEGORIES = (Category(1, "body", ("a", "b", "c")), Category(2, "hand", ("e", "c")), Category(3, "car"))
ABSENT = [np.nan, np.nan, 0]
BODY, HAND = [1, 1, 0.9, 2, 2, 0.8, 3, 3, 0.7], [5, 5, 0.5, 4, 4, 0.4]


def test_a_record_may_hold_the_points_of_its_category_only() -> None:
    every = [6, 6, 0.6] * 5
    rows = [row(keypoints=BODY), row(keypoints=HAND, category_id=2), row(keypoints=every, category_id=2), row(keypoints=[], category_id=3)]
    found = read(rows, BOTH, CATEGORIES)
    assert found.category.tolist() == [1, 2, 2, 3]
    expected = [[*np.reshape(BODY, (3, 3)), ABSENT, ABSENT], [ABSENT, ABSENT, HAND[3:], ABSENT, HAND[:3]], np.reshape(every, (5, 3)), [ABSENT] * 5]
    np.testing.assert_array_equal(found.keypoints, expected)


def test_text_categories_are_not_numbers() -> None:
    named = tuple(Category(str(c.id), c.name, c.points) for c in CATEGORIES)
    assert read([row(keypoints=HAND, category_id="2")], BOTH, named).keypoints[0, 4].tolist() == HAND[:3]
    message = "r.json $[0].keypoints: 6 numbers where 15 are needed; the truth has no category '2'"
    assert refused([row(keypoints=HAND, category_id="2")], BOTH, CATEGORIES) == message


def test_a_length_that_is_not_the_categorys_names_it() -> None:
    schema = Schema.from_dict({"name": "h", "keypoints": [f"p{i}" for i in range(30)], "sigmas": 0.1})
    hand = Category(1, "hand", schema.names[:21])
    rows = [row(keypoints=[1] * 63), row(keypoints=[1] * 90), row(keypoints=[1] * 63), row(keypoints=[1] * 15)]
    assert refused(rows, schema, [hand]) == "r.json $[3].keypoints: 15 numbers, category 'hand' needs 63 (21 x 3)"
    assert refused([row(keypoints=HAND)], BOTH, CATEGORIES) == "r.json $[0].keypoints: 6 numbers, category 'body' needs 9 (3 x 3)"
    assert refused([{k: v for k, v in row().items() if k != "keypoints"}], BOTH, CATEGORIES) == "r.json $[0].keypoints: missing; every record has 15 numbers"


def test_as_many_numbers_as_the_schema_has_are_in_the_truths_order_unless_a_header_says_otherwise() -> None:
    """A truth that spells its points in an order of its own was read by name; what was trained on it answers in that order."""
    turned = (Category(1, "body", ("d", "c", "b", "a")),)
    assert read([row()], K4, turned).keypoints.tolist() == [NESTED[::-1]]
    assert read([row()], K4, (Category(1, "body", K4.names),)).keypoints.tolist() == [NESTED]
    ours = Predictions.from_arrays(schema=K4, image=[1], keypoints=[NESTED], score=[1])
    assert parse_results(ours.to_json(), categories=turned).keypoints.tolist() == [NESTED]


def test_truth_and_results_of_two_categories_meet_in_one_schema(tmp_path: Path) -> None:
    """A file of two kinds of animals, read as the union of their points, and results in each kind's own order."""
    from posedata import load_schema

    names = {1: list(load_schema("coco17").names), 2: list(load_schema("foot6").names)[::-1]}
    notes = [{"id": c, "image_id": 1, "category_id": c, "keypoints": [v for p in range(len(n)) for v in (10 * c + p, p, 2)]} for c, n in names.items()]
    categories = [{"id": c, "name": f"kind {c}", "keypoints": n} for c, n in names.items()]
    (tmp_path / "t.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": notes, "categories": categories}))
    truth = read_coco(tmp_path / "t.json", cache=False)
    found = read([{**n, "score": 1} for n in notes], truth.schema, truth.categories)
    labelled = truth.instances.labelled
    np.testing.assert_array_equal(found.keypoints[labelled], truth.instances.keypoints[labelled])
    assert (np.isnan(found.keypoints[..., 0]) == ~truth.instances.annotated).all()
