"""Archives: a folder whole or not at all, and nothing outside it, whatever the archive says."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import stat
import struct
import tarfile
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from posedata.download import extract
from posedata.errors import PoseError
from tests.site import DATA, TIGHT, names

Files = dict[str, bytes]
PLAIN: Files = {"set/annotations/a.json": b"{}", "set/images/1.jpg": DATA, "set/empty": b"", "ü/ж '\".txt": b"x"}
KINDS = ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"]


def packed(folder: Path, kind: str, files: Files = PLAIN) -> Path:
    path = folder / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
    else:
        write: Any = f"w:{kind[4:]}"
        with tarfile.open(path, write) as tar:
            for name, data in files.items():
                tar.addfile(entry(name, size=len(data)), io.BytesIO(data))
    return path


def entry(name: str, **values: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


def tar_of(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return path


def zip_of(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in entries:
            zipped.writestr(name, data)
    return path


def zipped_as(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def refused(archive: Path, words: str, folder: str = "in/out") -> None:
    """The archive is refused in these words, and the disk is as before."""
    root = archive.parent
    before = {name: (root / name).read_bytes() if (root / name).is_file() else None for name in names(root)}
    with pytest.raises(PoseError, match=words) as caught:
        extract(archive, root / folder, quiet=True)
    assert "\n" not in str(caught.value)
    with suppress(OSError):
        (root / "in").rmdir()  # the folder's parent may have been made, and is empty
    assert {name: (root / name).read_bytes() if (root / name).is_file() else None for name in names(root)} == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_becomes_a_folder(tmp_path: Path, kind: str) -> None:
    out = extract(packed(tmp_path, kind), tmp_path / "deep" / "out", quiet=True)
    assert {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()} == PLAIN
    assert names(tmp_path / "deep")[0] == "out" and not [n for n in names(tmp_path / "deep") if n.startswith(".")]
    assert extract(tmp_path / "gone.zip", out) == out, "a filled folder is taken as it is"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_archive_leaves_nothing(tmp_path: Path, kind: str) -> None:
    archive = packed(tmp_path, kind, {"a": b"a" * 700, "images/1.jpg": DATA[:5000], "b": b"b" * 512})
    whole = archive.read_bytes()
    end = 8704 if kind == "tar" else len(whole)  # three members, a folder's worth of headers; zeros follow
    for keep in [1, 100, 512, 1024, 1700, 2048, end // 2, end - 600, end - 20, end - 1]:
        archive.write_bytes(whole[:keep])
        refused(archive, "cannot be unpacked .*fetch it anew|neither zip nor tar|shorter than")


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_byte_is_no_traceback(tmp_path: Path, kind: str) -> None:
    archive = packed(tmp_path, kind, {"a": b"a" * 700, "images/1.jpg": DATA[:3000], "b": b"b" * 512})
    whole, flips = archive.read_bytes(), random.Random(1)
    for i in range(150):
        damaged = bytearray(whole)
        damaged[flips.randrange(len(whole))] ^= 1 << flips.randrange(8)
        archive.write_bytes(damaged)
        with suppress(PoseError):
            extract(archive, tmp_path / "in" / str(i), quiet=True)
    assert names(tmp_path)[0] == archive.name and all(n == archive.name or n.startswith("in") for n in names(tmp_path))


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "//x/y", "..\\x", "a\\..\\..\\x", "C:\\x", "c:x", "\\x", "\\\\host\\share\\x"])
def test_no_member_leaves_the_folder(tmp_path: Path, name: str) -> None:
    refused(zip_of(tmp_path / "a.zip", ("ok", b"1"), (name, b"2")), "a.zip: member '.*' leaves its folder; do not trust")
    refused(tar_of(tmp_path / "a.tar", (entry("ok", size=1), b"1"), (entry(name, size=1), b"2")), "a.tar: member '.*' leaves its folder")
    refused(tar_of(tmp_path / "b.tar", (entry(name, type=tarfile.DIRTYPE), b"")), "leaves its folder")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "special file"),
        (tarfile.BLKTYPE, "special file"),
        (tarfile.FIFOTYPE, "special file"),
        (b"Z", "special file"),
    ],
)
@pytest.mark.parametrize("to", ["../..", "/etc/passwd", "ok"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes, words: str, to: str) -> None:
    (tmp_path / "secret").write_bytes(b"mine")
    link = entry("link", type=kind, linkname=to)
    refused(
        tar_of(tmp_path / "a.tar", (entry("ok", size=1), b"1"), (link, b""), (entry("link/secret", size=1), b"2")), f"'link' is a {words}, not a plain file"
    )


@pytest.mark.parametrize(("mode", "words"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "special file"), (stat.S_IFIFO, "special file")])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, mode: int, words: str) -> None:
    refused(zip_of(tmp_path / "a.zip", (zipped_as("link", mode | 0o777), b"../.."), ("link/x", b"2")), f"'link' is a {words}, not a plain file")


def test_modes_are_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    tar_of(tmp_path / "a.tar", (entry("d", type=tarfile.DIRTYPE, mode=0), b""), (entry("d/f", size=1, mode=0o6777, uid=0), b"1"))
    zip_of(tmp_path / "a.zip", (zipped_as("f", stat.S_IFREG | 0o4777), b"1"))
    for path in (extract(tmp_path / "a.tar", tmp_path / "t") / "d" / "f", extract(tmp_path / "a.zip", tmp_path / "z") / "f"):
        assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_there_twice_is_refused(tmp_path: Path) -> None:
    refused(tar_of(tmp_path / "a.tar", (entry("x", size=1), b"1"), (entry("./x", size=1), b"2")), r"a.tar member './x': there twice")
    refused(tar_of(tmp_path / "b.tar", (entry("x", size=1), b"1"), (entry("x/y", size=1), b"2")), r"b.tar member 'x/y': ")
    refused(tar_of(tmp_path / "c.tar", (entry(".", size=1), b"1")), "c.tar member '.': there twice, or in the place of another")


def test_a_bomb_is_bounded_by_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bombs = [packed(tmp_path, kind, {"a": b"", "b": bytes(900), "c": bytes(900)}) for kind in KINDS]
    with gzip.open(tmp_path / "b.tgz", "wb") as file:
        file.write(entry("huge", size=1 << 60).tobuf())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: TIGHT)
    for bomb in bombs:
        refused(bomb, r"(needs|holds) 1,800 bytes.*268,436,456 are free.*make room")
    refused(tmp_path / "b.tgz", "holds 1,152,921,504,606,846,976 bytes or more")


@pytest.mark.parametrize("declared", [10, 4000])
def test_a_zip_that_lies_about_its_sizes_is_found_out(tmp_path: Path, declared: int) -> None:
    archive = zip_of(tmp_path / "a.zip", ("x", bytes(3000)))
    archive.write_bytes(archive.read_bytes().replace(struct.pack("<L", 3000), struct.pack("<L", declared)))
    refused(archive, "a.zip.*(cannot be unpacked|longer|shorter)")


def test_a_tar_that_plays_with_tarfile_is_found_out(tmp_path: Path) -> None:
    turns = entry("x", size=0)
    turns.pax_headers = {"size": "-1024"}
    refused(tar_of(tmp_path / "a.tar", (turns, b"")), "cannot be unpacked")
    (tmp_path / "b.tar").write_bytes(entry("x", size=1 << 33, type=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT))
    refused(tmp_path / "b.tar", r"cannot be unpacked \(a header of 8,589,934,592 bytes\)")
    (tmp_path / "c.tar").write_bytes(entry("x", type=tarfile.GNUTYPE_LONGNAME, size=1).tobuf() * 5000)
    refused(tmp_path / "c.tar", "cannot be unpacked")
    endless = entry("x", size=0)
    endless.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    refused(tar_of(tmp_path / "d.tar", (endless, b"")), "cannot be unpacked|sparse")


def test_archives_joined_are_not_half_unpacked(tmp_path: Path) -> None:
    archive = packed(tmp_path, "tar")
    archive.write_bytes(archive.read_bytes() * 2)
    refused(archive, r"cannot be unpacked \(more data behind its end\)")


def test_names_in_other_letters_are_readable(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("caf_.txt", b"1"), ("ma__.txt", b"2"))
    archive.write_bytes(archive.read_bytes().replace(b"ma__", "mañ".encode()).replace(b"caf_.", b"caf\x82."))
    assert names(extract(archive, tmp_path / "zip")) == ["café.txt", "mañ.txt"]
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        tar.addfile(entry("na\xefve.txt", size=1), io.BytesIO(b"1"))
    assert [n.encode() for n in names(extract(tmp_path / "a.tar", tmp_path / "tar"))] == ["na∩ve.txt".encode()]


def test_an_encrypted_zip_is_one_line(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("x", b"2"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, "a.zip: 'x' is encrypted; unpack it by hand, with its password")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "a.zip: empty; fetch"),
        (b"<!DOCTYPE html><html>", "a web page, not an archive"),
        (b"7z\xbc\xaf\x27\x1c" * 200, r"neither zip nor tar; it begins with b.7z"),
        (bytes(2048), "neither zip nor tar"),
        (gzip.compress(b"{}" * 2000, mtime=0), "cannot be unpacked"),
        (b"PK\x03\x04" + bytes(100), "cannot be unpacked"),
    ],
)
def test_what_is_no_archive_is_said(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", words)


def test_extract_names_what_is_missing_or_in_its_way(tmp_path: Path) -> None:
    refused(tmp_path / "gone.zip", "gone.zip: no such file; check the path")
    (tmp_path / "file").touch()
    refused(packed(tmp_path, "zip"), "file: a file, where a folder is to be", "file")


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".out.unpacking" / "half").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    extract(packed(tmp_path, "tar.gz"), tmp_path / "out", quiet=True)
    assert names(tmp_path / "out")[0] == "set"
    assert not (tmp_path / ".out.unpacking").exists()


def test_many_threads_unpack_once(tmp_path: Path) -> None:
    archive = packed(tmp_path, "tar.xz")
    threads = [threading.Thread(target=extract, args=(archive, tmp_path / "out"), kwargs={"quiet": True}) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == sorted(["a.tar.xz", "out", *(f"out/{n}" for n in names(tmp_path / "out"))])
