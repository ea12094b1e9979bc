"""Crops, their cache, and what augmentation makes of them: points stay on their pixels, and nothing depends on the batch."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import posedata
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

from baselines.augment import body_of, cropped, draw, uniforms, warped  # noqa: E402
from baselines.crops import boxes_of, crop_affine, cut, load_crops, to_crop, to_image, usable  # noqa: E402
from baselines.data import Loader, PlainLoader, order, parts_of  # noqa: E402
from baselines.recipes import Recipe  # noqa: E402

SIZE = (64, 48)
RECIPE = replace(Recipe(), width=SIZE[0], height=SIZE[1], batch=6, half_body=0.5, cutout=0.5, rotate_share=1.0, shift=0.2, hidden="same")


def dotted(folder: Path, n: int = 7, schema: str = "ap10k17", seed: int = 0) -> posedata.PoseDataset:
    """Grey pictures with a white dot of one pixel on each point, boxes around all."""
    rng, k = np.random.default_rng(seed), len(posedata.load_schema(schema))
    folder.mkdir(exist_ok=True)
    points = np.concatenate([rng.integers(30, 90, (n, k, 2)), rng.choice([0, 1, 2], (n, k, 1), p=[0.1, 0.3, 0.6])], -1).astype(float)
    for i in range(n):
        pixels = np.full((120, 130, 3), 40, np.uint8)
        x, y = points[i, :, :2].astype(int).T
        pixels[y, x] = 255
        Image.fromarray(pixels).save(folder / f"{i}.png")
    images = {"id": np.arange(n), "file": [f"{i}.png" for i in range(n)], "width": np.full(n, 130), "height": np.full(n, 120), "folder": [str(folder)] * n}
    return posedata.PoseDataset.from_arrays(
        schema=schema, image=np.arange(n), keypoints=points * (points[..., 2:] > 0), images=images, bbox=[[25.0, 25, 70, 70]] * n
    )


# -- geometry ------------------------------------------------------------------------------------------


def test_points_go_to_the_crop_and_back_exactly() -> None:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(1, 400, (50, 4))
    affine = crop_affine(boxes, SIZE, 1.25, (16, 12))
    points = np.concatenate([rng.uniform(-500, 500, (50, 9, 2)), rng.uniform(0, 1, (50, 9, 1))], -1)
    assert np.abs(to_image(to_crop(points, affine), affine) - points).max() < 1e-9


def test_a_box_of_the_inputs_shape_fills_the_crop_edge_to_edge() -> None:
    affine = crop_affine(np.array([[10.0, 20, 128, 96]]), SIZE, 1.0)
    corners = to_image(np.array([[[-0.5, -0.5], [63.5, 47.5]]]), affine)[0]  # outer corners of the first and last pixel, in pixel centres
    assert np.allclose(corners + 0.5, [[10, 20], [138, 116]])


def test_a_crop_of_the_pictures_own_scale_is_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    affine = crop_affine(np.array([[0.0, 0, 64, 48]]), SIZE, 1.0)
    assert np.array_equal(cut(Image.fromarray(picture), affine[0], SIZE), picture)
    beyond = cut(Image.fromarray(picture), crop_affine(np.array([[-32.0, 0, 64, 48]]), SIZE, 1.0)[0], SIZE)
    assert not beyond[:, :31].any() and np.array_equal(beyond[:, 32:], picture[:, :32])


def test_the_middle_of_a_crop_with_margin_is_the_crop_without(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures")
    wide, plain = load_crops(ds, SIZE), load_crops(ds, SIZE, context=1.0)
    (x, y), inner = wide.margin, wide.pixels
    assert np.array_equal(inner[:, y:-y, x:-x], plain.pixels)
    assert np.abs(wide.points[..., :2] - plain.points[..., :2] - [x, y]).max() < 1e-9
    assert np.abs(to_image(plain.points, plain.affine) - ds.instances.keypoints[plain.rows]).max() < 1e-9


def test_who_can_be_learned_from(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures", 6)
    own = ds.instances
    keypoints, boxes, crowd = own.keypoints.copy(), own.bbox.copy(), own.crowd.copy()
    keypoints[0] = 0  # nothing labelled
    boxes[1] = np.nan  # its points' extent will do
    boxes[2] = [0, 0, 0, 5]
    crowd[3] = True
    keypoints[4, 1:], boxes[4] = 0, np.nan  # one point has no extent
    keypoints[4, 0] = [50, 50, 2]
    odd = replace(ds, instances=replace(own, keypoints=keypoints, bbox=boxes, crowd=crowd))
    assert usable(odd).tolist() == [1, 2, 5]
    assert np.array_equal(boxes_of(odd)[1], odd.instances.extent()[1]) and np.isnan(boxes_of(odd)[4]).all()
    with pytest.raises(PoseError, match="nothing can be learned from it"):
        load_crops(odd.take([0, 3, 4]), SIZE)


# -- the cache -----------------------------------------------------------------------------------------


def test_the_cache_is_used_again_until_a_picture_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = dotted(tmp_path / "pictures")
    first = load_crops(ds, SIZE).pixels.copy()
    with monkeypatch.context() as patched:
        patched.setattr("baselines.crops.cut", lambda *a: pytest.fail("cut again"))
        assert np.array_equal(load_crops(ds, SIZE).pixels, first)
    Image.new("RGB", (130, 120), (9, 99, 9)).save(tmp_path / "pictures" / "3.png")
    again = load_crops(ds, SIZE).pixels
    assert again[3].max() == 99 and np.array_equal(again[4], first[4])


def test_missing_pictures_are_all_named_before_anything_is_cut(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures")
    for i in (2, 5):
        (tmp_path / "pictures" / f"{i}.png").unlink()
    with pytest.raises(PoseError) as e:
        load_crops(ds, SIZE)
    assert "2.png" in str(e.value) and "5.png" in str(e.value) and "\n" not in str(e.value)


def test_a_broken_picture_or_one_of_another_size_is_one_line_and_leaves_no_cache(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures")
    (tmp_path / "pictures" / "4.png").write_bytes((tmp_path / "pictures" / "4.png").read_bytes()[:60])
    with pytest.raises(PoseError, match=r"4\.png: cannot be decoded"):
        load_crops(ds, SIZE)
    Image.new("RGB", (131, 120)).save(tmp_path / "pictures" / "4.png")
    with pytest.raises(PoseError, match=r"4\.png: 131 x 120 pixels, where its record says 130 x 120"):
        load_crops(ds, SIZE)
    assert not list((tmp_path / "cache" / "crops").iterdir())


def test_a_full_disk_is_one_line_and_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(PoseError, match=r"crops of 0\.00 GB cannot be kept \(no space left on device.*POSEBENCH_CACHE=FOLDER"):
        load_crops(dotted(tmp_path / "pictures"), SIZE)
    assert not list((tmp_path / "cache" / "crops").iterdir())


def test_a_box_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures", 2)
    huge = replace(ds, instances=replace(ds.instances, bbox=[[0, 0, 1e7, 1e7], [0, 0, 50, 50]]))
    with pytest.raises(PoseError, match="pixels around one box"):
        load_crops(huge, SIZE)


# -- augmentation --------------------------------------------------------------------------------------


def test_numbers_are_uniform_and_belong_to_seed_epoch_and_crop_alone() -> None:
    rows = torch.arange(5000)
    u = uniforms(3, 7, rows, 20)
    assert u.min() >= 0 and u.max() < 1
    assert (u.mean(0) - 0.5).abs().max() < 0.02 and (u.std(0) - 12**-0.5).abs().max() < 0.01
    assert torch.corrcoef(u.T).fill_diagonal_(0).abs().max() < 0.06
    assert torch.equal(uniforms(3, 7, torch.tensor([42, 7]), 20), u[[42, 7]])
    for other in (uniforms(4, 7, rows, 20), uniforms(3, 8, rows, 20)):
        assert torch.corrcoef(torch.stack([other.flatten(), u.flatten()]))[0, 1].abs() < 0.01


def test_points_stay_on_their_pixels_through_every_change(tmp_path: Path) -> None:
    crops = load_crops(dotted(tmp_path / "pictures"), SIZE)
    loader = Loader(crops, replace(RECIPE, colour=0.0, cutout=0.0), torch.device("cpu"))
    found = 0
    for epoch in range(4):
        batch = loader.batch(torch.arange(len(crops)), epoch)
        for image, points, v in zip(batch.images, batch.points, batch.v, strict=True):
            for x, y in points[v > 0].tolist():
                near = image[0, max(round(y) - 2, 0) : round(y) + 3, max(round(x) - 2, 0) : round(x) + 3]
                assert near.max() > 43, "no trace of the dot"  # thinned by two resamplings, but brighter than the ground
                found += 1
    assert found > 150


def test_a_flip_exchanges_sides_and_a_schema_without_pairs_is_never_flipped() -> None:
    schema = posedata.load_schema("ap10k17")
    body, rows = body_of(schema), torch.arange(64)
    points, v = torch.rand(64, 17, 2) * 60 + 10, torch.full((64, 17), 2.0)
    still = replace(RECIPE, flip=1.0, rotate_share=0.0, scale=(1, 1), shift=0.0, half_body=0.0)
    changes = draw(still, 0, rows, points, v > 0, body, (16, 12))
    moved, _ = cropped(points, v, changes, body)
    assert changes.flip.all()
    assert torch.allclose(moved[:, schema.index("left_eye"), 0], SIZE[0] - 1 - (points[:, schema.index("right_eye"), 0] - 16), atol=1e-4)
    assert not draw(still, 0, rows, points, v > 0, body._replace(pairs=False), (16, 12)).flip.any()


def test_an_unchanged_crop_is_the_crop(tmp_path: Path) -> None:
    crops = load_crops(dotted(tmp_path / "pictures"), SIZE)
    still = replace(RECIPE, flip=0.0, rotate_share=0.0, scale=(1, 1), shift=0.0, half_body=0.0, colour=0.0, cutout=0.0)
    loader, rows = Loader(crops, still, torch.device("cpu")), torch.arange(4)
    a, b = loader.batch(rows, 0), loader.plain(rows)
    assert (a.images - b.images).abs().max() < 1e-2 and (a.points - b.points).abs().max() < 1e-4 and torch.equal(a.v, b.v)


def test_half_a_body_is_looked_at_closer(tmp_path: Path) -> None:
    crops = load_crops(dotted(tmp_path / "pictures"), SIZE)
    loader = Loader(crops, replace(RECIPE, half_body=1.0, scale=(1, 1), rotate_share=0.0), torch.device("cpu"))
    rows = torch.arange(len(crops))
    halves = draw(loader.recipe, 0, rows, loader.points, loader.v > 0, loader.body, crops.margin)
    whole = draw(replace(loader.recipe, half_body=0.0), 0, rows, loader.points, loader.v > 0, loader.body, crops.margin)
    assert (torch.linalg.det(halves.affine[..., :2]).abs() != torch.linalg.det(whole.affine[..., :2]).abs()).any()
    few = draw(loader.recipe, 0, rows, loader.points, torch.zeros_like(loader.v, dtype=torch.bool), loader.body, crops.margin)
    assert torch.equal(few.affine, whole.affine) and torch.isfinite(few.affine).all()


def test_pixels_are_taken_where_the_map_says() -> None:
    pixels = torch.arange(6 * 8 * 3, dtype=torch.uint8).reshape(1, 6, 8, 3)
    shifted = warped(pixels, torch.tensor([[[1.0, 0, 2], [0, 1, 1]]]), (4, 3))
    assert torch.allclose(shifted[0].permute(1, 2, 0), pixels[0, 1:4, 2:6].float(), atol=1e-3)


# -- loaders -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
def test_the_plain_loader_and_the_device_give_the_same_tensors(tmp_path: Path, workers: int) -> None:
    recipe = replace(RECIPE, accumulate=2)
    crops = load_crops(dotted(tmp_path / "pictures", 14), SIZE)
    fast, plain = Loader(crops, recipe, torch.device("cpu")), PlainLoader(crops, recipe, torch.device("cpu"), workers)
    pairs = list(zip(fast.epoch(3), plain.epoch(3), strict=True))
    assert len(pairs) == 2 and all(len(parts) == 2 for parts, _ in pairs)
    for several, others in pairs:
        for a, b in zip(several, others, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(fast.batch(torch.tensor([0]), 3).images, fast.batch(torch.tensor([0]), 4).images), "every epoch sees another crop"


def test_a_users_transform_comes_before_augmentation(tmp_path: Path) -> None:
    crops = load_crops(dotted(tmp_path / "pictures"), SIZE)
    dark = PlainLoader(crops, RECIPE, torch.device("cpu"), transform=lambda item: item | {"image": item["image"] * 0})
    assert dark.batch(torch.tensor([1]), 0).images.max() <= 127  # a painted hole is grey
    bad = PlainLoader(crops, RECIPE, torch.device("cpu"), transform=lambda item: item["image"])  # type: ignore[return-value]
    with pytest.raises(PoseError, match="give back image, points and v of the same shapes"):
        bad.batch(torch.tensor([1]), 0)


def test_two_processes_see_what_one_sees_in_twice_as_many_parts() -> None:
    one = list(parts_of(50, replace(RECIPE, batch=12, accumulate=4), 1))
    two = [list(parts_of(50, replace(RECIPE, batch=12, accumulate=2), 1, rank=r, world=2)) for r in (0, 1)]
    assert len(one) == 4 and sorted(torch.cat([p for parts in one for p in parts]).tolist()) == sorted(order(50, 0, 1)[:48].tolist())
    for step, parts in enumerate(one):
        assert all(torch.equal(parts[a * 2 + r], two[r][step][a]) for a in (0, 1) for r in (0, 1))
    assert all(
        torch.equal(a, b)
        for x, y in zip(one[2:], parts_of(50, replace(RECIPE, batch=12, accumulate=4), 1, start=2), strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_points_that_are_not_annotated_stay_so_through_a_flip(tmp_path: Path) -> None:
    ds = dotted(tmp_path / "pictures", 4)
    left, right = ds.schema.index("left_eye"), ds.schema.index("right_eye")
    known, keypoints = ds.instances.annotated.copy(), ds.instances.keypoints.copy()
    known[:, left], keypoints[:, left] = False, 0
    crops = load_crops(replace(ds, instances=replace(ds.instances, annotated=known, keypoints=keypoints)), SIZE)
    batch = Loader(crops, replace(RECIPE, flip=1.0), torch.device("cpu")).batch(torch.arange(4), 0)
    assert not batch.annotated[:, right].any() and batch.annotated[:, left].all() and not batch.v[:, right].any()
