"""evaluate: predictions against truth under a protocol; Evaluation: every number of that, each made when asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import PoseError, first_few
from posedata.files import write_bytes
from posedata.mapping import Mapping as SchemaMapping
from posedata.predictions import Predictions
from posedata.schema import Schema
from posedata.version import __version__

from .across import common_points
from .align import align
from .metrics import NOTHING, Measured, canonical, measure, read_metric, rules_of
from .operating import OperatingPoint, PrecisionRecall, Presence, best_point, calibration, operating_point, precision_recall, presence, similarities
from .problem import sigma_table
from .protocol import Protocol, block
from .protocols import BY_SCHEMA, COCO, PROTOCOLS, load_protocol
from .slices import default_metrics, sliced
from .workings import Workings

if TYPE_CHECKING:
    import pandas

    from .errors.labels import Rules
    from .errors.report import ErrorReport
    from .statistics.interval import Interval

__all__ = ["Evaluation", "evaluate", "protocol_of"]

Source = str | Path


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The numbers of one set of predictions on one truth, under one protocol.

    `ev["AP"]`, `ev["PCK@0.2"]`, `ev.by("species")`; `print(ev)` says what was counted, and how.
    """

    workings: Workings
    names: tuple[str, ...]
    """The metrics that are printed."""
    notes: tuple[str, ...] = ()
    """What was done to the data before."""

    @property
    def protocol(self) -> Protocol:
        return self.workings.protocol

    @property
    def truth(self) -> PoseDataset:
        return self.workings.aligned.truth

    @property
    def predictions(self) -> Predictions:
        return self.workings.aligned.pred

    def __getitem__(self, metric: str) -> float:
        """One number by its spelling; NaN where there is no truth."""
        return self.measured(metric).value

    def measured(self, metric: str) -> Measured:
        """The number, and how many truths or points it was made from."""
        s = read_metric(metric)
        return self.workings.once(("measured", canonical(s)), lambda: measure(self.workings, s))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The metrics that are printed, by name."""
        return {name: m.value for name, m in self.table.items()}

    @cached_property
    def table(self) -> dict[str, Measured]:
        """The same with what each was made from; those of levels the truth does not tell are NaN, and warned of."""
        return {canonical(read_metric(name)): self.told(name) for name in self.names}

    def told(self, name: str) -> Measured:
        """The number; NaN for a level of the protocol that the truth does not tell."""
        if self.names is self.protocol.metrics and self._untold and read_metric(name).where in self.protocol.levels:
            return NOTHING
        return self.measured(name)

    @property
    def _untold(self) -> bool:
        """Whether the protocol has levels and the images have no column of them."""
        return bool(self.protocol.levels) and self.protocol.level_column not in self.truth.images.meta

    def by(self, what: str, metrics: Sequence[str] | None = None) -> pandas.DataFrame:
        """A row for each slice: by "keypoint", "category", "size", "crowd", "overlap", "instances", "labelled", "visibility", or any column.

        n stands beside every number; a slice without truth is NaN. See docs/metrics.md for what each slice leaves out.
        """
        from .frames import slice_frame

        return slice_frame(self.slices(what, metrics), what)

    def slices(self, what: str, metrics: Sequence[str] | None = None) -> list[tuple[Any, dict[str, Measured]]]:
        """The same as plain values: (label, metric -> number and n)."""
        return sliced(self.workings, what, default_metrics(what, self.protocol.metrics) if metrics is None else metrics)

    def interval(self, metric: str, level: float = 0.95, method: str = "bca", clusters: str = "image", resamples: int = 1000, seed: int = 0) -> Interval:
        """Where the number would lie on other images like these; `.how` says how that was found, docs/statistics.md how far to trust it.

        `clusters` is a column of the images that belong together: a sequence, a source, a group of duplicates.
        """
        (_, found), *_ = self.interval_slices(None, [metric], level=level, method=method, clusters=clusters, resamples=resamples, seed=seed)
        return next(iter(found.values()))

    def intervals(self, metrics: Sequence[str] | None = None, by: str | None = None, **how: Any) -> pandas.DataFrame:
        """A row for each metric, or for each slice and metric; `how` are the arguments of `interval`."""
        from .frames import interval_frame

        return interval_frame(self.interval_slices(by, metrics, **how), by)

    def interval_slices(
        self,
        by: str | None,
        metrics: Sequence[str] | None = None,
        *,
        level: float = 0.95,
        method: str = "bca",
        clusters: str = "image",
        resamples: int = 1000,
        seed: int = 0,
    ) -> list[tuple[Any, dict[str, Interval]]]:
        """The same as plain values: (label, metric -> interval); all of them from the same resamples."""
        from .statistics.intervals import intervals_of, sampling

        usual = self.names if by is None else default_metrics(by, self.protocol.metrics)
        return intervals_of(self, sampling(self.workings, level, method, clusters, resamples, seed), usual if metrics is None else metrics, by)

    def errors(self, rules: Rules | None = None, order: Sequence[str] | None = None, truth_boxes: Predictions | None = None) -> ErrorReport:
        """What went wrong, where, and what it costs: labels of every point and pose, AP by kind of error."""
        from .errors.cost import ORDER
        from .errors.report import diagnose

        return diagnose(self, rules, order or ORDER, truth_boxes)

    def report(self, path: str | Path, images: int = 100, *, quiet: bool = True) -> Path:
        """The numbers, what went wrong and where, and the worst poses, as .html, .pdf, .md or .json; `images` limits the gallery."""
        from .reporting.contents import Contents
        from .reporting.forms import write_report

        return write_report(Contents(self, images, quiet=quiet), path)

    # -- operating points and curves -------------------------------------------------------------------

    def at(self, confidence: float, similarity: float = 0.5, where: str = "") -> OperatingPoint:
        """Precision, recall, F1 and counts of the predictions with this score or a better one."""
        return operating_point(self.workings, confidence, similarity, where)

    def best(self, similarity: float = 0.5, where: str = "") -> OperatingPoint:
        """The same at the confidence of the highest F1."""
        return best_point(self.workings, similarity, where)

    def curve(self, similarity: float = 0.5, where: str = "") -> PrecisionRecall:
        """Precision and recall after each prediction, best score first."""
        return precision_recall(self.workings, similarity, where)

    def presence(self, confidence: float = 0.0) -> Presence:
        """Whether points are said where there are some, on the poses that were found."""
        return presence(self.workings, confidence)

    def similarities(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """OKS of the poses that were found, and the similarity of each of their labelled points."""
        return similarities(self.workings)

    def calibration(self, bins: int = 10, good: float = 0.5) -> dict[str, Any]:
        """How often points of a confidence are right: per bin, with the expected calibration error."""
        return calibration(self.workings, bins, good)

    @property
    def _between_levels(self) -> list[str]:
        """Images that no level of the protocol holds."""
        if self._untold or not self.protocol.levels:
            return []
        column, ends = self.workings.level_column(), np.array(list(self.protocol.levels.values()))[..., None]
        outside = int((~((column >= ends[:, 0]) & (column < ends[:, 1])).any(0)).sum())
        return [f"{outside:,} of {len(self.truth.images):,} images have a {self.protocol.level_column} in no level, or none"] if outside else []

    @cached_property
    def counts(self) -> dict[str, int]:
        """What was counted."""
        problem = self.workings.problem()
        counted = ~problem.ignored
        return {
            "images": len(self.truth.images),
            "truths": len(self.truth),
            "counted": int(counted.sum()),
            "ignored": int(problem.ignored.sum()),
            "crowds": int(self.truth.instances.crowd.sum()),
            "predictions": len(self.predictions),
            "scored": len(problem.rows),
            "categories": len(np.unique(problem.category[counted])),
            "keypoints": int(problem.labelled[counted].sum()),
        }

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers should know."""
        from .suspicions import suspicions

        told = [f"no {self.protocol.level_column} on the images: {', '.join(self.protocol.levels)} cannot be told apart"] if self._untold else []
        if not self.counts["counted"]:
            told.append(f"none of {len(self.truth):,} truths counts: no number can be made")
        for name, part in self.protocol.parts.items():
            lacking = [p for p in part.points if p not in self.truth.schema.names]
            if lacking:
                told.append(f"schema {self.truth.schema.name!r} has no {first_few(lacking, 3, ', ')}: nothing is scored for the part {name!r}")
        return tuple(dict.fromkeys((*self.notes, *self.workings.problem().warnings, *told, *self._between_levels, *suspicions(self))))

    def sigmas(self) -> dict[str, Any]:
        """Those that were used: by keypoint, or by category and keypoint where categories differ."""
        table, names = sigma_table(self.truth, self.protocol), self.truth.schema.names
        rows = [{k: v for k, v in zip(names, row, strict=True) if not math.isnan(v)} for row in table.tolist()]
        alike = all(row == rows[0] for row in rows)
        return rows[0] if rows and alike else {c.name: row for c, row in zip(self.truth.categories, rows, strict=True)}

    def block(self) -> str:
        """The protocol as it was applied, and the rule of each PCK that is printed."""
        from .table import schema_line

        rules = [f"{name}: {'; '.join(f'{k} {v}' for k, v in choices.items())}" for name, choices in rules_of(self.names).items()]
        return "\n".join([block(self.protocol, {**self.workings.problem().used, "sigmas": schema_line(self)}), *rules])

    def to_dict(self) -> dict[str, Any]:
        """Plain values at full precision; null where there is no truth."""
        header = self.predictions.header
        problem = self.workings.problem()
        return {
            "protocol": {**self.protocol.to_dict(), "fingerprint": self.protocol.fingerprint, "used": {**problem.used, "sigmas": self.sigmas()}},
            "metrics": {name: None if math.isnan(v) else v for name, v in self.metrics.items()},
            "n": {name: m.n for name, m in self.table.items()},
            **({"rules": rules} if (rules := rules_of(self.names)) else {}),
            "counts": self.counts,
            "warnings": list(self.warnings),
            "truth": {"name": self.truth.name, "schema": self.truth.schema.name, "files": [{"path": p, "sha256": d} for p, d in self.truth.provenance.files]},
            "predictions": {k: v for k, v in header.items() if k not in ("images", "schema")},
            "version": __version__,
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """`to_dict` as JSON text, written to `path` when given."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        if path is not None:
            write_bytes(path, text.encode())
        return text

    def __repr__(self) -> str:
        from .table import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from .reporting.notebook import evaluation_html

        return evaluation_html(self)


def evaluate(
    truth: PoseDataset | Source | None,
    predictions: Predictions | Source | Sequence[Source],
    protocol: Protocol | Source | None = None,
    *,
    metrics: Iterable[str] | None = None,
    schema: Schema | Source | None = None,
    mapping: SchemaMapping | Source | None = None,
    unknown: str = "error",
    root: Source | None = None,
) -> Evaluation:
    """Score predictions against truth: datasets and Predictions, or files and names of datasets.

    `protocol` is the dataset's unless given: one of PROTOCOLS, its name, or a TOML file. Without `truth` the header of the
    predictions says what they were made on. `schema` is for files that do not name theirs. `mapping` scores predictions of
    another schema on the points both have: "known", a CSV file, or a Mapping. `unknown="drop"` leaves out predictions of
    images or categories that the truth lacks. `root` is where datasets lie.

    >>> import posedata
    >>> truth = posedata.PoseDataset.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 2]] * 6], area=[100.0])
    >>> found = posedata.Predictions.from_arrays(schema="foot6", image=[1], keypoints=[[[5, 5, 1]] * 6], score=[0.9])
    >>> round(evaluate(truth, found)["AP"], 6)
    1.0
    """
    from .sources import read_both

    known, found = read_both(truth, predictions, schema, mapping is not None, root)
    rules = protocol_of(known) if protocol is None else load_protocol(protocol)
    names = rules.metrics if metrics is None else _named(metrics)
    for name in names:
        read_metric(name)
    notes = _elsewhere(known, found)
    if mapping is not None:
        known, found, note = common_points(known, found, mapping)
        notes = (*notes, note)
    ev = Evaluation(Workings(align(known, found, rules.per_category, unknown), rules), names, notes)
    ev.workings.problem()  # what cannot be scored is said now, not when the first number is asked for
    return ev


def _elsewhere(truth: PoseDataset, pred: Predictions) -> tuple[str, ...]:
    """A word where the header names another dataset or split than the one that is scored on; a file may be any."""
    from posedata.catalog import called

    known = called(truth.name)
    said = {k: pred.header[k] for k in ("dataset", "config", "split") if pred.header.get(k)}
    if not known or all(known.get(k, v) == v for k, v in said.items()):
        return ()
    return (f"the header of the predictions names {'/'.join(map(str, said.values()))}; they are scored on {truth.name}",)


def _named(metrics: Iterable[str]) -> tuple[str, ...]:
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if not names:
        raise PoseError("metrics", "none is named", "for instance AP,AR; posebench metrics lists them")
    return names


def protocol_of(truth: PoseDataset) -> Protocol:
    """The rules under which numbers on this dataset are published; COCO's where nobody knows."""
    from posedata.catalog import entry, list_datasets

    name = truth.name.split("/")[0].split(" ")[0]
    if name in list_datasets():
        known = entry(name)
        if known.schema == truth.schema.name and known.protocol in PROTOCOLS:
            return PROTOCOLS[known.protocol]
    return BY_SCHEMA.get(truth.schema.name, COCO)
