"""The commands sensitivity, ceiling and gap: thin doors to the functions of the same names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posedata.command import emit, say, verb
from posedata.errors import PoseError, brief
from posedata.files import write_bytes

from .cli_compare import names_of
from .options import scored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Do a number and an order of models hold under other rules?")(sensitivity)
    verb(app, short_help="What perfect predictions would score.")(ceiling)
    verb(app, short_help="What lies between training and validation.")(gap)


_OUT = click.option("-o", "--out", metavar="FILE", help="Write: .json, .csv the table, .png or .svg a plot.")


@scored
@click.option("--metric", default="AP", show_default=True, metavar="NAME", help="A number of similarities: AP, AR, AP[large], ...")
@click.option("--kinds", metavar="NAMES", help="Comma-separated: sigmas, thresholds, area, boxes, max_preds, ignored, absent, curve, categories.")
@click.option("--truth-boxes", multiple=True, metavar="FILE", help="Predictions made from truth boxes; with several models one file for each, in their order.")
@_OUT
def sensitivity(
    predictions: tuple[str, ...], metric: str, kinds: str | None, truth_boxes: tuple[str, ...], out: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Score models under every rule that others might have followed: does the number hold, and does the order?

    Each PREDS is the predictions of one model. Sigmas are scaled, made uniform and taken from other sets; thresholds,
    area rule, max_preds and the rest are those that are in use.

    \b
    posebench sensitivity preds.json --truth gt.json
    posebench sensitivity a.json b.json c.json --dataset crowdpose --split val -o order.png
    posebench sensitivity a.json --truth gt.json --kinds sigmas,area --truth-boxes a-truth-boxes.json
    """
    from .scoring import evaluated
    from .statistics.sensitivity import sensitivity as tried

    _check_suffix(out)
    evs = [evaluated([path], options) for path in predictions]
    boxes = [evaluated([path], options) for path in truth_boxes] or None
    made = tried(*evs, metric=metric, kinds=_listed(kinds), names=names_of(predictions), truth_boxes=boxes, quiet=quiet or as_json)
    _finish(made, out, "sensitivity_ranges", as_json, quiet)


