"""The commands why, labels, check-results and postprocess: thin doors to the functions of the same names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from posedata.command import emit, say, verb
from posedata.errors import FormatError, PoseError

from .options import scored, source_of

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Why a number is what it is.")(why)
    verb(app, short_help="Annotations that look wrong, most suspect first.")(labels)
    verb(app, name="check-results", short_help="Check a results file where no truth is public.")(check_results)
    verb(app, short_help="Thin predictions, or score them anew.")(postprocess)


@scored
@click.option("--metric", default="AP", show_default=True, metavar="NAME", help="The number to explain.")
@click.option("--expected", type=float, metavar="NUMBER", help="The number seen elsewhere: rank by nearness to it.")
@click.option("-n", "most", default=12, show_default=True, type=click.IntRange(1), help="Rows to print.")
def why(predictions: tuple[str, ...], metric: str, expected: float | None, most: int, as_json: bool, quiet: bool, **options: Any) -> None:
    """Score predictions in every way that is near, and rank what each would explain: mistakes in the file, other rules, other sigmas.

    \b
    posebench why preds.json --dataset crowdpose --split val
    posebench why preds.json --truth gt.json --expected 0.72
    """
    from .explain import why as explained
    from .scoring import evaluated

    answer = explained(evaluated(predictions, options), metric, expected)
    emit(answer.to_dict(), answer.as_text(most), as_json)


@scored
@click.option(
    "--kind", metavar="KIND", help="Only one: displaced, exchange, neighbour, wrong_instance, missing_keypoint, surplus_keypoint, missing_instance, shape."
)
@click.option("-n", "most", default=100, show_default=True, type=click.IntRange(1), help="How many; 30 are printed and 120 drawn at most.")
@click.option("-o", "--out", metavar="FILE", help="A picture (.png, .jpg, .webp), truth beside prediction; or a table (.csv, .json, .parquet).")
def labels(predictions: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Rank annotations by how likely they are wrong, from predictions of a model that was not trained on them.

    A score is 1 less the chance that the label is right and the model, as sure as it is, errs this way. A ranking is no
    verdict: look at the sheet. With k folds, give the predictions of each fold's model as a file of its own.

    \b
    posebench labels preds.json --truth gt.json -o sheet.png
    posebench labels fold0.json fold1.json fold2.json --truth gt.json -n 500 -o labels.csv
    posebench labels preds.json --dataset crowdpose --split val --kind exchange
    """
    from .doubting import labels_command

    labels_command(predictions, options, as_json, quiet)


@click.argument("predictions", metavar="PREDS")
@click.option("--dataset", metavar="ID", help="A dataset whose test file lists the images.")
@click.option("--config", metavar="NAME", help="Its configuration, where it has several.")
@click.option("--split", metavar="NAME", help="Its split: test.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie.")
@click.option("--images", metavar="FILE", help="Or a file that lists the images, such as image_info_test-dev2017.json.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say.")
@click.option("--max-preds", default=20, show_default=True, type=click.IntRange(1), help="Predictions of an image that its evaluator looks at.")
def check_results(
    predictions: str,
    dataset: str | None,
    config: str | None,
    split: str | None,
    root: str | None,
    images: str | None,
    schema: str | None,
    max_preds: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check PREDS before they are sent: ids, counts, scores, coordinates, repeats. Exit 1 on findings.

    \b
    posebench check-results preds.json --dataset cat --split test
    posebench check-results preds.json --images image_info_test-dev2017.json --schema coco17
    """
    from .submission import check_results as checked

    if images and dataset:
        raise PoseError("--images and --dataset", "both are given", "name one")
    answer = checked(predictions, images or source_of(None, dataset, config, split, root), schema, max_preds)
    emit(answer.to_dict(), repr(answer), as_json)
    if not answer.ok:
        sys.exit(1)


@click.argument("predictions", metavar="PREDS")
@click.option("-o", "--out", required=True, metavar="FILE", help="The predictions to write: .json or .npz.")
@click.option("--rescore", "above", type=float, metavar="CONFIDENCE", help="First: score x mean confidence of the points above this (mmpose: 0.2).")
@click.option("--nms", type=float, metavar="SIMILARITY", help="Then: drop what is more similar than this to something better (mmpose: 0.9).")
@click.option("--soft-nms", "soft", type=float, metavar="SIMILARITY", help="Or: keep the 20 of an image that stay best as likeness lowers scores.")
@click.option("--ties", default="stable", show_default=True, type=click.Choice(["stable", "mmpose"]), help="Which of equal scores goes first.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for a file that does not say.")
def postprocess(
    predictions: str, out: str, above: float | None, nms: float | None, soft: float | None, ties: str, schema: str | None, as_json: bool, quiet: bool
) -> None:
    """Score PREDS anew from the confidences of their points, thin what is alike, and write the rest.

    \b
    posebench postprocess preds.json --rescore .2 --nms .9 -o thinned.json
    """
    from posedata.formats.results import read_predictions

    from .postprocess import oks_nms, rescore, soft_oks_nms

    if Path(out).suffix not in (".json", ".npz"):
        raise FormatError(out, f"no predictions end in {Path(out).suffix!r}", "write .json or .npz")
    if above is None and nms is None and soft is None:
        raise PoseError("postprocess", "nothing to do", "--rescore, --nms or --soft-nms")
    read = pred = read_predictions(predictions, schema)
    pred = pred if above is None else rescore(pred, above)
    pred = pred if nms is None else oks_nms(pred, nms, ties=ties)
    pred = pred if soft is None else soft_oks_nms(pred, soft, ties=ties)
    (pred.to_json if Path(out).suffix == ".json" else pred.to_npz)(out)
    say(f"{len(pred):,} of {len(read):,} predictions kept", quiet or as_json)
    emit({"out": out, "read": len(read), "kept": len(pred)}, out, as_json)
