"""Arrow, Parquet and Hugging Face datasets: what goes in comes out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # read when datasets is imported
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import posedata
from posedata import Category, Keypoint, PoseDataset, Schema
from posedata.errors import DataError, FormatError, PoseError, SchemaError
from posedata.formats.arrow import fingerprint, from_hf, read_parquet, to_arrow, to_hf, to_parquet
from posedata.formats.coco import parse_coco
from posedata.schemas import COCO17, CROWDPOSE14

REAL = os.environ.get("POSE_REAL_DATA")


@pytest.fixture(autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("POSEBENCH_CACHE", str(folder / "posebench"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "hf")
    datasets.disable_progress_bars()
    return folder


def load(path: Path, **options: Any) -> Any:
    return datasets.load_dataset(str(path), split="train", **options)


def points(k: int, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return [round(float(x), 3) for x in np.stack([rng.uniform(0, 90, k), rng.uniform(0, 60, k), rng.integers(1, 3, k)], 1).ravel()]


def coco(text_ids: bool = False) -> dict[str, Any]:
    """A file with all that files hold: polygons, RLE, unknown keys, two kinds of bodies, an image listed twice, instances out of order."""

    def id_(n: int) -> int | str:
        return f"im/{n}" if text_ids else n

    images = [
        {"id": id_(n), "file_name": f"a/{n}.jpg", "height": 60, "width": 90, "crowdIndex": n / 8, "license": {"who": 'Jürgen \u2028 "x"'}} for n in (5, 3, 9, 4)
    ]
    images += [dict(images[1]), {"file_name": "б.jpg", "id": id_(1)}]
    person = {"id": 1, "name": "person", "keypoints": list(COCO17.names), "skeleton": [[1, 2]], "supercategory": "body"}
    crowd = {"name": "person", "id": 7, "keypoints": [n.upper() for n in CROWDPOSE14.names], "mine": None}
    thing = {"id": 3, "name": "", "colour": [1, 2.5]}
    notes = [
        {"id": 30, "image_id": id_(9), "category_id": 1, "keypoints": points(17, 1), "num_keypoints": 17, "bbox": [1, 2.5, 30, 40], "area": 99.5, "iscrowd": 0, "segmentation": [[1, 2, 3.25, 4, 5, 6]]},
        {"id": 10, "image_id": id_(3), "category_id": 7, "keypoints": points(14, 2), "num_keypoints": 3, "track_id": 4, "ignore": 1},
        {"image_id": id_(9), "id": 20, "category_id": 3, "iscrowd": 1, "segmentation": {"counts": [5, 7], "size": [60, 90]}, "area": 7},
        {"id": 31, "image_id": id_(5), "category_id": 1, "keypoints": [0] * 51, "num_keypoints": 0, "bbox": [0, 0, 0, 0], "note": {"von": ["ä", 1e-9]}},
        {"id": 32, "image_id": id_(5), "category_id": 1, "keypoints": []},
    ]  # fmt: skip
    for note in notes if text_ids else []:
        note["id"] = f"n{note['id']}"
    return {"info": {"year": 2026}, "images": images, "annotations": notes, "licenses": [{"id": 1}], "categories": [person, crowd, thing], "extra": "ü"}


def from_file(text_ids: bool = False) -> PoseDataset:
    ds = parse_coco(json.dumps(coco(text_ids), ensure_ascii=False).encode(), where="made.json")
    return replace(ds, provenance=replace(ds.provenance, fixes=("a fix",)).then("a step"))


OWN = Schema(
    name="glasses",
    keypoints=(Keypoint("left_hinge", 0.02, "published", "where it folds", (0.25, 0.5)), Keypoint("right_hinge", 0.03)),
    limbs=(("left_hinge", "right_hinge"),),
    asymmetry="one is bent",
    source="a shop",
)


def plain() -> PoseDataset:
    """Three poses under a user's own schema, meta columns of many kinds, names that collide with ours."""
    meta = {
        "species": np.array(["cat", "", "Käse"], object), "f32": np.float32([1.5, np.nan, 0.1]), "i8": np.int8([1, -1, 0]), "u64": np.uint64([0, 2**64 - 1, 1]),
        "flag": np.array([True, False, True]), "layout": np.arange(3), "meta_layout": np.arange(3) * 0.5, "big": np.array([1, 2, 3], ">i4"),
    }  # fmt: skip
    images = {"id": [4, 2, 8, 6], "file": ["a.png", "b.png", "c.png", "d.png"], "width": [8, 8, 8, 0], "height": [6, 6, 6, 0]}
    xy = np.arange(12.0).reshape(3, 2, 2) / 3
    bbox = [[1, 2, 3, 4.1], [np.nan] * 4, [0, 1, 2, 3]]
    return PoseDataset.from_arrays(
        schema=OWN, image=[8, 4, 8], keypoints=xy, images=images, bbox=bbox, area=[1.1, np.nan, 3], meta=meta, category=["x", "y", "x"], name="plain"
    )


