"""Generated files of val2017's size: 5,000 images, about 11,000 annotations, 10 MB; and 101,032 predictions for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from posedata.schemas import load_schema


def write_truth(path: Path, scale: int = 1, seed: int = 0) -> Path:
    """A COCO keypoint file with polygons, crowds as RLE, people without points, and COCO's own keys."""
    rng = np.random.default_rng(seed)
    images = [_image(i) for i in range(1, 5000 * scale + 1)]
    crowded = rng.choice(len(images), len(images) // 2, replace=False)
    owners = rng.choice(crowded, 11_000 * scale)
    annotations = [_annotation(rng, n, int(image) + 1) for n, image in enumerate(owners, 1)]
    path.write_text(json.dumps({"info": {"year": 2017}, "licenses": [], "images": images, "annotations": annotations, "categories": [_person()]}))
    return path


def _person() -> dict[str, Any]:
    schema = load_schema("coco17")
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(schema.names), "skeleton": (schema.limb_rows + 1).tolist()}


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


@dataclass(frozen=True)
class Problem:
    """The files of one problem: the truth, and the same predictions without and with boxes."""

    truth: Path
    pred: Path
    boxed: Path


UPRIGHT = np.array([
    (.50, .07), (.54, .05), (.46, .05), (.60, .07), (.40, .07), (.68, .20), (.32, .20), (.80, .36), (.20, .36),
    (.84, .50), (.16, .50), (.62, .52), (.38, .52), (.64, .75), (.36, .75), (.65, .96), (.35, .96),
])  # fmt: skip
"""COCO's seventeen points in a person's box."""


@dataclass(frozen=True)
class People:
    """N people, crowds and all, sorted by image."""

    image: NDArray[np.int64]
    """(N,) row of the image."""
    bbox: NDArray[np.float64]
    xy: NDArray[np.float64]
    """(N, K, 2) where the points are, labelled or not."""
    v: NDArray[np.int64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]


def write_problem(folder: Path, scale: int = 1, seed: int = 0) -> Problem:
    """val2017 with the results of a top-down model: 5,000 images, 10,451 annotations and 101,032 predictions, times `scale`."""
    rng = np.random.default_rng(seed)
    images = np.sort(rng.choice(120 * 5000 * scale, 5000 * scale, replace=False)) + 1
    people = draw_people(rng, len(images), 10_451 * scale)
    problem = Problem(folder / f"truth{scale}.json", folder / f"pred{scale}.json", folder / f"boxed{scale}.json")
    _write_people(problem.truth, people, images)
    _write_predictions(problem, images, *draw_predictions(rng, people, len(images), 8_869 * scale, 6_302 * scale, 85_861 * scale))
    return problem


