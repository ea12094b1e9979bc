"""The cats of HKU's course COMP7606: 17 points of AP-10K on pictures of pet cats."""

from __future__ import annotations

from ..dataset import PoseDataset
from ..entries import Entry, Found, KnownFault, Part, Source
from ..formats.coco import read_coco
from ..schemas import AP10K17


def read(found: Found) -> PoseDataset:
    return read_coco(found.files[0], found.images, AP10K17)


ENTRY = Entry(
    title="HKU COMP7606 cats",
    schema="ap10k17",
    protocol="cat",
    folders=("cats", "Cats", "cat"),
    splits={
        "default": {
            "train": Part((("annotations/train.json",),), ("images",)),
            "val": Part((("annotations/val.json",),), ("images",)),
            "test": Part((("annotations/test_info.json",),), ("images",)),
        }
    },
    read=read,
    sources=(
        Source(
            "Cats.tar",
            page="https://github.com/jin-s13/COMP7606",
            how="unpack it into data/, which gives data/cats/; its git blob is e9763d268de1826efad1bce0cb62429383e39555 (replaced on 2021-12-08)",
        ),
    ),
    counts={"default/train": (1000, 1104), "default/val": (124, 132), "default/test": (200, 223)},
    licence="none stated",
    citation="Jin et al., HKU COMP7606 assignment, github.com/jin-s13/COMP7606",
    homepage="https://github.com/jin-s13/COMP7606",
    sigmas="AP-10K's, as its configs/_base_/cats.py has them",
    faults=(
        KnownFault("val-count", "val is documented with 128 images; the file holds 124, with 132 cats."),
        KnownFault("no-test-labels", "test has images and boxes alone: its points are not labelled."),
        KnownFault("wrong-data-root", "the course's configuration points to data/ap10k; the files are cats/annotations and cats/images."),
    ),
    notes=("The other cat set, TechNumber's with 16 points, is `akd`.",),
)