def same_table(a: Any, b: Any) -> None:
    assert list(a.columns()) == list(b.columns())
    for name, values in a.columns().items():
        other = b.columns()[name]
        assert values.dtype == other.dtype.newbyteorder(values.dtype.byteorder), name
        assert np.array_equal(values, other, equal_nan=values.dtype.kind == "f"), name
        assert not other.flags.writeable, name
    assert a.rest.rows() == b.rest.rows()
    assert [a.rest.keys(i) for i in range(len(a))] == [b.rest.keys(i) for i in range(len(b))]
    assert (a.rest.layout.dtype, a.rest.offsets.dtype, a.rest.text.dtype) == (b.rest.layout.dtype, b.rest.offsets.dtype, b.rest.text.dtype)


def same(a: PoseDataset, b: PoseDataset) -> None:
    """Every value, type and order that a dataset has."""
    assert (a.name, a.schema, a.categories, a.provenance) == (b.name, b.schema, b.categories, b.provenance)
    assert (a.rest.keys, dict(a.rest.texts)) == (b.rest.keys, dict(b.rest.texts))
    assert (a.rest.listing is None) == (b.rest.listing is None)
    assert a.rest.listing is None or a.rest.listing.tolist() == b.rest.listing.tolist()
    same_table(a.images, b.images)
    same_table(a.instances, b.instances)


def travelled(ds: PoseDataset) -> PoseDataset:
    """What of a dataset leaves its machine: no folder, and files by their last name."""
    files = tuple((Path(file).name, sha256) for file, sha256 in ds.provenance.files)
    images = replace(ds.images, folder=np.full(len(ds.images), "", object))
    return replace(ds, images=images, provenance=replace(ds.provenance, files=files))


def test_a_missing_picture_is_null_and_hides_no_other(tmp_path: Path) -> None:
    ds = pictured(tmp_path)
    (tmp_path / "b.png").unlink()
    first = ds.to_hf()
    assert [row["image"] is None for row in first] == [False, True, False, False]
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert ds.to_hf()[1]["image"] is not None, "a picture that came later is noticed"


def nothing() -> PoseDataset:
    return PoseDataset.from_arrays(image=np.zeros(0, np.int64), name="empty")


def boxes() -> PoseDataset:
    return PoseDataset.from_arrays(image=[1, 2], bbox=np.ones((2, 4)), name="boxes")


SETS = {
    "a COCO file": from_file, "text ids": lambda: from_file(text_ids=True), "own schema": plain, "nothing": nothing, "boxes alone": boxes,
    "no instances": lambda: from_file().take([]), "no images": lambda: plain().take_images([]), "shuffled": lambda: from_file().take([4, 0, 3, 1, 2]),
}  # fmt: skip


@pytest.fixture(params=SETS, ids=SETS)
def ds(request: pytest.FixtureRequest) -> PoseDataset:
    made: PoseDataset = SETS[request.param]()
    return made


def test_a_parquet_file_gives_back_the_very_same_dataset(ds: PoseDataset, tmp_path: Path) -> None:
    assert ds.to_parquet(tmp_path / "one.parquet") == tmp_path / "one.parquet"
    same(ds, read_parquet(tmp_path / "one.parquet"))


