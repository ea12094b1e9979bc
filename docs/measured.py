"""Tables of docs/ablations.md, from what `baselines sweep`, `ablate`, `lr` and `complexity` wrote under benchmarks/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.pairs import points
from baselines.parts import PARTS
from baselines.trials import read_table

__all__ = ["ablation_parts"]

FOLDER = Path(__file__).parents[1] / "benchmarks"


def ablation_parts() -> dict[str, str]:
    """The generated parts of the page."""
    swept, asked, learned, costs = (read_table(FOLDER / f"{name}.json") for name in ("sweep", "ablation-predicted", "ablation-learned", "complexity"))
    return {
        "parts": "\n".join(["| part | what it is held against | learned again |", "|---|---|---|", *_part_rows()]),
        "sweep": _block(swept["command"], _sweep_rows(swept), swept["how"]),
        "predicted": _block(asked["command"], _ablation_rows(asked), asked["how"]),
        "learned": _block(learned["command"], _ablation_rows(learned), learned["how"]),
        "complexity": _block(costs["command"], _cost_rows(costs["rows"]), f"{costs['rows'][0]['clock']} time on {costs['rows'][0]['hardware']}; one crop at a time, medians; images/s in batches of {costs['rows'][0]['batch']}"),
    }  # fmt: skip


def _part_rows() -> list[str]:
    return [f"| `{name}` | {part.text} | {'yes' if part.learned else 'no'} |" for name, part in PARTS.items()]


def _block(command: str, rows: Sequence[Sequence[str]], how: str) -> str:
    """The command, the table, and how its numbers were made."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"```text\n{command}\n```\n\n{table}\n\nHow: {how}."


def _sweep_rows(values: Mapping[str, Any]) -> list[list[str]]:
    head = ["", values["metric"], "95%", "less the best", "paired 95%", "p", "AP", "M params", "GMAC", "seconds"]
    rows = [(row, values["epochs"]) for row in values["rows"]] + [(row, values["then"]) for row in values["longer"]]
    return [head, *(_sweep_row(row, epochs) for row, epochs in rows)]


def _sweep_row(row: Mapping[str, Any], epochs: int) -> list[str]:
    found = row["best"]
    pair = ["best", "", ""] if found is None else [_starred(found), _ends(found), _p(found["p"])]
    costs = [f"{row['params_m']:.2f}", f"{row['gmac']:.3f}", f"{row['seconds']:.0f}"]
    return [f"`{row['name']}`, {epochs} epochs", points(row["value"]), _ends(row, False), *pair, points(row.get("AP")), *costs]


def _ablation_rows(values: Mapping[str, Any]) -> list[list[str]]:
    head = ["part", "change", values["metric"], "less the run", "paired 95%", "p", "settings"]
    own = ["", f"the run itself, {values['epochs']} epochs", points(values["value"]), "", "", "", ""]
    return [head, own, *(_ablation_row(row, values["value"]) for row in values["rows"])]


def _ablation_row(row: Mapping[str, Any], own: float) -> list[str]:
    said = ", ".join(f"{k}={v}" for k, v in row["settings"].items()) if len(row["settings"]) < 4 else "flips, turns, sizes, shifts, half bodies, colours off"
    return [
        f"`{row['part']}`",
        row["name"] if row["base"] == own else f"{row['name']}, from {points(row['base'])} of the last epoch",
        points(row["value"]),
        _starred(row),
        _ends(row),
        _p(row["p"]),
        said,
    ]


def _cost_rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    metric = next((row["metric"] for row in rows if row["value"] is not None), "score")
    head = ["", metric, "input", "M params", "GMAC", "size MB", "t_total ms", "t_NN ms", "t_dec ms", "images/s"]
    body = [
        [f"`{row['name']}`", points(row["value"]), row["input"], f"{row['params_m']:.2f}", f"{row['gmac']:.3f}", f"{row['size_mb']:.1f}", f"{row['total_ms']:.1f}",
         f"{row['network_ms']:.1f}", f"{row['decoding_ms']:.1f}", f"{row['images_per_second']:,.0f}"]
        for row in rows
    ]  # fmt: skip
    return [head, *body]


def _starred(row: Mapping[str, Any]) -> str:
    return f"**{points(row['difference'], True)}**" if row["real"] else points(row["difference"], True)


def _ends(row: Mapping[str, Any], sign: bool = True) -> str:
    return f"{points(row['low'], sign)} to {points(row['high'], sign)}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
