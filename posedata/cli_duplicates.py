"""The commands duplicates and profile: thin doors to the functions of the same names."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .command import emit, say, verb
from .errors import FormatError, PoseError

__all__ = ["add"]

_SCHEMA = click.option("--schema", metavar="NAME_OR_FILE", help="Names of the keypoints, for files that do not say.")
_ROOT = click.option("--root", metavar="FOLDER", help="Where datasets lie, for sources that are names.")


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Find pictures that are the same, and leaks between sets.")(duplicates)
    verb(app, short_help="The first look at a dataset, as text, page, picture or JSON.")(profile)


@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--out", metavar="FILE", help="A contact sheet of the pairs: .png, .jpg or .webp.")
@click.option("--csv", "table", metavar="FILE", help="All pairs as a table: .csv or .parquet.")
@click.option(
    "--images",
    "folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(file_okay=False),
    help="Where the pictures lie: once for all sources, or once for each.",
)
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Look for these only: bytes, pixels, near, flip, turn.")
@click.option("--similarity", type=float, metavar="NUMBER", help="How alike two pictures must be, .87 unless said; nearer 1 is stricter.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Processes that decode; all cores unless said.")
@click.option("-n", "shown", default=40, show_default=True, type=click.IntRange(1, 400), help="Pairs on the sheet.")
@_SCHEMA
@_ROOT
def duplicates(
    sources: tuple[str, ...],
    out: str | None,
    table: str | None,
    folders: tuple[str, ...],
    kinds: tuple[str, ...],
    similarity: float | None,
    workers: int | None,
    shown: int,
    schema: str | None,
    root: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find pictures that are the same or nearly so: within one SOURCE, and between several (leaks).

    Equal bytes, equal pixels, near (encoded again, resized, cropped a little, lighter or darker), mirrored, turned. Exit 1 when
    pictures leak from one source into another; with one source, when it holds duplicates; and when pictures could not be read.

    \b
    posedata duplicates ap10k/split1/train ap10k/split1/val -o leaks.png
    posedata duplicates crowdpose_val.json coco_val.json --images crowdpose/images --images coco/val2017 --json
    posedata duplicates cats.json --images cats --kind bytes --kind pixels
    """
    from .formats.anything import read
    from .lookalikes.finding import duplicates as found_in
    from .lookalikes.found import KINDS

    if table and Path(table).suffix not in (".csv", ".parquet"):
        raise FormatError(table, f"no table ends in {Path(table).suffix!r}", "write .csv or .parquet")
    if len(folders) not in (0, 1, len(sources)):
        raise PoseError("posedata duplicates --images", f"{len(folders)} folders for {len(sources)} sources", "one for all, or one for each in order")
    places = folders * len(sources) if len(folders) == 1 else folders or (None,) * len(sources)
    sets = [read(source, place, schema, root) for source, place in zip(sources, places, strict=True)]
    found = found_in(sets, kinds=kinds or tuple(KINDS), similarity=similarity, workers=workers, quiet=quiet or as_json)
    if table:
        from .formats.frames import write_frame

        say(str(write_frame(found.to_frame(), table)), quiet or as_json)
    if out:
        say(str(found.sheet(out, shown)), quiet or as_json)
    emit(found.to_dict(), str(found), as_json)
    if (found.leaks if len(sets) > 1 else len(found)) or found.unread:
        sys.exit(1)


@click.argument("source")
@click.option(
    "-o",
    "--out",
    "outs",
    metavar="FILE",
    multiple=True,
    help="What to write: a page (.html), all figures (.png), all numbers (.json). May be given several times.",
)
@click.option("--against", metavar="SOURCE", help="Another set or split: what differs most from it comes first.")
@click.option("--images", "folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the pictures of SOURCE lie.")
@click.option(
    "--against-images", "other_folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the pictures of the other set lie."
)
@click.option(
    "--pictures", default=2000, show_default=True, type=click.IntRange(0), help="Pictures to open at most for sharpness and brightness, spread evenly."
)
@click.option("--examples", default=24, show_default=True, type=click.IntRange(0, 60), help="Small pictures on the page.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Processes that decode; all cores unless said.")
@_SCHEMA
@_ROOT
def profile(
    source: str,
    outs: tuple[str, ...],
    against: str | None,
    folder: str | None,
    other_folder: str | None,
    pictures: int,
    examples: int,
    workers: int | None,
    schema: str | None,
    root: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The first look at SOURCE: counts, sizes, visibility, places, limbs, sharpness, examples; and how it differs from another set.

    \b
    posedata profile synthetic/quadruped -o profile.html
    posedata profile ap10k/split1/train --against ap10k/split1/val -o profile.html -o profile.png
    posedata profile person_keypoints_val2017.json --images val2017 --json
    """
    from .formats.anything import read
    from .profiling.looking import profile as looked_at
    from .profiling.looking import require_suffix

    for out in outs:
        require_suffix(out, (".html", ".htm", ".png", ".json"))
    if other_folder and not against:
        raise PoseError("posedata profile --against-images", "without --against it does nothing", "name the other set: --against SOURCE")
    other = read(against, other_folder, schema, root) if against else None
    made = looked_at(read(source, folder, schema, root), other, pictures=pictures, workers=workers, quiet=quiet or as_json)
    for out in outs:
        say(str(made.write(out, examples)), quiet or as_json)
    emit(made.to_dict(), str(made), as_json)
