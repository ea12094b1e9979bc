"""Training on rendered scenes: it learns, it resumes bit for bit, several processes learn as one, and weights move by the names of points."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
import posedata
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from baselines.checkpoint import read_tensors, save_tensors  # noqa: E402
from baselines.curves import plot_runs  # noqa: E402
from baselines.recipes import Recipe  # noqa: E402
from baselines.runs import read_metrics, read_run  # noqa: E402
from baselines.session import Session  # noqa: E402
from baselines.starting import data_of, started  # noqa: E402
from baselines.train import Stopped, train  # noqa: E402
from tests.tiny import RECIPE  # noqa: E402

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def one_cache(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes and crops are made once for all these tests; one thread, so that sums are the same everywhere."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    torch.set_num_threads(1)


def learned(recipe: Recipe, out: Path, **how: Any) -> Any:
    return train(recipe, out, device="cpu", quiet=True, **how)


def weights(folder: Path, name: str = "last") -> dict[str, Any]:
    return read_tensors(folder / f"{name}.safetensors")[0]


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def without_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in ("seconds", "rest", "images_per_second")} for line in lines]


def interrupted(at: int, with_what: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the step after so many fail."""
    import baselines.train as loop

    step = loop.take_step

    def failing(s: Session, parts: Any) -> Any:
        if s.step == at:
            raise with_what()
        return step(s, parts)

    monkeypatch.setattr(loop, "take_step", failing)


# -- learning ------------------------------------------------------------------------------------------


def test_a_small_network_learns_what_a_frozen_copy_of_it_does_not_know(tmp_path: Path) -> None:
    recipe = replace(
        RECIPE, scenes=64, epochs=24, validate_every=24, backbone="test_resnet", head="fpn", head_channels=32, lr=5e-3, warmup=0.1, ema=0.9, rotate=0.0
    )  # fmt: skip
    run, frozen = learned(recipe, tmp_path / "a"), learned(replace(recipe, lr=0.0, epochs=1), tmp_path / "frozen")
    (*_, last), (before,) = read_metrics(run.folder), read_metrics(frozen.folder)
    assert last["PCK@0.2"] > before["PCK@0.2"] + 0.35, f"{last['PCK@0.2']:.2f} of the points found, {before['PCK@0.2']:.2f} by the frozen copy"
    assert last["loss"] < 0.75 * before["loss"] and last["val_loss"] < 0.75 * before["val_loss"]
    truth = posedata.load_dataset("synthetic", "quadruped", recipe.val, n=64)
    ev = posebench.evaluate(truth, run.folder / "predictions.json")  # every number in the run's own files can be computed again
    assert ev["AP"] == pytest.approx(last["AP"], abs=1e-12) and ev["PCK@0.2"] == pytest.approx(last["PCK@0.2"], abs=1e-12)
    assert run.recipe == recipe and run.schema == truth.schema
    assert same(weights(run.folder, "best"), weights(run.folder))
    drawing = plot_runs([run.folder, frozen.folder], tmp_path / "curves.png")
    assert drawing.stat().st_size > 10_000
    assert "epoch  24/24" in (run.folder / "training.log").read_text()


@pytest.mark.parametrize("init", ["scratch", "weights"])
def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path: Path, init: str) -> None:
    recipe = replace(RECIPE, epochs=1)
    a, b = learned(recipe, tmp_path / "a", init=init), learned(recipe, tmp_path / "b")
    assert same(weights(a.folder), weights(b.folder))
    c = learned(replace(recipe, seed=1), tmp_path / "c")
    assert not same(weights(a.folder), weights(c.folder))


