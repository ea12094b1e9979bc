"""COCO's run-length masks, written and read in numpy: what draws scenes need not have pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["encode_mask", "runs_of"]


def encode_mask(mask: NDArray[Any]) -> dict[str, Any]:
    """COCO's compressed RLE of a (H, W) mask."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))  # a mask begins with a run of nothing, empty or not
    runs = np.diff(edges, prepend=0, append=len(flat))
    return {"size": list(map(int, mask.shape)), "counts": _spelled(runs)}


def _spelled(runs: NDArray[np.int64]) -> str:
    """Each run, from the fourth on less the one two before it, in digits of five bits, lowest first; bit six says that more follow."""
    values = runs.copy()
    values[3:] -= runs[1:-2]
    digits = []
    while len(values):
        low, rest = values & 31, values >> 5
        more = np.where(low & 16, rest != -1, rest != 0)
        digits.append((low | (more << 5)) + 48)
        values = np.where(more, rest, 0)
        if not more.any():
            break
    table = np.stack(digits, 1) if digits else np.zeros((0, 1), np.int64)
    going = np.cumprod(np.concatenate([np.ones((len(table), 1), np.int64), ((table[:, :-1] - 48) >> 5) & 1], 1), 1).astype(bool)
    return table[going].astype(np.uint8).tobytes().decode("ascii")


def runs_of(counts: str) -> list[int]:
    """The runs of a compressed RLE, as pycocotools' rleFrString, which trusts its input, reads them."""
    runs: list[int] = []
    value = shift = 0
    for digit in (ord(c) - 48 for c in counts):
        if not 0 <= digit < 64:
            raise ValueError("the RLE holds other signs than those of COCO")
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            value -= (digit & 16) << (shift - 4)  # the sign
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("the RLE ends early")
    return runs
