"""Crops: the part of a picture around one case, small enough to be mailed, and both poses as lines over it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import FormatError
from posedata.images import cut_square, jpeg, open_image, square_around
from posedata.pages import Html, named, tag
from posedata.progress import bar
from posedata.tables import Images

from ..errors.report import ErrorReport
from .cases import Case

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["TILE", "around_truth", "crop_of", "framed", "overlay", "pictures", "unseen"]

Floats = NDArray[np.float64]
Square = tuple[float, float, float]

TILE = 240
"""Pixels of a crop's side."""
BEYOND = (74, 74, 80)
"""Where a crop leaves its picture; the page has the same behind poses without one."""
MOST_BYTES = 6_000_000
"""Of all crops of a report together, as they stand in the page."""


def framed(report: ErrorReport, case: Case) -> Square:
    """The square to look at: around the truth, and around the prediction as far as it is near."""
    truth, pred = _truth_points(report, case), _pred_points(report, case)
    if not len(truth):
        return square_around(pred) if len(pred) else (0.0, 0.0, 24.0)
    x, y, side = square_around(truth, 0.35)
    near = pred[(np.abs(pred - (x + side / 2, y + side / 2)) < side).all(1)]
    return square_around(np.concatenate([truth, near]), 0.2) if len(near) else (x, y, side)


def _truth_points(report: ErrorReport, case: Case) -> Floats:
    """(n, 2) labelled points, or the corners of the box where there is none."""
    if case.truth < 0:
        return np.zeros((0, 2))
    own = report.ev.truth.instances
    points = own.keypoints[case.truth][own.labelled[case.truth], :2]
    box = own.bbox[case.truth]
    return points if len(points) or np.isnan(box).any() else np.array([box[:2], box[:2] + box[2:]]) - 0.5


def _pred_points(report: ErrorReport, case: Case) -> Floats:
    if case.pred < 0:
        return np.zeros((0, 2))
    points = report.ev.predictions.keypoints[case.pred]
    return points[~np.isnan(points[:, 0]), :2]


def pictures(report: ErrorReport, cases: Sequence[Case], quiet: bool = True) -> dict[int, str]:
    """Crops as data addresses, by place among the cases; those of pictures that are not at hand, or beyond `MOST_BYTES`, are left out."""
    made: dict[int, str] = {}
    with bar("crops", len(cases), quiet) as advance:
        for row, mine in groupby(sorted(range(len(cases)), key=lambda i: cases[i].image), key=lambda i: cases[i].image):
            places = list(mine)
            with suppress(FormatError):  # `unseen` says why
                picture = open_image(report.ev.truth.images, row)
                made.update((i, _address(cut_square(picture, framed(report, cases[i]), TILE, BEYOND))) for i in places)
            advance(len(places))
    sizes = np.cumsum([len(made.get(i, "")) for i in range(len(cases))])
    return {i: made[i] for i in sorted(made) if sizes[i] <= MOST_BYTES}


def around_truth(report: ErrorReport, case: Case) -> Square:
    """The square around the truth alone: the same for every model's prediction."""
    truth = _truth_points(report, case)
    return square_around(truth, 0.4) if len(truth) else framed(report, case)


def crop_of(report: ErrorReport, case: Case, square: Square) -> str | None:
    """The crop of one case as a data address; None where its picture is not at hand."""
    with suppress(FormatError):
        return _address(cut_square(open_image(report.ev.truth.images, case.image), square, TILE, BEYOND))
    return None


def _address(picture: Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture, 70)).decode()


def unseen(images: Images, row: int) -> str:
    """Why a picture cannot be opened; '' where it can."""
    try:
        open_image(images, row)
    except FormatError as e:
        return f"{e.where}: {e.seen}" + (f"; {e.cure}" if e.cure else "")
    return ""


# -- lines -------------------------------------------------------------------------------------------


