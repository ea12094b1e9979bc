"""The commands sweep, lr, ablate and complexity: thin doors to the functions of the same names."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from posedata.command import emit, verb
from posedata.errors import PoseError, needs

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Many settings for a short while, the best for longer.")(sweep)
    verb(app, name="lr", short_help="Which learning rates a recipe can bear.")(lr_command)
    verb(app, short_help="What each part of a run is worth.")(ablate)
    verb(app, name="complexity", short_help="Size and milliseconds of models, side by side.")(complexity_command)


_SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another value for a setting, in all runs.")
_ROOT = click.option("--root", metavar="FOLDER", help="Where datasets lie.")
_DEVICE = click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1; a GPU where there is one unless given.")
_RESAMPLES = click.option(
    "--resamples", default=1000, show_default=True, type=click.IntRange(20, 100_000), help="How often images are drawn again for intervals."
)


@click.argument("recipe")
@click.option("--vary", multiple=True, metavar="NAME=A,B,C", help="A setting and its values; with several --vary, all combinations.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="For every combination; the recipe's unless given.")
@click.option("--then", type=click.IntRange(1), metavar="N", help="Learn the best afresh for so many epochs.")
@click.option("--keep", default=1, show_default=True, type=click.IntRange(1), help="How many of the best.")
@click.option("-o", "--out", metavar="FOLDER", help="Where the runs and the table are kept; runs/RECIPE-sweep unless given.")
@_SET
@click.option("--init", default="weights", show_default=True, metavar="START", help="weights, scratch, or another run's FOLDER.")
@_ROOT
@_DEVICE
@_RESAMPLES
def sweep(
    recipe: str,
    vary: tuple[str, ...],
    epochs: int | None,
    then: int | None,
    keep: int,
    out: str | None,
    settings: tuple[str, ...],
    init: str,
    root: str | None,
    device: str | None,
    resamples: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn every combination of values for a short while, the best for longer: one table, one picture, intervals, costs.

    Values are parted by commas, those of settings that are lists by |. The same command goes on where it was stopped.
    What cannot be learned is named and does not stop the others; exit 1 then.

    \b
    baselines sweep ap10k-hrnet_w48 --vary head_layers=0,1,2 --vary head_channels=64,128,256 --epochs 10 --then 50
    baselines sweep synthetic-demo --vary backbone=resnet10t,lcnet_050 --vary lr=1e-3,3e-3 --epochs 10 --then 50 --keep 2
    baselines sweep synthetic-demo --vary "scale=.75,1.25|.5,1.5"
    """
    from .recipes import load_recipe
    from .sweep import sweep as swept
    from .sweep import sweep_text

    chosen = load_recipe(recipe).with_settings(settings)
    folder = out or f"runs/{chosen.name}-sweep"
    values = swept(
        chosen, vary, folder, epochs=epochs, then=then, keep=keep, init=init, root=root, device=device, resamples=resamples, command=_said(), quiet=quiet or as_json
    )  # fmt: skip
    emit(values | {"out": folder}, f"{sweep_text(values)}\n{folder}/sweep.json, {folder}/sweep.png", as_json)
    if values["failed"]:
        sys.exit(1)


def _said() -> str:
    """The command as it can be given again."""
    return shlex.join(["baselines", *sys.argv[1:]])


def _room(name: str, door: str) -> Any:
    """A module that needs torch, or one line on what to install."""
    import importlib

    try:
        return importlib.import_module(f".{name}", __package__)
    except ModuleNotFoundError as e:
        raise needs(f"baselines {door} ({e.name})", "train") from None


