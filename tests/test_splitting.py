"""Splits: disjoint, complete, groups whole, the same again with the same seed, and adding data moves nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import posedata
from posedata import CatalogError, DataError, FormatError, PoseDataset, PoseError, Splits, concat, read_manifest, split
from posedata.splitting.assign import RULES
from posedata.splitting.units import KEYS, OF

from .conftest import poses
from .test_catalog import person, put

THREE = {"train": 0.8, "val": 0.1, "test": 0.1}


def made(images: int = 200, seed: int = 0, first: int = 1, kinds: int = 6, groups: int = 60) -> PoseDataset:
    """Images with none to three instances, classes from common to rare, sequences, cameras, and a species each."""
    rng = np.random.default_rng([seed, first])
    per_image = rng.integers(0, 4, images)
    n = int(per_image.sum())
    kind = np.minimum(rng.geometric(0.4, n), kinds)
    return PoseDataset.from_arrays(
        image=np.repeat(np.arange(first, first + images), per_image),
        category=[f"kind {k}" for k in kind.tolist()],
        id=np.arange(first * 10, first * 10 + n),
        area=rng.uniform(1, 99, n),
        name="made",
        images={
            "id": np.arange(first, first + images),
            "meta": {
                "sequence": rng.integers(0, groups, images),
                "camera": np.array([f"cam{c}" if c else "" for c in rng.integers(0, 40, images)], object),
                "place": np.array(["field", "wood", "house"], object)[rng.choice(3, images, p=[0.7, 0.25, 0.05])],
            },
        },
    )


def same_kinds(a: PoseDataset, b: PoseDataset) -> PoseDataset:
    """Both, one after another, whatever their categories are numbered."""
    known = {c.name: c.id for c in a.categories}
    free = max(known.values(), default=0)
    for c in b.categories:
        if c.name not in known:
            free += 1
            known[c.name] = free
    return concat([a, replace(b, categories=tuple(replace(c, id=known[c.name]) for c in b.categories))], name="made")


def sides(s: Splits) -> dict[Any, str]:
    return {i: part for part, said in s.manifest.parts.items() for i in said["ids"]}


rules: Any = st.fixed_dictionaries(
    {
        "by": st.sampled_from([[], ["category"], ["place"], ["category", "place"], ["area"]]),
        "group": st.sampled_from([[], ["sequence"], ["sequence", "camera"], ["category"]]),
        "of": st.sampled_from(["images", "instances"]),
        "seed": st.integers(0, 5),
    }
)
parts: Any = st.sampled_from([{"parts": THREE}, {"parts": {"a": 0.5, "b": "rest"}}, {"folds": 5}, {"parts": {"one": 1.0}}])

# -- laws --------------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 9), parts, rules)
def test_parts_are_disjoint_and_complete_and_images_whole(images: int, seed: int, how: Any, rule: Any) -> None:
    ds = made(images, seed)
    s = split(ds, **how, **rule)
    ids = [i for part in s.values() for i in part.images.id.tolist()]
    assert sorted(ids) == ds.images.id.tolist()
    assert sorted(i for part in s.values() for i in part.instances.id.tolist()) == ds.instances.id.tolist()
    assert sum(said["instances"] for said in s.manifest.parts.values()) == len(ds)


@given(st.integers(1, 60), st.integers(0, 9), parts, rules)
def test_groups_are_never_cut(images: int, seed: int, how: Any, rule: Any) -> None:
    ds = made(images, seed)
    s = split(ds, **how, **rule)
    for column in rule["group"]:
        rows = ds.instances.image if column == "category" else np.arange(len(ds.images))
        values = ds.category_names if column == "category" else ds.images.meta[column]
        for value in set(values.tolist()) - {""}:
            assert len(set(s.side[rows[values == value]].tolist())) == 1


@given(st.integers(0, 60), st.integers(0, 9), parts, rules)
def test_the_same_seed_gives_the_same_bytes_in_any_order(images: int, seed: int, how: Any, rule: Any) -> None:
    ds = made(images, seed)
    first = split(ds, **how, **rule)
    assert split(ds, **how, **rule).manifest.to_bytes() == first.manifest.to_bytes()
    turned = ds.take_images(np.arange(len(ds.images))[::-1])
    if not rule["by"]:
        assert sides(split(turned, **how, **rule)) == sides(first)


@given(st.integers(1, 60), st.integers(0, 30), st.integers(0, 9), st.sampled_from([[], ["sequence"]]))
def test_by_hash_more_data_moves_nobody(images: int, more: int, seed: int, group: list[str]) -> None:
    ds = made(images, seed)
    before = sides(split(ds, THREE, group=group))
    after = sides(split(same_kinds(ds, made(more, seed, first=1000)), THREE, group=group))
    assert {i: after[i] for i in before} == before


@given(st.integers(1, 60), st.integers(0, 30), st.integers(0, 9), parts, rules)
def test_with_the_previous_manifest_more_data_moves_nobody(images: int, more: int, seed: int, how: Any, rule: Any) -> None:
    ds = made(images, seed)
    before = split(ds, **how, **rule)
    new = made(more, seed, first=1000)
    if rule["group"] and len(new.images):  # data that links what was parted cannot be placed; that is another test
        far = np.arange(len(new.images)) + 10_000
        new = replace(new, images=new.images.with_meta(sequence=far, camera=np.array([str(i) for i in far], object)))
        new = replace(new, categories=tuple(replace(c, name=f"new {c.name}") for c in new.categories))
    after = sides(split(same_kinds(ds, new), **how, **rule, previous=before.manifest))
    assert {i: after[i] for i in sides(before)} == sides(before)
    assert len(after) == images + more


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from(["category", "place"]))
def test_shares_are_met_within_one_of_a_value(seed: int, column: str) -> None:
    report = split(made(300, seed), THREE, by="place", seed=seed).report
    assert np.abs(report["place"].reached - report["place"].asked).max() <= 1 + 1e-9
    assert np.abs(report["size"].reached[0] - report["size"].asked[0]).max() <= 1 + 1e-9
    loose = split(made(300, seed), THREE, by=["category", "place"], seed=seed).report[column]
    common = loose.reached.sum(1) >= 30
    assert (np.abs(loose.reached - loose.asked)[common] <= np.maximum(3, 0.15 * loose.asked[common])).all()


def test_shares_by_hash_are_met_on_average() -> None:
    ds = made(2000)
    reached = np.mean([[len(p.images) for p in split(ds, THREE, seed=s).values()] for s in range(60)], 0)
    assert np.allclose(reached, [1600, 200, 200], rtol=0.04)


def test_balanced_without_a_manifest_moves_few() -> None:
    ds = made(1000)
    before, after = sides(split(ds, THREE, by="place")), sides(split(same_kinds(ds, made(100, 1, first=5000)), THREE, by="place"))
    assert np.mean([before[i] != after[i] for i in before]) < 0.05


# -- what is asked -----------------------------------------------------------------------------------


def test_counts_are_met_to_the_image() -> None:
    s = split(made(200), {"val": 30, "test": 20, "train": "rest"}, by="place")
    assert {n: len(p.images) for n, p in s.items()} == {"val": 30, "test": 20, "train": 150}
    with pytest.raises(DataError, match=r"130 asked for, 200 there; .* 'rest'"):
        split(made(200), {"a": 100, "b": 30})
    with pytest.raises(DataError, match="counts beside fractions"):
        split(made(200), {"a": 100, "b": 0.5, "c": "rest"})


def test_folds_hold_every_image_out_once() -> None:
    ds = made(103)
    s = split(ds, folds=5, by="place")
    assert list(s) == [f"fold{i}" for i in range(5)]
    for rest, fold in s.folds():
        assert not set(rest.images.id.tolist()) & set(fold.images.id.tolist()) and len(rest.images) + len(fold.images) == 103
    assert sorted(len(p.images) for p in s.values()) == [20, 20, 21, 21, 21]


def test_a_rare_value_goes_where_it_is_lacked_most_and_is_named_where_it_is_absent() -> None:
    place = np.array(["field"] * 97 + ["moon"] * 3, object)
    ds = poses(n=0, images=99)
    ds = replace(ds, images=ds.images.with_meta(place=place))
    s = split(ds, THREE, by="place")
    assert s.report.absent == {"place": {"moon": ("val", "test")}} or s.report["place"].reached[1].sum() == 3
    assert "none of moon in" in repr(s)


def test_several_group_columns_link_images_in_chains() -> None:
    ds = poses(n=0, images=5)
    ds = replace(ds, images=ds.images.with_meta(a=np.array([1, 1, 2, 2, -1, -1]), b=np.array(["", "x", "x", "", "", "y"], object)))
    for seed in range(20):
        side = split(ds, {"u": 0.5, "v": 0.5}, group=["a", "b"], seed=seed).side
        assert len(set(side[:4].tolist())) == 1
    assert {tuple(split(ds, {"u": 0.5, "v": 0.5}, group=["a", "b"], seed=s).side[[0, 4, 5]].tolist()) for s in range(40)} >= {(0, 1, 0), (1, 0, 1)}


def test_whole_species_are_held_out() -> None:
    ds = made(100)
    single = ds.take(np.unique(ds.instances.image, return_index=True)[1])  # one animal an image: species can be parted
    s = split(single, {"train": 0.9, "val": "rest", "test": "held"}, group="category", hold={"test": ["kind 2", "kind 4"]})
    assert set(s["test"].category_names) == {"kind 2", "kind 4"} and not {"kind 2", "kind 4"} & set(s["train"].category_names)
    assert s.manifest.rule["hold"] == {"test": ["kind 2", "kind 4"]}
    with pytest.raises(DataError, match="hangs together with what goes to 'test'"):
        split(ds, {"train": 0.5, "val": 0.5, "test": "held"}, group="category", hold={"test": ["kind 1"], "val": ["kind 2"]})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "neither parts nor folds"),
        ({"parts": THREE, "folds": 2}, "parts and folds"),
        ({"folds": 1}, "split: folds: 1"),
        ({"parts": {}}, "split: parts"),
        ({"parts": {"a b": 1.0}}, "a part named 'a b'"),
        ({"parts": {"a": -1}}, r"split: parts\['a'\]: -1"),
        ({"parts": {"a": 0.5}}, "fractions that sum to 0.5; they make up the whole"),
        ({"parts": {"a": 0.7, "b": 0.7}}, "sum to 1.4"),
        ({"parts": {"a": "rest", "b": "rest"}}, "two parts that get the rest"),
        ({"parts": {"a": 1.0, "b": "held"}}, "nothing to hold"),
        ({"parts": THREE, "by": "spcies"}, "split: by: no column 'spcies'"),
        ({"parts": THREE, "by": "catgory"}, "did you mean 'category'"),
        ({"parts": THREE, "group": 3}, "split: group: 3"),
        ({"parts": THREE, "of": "points"}, "split: of: 'points'"),
        ({"parts": THREE, "seed": 1.5}, "split: seed: 1.5"),
        ({"parts": THREE, "rule": "random"}, "split: rule: 'random'; known: balanced, hash"),
        ({"parts": THREE, "rule": "hash", "by": "place"}, "'hash' beside by"),
        ({"parts": THREE, "key": "name"}, "split: key: 'name'"),
        ({"parts": THREE, "key": "source"}, "images have no column 'source'"),
        ({"parts": THREE, "hold": {"test": ["x"]}}, "values without a column"),
        ({"parts": THREE, "group": "place", "hold": {"tst": ["wood"]}}, "did you mean 'test'"),
        ({"parts": THREE, "group": "place", "hold": {"test": ["wod"]}}, "no place 'wod'; did you mean 'wood'"),
        ({"parts": THREE, "group": "place", "hold": {"test": {"camera": ["cam1"]}}}, "'camera' is no group column"),
        ({"parts": THREE, "previous": "absent.json"}, "name a manifest"),
    ],
)
def test_what_cannot_be_split_is_one_line(how: dict[str, Any], words: str) -> None:
    with pytest.raises(PoseError, match=words) as error:
        split(made(20), **how)
    assert "\n" not in str(error.value)


# -- keys --------------------------------------------------------------------------------------------


def test_images_of_a_merged_set_are_named_by_their_source_so_more_sources_move_nobody() -> None:
    a, b = replace(made(50), name="a"), replace(made(40, 1), name="b")
    before = split(posedata.merge([b, a])[0], THREE)
    assert before.manifest.rule["key"] == "source"
    after = split(posedata.merge([a, replace(made(30, 2), name="c"), b])[0], THREE)
    assert {i: sides(after)[i] for i in sides(before)} == sides(before)


def test_groups_of_a_merged_set_keep_their_side_when_a_source_grows() -> None:
    grown, b = replace(made(80), name="a"), replace(made(40, 1), name="b")
    before = split(posedata.merge([grown.take_images(range(50)), b])[0], THREE, group="duplicate")
    after = split(posedata.merge([grown, b])[0], THREE, group="duplicate")
    assert {i: sides(after)[i] for i in sides(before)} == sides(before)


def test_files_may_be_the_names_and_must_then_differ() -> None:
    ds = made(20)
    turned = replace(ds, images=replace(ds.images, id=ds.images.id[::-1].copy()))
    assert split(ds, THREE, key="file").side.tolist() == split(turned, THREE, key="file").side.tolist()
    with pytest.raises(DataError, match="two images have one file"):
        split(replace(ds, images=replace(ds.images, file=np.full(20, "x", object))), THREE, key="file")


# -- manifests ---------------------------------------------------------------------------------------


def test_a_manifest_selects_the_same_again_and_checks_what_it_is_given(tmp_path: Path) -> None:
    ds = made(50)
    s = split(ds, THREE, by="place", group="sequence")
    path = s.manifest.to_json(tmp_path / "splits.json")
    again = read_manifest(path)
    assert again.to_bytes() == path.read_bytes() and again.sha256 == s.manifest.sha256
    for part in THREE:
        assert again.select(ds, part).images.id.tolist() == s[part].images.id.tolist()
    assert len(again.select(ds, "~train").images) + len(again.select(ds, "train").images) == 50
    more = same_kinds(ds, made(7, 1, first=900))
    assert "7 images of made are in no part" in again.select(more, "train").provenance.steps[-1]
    with pytest.raises(DataError, match=r"of \d+ images are not in made"):
        again.select(ds.take_images(np.arange(10)), "train")
    with pytest.raises(DataError, match="ids that name other files in made; it was made of made; was the set renumbered"):
        again.select(replace(ds, images=replace(ds.images, file=ds.images.file[::-1].copy())), "train")
    with pytest.raises(DataError, match="no part 'trian'; did you mean 'train'"):
        again.select(ds, "trian")


def test_a_manifest_never_overwrites_what_is_none(tmp_path: Path) -> None:
    s = split(made(10), THREE)
    official = put(tmp_path / "ap10k-train-split1.json", person("ap10k17", 17))
    with pytest.raises(FormatError, match=r"no manifest of a split; .* not overwritten"):
        s.manifest.to_json(official)
    assert json.loads(official.read_text()) == person("ap10k17", 17)
    with pytest.raises(FormatError, match="no manifest ends so"):
        s.manifest.to_json(tmp_path / "train.csv")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m | {"posebench_split": 9}, "version 9; this program reads 1"),
        (lambda m: m | {"rule": {}}, r"\$\.rule: incomplete"),
        (lambda m: m | {"parts": []}, r"\$\.parts: no parts"),
        (lambda m: m | {"parts": {"a": {}}}, r"\$\.parts\.a: incomplete"),
        (lambda m: m | {"parts": {"a": {"ids": [1, "1"], "checksum": "", "images": 2}}}, "neither all numbers nor all text"),
        (lambda m: m | {"parts": {"a": {"ids": [1.5], "checksum": "", "images": 1}}}, "neither all numbers nor all text"),
        (lambda m: m | {"parts": {p: {"ids": [1], "checksum": "", "images": 1} for p in "ab"}}, "stands in two parts"),
        (lambda m: [], "no manifest of a split"),
    ],
)
def test_a_manifest_that_was_edited_badly_is_one_line(tmp_path: Path, change: Any, words: str) -> None:
    good = split(made(10), THREE).manifest.to_dict()
    with pytest.raises(FormatError, match=words):
        read_manifest(put(tmp_path / "m.json", change(good)))


def test_data_that_links_two_parts_cannot_be_added_in_silence() -> None:
    ds = made(30, groups=30)
    before = split(ds, {"a": 0.5, "b": 0.5}, group="sequence")
    one, two = (next(iter(before[p].images.meta["sequence"].tolist())) for p in "ab")
    new = made(1, 9, first=500)
    ring = replace(new, images=new.images.with_meta(sequence=np.array([one]), camera=np.array(["ring"], object)))
    first = int(before["b"].images.id[0])
    linked = same_kinds(ds, ring)
    camera = linked.images.meta["camera"].copy()
    camera[linked.images.id == first] = "ring"
    linked = replace(linked, images=linked.images.with_meta(camera=camera))
    assert one != two
    with pytest.raises(DataError, match=r"\d groups stand in two parts already"):
        split(linked, {"a": 0.5, "b": 0.5}, group=["sequence", "camera"], previous=before.manifest)
    with pytest.raises(DataError, match="its parts are a, b; the same parts are needed, not a, c"):
        split(ds, {"a": 0.5, "c": 0.5}, previous=before.manifest)
    with pytest.raises(DataError, match="20 of its images are not in made"):
        split(ds.take_images(np.arange(10)), {"a": 0.5, "b": 0.5}, previous=before.manifest)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSEDATA_QUIET", "1")
    return tmp_path / "data"


def test_load_dataset_reads_manifests_and_leaves_official_splits_alone(data: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    how: dict[str, Any] = {"config": "quadruped", "n": 24, "size": 64, "workers": 1}
    load: Any = lambda wanted: posedata.load_dataset("synthetic", split=wanted, **how)
    official = load("train")
    s = split(official, THREE)
    s.manifest.to_json("splits.json")
    assert load("splits.json:val").images.id.tolist() == s["val"].images.id.tolist()
    assert load((s.manifest, "test")).images.id.tolist() == s["test"].images.id.tolist()
    assert {k: v.images.id.tolist() for k, v in load("splits.json").items()} == {k: v.images.id.tolist() for k, v in s.items()}
    assert {k: len(v) for k, v in load(s.manifest).items()} == {k: len(v) for k, v in s.items()}
    assert len(load("splits.json:val+splits.json:test").images) + len(s["train"].images) == 24
    assert len(load("splits.json:~val[:50%]").images) == round((24 - len(s["val"].images)) / 2)
    assert load("train").images.id.tolist() == official.images.id.tolist()
    for wanted, words in (("splits.json:vla", "did you mean 'val'"), ("splits.json:val+train", "one beside the other"), ("gone.json:val", "name a manifest")):
        with pytest.raises(PoseError, match=words):
            load(wanted)


def test_a_manifest_of_several_official_splits_loads_them_all(data: Path) -> None:
    for i, name in enumerate(("train", "val")):
        text = json.dumps(person("ap10k17", 17)).replace('"id": 1,', f'"id": {i * 100 + 1},').replace('"image_id": 1,', f'"image_id": {i * 100 + 1},')
        text = text.replace('"id": 2,', f'"id": {i * 100 + 2},').replace('"image_id": 2,', f'"image_id": {i * 100 + 2},')
        put(data / f"ap-10k/annotations/ap10k-{name}-split1.json", text.replace('"id": 10,', f'"id": {i * 100 + 10},').replace('"id": 20,', f'"id": {i * 100 + 20},').replace(f'"category_id": {i * 100 + 1}', '"category_id": 1').replace('"categories": [{"id": 101', '"categories": [{"id": 1'))  # fmt: skip
    both = posedata.load_dataset("ap10k", split="train+val")
    assert isinstance(both, PoseDataset)
    split(both, folds=2, rule="hash").manifest.to_json("folds.json")
    folds = posedata.load_dataset("ap10k", split="folds.json")
    assert isinstance(folds, dict) and sorted(i for f in folds.values() for i in f.images.id.tolist()) == [1, 2, 101, 102]
    part = posedata.load_dataset("ap10k", split="folds.json:fold0")
    assert isinstance(part, PoseDataset)
    split(part, {"a": 1.0}).manifest.to_json("again.json")
    with pytest.raises(CatalogError, match="a part of another split"):
        posedata.load_dataset("ap10k", split="again.json:a")


# -- the report --------------------------------------------------------------------------------------


def test_the_report_says_what_was_asked_and_reached_and_tests_the_difference() -> None:
    s = split(made(400), THREE, by=["place", "category"], group="sequence")
    frame = s.report.to_frame()
    assert set(frame.column) == {"size", "place", "category"}
    assert frame[frame.column == "place"].reached.sum() == 400
    from scipy.stats import chi2_contingency

    table = frame[frame.column == "place"].pivot_table(index="value", columns="part", values="reached", sort=False)
    assert s.report["place"].test["p"] == pytest.approx(chi2_contingency(table.to_numpy(), correction=False).pvalue)
    assert s.report.differs == () and "chi-square: p = " in repr(s)
    assert json.dumps(s.report.to_dict())


def test_parts_that_differ_are_told() -> None:
    ds = made(300)
    s = split(ds, {"a": "rest", "b": "held"}, group="place", hold={"b": ["wood"]}, by="category")
    assert s.report["size"].asked[0].tolist() == [float((ds.images.meta["place"] != "wood").sum()), 0]
    one = split(ds, {"a": 0.5, "b": 0.5}, group="place", by="place")
    assert one.report.differs == ("place",)


def test_copies_that_are_cut_are_told() -> None:
    ds = poses(n=0, images=39)
    ds = replace(ds, images=ds.images.with_meta(duplicate=np.arange(40) // 2))
    assert "groups of copies are cut: group='duplicate' keeps them whole" in repr(split(ds, {"a": 0.5, "b": 0.5}))
    assert not split(ds, {"a": 0.5, "b": 0.5}, group="duplicate").report.notes


def test_a_hundred_thousand_images_are_split_in_seconds() -> None:
    from time import process_time

    ds = made(100_000, groups=30_000)
    start = process_time()
    split(ds, THREE, by=["category", "place"], group=["sequence"])
    assert process_time() - start < 6


def test_every_rule_key_and_unit_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "splitting.md").read_text()
    assert all(f"| `{word}` |" in text for word in (*RULES, *KEYS, *OF))
