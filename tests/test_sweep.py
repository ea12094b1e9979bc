"""Sweeps, range tests, ablations, costs: each number can be computed again from the runs they leave."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import posebench
from baselines.cli import app
from baselines.parts import PARTS
from baselines.recipes import RECIPES, Recipe
from baselines.trials import plan, read_table
from posebench.statistics.compare import compare
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from baselines.ablation import ablate, ablation_text  # noqa: E402
from baselines.checkpoint import read_tensors  # noqa: E402
from baselines.complexity import complexity  # noqa: E402
from baselines.models import build  # noqa: E402
from baselines.pairs import against  # noqa: E402
from baselines.predict import predict  # noqa: E402
from baselines.rates import RangeTest, range_test  # noqa: E402
from baselines.runs import Run, read_metrics, read_run  # noqa: E402
from baselines.runtime import runtime, runtime_text  # noqa: E402
from baselines.starting import data_of  # noqa: E402
from baselines.sweep import sweep, sweep_text  # noqa: E402
from baselines.train import train  # noqa: E402
from tests.tiny import RECIPE  # noqa: E402

TINY = replace(RECIPE, score="PCK@0.5", epochs=1)
FEW = 50
"""Resamples."""


@pytest.fixture(autouse=True)
def one_cache(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes and crops are made once for all these tests."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a mean of weights."""
    with pytest.MonkeyPatch.context() as m:
        m.setenv("POSEBENCH_CACHE", str(drawn_once))
        yield train(
            replace(TINY, ema=0.9, epochs=4, warmup=0.1, scenes=32, validate_every=4), tmp_path_factory.mktemp("runs") / "own", device="cpu", quiet=True
        )


def swept(out: Path, vary: list[str], recipe: Recipe = TINY, **how: Any) -> dict[str, Any]:
    return sweep(recipe, vary, out, device="cpu", quiet=True, resamples=FEW, **how)


def again(run: Run, **asked: Any) -> float:
    """The number of a run, predicted anew."""
    truth = data_of(run.recipe, "val")
    assert truth is not None
    return float(posebench.evaluate(truth, predict(run, truth, latency=0, device="cpu", quiet=True, **asked).predictions)["PCK@0.5"])


# -- plans ---------------------------------------------------------------------------------------------


def test_every_combination_is_one_trial_and_says_what_is_special_about_it() -> None:
    trials = plan(RECIPES["synthetic-demo"], ["backbone=resnet10t,lcnet_050", "lr=1e-3,3e-3", "scale=.75,1.25|.5,1.5"])
    assert len(trials) == len({t.name for t in trials}) == 8
    assert [t.settings for t in trials][-1] == {"backbone": "lcnet_050", "lr": 3e-3, "scale": (0.5, 1.5)}
    assert all(getattr(t.recipe, k) == v for t in trials for k, v in t.settings.items())
    assert "/" not in "".join(t.name for t in plan(RECIPE, ["backbone=torchvision:resnet18,a/b"]))


def test_the_nine_architectures_of_three_backbones_and_three_heads_are_one_line() -> None:
    assert len(plan(RECIPE, ["head_layers=0,1,2", "head_channels=64,128,256"])) == 9


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ([], "nothing varies"),
        (["lr"], "no values; write name=a,b,c"),
        (["lr=1,,2"], "an empty value"),
        (["lr=1,2", "lr=3"], "given twice"),
        (["rate=1"], "no setting 'rate'"),
        (["lr=fast"], "lr: 'fast'"),
        (["lr=" + ",".join(f"1e-{i}" for i in range(1, 16)), "epochs=" + ",".join(map(str, range(1, 16)))], "225 combinations"),
        (["val=train,val"], "one sweep for each"),
    ],
)
def test_what_cannot_be_varied_says_why(vary: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=said.replace("(", r"\(")):
        swept(tmp_path, vary)


# -- sweeps --------------------------------------------------------------------------------------------


