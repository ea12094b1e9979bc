"""Backbones of every kind under every head, their depths, costs, and a presence that lets a model leave a point out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

import posebench  # noqa: E402
from baselines.backbones import BackboneError  # noqa: E402
from baselines.complexity import complexity  # noqa: E402
from baselines.heads import HEADS, Bilinear, Deconvolutions, Pyramid  # noqa: E402
from baselines.layers import layers, undecayed  # noqa: E402
from baselines.models import PoseModel, build, predict_flipped  # noqa: E402
from baselines.presence import Calibration, fit_calibration, judge, set_calibration  # noqa: E402
from posedata import Keypoint, PoseDataset, Predictions, Schema, load_schema  # noqa: E402
from posedata.errors import DataError, PoseError  # noqa: E402
from tests.modelled import Small, noise, small  # noqa: E402

KINDS = {
    "tests.modelled:three_layers": ([16, 32], [4, 8]),
    "test_resnet": ([32, 48, 192, 96], [4, 8, 16, 32]),
    "mobilenetv4_conv_small": ([32, 64, 96, 960], [4, 8, 16, 32]),
    "hrnet_w18_small": ([16, 32, 64, 128], [4, 8, 16, 32]),
    "test_convnext": ([24, 32, 48, 64], [4, 8, 16, 32]),
    "swin_s3_tiny_224": ([96, 192, 384, 768], [4, 8, 16, 32]),
    "torchvision:shufflenet_v2_x0_5": ([24, 48, 96, 1024], [4, 8, 16, 32]),
}
"""Backbone: channels and strides of all its maps."""


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_backbone_gives_maps_at_exact_strides_of_a_tall_input(name: str) -> None:
    model = small(backbone=name)
    assert (model.backbone.channels, model.backbone.strides) == KINDS[name]
    maps = model.eval().backbone(noise(model))
    assert [tuple(one.shape[1:]) for one in maps] == [(c, 96 // s, 64 // s) for c, s in zip(*KINDS[name], strict=True)], "NCHW"
    assert model(noise(model)).maps[0].shape == (2, 17, 24, 16) and model.stride == 4


@pytest.mark.parametrize(
    ("changes", "stride", "shapes"),
    [
        ({"head": "deconv", "backbone": "test_resnet"}, 4, [(24, 16)]),
        ({"head": "deconv", "backbone": "test_resnet", "head_layers": 2, "head_kernel": 3, "head_channels": 8}, 8, [(12, 8)]),
        ({"head": "deconv", "backbone": "test_resnet", "head_layers": 0}, 32, [(3, 2)]),
        ({"head": "deconv", "backbone": "test_resnet", "head_layers": 1, "head_kernel": 7}, 16, [(6, 4)]),
        ({"head": "deconv", "backbone": "hrnet_w18_small", "head_layers": 0}, 4, [(24, 16)]),
        ({"head": "bilinear", "backbone": "hrnet_w18_small"}, 4, [(24, 16)]),
        ({"head": "bilinear", "backbone": "test_vit"}, 4, [(24, 16)]),
        ({"head": "bilinear", "backbone": "vit_tiny_patch16_224", "width": 96, "height": 64}, 4, [(16, 24)]),
        ({"head": "bilinear", "backbone": "vit_small_patch14_dinov2", "width": 42, "height": 70}, 3.5, [(20, 12)]),
        ({"head": "bilinear", "backbone": "vit_small_patch16_dinov3"}, 4, [(24, 16)]),
        ({"head": "simcc", "backbone": "test_resnet", "head_layers": 1}, 0.5, [(128,), (192,)]),
    ],
)
def test_a_head_ends_where_it_says(changes: dict[str, Any], stride: float, shapes: list[tuple[int, ...]]) -> None:
    model = small(**changes).eval()
    out = model(noise(model))
    assert [tuple(one.shape[2:]) for one in out.maps] == shapes and model.stride == stride
    assert out.presence is not None and out.presence.shape == (2, 17)
    points = model.decode(out)
    assert points.shape == (2, 17, 3) and bool(torch.isfinite(points).all())


def identity(layer: Any) -> None:
    """Make a convolution hand on its first channel."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[:, 0, layer.weight.shape[2] // 2, layer.weight.shape[3] // 2] = 1


