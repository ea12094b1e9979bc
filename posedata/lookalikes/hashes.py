"""Perceptual hashes: the signs of low frequencies of a small grey picture, and what mirrors and quarter turns make of them.

The cosine transform of a mirrored picture has the same coefficients with some signs exchanged, so the hash of a mirror is the
hash with some bits exchanged: no picture has to be turned. A hash of a picture's crop is the same two matrix products with other
matrices, so crops of a hundred thousand pictures cost seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["BITS", "SIDE", "TURNS", "VARIANTS", "Variant", "distance", "flat", "hashes"]

Words = NDArray[np.uint64]

SIDE = 48
"""Pixels along a side of the small picture."""
BITS = 128
FLATTEST = 3.0
"""Grey levels of deviation; below, a picture shows nothing to compare."""
_REACH = 13
"""Frequencies looked at along a side; the lowest `BITS` of them make the hash."""
_BLOCK = 512

TURNS = {
    "same": (False, False, False),
    "mirrored": (False, True, False),
    "upside down": (False, False, True),
    "half turn": (False, True, True),
    "transposed": (True, False, False),
    "quarter turn left": (True, False, True),
    "quarter turn right": (True, True, False),
    "transversed": (True, True, True),
}
"""name: (exchange x and y first, then mirror left and right, then mirror top and bottom)."""


@dataclass(frozen=True)
class Variant:
    """One way a copy may have been made: turned, then cut to a window (left, top, width, height) in parts of the frame."""

    turn: str
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


def _windows() -> list[tuple[float, float, float, float]]:
    """The whole, and windows of .95 at nine places: a crop of 2 to 8 % is near one of them."""
    return [(0.0, 0.0, 1.0, 1.0), *((x, y, 0.95, 0.95) for x in (0.0, 0.025, 0.05) for y in (0.0, 0.025, 0.05))]


VARIANTS = (
    *(Variant(turn, window) for turn in ("same", "mirrored") for window in _windows()),
    *(Variant(turn) for turn in list(TURNS)[2:]),
)


def hashes(small: NDArray[np.uint8], variants: Sequence[Variant] = VARIANTS[:1]) -> Words:
    """(V, I, 2) hashes of (I, SIDE, SIDE) pictures, cut and turned in each of the ways."""
    made = np.empty((len(variants), len(small), BITS // 64), np.uint64)
    windows: dict[tuple[float, ...], list[int]] = {}
    for row, variant in enumerate(variants):
        windows.setdefault(variant.window, []).append(row)
    for start in range(0, len(small), _BLOCK):
        block = slice(start, start + _BLOCK)
        across = _across(small[block], sorted({window[::2] for window in windows}))
        for window, rows in windows.items():
            spectrum = _spectrum(across[window[::2]], window[1::2])
            for row in rows:
                made[row, block] = _turned(spectrum, variants[row].turn)
    return made


def _across(small: NDArray[np.uint8], spans: Sequence[tuple[float, ...]]) -> dict[tuple[float, ...], NDArray[np.float32]]:
    """(I, _REACH, SIDE) the lines' cosine transforms, for each span of columns: one product for all."""
    lines = small.astype(np.float32)
    lines -= lines.mean((1, 2), keepdims=True)
    both = lines.reshape(-1, SIDE) @ np.concatenate([_transform(*span) for span in spans]).T
    parts = both.reshape(len(small), SIDE, len(spans), _REACH).transpose(2, 0, 3, 1)
    return {span: np.ascontiguousarray(part) for span, part in zip(spans, parts, strict=True)}


def _spectrum(across: NDArray[np.float32], span: tuple[float, ...]) -> NDArray[np.float32]:
    """(I, _REACH * _REACH) coefficients, the frequency across first."""
    return (across.reshape(-1, SIDE) @ _transform(*span).T).reshape(len(across), _REACH * _REACH)


def _turned(spectrum: NDArray[np.float32], turn: str) -> Words:
    """The signs of the turned picture's coefficients, packed."""
    down, across = _frequencies()
    transposed, mirrored, upended = TURNS[turn]
    places = down * _REACH + across if transposed else across * _REACH + down
    odd = (mirrored & (across % 2 == 1)) ^ (upended & (down % 2 == 1))
    return np.ascontiguousarray(np.packbits((spectrum > 0)[:, places] ^ odd, axis=1)).view(np.uint64)


def distance(a: Words, b: Words) -> NDArray[np.int64]:
    """Bits in which hashes differ."""
    return np.bitwise_count(a ^ b).sum(-1, dtype=np.int64)


def flat(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pictures of one shade: their hash would be noise."""
    return np.asarray(small.reshape(len(small), -1).std(1) < FLATTEST) if len(small) else np.zeros(0, bool)


@cache
def _frequencies() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the coefficients in the hash, low ones first: what survives a crop stands together in one band."""
    down, across = np.divmod(np.arange(1, _REACH * _REACH), _REACH)
    order = np.lexsort((down, np.maximum(down, across), down**2 + across**2))[:BITS]
    return down[order], across[order]


@cache
def _transform(start: float, length: float) -> NDArray[np.float32]:
    """(_REACH, SIDE) cosine transform of a window of the line, pixels counted in parts of it."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    edges_low, edges_high = centres - 0.5 / SIDE, centres + 0.5 / SIDE
    low, high = edges_low.clip(start, start + length), edges_high.clip(start, start + length)
    middle, share = ((low + high) / 2 - start) / length, high - low
    return np.asarray(np.cos(np.pi * np.arange(_REACH)[:, None] * middle) * share, np.float32)
