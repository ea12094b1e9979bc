"""Rates of errors as sums over images, so that they can be drawn again like any metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors.cost import lost_by_point, with_points
from ..errors.instances import PREDICTION_LABELS
from ..errors.labels import ERRORS
from ..errors.report import ErrorReport
from .sums import Ratios

__all__ = ["OF_PREDICTIONS", "Rates", "rates_of"]

Floats = NDArray[np.float64]

OF_PREDICTIONS = ("badly localised", "duplicate", "background")
"""Labels of whole predictions that say what is wrong with them."""


@dataclass(frozen=True, eq=False)
class Rates:
    """What each kind of error comes to: shares, and the similarity it takes from a truth."""

    names: tuple[str, ...]
    of: Mapping[str, str]
    """What each is a share of."""
    sums: Mapping[str, Ratios]

    def under(self, weights: Floats) -> Floats:
        """(b, M) each rate under each weighting (b, I)."""
        return np.stack([self.sums[name].under(weights) for name in self.names], 1) if self.names else np.zeros((len(weights), 0))


def rates_of(report: ErrorReport) -> Rates:
    """Labelled points by label, truths missed, predictions by label; then the similarity that each kind takes."""
    own = report.labelled
    problem = own.problem
    images = len(problem.rank)
    kinds = [kind for kind in ERRORS if kind != "confusion"]
    mine = problem.image[own.truth]
    points = _summed(mine, (own.code >= 0).sum(1), images)
    counted = with_points(problem)
    truths = _summed(problem.image[counted], np.ones(int(counted.sum())), images)
    found = counted[own.truth]
    missed = truths - _summed(mine[found], np.ones(int(found.sum())), images)
    lost = np.where(found[:, None], lost_by_point(own), 0.0)
    made: dict[str, tuple[str, Floats, Floats]] = {k: ("points of found poses", _summed(mine, own.is_(k).sum(1), images), points) for k in kinds}
    made["missed"] = ("truths", missed, truths)
    made |= _of_predictions(report, images)
    for kind in ("good", *kinds):
        made[f"lost to {kind}"] = ("similarity of a truth", _summed(mine, np.where(own.is_(kind), lost, 0.0).sum(1), images), truths)
    made["lost to missed"] = ("similarity of a truth", missed, truths)
    sums = {name: Ratios(top[:, None], bottom[:, None]) for name, (_, top, bottom) in made.items()}
    return Rates(tuple(made), {name: of for name, (of, _, _) in made.items()}, sums)


def _of_predictions(report: ErrorReport, images: int) -> dict[str, tuple[str, Floats, Floats]]:
    codes, image = report.poses.pred, report.labelled.problem.pred_image
    names = list(PREDICTION_LABELS)
    counted = _summed(image, codes != names.index("ignored"), images)
    return {name: ("predictions", _summed(image, codes == names.index(name), images), counted) for name in OF_PREDICTIONS}


def _summed(image: NDArray[np.intp], values: NDArray[np.generic], images: int) -> Floats:
    """(I,) values added up by image."""
    return np.bincount(image, np.asarray(values, np.float64), images).astype(np.float64)
