"""check_results: what can be wrong with a file nobody has the truth for; and the commands of this family."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import posebench
from posebench.submission import CHECKS, check_results
from posedata import FormatError, PoseDataset, Predictions, read_predictions
from tests.people import HEIGHT, WIDTH, found, moved, people
from tests.test_cli import run

Change = Callable[[Predictions], Predictions]


def listed(truth: PoseDataset, path: Path) -> Path:
    """A file of images alone, as COCO publishes them for its test sets."""
    images = [{"id": int(i), "file_name": f"{i}.jpg", "width": WIDTH, "height": HEIGHT} for i in truth.images.id]
    path.write_text(json.dumps({"info": {}, "licenses": [], "images": images, "categories": [{"id": 1, "name": "person"}]}))
    return path


def test_sound_predictions_pass_every_check(tmp_path: Path) -> None:
    truth = people()
    found(truth).to_json(tmp_path / "p.json")
    answer = check_results(tmp_path / "p.json", listed(truth, tmp_path / "images.json"), "coco17")
    assert answer.ok, answer
    assert [f.check for f in answer] == list(CHECKS)
    assert repr(answer).endswith("nothing to mend")
    assert check_results(found(truth), truth).ok


def test_without_a_list_of_images_ids_are_not_looked_at() -> None:
    answer = check_results(found(people()))
    assert answer.name == "predictions, ids not looked at: no list of images"
    assert answer.ok and {f.check for f in answer} == set(CHECKS) - {"image-ids", "coverage", "categories", "axes"}


def test_a_header_names_the_images(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(found(people()), header={"dataset": "cat", "split": "test"})
    assert "ids not looked at: predictions header names 'cat/test': " in check_results(absent).name


def _late(p: Predictions) -> Predictions:
    many = p.take(np.repeat(np.arange(len(p)), 12))
    rng = np.random.default_rng(0)
    return replace(many, row=np.arange(len(many)), keypoints=many.keypoints + rng.normal(0, 5, many.keypoints.shape) * (1, 1, 0), score=rng.random(len(many)))


def _third(p: Predictions, **columns: object) -> Predictions:
    """The third record changed."""
    return replace(p, **{k: np.where((np.arange(len(p)) == 2).reshape(-1, *[1] * (getattr(p, k).ndim - 1)), v, getattr(p, k)) for k, v in columns.items()})


def _twice(p: Predictions) -> Predictions:
    again = p.take(np.append(np.arange(len(p)), [4]))
    return replace(again, row=np.arange(len(again)))


CASES: list[tuple[str, Change, int, str, str]] = [
    ("records", lambda p: p.take(np.zeros(0, np.intp)), 1, "no predictions", ""),
    ("image-ids", lambda p: _third(p, image=999), 1, "predictions name images that are not in the set: 999", "$[2].image_id"),
    ("categories", lambda p: _third(p, category=7), 1, "predictions have category 7; the set has 1", "$[2].category_id"),
    ("per-image", _late, -1, "are beyond the best 20 of their image", ".score"),
    ("scores", lambda p: replace(p, score=np.ones(len(p))), -1, "scores are 1: the order of the file decides", ""),
    ("scores", lambda p: replace(p, score=np.round(p.score, 0)), -1, "share their score with another of their image", ".score"),
    ("coordinates", lambda p: moved(p, lambda xy: xy / (WIDTH, HEIGHT)), -1, "no coordinate is over 1.0", "$[0].keypoints"),
    ("coordinates", lambda p: _third(p, keypoints=5000.0), 1, "have most of their points outside their image", "$[2].keypoints"),
    ("axes", lambda p: moved(p, lambda xy: xy[..., ::-1]), -1, "fit into their image only with x and y exchanged", ".keypoints"),
    ("empty", lambda p: _third(p, keypoints=np.array([np.nan, np.nan, 0])), 1, "have no point: all are 0, 0", "$[2].keypoints"),
    ("collapsed", lambda p: _third(p, keypoints=np.array([50.0, 60, 1])), 1, "have all points within a pixel", "$[2].keypoints"),
    ("repeats", _twice, 1, "repeat a pose of their image", ".keypoints"),
    ("coverage", lambda p: p.take(np.flatnonzero(p.image > 80)), 12, "12 of 60 images with annotated boxes have no prediction", "image "),
]  # fmt: skip


@pytest.mark.parametrize(("check", "change", "count", "seen", "first"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_a_fault_is_counted_and_its_first_record_named(check: str, change: Change, count: int, seen: str, first: str) -> None:
    truth = people()
    answer = check_results(change(found(truth, missed=0)), truth)
    finding = answer[check]
    assert not finding.ok and not answer.ok
    assert finding.count == count or (count < 0 and finding.count > 2)
    assert seen in finding.seen and first in finding.first, finding
    assert "checks have findings" in repr(answer)


def test_every_check_has_its_case() -> None:
    assert {c[0] for c in CASES} == set(CHECKS)


def test_bare_images_are_no_fault_where_nobody_knows_what_is_on_them(tmp_path: Path) -> None:
    truth = people()
    half = found(truth).take(np.flatnonzero(found(truth).image > 150))
    path = listed(truth, tmp_path / "images.json")
    assert check_results(half, path)["coverage"].ok
    few = half.take(np.flatnonzero(half.image > 300))
    assert not check_results(few, path)["coverage"].ok


def test_text_where_numbers_are_needed_is_told() -> None:
    truth = people()
    pred = found(truth)
    texts = replace(pred, image=np.array([f"{i:012d}" for i in pred.image], object))
    assert check_results(texts, truth)["image-ids"].seen.endswith("(ids are text here and numbers there)")


def test_logits_are_scores_too() -> None:
    truth = people()
    pred = found(truth)
    assert check_results(replace(pred, score=np.log(pred.score)), truth).ok


# -- the commands -------------------------------------------------------------------------------------


def test_check_results_exits_by_what_it_found(tmp_path: Path) -> None:
    truth = people()
    found(truth).to_json(tmp_path / "good.json")
    replace(found(truth), score=np.ones(len(found(truth)))).to_json(tmp_path / "bad.json")
    (tmp_path / "short.json").write_text('[{"image_id": 3, "category_id": 1, "keypoints": [1, 2, 1], "score": 1}]')
    listed(truth, tmp_path / "images.json")
    options = ("--images", "images.json", "--schema", "coco17")
    good = run("posebench", "check-results", "good.json", *options, cwd=tmp_path)
    assert good.returncode == 0 and good.stdout.endswith("nothing to mend\n"), good.stderr
    bad = run("posebench", "check-results", "bad.json", *options, "--json", cwd=tmp_path)
    assert bad.returncode == 1
    assert [f["check"] for f in json.loads(bad.stdout)["findings"] if not f["ok"]] == ["scores"]
    short = run("posebench", "check-results", "short.json", *options, cwd=tmp_path)
    assert short.returncode == 2 and "short.json $[0].keypoints" in short.stderr
    absent = run("posebench", "check-results", "good.json", "--dataset", "cat", "--split", "test", cwd=tmp_path)
    assert absent.returncode == 2 and "cat" in absent.stderr


def test_lengths_are_an_error_of_the_reader(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('[{"image_id": 3, "category_id": 1, "keypoints": [1, 2, 1], "score": 1}]')
    with pytest.raises(FormatError, match=r"\$\[0\]\.keypoints"):
        check_results(tmp_path / "p.json", schema="coco17")


def test_why_is_a_command(tmp_path: Path) -> None:
    truth = people()
    truth.to_coco(tmp_path / "t.json")
    moved(found(truth), lambda xy: xy / 4).to_json(tmp_path / "p.json")
    done = run("posebench", "why", "p.json", "--truth", "t.json", "-n", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("likely: coordinates are divided by 4\n")
    asked = run("posebench", "why", "p.json", "--truth", "t.json", "--metric", "AR", "--expected", "0.5", "--json", cwd=tmp_path)
    assert json.loads(asked.stdout)["expected"] == 0.5


def test_postprocess_is_a_command(tmp_path: Path) -> None:
    pred = found(people())
    twice = pred.take(np.tile(np.arange(len(pred)), 2))
    replace(twice, row=np.arange(len(twice))).to_json(tmp_path / "p.json")
    done = run("posebench", "postprocess", "p.json", "--rescore", ".2", "--nms", ".9", "-o", "out.json", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values == {"out": "out.json", "read": len(twice), "kept": len(posebench.oks_nms(posebench.rescore(pred)))}
    written = read_predictions(tmp_path / "out.json")
    assert written.header["score"] == "box x keypoints" and len(written) == values["kept"]
    assert (
        run("posebench", "postprocess", "p.json", "-o", "o.json", cwd=tmp_path).stderr.strip()
        == "posebench: postprocess: nothing to do; --rescore, --nms or --soft-nms"
    )
