"""The leaderboard as text, Markdown and a page of HTML: one table for each ranking, never two protocols in one."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

from posedata.errors import one_line

from .ranking import RANKED_BY, Ranking, rankings, value_of
from .rows import Board, Row

__all__ = ["COLUMNS", "as_html", "as_markdown", "as_text"]

Cells = list[list[str]]

_ALWAYS = ("boxes", "flip test", "conditions", "pretraining")
"""Columns that stand in every table: what a model was told, and where it started."""

COLUMNS: Mapping[str, Callable[[Row], str | None]] = {
    "input": lambda row: row.input,
    "boxes": lambda row: row.boxes,
    "flip test": lambda row: None if row.flip_test is None else "yes" if row.flip_test else "no",
    "conditions": lambda row: row.conditions,
    "pretraining": lambda row: row.pretraining,
    "learned from": lambda row: ", ".join(row.train) if row.train else None,
    "params M": lambda row: _figure(row.params_m),
    "GMAC": lambda row: _figure(row.gmac),
    "GFLOPs as printed": lambda row: _figure(row.gflops),
    "MB": lambda row: _figure(row.size_mb),
    "images/s": lambda row: _figure(row.images_per_second),
    "on": lambda row: row.hardware,
}
"""What stands beside a model's numbers: a name, and what a row says of it; None where it says nothing."""
_IN_TERMINAL = ("input", "boxes", "flip test", "conditions", "pretraining", "params M", "images/s")


def as_markdown(board: Board, dataset: str | None = None) -> str:
    """Everything, a section for each set."""
    parts = []
    for name, group in _by_set(board, dataset):
        parts.append(f"## {name}\n")
        for ranking in group:
            parts.append(f"### {_plain_title(ranking)}\n")
            parts.append(_markdown_table(_table(ranking, COLUMNS)))
            parts += [f"{note}\n" for note in _notes(ranking)]
    return "\n".join(parts)


def as_text(board: Board, dataset: str | None = None) -> str:
    """For a terminal: what we computed in full, then the published rows."""
    parts = []
    for name, group in _by_set(board, dataset):
        parts.append(name)
        for ranking in group:
            columns = {k: COLUMNS[k] for k in _IN_TERMINAL}
            parts += [f"  {_plain_title(ranking)}", _aligned(_table(ranking, columns)), *(f"    {note}" for note in _notes(ranking)), ""]
    return "\n".join(parts).rstrip() or "the leaderboard is empty"


def as_html(board: Board, dataset: str | None = None) -> str:
    """One page that fetches nothing; all names are escaped."""
    parts = ["<h1>Leaderboard</h1>", f"<p>{_escaped(_LEGEND)}</p>"]
    for name, group in _by_set(board, dataset):
        parts.append(f"<h2>{_escaped(name)}</h2>")
        for ranking in group:
            parts += [f"<h3>{_escaped(_plain_title(ranking))}</h3>", _html_table(_table(ranking, COLUMNS)), *(f"<p>{_escaped(n)}</p>" for n in _notes(ranking))]
    guard = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Leaderboard</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{guard}{head}</head><body>{"".join(parts)}</body></html>\n'


_LEGEND = (
    "Numbers are in points, 0 to 100. Only rows of one set, metric, protocol, source of boxes and kind of conditions stand in one ranking. "
    "Rows with = cannot be told apart from one above or below. Published rows are as their sources print them, not computed again, and have no rank."
)

# -- tables ------------------------------------------------------------------------------------------


def _by_set(board: Board, dataset: str | None) -> list[tuple[str, list[Ranking]]]:
    grouped: dict[str, list[Ranking]] = {}
    for ranking in rankings(row for row in board.rows if dataset in (None, row.dataset, row.set_name)):
        grouped.setdefault(ranking["set"] or "", []).append(ranking)
    return sorted(grouped.items())


