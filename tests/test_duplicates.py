"""Duplicates and leaks: planted copies are found and named, frames and strangers are told apart, nothing bad crashes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

import posedata
from posedata import DataError, PoseDataset, read_akd
from posedata.images import open_image
from posedata.lookalikes import reading
from posedata.lookalikes.clusters import clustered, same_rows
from posedata.lookalikes.found import KINDS
from posedata.lookalikes.hashes import SIDE, TURNS, VARIANTS, Variant, distance, flat, hashes
from posedata.lookalikes.index import near_pairs
from posedata.lookalikes.verify import _unturned
from tests.test_cli import run

N = 12
WAYS: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "half": ("near", lambda p: p.resize((p.width // 2, p.height // 2), Image.Resampling.BICUBIC)),
    "larger": ("near", lambda p: p.resize((p.width * 3 // 2, p.height * 3 // 2), Image.Resampling.BICUBIC)),
    "cropped": ("near", lambda p: p.crop((round(0.04 * p.width), 0, round(0.99 * p.width), round(0.96 * p.height)))),
    "darker": ("near", lambda p: ImageEnhance.Brightness(p).enhance(0.75)),
    "contrast": ("near", lambda p: ImageEnhance.Contrast(p).enhance(1.3)),
    "gamma": ("near", lambda p: p.point([round(255 * (i / 255) ** 1.4) for i in range(256)] * 3)),
    "grey": ("near", lambda p: p.convert("L")),
    "mirrored": ("flip", lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "upended": ("turn", lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
    "on its side": ("turn", lambda p: p.transpose(Image.Transpose.ROTATE_90)),
}


def saved(folder: Path, pictures: Sequence[Image.Image], name: str, suffix: str = ".png", **how: object) -> PoseDataset:
    """Pictures as a dataset without poses."""
    (folder / name).mkdir(parents=True)
    files = [f"{row}{suffix}" for row in range(len(pictures))]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(folder / name / file, **how)
    return PoseDataset.from_arrays(name=name, image=[], images={"id": np.arange(len(files)), "file": files, "folder": [str(folder / name)] * len(files)})


@pytest.fixture(scope="module")
def scenes(drawn_once: Path) -> list[Image.Image]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEBENCH_CACHE", str(drawn_once))
        return [open_image(ds.images, row) for ds in (posedata.synthesize(c, "val", N // 2) for c in ("quadruped", "person")) for row in range(N // 2)]


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_copy_is_found_and_named(tmp_path: Path, scenes: list[Image.Image], way: str) -> None:
    kind, make = WAYS[way]
    found = posedata.duplicates(saved(tmp_path, scenes, "train"), saved(tmp_path, [make(p) for p in scenes], "val"))
    assert found.images.row[found.pairs.left].tolist() == found.images.row[found.pairs.right].tolist() == list(range(N))
    assert set(found.pairs.kind) == {kind}
    assert found.leaks == {("train", "val"): (N, N)}
    assert found.crossing.all()


def test_equal_bytes_and_equal_pixels_are_named_so(tmp_path: Path, scenes: list[Image.Image]) -> None:
    first = saved(tmp_path, scenes, "png")
    assert set(posedata.duplicates(first, saved(tmp_path, scenes, "again")).pairs.kind) == {"bytes"}
    found = posedata.duplicates(first, saved(tmp_path, scenes, "bmp", ".bmp"))
    assert set(found.pairs.kind) == {"pixels"}
    assert len(found) == N
    assert len(posedata.duplicates(first, saved(tmp_path, scenes, "ppm", ".ppm"), kinds="bytes")) == 0


@pytest.mark.parametrize("quality", [90, 30])
def test_a_picture_encoded_again_is_near(tmp_path: Path, scenes: list[Image.Image], quality: int) -> None:
    found = posedata.duplicates(saved(tmp_path, scenes, "a"), saved(tmp_path, scenes, "b", ".jpg", quality=quality))
    assert len(found) == N
    assert set(found.pairs.kind) == {"near"}
    assert found.pairs.similarity.min() > 0.97


def test_clean_sets_hold_no_duplicates_and_leak_nothing(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    found = posedata.duplicates(posedata.synthesize("person", "train", 64), posedata.synthesize("person", "val", 64))
    assert (len(found), found.leaks, found.unread, found.left_out) == (0, {}, {}, 0)
    assert "no leak between the sets" in str(found)


def test_frames_of_a_scene_in_which_much_moved_are_no_duplicates(tmp_path: Path) -> None:
    from benchmarks.duplicates import frame

    both = [(frame("person", i, 0, 0), frame("person", i, 0.25, 0.6)) for i in range(1, 9)]
    pairs = [(a[0], b[0]) for a, b in both if a[1]]
    found = posedata.duplicates(saved(tmp_path, [a for a, _ in pairs], "a"), saved(tmp_path, [b for _, b in pairs], "b"))
    assert len(found) == 0


def test_a_negative_is_no_copy(tmp_path: Path, scenes: list[Image.Image]) -> None:
    negative = [p.point([255 - i for i in range(256)] * 3) for p in scenes]
    assert len(posedata.duplicates(saved(tmp_path, scenes, "a"), saved(tmp_path, negative, "b"))) == 0


def test_pictures_of_one_shade_are_compared_exactly_and_counted(tmp_path: Path) -> None:
    plain = [Image.new("RGB", (40, 30), (v, v, v)) for v in (10, 10, 200)]
    found = posedata.duplicates(saved(tmp_path, plain, "a"))
    assert [(p, q) for p, q in zip(found.pairs.left, found.pairs.right, strict=True)] == [(0, 1)]
    assert found.flat == 3
    assert "one shade" in str(found)


def test_a_thousand_equal_pictures_make_a_thousand_pairs_not_a_million(tmp_path: Path, scenes: list[Image.Image]) -> None:
    ds = saved(tmp_path, [scenes[0]], "a")
    many = PoseDataset.from_arrays(image=[], images={"id": np.arange(1000), "file": ["0.png"] * 1000, "folder": [str(ds.images.folder[0])] * 1000})
    found = posedata.duplicates(many)
    assert len(found) == 999
    assert [len(c) for c in found.clusters] == [1000]
    assert found.counts["surplus images"] == 999


# -- what cannot be read -----------------------------------------------------------------------------


def broken(folder: Path, scenes: list[Image.Image]) -> PoseDataset:
    ds = saved(folder, scenes[:6], "broken")
    home = folder / "broken"
    (home / "1.png").unlink()
    (home / "2.png").write_bytes(b"no picture")
    (home / "3.png").write_bytes((home / "3.png").read_bytes()[:500])
    (home / "4.png").unlink()
    (home / "4.png").mkdir()
    files = [*ds.images.file[:5], "../out.png", ""]
    return PoseDataset.from_arrays(name="broken", image=[], images={"id": np.arange(7), "file": files, "folder": [str(home)] * 7})


def test_pictures_that_cannot_be_read_are_reported_and_not_alike(tmp_path: Path, scenes: list[Image.Image]) -> None:
    found = posedata.duplicates(broken(tmp_path, scenes))
    assert list(found.unread) == [1, 2, 3, 4, 5, 6]
    assert found.unread[1] == "no such picture"
    assert "cannot be decoded" in found.unread[2]
    assert "leaves its folder" in found.unread[5]
    assert len(found) == 0
    assert "unread" in str(found)
    assert found.images.key.tolist()[1:] == [""] * 6, "nobody knows what an unread picture is like"


def test_processes_find_the_same_and_outlive_a_decoder_that_dies(tmp_path: Path, scenes: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FEW", 0)
    ds = broken(tmp_path, scenes)
    paths = [str(tmp_path / "broken" / f"{i % 6}.png") for i in range(20)]
    steps: list[int] = []
    assert reading.read_files(paths, 2, steps.append) == [reading.fingerprint(p) for p in paths]
    assert sum(steps) == 20
    assert len(posedata.duplicates(ds, workers=2).unread) == 6
    reader = reading._Reader()
    monkeypatch.setattr(reader, "_ask", lambda asked: iter([b"ok" for p in asked[: asked.index("deadly") if "deadly" in asked else len(asked)]]))
    assert reader.read(["a", "deadly", "b", "c"]) == [b"ok", "its decoder crashed", b"ok", b"ok"]


def test_a_second_run_decodes_nothing_and_a_changed_file_is_noticed(tmp_path: Path, scenes: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    from posedata.lookalikes import store

    monkeypatch.setattr(store, "_RACY_NS", 0)
    ds = saved(tmp_path, [scenes[0], scenes[1]], "a")
    time.sleep(0.02)
    assert len(posedata.duplicates(ds)) == 0
    with monkeypatch.context() as patch:
        patch.setattr(store, "read_files", lambda paths, *_: [pytest.fail("decoded again") for _ in paths])
        assert len(posedata.duplicates(ds)) == 0
    scenes[0].save(tmp_path / "a" / "1.png")
    assert len(posedata.duplicates(ds)) == 1
    for shelf in (tmp_path / "cache" / "lookalikes").rglob("*.npz"):
        shelf.write_bytes(b"damaged")
    assert len(posedata.duplicates(ds)) == 1


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path, scenes: list[Image.Image]) -> None:
    posedata.duplicates(saved(tmp_path, scenes[:2], "a"))
    assert not list((tmp_path / "cache" / "lookalikes").rglob("*.npz"))


# -- what comes back ---------------------------------------------------------------------------------


def test_mark_groups_a_cluster_and_nobody_else(tmp_path: Path, scenes: list[Image.Image]) -> None:
    train = saved(tmp_path, scenes[:4], "train")
    val = saved(tmp_path, [scenes[1].convert("L"), scenes[5], scenes[1].resize((99, 99))], "val")
    found = posedata.duplicates(train, val)
    column = found.mark(train).images.meta["duplicate"].tolist()
    other = found.mark(val).images.meta["duplicate"].tolist()
    assert len(set(column)) == 4
    assert other[0] == other[2] == column[1]
    assert other[1] not in column
    assert found.mark(train.take_images([2, 1])).images.meta["duplicate"].tolist() == [column[2], column[1]]
    assert posedata.duplicates(train).mark(train).images.meta["duplicate"].tolist() == column, "the key stays when pictures are added after"
    with pytest.raises(DataError, match=r"3 images were not looked at: 0\.png, 1\.png, 2\.png; give this set"):
        posedata.duplicates(train).mark(val)


def test_the_table_and_the_json_say_the_same(tmp_path: Path, scenes: list[Image.Image]) -> None:
    found = posedata.duplicates(saved(tmp_path, scenes[:3], "same"), [saved(tmp_path / "x", [scenes[2]], "same")])
    assert found.sets == ("same #1", "same #2")
    frame, plain = found.to_frame(), json.loads(json.dumps(found.to_dict()))
    assert frame.to_dict("records") == plain["pairs"]
    assert plain["counts"]["bytes"] == 1
    assert plain["leaks"] == [{"sets": ["same #1", "same #2"], "images": [1, 1]}]
    assert plain["clusters"] == [[["same #1", "2"], ["same #2", "0"]]]


def test_wrong_arguments_are_one_line() -> None:
    ds = PoseDataset.from_arrays(image=[])
    assert len(posedata.duplicates(ds)) == 0
    for call in (
        lambda: posedata.duplicates(ds, kinds=["nears"]),
        lambda: posedata.duplicates("train.json"),  # type: ignore[arg-type]
        lambda: posedata.duplicates([]),
        lambda: posedata.duplicates(ds, similarity=2),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_the_command_finds_leaks_draws_them_and_exits_by_them(tmp_path: Path, scenes: list[Image.Image]) -> None:
    for name, pictures in (("train", scenes[:3]), ("val", [scenes[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)]), ("test", [scenes[4]])):
        saved(tmp_path, pictures, name).to_coco(tmp_path / f"{name}.json")
    done = run("posedata", "duplicates", "train.json", "val.json", "--images", "train", "--images", "val", "-o", "s.png", "--csv", "p.csv", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "LEAK    1 images of train and 1 of val" in done.stdout
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 800
    assert (tmp_path / "p.csv").read_text().count("flip") == 1
    done = run("posedata", "duplicates", "train.json", "test.json", "--images", "train", "--images", "test", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["counts"]["pairs"] == 0
    assert done.stderr == ""
    assert run("posedata", "duplicates", "train.json", "--images", "a", "--images", "b", cwd=tmp_path).returncode == 2
    assert run("posedata", "duplicates", "train.json", "--kind", "bites", cwd=tmp_path).returncode == 2


def test_the_cats_hold_three_pictures_twice(real: Path) -> None:
    folder = real / "technumber_cats" / "train"
    found = posedata.duplicates(read_akd(folder / "keypoints_annotations.json", folder / "labeled"))
    names = {frozenset((found.images.file[a], found.images.file[b])) for a, b in zip(found.pairs.left, found.pairs.right, strict=True)}
    assert frozenset(("кот в профиль в полный рост.jpg", "кот_кот.jpg")) in names
    assert len(found) == 3
    assert list(found.unread.values()) == ["no such picture"]


# -- laws of the parts -------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", TURNS)
def test_the_hash_of_a_turned_picture_is_foretold(turn: str) -> None:
    small = np.random.default_rng(0).integers(0, 255, (5, SIDE, SIDE), np.uint8)
    transposed, mirrored, upended = TURNS[turn]
    turned = small.transpose(0, 2, 1) if transposed else small
    turned = turned[:, :, ::-1] if mirrored else turned
    turned = np.ascontiguousarray(turned[:, ::-1] if upended else turned)
    assert (distance(hashes(turned)[0], hashes(small, [Variant(turn)])[0]) <= 1).all()
    row = next(i for i, v in enumerate(VARIANTS) if v.turn == turn)
    assert (_unturned(turned, np.full(5, row)) == small).all()


def test_brightness_and_contrast_change_no_hash() -> None:
    small = np.random.default_rng(0).integers(50, 100, (5, SIDE, SIDE), np.uint8)
    assert (distance(hashes(small)[0], hashes(small * 2 + 20)[0]) == 0).all()
    assert flat(np.zeros((2, SIDE, SIDE), np.uint8)).all()


def test_the_search_without_all_pairs_finds_what_all_pairs_find() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (60, 6, 6)).repeat(8, 1).repeat(8, 2)
    noisy = (base + rng.normal(0, 12, (60, SIDE, SIDE))).clip(0, 255)
    small = np.concatenate([base, noisy]).astype(np.uint8)
    near = near_pairs(small, 12, 1)
    all_hashes = hashes(small)[0]
    a, b = np.triu_indices(len(small), 1)
    close = distance(all_hashes[a], all_hashes[b]) <= 12
    pairs = zip(np.minimum(near.query, near.base).tolist(), np.maximum(near.query, near.base).tolist(), strict=True)
    assert set(pairs) == set(zip(a[close].tolist(), b[close].tolist(), strict=True))


def test_a_crowded_bucket_is_searched_in_part_and_says_so() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (1, 6, 6)).repeat(8, 1).repeat(8, 2)
    small = (base + rng.normal(0, 4, (700, SIDE, SIDE))).clip(0, 255).astype(np.uint8)
    near = near_pairs(small, 30, 1)
    assert near.left_out > 0
    assert (clustered(700, near.query, near.base) == 0).all(), "they are one cluster all the same"


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_clusters_are_those_of_an_obvious_union(n: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % n, b % n) for a, b in pairs]
    groups = [{i} for i in range(n)]
    for a, b in pairs:
        one, other = (next(g for g in groups if x in g) for x in (a, b))
        if one is not other:
            groups.remove(other)
            one |= other
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    assert clustered(n, rows[:, 0], rows[:, 1]).tolist() == [min(next(g for g in groups if i in g)) for i in range(n)]


def test_same_rows_names_the_first_of_equals() -> None:
    values = np.array([[1, 1], [2, 1], [1, 1], [2, 1], [1, 1]], np.uint64)
    assert same_rows(values, np.array([True, True, True, True, False])).tolist() == [0, 1, 0, 1, 4]


def test_every_kind_and_limit_is_documented() -> None:
    from posedata.lookalikes.finding import LIMITS

    text = (Path(__file__).parents[1] / "docs" / "duplicates.md").read_text()
    assert all(f"| `{name}` |" in text for name in [*KINDS, *LIMITS])


def test_a_mirrored_copy_is_grouped_for_splits_and_never_joined(tmp_path: Path, scenes: list[Image.Image]) -> None:
    """Its poses would lie mirrored on the picture they were put on."""
    train = saved(tmp_path, [scenes[0], scenes[1]], "train")
    val = saved(tmp_path, [scenes[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), scenes[1]], "val")
    found = posedata.duplicates(train, val)
    a, b = found.mark(train), found.mark(val)
    assert a.images.meta["duplicate"].tolist() == b.images.meta["duplicate"].tolist()
    assert [x == y for x, y in zip(a.images.meta["same_pixels"], b.images.meta["same_pixels"], strict=True)] == [False, True]
    with pytest.raises(DataError, match=r"'duplicate' also groups mirrored, .*; join those that are equal: duplicate_groups='same_pixels'"):
        posedata.merge({"a": a, "b": b}, policy="join", duplicate_groups="duplicate")
    joined, _ = posedata.merge({"a": a, "b": b}, policy="join", duplicate_groups="same_pixels")
    assert len(joined.images) == 3, "the equal pair is one image, the mirrored copy another"
    by_bytes, _ = posedata.merge({"a": a, "b": b}, policy="join")
    assert len(by_bytes.images) == 3, "what the parts say of themselves does not bring the mirrored ones together"


def test_a_picture_that_cannot_be_read_is_no_all_clear(tmp_path: Path, scenes: list[Image.Image]) -> None:
    saved(tmp_path, scenes[:3], "train").to_coco(tmp_path / "train.json")
    next((tmp_path / "train").glob("*.png")).write_bytes(b"no picture")
    done = run("posedata", "duplicates", "train.json", "--images", "train", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["counts"]["unread"] == 1
