"""PCK and its relatives: each benchmark's number by hand, laws for all of them, and a slow twin that agrees."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from posebench.distances import (
    DISTANCE_METRICS,
    NME_NORMS,
    NORMS,
    PCK_RULES,
    PCKRule,
    auc,
    epe,
    mean_distance,
    nme,
    pck,
    pck_rule,
    per_keypoint,
    percentile,
    rmse,
)
from posebench.distances.metrics import judged
from posebench.distances.norms import norm_text, scale_free
from posebench.distances.rules import ABSENT, COMPARE, POINTS, UNFOUND, UNITS
from posebench.pairing import PAIRINGS, Paired
from posedata import PoseError

from .reference_pck import slow_pck

NAMES = ("left_shoulder", "right_hip", "pelvis", "thorax", "nose")


def beside(points: Any, pred: Any, **columns: Any) -> Paired:
    """Truths beside predictions; x of a prediction is NaN where absent, and all of it where nothing was predicted."""
    points, pred = np.array(points, float), np.array(pred, float)
    n, k = points.shape[:2]
    absent = np.isnan(pred[..., 0])
    own: dict[str, Any] = {
        "annotated": np.ones((n, k), bool), "counted": np.ones((n, k), bool), "absent": absent, "found": ~absent.all(1),
        "id": np.arange(1, n + 1), "image": np.arange(n), "category": np.zeros(n, int), "truth_row": np.arange(n), "pred_row": np.arange(n),
        "bbox": np.full((n, 4), 100.0), "area": np.full(n, 1e4), "size": np.full((n, 2), 200.0), "head_size": np.full(n, 10.0),
        "names": NAMES[:k] if k <= len(NAMES) else tuple(map(str, range(k))), "schema": "made", "pairing": "matched",
    }  # fmt: skip
    return Paired(points=points, pred=pred, **own | columns)


def moved(points: Any, dx: Any) -> Any:
    """Predictions beside the truths by so many pixels; None: absent."""
    pred = np.array(points, float)
    pred[..., 0] += np.array(dx, float)
    pred[np.isnan(pred[..., 0])] = np.nan
    pred[..., 2] = 1
    return pred


# Three truths: A and B found, C not. Distances are whole numbers that hit thresholds exactly.
A = [(0, 0, 2), (30, 40, 1), (10, 10, 1), (20, 20, 2), (60, 80, 0)]
B = [(0, 0, 2), (6, 8, 2), (0, 0, 0), (3, 4, 1), (3, 4, 2)]
C = [(0, 0, 2), (30, 40, 2), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
DX = [[5, 10, 20, 0, 3], [4, 2, 0, 8, None], [None] * 5]
THREE = beside(
    [A, B, C],
    moved([A, B, C], DX),
    bbox=np.array([(0, 0, 100, 50), (0, 0, 10, 40), (0, 0, 100, 50)], float),
    head_size=np.array([20.0, 10, 20]),
    size=np.full((3, 2), (48.0, 64.0)),
    category=np.array([0, 0, 1]),
)

BY_HAND = {
    # sides 100, 40, 100: 10 and 4 are reached by <=. A 3 of 4, B 2 of 4, C 0 of 2
    ("posebench", 0.1): (5 / 10, 10),
    ("cub", 0.1): (5 / 10, 10),
    # diagonals 50 and 10 around the labelled points: A 2 of 4, B none
    ("diagonal", 0.1): (2 / 10, 10),
    # strict: A ls th, B rh; kinds: ls 1 of 3, rh 1 of 3, pelvis 0 of 1, thorax 1 of 2, nose 0 of 1
    ("mmpose", 0.1): ((1 / 3 + 1 / 3 + 1 / 2) / 5, 10),
    # A 2 of 4, B 1 of 4, C none
    ("mp100", 0.1): ((2 / 4 + 1 / 4) / 3, 3),
    # of thresholds .05 to .25: A 1 2 3 3 4 of 4, B 0 1 2 2 3 of 4, C none
    ("edgecape", None): ((13 / 4 + 8 / 4) / 3 / 5, 3),
    # head sizes 20, 10, 20; without pelvis and thorax: A 5 and 10 of 10 (the tie counts), B 4 and 2 of 5, nose and C wrong
    ("mpii-hrnet", None): (4 / 7, 7),
    ("mpii-mmpose", None): (3 / 7, 7),
    # torsos 50, 10, 50; strict, below 20 and 4: A ls rh th, B rh
    ("mmpose-torso", 0.4): ((1 / 3 + 2 / 3 + 1 / 2) / 5, 10),
    # square pictures: diagonals 100, 10, 50 around all points; all 15 count: A ls th nose, B pelvis
    ("technumber", 0.1): (4 / 15, 15),
    # 10 points of what was found; A thorax, B ls rh; unlabelled ones are wrong however near
    ("sleap", 5): (3 / 10, 10),
    # of ten thresholds: A 5 0 0 10, B 6 8 2
    ("sleap", None): (31 / 100, 10),
    # truths over 1, 1 only, so no ls; below 3.2 px in x: kinds rh 1 of 3, pelvis 0 of 1, thorax 1 of 2, nose 0 of 1
    ("hrnet-training", None): ((1 / 3 + 1 / 2) / 4, 7),
    # the same below 2 of 6.4 px in x: kinds rh 0 of 3 (B ties), pelvis 0 of 1, thorax 1 of 2, nose 0 of 1
    ("hrnet-training", 0.3125): ((1 / 2) / 4, 7),
}


def suited(paired: Paired, rule: PCKRule) -> Paired:
    """Paired as the rule wants it; in a square picture where the rule draws pictures out to squares, so that 10 of 100 is a tie."""
    square = rule.norm == "square diagonal"
    return replace(paired, pairing=rule.pairing, size=np.full_like(paired.size, 64.0) if square else paired.size)


@pytest.mark.parametrize(("name", "at"), BY_HAND)
def test_each_benchmark_has_the_number_worked_out_by_hand(name: str, at: float | None) -> None:
    rule = PCK_RULES[name]
    assert pck(suited(THREE, rule), rule, at) == pytest.approx(BY_HAND[name, at])


def test_every_rule_is_worked_out_by_hand() -> None:
    assert {name for name, _ in BY_HAND} == set(PCK_RULES)


SOME_WORDS = {"compare": COMPARE, "points": ("labelled", "visible", "all"), "unit": ("pooled", "keypoint", "instance"), "unfound": UNFOUND, "absent": ABSENT}
WRONG = [(name, choice, word) for name in PCK_RULES for choice, words in SOME_WORDS.items() for word in words if word != getattr(PCK_RULES[name], choice)]


@pytest.mark.parametrize(("name", "choice", "word"), WRONG)
def test_any_other_choice_has_another_number(name: str, choice: str, word: str) -> None:
    rule = PCK_RULES[name].replace(**{choice: word})
    known = {at: value for (n, at), (value, _) in BY_HAND.items() if n == name}
    same = all(pck(suited(THREE, rule), rule, at).value == pytest.approx(value) for at, value in known.items())
    # where all points count, every kind and every instance has as many, so units agree
    assert same == (name in ("sleap", "technumber") and choice == "unit")


def test_mpii_takes_a_tenth_for_eleven_hundredths() -> None:
    one = beside(
        [[(0, 0, 2), (5, 5, 2), (0, 0, 0), (0, 0, 0), (9, 9, 2)]],
        [[(10.5, 0, 1), (16.5, 5, 1), (0, 0, 1), (0, 0, 1), (9, 9, 1)]],
        pairing="given",
        head_size=np.array([100.0]),
    )
    assert pck(one, PCK_RULES["mpii-hrnet"], 0.1).value == pytest.approx(2 / 3)
    assert pck(one, PCK_RULES["mpii-mmpose"], 0.1).value == pytest.approx(1 / 3)
    assert pck(one, PCK_RULES["mpii-hrnet"], 0.12).value == 1


def test_a_torso_below_a_pixel_is_that_of_the_prediction() -> None:
    points = [[(5, 5, 2), (5.5, 5, 2), (0, 0, 0), (0, 0, 0), (9, 9, 2)]]
    one = beside(points, [[(5, 5, 1), (15, 5, 1), (0, 0, 1), (0, 0, 1), (10, 9, 1)]], pairing="given")
    # 10 px: 9.5 px off is wrong at .2, 1 px is right
    assert pck(one, PCK_RULES["mmpose-torso"]).value == pytest.approx(2 / 3)


def test_hrnet_measures_x_in_tenths_of_the_height() -> None:
    at = [[(20, 20, 2)], [(20, 20, 2)]]
    two = beside(at, [[(23, 20, 1)], [(20, 23, 1)]], size=np.full((2, 2), (48.0, 64.0)), pairing="given")
    assert judged(two, PCK_RULES["hrnet-training"]).value.tolist() == [[1], [0]]  # 3 / 6.4, 3 / 4.8


def test_per_keypoint_is_the_rate_of_each_kind() -> None:
    values, n = per_keypoint(THREE, at=0.1)
    assert values == pytest.approx([2 / 3, 2 / 3, 0, 1 / 2, 0])
    assert n.tolist() == [3, 3, 1, 2, 1]
    values, n = per_keypoint(THREE.only(np.array([0])), at=0.1)
    assert n.tolist() == [3, 0, 0, 0, 0] and np.isnan(values[1:]).all()


def test_distances_leave_out_what_has_none() -> None:
    assert epe(THREE) == (49 / 7, 7)  # 5 10 20 0, 4 2 8
    assert rmse(THREE) == (pytest.approx(np.sqrt((25 + 100 + 400 + 16 + 4 + 64) / 7)), 7)
    assert percentile(THREE) == (5, 7)
    assert percentile(THREE, 75) == (9, 7)
    assert nme(THREE) == (pytest.approx((35 / 100 + 14 / 40) / 7), 7)
    assert nme(THREE, ("left_shoulder", "right_hip")) == (pytest.approx((35 / 50 + 14 / 10) / 7), 7)


def test_a_confidence_leaves_out_what_is_below_it() -> None:
    pred = THREE.pred.copy()
    pred[0, :, 2] = [0.9, 0.6, 0.5, 0.5, 0.5]
    assert mean_distance(replace(THREE, pred=pred), 0.6) == (pytest.approx((15 + 14) / 5), 5)


def test_auc_is_the_mean_over_twenty_strict_thresholds() -> None:
    # of 30 px at 0, 1.5, ..., 28.5: 5 is below 16 of them, 10 below 13, 20 below 6, 0 below 19, 4 below 17, 2 below 18, 8 below 14
    kinds = [(16 + 17) / 3, (13 + 18) / 3, 6, (19 + 14) / 2, 0]
    assert auc(THREE) == (pytest.approx(np.mean(kinds) / 20), 10)


@pytest.mark.parametrize(("name", "pair"), [(n, p) for n, p in NME_NORMS.items() if not isinstance(p, str)])
def test_nme_divides_by_the_pair_of_its_benchmark(name: str, pair: tuple[int, int]) -> None:
    points = np.full((1, 80, 3), 2.0)
    points[0, pair[1], 0] = 12
    face = beside(points, moved(points, np.full((1, 80), 5.0)))
    assert nme(face, name) == (pytest.approx(0.5), 80)


# -- a slow twin -------------------------------------------------------------------------------------


def random_pairs(seed: int, n: int = 6) -> Paired:
    """Whole coordinates, so that distances hit thresholds; some points unlabelled, hidden, unknown, absent, some truths unfound."""
    rng = np.random.default_rng(seed)
    k = len(NAMES)
    points = np.concatenate([rng.integers(0, 13, (n, k, 2)), rng.integers(0, 3, (n, k, 1))], -1).astype(float)
    pred = np.concatenate([points[..., :2] + rng.integers(-3, 4, (n, k, 2)), rng.random((n, k, 1))], -1)
    pred[rng.random((n, k)) < 0.15] = np.nan
    pred[rng.random(n) < 0.2] = np.nan
    return beside(
        points, pred,
        annotated=rng.random((n, k)) < 0.9, counted=rng.random((n, k)) < 0.9, category=rng.integers(0, 3, n),
        bbox=rng.integers(0, 4, (n, 4)) * 10.0, head_size=rng.integers(1, 3, n) * 10.0, size=rng.integers(1, 4, (n, 2)) * 10.0,
    )  # fmt: skip


EVERY_NORM: list[Any] = [*NORMS, ("pelvis", "nose"), (0, 3)]


@pytest.mark.parametrize("norm", EVERY_NORM, ids=norm_text)
def test_every_combination_of_choices_agrees_with_the_slow_twin(norm: Any) -> None:
    choices = itertools.product(UNITS, COMPARE, POINTS, PAIRINGS, UNFOUND, ABSENT)
    for seed, (unit, compare, points, pairing, unfound, absent) in enumerate(choices):
        without = ("thorax",) if seed % 3 == 0 else ()
        rule = PCKRule(name="any", norm=norm, unit=unit, compare=compare, points=points, pairing=pairing, unfound=unfound, absent=absent, without=without)
        at = (2.0, 3.0)[seed % 2] if norm in ("pixels",) else (0.1, 0.2, 0.5)[seed % 3]
        pairs = replace(random_pairs(seed), pairing=pairing)
        assert pck(pairs, rule, at) == pytest.approx(slow_pck(pairs, rule, at), nan_ok=True), (rule, seed)
        weights = np.random.default_rng(seed).integers(0, 4, len(pairs))
        assert pck(pairs, rule, at, weights) == pytest.approx(slow_pck(pairs, rule, at, weights.tolist()), nan_ok=True), (rule, seed)


# -- laws --------------------------------------------------------------------------------------------

EVERY = [(name, variant) for name, metric in DISTANCE_METRICS.items() for variant in (metric.variants or {"": ""})]
SEEDS = st.integers(0, 2**32 - 1)


def measure(name: str, variant: str, pairs: Paired, weights: Any = None) -> Any:
    pairing = pck_rule(variant).pairing if name == "PCK" else "matched"
    return DISTANCE_METRICS[name].measure(replace(pairs, pairing=pairing), variant, None, weights)


def problem(seed: int, name: str, n: int = 6) -> Paired:
    """Random pairs; NME's benchmarks name points up to 79."""
    pairs = random_pairs(seed, n)
    pairs = replace(pairs, bbox=pairs.bbox + 10)
    if name != "NME":
        return pairs
    wide = {c: np.tile(getattr(pairs, c), (1, 16, 1)[: getattr(pairs, c).ndim]) for c in ("points", "pred", "annotated", "counted", "absent")}
    return replace(pairs, **wide, names=tuple(map(str, range(80))))


