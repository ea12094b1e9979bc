"""posebench evaluate, metrics, protocols: what they print, write and return."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
from posebench import COCO, CROWDPOSE, METRICS, PROTOCOLS
from posebench.distances import PCK_RULES
from posebench.simulate import simulate
from posedata import Predictions, load_dataset, load_schema
from posedata.version import __version__
from tests.scored import Json, annotations, command, results, written

COCO_1 = {
    "AP": 0.5048844884488449, "AP@0.50": 0.7227722772277227, "AP@0.75": 0.6336633663366337, "AP[medium]": 0.46633663366336636, "AP[large]": 0.7504950495049505,
    "AR": 0.5181818181818182, "AR@0.50": 0.7272727272727273, "AR@0.75": 0.6363636363636364, "AR[medium]": 0.4666666666666666, "AR[large]": 0.75,
}  # fmt: skip
COCO_4 = {
    "AP": 0.8608896054440609, "AP@0.50": 0.993145468392993, "AP@0.75": 0.9108910891089109, "AP[medium]": 0.7755775577557756, "AP[large]": 0.9372524752475248,
    "AR": 0.875, "AR@0.50": 1.0, "AR@0.75": 0.9166666666666666, "AR[medium]": 0.78, "AR[large]": 0.9428571428571428,
}  # fmt: skip
CROWD = {
    "AP": 0.7877215935879303, "AP@0.50": 0.9881188118811886, "AP@0.75": 0.7314356435643564, "AR": 0.8222222222222223, "AR@0.50": 1.0, "AR@0.75": 0.7777777777777778,
    "AP[easy]": 1.0, "AP[medium]": 0.9802, "AP[hard]": 0.4116,
}  # fmt: skip
"""Asserted by faster-coco-eval's tests and the official CrowdPose API; that one rounds its levels to four digits."""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a truth of four people, and the first three of them predicted."""
    truth = annotations()
    written(tmp_path, truth, results(truth, 0.75))
    return tmp_path


