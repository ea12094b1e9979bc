"""Telling: the table of suspects, with a sentence for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .kinds import KINDS

if TYPE_CHECKING:
    from ..labels import LabelErrors, Suspects

__all__ = ["as_text", "columns", "keypoints_of", "sentence"]

Rows = NDArray[np.intp]


def columns(found: LabelErrors, rows: Rows, only: str | None = None) -> dict[str, Any]:
    """Ids, kind, keypoints, sentence, and a score for each kind; `only` tells of one kind, be it the likeliest or not."""
    told = [(found.folds[found.fold[i]], int(found.row[i]), only or str(found.kind[i])) for i in rows.tolist()]
    return {
        "rank": (rows + 1).tolist(),
        "score": found.score[rows] if only is None else found.scores[only][rows],
        "kind": [kind for *_, kind in told],
        "annotation_id": [_annotation(f, s) for f, s, _ in told],
        "image_id": [_image(f, s)[0] for f, s, _ in told],
        "file": [_image(f, s)[1] for f, s, _ in told],
        "fold": found.fold[rows],
        "prediction": [int(f.ev.predictions.row[f.pred[s]]) if f.pred[s] >= 0 else None for f, s, _ in told],
        "keypoints": [", ".join(keypoints_of(f, s, kind)) for f, s, kind in told],
        "sentence": [sentence(f, s, kind) for f, s, kind in told],
        **{k: found.scores[k][rows] for k in KINDS},
    }


def _annotation(f: Suspects, s: int) -> Any:
    return _plain(f.ev.truth.instances.id[f.truth[s]]) if f.truth[s] >= 0 else None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def image_row(f: Suspects, s: int) -> int:
    """Row of the image in the truth."""
    return int(f.ev.truth.instances.image[f.truth[s]] if f.truth[s] >= 0 else f.ev.workings.aligned.image[f.pred[s]])


def _image(f: Suspects, s: int) -> tuple[Any, str]:
    row, images = image_row(f, s), f.ev.truth.images
    return _plain(images.id[row]), str(images.file[row])


def keypoints_of(f: Suspects, s: int, kind: str) -> list[str]:
    """Names of the points in question."""
    return [f.ev.truth.schema.names[k] for k in np.flatnonzero(f.points[kind][s]).tolist()] if kind else []


def sentence(f: Suspects, s: int, kind: str) -> str:
    """What is suspected, with its figures."""
    if not kind:
        return "nothing is suspected"
    names = keypoints_of(f, s, kind)
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    k = f.ev.truth.schema.index(names[0]) if names else 0
    return _SAY[kind](f, s, k, listed, len(names))


def _gap(f: Suspects, s: int, k: int) -> tuple[float, float]:
    """Pixels, and sigmas, from the label to the prediction."""
    truth, pred = f.ev.truth.instances.keypoints[f.truth[s], k, :2], f.ev.predictions.keypoints[f.pred[s], k, :2]
    problem = f.evidence.problem
    sigmas = problem.sigmas[0 if len(problem.sigmas) == 1 else f.truth[s]]
    far = float(np.hypot(*(truth - pred)))
    return far, far / float(sigmas[k] * np.sqrt(problem.area[f.truth[s]]))


def _sure(f: Suspects, s: int, k: int) -> float:
    return float(f.ev.predictions.keypoints[f.pred[s], k, 2])


def _displaced(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    far, sigmas = _gap(f, s, k)
    return f"{names}: {far:.0f} px ({sigmas:.1f} sigma) from where the model finds it ({_sure(f, s, k):.2f})"


def _exchange(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    one = n == 1
    return f"{names} is labelled on the other side" if one else f"left and right exchanged: {names}"


def _neighbour(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    return f"{names} exchanged with annotation {_other(f, s)}"


def _wrong(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    far, _ = _gap(f, s, k)
    return f"{names} lies on annotation {_other(f, s)}, {far:.0f} px from where the model finds it ({_sure(f, s, k):.2f})"


def _other(f: Suspects, s: int) -> str:
    return str(f.ev.truth.instances.id[f.other[s]])


def _missing(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    x, y, c = f.ev.predictions.keypoints[f.pred[s], k].tolist()
    return f"{names} not labelled; the model finds it ({c:.2f}) at ({x:.0f}, {y:.0f})"


def _surplus(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    row = f.pred[s]
    c = 0.0 if f.ev.predictions.absent[row, k] else _sure(f, s, k)
    return f"{names} labelled; the model {_finds(c)}"


def _finds(confidence: float) -> str:
    """A point is suspected as surplus also where a model that is fairly sure puts it elsewhere; that is no doubt of its being there."""
    if confidence <= 0:
        return "finds none"
    return f"hardly finds it ({confidence:.2f})" if confidence < 0.5 else f"puts it elsewhere ({confidence:.2f})"


def _instance(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    score = float(f.ev.predictions.score[f.pred[s]])
    return f"no annotation covers what the model finds (score {score:.2f})"


def _shape(f: Suspects, s: int, k: int, names: str, n: int) -> str:
    return f"{names} lies where the rest of the pose does not expect it"


_SAY = {
    "displaced": _displaced,
    "exchange": _exchange,
    "neighbour": _neighbour,
    "wrong_instance": _wrong,
    "missing_keypoint": _missing,
    "surplus_keypoint": _surplus,
    "missing_instance": _instance,
    "shape": _shape,
}


def as_text(found: LabelErrors, n: int, kind: str | None = None) -> str:
    """The first n, a line each, and how many of each kind stand out."""
    rows = columns(found, found.top(n, kind), kind)
    sure = {k: v for k, v in found.counts().items() if v}
    lines = [f"{len(found):,} annotations and predictions looked at; above .99: " + (", ".join(f"{k} {v:,}" for k, v in sure.items()) or "none")]
    for i in range(len(rows["rank"])):
        what = f"annotation {rows['annotation_id'][i]}" if rows["annotation_id"][i] is not None else f"image {rows['image_id'][i]}"
        lines.append(f"{rows['rank'][i]:>5}  {rows['score'][i]:.4f}  {rows['kind'][i]:<17} {what}: {rows['sentence'][i]}")
    return "\n".join([*lines, *found.notes])
