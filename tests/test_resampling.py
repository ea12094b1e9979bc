"""Resamples: a weight of an image is how often it is in the set, for every metric, and nothing is matched again."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import posebench
from posebench import COCO
from posebench.curve import CURVES
from posebench.metrics import METRICS, measure
from posebench.selection import Selection
from posebench.slices import slices_of
from posebench.statistics import resampling
from posebench.statistics.replicates import replicates
from posebench.statistics.resampling import BLOCK, clusters, draws, groups, left_out
from posedata import PoseDataset, Predictions
from posedata.errors import PoseError

from .problems import Made, problems_and_protocols, repeated
from .test_slices import made

CURVED = ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR[large]", "AP[pooled]", "AR[pooled]")
POINTS = ("PCK@0.2", "PCK.sleap", "AUC", "EPE", "EPE@0.5", "RMSE", "Distance", "Distance@95", "NME", "PCK@0.1[large]")


def ranked(found: Predictions) -> Predictions:
    """Scores that differ within an image and are equal between images: copies of equal poses of one image would take turns."""
    order = np.lexsort((found.score, found.image))
    within = np.arange(len(found)) - np.searchsorted(found.image[order], found.image[order])
    score = np.empty(len(found))
    score[order] = within / 40
    return replace(found, score=score)


def chosen_rows(table: Any, rows: NDArray[Any], **new: Any) -> Any:
    """Rows of a table, any of them twice; ids are new, so that it may be."""
    columns = {f.name: getattr(table, f.name)[rows] for f in fields(table) if isinstance(getattr(table, f.name), np.ndarray)}
    return type(table)(**{**columns, **new}, meta={k: v[rows] for k, v in table.meta.items()})


def copies(truth: PoseDataset, found: Predictions, times: NDArray[Any]) -> tuple[PoseDataset, Predictions]:
    """Each image so many times with all that is on it, copies side by side in the order of the ids."""
    order = np.argsort(truth.images.id)
    chosen = np.repeat(order, times[order].astype(int))
    truths = [np.flatnonzero(truth.instances.image == row) for row in chosen]
    preds = [np.flatnonzero(found.image == truth.images.id[row]) for row in chosen]
    rows, pred = np.concatenate(truths), found.take(np.concatenate(preds))
    image = np.repeat(np.arange(len(chosen)), [len(rows) for rows in truths])
    instances = chosen_rows(truth.instances, rows, id=np.arange(len(rows)) + 1, image=image)
    again = replace(truth, images=chosen_rows(truth.images, chosen, id=np.arange(len(chosen)) + 1), instances=instances)
    placed = np.repeat(np.arange(len(chosen)) + 1, [len(rows) for rows in preds])
    named = {(int(place), before): new for place, before, new in zip(image, truth.instances.id[rows].tolist(), instances.id.tolist(), strict=True)}
    made_for = np.array([named.get((place - 1, t), -1) for place, t in zip(placed.tolist(), pred.truth.tolist(), strict=True)], np.int64)
    return again, replace(pred, image=placed, row=np.arange(len(pred)), truth=made_for)


def test_twenty_resamples_are_twenty_evaluations_of_copies() -> None:
    truth, found = made()
    found = ranked(found)
    ev = posebench.evaluate(truth, found, COCO)
    [block] = draws(clusters(ev.workings), 20, seed=3)
    ours = replicates(ev.workings, (*CURVED, *POINTS), [block])
    theirs = [posebench.evaluate(*copies(truth, found, times), COCO) for times in block]
    wanted = np.array([[other[name] for name in (*CURVED, *POINTS)] for other in theirs])
    assert np.allclose(ours, wanted, rtol=0, atol=1e-12, equal_nan=True), np.abs(ours - wanted).max(0)
    once = replicates(ev.workings, (*CURVED, *POINTS), [(block > 0).astype(float)])
    assert (np.abs(once - wanted).max(0) > 1e-3).all(), "images counted once however often they were drawn"
    assert once[:, 0].std() < 0.9 * ours[:, 0].std()


@settings(deadline=None, max_examples=40)
@given(problems_and_protocols(ties=False), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_replicates_are_evaluations_of_copies_under_any_protocol(both: tuple[Made, Any], times: list[int]) -> None:
    problem, rules = both
    times = times[: len(problem.coco["images"])]
    if not sum(times):
        return
    ev = posebench.evaluate(problem.truth(), problem.pred(), rules)
    again = repeated(problem, times)
    other = posebench.evaluate(again.truth(), again.pred(), rules)
    spots = ["", *rules.ranges, *rules.levels, *rules.parts, "pooled"]
    names = [f"{name}[{where}]" if where else name for where in spots for name in ("AP", "AR", "PCK", "EPE", "Distance")]
    [ours] = replicates(ev.workings, names, [np.array([times], float)])
    wanted = [other[name] for name in names]
    assert ours == pytest.approx(wanted, abs=1e-12, rel=1e-12, nan_ok=True)


def test_points_compared_to_the_truth_they_were_made_for_are_copied_with_it() -> None:
    truth, _ = made()
    own = truth.instances
    points = np.concatenate([own.keypoints[..., :2] + np.random.default_rng(1).normal(0, 6, own.keypoints[..., :2].shape), own.keypoints[..., 2:] / 2], -1)
    found = Predictions.from_arrays(
        schema="foot6", image=truth.images.id[own.image], keypoints=points, score=np.ones(len(own)), category=own.category + 1, truth=own.id
    )
    ev = posebench.evaluate(truth, found, COCO)
    names = ("PCK.mmpose", "PCK.mp100@0.2", "PCK.technumber@0.1", "PCK.edgecape")
    [block] = draws(clusters(ev.workings), 5, seed=3)
    wanted = [[posebench.evaluate(*copies(truth, found, times), COCO)[name] for name in names] for times in block]
    assert np.allclose(replicates(ev.workings, names, [block]), wanted, rtol=0, atol=1e-12)


def test_posetracks_mean_over_joints_is_weighted_too() -> None:
    truth, found = made()
    truth = replace(truth, instances=replace(truth.instances, meta={"head_size": np.full(len(truth), 20.0)}))
    found = replace(found, keypoints=np.concatenate([found.keypoints[..., :2], np.random.default_rng(2).random((*found.keypoints.shape[:2], 1))], -1))
    ev = posebench.evaluate(truth, found, COCO)
    [block] = draws(clusters(ev.workings), 5, seed=3)
    wanted = [[posebench.evaluate(*copies(truth, found, times), COCO)["AP.poseval"]] for times in block]
    assert np.allclose(replicates(ev.workings, ["AP.poseval"], [block]), wanted, rtol=0, atol=1e-12)


SLICED = ("keypoint", "category", "size", "coat", "place", "instances", "labelled", "visibility")


@pytest.mark.parametrize("by", SLICED)
def test_replicates_of_a_slice_are_measures_of_its_weighted_images(by: str) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found, COCO)
    names = ("PCK@0.2", "NME", "Distance") if by == "visibility" else ("AP", "AR@0.75", "AP[large]", "AP[pooled]", "PCK@0.2", "RMSE")
    [block] = draws(clusters(ev.workings), 4, seed=1)
    for each in slices_of(ev.workings, by)[:3]:
        own = each.selection
        weighted = [replace(own, images=w if own.images is None else w * own.images, made={}) for w in block]
        wanted = [[measure(ev.workings, name, w).value for name in names] for w in weighted]
        assert np.allclose(replicates(ev.workings, names, [block], own), wanted, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_every_metric_has_replicates() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found, COCO)
    [block] = draws(clusters(ev.workings), 3)
    assert np.isfinite(replicates(ev.workings, tuple(METRICS), [block])).all()


@pytest.mark.parametrize("interpolation", CURVES)
def test_all_curves_are_batched(interpolation: str) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found, COCO.replace(interpolation=interpolation))
    [block] = draws(clusters(ev.workings), 5)
    wanted = [measure(ev.workings, "AP", Selection(images=w)).value for w in block]
    assert np.allclose(replicates(ev.workings, ["AP"], [block])[:, 0], wanted, rtol=0, atol=1e-12)


# -- drawing -----------------------------------------------------------------------------------------------


def test_one_seed_draws_one_sequence_of_as_many_clusters() -> None:
    truth, found = made()
    workings = posebench.evaluate(truth, found, COCO).workings
    drawn = clusters(workings)
    blocks = list(draws(drawn, BLOCK + 5, seed=7))
    assert [len(b) for b in blocks] == [BLOCK, 5]
    assert (np.concatenate(blocks).sum(1) == drawn.n).all()
    assert all((a == b).all() for a, b in zip(blocks, draws(drawn, BLOCK + 5, seed=7), strict=True))
    assert (blocks[0] != next(draws(drawn, BLOCK, seed=8))).any()
    assert np.concatenate(blocks).mean(0) == pytest.approx(np.ones(drawn.n), abs=0.4)


def test_large_sets_are_drawn_in_small_blocks_of_the_same_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = clusters(posebench.evaluate(*made(), COCO).workings)
    whole = np.concatenate(list(draws(drawn, 50, seed=1)))
    monkeypatch.setattr(resampling, "_CELLS", 7 * drawn.n)
    parts = list(draws(drawn, 50, seed=1))
    assert len(parts) == 8
    assert (np.concatenate(parts) == whole).all()
    assert len(list(left_out(groups(drawn, 20)))) == 3


def test_images_of_a_cluster_are_drawn_together_and_those_without_alone() -> None:
    truth, found = made()
    place = np.array(["a", "b", "", ""] * 11, object)[: len(truth.images)]
    truth = replace(truth, images=truth.images.with_meta(place=place))
    drawn = clusters(posebench.evaluate(truth, found, COCO).workings, "place")
    assert drawn.n == 2 + int((place == "").sum())
    [block] = draws(drawn, 10)
    assert (block[:, place == "a"] == block[:, place == "a"][:, :1]).all()
    assert len(np.unique(block[0, place == ""])) > 1
    assert str(drawn) == f"{drawn.n} clusters by 'place'"


@pytest.mark.parametrize(("by", "said"), [("coat", "belongs to truths"), ("plaice", "did you mean 'place'")])
def test_clusters_are_columns_of_images(by: str, said: str) -> None:
    with pytest.raises(PoseError, match=said):
        clusters(posebench.evaluate(*made(), COCO).workings, by)


def test_the_jackknife_leaves_every_group_out_once() -> None:
    drawn = clusters(posebench.evaluate(*made(), COCO).workings)
    weights = np.concatenate(list(left_out(groups(drawn, 7))))
    assert weights.shape == (7, drawn.n)
    assert ((1 - weights).sum(0) == 1).all()
