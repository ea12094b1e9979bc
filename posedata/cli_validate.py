"""The command validate: what is wrong with a set, named fixes, and the way back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import emit, say, verb
from .errors import PoseError

if TYPE_CHECKING:
    from .validation.report import Report

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the command."""
    verb(app, short_help="Say what is wrong with a dataset.")(validate)


@click.argument("source")
@click.option("--rules", metavar="WORDS", help="Only these: codes or their beginnings (PD1), names or topics, with commas between.")
@click.option("--without", default="", metavar="WORDS", help="All but these.")
@click.option("--images", is_flag=False, flag_value="", metavar="[FOLDER]", help="Open every picture, where the set knows they lie, or in FOLDER. Put it last.")
@click.option("--fix", is_flag=True, help="Write a mended copy to -o, and its log beside it.")
@click.option("--fixes", metavar="NAMES", help="Only these fixes; `recount` runs only when named here.")
@click.option("-o", "--out", metavar="FILE", help="The file to write.")
@click.option("--undo", is_flag=True, help="SOURCE is a file that --fix wrote: write the original to -o.")
@click.option("--thresholds", metavar="FILE", help="A .toml of thresholds of your own: NAME = NUMBER.")
@click.option("--fail-on", default="warning", show_default=True, type=click.Choice(["error", "warning", "note", "never"]), help="Exit 1 from this severity on.")
@click.option("--all", "everything", is_flag=True, help="Print every finding, not one example for each rule.")
@click.option("--most", type=click.IntRange(0), metavar="N", help="With --json: at most N findings of each rule; counts stay exact.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes that open pictures; as many as there are cores.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Schema of a file that does not name its keypoints.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
def validate(
    source: str,
    rules: str | None,
    without: str,
    images: str | None,
    fix: bool,
    fixes: str | None,
    out: str | None,
    undo: bool,
    thresholds: str | None,
    fail_on: str,
    everything: bool,
    most: int | None,
    workers: int | None,
    schema: str | None,
    root: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Look at SOURCE, a file or a dataset's NAME[/CONFIG[/SPLIT]] as published, through all rules (docs/validation.md).

    Exit 0 when nothing is wrong, 1 on errors or warnings, 2 when SOURCE cannot be read at all. Nothing is changed unless --fix says so.

    \b
    posedata validate synthetic/person/val
    posedata validate person_keypoints_val2017.json --rules geometry,PD2
    posedata validate crowdpose_train.json --fix -o mended.json --images pictures
    posedata validate mended.json --undo -o as_it_was.json
    """
    from .validation.fixes import undo_fixes
    from .validation.running import validate as validated

    _check(fix or bool(fixes), undo, out)
    if undo:
        count = undo_fixes(source, str(out))
        emit({"out": out, "undone": count}, f"{out}: {count:,} changes undone", as_json)
        return
    report = validated(
        source,
        rules=rules,
        without=without.split(",") if without else (),
        images=None if images is None else images or True,
        schema=schema,
        thresholds=thresholds,
        root=root,
        workers=workers,
        quiet=quiet or as_json,
    )
    values = report.to_dict(most)
    if fix or fixes:
        values["fixed"] = _fixed(source, str(out), report, fixes, quiet or as_json)
    emit(values, "\n".join([*(map(str, report) if everything else ()), report.summary]), as_json)
    if fail_on != "never" and report.worst(fail_on):
        sys.exit(1)


def _check(fix: bool, undo: bool, out: str | None) -> None:
    if fix and undo:
        raise PoseError("posedata validate", "--fix and --undo", "one of them")
    if (fix or undo) and not out:
        raise PoseError("posedata validate", f"{'--fix' if fix else '--undo'} without -o", "say where to: -o FILE")
    if out and not (fix or undo):
        raise PoseError("posedata validate", "-o without --fix", "--fix writes a mended copy there")


def _fixed(source: str, out: str, report: Report, fixes: str | None, quiet: bool) -> dict[str, object]:
    from .validation.fixes import fix_file, log_path

    names = None if not fixes else [name.strip() for name in fixes.split(",")]
    changes = fix_file(Path(source), out, report, names)
    counts: dict[str, int] = {}
    for c in changes:
        counts[c.fix] = counts.get(c.fix, 0) + 1
    made = ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "nothing to change"
    say(f"{out}: {made}; the log is {log_path(out)}", quiet)
    return {"out": out, "log": str(log_path(out)), "changes": counts}
