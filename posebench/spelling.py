"""How a metric is written, the same everywhere: NAME[.variant][@threshold][[range, level, part or pooled]]."""

from __future__ import annotations

import re
from dataclasses import dataclass

from posedata.errors import PoseError, brief

__all__ = ["Spelling", "spelled"]

_PATTERN = re.compile(r"(?P<name>[A-Za-z]\w*)(?:\.(?P<variant>[\w-]+))?(?:@(?P<at>\d*\.?\d+))?(?:\[(?P<where>[^\[\]]+)\])?")


@dataclass(frozen=True)
class Spelling:
    """A metric, taken apart.

    >>> spelled("PCK.technumber@0.10[large]")
    Spelling(name='PCK', variant='technumber', at=0.1, where='large')
    """

    name: str
    variant: str = ""
    at: float | None = None
    where: str = ""

    def written(self, digits: int | None = None) -> str:
        """The canonical spelling; similarities have two decimals, other thresholds as many as they need."""
        at = "" if self.at is None else f"@{self.at:g}" if digits is None or abs(round(self.at, digits) - self.at) > 1e-6 else f"@{self.at:.{digits}f}"
        return f"{self.name}{'.' * bool(self.variant)}{self.variant}{at}{f'[{self.where}]' if self.where else ''}"


def spelled(text: str) -> Spelling:
    """A metric's spelling, read."""
    found = _PATTERN.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise PoseError("metric", brief(repr(text)), "written NAME[.variant][@threshold][[range or level]], for instance AP@0.75[large]; see posebench metrics")
    at = found["at"]
    return Spelling(found["name"], found["variant"] or "", None if at is None else float(at), (found["where"] or "").strip())
