"""Intervals hold their number, grow with their level, say how they were made, and know what they cannot know."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

import posebench
from posebench import COCO, Evaluation
from posebench.statistics import replicates as replicating
from posebench.statistics.interval import METHODS, Interval, ends, wilson_ends
from posebench.statistics.resampling import clusters, draws
from posebench.statistics.sums import Ratios
from posedata import PoseDataset, Predictions
from posedata.errors import PoseError

from .scored import annotations, command, results, written
from .test_resampling import copies, ranked
from .test_slices import made

SHARES = ("AR", "AR@0.75", "AR[large]", "PCK@0.2", "PCK.sleap")


@pytest.fixture(scope="module")
def ev() -> Evaluation:
    return posebench.evaluate(*made(), COCO)


def bare(n: int = 5, truths: int = 5, off: float = 3.0, seed: int = 0) -> Evaluation:
    """n images; the first of them with a truth each, and a prediction near it."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(50, 90, (truths, 6, 2))
    truth = PoseDataset.from_arrays(
        schema="foot6", image=np.arange(1, truths + 1), keypoints=np.concatenate([xy, np.full((truths, 6, 1), 2.0)], -1), area=np.full(truths, 900.0),
        bbox=np.tile([50.0, 50, 40, 40], (truths, 1)), images={"id": np.arange(1, n + 1), "file": [f"{i}.jpg" for i in range(n)]},
    )  # fmt: skip
    found = Predictions.from_arrays(schema="foot6", image=np.arange(1, truths + 1), keypoints=xy + off * rng.normal(size=xy.shape), score=rng.random(truths))
    return posebench.evaluate(truth, found, COCO)


# -- laws ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_an_interval_holds_its_number_and_grows_with_its_level(method: str, ev: Evaluation) -> None:
    names = SHARES if method == "wilson" else (*ev.names, "PCK@0.2", "EPE", "Distance", "NME", "AUC", "RMSE")
    levels = (0.5, 0.8, 0.95, 0.999)
    rows = [ev.interval_slices(None, names, level=level, method=method, resamples=200)[0][1] for level in levels]
    for name in names:
        found = [row[name] for row in rows]
        assert all(i.low <= i.value <= i.high and i.value == ev[name] and i.n == ev.measured(name).n for i in found)
        assert all(a.low >= b.low and a.high <= b.high for a, b in pairwise(found))
        assert found[0].high - found[0].low < found[-1].high - found[-1].low


