"""torch Datasets: the same numbers, where the pixels are."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402  # after the skip

from posedata import Collector, Keypoint, PoseDataset, Schema  # noqa: E402
from posedata.errors import DataError  # noqa: E402
from posedata.formats.torch import collate, heatmaps, to_torch  # noqa: E402

SCHEMA = Schema(name="three", keypoints=(Keypoint("left_eye", 0.03), Keypoint("right_eye", 0.03), Keypoint("nose", 0.03)))
SIZES = [(40, 30), (20, 50), (16, 16)]  # width, height


@pytest.fixture(autouse=True)
def opener(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for posedata.images as long as there is none."""
    if importlib.util.find_spec("posedata.images") is None:
        stand_in: Any = ModuleType("posedata.images")
        stand_in.open_image = lambda images, row: Image.open(Path(images.folder[row]) / images.file[row]).convert("RGB")
        monkeypatch.setitem(sys.modules, "posedata.images", stand_in)


@pytest.fixture
def ds(tmp_path: Path) -> PoseDataset:
    """Three images, the last without poses; the first pose has a seen, a hidden and an unlabelled point, each on a white pixel."""
    keypoints = np.array([[[7, 3, 2], [30, 20, 1], [5, 5, 0]], [[4, 44, 2], [0, 0, 2], [19, 49, 1]], [[0, 0, 0], [1, 1, 2], [2, 2, 2]]], float)
    for n, size in enumerate(SIZES):
        image = Image.new("RGB", size, (10 * n, 20, 30))
        for x, y, v in keypoints[n] if n < 2 else []:
            image.putpixel((int(x), int(y)), (255, 255, 255) if v else (1, 2, 3))
        image.save(tmp_path / f"{n}.png")
    images = {
        "id": ["p", "q", "r"], "file": ["0.png", "1.png", "2.png"], "folder": [str(tmp_path)] * 3,
        "width": [w for w, _ in SIZES], "height": [h for _, h in SIZES],
    }  # fmt: skip
    annotated = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1]], bool)
    return PoseDataset.from_arrays(
        schema=SCHEMA, image=["q", "p", "q"], keypoints=keypoints[[1, 0, 2]], images=images, annotated=annotated, id=[70, 80, 90],
        bbox=[[1, 2, 10, 20], [0, 0, 40, 30], [3, 3, 5, 5]], area=[200, np.nan, 12.5], crowd=[False, False, True], category=["cat", "dog", "dog"],
    )  # fmt: skip


def test_an_item_is_what_its_columns_say(ds: PoseDataset) -> None:
    item = ds.to_torch()[1]
    assert {name: (value.dtype, tuple(value.shape)) for name, value in item.items() if isinstance(value, torch.Tensor)} == {
        "image": (torch.uint8, (3, 30, 40)), "keypoints": (torch.float32, (3, 2)), "visibility": (torch.uint8, (3,)), "labelled": (torch.bool, (3,)),
        "bbox": (torch.float32, (4,)), "area": (torch.float32, ()), "category": (torch.int64, ()), "crowd": (torch.bool, ()),
    }  # fmt: skip
    assert item["keypoints"].tolist() == [[7, 3], [30, 20], [0, 0]]
    assert item["visibility"].tolist() == [2, 1, 0]
    assert item["labelled"].tolist() == [True, True, False]
    assert (item["id"], item["image_id"], int(item["category"]), bool(item["crowd"])) == (80, "p", 1, False)
    assert item["bbox"].tolist() == [0, 0, 40, 30]
    assert item["area"].isnan()


def test_the_pixel_under_a_point_is_the_pixel_drawn(ds: PoseDataset) -> None:
    for item in (ds.to_torch()[0], ds.to_torch()[1]):
        for (x, y), labelled in zip(item["keypoints"].int().tolist(), item["labelled"].tolist(), strict=True):
            assert not labelled or item["image"][:, y, x].tolist() == [255, 255, 255]


