"""Reports of several models: which is better, by how much, how sure, and why, whichever comes first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posebench.reporting.forms import write_report
from posebench.reporting.versus import Versus
from posebench.statistics.compare import compare
from tests.reported import SCRIPT, Read, unlabelled, usual


@pytest.fixture(scope="module")
def versus() -> Versus:
    """Two models of which the second takes left for right less often."""
    models = [usual(n=80, inversion=share) for share in (0.3, 0.02)]
    return Versus(compare(*models, names=["old", SCRIPT], metrics=["AP"], resamples=300), 6, ("posebench", "report", "a", "b"))


def test_a_comparison_says_which_by_how_much_how_sure_and_why(versus: Versus) -> None:
    row = versus.comparison["AP"]
    assert row.difference > 0 and row.real
    assert versus.verdict == f"{SCRIPT} is better"
    assert versus.how_much == f"By {100 * row.difference:.1f} AP, between {100 * row.low:.1f} AP and {100 * row.high:.1f} AP at 95%"
    assert versus.how_sure.startswith("Sure: ") and "fewer inversions" in versus.why
    assert versus.kinds[0][0] == "inversion" and versus.kinds[0][1] > versus.kinds[0][2]


def test_the_other_way_round_the_numbers_are_the_same() -> None:
    models = [usual(n=80, inversion=share) for share in (0.02, 0.3)]
    back = Versus(compare(*models, names=["good", "bad"], metrics=["AP"], resamples=300))
    row = back.comparison["AP"]
    assert back.verdict == "good is better"
    assert back.how_much == f"By {-100 * row.difference:.1f} AP, between {-100 * row.high:.1f} AP and {-100 * row.low:.1f} AP at 95%"


def test_the_same_model_twice_is_no_better(tmp_path: Path) -> None:
    v = Versus(compare(usual(n=8), usual(n=8), names=["a", "b"], metrics=["AP"], resamples=50))
    assert v.verdict == "Both have the same AP" and v.apart == []
    for suffix in (".html", ".md", ".json"):
        assert "nan" not in write_report(v, tmp_path / f"v{suffix}").read_text().split("<script>")[0].lower().replace("nano", "").split()


def test_a_comparison_of_nothing_has_its_page(tmp_path: Path) -> None:
    v = Versus(compare(unlabelled(usual(n=8)), unlabelled(usual(n=8)), names=["a", "b"], metrics=["AP"], resamples=50))
    assert v.verdict == "There is nothing to compare"
    assert "There is nothing to compare" in write_report(v, tmp_path / "v.html").read_text()


def test_three_models_are_ranked(tmp_path: Path) -> None:
    models = [usual(n=20, inversion=share) for share in (0.3, 0.1, 0.0)]
    made = compare(*models, names=["worst", "middle", "best"], metrics=["AP"], resamples=100)
    read = Read(made.report(tmp_path / "v.html", 4).read_text())
    assert "rank_distribution" in {a.get("id") for a in read.all("figure")}
    first = Versus(made).leading
    assert {first.a, first.b} == {row.name for row in made.standings.rows[:2]}


def test_poses_apart_are_those_whose_similarity_differs_most(versus: Versus) -> None:
    assert len(versus.apart) == 6 and len({each.truth for each in versus.apart}) == 6
    for each in versus.apart:
        one, other = (0.0 if case is None else case.oks for case in each.cases)
        assert each.difference == pytest.approx(other - one) and each.difference != 0
    assert versus.apart[0].difference == max(abs(each.difference) for each in versus.apart if each.difference > 0)


def test_a_hostile_model_stays_text(versus: Versus, tmp_path: Path) -> None:
    read = Read(write_report(versus, tmp_path / "v.html").read_text())
    assert len(read.all("script")) == 1 and SCRIPT in read.text
    assert "<script>" not in write_report(versus, tmp_path / "v.md").read_text().split("```")[0]
    assert json.loads(write_report(versus, tmp_path / "v.json").read_text())["comparison"]["models"] == ["old", SCRIPT]
