"""Downloads: whole and verified or not at all, from a server with every bad habit. Nothing but 127.0.0.1 is ever asked."""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from posedata.download import Remote, part, verify, web
from posedata.errors import DataError, FormatError, PoseError
from tests.site import DATA, MD5, SHA, TIGHT, File, Site, answer, chunked, get, in_turn, moved, names, page
from tests.site import serving as serving  # the fixture `site`


@pytest.mark.parametrize("known", [{}, {"md5": MD5}, {"md5": MD5.upper(), "sha256": SHA}, {"size": len(DATA)}, {"size": None}])
def test_a_file_arrives_whole_and_alone(site: Site, tmp_path: Path, known: dict[str, Any]) -> None:
    site.pages["/a"] = File()
    assert get(site.remote("/a", **known), tmp_path / "new" / "folder").read_bytes() == DATA
    assert names(tmp_path / "new" / "folder") == ["a.zip"]


@pytest.mark.parametrize("habits", [File(length=False), File(b"", kind=""), File(kind="text/html", data=b"PK\x03\x04 an archive"), File(DATA, modified="x")])
def test_a_file_arrives_from_a_careless_server(site: Site, tmp_path: Path, habits: File) -> None:
    site.pages["/a"] = habits
    assert get(site.remote("/a", size=None), tmp_path).read_bytes() == habits.data
    assert names(tmp_path) == ["a.zip"]


def test_a_dropped_connection_goes_on_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(File(cut=100_000), File(cut=50_000), File())
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert site.ranges == ["", "bytes=100000-", "bytes=150000-"]
    assert site.asked[-1][2] == '"one"'


def test_a_server_that_ignores_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(File(cut=100_000), File(ranges=False))
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert site.ranges == ["", "bytes=100000-"]


@pytest.mark.parametrize("second", [File(DATA[::-1], etag='"two"'), File(DATA[::-1][:-50_000], etag='"two"'), File(DATA[::-1][:90_000], etag='"two"')])
@pytest.mark.parametrize("heeds", [True, False])
def test_a_remote_file_that_changed_starts_over(site: Site, tmp_path: Path, second: File, heeds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not heeds:  # the server sends the rest of the new file, whatever If-Range says
        monkeypatch.setattr(File, "start", lambda self, h: int(h.headers.get("Range", "bytes=0-")[6:-1]))
    site.pages["/a"] = in_turn(File(cut=100_000), second)
    assert get(site.remote("/a", size=None), tmp_path).read_bytes() == second.data


def test_a_date_serves_where_the_etag_is_weak(site: Site, tmp_path: Path) -> None:
    habits = File(etag='W/"x"', modified="Mon, 01 Jan 2024 00:00:00 GMT")
    site.pages["/a"] = in_turn(replace(habits, cut=100_000), habits)
    assert get(site.remote("/a", size=None), tmp_path).read_bytes() == DATA
    assert site.asked[-1][1:] == ("bytes=100000-", habits.modified)


def test_the_end_of_an_unknown_length_is_found(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(DATA)
    (tmp_path / "a.zip.part.json").write_text(f'{{"url": "{site.root}/a", "etag": "\\"one\\"", "modified": "", "total": null}}')
    site.pages["/a"] = File()
    assert get(site.remote("/a", size=None), tmp_path).read_bytes() == DATA
    assert site.ranges == [f"bytes={len(DATA)}-"]


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "{}", '{"url": 3}', '{"url": "U", "etag": 3}', '{"url": "U", "total": "x", "etag": "\\r\\nX: y"}', '{"url": "no"}']
)
def test_a_part_of_unknown_origin_is_not_trusted(site: Site, tmp_path: Path, note: str) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"something else")
    (tmp_path / "a.zip.part.json").write_text(note.replace("U", site.root + "/a"))
    site.pages["/a"] = File()
    assert get(site.remote("/a", size=None), tmp_path).read_bytes() == DATA
    assert site.ranges == [""]


