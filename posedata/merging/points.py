"""Points of every source brought to one schema, and the sigma each target point gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..columns import says_nothing
from ..dataset import PoseDataset
from ..errors import DataError, SchemaError, brief, did_you_mean, first_few
from ..mapping import Mapping as SchemaMapping
from ..mapping import mapping_between, read_mapping
from ..schema import SIGMA_SOURCES, Schema
from ..schemas import SCHEMAS, load_schema
from .losses import Loss

__all__ = ["SIGMA_RULES", "Brought", "bring", "target_schema", "with_sigma_rule"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Brought:
    """One source under the target schema."""

    name: str
    dataset: PoseDataset
    sigmas: Floats
    """(K,) the source's own sigma of each target point; NaN where it has none."""
    origins: tuple[str, ...]
    """(K,) where these come from; empty where none."""
    losses: tuple[Loss, ...]


def target_schema(parts: Mapping[str, PoseDataset], schema: Schema | str | Path | None) -> Schema:
    """The schema asked for; without one, that of all parts, where they have one."""
    if schema is not None:
        return load_schema(schema)
    kinds = list(dict.fromkeys(p.schema for p in parts.values()))
    if all(k.same_points(kinds[0]) for k in kinds):
        return kinds[0]
    fits = [name for name in ("human", "quadruped", "tetrapod") if all(_known(k, SCHEMAS[name]) for k in kinds)]
    cure = f"say which schema all get: schema={' or '.join(map(repr, fits)) or 'NAME'}"
    raise SchemaError("merge", f"parts of {first_few((k.name for k in kinds), between=', ')}", cure)


def _known(source: Schema, target: Schema) -> bool:
    try:
        return bool(mapping_between(source, target).rows)
    except SchemaError:
        return False


def bring(name: str, ds: PoseDataset, target: Schema, mapping: SchemaMapping | str | Path | None, kinds: Sequence[str]) -> Brought:
    """One source under the target schema, with all that was lost on the way."""
    if mapping is None and ds.schema.same_points(target):
        return Brought(
            name, replace(ds, schema=target), np.where(_annotates(ds), ds.schema.sigmas, np.nan), tuple(k.sigma_source for k in ds.schema.keypoints), ()
        )
    table = _table(name, ds.schema, target, mapping).only(kinds)
    moved = ds.as_schema(target, table, kinds)
    sigmas, origins = _own_sigmas(ds, table)
    return Brought(name, moved, sigmas, origins, (*_lost_points(name, ds, table), *_carried(name, moved, table), *_lost_words(name, ds)))


def _table(name: str, source: Schema, target: Schema, mapping: SchemaMapping | str | Path | None) -> SchemaMapping:
    if mapping is None:
        try:
            return mapping_between(source, target)
        except SchemaError as e:
            raise SchemaError(f"merge: {name}: {e.where}", e.seen, f"give one: mappings={{{name!r}: 'rows.csv'}} (docs/merging.md)") from None
    if isinstance(mapping, SchemaMapping):
        return mapping
    if not isinstance(mapping, str | Path):
        raise DataError(f"merge: mappings[{name!r}]", brief(repr(mapping)), "a Mapping, or the path of its CSV file")
    return read_mapping(mapping, source, target)


def _annotates(ds: PoseDataset) -> NDArray[np.bool_]:
    """(K,) points that some instance of the set was looked at for."""
    return np.asarray(ds.instances.annotated.any(0), bool)


def _own_sigmas(ds: PoseDataset, table: SchemaMapping) -> tuple[Floats, tuple[str, ...]]:
    """What the source says of each target point: a computed point has no sigma of its own, an approximate one's is borrowed at best."""
    sigmas, origins = np.full(len(table.target), np.nan), [""] * len(table.target)
    rank, seen = list(SIGMA_SOURCES).index, _annotates(ds)
    for row in table.rows:
        at = ds.schema.index(row.terms[0][1])
        if len(row.terms) == 1 and seen[at]:
            place, point = table.target.index(row.target), ds.schema.keypoints[at]
            sigmas[place] = point.sigma
            origins[place] = point.sigma_source if row.kind == "exact" else max(point.sigma_source, "borrowed", key=rank)
    return sigmas, tuple(origins)


