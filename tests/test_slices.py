"""Slices: each equals an evaluation of what it stands for, n stands beside every number, and what has no truth is NaN."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
from posebench import COCO, CROWDPOSE, Evaluation
from posebench.slices import SLICES
from posedata import PoseDataset, Predictions, Schema, load_dataset, load_schema, read_coco
from posedata.errors import PoseError
from tests.scored import annotations, command, results, written

BOTH = ("AP", "AR@0.75", "AP[large]")


def made(n: int = 160, images: int = 40, m: int = 260, seed: int = 0, schema: str = "foot6") -> tuple[PoseDataset, Predictions]:
    """Cats and dogs with columns of every kind; some truths crowds, some unlabelled, scores with ties, one image without anything."""
    rng = np.random.default_rng(seed)
    k = len(load_schema(schema))
    xy = rng.uniform(20, 300, (n, 1, 2)) + rng.uniform(0, 60, (n, k, 2))
    v = rng.choice([0.0, 1, 2], (n, k, 1), p=[0.2, 0.2, 0.6])
    v[:4] = 0
    image = rng.integers(1, images + 1, n)
    truth = PoseDataset.from_arrays(
        schema=schema, name="made", image=image, keypoints=np.concatenate([xy, v], -1) * (v > 0), area=rng.choice([500.0, 3000, 20000], n),
        bbox=np.concatenate([xy.min(1), np.ptp(xy, axis=1)], 1), category=rng.choice(["cat", "dog"], n), crowd=rng.random(n) < 0.05,
        images={"id": np.arange(images + 1, 0, -1), "file": [f"{i}.jpg" for i in range(images + 1)]},
        meta={"coat": rng.choice(["red", "grey", ""], n).astype(object), "weight": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)), "legs": rng.integers(2, 5, n), "tame": rng.random(n) < 0.5},
    )  # fmt: skip
    truth = replace(truth, images=truth.images.with_meta(place=rng.choice(["field", "wood"], images + 1).astype(object), crowd_index=rng.uniform(0, 1.5, images + 1), year=rng.integers(1, 200, images + 1)))  # fmt: skip
    pick = rng.integers(0, n, m)
    points = np.concatenate([xy[pick] + rng.normal(0, 4, (m, k, 2)), rng.random((m, k, 1))], -1)
    found = Predictions.from_arrays(
        schema=schema, image=image[pick], keypoints=points, score=rng.random(m).round(2), category=truth.instances.category[pick] + 1
    )
    return truth, found


def on_images(truth: PoseDataset, found: Predictions, rows: Any) -> tuple[PoseDataset, Predictions]:
    kept = truth.take_images(rows)
    return kept, found.take(np.isin(found.image, kept.images.id))


def with_truths(truth: PoseDataset, mask: Any) -> PoseDataset:
    """The same with all other truths ignored."""
    return replace(truth, instances=replace(truth.instances, recorded=np.where(np.asarray(mask) & truth.instances.labelled.any(1), 1, 0)))


def assert_equal(ev: Evaluation, by: str, label: Any, other: Evaluation, metrics: Sequence[str] = BOTH) -> None:
    """A row of the slices equals a whole evaluation, number and n."""
    row = dict(ev.slices(by, metrics))[label]
    for name in metrics:
        assert tuple(row[name]) == pytest.approx(tuple(other.measured(name)), abs=1e-12, nan_ok=True), name


# -- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["field", "wood"])
def test_a_column_of_images_is_the_dataset_of_these_images(label: str) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    assert_equal(ev, "place", label, posebench.evaluate(*on_images(truth, found, truth.images.meta["place"] == label)), (*BOTH, "AP[pooled]"))


def test_a_column_of_many_numbers_is_cut_into_quarters() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    year = truth.images.meta["year"]
    labels = [label for label, _ in ev.slices("year", ["AP"])]
    assert len(labels) == 4
    masks = []
    for i, label in enumerate(labels):
        low, high = map(float, label.split(" to "))
        masks.append((year >= low) & ((year <= high) if i == 3 else (year < high)))
        assert_equal(ev, "year", label, posebench.evaluate(*on_images(truth, found, masks[-1])))
    assert (np.sum(masks, 0) == 1).all(), "every image is in exactly one"


def test_crowd_is_the_levels_of_the_protocol_or_crowdposes() -> None:
    truth, found = made()
    index = truth.images.meta["crowd_index"]
    ev = posebench.evaluate(truth, found)
    assert_equal(ev, "crowd", "hard", posebench.evaluate(*on_images(truth, found, index >= 0.8)))
    assert_equal(ev, "crowd", "medium", posebench.evaluate(*on_images(truth, found, (index >= 0.2) & (index < 0.8))))
    levelled = posebench.evaluate(truth, found, COCO.replace(levels={"thin": (0, 0.5), "thick": (0.5, 9)}))
    assert [label for label, _ in levelled.slices("crowd", ["AP"])] == ["thin", "thick"]
    assert levelled["AP[thick]"] == dict(levelled.slices("crowd", ["AP"]))["thick"]["AP"].value


def test_instances_counts_the_truths_that_count() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    counts = np.bincount(truth.instances.image[~ev.workings.problem().ignored], minlength=len(truth.images))
    for label, (low, high) in {"1": (1, 1), "2-4": (2, 4), "5-8": (5, 8)}.items():
        assert_equal(ev, "instances", label, posebench.evaluate(*on_images(truth, found, (counts >= low) & (counts <= high))))
    empty = dict(ev.slices("instances", ["AP"]))["0"]["AP"]
    assert np.isnan(empty.value) and empty.n == 0


# -- truths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "values"), [("coat", ["grey", "red"]), ("legs", [2, 3, 4]), ("tame", [False, True])])
def test_a_column_of_truths_ignores_the_others_and_matches_again(by: str, values: list[Any]) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found, COCO)
    assert [label for label, _ in ev.slices(by, ["AP"])] == values, "rows without a value are in no slice"
    for value in values:
        mask = (truth.instances.meta[by] == value) & ~ev.workings.problem().ignored
        assert_equal(ev, by, value, posebench.evaluate(with_truths(truth, mask), found, COCO))


def test_numbers_of_truths_are_cut_into_quarters_and_nan_is_in_none() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    weight = truth.instances.meta["weight"]
    rows = ev.slices("weight", ["AP"])
    counted = ~ev.workings.problem().ignored
    assert len(rows) == 4
    assert sum(m["AP"].n for _, m in rows) == (counted & ~np.isnan(weight)).sum() < counted.sum()


def test_quarters_hold_every_row_whatever_the_numbers() -> None:
    truth, found = made()
    n = len(truth)
    columns = {
        "endless": np.where(np.arange(n) < 60, np.inf, np.arange(n)),
        "alike": np.where(np.arange(n) < 120, 7, np.arange(n)),
        "near": 1e6 + np.arange(n) / 1000,
    }
    ev = posebench.evaluate(replace(truth, instances=truth.instances.with_meta(**columns)), found)
    for name in columns:
        rows = ev.slices(name, ["AP"])
        assert sum(m["AP"].n for _, m in rows) == ev.counts["counted"], name
        assert len({label for label, _ in rows}) == len(rows), name


def test_unmatched_predictions_count_in_every_slice_of_truths() -> None:
    """Two truths and two predictions on each, and one beside both: it is a false positive of best score in either slice."""
    points = np.array([[[x + i, 10.0 + i, 2] for i in range(6)] for x in (10, 200)])
    truth = PoseDataset.from_arrays(schema="foot6", image=[1, 1], keypoints=points, area=[400.0, 40000.0], meta={"coat": np.array(["red", "grey"], object)})
    found = Predictions.from_arrays(schema="foot6", image=[1, 1, 1], keypoints=np.concatenate([points, points[:1] + 90]), score=[0.8, 0.7, 0.9])
    ev = posebench.evaluate(truth, found)
    assert ev["AP"] == pytest.approx(2 / 3, abs=1e-12), "precision is 1/2, then 2/3"
    rows = dict(ev.slices("coat", ["AP"]))
    assert rows["red"]["AP"] == pytest.approx((0.5, 1), abs=1e-12), "the grey one's prediction is neither"
    assert rows["grey"]["AP"] == pytest.approx((0.5, 1), abs=1e-12)


def test_size_counts_a_false_positive_in_the_band_of_its_own_area() -> None:
    points = np.array([[[x + s * i, 10.0 + s * i, 2] for i in range(6)] for x, s in ((10, 2), (200, 10), (500, 40))])
    areas = [400.0, 2500.0, 40000.0]
    wide = np.array([[[x + s * i, 400.0 + s * i, 1] for i in range(6)] for x, s in ((10, 2), (200, 10))])  # 10 x 10 and 50 x 50 pixels: small, medium
    truth = PoseDataset.from_arrays(schema="foot6", image=[1] * 3, keypoints=points, area=areas)
    found = Predictions.from_arrays(schema="foot6", image=[1] * 5, keypoints=np.concatenate([points, wide]), score=[0.8, 0.7, 0.6, 0.9, 0.9])
    rows = dict(posebench.evaluate(truth, found).slices("size", ["AP", "AR"]))
    assert {label: m["AP"].value for label, m in rows.items()} == pytest.approx({"small": 0.5, "medium": 0.5, "large": 1}, abs=1e-12)
    assert {label: (m["AR"].value, m["AR"].n) for label, m in rows.items()} == {"small": (1, 1), "medium": (1, 1), "large": (1, 1)}


@pytest.mark.parametrize(("area", "label"), [(0.0, "small"), (1023.9, "small"), (1024.0, "medium"), (9215.0, "medium"), (9216.0, "large"), (1e12, "large")])
def test_each_area_lies_in_one_band(area: float, label: str) -> None:
    points = np.array([[[10.0 + i, 10.0 + i, 2] for i in range(6)]])
    ev = posebench.evaluate(
        PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=points, area=[area]),
        Predictions.from_arrays(schema="foot6", image=[1], keypoints=points, score=[1]),
    )
    assert [name for name, m in ev.slices("size", ["AR"]) if m["AR"].n] == [label]


def test_size_agrees_with_the_ranges_of_coco() -> None:
    """No area lies on an end here, so that bands and ranges are the same."""
    ev = posebench.evaluate(*made())
    for label, range_ in (("medium", "AP[medium]"), ("large", "AP[large]")):
        assert dict(ev.slices("size", ["AP"]))[label]["AP"] == pytest.approx(tuple(ev.measured(range_)), abs=1e-12)


def test_overlap_counts_others_whose_box_overlaps_by_more_than_a_tenth() -> None:
    """Boxes of 10 x 10: a row of four that share 5 pixels each with the next, one that is alone, and a crowd over it."""
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 10, 10], [15, 0, 10, 10], [100, 0, 10, 10], [100, 0, 10, 10], [109, 9, 10, 10]], float)
    n = len(boxes)
    points = np.array([[[x + i, 5.0 + i / 2, 2] for i in range(6)] for x in boxes[:, 0]])
    truth = PoseDataset.from_arrays(schema="foot6", image=[1] * n, keypoints=points, bbox=boxes, area=[100.0] * n, crowd=np.arange(n) == 5)
    found = Predictions.from_arrays(schema="foot6", image=[1] * n, keypoints=points, score=np.linspace(1, 0.5, n))
    rows = dict(posebench.evaluate(truth, found).slices("overlap", ["AR"]))
    assert {label: m["AR"].n for label, m in rows.items()} == {"0": 2, "1-2": 4, "3+": 0}
    assert np.isnan(rows["3+"]["AR"].value)


def test_labelled_is_the_share_of_the_annotated_points_in_quarters() -> None:
    points = np.array([[[30.0 * n + i, 10.0 + i, 2 * (i < n)] for i in range(4)] for n in (1, 2, 3, 4, 4)])
    four = Schema.from_dict({"name": "four", "keypoints": list("abcd"), "sigmas": 0.05})
    points[points[..., 2] == 0] = 0
    annotated = np.ones((5, 4), bool)
    annotated[0, 2:] = False  # 1 of 2
    truth = PoseDataset.from_arrays(schema=four, image=[1] * 5, keypoints=points, area=[100.0] * 5, annotated=annotated)
    found = Predictions.from_arrays(schema=four, image=[1] * 5, keypoints=points, score=[1] * 5)
    assert {label: m["AR"].n for label, m in posebench.evaluate(truth, found).slices("labelled", ["AR"])} == {
        "up to 1/4": 0, "up to 1/2": 2, "up to 3/4": 1, "up to all": 2,
    }  # fmt: skip


def test_a_key_of_the_file_that_no_column_holds_slices_too(tmp_path: Path) -> None:
    truth = annotations()
    for i, (image, note) in enumerate(zip(truth["images"], truth["annotations"], strict=True)):
        image["weather"] = ("sun", "rain")[i % 2]
        note.update({"gait": i // 2, "outline": [i]} if i else {})
    ev = posebench.evaluate(*written(tmp_path, truth, results(truth, 0.5)))
    assert [(label, found["AR"]) for label, found in ev.slices("weather", ["AR"])] == [("rain", (0.5, 2)), ("sun", (0.5, 2))]
    assert [(label, found["AR"]) for label, found in ev.slices("gait", ["AR"])] == [(0, (1.0, 1)), (1, (0.0, 2))]
    for key in ("outline", "file_name", "keypoints"):
        with pytest.raises(PoseError, match=f"by='{key}': no such column"):
            ev.slices(key)


def test_points_without_boxes_are_sliced_by_the_pck_of_their_protocol() -> None:
    points = np.concatenate([np.random.default_rng(0).uniform(0, 90, (3, 16, 2)), np.full((3, 16, 1), 2.0)], -1)
    truth = PoseDataset.from_arrays(schema="akd16", image=[1, 2, 3], keypoints=points)
    ev = posebench.evaluate(truth, Predictions.from_arrays(schema="akd16", image=[1, 2, 3], keypoints=points, score=[0.9, 0.8, 0.7]))
    seen = dict(ev.slices("visibility"))["seen"]
    assert list(seen) == ["PCK.technumber@0.1", "PCK.technumber@0.2"] and seen["PCK.technumber@0.1"] == (1, 48)


# -- categories and keypoints --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cat", "dog"])
def test_a_category_is_scored_as_if_it_were_alone(name: str) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    row = [c.name for c in truth.categories].index(name)
    alone = posebench.evaluate(truth.take(truth.instances.category == row), found.take(found.category == row + 1))
    for by in ("category", "species"):
        assert_equal(ev, by, name, alone)
    rows = dict(ev.slices("category", ["AP"]))
    assert ev["AP"] == pytest.approx(np.mean([rows[c.name]["AP"].value for c in truth.categories]), abs=1e-12), "AP is their mean"


def test_a_category_where_all_are_one_ignores_the_truths_of_others() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    one = COCO.replace(per_category=False)
    mask = (truth.instances.category == 0) & ~ev.workings.problem().ignored
    name = truth.categories[0].name
    wanted = posebench.evaluate(with_truths(truth, mask), found, one).measured("AP")
    assert dict(ev.slices("category", ["AP[pooled]"]))[name]["AP[pooled]"] == pytest.approx(tuple(wanted), abs=1e-12)
    assert dict(posebench.evaluate(truth, found, one).slices("category", ["AP"]))[name]["AP"] == pytest.approx(tuple(wanted), abs=1e-12)


def test_categories_of_one_name_are_told_apart_and_those_without_truth_are_empty() -> None:
    truth, found = made()
    twins = replace(truth, categories=(*(replace(c, name="cat") for c in truth.categories), replace(truth.categories[0], id=3, name="lynx")))
    rows = posebench.evaluate(twins, found).slices("category", ["AP"])
    assert [label for label, _ in rows] == ["cat (1)", "cat (2)", "lynx"]
    assert np.isnan(rows[2][1]["AP"].value) and rows[2][1]["AP"].n == 0


@pytest.mark.parametrize("place", [0, 5])
def test_a_keypoint_is_an_evaluation_of_poses_of_that_point_alone(place: int) -> None:
    truth, found = made()
    ev = posebench.evaluate(truth, found)
    known = truth.schema.keypoints[place]
    single = Schema(name="single", keypoints=(replace(known, name="point"),), asymmetry="one point", source="test")
    own = truth.instances
    point = PoseDataset.from_arrays(
        schema=single, image=truth.images.id[own.image], keypoints=own.keypoints[:, [place]], area=own.area, bbox=own.bbox, crowd=own.crowd,
        category=truth.category_names, images={"id": truth.images.id, "file": truth.images.file},
    )  # fmt: skip
    if [c.name for c in point.categories] != [c.name for c in truth.categories]:
        pytest.fail("categories in another order")
    one = Predictions.from_arrays(schema=single, image=found.image, keypoints=found.keypoints[:, [place]], score=found.score, category=found.category)
    assert_equal(ev, "keypoint", known.name, posebench.evaluate(point, one), ("AP", "AR@0.75"))


def test_a_keypoint_outside_a_part_is_empty() -> None:
    truth, found = made(schema="coco_foot23")
    rows = dict(posebench.evaluate(truth, found, "coco_foot").slices("keypoint", ["AP[foot]", "AP"]))
    assert np.isnan(rows["nose"]["AP[foot]"].value) and rows["nose"]["AP[foot]"].n == 0
    assert rows["left_heel"]["AP[foot]"] == rows["left_heel"]["AP"]


# -- real and drawn data -------------------------------------------------------------------------------------


def test_species_is_the_category_on_ap10k(real: Path) -> None:
    truth = read_coco(real / "ap10k_sample/test_ap10k.json")
    own = truth.instances
    found = Predictions.from_arrays(
        schema=truth.schema, image=truth.images.id[own.image], keypoints=own.keypoints, score=np.ones(len(truth)),
        category=np.array([c.id for c in truth.categories])[own.category],
    )  # fmt: skip
    ev = posebench.evaluate(truth, found)
    table = ev.by("species")
    assert len(table) == 54 and table.index.name == "species"
    there = {truth.categories[c].name for c in own.category}
    assert table.loc[sorted(there), "AP"].to_numpy() == pytest.approx(1, abs=1e-12)
    assert table["n AP"].sum() == len(truth)
    assert table.drop(sorted(there))["AP"].isna().all(), "the others are empty, not -1"


def test_species_is_the_column_on_drawn_animals(drawn_once: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    truth = load_dataset("synthetic", "quadruped", split="val")
    rng = np.random.default_rng(0)
    own = truth.instances
    points = own.keypoints + rng.normal(0, 2, own.keypoints.shape) * (1, 1, 0)
    ids = np.array([c.id for c in truth.categories])[own.category]
    found = Predictions.from_arrays(schema=truth.schema, image=truth.images.id[own.image], keypoints=points, score=rng.random(len(truth)), category=ids)
    ev = posebench.evaluate(truth, found)
    table = ev.by("species", ["AP", "AR"])
    assert list(table.index) == sorted(set(own.meta["species"]))
    assert table["n AP"].sum() == ev.counts["counted"]
    assert list(table.columns) == ["AP", "n AP", "AR", "n AR"]
    assert set(ev.by("background").index) == set(truth.images.meta["background"][own.image].tolist()) | set(truth.images.meta["background"].tolist()) - {""}
    found.to_json(tmp_path / "preds.json")
    done = command(
        "evaluate", "preds.json", "--dataset", "synthetic", "--config", "quadruped", "--split", "val", "--by", "species", "--metrics", "AP", "--json", "--quiet", cwd=tmp_path
    )  # fmt: skip
    rows = json.loads(done.stdout)["by"]["species"]
    assert {r["value"]: r["n"]["AP"] for r in rows} == table["n AP"].to_dict()
    assert {r["value"]: r["metrics"]["AP"] for r in rows} == pytest.approx(table["AP"].to_dict(), abs=1e-6)


def test_crowdpose_levels_are_slices_too(real: Path) -> None:
    ev = posebench.evaluate(real / "crowdpose_example/gt.json", real / "crowdpose_example/preds.json")
    rows = dict(ev.slices("crowd", ["AP"]))
    assert [rows[level]["AP"].value for level in CROWDPOSE.levels] == [ev[f"AP[{level}]"] for level in CROWDPOSE.levels]


def test_hostile_labels_stay_on_their_line() -> None:
    from posebench.table import slices_text

    rows = [("red\n\x1b[2Jgrey", {})]
    assert slices_text("coat", rows).splitlines()[1] == "  red\\n\\x1b[2Jgrey"


# -- all kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [k for k, kind in SLICES.items() if not kind.only_points] + ["coat", "weight", "place"])
def test_every_slice_has_its_n_and_none_is_minus_one(by: str) -> None:
    for _, measured in posebench.evaluate(*made()).slices(by, ["AP", "AR"]):
        for m in measured.values():
            assert (m.n == 0) == np.isnan(m.value)
            assert np.isnan(m.value) or 0 <= m.value <= 1


@pytest.mark.parametrize("by", ["colour", "", None, 3, ["size"]])
def test_a_column_that_is_not_there_is_named(by: Any) -> None:
    with pytest.raises(PoseError, match=r"by=.*; (known|did you mean)"):
        posebench.evaluate(*made()).by(by)


def test_visibility_is_for_single_points() -> None:
    with pytest.raises(PoseError, match="AP is a number of whole poses; a visibility is one of single points"):
        posebench.evaluate(*made()).by("visibility", ["AP"])


def test_slices_of_nothing_are_empty() -> None:
    truth, found = made()
    ev = posebench.evaluate(truth.take(np.zeros(len(truth), bool)), found.take(np.zeros(len(found), bool)))
    for by in ("category", "size", "overlap", "labelled", "instances", "keypoint", "coat", "weight", "legs"):
        assert all(m["AP"].n == 0 and np.isnan(m["AP"].value) for _, m in ev.slices(by, ["AP"])), by


@pytest.mark.slow
def test_a_million_predictions_are_sliced_without_a_loop_over_rows() -> None:
    truth, found = made(n=50_000, images=20_000, m=1_000_000)
    started = time.process_time()
    ev = posebench.evaluate(truth, found)
    tables = [ev.by(by, ["AP"]) for by in ("coat", "place", "category", "size")]
    spent = time.process_time() - started
    assert all(len(t) for t in tables)
    assert spent < 40, "about five"
