"""Pictures: absent, broken, of another size, or stored turned. Only where they were opened: --images."""

from __future__ import annotations

from typing import Any

import numpy as np

from .findings import Hits, Rule, hits
from .looking import ABSENT, FINE, UNREADABLE, Looks
from .subject import Subject

__all__ = ["PICTURES"]


def _looks(s: Subject) -> Looks:
    if s.looks is None:
        raise ValueError("picture rules run only where pictures were opened")
    return s.looks


def _files(s: Subject, rows: Any) -> Any:
    return s.ds.images.file[rows]


def absent(s: Subject) -> Hits:
    rows = np.flatnonzero((_looks(s).state != FINE) & (_looks(s).state != UNREADABLE))
    words = np.where(_looks(s).state[rows] == ABSENT, "no such file", "nobody said where pictures lie")
    return hits(rows, _files(s, rows), words.astype(object))


def unreadable(s: Subject) -> Hits:
    rows = np.flatnonzero(_looks(s).state == UNREADABLE)
    return hits(rows, _files(s, rows), _looks(s).words[rows])


def _sizes(s: Subject) -> Any:
    said = np.stack([s.ds.images.width, s.ds.images.height], 1)
    other = (_looks(s).state == FINE) & (said > 0).all(1) & (said != _looks(s).size).any(1)
    turned = other & (said[:, ::-1] == _looks(s).size).all(1)
    return said, other, turned


def turned_size(s: Subject) -> Hits:
    said, _, turned = _sizes(s)
    rows = np.flatnonzero(turned)
    return hits(rows, *said[rows].T, *_looks(s).size[rows].T)


def other_size(s: Subject) -> Hits:
    said, other, turned = _sizes(s)
    rows = np.flatnonzero(other & ~turned)
    return hits(rows, *said[rows].T, *_looks(s).size[rows].T)


def orientation(s: Subject) -> Hits:
    rows = np.flatnonzero((_looks(s).state == FINE) & (_looks(s).orientation > 1))
    return hits(rows, _looks(s).orientation[rows])


def _rule(code: str, name: str, severity: str, key: str, find: Any, says: str, observed: str, expected: str, sentence: str, **more: Any) -> Rule:
    return Rule(code=code, name=name, topic="images", severity=severity, scope="images", table="images", key=key, find=find, says=says, observed=observed, expected=expected,
                sentence=sentence, **more)  # fmt: skip


PICTURES = (
    _rule("PD301", "absent-picture", "error", "file_name", absent, "picture is absent", "{0!r}", "{1}", "The file is not where the set says.",
          trap="TechNumber's cats: the course's repository lacks one picture of train (Cat_August_2010-4.jpg); the authors' README of the HKU cats points to another folder.",
          traps=("akd", "hku-cats")),
    _rule("PD302", "unreadable-picture", "error", "file_name", unreadable, "picture cannot be decoded", "{0!r}", "{1}", "A file cut short, or no picture at all; training stops there, hours in."),
    _rule("PD303", "other-size", "error", "", other_size, "picture has another size", "{0} x {1}", "the picture is {2} x {3}",
          "Points were placed on a picture of another size: a resized copy, or another file of that name."),
    _rule("PD304", "turned-size", "error", "", turned_size, "width and height are exchanged", "{0} x {1}", "the picture is {2} x {3}",
          "The picture itself proves it.", trap="CrowdPose train and test until 2021-03-29 (Jeff-sjtu/CrowdPose issue #12).", traps=("crowdpose-size",), fix="turned-size"),
    _rule("PD305", "orientation", "warning", "", orientation, "picture is stored turned", "EXIF orientation {0}", "1",
          "Tools that heed EXIF turn the picture, others do not: points fit one of them only. We count stored pixels."),
)  # fmt: skip