def places(rows: int, columns: int, stride: float) -> Any:
    """(1, 1, rows, columns) of the input pixel, across, at the middle of each cell."""
    return (((torch.arange(columns) + 0.5) * stride - 0.5) * torch.ones(rows, 1))[None, None]


def test_bilinear_and_pyramid_keep_every_pixel_in_its_place() -> None:
    """A map that holds its own places must hold them still once it is finer."""
    simple = Bilinear(1, 16, 2)
    identity(simple.out)
    assert torch.allclose(simple([places(6, 4, 16)])[0][:, :, :, 2:-2], places(24, 16, 4)[..., 2:-2].expand(1, 2, 24, 12), atol=1e-4)
    pyramid = Pyramid([1, 1, 1], [4, 8, 16], 2, width=1)
    pyramid.smooth = torch.nn.Identity()
    for layer in (*pyramid.lateral, pyramid.out):
        identity(layer)
    joined = pyramid([places(24, 16, 4), places(12, 8, 8), places(6, 4, 16)])[0] / 3
    assert torch.allclose(joined[..., 4:-4], places(24, 16, 4)[..., 4:-4].expand(1, 2, 24, 8), atol=1e-4)


@pytest.mark.parametrize(("kernel", "step", "keeps"), [(2, 2, True), (4, 2, True), (6, 2, True), (3, 2, False), (5, 2, False), (4, 4, True), (3, 3, True)])
def test_deconvolutions_keep_the_half_pixel_where_kernel_and_step_are_of_one_kind(kernel: int, step: int, keeps: bool) -> None:
    head = Deconvolutions(1, 32, 1, layers=1, width=1, kernel=kernel, step=step).eval()
    with torch.no_grad():
        head.up[0][0].weight.fill_(1.0)
    x = torch.rand(1, 1, 4, 6, generator=torch.Generator().manual_seed(0))
    assert head([x])[0].shape == (1, 1, 4 * step, 6 * step)
    assert torch.allclose(head([x])[0].flip(-1), head([x.flip(-1)])[0], atol=1e-6) == keeps


def test_every_head_is_tried() -> None:
    assert set(HEADS) == {"bilinear", "deconv", "fpn", "simcc"}


def test_a_step_of_deconvolutions_is_a_setting() -> None:
    recipe = type("Recipe", (Small,), {"head_stride": 4})(backbone="test_resnet", head="deconv", head_layers=1, head_kernel=6)
    assert build(recipe, load_schema("coco17")).stride == 8


def test_the_branches_of_hrnet_are_its_own() -> None:
    """32 channels at stride 4, where timm's default gives what a classifier makes of them; and as many parameters as its authors print: 28.5 M."""
    model = small(backbone="hrnet_w32", head="bilinear", presence=False)
    assert model.backbone.channels == [32]
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(28.5, abs=0.05)


@pytest.mark.parametrize(
    "name", ["tests.modelled:three_layers", "test_convnext", "mobilenetv4_conv_small", "hrnet_w18_small", "test_vit", "torchvision:shufflenet_v2_x0_5"]
)
@pytest.mark.parametrize("head", ["fpn", "bilinear"])
def test_nothing_is_kept_that_cannot_learn(name: str, head: str) -> None:
    """A parameter without gradient, such as a classifier's norm, would make processes wait for each other."""
    if (name, head) == ("test_vit", "fpn"):
        with pytest.raises(PoseError, match="'fpn' on a backbone with one stride"):
            small(backbone=name, head=head)
        return
    model = small(backbone=name, head=head).train()
    out = model(noise(model))
    (sum(one.square().mean() for one in out.maps) + out.presence.square().mean()).backward()
    assert [own for own, p in model.named_parameters() if p.grad is None] == []


