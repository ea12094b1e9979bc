"""ablate: what each part of a run is worth, one at a time, on the same images. A room of torch.

    table = ablate("runs/mine")
    print(ablation_text(table))

What only changes prediction takes seconds; the rest is learned again, each in a folder of its own, and taken up where it stopped.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posebench.evaluation import Evaluation, evaluate
from posebench.metrics import read_metric
from posedata.command import say
from posedata.dataset import PoseDataset
from posedata.errors import PoseError, did_you_mean
from posedata.files import write_bytes

from .checkpoint import read_tensors, save_tensors
from .curves import plot_runs
from .forest import draw_ablation
from .pairs import against, aligned, how, plainly, points
from .parts import PARTS, Change
from .predict import predict
from .rates import RangeTest, range_test
from .recipes import Recipe
from .runs import BEST, CONFIG, FACTS, LAST, RESUME, Run, read_run
from .starting import data_of
from .trials import Outcome, Trial, learn, write_table

__all__ = ["ablate", "ablation_text"]

TABLE, PICTURE = "ablation.json", "ablation.png"


@dataclass(frozen=True)
class _Made:
    """One change, and what came of it."""

    part: str
    change: Change
    pair: tuple[Evaluation, Evaluation] | None
    """What it is held against, and it."""
    outcome: Outcome | None = None
    failed: str = ""


@dataclass(frozen=True)
class _Scene:
    """What every change is made on."""

    run: Run
    truth: PoseDataset
    base: Evaluation
    out: Path
    boxes: str | None
    start: str | None
    metric: str
    given: Mapping[str, Any]
    quiet: bool


def ablate(
    run: str | Path,
    *,
    what: Sequence[str] = (),
    learn: bool = True,
    epochs: int | None = None,
    start: str | None = None,
    metric: str | None = None,
    boxes: str | None = None,
    out: str | Path | None = None,
    root: str | Path | None = None,
    device: str | None = None,
    resamples: int = 1000,
    command: str = "",
    quiet: bool = False,
) -> dict[str, Any]:
    """Change each part of a run, all of PARTS unless `what` names some, and hold the result against the run itself."""
    odd = next((name for name in what if name not in PARTS), None)
    if odd is not None:
        raise PoseError(f"ablate: what={odd}", "no such part", did_you_mean(odd, PARTS))
    own = read_run(run)
    folder = Path(out) if out is not None else own.folder / "ablation"
    given = {"root": root, "device": device, "quiet": quiet}
    read_metric(metric or own.recipe.score)
    scene = _scene(_again(own, epochs, folder, given), folder, boxes, start, metric or own.recipe.score, given, quiet)
    made = [_made(scene, part, change) for part in (what or PARTS) if learn or not PARTS[part].learned for change in PARTS[part].changes(scene.run.recipe)]
    values = {
        "run": own.folder.resolve().name, "recipe": own.recipe.name, "metric": scene.metric, "value": plainly(scene.base[scene.metric]),
        "epochs": scene.run.recipe.epochs, "command": command, "how": how(scene.base, resamples, sum(m.pair is not None for m in made)),
        "hardware": own.facts["hardware"], "rows": _rows(made, scene.metric, resamples), "failed": [{"name": m.change.name, "why": m.failed} for m in made if m.failed],
        "out": str(folder),
    }  # fmt: skip
    write_table(folder / TABLE, values)
    draw_ablation(values, folder / PICTURE)
    _curves(scene, made)
    return values


def _again(run: Run, epochs: int | None, folder: Path, given: Mapping[str, Any]) -> Run:
    """The run itself, or the same for another number of epochs."""
    if epochs is None or epochs == run.recipe.epochs:
        return run
    found = learn(Trial(name="as it is", recipe=replace(run.recipe, epochs=epochs), settings={}, init=run.facts["start"]["from"]), folder / "as-it-is", **given)
    if found.run is None:
        raise PoseError(str(run.folder), f"cannot be learned again: {found.failed}", "leave --epochs out")
    return found.run


def _scene(run: Run, out: Path, boxes: str | None, start: str | None, metric: str, given: Mapping[str, Any], quiet: bool) -> _Scene:
    truth = data_of(run.recipe, "val", given["root"])
    if truth is None:
        raise PoseError(str(run.folder), "has no val", "a run whose recipe names one")
    return _Scene(run, truth, _scored(run, truth, boxes, metric, given, {}), out, boxes, start, metric, given, quiet)


def _scored(run: Run, truth: PoseDataset, boxes: str | None, metric: str, given: Mapping[str, Any], asked: Mapping[str, Any]) -> Evaluation:
    """The run's predictions on val, made anew."""
    own: dict[str, Any] = {"boxes": boxes} if boxes is not None else {}
    found = predict(run, truth, latency=0, device=given["device"], quiet=given["quiet"], **own, **asked)
    return evaluate(truth, found.predictions, metrics=(metric,))


# -- one change ----------------------------------------------------------------------------------------


def _made(scene: _Scene, part: str, change: Change) -> _Made:
    say(f"{part}: {change.name}", scene.quiet)
    if PARTS[part].learned:
        return _relearned(scene, part, change)
    try:
        if change.raw:
            return _Made(part, change, _mean_and_raw(scene))
        with _changed(scene.run, scene.run.recipe, change.settings, scene.run.weights) as folder:
            return _Made(part, change, (scene.base, _scored(folder, scene.truth, scene.boxes, scene.metric, scene.given, change.asked)))
    except PoseError as e:
        return _Made(part, change, None, failed=str(e))


