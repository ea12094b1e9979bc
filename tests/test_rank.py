"""Standings, ranks of many submissions, and power: against counting by hand, and what is said of files that cannot be ranked."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import posebench
from posebench import plots, power, rank
from posebench.statistics.replicates import replicates
from posebench.statistics.resampling import clusters, draws
from posebench.statistics.standings import adjusted, letters, ranks_of, stand
from posedata.errors import PoseError

from .compared import AT_TWO, found, models, people

# -- standings ---------------------------------------------------------------------------------------


def test_ranks_count_those_that_are_better() -> None:
    values = np.array([[0.5, 0.7, 0.5, np.nan, 0.7 + 1e-15]])
    assert ranks_of(values).tolist() == [[3, 1, 3, 5, 1]]


@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_two_models_share_a_letter_where_they_are_not_apart(n: int, r: object) -> None:
    rng = np.random.default_rng(r.getrandbits(32))  # type: ignore[attr-defined]
    apart = np.triu(rng.random((n, n)) < 0.5, 1)
    apart = apart | apart.T
    given_letters = letters(apart)
    for i, j in combinations(range(n), 2):
        assert bool(set(given_letters[i]) & set(given_letters[j])) != apart[i, j]
    assert given_letters[0][0] == "a" and all(given_letters)
    groups = [{m for m in range(n) if letter in given_letters[m]} for letter in sorted(set("".join(given_letters)))]
    assert not any(a < b for a in groups for b in groups), "no group lies within another"


def test_letters_by_hand() -> None:
    """The first and the third are apart; the second is neither from the first nor the third."""
    apart = np.zeros((4, 4), bool)
    apart[0, 2] = apart[2, 0] = True
    apart[3, :3] = apart[:3, 3] = True
    assert letters(apart) == ["a", "ab", "b", "c"]


def slowly(values: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same p-values, pair by pair and resample by resample."""
    pairs = list(combinations(range(len(values)), 2))
    size = {(i, j): np.std(drawn[:, i] - drawn[:, j]) for i, j in pairs}
    largest = [max(abs(row[i] - row[j] - (values[i] - values[j])) / size[i, j] for i, j in pairs) for row in drawn]
    p = np.ones((len(values), len(values)))
    for i, j in pairs:
        seen = abs(values[i] - values[j]) / size[i, j]
        p[i, j] = p[j, i] = (1 + sum(one >= seen for one in largest)) / (1 + len(drawn))
    return p


def test_differences_are_held_against_the_largest_of_any_two() -> None:
    rng = np.random.default_rng(0)
    values = np.array([0.6, 0.62, 0.7, 0.55])
    drawn = values + rng.normal(0, 0.02, (300, 1)) + rng.normal(0, 0.02, (300, 4))
    p = adjusted(values, drawn)
    assert np.allclose(p, slowly(values, drawn))
    assert p[0, 1] > 0.5 and p[2, 3] < 0.01


def test_equal_models_are_never_apart_and_constant_gaps_always() -> None:
    drawn = np.repeat(np.array([[0.5, 0.5, 1.0]]), 50, 0) + np.linspace(0, 0.1, 50)[:, None]
    p = adjusted(np.array([0.55, 0.55, 1.05]), drawn)
    assert p[0, 1] == 1 and p[0, 2] == p[1, 2] == 1 / 51
    assert adjusted(np.array([0.5]), drawn[:, :1]).tolist() == [[1.0]]


def test_who_is_first_shares_the_place() -> None:
    drawn = np.array([[0.9, 0.9, 0.1], [0.9, 0.8, 0.1], [0.7, 0.8, np.nan], [0.9, 0.8, 0.1]])
    s = stand("AP", ("x", "y", "z"), np.array([0.85, 0.85, np.nan]), drawn, np.ones((3, 3)), how="by hand")
    assert [(row.name, row.rank, row.first) for row in s.rows] == [("x", 1, 0.625), ("y", 1, 0.375), ("z", 0, 0.0)]
    assert (s["x"].rank_low, s["x"].rank_high) == (1, 2)
    assert "1=" in repr(s) and s["z"].groups == ""
    some = stand("EPE", ("x", "y"), np.array([3.0, 2.0]), np.array([[3.0, 2.0], [np.nan, 2.0], [3.5, 2.5]]), np.ones((2, 2)), how="", higher=False)
    assert (some["x"].low, some["x"].high) == pytest.approx((3.0, 3.4875)), "resamples without a number are left out for both; the number is inside"
    lower = stand("EPE", ("x", "y"), np.array([3.0, 2.0]), np.array([[3.0, 2.0]] * 4), np.ones((2, 2)), how="", higher=False)
    assert [row.name for row in lower.rows] == ["y", "x"]


