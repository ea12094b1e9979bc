"""The catalogue: load_dataset, finding files, and what to do where they are absent. One dataset is one file in posedata/datasets/."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import PoseDataset
from .entries import Entry, Found, KnownFault, Part, Source, called, entry, list_datasets
from .errors import CatalogError, PoseError, brief, did_you_mean, first_few
from .files import cache_folder
from .joining import concat
from .splitting.manifest import Manifest, read_manifest

__all__ = ["Entry", "Found", "KnownFault", "Part", "Source", "called", "entry", "list_datasets", "load_dataset"]


def load_dataset(
    name: str,
    config: str | None = None,
    split: str | tuple[Manifest | str | Path, str] | Manifest | None = None,
    root: str | Path | None = None,
    fixes: bool = True,
    **options: Any,
) -> PoseDataset | dict[str, PoseDataset]:
    """A dataset by its name; without `split` a dict of its splits.

    `split` may slice and join: "train[:10%]", "val[20:40]", "train+val"; or name parts of a manifest that posedata.split made:
    "splits.json:train", "splits.json:~fold0" (all the others), or all of them: "splits.json". Files are looked for in `root`, then
    $POSEDATA_ROOT, then ./data, then the cache. `fixes` repairs known faults of the published files, by name and on record.
    """
    known = entry(name)
    chosen = _config(name, known, config)
    if split is None:
        parts = _present_splits(name, known, chosen, root) or tuple(known.splits[chosen])
        return {s: _load(name, known, chosen, s, root, fixes, options) for s in parts}
    if isinstance(split, Manifest) or (isinstance(split, str) and _WHOLE.fullmatch(split)):
        whole = read_manifest(split)
        base = load_split(name, chosen, _base(name, known, chosen, whole, root), root, fixes, **options)
        return {part: whole.select(base, part) for part in whole.parts}
    if isinstance(split, tuple):
        made = read_manifest(split[0])
        return made.select(load_split(name, chosen, _base(name, known, chosen, made, root), root, fixes, **options), split[1])
    return load_split(name, chosen, split, root, fixes, **options)


def load_split(name: str, config: str, split: str, root: str | Path | None = None, fixes: bool = True, **options: Any) -> PoseDataset:
    """`load_dataset` for one split, or for slices and sums of them."""
    known = entry(name)
    chosen = _config(name, known, config)
    made = [_MANIFEST.fullmatch(piece.strip()) for piece in str(split).split("+")]
    if any(made):
        return _by_manifest(name, known, chosen, split, made, root, fixes, options)
    terms = _pieces(name, known, chosen, split)
    pieces = [_sliced(_load(name, known, chosen, which, root, fixes, options), piece, cut) for piece, which, cut in terms]
    if len(pieces) == 1:
        return pieces[0]
    different = len({which for _, which, _ in terms}) == len(terms)
    return concat(_with_own_ids(pieces) if different else pieces, name=f"{name}/{chosen} {split}")


def _with_own_ids(pieces: list[PoseDataset]) -> list[PoseDataset]:
    """Different splits whose files number from the same start, numbered on; the ids they had stay in meta `source_id`."""
    shared = any(
        set(a.images.id.tolist()) & set(b.images.id.tolist()) or set(a.instances.id.tolist()) & set(b.instances.id.tolist()) for a, b in combinations(pieces, 2)
    )
    if not shared:
        return pieces
    firsts = np.cumsum([1] + [max(len(p.images), len(p)) for p in pieces]).tolist()
    again = [p.renumbered(first) for p, first in zip(pieces, firsts, strict=False)]
    return [replace(p, provenance=p.provenance.then("renumbered: the splits share ids; source_id has them")) for p in again]


def _config(name: str, known: Entry, config: str | None) -> str:
    if config is None:
        return next(iter(known.splits))
    if config not in known.splits:
        raise CatalogError(name, f"no configuration {brief(config)!r}", did_you_mean(str(config), known.splits))
    return config


_WHOLE = re.compile(r"[^+]+\.json")
_MANIFEST = re.compile(r"(?P<path>.+\.json):(?P<part>~?[^:\[\]+]+?)(?:\[(?P<low>\d{1,12}%?)?:(?P<high>\d{1,12}%?)?\])?")
"""splits.json:train, splits.json:~fold0, splits.json:train[:10%]"""


def _by_manifest(
    name: str, known: Entry, config: str, split: str, made: Sequence[re.Match[str] | None], root: str | Path | None, fixes: bool, options: Mapping[str, Any]
) -> PoseDataset:
    """Parts of manifests, chosen from the official splits they were made of; these stay as they are."""
    pieces, sets = [], dict[str, PoseDataset]()
    for match in made:
        if match is None:
            raise CatalogError(f"{name}: split", brief(split), "parts of a manifest, or official splits: one beside the other may share images")
        manifest = read_manifest(match["path"])
        base = _base(name, known, config, manifest, root)
        if base not in sets:
            sets[base] = load_split(name, config, base, root, fixes, **options)
        pieces.append(_sliced(manifest.select(sets[base], match["part"]), match[0], (match["low"], match["high"])))
    return pieces[0] if len(pieces) == 1 else concat(pieces, name=f"{name}/{config} {split}")


def _base(name: str, known: Entry, config: str, manifest: Manifest, root: str | Path | None) -> str:
    """The official splits a manifest was made of; all that are there, where its data has another name."""
    made_of = str(manifest.data["name"])
    head = next((h for h in (f"{name}/{config} ", f"{name} ") if made_of.startswith(h)), "")
    if head and not all(_PIECE.fullmatch(piece.strip()) for piece in made_of[len(head) :].split("+")):
        raise CatalogError(manifest.where, f"made of {brief(made_of)}, a part of another split", "load that part, then read_manifest(path).select(ds, part)")
    return made_of[len(head) :] if head else "+".join(_present_splits(name, known, config, root) or known.splits[config])


_PIECE = re.compile(r"(?P<split>[^\[\]]+?)(?:\[(?P<low>\d{1,12}%?)?:(?P<high>\d{1,12}%?)?\])?")


def _pieces(name: str, known: Entry, config: str, text: str) -> list[tuple[str, str, tuple[str | None, str | None]]]:
    """(as written, split, slice) for each term of "train[:10%]+val"."""
    found = []
    for piece in str(text).split("+"):
        match = _PIECE.fullmatch(piece.strip())
        if match is None:
            raise CatalogError(f"{name}: split", f"cannot read {brief(piece)!r}", "write train, train[:10%], val[20:40], train+val")
        if match["split"] not in known.splits[config]:
            raise CatalogError(
                f"{name}/{config}",
                f"no split {brief(match['split'])!r}",
                known.missing.get(match["split"]) or did_you_mean(match["split"], known.splits[config]),
            )
        found.append((piece.strip(), match["split"], (match["low"], match["high"])))
    return found


def _sliced(ds: PoseDataset, piece: str, cut: tuple[str | None, str | None]) -> PoseDataset:
    """Images from..to of the split, by number or by percent."""
    if cut == (None, None):
        return ds
    n = len(ds.images)

    def place(text: str | None, default: int) -> int:
        if text is None:
            return default
        return min(n, round(int(text[:-1]) / 100 * n) if text.endswith("%") else int(text))

    kept = ds.take_images(np.arange(place(cut[0], 0), max(place(cut[0], 0), place(cut[1], n))))
    return replace(kept, name=ds.name.rpartition(" ")[0] + " " + piece if " " in ds.name else ds.name)


def _load(name: str, known: Entry, config: str, split: str, root: str | Path | None, fixes: bool, options: Mapping[str, Any]) -> PoseDataset:
    try:
        inspect.signature(known.read).bind(None, **options)
    except TypeError as e:
        raise CatalogError(f"load_dataset({name!r})", brief(str(e), 100), f"see posedata info {name}") from None
    found = find(name, known, config, split, root)
    if found is None:
        raise absent(name, known, config, split, root)
    ds = known.read(replace(found, fixes=fixes), **options)
    if not isinstance(ds, PoseDataset):
        raise CatalogError(name, f"its reader returns {brief(repr(ds))}", "a reader returns a PoseDataset")
    _say_licence(name, known)
    return replace(_fixed(ds, known) if fixes else ds, name=f"{name}/{config} {split}" if len(known.splits) > 1 else f"{name} {split}")


def _fixed(ds: PoseDataset, known: Entry) -> PoseDataset:
    for fault in known.faults:
        if fault.fix is not None:
            ds, count = fault.fix(ds)
            if count:
                ds = record_fix(ds, fault.name, count)
    return ds


def record_fix(ds: PoseDataset, name: str, count: int) -> PoseDataset:
    """The dataset with a fix written into its provenance."""
    return replace(ds, provenance=replace(ds.provenance, fixes=(*ds.provenance.fixes, f"{name} ({count:,})")))


_said: set[str] = set()


def _say_licence(name: str, known: Entry) -> None:
    """Licence and citation, once for each process, on stderr; $POSEDATA_QUIET, and --quiet, say no."""
    if name not in _said and known.citation and not os.environ.get("POSEDATA_QUIET"):
        print(f"{name}: licence {known.licence}; cite {known.citation}", file=sys.stderr)
    _said.add(name)


# -- where files are ---------------------------------------------------------------------------------


def roots(root: str | Path | None) -> list[Path]:
    """Where files are looked for, in order."""
    asked = [] if root is None else [_asked_root(root)]
    own = os.environ.get("POSEDATA_ROOT")
    return [*asked, *([Path(own).expanduser()] if own else []), Path("data"), cache_folder() / "datasets"]


def _asked_root(root: str | Path) -> Path:
    if not isinstance(root, str | Path):
        raise CatalogError("load_dataset: root", brief(repr(root)), "the path of a folder")
    path = Path(root).expanduser()
    if not path.is_dir():
        raise CatalogError("load_dataset: root", f"no folder {brief(str(path), 200)}", "name the folder that holds the dataset's, or that is it")
    return path


def find(name: str, known: Entry, config: str, split: str, root: str | Path | None) -> Found | None:
    """The files of one split in the first place that has them all."""
    part = known.splits[config][split]
    if not part.files:
        return Found(config, split, (), None)
    looked = places(name, known, root)
    files = _files(part, looked)
    if not all(files):
        return None
    extra = tuple(_anywhere(looked, names) for names in part.extra)
    return Found(config, split, tuple(f for f in files if f), _anywhere(looked, part.images), extra=extra)


def _files(part: Part, looked: Sequence[Path]) -> list[Path | None]:
    """The files of a split: all in the first place that has all, else each where it is."""
    together = ([_first(place, names) for names in part.files] for place in looked)
    return next((files for files in together if all(files)), [_anywhere(looked, names) for names in part.files])


def _anywhere(looked: Sequence[Path], names: Sequence[str]) -> Path | None:
    return next((file for place in looked for file in [_first(place, names)] if file), None)


def places(name: str, known: Entry, root: str | Path | None) -> list[Path]:
    """Folders that may be the dataset's: its names below each root; a root the user names may itself be it."""
    names = dict.fromkeys((*known.folders, name))
    looked = []
    for i, place in enumerate(roots(root)):
        looked += [place / folder for folder in names]
        looked += [place] if i == 0 and root is not None else []
    return looked


