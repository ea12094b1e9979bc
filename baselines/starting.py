"""Where a run starts: its data, and its weights, published, fresh, or copied from another run with every keypoint found by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from posedata.catalog import load_dataset
from posedata.dataset import PoseDataset
from posedata.errors import DataError, PoseError, SchemaError, brief, first_few
from posedata.formats.anything import read
from posedata.schema import Schema

from .checkpoint import read_tensors
from .families import family_of
from .models import PoseModel, build
from .rcnn.grow import PREDICTOR, grown, kin
from .recipes import Recipe
from .runs import read_run

__all__ = ["STARTS", "data_of", "started"]

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
        return family_of(recipe).published(recipe, schema)
    if init == "scratch":
        return build(recipe, schema, weights=False), {"init": "scratch"}
    if Path(init).is_file():
        return family_of(recipe).published(recipe, schema, Path(init))
    if not Path(init).is_dir():
        raise PoseError(f"--init {brief(init)}", "no folder of a run", f"a run's folder, {' or '.join(STARTS)}")
    return _from_run(recipe, schema, Path(init))


def _from_run(recipe: Recipe, schema: Schema, folder: Path) -> tuple[PoseModel, dict[str, Any]]:
    run = read_run(folder)
    model = build(recipe, schema, weights=False)
    facts = filled(model, read_tensors(run.weights)[0], run.schema, schema, str(folder), run.recipe.name, family_of(recipe).grows)
    if not any(name.startswith("backbone.") for name in model.state_dict().keys() - set(facts["fresh"])):
        raise PoseError(f"--init {folder}", f"no weight of {run.recipe.backbone} fits {recipe.backbone}", "start from a run of the same backbone")
    return model, facts | {"init_fingerprint": run.recipe.fingerprint}


def filled(model: nn.Module, theirs: Mapping[str, Tensor], source: Schema, target: Schema, init: str, recipe: str, grows: bool = True) -> dict[str, Any]:
    """Copy into a model what fits of other weights, keypoints by their names; what was copied, and what is fresh."""
    shared = [n for n in target.names if n in source.names]
    if not shared:
        raise SchemaError(f"--init {init}", f"no keypoint of {source.name!r} is one of {target.name!r}", "start from a run with points of these names")
    relatives = kin(source, target) if grows else {}
    own = model.state_dict()
    values = {name: carried(name, theirs.get(name), mine, source, target, relatives) for name, mine in own.items()}
    copied = {name: value for name, value in values.items() if value is not None}
    model.load_state_dict(own | copied)
    return {
        "init": init, "init_recipe": recipe, "copied": len(copied), "fresh": [n for n in own if n not in copied], "points_copied": shared,
        "points_grown": relatives, "points_fresh": [n for n in target.names if n not in source.names and n not in relatives],
        "points_left_behind": [n for n in source.names if n not in target.names],
    }  # fmt: skip


def carried(
    name: str, theirs: Tensor | None, mine: Tensor, source: Schema, target: Schema, relatives: Mapping[str, str] = MappingProxyType({})
) -> Tensor | None:
    """A weight of another run as this model needs it: whole, or its rows by the keypoints' names; None where it does not fit."""
    if theirs is None or name.endswith(".line"):  # what calibrated another network
        return None
    axis = keypoint_axis(name)
    if axis is None:
        return theirs if theirs.shape == mine.shape else None
    return grown(theirs, mine, source, target, axis, relatives)


def keypoint_axis(name: str) -> int | None:
    """Which axis of a weight is the keypoints: that of the outputs of a last layer, which heads call `out`; None for all other weights."""
    words = name.split(".")
    if name.startswith(PREDICTOR):
        return 1 if words[-1] == "weight" else 0  # a transposed convolution has its inputs first
    return 0 if words[0] in ("head", "presence") and words[-2:-1] == ["out"] else None


def report(facts: dict[str, Any], schema: Schema) -> list[str]:
    """What was copied, what is fresh, as lines for people."""
    if "copied" not in facts:
        return [f"start: {facts['init']}"]
    fresh, behind = facts["points_fresh"], facts["points_left_behind"]
    lines = [f"start: {facts['init']} ({facts['init_recipe']}): {facts['copied']} tensors copied, {len(facts['fresh'])} fresh"]
    lines += [f"  fresh: {first_few(facts['fresh'], 4, ', ')}"] if facts["fresh"] else []
    lines += [f"  points: {len(facts['points_copied'])} of {len(schema)} by name" + (f"; fresh: {', '.join(fresh)}" if fresh else "")]
    lines += [f"  grown: {', '.join(f'{n} from {r}' for n, r in facts['points_grown'].items())}"] if facts.get("points_grown") else []
    return lines + ([f"  points left behind: {', '.join(behind)}"] if behind else [])


def exact(device: torch.device) -> None:
    """The same numbers each time on a CPU; on a GPU speed goes first, and TF32 with it."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
