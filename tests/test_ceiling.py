"""ceiling: what perfect predictions score, by the law where there is one."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest

import posebench
from posebench import COCO, Grid, ceiling, evaluate
from posebench.simulate import simulate
from posebench.statistics.grids import DECODES, read_grid, through
from posebench.statistics.passing import tail
from posedata import PoseDataset, PoseError, load_schema
from posedata.annotators.estimate import estimate_sigmas

from .test_simulate import crowded

# -- the law -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.125, 0.5, 1.0, 3.0])
def test_one_point_passes_as_often_as_its_power_says(power: float) -> None:
    t = np.array([0.1, 0.5, 0.9, 0.99])
    assert tail(np.array([power]), t) == pytest.approx(1 - t ** (1 / power), abs=1e-6)


def test_five_uniform_points_are_irwin_and_hall() -> None:
    assert tail(np.ones(5), [0.5, 0.9, 1.0]) == pytest.approx([0.5, 0.5**5 / math.factorial(5), 0], abs=1e-7)


def test_points_of_different_tolerance_and_points_that_stay_pass_as_draws_do() -> None:
    powers = np.array([0.0, 0.125, 0.5, 0.5, 2.0])
    drawn = (np.random.default_rng(0).random((400_000, 5)) ** powers).mean(1)
    for t in (0.3, 0.6, 0.8, 0.9):
        assert tail(powers, [t])[0] == pytest.approx((drawn >= t).mean(), abs=0.003)
    assert tail(np.zeros(3), [1.0])[0] == 1


def test_the_similarity_of_an_annotator_has_the_mean_of_eight_ninths() -> None:
    t = np.linspace(0, 1, 2001)
    assert np.trapezoid(tail(np.full(17, 1 / 8), t), t) == pytest.approx(8 / 9, abs=1e-4)


# -- grids ---------------------------------------------------------------------------------------------


def test_a_grid_by_hand() -> None:
    box = np.array([[0.0, 0.0, 64.0, 32.0]])
    grid = Grid(height=32, width=64, stride=4, padding=1.0)
    xy = np.array([[[0.0, 0.0], [3.4, 3.6], [63.0, 31.0], [100.0, -9.0]]])
    # cells of four pixels: centres at 1.5, 5.5, ... where keypoints count pixel centres
    assert through(grid, xy, box)[0].tolist() == [[1.5, 1.5], [1.5, 5.5], [61.5, 29.5], [61.5, 1.5]]
    quarter = through(read_grid("32x64/4:quarter"), xy, np.array([[6.4, 3.2, 51.2, 25.6]]))  # x 1.25 is the same crop
    assert quarter[0, :2] == pytest.approx(np.array([[0.5, 0.5], [2.5, 4.5]]))
    assert through(read_grid("32x64/4:corner"), xy[:, :1], np.array([[6.4, 3.2, 51.2, 25.6]]))[0, 0] == pytest.approx([-0.5, -0.5])


def test_a_crop_keeps_the_shape_of_the_grid_or_stretches() -> None:
    box, xy = np.array([[0.0, 0.0, 10.0, 100.0]]), np.array([[[4.5, 49.5]]])
    wide = Grid(height=100, width=100, stride=1, padding=1.0)
    assert through(wide, xy + 20, box)[0, 0] == pytest.approx([25, 70])  # a square crop holds what lies beside the box
    assert through(Grid(height=100, width=100, stride=1, padding=1.0, keeps_shape=False), xy + 20, box)[0, 0, 0] == pytest.approx(9.45)


@pytest.mark.parametrize("text", ["256x192", "256x192/4:quarter", "64x48/0.5", "keypointrcnn", "256x192/4:exact"])
def test_a_grid_is_read_as_it_is_written(text: str) -> None:
    assert read_grid(str(read_grid(text))) == read_grid(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("big", "HEIGHTxWIDTH/STRIDE"), ("256x192/4:best", "decode 'best'"), ("8x8/16", "no larger than the crop"), ("0x9/1", "above 0")],
)
def test_what_is_no_grid_is_told(text: str, words: str) -> None:
    with pytest.raises(PoseError, match=words):
        ceiling(crowded(6), grids=text)


# -- laws ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["coco17", "foot6", "ap10k17"])
def test_without_noise_and_grid_everything_passes(schema: str) -> None:
    made = ceiling(crowded(60, 3, schema), noise=0, grids=())
    assert [limit.cause for limit in made.limits] == ["nothing"]
    assert all(v == pytest.approx(1, abs=1e-12) for v in made["nothing"].metrics.values())
    assert set(made["nothing"].passing) == {1.0} and made["nothing"].how == "exact"


def test_more_noise_is_a_lower_ceiling() -> None:
    ds = crowded(150, 3)
    values = [ceiling(ds, noise=x, grids=(), draws=4)["annotators" if x else "nothing"].ap for x in (0, 0.5, 0.7, 1, 2, 4)]
    assert all(a > b for a, b in pairwise(values))


def test_a_coarser_grid_is_a_lower_ceiling_and_a_better_decode_a_higher_one() -> None:
    ds = crowded(150, 3)
    made = ceiling(ds, noise=0, grids=["64x48/1", "64x48/2", "64x48/4", "64x48/8", "64x48/8:quarter", "64x48/8:exact"])
    values = [made[f"grid {g}"].ap for g in ("64x48/1", "64x48/2", "64x48/4", "64x48/8")]
    assert all(a > b for a, b in pairwise(values))
    assert made["grid 64x48/8"].ap < made["grid 64x48/8:quarter"].ap < made["grid 64x48/8:exact"].ap == pytest.approx(1)
    corner = ceiling(ds, noise=0, grids="64x48/4:corner")
    assert corner["grid 64x48/4:corner"].ap < made["grid 64x48/4"].ap


@pytest.mark.parametrize("cause", ["annotators", "annotators, k taken for sigma"])
def test_the_share_that_passes_is_what_theory_says(cause: str) -> None:
    ds, at = crowded(400, 2), (0.5, 0.6, 0.75, 0.9)
    limit = ceiling(ds, grids=(), draws=20, metrics=[f"AR@{t}" for t in at])[cause]
    power = 0.5 if "sigma" in cause else 0.125  # similarity is U^(1/2), or U^(1/8) with tolerances of 2 sigma
    points = ds.instances.labelled.sum(1)
    assert limit.exact
    for t in at:
        expected = np.mean([tail(np.full(n, power), [t])[0] for n in points if n])
        assert limit.passes(t) == pytest.approx(expected, abs=1e-9)
        # and recall, drawn through the whole evaluator, agrees with the law
        assert limit.metrics[f"AR@{t:.2f}"] == pytest.approx(expected, abs=5 * limit.errors[f"AR@{t:.2f}"] + 1e-3)


def test_with_k_taken_for_sigma_nothing_passes_point_nine() -> None:
    made = ceiling(crowded(300, 1), grids=())
    assert made["annotators"].passes(0.9) > 0.3 and made["annotators, k taken for sigma"].passes(0.9) < 1e-4
    assert "k taken for sigma" in made.answer and "\n" not in made.answer and "look there first" in made.answer


def test_means_of_draws_come_with_their_error_and_the_seed_decides() -> None:
    ds = crowded(60, 2)
    first, again, other = (ceiling(ds, grids=(), draws=6, seed=s) for s in (1, 1, 2))
    assert json.dumps(first.to_dict()) == json.dumps(again.to_dict()) != json.dumps(other.to_dict())
    limit, more = first["annotators"], ceiling(ds, grids=(), draws=60, seed=3)["annotators"]
    assert limit.draws == 6 and 0 < more.errors["AP"] < limit.errors["AP"]
    assert abs(limit.ap - more.ap) < 6 * limit.errors["AP"]


def test_scores_that_know_nothing_reach_less() -> None:
    limit = ceiling(crowded(200, 2), grids=())["annotators"]
    assert limit.blind < limit.ap


def test_the_area_rule_moves_the_same_errors() -> None:
    ds = crowded(100, 2)
    box = ds.instances.extent()
    boxed = PoseDataset.from_arrays(schema="coco17", image=ds.instances.image, keypoints=ds.instances.keypoints, area=0.5 * box[:, 2] * box[:, 3], bbox=box)
    made = ceiling(boxed, grids=(), draws=4)
    assert made["annotators"].ap < made["annotators, area = .53 box"].ap < made["annotators, area = box"].ap
    assert made["annotators, area = box"].exact, "one ratio of areas is one kind of pose for each number of points"
    assert "cannot be compared" in str(made)


# -- who errs, and how ---------------------------------------------------------------------------------


def jittered(ds: PoseDataset, seed: int, factor: float = 1.0) -> PoseDataset:
    """The same poses as another annotator would have them."""
    own = ds.instances
    spread = ds.schema.sigmas * np.sqrt(own.area)[:, None] * factor / np.sqrt(2)
    points = own.keypoints.copy()
    points[..., :2] += np.random.default_rng(seed).normal(0, 1, points[..., :2].shape) * spread[..., None]
    return PoseDataset.from_arrays(
        schema=ds.schema, image=ds.images.id[own.image], keypoints=points * (own.keypoints[..., 2:] > 0), area=own.area, name=f"annotator{seed}"
    )


def test_a_second_annotator_is_scored_as_a_model_and_nothing_is_drawn() -> None:
    ds = crowded(200, 2)
    second = ceiling(ds, noise=jittered(ds, 1), grids=())["second annotator"]
    drawn = ceiling(ds, noise=1.0, grids=())["annotators"]
    assert second.how == "exact" and second.ap == pytest.approx(drawn.ap, abs=0.02)
    assert second.passes(0.9) == pytest.approx(drawn.passes(0.9), abs=0.07)


def test_a_second_annotator_of_half_the_images_is_scored_on_those() -> None:
    ds = crowded(60, 2)
    half = jittered(ds.take_images(np.arange(15)), 1)
    made = ceiling(ds, noise=half, grids=())
    assert made.truths == 30 and "15 of 30 images" in made.noise and made["nothing"].ap == pytest.approx(1)


def test_estimated_sigmas_are_a_noise() -> None:
    ds = crowded(80, 2)
    twice = [jittered(ds, seed, 0.5) for seed in (1, 2, 3)]
    stacked = PoseDataset.from_arrays(
        schema=ds.schema,
        image=np.concatenate([t.images.id[t.instances.image] for t in twice]),
        keypoints=np.concatenate([t.instances.keypoints for t in twice]),
        area=np.concatenate([t.instances.area for t in twice]),
        meta={"subject": np.tile(np.arange(len(ds)), 3), "annotator": np.repeat(["a", "b", "c"], len(ds)).astype(object)},
    )
    made = ceiling(ds, noise=estimate_sigmas(stacked), grids=())
    assert "repeated annotation" in made.noise
    assert made["annotators"].ap == pytest.approx(ceiling(ds, noise=0.5, grids=())["annotators"].ap, abs=0.02)


def test_sigmas_by_name_and_schemas_are_a_noise() -> None:
    ds = crowded(60, 2)
    own = dict(zip(ds.schema.names, ds.schema.sigmas.tolist(), strict=True))
    by_name, plain = (ceiling(ds, noise=n, grids=(), draws=2)["annotators"] for n in (own, 1.0))
    assert by_name.metrics == plain.metrics
    assert ceiling(ds, noise=load_schema("coco17"), grids=(), draws=2)["annotators"].metrics == plain.metrics


def test_an_evaluation_stands_beside_its_ceiling() -> None:
    ds = crowded(90, 3)
    ev = evaluate(ds, simulate(ds).pred)
    made = ceiling(ev, draws=2)
    assert made.model is not None and made.model.ap == ev["AP"]
    assert "This model has" in str(made) and list(made.to_pandas().index)[-1] == "this model"
    other = ceiling(ev, COCO.replace(thresholds=(0.5, 0.9)), draws=2)
    assert other.model is not None and len(other.model.passing) == 2


# -- awkward -------------------------------------------------------------------------------------------


def test_a_model_above_its_ceiling_is_told() -> None:
    ds = crowded(60, 2)
    perfect = evaluate(ds, simulate(ds, jitter=0.0, miss=0.0, swap=0.0, inversion=0.0).pred)
    assert "which is more: annotators err less than that noise" in str(ceiling(perfect, grids=(), draws=2))


def test_a_set_without_truths_has_no_ceiling() -> None:
    empty = PoseDataset.from_arrays(schema="coco17", image=np.zeros(0, np.int64), keypoints=np.zeros((0, 17, 3)), area=np.zeros(0))
    made = ceiling(empty, draws=2)
    assert math.isnan(made["nothing"].ap) and "No truth counts" in str(made)
    assert json.loads(json.dumps(made.to_dict()))["limits"][0]["AP"] is None


def test_one_truth_of_no_area_and_a_crowded_image_have_one() -> None:
    keypoints = np.concatenate([np.random.default_rng(0).uniform(0, 50, (30, 17, 2)), np.full((30, 17, 1), 2.0)], -1)
    one = PoseDataset.from_arrays(schema="coco17", image=[1], keypoints=keypoints[:1], area=[0.0])
    assert ceiling(one, draws=2)["nothing"].ap == pytest.approx(1)
    many = PoseDataset.from_arrays(schema="coco17", image=[1] * 30, keypoints=keypoints, area=np.full(30, 900.0))
    cut = ceiling(many, noise=0, grids=())
    assert cut["nothing"].metrics["AR"] == pytest.approx(20 / 30) and "max_preds = 20" in str(cut)


def test_points_outside_the_crop_are_told() -> None:
    keypoints = [[[5, 5, 2], [300, 5, 2], [5, 6, 2], [6, 5, 2], [7, 5, 2], [8, 5, 2]]]
    ds = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=keypoints, area=[900.0], bbox=[[0, 0, 30, 30]])
    assert any("1 of 6 labelled points lie outside" in n for n in ceiling(ds, grids="64x64/1", draws=2).notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": -1}, "0 or more"),
        ({"noise": math.nan}, "0 or more"),
        ({"noise": {"nosse": 0.1}}, "did you mean 'nose'"),
        ({"noise": {"nose": 3}}, "between 0 and 1"),
        ({"noise": [1]}, "a second annotator's PoseDataset"),
        ({"draws": 1}, "from 2 on"),
        ({"seed": -1}, "whole number"),
        ({"metrics": ["AP[tiny]"]}, "no range, level or part 'tiny'"),
        ({"protocol": "cocoo"}, "did you mean"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, object], words: str) -> None:
    with pytest.raises(PoseError, match=words) as told:
        ceiling(crowded(6), **options)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
    with pytest.raises(PoseError, match="an Evaluation"):
        ceiling(3)  # type: ignore[arg-type]


def test_a_second_annotator_elsewhere_is_refused() -> None:
    with pytest.raises(PoseError, match="no image of"):
        ceiling(crowded(6), noise=PoseDataset.from_arrays(schema="coco17", image=[99], keypoints=np.ones((1, 17, 3)), area=[4.0]))


def test_every_decode_has_its_sentence() -> None:
    made = ceiling(crowded(12), grids=[f"64x48/4:{d}" for d in DECODES], draws=2)
    for name, text in DECODES.items():
        assert text in made[f"grid {read_grid(f'64x48/4:{name}')}"].says
    assert posebench.ceiling is ceiling
