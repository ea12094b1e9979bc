"""What must hold of every score, whatever the numbers."""

from __future__ import annotations

import copy
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.protocol import INTERPOLATIONS, Part, Protocol
from posebench.protocols import COCO
from posedata.schemas import SCHEMAS

from .evaluating import Found, evaluated, weighted
from .problems import Made, problems, repeated

LEVELS = {"easy": (-math.inf, 0.2), "hard": (0.2, math.inf)}


def rules(problem: Made, **changes: Any) -> Protocol:
    """COCO's, with levels and a part, where the problem has images and points for them."""
    half = problem.schema.names[: (len(problem.schema) + 1) // 2]
    parts = {"half": Part(points=half)}
    return COCO.replace(max_preds=problem.max_preds, parts=parts, levels=LEVELS if problem.coco["images"] else {}, **changes)


def scores(problem: Made, protocol: Protocol | None = None) -> dict[str, float]:
    return dict(evaluated(problem.truth(), problem.pred(), protocol or rules(problem)).metrics)


def same(wanted: dict[str, float]) -> Any:
    return pytest.approx(wanted, abs=1e-12, rel=0, nan_ok=True)


def copied(problem: Made) -> Made:
    return copy.deepcopy(problem)


def labelled_only(problem: Made) -> Made:
    """Without truths that have no labelled point: poses inside their boxes are all equally similar, and order decides."""
    problem.coco["annotations"][:] = [a for a in problem.coco["annotations"] if any(a["keypoints"][2::3])]
    return problem


@given(problems(ties=False), st.integers(0, 99))
def test_order_in_the_files_changes_nothing_where_scores_differ(problem: Made, seed: int) -> None:
    labelled_only(problem)
    other, r = copied(problem), Random(seed)
    for rows in (other.coco["images"], other.coco["annotations"], other.coco["categories"], other.results):
        r.shuffle(rows)
    assert scores(other) == same(scores(problem))


@given(problems(), st.data())
def test_a_false_alarm_below_all_scores_changes_nothing_and_one_above_never_helps(problem: Made, data: st.DataObject) -> None:
    text = any(isinstance(i["id"], str) for i in problem.coco["images"])
    image = {"id": "new" if text else 1000, "file_name": "new.jpg", "width": 640, "height": 480, "crowdIndex": 0.1}
    problem.coco["images"].append(image)
    before = scores(problem)
    category = data.draw(st.sampled_from(problem.coco["categories"]))["id"]
    pose = {"image_id": image["id"], "category_id": category, "keypoints": [50.0, 40.0, 1.0] * len(problem.schema), "bbox": [0, 0, 50, 50], "foot_score": 0.0}
    problem.results.append({**pose, "score": -100.0})
    assert scores(problem) == same(before)
    problem.results[-1] = {**pose, "score": 100.0}
    after = scores(problem)
    for name, value in before.items():
        if name.startswith("AR"):
            assert after[name] == pytest.approx(value, abs=1e-12, nan_ok=True)
        elif not math.isnan(value):
            assert after[name] <= value + 1e-12


@given(problems(), st.sampled_from([0.25, 2.0, 8.0]))
def test_the_size_of_the_pictures_changes_nothing(problem: Made, s: float) -> None:
    for a in problem.coco["annotations"]:
        a["area"] = max(a["area"], 1.0)  # else the smallest number, added to areas lest one divides by 0, counts
    other = copied(problem)
    for a in other.coco["annotations"]:
        a["area"] *= s * s
    for row in (*other.coco["annotations"], *other.results):
        row["keypoints"] = [x if i % 3 == 2 else x * s for i, x in enumerate(row["keypoints"])]
        if "bbox" in row:
            row["bbox"] = [x * s for x in row["bbox"]]
    wider = {name: (low * s * s, high * s * s) for name, (low, high) in COCO.ranges.items()}
    assert scores(other, rules(other, ranges=wider)) == same(scores(problem))


@given(problems(ties=False))
def test_a_perfect_prediction_scores_one(problem: Made) -> None:
    labelled_only(problem)
    places = {c["id"]: [problem.schema.index(name) for name in c["keypoints"]] for c in problem.coco["categories"]}
    problem.results.clear()
    for a in problem.coco["annotations"]:
        if not a["iscrowd"] and a.get("num_keypoints") != 0:
            points = [0.0] * (3 * len(problem.schema))
            for i, k in enumerate(places[a["category_id"]]):
                points[3 * k : 3 * k + 3] = a["keypoints"][3 * i : 3 * i + 3]
            problem.results.append({"image_id": a["image_id"], "category_id": a["category_id"], "keypoints": points, "score": 0.7})
    found = scores(problem, rules(problem).replace(max_preds=100))
    for name, value in found.items():
        # ranges and parts see poses of truths that they ignore, which may take others
        if not name.endswith(("[medium]", "[large]", "[half]")):
            assert math.isnan(value) or value == pytest.approx(1, abs=1e-12), name
    assert math.isnan(found["AP"]) == (not problem.results)


@given(problems(SCHEMAS["ap10k17"]) | problems(SCHEMAS["coco17"]))
def test_a_mirror_changes_nothing(problem: Made) -> None:
    """Everything is reflected at x = 0, and what was left is right."""
    names, mirror = problem.schema.names, problem.schema.mirror
    other = copied(problem)
    for c in other.coco["categories"]:
        c["keypoints"] = [names[mirror[names.index(p)]] for p in c["keypoints"]]
    for row in other.results:
        row["keypoints"] = [x for k in mirror for x in row["keypoints"][3 * k : 3 * k + 3]]
    for row in (*other.coco["annotations"], *other.results):
        row["keypoints"] = [-x if i % 3 == 0 else x for i, x in enumerate(row["keypoints"])]
        if "bbox" in row:
            x, y, w, h = row["bbox"]
            row["bbox"] = [-(x + w), y, w, h]
    half = rules(problem).parts["half"].points
    reflected = {"half": Part(points=tuple(names[mirror[names.index(p)]] for p in half))}
    assert scores(other, rules(other).replace(parts=reflected)) == same(scores(problem))


@given(problems())
def test_no_truth_but_a_crowd_is_found_twice(problem: Made) -> None:
    ours = evaluated(problem.truth(), problem.pred(), rules(problem))
    _no_truth_twice(ours.found, {a["id"] for a in problem.coco["annotations"] if a["iscrowd"]})


def _no_truth_twice(found: Found, crowds: set[Any]) -> None:
    for table in found.values():
        single = [t for t in table.values() if t is not None and t not in crowds]
        assert len(single) == len(set(single))


@given(problems())
def test_one_category_pooled_is_that_category(problem: Made) -> None:
    for row in (*problem.coco["annotations"], *problem.results):
        row["category_id"] = problem.coco["categories"][0]["id"]
    for a in problem.coco["annotations"]:
        k = len(problem.coco["categories"][0]["keypoints"])
        a["keypoints"] = (a["keypoints"] * k)[: 3 * k]
    found = scores(problem)
    assert found["AP"] == pytest.approx(found["AP[pooled]"], abs=1e-12, nan_ok=True)
    assert found["AR"] == pytest.approx(found["AR[pooled]"], abs=1e-12, nan_ok=True)


@given(problems(ties=False), st.lists(st.integers(0, 3), min_size=8, max_size=8), st.sampled_from(sorted(INTERPOLATIONS)))
def test_a_weight_is_how_often_an_image_is_in_the_set(problem: Made, times: list[int], interpolation: str) -> None:
    """What a resample rests on: nothing is matched again."""
    rules = COCO.replace(max_preds=problem.max_preds, interpolation=interpolation)
    ours = weighted(problem.truth(), problem.pred(), rules, times[: len(problem.coco["images"])])
    again = repeated(problem, times)
    many = evaluated(again.truth(), again.pred(), rules).metrics
    assert ours == same({name: many[name] for name in ours})
