"""COCO files in and out: nothing lost, nothing added, compared to the original JSON and not to ourselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posedata import SCHEMAS, FormatError, PoseDataset, concat, load_schema, read_coco
from posedata.formats import cache
from posedata.formats.coco import parse_coco
from tests.conftest import REAL_COCO, poses

PERSON = {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(load_schema("coco17").names), "skeleton": [[16, 14], [14, 12]]}


def everything() -> dict[str, Any]:
    """A legal file with every oddity we know."""
    points = [0, 0, 0] * 2 + [10.25, 20.125, 1] + [30, 40, 2] * 14
    return {
        "licenses": [{"id": 1, "url": "http://x/"}],
        "info": {"year": 2017, "deep": {"list": [1, 2.50, None, True, "é"]}},
        "images": [
            {"id": 0, "file_name": "zero.jpg", "width": 640, "height": 480, "crowdIndex": 0.76, "license": 1},
            {"file_name": 'Кошка "x" \' .jpg', "id": 7, "height": 1, "width": 1, "extra": {"nested": [1]}},
            {"id": 8, "file_name": "../up.jpg"},
            {"id": 0, "file_name": "zero.jpg", "width": 640, "height": 480, "crowdIndex": 0.76, "license": 1},
            {"id": 9, "file_name": "alone.jpg", "width": 5, "height": 5, "crowdIndex": 1},
        ],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 1,
                "keypoints": points,
                "num_keypoints": 3,
                "area": 12.5,
                "bbox": [1, 2, 3.5, 4],
                "iscrowd": 0,
                "segmentation": [[1, 2, 3, 4, 5, 6.5]],
            },
            {
                "iscrowd": 1,
                "id": 1731118.0,
                "image_id": 7,
                "category_id": 1,
                "segmentation": {"counts": [1, 2, 3], "size": [2, 3]},
                "bbox": [0, 0, 1, 1],
                "area": 6,
            },
            {
                "id": 3,
                "image_id": 7,
                "category_id": 1,
                "segmentation": {"counts": "abc\\u00e9", "size": [2, 3]},
                "keypoints": [0, 0, 0] * 17,
                "num_keypoints": 0,
                "ignore": 1,
            },
            {"id": 4, "image_id": 8, "category_id": 2, "bbox": [0, 0, 2, 2], "attributes": {"occluded": False}, "note": None},
            {"id": 5, "image_id": 8, "category_id": 1, "keypoints": [], "segmentation": [1, 2, 3, 4, 5, 6]},
            {"id": -6, "image_id": 8, "category_id": 1, "keypoints": points, "species": "human", "track_id": 4},
        ],
        "categories": [PERSON, {"id": 2, "name": "car", "colour": "red"}],
        "my_own": [1, {"a": "b"}],
    }


def there_and_back(original: Any, **settings: Any) -> Any:
    return json.loads(parse_coco(json.dumps(original, ensure_ascii=False).encode(), **settings).to_coco())


def key_orders(value: Any) -> Any:
    """The same nesting with only the order of keys left."""
    if isinstance(value, dict):
        return [(k, key_orders(v)) for k, v in value.items()]
    return [key_orders(v) for v in value] if isinstance(value, list) else None


@pytest.mark.parametrize("name", REAL_COCO)
def test_real_files_survive_in_every_value_and_in_the_order_of_their_keys(real: Path, name: str, tmp_path: Path) -> None:
    original = json.loads((real / REAL_COCO[name]).read_text())
    read_coco(real / REAL_COCO[name]).to_coco(tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())
    assert written == original
    assert key_orders(written) == key_orders(original)
    assert read_coco(tmp_path / "out.json").to_coco() == (tmp_path / "out.json").read_bytes()


def test_a_made_file_with_every_oddity_survives() -> None:
    original = everything()
    written = there_and_back(original)
    assert written == original
    assert key_orders(written) == key_orders(original)


def test_what_the_columns_hold_of_it() -> None:
    ds = parse_coco(json.dumps(everything()).encode())
    own = ds.instances
    assert ds.images.id.tolist() == [0, 7, 8, 9]
    assert own.id.tolist() == [0, 1731118, 3, 4, 5, -6]
    assert own.recorded.tolist() == [3, -1, 0, -1, -1, -1]
    assert own.crowd.tolist() == [False, True, False, False, False, False]
    assert own.ignore.tolist() == [False, False, True, False, False, False]
    assert own.annotated.any(1).tolist() == [True, True, True, False, True, True]
    assert own.keypoints[0, 2].tolist() == [10.25, 20.125, 1]
    assert np.isnan(own.area).tolist() == [False, False, True, True, True, True]
    np.testing.assert_equal(ds.images.meta["crowd_index"], [0.76, np.nan, np.nan, 1])
    assert own.meta["species"].tolist() == ["", "", "", "", "", "human"]
    assert ds.counts()["images without instances"] == 1


def test_a_subset_writes_only_its_own_rows() -> None:
    ds = parse_coco(json.dumps(everything()).encode()).where(image_id=[7, 9])
    original = everything()
    written = json.loads(ds.to_coco())
    assert written["images"] == [original["images"][1], original["images"][4]]
    assert written["annotations"] == original["annotations"][1:3]
    assert written["categories"] == original["categories"]


def test_a_meta_key_that_is_no_column_throughout_stays_text() -> None:
    original = everything()
    original["annotations"][0]["species"] = 3
    written = there_and_back(original)
    assert written == original
    assert "species" not in parse_coco(json.dumps(original).encode()).instances.meta


def test_meta_keys_can_be_asked_for() -> None:
    original = everything()
    original["annotations"][0]["weather"] = "rain"
    ds = parse_coco(json.dumps(original).encode(), meta=["weather"])
    assert ds.instances.meta["weather"].tolist() == ["rain", "", "", "", "", ""]
    assert json.loads(ds.to_coco()) == original


def test_text_ids_stay_text() -> None:
    original = {
        "images": [{"id": "a", "file_name": "a.jpg"}],
        "annotations": [{"id": "x", "image_id": "a", "category_id": "person", "bbox": [0, 0, 1, 1]}],
        "categories": [{**PERSON, "id": "person"}],
    }
    assert there_and_back(original) == original


def test_categories_with_different_points_read_as_their_union() -> None:
    feet, crowd = load_schema("foot6"), load_schema("ap10k17")
    original = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2] * 6},
            {"id": 2, "image_id": 1, "category_id": 2, "keypoints": [7, 8, 1] * 17},
        ],
        "categories": [{"id": 1, "name": "feet", "keypoints": list(feet.names)}, {"id": 2, "name": "cat", "keypoints": list(crowd.names[::-1])}],
    }
    ds = parse_coco(json.dumps(original).encode())
    assert ds.schema.name == "foot6+ap10k17"
    assert ds.instances.annotated.sum(1).tolist() == [6, 17]
    assert np.isnan(ds.sigmas).sum(1).tolist() == [17, 6]
    assert ds.sigmas[1, ds.schema.index("nose")] == 0.026
    assert json.loads(ds.to_coco()) == original


def test_one_name_in_two_categories_keeps_each_its_own_sigma() -> None:
    original = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [],
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(load_schema("coco17").names)},
            {"id": 2, "name": "cat", "keypoints": list(load_schema("ap10k17").names)},
        ],
    }
    ds = parse_coco(json.dumps(original).encode())
    elbow = ds.schema.index("left_hip")
    assert ds.sigmas[:, elbow].tolist() == [0.107, 0.107]
    assert ds.sigmas[:, ds.schema.index("neck")].tolist()[1] == 0.035
    assert np.isnan(ds.sigmas[0, ds.schema.index("neck")])


def test_an_unnamed_file_asks_for_its_schema_and_takes_it() -> None:
    original = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * 17}],
        "categories": [{"id": 1, "name": "person"}],
    }
    with pytest.raises(FormatError, match="give schema="):
        parse_coco(json.dumps(original).encode())
    assert json.loads(parse_coco(json.dumps(original).encode(), SCHEMAS["coco17"]).to_coco()) == original


def test_areas_learned_later_are_written() -> None:
    original = everything()
    original["annotations"] = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 4, 4], "segmentation": [[10, 10, 20, 10, 20, 30, 10, 30]]}]
    ds = parse_coco(json.dumps(original).encode()).with_mask_area()
    assert ds.instances.area.tolist() == [200]
    assert json.loads(ds.to_coco())["annotations"] == [{**original["annotations"][0], "area": 200}]
    assert ds.provenance.steps == ("area of 1 of 1 measured on masks",)


def test_sigmas_of_ones_own_come_back_with_their_schema() -> None:
    usual = SCHEMAS["coco17"]
    own = replace(usual, name="measured", keypoints=tuple(replace(k, sigma=(k.sigma or 0) * 2, sigma_source="measured") for k in usual.keypoints))
    drawn, theirs = poses("coco17", n=3), parse_coco(json.dumps(everything()).encode())
    for ds in (drawn, theirs):
        again = parse_coco(ds.as_schema(own).to_coco())
        assert again.schema == own and again.categories[0].sigmas is None
        assert parse_coco(again.as_schema(usual).to_coco()).schema == usual, "an earlier word of ours is not believed"
    assert json.loads(theirs.as_schema(own).to_coco())["info"].keys() >= everything()["info"].keys()


def test_a_schema_told_badly_is_a_fault_and_one_of_other_points_is_not_used() -> None:
    told: dict[str, Any] = {"name": "odd", "keypoints": 7}
    with pytest.raises(FormatError, match=r"\$.info.posebench.schema"):
        parse_coco(json.dumps({**everything(), "info": {"posebench": {"schema": told}}}).encode())
    told["keypoints"] = [{"name": "nose", "sigma": 0.1}]
    assert parse_coco(json.dumps({**everything(), "info": {"posebench": {"schema": told}}}).encode()).schema.name == "coco17"


def test_areas_on_masks_are_cocos_own(real: Path) -> None:
    ds = read_coco(real / REAL_COCO["coco_4"])
    blank = replace(ds, instances=replace(ds.instances, area=np.full(len(ds), np.nan)))
    # COCO's areas come from polygons before rounding to pixels: equal to about a pixel of outline
    assert np.allclose(blank.with_mask_area().instances.area, ds.instances.area, rtol=0.03)


@given(st.sampled_from([s.name for s in SCHEMAS.values() if len(s)]), st.integers(0, 6), st.integers(0, 9))
def test_files_of_every_schema_come_back_whole(schema: str, n: int, seed: int) -> None:
    ds = poses(schema, n=n, seed=seed)
    again = parse_coco(ds.to_coco(), None if not schema.endswith("062") else SCHEMAS[schema])
    assert again.schema == ds.schema
    for table, other in ((ds.images, again.images), (ds.instances, again.instances)):
        for name, column in table.columns().items():
            if name not in ("folder", "recorded"):
                assert np.array_equal(column, other.columns()[name], equal_nan=column.dtype.kind == "f"), name
    assert again.to_coco() == ds.to_coco()


def test_points_a_source_lacks_stay_apart_from_unlabelled_ones() -> None:
    crowd = poses("crowdpose14").as_schema("human")
    both = concat([poses("coco17").renumbered(100).as_schema("human"), crowd])
    again = parse_coco(both.to_coco())
    assert np.array_equal(again.instances.annotated, both.instances.annotated)
    assert again.schema.name == "human"


# -- the cache ---------------------------------------------------------------------------------------


@pytest.fixture
def keep_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are worth caching in these tests."""
    monkeypatch.setattr(cache, "SMALLEST", 0)


