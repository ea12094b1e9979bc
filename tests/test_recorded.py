"""What tools that are not installed here made of small problems. tests/recorded/record.py says where they are and runs them."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
import posedata
from posedata import Schema

FOLDER = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
NINE = ("AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75", "AP[easy]", "AP[medium]", "AP[hard]")
Case = dict[str, Any]


def recorded(prefix: str) -> list[str]:
    return [name for name in NAMES if name.startswith(prefix)]


def case(name: str) -> Case:
    return json.loads((FOLDER / f"{name}.json").read_text())


def evaluated(folder: Path, case: Case, schema: Any, protocol: Any) -> Any:
    truth, results = folder / "truth.json", folder / "results.json"
    truth.write_text(json.dumps(case["truth"]))
    results.write_text(json.dumps(case["results"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file has no area, say
        return posebench.evaluate(posedata.read_coco(truth, schema=schema), posedata.read_predictions(results, schema=schema), protocol=protocol)


def assert_same(ev: Any, expected: Mapping[str, float | None]) -> None:
    """Each number to 1e-12; nan where the tool says that nothing counts."""
    for name, wanted in expected.items():
        assert ev[name] == pytest.approx(math.nan if wanted is None else wanted, abs=1e-12, rel=0, nan_ok=True), name


def assert_same_levels(ev: Any, expected: Mapping[str, float | None]) -> None:
    """The official nine, whose levels the tools round to four digits."""
    assert_same(ev, {name: expected[f"{name} unrounded" if "[" in name else name] for name in NINE})
    for name in NINE[6:]:
        assert expected[name] is None or round(ev[name], 4) == expected[name], name


def without_absent(case: Case, key: str = "keypoints") -> Case:
    """The results of which xtcocotools takes notice: some third value is above 0."""
    return case | {"results": [r for r in case["results"] if any(v > 0 for v in r[key][2::3])]}


def feet_alone(case: Case) -> Case:
    """The feet as a set of their own. A result without a box keeps the area of its body, as loadRes takes it."""
    people = [p | {"keypoints": p["foot_kpts"], "num_keypoints": sum(v > 0 for v in p["foot_kpts"][2::3])} for p in case["truth"]["annotations"]]
    results = [{**r, "bbox": r.get("bbox", _extent(r)), "keypoints": r["foot_kpts"], "score": r.get("foot_score", r["score"])} for r in case["results"]]
    kinds = [{"id": 1, "name": "person", "keypoints": list(posedata.load_schema("foot6").names)}]
    return {"truth": case["truth"] | {"annotations": people, "categories": kinds}, "results": results}


def _extent(result: Case) -> list[float]:
    xy = np.array(result["keypoints"]).reshape(-1, 3)[:, :2]
    return [*xy.min(0).tolist(), *np.ptp(xy, 0).tolist()]


def body_and_feet(case: Case) -> Case:
    """All 23 points in one list; scores of the feet stay beside, in the records that have them."""
    people = [p | {"keypoints": p["keypoints"] + p["foot_kpts"]} for p in case["truth"]["annotations"]]
    results = [{**r, "keypoints": r["keypoints"] + r["foot_kpts"]} for r in case["results"]]
    kinds = [{"id": 1, "name": "person", "keypoints": list(posedata.load_schema("coco_foot23").names)}]
    return {"truth": case["truth"] | {"annotations": people, "categories": kinds}, "results": results}


def peopled(case: Case) -> Case:
    """The images that have annotations, and the results on them."""
    ids = {p["image_id"] for p in case["truth"]["annotations"]}
    images = [i for i in case["truth"]["images"] if i["id"] in ids]
    return case | {"truth": case["truth"] | {"images": images}, "results": [r for r in case["results"] if r["image_id"] in ids]}


def body_alone(case: Case) -> Case:
    kinds = [{"id": 1, "name": "person", "keypoints": list(posedata.load_schema("coco17").names)}]
    return {"truth": case["truth"] | {"categories": kinds}, "results": case["results"]}


@pytest.mark.parametrize("name", recorded("xtcocotools-no-area"))
def test_without_area_a_share_of_the_box_stands_for_it_as_in_xtcocotools(name: str, tmp_path: Path) -> None:
    found = case(name)
    assert_same(evaluated(tmp_path, without_absent(found), "coco17", posebench.PROTOCOLS["coco"]), found["expected"]["keypoints"])


@pytest.mark.parametrize("name", recorded("xtcocotools-own"))
def test_own_points_and_sigmas_give_the_numbers_of_xtcocotools(name: str, tmp_path: Path) -> None:
    found = case(name)
    sigmas = {f"point{i}": sigma for i, sigma in enumerate(found["settings"]["sigmas"])}
    schema = Schema.from_dict({"name": "own", "keypoints": list(sigmas), "sigmas": sigmas})
    assert_same(evaluated(tmp_path, found, schema, posebench.PROTOCOLS["coco"]), found["expected"]["keypoints"])


@pytest.mark.parametrize("name", recorded("crowdpose"))
def test_crowdpose_numbers_are_the_official_ones(name: str, tmp_path: Path) -> None:
    found = case(name)
    assert_same_levels(evaluated(tmp_path, found, "crowdpose14", posebench.PROTOCOLS["crowdpose"]), found["expected"]["keypoints"])


@pytest.mark.parametrize("name", recorded("xtcocotools-crowd"))
def test_crowdpose_numbers_are_those_of_xtcocotools(name: str, tmp_path: Path) -> None:
    found = case(name)
    assert_same_levels(evaluated(tmp_path, without_absent(found), "crowdpose14", posebench.PROTOCOLS["crowdpose"]), found["expected"]["keypoints_crowd"])


def test_crowdpose_numbers_of_the_published_example(real: Path) -> None:
    """The nine that faster-coco-eval's tests/test_crowdpose.py asserts, and that the official code prints."""
    truth = posedata.read_coco(real / "crowdpose_example/gt.json", schema="crowdpose14")
    pred = posedata.read_predictions(real / "crowdpose_example/preds.json", schema="crowdpose14")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ev = posebench.evaluate(truth, pred, protocol=posebench.PROTOCOLS["crowdpose"])
    assert_same(ev, dict(zip(NINE[:6], (0.7877215935879303, 0.9881188118811886, 0.7314356435643564, 0.8222222222222223, 1.0, 0.7777777777777778), strict=True)))
    assert [round(ev[name], 4) for name in NINE[6:]] == [1.0, 0.9802, 0.4116]


