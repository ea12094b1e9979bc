"""The tables of an error report: slices, costs, the worst, every keypoint, and what is taken for what."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posebench import evaluate
from posebench.errors.confusion import landings
from posebench.errors.labels import LABELS, Labelled, Rules, inversion_extent
from posebench.errors.report import ErrorReport
from posebench.protocols import COCO, CROWDPOSE
from posebench.simulate import simulate
from posedata import PoseDataset, PoseError, Predictions, load_schema

from .test_simulate import crowded, of_two_kinds

SCHEMA = load_schema("coco17")
NAMES = list(SCHEMA.names)
COUNTED = [name for name in LABELS if name != "confusion"]


def furnished() -> PoseDataset:
    """Bodies of many sizes in images of few and many, with a column of the truths and one of the images."""
    ds = crowded(90, 3)
    rng = np.random.default_rng(1)
    side = rng.uniform(40, 90, 90)
    middle = ds.instances.keypoints[..., :2].mean(1)
    own = replace(
        ds.instances,
        area=rng.uniform(500, 20000, 90),
        bbox=np.column_stack([middle - side[:, None] / 2, side, side]),
        meta={"species": np.array([*(("cat", "dog", "fox")[i % 3] for i in range(90))], object), "age": rng.uniform(0, 9, 90)},
    )
    return replace(ds, instances=own, images=replace(ds.images, meta={"crowd_index": rng.uniform(0, 0.99, len(ds.images))}))


@pytest.fixture(scope="module")
def report() -> ErrorReport:
    ds = furnished()
    pred = simulate(ds, absent=0.05, surplus=0.3, missed=0.1, duplicate=0.2, background=0.2, score_noise=0.5).pred
    return evaluate(ds, pred, COCO).errors()


# -- slices ----------------------------------------------------------------------------------------------

PARTITIONS = ("keypoint", "category", "size", "visibility", "instances", "labelled", "overlap", "crowd", "species", "age")


@pytest.mark.parametrize("by", PARTITIONS)
def test_slices_sum_to_the_whole(report: ErrorReport, by: str) -> None:
    table = report.by(by)
    assert table.index.name == by
    for name in COUNTED:
        assert table[name].sum() == report.counts[name]
    assert table["points"].sum() == sum(report.counts.values())
    assert (table[COUNTED].sum(axis=1) == table["points"]).all()
    if by != "visibility":  # a surplus point is neither seen nor hidden
        assert table["surplus"].sum() == report.surplus["surplus"]
    lost = (1 - report.labelled.oks).sum()
    assert table["oks lost"].sum() == pytest.approx(lost)
    shares = table["wrong"].dropna()
    assert np.allclose(shares, 1 - (table["good"] / table["points"])[shares.index])


@pytest.mark.parametrize("by", PARTITIONS)
def test_costs_of_slices_sum_to_the_whole(report: ErrorReport, by: str) -> None:
    table, whole = report.cost_by(by), report.cost.oks
    points = by in ("keypoint", "visibility")
    assert ("missed" in table) != points
    truths = table["truths"].iloc[0] if points else table["truths"].sum()
    for name in [*COUNTED, *([] if points else ["missed"])]:
        assert (table[name].fillna(0) * table["truths"]).sum() / truths == pytest.approx(whole[name], abs=1e-12), name


def test_slices_say_what_a_loop_counts(report: ErrorReport) -> None:
    own, table = report.labelled, report.by("species")
    species = report.ev.truth.instances.meta["species"]
    for kind in ("cat", "dog", "fox"):
        codes = [int(c) for p in range(len(own.truth)) if species[own.truth[p]] == kind for c in own.code[p]]
        for i, name in enumerate(COUNTED):
            assert table.loc[kind, name] == codes.count(i)


def test_crowding_has_the_levels_of_the_protocol() -> None:
    ds = furnished()
    table = evaluate(ds, simulate(ds).pred, CROWDPOSE).errors().by("crowd")
    assert list(table.index) == ["easy", "medium", "hard"] and table["points"].sum() > 0


def test_an_unknown_slice_is_one_line(report: ErrorReport) -> None:
    for ask in (report.by, report.cost_by, report.sensitivity):
        with pytest.raises(PoseError, match="did you mean 'species'"):
            ask("speces")


def test_sensitivity_is_the_spread_of_ap_and_impact_the_rest(report: ErrorReport) -> None:
    found = report.sensitivity("size")
    aps = [ap for ap in found["ap"].values() if not math.isnan(ap)]
    assert list(found["ap"]) == ["small", "medium", "large"]
    assert found["ap"] == {label: m["AP"].value for label, m in report.ev.slices("size", ["AP"])}
    assert found["sensitivity"] == max(aps) - min(aps) > 0
    assert found["impact"] == max(aps) - report.ev["AP"]
    assert sum(found["n"].values()) == (~report.labelled.problem.ignored).sum()


def test_sensitivity_to_points_is_refused_for_poses(report: ErrorReport) -> None:
    with pytest.raises(PoseError, match="a number of whole poses"):
        report.sensitivity("visibility")


# -- the worst -------------------------------------------------------------------------------------------


def test_the_worst_lose_most(report: ErrorReport) -> None:
    table = report.worst(10)
    assert len(table) == 10 and table["lost"].is_monotonic_decreasing
    assert np.allclose(table["lost"], 1 - table["oks"])
    assert table["lost"].tolist() == pytest.approx(sorted(1 - report.labelled.oks, reverse=True)[:10])
    assert len(report.worst(10_000)) == len(report.labelled.truth)


def test_a_row_of_the_worst_names_its_pose(report: ErrorReport) -> None:
    own, row = report.labelled, report.worst(1).iloc[0]
    p = int(np.argmin(own.oks))
    ds, pred = report.ev.truth, report.ev.predictions
    m = own.problem.rows[own.pred[p]]
    assert (row["annotation_id"], row["prediction"], row["image_id"]) == (ds.instances.id[own.truth[p]], pred.row[m], pred.image[m])
    assert row["file"] == ds.images.file[ds.instances.image[own.truth[p]]]
    assert row["score"] == pred.score[m] and row["category"] == "object"
    for name in ("jitter", "miss", "swap", "inversion", "absent"):
        said = [part.split(": ")[1].split(", ") for part in row["labels"].split("; ") if part.startswith(f"{name}: ")]
        wanted = [NAMES[k] for k in range(17) if own.is_(name)[p, k]]
        assert (said[0] if said else []) == wanted and row[f"n {name}"] == len(wanted)
    assert row["confidences"].startswith("nose ") and row["losses"].count(",") == 16


@pytest.mark.parametrize("kind", ["jitter", "inversion", "swap", "miss", "absent", "good"])
@pytest.mark.parametrize("keypoint", [None, "left_knee"])
def test_the_worst_of_a_kind_and_a_keypoint(report: ErrorReport, kind: str, keypoint: str | None) -> None:
    own, table = report.labelled, report.worst(1000, kind, keypoint)
    columns = [NAMES.index(keypoint)] if keypoint else list(range(17))
    known = own.problem.labelled[own.truth]
    lost = {}
    for p in range(len(own.truth)):
        mine = [(1 - own.own[p, k]) / known[p].sum() for k in columns if own.is_(kind)[p, k]]
        if mine:
            lost[int(own.problem.pred.row[own.problem.rows[own.pred[p]]])] = sum(mine)
    assert sorted(table["prediction"]) == sorted(lost)
    assert table["lost"].tolist() == pytest.approx([lost[i] for i in table["prediction"]])
    assert (np.diff(table["lost"]) <= 1e-15).all()


def test_the_worst_of_a_keypoint_have_it_labelled(report: ErrorReport) -> None:
    own, table = report.labelled, report.worst(1000, keypoint="nose")
    assert len(table) == ((own.code[:, 0] >= 0) | own.surplus[:, 0]).sum() < len(own.truth)


def test_the_worst_of_surplus_have_most_of_it(report: ErrorReport) -> None:
    table = report.worst(1000, "surplus")
    surplus = report.labelled.surplus.sum(1)
    by_row = dict(zip(report.labelled.problem.pred.row[report.labelled.problem.rows[report.labelled.pred]].tolist(), surplus.tolist(), strict=True))
    assert len(table) == (surplus > 0).sum()
    assert [by_row[i] for i in table["prediction"]] == sorted(surplus[surplus > 0].tolist(), reverse=True)


def test_surplus_points_are_named_and_counted(report: ErrorReport) -> None:
    own, table = report.labelled, report.worst(1, "surplus")
    row = table.iloc[0]
    p = own.problem.pred.row[own.problem.rows[own.pred]].tolist().index(row["prediction"])
    names = [NAMES[k] for k in np.flatnonzero(own.surplus[p])]
    assert f"surplus: {', '.join(names)}" in row["labels"] and row["n surplus"] == len(names) > 0


def test_missed_truths_are_listed_the_largest_first(report: ErrorReport) -> None:
    table, ds = report.worst(1000, "missed"), report.ev.truth
    assert len(table) == report.instances["truths"]["missed"] > 1
    assert table["area"].is_monotonic_decreasing and (table["oks"] < 0.1).all()
    rows = [ds.instances.id.tolist().index(i) for i in table["annotation_id"]]
    assert table["image_id"].tolist() == ds.images.id[ds.instances.image[rows]].tolist()
    assert table["points"].tolist() == ds.instances.labelled[rows].sum(1).tolist()
    found = report.worst(1000)
    assert not set(found["annotation_id"]) & set(table["annotation_id"])
    assert report.worst(1, "missed")["annotation_id"].tolist() == table["annotation_id"].tolist()[:1]


def test_the_worst_of_the_background_are_the_surest(report: ErrorReport) -> None:
    table = report.worst(1000, "background")
    assert len(table) == report.instances["predictions"]["background"] > 0
    assert table["score"].is_monotonic_decreasing and (table["oks"] < 0.1).all()


def test_poses_that_name_no_category_of_the_truth_have_that_of_their_truth() -> None:
    ds = of_two_kinds()
    pred = simulate(ds, background=0.3).pred
    pred = replace(pred, category=np.full(len(pred), 99))
    errors = evaluate(ds, pred, COCO.replace(per_category=False)).errors()
    table = errors.worst(1000)
    kinds = dict(zip(ds.instances.id.tolist(), [ds.categories[c].name for c in ds.instances.category], strict=True))
    assert table["category"].tolist() == [kinds[i] for i in table["annotation_id"]]
    assert set(errors.worst(1000, "background")["category"]) <= {"", "cat", "fish"}


@pytest.mark.parametrize(
    ("kind", "keypoint", "words"),
    [
        ("mis", None, "did you mean 'miss'"),
        (None, "left_paw", "no keypoint 'left_paw'"),
        ("background", "nose", "whole poses"),
        ("missed", "nose", "whole poses"),
    ],
)
def test_what_is_not_there_is_one_line(report: ErrorReport, kind: str | None, keypoint: str | None, words: str) -> None:
    with pytest.raises(PoseError, match=words):
        report.worst(1, kind, keypoint)


@pytest.mark.parametrize("n", [0, -3])
def test_lists_of_nothing_are_one_line(report: ErrorReport, n: int) -> None:
    for what in (report.worst, report.greedy):
        with pytest.raises(PoseError, match=f"{n} rows; a number of 1 or more"):
            what(n)


# -- every keypoint --------------------------------------------------------------------------------------


def test_every_keypoint_is_a_row(report: ErrorReport) -> None:
    own, table = report.labelled, report.per_keypoint()
    assert len(table) == own.code.size
    found = table.loc[table["label"] != "", "label"].value_counts().to_dict()
    assert found == {name: n for name, n in report.counts.items() if n}
    assert table["surplus"].sum() == report.surplus["surplus"] and (table.loc[table["surplus"], "v"] == 0).all()
    assert table["lost"].sum() == pytest.approx((1 - own.oks).sum())
    assert (table["x"].isna() == ~own.said.ravel()).all()
    swaps = table[table["label"] == "swap"]
    assert len(swaps) and (swaps["attracted_by"] != swaps["annotation_id"]).all()
    turned = table[table["label"] == "inversion"]
    assert [SCHEMA.mirror[NAMES.index(a)] for a in turned["keypoint"]] == [NAMES.index(b) for b in turned["attracted_keypoint"]]
    assert (table.loc[table["label"] == "absent", "attracted_keypoint"].isna()).all()


def equal(read: Any, written: Any) -> None:
    assert list(read.columns) == list(written.columns)
    for name in written.columns:
        a, b = read[name], written[name]
        if b.dtype.kind in "fiub":
            assert np.array_equal(a.to_numpy(float), b.to_numpy(float), equal_nan=True), name
        else:
            assert [None if pd.isna(v) else v for v in a] == [None if pd.isna(v) else v for v in b], name


@pytest.mark.parametrize("text", [False, True], ids=["ids are numbers", "ids are text"])
def test_every_keypoint_comes_back_from_parquet(tmp_path: Path, text: bool) -> None:
    ds = furnished()
    if text:
        ds = replace(ds, instances=replace(ds.instances, id=np.array([f"a{i}" for i in range(90)], object)))
    errors = evaluate(ds, simulate(ds, absent=0.1, surplus=0.2).pred, COCO).errors()
    frame = errors.per_keypoint(tmp_path / "points.parquet")
    equal(pd.read_parquet(tmp_path / "points.parquet"), frame)
    errors.per_keypoint(tmp_path / "points.csv")
    with (tmp_path / "points.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(frame)


def test_a_form_that_is_not_written_is_one_line(report: ErrorReport, tmp_path: Path) -> None:
    with pytest.raises(PoseError, match="a form we do not write"):
        report.per_keypoint(tmp_path / "points.xlsx")


# -- what is taken for what ------------------------------------------------------------------------------

GRID = np.array([[100.0 + 120 * (i % 5), 100.0 + 120 * (i // 5)] for i in range(17)])


def on_the_grid(places: dict[str, str], **rules: Any) -> ErrorReport:
    """One body on a grid, and a pose with some points on the places of others; '' is nowhere."""
    pose = GRID.copy()
    for name, other in places.items():
        pose[NAMES.index(name)] = GRID[NAMES.index(other)] if other else (9000, 9000)
    truth = PoseDataset.from_arrays(schema="coco17", image=[1], keypoints=np.concatenate([GRID, np.full((17, 1), 2.0)], -1)[None], area=[1e4])
    pred = Predictions.from_arrays(schema="coco17", image=[1], keypoints=np.concatenate([pose, np.ones((17, 1))], -1)[None], score=[1.0])
    return evaluate(truth, pred, COCO).errors(Rules(**rules))


def swapped(*names: str) -> dict[str, str]:
    """Left for right and right for left."""
    return {f"{a}_{n}": f"{b}_{n}" for n in names for a, b in (("left", "right"), ("right", "left"))}


def test_landings_say_where_points_lie() -> None:
    table = on_the_grid({"left_shoulder": "left_hip", "nose": "", "left_eye": "right_eye"}).landings
    assert table.shape == (17, 18) and table.sum() == 3
    assert table[NAMES.index("left_shoulder"), NAMES.index("left_hip")] == 1
    assert table[NAMES.index("left_eye"), NAMES.index("right_eye")] == 1
    assert table[NAMES.index("nose"), 17] == 1


def test_landings_are_of_points_that_are_wrong_and_said(report: ErrorReport) -> None:
    counts = report.counts
    assert report.landings.sum() == counts["miss"] + counts["inversion"] + counts["swap"]


def test_left_and_right_have_a_table() -> None:
    rows = {row["left"]: row for row in on_the_grid(swapped("shoulder") | {"left_hip": "right_hip"}).left_right}
    assert rows["left_shoulder"] == {
        "left": "left_shoulder", "right": "right_shoulder", "left as left": 0, "left as right": 1, "right as right": 0, "right as left": 1,
    }  # fmt: skip
    assert (rows["left_hip"]["left as right"], rows["left_hip"]["right as left"], rows["left_hip"]["right as right"]) == (1, 0, 1)
    assert (rows["left_knee"]["left as left"], rows["left_knee"]["right as right"]) == (1, 1)
    assert len(rows) == len(SCHEMA.pairs or ())


EXTENTS = {
    "nothing": ({}, (0, 0, 0)),
    "a single joint": ({"left_wrist": "right_wrist"}, (1, 0, 0)),
    "both of a pair": (swapped("wrist"), (2, 0, 0)),
    "joints that do not follow each other": ({"left_wrist": "right_wrist", "left_knee": "right_knee"}, (2, 0, 0)),
    "a limb": ({"left_wrist": "right_wrist", "left_elbow": "right_elbow"}, (0, 2, 0)),
    "both arms": (swapped("wrist", "elbow", "shoulder"), (0, 6, 0)),
    "a limb and a joint": (swapped("knee", "ankle") | {"left_ear": "right_ear"}, (1, 4, 0)),
    "the whole body but the face": (swapped("ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"), (0, 0, 14)),
    "the whole body, too far to be an attempt at it": (swapped("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"), (0, 0, 0)),
    "most of it": (swapped("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), (0, 0, 12)),
}


@pytest.mark.parametrize("name", EXTENTS)
def test_inversions_are_told_apart_by_their_extent(name: str) -> None:
    places, (single, limb, body) = EXTENTS[name]
    errors = on_the_grid(places)
    assert errors.inversions == {"single": single, "limb": limb, "body": body}
    own: Labelled = errors.labelled
    assert np.array_equal(inversion_extent(own) >= 0, own.is_("inversion"))


def test_look_alikes_are_a_label_of_their_own() -> None:
    """A shoulder on the hip is a miss, unless the two are named."""
    places = {"left_shoulder": "left_hip", "nose": "left_hip"}
    assert on_the_grid(places).counts["miss"] == 2 and "confusion" not in on_the_grid(places).counts
    named = on_the_grid(places, confused=(("left_shoulder", "left_hip"),))
    assert (named.counts["miss"], named.counts["confusion"]) == (1, 1)
    assert NAMES[named.labelled.point[0, NAMES.index("left_shoulder")]] == "left_hip"
    assert {"confusion"} <= set(named.cost.alone) and "confusion" in named.cost_by("keypoint")


@pytest.mark.parametrize(
    "wrong",
    [
        {"good": 0.4},
        {"near": 0.0},
        {"matched": 0.0},
        {"good": 1.2},
        {"confused": ("ab",)},
        {"confused": (("nose", "nose"),)},
        {"surplus": math.nan},
        {"surplus": -0.1},
    ],
    ids=str,
)
def test_rules_that_cannot_be_are_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(PoseError, match="error rules"):
        Rules(**wrong)


@pytest.mark.parametrize("order", [("miss", "miss"), ("mis",)])
def test_an_order_that_cannot_be_is_one_line(report: ErrorReport, order: tuple[str, ...]) -> None:
    with pytest.raises(PoseError, match="errors: order"):
        report.ev.errors(order=order)


def slow_landings(own: Labelled) -> np.ndarray:
    """Point by point."""
    problem, k = own.problem, own.code.shape[1]
    table = np.zeros((k, k + 1), int)
    for p, t in enumerate(own.truth.tolist()):
        for j in range(k):
            if own.code[p, j] < 2 or own.is_("absent")[p, j]:
                continue
            d2 = ((problem.points[t, :, :2] - problem.pred.keypoints[problem.rows[own.pred[p]], j, :2]) ** 2).sum(1)
            near = np.where(problem.labelled[t], np.exp(-d2 / (2 * (2 * problem.sigmas[0, j]) ** 2 * problem.area[t])), -1)
            table[j, near.argmax() if near.max() >= 0.5 else k] += 1
    return table


def test_landings_are_what_a_loop_finds(report: ErrorReport, monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.array_equal(report.landings, slow_landings(report.labelled))
    monkeypatch.setattr("posebench.errors.confusion._POINTS", 7)
    assert np.array_equal(landings(report.labelled), report.landings)


def test_labels_made_in_many_blocks_are_the_same(report: ErrorReport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posebench.errors.labels._CELLS", 100)
    again = report.ev.errors().labelled
    for name in ("code", "own", "nearest", "owner", "point", "oks", "surplus"):
        assert np.array_equal(getattr(again, name), getattr(report.labelled, name))
