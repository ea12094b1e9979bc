"""Traps that published files have set, each with its public source. Every one is found by a rule that names it."""

from __future__ import annotations

__all__ = ["TRAPS"]

TRAPS = {
    "ap10k-sigmas": "AP-10K's sigmas stood in COCO's order until AlexTheBad/AP-10K@417e1d6 (2021-12-02): a bare list fits any order.",
    "ap10k-mean": "AP-10K's AP is a mean over categories, most of them small (mmpose, AP-10K's own evaluation).",
    "ap10k-counts": "AP-10K: README, mmpose's page and the files disagree on the number of species; some categories are empty.",
    "ap10k-area": "AP-10K's area is that of the box, COCO's that of the segment, CrowdPose has none.",
    "hku-cats": "HKU's cats: val has 124 images and 132 cats, not 128; test labels do not exist; configuration and files disagree on folders (jin-s13/COMP7606).",
    "akd": "TechNumber's cats: (y, x) in the README, x, y normalised in the JSON; v = 0 is hidden; entry 137 is garbage; odd file names.",
    "crowdpose-count": "CrowdPose's num_keypoints leaves out head and neck (issue #16).",
    "crowdpose-flags": "CrowdPose's head and neck are never v = 2 (issue #23).",
    "crowdpose-size": "CrowdPose's width and height were exchanged in train and test (issue #12).",
    "crowdpose-index": "CrowdPose's crowdIndex is not in 0 to 1 (issue #25).",
    "crowdpose-misc": "CrowdPose: COCO's skeleton, no area, points outside image and box, instances without points.",
    "cmu-foot": "CMU's feet: categories an object, num_keypoints of the body, flat polygons, float ids, stripped blanks, clipped coordinates.",
    "wholebody": "COCO-WholeBody: num_keypoints of the body only, feet and hands under other keys, v may be a fraction.",
    "coco": "COCO: many people without points, points outside boxes, a skeleton that counts from 1.",
    "animal-pose": "Animal-Pose: corner boxes, images by id, no annotation ids, num_keypoints always 20, v = 0 with coordinates.",
    "atrw": "ATRW: `filename`, every box the whole image, area that of the box.",
    "animal-kingdom": 'Animal Kingdom: (-1, -1, 0) where unlabelled, "Ankle_Left ", 7 birds among mammals, images without annotation.',
    "stanford-extra": "StanfordExtra: a list of records with joints and img_bbox.",
    "coco-subsets": "COCO subsets in the wild: repeated image entries, images without annotation.",
    "dlc-csv": "DeepLabCut and Lightning Pose: CSV with three header rows, empty cells, frames nobody labelled.",
}
