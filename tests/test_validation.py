"""Every rule finds its fault and leaves its neighbour alone; sound sets are sound; every known trap is found by name."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import posedata
from posedata import RULES, DataError, FormatError, PoseError
from posedata.validation.findings import SCOPES, SEVERITIES
from posedata.validation.fixes import FIXES
from posedata.validation.rules import TOPICS
from posedata.validation.thresholds import thresholds
from posedata.validation.traps import TRAPS
from tests.conftest import poses
from tests.validation_cases import CASES, _exchange, crowd, document, looked, note, planted, put


def codes(report: posedata.Report) -> set[str]:
    return {f.rule for f in report}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda r: r.name)
def test_every_rule_finds_its_case_and_leaves_its_neighbour_alone(rule: posedata.validation.findings.Rule, tmp_path: Path) -> None:
    fires, silent = CASES[rule.name]
    found = [f for f in looked(fires(), tmp_path) if f.rule == rule.name]
    assert found, rule.sentence
    assert all(f.severity == rule.severity and f.code == rule.code for f in found)
    assert str(found[0]).startswith(f"{rule.code} {rule.severity}")
    for left in tmp_path.iterdir():
        left.unlink() if left.is_file() else None
    assert rule.name not in codes(looked(silent(), tmp_path))


def test_the_sound_file_of_the_cases_is_sound(tmp_path: Path) -> None:
    assert not list(looked(document(), tmp_path))


@pytest.mark.parametrize("config", ["quadruped", "person"])
def test_the_synthetic_sets_give_no_error_and_no_warning(config: str, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    ds = posedata.load_dataset("synthetic", config, split="val")
    assert isinstance(ds, posedata.PoseDataset)
    report = posedata.validate(ds, images=True, workers=2)
    assert report.ok, report.summary
    assert "PD301" in report.ran
    by_name = posedata.validate(f"synthetic/{config}/val")
    assert [str(f) for f in by_name] == [str(f) for f in report]


@pytest.mark.slow
@pytest.mark.parametrize("config", ["quadruped", "person"])
def test_the_larger_synthetic_sets_are_sound_too(config: str, drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBENCH_CACHE", str(drawn_once))
    report = posedata.validate(f"synthetic/{config}/train")
    assert report.ok, report.summary


def test_rules_stand_in_the_tables_of_their_words() -> None:
    for rule in RULES.values():
        assert rule.severity in SEVERITIES and rule.scope in SCOPES and rule.topic in TOPICS
        assert set(rule.thresholds) <= set(thresholds())
        assert set(rule.traps) <= set(TRAPS) and bool(rule.traps) <= bool(rule.trap)
        assert not rule.fix or rule.fix in FIXES
    assert set(CASES) == {r.name for r in RULES.values()}
    assert {r.code[:3] for r in RULES.values() if r.topic == "geometry"} == {"PD1"}
    unused = set(thresholds()) - {t for r in RULES.values() for t in r.thresholds} - {"findings_kept"}
    assert not unused


def test_every_threshold_says_why() -> None:
    assert all(len(t.why) > 20 and t.unit for t in thresholds().values())


# -- traps of published files ------------------------------------------------------------------------


def _twenty(i: int) -> dict[str, object]:
    """Animal-Pose's: corners, no id, twenty points said, one of which has a place and no flag."""
    own = note(i, i, x=150, y=100 + i, w=100 + i, h=200)
    x, y, w, h = own["bbox"]
    return {"image_id": i, "category_id": 1, "bbox": [x, y, x + w, y + h], "num_keypoints": 20, "keypoints": [*own["keypoints"][:2], 0, *own["keypoints"][3:]]}


_SHARED = "categories.0.skeleton"
_FIRST_TWELVE = [0] * 3 * 12 + [150, 100, 1, 150, 90, 1]


