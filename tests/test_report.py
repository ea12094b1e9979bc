"""The report: numbers that are the evaluation's, names that stay text, the same bytes each time, in every form and every case."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebench.evaluation import Evaluation
from posebench.reporting import crops
from posebench.reporting.cases import KINDS, pick
from posebench.reporting.contents import PLOTS, Contents
from posebench.reporting.forms import FORMS, write_report
from posebench.reporting.page import page
from posebench.reporting.slicing import groups, held_by
from posebench.showing import plot_command
from posebench.table import number
from posedata import PoseError
from posedata.pages import Html, document, named, tag
from tests.reported import ADDRESS, LONG, SCRIPT, Read, alone, empty, far_off, hostile, unlabelled, usual
from tests.scored import annotations as scored_annotations
from tests.scored import command, results, written


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """A usual report, with pictures; made once."""
    return Contents(usual(tmp_path_factory.mktemp("pictures")), 30, ("posebench", "report", "my preds.json", "--truth", "gt.json"), "my preds.json")


@pytest.fixture(scope="module")
def text(shown: Contents) -> str:
    return page(shown)


# -- markup ------------------------------------------------------------------------------------------


def test_text_is_escaped_unless_it_is_markup() -> None:
    assert tag("p", SCRIPT, title='"><') == '<p title="&quot;&gt;&lt;">&lt;script&gt;alert(1)&lt;/script&gt;</p>'
    assert tag("p", Html("<b>"), None, ["a", 1]) == "<p><b>a1</p>"
    assert tag("img", alt="", hidden=True, width=None, data_x=3) == '<img alt="" hidden data-x="3">'
    assert named("a\u202eb") == "a\\u202eb"
    assert len(named(LONG, 40)) < 70


def test_a_page_lets_only_its_own_script_run() -> None:
    script = "alert('mine')"
    policy = next(a["content"] or "" for a in Read(document("t", "", "", script)).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "img-src data:" in policy and "base-uri 'none'" in policy
    assert f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "script-src 'none'" in document("t", "", "")


# -- every case --------------------------------------------------------------------------------------


CASES: dict[str, Callable[[], Evaluation]] = {
    "no predictions": lambda: empty(usual()),
    "nothing found": lambda: far_off(usual()),
    "no truth counts": lambda: unlabelled(usual()),
    "one point": alone,
    "perfect": lambda: usual(n=4, **dict.fromkeys(("jitter", "inversion", "swap", "miss", "absent", "surplus", "missed", "background", "duplicate"), 0.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_page_and_its_other_forms(case: str, tmp_path: Path) -> None:
    c = Contents(CASES[case](), 8)
    for suffix in (".html", ".md", ".json"):
        assert write_report(c, tmp_path / f"r{suffix}").stat().st_size > 1000
    read = Read((tmp_path / "r.html").read_text())
    assert "nan" not in {w.strip().lower() for w in read.words}
    assert "NaN" not in (tmp_path / "r.json").read_text()
    ids = [a["id"] for _, a in read.tags if a.get("id")]
    assert len(ids) == len(set(ids)), "an id stands twice"
    assert {a["href"] for a in read.all("a")} <= {f"#{i}" for i in ids}, "a link leads nowhere"


# -- the page ----------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_from_elsewhere(text: str) -> None:
    read = Read(text)
    assert len(read.all("script")) == 1 and not read.all("link") and not read.all("iframe")
    for name, attributes in read.tags:
        for key in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(key) or "#"
            assert value.startswith(("#", "data:image/")), f"{name} {key}={value[:80]}"
        assert not [k for k in attributes if k.startswith("on")]
    assert not re.search(r"url\((?!#)", re.sub(r"data:[^\"]*", "", text))


def test_each_picture_has_a_size_and_says_what_it_shows(text: str, shown: Contents) -> None:
    read = Read(text)
    pictures = read.all("img")
    assert len(pictures) == len(shown.cases) == 30
    assert all(a["width"] == a["height"] == "240" and len(a["alt"] or "") > 10 for a in pictures)
    drawn = [a for a in read.all("svg") if a.get("role") == "img"]
    assert len(drawn) == len(shown.figures) == len(PLOTS)
    for a in drawn:
        assert a["width"] and a["height"] and a["viewbox"]
        labels = (a["aria-labelledby"] or "").split()
        assert len(labels) == 2 and all(f'id="{label}"' in text for label in labels)
    assert all(a.get("aria-hidden") == "true" or a.get("role") == "img" for a in read.all("svg"))


def test_the_first_screen_has_the_number_its_interval_and_three_findings(text: str, shown: Contents) -> None:
    first = Read(text[: text.index("<nav")]).text
    i = shown.ev.interval("AP")
    assert f"{i.value:.3f}" in first and f"{i.low:.3f} to {i.high:.3f} at 95%" in first
    for name in ("cost_waterfall", "skeleton", "precision_recall"):
        assert shown.said[name] in first


def test_numbers_of_the_page_are_those_of_the_evaluation(text: str, shown: Contents) -> None:
    words, ev, report = Read(text).text, shown.ev, shown.errors
    for name, measured in ev.table.items():
        assert name in words and number(measured.value) in words
    for kind in report.cost.alone:
        if kind in report.counts:
            assert f"{report.cost.gain(kind):+.3f}" in words
    for label, measured in ev.slices("coat"):
        assert re.search(rf"{label}\s+{measured['AP'].value:.3f}\s+{measured['AR'].value:.3f}\s+{measured['AP'].n}\b", words)
    for f in shown.findings.found if shown.findings else ():
        assert f.rule.code in words


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    ev = usual(tmp_path, n=12)
    one, two = (page(Contents(usual(tmp_path, n=12), 6)) for _ in range(2))
    assert one == two and not re.search(r"20\d\d-\d\d-\d\dT", one)
    assert ev.report(tmp_path / "a.html", 6).read_text() == one


def test_hostile_names_stay_text_in_every_form(tmp_path: Path) -> None:
    c = Contents(hostile(tmp_path), 12, ("posebench", "report", SCRIPT), SCRIPT)
    read = Read(page(c))
    assert len(read.all("script")) == 1
    assert all(not (a.get("src") or "").startswith("x") for a in read.all("img"))
    assert all((a.get("href") or "#").startswith("#") for _, a in read.tags)
    assert not [k for _, a in read.tags for k in a if k.startswith("on")]
    assert SCRIPT in read.text and ADDRESS in read.text and LONG not in read.text
    assert "\u202e" not in read.text and "\0" not in read.text
    marked = write_report(c, tmp_path / "r.md").read_text()
    assert "<script>" not in marked.split("```")[0] and "\u202e" not in marked
    table = [line for line in marked.split("\n") if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) > 2 for line in table)
    assert json.loads(write_report(c, tmp_path / "r.json").read_text())["title"] == c.title


def test_commands_are_quoted_for_the_shell(tmp_path: Path) -> None:
    import shlex

    c = Contents(usual(n=8), 4, ("posebench", "report", "a b;$(x).json", "--truth", "it's.json"), "a b;$(x).json")
    words = shlex.split(c.browse(c.cases[0]))
    assert words[:3] == ["posebench", "browse", "a b;$(x).json"] and words[3:5] == ["--truth", "it's.json"] and words[5] == "--instance"
    assert shlex.split(c.reproduced) == list(c.command)


# -- cases -------------------------------------------------------------------------------------------


def test_cases_are_the_worst_of_each_kind_none_twice(shown: Contents) -> None:
    cases, report = pick(shown.errors, 30), shown.errors
    keys = [(case.truth, case.pred) for case in cases]
    assert len(set(keys)) == len(keys) == 30
    worst = report.worst_columns(1)
    assert cases[0].oks == pytest.approx(worst["oks"][0]) and shown.ev.predictions.row[cases[0].pred] == worst["prediction"][0]
    present = {kind for kind in report.counts if kind != "good" and report.counts[kind]} | {
        k for rows in report.instances.values() for k, n in rows.items() if n
    }
    assert present & set(KINDS) <= {kind for case in cases for kind in case.kinds}
    for kind in ("inversion", "miss"):
        first = report.worst_columns(1, kind)["prediction"][0]
        assert any(shown.ev.predictions.row[case.pred] == first and kind in case.kinds for case in cases)


def test_a_case_says_what_is_wrong_with_each_point(shown: Contents) -> None:
    rows = shown.errors.per_keypoint()
    for case in shown.cases:
        if case.pred < 0 or not any(case.labels):
            continue
        own = rows[rows.prediction == shown.ev.predictions.row[case.pred]]
        wrong = {label: [shown.ev.truth.schema.names[k] for k in ks] for label, ks in case.wrong().items() if label != "surplus"}
        assert wrong == {label: own[own.label == label].keypoint.tolist() for label in wrong}
        assert case.oks == pytest.approx(own.oks.iloc[0])


def test_slices_of_a_case_are_those_its_truth_is_in(shown: Contents) -> None:
    made = groups(shown.errors)
    coat = next(g for g, group in enumerate(made) if group.name == "coat")
    for row in range(4):
        labels = [made[g].labels[i] for g, i in held_by(made, row) if g == coat]
        assert labels == [shown.ev.truth.instances.meta["coat"][row]]


def test_no_image_means_no_picture_and_a_limit_is_kept(shown: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = Contents(usual(n=8), 4)
    assert blind.blind == len(blind.cases) == 4 and "images=FOLDER" in blind.why_blind()
    assert "have no picture here" in Read(page(blind)).text
    monkeypatch.setattr(crops, "MOST_BYTES", 20_000)
    kept = crops.pictures(shown.errors, shown.cases)
    assert 0 < len(kept) < 30 and sum(map(len, kept.values())) <= 20_000
    assert Contents(shown.ev, 0).cases == []


def test_a_crop_shows_the_pixels_that_its_lines_are_drawn_on(shown: Contents) -> None:
    """The ramp of the picture tells the x of each column: that of a truth's point must be the point's own."""
    case = next(case for case in shown.cases if case.truth >= 0 and case.pred >= 0 and any(case.labels))
    square = crops.framed(shown.errors, case)
    data = shown.crops[shown.cases.index(case)].split(",")[1]
    red = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), float)[..., 0]
    points = shown.ev.truth.instances.keypoints[case.truth]
    drawn = [(float(x), float(y)) for x, y in re.findall(r'<circle class="[th]" cx="([-\d.]+)" cy="([-\d.]+)"', crops.overlay(shown.errors, case, square))]
    known = points[shown.ev.truth.instances.labelled[case.truth], :2]
    assert len(drawn) == len(known)
    for (x, y), (px, _) in zip(drawn, known.tolist(), strict=True):
        if 2 < x < 238 and 2 < y < 238:
            assert red[int(y), int(x)] == pytest.approx(px * 255 / 239, abs=6)


def test_dashes_lead_from_where_a_wrong_point_belongs(shown: Contents) -> None:
    case = next(case for case in shown.cases if "miss" in case.wrong())
    svg = crops.overlay(shown.errors, case, crops.framed(shown.errors, case))
    assert svg.count('class="e k-miss"') == len(case.wrong()["miss"])
    assert all(f"{shown.ev.truth.schema.names[k]}: miss, similarity" in svg for k in case.wrong()["miss"])


# -- other forms -------------------------------------------------------------------------------------


def test_the_json_says_what_the_page_says(shown: Contents, tmp_path: Path) -> None:
    values = json.loads(write_report(shown, tmp_path / "r.json").read_text())
    assert values["evaluation"]["metrics"]["AP"] == shown.ev["AP"]
    assert values["errors"]["counts"] == shown.errors.counts
    assert values["intervals"][0]["low"] == shown.ev.interval("AP").low
    assert len(values["cases"]) == 30 and values["cases"][0]["command"] == shown.browse(shown.cases[0])
    assert {group["by"] for group in values["slices"]} >= {"labelled", "visibility", "coat"}


def test_the_markdown_has_the_findings_and_the_numbers(shown: Contents, tmp_path: Path) -> None:
    text = write_report(shown, tmp_path / "r.md").read_text()
    assert f"| AP | {shown.ev['AP']:.3f} |" in text and "## Worst poses" in text
    assert text.startswith("# simulated on made\n") and shown.reproduced in text


def test_other_endings_are_refused_with_a_word(tmp_path: Path) -> None:
    assert set(FORMS) == {".html", ".pdf", ".md", ".json"}
    with pytest.raises(PoseError, match=r"no report ends in '\.htmk'; did you mean '\.html'\?"):
        usual(n=4).report(tmp_path / "a.htmk")


# -- commands ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = scored_annotations()
    return written(tmp_path_factory.mktemp("files"), truth, results(truth))[0].parent


def test_the_command_writes_each_form_and_says_where(files: Path) -> None:
    done = command("report", "preds.json", "--truth", "truth.json", "-o", "r.html", "-o", "r.md", "--json", cwd=files)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["out"] == ["r.html", "r.md"] and said["metrics"]["AP"] == 1 and "cost_waterfall" in said["said"]
    assert "posebench report preds.json --truth truth.json -o r.html -o r.md" in (files / "r.md").read_text()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("report", "preds.json", "--truth", "truth.json", "-o", "r.htm5"), "no report ends in '.htm5'"),
        (("report", "preds.json", "--truth", "nowhere.json"), "nowhere.json: "),
        (("report", "preds.json", "--truth", "truth.json", "--images", "nowhere"), "--images nowhere: no such folder"),
        (("report", "preds.json", "--truth", "truth.json", "--images", "2", "--images", "3"), "one folder, one number"),
        (("plot", "skelton", "preds.json", "--truth", "truth.json"), "no such plot; did you mean 'skeleton'?"),
        (("plot", "skeleton", "preds.json", "--truth", "truth.json", "-o", "a.bmp"), "no picture ends in '.bmp'"),
    ],
)
def test_bad_words_are_one_line_and_exit_2(files: Path, words: tuple[str, ...], error: str) -> None:
    done = command(*words, cwd=files)
    assert done.returncode == 2 and error in done.stderr and "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_plot_writes_one_figure_or_all(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(files)
    options = {"truth": "truth.json", **dict.fromkeys(("dataset", "config", "split", "root", "schema", "protocol", "mapping")), "allow_unknown": False}
    plot_command("tolerance_circles", ["preds.json"], None, options, False, True)
    assert capsys.readouterr().out == "tolerance_circles.svg\n" and b"<svg" in (files / "tolerance_circles.svg").read_bytes()
    plot_command("all", ["preds.json"], "figures", options, True, True)
    assert set(json.loads(capsys.readouterr().out)["out"]) == set(PLOTS) == {p.stem for p in (files / "figures").iterdir()}


def test_help_of_plot_names_every_plot(files: Path) -> None:
    said = command("plot", "--help", cwd=files).stdout
    assert all(re.search(rf"^\s+{name}\s", said, re.MULTILINE) for name in PLOTS)


# -- notebooks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_look_in_a_notebook(case: str) -> None:
    ev = CASES[case]()
    for made in (ev._repr_html_(), ev.errors()._repr_html_()):
        read = Read(made)
        assert read.tags[0] == ("div", {"class": "posebench"}) and not read.all("script")
        assert "nan" not in {w.strip().lower() for w in read.words}


def test_hostile_names_stay_text_in_a_notebook(tmp_path: Path) -> None:
    ev = hostile(tmp_path)
    read = Read(ev._repr_html_() + ev.errors()._repr_html_())
    assert not read.all("script") and not read.all("img") and SCRIPT in read.text