@pytest.mark.parametrize("name", recorded("xtcocotools-foot"))
def test_feet_by_themselves_give_the_numbers_of_xtcocotools(name: str, tmp_path: Path) -> None:
    found = case(name)
    ev = evaluated(tmp_path, feet_alone(without_absent(found, "foot_kpts")), "foot6", posebench.PROTOCOLS["coco"])
    assert_same(ev, found["expected"]["keypoints_foot"])


@pytest.mark.parametrize("name", recorded("xtcocotools-foot"))
def test_bodies_beside_feet_give_the_numbers_of_xtcocotools(name: str, tmp_path: Path) -> None:
    found = case(name)
    assert_same(evaluated(tmp_path, body_alone(found), "coco17", posebench.PROTOCOLS["coco"]), found["expected"]["keypoints"])


@pytest.mark.parametrize("name", recorded("xtcocotools-foot"))
def test_body_and_feet_as_parts_give_the_numbers_of_xtcocotools(name: str, tmp_path: Path) -> None:
    """foot_valid is struck out: no evaluator reads it, and the file says false of some labelled feet."""
    found = body_and_feet(case(name))
    for person in found["truth"]["annotations"]:
        del person["foot_valid"]
    ev = evaluated(tmp_path, found, "coco_foot23", posebench.PROTOCOLS["coco_foot-wholebody"])
    for part, mode in (("body", "keypoints"), ("foot", "keypoints_foot")):
        expected = case(name)["expected"][mode]
        assert_same(ev, {f"{metric}[{part}]": value for metric, value in expected.items() if "[" not in metric})


@pytest.mark.parametrize("name", recorded("openpifpaf"))
def test_openpifpaf_takes_the_whole_box_as_area(name: str, tmp_path: Path) -> None:
    """On the images that have people: it reads no other, so what a model finds there costs nothing."""
    found = peopled(case(name))
    whole = evaluated(tmp_path, found, "crowdpose14", posebench.PROTOCOLS["crowdpose-openpifpaf"])
    names = [name for name in NINE if "[" not in name]
    assert_same(whole, {name: found["expected"]["all"][name] for name in names})
    assert_same(whole, {f"AP[{level}]": found["expected"][level]["AP"] for level in found["settings"]["levels"]})
