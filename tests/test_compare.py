"""Comparisons: an exchange is an evaluation of exchanged images; order, seed and scale of scores change nothing that they should not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import posebench
from posebench import Comparison, Evaluation, compare
from posebench.metrics import measure, read_metric
from posebench.slices import slices_of
from posebench.statistics.compare import CORRECTIONS
from posebench.statistics.exchange import exchanged, exchanges, p_value
from posebench.statistics.resampling import clusters
from posebench.statistics.words import p_text, sentence
from posebench.stats import corrected, mcnemar_p
from posedata import PoseDataset, Predictions
from posedata.errors import PoseError

from .compared import AT_TWO, found, models, people
from .test_slices import made, on_images

PLENTY = ("AP", "AP@0.75", "AR", "AP[large]", "AR[pooled]", "PCK@0.1", "PCK.sleap", "AUC", "EPE", "RMSE", "Distance@90", "NME")


def pair() -> tuple[Evaluation, Evaluation]:
    """Two models on cats and dogs of every kind, the second with fewer and worse poses."""
    truth, one = made()
    rng = np.random.default_rng(5)
    moved = one.keypoints.copy()
    moved[..., :2] += rng.normal(0, 3, moved[..., :2].shape)
    other = replace(one, keypoints=moved, score=rng.random(len(one)).round(2)).take(np.flatnonzero(rng.random(len(one)) < 0.9))
    return posebench.evaluate(truth, one, posebench.COCO), posebench.evaluate(truth, other, posebench.COCO)


def by_place(ev: Evaluation) -> Predictions:
    """The same predictions, scored by their place among those of their category: the first best. Those that are not looked at are left out."""
    problem = ev.workings.problem()
    score = np.full(len(ev.predictions), np.nan)
    for c in range(problem.kinds):
        mine = problem.rows[problem.best_first[problem.pred_category[problem.best_first] == c]]
        score[mine] = -np.arange(len(mine))
    kept = np.flatnonzero(~np.isnan(score))
    return replace(ev.predictions, score=score).take(kept)


def mixed(a: Predictions, b: Predictions, from_b: NDArray[Any]) -> Predictions:
    """What b says of the images with these ids, and what a says of all others."""
    parts = [own.take(np.flatnonzero(keep)) for own, keep in ((a, ~np.isin(a.image, from_b)), (b, np.isin(b.image, from_b)))]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("image", "category", "keypoints", "score")}
    return Predictions.from_arrays(schema=a.schema, **columns)


def test_an_exchange_is_an_evaluation_of_exchanged_images() -> None:
    a, b = pair()
    metrics = [m for m in PLENTY if m != "AR[pooled]"]  # places are those within a category
    [block] = exchanges(clusters(a.workings), 12, seed=1)
    ours = exchanged(a.workings, b.workings, [read_metric(m) for m in metrics], iter([block]))
    one, other = by_place(a), by_place(b)
    for swapped, differences in zip(block, ours, strict=True):
        ids = a.truth.images.id[swapped > 0]
        left, right = (posebench.evaluate(a.truth, mixed(x, y, ids), posebench.COCO) for x, y in ((one, other), (other, one)))
        assert np.allclose(differences, [right[m] - left[m] for m in metrics], rtol=0, atol=1e-12)


@pytest.mark.parametrize("by", ["", "category", "keypoint", "size", "place", "coat"])
def test_exchanging_no_image_is_the_difference_and_all_images_its_opposite(by: str) -> None:
    a, b = pair()
    parts = zip(*(slices_of(ev.workings, by) for ev in (a, b)), strict=True) if by else [(None, None)]
    for mine, theirs in parts:
        selections = (mine.selection, theirs.selection) if mine and theirs else ()
        metrics = [read_metric(m) for m in PLENTY]
        wanted = [measure(b.workings, m, *selections[1:]).value - measure(a.workings, m, *selections[:1]).value for m in metrics]
        none = np.zeros((1, len(a.truth.images)))
        ends = exchanged(a.workings, b.workings, metrics, iter([none, none + 1]), *([selections] if selections else []))
        assert np.allclose(ends, [wanted, np.negative(wanted)], rtol=0, atol=1e-12, equal_nan=True)


def test_images_of_a_slice_are_exchanged_as_if_there_were_no_others() -> None:
    a, b = pair()
    metrics = [read_metric(m) for m in ("AP", "AP[medium]", "AR@0.75", "AR[pooled]", "PCK@0.1", "Distance")]
    [block] = exchanges(clusters(a.workings), 12, seed=2)
    for mine, theirs in zip(*(slices_of(ev.workings, "place") for ev in (a, b)), strict=True):
        assert mine.selection.images is not None
        rows = np.flatnonzero(mine.selection.images)
        alone = [posebench.evaluate(*on_images(ev.truth, ev.predictions, rows), posebench.COCO).workings for ev in (a, b)]
        ours = exchanged(a.workings, b.workings, metrics, iter([block]), (mine.selection, theirs.selection))
        assert np.allclose(ours, exchanged(alone[0], alone[1], metrics, iter([block[:, rows]])), rtol=0, atol=1e-12)


def test_poseval_is_exchanged_too() -> None:
    truth, one = made()
    truth = replace(truth, instances=truth.instances.with_meta(head_size=np.full(len(truth), 20.0)))
    a, b = (posebench.evaluate(truth, replace(one, keypoints=one.keypoints + shift)) for shift in (0.0, 3.0))
    none = np.zeros((1, len(truth.images)))
    names = [read_metric("AP.poseval")]
    ends = exchanged(a.workings, b.workings, names, iter([none, none + 1]))[:, 0]
    gap = b["AP.poseval"] - a["AP.poseval"]
    assert gap != 0 and np.allclose(ends, [gap, -gap], rtol=0, atol=1e-12)
    some = next(exchanges(clusters(a.workings), 5))
    assert np.allclose(exchanged(a.workings, b.workings, names, iter([some])), -exchanged(b.workings, a.workings, names, iter([some])), rtol=0, atol=1e-12)


# -- laws --------------------------------------------------------------------------------------------


def test_a_model_does_not_differ_from_itself() -> None:
    a, _ = pair()
    again = posebench.evaluate(a.truth, a.predictions, posebench.COCO)
    c = compare(a, again, metrics=PLENTY, by=["size", "keypoint"], resamples=60)
    known = [row for row in c.rows if not np.isnan(row.difference)]
    assert len(known) > 30
    for row in known:
        assert (row.difference, row.low, row.high, row.p, row.corrected, row.real, row.better) == (0, 0, 0, 1, 1, False, "")
    assert "A and B have the same AP (p = 1 after Holm)" in repr(c)


def test_the_order_of_models_changes_nothing_but_signs() -> None:
    evs, names = models(60, 3.0, 3.6, 4.5), ("x", "y", "z")
    one = compare(*evs, names=names, metrics=["AP", "EPE", "PCK@0.1"], by="instances", resamples=80)
    other = compare(*evs[::-1], names=names[::-1], metrics=["AP", "EPE", "PCK@0.1"], by="instances", resamples=80)
    turned = {(row.b, row.a, row.metric, row.label): row for row in other.rows}
    for row in one.rows:
        back = turned[row.a, row.b, row.metric, row.label]
        assert (row.value_a, row.value_b, row.p, row.better) == pytest.approx((back.value_b, back.value_a, back.p, back.better), nan_ok=True)
        assert [row.difference, row.low, row.high] == pytest.approx([-back.difference, -back.high, -back.low], abs=1e-12, nan_ok=True)
        assert row.corrected == pytest.approx(back.corrected, abs=1e-12, nan_ok=True)
    assert [r.name for r in one.standings.rows] == [r.name for r in other.standings.rows] == ["x", "y", "z"]
    assert one.standings.to_dict()["ranking"] == other.standings.to_dict()["ranking"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    a, b = models(60, 3.0, 3.6)
    first, again, other = (compare(a, b, by="instances", resamples=150, seed=seed).to_json() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_the_scale_of_scores_changes_nothing() -> None:
    a, b = models(60, 3.0, 3.6)
    scaled = posebench.evaluate(b.truth, replace(b.predictions, score=b.predictions.score**5 * 40 - 7), AT_TWO)
    assert compare(a, b, resamples=60).rows == compare(a, scaled, resamples=60).rows


def test_a_wider_level_gives_a_wider_interval_around_the_difference() -> None:
    a, b = models(60, 3.0, 3.6)
    narrow, wide = (compare(a, b, metrics=["AP", "EPE"], level=level, resamples=100) for level in (0.5, 0.95))
    for one, other in zip(narrow.rows, wide.rows, strict=True):
        assert other.low < one.low <= one.difference <= one.high < other.high


def test_images_of_one_cluster_change_places_together() -> None:
    truth = people(40, meta={"video": np.repeat(np.arange(8), 5)})
    ev = posebench.evaluate(truth, found(truth, 1), AT_TWO)
    drawn = clusters(ev.workings, "video")
    [block] = exchanges(drawn, 30)
    by_video = block.reshape(30, 8, 5)
    assert (by_video == by_video[:, :, :1]).all() and 0.3 < by_video.mean() < 0.7
    c = compare(ev, posebench.evaluate(truth, found(truth, 2, 3.5), AT_TWO), clusters="video", resamples=200)
    assert "8 clusters by 'video'" in c.how and any("only 8 clusters have truths" in note for note in c.notes)
    assert c["AP"].p >= 2 / 2**8


def test_a_p_value_counts_itself_and_no_rounding() -> None:
    assert p_value(0.3, np.array([0.3 - 1e-15, -0.4, 0.1])) == 3 / 4
    assert p_value(0.0, np.zeros(9)) == 1
    assert p_value(0.3, np.array([np.nan, 0.1, 0.1])) == 2 / 4, "no number is no witness for a difference"
    assert np.isnan(p_value(np.nan, np.zeros(9)))


# -- what is refused ---------------------------------------------------------------------------------


def refused(a: Evaluation, b: Evaluation, **how: Any) -> str:
    with pytest.raises(PoseError) as e:
        compare(a, b, **{"resamples": 20, **how})
    return str(e.value)


def moved(truth: PoseDataset, **columns: Any) -> PoseDataset:
    return replace(truth, instances=replace(truth.instances, **columns))


def test_models_on_other_images_truths_or_rules_are_refused_by_name() -> None:
    truth = people(20)
    pred = found(truth, 1)
    a = posebench.evaluate(truth, pred, AT_TWO)
    fewer = truth.take_images(np.arange(18))
    other = posebench.evaluate(fewer, pred.take(np.flatnonzero(np.isin(pred.image, fewer.images.id))), AT_TWO)
    assert "A and B: images: 20 against 18, 2 only in the first (19, 20); evaluate all on one truth" in refused(a, other)
    assert "same 20 images in another order" in refused(a, posebench.evaluate(truth.take_images(np.arange(20)[::-1]), pred, AT_TWO))
    points = truth.instances.keypoints.copy()
    points[7, 2, 0] += 1
    shifted = posebench.evaluate(moved(truth, keypoints=points), pred, AT_TWO)
    assert f"keypoints of 1 of {len(truth)} truths, the first with id {truth.instances.id[7]}" in refused(a, shifted)
    renamed = posebench.evaluate(moved(truth, id=truth.instances.id + 1), pred, AT_TWO)
    assert f"truths: {len(truth)} against {len(truth)}, 1 only in the first (1)" in refused(a, renamed)
    rules = AT_TWO.replace(max_preds=5, truth_area="box")
    said = refused(a, posebench.evaluate(truth, pred, rules), names=("ours", "theirs"))
    assert said.startswith("ours and theirs: protocols ") and "max_preds 20 against 5; truth_area recorded against box" in said


def test_what_is_no_evaluation_is_refused() -> None:
    a, _ = models(8, 3.0, 4.0)
    assert "compare: dict where an evaluation is needed; posebench.evaluate(truth, predictions) makes one" in refused(a, a.to_dict(), names=("a", "b"))  # type: ignore[arg-type]


def test_unknown_boxes_on_both_sides_are_alike() -> None:
    truth = people(20)
    open_box = moved(truth, bbox=np.where(np.arange(len(truth))[:, None] < 3, np.nan, truth.instances.bbox))
    again = moved(truth, bbox=open_box.instances.bbox.copy())
    compare(*(posebench.evaluate(t, found(truth, i), AT_TWO) for i, t in enumerate((open_box, again))), metrics="AP", resamples=20)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"metrics": []}, "metrics: none is named"),
        ({"metrics": ["AP", "APP"]}, "no metric 'APP'; did you mean 'AP'?"),
        ({"metrics": ["AP[huge]"]}, "no range, level or part 'huge'"),
        ({"by": "colour"}, "by='colour': no such column"),
        ({"by": "visibility", "metrics": ["AP"]}, "AP is a number of whole poses"),
        ({"correction": "bonferoni"}, "no such choice; known: benjamini-hochberg, holm, none"),
        ({"clusters": "video"}, "clusters='video': no image has it"),
        ({"resamples": 3}, "too few to tell anything"),
        ({"level": 95}, "level=95: no share"),
        ({"seed": -1}, "seed=-1: no seed"),
        ({"names": ["a", "a"]}, "2 different names, one for each evaluation"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(how: dict[str, Any], words: str) -> None:
    assert words in refused(*models(8, 3.0, 4.0), **how)


def test_a_truth_of_nothing_and_predictions_of_nothing() -> None:
    truth = people(6)
    none = Predictions.from_arrays(schema="foot6", image=[], keypoints=np.zeros((0, 6, 3)), score=[])
    some, empty = (posebench.evaluate(truth, p, AT_TWO) for p in (found(truth, 1), none))
    row = compare(some, empty, metrics=["AP", "EPE", "PCK@0.1"], resamples=20)["AP"]
    assert row.value_b == 0 and row.difference < 0
    bare = moved(truth, crowd=np.ones(len(truth), bool))
    assert "no truth counts, so there is nothing to compare" in refused(*(posebench.evaluate(bare, found(truth, i), AT_TWO) for i in (1, 2)))


def test_one_image_tells_nothing() -> None:
    truth = people(1, seed=4)
    assert len(truth) > 0
    row = compare(*(posebench.evaluate(truth, found(truth, i, noise), AT_TWO) for i, noise in ((1, 1.0), (2, 30.0))), resamples=50)["AP"]
    assert row.difference != 0 and row.p == 1 and not row.real


# -- corrections, McNemar, words ---------------------------------------------------------------------


def test_corrections_by_hand() -> None:
    p = np.array([0.01, 0.04, np.nan, 0.03])
    assert corrected(p, "holm") == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert corrected(p, "benjamini-hochberg") == pytest.approx([0.03, 0.04, np.nan, 0.04], nan_ok=True)
    assert np.isnan(corrected(np.array([np.nan]), "holm")).all()
    a, b = models(30, 3.0, 3.6)
    rows = compare(a, b, correction="none", resamples=40).rows
    assert all(row.corrected == row.p for row in rows)
    assert set(CORRECTIONS) == {"holm", "benjamini-hochberg", "none"}


def test_many_tests_and_few_exchanges_are_warned_of() -> None:
    c = compare(*models(30, 3.0, 3.6), metrics=["AP", "AR"], by="instances", resamples=40)
    assert any("and 40 exchanges no p can be below" in note and "more resamples" in note for note in c.notes)


def test_mcnemar_is_for_one_outcome_per_image() -> None:
    truth = people(80, most=1)
    a, b = (posebench.evaluate(truth, found(truth, i, noise), AT_TWO) for i, noise in ((1, 3.0), (2, 6.0)))
    c = compare(a, b, metrics=["PCK@0.1"], by="keypoint", resamples=40)
    with pytest.raises(PoseError, match=r"up to 6 outcomes on an image; they err together.*exchange test knows better"):
        c.mcnemar("PCK@0.1")
    with pytest.raises(PoseError, match="it is a test for PCK"):
        c.mcnemar("AP")
    with pytest.raises(PoseError, match="no such slice"):
        c.mcnemar("PCK@0.1", "keypoint", "nose")
    point = truth.schema.names[0]
    p = c.mcnemar("PCK@0.1", "keypoint", point)
    row = next(r for r in c.rows if r.label == point)
    assert 0 < p < 1 and abs(p - row.p) < 0.25
    assert mcnemar_p(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)


def test_sentences_say_what_is_more_and_how_sure() -> None:
    a, b = models(150, 2.0, 6.0)
    c = compare(a, b, metrics=["AP", "EPE", "PCK@0.1"], names=("good", "bad"), resamples=200)
    gap = 100 * (a["AP"] - b["AP"])
    assert sentence(c["AP"], "holm") == f"good has {gap:.1f} AP more than bad; sure (p = {p_text(c['AP'].corrected)} after Holm)"
    assert sentence(c["EPE"]).startswith("good is better by ") and "pixels of EPE than bad" in sentence(c["EPE"])
    assert "fewer" not in repr(c) and "less jitter" not in repr(c)
    assert c.reasons[0].kind and c.reasons[0].text in repr(c)
    costs = c.reasons[0].costs[c.reasons[0].kind]
    assert costs[1] > costs[0]
    assert [p_text(p) for p in (1.0, 0.0312, 0.0004, float("nan"))] == ["1", ".031", "<.001", "-"]


def test_a_comparison_is_a_table_and_json() -> None:
    c: Comparison = compare(*models(60, 3.0, 3.6), metrics=["AP", "PCK@0.1"], by="instances", resamples=50)
    values = json.loads(c.to_json())
    assert [v["metric"] for v in values["differences"][:2]] == ["AP", "PCK@0.1"]
    assert values["seed"] == 0 and values["resamples"] == 50 and "50 paired resamples of 60 images, seed 0" in values["how"]
    none = [v for v in values["differences"] if v["by"] == "instances" and v["label"] == "0"]
    assert none and all(v["difference"] is None and v["p"] is None and v["n"] == 0 for v in none)
    frame = c.to_pandas()
    assert len(frame) == len(c.rows) and list(frame["metric"][:2]) == ["AP", "PCK@0.1"]
    with pytest.raises(PoseError, match=r"not compared; it has AP, PCK@0\.1"):
        c["AR"]


# -- size and power ----------------------------------------------------------------------------------


def test_power_predicts_how_often_a_known_difference_is_found() -> None:
    """Many draws from a population whose difference and deviation are known from a large one."""
    rules = posebench.COCO.replace(thresholds=(0.75,), ranges={}, metrics=("AP",))
    a, b = models(4000, 3.0, 4.6, seed=999, protocol=rules)
    known = posebench.power(a, b, delta=abs(a["AP"] - b["AP"]), resamples=200)
    drawn = [compare(*models(100, 3.0, 4.6, seed=seed, protocol=rules), metrics=["AP"], resamples=99, correction="none") for seed in range(150)]
    share, chance = np.mean([c["AP"].real for c in drawn]), known.chance(images=100)
    assert 0.4 < chance < 0.8, "a power near 0 or 1 would show nothing"
    assert abs(share - chance) < 3 * np.sqrt(chance * (1 - chance) / 150), "a deviation off by a factor of 1.4 would be seen"


@pytest.mark.slow
def test_the_exchange_test_rejects_true_nulls_as_often_as_it_says() -> None:
    rules = posebench.COCO.replace(thresholds=(0.75,), ranges={}, metrics=("AP",))
    drawn = [compare(*models(100, 3.0, 3.0, seed=seed, protocol=rules), metrics=["AP"], resamples=99) for seed in range(300)]
    p = np.array([c["AP"].p for c in drawn])
    assert 0.02 < (p <= 0.05).mean() < 0.08
    assert 0.43 < (p <= 0.5).mean() < 0.57


def test_what_has_no_interval_has_a_dash() -> None:
    text = repr(compare(*models(60, 3.0, 3.6), metrics=["AP"], by="instances", resamples=20))
    assert "- to -" not in text and "+0." in text


def test_the_benchmark_of_tests_makes_its_table() -> None:
    from benchmarks.compare import USUAL, table, tested

    found = tested(3, 20, 0, (USUAL, USUAL))
    made = table({"the same model twice": {**found, "predicted": 0.05}})
    assert set(found) == {"difference", "exchange", "resamples"}
    assert made.splitlines()[-1].startswith("| the same model twice | ") and made.endswith("| 5.0% |")
