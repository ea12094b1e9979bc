"""Diagnosing a file of predictions of val2017's size: labels, what became of poses, and the cost of every kind of error.

    python -m benchmarks.errors [--runs 5] [--scale 4] [--json FILE]

Files are read before the clock starts. Cost is AP now, with each kind corrected alone and one after another (points, scores,
background, missed truths), over all sizes and in COCO's two ranges. A budget that is missed makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.problem import write_problem
from posebench import evaluate
from posebench.errors.report import ErrorReport
from posebench.evaluation import Evaluation
from posedata import PoseDataset, Predictions, read_coco, read_predictions

SECONDS = 2.0
"""For all of the report, after reading; coco-analyze takes 160."""
GROWTH = 1.1
"""Memory of `scale` times the problem, over `scale` times the memory."""

STEPS: dict[str, Callable[[ErrorReport], Any]] = {
    "labels of points": lambda report: report.labelled,
    "labels of poses": lambda report: report.poses,
    "cost": lambda report: report.cost,
}


def scored(truth: PoseDataset, pred: Predictions) -> Evaluation:
    """An evaluation whose pairs and matches are made: what `posebench evaluate` has done already."""
    ev = evaluate(truth, pred, "coco")
    ev.metrics  # noqa: B018
    return ev


def time_steps(truth: PoseDataset, pred: Predictions, runs: int) -> dict[str, dict[str, list[float]]]:
    """Wall and CPU seconds of each step, run by run."""
    took: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in (*STEPS, "all")}
    for _ in range(runs + 1):
        report = scored(truth, pred).errors()
        start = time.perf_counter(), time.process_time()
        before = start
        for name, step in STEPS.items():
            step(report)
            now = time.perf_counter(), time.process_time()
            _add(took[name], before, now)
            before = now
        _add(took["all"], start, before)
    for row in took.values():
        for values in row.values():
            del values[0]  # the first run warms the machine
    return took


def _add(row: dict[str, list[float]], before: tuple[float, float], now: tuple[float, float]) -> None:
    row["wall"].append(now[0] - before[0])
    row["cpu"].append(now[1] - before[1])


def megabytes(truth: PoseDataset, pred: Predictions) -> float:
    """The most that a report holds at once beyond the evaluation."""
    report = scored(truth, pred).errors()
    tracemalloc.start()
    for step in STEPS.values():
        step(report)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def run(folder: Path, runs: int, scale: int) -> dict[str, Any]:
    """Seconds at 1x, memory at 1x and `scale`, and what the budgets came to."""
    problems = {}
    for size in sorted({1, scale}):
        files = write_problem(folder, size)
        problems[size] = read_coco(files.truth), read_predictions(files.pred, schema="coco17")
    took = time_steps(*problems[1], runs)
    memory = {size: megabytes(*problem) for size, problem in problems.items()}
    budgets = {"seconds": (statistics.median(took["all"]["wall"]), SECONDS)}
    if scale > 1:
        budgets[f"memory, {scale}x / 1x / {scale}"] = (memory[scale] / memory[1] / scale, GROWTH)
    return {"steps": took, "megabytes": {f"{size}x": mb for size, mb in memory.items()}, "budgets": budgets}


def print_table(found: dict[str, Any]) -> None:
    print(f"{'':<20}{'wall s':>9}{'least':>9}{'CPU s':>9}")
    for name, row in found["steps"].items():
        print(f"{name:<20}{statistics.median(row['wall']):>9.3f}{min(row['wall']):>9.3f}{statistics.median(row['cpu']):>9.3f}")
    for size, mb in found["megabytes"].items():
        print(f"peak MB, {size:<11}{mb:>9.0f}")
    for name, (value, limit) in found["budgets"].items():
        print(f"{name:<20}{value:>9.3f}  limit {limit:g}{'' if value <= limit else '   MISSED'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=int, default=1, help="measure memory at this many times val2017, too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), options.runs, options.scale)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    print_table(found)
    return int(any(value > limit for value, limit in found["budgets"].values()))


if __name__ == "__main__":
    sys.exit(main())
