"""Plots: their artists hold the report's numbers, nothing overlaps or leaves the page, and the same figure is the same file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from matplotlib.text import Text

from posebench import ceiling, plots, sensitivity
from posebench.errors.labels import ERRORS, LABELS
from posebench.errors.report import ErrorReport
from posebench.evaluation import Evaluation, evaluate
from posebench.plots.body import places
from posebench.plots.style import short, spread, text_width, wrapped
from posebench.simulate import SHARES, simulate
from posedata import Keypoint, PoseDataset, PoseError, Schema, load_schema

LONG = Schema(
    name="long",
    keypoints=tuple(Keypoint(f"{side}the_outermost_point_of_the_very_long_appendage_number_{i}", 0.05) for i in range(4) for side in ("left_", "right_")),
)
SCHEMAS = {
    "one": Schema(name="one", keypoints=(Keypoint("dot", 0.1),)),
    "odd": Schema(name="odd", keypoints=(Keypoint("$a$", 0.1), Keypoint("尾", 0.1), Keypoint("_x_{", 0.1))),
    "foot6": load_schema("foot6"),
    "ap10k17": load_schema("ap10k17"),
    "coco_foot23": load_schema("coco_foot23"),
    "k25": Schema(name="k25", keypoints=tuple(Keypoint(f"p{i}", 0.05) for i in range(25))),
    "long": LONG,
}
OF_EVALUATION: dict[str, Callable[[Evaluation], Figure]] = {
    "precision_recall": plots.precision_recall,
    "ap_by_threshold": plots.ap_by_threshold,
    "ap_by_threshold, below a ceiling": lambda ev: plots.ap_by_threshold(ev, [0.99 - 0.05 * i for i in range(len(ev.protocol.thresholds))]),
    "ap_of_models": lambda ev: plots.ap_of_models({"one": ev, "a model with a long name, as they have": ev}),
    "tolerance_circles": plots.tolerance_circles,
    "calibration_bars": plots.calibration_bars,
    "ceiling_by_threshold": lambda ev: plots.ceiling_by_threshold(ceiling(ev, draws=2)),
    "ceiling_by_threshold, grids alone": lambda ev: plots.ceiling_by_threshold(ceiling(ev, noise=0)),
    "sensitivity_ranges": lambda ev: plots.sensitivity_ranges(sensitivity(ev)),
    "sensitivity_ranges, of many": lambda ev: plots.sensitivity_ranges(sensitivity(*[ev] * 8, kinds=["area", "curve"])),
}
OF_REPORT: dict[str, Callable[[ErrorReport], Figure]] = {
    "error_shares": plots.error_shares,
    "error_shares, as the schema has them": lambda report: plots.error_shares(report, "schema"),
    "cost_waterfall": plots.cost_waterfall,
    "skeleton": plots.skeleton,
    "skeleton, oks lost": lambda report: plots.skeleton(report, "oks lost"),
    "confusion": plots.confusion,
    "similarity_strips": plots.similarity_strips,
}


def made(schema: Schema, n: int = 40, labelled: bool = True) -> PoseDataset:
    rng = np.random.default_rng(0)
    body = np.array([k.at or rng.random(2) for k in schema.keypoints]) * 80
    xy = body[None] + rng.uniform(10, 20, (n, 1, 2)) + rng.normal(0, 3, (n, len(schema), 2))
    v = rng.choice([0.0, 2.0], (n, len(schema), 1), p=[0.15, 0.85]) * labelled
    return PoseDataset.from_arrays(
        schema=schema, name="made", image=np.arange(n) // 2, keypoints=np.concatenate([xy, v], -1) * (v > 0), bbox=np.tile([5.0, 5, 90, 90], (n, 1)), area=np.full(n, 4000.0)
    )  # fmt: skip


def usual(schema: str = "foot6", **shares: Any) -> Evaluation:
    truth = made(SCHEMAS[schema])
    return evaluate(truth, simulate(truth, **{"absent": 0.03, "inversion": 0.1, "missed": 0.1, "background": 0.1, "score_noise": 1.0, **shares}).pred)


def perfect() -> Evaluation:
    return usual(**dict.fromkeys(SHARES, 0.0), score_noise=0.0)


def no_predictions() -> Evaluation:
    ev = usual()
    return evaluate(ev.truth, ev.predictions.take(np.zeros(0, np.intp)))


def nothing_found() -> Evaluation:
    ev = usual()
    return evaluate(ev.truth, replace(ev.predictions, keypoints=ev.predictions.keypoints + np.array([5000.0, 0, 0])))


def no_truth() -> Evaluation:
    return evaluate(made(SCHEMAS["foot6"], labelled=False), usual().predictions)


CASES: dict[str, Callable[[], Evaluation]] = {
    **{name: lambda name=name: usual(name) for name in SCHEMAS},  # type: ignore[misc]
    "perfect": perfect,
    "no predictions": no_predictions,
    "nothing found": nothing_found,
    "no truth": no_truth,
}


def figures(ev: Evaluation) -> dict[str, Figure]:
    report = ev.errors()
    of_truth = {"label_drawings": plots.label_drawings(ev.truth.schema)}
    return {n: f(ev) for n, f in OF_EVALUATION.items()} | {n: f(report) for n, f in OF_REPORT.items()} | of_truth


def texts(figure: Figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def words(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in texts(figure))


def bars(figure: Figure, label: str) -> list[Any]:
    return [patch for ax in figure.axes for box in ax.containers if box.get_label() == label for patch in box]


# -- every plot, every case --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:(?s)Glyph .* missing")
@pytest.mark.parametrize("case", CASES)
def test_every_plot_of_every_case_keeps_its_text_on_the_page_and_apart(case: str) -> None:
    for name, figure in figures(CASES[case]()).items():
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        width, height = figure.bbox.width, figure.bbox.height
        boxes = []
        for text in texts(figure):
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, f"{name}: {text.get_text()!r} leaves the page"
            if text.get_rotation() in (0, 90):
                boxes.append((text.get_text(), box.x0 + 1, box.y0 + 2, box.x1 - 1, box.y1 - 2))
        for i, (one, *a) in enumerate(boxes):
            for other, *b in boxes[i + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], f"{name}: {one!r} overlaps {other!r}"


def test_hundreds_of_truths_and_files_of_both_kinds(tmp_path: Path) -> None:
    truth = made(SCHEMAS["coco_foot23"], 600)
    ev = evaluate(truth, simulate(truth).pred)
    for name, figure in figures(ev).items():
        for suffix in (".png", ".svg"):
            path = plots.save(figure, tmp_path / "new" / f"{name}{suffix}")
            assert path.stat().st_size > 5_000


# -- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_figure_is_the_same_file_without_a_date(suffix: str, tmp_path: Path) -> None:
    one, two = (plots.save(plots.error_shares(usual().errors()), tmp_path / f"{i}{suffix}") for i in range(2))
    assert one.read_bytes() == two.read_bytes()
    assert b"dc:date" not in one.read_bytes() and b"Matplotlib v" not in one.read_bytes()


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=r"no picture ends in '\.bmp'; write \.png or \.svg"):
        plots.save(Figure(), tmp_path / "a.bmp")


def test_a_users_settings_neither_reach_our_plots_nor_are_changed(tmp_path: Path) -> None:
    report = usual().errors()
    plain = plots.save(plots.cost_waterfall(report), tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "black"}):
        assert plots.save(plots.cost_waterfall(report), tmp_path / "b.png").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30.0


# -- what they show ----------------------------------------------------------------------------------


def test_curves_end_where_recall_ends_and_say_who_was_never_found() -> None:
    ev = usual("ap10k17")
    figure = plots.precision_recall(ev, (0.5, 0.75))
    lines = figure.axes[0].get_lines()
    for similarity, line in zip((0.5, 0.75), lines[::3], strict=False):
        curve = ev.curve(similarity)
        assert np.array_equal(np.asarray(line.get_xdata())[1:], curve.recall)
        assert np.array_equal(np.asarray(line.get_ydata())[1:], curve.precision)
        assert f"{curve.truths - round(curve.recall[-1] * curve.truths)} of {curve.truths} never found" in words(figure)
        assert f"AP {ev[f'AP@{similarity:.2f}']:.3f}" in words(figure)


def test_curves_take_other_similarities_where_the_protocol_lacks_the_usual() -> None:
    ev = usual()
    few = evaluate(ev.truth, ev.predictions, replace(ev.protocol, thresholds=(0.3, 0.4)))
    assert "similarity 0.30" in words(plots.precision_recall(few)) and "similarity 0.40" in words(plots.precision_recall(few))


def test_lines_of_the_ceiling_are_the_shares_that_pass() -> None:
    made = ceiling(usual("coco_foot23"), draws=2)
    figure = plots.ceiling_by_threshold(made)
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    for cause in ("annotators", "annotators, k taken for sigma"):
        assert np.array_equal(drawn[cause].get_xydata(), np.column_stack([made.protocol.thresholds, made[cause].passing]))
    assert made.model is not None and list(drawn["this model"].get_ydata()) == list(made.model.passing)


def test_dots_of_the_sensitivity_are_the_values_and_exchanges_are_named() -> None:
    ds = made(SCHEMAS["foot6"], 60)
    evs = [evaluate(ds, simulate(ds, **shares).pred) for shares in ({"jitter": 0.02, "miss": 0.2}, {"jitter": 0.7, "miss": 0.0})]
    tried = sensitivity(*evs, names=["sharp", "rough"])
    figure = plots.sensitivity_ranges(tried)
    dots = {(float(x), float(y)) for line in figure.axes[0].lines if line.get_marker() == "o" for x, y in line.get_xydata()}
    assert dots == {(v, float(y)) for y, row in enumerate(tried.rows) for v in row.values}
    assert not tried.holds and ("rough over sharp" in words(figure) or "sharp over rough" in words(figure))


def test_bars_of_a_keypoint_are_its_shares_of_each_error() -> None:
    report = usual("ap10k17").errors()
    rows = dict(report.slices("keypoint"))
    figure = plots.error_shares(report, "schema")
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert sorted(names) == sorted(rows)
    places_of = dict(zip(figure.axes[0].get_yticks(), names, strict=True))
    for kind in ERRORS:
        drawn = {places_of[min(places_of, key=lambda y, p=p: abs(y - p.get_y() - p.get_height() / 2))]: p.get_width() for p in bars(figure, kind)}  # type: ignore[misc]
        assert drawn == pytest.approx({n: row[kind] / row["points"] for n, row in rows.items() if row.get(kind)})


def test_mirror_points_stand_together_the_worst_first() -> None:
    report = usual("ap10k17").errors()
    rows = dict(report.slices("keypoint"))
    names = [t.get_text() for t in plots.error_shares(report).axes[0].get_yticklabels()]
    assert max(rows.values(), key=lambda row: row["wrong"]) in (rows[names[0]], rows[names[1]])
    for left, right in report.ev.truth.schema.pairs or ():
        assert abs(names.index(left) - names.index(right)) == 1


def test_steps_of_the_waterfall_add_up_and_rings_are_gains_alone() -> None:
    report = usual("ap10k17").errors()
    figure, cost = plots.cost_waterfall(report), report.cost
    before = cost.now.ap[""]
    assert bars(figure, "now")[0].get_width() == before
    for kind, gains in cost.progressive:
        (bar,) = bars(figure, kind)
        assert (bar.get_x(), bar.get_x() + bar.get_width()) == pytest.approx((before, gains.ap[""]))
        before = gains.ap[""]
    assert bars(figure, "end")[0].get_width() == pytest.approx(1)
    rings = [float(np.asarray(line.get_xdata())[0]) for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert rings == pytest.approx([gains.ap[""] for gains in cost.alone.values()])


def test_the_waterfall_names_the_dearest_kind() -> None:
    report = usual("ap10k17", inversion=0.3, jitter=0.05, miss=0.02).errors()
    assert "Correct the inversions first: AP would be " in words(plots.cost_waterfall(report))


def test_discs_have_the_area_of_the_rate_and_the_angles_of_the_kinds() -> None:
    report = usual("ap10k17").errors()
    rows = dict(report.slices("keypoint"))
    wedges = list(plots.skeleton(report).findobj(Wedge))
    most = max(row["wrong"] for row in rows.values())
    by_place: dict[tuple[float, float], list[Wedge]] = {}
    for w in wedges:
        by_place.setdefault(tuple(np.round(w.center, 6)), []).append(w)
    areas = sorted((group[0].r / max(w.r for w in wedges)) ** 2 for group in by_place.values())
    assert areas == pytest.approx(sorted(row["wrong"] / most for row in rows.values()))
    for group in by_place.values():
        assert sum(w.theta2 - w.theta1 for w in group) == pytest.approx(360)
    worst = max(rows, key=lambda n: rows[n]["wrong"])
    largest = max(by_place.values(), key=lambda group: group[0].r)
    errors = sum(rows[worst][k] for k in ERRORS if k in rows[worst])
    assert {w.get_label(): (w.theta2 - w.theta1) / 360 for w in largest} == pytest.approx({k: rows[worst][k] / errors for k in ERRORS if rows[worst].get(k)})


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_a_layout_with_left_and_right_apart(name: str) -> None:
    schema = SCHEMAS[name]
    xy = places(schema)
    assert xy.shape == (len(schema), 2) and np.isfinite(xy).all()
    assert len(np.unique(xy, axis=0)) == len(schema)
    if any(k.at is None for k in schema.keypoints):
        assert all(xy[schema.index(right), 0] < 0.5 < xy[schema.index(left), 0] for left, right in schema.pairs or ())


def test_the_matrix_holds_the_landings() -> None:
    report = usual().errors()
    image = plots.confusion(report).axes[0].collections[0].get_array()
    counts = report.landings
    shown = [t.get_text() for t in plots.confusion(report).axes[0].get_yticklabels() if t.get_text()]
    assert image is not None and int(np.asarray(image).sum()) == int(counts.sum())
    assert np.array_equal(np.asarray(image)[:, -1], counts[[report.ev.truth.schema.index(n) for n in shown], -1])


def test_of_many_keypoints_the_matrix_shows_those_that_matter_and_counts_the_rest() -> None:
    report = usual("k25").errors()
    figure = plots.confusion(report)
    image = np.asarray(figure.axes[0].collections[0].get_array())
    assert len(image) == 14
    assert sorted(image.sum(1)) == sorted(np.sort(report.landings.sum(1))[-14:])
    assert f"{report.landings.sum() - image.sum():,} of points with fewer are left out" in words(figure).replace("\n", " ")


def test_left_right_bars_are_shares_of_each_side() -> None:
    report = usual("ap10k17").errors()
    sides = plots.confusion(report).axes[1]
    drawn = {box.get_label(): box[0].get_width() for box in sides.containers}
    for pair in report.left_right:
        left = pair["left as left"] + pair["left as right"]
        assert drawn.get(pair["left"], 0.0) == pytest.approx(pair["left as right"] / left)


def test_every_kind_of_error_is_drawn_named_and_explained() -> None:
    figure = plots.label_drawings(load_schema("coco17"), "left_wrist")
    assert len(figure.axes) == 7
    text = " ".join(words(figure).split())
    assert all(kind in text for kind in ("good", "jitter", "inversion", "swap", "miss", "absent", "surplus"))
    assert LABELS["inversion"] in text
    assert len(plots.label_drawings(SCHEMAS["one"]).axes) == 6  # a point without a mirror is never inverted


def test_every_kind_has_its_own_colour_that_grey_eyes_tell_from_paper() -> None:
    assert {*ERRORS, "surplus", "score", "background", "missed", "box", "good"} == set(plots.COLOURS)
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS)


@pytest.mark.parametrize(("call", "message"), [
    (lambda r: plots.skeleton(r, "wrnog"), "no quantity 'wrnog'; did you mean 'wrong'"),
    (lambda r: plots.error_shares(r, "worse"), "no order 'worse'; did you mean 'worst'"),
])  # fmt: skip
def test_unknown_choices_are_named(call: Callable[[ErrorReport], Figure], message: str) -> None:
    with pytest.raises(PoseError, match=message):
        call(usual().errors())


# -- small things ------------------------------------------------------------------------------------


def test_labels_are_spread_until_they_do_not_touch() -> None:
    assert spread([0.5, 0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.5, 0.6, 0.7])
    assert spread([0.0, 1.0, 1.0], 0.1, 0, 1) == pytest.approx([0.0, 0.9, 1.0])
    assert spread([], 0.1, 0, 1) == []


def test_text_is_measured_shortened_and_wrapped() -> None:
    assert 1.8 * text_width("mm", 10) < text_width("mmmm", 10) < 2.2 * text_width("mm", 10)
    assert short("a" * 50) == f"{'a' * 14}…{'a' * 13}" and short("tail") == "tail"
    assert wrapped("one two three", text_width("one two", 10) + 0.01, 10) == ["one two", "three"]
    assert math.isclose(text_width("", 10), 0)
