"""The protocols we know, each choice beside its public source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from posedata.errors import FormatError, PoseError, brief, did_you_mean
from posedata.schemas import COCO17, FOOT6

from .protocol import Part, Protocol, read_protocol

__all__ = ["AKD", "AP10K", "CAT", "COCO", "COCO_FOOT", "COCO_FOOT_WHOLEBODY", "CROWDPOSE", "CROWDPOSE_OPENPIFPAF", "FOOT", "PROTOCOLS", "load_protocol"]

_PYCOCOTOOLS = "pycocotools 2.0, cocoeval.py (Params.setKpParams, COCOeval)"
_CROWDPOSE_API = "crowdpose-api, PythonAPI/crowdposetools/cocoeval.py"

_TEN = ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR@0.75", "AR[medium]", "AR[large]")
"""COCO's ten numbers, in its order."""

COCO = Protocol(
    name="coco",
    ranges={"medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)},
    metrics=_TEN,
    sources={
        "thresholds": f"{_PYCOCOTOOLS}: linspace(.5, .95, 10)",
        "max_preds": f"{_PYCOCOTOOLS}: maxDets = [20]",
        "truth_area": f"{_PYCOCOTOOLS}: computeOks divides by gt['area']",
        "prediction_area": "pycocotools 2.0, coco.py loadRes",
        "ignored": f"{_PYCOCOTOOLS}: _prepare: iscrowd, or num_keypoints == 0",
        "absent": "pycocotools 2.0 reads 0, 0, 0 as a point like any other",
        "ranges": f"{_PYCOCOTOOLS}: areaRng, both ends included",
        "interpolation": f"{_PYCOCOTOOLS}: recThrs = linspace(0, 1, 101)",
        "sigmas": "cocodataset.org/#keypoints-eval; the values are the schema's",
    },
)

COCO_FOOT = COCO.replace(
    name="coco_foot",
    parts={"body": Part(points=COCO17.names, ignored="recorded"), "foot": Part(points=FOOT6.names)},
    metrics=(*_TEN, "AP[body]", "AR[body]", "AP[foot]", "AR[foot]"),
    ignored="labelled",
    notes=(
        "A person counts where any of the 23 points is labelled; num_keypoints of the foot files is that of the body.",
        "AP[body] is COCO's AP of the 17 points (num_keypoints decides who is ignored), AP[foot] that of the six.",
    ),
    sources={**COCO.sources, "ignored": "any labelled point, as xtcocotools counts", "parts": "body: COCO; foot: xtcocotools 1.14, keypoints_foot"},
)

COCO_FOOT_WHOLEBODY = COCO_FOOT.replace(
    name="coco_foot-wholebody",
    parts={"body": COCO_FOOT.parts["body"], "foot": Part(points=FOOT6.names, valid="foot_valid", score="foot_score", drop_silent=True)},
    notes=(
        *COCO_FOOT.notes,
        "AP[foot] counts truths with foot_valid and ranks by foot_score where the files have them, and leaves out predictions without any foot point.",
        "No evaluator reads foot_valid itself: an invalid foot has no labelled point in the published files, so both agree there.",
    ),
    sources={**COCO_FOOT.sources, "parts": "body: COCO; foot: COCO-WholeBody, xtcocotools 1.14 keypoints_foot"},
)

FOOT = COCO.replace(
    name="foot",
    ignored="labelled",
    notes=("num_keypoints of CMU's foot files is that of the body: a person counts where a foot point is labelled.",),
    sources={**COCO.sources, "ignored": "xtcocotools 1.14, keypoints_foot: any labelled foot point"},
)

CROWDPOSE = COCO.replace(
    name="crowdpose",
    truth_area=".53 box",
    ranges={},
    levels={"easy": (-math.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, math.inf)},
    metrics=("AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75", "AP[easy]", "AP[medium]", "AP[hard]"),
    notes=(
        "num_keypoints of the files leaves head and neck out, and decides who is ignored.",
        "easy, medium and hard are AP over the images of a crowdIndex; the official code prints them with four digits, under the title of recall.",
    ),
    sources={
        **COCO.sources,
        "truth_area": f"{_CROWDPOSE_API}: computeOks takes bbox w x h x .53",
        "ignored": f"{_CROWDPOSE_API}: _prepare: iscrowd, or num_keypoints == 0",
        "levels": f"{_CROWDPOSE_API}: summarize: < .2, < .8, the rest",
    },
)

CROWDPOSE_OPENPIFPAF = CROWDPOSE.replace(
    name="crowdpose-openpifpaf",
    truth_area="box",
    levels={"easy": (0.0, 0.1), "medium": (0.1, 0.8), "hard": (0.8, 1.0)},
    notes=(
        "Images of a crowdIndex of 1 or more are in no level; 109 of the 349 hard images of val drop out.",
        "OpenPifPaf looks only at images that have an annotation: for its number, score truth.without_empty(), and drop predictions of the others.",
    ),
    sources={**CROWDPOSE.sources, "truth_area": "openpifpaf 0.13, metric/coco.py", "levels": "openpifpaf 0.13, plugins/crowdpose"},
)

AP10K = COCO.replace(
    name="ap10k",
    metrics=(*_TEN, "AP[pooled]"),
    notes=(
        "AP is a mean over the species that have truths, as mmpose publishes it; AP[pooled] makes all species one before matching.",
        "area in the files is width x height of the box, not of the animal: numbers are not comparable with COCO's.",
    ),
    sources={**COCO.sources, "per_category": "mmpose 1.3, CocoMetric: every prediction keeps its category, COCOeval averages", "truth_area": "AP-10K's files"},
)

CAT = COCO.replace(
    name="cat",
    sources={**COCO.sources, "sigmas": "AP-10K's after its repair of 2021-12-02, as COMP7606's configs/_base_/cats.py has them"},
)

AKD = COCO.replace(
    name="akd",
    truth_area="extent",
    ignored="labelled",
    metrics=("PCK.technumber@0.1", "PCK.technumber@0.2", "AP", "AP@0.50", "AP@0.75", "AR", "AR@0.50", "AR@0.75"),
    ranges={},
    notes=(
        "PCK.technumber is the rule of the set's authors: all points, hidden ones too, within a share of the diagonal around them; in pixels, where theirs is in cells of a square heatmap.",
        "The files have neither box nor area; AP takes the extent of the points, and sigmas borrowed from other sets.",
    ),
    sources={
        "metrics": "TechNumber/pytorch_animal_pose_estimation, metrics",
        "thresholds": _PYCOCOTOOLS,
        "max_preds": _PYCOCOTOOLS,
        "truth_area": "ours: the files have neither area nor box",
        "ignored": "ours: the files have no num_keypoints",
    },
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({
    p.name: p for p in (COCO, COCO_FOOT, COCO_FOOT_WHOLEBODY, FOOT, CROWDPOSE, CROWDPOSE_OPENPIFPAF, AP10K, CAT, AKD)
})  # fmt: skip
"""By name."""

BY_SCHEMA: Mapping[str, Protocol] = MappingProxyType({
    "crowdpose14": CROWDPOSE, "coco_foot23": COCO_FOOT, "coco_foot23_062": COCO_FOOT, "ap10k17": AP10K, "akd16": AKD,
    "foot6": FOOT, "foot6_062": FOOT,
})  # fmt: skip
"""The rules under which numbers of a schema are published, for files that belong to no dataset we know."""


def load_protocol(protocol: Protocol | str | Path) -> Protocol:
    """A protocol: one given, one by its name, or one from a TOML or JSON file."""
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str | Path):
        raise PoseError("protocol", brief(repr(protocol)), f"a Protocol, a file, or one of: {', '.join(PROTOCOLS)}")
    if str(protocol) in PROTOCOLS:
        return PROTOCOLS[str(protocol)]
    if isinstance(protocol, Path) or Path(protocol).suffix in (".toml", ".json"):
        return read_protocol(protocol, PROTOCOLS)
    raise FormatError("protocol", f"no protocol {str(protocol)!r}", did_you_mean(str(protocol), PROTOCOLS) + ", or a file NAME.toml")
