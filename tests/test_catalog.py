"""The catalogue: one call for every dataset, help when files are absent, and faults mended by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from posedata import CatalogError, DataError, FormatError, PoseDataset, load_dataset, load_schema
from posedata.catalog import Entry, describe, entry, list_datasets, present

FOUNDING = ("ap10k", "cat", "akd", "crowdpose", "coco", "coco_foot", "synthetic", "coco_json", "animalpose")
ON_DISK = [name for name in FOUNDING if name not in ("synthetic", "coco_json")]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ./data below an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEDATA_ROOT", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def one(name: str, *arguments: Any, **options: Any) -> PoseDataset:
    """load_dataset for callers that name a split."""
    found = load_dataset(name, *arguments, **options)
    assert isinstance(found, PoseDataset)
    return found


def put(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def person(schema: str, points: int, **more: Any) -> dict[str, Any]:
    """A COCO-like file of two people on two images."""
    names = list(load_schema(schema).names)
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 60, "height": 40} for i in (1, 2)],
        "annotations": [
            {
                "id": i * 10,
                "image_id": i,
                "category_id": 1,
                "bbox": [5, 5, 20, 30],
                "area": 300,
                "iscrowd": 0,
                "num_keypoints": points,
                "keypoints": [6 + i, 7, 2] * points,
                **more,
            }
            for i in (1, 2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": [[16, 14]]}],
    }


# -- the call ----------------------------------------------------------------------------------------


def test_every_founding_dataset_has_an_entry() -> None:
    assert set(FOUNDING) <= set(list_datasets())


@pytest.mark.parametrize("name", list_datasets())
def test_an_entry_says_what_a_user_must_know(name: str) -> None:
    known = entry(name)
    assert known.title and known.licence and known.schema and known.protocol
    if known.sources:
        assert known.citation and known.homepage.startswith("http") and known.sigmas and known.folders
        assert all(s.remote or (s.page and s.how) for s in known.sources)
    assert {f"{c}/{s}" for c, parts in known.splits.items() for s in parts} >= set(known.counts)
    assert len({f.name for f in known.faults}) == len(known.faults)
    assert describe(name, known)["licence"] == known.licence


@pytest.mark.parametrize("name", ON_DISK)
def test_absent_files_come_with_help_that_can_be_followed(name: str, data: Path) -> None:
    known = entry(name)
    for config, parts in known.splits.items():
        for split in parts:
            with pytest.raises(CatalogError) as error:
                one(name, config, split)
            text = str(error.value)
            assert "\n" not in text
            assert text.startswith(f"{name}/{config} {split}: no ")
            assert "under data, " in text, "where it was looked for"
            assert f"licence {known.licence.split(';')[0]}" in text
            assert "http" in text and "docs/datasets.md#" in text
            if any(s.remote for s in known.sources):
                assert f"posedata download {name}" in text


def test_unknown_names_get_a_suggestion(data: Path) -> None:
    with pytest.raises(CatalogError, match=r"ap10: no such dataset; did you mean 'ap10k'\?"):
        load_dataset("ap10")
    with pytest.raises(CatalogError, match=r"ap10k: no configuration 'split4'; did you mean 'split"):
        load_dataset("ap10k", "split4")
    with pytest.raises(CatalogError, match=r"ap10k/split1: no split 'valid'; did you mean 'val'\?"):
        load_dataset("ap10k", split="valid")
    with pytest.raises(CatalogError, match="cannot read"):
        load_dataset("ap10k", split="train[")


def test_without_a_split_come_all_that_are_there(data: Path) -> None:
    for split in ("train", "val"):
        put(data / f"ap-10k/annotations/ap10k-{split}-split1.json", person("ap10k17", 17))
    found = load_dataset("ap10k")
    assert isinstance(found, dict)
    assert list(found) == ["train", "val"]
    assert found["val"].name == "ap10k/split1 val"


def test_splits_can_be_sliced_and_joined(data: Path) -> None:
    file = person("ap10k17", 17)
    put(data / "ap-10k/annotations/ap10k-train-split1.json", file)
    other = json.loads(json.dumps(file).replace('"id": 10', '"id": 11').replace('"id": 20', '"id": 21'))
    for image, note, i in zip(other["images"], other["annotations"], (5, 6), strict=True):
        image["id"], note["image_id"] = i, i
    put(data / "ap-10k/annotations/ap10k-val-split1.json", other)
    assert one("ap10k", split="train[:50%]").images.id.tolist() == [1]
    assert one("ap10k", split="train[50%:]").images.id.tolist() == [2]
    assert one("ap10k", split="train[1:2]").instances.id.tolist() == [20]
    assert one("ap10k", split="train[2:1]").images.id.tolist() == []
    assert one("ap10k", split="train+val[1:]").images.id.tolist() == [1, 2, 6]
    assert one("ap10k", split="train + val").name == "ap10k/split1 train + val"


def test_roots_are_looked_through_in_order(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def here(root: Path) -> Path:
        return put(root / "ap-10k/annotations/ap10k-test-split1.json", person("ap10k17", 17))

    for place in (own_cache / "datasets", data, tmp_path / "env", tmp_path / "asked"):
        if place.name == "env":
            monkeypatch.setenv("POSEDATA_ROOT", str(place))
        here(place)
        found = one("ap10k", split="test", root=place if place.name == "asked" else None)
        assert Path(found.provenance.files[0][0]).resolve().is_relative_to(place.resolve())


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("ap10k", ["ap-10k/annotations/ap10k-val-split1.json", "ap10k/annotations/ap10k-val-split1.json", "annotations/ap10k-val-split1.json"]),
        (
            "crowdpose",
            [
                "crowdpose/annotations/crowdpose_val.json",
                "crowdpose/annotations/mmpose_crowdpose_val.json",
                "data-crowdpose/json/crowdpose_val.json",
                "CrowdPose/crowdpose_val.json",
            ],
        ),
        ("cat", ["cats/annotations/val.json"]),
        ("coco", ["coco/annotations/person_keypoints_val2017.json"]),
    ],
)
def test_layouts_of_the_wild_are_known(data: Path, name: str, files: list[str]) -> None:
    known = entry(name)
    schema = load_schema(known.schema)
    for file in files:
        put(data / file, person(schema.name, len(schema)))
        assert len(one(name, split="val", root=data)) == 2
        shutil.rmtree(data)


def test_synthetic_comes_through_the_same_call(data: Path, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    ds = one("synthetic", "person", "val", n=4, workers=1)
    assert (len(ds.images), ds.schema.name, ds.name) == (4, "coco_foot23", "synthetic/person val")
    with pytest.raises(CatalogError, match="unexpected keyword argument 'm'; see posedata info synthetic"):
        load_dataset("synthetic", split="val", m=4)


def test_anybodys_file_comes_through_the_same_call(data: Path) -> None:
    file = put(data / "mine.json", person("crowdpose14", 14))
    assert one("coco_json", split="all", path=file).schema.name == "crowdpose14"
    with pytest.raises(CatalogError, match="path"):
        load_dataset("coco_json", split="all")


# -- the founding datasets, and their traps ----------------------------------------------------------


def test_ap10k_names_its_points_so_the_old_sigma_order_cannot_return(data: Path) -> None:
    put(data / "ap-10k/annotations/ap10k-train-split1.json", person("ap10k17", 17))
    ds = one("ap10k", split="train")
    assert ds.schema == load_schema("ap10k17")
    assert ds.sigmas[0, ds.schema.index("left_elbow")] == 0.072


def test_the_real_ap10k_sample_loads_in_its_official_layout(real: Path, data: Path) -> None:
    (data / "ap-10k/annotations").mkdir(parents=True)
    shutil.copy(real / "ap10k_sample/test_ap10k.json", data / "ap-10k/annotations/ap10k-test-split1.json")
    (data / "ap-10k/data").mkdir()
    for picture in (real / "ap10k_sample").glob("*.jpg"):
        shutil.copy(picture, data / "ap-10k/data")
    ds = one("ap10k", split="test")
    assert (len(ds), len(ds.categories)) == (2, 54)
    assert ds[0].image.size == (ds.images.width[0], ds.images.height[0])
    assert json.loads(ds.to_coco()) == json.loads((real / "ap10k_sample/test_ap10k.json").read_text())


def test_the_cats_test_images_have_boxes_and_no_points(data: Path) -> None:
    names = ["L_Eye", "R_Eye", "Nose", "Neck", "Root of tail", "L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder", "R_Elbow", "R_F_Paw", "L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw"]  # fmt: skip
    file = person("ap10k17", 17)
    file["categories"][0]["keypoints"] = names
    put(data / "cats/annotations/train.json", file)
    for note in file["annotations"]:
        del note["keypoints"], note["num_keypoints"]
    put(data / "cats/annotations/test_info.json", file)
    assert one("cat", split="train").instances.labelled.all()
    test = one("cat", split="test")
    assert not test.instances.labelled.any() and np.isfinite(test.instances.bbox).all()
    assert json.loads(test.to_coco()) == file


def test_the_two_cat_sets_point_at_each_other() -> None:
    assert "akd" in " ".join(entry("cat").notes)
    assert "`cat`" in " ".join(entry("akd").notes)


def akd_file(n: int = 3, garbage: bool = True) -> dict[str, Any]:
    names = load_schema("akd16").names
    good, bad = {p: [0.5, 0.25, i % 2] for i, p in enumerate(names)}, {p: [1.994, 1.989, 1] for p in names}
    return {
        "info": "",
        "images": {str(i): {"file_name": f"Кошка {i}.jpg", "width": 100, "height": 200} for i in range(n)},
        "keypoints": {str(i): bad if garbage and i == n - 1 else good for i in range(n)},
    }


def test_akd_drops_its_garbage_entry_by_name_and_only_when_asked_to_fix(data: Path) -> None:
    put(data / "akd/cats/train/train_keypoints_annotations.json", akd_file())
    fixed, published = one("akd", split="train"), one("akd", split="train", fixes=False)
    assert fixed.instances.id.tolist() == [0, 1] and len(fixed.images) == 2
    assert fixed.provenance.fixes == ("garbage-entry (1)",)
    assert published.instances.id.tolist() == [0, 1, 2] and published.provenance.fixes == ()
    assert fixed.instances.keypoints[0, 0].tolist() == [49.5, 49.5, 1] and fixed.instances.keypoints[0, 1, 2] == 2


def test_akd_says_that_it_has_no_val_and_offers_folds(data: Path) -> None:
    put(data / "akd/cats/train/train_keypoints_annotations.json", akd_file(10, garbage=False))
    with pytest.raises(CatalogError, match=r"no split 'val'; there is none; take folds of train: split='train\[20%:\]'"):
        load_dataset("akd", split="val")
    learn, choose = one("akd", split="train[20%:]"), one("akd", split="train[:20%]")
    assert (len(learn), len(choose)) == (8, 2)


def test_the_real_cats_load_as_the_course_lays_them_out(real: Path, data: Path) -> None:
    ds = one("akd", split="train", root=real)
    assert (len(ds), ds.provenance.fixes) == (137, ("garbage-entry (1)",))
    assert len(one("akd", split="train", root=real, fixes=False)) == entry("akd").counts["default/train"][1]
    assert ds[0].image.width == ds.images.width[0]


def crowd_file(turned: bool) -> dict[str, Any]:
    file = person("crowdpose14", 14)
    for image, note in zip(file["images"], file["annotations"], strict=True):
        image |= {"width": 40, "height": 60} if turned else {"width": 60, "height": 40}
        image["crowdIndex"] = 3.02
        note |= {"bbox": [30, 5, 28, 30], "num_keypoints": 12}
        del note["area"]
    return file


def test_crowdpose_sizes_are_turned_back_where_the_picture_proves_it(data: Path) -> None:
    put(data / "crowdpose/annotations/crowdpose_train.json", crowd_file(turned=True))
    assert one("crowdpose", split="train").images.width.tolist() == [40, 40], "no picture, no proof"
    for i in (1, 2):
        (data / "crowdpose/images").mkdir(exist_ok=True)
        Image.new("RGB", (60, 40)).save(data / f"crowdpose/images/{i}.jpg")
    fixed, published = one("crowdpose", split="train"), one("crowdpose", split="train", fixes=False)
    assert fixed.images.width.tolist() == [60, 60] and fixed.images.height.tolist() == [40, 40]
    assert fixed.provenance.fixes == ("swapped-size (2)",)
    assert published.images.width.tolist() == [40, 40]
    put(data / "crowdpose/annotations/crowdpose_test.json", crowd_file(turned=False))
    assert one("crowdpose", split="test").provenance.fixes == ()


def test_crowdpose_keeps_what_published_numbers_depend_on(data: Path) -> None:
    put(data / "crowdpose/annotations/crowdpose_val.json", crowd_file(turned=False))
    ds = one("crowdpose", split="val")
    assert ds.instances.recorded.tolist() == [12, 12]
    assert ds.images.meta["crowd_index"].tolist() == [3.02, 3.02]
    assert np.isnan(ds.instances.area).all()
    assert json.loads(ds.to_coco()) == crowd_file(turned=False)


def test_the_real_crowdpose_sample_loads_in_its_official_layout(real: Path, data: Path) -> None:
    (data / "crowdpose/annotations").mkdir(parents=True)
    shutil.copy(real / "crowdpose_sample/test_crowdpose.json", data / "crowdpose/annotations/crowdpose_test.json")
    shutil.copytree(real / "crowdpose_sample", data / "crowdpose/images")
    ds = one("crowdpose", split="test")
    assert (len(ds), ds.provenance.fixes) == (5, ())
    assert [ds[i].image.size for i in range(5)] == [(ds.images.width[r], ds.images.height[r]) for r in ds.instances.image]


# -- feet --------------------------------------------------------------------------------------------


def foot_file(points: int = 6) -> dict[str, Any]:
    """CMU's own form: categories an object, a flat polygon, a float id, the body's count."""
    file = person("coco_foot23" if points == 23 else "foot6", points)
    file["categories"] = file["categories"][0] | {"skeleton": []}  # type: ignore[assignment]
    for note in file["annotations"]:
        note |= {"segmentation": [1, 2, 3, 4, 5, 6], "num_keypoints": 17}
    return file


def lay_out(data: Path, feet: dict[str, Any], body: dict[str, Any]) -> None:
    put(data / "coco_foot/person_keypoints_val2017_foot_v1.json", feet)
    put(data / "coco/annotations/person_keypoints_val2017.json", body)


def test_feet_join_their_bodies_by_image_and_annotation(data: Path) -> None:
    body = person("coco17", 17)
    body["images"].append({"id": 3, "file_name": "3.jpg", "width": 9, "height": 9})
    body["annotations"].append({**body["annotations"][0], "id": 30})  # somebody else on image 1, without feet
    lay_out(data, foot_file(), body)
    ds = one("coco_foot", split="val")
    own = ds.instances
    assert (ds.schema.name, own.id.tolist(), ds.images.id.tolist()) == ("coco_foot23", [10, 20, 30], [1, 2])
    assert own.annotated[:, 17:].all(1).tolist() == [True, True, False]
    assert own.keypoints[0, 17].tolist() == [7, 7, 2] and own.keypoints[1, 16].tolist() == [8, 7, 2]
    assert "holds 6 points; joined 2 of 2 feet to 3 bodies on 2 images" in ds.provenance.steps[0]
    assert (own.recorded == -1).all()


def test_feet_without_a_body_of_their_own_are_orphans_joined_to_nobody(data: Path) -> None:
    feet = foot_file()
    strange = [
        {"id": 99},  # nobody has this id
        {"id": 20, "image_id": 1},  # that id is on another image
        {"id": 10, "image_id": 1, "bbox": [0, 0, 5, 5]},  # another box
    ]
    for change in strange:
        note = {**feet["annotations"][0], **change}
        lay_out(data, {**feet, "annotations": [note]}, person("coco17", 17))
        ds = one("coco_foot", split="val")
        assert not ds.instances.annotated[:, 17:].any()
        assert f"orphans, joined to nobody: {note['id']}" in ds.provenance.steps[1]


def test_a_foot_file_of_23_points_is_told_and_taken_as_it_is(data: Path) -> None:
    lay_out(data, foot_file(23), person("coco17", 17))
    ds = one("coco_foot", split="val")
    assert ds.instances.annotated.all()
    assert "holds 23 points; joined 2 of 2 feet" in ds.provenance.steps[0]
    strange = foot_file(23)
    strange["annotations"][0]["id"] = 99
    lay_out(data, strange, person("coco17", 17))
    assert "orphans, joined to nobody: 99" in one("coco_foot", split="val").provenance.steps[1]
    (data / "coco/annotations/person_keypoints_val2017.json").unlink()
    alone = one("coco_foot", split="val")
    assert "COCO's file is not here, nothing was joined or checked" in alone.provenance.steps[0]


def test_a_foot_file_of_other_points_is_refused_and_one_of_six_asks_for_its_bodies(data: Path) -> None:
    lay_out(data, person("coco17", 17), person("coco17", 17))
    with pytest.raises(FormatError, match=r"a file of schema 'coco17'; CMU's foot files hold foot6 or coco_foot23"):
        load_dataset("coco_foot", split="val")
    put(data / "coco_foot/person_keypoints_val2017_foot_v1.json", foot_file())
    (data / "coco/annotations/person_keypoints_val2017.json").unlink()
    with pytest.raises(FormatError, match=r"holds the six foot points alone; put COCO's person_keypoints_val2017\.json beside it"):
        load_dataset("coco_foot", split="val")


def test_files_of_one_split_may_lie_under_different_roots(data: Path, own_cache: Path) -> None:
    put(own_cache / "datasets/coco_foot/annotations/person_keypoints_val2017_foot_v1.json", foot_file())
    put(data / "coco/annotations/person_keypoints_val2017.json", person("coco17", 17))
    assert one("coco_foot", split="val").instances.annotated.all()


def test_cmus_structure_is_mended_by_name_and_left_alone_without_fixes(data: Path) -> None:
    feet = foot_file()
    text = json.dumps(feet).replace('"id": 10,', '"id": 1.000010E+6,')
    put(data / "coco_foot/person_keypoints_val2017_foot_v1.json", text)
    ds = one("coco_foot", "feet", "val")
    assert ds.provenance.fixes == ("dict-categories (1)", "flat-polygons (2)", "float-ids (1)")
    assert ds.instances.id.tolist() == [1000010, 20]
    assert ds.instances.recorded.tolist() == [17, 17]
    assert json.loads(ds.to_coco())["annotations"][0]["segmentation"] == [[1, 2, 3, 4, 5, 6]]
    assert isinstance(json.loads(ds.to_coco())["categories"], list)
    with pytest.raises(FormatError, match=r"\$\.categories: an object where a list is needed; with fixes=True it is read"):
        load_dataset("coco_foot", "feet", "val", fixes=False)


def test_polygons_that_are_right_are_left_alone_however_they_are_written(data: Path) -> None:
    feet = foot_file()
    feet["categories"] = [feet["categories"]]
    for note in feet["annotations"]:
        note["segmentation"] = [[1, 2, 3, 4, 5, 6]]
    put(data / "coco_foot/person_keypoints_val2017_foot_v1.json", json.dumps(feet, indent=1))
    ds = one("coco_foot", "feet", "val")
    assert ds.provenance.fixes == ()
    assert json.loads(ds.to_coco()) == feet


def test_points_beyond_the_frame_and_at_its_edge_are_kept_with_and_without_fixes(data: Path) -> None:
    file = crowd_file(turned=False)
    file["annotations"][0]["keypoints"][:6] = [60, 7, 2, -4, 50, 2]
    put(data / "crowdpose/annotations/crowdpose_val.json", file)
    for fixes in (True, False):
        ds = one("crowdpose", split="val", fixes=fixes)
        assert ds.instances.keypoints[0, :2].tolist() == [[60, 7, 2], [-4, 50, 2]] and ds.provenance.fixes == ()


def test_splits_that_number_alike_can_be_joined(data: Path) -> None:
    for split in ("train", "test"):
        put(data / f"akd/cats/{split}/{split}_keypoints_annotations.json", akd_file(3, garbage=False))
    both = one("akd", split="train+test")
    assert both.instances.id.tolist() == [1, 2, 3, 4, 5, 6]
    assert both.instances.meta["source_id"].tolist() == ["0", "1", "2"] * 2
    with pytest.raises(DataError, match="more than once"):
        load_dataset("akd", split="train+train")


def test_the_help_names_the_configuration_and_the_root_asked_for(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"posedata download coco --config 2014 --root .*, or by hand: annotations_trainval2014\.zip"):
        load_dataset("coco", "2014", "train", root=tmp_path)
    with pytest.raises(CatalogError, match=r"no folder .*nowhere"):
        load_dataset("coco", split="train", root=tmp_path / "nowhere")
    with pytest.raises(CatalogError, match="the path of a folder"):
        load_dataset("coco", split="train", root=3)  # type: ignore[arg-type]
    with pytest.raises(CatalogError, match=r"the name \['coco'\]"):
        load_dataset(["coco"])  # type: ignore[arg-type]


def test_licence_and_citation_are_said_once_on_stderr(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posedata.catalog._said", set())
    put(data / "akd/cats/train/train_keypoints_annotations.json", akd_file(3, garbage=False))
    one("akd", split="train"), one("akd", split="train")
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("licence none stated; cite TechNumber") == 1


def test_the_real_feet_join_a_made_coco_file(real: Path, data: Path) -> None:
    feet = json.loads((real / "cmu_foot_sample/person_keypoints_val2017_foot_v1.last7.json").read_text())
    notes = [
        {
            "id": n["id"],
            "image_id": n["image_id"],
            "category_id": 1,
            "bbox": n["bbox"],
            "area": n["area"],
            "iscrowd": 0,
            "num_keypoints": 17,
            "keypoints": [9, 9, 2] * 17,
        }
        for n in feet["annotations"]
    ]
    body = {**person("coco17", 17), "annotations": notes, "images": [{"id": n["image_id"], "file_name": "a.jpg", "width": 640, "height": 640} for n in notes]}
    lay_out(data, feet, json.loads(json.dumps(body)))
    ds = one("coco_foot", split="val")
    assert len(ds) == 7 and ds.instances.annotated.all()
    assert "joined 7 of 7 feet" in ds.provenance.steps[0]
    assert ds.instances.keypoints[0, 17:19].tolist() == [[69, 572, 2], [93, 569, 2]]


# -- growing -----------------------------------------------------------------------------------------


def animal_file() -> dict[str, Any]:
    points = [[float(i), 2.0 * i, i % 2] for i in range(20)]
    return {
        "images": {"1": "a.jpg", "2": "b.jpg"},
        "annotations": [{"image_id": 1, "bbox": [10, 20, 30, 60], "keypoints": points, "num_keypoints": 20, "category_id": 2}] * 2,
        "categories": [
            {"id": i, "name": n, "keypoints": list(load_schema("animalpose20").names), "skeleton": [[0, 1]]} for i, n in enumerate(("dog", "cat"), 1)
        ],
    }


def test_a_guest_dataset_is_one_short_file(data: Path) -> None:
    import posedata.datasets.animalpose as guest

    assert len(Path(guest.__file__).read_text().splitlines()) < 100
    put(data / "animalpose/keypoints.json", animal_file())
    ds = one("animalpose", split="all")
    assert ds.instances.bbox[0].tolist() == [10, 20, 20, 40]
    assert ds.instances.keypoints[0, 3].tolist() == [3, 6, 2]
    assert ds.instances.keypoints[0, 4].tolist() == [4, 8, 0], "located but not labelled"
    assert ds.category_names.tolist() == ["cat", "cat"] and len(ds.images) == 2


@pytest.mark.parametrize("change", [{"images": []}, {"annotations": [{}]}, {"categories": [{"id": 1, "name": "dog", "keypoints": ["a"]}]}, {"annotations": 3}])
def test_a_guest_file_of_another_form_is_one_line(data: Path, change: dict[str, Any]) -> None:
    put(data / "animalpose/keypoints.json", animal_file() | change)
    with pytest.raises(FormatError) as error:
        load_dataset("animalpose", split="all")
    assert "\n" not in str(error.value)


def test_another_distribution_adds_a_dataset_by_an_entry_point(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    put(
        site / "zebras.py",
        "from posedata.catalog import Entry, Part\nfrom posedata import read_coco\nENTRY = Entry(title='Zebras', schema='ap10k17', protocol='ap10k', splits={'default': {'all': Part((('z.json',),))}}, read=lambda found: read_coco(found.files[0]), licence='CC0')\n",
    )
    put(site / "zebras-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: zebras\nVersion: 1.0\n")
    put(site / "zebras-1.0.dist-info/entry_points.txt", "[posedata.datasets]\nzebra = zebras\n")
    monkeypatch.syspath_prepend(str(site))
    put(data / "zebra/z.json", person("ap10k17", 17))
    assert "zebra" in list_datasets()
    assert isinstance(entry("zebra"), Entry)
    assert present("zebra", entry("zebra")) == ["default/all"]
    assert len(one("zebra", split="all")) == 2


def test_a_broken_distribution_is_named_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    put(site / "broken_poses.py", "import nothing_of_that_name\n")
    put(site / "broken_poses-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: broken-poses\nVersion: 1.0\n")
    put(site / "broken_poses-1.0.dist-info/entry_points.txt", "[posedata.datasets]\nbroken = broken_poses\nap10k = broken_poses\n")
    monkeypatch.syspath_prepend(str(site))
    with pytest.raises(CatalogError, match=r"broken: broken_poses cannot be imported .*; mend or remove"):
        load_dataset("broken")
    assert entry("ap10k").schema == "ap10k17", "ours come first"


def test_counts_are_those_of_the_files_where_they_are_present() -> None:
    checked = 0
    for name in ON_DISK:
        known = entry(name)
        for key, (images, instances) in known.counts.items():
            if key in present(name, known):
                ds = one(name, *key.split("/"), fixes=False)
                assert (len(ds.images), len(ds)) == (images, instances), f"{name} {key}"
                checked += 1
    if not checked:
        pytest.skip("no official files under $POSEDATA_ROOT, ./data or the cache")
