"""What goes wrong while training is one line that says the way out, and never costs a good checkpoint."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import posebench
import posedata
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from baselines.checkpoint import read_tensors  # noqa: E402
from baselines.cli import app  # noqa: E402
from baselines.predict import predict  # noqa: E402
from baselines.recipes import RECIPES  # noqa: E402
from baselines.runs import read_metrics  # noqa: E402
from baselines.train import train  # noqa: E402
from tests.test_training import interrupted, learned, one_cache, same, weights, written  # noqa: E402, F401
from tests.tiny import RECIPE  # noqa: E402


def refused(text: str, recipe: Any, out: Path, **how: Any) -> str:
    with pytest.raises(PoseError) as e:
        learned(recipe, out, **how)
    assert text in str(e.value) and "\n" not in str(e.value), str(e.value)
    return str(e.value)


# -- the run -------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_with_its_batch_kept(tmp_path: Path) -> None:
    recipe = replace(RECIPE, optimiser="sgd", lr=10.0, schedule="constant", epochs=30, save_every=1, presence=False)
    recipe = replace(recipe, backbone="tests.tiny:without_norm")
    refused("its batch is kept in bad-batch-0.safetensors; --set clip=1, a lower lr", recipe, tmp_path / "a")
    batch, header = read_tensors(tmp_path / "a" / "bad-batch-0.safetensors")
    assert batch["images.0"].shape == (8, 3, 64, 64) and header["lr"] == 10.0 and batch["rows.0"].shape == (8,)
    saved, state = read_tensors(tmp_path / "a" / "resume.safetensors")
    assert state["step"] <= header["step"] and all(torch.isfinite(t).all() for t in saved.values()), "the checkpoint before is good"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_says_which_setting_to_lower(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(1, lambda: error, monkeypatch)
    refused("out of memory with 8 crops of 64 x 64 at once", RECIPE, tmp_path / "a")
    assert "--set accumulate=2 halves what is held at once" in refused("--set batch=4", RECIPE, tmp_path / "b")


def test_other_errors_of_torch_are_not_taken_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(0, lambda: RuntimeError("a mistake of ours"), monkeypatch)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        learned(RECIPE, tmp_path / "a")


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, replace_file, written_to = replace(RECIPE, save_every=1), os.replace, []

    def filling(source: Any, target: Any) -> None:
        written_to.append(str(target))
        if str(target).endswith("resume.safetensors") and sum(t.endswith("resume.safetensors") for t in written_to) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", filling)
        text = refused("resume.safetensors: cannot be written (no space left on device)", recipe, tmp_path / "a")
    assert "--resume goes on from the checkpoint before" in text
    assert read_tensors(tmp_path / "a" / "resume.safetensors")[1]["step"] == 1
    assert not list((tmp_path / "a").glob(".*")), "nothing half written is left"
    assert same(weights(learned(recipe, tmp_path / "a", resume=True).folder), weights(learned(recipe, tmp_path / "whole").folder))


def test_a_folder_that_holds_a_run_is_never_written_over(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, val="")
    learned(recipe, tmp_path / "a")
    before = (tmp_path / "a" / "last.safetensors").read_bytes()
    refused("holds a run; --resume goes on with it; --out names another folder", recipe, tmp_path / "a")
    refused("holds a run of another recipe (lr=0.01, not 0.02)", replace(recipe, lr=0.02), tmp_path / "a", resume=True)
    refused("no run: config.toml and run.json are not there", recipe, tmp_path / "b", resume=True)
    assert (tmp_path / "a" / "last.safetensors").read_bytes() == before


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    a, b = replace(RECIPE, epochs=1, val=""), replace(RECIPE, epochs=1, val="", lr=0.02)
    learned(a, tmp_path / "a")
    learned(b, tmp_path / "b")
    (tmp_path / "a" / "resume.safetensors").write_bytes((tmp_path / "b" / "resume.safetensors").read_bytes())
    refused("a checkpoint of another recipe than 'tiny'", a, tmp_path / "a", resume=True)


# -- the data ------------------------------------------------------------------------------------------


def test_a_picture_missing_in_the_middle_and_points_of_another_schema(tmp_path: Path) -> None:
    animals, people = written(tmp_path / "quadruped", "quadruped"), written(tmp_path / "person", "person")
    own = replace(RECIPE, dataset="", config="", scenes=0, train=str(animals), val="", epochs=1, batch=2)
    learned(own, tmp_path / "a")
    text = refused("its points are 'coco_foot23', those of", replace(own, val=str(people)), tmp_path / "b")
    assert "--set schema=ap10k17" in text
    kept = (tmp_path / "a" / "run.json").read_text()
    (tmp_path / "a" / "run.json").write_text(json.dumps(json.loads(kept) | {"schema": posedata.load_schema("coco_foot23").to_dict()}))
    refused("was begun on 'coco_foot23', the data has 'ap10k17' now", own, tmp_path / "a", resume=True)
    ds = posedata.read_coco(animals, animals.parent)
    missing = animals.parent / str(ds.images.file[ds.instances.image[len(ds) // 2]])
    missing.unlink()
    refused(f"{missing.name}", own, tmp_path / "c")
    assert not (tmp_path / "c" / "config.toml").exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dataset": "ap11k"}, "did you mean 'ap10k'?"),
        ({"train": ""}, "--set train=... names what is learned"),
        ({"score": "APP"}, "no metric 'APP'"),
        ({"schema": "coco71"}, "coco17"),
        ({"backbone": "resnet51"}, "timm has no 'resnet51'"),
        ({"backbone": "test_vit", "head": "fpn"}, "'fpn' on a backbone with one stride"),
        ({"freeze": ("bakbone",)}, "no weight begins with 'bakbone'"),
        ({"batch": 9, "accumulate": 9, "train": "train[:2]"}, "crops for 1 processes of 9 parts"),
        ({"train": "train[:0]"}, "nothing can be learned from it"),
    ],
)
def test_what_cannot_begin_is_one_line(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    refused(text, replace(RECIPE, **change), tmp_path / "a")
    assert not (tmp_path / "a" / "config.toml").exists()


def test_val_without_boxes_is_scored_by_a_norm_that_needs_none_or_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "quadruped", "quadruped")
    data = json.loads(file.read_text())
    for pose in data["annotations"]:
        del pose["bbox"]
    file.write_text(json.dumps(data))
    boxless = replace(RECIPE, dataset="", config="", scenes=0, train=str(file), val=str(file), schema="ap10k17", epochs=1, batch=4)
    with monkeypatch.context() as patched:
        patched.setattr("baselines.train.take_step", lambda *_: pytest.fail("to be said before the first step"))
        assert "needs no box" in refused("no bbox", replace(boxless, score="PCK@0.2"), tmp_path / "a")
    assert "PCK.diagonal@0.2" in read_metrics(learned(boxless, tmp_path / "b").folder)[0]


def test_a_start_that_cannot_be_had_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    refused("--init scratch", replace(RECIPE, backbone="mobilenetv4_conv_small.e2400_r224_in1k", pretrained=True, head="fpn"), tmp_path / "a")


def test_few_crops_make_one_batch_and_a_note(tmp_path: Path) -> None:
    run = learned(replace(RECIPE, batch=512, epochs=1, val=""), tmp_path / "a")
    assert "every step sees all" in (run.folder / "training.log").read_text() and read_metrics(run.folder)[0]["step"] == 1


def test_a_tracker_that_is_not_installed_or_unknown_is_one_line(tmp_path: Path) -> None:
    refused("pip install trackio", RECIPE, tmp_path / "a", log=("trackio",))
    refused("did you mean 'tensorboard'?", RECIPE, tmp_path / "b", log=("tensorbord",))


def test_a_tracker_is_told_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    room = SimpleNamespace(init=lambda **how: told.append(how["config"]["lr"]), log=lambda values, step: told.append((step, set(values))))
    monkeypatch.setitem(sys.modules, "trackio", room)
    learned(RECIPE, tmp_path / "a", log=("trackio",))
    (lr, *epochs) = told
    assert lr == RECIPE.lr and [step for step, _ in epochs] == [2, 4] and all({"loss", "val_loss", "AP", "lr"} <= values for _, values in epochs)


@pytest.mark.parametrize(("device", "text"), [("gpu", "no such device; cpu, cuda or cuda:1"), ("cuda:77", "GPUs are here"), ("meta", "never tried")])
def test_a_device_that_is_not_there_is_one_line(device: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=text):
        train(RECIPE, tmp_path / "a", device=device, quiet=True)


def test_a_run_killed_before_its_first_checkpoint_starts_again_as_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = learned(replace(RECIPE, epochs=1, val="", seed=5), tmp_path / "start")
    whole = learned(replace(RECIPE, epochs=1), tmp_path / "whole", init=str(start.folder))
    with monkeypatch.context() as patched:
        interrupted(1, KeyboardInterrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            learned(replace(RECIPE, epochs=1), tmp_path / "cut", init=str(start.folder))
    assert not (tmp_path / "cut" / "resume.safetensors").exists()
    assert same(weights(learned(replace(RECIPE, epochs=1), tmp_path / "cut", resume=True).folder), weights(whole.folder))


# -- the commands --------------------------------------------------------------------------------------


def test_the_commands_learn_plot_and_list(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(replace(RECIPE, epochs=1).to_toml())
    said = ["train", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "run"), "--set", "lr=2e-3", "--device", "cpu", "--json"]
    done = CliRunner().invoke(app, said, catch_exceptions=False)
    values = json.loads(done.stdout)
    assert done.exit_code == 0 and values["best"]["epoch"] == 1 and set(values["best"]) >= {"AP", "PCK@0.2", "loss", "val_loss"}
    done = CliRunner().invoke(app, ["plot", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    assert Path(json.loads(done.stdout)["out"]).read_bytes()[:4] == b"\x89PNG"
    listed = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert set(listed) == set(RECIPES) and listed["ap10k-hrnet_w32"]["epochs"] == 210
    one = CliRunner().invoke(app, ["list", "ap10k-hrnet_w32"]).stdout
    assert "AP 72.2" in one and "mmpose" in one and "boxes: truth" in one and "baselines train ap10k-hrnet_w32" in one
    assert "lr=" in CliRunner().invoke(app, ["list", "--options"]).stdout
    assert CliRunner().invoke(app, ["list", "synthetic-demo", "--toml"]).stdout.strip() == RECIPES["synthetic-demo"].to_toml().strip()


def test_a_runs_own_predictions_are_those_of_the_command_predict(tmp_path: Path) -> None:
    run = learned(replace(RECIPE, epochs=1, flip_test=True), tmp_path / "a")
    truth = posedata.load_dataset("synthetic", "quadruped", RECIPE.val, n=RECIPE.scenes)
    found = predict(run, truth, device="cpu", quiet=True).predictions
    own = posedata.read_predictions(run.folder / "predictions.json")
    both = [p.take(p.truth.argsort()) for p in (own, found)]
    assert both[0].truth.tolist() == both[1].truth.tolist() and abs(both[0].keypoints - both[1].keypoints).max() < 0.05
    assert {k: own.header.get(k) for k in ("boxes", "flip_test", "score", "truth")} == {
        k: found.header.get(k) for k in ("boxes", "flip_test", "score", "truth")
    }
    assert posebench.evaluate(truth, own)["PCK@0.2"] == posebench.evaluate(truth, found)["PCK@0.2"]
