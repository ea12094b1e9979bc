"""Keypoints count pixel centres, boxes and masks count edges, and flips keep both in step with the pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from posedata import PoseDataset, load_schema
from posedata.flips import flip_boxes, flip_dataset, flip_points
from posedata.formats.akd import parse_akd
from posedata.formats.coco import parse_coco
from posedata.formats.masks import mask_area
from posedata.formats.rle import encode_mask, runs_of
from posedata.images import draw_pose
from posedata.synthetic.build import mask_box
from tests.conftest import poses


def test_a_dot_drawn_in_pixel_seven_is_at_seven_with_the_box_from_seven_to_eight() -> None:
    picture = np.zeros((5, 20), bool)
    picture[2, 7] = True
    x = float(np.average(np.arange(20), weights=picture.sum(0)))
    assert x == 7.0
    assert mask_box(picture) == (7.0, 2.0, 1.0, 1.0)
    assert mask_area([[7, 2, 8, 2, 8, 3, 7, 3]], 5, 20) == 1
    inside = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[[[7, 2, 2]] * 6]).instances.extent()[0]
    assert inside.tolist() == [7.5, 2.5, 0, 0]  # the centre of the pixel, in edge coordinates


def test_a_point_drawn_on_a_picture_is_centred_where_it_says() -> None:
    schema = load_schema("foot6")
    points = np.zeros((1, 6, 3))
    points[0, 0] = (20, 12, 2)
    known = np.zeros((1, 6), bool)
    known[0, 0] = True
    drawn = np.asarray(draw_pose(Image.new("RGB", (41, 25), "white"), schema, points, known, width=9)).astype(float)
    dark = (255 - drawn).sum(2)
    rows, columns = np.indices(dark.shape)
    assert (columns * dark).sum() / dark.sum() == pytest.approx(20, abs=0.05)
    assert (rows * dark).sum() / dark.sum() == pytest.approx(12, abs=0.05)


@given(st.integers(1, 500), st.integers(0, 9))
def test_flipping_twice_is_doing_nothing(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    schema = load_schema("coco17")
    points, boxes = rng.integers(0, 400, (4, 17, 3)) / 4.0, rng.integers(0, 400, (4, 4)) / 4.0
    assert np.array_equal(flip_points(flip_points(points, schema, width), schema, width), points)
    assert np.array_equal(flip_boxes(flip_boxes(boxes, width), width), boxes)


def test_flips_of_points_and_boxes_agree_with_the_picture_flipped_as_pixels() -> None:
    rng = np.random.default_rng(3)
    schema = load_schema("foot6")
    for width in (10, 11, 64):
        places = np.stack([rng.permutation(width)[:6], rng.integers(0, 9, 6)], 1)
        picture = np.zeros((9, width), int)
        picture[places[:, 1], places[:, 0]] = np.arange(1, 7)
        points = np.concatenate([places, np.full((6, 1), 2)], 1).astype(float)[None]
        flipped = flip_points(points, schema, width)[0]
        turned = picture[:, ::-1]
        for row, name in enumerate(schema.mirror):
            x, y, _ = flipped[row].astype(int)
            assert turned[y, x] == name + 1
        box = np.array([mask_box(picture > 0)])
        assert flip_boxes(box, width)[0].tolist() == list(mask_box(turned > 0))


def test_unlabelled_points_stay_nothing_in_a_flip() -> None:
    ds = poses()
    flipped = flip_dataset(ds)
    gone = ~ds.instances.labelled[:, ds.schema.mirror]
    assert not flipped.instances.keypoints[gone].any()
    assert np.array_equal(flip_dataset(flipped).instances.labelled, ds.instances.labelled)
    np.testing.assert_allclose(flip_dataset(flipped).instances.keypoints, ds.instances.keypoints)
    np.testing.assert_allclose(flip_dataset(flipped).instances.bbox, ds.instances.bbox)


def test_points_that_say_nothing_say_nothing_in_a_mirror_and_the_last_column_comes_back() -> None:
    points = np.array([[[-1, -1, 0], [0, 0, 0], [99, 0, 0], [99, 0, 2], [-7, 3, 0], [5, 5, 1]]], float)
    ds = PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=points, images={"id": [1], "file": ["a"], "width": [100], "height": [50]})
    flipped = flip_dataset(ds)
    assert flipped.counts()["points outside their frame"] == ds.counts()["points outside their frame"] == 1
    assert np.array_equal(flip_dataset(flipped).instances.keypoints, points)


def test_a_flip_drops_masks_and_nothing_else() -> None:
    note = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6]], "mood": "calm", "bbox": [1, 1, 2, 2]}
    file = {"images": [{"id": 1, "file_name": "a", "width": 9, "height": 9}], "annotations": [note], "categories": [{"id": 1, "name": "x"}]}
    written = json.loads(flip_dataset(parse_coco(json.dumps(file).encode())).to_coco())["annotations"][0]
    assert written == {k: v for k, v in note.items() if k != "segmentation"} | {"bbox": [6, 1, 2, 2]}


def test_shares_of_an_image_count_its_edges() -> None:
    names = load_schema("akd16").names
    data = {"info": "", "images": {"0": {"file_name": "a.jpg", "width": 100, "height": 50}}, "keypoints": {"0": {n: [0.505, 0.01, 1] for n in names}}}
    ds = parse_akd(json.dumps(data).encode())
    assert ds.instances.keypoints[0, 0].tolist() == [50.0, 0.0, 2]


def test_the_real_cats_lie_on_their_pictures(real: Path) -> None:
    from posedata import read_akd

    ds = read_akd(real / "technumber_cats/train/keypoints_annotations.json")
    assert (len(ds), len(ds.images)) == (138, 138)
    outside = ds.outside.any(1)
    assert np.flatnonzero(outside).tolist() == [137]  # the known garbage entry, every point of it
    assert ds.outside[137].all()
    assert int((ds.instances.keypoints[..., 2] == 1).sum()) == 638
    assert ds[5].image.size == (ds.images.width[5], ds.images.height[5])


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**31))
def test_masks_are_written_as_pycocotools_writes_them(height: int, width: int, share: float, seed: int) -> None:
    from pycocotools import mask as coco_mask

    mask = np.random.default_rng(seed).random((height, width)) < share
    mask[height // 3 :, width // 2 :] ^= True  # runs longer than a digit holds
    theirs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    ours = encode_mask(mask)
    assert ours == {"size": [height, width], "counts": theirs["counts"].decode()}
    assert sum(runs_of(ours["counts"])[1::2]) == mask.sum()
