"""From pictures and boxes to predictions: crops, network, decoding, each timed apart. The room of torch for prediction.

found = predict("runs/mine", "ap10k/split1/val")
found.predictions.to_json("preds.json")
found.timing.text()
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posebench.postprocess import RESCORES, oks_nms, rescore
from posedata.columns import ids_column
from posedata.dataset import PoseDataset
from posedata.entries import called
from posedata.errors import DataError, PoseError, SchemaError, brief, did_you_mean
from posedata.predictions import Predictions
from posedata.progress import bar

from .boxes import Boxes
from .checkpoint import load_weights
from .cost import costs
from .crops import opened
from .distributed import best_device
from .families import family_of
from .looking import Asked
from .models import PoseModel, build, predict_flipped
from .recipes import Recipe
from .runs import Run, read_run
from .timing import Stopwatch, Timing

__all__ = ["Found", "Predictor", "filed", "load_predictor", "predict"]

NMS = 0.9
"""Similarity beyond which the lower score goes, where boxes are a detector's."""
ABOVE: Mapping[str, float] = {"keypoints": 0.0, "box x keypoints": 0.2}
"""Confidence beyond which a point counts for the score of its pose: AP-10K's rule takes all points, COCO's those above .2."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model on its device, and how it was trained."""

    model: PoseModel
    recipe: Recipe
    name: str
    device: torch.device
    size_mb: float = float("nan")

    def forward(self, images: Tensor, flip: bool) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """Maps and presence logits of (B, 3, h, w) crops, in fp32."""
        fast = self.device.type == "cuda" and self.recipe.precision == "bf16"
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16) if fast else nullcontext():
            images = images.contiguous(memory_format=layout)
            output = predict_flipped(self.model, images) if flip else self.model(images)
        return tuple(m.float() for m in output.maps), None if output.presence is None else output.presence.float()

    def points(self, maps: tuple[Tensor, ...], presence: Tensor | None, least: float) -> NDArray[np.float64]:
        """(B, K, 3) in crop pixels, confidence from 0 to 1; x and y NaN where the model says the point is not there."""
        found = self.model.coding.decode(*maps).double().cpu().numpy()
        found[..., 2] = np.clip(np.nan_to_num(found[..., 2]), 0, 1)
        if least > 0 and presence is not None:
            found[presence.sigmoid().cpu().numpy() < least, :2] = np.nan
        return found


@dataclass(frozen=True, eq=False)
class Found:
    """What a model found: predictions, the images they are on, and how long each part took."""

    predictions: Predictions
    dataset: PoseDataset
    timing: Timing
    predictor: Predictor


def load_predictor(source: str | Path, device: str | None = None) -> Predictor:
    """A run's folder, or a model of the Hub (owner/name), ready to predict."""
    where = torch.device(device) if device else best_device()
    if Path(source).is_dir():
        run = read_run(source)
        model = build(run.recipe, run.schema, weights=False)
        load_weights(model, run.weights)
        return _ready(model, run.recipe, run.folder.name, where, run.weights.stat().st_size / 1e6)
    if _is_hub_name(str(source)):
        from .hub import pull

        pulled = pull(str(source))
        return _ready(pulled.model, pulled.recipe, str(source), where, float("nan"))
    raise PoseError(brief(str(source)), "neither a run's folder nor a model of the Hub", "name the folder that baselines train made, or owner/name")


def _ready(model: PoseModel, recipe: Recipe, name: str, device: torch.device, size_mb: float) -> Predictor:
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return Predictor(model.to(device, memory_format=layout).eval(), recipe, name, device, size_mb)


def _is_hub_name(source: str) -> bool:
    owner, slash, name = source.partition("/")
    return bool(slash and owner and name) and "/" not in name and not Path(owner).is_dir() and not source.startswith((".", "~"))


