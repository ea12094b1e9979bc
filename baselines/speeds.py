"""Figures of benchmarks as files and as a table; what nobody has measured says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posedata.errors import FormatError, brief
from posedata.files import write_bytes

__all__ = ["read_speeds", "speed_table", "write_speeds"]

_PARTS = ("data", "model", "train", "infer")
_NOTHING = "not measured"


def write_speeds(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """The rows as JSON, one a line, or as a table."""
    if Path(path).suffix == ".md":
        return write_bytes(path, speed_table(rows).encode())
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return write_bytes(path, f'{{\n "rows": [\n  {lines}\n ]\n}}\n'.encode())


def read_speeds(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a file; none where there is no file."""
    path = Path(path)
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_bytes())["rows"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise FormatError(str(path), f"no figures ({brief(str(e), 80)})", "measure again: make gpu, or baselines benchmark") from None
    return [dict(row) for row in rows]


def speed_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each recipe and machine, floors beside what was measured."""
    head = [
        "recipe",
        "input",
        "params M",
        "GMAC",
        *(f"{p}, images/s" for p in _PARTS),
        "memory GB",
        "floor train (arithmetic, memory)",
        "floor infer",
        "measured on",
    ]
    lines = [head, ["---"] * len(head), *(_cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    speeds, floors = row.get("images_per_second", {}), row["floors"]
    held = row.get("memory_gb", {})
    where = ", ".join(str(row[k]) for k in ("hardware",) if k in row)
    how = f"{where}: batch {row['batch']}, {row['precision']}{', compiled' if row.get('compile') else ''}, torch {row['torch']}" if where else _NOTHING
    return [
        row["recipe"], row["input"], f"{row['params_m']:.1f}", f"{row['gmac']:.2f}", *(_speed(speeds.get(part)) for part in _PARTS),
        f"{max(held.values()):.2f}" if held else _NOTHING, f"{floors['train_flops']:,} / {floors['train_bandwidth']:,}",
        f"{floors['infer_flops']:,} / {floors['infer_bandwidth']:,}", how,
    ]  # fmt: skip


def _speed(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:,.0f}"
