"""posedata: look at pose data, and change its form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from . import cli_browse, cli_duplicates, cli_merge, cli_sigmas, cli_validate
from .command import emit, run, say, verb
from .dataset import PoseDataset
from .errors import FormatError, PoseError
from .version import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Look at pose data, and change its form. SOURCE is a COCO or TechNumber .json, a .parquet file or folder, or a dataset's NAME[/CONFIG[/SPLIT]].",
)
@click.version_option(__version__, prog_name="posedata")
def app() -> None: ...


_IMAGES = click.option("--images", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the file names of SOURCE lie.")
_ROOT = click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
_SCHEMA = click.option(
    "--schema", metavar="NAME_OR_FILE", help="Schema of a file that does not name its keypoints: coco17, ap10k17, ..., or your own .toml or .json."
)


@verb(app, short_help="Draw a contact sheet.")
@click.argument("source")
@click.option("-o", "--out", default="sheet.png", show_default=True, help="The picture to write: .png, .jpg or .webp.")
@click.option("--by", metavar="COLUMN", help="One row of pictures for each value of a column: category, species, background, ...")
@click.option("-n", "count", default=24, show_default=True, type=click.IntRange(1, 600), help="How many pictures, spread evenly over the set.")
@_IMAGES
@_SCHEMA
@_ROOT
def show(source: str, out: str, by: str | None, count: int, images: str | None, schema: str | None, root: str | None, as_json: bool, quiet: bool) -> None:
    """Draw a contact sheet of SOURCE with its skeletons; SOURCE may also be a schema's name, or your own .toml.

    \b
    posedata show synthetic/quadruped --by species -o animals.png
    posedata show person_keypoints_val2017.json --images val2017 -n 48
    posedata show ap10k17 -o ap10k17.png
    """
    from .images import contact_sheet, draw_schema, save_picture
    from .schemas import SCHEMAS, load_schema

    if source in SCHEMAS or Path(source).suffix == ".toml":
        drawn = load_schema(source)
        path = save_picture(draw_schema(drawn), out)
        emit({"schema": drawn.name, "out": str(path)}, f"{path}: the {len(drawn)} points of {drawn.name}", as_json)
        return
    ds = _read(source, images, schema, root)
    path = save_picture(contact_sheet(ds, count, by), out)
    say(repr(ds), quiet or as_json)
    emit({"out": str(path), "name": ds.name, "schema": ds.schema.name, **_plain(ds)}, str(path), as_json)


@verb(app, short_help="Change the form of a dataset.")
@click.argument("source")
@click.argument("out")
@click.option("--as", "target", metavar="NAME_OR_FILE", help="Bring the poses to another schema: human, quadruped, crowdpose14, ...")
@click.option("--mapping", metavar="CSV", help="Use this table of points instead of the one we know (docs/schemas.md).")
@click.option("--derived", is_flag=True, help="Also make points that are computed from others, such as a neck between shoulders.")
@click.option("--embed", is_flag=True, help="Put the pictures' bytes into the Parquet, so that it can travel alone.")
@_IMAGES
@_SCHEMA
@_ROOT
def convert(
    source: str,
    out: str,
    target: str | None,
    mapping: str | None,
    derived: bool,
    embed: bool,
    images: str | None,
    schema: str | None,
    root: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write SOURCE as OUT: COCO JSON for .json, Parquet for .parquet or a folder. Nothing is lost that OUT can hold.

    \b
    posedata convert keypoints_annotations.json cats.json
    posedata convert crowdpose_val.json human.parquet --as human
    """
    if not target and (mapping or derived):
        raise PoseError(f"posedata convert {'--mapping' if mapping else '--derived'}", "without --as it does nothing", "say which schema: --as NAME_OR_FILE")
    ds = _read(source, images, schema, root)
    if target:
        ds = _as_schema(ds, target, mapping, derived)
        say(f"{ds.provenance.steps[-1]}" if ds.provenance.steps else "already of that schema", quiet)
    path = _write(ds, Path(out), embed)
    values = {"in": source, "out": str(path), "name": ds.name, "schema": ds.schema.name, **_plain(ds)}
    emit(values, f"{path}: {len(ds):,} instances on {len(ds.images):,} images, {ds.schema.name}", as_json)


