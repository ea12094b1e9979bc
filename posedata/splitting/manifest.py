"""Manifest: a split as a file, which can be read, compared, checked and applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import rows_of
from ..dataset import PoseDataset
from ..errors import DataError, FormatError, brief, did_you_mean, first_few
from ..files import write_bytes
from .units import image_keys

__all__ = ["Manifest", "read_manifest"]

VERSION = 1


@dataclass(frozen=True, eq=False)
class Manifest:
    """Which image is in which part, of what data, and by what rule."""

    data: Mapping[str, Any]
    """name, images, instances, checksum, files: what was split."""
    rule: Mapping[str, Any]
    """parts or folds, of, by, group, seed, rule, key, hold, previous."""
    parts: Mapping[str, Mapping[str, Any]]
    """images, instances, checksum, ids of every part."""
    where: str = "manifest"

    def ids(self, part: str) -> NDArray[Any]:
        """Names of the images of a part; `~part` are those of all the others."""
        if part.removeprefix("~") not in self.parts:
            raise DataError(self.where, f"no part {brief(part)!r}", did_you_mean(part, [*self.parts, *(f"~{p}" for p in self.parts)]))
        chosen = [p for p in self.parts if p != part[1:]] if part[:1] == "~" and part not in self.parts else [part]
        return np.concatenate([_ids(self.parts[p]["ids"]) for p in chosen])

    def select(self, ds: PoseDataset, part: str) -> PoseDataset:
        """The images of one part with all their instances, in the order of `ds`, which must hold them as they were."""
        wanted, keys = self.ids(part), image_keys(ds, self.rule["key"])
        rows = rows_of(keys, wanted)
        if (rows < 0).any():
            lost = first_few(wanted[rows < 0].tolist(), between=", ")
            raise DataError(
                f"{self.where}:{part}", f"{int((rows < 0).sum()):,} of {len(rows):,} images are not in {ds.name}: {lost}", f"it was made of {self.data['name']}"
            )
        self.check(ds, keys)
        chosen = ds.take_images(np.sort(rows))
        new = len(ds.images) - sum(len(p["ids"]) for p in self.parts.values())
        step = f"{self.where}:{part}" + (f"; {new:,} images of {ds.name} are in no part" if new > 0 else "")
        return replace(chosen, name=f"{ds.name} [{Path(self.where).name}:{part}]", provenance=chosen.provenance.then(step))

    def check(self, ds: PoseDataset, keys: NDArray[Any]) -> None:
        """Refuse data in which an image of the manifest is another one now."""
        for part, said in self.parts.items():
            rows = rows_of(keys, _ids(said["ids"]))
            if (rows >= 0).all() and checksum(keys[rows], ds.images.file[rows]) != said["checksum"]:
                raise DataError(
                    f"{self.where}:{part}", f"ids that name other files in {ds.name}", f"it was made of {self.data['name']}; was the set renumbered?"
                )

    def sides(self, keys: NDArray[Any]) -> NDArray[np.intp]:
        """(I,) part of each image, by its number; -1 where it is in none."""
        out = np.full(len(keys), -1)
        for i, said in enumerate(self.parts.values()):
            rows = rows_of(keys, _ids(said["ids"]))
            out[rows[rows >= 0]] = i
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the file holds them."""
        return {"posebench_split": VERSION, "data": dict(self.data), "rule": dict(self.rule), "parts": {k: dict(v) for k, v in self.parts.items()}}

    def to_bytes(self) -> bytes:
        """The file's content: of one split always the same bytes."""
        parts = ",\n".join(f"  {_line(name)}: {_line(said)}" for name, said in self.to_dict()["parts"].items())
        text = f'{{\n "posebench_split": {VERSION},\n "data": {_line(self.data)},\n "rule": {_line(self.rule)},\n "parts": {{\n{parts}\n }}\n}}\n'
        return text.encode("utf-8", "surrogatepass")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_json(self, path: str | Path) -> Path:
        """Write it. A file that is no manifest is never overwritten."""
        path = Path(path)
        if path.suffix != ".json":
            raise FormatError(str(path), "no manifest ends so", "name a .json file")
        if path.exists():
            read_manifest(path)
        return write_bytes(path, self.to_bytes())

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {said['images']:,}" for name, said in self.parts.items())
        return f"Manifest({self.data['name']}: {parts} images; seed {self.rule['seed']}, {self.rule['rule']})"


def read_manifest(path: str | Path | Manifest) -> Manifest:
    """A manifest from its file."""
    if isinstance(path, Manifest):
        return path
    try:
        values = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, TypeError, RecursionError) as e:
        raise FormatError(
            brief(str(path), 200), brief(str(getattr(e, "strerror", None) or e).lower(), 80), "name a manifest: posedata split writes one"
        ) from None
    if not isinstance(values, dict) or "posebench_split" not in values:
        raise FormatError(str(path), "no manifest of a split", "posedata split writes one; files that are none are not overwritten")
    if values["posebench_split"] != VERSION:
        raise FormatError(str(path), f"version {brief(repr(values['posebench_split']))}", f"this program reads {VERSION}; a newer one is needed")
    _check_form(values, str(path))
    return Manifest(values["data"], values["rule"], values["parts"], str(path))


def _line(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _check_form(values: Mapping[str, Any], where: str) -> None:
    """All that is read later is there, and no image stands in two parts."""
    needed = {"data": ("name",), "rule": ("key", "seed", "rule")}
    for block, keys in needed.items():
        held = values.get(block)
        if not isinstance(held, dict) or not all(k in held for k in keys):
            raise FormatError(f"{where} $.{block}", "incomplete", f"{', '.join(keys)} are needed; was the file edited?")
    parts = values.get("parts")
    if not isinstance(parts, dict) or not parts:
        raise FormatError(f"{where} $.parts", "no parts", "was the file edited?")
    for name, said in parts.items():
        if not isinstance(said, dict) or not isinstance(said.get("ids"), list) or not all(k in said for k in ("checksum", "images")):
            raise FormatError(f"{where} $.parts.{name}", "incomplete", "ids, images and checksum are needed; was the file edited?")
        if len({type(i) for i in said["ids"]} - {int}) > (0 if any(isinstance(i, int) for i in said["ids"]) else 1) or not all(
            isinstance(i, int | str) and not isinstance(i, bool) for i in said["ids"]
        ):
            raise FormatError(f"{where} $.parts.{name}.ids", "ids that are neither all numbers nor all text", "was the file edited?")
    every = [i for said in parts.values() for i in said["ids"]]
    if len(set(every)) < len(every):
        raise FormatError(f"{where} $.parts", "an image that stands in two parts", "was the file edited?")


def _ids(values: list[Any]) -> NDArray[Any]:
    """Ids as columns hold them."""
    return np.array([*values, None], object)[:-1] if any(isinstance(v, str) for v in values) else np.array(values, np.int64)


def part_record(ds: PoseDataset, keys: NDArray[Any], rows: NDArray[np.intp]) -> dict[str, Any]:
    """What a manifest says of one part."""
    rows = rows[np.argsort(keys[rows], kind="stable")]
    instances = int(np.isin(ds.instances.image, rows).sum())
    return {"images": len(rows), "instances": instances, "checksum": checksum(keys[rows], ds.images.file[rows]), "ids": keys[rows].tolist()}


def checksum(keys: NDArray[Any], files: NDArray[Any]) -> str:
    """Of the names of images and of their files, in order."""
    text = "".join(f"{key}\t{file}\n" for key, file in zip(keys.tolist(), files.tolist(), strict=True))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
