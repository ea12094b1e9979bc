"""posebench: scores for keypoint predictions that can be quoted without a footnote."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from posedata.version import __version__

if TYPE_CHECKING:
    from .browsing.door import browse
    from .evaluation import Evaluation, evaluate
    from .explain import why
    from .labels import LabelErrors, label_errors
    from .metrics import METRICS
    from .postprocess import oks_nms, rescore, soft_oks_nms
    from .protocol import Protocol
    from .protocols import AKD, AP10K, CAT, COCO, COCO_FOOT, COCO_FOOT_WHOLEBODY, CROWDPOSE, CROWDPOSE_OPENPIFPAF, FOOT, PROTOCOLS, load_protocol
    from .statistics.ceiling import Ceiling, ceiling
    from .statistics.compare import Comparison, compare
    from .statistics.gap import Gap, gap
    from .statistics.grids import Grid
    from .statistics.power import Power, power
    from .statistics.rank import rank
    from .statistics.sensitivity import Sensitivity, sensitivity
    from .statistics.standings import Standings
    from .submission import check_results
    from .suspects.plant import PLANTED, plant_label_errors

# Doors, as in posedata: a name is imported when it is first asked for.
_HOME = {
    "browsing.door": ("browse",),
    "evaluation": ("Evaluation", "evaluate"),
    "explain": ("why",),
    "labels": ("LabelErrors", "label_errors"),
    "metrics": ("METRICS",),
    "postprocess": ("oks_nms", "rescore", "soft_oks_nms"),
    "protocol": ("Protocol",),
    "protocols": ("AKD", "AP10K", "CAT", "COCO", "COCO_FOOT", "COCO_FOOT_WHOLEBODY", "CROWDPOSE", "CROWDPOSE_OPENPIFPAF", "FOOT", "PROTOCOLS", "load_protocol"),
    "statistics.ceiling": ("Ceiling", "ceiling"),
    "statistics.gap": ("Gap", "gap"),
    "statistics.grids": ("Grid",),
    "statistics.sensitivity": ("Sensitivity", "sensitivity"),
    "statistics.compare": ("Comparison", "compare"),
    "statistics.power": ("Power", "power"),
    "statistics.rank": ("rank",),
    "statistics.standings": ("Standings",),
    "submission": ("check_results",),
    "suspects.plant": ("PLANTED", "plant_label_errors"),
}  # fmt: skip
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'posebench' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
