"""What a COCO file we wrote says of itself, in its `info` under `posebench`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import DataError, Fault, SchemaError
from ..schema import Schema
from ..schemas import SCHEMAS, recognise

__all__ = ["info_text", "told_meta", "told_schema", "word_of"]


def told(top: Mapping[str, Raw | bytes]) -> dict[str, Any]:
    """Our words in a file's info; nothing in a file of others."""
    try:
        words = msgspec.json.decode(top["info"])["posebench"]
    except (KeyError, TypeError, msgspec.DecodeError, RecursionError):
        return {}
    return words if isinstance(words, dict) else {}


def told_meta(top: Mapping[str, Raw | bytes], known: Mapping[str, str]) -> list[str]:
    """Keys of columns that the file names as ours."""
    named = told(top).get("meta")
    return [key for key in named if isinstance(key, str) and key not in known] if isinstance(named, list) else []


def told_schema(top: Mapping[str, Raw | bytes], faults: list[Fault]) -> Schema | None:
    """A schema that no table of ours holds: with measured sigmas, or by a merge's rule. Names alone would give the usual sigmas."""
    values = told(top).get("schema")
    if not isinstance(values, dict):
        return None
    try:
        return Schema.from_dict(values, "$.info.posebench.schema")
    except SchemaError as e:
        faults.append(Fault("$.info.posebench.schema", e.seen, e.cure))
        return None


def word_of(schema: Schema) -> str | dict[str, Any]:
    return schema.name if SCHEMAS.get(schema.name) == schema else schema.to_dict()


def info_text(schema: Schema, texts: Mapping[str, Raw | bytes]) -> Raw | None:
    """The source's info with our word on the schema, where reading the file back would take another one; None where it would not."""
    usual = recognise(schema.names)
    taken = told_schema(texts, []) or (usual[0] if usual else None)
    if taken is None or taken == schema:
        return None
    own = told(texts) or {"version": 1}
    try:
        info = msgspec.json.decode(texts.get("info", b"{}"), type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        raise DataError("to_coco", f"schema {schema.name!r} has no place in this file's info, which is no object", "write Parquet") from None
    return Raw(msgspec.json.encode(info | {"posebench": own | {"schema": word_of(schema)}}))
