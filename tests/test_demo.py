"""The demo: sheets, predictions whose planted weakness is found, plots, and commands to go on with that work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebench.demo import PLANTED, planted
from posebench.evaluation import evaluate
from posebench.simulate import simulate
from posedata import PoseDataset, load_dataset, synthesize
from tests.conftest import poses
from tests.test_cli import run

PLOTS = ("precision_recall", "error_shares", "cost_waterfall", "skeleton", "confusion")


def test_demo_writes_sheets_predictions_and_plots_and_says_where(tmp_path: Path) -> None:
    done = run("posebench", "demo", "-n", 6, "-o", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "17 keypoints of ap10k17" in done.stdout
    assert "23 keypoints of coco_foot23" in done.stdout
    assert "inversion" in done.stdout and "AP@0.50" in done.stdout
    assert len(done.stdout.splitlines()) < 32
    assert done.stdout.splitlines()[-1].strip() == "here/report.html"
    assert "data:image/jpeg" in (tmp_path / "here" / "report.html").read_text()
    for name in ("quadruped", "person", *PLOTS):
        assert f"here/{name}.png" in done.stdout
        with Image.open(tmp_path / "here" / f"{name}.png") as picture:
            assert picture.width > 1000
    assert "posebench evaluate here/quadruped.json" in done.stderr


def test_demo_speaks_json_and_its_predictions_find_their_truth_alone(tmp_path: Path) -> None:
    done = run("posebench", "demo", "-n", 3, "-o", "here", "--json", cwd=tmp_path)
    values = json.loads(done.stdout)
    assert done.stderr == ""
    assert values["person"]["images"] == 3
    made = values["predictions"]
    assert set(made["plots"]) == set(PLOTS)
    assert all((tmp_path / path).is_file() for path in made["plots"].values())
    alone = run("posebench", "evaluate", made["out"], "--json", "--quiet", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["metrics"] == made["metrics"]


def test_quiet_demo_talks_on_stdout_only(tmp_path: Path) -> None:
    assert run("posebench", "demo", "-n", 2, "-o", "here", "--quiet", cwd=tmp_path).stderr == ""


def test_the_planted_weakness_is_what_the_report_says() -> None:
    truth = synthesize("quadruped", "val", 32, workers=1, quiet=True)
    report = evaluate(truth, planted(truth)).errors()
    wrong = {name: row["wrong"] for name, row in report.slices("keypoint")}
    assert min(wrong[name] for name in PLANTED) > max(share for name, share in wrong.items() if name not in PLANTED)
    inverted = {name: row["inversion"] for name, row in report.slices("keypoint")}
    assert set(sorted(inverted, key=lambda n: -inverted[n])[:4]) == set(PLANTED)


@pytest.mark.parametrize("name", ["synthetic/quadruped val", "synthetic/quadruped val[:4]"])
def test_simulated_predictions_name_dataset_configuration_split_and_images(name: str) -> None:
    truth = load_dataset("synthetic", "quadruped", split=name.split()[1], n=6, workers=1, quiet=True)
    assert truth.name == name
    header = simulate(truth).pred.header
    assert [header[k] for k in ("dataset", "config", "split")] == ["synthetic", "quadruped", name.split()[1]]
    assert np.array_equal(header["images"], truth.images.id)


def test_a_truth_that_is_no_dataset_is_named_as_it_is() -> None:
    truth: PoseDataset = poses()
    header = simulate(truth, swap=0).pred.header
    assert header["dataset"] == truth.name and header["images"] == "all" and "split" not in header
