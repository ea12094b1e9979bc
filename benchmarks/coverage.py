"""How often an interval holds the truth.

    python -m benchmarks.coverage [--sets 500] [--sizes 25 50 100 200 500] [--state FILE] [--write]

Many small datasets are drawn from a large simulated population whose numbers are known, and from each all intervals are
made. A line of --state is one dataset, so a run that was stopped goes on where it was, and other sizes may follow; the table
holds all of it. With --write it goes to docs/statistics.md. benchmarks.compare measures the tests.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.population import Population, drawn, populated
from posebench import Evaluation
from posebench.metrics import read_metric
from posebench.statistics.error_rates import rates
from posebench.statistics.interval import ends, wilson_ends
from posebench.statistics.intervals import resampled, sampling
from posebench.statistics.replicates import plan, proportion

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
METRICS = ("AP", "AP@0.75", "AR", "PCK@0.2")
SHARES = ("AR", "PCK@0.2")
ERRORS = ("jitter", "miss", "wrong")
LEVEL = 0.95
RESAMPLES = 1000


def wanted(population: Population) -> dict[str, float]:
    """What the intervals should hold: the numbers of the whole population."""
    whole = population.whole[0]
    report = whole.errors()
    return {**{name: whole[name] for name in METRICS}, **{kind: rates(report)[kind].linearised()[0] for kind in ERRORS}}


def intervals(ev: Evaluation, seed: int) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """(metric, method, ends) of one dataset."""
    how = sampling(ev.workings, LEVEL, "bca", "image", RESAMPLES, seed)
    values = resampled(how, plan(ev.workings, METRICS), len(METRICS), False)
    first, rest = values[: how.jackknifed], values[how.jackknifed :]
    for i, name in enumerate(METRICS):
        for method in ("bca", "percentile"):
            yield name, method, ends(method, ev[name], rest[:, i], LEVEL, first[:, i])
    for name in SHARES:
        ratios = proportion(ev.workings, read_metric(name))
        assert ratios is not None
        yield name, "wilson", wilson_ends(ratios, ev.measured(name).n, LEVEL)[:2]
    found = rates(ev.errors())
    values = np.concatenate([np.stack([found[kind].under(block) for kind in ERRORS], 1) for block in how.blocks])
    first, rest = values[: how.jackknifed], values[how.jackknifed :]
    for i, kind in enumerate(ERRORS):
        for method in ("bca", "percentile"):
            yield kind, method, ends(method, found[kind].linearised()[0], rest[:, i], LEVEL, first[:, i])
        yield kind, "wilson", wilson_ends(found[kind], int(found[kind].bottom.sum()), LEVEL)[:2]


def covered(population: Population, true: Mapping[str, float], n: int, seed: int) -> dict[str, int]:
    """Of one dataset, for each metric and method: whether the interval holds the truth."""
    first, _ = drawn(population, n, seed)
    return {f"{name} {method}": int(low <= true[name] <= high) for name, method, (low, high) in intervals(first, seed)}


def run(state: Path, sizes: Sequence[int], sets: int) -> list[dict[str, Any]]:
    """All datasets of the state; those that lack are drawn first."""
    done = list(map(json.loads, state.read_text().splitlines())) if state.exists() else []
    known = {(row["n"], row["seed"]) for row in done}
    todo = [(n, seed) for seed in range(sets) for n in sizes if (n, seed) not in known]
    if not todo:
        return done
    population = populated()
    true = wanted(population)
    start = time.monotonic()
    with state.open("a") as out:
        for i, (n, seed) in enumerate(todo):
            done.append({"n": n, "seed": seed, "found": covered(population, true, n, seed)})
            out.write(json.dumps(done[-1]) + "\n")
            if (i + 1) % 50 == 0:
                out.flush()
                print(f"{i + 1:,} of {len(todo):,} datasets, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return done


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Percent of the datasets, a column for each size; then how many datasets that were, and what chance alone moves a figure by."""
    found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in row["found"].items():
            found[name][row["n"]].append(value)
    sizes = sorted({n for by_size in found.values() for n in by_size})
    sets = [len(next(iter(found.values()))[n]) for n in sizes]
    chance = [100 * math.sqrt(LEVEL * (1 - LEVEL) / n) for n in sets]
    lines = [
        f"Percent of the datasets whose {100 * LEVEL:g}% interval ({RESAMPLES:,} resamples) holds the number of the whole population, by images with truths:",
        "",
        f"| metric | interval | {' | '.join(f'{n} images' for n in sizes)} |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for name, by_size in found.items():
        metric, _, method = name.partition(" ")
        lines.append(f"| {metric} | {method} | {' | '.join(f'{100 * np.mean(by_size[n]):.1f}' for n in sizes)} |")
    return "\n".join([*lines, f"| datasets | | {' | '.join(map(str, sets))} |", f"| one standard error | | {' | '.join(f'{c:.1f}' for c in chance)} |"])


def write(text: str) -> None:
    """Into the marked block of the page."""
    page = PAGE.read_text()
    PAGE.write_text(re.sub(r"(<!-- measured: coverage -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[25, 50, 100, 200, 500])
    parser.add_argument("--state", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--write", action="store_true", help="put the table into docs/statistics.md")
    options = parser.parse_args()
    text = table(run(options.state, options.sizes, options.sets))
    print(text)
    if options.write:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