def test_a_sweep_keeps_the_best_and_every_number_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = swept(tmp_path, ["lr=0.0,0.01,0.03"], then=2)
    assert found == read_table(tmp_path / "sweep.json") and (tmp_path / "sweep.png").stat().st_size > 5_000
    truth = data_of(TINY, "val")
    for part, rows in (("short", found["rows"]), ("long", found["longer"])):
        for row in rows:
            kept = read_run(tmp_path / part / row["name"])
            assert posebench.evaluate(truth, kept.folder / "predictions.json")["PCK@0.5"] == pytest.approx(row["value"], abs=1e-6)
            assert kept.recipe.epochs == (1 if part == "short" else 2) and kept.recipe.lr == row["settings"]["lr"]
            assert row["params_m"] == pytest.approx(sum(p.numel() for p in build(kept.recipe, kept.schema).parameters()) / 1e6, abs=1e-3)
    values = [row["value"] for row in found["rows"]]
    assert values == sorted(values, reverse=True) and len(values) == 3 and found["rows"][0]["best"] is None
    assert [row["name"] for row in found["longer"]] == [found["rows"][0]["name"]]
    for row in found["rows"][1:]:
        assert row["best"]["difference"] == pytest.approx(row["value"] - values[0], abs=2e-6) and row["best"]["low"] <= row["best"]["high"]

    def refuse(*args: Any, **how: Any) -> None:
        raise AssertionError("nothing is left to learn")

    monkeypatch.setattr("baselines.train.train", refuse)
    assert swept(tmp_path, ["lr=0.0,0.01,0.03"], then=2) == found
    assert "less the best" in sweep_text(found) and "lr=0.0" in sweep_text(found)


def test_a_sweep_that_was_stopped_goes_on_and_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import baselines.train as loop

    recipe, step, count = replace(TINY, epochs=2), loop.take_step, 0

    def failing(s: Any, parts: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return step(s, parts)

    whole = swept(tmp_path / "whole", ["lr=0.01,0.02"], recipe)
    monkeypatch.setattr(loop, "take_step", failing)
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path / "parts", ["lr=0.01,0.02"], recipe)
    assert len(read_metrics(tmp_path / "parts/short/lr=0.01")) == 1, "stopped in the second epoch"
    found = swept(tmp_path / "parts", ["lr=0.01,0.02"], recipe)
    assert [row["value"] for row in found["rows"]] == [row["value"] for row in whole["rows"]]


def test_what_cannot_be_learned_is_named_and_stops_nothing_else(tmp_path: Path) -> None:
    found = swept(tmp_path, ["backbone=tests.tiny:backbone,no_such_net"])
    assert [row["settings"]["backbone"] for row in found["rows"]] == ["tests.tiny:backbone"]
    assert [row["name"] for row in found["failed"]] == ["backbone=no_such_net"] and "no_such_net" in found["failed"][0]["why"]
    assert "failed: backbone=no_such_net" in sweep_text(found)
    with pytest.raises(PoseError, match="none of 1 could be learned"):
        swept(tmp_path / "none", ["backbone=no_such_net"])


def test_a_folder_with_other_runs_is_not_written_over(tmp_path: Path) -> None:
    swept(tmp_path, ["lr=0.01"])
    with pytest.raises(PoseError, match=r"holds a run with sigma=1\.5, not 2"):
        swept(tmp_path, ["lr=0.01"], replace(TINY, sigma=2.0))


# -- rates ---------------------------------------------------------------------------------------------


def curve(losses: Any, low: float = 1e-6, high: float = 1.0) -> RangeTest:
    return RangeTest("made", "adamw", np.geomspace(low, high, len(losses)), np.asarray(losses, float), False)


