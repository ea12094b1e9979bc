"""Sources: truth and predictions from whatever a caller names, read so that each helps to understand the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from posedata.dataset import PoseDataset
from posedata.errors import FormatError, PoseError, brief
from posedata.predictions import Predictions
from posedata.schema import Schema

__all__ = ["read_both"]

Source = str | Path


def read_both(
    truth: PoseDataset | Source | None,
    predictions: Predictions | Source | Sequence[Source],
    schema: Schema | Source | None = None,
    foreign: bool = False,
    root: Source | None = None,
) -> tuple[PoseDataset, Predictions]:
    """Truth and predictions, read where they are files.

    Predictions without a header follow `schema`, else the truth's; with `foreign` only what their header or `schema` says.
    """
    _require_source(truth, "truth", PoseDataset, type(None))
    _require_source(predictions, "predictions", Predictions, Sequence)
    for each in predictions if isinstance(predictions, Sequence) else ():
        _require_source(each, "predictions")
    if isinstance(truth, PoseDataset):
        known = truth
    elif truth is not None:
        from posedata.formats.anything import read  # not at the top: it brings msgspec, which tables made in memory do not need

        known = read(truth, schema=None if foreign else schema, root=root)
    else:
        found = predictions if isinstance(predictions, Predictions) else _predictions(predictions, schema)
        return truth_of(found, root), found
    if isinstance(predictions, Predictions):
        return known, predictions
    return known, _predictions(predictions, schema) if foreign else _read_as(predictions, known)


def _require_source(value: Any, name: str, *others: type) -> None:
    if not isinstance(value, (str, Path, *others)) or isinstance(value, bytes):
        raise PoseError(f"evaluate: {name}", brief(repr(value)), "files, the name of a dataset, or a PoseDataset and Predictions are needed")


def _predictions(source: Source | Sequence[Source], *known: Any) -> Predictions:
    from posedata.formats.results import read_predictions

    return read_predictions(source, *known)


def _read_as(predictions: Source | Sequence[Source], truth: PoseDataset) -> Predictions:
    """Predictions of the truth's schema, or of the one their header names: `align` says what to do about two."""
    try:
        return _predictions(predictions, truth.schema, truth.categories)
    except FormatError as e:
        with suppress(FormatError):
            return _predictions(predictions)
        if not e.cure and "numbers, " in e.seen and " needs " in e.seen:
            raise FormatError(e.where, e.seen, "points of another schema? say which: --schema NAME --mapping known (schema=, mapping=)") from None
        raise


def truth_of(pred: Predictions, root: Source | None = None) -> PoseDataset:
    """The dataset that the header of the predictions names; never a path, for a file of others does not choose what is read here."""
    said = {k: pred.header.get(k) for k in ("dataset", "config", "split")}
    for key, value in said.items():
        if value is not None and not isinstance(value, str):
            raise PoseError(f"predictions header {key}", brief(repr(value)), "a name is needed")
    if not said["dataset"]:
        raise PoseError("predictions", "no header says what they were made on", "name the truth: --dataset ID --split S, or --truth FILE")
    try:
        return catalogued(said["dataset"], said["config"], said["split"], root)
    except PoseError as e:
        named = "/".join(v for v in said.values() if v)
        cure = e.cure if said["split"] else f"were they made on a file of your own, name it: --truth FILE; else {e.cure}"
        raise PoseError(f"predictions header names {brief(named)!r}: {e.where}", e.seen, cure) from None


def catalogued(dataset: str, config: str | None, split: str | None, root: Source | None = None) -> PoseDataset:
    """A split of a dataset of the catalogue; its first configuration unless one is named."""
    from posedata.catalog import entry, load_split

    known = entry(dataset)
    chosen = config or next(iter(known.splits))
    if not split:
        raise PoseError(dataset, "no split is named", f"--split, one of: {', '.join(known.splits.get(chosen, ()))}")
    return load_split(dataset, chosen, split, root)
