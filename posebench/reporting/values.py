"""The report as plain values, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from posedata.version import __version__

from ..plain import plain
from .cases import Case
from .contents import Contents
from .slicing import Group

__all__ = ["to_dict"]


def to_dict(c: Contents) -> dict[str, Any]:
    """Everything that the page says, at full precision; null where there is nothing."""
    return plain({
        "version": __version__,
        "title": c.title,
        "command": c.reproduced,
        "said": c.said,
        "evaluation": c.ev.to_dict(),
        "intervals": [i.to_dict() for i in c.intervals.values()],
        "ceiling": None if c.ceiling is None else dict(c.ceiling.metrics),
        "errors": c.errors.to_dict(),
        "slices": [_slices(group) for group in c.slices],
        "points": [p.to_dict() for p in c.points],
        "calibration": c.ev.calibration(),
        "cases": [_case(c, case) for case in c.cases],
        "findings": None if c.findings is None else c.findings.to_dict(most=3),
    })  # fmt: skip


def _slices(group: Group) -> dict[str, Any]:
    rows = [
        {"value": label, "metrics": {n: m.value for n, m in measured.items()}, "n": {n: m.n for n, m in measured.items()}, "points": dict(points)}
        for label, measured, points in zip(group.labels, group.metrics, group.points, strict=True)
    ]
    return {"by": group.name, "rows": rows, "left_out": group.left_out}


def _case(c: Contents, case: Case) -> dict[str, Any]:
    truth, pred = c.ev.truth, c.ev.predictions
    names = [truth.schema.names[k] for k in c.errors.labelled.problem.columns]
    return {
        "image_id": truth.images.id[case.image],
        "file": truth.images.file[case.image],
        "annotation_id": truth.instances.id[case.truth] if case.truth >= 0 else None,
        "prediction": pred.row[case.pred] if case.pred >= 0 else None,
        **{name: value for name, value in asdict(case).items() if name in ("kinds", "oks", "score", "area")},
        "wrong": {label: [names[k] for k in rows] for label, rows in case.wrong().items()},
        "command": c.browse(case),
    }
