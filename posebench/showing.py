"""The commands `report` and `plot`: from their options to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.command import emit, say
from posedata.errors import FormatError, PoseError, brief, did_you_mean, first_few

from .plain import plain
from .scoring import evaluated

__all__ = ["plot_command", "report_command"]


def report_command(predictions: Sequence[str], out: Sequence[str], images: Sequence[str], options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Evaluate, write each form, say where."""
    from .browsing.reading import evaluations
    from .cli_compare import names_of
    from .reporting.contents import Contents
    from .reporting.forms import require_form, write_report
    from .reporting.versus import Versus
    from .statistics.compare import compare

    for path in out:
        require_form(path)
    folder, number = _folder_and_number(images)
    command = _words("report", predictions, options, [w for name, values in (("-o", out), ("--images", images)) for value in values for w in (name, value)])
    evs = evaluations(predictions, folder, options)
    hush = quiet or as_json
    if len(evs) > 1:
        versus = Versus(compare(*evs.values(), names=names_of(predictions), quiet=hush), 40 if number is None else number, command, hush)
        written = [str(write_report(versus, path)) for path in out]
        emit({"out": written, "said": versus.said}, "\n".join(written), as_json)
        return
    c = Contents(next(iter(evs.values())), 100 if number is None else number, command, predictions[0], hush)
    written = [str(write_report(c, path)) for path in out]
    emit({"out": written, "said": c.said, "metrics": plain(c.ev.metrics), "warnings": list(c.notes())}, "\n".join(written), as_json)
    if c.blind:
        say(f"{c.blind:,} of {len(c.cases):,} poses have no picture: {c.why_blind()}", hush)


def _folder_and_number(images: Sequence[str]) -> tuple[str | None, int | None]:
    """What --images says: where pictures lie, how many poses are shown."""
    numbers = [w for w in images if w.isascii() and w.isdigit() and not Path(w).is_dir()]
    folders = [w for w in images if w not in numbers]
    if len(numbers) > 1 or len(folders) > 1:
        raise PoseError("--images", f"given as {first_few(images, 3, ' and ')}", "one folder, one number")
    if folders and not Path(folders[0]).is_dir():
        raise PoseError(f"--images {brief(folders[0])}", "no such folder", "name the folder of the pictures, or how many poses the gallery shows")
    if numbers and int(numbers[0]) > _MOST:
        raise PoseError(f"--images {numbers[0]}", "more poses than a page holds", f"{_MOST:,} at most")
    return folders[0] if folders else None, int(numbers[0]) if numbers else None


_MOST = 1000
"""Poses in a gallery."""


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
