"""sweep: many settings learned for a short while, the best of them for longer, in one table.

    table = sweep("synthetic-demo", ["backbone=resnet10t,lcnet_050", "lr=1e-3,3e-3"], "out/sweep", epochs=10, then=50, keep=1)
    print(sweep_text(table))

The folder holds a run for each, under short/ and long/, sweep.json with the table, and sweep.png. The same command goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from posebench.evaluation import Evaluation, evaluate
from posedata.command import say
from posedata.errors import PoseError

from .pairs import against, aligned, alone, how, plainly, points
from .recipes import Recipe, load_recipe
from .runs import PREDICTIONS, Run
from .trials import Outcome, Trial, learn, plan, write_table

__all__ = ["sweep", "sweep_text"]

TABLE, PICTURE = "sweep.json", "sweep.png"


def sweep(
    recipe: Recipe | str | Path,
    vary: Sequence[str],
    out: str | Path,
    *,
    epochs: int | None = None,
    then: int | None = None,
    keep: int = 1,
    init: str = "weights",
    root: str | Path | None = None,
    device: str | None = None,
    workers: int | None = None,
    resamples: int = 1000,
    command: str = "",
    quiet: bool = False,
) -> dict[str, Any]:
    """Learn every combination of the values for `epochs`, then the best `keep` afresh for `then`; gives back the table.

    Which are best is chosen by the recipe's `score` on its val, so those numbers flatter the chosen: a test split tells.
    """
    chosen, folder = load_recipe(recipe), Path(out)
    chosen = replace(chosen, epochs=epochs or chosen.epochs)
    trials = plan(chosen, vary, init)
    _require(chosen, keep, trials)
    given: dict[str, Any] = {"root": root, "device": device, "workers": workers, "quiet": quiet}
    short = _learned(trials, folder / "short", given, quiet)
    known = _in_order(short)
    if not known:
        raise PoseError(str(folder), f"none of {len(short)} could be learned: {short[0].failed}", "baselines train one of them shows more")
    longer = [replace(o.trial, recipe=replace(o.trial.recipe, epochs=then)) for o in known[:keep]] if then else []
    long = _learned(longer, folder / "long", given, quiet)
    values = {
        "recipe": chosen.name, "vary": list(vary), "metric": chosen.score, "epochs": chosen.epochs, "then": then, "keep": keep if then else 0, "command": command,
        **_numbers(known, _in_order(long), chosen, resamples, root), "failed": [{"name": o.trial.name, "why": o.failed} for o in (*short, *long) if o.failed],
    }  # fmt: skip
    write_table(folder / TABLE, values)
    _draw(values, folder / PICTURE)
    return values


def _require(recipe: Recipe, keep: int, trials: Sequence[Trial]) -> None:
    if not recipe.val:
        raise PoseError(f"{recipe.name}: val", "empty, so that nothing can be chosen by", "--set val=... names a split")
    if keep < 1:
        raise PoseError("--keep", str(keep), "1 or more")
    moved = next((name for t in trials for name in ("dataset", "config", "val", "schema", "score") if name in t.settings), None)
    if moved:
        raise PoseError(f"--vary {moved}", "numbers on other images or points cannot be held against each other", "one sweep for each")


def _learned(trials: Sequence[Trial], folder: Path, given: Mapping[str, Any], quiet: bool) -> list[Outcome]:
    """Every trial's outcome, in the order given."""
    made = []
    for i, trial in enumerate(trials, 1):
        say(f"{folder.name} {i}/{len(trials)}: {trial.name}", quiet)
        made.append(learn(trial, folder / trial.name, **given))
    return made


def _in_order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that were learned, the best first."""
    from .scoring import higher_is_better

    known = [(float(o.best[o.trial.recipe.score]), o) for o in outcomes if o.best.get(o.trial.recipe.score) is not None]
    sign = -1 if not known or higher_is_better(known[0][1].trial.recipe.score) else 1
    return [o for _, o in sorted(known, key=lambda pair: sign * pair[0])]


def _numbers(short: list[Outcome], long: list[Outcome], recipe: Recipe, resamples: int, root: str | Path | None) -> dict[str, Any]:
    """Rows of what was learned for a short while, best first, each against the best; and rows of what was learned for longer, against the same."""
    from .starting import data_of

    truth = data_of(recipe, "val", root)
    evs = [evaluate(truth, _run(o).folder / PREDICTIONS, metrics=(recipe.score,)) for o in (*short, *long)]
    first, *others = evs
    found = against({str(i): (first, ev) for i, ev in enumerate(others, 1)}, recipe.score, resamples)
    rows = [_row(o, ev, recipe.score, resamples) | {"best": found.get(str(i))} for i, (o, ev) in enumerate(zip((*short, *long), evs, strict=True))]
    return {"how": how(first, resamples, len(others)), "hardware": _run(short[0]).facts["hardware"], "rows": rows[: len(short)], "longer": rows[len(short) :]}


def _run(outcome: Outcome) -> Run:
    if outcome.run is None:
        raise PoseError(outcome.trial.name, outcome.failed, "baselines train shows more")
    return outcome.run


def _row(outcome: Outcome, ev: Evaluation, metric: str, resamples: int) -> dict[str, Any]:
    """One run: what was special, how good, how large, how long."""
    from .runtime import weight_of

    best = outcome.best
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in outcome.trial.settings.items()}
    others = {k: plainly(v) for k, v in best.items() if k[0].isupper() and k != metric and v is not None}
    return {"name": outcome.trial.name, "settings": settings, **alone(ev, metric, resamples), **others, "epoch": best["epoch"], **weight_of(_run(outcome)),
            "seconds": round(outcome.seconds, 1)}  # fmt: skip


def _draw(values: Mapping[str, Any], path: Path) -> None:
    from .forest import draw_sweep

    draw_sweep(values, path)


def sweep_text(values: Mapping[str, Any]) -> str:
    """The table for people."""
    metric = values["metric"]
    head = ("", metric, "95%", "less the best", "paired 95%", "p", "M params", "GMAC", "seconds")
    lines = [aligned([head, *(_cells(row) for row in values["rows"])])]
    if values["longer"]:
        lines += ["", f"the best {len(values['longer'])} for {values['then']} epochs:", aligned([head, *(_cells(row) for row in values["longer"])])]
    lines += ["", f"{values['epochs']} epochs each; {values['how']}; a star: not by luck"]
    lines += [f"failed: {row['name']}: {row['why']}" for row in values["failed"]]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    own = f"{points(row['low'])}..{points(row['high'])}"
    cost = (f"{row['params_m']:.2f}", f"{row['gmac']:.3f}", f"{row['seconds']:.0f}")
    found = row["best"]
    if found is None:
        return (row["name"], points(row["value"]), own, "best", "", "", *cost)
    star = "*" if found["real"] else ""
    pair = f"{points(found['low'], True)}..{points(found['high'], True)}"
    return (
        row["name"],
        points(row["value"]),
        own,
        points(found["difference"], True) + star,
        pair,
        f"{found['p']:.3f}" if found["p"] is not None else "-",
        *cost,
    )
