"""`make gpu` at toy size on a CPU, where numpy, torch, timm and Pillow are all there is; and the benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines import gpu
from baselines.benchmark import PARTS, benchmark, count
from baselines.gpu import STEPS, Job, main
from baselines.parity import TOLERANCES, compared
from baselines.recipes import RECIPES
from baselines.speeds import read_speeds, speed_table, write_speeds
from posedata import FormatError, read_predictions
from tests.test_layers import BARE, ROOT, without

torch.set_num_threads(1)


def toy(folder: Path, cache: Path, *more: str) -> list[str]:
    return ["--toy", "--device", "cpu", "--out", str(folder / "kept"), "--work", str(folder / "work"), *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, drawn_once: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Everything once, in a Python that lacks all it may lack."""
    folder = tmp_path_factory.mktemp("gpu")
    code = f"{without(*BARE)}import sys\nfrom baselines.gpu import main\nsys.exit(main({toy(folder, drawn_once)!r}))"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_CACHE": str(drawn_once), "OMP_NUM_THREADS": "1"}
    return folder, subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=folder, env=env)


def test_all_steps_run_on_a_bare_machine_and_leave_small_files(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    kept = {p.name: p for p in (folder / "kept").iterdir()}
    assert set(kept) == {f"{name}.json" for name in STEPS} | {"predictions.npz"}
    assert sum(p.stat().st_size for p in kept.values()) < 100_000
    values = {name: json.loads(kept[f"{name}.json"].read_text()) for name in STEPS}
    assert all(v["device"] == "cpu" and v["toy"] and set(v["absent"]) == set(BARE) for v in values.values())
    assert values["parity"]["recipes"]["synthetic-demo"]["same"]
    assert set(values["benchmark"]["rows"][0]["images_per_second"]) == set(PARTS)
    assert [line["epoch"] for line in values["train"]["epochs"]] == [1, 2]
    assert values["predict"]["timing"]["crops"] == values["draw"]["images_and_instances"]["val"][1]


def test_the_predictions_of_the_run_give_the_numbers_that_were_kept(
    finished: tuple[Path, subprocess.CompletedProcess[str]], drawn_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posebench import evaluate
    from posedata import synthesize

    folder, _ = finished
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    kept = json.loads((folder / "kept" / "predict.json").read_text())
    truth = synthesize("quadruped", "val", 8, quiet=True)
    assert truth.fingerprint == kept["truth"]
    ev = evaluate(truth, read_predictions(folder / "kept" / "predictions.npz"))
    assert {k: v for k, v in kept["metrics"].items() if v is not None}["AP"] == ev["AP"]
    assert kept["metrics"]["PCK@0.2"] == ev["PCK@0.2"]


def test_steps_that_are_there_are_not_done_again(
    finished: tuple[Path, subprocess.CompletedProcess[str]], drawn_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = finished
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "kept").iterdir()}
    assert main(toy(folder, drawn_once)) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name}: there already" for name in STEPS]
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "kept").iterdir()} == before


