"""How two sets differ: standardised differences of every number and every share, the largest first, with their n."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .looking import Profile

__all__ = ["differences"]

_Z = 1.959963984540054


def differences(a: Profile, b: Profile) -> dict[str, NDArray[Any]]:
    """One row for each thing compared. `difference` is that of the means (or shares) over the pooled deviation, with a 95 % interval.

    Values of .2, .5 and .8 are by custom called small, medium and large (Cohen 1988).
    """
    rows = [*_numbers(a.images, b.images, "image "), *_numbers(a.instances, b.instances, "")]
    rows += _kinds(a.values, b.values)
    rows += _points(a.keypoints, b.keypoints)
    rows.sort(key=lambda row: -abs(row[3]) if np.isfinite(row[3]) else 0.0)
    names = ("what", "here", "there", "difference", "low", "high", "n_here", "n_there")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return {name: np.array([*values, None], object)[:-1] if name == "what" else np.array(values) for name, values in zip(names, columns, strict=True)}


Row = tuple[str, float, float, float, float, float, int, int]


def _numbers(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]], prefix: str) -> list[Row]:
    rows = []
    for name in a:
        if name in b:
            x, y = (np.asarray(v[np.isfinite(v)], np.float64) for v in (a[name], b[name]))
            if len(x) > 1 and len(y) > 1:
                spread = np.sqrt((x.var(ddof=1) * (len(x) - 1) + y.var(ddof=1) * (len(y) - 1)) / (len(x) + len(y) - 2))
                rows.append(_row(f"{prefix}{name}, mean", x.mean(), y.mean(), float(spread), len(x), len(y)))
    return rows


def _kinds(a: Mapping[str, Mapping[str, int]], b: Mapping[str, Mapping[str, int]]) -> list[Row]:
    rows = []
    for name in a:
        if name in b:
            n, m = sum(a[name].values()), sum(b[name].values())
            known = dict.fromkeys([*a[name], *b[name]]) if n and m else {}
            rows += [_share(f"share of {name} {value!r}", a[name].get(value, 0), n, b[name].get(value, 0), m) for value in known]
    return rows


def _points(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> list[Row]:
    """Shares labelled and hidden of the keypoints both have."""
    rows = []
    there = {name: place for place, name in enumerate(b["keypoint"].tolist())}
    for i, name in enumerate(a["keypoint"].tolist()):
        if name in there:
            j = there[name]
            n, m = int(a["instances"][i]), int(b["instances"][j])
            hidden, hidden_there = int(a["hidden"][i]), int(b["hidden"][j])
            labelled, labelled_there = int(a["seen"][i]) + hidden, int(b["seen"][j]) + hidden_there
            if n and m:
                rows.append(_share(f"{name} labelled", labelled, n, labelled_there, m))
            if labelled and labelled_there:
                rows.append(_share(f"{name} hidden, of labelled", hidden, labelled, hidden_there, labelled_there))
    return rows


def _share(what: str, here: int, n: int, there: int, m: int) -> Row:
    p, q = here / n, there / m
    return _row(what, p, q, float(np.sqrt((p * (1 - p) + q * (1 - q)) / 2)), n, m)


def _row(what: str, x: float, y: float, spread: float, n: int, m: int) -> Row:
    d = 0.0 if x == y else (x - y) / spread if spread > 0 else float(np.inf) * (1 if x > y else -1)
    error = np.sqrt(1 / n + 1 / m + d * d / 2 / (n + m)) if np.isfinite(d) else np.nan
    return what, float(x), float(y), float(d), float(d - _Z * error), float(d + _Z * error), n, m