def test_the_steepest_rate_is_where_a_made_curve_falls_fastest() -> None:
    x = np.linspace(-6, 0, 121)
    fallen = 1 - 0.5 / (1 + np.exp(-6 * (x + 3))) + np.where(x > -1, (x + 1) ** 2, 0)
    found = curve(fallen + np.random.default_rng(0).normal(0, 0.01, 121))
    assert 3e-4 < found.steepest < 3e-3 and 3e-3 < found.lowest < 0.3
    assert found.rate(0) == pytest.approx(found.steepest) and found.rate(found.place(2 * found.steepest)) == pytest.approx(2 * found.steepest)
    assert found.rate(found.place(100.0)) == pytest.approx(found.lowest), "never beyond the lowest"
    never = curve(1 + np.linspace(0, 1, 60))
    assert math.isnan(never.steepest) and "never fell" in never.text() and never.to_dict()["steepest"] is None


def test_the_range_test_steps_with_rising_rates_and_ends_when_the_loss_explodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import baselines.rates as room

    step, rates = room.take_step, []

    def watched(s: Any, parts: Any) -> Any:
        loss = step(s, parts)
        rates.append(s.optimiser.param_groups[0]["lr"])
        return loss * 100 if len(rates) > 15 else loss

    monkeypatch.setattr(room, "take_step", watched)
    found = range_test(replace(TINY, layer_decay=1.0), steps=20, lowest=1e-5, highest=1e-1, device="cpu")
    assert np.allclose(rates, np.geomspace(1e-5, 1e-1, 20)[: len(rates)])
    assert found.exploded and len(found.losses) == 15 and np.isfinite(found.losses).all()
    assert found.write(tmp_path / "a.png").stat().st_size > 5_000
    assert len(read_table(found.write(tmp_path / "a.json"))["rows"]) == 15


@pytest.mark.parametrize(("how", "said"), [({"lowest": 1.0, "highest": 0.1}, "below the highest"), ({"steps": 3}, "10 or more")])
def test_a_range_that_cannot_be_tested_says_why(how: dict[str, Any], said: str) -> None:
    with pytest.raises(PoseError, match=said):
        range_test(TINY, device="cpu", **how)


# -- ablations -----------------------------------------------------------------------------------------


def test_parts_of_prediction_are_what_predict_makes_without_them(run: Run, tmp_path: Path) -> None:
    found = ablate(run.folder, learn=False, out=tmp_path, device="cpu", resamples=FEW, quiet=True)
    rows = {row["name"]: row for row in found["rows"]}
    assert found["value"] == pytest.approx(again(run), abs=1e-6)
    assert rows["flip test"]["value"] == pytest.approx(again(run, flip_test=True), abs=1e-6) != found["value"]
    assert rows["decode=argmax"]["value"] != found["value"] and run.recipe.decode == "parabola"
    assert {row["part"] for row in found["rows"]} == {name for name, part in PARTS.items() if not part.learned}
    for row in found["rows"]:
        assert row["difference"] == pytest.approx(row["value"] - row["base"], abs=2e-6) and not row["learned"]
    assert "less the run" in ablation_text(found) and (tmp_path / "ablation.png").exists()
    assert not list(tmp_path.glob("curves-*")), "nothing was learned"


def test_the_mean_of_the_weights_is_held_against_the_weights_it_is_the_mean_of(run: Run, tmp_path: Path) -> None:
    (row,) = ablate(run.folder, what=["ema"], out=tmp_path, device="cpu", resamples=FEW, quiet=True)["rows"]
    tensors, _ = read_tensors(run.folder / "resume.safetensors")
    raw, mean = (next(t for n, t in tensors.items() if n.startswith(f"{kind}|head")) for kind in ("model", "mean"))
    assert not torch.equal(raw, mean) and row["base"] != row["value"]
    seen = posebench.evaluate(data_of(run.recipe, "val"), run.folder / "predictions.json")["PCK@0.5"]
    assert row["base"] == pytest.approx(seen, abs=1e-6), "the mean is what validation saw"


