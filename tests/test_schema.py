"""Schemas and mappings: names, sigmas of known origin, mirrors, and one schema onto another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posedata import SCHEMAS, Keypoint, Mapping, Schema, SchemaError, load_schema, mapping_between, read_mapping
from posedata.mapping import KINDS, Row
from posedata.schema import SIGMA_SOURCES, plain_name
from posedata.schemas import recognise

COCO_SIGMAS = [.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089]  # fmt: skip
AP10K_SIGMAS = [.025, .025, .026, .035, .035, .079, .072, .062, .079, .072, .062, .107, .087, .089, .107, .087, .089]  # fmt: skip
AP10K_WRONG = [.025, .025, .026, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089]  # fmt: skip
WITH_POINTS = [s for s in SCHEMAS.values() if len(s)]

schemas = st.sampled_from(WITH_POINTS)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("coco17", 17),
        ("foot6", 6),
        ("coco_foot23", 23),
        ("crowdpose14", 14),
        ("ap10k17", 17),
        ("akd16", 16),
        ("animalpose20", 20),
        ("human", 25),
        ("quadruped", 25),
        ("tetrapod", 18),
    ],
)
def test_the_founding_schemas_have_their_points(name: str, count: int) -> None:
    assert len(load_schema(name)) == count


def test_published_sigmas_are_exact() -> None:
    assert load_schema("coco17").sigmas.tolist() == COCO_SIGMAS
    assert load_schema("ap10k17").sigmas.tolist() == AP10K_SIGMAS
    assert load_schema("crowdpose14").sigmas.tolist() == [.079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089, .079, .079]  # fmt: skip
    assert load_schema("foot6").sigmas.tolist() == [0.068, 0.066, 0.066, 0.092, 0.094, 0.094]
    assert load_schema("coco_foot23").sigmas.tolist() == [*COCO_SIGMAS, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094]
    assert load_schema("coco_foot23_062").sigmas.tolist() == [*COCO_SIGMAS, *[0.062] * 6]


def test_flip_pairs_are_the_published_ones() -> None:
    published = {
        "coco17": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "crowdpose14": "0 1 2 3 4 5 6 7 8 9 10 11",
        "ap10k17": "0 1 5 8 6 9 7 10 11 14 12 15 13 16",
        "akd16": "2 5 3 6 4 7 10 13 11 14 12 15",
        "foot6": "0 3 1 4 2 5",
    }
    for name, text in published.items():
        pairs = np.array(text.split(), int).reshape(-1, 2)
        expected = np.arange(len(load_schema(name)))
        expected[pairs[:, 0]], expected[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
        assert load_schema(name).mirror.tolist() == expected.tolist(), name


def test_cocos_limbs_are_those_of_its_own_file() -> None:
    file = [[16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7]]  # fmt: skip
    assert {frozenset(limb) for limb in (load_schema("coco17").limb_rows + 1).tolist()} == {frozenset(limb) for limb in file}


def test_the_wrong_ap10k_order_cannot_be_written() -> None:
    names = load_schema("ap10k17").names
    with pytest.raises(SchemaError, match=r"sigmas of left_shoulder \(0\.079\) and right_shoulder \(0\.072\) differ; a list in another set's order"):
        Schema(name="old", keypoints=tuple(map(Keypoint, names, AP10K_WRONG)))
    with pytest.raises(SchemaError, match="sigmas are not given by name"):
        Schema.from_dict({"name": "old", "keypoints": list(names), "sigmas": AP10K_WRONG})


@given(schemas)
def test_a_mirror_is_an_involution(schema: Schema) -> None:
    assert (schema.mirror[schema.mirror] == np.arange(len(schema))).all()


@given(schemas)
def test_every_sigma_says_where_it_comes_from(schema: Schema) -> None:
    assert {k.sigma_source for k in schema.keypoints} <= set(SIGMA_SOURCES)
    assert schema.source
    assert all(source in schema.sigma_note() for source in {k.sigma_source for k in schema.keypoints})


def test_points_nobody_published_are_assumed() -> None:
    assert {k.sigma_source for k in load_schema("akd16").keypoints} == {"assumed"}
    assert {k.sigma_source for k in load_schema("quadruped").keypoints[17:]} == {"assumed"}


@given(schemas)
def test_a_schema_survives_its_own_file(schema: Schema) -> None:
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert again.fingerprint == schema.fingerprint


def test_a_users_schema_is_a_small_file(tmp_path: Path) -> None:
    file = tmp_path / "mouse.toml"
    file.write_text(
        'keypoints = ["nose", "left_ear", "right_ear", "tail"]\nlimbs = [["nose", "left_ear"]]\n[sigmas]\nnose = 0.03\nleft_ear = 0.04\nright_ear = 0.04\ntail = 0.1\n'
    )
    mouse = load_schema(file)
    assert (mouse.name, mouse.names, mouse.mirror.tolist()) == ("mouse", ("nose", "left_ear", "right_ear", "tail"), [0, 2, 1, 3])
    assert mouse.sigma_note() == "sigmas assumed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no list of keypoints"),
        ("keypoints = ['left_ear']\nsigmas = 0.1", "'left_ear' has no 'right_ear' to mirror it"),
        ("keypoints = ['a', 'a']\nsigmas = 0.1", "keypoint 'a' twice"),
        ("keypoints = ['a']\nsigmas = 2", "a sigma lies between 0 and 1"),
        ("keypoints = ['a']\nsigmas = 0.1\nlimbs = [['a', 'b']]", "no keypoint 'b'"),
        ("keypoints = ['a']\nsigmas = 0.1\nsigma_source = 'guessed'", "guessed"),
        ("keypoints = ['a']\nsigma = 0.1", "unknown key 'sigma'; did you mean 'sigmas'?"),
        ("keypoints = ['a']\n[sigmas]\nb = 0.1", "sigmas and keypoints disagree"),
        ("keypoints = 3", "no list of keypoints"),
        ("not toml", "Expected"),
    ],
)
def test_a_faulty_schema_file_is_one_line_with_its_cure(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(SchemaError) as error:
        load_schema(file)
    assert words in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_schema_gets_a_suggestion() -> None:
    with pytest.raises(SchemaError, match=r"crowdpose: no such schema; did you mean 'crowdpose14'\?"):
        load_schema("crowdpose")


def test_spellings_of_the_wild_are_recognised_by_name_in_any_order_and_never_by_number() -> None:
    hku = tuple(
        [
            "L_Eye",
            "R_Eye",
            "Nose",
            "Neck",
            "Root of tail",
            "L_Shoulder",
            "L_Elbow",
            "L_F_Paw",
            "R_Shoulder",
            "R_Elbow",
            "R_F_Paw",
            "L_Hip",
            "L_Knee",
            "L_B_Paw",
            "R_Hip",
            "R_Knee",
            "R_B_Paw",
        ]
    )
    found = recognise(hku)
    assert found is not None
    assert found[0].name == "ap10k17"
    assert found[1] == load_schema("ap10k17").names
    turned = recognise(hku[::-1])
    assert turned is not None
    assert turned[1] == load_schema("ap10k17").names[::-1]
    assert recognise(tuple(f"point_{i}" for i in range(17))) is None
    assert plain_name("Left  Front-Paw") == plain_name("L_FrontPaw") == "left_front_paw"


def test_schemas_that_mean_the_same_points_are_told_apart_from_those_that_do_not() -> None:
    assert load_schema("coco_foot23").same_points(load_schema("coco_foot23_062"))
    assert load_schema("coco_foot23") != load_schema("coco_foot23_062")
    assert not load_schema("coco17").same_points(load_schema("ap10k17"))


# -- mappings ----------------------------------------------------------------------------------------

PAIRS = [(a, b) for a in WITH_POINTS for b in WITH_POINTS if a is not b]


def known(source: Schema, target: Schema) -> Mapping | None:
    try:
        return mapping_between(source, target)
    except SchemaError:
        return None


@pytest.mark.parametrize("parts", [("coco17", "foot6", "crowdpose14"), ("ap10k17", "akd16", "animalpose20")])
def test_a_unified_schema_takes_every_point_of_its_parts(parts: tuple[str, ...]) -> None:
    hub = load_schema("human" if "coco17" in parts else "quadruped")
    reached = set()
    for name in parts:
        mapping = mapping_between(load_schema(name), hub)
        assert not mapping.lost
        reached |= {row.target for row in mapping.rows if row.kind != "derived"}
    assert reached == set(hub.names)


def test_people_and_animals_meet_only_approximately() -> None:
    for name in ("human", "quadruped", "coco17", "akd16"):
        assert {row.kind for row in mapping_between(load_schema(name), load_schema("tetrapod")).rows} <= {"approximate", "derived"}


def test_legs_are_joined_by_anatomy_not_by_name() -> None:
    rows = {r.target: r.source for r in mapping_between(load_schema("akd16"), load_schema("ap10k17")).rows}
    assert rows["left_hip"] == "left_knee"
    assert rows["left_knee"] == "left_heel"
    assert rows["left_shoulder"] == "left_elbow"


def test_exact_rows_go_there_and_back_unchanged() -> None:
    rng = np.random.default_rng(0)
    tried = 0
    for source, target in PAIRS:
        mapping = known(source, target)
        if mapping is None:
            continue
        tried += 1
        exact = mapping.only(["exact"])
        points, annotated = rng.uniform(0, 9, (4, len(source), 3)), np.ones((4, len(source)), bool)
        back, said = exact.inverse().apply(*exact.apply(points, annotated))
        rows = [source.index(r.source) for r in exact.rows]
        assert (back[:, rows] == points[:, rows]).all()
        assert said[:, rows].all()
        others = np.setdiff1d(np.arange(len(source)), rows)
        assert not back[:, others].any()
        assert not said[:, others].any()
    assert tried > 60


def test_mirrored_points_map_to_mirrored_points() -> None:
    for source, target in PAIRS:
        mapping = known(source, target)
        if mapping is None or source.name.startswith("foot6") or target.name.startswith("foot6"):
            continue
        points = np.random.default_rng(1).uniform(0, 9, (3, len(source), 3))
        points[..., 2] = 2
        annotated = np.ones(points.shape[:2], bool)
        there, said = mapping.apply(points, annotated)
        mirrored, said_too = mapping.apply(points[:, source.mirror], annotated)
        np.testing.assert_allclose(mirrored, there[:, target.mirror], err_msg=repr(mapping))
        assert (said_too == said[:, target.mirror]).all()


def test_a_derived_point_is_labelled_where_all_its_terms_are() -> None:
    mapping = mapping_between(load_schema("coco17"), load_schema("human"))
    left, right, neck = load_schema("coco17").index("left_shoulder"), load_schema("coco17").index("right_shoulder"), load_schema("human").index("neck")
    points = np.zeros((3, 17, 3))
    points[:, left], points[:, right] = (10, 20, 2), (30, 24, 2)
    points[1, right, 2], points[2, right] = 1, 0
    there, said = mapping.apply(points, np.ones((3, 17), bool))
    assert there[:, neck].tolist() == [[20, 22, 2], [20, 22, 1], [0, 0, 0]]
    assert said[:, neck].all()
    assert not mapping.only(["exact"]).apply(points, np.ones((3, 17), bool))[1][:, neck].any()


def test_a_mapping_is_a_table_that_a_person_can_edit(tmp_path: Path) -> None:
    for source, target in PAIRS:
        mapping = known(source, target)
        if mapping is not None:
            mapping.to_csv(tmp_path / "m.csv")
            assert read_mapping(tmp_path / "m.csv") == mapping


def test_no_mapping_is_guessed() -> None:
    with pytest.raises(SchemaError, match=r"coco17 -> ap10k17: no mapping is known; give one"):
        mapping_between(load_schema("coco17"), load_schema("ap10k17"))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("neck", "0.5*left_shoulder + 0.4*right_shoulder", "derived", ""), "sum to 0.9"),
        (("neck", "0.5*left_shoulder + 0.5*right_shoulder", "exact", ""), "mark it derived"),
        (("neck", "left_shoulder", "certain", ""), "known: approximate, derived, exact"),
        (("neck", "x*left_shoulder", "exact", ""), "write name, or 0.5*name"),
    ],
)
def test_a_row_that_cannot_be_is_refused(row: tuple[str, str, str, str], words: str) -> None:
    with pytest.raises(SchemaError) as error:
        Row(*row)
    assert words in str(error.value)


def test_two_rows_for_one_point_are_refused() -> None:
    rows = (Row("neck", "left_shoulder", "approximate"), Row("neck", "right_shoulder", "approximate"))
    with pytest.raises(SchemaError, match="two rows for 'neck'"):
        Mapping(source=load_schema("coco17"), target=load_schema("human"), rows=rows)


def test_kinds_are_ordered_from_best_to_worst() -> None:
    assert list(KINDS) == ["exact", "approximate", "derived"]
    chained = mapping_between(load_schema("akd16"), load_schema("quadruped")).then(mapping_between(load_schema("quadruped"), load_schema("ap10k17")))
    assert {r.target: r.kind for r in chained.rows}["left_front_paw"] == "exact"
    assert {r.target: r.kind for r in chained.rows}["left_hip"] == "approximate"
