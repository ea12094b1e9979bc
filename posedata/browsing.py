"""Doors to FiftyOne: browse a dataset with what validate and duplicates say of it, and bring home what was edited there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import PoseDataset
from .errors import DataError, PoseError, brief, needs
from .formats.anything import read
from .schema import Schema
from .splitting.manifest import Manifest, read_manifest
from .splitting.units import image_keys

if TYPE_CHECKING:
    from .formats.fiftyone_db import Browsing

__all__ = ["browse", "from_fiftyone"]


def browse(
    source: PoseDataset | str | Path,
    *,
    name: str | None = None,
    images: str | Path | None = None,
    schema: Schema | str | Path | None = None,
    root: str | Path | None = None,
    validate: bool = True,
    duplicates: bool = False,
    splits: Manifest | str | Path | None = None,
    fresh: bool = False,
    app: bool = True,
    port: int | None = None,
    remote: bool = False,
    quiet: bool = True,
) -> Browsing:
    """A dataset in FiftyOne: its truth, findings of validate as tags and views, duplicates and splits as fields of the images.

    `source` is a dataset, a file, or NAME[/CONFIG[/SPLIT]]; a name without a split shows all splits that are here, told apart
    by the field `split`. `duplicates` looks at the pictures; `splits` is a manifest. The FiftyOne dataset is made or brought
    up to date, and the App opened on it unless `app` is false; `fresh` begins anew.
    """
    ds = source if isinstance(source, PoseDataset) else _read(source, images, schema, root)
    of_manifest = _parts(ds, splits) if splits is not None else None
    room = _room("posedata browse")
    made = room(ds, name, validate, duplicates, of_manifest, fresh, quiet)
    return made.open(port, remote) if app else made


def from_fiftyone(
    samples: Any, field: str = "truth", *, tags: Sequence[str] | str | None = None, schema: Schema | str | Path | None = None, name: str | None = None
) -> PoseDataset:
    """Poses of a FiftyOne dataset or view as a PoseDataset; of a dataset we wrote, all that nobody has touched as it was.

    Moved and deleted points, boxes, areas, categories, new and deleted labels come along. `tags` chooses samples and labels that
    have one of them; tags that people gave are a column `tags`. Fields that others made need a skeleton whose names we know, or
    `schema`.
    """
    try:
        from .formats.fiftyone_db import connect
        from .formats.fiftyone_home import from_fiftyone as home
    except ModuleNotFoundError as e:
        raise needs(f"from_fiftyone ({e.name})", "browse") from None
    connect()
    return home(samples, field, tags=tags, schema=schema, name=name)


def _room(what: str) -> Any:
    try:
        from .showing import browse_dataset
    except ModuleNotFoundError as e:
        raise needs(f"{what} ({e.name})", "browse") from None
    return browse_dataset


def _read(source: str | Path, images: str | Path | None, schema: Schema | str | Path | None, root: str | Path | None) -> PoseDataset:
    """As `read`, but a dataset's name without a split means all its splits."""
    from .catalog import list_datasets

    parts = str(source).split("/")
    if parts[0] in list_datasets() and not Path(source).exists() and schema is None:
        whole = _whole(parts[0], parts[1:], root)
        if whole is not None:
            return whole
    return read(source, images, schema, root)


def _whole(name: str, rest: list[str], root: str | Path | None) -> PoseDataset | None:
    """All splits of a configuration that are here, with a column `split`; None where the name says which one."""
    from .catalog import entry, load_dataset, load_split

    known = entry(name)
    if len(rest) > 1 or (rest and rest[0] not in known.splits):
        return None
    config = rest[0] if rest else next(iter(known.splits))
    loaded = load_dataset(name, config, root=root)
    assert isinstance(loaded, dict)  # noqa: S101  # without a split it gives one for each
    if len(loaded) == 1:
        return next(iter(loaded.values()))
    whole = load_split(name, config, "+".join(loaded), root)
    labels = np.repeat(np.array([*loaded, None], object)[:-1], [len(ds.images) for ds in loaded.values()])
    if len(labels) != len(whole.images):
        raise DataError(name, "splits that share images", "name one: " + ", ".join(f"{name}/{config}/{s}" for s in loaded))
    return replace(whole, images=whole.images.with_meta(split=labels))


def _parts(ds: PoseDataset, splits: Manifest | str | Path) -> list[str | None]:
    """The part of each image; none for those the manifest does not hold."""
    made = read_manifest(splits)
    sides = made.sides(image_keys(ds, made.rule["key"]))
    if (sides < 0).all() and len(sides):
        raise PoseError(brief(made.where), f"holds no image of {ds.name}", f"it was made of {made.data['name']}")
    names = [*made.parts, None]
    return [names[i] for i in sides.tolist()]
