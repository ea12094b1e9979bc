"""Commands that show: report and plot."""

from __future__ import annotations

from typing import Any

import click

from posedata.command import verb

from .options import scored

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Give a group its commands."""

    @verb(app, short_help="One page that says it all: HTML, PDF, Markdown, JSON.")
    @scored
    @click.option(
        "-o", "--out", multiple=True, metavar="FILE", help="What to write, by its ending: .html, .pdf, .md, .json; several if you like.  [default: report.html]"
    )
    @click.option(
        "--images",
        multiple=True,
        metavar="FOLDER|N",
        help="Where the pictures of --truth lie; a number: how many poses the gallery shows, the worst of each kind of error.  [default: 100]",
    )
    def report(predictions: tuple[str, ...], out: tuple[str, ...], images: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
        """Write what predictions are worth, what goes wrong and where, and the worst poses, as one file that needs nothing else.

        Two files of predictions or more are compared. A PDF needs Chromium.

        \b
        posebench report preds.json                                     # its header says on what
        posebench report preds.json --truth gt.json --images val2017 --images 50
        posebench report preds.json --truth gt.json -o report.pdf -o report.md
        posebench report old.json new.json --truth gt.json -o which.html
        """
        from .showing import report_command

        report_command(predictions, out or ("report.html",), images, options, as_json, quiet)

    @verb(app, short_help="One figure as PNG or SVG, or all of them.")
    @click.argument("name", metavar="PLOT")
    @scored
    @click.option("-o", "--out", metavar="FILE", help="A .png or .svg, or for `all` a folder.  [default: PLOT.svg]")
    def plot(name: str, predictions: tuple[str, ...], out: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
        """Draw PLOT, or all of them, of predictions: the figures of the report.

        \b
        precision_recall    precision against recall, and who was never found
        ap_by_threshold     AP and AR at each similarity
        cost_waterfall      the AP that each kind of error takes
        skeleton            errors of each keypoint on the schema's body
        error_shares        errors of each keypoint as bars
        similarity_strips   the distribution of each keypoint's similarity
        tolerance_circles   circles of similarity .5 and .85 on the schema's body
        confusion           which keypoint is put on which, and left on right
        calibration_bars    whether confidences mean what they say

        \b
        posebench plot cost_waterfall preds.json --truth gt.json -o cost.png
        posebench plot all preds.json --truth gt.json -o figures
        """
        from .showing import plot_command

        plot_command(name, predictions, out, options, as_json, quiet)
