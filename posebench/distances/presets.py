"""The PCK of each benchmark whose code is public, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .rules import PCKRule

__all__ = ["MMPOSE", "PCK_RULES", "POSEBENCH"]

POSEBENCH = PCKRule(
    name="posebench",
    summary="Ours: whatever was not found counts as wrong, so that leaving out the hard ones gains nothing.",
    source="this package",
)

MPII = PCKRule(
    name="mpii-hrnet",
    summary="PCKh, MPII's Mean: joints weighted by their counts, without pelvis and thorax. Asked for .1 the code takes .11.",
    source="HRNet, lib/dataset/mpii.py (its issues 93 and 167)",
    norm="head",
    pairing="given",
    thresholds=(0.5,),
    without=("pelvis", "thorax"),
    read_as={0.1: 0.11},
)

MMPOSE = PCKRule(
    name="mmpose",
    summary="PCKAccuracy with norm_item='bbox'; .2 for hands, fashion, zebra, locust and JHMDB, .1 for body8.",
    source="mmpose 1.3, PCKAccuracy, keypoint_pck_accuracy",
    unit="keypoint",
    compare="<",
    pairing="given",
    thresholds=(0.05,),
)

_RULES = (
    POSEBENCH,
    POSEBENCH.replace(
        name="diagonal", summary="Ours for truths without boxes, as a share of the diagonal around the labelled points.", norm="labelled diagonal"
    ),
    MPII,
    MPII.replace(
        name="mpii-mmpose",
        summary="PCKh as mpii-hrnet's, but strict, and .1 is .1.",
        source="mmpose 1.3, MpiiPCKAccuracy",
        compare="<",
        read_as={},
    ),
    MMPOSE,
    MMPOSE.replace(
        name="mmpose-torso",
        summary="tPCK of JHMDB: norm_item='torso'. The torso is read wherever its points lie, labelled or not.",
        source="mmpose 1.3, JhmdbPCKAccuracy, PCKAccuracy",
        norm="torso or predicted",
        thresholds=(0.2,),
    ),
    MMPOSE.replace(
        name="mp100",
        summary="CAPE on MP-100: a rate per instance. Points hidden in the support pose do not count there: mask them with where().",
        source="POMNet (Pose-for-Everything), test_base_dataset.py",
        unit="instance",
        thresholds=(0.2,),
    ),
    MMPOSE.replace(
        name="edgecape",
        summary="mPCK: the mean over five thresholds; the paper says four.",
        source="EdgeCape (its issue 5)",
        unit="instance",
        thresholds=(0.05, 0.1, 0.15, 0.2, 0.25),
    ),
    PCKRule(
        name="technumber",
        summary="The cats' own: every point counts, hidden ones too, x in widths of the picture and y in heights, as in their square heatmaps. "
        "The config says .2, the README plots .1; places are not rounded to cells here.",
        source="TechNumber/pytorch_animal_pose_estimation, utils/metrics.py",
        norm="square diagonal",
        compare="<",
        points="all",
        pairing="given",
    ),
    PCKRule(
        name="sleap",
        summary="mPCK: pixels, a mean over 1 to 10. Only what was matched is looked at; SLEAP matches from OKS 0 on, we from .1.",
        source="SLEAP-nn 0.3, evaluation.py, Evaluator.pck_metrics",
        norm="pixels",
        compare="<",
        points="all, unlabelled wrong",
        unfound="out",
        thresholds=tuple(float(t) for t in range(1, 11)),
    ),
    PCKRule(
        name="hrnet-training",
        summary="The accuracy in HRNet's training log. Truth and predictions are places in heatmaps, and the images are these heatmaps.",
        source="HRNet, lib/core/evaluate.py",
        unit="keypoint",
        norm="heatmap",
        compare="<",
        points="labelled beyond 1, 1",
        pairing="given",
        thresholds=(0.5,),
    ),
    PCKRule(
        name="cub",
        summary="PCK of CUB-200 as most papers state it; the code of CSM divides by the longest side of the cropped image instead (its issue 18).",
        source="papers; nileshkulkarni/csm",
        pairing="given",
        thresholds=(0.1,),
    ),
)

PCK_RULES: Mapping[str, PCKRule] = MappingProxyType({rule.name: rule for rule in _RULES})
"""By name, as in `PCK.mmpose@0.05`; plain `PCK` is the first."""