@verb(app, name="list", short_help="Name the datasets we know.")
def list_(as_json: bool, quiet: bool) -> None:
    """Name the datasets load_dataset knows, with their schema and what of them is here."""
    from .catalog import entry, list_datasets, present

    rows = []
    for name in list_datasets():
        known = entry(name)
        rows.append({"name": name, "title": known.title, "schema": known.schema, "configs": list(known.splits), "present": present(name, known)})
    wide = max(len(r["name"]) for r in rows)
    lines = [f"{r['name']:<{wide}}  {'here' if r['present'] else '-':<5} {r['title']} ({r['schema']})" for r in rows]
    emit({"datasets": rows}, "\n".join(lines), as_json)


@verb(app, short_help="Say all that is known of a dataset.")
@click.argument("name")
def info(name: str, as_json: bool, quiet: bool) -> None:
    """Splits and counts, schema, sigmas, licence, citation, where to get it, and its known faults with what we do about them."""
    from .catalog import describe, entry

    values = describe(name, entry(name))
    emit(values, "\n".join(_paragraphs(values)), as_json)


@verb(app, short_help="Fetch a dataset.")
@click.argument("name")
@click.option("--config", metavar="NAME", help="Which configuration; the first one when not said.")
@click.option("--only", metavar="FILE", multiple=True, help="Only this file (as `posedata info` names them); may be given several times.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie; else $POSEDATA_ROOT, else the cache.")
def download(name: str, config: str | None, only: tuple[str, ...], root: str | None, as_json: bool, quiet: bool) -> None:
    """Fetch what can be fetched, verify it, unpack it where load_dataset looks, and say what a person must do.

    Interrupted downloads go on where they stopped. A file you put into ROOT/downloads yourself is verified and used.
    """
    from .obtain import obtain

    done = obtain(name, config, root, only, quiet or as_json)
    values = {key: list(getattr(done, key)) for key in ("fetched", "failed", "by_hand", "present")} | {"root": str(done.root)}
    lines = [
        f"in {done.root}",
        *(f"  fetched    {f}" for f in done.fetched),
        *(f"  failed     {f}" for f in done.failed),
        *(f"  by hand    {h}" for h in done.by_hand),
        f"  present    {', '.join(done.present) or 'no split yet'}",
    ]
    emit(values, "\n".join(lines), as_json)
    if done.failed or not done.present:
        raise SystemExit(1)


def _paragraphs(values: Mapping[str, Any]) -> list[str]:
    """A heading for each key, its values indented below."""
    lines = [values["title"]]
    for key, value in values.items():
        if value and key not in ("title", "name"):
            items = value if isinstance(value, list) else [value]
            lines += [f"\n{key.replace('_', ' ')}", *(f"  {item}" for item in items)]
    return lines


def _read(source: str, images: str | None, schema: str | None, root: str | None) -> PoseDataset:
    from .formats.anything import read

    return read(source, images, schema, root)


def _as_schema(ds: PoseDataset, target: str, mapping: str | None, derived: bool) -> PoseDataset:
    from .mapping import KINDS, LABELS, read_mapping
    from .schemas import load_schema

    to = load_schema(target)
    table = read_mapping(mapping, ds.schema, to) if mapping else None
    return ds.as_schema(to, table, tuple(KINDS) if derived else LABELS)


def _write(ds: PoseDataset, out: Path, embed: bool) -> Path:
    if out.suffix == ".json":
        if embed:
            raise FormatError(str(out), "JSON holds no pictures", "write .parquet, or leave --embed out")
        ds.to_coco(out)
        return out
    if out.suffix not in (".parquet", ""):
        raise FormatError(str(out), f"no format ends in {out.suffix!r}", "write .json, .parquet, or a folder (Parquet in shards)")
    return ds.to_parquet(out, images=embed)


def _plain(ds: PoseDataset) -> dict[str, int]:
    return {key.replace(" ", "_"): value for key, value in ds.counts().items()}


for room in (cli_validate, cli_merge, cli_duplicates, cli_sigmas, cli_browse):
    room.add(app)


def main() -> None:
    """Entry point of the command."""
    run(app, "posedata")
