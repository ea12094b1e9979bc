"""Write the files beside this script: small problems, and what tools that are hard to install make of them.

    python -m tests.recorded.record --crowdpose cocoeval.py

The interpreter needs numpy, pycocotools 2.0.11 and xtcocotools 1.14.3, whose wheel does not start on numpy 2:
`pip install numpy cython setuptools pycocotools==2.0.11` and then
`pip install --no-build-isolation --no-binary xtcocotools xtcocotools==1.14.3`. The CrowdPose API is on no index:
`cocoeval.py` is crowdpose-api/PythonAPI/crowdposetools/cocoeval.py of github.com/Jeff-sjtu/CrowdPose at 08cb339.
Here it runs on pycocotools' COCO, with `np.float` and the float passed to `linspace` made what numpy 2 takes.

OpenPifPaf is not run: github.com/openpifpaf/openpifpaf 0.13.11 is pycocotools with area = w * h where the file has none
(metric/coco.py), on the images of one level of crowding (plugins/crowdpose/module.py); this is what is done here.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import xtcocotools.coco
import xtcocotools.cocoeval
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
Record = dict[str, Any]

COCO = tuple(["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"])  # fmt: skip
COCO_SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089)
FOOT = tuple(["left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"])
FOOT_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
CROWDPOSE = (*COCO[5:], "head", "neck")
CROWDPOSE_SIGMAS = (*COCO_SIGMAS[5:], 0.079, 0.079)
TEN = ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR@0.75", "AR[medium]", "AR[large]")
NINE = ("AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75", "AP[easy]", "AP[medium]", "AP[hard]")
LEVELS = {"easy": (0.0, 0.1), "medium": (0.1, 0.8), "hard": (0.8, 1.0)}
"""OpenPifPaf's; an image of crowdIndex 1 or more is in none."""


# -- problems ----------------------------------------------------------------------------------------


def draw(rng: np.random.Generator, names: Sequence[str], sigmas: Sequence[float], images: int, *, categories: int = 1, crowded: Sequence[float] = ()) -> Record:
    """Truth and results: ids in no order, ties in scores, crowds, people without points, found twice, and found where nobody is.

    `crowded` are crowdIndex values to draw from.
    """
    ids = rng.permutation(np.arange(1, 9 * images, 9))[:images].tolist()
    upright = rng.uniform(0.05, 0.95, (len(names), 2))
    truth: list[Record] = []
    results: list[Record] = []
    for image in ids:
        for _ in range(rng.integers(0, 5)):
            category = int(rng.integers(1, categories + 1)) if categories > 1 else 1
            person = _person(rng, upright, image, category)
            truth.append(person)
            results += _found(rng, person, np.array(sigmas))
        results += [_nobody(rng, upright, image, int(rng.integers(1, categories + 1))) for _ in range(rng.integers(0, 4))]
    for person, number in zip(truth, rng.permutation(len(truth)).tolist(), strict=True):
        person["id"] = number + 1
    listed = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} | ({"crowdIndex": float(rng.choice(crowded))} if crowded else {}) for i in ids]
    kinds = [{"id": c, "name": f"kind{c}", "keypoints": list(names)} for c in range(1, categories + 1)]
    results = [results[i] for i in rng.permutation(len(results)).tolist()]
    return {"truth": {"images": listed, "annotations": truth, "categories": kinds}, "results": results}


def _box(rng: np.random.Generator) -> NDArray[np.float64]:
    h = np.clip(rng.lognormal(4.8, 0.7), 15, 400)
    return np.round([rng.uniform(0, 400), rng.uniform(0, 80), h * rng.uniform(0.4, 0.9), h], 1)


def _person(rng: np.random.Generator, upright: NDArray[np.float64], image: int, category: int) -> Record:
    box, kind = _box(rng), rng.random()
    v = rng.choice(3, len(upright), p=(0.3, 0.2, 0.5)) * (kind > 0.2)  # a fifth has no labelled point; of these a third are crowds
    xy = np.round(box[:2] + (upright + rng.normal(0, 0.06, upright.shape)) * box[2:]) * (v > 0)[:, None]
    return {
        "image_id": image, "category_id": category, "iscrowd": int(kind < 0.07), "bbox": box.tolist(), "area": round(box[2] * box[3] * rng.uniform(0.4, 0.7), 2),
        "num_keypoints": int((v > 0).sum()), "keypoints": _flat(xy.astype(int), v),
    }  # fmt: skip


