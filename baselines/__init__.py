"""baselines: reference models, trained and scored in the open.

The functions train, predict and benchmark are in the modules of these names: `from baselines.train import train`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from posedata.version import __version__

if TYPE_CHECKING:
    from .board.rows import Board, Row, read_board
    from .board.scoring import add_row, recompute
    from .boxes import BOXES, Boxes, find_boxes
    from .checking.running import check
    from .checking.verdicts import Checked
    from .models import PoseModel, build
    from .predict import Found, Predictor, load_predictor
    from .recipes import RECIPES, Recipe, load_recipe
    from .runs import Run, read_metrics, read_run

# Doors, as in posedata: a name is imported when it is first asked for.
_HOME = {
    "board.rows": ("Board", "Row", "read_board"),
    "board.scoring": ("add_row", "recompute"),
    "boxes": ("BOXES", "Boxes", "find_boxes"),
    "checking.running": ("check",),
    "checking.verdicts": ("Checked",),
    "models": ("PoseModel", "build"),
    "predict": ("Found", "Predictor", "load_predictor"),
    "recipes": ("RECIPES", "Recipe", "load_recipe"),
    "runs": ("Run", "read_metrics", "read_run"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'baselines' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
