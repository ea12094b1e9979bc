"""One run against others on the same images: each number with its interval, each difference with the paired one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posebench.evaluation import Evaluation
from posebench.statistics.compare import compare

__all__ = ["against", "alone"]


def alone(ev: Evaluation, metric: str, resamples: int = 1000) -> dict[str, Any]:
    """A number and where it would lie on other images like these."""
    found = ev.interval(metric, resamples=resamples)
    return {"value": plainly(found.value), "low": plainly(found.low), "high": plainly(found.high)}


def against(pairs: Mapping[str, tuple[Evaluation, Evaluation]], metric: str, resamples: int = 1000) -> dict[str, dict[str, Any]]:
    """The second of each pair less the first: difference, paired interval, and how often luck would make it, by Holm over all of them."""
    from posebench.stats import corrected

    rows = {name: compare(*pair, metrics=[metric], correction="none", resamples=resamples)[metric] for name, pair in pairs.items()}
    p = corrected(np.array([row.p for row in rows.values()]), "holm") if rows else np.zeros(0)
    return {
        name: {"difference": plainly(row.difference), "low": plainly(row.low), "high": plainly(row.high), "p": plainly(q), "real": bool(q <= 0.05 + 1e-12),
               "better": row.better == row.b}
        for (name, row), q in zip(rows.items(), p.tolist(), strict=True)
    }  # fmt: skip


def how(ev: Evaluation, resamples: int, tests: int) -> str:
    """How the numbers were made."""
    images = ev.counts["images"]
    return f"intervals at .95 by {resamples:,} resamples of {images:,} images, of differences by paired ones; p by {resamples:,} exchanges, Holm over {tests}"


def plainly(value: float) -> float | None:
    """Six digits; None where there is no number."""
    return None if math.isnan(value) else round(float(value), 6)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; the first on the left, numbers on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows
    )


def points(value: float | None, sign: bool = False) -> str:
    """A metric as it is printed."""
    return "-" if value is None else f"{value:+.3f}" if sign else f"{value:.3f}"
