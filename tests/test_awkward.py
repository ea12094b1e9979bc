"""Awkward input gives the right number, or one sentence with the file, the record and the cure; never a silent number."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
from posebench import COCO, Evaluation
from posedata import PoseDataset, Predictions, Schema, load_schema, read_coco
from posedata.errors import PoseError
from tests.scored import ROOT, Json, annotations, command, results, written

Change = Callable[[Json, list[Json]], Any]


def each_truth(**values: Any) -> Change:
    return lambda truth, found: [a.update(values) for a in truth["annotations"]]


def each_truth_without(*keys: str) -> Change:
    return lambda truth, found: [a.pop(k) for a in truth["annotations"] for k in keys]


def each_result(**values: Any) -> Change:
    return lambda truth, found: [r.update({k: v(r) if callable(v) else v for k, v in values.items()}) for r in found]


def one_result(row: int = 1, **values: Any) -> Change:
    return lambda truth, found: found[row].update(values)


def one_without(key: str, row: int = 1) -> Change:
    return lambda truth, found: found[row].pop(key)


def one_number(value: Any) -> Change:
    return lambda truth, found: found[1]["keypoints"].__setitem__(0, value)


def moved(change: Callable[[Any], Any]) -> Change:
    """Every result's points, (17, 3), changed."""
    return each_result(keypoints=lambda r: np.asarray(change(np.reshape(np.array(r["keypoints"], float), (-1, 3)))).ravel().tolist())


def together(*changes: Change) -> Change:
    return lambda truth, found: [change(truth, found) for change in changes]


def header(**fields: Any) -> Change:
    return lambda truth, found: found[0].update(posebench={"version": 1, "schema": "coco17", **fields})


def texts(*tables: str) -> Change:
    """Image ids as text."""

    def change(truth: Json, found: list[Json]) -> None:
        rows = {"images": truth["images"], "annotations": truth["annotations"], "results": found}
        for table in tables:
            for row in rows[table]:
                key = "id" if table == "images" else "image_id"
                row[key] = str(row[key])

    return change


def again(table: str, **values: Any) -> Change:
    return lambda truth, found: truth[table].append({**truth[table][0], **values})


def scored(folder: Path, change: Change | None = None, schema: str = "coco17", **options: Any) -> Evaluation:
    truth = annotations(schema=schema)
    found = results(truth)
    if change:
        change(truth, found)
    return posebench.evaluate(*written(folder, truth, found), **options)


def said(folder: Path, change: Change, schema: str = "coco17", **options: Any) -> str:
    """The one line of an input that is refused, without its folder."""
    with pytest.raises(PoseError) as told:
        scored(folder, change, schema, **options)
    assert str(told.value).isprintable()
    return str(told.value).replace(f"{folder}{os.sep}", "")


def named(form: str) -> Change:
    """Results that name their image by its file, `a/000000000001.jpg`."""
    return each_result(image_id=lambda r: form.format(r["image_id"]))


# -- the right number ------------------------------------------------------------------------------------

