"""KeypointRCNN by the same commands as all models: trained, resumed, predicting, feeding others, on the leaderboard."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from baselines import Boxes, Run, find_boxes, load_predictor
from baselines.board.rows import read_board
from baselines.board.scoring import add_row
from baselines.checkpoint import read_tensors
from baselines.cli import app
from baselines.predict import measured, predict
from baselines.rcnn.loader import PictureLoader, edges_to_image, edges_to_input, fitted
from baselines.recipes import RECIPES
from baselines.train import train
from posebench import evaluate
from posedata import PoseDataset, PoseError, read_predictions, synthesize
from tests.detecting import TINY, people, recipe

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def shared(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes are drawn once for all tests."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))


@pytest.fixture(scope="module")
def mine(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one epoch: what it finds is nonsense, but always the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(drawn_once))
        return train(TINY, tmp_path_factory.mktemp("runs") / "mine", quiet=True)


@pytest.fixture(scope="module")
def truth(drawn_once: Path) -> PoseDataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(drawn_once))
        return synthesize("person", "val", 4, quiet=True)


# -- pictures


def loader(**changes: object) -> PictureLoader:
    made = PictureLoader(people(), recipe(**changes), torch.device("cpu"), 1)
    made._held = {row: np.zeros((64, 64, 3), np.uint8) for row in range(3)}  # annotations without pictures
    return made


def test_boxes_go_to_the_input_and_back() -> None:
    ds = people()
    own = ds.instances
    affine = fitted(ds, own.image, (64, 64))
    there = edges_to_input(own.bbox, affine)
    assert np.allclose(edges_to_image(there, affine), own.bbox, atol=1e-9)
    whole = edges_to_input(np.array([[0.0, 0, 120, 100]]), affine[:1])
    assert whole.tolist() == [pytest.approx([0, 32 - 100 / 120 * 32, 64, 32 + 100 / 120 * 32])]


def test_boxes_and_points_stay_together_whatever_is_done_to_a_picture() -> None:
    plain = loader(padding=2.0).plain(torch.arange(3))
    assert len(plain.boxes) == 6 and plain.crowd.tolist() == [False, True, False, False, False, False]
    seen = set()
    for epoch in range(4):
        batch = loader(padding=2.0, flip=0.5, rotate=0.0, scale=(0.8, 1.25), shift=0.05).batch(torch.arange(3), epoch)
        part = (batch.points - batch.boxes[:, None, :2] + 0.5) / (batch.boxes[:, None, 2:] - batch.boxes[:, None, :2])
        part_before = (plain.points - plain.boxes[:, None, :2] + 0.5) / (plain.boxes[:, None, 2:] - plain.boxes[:, None, :2])
        mirror = torch.as_tensor(people().schema.mirror.copy())
        turned = torch.stack([1 - part_before[..., 0], part_before[..., 1]], -1)[:, mirror]
        for row in (0, 3, 4, 5):
            same, flipped = torch.allclose(part[row], part_before[row], atol=1e-3), torch.allclose(part[row], turned[row], atol=1e-3)
            assert same != flipped
            seen.add(flipped)
    assert seen == {True, False}, "feet are exchanged with the rest, by the schema"


def test_who_is_mostly_cut_off_teaches_nothing_and_who_is_gone_is_gone() -> None:
    batches = [loader(shift=0.5, flip=0.0, scale=(1.0, 1.0)).batch(torch.arange(3), epoch) for epoch in range(12)]
    for batch in batches:
        assert (batch.boxes >= 0).all() and (batch.boxes <= 64).all() and (batch.boxes[:, 2:] > batch.boxes[:, :2]).all()
        sides = batch.boxes[:, 2:] - batch.boxes[:, :2]
        assert (sides[~batch.crowd].prod(1) > 0.2 * batch.area[~batch.crowd]).all(), "what is learned shows a quarter of itself"
    assert min(len(batch.boxes) for batch in batches) < 6 and max(int(batch.crowd.sum()) for batch in batches) > 1


def test_a_set_without_boxes_is_refused() -> None:
    ds = people()
    with pytest.raises(PoseError, match="no picture has an instance with a box that is no crowd"):
        PictureLoader(ds.where(ds.instances.crowd), TINY, torch.device("cpu"))


# -- training


def test_a_run_keeps_what_every_run_keeps(mine: Run) -> None:
    names = {"config.toml", "run.json", "metrics.jsonl", "training.log", "best.safetensors", "last.safetensors", "resume.safetensors", "predictions.json"}
    assert names <= {p.name for p in mine.folder.iterdir()}
    line = json.loads((mine.folder / "metrics.jsonl").read_text())
    assert np.isfinite(line["val_loss"]) and 0 <= line["AP"] <= 1
    kept = read_tensors(mine.weights)[0]
    assert kept["peak.line"].tolist() != [1, 0] and kept["presence.line"].shape == (2,)
    pred = read_predictions(mine.folder / "predictions.json")
    assert (pred.header["boxes"], pred.header["keypoint_score"]) == ("own", "probability")


def test_a_resumed_detector_is_bit_for_bit_the_one_that_was_never_interrupted(tmp_path: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = recipe(epochs=2, scenes=4, batch=2, val="", ema=0.9)
    whole = train(own, tmp_path / "whole", quiet=True)
    monkeypatch.setattr("baselines.train._asked_to_stop", lambda: nullcontext(lambda: True))
    monkeypatch.setattr("baselines.train._LOOK", 1)
    with pytest.raises(PoseError, match="stopped after step 1 of 4, saved"):
        train(own, tmp_path / "cut", quiet=True)
    monkeypatch.undo()
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    again = train(own, tmp_path / "cut", resume=True, quiet=True)
    a, b = (read_tensors(run.weights)[0] for run in (whole, again))
    assert all(torch.equal(a[n], b[n]) for n in a)


def test_a_frozen_run_is_checked_after_training(tmp_path: Path) -> None:
    run = train(recipe(rung="keypoints", val="", scenes=4), tmp_path / "run", quiet=True)
    assert run.facts["frozen_digest"] and run.facts["frozen"] > 0
    log = (tmp_path / "run" / "training.log").read_text()
    assert "roi_heads.keypoint_head: 0.00 M frozen" in log and "frozen: backbone, fpn, rpn" in log


def test_more_points_grow_from_a_run_and_a_backbone_from_a_heatmap_model(mine: Run, tmp_path: Path) -> None:
    body = train(recipe(schema="coco17", val="", scenes=4), tmp_path / "body", quiet=True)
    feet = train(recipe(val="", scenes=4), tmp_path / "feet", init=str(body.folder), quiet=True)
    assert feet.facts["start"]["points_grown"]["left_heel"] == "left_ankle"
    assert "grown: left_big_toe from left_ankle" in (tmp_path / "feet" / "training.log").read_text()
    crops = train(heatmaps(), tmp_path / "crops", quiet=True)
    start = train(recipe(val="", scenes=4), tmp_path / "both", init=str(crops.folder), quiet=True).facts["start"]
    assert not any(n.startswith("backbone.") for n in start["fresh"])


def heatmaps() -> object:
    return replace(RECIPES["synthetic-demo"], config="person", backbone="tests.modelled:three_layers", head_channels=16, width=64, height=64, scenes=4,
                   val="", epochs=1, batch=4, name="crops")  # fmt: skip


@pytest.mark.parametrize("how", [{"plain_loader": True}, {"init": "nowhere"}])
def test_what_a_detector_cannot_do_is_told(how: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=r"reads whole pictures|no folder of a run"):
        train(TINY, tmp_path / "run", quiet=True, **how)  # type: ignore[arg-type]


# -- predicting


def test_a_detector_finds_its_own_boxes_unless_others_are_given(mine: Run, truth: PoseDataset) -> None:
    found = predict(mine, truth, latency=2, quiet=True)
    pred = found.predictions
    assert pred.header["boxes"] == "own" and pred.header["score"] == "box x keypoints" and len(pred)
    assert pred.header["conditions"]["oks_nms"] == 0.9 and pred.header["keypoint_score"] == "probability"
    sure = pred.keypoints[..., 2]
    assert ((sure > 0) & (sure < 1)).all() and np.isfinite(pred.keypoints).all()
    assert (pred.bbox[:, :2] >= 0).all() and (pred.bbox[:, :2] + pred.bbox[:, 2:] <= 256).all()
    assert measured(found, mine)["kind"] == "two-stage" and found.timing.unit == "pictures"
    plain = predict(mine, truth, latency=0, nms=0.0, score="box", quiet=True).predictions
    few = predict(mine, truth, least=float(np.median(plain.score)) + 1e-9, latency=0, nms=0.0, score="box", quiet=True).predictions
    assert 0 < len(few) < len(plain)


def test_truth_boxes_go_through_the_region_heads_in_their_order(mine: Run, truth: PoseDataset) -> None:
    pred = predict(mine, truth, boxes="truth", latency=0, quiet=True).predictions
    assert sorted(pred.truth.tolist()) == sorted(truth.instances.id.tolist()) and pred.header["boxes"] == "truth"
    boxes = find_boxes(truth, "truth")
    mixed = np.random.default_rng(0).permutation(len(boxes))
    other = Boxes(image=boxes.image[mixed], bbox=boxes.bbox[mixed], score=boxes.score[mixed], category=boxes.category[mixed], truth=None, source="truth")
    again = predict(mine, truth, boxes=other, latency=0, batch=16, quiet=True).predictions
    assert np.allclose(again.keypoints, pred.keypoints[mixed], atol=1e-3)
    low, high = pred.bbox[:, None, :2], pred.bbox[:, None, :2] + pred.bbox[:, None, 2:]
    assert ((pred.keypoints[..., :2] >= low - 1) & (pred.keypoints[..., :2] <= high)).all(), "points lie in their boxes"


def test_the_cost_of_boxes_is_a_step_of_the_waterfall(mine: Run, truth: PoseDataset) -> None:
    own, given = (predict(mine, truth, boxes=b, latency=0, quiet=True).predictions for b in (None, "truth"))
    assert "box" in evaluate(truth, own).errors(truth_boxes=given).cost.extra


def test_its_boxes_feed_a_heatmap_model_on_loose_pictures(mine: Run, truth: PoseDataset, tmp_path: Path) -> None:
    crops = train(heatmaps(), tmp_path / "crops", quiet=True)  # type: ignore[arg-type]
    folder = tmp_path / "loose"
    folder.mkdir()
    for row in range(2):
        source = Path(str(truth.images.folder[row])) / str(truth.images.file[row])
        (folder / f"{row}{source.suffix}").write_bytes(source.read_bytes())
    found = predict(crops, folder, boxes=str(mine.folder), latency=0, quiet=True)
    assert found.predictions.header["boxes"] == "detector: mine" and set(found.predictions.image.tolist()) <= {p.name for p in folder.iterdir()}
    assert len(find_boxes(truth, str(mine.folder), quiet=True)) >= len(found.predictions)
    with pytest.raises(PoseError, match="this model looks into boxes and finds none"):
        predict(crops, folder, boxes="own", quiet=True)


def test_a_picture_with_nobody_and_an_empty_set_are_no_trouble(mine: Run, truth: PoseDataset) -> None:
    bare = truth.where(np.zeros(len(truth), bool))
    picky = replace(load_predictor(mine.folder), recipe=mine.recipe)
    picky.model.roi_heads.score_thresh = 1.0
    assert len(predict(picky, bare, quiet=True).predictions) == 0
    with pytest.raises(PoseError, match="no truth, and so no boxes of it"):
        predict(mine, bare, boxes="truth", quiet=True)


def test_the_commands_are_the_same_and_a_row_stands_in_the_leaderboard(mine: Run, tmp_path: Path) -> None:
    out = tmp_path / "preds.json"
    done = CliRunner().invoke(app, ["predict", str(mine.folder), "synthetic/person/val[:4]", "-o", str(out), "--quiet", "--json", "--latency", "1"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["header"]["boxes"] == "own"
    _, row = add_row(read_board(tmp_path / "board.json"), out, name="mine", metrics=["AP", "AP[body]", "AP[foot]"])
    assert (row.kind, row.boxes, row.input) == ("two-stage", "own", "64x64") and {"AP", "AP[body]", "AP[foot]"} <= set(row.metrics)
    assert "AP" in row.intervals
