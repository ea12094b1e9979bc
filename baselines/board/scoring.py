"""Rows made from predictions, and made again: the same number to 1e-9, or the board is wrong."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posebench.evaluation import Evaluation, evaluate, protocol_of
from posebench.metrics import canonical, read_metric
from posebench.protocol import Protocol
from posebench.protocols import load_protocol
from posebench.sources import catalogued
from posedata.dataset import PoseDataset
from posedata.entries import called
from posedata.errors import CatalogError, FormatError, PoseError, brief, did_you_mean
from posedata.files import write_bytes
from posedata.predictions import Predictions
from posedata.version import __version__

from .ranking import RANKED_BY, standing_letters
from .rows import FIELDS, NUMBERS, Board, Row, row_of

__all__ = ["KEPT_IN", "TOLERANCE", "Outcome", "add_row", "measured_path", "recompute"]

TOLERANCE = 1e-9
"""Two machines may add up in another order; anything larger is another number."""
KEPT_IN = "predictions"
"""Folder beside the board."""
_SETTABLE = tuple(name for name in FIELDS if name not in ("id", "metrics", "intervals", "interval_how", "groups", "predictions", "protocol", "truth"))


@dataclass(frozen=True)
class Outcome:
    """What came of computing one row again."""

    id: str
    state: str
    """equal, different, or left."""
    text: str


# -- adding ------------------------------------------------------------------------------------------


def add_row(
    board: Board,
    predictions: str | Path,
    *,
    name: str | None = None,
    truth: PoseDataset | None = None,
    protocol: Protocol | str | Path | None = None,
    metrics: Sequence[str] = (),
    settings: Sequence[str] = (),
    run: str | Path | None = None,
    private: str | None = None,
    root: str | Path | None = None,
) -> tuple[Board, Row]:
    """The board with a row for a file of predictions, scored now, and kept beside the board unless `private` says why not."""
    from posedata.formats.results import read_predictions

    path = Path(predictions)
    pred = read_predictions(path, None if truth is None else truth.schema, None if truth is None else truth.categories)
    ev = evaluate(truth, pred, protocol, root=root)
    said = {**_of_header(ev), **_measured(path), **({} if run is None else _of_run(run)), **_spoken(settings)}
    chosen = name or _free_name(board, said)
    if any(row.id == chosen for row in board.published):
        raise PoseError(f"--id {chosen}", "a published row", "choose another name")
    kept = {"file": f"{KEPT_IN}/{chosen}{path.suffix}", "sha256": _digest(path)}
    row = row_of({**said, **numbers(ev, metrics), "id": chosen, "predictions": kept, "reason": private or _unreachable(ev)}, chosen)
    if private is None:
        write_bytes(board.folder / kept["file"], path.read_bytes())
    return _grouped(board.with_rows([row]), row, {chosen: ev}, root), row


def numbers(ev: Evaluation, more: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a row that an evaluation fills: numbers, an interval for the first, protocol and truth."""
    names = list(dict.fromkeys([*ev.table, *(canonical(read_metric(m)) for m in more)]))
    values = {name: _plain(ev[name]) for name in names}
    interval = ev.interval(names[0])
    known = not math.isnan(interval.low) and not math.isnan(interval.high)
    return {
        "metrics": values,
        "intervals": {names[0]: [interval.low, interval.high]} if known else {},
        "interval_how": interval.how if known else None,
        "protocol": f"{ev.protocol.name} {ev.protocol.fingerprint}",
        "truth": ev.truth.fingerprint,
        "evaluator": f"posebench {__version__}",
    }


def measured_path(predictions: str | Path) -> Path:
    """Where `baselines predict` puts what it measured, beside the predictions."""
    return Path(predictions).with_suffix(".measured.json")


def _of_header(ev: Evaluation) -> dict[str, Any]:
    """What the header of the predictions says, in the words of a row."""
    header = ev.predictions.header
    named = called(ev.truth.name) or {"dataset": ev.truth.name, **{k: header[k] for k in ("config", "split") if header.get(k)}}
    said = {k: _text(header[k]) for k in ("model", "recipe", "boxes", "score") if header.get(k)}
    flip = {"flip_test": header["flip_test"]} if isinstance(header.get("flip_test"), bool) else {}
    return {"model": "unnamed", **named, **said, **flip, **_conditions(header)}


