"""The command `errors`: from its options to a report, printed or written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.command import emit, say
from posedata.errors import PoseError, brief
from posedata.files import write_bytes
from posedata.predictions import Predictions

from .errors.labels import Rules
from .errors.report import ErrorReport
from .errors.text import as_text, greedy_text, slices_text, worst_text
from .plain import plain
from .scoring import evaluated

__all__ = ["diagnose_command"]


def diagnose_command(predictions: Sequence[str], options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Diagnose, print, write."""
    _check(options)
    report = evaluated(predictions, options).errors(_rules(options), truth_boxes=_truth_boxes(options))
    tables = {by: report.slices(by) for by in options["by"]}
    values, text = report.to_dict(), [as_text(report), *(slices_text(by, rows) for by, rows in tables.items())]
    if tables:
        values["by"] = {by: [{"value": label, **row} for label, row in rows] for by, rows in tables.items()}
    if options["greedy"]:
        path = report.greedy(options["greedy"])
        values["greedy"] = path
        text.append(greedy_text(path, report.cost.now.ap[""]))
    if options["worst"]:
        worst = report.worst_columns(options["worst"], options["kind"], options["keypoint"])
        values["worst"] = worst
        text.append(worst_text(worst))
    values = plain(values)
    if options["out"]:
        _write(report, options, values)
        say(f"written to {options['out']}", quiet or as_json)
    emit(values, "\n\n".join(text), as_json)


def _rules(options: Mapping[str, Any]) -> Rules:
    pairs = [tuple(name.strip() for name in text.split(",")) for text in options["confused"]]
    odd = next((text for text, pair in zip(options["confused"], pairs, strict=True) if len(pair) != 2), None)
    if odd is not None:
        raise PoseError(f"--confused {brief(odd)}", "not two names", "for instance --confused left_front_paw,left_back_paw")
    return Rules(confused=tuple((a, b) for a, b in pairs), legacy=options["legacy"])


def _truth_boxes(options: Mapping[str, Any]) -> Predictions | None:
    """The predictions made from truth boxes, brought to the same points."""
    return evaluated([options["truth_boxes"]], options).predictions if options["truth_boxes"] else None


def _check(options: Mapping[str, Any]) -> None:
    """What needs no data to be seen wrong."""
    out = options["out"]
    if out and Path(out).suffix not in (".json", ".csv", ".parquet"):
        raise PoseError(f"-o {brief(out)}", "a form we do not write", "name a .json, .csv or .parquet file")
    given = [f"--{name}" for name in ("kind", "keypoint") if options[name]]
    if given and not options["worst"]:
        raise PoseError(" and ".join(given), "given without --worst", "they choose among the worst poses: add --worst 100")


def _write(report: ErrorReport, options: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    out = options["out"]
    if Path(out).suffix == ".json":
        write_bytes(out, json.dumps(values, ensure_ascii=False, indent=1).encode())
    elif options["worst"]:
        from .frames import write_frame

        write_frame(report.worst(options["worst"], options["kind"], options["keypoint"]), out)
    else:
        report.per_keypoint(out)