PERFECT: dict[str, Change] = {
    "results without bbox": lambda truth, found: None,
    "results with bbox": each_result(bbox=[5, 5, 60, 100]),
    "some results without bbox": one_result(bbox=[5, 5, 60, 100]),
    "truth without bbox": each_truth_without("bbox"),
    "truth without iscrowd": each_truth_without("iscrowd"),
    "iscrowd true or false": each_truth(iscrowd=False),
    "truth without num_keypoints": each_truth_without("num_keypoints"),
    "an annotation without keypoints, not to be found": lambda truth, found: (truth["annotations"][0].pop("keypoints"), truth["annotations"][0].update(num_keypoints=0)),
    "an annotation with an empty list of keypoints": lambda truth, found: truth["annotations"][0].update(keypoints=[], num_keypoints=0),
    "a bare crowd beside the truths": lambda truth, found: truth["annotations"].append({"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 1}),
    "string image ids in both": texts("images", "annotations", "results"),
    "string category ids in both": lambda truth, found: [row.update({k: "1"}) for rows, k in ((truth["categories"], "id"), (truth["annotations"], "category_id"), (found, "category_id")) for row in rows],
    "an annotation with id 0": lambda truth, found: truth["annotations"][0].update(id=0),
    "an annotation with id -1": lambda truth, found: truth["annotations"][0].update(id=-1),
    "an image listed twice": again("images"),
    "image ids that are whole floats": each_result(image_id=lambda r: float(r["image_id"])),
    "an image of nobody": again("images", id=99, file_name="empty.jpg"),
    "results without category_id, one category 1": lambda truth, found: [r.pop("category_id") for r in found],
    "negative scores": each_result(score=lambda r: r["score"] - 5),
    "equal scores": each_result(score=1),
    "keypoints as triples": each_result(keypoints=lambda r: [r["keypoints"][i : i + 3] for i in range(0, len(r["keypoints"]), 3)]),
    "keys nobody knows": each_result(center=[1, 2], scale=[1, 1], track_id=None),
    "a header that lists all images": header(images=[4, 3, 2, 1]),
    "a header that lists an image twice": header(images=[1, 1, 2, 3, 4]),
    "area 0 and an exact hit": each_truth(area=0),
}  # fmt: skip


@pytest.mark.parametrize("case", PERFECT)
def test_perfect_predictions_are_perfect_however_they_are_written(tmp_path: Path, case: str) -> None:
    ev = scored(tmp_path, PERFECT[case])
    assert ev["AP"] == pytest.approx(1, abs=1e-12)
    assert ev["AR"] == 1
    expected = {"area 0 and an exact hit": "4 of 4 counted truths", "equal scores": "all 4 predictions have the score 1"}
    assert [w[: len(expected.get(case, ""))] for w in ev.warnings] == ([expected[case]] if case in expected else [])


@pytest.mark.parametrize("key", ["annotations", "predictions", "results"])
def test_results_may_be_wrapped_in_an_object(tmp_path: Path, key: str) -> None:
    truth = annotations()
    assert posebench.evaluate(*written(tmp_path, truth, {key: results(truth), "info": {}}))["AP"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "ap", "ar", "counted"),
    [
        pytest.param(lambda truth, found: found.clear(), 0.0, 0.0, 4, id="an empty list of results"),
        pytest.param(lambda truth, found: truth["annotations"].clear(), None, None, 0, id="no truth at all"),
        pytest.param(lambda truth, found: [truth[k].clear() for k in ("images", "annotations")] + [found.clear()], None, None, 0, id="no images"),
        pytest.param(each_truth(keypoints=[0] * 51, num_keypoints=0), None, None, 0, id="truth without any labelled point"),
        pytest.param(together(each_truth(keypoints=[0] * 51), each_truth_without("num_keypoints")), None, None, 0, id="no labelled point, nothing recorded"),
        pytest.param(each_truth(iscrowd=1), None, None, 0, id="crowds only"),
        # found, false, found, false, ...: precision 1, 2/3, 3/5, 4/7 at recall 1/4, 1/2, 3/4, 1
        pytest.param(lambda truth, found: found.extend([dict(r) for r in found]), (26 + 25 * (2 / 3 + 3 / 5 + 4 / 7)) / 101, 1.0, 4, id="every prediction twice"),
        pytest.param(lambda truth, found: found.pop(), 76 / 101, 0.75, 4, id="one truth not predicted"),
        pytest.param(moved(lambda p: p[:, [1, 0, 2]]), 0.0, 0.0, 4, id="x and y exchanged"),
        pytest.param(moved(lambda p: p / (640, 480, 1)), 0.0, 0.0, 4, id="coordinates from 0 to 1"),
        pytest.param(moved(lambda p: p * (0.25, 0.25, 1)), 0.0, 0.0, 4, id="coordinates of a smaller picture"),
        pytest.param(together(each_truth(area=0), moved(lambda p: np.add(p, (0, 1, 0)))), 0.0, 0.0, 4, id="zero areas, a pixel off"),
        pytest.param(together(each_truth(area=1), moved(lambda p: np.add(p, (0, 1, 0)))), 0.0, 0.0, 4, id="areas of 1, a pixel off"),
        # one absent point of 17, at (0, 0) and so of similarity 0: 16/17 reaches every threshold but .95
        pytest.param(moved(lambda p: p * (np.arange(17) > 0)[:, None]), 0.9, 0.9, 4, id="a point left out"),
    ],
)  # fmt: skip
def test_odd_but_legal_input_gives_its_number(tmp_path: Path, change: Change, ap: float | None, ar: float | None, counted: int) -> None:
    ev = scored(tmp_path, change)
    wanted = pytest.approx([np.nan if x is None else x for x in (ap, ar)], abs=1e-12, nan_ok=True)
    assert [ev["AP"], ev["AR"]] == wanted
    assert ev.counts["counted"] == ev.measured("AP").n == counted
    assert ev.to_dict()["metrics"]["AP"] == (None if ap is None else pytest.approx(ap, abs=1e-12))


def test_a_point_at_the_end_of_the_world_is_merely_wrong(tmp_path: Path) -> None:
    """The second of four has 16 of 17 points: at .95 it is a false positive between hits."""
    at_95 = (26 + 50 * 3 / 4) / 101  # hit, miss, hit, hit: precision 1, then at best 3/4 up to recall 3/4
    assert scored(tmp_path, one_number(9e15))["AP"] == pytest.approx(0.9 + 0.1 * at_95, abs=1e-12)


def test_a_truth_counted_for_its_num_keypoints_alone_is_warned_of(tmp_path: Path) -> None:
    """pycocotools compares it by its box; so do we, and say it."""
    ev = scored(tmp_path, each_truth(keypoints=[0] * 51))
    assert ev["AP"] == pytest.approx(1, abs=1e-12)
    assert "4 truths count by their num_keypoints though no point is labelled" in ev.warnings[0]


# -- areas -----------------------------------------------------------------------------------------------


def test_without_areas_the_share_of_the_box_stands_in_and_is_named(tmp_path: Path) -> None:
    shift = moved(lambda p: np.add(p, (3, 0, 0)))
    ev = scored(tmp_path, together(each_truth_without("area"), shift))
    same = scored(tmp_path, together(each_truth(area=60 * 100 * 0.53), shift))
    assert 0 < ev["AP"] == same["AP"] < 1
    assert "no area in the truth: .53 of the box stands in" in ev.warnings[0]
    assert ".53 box, for the truth has none by the rule" in ev.block()
    assert ev.to_dict()["protocol"]["used"]["area"] == ".53 box, for the truth has none by the rule"


def test_without_area_and_box_the_extent_stands_in(tmp_path: Path) -> None:
    """Points span 48 x 8 pixels."""
    shift = moved(lambda p: np.add(p, (1, 0, 0)))
    ev = scored(tmp_path, together(each_truth_without("area", "bbox"), shift))
    assert 0 < ev["AP"] == scored(tmp_path, together(each_truth(area=48 * 8), shift))["AP"] < 1
    assert len(ev.warnings) == 1
    assert "neither area nor box in the truth: the extent of the labelled points stands in" in ev.warnings[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda truth, found: truth["annotations"][1].pop("area"), "no area in 1 of 4 truths, the first with id 102; fill it in, or choose another rule in the protocol: truth_area = '.53 box' or 'extent'"),
        (lambda truth, found: [truth["annotations"][1].pop(k) for k in ("area", "bbox")], "no area in 1 of 4 truths, the first with id 102; .*truth_area = 'extent'$"),
        (together(each_truth_without("area"), lambda truth, found: truth["annotations"][2].pop("bbox")), "no bbox in 1 of 4 truths, the first with id 103"),
        (each_truth(area=-1), "negative area in instance 101, 102, 103, 104; correct the file"),
        (each_truth(area=float("inf")), "NaN or infinite"),
        (each_truth(area=None), r"\$.annotations\[0\].area: null where a number is needed"),
    ],
)  # fmt: skip
def test_areas_that_are_there_in_part_are_named(tmp_path: Path, change: Change, words: str) -> None:
    assert re.search(words, said(tmp_path, change))


def test_the_rule_that_an_error_names_works(tmp_path: Path) -> None:
    change = lambda truth, found: truth["annotations"][1].pop("area")
    assert scored(tmp_path, change, protocol=COCO.replace(truth_area=".53 box"))["AP"] == pytest.approx(1, abs=1e-12)


