"""The built-in sets: rendered animals and people, drawn on the spot."""

from __future__ import annotations

from ..dataset import PoseDataset
from ..entries import Entry, Found, Part
from ..synthetic.build import CONFIGS, SPLITS, synthesize


def read(found: Found, *, n: int | None = None, size: int = 256, seed: int = 0, workers: int | None = None, quiet: bool = False) -> PoseDataset:
    return synthesize(found.config, found.split, n, size=size, seed=seed, workers=workers, quiet=quiet)


ENTRY = Entry(
    title="Rendered scenes of articulated animals and people",
    schema=" or ".join(schema for schema, _ in CONFIGS.values()),
    protocol="coco",
    splits={config: {split: Part(()) for split in SPLITS} for config in CONFIGS},
    read=read,
    counts={},
    licence="Apache-2.0, as this package",
    sigmas="those of AP-10K and of COCO with WholeBody's feet",
    notes=(
        "Options: n (images), size (longer side in pixels), seed, workers.",
        "Points outside the frame keep their true place with v = 0.",
        "The same seed gives the same annotations on every machine.",
    ),
)
