"""Annotators: how far they are from one another and themselves, who leans, and what they agree on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import posedata
from posedata import DataError, compare_annotators, consensus, load_schema
from posedata.annotators.raters import holm, hotelling
from tests.repeated import by_annotator, of_points, repeated

SIGMAS = load_schema("coco17").sigmas


def leaning(n: int = 80, by: float = 1.0) -> posedata.PoseDataset:
    """r1 puts the left shoulder `by` sigmas to the right."""
    ds = repeated(n, 3)
    points, who = ds.instances.keypoints.copy(), ds.instances.meta["annotator"] == "r1"
    points[who, 5, 0] += by * SIGMAS[5] * np.sqrt(ds.instances.area[who])
    return replace(ds, instances=replace(ds.instances, keypoints=points))


def test_who_leans_is_found_and_noise_is_not() -> None:
    bias = compare_annotators(leaning()).bias
    sure = np.flatnonzero(np.nan_to_num(bias["p_holm"], nan=1) < 0.01)
    strongest = sure[np.argmin(bias["p_holm"][sure])]
    assert (bias["annotator"][strongest], bias["keypoint"][strongest]) == ("r1", "left_shoulder")
    assert bias["dx"][strongest] == pytest.approx(SIGMAS[5], rel=0.3) and abs(bias["dy"][strongest]) < 0.3 * SIGMAS[5]
    assert {bias["keypoint"][i] for i in sure} == {"left_shoulder"}, "the others lean the other way, at this point alone"
    assert "r1 puts left_shoulder" in str(compare_annotators(leaning()))


def test_noise_gives_p_below_five_percent_five_times_in_a_hundred() -> None:
    p = np.concatenate([compare_annotators(repeated(30, 3, seed)).bias["p"] for seed in range(20)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)


def test_within_and_between() -> None:
    """r0 and r1 annotate everything twice: their own spread is half of what lies between them."""
    rng = np.random.default_rng(0)
    n, k = 200, 17
    area = np.full(n, 10_000.0)
    person = rng.standard_normal((n, 2, 1, k, 2)) * 0.04 * 100 / np.sqrt(2)
    hand = rng.standard_normal((n, 2, 2, k, 2)) * 0.03 * 100 / np.sqrt(2)
    xy = 300 + (person + hand).reshape(n, 4, k, 2)
    ds = of_points(np.concatenate([xy, np.full((n, 4, k, 1), 2.0)], -1), area)
    names = np.array(["r0", "r0", "r1", "r1"] * n, object)
    ds = replace(ds, instances=ds.instances.with_meta(annotator=names))
    found = compare_annotators(ds, outlier=None).deviations
    assert np.mean(found["intra"]) == pytest.approx(0.03, rel=0.05)
    assert np.mean(found["inter"]) == pytest.approx(0.05, rel=0.05)
    assert np.mean(found["between"]) == pytest.approx(0.04, rel=0.08)
    assert (found["n_intra"] == 2 * n).all()


def test_disagreement_on_visibility() -> None:
    ds = repeated(10, 2, schema="foot6")
    points = ds.instances.keypoints.copy()
    points[0, 0] = 0  # r0 leaves one out of ten unlabelled
    points[3, 1, 2] = 1  # r1 calls one of ten hidden
    found = compare_annotators(replace(ds, instances=replace(ds.instances, keypoints=points))).visibility
    assert found["labelled"].tolist() == [0.1, 0, 0, 0, 0, 0]
    assert found["seen"].tolist() == [0, 0.1, 0, 0, 0, 0]
    assert (found["pairs"] == 10).all()


def test_a_careless_annotator_stands_out() -> None:
    found = compare_annotators(repeated(40, 3, swapped=3)).annotators
    assert found["off"][0] > 20 and found["exchanged"][0] > 20
    assert found["off"][1:].sum() == 0
    frames = [compare_annotators(repeated(20, 2)).frame(t) for t in ("annotators", "deviations", "bias", "visibility")]
    assert [len(f) for f in frames] == [2, 17, 34, 17]
    with pytest.raises(DataError, match="no table 'biases'"):
        compare_annotators(repeated(20, 2)).frame("biases")


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, np.nan, 0.04, 0.03])).tolist()[0] == pytest.approx(0.03)
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_hotelling_agrees_with_a_simulation() -> None:
    """Of many sets without a lean, as many have a larger statistic as p says."""
    rng = np.random.default_rng(1)
    p = hotelling(rng.standard_normal((12, 4000, 2)) @ np.array([[2.0, 0.5], [0, 1.0]]))[2]
    assert np.quantile(p, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)


# -- consensus ---------------------------------------------------------------------------------------


def test_consensus_is_the_mean_where_nobody_is_off() -> None:
    ds = repeated(200, 5, seed=2)
    agreed = consensus(ds)
    points = ds.instances.keypoints.reshape(200, 5, 17, 3)[..., :2]
    assert len(agreed) == 200 and agreed.schema == ds.schema
    assert np.allclose(agreed.instances.keypoints[..., :2], points.mean(1))


def test_consensus_leaves_out_who_is_off_and_says_so() -> None:
    clean, agreed = consensus(repeated(40, 3)), consensus(repeated(40, 3, swapped=2))
    scale = np.sqrt(clean.instances.area)[:, None]
    off = np.hypot(*np.moveaxis(agreed.instances.keypoints[..., :2] - clean.instances.keypoints[..., :2], -1, 0)) / scale
    assert (off < 2 * SIGMAS).all()
    assert agreed.instances.meta["left_out"][:2].min() > 10 and agreed.instances.meta["left_out"][2:].sum() == 0
    assert "4 robust deviations" in agreed.provenance.steps[-1]
    assert agreed.instances.meta["source_ids"][0] == "1 2 3" and agreed.instances.meta["annotators"].tolist() == [3] * 40


def test_votes() -> None:
    v = np.array([[2, 2, 1], [2, 1, 0], [0, 0, 2], [1, 2, 2], [0, 0, 0], [2, 0, 0]], float)
    points = np.zeros((1, 3, 6, 3))
    points[0, :, :, :2] = 10
    points[0, :, :, 2] = v.T
    points[points[..., 2] == 0] = 0
    agreed = consensus(of_points(points, np.array([100.0]), "foot6"))
    assert agreed.instances.keypoints[0, :, 2].tolist() == [2, 1, 0, 2, 0, 0]
    assert (agreed.instances.keypoints[0, 2] == 0).all() and agreed.instances.annotated.all()
    tie = consensus(of_points(points[:, 1:], np.array([100.0]), "foot6"))
    assert tie.instances.keypoints[0, :, 2].tolist() == [1, 1, 2, 2, 0, 0], "a tie goes to labelled, and to hidden"


def test_two_who_disagree_are_both_kept_and_counted() -> None:
    agreed = consensus(repeated(40, 2, swapped=1))
    assert agreed.instances.meta["disputed"][0] > 5 and agreed.instances.meta["disputed"][1:].sum() == 0
    assert agreed.instances.labelled.all()


def test_consensus_of_sets_apart() -> None:
    ds = repeated(15, 3)
    agreed = consensus(by_annotator(ds))
    assert np.allclose(agreed.instances.keypoints, consensus(ds).instances.keypoints)
    assert agreed.instances.id.tolist() == list(range(1, 16))
    assert posedata.PoseDataset.to_coco(agreed)
