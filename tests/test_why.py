"""why: each cause is planted, and found first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posedata
from posebench import COCO, CROWDPOSE, PROTOCOLS, evaluate
from posebench.explain import Why, why
from posebench.neighbours import neighbours
from posebench.orders import ORDERS, known_orders
from posebench.postprocess import oks_nms, rescore
from posedata import PoseDataset, PoseError, Predictions, load_schema
from tests.people import HEIGHT, WIDTH, found, moved, people, reordered


def asked(truth: PoseDataset, pred: Predictions, protocol: Any = COCO, **more: Any) -> Why:
    return why(evaluate(truth, pred, protocol), **more)


# -- mistakes, found by what undoing them gains ---------------------------------------------------------

POINTS = {
    "x and y are exchanged": lambda xy: xy[..., ::-1],
    "coordinates are divided by 2": lambda xy: xy / 2,
    "coordinates are divided by 4": lambda xy: xy / 4,
    "coordinates are divided by 8": lambda xy: xy / 8,
    "coordinates are multiplied by 2": lambda xy: xy * 2,
    "coordinates are shares of the image's width and height": lambda xy: xy / (WIDTH, HEIGHT),
    "coordinates are those of the image stretched to 256 x 256": lambda xy: xy * (256 / WIDTH, 256 / HEIGHT),
}


@pytest.mark.parametrize("cause", POINTS)
def test_a_mistake_in_the_points_comes_first(cause: str) -> None:
    truth = people()
    right = evaluate(truth, found(truth), COCO)["AP"]
    w = asked(truth, moved(found(truth), POINTS[cause]))
    assert w[0].change == cause
    assert w[0].after == pytest.approx(right, abs=1e-6)
    assert w.as_text().endswith(f"likely: {cause}")


@pytest.mark.parametrize(("schema", "order"), [("coco17", "left and right exchanged"), *((s, o) for s in ORDERS for o in ORDERS[s])])
def test_an_order_of_points_comes_first(schema: str, order: str) -> None:
    truth = people(schema, images=30)
    w = asked(truth, reordered(found(truth), known_orders(truth.schema)[order]))
    assert w[0].change == f"points are in another order: {order}"


def test_a_shift_comes_first() -> None:
    truth = people()
    w = asked(truth, moved(found(truth, off=0.1), lambda xy: np.add(xy, (200, 0))))
    assert w[0].change.startswith("points are shifted by (")
    assert w[0].difference > 0.5


def test_a_pixel_too_much_comes_first() -> None:
    truth = people("coco17", images=80)
    small = replace(truth, instances=replace(truth.instances, area=truth.instances.area / 60))
    w = asked(small, moved(found(truth, off=0.02), lambda xy: xy + 1))
    assert w[0].change == "points are 1 px too large"


def test_scores_that_are_losses_come_first() -> None:
    truth = people()
    pred = found(truth)
    assert asked(truth, replace(pred, score=-pred.score))[0].change == "scores negated"


def test_one_score_for_all_is_a_mistake() -> None:
    truth = people()
    pred = found(truth)
    sure = np.concatenate([pred.keypoints[..., :2], np.broadcast_to(pred.score[:, None, None], (*pred.keypoints.shape[:2], 1))], -1)
    first = asked(truth, replace(pred, keypoints=sure, score=np.ones(len(pred))))[0]
    assert first.change.startswith("score = ") and first.mistake and first.evidence.startswith(f"all {len(pred)} scores are 1; ")


def test_areas_of_nothing_are_a_mistake() -> None:
    truth = people()
    first = asked(replace(truth, instances=replace(truth.instances, area=np.zeros(len(truth)))), found(truth))[0]
    assert first.change.startswith("truth_area = ") and first.mistake


def test_repeated_poses_come_first() -> None:
    truth = people()
    pred = found(truth)
    twice = pred.take(np.tile(np.arange(len(pred)), 2))
    w = asked(truth, replace(twice, row=np.arange(len(twice))))
    assert w[0].change == "repeated poses dropped" and w[0].mistake
    assert w[0].after == evaluate(truth, pred, COCO)["AP"]


def test_image_ids_from_another_start_come_first() -> None:
    truth = people()
    truth = replace(truth, images=replace(truth.images, id=np.arange(len(truth.images))))
    pred = found(truth)
    late = replace(pred, image=pred.image - 1)
    w = asked(truth, late.take(np.flatnonzero(late.image >= 0)))
    assert w[0].change == "image ids +1"
    assert w[0].after > 0.6


def test_mixed_up_categories_come_first() -> None:
    truth = people(categories=4)
    pred = found(truth)
    w = asked(truth, replace(pred, category=pred.category % 4 + 1))
    assert w[0].change == "categories pooled"
    assert w.as_text().endswith("perhaps: categories pooled")


def test_sigmas_divided_twice_come_first() -> None:
    truth = people()
    sigmas = dict(zip(truth.schema.names, (truth.schema.sigmas / 10).tolist(), strict=True))
    w = asked(truth, found(truth), COCO.replace(sigmas=sigmas))
    assert w[0].change == "sigmas x 10"
    assert w.as_text().endswith("perhaps: sigmas x 10")


def test_sound_predictions_have_no_likely_mistake() -> None:
    truth = people()
    text = asked(truth, found(truth)).as_text()
    assert text.endswith("no mistake we know of takes more than 0.02; other rules give other numbers: name the one you expected to see which")


# -- numbers seen elsewhere -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("truth_area = 'box'", {"truth_area": "box"}),
        ("truth_area = 'extent'", {"truth_area": "extent"}),
        ("truth_area = '.53 box'", {"truth_area": ".53 box"}),
        ("interpolation = '11 points'", {"interpolation": "11 points"}),
        ("interpolation = 'all points'", {"interpolation": "all points"}),
        ("ignored = 'labelled'", {"ignored": "labelled"}),
        ("ignored = 'crowd'", {"ignored": "crowd"}),
        ("max_preds = 1", {"max_preds": 1}),
        ("categories pooled", {"per_category": False}),
    ],
)
def test_the_rule_that_gave_a_number_comes_first(change: str, values: dict[str, Any]) -> None:
    truth = people(categories=3)
    own = truth.instances
    rng = np.random.default_rng(0)
    bare = rng.random(len(truth)) < 0.1
    points = np.where(bare[:, None, None], 0.0, own.keypoints)
    truth = replace(
        truth,
        instances=replace(
            own,
            keypoints=points,
            area=own.area * rng.uniform(0.5, 1.4, len(truth)),
            recorded=np.where(rng.random(len(truth)) < 0.2, 0, (points[..., 2] > 0).sum(1)),
        ),
    )
    pred = found(truth, off=0.6)
    there = evaluate(truth, pred, COCO.replace(**values))["AP"]
    w = asked(truth, pred, expected=there)
    assert w[0].change == change, w
    assert abs(w[0].after - there) < 1e-12
    assert w.as_text().splitlines()[-1] == f"{change} gives {there:.4f}"


def test_absent_points_read_otherwise_come_first() -> None:
    truth = people()
    own = truth.instances
    near_corner = replace(truth, instances=replace(own, keypoints=np.where(own.keypoints[..., 2:] > 0, np.minimum(own.keypoints, 30), 0)))
    pred = found(near_corner, off=0.2)
    points = pred.keypoints.copy()
    points[:, 5:9, :2] = np.nan
    pred = replace(pred, keypoints=points)
    there = evaluate(near_corner, pred, COCO.replace(absent="nowhere"))["AP"]
    assert asked(near_corner, pred, expected=there)[0].change == "absent = 'nowhere'"


@pytest.mark.parametrize("factor", [10, 0.1, 2, 0.5])
def test_the_scale_of_sigmas_that_gave_a_number_comes_first(factor: float) -> None:
    truth = people()
    pred = found(truth, off=0.4)
    # similarity looks at sigma² x area alone
    other = replace(truth, instances=replace(truth.instances, area=truth.instances.area * factor**2))
    assert asked(truth, pred, expected=evaluate(other, pred, COCO)["AP"])[0].change == f"sigmas x {factor:g}"


def test_the_wrong_sigmas_of_ap10k_come_first() -> None:
    truth = people("ap10k17")
    pred = found(truth, off=0.8)
    old = (0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089)
    there = evaluate(truth, pred, COCO.replace(sigmas=dict(zip(truth.schema.names, old, strict=True))))["AP"]
    assert asked(truth, pred, expected=there)[0].change == "AP-10K's sigmas before 2021-12-02"
    cocos = dict(zip(truth.schema.names, load_schema("coco17").sigmas.tolist(), strict=True))
    assert asked(truth, pred, expected=evaluate(truth, pred, COCO.replace(sigmas=cocos))["AP"])[0].change == "COCO's sigmas by place"


def test_what_was_done_to_the_predictions_comes_first() -> None:
    truth = people()
    pred = found(truth, off=0.5)
    rng = np.random.default_rng(0)
    again = replace(pred, keypoints=pred.keypoints + rng.normal(0, 1, pred.keypoints.shape) * (1, 1, 0), score=pred.score * 0.98)
    both = Predictions.from_arrays(
        schema="coco17", image=np.tile(pred.image, 2), keypoints=np.concatenate([pred.keypoints, again.keypoints]), score=np.append(pred.score, again.score)
    )
    assert asked(truth, both, expected=evaluate(truth, oks_nms(both), COCO)["AP"])[0].change == "oks_nms(0.9)"
    assert asked(truth, pred, expected=evaluate(truth, rescore(pred), COCO)["AP"])[0].change == "score = box x keypoints"


def test_another_line_of_the_table_comes_first() -> None:
    truth = people()
    ev = evaluate(truth, found(truth, off=0.6), COCO)
    for name in ("AP@0.50", "AP@0.75", "AR"):
        assert why(ev, expected=ev[name])[0].change == f"the number is {name}"


def test_levels_and_areas_of_openpifpaf_are_told_apart() -> None:
    truth = people("crowdpose14")
    crowd = np.random.default_rng(0).uniform(0, 1.2, len(truth.images))
    truth = replace(truth, images=truth.images.with_meta(crowd_index=crowd))
    ev = evaluate(truth, found(truth, off=0.9), CROWDPOSE)
    levels = evaluate(truth, found(truth, off=0.9), CROWDPOSE.replace(levels=PROTOCOLS["crowdpose-openpifpaf"].levels))
    assert why(ev, "AP[hard]", expected=levels["AP[hard]"])[0].change == "hard as in crowdpose-openpifpaf"


def test_no_change_comes_near_a_number_out_of_reach() -> None:
    truth = people()
    text = asked(truth, found(truth), expected=-3.0).as_text()
    assert "nothing alone comes nearer to -3 than 3.0000" in text


# -- the answer ---------------------------------------------------------------------------------------


def test_the_answer_is_a_table() -> None:
    truth = people()
    w = asked(truth, found(truth))
    frame = w.to_frame()
    assert list(frame.columns) == ["change", "before", "after", "difference", "images", "evidence", "mistake"]
    assert len(frame) == len(w) == len(w.to_dict()["reasons"])
    assert np.allclose(frame["after"] - frame["before"], frame["difference"])
    assert repr(w).startswith(f"AP is {w.value:.4f} on 60 images\n")


def test_every_change_has_its_own_name_and_a_reason() -> None:
    truth = people("ap10k17", categories=2)
    changes = list(neighbours(evaluate(truth, found(truth), COCO).workings))
    assert len({c.name for c in changes}) == len(changes)
    assert all(c.why for c in changes)


def test_large_sets_are_tried_on_a_sample_and_the_best_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posebench.explain.SAMPLE", 100)
    truth = people(images=90)
    w = asked(truth, moved(found(truth), lambda xy: xy / 4))
    assert w[0].change == "coordinates are divided by 4"
    assert w[0].images == 90 and w[0].after == evaluate(truth, found(truth), COCO)["AP"]
    sound = asked(truth, found(truth, off=0.6))
    assert 10 < sound[-1].images < 60
    assert f"(on {sound[-1].images} images)" in sound.as_text(99)


def test_a_distance_is_better_small() -> None:
    truth = people()
    ev = evaluate(truth, moved(found(truth, off=0.1), lambda xy: xy + 1), COCO.replace(truth_area="box"))
    best = why(ev, "EPE")[0]
    assert best.change == "points are 1 px too large" and best.difference < 0


def test_no_predictions_have_no_explanation() -> None:
    truth = people()
    w = asked(truth, found(truth).take(np.zeros(0, np.intp)))
    assert len(w) == 0 and w.as_text().endswith("nothing we know of changes it")


def test_a_number_that_is_none_is_refused() -> None:
    truth = people()
    with pytest.raises(PoseError, match=r"why: expected: nan; the number seen elsewhere"):
        asked(truth, found(truth), expected=float("nan"))


def test_real_samples_get_an_answer(real: Path) -> None:
    truth = posedata.read_coco(real / "coco_4" / "gt.json", schema="coco17")
    w = asked(truth, posedata.read_predictions(real / "coco_4" / "preds.json", "coco17"))
    assert not any(r.mistake and r.difference > 0.02 for r in w.reasons), w