def test_points_stay_on_their_pixels_when_the_image_grows(ds: PoseDataset) -> None:
    item = ds.to_torch(size=(90, 120))[1]  # three times
    assert item["image"].shape == (3, 90, 120)
    assert item["keypoints"].tolist() == [[22, 10], [91, 61], [0, 0]]
    x, y = item["keypoints"][0].int().tolist()
    assert item["image"][0, y, x] == item["image"][0].max()
    assert item["bbox"].tolist() == [0, 0, 120, 90]
    assert ds.to_torch(size=(100, 40))[0]["area"] == 200 * 2 * 2


def test_relative_points_are_shares_of_the_image(ds: PoseDataset) -> None:
    item = ds.to_torch(relative=True)[1]
    assert np.allclose(item["keypoints"], [[7.5 / 40, 3.5 / 30], [30.5 / 40, 20.5 / 30], [0, 0]])
    assert item["bbox"].tolist() == [0, 0, 1, 1]
    assert ds.to_torch(relative=True)[0]["area"] == pytest.approx(0.2)
    assert torch.equal(item["keypoints"], ds.to_torch(relative=True, size=(7, 9))[1]["keypoints"])


def test_order_and_visibility_arrange_the_numbers_of_a_point(ds: PoseDataset) -> None:
    assert ds.to_torch(order="yx")[1]["keypoints"].tolist() == [[3, 7], [20, 30], [0, 0]]
    assert ds.to_torch(visibility=True)[1]["keypoints"].tolist() == [[7, 3, 2], [30, 20, 1], [0, 0, 0]]
    assert ds.to_torch(visibility=True, order="yx")[1]["keypoints"].tolist() == [[3, 7, 2], [20, 30, 1], [0, 0, 0]]


def test_points_the_source_lacks_are_not_labelled(ds: PoseDataset) -> None:
    item = ds.to_torch(heatmap=(8, 8))[2]
    assert item["labelled"].tolist() == [False, True, True]
    assert item["visibility"].tolist() == [0, 2, 2]
    assert not item["heatmap"][0].any()


def test_heatmaps_have_signed_peaks_where_the_points_are(ds: PoseDataset) -> None:
    maps = ds.to_torch(heatmap=(30, 40), visibility=True)[1]["heatmap"]
    assert maps.shape == (3, 30, 40)
    assert maps.dtype == torch.float32
    assert (maps[0, 3, 7], maps[1, 20, 30]) == (1, -1)
    assert (maps[0] >= 0).all()
    assert (maps[1] <= 0).all()
    assert not maps[2].any()
    assert (ds.to_torch(heatmap=(30, 40))[1]["heatmap"] >= 0).all()
    assert maps[0, 3, 9] == pytest.approx(np.exp(-0.5))
    assert ds.to_torch(heatmap=(30, 40), heatmap_sigma=1)[1]["heatmap"][0, 3, 9] == pytest.approx(np.exp(-2))


