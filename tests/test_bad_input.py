"""Bad input ends in one line that says where, what was seen and the way out; what is legal but odd is kept whole."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from posedata import Collector, DataError, Keypoint, PoseDataset, PoseError, Predictions, Schema, concat, read_akd, read_coco, read_mapping, read_predictions
from posedata.formats import cache
from posedata.images import image_path, open_image
from posedata.schema import read_schema
from posedata.schemas import SCHEMAS

COCO = list(SCHEMAS["coco17"].names)
FEET = list(SCHEMAS["foot6"].names)
AKD = list(SCHEMAS["akd16"].names)
REMOVED = object()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEBENCH_CACHE", str(tmp_path / "cache"))


# -- made files --------------------------------------------------------------------------------------


def truth():
    """Three images, three people."""
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in (1, 2, 3)]
    note = {"category_id": 1, "keypoints": [10, 20, 2] * 17, "num_keypoints": 17, "bbox": [1, 2, 30, 40], "area": 12.5, "iscrowd": 0}
    category = {"id": 1, "name": "person", "keypoints": COCO, "skeleton": [[1, 2]]}
    return {
        "info": {"year": 2024},
        "images": images,
        "annotations": [{"id": i, "image_id": i, **copy.deepcopy(note)} for i in (1, 2, 3)],
        "categories": [category],
    }


def results():
    rows = [{"image_id": i, "category_id": 1, "keypoints": [1.5, 2, 0.5] * 6, "score": i / 4} for i in (1, 2, 3)]
    rows[0]["posebench"] = {"version": 1, "schema": "foot6", "model": "mine"}
    return rows


def cats():
    image = {"file_name": "a.jpg", "width": 64, "height": 48}
    return {"images": {"1": image, "2": image}, "keypoints": {k: {name: [0.5, 0.25, 1] for name in AKD} for k in ("1", "2")}}


def changed(value, *changes):
    """The value with (path, other) applied; a path ends at a key that is set, or removed."""
    value = copy.deepcopy(value)
    for path, other in changes:
        inside = value
        for key in path[:-1]:
            inside = inside[key]
        if other is REMOVED:
            del inside[path[-1]]
        else:
            inside[path[-1]] = copy.deepcopy(other)
    return value


def broken(read, folder, value, name="f.json", **options):
    """The message of what reading the value raises: one line that starts with the file's name."""
    path = folder / name
    path.write_bytes(value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode())
    with pytest.raises(PoseError) as caught:
        read(path, **options)
    return one_line(caught.value, path)


def one_line(error, path=""):
    text = str(error)
    assert text.isprintable(), text
    assert text.startswith(str(path)), text
    assert len(text) < 2500, len(text)
    assert error.where
    assert error.seen
    return text.removeprefix(str(path))


def has(text, words):
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"


