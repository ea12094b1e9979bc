"""The command sigmas: a thin door to the estimates, the comparison of annotators, their consensus, and the plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import emit, say, verb
from .errors import FormatError, PoseError, brief

if TYPE_CHECKING:
    from .annotators.plan import RepeatPlan
    from .dataset import PoseDataset
    from .schema import Schema

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the command."""
    verb(app, short_help="Measure sigmas from repeated annotation, or plan it.")(sigmas)


@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--subject", default="subject", show_default=True, metavar="COLUMN", help="The key that says which annotations show the same body.")
@click.option(
    "--annotator", default="annotator", show_default=True, metavar="COLUMN", help="The key that says who made them; annotator_id is read as annotator."
)
@click.option("--pool", is_flag=True, help="One sigma for left and right.")
@click.option("--outlier", default="4", show_default=True, metavar="NUMBER|none", help="Robust deviations from which a point is left out, and counted.")
@click.option("--confidence", default=0.95, show_default=True, metavar="SHARE", help="Of the intervals.")
@click.option("--interval", default="chi2", show_default=True, type=click.Choice(["chi2", "bootstrap"]), help="How they are made.")
@click.option("--raters", is_flag=True, help="Compare the annotators: deviations, who leans, what they see differently.")
@click.option("--residuals", metavar="PREDS", help="Upper bounds instead, from the residuals of a model that has not seen SOURCE.")
@click.option("--plan", is_flag=True, help="Say which instances of SOURCE to annotate again, and how often.")
@click.option("--precision", default=0.1, show_default=True, metavar="SHARE", help="For --plan: half the width of the interval, as a share of sigma.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(2), help="For --plan: annotations of an instance, that at hand counted.")
@click.option("--keypoints", metavar="NAMES", help="For --plan: comma-separated; all unless given.")
@click.option("--pilot", multiple=True, metavar="SOURCE", help="For --plan: repeated annotations that there are already; may be given several times.")
@click.option("--consensus", metavar="FILE", help="Also write what the annotators agree on: .json, .parquet.")
@click.option("-o", "--out", metavar="FILE", help="Write the schema with these sigmas (.json) or the table (.csv); with --plan the list of instances.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Schema of a file that does not name its keypoints.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
def sigmas(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure sigmas from several annotations of the same bodies, with intervals; nothing is left out uncounted.

    One SOURCE whose annotations say who made them and what they show, or one SOURCE for each annotator, matched by id.
    COCO's definition: the square root of the mean of d² / area, d the distance to the place of the point.

    \b
    posedata sigmas twice.json                                         # keys subject, annotator_id
    posedata sigmas anna.json ben.json chris.json --pool -o mouse.json
    posedata sigmas twice.json --raters --consensus agreed.json
    posedata sigmas synthetic/person/val --plan --keypoints left_heel,right_heel --precision .15
    posedata sigmas truth.json --residuals preds.json                  # an upper bound
    """
    _check(options, sources)
    sets = [_read(s, options) for s in sources]
    if options["plan"]:
        _plan(sets, options, as_json, quiet)
        return
    from .annotators.estimate import estimate_sigmas, sigmas_from_residuals

    shared = {"pool": options["pool"], "outlier": _limit(options["outlier"]), "confidence": options["confidence"], "interval": options["interval"]}
    if options["residuals"]:
        from .formats.results import read_predictions

        estimate = sigmas_from_residuals(sets[0], read_predictions(options["residuals"], sets[0].schema, sets[0].categories), **shared)
        values, text = estimate.to_dict(), [str(estimate)]
    else:
        from .annotators.raters import compare_annotators
        from .annotators.repeats import repeats_of

        data = repeats_of(sets if len(sets) > 1 else sets[0], options["subject"], options["annotator"])
        estimate = estimate_sigmas(data, **shared)
        values, text = estimate.to_dict(), [str(estimate)]
        if options["raters"]:
            report = compare_annotators(data, outlier=shared["outlier"])
            values["raters"] = report.to_dict()
            text.append(str(report))
        if options["consensus"]:
            _write_consensus(data, shared["outlier"], options["consensus"])
            say(f"{options['consensus']}: {len(data.subjects):,} instances agreed on", quiet or as_json)
    if options["out"]:
        _write_estimate(estimate, options["out"])
        say(f"written to {options['out']}", quiet or as_json)
    emit(values, "\n\n".join(text), as_json)


def _check(options: dict[str, Any], sources: Sequence[str]) -> None:
    modes = [f"--{m}" for m in ("plan", "residuals", "raters") if options[m]]
    if len(modes) > 1:
        raise PoseError(" and ".join(modes), "both are given", "name one")
    if (options["plan"] or options["residuals"]) and len(sources) > 1:
        raise PoseError(modes[0], f"{len(sources)} sources", "one is needed")
    if options["consensus"] and modes not in ([], ["--raters"]):
        raise PoseError(f"--consensus with {modes[0]}", "there are no repeats to agree", "leave one out")
    if options["out"] and Path(options["out"]).suffix not in (".json", ".csv"):
        raise FormatError(options["out"], "a form we do not write", "name a .json or .csv file")
    if options["consensus"] and Path(options["consensus"]).suffix not in (".json", ".parquet"):
        raise FormatError(options["consensus"], "a form we do not write", "name a .json or .parquet file")


def _limit(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise PoseError(f"--outlier {brief(text)}", "no number", "a number of deviations, or none") from None


def _read(source: str, options: dict[str, Any]) -> PoseDataset:
    """The source with the two columns; keys of a COCO file become columns when asked for."""
    from .formats.anything import read

    ds = read(source, None, options["schema"], options["root"])
    asked = [c for c in (options["subject"], options["annotator"]) if c not in ds.instances.meta and c != "annotator"]
    if options["plan"] or options["residuals"] or not asked or Path(source).suffix != ".json" or ds.schema.name == "akd16":
        return ds
    from .formats.coco import read_coco

    return read_coco(source, None, options["schema"], meta=asked)


def _plan(sets: Sequence[PoseDataset], options: dict[str, Any], as_json: bool, quiet: bool) -> None:
    from .annotators.estimate import estimate_sigmas
    from .annotators.plan import plan_repeats

    points = None if options["keypoints"] is None else [p.strip() for p in options["keypoints"].split(",") if p.strip()]
    pilots = [_read(p, {**options, "plan": False}) for p in options["pilot"]]
    pilot = estimate_sigmas(pilots if len(pilots) > 1 else pilots[0], subject=options["subject"], annotator=options["annotator"]) if pilots else None
    plan = plan_repeats(
        sets[0],
        precision=options["precision"],
        confidence=options["confidence"],
        repeats=options["repeats"],
        points=points,
        pilot=pilot,
        pool=options["pool"],
    )
    if options["out"]:
        _write_plan(plan, options["out"])
        say(f"written to {options['out']}", quiet or as_json)
    emit(plan.to_dict(), str(plan), as_json)
    if plan.short:
        raise SystemExit(1)


def _write_plan(plan: RepeatPlan, out: str) -> None:
    from .files import write_bytes, write_with

    if Path(out).suffix == ".json":
        write_bytes(out, json.dumps(plan.to_dict(), ensure_ascii=False, indent=1).encode())
    else:
        write_with(out, lambda path: plan.to_pandas().to_csv(path, index=False))


def _write_estimate(estimate: Any, out: str) -> None:
    from .files import write_bytes, write_with

    if Path(out).suffix == ".json":
        schema: Schema = estimate.to_schema(Path(out).stem)
        write_bytes(out, json.dumps(schema.to_dict(), ensure_ascii=False, indent=1).encode())
    else:
        write_with(out, lambda path: estimate.to_pandas().to_csv(path, index=False))


def _write_consensus(data: Any, outlier: float | None, out: str) -> None:
    from .annotators.consensus import consensus

    agreed = consensus(data, outlier=outlier)
    (agreed.to_coco if Path(out).suffix == ".json" else agreed.to_parquet)(out)