@settings(deadline=None, max_examples=40)
@given(x=st.floats(0, 39), y=st.floats(0, 29), h=st.integers(8, 64), w=st.integers(8, 64), sigma=st.floats(1, 3))
def test_the_middle_of_a_heatmap_is_the_point_itself(x: float, y: float, h: int, w: int, sigma: float) -> None:
    """Unrounded: between the cells a parabola through the logarithms finds the very place."""
    at = np.array([[(x + 0.5) * w / 40 - 0.5, (y + 0.5) * h / 30 - 0.5]])
    logs = np.log(heatmaps(at, (h, w), sigma)[0].clip(1e-300))
    row, column = np.unravel_index(logs[1:-1, 1:-1].argmax(), (h - 2, w - 2))
    for axis, place, line in ((0, column + 1, logs[row + 1]), (1, row + 1, logs[:, column + 1])):
        a, b, c = line[place - 1 : place + 2]
        assert place + (a - c) / (2 * (a - 2 * b + c)) == pytest.approx(at[0, axis], abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(h=st.integers(1, 90), w=st.integers(1, 90))
def test_resizing_and_taking_shares_agree(h: int, w: int) -> None:
    from posedata.formats.torch import _moved, _shares

    xy = np.random.default_rng(0).uniform(-5, 50, (6, 2))
    assert np.allclose(_shares(_moved(xy, (30, 40), (h, w)), (h, w)), _shares(xy, (30, 40)))
    assert np.allclose(_moved(_moved(xy, (30, 40), (h, w)), (h, w), (30, 40)), xy)


def test_the_transform_has_the_last_word(ds: PoseDataset) -> None:
    assert ds.to_torch(transform=lambda item: {"id": item["id"]})[0] == {"id": 70}
    assert ds.to_torch("images", transform=lambda item: {"n": len(item["boxes"])})[1] == {"n": 2}


def test_an_image_holds_all_its_poses_as_torchvision_wants_them(ds: PoseDataset) -> None:
    items = list(ds.to_torch("images"))
    assert [item["image_id"] for item in items] == ["p", "q", "r"]
    item = items[1]
    assert item["boxes"].tolist() == [[1, 2, 11, 22], [3, 3, 8, 8]]
    assert item["labels"].tolist() == [1, 2]
    assert item["keypoints"].tolist() == [[[4, 44, 2], [0, 0, 2], [19, 49, 1]], [[0, 0, 0], [1, 1, 2], [2, 2, 2]]]
    assert item["iscrowd"].tolist() == [0, 1]
    assert item["area"].tolist() == [200, 12.5]
    assert {name: item[name].dtype for name in ("boxes", "labels", "keypoints", "area", "iscrowd")} == {
        "boxes": torch.float32, "labels": torch.int64, "keypoints": torch.float32, "area": torch.float32, "iscrowd": torch.int64,
    }  # fmt: skip
    empty = items[2]
    assert [tuple(empty[name].shape) for name in ("boxes", "labels", "keypoints", "area", "iscrowd")] == [(0, 4), (0,), (0, 3, 3), (0,), (0,)]


def test_targets_are_resized_with_their_image(ds: PoseDataset) -> None:
    item = ds.to_torch("images", size=(100, 40))[1]
    assert item["image"].shape == (3, 100, 40)
    assert item["boxes"].tolist() == [[2, 4, 22, 44], [6, 6, 16, 16]]
    assert item["keypoints"][0].tolist() == [[8.5, 88.5, 2], [0.5, 0.5, 2], [38.5, 98.5, 1]]
    assert item["keypoints"][1, 0].tolist() == [0, 0, 0]


def test_keypoint_rcnn_takes_a_batch_and_gives_losses(ds: PoseDataset) -> None:
    try:
        from torchvision.models.detection import keypointrcnn_resnet50_fpn
    except (ImportError, RuntimeError) as e:  # a wheel that does not fit its torch
        pytest.skip(f"torchvision cannot be used: {e}")
    model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3, num_keypoints=3, min_size=64, max_size=64).train()
    images, targets = collate(list(ds.to_torch("images"))[:2])
    losses = model([image / 255 for image in images], targets)
    assert "loss_keypoint" in losses
    assert all(loss.isfinite() for loss in losses.values())


def test_collate_stacks_nothing(ds: PoseDataset) -> None:
    images, targets = collate(list(ds.to_torch("images")))
    assert [tuple(i.shape) for i in images] == [(3, 30, 40), (3, 50, 20), (3, 16, 16)]
    assert [t["image_id"] for t in targets] == ["p", "q", "r"]
    assert all("image" not in t for t in targets)


def alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k].nan_to_num(-1), b[k].nan_to_num(-1)) if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a)


