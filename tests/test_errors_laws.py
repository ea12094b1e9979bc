"""What must hold of every error report, whatever the numbers."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench import evaluate
from posebench.errors.cost import ORDER, oks_lost
from posebench.errors.instances import PREDICTION_LABELS, TRUTH_LABELS
from posebench.errors.labels import CODE, LABELS, Rules
from posebench.errors.report import ErrorReport
from posebench.protocols import COCO
from posedata import PoseDataset, Predictions
from posedata.schemas import SCHEMAS

from .problems import Made, made
from .test_errors_reference import closer, paired

SEEDS = st.integers(0, 2**32)


def problem_of(seed: int, ties: bool = True, schema: str | None = None) -> Made:
    """With points on other points; truths without labelled points left out, for among them order decides."""
    r = Random(seed)
    problem = closer(r, made(r, SCHEMAS[schema] if schema else paired(r), ties))
    problem.coco["annotations"][:] = [a for a in problem.coco["annotations"] if any(a["keypoints"][2::3])]
    for a in problem.coco["annotations"]:
        a["area"] = max(a["area"], 1.0)  # else the smallest number, added to areas lest one divides by 0, counts
    return problem


def report_of(problem: Made, rules: Rules | None = None) -> ErrorReport:
    return evaluate(problem.truth(), problem.pred(), COCO.replace(max_preds=problem.max_preds)).errors(rules)


def said(report: ErrorReport) -> tuple[Any, ...]:
    """What no change of names, places or order may change."""
    lost = {k: pytest.approx(v, abs=1e-9, nan_ok=True) for k, v in oks_lost(report.labelled).items()}
    poses = {f"{what} {name}": n for what, counts in report.instances.items() for name, n in counts.items()}
    landed = report.landings  # of points in one place it names the first, whichever that is
    return report.counts, poses, report.inversions, report.surplus["surplus"], report.surplus["could"], landed.sum(), landed[:, -1].sum(), lost


def same(problem: Made, other: Made) -> None:
    assert said(report_of(other)) == said(report_of(problem))


def with_margin(problem: Made) -> bool:
    """No similarity so near a boundary, and no two candidates so near each other, that rounding decides."""
    report = report_of(problem)
    own, pairs = report.labelled, report.ev.workings.pairs()
    decided = [abs(own.nearest - at).min(initial=1) for at in (0.5, 0.85)] + [abs(pairs.oks - at).min(initial=1) for at in (0.1, 0.5)]
    return min(decided) > 1e-6


# -- labels partition ------------------------------------------------------------------------------------


@given(SEEDS)
def test_labels_partition_the_labelled_points_of_found_truths(seed: int) -> None:
    report = report_of(problem_of(seed))
    own, problem = report.labelled, report.labelled.problem
    assert np.array_equal(own.code >= 0, problem.labelled[own.truth])
    assert sum(report.counts.values()) == problem.labelled[own.truth].sum()
    assert not problem.ignored[own.truth].any()
    assert len(set(own.truth.tolist())) == len(own.truth), "each truth once"


@given(SEEDS)
def test_every_prediction_and_every_truth_has_one_label(seed: int) -> None:
    report = report_of(problem_of(seed))
    problem = report.labelled.problem
    assert sum(report.instances["predictions"].values()) == len(problem.rows) == len(report.poses.pred)
    assert sum(report.instances["truths"].values()) == len(problem.truth) == len(report.poses.truth)
    assert set(report.instances["predictions"]) == set(PREDICTION_LABELS) and set(report.instances["truths"]) == set(TRUTH_LABELS)
    assert report.instances["predictions"]["good"] == report.instances["truths"]["found"]
    assert report.instances["truths"]["ignored"] == problem.ignored.sum()


@given(SEEDS)
def test_a_point_without_partner_is_never_inverted(seed: int) -> None:
    own = report_of(problem_of(seed)).labelled
    mirror = own.problem.truth.schema.mirror
    alone = mirror == np.arange(len(mirror))
    assert not own.is_("inversion")[:, alone].any()
    assert (own.point == mirror)[own.is_("inversion")].all() and (own.owner == own.truth[:, None])[own.is_("inversion")].all()
    assert (own.owner != own.truth[:, None])[own.is_("swap")].all()


@given(SEEDS)
def test_labels_say_where_the_similarity_lies(seed: int) -> None:
    own = report_of(problem_of(seed)).labelled
    assert (own.nearest[own.is_("good")] >= 0.85).all() and (own.own == own.nearest)[own.is_("good") | own.is_("jitter")].all()
    jitter, miss = own.nearest[own.is_("jitter")], own.nearest[own.is_("miss")]
    assert ((jitter >= 0.5) & (jitter < 0.85)).all() and (miss < 0.5).all()
    assert (own.own <= own.nearest + 1e-15).all()
    assert np.array_equal(own.is_("absent"), ~own.said & (own.code >= 0))


# -- cost ------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_with_all_corrected_ap_is_one(seed: int) -> None:
    cost = report_of(problem_of(seed)).cost
    kind, last = cost.progressive[-1]
    assert kind == "missed"
    assert math.isnan(cost.now.ap[""]) or last.ap[""] == pytest.approx(1, abs=1e-12), "NaN: no truth counts"


@given(SEEDS)
def test_progressive_gains_add_up(seed: int) -> None:
    cost = report_of(problem_of(seed)).cost
    path = [cost.now.ap[""], *(gains.ap[""] for _, gains in cost.progressive)]
    assert [kind for kind, _ in cost.progressive] == [kind for kind in ORDER if kind in cost.alone]
    if not any(map(math.isnan, path)):
        assert math.fsum(np.diff(path)) == pytest.approx(path[-1] - path[0], abs=1e-12)
    first = cost.progressive[0][0]
    assert cost.gain(first) == pytest.approx(path[1] - path[0], abs=1e-12, nan_ok=True)
    for gains in cost.alone.values():
        assert gains.ap[""] == pytest.approx(np.mean(gains.by_threshold), abs=1e-12, nan_ok=True)


@given(SEEDS)
def test_similarity_lost_sums_to_what_is_missing(seed: int) -> None:
    report = report_of(problem_of(seed))
    own, problem = report.labelled, report.labelled.problem
    counted = ~problem.ignored & problem.labelled.any(1)
    if counted.any():
        assert math.fsum(report.cost.oks.values()) == pytest.approx(1 - own.oks.sum() / counted.sum(), abs=1e-12)
        assert all(value >= 0 for value in report.cost.oks.values())


@given(SEEDS)
def test_where_nothing_is_absent_the_similarity_is_that_of_the_matching(seed: int) -> None:
    report = report_of(problem_of(seed))
    own, pairs = report.labelled, report.ev.workings.pairs()
    known = {(p, t): s for p, t, s in zip(pairs.pred.tolist(), pairs.truth.tolist(), pairs.oks.tolist(), strict=True)}
    for p, t, s, there in zip(own.pred.tolist(), own.truth.tolist(), own.oks.tolist(), own.said.all(1), strict=True):
        if there:
            assert s == pytest.approx(known[p, t], abs=1e-12)


# -- changes that change nothing -------------------------------------------------------------------------


def moved(problem: Made, x: float, y: float) -> Made:
    other = copy.deepcopy(problem)
    for row in (*other.coco["annotations"], *other.results):
        row["keypoints"] = [value + (x, y, 0)[i % 3] for i, value in enumerate(row["keypoints"])]
        if "bbox" in row:
            row["bbox"] = [row["bbox"][0] + x, row["bbox"][1] + y, *row["bbox"][2:]]
    return other


def without_absent(problem: Made) -> Made:
    """Absent points are scored at the origin, which moves with nothing; unlabelled ones have no place."""
    r = Random(0)
    for p in problem.results:
        for i in range(0, len(p["keypoints"]), 3):
            if not any(p["keypoints"][i : i + 3]):
                p["keypoints"][i : i + 3] = [r.uniform(0, 500), r.uniform(0, 500), 0.5]
    problem.header.clear()
    return problem


@given(SEEDS, st.sampled_from([(64.0, 0.0), (-1024.0, 512.0), (7.25, -3.5)]))
def test_a_translation_changes_nothing(seed: int, shift: tuple[float, float]) -> None:
    problem = without_absent(problem_of(seed))
    if with_margin(problem):
        same(problem, moved(problem, *shift))


@given(SEEDS, st.sampled_from([0.25, 2.0, 8.0]))
def test_the_size_of_the_pictures_changes_nothing(seed: int, s: float) -> None:
    problem = problem_of(seed)
    other = copy.deepcopy(problem)
    for a in (*problem.coco["annotations"], *other.coco["annotations"]):
        a["area"] = max(a["area"], 64.0)
    for a in other.coco["annotations"]:
        a["area"] *= s * s
    for row in (*other.coco["annotations"], *other.results):
        row["keypoints"] = [x if i % 3 == 2 else x * s for i, x in enumerate(row["keypoints"])]
        if "bbox" in row:
            row["bbox"] = [x * s for x in row["bbox"]]
    if with_margin(problem):
        same(problem, other)


@pytest.mark.parametrize("schema", ["coco17", "ap10k17"])
@given(seed=SEEDS)
def test_a_mirror_changes_nothing(schema: str, seed: int) -> None:
    """Everything is reflected at x = 0, and what was left is right."""
    problem = problem_of(seed, schema=schema)
    names, mirror = problem.schema.names, problem.schema.mirror
    other = copy.deepcopy(problem)
    for c in other.coco["categories"]:
        c["keypoints"] = [names[mirror[names.index(p)]] for p in c["keypoints"]]
    for row in other.results:
        row["keypoints"] = [x for k in mirror for x in row["keypoints"][3 * k : 3 * k + 3]]
    for row in (*other.coco["annotations"], *other.results):
        row["keypoints"] = [-x if i % 3 == 0 else x for i, x in enumerate(row["keypoints"])]
        if "bbox" in row:
            x, y, w, h = row["bbox"]
            row["bbox"] = [-(x + w), y, w, h]
    same(problem, other)


@given(SEEDS, st.integers(0, 99))
def test_order_in_the_files_changes_nothing_where_scores_differ(seed: int, order: int) -> None:
    problem = apart(problem_of(seed, ties=False))
    other, r = copy.deepcopy(problem), Random(order)
    for rows in (other.coco["images"], other.coco["annotations"], other.coco["categories"], other.results):
        r.shuffle(rows)
    same(problem, other)


@given(SEEDS)
def test_names_of_images_and_truths_change_nothing_where_scores_differ(seed: int) -> None:
    problem = apart(problem_of(seed, ties=False))
    other = copy.deepcopy(problem)
    new = {image["id"]: f"{97 * i % 101} renamed" for i, image in enumerate(other.coco["images"])}
    for row in (*other.coco["annotations"], *other.results):
        row["image_id"] = new[row["image_id"]]
    for image in other.coco["images"]:
        image["id"] = new[image["id"]]
    for i, a in enumerate(other.coco["annotations"]):
        a["id"] = 10_000 - i
    same(problem, other)


def apart(problem: Made) -> Made:
    """Truths that differ, and poses each with a place of its own: equal ones are told apart by their order alone."""
    r = Random(1)
    for row in (*problem.coco["annotations"], *problem.results):
        row["keypoints"] = [x + r.uniform(-0.01, 0.01) if i % 3 < 2 else x for i, x in enumerate(row["keypoints"])]
    return problem


# -- rules -----------------------------------------------------------------------------------------------


@given(SEEDS)
def test_stricter_rules_make_no_point_better(seed: int) -> None:
    problem = problem_of(seed)
    usual, strict = report_of(problem).counts, report_of(problem, Rules(good=0.95, near=0.7)).counts
    assert strict["good"] <= usual["good"] and strict["miss"] >= usual["miss"]
    assert strict["good"] + strict["jitter"] <= usual["good"] + usual["jitter"]
    assert sum(strict.values()) == sum(usual.values()) and strict["absent"] == usual["absent"]


@given(SEEDS)
def test_look_alikes_take_only_from_other_labels(seed: int) -> None:
    """A look-alike decides only where it is nearer than every other candidate."""
    problem = problem_of(seed)
    names = problem.schema.names
    if len(names) < 2:
        return
    plain, confused = report_of(problem).labelled, report_of(problem, Rules(confused=((names[0], names[1]),))).labelled
    changed = plain.code != confused.code
    assert (confused.code[changed] == CODE["confusion"]).all()
    assert not changed[:, 2:].any()
    assert (confused.nearest >= plain.nearest).all()


@given(SEEDS)
def test_the_original_differs_in_its_range_in_ignored_truths_and_in_85(seed: int) -> None:
    """Where all areas lie in 32² to (1e5)², nothing is ignored, nothing absent and nothing at exactly .85, labels are the same."""
    problem = without_absent(problem_of(seed))
    for a in problem.coco["annotations"]:
        a["area"], a["iscrowd"] = max(a["area"], 32.0**2), 0
        a["num_keypoints"] = sum(v > 0 for v in a["keypoints"][2::3])
    ours, original = report_of(problem), report_of(problem, Rules(legacy=True))
    for name in ("pred", "truth", "oks", "own", "nearest", "owner", "point"):
        assert np.array_equal(getattr(ours.labelled, name), getattr(original.labelled, name)), name
    edge = (ours.labelled.nearest == 0.85) & ours.labelled.is_("good")
    assert np.array_equal(np.where(edge, -1, ours.labelled.code), original.labelled.code)


def one_pose(area: float, crowd: bool = False, schema: str = "coco17") -> tuple[PoseDataset, Predictions]:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 100, (1, 17, 2)), np.full((1, 17, 1), 2.0)], -1)
    truth = PoseDataset.from_arrays(schema=schema, image=[1], keypoints=points, area=[area])
    truth = replace(truth, instances=replace(truth.instances, crowd=np.array([crowd])))
    return truth, Predictions.from_arrays(schema=schema, image=[1], keypoints=points, score=[0.9])


@pytest.mark.parametrize(
    ("area", "crowd", "ours", "original"),
    [(32.0**2, False, 17, 17), (1e10, False, 17, 17), (32.0**2 - 1, False, 17, 17), (1.1e10, False, 17, 17), (5000.0, True, 0, 17)],
)
def test_the_original_counts_what_is_ignored(area: float, crowd: bool, ours: int, original: int) -> None:
    """Out of its range a truth is ignored, and labelled nevertheless; AP sees it not."""
    ev = evaluate(*one_pose(area, crowd), COCO)
    assert sum(ev.errors().counts.values()) == ours
    legacy = ev.errors(Rules(legacy=True))
    assert sum(legacy.counts.values()) == original
    inside = 32.0**2 <= area <= 1e10 and not crowd
    assert (legacy.cost.now.ap[""] == pytest.approx(1)) if inside else math.isnan(legacy.cost.now.ap[""])


def test_the_original_takes_absent_points_for_points_at_the_origin() -> None:
    truth, pred = one_pose(5000.0)
    points = pred.keypoints.copy()
    points[0, 3] = np.nan, np.nan, 0
    pred = replace(pred, keypoints=points)
    ours, original = (evaluate(truth, pred, COCO).errors(Rules(legacy=legacy)).counts for legacy in (False, True))
    assert (ours["absent"], ours["miss"]) == (1, 0)
    assert (original["absent"], original["miss"]) == (0, 1)


def test_every_label_has_a_word_of_explanation() -> None:
    assert all(LABELS.values()) and all(PREDICTION_LABELS.values()) and all(TRUTH_LABELS.values())
