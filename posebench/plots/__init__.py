"""Plots: the room of matplotlib. Each function takes an evaluation, a report or a schema, and returns a Figure; `save` writes it.

Nothing here knows pyplot or keeps state: a figure is what its function was given, on every machine alike.
"""

from .body import skeleton
from .cost import cost_waterfall
from .curves import precision_recall
from .differences import differences
from .labels import label_drawings
from .landing import confusion
from .limits import ceiling_by_threshold, sensitivity_ranges
from .ranks import rank_distribution
from .reliability import calibration_bars
from .shares import error_shares
from .similarity import similarity_strips
from .style import COLOURS, save
from .thresholds import ap_by_threshold, ap_of_models
from .tolerance import tolerance_circles
from .vector import INKS, Drawing, drawing

__all__ = [
    "COLOURS",
    "INKS",
    "Drawing",
    "ap_by_threshold",
    "ap_of_models",
    "calibration_bars",
    "ceiling_by_threshold",
    "confusion",
    "cost_waterfall",
    "differences",
    "drawing",
    "error_shares",
    "label_drawings",
    "precision_recall",
    "rank_distribution",
    "save",
    "similarity_strips",
    "sensitivity_ranges",
    "skeleton",
    "tolerance_circles",
]