def _crowdpose() -> dict[str, object]:
    names = list(posedata.SCHEMAS["crowdpose14"].names)
    notes = [
        {
            "id": i,
            "image_id": 1,
            "category_id": 1,
            "bbox": [100, 60, 120, 240],
            "iscrowd": 0,
            "num_keypoints": 0,
            "keypoints": [n + i if n > 1 else n for n in _FIRST_TWELVE],
        }
        for i in (1, 2, 3)
    ]
    notes.append(
        {
            **notes[0],
            "id": 4,
            "bbox": [300, 60, 120, 240],
            "num_keypoints": 12,
            "keypoints": [n for k in range(12) for n in (310 + k, 100 + k, 2)] + [150, 90, 1, 150, 95, 1],
        }
    )
    notes.append({**notes[0], "id": 5, "bbox": [300, 60, 120, 240], "num_keypoints": 0, "keypoints": [0] * 42})
    skeleton = document()["categories"][0]["skeleton"]
    return {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480, "crowdIndex": 3.02}],
        "annotations": notes,
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": skeleton}],
    }


def _cmu() -> dict[str, object]:
    names = list(posedata.SCHEMAS["foot6"].names)
    feet = [n for k in range(6) for n in (640 if k == 0 else 500 + k, 300, 2)]
    own = {
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": feet,
        "bbox": [480.0, 60, 160, 260],
        "area": 9000,
        "id": 1.731118e6,
        "segmentation": [480, 60, 640, 60, 640, 116.25, 480, 116.25],
    }
    image = {"id": 1, "file_name": "1.jpg", "width": 640, "height": 480, "date_captured": "2013-11-1417:02:52"}
    return {"images": [image], "annotations": [own], "categories": {"id": 1, "name": "person", "keypoints": names, "skeleton": []}}


def _animal_pose() -> dict[str, object]:
    doc = document()
    return {
        **doc,
        "images": {str(i): f"{i}.jpg" for i in range(1, 13)},
        "annotations": [_twenty(i) for i in range(1, 13)],
        "categories": [{**doc["categories"][0], "skeleton": [[0, 1]]}],
    }


def _atrw() -> dict[str, object]:
    doc = document()
    images = [{"id": i["id"], "filename": i["file_name"], "width": 640, "height": 480} for i in doc["images"]]
    return {**doc, "images": images, "annotations": [{**a, "bbox": [0, 0, 640, 480], "area": 640 * 480} for a in doc["annotations"]]}


def _kingdom() -> dict[str, object]:
    doc = CASES["rare-category"][0]()
    doc["annotations"][0]["keypoints"][:3] = [-1, -1, 0]
    doc["categories"][0]["name"] = "Mammal "
    doc["images"].append({"id": 9, "file_name": "9.png", "width": 640, "height": 480})
    return doc


def _akd(tmp: Path) -> Path:
    names = posedata.SCHEMAS["akd16"].names
    sound = {name: [0.2 + 0.03 * k, 0.3 + 0.02 * k, k % 2] for k, name in enumerate(names)}
    garbage = {name: [1.994, 1.989, 1] for name in names}
    images = {"0": {"file_name": "&quot_кошка.jpg", "width": 640, "height": 480}, "137": {"file_name": "post.jpg", "width": 1280, "height": 853}}
    path = tmp / "keypoints_annotations.json"
    path.write_text(json.dumps({"info": "", "images": images, "keypoints": {"0": sound, "137": garbage}}))
    return path


