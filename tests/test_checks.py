"""Checks before training: every planted fault is found and named with a way out, and the clean recipe passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import posedata
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from baselines.checking.batch import look_at_batch, look_at_shapes  # noqa: E402
from baselines.checking.bench import Bench, all_of, as_trained, few  # noqa: E402
from baselines.checking.data import look_at_data  # noqa: E402
from baselines.checking.fitting import look_at_rate, turning  # noqa: E402
from baselines.checking.flow import look_at_activations, look_at_gradients  # noqa: E402
from baselines.checking.running import _sets, check, opened  # noqa: E402
from baselines.checkpoint import read_tensors, save_tensors  # noqa: E402
from baselines.cli import app  # noqa: E402
from baselines.codec import Coding  # noqa: E402
from baselines.recipes import RECIPES, Recipe  # noqa: E402
from baselines.runs import read_run  # noqa: E402
from baselines.train import train  # noqa: E402
from tests import tiny  # noqa: E402
from tests.tiny import RECIPE  # noqa: E402

CLEAN = replace(RECIPE, scenes=64)
CODINGS = {"hidden": "ignore"}, {"hidden": "negative"}, {"head": "simcc", "sigma": 4.0}


@pytest.fixture(autouse=True)
def one_cache(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    torch.set_num_threads(1)


def bench(recipe: Recipe = CLEAN, **changes: Any) -> Bench:
    return opened(replace(recipe, **changes), device="cpu")


def said(part: Any) -> str:
    return " | ".join(map(str, part.verdicts))


# -- clean -----------------------------------------------------------------------------------------------


def test_the_clean_recipe_passes_and_learns_eleven_examples_by_heart(tmp_path: Path) -> None:
    found = check(CLEAN, tmp_path, steps=150, device="cpu")
    assert found.ok, found
    assert [p.name for p in found.parts] == ["data", "batch", "shapes", "gradients", "activations", "rate", "fit"]
    fit = found["fit"].values
    assert fit["examples"] == 11 and fit["losses"][-1] < 0.2 * fit["losses"][0]
    assert fit["by_threshold"]["0.50"]["recall"] >= fit["by_threshold"]["0.75"]["possible"] > 0.9
    assert {p.name for part in found.parts for p in part.pictures} == {"batch.png", "activations.png", "fit.png", "precision-recall.png"}
    assert all(path.stat().st_size > 10_000 for part in found.parts for path in part.pictures)
    assert found["shapes"].values["outputs"] == [[17, 16, 16]] and found["shapes"].values["stride"] == 4
    assert json.loads(json.dumps(found.to_dict()))["ok"] is True
    assert repr(found).endswith("tiny: nothing found")


@pytest.mark.parametrize("changes", CODINGS, ids=str)
def test_other_codings_pass_too(changes: dict[str, Any], tmp_path: Path) -> None:
    found = check(replace(CLEAN, **changes), tmp_path, quick=True, device="cpu")
    assert found.ok, found
    assert found.skipped == ("fit: --quick",)


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    b = bench()
    before = {name: value.clone() for name, value in b.model.state_dict().items()}
    for part in (look_at_batch(b, tmp_path), look_at_shapes(b), look_at_gradients(b), look_at_activations(b, tmp_path), look_at_rate(b, 4)):
        assert not part.verdicts
    assert all(torch.equal(before[n], v) for n, v in b.model.state_dict().items()), "batch norms' running means included"


# -- faults of the data ----------------------------------------------------------------------------------


def data(of: Callable[[dict[str, Any]], None] = lambda d: None, **changes: Any) -> str:
    """Verdicts on rendered animals after something was done to their arrays."""
    recipe = replace(CLEAN, **changes)
    sets = _sets(recipe, None)
    own = sets["train"].instances
    arrays = {"keypoints": own.keypoints.copy(), "bbox": own.bbox.copy(), "area": own.area.copy()}
    of(arrays)
    return said(look_at_data(recipe, sets | {"train": replace(sets["train"], instances=own.with_trusted(**arrays))}))


def test_clean_data_has_no_verdict() -> None:
    assert data() == "" and data(config="person") == ""


def exchanged(a: dict[str, Any]) -> None:
    a["keypoints"][..., :2] = a["keypoints"][..., 1::-1]


def no_area(a: dict[str, Any]) -> None:
    a["area"][3] = 0


def no_left_eye(a: dict[str, Any]) -> None:
    a["keypoints"][:, 0] = 0


def few_left_eyes(a: dict[str, Any]) -> None:
    a["keypoints"][4:, 0] = 0


def no_labels(a: dict[str, Any]) -> None:
    a["keypoints"][:] = 0


def most_unlabelled(a: dict[str, Any]) -> None:
    a["keypoints"][8:] = 0


def beside(a: dict[str, Any]) -> None:
    a["bbox"][2, 0] = 5000


def elsewhere(a: dict[str, Any]) -> None:
    a["bbox"][:] = a["bbox"][::-1]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (exchanged, "x and y look exchanged (PD117)"),
        (no_area, "1 x area of nothing (PD109)"),
        (no_left_eye, "labels missing: never labelled: left_eye; label them, or --set schema="),
        (few_left_eyes, "labels missing: left_eye is labelled 3 times, right_eye"),
        (no_labels, "train has no labelled point"),
        (most_unlabelled, "70 of 78 instances have no labelled point or no box"),
        (beside, "train: 1 boxes lie wholly outside their image (e.g. instance"),
        (elsewhere, "of the labelled points lie outside their own padded box"),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_each_fault_of_the_data_is_found(fault: Callable[[dict[str, Any]], None], words: str) -> None:
    assert words in data(fault)


def with_pairs(pairs: tuple[tuple[str, str], ...], rename: bool = False) -> str:
    sets = _sets(CLEAN, None)
    schema = sets["train"].schema
    names = {k.name: k.name.replace("left", "a").replace("right", "b") if rename else k.name for k in schema.keypoints}
    points = tuple(replace(k, name=names[k.name]) for k in schema.keypoints)
    limbs = tuple((names[a], names[b]) for a, b in schema.limbs)
    other = replace(schema, keypoints=points, limbs=limbs, pairs=tuple((names[a], names[b]) for a, b in pairs), asymmetry="planted")
    kinds = tuple(replace(c, points=tuple(names[p] for p in c.points)) for c in sets["train"].categories)
    return said(look_at_data(CLEAN, {name: replace(ds, schema=other, categories=kinds) for name, ds in sets.items()}))


def test_wrong_mirror_pairs_are_found_by_name_and_by_distance() -> None:
    right = _sets(CLEAN, None)["train"].schema.pairs
    assert right is not None and with_pairs(right) == "" and with_pairs(right, rename=True) == ""
    (eye, other_eye), (shoulder, other_shoulder) = right[0], right[1]
    wrong = ((eye, other_shoulder), (shoulder, other_eye), *right[2:])
    assert f"{eye} goes to {other_shoulder}, not {other_eye}" in with_pairs(wrong)
    assert "lie at other distances from the rest of the body" in with_pairs(wrong, rename=True)
    assert f"{eye} goes to {eye}, not {other_eye}" in with_pairs(()), "flips without exchanging sides"
    sets = _sets(CLEAN, None)
    assert "pictures of val are in train" in said(look_at_data(CLEAN, {"train": sets["train"], "val": sets["train"]}))


# -- faults of the batch ---------------------------------------------------------------------------------


def test_axes_exchanged_in_the_targets_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Coding.encode
    monkeypatch.setattr(Coding, "encode", lambda self, points, v: encode(self, points.flip(-1), v))
    words = said(look_at_batch(bench(), tmp_path))
    assert "points read back from their targets are" in words and "px off; x and y are exchanged" in words
    assert "even perfect outputs would score AP 0." in said(look_at_shapes(bench()))


def test_axes_exchanged_in_the_crop_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import baselines.data as loading

    cropped = loading.cropped

    def turned(points: Tensor, *how: Any) -> tuple[Tensor, Tensor]:
        moved, v = cropped(points, *how)
        return moved.flip(-1), v

    monkeypatch.setattr(loading, "cropped", turned)
    assert "pixels under the points change when the crop is turned" in said(look_at_batch(bench(batch=32), tmp_path))


def test_empty_targets_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Coding.encode
    assert "augmentation moves the points out" in said(look_at_batch(bench(scale=(4.0, 4.0)), tmp_path))
    monkeypatch.setattr(Coding, "encode", lambda self, points, v: tuple([[t * 0 for t in encode(self, points, v)[0]], encode(self, points, v)[1]]))
    assert "all targets are empty" in said(look_at_batch(bench(), tmp_path))


def test_a_file_whose_boxes_hold_nothing_is_a_verdict_and_no_error(tmp_path: Path) -> None:
    sets = _sets(CLEAN, None)
    ds = sets["train"].take(range(8)).without_empty()
    for name, place in zip(ds.images.file, ds.images.folder, strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((Path(place) / name).read_bytes())
    empty = ds.instances.with_trusted(keypoints=np.zeros_like(ds.instances.keypoints), bbox=ds.instances.bbox)
    replace(ds, instances=empty).to_coco(tmp_path / "empty.json")
    recipe = replace(CLEAN, dataset="", config="", scenes=0, schema="ap10k17", train=str(tmp_path / "empty.json"), val="")
    found = check(recipe, tmp_path / "out", device="cpu")
    assert not found.ok and "no labelled point" in str(found.verdicts[0]) and "nothing can be learned" in str(found.verdicts[-1])
    assert found.skipped


# -- faults of the network -------------------------------------------------------------------------------


def nothing_left() -> nn.Module:
    """A layer whose weights are 0."""
    body = tiny.backbone()
    nn.init.zeros_(body[3].weight)
    return body


def pushed_down() -> nn.Module:
    """A norm that gives values below 0 only."""
    body = tiny.backbone()
    nn.init.constant_(body[4].bias, -6.0)
    return body


def faint() -> nn.Module:
    body = tiny.without_norm()
    with torch.no_grad():
        body[2].weight.mul_(1e-3)
    return body


class Mixing(nn.Module):
    """A norm over the wrong axis."""

    def __init__(self) -> None:
        super().__init__()
        self.body = tiny.without_norm()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y - y.mean(0, keepdim=True)


class Blind(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = tiny.without_norm()

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :1, ::4, ::4]).repeat(1, 24, 1, 1) + 0 * self.body(x)


@pytest.mark.parametrize(
    ("backbone", "name", "cause"),
    [
        ("nothing_left", "backbone.body.5 (ReLU) is dead", "shift is far too low|is tiny|all weights of backbone.body.4"),
        ("pushed_down", "backbone.body.5 (ReLU) is dead: 100%", "100% of what backbone.body.4 gives is below 0: its shift is far too low"),
        ("faint", "backbone.body.3 (ReLU) is dead", "what backbone.body.2 gives is tiny"),
    ],
)
def test_a_dead_layer_is_named_with_its_cause(backbone: str, name: str, cause: str, tmp_path: Path) -> None:
    part = look_at_activations(bench(backbone=f"tests.test_checks:{backbone}"), tmp_path)
    assert name in said(part) and any(c in said(part) for c in cause.split("|")), said(part)
    assert part.values["dead"][0] == name.split(" (")[0]
    assert part.pictures[0].stat().st_size > 10_000


def test_leaks_between_samples_blind_outputs_and_idle_weights_are_found(tmp_path: Path) -> None:
    mixing = bench(backbone="tests.test_checks:Mixing")
    mixing.model.spare = nn.Linear(2, 2)
    words = said(look_at_gradients(mixing))
    assert "a sample's output depends on other samples" in words
    assert "no gradient reaches spare.weight, spare.bias; they take part in nothing" in words
    assert "the output does not depend on the picture" in said(look_at_gradients(bench(backbone="tests.test_checks:Blind", presence=False)))
    assert "the same for every picture" in said(look_at_activations(bench(backbone="tests.test_checks:Blind", presence=False), tmp_path))


def test_a_loss_that_forgets_labelled_points_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Coding.encode

    def forgetful(self: Coding, points: Tensor, v: Tensor) -> Any:
        targets, weight = encode(self, points, v)
        return targets, weight * (torch.arange(weight.shape[1]) != 5)

    monkeypatch.setattr(Coding, "encode", forgetful)
    b = bench()
    assert f"labelled points without a gradient: {b.model.schema.names[5]}" in said(look_at_gradients(b))


@pytest.mark.parametrize(("optimiser", "lr"), [("adamw", 0.3), ("adamw", 0.1), ("sgd", 1.0), ("sgd", 10.0)])
def test_a_learning_rate_too_high_is_found(optimiser: str, lr: float) -> None:
    assert f"lr {lr:g} is too high" in said(look_at_rate(bench(optimiser=optimiser, lr=lr), 11))
    assert f"--set lr={lr / 10:g}" in said(look_at_rate(bench(optimiser=optimiser, lr=lr), 11))


def test_a_rate_of_nothing_and_a_good_one() -> None:
    assert "nothing is learned" in said(look_at_rate(bench(lr=0.0), 11))
    assert not look_at_rate(bench(optimiser="sgd", lr=0.05), 11).verdicts


def test_what_cannot_be_learned_by_heart_is_said(tmp_path: Path) -> None:
    found = check(replace(CLEAN, freeze=("backbone",), lr=1e-5), tmp_path, steps=20, device="cpu")
    assert "11 examples could not be learned: after 20 steps" in said(found["fit"]) and "the loss hardly fell" in said(found["fit"])


def test_turning_is_the_lowest_loss_that_has_risen_since() -> None:
    assert turning([(1, 1.0), (5, 0.5), (9, 0.7)]) == 5
    assert turning([(1, 1.0), (5, 0.6), (9, 0.5)]) is None
    assert turning([(1, 1.0), (5, 0.500), (9, 0.505)]) is None, "within noise"
    assert turning([(1, 1.0)]) is None


def test_a_few_examples_are_the_same_crops() -> None:
    b = bench()
    part = few(b.train, 5)
    assert len(part) == 5 and len(few(b.train, 10_000)) == len(b.train)
    whole, own = all_of(b.train), all_of(part)
    rows = [int(np.flatnonzero((whole.points == p).all((-1, -2)))[0]) for p in own.points]
    assert torch.equal(whole.images[rows], own.images) and torch.equal(whole.v[rows], own.v)


def test_as_trained_gives_every_module_its_mode_back() -> None:
    model = bench().model
    model.train()
    model.head.eval()
    before = {m: m.training for m in model.modules()}
    with as_trained(model):
        assert not model.training
    assert before == {m: m.training for m in model.modules()}


# -- detectors -------------------------------------------------------------------------------------------

DETECTOR = replace(
    RECIPES["synthetic-person-keypointrcnn"], backbone="tests.modelled:three_layers", head_channels=16, head_layers=1, width=64, height=64, anchors=(8, 16, 32),
    proposals=16, rois=8, detections=4, box_score=0.0, scenes=8, train="train[:75%]", val="train[75%:]", batch=4, ema=0.0, warmup=0.0,
)  # fmt: skip


def test_a_detector_is_looked_at_by_pictures_and_boxes(tmp_path: Path) -> None:
    found = check(DETECTOR, tmp_path, examples=3, steps=2, device="cpu")
    assert [p.name for p in found.parts] == ["data", "batch", "shapes", "gradients", "activations", "rate", "fit"]
    assert {v.part for v in found.verdicts} <= {"fit"}, found
    assert found["batch"].values["people"] > 0 and found["shapes"].values["outputs"] == [[23, 56, 56]]
    assert "poses are found at OKS 0.50" in said(found["fit"]), "two steps teach nobody to find people"
    b = opened(DETECTOR, device="cpu")
    with torch.no_grad():
        b.model.roi_heads.keypoint_head[0][1].bias.fill_(-1e3)  # of the norm before the ReLU
    assert "roi_heads.keypoint_head.0.2 (ReLU) is dead: 100%" in said(look_at_activations(b, tmp_path))
    assert "lr 10 is too high" in said(look_at_rate(opened(replace(DETECTOR, lr=10.0), device="cpu"), 3))


# -- runs and commands -----------------------------------------------------------------------------------


def test_a_run_is_looked_at_with_its_own_weights(tmp_path: Path) -> None:
    run = train(replace(CLEAN, epochs=2), tmp_path / "run", device="cpu", quiet=True)
    found = check(run, device="cpu")
    assert found.ok, found
    assert found["activations"].values["weights"] == "trained"
    assert found["history"].values["epochs"] == 2 and set(found["history"].values["by_threshold"]) > {"0.50", "0.95"}
    assert (run.folder / "checks" / "precision-recall.png").is_file() and [p.name for p in found.parts][-1] == "history"
    dead = read_tensors(run.weights)[0]
    dead["backbone.body.4.bias"] = dead["backbone.body.4.bias"] * 0 - 9
    save_tensors(run.weights, dead, {})
    (run.folder / "bad-batch-0.safetensors").write_bytes(b"")
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line | {"loss": 1.0, "AP": 0.0, "PCK@0.2": 0.75}) + "\n" for line in lines))
    words = [str(v) for v in check(read_run(run.folder), device="cpu").verdicts]
    for said_so in (
        "backbone.body.5 (ReLU) is dead",
        "whose loss is no number",
        "nothing was learned",
        "AP of val is 0 in 2 epochs, yet 75% of the points lie near",
    ):
        assert any(said_so in word for word in words), words


def test_the_command_says_it_in_lines_or_json_and_exits_1_on_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "clean.toml").write_text(CLEAN.to_toml())
    invoke = lambda *words: CliRunner().invoke(app, ["check", *words, "-o", str(tmp_path / "out"), "--device", "cpu"])
    done = invoke(str(tmp_path / "clean.toml"), "--quick", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["ok"] is True
    done = invoke(str(tmp_path / "clean.toml"), "--quick", "--set", "lr=1")
    assert done.exit_code == 1 and done.stdout.splitlines()[-1].startswith("rate: lr 1 is too high: ")
    assert isinstance(invoke("nowhere").exception, PoseError)
    assert "--set and --init go with a recipe" in str(invoke(str(tmp_path), "--set", "lr=1").exception)
    assert "no run" in str(invoke(str(tmp_path)).exception)


def test_the_public_names() -> None:
    import baselines

    assert baselines.check is check and baselines.Checked.__name__ == "Checked"
    assert posedata.load_schema("ap10k17").pairs