def predict(
    model: str | Path | Run | Predictor,
    source: str | Path | PoseDataset,
    *,
    boxes: str | Boxes | None = None,
    least: float = 0.0,
    flip_test: bool | None = None,
    leave_out: float = 0.0,
    score: str | None = None,
    above: float | None = None,
    nms: float | None = None,
    batch: int = 64,
    latency: int = 32,
    device: str | None = None,
    images: str | Path | None = None,
    root: str | Path | None = None,
    quiet: bool = False,
) -> Found:
    """Predict on a dataset (or its name, or its file), a folder of pictures, or one picture.

    `boxes`: see baselines.boxes.BOXES; unless said the truth's for a model of crops, its own for a detector; those with a score below
    `least` are left. `flip_test` is the recipe's unless said.
    `leave_out`: points whose presence the model finds less likely are absent. `score` is one of posebench.postprocess.RESCORES:
    "keypoints" for boxes of the truth, else "box x keypoints"; points count `above` a confidence: see ABOVE. `nms` thins what is more
    similar than it; 0.9 for boxes of a detector, nothing for those of the truth. `latency` crops are timed one by one.
    """
    _require(score, leave_out, batch, nms)
    predictor = model if isinstance(model, Predictor) else load_predictor(model.folder if isinstance(model, Run) else model, device)
    ds = source if isinstance(source, PoseDataset) else read_source(source, images, predictor.model.schema, root)
    family, flip, watch = family_of(predictor.recipe), _flip(predictor, flip_test), Stopwatch(predictor.device)
    asked = Asked(boxes=family.boxes if boxes is None else boxes, least=least, flip=flip, leave_out=leave_out, batch=batch, quiet=quiet)
    found, points = family.find(predictor, ds, asked, watch)
    pred = filed(predictor, ds, found, points, flip, leave_out, score, above, nms)
    singles = family.one_by_one(predictor, ds, found, flip, latency) if len(found) else []
    return Found(pred, ds, watch.timing(len(ds.images) if family.unit == "pictures" else len(found), singles, family.unit), predictor)


def filed(
    predictor: Predictor, ds: PoseDataset, boxes: Boxes, points: NDArray[np.float64], flip: bool,
    leave_out: float = 0.0, score: str | None = None, above: float | None = None, nms: float | None = None,
) -> Predictions:  # fmt: skip
    """Points in boxes as predictions: scored by the rule of their boxes, and thinned where several boxes can be of one body."""
    pred = _rescored(_as_predictions(predictor, ds, boxes, points, flip, leave_out), boxes, score, above)
    threshold = nms if nms is not None else NMS if boxes.source.startswith(("detector", "own")) else 0.0
    return _thinned(pred, threshold) if threshold else pred


def _require(score: str | None, leave_out: float, batch: int, nms: float | None) -> None:
    if score is not None and score not in RESCORES:
        raise PoseError("predict: score", brief(repr(score)), did_you_mean(str(score), RESCORES))
    if not 0 <= leave_out < 1 or batch < 1 or (nms is not None and not 0 <= nms <= 1):
        raise PoseError("predict", f"leave_out {leave_out}, batch {batch}, nms {nms}", "a share below 1, a batch of 1 or more, a similarity up to 1")


def _flip(predictor: Predictor, said: bool | None) -> bool:
    pairs = bool(len(predictor.model.schema.pairs or ()))
    if said and not pairs:
        raise SchemaError(predictor.model.schema.name, "no mirror pairs", "leave the flip test out")
    return pairs and (predictor.recipe.flip_test if said is None else said)


# -- what is predicted on ----------------------------------------------------------------------------

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".avif")


def read_source(source: str | Path, images: str | Path | None = None, schema: Any = None, root: str | Path | None = None) -> PoseDataset:
    """A dataset; or the pictures of a folder, or one picture, as a dataset without instances."""
    path = Path(source)
    if path.is_file() and path.suffix.lower() in _PICTURES:
        return _pictures([path.name], path.parent, path.name, schema)
    if path.is_dir():
        files = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.suffix.lower() in _PICTURES and p.is_file())
        if files:
            return _pictures(files, path, path.name or str(path), schema)
    from posedata.formats.anything import read

    return read(source, images, None, root)


def _pictures(files: list[str], folder: Path, name: str, schema: Any) -> PoseDataset:
    from posedata.images import image_size
    from posedata.tables import Images

    names = np.array([*files, None], object)[:-1]
    bare = Images(id=names, file=names, folder=np.full(len(files), str(folder), object))
    sizes = np.array([image_size(bare, row) for row in range(len(files))]).reshape(-1, 2)
    return PoseDataset.from_arrays(schema=schema, image=[], keypoints=np.zeros((0, len(schema), 3)), name=name,
                                   images=replace(bare, width=sizes[:, 0], height=sizes[:, 1]))  # fmt: skip


# -- predictions -------------------------------------------------------------------------------------


