"""Plots: the room of matplotlib. Each function takes an evaluation, a report or a schema, and returns a Figure; `save` writes it.

Nothing here knows pyplot or keeps state: a figure is what its function was given, on every machine alike.
"""

from .body import skeleton
from .cost import cost_waterfall
from .curves import precision_recall
from .differences import differences
from .labels import label_drawings
from .landing import confusion
from .ranks import rank_distribution
from .shares import error_shares
from .style import COLOURS, save

__all__ = [
    "COLOURS",
    "confusion",
    "cost_waterfall",
    "differences",
    "error_shares",
    "label_drawings",
    "precision_recall",
    "rank_distribution",
    "save",
    "skeleton",
]