def test_a_folder_of_shards_gives_back_the_very_same_dataset(ds: PoseDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posedata.formats.arrow.ROWS", 2)
    monkeypatch.setattr("posedata.formats.arrow.SHARD_BYTES", 1)
    to_parquet(ds, tmp_path / "many")
    assert len(list((tmp_path / "many").iterdir())) == max(1, (len(ds.images) + 1) // 2)
    same(ds, read_parquet(tmp_path / "many"))


def test_hugging_face_gives_back_the_very_same_dataset(ds: PoseDataset) -> None:
    same(ds, from_hf(to_hf(ds)))
    same(ds, from_hf(to_hf(ds)))  # from the file in the cache


def test_the_columns_survive_what_hugging_face_writes_and_reads_itself(ds: PoseDataset, tmp_path: Path) -> None:
    to_hf(ds).to_parquet(tmp_path / "theirs.parquet")
    assert b"posebench" not in pq.read_schema(tmp_path / "theirs.parquet").metadata
    same(ds, read_parquet(tmp_path / "theirs.parquet"))
    if len(ds.images):  # datasets cannot load a split without rows
        same(ds, from_hf(datasets.load_dataset("parquet", data_files=str(tmp_path / "theirs.parquet"), split="train")))


def test_choosing_in_hugging_face_is_choosing_images(tmp_path: Path) -> None:
    ds = from_file()
    to_hf(ds).to_parquet(tmp_path / "theirs.parquet")
    hf = datasets.load_dataset("parquet", data_files=str(tmp_path / "theirs.parquet"), split="train")
    same(ds.take_images([3, 1, 0]), from_hf(hf.select([3, 1, 0])))
    same(ds.take_images([1, 2]), from_hf(hf.filter(lambda row: row["image_id"] in (3, 9))))
    back = from_hf(hf.shuffle(seed=1))
    same(replace(ds.take_images([ds.images.id.tolist().index(i) for i in back.images.id]), rest=back.rest), back)
    assert back.images.id[back.rest.listing].tolist() == ds.images.id[ds.rest.listing].tolist()
    same(ds, from_hf(hf.map(lambda row: {"width": row["width"]})))


def test_choosing_nothing_leaves_an_empty_dataset() -> None:
    for hf in (to_hf(from_file()).select([]), to_hf(from_file()).filter(lambda row: False)):
        back = from_hf(hf)
        assert (len(back), len(back.images), back.schema, back.categories) == (0, 0, from_file().schema, from_file().categories)


def test_datasets_of_one_header_can_be_joined_and_others_cannot(tmp_path: Path) -> None:
    hf = to_hf(from_file())
    same(from_file(), from_hf(datasets.concatenate_datasets([hf.select([0, 1]), hf.select([2, 3, 4])])))
    with pytest.raises(DataError, match=r"Images\.id: .* more than once"):
        from_hf(datasets.concatenate_datasets([hf, hf]))
    with pytest.raises(ValueError, match="features can't be aligned"):
        datasets.concatenate_datasets([hf, to_hf(replace(from_file(), name="other"))])


def test_hidden_folders_are_not_read(tmp_path: Path) -> None:
    to_parquet(plain(), tmp_path / "set")
    to_parquet(from_file(), tmp_path / "set" / ".half" / "part-00000.parquet")
    same(plain(), read_parquet(tmp_path / "set"))


def test_columns_that_others_add_become_meta_and_others_are_named() -> None:
    hf = to_hf(plain()).add_column("score", [0.5, None, 1.0, 2.0]).add_column("tags", [["a"], [], [], []])
    back = from_hf(hf)
    assert np.array_equal(back.images.meta["score"], [0.5, np.nan, 1, 2], equal_nan=True)
    assert back.provenance.steps == ("columns left out: tags",)


def test_the_json_of_a_file_survives_every_way(tmp_path: Path) -> None:
    for text_ids in (False, True):
        made = coco(text_ids)
        ds = from_file(text_ids)
        ds.to_parquet(tmp_path / "x.parquet")
        assert json.loads(read_parquet(tmp_path / "x.parquet").to_coco()) == made == json.loads(from_hf(ds.to_hf()).to_coco())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(0, 6), i=st.integers(1, 4))
def test_any_columns_come_back_as_they_were(data: st.DataObject, n: int, i: int, tmp_path: Path) -> None:
    number = st.floats(allow_nan=True, allow_infinity=False)
    image = data.draw(st.lists(st.integers(0, i - 1), min_size=n, max_size=n))
    meta = {
        name: np.array([*data.draw(st.lists(texts, min_size=n, max_size=n)), None], object)[:-1]
        if data.draw(st.booleans())
        else np.array(data.draw(st.lists(number, min_size=n, max_size=n)))
        for name in data.draw(st.lists(texts, max_size=3, unique=True))
    }
    files = np.array([*data.draw(st.lists(texts, min_size=i, max_size=i)), None], object)[:-1]
    keypoints = np.array(data.draw(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.sampled_from([0, 1, 2])), min_size=2 * n, max_size=2 * n)))
    ds = PoseDataset.from_arrays(
        schema=OWN, image=np.array(image, np.int64), images={"id": np.arange(i), "file": files, "folder": files[::-1]}, keypoints=keypoints.reshape(n, 2, 3),
        area=np.array(data.draw(st.lists(number, min_size=n, max_size=n))), meta=meta, name=data.draw(texts),
    )  # fmt: skip
    same(ds, read_parquet(ds.to_parquet(tmp_path / "any.parquet")))
    same(ds, from_hf(to_hf(ds)))