# --- what cannot be


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "hrnet_w33"}, r"backbone: timm has no 'hrnet_w33'; did you mean 'hrnet_w\d\d'\?"),
        ({"backbone": "test_resnet.nonsense"}, r"backbone: timm has no weights 'test_resnet.nonsense'; did you mean 'test_resnet\.r160_in1k'\?"),
        ({"backbone": "torchvision:shuffelnet_v2_x0_5"}, r"torchvision has no classifier 'shuffelnet_v2_x0_5'; did you mean 'shufflenet_v2_x0_5'\?"),
        ({"backbone": "torchvision:vit_b_16"}, r"torchvision:vit_b_16: its tokens are no map; timm has the same"),
        ({"backbone": "torchvision:fasterrcnn_resnet50_fpn"}, r"torchvision has no classifier 'fasterrcnn_resnet50_fpn'"),
        ({"backbone": "no_such_module:f"}, r"backbone: 'no_such_module:f': No module named 'no_such_module'; write module:function"),
        (
            {"backbone": "tests.modelled:nothing"},
            r"backbone: 'tests.modelled:nothing': module 'tests.modelled' has no attribute 'nothing'; write module:function",
        ),
        ({"backbone": ":"}, r"backbone: ':': .*; write module:function"),
        ({"backbone": ""}, r"backbone: timm has no ''; known: "),
        ({"backbone": "tests.modelled:no_module"}, r"tests.modelled:no_module: returns a list; return a torch.nn.Module"),
        ({"backbone": "tests.modelled:no_maps"}, r"tests.modelled:no_maps: its forward gives no maps; return one \(N, C, rows, columns\)"),
        ({"backbone": "test_resnet", "width": 100}, r"test_resnet: input 100 x 96 becomes a map of .*; multiples of the stride leave no remainder: "),
        (
            {"backbone": "vit_small_patch14_dinov2", "head": "bilinear"},
            r"input 64 x 96 becomes a map of 4 x 6; multiples of the stride leave no remainder: 70 x 98",
        ),
        ({"backbone": "vgg11", "drop_path": 0.1}, r"vgg11: timm refuses drop_path_rate=0.1: .*; change input size or drop_path"),
        ({"drop_path": 0.1}, r"tests.modelled:three_layers: drop_path 0.1; only timm's backbones take it here"),
        ({"head": "deconf"}, r"recipe: head 'deconf'; did you mean 'deconv'\?"),
        (
            {"head": "deconv", "backbone": "hrnet_w18_small"},
            r"head: 3 deconvolutions of stride 2 on a map of stride 4 end finer than the input; head_layers 0 ends at stride 4",
        ),
        ({"head": "deconv", "head_kernel": 1}, r"head: 3 deconvolutions of 16 channels, kernel 1, stride 2; at least 1 channel, and a kernel no smaller"),
        ({"width": 0}, r"recipe: input 0 x 96, 17 keypoints; both need at least one"),
        ({"head": "simcc", "hidden": "negative"}, r"recipe: hidden 'negative' with head 'simcc'"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PoseError, match=said) as caught:
        small(**changes)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1200


def test_weights_that_cannot_be_had_stop_and_name_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no route to host\nmany more lines")

    monkeypatch.setattr("torchvision.models.get_model", refuse)
    for name in ("test_resnet", "torchvision:shufflenet_v2_x0_5"):  # HF_HUB_OFFLINE is set for all tests
        with pytest.raises(BackboneError, match=r"no pretrained weights: .*; go online once so that they are kept, or start without: --init scratch") as caught:
            small(backbone=name, pretrained=True)
        assert "\n" not in str(caught.value)
    assert build(replace(Small(), backbone="test_resnet", pretrained=True), load_schema("coco17"), weights=False), "somebody loads others"


# --- the model as a whole


def test_the_recipe_alone_decides_the_first_weights() -> None:
    before = torch.random.get_rng_state()
    a = small(backbone="test_resnet").state_dict()
    assert torch.equal(before, torch.random.get_rng_state()), "nobody else's draws are moved"
    torch.manual_seed(7)
    b, c = small(backbone="test_resnet").state_dict(), small(backbone="test_resnet", seed=1).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["head.out.weight"], c["head.out.weight"])


def test_a_model_is_built_in_training_mode_and_untouched_by_being_looked_at() -> None:
    model = small(backbone="test_resnet")
    assert all(module.training for module in model.modules())
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(bool((m.running_mean == 0).all()) and int(m.num_batches_tracked) == 0 for m in norms)
    assert not any(m._forward_hooks for m in model.modules())


def test_bytes_and_floats_of_a_picture_say_the_same() -> None:
    model = small(backbone="test_resnet").eval()
    whole = noise(model).round()
    a, b = model(whole), model(whole.to(torch.uint8))
    assert torch.equal(a.maps[0], b.maps[0])
    assert torch.allclose(model.mean.flatten() / 255, torch.tensor(model.backbone.mean)) and "mean" not in model.state_dict()


