"""Prediction: from a run and boxes to a results file that explains itself, on datasets, folders and single pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from baselines import Boxes, Predictor, Run, find_boxes, load_predictor
from baselines.cost import costs, floors
from baselines.hub import pull, push
from baselines.predict import by_image, draw, measured, predict
from baselines.recipes import RECIPES
from baselines.timing import Stopwatch
from baselines.train import train
from posebench import evaluate
from posedata import DataError, FormatError, PoseDataset, PoseError, load_schema, read_predictions, synthesize

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cache(drawn_once: Path) -> Path:
    return drawn_once


@pytest.fixture(autouse=True)
def shared(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes are drawn once for all tests."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(cache))


@pytest.fixture(scope="module")
def mine(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one epoch: what it says is nonsense, but always the same."""
    recipe = replace(RECIPES["synthetic-demo"], width=64, height=64, scenes=12, val="", epochs=1, batch=8, flip_test=True, name="tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(cache))
        return train(recipe, tmp_path_factory.mktemp("runs") / "mine", quiet=True)


@pytest.fixture(scope="module")
def truth(cache: Path) -> PoseDataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(cache))
        return synthesize("quadruped", "val", 6, quiet=True)


def test_a_prediction_says_everything_that_must_be_known_to_score_it(mine: Run, truth: PoseDataset, tmp_path: Path) -> None:
    found = predict(mine, truth, latency=4, quiet=True)
    pred = found.predictions
    assert len(pred) == len(truth)
    assert {"model", "recipe", "truth", "boxes", "flip_test", "score", "keypoint_score", "dataset", "images"} <= set(pred.header)
    assert (pred.header["boxes"], pred.header["flip_test"], pred.header["truth"], pred.header["recipe"]) == ("truth", True, truth.fingerprint, "tiny")
    assert set(pred.truth.tolist()) == set(truth.instances.id.tolist())
    for name in ("p.json", "p.npz"):
        (pred.to_json if name.endswith("json") else pred.to_npz)(tmp_path / name)
        again = read_predictions(tmp_path / name)
        assert again.header["boxes"] == "truth"
        assert np.allclose(again.keypoints, pred.keypoints, equal_nan=True)
    assert 0 <= evaluate(truth, pred)["AP"] <= 1


def test_the_batch_changes_nothing(mine: Run, truth: PoseDataset) -> None:
    one, many = (predict(mine, truth, batch=n, latency=0, quiet=True).predictions for n in (1, 64))
    assert np.allclose(one.keypoints[..., 2], many.keypoints[..., 2], atol=1e-4)
    near = np.abs(one.keypoints - many.keypoints).max(-1) < 1e-2
    assert near.mean() > 0.9, "a network that has learned next to nothing has peaks that are nearly equal; the others agree"
    assert one.truth.tolist() == many.truth.tolist()


