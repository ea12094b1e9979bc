"""Problems to evaluate, made at random: truth and predictions with all that real files get wrong or leave to chance.

One generator serves two masters: `problems()` lets hypothesis draw and shrink its choices, `made(random.Random(seed))` is
for runs of thousands. A problem is COCO JSON, so other evaluators can have it; `truth()` and `pred()` read it as users do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from posebench.protocol import ABSENT, IGNORED, INTERPOLATIONS, PREDICTION_AREAS, TRUTH_AREAS, Part, Protocol
from posedata import Keypoint, PoseDataset, Predictions, Schema
from posedata.formats.coco import parse_coco
from posedata.formats.results import parse_results

__all__ = ["Made", "made", "made_protocol", "problems", "problems_and_protocols", "repeated"]

AREAS = (0.0, 1e-12, 1.0, 1023.9999, 1024.0, 1024.0001, 4000.0, 9216.0, 9216.0001, 40000.0)
"""Zero, tiny, inside COCO's ranges, and at their very ends."""


@dataclass(frozen=True)
class Made:
    """A problem as other evaluators are given it."""

    schema: Schema
    coco: dict[str, Any]
    results: list[dict[str, Any]]
    max_preds: int = 20
    sigmas: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By category, for its points, where categories have their own."""
    header: dict[str, Any] = field(default_factory=dict)
    """Of the predictions."""

    def truth(self) -> PoseDataset:
        meta = [key for key in ("foot_valid",) if all(key in a for a in self.coco["annotations"])]
        read = parse_coco(json.dumps(self.coco).encode(), self.schema, meta=meta)
        return replace(read, categories=tuple(replace(c, sigmas=self.sigmas.get(c.name)) for c in read.categories))

    def pred(self) -> Predictions:
        return replace(parse_results(json.dumps(self.results).encode(), self.schema), header=self.header)

    @property
    def one_kind(self) -> bool:
        """Whether all categories have the same points, in one order, and the same sigmas."""
        return not self.sigmas and all(c["keypoints"] == list(self.schema.names) for c in self.coco["categories"])


def made(r: Random, schema: Schema | None = None, ties: bool = True) -> Made:
    """A problem; without `ties`, all scores differ."""
    noise = np.random.default_rng(r.randrange(2**32))
    schema = schema or _schema(r, noise)
    categories = _categories(r, schema)
    images = _images(r)
    whole = ties and r.random() < 0.3
    truths: list[dict[str, Any]] = []
    for image in images:
        for _ in range(r.choice((0, 1, 1, 2, 3, 5))):
            same = [t for t in truths if t["image_id"] == image["id"]]
            twin = ties and same and r.random() < 0.15
            truths.append({**r.choice(same)} if twin else _truth(r, noise, image["id"], r.choice(categories), whole))
    _number(r, truths)
    results = _results(r, noise, images, categories, truths, schema, whole, ties)
    r.shuffle(truths)
    sigmas = _own_sigmas(r, noise, categories)
    coco = {"images": images, "categories": categories, "annotations": truths}
    header = {"keypoint_score": "probability"} if r.random() < 0.3 else {}
    return Made(schema, coco, results, r.choice((20, 20, 1, 2, 3, 7)), sigmas, header)


def problems(schema: Schema | None = None, ties: bool = True) -> st.SearchStrategy[Made]:
    """Problems whose every choice hypothesis can make smaller."""
    return st.randoms(use_true_random=False).map(lambda r: made(r, schema, ties))


def problems_and_protocols(ties: bool = True) -> st.SearchStrategy[tuple[Made, Protocol]]:
    """Problems, and rules nobody has published."""

    def both(r: Random) -> tuple[Made, Protocol]:
        problem = made(r, ties=ties)
        return problem, made_protocol(r, problem)

    return st.randoms(use_true_random=False).map(both)


def made_protocol(r: Random, problem: Made) -> Protocol:
    """A protocol with every choice at random."""
    names, kinds = problem.schema.names, [c["name"] for c in problem.coco["categories"]]
    by_category = {c["name"]: {c["keypoints"][0]: 0.2} for c in problem.coco["categories"][:1]}
    return Protocol(
        name="made",
        thresholds=tuple(sorted({r.choice((0.1, 0.3, 0.5, 0.75, 0.95, 1.0)) for _ in range(r.randint(1, 4))})),
        max_preds=problem.max_preds,
        truth_area=r.choice(list(TRUTH_AREAS)),
        prediction_area=r.choice(list(PREDICTION_AREAS)),
        ignored=r.choice(list(IGNORED)),
        absent=r.choice(list(ABSENT)),
        ranges={"small": (0.0, 1024.0), "wide": (1024.0, float("inf"))} if r.random() < 0.5 else {},
        levels={"easy": (float("-inf"), 0.2), "hard": (0.2, float("inf"))} if problem.coco["images"] and r.random() < 0.5 else {},
        parts={"some": Part(points=tuple(r.sample(names, r.randint(1, len(names)))), ignored=r.choice(list(IGNORED)))} if r.random() < 0.5 else {},
        per_category=r.random() < 0.7,
        interpolation=r.choice(list(INTERPOLATIONS)),
        sigmas=r.choice(({}, {names[0]: 0.3}, by_category)) if kinds else {},
    )


def repeated(problem: Made, times: Sequence[int]) -> Made:
    """Each image so many times, with all that is on it; copies stand together, so that ties keep their order."""
    copies: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    results = []
    ranks = {image: rank for rank, image in enumerate(np.unique([image["id"] for image in problem.coco["images"]]).tolist())}
    for image, n in zip(problem.coco["images"], times, strict=False):
        for i in range(n):
            new = 100 * ranks[image["id"]] + i
            copies["images"].append({**image, "id": new})
            copies["annotations"] += [{**a, "id": f"{a['id']} {i}", "image_id": new} for a in problem.coco["annotations"] if a["image_id"] == image["id"]]
            results += [{**p, "image_id": new} for p in problem.results if p["image_id"] == image["id"]]
    return replace(problem, coco={**problem.coco, **copies}, results=results)


# -- the set -----------------------------------------------------------------------------------------


def _schema(r: Random, noise: np.random.Generator) -> Schema:
    k = r.choice((1, 2, 3, 17, 30, r.randint(1, 30)))
    return Schema(name="made", keypoints=tuple(Keypoint(f"p{i}", float(s)) for i, s in enumerate(noise.uniform(0.02, 0.12, k))))


def _categories(r: Random, schema: Schema) -> list[dict[str, Any]]:
    """One to four kinds of objects; sometimes each has other points of the union, in an order of its own."""
    ids: Sequence[Any] = r.choice(([1, 2, 3, 4], [7, 0, 40, 3], ["x", "a", "10", "9"]))
    differ = r.random() < 0.2
    points = [r.sample(schema.names, r.randint(1, len(schema))) if differ else list(schema.names) for _ in range(r.randint(1, 4))]
    return [{"id": ids[i], "name": f"kind {i}", "keypoints": own, "skeleton": []} for i, own in enumerate(points)]


def _images(r: Random) -> list[dict[str, Any]]:
    """Up to eight, their ids in no order."""
    ids: list[Any] = r.sample(range(100), r.randint(0, 8))
    if r.random() < 0.2:
        ids = [f"im{i}" for i in ids]
    return [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480, "crowdIndex": r.choice((0.0, 0.1, 0.2, 0.5, 0.8, 3.02))} for i in ids]


def _own_sigmas(r: Random, noise: np.random.Generator, categories: list[dict[str, Any]]) -> dict[str, tuple[float, ...]]:
    if r.random() >= 0.15:
        return {}
    return {c["name"]: tuple(noise.uniform(0.02, 0.12, len(c["keypoints"])).tolist()) for c in categories if r.random() < 0.7}


def _number(r: Random, truths: list[dict[str, Any]]) -> None:
    """Ids: numbers from 0 or 1 on, or text."""
    first, text = r.choice((0, 1, 500)), r.random() < 0.1
    for i, t in enumerate(truths):
        t["id"] = f"t{i}" if text else first + i


# -- poses -------------------------------------------------------------------------------------------


def _truth(r: Random, noise: np.random.Generator, image: Any, category: dict[str, Any], whole: bool) -> dict[str, Any]:
    k = len(category["keypoints"])
    area = r.choice(AREAS) if r.random() < 0.6 else float(noise.uniform(0, 20000))
    side = max(area**0.5, 1.0) * float(noise.uniform(1, 1.5))
    x, y = noise.uniform(0, 400, 2).tolist()
    points = np.stack([noise.uniform(x, x + side, k), noise.uniform(y, y + side, k), noise.choice([0, 1, 2], k, p=[0.25, 0.25, 0.5])], -1)
    kind = r.choice(("full", "full", "full", "full", "empty", "crowd", "empty crowd", "uncounted", "unsaid", "lie"))
    if "empty" in kind:
        points[:, 2] = 0
    if r.random() < 0.8:
        points[points[:, 2] == 0] = 0  # else unlabelled points keep their coordinates, as some files have them
    if whole:
        points, (x, y, side) = points.round(), (round(x), round(y), max(round(side), 1))
    labelled = int((points[:, 2] > 0).sum())
    record = {
        "image_id": image, "category_id": category["id"], "keypoints": _numbers(points), "bbox": [x, y, side, side * r.choice((1.0, 0.5))],
        "area": area, "iscrowd": int("crowd" in kind), "num_keypoints": {"uncounted": 0, "lie": 3}.get(kind, labelled),
        "foot_valid": int(r.random() < 0.7),
    }  # fmt: skip
    if kind == "unsaid":
        del record["num_keypoints"]
    return record


def _results(
    r: Random,
    noise: np.random.Generator,
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
    truths: list[dict[str, Any]],
    schema: Schema,
    whole: bool,
    ties: bool,
) -> list[dict[str, Any]]:
    """Exact hits, near ones, repeated ones, and background, in any order; sometimes none at all."""
    results: list[dict[str, Any]] = []
    if r.random() < 0.05:
        return results
    boxes = r.choice(("all", "none", "some"))
    for image in images:
        near = [t for t in truths if t["image_id"] == image["id"]]
        for _ in range(r.choice((0, 1, 2, 3, 3, 6, 12))):
            before = [p for p in results if p["image_id"] == image["id"]]
            if before and ties and r.random() < 0.15:
                results.append({**r.choice(before)} if r.random() < 0.5 else {**r.choice(before), "score": _score(r, ties, noise)})
            else:
                results.append(_pose(r, noise, image["id"], categories, near, schema, whole, ties))
    for p in results:
        if boxes == "none" or (boxes == "some" and r.random() < 0.5):
            p.pop("bbox", None)
    r.shuffle(results)
    return results


def _pose(
    r: Random, noise: np.random.Generator, image: Any, categories: list[dict[str, Any]], near: list[dict[str, Any]], schema: Schema, whole: bool, ties: bool
) -> dict[str, Any]:
    target = r.choice(near) if near and r.random() < 0.85 else None
    category = r.choice(categories) if target is None or r.random() < 0.1 else next(c for c in categories if c["id"] == target["category_id"])
    k = len(schema)
    points = np.concatenate([noise.uniform(0, 500, (k, 2)), noise.uniform(-0.2, 1, (k, 1)).clip(0)], -1)
    if target is not None:
        _follow(points, target, categories, schema, float(r.choice((0.0, 0.02, 0.05, 0.1, 0.2))), noise)
    if r.random() < 0.2:
        points[noise.random(k) < 0.3] = 0
    if r.random() < 0.02:
        points[:] = 0
    if whole:
        points[:, :2] = points[:, :2].round()
    x, y = noise.uniform(0, 400, 2).tolist()
    side = 32.0 if r.random() < 0.3 else float(noise.uniform(1, 150))
    return {
        "image_id": image, "category_id": category["id"], "keypoints": _numbers(points), "score": _score(r, ties, noise),
        "bbox": [x, y, side, side], "foot_score": float(noise.random()) if r.random() < 0.9 else None,
    }  # fmt: skip


def _follow(points: np.ndarray, target: dict[str, Any], categories: list[dict[str, Any]], schema: Schema, spread: float, noise: np.random.Generator) -> None:
    """Put the points that the target has near it; `points` stand in the order of the schema."""
    own = next(c for c in categories if c["id"] == target["category_id"])["keypoints"]
    columns = [schema.index(name) for name in own]
    wanted = np.array(target["keypoints"], float).reshape(-1, 3)
    away = noise.normal(0, spread * max(target["area"], 1e-6) ** 0.5, wanted[:, :2].shape)
    points[columns, :2] = wanted[:, :2] + away


def _score(r: Random, ties: bool, noise: np.random.Generator) -> float:
    return r.choice((0.0, 0.1, 0.5, 0.5, 0.9, 1.0, -0.5, 3.0)) if ties and r.random() < 0.7 else float(noise.random())


def _numbers(points: np.ndarray) -> list[float]:
    return [int(v) if float(v).is_integer() else float(v) for v in points.ravel()]
