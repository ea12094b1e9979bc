"""Mapping: how the points of one schema become those of another, row by row, in a table a person can edit."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import SchemaError, brief, did_you_mean
from .files import write_bytes
from .schema import Schema
from .schemas import SCHEMAS

__all__ = ["KINDS", "LABELS", "Mapping", "Row", "mapping_between", "read_mapping"]

KINDS = {
    "exact": "the same point of the body under both names",
    "approximate": "the nearest point the other schema has; annotators placed it by another rule",
    "derived": "computed from other points",
}
LABELS: tuple[str, ...] = ("exact", "approximate")
"""What a person placed. Derived points are made only when asked for."""

_HUBS = ("human", "quadruped", "tetrapod")


@dataclass(frozen=True)
class Row:
    """One target point and the expression over source points that gives it.

    >>> Row("neck", "0.5*left_shoulder + 0.5*right_shoulder", "derived").terms
    ((0.5, 'left_shoulder'), (0.5, 'right_shoulder'))
    """

    target: str
    source: str
    kind: str = "exact"
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SchemaError(self.target, f"kind {brief(self.kind)!r}", did_you_mean(self.kind, KINDS))
        weights = [w for w, _ in self.terms]
        if not abs(sum(weights) - 1) <= 1e-9:  # nan too
            raise SchemaError(
                self.target, f"weights of {brief(self.source)!r} sum to {sum(weights):g}", "they sum to 1, or a moved body would change its shape"
            )
        if len(weights) > 1 and self.kind != "derived":
            raise SchemaError(self.target, f"{brief(self.source)!r} computes a point, yet is marked {self.kind}", "mark it derived")

    @property
    def terms(self) -> tuple[tuple[float, str], ...]:
        """(weight, source name) of every term."""
        return tuple(_term(t, self.target) for t in self.source.split("+"))


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Rows from one schema to another. Points without a row are lost on the way, and listed in `lost`."""

    source: Schema
    target: Schema
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        targets = [row.target for row in self.rows]
        for name in targets:
            self.target.index(name)
            if targets.count(name) > 1:
                raise SchemaError(f"{self.source.name} -> {self.target.name}", f"two rows for {name!r}", "one row for each target point")
        for _, name in (term for row in self.rows for term in row.terms):
            self.source.index(name)

    @property
    def lost(self) -> tuple[str, ...]:
        """Source points that reach no target point."""
        used = {name for row in self.rows for _, name in row.terms}
        return tuple(n for n in self.source.names if n not in used)

    @property
    def missing(self) -> tuple[str, ...]:
        """Target points that no source point gives."""
        filled = {row.target for row in self.rows}
        return tuple(n for n in self.target.names if n not in filled)

    def only(self, kinds: Collection[str]) -> Mapping:
        """The rows of these kinds."""
        for kind in kinds:
            if not isinstance(kind, str) or kind not in KINDS:
                raise SchemaError("kinds", brief(repr(kind)), did_you_mean(str(kind), KINDS))
        return Mapping(source=self.source, target=self.target, rows=tuple(r for r in self.rows if r.kind in kinds))

    def inverse(self) -> Mapping:
        """The way back; a computed point has none."""
        single = [r for r in self.rows if len(r.terms) == 1]
        names = [r.terms[0][1] for r in single]
        rows = tuple(Row(name, r.target, r.kind, r.note) for name, r in zip(names, single, strict=True) if names.count(name) == 1)
        return Mapping(source=self.target, target=self.source, rows=rows)

    def then(self, after: Mapping) -> Mapping:
        """This mapping, then `after`; a chain is as good as its worst link."""
        by_target = {r.target: r for r in self.rows}
        rank = list(KINDS).index
        linked = [(by_target[r.terms[0][1]], r) for r in after.rows if len(r.terms) == 1 and r.terms[0][1] in by_target]
        rows = tuple(Row(b.target, a.source, max(a.kind, b.kind, key=rank), " / ".join(filter(None, (a.note, b.note)))) for a, b in linked)
        return Mapping(source=self.source, target=after.target, rows=rows)

    def apply(self, keypoints: NDArray[np.float64], annotated: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(N, K, 3) and (N, K) of the source become those of the target; no loop over rows of data.

        A one-term row copies bit for bit. A computed point is labelled where all its terms are, and as seen as the least of them.
        """
        n = len(keypoints)
        points, known = np.zeros((n, len(self.target), 3)), np.zeros((n, len(self.target)), bool)
        for row in self.rows:
            to, of = self.target.index(row.target), [self.source.index(name) for _, name in row.terms]
            if len(of) == 1:
                points[:, to], known[:, to] = keypoints[:, of[0]], annotated[:, of[0]]
            else:
                known[:, to] = annotated[:, of].all(1)
                points[known[:, to], to] = _weighted(keypoints[known[:, to]][:, of], np.array([w for w, _ in row.terms]))
        return points, known

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV text, written to `path` when given."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((self.target.name, self.source.name, "kind", "note"))
        writer.writerows((r.target, r.source, r.kind, r.note) for r in self.rows)
        if path is not None:
            write_bytes(path, out.getvalue().encode())
        return out.getvalue()

    def __repr__(self) -> str:
        kinds = ", ".join(f"{sum(r.kind == k for r in self.rows)} {k}" for k in KINDS if any(r.kind == k for r in self.rows))
        return f"Mapping({self.source.name} -> {self.target.name}: {kinds or 'no rows'}; {len(self.lost)} lost, {len(self.missing)} missing)"


def read_mapping(path: str | Path, source: Schema | None = None, target: Schema | None = None) -> Mapping:
    """A mapping from a CSV file: its first line names target and source schema, then a row for each target point."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, ValueError) as e:
        raise SchemaError(str(path), brief((getattr(e, "strerror", None) or str(e)).lower(), 100), "name a CSV file; Mapping.to_csv writes one") from None
    return parse_mapping(text, str(path), source, target)


def parse_mapping(text: str, where: str, source: Schema | None = None, target: Schema | None = None) -> Mapping:
    """The mapping in CSV text."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text)) if line and not line[0].lstrip().startswith("#")]
    except csv.Error as e:
        raise SchemaError(where, str(e), "each row reads target,source,kind,note; is a quote left open?") from None
    if not lines or len(lines[0]) != 4 or [c.strip() for c in lines[0][2:]] != ["kind", "note"]:
        raise SchemaError(where, "no header", "the first line reads TARGET_SCHEMA,SOURCE_SCHEMA,kind,note")
    if any(len(line) != 4 for line in lines):
        raise SchemaError(where, "a row without its four cells", "each row reads target,source,kind,note")
    heads = [_schema_named(cell.strip(), given, where) for cell, given in zip(lines[0][:2], (target, source), strict=True)]
    try:
        return Mapping(target=heads[0], source=heads[1], rows=tuple(Row(*(c.strip() for c in line)) for line in lines[1:]))
    except SchemaError as e:
        raise SchemaError(f"{where} {e.where}", e.seen, e.cure) from None


@cache
def mapping_between(source: Schema, target: Schema) -> Mapping:
    """The mapping we know from one schema to another: packaged, or the way back, or through a unified schema."""
    direct = _one_step(source, target)
    if direct is not None:
        return direct
    for hub in map(SCHEMAS.__getitem__, _HUBS):
        up, down = _one_step(source, hub), _one_step(hub, target)
        through = up.then(down) if up is not None and down is not None else None
        if through is not None and through.rows:
            return through
    raise SchemaError(
        f"{source.name} -> {target.name}",
        "no mapping is known",
        "give one: mapping=read_mapping('rows.csv') with a line TARGET,SOURCE,kind,note for each point",
    )


def _one_step(source: Schema, target: Schema) -> Mapping | None:
    """Same names, a packaged table, or a packaged table backwards."""
    if set(source.names) == set(target.names):
        return Mapping(source=source, target=target, rows=tuple(Row(n, n) for n in target.names))
    if (base_name(source), base_name(target)) in _tables():
        return _packaged(source, target)
    if (base_name(target), base_name(source)) in _tables():
        return _packaged(target, source).inverse()
    return None


def base_name(schema: Schema) -> str:
    """Sigma variants share their base's points, so they share its mappings."""
    return next((s.name for s in SCHEMAS.values() if s.same_points(schema)), schema.name)


@cache
def _tables() -> dict[tuple[str, str], str]:
    """(source, target) of every packaged table; a file is called SOURCE--TARGET.csv."""
    folder = resources.files(__package__) / "mappings"
    stems = [f.name.removesuffix(".csv") for f in folder.iterdir() if f.name.endswith(".csv")]
    return {(s.split("--")[0], s.split("--")[1]): s for s in stems}


def _packaged(source: Schema, target: Schema) -> Mapping:
    stem = _tables()[base_name(source), base_name(target)]
    text = (resources.files(__package__) / "mappings" / f"{stem}.csv").read_text("utf-8")
    return parse_mapping(text, f"{stem}.csv", source, target)


def _schema_named(name: str, given: Schema | None, where: str) -> Schema:
    if given is not None:
        return given
    if name not in SCHEMAS:
        raise SchemaError(where, f"no schema {brief(name)!r}", f"{did_you_mean(name, SCHEMAS)}; pass your own as source= or target=")
    return SCHEMAS[name]


def _term(text: str, where: str) -> tuple[float, str]:
    """`0.5*name` or `name`."""
    weight, star, name = text.rpartition("*")
    try:
        return (float(weight) if star else 1.0), name.strip()
    except ValueError:
        raise SchemaError(where, f"cannot read {brief(text.strip())!r}", "write name, or 0.5*name + 0.5*other") from None


def _weighted(points: NDArray[np.float64], weights: NDArray[np.float64]) -> Any:
    """(N, T, 3) terms and (T,) weights -> (N, 3); unlabelled where one term is."""
    v = points[..., 2].min(1)
    xy = (points[..., :2] * weights[:, None]).sum(1)
    return np.concatenate([np.where(v[:, None] > 0, xy, 0), v[:, None]], 1)
