"""The commands of baselines: doors that open late, one line for what is wrong, and the whole way from a recipe to the board."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from baselines.cli import app
from baselines.recipes import RECIPES
from posebench.cli import app as posebench
from tests.test_cli import run
from tests.test_layers import FORBIDDEN_AT_IMPORT, ROOT, loaded_after, without

HEAVY = {*FORBIDDEN_AT_IMPORT, "timm", "torchvision", "huggingface_hub", "safetensors"}


def leaves(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    """Every command with its whole name."""
    inside = command.commands.items() if isinstance(command, click.Group) else []
    return [(name, command), *(leaf for verb, own in inside for leaf in leaves(own, f"{name} {verb}"))]


COMMANDS = dict(leaves(app, "baselines"))


def test_the_commands_are_those_that_are_promised() -> None:
    assert {"list", "train", "predict", "plot", "benchmark", "leaderboard"} <= set(app.commands)


@pytest.mark.parametrize("name", [n for n in COMMANDS if n != "baselines"])
def test_every_command_teaches_with_examples_and_has_json_and_quiet(name: str) -> None:
    command = COMMANDS[name]
    options = {o for p in command.params for o in p.opts}
    assert {"--json", "--quiet"} <= options
    assert re.search(rf"^ *{name} ", command.help or "", re.MULTILINE), "an example"
    assert all(getattr(p, "help", "") for p in command.params if isinstance(p, click.Option))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "ap10k-hrnet_w32"], ["leaderboard"], ["leaderboard", "--recompute", "--dataset", "cat"], ["predict", "--help"]]
)
def test_what_needs_no_network_loads_no_torch(arguments: list[str]) -> None:
    code = f"import contextlib, io, sys; sys.argv = ['baselines', *{arguments!r}]\nfrom baselines.cli import main\nwith contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()"
    assert not loaded_after(code) & HEAVY


def test_importing_the_package_loads_nothing_and_its_names_open_late() -> None:
    assert not loaded_after("import baselines; baselines.RECIPES; baselines.read_board; baselines.Run") & HEAVY


def test_every_public_name_can_be_had_and_differs_from_every_module() -> None:
    import baselines

    assert all(getattr(baselines, name) is not None for name in baselines.__all__)
    modules = {p.stem for p in (ROOT / "baselines").iterdir()}
    assert not modules & set(baselines.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = baselines.nonsense


def test_where_torch_is_missing_one_line_says_how_to_have_it(tmp_path: Path) -> None:
    for arguments in (["predict", "owner/mine", "synthetic"], ["benchmark", "synthetic-demo"]):
        code = f"{without('torch')}import sys; sys.argv = ['baselines', *{arguments!r}]\nfrom baselines.cli import main\nmain()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert (done.returncode, done.stderr) == (2, f"baselines: baselines {arguments[0]} (torch): not installed; pip install 'posebench[train]'\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "nowhere", "synthetic"), "neither a run's folder nor a model of the Hub"),
        (("predict", ".", "synthetic"), "no run: config.toml and run.json are not there"),
        (("predict", ".", "synthetic", "-o", "x.csv"), "no predictions end in '.csv'"),
        (("benchmark", "synthetic-demi"), "did you mean 'synthetic-demo'"),
        (("benchmark", "synthetic-demo", "-o", "x.txt"), "a form we do not write"),
    ],
)
def test_wrong_asks_are_one_line_and_two(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run("baselines", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert words in done.stderr


def asked(group: click.Group, *arguments: str) -> str:
    """What a command says, in this process: torch is loaded once."""
    done = CliRunner().invoke(group, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_counting_is_a_benchmark_without_a_clock(tmp_path: Path) -> None:
    (row,) = json.loads(asked(app, "benchmark", "synthetic-demo", "--count", "--json", "-o", str(tmp_path / "s.md")))["rows"]
    assert row["recipe"] == "synthetic-demo"
    assert "images_per_second" not in row
    assert "| synthetic-demo | 128x128 | 1.4 |" in (tmp_path / "s.md").read_text()


def test_from_a_recipe_to_the_board(tmp_path: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """train, predict with pictures and JSON, evaluate, and a row that is computed again."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    monkeypatch.chdir(tmp_path)
    small = [word for value in ("width=64", "height=64", "scenes=12", "epochs=1", "batch=8", "val=val[:6]") for word in ("--set", value)]
    asked(app, "train", "synthetic-demo", "-o", "mine", *small, "--quiet")
    words = ("-o", "p.json", "--draw", "drawn", "--json-output", "by.json", "--latency", "2", "--json")
    values = json.loads(asked(app, "predict", "mine", "synthetic/quadruped/val[:6]", *words))
    assert (values["images"], values["header"]["split"], len(values["drawn"])) == (6, "val[:6]", 6)
    assert values["timing"]["latency_p50_ms"] > 0
    assert json.loads(Path("by.json").read_text())[0]["image"] == "val_000000.jpg"
    assert json.loads(Path("p.measured.json").read_text())["command"].startswith("baselines")
    ap = json.loads(asked(posebench, "evaluate", "p.json", "--json"))["metrics"]["AP"]
    row = json.loads(asked(app, "leaderboard", "add", "p.json", "--run", "mine", "--board", "b.json", "--json"))
    assert (row["metrics"]["AP"], row["recipe"], row["pretraining"], row["run"], row["input"]) == (ap, "synthetic-demo", "none", "mine", "64x64")
    assert row["size_mb"] > 1
    assert row["params_m"] > 1
    assert asked(app, "leaderboard", "--recompute", "--board", "b.json").split()[0] == "equal"


def test_make_names_what_the_commands_have() -> None:
    text = (ROOT / "Makefile").read_text()
    assert "$(RUN)/baselines train synthetic-demo" in text
    assert "synthetic-demo" in RECIPES
    assert "-m baselines.gpu" in text