def test_ignored_truths_need_no_area(tmp_path: Path) -> None:
    change = lambda truth, found: (truth["annotations"][0].pop("area"), truth["annotations"][0].update(iscrowd=1))
    assert scored(tmp_path, change).counts["counted"] == 3


# -- one sentence ----------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Change, str]] = [
    ("null in one result", one_number(None), "preds.json $[1].keypoints: [null, 40.0, 2"),
    ("NaN in one result", one_number(float("nan")), "preds.json $[1].keypoints[0] is NaN: 1 values that are NaN or infinite; JSON has no such numbers"),
    ("infinity in one result", one_number(float("inf")), "preds.json $[1].keypoints[0] is Infinity"),
    ("a coordinate of 1e300", one_number(1e300), "preds.json $[1].keypoints: 1e+300 is out of range"),
    ("text among the numbers", one_number("12"), "preds.json $[1].keypoints"),
    ("a result without score", one_without("score"), "preds.json $[1].score: missing; every record has a score"),
    ("a score that is NaN", one_result(score=float("nan")), "preds.json $[1].score is NaN"),
    ("a score that is text", one_result(score="0.9"), '$[1].score: "0.9" where a number is needed'),
    ("a result without keypoints", one_without("keypoints"), "preds.json $[1].keypoints: missing"),
    ("a result without image_id", one_without("image_id"), "preds.json $[1].image_id: missing"),
    ("a result without category_id among others", one_without("category_id"), "preds.json $[1].category_id: missing"),
    ("an image id of 1.5", each_result(image_id=1.5), "$[0].image_id: 1.5 where a whole number is needed"),
    ("16 keypoints", each_result(keypoints=[1] * 48), "preds.json: 4 faults: $[0].keypoints: 48 numbers"),
    ("x and y only", each_result(keypoints=[1] * 34), "preds.json: 4 faults: $[0].keypoints: 34 numbers"),
    ("string image ids in the truth", texts("images", "annotations"), "predictions $[0].image_id: 4 of 4 predictions name unknown image ids 1, 2, 3, and 1 more; ids are numbers here and text in the truth ('1'); write them as text"),
    ("string image ids in the results", texts("results"), "unknown image ids '1', '2', '3', and 1 more; ids are text here and numbers in the truth (1); write them as numbers"),
    ("string category ids in the results", each_result(category_id="1"), "predictions $[0].category_id: 4 of 4 predictions have category '1'; the truth has 1 person; category ids are numbers in the truth and text in the predictions"),
    ("string category ids in the truth", lambda truth, found: [row.update({k: "1"}) for rows, k in ((truth["categories"], "id"), (truth["annotations"], "category_id")) for row in rows], "category ids are text in the truth and numbers in the predictions: write them as text"),
    ("categories counted from 0", each_result(category_id=0), "have category 0; the truth has 1 person; counted from 0? add 1 to category_id"),
    ("categories off by one", each_result(category_id=2), "have category 2; the truth has 1 person; off by one? subtract 1 from category_id"),
    ("another category", each_result(category_id=44), "have category 44; the truth has 1 person; drop them with --allow-unknown"),
    ("one result for an unknown image", one_result(image_id=99), "predictions $[1].image_id: 1 of 4 predictions name unknown image ids 99; predictions of another split? drop them with --allow-unknown (unknown='drop')"),
    ("most for unknown images", lambda truth, found: [r.update(image_id=900 + i) for i, r in enumerate(found) if i], "predictions $[1].image_id: 3 of 4 predictions name unknown image ids 901, 902, 903;"),
    ("all for unknown images", each_result(image_id=lambda r: 900 + r["image_id"]), "4 of 4 predictions name unknown image ids 901, 902, 903, and 1 more: none is an image of 'truth'; predictions of another split or dataset?"),
    ("files that are not those of the truth", named("b/{:03d}.png"), "as file names 0 of 4 match; write the ids, or file names such as 'a/000000000001.jpg'"),
    ("files, one of them unknown", together(named("a/{:012d}.jpg"), one_result(image_id="x.jpg")), "as file names 3 of 4 match"),
    ("an image listed twice, in two ways", again("images", width=3), "truth.json $.images[4].id: 1 is also the id of another image"),
    ("an annotation listed twice", again("annotations"), "truth.json $.annotations[0].id: 101 stands 2 times; every entry has its own id"),
    ("an annotation of an image that is not there", lambda truth, found: truth["annotations"][0].update(image_id=77), "truth.json $.annotations[0].image_id: no image has id 77; add the image or drop the annotation"),
    ("categories without names of keypoints", lambda truth, found: truth["categories"][0].pop("keypoints"), "its category names no keypoints; give schema=NAME"),
    ("truth with v = 3", lambda truth, found: truth["annotations"][0]["keypoints"].__setitem__(2, 3), "truth.json $.annotations[0].keypoints: v = 3; v is 0 (not labelled), 1 (hidden) or 2 (seen)"),
    ("truth with NaN", lambda truth, found: truth["annotations"][0]["keypoints"].__setitem__(0, float("nan")), "truth.json $.annotations[0].keypoints[0] is NaN"),
    ("a header that lists an unknown image", header(images=[1, 2, 3, 4, 77]), "predictions header images: 1 of 5 name no image of 'truth': 77; predictions of another split or dataset?"),
    ("a header that lists fewer images than are predicted", header(images=[1, 2]), "predictions $[2].image_id: 2 of 4 predictions lie on images that the header does not list: 3, 4"),
    ("a header that lists no image", header(images=[]), "predictions header images: []; 'all', or a list of image ids"),
    ("a header with a word for images", header(images="some"), "predictions header images: 'some'; 'all', or a list of image ids"),
    ("a header with lists of lists", header(images=[[1, 2], [3]]), "predictions header images: "),
    ("a header with ids of two kinds", header(images=[1, "2"]), "predictions header images: ids such as '2'"),
    ("a header of another schema", header(schema="foot6"), "its header says schema 'foot6', you say 'coco17'"),
    ("a header with a field nobody knows", header(modle="x"), "unknown field 'modle'; did you mean 'model'?"),
    ("two headers in a file", together(header(model="a"), lambda truth, found: found[1].update(posebench={"version": 1, "schema": "coco17", "model": "b"})), "preds.json: 2 different headers; one file holds the predictions of one model on one set"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), [pytest.param(c, w, id=name) for name, c, w in REFUSED])
