"""Evaluators and how each is run: a program for a fresh interpreter that prints the ten statistics of two files as JSON."""

from __future__ import annotations

from dataclasses import dataclass

STATISTICS = ("AP", "AP@0.50", "AP@0.75", "AP[medium]", "AP[large]", "AR", "AR@0.50", "AR@0.75", "AR[medium]", "AR[large]")
REFERENCE = "pycocotools"

_COCO = """
import contextlib, io, json, sys
{imports}
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(sys.argv[1])
    ev = COCOeval(truth, truth.loadRes(sys.argv[2]), "keypoints")
    ev.evaluate(); ev.accumulate(); ev.summarize()
print(json.dumps([float(s) for s in ev.stats[:10]]))
"""
_VERNIER = """
import json, sys
from pathlib import Path
from vernier.instance import CocoDataset, Evaluator, Keypoints
truth = CocoDataset.from_json(Path(sys.argv[1]).read_bytes())
ev = Evaluator(iou=Keypoints(), parity_mode="strict").evaluate(truth, Path(sys.argv[2]).read_bytes())
print(json.dumps([float(s) for s in ev.stats[:10]]))
"""
_OURS = """
import sys
from posebench.cli import main
sys.argv = ["posebench", "evaluate", sys.argv[2], "--truth", sys.argv[1], "--json"]
main()
"""


@dataclass(frozen=True)
class Peer:
    """One evaluator: what it is called on PyPI and imported as, its program, and how far it may be from the reference."""

    name: str
    module: str
    program: str
    tolerance: float = 1e-12


def _like_pycocotools(name: str, module: str, imports: str, tolerance: float = 1e-12) -> Peer:
    return Peer(name, module, _COCO.format(imports=imports), tolerance)


PEERS = (
    _like_pycocotools(REFERENCE, "pycocotools.cocoeval", "from pycocotools.coco import COCO; from pycocotools.cocoeval import COCOeval"),
    _like_pycocotools("xtcocotools", "xtcocotools.cocoeval", "from xtcocotools.coco import COCO; from xtcocotools.cocoeval import COCOeval"),
    _like_pycocotools("faster-coco-eval", "faster_coco_eval", "from faster_coco_eval import COCO, COCOeval_faster as COCOeval", 1e-9),
    _like_pycocotools("hotcoco", "hotcoco", "from hotcoco import COCO, COCOeval"),
    _like_pycocotools("ultrafast-pycocotools", "ultrafast_pycocotools", "from ultrafast_pycocotools import COCO, COCOeval"),
    Peer("vernier", "vernier.instance", _VERNIER),
)
OURS = Peer("posebench", "posebench.cli", _OURS)

IN_MEMORY = {
    REFERENCE: """
import contextlib, io, sys, time
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(sys.argv[1])
    ev = COCOeval(truth, truth.loadRes(sys.argv[2]), "keypoints")
    start = time.perf_counter(); ev.evaluate(); ev.accumulate(); took = time.perf_counter() - start
print(took)
""",
    OURS.name: f"""
import sys, time
import posedata, posebench
evaluate = posebench.evaluate
truth = posedata.read_coco(sys.argv[1], cache=False)
pred = posedata.read_predictions(sys.argv[2], schema=truth.schema)
start = time.perf_counter(); ev = evaluate(truth, pred); [ev[name] for name in {STATISTICS}]; took = time.perf_counter() - start
print(took)
""",
}
"""Programs that print the seconds of evaluation alone, both files read before."""