def _as_predictions(predictor: Predictor, ds: PoseDataset, boxes: Boxes, points: NDArray[np.float64], flip: bool, leave_out: float) -> Predictions:
    """The points with everything that must be known to score them; the score is still that of the boxes."""
    lost = ~np.isfinite(points[..., :2]).all(-1) & ~np.isnan(points[..., 0])
    if lost.any():
        raise DataError(predictor.name, f"{int(lost.sum()):,} points that are infinite", "the weights are broken: train again, or name an earlier run")
    named = called(ds.name) or {"dataset": ds.name}
    conditions = {"conditions": {"leave_out": leave_out}} if leave_out else {}
    header = {
        **named, "truth": ds.fingerprint, "images": "all", "model": predictor.recipe.backbone, "recipe": predictor.recipe.name, "boxes": boxes.source,
        "flip_test": flip, "score": "box", "keypoint_score": family_of(predictor.recipe).confidence, **conditions,
    }  # fmt: skip
    truth = boxes.truth if boxes.truth is not None else ids_column([-1] * len(boxes), "truth")
    return Predictions.from_arrays(schema=predictor.model.schema, header=header, image=ds.images.id[boxes.image], keypoints=points, score=boxes.score,
                                   category=boxes.category, bbox=boxes.bbox, truth=truth)  # fmt: skip


def _rescored(pred: Predictions, boxes: Boxes, mode: str | None, above: float | None) -> Predictions:
    chosen = mode or ("box x keypoints" if boxes.source.startswith(("detector", "run", "own")) else "keypoints")
    return pred if chosen == "box" else rescore(pred, ABOVE.get(chosen, 0.0) if above is None else above, chosen)


def _thinned(pred: Predictions, threshold: float) -> Predictions:
    thinned = oks_nms(pred, threshold)
    conditions = {**(thinned.header.get("conditions") or {}), "oks_nms": threshold}
    return replace(thinned, header={**thinned.header, "conditions": conditions})


# -- looking -----------------------------------------------------------------------------------------


def draw(found: Found, folder: str | Path, above: float = 0.2, most: int | None = None, quiet: bool = False) -> list[Path]:
    """Each image that has predictions, with them drawn on it, under its own name in a folder."""
    from posedata.images import draw_pose, save_picture

    pred, ds = found.predictions, found.dataset
    rows_by_image: dict[Any, list[int]] = {}
    for row, image in enumerate(pred.image.tolist()):
        rows_by_image.setdefault(image, []).append(row)
    places = {i: row for row, i in enumerate(ds.images.id.tolist())}
    drawn = []
    chosen = list(rows_by_image.items())[:most]
    with bar("drawing", len(chosen), quiet) as step:
        for image, rows in chosen:
            points = np.nan_to_num(pred.keypoints[rows])
            shown = ~pred.absent[rows] & (points[..., 2] > above)
            points[..., 2] = 2.0
            picture = draw_pose(opened(ds, places[image]), pred.schema, points, shown)
            name = "__".join(Path(str(ds.images.file[places[image]])).with_suffix(".jpg").parts)
            drawn.append(save_picture(picture, Path(folder) / name))
            step(1)
    return drawn


def by_image(found: Found) -> list[dict[str, Any]]:
    """What was found on each image, points by name, for programs that know no results files."""
    pred, ds = found.predictions, found.dataset
    absent = pred.absent
    poses: dict[Any, list[dict[str, Any]]] = {i: [] for i in ds.images.id.tolist()}
    for row, image in enumerate(pred.image.tolist()):
        points = {
            name: None if gone else [round(v, 4) for v in xyc]
            for name, xyc, gone in zip(pred.schema.names, pred.keypoints[row].tolist(), absent[row].tolist(), strict=True)
        }
        poses[image].append({"score": round(float(pred.score[row]), 6), "bbox": [round(v, 2) for v in pred.bbox[row].tolist()], "keypoints": points})
    return [{"image": str(file), "id": i, "poses": poses[i]} for i, file in zip(ds.images.id.tolist(), ds.images.file.tolist(), strict=True)]


def measured(found: Found, run: Run | None = None, command: str | None = None) -> dict[str, Any]:
    """What a row of the leaderboard says of a model beside its numbers."""
    predictor = found.predictor
    speed = found.timing.images_per_second
    return {
        "kind": family_of(predictor.recipe).kind, "input": f"{predictor.recipe.height}x{predictor.recipe.width}", **costs(predictor.model),
        "size_mb": round(predictor.size_mb, 3) if np.isfinite(predictor.size_mb) else None,
        "images_per_second": round(speed, 2) if np.isfinite(speed) else None, "hardware": found.timing.device, "run": predictor.name,
        "pretraining": None if run is None else _pretraining(run), "command": command,
        "train": None if run is None else [run.facts["data"]["train"]["name"]],
    }  # fmt: skip


def _pretraining(run: Run) -> str:
    start = run.facts["start"]
    if "init_recipe" in start:
        return f"run of {start['init_recipe']}"
    return "none" if str(start["init"]).startswith("scratch") else f"{run.recipe.backbone}, timm"
