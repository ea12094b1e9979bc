"""The error report against tests/reference_errors.py: every label, correction, AP and lost similarity."""

from __future__ import annotations

import math
import os
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench import evaluate
from posebench.errors.cost import LEGACY_RANGES, cost, stage
from posebench.errors.instances import PREDICTION_LABELS, TRUTH_LABELS
from posebench.errors.labels import LABELS, Rules
from posebench.errors.report import ErrorReport
from posebench.protocol import Protocol
from posebench.protocols import COCO
from posedata import Keypoint, Schema

from .problems import Made, made, made_protocol, problems
from .reference_errors import SlowErrors

RUNS = 2000 if os.environ.get("POSE_LONG") else 60
NAMES = [*LABELS, None]
KINDS = ("miss", "absent", "swap", "inversion", "confusion", "jitter", "score", "background", "missed")


def paired(r: Random) -> Schema:
    """One to thirty points, some of them mirror pairs."""
    k = r.choice((1, 2, 3, 5, 17, 30))
    pairs = tuple((f"p{2 * i}", f"p{2 * i + 1}") for i in range(r.randint(0, k // 2)))
    return Schema(name="made", keypoints=tuple(Keypoint(f"p{i}", r.choice((0.03, 0.1))) for i in range(k)), pairs=pairs, asymmetry="drawn")


def closer(r: Random, problem: Made) -> Made:
    """Points put on, or beside, other points of the same image, so that every kind of error is there."""
    for p in problem.results:
        here = [a for a in problem.coco["annotations"] if a["image_id"] == p["image_id"]]
        for k in range(len(problem.schema)):
            if here and r.random() < 0.25:
                a = r.choice(here)
                j = r.choice((k, r.randrange(len(problem.schema)))) * 3
                if j + 2 < len(a["keypoints"]) and a["keypoints"][j + 2] > 0:
                    away = r.choice((0.0, 0.0, 0.05, 0.1)) * max(a["area"], 1e-6) ** 0.5
                    p["keypoints"][3 * k : 3 * k + 2] = [a["keypoints"][j] + away, a["keypoints"][j + 1]]
    return problem


def problem_of(seed: int) -> tuple[Random, Made]:
    r = Random(seed)
    return r, closer(r, made(r, paired(r)))


def rules_of(r: Random, problem: Made) -> tuple[Rules, list[tuple[int, int]]]:
    """Now and then some points are look-alikes."""
    k = len(problem.schema)
    pairs = [(a, b) for a, b in ((r.randrange(k), r.randrange(k)) for _ in range(r.choice((0, 3)))) if a != b]
    names = problem.schema.names
    return Rules(confused=tuple((names[a], names[b]) for a, b in pairs), legacy=r.random() < 0.2), pairs


def both(problem: Made, protocol: Protocol, rules: Rules, pairs: list[tuple[int, int]]) -> tuple[ErrorReport, SlowErrors]:
    truth, pred = problem.truth(), problem.pred()
    report = evaluate(truth, pred, protocol).errors(rules)
    return report, SlowErrors(truth, pred, protocol, pairs, rules.legacy)


def assert_same_labels(report: ErrorReport, slow: SlowErrors) -> None:
    own = report.labelled
    problem = own.problem
    ids, rows = [*problem.truth.instances.id.tolist(), None], problem.pred.row[problem.rows[own.pred]].tolist()
    ours = {rows[p]: p for p in range(len(rows))}
    assert sorted(ours) == sorted(f.pred.row for f in slow.found)
    for f in slow.found:
        p = ours[f.pred.row]
        assert ids[own.truth[p]] == f.truth.id
        assert [NAMES[c] for c in own.code[p]] == f.labels
        assert own.oks[p] == pytest.approx(f.oks, abs=1e-12)
        assert own.own[p] == pytest.approx(f.own, abs=1e-12)
        assert own.nearest[p] == pytest.approx(f.nearest, abs=1e-12)
        assert own.surplus[p].tolist() == f.surplus
        by = [None if point < 0 else (ids[owner], int(point)) for owner, point in zip(own.owner[p], own.point[p], strict=True)]
        assert by == f.by


def assert_same_poses(report: ErrorReport, slow: SlowErrors) -> None:
    problem = report.labelled.problem
    preds, truths = slow.pose_labels()
    names = [list(PREDICTION_LABELS)[c] for c in report.poses.pred]
    assert dict(zip(problem.pred.row[problem.rows].tolist(), names, strict=True)) == preds
    assert dict(zip(problem.truth.instances.id.tolist(), [list(TRUTH_LABELS)[c] for c in report.poses.truth], strict=True)) == truths


def assert_same_cost(report: ErrorReport, slow: SlowErrors) -> None:
    own = report.cost
    spans = dict(LEGACY_RANGES) if slow.legacy else {"": None, **slow.protocol.ranges}
    spans = {"" if name == "all" else name: span for name, span in spans.items()}
    same: Any = lambda value: pytest.approx(value, abs=1e-12, nan_ok=True)
    for where, span in spans.items():
        assert own.now.ap[where] == same(slow.ap((), span))
        for kind, gains in own.alone.items():
            assert gains.ap[where] == same(slow.ap((kind,), span)), kind
        done: list[str] = []
        for kind, gains in own.progressive:
            done.append(kind)
            assert gains.ap[where] == same(slow.ap(done, span)), done
    lost = slow.oks_lost()
    for kind, value in own.oks.items():
        assert math.isnan(value) if not lost else value == pytest.approx(lost.get(kind, 0.0), abs=1e-12), kind


@given(st.integers(0, 2**32))
def test_labels_agree_with_the_reference(seed: int) -> None:
    r, problem = problem_of(seed)
    rules, pairs = rules_of(r, problem)
    report, slow = both(problem, COCO.replace(max_preds=problem.max_preds), rules, pairs)
    assert_same_labels(report, slow)
    assert_same_poses(report, slow)


def test_labels_and_costs_agree_with_the_reference_under_many_protocols() -> None:
    seen: set[str | None] = set()
    kinds: set[str] = set()
    for seed in range(RUNS):
        r, problem = problem_of(seed)
        rules, pairs = rules_of(r, problem)
        protocol = COCO.replace(max_preds=problem.max_preds, thresholds=(0.5, 0.75, 0.95)) if r.random() < 0.4 else made_protocol(r, problem)
        report, slow = both(problem, protocol.replace(levels={}, parts={}), rules, pairs)
        assert_same_labels(report, slow)
        assert_same_poses(report, slow)
        assert_same_cost(report, slow)
        seen |= {label for f in slow.found for label in f.labels}
        kinds |= {*slow.pose_labels()[0].values()}
    assert seen >= set(LABELS) and kinds == set(PREDICTION_LABELS), "every kind of error was there"


@given(problems())
def test_problems_without_mirror_pairs_agree_with_the_reference(problem: Made) -> None:
    report, slow = both(problem, COCO.replace(max_preds=problem.max_preds, thresholds=(0.5, 0.85)), Rules(), [])
    assert_same_labels(report, slow)
    assert_same_poses(report, slow)
    assert_same_cost(report, slow)


def test_greedy_agrees_with_the_reference() -> None:
    for seed in range(20):
        r = Random(seed)
        schema = Schema(name="made", keypoints=tuple(Keypoint(f"p{i}", 0.05) for i in range(4)), pairs=(("p0", "p1"),))
        report, slow = both(closer(r, made(r, schema)), COCO.replace(thresholds=(0.5, 0.75)), Rules(), [])
        path, wanted = report.greedy(3), slow.greedy(3)
        assert [ap for _, ap in path] == pytest.approx([ap for _, ap in wanted], abs=1e-12, nan_ok=True)
        assert math.isnan(path[0][1]) or [name for name, _ in path] == [name for name, _ in wanted]


def test_the_order_of_correction_is_that_which_was_named() -> None:
    _, problem = problem_of(3)
    truth, pred = problem.truth(), problem.pred()
    report = evaluate(truth, pred, COCO).errors(order=("jitter", "missed", "miss"))
    slow = SlowErrors(truth, pred, COCO)
    assert [kind for kind, _ in report.cost.progressive] == ["jitter", "missed", "miss"]
    for i, (_, gains) in enumerate(report.cost.progressive):
        assert gains.ap[""] == pytest.approx(slow.ap(("jitter", "missed", "miss")[: i + 1]), abs=1e-12, nan_ok=True)


def test_optimal_scores_bring_back_what_the_filed_scores_cut() -> None:
    """Max_preds 1, and the better pose was filed second."""
    for seed in range(30):
        _, problem = problem_of(seed)
        protocol = COCO.replace(max_preds=1, thresholds=(0.5,), ranges={})
        report, slow = both(problem, protocol, Rules(), [])
        made_cost = cost(report.stage, ("score",))
        assert made_cost.alone["score"].ap[""] == pytest.approx(slow.ap(("score",)), abs=1e-12, nan_ok=True)


def test_a_stage_of_one_problem_is_as_wide_as_the_problem() -> None:
    _, problem = problem_of(1)
    report, _ = both(problem, COCO, Rules(), [])
    on = stage(report.labelled, report.ev.workings.pairs(), report.labelled.problem)
    assert on.wide is on.problem and np.array_equal(on.corrected.shape, (*report.labelled.code.shape, 2))
