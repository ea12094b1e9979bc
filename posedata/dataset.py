"""PoseDataset: images, poses on them, and the schema that names their points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import category_rows, image_rows, image_table, with_visibility
from .category import Category, Provenance
from .columns import array_of, copied, copied_columns, row_numbers, says_nothing
from .errors import DataError, brief, did_you_mean, needs
from .mapping import LABELS, mapping_between
from .mapping import Mapping as SchemaMapping
from .rest import FileRest
from .schema import Schema
from .schemas import NO_POINTS, load_schema
from .tables import Images, Instances, matching

if TYPE_CHECKING:
    import datasets
    import pandas
    from PIL import Image

__all__ = ["Category", "PoseDataset", "Provenance", "Sample"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One pose of a dataset, readable; its image is opened when asked for."""

    dataset: PoseDataset
    row: int

    @property
    def id(self) -> int | str:
        return self.dataset.instances.id[self.row].item() if self.dataset.instances.id.dtype.kind == "i" else self.dataset.instances.id[self.row]

    @property
    def image_row(self) -> int:
        return int(self.dataset.instances.image[self.row])

    @property
    def file(self) -> str:
        return str(self.dataset.images.file[self.image_row])

    @property
    def category(self) -> str:
        return self.dataset.categories[self.dataset.instances.category[self.row]].name

    @property
    def keypoints(self) -> dict[str, tuple[float, float, int]]:
        """name: (x, y, v) of every point that the source annotates."""
        own = self.dataset.instances
        points = zip(self.dataset.schema.names, own.keypoints[self.row].tolist(), own.annotated[self.row], strict=True)
        return {name: (x, y, int(v)) for name, (x, y, v), known in points if known}

    @property
    def bbox(self) -> tuple[float, ...]:
        return tuple(self.dataset.instances.bbox[self.row].tolist())

    @property
    def area(self) -> float:
        return float(self.dataset.instances.area[self.row])

    @property
    def meta(self) -> dict[str, Any]:
        """Meta columns of the instance and of its image."""
        own, image = self.dataset.instances.meta, self.dataset.images.meta
        return {k: v[self.image_row] for k, v in image.items()} | {k: v[self.row] for k, v in own.items()}

    @cached_property
    def image(self) -> Image.Image:
        """The picture, opened now."""
        from .images import open_image

        return open_image(self.dataset.images, self.image_row)

    def __repr__(self) -> str:
        seen = sum(v > 0 for *_, v in self.keypoints.values())
        return f"Sample({self.category} {self.id!r} in {self.file!r}: {seen} of {len(self.keypoints)} points labelled)"


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseDataset:
    """N poses on I images under one schema. Frozen: every method gives another dataset."""

    name: str
    schema: Schema
    categories: tuple[Category, ...]
    images: Images
    instances: Instances
    provenance: Provenance = field(default_factory=Provenance)
    rest: FileRest = field(default_factory=FileRest)

    def __post_init__(self) -> None:
        own, k = self.instances, len(self.schema)
        if own.keypoints.shape[1] != k:
            raise DataError(self.name, f"{own.keypoints.shape[1]} keypoints", f"schema {self.schema.name!r} has {k}")
        for column, table in (("image", self.images), ("category", self.categories)):
            rows = getattr(own, column)
            if len(rows) and (rows.min() < 0 or rows.max() >= len(table)):
                raise DataError(f"{self.name}: Instances.{column}", f"row {rows.max() if rows.max() >= len(table) else rows.min()}", f"there are {len(table)}")
        for c in self.categories:
            for point in c.points:
                self.schema.index(point)

    # -- looking ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, row: int) -> Sample:
        if not -len(self) <= row < len(self):
            raise IndexError(f"{self.name}: no instance {row}; there are {len(self)}")
        return Sample(self, row % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (Sample(self, row) for row in range(len(self)))

    @property
    def category_names(self) -> NDArray[np.object_]:
        """(N,) the name of each instance's category."""
        return np.array([c.name for c in self.categories] + [""], object)[self.instances.category]

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """(C, K) the schema's sigmas, or a category's own; NaN where the category lacks the point."""
        table = np.full((len(self.categories), len(self.schema)), np.nan)
        for row, c in enumerate(self.categories):
            places = [self.schema.index(p) for p in c.points]
            table[row, places] = self.schema.sigmas[places] if c.sigmas is None else c.sigmas
        return table

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(N, K) points known to lie outside their frame, labelled or not; (0, 0) and (-1, -1) with v = 0 say nothing."""
        rows = self.instances.image
        x, y, _ = np.moveaxis(self.instances.keypoints, -1, 0)
        size = np.stack([self.images.width[rows], self.images.height[rows]], -1)[:, None]
        beyond = (x < -0.5) | (y < -0.5) | (x > size[..., 0] - 0.5) | (y > size[..., 1] - 0.5)
        return beyond & ~says_nothing(self.instances.keypoints) & self.instances.annotated & (size > 0).all(-1)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with anything a score may depend on, and with nothing else: not with where pictures lie."""
        kinds = [[c.id, c.name, c.points, c.sigmas] for c in self.categories]
        digest = hashlib.sha256(json.dumps([self.schema.names, self.schema.sigmas.tolist(), kinds]).encode())
        for name, values in {"images": self.images.id, "crowd_index": self.images.meta.get("crowd_index"), **self.instances.own()}.items():
            digest.update(f"\n{name}:".encode())
            if values is not None:
                digest.update(json.dumps(values.tolist()).encode() if values.dtype == object else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]

    def counts(self) -> dict[str, int]:
        """What the card prints."""
        own = self.instances
        empty = len(self.images) - len(np.unique(own.image))
        labelled = own.labelled
        return {
            "images": len(self.images), "images without instances": empty, "instances": len(self), "crowds": int(own.crowd.sum()),
            "instances with keypoints": int(labelled.any(1).sum()), "labelled points": int(labelled.sum()),
            "hidden points": int((labelled & (own.keypoints[..., 2] == 1)).sum()), "points outside their frame": int(self.outside.sum()),
        }  # fmt: skip

    def __repr__(self) -> str:
        from .card import card

        return card(self)

    def _repr_html_(self) -> str:
        from .card import html_card

        return html_card(self)

    # -- choosing --------------------------------------------------------------------------------

    def where(self, mask: ArrayLike | None = None, /, **columns: Any) -> PoseDataset:
        """Instances whose columns have these values; every image stays. Image columns choose images with all their instances.

        A value is one value, several, or a function of the column: `ds.where(category=["cat", "dog"], area=lambda a: a > 1024)`.
        """
        keep = np.ones(len(self), bool) if mask is None else _mask(mask, len(self))
        keep_images = np.ones(len(self.images), bool)
        for name, wanted in columns.items():
            if name == "category":
                names = _several(wanted)
                keep &= np.array([c.name in names for c in self.categories] + [False])[self.instances.category]
            elif name == "image_id":
                keep_images &= matching(self.images, "id", wanted)
            elif name in self.instances.columns():
                keep &= matching(self.instances, name, wanted)
            elif name in self.images.columns():
                keep_images &= matching(self.images, name, wanted)
            else:
                known = {*self.instances.columns(), *self.images.columns(), "image_id"}
                raise DataError(f"{self.name}.where", f"no column {name!r}", did_you_mean(name, known))
        kept = self if keep_images.all() else self.take_images(keep_images)
        return kept if keep.all() else kept.take(keep[keep_images[self.instances.image]])

    def take(self, rows: ArrayLike) -> PoseDataset:
        """These instances, by number or mask, in this order; every image stays."""
        return replace(self, instances=self.instances.take(row_numbers(rows, len(self), "take")))

    def take_images(self, rows: ArrayLike) -> PoseDataset:
        """These images, in this order, with all their instances."""
        chosen = row_numbers(rows, len(self.images), "take_images")
        place = np.full(len(self.images), -1)
        place[chosen] = np.arange(len(chosen))
        kept = self.instances.take(place[self.instances.image] >= 0)
        images = self.images.take(chosen)
        return replace(self, images=images, instances=kept.with_trusted(image=place[kept.image]), rest=replace(self.rest, listing=None))

    def without_empty(self) -> PoseDataset:
        """Only images that have instances."""
        return self.take_images(np.unique(self.instances.image))

    def as_schema(self, target: Schema | str | Path, mapping: SchemaMapping | None = None, kinds: Sequence[str] = LABELS) -> PoseDataset:
        """The same instances under another schema, points carried over by name through an explicit mapping.

        Derived points are made only when `kinds` names them; what the target lacks is named in `provenance`.
        """
        to = load_schema(target)
        if to == self.schema and mapping is None:
            return self
        if mapping is not None and not isinstance(mapping, SchemaMapping):
            raise DataError(f"{self.name}.as_schema", f"mapping={brief(repr(mapping))}", "give one: mapping=read_mapping('rows.csv')")
        table = (mapping or mapping_between(self.schema, to)).only(kinds)
        if not (table.source.same_points(self.schema) and table.target.same_points(to)):
            raise DataError(self.name, f"mapping is {table.source.name} -> {table.target.name}", f"{self.schema.name} -> {to.name} is needed")
        keypoints, annotated = table.apply(self.instances.keypoints, self.instances.annotated)
        instances = self.instances.with_trusted(keypoints=keypoints, annotated=annotated, recorded=np.full(len(self), -1))
        return replace(
            self,
            schema=to,
            instances=instances,
            categories=tuple(_recategorise(c, to) for c in self.categories),
            provenance=self.provenance.then(repr(table)),
        )

    def renumbered(self, first: int = 1) -> PoseDataset:
        """Images and instances numbered from `first` on; the ids they had stay as text in meta `source_id`."""

        if not isinstance(first, int) or isinstance(first, bool) or abs(first) >= 2**62:
            raise DataError(f"{self.name}.renumbered", f"first={brief(repr(first))}", "a whole number is needed")

        def again(table: Any) -> Any:
            kept = table.meta.get("source_id", table.id.astype(str).astype(object))
            return table.with_trusted(id=np.arange(first, first + len(table))).with_trusted_meta(source_id=kept)

        return replace(self, images=again(self.images), instances=again(self.instances))

    # -- out -------------------------------------------------------------------------------------

    def to_pandas(self) -> pandas.DataFrame:
        """One row per instance: ids, file, category, box, and x, y, v columns of every keypoint."""
        from .formats.frames import to_pandas

        return to_pandas(self)

    def to_coco(self, path: str | Path | None = None) -> bytes:
        """The dataset as COCO JSON with all that its source held, written to `path` when given."""
        from .formats.coco_out import to_coco

        return to_coco(self, path)

    def to_parquet(self, path: str | Path, images: bool = False) -> Path:
        """One row per image, everything kept. A `.parquet` file, or a folder of shards; `images` embeds their bytes."""
        from .formats.arrow import to_parquet

        return to_parquet(self, path, images)

    def to_hf(self) -> datasets.Dataset:
        """A `datasets.Dataset`, one row per image, memory-mapped, its fingerprint that of the content."""
        from .formats.arrow import to_hf

        return to_hf(self)

    def to_torch(self, of: str = "instances", **options: Any) -> Any:
        """A torch Dataset of `instances` or `images`; options: see `posedata.formats.torch`."""
        try:
            from .formats.torch import to_torch
        except ModuleNotFoundError as e:
            raise needs(f"to_torch ({e.name})", "train") from None
        return to_torch(self, of, **options)

    def to_fiftyone(self, name: str | None = None, fresh: bool = False) -> Any:
        """A persistent FiftyOne dataset, made or brought up to date; posedata.from_fiftyone brings it home, edits and all."""
        try:
            from .formats.fiftyone import to_fiftyone
        except ModuleNotFoundError as e:
            raise needs(f"to_fiftyone ({e.name})", "browse") from None
        return to_fiftyone(self, name, fresh)

    def with_mask_area(self) -> PoseDataset:
        """Areas that are unknown, measured on the file's polygons and RLEs by pycocotools."""
        from .formats.masks import with_mask_area

        return with_mask_area(self)

    @classmethod
    def from_arrays(
        cls,
        *,
        schema: Schema | str | Path = NO_POINTS,
        image: ArrayLike,
        keypoints: ArrayLike | None = None,
        images: Images | Mapping[str, ArrayLike] | None = None,
        category: ArrayLike | None = None,
        name: str = "arrays",
        **columns: Any,
    ) -> PoseDataset:
        """A dataset from arrays: `image` is the image id of each instance; other columns as in Instances.

        Keypoints are (N, K, 3), or (N, K, 2) with NaN where unlabelled. `images` holds columns of Images (`id`, `file`, ...),
        for sizes, file names and images without instances. `category` is a name for each instance.
        """
        known = load_schema(schema)
        Instances.require_columns(columns.keys() - {"meta"}, f"{name}: from_arrays")
        ids, table = image_table(image, images)
        rows = image_rows(table.id, ids, f"{name}: image")
        names, kinds = category_rows(category, len(rows))
        points = np.zeros((len(rows), len(known), 3)) if keypoints is None else with_visibility(keypoints)
        own = {k: copied(v) for k, v in columns.items() if k != "meta"}
        instances = Instances(image=rows, category=kinds, keypoints=points, meta=copied_columns(columns.get("meta", {})), **own)
        categories = tuple(Category(i, c, known.names, known.names) for i, c in enumerate(names, 1))
        return cls(name=name, schema=known, categories=categories, images=table, instances=instances)


def _recategorise(category: Category, target: Schema) -> Category:
    """A category under the target schema; one without points stays so."""
    if not category.points:
        return category
    rest = {k: v for k, v in category.rest.items() if k != "skeleton"}  # it counts the source's points
    keys = tuple(dict.fromkeys((*category.keys, "keypoints", "skeleton"))) if category.keys else ()
    return replace(category, points=target.names, spellings=target.names, sigmas=None, keys=keys, rest=rest)


def _several(wanted: Any) -> Sequence[Any]:
    return [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)


def _mask(mask: ArrayLike, n: int) -> NDArray[np.bool_]:
    array = array_of(mask, "where")
    if array.dtype != bool or array.shape != (n,):
        raise DataError("where", f"a mask of {array.dtype} {array.shape}", f"bool ({n},) is needed; rows by number go to take()")
    return array.copy()
