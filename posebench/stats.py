"""The room of statsmodels."""

from __future__ import annotations

from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint

__all__ = ["student", "wilson"]


def wilson(share: float, size: float, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share of `size` independent observations, which need be no whole number."""
    low, high = proportion_confint(share * size, size, alpha=1 - level, method="wilson")
    return float(low), float(high)


def student(level: float, freedom: int) -> float:
    """How many standard errors a two-sided interval of that level reaches."""
    return float(t.ppf((1 + level) / 2, freedom))
