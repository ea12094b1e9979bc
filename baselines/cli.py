"""baselines: train, predict, and a leaderboard that anyone can compute again."""

from __future__ import annotations

import click

from posedata.command import run
from posedata.version import __version__

from .cli_checks import add as add_checks
from .cli_leaderboard import add as add_leaderboard
from .cli_predict import add as add_predict
from .cli_sweep import add as add_sweep
from .cli_training import add as add_training


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Train reference models, predict with them, and keep a leaderboard that anyone can compute again.",
)
@click.version_option(__version__, prog_name="baselines")
def app() -> None: ...


add_training(app)
add_checks(app)
add_sweep(app)
add_predict(app)
add_leaderboard(app)


def main() -> None:
    """Entry point of the command."""
    run(app, "baselines")
