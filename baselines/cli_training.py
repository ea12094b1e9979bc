"""The commands list, train and plot: thin doors to the functions of the same names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from posedata.command import emit, say, verb
from posedata.errors import PoseError, needs

__all__ = ["add"]

_STOPPED = 130
"""What shells expect of a program that Ctrl-C ended."""


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, name="list", short_help="Recipes: what can be learned, and what was published.")(list_command)
    verb(app, short_help="Learn a recipe.")(train)
    verb(app, short_help="Draw the curves of runs.")(plot)


@click.argument("name", required=False)
@click.option("--options", is_flag=True, help="Every setting with its meaning; with NAME, with its value there.")
@click.option("--toml", is_flag=True, help="Only NAME's TOML file, to change and give to baselines train.")
def list_command(name: str | None, options: bool, toml: bool, as_json: bool, quiet: bool) -> None:
    """List the recipes; or those whose names hold NAME; or, if it is one's whole name or a TOML file, explain it.

    \b
    baselines list
    baselines list ap10k
    baselines list ap10k-hrnet_w32
    baselines list ap10k-hrnet_w32 --toml > mine.toml
    baselines list --options
    """
    from .listing import list_recipes, options_guide, recipe_guide
    from .recipes import RECIPES, load_recipe

    if options:
        emit(*options_guide(load_recipe(name) if name else None), as_json)
    elif toml:
        recipe = load_recipe(name or "")
        emit({"toml": recipe.to_toml()}, recipe.to_toml().rstrip(), as_json)
    elif name is None or (name not in RECIPES and any(name in known for known in RECIPES)):
        emit(*list_recipes(name), as_json)
    else:
        emit(*recipe_guide(name), as_json)


@click.argument("recipe")
@click.option("-o", "--out", metavar="FOLDER", help="Where the run is kept; runs/RECIPE unless given.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another value for a setting: --set lr=1e-3. baselines list --options explains all."
)
@click.option("--init", default="weights", show_default=True, metavar="START", help="weights: the backbone's published ones; scratch; or another run's FOLDER.")
@click.option("--resume", is_flag=True, help="Go on with what the folder holds.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1; a GPU where there is one unless given.")
@click.option("--workers", type=click.IntRange(0, 512), metavar="N", help="Threads that cut crops; processes of the plain loader.")
@click.option("--plain-loader", is_flag=True, help="Decode every picture in every epoch, through torch's DataLoader: slower, the same tensors.")
@click.option("--log", "trackers", multiple=True, metavar="TRACKER", help="Also tell tensorboard, trackio or wandb, where installed.")
def train(
    recipe: str,
    out: str | None,
    settings: tuple[str, ...],
    init: str,
    resume: bool,
    root: str | None,
    device: str | None,
    workers: int | None,
    plain_loader: bool,
    trackers: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn RECIPE, a name or a TOML file, into a folder of weights, predictions on val, metrics and a log.

    Ctrl-C saves; --resume goes on, bit for bit on a CPU. Under torchrun all processes learn as one.

    \b
    baselines train synthetic-demo
    baselines train ap10k-hrnet_w32 --out runs/w32 --set epochs=100 --set lr=1e-3
    baselines train ap10k-hrnet_w32 --out runs/w32 --resume
    baselines train akd-mobilenetv4_s --init runs/synthetic-demo --set width=128 --set height=128
    torchrun --nproc-per-node 4 -m baselines train coco-vit_b --set compile=true
    """
    from .recipes import load_recipe

    changed = load_recipe(recipe).with_settings(settings)
    if resume and init != "weights":
        raise PoseError("--resume and --init", "both are given", "a resumed run has its start behind it")
    try:
        from .train import Stopped
        from .train import train as learn
    except ModuleNotFoundError as e:
        raise needs(f"baselines train ({e.name})", "train") from None
    folder = Path(out or f"runs/{changed.name}")
    how: dict[str, Any] = {"init": init, "resume": resume, "root": root, "device": device, "workers": workers, "plain_loader": plain_loader, "log": trackers}
    try:
        run = learn(changed, folder, **how, quiet=quiet or as_json)
    except Stopped as e:
        emit({"out": str(folder), "stopped": e.seen}, str(e), as_json)
        sys.exit(_STOPPED)
    from .listing import run_guide

    emit(*run_guide(run), as_json)


@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--out", metavar="FILE", help="A .png or .svg; curves.png in the first run's folder unless given.")
def plot(runs: tuple[str, ...], out: str | None, as_json: bool, quiet: bool) -> None:
    """Draw losses and metrics of runs by epoch, in one picture.

    \b
    baselines plot runs/synthetic-demo
    baselines plot runs/scratch runs/pretrained -o both.svg
    """
    from .curves import plot_runs

    path = plot_runs(runs, out or Path(runs[0]) / "curves.png")
    say(f"{len(runs)} run(s) drawn", quiet or as_json)
    emit({"out": str(path), "runs": list(runs)}, str(path), as_json)
