"""Whether evaluations can be compared: the same truth on the same images, by the same rules; else what differs, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import DataError, PoseError, brief, did_you_mean, first_few

from ..problem import sigma_table
from ..protocol import Protocol

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["Task", "difference", "model_names", "require_same"]

_PROSE = ("name", "metrics", "notes", "sources")
_ASKED = ("image", "category", "keypoints", "annotated", "bbox", "area", "crowd", "recorded")
"""Columns of a truth that a number may depend on."""


class Task(NamedTuple):
    """What a model was asked: truth and rules."""

    truth: PoseDataset
    protocol: Protocol


def require_same(evs: Sequence[Evaluation], names: Sequence[str]) -> None:
    """Refuse evaluations whose numbers do not belong side by side."""
    for ev, name in zip(evs[1:], names[1:], strict=True):
        seen = difference(*(Task(e.truth, e.protocol) for e in (evs[0], ev)))
        if seen:
            raise DataError(f"{names[0]} and {name}", seen, "evaluate all on one truth, under one protocol")


def difference(a: Task, b: Task) -> str:
    """What differs, in words; empty where nothing does."""
    return _rules(a.protocol, b.protocol) or _truths(a.truth, b.truth) or _sigmas(a, b)


def _rules(a: Protocol, b: Protocol) -> str:
    if a.fingerprint == b.fingerprint:
        return ""
    one, other = ({k: v for k, v in p.to_dict().items() if k not in _PROSE} for p in (a, b))
    changed = [f"{k} {brief(_said(one[k]))} against {brief(_said(other[k]))}" for k in one if one[k] != other[k]]
    return f"protocols {a.name} ({a.fingerprint}) and {b.name} ({b.fingerprint}): {first_few(changed, 3)}"


def _said(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _truths(a: PoseDataset, b: PoseDataset) -> str:
    if a is b:
        return ""
    if not a.schema.same_points(b.schema):
        return f"truths of schemas {a.schema.name!r} ({len(a.schema)} points) and {b.schema.name!r} ({len(b.schema)})"
    if [(c.id, c.name) for c in a.categories] != [(c.id, c.name) for c in b.categories]:
        return f"categories {first_few([c.name for c in a.categories], 3, ', ')} against {first_few([c.name for c in b.categories], 3, ', ')}"
    return _ids("images", a.images.id, b.images.id) or _ids("truths", a.instances.id, b.instances.id) or _columns(a, b)


def _ids(what: str, a: NDArray[Any], b: NDArray[Any]) -> str:
    if len(a) == len(b) and (a == b).all():
        return ""
    mine, theirs = set(a.tolist()), set(b.tolist())
    if mine == theirs:
        return f"the same {len(a):,} {what} in another order"
    shown = [f"{len(only):,} only in the {which} ({first_few(sorted(only, key=str), 3, ', ')})" for which, only in (("first", mine - theirs), ("second", theirs - mine)) if only]  # fmt: skip
    return f"{what}: {len(a):,} against {len(b):,}, {' and '.join(shown)}"


def _columns(a: PoseDataset, b: PoseDataset) -> str:
    for name in _ASKED:
        one, other = getattr(a.instances, name), getattr(b.instances, name)
        unlike = (one != other) & ~((one != one) & (other != other))  # NaN, unknown on both sides, is alike
        rows = np.flatnonzero(unlike.reshape(len(one), -1).any(1))
        if len(rows):
            return f"{name} of {len(rows):,} of {len(one):,} truths, the first with id {a.instances.id[rows[0]]}"
    return ""


def _sigmas(a: Task, b: Task) -> str:
    one, other = (sigma_table(*task) for task in (a, b))
    unlike = np.argwhere((one != other) & ~(np.isnan(one) & np.isnan(other)))
    if not len(unlike):
        return ""
    row, column = unlike[0]
    return f"sigma of {a.truth.schema.names[column]}: {one[row, column]:g} against {other[row, column]:g}"


def model_names(evs: Sequence[Evaluation], given: Sequence[str] | None) -> tuple[str, ...]:
    """What the models are called: as given, else as their headers name them, else A, B, C, ..."""
    odd = next((ev for ev in evs if not hasattr(ev, "workings")), None)
    if odd is not None:
        raise PoseError("compare", f"{type(odd).__name__} where an evaluation is needed", "posebench.evaluate(truth, predictions) makes one")
    if given is not None:
        names = tuple(given) if not isinstance(given, str) else (given,)
        if len(names) != len(evs) or len(set(names)) < len(names) or not all(isinstance(n, str) and n for n in names):
            raise PoseError("names", brief(repr(given)), f"{len(evs)} different names, one for each evaluation")
        return names
    said = [ev.predictions.header.get("model") for ev in evs]
    if all(isinstance(n, str) and n for n in said) and len(set(said)) == len(said):
        return tuple(str(n) for n in said)
    return tuple(chr(ord("A") + i) if len(evs) <= 26 else f"model {i + 1}" for i in range(len(evs)))


def require_word(where: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a word that is none of those known."""
    if value not in known:
        raise PoseError(f"{where}={brief(repr(value))}", "no such choice", did_you_mean(str(value), known))
