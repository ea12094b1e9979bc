"""COCO keypoints: people, 17 points."""

from __future__ import annotations

from ..dataset import PoseDataset
from ..download.remote import Remote
from ..entries import Entry, Found, KnownFault, Part, Source
from ..formats.coco import read_coco
from ..schemas import COCO17

_HOST = "http://images.cocodataset.org"
# sizes and sha256: tensorflow/datasets url_checksums/coco.txt
_ARCHIVES = {
    "annotations_trainval2017.zip": ("annotations", 252_907_541, "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"),
    "val2017.zip": ("zips", 815_585_330, "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
    "train2017.zip": ("zips", 19_336_861_798, "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
    "annotations_trainval2014.zip": ("annotations", 252_872_794, "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009"),
    "val2014.zip": ("zips", 6_645_013_297, "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0"),
    "train2014.zip": ("zips", 13_510_573_713, "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775"),
}


def read(found: Found) -> PoseDataset:
    return read_coco(found.files[0], found.images, COCO17)


def archive(name: str, *configs: str) -> Source:
    """One of COCO's own archives."""
    folder, size, sha256 = _ARCHIVES[name]
    year = name.removesuffix(".zip")[-4:]
    return Source(name, f"{size / 1e9:.2f} GB", Remote(f"{_HOST}/{folder}/{name}", name, size, sha256), into="coco", configs=configs or (year,))


def _part(split: str, year: str) -> Part:
    return Part(((f"annotations/person_keypoints_{split}{year}.json", f"person_keypoints_{split}{year}.json"),), (f"{split}{year}", f"images/{split}{year}"))


ENTRY = Entry(
    title="COCO keypoints",
    schema="coco17",
    protocol="coco",
    folders=("coco", "COCO", "coco2017", "mscoco", "data-mscoco"),
    splits={year: {split: _part(split, year) for split in ("train", "val")} for year in ("2017", "2014")},
    read=read,
    sources=tuple(archive(name) for name in _ARCHIVES),
    licence="annotations CC BY 4.0; the pictures are under Flickr's terms, each with its own licence",
    citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
    homepage="https://cocodataset.org",
    sigmas="measured by COCO (pycocotools)",
    faults=(
        KnownFault("people-without-points", "many annotations have num_keypoints 0; evaluation ignores them."),
        KnownFault("points-outside-box", "some labelled points lie outside their box; they are kept."),
        KnownFault("one-based-skeleton", "the skeleton in the files counts from 1."),
        KnownFault("whole-pixels", "keypoints are whole pixels, polygons are continuous: an edge coordinate is a keypoint's plus one half."),
    ),
    notes=("train2017 has 118,287 images and val2017 has 5,000, most of them with nobody on them.",),
)
