"""The report of an evaluation of val2017's size with 200 crops: seconds, bytes, and how soon a browser answers.

    python -m benchmarks.report [--runs 3] [--images 200] [--json FILE]

The clock starts when the evaluation has its numbers. Pictures of 640 x 480 are drawn first. A limit that is missed makes the exit
code 1; without Chromium and playwright the page is not opened.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.problem import write_problem
from posebench import evaluate
from posebench.evaluation import Evaluation
from posebench.reporting.contents import Contents
from posebench.reporting.forms import write_report
from posedata import PoseDataset, read_coco, read_predictions

LIMITS = {"seconds": 10.0, "megabytes": 8.0, "ready": 1.0}
"""Of processor time after the evaluation; of the page; of wall time until the first filter has worked."""
EMPTY = 8
"""Or so many times what an empty page takes, where the machine is busy."""


def with_pictures(truth: PoseDataset, folder: Path) -> PoseDataset:
    """The truth with a picture for each image: one of eight textures, as heavy as photographs."""
    rng = np.random.default_rng(0)
    textures = []
    for _ in range(8):
        coarse = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
        noisy = np.clip(np.asarray(coarse, float) + rng.normal(0, 12, (480, 640, 3)), 0, 255).astype(np.uint8)
        path = folder / f"texture{len(textures)}.jpg"
        Image.fromarray(noisy).save(path, quality=90)
        textures.append(path)
    for i, name in enumerate(truth.images.file):
        (folder / str(name)).hardlink_to(textures[i % 8])
    return replace(truth, images=replace(truth.images, folder=np.full(len(truth.images), str(folder), object)))


def timed(ev: Evaluation, images: int, path: Path) -> tuple[float, float]:
    """Processor and wall seconds of one report."""
    fresh = evaluate(ev.truth, ev.predictions, ev.protocol)
    fresh.metrics  # noqa: B018  # what posebench evaluate has done already
    cpu, wall = time.process_time(), time.perf_counter()
    write_report(Contents(fresh, images), path)
    return time.process_time() - cpu, time.perf_counter() - wall


def ready(pages: dict[str, Path], runs: int) -> dict[str, float]:
    """Wall seconds from opening each page until a choice has worked, the best of all runs; none without a browser."""
    from tests.browser import chromium, lacking, watched

    if lacking():
        return {}
    times: dict[str, list[float]] = {name: [] for name in pages}
    with chromium() as browser, watched(browser) as seen:
        for name, path in [*pages.items()] * runs:
            start = time.perf_counter()
            seen.page.goto(path.as_uri())
            seen.page.select_option("[name=kind]", "miss")
            times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


def measured(runs: int, images: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problem = write_problem(folder)
        truth = with_pictures(read_coco(problem.truth), folder)
        ev = evaluate(truth, read_predictions(problem.boxed, truth.schema), "coco")
        page = folder / "report.html"
        empty = folder / "empty.html"
        empty.write_text("<!doctype html><select name=kind><option>all<option>miss</select>")
        took = [timed(ev, images, page) for _ in range(runs)]
        return {
            "seconds": min(cpu for cpu, _ in took),
            "wall": statistics.median(wall for _, wall in took),
            "megabytes": page.stat().st_size / 1e6,
            "crops": page.read_text().count("data:image/jpeg"),
            **ready({"empty": empty, "ready": page}, 3),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    values = measured(options.runs, options.images)
    for key, value in values.items():
        print(f"{key:<10} {value:8.2f}" + (f"   at most {LIMITS[key]:g}" if key in LIMITS else ""))
    if options.json:
        Path(options.json).write_text(json.dumps({"values": values, "limits": LIMITS}))
    limits = {**LIMITS, "ready": max(LIMITS["ready"], EMPTY * values.get("empty", 0.0))}
    return int(any(values[key] > limit for key, limit in limits.items() if key in values))


if __name__ == "__main__":
    sys.exit(main())
