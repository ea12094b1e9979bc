"""Repeated annotation with a known spread: what estimates are to find again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata import PoseDataset, load_schema


def repeated(n: int = 60, raters: int = 3, seed: int = 0, schema: str = "coco17", swapped: int = 0, long_tails: bool = False) -> PoseDataset:
    """`n` bodies of all sizes, each annotated once by each rater, with the schema's own sigmas; the first `swapped` with the sides exchanged by r0."""
    rng, s = np.random.default_rng(seed), load_schema(schema)
    k = len(s)
    area = rng.uniform(2_000, 40_000, n)
    place = rng.uniform(100, 500, (n, 1, k, 2))
    noise = rng.standard_normal((n, raters, k, 2))
    if long_tails:
        noise *= np.sqrt(rng.exponential(1, (n, raters, k, 1)))
    # sigma² is the mean of d² / area, over both axes
    xy = place + noise * (s.sigmas * np.sqrt(area)[:, None] / np.sqrt(2))[:, None, :, None]
    xy[:swapped, 0] = xy[:swapped, 0][:, s.mirror]
    points = np.concatenate([xy, np.full((n, raters, k, 1), 2.0)], -1)
    return of_points(points, area, schema)


def of_points(points: NDArray[np.float64], area: NDArray[np.float64], schema: str = "coco17", **columns: Any) -> PoseDataset:
    """(n, r, K, 3) annotations of n bodies by r raters."""
    n, raters, k, _ = points.shape
    subject = np.repeat(np.arange(n), raters)
    meta = {"subject": subject, "annotator": [f"r{i}" for i in range(raters)] * n}
    return PoseDataset.from_arrays(
        schema=schema, name="twice", image=subject, keypoints=points.reshape(n * raters, k, 3), area=np.repeat(area, raters), meta=meta, **columns
    )


def by_annotator(ds: PoseDataset) -> list[PoseDataset]:
    """The same as one dataset for each annotator, whose ids say who is who."""
    from dataclasses import replace

    parts = []
    for name in sorted(set(ds.instances.meta["annotator"].tolist())):
        part = ds.where(annotator=name)
        own = replace(part.instances, id=part.instances.meta["subject"] + 1, meta={})
        parts.append(replace(part, name=name, instances=own))
    return parts