def test_parts_of_learning_are_learned_again_with_one_thing_changed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = ["schedule", "accumulation", "initialisation"]
    found = ablate(run.folder, what=what, epochs=1, start=str(run.folder), out=tmp_path, device="cpu", resamples=FEW, quiet=True)
    assert [row["part"] for row in found["rows"]] == ["schedule", "schedule", "accumulation", "accumulation", "initialisation"] and not found["failed"]
    for row in found["rows"]:
        folder = tmp_path / row["part"] / row["name"].replace(" ", "-").replace(f"init={run.folder}", "from-weights")
        kept = read_run(folder)
        assert kept.recipe == replace(run.recipe, epochs=1, **row["settings"])
        assert posebench.evaluate(data_of(run.recipe, "val"), folder / "predictions.json")["PCK@0.5"] == pytest.approx(row["value"], abs=1e-6)
    start = read_run(tmp_path / "initialisation/from-weights").facts["start"]
    assert start["from"] == str(run.folder) and start["copied"] > 5
    assert {p.name for p in tmp_path.glob("*.png")} == {"ablation.png", *(f"curves-{name}.png" for name in what)}
    assert found["value"] == pytest.approx(again(read_run(tmp_path / "as-it-is")), abs=1e-6)


def test_another_optimiser_learns_at_the_rate_its_range_test_finds(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def tested(recipe: Recipe, **how: Any) -> RangeTest:
        asked.append(recipe.optimiser)
        top = 1e-2 if recipe.optimiser == "adamw" else 1.0  # what SGD bears is a hundred times higher
        return curve(np.r_[np.ones(20), np.linspace(1, 0.5, 21)[1:]], top * 1e-4, top)

    monkeypatch.setattr("baselines.ablation.range_test", tested)
    (row,) = ablate(run.folder, what=["optimiser"], epochs=1, out=tmp_path, device="cpu", resamples=FEW, quiet=True)["rows"]
    assert asked == ["adamw", "sgd"] and row["settings"]["optimiser"] == "sgd"
    kept = read_run(tmp_path / "optimiser/optimiser=sgd").recipe
    assert kept.optimiser == "sgd" and kept.lr == row["settings"]["lr"] == pytest.approx(100 * run.recipe.lr, rel=0.05)
    assert ablate(run.folder, what=["optimiser"], epochs=1, out=tmp_path, device="cpu", resamples=FEW, quiet=True)["rows"] == [row]
    assert asked == ["adamw", "sgd"], "a run that was begun keeps its rate"


def test_a_part_that_nobody_knows_is_refused(run: Run) -> None:
    with pytest.raises(PoseError, match="no such part; did you mean 'schedule'"):
        ablate(run.folder, what=["schedules"])


def test_changes_fit_the_recipe_they_change() -> None:
    named = {
        name: [c.name for c in part.changes(replace(RECIPE, flip_test=True, schedule="onecycle", batch=6, pretrained=True))] for name, part in PARTS.items()
    }
    assert named["flip-test"] == ["no flip test"] and named["schedule"] == ["schedule=constant"] and named["ema"] == []
    assert named["accumulation"] == ["the batch in 2 parts", "2 batches a step"] and named["initialisation"] == ["from scratch"]
    for part in PARTS.values():
        for change in part.changes(RECIPE):
            assert replace(RECIPE, **change.settings) != RECIPE or change.asked or change.raw or change.init


def test_differences_are_corrected_for_each_other_and_say_which_way_is_better(run: Run) -> None:
    truth = data_of(run.recipe, "val")
    ev = posebench.evaluate(truth, run.folder / "predictions.json")
    assert truth is not None
    near = replace(ev.predictions, keypoints=ev.predictions.keypoints * [0.5, 0.5, 1.0])
    found = against({"near": (ev, posebench.evaluate(truth, near)), "same": (ev, ev)}, "PCK@0.5", 200)
    assert found["same"] == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "real": False, "better": False}
    row, single = found["near"], compare(ev, posebench.evaluate(truth, near), metrics=["PCK@0.5"], correction="none", resamples=200)["PCK@0.5"]
    assert row["difference"] == pytest.approx(single.difference, abs=1e-5) and row["p"] == pytest.approx(min(2 * single.p, 1), abs=1e-5), "Holm over two"
    assert row["better"] == (row["difference"] > 0)
    assert against({}, "AP") == {}


