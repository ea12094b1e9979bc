"""Rows of the leaderboard, published and computed, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posedata.errors import Fault, FormatError, PoseError, brief, did_you_mean, raise_faults
from posedata.files import write_bytes

__all__ = ["BOARD", "FIELDS", "PUBLISHED", "Board", "Row", "read_board", "read_rows"]

PUBLISHED = Path(__file__).parents[1] / "published.json"
"""Numbers of others, as their sources print them."""
BOARD = Path(__file__).parents[1] / "leaderboard.json"
"""Rows we computed, each from a file of predictions."""
_VERSION = 1

FIELDS = {
    "id": "name of the row",
    "dataset": "what was predicted on",
    "config": "its configuration",
    "split": "its split",
    "model": "what predicted",
    "kind": "top-down, bottom-up, one-stage, two-stage, conditional top-down",
    "input": "pixels the network sees, height x width as the sources print it",
    "train": "data it was trained on",
    "pretraining": "where its weights started; none: from scratch",
    "recipe": "how it was trained",
    "boxes": "where its boxes came from: truth, a detector with its box AP, none; rows of different sources are never ranked together",
    "flip_test": "whether mirrored images were averaged in",
    "conditions": "what else the model was told: none, poses predicted by a model, or something made from the truth; never ranked together",
    "score": "what the score of a pose is",
    "nms": "how duplicates were thinned",
    "evaluator": "whose program made the number",
    "protocol": "rules of the score by name, and the fingerprint of their choices",
    "truth": "fingerprint of the annotations scored against",
    "metrics": "numbers from 0 to 1, by their spelling; the first ranks",
    "intervals": "low and high end for some of them",
    "interval_how": "how the intervals were made",
    "groups": "letters; rows of one ranking that share one cannot be told apart",
    "params_m": "millions of parameters",
    "gmac": "billions of multiply-adds of one forward pass at that input, counted",
    "gflops": "the same as the source prints it, whose unit is often the multiply-add",
    "size_mb": "megabytes of the weights' file",
    "images_per_second": "crops through network and decoding, flip test included, on the hardware named",
    "hardware": "where that was measured",
    "run": "the run that made the weights",
    "command": "how to make the predictions again",
    "predictions": "file of predictions beside the board, and its sha256",
    "reason": "why the row cannot be computed again by everybody",
    "source": "where a published number stands",
    "note": "what a reader should know",
}
NUMBERS = ("params_m", "gmac", "gflops", "size_mb", "images_per_second")
_LISTS = ("train",)
_TABLES = ("metrics", "intervals", "predictions")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One result with everything that must be known to compare it; None is unknown. FIELDS says what each field means."""

    id: str
    dataset: str
    model: str
    metrics: Mapping[str, float | None]
    config: str | None = None
    split: str | None = None
    kind: str | None = None
    input: str | None = None
    train: tuple[str, ...] | None = None
    pretraining: str | None = None
    recipe: str | None = None
    boxes: str | None = None
    flip_test: bool | None = None
    conditions: str | None = None
    score: str | None = None
    nms: str | None = None
    evaluator: str | None = None
    protocol: str | None = None
    truth: str | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    interval_how: str | None = None
    groups: str | None = None
    params_m: float | None = None
    gmac: float | None = None
    gflops: float | None = None
    size_mb: float | None = None
    images_per_second: float | None = None
    hardware: str | None = None
    run: str | None = None
    command: str | None = None
    predictions: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    source: str | None = None
    note: str | None = None

    @property
    def headline(self) -> str:
        """The metric that ranks."""
        return next(iter(self.metrics))

    @property
    def published(self) -> bool:
        """Whether the number is somebody's word, not made by us from predictions."""
        return self.protocol is None

    @property
    def set_name(self) -> str:
        """What was predicted on, in one word."""
        return "/".join(part for part in (self.dataset, self.config, self.split) if part and part != "default")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is unknown is left out."""
        values = {name: getattr(self, name) for name in FIELDS}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None and v != {}}


def row_of(values: Mapping[str, Any], where: str) -> Row:
    """A row from plain values, all its faults told at once."""
    faults = [Fault(f"{where}.{k}", "no such field", did_you_mean(k, FIELDS)) for k in values if k not in FIELDS]
    faults += [fault for k, v in values.items() if k in FIELDS and v is not None for fault in _faults(f"{where}.{k}", k, v)]
    faults += [Fault(where, f"no {k!r}") for k in ("id", "dataset", "model", "metrics") if not values.get(k)]
    raise_faults("leaderboard", faults)
    known: dict[str, Any] = {k: tuple(v) if k in _LISTS else v for k, v in values.items() if v is not None}
    known["intervals"] = {k: tuple(ends) for k, ends in known.get("intervals", {}).items()}
    return Row(**known)


def _faults(where: str, name: str, value: Any) -> Iterable[Fault]:
    if name in NUMBERS:
        good, needed = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0, "a number of 0 or more"
    elif name in _LISTS:
        good, needed = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value), "a list of texts"
    elif name in _TABLES:
        good, needed = isinstance(value, Mapping) and all(_TABLE_VALUES[name](v) for v in value.values()), "a table; see docs/leaderboard.md"
    elif name == "flip_test":
        good, needed = isinstance(value, bool), "true or false"
    else:
        good, needed = isinstance(value, str), "text"
    if not good:
        yield Fault(where, brief(value), needed)


def _is_share(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value == value)


_TABLE_VALUES: Mapping[str, Callable[[Any], bool]] = {
    "metrics": _is_share,
    "intervals": lambda v: isinstance(v, list | tuple) and len(v) == 2 and all(_is_share(x) and x is not None for x in v),
    "predictions": lambda v: isinstance(v, str),
}


@dataclass(frozen=True, kw_only=True)
class Board:
    """The rows we computed and those of others."""

    computed: tuple[Row, ...] = ()
    published: tuple[Row, ...] = ()
    path: Path = BOARD

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.computed, *self.published)

    @property
    def folder(self) -> Path:
        """Predictions lie in a folder beside the board."""
        return self.path.parent

    def with_rows(self, rows: Iterable[Row]) -> Board:
        """The board with these rows in place of those of the same id, new ones at the end."""
        changed = {row.id: row for row in rows}
        kept = [changed.pop(row.id, row) for row in self.computed]
        return replace(self, computed=(*kept, *changed.values()))

    def write(self) -> Path:
        """The computed rows as JSON, one a line, so that a change reads as one."""
        lines = ",\n  ".join(json.dumps(row.to_dict(), ensure_ascii=False) for row in self.computed)
        body = f"\n  {lines}\n " if lines else ""
        return write_bytes(self.path, f'{{\n "version": {_VERSION},\n "rows": [{body}]\n}}\n'.encode())


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of one file."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as e:
        raise FormatError(str(path), (e.strerror or str(e)).lower(), "check the path") from None
    except ValueError as e:
        raise FormatError(str(path), f"no JSON ({brief(str(e))})", "restore the file") from None
    if not isinstance(values, dict) or values.get("version") != _VERSION or not isinstance(values.get("rows"), list):
        raise FormatError(str(path), "no leaderboard", f'an object with "version": {_VERSION} and "rows" is needed')
    rows = [row_of(v if isinstance(v, dict) else {}, f"rows[{i}]") for i, v in enumerate(values["rows"])]
    repeated = next((row.id for i, row in enumerate(rows) if row.id in {other.id for other in rows[:i]}), None)
    if repeated is not None:
        raise FormatError(str(path), f"two rows are called {repeated!r}", "give each its own id")
    return tuple(rows)


def read_board(path: str | Path | None = None, published: Path = PUBLISHED) -> Board:
    """The leaderboard: ours, or the one of a file; a file that is not there yet is an empty board."""
    own = BOARD if path is None else Path(path)
    if path is not None and own.suffix != ".json":
        raise PoseError(str(path), "no board", "name a .json file")
    return Board(computed=read_rows(own) if own.exists() else (), published=read_rows(published), path=own)
