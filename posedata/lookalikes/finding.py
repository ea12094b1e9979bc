"""duplicates: which pictures of some sets are the same, or nearly, and which of them leak from one set into another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, brief, did_you_mean
from ..progress import bar
from ..tables import Images
from .clusters import clustered, same_rows
from .found import KINDS, Duplicates, Listed, Pairs
from .hashes import VARIANTS, flat
from .index import near_pairs
from .store import Fingerprints, fingerprints
from .verify import agreement

__all__ = ["LIMITS", "duplicates"]

LIMITS: dict[str, tuple[float, str]] = {
    "distance": (30, "bits of 128 in which two perceptual hashes may differ for the pair to be looked at; unrelated pictures differ in some 50"),
    "similarity": (0.87, "share of one picture's variance that the other must explain once laid over it, brightness and contrast free"),
    "weakest": (0.25, "the same share in the worst of 36 tiles: lower where something has moved, as between frames of a scene"),
}
"""Where near ends: name, (value, meaning)."""

Rows = NDArray[np.int64]


def duplicates(
    a: PoseDataset | Sequence[PoseDataset],
    b: PoseDataset | Sequence[PoseDataset] | None = None,
    *more: PoseDataset,
    kinds: Collection[str] = tuple(KINDS),
    similarity: float | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> Duplicates:
    """Pictures that are the same or nearly so, within each set and between sets: `duplicates(train, val).leaks`.

    `kinds` are some of bytes, pixels, near, flip, turn. A greater `similarity` than .87 is stricter. Pictures are decoded once;
    what was seen of them is kept by file identity.
    """
    sets = _sets(a, b, *more)
    wanted = _kinds(kinds)
    if similarity is not None and not 0 < similarity <= 1:
        raise DataError("duplicates: similarity", brief(repr(similarity)), "a number above 0, at most 1")
    listed = _listed(sets)
    prints = fingerprints(_joined(sets), workers, quiet)
    _require_pictures(_names(sets), listed, prints)
    least = LIMITS["similarity"][0] if similarity is None else similarity
    pairs, left_out, skipped = _pairs(prints, wanted, least, quiet)
    cluster = clustered(len(listed), pairs.left, pairs.right)
    keys = _keys(prints)
    return Duplicates(
        sets=_names(sets),
        images=replace(listed, cluster=cluster, key=keys[cluster], width=prints.records["width"], height=prints.records["height"]),
        pairs=pairs,
        kinds=wanted,
        unread=prints.unread,
        flat=skipped,
        left_out=left_out,
    )


def _sets(*given: Any) -> list[PoseDataset]:
    sets = [
        ds
        for g in given
        if g is not None
        for ds in ([g] if isinstance(g, PoseDataset) else list(g) if isinstance(g, Sequence) and not isinstance(g, str) else [g])
    ]
    for ds in sets:
        if not isinstance(ds, PoseDataset):
            raise DataError("duplicates", brief(repr(ds)), "give datasets: duplicates(load_dataset('ap10k', split='train'), ...)")
    if not sets:
        raise DataError("duplicates", "no dataset", "give one or more")
    return sets


def _kinds(kinds: Collection[str]) -> tuple[str, ...]:
    asked = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise DataError("duplicates: kinds", f"no kind {brief(repr(kind))}", did_you_mean(str(kind), KINDS))
    return tuple(k for k in KINDS if k in asked)


def _names(sets: Sequence[PoseDataset]) -> tuple[str, ...]:
    """Names of the sets, told apart where two are called the same."""
    names = [ds.name for ds in sets]
    return tuple(name if names.count(name) == 1 else f"{name} #{names[: row + 1].count(name)}" for row, name in enumerate(names))


def _listed(sets: Sequence[PoseDataset]) -> Listed:
    sizes = [len(ds.images) for ds in sets]
    total = sum(sizes)
    ids = [str(v) for ds in sets for v in ds.images.id.tolist()]
    return Listed(
        set=np.repeat(np.arange(len(sets)), sizes),
        row=np.concatenate([np.arange(n) for n in sizes]),
        id=np.array([*ids, None], object)[:-1],
        file=np.concatenate([ds.images.file for ds in sets]),
        folder=np.concatenate([ds.images.folder for ds in sets]),
        width=np.zeros(total, np.int32),
        height=np.zeros(total, np.int32),
        cluster=np.arange(total),
        key=np.full(total, "", object),
    )


def _joined(sets: Sequence[PoseDataset]) -> Images:
    """All pictures in one table; only where they lie matters."""
    total = sum(len(ds.images) for ds in sets)
    file, folder = (np.concatenate([getattr(ds.images, name) for ds in sets]) for name in ("file", "folder"))
    return Images(id=np.arange(total), file=file, folder=folder)


def _pairs(prints: Fingerprints, kinds: tuple[str, ...], least: float, quiet: bool) -> tuple[Pairs, int, int]:
    """All pairs of the wanted kinds, comparisons left out, and pictures too flat to compare."""
    by_bytes = same_rows(prints.records["bytes"], prints.known)
    by_pixels = same_rows(prints.records["pixels"], prints.known)
    found = [_exact(by_bytes, "bytes")] if "bytes" in kinds else []
    if "pixels" in kinds:
        first = same_rows(prints.records["pixels"], prints.known & (by_bytes == np.arange(len(by_bytes)))) if "bytes" in kinds else by_pixels
        found.append(_exact(first, "pixels"))
    looks = [row for row, v in enumerate(VARIANTS) if _kind_of(v.turn) in kinds]
    if not looks:
        return Pairs.joined(found), 0, 0
    shades = np.zeros(len(prints.known), bool)
    shades[prints.known] = flat(prints.records["small"][prints.known])
    # One of each group of equal pictures stands for all.
    chosen = np.flatnonzero(prints.known & ~shades & (by_pixels == np.arange(len(by_pixels))))
    near, left_out = _near(np.ascontiguousarray(prints.records["small"][chosen]), tuple(looks), least, quiet)
    return Pairs.joined([*found, replace(near, left=chosen[near.left], right=chosen[near.right])]), left_out, int(shades.sum())


def _exact(first: Rows, kind: str) -> Pairs:
    """Each row beside the first that is equal to it."""
    right = np.flatnonzero(first != np.arange(len(first)))
    n = len(right)
    return Pairs(first[right], right, _text(kind, n), _text("same", n), np.zeros(n, np.int64), np.ones(n), np.ones(n))


def _kind_of(turn: str) -> str:
    return {"same": "near", "mirrored": "flip"}.get(turn, "turn")


def _near(small: NDArray[np.uint8], looks: tuple[int, ...], least: float, quiet: bool) -> tuple[Pairs, int]:
    with bar("looking for pairs", len(looks), quiet) as advance:
        near = near_pairs(small, int(LIMITS["distance"][0]), looks, advance)
    with bar("looking twice", len(near.query), quiet) as advance:
        measured = agreement(small, near.query, near.base, near.variant, advance)
    keep = np.flatnonzero((measured.similarity >= least) & (measured.weakest >= LIMITS["weakest"][0]))
    turns = np.array([*(v.turn for v in VARIANTS), None], object)[:-1][near.variant[keep]]
    named = np.array([*(_kind_of(v.turn) for v in VARIANTS), None], object)[:-1][near.variant[keep]]
    left, right = np.minimum(near.query, near.base)[keep], np.maximum(near.query, near.base)[keep]
    order = np.lexsort((right, left))
    found = Pairs(left, right, named, turns, near.distance[keep], measured.similarity[keep], measured.weakest[keep])
    return found.take(order), near.left_out


def _require_pictures(names: Sequence[str], listed: Listed, prints: Fingerprints) -> None:
    """A set of which nothing was seen must not pass for one without duplicates."""
    for row, name in enumerate(names):
        images = np.flatnonzero(listed.set == row)
        if len(images) and not prints.known[images].any():
            seen = f"none of {len(images):,} pictures can be read: {brief(str(listed.file[images[0]]) or str(listed.id[images[0]]))} ({prints.unread[int(images[0])]})"
            raise DataError(f"{name}: duplicates", seen, "say where they lie: read the set with images=FOLDER (--images)")


def _keys(prints: Fingerprints) -> NDArray[Any]:
    """Sixteen hex digits of each file's content; nothing where it cannot be read, which neither a split nor a merge takes for a group."""
    words = [f"{value:016x}" for value in prints.records["bytes"][:, 0].byteswap().tolist()]
    for row in prints.unread:
        words[row] = ""
    return np.array([*words, None], object)[:-1]


def _text(word: str, n: int) -> NDArray[Any]:
    return np.full(n, word, object)
