"""A few steps: is the learning rate too high; can a few examples be learned by heart, and what are they worth then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posebench.evaluation import Evaluation
from posedata.progress import bar

from ..recipes import Recipe
from ..runs import read_metrics
from ..scoring import higher_is_better
from .bench import Bench, all_of, ceiling, descend, few, scored
from .verdicts import Part, Verdict

__all__ = ["look_at_fit", "look_at_history", "look_at_rate"]

_PROBE = 24
"""Steps at each learning rate."""
_LEAP = 10.0
"""A loss that leaps to so many times its start has thrown the first weights away, published ones too."""
_LOOKS = 20
"""How often validation is looked at while examples are learned."""
_ENOUGH = 0.95
"""Share of the examples found at OKS .50 from which they count as learned."""
_LONG = 10
"""Epochs after which a score of 0 is no start."""
_TURN = 1.02
"""A loss of val that ends so much above its lowest has turned."""


# -- the learning rate -----------------------------------------------------------------------------------


def look_at_rate(bench: Bench, examples: int, quiet: bool = False) -> Part:
    """The same steps from the same weights at the recipe's learning rate and at a tenth of it: where a tenth is better by far, it is too high."""
    recipe = bench.recipe
    if recipe.lr == 0:
        return Part("rate", ("lr is 0",), {"lr": 0.0}, (Verdict("rate", "lr is 0", "nothing is learned: --set lr=1e-3"),))
    batch = all_of(few(bench.train, examples))
    with bar("learning rate", 2 * _PROBE, quiet) as step:
        high, low = (descend(bench, bench.copy(), batch, _PROBE, _ramped(recipe, lr), lambda s, loss: bool(step(1))) for lr in (recipe.lr, recipe.lr / 10))
    ends = {"high": _end(high), "low": _end(low)}
    values = {"lr": recipe.lr, "losses": high, "losses_at_a_tenth": low, "start": high[0]}
    line = f"{_PROBE} steps on {len(batch.rows)} examples: loss {high[0]:.3g} to {ends['high']:.3g} at lr {recipe.lr:g}; to {ends['low']:.3g} at a tenth"
    return Part("rate", (line,), values, tuple(_too_high(recipe, high, ends)))


def _ramped(recipe: Recipe, lr: float) -> Callable[[int], float]:
    """A third of the steps to rise where the recipe warms up."""
    rise = _PROBE // 3 if recipe.warmup else 1
    return lambda step: lr * min(1.0, (step + 1) / rise)


def _end(losses: list[float]) -> float:
    return float(np.median(losses[-5:])) if np.isfinite(losses[-1]) else float("inf")


def _too_high(recipe: Recipe, losses: list[float], ends: Mapping[str, float]) -> list[Verdict]:
    """No number, a loss that ends well above both its start and a tenth's end, or one that leaps on the way."""
    end, start, steps = ends["high"], losses[0], len(losses)
    if not np.isfinite(end):
        seen = f"after {steps} steps the loss is no number"
    elif end > 1.5 * max(start, ends["low"]):
        seen = f"in {steps} steps the loss goes from {start:.3g} to {end:.3g}"
    elif max(losses) > _LEAP * start:
        seen = f"in {steps} steps the loss leaps from {start:.3g} to {max(losses):.3g}"
    else:
        return []
    better = f"at {recipe.lr / 10:g} it goes to {ends['low']:.3g}: " if ends["low"] < start else ""
    more = ("" if recipe.warmup else ", or warmup=0.05") + ("" if recipe.clip else ", or clip=1")
    return [Verdict("rate", f"lr {recipe.lr:g} is too high: {seen}", f"{better}--set lr={recipe.lr / 10:g}{more}")]


# -- learned by heart ------------------------------------------------------------------------------------