def spoken(folder: Path, *arguments: object, status: int = 0) -> Json:
    """What the command says to a program."""
    done = command("evaluate", *arguments, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.count("\n") == 1
    values: Json = json.loads(done.stdout)
    return values


# -- numbers known elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "known"), [("coco_1", COCO_1), ("coco_4", COCO_4), ("crowdpose_example", CROWD)])
def test_known_pairs_give_their_numbers_through_the_command(real: Path, tmp_path: Path, name: str, known: dict[str, float]) -> None:
    values = spoken(tmp_path, real / name / "preds.json", "--truth", real / name / "gt.json")
    assert list(values["metrics"]) == list(known), "in this order"
    for metric, number in known.items():
        assert values["metrics"][metric] == pytest.approx(number, abs=5e-5 if "[" in metric and name == "crowdpose_example" else 1e-12), metric
    ev = posebench.evaluate(real / name / "gt.json", real / name / "preds.json")
    assert ev.to_dict() == values, "Python and the command say the same, digit for digit"


@pytest.mark.parametrize("name", ["coco_1", "coco_4"])
def test_check_agrees_in_every_digit(real: Path, tmp_path: Path, name: str) -> None:
    values = spoken(tmp_path, real / name / "preds.json", "--truth", real / name / "gt.json", "--check")
    assert list(values["check"]) == list(COCO.metrics)
    for metric, both in values["check"].items():
        assert both["ours"] == both["pycocotools"] == values["metrics"][metric]
    text = command("evaluate", real / name / "preds.json", "--truth", real / name / "gt.json", "--check", cwd=tmp_path).stdout
    assert text.endswith("pycocotools agrees in every digit (10 numbers)\n")


def test_check_follows_the_thresholds_and_ranges_of_the_protocol(real: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('base = "coco"\nthresholds = [0.3, 0.75]\n[ranges]\nmedium = [100, 4000]\nhuge = [9216, 1e10]\n')
    values = spoken(tmp_path, real / "coco_4/preds.json", "--truth", real / "coco_4/gt.json", "--check", "--protocol", "p.toml")
    assert list(values["check"]) == ["AP", "AP@0.75", "AP[medium]", "AR", "AR@0.75", "AR[medium]"]
    assert all(both["ours"] == both["pycocotools"] for both in values["check"].values())


@pytest.mark.parametrize("empty", [("preds",), ("annotations",), ("annotations", "preds"), ("annotations", "images", "preds")])
def test_check_agrees_on_nothing(tmp_path: Path, empty: tuple[str, ...]) -> None:
    truth = annotations()
    found = results(truth)
    for name in empty:
        (found if name == "preds" else truth[name]).clear()
    written(tmp_path, truth, found)
    check = spoken(tmp_path, "preds.json", "--truth", "truth.json", "--check")["check"]
    assert len(check) == 10 and all(both["ours"] == both["pycocotools"] for both in check.values())


def test_check_of_a_rule_that_pycocotools_lacks_is_refused(here: Path) -> None:
    (here / "p.toml").write_text("max_preds = 5")
    error = spoken(here, "preds.json", "--truth", "truth.json", "--check", "--protocol", "p.toml", status=2)["error"]
    assert error == {"where": "--check", "seen": "pycocotools cannot count under max_preds other than 20", "cure": "check under --protocol coco"}


# -- JSON ----------------------------------------------------------------------------------------------------


def test_the_json_has_its_keys_and_full_precision(here: Path) -> None:
    values = spoken(here, "preds.json", "--truth", "truth.json")
    assert list(values) == ["protocol", "metrics", "n", "counts", "warnings", "truth", "predictions", "version"]
    assert values["protocol"] == {
        **COCO.to_dict(),
        "fingerprint": COCO.fingerprint,
        "used": {"sigmas": dict(zip(load_schema("coco17").names, load_schema("coco17").sigmas.tolist(), strict=True))},
    }
    assert list(values["metrics"]) == list(values["n"]) == list(COCO.metrics)
    assert values["metrics"]["AP"] == pytest.approx(76 / 101, abs=1e-15) and len(str(values["metrics"]["AP"])) > 15
    assert values["metrics"]["AP[large]"] is None and values["n"]["AP[large]"] == 0, "no truth is null"
    assert values["counts"] == {
        "images": 4, "truths": 4, "counted": 4, "ignored": 0, "crowds": 0, "predictions": 3, "scored": 3, "categories": 1, "keypoints": 68,
    }  # fmt: skip
    assert values["warnings"] == []
    assert values["truth"]["name"] == "truth" and values["truth"]["schema"] == "coco17"
    assert values["truth"]["files"][0]["path"] == "truth.json" and len(values["truth"]["files"][0]["sha256"]) == 64
    assert values["version"] == __version__


def test_the_sigmas_that_were_used_travel_by_category_where_these_differ() -> None:
    truth = load_dataset("synthetic", "quadruped", split="val", n=8)
    name = truth.categories[1].name
    ev = posebench.evaluate(truth, simulate(truth).pred, COCO.replace(sigmas={name: {"nose": 0.2}}))
    used = ev.to_dict()["protocol"]["used"]["sigmas"]
    assert used[name]["nose"] == 0.2 and used[truth.categories[0].name] == dict(zip(truth.schema.names, truth.schema.sigmas.tolist(), strict=True))


def test_crowdpose_has_its_levels_and_no_area_ranges(real: Path, tmp_path: Path) -> None:
    values = spoken(tmp_path, real / "crowdpose_example/preds.json", "--truth", real / "crowdpose_example/gt.json")
    assert values["protocol"]["name"] == "crowdpose" and values["protocol"]["ranges"] == {}
    assert values["metrics"]["AP[hard]"] != round(values["metrics"]["AP[hard]"], 4), "unrounded"


def test_metrics_asked_for_are_the_ones_that_come(here: Path) -> None:
    values = spoken(here, "preds.json", "--truth", "truth.json", "--metrics", "AR@.75, AP[pooled],AP@0.5")
    assert list(values["metrics"]) == ["AR@0.75", "AP[pooled]", "AP@0.50"]
    assert values["metrics"]["AR@0.75"] == 0.75


def test_a_protocol_travels_with_its_numbers(here: Path) -> None:
    (here / "mine.toml").write_text('name = "mine"\nmax_preds = 1\nthresholds = [0.5]\nranges = {}\n')
    values = spoken(here, "preds.json", "--truth", "truth.json", "--protocol", "mine.toml")
    assert (values["protocol"]["name"], values["protocol"]["max_preds"]) == ("mine", 1)
    assert values["protocol"]["fingerprint"] == COCO.replace(max_preds=1, thresholds=[0.5], ranges={}).fingerprint
    (here / "back.json").write_text(json.dumps({k: v for k, v in values["protocol"].items() if k not in ("fingerprint", "used")}))
    assert posebench.load_protocol(here / "back.json").fingerprint == values["protocol"]["fingerprint"]


# -- text ----------------------------------------------------------------------------------------------------


def test_the_table_reads_at_a_glance(here: Path) -> None:
    done = command("evaluate", "preds.json", "--truth", "truth.json", cwd=here)
    assert done.stderr == ""
    assert (
        done.stdout
        == f"""\
truth: 3 predictions against 4 truths on 4 images

  AP          0.7525  n 4
  AP@0.50     0.7525  n 4
  AP@0.75     0.7525  n 4
  AP[medium]  0.7525  n 4
  AP[large]   -  n 0
  AR          0.7500  n 4
  AR@0.50     0.7500  n 4
  AR@0.75     0.7500  n 4
  AR[medium]  0.7500  n 4
  AR[large]   -  n 0

protocol coco ({COCO.fingerprint})
  similarity  OKS at 0.5 to 0.95, 10 values; curve: 101 points
  predictions best 20 per image and category; absent points: scored as if predicted at (0, 0), where result files put it
  area        the area in the file
  ignored     crowds, and truths whose num_keypoints in the file is 0 (counted where the file has none)
  ranges      area: medium 32² to 96², large from 96²
  sigmas      coco17 (17 points): sigmas measured
"""
    )


def test_warnings_stand_in_the_text_and_in_the_json(here: Path) -> None:
    truth = annotations()
    for a in truth["annotations"]:
        del a["area"]
    written(here, truth, results(truth))
    assert "\nwarning: no area in the truth: .53 of the box stands in" in command("evaluate", "preds.json", "--truth", "truth.json", cwd=here).stdout
    assert spoken(here, "preds.json", "--truth", "truth.json")["warnings"][0].startswith("no area in the truth")


def test_slices_come_after_the_numbers(here: Path) -> None:
    done = command("evaluate", "preds.json", "--truth", "truth.json", "--by", "size", "--by", "instances", "--metrics", "AP,AR@0.75", cwd=here)
    assert done.stdout.endswith("""
  size        AP  n  AR@0.75  n
  small        -  0        -  0
  medium  0.7525  4   0.7500  4
  large        -  0        -  0

  instances      AP  n  AR@0.75  n
  0               -  0        -  0
  1          0.7525  4   0.7500  4
  2-4             -  0        -  0
  5-8             -  0        -  0
  9+              -  0        -  0
""")
    by = spoken(here, "preds.json", "--truth", "truth.json", "--by", "size", "--metrics", "AP")["by"]
    assert [row["value"] for row in by["size"]] == ["small", "medium", "large"]
    assert by["size"][0] == {"value": "small", "metrics": {"AP": None}, "n": {"AP": 0}}
    assert by["size"][1] == {"value": "medium", "metrics": {"AP": pytest.approx(76 / 101)}, "n": {"AP": 4}}


def test_the_rule_of_a_pck_stands_under_the_protocol(here: Path) -> None:
    asked = ("preds.json", "--truth", "truth.json", "--metrics", "PCK@0.1,PCK.mmpose,AP")
    text = command("evaluate", *asked, cwd=here).stdout
    assert (
        "\nPCK@0.1: unit pooled; norm longest side of the truth's box; threshold <= 0.1; points v > 0; pairing matched; unfound wrong; absent wrong\n" in text
    )
    rules = spoken(here, *asked)["rules"]
    assert list(rules) == ["PCK@0.1", "PCK.mmpose"] and rules["PCK.mmpose"] == PCK_RULES["mmpose"].choices()
    assert "rules" not in spoken(here, *asked[:3])


def test_predictions_beyond_the_most_are_counted_in_the_first_line(here: Path) -> None:
    (here / "p.toml").write_text("max_preds = 1")
    twice = results(annotations(1)) * 2
    (here / "preds.json").write_text(json.dumps(twice))
    text = command("evaluate", "preds.json", "--truth", "truth.json", "--protocol", "p.toml", cwd=here).stdout
    assert text.startswith("truth: 2 predictions (1 looked at) against 4 truths on 4 images\n")


def test_a_truth_of_nobody_is_said_to_be_one(here: Path) -> None:
    (here / "truth.json").write_text(json.dumps({**annotations(), "annotations": []}))
    assert "none of 0 truths counts: no number can be made" in spoken(here, "preds.json", "--truth", "truth.json")["warnings"]


# -- floors and exit status ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("floors", "status", "below"),
    [
        (["AP=0.75"], 0, []),
        (["AP=0.76"], 1, ["AP"]),
        (["AP=.5", "AR@.75=0.8", "AP[medium]=0.9"], 1, ["AR@0.75", "AP[medium]"]),
        (["AR=0.75"], 0, []),
        (["AP[large]=0"], 1, ["AP[large]"]),
        (["AP=-1"], 0, []),
    ],
)
def test_a_floor_decides_the_exit_status(here: Path, floors: list[str], status: int, below: list[str]) -> None:
    options = [part for floor in floors for part in ("--min", floor)]
    values = spoken(here, "preds.json", "--truth", "truth.json", "--metrics", "AP", *options, status=status)
    assert [b["metric"] for b in values["below"]] == below
    done = command("evaluate", "preds.json", "--truth", "truth.json", *options, cwd=here)
    assert done.returncode == status
    assert done.stderr.count("\n") == len(below)


def test_a_floor_that_is_missed_is_said(here: Path) -> None:
    done = command("evaluate", "preds.json", "--truth", "truth.json", "--min", "AP=0.8", "--min", "AP[large]=0.5", cwd=here)
    assert done.stderr == "AP is 0.752475, below 0.8\nAP[large] is unknown, for there is no truth; 0.5 is asked\n"
    values = spoken(here, "preds.json", "--truth", "truth.json", "--min", "AP[large]=0.5", status=1)
    assert values["below"] == [{"metric": "AP[large]", "floor": 0.5, "value": None}]


# -- files -----------------------------------------------------------------------------------------------------


def test_the_result_is_written_as_json(here: Path) -> None:
    done = command("evaluate", "preds.json", "--truth", "truth.json", "-o", "new/out.json", "--by", "size", cwd=here)
    assert done.stderr == "written to new/out.json\n"
    assert json.loads((here / "new/out.json").read_text()) == spoken(here, "preds.json", "--truth", "truth.json", "--by", "size")
    quiet = command("evaluate", "preds.json", "--truth", "truth.json", "-o", "new/out.json", "--quiet", cwd=here)
    assert (quiet.stderr, quiet.returncode) == ("", 0)


def test_the_result_is_written_as_csv(here: Path) -> None:
    command("evaluate", "preds.json", "--truth", "truth.json", "-o", "a.csv", "--metrics", "AP,AP[large]", cwd=here)
    with open(here / "a.csv") as file:
        rows = list(csv.reader(file))
    assert rows == [["by", "slice", "metric", "value", "n"], ["", "", "AP", repr(rows_value(here)), "4"], ["", "", "AP[large]", "", "0"]]
    command("evaluate", "preds.json", "--truth", "truth.json", "-o", "b.csv", "--metrics", "AR", "--by", "size", cwd=here)
    assert (here / "b.csv").read_text() == "by,slice,metric,value,n\nsize,small,AR,,0\nsize,medium,AR,0.75,4\nsize,large,AR,,0\n"


def rows_value(folder: Path) -> float:
    return posebench.evaluate(folder / "truth.json", folder / "preds.json")["AP"]


def test_nothing_is_written_where_the_input_is_bad(here: Path) -> None:
    assert command("evaluate", "nowhere.json", "--truth", "truth.json", "-o", "out.json", cwd=here).returncode == 2
    assert not (here / "out.json").exists()


def test_several_files_are_one_set(here: Path) -> None:
    found = results(annotations())
    (here / "a.json").write_text(json.dumps(found[:1]))
    (here / "b.json").write_text(json.dumps(found[1:]))
    values = spoken(here, "a.json", "b.json", "--truth", "truth.json", "--metrics", "AP")
    assert (values["counts"]["predictions"], values["metrics"]["AP"]) == (4, pytest.approx(1))


# -- truth from the catalogue ------------------------------------------------------------------------------------


def drawn(folder: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, header: Json | None) -> Any:
    """Predictions on the drawn people, each point two pixels off."""
    monkeypatch.setenv("POSEBENCH_CACHE", str(cache))
    truth = load_dataset("synthetic", "person", split="val")
    points = np.where(truth.instances.labelled[..., None], np.add(truth.instances.keypoints, (2, 0, 0)), (np.nan, np.nan, 0))
    found = Predictions.from_arrays(
        schema=truth.schema, image=truth.images.id[truth.instances.image], keypoints=points, score=np.linspace(0.9, 0.1, len(truth)), header=header
    )
    found.to_json(folder / "preds.json")
    return posebench.evaluate(truth, found)


def test_a_header_needs_no_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_once: Path) -> None:
    ev = drawn(tmp_path, monkeypatch, drawn_once, {"dataset": "synthetic", "config": "person", "split": "val", "model": "shifted", "images": "all"})
    values = spoken(tmp_path, "preds.json", "--quiet")
    assert values["metrics"] == pytest.approx({k: None if np.isnan(v) else v for k, v in ev.metrics.items()}, abs=1e-9)
    assert values["protocol"]["name"] == ev.protocol.name
    assert values["truth"]["name"] == "synthetic/person val"
    assert values["predictions"] == {"version": 1, "dataset": "synthetic", "config": "person", "split": "val", "model": "shifted"}


