"""Downloads in several processes: killed and continued, two at once, locks with and without the kernel."""

from __future__ import annotations

import errno
import hashlib
import random
import signal
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from posedata.download import disk
from tests.site import DATA, File, Site, get, names, started, until
from tests.site import serving as serving  # the fixture `site`


def holds(path: Path, least: int) -> bool:
    return path.exists() and path.stat().st_size >= least


def test_a_killed_process_is_continued_by_another(site: Site, tmp_path: Path) -> None:
    data = DATA * 10
    site.pages["/a"] = File(data, drip=0.002)
    remote = site.remote("/a", size=len(data), sha256=hashlib.sha256(data).hexdigest())
    part = tmp_path / "a.zip.part"
    for moment in random.sample(range(1, 1_500_000), 2):
        before = part.stat().st_size if part.exists() else 0
        with started(remote, tmp_path) as process:
            until(partial(holds, part, before + moment // 2))
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "a.zip").exists()
        assert data.startswith(part.read_bytes())
        left = part.stat().st_size
    with started(remote, tmp_path) as process:
        out, err = process.communicate(timeout=20)
    assert (out.strip(), err) == (str(tmp_path / "a.zip"), "")
    assert site.ranges[-1] == f"bytes={left}-"
    assert (tmp_path / "a.zip").read_bytes() == data
    assert names(tmp_path) == ["a.zip"]


def test_of_two_processes_one_fetches_and_the_other_waits(site: Site, tmp_path: Path) -> None:
    go = threading.Event()

    def hold_back(h: BaseHTTPRequestHandler) -> None:
        go.wait(10)
        File()(h)

    site.pages["/a"] = hold_back
    with started(site.remote("/a"), tmp_path) as first:
        until(lambda: site.asked)
        with started(site.remote("/a"), tmp_path) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "a.zip: another process is at it; waiting\n"
            go.set()
            for process in (first, second):
                assert process.communicate(timeout=20) == (f"{tmp_path / 'a.zip'}\n", "")
    assert len(site.asked) == 1
    assert names(tmp_path) == ["a.zip"]


class NoLocks:
    """A file system without locks."""

    LOCK_EX = LOCK_NB = 0

    @staticmethod
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("kernel", [disk.fcntl, NoLocks, None])
def test_many_threads_fetch_once(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: Any) -> None:
    monkeypatch.setattr(disk, "POLL", 0.005)
    monkeypatch.setattr(disk, "fcntl", kernel)
    site.pages["/a"] = File(drip=0.001)
    threads = [threading.Thread(target=get, args=(site.remote("/a"), tmp_path)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.asked) == 1
    assert names(tmp_path) == ["a.zip"]


def test_without_the_kernels_locks_a_dead_holder_is_found_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("fcntl", None), ("BEAT", 0.01), ("STALE", 0.15), ("POLL", 0.01)):
        monkeypatch.setattr(disk, name, value)
    lock = tmp_path / "a.zip.locked"
    lock.touch()
    done = threading.Event()
    beating = threading.Thread(target=disk.beat, args=(lock, done))
    beating.start()
    site.pages["/a"] = File()
    fetching = threading.Thread(target=get, args=(site.remote("/a"), tmp_path), kwargs={"quiet": False})
    fetching.start()
    fetching.join(0.4)
    assert site.asked == [], "a living holder is waited for"
    done.set()
    beating.join()
    fetching.join(5)
    assert names(tmp_path) == ["a.zip"]
    assert capsys.readouterr().err.count("another process is at it; waiting") == 1
