"""The command browse: a thin door to the function of the same name."""

from __future__ import annotations

from typing import Any

import click

from posedata.cli_browse import app_options
from posedata.command import emit, say, verb

from .options import scored

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the command."""
    verb(app, short_help="Look at the errors in FiftyOne.")(browse)


@scored
@click.option("--images", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the pictures of --truth lie.")
@click.option("--worst", default=100, show_default=True, type=click.IntRange(0), metavar="N", help="Poses in the view of the worst.")
@click.option("--suspects", default=200, show_default=True, type=click.IntRange(0), metavar="N", help="Annotations in the view of suspects; 0 leaves it out.")
@click.option("--instance", metavar="ID", help="Open on one pose: the id of an annotation, or p17 for row 17 of the predictions.")
@app_options
def browse(
    predictions: tuple[str, ...],
    images: str | None,
    worst: int,
    suspects: int,
    instance: str | None,
    name: str | None,
    fresh: bool,
    no_app: bool,
    port: int | None,
    remote: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Open the errors in FiftyOne: truth and predictions with skeletons, tags and saved views for each kind of error, the panel
    Pose errors, and our metrics in its Model Evaluation.

    Each file of PREDS is a model of its own; they stand side by side on one truth. The FiftyOne dataset stays: a second call
    brings it up to date and keeps your tags. Needs the extra: pip install 'posebench[browse]'.

    \b
    posebench browse preds.json --truth gt.json --images val2017
    posebench browse small.json large.json --dataset crowdpose --split val
    posebench browse preds.json --truth gt.json --instance p17
    """
    from .browsing.door import browse as browsed
    from .browsing.reading import evaluations

    evs = evaluations(predictions, images, options)
    made = browsed(evs, name=name, worst=worst, suspects=suspects, instance=instance, fresh=fresh, app=False)
    emit(made.to_dict(), repr(made), as_json)
    if not no_app:
        say("close its tab, or press Ctrl-C, to end", quiet or as_json)
        made.open(port, remote).wait()
