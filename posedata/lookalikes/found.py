"""Duplicates: pairs, clusters and leaks, as columns; what prints, what goes to JSON, what marks a dataset for splitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, brief, first_few, one_line
from .clusters import clustered

if TYPE_CHECKING:
    import pandas

__all__ = ["KINDS", "Duplicates", "Listed", "Pairs"]

Rows = NDArray[np.int64]

KINDS = {
    "bytes": "the files are equal, byte for byte",
    "pixels": "the files differ, the decoded pixels are equal: other metadata, or another lossless form",
    "near": "the same picture encoded again, resized, cropped a little, lighter, darker, grey, or turned by a degree or two",
    "flip": "near, once left and right are exchanged",
    "turn": "near, once turned by a quarter or a half, or turned and mirrored",
}
"""Kinds of duplicates, the surest first: a pair is named by the first that holds."""


@dataclass(frozen=True, eq=False)
class Listed:
    """I pictures of all sets, one after another."""

    set: Rows
    row: Rows
    id: NDArray[Any]
    file: NDArray[Any]
    folder: NDArray[Any]
    width: Rows
    height: Rows
    cluster: Rows
    """The first picture of its cluster; who has no duplicate is its own."""
    key: NDArray[Any]
    """Text that pictures of one cluster share and nobody else has; it stays when pictures are added after them. Nothing where unread."""

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs, `left` before `right` in the list of pictures. Of pictures that are equal, each stands beside the first."""

    left: Rows
    right: Rows
    kind: NDArray[Any]
    turn: NDArray[Any]
    distance: Rows
    similarity: NDArray[np.float64]
    weakest: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.left)

    def take(self, rows: NDArray[Any]) -> Pairs:
        return Pairs(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Pairs]) -> Pairs:
        names = [f.name for f in fields(Pairs)]
        return Pairs(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


EXACT = ("bytes", "pixels")
"""Kinds of pairs whose poses fit each other as they are."""


@dataclass(frozen=True, eq=False, repr=False)
class Duplicates:
    """What `posedata.duplicates` found."""

    sets: tuple[str, ...]
    images: Listed
    pairs: Pairs
    kinds: tuple[str, ...]
    unread: Mapping[int, str]
    """Pictures that could not be read, by their place in `images`, and why."""
    flat: int
    """Pictures of one shade: they are compared by bytes and pixels alone."""
    left_out: int
    """Comparisons not made, where too many pictures look alike in one band of their hash."""

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def crossing(self) -> NDArray[np.bool_]:
        """(P,) pairs of two sets."""
        return np.asarray(self.images.set[self.pairs.left] != self.images.set[self.pairs.right])

    @cached_property
    def clusters(self) -> list[NDArray[np.int64]]:
        """Places in `images` of each cluster of two or more."""
        order = np.argsort(self.images.cluster, kind="stable")
        cuts = np.flatnonzero(np.diff(self.images.cluster[order])) + 1
        return [rows for rows in np.split(order, cuts) if len(rows) > 1]

    @cached_property
    def leaks(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(set, other set): how many pictures of each have a duplicate in the other. Empty when nothing leaks."""
        members = np.zeros((len(self.sets), len(self.images)), bool)
        members[self.images.set, self.images.cluster] = True
        found = {}
        for a in range(len(self.sets)):
            for b in range(a + 1, len(self.sets)):
                shared = (members[a] & members[b])[self.images.cluster]
                counts = tuple(int((shared & (self.images.set == s)).sum()) for s in (a, b))
                if counts[0]:
                    found[self.sets[a], self.sets[b]] = (counts[0], counts[1])
        return found

    @property
    def counts(self) -> dict[str, int]:
        crossing = self.crossing
        return {
            "images": len(self.images), "unread": len(self.unread), "flat": self.flat, "pairs": len(self),
            **{kind: int((self.pairs.kind == kind).sum()) for kind in self.kinds},
            "pairs across sets": int(crossing.sum()), "clusters": len(self.clusters), "images in clusters": sum(map(len, self.clusters)),
            "surplus images": sum(len(c) - 1 for c in self.clusters), "comparisons left out": self.left_out,
        }  # fmt: skip

    def mark(self, ds: PoseDataset) -> PoseDataset:
        """The dataset with two image columns, nothing where unread: pictures of one cluster share their `duplicate`, which a split keeps whole;

        those that are equal pixel by pixel, so that poses of one fit the other, share their `same_pixels`, which a merge may join.
        """
        keys = {
            (str(f), str(d)) + (() if f else (str(i),)): (k, e)
            for f, d, i, k, e in zip(self.images.file, self.images.folder, self.images.id, self.images.key, self._exact_keys(), strict=True)
        }
        asked = [(str(f), str(d)) + (() if f else (str(i),)) for f, d, i in zip(ds.images.file, ds.images.folder, ds.images.id.tolist(), strict=True)]
        unknown = [brief(name[0]) or name[-1] for name in asked if name not in keys]
        if unknown:
            raise DataError(
                f"{ds.name}: mark", f"{len(unknown):,} images were not looked at: {first_few(unknown, 3, ', ')}", "give this set to duplicates() too"
            )
        alike, equal = (np.array([*(keys[name][i] for name in asked), None], object)[:-1] for i in (0, 1))
        return replace(
            ds, images=ds.images.with_meta(duplicate=alike, same_pixels=equal), provenance=ds.provenance.then(f"duplicates marked: {', '.join(self.kinds)}")
        )

    def _exact_keys(self) -> list[str]:
        """(I,) text that pictures of equal pixels share and nobody else has; nothing where unread."""
        exact = np.isin(self.pairs.kind, EXACT)
        first = clustered(len(self.images), self.pairs.left[exact], self.pairs.right[exact])
        return [f"{key} = {place}" if key else "" for key, place in zip(self.images.key, first.tolist(), strict=True)]

    def to_frame(self) -> pandas.DataFrame:
        """One row for each pair."""
        from ..formats.frames import table_frame

        return table_frame(self._columns())

    def _columns(self) -> dict[str, Any]:
        names = np.array([*self.sets, None], object)[:-1]
        p, i = self.pairs, self.images
        sides = {
            f"{side}_{what}": values
            for side, rows in (("left", p.left), ("right", p.right))
            for what, values in (("set", names[i.set[rows]]), ("id", i.id[rows]), ("file", i.file[rows]), ("width", i.width[rows]), ("height", i.height[rows]))
        }
        measures = {"kind": p.kind, "turn": p.turn, "distance": p.distance, "similarity": p.similarity.round(4), "weakest": p.weakest.round(4)}
        return {**measures, "leak": self.crossing, "cluster": i.key[p.left], **sides}

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        columns = {name: values.tolist() for name, values in self._columns().items()}
        return {
            "sets": list(self.sets),
            "counts": {name.replace(" ", "_"): n for name, n in self.counts.items()},
            "leaks": [{"sets": list(pair), "images": list(n)} for pair, n in self.leaks.items()],
            "pairs": [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)],
            "clusters": [[[self.sets[self.images.set[row]], str(self.images.id[row])] for row in rows.tolist()] for rows in self.clusters],
            "unread": [
                {"set": self.sets[self.images.set[row]], "id": str(self.images.id[row]), "file": str(self.images.file[row]), "why": why}
                for row, why in self.unread.items()
            ],
        }

    def sheet(self, path: str | Path, n: int = 40) -> Path:
        """A contact sheet of pairs side by side: leaks first, of each kind the least alike first."""
        from .sheet import pair_sheet

        return pair_sheet(self, path, n)

    def __str__(self) -> str:
        counts = self.counts
        lines = [f"{len(self.images):,} images of {', '.join(one_line(brief(s, 60)) for s in self.sets)}"]
        lines += [f"  {kind:<7} {counts[kind]:>7,} pairs" for kind in self.kinds]
        lines.append(f"  {counts['clusters']:,} clusters of {counts['images in clusters']:,} images, {counts['surplus images']:,} more than one of each")
        for (a, b), (in_a, in_b) in self.leaks.items():
            lines.append(f"  LEAK    {in_a:,} images of {one_line(brief(a, 60))} and {in_b:,} of {one_line(brief(b, 60))} are duplicates of each other")
        if len(self.sets) > 1 and not self.leaks:
            lines.append("  no leak between the sets" + (", as far as their pictures could be read" if self.unread else ""))
        if self.unread:
            reasons = first_few([f"{one_line(brief(str(self.images.file[r]) or str(self.images.id[r]), 40))} ({why})" for r, why in self.unread.items()], 3)
            lines.append(f"  unread  {len(self.unread):>7,} images, compared with nothing: {reasons}")
        if self.flat:
            lines.append(f"  flat    {self.flat:>7,} images of one shade, compared by bytes and pixels alone")
        if self.left_out:
            lines.append(f"  {self.left_out:,} comparisons left out where very many images look alike")
        return "\n".join(lines)

    __repr__ = __str__