def test_the_table_reads_plainly(tmp_path: Path) -> None:
    table = to_arrow(plain())
    rows = table.to_pylist()
    assert [row["image_id"] for row in rows] == [4, 2, 8, 6]
    assert [len(row["instances"]) for row in rows] == [1, 0, 2, 0]
    first = rows[2]["instances"][0]
    assert (first["id"], first["bbox"], first["category"], first["species"]) == (1, [1, 2, 3, 4.1], 0, "cat")
    assert rows[0]["instances"][0]["bbox"] is None
    assert rows[0]["instances"][0]["area"] is None
    assert rows[0]["instances"][0]["num_keypoints"] is None
    header = json.loads(table.schema.metadata[b"posebench"])
    assert header["schema"]["keypoints"][0]["name"] == "left_hinge"
    frame = pq.read_table(plain().to_parquet(tmp_path / "x.parquet")).to_pandas()
    assert frame["file_name"].tolist() == ["a.png", "b.png", "c.png", "d.png"]


def test_points_of_an_instance_are_one_array_in_numpy_format() -> None:
    record = to_hf(plain()).with_format("numpy")[2]["instances"][0]
    assert record["keypoints"].shape == (2, 3)
    assert record["annotated"].tolist() == [True, True]


def test_categories_of_one_name_have_different_labels() -> None:
    labels = to_hf(from_file()).features["instances"].feature["category"].names
    assert labels == ["person (1)", "person", ""]


# -- fingerprints ------------------------------------------------------------------------------------


def changes() -> dict[str, PoseDataset]:
    ds = plain()
    own, images = ds.instances, ds.images

    def nudged(name: str) -> Any:
        values = getattr(own, name).copy()
        values[-1] = ~values[-1] if values.dtype == bool else {"image": 0, "category": 1, "keypoints": 0}.get(name, 77)
        return replace(ds, instances=replace(own, **{name: values}))

    return {
        **{name: nudged(name) for name in ("id", "image", "category", "keypoints", "bbox", "area", "crowd", "ignore", "recorded")},
        "meta": replace(ds, instances=own.with_meta(species=np.array(["cat", "", "x"], object))),
        "meta type": replace(ds, instances=own.with_meta(i8=own.meta["i8"].astype(np.int16))),
        "folder": replace(ds, images=replace(images, folder=np.full(4, "pictures", object))),
        "file": replace(ds, images=replace(images, file=images.file[::-1])),
        "name": replace(ds, name="other"),
        "schema": replace(ds, schema=replace(OWN, source="another shop")),
        "categories": replace(ds, categories=(replace(ds.categories[0], rest={"a": b"1"}), *ds.categories[1:])),
        "provenance": replace(ds, provenance=ds.provenance.then("a step")),
        "order": ds.take([2, 1, 0]),
        "file rest": replace(ds, rest=replace(ds.rest, keys=("info",), texts={"info": b"{}"})),
    }  # fmt: skip


def test_every_change_of_a_value_changes_the_fingerprint() -> None:
    marks = [fingerprint(plain()), *map(fingerprint, changes().values())]
    assert len(set(marks)) == len(marks)
    texts = [fingerprint(replace(from_file(), rest=rest)) for rest in (from_file().rest, replace(from_file().rest, listing=None))]
    assert len({*texts, fingerprint(from_file(True))}) == 3


SCRIPT = """
import sys; sys.path.insert(0, {tests!r})
from test_arrow import from_file
hf = from_file().to_hf()
print(hf._fingerprint, hf.map(lambda row: dict(width=1))._fingerprint)
"""


def test_two_processes_agree_on_the_fingerprint_and_share_results() -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    said = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(posedata.__file__).parents[1])}
        said.append(subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True).stdout)
    assert said[0] == said[1]
    assert said[0].split()[0] == fingerprint(from_file()) == to_hf(from_file())._fingerprint


