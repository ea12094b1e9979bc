"""Protocols: values that check themselves, print themselves, travel as TOML and JSON, and are known by a fingerprint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import posebench
import posedata
from posebench import AKD, AP10K, CAT, COCO, COCO_FOOT, COCO_FOOT_WHOLEBODY, CROWDPOSE, CROWDPOSE_OPENPIFPAF, PROTOCOLS, Protocol, load_protocol
from posebench.protocol import OKS_THRESHOLDS, Part
from posebench.protocols import BY_SCHEMA
from posedata.errors import FormatError, PoseError
from posedata.schemas import COCO17, FOOT6, SCHEMAS

CHOICES: dict[str, Any] = {
    "thresholds": (0.5, 0.75),
    "max_preds": 100,
    "truth_area": "box",
    "prediction_area": "extent",
    "ignored": "crowd",
    "absent": "nowhere",
    "ranges": {"small": (0.0, 1024.0)},
    "levels": {"thin": (0.0, 0.5)},
    "level_column": "density",
    "parts": {"head": Part(points=("nose",))},
    "per_category": False,
    "interpolation": "all points",
    "sigmas": {"nose": 0.03},
}
"""A value for every choice that COCO's protocol makes otherwise."""
PROSE: dict[str, Any] = {"name": "mine", "metrics": ("AR",), "notes": ("a note",), "sources": {"thresholds": "me"}}


def toml(values: Any) -> str:
    """Plain values as TOML; an open end is an infinity there."""
    if isinstance(values, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in values.items()) + "}"
    if isinstance(values, list):
        ends = len(values) == 2 and None in values
        return "[" + ", ".join(("-inf" if i == 0 else "inf") if ends and v is None else toml(v) for i, v in enumerate(values)) + "]"
    return json.dumps(values)


# -- replace and fingerprint --------------------------------------------------------------------------


def test_the_choices_below_are_all_there_are() -> None:
    assert {*CHOICES, *PROSE} == set(COCO.to_dict())


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_changes_the_fingerprint_and_the_name(choice: str) -> None:
    other = COCO.replace(**{choice: CHOICES[choice]})
    assert other.fingerprint != COCO.fingerprint
    assert other.name == f"coco, changed: {choice}"
    assert choice not in other.sources, "a choice of the caller's was made public by nobody"
    assert getattr(other, choice) == CHOICES[choice]


@pytest.mark.parametrize("field", PROSE)
def test_prose_changes_no_fingerprint(field: str) -> None:
    assert COCO.replace(**{field: PROSE[field]}).fingerprint == COCO.fingerprint


def test_fingerprints_of_presets_differ_where_their_rules_do() -> None:
    prints = {name: p.fingerprint for name, p in PROTOCOLS.items()}
    assert prints["coco"] == prints["cat"] == prints["ap10k"], "they print other numbers by the same rules"
    assert len(set(prints.values())) == len(prints) - 2
    assert all(len(p) == 12 for p in prints.values())


def test_the_same_value_again_is_no_change() -> None:
    assert COCO.replace(max_preds=20).name == "coco"
    assert COCO.replace(thresholds=list(OKS_THRESHOLDS)).fingerprint == COCO.fingerprint
    assert COCO.replace(thresholds=np.array(OKS_THRESHOLDS)).fingerprint == COCO.fingerprint


def test_a_source_given_with_its_choice_is_kept() -> None:
    assert COCO.replace(max_preds=5, sources={"max_preds": "our paper"}).sources == {"max_preds": "our paper"}