TRAP_CASES = {
    "ap10k-sigmas": (CASES["sigmas"][0], {"sigmas"}),
    "ap10k-mean": (CASES["imbalance"][0], {"imbalance", "rare-category"}),
    "ap10k-counts": (CASES["empty-category"][0], {"empty-category"}),
    "ap10k-area": (CASES["area-is-box"][0], {"area-is-box"}),
    "hku-cats": (CASES["no-labels"][0], {"no-labels"}),
    "crowdpose-count": (_crowdpose, {"num-keypoints", "recorded-zero"}),
    "crowdpose-flags": (_crowdpose, {"never-seen"}),
    "crowdpose-size": (CASES["exchanged-size"][0], {"exchanged-size"}),
    "crowdpose-index": (_crowdpose, {"crowd-index"}),
    "crowdpose-misc": (_crowdpose, {"skeleton-range", "no-area", "outside-box", "nothing-labelled"}),
    "cmu-foot": (_cmu, {"table-form", "num-keypoints", "flat-polygon", "float-id", "stripped-blanks", "on-the-edge", "one-flag"}),
    "wholebody": (put(("annotations.0.foot_kpts", [1, 1, 0.5]), ("annotations.0.keypoints.2", 0.5), ("annotations.1.num_keypoints", 11)), {"other-points", "visibility", "num-keypoints"}),
    "coco": (put(("annotations.0.num_keypoints", 0), ("annotations.0.keypoints", [0] * 51), ("annotations.2.bbox.0", 110), (_SHARED, [[0, 3]])), {"nothing-labelled", "outside-box", "skeleton-base"}),
    "animal-pose": (_animal_pose, {"table-form", "missing", "corner-boxes", "num-keypoints", "zero-with-place", "no-size", "skeleton-base"}),
    "atrw": (_atrw, {"file-name-key", "box-is-image", "area-is-box"}),
    "animal-kingdom": (_kingdom, {"minus-one", "odd-name", "rare-category", "empty-images"}),
    "stanford-extra": (lambda: ('[{"img_path": "a.jpg", "joints": [[1, 2, 1]], "img_bbox": [0, 0, 1, 1]}]', {}), {"foreign-form"}),
    "coco-subsets": (lambda: {**CASES["repeated-image"][0](), "annotations": document()["annotations"][:3]}, {"repeated-image", "empty-images"}),
    "dlc-csv": (CASES["foreign-form"][0], {"foreign-form"}),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_every_known_trap_is_found_by_the_rules_that_name_it(trap: str, tmp_path: Path) -> None:
    naming = {r.name for r in RULES.values() if trap in r.traps}
    assert naming
    if trap == "akd":
        report = posedata.validate(_akd(tmp_path), images=True)
        assert {"nowhere", "outside-image", "odd-file-name", "absent-picture", "no-box"} <= codes(report) & naming
        assert {f.path for f in report.of("nowhere")} == {"$.keypoints.137"}
        return
    make, wanted = TRAP_CASES[trap]
    report = looked(make(), tmp_path)
    assert wanted <= codes(report) & naming, report.summary


# -- real samples ------------------------------------------------------------------------------------


def test_real_cats_entry_137_is_the_only_wrong_one(real: Path) -> None:
    report = posedata.validate(real / "technumber_cats/train/keypoints_annotations.json", images=True)
    assert {k: n for k, n in report.counts.items() if RULES[k].severity != "note"} == {"PD104": 16, "PD106": 1, "PD119": 1, "PD301": 1}
    assert {f.annotation for f in report.of("PD104", "PD106", "PD119")} == {137}
    assert [f.observed for f in report.of("absent-picture")] == ["'Cat_August_2010-4.jpg'"]
    by_name = posedata.validate("akd/train", root=real)
    assert {f.annotation for f in by_name.of("nowhere")} == {137}, "a name is looked at as published, before its fixes"


def test_real_feet_of_cmu(real: Path) -> None:
    report = posedata.validate(real / "cmu_foot_sample/person_keypoints_val2017_foot_v1.last7.json")
    assert report.counts == {"PD013": 1, "PD014": 7, "PD125": 1, "PD201": 7, "PD206": 1}
    assert report.of("float-id")[0].observed == "1.731118E+6"
    assert report.of("float-id")[0].path == "$.annotations[6].id"
    assert [f.observed for f in report.of("num-keypoints")][:1] == ["16"]


@pytest.mark.parametrize(("sample", "wrong"), [("crowdpose_sample/test_crowdpose.json", 4), ("crowdpose_example/gt.json", 9)])
def test_real_crowdpose_counts_twelve_joints_and_draws_coco(real: Path, sample: str, wrong: int) -> None:
    report = posedata.validate(real / sample)
    assert report.counts["PD201"] == wrong
    assert all(f.observed.endswith("among the first 12") for f in report.of("num-keypoints"))
    assert report.counts["PD011"] == 1
    assert {f.keypoint for f in report.of("never-seen")} == {"head", "neck"}
    assert report.counts["PD123"] == 1 and not report.worst("error")


def test_areas_that_only_some_rows_have_are_told() -> None:
    some, none = poses("coco17", n=4), replace(poses("coco17", n=6), name="none")
    none = replace(none, instances=none.instances.with_trusted(area=np.full(6, np.nan)))
    both, _ = posedata.merge({"some": some, "none": none})
    assert [f.observed for f in posedata.validate(both).of("no-area")] == ["6 of 10 rows have none"]


def test_real_ap10k_has_box_areas_and_one_flag(real: Path) -> None:
    report = posedata.validate(real / "ap10k_sample/test_ap10k.json", images=real / "ap10k_sample")
    assert report.ok and report.counts == {"PD121": 1, "PD206": 1, "PD404": 52}


@pytest.mark.parametrize("sample", ["coco_1/gt.json", "coco_4/gt.json"])
def test_real_coco_has_notes_alone(real: Path, sample: str) -> None:
    report = posedata.validate(real / sample)
    assert report.ok and set(report.counts) == {"PD107", "PD203"}


# -- a file that cannot be read as it is -------------------------------------------------------------


def test_everything_wrong_with_a_file_is_said_at_once(tmp_path: Path) -> None:
    doc = document()
    doc["annotations"][0]["image_id"] = 99
    doc["annotations"][1]["keypoints"] = [1, 2, 3]
    doc["annotations"][1]["area"] = 0
    del doc["annotations"][2]["id"]
    doc["annotations"][3]["bbox"] = "none"
    doc["images"][2]["width"] = "wide"
    doc["annotations"].append(7)
    with pytest.raises(FormatError):
        posedata.read_coco(_written(tmp_path, doc))
    report = posedata.validate(tmp_path / "case.json")
    wanted = {
        "dangling": "$.annotations[0].image_id", "length": "$.annotations[1].keypoints", "no-area-left": "$.annotations[1].area", "missing": "$.annotations[2].id",
    }  # fmt: skip
    assert {rule: report.of(rule)[0].path for rule in wanted} == wanted
    assert {f.path for f in report.of("value")} == {"$.annotations[3].bbox", "$.images[2].width", "$.annotations[4]"}
    assert report.of("dangling")[0].annotation == 1 and report.of("missing")[0].annotation is None
    assert report.skipped


def _written(folder: Path, doc: object) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(doc))
    return path