def _found(rng: np.random.Generator, person: Record, sigmas: NDArray[np.float64]) -> list[Record]:
    """The person as a model sees it: usually once, sometimes twice or not at all; crowds several times."""
    points = np.array(person["keypoints"]).reshape(-1, 3)
    box = np.array(person["bbox"])
    inside = box[:2] + rng.uniform(0, 1, (len(points), 2)) * box[2:]
    where = np.where(points[:, 2:] > 0, points[:, :2], inside)
    found = []
    for _ in range(rng.choice(4, p=(0.1, 0.65, 0.2, 0.05)) + 2 * person["iscrowd"]):
        off = rng.lognormal(0, 0.6) * sigmas * np.sqrt(person["area"])
        found.append(_result(rng, person, where + rng.normal(size=where.shape) * off[:, None], rng.beta(5, 3)))
    return found


def _nobody(rng: np.random.Generator, upright: NDArray[np.float64], image: int, category: int) -> Record:
    box = _box(rng)
    return _result(rng, {"image_id": image, "category_id": category}, box[:2] + (upright + rng.normal(0, 0.2, upright.shape)) * box[2:], rng.beta(2, 5))


def _result(rng: np.random.Generator, of: Record, xy: NDArray[np.float64], score: float) -> Record:
    sure = np.round(rng.uniform(0.1, 1, len(xy)), 2)
    return {"image_id": of["image_id"], "category_id": of["category_id"], "keypoints": _flat(np.round(xy, 1), sure), "score": round(score, 1)}


def _flat(xy: NDArray[Any], third: NDArray[Any]) -> list[float]:
    return [n for (x, y), v in zip(xy.tolist(), third.tolist(), strict=True) for n in (x, y, v)]


def with_boxes(problem: Record, rng: np.random.Generator) -> Record:
    """Results with a box of their own, which is what their area is then taken from."""
    for result in problem["results"]:
        xy = np.array(result["keypoints"]).reshape(-1, 3)[:, :2]
        result["bbox"] = np.round([*(xy.min(0) - 5), *(np.ptp(xy, 0) * rng.uniform(0.8, 2))], 1).tolist()
    return problem


def without_area(problem: Record) -> Record:
    for person in problem["truth"]["annotations"]:
        del person["area"]
    return problem


def unsure(problem: Record, rng: np.random.Generator, key: str = "keypoints") -> Record:
    """A tenth of the results say that none of their points is there, by confidence alone; some of them by zeros."""
    for result in problem["results"]:
        kind = rng.random()
        if kind < 0.1:
            result[key] = [0 if i % 3 == 2 or kind < 0.04 else n for i, n in enumerate(result[key])]
    return problem


def as_crowdpose(problem: Record, rng: np.random.Generator) -> Record:
    """num_keypoints counts the first twelve points, head and neck are never seen (v = 2), and some people are these alone."""
    for person in problem["truth"]["annotations"]:
        points = np.array(person["keypoints"]).reshape(-1, 3)
        points[12:, 2] = np.minimum(points[12:, 2], 1)
        if rng.random() < 0.12:
            points[:12] = 0
        person["keypoints"], person["num_keypoints"] = points.ravel().tolist(), int((points[:12, 2] > 0).sum())
    return without_area(problem)


def as_wholebody(problem: Record, rng: np.random.Generator, scored: float) -> Record:
    """COCO-WholeBody's keys for the six foot points; `scored` of the results have a score for them."""
    for person in problem["truth"]["annotations"]:
        body, foot = person["keypoints"][:51], person["keypoints"][51:]
        foot = foot if rng.random() < 0.7 else [0] * 18
        valid = any(foot[2::3]) and rng.random() < 0.8  # no evaluator reads it
        person |= {"keypoints": body, "num_keypoints": sum(v > 0 for v in body[2::3]), "foot_kpts": foot, "foot_valid": valid}
    for result in problem["results"]:
        result |= {"keypoints": result["keypoints"][:51], "foot_kpts": result["keypoints"][51:]}
        if rng.random() < scored:
            result["foot_score"] = round(float(np.clip(result["score"] + rng.normal(0, 0.2), 0, 1)), 1)
    return problem


# -- tools -------------------------------------------------------------------------------------------