def _plain_title(ranking: Ranking) -> str:
    """What all rows share."""
    values = dict(zip(RANKED_BY, ranking.key, strict=True))
    who = values["protocol"] or "published, by whose program is not said"
    known = [f"{name} {values[name]}" for name in ("boxes", "conditions") if values[name] is not None]
    return one_line(", ".join([str(values["metric"]), who if who.startswith("published") else f"protocol {who}", *known]))


def _notes(ranking: Ranking) -> list[str]:
    """Why rows have no rank, why some cannot be computed again, and how intervals were made."""
    notes = [f"No ranking: the sources do not say {' and '.join(ranking.unknown)}."] if ranking.unknown else []
    notes += [f"{one_line(row.id)}: cannot be computed again by everybody: {one_line(row.reason)}." for row in ranking.rows if row.reason]
    return notes + [f"Intervals: {one_line(how)}." for how in dict.fromkeys(row.interval_how for row in ranking.rows) if how]


def _table(ranking: Ranking, columns: Mapping[str, Callable[[Row], str | None]]) -> Cells:
    """Head and rows; a column in which no row says anything is left out, but for those that must be asked for."""
    rows = ranking.rows
    more = list(dict.fromkeys(name for row in rows for name in row.metrics if name != row.headline))[:5]
    said = {name: [of(row) for row in rows] for name, of in columns.items()}
    shown = [name for name, cells in said.items() if name in _ALWAYS or any(c is not None for c in cells)]
    head = [*(["rank"] if ranking.ranked else []), "model", str(ranking["metric"]), *more, *shown, "source" if rows[0].published else "row"]
    table = [head]
    for i, row in enumerate(rows):
        start = [ranking.rank(row)] if ranking.ranked else []
        middle = [row.model, _value(row), *(_points(row.metrics.get(name)) for name in more)]
        end = [row.source or "?", row.note] if row.published else [row.id, row.note]
        table.append([one_line(c) for c in [*start, *middle, *(said[name][i] or "?" for name in shown), "; ".join(filter(None, end))]])
    return table


def _value(row: Row) -> str:
    """The number that ranks, with its interval."""
    ends = row.intervals.get(row.headline)
    return _points(value_of(row)) + ("" if ends is None else f" ({_points(ends[0])} to {_points(ends[1])})")


def _points(value: float | None) -> str:
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def _figure(value: float | None) -> str | None:
    """Three digits."""
    if value is None:
        return None
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# -- looks -------------------------------------------------------------------------------------------


def _markdown_table(table: Cells) -> str:
    lines = ["| " + " | ".join(_marked(c) for c in cells) + " |" for cells in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]]) + "\n"


def _marked(cell: str) -> str:
    """A cell that Markdown leaves as it is."""
    for sign in ("\\", "|", "*", "_", "`", "<", "["):
        cell = cell.replace(sign, "&lt;" if sign == "<" else f"\\{sign}")
    return cell


def _aligned(table: Cells) -> str:
    narrow = [cells[:-1] for cells in table]
    widths = [max(len(line[i]) for line in narrow) for i in range(len(narrow[0]))]
    return "\n".join("    " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in narrow)


def _html_table(table: Cells) -> str:
    head = "".join(f"<th>{_escaped(c)}</th>" for c in table[0])
    body = "".join("<tr>" + "".join(f"<td>{_escaped(c)}</td>" for c in cells) + "</tr>" for cells in table[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _escaped(text: str) -> str:
    return html.escape(one_line(text))


_STYLE = """
:root { color-scheme: light dark; --ground: #faf9f6; --card: #fff; --ink: #26262a; --faint: #6f6d67; --line: #e4e1d9; }
@media (prefers-color-scheme: dark) { :root { --ground: #161618; --card: #1f1f22; --ink: #e8e6e1; --faint: #a09d96; --line: #36363b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1560px; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .2rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }
p { color: var(--faint); margin: .2rem 0; overflow-wrap: anywhere; max-width: 60rem; }
svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; background: var(--card); }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--faint); font-weight: 600; } td:last-child { white-space: normal; min-width: 16rem; }
"""