def test_a_damaged_cache_file_is_made_again(caches: Path) -> None:
    ds = from_file()
    to_hf(ds)
    file = caches / "posebench" / "hf" / f"{fingerprint(ds)}.arrow"
    file.unlink()
    file.write_bytes(b"no arrow")
    same(ds, from_hf(to_hf(ds)))
    assert len(file.read_bytes()) > 100


def test_a_cache_that_cannot_be_written_is_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POSEBENCH_CACHE", str(tmp_path / "file" / "below"))
    same(from_file(), from_hf(to_hf(from_file())))


# -- images ------------------------------------------------------------------------------------------


def pictured(folder: Path) -> PoseDataset:
    for n, name in enumerate("abcd"):
        Image.new("RGB", (8, 6), (n * 50, 10, 200)).save(folder / f"{name}.png")
    return replace(plain(), images=replace(plain().images, folder=np.full(4, str(folder), object)))


def test_images_decode_by_path_and_from_embedded_bytes(tmp_path: Path) -> None:
    (tmp_path / "png").mkdir()
    ds = pictured(tmp_path / "png")
    assert to_hf(ds)[2]["image"].convert("RGB").getpixel((0, 0)) == (100, 10, 200)
    to_parquet(ds, tmp_path / "paths")
    to_parquet(ds, tmp_path / "bytes", images=True)
    to_parquet(ds, tmp_path / "one.parquet", images=True)
    assert [row["image"].size for row in load(tmp_path / "paths", streaming=True)] == [(8, 6)] * 4
    for file in (tmp_path / "png").iterdir():
        file.unlink()
    colours = [(n * 50, 10, 200) for n in range(4)]
    for folder, options in ((tmp_path / "bytes", {}), (tmp_path / "bytes", {"streaming": True})):
        rows = list(load(folder, **options))
        assert [row["image"].convert("RGB").getpixel((3, 3)) for row in rows] == colours
        assert len(rows[2]["instances"]) == 2
    for name in ("bytes", "one.parquet"):
        back = read_parquet(tmp_path / name)
        assert [back[i].image.getpixel((3, 3)) for i in range(len(ds))] == [colours[row] for row in ds.instances.image]
        same(travelled(ds), travelled(back))
        assert [row["image"].size for row in load(back.to_parquet(tmp_path / f"again-{name.split('.')[0]}", images=True))] == [(8, 6)] * 4
    same(travelled(ds), from_hf(load(tmp_path / "bytes")))
    assert str(tmp_path) not in (tmp_path / "one.parquet").read_bytes().decode("latin-1"), "the paths of the author's machine stay there"


def test_bytes_are_written_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posedata.formats.arrow.BATCH_BYTES", 1)
    monkeypatch.setattr("posedata.formats.arrow.SHARD_BYTES", 1)
    ds = pictured(tmp_path)
    to_parquet(ds, tmp_path / "bytes", images=True)
    assert sorted(f.name for f in (tmp_path / "bytes").iterdir()) == [f"part-{i:05d}.parquet" for i in range(4)]
    table = pq.read_table(tmp_path / "bytes" / "part-00002.parquet")
    assert table["image"][0].as_py() == {"bytes": (tmp_path / "c.png").read_bytes(), "path": "c.png"}
    assert Image.open(io.BytesIO(table["image"][0].as_py()["bytes"])).size == (8, 6)
    same(travelled(ds), travelled(read_parquet(tmp_path / "bytes")))
    assert read_parquet(tmp_path / "bytes", images=tmp_path).images.folder.tolist() == [str(tmp_path)] * 4


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/passwd", "..", "a\\..\\x.png", "C:\\x.png", "\\\\host\\x.png", "", "a\0b"])
def test_a_name_that_leads_out_of_its_folder_has_no_image(name: str, tmp_path: Path) -> None:
    ds = pictured(tmp_path)
    ds = replace(ds, images=replace(ds.images, file=np.array(["a.png", name, "..c/..d.png", "x:y.png"], object)))
    (tmp_path / "..c").mkdir()
    for there in ("..c/..d.png", "x:y.png"):
        (tmp_path / there).write_bytes((tmp_path / "a.png").read_bytes())
    images = to_arrow(ds)["image"].to_pylist()
    assert [i and i["path"] for i in images] == [f"{tmp_path}/a.png", None, f"{tmp_path}/..c/..d.png", f"{tmp_path}/x:y.png"]
    assert to_hf(ds)[1]["image"] is None
    same(ds, from_hf(to_hf(ds)))


