"""Evaluations of several files on one truth, by the names of their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.errors import PoseError
from posedata.formats.anything import read

from ..evaluation import Evaluation, evaluate
from ..options import source_of

__all__ = ["evaluations"]


def evaluations(predictions: Sequence[str], images: str | None, options: Mapping[str, Any]) -> dict[str, Evaluation]:
    """By the model that the header names, else by the file's name."""
    truth = source_of(*(options[k] for k in ("truth", "dataset", "config", "split", "root")))
    if images:
        if not isinstance(truth, str):
            raise PoseError("--images", "given without --truth", "it is where the file names of --truth lie")
        truth = read(truth, images, options["schema"] if options["mapping"] is None else None, options["root"])
    unknown = "drop" if options["allow_unknown"] else "error"
    found: dict[str, Evaluation] = {}
    for path in predictions:
        ev = evaluate(truth, path, options["protocol"], schema=options["schema"], mapping=options["mapping"], unknown=unknown, root=options["root"])
        truth = ev.truth if truth is None else truth
        word = str(ev.predictions.header.get("model") or Path(path).stem)
        found[word if word not in found else f"{word} {Path(path).stem} {len(found) + 1}"] = ev
    return found
