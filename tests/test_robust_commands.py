"""The commands sensitivity, ceiling and gap: one object, one table, a plot, and one line for what cannot be done."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from posebench.cli import app
from posebench.simulate import simulate
from posedata import PoseError

from .test_ceiling import jittered
from .test_cli import run
from .test_simulate import crowded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets (a, b), two models on the first, one on the second, a second annotator of the first."""
    place = tmp_path_factory.mktemp("robust")
    a, b = crowded(60, 2, seed=1), crowded(54, 2, seed=2)
    a.to_coco(place / "a.json")
    b.to_coco(place / "b.json")
    jittered(a, 3).to_coco(place / "second.json")
    simulate(a, jitter=0.02, miss=0.15).pred.to_json(place / "sharp.json")
    simulate(a, jitter=0.4, miss=0.0).pred.to_json(place / "rough.json")
    simulate(b, jitter=0.5).pred.to_json(place / "val.json")
    return place


def ran(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run("posebench", *arguments, cwd=folder)


def values(folder: Path, *arguments: object) -> dict[str, Any]:
    done = ran(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "NaN" not in done.stdout and done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_ceiling_prints_its_answer_and_writes_table_and_plot(folder: Path) -> None:
    done = ran(folder, "ceiling", "a.json", "--predictions", "sharp.json", "-o", "ceiling.csv", "--draws", 3)
    assert done.returncode == 0 and "written to ceiling.csv" in done.stderr
    assert "k taken for sigma" in done.stdout and "this model" in done.stdout and "drawn; pass: exact" in done.stdout
    table = pd.read_csv(folder / "ceiling.csv")
    assert table["cause"].iloc[0] == "nothing" and table["cause"].iloc[-1] == "this model"
    assert ran(folder, "ceiling", "a.json", "--draws", 2, "-o", "ceiling.png", "--quiet").stderr == ""
    assert (folder / "ceiling.png").stat().st_size > 10_000


def test_ceiling_takes_grids_noise_and_a_second_annotator(folder: Path) -> None:
    made = values(folder, "ceiling", "a.json", "--grid", "64x48/2", "--grid", "keypointrcnn", "--noise", ".5", "--draws", 2, "--metrics", "AP[medium]")
    assert [row["cause"] for row in made["limits"]][:4] == ["nothing", "annotators", "grid 64x48/2", "grid keypointrcnn"]
    assert made["noise"] == "0.5 x the sigmas of the truth" and "AP[medium]" in made["limits"][0]
    second = values(folder, "ceiling", "a.json", "--second", "second.json", "--grid", "none")
    assert second["limits"][1]["cause"] == "second annotator" and second["limits"][1]["how"] == "exact" and 0.5 < second["limits"][1]["AP"] < 1
    assert values(folder, "ceiling", "a.json", "--sigmas", "coco17", "--grid", "none", "--draws", 2)["noise"] == "the sigmas of coco17"


def test_sensitivity_names_models_by_their_files(folder: Path) -> None:
    made = values(folder, "sensitivity", "sharp.json", "rough.json", "--truth", "a.json", "--kinds", "sigmas,thresholds")
    assert made["models"] == ["sharp", "rough"] and made["rows"][0]["change"] == "as it is"
    assert made["holds"] is not any(row["flips"] for row in made["rows"])
    done = ran(folder, "sensitivity", "sharp.json", "--truth", "a.json", "--truth-boxes", "rough.json", "-o", "rules.svg")
    assert "truth boxes" in done.stdout and (folder / "rules.svg").read_text().startswith("<?xml")
    assert values(folder, "evaluate", "sharp.json", "--truth", "a.json")["metrics"]["AP"] == made["rows"][0]["values"]["sharp"]


def test_gap_scores_each_set_by_its_own_truth(folder: Path) -> None:
    made = values(folder, "gap", "sharp.json", "val.json", "--truth", "a.json", "--val-truth", "b.json", "--resamples", 100, "--metrics", "AP,AR")
    assert [s["images"] for s in made["sets"]] == [30, 27] and made["how"]["resamples"] == 100
    assert made["rows"][0]["val"] == values(folder, "evaluate", "val.json", "--truth", "b.json")["metrics"]["AP"]
    done = ran(folder, "gap", "sharp.json", "val.json", "--truth", "a.json", "--val-truth", "b.json", "--resamples", 100, "-o", "gap.csv")
    assert "intervals: percentiles of 100 resamples" in done.stdout
    assert pd.read_csv(folder / "gap.csv")["number"].iloc[0] == "AP"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ceiling",), "no source"),
        (("ceiling", "nowhere.json"), "no such file"),
        (("ceiling", "a.json", "--grid", "big"), "HEIGHTxWIDTH/STRIDE"),
        (("ceiling", "a.json", "--second", "b.json", "--sigmas", "coco17"), "both are given"),
        (("ceiling", "a.json", "-o", "a.txt"), "a form we do not write"),
        (("ceiling", "a.json", "--draws", "1"), "from 2 on"),
        (("sensitivity", "sharp.json", "--truth", "a.json", "--kinds", "sigma"), "did you mean 'sigmas'"),
        (("sensitivity", "sharp.json", "--truth", "a.json", "--metric", "PCK"), "does not look at similarities"),
        (("sensitivity", "sharp.json", "val.json", "--truth", "a.json", "--truth-boxes", "sharp.json"), "1 sets of predictions, 2 models"),
        (("gap", "sharp.json", "rough.json", "--truth", "a.json", "--val-truth", "a.json"), "compared with posebench.compare"),
        (("gap", "sharp.json", "val.json", "--truth", "a.json", "--val-truth", "b.json", "--mix", "weather"), "no such column"),
        (("gap", "sharp.json", "val.json", "--truth", "a.json", "--val-truth", "b.json", "-o", "g.png"), "a form we do not write"),
        (("gap", "sharp.json", "val.json", "--truth", "a.json", "--val-truth", "b.json", "--level", "95"), "a share between"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(PoseError) as told:
        app([*arguments], standalone_mode=False)
    assert words in str(told.value) and "\n" not in str(told.value)


def test_an_error_leaves_with_two_and_nothing_on_stdout(folder: Path) -> None:
    done = ran(folder, "ceiling", "nowhere.json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