def close(a: Any, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=1e-12, equal_nan=True))


@pytest.mark.parametrize(("name", "variant"), EVERY)
@drawn(seed=SEEDS)
def test_the_order_of_instances_changes_nothing(name: str, variant: str, seed: int) -> None:
    pairs = problem(seed, name)
    other = pairs.take(np.random.default_rng(seed).permutation(len(pairs)))
    assert close(measure(name, variant, pairs), measure(name, variant, other))


@pytest.mark.parametrize(("name", "variant"), EVERY)
@drawn(seed=SEEDS)
def test_a_weight_of_two_is_the_truth_twice(name: str, variant: str, seed: int) -> None:
    pairs = problem(seed, name)
    weights = np.random.default_rng(seed).integers(0, 4, len(pairs))
    repeated = pairs.take(np.repeat(np.arange(len(pairs)), weights))
    assert close(measure(name, variant, pairs, weights), measure(name, variant, repeated))
    assert close(measure(name, variant, pairs, np.ones(len(pairs))), measure(name, variant, pairs))


@pytest.mark.parametrize(("name", "variant"), EVERY)
@drawn(seed=SEEDS)
def test_a_perfect_prediction_has_the_best_value(name: str, variant: str, seed: int) -> None:
    pairs = problem(seed, name)
    points = pairs.points + 2
    points[..., 2] = 2
    points[:, 0, :2] += 50
    pairs = replace(
        pairs, points=points, pred=points, annotated=np.ones_like(pairs.annotated), absent=np.zeros_like(pairs.absent), found=np.ones(len(pairs), bool)
    )
    value, n = measure(name, variant, pairs)
    # n is 0 only where a pair of points falls together in every truth
    assert (n and value == pytest.approx(DISTANCE_METRICS[name].best, abs=1e-12)) or (name == "NME" and np.isnan(value))


