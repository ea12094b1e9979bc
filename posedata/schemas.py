"""The schemas we know. Every number stands beside its public source; every sigma beside its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .errors import SchemaError, brief, did_you_mean
from .schema import Keypoint, Schema, plain_name, read_schema

__all__ = ["SCHEMAS", "SPELLINGS", "load_schema", "recognise"]


def _both(**by_name: float) -> dict[str, float]:
    """One sigma for the left and the right point: `shoulder=.079` is two entries."""
    return {f"{side}_{name}": sigma for name, sigma in by_name.items() for side in ("left", "right")}


def _sides(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The same limbs on the left and on the right; a name that starts with `_` has a side."""
    return tuple(
        (a.replace("_", f"{s}_", 1) if a[0] == "_" else a, b.replace("_", f"{s}_", 1) if b[0] == "_" else b) for s in ("left", "right") for a, b in pairs
    )


def _points(sigmas: Mapping[str, float], kind: str, at: Mapping[str, tuple[float, float]], define: Mapping[str, str]) -> tuple[Keypoint, ...]:
    """Keypoints in the order of `sigmas`; a definition under a name without its side serves both sides."""

    def meaning(name: str) -> str:
        return define.get(name) or define.get(name.replace("left_", "").replace("right_", ""), "")

    return tuple(Keypoint(name, sigma, kind, meaning(name), at.get(name)) for name, sigma in sigmas.items())


# Where drawings put the points: a person seen from the front (their left is at our right) ...
_PERSON = {
    "nose": (.50, .115), "left_eye": (.528, .09), "right_eye": (.472, .09), "left_ear": (.565, .105), "right_ear": (.435, .105),
    "head_top": (.50, .02), "head": (.50, .02), "neck": (.50, .20),
    "left_shoulder": (.62, .235), "right_shoulder": (.38, .235), "left_elbow": (.70, .38), "right_elbow": (.30, .38),
    "left_wrist": (.76, .51), "right_wrist": (.24, .51), "left_hip": (.575, .53), "right_hip": (.425, .53),
    "left_knee": (.60, .72), "right_knee": (.40, .72), "left_ankle": (.61, .90), "right_ankle": (.39, .90),
    "left_big_toe": (.63, .975), "left_small_toe": (.70, .955), "left_heel": (.595, .935),
    "right_big_toe": (.37, .975), "right_small_toe": (.30, .955), "right_heel": (.405, .935),
    "left_toes": (.64, .97), "right_toes": (.36, .97),
}  # fmt: skip
# ... and an animal that walks to our left, so that its left legs are the near ones.
_ANIMAL = {
    "left_eye": (.115, .235), "right_eye": (.085, .205), "nose": (.03, .31), "left_ear": (.20, .14), "right_ear": (.155, .12),
    "face": (.08, .265), "throat": (.19, .36), "neck": (.27, .28), "withers": (.34, .205), "mid_back": (.56, .20), "root_of_tail": (.84, .22),
    "left_point_of_shoulder": (.25, .45), "right_point_of_shoulder": (.215, .42),
    "left_shoulder": (.33, .58), "right_shoulder": (.255, .55), "left_elbow": (.32, .76), "right_elbow": (.215, .73),
    "left_front_paw": (.31, .95), "right_front_paw": (.19, .91), "left_hip": (.74, .56), "right_hip": (.665, .54),
    "left_knee": (.84, .74), "right_knee": (.75, .72), "left_back_paw": (.81, .95), "right_back_paw": (.70, .91),
}  # fmt: skip

_COCO_BODY = {"nose": 0.026, **_both(eye=0.025, ear=0.035, shoulder=0.079, elbow=0.072, wrist=0.062, hip=0.107, knee=0.087, ankle=0.089)}
_COCO_LIMBS = (
    *_sides(("_ankle", "_knee"), ("_knee", "_hip"), ("_shoulder", "_hip"), ("_shoulder", "_elbow"), ("_elbow", "_wrist"), ("nose", "_eye"), ("_eye", "_ear"), ("_ear", "_shoulder")),
    ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_eye", "right_eye"),
)  # fmt: skip
_EAR_OF_A_PERSON = {"ear": "the opening of the ear"}

