"""The command check: a thin door to the function of the same name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from posedata.command import emit, verb
from posedata.errors import PoseError, needs

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the command."""
    verb(app, short_help="What would spoil a training, before it begins; or has spoilt a run.")(check)


@click.argument("source", metavar="RECIPE_OR_RUN")
@click.option("-o", "--out", metavar="FOLDER", help="Where pictures go; checks/RECIPE or RUN/checks unless given.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another value for a setting of the recipe.")
@click.option("--init", default="weights", show_default=True, metavar="START", help="As in baselines train: weights, scratch, or another run's FOLDER.")
@click.option("--examples", default=11, show_default=True, type=click.IntRange(2, 4096), help="Examples that are learned by heart.")
@click.option("--steps", default=300, show_default=True, type=click.IntRange(1, 100_000), help="Steps in which they are.")
@click.option("--quick", is_flag=True, help="Without learning by heart.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1; a GPU where there is one unless given.")
def check(
    source: str,
    out: str | None,
    settings: tuple[str, ...],
    init: str,
    examples: int,
    steps: int,
    quick: bool,
    root: str | None,
    device: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Look at all that goes into a training: data, the first batch, shapes, gradients, activations, learning rate; and learn a few examples by heart.

    RECIPE is a name or a TOML file. Of a RUN's folder the trained weights and the history are looked at. What would spoil the training
    is a verdict: one line with the way out. Exit 1 when there is one.

    \b
    baselines check ap10k-hrnet_w32
    baselines check mine.toml --set lr=1e-2 --quick
    baselines check synthetic-demo --examples 11 --steps 500 -o looked
    baselines check runs/mine
    """
    from .recipes import load_recipe

    if Path(source).is_dir() and (settings or init != "weights"):
        raise PoseError(source, "a run has its settings and its start behind it", "--set and --init go with a recipe")
    chosen = source if Path(source).is_dir() else load_recipe(source).with_settings(settings)
    try:
        from .checking.running import check as checked
    except ModuleNotFoundError as e:
        raise needs(f"baselines check ({e.name})", "train") from None
    found = checked(chosen, out, init=init, examples=examples, steps=steps, quick=quick, root=root, device=device, quiet=quiet or as_json)
    emit(found.to_dict(), repr(found), as_json)
    if not found.ok:
        sys.exit(1)