def test_metrics_of_similarities_and_ranges_that_are_gone_go_too() -> None:
    assert COCO.replace(ranges={"small": (0, 1024)}).metrics == ("AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75")
    assert COCO.replace(ranges={"large": (9216, 1e10)}).metrics[3:5] == ("AP[large]", "AR")
    assert "AP[hard]" not in CROWDPOSE.replace(levels={}).metrics
    assert COCO.replace(thresholds=[0.5, 0.6]).metrics == ("AP", "AP@0.50", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR[medium]", "AR[large]")
    assert AKD.replace(thresholds=[0.5]).metrics == ("PCK.technumber@0.1", "PCK.technumber@0.2", "AP", "AP@0.50", "AR", "AR@0.50")
    assert COCO.replace(ranges={}, metrics=["AP[small]"]).metrics == ("AP[small]",), "what the caller names is the caller's"


def test_an_unknown_field_is_named_with_its_neighbour() -> None:
    with pytest.raises(PoseError, match="protocol 'coco': no field 'threshold'; did you mean 'thresholds'"):
        COCO.replace(threshold=0.5)


# -- there and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("form", ["json", "toml"])
def test_a_protocol_comes_back_from_its_own_values(tmp_path: Path, name: str, form: str) -> None:
    known = PROTOCOLS[name]
    values = known.to_dict()
    text = json.dumps(values, allow_nan=False) if form == "json" else "\n".join(f"{k} = {toml(v)}" for k, v in values.items())
    (tmp_path / f"p.{form}").write_text(text)
    again = load_protocol(tmp_path / f"p.{form}")
    assert again.to_dict() == values
    assert again.fingerprint == known.fingerprint


def test_open_ends_are_null_in_json_and_infinite_in_python(tmp_path: Path) -> None:
    assert CROWDPOSE.to_dict()["levels"] == {"easy": [None, 0.2], "medium": [0.2, 0.8], "hard": [0.8, None]}
    assert CROWDPOSE.levels["hard"] == (0.8, float("inf"))
    (tmp_path / "p.toml").write_text('base = "crowdpose"\nlevels = {easy = [-inf, 0.2], medium = [0.2, 0.8], hard = [0.8, inf]}')
    assert load_protocol(tmp_path / "p.toml").fingerprint == CROWDPOSE.fingerprint


def test_a_file_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('base = "crowdpose"\nmax_preds = 30\n[sigmas]\nhead = 0.05')
    assert load_protocol(tmp_path / "p.toml").to_dict() == CROWDPOSE.replace(max_preds=30, sigmas={"head": 0.05}).to_dict()
    (tmp_path / "q.toml").write_text('name = "ours"\nmax_preds = 30')
    assert load_protocol(str(tmp_path / "q.toml")).name == "ours"
    (tmp_path / "empty.toml").write_text("")
    assert load_protocol(tmp_path / "empty.toml") == COCO


def test_a_result_carries_the_protocol_it_was_made_by() -> None:
    assert json.loads(json.dumps(COCO_FOOT.to_dict()))["parts"]["foot"] == {
        "points": list(FOOT6.names), "ignored": "labelled", "valid": "", "score": "", "drop_silent": False,
    }  # fmt: skip
    assert load_protocol(COCO_FOOT) is COCO_FOOT
    assert load_protocol("coco_foot") is COCO_FOOT


# -- printing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_prints_as_a_block_with_its_fingerprint(name: str) -> None:
    lines = str(PROTOCOLS[name]).splitlines()
    assert lines[0] == f"protocol {name} ({PROTOCOLS[name].fingerprint})"
    assert all(line.startswith("  ") for line in lines[1:])
    assert lines[1] == "  similarity  OKS at 0.5 to 0.95, 10 values; curve: 101 points"
    assert max(map(len, lines)) < 140


def test_the_block_says_each_range_level_and_part() -> None:
    assert "area: medium 32² to 96², large from 96²" in str(COCO)
    assert "crowd_index: easy up to 0.2, medium 0.2 to 0.8, hard from 0.8" in str(CROWDPOSE)
    assert "crowd_index: easy up to 0.1, medium 0.1 to 0.8, hard 0.8 to 1" in str(CROWDPOSE_OPENPIFPAF)
    assert "body (17 points), foot (6 points)" in str(COCO_FOOT)
    changed = str(COCO.replace(thresholds=[0.5], sigmas={"nose": 0.1}, absent="nowhere", per_category=False))
    for words in ("OKS at 0.5; ", "of the protocol: nose", "absent points: similarity 0", "all categories are one"):
        assert words in changed


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": {"medium": (0, 1)}}, "'medium' names two things; ranges, levels, parts and 'pooled' share one spelling"),
        ({"parts": {"large": Part(points=("nose",))}}, "'large' names two things"),
        ({"ranges": {"pooled": (0, 1)}}, "'pooled' names two things"),
        ({"ranges": {"a[b": (0, 1)}}, r"name 'a\[b'"),
        ({"ranges": {" a": (0, 1)}}, "name ' a'"),
        ({"ranges": {"": (0, 1)}}, "name ''"),
        ({"ranges": {"a": (1, 0)}}, "ranges.a: .*; two numbers, the lower first"),
        ({"ranges": {"a": (1, 1)}}, "ranges.a: .*; two numbers, the lower first"),
        ({"ranges": {"a": (float("nan"), 1)}}, "ranges.a: .*; two numbers, the lower first"),
        ({"ranges": {"a": (-1, 5)}}, "ranges.a: .*; areas are 0 or more"),
        ({"ranges": {"a": (-np.inf, -5)}}, "ranges.a: .*; areas are 0 or more"),
        ({"ranges": {"a": (1,)}}, "ranges.a: .*; two numbers, the lower first"),
        ({"ranges": {"a": "1-2"}}, "ranges.a: '1-2'; a list is needed"),
        ({"ranges": [1, 2]}, r"ranges: \[1, 2\]; a table by name is needed"),
        ({"thresholds": ()}, "thresholds: .*at least one"),
        ({"thresholds": (0.75, 0.5)}, "thresholds: .*ascending"),
        ({"thresholds": (0.5, 0.5)}, "thresholds: .*ascending"),
        ({"thresholds": (0, 0.5)}, "over 0 up to 1"),
        ({"thresholds": (0.5, 1.01)}, "over 0 up to 1"),
        ({"thresholds": 0.5}, "thresholds: 0.5; a list is needed"),
        ({"thresholds": "0.5"}, "thresholds: '0.5'; a list is needed"),
        ({"max_preds": 0}, "max_preds: 0; a whole number from 1 on"),
        ({"max_preds": 1.5}, "max_preds: 1.5; a whole number"),
        ({"max_preds": True}, "max_preds: True; a whole number"),
        ({"truth_area": "segmented"}, "truth_area: 'segmented'; known: .53 box, box, extent, recorded"),
        ({"truth_area": ["box"]}, r"truth_area: \['box'\]; did you mean 'box'"),
        ({"ignored": "crowds"}, "ignored: 'crowds'; did you mean 'crowd'"),
        ({"interpolation": 101}, "interpolation: 101; known: 101 points"),
        ({"absent": None}, "absent: None; known: nowhere, origin"),
        ({"per_category": 1}, "per_category: 1; true or false"),
        ({"level_column": 3}, "level_column: 3; text is needed"),
        ({"notes": "one"}, "notes: 'one'; a list is needed"),
        ({"notes": [1]}, r"notes\[0\]: 1; text is needed"),
        ({"sources": {"name": 1}}, "sources.name: 1; text is needed"),
        ({"sources": 1}, "sources: 1; a table by name is needed"),
        ({"sigmas": {"nose": 0}}, "sigmas.nose: 0; a sigma lies between 0 and 1"),
        ({"sigmas": {"nose": "0.1"}}, "sigmas.nose: '0.1'; a sigma"),
        ({"sigmas": {"cat": {"nose": -1}}}, "'cat'.sigmas.nose: -1; a sigma"),
        ({"sigmas": {"cat": {"nose": {"left": 0.1}}}}, "a sigma lies between 0 and 1"),
        ({"sigmas": 0.1}, "sigmas: 0.1; a table by name is needed"),
        ({"parts": {"x": {}}}, r"parts.x.points: \(\); names of the schema are needed"),
        ({"parts": {"x": {"points": "nose"}}}, "parts.x.points: 'nose'; a list is needed"),
        ({"parts": {"x": {"points": ["nose", "nose"]}}}, "parts.x.points: .*each once"),
        ({"parts": {"x": {"points": ["nose"], "ignored": "all"}}}, "parts.x.ignored: 'all'; known"),
        ({"parts": {"x": {"points": ["nose"], "valid": 1}}}, "parts.x.valid: 1; text is needed"),
        ({"parts": {"x": {"points": ["nose"], "drop_silent": "no"}}}, "parts.x.drop_silent: 'no'; true or false"),
        ({"parts": {"x": {"names": ["nose"]}}}, "parts.x: .*a table of points, ignored, valid, score, drop_silent"),
        ({"parts": {"x": 3}}, "parts.x: 3; a table of points"),
        ({"metrics": ["AP@half"]}, "metric: 'AP@half'; written NAME"),
        ({"metrics": "AP"}, "metrics: 'AP'; a list is needed"),
        ({"name": ""}, "protocol: name ''; a protocol has a name"),
        ({"name": 3}, "protocol: name 3; a protocol has a name"),
    ],
)  # fmt: skip
def test_a_protocol_refuses_what_it_cannot_mean(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PoseError, match=words) as told:
        COCO.replace(**changes)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("protocol", [3, None, ["coco"]])