# -- costs ---------------------------------------------------------------------------------------------


def test_costs_are_counted_and_timed_apart(run: Run) -> None:
    rows = runtime([run.folder, "synthetic-demo"], crops=5, batch=2, device="cpu")
    own = complexity(build(run.recipe, run.schema))
    assert rows[0]["params_m"] == round(own.parameters / 1e6, 3) and rows[0]["gmac"] == round(own.macs / 1e9, 4)
    assert rows[0]["size_mb"] == round((run.folder / "best.safetensors").stat().st_size / 1e6, 3)
    assert rows[0]["value"] == pytest.approx(read_metrics(run.folder)[-1]["PCK@0.5"], abs=1e-6) and rows[1]["value"] is None
    for row in rows:
        assert 0 < row["decoding_ms"] < row["total_ms"] and 0 < row["network_ms"] < row["total_ms"] and row["images_per_second"] > 0
    assert "t_dec ms" in runtime_text(rows) and "not trained" in runtime_text(rows)
    (worked,) = runtime([run.folder], crops=3, batch=2, device="cpu", clock="processor")
    assert worked["clock"] == "processor" and worked["network_ms"] > 0
    with pytest.raises(PoseError, match="no such clock; did you mean 'wall'"):
        runtime([run.folder], clock="walls")
    with pytest.raises(PoseError, match="nothing is named"):
        runtime_text([])


# -- commands ------------------------------------------------------------------------------------------


def test_the_commands_say_json_and_how_they_ended(tmp_path: Path, drawn_once: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(replace(TINY, name="tiny").to_toml())
    said = [
        "sweep",
        str(recipe),
        "--vary",
        "backbone=tests.tiny:backbone,no_such_net",
        "--out",
        str(tmp_path / "s"),
        "--resamples",
        "50",
        "--device",
        "cpu",
        "--json",
    ]
    done = CliRunner().invoke(app, said)
    assert done.exit_code == 1 and json.loads(done.stdout)["failed"][0]["name"] == "backbone=no_such_net", done.output
    kept = tmp_path / "s/short/backbone=tests.tiny_backbone"
    done = CliRunner().invoke(app, ["ablate", str(kept), "--what", "flip-test", "--resamples", "50", "--quiet", "--device", "cpu"])
    assert done.exit_code == 0 and "flip test" in done.stdout and not done.stderr, done.output
    done = CliRunner().invoke(app, ["complexity", str(kept), "--crops", "3", "--out", str(tmp_path / "c.json")])
    assert done.exit_code == 0 and read_table(tmp_path / "c.json")["rows"][0]["name"] == kept.name
    done = CliRunner().invoke(app, ["lr", str(recipe), "--steps", "10", "--lowest", "1e-4", "--json", "--device", "cpu"])
    assert done.exit_code == 0 and len(json.loads(done.stdout)["rows"]) <= 10
    done = CliRunner().invoke(app, ["ablate", "--list"])
    assert done.exit_code == 0 and all(name in done.stdout for name in PARTS)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (["sweep", "nonsense", "--vary", "lr=1"], "no such recipe"),
        (["sweep", "synthetic-demo"], "nothing varies"),
        (["ablate", "nowhere"], "no run"),
        (["ablate"], "no run is named"),
        (["lr", "synthetic-demo", "-o", "a.txt"], "nothing ends in '.txt'"),
        (["complexity", "nonsense"], "no such recipe"),
        (["complexity", "synthetic-demo", "-o", "a.csv"], "no rows end in '.csv'"),
    ],
)
def test_bad_input_says_why_before_anything_is_learned(said: list[str], seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, said)
    assert isinstance(done.exception, PoseError) and seen in str(done.exception) and "\n" not in str(done.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": 3}'])
def test_a_table_of_others_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(PoseError, match=r"a\.json"):
        read_table(tmp_path / "a.json")