COCO17 = Schema(
    name="coco17",
    keypoints=_points(_COCO_BODY, "measured", _PERSON, _EAR_OF_A_PERSON),
    limbs=_COCO_LIMBS,
    source="pycocotools cocoeval.py, kpt_oks_sigmas; measured by COCO on val images annotated repeatedly",
)

# Left and right differ on purpose: measured per keypoint (jin-s13/COCO-WholeBody issue #11).
_FOOT = {
    "left_big_toe": .068, "left_small_toe": .066, "left_heel": .066,
    "right_big_toe": .092, "right_small_toe": .094, "right_heel": .094,
}  # fmt: skip
_FOOT_ASYMMETRY = "COCO-WholeBody measured every foot point by itself (issue #11)"
_FOOT_SOURCE = "jin-s13/COCO-WholeBody evaluation code, sigmas of the feet; point order as in CMU's foot dataset"
_FOOT_LIMBS = _sides(("_ankle", "_big_toe"), ("_ankle", "_small_toe"), ("_ankle", "_heel"))
# Some projects take a foot point for as hard as a wrist; kept as a variant for comparing with their numbers.
_FOOT_AS_WRIST = dict.fromkeys(_FOOT, 0.062)
_WRIST_SOURCE = "assumed as precise as COCO's wrists, for want of repeated foot annotations"

FOOT6 = Schema(
    name="foot6",
    keypoints=_points(_FOOT, "measured", _PERSON, {}),
    limbs=_sides(("_big_toe", "_small_toe"), ("_big_toe", "_heel"), ("_small_toe", "_heel")),
    asymmetry=_FOOT_ASYMMETRY,
    source=_FOOT_SOURCE,
)
FOOT6_062 = FOOT6.with_sigmas("foot6_062", _FOOT_AS_WRIST, "assumed", source=_WRIST_SOURCE)

COCO_FOOT23 = Schema(
    name="coco_foot23",
    keypoints=COCO17.keypoints + FOOT6.keypoints,
    limbs=_COCO_LIMBS + _FOOT_LIMBS,
    asymmetry=_FOOT_ASYMMETRY,
    source=f"{COCO17.source}; {_FOOT_SOURCE}",
)
COCO_FOOT23_062 = COCO_FOOT23.with_sigmas("coco_foot23_062", _FOOT_AS_WRIST, "assumed", source=_WRIST_SOURCE)

CROWDPOSE14 = Schema(
    name="crowdpose14",
    keypoints=_points(
        {**_both(shoulder=.079, elbow=.072, wrist=.062, hip=.107, knee=.087, ankle=.089)}, "borrowed", _PERSON, {},
    ) + _points({"head": .079, "neck": .079}, "published", _PERSON, {"head": "the top of the head", "neck": "where the neck meets the chest"}),
    # The skeleton inside CrowdPose's own files is COCO's and points at joints that are not there.
    limbs=(*_sides(("neck", "_shoulder"), ("_shoulder", "_elbow"), ("_elbow", "_wrist"), ("_shoulder", "_hip"), ("_hip", "_knee"), ("_knee", "_ankle")), ("head", "neck"), ("left_hip", "right_hip")),
    source="Jeff-sjtu/CrowdPose crowdpose-api cocoeval.py: COCO's values for the body, .079 for head and neck",
)  # fmt: skip

