"""Schema: keypoints by name, each with a sigma whose origin is known."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import SchemaError, brief, did_you_mean, first_few

__all__ = ["SIGMA_SOURCES", "Keypoint", "Schema", "plain_name", "read_schema"]

SIGMA_SOURCES = {
    "measured": "from repeated annotation of this very set",
    "published": "printed by the authors of this set",
    "borrowed": "taken over from another set's point of that kind",
    "assumed": "nobody published one; a stand-in",
}


@dataclass(frozen=True)
class Keypoint:
    """One named point: its tolerance (a share of the square root of the object's area), and what it means."""

    name: str
    sigma: float
    sigma_source: str = "assumed"
    definition: str = ""
    at: tuple[float, float] | None = None
    """Where a drawing of the schema puts it: x, y in 0..1, y down."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or self.name != self.name.strip():
            raise SchemaError("keypoint", f"name {brief(self.name)!r}", "a name is text without outer blanks")
        if isinstance(self.sigma, bool) or not isinstance(self.sigma, int | float) or not 0 < self.sigma < 1:
            raise SchemaError(self.name, f"sigma {brief(self.sigma)}", "a sigma lies between 0 and 1 (COCO's nose: 0.026)")
        if self.sigma_source not in SIGMA_SOURCES:
            raise SchemaError(self.name, f"sigma_source {brief(self.sigma_source)!r}", did_you_mean(str(self.sigma_source), SIGMA_SOURCES))
        if not isinstance(self.definition, str):
            raise SchemaError(self.name, f"definition {brief(self.definition)}", "a definition is text")
        if self.at is not None and not (len(self.at) == 2 and all(isinstance(c, int | float) and math.isfinite(c) for c in self.at)):
            raise SchemaError(self.name, f"at {brief(self.at)}", "a place is two numbers from 0 to 1: x, y")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The points of a kind of body, by name; never by number.

    >>> s = Schema(name="glasses", keypoints=(Keypoint("left_hinge", .02), Keypoint("right_hinge", .02)))
    >>> s.mirror.tolist()
    [1, 0]
    """

    name: str
    keypoints: tuple[Keypoint, ...]
    limbs: tuple[tuple[str, str], ...] = ()
    pairs: tuple[tuple[str, str], ...] | None = None
    """Mirror pairs; None derives them from the words left and right in the names."""
    asymmetry: str = ""
    """Why the two sigmas of a pair differ. Without a reason they may not: lists typed in another set's order show here."""
    source: str = ""
    """Public origin of names and sigmas."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise SchemaError("schema", f"name {brief(self.name)!r}", "a schema has a name")
        duplicates = [n for n, times in Counter(self.names).items() if times > 1]
        if duplicates:
            raise SchemaError(self.name, f"keypoint {duplicates[0]!r} twice", "every keypoint has its own name")
        self._check_limbs()
        if self.pairs is None:
            object.__setattr__(self, "pairs", pairs_by_name(self.name, self.names))
        self._check_pairs()

    def _check_limbs(self) -> None:
        for limb in self.limbs:
            if len(limb) != 2:
                raise SchemaError(self.name, f"limb {brief(limb)}", "a limb joins two names")
            for name in limb:
                self.index(name)

    def _check_pairs(self) -> None:
        seen = [self.keypoints[self.index(n)].name for pair in self.pairs or () for n in pair]
        if len(set(seen)) != len(seen):
            raise SchemaError(self.name, "a keypoint stands in two mirror pairs", "each point has one mirror image")
        for left, right in self.pairs or ():
            a, b = (self.keypoints[self.index(n)].sigma for n in (left, right))
            if a != b and not self.asymmetry:
                raise SchemaError(
                    self.name,
                    f"sigmas of {left} ({a:g}) and {right} ({b:g}) differ",
                    "a list in another set's order? give sigmas by name, or say why in asymmetry=",
                )

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return f"Schema({self.name!r}: {len(self)} keypoints, {len(self.limbs)} limbs, {len(self.pairs or ())} mirror pairs)"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(k.name for k in self.keypoints)

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """(K,) shares of the square root of the area."""
        return _constant([k.sigma for k in self.keypoints], np.float64)

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(K,) the row each point goes to in a mirror; points without a partner stay."""
        rows = np.arange(len(self))
        for left, right in self.pairs or ():
            a, b = self.index(left), self.index(right)
            rows[a], rows[b] = b, a
        return _constant(rows, np.intp)

    @cached_property
    def limb_rows(self) -> NDArray[np.intp]:
        """(L, 2) limbs as rows of keypoints."""
        return _constant([[self.index(a), self.index(b)] for a, b in self.limbs], np.intp, (-1, 2))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """Row of the keypoint of that name."""
        if name not in self._rows:
            raise SchemaError(self.name, f"no keypoint {brief(name)!r}", did_you_mean(str(name), self.names))
        return self._rows[name]

    def sigma_note(self) -> str:
        """One sentence on where the sigmas come from, for printing beside any number they made."""
        by_source: dict[str, list[str]] = {}
        for k in self.keypoints:
            by_source.setdefault(k.sigma_source, []).append(k.name)
        if not by_source:
            return "no keypoints, no sigmas"
        most = max(by_source, key=lambda s: len(by_source[s]))
        others = [f"{s}: {first_few(names, 6, ', ')}" for s, names in by_source.items() if s != most]
        return f"sigmas {most}" + (f", but {'; '.join(others)}" if others else "")

    def with_sigmas(self, name: str, sigmas: Mapping[str, float], sigma_source: str, asymmetry: str = "", source: str = "") -> Schema:
        """The same points under another name, some sigmas replaced."""
        for point in sigmas:
            self.index(point)
        points = tuple(replace(k, sigma=sigmas[k.name], sigma_source=sigma_source) if k.name in sigmas else k for k in self.keypoints)
        return replace(self, name=name, keypoints=points, asymmetry=asymmetry, source=source or self.source)

    def same_points(self, other: Schema) -> bool:
        """Whether the columns mean the same points in the same order; sigmas may differ."""
        return self.names == other.names

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the TOML and JSON files hold them."""
        return {
            "name": self.name,
            "source": self.source,
            "asymmetry": self.asymmetry,
            "limbs": [list(limb) for limb in self.limbs],
            "mirror": [list(pair) for pair in self.pairs or ()],
            "keypoints": [{key: value for key, value in asdict(k).items() if value not in ("", None)} for k in self.keypoints],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any value of the schema."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "schema") -> Schema:
        """A schema from plain values: `keypoints` as tables, or as names beside `sigmas`."""
        unknown = set(values) - {"name", "source", "asymmetry", "limbs", "mirror", "keypoints", "sigmas", "sigma_source"}
        if unknown:
            raise SchemaError(where, f"unknown key {min(unknown)!r}", did_you_mean(min(unknown), ["name", "keypoints", "sigmas", "limbs", "mirror"]))
        try:
            return cls(
                name=str(values.get("name") or Path(where).stem),
                keypoints=tuple(_keypoints(values, where)),
                limbs=tuple((a, b) for a, b in values.get("limbs", ())),
                pairs=tuple((a, b) for a, b in values["mirror"]) if "mirror" in values else None,
                asymmetry=str(values.get("asymmetry", "")),
                source=str(values.get("source", "")),
            )
        except SchemaError as e:
            raise SchemaError(where if e.where == where else f"{where} {e.where}", e.seen, e.cure) from None
        except (TypeError, ValueError, KeyError, AttributeError) as e:
            raise SchemaError(where, brief(str(e)), "see docs/schemas.md#your-own for the form") from None


def read_schema(path: str | Path) -> Schema:
    """A user's schema from a small TOML or JSON file (docs/schemas.md#your-own)."""
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as e:
        raise SchemaError(str(path), (e.strerror or "cannot be read").lower(), "name a .toml or .json file, or a known schema") from None
    except (ValueError, RecursionError) as e:  # also a NUL in the path, or a number of thousands of digits
        raise SchemaError(str(path), brief(str(e), 100), "see docs/schemas.md#your-own for the form") from None
    if not isinstance(values, dict):
        raise SchemaError(str(path), "not a table of values", "see docs/schemas.md#your-own for the form")
    return Schema.from_dict(values, str(path))


def plain_name(name: str) -> str:
    """A spelling without case, blanks and short sides: `L_F_Paw` and `left f paw` are one.

    >>> plain_name("Root of tail"), plain_name("L_Eye")
    ('root_of_tail', 'left_eye')
    """
    words = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_").split("_")
    return "_".join({"l": "left", "r": "right"}.get(w, w) for w in words)


def pairs_by_name(schema: str, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(left, right) for every name with the word left, which must have its right, and the other way round."""
    plain = {plain_name(name): name for name in names}
    pairs = []
    for word, name in plain.items():
        other = _swap_sides(word)
        if other == word:
            continue
        if other not in plain:
            raise SchemaError(schema, f"{name!r} has no {other!r} to mirror it", "name both sides, or give the pairs in mirror=")
        if "left" in word.split("_"):
            pairs.append((name, plain[other]))
    return tuple(pairs)


def _swap_sides(word: str) -> str:
    sides = {"left": "right", "right": "left"}
    return "_".join(sides.get(w, w) for w in word.split("_"))


def _keypoints(values: Mapping[str, Any], where: str) -> Iterable[Keypoint]:
    """Keypoints as tables of their own, or as a list of names with a sigma for each name, or one for all."""
    points = values.get("keypoints")
    if not isinstance(points, list):
        raise SchemaError(where, "no list of keypoints", "see docs/schemas.md#your-own for the form")
    if all(isinstance(p, dict) for p in points):
        return [Keypoint(**{**p, "at": tuple(p["at"]) if p.get("at") else None}) for p in points]
    sigmas, source = values.get("sigmas"), values.get("sigma_source", "assumed")
    if isinstance(sigmas, int | float):
        sigmas = dict.fromkeys(points, sigmas)
    if not isinstance(sigmas, dict):
        # A bare list is how another set's order slips in; a name beside each number cannot.
        raise SchemaError(where, "sigmas are not given by name", "write [sigmas] with a line for each keypoint, or one number for all")
    odd = set(sigmas) ^ set(points)
    if odd:
        raise SchemaError(where, f"sigmas and keypoints disagree on {min(odd, key=str)!r}", "one sigma for each name")
    return [Keypoint(name, sigmas[name], source) for name in points]


def _constant(values: Any, dtype: Any, shape: tuple[int, ...] = (-1,)) -> Any:
    array = np.array(values, dtype).reshape(shape)
    array.flags.writeable = False
    return array
