"""posebench: scores for keypoint predictions, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import click

from posedata.command import emit, run, say, verb
from posedata.version import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, help="Score keypoint predictions and say what is wrong with them."
)
@click.version_option(__version__, prog_name="posebench")
def app() -> None: ...


@verb(app, short_help="A first look, without data or network.")
@click.option("-o", "--out", default="out/demo", show_default=True, metavar="FOLDER", help="Where the contact sheets go.")
@click.option("-n", "count", default=192, show_default=True, type=click.IntRange(1, 100_000), help="Scenes of each kind.")
def demo(out: str, count: int, as_json: bool, quiet: bool) -> None:
    """Draw synthetic animals and people with exact keypoints, print each set's card, and write its contact sheet."""
    from posedata.images import contact_sheet, save_picture
    from posedata.synthetic.build import CONFIGS, synthesize

    cards, values = [], {}
    for config in CONFIGS:
        ds = synthesize(config, "train", count, quiet=quiet or as_json)
        path = save_picture(contact_sheet(ds), Path(out) / f"{config}.png")
        cards.append(f"{ds!r}\n  sheet       {path}")
        values[config] = {"sheet": str(path), "schema": ds.schema.name, "images": len(ds.images), "instances": len(ds)}
    emit(values, "\n\n".join(cards), as_json)
    say("\nLook at the sheets, then: posedata show synthetic/quadruped --by species -o species.png", quiet or as_json)


def main() -> None:
    """Entry point of the command."""
    run(app, "posebench")