def overlay(report: ErrorReport, case: Case, square: Square, **attributes: object) -> Html:
    """Both poses over a crop: the truth white, the prediction bright, its points in the colours of their labels, a line from where each belongs."""
    schema = report.ev.truth.schema
    truth, known = _pose(report.ev.truth, case.truth)
    pred = report.ev.predictions.keypoints[case.pred] if case.pred >= 0 else np.full((len(schema), 3), np.nan)
    said = ~np.isnan(pred[:, 0])
    own, other = _on_tile(truth, square), _on_tile(pred, square)
    parts = [
        _limbs(schema.limb_rows, own, known, "t"),
        _dots(own, known, truth[:, 2] == 1),
        _limbs(schema.limb_rows, other, said, "p"),
        *_marks(report, case, own, other, known, said),
    ]
    return tag("svg", *parts, viewBox=f"0 0 {TILE} {TILE}", width=TILE, height=TILE, **attributes)


def _pose(ds: PoseDataset, row: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(K, 3) points and (K,) which are labelled; none without a row."""
    if row < 0:
        return np.zeros((len(ds.schema), 3)), np.zeros(len(ds.schema), bool)
    return ds.instances.keypoints[row], ds.instances.labelled[row]


def _on_tile(points: Floats, square: Square) -> Floats:
    """(K, 2) in the tile; what is far outside comes to its neighbourhood, so that no number is long."""
    x, y, side = square
    with np.errstate(invalid="ignore"):
        return np.clip((points[:, :2] + 0.5 - (x, y)) * (TILE / side), -TILE, 2 * TILE)


def _limbs(limbs: NDArray[np.intp], xy: Floats, there: NDArray[np.bool_], class_: str) -> Html | None:
    drawn = [(a, b) for a, b in limbs.tolist() if there[a] and there[b]]
    if not drawn:
        return None
    path = "".join(f"M{_at(xy[a])}L{_at(xy[b])}" for a, b in drawn)
    # twice, for a dark edge: pictures have every colour
    return Html(f'<path class="halo" d="{path}"/><path class="{class_}" d="{path}"/>')


def _at(point: Floats) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}".replace(".0", "")


def _dots(xy: Floats, known: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Html:
    """Points of the truth; hidden ones are hollow."""
    return Html("".join(f'<circle class="{"h" if hidden[k] else "t"}" {_centre(xy[k])} r="2.6"/>' for k in np.flatnonzero(known).tolist()))


def _centre(point: Floats) -> str:
    return f'cx="{point[0]:.1f}" cy="{point[1]:.1f}"'.replace('.0"', '"')


def _marks(report: ErrorReport, case: Case, own: Floats, other: Floats, known: NDArray[np.bool_], said: NDArray[np.bool_]) -> list[Html]:
    """Points of the prediction by label, named; dashes to where they belong."""
    names, made = report.ev.truth.schema.names, []
    labels = dict(zip(report.labelled.problem.columns.tolist(), zip(case.labels, case.similarity, strict=True), strict=True))
    for k in range(len(names)):
        label, similarity = labels.get(k, ("", 0.0))
        wrong = label not in ("", "good")
        if wrong and known[k] and said[k]:
            made.append(Html(f'<path class="e k-{label}" d="M{_at(own[k])}L{_at(other[k])}"/>'))
        if label == "absent" and known[k]:
            made.append(tag("circle", _title(f"{names[k]}: absent"), class_="a", cx=round(float(own[k, 0]), 1), cy=round(float(own[k, 1]), 1), r=6))
        if said[k]:
            text = f"{names[k]}: {label}, similarity {similarity:.2f}" if label and label != "surplus" else f"{names[k]}: {label or 'not labelled'}"
            made.append(Html(f'<circle class="k k-{label or "none"}" {_centre(other[k])} r="{4 if wrong else 3}">{_title(text)}</circle>'))
    return made


def _title(text: str) -> Html:
    return tag("title", named(text, 100))
