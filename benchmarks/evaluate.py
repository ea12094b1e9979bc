"""Scoring a file of predictions: us against every installed evaluator, each in a process of its own, taking turns.

    python -m benchmarks.evaluate [--peers PYTHON] [--only NAME ...] [--runs 5] [--scale 10] [--json FILE]

Peers run in the interpreter named by --peers; one that cannot be imported there is reported as absent. Every evaluator's
ten statistics are compared with pycocotools'; one that differs, or a budget missed, makes the exit code 1. Nothing is read
from a cache of ours: each of our runs parses both files.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import IN_MEMORY, OURS, PEERS, REFERENCE, STATISTICS, Peer
from benchmarks.problem import Problem, write_problem

ROOT = Path(__file__).parents[1]

BUDGETS = {
    "whole process, ours / pycocotools": 0.25,
    "peak memory, ours / pycocotools": 1.0,
    "10x / 1x": 11.0,
    "in memory, seconds per pycocotools second": 0.35 / 4.6,  # .35 s on the machine where pycocotools takes 4.6
}

# A small process starts the measured one: a child's peak memory counts what its parent held when it forked.
_HELPER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1024,
                  "code": done.returncode, "out": done.stdout, "err": done.stderr}))
"""


@dataclass
class Timed:
    """What one evaluator took on one pair of files, run by run."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    statistics: list[float] = field(default_factory=list)
    refused: str = ""
    """The last line it said, when it did not evaluate."""


@dataclass(frozen=True)
class Setting:
    """Who takes part, and how often."""

    python: str
    peers: Sequence[Peer]
    runs: int


def call(python: str, program: str, *files: Path) -> dict[str, Any]:
    """Wall and CPU seconds, largest megabytes, exit code and output of a program in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as cache:  # a new one each time: nothing we parsed before is at hand
        env = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_CACHE": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's modules are compiled once
        command = [sys.executable, "-S", "-c", _HELPER, python, "-c", program, *map(str, files)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)


def missing(python: str, peer: Peer) -> str:
    """Why a peer cannot be imported; nothing if it can."""
    done = call(python, f"import {peer.module}")
    return last_line(done["err"]) if done["code"] else ""


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word"])[-1][:150]


def parse_statistics(text: str) -> list[float]:
    """The ten statistics in the last line of a peer's output, or in our object; -1 where there is no truth."""
    try:
        values = json.loads(text)
    except ValueError:  # some print their own table first
        values = json.loads(last_line(text))
    listed = [values["metrics"][name] for name in STATISTICS] if isinstance(values, dict) else values
    return [-1.0 if v is None else v for v in listed]


def time_once(setting: Setting, peer: Peer, truth: Path, pred: Path, into: Timed) -> None:
    """One more run, unless the peer refused these files before."""
    if into.refused:
        return
    done = call(sys.executable if peer is OURS else setting.python, peer.program, truth, pred)
    if done["code"]:
        into.refused = last_line(done["err"] or done["out"])
        return
    for name in ("wall", "cpu", "megabytes"):
        getattr(into, name).append(done[name])
    into.statistics = parse_statistics(done["out"])


def in_turn(setting: Setting, truth: Path, pred: Path) -> dict[str, Timed]:
    """Every peer `runs` times, and ours after each of them: what the machine does meanwhile hits all alike."""
    timed = {peer.name: Timed() for peer in (*setting.peers, OURS)}
    for _ in range(setting.runs):
        for peer in setting.peers:
            time_once(setting, peer, truth, pred, timed[peer.name])
            time_once(setting, OURS, truth, pred, timed[OURS.name])
    return timed


def in_memory(setting: Setting, truth: Path, pred: Path) -> dict[str, Timed]:
    """Seconds of evaluation alone, ours and the reference's in turn."""
    took = {peer.name: Timed() for peer in (*setting.peers, OURS) if peer.name in IN_MEMORY}
    for _ in range(setting.runs):
        for name in took:
            done = call(sys.executable if name == OURS.name else setting.python, IN_MEMORY[name], truth, pred)
            if done["code"]:
                took[name].refused = last_line(done["err"] or done["out"])
            else:
                took[name].wall.append(float(last_line(done["out"])))
    return took


def differences(timed: Mapping[str, Timed], peers: Sequence[Peer]) -> list[str]:
    """Who is further from the reference than allowed, and in what."""
    reference = timed[REFERENCE].statistics if REFERENCE in timed else []
    faults = []
    for peer in (*peers, OURS):
        for name, value, wanted in zip(STATISTICS, timed[peer.name].statistics, reference, strict=False):
            if not abs(value - wanted) <= peer.tolerance:
                faults.append(f"{peer.name}: {name} {value!r}, {REFERENCE} {wanted!r}")
    return faults


def run(folder: Path, setting: Setting, scales: Sequence[int]) -> dict[str, Any]:
    """All tables, the statistics that differ, and what the budgets came to."""
    problems = {scale: write_problem(folder, scale) for scale in scales}
    warm = problems[scales[0]]
    for peer in (*setting.peers, OURS):
        time_once(setting, peer, warm.truth, warm.boxed, Timed())
    tables = {name: in_turn(setting, truth, pred) for name, truth, pred in _pairs(problems)}
    memory = {f"{scale}x": in_memory(setting, p.truth, p.pred) for scale, p in problems.items()}
    faults = [f"{name}: {fault}" for name, timed in tables.items() for fault in differences(timed, setting.peers)]
    return {"tables": tables, "in memory": memory, "differences": faults, "budgets": budgets(tables, memory)}