def _first(place: Path, names: Sequence[str]) -> Path | None:
    return next((place / n for n in names if (place / n).exists()), None)


def _present_splits(name: str, known: Entry, config: str, root: str | Path | None) -> tuple[str, ...]:
    """Splits whose files are there; none raises the help for the first one."""
    return tuple(s for s in known.splits[config] if find(name, known, config, s, root) is not None)


def absent(name: str, known: Entry, config: str, split: str, root: str | Path | None) -> PoseError:
    """What to do when the files are not there."""
    looked = first_few(roots(root), 4, ", ")
    wanted = wanted_files(name, known, config, split, root)
    needed = [s for s in known.sources if not s.configs or config in s.configs]
    get = "; ".join(map(source_text, needed))
    fetchable = any(s.remote for s in needed)
    options = [f"--config {config}"] if any(s.configs for s in known.sources) and config != next(iter(known.splits)) else []
    options += [f"--root {root}"] if root is not None else []
    way = f"{' '.join(['posedata download', name, *options])}, or by hand: {get}" if fetchable else get
    return CatalogError(f"{name}/{config} {split}", f"no {wanted} under {looked}", f"{way}; licence {known.licence}; see docs/datasets.md#{name}")


def wanted_files(name: str, known: Entry, config: str, split: str, root: str | Path | None) -> str:
    """The files that are missing, under the first name they would be looked for."""
    part, looked = known.splits[config][split], places(name, known, root)
    folder = known.folders[0] if known.folders else name
    missing = [names[0] for names, file in zip(part.files, _files(part, looked), strict=True) if file is None]
    return " and ".join(os.path.normpath(f"{folder}/{file}") for file in missing)


