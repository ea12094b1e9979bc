"""How long it takes until FiftyOne has everything: 5,000 images, 10,000 truths, 20,000 predictions; and a second call that changes labels alone.

    python -m benchmarks.browse [--scale 1] [--json FILE]

The database is one of its own in a temporary folder. The App is not opened. `cpu` is our process alone, `wall` everything.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.voxels import own_fiftyone

from .problem import Problem, _write_people, _write_predictions, draw_people, draw_predictions

LIMITS = {"first": 60.0, "labels": 5.0, "memory_gb": 1.5}
"""Seconds on two cores, and gigabytes."""


def problem(folder: Path, scale: float) -> tuple[Path, Path]:
    """The files."""
    rng = np.random.default_rng(0)
    n = int(5000 * scale)
    images = np.arange(1, n + 1)
    people = draw_people(rng, n, int(10_000 * scale))
    files = Problem(folder / "truth.json", folder / "pred.json", folder / "boxed.json")
    _write_people(files.truth, people, images)
    _write_predictions(files, images, *draw_predictions(rng, people, n, int(8_500 * scale), int(3_500 * scale), int(8_000 * scale)))
    return files.truth, files.pred


def measured(scale: float = 1.0) -> dict[str, Any]:
    """Seconds of each step, memory, sizes."""
    with own_fiftyone() as folder:
        os.environ["POSEBENCH_CACHE"] = str(folder / "cache")
        return _timed(*problem(folder, scale))


def _timed(truth: Path, pred: Path) -> dict[str, Any]:
    import posebench
    from posedata.formats.fiftyone_db import connect

    ev = posebench.evaluate(truth, pred)
    said: dict[str, Any] = {"images": len(ev.truth.images), "truths": len(ev.truth), "predictions": len(ev.predictions)}
    connect()
    others = replace(ev.predictions, keypoints=ev.predictions.keypoints + np.array([0.75, 0, 0]))
    for step, each in (
        ("first", ev),
        ("same", ev),
        ("labels", replace(ev, workings=replace(ev.workings, protocol=ev.protocol.replace(sigmas=dict.fromkeys(ev.truth.schema.names, 0.05)), made={}))),
        ("points", posebench.evaluate(ev.truth, others)),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        posebench.browse(each, name="bench", app=False)
        said[step] = {"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2)}
    return said | {"memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3), "limits": LIMITS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    said = measured(arguments.scale)
    print(json.dumps(said, indent=1))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
