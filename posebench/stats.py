"""The room of statsmodels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

__all__ = ["corrected", "mcnemar_p", "student", "wilson"]

_METHODS = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}


def wilson(share: float, size: float, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share of `size` independent observations, which need be no whole number."""
    low, high = proportion_confint(share * size, size, alpha=1 - level, method="wilson")
    return float(low), float(high)


def student(level: float, freedom: int) -> float:
    """How many standard errors a two-sided interval of that level reaches."""
    return float(t.ppf((1 + level) / 2, freedom))


def corrected(p: NDArray[np.float64], correction: str) -> NDArray[np.float64]:
    """(n,) p-values corrected for each other by 'holm' or 'benjamini-hochberg'; NaN, no test, stays NaN and counts for none."""
    result = p.copy()
    tested = ~np.isnan(p)
    if tested.any():
        result[tested] = multipletests(p[tested], method=_METHODS[correction])[1]
    return result


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Exact two-sided p of McNemar's test, from the outcomes that only the one and only the other model has right."""
    return float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
