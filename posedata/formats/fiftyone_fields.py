"""Columns as a field of FiftyOne keypoints, written once and then only where they change. A room of fiftyone."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId
from numpy.typing import NDArray
from pymongo import UpdateOne

from ..errors import PoseError
from .fiftyone_db import say_of, words_of

__all__ = ["LabelTable", "keep", "label_ids", "note_field", "put", "recall", "save_views", "write_labels"]

Rows = NDArray[np.intp]

KINDS: Mapping[str, tuple[Any, Any]] = {
    "text": (fo.StringField, None),
    "number": (fo.FloatField, None),
    "whole": (fo.IntField, None),
    "flag": (fo.BooleanField, None),
    "texts": (fo.ListField, fo.StringField),
    "numbers": (fo.ListField, fo.FloatField),
    "wholes": (fo.ListField, fo.IntField),
}
"""What FiftyOne makes of a column: the field, and that of a list's members."""
BUILT_IN = ("points", "label", "confidence", "tags")
"""Attributes that every FiftyOne keypoint has."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelTable:
    """N labels: what one field holds, by column. Rows stand by image."""

    image: Rows
    """(N,) row of the image."""
    key: NDArray[Any]
    """(N,) what tells a label from all others of its field, for ever."""
    own: Mapping[str, NDArray[Any]]
    """What a label is: points, label, boxes, ids. Where this changes the label is written anew."""
    told: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What is said of it, and may be said otherwise tomorrow."""
    tags: tuple[tuple[str, ...], ...] = ()
    """(N,) tags of ours; those of others stay."""

    def __len__(self) -> int:
        return len(self.image)


def label_ids(name: str, keys: NDArray[Any]) -> list[str]:
    """(N,) ids of labels, of one dataset, field and key always the same: who asks later needs not look them up."""
    return [hashlib.blake2b(f"{name}\0{key!r}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest() for key in keys.tolist()]


def kind_of(values: NDArray[Any]) -> str:
    """What a column is to FiftyOne."""
    several = values.ndim > 1
    if values.dtype == object:
        known = [v for v in values.ravel()[:1000].tolist() if v is not None]
        whole = bool(known) and all(isinstance(v, int) for v in known)
        return ("wholes" if several else "whole") if whole else ("texts" if several else "text")
    return {"f": "number", "b": "flag"}.get(values.dtype.kind, "whole") + ("s" if several else "")


def plain_values(values: NDArray[Any]) -> list[Any]:
    """Values as the database takes them; a lone number that is not known is none, one in a list is NaN."""
    made = values.tolist()
    return [None if v != v else v for v in made] if values.ndim == 1 and values.dtype.kind == "f" else made


def write_labels(dataset: Any, name: str, table: LabelTable, at: list[str], owner: str) -> dict[str, int]:
    """Write a table as the field `name`, on the sample of each image; returns how many images were written whole, and how many in each column.

    Tags of the `owner` of the table are replaced, those of others stay.
    """
    _declare(dataset, name, table)
    before, now = _remembered(dataset, name), _digests(table, len(at), owner)
    whole = _changed(before.get("", {}), now[""], at)
    columns = {column: np.setdiff1d(_changed(before.get(column, {}), digests, at), whole) for column, digests in now.items() if column}
    tagged = columns.pop(_tags_of(owner))
    ids, kept = np.array(label_ids(name, table.key), object), _others_tags(dataset, name, at, np.union1d(whole, tagged), owner)
    if len(whole):
        _write_whole(dataset, name, table, at, whole, ids, kept)
    values = {c: dict(zip(ids.tolist(), plain_values(table.told[c]), strict=True)) for c, rows in columns.items() if len(rows)}
    if len(tagged):
        values["tags"] = _tags(table, ids, kept)
    _write_columns(dataset, name, at, values, {c: columns.get(c, tagged) for c in values})
    _remember(dataset, name, now, before, at, whole)
    _own_tags(dataset, name, owner, table)
    return {"": len(whole), **{column: len(rows) for column, rows in columns.items()}, "tags": len(tagged)}


def _tags_of(owner: str) -> str:
    """What the digest of an owner's tags is called."""
    return f"tags of {owner}"


def _own_tags(dataset: Any, name: str, owner: str, table: LabelTable) -> None:
    """Note which tags are ours, and whose: who comes again takes them away, and who goes home leaves them."""
    said = words_of(dataset)["fields"].get(name, {}).get("owners", {})
    mine = sorted({tag for tags in table.tags for tag in tags})
    if said.get(owner) != mine:
        owners = {**said, owner: mine}
        note_field(dataset, name, owners=owners, tags=sorted({tag for tags in owners.values() for tag in tags}))


def put(dataset: Any, path: str, by_sample: Mapping[str, Any]) -> None:
    """Values of some samples."""
    if by_sample:
        dataset.set_values(path, dict(by_sample), key_field="id", validate=False, progress=False)


def _write_columns(dataset: Any, name: str, at: list[str], values: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Rows]) -> None:
    """Columns of labels on the images whose rows are given: values by label. A label that somebody else has added has none."""
    there = _standing(dataset, name, at, np.unique(np.concatenate([np.zeros(0, np.intp), *rows.values()])))
    updates: dict[str, dict[str, list[Any]]] = {}
    for column, mine in rows.items():
        nothing: Any = [] if column == "tags" else None
        for sample in (at[r] for r in mine.tolist()):
            if there[sample]:
                updates.setdefault(sample, {})[column] = [values[column].get(i, nothing) for i in there[sample]]
    try:
        _write_at_once(dataset, name, updates, there)
    except AttributeError:  # a release without this collection: a column at a time, which takes some times as long
        for column in rows:
            put(dataset, f"{name}.keypoints.{column}", {sample: said[column] for sample, said in updates.items() if column in said})


def _write_at_once(dataset: Any, name: str, updates: Mapping[str, Mapping[str, list[Any]]], there: Mapping[str, list[str]]) -> None:
    """One update for each sample, which does nothing where its labels have changed places in between."""
    now = datetime.now(UTC)
    found = []
    for sample, columns in updates.items():
        wanted = {f"{name}.keypoints.{i}._id": ObjectId(label) for i, label in enumerate(there[sample])}
        said = {f"{name}.keypoints.{i}.{column}": value for column, line in columns.items() for i, value in enumerate(line)}
        found.append(UpdateOne({"_id": ObjectId(sample), **wanted}, {"$set": {**said, "last_modified_at": now}}))
    if found:
        done = dataset._sample_collection.bulk_write(found, ordered=False)
        dataset.reload()
        if done.matched_count < len(found):
            raise PoseError("FiftyOne", f"labels of {len(found) - done.matched_count:,} images were changed while they were written", "once more")


def _declare(dataset: Any, name: str, table: LabelTable) -> None:
    """Tell FiftyOne of the field and its columns, so that its sidebar and its searches have them."""
    if not dataset.has_sample_field(name):
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Keypoints)
    for column, values in {**table.own, **table.told}.items():
        path = f"{name}.keypoints.{column}"
        if column not in BUILT_IN and not dataset.has_field(path):
            kind, member = KINDS[kind_of(values)]
            dataset.add_sample_field(path, kind, **({"subfield": member} if member else {}))