@contextmanager
def _changed(run: Run, recipe: Recipe, settings: Mapping[str, Any], weights: Path) -> Iterator[Run]:
    """The run with other settings, or other weights, in a folder for a while."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bytes(folder / CONFIG, replace(recipe, **settings).to_toml().encode())
        write_bytes(folder / FACTS, json.dumps(run.facts).encode())
        (folder / BEST).symlink_to(weights.resolve())
        yield read_run(folder)


def _mean_and_raw(scene: _Scene) -> tuple[Evaluation, Evaluation]:
    """The last epoch's mean of the weights, and those it is the mean of."""
    tensors, _ = read_tensors(scene.run.folder / RESUME)
    raw = {name.removeprefix("model|"): t for name, t in tensors.items() if name.startswith("model|")}
    with tempfile.TemporaryDirectory() as folder:
        kept = save_tensors(Path(folder) / BEST, raw, {})
        found = []
        for weights in (scene.run.folder / LAST, kept):
            with _changed(scene.run, scene.run.recipe, {}, weights) as run:
                found.append(_scored(run, scene.truth, scene.boxes, scene.metric, scene.given, {}))
    return found[0], found[1]


def _relearned(scene: _Scene, part: str, change: Change) -> _Made:
    folder = scene.out / part / change.name.replace(" ", "-")
    own = scene.run.facts["start"]["from"]
    init = (scene.start or change.init or own) if part == "initialisation" else own
    try:
        settings = dict(change.settings) | ({"lr": _rate(scene, change, folder)} if change.rate else {})
    except PoseError as e:
        return _Made(part, change, None, failed=str(e))
    if part == "initialisation" and scene.start:
        change = replace(change, name=f"init={scene.start}", settings={})
        settings = {"pretrained": scene.start == "weights"}
    trial = Trial(name=change.name, recipe=replace(scene.run.recipe, **settings), settings=settings, init=init)
    outcome = learn(trial, folder, **scene.given)
    if outcome.run is None:
        return _Made(part, change, None, outcome, outcome.failed)
    return _Made(part, change, (scene.base, _scored(outcome.run, scene.truth, scene.boxes, scene.metric, scene.given, {})), outcome)


def _rate(scene: _Scene, change: Change, folder: Path) -> float:
    """The rate of another optimiser that lies on its range test where the run's own rate lies on its own; that of its run where one was begun."""
    if (folder / CONFIG).exists():
        return read_run(folder).recipe.lr
    own, other = (_tested(scene, replace(scene.run.recipe, **settings)) for settings in ({}, change.settings))
    return float(f"{other.rate(own.place(scene.run.recipe.lr)):.2g}")


def _tested(scene: _Scene, recipe: Recipe) -> RangeTest:
    given = {k: scene.given[k] for k in ("root", "device")}
    found = range_test(recipe, lowest=1e-5, highest=10.0, init=scene.run.facts["start"]["from"], **given)
    if found.steepest != found.steepest:
        raise PoseError(f"{recipe.name}: {recipe.optimiser}", "its loss never fell at any rate", "baselines lr shows the curve")
    return found


# -- the table -----------------------------------------------------------------------------------------


def _rows(made: Sequence[_Made], metric: str, resamples: int) -> list[dict[str, Any]]:
    found = against({str(i): m.pair for i, m in enumerate(made) if m.pair}, metric, resamples)
    return [_row(m, metric) | found[str(i)] for i, m in enumerate(made) if m.pair]


def _row(made: _Made, metric: str) -> dict[str, Any]:
    settings = dict(made.change.settings) | dict(made.change.asked) | (dict(made.outcome.trial.settings) if made.outcome else {})
    base, own = made.pair or (None, None)
    return {"part": made.part, "name": made.change.name, "learned": PARTS[made.part].learned, "settings": settings,
            "base": None if base is None else plainly(base[metric]), "value": None if own is None else plainly(own[metric]),
            "seconds": round(made.outcome.seconds, 1) if made.outcome else 0.0}  # fmt: skip


def _curves(scene: _Scene, made: Sequence[_Made]) -> None:
    """Loss and metric by epoch of the run and of what was learned again, a picture for each part."""
    for part in dict.fromkeys(m.part for m in made):
        runs = [m.outcome.run.folder for m in made if m.part == part and m.outcome and m.outcome.run]
        if runs:
            plot_runs([scene.run.folder, *runs], scene.out / f"curves-{part}.png")


def _told(row: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """A row's name, with what it is held against where that is not the run."""
    return row["name"] if row["base"] == values["value"] else f"{row['name']} (from {points(row['base'])}, the last epoch's mean)"


def ablation_text(values: Mapping[str, Any]) -> str:
    """The table for people."""
    head = ("", values["metric"], "less the run", "paired 95%", "p", "learned again")
    cells = [
        (_told(row, values), points(row["value"]), points(row["difference"], True) + ("*" if row["real"] else ""), f"{points(row['low'], True)}..{points(row['high'], True)}",
         "-" if row["p"] is None else f"{row['p']:.3f}", f"{row['seconds']:.0f} s" if row["learned"] else "no")
        for row in values["rows"]
    ]  # fmt: skip
    lines = [aligned([head, (values["run"], points(values["value"]), "", "", "", ""), *cells]), "", f"{values['how']}; a star: not by luck"]
    return "\n".join(lines + [f"failed: {row['name']}: {row['why']}" for row in values["failed"]])
