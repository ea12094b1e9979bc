"""Merging: nothing is lost unreported, what a source cannot know leaves every denominator, and the order of merging does not matter."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import posebench
import posedata
from posedata import DataError, FormatError, PoseDataset, Predictions, SchemaError, join, load_schema, merge
from posedata.grouping import components, pairs_within
from posedata.merging.classes import read_names
from posedata.merging.copies import POLICIES
from posedata.merging.losses import CHANGED, LOST
from posedata.merging.people import partners_by_overlap
from posedata.merging.points import SIGMA_RULES

from .conftest import REAL_COCO, poses
from .people import people
from .test_catalog import akd_file, foot_file, lay_out, one, person, put


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ./data that load_dataset looks into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSEDATA_QUIET", "1")
    return tmp_path / "data"


def named(ds: PoseDataset, name: str) -> PoseDataset:
    return replace(ds, name=name)


def rows(ds: PoseDataset) -> list[Any]:
    """Every instance with what it is on, in an order of its own: ids and row order say nothing."""
    own, images = ds.instances, ds.images
    out = [
        (own.meta["source"][i], own.meta["source_id"][i], images.meta["source"][r], images.meta["source_id"][r], ds.category_names[i], own.keypoints[i].tobytes(),
         own.annotated[i].tobytes(), own.bbox[i].tobytes(), own.area[i].tobytes(), own.meta.get("joined", [""] * len(own))[i])
        for i, r in enumerate(own.image.tolist())
    ]  # fmt: skip
    return sorted(out)


def groups(ds: PoseDataset) -> set[frozenset[tuple[str, str]]]:
    """Copies, by what they are called."""
    found: dict[str, set[tuple[str, str]]] = {}
    for group, source, id_ in zip(ds.images.meta["duplicate"].tolist(), ds.images.meta["source"], ds.images.meta["source_id"], strict=True):
        found.setdefault(group, set()).add((source, id_))
    return {frozenset(g) for g in found.values()}


# -- the call ----------------------------------------------------------------------------------------


def test_two_sets_become_one_under_one_schema() -> None:
    a, b = named(poses("ap10k17", seed=1), "train"), named(poses("akd16", seed=2), "cats")
    both, lost = merge([a, b], schema="quadruped")
    assert (both.name, both.schema.name, len(both), len(both.images)) == ("train + cats", "quadruped", 10, 8)
    assert both.instances.id.tolist() == list(range(1, 11)) and both.images.id.tolist() == list(range(1, 9))
    assert both.instances.meta["source"].tolist() == ["train"] * 5 + ["cats"] * 5
    assert both.instances.meta["source_id"].tolist() == ["1", "2", "3", "4", "5"] * 2
    assert not both.instances.annotated[:5, both.schema.index("mid_back")].any() and both.instances.annotated[5:, both.schema.index("mid_back")].all()
    assert len(lost.lost) == 0 and {r.kind for r in lost} == {"approximate", "not annotated", "not looked at", "file name"}
    assert both.provenance.steps[-1] == "merged: train + cats"


def test_names_come_from_a_table_and_may_not_stand_twice() -> None:
    with pytest.raises(DataError, match=r"two sources named 'made'; name them: merge\(\{'one': a, 'other': b\}\)"):
        merge([poses(), poses()])
    both, _ = merge({"one": poses(), "other": poses(seed=1)})
    assert set(both.images.meta["source"]) == {"one", "other"}


def test_without_a_schema_all_must_have_one() -> None:
    with pytest.raises(SchemaError, match=r"merge: parts of coco17, crowdpose14; say which schema all get: schema='human'"):
        merge({"a": poses(), "b": poses("crowdpose14")})
    assert merge({"a": poses(), "b": poses(seed=1)})[0].schema.name == "coco17"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: merge([]), "merge: no datasets"),
        (lambda a: merge(a), "give them as"),
        (lambda a: merge([a, 3]), "give datasets"),
        (lambda a: merge([a], policy="drop"), "merge: policy: 'drop'; known: apart, error, first, join"),
        (lambda a: merge([a], sigmas="strict"), "rule 'strict'; did you mean 'strictest'"),
        (lambda a: merge([a], kinds="exact"), "merge: kinds"),
        (lambda a: merge([a], mappings={"nobody": "x.csv"}), "no source or schema 'nobody'"),
        (lambda a: merge([a], mappings={"made": 3}), r"mappings\['made'\]"),
        (lambda a: merge([a], categories={"dog": "cat"}), "no category 'dog'; did you mean|no category 'dog'; known: object"),
        (lambda a: merge([a], categories={"nobody": {"a": "b"}}), "no source 'nobody'"),
        (lambda a: merge([a], categories=3), "merge: categories"),
        (lambda a: merge([a], duplicate_groups="cluster"), "no image column 'cluster'"),
        (lambda a: merge([a], duplicate_groups=[]), "0 arrays; one for each of the 1 sources"),
        (lambda a: merge([a], duplicate_groups=[[1]]), r"shape \(1,\); a group for each of the 4 images"),
        (lambda a: merge([a], schema="foot6"), "give one: mappings="),
        (lambda a: join(a, a, by="name"), "join: by: 'name'"),
        (lambda a: join(a, poses("ap10k17")), "no schema has the points of coco17 and ap10k17"),
    ],
)
def test_what_cannot_be_merged_is_one_line(call: Any, words: str) -> None:
    with pytest.raises(posedata.PoseError, match=words) as error:
        call(poses())
    assert "\n" not in str(error.value)


# -- losses ------------------------------------------------------------------------------------------


SCHEMATA = ["ap10k17", "akd16", "animalpose20", "coco17", "crowdpose14", "foot6", "coco_foot23", "human", "quadruped", "tetrapod"]


@pytest.mark.parametrize("target", ["human", "quadruped", "tetrapod", "ap10k17", "coco17"])
@pytest.mark.parametrize("source", SCHEMATA)
def test_every_labelled_point_is_kept_or_counted(source: str, target: str) -> None:
    ds = poses(source, n=20, seed=3)
    try:
        both, lost = merge([ds], schema=target, duplicate_groups="none")
    except SchemaError:
        return  # no way is known from one to the other
    assert both.instances.labelled.sum() + lost.of("point").count == ds.instances.labelled.sum()


def test_places_of_unlabelled_points_and_counts_of_the_file_are_counted_too() -> None:
    ds = poses("akd16")
    points = np.zeros_like(ds.instances.keypoints)
    points[:, ds.schema.index("center_spine")] = (-40, 7, 0)  # outside the frame, and known to be
    ds = replace(ds, instances=replace(ds.instances, keypoints=points, recorded=np.array([3, 3, 0, -1, -1])))
    _, lost = merge([ds], schema="ap10k17")
    assert [(r.what, r.count) for r in lost.of("place")] == [("center_spine", 5)]
    assert lost.of("recorded").count == 3


def test_num_keypoints_of_zero_over_labelled_points_is_told() -> None:
    ds = poses("crowdpose14")
    ds = replace(ds, instances=replace(ds.instances, recorded=np.zeros(5)))
    (row,) = merge([ds], schema="human")[1].of("recorded")
    assert "5 of them said 0 although points are labelled" in row.note


def test_columns_that_clash_are_written_so_that_all_can_stand_and_named() -> None:
    def with_columns(seed: int, **meta: Any) -> PoseDataset:
        ds = poses(seed=seed)
        return replace(ds, instances=ds.instances.with_meta(**{k: np.array([v] * 5, object if isinstance(v, str) else None) for k, v in meta.items()}))

    parts = {"a": with_columns(1, track=7, seen=True, big=2**60 + 1), "b": with_columns(2, track="cam"), "c": with_columns(3, source="flickr")}
    both, lost = merge(parts)
    assert both.instances.meta["track"].tolist() == ["7"] * 5 + ["cam"] * 5 + [""] * 5
    assert both.instances.meta["own_source"].tolist() == [""] * 10 + ["flickr"] * 5
    assert {(r.source, r.what, r.note) for r in lost.of("column")} == {
        ("a", "annotations.track", "numbers as text, as another source has text there"),
        ("a", "annotations.seen", "truth values as 1 and 0"),
        ("c", "annotations.source", "now own_source"),
    }
    assert [(r.what, r.count) for r in lost.of("value")] == [("annotations.big", 5)]


def test_tops_of_files_stand_under_sources_and_are_found_again(tmp_path: Path) -> None:
    parts = {}
    for name in "abc":
        file = {**person("coco17", 17), "info": {"year": name}, "licenses": [{"id": 1, "name": name}]}
        parts[name] = posedata.read_coco(put(tmp_path / f"{name}.json", file))
    both, _ = merge({"a": parts["a"], "b": parts["b"]})
    both.to_coco(tmp_path / "both.json")
    again = posedata.read_coco(tmp_path / "both.json")
    assert again.instances.meta["source"].tolist() == ["a", "a", "b", "b"] and again.images.meta["duplicate"].tolist() == ["a:1", "a:2", "b:1", "b:2"]
    for first in (both, again):
        three, _ = merge({"ab": first, "c": parts["c"]})
        tops = json.loads(three.rest.texts["sources"])
        assert {n: t["info"]["year"] for n, t in tops.items()} == {"a": "a", "b": "b", "c": "c"}
        assert three.images.meta["source_id"].tolist() == ["1", "2"] * 3
    assert json.loads(three.to_coco())["sources"]["b"]["licenses"][0]["name"] == "b"


def test_crowd_index_keeps_its_name_through_a_file_of_ours(tmp_path: Path) -> None:
    ds = poses("crowdpose14")
    ds = replace(ds, images=ds.images.with_meta(crowd_index=np.full(4, 0.5)))
    ds.to_coco(tmp_path / "c.json")
    assert posedata.read_coco(tmp_path / "c.json").images.meta["crowd_index"].tolist() == [0.5] * 4


def test_losses_are_read_by_people_and_programs() -> None:
    _, lost = merge({"cats": poses("akd16")}, schema="ap10k17")
    assert "  cats: point: head " in repr(lost) and repr(lost).startswith("lost\n") and "\nchanged\n" in repr(lost)
    frame = lost.to_frame()
    assert list(frame.columns) == ["source", "kind", "what", "count", "note", "lost"] and len(frame) == len(lost)
    assert {r["kind"] for r in lost.to_dict()["lost"]} == {"point"} and json.dumps(lost.to_dict())
    with pytest.raises(DataError, match="did you mean 'point'"):
        lost.of("points")
    assert not LOST.keys() & CHANGED.keys()


# -- categories --------------------------------------------------------------------------------------


def kinds(names: list[str], seed: int, schema: str = "ap10k17") -> PoseDataset:
    ds = people(schema, images=8, seed=seed)
    return PoseDataset.from_arrays(
        schema=schema, image=ds.images.id[ds.instances.image], keypoints=ds.instances.keypoints, category=np.resize(names, len(ds)), name="-".join(names)
    )


def test_categories_are_one_by_name_and_numbers_are_kept_where_free() -> None:
    both, lost = merge([kinds(["cat"], 1), kinds(["dog", "cat", "cow"], 2), kinds(["kitty", "Cat"], 3)], categories={"kitty": "cat"})
    assert {c.name: c.id for c in both.categories} == {"cat": 1, "dog": 4, "cow": 3, "Cat": 2}
    assert {(r.source, r.what, r.note) for r in lost.of("category")} == {
        ("dog-cat-cow", "cat (2)", "now 1"),
        ("dog-cat-cow", "dog (1)", "now 4"),
        ("kitty-Cat", "kitty (1)", "now cat (1)"),
    }
    assert [(r.what, r.note) for r in lost.of("alike")] == [("Cat", "'cat' stands beside it: categories={'Cat': 'cat'} makes them one")]
    names = np.concatenate([p.category_names for p in (kinds(["cat"], 1), kinds(["dog", "cat", "cow"], 2))])
    assert both.category_names[: len(names)].tolist() == names.tolist()


def test_one_source_may_be_renamed_alone_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("source,category,to\n,kitty,cat\nb,dog,wolf\n")
    names = read_names(tmp_path / "names.csv")
    both, _ = merge({"a": kinds(["dog"], 1), "b": kinds(["dog", "kitty"], 2)}, categories=names)
    assert sorted(c.name for c in both.categories) == ["cat", "dog", "wolf"]
    (tmp_path / "bad.csv").write_text("kitty,cat\n")
    with pytest.raises(FormatError, match="the first line reads source,category,to"):
        read_names(tmp_path / "bad.csv")


def test_keys_of_a_category_that_differ_are_losses(tmp_path: Path) -> None:
    parts = []
    for name, family in (("a", "Felidae"), ("b", "Felinae")):
        file = person("ap10k17", 17)
        file["categories"][0] |= {"name": "cat", "supercategory": family}
        parts.append(posedata.read_coco(put(tmp_path / f"{name}.json", file)))
    both, lost = merge(parts)
    assert [(r.source, r.what, r.note) for r in lost.of("category key")] == [("b", "supercategory", "of cat")]
    assert json.loads(both.to_coco())["categories"][0]["supercategory"] == "Felidae"


# -- sigmas ------------------------------------------------------------------------------------------


def test_sigmas_by_rule() -> None:
    parts = {"ap": named(poses("ap10k17", n=6), "ap"), "pose": named(poses("animalpose20", n=3), "pose")}
    sigma = {rule: merge(parts, "quadruped", sigmas=rule)[0].schema for rule in SIGMA_RULES}
    at = load_schema("quadruped").index("root_of_tail")  # .035 in AP-10K, .079 in Animal-Pose
    assert [sigma[r].sigmas[at] for r in ("schema", "strictest", "loosest", "first")] == [0.035, 0.035, 0.079, 0.035]
    assert sigma["pooled"].sigmas[at] == pytest.approx(np.sqrt((6 * 0.035**2 + 3 * 0.079**2) / 9))
    assert sigma["schema"] == load_schema("quadruped") and sigma["loosest"].name == "quadruped_loosest"
    ear = sigma["loosest"].keypoints[sigma["loosest"].index("left_ear")]
    assert (ear.sigma, ear.sigma_source) == (0.035, "borrowed")
    back = sigma["loosest"].keypoints[sigma["loosest"].index("mid_back")]
    assert (back.sigma, back.sigma_source) == (0.079, "assumed"), "no source annotates it: the schema's stays"


def test_an_approximate_point_has_a_borrowed_sigma_at_best() -> None:
    measured = load_schema("akd16").with_sigmas("mine", {"left_elbow": 0.05, "right_elbow": 0.05, "left_shoulder": 0.06, "right_shoulder": 0.06}, "measured")
    ds = poses("akd16")
    both, _ = merge([replace(ds, schema=measured)], "quadruped", sigmas="first")
    kept = {k.name: (k.sigma, k.sigma_source) for k in both.schema.keypoints}
    assert kept["left_point_of_shoulder"] == (0.06, "measured") and kept["left_shoulder"] == (0.05, "borrowed")


# -- copies ------------------------------------------------------------------------------------------


def pictured(folder: Path, name: str, contents: list[str], seed: int, schema: str = "coco17") -> PoseDataset:
    """A set whose image files hold these texts."""
    folder.mkdir(exist_ok=True)
    for i, text in enumerate(contents):
        (folder / f"{i}.png").write_text(text)
    base = people(schema, images=len(contents), seed=seed)
    files = np.array([f"{i}.png" for i in range(len(contents))], object)
    return replace(base, name=name, images=replace(base.images, file=files, folder=np.full(len(contents), str(folder), object)))


def three(folder: Path) -> tuple[PoseDataset, PoseDataset, PoseDataset]:
    """Sets with copies among them, one also within a set; lengths alone do not tell."""
    a = pictured(folder / "a", "a", ["one", "two", "six", "one"], 1)
    b = pictured(folder / "b", "b", ["two", "ten", "four"], 2, "crowdpose14")
    c = pictured(folder / "c", "c", ["ten", "two", "seven!", "five"], 3, "coco17")
    return a, b, c


def test_copies_are_found_by_their_bytes_and_stay_apart_unless_told(tmp_path: Path) -> None:
    both, lost = merge(three(tmp_path), "human")
    assert len(both.images) == 11
    assert {frozenset({("a", "10"), ("b", "3"), ("c", "10")}), frozenset({("b", "10"), ("c", "3")})} == {g for g in groups(both) if len(g) > 1}
    assert [(r.source, r.count) for r in lost.of("apart")] == [("b", 1), ("c", 2)]
    assert not lost.of("not looked at")
    assert len(lost.lost) == 0


def test_the_first_source_keeps_its_image(tmp_path: Path) -> None:
    parts = three(tmp_path)
    both, lost = merge(parts, "human", policy="first")
    assert len(both.images) == 8 and lost.of("image").count == 3
    assert len(both) + lost.of("instance").count == sum(map(len, parts))
    assert both.instances.labelled.sum() + lost.of("point").count == sum(p.instances.labelled.sum() for p in parts)


def test_no_copies_may_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"merge: 3 images stand in two sources: b 0.png is a 1.png; .* policy='join', 'first' or 'apart'"):
        merge(three(tmp_path), "human", policy="error")
    assert len(merge(three(tmp_path)[:1], policy="error")[0].images) == 4


def test_the_same_people_on_copies_become_one_and_all_points_are_accounted_for(tmp_path: Path) -> None:
    a = pictured(tmp_path / "a", "a", ["one", "two"], 1)
    b = pictured(tmp_path / "b", "b", ["two", "one", "three"], 2)
    swap = np.array([1, 0])
    again = a.instances.take(np.arange(len(a)))  # the people of a, a little off, on b's images
    moved = again.keypoints.copy()
    moved[..., :2] += again.labelled[..., None] * 0.5
    b = replace(b, images=b.images, instances=again.with_trusted(image=swap[again.image], keypoints=moved))
    both, lost = merge([a, b], policy="join")
    assert (len(both.images), len(both)) == (3, len(a))
    assert lost.of("joined").count == len(a) and lost.of("conflict").count == 0 and lost.of("image joined").count == 2
    assert both.instances.labelled.sum() + lost.of("twice").count == a.instances.labelled.sum() + b.instances.labelled.sum()
    assert sorted(both.instances.meta["joined"]) == sorted(f"b:{i}" for i in b.instances.id)
    assert sorted(both.images.meta["joined"]) == ["", "b:10", "b:3"]


def test_a_point_only_the_later_source_knows_is_taken_and_a_disagreement_counted() -> None:
    a, b = poses(n=1, images=1, seed=1), poses(n=1, images=1, seed=1)
    points = a.instances.keypoints.copy()
    points[:, :, 2], points[0, 3], points[0, 4] = 2, 0, (50, 50, 2)
    other = points.copy()
    other[0, 3], other[0, 4] = (40, 40, 1), (90, 90, 2)
    a = replace(a, instances=replace(a.instances, keypoints=points, area=np.array([900.0])))
    b = replace(b, instances=replace(b.instances, keypoints=other, area=np.array([800.0]), crowd=np.array([False])))
    both, lost = merge({"a": a, "b": b}, policy="join", duplicate_groups=[[0, -1], [0, -1]])
    assert both.instances.keypoints[0, 3].tolist() == [40, 40, 1] and both.instances.keypoints[0, 4].tolist() == [50, 50, 2]
    assert [(r.what, r.count) for r in lost.of("conflict")] == [("right_ear", 1)]
    assert [(r.what, r.count) for r in lost.of("value")] == [("annotations.area", 1)]
    assert lost.of("twice").count == 16


def test_crowds_and_other_categories_are_nobodys_double() -> None:
    a = kinds(["cat"], 1)
    for other in (kinds(["dog"], 1), replace(a, name="b", instances=replace(a.instances, crowd=np.ones(len(a), bool)))):
        both, lost = merge({"a": a, "b": other}, policy="join", duplicate_groups=[np.arange(8)] * 2)
        assert len(both) == 2 * len(a) and not lost.of("joined")


def test_copies_of_another_size_are_not_joined() -> None:
    a, b = poses(), poses(seed=1)
    b = replace(b, images=replace(b.images, width=np.full(4, 50)))
    both, lost = merge({"a": a, "b": b}, policy="join", duplicate_groups=[[0, 1, 2, 3]] * 2)
    assert len(both.images) == 8 and [(r.count, r.note) for r in lost.of("apart")] == [(4, "copies of another size")]


def test_groups_come_from_a_column_or_from_arrays() -> None:
    a, b = poses(), poses(seed=1)
    a, b = (replace(p, images=p.images.with_meta(cluster=np.array(c, object))) for p, c in ((a, ["x", "", "y", ""]), (b, ["", "", "x", "z"])))
    for given_ in ("cluster", [["x", "", "y", ""], ["", "", "x", "z"]]):
        both, _ = merge({"a": a, "b": b}, duplicate_groups=given_)
        assert {g for g in groups(both) if len(g) > 1} == {frozenset({("a", "1"), ("b", "3")})}


def test_rest_of_two_annotations_is_united() -> None:
    def file(**more: Any) -> PoseDataset:
        return posedata.formats.coco.parse_coco(json.dumps(person("coco17", 17, **more)).encode())

    import posedata.formats.coco

    both, lost = merge(
        {"a": file(segmentation=[[1, 2]], note="x"), "b": file(segmentation=[[1.0, 2]], note="y", extra=3)}, policy="join", duplicate_groups=[[1, 2]] * 2
    )
    written = json.loads(both.to_coco())["annotations"]
    assert len(written) == 2 and written[0]["extra"] == 3 and written[0]["note"] == "x"
    assert [(r.what, r.count) for r in lost.of("value")] == [("annotations.note", 2)]


# -- laws --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["apart", "first", "join"])
@pytest.mark.parametrize("sigmas", ["schema", "strictest", "loosest", "first", "pooled"])
def test_merging_is_associative_up_to_row_order(tmp_path: Path, policy: str, sigmas: str) -> None:
    a, b, c = three(tmp_path)
    how: dict[str, Any] = {"schema": "human", "policy": policy, "sigmas": sigmas}
    flat, _ = merge([a, b, c], **how)
    left, _ = merge([merge([a, b], **how)[0], c], **how)
    right, _ = merge([a, merge([b, c], **how)[0]], **how)
    for other in (left, right):
        assert rows(other) == rows(flat)
        assert groups(other) == groups(flat)
        assert np.allclose(other.schema.sigmas, flat.schema.sigmas, atol=1e-12) and other.schema.names == flat.schema.names
        assert {c.name for c in other.categories} == {c.name for c in flat.categories}


@given(
    st.lists(st.tuples(st.sampled_from(["coco17", "crowdpose14", "foot6", "coco_foot23"]), st.integers(0, 6), st.integers(0, 99)), min_size=1, max_size=4),
    st.sampled_from(["apart", "first"]),
)
def test_no_instance_image_or_point_is_lost_unreported(sources: list[tuple[str, int, int]], policy: str) -> None:
    parts = {f"s{i}": poses(schema, n=n, seed=seed) for i, (schema, n, seed) in enumerate(sources)}
    groups_ = [np.random.default_rng(seed).integers(-1, 3, 4) for _, _, seed in sources]
    both, lost = merge(parts, "human", policy=policy, duplicate_groups=groups_)
    assert len(both) + lost.of("instance").count == sum(map(len, parts.values()))
    assert len(both.images) + lost.of("image").count == 4 * len(parts)
    assert both.instances.labelled.sum() + lost.of("point").count == sum(p.instances.labelled.sum() for p in parts.values())
    both._repr_html_()


@given(st.integers(0, 9999))
def test_joining_accounts_for_every_point(seed: int) -> None:
    parts = {"a": people("coco17", images=6, seed=seed), "b": people("crowdpose14", images=6, seed=seed), "c": people("coco17", images=6, seed=seed + 1)}
    both, lost = merge(parts, "human", policy="join", duplicate_groups=[np.arange(6)] * 3)
    assert len(both) + lost.of("joined").count == sum(map(len, parts.values()))
    assert both.instances.labelled.sum() + lost.of("twice").count == sum(p.instances.labelled.sum() for p in parts.values())


@given(st.lists(st.lists(st.integers(0, 5), min_size=8, max_size=8), max_size=3))
def test_components_are_what_a_walk_finds(labels: list[list[int]]) -> None:
    found = components(8, [(np.arange(8), np.array(own)) for own in labels])
    seen = {i: {i} for i in range(8)}
    for _ in range(8):
        for own in labels:
            for i in range(8):
                for j in range(8):
                    if own[i] == own[j]:
                        seen[i] |= seen[j]
    assert found.tolist() == [min(seen[i]) for i in range(8)]


def test_pairs_within_groups() -> None:
    a, b = pairs_within(np.array([1, 2, 1]), np.array([2, 1, 1, 3]))
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 0), (2, 1), (2, 2)]


def test_the_most_alike_are_paired_first_and_rivals_counted() -> None:
    xy = np.array([[0, 0], [1, 0], [0.4, 0], [300, 300]])
    shape = np.array([[0, 0], [40, 0], [0, 40], [40, 40], [20, 20], [9, 30]])
    points = np.zeros((4, 6, 3))
    points[..., :2], points[..., 2] = xy[:, None] + shape, 2
    ds = PoseDataset.from_arrays(schema="foot6", image=[1, 1, 1, 1], keypoints=points, area=[900.0] * 4)
    a, b, rivals = partners_by_overlap(ds.instances, ds.schema.sigmas, np.array([2, 3]), np.array([0, 1]), ds.instances.image)
    assert (a.tolist(), b.tolist(), rivals) == ([2], [0], 1)


# -- denominators ------------------------------------------------------------------------------------


def test_points_a_source_lacks_leave_every_denominator() -> None:
    parts = {"ap": people("ap10k17", images=12, seed=1), "cats": people("akd16", images=12, seed=2)}
    both, _ = merge(parts, "quadruped")
    own = both.instances
    wild = np.random.default_rng(0).uniform(0, 600, (*own.annotated.shape, 3))
    right = own.keypoints.copy()
    right[..., 2] = 1
    wrong_where_nobody_knows = np.where(own.annotated[..., None], right, wild)
    wrong_where_nobody_knows[..., 2] = 1
    pred = Predictions.from_arrays(
        schema="quadruped", image=both.images.id[own.image], keypoints=wrong_where_nobody_knows, score=np.ones(len(both)), truth=own.id, bbox=own.bbox
    )
    found = posebench.evaluate(both, pred, metrics=["AP", "PCK.technumber@0.1", "PCK@0.2"])
    assert found["PCK.technumber@0.1"] == 1 and found["PCK@0.2"] == 1 and found["AP"] == pytest.approx(1)
    extent = own.extent()
    for i, source in enumerate(parts.values()):
        rows_ = np.flatnonzero(own.meta["source"] == list(parts)[i])
        assert np.allclose(extent[rows_], source.instances.extent(), equal_nan=True)


# -- worked cases ------------------------------------------------------------------------------------


def animal_pose_file() -> dict[str, Any]:
    names = list(load_schema("animalpose20").names)
    note = {"image_id": 1, "category_id": 2, "bbox": [5, 5, 25, 35], "num_keypoints": 20, "keypoints": [[9, 9, 1]] * 20}
    return {
        "images": {"1": "ca1.jpeg"},
        "annotations": [note],
        "categories": [{"id": i, "name": n, "keypoints": names, "skeleton": [[0, 1]]} for i, n in enumerate(("dog", "cat"), 1)],
    }


def test_four_animal_sets_become_quadrupeds(data: Path) -> None:
    file = person("ap10k17", 17)
    file["categories"][0] |= {"id": 24, "name": "cat", "supercategory": "Felidae"}
    for note in file["annotations"]:
        note["category_id"] = 24
    put(data / "ap-10k/annotations/ap10k-train-split1.json", file)
    put(data / "cats/annotations/train.json", json.loads(json.dumps(file).replace('"id": 24', '"id": 1').replace('category_id": 24', 'category_id": 1')))
    put(data / "akd/cats/train/train_keypoints_annotations.json", akd_file())
    put(data / "animalpose/keypoints.json", animal_pose_file())
    parts = [one(name, split=split) for name, split in (("ap10k", "train"), ("cat", "train"), ("akd", "train"), ("animalpose", "all"))]
    both, lost = merge(parts, "quadruped")
    assert [c.name for c in both.categories] == ["cat", "dog"] and len(both) == sum(map(len, parts))
    counts = {s: int(both.instances.annotated[both.instances.meta["source"] == s].sum(1)[0]) for s in dict.fromkeys(both.instances.meta["source"])}
    assert list(counts.values()) == [17, 17, 16, 20]
    assert len(lost.of("point")) == 0, "quadruped is the union of all four"
    assert lost.of("approximate", parts[2].name).count == 8 * len(parts[2])
    assert both.instances.labelled.sum() == sum(p.instances.labelled.sum() for p in parts)


def test_coco_crowdpose_and_feet_become_humans(data: Path) -> None:
    lay_out(data, foot_file(), person("coco17", 17))
    crowd = person("crowdpose14", 14)
    put(data / "crowdpose/annotations/crowdpose_val.json", crowd)
    put(data / "coco/annotations/person_keypoints_val2017.json", person("coco17", 17))
    parts = [one("coco", split="val"), one("crowdpose", split="val"), one("coco_foot", "feet", split="val")]
    apart, lost = merge(parts, "human", duplicate_groups="none")
    assert len(apart) == 6 and apart.instances.annotated.sum(1).tolist() == [17, 17, 14, 14, 6, 6]
    joined, told = merge(parts, "human", policy="join", duplicate_groups=[["1", "2"], ["", ""], ["1", "2"]])
    assert joined.instances.annotated.sum(1).tolist() == [23, 23, 14, 14], "feet stand on the bodies of COCO, by their boxes"
    assert told.of("joined").count == 2 and len(lost.of("point")) == 0


def test_bodies_and_feet_join_by_id_as_the_catalogue_joins_them(data: Path) -> None:
    body = person("coco17", 17)
    body["annotations"].append({**body["annotations"][0], "id": 30})
    lay_out(data, foot_file(), body)
    ours, feet = one("coco_foot", split="val"), one("coco_foot", "feet", split="val")
    bodies = posedata.read_coco(data / "coco/annotations/person_keypoints_val2017.json")
    both, lost = join(bodies, feet)
    assert both.schema.name == "coco_foot23"
    assert np.array_equal(both.instances.keypoints, ours.instances.keypoints) and np.array_equal(both.instances.annotated, ours.instances.annotated)
    assert lost.of("joined").count == 2 and not lost.of("instance") and both.instances.meta["joined"].tolist()[2] == ""


def test_people_join_by_overlap_where_ids_say_nothing() -> None:
    a = people("coco17", images=8, seed=1)
    b = a.as_schema("crowdpose14")
    b = replace(b, name="other", instances=replace(b.instances, id=b.instances.id[::-1] + 1000, area=b.instances.area))
    both, lost = join(a, b, "human", by="overlap")
    assert len(both) == len(a) and lost.of("joined").count == len(a)
    assert lost.of("twice").count == b.instances.labelled.sum() and lost.of("conflict").count == 0
    shuffled = b.take(np.random.default_rng(0).permutation(len(b)))
    again, _ = join(a, shuffled, "human", by="overlap")
    assert np.array_equal(again.instances.keypoints, both.instances.keypoints)


def test_orphans_are_counted_or_kept() -> None:
    a, b = poses(), poses("foot6", seed=4).renumbered(100)
    b = replace(b, name="feet", images=replace(b.images, id=np.arange(3, 7)))
    both, lost = join(a, b)
    assert len(both) == 5 and lost.of("instance").count == 5 and "orphans, joined to nobody: 1, 2, 3" in lost.of("instance")[0].note
    assert lost.of("image").count == 2 and len(both.images) == 4
    kept, told = join(a, b, orphans="keep")
    assert len(kept) == 10 and not told.of("instance") and len(kept.images) == 6
    assert kept.instances.labelled.sum() == a.instances.labelled.sum() + b.instances.labelled.sum()


def test_real_sets_merge_without_a_point_unaccounted_for(real: Path) -> None:
    akd = posedata.read_akd(real / "technumber_cats/train/keypoints_annotations.json", real / "technumber_cats/train/labeled")
    ap = posedata.read_coco(real / REAL_COCO["ap10k_sample"], real / "ap10k_sample")
    both, lost = merge({"akd": akd, "ap10k": ap}, "quadruped")
    assert both.instances.labelled.sum() == akd.instances.labelled.sum() + ap.instances.labelled.sum()
    assert [c.id for c in both.categories if c.name == "cat"] == [1] and lost.of("approximate", "akd").count == 8 * len(akd)
    coco, crowd = posedata.read_coco(real / REAL_COCO["coco_4"]), posedata.read_coco(real / REAL_COCO["crowdpose_sample"], real / "crowdpose_sample")
    feet = posedata.formats.cmu.read_cmu(real / REAL_COCO["cmu_foot_sample"])
    human, _ = merge({"coco": coco, "crowd": crowd, "feet": feet}, "human")
    assert human.instances.labelled.sum() == sum(p.instances.labelled.sum() for p in (coco, crowd, feet))
    assert posedata.formats.coco.parse_coco(human.to_coco()).instances.annotated.tolist() == human.instances.annotated.tolist()


def test_copies_of_real_pictures_are_found(real: Path, tmp_path: Path) -> None:
    ap = posedata.read_coco(real / REAL_COCO["ap10k_sample"], real / "ap10k_sample")
    shutil.copytree(real / "ap10k_sample", tmp_path / "copy")
    other = replace(ap, name="copy", images=replace(ap.images, folder=np.full(2, str(tmp_path / "copy"), object)))
    both, lost = merge([ap, other], policy="join")
    assert len(both) == len(ap) and lost.of("joined").count == len(ap) and lost.of("conflict").count == 0


def test_two_sets_of_a_hundred_thousand_merge_in_two_seconds() -> None:
    parts = {name: _large(100_000, seed) for seed, name in enumerate("ab")}
    merge({n: p.take(np.arange(9)) for n, p in parts.items()}, "human")
    taken = []
    for _ in range(3):  # the best of three: other work on the machine is not ours
        start = process_time()
        both, _ = merge(parts, "human")
        taken.append(process_time() - start)
    assert len(both) == 200_000 and min(taken) < 2


def _large(n: int, seed: int) -> PoseDataset:
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(0, 600, (n, 17, 2)), np.full((n, 17, 1), 2.0)], -1)
    image = np.arange(n) // 2
    return PoseDataset.from_arrays(
        schema="coco17",
        image=image,
        keypoints=points,
        bbox=rng.uniform(1, 99, (n, 4)),
        images={"id": np.arange(n // 2), "file": [f"{i}.jpg" for i in range(n // 2)]},
    )


def test_every_policy_and_rule_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "merging.md").read_text()
    assert all(f"| `{word}` |" in text for word in (*POLICIES, *SIGMA_RULES, *LOST, *CHANGED))


def test_a_set_merged_twice_is_told_and_parts_of_a_merged_set_merge_again() -> None:
    both, _ = merge({"a": poses(), "b": poses(seed=1)})
    with pytest.raises(DataError, match="images stand in two parts, such as a 1; is a set merged twice"):
        merge({"one": both, "two": both})
    parts = posedata.split(both, {"x": 0.5, "y": 0.5}, seed=3)
    again, _ = merge(dict(parts))
    assert rows(again) == rows(both)


def test_empty_sets_are_sets_too() -> None:
    nothing = poses(n=0).take_images([])
    both, lost = merge({"none": nothing, "some": poses()}, policy="join", sigmas="pooled")
    assert len(both) == 5 and not lost.lost
    assert len(merge({"a": nothing, "b": nothing})[0].images) == 0
    assert len(join(nothing, poses())[0]) == 0
