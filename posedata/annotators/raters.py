"""Raters: how far annotators are from one another and from themselves, whether one of them leans, and where they disagree on visibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from .estimate import scatter
from .repeats import OUTLIER, Repeats, group_sums, outliers, repeats_of
from .spread import mean_squares

if TYPE_CHECKING:
    import pandas

__all__ = ["AnnotatorReport", "compare_annotators"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FEWEST = 5
"""Subjects from which on a lean is tested: below, two coordinates leave nothing to test with."""


@dataclass(frozen=True, eq=False)
class AnnotatorReport:
    """`.deviations` between and within annotators, `.bias` of each with its test, `.visibility` they disagree on, `.annotators` at a glance."""

    data: Repeats
    off: Bools
    """(A, K) points left out of deviations and bias."""
    exchanged: Bools

    @cached_property
    def deviations(self) -> dict[str, Any]:
        """For each keypoint: `inter`, the deviation that counts for sigmas; `intra`, that of people from themselves; what is left is `between`."""
        kept = self.data.known & ~self.off
        squares, weights = scatter(self.data, kept)
        inter, (intra, n) = mean_squares(squares, weights), self._intra(kept)
        return {
            "keypoint": list(self.data.ds.schema.names), "inter": np.sqrt(inter), "n": weights.sum(0).astype(np.intp), "intra": np.sqrt(intra), "n_intra": n,
            "between": np.sqrt(np.maximum(inter - intra, 0)),
        }  # fmt: skip

    def _intra(self, kept: Bools) -> tuple[Floats, NDArray[np.intp]]:
        """Mean squares of what one annotator did twice, over all annotators; and how many repeats tell."""
        group = self.data.subject * len(self.data.annotators) + self.data.annotator
        _, seat = np.unique(group, return_inverse=True)
        cells = int(seat.max(initial=-1)) + 1
        xy, count = np.where(kept[..., None], self.data.xy, 0.0), kept.astype(np.float64)
        size, total = group_sums(count, seat, cells), group_sums(xy, seat, cells)
        off = np.where(kept[..., None], xy - (total / np.maximum(size, 1)[..., None])[seat], 0.0)
        weights = np.maximum(size - 1, 0).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(weights > 0, (off**2).sum((0, 2)) / weights, np.nan), weights.astype(np.intp)

    @cached_property
    def bias(self) -> dict[str, Any]:
        """For each annotator and keypoint: how far to the right and down of the others, in shares of the scale, and whether that is noise.

        `p` is of Hotelling's test that the mean over subjects is zero; `p_holm` is corrected for all tests of the table.
        Of two annotators each is the other's mirror image: nobody can tell which one leans.
        """
        mean, n, p = self._leaning
        names = np.array(self.data.annotators, object)
        rows, columns = (i.ravel() for i in np.indices(n.shape))
        sigmas = np.where(np.isnan(self.deviations["inter"]), self.data.ds.schema.sigmas, self.deviations["inter"])
        flat = p.ravel()
        return {
            "annotator": names[rows], "keypoint": np.array(self.data.ds.schema.names, object)[columns], "dx": mean[..., 0].ravel(), "dy": mean[..., 1].ravel(),
            "sigmas": (np.sqrt((mean**2).sum(-1)) / sigmas).ravel(), "n": n.ravel(), "p": flat, "p_holm": holm(flat),
        }  # fmt: skip

    @cached_property
    def _leaning(self) -> tuple[Floats, NDArray[np.intp], Floats]:
        """(R, K, 2) mean differences from the others, (R, K) subjects that tell, (R, K) p."""
        raters, subjects = len(self.data.annotators), len(self.data.subjects)
        kept = self.data.known & ~self.off
        xy, count = np.where(kept[..., None], self.data.xy, 0.0), kept.astype(np.float64)
        cell, seat = np.unique(self.data.subject * raters + self.data.annotator, return_inverse=True)
        owner, rater = cell // raters, cell % raters
        size = group_sums(count, seat, len(cell))[..., None]
        own = group_sums(xy, seat, len(cell)) / np.maximum(size, 1)
        there = (size > 0).astype(np.float64)
        # an annotator counts once, however often he repeated himself
        rest = group_sums(there, owner, subjects)[owner] - there
        others = (group_sums(own * there, owner, subjects)[owner] - own * there) / np.maximum(rest, 1)
        difference = np.where((there > 0) & (rest > 0), own - others, np.nan)
        found = [hotelling(difference[rater == r]) for r in range(raters)]
        return np.stack([f[0] for f in found]), np.stack([f[1] for f in found]), np.stack([f[2] for f in found])

    @cached_property
    def visibility(self) -> dict[str, Any]:
        """For each keypoint, over pairs of annotators of one subject: how often one labels it and the other does not, one sees it and the other
        says hidden; `kappa` is the agreement on v beyond chance (Fleiss)."""
        data, n = self.data, len(self.data.subjects)
        v = np.where(data.ds.instances.annotated, data.ds.instances.keypoints[..., 2], np.nan)
        votes = np.stack([group_sums((v == value).astype(np.float64), data.subject, n) for value in (0, 1, 2)])
        voters = votes.sum(0)
        pairs = voters * (voters - 1) / 2
        unlabelled, hidden, seen = votes
        with np.errstate(invalid="ignore", divide="ignore"):
            labelled = (unlabelled * (hidden + seen)).sum(0) / pairs.sum(0)
            sight = (hidden * seen).sum(0) / ((hidden + seen) * (hidden + seen - 1) / 2).sum(0)
        return {
            "keypoint": list(data.ds.schema.names),
            "labelled": labelled,
            "seen": sight,
            "kappa": _kappa(votes, pairs),
            "pairs": pairs.sum(0).astype(np.intp),
        }

    @cached_property
    def annotators(self) -> dict[str, Any]:
        """For each annotator: annotations, deviation from the others in sigmas of all, points that are off or exchanged, leans that are not noise."""
        data, raters = self.data, len(self.data.annotators)
        sigmas = self.deviations["inter"]
        counts = data.counts[data.subject]
        distance = np.sqrt(((data.xy - data.middle[data.subject]) ** 2).sum(-1)) / np.where(sigmas > 0, sigmas, np.nan)
        told = data.known & ~self.off & (counts > 1) & np.isfinite(distance)
        square = group_sums(np.where(told, distance**2, 0.0).sum(1), data.annotator, raters)
        n = group_sums(told.sum(1), data.annotator, raters)
        p = self.bias["p_holm"].reshape(raters, -1)
        return {
            "annotator": np.array(data.annotators, object), "annotations": np.bincount(data.annotator, minlength=raters),
            "deviation": np.sqrt(square / np.maximum(n, 1)), "n": n, "off": group_sums(self.off.sum(1), data.annotator, raters),
            "exchanged": group_sums(self.exchanged.sum(1), data.annotator, raters), "leans": (np.nan_to_num(p, nan=1.0) < 0.05).sum(1),
        }  # fmt: skip

    def frame(self, table: str = "annotators") -> pandas.DataFrame:
        """One of the tables: 'annotators', 'deviations', 'bias', 'visibility'."""
        from ..errors import DataError, did_you_mean
        from ..formats.frames import table_frame

        if table not in TABLES:
            raise DataError("AnnotatorReport.frame", f"no table {table!r}", did_you_mean(table, TABLES))
        return table_frame(getattr(self, table))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is unknown is None."""
        return {name: _rows(getattr(self, name)) for name in TABLES} | {"notes": list(self.data.notes)}

    def __str__(self) -> str:
        d, v, a, b = self.deviations, self.visibility, self.annotators, self.bias
        lines = [f"{len(self.data):,} annotations of {len(self.data.subjects):,} subjects by {len(self.data.annotators)} annotators"]
        lines += [f"{'annotator':<20} {'n':>6} {'deviation':>10} {'off':>6} {'exchanged':>10} {'leans':>6}"]
        for i, name in enumerate(self.data.annotators):
            lines.append(f"{name[:20]:<20} {a['annotations'][i]:6,} {a['deviation'][i]:10.2f} {a['off'][i]:6,} {a['exchanged'][i]:10,} {a['leans'][i]:6}")
        lines += ["", f"{'keypoint':<20} {'inter':>7} {'intra':>7}   {'labelled or not':>15} {'seen or hidden':>15} {'kappa':>6}"]
        for i, name in enumerate(d["keypoint"]):
            lines.append(
                f"{name:<20} {_figure(d['inter'][i])} {_figure(d['intra'][i])}   {_share(v['labelled'][i]):>15} {_share(v['seen'][i]):>15} {_figure(v['kappa'][i], 2):>6}"
            )
        leaning = np.flatnonzero(np.nan_to_num(b["p_holm"], nan=1.0) < 0.05)
        lines += [""] * bool(len(leaning))
        for i in leaning[np.argsort(b["p_holm"][leaning], kind="stable")][:10]:
            lines.append(
                f"{b['annotator'][i]} puts {b['keypoint'][i]} {b['sigmas'][i]:.1f} sigmas {_direction(b['dx'][i], b['dy'][i])} (p {b['p_holm'][i]:.1g}, n {b['n'][i]:,})"
            )
        return "\n".join([*lines, *self.data.notes])

    __repr__ = __str__


