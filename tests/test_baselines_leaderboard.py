"""The leaderboard: published rows as their sources have them, computed rows that anybody gets again, and never two protocols in one ranking."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from baselines import add_row, read_board, recompute
from baselines.board.pages import as_html, as_markdown, as_text
from baselines.board.plot import cost_plot, save_plot
from baselines.board.ranking import RANKED_BY, rankings
from baselines.board.rows import FIELDS, PUBLISHED, Board, Row, read_rows, row_of
from baselines.recipes import RECIPES
from posebench.metrics import read_metric
from posebench.simulate import simulate
from posedata import FormatError, PoseDataset, PoseError, read_coco
from tests.conftest import poses
from tests.test_cli import run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of datasets that holds a small COCO val."""
    folder = tmp_path / "data" / "coco" / "annotations"
    folder.mkdir(parents=True)
    poses(n=80, images=40).to_coco(folder / "person_keypoints_val2017.json")
    return tmp_path / "data"


def truth(root: Path) -> PoseDataset:
    return read_coco(root / "coco" / "annotations" / "person_keypoints_val2017.json")


def predicted(root: Path, path: Path, seed: int = 0, **shares: float) -> Path:
    """A file of predictions whose header names the set."""
    pred = simulate(truth(root), seed=seed, **shares).pred
    header = {k: v for k, v in pred.header.items() if k != "conditions"} | {"dataset": "coco", "config": "2017", "split": "val", "model": path.stem}
    replace(pred, header=header).to_json(path)
    return path


def made(tmp_path: Path, root: Path, *names: str, **shares: float) -> Board:
    """A board with a row for each name, worse and worse."""
    board = read_board(tmp_path / "board.json")
    for i, name in enumerate(names):
        board, _ = add_row(board, predicted(root, tmp_path / f"{name}.json", i, miss=0.05 + 0.3 * i), name=name, root=root)
    board.write()
    return board


# -- published rows ----------------------------------------------------------------------------------


def test_published_rows_have_a_source_and_numbers_between_nought_and_one() -> None:
    rows = read_rows(PUBLISHED)
    assert len(rows) > 150
    for row in rows:
        assert row.source and row.published and row.metrics
        assert all(0 < v < 1 for v in row.metrics.values() if v is not None)
        assert not row.predictions and not row.intervals
        for name in row.metrics:
            read_metric(name)


@pytest.mark.parametrize(
    ("name", "ap"),
    [
        ("ap10k-val-hrnet_w32-256x256-mmpose", 0.722),
        ("ap10k-val-hrnet_w32-256x256-ap10k", 0.738),
        ("cat-val-resnet50-128x128-comp7606", 0.144),
        ("crowdpose-test-buctd_coam_w48-384x288-buctd", 0.785),
        ("coco-val-vit_s_simple-256x192-mmpose", 0.736),
        ("coco-val-keypointrcnn_r50_fpn_v1-800x1333-torchvision", 0.650),
    ],
)
def test_published_numbers_are_those_of_their_sources(name: str, ap: float) -> None:
    assert {row.id: row for row in read_rows(PUBLISHED)}[name].metrics["AP"] == ap


def test_recipes_name_published_rows_that_exist_on_their_own_dataset() -> None:
    rows = {row.id: row for row in read_rows(PUBLISHED)}
    named = [(recipe, name) for recipe in RECIPES.values() for name in recipe.published]
    assert named
    assert [name for _, name in named if name not in rows] == []
    assert all(rows[name].dataset == recipe.dataset for recipe, name in named)


def test_a_number_from_truth_boxes_is_never_ranked_beside_one_from_a_detector() -> None:
    for ranking in rankings(read_board().rows):
        for name, of in RANKED_BY.items():
            assert len({of(row) for row in ranking.rows}) == 1, name
        assert len({(row.published, row.boxes, row.headline) for row in ranking.rows}) == 1
    sapiens = next(r for r in rankings(read_rows(PUBLISHED)) if any(row.model == "Sapiens-2B" for row in r.rows) and r["set"] == "coco/2017/val")
    assert {row.boxes for row in sapiens.rows} == {"detector AP 70"}