def source_text(source: Source) -> str:
    """One source in words: what, how large, from where, and what to do."""
    size = f" ({source.size or 'size not known'})"
    url = source.remote.url if source.remote else source.page
    verb = "unpack it" if source.what.endswith((".zip", ".tar")) else "put it"
    how = "; ".join(filter(None, [f"{verb} into data/{source.into}/" if source.into != "." and "data/" not in source.how else "", source.how]))
    return f"{source.what}{size}" + (f" from {url}" if url else "") + (f": {how}" if how else "")


def checksum_text(source: Source) -> str:
    """Its checksum, where one is known."""
    known = {"sha256": source.remote.sha256, "md5": source.remote.md5} if source.remote else {}
    return "".join(f"; {kind} {value}" for kind, value in known.items() if value)


# -- what is known, in plain values ------------------------------------------------------------------


def present(name: str, known: Entry, root: str | Path | None = None) -> list[str]:
    """`config/split` of what load_dataset finds."""
    return [f"{config}/{split}" for config, splits in known.splits.items() for split in splits if find(name, known, config, split, root) is not None]


def describe(name: str, known: Entry) -> dict[str, Any]:
    """An entry as plain values, for people and programs."""
    here = present(name, known)
    splits = []
    for config, parts in known.splits.items():
        for split in parts:
            counts = known.counts.get(f"{config}/{split}")
            said = f": {counts[0]:,} images, {counts[1]:,} instances" if counts else ""
            splits.append(f"{config}/{split}{said}" + (" (here)" if f"{config}/{split}" in here else ""))
    return {
        "name": name,
        "title": known.title,
        "schema": known.schema,
        "splits": splits,
        "sigmas": known.sigmas,
        "protocol": known.protocol,
        "licence": known.licence,
        "citation": known.citation,
        "homepage": known.homepage,
        "looked_for_in": [str(p) for p in places(name, known, None)] if known.sources else [],
        "sources": [source_text(s) + checksum_text(s) for s in known.sources],
        "known_faults": [f"{f.name}: {f.text} ({f.done})" for f in known.faults],
        "notes": list(known.notes),
    }
