"""posebench: scores for keypoint predictions, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from posedata.command import emit, run, say, verb
from posedata.errors import FormatError
from posedata.version import __version__

from .cli_browse import add as add_browse
from .cli_checks import add as add_checks
from .cli_compare import add as add_comparisons
from .cli_report import add as add_report
from .cli_robust import add as add_robust
from .options import scored
from .plain import plain
from .simulate import SHARES
from .simulate import simulate as simulated


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, help="Score keypoint predictions and say what is wrong with them."
)
@click.version_option(__version__, prog_name="posebench")
def app() -> None: ...


@verb(app, short_help="A first look, without data or network.")
@click.option("-o", "--out", default="out/demo", show_default=True, metavar="FOLDER", help="Where sheets, predictions and plots go.")
@click.option("-n", "count", default=192, show_default=True, type=click.IntRange(1, 100_000), help="Scenes of each kind.")
@click.option("--browse", is_flag=True, help="Open FiftyOne on the errors at the end; needs the extra 'browse'.")
def demo(out: str, count: int, browse: bool, as_json: bool, quiet: bool) -> None:
    """Draw synthetic animals and people with exact keypoints; then score, diagnose and plot simulated predictions.

    The model that is simulated takes left hind legs for right ones: look at the plots whether they say so.
    """
    from .demo import next_steps, run_demo

    values, text = run_demo(Path(out), count, quiet or as_json)
    emit(plain(values), text, as_json)
    say(f"\n{next_steps(Path(out))}", quiet or as_json)
    if browse:
        from .browsing.demo import browse_demo

        browse_demo(Path(out), count, quiet or as_json)


@verb(app, short_help="Score predictions: AP, PCK and their relatives.")
@scored
@click.option("--metrics", metavar="NAMES", help="Comma-separated, such as AP,AP@0.75,PCK@0.2[large]; posebench metrics explains the language.")
@click.option("--by", multiple=True, metavar="SLICE", help="A row for each keypoint, category, size, crowd, overlap, ..., or value of a column.")
@click.option("--min", "floors", multiple=True, metavar="NAME=NUMBER", help="Exit 1 where a metric is below this: --min AP=0.72.")
@click.option("--interval", type=float, metavar="LEVEL", help="Print between what each number lies on other images like these: --interval .95.")
@click.option("--clusters", metavar="COLUMN", help="With --interval: images that belong together, such as those of a video.")
@click.option("--resamples", type=int, metavar="N", help="With --interval: how often images are drawn again; 1000 unless given.")
@click.option("--seed", type=int, metavar="N", help="With --interval: one seed, one result; 0 unless given.")
@click.option("--check", is_flag=True, help="Run pycocotools on the same columns and print where it differs.")
@click.option("-o", "--out", metavar="FILE", help="Write the result: .json, or .csv for the slices.")
def evaluate(predictions: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Score predictions against truth, and print the rules with the numbers.

    \b
    posebench evaluate preds.json                                      # its header says on what
    posebench evaluate preds.json --dataset crowdpose --split val
    posebench evaluate preds.json --truth gt.json --by size --by keypoint
    posebench evaluate preds.json --truth gt.json --metrics AP,PCK@0.2 --min AP=0.72
    posebench evaluate preds.json --truth gt.json --interval .95 --by size
    """
    from .scoring import score

    score(predictions, options, as_json, quiet)


