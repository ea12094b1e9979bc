"""Slices: the same metric for each kind of truth, image, category or keypoint. SLICES names those that need no column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, brief, did_you_mean
from posedata.progress import bar
from posedata.rest import Rest
from posedata.similarity import box_iou

from .metrics import METRICS, Measured, canonical, measure, read_metric
from .protocols import CROWDPOSE
from .selection import Selection
from .spelling import Spelling
from .workings import Workings

__all__ = ["OVERLAP", "SLICES", "Slice", "default_metrics", "image_column", "require_fitting", "slice_names", "sliced", "slices_of"]

SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, np.inf)}
"""COCO's ends, each area in one band: the lower end belongs to it."""
OVERLAP = 0.1
"""Box overlap from which another truth crowds one (coco-analyze)."""
_MANY = 100_000
"""Predictions from which a person waits."""
_FEW = 20
"""A column of more different numbers is cut into quarters."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One row of the table: its name, and what it selects."""

    label: Any
    selection: Selection


@dataclass(frozen=True)
class Kind:
    """A way to slice that the data brings along."""

    summary: str
    slices: Callable[[Workings], Iterator[Slice]]
    only_points: bool = False
    """Whether only metrics of single points have it."""


def slices_of(workings: Workings, by: str) -> list[Slice]:
    """The slices of one kind: of SLICES, or by a column of the truth or of its images."""
    if not isinstance(by, str):
        raise PoseError(f"by={brief(repr(by))}", "a name is needed", did_you_mean(str(by), slice_names(workings)))
    if by in SLICES:
        return list(SLICES[by].slices(workings))
    truth = workings.aligned.truth
    if by in truth.instances.meta:
        return [Slice(label, Selection(truths=mask)) for label, mask in _values(truth.instances.meta[by])]
    if by in truth.images.meta:
        return [Slice(label, Selection(images=mask.astype(np.float64))) for label, mask in _values(truth.images.meta[by])]
    if by in _ALIASES:
        return slices_of(workings, _ALIASES[by])
    if (column := _key_of_file(truth.instances.rest, by)) is not None:
        return [Slice(label, Selection(truths=mask)) for label, mask in _values(column)]
    if (column := _key_of_file(truth.images.rest, by)) is not None:
        return [Slice(label, Selection(images=mask.astype(np.float64))) for label, mask in _values(column)]
    raise PoseError(f"by={brief(repr(by))}", "no such column", did_you_mean(by, slice_names(workings)))


def image_column(workings: Workings, name: str) -> NDArray[Any] | None:
    """(I,) a column of the images, or a key that their records have in the file; None where there is none."""
    images = workings.aligned.truth.images
    return images.meta[name] if name in images.meta else _key_of_file(images.rest, name)


def slice_names(workings: Workings) -> list[str]:
    """Everything this truth can be sliced by."""
    truth = workings.aligned.truth
    return [*SLICES, *truth.instances.meta, *truth.images.meta]


def sliced(workings: Workings, by: str, metrics: Sequence[str]) -> list[tuple[Any, dict[str, Measured]]]:
    """(label, metric -> number and n) for each slice."""
    wanted = [read_metric(m) for m in metrics]
    for s in wanted:
        require_fitting(by, s)
    slices, rows = slices_of(workings, by), []
    with bar(f"by {by}", len(slices) if len(workings.aligned.pred) > _MANY else 0) as advance:
        for each in slices:
            rows.append((each.label, {canonical(s): measure(workings, s, each.selection) for s in wanted}))
            advance(1)
    return rows


