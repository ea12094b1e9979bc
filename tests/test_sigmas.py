"""Sigmas: known ones are found again, within their intervals as often as these say, whatever a few annotators did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import posedata
from posedata import DataError, PoseDataset, Predictions, estimate_sigmas, load_schema, plan_repeats, sigmas_from_residuals
from posedata.annotators.plan import points_needed
from posedata.annotators.spread import chi_square_quantile
from posedata.cli import app
from tests.repeated import by_annotator, of_points, repeated

SIGMAS = load_schema("coco17").sigmas


@pytest.mark.parametrize(
    ("n", "raters", "interval", "long_tails"), [(25, 2, "chi2", False), (60, 3, "chi2", False), (120, 3, "chi2", True), (120, 2, "bootstrap", False)]
)
def test_known_sigmas_lie_in_their_intervals_about_as_often_as_these_say(n: int, raters: int, interval: str, long_tails: bool) -> None:
    inside, ratio = [], []
    for seed in range(40 if interval == "chi2" else 12):
        found = estimate_sigmas(repeated(n, raters, seed, long_tails=long_tails), interval=interval, outlier=None if long_tails else 4.0)
        inside.append((found.low <= SIGMAS) & (found.high >= SIGMAS))
        ratio.append(found.sigmas / SIGMAS)
    assert 0.915 <= np.mean(inside) <= 0.98
    assert abs(np.mean(ratio) - 1) < 0.02


def test_sigma_by_hand() -> None:
    """Two annotations 6 px apart of a body of 100 x 100: 3 px from their mean, squares 9 + 9 over r - 1 = 1, over an area of 10,000."""
    points = np.zeros((1, 2, 6, 3))
    points[..., :2], points[..., 2] = 50, 2
    points[0, 1, 0, 0] += 6
    found = estimate_sigmas(of_points(points, np.array([10_000.0]), "foot6"), outlier=None)
    assert found.sigmas[0] == pytest.approx(np.sqrt(18 / 10_000))
    assert (found.sigmas[1:] == 0).all()
    assert found.annotations[0] == 2 and found.subjects[0] == 1


def test_an_exchange_of_sides_does_not_double_a_sigma() -> None:
    clean, spoilt = estimate_sigmas(repeated(80, 3)), estimate_sigmas(repeated(80, 3, swapped=4))
    assert np.allclose(spoilt.sigmas, clean.sigmas, rtol=0.1)
    assert (spoilt.plain[1:] > 1.2 * spoilt.sigmas[1:]).all()
    assert spoilt.exchanged.sum() > 50 and spoilt.left_out.sum() >= spoilt.exchanged.sum()
    assert clean.left_out.sum() == 0


def test_of_two_annotations_too_far_apart_both_are_left_out() -> None:
    found = estimate_sigmas(repeated(80, 2, swapped=2))
    assert (found.left_out % 2 == 0).all() and found.left_out.sum() > 20
    assert found.exchanged.sum() == 0, "nobody knows which of the two"


def test_pooling_gives_both_sides_one_sigma() -> None:
    found, apart = estimate_sigmas(repeated(), pool=True), estimate_sigmas(repeated())
    mirror = load_schema("coco17").mirror
    assert np.allclose(found.sigmas, found.sigmas[mirror]) and not np.allclose(apart.sigmas, apart.sigmas[mirror])
    assert (found.annotations[1:] == 2 * apart.annotations[1:]).all() and found.annotations[0] == apart.annotations[0]
    assert (found.high - found.low)[1] < (apart.high - apart.low)[1]


def test_one_set_for_each_annotator_gives_the_same() -> None:
    ds = repeated(30, 3)
    together, apart = estimate_sigmas(ds), estimate_sigmas(by_annotator(ds))
    assert np.allclose(together.sigmas, apart.sigmas)


def test_who_repeats_himself_does_not_make_points_look_surer() -> None:
    ds = repeated(40, 2)
    own = ds.instances
    again = replace(own, id=own.id + 10_000).take(own.meta["annotator"] == "r0")
    more = replace(ds, instances=posedata.tables.stack([own, again]))  # r0 does each the very same once more
    assert np.allclose(estimate_sigmas(more, outlier=None).sigmas, estimate_sigmas(ds, outlier=None).sigmas)


def test_the_estimate_is_a_schema() -> None:
    ds = repeated(50, 3, schema="foot6")
    found = estimate_sigmas(ds)
    measured = found.to_schema("mine")
    assert measured.name == "mine" and {k.sigma_source for k in measured.keypoints} == {"measured"}
    assert np.allclose(measured.sigmas, found.sigmas, atol=1e-6)
    assert measured.asymmetry
    k = ds.instances.keypoints.copy()
    k[:, 2] = 0
    part = estimate_sigmas(replace(ds, instances=replace(ds.instances, keypoints=k)))
    assert np.isnan(part.sigmas[2]) and part.to_schema().keypoints[2] == ds.schema.keypoints[2]
    assert "no repeats tell of left_heel" in str(part)
    assert json.loads(json.dumps(part.to_dict()))["keypoints"][2]["sigma"] is None
    assert part.to_pandas().shape[0] == 6


def test_residuals_give_an_upper_bound() -> None:
    rng = np.random.default_rng(0)
    truth = repeated(300, 1).where(annotator="r0")
    own = truth.instances
    off = rng.standard_normal((len(truth), 17, 2)) * (0.5 * SIGMAS * np.sqrt(own.area)[:, None] / np.sqrt(2))[..., None]
    place = own.keypoints[..., :2]
    pred = Predictions.from_arrays(schema="coco17", image=truth.images.id[own.image], keypoints=place + off, score=np.ones(len(truth)), truth=own.id)
    found = sigmas_from_residuals(truth, pred)
    assert np.allclose(found.sigmas, 0.5 * SIGMAS, rtol=0.15)
    alone = sigmas_from_residuals(truth, replace(pred, truth=np.full(len(truth), -1)))
    assert np.allclose(alone.sigmas, found.sigmas), "one truth and one prediction on an image belong together"
    bound = found.to_schema()
    assert {k.sigma_source for k in bound.keypoints} == {"assumed"} and "upper bounds" in bound.source


def test_the_chi_square_quantile_is_that_of_tables() -> None:
    tabled = {(0.025, 10): 3.247, (0.975, 10): 20.483, (0.5, 30): 29.336, (0.975, 100): 129.561}
    for (share, degrees), value in tabled.items():
        assert chi_square_quantile(share, np.array(float(degrees))) == pytest.approx(value, rel=0.01)


# -- the plan ----------------------------------------------------------------------------------------


def test_a_plan_reaches_the_precision_it_promises() -> None:
    n = int(points_needed(0.15, 0.95, 3, 2.0))
    widths = [(found.high - found.low) / 2 / found.sigmas for found in (estimate_sigmas(repeated(n, 3, seed)) for seed in range(8))]
    assert np.mean(widths) == pytest.approx(0.15, rel=0.12)


def test_a_plan_names_instances_that_have_the_points() -> None:
    ds = posedata.load_dataset("synthetic", "person", split="val")
    plan = plan_repeats(ds, precision=0.15, points=["left_heel", "right_heel"], repeats=3)
    rows = np.isin(ds.instances.id, plan.instances)
    labelled = ds.instances.labelled[rows][:, [ds.schema.index(p) for p in plan.points]]
    assert (labelled.sum(0) == plan.chosen).all() and (plan.chosen >= plan.needed).all()
    assert (plan.expected <= 0.15).all() and not plan.short
    assert plan.extra == 2 * len(plan.instances)
    assert len(np.unique(plan.images)) == len(plan.images), "one of an image before the second of any"
    again = plan_repeats(ds, precision=0.15, points=["left_heel", "right_heel"], repeats=3)
    assert (again.instances == plan.instances).all()
    assert len(plan_repeats(ds, precision=0.15, points=list(plan.points), pool=True).instances) < len(plan.instances)


def test_a_plan_says_what_the_set_cannot_give() -> None:
    ds = posedata.load_dataset("synthetic", "person", split="val")
    plan = plan_repeats(ds, precision=0.02, points=["nose"])
    assert plan.short == ["nose"] and "too few" in str(plan)
    assert plan.chosen[0] == plan.available[0]


def test_a_pilot_replaces_the_assumption() -> None:
    ds = repeated(400, 2).where(annotator="r0")
    blind, told = plan_repeats(ds, precision=0.2), plan_repeats(ds, precision=0.2, pilot=estimate_sigmas(repeated(100, 3, seed=3)))
    assert told.needed.mean() < 0.75 * blind.needed.mean(), "round scatter needs half of what a line needs"


# -- what is refused ---------------------------------------------------------------------------------


def test_what_makes_no_repeats_is_one_line() -> None:
    ds = repeated(5, 2)
    with pytest.raises(DataError, match=r"no column 'subjekt'.*did you mean 'subject'"):
        estimate_sigmas(ds, subject="subjekt")
    with pytest.raises(DataError, match="each annotated once"):
        estimate_sigmas(ds.where(annotator="r0"))
    with pytest.raises(DataError, match="neither area nor box"):
        estimate_sigmas(replace(ds, instances=replace(ds.instances, area=np.full(10, np.nan))))
    with pytest.raises(DataError, match="lies on images"):
        estimate_sigmas(replace(ds, instances=ds.instances.with_meta(subject=np.zeros(10, int))))
    with pytest.raises(DataError, match="1 datasets"):
        estimate_sigmas([ds])
    with pytest.raises(DataError, match="outlier=-1"):
        estimate_sigmas(ds, outlier=-1)
    with pytest.raises(DataError, match="confidence=95"):
        estimate_sigmas(ds, confidence=95)
    with pytest.raises(DataError, match=r"interval='chi'.*chi2"):
        estimate_sigmas(ds, interval="chi")
    with pytest.raises(DataError, match="repeats=1"):
        plan_repeats(ds, repeats=1)


def test_boxes_stand_in_for_areas_and_that_is_said() -> None:
    ds = repeated(20, 2)
    own = ds.instances
    side = np.sqrt(own.area / 0.53)
    boxed = replace(ds, instances=replace(own, area=np.full(len(own), np.nan), bbox=np.stack([side * 0, side * 0, side, side], 1)))
    found = estimate_sigmas(boxed)
    assert np.allclose(found.sigmas, estimate_sigmas(ds).sigmas)
    assert "40 annotations without an area" in str(found)


# -- the command -------------------------------------------------------------------------------------


def run(*arguments: str) -> click.testing.Result:
    return CliRunner().invoke(app, ["sigmas", *arguments], catch_exceptions=True)


@pytest.fixture
def twice(tmp_path: Path) -> str:
    ds: PoseDataset = repeated(20, 3, swapped=1)
    ds.to_coco(tmp_path / "twice.json")
    return str(tmp_path / "twice.json")


def test_the_command_measures_compares_and_agrees(twice: str, tmp_path: Path) -> None:
    said = run(twice, "--pool", "--raters", "--json", "-o", str(tmp_path / "mine.json"), "--consensus", str(tmp_path / "agreed.json"))
    values = json.loads(said.output.strip().splitlines()[-1])
    assert said.exit_code == 0 and values["pooled"] and len(values["keypoints"]) == 17
    assert {r["annotator"] for r in values["raters"]["annotators"]} == {"r0", "r1", "r2"}
    assert posedata.load_schema(tmp_path / "mine.json").keypoints[0].sigma_source == "measured"
    assert len(posedata.read_coco(tmp_path / "agreed.json")) == 20
    assert run(twice, "-o", str(tmp_path / "t.csv")).exit_code == 0 and (tmp_path / "t.csv").read_text().startswith("keypoint,sigma")


def test_the_command_plans(tmp_path: Path) -> None:
    out = tmp_path / "plan.csv"
    said = run("synthetic/person/val", "--plan", "--precision", ".2", "--keypoints", "left_heel", "-o", str(out))
    assert said.exit_code == 0 and "annotate" in said.output
    assert out.read_text().startswith("annotation_id,image_id,file,repeats")
    assert run("synthetic/person/val", "--plan", "--precision", ".01").exit_code == 1, "too few is a finding"


def test_own_keys_name_subject_and_annotator(tmp_path: Path) -> None:
    ds = repeated(12, 2)
    meta = {"body": ds.instances.meta["subject"], "who": ds.instances.meta["annotator"]}
    made = replace(ds, instances=replace(ds.instances, meta=meta)).to_coco()
    (tmp_path / "own.json").write_bytes(made.replace(b'"posebench"', b'"other"'))
    assert run(str(tmp_path / "own.json"), "--subject", "body", "--annotator", "who", "--schema", "coco17").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--plan", "--raters"], "both are given"),
        (["--outlier", "many"], "no number"),
        (["-o", "x.txt"], "a form we do not write"),
        (["--subject", "nobody"], "no column 'nobody'"),
        (["--plan", "--consensus", "a.json"], "no repeats to agree"),
    ],
)
def test_bad_input_is_one_line(twice: str, arguments: list[str], seen: str) -> None:
    error = run(twice, *arguments).exception
    assert isinstance(error, posedata.PoseError) and seen in str(error) and "\n" not in str(error)
