"""Small files to score: COCO annotations and results as dictionaries, made so that every number can be worked out by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posedata import PoseDataset, Predictions, load_schema

ROOT = Path(__file__).parents[1]
Json = dict[str, Any]


def grid(k: int, x: float = 10.0, y: float = 20.0) -> list[float]:
    """K points, none at the origin and no two equal, all seen."""
    return [n for i in range(k) for n in (x + 3.0 * i, y + 2.0 * (i % 5), 2)]


def annotations(n: int = 4, schema: str = "coco17", category: Json | None = None) -> Json:
    """A COCO file: n images, one truth on each, all points seen, area 3000, box 60 x 100, images 640 x 480."""
    k = len(load_schema(schema))
    kind = {"id": 1, "name": "person", "keypoints": list(load_schema(schema).names), "skeleton": [], **(category or {})}
    return {
        "images": [{"id": i, "file_name": f"a/{i:012d}.jpg", "width": 640, "height": 480} for i in range(1, n + 1)],
        "annotations": [
            {
                "id": 100 + i, "image_id": i, "category_id": kind["id"], "keypoints": grid(k, 10.0 + 20 * i, 20.0 + 10 * i), "num_keypoints": k,
                "bbox": [5.0 + 20 * i, 5.0 + 10 * i, 60, 100], "area": 3000.0, "iscrowd": 0,
            }
            for i in range(1, n + 1)
        ],
        "categories": [kind],
    }  # fmt: skip


def results(truth: Json, share: float = 1.0) -> list[Json]:
    """A result for each of the first truths, on the spot, best scores first."""
    own = truth["annotations"][: round(share * len(truth["annotations"]))]
    return [{"image_id": a["image_id"], "category_id": a["category_id"], "keypoints": list(a["keypoints"]), "score": 0.9 - 0.01 * i} for i, a in enumerate(own)]


def written(folder: Path, truth: Any, found: Any) -> tuple[Path, Path]:
    """Both as files."""
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "preds.json").write_text(json.dumps(found))
    return folder / "truth.json", folder / "preds.json"


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`posebench ...` in a process of its own, warnings being errors."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "from posebench.cli import main; main()"
    return subprocess.run([sys.executable, "-W", "error", "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=env)


def at_distance(points: Any, similarity: Sequence[float], area: float, sigma: float) -> Any:
    """Points moved to the right until each has this similarity."""
    moved = np.array(points, float)
    with np.errstate(divide="ignore"):
        moved[:, 0] += np.sqrt(-np.log(np.asarray(similarity)) * 2 * area * (2 * sigma) ** 2)
    return moved


def arrays(truth: Any, found: Any, score: Sequence[float], *, on: Sequence[int], of: Sequence[int], schema: str = "foot6", **columns: Any) -> tuple[PoseDataset, Predictions]:  # fmt: skip
    """Truth on images `on`, predictions on images `of`, from arrays."""
    area = columns.pop("area", np.full(len(on), 1000.0))
    known = PoseDataset.from_arrays(schema=schema, name="made", image=list(on), keypoints=truth, area=area, **columns)
    return known, Predictions.from_arrays(schema=schema, image=list(of), keypoints=found, score=list(score))