def default_metrics(by: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    """What is shown where nobody says; of single points those among the protocol's `own`, which fit its data."""
    if not (isinstance(by, str) and by in SLICES and SLICES[by].only_points):
        return "AP", "AR"
    return tuple(m for m in own if METRICS[read_metric(m).name].per_keypoint) or _POINTS


_POINTS = ("PCK@0.1", "PCK@0.2")


def require_fitting(by: str, s: Spelling) -> None:
    """Refuse a metric of whole poses for a slice of single points."""
    if isinstance(by, str) and by in SLICES and SLICES[by].only_points and not METRICS[s.name].per_keypoint:
        points = [name for name, m in METRICS.items() if m.per_keypoint]
        raise PoseError(f"by={by!r}", f"{s.name} is a number of whole poses", f"a visibility is one of single points: {', '.join(points)}")


# -- what the data brings along ----------------------------------------------------------------------


def _by_keypoint(workings: Workings) -> Iterator[Slice]:
    for row, name in enumerate(workings.aligned.truth.schema.names):
        yield Slice(name, Selection(keypoint=row))


def _by_visibility(workings: Workings) -> Iterator[Slice]:
    for label, v in (("seen", 2), ("hidden", 1)):
        yield Slice(label, Selection(visibility=v))


def _by_category(workings: Workings) -> Iterator[Slice]:
    truth = workings.aligned.truth
    names = [c.name for c in truth.categories]
    for row, c in enumerate(truth.categories):
        label = c.name if names.count(c.name) == 1 else f"{c.name} ({c.id})"
        if workings.protocol.per_category:
            yield Slice(label, Selection(category=row))
        else:
            yield Slice(label, Selection(truths=truth.instances.category == row))


def _by_size(workings: Workings) -> Iterator[Slice]:
    problem = workings.problem()
    own = np.full(len(workings.aligned.pred), np.nan)
    own[problem.rows] = problem.pred_area
    for label, (low, high) in SIZES.items():
        yield Slice(label, Selection(truths=(problem.area >= low) & (problem.area < high), beyond=~((own >= low) & (own < high))))


def _by_overlap(workings: Workings) -> Iterator[Slice]:
    yield from _bands(overlaps(workings), {"0": (0, 1), "1-2": (1, 3), "3+": (3, np.inf)})


def _by_labelled(workings: Workings) -> Iterator[Slice]:
    own = workings.aligned.truth.instances
    share = own.labelled.sum(1) / np.maximum(own.annotated.sum(1), 1)
    share[share == 0] = np.nan
    for label, (low, high) in {"up to 1/4": (0, 0.25), "up to 1/2": (0.25, 0.5), "up to 3/4": (0.5, 0.75), "up to all": (0.75, 1.0)}.items():
        yield Slice(label, Selection(truths=(share > low) & (share <= high)))


def _by_crowd(workings: Workings) -> Iterator[Slice]:
    levels = workings.protocol.levels or CROWDPOSE.levels
    column = workings.level_column()
    for label, (low, high) in levels.items():
        yield Slice(label, Selection(images=((column >= low) & (column < high)).astype(np.float64)))


def _by_instances(workings: Workings) -> Iterator[Slice]:
    problem = workings.problem()
    count = np.bincount(problem.image[~problem.ignored], minlength=len(problem.rank))
    for label, (low, high) in {"0": (0, 1), "1": (1, 2), "2-4": (2, 5), "5-8": (5, 9), "9+": (9, np.inf)}.items():
        yield Slice(label, Selection(images=((count >= low) & (count < high)).astype(np.float64)))


def _bands(values: NDArray[Any], bands: Mapping[str, tuple[float, float]]) -> Iterator[Slice]:
    for label, (low, high) in bands.items():
        yield Slice(label, Selection(truths=(values >= low) & (values < high)))


def overlaps(workings: Workings) -> NDArray[np.intp]:
    """(N,) other truths of the image whose box overlaps by more than a tenth; crowds are no others."""
    own = workings.aligned.truth.instances
    box = np.where(np.isnan(own.bbox[:, :1]), own.extent(), own.bbox)
    order = np.argsort(own.image, kind="stable")
    image = own.image[order]
    last = np.searchsorted(image, image, side="right")
    rest = last - np.arange(len(image)) - 1
    a = np.repeat(np.arange(len(image)), rest)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(rest) - rest, rest)
    a, b = order[a], order[b]
    near = np.asarray(box_iou(box[a], box[b]) > OVERLAP)
    count = np.zeros(len(own), np.intp)
    np.add.at(count, a[np.asarray(near & ~own.crowd[b])], 1)
    np.add.at(count, b[np.asarray(near & ~own.crowd[a])], 1)
    return count


SLICES: Mapping[str, Kind] = MappingProxyType({
    "category": Kind("each category", _by_category),
    "keypoint": Kind("each keypoint; AP takes the similarity of that point alone", _by_keypoint),
    "size": Kind("area small up to 32², medium up to 96², large; false positives count in the band of their own area", _by_size),
    "crowd": Kind("levels of crowdIndex: the protocol's, else CrowdPose's", _by_crowd),
    "overlap": Kind("other truths with box overlap over .1: 0, 1-2, 3+", _by_overlap),
    "instances": Kind("truths that count on the image: 0, 1, 2-4, 5-8, 9+", _by_instances),
    "labelled": Kind("share of its points that is labelled, in quarters", _by_labelled),
    "visibility": Kind("seen (v = 2) and hidden (v = 1) points", _by_visibility, only_points=True),
})  # fmt: skip
_ALIASES = {"species": "category"}
"""Where no column has that name."""


# -- columns -----------------------------------------------------------------------------------------


def _key_of_file(rest: Rest, key: str) -> NDArray[Any] | None:
    """A key of the file that no column holds, as one; None where no row has it, or its values are no plain numbers or texts."""
    if not any(key in layout for layout in rest.layouts):
        return None
    from posedata.formats.rows import RowTable, parse_object  # not at the top: it brings msgspec

    rows = [parse_object(text, key) if text else {} for text in rest.rows()]
    return RowTable(rows, key, []).scalars(key) if any(key in row for row in rows) else None


def _values(column: NDArray[Any]) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
    """Each value of a column and the rows that have it; many different numbers in quarters. Rows without a value are in no slice."""
    if column.dtype == object:
        from .frames import factorised

        codes, values = factorised(column)
        chosen = sorted((i for i, v in enumerate(values) if v != ""), key=lambda i: values[i])
        yield from ((values[i], codes == i) for i in chosen)
        return
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    numbers = np.unique(known)
    if len(numbers) <= _FEW:
        yield from ((v.item(), column == v) for v in numbers)
        return
    ends = np.unique(np.quantile(known, (0, 0.25, 0.5, 0.75, 1), method="inverted_cdf"))  # ends that occur, also where some are infinite
    digits = next((d for d in range(6, 17) if len({f"{e:.{d}g}" for e in ends}) == len(ends)), 17)
    for low, high in pairwise(ends.tolist()):
        last = high == ends[-1]
        yield f"{low:.{digits}g} to {high:.{digits}g}", (column >= low) & ((column <= high) if last else (column < high))