def test_what_is_no_protocol_is_refused_by_name(protocol: Any) -> None:
    with pytest.raises(PoseError, match="a Protocol, a file, or one of: coco"):
        load_protocol(protocol)


def test_a_protocol_that_is_nowhere_is_refused() -> None:
    with pytest.raises(FormatError, match=r"no protocol 'cocoo'; did you mean 'coco'\?, or a file NAME.toml"):
        load_protocol("cocoo")
    with pytest.raises(FormatError, match=r"nowhere.toml: no such file"):
        load_protocol("nowhere.toml")


# -- presets ---------------------------------------------------------------------------------------------

_DEFAULTS = Protocol(name="none").to_dict()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_preset_has_a_source_for_each_choice_of_its_own(name: str) -> None:
    p = PROTOCOLS[name]
    values = p.to_dict()
    own = {k for k in values if k not in PROSE and k != "level_column" and values[k] != _DEFAULTS[k]}
    assert own <= set(p.sources), f"{name} says nothing on {own - set(p.sources)}"
    assert {"thresholds", "max_preds"} <= set(p.sources)
    assert all(s.strip() for s in p.sources.values())
    assert all(note.endswith(".") for note in p.notes)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_parts_and_schemas_of_presets_exist(name: str) -> None:
    points = {point for s in SCHEMAS.values() for point in s.names}
    assert all(set(part.points) <= points for part in PROTOCOLS[name].parts.values())
    assert set(BY_SCHEMA) <= set(SCHEMAS)