def run(coco: type, evaluator: Callable[[Any, Any], Any], problem: Record) -> Any:
    """The evaluator after its work; the files are read anew, for tools write into what they are given."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        truth, results = Path(folder) / "truth.json", Path(folder) / "results.json"
        truth.write_text(json.dumps(problem["truth"]))
        results.write_text(json.dumps(problem["results"]))
        read = coco(str(truth))
        read.anno_file = [str(truth)]  # the CrowdPose API asks its own COCO for it
        ev = evaluator(read, read.loadRes(str(results)))
        ev.evaluate()
        ev.accumulate()
        ev.summarize()
        return ev


def named(names: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    return {name: None if v == -1 else float(v) for name, v in zip(names, values, strict=True)}


def xtcocotools_says(problem: Record, mode: str, sigmas: Sequence[float], use_area: bool) -> dict[str, float | None]:
    def evaluator(truth: Any, pred: Any) -> Any:
        return xtcocotools.cocoeval.COCOeval(truth, pred, mode, np.array(sigmas), use_area=use_area)

    return says(xtcocotools.cocoeval, xtcocotools.coco.COCO, evaluator, problem, slice(None), NINE if mode == "keypoints_crowd" else TEN)


def crowdpose_says(problem: Record, api: ModuleType) -> dict[str, float | None]:
    places = [0, 1, 2, 5, 6, 7, 8, 9, 10]  # of eleven; two are never filled
    return says(api, pycocotools.coco.COCO, lambda truth, pred: api.COCOeval(truth, pred, "keypoints"), problem, places, NINE)


def says(module: Any, coco: type, evaluator: Callable[[Any, Any], Any], problem: Record, places: Any, names: Sequence[str]) -> dict[str, float | None]:
    """The statistics, and those of the levels once more as they are before the tool rounds them to four digits."""
    rounded = named(names, np.array(run(coco, evaluator, problem).stats)[places])
    if names is not NINE:
        return rounded
    module.round = lambda value, digits: value
    exact = named(names, np.array(run(coco, evaluator, problem).stats)[places])
    del module.round
    return rounded | {f"{name} unrounded": exact[name] for name in NINE[6:]}


def openpifpaf_says(problem: Record, level: str | None) -> dict[str, float | None]:
    truth = problem["truth"]
    low, high = LEVELS[level] if level else (-np.inf, np.inf)
    peopled = {person["image_id"] for person in truth["annotations"]}
    chosen = [i["id"] for i in truth["images"] if low <= i["crowdIndex"] < high and i["id"] in peopled]

    def evaluator(truth: Any, pred: Any) -> Any:
        ev = pycocotools.cocoeval.COCOeval(truth, pred, "keypoints")
        ev.params.imgIds, ev.params.kpt_oks_sigmas = chosen, np.array(CROWDPOSE_SIGMAS)
        for person in truth.dataset["annotations"]:
            person.setdefault("area", person["bbox"][2] * person["bbox"][3])
        return ev

    return named(TEN, run(pycocotools.coco.COCO, evaluator, problem).stats)


def load_api(path: Path) -> ModuleType:
    """The CrowdPose API's cocoeval, in the numpy of today."""
    text = re.sub(r"np\.round\(\s*(\([^)]*\) / [.\d]+)\) \+ 1", r"int(np.round(\1)) + 1", path.read_text().replace("=np.float)", "=float)"))
    api = ModuleType("crowdposetools_cocoeval")
    exec(compile(text.replace("from . import mask as maskUtils\n", ""), str(path), "exec"), api.__dict__)  # noqa: S102
    return api


# -- files -------------------------------------------------------------------------------------------


