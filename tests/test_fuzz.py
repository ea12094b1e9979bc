"""Broken on purpose: any bytes end in one line of PoseError, or in a dataset that writes back what it read.

POSE_FUZZ=100000 makes more mutations than the normal run; POSE_REAL_DATA names a folder with real files to break too.
"""

import copy
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from posedata import PoseError, read_akd, read_coco, read_predictions
from posedata.schemas import SCHEMAS

MUTATIONS = int(os.environ.get("POSE_FUZZ", "1000"))
SHARES = 20
"""Mutations run in this many tests, so that they can run beside each other."""

NAMES = list(SCHEMAS["foot6"].names)
ODD = [
    None, True, False, 0, 1, 2, -1, 0.5, 3.0, -0.0, 1e300, 5e-324, 0.1234567890123456789, 2**53 + 1, 2**63, -(2**63), 2**64, 10**400, float("nan"), float("inf"),
    "", "1", "x", "null", "ключ", "a\nb", "\u2028", "\ud800", "0" * 100, "0101", [], [[]], [None], [1, 2, 3], [0] * 4, [0] * 18, [1e308] * 18, ["a"] * 4, {}, {"a": {}}, {"id": 1},
    {"counts": "0", "size": [1, 1]},
]  # fmt: skip
KEYS = ["id", "image_id", "category_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd", "ignore", "score", "annotated", "posebench", "species", "track_id", "crowdIndex", "", "\n"]  # fmt: skip
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"null",
    b"true",
    b"NaN",
    b"1e999",
    b"-",
    b"0",
    b".",
    b"e5",
    b"\\",
    b"\\ud83d",
    b"\xff",
    b"\x00",
    b"\xef\xbb\xbf",
    b" ",
    b"\n",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEBENCH_CACHE", str(tmp_path / "cache"))


# -- what is broken ----------------------------------------------------------------------------------


def truth():
    """Three images and six feet: one without points, one without box, one crowd, some unknown keys."""
    point = [10.25, 20, 2, 30, 40.5, 1, 0, 0, 0]
    notes = [
        {"id": i, "image_id": 1 + i % 3, "category_id": 1, "keypoints": point * 2, "num_keypoints": 4, "bbox": [1, 2, 3.5, 4], "area": 7.5} for i in range(1, 7)
    ]
    del notes[1]["keypoints"], notes[2]["bbox"], notes[2]["area"]
    notes[3] |= {"iscrowd": 1, "segmentation": {"counts": "0", "size": [2, 2]}, "species": "cat"}
    notes[4] |= {"track_id": 5, "note": {"a": [1, None, "ключ"]}, "ignore": 0}
    images = [{"id": i, "file_name": f"{i} 'ж'.jpg", "width": 64, "height": 48, "crowdIndex": 0.5, "date": None} for i in (1, 2, 3)]
    category = {"id": 1, "name": "foot", "supercategory": "body", "keypoints": NAMES, "skeleton": [[1, 2]]}
    return {"info": {"year": 2024}, "images": images, "annotations": notes, "categories": [category], "licenses": []}


def results():
    rows = [{"image_id": 1 + i % 3, "category_id": 1, "keypoints": [1.5, 2, 0.5, 0, 0, 0] * 3, "score": i / 7, "bbox": [1, 2, 3, 4]} for i in range(6)]
    rows[0]["posebench"] = {"version": 1, "schema": "foot6", "model": "mine"}
    return rows


def cats():
    points = {name: [0.25, 0.5, 1] for name in SCHEMAS["akd16"].names}
    images = {str(i): {"file_name": f"{i}.jpg", "width": 64, "height": 48} for i in range(3)}
    return {"images": images, "keypoints": {str(i): points for i in range(3)}}


def _real(pattern):
    folder = os.environ.get("POSE_REAL_DATA")
    return [json.loads(path.read_bytes()) for path in sorted(Path(folder).rglob(pattern))] if folder else []


def _small(value, room=6000):
    """A file of so many bytes is broken where it matters more often than one of millions."""
    if isinstance(value, list):
        while len(value) > 1 and len(json.dumps(value)) > room:
            value = value[: len(value) // 2]
        return value
    return {k: _small(v, room) if k in ("annotations", "images") else v for k, v in value.items()}


def sources():
    """(reader, value) of every file to break."""
    coco = [truth(), *(v for name in ("gt.json", "test_ap10k.json", "test_crowdpose.json", "*foot*.json") for v in _real(name))]
    found = [*((coco_survives, _small(v)) for v in coco), *((results_survive, _small(v)) for v in [results(), *_real("preds.json")])]
    return [*found, *((akd_survives, v) for v in [cats(), *(_first(v, 3) for v in _real("keypoints_annotations.json"))])]


def _first(value, n):
    return {k: dict(list(v.items())[:n]) if isinstance(v, dict) else v for k, v in value.items()}


# -- how it is broken --------------------------------------------------------------------------------


def _places(value, found=None):
    """(container, key) of every value inside."""
    found = [] if found is None else found
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        _places(value[key], found)
    return found


def _replace(rng, value, places):
    inside, key = rng.choice(places)
    inside[key] = copy.deepcopy(rng.choice(ODD))


def _drop(rng, value, places):
    inside, key = rng.choice(places)
    del inside[key]


def _double(rng, value, places):
    inside, key = rng.choice(places)
    if isinstance(inside, list):
        inside.insert(rng.randrange(len(inside) + 1), copy.deepcopy(inside[key]))
    else:
        inside[rng.choice(KEYS)] = copy.deepcopy(inside[key])


def _exchange(rng, value, places):
    (a, i), (b, j) = rng.choice(places), rng.choice(places)
    a[i], b[j] = copy.deepcopy(b[j]), copy.deepcopy(a[i])


def _add(rng, value, places):
    rows = [inside for inside, _ in places if isinstance(inside, dict)] or [{}]
    rng.choice(rows)[rng.choice(KEYS)] = copy.deepcopy(rng.choice(ODD))


def _everywhere(rng, value, places):
    """One key of all rows of one kind."""
    _, key = rng.choice(places)
    odd = rng.choice(ODD)
    for other, k in places:
        if isinstance(other, dict) and k == key and k in other:
            other[k] = copy.deepcopy(odd)


def _cut(rng, data):
    return data[: rng.randrange(len(data))]


def _delete(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 9) :]


