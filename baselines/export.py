"""Models as files that other programs run: ONNX and torch.export, each compared with the model before it is kept.

Both take images (N, 3, height, width), RGB, float32 from 0 to 255, for any N, and give the tensors `description` names;
`baselines.codec` decodes them from numpy arrays, without torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posedata.errors import PoseError, needs
from posedata.files import write_with

from .models import PoseModel

__all__ = ["EXPORTS", "describe", "export_onnx", "export_torch"]

TOLERANCE = 1e-3
"""Largest difference from the model, as a share of its largest output: far above what another order of sums makes, far below what moves a peak."""


class _Flat(nn.Module):  # type: ignore[misc]
    """The model with its outputs in one flat tuple, as files have them."""

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps, presence = self.model(images)
        return maps if presence is None else (*maps, presence)


def describe(model: PoseModel) -> dict[str, Any]:
    """All that a user of the file must know, as plain values: the points, the input, the outputs and their coding."""
    outputs = [*(("x", "y") if model.coding.simcc else ("heatmaps",)), *(("presence",) if model.presence is not None else ())]
    images = {"channels": "RGB", "range": [0, 255], "width": model.size[0], "height": model.size[1]}
    return {"schema": model.schema.name, "keypoints": list(model.schema.names), "images": images, "outputs": outputs, "coding": asdict(model.coding)}


def _require_maps(model: nn.Module) -> None:
    if not isinstance(model, PoseModel):
        raise PoseError(type(model).__name__, "a detector: how much it puts out depends on the picture", "export a model of crops")


def export_torch(model: PoseModel, path: str | Path) -> float:
    """Write a torch.export program (.pt2), and give its largest difference from the model. Its description is the extra file posebench.json."""
    _require_maps(model)
    with _resting(model):
        program = _traced(model, path)
        return _kept(
            model, path, lambda temporary: torch.export.save(program, temporary, extra_files={"posebench.json": json.dumps(describe(model))}), _run_torch
        )


def export_onnx(model: PoseModel, path: str | Path) -> float:
    """Write an ONNX file, and give its largest difference from the model, as onnxruntime runs it. Its description is the metadata `posebench`."""
    _require_maps(model)
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise needs("export to ONNX", "export") from None
    with _resting(model):
        program = torch.onnx.export(_traced(model, path), dynamo=True, input_names=["images"], output_names=describe(model)["outputs"], verbose=False)
        program.model.metadata_props["posebench"] = json.dumps(describe(model))
        return _kept(model, path, lambda temporary: program.save(temporary, external_data=False), _run_onnx)


EXPORTS: dict[str, Callable[[PoseModel, str | Path], float]] = {".onnx": export_onnx, ".pt2": export_torch}
"""By the ending of the file."""


@contextmanager
def _resting(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _traced(model: PoseModel, path: str | Path) -> Any:
    """The model's graph for any number of images."""
    dynamic = {"images": {0: torch.export.Dim("images", min=1)}}
    try:
        return torch.export.export(_Flat(model), (_images(model, 2),), dynamic_shapes=dynamic, strict=False)
    except Exception as error:  # torch has a dozen for code it cannot follow, each many lines long
        seen = str(error).strip().splitlines() or [type(error).__name__]
        raise PoseError(str(path), f"torch.export cannot follow {model.backbone.name}: {seen[0]}", "take another backbone, or rewrite what it names") from error


def _images(model: PoseModel, n: int) -> Tensor:
    """The same noise every time, where the model is."""
    width, height = model.size
    noise = np.random.default_rng(n).uniform(0, 255, (n, 3, height, width)).astype(np.float32)
    return torch.from_numpy(noise).to(model.mean.device)


def _kept(model: PoseModel, path: str | Path, write: Callable[[Path], object], run: Callable[[Path, Tensor], Sequence[Any]]) -> float:
    """Write, run what was written on one image and on three, and keep the file only if it says what the model says."""
    worst = 0.0

    def write_and_compare(temporary: Path) -> None:
        nonlocal worst
        write(temporary)
        worst = max(_difference(model, run(temporary, images), images) for images in (_images(model, 1), _images(model, 3)))
        if not worst <= TOLERANCE:
            raise PoseError(str(path), f"differs from the model by {worst:.1e} of its largest output", "the exporter's fault: try another torch or onnxruntime")

    write_with(path, write_and_compare)
    return worst


def _difference(model: PoseModel, said: Sequence[Any], images: Tensor) -> float:
    own = [one.cpu().numpy() for one in _Flat(model)(images)]
    if [np.shape(one) for one in said] != [one.shape for one in own]:
        return float("inf")
    return max(float(np.abs(np.asarray(a) - b).max() / max(np.abs(b).max(), 1e-12)) for a, b in zip(said, own, strict=True))


def _run_torch(path: Path, images: Tensor) -> Sequence[Any]:
    return [one.cpu().numpy() for one in torch.export.load(path).module()(images)]


def _run_onnx(path: Path, images: Tensor) -> Sequence[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"images": images.cpu().numpy()}))
