"""The command `evaluate`: from its options to a result, printed or written, and an exit status."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posedata.command import emit, say
from posedata.errors import PoseError, brief
from posedata.files import write_bytes

from .evaluation import Evaluation, evaluate
from .metrics import Measured, canonical, read_metric
from .options import source_of
from .plain import plain
from .table import as_text, slices_text, styled

if TYPE_CHECKING:
    from .statistics.interval import Interval

__all__ = ["evaluated", "score"]


def evaluated(predictions: Sequence[str], options: Mapping[str, Any], metrics: Sequence[str] | None = None) -> Evaluation:
    """The evaluation that the shared options ask for."""
    truth = source_of(*(options[k] for k in ("truth", "dataset", "config", "split", "root")))
    return evaluate(
        truth,
        list(predictions) if len(predictions) > 1 else predictions[0],
        options["protocol"],
        metrics=metrics,
        schema=options["schema"],
        mapping=options["mapping"],
        unknown="drop" if options["allow_unknown"] else "error",
        root=options["root"],
    )


def score(predictions: Sequence[str], options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Score, print, write; exit 1 where a floor is not reached."""
    floors = [_floor(text) for text in options["floors"]]
    _check_suffix(options["out"])
    how = _how(options)
    names = None if options["metrics"] is None else [n.strip() for n in options["metrics"].split(",") if n.strip()]
    ev = evaluated(predictions, options, names)
    tables = {by: ev.slices(by, names) for by in options["by"]}
    sure = {by: ev.interval_slices(by or None, names, **how) for by in ("", *tables)} if how else {}
    below = [(name, floor, ev[name]) for name, floor in floors if not ev[name] >= floor]
    values = ev.to_dict()
    text = [as_text(ev, dict(sure[""])[None] if sure else {}), *(slices_text(by, rows, sure.get(by, ())) for by, rows in tables.items())]
    if tables:
        values["by"] = {by: [_plain(label, measured) for label, measured in rows] for by, rows in tables.items()}
    if sure:
        _add_intervals(values, sure)
    if floors:
        values["below"] = [{"metric": name, "floor": floor, "value": _or_null(value)} for name, floor, value in below]
    if options["check"]:
        differences = _checked(ev)
        values["check"] = differences
        text.append(_check_text(differences))
    if options["out"]:
        _write(options["out"], values, tables, sure)
        say(f"written to {options['out']}", quiet or as_json)
    emit(values, styled("\n\n".join(text)), as_json)
    for name, floor, value in below:
        say(f"{name} is unknown, for there is no truth; {floor:g} is asked" if math.isnan(value) else f"{name} is {value:.6g}, below {floor:g}", as_json)
    if below or (options["check"] and _differs(values["check"])):
        sys.exit(1)


Sure = dict[str, list[tuple[Any, dict[str, "Interval"]]]]
"""Intervals of each slice, by what was sliced by; "" for all."""


def _how(options: Mapping[str, Any]) -> dict[str, Any]:
    """How intervals are to be made; nothing where they are not asked for."""
    how = {name: options[name] for name in ("clusters", "resamples", "seed") if options[name] is not None}
    if options["interval"] is not None:
        return {"level": options["interval"], **how}
    if how:
        raise PoseError(f"--{next(iter(how))}", "given without --interval", "add --interval .95")
    return {}


def _add_intervals(values: dict[str, Any], sure: Sure) -> None:
    """To what is told to programs."""
    for by, rows in sure.items():
        for i, (_, found) in enumerate(rows):
            (values["by"][by][i] if by else values)["intervals"] = plain({name: each.to_dict() for name, each in found.items()})


def _floor(text: str) -> tuple[str, float]:
    name, equals, number = text.rpartition("=")
    try:
        floor = float(number) if equals else math.nan
    except ValueError:
        floor = math.nan
    if math.isnan(floor):
        raise PoseError(f"--min {brief(text)}", "no NAME=NUMBER", "for instance --min AP=0.72")
    return canonical(read_metric(name)), floor


def _check_suffix(out: str | None) -> None:
    if out and Path(out).suffix not in (".json", ".csv"):
        raise PoseError(f"-o {brief(out)}", "a form we do not write", "name a .json or, for the slices, a .csv file")


def _plain(label: Any, measured: Mapping[str, Measured]) -> dict[str, Any]:
    label = str(label) if isinstance(label, float) and not math.isfinite(label) else label  # JSON has no infinity
    return {"value": label, "metrics": {k: _or_null(m.value) for k, m in measured.items()}, "n": {k: m.n for k, m in measured.items()}}


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _write(out: str, values: Mapping[str, Any], tables: Mapping[str, Sequence[tuple[Any, Mapping[str, Measured]]]], sure: Sure) -> None:
    if Path(out).suffix == ".json":
        import json

        write_bytes(out, json.dumps(values, ensure_ascii=False, indent=1).encode())
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("by", "slice", "metric", "value", "n", *(("low", "high", "how") if sure else ())))
    if not tables:
        writer.writerows(("", "", name, _cell(v), values["n"][name], *_ends(sure, "", 0, name)) for name, v in values["metrics"].items())
    for by, rows in tables.items():
        for i, (label, measured) in enumerate(rows):
            writer.writerows((by, label, name, _cell(_or_null(m.value)), m.n, *_ends(sure, by, i, name)) for name, m in measured.items())
    write_bytes(out, text.getvalue().encode())


def _ends(sure: Sure, by: str, place: int, name: str) -> tuple[str, ...]:
    """Cells of an interval; none where none is asked for."""
    if not sure:
        return ()
    found = sure[by][place][1][name]
    return _cell(_or_null(found.low)), _cell(_or_null(found.high)), found.how


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)


def _checked(ev: Evaluation) -> dict[str, Any]:
    """Each of COCO's numbers, ours and pycocotools'."""
    try:
        from .check import by_pycocotools
    except ModuleNotFoundError:
        raise PoseError("--check", "pycocotools is not installed", "pip install pycocotools") from None
    theirs = by_pycocotools(ev)
    have = {*ev.protocol.ranges}
    names = [n for n in theirs if (not (s := read_metric(n)).where or s.where in have) and (s.at is None or s.at in ev.protocol.thresholds)]
    return {n: {"ours": _or_null(ev[n]), "pycocotools": _or_null(theirs[n])} for n in names}


def _differs(differences: Mapping[str, Mapping[str, float | None]]) -> bool:
    """Whether any number differs by more than 1e-12, or only one of us has it."""
    return any((d["ours"] is None) != (d["pycocotools"] is None) or abs((d["ours"] or 0) - (d["pycocotools"] or 0)) > 1e-12 for d in differences.values())


def _check_text(differences: Mapping[str, Mapping[str, float | None]]) -> str:
    worst = max((abs((d["ours"] or 0) - (d["pycocotools"] or 0)) for d in differences.values()), default=0.0)
    odd = [n for n, d in differences.items() if (d["ours"] is None) != (d["pycocotools"] is None)]
    rows = [f"  {n:<11} {d['ours']!s:<22} {d['pycocotools']}" for n, d in differences.items() if d["ours"] != d["pycocotools"]]
    verdict = "agrees in every digit" if not rows else f"differs by {worst:.1g} at most" + (f"; only one of us has {', '.join(odd)}" if odd else "")
    return "\n".join([click.style(f"pycocotools {verdict} ({len(differences)} numbers)", bold=True), *rows])
