"""Animal Keypoints Dataset: TechNumber's cats, 16 points along the spine and legs."""

from __future__ import annotations

import numpy as np

from ..dataset import PoseDataset
from ..download.remote import drive
from ..entries import Entry, Found, KnownFault, Part, Source
from ..formats.akd import read_akd


def read(found: Found) -> PoseDataset:
    return read_akd(found.files[0], found.images)


def without_garbage(ds: PoseDataset) -> tuple[PoseDataset, int]:
    """A cat all of whose points lie at one place off its picture was never annotated; it goes, with its picture."""
    xy = ds.instances.keypoints[..., :2]
    size = np.stack([ds.images.width, ds.images.height], 1)[ds.instances.image]
    nowhere = ds.outside.all(1) & (np.ptp(xy, axis=1) < 0.1 * size).all(1)
    return (ds.where(~nowhere).without_empty(), int(nowhere.sum())) if nowhere.any() else (ds, 0)


def _part(split: str) -> Part:
    return Part(((f"{split}/keypoints_annotations.json", f"{split}/{split}_keypoints_annotations.json"),), (f"{split}/labeled", f"{split}/images"))


ENTRY = Entry(
    title="TechNumber's Animal Keypoints Dataset (cats)",
    schema="akd16",
    protocol="akd",
    folders=("akd/cats", "dataset/cats", "technumber_cats", "akd"),  # as downloaded; as in the course's repository; as people rename it
    splits={"default": {split: _part(split) for split in ("train", "test")}},
    read=read,
    sources=(
        Source(
            "akd",
            remote=drive("1_pnZohJ4A65uWX7UBTWMTct1lPOLPLl8", "akd.zip", md5="1720a863fa30aa6d3321b6d139b42703"),
            how="unpack it into data/, which gives data/akd/cats/",
        ),
    ),
    counts={"default/train": (138, 138), "default/test": (24, 24)},
    licence="none stated",
    citation="TechNumber, github.com/TechNumber/pytorch_animal_pose_estimation",
    homepage="https://github.com/TechNumber/pytorch_animal_pose_estimation",
    sigmas="assumed: the authors score by PCK and give none",
    missing=dict.fromkeys(("val", "validation"), "there is none; take folds of train: split='train[20%:]' to learn from and 'train[:20%]' to choose by"),
    faults=(
        KnownFault("garbage-entry", "train entry 137 (post_5bf5e3643fe86.jpg) has all its points at the same place outside the picture.", without_garbage),
        KnownFault("missing-picture", "the course's repository lacks one picture of train (Cat_August_2010-4.jpg): 138 annotations, 137 pictures."),
        KnownFault("x-y-order", "the README says (y, x, visibility); the numbers are x, y, as the authors' own code reads them.", how="read"),
        KnownFault("visibility", "0 is hidden but located (638 of 2,208 points in train), 1 is seen; here they are 1 and 2.", how="read"),
        KnownFault("odd-names", "file names hold Cyrillic letters, quotes and pieces of HTML; the downloaded archive renames them, points unchanged."),
    ),
    notes=("The other cat set, HKU's with AP-10K's 17 points, is `cat`.", "No boxes, no areas: one cat on each picture."),
)
