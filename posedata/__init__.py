"""posedata: pose datasets in one columnar form, with named keypoints and sigmas of known origin."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .annotators.consensus import consensus
    from .annotators.estimate import SigmaEstimate, estimate_sigmas, sigmas_from_residuals
    from .annotators.plan import RepeatPlan, plan_repeats
    from .annotators.raters import AnnotatorReport, compare_annotators
    from .browsing import browse, from_fiftyone
    from .catalog import Entry, list_datasets, load_dataset
    from .category import Category, Provenance
    from .dataset import PoseDataset, Sample
    from .errors import CatalogError, DataError, FormatError, PoseError, SchemaError
    from .flips import flip_dataset
    from .formats.akd import read_akd
    from .formats.arrow import from_hf, read_parquet
    from .formats.coco import read_coco
    from .formats.results import read_predictions
    from .joining import concat
    from .lookalikes.finding import duplicates
    from .lookalikes.found import Duplicates
    from .mapping import Mapping, mapping_between, read_mapping
    from .merging.join import join
    from .merging.losses import Loss, Losses
    from .merging.merge import merge
    from .predictions import Collector, Predictions
    from .profiling.looking import Profile, profile
    from .schema import Keypoint, Schema
    from .schemas import SCHEMAS, load_schema
    from .splitting.manifest import Manifest, read_manifest
    from .splitting.split import Splits, split
    from .synthetic.build import synthesize
    from .tables import Images, Instances
    from .validation.fixes import fix_file, undo_fixes
    from .validation.report import Report
    from .validation.rules import RULES
    from .validation.running import validate

# Doors: a name is imported when it is first asked for, so that `import posedata` costs next to nothing.
_HOME = {
    "annotators.consensus": ("consensus",),
    "annotators.estimate": ("SigmaEstimate", "estimate_sigmas", "sigmas_from_residuals"),
    "annotators.plan": ("RepeatPlan", "plan_repeats"),
    "annotators.raters": ("AnnotatorReport", "compare_annotators"),
    "browsing": ("browse", "from_fiftyone"),
    "catalog": ("Entry", "list_datasets", "load_dataset"),
    "category": ("Category", "Provenance"),
    "joining": ("concat",),
    "dataset": ("PoseDataset", "Sample"),
    "flips": ("flip_dataset",),
    "errors": ("CatalogError", "DataError", "FormatError", "PoseError", "SchemaError"),
    "formats.akd": ("read_akd",),
    "formats.arrow": ("from_hf", "read_parquet"),
    "formats.coco": ("read_coco",),
    "formats.results": ("read_predictions",),
    "lookalikes.finding": ("duplicates",),
    "lookalikes.found": ("Duplicates",),
    "mapping": ("Mapping", "mapping_between", "read_mapping"),
    "merging.join": ("join",),
    "merging.losses": ("Loss", "Losses"),
    "merging.merge": ("merge",),
    "predictions": ("Collector", "Predictions"),
    "profiling.looking": ("Profile", "profile"),
    "schema": ("Keypoint", "Schema"),
    "schemas": ("SCHEMAS", "load_schema"),
    "splitting.manifest": ("Manifest", "read_manifest"),
    "splitting.split": ("Splits", "split"),
    "synthetic.build": ("synthesize",),
    "tables": ("Images", "Instances"),
    "validation.fixes": ("fix_file", "undo_fixes"),
    "validation.report": ("Report",),
    "validation.rules": ("RULES",),
    "validation.running": ("validate",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'posedata' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
