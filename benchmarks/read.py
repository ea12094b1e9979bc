"""Reading annotation files: us, from JSON and from the cache, against pycocotools and plain json, each in a process of its own.

    python -m benchmarks.read [--runs 5] [--json FILE]

Budgets: at most 1.5 times pycocotools.COCO() with everything kept and checked; ten times the file in at most eleven times the
time; from the cache at least ten times faster; choosing among a million instances without a loop over rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.problem import write_truth

ROOT = Path(__file__).parents[1]

# Each prints the seconds of its one statement, imports not counted, and the process's largest memory.
READERS = {
    "json.load": ("import json", "json.load(open({file!r}))"),
    "pycocotools": ("from pycocotools.coco import COCO", "COCO({file!r})"),
    "posedata": ("import posedata; posedata.read_coco", "posedata.read_coco({file!r}, cache=False)"),
    "posedata, cached": ("import posedata; posedata.read_coco", "posedata.read_coco({file!r})"),
}
MILLION = {
    "where": "ds.where(area=lambda a: a > 5)",
    "take": "ds.take(rows)",
    "as_schema": "ds.as_schema('quadruped')",
}
_PROGRAM = """
import contextlib, io, time
{setup}
with contextlib.redirect_stdout(io.StringIO()):
    start = time.perf_counter(); {statement}; took = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(took, int(peak.split()[1]) / 1024)
"""


def measure(setup: str, statement: str, runs: int, cache: str) -> dict[str, float]:
    """Median seconds and largest megabytes over some fresh processes."""
    env = {**os.environ, "POSEBENCH_CACHE": cache, "PYTHONPATH": str(ROOT)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's modules are compiled once
    program = _PROGRAM.format(setup=setup, statement=statement)
    outs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env).stdout.split() for _ in range(runs)]
    return {"seconds": statistics.median(float(o[0]) for o in outs), "megabytes": max(float(o[1]) for o in outs)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), options.runs)
    print_table(found)
    failed = [name for name, (value, limit) in found["budgets"].items() if value > limit]
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 1 if failed else 0


def run(folder: Path, runs: int) -> dict[str, Any]:
    files = {"1x": write_truth(folder / "1x.json"), "10x": write_truth(folder / "10x.json", 10)}
    os.utime(files["1x"], (0, 0))
    rows: dict[str, dict[str, float]] = {}
    for size, file in files.items():
        for name, (setup, statement) in READERS.items():
            if "cached" in name:
                measure(setup, statement.format(file=str(file)), 1, str(folder / "cache"))  # fills it
            rows[f"{name}, {size}"] = measure(setup, statement.format(file=str(file)), runs, str(folder / "cache"))
    million = {
        name: measure(
            "import numpy as np, posedata; n = 1_000_000; rng = np.random.default_rng(0); rows = rng.permutation(n); "
            "ds = posedata.PoseDataset.from_arrays(schema='ap10k17', image=np.arange(n) // 4, keypoints=np.zeros((n, 17, 3)), area=rng.uniform(1, 9, n)); "
            "posedata.load_schema('quadruped')",
            statement,
            max(1, runs // 2),
            str(folder / "cache"),
        )
        for name, statement in MILLION.items()
    }
    imports = {"import posedata": measure("", "import posedata", runs, str(folder / "cache"))}
    s = {name: row["seconds"] for name, row in rows.items()}
    budgets = {
        "posedata / pycocotools, 1x": (s["posedata, 1x"] / s["pycocotools, 1x"], 1.5),
        "posedata / pycocotools, 10x": (s["posedata, 10x"] / s["pycocotools, 10x"], 1.5),
        "posedata 10x / 1x": (s["posedata, 10x"] / s["posedata, 1x"], 11.0),
        "cached / posedata, 1x": (s["posedata, cached, 1x"] / s["posedata, 1x"], 0.1),
        "cached / posedata, 10x": (s["posedata, cached, 10x"] / s["posedata, 10x"], 0.1),
        "import posedata, seconds": (imports["import posedata"]["seconds"], 0.25),
    }
    sizes = {size: {"megabytes": file.stat().st_size / 1e6} for size, file in files.items()}
    return {"files": sizes, "reading": rows, "a million instances": million, "imports": imports, "budgets": budgets}


def print_table(found: dict[str, Any]) -> None:
    for title in ("reading", "a million instances", "imports"):
        print(f"\n{title:<28}{'seconds':>10}{'MB':>8}")
        for name, row in found[title].items():
            print(f"{name:<28}{row['seconds']:>10.4f}{row['megabytes']:>8.0f}")
    print(f"\n{'budget':<28}{'found':>10}{'limit':>8}")
    for name, (value, limit) in found["budgets"].items():
        print(f"{name:<28}{value:>10.3f}{limit:>8g}{'' if value <= limit else '   MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
