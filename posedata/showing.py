"""A dataset in FiftyOne with what is known of it: findings, duplicates, splits. A room of fiftyone."""

from __future__ import annotations

from typing import Any

import numpy as np
from fiftyone import ViewField as F
from numpy.typing import NDArray

from .dataset import PoseDataset
from .errors import PoseError
from .formats.fiftyone import missing_pictures, open_dataset, put_columns, put_truth
from .formats.fiftyone_db import Browsing, connect
from .formats.fiftyone_fields import save_views
from .lookalikes.finding import duplicates as look_alike
from .validation.findings import made
from .validation.report import Report
from .validation.running import validate as run_rules

__all__ = ["browse_dataset"]

OWNER = "validate"


def browse_dataset(ds: PoseDataset, name: str | None, validate: bool, duplicates: bool, parts: list[str | None] | None, fresh: bool, quiet: bool) -> Browsing:
    """The dataset, ready; see posedata.browse."""
    connect()
    dataset, at = open_dataset(ds, name, fresh)
    notes = missing_pictures(ds)
    report = run_rules(ds, quiet=quiet) if validate else None
    texts, tags = findings_of(report, len(ds), "annotations") if report else (None, ())
    field = put_truth(dataset, ds, at, {} if texts is None else {"findings": texts}, tags, owner=OWNER)
    columns: dict[str, list[Any]] = {}
    if report:
        columns["findings"] = findings_of(report, len(ds.images), "images")[0].tolist()
    if parts is not None:
        columns["split"] = list(parts)
    if duplicates:
        columns["duplicate"], said = _clusters(ds, quiet)
        notes += said
    put_columns(dataset, {k: v for k, v in columns.items() if dataset.has_field(k) or any(v)}, at)
    notes += save_views(dataset, field, OWNER, _views(dataset, field, tags, columns))
    return Browsing(dataset=dataset, fields=(field,), notes=tuple(notes))


def findings_of(report: Report, n: int, table: str) -> tuple[NDArray[Any], tuple[tuple[str, ...], ...]]:
    """What was found in each row of a table, as one text, none where nothing was; and the rules' names as tags."""
    texts: list[list[str]] = [[] for _ in range(n)]
    tags: list[list[str]] = [[] for _ in range(n)]
    for found in report.found:
        if found.rule.table != table or found.hits.paths is not None:
            continue
        for row, finding in zip(found.hits.rows.tolist(), made(found.rule, found.hits, report.subject), strict=True):
            figures = "; ".join(filter(None, (finding.observed, finding.expected)))
            what = f"{finding.keypoint} {finding.says}" if finding.keypoint else finding.says
            texts[row].append(f"{finding.code} {finding.severity}: {what}" + (f" ({figures})" if figures else ""))
            tags[row].append(f"{finding.code} {finding.rule}")
    joined = np.array([*("\n".join(t) or None for t in texts), None], object)[:-1]
    return joined, tuple(tuple(dict.fromkeys(t)) for t in tags)


def _clusters(ds: PoseDataset, quiet: bool) -> tuple[list[str | None], list[str]]:
    """For each image that has a duplicate, what its cluster shares."""
    try:
        found = look_alike(ds, quiet=quiet)
    except PoseError as e:
        return [None] * len(ds.images), [f"no duplicates: {e}"]
    keys: list[str | None] = [None] * len(ds.images)
    for number, rows in enumerate(found.clusters, 1):
        for row in found.images.row[rows].tolist():
            keys[row] = f"cluster {number}"
    return keys, [f"{len(found.unread):,} pictures could not be read and were compared with nothing"] if found.unread else []


def _views(dataset: Any, field: str, tags: tuple[tuple[str, ...], ...], columns: dict[str, list[Any]]) -> dict[str, tuple[Any, str]]:
    kinds = sorted({tag for mine in tags for tag in mine})
    views = {tag: (dataset.filter_labels(field, F("tags").contains(tag)), "annotations that validate speaks of") for tag in kinds}
    if any(columns.get("findings", ())):
        views["images with findings"] = dataset.match(F("findings") != None), "images that validate speaks of"  # noqa: E711  # by FiftyOne's own ==
    if any(columns.get("duplicate", ())):
        views["duplicates"] = dataset.match(F("duplicate") != None).sort_by("duplicate"), "pictures that are the same, or nearly so, side by side"  # noqa: E711
    for part in sorted({p for p in columns.get("split", ()) if p}):
        views[f"split {part}"] = dataset.match(F("split") == part), f"images of the part {part}"
    return views