TABLES = ("annotators", "deviations", "bias", "visibility")


def compare_annotators(
    given: PoseDataset | Sequence[PoseDataset] | Repeats, *, subject: str = "subject", annotator: str = "annotator", outlier: float | None = OUTLIER
) -> AnnotatorReport:
    """How far annotators are from one another and from themselves, who leans, and what they see differently; in shares of the scale."""
    data = repeats_of(given, subject, annotator)
    return AnnotatorReport(data, *outliers(data, outlier))


def hotelling(difference: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """(K, 2) means over (S, K, 2) with NaN for unknown, (K,) numbers, (K,) p that the mean is zero; NaN where too few tell."""
    known = ~np.isnan(difference[..., 0])
    n = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known[..., None], difference, 0.0).sum(0) / n[:, None]
        about = np.where(known[..., None], difference - mean, 0.0)
        xx, yy, xy = ((about[..., i] * about[..., j]).sum(0) / (n - 1) for i, j in ((0, 0), (1, 1), (0, 1)))
        x, y = mean[..., 0], mean[..., 1]
        f = n * (yy * x**2 - 2 * xy * x * y + xx * y**2) / (xx * yy - xy**2) * (n - 2) / (2 * (n - 1))
        # the F distribution of 2 and m degrees of freedom in closed form
        p = (1 + 2 * f / (n - 2)) ** (-(n - 2) / 2)
    told = (n >= _FEWEST) & np.isfinite(f)
    return np.where(n[:, None] > 0, mean, np.nan), n, np.where(told, p, np.nan)


def holm(p: Floats) -> Floats:
    """p corrected for how many there are (Holm, 1979); NaN stays."""
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected


def _kappa(votes: Floats, pairs: Floats) -> Floats:
    """(K,) agreement on one of three values beyond what their frequencies alone would give."""
    alike = (votes * (votes - 1) / 2).sum(0).sum(0)
    told = np.where(pairs > 0, votes, 0).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = ((told / told.sum(0)) ** 2).sum(0)
        return np.asarray((alike / pairs.sum(0) - chance) / (1 - chance))


def _direction(dx: float, dy: float) -> str:
    words = [
        word
        for value, other, word in ((abs(dy), abs(dx), "down" if dy > 0 else "up"), (abs(dx), abs(dy), "to the right" if dx > 0 else "to the left"))
        if value > other / 3
    ]
    return " and ".join(words)


def _figure(value: float, digits: int = 4) -> str:
    return f"{'-':>7}" if np.isnan(value) else f"{value:7.{digits}f}"


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1%}"


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [v if isinstance(v, list) else v.tolist() for v in columns.values()]
    return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in zip(columns, row, strict=True)} for row in zip(*lists, strict=True)]
