"""Recipes as people read them: the list, one recipe in full with what was published of it, and every setting explained."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from .recipes import GROUPS, RECIPES, Recipe, load_recipe
from .runs import PREDICTIONS, Run, read_metrics

__all__ = ["command_of", "list_recipes", "options_guide", "published_of", "recipe_guide", "run_guide"]


def list_recipes(word: str | None = None) -> tuple[dict[str, Any], str]:
    """The recipes whose names hold a word, as values and as a table."""
    chosen = {n: r for n, r in RECIPES.items() if word is None or word in n}
    width = max((len(n) for n in chosen), default=0)
    lines = [f"{n:<{width}}  {r.backbone:<36} {r.head:<8} {r.width}x{r.height}  {r.epochs} epochs of {r.dataset}{_quoted(r)}" for n, r in chosen.items()]
    lines += ["", "baselines list NAME explains one; baselines list --options every setting; baselines train NAME learns it"]
    return {n: r.to_dict() for n, r in chosen.items()}, "\n".join(lines)


def _quoted(recipe: Recipe) -> str:
    told = [f"{100 * row['metrics']['AP']:.1f}" for row in published_of(recipe) if "AP" in row["metrics"]]
    return f"  published AP {' / '.join(told)}" if told else ""


def recipe_guide(name: str) -> tuple[dict[str, Any], str]:
    """One recipe in full: its settings, what was published of it, under which rules, and how to learn it."""
    recipe = load_recipe(name)
    values = recipe.to_dict() | {"command": command_of(recipe), "published": published_of(recipe), "fingerprint": recipe.fingerprint}
    told = "\n".join(f"  {line}" for row in published_of(recipe) for line in _told(row)) or "  none that we know"
    return values, f"{recipe.to_toml()}\n# published\n{told}\n\n# to learn it\n  {command_of(recipe)}"


def _told(row: dict[str, Any]) -> list[str]:
    """A published row: its numbers, its rules, its source."""
    numbers = ", ".join(f"{name} {100 * value:.1f}" for name, value in row["metrics"].items())
    flip = {True: "flip test", False: "no flip test", None: "flip test not said"}[row["flip_test"]]
    rules = f"{row['dataset']} {row['split']}, boxes: {row['boxes']}, {flip}, scored by {row['evaluator']}"
    return [f"{row['model']} {row['input']}: {numbers}", f"  {rules}", f"  {row['recipe']}", f"  {row['source']}"] + (
        [f"  {row['note']}"] if row["note"] else []
    )


def command_of(recipe: Recipe) -> str:
    """What learns a recipe."""
    return f"baselines train {recipe.name} --out runs/{recipe.name}"


def published_of(recipe: Recipe) -> list[dict[str, Any]]:
    """The rows of published.json a recipe names."""
    rows = _published()
    return [rows[name] for name in recipe.published if name in rows]


@cache
def _published() -> dict[str, dict[str, Any]]:
    text = (Path(__file__).parent / "published.json").read_text("utf-8")
    return {row["id"]: row for row in json.loads(text)["rows"]}


def options_guide(recipe: Recipe | None = None) -> tuple[dict[str, Any], str]:
    """Every setting with its meaning, what it may be, and its value in a recipe."""
    shown = recipe or Recipe()
    values, lines = {}, []
    for group, title in GROUPS.items():
        lines.append(f"{title}:")
        for f in (f for f in fields(Recipe) if f.metadata["group"] == group):
            value, meta = getattr(shown, f.name), f.metadata
            values[f.name] = {"value": value, "type": f.type, "what": meta["what"], "of": list(meta["of"])}
            choice = f" ({', '.join(meta['of'])})" if meta["of"] else ""
            lines.append(f"  {f'{f.name}={_typed(value)}':<32} {meta['what']}{choice}")
    return values, "\n".join(lines)


def _typed(value: Any) -> str:
    """A value as --set takes it."""
    return (
        ",".join(f"{v:g}" if isinstance(v, float) else v for v in value)
        if isinstance(value, tuple)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def run_guide(run: Run) -> tuple[dict[str, Any], str]:
    """What came of a run, and what to do with it."""
    lines = read_metrics(run.folder)
    kept = next((line for line in reversed(lines) if line.get("best")), None)
    values = {"out": str(run.folder), "recipe": run.recipe.name, "epochs": len(lines), "best": kept, "last": lines[-1] if lines else None}
    told = ", ".join(f"{k} {v:.4f}" for k, v in (kept or {}).items() if k[0].isupper() and v is not None)
    best = f"epoch {kept['epoch']} kept: {told}" if kept else "no val, the last weights are kept"
    text = f"{run.folder}: {best}"
    after = [f"baselines plot {run.folder}"] + ([f"posebench errors {run.folder / PREDICTIONS}"] if (run.folder / PREDICTIONS).exists() else [])
    return values, "\n".join([text, *(f"  {line}" for line in after)])