def test_one_seed_gives_one_interval_whatever_the_threads(ev: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    once = ev.interval("AP", resamples=300, seed=5)
    monkeypatch.setattr(replicating, "THREADS", 1)
    assert repr(ev.interval("AP", resamples=300, seed=5)) == repr(once)
    assert ev.interval("AP", resamples=300, seed=6) != once


def test_bca_is_that_of_scipy() -> None:
    data = np.random.default_rng(4).exponential(size=40)
    theirs = bootstrap((data,), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(1), confidence_level=0.9)
    jackknife = np.array([np.delete(data, i).mean() for i in range(len(data))])
    ours = ends("bca", float(data.mean()), theirs.bootstrap_distribution, 0.9, jackknife)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


def test_the_spread_of_a_mean_is_the_one_of_textbooks(ev: Evaluation) -> None:
    """Each image has one truth of six points: the deviation of a mean over images."""
    alone = bare(60, 60)
    paired = alone.workings.paired("matched")
    distance = np.hypot(*np.moveaxis(paired.pred[..., :2] - paired.points[..., :2], -1, 0)).mean(1)
    assert alone.interval("EPE", method="percentile", resamples=4000).se == pytest.approx(distance.std(ddof=1) / np.sqrt(60), rel=0.05)


# -- proportions ---------------------------------------------------------------------------------------------


def test_points_that_repeat_each_other_tell_nothing_more() -> None:
    right = (np.random.default_rng(0).random(80) < 0.7).astype(float)[:, None]
    once, often = Ratios(right, np.ones((80, 1))), Ratios(9 * right, np.full((80, 1), 9.0))
    assert wilson_ends(often, 720, 0.95)[:3] == pytest.approx(wilson_ends(once, 80, 0.95)[:3])
    assert wilson_ends(often, 720, 0.95)[3] == pytest.approx(9 * wilson_ends(once, 80, 0.95)[3])


def test_independent_points_have_wilsons_own_interval() -> None:
    from statsmodels.stats.proportion import proportion_confint

    right = (np.arange(4000) % 5 == 0).astype(float)[:, None]
    low, high, error, effect = wilson_ends(Ratios(right, np.ones((4000, 1))), 4000, 0.95)
    assert (low, high) == pytest.approx(proportion_confint(800, 4000, method="wilson"), abs=1e-4)
    assert (error, effect) == pytest.approx((math.sqrt(0.2 * 0.8 / 4000), 1.0), rel=1e-3)


def test_few_clusters_leave_few_degrees_of_freedom() -> None:
    """Six clusters of a share of a half: as many independent points as Student's quantile for five leaves."""
    from scipy.stats import norm, t
    from statsmodels.stats.proportion import proportion_confint

    right = np.array([0.0, 1, 0, 1, 0, 1])[:, None]
    size = 5 * (norm.ppf(0.975) / t.ppf(0.975, 5)) ** 2  # the spread of six has five degrees of freedom itself
    wanted = proportion_confint(size / 2, size, method="wilson")
    assert wilson_ends(Ratios(right, np.ones((6, 1))), 6, 0.95)[:2] == pytest.approx(wanted, abs=1e-9)


def test_where_all_points_are_right_each_image_counts_as_one() -> None:
    found = bare(30, 30, off=0.0).interval("PCK@0.2", method="wilson")
    assert found.value == found.high == 1
    assert 0.8 < found.low < 0.95
    boot = bare(30, 30, off=0.0).interval("PCK@0.2")
    assert boot.low == boot.high == 1 and "nothing is known of the spread" in boot.how


def test_both_ways_agree_where_there_is_much_to_see() -> None:
    many = bare(400, 400, off=4.0)
    boot, wilson = (many.interval("PCK@0.1", method=m, resamples=2000) for m in ("percentile", "wilson"))
    assert (boot.low, boot.high, boot.se) == pytest.approx((wilson.low, wilson.high, wilson.se), abs=0.004)


# -- what cannot be known ------------------------------------------------------------------------------------


def test_resamples_without_truth_are_left_out_and_said() -> None:
    found = bare(5, 1).interval("AP")
    assert found.undefined == pytest.approx((4 / 5) ** 5, abs=0.05)
    assert f"{100 * found.undefined:.2g}% of the resamples have no truth and are left out" in found.how
    assert found.low <= found.value <= found.high


def test_without_truth_there_is_no_interval(ev: Evaluation) -> None:
    table = dict(ev.interval_slices("size", ["AP", "PCK@0.2"], resamples=50))
    truth, found = made()
    none = posebench.evaluate(replace(truth, instances=replace(truth.instances, crowd=np.ones(len(truth), bool))), found, COCO)
    for each in (none.interval("AP"), none.interval("AR", method="wilson"), none.interval("PCK@0.2", method="wilson"), none.interval("EPE")):
        assert math.isnan(each.low) and math.isnan(each.high) and "no number, no interval" in each.how
    assert "no number" not in table["medium"]["AP"].how


def test_a_level_that_the_truth_does_not_tell_has_no_interval() -> None:
    truth, found = made()
    bare_images = replace(truth.images, meta={})
    ev = posebench.evaluate(replace(truth, images=bare_images), found, "crowdpose")
    assert math.isnan(ev.interval_slices(None, resamples=20)[0][1]["AP[hard]"].low)


@pytest.mark.parametrize(("n", "few"), [(1, True), (40, True), (120, False)])
def test_few_images_are_not_to_be_trusted(n: int, few: bool) -> None:
    found = bare(n, n).interval("AP")
    assert ("not to be trusted" in found.how) == few
    assert f"resamples of {n} image{'s' * (n > 1)}, seed 0; {n} of them with truths" in found.how


def test_images_with_truths_are_counted_not_images() -> None:
    found = bare(300, 20).interval("AP", resamples=50)
    assert (found.clusters, found.held) == (300, 20)
    assert "not to be trusted" in found.how and "50 resamples are few for this level" in found.how


def test_images_that_repeat_each_other_are_drawn_together(ev: Evaluation) -> None:
    """Four copies of a set tell no more than the set, if one says which images are copies."""
    truth, found = made()
    many, again = copies(truth, ranked(found), np.full(len(truth.images), 4.0))
    many = replace(many, images=many.images.with_meta(scene=np.arange(len(many.images)) // 4))
    alone = posebench.evaluate(truth, ranked(found), COCO)
    copied = posebench.evaluate(many, again, COCO)
    wide = alone.interval("AP", resamples=400)
    assert copied.interval("AP", resamples=400, clusters="scene").se == pytest.approx(wide.se, rel=0.12)
    assert copied.interval("AP", resamples=400).se == pytest.approx(wide.se / 2, rel=0.15)
    whole = copied.interval("PCK@0.2", method="wilson", clusters="scene")
    assert (whole.low, whole.high) == pytest.approx([getattr(alone.interval("PCK@0.2", method="wilson"), e) for e in ("low", "high")], abs=0.01)


# -- errors --------------------------------------------------------------------------------------------------


def test_shares_of_errors_have_intervals(ev: Evaluation) -> None:
    report = ev.errors()
    [(_, found)] = report.interval_slices()
    total = sum(report.counts.values())
    assert {kind: i.value for kind, i in found.items() if kind != "wrong"} == pytest.approx({k: n / total for k, n in report.counts.items()})
    assert all(i.low <= i.value <= i.high and i.n == total for i in found.values())
    assert found["wrong"].low == pytest.approx(1 - found["good"].high)
    boot = dict(report.interval_slices(method="percentile", resamples=500))[None]["jitter"]
    assert (boot.low, boot.high) == pytest.approx((found["jitter"].low, found["jitter"].high), abs=0.02)
    table = report.intervals(by="keypoint")
    assert list(table.index.names) == ["keypoint", "metric"]
    assert table.loc[("left_heel", "wrong"), "value"] == pytest.approx(report.by("keypoint").loc["left_heel", "wrong"])


def test_what_an_error_costs_is_weighted_like_copies() -> None:
    from posebench.statistics.error_rates import _gains

    truth, found = made()
    found = ranked(found)
    report = posebench.evaluate(truth, found, COCO).errors()
    kinds = [kind for kind in report.cost.alone if kind != "score"]  # scores that are made equal take turns in copies
    replay, _ = _gains(report, kinds)
    block = np.concatenate([np.ones((1, len(truth.images))), *draws(clusters(report.ev.workings), 3, seed=2)])
    ours = replay(block)
    assert ours[0] == pytest.approx([report.cost.gain(kind) for kind in kinds], abs=1e-12)
    for times, row in zip(block[1:], ours[1:], strict=True):
        again = posebench.evaluate(*copies(truth, found, times), COCO).errors().cost
        assert row == pytest.approx([again.gain(kind) for kind in kinds], abs=1e-12)


def test_costs_have_intervals(ev: Evaluation) -> None:
    report = ev.errors()
    found = report.cost_intervals(resamples=100)
    assert {kind: i.value for kind, i in found.items()} == {kind: report.cost.gain(kind) for kind in report.cost.alone}
    assert all(i.low <= i.value <= i.high for i in found.values())


def test_gains_of_missed_truths_need_none_that_is_found() -> None:
    """A resample in which nothing is found has nothing to gain from, or everything."""
    truth, found = made(n=12, images=6, m=6)
    report = posebench.evaluate(truth, found, COCO.replace(thresholds=(0.5, 0.95))).errors()
    assert all(math.isfinite(i.low) for i in report.cost_intervals(resamples=200).values())


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"level": 95}, "between 0 and 1"),
        ({"level": float("nan")}, "between 0 and 1"),
        ({"level": "high"}, "between 0 and 1"),
        ({"method": "percentil"}, "did you mean 'percentile'"),
        ({"method": "wilson"}, "AP: no share of truths or points"),
        ({"resamples": 1}, "from 2 on"),
        ({"resamples": 10.5}, "from 2 on"),
        ({"seed": -1}, "from 0 on"),
        ({"clusters": "plaice"}, "did you mean 'place'"),
        ({"clusters": 3}, "no image has it"),
    ],
)
def test_bad_arguments_are_told_the_way_out(arguments: dict[str, Any], said: str, ev: Evaluation) -> None:
    with pytest.raises(PoseError, match=said):
        ev.interval("AP", **arguments)


