"""McNemar's test, where it holds: one outcome per image, right or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.errors import PoseError, did_you_mean

from ..metrics import canonical, judged_points, read_metric
from ..selection import EVERYTHING, Selection
from ..slices import slices_of
from ..spelling import Spelling
from ..workings import Workings

__all__ = ["mcnemar"]


def mcnemar(a: Workings, b: Workings, metric: str, by: str = "", label: Any = None) -> float:
    """Exact p of two models' outcomes; refused where an image has several, for those of one body err together."""
    s = read_metric(metric)
    if s.name != "PCK":
        raise PoseError(f"mcnemar {canonical(s)!r}", "no outcome that is right or wrong", "it is a test for PCK; the exchange test is one for every number")
    (one, counts_a, image), (other, counts_b, _) = (_outcomes(w, s, _selection(w, by, label)) for w in (a, b))
    counted = counts_a & counts_b
    per_image = np.bincount(image, counted.sum(1), len(a.aligned.rank))
    if per_image.max(initial=0) > 1:
        seen = f"up to {per_image.max():.0f} outcomes on an image"
        raise PoseError(
            f"mcnemar {canonical(s)!r}", seen, "they err together, and McNemar takes each for a witness: the exchange test knows better, comparison[...].p"
        )
    right_a, right_b = one[counted] == 1, other[counted] == 1
    from ..stats import mcnemar_p

    return mcnemar_p(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()))


def _outcomes(w: Workings, s: Spelling, selection: Selection) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """(N, K) right or wrong, (N, K) whether it counts, (N,) image."""
    averaged, image, _ = judged_points(w, s, selection)
    value, counts = averaged.judged.value, averaged.judged.counts
    if not np.isin(value[counts], (0.0, 1.0)).all():
        raise PoseError(f"mcnemar {canonical(s)!r}", "a mean over several thresholds", "name one: PCK@0.2")
    return value, counts, image


def _selection(w: Workings, by: str, label: Any) -> Selection:
    if not by:
        return EVERYTHING
    found = {str(each.label): each.selection for each in slices_of(w, by)}
    if str(label) not in found:
        raise PoseError(f"mcnemar {by}={label!r}", "no such slice", did_you_mean(str(label), found))
    return found[str(label)]
