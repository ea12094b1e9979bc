"""Across schemas: predictions of one schema on truth of another, on the points that both have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from posedata.dataset import PoseDataset
from posedata.errors import DataError, brief, first_few
from posedata.mapping import LABELS, Mapping, mapping_between, read_mapping
from posedata.predictions import Predictions

__all__ = ["common_points"]


def common_points(truth: PoseDataset, pred: Predictions, mapping: Mapping | str | Path = "known") -> tuple[PoseDataset, Predictions, str]:
    """Both under the truth's schema, points that the predictions cannot have taken out of the truth, and a sentence on it.

    Computed points are left out. Where the truth loses points, num_keypoints of its file no longer says who counts.
    """
    table = _mapping(truth, pred, mapping)
    common = np.array([name not in table.missing for name in truth.schema.names])
    if not common.any():
        raise DataError("evaluate", f"{pred.schema.name!r} and {truth.schema.name!r} share no point", "give another mapping")
    keypoints, given = table.apply(np.nan_to_num(pred.keypoints, nan=0.0), ~np.isnan(pred.keypoints[..., 0]))
    keypoints[~given, :2] = np.nan
    own = truth.instances
    recorded = own.recorded if common.all() else np.full(len(truth), -1)
    instances = own.with_trusted(keypoints=np.where(common[:, None], own.keypoints, 0.0), annotated=own.annotated & common, recorded=recorded)
    kinds = {r.kind for r in table.rows}
    left = first_few(table.missing, 6, ", ")
    note = f"predictions of {pred.schema.name!r} on {common.sum()} of the {len(common)} points of {truth.schema.name!r} ({' and '.join(sorted(kinds))} mapping)"
    note += f"; left out: {left}; who counts is told by the points that stay" if left else ""
    header = {k: v for k, v in pred.header.items() if k != "schema"}
    return replace(truth, instances=instances), replace(pred, schema=truth.schema, keypoints=keypoints, header=header), note


def _mapping(truth: PoseDataset, pred: Predictions, mapping: Mapping | str | Path) -> Mapping:
    if isinstance(mapping, Mapping):
        table = mapping
    elif not isinstance(mapping, str | Path):
        raise DataError("evaluate: mapping", brief(repr(mapping)), "'known', a CSV file, or a Mapping")
    elif str(mapping) == "known":
        table = mapping_between(pred.schema, truth.schema)
    else:
        table = read_mapping(mapping, pred.schema, truth.schema)
    if not (table.source.same_points(pred.schema) and table.target.same_points(truth.schema)):
        raise DataError("evaluate", f"mapping is {table.source.name} -> {table.target.name}", f"{pred.schema.name} -> {truth.schema.name} is needed")
    return table.only(LABELS)
