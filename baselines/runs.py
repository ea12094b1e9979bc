"""A run's folder: what lies in it, and reading it back without torch.

config.toml          the recipe                     run.json     schema, start, versions, hardware
metrics.jsonl        a line for each epoch          training.log the same for people
best.safetensors     the weights that were chosen   predictions.json   what they make of val
last.safetensors     the weights of the last epoch  resume.safetensors everything needed to go on
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, PoseError, brief
from posedata.files import write_bytes
from posedata.schema import Schema

from .recipes import Recipe, read_recipe

__all__ = ["BEST", "LAST", "PREDICTIONS", "RESUME", "Run", "read_metrics", "read_run"]

CONFIG, FACTS, METRICS, LOG = "config.toml", "run.json", "metrics.jsonl", "training.log"
BEST, LAST, RESUME, PREDICTIONS = "best.safetensors", "last.safetensors", "resume.safetensors", "predictions.json"


@dataclass(frozen=True)
class Run:
    """A run's folder and what it says of itself."""

    folder: Path
    recipe: Recipe
    schema: Schema
    facts: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The best weights, or the last where there was nothing to choose by."""
        best = self.folder / BEST
        return best if best.exists() else self.folder / LAST


def read_run(folder: str | Path) -> Run:
    """The recipe, schema and facts of a run."""
    folder = Path(folder)
    if not (folder / CONFIG).is_file() or not (folder / FACTS).is_file():
        raise FormatError(str(folder), f"no run: {CONFIG} and {FACTS} are not there", "name the folder that baselines train made")
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        return Run(folder, read_recipe(folder / CONFIG), Schema.from_dict(facts["schema"], f"{folder / FACTS} schema"), facts)
    except PoseError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise FormatError(str(folder / FACTS), brief(str(e), 100), "the file is not as baselines train wrote it") from None


def read_metrics(folder: str | Path) -> list[dict[str, Any]]:
    """A dictionary for each epoch that was recorded."""
    path = Path(folder) / METRICS
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "name the folder that baselines train made") from None
    except (ValueError, RecursionError) as e:
        raise FormatError(str(path), brief(str(e), 100), "the file is not as baselines train wrote it") from None
    if not all(isinstance(line, dict) and isinstance(line.get("epoch"), int) for line in lines):
        raise FormatError(str(path), "a line without an epoch", "the file is not as baselines train wrote it")
    return lines


def write_metrics(folder: Path, lines: list[dict[str, Any]]) -> None:
    """All lines anew: a killed run leaves the old file or the new one."""
    write_bytes(folder / METRICS, "".join(json.dumps(line) + "\n" for line in lines).encode())
