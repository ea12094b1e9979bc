"""The commands `report` and `plot`: from their options to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.command import emit, say
from posedata.errors import FormatError, PoseError, did_you_mean

from .plain import plain
from .scoring import evaluated

__all__ = ["plot_command", "report_command"]


def report_command(predictions: Sequence[str], out: Sequence[str], images: int, options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Evaluate, write each form, say where."""
    from .reporting.contents import Contents
    from .reporting.forms import require_form, write_report

    for path in out:
        require_form(path)
    command = _words("report", predictions, options, [w for path in out for w in ("-o", path)] + ([] if images == 100 else ["--images", str(images)]))
    c = Contents(evaluated(predictions, options), images, command, predictions[0], quiet or as_json)
    written = [str(write_report(c, path)) for path in out]
    emit({"out": written, "said": c.said, "metrics": plain(c.ev.metrics), "warnings": list(c.notes())}, "\n".join(written), as_json)
    if c.blind:
        say(f"{c.blind:,} of {len(c.cases):,} poses have no picture: {c.why_blind()}", quiet or as_json)


def _words(name: str, predictions: Sequence[str], options: Mapping[str, Any], more: Sequence[str]) -> tuple[str, ...]:
    """The command as it could be typed again; the options that all commands share which score."""
    said = [w for key, value in options.items() if value not in (None, False) for w in (f"--{key.replace('_', '-')}", *([] if value is True else [str(value)]))]
    return ("posebench", name, *predictions, *said, *more)


def plot_command(name: str, predictions: Sequence[str], out: str | None, options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Draw one figure, or all into a folder."""
    from .reporting.contents import PLOTS

    if name != "all" and name not in PLOTS:
        raise PoseError(f"posebench plot: {name}", "no such plot", did_you_mean(name, [*PLOTS, "all"]))
    chosen = list(PLOTS) if name == "all" else [name]
    places = {n: Path(out or "figures") / f"{n}.svg" if name == "all" else Path(out or f"{n}.svg") for n in chosen}
    odd = [p for p in places.values() if p.suffix not in (".png", ".svg")]
    if odd:
        raise FormatError(str(odd[0]), f"no picture ends in {odd[0].suffix!r}", "write .png or .svg")
    report = evaluated(predictions, options).errors()
    from . import plots

    written = {n: str(plots.save(PLOTS[n].draw(report), place)) for n, place in places.items()}
    emit({"out": written}, "\n".join(written.values()), as_json)