def test_not_a_number_is_a_finding_with_its_path(tmp_path: Path) -> None:
    doc = put(("annotations.2.keypoints.4", float("nan")))()
    report = posedata.validate(_written(tmp_path, doc))
    assert "$.annotations[2].keypoints[4]" in {f.path for f in report.of("value")}


def test_unknown_names_are_looked_at_under_a_schema_of_their_own(tmp_path: Path) -> None:
    made = CASES["categories"][0]()
    made["annotations"][0]["keypoints"][0] = 900
    report = looked(made, tmp_path)
    assert report.of("outside-image")[0].keypoint == "dot 0"


def test_what_is_no_annotation_file_is_one_line(tmp_path: Path) -> None:
    for text, words in (("{", "ends early"), ("[]", "a list where"), ('{"a": 1}', "neither 'images' nor"), ("", "empty")):
        (tmp_path / "case.json").write_text(text)
        with pytest.raises(FormatError, match=words):
            posedata.validate(tmp_path / "case.json")
    with pytest.raises(FormatError, match="no such file"):
        posedata.validate(tmp_path / "nowhere.json")
    with pytest.raises(FormatError, match="did you mean"):
        posedata.validate("sinthetic")
    with pytest.raises(DataError, match="give a PoseDataset"):
        posedata.validate(7)  # type: ignore[arg-type]


def test_two_annotations_alike_in_everything_are_found_where_reading_stops(tmp_path: Path) -> None:
    doc = document()
    doc["annotations"].append(doc["annotations"][1])
    report = looked(doc, tmp_path)
    assert report.counts == {"PD401": 1}
    assert report.of("PD401")[0].path == "$.annotations[4]"


# -- the report --------------------------------------------------------------------------------------


def test_a_finding_reads_as_a_sentence(tmp_path: Path) -> None:
    report = looked(CASES["outside-image"][0](), tmp_path)
    texts = [str(f) for f in report]
    assert "PD104 error   $.annotations[0].keypoints nose outside its image: 700, 50; the image is 640 x 480" in texts
    assert "PD104 error" in report.summary and "1 error" in report.summary
    assert not report.ok and report.worst("error") == 1


