"""What all tests share: a cache of their own, and the real files where POSE_REAL_DATA says they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from posedata import PoseDataset, load_schema
from tests.browser import chromium, lacking

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
hypothesis.settings.register_profile("normal", max_examples=60, deadline=None, derandomize=True)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("POSE_HYPOTHESIS", "normal"))

REAL_COCO = {
    "coco_1": "coco_1/gt.json",
    "coco_4": "coco_4/gt.json",
    "crowdpose_example": "crowdpose_example/gt.json",
    "crowdpose_sample": "crowdpose_sample/test_crowdpose.json",
    "ap10k_sample": "ap10k_sample/test_ap10k.json",
    "cmu_foot_sample": "cmu_foot_sample/person_keypoints_val2017_foot_v1.last7.json",
}


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for what is slow to make again, such as synthetic scenes."""
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing in a test reads or fills the user's cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("POSEBENCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium for the tests of one file (tests/browser.py); without one they skip."""
    if missing := lacking():
        pytest.skip(missing)
    with chromium() as opened:
        yield opened


@pytest.fixture
def real() -> Path:
    """The folder of real sample files; tests that need it skip without."""
    folder = os.environ.get("POSE_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("POSE_REAL_DATA names no folder of real sample files")
    return Path(folder)


def poses(schema: str = "coco17", n: int = 5, images: int = 3, seed: int = 0) -> PoseDataset:
    """A small made dataset: some points unlabelled, some hidden, boxes and areas known, one image empty."""
    rng = np.random.default_rng(seed)
    k = len(load_schema(schema))
    v = rng.choice([0.0, 1.0, 2.0], (n, k, 1), p=[0.2, 0.2, 0.6])
    keypoints = np.concatenate([rng.uniform(0, 99, (n, k, 2)), v], -1) * (v > 0)
    return PoseDataset.from_arrays(
        schema=schema,
        name="made",
        image=rng.integers(1, images + 1, n),
        keypoints=keypoints,
        bbox=rng.uniform(1, 50, (n, 4)),
        area=rng.uniform(100, 2000, n),
        images={
            "id": np.arange(1, images + 2),
            "file": [f"{i}.png" for i in range(1, images + 2)],
            "width": np.full(images + 1, 100),
            "height": np.full(images + 1, 100),
        },
    )
