"""The commands predict and benchmark: thin doors to the functions of the same names."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from posedata.command import emit, say, verb
from posedata.errors import FormatError, PoseError, brief, needs

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Find keypoints with a trained model.")(predict)
    verb(app, short_help="How fast recipes are, part by part.")(benchmark)


@click.argument("run", metavar="RUN")
@click.argument("source")
@click.option("-o", "--out", default="preds.json", show_default=True, metavar="FILE", help="Predictions with their header: .json or .npz.")
@click.option(
    "--boxes",
    metavar="WHICH",
    help="truth; whole; own; a FILE of COCO detections; a RUN that finds boxes; or module:function. A detector's own unless given, else truth.",
)
@click.option("--min-box", "least", default=0.0, show_default=True, metavar="SCORE", help="Leave boxes with a lower score.")
@click.option("--flip-test/--no-flip-test", default=None, help="Average each crop with its mirror image; as the recipe says unless given.")
@click.option("--leave-out", default=0.0, show_default=True, metavar="SHARE", help="Leave out points whose presence the model finds less likely.")
@click.option("--score", metavar="NAME", help="What a pose's score is: posebench postprocess explains; by the boxes unless given.")
@click.option("--above", type=float, metavar="CONFIDENCE", help="Points that count for the score; 0.2 with boxes of a detector, else all.")
@click.option("--nms", type=float, metavar="OKS", help="Thin what is more similar than this; 0 for nothing. 0.9 with boxes of a detector, else 0.")
@click.option("--draw", "drawn", metavar="FOLDER", help="Pictures with the poses drawn on them.")
@click.option("--json-output", metavar="FILE", help="The same poses image by image, points by name, for other programs.")
@click.option("--batch", default=64, show_default=True, type=click.IntRange(1, 65536), help="Crops at once.")
@click.option("--latency", default=32, show_default=True, type=click.IntRange(0, 10_000), help="Crops to time one by one; 0 for none.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1; a GPU where there is one unless given.")
@click.option("--images", metavar="FOLDER", help="Where the pictures lie, when SOURCE is a file of annotations.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
def predict(run: str, source: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Predict with RUN, a run's folder or a model of the Hub (owner/name), on SOURCE: a dataset, a file of annotations, a folder of pictures, or one picture.

    What was measured goes beside the predictions (preds.measured.json), where baselines leaderboard add finds it.

    \b
    baselines predict runs/mine ap10k/split1/val -o preds.json
    baselines predict runs/mine coco/2017/val --boxes detections.json
    baselines predict runs/mine holiday/ --boxes whole --draw drawn/
    baselines predict owner/name cat.jpg --boxes whole --json-output cat.json
    """
    if Path(options["out"]).suffix not in (".json", ".npz"):
        raise FormatError(options["out"], f"no predictions end in {Path(options['out']).suffix!r}", "write .json or .npz")
    room = _room("predict")
    names = ("boxes", "least", "flip_test", "leave_out", "score", "above", "nms", "batch", "latency", "device", "images", "root")
    found = room.predict(run, source, quiet=quiet, **{name: options[name] for name in names})
    emit(*_written(room, found, run, options, quiet or as_json), as_json)


def _written(room: Any, found: Any, run: str, options: dict[str, Any], quiet: bool) -> tuple[dict[str, Any], str]:
    """Write everything that was asked for; as values and as text."""
    import json

    from posedata.files import write_bytes

    from .board.scoring import measured_path
    from .runs import read_run

    out, pred = Path(options["out"]), found.predictions
    (pred.to_json if out.suffix == ".json" else pred.to_npz)(out)
    own = read_run(run) if Path(run).is_dir() else None
    facts = room.measured(found, own, shlex.join(["baselines", *sys.argv[1:]]))
    write_bytes(measured_path(out), (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())
    values = {
        "out": str(out),
        "poses": len(pred),
        "images": len(found.dataset.images),
        "header": dict(pred.header),
        "timing": found.timing.to_dict(),
        "measured": facts,
    }
    lines = [f"{out}: {len(pred):,} poses on {len(found.dataset.images):,} images of {found.dataset.name}, boxes: {pred.header['boxes']}", found.timing.text()]
    if options["json_output"]:
        write_bytes(options["json_output"], json.dumps(room.by_image(found), ensure_ascii=False).encode())
        lines.append(f"{options['json_output']}: points by name")
    if options["drawn"]:
        values["drawn"] = [str(p) for p in room.draw(found, options["drawn"], quiet=quiet)]
        lines.append(f"{options['drawn']}: {len(values['drawn']):,} pictures")
    return values, "\n".join(lines)


@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--count", "only_count", is_flag=True, help="Only sizes and floors, nothing timed.")
@click.option("--batch", type=click.IntRange(1, 65536), metavar="N", help="Crops of a step; the recipe's on a GPU, 16 at most on a CPU unless given.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0), help="For each of the four parts, after warming up.")
@click.option("--compile/--no-compile", "compiled", default=None, help="torch.compile; as the recipe says unless given.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1; a GPU where there is one unless given.")
@click.option("-o", "--out", metavar="FILE", help="Write the figures: .json, which docs/speed.md is made of, or .md.")
def benchmark(
    recipes: tuple[str, ...],
    only_count: bool,
    batch: int | None,
    seconds: float,
    compiled: bool | None,
    device: str | None,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Images a second of each RECIPE: loading alone, the network alone, both together as in training, and inference; peak memory; and the floors.

    The floors are what an H200 could do at best, by arithmetic and by memory; how near a program comes is what it is worth.
    Steps are warm, numbers are medians, a GPU is timed by its own events.

    \b
    baselines benchmark synthetic-demo
    baselines benchmark ap10k-resnet50 ap10k-vit_s -o speed.json
    baselines benchmark coco-hrnet_w32 --count
    """
    from .speeds import speed_table, write_speeds

    if out and Path(out).suffix not in (".json", ".md"):
        raise PoseError(f"-o {brief(out)}", "a form we do not write", "name a .json or .md file")
    room = _room("benchmark")
    rows = []
    for recipe in recipes:
        say(f"{recipe} ...", quiet or as_json or len(recipes) == 1)
        rows.append(room.count(recipe) if only_count else room.benchmark(recipe, device=device, batch=batch, seconds=seconds, compiled=compiled))
    if out:
        write_speeds(rows, out)
    emit({"rows": rows}, speed_table(rows), as_json)


def _room(name: str) -> Any:
    """A module that needs torch, or one line on how to have it."""
    import importlib

    try:
        return importlib.import_module(f".{name}", __package__)
    except ModuleNotFoundError as e:
        raise needs(f"baselines {name} ({e.name})", "train") from None
