"""Runs that differ in a few settings: planned from what is said on the command line, learned one after another, taken up where they stopped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, PoseError, brief, needs
from posedata.files import write_bytes

from .recipes import Recipe
from .runs import CONFIG, Run, read_metrics, read_run

__all__ = ["Outcome", "Trial", "learn", "plan", "read_table", "write_table"]

MOST = 200
"""Runs of one sweep; more is a slip of the finger."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run to make."""

    name: str
    """Of its folder."""
    recipe: Recipe
    settings: Mapping[str, Any]
    """What is special about it."""
    init: str = "weights"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a trial."""

    trial: Trial
    run: Run | None
    failed: str = ""
    """Why there is no run."""

    @property
    def best(self) -> dict[str, Any]:
        """The line of the weights that were kept."""
        lines = [] if self.run is None else read_metrics(self.run.folder)
        return next((line for line in reversed(lines) if line.get("best")), {})

    @property
    def seconds(self) -> float:
        """Of all epochs, validation too."""
        return 0.0 if self.run is None else sum(line["seconds"] for line in read_metrics(self.run.folder))


def plan(recipe: Recipe, vary: Sequence[str], init: str = "weights") -> list[Trial]:
    """A trial for each combination of the values: ["backbone=resnet10t,lcnet_050", "lr=1e-3,3e-3"] are four.

    Values of settings that are lists themselves are parted by |: scale=.75,1.25|.5,1.5.
    """
    said = [_values(recipe, words) for words in vary]
    names = [name for name, _ in said]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise PoseError(f"--vary {twice}", "given twice", f"all its values in one: --vary {twice}=a,b,c")
    trials: dict[str, Trial] = {}
    for values in itertools.product(*(each for _, each in said)):
        changed = recipe.with_settings(f"{name}={value}" for name, value in zip(names, values, strict=True))
        label = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        trials.setdefault(label, Trial(name=_folder(label), recipe=changed, settings={name: getattr(changed, name) for name in names}, init=init))
    if not trials or not names:
        raise PoseError("sweep", "nothing varies", "--vary backbone=resnet10t,lcnet_050, as often as there are settings to vary")
    if len(trials) > MOST:
        raise PoseError("sweep", f"{len(trials):,} combinations", f"at most {MOST}; fewer values, or one sweep after another")
    return list(trials.values())


def _values(recipe: Recipe, words: str) -> tuple[str, list[str]]:
    name, equals, text = words.partition("=")
    name = name.strip().replace("-", "_")
    listed = isinstance(getattr(recipe, name, None), tuple)
    values = [v.strip() for v in text.split("|" if listed or "|" in text else ",")]
    if not equals or not all(values):
        raise PoseError(f"--vary {brief(words)}", "no values" if not text else "an empty value", "write name=a,b,c, such as --vary lr=1e-3,3e-3")
    return name, list(dict.fromkeys(values))


def _folder(label: str) -> str:
    """A folder's name that says the settings, on every system."""
    return "".join(c if c.isalnum() or c in "=._-," else "_" for c in label)[:120]


def learn(trial: Trial, folder: Path, **how: Any) -> Outcome:
    """Make a run, go on with it, or find it made. What cannot be learned says why and stops no other run; Ctrl-C stops all."""
    try:
        from .train import Stopped, train
    except ModuleNotFoundError as e:
        raise needs(f"training ({e.name})", "train") from None
    begun = (folder / CONFIG).exists()
    try:
        if begun and _done(folder, trial.recipe):
            return Outcome(trial=trial, run=read_run(folder))
        return Outcome(trial=trial, run=train(trial.recipe, folder, init="weights" if begun else trial.init, resume=begun, **how))
    except Stopped:
        raise
    except (PoseError, RuntimeError, ValueError) as e:  # a network that does not exist, or not at this size, is a result too
        return Outcome(trial=trial, run=None, failed=str(e) if isinstance(e, PoseError) else brief(f"{type(e).__name__}: {e}", 160))


def _done(folder: Path, recipe: Recipe) -> bool:
    """Whether the folder holds this recipe's run, learned to its end."""
    run = read_run(folder)
    if run.recipe.fingerprint != recipe.fingerprint:
        same = ("name", "note", "published")
        other = next(f.name for f in fields(Recipe) if getattr(run.recipe, f.name) != getattr(recipe, f.name) and f.name not in same)
        seen = f"holds a run with {other}={getattr(run.recipe, other)}, not {getattr(recipe, other)}"
        raise PoseError(str(folder), seen, "the settings it was begun with, or another --out")
    lines = read_metrics(folder) if (folder / "metrics.jsonl").exists() else []
    return bool(lines) and lines[-1]["epoch"] == recipe.epochs


# -- tables --------------------------------------------------------------------------------------------


def write_table(path: Path, values: Mapping[str, Any]) -> Path:
    """Plain values as JSON; a row is a line, so that two versions can be compared."""
    parts = []
    for name, value in values.items():
        rows = isinstance(value, list) and value and isinstance(value[0], Mapping)
        text = "[\n  " + ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n ]" if rows else json.dumps(value, ensure_ascii=False)
        parts.append(f" {json.dumps(name)}: {text}")
    return write_bytes(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def read_table(path: str | Path, needed: str = "rows") -> dict[str, Any]:
    """What `write_table` wrote."""
    try:
        values = json.loads(Path(path).read_bytes())
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "name the .json that baselines sweep or ablate wrote") from None
    except (ValueError, RecursionError) as e:
        raise FormatError(str(path), brief(str(e), 80), "the file is not as baselines wrote it") from None
    if not isinstance(values, dict) or not isinstance(values.get(needed), list):
        raise FormatError(str(path), f"no {needed}", "the file is not as baselines wrote it")
    return values
