"""AP-10K: 54 species of mammals, 17 points, three splits of the same images."""

from __future__ import annotations

from ..dataset import PoseDataset
from ..download.remote import drive
from ..entries import Entry, Found, KnownFault, Part, Source
from ..formats.coco import read_coco
from ..schemas import AP10K17


def read(found: Found) -> PoseDataset:
    return read_coco(found.files[0], found.images, AP10K17)


def _part(number: int, split: str) -> Part:
    return Part(((f"annotations/ap10k-{split}-split{number}.json",),), ("data",))


ENTRY = Entry(
    title="AP-10K: animal pose in the wild",
    schema="ap10k17",
    protocol="ap10k",
    folders=("ap-10k", "ap10k", "AP-10K", "AP10K"),  # as zipped by its authors; as mmpose wants it; as people rename it
    splits={f"split{n}": {split: _part(n, split) for split in ("train", "val", "test")} for n in (1, 2, 3)},
    read=read,
    sources=(
        Source(
            "ap-10k.zip",
            "3.4 GB",
            drive("1-FNNGcdtAQRehYYkGY1y4wzFNg4iWNad", "ap-10k.zip"),
            page="https://github.com/AlexTheBad/AP-10K",
            how="unpack it into data/, which gives data/ap-10k/",
        ),
    ),
    licence="CC BY 4.0 (repository); the files say MIT; mmpose says non-commercial: ask before you sell",
    citation="Yu et al., AP-10K: A Benchmark for Animal Pose Estimation in the Wild, NeurIPS Datasets and Benchmarks 2021",
    homepage="https://github.com/AlexTheBad/AP-10K",
    sigmas="COCO's values by limb, as corrected in AlexTheBad/AP-10K@417e1d6 (2021-12-02); numbers published before used another order",
    faults=(
        KnownFault("area-is-box", "area is width x height of the box, not COCO's segment: OKS is kinder than on COCO by a scale of about 1.4."),
        KnownFault("visible-only", "every stored point has v = 2; hidden points are not marked."),
        KnownFault("empty-category", "54 categories stand in the files, some (arctic fox) without instances; mmpose's page counts 50."),
        KnownFault("shared-images", "images come partly from Animal-Pose and other sets: beware of leaks between them."),
    ),
    notes=(
        "10,015 images, 13,028 instances, 54 species, split 7:1:2 in three ways.",
        "For hoofed and toe-walking animals 'hip' is the knee and 'knee' the ankle.",
    ),
)