def test_cocos_rules() -> None:
    assert COCO.thresholds == OKS_THRESHOLDS == tuple(np.linspace(0.5, 0.95, 10))
    assert COCO.max_preds == 20
    assert COCO.ranges == {"medium": (1024, 9216), "large": (9216, 1e10)}
    assert (COCO.truth_area, COCO.ignored, COCO.per_category, COCO.interpolation) == ("recorded", "recorded", True, "101 points")
    assert COCO.metrics == ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR@0.75", "AR[medium]", "AR[large]")


def test_crowdposes_rules() -> None:
    assert CROWDPOSE.truth_area == ".53 box"
    assert CROWDPOSE.ranges == {}
    assert CROWDPOSE.levels == {"easy": (-np.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, np.inf)}
    assert CROWDPOSE.ignored == "recorded", "num_keypoints, which leaves head and neck out"
    assert CROWDPOSE_OPENPIFPAF.levels == {"easy": (0, 0.1), "medium": (0.1, 0.8), "hard": (0.8, 1)}
    assert CROWDPOSE_OPENPIFPAF.truth_area == "box"


def test_the_rules_of_foot_animals_and_cats() -> None:
    assert COCO_FOOT.parts["body"].points == COCO17.names
    assert COCO_FOOT.parts["foot"] == Part(points=FOOT6.names)
    assert COCO_FOOT_WHOLEBODY.parts["foot"] == Part(points=FOOT6.names, valid="foot_valid", score="foot_score", drop_silent=True)
    assert AP10K.metrics == (*COCO.metrics, "AP[pooled]")
    assert CAT.metrics == COCO.metrics
    assert (AKD.truth_area, AKD.ignored, AKD.metrics[0]) == ("extent", "labelled", "PCK.technumber@0.1")


def test_the_presets_are_all_public() -> None:
    public = [getattr(posebench, name) for name in posebench.__all__]
    assert all(any(p is value for value in public) for p in PROTOCOLS.values())


def test_feet_alone_count_who_has_a_foot_point_whatever_the_body_count_says() -> None:
    points = np.full((1, 6, 3), 2.0)
    truth = posedata.PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=points, area=[100.0], recorded=[0])
    pred = posedata.Predictions.from_arrays(schema="foot6", image=[1], keypoints=points, score=[0.9])
    ev = posebench.evaluate(truth, pred)
    assert (ev.protocol.name, ev.counts["counted"], round(ev["AP"], 9)) == ("foot", 1, 1.0)
    assert posebench.evaluate(truth, pred, "coco").counts["counted"] == 0
