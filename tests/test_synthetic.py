"""The built-in sets: the same for everybody, whole or not at all, and true to their own pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from posedata import DataError, PoseDataset, concat, synthesize
from posedata.formats.masks import mask_area
from posedata.synthetic.build import SHARD, SPLITS, crowd_index, mask_box

ROOT = Path(__file__).parents[1]


@pytest.fixture
def drawn(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scenes drawn once for all tests of this file."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    return drawn_once


@pytest.mark.parametrize(("config", "schema"), [("quadruped", "ap10k17"), ("person", "coco_foot23")])
def test_a_set_has_what_a_real_one_has(drawn: Path, config: str, schema: str) -> None:
    ds = synthesize(config, "train", 48, workers=1)
    own = ds.instances
    assert (len(ds.images), ds.schema.name) == (48, schema)
    assert set(ds.images.meta) == {"background", "crowd_index"}
    assert {"species", "coat"} <= set(own.meta)
    assert set(np.unique(own.keypoints[..., 2])) == {0, 1, 2}
    assert (own.area > 0).all() and (own.bbox[:, 2:] >= 1).all()
    assert (ds.images.meta["crowd_index"] <= 1).all() and (ds.images.meta["crowd_index"] > 0).any()
    assert (own.keypoints[..., 2] == 0).sum() == ds.outside.sum(), "unlabelled points are those outside the frame"
    assert ds[0].image.size == (ds.images.width[0], ds.images.height[0])
    assert (own.keypoints == np.round(own.keypoints, 2)).all()


def test_boxes_and_areas_are_those_of_the_masks(drawn: Path) -> None:
    ds = synthesize("person", "train", 16, workers=1)
    for annotation, area in zip(json.loads(ds.to_coco())["annotations"], ds.instances.area, strict=True):
        assert mask_area(annotation["segmentation"], 0, 0) == area == annotation["area"]


def test_a_larger_number_begins_with_the_smaller_ones_scenes(drawn: Path) -> None:
    small, large = synthesize("quadruped", "val", 5, workers=1), synthesize("quadruped", "val", SHARD + 3, workers=1)
    assert large.take_images(np.arange(5)).to_coco() == small.to_coco().replace(b"quadruped val", b"quadruped val")
    assert len(large.images) == SHARD + 3


def test_a_damaged_shard_is_drawn_again(own_cache: Path) -> None:
    first = synthesize("quadruped", "val", 3, size=64, workers=1).to_coco()
    for name in ("header", "columns.bin"):
        for damage in (lambda p: p.write_bytes(b""), lambda p: p.unlink()):
            damage(next(own_cache.glob(f"synthetic/*/*/*/{name}")))
            assert synthesize("quadruped", "val", 3, size=64, workers=1).to_coco() == first


def test_splits_differ_and_can_be_joined(drawn: Path) -> None:
    parts = [synthesize("quadruped", split, 8, workers=1) for split in SPLITS]
    joined = concat(parts)
    assert len(joined.images) == 24
    assert len({p.instances.keypoints.tobytes() for p in parts}) == 3


def test_people_convert_to_crowdpose_and_coco(drawn: Path) -> None:
    people = synthesize("person", "val", 8, workers=1)
    for name, count in (("crowdpose14", 12), ("coco17", 17)):
        assert people.as_schema(name).instances.annotated[0].sum() == count


def test_two_processes_draw_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    code = "import posedata, hashlib; ds = posedata.synthesize('person', 'test', 3, size=96, workers=1); print(hashlib.sha256(ds.to_coco()).hexdigest(), hashlib.sha256(ds[0].image.tobytes()).hexdigest())"

    def run(folder: Path, hashing: str) -> str:
        env = {**os.environ, "POSEBENCH_CACHE": str(folder), "PYTHONHASHSEED": hashing}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, cwd=ROOT).stdout

    assert run(tmp_path / "a", "1") == run(tmp_path / "b", "2")


@pytest.mark.slow
def test_several_processes_draw_what_one_draws_whatever_the_callers_program_is(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import posedata, sys\nds = posedata.synthesize('quadruped', 'train', 130, size=64, workers=int(sys.argv[1]))\nsys.stdout.buffer.write(ds.to_coco())\n"
    )

    def run(workers: str) -> bytes:
        env = {**os.environ, "POSEBENCH_CACHE": str(tmp_path / workers), "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-W", "error", str(script), workers], capture_output=True, check=True, env=env, cwd=tmp_path).stdout

    assert run("3") == run("1")


@pytest.mark.slow
def test_a_drawing_cut_short_is_resumed(tmp_path: Path) -> None:
    env = {**os.environ, "POSEBENCH_CACHE": str(tmp_path)}
    code = "import posedata; posedata.synthesize('quadruped', 'train', 400, size=64, workers=2)"
    process = subprocess.Popen([sys.executable, "-c", code], env=env, cwd=ROOT, stderr=subprocess.DEVNULL)
    folder = tmp_path / "synthetic"
    while process.poll() is None and not list(folder.glob("*/*/0*")):
        pass
    process.kill()
    process.wait()
    os.environ["POSEBENCH_CACHE"] = str(tmp_path)
    assert len(synthesize("quadruped", "train", 100, size=64, workers=1).images) == 100


def test_crowding_is_the_share_of_other_peoples_points_in_a_box() -> None:
    two = np.zeros((2, 2, 3))
    two[0], two[1] = [[1, 1, 2], [2, 2, 2]], [[3, 3, 2], [30, 30, 2]]
    boxes = np.array([[0, 0, 5, 5], [3, 3, 30, 30]], float)
    assert crowd_index(two, boxes) == 0.25  # one of the other's points against two of one's own, and none against two
    assert crowd_index(two[:1], boxes[:1]) == 0


def test_a_box_counts_edges() -> None:
    mask = np.zeros((9, 9), bool)
    mask[3, 7] = True
    assert mask_box(mask) == (7, 3, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cat",), "no configuration 'cat'; "),
        (("person", "validation"), "no split 'validation'; did you mean 'val'?"),
        (("person", "val", -1), "synthetic: n: -1; a whole number from 0"),
    ],
)
def test_odd_arguments_are_one_line(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(DataError) as error:
        synthesize(*arguments)  # type: ignore[arg-type]
    assert words in str(error.value)


def test_no_scenes_are_a_set_too(drawn: Path) -> None:
    assert isinstance(synthesize("person", "val", 0), PoseDataset)