def test_errors_refuse_what_they_do_not_know(ev: Evaluation) -> None:
    with pytest.raises(PoseError, match="no argument 'lvl'"):
        ev.errors().intervals(lvl=0.9)
    with pytest.raises(PoseError, match="whole poses"):
        ev.intervals(["AP"], by="visibility")


# -- tables and the command ----------------------------------------------------------------------------------


def test_intervals_of_slices_are_a_table(ev: Evaluation) -> None:
    table = ev.intervals(by="coat", metrics=["AP", "PCK@0.2"], resamples=50)
    assert list(table.index.names) == ["coat", "metric"]
    assert table["value"].to_dict() == pytest.approx({(k, n): m.value for k, row in ev.slices("coat", ["AP", "PCK@0.2"]) for n, m in row.items()})
    assert list(ev.intervals(resamples=20).index) == list(ev.metrics)
    assert str(ev.interval("AP", resamples=20)).startswith("AP 0.2295 [")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("intervals")
    truth = annotations(12)
    for i, image in enumerate(truth["images"]):
        image["video"] = f"v{i // 2}"
    written(home, truth, results(truth, 0.75))
    return home


def spoken(folder: Path, *arguments: str) -> Any:
    done = command("evaluate", "preds.json", "--truth", "truth.json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_prints_intervals_and_how_they_were_made(folder: Path) -> None:
    text = spoken(folder, "--interval", ".9", "--by", "size", "--seed", "3", "--resamples", "200", "--clusters", "video")
    assert text.count("intervals: 90% BCa bootstrap, 200 resamples of 6 clusters by 'video', seed 3") == 2
    assert "warning: fewer than 100 clusters with truths: not to be trusted: AP, AP@0.50, AP@0.75, AP[medium], AR, AR@0.50, and 2 more" in text
    assert "medium  0.7525  [" in text
    values = json.loads(spoken(folder, "--interval", ".9", "--by", "size", "--seed", "3", "--resamples", "200", "--clusters", "video", "--json"))
    found = values["intervals"]["AP"]
    assert found["low"] <= values["metrics"]["AP"] <= found["high"]
    assert (found["resamples"], found["seed"], found["unit"], found["clusters"], found["level"]) == (200, 3, "video", 6, 0.9)
    assert found["how"] in text.replace("\n", "; ") or "200 resamples of 6 clusters by 'video', seed 3" in found["how"]
    assert values["by"]["size"][0]["intervals"]["AP"]["low"] is None


def test_the_command_writes_intervals(folder: Path, tmp_path: Path) -> None:
    spoken(folder, "--interval", ".95", "--by", "size", "-o", str(tmp_path / "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert float(rows[2]["low"]) <= float(rows[2]["value"]) <= float(rows[2]["high"])
    assert "1,000 resamples of 12 images, seed 0" in rows[2]["how"]
    assert "low" not in (spoken(folder, "--by", "size", "-o", str(tmp_path / "none.csv")), (tmp_path / "none.csv").read_text())[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--interval", "95"), "level: 95.0; between 0 and 1"),
        (("--seed", "3"), "--seed: given without --interval; add --interval .95"),
        (("--interval", ".9", "--clusters", "vidoe"), "did you mean 'video'?"),
        (("--interval", ".9", "--resamples", "0"), "resamples: 0; a whole number from 2 on"),
    ],
)
def test_the_command_refuses_in_one_line(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = command("evaluate", "preds.json", "--truth", "truth.json", *arguments, cwd=folder)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_an_interval_is_plain_values() -> None:
    found = bare(6, 6).interval("AP", resamples=20)
    assert isinstance(found, Interval)
    assert json.loads(json.dumps(found.to_dict()))["how"] == found.how