def _pairs(problems: Mapping[int, Problem]) -> list[tuple[str, Path, Path]]:
    return [(f"{scale}x, {kind} boxes", p.truth, pred) for scale, p in problems.items() for kind, pred in (("without", p.pred), ("with", p.boxed))]


def budgets(tables: Mapping[str, Mapping[str, Timed]], memory: Mapping[str, Mapping[str, Timed]]) -> dict[str, float | None]:
    """What each budget came to, the worse of with and without boxes; None for what was not measured."""
    ones = [t for name, t in tables.items() if name.startswith("1x")]
    tens = [t for name, t in tables.items() if name.startswith("10x")]
    ours = [_median(t, OURS.name, "wall") for t in ones]
    found = (
        _worst([_ratio(t, "wall") for t in ones]),
        _worst([_ratio(t, "megabytes") for t in tables.values()]),
        _worst([_divided(_median(ten, OURS.name, "wall"), one) for ten, one in zip(tens, ours, strict=False)]),
        _divided(_median(memory["1x"], OURS.name, "wall"), _median(memory["1x"], REFERENCE, "wall")),
    )
    return dict(zip(BUDGETS, found, strict=True))


def _middle(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _median(timed: Mapping[str, Timed], name: str, what: str) -> float | None:
    return _middle(getattr(timed[name], what)) if name in timed else None


def _divided(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def _ratio(timed: Mapping[str, Timed], what: str) -> float | None:
    return _divided(_median(timed, OURS.name, what), _median(timed, REFERENCE, what))


def _worst(ratios: Sequence[float | None]) -> float | None:
    return None if None in ratios or not ratios else max(r for r in ratios if r is not None)


def markdown(found: Mapping[str, Any]) -> str:
    """The tables as they stand in docs/parity.md."""
    lines: list[str] = []
    for title, timed in found["tables"].items():
        lines += [
            f"\n**{title}**\n",
            "| evaluator | runs | wall s | CPU s | peak MB | of pycocotools' wall | AP | largest difference |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(name, row, timed) for name, row in timed.items()]
    for size, took in found["in memory"].items():
        lines += [f"\n**{size}, evaluation alone**\n", "| evaluator | seconds |", "|---|---|"]
        lines += [f"| {name} | {f'{statistics.median(row.wall):.3f}' if row.wall else row.refused} |" for name, row in took.items()]
    lines += ["\n| budget | found | limit | |", "|---|---|---|---|", *map(_budget_row, found["budgets"].items())]
    return "\n".join(lines)


def _row(name: str, row: Timed, timed: Mapping[str, Timed]) -> str:
    if not row.wall:
        return f"| {name} | | | | | | | {row.refused} |"
    reference = timed[REFERENCE] if REFERENCE in timed else Timed()
    off = [abs(a - b) for a, b in zip(row.statistics, reference.statistics, strict=False)]
    share = _divided(_middle(row.wall), _middle(reference.wall))
    median = [statistics.median(v) for v in (row.wall, row.cpu, row.megabytes)]
    return f"| {name} | {len(row.wall)} | {median[0]:.3f} | {median[1]:.3f} | {median[2]:.0f} | {'' if share is None else f'{share:.3f}'} | {row.statistics[0]:.6f} | {f'{max(off):.1g}' if off else ''} |"


def _budget_row(item: tuple[str, float | None]) -> str:
    name, value = item
    verdict = "not measured" if value is None else "pass" if value <= BUDGETS[name] else "FAIL"
    return f"| {name} | {'' if value is None else f'{value:.3f}'} | {BUDGETS[name]:.3g} | {verdict} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="the interpreter that has the peers")
    parser.add_argument("--only", nargs="+", default=[p.name for p in PEERS], choices=[p.name for p in PEERS])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=int, default=1, help="measure this many times val2017, too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    why = {p.name: missing(options.peers, p) for p in PEERS if p.name in options.only}
    present = [p for p in PEERS if p.name in why and not why[p.name]]
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), Setting(options.peers, present, options.runs), sorted({1, options.scale}))
    found["absent"] = {name: reason for name, reason in why.items() if reason}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, default=asdict))
    print(markdown(found))
    return report(found)


def report(found: Mapping[str, Any]) -> int:
    """What went wrong, in words; 1 if a number differs, a budget is missed, or we did not run."""
    for name, reason in found["absent"].items():
        print(f"absent: {name}: {reason}")
    if any(REFERENCE not in timed for timed in found["tables"].values()):
        print(f"not compared: {REFERENCE} did not take part")
    for fault in found["differences"]:
        print(f"differs: {fault}")
    ours = {title: timed[OURS.name].refused for title, timed in (*found["tables"].items(), *found["in memory"].items())}
    failed = {title: reason for title, reason in ours.items() if reason}
    for title, reason in failed.items():
        print(f"posebench failed: {title}: {reason}")
    missed = [name for name, value in found["budgets"].items() if value is not None and value > BUDGETS[name]]
    return 1 if found["differences"] or failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