def write(name: str, tool: str, problem: Record, expected: dict[str, dict[str, float | None]], **settings: Any) -> None:
    case = {"tool": tool, "settings": settings, "expected": expected, **problem}
    (FOLDER / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")
    print(f"{name:<28}{(FOLDER / f'{name}.json').stat().st_size / 1e3:>6.0f} kB  " + "  ".join(f"{m} {e['AP']}" for m, e in expected.items()))


def record_xtcocotools() -> None:
    tool = "xtcocotools 1.14.3"
    for seed, boxes in ((1, False), (2, True)):
        rng = np.random.default_rng(seed)
        problem = without_area(draw(rng, COCO, COCO_SIGMAS, 16))
        problem = with_boxes(problem, rng) if boxes else unsure(problem, rng)
        expected = {"keypoints": xtcocotools_says(problem, "keypoints", COCO_SIGMAS, False)}
        write(f"xtcocotools-no-area-{seed}", tool, problem, expected, schema="coco17", use_area=False)
    for seed, boxes in ((3, False), (4, True)):
        rng = np.random.default_rng(seed)
        problem = unsure(as_crowdpose(draw(rng, CROWDPOSE, CROWDPOSE_SIGMAS, 24, crowded=(0, 0.1, 0.19, 0.2, 0.5, 0.79, 0.8, 1, 1.7)), rng), rng)
        problem = with_boxes(problem, rng) if boxes else problem
        expected = {"keypoints_crowd": xtcocotools_says(problem, "keypoints_crowd", CROWDPOSE_SIGMAS, False)}
        write(f"xtcocotools-crowd-{seed}", tool, problem, expected, schema="crowdpose14", use_area=False)
    for name, seed, scored, boxes in (("foot", 5, 1, True), ("foot-unscored-unboxed", 6, 0, False), ("foot-half-scored", 7, 0.5, True)):
        rng = np.random.default_rng(seed)
        problem = as_wholebody(draw(rng, COCO + FOOT, COCO_SIGMAS + FOOT_SIGMAS, 16), rng, scored)
        problem = unsure(with_boxes(problem, rng) if boxes else problem, rng, "foot_kpts")
        modes = (("keypoints", COCO_SIGMAS), ("keypoints_foot", FOOT_SIGMAS))
        write(f"xtcocotools-{name}", tool, problem, {mode: xtcocotools_says(problem, mode, s, True) for mode, s in modes}, use_area=True)
    for seed, k, categories in ((8, 5, 3), (9, 24, 1)):
        rng = np.random.default_rng(seed)
        names, sigmas = [f"point{i}" for i in range(k)], np.round(rng.uniform(0.02, 0.12, k), 3).tolist()
        problem = draw(rng, names, sigmas, 24 if k < 20 else 12, categories=categories)
        problem["truth"]["categories"] += [{"id": 9, "name": "nowhere", "keypoints": names}] if categories > 1 else []
        write(f"xtcocotools-own-{k}", tool, problem, {"keypoints": xtcocotools_says(problem, "keypoints", sigmas, True)}, sigmas=sigmas, use_area=True)


def record_crowdpose(api: ModuleType) -> None:
    tool = "CrowdPose API at 08cb339"
    everywhere = (0, 0.05, 0.1, 0.19, 0.2, 0.5, 0.79, 0.8, 0.99, 1, 1.3, 3.02)
    for seed, images, crowded, boxes in (
        (11, 24, everywhere, False),
        (12, 20, everywhere, True),
        (13, 14, (0.3, 0.6), False),  # no easy image, none hard
        (14, 14, (0, 0.9), True),
    ):
        rng = np.random.default_rng(seed)
        problem = as_crowdpose(draw(rng, CROWDPOSE, CROWDPOSE_SIGMAS, images, crowded=crowded), rng)
        problem = with_boxes(problem, rng) if boxes else problem
        if seed == 14:
            _ignore_hard(problem["truth"])
        write(f"crowdpose-{seed}", tool, problem, {"keypoints": crowdpose_says(problem, api)}, schema="crowdpose14")
    rng = np.random.default_rng(15)
    problem = as_crowdpose(draw(rng, CROWDPOSE, CROWDPOSE_SIGMAS, 10, crowded=everywhere), rng)
    problem["results"] += [json.loads(json.dumps(r)) | {"score": 0.6} for r in problem["results"] for _ in range(3)]  # more than twenty on an image, tied
    write("crowdpose-15", tool, problem, {"keypoints": crowdpose_says(problem, api)}, schema="crowdpose14")


def _ignore_hard(truth: Record) -> None:
    """A level that has images and people, none of whom counts."""
    hard = {i["id"] for i in truth["images"] if i["crowdIndex"] >= 0.8}
    for person in truth["annotations"]:
        person["num_keypoints"] *= person["image_id"] not in hard


def record_openpifpaf() -> None:
    for seed in (21, 22):
        rng = np.random.default_rng(seed)
        problem = as_crowdpose(draw(rng, CROWDPOSE, CROWDPOSE_SIGMAS, 28, crowded=(0, 0.09, 0.1, 0.15, 0.5, 0.79, 0.8, 0.95, 1, 1.6)), rng)
        problem = with_boxes(problem, rng)
        found = {result["image_id"] for result in problem["results"]}
        nothing = {"category_id": 1, "keypoints": [0] * 42, "bbox": [0, 0, 1, 1], "score": 0.001}
        problem["results"] += [{"image_id": i["id"], **nothing} for i in problem["truth"]["images"] if i["id"] not in found]
        expected = {level or "all": openpifpaf_says(problem, level) for level in (None, *LEVELS)}
        write(f"openpifpaf-{seed}", "OpenPifPaf 0.13.11's rules on pycocotools 2.0.11", problem, expected, schema="crowdpose14", levels=LEVELS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crowdpose", type=Path, required=True, metavar="COCOEVAL")
    api = load_api(parser.parse_args().crowdpose)
    record_xtcocotools()
    record_crowdpose(api)
    record_openpifpaf()


if __name__ == "__main__":
    main()
