"""A million poses through the rules, and planted mistakes found by the set's own statistics.

    python -m benchmarks.validate [--n 1000000] [--planted] [--json FILE]

Budget: all rules of structure and geometry in at most 3 s of one core's time, with less than 300 MB beyond the columns.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import posedata
from posedata import PoseDataset, load_schema

SECONDS, MEGABYTES = 3.0, 300.0


def million(n: int = 1_000_000, seed: int = 0) -> PoseDataset:
    """Upright people, four an image, a tenth of the points unlabelled, some hidden; a few of everything wrong."""
    rng = np.random.default_rng(seed)
    shape = np.array([k.at for k in load_schema("coco17").keypoints], np.float64)
    h = rng.uniform(80, 320, n)
    size = np.stack([h / 2, h], 1)
    corner = rng.uniform(0, 1, (n, 2)) * ((640, 480) - size)
    xy = corner[:, None] + np.clip(shape + rng.normal(0, 0.03, (n, 17, 2)), 0.01, 0.99) * size[:, None]
    v = rng.choice([0.0, 1.0, 2.0], (n, 17, 1), p=[0.1, 0.2, 0.7])
    xy[rng.random(n) < 0.01, 3] += 900
    images = {
        "id": np.arange(-(-n // 4)),
        "file": [f"{i}.jpg" for i in range(-(-n // 4))],
        "width": np.full(-(-n // 4), 640),
        "height": np.full(-(-n // 4), 480),
    }
    points = np.concatenate([xy, v], -1) * (v > 0)
    bbox = np.concatenate([corner, size], -1)
    return PoseDataset.from_arrays(
        schema="coco17", name="a million", image=np.arange(n) // 4, keypoints=points, bbox=bbox, area=size.prod(-1) * 0.53, images=images
    )


def resident() -> float:
    """Megabytes of this process now."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def watched(work: Any) -> tuple[float, float]:
    """Seconds of processor time, and megabytes beyond those before."""
    before, most, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.process_time()
    work()
    took = time.process_time() - start
    done.set()
    watcher.join()
    return took, most[0] - before


def speed(n: int) -> dict[str, Any]:
    """Each topic by itself; the first two together are the budget."""
    ds = million(n)
    rows = {}
    for name in ("structure,geometry", "semantics", "sets"):
        seconds, megabytes = watched(lambda name=name: posedata.validate(ds, rules=name))
        rows[name] = {"seconds": seconds, "megabytes": megabytes}
    return rows


def planted(poses: int = 20, seed: int = 0) -> dict[str, dict[str, int]]:
    """Found, planted and falsely named among the training parts of `synthetic`."""
    rng, rows = np.random.default_rng(seed), {}
    for config, joints in (("quadruped", ("shoulder", "hip")), ("person", ("shoulder", "hip", "eye", "ankle"))):
        ds = posedata.synthesize(config, "train")
        labelled = ds.instances.labelled
        rich = np.flatnonzero(labelled.sum(1) >= 8)
        rows[f"{config}: point moved away"] = _tried(ds, "far-limb", [_moved(ds, rng.choice(rich, poses, replace=False), rng) for _ in range(3)])
        for joint in joints:
            pair = [ds.schema.index(f"{side}_{joint}") for side in ("left", "right")]
            both = np.flatnonzero(labelled[:, pair].all(1) & (labelled.sum(1) >= 5))
            rows[f"{config}: {joint}s exchanged"] = _tried(ds, "mixed-sides", [_exchanged(ds, rng.choice(both, 1), pair) for _ in range(10)])
    return rows


def _moved(ds: PoseDataset, rows: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """One labelled point of each row, 1.5 times the pose's size away in any direction."""
    keypoints = ds.instances.keypoints.copy()
    for row in rows:
        known = ds.instances.labelled[row]
        turn = rng.uniform(0, 2 * np.pi)
        keypoints[row, rng.choice(np.flatnonzero(known)), :2] += 1.5 * np.ptp(keypoints[row, known, :2], axis=0).max() * np.array([np.cos(turn), np.sin(turn)])
    return keypoints, rows


def _exchanged(ds: PoseDataset, rows: Any, pair: list[int]) -> tuple[Any, Any]:
    keypoints = ds.instances.keypoints.copy()
    keypoints[np.ix_(rows, pair)] = keypoints[np.ix_(rows, pair[::-1])]
    return keypoints, rows


def _tried(ds: PoseDataset, rule: str, trials: list[tuple[Any, Any]]) -> dict[str, int]:
    total = {"found": 0, "planted": 0, "false": 0}
    for keypoints, rows in trials:
        wrong = replace(ds, instances=replace(ds.instances, keypoints=keypoints, recorded=np.full(len(ds), -1)))
        named = {f.annotation for f in posedata.validate(wrong, rules=rule)}
        true = set(ds.instances.id[rows].tolist())
        total["found"] += len(named & true)
        total["planted"] += len(true)
        total["false"] += len(named - true)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = planted() if options.planted else speed(options.n)
    for name, row in found.items():
        print(f"{name:<34}", *(f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.planted:
        return 0
    budget = found["structure,geometry"]
    kept = budget["seconds"] <= SECONDS and budget["megabytes"] <= MEGABYTES
    print(f"budget: {budget['seconds']:.2f} of {SECONDS:g} s, {budget['megabytes']:.0f} of {MEGABYTES:g} MB{'' if kept else '   MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
