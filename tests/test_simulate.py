"""Simulated predictions: what is injected is what a slow labeller, written from the definition alone, finds again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.simulate import KINDS, POSES, SHARES, Simulated, read_injected, simulate
from posebench.simulate.scene import areas
from posedata import Category, DataError, FormatError, Keypoint, PoseDataset, PoseError, Schema, read_coco, read_predictions, synthesize
from posedata.formats.anything import read
from posedata.similarity import oks
from tests.conftest import REAL_COCO, poses
from tests.test_cli import run

EVERYTHING = {"absent": 0.05, "surplus": 0.3, "missed": 0.1, "duplicate": 0.3, "background": 0.3, "score_noise": 0.5}


# -- the labeller: one point at a time, similarities as they are, the nearest of all candidates decides ----------


def slow_area(ds: PoseDataset, row: int) -> float:
    """Recorded, else .53 of the box, else the extent of the labelled points, at least 1."""
    own = ds.instances
    if own.area[row] > 0:
        return float(own.area[row])
    _, _, w, h = own.bbox[row]
    if w * h > 0:
        return float(0.53 * w * h)
    xy = own.keypoints[row, own.labelled[row], :2]
    w, h = xy.max(0) - xy.min(0) if len(xy) else (0, 0)
    return max(1.0, float(w * h))


def similarity(ds: PoseDataset, row: int, point: int, sigma: float, x: float, y: float) -> float:
    """Of a predicted place and a point of a truth, by that truth's area; -1 where it is not labelled."""
    if not ds.instances.labelled[row, point]:
        return -1.0
    tx, ty, _ = ds.instances.keypoints[row, point]
    return math.exp(-((x - tx) ** 2 + (y - ty) ** 2) / (2 * (2 * sigma) ** 2 * slow_area(ds, row)))


def slow_label(ds: PoseDataset, row: int, k: int, x: float, y: float) -> tuple[str, int, int]:
    """Label of a point predicted for truth `row`, and which point of which truth decided."""
    if not ds.instances.labelled[row, k]:
        return "none" if math.isnan(x) else "surplus", -1, -1
    if math.isnan(x):
        return "absent", -1, -1
    mirror = int(ds.schema.mirror[k])
    others = [r for r in np.flatnonzero(ds.instances.image == ds.instances.image[row]).tolist() if r != row]
    candidates = [(row, k), *((r, k) for r in others), (row, mirror), *((r, mirror) for r in others)]
    sigma = float(ds.sigmas[ds.instances.category[row], k])
    values = [similarity(ds, r, point, sigma, x, y) for r, point in candidates]
    best = int(np.argmax(values))
    owner, point = candidates[best]
    if values[best] < 0.5:
        return "miss", owner, point
    if owner != row:
        return "swap", owner, point
    if point != k:
        return "inversion", owner, point
    return "good" if values[best] >= 0.85 else "jitter", owner, point


def disagreements(ds: PoseDataset, made: Simulated) -> tuple[int, int]:
    """Points whose label or source the slow labeller sees otherwise, and points in all."""
    place = {i: row for row, i in enumerate(ds.instances.id.tolist())}
    table = {
        (r, n): (label, t, f)
        for r, n, label, t, f in zip(*(made.injected.table()[c].tolist() for c in ("row", "keypoint", "label", "from_truth", "from_keypoint")), strict=True)
    }
    wrong = total = 0
    for m, i in enumerate(made.pred.truth.tolist()):
        if POSES[made.injected.poses[m]] == "background":
            assert i in (-1, "")
            continue
        for k, name in enumerate(ds.schema.names):
            x, y, _ = made.pred.keypoints[m, k].tolist()
            seen, owner, point = slow_label(ds, place[i], k, x, y)
            label, by, keypoint = table.get((m, name), ("none", None, None))
            same = seen == label and (seen not in ("good", "jitter", "inversion", "swap") or (ds.instances.id[owner], ds.schema.names[point]) == (by, keypoint))
            wrong, total = wrong + (not same), total + 1
    return wrong, total


def agrees(ds: PoseDataset, **shares: float) -> Simulated:
    """Simulate, and find every label again."""
    made = simulate(ds, **shares)  # type: ignore[arg-type]
    wrong, total = disagreements(ds, made)
    assert wrong == 0, f"{wrong} of {total}"
    return made


