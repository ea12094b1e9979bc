"""profile: the first look at a set, as plain columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset import PoseDataset
from ..errors import DataError, FormatError, brief, first_few, one_line
from ..files import write_bytes
from ..lookalikes.store import fingerprints
from .comparing import differences
from .measuring import cooccurrence, heatmaps, image_columns, instance_columns, keypoint_table, limb_angles, limb_table, summaries, tallies

__all__ = ["Profile", "profile"]

Columns = Mapping[str, NDArray[Any]]

PICTURES = 2000
"""Pictures opened for their sharpness unless said otherwise, spread evenly."""


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """What a set holds. Tables are columns by name, of one length."""

    dataset: PoseDataset
    counts: Mapping[str, int]
    images: Columns
    """(I,) columns: sizes, instances, and of the pictures opened sharpness, brightness, contrast; NaN where unknown."""
    instances: Columns
    """(N,) columns: pixels, box_share, labelled, ... (`posedata.profiling.measuring.MEANINGS`)."""
    values: Mapping[str, Mapping[str, int]]
    """How often each value stands in each column of kinds."""
    keypoints: Columns
    """One row for each keypoint."""
    together: NDArray[np.float64]
    """(K, K) share of the instances with point `row` that have point `column` too."""
    places: NDArray[np.int64]
    """(K, 24, 24) labelled points by place in their box and a tenth around it."""
    limbs: Columns
    angles: NDArray[np.int64]
    """(L, 36) limbs by direction."""
    opened: int
    """Pictures that were opened."""
    unread: Mapping[int, str]
    """Images whose picture could not be opened, and why."""
    against: Profile | None = None

    @property
    def columns(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Columns to slice by, of `images` and of `instances`."""
        return {"images": dict(self.images), "instances": dict(self.instances)}

    @property
    def summary(self) -> dict[str, NDArray[Any]]:
        """One row for each number: n, mean, deviation, quantiles."""
        return summaries({f"image {name}": values for name, values in self.images.items()} | dict(self.instances))

    @property
    def differences(self) -> dict[str, NDArray[Any]]:
        """Against the other set: what differs most, first. Empty without one."""
        return differences(self, self.against) if self.against else {}

    def mark(self, ds: PoseDataset | None = None) -> PoseDataset:
        """The dataset with the profile's columns in `meta`, where it has none of that name: `pixels`, `sharpness`, ... to slice by."""
        ds = self.dataset if ds is None else ds
        if not (np.array_equal(ds.images.id, self.dataset.images.id) and np.array_equal(ds.instances.id, self.dataset.instances.id)):
            raise DataError(f"{ds.name}: mark", "other images or instances than those looked at", "profile this set")
        images = {k: v for k, v in self.images.items() if k not in ds.images.columns()}
        instances = {k: v for k, v in self.instances.items() if k not in ds.instances.columns()}
        return replace(ds, images=ds.images.with_meta(**images), instances=ds.instances.with_meta(**instances))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is null."""
        made = {
            "name": self.dataset.name, "schema": self.dataset.schema.name, "counts": {k.replace(" ", "_"): v for k, v in self.counts.items()},
            "summary": _records(self.summary), "values": {k: dict(v) for k, v in self.values.items()}, "keypoints": _records(self.keypoints),
            "cooccurrence": _plain(self.together), "heatmaps": self.places.tolist(), "limbs": _records(self.limbs), "angles": self.angles.tolist(),
            "opened": self.opened, "unread": [{"id": str(self.dataset.images.id[row]), "why": why} for row, why in self.unread.items()],
        }  # fmt: skip
        return made | ({"against": self.against.dataset.name, "differences": _records(self.differences)} if self.against else {})

    def to_html(self, path: str | Path, examples: int = 24) -> Path:
        """One page that needs nothing else: figures, tables, and `examples` small pictures."""
        from .page import write_page

        return write_page(self, path, examples)

    def to_png(self, path: str | Path) -> Path:
        """All figures on one sheet."""
        from .plots import write_sheet

        return write_sheet(self, path)

    def to_json(self, path: str | Path) -> Path:
        """All numbers."""
        return write_bytes(path, json.dumps(self.to_dict(), ensure_ascii=False).encode())

    def write(self, path: str | Path, examples: int = 24) -> Path:
        """Page, sheet or numbers, by the suffix of the path."""
        require_suffix(path, (".html", ".htm", ".png", ".json"))
        suffix = Path(path).suffix.lower()
        return self.to_png(path) if suffix == ".png" else self.to_json(path) if suffix == ".json" else self.to_html(path, examples)

    def __str__(self) -> str:
        lines = [
            f"{one_line(brief(self.dataset.name, 80))}: {self.counts['instances']:,} instances on {self.counts['images']:,} images, {self.dataset.schema.name}"
        ]
        lines += [
            f"  {one_line(brief(name, 30)):<11} {first_few([f'{one_line(brief(v, 30))} {n:,}' for v, n in counts.items()], 6, ', ')}"
            for name, counts in self.values.items()
        ]
        table = self.summary
        lines += [f"\n  {'':<20} {'n':>9} {'p5':>10} {'median':>10} {'p95':>10}"]
        lines += [
            f"  {name:<20} {n:>9,} {a:>10.4g} {b:>10.4g} {c:>10.4g}"
            for name, n, a, b, c in zip(*(table[k] for k in ("column", "n", "p5", "median", "p95")), strict=True)
            if n
        ]
        lines += self._point_lines()
        if self.unread:
            reasons = first_few([f"{one_line(brief(str(self.dataset.images.file[r]), 40))} ({why})" for r, why in self.unread.items()], 3)
            lines.append(f"\n  {len(self.unread):,} pictures could not be opened: {reasons}")
        if self.against:
            lines += self._difference_lines()
        return "\n".join(lines)

    def _point_lines(self) -> list[str]:
        k = self.keypoints
        if not len(k["keypoint"]) or not k["instances"].any():
            return []
        rows = zip(k["keypoint"], k["instances"], k["labelled_share"], k["hidden_share"], strict=True)
        return [
            f"\n  {'keypoint':<20} {'n':>9} {'labelled':>10} {'hidden':>10}",
            *(f"  {name:<20} {n:>9,} {_percent(a):>10} {_percent(b):>10}" for name, n, a, b in rows),
        ]

    def _difference_lines(self, most: int = 12) -> list[str]:
        d = self.differences
        lines = [f"\n  largest differences from {one_line(brief(self.against.dataset.name, 60)) if self.against else ''} (standardised, 95 % interval)"]
        lines += [
            f"  {d['difference'][row]:+6.2f} [{d['low'][row]:+.2f}, {d['high'][row]:+.2f}]  {one_line(brief(d['what'][row], 60))}: "
            f"{d['here'][row]:.4g} against {d['there'][row]:.4g}, n {d['n_here'][row]:,} and {d['n_there'][row]:,}"
            for row in range(min(most, len(d["what"])))
        ]
        return lines

    __repr__ = __str__


def profile(ds: PoseDataset, against: PoseDataset | None = None, *, pictures: int = PICTURES, workers: int | None = None, quiet: bool = False) -> Profile:
    """The first look at a set: counts, sizes, visibility, places, limbs, sharpness; and how it differs from another.

    At most `pictures` pictures are opened, spread evenly over the set; 0 opens none.
    """
    for given in (ds, against):
        if given is not None and not isinstance(given, PoseDataset):
            raise DataError("profile", brief(repr(given)), "give a dataset: profile(load_dataset('ap10k', split='train'))")
    if not isinstance(pictures, int) or isinstance(pictures, bool) or pictures < 0:
        raise DataError("profile: pictures", brief(repr(pictures)), "a whole number, 0 for none")
    other = None if against is None else profile(against, pictures=pictures, workers=workers, quiet=quiet)
    seen, opened, unread = _seen(ds, pictures, workers, quiet)
    return Profile(
        dataset=ds,
        counts=ds.counts(),
        images={**image_columns(ds), **seen},
        instances=instance_columns(ds),
        values=tallies(ds),
        keypoints=keypoint_table(ds),
        together=cooccurrence(ds),
        places=heatmaps(ds),
        limbs=limb_table(ds),
        angles=limb_angles(ds),
        opened=opened,
        unread=unread,
        against=other,
    )


def _seen(ds: PoseDataset, pictures: int, workers: int | None, quiet: bool) -> tuple[dict[str, NDArray[Any]], int, dict[int, str]]:
    """What only the pictures tell; nothing where nobody said where they lie."""
    columns = {name: np.full(len(ds.images), np.nan) for name in ("sharpness", "brightness", "contrast")}
    placed = np.flatnonzero(np.array([bool(f) and bool(d) for f, d in zip(ds.images.file, ds.images.folder, strict=True)], bool))
    rows = placed[np.unique(np.linspace(0, len(placed) - 1, min(pictures, len(placed))).round().astype(int))] if len(placed) and pictures else placed[:0]
    if not len(rows):
        return columns, 0, {}
    prints = fingerprints(ds.images.take(rows), workers, quiet)
    for name, values in columns.items():
        values[rows[prints.known]] = prints.records[name][prints.known]
    return columns, int(prints.known.sum()), {int(rows[place]): why for place, why in prints.unread.items()}


def _records(table: Columns) -> list[dict[str, Any]]:
    columns = {name: _plain(values) for name, values in table.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(values: NDArray[Any]) -> Any:
    """Lists that JSON can hold."""
    if values.dtype.kind != "f":
        return values.tolist()
    plain = values.round(6).astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.1%}"


def require_suffix(path: str | Path, known: tuple[str, ...]) -> None:
    """Refuse a form we do not write before any work is done."""
    if Path(path).suffix.lower() not in known:
        raise FormatError(str(path), f"no profile ends in {Path(path).suffix!r}", f"write {', '.join(known)}")
