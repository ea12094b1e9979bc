"""What a strict reader takes and a careful one mentions: spellings of ids, polygons, names and skeletons in COCO's files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import brief
from ..schema import Schema
from ..schemas import recognise
from .mending import Noted
from .rows import parse_blocks

__all__ = ["odd_annotations", "odd_categories", "odd_images"]

_FLOAT = re.compile(rb"\s*-?\d+(\.|[eE])")
_FLAT = re.compile(rb"\s*\[\s*-?[\d.]")
_RUN_TOGETHER = re.compile(rb'"\d{4}-\d{2}-\d{4}:\d{2}:\d{2}"')
_OTHER_POINTS = ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts", "joints", "keypoints3d", "keypoints_3d")
Places = Sequence[int | str] | None


def _path(table: str, i: int, places: Places) -> str:
    at = places[i] if places is not None else i
    return f"$.{table}[{at}]" if isinstance(at, int) else f"$.{table}.{at}"


def _value(raw: Any) -> Any:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def odd_images(raw: Raw, places: Places, where: str) -> list[Noted]:
    """Ids written as floats, dates whose blank was stripped."""
    notes = []
    for first, rows in parse_blocks(raw, where, "$.images"):
        for i, row in enumerate(rows, first):
            if "id" in row and _FLOAT.match(row["id"]):
                notes.append(Noted("float-id", _path("images", i, places) + ".id", bytes(row["id"]).decode(), "a whole number", _value(row["id"])))
            if "date_captured" in row and _RUN_TOGETHER.match(row["date_captured"]):
                notes.append(
                    Noted(
                        "stripped-blanks",
                        _path("images", i, places) + ".date_captured",
                        _value(row["date_captured"]),
                        "a blank between date and time",
                        _value(row.get("id")),
                    )
                )
    return notes


def odd_annotations(raw: Raw, places: Places, where: str) -> list[Noted]:
    """Ids written as floats, polygons that are one flat list, points under keys that are not read."""
    notes: list[Noted] = []
    unread: Counter[str] = Counter()
    for first, rows in parse_blocks(raw, where, "$.annotations"):
        for i, row in enumerate(rows, first):
            notes += [
                _of(row, "float-id", f"{_path('annotations', i, places)}.{key}", bytes(row[key]).decode(), "a whole number")
                for key in ("id", "image_id")
                if key in row and _FLOAT.match(row[key])
            ]
            if "segmentation" in row and _FLAT.match(row["segmentation"]):
                notes.append(
                    _of(row, "flat-polygon", _path("annotations", i, places) + ".segmentation", "one flat list of numbers", "a list of polygons, each a list")
                )
        for keys, count in Counter(map(frozenset, rows)).items():
            unread.update({k: count for k in _OTHER_POINTS if k in keys})
    notes += [Noted("other-points", "$.annotations", f"{key!r} in {n:,} rows, not read", "only 'keypoints' is") for key, n in unread.items()]
    return notes


def _of(row: dict[str, Raw], kind: str, path: str, seen: str, cure: str) -> Noted:
    return Noted(kind, path, seen, cure, _value(row.get("image_id")), _value(row.get("id")))


def odd_categories(raw: Raw, schema: Schema | None, places: Places) -> list[Noted]:
    """Skeletons of another set or base, names with blanks at their ends, sigmas in another order."""
    notes: list[Noted] = []
    for i, c in enumerate(_value(raw) or []):
        if isinstance(c, dict):
            path = _path("categories", i, places)
            names = c.get("keypoints")
            words = [w for w in names if isinstance(w, str)] if isinstance(names, list) else []
            notes += _odd_names(c, words, path)
            notes += _odd_skeleton(c.get("skeleton"), len(words) or (len(schema) if schema else 0), path)
            notes += _odd_sigmas(c, words, schema, path)
    return notes


def _odd_names(c: dict[str, Any], words: list[str], path: str) -> list[Noted]:
    named = [(f"{path}.name", c["name"])] if isinstance(c.get("name"), str) else []
    named += [(f"{path}.keypoints[{j}]", w) for j, w in enumerate(words)]
    return [Noted("odd-name", at, repr(brief(w)), repr(brief(w.strip()))) for at, w in named if w != w.strip()]


def _odd_skeleton(skeleton: Any, k: int, path: str) -> list[Noted]:
    """COCO counts from 1 to K."""
    links = [n for link in skeleton if isinstance(link, list) for n in link] if isinstance(skeleton, list) else []
    if not links or not k:
        return []
    odd = [n for n in links if type(n) is not int or not 0 <= n <= k]
    if odd:
        return [Noted("skeleton-range", f"{path}.skeleton", f"{len(odd)} indices such as {odd[0]!r}", f"1 to {k}: is it the skeleton of another set?")]
    return [Noted("skeleton-base", f"{path}.skeleton", f"indices {min(links)} to {max(links)}", f"COCO counts from 1: 1 to {k}")] if 0 in links else []


def _odd_sigmas(c: dict[str, Any], words: list[str], schema: Schema | None, path: str) -> list[Noted]:
    """A list of sigmas beside the names: left and right that differ where the schema's do not are in another set's order."""
    sigmas = c.get("sigmas", c.get("kpt_oks_sigmas"))
    if not isinstance(sigmas, list) or not words:
        return []
    found = (schema, schema.names) if schema and len(schema) == len(words) else recognise(tuple(words))
    if len(sigmas) != len(words) or any(type(s) not in (int, float) for s in sigmas):
        return [Noted("sigmas", f"{path}.sigmas", f"{len(sigmas)} values", f"a number for each of {len(words)} names")]
    if found is None or found[0] is None:
        return []
    own, by_name = found[0], dict(zip(found[1], sigmas, strict=True))
    odd = [(a, b) for a, b in own.pairs or () if a in by_name and by_name[a] != by_name.get(b) and own.sigmas[own.index(a)] == own.sigmas[own.index(b)]]
    seen = "; ".join(f"{a} {by_name[a]:g}, {b} {by_name[b]:g}" for a, b in odd[:3])
    return [Noted("sigmas", f"{path}.sigmas", seen, "left and right of a pair alike: is the list in another set's order?")] if odd else []
