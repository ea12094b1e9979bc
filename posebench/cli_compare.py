"""The commands compare, rank and power: thin doors to the functions of the same names."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posedata.command import emit, say, verb
from posedata.errors import PoseError, brief
from posedata.files import write_bytes

from .options import read_with, scored, source_of

if TYPE_CHECKING:
    from .statistics.compare import Comparison
    from .statistics.standings import Standings

__all__ = ["add"]

_WRITES = (".json", ".csv", ".png", ".svg")


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Better, or lucky? Models on the same images.")(compare)
    verb(app, short_help="Many submissions, and how sure their ranks are.")(rank)
    verb(app, short_help="How many images show a difference.")(power)


def _resampled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of everything that draws images again."""
    for option in (
        click.option("--seed", default=0, show_default=True, help="One seed, one result."),
        click.option("--resamples", default=1000, show_default=True, metavar="N", help="How often images are drawn again, and models exchanged."),
        click.option("--level", default=0.95, show_default=True, metavar="SHARE", help="How sure to be."),
        click.option("--clusters", default="image", show_default=True, metavar="COLUMN", help="Images that belong together, such as those of a video."),
    ):
        function = option(function)
    return function


@scored
@click.option("--metrics", metavar="NAMES", help="Comma-separated, such as AP,AP@0.75,PCK@0.2; the protocol's unless given.")
@click.option("--by", multiple=True, metavar="SLICE", help="Also for each keypoint, category, size, crowd, overlap, ..., or value of a column.")
@click.option("--correction", default="holm", show_default=True, metavar="NAME", help="For looking at many numbers: holm, benjamini-hochberg, none.")
@click.option("--why", is_flag=True, help="Say which errors make the difference in AP.")
@_resampled
@click.option("-o", "--out", metavar="FILE", help="Write: .json, .csv the differences, .png or .svg a plot of them.")
def compare(predictions: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Compare models on the same images: differences, their intervals, and how often luck would make them.

    Each PREDS is the predictions of one model. A star marks what is real: not by luck, however many numbers were looked at.
    With three models or more they are ranked, with letters for those that cannot be told apart.

    \b
    posebench compare a.json b.json --truth gt.json
    posebench compare a.json b.json c.json --dataset crowdpose --split val --metrics AP,PCK@0.2
    posebench compare a.json b.json --truth gt.json --by size --why -o differences.png
    """
    from .scoring import evaluated
    from .statistics.compare import compare as compared

    if len(predictions) < 2:
        raise PoseError("posebench compare", "one file of predictions", "name two or more, one for each model; posebench evaluate scores one")
    _check_suffix(options["out"])
    metrics = _listed(options["metrics"])
    evs = [evaluated([path], options) for path in predictions]
    made = compared(*evs, metrics=metrics, by=options["by"], names=names_of(predictions), correction=options["correction"], **_drawn(options), quiet=quiet)
    values = made.to_dict()
    if options["why"]:
        values["reasons"] = [
            {"a": r.a, "b": r.b, "kind": r.kind or None, "text": r.text, "costs": {k: list(v) for k, v in r.costs.items()}} for r in made.reasons
        ]
    if options["out"]:
        _write_comparison(made, values, options["out"])
        say(f"written to {options['out']}", quiet or as_json)
    emit(values, repr(made), as_json)


@click.argument("folder")
@read_with
@click.option("--metric", default="AP", show_default=True, metavar="NAME", help="The number to rank by.")
@_resampled
@click.option("-o", "--out", metavar="FILE", help="Write: .json, .csv the ranking, .png or .svg a plot of the ranks.")
def rank(folder: str, metric: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Rank the submissions in FOLDER, one file of predictions each, and say how sure each rank is.

    Models that share a letter cannot be told apart. A file that cannot be scored is named and does not stop the others;
    exit 1 then.

    \b
    posebench rank submissions --truth gt.json
    posebench rank submissions --dataset crowdpose --split val --metric AP[hard] -o ranks.png
    """
    from .statistics.rank import rank as ranked

    _check_suffix(options["out"])
    truth = source_of(*(options[k] for k in ("truth", "dataset", "config", "split", "root")))
    reading = {"schema": options["schema"], "mapping": options["mapping"], "unknown": "drop" if options["allow_unknown"] else "error", "root": options["root"]}
    made = ranked(folder, truth, options["protocol"], metric=metric, **_drawn(options), quiet=quiet, **reading)
    values = made.to_dict()
    if options["out"]:
        _write_standings(made, values, options["out"])
        say(f"written to {options['out']}", quiet or as_json)
    emit(values, repr(made), as_json)
    if made.refused:
        sys.exit(1)


@scored
@click.option("--metric", default="AP", show_default=True, metavar="NAME", help="The number whose difference is to be seen.")
@click.option("--delta", default=0.005, show_default=True, metavar="NUMBER", help="The difference; .005 is half a point of AP.")
@click.option("--power", "chance", default=0.8, show_default=True, metavar="SHARE", help="The chance to see it.")
@click.option("--correlation", type=float, metavar="R", help="Assumed between two models on an image, where only one is given.")
@_resampled
def power(
    predictions: tuple[str, ...], metric: str, delta: float, chance: float, correlation: float | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """How many images show a difference of that size, and the smallest difference that these images show.

    With two files, one for each model, the scatter of their difference is measured; with one it is assumed from a correlation.

    \b
    posebench power a.json --truth gt.json
    posebench power a.json b.json --truth gt.json --delta .01
    """
    from .scoring import evaluated
    from .statistics.power import power as powered

    if len(predictions) > 2:
        raise PoseError("posebench power", f"{len(predictions)} files of predictions", "one model, or two to compare")
    ev, *other = [evaluated([path], options) for path in predictions]
    made = powered(ev, other[0] if other else None, delta, metric=metric, power=chance, correlation=correlation, **_drawn(options))
    emit(made.to_dict(), repr(made), as_json)


def names_of(paths: Sequence[str]) -> tuple[str, ...]:
    """What files are called: their names without endings where these differ, else as given; a file named twice is numbered."""
    stems = [Path(path).name.removesuffix(".gz").removesuffix(".json").removesuffix(".npz") for path in paths]
    chosen = stems if len(set(stems)) == len(stems) else list(paths)
    times: Counter[str] = Counter()
    called = []
    for name in chosen:
        times[name] += 1
        called.append(name if times[name] == 1 else f"{name} ({times[name]})")
    return tuple(called)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _drawn(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: options[k] for k in ("clusters", "resamples", "seed", "level")}


def _check_suffix(out: str | None) -> None:
    if out and Path(out).suffix not in _WRITES:
        raise PoseError(f"-o {brief(out)}", "a form we do not write", f"one of: {', '.join(_WRITES)}")


def _write_comparison(made: Comparison, values: Mapping[str, Any], out: str) -> None:
    if Path(out).suffix in (".png", ".svg"):
        from . import plots

        plots.save(plots.differences(made), out)
    else:
        _write_table(values, values["differences"], out)


def _write_standings(made: Standings, values: Mapping[str, Any], out: str) -> None:
    if Path(out).suffix in (".png", ".svg"):
        from . import plots

        plots.save(plots.rank_distribution(made), out)
    else:
        _write_table(values, values["ranking"], out)


def _write_table(values: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], out: str) -> None:
    """All of it as JSON, or the rows as CSV."""
    if Path(out).suffix == ".json":
        write_bytes(out, json.dumps(values, ensure_ascii=False, indent=1).encode())
        return
    from .frames import table_frame, write_frame

    write_frame(table_frame({k: [row[k] for row in rows] for k in rows[0]}), out)