def look_at_fit(bench: Bench, examples: int, steps: int, folder: Path, quiet: bool = False) -> Part:
    """Learn a few upright crops for so many steps; say whether it could, when validation turned, and what the examples score."""
    from .plots import plot_fit

    train = few(bench.train, examples)
    val = None if bench.val is None else few(bench.val, examples)
    model, batch = bench.copy(), all_of(train)
    seen: list[tuple[int, float]] = []
    calm = replace(bench, recipe=replace(bench.recipe, weight_decay=0.0))
    with bar("learning by heart", steps, quiet) as advance:

        def after(step: int, loss: float) -> bool:
            advance(1)
            if val is not None and (step % max(steps // _LOOKS, 1) == 0 or step == steps - 1):
                seen.append((step + 1, _loss(bench, model, val)))
            return False

        losses = descend(calm, model, batch, steps, _over(bench.recipe.lr, steps), after)
    if not np.isfinite(losses[-1]):
        why = Verdict("fit", f"the loss is no number after {len(losses)} steps", "a lower lr, or --set clip=1")
        return Part("fit", (f"{len(batch.rows)} examples: stopped after {len(losses)} steps",), {"losses": _finite(losses)}, (why,))
    ev = scored(bench, model, train)
    table = by_threshold(ev, ceiling(bench, train))
    turned = turning(seen)
    values = {"examples": len(train), "steps": len(losses), "losses": losses, "val": seen, "turned": turned, "by_threshold": table}
    lines = [f"{len(train)} examples, {len(losses)} steps: loss {losses[0]:.3g} to {losses[-1]:.3g}", *_told(seen, turned), *threshold_lines(table)]
    pictures = [plot_fit(losses, seen, turned, len(train), folder / "fit.png"), _curves(ev, folder)]
    return Part("fit", tuple(lines), values, tuple(_not_learned(len(train), ev.curve(ev.protocol.thresholds[0]).truths, table, losses)), tuple(pictures))


def _over(lr: float, steps: int) -> Callable[[int], float]:
    """Up in a tenth of the steps, down along a cosine to a fiftieth."""
    return lambda step: lr * min(1.0, (step + 1) / max(steps // 10, 1)) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / steps)))


def _loss(bench: Bench, model: Any, examples: Any) -> float:
    """The loss of examples as the model predicts; what trains goes on training."""
    training = [m for m in model.modules() if m.training]
    model.eval()
    with torch.no_grad(), bench.judging(model):
        loss = float(bench.loss(all_of(examples), model))
    for module in training:
        module.training = True
    return loss


def turning(seen: list[tuple[int, float]]) -> int | None:
    """The step (or epoch) at which the loss of val was lowest, if it has risen since."""
    if len(seen) < 2:
        return None
    lowest = min(seen, key=lambda s: s[1])
    return lowest[0] if seen[-1][1] > _TURN * lowest[1] and lowest[0] != seen[-1][0] else None


def _told(seen: list[tuple[int, float]], turned: int | None) -> list[str]:
    if not seen:
        return []
    lowest = min(loss for _, loss in seen)
    if turned == seen[0][0]:
        return [f"validation never got better: {lowest:.3g} at first, {seen[-1][1]:.3g} at the end; what these examples teach holds for no other"]
    if turned is None:
        return [f"validation has not turned: its loss ends at {seen[-1][1]:.3g}, {lowest:.3g} at best"]
    return [f"validation turned after step {turned}: {lowest:.3g} there, {seen[-1][1]:.3g} at the end; beyond it the examples are learned by heart"]


def by_threshold(ev: Evaluation, perfect: Evaluation | None) -> dict[str, dict[str, float]]:
    """Precision and recall of all predictions, by OKS threshold; `possible` is the recall of perfect outputs."""
    table = {}
    for threshold in ev.protocol.thresholds:
        precision, recall = _ends(ev, threshold)
        table[f"{threshold:.2f}"] = {
            "precision": precision,
            "recall": recall,
            "possible": 1.0 if perfect is None else _ends(perfect, threshold)[1],
            "AP": ev[f"AP@{threshold:.2f}"],
        }
    return table


def _ends(ev: Evaluation, threshold: float) -> tuple[float, float]:
    """Precision and recall of all predictions together."""
    curve = ev.curve(threshold)
    return (float(curve.precision[-1]), float(curve.recall[-1])) if len(curve.recall) else (0.0, 0.0)


def threshold_lines(table: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The table as rows of numbers; what perfect outputs would find only where that is not all."""
    names = ("precision", "recall") + (("possible",) if any(row["possible"] < 1 for row in table.values()) else ())
    return [
        "OKS        " + "  ".join(f"{t:>4}" for t in table),
        *(f"{name:<9}  " + "  ".join(f"{row[name]:.2f}" for row in table.values()) for name in names),
    ]


def _not_learned(examples: int, poses: int, table: Mapping[str, Mapping[str, float]], losses: list[float]) -> list[Verdict]:
    """What perfect outputs would find at the middle threshold should be found at the first. An example whose points lie outside its crop is none of it."""
    rows = list(table.values())
    found, able = round(rows[0]["recall"] * poses), round(rows[len(rows) // 2]["possible"] * poses)
    if found >= _ENOUGH * able:
        return []
    seen = f"{examples} examples could not be learned: after {len(losses)} steps {found} of {able} poses are found at OKS {next(iter(table))}, loss {losses[0]:.3g} to {losses[-1]:.3g}"
    if losses[-1] > 0.5 * losses[0]:
        cure = "the loss hardly fell: another lr, more --steps, less frozen; or labels and pictures do not belong together (see batch.png)"
    else:
        cure = "the loss fell, so it learns: more --steps, or a larger lr"
    return [Verdict("fit", seen, cure)]


def _curves(ev: Evaluation, folder: Path) -> Path:
    from posebench.plots.curves import precision_recall
    from posebench.plots.style import save

    return save(precision_recall(ev), folder / "precision-recall.png")


def _finite(losses: list[float]) -> list[float | None]:
    return [loss if np.isfinite(loss) else None for loss in losses]


# -- a run -----------------------------------------------------------------------------------------------


def look_at_history(bench: Bench, folder: Path, run: Path, examples: int) -> Part:
    """What the losses of a run say, and what its weights make of examples it has learned from."""
    lines, found = read_metrics(run), []
    if not lines:
        return Part("history", ("no epoch is recorded",), {}, (Verdict("history", "no epoch is recorded", "wait for the first, or look into training.log"),))
    losses = [line["loss"] for line in lines if line.get("loss") is not None]
    seen = [(line["epoch"], line["val_loss"]) for line in lines if line.get("val_loss") is not None]
    turned = turning(seen)
    if list(run.glob("bad-batch-*.safetensors")):
        found.append(Verdict("history", "a batch was kept whose loss is no number", "a lower lr, clip=1 or more warmup; then --resume"))
    if len(losses) > 1 and losses[-1] > 0.95 * losses[0]:
        found.append(
            Verdict("history", f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g}: nothing was learned", "another lr; baselines check RECIPE tries it")
        )
    found += _nothing_scored(bench.recipe, lines)
    some = few(bench.train, examples)
    ev = scored(bench, bench.model, some)
    table = by_threshold(ev, ceiling(bench, some))
    told = [f"{len(lines)} epochs: loss {losses[0]:.3g} to {losses[-1]:.3g}" if losses else f"{len(lines)} epochs", *_told_epochs(seen, turned)]
    told += [f"{len(some)} examples it learned from:", *threshold_lines(table)]
    values = {"epochs": len(lines), "losses": losses, "val": seen, "turned": turned, "by_threshold": table}
    return Part("history", tuple(told), values, tuple(found), (_curves(ev, folder),))


def _nothing_scored(recipe: Recipe, lines: list[dict[str, Any]]) -> list[Verdict]:
    """A score of 0 throughout: of a run that places its points well, or of one that was long enough."""
    scores = [line[recipe.score] for line in lines if line.get(recipe.score) is not None]
    near = max((line["PCK@0.2"] for line in lines if line.get("PCK@0.2") is not None), default=0.0)
    if not scores or max(scores) > 0 or not higher_is_better(recipe.score) or (near < 0.5 and len(scores) < _LONG):
        return []
    seen = f"{recipe.score} of val is 0 in {len(scores)} epochs"
    if near >= 0.5:
        return [Verdict("history", f"{seen}, yet {near:.0%} of the points lie near", "areas of val are wrong: posedata validate")]
    return [Verdict("history", seen, "another lr; are val and its pictures right? baselines check RECIPE learns a few examples by heart")]


def _told_epochs(seen: list[tuple[int, float]], turned: int | None) -> list[str]:
    return [line.replace("after step", "after epoch") for line in _told(seen, turned)]
