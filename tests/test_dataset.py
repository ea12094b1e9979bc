"""Tables and datasets: checked once, never changed, chosen and joined without losing a row."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posedata import Collector, DataError, Images, Instances, PoseDataset, Predictions, concat, load_schema
from posedata.formats.coco import parse_coco
from posedata.rest import Rest
from tests.conftest import poses


def test_columns_cannot_be_written() -> None:
    ds = poses()
    for column in (*ds.instances.columns().values(), *ds.images.columns().values()):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = column[0]


def test_the_callers_arrays_stay_his_own() -> None:
    keypoints = np.ones((2, 17, 3))
    ds = PoseDataset.from_arrays(schema="coco17", image=[1, 1], keypoints=keypoints)
    keypoints[0] = 7
    assert ds.instances.keypoints[0, 0, 0] == 1


def test_meta_columns_are_as_frozen_as_the_others() -> None:
    mine = np.array([1.0])
    ds = PoseDataset.from_arrays(image=[1], meta={"q": mine})
    mine[0] = 5
    assert ds.instances.meta["q"].tolist() == [1]
    with pytest.raises(TypeError, match="with_meta"):
        ds.instances.meta["z"] = mine  # type: ignore[index]
    copy = pickle.loads(pickle.dumps(ds))  # noqa: S301
    for column in (copy.instances.image, copy.instances.meta["q"], copy.images.id):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = column[0]
    with pytest.raises(TypeError, match="with_meta"):
        copy.instances.meta.clear()


def test_numbers_beside_text_are_written_as_a_person_writes_them() -> None:
    a, b = poses(n=3), poses(n=2).renumbered(100)
    a = replace(a, instances=a.instances.with_meta(track=np.array([7.0, 7.5, np.nan])))
    b = replace(b, instances=b.instances.with_meta(track=np.array(["cam1", "7"], object)))
    assert concat([a, b]).instances.meta["track"].tolist() == ["7", "7.5", "", "cam1", "7"]


def test_what_cannot_stand_twice_at_the_top_of_a_file_is_named() -> None:
    def part(first: int, licence: str) -> PoseDataset:
        file = {"licenses": [{"id": 1, "name": licence}], "images": [{"id": first, "file_name": "a"}], "annotations": [], "categories": []}
        return parse_coco(json.dumps(file).encode())

    assert concat([part(1, "CC0"), part(2, "CC0")]).provenance.steps == ()
    joined = concat([part(1, "CC0"), part(2, "mine alone")])
    assert joined.provenance.steps == ("concat: licenses of the first part that has it",)
    assert json.loads(joined.to_coco())["licenses"] == [{"id": 1, "name": "CC0"}]


def test_tables_show_their_columns() -> None:
    assert repr(poses().instances).startswith("Instances(5 rows: id int64, image int64, category int64, keypoints float64[17, 3]")
    assert repr(Collector("foot6")) == "Collector(0 poses, schema 'foot6')"


def test_labelled_is_annotated_and_v_above_zero() -> None:
    ds = poses("crowdpose14").as_schema("human")
    own = ds.instances
    assert (own.labelled == (own.annotated & (own.keypoints[..., 2] > 0))).all()
    assert not own.annotated[:, load_schema("human").index("nose")].any()
    assert not own.keypoints[~own.annotated].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": [1, 1]}, "Instances.id: 1 more than once"),
        ({"id": [1, "a"]}, "all whole numbers or all text"),
        ({"id": [1.5, 2.5]}, "all whole numbers or all text"),
        ({"area": [1.0]}, "Instances.area: shape (1,); the table needs (2,)"),
        ({"area": [1.0, np.inf]}, "infinite"),
        ({"area": ["a", "b"]}, "numbers of kind float64 are needed"),
        ({"keypoints": np.full((2, 17, 3), np.nan)}, "not finite in instance 1, 2"),
        ({"keypoints": np.full((2, 17, 3), 3.0)}, "v other than 0, 1, 2"),
        ({"keypoints": np.ones((2, 17, 2))}, "shape (2, 17, 2)"),
        ({"keypoints": np.ones((2, 17, 3)), "annotated": np.zeros((2, 17), bool)}, "values where not annotated"),
        ({"image": [0, 0.5]}, "do not fit int64"),
        ({"meta": {"species": ["cat"]}}, "Instances.species: shape (1,)"),
    ],
)
def test_a_table_refuses_what_cannot_be(change: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as error:
        Instances(**{"image": np.array([0, 0]), "keypoints": np.zeros((2, 17, 3)), **change})  # type: ignore[arg-type]
    assert words in str(error.value)


def test_a_dataset_refuses_rows_that_are_not_there() -> None:
    ds = poses()
    with pytest.raises(DataError, match="row 9; there are 4"):
        replace(ds, instances=replace(ds.instances, image=np.full(5, 9)))
    with pytest.raises(DataError, match="17 keypoints; schema 'foot6' has 6"):
        replace(ds, schema=load_schema("foot6"))


def test_where_on_instances_keeps_every_image_and_on_images_takes_all_their_instances() -> None:
    ds = poses(n=8)
    ds = replace(ds, images=ds.images.with_meta(background=np.array(["a", "b", "a", "b"], object)))
    some = ds.where(ds.instances.area > 1000)
    assert len(some.images) == len(ds.images)
    assert (some.instances.area > 1000).all()
    a = ds.where(background="a")
    assert len(a.images) == 2
    assert len(a) == int(np.isin(ds.instances.image, [0, 2]).sum())
    assert ds.where(background=["a", "b"]).without_empty().images.id.tolist() == np.unique(ds.images.id[ds.instances.image]).tolist()
    assert len(ds.where(area=lambda a: a > 1000, background="a")) == int(((ds.instances.area > 1000) & np.isin(ds.instances.image, [0, 2])).sum())


def test_where_names_the_column_meant() -> None:
    with pytest.raises(DataError, match=r"no column 'are'; did you mean 'area'\?"):
        poses().where(are=3)
    with pytest.raises(DataError, match="bool \\(5,\\) is needed"):
        poses().where([1, 2])


def test_categories_are_asked_for_by_name() -> None:
    ds = PoseDataset.from_arrays(schema="ap10k17", image=[1, 1, 2], keypoints=np.zeros((3, 17, 3)), category=["cat", "dog", "cat"])
    assert ds.where(category="cat").category_names.tolist() == ["cat", "cat"]
    assert ds.where(category=["dog", "zebra"]).category_names.tolist() == ["dog"]


def same(a: PoseDataset, b: PoseDataset) -> bool:
    """Equal in all columns and in what stands beside them."""
    pairs = [(x.columns()[k], y.columns()[k]) for x, y in ((a.images, b.images), (a.instances, b.instances)) for k in x.columns()]
    return a.schema == b.schema and all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs) and a.to_coco() == b.to_coco()


@given(st.integers(0, 9), st.data())
def test_concat_undoes_take(n: int, data: st.DataObject) -> None:
    ds = poses(n=n, seed=n)
    cut = data.draw(st.integers(0, len(ds.images)))
    parts = [ds.take_images(np.arange(cut)), ds.take_images(np.arange(cut, len(ds.images)))]
    joined = concat([p for p in parts if len(p.images)], name=ds.name)
    assert sorted(joined.instances.id.tolist()) == sorted(ds.instances.id.tolist())
    order = np.argsort(joined.instances.id, kind="stable")
    assert same(replace(joined.take(order), categories=ds.categories), ds)


@given(st.permutations(range(6)))
def test_take_follows_the_order_asked_for(rows: list[int]) -> None:
    ds = poses(n=6)
    taken = ds.take(rows)
    assert taken.instances.id.tolist() == ds.instances.id[rows].tolist()
    assert same(taken.take(np.argsort(rows)), ds)


def test_take_refuses_rows_twice_or_beyond() -> None:
    with pytest.raises(DataError, match="more than once"):
        poses().take([0, 0])
    with pytest.raises(DataError, match="take: row 5; there are 5"):
        poses().take([5])
    assert poses().take([-1]).instances.id.tolist() == [5]
    assert len(poses().take([])) == 0


def test_concat_asks_for_one_schema_and_for_ids_that_differ() -> None:
    with pytest.raises(DataError, match=r"schemas 'coco17' and 'foot6'; bring one to the other: \.as_schema\('coco17'\)"):
        concat([poses(), poses("foot6")])
    with pytest.raises(DataError, match=r"1, 2, 3, 4 more than once; .*renumber"):
        concat([poses(), poses()])
    both = concat([poses(), poses().renumbered(100)])
    assert len(both) == 10
    assert both.instances.meta["source_id"].tolist() == [""] * 5 + ["1", "2", "3", "4", "5"]


def test_renumbered_keeps_the_first_ids() -> None:
    twice = poses().renumbered(100).renumbered(7)
    assert twice.images.id.tolist() == [7, 8, 9, 10]
    assert twice.images.meta["source_id"].tolist() == ["1", "2", "3", "4"]


def test_meta_columns_of_some_parts_are_empty_in_the_others() -> None:
    a, b = poses(), poses().renumbered(100)
    a = replace(a, instances=a.instances.with_meta(track=np.arange(5), coat=np.array(["x"] * 5, object)))
    both = concat([a, b])
    assert both.instances.meta["coat"].tolist() == ["x"] * 5 + [""] * 5
    assert np.isnan(both.instances.meta["track"][5:]).all()


def test_as_schema_there_and_back_keeps_exact_points() -> None:
    ds = poses("coco17")
    for name in ("coco_foot23", "human"):
        back = ds.as_schema(name).as_schema("coco17")
        assert np.array_equal(back.instances.keypoints, ds.instances.keypoints)
        assert back.instances.annotated.all()
    assert (ds.as_schema("human").instances.recorded == -1).all()
    assert "17 exact" in ds.as_schema("human").provenance.steps[0]


def test_as_schema_makes_derived_points_only_when_asked() -> None:
    neck = load_schema("human").index("neck")
    assert not poses().as_schema("human").instances.annotated[:, neck].any()
    assert poses().as_schema("human", kinds=("exact", "derived")).instances.annotated[:, neck].all()


def test_a_point_outside_the_frame_is_apart_from_an_unlabelled_one() -> None:
    keypoints = np.zeros((1, 6, 3))
    keypoints[0] = [[-3, 5, 0], [0, 0, 0], [-1, -1, 0], [99.5, 5, 2], [99.6, 5, 2], [50, 50, 2]]
    ds = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=keypoints, images={"id": [1], "width": [100], "height": [100]})
    assert ds.outside.tolist() == [[True, False, False, False, True, False]]
    assert ds.instances.labelled.tolist() == [[False, False, False, True, True, True]]


def test_a_set_without_labels_is_a_dataset_too() -> None:
    ds = PoseDataset.from_arrays(image=["a", "b"], bbox=[[0, 0, 5, 5], [1, 1, 2, 2]], images={"id": ["a", "b", "c"], "file": ["a.jpg", "b.jpg", "c.jpg"]})
    assert (len(ds), len(ds.images), len(ds.schema)) == (2, 3, 0)
    assert "no keypoints" in repr(ds)
    assert len(ds.to_pandas()) == 2


def test_a_sample_reads_like_a_record() -> None:
    ds = poses()
    assert ds[0].id == 1
    assert ds[-1].id == 5
    assert len(list(ds)) == 5
    assert set(ds[0].keypoints) == set(ds.schema.names)
    assert ds[0].file == f"{ds.images.id[ds.instances.image[0]]}.png"
    assert "points labelled" in repr(ds[0])
    with pytest.raises(IndexError, match="no instance 5; there are 5"):
        ds[5]


def test_the_extent_is_that_of_labelled_points_in_edge_coordinates() -> None:
    keypoints = np.array([[[3, 4, 2], [10, 6, 1], [90, 90, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0]] * 6], float)
    extent = PoseDataset.from_arrays(schema="foot6", image=[1, 1], keypoints=keypoints).instances.extent()
    assert extent[0].tolist() == [3.5, 4.5, 7, 2]
    assert np.isnan(extent[1]).all()


@given(st.lists(st.binary(max_size=6), max_size=12), st.data())
def test_rest_takes_and_joins_like_a_list(texts: list[bytes], data: st.DataObject) -> None:
    rest = Rest.of([(f"k{len(t)}",) for t in texts], texts)
    rows = data.draw(st.permutations(range(len(texts))))
    rows = rows[: data.draw(st.integers(0, len(texts)))]
    taken = rest.take(np.array(rows, np.intp))
    assert taken.rows() == [texts[i] for i in rows]
    assert [taken.keys(i) for i in range(len(rows))] == [(f"k{len(texts[i])}",) for i in rows]
    assert Rest.concat([taken, Rest.empty(1), rest]).rows() == [*[texts[i] for i in rows], b"", *texts]


@pytest.mark.slow
def test_a_million_instances_are_chosen_and_mapped_without_a_loop_over_rows() -> None:
    n = 1_000_000
    rng = np.random.default_rng(0)
    ds = PoseDataset.from_arrays(schema="ap10k17", image=np.arange(n) // 4, keypoints=np.zeros((n, 17, 3)), area=rng.uniform(1, 9, n))
    for change in (lambda: ds.where(area=lambda a: a > 5), lambda: ds.take(rng.permutation(n)), lambda: ds.as_schema("quadruped")):
        start = time.process_time()
        change()
        assert time.process_time() - start < 6, "a loop over rows would take ten times this"


# -- predictions -------------------------------------------------------------------------------------


def test_a_collector_takes_what_a_loop_makes() -> None:
    collector = Collector("foot6", header={"dataset": "coco_foot", "keypoint_score": "probability"})
    collector.add("a.jpg", np.ones((2, 6, 3)), [0.5, 0.6], bbox=[[0, 0, 1, 1]] * 2)
    collector.add("b.jpg", np.zeros((0, 6, 3)), [])
    collector.add("b.jpg", np.ones((6, 2)), 0.7)
    found = collector.predictions()
    assert found.image.tolist() == ["a.jpg", "a.jpg", "b.jpg"]
    assert found.score.tolist() == [0.5, 0.6, 0.7]
    assert np.isnan(found.bbox[2]).all()
    assert len(collector) == 3
    assert len(Collector("foot6").predictions()) == 0


def test_a_collector_names_the_image_whose_points_do_not_fit() -> None:
    with pytest.raises(DataError, match=r"image 7: keypoints of shape \(1, 5, 3\); schema 'foot6' needs \(n, 6, 3\)"):
        Collector("foot6").add(7, np.ones((5, 3)), 1)


def test_a_collector_complains_at_once() -> None:
    with pytest.raises(DataError, match=r"unknown field 'modl'; did you mean 'model'\?"):
        Collector("foot6", header={"modl": "x"})
    collector = Collector("foot6")
    with pytest.raises(DataError, match="image 7: a score that is no number"):
        collector.add(7, np.ones((6, 3)), np.nan)
    collector.add(7, np.ones((6, 3)), 1)
    with pytest.raises(DataError, match="image a: an id of another kind"):
        collector.add("a", np.ones((6, 3)), 1)


def test_confidence_zero_is_absence_only_where_it_is_a_probability() -> None:
    points = np.array([[[1, 1, 0.0], [2, 2, -1], [3, 3, 0.1], [np.nan, np.nan, 0.5], [1, 1, 1], [1, 1, 1]]])
    plain = Predictions.from_arrays(schema="foot6", image=[1], keypoints=points, score=[1])
    assert plain.absent.tolist() == [[False, False, False, True, False, False]]
    said = Predictions.from_arrays(schema="foot6", image=[1], keypoints=points, score=[1], header={"keypoint_score": "probability"})
    assert said.absent.tolist() == [[True, True, False, True, False, False]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": [np.nan]}, "score that is no number"),
        ({"keypoints": [[[1, np.nan, 1]] * 6]}, "one of x and y is NaN"),
        ({"keypoints": [[[1, np.inf, 1]] * 6]}, "infinite"),
        ({"keypoints": [[[1, 1, np.nan]] * 6]}, "confidence that is no number"),
        ({"keypoints": [[[1, 1, 1]] * 5]}, "5 points; schema 'foot6' has 6"),
        ({"header": {"modle": "x"}}, "unknown field 'modle'; did you mean 'model'?"),
    ],
)
def test_predictions_refuse_what_cannot_be(change: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as error:
        Predictions.from_arrays(**{"schema": "foot6", "image": [1], "keypoints": [[[1, 1, 1]] * 6], "score": [1], **change})  # type: ignore[arg-type]
    assert words in str(error.value)


def test_images_hold_no_negative_sizes() -> None:
    with pytest.raises(DataError, match="sizes are 0"):
        Images(id=np.array([1]), file=np.array(["a"], object), width=np.array([-1]))


def test_a_fingerprint_changes_with_what_a_score_depends_on_and_with_nothing_else() -> None:
    ds = poses()
    assert ds.fingerprint == poses().fingerprint
    assert replace(ds, name="other").fingerprint == ds.fingerprint
    assert replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), "/elsewhere", object))).fingerprint == ds.fingerprint
    moved = ds.instances.area.copy()
    moved[0] += 1e-9
    assert replace(ds, instances=replace(ds.instances, area=moved)).fingerprint != ds.fingerprint
    assert ds.take_images([0, 1, 2]).fingerprint != ds.fingerprint
