"""Fixes: ten planted faults are mended, nothing else is changed, every change is logged, and the log undoes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import posedata
from posedata import FormatError, PoseError
from posedata.cli import app
from posedata.schemas import SCHEMAS
from posedata.validation.fixes import FIXES, log_path
from tests.validation_cases import document, draw, note, pose


def ten_faults() -> dict[str, Any]:
    """A file that needs ten different fixes, all of which move no number."""
    doc = document()
    names = list(SCHEMAS["coco17"].names)
    doc["categories"] = {"id": 1, "name": "person ", "keypoints": names, "skeleton": [[0, 1], [2, 16]]}  # no list; blank; from 0
    doc["images"][0]["filename"] = doc["images"][0].pop("file_name")
    doc["images"][1]["date_captured"] = "2013-11-1417:02:52"
    doc["images"].append(dict(doc["images"][2]))
    doc["annotations"][0]["segmentation"] = [100, 60, 220, 60, 220, 187, 100, 187]
    doc["annotations"][1]["id"] = 1.731118e6
    del doc["annotations"][2]["id"]
    doc["annotations"][2]["keypoints"][:3] = [-1, -1, 0]
    doc["annotations"][2]["num_keypoints"] = 16
    doc["annotations"][3]["image_id"] = "3"
    doc["annotations"].append(note(50))  # the first one again
    doc["annotations"][4]["segmentation"] = [100, 60, 220, 60, 220, 187, 100, 187]
    return doc


def written(folder: Path, doc: object) -> Path:
    path = folder / "wrong.json"
    path.write_text(json.dumps(doc))
    return path


def leaves(value: Any, path: str = "$") -> dict[str, Any]:
    """Every plain value by its path."""
    if isinstance(value, dict):
        return {p: v for k, inner in value.items() for p, v in leaves(inner, f"{path}.{k}").items()}
    if isinstance(value, list):
        return {p: v for i, inner in enumerate(value) for p, v in leaves(inner, f"{path}[{i}]").items()}
    return {path: value}


def test_ten_planted_faults_are_mended_logged_and_undone(tmp_path: Path) -> None:
    doc = ten_faults()
    path, out, back = written(tmp_path, doc), tmp_path / "mended.json", tmp_path / "back.json"
    before = posedata.validate(path)
    changes = posedata.fix_file(path, out, before)
    assert len({c.fix for c in changes}) == 11 and {c.fix for c in changes} == {n for n in FIXES if n not in ("corners-to-size", "turned-size", "recount")}
    after = posedata.validate(out)
    assert after.ok and {f.rule for f in after} <= {"empty-images"}, after.summary
    assert len(posedata.read_coco(out)) == 4
    lines = [json.loads(line) for line in log_path(out).read_text().splitlines()]
    assert len(lines) == len(changes) and all({"at", "fix", "code", "op", "path", "before", "after"} <= set(line) for line in lines)
    assert posedata.undo_fixes(out, back) == len(changes)
    assert json.loads(back.read_text()) == doc
    assert json.loads(path.read_text()) == doc


def test_a_mended_file_differs_only_where_the_log_says(tmp_path: Path) -> None:
    doc = ten_faults()
    path, out = written(tmp_path, doc), tmp_path / "mended.json"
    changes = posedata.fix_file(path, out, posedata.validate(path))
    removed = {c.path for c in changes if c.op == "remove"}
    assert removed == {("images", 3), ("annotations", 4)}
    was, now = leaves(doc), leaves(json.loads(out.read_text()))
    touched = tuple("$" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in c.path) for c in changes)
    odd = {p for p in was.keys() | now.keys() if was.get(p, "absent") != now.get(p, "absent") and not p.startswith(touched)}
    assert not odd


def test_fixes_that_move_numbers_are_made_only_by_name(tmp_path: Path) -> None:
    doc = document()
    doc["annotations"][0]["num_keypoints"] = 12
    path, out = written(tmp_path, doc), tmp_path / "mended.json"
    report = posedata.validate(path)
    assert posedata.fix_file(path, out, report) == []
    assert json.loads(out.read_text()) == doc
    changes = posedata.fix_file(path, out, report, ["recount"])
    assert [(c.before, c.after) for c in changes] == [(12, 17)]
    with pytest.raises(PoseError, match="did you mean 'recount'"):
        posedata.fix_file(path, out, report, ["recont"])


def test_corner_boxes_become_sizes(tmp_path: Path) -> None:
    notes = []
    for i in range(12):
        x, y, w, h = 80 + 5 * i, 60 + 3 * i, 100 + 7 * i, 150 + 5 * i
        notes.append(note(i + 1, i % 3 + 1, x, y, w, h, bbox=[x, y, x + w, y + h]))
    path, out = written(tmp_path, {**document(), "annotations": notes}), tmp_path / "mended.json"
    posedata.fix_file(path, out, posedata.validate(path))
    assert json.loads(out.read_text())["annotations"][3]["bbox"] == [95, 69, 121, 165]
    assert posedata.validate(out).ok


def test_turned_sizes_are_mended_where_the_picture_proves_it(tmp_path: Path) -> None:
    doc = document()
    doc["images"][1].update(width=480, height=640)
    doc["annotations"][2] = note(3, 2, x=150, y=20, w=200, h=400)
    path, out = written(tmp_path, doc), tmp_path / "mended.json"
    draw(tmp_path, dict.fromkeys(("1.png", "2.png", "3.png"), (640, 480)))
    report = posedata.validate(path, images=tmp_path)
    posedata.fix_file(path, out, report)
    assert posedata.validate(out, images=tmp_path).ok
    assert {k: json.loads(out.read_text())["images"][1][k] for k in ("width", "height")} == {"width": 640, "height": 480}


def test_images_by_id_become_a_list_and_the_way_back_is_kept(tmp_path: Path) -> None:
    doc = {**document(), "images": {"1": "1.png", "2": "2.png", "3": "3.png"}}
    path, out = written(tmp_path, doc), tmp_path / "mended.json"
    posedata.fix_file(path, out, posedata.validate(path))
    assert json.loads(out.read_text())["images"][1] == {"id": 2, "file_name": "2.png"}
    posedata.undo_fixes(out, tmp_path / "back.json")
    assert json.loads((tmp_path / "back.json").read_text()) == doc


def test_what_cannot_be_fixed_or_undone_is_one_line(tmp_path: Path) -> None:
    path, out = written(tmp_path, ten_faults()), tmp_path / "mended.json"
    report = posedata.validate(path)
    with pytest.raises(FormatError, match="is the file itself"):
        posedata.fix_file(path, path, report)
    with pytest.raises(FormatError, match="the log lies beside"):
        posedata.undo_fixes(path, out)
    posedata.fix_file(path, out, report)
    changed = json.loads(out.read_text())
    changed["categories"] = 7
    out.write_text(json.dumps(changed))
    with pytest.raises(FormatError, match="does not fit"):
        posedata.undo_fixes(out, tmp_path / "back.json")
    log_path(out).write_text("no log\n")
    with pytest.raises(FormatError, match="not a log of fixes"):
        posedata.undo_fixes(out, tmp_path / "back.json")


def test_no_fix_is_made_to_a_sound_file(tmp_path: Path) -> None:
    path, out = written(tmp_path, document()), tmp_path / "mended.json"
    assert posedata.fix_file(path, out, posedata.validate(path)) == []
    assert json.loads(out.read_text()) == document()
    assert pose()[:2] == pose()[:2]


# -- the command -------------------------------------------------------------------------------------


def ran(*arguments: object) -> tuple[int, str, str]:
    from click.testing import CliRunner

    done = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    if isinstance(done.exception, PoseError):
        return 2, str(done.exception), ""
    return done.exit_code, done.stdout, done.stderr


def test_the_command_says_what_it_found_by_its_status(tmp_path: Path) -> None:
    sound = written(tmp_path, document())
    assert ran(sound)[0] == 0
    wrong = tmp_path / "b.json"
    wrong.write_text(json.dumps(ten_faults()))
    status, text, _ = ran(wrong)
    assert status == 1 and "PD001 error" in text and "[--fix listed-table]" in text
    assert ran(wrong, "--fail-on", "never")[0] == 0
    assert ran(tmp_path / "nowhere.json")[0] == 2
    assert "PD013" in ran(wrong, "--all", "--rules", "float-id")[1].splitlines()[0]


def test_the_command_speaks_json_fixes_and_undoes(tmp_path: Path) -> None:
    wrong, out, back = written(tmp_path, ten_faults()), tmp_path / "mended.json", tmp_path / "back.json"
    status, text, _ = ran(wrong, "--fix", "-o", out, "--json", "--most", 1)
    values = json.loads(text)
    assert status == 1 and values["fixed"]["changes"]["once"] == 2
    assert len(values["findings"]) == len(values["rules"])
    assert ran(out)[0] == 0
    assert json.loads(ran(out, "--undo", "-o", back, "--json")[1])["undone"] == sum(values["fixed"]["changes"].values())
    assert json.loads(back.read_text()) == ten_faults()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fix",), "--fix without -o"),
        (("-o", "b.json"), "-o without --fix"),
        (("--fix", "--undo", "-o", "b.json"), "one of them"),
        (("--rules", "nonsense"), "no rule 'nonsense'"),
        (("--thresholds", "nowhere.toml"), "no such file"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    status, text, _ = ran(written(tmp_path, document()), *arguments)
    assert status == 2 and words in text


def test_the_command_opens_pictures(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    draw(tmp_path, {"1.png": (640, 480), "2.png": b"broken", "3.png": (640, 480)})
    status, text, _ = ran(path, "--images", tmp_path)
    assert status == 1 and "PD302" in text
    assert "PD301" in ran(path, "--images")[1]