def test_a_point_of_the_crop_lands_where_the_crop_was_cut(mine: Run, truth: PoseDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a decoder that always says the middle of the crop, every point is the middle of its box."""
    predictor = load_predictor(mine.folder)
    width, height = predictor.recipe.size
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    monkeypatch.setattr(type(predictor), "points", lambda self, maps, presence, least: np.tile(middle, (len(maps[0]), 17, 1)))
    found = predict(predictor, truth, latency=0, quiet=True)
    boxes = found.predictions.bbox
    assert np.allclose(found.predictions.keypoints[:, 0, :2], boxes[:, :2] + boxes[:, 2:] / 2 - 0.5)


def test_the_flip_test_is_the_mean_of_both_and_needs_mirror_pairs(mine: Run, truth: PoseDataset) -> None:
    predictor = load_predictor(mine.folder)
    images = torch.rand(2, 3, 64, 64) * 255
    maps, _ = predictor.forward(images, flip=True)
    straight, _ = predictor.forward(images, flip=False)
    turned, _ = predictor.forward(images.flip(-1), flip=False)
    back = turned[0].flip(-1)[:, predictor.model.schema.mirror.tolist()]
    assert torch.allclose(maps[0], (straight[0] + back) / 2, atol=1e-5)
    assert predict(predictor, truth, flip_test=False, latency=0, quiet=True).predictions.header["flip_test"] is False


def test_points_the_model_does_not_find_likely_are_left_out(mine: Run, truth: PoseDataset) -> None:
    found = predict(mine, truth, leave_out=0.999, latency=0, quiet=True).predictions
    assert found.absent.mean() > 0.5
    assert found.header["conditions"] == {"leave_out": 0.999}
    assert not predict(mine, truth, latency=0, quiet=True).predictions.absent.any()


# -- boxes -------------------------------------------------------------------------------------------


def detections(truth: PoseDataset, path: Path, **changes: object) -> Path:
    own = truth.instances
    records = [
        {"image_id": int(truth.images.id[i]), "category_id": int(truth.categories[c].id), "bbox": b, "score": 0.5 + 0.01 * n}
        for n, (i, c, b) in enumerate(zip(own.image, own.category, own.bbox.tolist(), strict=True))
    ]
    records[0].update(changes)
    path.write_text(json.dumps(records))
    return path


def test_boxes_of_a_file_count_in_the_score_and_are_thinned(mine: Run, truth: PoseDataset, tmp_path: Path) -> None:
    records = json.loads(detections(truth, tmp_path / "d.json").read_text())
    (tmp_path / "d.json").write_text(json.dumps([*records, {**records[0], "score": 0.1}]))
    found = predict(mine, truth, boxes=str(tmp_path / "d.json"), latency=0, quiet=True).predictions
    assert found.header["boxes"] == "detector: d.json"
    assert found.header["score"] == "box x keypoints"
    assert found.header["conditions"] == {"oks_nms": 0.9}
    assert len(found) == len(truth), "the copy of a box is gone"
    kept = predict(mine, truth, boxes=str(tmp_path / "d.json"), nms=0, score="box", latency=0, quiet=True).predictions
    assert len(kept) == len(truth) + 1
    assert sorted(kept.score)[0] == 0.1
    assert len(predict(mine, truth, boxes=str(tmp_path / "d.json"), least=0.2, nms=0, latency=0, quiet=True).predictions) == len(truth)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bbox": [1, 2, 3]}, "four numbers"),
        ({"bbox": [1, 2, 0, 5]}, "both are above 0"),
        ({"bbox": [1, 2, "3", 5]}, "four numbers"),
        ({"score": None}, "$[0].score"),
        ({"image_id": None}, "the id of an image"),
        ({"image_id": 77}, "images that synthetic/quadruped val lacks: 77"),
    ],
)
def test_wrong_detections_are_one_line(truth: PoseDataset, tmp_path: Path, changes: dict[str, object], words: str) -> None:
    path = detections(truth, tmp_path / "d.json", **changes)
    with pytest.raises(FormatError) as e:
        find_boxes(truth, str(path))
    assert words in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(("text", "words"), [("{", "no JSON"), ("{}", "no list of detections"), ("[3]", "an object is needed")])
def test_files_that_are_no_detections_are_one_line(truth: PoseDataset, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(FormatError, match=words.replace("[", "\\[")):
        find_boxes(truth, str(tmp_path / "d.json"))


def corners(picture: Image.Image) -> list[list[float]]:
    """A detector for the test: the picture's left upper quarter, and nothing on narrow ones."""
    return [[0, 0, picture.width / 2, picture.height / 2, 0.7]]


def nothing(picture: Image.Image) -> list[list[float]]:
    return []


def upside_down(picture: Image.Image) -> list[list[float]]:
    return [[50, 50, -10, -10, 0.7]]


def test_a_detector_of_ones_own_is_a_function(mine: Run, truth: PoseDataset) -> None:
    found = predict(mine, truth, boxes=f"{__name__}:corners", latency=0, quiet=True).predictions
    assert len(found) == len(truth.images)
    assert found.bbox[:, 2:].tolist() == [[w / 2, h / 2] for w, h in zip(truth.images.width.tolist(), truth.images.height.tolist(), strict=True)]
    empty = predict(mine, truth, boxes=f"{__name__}:nothing", quiet=True)
    assert len(empty.predictions) == 0
    assert empty.timing.text() == "no boxes, nothing to time"
    for said, words in (
        (f"{__name__}:upside_down", "without width or height"),
        (f"{__name__}:absent", "has no attribute"),
        ("nowhere_at_all:f", "No module named"),
        ("sideways", "no such boxes; one of: truth, whole, own, FILE, RUN, MODULE:FUNCTION"),
    ):
        with pytest.raises(PoseError, match=words):
            find_boxes(truth, said)


def test_boxes_of_another_run_are_those_of_its_predictions(mine: Run, truth: PoseDataset, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a folder without predictions"):
        find_boxes(truth, str(tmp_path))
    predict(mine, truth, boxes=f"{__name__}:corners", latency=0, quiet=True).predictions.to_json(tmp_path / "predictions.json")
    boxes = find_boxes(truth, str(tmp_path))
    assert boxes.source == f"detector: run {tmp_path.name}"
    assert boxes.bbox[:, 2].tolist() == (truth.images.width / 2).tolist()


# -- sources -----------------------------------------------------------------------------------------


def test_a_folder_and_a_picture_are_predicted_on_and_drawn(mine: Run, tmp_path: Path) -> None:
    for name, size in (("a.png", (90, 60)), ("deep/b.jpg", (33, 70))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, "white").save(tmp_path / name)
    (tmp_path / "note.txt").write_text("no picture")
    found = predict(mine, tmp_path, boxes="whole", latency=0, quiet=True)
    assert found.predictions.image.tolist() == ["a.png", "deep/b.jpg"]
    assert found.predictions.bbox.tolist() == [[0, 0, 90, 60], [0, 0, 33, 70]]
    points = found.predictions.keypoints.copy()
    points[..., :2] = np.random.default_rng(0).uniform(5, 30, points[..., :2].shape)
    found = replace(found, predictions=replace(found.predictions, keypoints=points))
    assert [p.name for p in draw(found, tmp_path / "out", above=-1)] == ["a.jpg", "deep__b.jpg"]
    with Image.open(tmp_path / "out" / "a.jpg") as picture:
        assert picture.size == (90, 60)
        assert np.asarray(picture.convert("RGB")).min() < 128, "something was drawn"
    (one,) = by_image(predict(mine, tmp_path / "a.png", boxes="whole", latency=0, quiet=True))
    assert set(one["poses"][0]["keypoints"]) == set(load_schema("ap10k17").names)
    with pytest.raises(DataError, match="no truth"):
        predict(mine, tmp_path / "a.png")


def test_pictures_that_are_missing_or_broken_are_one_line(mine: Run, truth: PoseDataset, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match=r"a\.png: cannot be decoded"):
        predict(mine, tmp_path / "a.png", boxes="whole")
    lost = replace(truth, images=replace(truth.images, folder=np.full(len(truth.images), str(tmp_path), object)))
    with pytest.raises(FormatError, match="no such picture"):
        predict(mine, lost, quiet=True)
    with pytest.raises(PoseError, match="neither a run's folder nor a model of the Hub"):
        predict("nowhere", truth)
    with pytest.raises(FormatError, match="no run"):
        predict(tmp_path, truth)


def test_a_full_memory_and_a_device_that_is_not_there_are_one_line(mine: Run, truth: PoseDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PoseError, match="--device quantum: no such device"):
        load_predictor(mine.folder, "quantum")

    def full(self: object, images: torch.Tensor, flip: bool) -> object:
        raise torch.OutOfMemoryError("tried to allocate")

    monkeypatch.setattr(Predictor, "forward", full)
    with pytest.raises(PoseError, match=r"out of memory \(tried to allocate\); --batch 16"):
        predict(mine, truth, batch=32, quiet=True)


def test_an_empty_set_has_no_truth_to_take_boxes_from(mine: Run, truth: PoseDataset) -> None:
    with pytest.raises(DataError, match="no truth"):
        predict(mine, truth.take([]), quiet=True)
    assert len(predict(mine, truth.take([]).take_images([]), boxes="whole", quiet=True).predictions) == 0


# -- time and cost -----------------------------------------------------------------------------------


def test_times_are_apart_and_add_up(mine: Run, truth: PoseDataset) -> None:
    timing = predict(mine, truth, latency=5, quiet=True).timing
    assert timing.crops == len(truth)
    assert min(timing.reading, timing.network, timing.decoding) > 0
    assert timing.images_per_second == pytest.approx(len(truth) / (timing.network + timing.decoding))
    assert 0 < timing.p50_ms <= timing.p95_ms
    assert np.isnan(predict(mine, truth, latency=0, quiet=True).timing.p50_ms)


def test_the_stopwatch_knows_what_waits_and_what_works() -> None:
    import time

    watch = Stopwatch(torch.device("cpu"))

    def slowly() -> object:
        for _ in range(3):
            time.sleep(0.02)
            yield 1

    for _ in watch.read(slowly()):  # type: ignore[arg-type]
        with watch.network():
            time.sleep(0.01)
    assert watch.spent["reading"] > 0.055
    assert watch.spent["network"] > 0.028
    assert watch.spent["decoding"] == 0
    calls: list[int] = []
    assert len(watch.each(calls.append, [1, 2], warm=3)) == 2
    assert calls == [1, 2, 1, 1, 2]


def test_costs_are_counted_and_floors_follow_from_them(mine: Run, truth: PoseDataset) -> None:
    found = predict(mine, truth, latency=0, quiet=True)
    model = found.predictor.model
    said = measured(found, mine, "the command")
    assert said["params_m"] == round(sum(p.numel() for p in model.parameters()) / 1e6, 3) == costs(model)["params_m"]
    assert (said["pretraining"], said["input"], said["kind"], said["command"]) == ("none", "64x64", "top-down", "the command")
    bound = floors(model)
    assert bound.infer_flops == pytest.approx(3 * bound.train_flops)
    assert bound.infer_flops == pytest.approx(790e12 / (2e9 * said["gmac"]), rel=1e-2)


# -- the Hub -----------------------------------------------------------------------------------------


def test_a_model_goes_to_the_hub_and_comes_back_the_same(mine: Run, tmp_path: Path) -> None:
    push(mine, "me/tiny", folder=tmp_path / "hub")
    assert {p.name for p in (tmp_path / "hub").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert "baselines predict me/tiny" in (tmp_path / "hub" / "README.md").read_text()
    pulled = pull(tmp_path / "hub")
    assert (pulled.recipe, pulled.schema) == (mine.recipe, mine.schema)
    images = torch.rand(1, 3, 64, 64) * 255
    ours = load_predictor(mine.folder).model(images).maps[0]
    assert torch.allclose(pulled.model.eval()(images).maps[0], ours, atol=1e-5)
    (tmp_path / "hub" / "config.json").write_text("{}")
    with pytest.raises(PoseError, match="no model of ours"):
        pull(tmp_path / "hub")


def test_boxes_can_be_given_as_columns(mine: Run, truth: PoseDataset) -> None:
    boxes = Boxes(image=np.array([1]), bbox=np.array([[10.0, 10, 50, 50]]), score=np.array([0.5]), category=np.array([1]), source="mine")
    found = predict(mine, truth, boxes=boxes, latency=0, quiet=True).predictions
    assert (found.image.tolist(), found.header["boxes"]) == ([int(truth.images.id[1])], "mine")
