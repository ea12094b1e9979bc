"""Whatever is done to a file, looking at it gives a report or one line; what its fixes change, their log undoes."""

from __future__ import annotations

import copy
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import posedata
from posedata import PoseError
from tests.validation_cases import document, note

ODD = [
    None,
    True,
    -1,
    0,
    1,
    2.5,
    1e300,
    2**70,
    "",
    "1",
    "x\n\x1b[31m",
    "../a",
    [],
    [1],
    [[1, 2]],
    [0, 1, 2, 3],
    {},
    {"id": 1},
    [None],
    [-1, -1, 0] * 17,
    [0.5] * 51,
    float("nan"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


def broken(seed: int, hits: int) -> Any:
    """A sound document with some values replaced, removed, repeated or exchanged."""
    rng = random.Random(seed)
    doc: Any = {**document(), "annotations": [*document()["annotations"], note(5)]}
    for _ in range(hits):
        *steps, last = rng.choice([p for p in places(doc) if p and len(p) < rng.choice((3, 5, 7))])
        parent = doc
        for step in steps:
            parent = parent[step]
        act = rng.randrange(4)
        if act == 0:
            del parent[last]
        elif act == 1 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif act == 2 and isinstance(parent[last], list) and all(isinstance(v, dict) for v in parent[last]):
            parent[last] = {str(v.get("id", i)): v for i, v in enumerate(parent[last])}
        else:
            parent[last] = copy.deepcopy(rng.choice(ODD))
    return doc


@given(st.integers(0, 10**9), st.integers(1, 6))
def test_a_broken_file_gives_a_report_or_one_line_and_fixes_are_undone(seed: int, hits: int) -> None:
    doc = broken(seed, hits)
    with tempfile.TemporaryDirectory() as folder:
        path, out, back = (Path(folder) / f"{name}.json" for name in ("wrong", "mended", "back"))
        path.write_text(json.dumps(doc))
        try:
            report = posedata.validate(path)
        except PoseError as e:
            report, lines = None, [str(e)]
        else:
            lines = [str(f) for f in report]
        assert all("\n" not in line and "\x1b" not in line for line in lines)
        if report is None:
            return
        json.dumps(report.to_dict())
        try:
            strict = posedata.read_coco(path, cache=False)
        except PoseError:
            assert report.worst("error"), "what the reader refuses is an error"
        else:
            assert len(strict) == len(report.subject.ds)
        posedata.fix_file(path, out, report)
        posedata.undo_fixes(out, back)
        assert same(json.loads(back.read_text()), json.loads(path.read_text()))


def same(a: Any, b: Any) -> bool:
    """Equal JSON values; NaN, which JSON does not have, is written null."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b or (a is None and b != b)
