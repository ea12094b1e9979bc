"""Plan: which instances to annotate again, and how often, for sigmas of a wanted precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError
from ..schema import Schema
from .estimate import SigmaEstimate
from .spread import require_share

if TYPE_CHECKING:
    import pandas

__all__ = ["RepeatPlan", "half_width", "plan_repeats", "points_needed"]

_NARROW = 1.0
"""Degrees of freedom of a squared deviation: one where all scatter is along a line, two where it is round. The worse is planned for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RepeatPlan:
    """What to annotate again. `instances` and `images` are ids; every instance is to be annotated `repeats` times in all."""

    name: str
    schema: Schema
    points: tuple[str, ...]
    instances: NDArray[Any]
    images: NDArray[Any]
    files: NDArray[np.object_]
    repeats: int
    precision: float
    confidence: float
    needed: NDArray[np.intp]
    """(P,) instances with the point labelled that the precision asks for."""
    available: NDArray[np.intp]
    """(P,) instances that have the point labelled."""
    chosen: NDArray[np.intp]
    """(P,) of those, how many the plan holds."""
    expected: NDArray[np.float64]
    """(P,) half the width of the interval that comes of it, as a share of sigma."""
    basis: str

    @property
    def extra(self) -> int:
        """Annotations to be made, where the one at hand counts as the first."""
        return len(self.instances) * (self.repeats - 1)

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each instance to annotate."""
        from ..formats.frames import table_frame

        return table_frame(
            {"annotation_id": self.instances, "image_id": self.images, "file": self.files, "repeats": np.full(len(self.instances), self.repeats)}
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = (self.needed, self.available, self.chosen, self.expected)
        rows = [
            {"keypoint": k, "needed": n, "available": a, "chosen": c, "expected": e if math.isfinite(e) else None}
            for k, n, a, c, e in zip(self.points, *(f.tolist() for f in figures), strict=True)
        ]
        listed = [
            {"annotation_id": i, "image_id": m, "file": f, "repeats": self.repeats}
            for i, m, f in zip(self.instances.tolist(), self.images.tolist(), self.files.tolist(), strict=True)
        ]
        return {
            "precision": self.precision, "confidence": self.confidence, "repeats": self.repeats, "annotations": self.extra, "keypoints": rows, "instances": listed,
            "basis": self.basis, "short": self.short,
        }  # fmt: skip

    @property
    def short(self) -> list[str]:
        """Points of which the set has too few."""
        return [k for k, n, a in zip(self.points, self.needed, self.available, strict=True) if a < n]

    def __str__(self) -> str:
        images = len(np.unique(self.images))
        lines = [
            f"annotate {len(self.instances):,} instances on {images:,} images of {self.name}, each {self.repeats} times in all: {self.extra:,} annotations beside those at hand",
            f"for sigmas to ±{self.precision:.0%} at {self.confidence:.0%}; {self.basis}",
            f"{'keypoint':<20} {'needed':>7} {'there are':>10} {'chosen':>7}  expected",
        ]
        for i, name in enumerate(self.points):
            reach = f"±{self.expected[i]:.1%}" if math.isfinite(self.expected[i]) else "nothing to measure"
            lines.append(f"{name:<20} {self.needed[i]:7,} {self.available[i]:10,} {self.chosen[i]:7,}  {reach}")
        return "\n".join(
            [*lines, *([f"too few for the wanted precision: {', '.join(self.short)}; more annotators help as more instances do"] if self.short else [])]
        )

    __repr__ = __str__


def half_width(degrees: Any, confidence: float) -> Any:
    """Half the width of a sigma's interval as a share of it, from the degrees of freedom of its square; infinite without any."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    with np.errstate(divide="ignore"):
        return z / np.sqrt(2 * np.asarray(degrees, np.float64))


def points_needed(precision: float, confidence: float, repeats: int, degrees: Any = _NARROW) -> Any:
    """Instances that must have the point labelled; `degrees` is what one deviation is worth."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return np.ceil(z**2 / (2 * precision**2) / (np.asarray(degrees) * (repeats - 1))).astype(np.intp)


def plan_repeats(
    ds: PoseDataset,
    *,
    precision: float = 0.1,
    confidence: float = 0.95,
    repeats: int = 3,
    points: Sequence[str] | None = None,
    pilot: SigmaEstimate | None = None,
    pool: bool = False,
    seed: int = 0,
) -> RepeatPlan:
    """Instances to annotate again so that the interval of every sigma reaches `precision` of it to each side.

    `repeats` counts the annotation at hand, if somebody else made it; from three on one can tell who is off. Instances are
    drawn at random, for sigmas are means over all of them, one of an image before the second of any. Without a `pilot`
    scatter along a line is planned for; a pilot's own degrees of freedom replace that. `pool` lets both sides tell of one sigma.
    """
    require_share("plan_repeats", "precision", precision)
    require_share("plan_repeats", "confidence", confidence)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 2:
        raise DataError("plan_repeats", f"repeats={repeats!r}", "two at least, the annotation at hand counted")
    names = tuple(ds.schema.names if points is None else points)
    columns = np.array([ds.schema.index(p) for p in names], np.intp)
    if not len(columns):
        raise DataError("plan_repeats", "no keypoints", "name some, or take a schema that has them")
    worth, basis = _worth(ds, columns, pilot)
    needed = points_needed(precision, confidence, repeats, worth)
    sides = np.where(pool & (ds.schema.mirror != np.arange(len(ds.schema))), 2, 1)[columns]
    needed = -(-needed // sides)
    own = ds.instances
    labelled = own.labelled[:, columns] & ~own.crowd[:, None]
    order = _one_of_each_image(own.image, np.random.default_rng(seed))
    turn = np.cumsum(labelled[order], 0)
    take = order[(labelled[order] & (turn <= needed)).any(1)]
    take = np.sort(take)
    chosen = labelled[take].sum(0)
    degrees = chosen * sides * worth * (repeats - 1)
    return RepeatPlan(
        name=ds.name, schema=ds.schema, points=names, instances=own.id[take], images=ds.images.id[own.image[take]], files=ds.images.file[own.image[take]],
        repeats=repeats, precision=precision, confidence=confidence, needed=needed, available=labelled.sum(0), chosen=chosen,
        expected=half_width(degrees, confidence), basis=basis,
    )  # fmt: skip


def _worth(ds: PoseDataset, columns: NDArray[np.intp], pilot: SigmaEstimate | None) -> tuple[NDArray[np.float64], str]:
    """(P,) degrees of freedom of one deviation, and where that comes from."""
    if pilot is None:
        return np.full(len(columns), _NARROW), "scatter along a line is planned for; a pilot would tell"
    if not pilot.schema.same_points(ds.schema):
        raise DataError("plan_repeats", f"pilot of schema {pilot.schema.name!r}", f"{ds.schema.name!r} is needed")
    told = np.maximum(pilot.annotations - pilot.subjects, 1)
    seen = np.where(pilot.subjects > 1, pilot.degrees / told, _NARROW)
    return np.clip(seen, 0.05, 2.0)[columns], f"degrees of freedom of {int(pilot.annotations.sum()):,} points of a pilot"


def _one_of_each_image(image: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """(N,) rows at random, one of every image before the second of any."""
    order = rng.permutation(len(image))
    by_image = np.argsort(image[order], kind="stable")
    ordered = image[order][by_image]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    turn = np.empty(len(image), np.intp)
    turn[by_image] = np.arange(len(image)) - np.repeat(first, np.diff(np.append(first, len(image))))
    return order[np.argsort(turn, kind="stable")]