def test_a_report_is_a_table_and_plain_values(tmp_path: Path) -> None:
    report = looked(CASES["num-keypoints"][0](), tmp_path)
    table = report.to_frame()
    assert list(table.columns)[:3] == ["code", "rule", "severity"]
    assert table.loc[0, "annotation"] == 1 and table.loc[0, "image"] == 1
    values = json.loads(json.dumps(report.to_dict(most=1)))
    assert values["counts"] == {"error": 0, "warning": 1, "note": 0}
    assert values["findings"][0]["path"] == "$.annotations[0].num_keypoints"
    assert list(looked(document(), tmp_path).to_frame().columns) == list(table.columns)


def test_rules_are_chosen_by_code_name_and_topic(tmp_path: Path) -> None:
    made = put(("annotations.0.area", 0), ("annotations.0.num_keypoints", 3))()
    assert set(looked(made, tmp_path, rules="PD2").counts) == {"PD201"}
    assert set(looked(made, tmp_path, rules=["geometry"]).counts) == {"PD109"}
    assert set(looked(made, tmp_path, without="num-keypoints").counts) == {"PD109"}
    with pytest.raises(PoseError, match="did you mean 'geometry'"):
        looked(made, tmp_path, rules="geometri")


def test_thresholds_are_a_users_own(tmp_path: Path) -> None:
    made = CASES["outside-image"][0]()
    assert "outside-image" not in codes(looked(made, tmp_path, thresholds={"frame_slack": 100}))
    (tmp_path / "mine.toml").write_text("frame_slack = 100\n")
    assert "outside-image" not in codes(looked(made, tmp_path, thresholds=tmp_path / "mine.toml"))
    with pytest.raises(DataError, match="did you mean 'frame_slack'"):
        looked(made, tmp_path, thresholds={"frame_slak": 1})
    with pytest.raises(DataError, match="a number is needed"):
        looked(made, tmp_path, thresholds={"frame_slack": "much"})  # type: ignore[dict-item]


def test_counts_are_exact_where_not_all_findings_are_kept(tmp_path: Path) -> None:
    made = put(*[(f"annotations.{i}.area", 0) for i in range(4)])()
    report = looked(made, tmp_path, thresholds={"findings_kept": 2})
    assert report.counts["PD109"] == 4 and len(report.of("PD109")) == 2


def test_a_dataset_in_memory_is_looked_at_as_it_would_be_written(tmp_path: Path) -> None:
    from_file = looked(CASES["outside-image"][0](), tmp_path)
    in_memory = posedata.validate(posedata.read_coco(tmp_path / "case.json"))
    assert [str(f) for f in in_memory] == [str(f) for f in from_file]
    assert "PD001" in from_file.ran and "PD001" not in in_memory.ran


def test_an_empty_set_is_looked_at() -> None:
    assert posedata.validate(crowd().take([])).ok
    assert posedata.validate(posedata.PoseDataset.from_arrays(image=np.zeros(0, int))).ok


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = crowd()
    keypoints = ds.instances.keypoints.copy()
    keypoints[::5, 3, 0] += 3000
    ds = replace(ds, instances=replace(ds.instances, keypoints=keypoints))
    whole = [str(f) for f in posedata.validate(ds)]
    monkeypatch.setattr("posedata.validation.subject.ROWS", 7)
    assert [str(f) for f in posedata.validate(ds)] == whole


@pytest.mark.parametrize("name", ["shoulder", "hip", "knee", "ear"])
def test_an_exchanged_pair_is_named(name: str) -> None:
    report = posedata.validate(planted(_exchange(name))())
    assert [(f.annotation, f.keypoint) for f in report.of("mixed-sides")] == [(8, f"left_{name}")]


def test_errors_of_a_file_carry_all_their_faults(tmp_path: Path) -> None:
    doc = put(*[(f"annotations.{i}.image_id", 90 + i) for i in range(4)])()
    with pytest.raises(FormatError) as caught:
        posedata.read_coco(_written(tmp_path, doc), cache=False)
    assert len(caught.value.faults) == 4
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), FormatError)  # noqa: S301