def test_truth_may_be_named_by_dataset_config_and_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_once: Path) -> None:
    ev = drawn(tmp_path, monkeypatch, drawn_once, None)
    values = spoken(tmp_path, "preds.json", "--dataset", "synthetic", "--config", "person", "--split", "val", "--quiet")
    assert values["metrics"]["AP"] == pytest.approx(ev["AP"], abs=1e-9)
    assert 0.5 < values["metrics"]["AP"] < 1 and values["warnings"] == list(ev.warnings)
    part = spoken(tmp_path, "preds.json", "--dataset", "synthetic", "--config", "person", "--split", "val[:50%]", "--allow-unknown", "--quiet")
    assert part["counts"]["images"] == 64


def test_a_header_that_names_another_split_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_once: Path) -> None:
    drawn(tmp_path, monkeypatch, drawn_once, {"dataset": "synthetic", "config": "person", "split": "test"})
    values = spoken(tmp_path, "preds.json", "--dataset", "synthetic", "--config", "person", "--split", "val", "--metrics", "AP", "--quiet")
    assert "the header of the predictions names synthetic/person/test; they are scored on synthetic/person val" in values["warnings"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"dataset": "nowhere", "split": "val"}, "predictions header names 'nowhere/val': nowhere: no such dataset"),
        ({"dataset": "truth.json", "split": "val"}, "predictions header names 'truth.json/val': truth.json: no such dataset"),
        ({"dataset": "synthetic", "split": "dev"}, "synthetic/quadruped: no split 'dev'"),
        (
            {"dataset": "synthetic"},
            "synthetic: no split is named; were they made on a file of your own, name it: --truth FILE; else --split, one of: train, val, test",
        ),
        ({"dataset": "gt"}, "predictions header names 'gt': gt: no such dataset; were they made on a file of your own, name it: --truth FILE; else known: "),
        ({"dataset": ["synthetic"], "split": "val"}, "predictions header dataset: ['synthetic']; a name is needed"),
        ({"dataset": "synthetic", "config": "person", "split": "val", "schema": "coco_foot23"}, "$[0].keypoints: 51 numbers where 69 are needed"),
        ({"model": "x"}, "predictions: no header says what they were made on"),
    ],
)
def test_a_header_that_names_no_truth_is_one_sentence(tmp_path: Path, header: Json, words: str) -> None:
    found = results(annotations())
    found[0]["posebench"] = {"version": 1, "schema": "coco17", **header}
    (tmp_path / "truth.json").write_text(json.dumps(annotations()))
    (tmp_path / "preds.json").write_text(json.dumps(found))
    done = command("evaluate", "preds.json", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


def test_simulated_predictions_say_what_they_are_of(tmp_path: Path) -> None:
    assert command("simulate", "synthetic/quadruped/val", "-o", "preds.json", "--quiet", cwd=tmp_path).returncode == 0
    values = spoken(tmp_path, "preds.json")
    assert values["truth"]["name"] == "synthetic/quadruped val" and not any("scored on" in w for w in values["warnings"])


# -- the guides ----------------------------------------------------------------------------------------------------


def test_the_language_of_metrics_is_printed(tmp_path: Path) -> None:
    text = command("metrics", cwd=tmp_path).stdout
    assert text.startswith("A metric is written NAME[.variant][@threshold][[where]], everywhere the same:")
    for name, metric in METRICS.items():
        assert f"\n{name}\n  {metric.summary}\n  = {metric.formula}\n" in text
    assert set(json.loads(command("metrics", "--json", cwd=tmp_path).stdout)) == set(METRICS)
    one = json.loads(command("metrics", "AP", "--json", cwd=tmp_path).stdout)
    assert set(one) == {"AP"} and set(one["AP"]) == {"summary", "formula", "n", "at", "variants", "higher_is_better", "per_keypoint"}
    unknown = command("metrics", "APP", cwd=tmp_path)
    assert (unknown.returncode, unknown.stderr) == (2, "posebench: metric 'APP': no metric 'APP'; did you mean 'AP'?\n")


def test_a_rule_of_pck_is_printed_with_its_choices(tmp_path: Path) -> None:
    text = command("metrics", "PCK.technumber@0.1", cwd=tmp_path).stdout
    rule = PCK_RULES["technumber"]
    assert f"\nPCK.technumber\n  {rule.summary}\n" in text
    assert all(f"  {choice:<10} {words}\n" in text for choice, words in rule.choices().items())
    values = json.loads(command("metrics", "PCK", "--json", cwd=tmp_path).stdout)
    assert values["PCK"]["rule"]["name"] == "posebench" and values["PCK"]["rule"]["threshold"] == "<= 0.2"


def test_the_protocols_are_printed(tmp_path: Path) -> None:
    text = command("protocols", cwd=tmp_path).stdout
    for name, p in PROTOCOLS.items():
        assert f"protocol {name} ({p.fingerprint})\n" in text
    values = json.loads(command("protocols", "--json", cwd=tmp_path).stdout)
    assert {name: v["fingerprint"] for name, v in values.items()} == {name: p.fingerprint for name, p in PROTOCOLS.items()}


def test_a_protocol_is_printed_with_its_notes_and_sources(tmp_path: Path) -> None:
    text = command("protocols", "crowdpose", cwd=tmp_path).stdout
    assert text.startswith(str(CROWDPOSE) + "\n\nnotes\n")
    for words in (*CROWDPOSE.notes, *CROWDPOSE.sources.values()):
        assert words in text
    (tmp_path / "mine.toml").write_text('name = "mine"\nmax_preds = 3')
    assert command("protocols", "mine.toml", cwd=tmp_path).stdout.startswith("protocol mine (")
    unknown = command("protocols", "cowpose", cwd=tmp_path)
    assert unknown.returncode == 2 and "did you mean 'crowdpose'?" in unknown.stderr


def test_help_names_every_option(tmp_path: Path) -> None:
    text = command("evaluate", "--help", cwd=tmp_path).stdout
    for option in ("--truth", "--dataset", "--config", "--split", "--root", "--schema", "--protocol", "--mapping", "--allow-unknown", "--metrics", "--by", "--min", "--check", "--out", "--json", "--quiet"):  # fmt: skip
        assert option in text
    assert "posebench evaluate preds.json --dataset crowdpose --split val" in text
    listed = command("--help", cwd=tmp_path).stdout
    for name in ("evaluate", "metrics", "protocols"):
        assert f"\n  {name} " in listed


def test_usage_errors_are_clicks_own(tmp_path: Path) -> None:
    done = command("evaluate", cwd=tmp_path)
    assert done.returncode == 2 and "Missing argument 'PREDS...'" in done.stderr
    error = json.loads(command("evaluate", "--json", cwd=tmp_path).stdout)["error"]
    assert error["where"] == "posebench evaluate" and set(error) == {"where", "seen", "cure"}


def test_check_exits_by_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from posebench.cli import app

    truth = annotations(2)
    path, found = written(tmp_path, truth, results(truth))
    for theirs, status in ((0.5, 0), (0.5 + 1e-13, 0), (0.51, 1), (None, 1)):
        monkeypatch.setattr("posebench.scoring._checked", lambda ev, theirs=theirs: {"AP": {"ours": 0.5, "pycocotools": theirs}})
        done = CliRunner().invoke(app, ["evaluate", str(found), "--truth", str(path), "--check", "--json"])
        assert done.exit_code == status, (theirs, done.output)