@pytest.mark.parametrize("changes", [{}, {"head": "simcc", "head_layers": 0}, {"hidden": "negative", "presence": False}])
def test_the_flip_test_knows_no_side(changes: dict[str, Any]) -> None:
    """The mean over an image and its mirror image must turn over when the image does."""
    model = small("ap10k17", **changes).eval()
    mirror = model.schema.mirror.tolist()
    images = noise(model)
    a, b = predict_flipped(model, images), predict_flipped(model, images.flip(-1))
    assert torch.allclose(a.maps[0], b.maps[0][:, mirror].flip(-1), atol=1e-6)
    assert all(torch.allclose(x, y[:, mirror], atol=1e-6) for x, y in zip(a.maps[1:], b.maps[1:], strict=True))
    assert (a.presence is None and not model.presence) or torch.allclose(a.presence, b.presence[:, mirror], atol=1e-6)
    xa, xb = model.decode(a), model.decode(b)[:, mirror]
    assert torch.allclose(model.size[0] - 1 - xb[..., 0], xa[..., 0], atol=1e-2)


# --- depths


@pytest.mark.parametrize("name", [*sorted(KINDS), "test_vit", "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"])
def test_depths_rise_from_the_image_to_the_head(name: str) -> None:
    size = {"width": 42, "height": 70} if "patch14" in name else {}
    model = small(backbone=name, head="bilinear", **size)
    depths = layers(model)
    assert list(depths) == [own for own, _ in model.named_parameters()]
    heads = {depth for own, depth in depths.items() if not own.startswith("backbone.")}
    inside = [depth for own, depth in depths.items() if own.startswith("backbone.")]
    assert heads == {max(inside) + 1} and min(inside) == 0
    assert set(depths.values()) == set(range(max(inside) + 2)), "no gaps"
    tokens = [depth for own, depth in depths.items() if own.endswith(("cls_token", "reg_token", "pos_embed"))]
    assert not any(tokens) and (tokens or "dinov2" not in name)
    for p in model.backbone.parameters():
        p.requires_grad_(False)
    assert layers(model) == depths, "freezing moves nobody"