# -- datasets ---------------------------------------------------------------------------------------------------


def crowded(n: int = 60, per_image: int = 3, schema: str | Schema = "coco17", seed: int = 0, **columns: object) -> PoseDataset:
    """Bodies of about 100 pixels, near enough to each other to be taken for one another."""
    rng = np.random.default_rng(seed)
    k = len(schema) if isinstance(schema, Schema) else len(poses(schema).schema)
    v = rng.choice([0.0, 1.0, 2.0], (n, k, 1), p=[0.2, 0.2, 0.6])
    xy = rng.uniform(0, 300, (n, 1, 2)) + rng.normal(0, 40, (n, k, 2))
    given = {"area": rng.uniform(1500, 9000, n), **columns}
    return PoseDataset.from_arrays(
        schema=schema,
        image=np.arange(n) // per_image + 1,
        keypoints=np.concatenate([xy, v], -1) * (v > 0),
        name="crowded",
        **{key: c for key, c in given.items() if c is not None},
    )


def of_points(k: int, pairs: int = 0) -> Schema:
    return Schema(
        name=f"points{k}", keypoints=tuple(Keypoint(f"p{i}", 0.05) for i in range(k)), pairs=tuple((f"p{2 * i}", f"p{2 * i + 1}") for i in range(pairs))
    )


# -- labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_image", [1, 2, 3, 12])
def test_every_injected_label_is_found_again(per_image: int) -> None:
    made = agrees(crowded(60, per_image), **EVERYTHING)
    assert {KINDS[i] for i in np.unique(made.labels[made.labels >= 0])} == set(KINDS) - ({"swap"} if per_image == 1 else set())


