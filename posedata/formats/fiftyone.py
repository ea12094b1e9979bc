"""A dataset as FiftyOne shows it: a sample for each image, its poses as a field of keypoints with a skeleton. A room of fiftyone.

What FiftyOne has no place for is kept beside the field, whole, so that `fiftyone_in` brings everything home.
"""

from __future__ import annotations

import base64
import mimetypes
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from numpy.typing import NDArray

from ..columns import rows_of
from ..dataset import PoseDataset
from ..errors import DataError, PoseError, brief, first_few
from ..schema import Schema
from ..tables import Instances
from .fiftyone_db import connect, our_dataset, words_of
from .fiftyone_fields import LabelTable, keep, note_field, plain_values, recall, write_labels
from .shares import truth_columns

__all__ = ["field_name", "missing_pictures", "open_dataset", "put_columns", "put_truth", "to_fiftyone", "with_sizes"]

TAKEN = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at", "image_id", "group", "media_type", "frames", "support")
"""Names of fields that samples have anyway, and ours."""


def to_fiftyone(ds: PoseDataset, name: str | None = None, fresh: bool = False) -> Any:
    """The dataset in FiftyOne: made, or brought up to date where it is there."""
    connect()
    dataset, at = open_dataset(ds, name, fresh)
    put_truth(dataset, ds, at)
    return dataset


def open_dataset(ds: PoseDataset, name: str | None, fresh: bool = False) -> tuple[Any, list[str]]:
    """The FiftyOne dataset with a sample for each image, and the sample of each row."""
    if not len(ds.images):
        raise DataError(ds.name, "no images", "there is nothing to look at")
    ds = with_sizes(ds)
    dataset = our_dataset(slug(ds.name) if name is None else name, fresh)
    return dataset, _put_samples(dataset, ds)