# From Python 3.12 on forking beside torch's threads warns; the workers touch none of them.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_give_the_same_items(ds: PoseDataset) -> None:
    for of, options in (("instances", {"heatmap": (8, 8), "size": (12, 10)}), ("images", {"size": (12, 10)})):
        items = to_torch(ds, of, **options)
        loaded = [item for batch in DataLoader(items, batch_size=2, num_workers=2, collate_fn=list) for item in batch]
        assert all(map(alike, loaded, [items[i] for i in range(len(items))]))
        assert len(loaded) == len(items) == 3
    batch = next(iter(DataLoader(ds.to_torch(size=(12, 10)), batch_size=3)))
    assert batch["image"].shape == (3, 3, 12, 10)
    assert batch["image_id"] == ["q", "p", "q"]


def test_items_survive_pickling(ds: PoseDataset) -> None:
    for of in ("instances", "images"):
        items = ds.to_torch(of)
        assert alike(pickle.loads(pickle.dumps(items))[0], items[0])  # noqa: S301  # our own bytes


def test_rows_count_from_both_ends_and_stop(ds: PoseDataset) -> None:
    items = ds.to_torch()
    assert items[-1]["id"] == 90
    assert len(list(items)) == 3
    with pytest.raises(IndexError, match="no item 3; there are 3"):
        items[3]


@pytest.mark.parametrize(
    ("of", "options", "words"),
    [
        ("instance", {}, r"to_torch: of='instance'; did you mean 'instances'\?"),
        ("instances", {"sizes": (1, 2)}, r"to_torch\(of='instances'\): no option 'sizes'; did you mean 'size'\?"),
        ("images", {"heatmap": (8, 8)}, r"to_torch\(of='images'\): no option 'heatmap'; it is for of='instances'"),
        ("instances", {"size": 8}, r"to_torch: size=8; two whole numbers, \(height, width\)"),
        ("instances", {"size": (0, 8)}, r"to_torch: size=\(0, 8\)"),
        ("instances", {"heatmap": (8.5, 8)}, r"to_torch: heatmap=\(8\.5, 8\)"),
        ("instances", {"order": "x"}, r"to_torch: order='x'; did you mean|to_torch: order='x'; known: xy, yx"),
        ("instances", {"relative": 1}, "to_torch: relative=1; True or False"),
        ("instances", {"heatmap_sigma": 0}, "to_torch: heatmap_sigma=0; a number of cells above 0"),
        ("instances", {"transform": 3}, "to_torch: transform=3; a function"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(ds: PoseDataset, of: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        ds.to_torch(of, **options)
    assert "\n" not in str(caught.value)


def test_poses_without_a_box_are_no_targets(ds: PoseDataset) -> None:
    bbox = ds.instances.bbox.copy()
    bbox[0], bbox[1, 2] = np.nan, 0
    without = replace(ds, instances=replace(ds.instances, bbox=bbox))
    with pytest.raises(DataError, match=r"2 instances without a box of positive size: 70, 80; give them one, or leave them out: ds\.take"):
        without.to_torch("images")
    assert without.to_torch()[0]["bbox"].isnan().all()
    kept = without.take((without.instances.bbox[:, 2:] > 0).all(1))  # as the message says
    assert len(kept.to_torch("images")[1]["boxes"]) == 1


def test_an_image_of_another_size_is_refused(ds: PoseDataset) -> None:
    other = replace(ds, images=replace(ds.images, width=ds.images.width + 1))
    with pytest.raises(DataError, match=r"0\.png: 40 x 30 pixels, where its record says 41 x 30"):
        other.to_torch()[1]
    unknown = replace(ds, images=replace(ds.images, width=np.zeros(3, int)))
    assert alike(unknown.to_torch()[1], ds.to_torch()[1])


def test_a_collector_takes_tensors_of_any_kind() -> None:
    collector = Collector("foot6")
    collector.add(1, torch.ones((2, 6, 3), dtype=torch.bfloat16, requires_grad=True), torch.tensor([0.5, 0.25], dtype=torch.float16))
    assert collector.predictions().score.tolist() == [0.5, 0.25]
