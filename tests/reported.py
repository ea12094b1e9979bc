"""Evaluations to report on: usual ones with pictures, and hostile ones, in which every name wants to be more than text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from posebench.evaluation import Evaluation, evaluate
from posebench.simulate import simulate
from posedata import Keypoint, PoseDataset, Predictions, Schema, load_schema

SCRIPT, ATTRIBUTE, ADDRESS, LONG = "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "javascript:alert(1)", "very_long_" * 40
HOSTILE = (SCRIPT, ATTRIBUTE, ADDRESS, LONG, "</style></title>&amp;", "a\u202eb\u0000c`$(x)`|*_")


def made(schema: Schema, n: int = 40, files: tuple[str, ...] = (), meta: dict[str, Any] | None = None) -> PoseDataset:
    """Bodies of 100 x 100 pixels, two to a picture of 240 x 160."""
    rng = np.random.default_rng(0)
    body = np.array([k.at or rng.random(2) for k in schema.keypoints]) * 80
    place = np.stack([np.arange(n) % 2 * 110.0 + 20, np.full(n, 30.0)], -1)
    xy = body[None] + place[:, None] + rng.normal(0, 3, (n, len(schema), 2))
    v = rng.choice([0.0, 1.0, 2.0], (n, len(schema), 1), p=[0.1, 0.1, 0.8])
    ids = np.arange(1, n // 2 + 1)
    names = [files[i % len(files)] + (f"{i}" if i >= len(files) else "") if files else f"{i}.jpg" for i in range(len(ids))]
    return PoseDataset.from_arrays(
        schema=schema,
        name="made",
        image=np.repeat(ids, 2)[:n],
        keypoints=np.concatenate([xy, v], -1) * (v > 0),
        bbox=np.concatenate([place - 10, np.full((n, 2), 110.0)], -1),
        area=np.full(n, 6000.0),
        images={"id": ids, "file": names, "width": np.full(len(ids), 240), "height": np.full(len(ids), 160)},
        meta=meta or {},
    )


def with_files(ds: PoseDataset, folder: Path) -> PoseDataset:
    """The same with pictures: grey ramps, other ones on each."""
    for i, name in enumerate(ds.images.file):
        if "/" not in name and "\0" not in name and len(name) < 200:
            ramp = np.tile(np.linspace(0, 255, 240), (160, 1))
            Image.fromarray(np.stack([ramp, np.roll(ramp, 9 * i, 1), np.full_like(ramp, 90)], -1).astype(np.uint8)).save(folder / name, "JPEG")
    return replace(ds, images=replace(ds.images, folder=np.full(len(ds.images), str(folder), object)))


def usual(folder: Path | None = None, schema: str = "coco17", n: int = 40, **shares: Any) -> Evaluation:
    """A simulated model with every kind of error."""
    truth = made(load_schema(schema), n, meta={"coat": np.array([("dark", "light", "spotted")[i % 3] for i in range(n)], object)})
    truth = truth if folder is None else with_files(truth, folder)
    errors = {"inversion": 0.08, "swap": 0.04, "miss": 0.06, "absent": 0.03, "surplus": 0.2, "missed": 0.1, "background": 0.2, "duplicate": 0.1, **shares}
    return evaluate(truth, simulate(truth, **errors, score_noise=1.0).pred)


def hostile(folder: Path) -> Evaluation:
    """The same, where names of keypoints, files, columns, values, the model and the set are attacks."""
    limbs = ((SCRIPT, ATTRIBUTE), (ATTRIBUTE, ADDRESS))
    schema = Schema(name=SCRIPT, keypoints=tuple(Keypoint(name, 0.05) for name in HOSTILE), limbs=limbs)
    meta = {name: np.array([HOSTILE[i % len(HOSTILE)] for i in range(40)], object) for name in (SCRIPT, ATTRIBUTE)}
    truth = replace(with_files(made(schema, 40, (*HOSTILE, "usual.jpg"), meta), folder), name=ATTRIBUTE)
    pred = simulate(truth, miss=0.2, surplus=0.3, background=0.2, missed=0.1).pred
    return evaluate(truth, replace(pred, header={**pred.header, "model": SCRIPT, "conditions": {ATTRIBUTE: ADDRESS}}))


def empty(ev: Evaluation) -> Evaluation:
    """Without a prediction."""
    return evaluate(ev.truth, ev.predictions.take(np.zeros(0, np.intp)))


def far_off(ev: Evaluation) -> Evaluation:
    """With predictions that are nowhere near anything."""
    moved = ev.predictions.keypoints + np.array([1e7, 0, 0])
    return evaluate(ev.truth, replace(ev.predictions, keypoints=moved, bbox=np.full((len(moved), 4), np.nan)))


def unlabelled(ev: Evaluation) -> Evaluation:
    """With truths that do not count."""
    own = ev.truth.instances
    return evaluate(replace(ev.truth, instances=replace(own, keypoints=np.zeros_like(own.keypoints), recorded=np.zeros(len(own), np.int64))), ev.predictions)


def alone() -> Evaluation:
    """One point of one body on one image."""
    truth = PoseDataset.from_arrays(schema=Schema(name="dot", keypoints=(Keypoint("dot", 0.1),)), name="one", image=[1], keypoints=[[[5.0, 5, 2]]], area=[90.0])
    return evaluate(truth, Predictions.from_arrays(schema=truth.schema, image=[1], keypoints=[[[6.0, 5, 0.5]]], score=[0.5]))


class Read(HTMLParser):
    """Tags with their attributes, and all text, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def text(self) -> str:
        return " ".join(self.words)