def _write_whole(dataset: Any, name: str, table: LabelTable, at: list[str], images: Rows, ids: NDArray[Any], kept: Mapping[str, list[str]]) -> None:
    """All labels of some images, as documents: objects of FiftyOne's take forty times as long."""
    rows, bounds = _by_image(table, len(at))
    chosen = np.concatenate([np.zeros(0, np.intp), *(rows[bounds[i] : bounds[i + 1]] for i in images.tolist())])
    columns = {c: plain_values(v[chosen]) for c, v in {**table.own, **table.told}.items()}
    tags = _tags(table, ids, kept)
    documents: dict[str, dict[str, Any]] = {at[i]: {"_cls": "Keypoints", "keypoints": []} for i in images.tolist()}
    for n, (row, image) in enumerate(zip(chosen.tolist(), table.image[chosen].tolist(), strict=True)):
        said = {"_id": ObjectId(ids[row]), "_cls": "Keypoint", "attributes": {}, "tags": tags[ids[row]], **{c: v[n] for c, v in columns.items()}}
        documents[at[image]]["keypoints"].append(said)
    try:
        put(dataset, name, documents)
    except Exception:  # a release that wants its own objects gets them
        put(dataset, name, {sample: _as_objects(d["keypoints"]) for sample, d in documents.items()})


def _as_objects(documents: Iterable[Mapping[str, Any]]) -> Any:
    made = []
    for document in documents:
        label = fo.Keypoint(**{k: v for k, v in document.items() if not k.startswith("_")})
        label._id = document["_id"]
        made.append(label)
    return fo.Keypoints(keypoints=made)


def _by_image(table: LabelTable, n: int) -> tuple[Rows, Rows]:
    """Rows by image, and where each image begins."""
    order = np.argsort(table.image, kind="stable")
    return order, np.searchsorted(table.image[order], np.arange(n + 1))


def _digests(table: LabelTable, n: int, owner: str) -> dict[str, list[str]]:
    """For what labels are (""), for each column and for the tags: (I,) a digest of what an image holds."""
    rows, bounds = _by_image(table, n)
    edges = bounds.tolist()
    tags = np.array([json.dumps(t) for t in table.tags] or [""] * len(table), object)
    own = [table.key, *table.own.values()]

    def each(columns: list[NDArray[Any]], mark: str) -> list[str]:
        ordered = [c[rows] for c in columns]
        return [_digest(mark, [c[a:b] for c in ordered]) for a, b in itertools.pairwise(edges)]

    return {"": each(own, ",".join(table.own)), **{c: each([v], c) for c, v in table.told.items()}, _tags_of(owner): each([tags], "tags")}