def test_input_without_an_honest_number_is_one_sentence(tmp_path: Path, change: Change, words: str) -> None:
    assert words in said(tmp_path, change)


@pytest.mark.parametrize("name", ["null in one result", "a result without score", "16 keypoints", "string category ids in the results", "one result for an unknown image", "all for unknown images", "categories counted from 0", "an annotation listed twice", "two headers in a file"])  # fmt: skip
def test_the_command_says_the_same_sentence(tmp_path: Path, name: str) -> None:
    change, words = next((c, w) for n, c, w in REFUSED if n == name)
    truth = annotations()
    found = results(truth)
    change(truth, found)
    written(tmp_path, truth, found)
    done = command("evaluate", "preds.json", "--truth", "truth.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("posebench: ") and done.stderr.count("\n") == 1
    assert words in done.stderr
    spoken = command("evaluate", "preds.json", "--truth", "truth.json", "--json", cwd=tmp_path)
    assert (spoken.returncode, spoken.stderr) == (2, "")
    error = json.loads(spoken.stdout)["error"]
    assert set(error) == {"where", "seen", "cure"}
    assert words in f"{error['where']}: {error['seen']}; {error['cure']}"


@pytest.mark.parametrize(
    ("truth", "found", "words"),
    [
        (annotations(), 5, "preds.json $: a whole number where a list is needed"),
        (annotations(), [None], "preds.json $[0]: null where an object is needed"),
        (annotations(), {"detections": []}, "preds.json: no list of results among 'detections'; results are a list of records"),
        (annotations(), annotations(), "preds.json: an annotation file where results are needed"),
        (results(annotations()), results(annotations()), "truth.json: a list where an annotation file holds an object; a results file?"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path: Path, truth: Any, found: Any, words: str) -> None:
    with pytest.raises(PoseError) as told:
        posebench.evaluate(*written(tmp_path, truth, found))
    assert words in str(told.value)


# -- images and splits -------------------------------------------------------------------------------------


def test_unknown_images_can_be_dropped_and_are_counted(tmp_path: Path) -> None:
    ev = scored(tmp_path, one_result(image_id=99), unknown="drop")
    assert ev["AP"] == pytest.approx(76 / 101, abs=1e-12)
    assert ev.warnings == ("1 of 4 predictions name images or categories that the truth lacks; they were dropped, as asked",)
    ev = scored(tmp_path, together(header(images=[1, 2, 3, 4, 77]), one_result(image_id=77)), unknown="drop")
    assert ev["AP"] == pytest.approx(76 / 101, abs=1e-12)
    with pytest.raises(PoseError, match="unknown='maybe'; one of: error, drop"):
        scored(tmp_path, unknown="maybe")


def test_unknown_images_are_dropped_by_the_command_when_asked(tmp_path: Path) -> None:
    truth = annotations()
    found = results(truth)
    found[1]["image_id"] = 99
    written(tmp_path, truth, found)
    done = command("evaluate", "preds.json", "--truth", "truth.json", "--allow-unknown", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["warnings"] == ["1 of 4 predictions name images or categories that the truth lacks; they were dropped, as asked"]


@pytest.mark.parametrize(
    ("form", "what"), [("a/{:012d}.jpg", "file name"), ("{:012d}.jpg", "file name without folder"), ("{:012d}", "file name without ending")]
)
def test_file_names_may_be_the_ids(tmp_path: Path, form: str, what: str) -> None:
    ev = scored(tmp_path, named(form))
    assert ev["AP"] == pytest.approx(1, abs=1e-12)
    assert ev.warnings == (f"predictions name images by {what}, not by id: names were taken for ids",)
    listed = together(named(form), lambda truth, found: found.__delitem__(slice(2, None)), header(images=[form.format(1), form.format(2)]))
    assert scored(tmp_path, listed).counts["images"] == 2


def test_file_names_that_are_not_unique_are_no_ids(tmp_path: Path) -> None:
    change = together(named("x.jpg"), lambda truth, found: [i.update(file_name=f"{i['id']}/x.jpg") for i in truth["images"]])
    assert "ids are text here and numbers in the truth" in said(tmp_path, change)


def test_only_the_images_the_header_lists_are_scored(tmp_path: Path) -> None:
    ev = scored(tmp_path, together(header(images=[2, 1]), lambda truth, found: found.__delitem__(slice(2, None))))
    assert (ev["AP"], ev.counts["truths"]) == (pytest.approx(1, abs=1e-12), 2)
    assert ev.warnings == ("scored on 2 of 4 images: those the header of the predictions lists",)


def test_a_listed_image_without_predictions_counts(tmp_path: Path) -> None:
    ev = scored(tmp_path, together(header(images=[1, 2, 3]), lambda truth, found: found.__delitem__(slice(2, None))))
    assert ev["AR"] == pytest.approx(2 / 3)


def test_a_header_of_another_dataset_is_warned_of() -> None:
    truth = PoseDataset.from_arrays(schema="foot6", name="coco_foot val", image=[1], keypoints=[[[5, 5, 2]] * 6], area=[100.0])
    found = Predictions.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 1]] * 6], score=[1], header={"dataset": "coco_foot", "split": "train"})
    assert "the header of the predictions names coco_foot/train; they are scored on coco_foot val" in posebench.evaluate(truth, found, COCO).warnings
    same = Predictions.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 1]] * 6], score=[1], header={"dataset": "coco_foot", "split": "val"})
    assert posebench.evaluate(truth, same, COCO).warnings == ()


def test_several_files_are_one_set_unless_their_headers_differ(tmp_path: Path) -> None:
    truth = annotations()
    found = results(truth)
    path, _ = written(tmp_path, truth, found)
    parts = [tmp_path / "p1.json", tmp_path / "p2.json"]
    for part, rows in zip(parts, (found[:2], found[2:]), strict=True):
        part.write_text(json.dumps(rows))
    assert posebench.evaluate(path, parts)["AP"] == pytest.approx(1, abs=1e-12)
    parts[1].write_text(json.dumps([{**found[2], "posebench": {"version": 1, "schema": "coco17"}}]))
    with pytest.raises(PoseError, match="different headers; evaluate them one by one"):
        posebench.evaluate(path, parts)


