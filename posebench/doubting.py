"""The command `labels`: from its options to a ranking, printed, written or drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.command import emit, say
from posedata.errors import PoseError, brief, did_you_mean
from posedata.files import write_bytes

from .labels import KINDS, label_errors
from .plain import plain
from .scoring import evaluated

__all__ = ["labels_command"]

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def labels_command(predictions: Sequence[str], options: Mapping[str, Any], as_json: bool, quiet: bool) -> None:
    """Rank, print, write."""
    from posedata.progress import bar

    out, n, kind = options["out"], options["most"], options["kind"]
    if out and Path(out).suffix.lower() not in (*PICTURES, ".json", ".csv", ".parquet"):
        raise PoseError(f"-o {brief(out)}", "a form we do not write", "a picture (.png, .jpg, .webp) or a table (.csv, .json, .parquet)")
    if kind is not None and kind not in KINDS:
        raise PoseError(f"--kind {brief(kind)}", "no kind of label error", did_you_mean(kind, KINDS))
    evs = []
    with bar("folds", len(predictions), quiet or as_json) as step:
        for path in predictions:
            evs.append(evaluated([path], options))
            step(1)
    found = label_errors(evs)
    values = found.to_dict(n, kind)
    if out:
        if Path(out).suffix.lower() in PICTURES:
            from posedata.images import save_picture

            save_picture(found.sheet(min(n, _SHOWN), kind), out)
            values["shown"] = min(n, _SHOWN)
        elif Path(out).suffix == ".json":
            write_bytes(out, json.dumps(plain(values), ensure_ascii=False, indent=1).encode())
        else:
            from .frames import write_frame

            write_frame(found.frame(n, kind), out)
        values["out"] = out
        say(f"written to {out}", quiet or as_json)
    emit(values, found.as_text(min(n, _LINES), kind), as_json)


_SHOWN, _LINES = 120, 30
"""Suspects on one picture, and lines on a terminal, at most; tables hold all that are asked for."""
