"""Suspicions: each fires on the mistake it is about, with its figures; sound data leave them silent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import posedata
from posebench import COCO, CROWDPOSE, Protocol, check_results, evaluate, oks_nms, why
from posebench.orders import ORDERS, known_orders, moves
from posebench.suspicions import SUSPICIONS
from posedata import PoseDataset, PoseError, Predictions
from posedata.synthetic.build import synthesize
from tests.people import HEIGHT, WIDTH, found, moved, people, reordered
from tests.problems import Made, problems_and_protocols

Case = Callable[[PoseDataset, Predictions], tuple[PoseDataset, Predictions]]


def said(truth: PoseDataset, pred: Predictions, name: str) -> str | None:
    return SUSPICIONS[name].said(evaluate(truth, pred).workings)


# -- sound data --------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["coco17", "crowdpose14", "ap10k17", "foot6", "coco_foot23", "animalpose20"])
@pytest.mark.parametrize("off", [0.1, 0.6, 1.0])
def test_good_and_middling_predictions_are_above_suspicion(schema: str, off: float) -> None:
    truth = people(schema)
    assert evaluate(truth, found(truth, off=off), COCO).warnings == ()


@pytest.mark.parametrize("seed", range(5))
def test_small_sound_sets_are_above_suspicion(seed: int) -> None:
    truth = people(images=6, seed=seed)
    assert evaluate(truth, found(truth, seed)).warnings == ()


def test_the_truth_as_prediction_with_scores_of_its_own_is_above_suspicion() -> None:
    truth = people()
    assert evaluate(truth, found(truth, off=0, missed=0)).warnings == ()


@pytest.mark.parametrize("config", ["quadruped", "person"])
def test_synthetic_scenes_and_jittered_predictions_are_above_suspicion(config: str, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    truth = synthesize(config, "val", 48, quiet=True)
    assert evaluate(truth, found(truth), replace(COCO, ignored="labelled")).warnings == ()


@pytest.mark.parametrize(
    ("folder", "schema", "protocol"), [("coco_1", "coco17", COCO), ("coco_4", "coco17", COCO), ("crowdpose_example", "crowdpose14", CROWDPOSE)]
)
def test_real_samples_are_above_suspicion(real: Path, folder: str, schema: str, protocol: Protocol) -> None:
    truth = posedata.read_coco(real / folder / "gt.json", schema=schema)
    ev = evaluate(truth, posedata.read_predictions(real / folder / "preds.json", schema), protocol)
    assert [s.name for s in SUSPICIONS.values() if s.said(ev.workings)] == []


def test_predictions_at_random_are_found_wanting_but_not_explained() -> None:
    truth = people()
    noise = np.random.default_rng(0).uniform(0, 400, (len(found(truth)), 17, 2))
    ev = evaluate(truth, moved(found(truth), lambda xy: noise))
    assert [s.name for s in SUSPICIONS.values() if s.said(ev.workings)] == ["nothing-found"]


def test_no_predictions_and_no_truth_raise_nothing() -> None:
    truth = people()
    none = found(truth).take(np.zeros(0, np.intp))
    assert [w for w in evaluate(truth, none).warnings if "no prediction at all" not in w] == []
    assert evaluate(truth.take(np.zeros(0, np.intp)), found(truth)).warnings == ("none of 0 truths counts: no number can be made",)


@settings(max_examples=25)
@given(problems_and_protocols())
def test_no_problem_however_odd_breaks_a_look_at_it(drawn: tuple[Made, Protocol]) -> None:
    problem, protocol = drawn
    truth, pred = problem.truth(), problem.pred()
    try:
        ev = evaluate(truth, pred, protocol)
    except PoseError:
        return
    assert all("{" not in words and "nan" not in words for words in ev.warnings)
    assert why(ev).to_dict()["images"] == len(truth.images)
    assert str(check_results(pred, truth)) and len(oks_nms(pred)) <= len(pred)


# -- mistakes ----------------------------------------------------------------------------------------


def _truth(**columns: object) -> Case:
    return lambda truth, pred: (replace(truth, instances=replace(truth.instances, **columns)), pred)


def _one_tiny(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    return _truth(area=np.where(np.arange(len(truth)) == 4, 0.5, truth.instances.area))(truth, pred)


def _ignoring(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    return _truth(recorded=np.arange(len(truth)) % 2)(truth, pred)


def _crowded(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    return _truth(crowd=np.arange(len(truth)) % 3 > 0)(truth, pred)


def _twice(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    rows = np.append(np.arange(len(pred)), np.arange(0, len(pred), 4))
    again = pred.take(rows)
    return truth, replace(again, row=np.arange(len(again)), score=again.score * np.random.default_rng(0).uniform(0.9, 1, len(again)))


def _half(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    return truth, pred.take(np.flatnonzero(np.isin(pred.image, truth.images.id[::2])))


def _many(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    rows = np.repeat(np.arange(len(pred)), 20)
    many = pred.take(rows)
    xy = many.keypoints + np.random.default_rng(0).normal(0, 30, many.keypoints.shape) * (1, 1, 0) * (np.arange(len(many)) % 20 > 0)[:, None, None]
    return truth, replace(many, row=np.arange(len(many)), keypoints=xy, score=many.score * np.random.default_rng(1).uniform(0.3, 1, len(many)))


def _points(change: Callable[[np.ndarray], np.ndarray]) -> Case:  # type: ignore[type-arg]
    return lambda truth, pred: (truth, moved(pred, change))


def _next_category(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    truth = people(categories=5)
    pred = found(truth)
    return truth, replace(pred, category=pred.category % 5 + 1)


def _boxed(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    pred = found(truth, missed=0)
    own = np.arange(len(pred)) % len(truth)
    keep = np.arange(len(truth))
    return truth, replace(pred, bbox=np.round(truth.instances.bbox[own], 2)).take(keep)


def _made_for(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    pred = found(truth, missed=0).take(np.arange(len(truth)))
    return truth, replace(pred, truth=truth.instances.id)


def _mirrored(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    return truth, reordered(pred, truth.schema.mirror)


def _rotated(truth: PoseDataset, pred: Predictions) -> tuple[PoseDataset, Predictions]:
    columns = np.arange(17)
    columns[[9, 13, 15]] = [13, 15, 9]
    return truth, reordered(pred, columns)


CASES: list[tuple[str, Case, str]] = [
    ("tiny-area", _one_tiny, r"^1 of \d+ counted truths have an area of at most 1 pixel \(the least: 0\.5\)"),
    ("ignored", _ignoring, r"^\d+ of \d+ truths are ignored: \d+ with points, but num_keypoints 0; the numbers are about the rest$"),
    ("ignored", _crowded, r"^\d+ of \d+ truths are ignored: \d+ crowds; "),
    ("equal-scores", lambda t, p: (t, replace(p, score=np.ones(len(p)))), r"^all \d+ predictions have the score 1: their order, and so AP, is that of the file"),
    ("truth-boxes", lambda t, p: (t, replace(p, header={"boxes": "truth"})), r"^the boxes are those of the truth \(so the header says\): numbers are with truth boxes"),
    ("truth-boxes", _made_for, r"\(every prediction names the annotation it was made for\)"),
    ("truth-boxes", _boxed, r"\(\d+ of \d+ boxes looked at are those of annotations\)"),
    ("nothing-found", _points(lambda xy: xy[..., ::-1]), r"^AP@0\.50 is 0\S*: \d of \d+ truths have a prediction that reaches similarity 0\.50 \(the best: 0\.\d\d\); likely: x and y are exchanged$"),
    ("normalised", _points(lambda xy: xy / (WIDTH, HEIGHT)), r"^no predicted coordinate is over [01]\.\d\d, while those of the truth go up to \d{3}"),
    ("nothing-found", _points(lambda xy: xy / (WIDTH, HEIGHT)), r"likely: coordinates are shares of the image's width and height$"),
    ("exchanged", _points(lambda xy: xy[..., ::-1]), r"^x and y are exchanged: mean similarity of what fits best goes from 0\.\d\d to 0\.\d\d when that is undone; write x, y, confidence$"),
    ("scaled", _points(lambda xy: xy / 4), r"^coordinates are divided by 4: mean similarity"),
    ("scaled", _points(lambda xy: xy * 1.5), r"^coordinates are multiplied by 1\.\d+: mean similarity"),
    ("scaled", _points(lambda xy: xy * (512 / WIDTH, 512 / HEIGHT)), r"^coordinates are those of the image stretched to 512 x 512: mean similarity"),
    ("scaled", _points(lambda xy: np.add(xy * 0.4, (0, 112))), r"^coordinates are multiplied by 0\.\d+, then shifted by \(-?\d, 1\d\d\): mean similarity"),
    ("shifted", _points(lambda xy: np.add(xy, (320, -96))), r"^points are shifted by \(3[12]\d, -9\d\): mean similarity .*; add the corner of the crop back$"),
    ("order", _mirrored, r"^points are in another order: left and right exchanged: mean similarity of these points goes from 0\.\d\d to 0\.\d\d"),
    ("order", _rotated, r"^points are in another order: left_wrist under left_knee, left_knee under left_ankle, left_ankle under left_wrist: mean"),
    ("categories", _next_category, r"^only \d+ of \d+ truths agree in category with the prediction that fits best; "),
    ("duplicates", _twice, r"^\d+ predictions \(20%\) repeat a pose of their image, the first in row \d+: each counts as a false positive"),
    ("few-images", _half, r"^3\d of 60 images with counted truths have no prediction at all, the first with id \d+"),
    ("cut", _many, r"^[\d,]+ of [\d,]+ predictions, on \d+ images, are beyond the best 20 of their image"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "case", "sentence"), CASES, ids=[f"{i}-{name}" for i, (name, _, _) in enumerate(CASES)])
def test_a_mistake_is_named_with_its_figures(name: str, case: Case, sentence: str) -> None:
    truth = people()
    truth, pred = case(truth, found(truth))
    words = said(truth, pred, name)
    assert words is not None and re.search(sentence, words), words
    assert words in evaluate(truth, pred).warnings


def test_every_suspicion_has_its_case() -> None:
    assert {name for name, _, _ in CASES} == set(SUSPICIONS)


def test_a_mistake_raises_no_suspicion_of_another_kind() -> None:
    related = {"nothing-found", "scaled", "normalised", "exchanged"}
    for name, case, _ in CASES:
        truth = people()
        ev = evaluate(*case(truth, found(truth)))
        fired = {s.name for s in SUSPICIONS.values() if s.said(ev.workings)}
        assert fired - {name} <= related, name


def test_areas_of_nothing_explain_that_nothing_is_found() -> None:
    truth = people()
    none = replace(truth, instances=replace(truth.instances, area=np.zeros(len(truth))))
    assert str(said(none, found(truth), "nothing-found")).endswith("likely: the areas of the truth are none")


def test_poor_predictions_are_told_from_bad_scores() -> None:
    truth = people()
    poor = said(truth, found(truth, off=1.6), "nothing-found")
    assert str(poor).endswith("likely: points are too far off for the sigmas and areas of this truth"), poor
    pred = found(truth, missed=0.5)
    noise = found(truth, off=3.0, missed=0)
    both = Predictions.from_arrays(
        schema="coco17",
        image=np.concatenate([pred.image, *[noise.image] * 40]),
        keypoints=np.concatenate([pred.keypoints, *[np.add(noise.keypoints, (30 * i, 0, 0)) for i in range(1, 41)]]),
        score=np.concatenate([pred.score, *[noise.score + 1] * 40]),
    )
    ranked = SUSPICIONS["nothing-found"].said(evaluate(truth, both, COCO.replace(max_preds=1000)).workings)
    assert str(ranked).endswith("likely: the scores rank what fits last: are they losses or ranks?"), ranked


def test_image_ids_off_by_one_are_called_so() -> None:
    truth = people()
    truth = replace(truth, images=replace(truth.images, id=np.arange(len(truth.images))))
    pred = found(truth)
    late = replace(pred, image=pred.image + 1)
    words = said(truth, late.take(np.flatnonzero(late.image < 60)), "nothing-found")
    assert str(words).endswith("likely: image ids are off by one: subtract 1 from image_id"), words


def test_categories_off_by_one_are_called_so() -> None:
    truth = people(categories=5)
    pred = found(truth)
    keep = pred.category < 5
    off = replace(pred.take(np.flatnonzero(keep)), category=pred.category[keep] + 1)
    assert str(said(truth, off, "categories")).endswith("they are off by one: subtract 1 from category_id")


@pytest.mark.parametrize(("schema", "order"), [(schema, order) for schema in ORDERS for order in ORDERS[schema]])
def test_every_known_order_is_recognised(schema: str, order: str) -> None:
    truth = people(schema, images=40)
    columns = known_orders(truth.schema)[order]
    words = said(truth, reordered(found(truth), columns), "order")
    assert str(words).startswith(f"points are in another order: {order}: "), words


def test_orders_name_every_point_once() -> None:
    for schema, orders in ORDERS.items():
        for names in orders.values():
            assert sorted(names) == sorted(posedata.load_schema(schema).names)


def test_moves_are_said_in_words() -> None:
    foot = posedata.load_schema("foot6")
    assert moves(foot, foot.mirror) == "left_big_toe under right_big_toe, left_small_toe under right_small_toe, left_heel under right_heel and 3 more"


@pytest.mark.parametrize(("share", "warned"), [(3, True), (4, False)])
def test_a_third_of_truths_ignored_is_told_and_a_quarter_is_not(share: int, warned: bool) -> None:
    truth = people(images=24)
    crowd = np.arange(len(truth)) % share == 0
    kept = truth.take(np.arange(len(truth) // 12 * 12))
    kept = replace(kept, instances=replace(kept.instances, crowd=crowd[: len(kept)]))
    told = [w for w in evaluate(kept, found(kept)).warnings if "truths are ignored" in w]
    assert bool(told) == warned