def test_published_rows_have_no_rank_and_say_what_their_sources_do_not() -> None:
    ranked = [r for r in rankings(read_rows(PUBLISHED)) if r.ranked]
    assert ranked == []
    text = as_markdown(read_board(), "ap10k")
    assert "No ranking: the sources do not say boxes and conditions." in text
    assert "| HRNet-W32 | 72.2 |" in text
    assert "open-mmlab/mmpose configs" in text


# -- computed rows -----------------------------------------------------------------------------------


def test_a_row_is_the_evaluation_of_its_predictions_and_is_computed_again(tmp_path: Path, root: Path) -> None:
    from posebench import evaluate

    board, row = add_row(read_board(tmp_path / "board.json"), predicted(root, tmp_path / "p.json"), name="one", settings=["params_m=3.8"], root=root)
    board.write()
    ev = evaluate(None, tmp_path / "p.json", root=root)
    assert row.metrics["AP"] == ev["AP"]
    low, high = row.intervals["AP"]
    assert low <= ev["AP"] <= high
    assert row.protocol == f"coco {ev.protocol.fingerprint}"
    assert (row.boxes, row.flip_test, row.conditions, row.params_m) == ("truth", False, "none", 3.8)
    assert (tmp_path / "predictions" / "one.json").read_bytes() == (tmp_path / "p.json").read_bytes()
    again, outcomes = recompute(read_board(tmp_path / "board.json"), root=root)
    assert [(o.id, o.state) for o in outcomes] == [("one", "equal")]
    assert again.computed[0].to_dict() == row.to_dict()


def test_a_changed_number_is_found_and_so_are_changed_bytes_and_a_changed_truth(tmp_path: Path, root: Path) -> None:
    board = made(tmp_path, root, "one")
    wrong = replace(board.computed[0], metrics={**board.computed[0].metrics, "AR": (board.computed[0].metrics["AR"] or 0) + 2e-9})
    _, (outcome,) = recompute(board.with_rows([wrong]), root=root)
    assert outcome.state == "different"
    assert outcome.text.startswith("AR is 0.")
    near = replace(board.computed[0], metrics={k: None if v is None else v + 5e-10 for k, v in board.computed[0].metrics.items()})
    assert recompute(board.with_rows([near]), root=root)[1][0].state == "equal"
    kept = tmp_path / "predictions" / "one.json"
    before = kept.read_bytes()
    kept.write_bytes(before + b" ")
    assert "its bytes are not those that were scored" in recompute(board, root=root)[1][0].text
    kept.write_bytes(before)
    poses(n=80, images=40, seed=5).to_coco(root / "coco" / "annotations" / "person_keypoints_val2017.json")
    (outcome,) = recompute(board, root=root)[1]
    assert (outcome.state, "its annotations have changed" in outcome.text) == ("different", True)


def test_rows_that_cannot_be_computed_keep_their_reason(tmp_path: Path, root: Path) -> None:
    path = predicted(root, tmp_path / "p.json")
    board, row = add_row(read_board(tmp_path / "board.json"), path, name="secret", private="the pictures may not be passed on", root=root)
    assert not (tmp_path / "predictions").exists()
    (outcome,) = recompute(board, root=root)[1]
    assert (outcome.state, outcome.text) == ("left", "the pictures may not be passed on")
    assert "cannot be computed again by everybody: the pictures may not be passed on" in as_markdown(board)
    path.rename(tmp_path / "secret.json")
    assert recompute(board, root=root, folders=[tmp_path])[1][0].state == "equal"
    (tmp_path / "empty").mkdir()
    (outcome,) = recompute(board, root=tmp_path / "empty", folders=[tmp_path])[1]
    assert outcome.state == "left"
    assert outcome.text.startswith("its truth is not here: coco/2017")
    assert recompute(board, root=tmp_path / "empty", folders=[tmp_path], truths=[truth(root)])[1][0].state == "equal"
    assert row.predictions["file"] == "predictions/secret.json"


def test_rows_are_ranked_and_those_that_cannot_be_told_apart_share_a_rank(tmp_path: Path, root: Path) -> None:
    board = made(tmp_path, root, "good", "bad")
    board, _ = add_row(board, predicted(root, tmp_path / "same.json", 0, miss=0.05), name="same", root=root)
    (ranking,) = [r for r in rankings(board.rows) if r.ranked]
    assert {row.id: ranking.rank(row) for row in ranking.rows} == {"good": "1=", "same": "1=", "bad": "3"}
    other, _ = add_row(board, predicted(root, tmp_path / "found.json"), name="found", settings=["boxes=detector AP 56"], root=root)
    assert [len(r.rows) for r in rankings(other.rows) if r.ranked] == [1, 3]