def test_a_token_that_timm_forgets_is_shallow_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As timm did with reg_token until issue 2712."""
    from baselines import layers as room

    timms = room.group_parameters
    monkeypatch.setattr(room, "group_parameters", lambda *a, **k: {**timms(*a, **k), "cls_token": 6})
    assert layers(small(backbone="test_vit", head="bilinear"))["backbone.body.model.cls_token"] == 0


def test_every_block_of_a_vit_learns_at_its_own_rate() -> None:
    """One step of plain SGD with gradient 1 moves each weight by its own rate."""
    model = small(backbone="test_vit", head="bilinear")
    depths, decay = layers(model), 0.5
    deepest = max(depths.values())
    assert [depths[f"backbone.body.model.blocks.{n}.attn.qkv.weight"] for n in range(6)] == [1, 2, 3, 4, 5, 6]
    groups = [{"params": [p], "lr": decay ** (deepest - depths[own])} for own, p in model.named_parameters()]
    before = {own: p.detach().clone() for own, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    torch.optim.SGD(groups, lr=1.0).step()
    moved = {own: float((before[own] - p.detach()).mean()) for own, p in model.named_parameters()}
    assert moved["head.out.weight"] == pytest.approx(1, rel=1e-4)
    assert moved["backbone.body.model.blocks.5.attn.qkv.weight"] == pytest.approx(0.5, rel=1e-3)
    assert moved["backbone.body.model.blocks.0.attn.qkv.weight"] == pytest.approx(0.5**6, rel=1e-3)
    assert moved["backbone.body.model.patch_embed.proj.weight"] == pytest.approx(0.5**7, rel=1e-3)


def test_biases_norms_and_places_do_not_decay() -> None:
    model = small(backbone="test_vit", head="bilinear")
    spared = undecayed(model)
    assert {"backbone.body.model.pos_embed", "backbone.body.model.cls_token", "head.out.bias", "backbone.body.model.norm.weight"} <= spared
    assert "head.out.weight" not in spared and "backbone.body.model.blocks.0.attn.qkv.weight" not in spared


# --- costs


def test_costs_are_those_that_are_known() -> None:
    """ResNet-50 with three deconvolutions at 256 x 192: 34.0 M parameters (SimpleBaseline's table) and 5.43 GMAC."""
    model = small(backbone="resnet50", head="deconv", head_channels=256, width=192, height=256, presence=False)
    cost = complexity(model)
    assert cost.parameters / 1e6 == pytest.approx(34.0, abs=0.01) and cost.macs / 1e9 == pytest.approx(5.43, abs=0.01)
    assert str(cost) == "34.00 M parameters, 5.43 GMAC, 136.2 MB"
    assert model.training, "left as it was"


def test_a_convolution_costs_what_a_hand_counts(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    model = small()
    cells = {4: 24 * 16, 8: 12 * 8}
    own = cells[4] * (16 * 3 * 16 + 16 * 16 * 9) + cells[8] * 32 * 16 * 4  # stem, fine, coarse
    head = cells[4] * (16 * 16 + 16 * 16 * 9 + 17 * 16) + cells[8] * 32 * 16
    cost = complexity(model)
    assert cost.macs == own + head + 2 * 32 * 17
    safetensors.save_file(model.state_dict(), tmp_path / "m.safetensors")
    header = int.from_bytes((tmp_path / "m.safetensors").read_bytes()[:8], "little") + 8
    assert cost.size == (tmp_path / "m.safetensors").stat().st_size - header
    assert cost.to_json() == {"parameters": cost.parameters, "macs": cost.macs, "size": cost.size}
    assert complexity(model, (128, 192)).macs == pytest.approx(4 * cost.macs, rel=0.01)


# --- presence


def test_a_line_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(1, 3, (4000, 10))
    present = rng.random(logits.shape) < 1 / (1 + np.exp(-(0.4 * logits - 0.8)))
    line = fit_calibration(logits, present)
    assert line.slope == pytest.approx(0.4, abs=0.02) and line.intercept == pytest.approx(-0.8, abs=0.05)
    assert float(line(logits).mean()) == pytest.approx(present.mean(), abs=1e-3), "as many are said to be there as are"
    known = rng.random(logits.shape) < 0.5
    assert fit_calibration(logits, np.where(known, present, True), known) == fit_calibration(logits[known][:, None], present[known][:, None])


def test_a_line_is_found_for_logits_of_any_size() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, 500)
    present = rng.random(500) < 1 / (1 + np.exp(-2 * logits))
    lines = [fit_calibration(logits * gain + 50 * gain, present) for gain in (1e-4, 1.0, 1e4)]
    assert np.allclose([line.slope * gain for line, gain in zip(lines, (1e-4, 1.0, 1e4), strict=True)], lines[1].slope)
    apart = fit_calibration(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    assert np.isfinite(apart).all() and apart(np.array([5.0]))[0] < 1, "what is told apart without fault is not therefore certain"


def test_odd_logits_make_no_odd_line() -> None:
    assert fit_calibration(np.zeros((0, 3)), np.zeros((0, 3))) == Calibration()
    assert fit_calibration(np.ones((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))) == Calibration()
    everything = fit_calibration(np.arange(9.0), np.ones(9))
    assert everything.slope == 0 and everything(np.array([-99.0, 99.0])) == pytest.approx([10 / 11, 10 / 11])
    same = fit_calibration(np.ones(8), np.arange(8) < 4)
    assert same(np.array([1.0]))[0] == pytest.approx(0.5)
    wrong_way = fit_calibration(np.arange(100.0), np.arange(100) < 50)
    assert wrong_way.slope == 0, "a model that is wrong is not turned round"
    with pytest.raises(DataError, match=r"presence: 1 of 2 logits are not finite"):
        fit_calibration(np.array([np.nan, 1]), np.array([0, 1]))
    with pytest.raises(DataError, match=r"presence: logits \(2,\), present \(3,\)"):
        fit_calibration(np.zeros(2), np.zeros(3))


def test_a_line_lives_in_the_model_and_in_its_file() -> None:
    model = small().eval()
    raw = model(noise(model)).presence
    set_calibration(model, Calibration(0.5, -1.0))
    assert torch.allclose(model(noise(model)).presence, 0.5 * raw - 1)
    other = small().eval()
    other.load_state_dict(model.state_dict())
    assert torch.allclose(other(noise(model)).presence, 0.5 * raw - 1)


def test_a_judged_point_is_as_sure_as_both_say() -> None:
    points = np.array([[[3.0, 4.0, 0.8], [5.0, 6.0, 1.3], [7.0, 8.0, -0.1]]])
    assert judge(points, None)[..., 2].tolist() == [[0.8, 1.0, 0.0]]
    assert judge(points, np.array([[0.0, 100.0, 100.0]]))[..., 2].tolist() == [[0.4, 1.0, 0.0]]
    assert points[0, 1, 2] == 1.3, "what is given stays"


DOTS = Schema(name="dots", keypoints=tuple(Keypoint(name, 0.08) for name in ("red", "green", "blue", "white")))


def dots(n: int, seed: int) -> tuple[Any, Any, Any]:
    """Pictures of four coloured dots; four in ten are faint, and those nobody labels, as a far eye. The pictures, where the dots are, and visibilities."""
    rng = np.random.default_rng(seed)
    xy, there = rng.uniform(8, 56, (n, 4, 2)), rng.random((n, 4)) < 0.6
    rows, columns = np.mgrid[:64, :64]
    blob = np.exp(-((columns - xy[..., 0, None, None]) ** 2 + (rows - xy[..., 1, None, None]) ** 2) / 18) * np.where(there, 1.0, 0.5)[..., None, None]
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    images = np.clip(np.einsum("nkhw,kc->nchw", blob, colours) + rng.normal(40, 12, (n, 3, 64, 64)), 0, 255).astype(np.float32)
    return torch.from_numpy(images), xy, np.where(there, 2, 0)


def learned_dots() -> PoseModel:
    """A small model after 120 steps; as in all training, missing points count in the presence only."""
    model = small(DOTS, width=64, height=64, head_channels=32)
    images, xy, v = dots(256, 0)
    (target,), weight = model.coding.encode(torch.from_numpy(xy).float(), torch.from_numpy(v))
    steps = torch.optim.AdamW(model.parameters(), lr=5e-3)
    order = np.random.default_rng(0)
    for _ in range(120):
        rows = torch.from_numpy(order.integers(0, 256, 32))
        out = model(images[rows])
        heat = ((out.maps[0] - target[rows]) ** 2).mean((2, 3)) * weight[rows]
        there = torch.nn.functional.binary_cross_entropy_with_logits(out.presence, weight[rows])
        loss = heat.sum() / weight[rows].sum() * 100 + 0.3 * there
        steps.zero_grad()
        loss.backward()
        steps.step()
    return model.eval()


def surplus(points: Any, xy: Any, v: Any) -> tuple[float, float, float]:
    """Share of missing points said all the same, share of points found, and AP."""
    n = len(xy)
    whole = np.tile([0.0, 0, 64, 64], (n, 1))
    truth = PoseDataset.from_arrays(
        schema=DOTS, image=np.arange(n), keypoints=np.concatenate([xy, v[..., None]], -1) * (v > 0)[..., None], bbox=whole, area=[1024.0] * n,
        images={"id": np.arange(n), "width": [64] * n, "height": [64] * n},
    )  # fmt: skip
    pred = Predictions.from_arrays(schema=DOTS, image=np.arange(n), keypoints=points, score=points[..., 2].mean(1), header={"keypoint_score": "probability"})
    ev = posebench.evaluate(truth, pred)
    lost = ev.errors().surplus
    found = (np.linalg.norm(points[..., :2] - xy, axis=-1) < 4) & (points[..., 2] > lost["confidence"]) & (v > 0)
    return lost["surplus"] / lost["could"], float(found.sum() / (v > 0).sum()), float(ev["AP"])


def test_presence_lets_a_model_leave_a_point_out() -> None:
    """Without it the model places most missing points, since its loss never saw one; with it nearly none, and hardly a real one is lost."""
    model = learned_dots()
    with torch.no_grad():
        (fit, _, v_fit), (images, xy, v) = dots(128, 1), dots(128, 2)
        set_calibration(model, fit_calibration(model(fit).presence.numpy(), v_fit > 0))
        out = model(images)
        points, logits = model.decode(out).numpy(), out.presence.numpy()
    before, after = surplus(judge(points, None), xy, v), surplus(judge(points, logits), xy, v)
    print(f"surplus {before[0]:.3f} -> {after[0]:.3f}, found {before[1]:.3f} -> {after[1]:.3f}, AP {before[2]:.3f} -> {after[2]:.3f}")
    assert before[1] > 0.9, "it has learned where dots are"
    assert before[0] > 0.5 and after[0] < before[0] / 3
    assert after[1] > before[1] - 0.03
    said = 1 / (1 + np.exp(-logits))
    assert abs(said.mean() - (v > 0).mean()) < 0.05, "calibrated"
