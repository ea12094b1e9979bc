"""Models on the Hugging Face Hub, by PyTorchModelHubMixin: weights as safetensors, recipe and schema as JSON. The room of huggingface_hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import PyTorchModelHubMixin
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import nn

from posedata.errors import FormatError, PoseError, brief
from posedata.schema import Schema

from .checkpoint import load_weights
from .models import Output, PoseModel, build
from .recipes import Recipe
from .runs import Run, read_run

__all__ = ["HubModel", "Pulled", "pull", "push"]


class HubModel(
    nn.Module,  # type: ignore[misc]  # torch is not followed by the type checker
    PyTorchModelHubMixin,
    library_name="posebench",
    tags=["keypoint-detection", "pose-estimation"],
):
    """A PoseModel with what is needed to build it again; the Hub's own names save, load and share it."""

    def __init__(self, recipe: dict[str, Any], schema: dict[str, Any]) -> None:
        super().__init__()
        self.recipe = Recipe.from_dict(recipe, "config.json recipe")
        self.model = build(self.recipe, Schema.from_dict(schema, "config.json schema"), weights=False)

    def forward(self, images: Any) -> Output:
        return self.model(images)


@dataclass(frozen=True, eq=False)
class Pulled:
    """A model of the Hub, and how it was trained."""

    model: PoseModel
    recipe: Recipe
    schema: Schema


def push(run: Run | str | Path, repository: str, private: bool = True, folder: str | Path | None = None) -> str:
    """Share a run's best weights as OWNER/NAME; with `folder` only write what would be shared there. Gives back where it went."""
    own = run if isinstance(run, Run) else read_run(run)
    wrapped = HubModel(own.recipe.to_dict(), own.schema.to_dict())
    load_weights(wrapped.model, own.weights)
    card = _card(own, repository)
    if folder is not None:
        wrapped.save_pretrained(folder)
        (Path(folder) / "README.md").write_text(card, "utf-8")
        return str(folder)
    try:
        wrapped.push_to_hub(repository, private=private, model_card_kwargs={"text": card})
    except (HfHubHTTPError, HFValidationError, OSError) as e:
        raise PoseError(repository, brief(str(e), 120), "log in with: hf auth login; the name is owner/name") from None
    return f"https://huggingface.co/{repository}"


def pull(source: str | Path) -> Pulled:
    """A model of the Hub by its name, or of a folder that `push` wrote."""
    try:
        wrapped = HubModel.from_pretrained(str(source))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as e:
        raise PoseError(
            str(source), f"cannot be had from the Hub ({brief(str(e), 100)})", "owner/name of a model that baselines shared, and a network; or a run's folder"
        ) from None
    except (TypeError, KeyError, ValueError) as e:
        raise FormatError(str(source), f"no model of ours ({brief(str(e), 100)})", "its config.json holds a recipe and a schema") from None
    return Pulled(wrapped.model, wrapped.recipe, wrapped.model.schema)


def _card(run: Run, repository: str) -> str:
    """What a reader of the Hub is told."""
    header = ["---", "library_name: posebench", "pipeline_tag: keypoint-detection", "tags: [pose-estimation]", "---"]
    data = run.facts.get("data", {})
    lines = [
        f"# {repository}",
        "",
        f"Keypoints of `{run.schema.name}` ({len(run.schema)} points), learned by recipe `{run.recipe.name}` with posebench.",
        "",
        "```sh",
        f"baselines predict {repository} FOLDER --boxes whole --draw drawn/",
        "```",
        "",
        f"* start: {run.facts.get('start', {}).get('init')}",
        *(f"* {part}: {facts['name']}, {facts['crops']:,} crops" for part, facts in data.items()),
        f"* versions: {json.dumps(run.facts.get('versions', {}))}",
        f"* hardware: {json.dumps(run.facts.get('hardware', {}))}",
    ]
    return "\n".join([*header, *lines]) + "\n"