def slug(name: str) -> str:
    """A name of FiftyOne's: letters and digits, joined by hyphens.

    >>> slug("synthetic/quadruped val")
    'synthetic-quadruped-val'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "poses"


def field_name(text: str) -> str:
    """A name of a field: letters, digits and underscores, no digit first.

    >>> field_name("ViTPose-B (384)")
    'ViTPose_B_384'
    """
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:40] or "model"
    return f"m{word}" if word[0].isdigit() or word in TAKEN else word


# -- samples -----------------------------------------------------------------------------------------


def with_sizes(ds: PoseDataset) -> PoseDataset:
    """The same with the sizes of all images: FiftyOne counts in shares of them. Those not known are read from the files."""
    unknown = np.flatnonzero((ds.images.width <= 0) | (ds.images.height <= 0))
    if not len(unknown):
        return ds
    from ..images import open_image

    width, height = ds.images.width.copy(), ds.images.height.copy()
    bad = []
    for row in unknown.tolist():
        try:
            width[row], height[row] = open_image(ds.images, row).size
        except PoseError:
            bad.append(str(ds.images.file[row]))
    if bad:
        raise DataError(
            ds.name, f"{len(bad):,} images have no size, and no file is at hand: {brief(first_few(bad, 3, ', '), 120)}", "name their folder: --images FOLDER"
        )
    return replace(ds, images=ds.images.with_trusted(width=width, height=height))


def _put_samples(dataset: Any, ds: PoseDataset) -> list[str]:
    """A sample for each image that has none yet; what is told of the others is brought up to date."""
    files, ids = _paths(ds), ds.images.id.tolist()
    known = _known(dataset)
    if known and not set(ids) & set(known):
        raise PoseError("FiftyOne", f"dataset {brief(dataset.name)!r} holds other images", "choose another name: --name NAME")
    columns = {"filepath": files, "image_id": ids, **_columns(ds)}
    new = [row for row, i in enumerate(ids) if i not in known]
    _add(dataset, columns, ds, new)
    known |= _known(dataset) if new else {}
    at = [known[i] for i in ids]
    put_columns(dataset, {k: v for k, v in columns.items() if k != "image_id"}, at)
    return at


def _known(dataset: Any) -> dict[Any, str]:
    """Samples by the ids of their images."""
    return dict(zip(*dataset.values(["image_id", "id"]), strict=True)) if dataset.has_field("image_id") else {}


def _paths(ds: PoseDataset) -> list[str]:
    """Where the pictures are, absolute; a picture that is not there has a place all the same, and FiftyOne says so."""
    pairs = zip(ds.images.folder.tolist(), ds.images.file.tolist(), strict=True)
    return [str((Path(folder) / file.replace("\0", "")).absolute()) for folder, file in pairs]


def _columns(ds: PoseDataset) -> dict[str, list[Any]]:
    """Meta columns of images, under names FiftyOne takes."""
    found: dict[str, list[Any]] = {}
    for name, values in ds.images.meta.items():
        if values.ndim == 1:
            word = field_name(name)
            found[f"image_{word}" if word in found or name in TAKEN else word] = plain_values(values)
    return found


def _add(dataset: Any, columns: Mapping[str, list[Any]], ds: PoseDataset, rows: list[int]) -> None:
    if not rows:
        return
    width, height = ds.images.width.tolist(), ds.images.height.tolist()
    files = columns["filepath"]
    sizes = (fo.ImageMetadata(width=width[r], height=height[r]) for r in rows)
    samples = [
        fo.Sample(metadata=size, **_as_image(files[r]), **{name: values[r] for name, values in columns.items()}) for r, size in zip(rows, sizes, strict=True)
    ]
    try:
        dataset.add_samples(samples, progress=False)
    except Exception as e:
        raise DataError(
            ds.name, f"a value that FiftyOne cannot hold ({brief(str(e), 120)})", "text is text and numbers are of 64 bits in the columns of images"
        ) from None


def _as_image(file: str) -> dict[str, str]:
    """A name that ends like no picture is one all the same: FiftyOne goes by the ending, and takes one kind of media."""
    return {} if (mimetypes.guess_type(file)[0] or "").startswith("image/") else {"_media_type": "image"}


def put_columns(dataset: Any, columns: Mapping[str, list[Any]], at: list[str]) -> None:
    """Values of samples, where they differ from those there."""
    there = [name for name in columns if dataset.has_field(name)]
    before = dict(zip(there, dataset.select(at, ordered=True).values(there), strict=True)) if there else {}
    for name, values in columns.items():
        pairs = zip(at, values, before.get(name, [None] * len(at)), strict=True)
        if changed := {sample: value for sample, value, was in pairs if value != was}:
            dataset.set_values(name, changed, key_field="id", progress=False)


def missing_pictures(ds: PoseDataset) -> list[str]:
    """A word where pictures are not at hand, for FiftyOne draws poses on nothing else."""
    files = _paths(ds)
    gone = [f for f in files if not Path(f).is_file()]
    where = f"the first is {brief(gone[0], 80)}; name their folder with --images" if gone else ""
    return [f"{len(gone):,} of {len(files):,} pictures are not there: {where}"] if gone else []


# -- truth -------------------------------------------------------------------------------------------


def put_truth(
    dataset: Any, ds: PoseDataset, at: list[str], told: Mapping[str, NDArray[Any]] | None = None, tags: Sequence[tuple[str, ...]] = (), owner: str = "data"
) -> str:
    """The poses as a field of their own, `truth`; of another schema than those there, `truth_SCHEMA`. Returns its name.

    `told` are columns that are said of the truths, and `tags` tags, by `owner`: another's stay.
    """
    name = truth_field(dataset, ds.schema)
    sized, mark = with_sizes(ds), _fingerprint(ds)
    image = ds.instances.image.astype(np.intp)
    table = LabelTable(image=image, key=ds.instances.id, own=truth_columns(sized), told=told or {}, tags=tuple(tags))
    if recall(dataset, name, "source").get("mark") not in (None, mark):
        _refuse_lost_edits(dataset, name, ds)
    note_field(dataset, name, of="truth", schema=ds.schema.to_dict(), source=ds.name)
    write_labels(dataset, name, table, at, owner)
    keep_source(dataset, name, ds.to_parquet, ".parquet", mark)
    set_skeleton(dataset, name, ds.schema)
    return name


def _refuse_lost_edits(dataset: Any, name: str, ds: PoseDataset) -> None:
    """Labels that somebody has changed in FiftyOne, and that are not so in the truth that comes: writing it would undo the work."""
    from .fiftyone_home import edits

    there, rows = edits(dataset, name)
    place = rows_of(ds.instances.id, there.instances.id[rows]) if len(ds) else np.full(len(rows), -1)
    mine, others = there.instances.take(rows[place >= 0]), ds.instances.take(place[place >= 0])
    lost = int((place < 0).sum() + (~same_poses(mine, others)).sum())
    if lost:
        raise PoseError(
            f"FiftyOne {brief(dataset.name)!r}",
            f"{lost:,} truths were changed there, and the truth has changed since",
            "bring them home first (posedata.from_fiftyone), or begin anew: --fresh",
        )


def same_poses(a: Instances, b: Instances) -> NDArray[np.bool_]:
    """(N,) whether points and boxes are alike; a coordinate may have lost its last bits on the way."""
    near = np.isclose(a.keypoints, b.keypoints, rtol=0, atol=1e-9).all((1, 2))
    return np.asarray(near & np.isclose(a.bbox, b.bbox, equal_nan=True).all(1))


def truth_field(dataset: Any, schema: Schema) -> str:
    """One field for each schema: a skeleton belongs to a field."""
    said = words_of(dataset)["fields"].get("truth")
    if said is None or Schema.from_dict(said["schema"]).same_points(schema):
        return "truth"
    return field_name(f"truth_{schema.name}")


COLOURS = ("#4cd964", "#ff7f0e", "#a64dff", "#00b7eb", "#ff5c8a", "#ffd60a")
"""Of the truth, then of models: apart on skin, fur and grass."""


def set_skeleton(dataset: Any, name: str, schema: Schema) -> None:
    """Names of the points, the limbs that are drawn, and a colour of its own; a colour that somebody chose stays."""
    _paint(dataset, name)
    skeleton = fo.KeypointSkeleton(labels=list(schema.names), edges=schema.limb_rows.tolist())
    if dataset.skeletons.get(name) != skeleton:
        dataset.skeletons = {**dataset.skeletons, name: skeleton}
        dataset.save()


def _paint(dataset: Any, name: str) -> None:
    scheme = dataset.app_config.color_scheme or fo.ColorScheme()
    chosen = list(scheme.fields or [])
    if all(field.get("path") != name for field in chosen):
        scheme.fields = [*chosen, {"path": name, "fieldColor": COLOURS[len(chosen) % len(COLOURS)]}]
        dataset.app_config.color_scheme = scheme
        dataset.save()


def keep_source(dataset: Any, name: str, write: Callable[[Path], object], suffix: str, mark: str) -> None:
    """The whole data beside its field, as a file of ours."""
    if recall(dataset, name, "source").get("mark") == mark:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"source{suffix}"
        write(path)
        keep(dataset, name, "source", source=base64.b64encode(path.read_bytes()).decode(), mark=mark)


def _fingerprint(ds: PoseDataset) -> str:
    from .hf import content_fingerprint

    return content_fingerprint(ds, np.zeros(len(ds.images), bool))