@pytest.mark.parametrize(("name", "variant"), EVERY)
@drawn(seed=SEEDS)
def test_twice_the_size_is_the_same_share_or_twice_the_pixels(name: str, variant: str, seed: int) -> None:
    pairs = problem(seed, name)
    columns = {c: getattr(pairs, c) * 2 for c in ("points", "pred", "bbox", "size", "head_size")}
    for c in ("points", "pred"):
        columns[c][..., 2] = getattr(pairs, c)[..., 2]
    before, after = measure(name, variant, pairs), measure(name, variant, replace(pairs, **columns))
    unit = DISTANCE_METRICS[name].unit
    if name == "AUC" or (name == "PCK" and not (scale_free(PCK_RULES[variant].norm) and PCK_RULES[variant].points != "labelled beyond 1, 1")):
        assert before.n <= after.n  # measured in pixels: only what counts is the same, or more points lie beyond 1, 1
    else:
        assert close(after, (before.value * (2 if unit == "pixels" else 1), before.n))


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_nothing_that_counts_is_nan_of_none(name: str, variant: str) -> None:
    pairs = problem(0, name)
    for none in (pairs.take(np.zeros(0, int)), pairs.where(np.zeros_like(pairs.counted))):
        assert close(measure(name, variant, none), (np.nan, 0))
    assert close(measure(name, variant, pairs, np.zeros(len(pairs))), (np.nan, 0))