def test_the_plain_loader_learns_the_same_weights(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    assert same(weights(learned(recipe, tmp_path / "a").folder), weights(learned(recipe, tmp_path / "b", plain_loader=True).folder))


def test_a_run_without_val_keeps_its_last_weights(tmp_path: Path) -> None:
    run = learned(replace(RECIPE, val="", epochs=1), tmp_path / "a")
    assert run.weights.name == "last.safetensors" and "AP" not in read_metrics(run.folder)[0]


# -- going on ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_a_resumed_run_is_bit_for_bit_the_one_that_was_never_interrupted(stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, backbone="tests.tiny:Halves", ema=0.9, clip=1.0, accumulate=2, save_every=1, epochs=3, batch=6, momentum=0.8, weight_decay=0.1)
    whole = learned(recipe, tmp_path / "whole")
    with monkeypatch.context() as patched:
        interrupted(stop, KeyboardInterrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            learned(recipe, tmp_path / "cut")
    resumed = learned(recipe, tmp_path / "cut", resume=True)
    for name in ("last", "best", "resume"):
        assert same(weights(whole.folder, name), weights(resumed.folder, name)), name
    assert without_times(read_metrics(whole.folder)) == without_times(read_metrics(resumed.folder))
    assert (whole.folder / "predictions.json").read_bytes() == (resumed.folder / "predictions.json").read_bytes()
    assert f"resumed after step {stop:,} of" in (resumed.folder / "training.log").read_text()


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_saves_and_the_run_goes_on(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import baselines.train as loop

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what runs in its background
    recipe = replace(RECIPE, epochs=2, batch=6)  # steps 1 to 3, 4 to 6
    whole = learned(recipe, tmp_path / "whole")
    step = loop.take_step

    def pressed(s: Session, parts: Any) -> Any:
        if s.step == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(s, parts)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "take_step", pressed)
        patched.setattr(loop, "_LOOK", 1)
        with pytest.raises(Stopped, match=rf"stopped after step {at + 1} of 6, saved; --resume goes on from there"):
            learned(recipe, tmp_path / "cut")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert same(weights(whole.folder), weights(learned(recipe, tmp_path / "cut", resume=True).folder))


COMMAND = "from baselines.train import train; from tests.tiny import RECIPE; from dataclasses import replace; import sys, torch; torch.set_num_threads(1);"


def test_a_killed_run_loses_at_most_the_steps_since_its_last_checkpoint(tmp_path: Path) -> None:
    out, recipe = tmp_path / "run", replace(RECIPE, epochs=400, save_every=1, batch=6, validate_every=3)
    out.mkdir()
    code = f"{COMMAND} train(replace(RECIPE, epochs=400, save_every=1, batch=6, validate_every=3), sys.argv[1], device='cpu', quiet=True)"
    process = subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        until(lambda: (out / "resume.safetensors").exists(), process)
        time.sleep(float(np.random.default_rng(time.time_ns()).uniform(0, 1.5)))  # a moment nobody chose
    finally:
        process.kill()
        process.communicate()
    _, header = read_tensors(out / "resume.safetensors")
    epochs = len(read_metrics(out)) if (out / "metrics.jsonl").exists() else 0
    steps = read_run(out).facts["data"]["train"]["crops"] // 6
    assert header["step"] + 1 >= epochs * steps, "at most the one step since the checkpoint before is lost"
    assert all(read_tensors(path) for path in out.glob("*.safetensors")), "no file is half written"
    shorter = replace(recipe, epochs=header["step"] // steps + 2)
    (out / "config.toml").write_text(shorter.to_toml())
    tensors, header = read_tensors(out / "resume.safetensors")
    save_tensors(out / "resume.safetensors", tensors, header | {"fingerprint": shorter.fingerprint})
    learned(shorter, out, resume=True)
    assert [line["epoch"] for line in read_metrics(out)] == list(range(1, shorter.epochs + 1))
    assert f"resumed after step {header['step']:,} of" in (out / "training.log").read_text()


def until(there: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- several processes ---------------------------------------------------------------------------------

TWO = """
import sys, json, torch
torch.set_num_threads(1)
from dataclasses import replace
import baselines.scoring as scoring
from baselines.data import Loader
from baselines.train import train
from tests.tiny import RECIPE
seen, plain = [], Loader.plain
def noted(self, rows):
    seen.extend(rows.tolist())
    return plain(self, rows)
Loader.plain = noted
train(replace(RECIPE, backbone="tests.tiny:without_norm", epochs=2, clip=1.0, ema=0.9), sys.argv[1], device="cpu", quiet=True)
import os
open(f"{sys.argv[1]}/seen-{os.environ['RANK']}.json", "w").write(json.dumps(seen))
"""


def test_two_processes_learn_what_one_does_that_accumulates_the_same_halves(tmp_path: Path) -> None:
    recipe = replace(RECIPE, backbone="tests.tiny:without_norm", epochs=2, clip=1.0, ema=0.9, accumulate=2)
    one = learned(recipe, tmp_path / "one")
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611", str(script), str(tmp_path / "two")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    a, b = weights(one.folder), weights(tmp_path / "two")
    assert all(torch.allclose(a[n], b[n], atol=1e-6) for n in a) and a.keys() == b.keys()
    crops = read_run(one.folder).facts["data"]["val"]["crops"]
    halves = [json.loads((tmp_path / "two" / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(list(range(crops)) * 2), "every crop once in each of the two epochs"
    first, second = (posedata.read_predictions(folder / "predictions.json") for folder in (one.folder, tmp_path / "two"))
    assert np.array_equal(first.truth, second.truth) and np.allclose(first.keypoints, second.keypoints, atol=1e-2)
    for x, y in zip(read_metrics(one.folder), read_metrics(tmp_path / "two"), strict=True):
        assert x["loss"] == pytest.approx(y["loss"], rel=1e-5)
        assert x["AP"] == pytest.approx(y["AP"], abs=1e-6)


# -- starting from another run --------------------------------------------------------------------------


def test_weights_move_to_another_schema_by_the_names_of_its_points(tmp_path: Path) -> None:
    run = learned(replace(RECIPE, epochs=1, val=""), tmp_path / "animals")
    target = posedata.load_schema("tetrapod")
    model, facts = started(RECIPE, target, str(run.folder))
    old, new = weights(run.folder), model.state_dict()
    shared = [n for n in target.names if n in run.schema.names]
    assert facts["points_copied"] == shared and 0 < len(shared) < len(target)
    for name in shared:
        assert torch.equal(new["head.out.weight"][target.index(name)], old["head.out.weight"][run.schema.index(name)])
        assert torch.equal(new["presence.out.bias"][target.index(name)], old["presence.out.bias"][run.schema.index(name)])
    assert all(torch.equal(new[n], old[n]) for n in old if n.startswith("backbone."))
    fresh = started(RECIPE, target, "scratch")[0].state_dict()
    for name in facts["points_fresh"]:
        assert torch.equal(new["head.out.weight"][target.index(name)], fresh["head.out.weight"][target.index(name)])
    with pytest.raises(PoseError, match="no keypoint of 'ap10k17' is one of 'foot6'"):
        started(RECIPE, posedata.load_schema("foot6"), str(run.folder))


def test_what_was_copied_is_told_and_a_frozen_backbone_stays(tmp_path: Path) -> None:
    before = learned(replace(RECIPE, epochs=1, val=""), tmp_path / "a")
    after = learned(replace(RECIPE, epochs=1, val="", freeze=("backbone",), presence=False), tmp_path / "b", init=str(before.folder))
    old, new = weights(before.folder), weights(after.folder)
    assert all(torch.equal(old[n], new[n]) for n in new if n.startswith("backbone.")), "batch norms included"
    assert not torch.equal(old["head.out.weight"], new["head.out.weight"])
    facts, log = read_run(after.folder).facts, (after.folder / "training.log").read_text()
    assert facts["start"]["init_recipe"] == "tiny" and facts["start"]["fresh"] == [] and 0 < facts["frozen"] < facts["parameters"]
    assert "tensors copied, 0 fresh" in log and "17 of 17 by name" in log and "frozen: backbone" in log
    with pytest.raises(PoseError, match=r"no weight of tests\.tiny:backbone fits test_vit"):
        learned(replace(RECIPE, backbone="test_vit", head="bilinear"), tmp_path / "c", init=str(before.folder))
    with pytest.raises(PoseError, match="no folder of a run"):
        learned(RECIPE, tmp_path / "c", init="nowhere")


def written(folder: Path, config: str) -> Path:
    """A COCO file with its pictures beside it."""
    ds = posedata.load_dataset("synthetic", config, "train", n=6)
    assert isinstance(ds, posedata.PoseDataset)
    folder.mkdir()
    for name, place in zip(ds.images.file, ds.images.folder, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((Path(place) / name).read_bytes())
    ds.to_coco(folder / "points.json")
    return folder / "points.json"


def test_merged_sets_learn_only_what_each_annotates(tmp_path: Path) -> None:
    files = [str(written(tmp_path / config, config)) for config in ("quadruped", "person")]
    merged = replace(RECIPE, dataset="", config="", scenes=0, schema="tetrapod", train=" + ".join(files), val=files[0])
    ds = data_of(merged, "train")
    assert ds is not None and ds.schema.name == "tetrapod" and not ds.instances.annotated.all()
    only = [row for row, n in enumerate(ds.schema.names) if not ds.instances.annotated[:, row].any()]
    run = learned(replace(merged, epochs=2, batch=4), tmp_path / "a")
    assert "AP" in read_metrics(run.folder)[0], "val, a file of one of them, is scored on the points both have"
    assert np.isfinite(read_metrics(run.folder)[-1]["loss"])
    fresh = started(merged, ds.schema, "scratch")[0].state_dict()
    assert all(np.isfinite(t.numpy()).all() for t in weights(run.folder).values())
    for row in range(len(ds.schema)):
        moved = not torch.equal(weights(run.folder)["head.out.weight"][row], fresh["head.out.weight"][row])
        assert moved == (row not in only), ds.schema.names[row]