def test_images_that_cannot_be_read_are_named_before_anything_is_written(tmp_path: Path) -> None:
    ds = pictured(tmp_path)
    (tmp_path / "b.png").unlink()
    (tmp_path / "d.png").write_bytes(b"")
    with pytest.raises(FormatError, match=r"b\.png: 2 of 4 images cannot be read: .*b\.png, .*d\.png; put them there, or leave their images out"):
        to_parquet(ds, tmp_path / "out", images=True)
    with pytest.raises(PoseError, match=r"a\.png: 4 of 4 images cannot be read"):
        to_parquet(plain(), tmp_path / "out.parquet", images=True)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.parquet").exists()


# -- complaints --------------------------------------------------------------------------------------


def test_a_folder_that_is_there_is_never_mixed_with_another_set(tmp_path: Path) -> None:
    to_parquet(plain(), tmp_path / "out")
    with pytest.raises(DataError, match="out: is there already; choose a new folder"):
        to_parquet(from_file(), tmp_path / "out")
    to_parquet(plain(), tmp_path / "x.parquet")
    to_parquet(from_file(), tmp_path / "x.parquet")  # a file is replaced whole
    same(from_file(), read_parquet(tmp_path / "x.parquet"))


def test_what_is_no_parquet_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("hello")
    (tmp_path / "none").mkdir()
    (tmp_path / "mixed").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    to_parquet(plain(), tmp_path / "mixed" / "a.parquet")
    to_parquet(from_file(), tmp_path / "mixed" / "b.parquet")
    for name, words in {
        "text.parquet": "is no whole Parquet file",
        "none": "holds no .parquet files; name the folder they are in",
        "missing.parquet": "no such file or directory; check the path",
        "foreign.parquet": "no column 'instances' that is a list of records",
        "mixed": "its files are of different datasets",
    }.items():
        with pytest.raises(FormatError, match=words) as caught:
            read_parquet(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_damaged_header_is_an_error_never_a_traceback(tmp_path: Path) -> None:
    table = to_arrow(from_file()).drop_columns("posebench")
    good = json.loads(table.schema.metadata[b"posebench"])
    bad: list[Any] = [
        None,
        [],
        {},
        {**good, "version": 99},
        {**good, "schema": 3},
        {**good, "categories": [{}]},
        {**good, "layouts": {"images": [], "instances": []}},
    ]
    bad += [{**good, "schema": {**good["schema"], "keypoints": [{"name": "a", "sigma": 7}]}}, {**good, "texts": 1}, {**good, "meta": None}]
    for values in bad:
        pq.write_table(table.replace_schema_metadata({"posebench": json.dumps(values)}), tmp_path / "bad.parquet")
        with pytest.raises(PoseError) as caught:
            read_parquet(tmp_path / "bad.parquet")
        assert "\n" not in str(caught.value)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(DataError, match="a value that Arrow cannot hold"):
        to_arrow(replace(plain(), images=replace(plain().images, file=np.array(["\ud800", "b", "c", "d"], object))))


def test_streams_splits_and_strangers_are_refused_with_a_cure() -> None:
    hf = to_hf(plain())
    for given_, words in (
        (hf.to_iterable_dataset(), "from_hf: a streamed dataset; load it without streaming"),
        (datasets.DatasetDict(val=hf), r"from_hf: several splits \(val\); choose one: hf\['val'\]"),
        ([1], "from_hf: a list; give a datasets.Dataset"),
    ):
        with pytest.raises(DataError, match=words):
            from_hf(given_)  # type: ignore[arg-type]


def stranger() -> Any:
    records = [
        [{"keypoints": [[1.0, 2, 2], [0, 0, 0]], "bbox": [1, 2, 3, 4], "label": "x"}],
        [],
        [{"keypoints": [[5, 6, 1], [7, 8, 2]], "bbox": None, "label": "y"}],
    ]
    return datasets.Dataset.from_dict({"image_id": ["p", "q", "r"], "instances": records, "weather": ["sun", None, "rain"], "parts": [[1], [2], [3]]})


def test_a_dataset_of_others_is_read_under_a_named_schema() -> None:
    with pytest.raises(FormatError, match="from_hf: no posebench header among its features; give schema=NAME"):
        from_hf(stranger())
    ds = from_hf(stranger(), schema=OWN)
    assert ds.images.id.tolist() == ds.images.file.tolist() == ["p", "q", "r"]
    assert ds.instances.image.tolist() == [0, 2]
    assert ds.instances.keypoints[1].tolist() == [[5, 6, 1], [7, 8, 2]]
    assert np.isnan(ds.instances.bbox[1]).all()
    assert ds.instances.meta["label"].tolist() == ["x", "y"]
    assert ds.images.meta["weather"].tolist() == ["sun", "", "rain"]
    assert ds.provenance.steps == ("from a table without a posebench header", "columns left out: parts")
    assert [c.name for c in ds.categories] == ["object"]
    same(ds, from_hf(to_hf(ds)))


def test_class_labels_and_names_of_others_become_categories() -> None:
    records = [[{"keypoints": [[1.0, 2, 2]] * 2, "category": c} for c in ("dog", "cat")], [{"keypoints": [[1.0, 2, 2]] * 2, "category": "dog"}]]
    hf = datasets.Dataset.from_dict({"instances": records})
    assert from_hf(hf, OWN).category_names.tolist() == ["dog", "cat", "dog"]
    labels = datasets.Features(
        instances=datasets.List({"keypoints": datasets.List(datasets.List(datasets.Value("float64"))), "category": datasets.ClassLabel(names=["cat", "dog"])})
    )
    assert from_hf(hf.cast(labels), OWN).category_names.tolist() == ["dog", "cat", "dog"]
    assert [c.name for c in from_hf(hf.cast(labels), OWN).categories] == ["cat", "dog"]


def test_a_wrong_schema_is_never_guessed_around() -> None:
    with pytest.raises(FormatError, match=r"instances\.keypoints: lists of 2 where 17 are needed"):
        from_hf(stranger(), schema="coco17")
    with pytest.raises(SchemaError, match="no such schema"):
        from_hf(stranger(), schema="coco18")
    with pytest.raises(DataError, match=r"its schema is 'glasses'; read it so, then \.as_schema\('coco17'\)"):
        from_hf(to_hf(plain()), schema="coco17")
    bare = datasets.Dataset.from_dict({"instances": [[{"bbox": [1.0, 2, 3, 4]}]]})
    with pytest.raises(FormatError, match="no 'keypoints' in the records"):
        from_hf(bare, schema=OWN)


def test_a_category_of_a_text_id_with_sigmas_of_its_own_survives() -> None:
    kind = Category("k/1", "x", ("right_hinge",), ("RH",), (0.123456789012345,), ("id", "name"), {"deep": b'{"a": [1.0, "\\u00e4"]}'})
    ds = replace(plain(), categories=(kind, plain().categories[1]))
    assert from_hf(to_hf(ds)).categories == ds.categories


def files() -> list[Path]:
    return sorted(p for p in Path(REAL).rglob("*.json") if b'"annotations"' in p.read_bytes()[:1 << 26] and p.read_bytes().lstrip()[:1] == b"{") if REAL else []  # fmt: skip


@pytest.mark.skipif(not REAL, reason="POSE_REAL_DATA is not set")
def test_every_real_sample_survives_parquet_and_hugging_face(tmp_path: Path) -> None:
    assert files()
    for path in files():
        original = json.loads(path.read_bytes())
        ds = parse_coco(
            path.read_bytes(), COCO17 if "coco_" in str(path) and not any("keypoints" in c for c in original.get("categories", [{}])) else None, where=str(path)
        )
        same(ds, read_parquet(ds.to_parquet(tmp_path / "x.parquet")))
        assert json.loads(read_parquet(tmp_path / "x.parquet").to_coco()) == original, path
        assert json.loads(from_hf(ds.to_hf()).to_coco()) == original, path


@pytest.mark.skipif(not REAL, reason="POSE_REAL_DATA is not set")
def test_the_real_cats_survive_with_their_pictures(tmp_path: Path) -> None:
    ds = posedata.read_akd(Path(REAL or "") / "technumber_cats/train/keypoints_annotations.json")
    there = np.array([(Path(folder) / file).is_file() for folder, file in zip(ds.images.folder, ds.images.file, strict=True)])
    ds = ds.take_images(there)
    same(travelled(ds), travelled(read_parquet(ds.to_parquet(tmp_path / "cats", images=True))))
    row = next(iter(load(tmp_path / "cats", streaming=True)))
    assert row["image"].size[0] > 0
