"""sensitivity: the same files under every rule that others might have followed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from posebench import COCO, Evaluation, Sensitivity, evaluate, sensitivity
from posebench.simulate import simulate
from posebench.statistics.changes import KINDS
from posebench.statistics.order import flips, kendall
from posedata import Keypoint, PoseDataset, PoseError, Predictions, Schema

from .scored import at_distance
from .test_simulate import crowded


@pytest.fixture(scope="module")
def models() -> dict[str, Evaluation]:
    """Three models: a few large errors, many small ones, and one worse than both."""
    ds = crowded(150, 3)
    sharp, rough = simulate(ds, jitter=0.02, miss=0.13, seed=1), simulate(ds, jitter=0.35, miss=0.02, swap=0.02, seed=2)
    return {"sharp": evaluate(ds, sharp.pred), "rough": evaluate(ds, rough.pred), "worse": evaluate(ds, simulate(ds, miss=0.5, seed=3).pred)}


@pytest.fixture(scope="module")
def made(models: dict[str, Evaluation]) -> Sensitivity:
    return sensitivity(*models.values(), names=list(models))


def test_the_row_as_it_is_is_the_evaluation(models: dict[str, Evaluation], made: Sensitivity) -> None:
    assert made.base.change == "as it is" and made.base.values == tuple(ev["AP"] for ev in models.values())
    assert made.base.flips == () and made.base.tau == pytest.approx(1)


@pytest.mark.parametrize("change", ["thresholds .75", "max_preds 1", "curve 11 points", "area extent", "sigmas x 0.5", "absent nowhere"])
def test_every_row_is_what_an_evaluation_under_these_rules_gives(models: dict[str, Evaluation], made: Sensitivity, change: str) -> None:
    ds = models["sharp"].truth
    protocols = {
        "thresholds .75": COCO.replace(thresholds=(COCO.thresholds[5],)),
        "max_preds 1": COCO.replace(max_preds=1),
        "curve 11 points": COCO.replace(interpolation="11 points"),
        "area extent": COCO.replace(truth_area="extent"),
        "sigmas x 0.5": COCO.replace(sigmas=dict(zip(ds.schema.names, (ds.schema.sigmas / 2).tolist(), strict=True))),
        "absent nowhere": COCO.replace(absent="nowhere"),
    }
    for value, ev in zip(made[change].values, models.values(), strict=True):
        assert value == evaluate(ds, ev.predictions, protocols[change])["AP"]


def test_wider_tolerances_never_score_less(made: Sensitivity) -> None:
    rows = [made[name].values for name in ("sigmas x 0.5", "sigmas x 0.8", "as it is", "sigmas x 1.25", "sigmas x 2")]
    assert (np.diff(np.array(rows), axis=0) > 0).all()


def test_one_point_at_a_known_distance() -> None:
    points = np.array([[[10.0 * k, 0.0, 2.0] for k in range(6)]])
    sigma = 0.06
    schema = Schema(name="six", keypoints=tuple(Keypoint(f"p{k}", sigma) for k in range(6)))
    moved = at_distance(points[0], [0.82] * 6, 1000.0, sigma)
    known = PoseDataset.from_arrays(schema=schema, image=[1], keypoints=points, area=[1000.0])
    found = Predictions.from_arrays(schema=schema, image=[1], keypoints=moved[None], score=[0.9])
    made = sensitivity(evaluate(known, found), kinds=["sigmas", "thresholds"])
    # OKS is .82: seven of ten thresholds; with k taken for sigma it is .82^4 = .45, with tolerances doubled .82^(1/4) = .952
    assert made["as it is"].values[0] == pytest.approx(0.7) and made["sigmas x 0.5"].values == (0.0,)
    assert made["sigmas x 2"].values[0] == pytest.approx(1)
    assert made["thresholds .75"].values[0] == pytest.approx(1) and made["thresholds .90"].values == (0.0,)
    assert made["uniform sigmas"].values == made["as it is"].values


def test_models_that_exchange_places_are_named(made: Sensitivity) -> None:
    assert not made.holds
    row = made["thresholds .50"]
    base = dict(zip(made.models, made.base.values, strict=True))
    now = dict(zip(made.models, row.values, strict=True))
    for a, b in row.flips:
        assert base[a] > base[b] and now[a] < now[b]
    assert {"sharp", "rough"} in [set(pair) for r in made.rows for pair in r.flips]
    assert "changes under" in str(made) and "falls behind with" in str(made)


def test_one_model_has_no_order(models: dict[str, Evaluation]) -> None:
    one = sensitivity(models["sharp"])
    assert one.holds and all(math.isnan(row.tau) for row in one.rows) and "tau" not in str(one)
    assert list(one.to_pandas().columns) == ["kind", *one.models, f"change of {one.models[0]}", "says"]


def test_a_model_beside_itself_holds_its_order(models: dict[str, Evaluation]) -> None:
    twins = sensitivity(models["sharp"], models["worse"])
    assert len(set(twins.models)) == 2
    same = sensitivity(models["sharp"], models["sharp"], names=["a", "b"])
    assert same.holds and all(math.isnan(row.tau) for row in same.rows)


def test_truth_boxes_are_a_row(models: dict[str, Evaluation]) -> None:
    better = simulate(models["sharp"].truth, jitter=0.0, miss=0.0, swap=0.0, inversion=0.0).pred
    row = sensitivity(models["sharp"], truth_boxes=better, kinds=["boxes", "area"])["truth boxes"]
    assert row.values[0] == evaluate(models["sharp"].truth, better)["AP"] > models["sharp"]["AP"]
    both = sensitivity(*models.values(), truth_boxes=[None, None, better], kinds="boxes")["truth boxes"]
    assert [math.isnan(v) for v in both.values] == [True, True, False]
    with pytest.raises(PoseError, match="1 sets of predictions, 3 models"):
        sensitivity(*models.values(), truth_boxes=better)


def test_what_a_truth_does_not_have_is_a_note(made: Sensitivity) -> None:
    assert any(n.startswith("area box left out") for n in made.notes)
    wide = Schema(name="wide", keypoints=(Keypoint("a", 0.6), Keypoint("b", 0.1)))
    ds = PoseDataset.from_arrays(schema=wide, image=[1], keypoints=[[[5, 5, 2], [9, 9, 2]]], area=[100.0])
    one = sensitivity(evaluate(ds, simulate(ds).pred))
    assert any("sigmas x 2 left out: a sigma would be 1.2" in n for n in one.notes)


def test_sigmas_of_other_sets_are_found_by_name() -> None:
    for schema in ("ap10k17", "animalpose20"):
        ds = crowded(30, 2, schema)
        names = [row.change for row in sensitivity(evaluate(ds, simulate(ds).pred), kinds="sigmas").rows]
        assert any("of" in n for n in names[6:]), names
        assert len(names) == len(set(names))


def test_categories_with_sigmas_of_their_own_are_scaled_each() -> None:
    from dataclasses import replace

    ds = crowded(40, 2)
    (kind,) = ds.categories
    two = replace(ds, categories=(replace(kind, id=1, name="cat"), replace(kind, id=2, name="dog", sigmas=tuple((ds.schema.sigmas * 2).tolist()))))
    two = replace(two, instances=replace(two.instances, category=np.arange(len(ds)) % 2))
    ev = evaluate(two, simulate(two).pred)
    row = sensitivity(ev, kinds=["sigmas", "categories"])
    assert row["sigmas x 2"].values[0] > row.base.values[0] > row["sigmas x 0.5"].values[0]
    assert "categories pooled" in [r.change for r in row.rows]


def test_ranges_are_metrics_too(models: dict[str, Evaluation]) -> None:
    row = sensitivity(models["sharp"], metric="AR[medium]", kinds=["sigmas", "thresholds"])
    assert row.metric == "AR[medium]" and row.base.values == (models["sharp"]["AR[medium]"],)
    at = sensitivity(models["sharp"], metric="AP@.75", kinds=["thresholds"])
    assert any("thresholds .50 left out: protocol" in n for n in at.notes)


@pytest.mark.parametrize(
    ("metric", "kinds", "words"),
    [("PCK@0.2", None, "does not look at similarities"), ("AP", ["sigma"], "did you mean 'sigmas'"), ("AP", [], "none"), ("AP.poseval", None, "does not look")],
)
def test_bad_options_are_one_line(models: dict[str, Evaluation], metric: str, kinds: list[str] | None, words: str) -> None:
    with pytest.raises(PoseError, match=words):
        sensitivity(models["sharp"], metric=metric, kinds=kinds)


def test_models_of_other_images_or_rules_are_refused(models: dict[str, Evaluation]) -> None:
    ds = crowded(90, 3, seed=4)
    other = evaluate(ds, simulate(ds).pred)
    with pytest.raises(PoseError, match="a and b: images: 50 against 30"):
        sensitivity(models["sharp"], other, names=["a", "b"])
    with pytest.raises(PoseError, match="under one protocol"):
        sensitivity(models["sharp"], evaluate(models["rough"].truth, models["rough"].predictions, COCO.replace(max_preds=3)))
    with pytest.raises(PoseError, match="2 different names"):
        sensitivity(models["sharp"], models["rough"], names=["a", "a"])
    for nothing in ((), (3,), ("preds.json",), ([models["sharp"]],)):
        with pytest.raises(PoseError, match="one evaluation or several"):
            sensitivity(*nothing)  # type: ignore[arg-type]


def test_the_values_are_plain(made: Sensitivity) -> None:
    values = json.loads(json.dumps(made.to_dict()))
    assert values["holds"] is False and len(values["rows"]) == len(made) == len(made.to_pandas())
    assert {row["kind"] for row in values["rows"]} <= {"as it is", *KINDS}


def test_a_set_without_truths_has_no_number() -> None:
    empty = PoseDataset.from_arrays(schema="coco17", image=np.zeros(0, np.int64), keypoints=np.zeros((0, 17, 3)), area=np.zeros(0))
    found = simulate(crowded(3)).pred.take(np.zeros(0, np.intp))
    made = sensitivity(evaluate(empty, found))
    assert all(math.isnan(v) for row in made.rows for v in row.values) and "No other rule gives" in str(made)


# -- orders --------------------------------------------------------------------------------------------


def test_kendall_by_hand() -> None:
    assert kendall([1, 2, 3, 4], [1, 2, 3, 4]) == 1 and kendall([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert kendall([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(4 / 6)
    assert kendall([1, 2, 3], [1, 1, 2]) == pytest.approx(2 / math.sqrt(3 * 2))
    assert math.isnan(kendall([1], [1])) and math.isnan(kendall([1, 2], [3, 3])) and kendall([1, 2, math.nan], [1, 2, 0]) == 1


def test_kendall_is_scipys() -> None:
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 5, 8), rng.integers(0, 5, 8)
        assert kendall(a, b) == pytest.approx(kendalltau(a, b).statistic)


def test_flips_by_hand() -> None:
    assert flips("abc", [3, 2, 1], [3, 1, 2]) == [("b", "c")]
    assert flips("abc", [1, 2, 3], [3, 2, 1]) == [("b", "a"), ("c", "a"), ("c", "b")]
    assert flips("ab", [1, 2], [2, 2]) == [] and flips("ab", [1, math.nan], [2, 1]) == []