# Limb by limb, not left and right in turn. Until AlexTheBad/AP-10K@417e1d6 (2021-12-02) the authors' list was in
# COCO's order; as sigmas stand beside names here, and pairs must agree, that list cannot be written.
_AP10K = {
    "left_eye": .025, "right_eye": .025, "nose": .026, "neck": .035, "root_of_tail": .035,
    "left_shoulder": .079, "left_elbow": .072, "left_front_paw": .062,
    "right_shoulder": .079, "right_elbow": .072, "right_front_paw": .062,
    "left_hip": .107, "left_knee": .087, "left_back_paw": .089,
    "right_hip": .107, "right_knee": .087, "right_back_paw": .089,
}  # fmt: skip
_AP10K_MEANS = {
    "neck": "the base of the neck, above the shoulders",
    "shoulder": "the uppermost bend seen on the foreleg: anatomically the elbow in most species",
    "elbow": "the middle bend of the foreleg: anatomically the wrist (carpus) in most species",
    "hip": "for hoofed and toe-walking animals 'hip' is the knee (stifle)",
    "knee": "for hoofed and toe-walking animals 'knee' is the ankle (hock)",
}
_AP10K_LIMBS = (
    ("left_eye", "right_eye"), ("left_eye", "nose"), ("right_eye", "nose"), ("nose", "neck"), ("neck", "root_of_tail"),
    *_sides(("neck", "_shoulder"), ("_shoulder", "_elbow"), ("_elbow", "_front_paw"), ("root_of_tail", "_hip"), ("_hip", "_knee"), ("_knee", "_back_paw")),
)  # fmt: skip

AP10K17 = Schema(
    name="ap10k17",
    keypoints=_points(_AP10K, "borrowed", _ANIMAL, _AP10K_MEANS),
    limbs=_AP10K_LIMBS,
    source="AlexTheBad/AP-10K@417e1d6 (COCO's values, by limb); definitions: its README, section 4",
)

_AKD_MEANS = {
    "head": "the middle of the face, between the eyes", "upper_spine": "the base of the neck", "center_spine": "the middle of the back",
    "bottom_spine": "the back above the hips, before the tail", "shoulder": "the point of the shoulder", "elbow": "the elbow, where the foreleg leaves the body",
    "knee": "the knee (stifle)", "heel": "the heel (hock)",
}  # fmt: skip
_AKD_AT = {
    "head": _ANIMAL["face"], "upper_spine": _ANIMAL["neck"], "center_spine": _ANIMAL["mid_back"], "bottom_spine": (.78, .23),
    **{f"{s}_shoulder": _ANIMAL[f"{s}_point_of_shoulder"] for s in ("left", "right")},
    **{f"{s}_elbow": _ANIMAL[f"{s}_shoulder"] for s in ("left", "right")}, **{f"front_{s}_paw": _ANIMAL[f"{s}_front_paw"] for s in ("left", "right")},
    **{f"{s}_knee": _ANIMAL[f"{s}_hip"] for s in ("left", "right")}, **{f"{s}_heel": _ANIMAL[f"{s}_knee"] for s in ("left", "right")},
    **{f"rear_{s}_paw": _ANIMAL[f"{s}_back_paw"] for s in ("left", "right")},
}  # fmt: skip

AKD16 = Schema(
    name="akd16",
    keypoints=_points({
        "head": .035, "upper_spine": .079,
        "left_shoulder": .079, "left_elbow": .072, "front_left_paw": .062, "right_shoulder": .079, "right_elbow": .072, "front_right_paw": .062,
        "center_spine": .079, "bottom_spine": .079,
        "left_knee": .087, "left_heel": .089, "rear_left_paw": .089, "right_knee": .087, "right_heel": .089, "rear_right_paw": .089,
    }, "assumed", _AKD_AT, _AKD_MEANS),
    limbs=(
        ("head", "upper_spine"), ("upper_spine", "center_spine"), ("center_spine", "bottom_spine"),
        *_sides(("upper_spine", "_shoulder"), ("_shoulder", "_elbow"), ("bottom_spine", "_knee"), ("_knee", "_heel")),
        ("left_elbow", "front_left_paw"), ("right_elbow", "front_right_paw"), ("left_heel", "rear_left_paw"), ("right_heel", "rear_right_paw"),
    ),
    source="TechNumber/pytorch_animal_pose_estimation (names and order); the authors score by PCK and give no sigmas",
)  # fmt: skip

_ANIMALPOSE_AT = {
    **_ANIMAL, "tailbase": _ANIMAL["root_of_tail"],
    **{f"{s}_{pose}": _ANIMAL[f"{s}_{ours}"] for s in ("left", "right") for pose, ours in
       {"front_elbow": "shoulder", "front_knee": "elbow", "back_elbow": "hip", "back_knee": "knee"}.items()},
}  # fmt: skip

