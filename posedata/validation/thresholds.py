"""The numbers rules compare with: a documented table beside the code, each of which a user may set."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, FormatError, brief, did_you_mean

__all__ = ["Limits", "Threshold", "limits_from", "thresholds"]

Limits = Mapping[str, float]


class Threshold(NamedTuple):
    """One number, its unit, and why it is that."""

    value: float
    unit: str
    why: str


@cache
def thresholds() -> dict[str, Threshold]:
    """All of them, by name."""
    table = tomllib.loads((Path(__file__).with_suffix(".toml")).read_text("utf-8"))
    return {name: Threshold(float(t["value"]), t["unit"], t["why"]) for name, t in table.items()}


def limits_from(own: Mapping[str, float] | str | Path | None = None) -> Limits:
    """The values, with a user's own in their places: by name, or from a TOML file of `name = number` or of our form."""
    given: Mapping[str, Any] = _read(Path(own)) if isinstance(own, str | Path) else own or {}
    where = str(own) if isinstance(own, str | Path) else "thresholds"
    limits = {name: t.value for name, t in thresholds().items()}
    for name, value in given.items():
        if name not in limits:
            raise DataError(where, f"no threshold {brief(str(name))!r}", did_you_mean(str(name), limits))
        number = value.get("value") if isinstance(value, Mapping) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or number != number:
            raise DataError(f"{where}: {name}", brief(repr(value)), "a number is needed")
        limits[name] = float(number)
    return limits


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise FormatError(str(path), (e.strerror or "cannot be read").lower(), "name a .toml of thresholds") from None
    except ValueError as e:
        raise FormatError(str(path), brief(str(e), 100), "lines of NAME = NUMBER") from None