def test_intervals_of_numbers_and_of_ranks_hold_what_was_seen() -> None:
    high = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]])  # in the resamples it is mostly the other way round
    s = stand("AP", ("x", "y"), np.array([0.2, 0.3]), high, np.ones((2, 2)), how="", level=0.1)
    for row in s.rows:
        assert row.low <= row.value <= row.high
        assert row.rank_low <= row.rank <= row.rank_high


# -- rank --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A truth, and beside it a folder: good, its twin, bad; a broken file, a file on other images, what simulate leaves."""
    truth = people(80)
    truth.to_coco(tmp_path / "truth.json")
    place = tmp_path / "sent"
    place.mkdir()
    for name, seed, noise in (("good", 1, 2.0), ("twin", 1, 2.0), ("bad", 2, 8.0)):
        found(truth, seed, noise).to_json(place / f"{name}.json")
    (place / "broken.json").write_text("{")
    (place / "truths.json").write_text((tmp_path / "truth.json").read_text())
    (place / "good.injected.json").write_text("{}")
    (place / "notes.txt").write_text("who sent what")
    some = found(truth, 3, 2.0)
    replace(some.take(np.flatnonzero(some.image <= 40)), header={"schema": "foot6", "images": list(range(1, 41))}).to_npz(place / "half.npz")
    return place


def test_a_folder_is_ranked_and_bad_files_are_named(folder: Path) -> None:
    s = rank(folder, folder.parent / "truth.json", AT_TWO, resamples=200)
    assert [(row.name, row.rank, row.groups) for row in s.rows] == [("good", 1, "a"), ("twin", 1, "a"), ("bad", 3, "b")]
    assert s["good"].first == s["twin"].first == 0.5
    assert sorted(s.refused) == ["broken", "half", "truths"]
    assert "images: 80 against 40" in s.refused["half"]
    assert "refused: broken: " in repr(s) and "200 common resamples of 80 images, seed 0" in repr(s)
    truth = people(80)
    by_name = rank({"good": found(truth, 1, 2.0), "bad": found(truth, 2, 8.0)}, truth, AT_TWO, resamples=200)
    assert by_name["good"].value == s["good"].value and by_name["good"].low == s["good"].low


@pytest.mark.parametrize(("asked", "words"), [({"clusters": "vidoe"}, "clusters='vidoe': no image has it"), ({"metric": "AP[hrd]"}, "level or part 'hrd'")])
def test_a_wrong_question_is_said_once_and_before_all_are_scored(folder: Path, asked: dict[str, str], words: str) -> None:
    with pytest.raises(PoseError) as caught:
        rank(folder, folder.parent / "truth.json", AT_TWO, resamples=40, **asked)  # type: ignore[arg-type]
    assert words in str(caught.value) and "no submission" not in str(caught.value) and "broken" not in str(caught.value)


def test_the_odd_one_is_refused_also_where_it_comes_first(folder: Path) -> None:
    (folder / "half.npz").rename(folder / "a.npz")
    s = rank(folder, folder.parent / "truth.json", AT_TWO, resamples=40)
    assert [row.name for row in s.rows] == ["good", "twin", "bad"] and "a" in s.refused


def test_folders_that_cannot_be_ranked(tmp_path: Path) -> None:
    truth = people(5)
    for place, words in ((tmp_path, "no submissions"), (tmp_path / "none", "not there")):
        with pytest.raises(PoseError, match=words):
            rank(place, truth)
    (tmp_path / "x.json").write_text("[]")
    (tmp_path / "y.json").write_text("{")
    with pytest.raises(PoseError, match=r"no submission can be scored|y:"):
        rank({"y": tmp_path / "y.json"}, truth)
    (tmp_path / "x.npz").write_bytes(b"")
    assert sorted(posebench.statistics.rank.submissions_in(tmp_path)) == ["x.json", "x.npz", "y"]  # type: ignore[attr-defined]


def test_the_order_of_files_changes_nothing() -> None:
    truth = people(60)
    sent = {f"m{i}": found(truth, i, 3.0 + i / 4) for i in range(4)}
    one, other = rank(sent, truth, AT_TWO, resamples=100), rank(dict(reversed(sent.items())), truth, AT_TWO, resamples=100)
    assert [row.name for row in one.rows] == [row.name for row in other.rows]
    assert one.to_dict()["ranking"] == other.to_dict()["ranking"] and one.to_dict()["apart"] == other.to_dict()["apart"]
    assert json.dumps(one.to_dict()) == json.dumps(rank(sent, truth, AT_TWO, resamples=100).to_dict())