def test_a_later_call_goes_on_and_hashes_what_is_there(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(File(cut=100_000), page("down", status=404), File())
    with pytest.raises(PoseError, match=r"a.zip: the server answers 404 Not Found at http.*; fetch http.* in a browser and put it at .*a.zip"):
        get(site.remote("/a"), tmp_path)
    assert names(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert site.ranges[-1] == "bytes=100000-"
    assert names(tmp_path) == ["a.zip"]


def test_a_damaged_part_is_found_by_its_checksum(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(File(cut=100_000), File())
    with pytest.raises(
        PoseError, match="not to be had in 1 attempts, the last one: it ended after 100,000 of 300,000 bytes; try again: it goes on after 100,000 of"
    ):
        get(site.remote("/a"), tmp_path, retries=0)
    with (tmp_path / "a.zip.part").open("r+b") as part:
        part.write(b"\0\0\0\0")
    with pytest.raises(FormatError, match="sha256 is"):
        get(site.remote("/a"), tmp_path)
    assert names(tmp_path) == []


def test_a_busy_server_is_asked_again_and_waited_for(site: Site, tmp_path: Path) -> None:
    waits: list[float] = []
    busy = lambda h: answer(h, 503, {"Retry-After": "7"})
    site.pages["/a"] = in_turn(busy, page("oops", status=500), page("slow down", status=429), File())
    assert get(site.remote("/a"), tmp_path, pause=waits.append).read_bytes() == DATA
    assert waits == [7, 2, 4]


def test_patience_ends(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = page("oops", status=502)
    with pytest.raises(PoseError, match=r"a.zip: not to be had in 4 attempts, the last one: 127.0.0.1:.* answers 502"):
        get(site.remote("/a"), tmp_path, retries=3)
    assert len(site.asked) == 4
    assert names(tmp_path) == []


def test_attempts_that_bring_something_are_not_counted(site: Site, tmp_path: Path) -> None:
    data = DATA * 20
    site.pages["/a"] = File(data, cut=1 << 20)
    remote = site.remote("/a", size=len(data), sha256=hashlib.sha256(data).hexdigest())
    assert get(remote, tmp_path, retries=1).read_bytes() == data
    assert len(site.asked) == 6


def test_a_server_that_falls_silent_is_asked_again(site: Site, tmp_path: Path) -> None:
    awake = threading.Event()
    site.pages["/a"] = in_turn(lambda h: awake.wait(5), File())
    assert get(site.remote("/a"), tmp_path, timeout=0.1).read_bytes() == DATA
    awake.set()


def test_nobody_listening_is_one_line(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    with pytest.raises(PoseError, match=f"not to be had in 2 attempts, the last one: connection refused at 127.0.0.1:{port}; try again later"):
        get(Remote(f"http://127.0.0.1:{port}/a", "a.zip"), tmp_path, retries=1)


def test_a_wrong_byte_is_found_and_nothing_is_kept(site: Site, tmp_path: Path) -> None:
    wrong = DATA[:-1] + bytes([DATA[-1] ^ 1])
    site.pages["/a"] = File(wrong)
    with pytest.raises(FormatError, match=rf"a.zip: sha256 is {hashlib.sha256(wrong).hexdigest()}, expected {SHA}; nothing of it was kept"):
        get(site.remote("/a"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_of_another_size_is_not_even_fetched(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = File()
    with pytest.raises(FormatError, match=r"a.zip: the server has 300,000 bytes, expected 299,999; its source has changed"):
        get(site.remote("/a", size=299_999), tmp_path)
    site.pages["/a"] = File(length=False)
    with pytest.raises(FormatError, match="more came than the 299,999 bytes announced"):
        get(site.remote("/a", size=299_999), tmp_path)
    assert names(tmp_path) == []


def test_a_body_too_short_without_a_length_is_noticed(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(File(length=False, cut=1000), File(length=False))
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert site.ranges == ["", "bytes=1000-"]


def test_redirects_are_followed(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/a": moved("b?x=1"), "/b": moved(site.root + "/a file"), "/a%20file": File()}
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert [asked[0] for asked in site.asked] == ["/a", "/b?x=1", "/a%20file"]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,x", "", "http://[bad", "//:0", "javascript:1"])
def test_redirects_lead_to_the_web_only(site: Site, tmp_path: Path, to: str) -> None:
    site.pages["/a"] = moved(to)
    with pytest.raises(PoseError, match=r"a.zip: the server sends us to '.*', which is not followed"):
        get(site.remote("/a"), tmp_path)
    assert names(tmp_path) == []


def test_redirects_end(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/a": moved("/b"), "/b": moved("/a")}
    with pytest.raises(PoseError, match=r"a.zip: sent on 10 times, last to http"):
        get(site.remote("/a"), tmp_path)
    assert len(site.asked) == 10


def test_https_does_not_fall_back_to_http(tmp_path: Path) -> None:
    remote = Remote("https://a.example/x", "x.zip")
    assert web.redirected(remote.url, "/y z", remote, tmp_path) == "https://a.example/y%20z"
    with pytest.raises(PoseError, match="which is not followed"):
        web.redirected(remote.url, "http://a.example/y", remote, tmp_path)


def test_a_web_page_is_not_an_archive(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = page("Sign&amp;in\nhere")
    with pytest.raises(PoseError, match=r"a.zip: a web page came instead of the file \('Sign&in here'\) at http"):
        get(site.remote("/a", size=None), tmp_path)
    site.pages["/a"] = File(b"\n <HTML><body>", kind="application/octet-stream")
    with pytest.raises(PoseError, match="a web page came instead of the file at http"):
        get(site.remote("/a", size=None), tmp_path)
    assert names(tmp_path) == []
    assert get(site.remote("/a", "index.html", size=None), tmp_path).name == "index.html"


def test_a_full_disk_is_seen_before_anything_is_fetched(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: TIGHT)
    for habits in (File(), File(length=False)):
        site.pages["/a"] = habits
        with pytest.raises(PoseError, match=r"a.zip: needs [\d,]+ bytes and 268,435,456 to spare, but 268,436,456 are free in .*; make room"):
            get(site.remote("/a", size=None), tmp_path)
        assert names(tmp_path) == []
    site.pages["/a"] = File(DATA[:1000])
    assert get(site.remote("/a", size=1000), tmp_path).stat().st_size == 1000


def test_a_file_the_user_put_there_is_used(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(DATA)
    assert get(site.remote("/a"), tmp_path) == tmp_path / "a.zip"
    assert site.asked == []


@pytest.mark.parametrize(
    ("data", "words"),
    [(DATA[:-1], "299,999 bytes, expected 300,000"), (DATA[::-1], f"expected {SHA}"), (b"<!doctype html><p>quota", "a web page, not the file")],
)
def test_a_wrong_file_of_the_users_is_said_and_left(site: Site, tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FormatError, match=rf"a.zip: .*{words}; it is left as it is: move it away to fetch a.zip anew"):
        get(site.remote("/a"), tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == data


def test_verify_names_every_checksum_that_differs(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    verify(tmp_path / "x", Remote("http://127.0.0.1/x", "x", len(DATA), SHA, MD5))
    with pytest.raises(FormatError, match=f"x: sha256 is {SHA}, expected {'0' * 64}, md5 is {MD5}, expected {'1' * 32}; "):
        verify(tmp_path / "x", Remote("http://127.0.0.1/x", "x", None, "0" * 64, "1" * 32))
    with pytest.raises(FormatError, match=r"nowhere: cannot be read \(no such file or directory\)"):
        verify(tmp_path / "nowhere", Remote("http://127.0.0.1/x", "x"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a\\b", "C:a", "a\0"])
def test_a_remote_has_a_plain_name(name: str) -> None:
    with pytest.raises(DataError, match="not a plain file name"):
        Remote("http://127.0.0.1/", name)


def test_a_remote_is_on_the_web_with_digests_that_can_be() -> None:
    for url in ("file:///x", "x", "http://", "ftp://h/x", "http://h:x/"):
        with pytest.raises(DataError, match="not a web address"):
            Remote(url, "x")
    with pytest.raises(DataError, match="sha256 is 'abc'; it has 64 hexadecimal digits"):
        Remote("http://h/x", "x", sha256="abc")
    with pytest.raises(DataError, match="a size of -1"):
        Remote("http://h/x", "x", -1)


def test_a_folder_that_cannot_be_made_is_one_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PoseError, match=r"file/x: cannot be made \(not a directory\); choose another place"):
        get(site.remote("/a"), tmp_path / "file" / "x")


def test_a_chunked_body_that_breaks_is_continued(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = in_turn(chunked(DATA[:80_000], whole=False), File(DATA[:80_000] + b"half a piece, now whole"))
    assert get(site.remote("/a", size=None), tmp_path).read_bytes()[80_000:] == b"half a piece, now whole"
    assert site.ranges == ["", "bytes=80012-"]
    site.pages["/a"] = chunked(DATA, whole=True)
    assert get(site.remote("/a"), tmp_path / "again").read_bytes() == DATA


def test_a_disk_that_fills_up_keeps_what_came(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    site.pages["/a"] = in_turn(File(cut=100_000), File())
    with monkeypatch.context() as patch, pytest.raises(PoseError, match=r"a.zip.part: cannot be written \(no space left on device\); make room"):
        get(site.remote("/a"), tmp_path, pause=lambda seconds: patch.setattr(part, "write_all", full))
    assert (tmp_path / "a.zip.part").read_bytes() == DATA[:100_000]
    assert get(site.remote("/a"), tmp_path).read_bytes() == DATA
    assert site.ranges == ["", "bytes=100000-", "bytes=100000-"]
