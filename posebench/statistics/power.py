"""power: how many images show a difference, and how small a difference these images can show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from posedata.errors import PoseError, brief

from ..metrics import canonical, read_metric
from .compare import few, require_counts
from .interval import UNSPREAD
from .replicates import replicates
from .resampling import clusters as clustered
from .resampling import draws
from .same import model_names, require_same

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["CORRELATION", "Power", "power"]

CORRELATION = 0.5
"""Assumed between two models on one image where only one is known: then a difference scatters as much as the number itself."""
_CORRELATIONS = (0.5, 0.7, 0.9)
_NORMAL = NormalDist()
_ALIKE = 1e-12
"""Sums in another order differ by less."""


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a set of images can show."""

    truth: str
    metric: str
    values: tuple[float, ...]
    """The number of the one model, or of both."""
    delta: float
    power: float
    level: float
    images: int
    """Images of the set, or clusters of them."""
    deviation: float
    """Of the difference, per image: that on n images scatters by it over the root of n."""
    needed: int
    """Images on which `delta` is seen with the chance `power`."""
    smallest: float
    """Difference that these images show with the chance `power`."""
    assumed: str
    """What stands in for the second model; empty where both were measured."""
    table: tuple[dict[str, Any], ...]
    """The same at other correlations, where one was assumed."""
    how: str
    notes: tuple[str, ...] = ()

    def chance(self, delta: float | None = None, images: int | None = None) -> float:
        """The chance that a difference of `delta` is seen on so many images."""
        spread = self.deviation / math.sqrt(self.images if images is None else images)
        size = abs(self.delta if delta is None else delta)
        if spread == 0:
            return 1.0 if size else 0.0
        edge = _NORMAL.inv_cdf((1 + self.level) / 2)
        return _NORMAL.cdf(size / spread - edge) + _NORMAL.cdf(-size / spread - edge)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        from ..plain import plain

        return dict(plain({**{k: getattr(self, k) for k in self.__dataclass_fields__}, "chance": self.chance()}))

    def __repr__(self) -> str:
        from .words import power_text

        return power_text(self)


def power(
    ev: Evaluation,
    other: Evaluation | None = None,
    delta: float = 0.005,
    *,
    metric: str = "AP",
    power: float = 0.8,
    level: float = 0.95,
    correlation: float | None = None,
    clusters: str = "image",
    resamples: int = 1000,
    seed: int = 0,
) -> Power:
    """Images on which a difference of `delta` is seen with the chance `power`, and the smallest difference that these images show.

    With two evaluations the deviation of their difference is measured on common resamples. With one, `correlation` is what is
    assumed between its numbers on an image and those of the model it would be compared to.
    """
    require_counts(resamples, level, seed)
    _check(delta, power, correlation, other is not None)
    evs = (ev,) if other is None else (ev, other)
    require_same(evs, model_names(evs, None))
    s, drawn = read_metric(metric), clustered(ev.workings, clusters)
    if np.isnan(ev[canonical(s)]):
        raise PoseError(f"power {canonical(s)!r}", "no truth counts, so there is no such number", "another metric, or another set")
    each = [replicates(e.workings, [s], draws(drawn, resamples, seed))[:, 0] for e in evs]
    own = (each[0] if other is None else each[1] - each[0]) * math.sqrt(drawn.n)
    scatter = float(np.nanstd(own))
    scatter = scatter if scatter > _ALIKE else 0.0
    rho = CORRELATION if correlation is None else correlation
    deviation = scatter if other is not None else scatter * _paired(rho)
    table = () if other is not None else tuple({"correlation": r, **_answers(scatter * _paired(r), delta, drawn.n, power, level)} for r in _CORRELATIONS)
    return Power(
        truth=ev.truth.name, metric=canonical(s), values=tuple(e[canonical(s)] for e in evs), delta=delta, power=power, level=level, images=drawn.n,
        deviation=deviation, **_answers(deviation, delta, drawn.n, power, level), table=table,
        assumed="" if other is not None else f"the other model scatters as much, and their numbers on an image correlate by {rho:g}",
        how=f"deviation per image by {resamples:,} {'paired ' if other is not None else ''}resamples of {drawn}, seed {seed}; two-sided test at level {level:g}",
        notes=((UNSPREAD,) if scatter == 0 else ()) + few(ev, drawn),
    )  # fmt: skip


def _paired(correlation: float) -> float:
    """Deviation of a difference over that of either number."""
    return math.sqrt(2 * (1 - correlation))


def _answers(deviation: float, delta: float, images: int, power: float, level: float) -> dict[str, Any]:
    """Images needed, and the smallest difference, by the normal approximation."""
    reach = (_NORMAL.inv_cdf((1 + level) / 2) + _NORMAL.inv_cdf(power)) * deviation
    return {"needed": math.ceil((reach / delta) ** 2), "smallest": reach / math.sqrt(images)}


def _check(delta: float, power: float, correlation: float | None, paired: bool) -> None:
    if not isinstance(delta, int | float) or not 0 < delta < math.inf:
        raise PoseError(f"delta={brief(repr(delta))}", "no difference that could be seen", "over 0; .005 is half a point of AP")
    if not isinstance(power, int | float) or not 0 < power < 1:
        raise PoseError(f"power={brief(repr(power))}", "no chance", "between 0 and 1; .8 is usual")
    if correlation is not None and paired:
        raise PoseError("correlation", "given beside a second evaluation", "it is measured then: leave it out")
    if correlation is not None and not -1 <= correlation < 1:
        raise PoseError(f"correlation={brief(repr(correlation))}", "no correlation of two models", "from -1 to less than 1")
