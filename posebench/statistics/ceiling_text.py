"""How a ceiling reads: a table, and what it says in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from posedata.errors import one_line

from ..table import number
from .limits import CONFUSED, Limit

if TYPE_CHECKING:
    from .ceiling import Ceiling

__all__ = ["answer", "as_text", "noisy", "sentences", "strict", "whose"]


def as_text(made: Ceiling) -> str:
    """What perfect predictions reach, cause by cause, and what that says."""
    head = f"{made.name}: what perfect predictions of {made.truths:,} truths would score under {made.protocol.name}; annotators' noise: {made.noise}"
    rows = [*made.limits, *([made.model] if made.model else [])]
    marks = _marks(made)
    table = [["", "AP", "order unknown", *(f"AP@{t:.2f}" for t in marks), f"pass {strict(made):.2f}", "how"]]
    table += [[r.cause, _pm(r), number(r.blind), *(number(r.metrics[f"AP@{t:.2f}"]) for t in marks), share(r.passes(strict(made))), _how(r)] for r in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = [
        "  " + "  ".join(c.ljust(w) if i in (0, len(line) - 1) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in table
    ]
    said = [*made.sentences, *(f"note: {one_line(n)}" for n in made.notes)]
    how = f"draws: {made.draws}, seed {made.seed}; ± is their standard error. AP has the best order of scores, that of the errors themselves; 'order unknown' draws it."
    return "\n".join([head, "", *lines, "", made.answer, *said, "", how])


def _marks(made: Ceiling) -> list[float]:
    """Thresholds that are printed: the usual ones where there are many."""
    t = made.protocol.thresholds
    return [x for x in t if any(math.isclose(x, m) for m in (0.5, 0.75, 0.9))] or [t[0], t[-1]] if len(t) > 3 else list(t)


def strict(made: Ceiling) -> float:
    """.9 where the protocol has it, else its last."""
    t = made.protocol.thresholds
    return next((x for x in t if math.isclose(x, 0.9)), t[-1])


def _how(limit: Limit) -> str:
    return "exact" if not limit.draws else "drawn; pass: exact" if limit.exact else "drawn"


def _pm(limit: Limit) -> str:
    return f"{number(limit.ap)} ± {limit.errors['AP']:.4f}" if limit.draws else number(limit.ap) + " " * 9


def share(value: float) -> str:
    """A share in percent, never 0 of something."""
    if math.isnan(value):
        return "-"
    return "0%" if value == 0 else f"{100 * value:.2g}%" if value < 0.001 else f"{100 * value:.1f}%"


def answer(made: Ceiling) -> str:
    """Why little or nothing passes the strict threshold, in one line."""
    at = strict(made)
    own = noisy(made)
    if not made.truths or own is None:
        return f"Nothing is said of OKS {at:.2f}: " + ("no truth counts." if not made.truths else "without noise or a grid every perfect pose passes.")
    confused = next(limit for limit in made.limits if limit.cause == f"{own.cause}, {CONFUSED}")
    said = f"OKS {at:.2f}: of perfect poses with the noise of {whose(own)}, {share(own.passes(at))} pass; with k taken for sigma {share(confused.passes(at))}"
    model = "" if made.model is None else f" This model: {share(made.model.passes(at))}."
    much = confused.passes(at) < own.passes(at) / 2
    advice = "Where nothing passes, look there first: the exponent is d² / 2 s² (2 sigma)²." if much else "The convention matters little there."
    return f"{said}. {advice}{model}"


def whose(limit: Limit) -> str:
    """Whose errors a row has."""
    return {"annotators": "annotators", "second annotator": "a second annotator"}.get(limit.cause, f"the {limit.cause}")


def noisy(made: Ceiling) -> Limit | None:
    """The row of annotators' errors, else that of the worst grid: those that are scored with k taken for sigma too."""
    names = {limit.cause for limit in made.limits}
    return min((limit for limit in made.limits if f"{limit.cause}, {CONFUSED}" in names), key=lambda limit: limit.ap, default=None)


def sentences(made: Ceiling) -> tuple[str, ...]:
    """What the rows say, each in plain words."""
    if not made.truths:
        return ("No truth counts: there is no ceiling.",)
    by_cause = {limit.cause: limit for limit in made.limits}
    said = [_annotators(made, by_cause), _grids(by_cause), _areas(by_cause), _rules(made)]
    return tuple(s for s in said if s)


def _annotators(made: Ceiling, rows: dict[str, Limit]) -> str:
    own = rows.get("annotators") or rows.get("second annotator")
    if own is None:
        return ""
    if own.cause == "second annotator":
        reach = f"A second annotator, scored as a model, reaches AP {number(own.ap)}; both annotators' noise is in that, so a model that finds their mean may do better."
    else:
        reach = f"The noise of annotators alone limits AP to {number(own.ap)}, or {number(own.blind)} where scores do not know which poses err."
    if made.model is None:
        return reach
    if made.model.ap > own.ap:
        return f"{reach} This model has {number(made.model.ap)}, which is more: annotators err less than that noise, or the model has seen this truth."
    return f"{reach} This model has {number(made.model.ap)}: {number(own.ap - made.model.ap)} is left below that ceiling."


def _grids(rows: dict[str, Limit]) -> str:
    alone = {name.removeprefix("grid "): r for name, r in rows.items() if name.startswith("grid ") and "," not in name}
    if not alone:
        return ""
    worst = max(alone, key=lambda name: rows["nothing"].ap - alone[name].ap)
    cost = rows["nothing"].ap - alone[worst].ap
    added = rows.get(f"annotators, grid {worst}")
    more = "" if added is None else f", and {number(rows['annotators'].ap - added.ap)} on top of annotators' noise"
    return (
        f"Of the grids {worst} costs most: {number(cost)} AP by itself{more}." if cost > 5e-5 else f"The grids ({', '.join(alone)}) cost nothing by themselves."
    )


def _areas(rows: dict[str, Limit]) -> str:
    found = [(name, r, rows[name.rpartition(", area = ")[0]]) for name, r in rows.items() if ", area = " in name]
    if not found:
        return ""
    name, moved, own = max(found, key=lambda f: abs(f[1].ap - f[2].ap))
    return (
        f"The same errors with {name.rpartition(', ')[2]} are AP {number(moved.ap)}, not {number(own.ap)}: numbers of different area rules cannot be compared."
    )


def _rules(made: Ceiling) -> str:
    top = made["nothing"].ap
    return "" if top > 1 - 1e-9 else f"Even perfect points reach AP {number(top)} only: the rules cut them, such as max_preds = {made.protocol.max_preds}."
