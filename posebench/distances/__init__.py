"""Metrics of distance: PCK in every published form, AUC, EPE, NME, and what else is measured in pixels."""

from .means import Averaged, Judged, Measured, mean_of, means_by_keypoint
from .metrics import (
    DISTANCE_METRICS,
    NME_NORMS,
    DistanceMetric,
    auc,
    epe,
    judged,
    judged_distance,
    mean_distance,
    nme,
    pck,
    pck_rule,
    per_keypoint,
    percentile,
    rmse,
)
from .norms import NORMS
from .poseval import JointAP, Joints, poseval_ap, poseval_joints
from .presets import PCK_RULES
from .rules import PCKRule

__all__ = [
    "DISTANCE_METRICS",
    "NME_NORMS",
    "NORMS",
    "PCK_RULES",
    "Averaged",
    "DistanceMetric",
    "JointAP",
    "Joints",
    "Judged",
    "Measured",
    "PCKRule",
    "auc",
    "epe",
    "judged",
    "judged_distance",
    "mean_distance",
    "mean_of",
    "means_by_keypoint",
    "nme",
    "pck",
    "pck_rule",
    "per_keypoint",
    "percentile",
    "poseval_ap",
    "poseval_joints",
    "rmse",
]