def _conditions(header: Mapping[str, Any]) -> dict[str, str]:
    """What the model was told, apart from what was done to its predictions."""
    said = header.get("conditions") or {}
    if not isinstance(said, dict):
        return {"conditions": _text(said)}
    rest = {k: v for k, v in said.items() if k not in ("oks_nms", "leave_out")}
    nms = {"nms": f"OKS {said['oks_nms']:g}"} if isinstance(said.get("oks_nms"), int | float) else {}
    note = {"note": f"points less likely than {said['leave_out']} left out"} if "leave_out" in said else {}
    if header.get("model") == "simulated":
        return {"conditions": "made from the truth", "note": _text(rest)}
    return {"conditions": _text(rest) if rest else "none", **nms, **note}


def _measured(predictions: Path) -> dict[str, Any]:
    """What predict measured, where its file lies beside the predictions."""
    path = measured_path(predictions)
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise FormatError(str(path), brief(str(e), 80), "delete it, or predict again") from None
    known = {k: v for k, v in values.items() if k in _SETTABLE} if isinstance(values, dict) else {}
    return {k: v for k, v in known.items() if v is not None}


def _of_run(folder: str | Path) -> dict[str, Any]:
    """What a run's folder says of its model."""
    from ..runs import read_run

    run = read_run(folder)
    recipe = run.recipe
    return {
        "run": run.folder.name,
        "recipe": recipe.name,
        "input": f"{recipe.height}x{recipe.width}",
        "train": [" ".join(filter(None, (recipe.dataset, recipe.config, recipe.train)))],
        "size_mb": round(run.weights.stat().st_size / 1e6, 3),
    }


def _spoken(settings: Sequence[str]) -> dict[str, Any]:
    """FIELD=VALUE as a command line says it."""
    said: dict[str, Any] = {}
    for words in settings:
        name, equals, text = words.partition("=")
        if name not in _SETTABLE:
            raise PoseError(f"--set {brief(words)}", f"no field {brief(name)!r}", did_you_mean(name, _SETTABLE))
        if not equals:
            raise PoseError(f"--set {brief(words)}", "no value", "write field=value, such as --set params_m=3.8")
        said[name] = _value(name, text.strip())
    return said


def _value(name: str, text: str) -> Any:
    if name == "train":
        return [part.strip() for part in text.split(",") if part.strip()]
    if name == "flip_test":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if name in NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _free_name(board: Board, said: Mapping[str, Any]) -> str:
    """DATASET-CONFIG-SPLIT-MODEL, numbered where that is taken."""
    words = [said.get(k) for k in ("dataset", "config", "split", "recipe", "model")]
    words = [w for w in words if w and w != "default"][:4] if said.get("recipe") else [w for w in words if w and w != "default"]
    stem = "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in str(w)) for w in words)[:80]
    taken = {row.id for row in board.rows}
    return stem if stem not in taken else next(f"{stem}-{i}" for i in range(2, len(taken) + 3) if f"{stem}-{i}" not in taken)


def _unreachable(ev: Evaluation) -> str | None:
    """Why nobody else can score again, where the truth is no dataset of the catalogue."""
    return None if called(ev.truth.name) else f"its truth is a file of its own: {ev.truth.name}"


# -- computing again ---------------------------------------------------------------------------------


def recompute(
    board: Board, *, root: str | Path | None = None, folders: Sequence[str | Path] = (), truths: Sequence[PoseDataset] = ()
) -> tuple[Board, list[Outcome]]:
    """Every row that has its predictions and its truth, scored again; the board with fresh groups, and what came of each row.

    `folders` hold predictions that are not kept beside the board; `truths` are sets of no catalogue, known by their fingerprint.
    """
    known = {truth.fingerprint: truth for truth in truths}
    evaluations: dict[str, Evaluation] = {}
    outcomes = []
    for row in board.computed:
        try:
            evaluations[row.id] = _evaluated(row, board.folder, root, folders, known)
        except _Left as e:
            outcomes.append(Outcome(row.id, "left", str(e)))
        except PoseError as e:
            outcomes.append(Outcome(row.id, "different", str(e)))
        else:
            outcomes.append(_outcome(row, evaluations[row.id]))
    return regrouped(board, evaluations), outcomes