@drawn(seed=SEEDS)
def test_pooled_rates_of_kinds_and_their_counts_make_the_pooled_rate(seed: int) -> None:
    pairs = random_pairs(seed)
    pairs = replace(pairs, bbox=pairs.bbox + 10)
    values, n = per_keypoint(pairs)
    assert close(pck(pairs), (np.nansum(values * n) / max(n.sum(), 1) if n.sum() else np.nan, n.sum()))


# -- words and errors --------------------------------------------------------------------------------


def errors() -> dict[str, tuple[Any, str]]:
    no_box, no_head = replace(THREE, bbox=np.full((3, 4), np.nan)), replace(THREE, head_size=np.array([20, np.nan, np.nan]), pairing="given")
    bare = replace(THREE, names=("a", "b", "c", "d", "e"), pairing="given")
    torso = PCKRule(name="mine", norm="torso", pairing="given")
    mpii = PCK_RULES["mpii-hrnet"]
    return {
        "no box": (lambda: pck(no_box), "PCK.posebench: no bbox in 3 of 3 truths, the first with id 1, 2, 3; choose a norm that needs no box: PCK.diagonal, PCK.technumber, PCK.sleap, EPE"),
        "no head": (lambda: pck(no_head, mpii), "PCK.mpii-hrnet: no head box in 2 of 3 truths, the first with id 2, 3; MPII and PoseTrack carry it; keys read: head_size, bbox_head, head_box, headbox"),
        "no size": (lambda: pck(replace(THREE, size=np.zeros((3, 2))), PCKRule(name="mine", norm="image side")), "PCK.mine: no image size in 3 of 3 truths, the first with id 1, 2, 3; give width and height to the images, or choose a norm that needs no image"),
        "no torso": (lambda: pck(bare, torso), "PCK.mine, norm 'torso': schema 'made' has no point 'left_shoulder'; known: a, b, c, d, e"),
        "no pelvis": (lambda: pck(bare, mpii), "PCK.mpii-hrnet: schema 'made' has no point 'pelvis'; known: a, b, c, d, e"),
        "no pair": (lambda: nme(THREE, "300w"), "NME.300w: schema 'made' has 5 points, none of number 36; name the pair of this schema"),
        "other pairs": (lambda: pck(THREE, PCK_RULES["mmpose"]), "PCK.mmpose: matched pairs where the rule has given ones; rule.replace(pairing='matched') takes them"),
        "no rule": (lambda: pck_rule("mmpos"), "PCK.mmpos: no such rule; did you mean 'mmpose'?"),
        "no norm": (lambda: nme(THREE, "300"), "NME.300: no such norm; did you mean '300w'?"),
        "threshold": (lambda: pck(THREE, at=-1.0), "PCK.posebench@-1.0: no threshold; a share of the norm, such as PCK.posebench@0.2"),
        "percent": (lambda: percentile(THREE, 101), "Distance@101: no percentage; from 0 to 100: Distance@95"),
        "pixels": (lambda: auc(THREE, 0), "AUC: 20 steps of 0 pixels; both are over 0: AUC@30"),
        "word": (lambda: PCKRule(name="mine", unit="keypoints"), "PCK.mine.unit: 'keypoints'; did you mean 'keypoint'?"),
        "norm": (lambda: PCKRule(name="mine", norm="box sides"), "PCK.mine.norm: 'box sides'; did you mean 'box side'?, or two points"),
        "pair": (lambda: PCKRule(name="mine", norm=("a", 1)), "PCK.mine.norm: ('a', 1); two points by name, or two by number"),  # type: ignore[arg-type]
        "none": (lambda: PCKRule(name="mine", thresholds=()), "PCK.mine.thresholds: none; at least one number"),
        "field": (lambda: mpii.replace(units="pooled"), "PCK.mpii-hrnet: no field 'units'; did you mean 'unit'?"),
    }  # fmt: skip


