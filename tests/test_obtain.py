"""posedata download: what is fetched ends where load_dataset looks."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from posedata import CatalogError, load_dataset
from posedata.catalog import Entry, Part, Source
from posedata.download.remote import Remote
from posedata.formats.coco import read_coco
from posedata.obtain import obtain
from tests.site import Page, Site, answer, serving  # noqa: F401  the fixture
from tests.test_catalog import person


def whole(data: bytes) -> Page:
    return lambda h: answer(h, 200, {}, data)


def packed(**files: object) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, value in files.items():
            archive.writestr(name.replace("__", "/").replace("_json", ".json"), json.dumps(value))
    return out.getvalue()


@pytest.fixture
def zebra(site: Site, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A dataset of two archives and one file that a person must get."""
    files = {"notes.zip": packed(annotations__train_json=person("ap10k17", 17)), "more.zip": packed(annotations__val_json=person("ap10k17", 17))}
    sources = []
    for name, data in files.items():
        site.pages[f"/{name}"] = whole(data)
        sources.append(Source(name, remote=Remote(f"{site.root}/{name}", name, len(data), hashlib.sha256(data).hexdigest()), into="zebra"))
    known = Entry(
        title="Zebras", schema="ap10k17", protocol="ap10k", folders=("zebra",), licence="CC0", citation="us", read=lambda found: read_coco(found.files[0]),
        splits={"default": {split: Part(((f"annotations/{split}.json",),)) for split in ("train", "val", "test")}},
        sources=(*sources, Source("test.json", page="https://example.org", how="ask for it")),
    )  # fmt: skip
    for module in ("posedata.catalog.entry", "posedata.obtain.entry"):
        monkeypatch.setattr(module, lambda name: known)
    return known


def test_archives_are_fetched_and_joined_in_one_folder(zebra: Entry, site: Site, tmp_path: Path) -> None:
    done = obtain("zebra", root=tmp_path, quiet=True)
    assert done.fetched == ("notes.zip", "more.zip")
    assert done.by_hand == ("test.json (size not known) from https://example.org: ask for it",)
    assert done.present == ("train", "val")
    assert sorted(p.name for p in (tmp_path / "zebra/annotations").iterdir()) == ["train.json", "val.json"]
    assert sorted(p.name for p in (tmp_path / "downloads").iterdir()) == [".more.zip.done", ".notes.zip.done", "more.zip", "notes.zip"]
    assert len(load_dataset("zebra", split="train", root=tmp_path)) == 2


def test_a_second_call_fetches_nothing(zebra: Entry, site: Site, tmp_path: Path) -> None:
    obtain("zebra", root=tmp_path, quiet=True)
    asked = len(site.asked)
    assert obtain("zebra", root=tmp_path, quiet=True).present == ("train", "val")
    assert len(site.asked) == asked


def test_only_what_is_asked_for_is_fetched(zebra: Entry, tmp_path: Path) -> None:
    assert obtain("zebra", root=tmp_path, only=["more.zip"], quiet=True).present == ("val",)
    with pytest.raises(CatalogError, match=r"no file 'mor\.zip'; did you mean 'more\.zip'\?"):
        obtain("zebra", root=tmp_path, only=["mor.zip"], quiet=True)
    with pytest.raises(CatalogError, match="no configuration 'x'"):
        obtain("zebra", "x", root=tmp_path)


def test_an_unpacking_cut_short_goes_on(zebra: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import posedata.obtain as room

    def cut(unpacked: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room, "move_into", cut)
        with pytest.raises(KeyboardInterrupt):
            obtain("zebra", root=tmp_path, quiet=True)
    assert obtain("zebra", root=tmp_path, quiet=True).present == ("train", "val")


def test_another_file_in_the_way_is_named_and_left(zebra: Entry, tmp_path: Path) -> None:
    (tmp_path / "zebra/annotations").mkdir(parents=True)
    mine = tmp_path / "zebra/annotations/train.json"
    mine.write_text("mine")
    done = obtain("zebra", root=tmp_path, quiet=True)
    assert "is there already, and is another file; move it away" in done.failed[0]
    assert done.fetched == ("more.zip",) and done.present == ("train", "val")
    assert mine.read_text() == "mine"


def test_one_source_that_fails_keeps_no_other_back(zebra: Entry, site: Site, tmp_path: Path) -> None:
    site.pages["/notes.zip"] = lambda h: answer(h, 404)
    done = obtain("zebra", root=tmp_path, quiet=True)
    assert done.fetched == ("more.zip",) and "404" in done.failed[0]


def test_an_archive_may_not_hold_another_datasets_folders(zebra: Entry, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed(**{"zebra__annotations__train_json": person("ap10k17", 17), "coco__annotations__x_json": {}, ".DS_Store": {}})
    site.pages["/all.zip"] = whole(data)
    loose = replace(zebra, sources=(Source("all.zip", remote=Remote(f"{site.root}/all.zip", "all.zip")),))
    monkeypatch.setattr("posedata.obtain.entry", lambda name: loose)
    assert "holds 'coco', which is not of this dataset" in obtain("zebra", root=tmp_path, quiet=True).failed[0]
    assert not (tmp_path / "coco").exists() and not (tmp_path / "zebra").exists()


def test_three_processes_may_unpack_at_once(zebra: Entry, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: obtain("zebra", root=tmp_path, quiet=True), range(3)))
    assert {d.present for d in done} == {("train", "val")} and not any(d.failed for d in done)


def test_a_single_file_is_put_in_its_place(zebra: Entry, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(person("ap10k17", 17)).encode()
    site.pages["/train.json"] = whole(data)
    single = replace(zebra, sources=(Source("train.json", remote=Remote(f"{site.root}/train.json", "train.json"), into="zebra/annotations"),))
    monkeypatch.setattr("posedata.obtain.entry", lambda name: single)
    assert obtain("zebra", root=tmp_path, quiet=True).present == ("train",)
