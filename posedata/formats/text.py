"""The text of JSON files: fetched, cut into blocks that parse alone, and what is wrong with it."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from ..errors import FormatError, brief

__all__ = ["cut_blocks", "inner_path", "read_bytes", "translated", "why_no_json"]

T = TypeVar("T", bound=Sized)

_OPENING = re.compile(rb"[ \t\n\r]*\[")
_BETWEEN = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*\{")
_GZIP = b"\x1f\x8b"


def read_bytes(path: str | Path, packed: bool = False) -> bytes:
    """The bytes of a JSON file, checked to be text; one line says why when they cannot be had. `packed`: it may be gzip."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        raise FormatError(str(path), "is a folder", "name the .json file inside") from None
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "check the path") from None
    except ValueError as e:  # a NUL in the path
        raise FormatError(str(path), brief(str(e), 100), "check the path") from None
    return _checked(_unpacked(data, path) if packed and data.startswith(_GZIP) else data, path)


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as e:
        raise FormatError(str(path), f"not a whole gzip file ({brief(str(e), 80)})", "copy or pack it again") from None


def _checked(data: bytes, path: Path) -> bytes:
    if not data.isascii():  # decoding makes a second copy of the file
        try:
            data.decode("utf-8")
        except ValueError as e:
            raise FormatError(str(path), brief(str(e), 100), "JSON is UTF-8 text; is it another kind of file?") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise FormatError(str(path), "the file is empty", "copy or export it again")
    return data


def cut_blocks(data: bytes | Raw, size: int, decode: Callable[[bytes], T]) -> Iterator[T]:
    """A JSON list of objects, decoded some `size` bytes at a time; what is at work fits the processor's cache.

    A cut between `}` and `{` may fall into an object or a text: what stands before it is then unclosed and no JSON,
    and a later cut is tried. A block that decodes was therefore cut between two members of the list.
    """
    text = memoryview(data)
    opening = _OPENING.match(text)
    if opening is None:
        yield decode(bytes(text))  # no list; the decoder says so
        return
    at, room = opening.end(), size
    while True:
        cut = _BETWEEN.search(text, at + room)
        block = b"".join((b"[", text[at : cut.start() + 1], b"]")) if cut else b"".join((b"[", text[at:]))
        try:
            values = decode(block)
        except msgspec.DecodeError:
            if cut is None:
                raise
            room = 2 * len(block)  # doubled, so that all attempts together stay linear
            continue
        yield values
        if cut is None:
            return
        at, room = cut.end() - 1, size


def inner_path(e: Exception) -> str:
    """`$[3].x` of msgspec's message, without its dollar."""
    return str(e).rpartition("`$")[2].rstrip("`") if "`$" in str(e) else ""


_JSON_WORDS = {
    "`object`": "an object",
    "`array`": "a list",
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`null`": "null",
}


def translated(e: Exception) -> str:
    """msgspec's words in ours."""
    if not str(e).startswith("Expected "):
        return str(e).partition(" - at ")[0].lower()
    expected, _, got = str(e).partition(" - at ")[0].removeprefix("Expected ").partition(", got ")
    return f"{_JSON_WORDS.get(got, got or 'something else')} where {_JSON_WORDS.get(expected, expected)} is needed"


def why_no_json(data: bytes, where: str, first: str) -> FormatError:
    """What is wrong with text the fast reader refused: constants that are no JSON, with their paths, or broken text, with its place."""
    constants: list[str] = []

    class Constant(str):
        pass

    try:
        _find(json.loads(data.decode(), parse_constant=Constant), Constant, "$", constants)
    except json.JSONDecodeError as e:
        early = e.pos >= len(data.decode().rstrip()) - 1 and e.msg != "Extra data"
        cure = "the file ends early; copy or export it again" if early else "not valid JSON there; export it again"
        return FormatError(where, f"{e.msg} at line {e.lineno}, column {e.colno}", cure)
    except RecursionError:
        return FormatError(where, "nested too deeply", "is it an annotation file?")
    except ValueError as e:  # a number of thousands of digits
        return FormatError(where, brief(str(e), 100), "export the file again as standard JSON")
    if constants:
        return FormatError(
            f"{where.removesuffix(' $')} {constants[0]}",
            f"{len(constants):,} values that are NaN or infinite",
            "JSON has no such numbers; an unlabelled point is 0, 0, 0",
        )
    return FormatError(where, brief(first.partition(" (byte ")[0], 100), "export the file again as standard JSON")


def _find(value: Any, kind: type, path: str, found: list[str]) -> None:
    if isinstance(value, kind):
        found.append(f"{path} is {value}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _find(inner, kind, f"{path}.{brief(key)}", found)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _find(inner, kind, f"{path}[{i}]", found)
