"""The demo: pictures of the synthetic sets, then predictions with a planted weakness, scored, diagnosed and plotted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posedata.dataset import PoseDataset
from posedata.predictions import Predictions

from .errors.report import ErrorReport
from .errors.text import bar
from .evaluation import Evaluation, evaluate
from .simulate import simulate
from .table import number, percent

__all__ = ["planted", "run_demo"]

CONFIG, SPLIT, SCENES = "quadruped", "val", 128
"""What is predicted on, and how many scenes of it there are."""
PLANTED = ("left_knee", "right_knee", "left_back_paw", "right_back_paw")
"""Points whose left and right the simulated model confuses."""
_USUAL: dict[str, Any] = {"jitter": 0.12, "inversion": 0.01, "swap": 0.02, "miss": 0.03, "absent": 0.01}
_WEAK: dict[str, Any] = {"jitter": 0.12, "inversion": 0.35, "swap": 0.02, "miss": 0.06}
_POSES: dict[str, Any] = {"missed": 0.04, "background": 0.12, "score_noise": 0.8}


def run_demo(folder: Path, count: int, quiet: bool) -> tuple[dict[str, Any], str]:
    """Everything the demo makes, as plain values and as text."""
    values, cards = _sheets(folder, count, quiet)
    from posedata.synthetic.build import synthesize

    truth = synthesize(CONFIG, SPLIT, min(count, SCENES), quiet=quiet)
    path = folder / f"{CONFIG}.json"
    pred = planted(truth)
    pred.to_json(path)
    ev = evaluate(truth, pred)
    report = ev.errors()
    pictures, page = _plots(ev, report, folder), _report(ev, path, folder)
    values["predictions"] = {
        "out": str(path),
        "poses": len(pred),
        "metrics": ev.to_dict()["metrics"],
        "counts": report.counts,
        "wrong": {name: row["wrong"] for name, row in report.slices("keypoint")},
        "cost": report.cost.to_dict()["alone"],
        "plots": {name: str(p) for name, p in pictures.items()},
        "report": str(page),
    }
    return values, "\n\n".join(["\n".join(cards), _scores(ev, path), _errors(report), _pictures(pictures), f"all of it on one page\n  {page}"])


def next_steps(folder: Path) -> str:
    """Commands to go on with."""
    path = folder / f"{CONFIG}.json"
    return "\n".join([
        "Go on with:",
        f"  posebench evaluate {path} --by keypoint",
        f"  posebench errors {path} --worst 10 --kind inversion",
        f"  posebench report {path} -o {folder / 'report.pdf'}",
        "  posedata show synthetic/quadruped --by species -o species.png",
    ])  # fmt: skip


def planted(truth: PoseDataset) -> Predictions:
    """Simulated predictions of a model that does usually well, but takes left hind legs for right ones.

    Two drawings of the same poses: the second's hind legs on the first's bodies.
    """
    usual, weak = (simulate(truth, **shares, **_POSES).pred for shares in (_USUAL, _WEAK))
    columns = [truth.schema.index(name) for name in PLANTED]
    keypoints = usual.keypoints.copy()
    keypoints[:, columns] = weak.keypoints[:, columns]
    conditions = {**usual.header["conditions"], "planted": {"keypoints": list(PLANTED), **_WEAK}}
    return replace(usual, keypoints=keypoints, header={**usual.header, "conditions": conditions})


def _sheets(folder: Path, count: int, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    """A contact sheet of each synthetic set, and what is on it."""
    from posedata.images import contact_sheet, save_picture
    from posedata.synthetic.build import CONFIGS, synthesize

    values, lines = {}, []
    for config in CONFIGS:
        ds = synthesize(config, "train", count, quiet=quiet)
        path = save_picture(contact_sheet(ds), folder / f"{config}.png")
        lines.append(f"{ds.name}: {len(ds.images):,} scenes, {len(ds):,} instances; {len(ds.schema)} keypoints of {ds.schema.name}\n  {path}")
        values[config] = {"sheet": str(path), "schema": ds.schema.name, "images": len(ds.images), "instances": len(ds)}
    return values, lines


def _plots(ev: Evaluation, report: ErrorReport, folder: Path) -> dict[str, Path]:
    from . import plots

    figures = {
        "precision_recall": plots.precision_recall(ev),
        "error_shares": plots.error_shares(report),
        "cost_waterfall": plots.cost_waterfall(report),
        "skeleton": plots.skeleton(report),
        "confusion": plots.confusion(report),
    }
    return {name: plots.save(figure, folder / f"{name}.png") for name, figure in figures.items()}


def _report(ev: Evaluation, path: Path, folder: Path) -> Path:
    """The page, as `posebench report` writes it."""
    from .reporting.contents import Contents
    from .reporting.forms import write_report

    page = folder / "report.html"
    return write_report(Contents(ev, 60, ("posebench", "report", str(path), "-o", str(page), "--images", "60"), str(path)), page)


def _scores(ev: Evaluation, path: Path) -> str:
    numbers = "  ".join(f"{name} {number(ev[name])}" for name in ("AP", "AP@0.50", "AP@0.75", "AR"))
    return f"simulated predictions on {ev.truth.name}: {path}\n  {numbers}   (protocol {ev.protocol.name}, {ev.counts['counted']:,} truths)"


def _errors(report: ErrorReport) -> str:
    """The kinds, what each would gain, and the worst keypoints."""
    total, cost = sum(report.counts.values()), report.cost
    lines = ["what is wrong with their keypoints, and the AP that correcting it gains"]
    for name, count in report.counts.items():
        gain = f"{cost.gain(name):>+8.3f}" if name in cost.alone else " " * 8
        lines.append(f"  {name:<10}{percent(count / total if total else np.nan):>7}{gain}  {bar(count / total if total else 0.0)}".rstrip())
    rows = sorted(report.slices("keypoint"), key=lambda item: -np.nan_to_num(item[1]["wrong"]))[:4]
    worst = ", ".join(f"{name} {percent(row['wrong'])}" for name, row in rows if row["points"])
    return "\n".join([*lines, f"  worst: {worst or 'no pose was found'}"])


def _pictures(pictures: dict[str, Path]) -> str:
    return "\n".join(["pictures", *(f"  {name.replace('_', ' '):<18}{path}" for name, path in pictures.items())])