def _repeat(rng, data):
    at = rng.randrange(len(data))
    return data[: at + rng.randrange(1, 40)] + data[at:]


def _flip(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _token(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + rng.choice(TOKENS) + data[at + rng.randrange(2) :]


def _swap(rng, data):
    a, b, c = sorted(rng.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


VALUE_LEVEL = [_replace, _replace, _drop, _double, _exchange, _add, _everywhere]
BYTE_LEVEL = [_cut, _delete, _repeat, _flip, _flip, _token, _token, _swap]


def mutated(rng, value):
    """The file's bytes after one to three accidents."""
    if rng.random() < 0.6:
        value = copy.deepcopy(value)
        for _ in range(rng.randint(1, 3)):
            places = [(inside, key) for inside, key in _places(value)]
            if places:
                rng.choice(VALUE_LEVEL)(rng, value, places)
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    data = json.dumps(value, indent=rng.choice([None, 1])).encode()
    for _ in range(rng.randint(1, 2)):
        data = rng.choice(BYTE_LEVEL)(rng, data) or b" "
    return data


# -- what must hold ----------------------------------------------------------------------------------


def coco_survives(path, data):
    ds = read_coco(path)
    original, written = json.loads(data.removeprefix(b"\xef\xbb\xbf")), json.loads(ds.to_coco())
    assert written == original
    assert _orders(written) == _orders(original)
    repr(ds)


def _orders(value):
    """The keys of everything, in order."""
    if isinstance(value, dict):
        return [(k, _orders(v)) for k, v in value.items()]
    return [_orders(v) for v in value] if isinstance(value, list) else None


def results_survive(path, data):
    try:
        p = read_predictions(path)
    except PoseError as e:
        if "--schema" not in str(e):
            raise
        p = read_predictions(path, schema={17: "coco17", 14: "crowdpose14"}.get(_points(data), "foot6"))
    rows = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    rows = rows if isinstance(rows, list) else next(rows[k] for k in ("annotations", "predictions", "results") if k in rows)
    assert p.image.tolist() == [row["image_id"] for row in rows]
    assert p.score.tolist() == [row["score"] for row in rows]
    assert np.nan_to_num(p.keypoints).reshape(len(p), -1)[:, 2::3].tolist() == [row["keypoints"][2::3] for row in rows]
    path.write_bytes(p.to_json())
    again = read_predictions(path, schema=p.schema)
    for name, values in p.columns().items():
        np.testing.assert_array_equal(again.columns()[name], values, name)
    repr(p)


def _points(data):
    try:
        return len(json.loads(data)[0]["keypoints"]) // 3
    except (ValueError, LookupError, TypeError):
        return 0


def akd_survives(path, data):
    ds = read_akd(path)
    original = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    assert [str(i) for i in ds.images.id] == list(original["images"])
    assert ds.images.file.tolist() == [row["file_name"] for row in original["images"].values()]
    size = np.array([[row["width"], row["height"]] for row in original["images"].values()], float).reshape(-1, 1, 2)
    shares = np.array([[original["keypoints"][key][n] for n in ds.schema.names] for key in original["images"]], float).reshape(-1, 16, 3)
    np.testing.assert_allclose(ds.instances.keypoints[..., :2] + 0.5, shares[..., :2] * size, rtol=1e-12, atol=1e-9)
    repr(ds)


def survives(check, path, data):
    path.write_bytes(data)
    try:
        check(path, data)
    except PoseError as e:
        error = e
    else:
        return
    text = str(error)
    assert text.startswith(str(path)), text
    assert text.isprintable(), text
    assert len(text) < 2500, text
    assert error.seen


@pytest.mark.parametrize("share", range(SHARES))
def test_a_broken_file_is_one_line_or_is_read_whole(share, tmp_path):
    files = sources()
    for index in range(share, MUTATIONS, SHARES):
        check, value = files[index % len(files)]
        data = mutated(random.Random(index), value)
        try:
            survives(check, tmp_path / "f.json", data)
        except BaseException as e:
            (tmp_path / f"mutation{index}.json").write_bytes(data)
            e.add_note(f"mutation {index} of {check.__name__}: {tmp_path}/mutation{index}.json")
            raise


def test_the_files_survive_unbroken(tmp_path):
    for number, (check, value) in enumerate(sources()):
        data = json.dumps(value).encode()
        (tmp_path / f"{number}.json").write_bytes(data)
        check(tmp_path / f"{number}.json", data)
