"""gap: two sets that share no image, drawn again each by itself."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from posebench import COCO, Evaluation, evaluate, gap
from posebench.metrics import measure
from posebench.selection import Selection
from posebench.simulate import simulate
from posebench.statistics.mix import standardised
from posedata import PoseDataset, PoseError

from .test_simulate import crowded


def scored(n: int, per_image: int, seed: int, ds: PoseDataset | None = None, **shares: float) -> Evaluation:
    ds = crowded(n, per_image, seed=seed) if ds is None else ds
    return evaluate(ds, simulate(ds, seed=seed, **shares).pred)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pair() -> tuple[Evaluation, Evaluation]:
    """The same kind of pictures, more jitter on the second set."""
    return scored(240, 3, 1, jitter=0.05), scored(180, 3, 2, jitter=0.3)


def test_values_are_those_of_the_evaluations_and_intervals_hold_them(pair: tuple[Evaluation, Evaluation]) -> None:
    train, val = pair
    made = gap(train, val, resamples=200)
    for name in ("AP", "AR", "AP@0.75"):
        row = made[name]
        assert (row.train, row.val) == (train[name], val[name])
        assert row.gap.value == row.train - row.val and row.gap.low <= row.gap.value <= row.gap.high
    assert made["AP"].gap.clear and made["AP"].gap.value > 0
    assert made["jitter"].gap.high < 0 and not made["inversion"].gap.clear
    counts = val.errors().counts
    assert made["jitter"].val == pytest.approx(counts["jitter"] / sum(counts.values()))


def test_lost_similarity_adds_up_to_what_is_lost(pair: tuple[Evaluation, Evaluation]) -> None:
    made = gap(*pair, resamples=100)
    lost = pair[0].errors().cost.oks
    for kind, value in lost.items():
        assert made[f"lost to {kind}"].train == pytest.approx(value)
    sides = [sum(getattr(made[f"lost to {kind}"], side) for kind in lost) for side in ("train", "val")]
    assert sides[0] < sides[1]


def test_sets_exchanged_change_the_sign_and_a_wider_level_the_width(pair: tuple[Evaluation, Evaluation]) -> None:
    one, other = gap(*pair, resamples=200)["AP"], gap(*pair[::-1], resamples=200)["AP"]
    assert one.gap.value == -other.gap.value
    wide = gap(*pair, resamples=200, level=0.99)["AP"].gap
    assert wide.low < one.gap.low and wide.high > one.gap.high


def test_the_same_seed_gives_the_same_bytes(pair: tuple[Evaluation, Evaluation]) -> None:
    first, again, other = (json.dumps(gap(*pair, resamples=100, seed=s).to_dict()) for s in (3, 3, 4))
    assert first == again != other


def test_two_sets_that_are_alike_are_drawn_each_by_itself() -> None:
    ds = crowded(60, 2)
    moved = replace(ds, instances=replace(ds.instances, keypoints=ds.instances.keypoints + np.array([4.0, 0.0, 0.0]) * ds.instances.labelled[..., None]))
    pred = simulate(ds).pred
    row = gap(evaluate(ds, pred), evaluate(moved, replace(pred, keypoints=pred.keypoints + np.array([4.0, 0.0, 0.0]))), resamples=100)["AR"].gap
    assert row.value == pytest.approx(0, abs=1e-9) and row.low < -0.01 and row.high > 0.01


def test_the_interval_is_as_wide_as_two_sets_vary() -> None:
    """The spread of the gap over fresh sets is the one that resampling one pair tells."""
    rng, gaps, widths = np.random.default_rng(0), [], []
    for _ in range(25):
        pair = [scored(60, 1, int(rng.integers(2**31)), jitter=0.3) for _ in range(2)]
        row = gap(pair[0], pair[1], metrics=["AR"], resamples=100)["AR"]
        gaps.append(row.gap.value)
        widths.append((row.gap.high - row.gap.low) / (2 * 1.96))
    assert np.mean(widths) == pytest.approx(np.std(gaps, ddof=1), rel=0.4)


# -- the mix -------------------------------------------------------------------------------------------


def of_sizes(large: int, small: int, seed: int) -> Evaluation:
    """Images of one body: large ones are predicted well, small ones badly; the sets differ in how many there are of each."""
    n = large + small
    ds = crowded(n, 1, seed=seed, area=np.where(np.arange(n) < large, 20_000.0, 500.0))
    good, bad = simulate(ds, jitter=0.0, swap=0.0, seed=seed).pred, simulate(ds, jitter=0.8, miss=0.1, swap=0.0, seed=seed).pred
    rows = np.isin(good.image, ds.images.id[:large])
    mixed = replace(good, keypoints=np.where(rows[:, None, None], good.keypoints, bad.keypoints))
    return evaluate(ds, mixed)


def test_a_gap_that_another_mix_makes_is_gone_at_the_same_mix() -> None:
    train, val = of_sizes(160, 40, 1), of_sizes(40, 160, 2)
    row = gap(train, val, metrics=["AR"], resamples=200)["AR"]
    assert row.gap.clear and abs(row.standard.value) < 0.25 * row.gap.value and not row.standard.clear
    said = str(gap(train, val, metrics=["AR"], resamples=200))
    assert "comes from another mix" in said and "over-fitting" not in said.split("What is left")[0]


def test_a_gap_within_each_kind_of_image_stays() -> None:
    train, val = scored(240, 2, 1, jitter=0.05), scored(240, 2, 2, jitter=0.4)
    made = gap(train, val, metrics=["AP"], resamples=200)
    assert made["AP"].standard.clear and "may be over-fitting" in str(made)
    back = gap(val, train, metrics=["AP"], resamples=200)
    assert "no over-fitting" in str(back)


def test_weights_give_the_first_set_the_mix_of_the_second() -> None:
    train, val = of_sizes(150, 50, 1), of_sizes(30, 90, 2)
    made = standardised(train.workings, val.workings, ["size", "crowding"])
    area = train.workings.problem().area
    assert made.first[area > 1024].sum() / made.first.sum() == pytest.approx(0.25)
    assert made.effective < 200 and made.left_out == 0 and set(made.second) == {1.0}
    row = gap(train, val, metrics=["AP"], resamples=100)["AP"]
    expected = measure(train.workings, "AP", Selection(images=made.first)).value - val["AP"]
    assert row.standard.value == pytest.approx(expected)


def test_kinds_of_images_that_only_one_set_has_are_left_out_and_told() -> None:
    train, val = scored(100, 1, 1), evaluate(*joined(crowded(50, 1, seed=2), crowded(30, 3, seed=3)))
    made = gap(train, val, resamples=100)
    assert made.standard.left_out == pytest.approx(30 / 80, abs=0.02)  # a truth without labelled points does not count
    assert "of kinds that the first lacks" in str(made)
    none = gap(scored(40, 1, 1), scored(40, 4, 2), resamples=100)
    assert math.isnan(none["AP"].standard.value) and "no kind of image in common" in str(none)


def joined(a: PoseDataset, b: PoseDataset) -> tuple[PoseDataset, object]:
    own = [ds.instances for ds in (a, b)]
    image = np.concatenate([own[0].image, own[1].image + len(a.images)])
    ds = PoseDataset.from_arrays(schema="coco17", image=image, keypoints=np.concatenate([o.keypoints for o in own]), area=np.concatenate([o.area for o in own]))
    return ds, simulate(ds).pred


def test_columns_of_images_are_a_mix() -> None:
    ds = crowded(80, 1, seed=5)
    light = np.array(["day", "night"], object)[np.arange(80) % 2]
    lit = replace(ds, images=replace(ds.images, meta={"light": light}))
    part = scored(0, 0, 6, lit.take_images(np.arange(60)))
    made = gap(scored(0, 0, 5, lit), part, mix="light", resamples=100)
    assert made.standard.by == ("light",) and made.standard.left_out == 0
    assert any(n.startswith("60 truths stand in both sets, point for point") for n in made.notes)
    with pytest.raises(PoseError, match="no such column"):
        gap(scored(20, 1, 5), scored(20, 1, 6), mix=["weather"])


# -- what may be compared ------------------------------------------------------------------------------


def test_what_cannot_be_compared_is_one_line(pair: tuple[Evaluation, Evaluation]) -> None:
    train, val = pair
    with pytest.raises(PoseError, match="compared with"):
        gap(val, val)
    with pytest.raises(PoseError, match="under one protocol"):
        gap(train, evaluate(val.truth, val.predictions, COCO.replace(max_preds=5)))
    with pytest.raises(PoseError, match="bring both truths to one"):
        gap(train, evaluate(crowded(6, 2, "foot6"), simulate(crowded(6, 2, "foot6")).pred, train.protocol))
    for options, words in (({"level": 95}, "share between"), ({"resamples": 5}, "from 100 on"), ({"seed": -1}, "0 or more"), ({"metrics": []}, "none")):
        with pytest.raises(PoseError, match=words):
            gap(train, val, **options)  # type: ignore[arg-type]
    with pytest.raises(PoseError, match="an evaluation is needed"):
        gap(train, 3)  # type: ignore[arg-type]


def test_a_metric_that_one_set_cannot_have_is_a_note(pair: tuple[Evaluation, Evaluation]) -> None:
    made = gap(*pair, metrics=["AP", "PCK@0.2"], resamples=100)
    assert any("PCK@0.2 left out: no bbox" in n for n in made.notes)


def test_a_set_of_one_image_and_one_without_truths_give_no_wrong_number(pair: tuple[Evaluation, Evaluation]) -> None:
    one = scored(3, 3, 9)
    assert any("too narrow" in n for n in gap(one, pair[1], resamples=100).notes)
    empty = PoseDataset.from_arrays(schema="coco17", image=[1], keypoints=np.zeros((1, 17, 3)), area=[0.0])
    ev = evaluate(empty, pair[0].predictions.take(np.zeros(0, np.intp)))
    made = gap(pair[0], ev, metrics=["AP"], resamples=100)
    assert math.isnan(made["AP"].gap.value) and "no gap to speak of" in str(made)
    assert json.loads(json.dumps(made.to_dict()))["rows"][0]["val"] is None
    assert not gap(ev, replace_images(ev), metrics=["AP"], resamples=100).standard.effective


def replace_images(ev: Evaluation) -> Evaluation:
    """The same under another image id."""
    other = PoseDataset.from_arrays(schema="coco17", image=[7], keypoints=np.zeros((1, 17, 3)), area=[0.0])
    return evaluate(other, ev.predictions)


def test_the_table_has_every_row(pair: tuple[Evaluation, Evaluation]) -> None:
    made = gap(*pair, resamples=100)
    frame = made.to_pandas()
    assert list(frame.index) == [row.name for row in made.rows]
    assert frame.loc["AP", "gap"] == made["AP"].gap.value and frame.loc["jitter", "of"] == "points of found poses"
    assert "100 resamples" in str(made) and "seed 0" in str(made)