class _Left(Exception):
    """Why a row is left as it is."""


def _evaluated(row: Row, folder: Path, root: str | Path | None, folders: Sequence[str | Path], known: dict[str, PoseDataset]) -> Evaluation:
    """A row's predictions scored again; truths are read once."""
    pred = _predictions(row, folder, folders)
    if row.truth not in known:
        truth = _catalogued(row, None if root is None else str(root))
        if truth.fingerprint != row.truth:
            raise PoseError(
                row.id, f"{truth.name} has the fingerprint {truth.fingerprint}, the row {row.truth}", "its annotations have changed: add the row again"
            )
        known[truth.fingerprint] = truth
    protocol = _protocol(row, known[str(row.truth)])
    return evaluate(known[str(row.truth)], pred, protocol)


def _predictions(row: Row, folder: Path, folders: Sequence[str | Path]) -> Predictions:
    from posedata.formats.results import read_predictions

    file = row.predictions.get("file")
    if not file:
        raise _Left(row.reason or "it has no file of predictions")
    candidates = [folder / file, *(Path(other) / Path(file).name for other in folders)]
    path = next((p for p in candidates if p.is_file()), None)
    if path is None:
        raise _Left(row.reason or f"its predictions are not here: {file}")
    if _digest(path) != row.predictions.get("sha256"):
        raise PoseError(str(path), "its bytes are not those that were scored", "restore the file, or add the row again")
    return read_predictions(path)


def _catalogued(row: Row, root: str | None) -> PoseDataset:
    try:
        return catalogued(row.dataset, row.config, row.split, root)
    except CatalogError as e:
        raise _Left(f"its truth is not here: {e}") from None


def _protocol(row: Row, truth: PoseDataset) -> Protocol:
    """The protocol of the row's name, which must still make the same choices."""
    name, _, mark = str(row.protocol).rpartition(" ")
    own = protocol_of(truth)
    protocol = own if own.name == name else load_protocol(name)
    if protocol.fingerprint != mark:
        raise PoseError(row.id, f"protocol {name} is now {protocol.fingerprint}, the row's {mark}", "its choices have changed: add the row again")
    return protocol


def _outcome(row: Row, ev: Evaluation) -> Outcome:
    """Whether every number of a row is what its predictions give."""
    wrong = []
    for name, said in row.metrics.items():
        now = _plain(ev[name])
        if (said is None) != (now is None) or abs((said or 0) - (now or 0)) > TOLERANCE:
            wrong.append(f"{name} is {now}, the board says {said}")
    return Outcome(row.id, "different" if wrong else "equal", "; ".join(wrong) or f"{len(row.metrics)} numbers")


# -- who can be told apart ---------------------------------------------------------------------------


def _grouped(board: Board, row: Row, evaluations: dict[str, Evaluation], root: str | Path | None) -> Board:
    """The board with the groups of one row's ranking made anew, as far as the others' predictions are here."""
    ev = evaluations[row.id]
    for other in board.computed:
        if other.id != row.id and _key(other) == _key(row):
            try:
                evaluations[other.id] = _evaluated(other, board.folder, root, (), {str(row.truth): ev.truth})
            except (_Left, PoseError):
                continue
    return regrouped(board, evaluations)


def _key(row: Row) -> tuple[str | None, ...]:
    return tuple(of(row) for of in RANKED_BY.values())


def regrouped(board: Board, evaluations: Mapping[str, Evaluation]) -> Board:
    """The board with letters for the rows that were evaluated, ranking by ranking."""
    together: dict[tuple[str | None, ...], list[Row]] = {}
    for row in board.computed:
        if row.id in evaluations:
            together.setdefault(_key(row), []).append(row)
    changed = []
    for rows in together.values():
        letters = standing_letters({row.id: evaluations[row.id] for row in rows}, rows[0].headline)
        changed += [replace(row, groups=letters[row.id] or None) for row in rows]
    return board.with_rows(changed)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