def draw_people(rng: np.random.Generator, images: int, n: int) -> People:
    """People in 54 % of the images, many in few of them; 61 % have labelled points, 2.75 % are crowds."""
    peopled = rng.choice(images, images * 16 // 25, replace=False)
    image = np.sort(rng.choice(peopled, n, p=rng.dirichlet(np.full(len(peopled), 2.0))))
    bbox = _boxes(rng, n)
    xy = np.round(bbox[:, None, :2] + (UPRIGHT + rng.normal(0, 0.05, (n, 17, 2))) * bbox[:, None, 2:])
    kind = rng.random(n)
    crowd, labelled = kind < 0.0275, kind >= 1 - 0.607
    v = rng.choice(3, (n, 17), p=(0.25, 0.1, 0.65)) * labelled[:, None]
    v[labelled, 5] = 2  # a person with labelled points has at least one
    return People(image, bbox, xy, v, np.round(bbox[:, 2] * bbox[:, 3] * rng.uniform(0.4, 0.66, n), 4), crowd)


def _boxes(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    h = np.clip(rng.lognormal(4.6, 0.75, n), 12, 420)
    w = np.clip(h * rng.uniform(0.3, 0.8, n), 8, 420)
    return np.round(np.stack([rng.uniform(0, 640 - w), rng.uniform(0, 427 - np.minimum(h, 426)), w, h], 1), 2)


def draw_predictions(
    rng: np.random.Generator, people: People, images: int, found: int, again: int, background: int, hard: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Image rows, (M, K, 3) points with confidences, scores and boxes: people found, found again, and not there; sorted by image.

    hard: (images,) how much worse than usual an image's people are found.
    """
    seen = rng.choice(np.flatnonzero(~people.crowd), found, replace=False)
    twice = rng.choice(seen, again)
    which = np.concatenate([seen, twice])
    worse = np.repeat((1.0, 1.8), (found, again)) * rng.lognormal(-0.2, 0.6, found + again)  # how far off a person's points are
    if hard is not None:
        worse *= hard[people.image[which]]
    empty = _boxes(rng, background)
    image = np.concatenate([people.image[which], rng.integers(0, images, background)])
    bbox = np.concatenate([people.bbox[which] * rng.normal(1, 0.03, (len(which), 4)), empty])
    xy = np.concatenate([_missed(rng, people, which, worse), empty[:, None, :2] + (UPRIGHT + rng.normal(0, 0.1, (background, 17, 2))) * empty[:, None, 2:]])
    score = np.concatenate([rng.beta(6, 2.5 * worse), rng.beta(1, 9, background)])
    sure = np.clip(score[:, None] + rng.normal(0, 0.1, (len(score), 17)), 0.01, 1)
    order = np.argsort(image, kind="stable")
    return image[order], np.round(np.concatenate([xy, sure[..., None]], -1)[order], 3), np.round(score[order], 3), np.round(bbox[order], 3)


def _missed(rng: np.random.Generator, people: People, which: NDArray[np.int64], worse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points as a model finds them: 80 % nearly right, 12 % jitter, 3 % on the other side of the body, 5 % anywhere."""
    schema = load_schema("coco17")
    kind = rng.random((len(which), 17))
    mirrored = (kind > 0.92) & (kind <= 0.95)
    xy = np.where(mirrored[..., None], people.xy[which][:, schema.mirror], people.xy[which])
    spread = 2 * schema.sigmas * np.sqrt(people.area[which])[:, None] * worse[:, None] * np.where(kind < 0.8, 0.35, 1.2)
    xy += rng.normal(size=xy.shape) * spread[..., None]
    box = people.bbox[which][:, None]
    return np.where((kind > 0.95)[..., None], box[..., :2] + rng.uniform(-0.2, 1.2, xy.shape) * box[..., 2:], xy)


def _write_people(path: Path, people: People, images: NDArray[np.int64]) -> None:
    n = len(people.image)
    points = np.concatenate([people.xy * (people.v > 0)[..., None], people.v[..., None]], -1).astype(int).reshape(n, -1)
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = np.round(people.bbox[:, None, :2] + (0.5 + 0.5 * np.stack([np.cos(turn), np.sin(turn)], -1)) * people.bbox[:, None, 2:], 2).reshape(n, -1)
    columns = (people.crowd, outline, (people.v > 0).sum(1), people.area, points, images[people.image], people.bbox)
    annotations = [
        {"segmentation": {"counts": [int(line[0]), 273_280 - int(line[0])], "size": [427, 640]} if crowd else [line], "num_keypoints": count, "area": area,
         "iscrowd": int(crowd), "keypoints": keypoints, "image_id": image, "bbox": bbox, "category_id": 1, "id": i}
        for i, (crowd, line, count, area, keypoints, image, bbox) in enumerate(zip(*(c.tolist() for c in columns), strict=True), 1)
    ]  # fmt: skip
    path.write_bytes(
        msgspec.json.encode({"info": {"year": 2017}, "images": [_image(i) for i in images.tolist()], "annotations": annotations, "categories": [_person()]})
    )


def _write_predictions(
    problem: Problem, images: NDArray[np.int64], image: NDArray[np.int64], points: NDArray[np.float64], score: NDArray[np.float64], bbox: NDArray[np.float64]
) -> None:
    """Both files, some thousand rows at a time: a million rows of Python numbers would not fit."""
    with problem.pred.open("wb") as bare, problem.boxed.open("wb") as boxed:
        for at in range(0, len(image), 20_000):
            some = slice(at, at + 20_000)
            columns = (images[image[some]], points[some].reshape(-1, 51), score[some], bbox[some])
            rows = [{"image_id": i, "category_id": 1, "keypoints": k, "score": s, "bbox": b} for i, k, s, b in zip(*(c.tolist() for c in columns), strict=True)]
            for out, keys in ((boxed, 5), (bare, 4)):
                out.write(b"," if at else b"[")
                out.write(msgspec.json.encode([dict(list(row.items())[:keys]) for row in rows])[1:-1])
        bare.write(b"]")
        boxed.write(b"]")