def test_figures_of_two_machines_never_mix(
    finished: tuple[Path, subprocess.CompletedProcess[str]], drawn_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").mkdir()
    values = json.loads((finished[0] / "kept" / "draw.json").read_text())
    (tmp_path / "kept" / "draw.json").write_text(json.dumps({**values, "hardware": "another machine"}))
    assert main(toy(tmp_path, drawn_once)) == 2
    assert "holds figures of another machine" in capsys.readouterr().err


def test_a_call_that_runs_out_of_time_goes_on_later(
    tmp_path: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One recipe a call: what was measured before stays."""
    monkeypatch.setattr(Job, "recipes", ("a", "b"))
    asked: list[str] = []
    monkeypatch.setattr("baselines.benchmark.benchmark", lambda name, **_: asked.append(name) or {"recipe": name})
    codes = [main(toy(tmp_path, drawn_once, "--step", "benchmark", "--minutes", "0")) for _ in range(3)]
    assert codes == [gpu.UNFINISHED, gpu.UNFINISHED, 0]
    assert asked == ["a", "b"]
    assert "not finished after 0 minutes; the same command goes on" in capsys.readouterr().out
    assert [row["recipe"] for row in json.loads((tmp_path / "kept" / "benchmark.json").read_text())["rows"]] == ["a", "b"]
    assert not (tmp_path / "kept" / "benchmark.part.json").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a signal between opening a file and holding it
def test_training_stops_in_time_and_goes_on(tmp_path: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    begun = time.monotonic()
    assert main(toy(tmp_path, drawn_once, "--step", "train", "--minutes", "0.0001")) == gpu.UNFINISHED
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "kept" / "train.json").exists()
    assert main(toy(tmp_path, drawn_once, "--step", "train")) == 0
    lines = json.loads((tmp_path / "kept" / "train.json").read_text())["epochs"]
    assert [line["epoch"] for line in lines] == [1, 2]


def test_wrong_asks_are_one_line(tmp_path: Path, drawn_once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(toy(tmp_path, drawn_once, "--step", "sing")) == 2
    assert capsys.readouterr().err == "gpu: --step sing: no such step; one of: draw, parity, benchmark, train, predict\n"
    if not torch.cuda.is_available():
        assert main(["--out", str(tmp_path)]) == 2
        assert "torch sees no GPU" in capsys.readouterr().err


def test_parity_finds_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from baselines import parity

    assert compared("synthetic-demo", "cpu", 2)["wrong"] == []
    honest = parity._said
    calls = iter([0.0, 3.0])

    def moved(model: object, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps, points = honest(model, images)  # type: ignore[arg-type]
        return maps, points + next(calls)

    monkeypatch.setattr(parity, "_said", moved)
    assert compared("synthetic-demo", "cpu", 2)["wrong"] == ["points_px"]
    assert set(TOLERANCES) <= set(compared.__globals__["TOLERANCES"])


# -- the benchmark -----------------------------------------------------------------------------------


def test_the_benchmark_measures_each_part_beside_the_floors(tmp_path: Path) -> None:
    row = benchmark("synthetic-demo", device="cpu", batch=2, seconds=0.0)
    speeds = row["images_per_second"]
    assert set(speeds) == set(PARTS)
    assert all(v > 0 for v in speeds.values())
    assert {k: v for k, v in count("synthetic-demo").items() if k in row} == {k: row[k] for k in ("recipe", "backbone", "input", "params_m", "gmac", "floors")}
    write_speeds([row, count("synthetic-demo")], tmp_path / "s.json")
    again = read_speeds(tmp_path / "s.json")
    assert again[0] == json.loads(json.dumps(row))
    lines = speed_table(again).splitlines()
    assert "not measured" not in lines[2]
    assert lines[3].count("not measured") == 6
    (tmp_path / "s.json").write_text("[]")
    with pytest.raises(FormatError, match="no figures"):
        read_speeds(tmp_path / "s.json")
    assert read_speeds(tmp_path / "none.json") == []


def test_each_part_does_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network alone sees one batch for ever; training sees another each time."""
    from baselines import benchmark as room

    seen: list[int] = []
    monkeypatch.setattr(room, "take_step", lambda session, parts: seen.append(int(parts[0].images.sum())))
    works = room._works(room._session(replace(RECIPES["synthetic-demo"], batch=2, width=32, height=32), torch.device("cpu")))
    for name in ("model", "model", "train", "train"):
        works[name]()
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert works["infer"]().shape == (2, 17, 3)  # type: ignore[attr-defined]


def test_the_median_of_warm_steps_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from baselines import benchmark as room

    taken = iter([9.0, 9.0, 3.0, 1.0, 2.0, 1.0, 50.0])
    monkeypatch.setattr(room, "_by_clock", lambda work: [work()])
    assert room._median(lambda: next(taken), torch.device("cpu"), 0.0) == 2.0, "two steps warm up, five count"


def test_floors_of_known_models_are_those_that_were_counted_by_hand() -> None:
    """ResNet-50 with three deconvolutions at 256 x 192: 5.43 billion multiply-adds, 34.0 million parameters."""
    row = count("coco-resnet50")
    assert (round(row["gmac"], 2), round(row["params_m"], 1)) == (5.43, 34.1)
    assert row["floors"]["train_flops"] == pytest.approx(24_300, rel=0.01)
    assert row["floors"]["train_bandwidth"] == pytest.approx(9_600, rel=0.1)