def test_a_rank_is_one_more_than_those_that_are_better_and_told_apart() -> None:
    same = {"protocol": "p 1", "truth": "t", "boxes": "truth", "conditions": "none"}
    lettered = {"first": ("a", 0.60), "second": ("ab", 0.59), "third": ("b", 0.58), "last": ("c", 0.30)}
    (ranking,) = rankings([row(name, **same, groups=groups, metrics={"AP": ap}) for name, (groups, ap) in lettered.items()])
    assert [ranking.rank(r) for r in ranking.rows] == ["1=", "1=", "2=", "4"]


def test_what_predict_measured_and_what_is_said_enter_the_row(tmp_path: Path, root: Path) -> None:
    path = predicted(root, tmp_path / "p.json")
    (tmp_path / "p.measured.json").write_text(json.dumps({"gmac": 1.5, "images_per_second": 200.0, "hardware": "a machine", "unknown": 3, "size_mb": None}))
    _, row = add_row(read_board(tmp_path / "board.json"), path, settings=["gmac=2", "train=COCO, AIC", "flip_test=yes"], root=root)
    assert (row.gmac, row.images_per_second, row.hardware, row.size_mb, row.train, row.flip_test) == (2.0, 200.0, "a machine", None, ("COCO", "AIC"), True)
    assert row.id == "coco-2017-val-p"
    for wrong, words in (("lr=3", "no field 'lr'"), ("gmac", "no value"), ("gmac=much", "a number of 0 or more"), ("flip_test=perhaps", "true or false")):
        with pytest.raises(PoseError, match=words):
            add_row(read_board(tmp_path / "board.json"), path, settings=[wrong], root=root)
    with pytest.raises(PoseError, match="a published row"):
        add_row(read_board(tmp_path / "board.json"), path, name="cat-val-resnet50-128x128-comp7606", root=root)


# -- files and looks ---------------------------------------------------------------------------------


def test_a_board_is_written_and_read_back_the_same(tmp_path: Path, root: Path) -> None:
    board = made(tmp_path, root, "one", "two")
    again = read_board(tmp_path / "board.json")
    assert again.computed == board.computed
    before = (tmp_path / "board.json").read_bytes()
    again.write()
    assert (tmp_path / "board.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no leaderboard"),
        ('{"version": 2, "rows": []}', "no leaderboard"),
        ('{"version": 1, "rows": [3]}', "no 'id'"),
        ('{"version": 1, "rows": [{"id": "a", "dataset": "d", "model": "m", "metrics": {"AP": "x"}}]}', "rows[0].metrics"),
        ('{"version": 1, "rows": [{"id": "a", "dataset": "d", "model": "m", "metrics": {"AP": 1}, "colour": 1}]}', "no such field"),
        ('{"version": 1, "rows": [{"id": "a", "dataset": "d", "model": "m", "metrics": {}}]}', "no 'metrics'"),
        (
            '{"version": 1, "rows": [{"id": "a", "dataset": "d", "model": "m", "metrics": {"AP": 1}}, {"id": "a", "dataset": "d", "model": "m", "metrics": {"AP": 1}}]}',
            "two rows",
        ),
    ],
)
def test_a_broken_board_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(FormatError) as e:
        read_board(tmp_path / "b.json")
    assert words in str(e.value)
    assert "\n" not in str(e.value)


def row(name: str, **fields: object) -> Row:
    return row_of({"id": name, "dataset": "d", "split": "s", "model": "m", "metrics": {"AP": 0.5}, **fields}, name)


def test_names_of_strangers_stay_text(tmp_path: Path) -> None:
    evil = row("<b>", model="<script>alert(1)</script>|*_`", note='"><img src=x>', protocol="p 1", truth="t", boxes="truth", conditions="none")
    board = Board(computed=(evil,), path=tmp_path / "b.json")
    page = as_html(board)
    assert "<script" not in page
    assert "<img" not in page
    table = next(line for line in as_markdown(board).splitlines() if "alert" in line)
    assert "&lt;script>alert(1)&lt;/script>\\|\\*\\_\\`" in table