ANIMALPOSE20 = Schema(
    name="animalpose20",
    # Order of the official keypoints.json. mmpose's list is shifted by one at ears and nose; openpifpaf's, used here, is not.
    keypoints=_points({
        "left_eye": .025, "right_eye": .025, "nose": .026, "left_ear": .035, "right_ear": .035,
        "left_front_elbow": .072, "right_front_elbow": .072, "left_back_elbow": .072, "right_back_elbow": .072,
        "left_front_knee": .087, "right_front_knee": .087, "left_back_knee": .087, "right_back_knee": .087,
        "left_front_paw": .089, "right_front_paw": .089, "left_back_paw": .089, "right_back_paw": .089,
        "throat": .079, "withers": .079, "tailbase": .079,
    }, "borrowed", _ANIMALPOSE_AT, {"ear": "the base of the ear", "withers": "the ridge between the shoulder blades", "back_elbow": "the knee (stifle)", "back_knee": "the heel (hock)",
                                    "front_elbow": "the elbow", "front_knee": "the wrist (carpus)"}),
    limbs=(
        ("left_eye", "right_eye"), *_sides(("_eye", "nose"), ("_eye", "_ear"), ("_ear", "throat")), ("nose", "throat"), ("throat", "withers"), ("withers", "tailbase"),
        *_sides(("throat", "_front_elbow"), ("_front_elbow", "_front_knee"), ("_front_knee", "_front_paw"), ("tailbase", "_back_elbow"), ("_back_elbow", "_back_knee"), ("_back_knee", "_back_paw")),
    ),
    source="noahcao/animal-pose-dataset (names and order); sigmas as openpifpaf's Animal-Pose plugin borrows them from COCO",
)  # fmt: skip

HUMAN = Schema(
    name="human",
    keypoints=(
        *COCO17.keypoints,
        *_points({"head_top": 0.079, "neck": 0.079}, "borrowed", _PERSON, {"head_top": "the top of the head", "neck": "where the neck meets the chest"}),
        *FOOT6.keypoints,
    ),
    limbs=(*_COCO_LIMBS, ("head_top", "neck"), ("neck", "left_shoulder"), ("neck", "right_shoulder"), *_FOOT_LIMBS),
    asymmetry=_FOOT_ASYMMETRY,
    source="the union of coco17, crowdpose14 and foot6; head top and neck borrowed from CrowdPose",
)

QUADRUPED = Schema(
    name="quadruped",
    keypoints=(
        *AP10K17.keypoints,
        *_points(
            {**_both(ear=.035), "throat": .079, "withers": .079, "face": .035, "mid_back": .079, **_both(point_of_shoulder=.079)},
            "assumed", _ANIMAL,
            {"ear": "the base of the ear (Animal-Pose)", "throat": "Animal-Pose", "withers": "the ridge between the shoulder blades (Animal-Pose)",
             "face": "the middle of the face (AKD's head)", "mid_back": "the middle of the back (AKD's center_spine)",
             "point_of_shoulder": "the joint at the front of the chest (AKD's shoulder)"},
        ),
    ),
    limbs=(
        *_AP10K_LIMBS, *_sides(("_eye", "_ear"), ("withers", "_point_of_shoulder"), ("_point_of_shoulder", "_shoulder")),
        ("face", "nose"), ("nose", "throat"), ("neck", "withers"), ("withers", "mid_back"), ("mid_back", "root_of_tail"),
    ),
    source="the union of ap10k17, akd16 and animalpose20, under AP-10K's names where these have one",
)  # fmt: skip

