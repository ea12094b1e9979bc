"""Generated files of val2017's size: 5,000 images, about 11,000 annotations, 10 MB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from posedata.schemas import load_schema


def write_truth(path: Path, scale: int = 1, seed: int = 0) -> Path:
    """A COCO keypoint file with polygons, crowds as RLE, people without points, and COCO's own keys."""
    rng = np.random.default_rng(seed)
    images = [_image(i) for i in range(1, 5000 * scale + 1)]
    crowded = rng.choice(len(images), len(images) // 2, replace=False)
    owners = rng.choice(crowded, 11_000 * scale)
    annotations = [_annotation(rng, n, int(image) + 1) for n, image in enumerate(owners, 1)]
    schema = load_schema("coco17")
    skeleton = (schema.limb_rows + 1).tolist()
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(schema.names), "skeleton": skeleton}
    path.write_text(json.dumps({"info": {"year": 2017}, "licenses": [], "images": images, "annotations": annotations, "categories": [category]}))
    return path


def _image(i: int) -> dict[str, Any]:
    return {
        "license": 4, "file_name": f"{i:012d}.jpg", "coco_url": f"http://images.example.org/val2017/{i:012d}.jpg", "height": 427, "width": 640,
        "date_captured": "2013-11-14 17:02:52", "flickr_url": f"http://farm7.example.com/6116/{i:09d}_bfd8a5a6_z.jpg", "id": i,
    }  # fmt: skip


def _annotation(rng: np.random.Generator, n: int, image: int) -> dict[str, Any]:
    x, y, w, h = (float(v) for v in np.round(rng.uniform((0, 0, 30, 40), (300, 200, 300, 220)), 2))
    v = rng.choice(3, 17, p=(0.4, 0.1, 0.5)) * (rng.random() > 0.4)
    xy = np.stack([rng.integers(x, x + w, 17), rng.integers(y, y + h, 17)], 1) * (v > 0)[:, None]
    crowd = rng.random() < 0.03
    outline = np.round(rng.uniform((x, y), (x + w, y + h), (int(rng.integers(12, 40)), 2)), 2).ravel().tolist()
    return {
        "segmentation": {"counts": rng.integers(1, 900, 80).tolist(), "size": [427, 640]} if crowd else [outline],
        "num_keypoints": int((v > 0).sum()), "area": round(0.53 * w * h, 4), "iscrowd": int(crowd),
        "keypoints": np.concatenate([xy, v[:, None]], 1).ravel().tolist(), "image_id": image, "bbox": [x, y, w, h], "category_id": 1, "id": n,
    }  # fmt: skip