def _digest(mark: str, parts: list[NDArray[Any]]) -> str:
    sums = hashlib.blake2b(mark.encode(), digest_size=8)
    for part in parts:
        sums.update(repr(part.tolist()).encode("utf-8", "surrogatepass") if part.dtype == object else part.tobytes() + str(part.shape).encode())
    return sums.hexdigest()


def _changed(before: Mapping[str, str], now: list[str], at: list[str]) -> Rows:
    return np.array([row for row, (sample, digest) in enumerate(zip(at, now, strict=True)) if before.get(sample) != digest], np.intp)


def _standing(dataset: Any, name: str, at: list[str], images: Rows) -> dict[str, list[str]]:
    """Ids of the labels that stand on some images now: somebody may have added or deleted some."""
    if not len(images):
        return {}
    view = dataset.select([at[r] for r in images.tolist()])
    samples, ids = view.values(["id", f"{name}.keypoints.id"])
    return {sample: mine or [] for sample, mine in zip(samples, ids, strict=True)}


def _others_tags(dataset: Any, name: str, at: list[str], images: Rows, owner: str) -> dict[str, list[str]]:
    """By label, tags that are not this owner's: a person has put them there, or another of us."""
    ours = set(words_of(dataset)["fields"].get(name, {}).get("owners", {}).get(owner, ()))
    if not len(images) or not dataset.has_run(run_key(name, "digests")):
        return {}
    ids, tags = dataset.select([at[r] for r in images.tolist()]).values([f"{name}.keypoints.id", f"{name}.keypoints.tags"], unwind=False)
    pairs = ((i, t) for line in zip(ids, tags, strict=True) if line[0] for i, t in zip(*line, strict=True))
    return {i: [tag for tag in t or [] if tag not in ours] for i, t in pairs}


def _tags(table: LabelTable, ids: NDArray[Any], kept: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """By label, our tags and those of others."""
    mine = table.tags or ((),) * len(table)
    return {**kept, **{i: list(dict.fromkeys([*tags, *kept.get(i, ())])) for i, tags in zip(ids.tolist(), mine, strict=True)}}


# -- what we remember of a field, as a run of the dataset ----------------------------------------------


def run_key(name: str, part: str) -> str:
    return f"posebench_{name}_{part}"


def recall(dataset: Any, name: str, part: str) -> dict[str, Any]:
    """What was kept beside a field; nothing where another made it."""
    if not dataset.has_run(run_key(name, part)):
        return {}
    results = dataset.load_run_results(run_key(name, part), cache=False, load_view=False)
    kept = getattr(results, "kept", None)
    return kept if isinstance(kept, dict) else {}


def keep(dataset: Any, name: str, part: str, **values: str) -> None:
    """Keep something beside a field; it goes where the dataset goes."""
    key = run_key(name, part)
    if not dataset.has_run(key):
        config = dataset.init_run()
        config.method = "posebench"
        dataset.register_run(key, config)
    dataset.save_run_results(key, dataset.init_run_results(key, kept=values), overwrite=True, cache=False)


def _remembered(dataset: Any, name: str) -> dict[str, dict[str, str]]:
    """By column and sample, the digest of what we wrote last."""
    text = recall(dataset, name, "digests").get("text")
    return json.loads(text) if text else {}


def _remember(dataset: Any, name: str, now: dict[str, list[str]], before: dict[str, dict[str, str]], at: list[str], whole: Rows) -> None:
    """What stands there now; of an image that was written whole nothing else does."""
    gone = {at[r] for r in whole.tolist()}
    left = {column: {s: d for s, d in digests.items() if s not in gone} for column, digests in before.items()} if gone else before
    merged = {**left, **{column: left.get(column, {}) | dict(zip(at, digests, strict=True)) for column, digests in now.items()}}
    if merged != before:
        keep(dataset, name, "digests", text=json.dumps(merged))


def note_field(dataset: Any, name: str, **words: Any) -> None:
    """Write in the dataset's info what a field is."""
    fields = words_of(dataset)["fields"]
    merged = {**fields, name: {**fields.get(name, {}), **words}}
    if merged != fields:
        say_of(dataset, fields=json.loads(json.dumps(merged, default=_jsonable)))


def _jsonable(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def save_views(dataset: Any, name: str, owner: str, views: Mapping[str, tuple[Any, str]]) -> list[str]:
    """Save views of a field, each with a sentence; those of the owner that show nothing any more go. Returns words on what could not be saved."""
    said = words_of(dataset)["fields"].get(name, {}).get("views", {})
    ours, there = set(said.get(owner, ())), set(dataset.list_saved_views())
    for gone in (ours & there) - set(views):
        dataset.delete_saved_view(gone)
    for title, (view, text) in views.items():
        if title not in there:
            dataset.save_view(title, view, description=text)
    taken = [title for title in views if title in there - ours]
    note_field(dataset, name, views={**said, owner: [title for title in views if title not in taken]})
    return [f"a saved view {title!r} is there already and stays as it is" for title in taken]