@click.argument("source", required=False)
@click.option("--predictions", metavar="PREDS", help="Put a model beside its ceiling; SOURCE may then be left to the header of the file.")
@click.option("--noise", default=1.0, show_default=True, metavar="NUMBER", help="How annotators err, in multiples of the truth's sigmas; 0 for not at all.")
@click.option("--sigmas", metavar="NAME_OR_FILE", help="Or a schema whose sigmas are their noise, such as one that posedata sigmas wrote.")
@click.option("--second", metavar="FILE", help="Or a second annotator's file of the same images.")
@click.option("--grid", "grids", multiple=True, metavar="HxW/STRIDE[:DECODE]", help="Heatmaps: 256x192/4, 64x48/1:quarter, keypointrcnn; 'none' for none.")
@click.option("--metrics", metavar="NAMES", help="Comma-separated, beside AP, AR and AP at each threshold.")
@click.option("--draws", default=20, show_default=True, metavar="N", help="How often errors are drawn.")
@click.option("--seed", default=0, show_default=True, help="One seed, one result.")
@click.option("--protocol", metavar="NAME_OR_FILE", help="Rules of the score; the dataset's own unless given.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie.")
@_OUT
def ceiling(source: str | None, out: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Score perfect predictions of SOURCE, a file or a dataset's NAME[/CONFIG[/SPLIT]]: no model can be expected to do better.

    What keeps them from 1: the noise of annotators, the grid of the heatmaps, the area rule, k taken for sigma. One line
    says why little passes the strict thresholds.

    \b
    posebench ceiling crowdpose/val
    posebench ceiling gt.json --predictions preds.json --grid 256x192/4:quarter -o ceiling.png
    posebench ceiling gt.json --second other-annotator.json
    """
    from .evaluation import evaluate
    from .statistics.ceiling import GRID
    from .statistics.ceiling import ceiling as reached

    _check_suffix(out)
    reading = {k: options[k] for k in ("protocol", "schema", "root")}
    if not source and not options["predictions"]:
        raise PoseError("posebench ceiling", "no source", "name a file or a dataset, or --predictions whose header does")
    given: Any = evaluate(source, options["predictions"], **reading) if options["predictions"] else source
    chosen = options["grids"] or GRID
    made = reached(
        given,
        options["protocol"],
        noise=_noise(options),
        grids=[grid for grid in chosen if grid != "none"],
        metrics=_listed(options["metrics"]) or (),
        draws=options["draws"],
        seed=options["seed"],
        quiet=quiet or as_json,
        schema=options["schema"],
        root=options["root"],
    )
    _finish(made, out, "ceiling_by_threshold", as_json, quiet)


@click.argument("train")
@click.argument("val")
@click.option("--truth", metavar="FILE", help="Annotations of the first set; else --dataset and --split, else the header of TRAIN says.")
@click.option("--val-truth", metavar="FILE", help="Annotations of the second set; else --dataset and --val-split, else the header of VAL says.")
@click.option("--dataset", metavar="ID", help="A dataset that has both splits.")
@click.option("--config", metavar="NAME", help="Its configuration, where it has several.")
@click.option("--split", metavar="NAME", help="The split of TRAIN.")
@click.option("--val-split", metavar="NAME", help="The split of VAL.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie; else $POSEDATA_ROOT, ./data, the cache.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say.")
@click.option("--protocol", metavar="NAME_OR_FILE", help="Rules of the score; the dataset's own unless given.")
@click.option("--mapping", metavar="known|FILE", help="Score predictions of another schema on the points both have.")
@click.option("--allow-unknown", is_flag=True, help="Leave out predictions of images or categories that the truth lacks.")
@click.option("--metrics", metavar="NAMES", help="Comma-separated; the protocol's unless given.")
@click.option(
    "--mix", default="size,crowding", show_default=True, metavar="NAMES", help="What the first set is given in the second's shares; columns of images too."
)
@click.option("--clusters", default="image", show_default=True, metavar="COLUMN", help="Images that belong together, such as those of a video.")
@click.option("--level", default=0.95, show_default=True, metavar="SHARE", help="How sure to be.")
@click.option("--resamples", default=1000, show_default=True, metavar="N", help="How often each set is drawn again.")
@click.option("--seed", default=0, show_default=True, help="One seed, one result.")
@click.option("-o", "--out", metavar="FILE", help="Write: .json, or .csv the table.")
def gap(train: str, val: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Put a model's numbers on two sets that share no image side by side: TRAIN and VAL are its predictions on each.

    Every metric and every kind of error, with intervals; then the same with the first set in the second's mix of sizes and
    crowding, and a word on what may be over-fitting.

    \b
    posebench gap train-preds.json val-preds.json
    posebench gap t.json v.json --truth train.json --val-truth val.json
    posebench gap t.json v.json --dataset crowdpose --split train --val-split val --mix size,crowding
    """
    from .scoring import evaluated
    from .statistics.gap import gap as between

    out = options["out"]
    _check_suffix(out, (".json", ".csv"))
    second = {**options, "truth": options["val_truth"], "split": options["val_split"]}
    dataset = None if options["truth"] or options["val_truth"] else options["dataset"]
    first, other = (evaluated([path], {**given, "dataset": dataset}) for path, given in ((train, options), (val, second)))
    how = {k: options[k] for k in ("clusters", "level", "resamples", "seed")}
    made = between(first, other, metrics=_listed(options["metrics"]), mix=_listed(options["mix"]) or (), quiet=quiet or as_json, **how)
    _finish(made, out, "", as_json, quiet)


def _noise(options: Mapping[str, Any]) -> Any:
    """What --noise, --sigmas and --second say."""
    if options["sigmas"] and options["second"]:
        raise PoseError("--sigmas and --second", "both are given", "name one")
    if options["sigmas"]:
        from posedata.schemas import load_schema

        return load_schema(options["sigmas"])
    if options["second"]:
        from posedata.formats.anything import read

        return read(options["second"], None, options["schema"], options["root"])
    return options["noise"]


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _check_suffix(out: str | None, forms: Sequence[str] = (".json", ".csv", ".png", ".svg")) -> None:
    if out and Path(out).suffix not in forms:
        raise PoseError(f"-o {brief(out)}", "a form we do not write", f"one of: {', '.join(forms)}")


def _finish(made: Any, out: str | None, plot: str, as_json: bool, quiet: bool) -> None:
    """Write and print."""
    values = made.to_dict()
    if out:
        _write(made, values, out, plot)
        say(f"written to {out}", quiet or as_json)
    emit(values, repr(made), as_json)


def _write(made: Any, values: Mapping[str, Any], out: str, plot: str) -> None:
    if Path(out).suffix == ".json":
        write_bytes(out, json.dumps(values, ensure_ascii=False, indent=1).encode())
    elif Path(out).suffix == ".csv":
        from .frames import write_frame

        write_frame(made.to_pandas().reset_index(), out)
    else:
        from . import plots

        draw: Callable[[Any], Figure] = getattr(plots, plot)
        plots.save(draw(made), out)
