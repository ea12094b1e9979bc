"""The commands merge and split: thin doors to the functions of the same names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from .command import emit, say, verb
from .dataset import PoseDataset
from .errors import DataError, FormatError, PoseError, brief, first_few

__all__ = ["add"]


def add(app: click.Group) -> None:
    """Register the commands."""
    verb(app, short_help="Make one dataset of several.")(merge)
    verb(app, short_help="Part a dataset, and write down how.")(split)


@click.argument("sources", nargs=-1, required=True, metavar="[NAME=]SOURCE...")
@click.option("-o", "--out", required=True, help="The dataset to write: .json (COCO), .parquet, or a folder (Parquet in shards).")
@click.option("--schema", metavar="NAME_OR_FILE", help="The schema all are brought to: quadruped, human, ..., or your own.")
@click.option("--policy", default="apart", show_default=True, help="Images that several sources have: apart, join, first, error (docs/merging.md).")
@click.option("--sigmas", default="schema", show_default=True, help="The sigma of each point: schema, strictest, loosest, first, pooled.")
@click.option("--mapping", "mappings", multiple=True, metavar="SOURCE=CSV", help="A table of points for one source or schema; may be repeated.")
@click.option("--derived", is_flag=True, help="Also make points that are computed from others.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Another name for a category; may be repeated.")
@click.option("--categories", metavar="CSV", help="Or a table of names: source,category,to.")
@click.option("--images", multiple=True, metavar="NAME=FOLDER", help="Where the pictures of a source lie, so that copies are found; may be repeated.")
@click.option("--groups", default="bytes", show_default=True, help="How copies are found: bytes, none, or a column of the images.")
@click.option("--losses", metavar="FILE", help="Write everything that was lost or changed: .json or .csv.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when a SOURCE is a name.")
@click.option("--strict", is_flag=True, help="Exit 1 where anything was lost.")
def merge(sources: tuple[str, ...], out: str, losses: str | None, strict: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Bring every SOURCE under one schema and write them as one, with a word on all that could not be kept.

    \b
    posedata merge ap10k/split1/train cat/default/train -o both.json --schema quadruped
    posedata merge coco=person_keypoints_val2017.json crowd=crowdpose_val.json -o human.parquet --schema human \\
        --images coco=val2017 --images crowd=images --policy join
    posedata merge a.json b.json -o both.json --rename kitty=cat --losses lost.csv
    """
    from .mapping import KINDS, LABELS
    from .merging.classes import read_names
    from .merging.merge import merge as merged

    if losses and Path(losses).suffix not in (".json", ".csv"):
        raise FormatError(losses, f"no table of losses ends in {Path(losses).suffix!r}", "write .json or .csv")
    _check_out(out)
    names = dict(read_names(options["categories"])) if options["categories"] else {}
    parts = _sources(sources, _pairs("--images", options["images"]), options["root"])
    both, lost = merged(
        parts,
        options["schema"],
        policy=options["policy"],
        sigmas=options["sigmas"],
        mappings=_pairs("--mapping", options["mappings"]) or None,
        kinds=tuple(KINDS) if options["derived"] else LABELS,
        categories={**names, **_pairs("--rename", options["rename"])},
        duplicate_groups=options["groups"],
        quiet=quiet,
    )
    path = _written(both, out)
    if losses:
        _write_losses(lost, losses)
    say(repr(lost), quiet or as_json)
    _say_folders(both, path, quiet or as_json)
    values = {"out": str(path), "schema": both.schema.name, "images": len(both.images), "instances": len(both), "losses": lost.to_dict()}
    emit(values, f"{path}: {len(both):,} instances on {len(both.images):,} images, {both.schema.name}", as_json)
    if strict and len(lost.lost):
        sys.exit(1)


def _say_folders(both: PoseDataset, path: Path, quiet: bool) -> None:
    """COCO JSON has no place for the folders of pictures that lie in several."""
    folders = sorted({f for f in both.images.folder.tolist() if f})
    if path.suffix == ".json" and len(folders) > 1:
        say(f"pictures lie in {len(folders)} folders, which COCO JSON cannot hold ({first_few(folders, 2, ', ')}): write .parquet to keep them", quiet)