def equal(a: PoseDataset, b: PoseDataset) -> bool:
    columns = [(t.columns(), o.columns()) for t, o in ((a.images, b.images), (a.instances, b.instances))]
    return (
        all(
            x.keys() == y.keys() and all(np.array_equal(x[k], y[k], equal_nan=x[k].dtype.kind == "f") and x[k].dtype == y[k].dtype for k in x)
            for x, y in columns
        )
        and a.to_coco() == b.to_coco()
        and (a.name, a.schema, a.categories, a.provenance) == (b.name, b.schema, b.categories, b.provenance)
    )


def test_the_second_load_maps_the_same_columns(tmp_path: Path, own_cache: Path, keep_small: None) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    first, second = read_coco(file), read_coco(file)
    assert len(list((own_cache / "columns").iterdir())) == 1
    assert equal(first, second)
    assert not second.instances.keypoints.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        second.instances.keypoints[0, 0, 0] = 1


@pytest.mark.parametrize("name", REAL_COCO)
def test_real_files_come_back_from_the_cache(real: Path, name: str, keep_small: None) -> None:
    read_coco(real / REAL_COCO[name])
    assert equal(read_coco(real / REAL_COCO[name]), read_coco(real / REAL_COCO[name], cache=False))


@pytest.mark.parametrize("racy", [0, cache._RACY_NS])
def test_a_changed_source_is_noticed_even_with_its_size_and_times_put_back(
    tmp_path: Path, keep_small: None, monkeypatch: pytest.MonkeyPatch, racy: int
) -> None:
    monkeypatch.setattr(cache, "_RACY_NS", racy)
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    stat = file.stat()
    assert read_coco(file).instances.area[0] == 12.5
    time.sleep(0.05)  # past a tick of the file system's clock
    file.write_text(json.dumps(everything()).replace("12.5", "13.5"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_coco(file).instances.area[0] == 13.5


def test_another_schema_or_meta_is_another_entry(tmp_path: Path, own_cache: Path, keep_small: None) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    read_coco(file)
    assert "license" in read_coco(file, meta=["license"]).images.meta
    assert "license" not in read_coco(file).images.meta


def test_a_damaged_cache_is_made_again(tmp_path: Path, own_cache: Path, keep_small: None) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    expected = read_coco(file)
    for damage in (lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-3]), lambda p: p.unlink()):
        for name in ("columns.bin", "header"):
            damage(next((own_cache / "columns").iterdir()) / name)
            assert equal(read_coco(file), expected)
            assert equal(read_coco(file), expected)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_small: None) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    (tmp_path / "taken").write_text("a file where the cache should be")
    monkeypatch.setenv("POSEBENCH_CACHE", str(tmp_path / "taken"))
    assert len(read_coco(file)) == 6


