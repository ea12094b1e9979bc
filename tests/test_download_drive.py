"""Google Drive, played on 127.0.0.1: its question, its quota, and where its page may send us."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from posedata.download import drive
from posedata.errors import PoseError
from tests.site import DATA, SHA, File, Site, answer, get, in_turn, names, page
from tests.site import serving as serving  # the fixture `site`


def test_drive_asks_and_is_answered(site: Site, tmp_path: Path) -> None:
    form = (
        '<form id="download-form" action="{}" method="get"><input type="submit" value="Download anyway"/><input type="hidden" name="id" value="F&amp;1">'
        '<input type="hidden" name="export" value="download"><input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="u-1"></form>'
    )

    def download(h: BaseHTTPRequestHandler) -> None:
        sure = parse_qs(urlsplit(h.path).query).get("uuid") == ["u-1"]
        (sure_page if sure else page("Google Drive - Virus scan warning", form.format(site.root + "/download")))(h)

    sure_page = in_turn(File(cut=100_000), File())
    site.pages["/download"] = download
    assert get(drive("F&1", "a.zip", len(DATA), SHA, base=site.root + "/download"), tmp_path).read_bytes() == DATA
    assert [a[0] for a in site.asked[:2]] == ["/download?id=F%261&export=download&confirm=t", "/download?id=F%261&export=download&confirm=t&uuid=u-1"]
    assert site.ranges == ["", "", "bytes=100000-", "bytes=100000-"]


def test_drive_asks_by_link_or_cookie(site: Site, tmp_path: Path) -> None:
    def by_cookie(h: BaseHTTPRequestHandler) -> None:
        if "confirm=Ab1" in h.path and "download_warning_x=Ab1" in h.headers.get("Cookie", ""):
            return File()(h)
        return answer(h, 200, {"Content-Type": "text/html", "Set-Cookie": "download_warning_x=Ab1"}, b"<html>sure?</html>")

    link = '<a id="uc-download-link" href="/uc?export=download&amp;confirm=Xy_z&amp;id=F1">Download anyway</a>'
    site.pages |= {"/cookie": by_cookie, "/link": page("sure?", link), "/uc": File()}
    for path in ("/cookie", "/link"):
        assert get(drive("F1", "a.zip", sha256=SHA, base=site.root + path), tmp_path / path[1:]).read_bytes() == DATA
    assert site.asked[-1][0] == "/uc?export=download&confirm=Xy_z&id=F1"


@pytest.mark.parametrize("status", [200, 403, 429])
def test_drives_quota_is_told_with_its_cure(site: Site, tmp_path: Path, status: int) -> None:
    site.pages["/d"] = page("Google Drive - Quota exceeded", "Too many users have viewed or downloaded this file recently.", status)
    with pytest.raises(PoseError, match=r"a.zip: Google Drive gives it to nobody just now: .* \(its quota\); try again in a day, or .* put it at .*a.zip"):
        get(drive("F1", "a.zip", base=site.root + "/d"), tmp_path)
    assert len(site.asked) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("action", ["http://127.0.0.2/download", "file:///etc/passwd", "https://evil.example/download?.google.com", "{same}"])
def test_drives_page_cannot_send_us_anywhere(site: Site, tmp_path: Path, action: str) -> None:
    hidden = '<input type="hidden" name="id" value="F1"><input type="hidden" name="export" value="download"><input type="hidden" name="confirm" value="t">'
    site.pages["/d"] = page("Hm", f'<form id="download-form" action="{action.format(same=site.root + "/d")}">{hidden}</form>')
    with pytest.raises(PoseError, match=r"a web page came instead of the file \('Hm'\)"):
        get(drive("F1", "a.zip", base=site.root + "/d"), tmp_path)
    assert len(site.asked) == 1
