"""The command leaderboard and its add: thin doors to the board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from posebench.options import source_of
from posedata.command import emit, say, verb
from posedata.errors import PoseError, brief

__all__ = ["add"]

_BOARD = click.option("--board", metavar="FILE", help="Another board than the one that comes with the package; its predictions lie beside it.")
_ROOT = click.option("--root", metavar="FOLDER", help="Where datasets lie; else $POSEDATA_ROOT, ./data, the cache.")


def add(app: click.Group) -> None:
    """Register the commands."""
    group = app.group(name="leaderboard", invoke_without_command=True, short_help="What models reach, and how sure that is.")(leaderboard)
    verb(group, name="add", short_help="A row for anybody's predictions.")(add_command)


@click.option("--recompute", is_flag=True, help="Score every row again whose predictions and truth are here; exit 1 where a number differs.")
@click.option("--dataset", metavar="ID", help="Only this dataset, or this set: ap10k, synthetic/quadruped/val.")
@click.option("--computed", is_flag=True, help="Only rows computed here, without published ones.")
@click.option("--cost", default="params_m", show_default=True, metavar="NAME", help="For a plot: params_m, gmac, size_mb or images_per_second.")
@click.option("-o", "--out", metavar="FILE", help="Write it: .md, .html, .json, or the plot of accuracy against cost: .png, .svg.")
@click.option("--predictions", "folders", multiple=True, metavar="FOLDER", help="With --recompute: where predictions lie that may not be published.")
@click.option("--truth", "truths", multiple=True, metavar="FILE", help="With --recompute: a truth of no dataset we know; rows find theirs by its content.")
@_ROOT
@_BOARD
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, errors too.")
@click.option("--quiet", is_flag=True, help="No progress and no talk on stderr.")
@click.pass_context
def leaderboard(context: click.Context, /, **options: Any) -> None:
    """Print the leaderboard: numbers in points, one ranking for each set, protocol and source of boxes.

    Rows computed here come from files of predictions, so that anybody can compute them again, without a GPU. Published
    rows are as their sources print them. Rows that share a letter cannot be told apart, and share a rank, marked =.

    \b
    baselines leaderboard --dataset ap10k
    baselines leaderboard --recompute
    baselines leaderboard -o board.html
    baselines leaderboard -o cost.svg --dataset coco --cost gmac
    """
    if context.invoked_subcommand is not None:
        given = [name for name, value in options.items() if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT and value]
        if given:
            raise PoseError(
                f"baselines leaderboard --{given[0].replace('_', '-')}", f"given before {context.invoked_subcommand}", "options of a command follow it"
            )
        return
    _show(options)


def _show(options: dict[str, Any]) -> None:
    from dataclasses import replace

    from .board.pages import as_text
    from .board.rows import read_board

    as_json, quiet = options["as_json"], options["quiet"]
    board = read_board(options["board"])
    outcomes: list[Any] = []
    if options["recompute"]:
        from posedata.formats.anything import read

        from .board.scoring import recompute

        if options["dataset"]:
            board = replace(board, computed=tuple(row for row in board.computed if options["dataset"] in (row.dataset, row.set_name)))
        board, outcomes = recompute(board, root=options["root"], folders=options["folders"], truths=[read(t) for t in options["truths"]])
    elif options["folders"] or options["truths"]:
        raise PoseError("--predictions and --truth", "given without --recompute", "nothing is read otherwise")
    if options["dataset"] and not any(options["dataset"] in (row.dataset, row.set_name) for row in board.rows):
        raise PoseError(f"--dataset {brief(options['dataset'])}", "no row", f"the board has {', '.join(sorted({row.dataset for row in board.rows}))}")
    shown = replace(board, published=()) if options["computed"] else board
    if options["out"]:
        _write(shown, options["out"], options["dataset"], options["cost"])
        say(f"written to {options['out']}", quiet or as_json)
    if options["recompute"]:
        lines = [f"{o.state:<10}{o.id}: {o.text}" for o in outcomes] or ["no row was computed here: nothing to compute again"]
        emit({"recomputed": [{"id": o.id, "state": o.state, "text": o.text} for o in outcomes]}, "\n".join(lines), as_json)
    else:
        rows = [row.to_dict() | {"published": row.published} for row in shown.rows if options["dataset"] in (None, row.dataset, row.set_name)]
        emit({"rows": rows}, as_text(shown, options["dataset"]), as_json)
    if any(o.state == "different" for o in outcomes):
        sys.exit(1)


def _write(board: Any, out: str, dataset: str | None, cost: str) -> None:
    import json

    from posedata.files import write_bytes

    from .board.pages import as_html, as_markdown

    suffix = Path(out).suffix
    if suffix in (".png", ".svg"):
        from .board.plot import save_plot

        save_plot(board, out, cost, dataset)
        return
    makers = {
        ".md": lambda: as_markdown(board, dataset),
        ".html": lambda: as_html(board, dataset),
        ".json": lambda: json.dumps([row.to_dict() for row in board.rows], ensure_ascii=False, indent=1),
    }
    if suffix not in makers:
        raise PoseError(f"-o {brief(out)}", "a form we do not write", "name a .md, .html, .json, .png or .svg file")
    write_bytes(out, makers[suffix]().encode())


@click.argument("predictions", metavar="PREDS")
@click.option("--id", "name", metavar="NAME", help="Name of the row; made of the set and the recipe unless given. The same name replaces a row.")
@click.option("--run", metavar="FOLDER", help="The run that made them: recipe, input, training data, size of the weights.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="What neither header nor run says: --set pretraining=none --set params_m=3.8.")
@click.option("--metrics", metavar="NAMES", help="Comma-separated, beside those of the protocol.")
@click.option("--truth", metavar="FILE", help="What they are scored against, where their header names no dataset.")
@click.option("--dataset", metavar="ID", help="Or a dataset by its name.")
@click.option("--config", metavar="NAME", help="Its configuration.")
@click.option("--split", metavar="NAME", help="Its split.")
@click.option("--protocol", metavar="NAME_OR_FILE", help="Rules of the score; the dataset's own unless given.")
@click.option("--private", metavar="REASON", help="Do not keep the predictions beside the board; the row says why, and their sha256.")
@_ROOT
@_BOARD
def add_command(predictions: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Score PREDS now and write a row: with its protocol, an interval, the hash of the predictions, and who it cannot be told apart from.

    The predictions may be anybody's. Their header says on what they were made, from which boxes, with or without flip test;
    what baselines predict measured is taken from the file beside them (preds.measured.json).

    \b
    baselines leaderboard add preds.json --run runs/mine --set pretraining=none
    baselines leaderboard add theirs.json --dataset crowdpose --split test --set model="Their model" --set boxes="detector AP 56"
    baselines leaderboard add cats.json --private "the pictures may not be passed on"
    """
    from .board.rows import read_board
    from .board.scoring import add_row

    source = source_of(options["truth"], options["dataset"], options["config"], options["split"], options["root"])
    if isinstance(source, str):
        from posedata.formats.anything import read

        source = read(source)
    metrics = tuple(m.strip() for m in (options["metrics"] or "").split(",") if m.strip())
    board, row = add_row(
        read_board(options["board"]), predictions, truth=source, metrics=metrics,
        **{k: options[k] for k in ("name", "protocol", "settings", "run", "private", "root")},
    )  # fmt: skip
    path = board.write()
    value = row.metrics[row.headline]
    emit(row.to_dict(), f"{row.id}: {row.headline} {'-' if value is None else f'{value:.4f}'}, written to {path}", as_json)
