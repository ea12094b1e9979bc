"""Seconds and memory of a thousand resamples at val2017's size, beside pycocotools' evaluation and hotcoco's bootstrap in the same run.

    python -m benchmarks.statistics [--peers PYTHON] [--runs 3] [--json FILE]

Everything runs in a process of its own, in turn. Files are read and matched before the clock starts. A budget missed makes the
exit code 1. hotcoco counts an image once however often it was drawn, which is less work and the wrong spread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.evaluate import call, last_line
from benchmarks.peers import IN_MEMORY, REFERENCE, STATISTICS
from benchmarks.problem import Problem, write_problem

_READ = """
import sys, time
import posedata, posebench
truth = posedata.read_coco(sys.argv[1], cache=False)
evs = [posebench.evaluate(truth, posedata.read_predictions(path, schema=truth.schema)) for path in sys.argv[2:]]
[ev["AP"] for ev in evs]
"""
_TIMED = "start = time.perf_counter(); {work}; print(time.perf_counter() - start)"
_HOTCOCO = """
import contextlib, io, sys, time
from hotcoco import COCO, COCOeval, compare
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(sys.argv[1])
    evs = [COCOeval(truth, truth.loadRes(path), "keypoints") for path in sys.argv[2:]]
    [ev.evaluate() for ev in evs]
    start = time.perf_counter(); compare(*evs, n_bootstrap=1000); took = time.perf_counter() - start
print(took)
"""
_PAIRED = "from posebench.statistics.replicates import replicates; from posebench.statistics.resampling import clusters, draws; drawn = clusters(evs[0].workings); [replicates(ev.workings, ['AP'], draws(drawn, 1000)) for ev in evs]"

ONE = "ten numbers of one model, BCa"
PAIRED = "AP of two models, paired"
COMPARED = "AP of two models, compared: resamples and exchanges"
PEER = "hotcoco compare, two models"
OURS = {
    ONE: (1, _READ + f"[ev.metrics for ev in evs]\n{_TIMED.format(work=f'evs[0].intervals({STATISTICS})')}"),
    PAIRED: (2, _READ + _TIMED.format(work=_PAIRED)),
    COMPARED: (2, _READ + _TIMED.format(work="from posebench.statistics.compare import compare; compare(*evs, metrics=['AP'])")),
}
"""Models, and the program."""

BUDGETS = {ONE: 3 / 7, PAIRED: 4 / 7}
"""Seconds per second that pycocotools takes for one evaluation."""
MEGABYTES = 500


def second_model(problem: Problem) -> Path:
    """The same poses with other scores."""
    rng = np.random.default_rng(1)
    records = msgspec.json.decode(problem.pred.read_bytes())
    for record, factor in zip(records, rng.uniform(0.8, 1.2, len(records)).tolist(), strict=True):
        record["score"] = round(record["score"] * factor, 4)
    path = problem.pred.with_name("second.json")
    path.write_bytes(msgspec.json.encode(records))
    return path


def timed(python: str, runs: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Seconds and peak megabytes of every program, run by run."""
    problem = write_problem(folder)
    preds = [problem.pred, second_model(problem)]
    programs = {REFERENCE: (python, 1, IN_MEMORY[REFERENCE]), PEER: (python, 2, _HOTCOCO), **{name: (sys.executable, *work) for name, work in OURS.items()}}
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "megabytes": [], "refused": ""} for name in programs}
    for _ in range(runs):
        for name, (interpreter, models, program) in programs.items():
            done = call(interpreter, program, problem.truth, *preds[:models])
            if done["code"]:
                found[name]["refused"] = last_line(done["err"] or done["out"])
                continue
            found[name]["seconds"].append(float(last_line(done["out"])))
            found[name]["megabytes"].append(done["megabytes"])
    return found


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    reference = found[REFERENCE]["seconds"]
    lines = ["| 1,000 resamples | seconds | of pycocotools' evaluation | budget | peak MB of the process |", "|---|---|---|---|---|"]
    for name, row in found.items():
        if not row["seconds"]:
            lines.append(f"| {name} | {row['refused']} | | | |")
            continue
        middle, most = statistics.median(row["seconds"]), max(row["megabytes"])
        share = f"{middle / statistics.median(reference):.2f}" if reference else ""
        called = f"{name}, one evaluation" if name == REFERENCE else name
        lines.append(f"| {called} | {middle:.2f} | {share} | {f'{BUDGETS[name]:.2f}' if name in BUDGETS else ''} | {most:.0f} |")
    return "\n".join(lines)


def missed(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What took longer, or more memory, than it may."""
    reference = found[REFERENCE]["seconds"]
    slow = [name for name, most in BUDGETS.items() if reference and statistics.median(found[name]["seconds"]) > most * statistics.median(reference)]
    return [f"{name}: too slow" for name in slow] + [f"{name}: over {MEGABYTES} MB" for name in OURS if max(found[name]["megabytes"], default=0) > MEGABYTES]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="the interpreter that has pycocotools and hotcoco")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = timed(options.peers, options.runs, Path(folder))
    failed = [f"{name}: {found[name]['refused']}" for name in OURS if found[name]["refused"]]
    print(markdown(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    faults = failed or missed(found)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