def test_shares_come_out_as_asked_where_every_kind_is_possible() -> None:
    rng = np.random.default_rng(0)
    xy = np.arange(3000)[:, None, None] % 3 * 500.0 + rng.uniform(0, 400, (3000, 8, 2))
    ds = PoseDataset.from_arrays(schema=of_points(8, 4), image=np.arange(3000) // 3, keypoints=xy, area=np.full(3000, 900.0))
    made = simulate(ds, absent=0.05, missed=0.1, duplicate=0.2, background=0.15)
    for name, share in made.injected.shares.items():
        assert share.drawn == pytest.approx(share.asked if share.total else 0, abs=0.02), name


def test_the_slow_labeller_knows_the_worked_examples() -> None:
    grid = np.array([[100.0 + 120 * (i % 5), 100.0 + 120 * (i // 5)] for i in range(17)])
    beside = np.array([900.0, 0])
    two = PoseDataset.from_arrays(schema="coco17", image=[1, 1], keypoints=np.stack([grid, grid + beside]), area=[1e4, 1e4])
    shoulder = float(two.schema.sigmas[5])

    def at(reached: float) -> float:
        return float(grid[5, 0] + np.sqrt(-2 * np.log(reached) * 1e4) * 2 * shoulder)

    for reached, label in ((0.9, "good"), (0.8500001, "good"), (0.8499999, "jitter"), (0.5000001, "jitter"), (0.4999999, "miss"), (0.1, "miss")):
        assert slow_label(two, 0, 5, at(reached), grid[5, 1])[0] == label
    assert slow_label(two, 0, 5, *grid[6]) == ("inversion", 0, 6)
    assert slow_label(two, 0, 5, *grid[11])[0] == "miss"
    assert slow_label(two, 0, 0, *grid[0] + beside) == ("swap", 1, 0)
    assert slow_label(two, 0, 7, *grid[8] + beside) == ("swap", 1, 8)


@given(st.integers(1, 9), st.integers(0, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_any_schema_and_any_number_of_neighbours_will_do(k: int, pairs: int, per_image: int, seed: int) -> None:
    ds = crowded(6, per_image, of_points(k, min(pairs, k // 2)), seed)
    if ds.instances.labelled.any():
        agrees(ds, **EVERYTHING, inversion=0.2, swap=0.2, seed=seed)


@pytest.mark.parametrize("known", ["area", "bbox", "neither"])
def test_areas_stand_in_for_each_other(known: str) -> None:
    box = np.random.default_rng(0).uniform(30, 90, (60, 4))
    ds = (
        crowded(area=None)
        if known == "neither"
        else crowded(area=None, bbox=box)
        if known == "bbox"
        else crowded(area=np.where(np.arange(60) % 2, 0, 2000.0), bbox=box)
    )
    assert np.allclose(areas(ds), [slow_area(ds, row) for row in range(60)], rtol=1e-14)
    agrees(ds, **EVERYTHING)


def test_a_single_point_without_area_or_box_still_has_a_place() -> None:
    ds = PoseDataset.from_arrays(schema=of_points(1), image=[1, 1, 2], keypoints=[[[5.0, 5.0]], [[5.0, 5.0]], [[0.0, 0.0]]])
    made = agrees(ds, jitter=0.3, swap=0.3, miss=0.3, background=1)
    assert len(made.pred) == 6
    assert (made.pred.keypoints[..., 2] > 0).all()


def test_truths_in_one_place_are_told_apart_or_predicted_exactly() -> None:
    ds = crowded(20, 2)
    same = np.repeat(ds.instances.keypoints[::2], 2, axis=0)
    made = agrees(replace(ds, instances=replace(ds.instances, keypoints=same, area=np.full(20, 4000.0))), swap=0.5)
    assert made.injected.shares["swap"].number == 0, "no place is nearer to the other"


def of_two_kinds() -> PoseDataset:
    """Cats of six points and fish of four, two points and a mirror pair in common, with sigmas of their own."""
    ds = crowded(80, 4, of_points(8, 4))
    kind = np.arange(80) % 2
    lacks = np.array([[0, 0, 0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0]], bool)[kind]
    points = [tuple(n for n, gone in zip(ds.schema.names, row, strict=True) if not gone) for row in lacks[:2]]
    own = replace(ds.instances, category=kind, annotated=~lacks, keypoints=np.where(lacks[..., None], 0, ds.instances.keypoints))
    kinds = (Category(3, "cat", points[0], points[0], (0.02, 0.03, 0.05, 0.05, 0.09, 0.1)), Category(7, "fish", points[1], points[1]))
    return replace(ds, categories=kinds, instances=own)


def test_each_kind_has_its_own_points_and_sigmas() -> None:
    ds = of_two_kinds()
    made = agrees(ds, **EVERYTHING)
    assert np.isnan(made.pred.keypoints[made.pred.category == 3][:, 6:, 0]).all()
    assert set(made.pred.category.tolist()) == {3, 7}
    attracted = {(int(made.pred.category[m]), int(t) % 2) for (m, _), t in zip(made.injected.attracted, made.injected.attracted_truth, strict=True)}
    assert {(3, 0), (7, 1)} <= attracted, "one kind attracts the other where both have the point"


@pytest.mark.parametrize("file", [*REAL_COCO.values(), "technumber_cats/train/keypoints_annotations.json"], ids=[*REAL_COCO, "technumber"])
def test_real_poses(real: Path, file: str) -> None:
    agrees(read(real / file), **EVERYTHING)


@pytest.mark.parametrize("config", ["quadruped", "person"])
def test_synthetic_scenes(drawn_once: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    agrees(synthesize(config, "train", 48, workers=1), **EVERYTHING)


# -- poses and scores -------------------------------------------------------------------------------------------


def likeness(ds: PoseDataset, made: Simulated, truths: np.ndarray, preds: np.ndarray) -> np.ndarray:
    own = ds.instances
    return oks(own.keypoints, own.labelled, areas(ds), ds.sigmas[own.category], made.pred.keypoints, truths, preds, own.bbox)


def own_rows(ds: PoseDataset, made: Simulated) -> np.ndarray:
    place = {i: row for row, i in enumerate(ds.instances.id.tolist())}
    return np.array([place.get(i, -1) for i in made.pred.truth.tolist()])


def test_a_duplicate_is_a_good_pose_that_comes_second() -> None:
    ds = crowded(300)
    made = simulate(ds, duplicate=1, miss=0.3)
    twice = np.flatnonzero(made.injected.poses == POSES.index("duplicate"))
    first = {t: m for m, t in enumerate(made.pred.truth.tolist()) if made.injected.poses[m] == 0}
    rows = own_rows(ds, made)
    assert len(twice) == made.injected.shares["duplicate"].total > 150
    assert (likeness(ds, made, rows[twice], twice) >= 0.5).all()
    for m in twice.tolist():
        other = first[made.pred.truth[m].item()]
        assert made.pred.score[m] < made.pred.score[other]
        assert likeness(ds, made, rows[[m]], np.array([other])) >= 0.5


def test_a_pose_on_the_background_is_like_no_truth_of_its_image() -> None:
    ds = crowded(300, 10)
    made = simulate(ds, background=1)
    ground = np.flatnonzero(made.injected.poses == POSES.index("background"))
    assert len(ground) == 300
    for m in ground.tolist():
        near = np.flatnonzero(ds.images.id[ds.instances.image] == made.pred.image[m])
        assert likeness(ds, made, near, np.full(len(near), m)).max() < 0.1


def test_scores_follow_similarity_and_noise_breaks_the_order() -> None:
    ds = crowded(300)
    for noise in (0.0, 0.3):
        made = simulate(ds, score_noise=noise)
        similarity = likeness(ds, made, own_rows(ds, made), np.arange(len(made.pred)))
        ordered = np.argsort(made.pred.score)
        assert (np.diff(similarity[ordered]) >= 0).all() == (noise == 0)
        assert np.corrcoef(similarity, made.pred.score)[0, 1] > 0.5
        assert ((made.pred.score > 0) & (made.pred.score < 1)).all()


def test_crowds_and_truths_without_points_get_no_prediction() -> None:
    ds = crowded(40)
    keypoints = ds.instances.keypoints.copy()
    keypoints[:5] = 0
    made = agrees(replace(ds, instances=replace(ds.instances, keypoints=keypoints, crowd=np.arange(40) >= 30)), missed=0.3)
    named = {*made.pred.truth.tolist(), *made.injected.missed.tolist()}
    assert named == set(ds.instances.id[5:30].tolist())
    assert made.injected.shares["missed"].number == len(made.injected.missed) > 0


# -- one seed, one result -----------------------------------------------------------------------------------------


def test_one_seed_gives_one_result() -> None:
    first, again, other = (simulate(crowded(), seed=seed, **EVERYTHING) for seed in (3, 3, 4))
    assert first.pred.to_json() == again.pred.to_json() != other.pred.to_json()
    assert first.injected.to_json() == again.injected.to_json() != other.injected.to_json()


def test_sorts_of_poses_leave_each_other_alone() -> None:
    ds = crowded()
    plain, full = simulate(ds, surplus=0.2), simulate(ds, surplus=0.2, missed=0.5, duplicate=0.5, background=0.5)
    same = full.injected.poses == 0
    kept = np.isin(plain.pred.truth, full.pred.truth[same])
    assert 0 < kept.sum() < len(plain.pred)
    for name in ("keypoints", "score", "bbox", "truth", "image"):
        assert np.array_equal(getattr(plain.pred, name)[kept], getattr(full.pred, name)[same], equal_nan=name in ("keypoints", "bbox"))


# -- what is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [False, True])
def test_predictions_and_their_record_come_back_from_files(tmp_path: Path, named: bool) -> None:
    ds = crowded()
    if named:
        ds = replace(ds, instances=replace(ds.instances, id=np.array([f"a{i}" for i in range(60)], object)))
    made = simulate(ds, **EVERYTHING)
    made.injected.to_json(tmp_path / "a.injected.json")
    again = read_injected(tmp_path / "a.injected.json")
    for name in ("keypoints", "labels", "poses", "truth", "attracted", "attracted_truth", "attracted_keypoint", "missed", "shares", "seed"):
        assert np.array_equal(getattr(again, name), getattr(made.injected, name)), name
    assert again.labels.dtype == made.labels.dtype
    for path in (tmp_path / "a.json", tmp_path / "a.npz"):
        (made.pred.to_json if path.suffix == ".json" else made.pred.to_npz)(path)
        pred = read_predictions(path)
        assert np.array_equal(pred.keypoints, made.pred.keypoints, equal_nan=True)
        assert np.array_equal(pred.truth, made.pred.truth)
        assert pred.header == dict(made.pred.header)
        assert pred.header["conditions"]["duplicate"] == 0.3
        assert disagreements(ds, Simulated(pred, again))[0] == 0


def test_the_table_names_what_attracted_each_point() -> None:
    grid = np.array([[[0.0, 0], [100, 0]], [[500, 0], [600, 0]]])
    ds = PoseDataset.from_arrays(schema=of_points(2, 1), image=[1, 1], keypoints=grid, area=[100.0, 100.0], id=[5, 6])
    table = simulate(ds, jitter=0, inversion=1, swap=0, miss=0).injected.table()
    assert table["label"].tolist() == ["inversion"] * 4
    assert list(zip(table["truth"].tolist(), table["keypoint"], table["from_truth"].tolist(), table["from_keypoint"], strict=True)) == [
        (5, "p0", 5, "p1"), (5, "p1", 5, "p0"), (6, "p0", 6, "p1"), (6, "p1", 6, "p0"),
    ]  # fmt: skip
    swaps = simulate(ds, jitter=0, inversion=0, swap=1, miss=0).injected.table()
    assert (swaps["from_truth"] != swaps["truth"]).all()


# -- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"miss": 0.9}, "jitter + inversion + swap + miss + absent = 1.17; the shares of labelled points add to 1 at most; the rest is good"),
        ({"swap": -0.1}, "swap -0.1; a share lies between 0 and 1"),
        ({"missed": 1.5}, "missed 1.5; a share lies between 0 and 1"),
        ({"duplicate": math.nan}, "duplicate nan"),
        ({"score_noise": -1}, "score_noise -1"),
        ({"score_noise": math.inf}, "score_noise inf"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: dict[str, float], words: str) -> None:
    with pytest.raises(DataError, match=r"^simulate: ") as caught:
        simulate(crowded(), **shares)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_there_must_be_points_to_predict() -> None:
    bare = PoseDataset.from_arrays(image=[1])
    with pytest.raises(PoseError, match="schema 'none' has no keypoints"):
        simulate(bare)
    for ds in (crowded(0), poses().take([]), poses().where(np.zeros(5, bool)), crowded(6, crowd=np.ones(6, bool))):
        with pytest.raises(PoseError, match="none with labelled points that is no crowd"):
            simulate(ds)


def test_all_truths_may_be_missed() -> None:
    made = simulate(crowded(), missed=1)
    assert len(made.pred) == 0 and len(made.injected.missed) == made.injected.shares["missed"].total
    assert made.injected.shares["good"].drawn == 0


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"keypoints": 1}', '{"keypoints": ["a"], "attracted": {}, "labels": ["?"]}'])
def test_a_broken_record_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match="not what posebench simulate writes"):
        read_injected(tmp_path / "a.json")


# -- the command --------------------------------------------------------------------------------------------------


def test_the_command_writes_both_files_and_says_what_came_of_it(tmp_path: Path) -> None:
    crowded().to_coco(tmp_path / "truth.json")
    done = run("posebench", "simulate", "truth.json", "-o", "p.json", "--background", 0.2, "--seed", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "jitter       0.160" in done.stdout
    made = simulate(read_coco(tmp_path / "truth.json"), background=0.2, seed=4)
    assert (tmp_path / "p.json").read_bytes() == made.pred.to_json()
    assert (tmp_path / "p.injected.json").read_bytes() == made.injected.to_json()
    spoken = run("posebench", "simulate", "truth.json", "-o", "q.npz", "--json", cwd=tmp_path)
    said = json.loads(spoken.stdout)
    assert said["injected"] == "q.injected.json" and set(said["shares"]) == {*KINDS, *SHARES}
    assert said["predictions"] == len(read_predictions(tmp_path / "q.npz"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--miss", 0.9), "add to 1 at most"),
        (("--swap", -1), "a share lies between 0 and 1"),
        (("-o", "p.txt"), "no predictions end in '.txt'; write .json or .npz"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, arguments: tuple[object, ...], words: str) -> None:
    crowded().to_coco(tmp_path / "truth.json")
    done = run("posebench", "simulate", "truth.json", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr
    assert not (tmp_path / "p.json").exists()