TETRAPOD = Schema(
    name="tetrapod",
    keypoints=_points(
        {"nose": .026, **_both(eye=.025, ear=.035), "neck": .079, **_both(shoulder=.079, elbow=.072, wrist=.062, knee=.087, ankle=.089, toes=.089)},
        "assumed",
        {**_ANIMAL, **{f"{s}_{name}": _ANIMAL[f"{s}_{ap}"] for s in ("left", "right") for name, ap in
                       {"shoulder": "point_of_shoulder", "elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee", "toes": "back_paw"}.items()}},
        {"elbow": "the anatomical elbow (AP-10K's 'shoulder')", "wrist": "the anatomical wrist (AP-10K's 'elbow')", "knee": "the anatomical knee (AP-10K's 'hip')",
         "ankle": "the anatomical ankle (AP-10K's 'knee')", "toes": "the tip of the hind foot (AP-10K's 'back paw', a person's big toe)"},
    ),
    limbs=(("left_eye", "right_eye"), *_sides(("nose", "_eye"), ("_eye", "_ear"), ("neck", "_shoulder"), ("_shoulder", "_elbow"), ("_elbow", "_wrist"), ("neck", "_knee"), ("_knee", "_ankle"), ("_ankle", "_toes")), ("nose", "neck")),
    source="the points that people and animals share by anatomy, not by name; sigmas as COCO's for the same joint",
)  # fmt: skip

NO_POINTS = Schema(name="none", keypoints=(), source="a set of images and boxes alone")

SCHEMAS: dict[str, Schema] = {
    s.name: s for s in (COCO17, FOOT6, COCO_FOOT23, CROWDPOSE14, AP10K17, AKD16, ANIMALPOSE20, HUMAN, QUADRUPED, TETRAPOD, FOOT6_062, COCO_FOOT23_062, NO_POINTS)
}  # fmt: skip

# Other spellings of a point found in the wild, beyond case and blanks (`plain_name` folds those).
SPELLINGS: dict[str, dict[str, str]] = {
    # mmpose and the HKU cats
    "ap10k17": {f"{s}_{short}_paw": f"{s}_{word}_paw" for s in ("left", "right") for short, word in (("f", "front"), ("b", "back"))},
    "crowdpose14": {"top_head": "head"},  # mmpose
    "animalpose20": {  # mmpose
        "left_ear_base": "left_ear", "right_ear_base": "right_ear", "tail_base": "tailbase",
        **{f"{s}_{short}_{part}": f"{s}_{word}_{part}" for s in ("left", "right") for short, word in (("f", "front"), ("b", "back")) for part in ("elbow", "knee", "paw")},
    },
}  # fmt: skip


def load_schema(name: str | Path | Schema) -> Schema:
    """A known schema by name, or a user's own from its TOML or JSON file."""
    if isinstance(name, Schema):
        return name
    if not isinstance(name, str | Path):
        raise SchemaError(brief(repr(name)), "no schema", "give its name, or the path of a .toml or .json file")
    if str(name) in SCHEMAS:
        return SCHEMAS[str(name)]
    if Path(name).suffix in (".toml", ".json"):
        return read_schema(name)
    raise SchemaError(brief(str(name)) or "schema ''", "no such schema", f"{did_you_mean(str(name), SCHEMAS)} or the path of a .toml or .json file")


def canonical_names(schema: Schema, spelled: tuple[str, ...]) -> tuple[str, ...] | None:
    """The schema's own names for those a file spells its way; None if one is not of this schema."""
    own = _plain_to_own(schema)
    names = tuple(own.get(s) or own.get(plain_name(s), "") for s in spelled)
    return names if all(names) and len(set(names)) == len(names) else None


def recognise(spelled: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]] | None:
    """The known schema that has exactly these names, in any order, and its own names for them; never by number."""
    for schema in SCHEMAS.values():
        names = canonical_names(schema, spelled) if len(schema) == len(spelled) else None
        if names and schema is not NO_POINTS:
            return schema, names
    return None


@cache
def _plain_to_own(schema: Schema) -> dict[str, str]:
    plain = [plain_name(n) for n in schema.names]
    times = Counter(plain)
    own = {p: n for p, n in zip(plain, schema.names, strict=True) if p and times[p] == 1}  # left+ and left- are two, or none
    return own | SPELLINGS.get(schema.name, {}) | {n: n for n in schema.names}