def test_every_field_of_a_row_is_explained_and_columns_that_matter_always_stand(tmp_path: Path) -> None:
    assert set(FIELDS) == set(Row.__dataclass_fields__)
    board = Board(computed=(row("a", protocol="p 1", truth="t", boxes="truth", conditions="none"),), path=tmp_path / "b.json")
    head = next(line for line in as_markdown(board).splitlines() if line.startswith("| rank"))
    assert all(f"| {name} " in head for name in ("boxes", "flip test", "conditions", "pretraining"))
    assert "the leaderboard is empty" in as_text(Board(path=tmp_path / "c.json"))


def test_accuracy_is_drawn_against_cost_a_panel_for_each_ranking(tmp_path: Path) -> None:
    figure = cost_plot(read_board(), "params_m", "coco")
    drawn = [r for r in rankings(read_board().rows) if r["set"] == "coco/2017/val" and sum(bool(row.params_m) for row in r.rows) > 1]
    assert len(figure.axes) == len(drawn) > 3
    assert (
        save_plot(read_board(), tmp_path / "c.svg", "params_m", "coco").read_bytes()
        == save_plot(read_board(), tmp_path / "d.svg", "params_m", "coco").read_bytes()
    )
    with pytest.raises(PoseError, match="no such cost"):
        cost_plot(read_board(), "params")
    with pytest.raises(PoseError, match="no row says images a second"):
        cost_plot(read_board(), "images_per_second", "cat")


# -- commands ----------------------------------------------------------------------------------------


def test_the_command_adds_recomputes_and_fails_on_a_difference(tmp_path: Path, root: Path) -> None:
    predicted(root, tmp_path / "p.json")
    done = run("baselines", "leaderboard", "add", "p.json", "--id", "one", "--board", "b.json", "--root", root, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["id"] == "one", done.stderr
    done = run("baselines", "leaderboard", "--recompute", "--board", "b.json", "--root", root, cwd=tmp_path)
    assert (done.returncode, done.stdout[:14]) == (0, "equal     one:")
    values = json.loads((tmp_path / "b.json").read_text())
    values["rows"][0]["metrics"]["AP"] += 1e-6
    (tmp_path / "b.json").write_text(json.dumps(values))
    done = run("baselines", "leaderboard", "--recompute", "--board", "b.json", "--root", root, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["recomputed"][0]["state"]) == (1, "different")


def test_the_board_of_the_package_is_what_its_predictions_give() -> None:
    board = read_board()
    if not any(r.predictions and not r.reason for r in board.computed):
        pytest.skip("no row was computed yet")
    _, outcomes = recompute(board)
    assert [o for o in outcomes if o.state == "different"] == []


def test_the_command_writes_every_form_and_refuses_others(tmp_path: Path) -> None:
    for name in ("b.md", "b.html", "b.json"):
        done = run("baselines", "leaderboard", "-o", name, "--dataset", "cat", "--json", cwd=tmp_path)
        assert (done.returncode, len(json.loads(done.stdout)["rows"])) == (0, 1)
        assert "COMP7606" in (tmp_path / name).read_text()
    for arguments, words in (
        (("-o", "b.pdf"), "a form we do not write"),
        (("--dataset", "zebras"), "no row; the board has"),
        (("--truth", "x.json"), "given without --recompute"),
        (("--board", "x.txt"), "no board; name a .json file"),
        (("--computed", "add", "x.json"), "options of a command follow it"),
        (("add", "nowhere.json"), "no such file"),
    ):
        done = run("baselines", "leaderboard", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n"), words in done.stderr) == (2, 1, True), done.stderr


def test_a_metric_without_truth_has_no_rank(tmp_path: Path) -> None:
    same = {"protocol": "p 1", "truth": "t", "boxes": "truth", "conditions": "none"}
    (ranking,) = rankings([row("a", **same, metrics={"AP": None}), row("b", **same)])
    assert [r.id for r in ranking.rows] == ["b", "a"]
    assert [ranking.rank(r) for r in ranking.rows] == ["1", ""]