def kept(folder, value, **options):
    """The dataset, after it was seen to write back the same JSON in the same order."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    path = folder / "kept.json"
    path.write_bytes(data)
    ds = read_coco(path, **options)
    original, written = json.loads(data.removeprefix(b"\xef\xbb\xbf")), json.loads(ds.to_coco())
    assert written == original
    assert [list(row) for row in written.get("annotations", [])] == [list(row) for row in original.get("annotations", [])]
    assert list(written) == list(original)
    return ds


# -- all JSON readers --------------------------------------------------------------------------------

TEXTS = {
    "truncated": (lambda good: good[: len(good) // 2], ["line 1, column", "export it again"]),
    "cut at the end": (lambda good: good[:-1], ["line 1, column", "ends early"]),
    "more after the end": (lambda good: good + b"]", ["Extra data", "line 1, column", "not valid JSON there"]),
    "empty": (lambda good: b"", ["the file is empty", "export it again"]),
    "blanks": (lambda good: b" \n\t ", ["the file is empty"]),
    "a mark and blanks": (lambda good: b"\xef\xbb\xbf \n", ["the file is empty"]),
    "binary": (lambda good: b"\x89PNG\r\n\x1a\n\x00\xff", ["0x89", "JSON is UTF-8 text"]),
    "utf-16": (lambda good: good.decode().encode("utf-16"), ["0xff", "JSON is UTF-8 text"]),
    "utf-16 without a mark": (lambda good: good.decode().encode("utf-16-le"), ["export"]),
    "latin-1": (lambda good: good.replace(b"jpg", b"\xe9").replace(b"mine", b"\xe9"), ["0xe9", "JSON is UTF-8 text"]),
    "deep": (lambda good: b"[" * 1_000_000, []),
    "deep in a key": (lambda good: b'{"images": [], "annotations": [], "keypoints": {}, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ["nested too deeply"]),
    "a number": (lambda good: b"5", ["a whole number where"]),
    "null": (lambda good: b"null", ["null where"]),
    "text": (lambda good: b'"x"', ["text where"]),
    "an empty object": (lambda good: b"{}", []),
    "half a letter": (lambda good: good.replace(b"jpg", b"\\ud800").replace(b"mine", b"\\ud800"), ["export"]),
    "thousands of digits": (lambda good: good[:-1] + b"," + b"9" * 10_000 + b"x", ["export"]),
}


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize(("read", "good"), [(read_coco, truth()), (read_predictions, results()), (read_akd, cats())], ids=["coco", "results", "akd"])
def test_what_is_no_json_of_this_kind_is_one_line(case, read, good, tmp_path):
    change, words = TEXTS[case]
    has(broken(read, tmp_path, change(json.dumps(good).encode())), words)


@pytest.mark.parametrize("read", [read_coco, read_predictions, read_akd, read_schema, read_mapping])
def test_a_file_that_cannot_be_opened_is_one_line(read, tmp_path):
    for path, words in {
        tmp_path: ["folder", "directory"],
        tmp_path / "no.json": ["no such file"],
        tmp_path / "a\0b": ["null"],
        tmp_path / ("a" * 300): ["too long"],
    }.items():
        with pytest.raises(PoseError) as caught:
            read(path)
        assert any(word in one_line(caught.value) for word in words)


@pytest.mark.parametrize(("constant", "shown"), [("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity")])
def test_constants_that_are_no_json_are_named_with_their_place(constant, shown, tmp_path):
    bad = json.dumps(truth()).replace("[10, 20, 2", f"[{constant}, 20, 2")
    has(broken(read_coco, tmp_path, bad), [f"$.annotations[0].keypoints[0] is {shown}", "3 values", "an unlabelled point is 0, 0, 0"])
    bad = json.dumps(results()).replace("[1.5,", f"[{constant},")
    has(broken(read_predictions, tmp_path, bad), [f"$[0].keypoints[0] is {shown}", "3 values"])


# -- read_coco ---------------------------------------------------------------------------------------

N0, N1, N2, IMAGE, KIND = ("annotations", 0), ("annotations", 1), ("annotations", 2), ("images", 0), ("categories", 0)
BAD_TRUTH = {
    "a box of three": ([((*N2, "bbox"), [1, 2, 3])], ["$.annotations[2].bbox", "3 numbers where 4 are needed"]),
    "48 numbers": ([((*N2, "keypoints"), [1, 1, 2] * 16)], ["$.annotations[2].keypoints", "48 numbers", "'coco17' needs 51 (17 x 3)"]),
    "null in keypoints": ([((*N1, "keypoints"), [None] * 51)], ["$.annotations[1].keypoints", "holds null where a number is needed"]),
    "text in keypoints": ([((*N1, "keypoints"), ["1"] * 51)], ["$.annotations[1].keypoints", 'holds "1" where a number is needed']),
    "no list": ([((*N1, "keypoints"), 5)], ["$.annotations[1].keypoints", "5 where a list of numbers is needed"]),
    "a null list": ([((*N1, "bbox"), None)], ["$.annotations[1].bbox", "null where a list of numbers is needed"]),
    "lists in a list": ([((*N1, "bbox"), [[1, 2, 3, 4]])], ["$.annotations[1].bbox", "where a number is needed"]),
    "v = 3": ([((*N1, "keypoints"), [1, 1, 3] * 17)], ["$.annotations[1].keypoints", "v = 3", "0 (not labelled), 1 (hidden) or 2 (seen)"]),
    "v = 0.5": ([((*N1, "keypoints"), [1, 1, 0.5] * 17)], ["$.annotations[1].keypoints", "v = 0.5"]),
    "1e300": ([((*N1, "keypoints"), [1e300, 1, 2] * 17)], ["$.annotations[1].keypoints", "1e+300 is out of range"]),
    "a number that floats round": ([((*N1, "area"), 2**53 + 1)], ["$.annotations[1].area", "out of range", "2**53"]),
    "two annotations of one id": ([((*N2, "id"), 1)], ["$.annotations[0].id", "1 stands 2 times", "its own id"]),
    "two images of one id": ([(("images", 1, "id"), 1)], ["$.images[1].id", "1 is also the id of another image"]),
    "two categories of one id": ([(("categories",), [truth()["categories"][0]] * 2)], ["$.categories", "an id that stands twice"]),
    "unknown image": ([((*N2, "image_id"), 77)], ["$.annotations[2].image_id", "no image has id 77", "add the image or drop the annotation"]),
    "unknown category": ([((*N2, "category_id"), 77)], ["$.annotations[2].category_id", "no category has id 77", "add the category"]),
    "no images": ([(("images",), [])], ["$.annotations[0].image_id", "1, yet there is no image"]),
    "no categories": ([(("categories",), [])], ["$.annotations[0].category_id", "1, yet there is no category"]),
    "id missing": ([((*N1, "id"), REMOVED)], ["$.annotations[1].id", "missing", "every entry has 'id'"]),
    "image_id missing": ([((*N1, "image_id"), REMOVED)], ["$.annotations[1].image_id", "missing"]),
    "category_id missing": ([((*N1, "category_id"), REMOVED)], ["$.annotations[1].category_id", "missing"]),
    "image without id": ([((*IMAGE, "id"), REMOVED)], ["$.images[0].id", "missing"]),
    "image without id beside id -1": ([(("images", 1, "id"), REMOVED), (("images", 2, "id"), -1)], ["$.images[1].id", "missing"]),
    "category without id": ([((*KIND, "id"), REMOVED)], ["$.categories[0].id", "missing"]),
    "text for a number": ([((*N1, "area"), "12")], ["$.annotations[1].area", '"12" where a number is needed']),
    "number for a text": ([((*IMAGE, "file_name"), 5)], ["$.images[0].file_name", "5 where text is needed"]),
    "id true": ([((*N1, "id"), True)], ["$.annotations[1].id", "true where a whole number is needed"]),
    "id 1.5": ([((*N1, "id"), 1.5)], ["$.annotations[1].id", "1.5 where a whole number is needed"]),
    "id null": ([((*N1, "id"), None)], ["$.annotations[1].id", "null where a whole number is needed"]),
    "id too large": ([((*N1, "id"), 2**63)], ["$.annotations[1].id", "9223372036854775808 is out of range"]),
    "image id too small": ([((*IMAGE, "id"), -(2**63) - 1)], ["$.images[0].id", "-9223372036854775809 is out of range"]),
    "text among numbers": ([((*N1, "id"), "b")], ["$.annotations[1].id", "'b', where the first is 1", "all whole numbers or all text"]),
    "text image_id": ([((*n, "image_id"), "1") for n in (N0, N1, N2)], ["$.annotations[0].image_id", "'1', yet the ids of the file are such as 1"]),
    "iscrowd 2": ([((*N1, "iscrowd"), 2)], ["$.annotations[1].iscrowd", "2 where 0 or 1 is needed"]),
    "iscrowd huge": ([((*N1, "iscrowd"), 10**400)], ["$.annotations[1].iscrowd", "where 0 or 1 is needed"]),
    "area null": ([((*N1, "area"), None)], ["$.annotations[1].area", "null where a number is needed"]),
    "num_keypoints -1": ([((*N1, "num_keypoints"), -1)], ["$.annotations[1].num_keypoints", "-1 points"]),
    "num_keypoints huge": ([((*N1, "num_keypoints"), 2**70)], ["$.annotations[1].num_keypoints", "out of range"]),
    "width -1": ([((*IMAGE, "width"), -1)], ["$.images[0].width", "-1 pixels"]),
    "width 1.5": ([((*IMAGE, "width"), 1.5)], ["$.images[0].width", "1.5 where a whole number is needed"]),
    "categories an object": ([(("categories",), {"1": {}})], ["$.categories", "an object where a list is needed"]),
    "annotations null": ([(("annotations",), None)], ["$.annotations", "null where a list is needed"]),
    "a row that is none": ([(N1, 5)], ["$.annotations[1]", "a whole number where an object is needed"]),
    "category without keypoints": ([((*KIND, "keypoints"), REMOVED)], ["3 faults", "$.annotations[0].keypoints", "51 numbers", "give schema=NAME"]),
    "no categories at all": ([(("categories",), REMOVED)], ["3 faults", "51 numbers", "give schema=NAME"]),
    "unknown names": ([((*KIND, "keypoints"), ["a", "b"])], ["$.categories[0].keypoints", "(a, b) are those of no known schema", "schema=NAME", "docs/schemas.md#your-own"]),
    "names null": ([((*KIND, "keypoints"), None)], ["$.categories[0].keypoints", "null where a list of names is needed"]),
    "annotated too short": ([((*N1, "annotated"), "01")], ["$.annotations[1].annotated", '"01"', "a 0 or 1 for each of the 17 points"]),
    "annotated against the points": ([((*N1, "annotated"), "0" * 17)], ["$.annotations[1].annotated", "0 for a point that has values"]),
    "neither images nor annotations": ([(("images",), REMOVED), (("annotations",), REMOVED)], ["neither 'images' nor 'annotations'", "'info'", "'categories'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TRUTH)
def test_a_bad_annotation_file_names_place_sight_and_cure(case, tmp_path):
    changes, words = BAD_TRUTH[case]
    has(broken(read_coco, tmp_path, changed(truth(), *changes)), words)


def test_numbers_beyond_all_range_are_faults(tmp_path):
    has(broken(read_coco, tmp_path, json.dumps(truth()).replace("12.5", "1e999", 1)), ["$.annotations[0].area", "1e999"])
    has(broken(read_coco, tmp_path, json.dumps(truth()).replace('"id": 1,', f'"id": {"9" * 10_000},', 1)), ["$.images[0].id", "(10,000 characters)"])


def test_all_faults_are_gathered_five_shown_the_rest_counted(tmp_path):
    changes = [((*n, "bbox"), [1]) for n in (N0, N1, N2)] + [((*n, "area"), "x") for n in (N0, N1, N2)] + [((*N2, "image_id"), 9), ((*N0, "id"), None)]
    text = broken(read_coco, tmp_path, changed(truth(), *changes))
    has(text, ["8 faults", "$.annotations[0].id", "no image has id 9", "and 3 more"])


def test_a_fault_of_one_row_makes_none_of_another(tmp_path):
    """Two categories with different points: a missing id must not make the other rows look too short."""
    two = changed(
        truth(),
        (("categories",), [*truth()["categories"], {"id": 2, "name": "foot", "keypoints": FEET}]),
        ((*N1, "category_id"), 2),
        ((*N1, "keypoints"), [1, 1, 2] * 6),
    )
    assert len(kept(tmp_path, two).schema) == 23
    has(broken(read_coco, tmp_path, changed(two, ((*N0, "id"), REMOVED))), ["$.annotations[0].id: missing"])
    has(broken(read_coco, tmp_path, changed(two, ((*N0, "category_id"), "x"), ((*N1, "category_id"), 5))), ["$.annotations[1].category_id: id 5, where"])


def test_a_schema_that_does_not_fit_is_named(tmp_path):
    has(broken(read_coco, tmp_path, truth(), schema="foot6"), ["$.categories[0].keypoints", "no point of schema 'foot6'", "give the schema these names are of"])
    nameless = changed(truth(), ((*KIND, "keypoints"), REMOVED))
    has(broken(read_coco, tmp_path, nameless, schema="foot6"), ["51 numbers, schema 'foot6' needs 18 (6 x 3)"])
    assert len(kept(tmp_path, nameless, schema="coco17").schema) == 17
    has(broken(read_coco, tmp_path, changed(truth(), ((*KIND, "keypoints"), ["nose"] * 17)), schema="coco17"), ["a name twice"])


def test_what_the_columns_learn_later_outweighs_what_the_file_said(tmp_path):
    odd = changed(truth(), ((*N0, "keypoints"), []), ((*N1, "annotated"), "yes"), (("categories",), REMOVED))
    ds = kept(tmp_path, odd, schema="coco17")
    points = np.full((3, 17, 3), [1, 2, 2])
    written = json.loads(replace(ds, instances=replace(ds.instances, keypoints=points)).to_coco())
    assert written["annotations"][0]["keypoints"] == [1, 2, 2] * 17
    written = json.loads(ds.as_schema("human").to_coco())
    assert set(written["annotations"][1]["annotated"]) == {"0", "1"}
    assert len(written["categories"][0]["keypoints"]) == 25


def test_names_that_only_look_alike_are_not_one(tmp_path):
    """All Cyrillic names were one: the empty plain name."""
    cyrillic = Schema(name="cat", keypoints=(Keypoint("нос", 0.1), Keypoint("рот", 0.1)))
    file = changed(truth(), ((*KIND, "keypoints"), ["рот", "нос"]), *(((*n, "keypoints"), [1, 1, 2, 5, 5, 2]) for n in (N0, N1, N2)))
    assert kept(tmp_path, file, schema=cyrillic).instances.keypoints[0, :, 0].tolist() == [5, 1]
    has(broken(read_coco, tmp_path, changed(file, ((*KIND, "keypoints"), ["глаз", "нос"])), schema=cyrillic), ["'глаз' is no point"])


def test_results_and_truth_in_each_others_place_are_known(tmp_path):
    has(broken(read_coco, tmp_path, results()), ["a list where an annotation file holds an object", "read_predictions"])
    has(broken(read_predictions, tmp_path, truth()), ["an annotation file where results are needed", "read_coco"])


ODD_TRUTH = {
    "without area": [((*N1, "area"), REMOVED)],
    "without iscrowd": [((*N1, "iscrowd"), REMOVED)],
    "without bbox": [((*N1, "bbox"), REMOVED)],
    "without num_keypoints": [((*N1, "num_keypoints"), REMOVED)],
    "without keypoints": [((*N1, "keypoints"), REMOVED)],
    "keypoints []": [((*N1, "keypoints"), [])],
    "keypoints all zero": [((*N1, "keypoints"), [0] * 51)],
    "wrong num_keypoints": [((*N1, "num_keypoints"), 3)],
    "images alike": [(("images",), [*truth()["images"], truth()["images"][0]])],
    "images without": [(("images",), REMOVED)],
    "annotations without": [(("annotations",), REMOVED)],
    "no annotations": [(("annotations",), [])],
    "an image of its own": [(("images",), [*truth()["images"], {"id": 9}])],
    "ids 0 and below": [((*N0, "id"), 0), ((*N1, "id"), -5), ((*N2, "id"), -(2**63))],
    "largest id": [((*N1, "id"), 2**63 - 1)],
    "ids in text": [((*n, "id"), f"{n}") for n in (N0, N1, N2)],
    "area negative": [((*N1, "area"), -5.5)],
    "area 0": [((*N1, "area"), 0)],
    "box turned": [((*N1, "bbox"), [5, 5, -2, -2])],
    "width 0": [((*IMAGE, "width"), 0), ((*IMAGE, "height"), 0)],
    "width unknown": [((*IMAGE, "width"), REMOVED)],
    "segmentation null": [((*N1, "segmentation"), None)],
    "segmentation RLE": [((*N1, "segmentation"), {"counts": "0", "size": [1, 1]})],
    "segmentation flat": [((*N1, "segmentation"), [1, 2, 3, 4, 5, 6])],
    "extra keys": [(("x",), {"a": [None]}), ((*N1, "y"), {"": 1e-320}), ((*IMAGE, "z"), [[]]), ((*KIND, "w"), 2**80), (("info", "v"), "\0")],
    "our names": [((*N0, "annotated"), True), ((*N1, "annotated"), "yes"), ((*N2, "annotated"), ""), ((*N1, "posebench"), {"schema": 5}), (("posebench",), 1)],
    "annotated in full": [((*N1, "annotated"), "1" * 17)],
    "our info": [(("info", "posebench"), {"meta": ["track", ["x"], 5, "segmentation", "crowd"]}), ((*N1, "track"), 1), ((*N1, "track_id"), 2), ((*N1, "crowd"), 3)],
    "our info is text": [(("info", "posebench"), {"meta": "species"})],
    "meta of two kinds": [((*N0, "species"), "cat"), ((*N1, "species"), 5), ((*N2, "track_id"), None), ((*N1, "track_id"), 2**60)],
    "columns' names": [((*IMAGE, "crowd_index"), 0.5), ((*IMAGE, "crowdIndex"), 0.25), ((*IMAGE, "folder"), "x"), ((*N1, "image"), 5), ((*N1, "recorded"), 5)],
    "truth values": [((*N1, "iscrowd"), True), ((*N1, "ignore"), False)],
    "category without name": [((*KIND, "name"), REMOVED)],
    "names": [((*IMAGE, "file_name"), "a\"b'c\\d.jpg"), (("images", 1, "file_name"), "Кот\nв\u2028рост.jpg"), (("images", 2, "file_name"), "../../etc/passwd")],
    "ten megabytes of name": [((*IMAGE, "file_name"), "x" * 10_000_000)],
}  # fmt: skip


@pytest.mark.parametrize("case", ODD_TRUTH)
def test_what_is_legal_but_odd_is_kept(case, tmp_path):
    ds = kept(tmp_path, changed(truth(), *ODD_TRUTH[case]))
    assert repr(ds)
    assert ds.take(np.arange(len(ds))[::-1]).to_coco()


def test_ids_as_floats_a_mark_and_depth_are_legal(tmp_path):
    text = json.dumps(truth())
    assert kept(tmp_path, text.replace('"id": 3, "image_id"', '"id": 1.731118E+6, "image_id"').encode()).instances.id[2] == 1731118
    assert len(kept(tmp_path, b"\xef\xbb\xbf" + text.encode())) == 3
    assert len(kept(tmp_path, (text[:-1] + ', "x": ' + "[" * 500 + "]" * 500 + "}").encode())) == 3
    assert len(kept(tmp_path, (text[:-1] + " " * 10_000_000 + "}").encode())) == 3


def test_meta_that_cannot_be_a_column_is_refused_or_left(tmp_path):
    path = tmp_path / "f.json"
    path.write_text(json.dumps(changed(truth(), ((*N1, "track"), 5), ((*N1, "track_id"), 6))))
    for bad in ("species", ["track"], ["crowd"], [5]):
        with pytest.raises(DataError) as caught:
            read_coco(path, meta=bad)
        has(one_line(caught.value), ["read_coco: meta"])


def test_pictures_stay_in_their_folder(tmp_path):
    names = ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "C:\\x.jpg", "..\\x.jpg", "\\\\server\\x.jpg", "a\0b.jpg"]
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    ds = kept(tmp_path, {"images": images, "annotations": []}, images=tmp_path)
    for row in range(len(names)):
        with pytest.raises(PoseError) as caught:
            image_path(ds.images, row)
        has(one_line(caught.value), ["leaves its folder", "inside their folder only"])


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a" + b"\xff" * 40, None])
def test_a_picture_that_cannot_be_decoded_is_one_line(data, tmp_path):
    if data is not None:
        (tmp_path / "a.jpg").write_bytes(data)
    ds = kept(tmp_path, {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "x" * 100_000}], "annotations": []}, images=tmp_path)
    for row in (0, 1):
        with pytest.raises(PoseError) as caught:
            open_image(ds.images, row)
        one_line(caught.value)


# -- masks -------------------------------------------------------------------------------------------

BAD_MASKS = [
    5, "x", ["x"], [[1, 2, 3]], [["a"] * 6], [[1, 2, 3, 4, 5, 6], "x"], [[0, 0, 1e9, 0, 1e9, 1e9]], {"counts": "0"}, {"counts": "~~", "size": [2, 2]}, {"counts": "o", "size": [2, 2]},
    {"counts": "1", "size": [2, 2]}, {"counts": [3], "size": [2, 2]}, {"counts": [-1, 5], "size": [2, 2]}, {"counts": [4], "size": [1 << 40, 4]}, {"counts": None, "size": None},
]  # fmt: skip


@pytest.mark.parametrize("segmentation", BAD_MASKS, ids=str)
def test_a_mask_that_would_crash_its_library_is_one_line(segmentation, tmp_path):
    ds = kept(tmp_path, changed(truth(), ((*N1, "area"), REMOVED), ((*N1, "segmentation"), segmentation)))
    with pytest.raises(PoseError) as caught:
        ds.with_mask_area()
    has(one_line(caught.value), ["annotation 2 segmentation", "polygons, or an RLE"])


# -- read_predictions --------------------------------------------------------------------------------

BAD_RESULTS = {
    "no score": ([((1, "score"), REMOVED)], ["$[1].score", "missing", "every record has a score"]),
    "score null": ([((1, "score"), None)], ["$[1].score", "null where a number is needed"]),
    "no keypoints": ([((1, "keypoints"), REMOVED)], ["$[1].keypoints", "missing", "18 numbers"]),
    "wrong length": ([((1, "keypoints"), [1] * 51)], ["$[1].keypoints", "51 numbers where 18 are needed"]),
    "null coordinates": ([((1, "keypoints"), [None] * 18)], ["$[1].keypoints", "holds null where a number is needed"]),
    "no image": ([((1, "image_id"), REMOVED)], ["$[1].image_id", "missing"]),
    "mixed ids": ([((1, "image_id"), "b")], ["$[1].image_id", "'b', where the first is 1", "all whole numbers or all text"]),
    "mixed truths": ([((0, "truth_id"), 1), ((1, "truth_id"), "b")], ["$[1].truth_id", "'b', where the first is 1"]),
    "bool id": ([((1, "image_id"), True)], ["$[1].image_id", "true where a whole number is needed"]),
    "huge id": ([((1, "image_id"), 2**64)], ["$[1].image_id", "out of range"]),
    "id rounded": ([((1, "image_id"), 2.0**53 + 2)], ["$[1].image_id: 9007199254740994.0 is rounded; write it without a point or exponent"]),
    "box of five": ([((1, "bbox"), [1] * 5)], ["$[1].bbox", "5 numbers where 4 are needed"]),
    "two headers": ([((2, "posebench"), {"schema": "coco17"})], ["2 different headers", "split it"]),
    "unknown field": ([((0, "posebench"), {"modell": 1})], ["posebench", "unknown field 'modell'", "did you mean 'model'?"]),
    "header no object": ([((0, "posebench"), 5)], ["posebench", "5 where an object is needed"]),
    "unknown schema": ([((0, "posebench", "schema"), "foot7")], ["posebench.schema", "no schema 'foot7'", "did you mean 'foot6'?"]),
    "a path for a schema": ([((0, "posebench", "schema"), "/etc/passwd.json")], ["posebench.schema", "no schema"]),
    "a bad schema": ([((0, "posebench", "schema"), {"keypoints": 5})], ["posebench.schema", "no list of keypoints"]),
    "a later version": ([((0, "posebench", "version"), 2)], ["posebench", "version 2", "pip install"]),
    "no header": ([((0, "posebench"), REMOVED)], ["no header says which schema", "give schema= (or --schema)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_bad_results_name_place_sight_and_cure(case, tmp_path):
    changes, words = BAD_RESULTS[case]
    has(broken(read_predictions, tmp_path, changed(results(), *changes)), words)


def test_results_come_bare_wrapped_or_with_the_header_anywhere(tmp_path):
    path = tmp_path / "r.json"
    last = changed(results(), ((2, "posebench"), results()[0]["posebench"]), ((0, "posebench"), REMOVED))
    for value in (results(), last, *({key: results(), "x": 1} for key in ("annotations", "predictions", "results"))):
        path.write_text(json.dumps(value))
        assert read_predictions(path).header["model"] == "mine"
        assert read_predictions(path).image.tolist() == [1, 2, 3]
    has(broken(read_predictions, tmp_path, {"rows": []}), ["no list of results among 'rows'"])
    has(broken(read_predictions, tmp_path, []), ["no header", "give schema="])
    has(broken(read_predictions, tmp_path, results(), schema="coco17"), ["its header says schema 'foot6', you say 'coco17'"])
    has(broken(read_predictions, tmp_path, json.dumps(results()).replace('"mine"', "1e999")), ["posebench", "out of range"])
    path.write_text("[]")
    assert read_predictions(path, schema="foot6").to_json() == b"[]"


def test_what_only_some_rows_have_is_written_and_read(tmp_path):
    changes = [((0, "bbox"), [1, 2, 3, 4]), ((1, "truth_id"), "t"), *(((i, "part"), value) for i, value in enumerate([0.5, None, 2]))]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(changed(results(), *changes)))
    p = read_predictions(path)
    for again in (read_predictions(_written(p.to_json, tmp_path / "again.json")), read_predictions(p.to_npz(tmp_path / "again.npz"))):
        assert again.truth.tolist() == ["", "t", ""]
        np.testing.assert_array_equal(again.bbox, [[1, 2, 3, 4], [np.nan] * 4, [np.nan] * 4])
        np.testing.assert_array_equal(again.meta["part"], [0.5, np.nan, 2])


def _written(write, path):
    write(path)
    return path


def _npz(**changes):
    arrays = {
        "image": np.array([1, 2]),
        "keypoints": np.ones((2, 6, 3)),
        "score": np.ones(2),
        "header": np.frombuffer(b'{"schema": "foot6"}', np.uint8),
        **changes,
    }
    out = io.BytesIO()
    np.savez(out, **{name: values for name, values in arrays.items() if values is not None})
    return out.getvalue()


class Trap:
    """Pickled, it would make a file when loaded."""

    def __reduce__(self):
        return os.system, ("touch sprung",)


BAD_NPZ = {
    "empty": (b"", ["not an .npz file"]),
    "text": (b"hello", ["not an .npz file"]),
    "a pickle": (pickle.dumps(Trap()), ["not an .npz file"]),
    "cut": (_npz()[:-40], ["not an .npz file"]),
    "objects": (_npz(image=np.array([Trap(), 1], object)), ["Object arrays cannot be loaded"]),
    "objects nobody needs": (_npz(extra=np.array([Trap()], object)), ["Object arrays cannot be loaded"]),
    "no image": (_npz(image=None), ["no array 'image'"]),
    "no score": (_npz(score=None), ["no array 'score'"]),
    "no header": (_npz(header=None), ["no header says which schema"]),
    "header no json": (_npz(header=np.frombuffer(b"{", np.uint8)), ["header", "not UTF-8 JSON"]),
    "header deep": (_npz(header=np.frombuffer(b"[" * 100_000, np.uint8)), ["header", "not UTF-8 JSON"]),
    "header digits": (_npz(header=np.frombuffer(b"9" * 10_000, np.uint8)), ["header", "not UTF-8 JSON"]),
    "float ids": (_npz(image=np.array([1.0, 2.0])), ["image", "ids such as 1.0"]),
    "one id": (_npz(image=np.array(1)), ["image", "one id for each row"]),
    "rows short": (_npz(score=np.ones(1)), ["score", "(1,)"]),
    "other points": (_npz(keypoints=np.ones((2, 5, 3))), ["5 points", "'foot6' has 6"]),
    "text points": (_npz(keypoints=np.full((2, 6, 3), "1")), ["numbers of kind float64 are needed"]),
    "complex": (_npz(keypoints=np.ones((2, 6, 3), complex)), ["numbers of kind float64 are needed"]),
    "half a point": (_npz(keypoints=np.full((2, 6, 3), [np.nan, 1, 1])), ["one of x and y is NaN"]),
    "half a box": (_npz(bbox=np.full((2, 4), [np.nan, 1, 1, 1])), ["NaN in part"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NPZ)
def test_a_bad_npz_is_one_line_and_no_pickle_is_loaded(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, words = BAD_NPZ[case]
    has(broken(read_predictions, tmp_path, data, "f.npz"), words)
    assert not (tmp_path / "sprung").exists()


def test_an_array_alone_is_no_npz(tmp_path):
    out = io.BytesIO()
    np.save(out, np.ones(3))
    has(broken(read_predictions, tmp_path, out.getvalue(), "f.npz"), ["not an .npz file"])


def test_text_ids_pass_through_npz(tmp_path):
    (tmp_path / "p.npz").write_bytes(_npz(image=np.array(["ж", "b"])))
    assert read_predictions(tmp_path / "p.npz").image.tolist() == ["ж", "b"]


# -- read_akd ----------------------------------------------------------------------------------------

BAD_CATS = {
    "no keypoints": ([(("keypoints",), REMOVED)], ["no 'keypoints'", "TechNumber's file holds"]),
    "images a list": ([(("images",), [])], ["$.images", "a list where an object is needed"]),
    "no partner": ([(("images", "2"), REMOVED)], ["$.keypoints.2", "has no partner"]),
    "no width": ([(("images", "2", "width"), REMOVED)], ["$.images.2", "an image has file_name, width and height"]),
    "width huge": ([(("images", "2", "width"), 2**70)], ["$.images.2", "an image has"]),
    "a point less": ([(("keypoints", "2", "head"), REMOVED)], ["$.keypoints.2", "other than the sixteen (head)"]),
    "two numbers": ([(("keypoints", "2", "head"), [1, 2])], ["$.keypoints.2.head", "x, y, visible"]),
    "visible 2": ([(("keypoints", "2", "head"), [1, 2, 2])], ["$.keypoints.2.head", "visible (0 or 1)"]),
    "huge": ([(("keypoints", "2", "head"), [2**70, 2, 1])], ["$.keypoints.2.head"]),
    "far away": ([(("keypoints", "2", "head"), [1e308, 2, 1])], ["$.keypoints.2.head"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CATS)
def test_bad_cats_name_place_sight_and_cure(case, tmp_path):
    changes, words = BAD_CATS[case]
    has(broken(read_akd, tmp_path, changed(cats(), *changes)), words)


# -- read_schema, read_mapping -----------------------------------------------------------------------

POINTS = 'keypoints = ["a", "b"]\nsigmas = 0.1\n'
TABLE = '[[keypoints]]\nname = "a"\nsigma = 0.1\n'
BAD_SCHEMAS = {
    "empty": ("", ["no list of keypoints", "docs/schemas.md#your-own"]),
    "no toml": ("keypoints = [", ["docs/schemas.md#your-own"]),
    "binary": (b"\xff\xfe", ["0xff"]),
    "bare sigmas": ('keypoints = ["a"]\nsigmas = [0.1]\n', ["sigmas are not given by name"]),
    "sigma missing": ('keypoints = ["a"]\n[sigmas]\n', ["disagree on 'a'"]),
    "sigma 2": ('keypoints = ["a"]\nsigmas = 2\n', ["sigma 2", "between 0 and 1"]),
    "sigma nan": ('keypoints = ["a"]\nsigmas = nan\n', ["sigma nan", "between 0 and 1"]),
    "thousands of digits": ('keypoints = ["a"]\nsigmas = ' + "9" * 10_000, ["limit"]),
    "deep": ("keypoints = " + "[" * 100_000, ["recursion"]),
    "name twice": ('keypoints = ["a", "a"]\nsigmas = 0.1\n', ["'a' twice"]),
    "name a number": ("keypoints = [1]\nsigmas = 0.1\n", ["a name is text"]),
    "left alone": ('keypoints = ["left_a"]\nsigmas = 0.1\n', ["no 'right_a' to mirror it"]),
    "limb of one": (POINTS + 'limbs = [["a"]]\n', ["not enough values"]),
    "limb unknown": (POINTS + 'limbs = [["a", "c"]]\n', ["no keypoint 'c'", "known: a, b"]),
    "unknown key": (POINTS + "limb = 5\n", ["unknown key 'limb'", "did you mean 'limbs'?"]),
    "place": (TABLE + 'at = "xy"\n', ["a place is two numbers"]),
    "place nan": (TABLE + "at = [nan, 1]\n", ["a place is two numbers"]),
    "definition": (TABLE + "definition = 5\n", ["a definition is text"]),
    "source": (TABLE + 'sigma_source = "x"\n', ["sigma_source 'x'", "known: assumed"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_a_bad_schema_is_one_line(case, tmp_path):
    text, words = BAD_SCHEMAS[case]
    has(broken(read_schema, tmp_path, text, "f.toml"), words)


def test_a_huge_schema_is_read_and_its_error_is_short(tmp_path):
    names = json.dumps([f"p{i}" for i in range(50_000)])
    path = tmp_path / "f.toml"
    path.write_text(f"keypoints = {names}\nsigmas = 0.1\n")
    assert len(read_schema(path)) == 50_000
    has(broken(read_schema, tmp_path, f'keypoints = {names}\nsigmas = 0.1\nlimbs = [["q", "r"]]\n', "f.toml"), ["no keypoint 'q'", "and 49,960 more"])


HEAD = "human,coco17,kind,note\n"
BAD_MAPPINGS = {
    "empty": ("", ["no header", "TARGET_SCHEMA,SOURCE_SCHEMA,kind,note"]),
    "unknown schema": ("humans,coco17,kind,note\n", ["no schema 'humans'", "did you mean 'human'?"]),
    "two cells": (HEAD + "nose,nose\n", ["without its four cells"]),
    "five cells": (HEAD + "nose,nose,exact,a,b\n", ["without its four cells"]),
    "unknown target": (HEAD + "noze,nose,exact,\n", ["no keypoint 'noze'", "did you mean 'nose'?"]),
    "unknown source": (HEAD + "nose,noze,exact,\n", ["no keypoint 'noze'"]),
    "two rows": (HEAD + "nose,nose,exact,\nnose,nose,exact,\n", ["two rows for 'nose'"]),
    "kind": (HEAD + "nose,nose,exactly,\n", ["kind 'exactly'", "did you mean 'exact'?"]),
    "weights": (HEAD + "nose,0.5*nose,exact,\n", ["sum to 0.5", "they sum to 1"]),
    "nan": (HEAD + "nose,nan*nose,exact,\n", ["sum to nan"]),
    "inf": (HEAD + "nose,inf*nose + -inf*left_eye,derived,\n", ["sum to nan"]),
    "not derived": (HEAD + "nose,0.5*nose + 0.5*left_eye,exact,\n", ["mark it derived"]),
    "no term": (HEAD + "nose,a*b*c,exact,\n", ["cannot read 'a*b*c'"]),
    "a cell too large": (HEAD + "nose," + "n" * 200_000 + ",exact,\n", ["field larger than field limit"]),
    "open quote": (HEAD + 'nose,"nose,exact,\n', ["without its four cells"]),
    "binary": (b"\xff\xfe", ["0xff"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_MAPPINGS)
def test_a_bad_mapping_is_one_line(case, tmp_path):
    text, words = BAD_MAPPINGS[case]
    has(broken(read_mapping, tmp_path, text, "f.csv"), words)


# -- arrays ------------------------------------------------------------------------------------------


def feet(n=2, **columns):
    return PoseDataset.from_arrays(schema="foot6", **{"image": list(range(1, n + 1)), "keypoints": np.zeros((n, 6, 3)), **columns})


BAD_ARRAYS = {
    "ids of two kinds": ({"image": [1, "a"]}, ["all whole numbers or all text"]),
    "float ids": ({"image": [1.0, 2.0]}, ["ids such as 1.0"]),
    "bool ids": ({"image": [True, False]}, ["ids such as True"]),
    "one id": ({"image": 1}, ["one id for each row"]),
    "ragged": ({"bbox": [[1, 2, 3, 4], [1]]}, ["Instances.bbox", "rows of one length"]),
    "ragged keypoints": ({"keypoints": [[1], [1, 2]]}, ["keypoints", "rows of one length"]),
    "text": ({"area": ["1", "2"]}, ["Instances.area", "numbers of kind float64"]),
    "dates": ({"area": np.array(["2020", "2021"], "M8[Y]")}, ["Instances.area", "numbers of kind float64"]),
    "complex": ({"keypoints": np.ones((2, 6, 3), complex)}, ["keypoints", "numbers of kind float64"]),
    "half a point": ({"keypoints": np.full((2, 6, 2), [1, np.nan])}, ["one of x and y is NaN"]),
    "half a box": ({"bbox": np.full((2, 4), [np.nan, 1, 1, 1])}, ["NaN in part"]),
    "unknown column": ({"areas": [1, 2]}, ["no column 'areas'", "did you mean 'area'?"]),
    "unknown image column": ({"images": {"id": [1, 2], "widht": [1, 2]}}, ["no column 'widht'", "did you mean 'width'?"]),
    "unknown image": ({"images": {"id": [1]}}, ["unknown image ids 2"]),
    "a column's name": ({"meta": {"area": [1, 2]}}, ["'area' is a column of its own"]),
    "no meta": ({"meta": 5}, ["columns by name"]),
    "wrong length": ({"area": [1]}, ["Instances.area", "shape (1,)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_arrays_are_never_coerced(case):
    columns, words = BAD_ARRAYS[case]
    with pytest.raises(DataError) as caught:
        feet(**columns)
    has(one_line(caught.value), words)


@pytest.mark.parametrize(
    "act",
    [
        lambda ds: ds.where(nope=1), lambda ds: ds.where(keypoints=1), lambda ds: ds.where([1, 0]), lambda ds: ds.where([True]), lambda ds: ds.where(area=lambda a: a),
        lambda ds: ds.take([5]), lambda ds: ds.take([0, 0]), lambda ds: ds.take([0.0]), lambda ds: ds.take(0), lambda ds: ds.take([[1], [1, 2]]), lambda ds: ds.take(np.zeros(0, bool)),
        lambda ds: ds.take_images([7]), lambda ds: ds.images.take([9]), lambda ds: ds.renumbered("x"), lambda ds: ds.renumbered(1.5), lambda ds: ds.as_schema(None),
        lambda ds: ds.as_schema("nope"), lambda ds: ds.as_schema("a\0.toml"), lambda ds: ds.as_schema("human", mapping="rows.csv"), lambda ds: ds.as_schema("human", kinds=["nope"]),
        lambda ds: concat([]), lambda ds: concat([ds, ds]), lambda ds: ds.to_coco("a\0b"), lambda ds: feet(meta={"image_id": [1, 2]}).to_coco(),
        lambda ds: feet(meta={"x": [np.inf, 1]}).to_coco(), lambda ds: feet(image=["\ud800", "b"]).to_coco(),
    ],
)  # fmt: skip
def test_odd_arguments_are_one_line(act):
    with pytest.raises(PoseError) as caught:
        act(feet())
    one_line(caught.value)


@pytest.mark.parametrize(
    ("image", "more"),
    [(1.5, {}), (True, {}), (None, {}), (2**70, {}), ([1], {}), (1, {"score": [1, 2]}), (1, {"score": "x"}), (1, {"score": None}), (1, {"bbox": [1, 2, 3]}), (1, {"category": 1.5}),
     (1, {"truth": [1, 2]}), (1, {"keypoints": 5}), (1, {"keypoints": [1] * 18}), (1, {"keypoints": [[[1, np.nan, 1]] * 6]}), (1, {"keypoints": [[["a"] * 3] * 6]})],
)  # fmt: skip
def test_a_misused_collector_is_one_line(image, more):
    with pytest.raises(PoseError) as caught:
        _collected(image, **{"keypoints": np.ones((1, 6, 3)), "score": [0.5], **more})
    one_line(caught.value)


def _collected(*given, **more):
    collector = Collector("foot6")
    collector.add(*given, **more)
    return collector.predictions()


def test_a_collector_keeps_kinds_of_ids_apart():
    def two(first, second):
        collector = Collector("foot6")
        for image, more in enumerate((first, second)):
            collector.add(image, np.ones((1, 6, 3)), 0.5, **more)
        return collector.predictions()

    assert two({"truth": "t"}, {}).truth.tolist() == ["t", ""]
    with pytest.raises(DataError):
        two({"category": "cat"}, {"category": 1})
    with pytest.raises(DataError):
        Predictions.from_arrays(schema="foot6", image=[1], keypoints=np.ones((1, 6, 3)), score=[1], nope=[1])
    with pytest.raises(DataError):
        Predictions.from_arrays(schema="foot6", image=[1], keypoints=np.ones((1, 6, 3)), score=[1], header={"model": object()}).to_json()


# -- cache -------------------------------------------------------------------------------------------


def test_a_changed_file_of_the_same_size_and_time_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST", 1)
    path = tmp_path / "f.json"
    path.write_text(json.dumps(truth()))
    before = path.stat()
    assert read_coco(path).instances.area[0] == 12.5
    path.write_text(json.dumps(truth()).replace("12.5", "13.5"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_coco(path).instances.area[0] == 13.5


@pytest.mark.parametrize(
    "value", [truth(), {"images": [{"id": "ж"}], "annotations": []}, {"images": [], "annotations": []}], ids=["people", "no points", "nothing"]
)
def test_a_damaged_cache_costs_time_only(value, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST", 1)
    path = tmp_path / "f.json"
    path.write_text(json.dumps(value))
    want = read_coco(path).to_coco()
    assert next((tmp_path / "cache" / "columns").iterdir()).is_dir()
    flip = lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:]
    for name, damages in {"header": [flip], "columns.bin": []}.items():
        for damage in (*damages, lambda b: b[:-3], lambda b: b"", lambda b: b"{}"):
            for file in (tmp_path / "cache" / "columns").glob(f"*/{name}"):
                file.write_bytes(damage(file.read_bytes()))
            assert read_coco(path).to_coco() == want
    folder = next((tmp_path / "cache" / "columns").iterdir())
    (folder / "header").unlink()
    assert read_coco(path).to_coco() == want
    monkeypatch.setenv("POSEBENCH_CACHE", str(path))
    assert read_coco(path).to_coco() == want


# -- commands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["convert", "no.json", "out.json"], ["convert", "f.json", "out.xyz"], ["convert", "f.json", "out.json", "--as", "nope"], ["convert", "f.json", "out.json", "--mapping", "no.csv"],
     ["convert", "f.json", "out.json", "--schema", "foot6"], ["convert", "a" * 3000 + ".json", "out.json"], ["convert", "broken.json", "out.json"], ["convert", ".", "out.json"],
     ["show", "f.json", "-o", "out.txt"], ["show", "f.json", "--by", "nope"], ["show", "none"], ["convert", "f.json", "f.json/out.json"]],
)  # fmt: skip
def test_a_misused_command_is_one_line_and_exit_2(arguments, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps(truth()))
    (tmp_path / "broken.json").write_text('{"images": [')
    done = _run(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    done = _run(tmp_path, *arguments, "--json")
    assert done.returncode == 2
    assert set(json.loads(done.stdout)["error"]) == {"where", "seen", "cure"}
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["broken.json", "f.json"]


def test_a_wrong_usage_is_an_object_with_json(tmp_path):
    for arguments in (["convert"], ["convert", "f.json"], ["show", "f.json", "-n", "x"], ["convert", "f.json", "o.json", "--nope"]):
        done = _run(tmp_path, *arguments, "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["seen"]
        assert _run(tmp_path, *arguments).returncode == 2


def _run(folder, *arguments):
    code = "from posedata.cli import main; main()"
    path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": path}
    )


def test_one_very_long_line_reads_like_any_other(tmp_path):
    """10 MB in the normal run; POSE_LONG=1 makes it 1 GB."""
    note = {"id": 1, "image_id": 1, "category_id": 1, "note": "x" * (1_000_000_000 if os.environ.get("POSE_LONG") else 10_000_000)}
    file = tmp_path / "long.json"
    file.write_bytes(msgspec.json.encode({"images": [{"id": 1, "file_name": "a"}], "annotations": [note], "categories": [{"id": 1, "name": "x"}]}))
    ds = read_coco(file, cache=False)
    assert ds.to_coco() == file.read_bytes()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(PoseError) as caught:
        read_coco(file)
    assert len(str(caught.value)) < 400
