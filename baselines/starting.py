"""Where a run starts: its data, and its weights, published, fresh, or copied from another run with every keypoint found by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posedata.catalog import load_dataset
from posedata.dataset import PoseDataset
from posedata.errors import DataError, PoseError, SchemaError, brief, first_few
from posedata.formats.anything import read
from posedata.schema import Schema

from .checkpoint import read_tensors
from .models import PoseModel, build
from .recipes import Recipe
from .runs import read_run

__all__ = ["STARTS", "data_of", "frozen_parts", "started"]

STARTS = ("weights", "scratch")
"""What --init may say beside a run's folder."""


# -- data ----------------------------------------------------------------------------------------------


def data_of(recipe: Recipe, part: str, root: str | Path | None = None) -> PoseDataset | None:
    """What a recipe learns from ('train') or chooses on ('val'); None where it names nothing."""
    split = recipe.train if part == "train" else recipe.val
    if not split:
        return None
    ds = _by_name(recipe, split, part, root) if recipe.dataset else _joined(recipe, split, part, root)
    if not len(ds.schema):
        raise SchemaError(ds.name, "its schema has no keypoints", "nothing can be learned; --set schema=...")
    return ds.as_schema(recipe.schema) if recipe.schema else ds


def _by_name(recipe: Recipe, split: str, part: str, root: str | Path | None) -> PoseDataset:
    drawn = recipe.scenes and split.split("[")[0] == recipe.train.split("[")[0]
    options: dict[str, Any] = {"n": recipe.scenes} if drawn else {}
    ds = load_dataset(recipe.dataset, recipe.config or None, split, root, **options)
    if not isinstance(ds, PoseDataset):
        raise DataError(f"{recipe.name}: {part}", f"{split!r} names several parts", "name one: folds.json:train")
    return ds


def _joined(recipe: Recipe, sources: str, part: str, root: str | Path | None) -> PoseDataset:
    """Files and names of datasets, joined by ' + ' under the recipe's schema; what a source lacks is not annotated, and not learned."""
    from posedata.merging.merge import merge

    parts = {name.strip(): _read(name.strip(), recipe.images, root) for name in sources.split(" + ")}
    if len(parts) == 1:
        return next(iter(parts.values()))
    return merge(parts, recipe.schema or None, name=f"{recipe.name} {part}", quiet=True)[0]


def _read(source: str, images: str, root: str | Path | None) -> PoseDataset:
    """A file with its pictures beside it, or where the recipe says; or a dataset by its name."""
    path = Path(source)
    return read(path, images or path.parent, root=root) if path.suffix == ".json" else read(source, images or None, root=root)


def same_points(train: PoseDataset, val: PoseDataset | None) -> None:
    """Refuse a val of other points than are learned."""
    if val is not None and not val.schema.same_points(train.schema):
        seen = f"its points are {val.schema.name!r}, those of {train.name} are {train.schema.name!r}"
        raise SchemaError(val.name, seen, f"bring both to one: --set schema={train.schema.name}")


# -- weights -------------------------------------------------------------------------------------------


def started(recipe: Recipe, schema: Schema, init: str) -> tuple[PoseModel, dict[str, Any]]:
    """A recipe's model before its first step, and where its weights are from."""
    if init == "weights":
        said = "published weights of the backbone" if recipe.pretrained else "scratch: the recipe asks for no weights"
        return build(recipe, schema), {"init": said}
    if init == "scratch":
        return build(recipe, schema, weights=False), {"init": "scratch"}
    if not Path(init).is_dir():
        raise PoseError(f"--init {brief(init)}", "no folder of a run", f"a run's folder, {' or '.join(STARTS)}")
    return _from_run(recipe, schema, Path(init))


def _from_run(recipe: Recipe, schema: Schema, folder: Path) -> tuple[PoseModel, dict[str, Any]]:
    run = read_run(folder)
    shared = [n for n in schema.names if n in run.schema.names]
    if not shared:
        raise SchemaError(f"--init {folder}", f"no keypoint of {run.schema.name!r} is one of {schema.name!r}", "start from a run with points of these names")
    model = build(recipe, schema, weights=False)
    own, theirs = model.state_dict(), read_tensors(run.weights)[0]
    copied: list[str] = []
    left: list[str] = []
    for name, mine in own.items():
        value = carried(name, theirs.get(name), mine, run.schema, schema)
        (left if value is None else copied).append(name)
        if value is not None:
            own[name] = value
    if not any(name.startswith("backbone.") for name in copied):
        raise PoseError(f"--init {folder}", f"no weight of {run.recipe.backbone} fits {recipe.backbone}", "start from a run of the same backbone")
    model.load_state_dict(own)
    return model, {
        "init": str(folder),
        "init_recipe": run.recipe.name,
        "init_fingerprint": run.recipe.fingerprint,
        "copied": len(copied),
        "fresh": left,
        "points_copied": shared,
        "points_fresh": [n for n in schema.names if n not in run.schema.names],
        "points_left_behind": [n for n in run.schema.names if n not in schema.names],
    }


def carried(name: str, theirs: Tensor | None, mine: Tensor, source: Schema, target: Schema) -> Tensor | None:
    """A weight of another run as this model needs it: whole, or its rows by the keypoints' names; None where it does not fit."""
    if theirs is None or name == "presence.line":  # what calibrated another network
        return None
    if not by_keypoint(name):
        return theirs if theirs.shape == mine.shape else None
    if theirs.shape[1:] != mine.shape[1:] or len(theirs) != len(source):
        return None
    pairs = [(target.index(n), source.index(n)) for n in target.names if n in source.names]
    rows, places = zip(*pairs, strict=True)
    value = mine.clone()
    value[list(rows)] = theirs[list(places)]
    return value


def by_keypoint(name: str) -> bool:
    """Whether the rows of a weight are keypoints: those of a last layer, which heads call `out`."""
    words = name.split(".")
    return words[0] in ("head", "presence") and words[-2:-1] == ["out"]


def report(facts: dict[str, Any], schema: Schema) -> list[str]:
    """What was copied, what is fresh, as lines for people."""
    if "copied" not in facts:
        return [f"start: {facts['init']}"]
    fresh, behind = facts["points_fresh"], facts["points_left_behind"]
    lines = [f"start: {facts['init']} ({facts['init_recipe']}): {facts['copied']} tensors copied, {len(facts['fresh'])} fresh"]
    lines += [f"  fresh: {first_few(facts['fresh'], 4, ', ')}"] if facts["fresh"] else []
    lines += [f"  points: {len(facts['points_copied'])} of {len(schema)} by name" + (f"; fresh: {', '.join(fresh)}" if fresh else "")]
    return lines + ([f"  points left behind: {', '.join(behind)}"] if behind else [])


def frozen_parts(model: nn.Module, beginnings: tuple[str, ...]) -> list[nn.Module]:
    """Freeze the weights whose names begin so; gives back the modules whose batch norms must not learn either."""
    names = [n for n, _ in model.named_parameters()]
    for word in beginnings:
        if not any(n.startswith(word) for n in names):
            raise PoseError(
                "freeze", f"no weight begins with {brief(word)!r}", f"they begin with {first_few(dict.fromkeys(n.split('.')[0] for n in names), 5, ', ')}"
            )
    for name, weight in model.named_parameters():
        if name.startswith(beginnings):
            weight.requires_grad_(False)
    return [m for n, m in model.named_modules() if n and beginnings and n.startswith(beginnings)]


def exact(device: torch.device) -> None:
    """The same numbers each time on a CPU; on a GPU speed goes first, and TF32 with it."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
