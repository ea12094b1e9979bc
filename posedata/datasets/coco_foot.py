"""COCO with feet: CMU's six foot points joined to COCO's seventeen, by image and annotation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..dataset import PoseDataset
from ..download.remote import Remote
from ..entries import Entry, Found, KnownFault, Part, Source
from ..errors import FormatError
from ..formats.cmu import read_cmu
from ..formats.coco import read_coco
from ..merging.people import partners_by_id
from ..schemas import COCO17, COCO_FOOT23, FOOT6
from .coco import archive

_HOST = "http://posefs1.perception.cs.cmu.edu/OpenPose/datasets/foot"


def read(found: Found) -> PoseDataset:
    feet, body = read_cmu(found.files[0], found.images, fixes=found.fixes), found.extra[0] if found.extra else None
    if not (feet.schema.same_points(FOOT6) or feet.schema.same_points(COCO_FOOT23)):
        raise FormatError(str(found.files[0]), f"a file of schema {feet.schema.name!r}", "CMU's foot files hold foot6 or coco_foot23")
    if found.config == "feet":
        return feet
    if body is not None:
        return join(feet, read_coco(body, found.images, COCO17))
    if feet.schema.same_points(FOOT6):
        raise FormatError(
            str(found.files[0]), "holds the six foot points alone", f"put COCO's person_keypoints_{found.split}2017.json beside it: posedata download coco"
        )
    return replace(feet, provenance=feet.provenance.then("the foot file holds all 23 points; COCO's file is not here, nothing was joined or checked"))


def join(feet: PoseDataset, bodies: PoseDataset) -> PoseDataset:
    """COCO's people on the images of the foot file, with their feet where image and annotation id agree.

    A foot file of 23 points gives its six: bodies are COCO's own in every split.
    People without a partner keep their body; their feet are not annotated. A foot record that has no body of its id on its
    image, or whose box is another one, is an orphan: it is joined to nobody, and named in the provenance.
    """
    kept = bodies.where(image_id=feet.images.id.tolist())
    partner = _partners(feet, kept)
    orphans = feet.instances.id[partner < 0]
    own = kept.as_schema(COCO_FOOT23)
    keypoints, annotated = own.instances.keypoints.copy(), own.instances.annotated.copy()
    rows, places = partner[partner >= 0], np.array([COCO_FOOT23.index(n) for n in FOOT6.names])
    keypoints[np.ix_(rows, places)] = feet.instances.keypoints[partner >= 0][:, [feet.schema.index(n) for n in FOOT6.names]]
    annotated[np.ix_(rows, places)] = True
    steps = (
        f"the foot file holds {len(feet.schema)} points; joined {len(rows):,} of {len(feet):,} feet to {len(kept):,} bodies on {len(kept.images):,} images",
        *([f"orphans, joined to nobody: {', '.join(map(str, orphans.tolist()))}"] if len(orphans) else []),
        *([f"images of the foot file that COCO's lacks: {', '.join(map(str, _lacking(feet, kept)))}"] if len(_lacking(feet, kept)) else []),
    )
    provenance = replace(feet.provenance, files=feet.provenance.files + bodies.provenance.files, steps=steps)
    return replace(own, instances=replace(own.instances, keypoints=keypoints, annotated=annotated), provenance=provenance)


def _partners(feet: PoseDataset, bodies: PoseDataset) -> np.ndarray:
    """(feet,) row of the body with the same annotation id on the same image with the same box, else -1."""
    if not len(bodies) or not len(feet):
        return np.full(len(feet), -1)
    if feet.instances.id.dtype != bodies.instances.id.dtype:
        raise FormatError("coco_foot", "annotation ids of feet and bodies are of different kinds", "are both files COCO's?")
    own = bodies.instances
    return partners_by_id(
        feet.instances.id, feet.images.id[feet.instances.image], feet.instances.bbox, (own.id, bodies.images.id[own.image], own.bbox)
    )  # CMU's boxes are COCO's own, rounded to two places


def _lacking(feet: PoseDataset, kept: PoseDataset) -> list[object]:
    return sorted(set(feet.images.id.tolist()) - set(kept.images.id.tolist()))


def _part(split: str, joined: bool) -> Part:
    name = f"person_keypoints_{split}2017_foot_v1.json"
    feet = (f"annotations/{name}", name, f"coco_foot/{name}")
    body = (f"annotations/person_keypoints_{split}2017.json", f"person_keypoints_{split}2017.json", f"../coco/annotations/person_keypoints_{split}2017.json")
    return Part((feet,), (f"{split}2017", f"../coco/{split}2017"), (body,) if joined else ())


def _archive(split: str) -> Source:
    name = f"person_keypoints_{split}2017_foot_v1.zip"
    return Source(
        name,
        remote=Remote(f"{_HOST}/{name}", name),
        into="coco_foot/annotations",
        how="often down; github Eva20150932/coco-foot-and-leg mirrors the JSON files, which go into data/coco_foot/",
    )


ENTRY = Entry(
    title="COCO with CMU's feet",
    schema="coco_foot23",
    protocol="coco_foot",
    folders=("coco_foot", "coco", "COCO", "coco-foot-and-leg"),
    splits={"joined": {s: _part(s, True) for s in ("train", "val")}, "feet": {s: _part(s, False) for s in ("train", "val")}},
    read=read,
    sources=(_archive("train"), _archive("val"), *(archive(name, "joined") for name in ("annotations_trainval2017.zip", "val2017.zip", "train2017.zip"))),
    licence="COCO's (CC BY 4.0 for annotations); CMU states none for the feet",
    citation="Cao et al., OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, TPAMI 2019",
    homepage="https://cmu-perceptual-computing-lab.github.io/foot_keypoint_dataset/",
    sigmas="COCO's, and WholeBody's measured foot sigmas; coco_foot23_062 takes feet for wrists",
    faults=(
        KnownFault(
            "dict-categories",
            "categories is an object, not a list, in CMU's original files (openpose issue #1044); read as the list it should be.",
            how="fixed",
        ),
        KnownFault("six-or-23", "val holds the six foot points alone, train all 23; whichever it is, is told in the provenance.", how="read"),
        KnownFault("body-count", "num_keypoints still counts the body."),
        KnownFault("flat-polygons", "segmentation is one flat list instead of a list of lists; read as one polygon.", how="fixed"),
        KnownFault("float-ids", "ids from a million on are written as 1.731118E+6; read as whole numbers.", how="read"),
        KnownFault("stripped-blanks", "white space is stripped inside strings ('COCO2017Dataset', '2013-11-1417:02:52')."),
        KnownFault("clipped", "coordinates are rounded and clipped to 1..width, so that x may equal the width; v is only 0 or 2."),
    ),
)