def test_plots_of_ranks_and_differences_are_files(tmp_path: Path) -> None:
    evs = models(40, 3.0, 3.0, 8.0)
    c = posebench.compare(*evs, metrics=["AP", "EPE"], by="instances", resamples=60, names=("$a$", "b" * 90, "c"))
    for i, figure in enumerate((plots.differences(c), plots.rank_distribution(c.standings))):
        paths = [plots.save(figure, tmp_path / f"{i}{end}") for end in (".png", ".svg")]
        assert all(p.stat().st_size > 4000 for p in paths)
    one = rank({"alone": found(people(9), 1)}, people(9), AT_TWO, resamples=20)
    plots.save(plots.rank_distribution(one), tmp_path / "one.png")
    nothing = posebench.compare(*models(6, 3.0, 3.0), metrics=["AP[pooled]"], resamples=20)
    plots.save(plots.differences(nothing), tmp_path / "two.png")


# -- power -------------------------------------------------------------------------------------------


def test_power_by_hand() -> None:
    a, b = models(100, 3.0, 4.0)
    p = power(a, b, delta=0.02, resamples=300)
    spread = p.deviation / 10
    assert p.smallest == pytest.approx((1.959964 + 0.841621) * spread, rel=1e-5)
    assert p.needed == int(np.ceil(((1.959964 + 0.841621) * p.deviation / 0.02) ** 2))
    assert p.chance(p.smallest) == pytest.approx(0.8, abs=1e-4)
    assert p.chance(0.02, p.needed) == pytest.approx(0.8, abs=1e-3)
    assert p.chance(0.0) == pytest.approx(0.05)
    c = posebench.compare(a, b, metrics=["AP"], resamples=300)
    assert spread == pytest.approx((c["AP"].high - c["AP"].low) / 3.92, rel=0.2), "an interval is two deviations to each side"


def test_with_one_model_the_correlation_is_assumed_and_said() -> None:
    a, b = models(100, 3.0, 4.0)
    alone = power(a, resamples=200)
    assert "correlate by 0.5" in alone.assumed and "assumed: the other model scatters as much" in repr(alone)
    assert [row["correlation"] for row in alone.table] == [0.5, 0.7, 0.9]
    drawn = replicates(a.workings, ["AP"], draws(clusters(a.workings), 200))
    assert alone.deviation == pytest.approx(drawn.std() * 10), "at a correlation of a half a difference scatters as the number does"
    nearer = power(a, correlation=0.9, resamples=200)
    assert nearer.deviation == pytest.approx(alone.deviation * np.sqrt(0.2))
    assert alone.needed > nearer.needed == alone.table[2]["needed"]
    assert power(a, b, resamples=200).assumed == ""
    same = power(a, a, resamples=40)
    assert same.needed == 0 and "any number of images" in repr(same) and "nothing is known of the spread" in repr(same)


def test_power_says_where_images_are_too_few_to_know() -> None:
    few = power(models(12, 3.0)[0], resamples=40)
    assert "have truths: below 100" in repr(few) and few.to_dict()["notes"]
    assert not power(models(200, 3.0)[0], resamples=40).notes
    one = power(models(1, 3.0, seed=3)[0], resamples=40)
    assert one.deviation == 0 and len(one.notes) == 2 and "only 1 image has truths" in repr(one)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"delta": 0}, "no difference that could be seen"),
        ({"delta": float("nan")}, "no difference that could be seen"),
        ({"power": 1}, "power=1: no chance"),
        ({"correlation": 1.0}, "no correlation of two models"),
        ({"metric": "AQ"}, "no metric 'AQ'"),
        ({"metric": "AP[medium]"}, "no range, level or part 'medium'"),
        ({"resamples": 0}, "too few"),
    ],
)
def test_power_of_nonsense_is_refused(how: dict[str, float], words: str) -> None:
    with pytest.raises(PoseError, match=words.replace("[", r"\[")):
        power(models(8, 3.0)[0], **how)  # type: ignore[arg-type]


def test_a_measured_correlation_is_not_assumed() -> None:
    with pytest.raises(PoseError, match="it is measured then"):
        power(*models(8, 3.0, 4.0), correlation=0.5)
    bare = people(6)
    bare = replace(bare, instances=replace(bare.instances, crowd=np.ones(len(bare), bool)))
    with pytest.raises(PoseError, match="no truth counts"):
        power(posebench.evaluate(bare, found(bare, 1), AT_TWO))