@verb(app, short_help="What went wrong, where, and what it costs.")
@scored
@click.option("--by", multiple=True, metavar="SLICE", help="A row for each keypoint, category, size, overlap, visibility, or value of a column.")
@click.option("--worst", type=click.IntRange(1), metavar="N", help="The N poses that lose most; with -o as a table.")
@click.option(
    "--kind", metavar="LABEL", help="With --worst: only what this error loses: jitter, inversion, swap, miss, absent, surplus, background, missed, ..."
)
@click.option("--keypoint", metavar="NAME", help="With --worst: only what this keypoint loses.")
@click.option("--greedy", type=click.IntRange(1), metavar="N", help="The N keypoints to correct first, each the one that gains most.")
@click.option("--confused", multiple=True, metavar="A,B", help="Two look-alike points of one body, such as left_front_paw,left_back_paw.")
@click.option("--truth-boxes", metavar="FILE", help="Predictions of the same model made from truth boxes: what they gain is the cost of the boxes.")
@click.option("--legacy", is_flag=True, help="Count as coco-analyze does, its halved distance included.")
@click.option("-o", "--out", metavar="FILE", help="Write: .json the report; .csv or .parquet the worst poses, or else every keypoint.")
def errors(predictions: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Label every keypoint and every pose, and say what each kind of error costs.

    \b
    good       within the spread of human annotators
    jitter     beyond it, but near its own place
    inversion  on the mirror point of the same body; what others call a swap of left and right
    swap       on the same or the mirror point of another body
    miss       near no such point
    absent     left out by the model

    \b
    posebench errors preds.json --truth gt.json --by keypoint
    posebench errors preds.json --truth gt.json --worst 100 -o worst.csv
    posebench errors preds.json --truth gt.json --worst 20 --kind inversion
    """
    from .diagnosing import diagnose_command

    diagnose_command(predictions, options, as_json, quiet)


@verb(app, short_help="The language of metrics, with formulas.")
@click.argument("name", required=False)
def metrics(name: str | None, as_json: bool, quiet: bool) -> None:
    """List the metrics, their variants and formulas, and how they are spelled; or explain one: AP, PCK, PCK.mmpose@0.05."""
    from .guide import metrics_guide

    values, text = metrics_guide(name)
    emit(values, text, as_json)


@verb(app, short_help="The rules by which numbers are published.")
@click.argument("name", required=False)
def protocols(name: str | None, as_json: bool, quiet: bool) -> None:
    """List the protocols, or print one whole, with its sources; NAME may be a TOML file."""
    from .guide import protocols_guide

    values, text = protocols_guide(name)
    emit(values, text, as_json)


def _shares(function: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each share of errors, with the library's default."""
    for name, what in reversed(SHARES.items()):
        default = (simulated.__kwdefaults__ or {})[name]
        function = click.option(f"--{name}", default=default, show_default=True, metavar="SHARE", help=f"Share of {what}.")(function)
    return function


@verb(app, short_help="Make predictions with known errors.")
@click.argument("source")
@click.option("-o", "--out", default="preds.json", show_default=True, metavar="FILE", help="The predictions to write: .json or .npz.")
@_shares
@click.option("--score-noise", default=0.0, show_default=True, help="Deviation of noise on the log odds of scores; 0 ranks poses by similarity.")
@click.option("--seed", default=0, show_default=True, help="One seed, one result.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Schema of a file that does not name its keypoints.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
def simulate(source: str, out: str, schema: str | None, root: str | None, as_json: bool, quiet: bool, **shares: Any) -> None:
    """Write predictions for SOURCE, a file or a dataset's NAME[/CONFIG[/SPLIT]], with errors of known kinds in given shares.

    What was injected goes beside them (preds.injected.json), so that an analysis of errors can be checked. The shares of
    labelled points add to 1 at most; the rest is good. What a point cannot be becomes good too, and is counted so.

    \b
    posebench simulate synthetic/person/val -o preds.json
    posebench simulate truth.json --miss .3 --swap 0 --background .2 --seed 1
    """
    from posedata.formats.anything import read

    path = Path(out)
    if path.suffix not in (".json", ".npz"):
        raise FormatError(out, f"no predictions end in {path.suffix!r}", "write .json or .npz")
    made = simulated(read(source, None, schema, root), **shares)
    beside = path.with_suffix(".injected.json")
    made.injected.to_json(beside)
    (made.pred.to_json if path.suffix == ".json" else made.pred.to_npz)(path)
    values = {"out": out, "injected": str(beside), "predictions": len(made.pred), "shares": made.injected.report()}
    emit(values, f"{made.injected}\n\n{out}: {len(made.pred):,} predictions; {beside}: what was injected", as_json)


add_checks(app)
add_report(app)
add_robust(app)
add_comparisons(app)
add_browse(app)


def main() -> None:
    """Entry point of the command."""
    run(app, "posebench")