@click.argument("recipe")
@_SET
@click.option("--steps", default=100, show_default=True, type=click.IntRange(10, 100_000), help="Steps of the optimiser, each at a higher rate.")
@click.option("--lowest", default=1e-6, show_default=True, type=click.FloatRange(0, min_open=True), help="The first rate.")
@click.option("--highest", default=1.0, show_default=True, type=click.FloatRange(0, 10, min_open=True), help="The last, unless the loss explodes before.")
@click.option("--init", default="weights", show_default=True, metavar="START", help="weights, scratch, or another run's FOLDER.")
@_ROOT
@_DEVICE
@click.option("-o", "--out", metavar="FILE", help="Write: .png or .svg the loss by rate, .json the numbers.")
def lr_command(
    recipe: str,
    settings: tuple[str, ...],
    steps: int,
    lowest: float,
    highest: float,
    init: str,
    root: str | None,
    device: str | None,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The range test: let the learning rate rise from step to step, and say where the loss falls fastest and where it explodes.

    \b
    baselines lr synthetic-demo
    baselines lr ap10k-vit_s --set optimiser=sgd -o rates.png
    """
    if out is not None and Path(out).suffix not in (".png", ".svg", ".json"):
        raise PoseError(out, f"nothing ends in {Path(out).suffix!r} here", "write .png, .svg or .json")
    from .recipes import load_recipe

    room = _room("rates", "lr")
    found = room.range_test(
        load_recipe(recipe).with_settings(settings), steps=steps, lowest=lowest, highest=highest, init=init, root=root, device=device, quiet=quiet or as_json
    )  # fmt: skip
    if out is not None:
        found.write(out)
    emit(found.to_dict() | ({"out": out} if out else {}), found.text() + (f"\n{out}" if out else ""), as_json)


@click.argument("run", required=False)
@click.option("--what", multiple=True, metavar="NAME", help="Only this part, as often as there are parts; --list explains them.")
@click.option("--list", "listed", is_flag=True, help="What can be taken away or changed, without doing it.")
@click.option("--learn/--no-learn", default=True, show_default=True, help="Also what has to be learned again.")
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", help="Learn the run itself again for so many epochs, and all changes of it; the run's own unless given."
)
@click.option("--start", metavar="START", help="What initialisation is held against: scratch, weights, or another run's FOLDER.")
@click.option("--metric", metavar="NAME", help="The number to look at; the recipe's score unless given.")
@click.option("--boxes", metavar="WHICH", help="As of baselines predict, and its own unless given.")
@click.option("-o", "--out", metavar="FOLDER", help="Where runs, table and pictures are kept; RUN/ablation unless given.")
@_ROOT
@_DEVICE
@_RESAMPLES
def ablate(run: str | None, listed: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Take parts of RUN away, one at a time, and say what each was worth, with the paired interval.

    At prediction: flip test, sub-pixel decoding, NMS, rescoring, the mean of the weights. Learned again: augmentation, initialisation,
    schedule, accumulation, optimiser; and another seed, to see what chance alone does. The same command goes on where it was stopped.

    \b
    baselines ablate runs/mine
    baselines ablate --list
    baselines ablate runs/mine --no-learn
    baselines ablate runs/mine --what schedule --what optimiser --epochs 30
    """
    from .parts import PARTS

    if listed:
        emit({name: part.text for name, part in PARTS.items()}, "\n".join(f"{name:<16} {part.text}" for name, part in PARTS.items()), as_json)
        return
    from .runs import read_run

    if run is None:
        raise PoseError("ablate", "no run is named", "name the folder that baselines train made; --list says what can be taken away")
    read_run(run)  # told before torch is waited for
    room = _room("ablation", "ablate")
    values = room.ablate(run, command=_said(), quiet=quiet or as_json, **options)
    emit(values, f"{room.ablation_text(values)}\n{values['out']}/ablation.json, {values['out']}/ablation.png", as_json)
    if values["failed"]:
        sys.exit(1)


@click.argument("sources", nargs=-1, required=True, metavar="RUN|RECIPE...")
@click.option("--crops", default=50, show_default=True, type=click.IntRange(3, 100_000), help="Crops to time one by one.")
@click.option("--batch", default=16, show_default=True, type=click.IntRange(1, 65536), help="Crops at once, for the throughput.")
@click.option("--clock", default="wall", show_default=True, metavar="NAME", help="wall; or processor: what a CPU works, whoever else keeps it busy.")
@_DEVICE
@click.option("-o", "--out", metavar="FILE", help="Write the rows as .json.")
def complexity_command(sources: tuple[str, ...], crops: int, batch: int, clock: str, device: str | None, out: str | None, as_json: bool, quiet: bool) -> None:
    """Parameters, GMAC, megabytes; milliseconds for one crop, those of the network and of decoding apart; images a second in batches.

    \b
    baselines complexity runs/a runs/b
    baselines complexity synthetic-demo ap10k-resnet50 --device cpu -o costs.json
    """
    if out is not None and Path(out).suffix != ".json":
        raise PoseError(out, f"no rows end in {Path(out).suffix!r}", "write .json")
    room = _room("runtime", "complexity")
    rows = room.runtime(sources, crops=crops, batch=batch, device=device, clock=clock)
    if out is not None:
        from .trials import write_table

        write_table(Path(out), {"command": _said(), "rows": rows})
    emit({"rows": rows}, room.runtime_text(rows), as_json)
