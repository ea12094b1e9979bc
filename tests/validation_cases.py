"""For every rule a small made case that it finds, and one close by that it must leave alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import posedata
from posedata import PoseDataset, Report
from posedata.schemas import SCHEMAS
from tests.people import people, upright

Made = Any
"""A document, a dataset, or (either, options of validate)."""

_SHAPE = upright("coco17")


def pose(x: float = 100, y: float = 60, w: float = 120, h: float = 240) -> list[float]:
    """A person who stands in a box, every point seen."""
    xy = np.round(np.array([x, y]) + (0.04 + 0.92 * _SHAPE) * (w, h), 1)
    return [n for p in xy.tolist() for n in (*p, 2)]


def note(i: int, image: int = 1, x: float = 100, y: float = 60, w: float = 120, h: float = 240, **more: Any) -> dict[str, Any]:
    """One annotation."""
    own = {
        "id": i,
        "image_id": image,
        "category_id": 1,
        "bbox": [x, y, w, h],
        "area": round(0.53 * w * h, 2),
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": pose(x, y, w, h),
    }
    return {**own, **more}


def document() -> dict[str, Any]:
    """A sound file: three images, four people, one point of which is hidden."""
    coco = SCHEMAS["coco17"]
    notes = [note(1), note(2, x=300, w=90), note(3, 2, x=50, y=20, w=200, h=400), note(4, 3, x=250, y=100, w=70, h=150)]
    notes[1]["keypoints"][2] = 1
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 640, "height": 480} for i in (1, 2, 3)],
        "annotations": notes,
        "categories": [{"id": 1, "name": "person", "keypoints": list(coco.names), "skeleton": (coco.limb_rows + 1).tolist()}],
    }


def put(*changes: tuple[str, Any]) -> Callable[[], Made]:
    """The sound file with other values at some places: `annotations.0.bbox.2`; None takes the key away."""

    def make() -> Made:
        doc = document()
        for path, value in changes:
            *steps, last = [int(s) if s.isdigit() else s for s in path.split(".")]
            at: Any = doc
            for step in steps:
                at = at[step]
            if value is None:
                del at[last]
            else:
                at[last] = value
        return doc

    return make


def points(row: int, **changed: list[float]) -> tuple[str, Any]:
    """Keypoints of one annotation with some replaced, by name."""
    doc = document()
    values = list(doc["annotations"][row]["keypoints"])
    for name, point in changed.items():
        k = SCHEMAS["coco17"].index(name)
        values[3 * k : 3 * k + 3] = point
    return f"annotations.{row}.keypoints", values


def scaled(row: int, change: Callable[[Any], Any]) -> tuple[str, Any]:
    """Keypoints of one annotation with x, y gone through a function of (17, 2)."""
    own = np.array(document()["annotations"][row]["keypoints"]).reshape(17, 3)
    return f"annotations.{row}.keypoints", np.concatenate([change(own[:, :2]), own[:, 2:]], 1).ravel().tolist()


def more(*notes: dict[str, Any]) -> Callable[[], Made]:
    """The sound file with annotations more."""
    return lambda: {**document(), "annotations": [*document()["annotations"], *notes]}


def crowd(n: int = 180, noise: float = 0.02) -> PoseDataset:
    """Upright people, some pixels from the same shape."""
    ds = people(images=n)
    rng = np.random.default_rng(5)
    box = ds.instances.bbox
    xy = box[:, None, :2] + (upright("coco17") + rng.normal(0, noise / 4, (len(ds), 17, 2))) * box[:, None, 2:]
    return replace(ds, instances=replace(ds.instances, keypoints=np.concatenate([xy, np.full((len(ds), 17, 1), 2.0)], -1)))


def planted(change: Callable[[Any], None], row: int = 7) -> Callable[[], Made]:
    """People, the points of one of whom were changed in place."""

    def make() -> Made:
        ds = crowd()
        keypoints = ds.instances.keypoints.copy()
        change(keypoints[row])
        return replace(ds, instances=replace(ds.instances, keypoints=keypoints))

    return make


def _exchange(name: str) -> Callable[[Any], None]:
    def change(pose: Any) -> None:
        a, b = (SCHEMAS["coco17"].index(f"{side}_{name}") for side in ("left", "right"))
        pose[[a, b]] = pose[[b, a]]

    return change


def _all_exchanged(pose: Any) -> None:
    pose[:] = pose[SCHEMAS["coco17"].mirror]


def _far_wrist(pose: Any) -> None:
    elbow, wrist = (SCHEMAS["coco17"].index(f"left_{j}") for j in ("elbow", "wrist"))
    pose[wrist, :2] = pose[elbow, :2] + 8 * (pose[wrist, :2] - pose[elbow, :2])


def _short_arm(pose: Any) -> None:
    elbow, wrist = (SCHEMAS["coco17"].index(f"left_{j}") for j in ("elbow", "wrist"))
    pose[wrist, :2] = pose[elbow, :2] + 0.2 * (pose[wrist, :2] - pose[elbow, :2])


def _folded(pose: Any) -> None:
    """The lower leg thrown over the upper one."""
    hip, knee, ankle = (SCHEMAS["coco17"].index(f"left_{j}") for j in ("hip", "knee", "ankle"))
    pose[ankle, :2] = pose[knee, :2] + 0.9 * (pose[hip, :2] - pose[knee, :2]) + 1


def classes(counts: list[int]) -> Callable[[], Made]:
    """One small category after another, of so many instances."""

    def make() -> Made:
        doc = document()
        kinds = [{**doc["categories"][0], "id": c, "name": f"kind {c}"} for c in range(1, len(counts) + 1)]
        own = [(c, i) for c, n in enumerate(counts, 1) for i in range(n)]
        notes = [note(1000 * c + i, i % 3 + 1, x=10 + 3 * i % 400, y=10 + i % 200, w=100 + i % 7, category_id=c) for c, i in own]
        return {**doc, "categories": kinds, "annotations": notes}

    return make


def pictures(**changed: Any) -> Callable[[], Made]:
    """The sound file and its pictures: their sizes, or bytes instead of one; `said` is put into the file."""

    def make() -> Made:
        return put(*changed.get("said", ()))(), {"images": {**dict.fromkeys(("1.png", "2.png", "3.png"), (640, 480)), **changed.get("drawn", {})}}

    return make


def labels_kept_back() -> Made:
    return put(*[(f"annotations.{i}.keypoints", [0] * 51) for i in range(4)], *[(f"annotations.{i}.num_keypoints", 0) for i in range(4)])()


def turned_frames() -> Made:
    """A tall picture written down as wide."""
    doc = put(("images.1.width", 640), ("images.1.height", 360), ("annotations.2.bbox", [20, 30, 200, 580]), ("annotations.2.area", 50000.0))()
    doc["annotations"][2]["keypoints"] = pose(20, 30, 200, 580)
    return doc


def cornered(n: int = 12, corners: bool = True) -> Made:
    rng = np.random.default_rng(1)
    notes = []
    for i in range(n):
        x, y, w, h = rng.integers(60, 200, 4).tolist()
        notes.append(note(i + 1, i % 3 + 1, x, y, w, h, bbox=[x, y, x + w, y + h] if corners else [x, y, w, h]))
    return {**document(), "annotations": notes}


def file_of(ending: str, text: str) -> Callable[[], Made]:
    return lambda: (text, {"ending": ending})


_CSV = "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\nimg00.png,1.5,2.5\nimg01.png,,\n"
_STANFORD = json.dumps([{"img_path": "n02085620-Chihuahua/1.jpg", "img_width": 10, "img_height": 10, "joints": [[1, 2, 1]] * 24, "img_bbox": [0, 0, 5, 5]}])
_CLOSE = [n + (0.4 if i % 3 < 2 else 0) for i, n in enumerate(pose())]
sound = document

CASES: dict[str, tuple[Callable[[], Made], Callable[[], Made]]] = {
    "table-form": (lambda: {**document(), "categories": document()["categories"][0]}, sound),
    "foreign-form": (file_of(".csv", _CSV), sound),
    "missing": (put(("annotations.1.id", None)), put(("annotations.1.num_keypoints", None))),
    "repeated-id": (put(("annotations.1.id", 1)), put(("annotations.1.id", 10))),
    "id-kind": (put(*[(f"annotations.{i}.image_id", t) for i, t in enumerate(("1", "1", "2", "3"))]), put(("annotations.1.image_id", 2))),
    "dangling": (put(("annotations.1.image_id", 77)), put(("annotations.1.image_id", 3))),
    "length": (put(("annotations.1.keypoints", pose()[:48])), put(("annotations.1.keypoints", None))),
    "visibility": (put(("annotations.1.keypoints.2", 0.5)), put(("annotations.1.keypoints.2", 1.0))),
    "value": (put(("annotations.1.bbox", [1, 2, 3])), put(("annotations.1.bbox", None))),
    "categories": (put(("categories.0.keypoints", [f"dot {i}" for i in range(17)]), ("categories.0.skeleton", None)), sound),
    "skeleton-range": (put(("categories.0.skeleton", [[18, 1]])), put(("categories.0.skeleton", [[17, 1]]))),
    "skeleton-base": (put(("categories.0.skeleton", [[0, 1]])), put(("categories.0.skeleton", [[1, 2]]))),
    "float-id": (put(("annotations.1.id", 2.0)), sound),
    "flat-polygon": (put(("annotations.0.segmentation", [1, 1, 9, 1, 9, 9]), ("annotations.0.area", 32)), put(("annotations.0.segmentation", [[100, 60, 220, 60, 220, 180]]), ("annotations.0.area", 7200))),
    "file-name-key": (put(("images.0.filename", "1.png"), ("images.0.file_name", None)), sound),
    "odd-name": (put(("categories.0.keypoints.0", "nose ")), put(("categories.0.name", "a person"))),
    "repeated-image": (lambda: {**document(), "images": [*document()["images"], document()["images"][0]]}, sound),
    "other-points": (put(("annotations.0.foot_kpts", [0] * 18)), put(("annotations.0.comment", "feet"))),
    "sigmas": (lambda: put(("categories.0.keypoints", list(SCHEMAS["ap10k17"].names)), ("categories.0.sigmas", SCHEMAS["coco17"].sigmas.tolist()))(),
               put(("categories.0.sigmas", SCHEMAS["coco17"].sigmas.tolist()))),
    "stripped-blanks": (put(("images.0.date_captured", "2013-11-1417:02:52")), put(("images.0.date_captured", "2013-11-14 17:02:52"))),
    "odd-file-name": (put(("images.0.file_name", "&quot_cat.jpg")), put(("images.0.file_name", "кот & cat (1).jpg"))),
    "escaping-file-name": (put(("images.0.file_name", "../1.png")), put(("images.0.file_name", "a..b/1.png"))),
    "box-outside-image": (put(("annotations.0.bbox", [400, 60, 400, 240])), put(("annotations.0.bbox", [100, 60, 540, 240]))),
    "box-past-edge": (put(("annotations.0.bbox", [100, 60, 545, 240])), put(("annotations.0.bbox", [100, 60, 540.5, 240]))),
    "empty-box": (put(("annotations.0.bbox", [100, 60, 0, 240])), sound),
    "outside-image": (put(points(0, nose=[700, 50, 2])), put(points(0, nose=[700, 50, 0]))),
    "on-the-edge": (put(points(0, nose=[640, 50, 2])), put(points(0, nose=[639.5, 50, 2]))),
    "nowhere": (put(scaled(0, lambda xy: xy + 700)), put(points(0, nose=[700, 50, 2]))),
    "outside-box": (put(points(0, nose=[97, 80, 2])), put(points(0, nose=[100, 80, 2]))),
    "far-outside-box": (put(points(0, nose=[20, 80, 2])), put(points(0, nose=[20, 80, 1]))),
    "no-area-left": (put(("annotations.0.area", 0)), put(("annotations.0.area", 200))),
    "area-over-box": (put(("annotations.0.area", 120 * 240 * 1.5)), put(("annotations.0.area", 120 * 240))),
    "area-under-box": (put(("annotations.0.area", 50)), put(("annotations.0.area", 50), ("annotations.0.iscrowd", 1))),
    "area-off-mask": (put(("annotations.0.segmentation", [[100, 60, 220, 60, 220, 300, 100, 300]])), put(("annotations.0.segmentation", [[100, 60, 220, 60, 220, 187, 100, 187]]))),
    "zero-with-place": (put(points(0, nose=[150, 80, 0])), put(points(0, nose=[-150, 80, 0]))),
    "minus-one": (put(points(0, nose=[-1, -1, 0])), put(points(0, nose=[0, 0, 0]))),
    "seen-at-origin": (put(points(0, nose=[0, 0, 2])), put(points(0, nose=[0, 0, 0]))),
    "normalised": (put(scaled(0, lambda xy: xy / (640, 480))), put(*[(f"images.0.{k}", 1) for k in ("width", "height")], ("annotations.0.bbox", [0, 0, 1, 1]), scaled(0, lambda xy: xy / (640, 480)))),
    "exchanged-xy": (put(("annotations.0.bbox", [400, 20, 120, 240]), scaled(0, lambda xy: np.add(xy, (300, -40))[:, ::-1])), put(("annotations.0.bbox", [400, 20, 120, 240]), scaled(0, lambda xy: np.add(xy, (300, -40))))),
    "exchanged-size": (turned_frames, put(points(0, nose=[700, 50, 2]))),
    "collapsed": (put(scaled(0, lambda xy: xy * 0.001 + 150)), put(scaled(0, lambda xy: xy * 0.1 + 130))),
    "corner-boxes": (cornered, lambda: cornered(corners=False)),
    "area-is-box": (put(*[(f"annotations.{i}.area", n) for i, n in enumerate((120 * 240, 90 * 240, 80000, 70 * 150))]), put(("annotations.0.area", 120 * 240))),
    "box-is-image": (put(*[(f"annotations.{i}.bbox", [0, 0, 640, 480]) for i in range(4)]), put(("annotations.0.bbox", [0, 0, 640, 480]))),
    "no-area": (put(*[(f"annotations.{i}.area", None) for i in range(4)]), put(("annotations.0.area", 30000))),
    "no-box": (put(*[(f"annotations.{i}.bbox", None) for i in range(4)]), put(("annotations.0.bbox", None))),
    "no-size": (put(*[(f"images.{i}.{k}", None) for i in range(3) for k in ("width", "height")]), put(("images.0.width", None))),
    "num-keypoints": (put(("annotations.0.num_keypoints", 12)), put(("annotations.0.num_keypoints", None))),
    "recorded-zero": (put(("annotations.0.num_keypoints", 0)), put(("annotations.0.num_keypoints", 0), ("annotations.0.keypoints", [0] * 51))),
    "nothing-labelled": (put(("annotations.0.num_keypoints", 0), ("annotations.0.keypoints", [0] * 51)), put(("annotations.0.num_keypoints", 0), ("annotations.0.keypoints", [0] * 51), ("annotations.0.iscrowd", 1))),
    "crowd-with-points": (put(("annotations.0.iscrowd", 1)), put(("annotations.0.iscrowd", 1), ("annotations.0.keypoints", [0] * 51), ("annotations.0.num_keypoints", 0))),
    "never-seen": (put(*[points(i, nose=[150 + 2 * i, 90 + 2 * i, 1]) for i in range(4)]), sound),
    "one-flag": (put(("annotations.1.keypoints.2", 2)), sound),
    "crowd-index": (put(("images.0.crowdIndex", 3.02)), put(("images.0.crowdIndex", 1.0))),
    "same-pose": (more(note(5, 3)), more(note(5, 3, x=101))),
    "mixed-sides": (planted(_exchange("hip")), planted(_all_exchanged)),
    "far-limb": (planted(_far_wrist), planted(_short_arm)),
    "odd-angle": (planted(_folded), crowd),
    "absent-picture": (pictures(drawn={"2.png": None}), pictures()),
    "unreadable-picture": (pictures(drawn={"2.png": b"no picture"}), pictures()),
    "other-size": (pictures(drawn={"2.png": (320, 240)}), pictures()),
    "turned-size": (pictures(drawn={"2.png": (480, 640)}), pictures(drawn={"2.png": (320, 240)})),
    "orientation": (pictures(drawn={"2.png": "turned"}), pictures()),
    "repeated-annotation": (more(note(5)), more(note(5, category_id=1, x=101))),
    "near-instances": (more(note(5, keypoints=_CLOSE)), more(note(5, x=125))),
    "repeated-file": (put(("images.1.file_name", "1.png")), sound),
    "empty-category": (lambda: {**document(), "categories": [*document()["categories"], {"id": 2, "name": "bird"}]}, sound),
    "rare-category": (classes([40, 7]), classes([40, 30])),
    "imbalance": (classes([240, 2]), classes([60, 2])),
    "rare-keypoint": (lambda: put_rare(0), lambda: put_rare(10)),
    "empty-images": (put(("annotations.3", None)), sound),
    "no-labels": (labels_kept_back, sound),
    "published-count": (lambda: (document(), {"counts": (128, 132)}), lambda: (document(), {"counts": (3, 4)})),
}  # fmt: skip


def put_rare(labelled: int) -> Made:
    """Forty people whose nose is labelled on so many."""
    doc = classes([40])()
    for a in doc["annotations"][labelled:]:
        a["keypoints"][:3] = [0, 0, 0]
        a["num_keypoints"] = 16
    return doc


def looked(made: Made, folder: Path, **options: Any) -> Report:
    """The report on a made case."""
    made, more = made if isinstance(made, tuple) else (made, {})
    options = {**more, **options}
    ending, counts, drawn = (options.pop(k, None) for k in ("ending", "counts", "images"))
    if isinstance(made, PoseDataset):
        return posedata.validate(made, **options)
    path = folder / f"case{ending or '.json'}"
    path.write_text(made if isinstance(made, str) else json.dumps(made))
    if isinstance(drawn, dict):
        draw(folder, drawn)
        options["images"] = folder
    if counts:
        options.pop("rules", None)
        from posedata.validation.rules import RULES
        from posedata.validation.running import _of_file, _run

        subject, _ = _of_file(path, None, None, counts)
        rules = [RULES["PD410"]]
        return Report("case", subject, tuple(_run(subject, rules, True)), ("PD410",))
    return posedata.validate(path, **options)


def draw(folder: Path, drawn: dict[str, Any]) -> None:
    """Pictures of these sizes; None for none, bytes as they are, "turned" with an EXIF mark."""
    for name, what in drawn.items():
        if isinstance(what, bytes):
            (folder / name).write_bytes(what)
        elif what == "turned":
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.new("L", (640, 480)).save(folder / name, exif=exif)
        elif what is not None:
            Image.new("L", what).save(folder / name)
