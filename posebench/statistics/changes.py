"""Changes: every rule that others might have followed, by kind; what sensitivity tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.schemas import SCHEMAS

from ..neighbours import sigma_lists
from ..problem import sigma_table
from ..protocol import ABSENT, IGNORED, INTERPOLATIONS, OKS_THRESHOLDS, TRUTH_AREAS, Protocol
from .limits import named_sigmas

__all__ = ["BOXES", "KINDS", "SHARES_PAIRS", "Change", "Impossible", "changes_of"]

Floats = NDArray[np.float64]

BOXES = "boxes"
"""The kind that needs other predictions, not other rules."""
SHARES_PAIRS = ("thresholds", "curve")
"""Kinds that leave the similarities as they are."""


@dataclass(frozen=True)
class Change:
    """One rule made otherwise."""

    kind: str
    name: str
    says: str
    protocol: Protocol


@dataclass(frozen=True)
class Impossible:
    """A rule that this truth cannot be scored by."""

    name: str
    why: str


Made = Iterator[Change | Impossible]


def changes_of(truth: PoseDataset, protocol: Protocol, kinds: list[str]) -> list[Change | Impossible]:
    """Every change of these kinds, in their order."""
    return [change for kind in kinds if kind != BOXES for change in KINDS[kind][1](truth, protocol)]


# -- sigmas ------------------------------------------------------------------------------------------

_TIMES = (
    (0.5, "k taken for sigma: tolerances halved"),
    (0.8, "tolerances a fifth narrower"),
    (1.25, "tolerances a quarter wider"),
    (2.0, "k = 2 sigma given where sigma is asked for: tolerances doubled"),
)


def _sigmas(truth: PoseDataset, protocol: Protocol) -> Made:
    table = sigma_table(truth, protocol)
    for factor, says in _TIMES:
        yield _with_sigmas(truth, protocol, f"sigmas x {factor:g}", says, table * factor)
    known = table[~np.isnan(table)]
    if known.size:
        uniform = np.where(np.isnan(table), np.nan, np.exp(np.log(known).mean()))
        yield _with_sigmas(truth, protocol, "uniform sigmas", f"their geometric mean, {uniform[~np.isnan(uniform)][0]:.3f}, for every point", uniform)
    seen = [table]
    for name, says, other in [*_known_lists(truth, table), *_other_schemas(truth, table)]:
        if not any(np.array_equal(other, before, equal_nan=True) for before in seen):
            seen.append(other)
            yield _with_sigmas(truth, protocol, name, says, other)


def _with_sigmas(truth: PoseDataset, protocol: Protocol, name: str, says: str, table: Floats) -> Change | Impossible:
    high = float(np.nanmax(table, initial=0.0))
    if high >= 1:
        return Impossible(name, f"a sigma would be {high:.3g}; it lies between 0 and 1")
    return Change("sigmas", name, says, protocol.replace(sigmas=named_sigmas(truth, table)))


def _known_lists(truth: PoseDataset, table: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Lists in use for the schema, as they are found elsewhere."""
    for name, says, values in sigma_lists(truth.schema):
        yield name, says, np.where(np.isnan(table), np.nan, values)


def _other_schemas(truth: PoseDataset, table: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Sigmas of other sets, for the points of the same name; of sets that have half of them at least."""
    names = truth.schema.names
    for other in SCHEMAS.values():
        shared = [k for k, name in enumerate(names) if name in other.names]
        if 2 * len(shared) >= len(names) and other.name != truth.schema.name and shared:
            made = table.copy()
            for k in shared:
                made[:, k] = np.where(np.isnan(table[:, k]), np.nan, other.sigmas[other.index(names[k])])
            rest = "" if len(shared) == len(names) else f", for {len(shared)} of {len(names)} points; the others keep theirs"
            yield f"sigmas of {other.name}", f"by name{rest}", made


# -- the other rules ---------------------------------------------------------------------------------

_TEN = OKS_THRESHOLDS
_STEPS: Mapping[str, tuple[float, ...]] = {
    ".50": (_TEN[0],),
    ".75": (_TEN[5],),
    ".90": (_TEN[8],),
    ".50:.95": _TEN,
    ".50:.90": _TEN[:9],
    ".50:.75": _TEN[:6],
    ".75:.95": _TEN[5:],
}


def _thresholds(truth: PoseDataset, protocol: Protocol) -> Made:
    for name, steps in _STEPS.items():
        if steps != protocol.thresholds:
            says = "one similarity" if len(steps) == 1 else f"mean over {len(steps)} similarities"
            yield Change("thresholds", f"thresholds {name}", says, protocol.replace(thresholds=steps))


def _max_preds(truth: PoseDataset, protocol: Protocol) -> Made:
    for most in (1, 5, 10, 20, 30, 100):
        if most != protocol.max_preds:
            yield Change(
                "max_preds", f"max_preds {most}", f"the best {most} of an image and category, not {protocol.max_preds}", protocol.replace(max_preds=most)
            )


def _words(kind: str, field: str, words: Mapping[str, str]) -> Callable[[PoseDataset, Protocol], Made]:
    def changes(truth: PoseDataset, protocol: Protocol) -> Made:
        for word, says in words.items():
            if word != getattr(protocol, field):
                yield Change(kind, f"{kind} {word}", says, protocol.replace(**{field: word}))

    return changes


def _pooled(truth: PoseDataset, protocol: Protocol) -> Made:
    if len(truth.categories) > 1 and protocol.per_category:  # apart needs categories that pooled predictions may not have
        yield Change("categories", "categories pooled", "all categories are made one before matching", protocol.replace(per_category=False))


KINDS: Mapping[str, tuple[str, Callable[[PoseDataset, Protocol], Made]]] = MappingProxyType({
    "sigmas": ("other tolerances: halved, doubled, uniform, those of other sets and of other tools", _sigmas),
    "thresholds": ("other similarities at which a pose counts as found", _thresholds),
    "area": ("other areas: recorded, of the box, .53 of it, of the points", _words("area", "truth_area", TRUTH_AREAS)),
    BOXES: ("predictions made from truth boxes, where they are given", lambda truth, protocol: iter(())),
    "max_preds": ("fewer or more predictions of an image", _max_preds),
    "ignored": ("other truths ignored", _words("ignored", "ignored", IGNORED)),
    "absent": ("absent points at the origin or nowhere", _words("absent", "absent", ABSENT)),
    "curve": ("other readings of the curve", _words("curve", "interpolation", INTERPOLATIONS)),
    "categories": ("all categories made one", _pooled),
})  # fmt: skip
"""By name: what is changed, and the changes."""