@pytest.mark.parametrize("case", errors())
def test_an_error_says_what_lacks_and_the_way_out(case: str) -> None:
    call, text = errors()[case]
    with pytest.raises(PoseError) as caught:
        call()
    assert str(caught.value) == text


def test_a_missing_box_of_a_truth_that_has_no_counted_point_is_no_error() -> None:
    bbox = THREE.bbox.copy()
    bbox[2] = np.nan
    only = np.ones((3, 5), bool)
    only[2] = False
    assert pck(replace(THREE, bbox=bbox).where(only), at=0.1) == (5 / 8, 8)


def test_a_changed_rule_says_so() -> None:
    assert PCK_RULES["mmpose"].replace(compare="<=").name == "mmpose, changed: compare"
    assert PCK_RULES["mmpose"].replace(compare="<").name == "mmpose"
    assert str(PCK_RULES["mpii-hrnet"]) == (
        "PCK.mpii-hrnet: unit pooled, without pelvis, thorax; norm .6 of the diagonal of the head box; threshold <= 0.5; points v > 0; "
        "pairing given; unfound wrong; absent wrong"
    )


def test_every_rule_and_metric_says_where_it_comes_from() -> None:
    assert all(rule.summary and rule.source and len(rule.choices()) == 7 for rule in PCK_RULES.values())
    assert all(metric.formula and metric.source for metric in DISTANCE_METRICS.values())


def test_technumber_measures_in_a_picture_drawn_out_to_a_square() -> None:
    """Extents of 30 x 40 in a picture of 100 x 200: .3 and .2 of it; 6 px along x are .06, along y .03, of a diagonal of .36."""
    points = [[(10, 10, 2), (40, 50, 1), (20, 20, 0)]]
    pred = moved(points, [[6, 0, 0]])
    rule = PCK_RULES["technumber"]
    wide = replace(beside(points, pred, size=np.array([[100.0, 200]])), pairing="given")
    share = 0.06 / np.hypot(0.3, 0.2)
    assert pck(wide, rule, share + 1e-9).value == 1
    assert pck(wide, rule, share - 1e-9).value == pytest.approx(2 / 3)
    gathered = replace(beside([[(5, 5, 2)] * 3], moved([[(5, 5, 2)] * 3], [[0, 1, 2]]), size=np.array([[100.0, 200]])), pairing="given")
    assert pck(gathered, rule, 0.2) == (pytest.approx(1 / 3), 3), "a truth without extent is wrong wherever a point is not exactly there"
