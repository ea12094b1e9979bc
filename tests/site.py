"""A web site on 127.0.0.1 with the habits, good and bad, of the servers data sets lie on."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from posedata.download import Remote, disk, fetch

ROOT = Path(__file__).parents[1]
DATA = random.Random(0).randbytes(300_000)
SHA, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA, usedforsecurity=False).hexdigest()
TIGHT = shutil.disk_usage("/")._replace(free=disk.RESERVE + 1000)


Page = Callable[[BaseHTTPRequestHandler], object]


class Quiet(ThreadingHTTPServer):
    """A server that keeps to itself what clients do to it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@dataclass
class Site:
    """Pages by path, and what was asked of them."""

    root: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def remote(self, path: str, name: str = "a.zip", **known: Any) -> Remote:
        return Remote(self.root + path, name, **(known or {"size": len(DATA), "sha256": SHA}))

    @property
    def ranges(self) -> list[str]:
        return [asked[1] for asked in self.asked]


@pytest.fixture(name="site")
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Range", "")))
            here.pages[urlsplit(self.path).path](self)

        def log_message(self, *words: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    here = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield here
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True)
class File:
    """A page that is a file, with its server's habits."""

    data: bytes = DATA
    ranges: bool = True
    cut: int | None = None  # the connection drops after so many bytes of the body
    drip: float = 0.0  # seconds between two pieces
    etag: str = '"one"'
    modified: str = ""
    kind: str = "application/zip"
    length: bool = True

    def __call__(self, h: BaseHTTPRequestHandler) -> None:
        start = self.start(h) if self.ranges else 0
        if start >= len(self.data) > 0:
            answer(h, 416, {"Content-Range": f"bytes */{len(self.data)}", "ETag": self.etag})
            return
        body = self.data[start:]
        headers = {"Content-Type": self.kind, "ETag": self.etag, "Last-Modified": self.modified}
        headers |= {"Content-Length": str(len(body))} if self.length else {}
        headers |= {"Content-Range": f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"} if start else {}
        answer(h, 206 if start else 200, headers, b"")
        for piece in pieces(body[: self.cut], 16384 if self.drip else len(body)):
            h.wfile.write(piece)
            time.sleep(self.drip)

    def start(self, h: BaseHTTPRequestHandler) -> int:
        since = h.headers.get("If-Range")
        asked = h.headers.get("Range", "")
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and since in (None, self.etag, self.modified) else 0


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size or 1))


def answer(h: BaseHTTPRequestHandler, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
    h.send_response(status)
    for name, value in (headers or {}).items():
        if value:
            h.send_header(name, value)
    h.end_headers()
    h.wfile.write(body)


def page(title: str, body: str = "", status: int = 200) -> Page:
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>".encode()
    return lambda h: answer(h, status, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(text))}, text)


def moved(to: str) -> Page:
    return lambda h: answer(h, 302, {"Location": to})


def in_turn(*pages: Page) -> Page:
    """Another page each time; the last one stays."""
    left = list(pages)
    return lambda h: (left.pop(0) if len(left) > 1 else left[0])(h)


def get(remote: Remote, folder: Path, **how: Any) -> Path:
    """`fetch` without waiting between attempts."""
    usual: dict[str, Any] = {"quiet": True, "pause": lambda seconds: None, "timeout": 5.0}
    return fetch(remote, folder, **(usual | how))


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def started(remote: Remote, folder: Path) -> subprocess.Popen[str]:
    """A process of its own that fetches."""
    code = f"from posedata.download import *; print(fetch({remote!r}, {str(folder)!r}, pause=lambda s: None))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def chunked(data: bytes, whole: bool) -> Page:
    def send(h: BaseHTTPRequestHandler) -> None:
        h.protocol_version = "HTTP/1.1"
        answer(h, 200, {"Transfer-Encoding": "chunked", "Connection": "close", "ETag": '"one"'})
        for piece in pieces(data, 40_000):
            h.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        h.wfile.write(b"0\r\n\r\n" if whole else b"9c40\r\nhalf a piece")

    return send