def _lost_points(name: str, ds: PoseDataset, table: SchemaMapping) -> list[Loss]:
    """Points without a row of their own; one that only helps to compute another is not kept either."""
    own, kept = ds.instances, {row.terms[0][1] for row in table.rows if len(row.terms) == 1}
    labelled = own.labelled.sum(0)
    places = (~own.labelled & ~says_nothing(own.keypoints) & own.annotated).sum(0)
    lost = [(n, row) for row, n in enumerate(ds.schema.names) if n not in kept]
    return [
        *(Loss(name, "point", n, int(labelled[row]), f"{table.target.name} has no such point") for n, row in lost),
        *(Loss(name, "place", n, int(places[row])) for n, row in lost),
        *(Loss(name, "no target", n, 1) for n, row in lost if not labelled[row]),
    ]


def _carried(name: str, moved: PoseDataset, table: SchemaMapping) -> list[Loss]:
    """Points that are not what they are called to the letter, and those the source cannot know."""
    labelled = moved.instances.labelled.sum(0)
    told = [Loss(name, row.kind, row.target, int(labelled[table.target.index(row.target)]), "") for row in table.rows if row.kind != "exact"]
    return [*told, *(Loss(name, "not annotated", n, 1) for n in table.missing)]


def _lost_words(name: str, ds: PoseDataset) -> list[Loss]:
    """What is said of the source's own points, and means nothing of others."""
    own = ds.instances
    counted = own.recorded >= 0
    silent = int((counted & (own.recorded == 0) & own.labelled.any(1)).sum())
    note = f"{silent:,} of them said 0 although points are labelled: evaluators left these out" if silent else ""
    keyed = [c for c in ds.categories if c.points and "skeleton" in c.rest]
    return [
        Loss(name, "recorded", "num_keypoints", int(counted.sum()), note),
        *(Loss(name, "sigma", c.name, len(c.sigmas)) for c in ds.categories if c.sigmas is not None),
        Loss(name, "category key", "skeleton", len(keyed), "limbs are the target schema's"),
    ]


# -- sigmas ------------------------------------------------------------------------------------------


def _pooled(sigmas: Floats, n: Floats) -> Floats:
    """Deviations are added as squares, each source's as often as it annotates the point."""
    n = np.where(np.isnan(sigmas), 0, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.nansum(n * sigmas**2, 0) / n.sum(0)))


def _first(sigmas: Floats, n: Floats) -> Floats:
    return sigmas[(~np.isnan(sigmas)).argmax(0), np.arange(sigmas.shape[1])]


SIGMA_RULES: dict[str, tuple[str, Callable[[Floats, Floats], Floats] | None]] = {
    "schema": ("the target schema's own; what the sources say is not asked", None),
    "strictest": ("the smallest of the sources that annotate the point", lambda s, n: np.fmin.reduce(s, 0)),
    "loosest": ("the largest of the sources that annotate the point", lambda s, n: np.fmax.reduce(s, 0)),
    "first": ("that of the first source that annotates the point", _first),
    "pooled": ("the root of the mean square, each source weighted by the instances it annotates the point on", _pooled),
}
"""name: (meaning, (S, K) sigmas and counts of the sources -> (K,)); a point no source gives one for keeps the schema's."""


def with_sigma_rule(target: Schema, parts: Sequence[Brought], rule: str) -> Schema:
    """The target schema with the sigma of every point by one rule."""
    if rule not in SIGMA_RULES:
        raise DataError("merge: sigmas", f"rule {brief(repr(rule))}", did_you_mean(str(rule), SIGMA_RULES))
    choose = SIGMA_RULES[rule][1]
    if choose is None:
        return target
    table = np.array([p.sigmas for p in parts]).reshape(len(parts), len(target))
    n = np.array([p.dataset.instances.annotated.sum(0) for p in parts], np.float64).reshape(table.shape)
    chosen = choose(table, n)
    points = tuple(
        k if np.isnan(s) else replace(k, sigma=float(s), sigma_source=_origin(table[:, row], float(s), [p.origins[row] for p in parts]))
        for row, (k, s) in enumerate(zip(target.keypoints, chosen, strict=True))
    )
    if points == target.keypoints:
        return target
    name = target.name if target.name.endswith(f"_{rule}") else f"{target.name}_{rule}"
    return replace(target, name=name, keypoints=points, asymmetry=target.asymmetry or "sigmas of several sources", source=f"{target.source}; sigmas: {rule}")


def _origin(sigmas: Floats, chosen: float, origins: Sequence[str]) -> str:
    """The word of the source whose sigma it is; of a mean, the weakest."""
    rank = list(SIGMA_SOURCES).index
    words = [o for s, o in zip(sigmas.tolist(), origins, strict=True) if o and s == chosen]
    return words[0] if words else max((o for s, o in zip(sigmas.tolist(), origins, strict=True) if o and s == s), key=rank)
