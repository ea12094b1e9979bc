"""Scenes become a dataset: drawn in shards of a few dozen, by several processes, into the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..category import Category, Provenance
from ..dataset import PoseDataset
from ..errors import DataError, PoseError, did_you_mean
from ..files import cache_folder, write_folder
from ..formats.cache import LAYOUT_VERSION, load_columns, save_columns
from ..formats.rle import encode_mask
from ..joining import concat
from ..progress import bar
from ..rest import Rest
from ..schemas import SCHEMAS
from ..tables import Images, Instances
from .scene import PERSON_POINTS, QUADRUPED_POINTS, SPECIES, Scene, render

__all__ = ["CONFIGS", "SPLITS", "synthesize"]

DRAWING_VERSION = 1
"""Part of the cache's path; raise it when a scene is drawn or described differently."""
SHARD = 32
CONFIGS = {"quadruped": ("ap10k17", QUADRUPED_POINTS), "person": ("coco_foot23", PERSON_POINTS)}
SPLITS = {"train": 512, "val": 128, "test": 128}
"""Images of each split, when nobody asks for another number."""
_FIRST_ID = {"train": 1, "val": 1_000_001, "test": 2_000_001}
"""Ids of different splits never meet, so that splits can be joined."""


def synthesize(
    config: str = "quadruped", split: str = "train", n: int | None = None, *, size: int = 256, seed: int = 0, workers: int | None = None, quiet: bool = False
) -> PoseDataset:
    """`n` rendered scenes of articulated animals or people with exact keypoints; no network, no download.

    The same seed, split and number give the same set everywhere; a larger `n` begins with the smaller one's scenes.
    """
    config, n = _checked(config, split, n, size, seed)
    folder = cache_folder() / "synthetic" / f"v{DRAWING_VERSION}.{LAYOUT_VERSION}" / f"{config}-{split}-{size}px-seed{seed}"
    shards = [folder / f"{i:05d}" for i in range(-(-n // SHARD))]
    _draw_missing(shards, (config, split, size, seed), min(workers or os.cpu_count() or 1, 16), quiet)
    ds = (
        concat([_with_folder(_loaded(shard, (config, split, size, seed)), shard) for shard in shards], name=f"synthetic/{config} {split}")
        if shards
        else _empty(config, split)
    )
    return replace(ds.take_images(np.arange(n)), provenance=Provenance(steps=(f"synthesize({config!r}, {split!r}, {n}, size={size}, seed={seed})",)))


def _checked(config: str, split: str, n: int | None, size: int, seed: int) -> tuple[str, int]:
    if config not in CONFIGS:
        raise DataError("synthetic", f"no configuration {config!r}", did_you_mean(config, CONFIGS))
    if split not in SPLITS:
        raise DataError("synthetic", f"no split {split!r}", did_you_mean(split, SPLITS))
    for name, value, low, high in (("n", SPLITS[split] if n is None else n, 0, 999_999), ("size", size, 32, 2048), ("seed", seed, 0, 2**32 - 1)):
        if not isinstance(value, int) or not low <= value <= high:
            raise DataError(f"synthetic: {name}", f"{value}", f"a whole number from {low} to {high:,}")
    return config, SPLITS[split] if n is None else n


def _draw_missing(shards: Sequence[Path], what: tuple[str, str, int, int], workers: int, quiet: bool) -> None:
    missing = [shard for shard in shards if not shard.is_dir()]
    with bar(f"drawing {what[0]} scenes", len(missing) * SHARD, quiet) as advance:
        if workers == 1 or len(missing) <= 2:
            for shard in missing:
                draw_shard(shard, what)
                advance(SHARD)
        else:
            _draw_in_processes(missing, what, workers, advance)


def _loaded(shard: Path, what: tuple[str, str, int, int]) -> PoseDataset:
    """The columns of one shard; a damaged one is drawn again."""
    try:
        return load_columns(shard)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        shutil.rmtree(shard, ignore_errors=True)
        draw_shard(shard, what)
        return load_columns(shard)


def _draw_in_processes(missing: Sequence[Path], what: tuple[str, str, int, int], workers: int, advance: Callable[[int], None]) -> None:
    """Processes of their own, not forks: whatever the caller's program is, nothing of it runs twice."""
    started = [_start(missing[i::workers], what) for i in range(min(workers, len(missing)))]
    waiting = set(missing)
    try:
        while waiting:
            done = {shard for shard in waiting if shard.is_dir()}
            waiting -= done
            advance(len(done) * SHARD)
            failed = next((p for p in started if p.poll() not in (None, 0)), None)
            if failed is not None:
                raise PoseError(
                    "synthetic",
                    f"drawing stopped: {failed.communicate()[1].strip().splitlines()[-1:] or 'no word'}",
                    "is the disk full? POSEBENCH_CACHE names another",
                )
            time.sleep(0.05 if waiting else 0)
    finally:
        for process in started:
            if waiting:
                process.kill()
            process.communicate()


def _start(shards: Sequence[Path], what: tuple[str, str, int, int]) -> subprocess.Popen[str]:
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", f"{__package__}.build", json.dumps([list(map(str, shards)), what])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def draw_shard(shard: Path, what: tuple[str, str, int, int]) -> None:
    """SHARD scenes as pictures and columns in one folder, which appears whole or not at all."""
    config, split, size, seed = what
    first = int(shard.name) * SHARD
    scenes = [render(config, seed=seed, split=split, index=first + i, size=size) for i in range(SHARD)]

    def fill(folder: Path) -> None:
        for i, scene in enumerate(scenes):
            Image.fromarray(scene.pixels).save(folder / _file(split, first + i), quality=95, subsampling=0)
        save_columns(_described(scenes, config, split, first), folder)

    write_folder(shard, fill)


def _file(split: str, index: int) -> str:
    return f"{split}_{index:06d}.jpg"


def _described(scenes: Sequence[Scene], config: str, split: str, first: int) -> PoseDataset:
    """The columns of some scenes."""
    schema = SCHEMAS[CONFIGS[config][0]]
    kinds = SPECIES[config]
    ids = _FIRST_ID[split] + first + np.arange(len(scenes))
    figures = [(row, figure) for row, scene in enumerate(scenes) for figure in scene.figures]
    rows = np.array([row for row, _ in figures], np.int64)
    keypoints = np.array([f.keypoints for _, f in figures]).reshape(-1, len(schema), 3)
    order = np.concatenate([np.arange(len(s.figures)) for s in scenes]) if figures else rows
    bbox = np.array([mask_box(f.mask) for _, f in figures]).reshape(-1, 4)
    images = Images(
        id=ids,
        file=np.array([*(_file(split, first + i) for i in range(len(scenes))), None], object)[:-1],
        width=np.array([s.pixels.shape[1] for s in scenes]),
        height=np.array([s.pixels.shape[0] for s in scenes]),
        meta={
            "background": _text([s.background for s in scenes]),
            "crowd_index": np.array([crowd_index(keypoints[rows == row], bbox[rows == row]) for row in range(len(scenes))]),
        },
    )
    instances = Instances(
        id=ids[rows] * 100 + order + 1,
        image=rows,
        category=np.array([kinds.index(f.species) for _, f in figures], np.int64),
        keypoints=keypoints,
        bbox=bbox,
        area=np.array([float(f.mask.sum()) for _, f in figures]),
        meta={
            **{name: _text([getattr(f, name) for _, f in figures]) for name in ("species", "coat", "pose")},
            **{name: np.array([getattr(f, name) for _, f in figures], np.float64) for name in ("facing", "scale")},
        },
        rest=Rest.added([_segmentation(f.mask) for _, f in figures]),
    )
    categories = tuple(Category(i, name, schema.names, schema.names) for i, name in enumerate(kinds, 1))
    return PoseDataset(name=f"synthetic/{config} {split}", schema=schema, categories=categories, images=images, instances=instances)


def crowd_index(keypoints: NDArray[np.float64], bbox: NDArray[np.float64]) -> float:
    """CrowdPose's measure of one image: the mean over people of min(1, others' points in their box / own points in it).

    (CrowdPose: Efficient Crowded Scenes Pose Estimation and a New Benchmark, CVPR 2019, equation 5.)
    """
    if len(bbox) < 2:
        return 0.0
    xy, known = keypoints[..., :2] + 0.5, keypoints[..., 2] > 0
    low, high = bbox[:, None, None, :2], bbox[:, None, None, :2] + bbox[:, None, None, 2:]
    inside = (((xy >= low) & (xy <= high)).all(-1) & known).sum(-1)  # (box, person)
    own = np.diagonal(inside)
    return round(float(np.minimum(1, (inside.sum(1) - own) / np.maximum(own, 1)).mean()), 4)


def mask_box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """x, y, w, h of edges: a single pixel 7 has the box [7, y, 1, 1]."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1)


def _segmentation(mask: NDArray[np.bool_]) -> bytes:
    return json.dumps({"segmentation": encode_mask(mask)}, separators=(",", ":")).encode()


def _text(values: Sequence[str]) -> NDArray[Any]:
    return np.array([*values, None], object)[:-1]


def _with_folder(ds: PoseDataset, folder: Path) -> PoseDataset:
    return replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), str(folder), object)))


def _empty(config: str, split: str) -> PoseDataset:
    return _described([], config, split, 0)


if __name__ == "__main__":
    shards, what = json.loads(sys.argv[1])
    for shard in shards:
        draw_shard(Path(shard), tuple(what))