# -- npz ---------------------------------------------------------------------------------------------------


def from_npz(folder: Path, change: Callable[[Any], Any] | None = None, **columns: Any) -> Evaluation:
    truth = annotations()
    found = results(truth)
    path, _ = written(folder, truth, found)
    points = np.array([r["keypoints"] for r in found], float).reshape(-1, 17, 3)
    if change:
        change(points)
    np.savez(folder / "preds.npz", **{"image": np.arange(1, 5), "keypoints": points, "score": np.linspace(0.9, 0.6, 4), **columns})
    return posebench.evaluate(path, folder / "preds.npz")


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        (np.nan, (1, 0, 0), "preds.npz Predictions row 1: one of x and y is NaN; an absent point has both"),
        (np.nan, (1, 0, 2), "preds.npz Predictions row 1: confidence that is no number"),
        (np.inf, (1, 0, 0), "preds.npz Predictions row 1: infinite coordinates; an absent point is NaN, NaN"),
    ],
)
def test_numbers_that_are_none_are_refused_in_npz(tmp_path: Path, value: float, place: tuple[int, ...], words: str) -> None:
    with pytest.raises(PoseError, match=words):
        from_npz(tmp_path, lambda p: p.__setitem__(place, value))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"score": np.full(4, np.nan)}, "Predictions row 0: score that is no number"),
        ({"score": np.full(3, 0.5)}, "Predictions.score"),
        ({"image": np.arange(4.0)}, "image: ids such as 0.0; ids of one table are all whole numbers or all text"),
        ({"image": np.array(list("1234"))}, "ids are text here and numbers in the truth"),
        ({"keypoints": np.ones((4, 16, 3))}, "Predictions.keypoints: 16 points; schema 'coco17' has 17"),
        ({"keypoints": np.ones((4, 17, 3), object)}, "not an .npz file of plain arrays"),
        ({"bbox": np.array([[1, 1, np.nan, 1]] * 4)}, "a box that is infinite, or NaN in part"),
        ({"category": np.array(["person"] * 4)}, "have category 'person'; the truth has 1 person"),
    ],
)
def test_columns_that_do_not_fit_are_refused_in_npz(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(PoseError, match=words):
        from_npz(tmp_path, **columns)


def test_absent_points_and_huge_ones_cost_just_these_points_in_npz(tmp_path: Path) -> None:
    at_95 = (26 + 50 * 3 / 4) / 101
    for value in (np.nan, 1e300):
        ev = from_npz(tmp_path, lambda p, value=value: p.__setitem__((1, 0, slice(0, 2)), value))  # type: ignore[misc]
        assert ev["AP"] == pytest.approx(0.9 + 0.1 * at_95, abs=1e-12)
    assert from_npz(tmp_path, lambda p: p.__setitem__((1, slice(0, 2), 0), (1e308, -1e308)))["AR"] < 1


@pytest.mark.slow
def test_a_million_predictions_for_one_image_are_cut_before_any_pair_is_formed(tmp_path: Path) -> None:
    truth = annotations()
    path, _ = written(tmp_path, truth, [])
    n, rng = 1_000_000, np.random.default_rng(0)
    points = rng.uniform(0, 300, (n, 17, 3)).astype(np.float32)
    score = rng.uniform(0, 0.5, n).astype(np.float32)
    points[77_777] = np.reshape(truth["annotations"][0]["keypoints"], (17, 3))
    score[77_777] = 0.75
    np.savez(tmp_path / "preds.npz", image=np.ones(n, np.int64), keypoints=points, score=score)
    del points
    code = f"""
import posebench, resource, time
started = time.process_time()
ev = posebench.evaluate({str(path)!r}, {str(tmp_path / "preds.npz")!r})
print(ev["AR"], ev.counts["scored"], len(ev.workings.pairs()), time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, env=env)
    recall, kept, pairs, seconds, megabytes = map(float, done.stdout.split())
    assert (recall, kept, pairs) == (0.25, 20, 20)
    assert seconds < 30, "about four"
    assert megabytes < 3000, "the columns alone are 400 in float64; about 1300 in all"


# -- schemas -------------------------------------------------------------------------------------------------


def test_two_schemas_are_refused_with_the_way_out(tmp_path: Path) -> None:
    truth = annotations(schema="crowdpose14")
    found = results(annotations())
    found[0]["posebench"] = {"version": 1, "schema": "coco17"}
    paths = written(tmp_path, truth, found)
    with pytest.raises(PoseError, match="schema"):
        posebench.evaluate(*paths)
    with pytest.raises(PoseError, match=r"predictions of schema 'coco17' \(17 points\) against truth of 'crowdpose14' \(14\)") as told:
        posebench.evaluate(PoseDataset.from_arrays(schema="crowdpose14", image=[1], keypoints=[[[5, 5, 2]] * 14]), Predictions.from_arrays(schema="coco17", image=[1], keypoints=[[[5, 5, 1]] * 17], score=[1]))  # fmt: skip
    assert "--mapping" in told.value.cure and "mapping=" in told.value.cure


def across(tmp_path: Path) -> tuple[PoseDataset, Predictions]:
    """COCO's points predicted on CrowdPose's truth, a few pixels off, some truths with head and neck alone."""
    rng = np.random.default_rng(3)
    names, own = load_schema("coco17").names, load_schema("crowdpose14").names
    n = 12
    points = np.concatenate([rng.uniform(20, 400, (n, 14, 2)), np.full((n, 14, 1), 2.0)], -1)
    points[0, :12] = 0  # head and neck only
    truth = PoseDataset.from_arrays(
        schema="crowdpose14", name="crowd", image=np.repeat(np.arange(4), 3), keypoints=points, bbox=np.tile([20.0, 20, 380, 380], (n, 1)), recorded=(points[:, :12, 2] > 0).sum(1)
    )  # fmt: skip
    found = rng.uniform(0, 400, (n, 17, 3))
    for column, name in enumerate(names):
        if name in own:
            found[:, column, :2] = points[:, own.index(name), :2] + rng.normal(0, 25, (n, 2))
    return truth, Predictions.from_arrays(schema="coco17", image=truth.images.id[truth.instances.image], keypoints=found, score=rng.random(n))


def test_a_mapping_that_loses_no_point_leaves_who_counts_to_num_keypoints(tmp_path: Path) -> None:
    truth = annotations(schema="crowdpose14")
    truth["annotations"][0]["num_keypoints"] = 0
    files = written(tmp_path, truth, results(truth))
    assert posebench.evaluate(*files).counts["counted"] == 3
    ev = posebench.evaluate(*files, schema="crowdpose14", mapping="known")
    assert ev.counts["counted"] == 3 and ev.warnings[0].endswith("on 14 of the 14 points of 'crowdpose14' (exact mapping)")


def test_a_mapping_scores_the_common_points_alone(tmp_path: Path) -> None:
    """Equal to an evaluation of both brought to the twelve points by hand; head and neck are in no denominator."""
    truth, found = across(tmp_path)
    ev = posebench.evaluate(truth, found, mapping="known")
    own, names = load_schema("crowdpose14").names, load_schema("coco17").names
    by_hand = found.keypoints[:, [names.index(name) for name in own[:12]]]
    points = truth.instances.keypoints.copy()
    points[:, 12:] = 0
    common = PoseDataset.from_arrays(schema="crowdpose14", image=truth.images.id[truth.instances.image], keypoints=points, bbox=truth.instances.bbox)
    direct = Predictions.from_arrays(schema="crowdpose14", image=found.image, keypoints=np.concatenate([by_hand, np.full((12, 2, 3), 7.0)], 1), score=found.score)  # fmt: skip
    wanted = posebench.evaluate(common, direct, ev.protocol)
    for name in ("AP", "AP@0.50", "AP@0.75", "AR"):
        assert ev[name] == pytest.approx(wanted[name], abs=1e-12)
    assert 0 < ev["AP"] < 1
    assert ev.counts["keypoints"] == 11 * 12
    assert ev.counts["counted"] == 11, "who has head and neck alone has no point in common"
    assert ev.by("keypoint", ["AP"])["n AP"].to_dict() == {**dict.fromkeys(own[:12], 11), "head": 0, "neck": 0}


def test_a_mapping_is_stated_in_the_result(tmp_path: Path) -> None:
    truth, found = across(tmp_path)
    ev = posebench.evaluate(truth, found, mapping="known")
    note = "predictions of 'coco17' on 12 of the 14 points of 'crowdpose14'"
    assert note in ev.warnings[0] and "left out: head, neck" in ev.warnings[0]
    assert note in ev.to_json() and note in str(ev)


def test_a_mapping_through_the_command(tmp_path: Path) -> None:
    truth, found = across(tmp_path)
    truth.to_coco(tmp_path / "truth.json")
    found.to_json(tmp_path / "preds.json")
    refused = command("evaluate", "preds.json", "--truth", "truth.json", cwd=tmp_path)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    done = command("evaluate", "preds.json", "--truth", "truth.json", "--mapping", "known", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["metrics"]["AP"] == pytest.approx(posebench.evaluate(truth, found, mapping="known")["AP"], abs=1e-12)


@pytest.mark.parametrize("mapping", ["nowhere.csv", "unknown"])
def test_a_mapping_that_is_nowhere_is_refused(tmp_path: Path, mapping: str) -> None:
    with pytest.raises(PoseError, match=mapping):
        posebench.evaluate(*across(tmp_path), mapping=mapping)


@pytest.mark.parametrize(
    ("truth", "found", "words"),
    [
        (3, "p.json", "evaluate: truth: 3; files, the name of a dataset"),
        ("t.json", 3, "evaluate: predictions: 3; files"),
        ("t.json", None, "evaluate: predictions: None; files"),
        ("t.json", b"p.json", "evaluate: predictions: b'p.json'; files"),
        ("t.json", [3], "evaluate: predictions: 3; files"),
        ("t.json", [], "t.json: no such file"),
        (None, "p.json", "p.json: no such file"),
    ],
)
def test_what_is_no_source_is_refused(truth: Any, found: Any, words: str) -> None:
    with pytest.raises(PoseError, match=words):
        posebench.evaluate(truth, found)


def test_what_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseError, match="evaluate: mapping: 3; 'known', a CSV file, or a Mapping"):
        posebench.evaluate(*across(tmp_path), mapping=3)  # type: ignore[arg-type]


def test_a_part_whose_points_the_truth_lacks_is_empty_and_named(tmp_path: Path) -> None:
    ev = scored(tmp_path, schema="foot6", protocol="coco_foot")
    assert ev["AP[foot]"] == ev["AP"] == pytest.approx(1, abs=1e-12)
    assert np.isnan(ev["AP[body]"]) and ev.measured("AR[body]").n == 0
    assert ev.warnings == ("schema 'foot6' has no nose, left_eye, right_eye, and 14 more: nothing is scored for the part 'body'",)


def test_levels_without_their_column_are_empty_and_named(tmp_path: Path) -> None:
    ev = scored(tmp_path, schema="crowdpose14")
    assert ev.metrics["AP"] == pytest.approx(1, abs=1e-12)
    assert np.isnan(ev.metrics["AP[hard]"])
    assert ev.warnings == ("no crowd_index on the images: easy, medium, hard cannot be told apart",)
    with pytest.raises(PoseError, match="levels need a column 'crowd_index' of numbers on the images; it has: none"):
        ev["AP[hard]"]


def test_foot_valid_and_foot_score_of_files_are_read(tmp_path: Path) -> None:
    """Of four feet one is not valid; one result says nothing of the foot, and one is ranked first by its own score."""

    def change(truth: Json, found: list[Json]) -> None:
        for i, a in enumerate(truth["annotations"]):
            a["foot_valid"] = i != 3
        for i, r in enumerate(found):
            r["foot_score"] = 0.1 * i
        found[1]["keypoints"][17 * 3 + 2 :: 3] = [0] * 6
        found[2]["keypoints"][17 * 3 :: 3] = [5000] * 6

    ev = scored(tmp_path, change, schema="coco_foot23", protocol="coco_foot-wholebody")
    assert ev.measured("AR[foot]") == pytest.approx((1 / 3, 3))
    assert ev["AP[foot]"] == pytest.approx(0.5 * 34 / 101, abs=1e-12), "the wrong one comes first, one of three is found"
    plain = scored(tmp_path, change, schema="coco_foot23", protocol="coco_foot")
    assert plain.measured("AR[foot]") == pytest.approx((3 / 4, 4))


# -- protocols and metrics ---------------------------------------------------------------------------------

BROKEN = {
    "treshold = 0.5": "no field 'treshold'; did you mean 'thresholds'?",
    "base = 'cocoo'": "base: no protocol 'cocoo'; did you mean 'coco'?",
    "base = ['coco']": "base: no protocol",
    "[ranges]\nsmall = [0, 9]\n[levels]\nsmall = [0, 1]": "'small' names two things",
    "[ranges]\nsmall = [9, 0]": "ranges.small: [9, 0]; two numbers, the lower first",
    "[ranges]\nsmall = ['a', 'b']": "ranges.small: ['a', 'b']; two numbers",
    "[sigmas]\nnose = 0": "sigmas.nose: 0; a sigma lies between 0 and 1",
    "max_preds = 'many'": "max_preds: 'many'; a whole number from 1 on",
    "thresholds = ['half']": "thresholds: ('half',); similarities over 0 up to 1",
    "truth_area = ['box']": "truth_area: ['box']; did you mean 'box'?",
    "[parts.head]": "parts.head.points: (); names of the schema are needed",
    "sources = 3": "sources: 3; a table by name is needed",
    "= 3": "no TOML or JSON: Invalid statement",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_protocol_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(PoseError) as told:
        scored(tmp_path, protocol=tmp_path / "rules.toml")
    assert str(told.value).startswith(str(tmp_path / "rules.toml"))
    assert BROKEN[text] in str(told.value)


@pytest.mark.parametrize(
    ("sigmas", "words"),
    [
        ({"noze": 0.1}, "sigmas: no keypoint 'noze' in schema 'coco17'; did you mean 'nose'?"),
        ({"dog": {"nose": 0.1}}, "sigmas: no category 'dog'; known: person"),
        ({"person": {"noze": 0.1}}, "sigmas: no keypoint 'noze' in schema 'coco17'"),
    ],
)
def test_sigmas_of_points_and_categories_that_are_not_there(tmp_path: Path, sigmas: Any, words: str) -> None:
    assert words in said(tmp_path, lambda truth, found: None, protocol=COCO.replace(sigmas=sigmas))


@pytest.mark.parametrize("sigmas", [{"nose": 0.5}, {"person": {"nose": 0.5}}])
def test_sigmas_of_a_protocol_are_those_that_count(tmp_path: Path, sigmas: Any) -> None:
    """One point 30 pixels off: of similarity next to nothing by its own sigma, of exp(-900 / 1 / 3000 / 2) by one of .5."""
    shift = moved(lambda p: p + np.eye(17)[:, :1] * (30, 0, 0))
    problem = scored(tmp_path, shift, protocol=COCO.replace(sigmas=sigmas)).workings
    assert problem.pairs().oks == pytest.approx(np.full(4, (16 + np.exp(-900 / 3000 / 2)) / 17), abs=1e-9)
    assert scored(tmp_path, shift).workings.pairs().oks == pytest.approx(np.full(4, 16 / 17), abs=1e-9)


WRONG = {
    "": "metric: ''; written NAME[.variant][@threshold]",
    "ap": "no metric 'ap'; did you mean 'AP'?",
    "mAP": "no metric 'mAP'; did you mean 'AP'?",
    "AP50": "no metric 'AP50'; did you mean 'AP'?",
    "AP@": "metric: 'AP@'; written",
    "AP@half": "metric: 'AP@half'; written",
    "AP@-0.5": "metric: 'AP@-0.5'; written",
    "AP@0.52": "AP@0.52: protocol 'coco' has no threshold 0.52; it has 0.50, 0.55",
    "AP@75": "has no threshold 75",
    "AP[large": "metric: 'AP[large'; written",
    "AP[]": "metric: 'AP[]'; written",
    "AP[large]@0.5": "metric: 'AP[large]@0.5'; written",
    "AP[larg]": "AP[larg]: protocol 'coco' has no range, level or part 'larg'; did you mean 'large'?",
    "AP[hard]": "has no range, level or part 'hard'",
    "AP.large": "AP has no variant 'large'; known: poseval",
}


@pytest.mark.parametrize("metric", WRONG)
def test_a_metric_spelled_wrong_is_one_sentence(tmp_path: Path, metric: str) -> None:
    with pytest.raises(PoseError) as told:
        _ = scored(tmp_path, metrics=[metric]).metrics
    assert WRONG[metric] in str(told.value)


def test_a_metric_may_be_spelled_in_many_right_ways(tmp_path: Path) -> None:
    ev = scored(tmp_path, metrics=["AP@.5", "AP@0.75", "AR[ medium ]", " AP@0.5[pooled] ", "AP@0.50000000001"])
    assert list(ev.metrics) == ["AP@0.50", "AP@0.75", "AR[medium]", "AP@0.50[pooled]"]
    assert list(scored(tmp_path, metrics="AP").metrics) == ["AP"]
    with pytest.raises(PoseError, match="metrics: none is named"):
        scored(tmp_path, metrics=[])


COMMANDS = {
    ("--metrics", ""): "metrics: none is named",
    ("--metrics", "AP@0.52"): "AP@0.52: protocol 'coco' has no threshold 0.52",
    ("--metrics", "APP"): "metric 'APP': no metric 'APP'; did you mean 'AP'?",
    ("--min", "AP"): "--min AP: no NAME=NUMBER; for instance --min AP=0.72",
    ("--min", "AP=high"): "--min AP=high: no NAME=NUMBER",
    ("--min", "AP=nan"): "--min AP=nan: no NAME=NUMBER",
    ("--min", "=0.5"): "metric: ''; written NAME",
    ("--min", "AP[huge]=0.5"): "AP[huge]: protocol 'coco' has no range",
    ("--by", "colour"): "by='colour': no such column; known: category, crowd",
    ("--by", "crowd"): "levels need a column 'crowd_index'",
    ("--protocol", "cocoo"): "protocol: no protocol 'cocoo'; did you mean 'coco'?",
    ("--protocol", "nowhere.toml"): "nowhere.toml: no such file or directory",
    ("-o", "out.xml"): "-o out.xml: a form we do not write; name a .json or, for the slices, a .csv file",
    ("-o", "preds.json/out.json"): "preds.json/out.json: cannot be written",
    ("--dataset", "coco"): "--truth and --dataset: both are given; name one",
    ("--split", "val"): "--config and --split: given without --dataset",
    ("--schema", "humans"): "humans: no such schema; did you mean 'human'?",
    ("--schema", "foot6"): "is no point of schema 'foot6'",
    ("--mapping", "nowhere.csv", "--schema", "coco17"): "nowhere.csv",
}


@pytest.mark.parametrize("options", COMMANDS, ids=" ".join)
def test_a_wrong_option_is_one_line_and_status_two(tmp_path: Path, options: tuple[str, ...]) -> None:
    truth = annotations()
    written(tmp_path, truth, results(truth))
    done = command("evaluate", "preds.json", "--truth", "truth.json", *options, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    error = json.loads(done.stdout)["error"]
    assert COMMANDS[options] in f"{error['where']}: {error['seen']}; {error['cure']}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("preds.json",), "preds.json: no header says which schema its keypoints follow"),
        (("preds.json", "--schema", "coco17"), "predictions: no header says what they were made on; name the truth: --dataset ID --split S, or --truth FILE"),
        (("nowhere.json", "--truth", "truth.json"), "nowhere.json: no such file or directory; check the path"),
        (("nowhere.npz", "--truth", "truth.json"), "nowhere.npz: no such file or directory; check the path"),
        (("preds.json", "--truth", "nowhere.json"), "nowhere.json: no such file or directory; check the path"),
        (("preds.json", "--truth", "nowhere"), "nowhere: neither a file nor a dataset we know"),
        ((".", "--truth", "truth.json"), ".: is a folder; name the .json file inside"),
        (("preds.json", "--dataset", "synthetic"), "synthetic: no split is named; --split, one of: train, val, test"),
        (("preds.json", "--dataset", "synthetik", "--split", "val"), "synthetik: no such dataset; did you mean 'synthetic'?"),
        (("preds.json", "--dataset", "synthetic", "--config", "human", "--split", "val"), "synthetic: no configuration 'human'"),
        (("preds.json", "--dataset", "synthetic", "--config", "person", "--split", "vall"), "synthetic/person: no split 'vall'; did you mean 'val'?"),
    ],
)
def test_sources_that_are_nowhere_are_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    truth = annotations()
    written(tmp_path, truth, results(truth))
    done = command("evaluate", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("posebench: ") and done.stderr.count("\n") == 1
    assert words in done.stderr


# -- kinds of points -----------------------------------------------------------------------------------------


def test_names_of_points_nobody_knows_need_a_schema(tmp_path: Path) -> None:
    """21 points without sigmas: never scored with another set's."""
    names = [f"finger_{i}" for i in range(21)]
    truth = annotations()
    truth["categories"][0]["keypoints"] = names
    for a in truth["annotations"]:
        a["keypoints"] = [n for i in range(21) for n in (30 + 3 * i, 40 + 2 * i, 2)]
    path, found = written(tmp_path, truth, results(truth))
    with pytest.raises(PoseError, match=r"are those of no known schema; give schema=NAME, or describe yours"):
        posebench.evaluate(path, found)
    mine = Schema.from_dict({"name": "hand", "keypoints": names, "sigmas": 0.05, "mirror": []})
    assert posebench.evaluate(path, found, schema=mine)["AP"] == pytest.approx(1, abs=1e-12)


def test_categories_of_other_points_are_scored_with_their_own(tmp_path: Path) -> None:
    """People of 17 points and feet of six in one file: each similarity is a mean over the points its category has."""
    truth = annotations(2)
    feet = annotations(2, "foot6", {"id": 2, "name": "foot"})
    truth["categories"] += feet["categories"]
    truth["annotations"] += [{**a, "id": 900 + i} for i, a in enumerate(feet["annotations"])]
    path, found = written(tmp_path, truth, results(truth))
    assert posebench.evaluate(path, found)["AP"] == pytest.approx(1, abs=1e-12), "each record has the points of its category"
    both = read_coco(path)
    points = both.instances.keypoints.copy()
    points[both.instances.category == 1, both.schema.index("left_heel"), 0] += 500
    ids = np.array([c.id for c in both.categories])[both.instances.category]
    pred = Predictions.from_arrays(schema=both.schema, image=both.images.id[both.instances.image], keypoints=points, score=np.ones(4), category=ids)
    ev = posebench.evaluate(both, pred)
    assert ev.similarities()[0] == pytest.approx([1, 5 / 6, 1, 5 / 6])
    assert ev["AP"] == pytest.approx((1 + 0.7) / 2, abs=1e-12), "5/6 reaches .5 to .8"


def test_max_preds_may_be_any_number(tmp_path: Path) -> None:
    """Two on one image, the worse of them right."""
    wrong = lambda truth, found: found.append({**found[0], "keypoints": found[3]["keypoints"], "score": 0.99})
    assert scored(tmp_path, wrong, protocol=COCO.replace(max_preds=5))["AR"] == 1
    ev = scored(tmp_path, wrong, protocol=COCO.replace(max_preds=1))
    assert (ev["AR"], ev.counts["scored"]) == (0.75, 4)


def test_results_without_category_are_of_the_only_one_or_refused(tmp_path: Path) -> None:
    def unsaid(truth: dict[str, Any], found: list[dict[str, Any]]) -> None:
        truth["categories"][0]["id"] = 24
        for row in truth["annotations"]:
            row["category_id"] = 24
        for row in found:
            del row["category_id"]

    assert scored(tmp_path, unsaid)["AP"] == pytest.approx(1, abs=1e-12)

    def two(truth: dict[str, Any], found: list[dict[str, Any]]) -> None:
        unsaid(truth, found)
        truth["categories"].append({**truth["categories"][0], "id": 25, "name": "other"})

    assert "no record has a category_id, and the truth has 2 categories: 24 person, 25 other; give each record its own" in said(tmp_path, two)