def _sources(sources: tuple[str, ...], images: dict[str, str], root: str | None) -> dict[str, PoseDataset]:
    """Datasets by name: the one in front of the =, or their own."""
    from .formats.anything import read

    parts: dict[str, PoseDataset] = {}
    for text in sources:
        name, equals, source = text.partition("=")
        named = bool(equals) and "/" not in name and not Path(text).exists()
        source = source if named else text
        folder = images.pop(name if named else Path(source).stem, None)
        ds = read(source, folder, None, root)
        label = name if named else ds.name
        if label in parts:
            raise DataError("merge", f"two sources named {brief(label)!r}", "name them: one=a.json other=b.json")
        parts[label] = ds
    if images:
        raise PoseError("--images", f"no source named {first_few(images, between=', ')}", f"sources are {', '.join(parts)}")
    return parts


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE as a table."""
    pairs = [t.partition("=") for t in texts]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise PoseError(option, brief(f"{key}{equals}{value}"), "write it as NAME=VALUE")
    return {key: value for key, _, value in pairs}


def _check_out(out: str) -> None:
    if Path(out).suffix not in (".json", ".parquet", ""):
        raise FormatError(out, f"no format ends in {Path(out).suffix!r}", "write .json, .parquet, or a folder (Parquet in shards)")


def _written(ds: PoseDataset, out: str) -> Path:
    if Path(out).suffix != ".json":
        return ds.to_parquet(out)
    ds.to_coco(out)
    return Path(out)


def _write_losses(lost: Any, path: str) -> None:
    from .files import write_bytes

    text = json.dumps(lost.to_dict(), ensure_ascii=False, indent=1) if Path(path).suffix == ".json" else lost.to_frame().to_csv(index=False)
    write_bytes(path, text.encode("utf-8", "surrogatepass"))


@click.argument("source")
@click.option("-o", "--out", required=True, metavar="MANIFEST", help="The manifest to write: .json.")
@click.option("--part", "parts", multiple=True, metavar="NAME=SHARE", help="A part: train=0.8, val=500, train=rest, test=held; repeated.")
@click.option("--folds", type=int, metavar="N", help="Or so many parts of one size, fold0, fold1, ...")
@click.option("--by", multiple=True, metavar="COLUMN", help="Parts are to have this column alike; may be repeated.")
@click.option("--group", multiple=True, metavar="COLUMN", help="Values of this column stay whole: duplicate, sequence, species; may be repeated.")
@click.option("--of", default="images", show_default=True, help="What shares count: images or instances.")
@click.option("--hold", multiple=True, metavar="PART=VALUE", help="Values of the group column that go to a part; may be repeated.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another split.")
@click.option("--rule", help="hash or balanced; else what --by asks for (docs/splitting.md).")
@click.option("--key", help="What names an image for good: id, file, source, source_id.")
@click.option("--previous", metavar="MANIFEST", help="Keep every image where this manifest has it; place only new ones.")
@click.option("--write", metavar="FOLDER", help="Also write every part as COCO JSON into this folder.")
@click.option("--images", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), help="Where the file names of SOURCE lie.")
@click.option("--schema", metavar="NAME_OR_FILE", help="Schema of a file that does not name its keypoints.")
@click.option("--root", metavar="FOLDER", help="Where datasets lie, when SOURCE is a name.")
@click.option("--strict", is_flag=True, help="Exit 1 where parts differ in a column (p < .05), or lack a value they were to have.")
def split(source: str, out: str, strict: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Part SOURCE, and write which image is where as a manifest that load_dataset reads; report what was reached.

    \b
    posedata split both.json -o splits.json --part train=.8 --part val=.1 --part test=.1 --by species --group duplicate
    posedata split both.json -o folds.json --folds 5 --by category
    posedata split both.json -o far.json --part train=rest --part test=held --group species --hold test=cat
    posedata split more.json -o splits2.json --part train=.8 --part val=.1 --part test=.1 --previous splits.json
    """
    from .formats.anything import read
    from .splitting.split import split as parted

    _check_manifest(out, options["previous"])
    ds = read(source, options["images"], options["schema"], options["root"])
    hold: dict[str, list[str]] = {}
    for text in options["hold"]:
        for part, value in _pairs("--hold", (text,)).items():
            hold.setdefault(part, []).append(value)
    asked: dict[str, Any] = {name: options[name] for name in ("folds", "of", "seed", "rule", "key", "previous")}
    parts = {name: _amount(name, text) for name, text in _pairs("--part", options["parts"]).items()}
    made = parted(ds, parts or None, by=list(options["by"]), group=list(options["group"]), hold=hold or None, **asked)
    path = made.manifest.to_json(out)
    files = [str(_written(made[name], str(Path(options["write"]) / f"{name}.json"))) for name in made] if options["write"] else []
    say(repr(made.report), quiet or as_json)
    sizes = {name: len(ds.images) for name, ds in made.items()}
    text = f"{path}: {', '.join(f'{name} {n:,}' for name, n in sizes.items())} images"
    emit({"out": str(path), "parts": sizes, "files": files, "report": made.report.to_dict()}, text, as_json)
    if strict and (made.report.differs or made.report.absent):
        sys.exit(1)


def _check_manifest(out: str, previous: str | None) -> None:
    """A manifest that stands is not overwritten, unless it is the one that is gone on with."""
    if Path(out).suffix != ".json":
        raise FormatError(out, "no manifest ends so", "name a .json file")
    if Path(out).exists() and (previous is None or Path(previous).resolve() != Path(out).resolve()):
        raise FormatError(out, "stands already", "choose another name, remove it, or go on with it: --previous")


def _amount(name: str, text: str) -> float | int | str:
    if text in ("rest", "held"):
        return text
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise PoseError(f"--part {name}", brief(text), "a fraction, a count, rest or held") from None