def test_the_folder_of_pictures_is_of_the_call_not_of_the_cache(tmp_path: Path, keep_small: None) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    assert set(read_coco(file, images="here").images.folder) == {"here"}
    assert set(read_coco(file, images="there").images.folder) == {"there"}
    shutil.copy(file, tmp_path / "b.json")
    other = read_coco(tmp_path / "b.json")
    assert (other.name, other.provenance.files[0][0]) == ("b", str(tmp_path / "b.json"))


@pytest.mark.slow
def test_two_processes_may_fill_the_cache_at_once(tmp_path: Path, own_cache: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(everything()))
    code = f"from posedata.formats import cache; cache.SMALLEST = 0; import posedata; print(len(posedata.read_coco({str(file)!r})))"
    env = {**os.environ, "POSEBENCH_CACHE": str(own_cache)}
    root = Path(__file__).parents[1]
    started = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True, env=env, cwd=root) for _ in range(4)]
    assert [p.communicate()[0].strip() for p in started] == ["6"] * 4
    assert len(list((own_cache / "columns").iterdir())) == 1


@pytest.mark.slow
def test_reading_grows_with_the_file_and_no_faster(tmp_path: Path) -> None:
    def seconds(copies: int) -> float:
        image = {"id": 0, "file_name": "x.jpg", "width": 9, "height": 9}
        note = {"image_id": 0, "category_id": 1, "keypoints": [1, 2, 2] * 17, "num_keypoints": 17, "area": 1.5, "bbox": [0, 0, 1, 1], "iscrowd": 0}
        data = json.dumps({"images": [image], "annotations": [{**note, "id": i} for i in range(copies)], "categories": [PERSON]}).encode()
        start = time.process_time()
        parse_coco(data)
        return time.process_time() - start

    seconds(1000)
    assert seconds(60_000) < 20 * seconds(6_000)
