"""The command browse: a thin door to the function of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .command import emit, say, verb

__all__ = ["add", "app_options"]


def app_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of both browse commands: which FiftyOne dataset, and the App."""
    for option in reversed((
        click.option("--name", metavar="NAME", help="Name of the FiftyOne dataset; that of the data unless given."),
        click.option("--fresh", is_flag=True, help="Begin anew: what was tagged or edited in FiftyOne is lost."),
        click.option("--no-app", is_flag=True, help="Make the dataset ready and open nothing."),
        click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Where the App listens; 5151 unless FiftyOne is told otherwise."),
        click.option("--remote", is_flag=True, help="Serve the App without opening a browser here."),
    )):  # fmt: skip
        function = option(function)
    return function


def add(app: click.Group) -> None:
    """Register the command."""
    verb(app, short_help="Look at a dataset in FiftyOne.")(browse)


@click.argument("source")
@click.option("--no-validate", is_flag=True, help="Leave the findings of posedata validate out.")
@click.option("--duplicates", is_flag=True, help="Look for pictures that are the same; each is decoded once.")
@click.option("--splits", metavar="FILE", help="A manifest of posedata split: its parts become a field of the images.")
@click.option("--images", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the file names of SOURCE lie.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
@app_options
def browse(
    source: str,
    no_validate: bool,
    duplicates: bool,
    splits: str | None,
    images: str | None,
    schema: str | None,
    root: str | None,
    name: str | None,
    fresh: bool,
    no_app: bool,
    port: int | None,
    remote: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Open SOURCE in FiftyOne: its poses with their skeleton, and findings of validate as tags and saved views.

    SOURCE is a file or a dataset's NAME[/CONFIG[/SPLIT]]; without a split all its splits are shown. The FiftyOne dataset stays:
    a second call brings it up to date and keeps your tags. Needs the extra: pip install 'posebench[browse]'.

    \b
    posedata browse crowdpose/val
    posedata browse instances.json --images photos --duplicates
    posedata browse synthetic/quadruped --splits splits.json --no-app
    """
    from .browsing import browse as browsed

    made = browsed(
        source,
        name=name,
        images=images,
        schema=schema,
        root=root,
        validate=not no_validate,
        duplicates=duplicates,
        splits=splits,
        fresh=fresh,
        app=False,
        quiet=quiet or as_json,
    )
    emit(made.to_dict(), repr(made), as_json)
    if not no_app:
        say("close its tab, or press Ctrl-C, to end", quiet or as_json)
        made.open(port, remote).wait()
