"""KeypointRCNN: growing, freezing, learning, decoding and mirrors, on models of a few thousand weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from baselines.benchmark import benchmark
from baselines.checkpoint import save_tensors
from baselines.export import export_torch
from baselines.families import family_of
from baselines.freezing import check_frozen, frozen_digest, frozen_parts, frozen_report
from baselines.optim import optimiser_of
from baselines.presence import fit_calibration
from baselines.rcnn.decode import judged, looked_at, mirrored, place
from baselines.rcnn.foreign import read_foreign
from baselines.rcnn.freeze import LADDER, frozen
from baselines.rcnn.grow import kin
from baselines.rcnn.losses import losses_of
from baselines.rcnn.model import RCNN, Features, build_rcnn
from baselines.rcnn.published import our_name
from baselines.rcnn.regions import share_inside
from baselines.rcnn.scoring import Judged, lines_of
from baselines.rcnn.targets import from_cells, point_loss, to_cells
from baselines.recipes import RECIPES
from baselines.starting import started
from posedata import PoseError, load_schema
from tests.detecting import TINY, pictures, recipe, tiny

torch.set_num_threads(1)

BODY, FEET = range(17), range(17, 23)


def points_of(model: RCNN, images: Tensor, boxes: list[Tensor]) -> Tensor:
    features = model.features(images)
    shares, presence = looked_at(model, features, boxes, None)
    return judged(place(model, shares, presence, torch.cat(boxes), TINY))


# -- growing


def test_feet_are_grown_from_the_ankles_of_their_side() -> None:
    found = kin(load_schema("coco17"), load_schema("coco_foot23"))
    assert found == {f"{side}_{part}": f"{side}_ankle" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")}


def test_a_grown_model_gives_the_body_exactly_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    small = tiny("coco17", seed=3)
    theirs = {f"backbone.{n}" if n.startswith("fpn.") else n: t for n, t in small.state_dict().items()}
    torch.save(theirs, tmp_path / "body.pth")
    large, facts = started(recipe(), load_schema("coco_foot23"), str(tmp_path / "body.pth"))
    batch = pictures()
    boxes = [batch.boxes[:2], batch.boxes[2:]]
    with torch.no_grad():
        (maps, there), (more, likely) = small.look(small.features(batch.images), boxes), large.eval().look(large.features(batch.images), boxes)
        ankle, heel = (more[:, load_schema("coco_foot23").index(n)] for n in ("left_ankle", "left_heel"))
    assert torch.equal(more[:, :17], maps)
    assert there is not None and torch.equal(likely[:, :17], there)
    assert 0 < (ankle - heel).abs().max() < 0.1 * ankle.abs().max()
    assert facts["points_grown"]["right_heel"] == "right_ankle" and not facts["points_fresh"]


def test_every_tensor_torchvision_published_has_its_place() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    theirs = {n: t for n, t in theirs.items() if not n.endswith("num_batches_tracked")}  # its norms are frozen as soon as it has weights
    full = replace(RECIPES["coco-keypointrcnn_r50"], width=64, height=64)
    model = build_rcnn(full, load_schema("coco17"), weights=False)
    ours = model.state_dict()
    names = {n: our_name(n, model) for n in theirs}
    assert {names[n]: t.shape for n, t in theirs.items()}.items() <= {n: t.shape for n, t in ours.items()}.items()
    assert {n.split(".")[0] for n in ours.keys() - set(names.values())} == {"presence", "peak"}


def test_other_skeletons_start_from_what_they_share_and_others_are_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "odd.safetensors", tiny("coco_foot23").state_dict(), {})
    with pytest.raises(PoseError, match="23 points; only torchvision's 17 are known by name"):
        started(recipe(), load_schema("coco17"), str(tmp_path / "odd.safetensors"))
    assert kin(load_schema("coco17"), load_schema("ap10k17"))["left_front_paw"] == "left_elbow"


# -- freezing


@pytest.mark.parametrize("rung", LADDER)
def test_each_rung_of_the_ladder_keeps_still_what_it_says(rung: str) -> None:
    own = recipe(rung=rung, lr=0.1, optimiser="sgd", weight_decay=0.0)
    model = build_rcnn(own, load_schema("coco_foot23"))
    frozen_parts(model, frozen(own))
    before, digest = {n: p.detach().clone() for n, p in model.named_parameters()}, frozen_digest(model, frozen(own))
    optimiser = optimiser_of(model, own)
    family_of(own).loss(model, pictures(), model, own).backward()
    optimiser.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved and not {n for n in moved if n.startswith(LADDER[rung])} if LADDER[rung] else "backbone.body.stem.0.weight" in moved
    parts = {".".join(n.split(".")[: 2 if n.startswith("roi") else 1]) for n in moved}
    assert parts >= {"roi_heads.keypoint_predictor", "presence"}
    wanted = {"predictor": 2, "keypoints": 3, "roi": 5, "detector": 7, "all": 8}
    assert len(parts) == wanted[rung]
    check_frozen(model, frozen(own), digest, "here")
    told = "\n".join(frozen_report(model, frozen(own)))
    assert "roi_heads.keypoint_predictor: 0.00 M frozen" in told if LADDER[rung] else not told


def test_a_frozen_weight_that_moved_is_told() -> None:
    model = tiny()
    digest = frozen_digest(model, ("rpn",))
    with torch.no_grad():
        model.rpn.head.cls_logits.bias += 1e-6
    with pytest.raises(PoseError, match="weights of rpn have changed, though they are frozen"):
        check_frozen(model, ("rpn",), digest, "runs/mine")


def test_frozen_norms_have_no_weights_to_learn() -> None:
    own = recipe(backbone="test_resnet", anchors=(16, 32, 64, 96, 128), norm="frozen")
    names = [n for n, _ in build_rcnn(own, load_schema("coco17")).named_parameters()]
    assert names and not any(".bn" in n for n in names)


# -- learning


def test_a_step_lowers_the_loss_and_all_its_parts_are_numbers() -> None:
    own = recipe(lr=0.02, optimiser="sgd", weight_decay=0.0)
    model, batch = build_rcnn(own, load_schema("coco_foot23")), pictures()
    optimiser, seen = optimiser_of(model, own), []
    for _ in range(4):
        torch.manual_seed(0)
        loss = family_of(own).loss(model, batch, model, own)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        seen.append(float(loss.detach()))
    assert np.isfinite(seen).all() and seen[-1] < seen[0]


@pytest.mark.parametrize("who", ["nobody", "no labels", "only a crowd"])
def test_pictures_without_anybody_to_learn_cost_numbers(who: str) -> None:
    batch, model = pictures(), tiny()
    if who == "nobody":
        batch = batch._replace(**{n: getattr(batch, n)[:0] for n in ("owner", "boxes", "crowd", "points", "v", "annotated", "area")})
    elif who == "no labels":
        batch = batch._replace(v=batch.v * 0, annotated=batch.annotated & False, points=batch.points * torch.nan)
    else:
        batch = batch._replace(crowd=batch.crowd | True)
    parts = losses_of(model.train(), model.features(batch.images), (batch, "same", 1.0))
    sum(parts.values()).backward()  # type: ignore[union-attr]
    assert all(torch.isfinite(part) for part in parts.values())
    assert float(parts["points"].detach()) == 0


def test_crowds_are_no_background() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [4, 0, 14, 10]])
    assert share_inside(boxes, torch.tensor([[0.0, 0, 10, 10]])).tolist() == pytest.approx([1, 0, 0.6])
    model, batch = tiny(), pictures(n=1)
    targets = [{"boxes": batch.boxes[:1], "labels": torch.ones(1, dtype=torch.int64), "crowd": torch.tensor([[0.0, 0, 64, 64]])}]
    features = model.features(batch.images)
    anchors = model.rpn.anchor_generator(features.images, list(features.maps.values()))
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, targets)
    covered = share_inside(anchors[0], targets[0]["crowd"]) > 0.5
    assert covered.any() and not (labels[0][covered] == 0).any() and (labels[0] == 1).any()
    kept, *_ = model.roi_heads.sampled([torch.tensor([[1.0, 1, 20, 20]])], targets)
    assert torch.equal(kept[0], batch.boxes[:1])


def test_hidden_points_are_learned_or_left_as_the_recipe_says() -> None:
    torch.manual_seed(0)
    maps, box = torch.randn(1, 2, 56, 56), torch.tensor([[0.0, 0, 56, 56]])
    points = torch.tensor([[[10.0, 10], [30, 30]]])
    both, first = torch.tensor([[2.0, 1]]), torch.tensor([[2.0, 0]])
    cost = lambda v, hidden: float(point_loss(maps, box, points, v, hidden, 1.0))
    assert cost(both, "ignore") == cost(first, "same") != cost(both, "same")
    with pytest.raises(PoseError, match="a distribution over a box has no sign"):
        tiny(hidden="negative")


def test_points_outside_their_box_and_perfect_maps_cost_nothing() -> None:
    box = torch.tensor([[10.0, 10, 66, 66]])
    points = torch.tensor([[[30.2, 41.7]]])
    x, y = to_cells(points, box, 56)[0, 0]
    grid = torch.arange(56.0)
    perfect = (-0.5 * ((grid[None, :] - x) ** 2 + (grid[:, None] - y) ** 2))[None, None]
    v = torch.tensor([[2.0]])
    assert float(point_loss(perfect, box, points, v, "same", 1.0)) == pytest.approx(0, abs=1e-5)
    assert float(point_loss(perfect, box, points + 100, v, "same", 1.0)) == 0
    assert float(point_loss(perfect.flip(-1), box, points, v, "same", 1.0)) > 1


# -- decoding


def test_points_come_back_between_the_cells_for_all_boxes_at_once() -> None:
    rng = torch.Generator().manual_seed(1)
    boxes = torch.tensor([[0.0, 0, 40, 60], [5, 8, 300, 200], [1, 1, 1.2, 9]])
    wanted = boxes[:, None, :2] + (0.1 + 0.8 * torch.rand(3, 23, 2, generator=rng)) * (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1) - 0.5
    places = to_cells(wanted, boxes, 56)
    assert torch.allclose(from_cells(places, boxes, 56), wanted, atol=1e-4)
    grid = torch.arange(56.0)
    away = (grid - places[..., :1])[..., None, :] ** 2 + (grid - places[..., 1:])[..., :, None] ** 2
    shares = (-0.5 * away).flatten(2).softmax(-1).view(3, 23, 56, 56)
    model = tiny()
    found = place(model, shares, None, boxes, TINY)
    cell = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)[:, None] / 56
    assert ((found.points - wanted).abs() < 0.02 * cell).all()
    assert (judged(found)[..., 2] > 0.9).all()


def test_a_mirrored_picture_has_mirrored_points_feet_included() -> None:
    model, batch = tiny(), pictures(n=1)
    boxes, schema = [batch.boxes], load_schema("coco_foot23")
    with torch.no_grad():
        straight, turned = model.features(batch.images), model.features(batch.images.flip(-1))
        one = judged(place(model, *looked_at(model, straight, boxes, turned), batch.boxes, TINY))
        back = mirrored(batch.boxes, 64)
        two = judged(place(model, *looked_at(model, turned, [back], straight), back, TINY))
        alone = judged(place(model, *looked_at(model, straight, boxes, None), batch.boxes, TINY))
    expected = one[:, schema.mirror.tolist()] * torch.tensor([-1.0, 1, 1]) + torch.tensor([63.0, 0, 0])
    assert torch.allclose(two, expected, atol=1e-2)
    assert schema.mirror[schema.index("left_heel")] == schema.index("right_heel")
    assert not torch.allclose(alone[:, list(FEET)], one[:, list(FEET)], atol=1e-2), "the flip test changes feet"
    assert mirrored(torch.tensor([[1.0, 2, 11, 12]]), 64).tolist() == [[53, 2, 63, 12]]


def test_points_can_be_left_out() -> None:
    model, batch = tiny(), pictures(n=1)
    with torch.no_grad():
        shares, presence = looked_at(model, model.features(batch.images), [batch.boxes], None)
        placed = place(model, shares, presence, batch.boxes, TINY)
    assert presence is not None
    cut = float(presence.sigmoid().median())
    left = judged(placed, cut)
    assert torch.equal(left[..., 0].isnan(), presence.sigmoid() < cut) and left[..., 0].isnan().any()
    assert (left[..., 2] > 0).all() and (left[..., 2] < 1).all()


# -- probabilities


def test_probabilities_are_calibrated_on_a_toy_set() -> None:
    rng = np.random.default_rng(0)
    peak, presence = rng.normal(2, 2, (4000, 3)), rng.normal(0, 3, (4000, 3))
    labelled = rng.random((4000, 3)) < 1 / (1 + np.exp(-(0.5 * presence + 1)))
    right = labelled & (rng.random((4000, 3)) < 1 / (1 + np.exp(-(0.7 * peak - 1))))
    lines = lines_of([Judged(peak, right, labelled, np.ones_like(labelled), presence)])
    assert lines["peak.line"] == pytest.approx((0.7, -1), abs=0.1) and lines["presence.line"] == pytest.approx((0.5, 1), abs=0.1)
    sure = lines["peak.line"](peak) * lines["presence.line"](presence)
    assert ((sure > 0) & (sure < 1)).all()
    for low in np.arange(0, 0.9, 0.1):
        some = (sure >= low) & (sure < low + 0.1)
        assert abs(right[some].mean() - sure[some].mean()) < 0.05, "what happens is as likely as was said"


def test_without_presence_or_labels_the_lines_are_harmless() -> None:
    nothing = np.zeros((0, 3))
    lines = lines_of([Judged(nothing, nothing > 0, nothing > 0, nothing > 0, nothing)])
    assert lines["peak.line"] == fit_calibration(nothing, nothing > 0)
    blind = lines_of([Judged(np.zeros((2, 3)), np.zeros((2, 3)) > 0, np.ones((2, 3)) > 0, np.ones((2, 3)) > 0, np.full((2, 3), np.nan))])
    assert set(blind) == {"peak.line"} and tiny(presence=False).presence is None


# -- weights of others


def test_a_foreign_file_is_read_as_torch_would_without_its_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torch.arange(24.0).view(2, 3, 4)
    kept = {"a": whole, "view": whole[:, 1:].transpose(1, 2), "half": whole.half(), "n": torch.tensor(3), "none": torch.zeros(0, 2)}
    torch.save(kept, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    found = read_foreign(tmp_path / "w.pth")
    assert found.keys() == kept.keys() and all(torch.equal(found[n], kept[n]) and found[n].dtype == kept[n].dtype for n in kept)


class Evil:
    def __reduce__(self) -> Any:
        return print, ("taken over",)


@pytest.mark.parametrize("odd", [{"a": Evil()}, [torch.zeros(1)], {"a": 1}, {1: torch.zeros(1)}])
def test_a_file_that_wants_more_than_tensors_is_refused(odd: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(odd, tmp_path / "w.pth")
    with pytest.raises(PoseError, match="no plain dictionary of tensors"):
        read_foreign(tmp_path / "w.pth")
    assert not capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x02."])
def test_what_is_no_file_of_torch_is_said_so(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(data)
    with pytest.raises(PoseError, match="no plain dictionary of tensors"):
        read_foreign(tmp_path / "w.pth")
    with pytest.raises(PoseError, match="no such file"):
        read_foreign(tmp_path / "none.pth")


def test_published_weights_that_cannot_be_had_are_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(PoseError, match=r"cannot be had .no network.; put the file at .*keypointrcnn_resnet50_fpn_coco"):
        started(recipe(pretrained=True), load_schema("coco17"), "weights")


# -- settings


def test_settings_that_do_not_fit_the_network_are_refused() -> None:
    with pytest.raises(PoseError, match="anchors: 2 sizes for 3 levels of the pyramid"):
        tiny(anchors=(8, 16))
    with pytest.raises(PoseError, match="has one map of stride"):
        tiny(backbone="vit_tiny_patch16_224", anchors=(8, 16))


@pytest.mark.parametrize("name", [n for n in RECIPES if "rcnn" in n and "r101" not in n and "crowdpose" not in n and "foot-keypointrcnn_swin" not in n])
def test_every_recipe_of_a_detector_has_a_network(name: str) -> None:
    own = replace(RECIPES[name], width=64, height=64) if "swin" not in name else replace(RECIPES[name], width=224, height=224)
    model = build_rcnn(own, load_schema("coco_foot23" if "foot" in name else "coco17"), weights=False)
    assert model.roi_heads.keypoint_predictor.out_channels == (23 if "foot" in name else 17)
    assert isinstance(model.eval().features(torch.zeros(1, 3, *own.size[::-1])), Features)


def test_what_a_detector_is_not_made_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(PoseError, match="a detector: its examples are pictures"):
        benchmark(TINY)
    with pytest.raises(PoseError, match="export a model of crops"):
        export_torch(tiny(), tmp_path / "m.pt2")


def test_settings_of_detectors_change_nothing_for_models_of_crops() -> None:
    crops = RECIPES["synthetic-demo"]
    assert replace(crops, rois=64).fingerprint == crops.fingerprint
    assert replace(TINY, rois=64).fingerprint != TINY.fingerprint
