"""Points to heatmaps and back: to the sub-pixel, through flips, up to the border, the same in numpy and torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from baselines.codec import DECODERS, HIDDEN, Coding, decode_heatmaps, decode_simcc, encode, encode_simcc, hidden_points, signs, unflip
from posedata.errors import PoseError

torch = pytest.importorskip("torch")

ROWS, COLUMNS = 64, 48
Points = np.ndarray[Any, np.dtype[np.float64]]


def points(low: float, n: int = 100, k: int = 10, seed: int = 0) -> Points:
    """(n, k, 2) cells at least `low` away from the outermost cell centres."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(low, side - 1 - low, (n, k)) for side in (COLUMNS, ROWS)], -1)


def maps(xy: Points, sigma: float, noise: float = 0.0, seed: int = 1) -> Points:
    """Heatmaps of stride 1 with noise that neighbouring cells share, as a network's is."""
    drawn = encode(xy, np.ones(xy.shape[:2]), shape=(ROWS, COLUMNS), stride=1, sigma=sigma)
    if not noise:
        return drawn
    grain = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=drawn.shape), (0, 0, 1, 1), mode="wrap")
    return drawn + grain * noise / grain.std()


def error(sigma: float, noise: float, decode_by: str, low: float = 12, given: Points | None = None) -> float:
    """Mean distance of the decoded from the encoded points, in cells."""
    xy = points(low) if given is None else given
    return float(np.linalg.norm(decode_heatmaps(maps(xy, sigma, noise), stride=1, sigma=sigma, decode_by=decode_by)[..., :2] - xy, axis=-1).mean())


# --- where a cell is


def test_the_middle_of_a_cell_is_half_a_stride_in() -> None:
    at_cell_3 = np.array([[[(3 + 0.5) * 4 - 0.5, (1 + 0.5) * 4 - 0.5]]])
    drawn = encode(at_cell_3, np.ones((1, 1)), shape=(6, 8), stride=4, sigma=1)
    assert drawn[0, 0, 1, 3] == drawn.max() == 1
    assert np.allclose(drawn[0, 0, 1, 2], drawn[0, 0, 1, 4]) and np.allclose(drawn[0, 0, 1, 4], np.exp(-0.5))


def test_a_map_is_where_interpolation_puts_it() -> None:
    ramp = np.arange(32.0) * np.ones((32, 1))  # each pixel holds its own x
    half = torch.nn.functional.interpolate(torch.from_numpy(ramp)[None, None], scale_factor=0.25, mode="bilinear", align_corners=False)
    assert np.allclose(half[0, 0, 0].numpy(), (np.arange(8) + 0.5) * 4 - 0.5)


@pytest.mark.parametrize("decode_by", ["dark", "parabola"])
@pytest.mark.parametrize(("stride", "sigma"), [(4, 2.0), (4, 1.0), (3.5, 2.0), (8, 3.0), (2, 1.5), (1, 2.0)])
def test_a_point_comes_back_from_its_map(stride: float, sigma: float, decode_by: str) -> None:
    xy = points(8) * stride
    drawn = encode(xy, np.ones(xy.shape[:2]), shape=(ROWS, COLUMNS), stride=stride, sigma=sigma)
    back = decode_heatmaps(drawn, stride=stride, sigma=sigma, decode_by=decode_by)
    assert np.abs(back[..., :2] - xy).max() < 1e-3 * stride
    assert (back[..., 2] > 0.77).all() and (back[..., 2] <= 1).all()


# --- what is known of decoders: mean errors in cells on 64 x 48 maps


def test_rounding_the_target_cannot_be_undone() -> None:
    xy = points(12)
    found = decode_heatmaps(maps(xy.round(), 2.0), stride=1, sigma=2, decode_by="dark")
    assert np.linalg.norm(found[..., :2] - xy, axis=-1).mean() == pytest.approx(0.3826, abs=0.012), "the mean distance from the middle of a cell"


@pytest.mark.parametrize(
    ("sigma", "noise", "argmax", "parabola", "dark"),
    [
        (1.0, 0.05, 0.382, 0.06, 0.10),
        (1.5, 0.05, 0.396, 0.10, 0.13),
        (2.0, 0.02, 0.391, 0.067, 0.06),
        (2.0, 0.05, 0.412, 0.17, 0.145),
        (3.0, 0.05, 0.53, 0.37, 0.165),
    ],
)
def test_noise_moves_a_point_by_no_more_than_is_known(sigma: float, noise: float, argmax: float, parabola: float, dark: float) -> None:
    assert error(sigma, noise, "argmax") == pytest.approx(argmax, abs=0.03)
    assert error(sigma, noise, "parabola") == pytest.approx(parabola, rel=0.1)
    assert error(sigma, noise, "dark") == pytest.approx(dark, rel=0.1)


def test_a_blur_as_wide_as_the_target_pays_once_the_target_is_wide() -> None:
    assert error(3.0, 0.05, "dark") < error(3.0, 0.05, "parabola") / 2
    assert error(2.0, 0.05, "dark") < error(2.0, 0.05, "parabola") * 0.9
    assert error(1.0, 0.05, "parabola") < error(1.0, 0.05, "dark") * 0.7


@pytest.mark.parametrize("decode_by", ["dark", "parabola"])
def test_the_border_costs_nothing(decode_by: str) -> None:
    """Points within two cells of the border, outside the outermost centres too; decoders that pad with zeros err by .19 to .56 there."""
    xy = points(-0.5, n=400)
    near = np.minimum(xy, np.array([COLUMNS, ROWS]) - 1 - xy).min(-1) < 2
    assert near.mean() > 0.1
    back = decode_heatmaps(maps(xy, 2.0), stride=1, sigma=2, decode_by=decode_by)
    wrong = np.linalg.norm(back[..., :2] - xy, axis=-1)
    assert wrong[near].max() < 0.002
    assert error(2.0, 0.05, decode_by, given=xy) < 0.19, "with noise no worse than the inside"


def _slow_dark(map_: Points, sigma: float) -> tuple[float, float]:
    """DARK as its paper writes it: blur the whole map, one Newton step at its highest cell."""
    y, x = np.unravel_index(map_.argmax(), map_.shape)
    log = np.log(np.maximum(ndimage.gaussian_filter(map_, sigma, mode="constant", truncate=2.5), 1e-12))
    slope = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
    xy = (log[y + 1, x + 1] - log[y + 1, x - 1] - log[y - 1, x + 1] + log[y - 1, x - 1]) / 4
    bend = np.array([[log[y, x + 1] - 2 * log[y, x] + log[y, x - 1], xy], [xy, log[y + 1, x] - 2 * log[y, x] + log[y - 1, x]]])
    dx, dy = -np.linalg.solve(bend, slope)
    return x + dx, y + dy


@pytest.mark.parametrize("sigma", [1.2, 2.0, 2.8])
def test_dark_is_what_its_paper_says(sigma: float) -> None:
    drawn = maps(points(12, n=10), sigma, 0.01)
    ours = decode_heatmaps(drawn, stride=1, sigma=sigma, decode_by="dark")[..., :2]
    slow = np.array([[_slow_dark(one, sigma) for one in row] for row in drawn])
    assert np.allclose(ours, slow, atol=1e-9)


# --- numpy and torch


@pytest.mark.parametrize("decode_by", sorted(DECODERS))
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_numpy_and_torch_decode_alike(decode_by: str, noise: float) -> None:
    drawn = maps(points(-0.5), 2.0, noise).astype(np.float32)
    a = decode_heatmaps(drawn, stride=4, sigma=2, decode_by=decode_by)
    b = decode_heatmaps(torch.from_numpy(drawn).double(), stride=4, sigma=2, decode_by=decode_by)
    single = decode_heatmaps(torch.from_numpy(drawn), stride=4, sigma=2, decode_by=decode_by)
    assert isinstance(a, np.ndarray) and isinstance(b, torch.Tensor)
    assert np.abs(a - b.numpy()).max() < 1e-9
    if not noise:
        assert np.abs(a - single.numpy()).max() < 1e-4
    assert np.median(np.abs(a - single.numpy())) < 1e-5


def test_numpy_and_torch_encode_alike() -> None:
    xy, v = points(-9), np.random.default_rng(0).integers(0, 3, (100, 10))
    for simcc, stride in ((False, 4.0), (True, 0.5)):
        coding = Coding(size=(48, 64), stride=stride, sigma=2, simcc=simcc)
        ours, weight = coding.encode(xy, v)
        theirs, weight_torch = coding.encode(torch.from_numpy(xy).float(), torch.from_numpy(v))
        assert all(np.abs(a - b.numpy()).max() < 1e-5 for a, b in zip(ours, theirs, strict=True))
        assert (weight == weight_torch.numpy()).all()
        assert all(b.dtype == torch.float32 for b in theirs)


def test_half_precision_maps_are_decoded_in_single() -> None:
    found = decode_heatmaps(torch.from_numpy(maps(points(12), 2.0)).bfloat16(), stride=1, sigma=2)
    assert found.dtype == torch.float32
    assert np.linalg.norm(found.numpy()[..., :2] - points(12), axis=-1).mean() < 0.1


def test_no_torch_is_loaded_for_numpy_arrays() -> None:
    code = "import sys, numpy as np; from baselines.codec import *; decode_heatmaps(np.ones((1, 1, 9, 9)), stride=1, sigma=1); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- laws


@settings(max_examples=30)
@given(st.floats(0.01, 100), st.sampled_from(sorted(DECODERS)), st.integers(0, 99))
def test_a_louder_map_says_the_same_place(gain: float, decode_by: str, seed: int) -> None:
    drawn = maps(points(-0.5, n=2, seed=seed), 2.0, 0.05, seed)
    a, b = (decode_heatmaps(drawn * g, stride=4, sigma=2, decode_by=decode_by) for g in (1, gain))
    assert np.allclose(a[..., :2], b[..., :2], atol=1e-6) and np.allclose(a[..., 2] * gain, b[..., 2])


@settings(max_examples=30)
@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 99), st.floats(0, 0.2))
def test_turning_a_map_over_turns_its_points(decode_by: str, seed: int, noise: float) -> None:
    drawn = maps(points(-0.5, n=2, seed=seed), 2.0, noise, seed)
    a, b = (decode_heatmaps(m, stride=4, sigma=2, decode_by=decode_by) for m in (drawn, drawn.swapaxes(-1, -2)))
    assert np.allclose(a[..., [1, 0, 2]], b, atol=1e-6)


@settings(max_examples=30)
@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 99), st.sampled_from([1.0, 2.0, 3.5, 4.0]))
def test_a_flip_is_exact(decode_by: str, seed: int, stride: float) -> None:
    """Encode mirrored points, turn the maps back, decode: the points, left and right in their places. Conventions by whole cells are off by up to 3 pixels."""
    mirror, width = [1, 0, 2, 4, 3, 5, 6, 8, 7, 9], COLUMNS * stride
    xy = points(-0.5, n=2, seed=seed) * stride
    turned = np.stack([width - 1 - xy[..., 0], xy[..., 1]], -1)[:, mirror]
    how: dict[str, Any] = {"stride": stride, "sigma": 2.0}
    straight, back = (encode(p, np.ones(p.shape[:2]), shape=(ROWS, COLUMNS), **how) for p in (xy, turned))
    assert np.allclose(unflip(back, mirror), straight, atol=1e-12)
    a, b = (decode_heatmaps(m, decode_by=decode_by, **how) for m in (straight, unflip(back, mirror)))
    clear = np.partition(straight.reshape(2, 10, -1), -2, -1)[..., -1] - np.partition(straight.reshape(2, 10, -1), -2, -1)[..., -2] > 1e-9
    assert np.allclose(a[clear], b[clear], atol=1e-6)


@pytest.mark.parametrize("simcc", [False, True])
def test_what_both_ways_say_alike_stays_when_merged(simcc: bool) -> None:
    mirror = [1, 0, 2]
    coding = Coding(size=(48, 64), stride=0.5 if simcc else 4, sigma=2, simcc=simcc)
    xy = np.random.default_rng(0).uniform(8, 40, (4, 3, 2))
    turned = np.stack([47 - xy[..., 0], xy[..., 1]], -1)[:, mirror]
    straight, back = (tuple(np.log(o + 1e-30) if simcc else o for o in coding.encode(p, np.full((4, 3), 2))[0]) for p in (xy, turned))
    merged = coding.merge(straight, back, mirror)
    assert all(np.allclose(np.exp(a) if simcc else a, np.exp(b) if simcc else b, atol=1e-9) for a, b in zip(merged, straight, strict=True))
    assert np.allclose(coding.decode(*merged)[..., :2], xy, atol=0.01)
    torch_merged = coding.merge([torch.from_numpy(o) for o in straight], [torch.from_numpy(o) for o in back], mirror)
    assert all(np.allclose(a, b.numpy(), atol=1e-9) for a, b in zip(merged, torch_merged, strict=True))


# --- hidden points


def test_what_is_drawn_and_counted_for_each_visibility() -> None:
    v = np.array([[0, 1, 2]])
    drawn = {hidden: tuple(column.tolist() for column in signs(v, hidden)) for hidden in HIDDEN}
    assert drawn == {"same": ([[0, 1, 1]], [[0, 1, 1]]), "negative": ([[0, -1, 1]], [[0, 1, 1]]), "ignore": ([[0, 0, 1]], [[0, 0, 1]])}
    assert [column.tolist() for column in signs(torch.tensor([[0, 1, 2]]), "negative")] == [[[0, -1, 1]], [[0, 1, 1]]]


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_hidden_point_drawn_downwards_is_found_and_told(kind: Any) -> None:
    coding = Coding(size=(48 * 4, 64 * 4), stride=4, hidden="negative")
    xy, v = points(8, n=20) * 4, np.random.default_rng(0).integers(1, 3, (20, 10))
    (drawn,), weight = coding.encode(kind(xy), kind(v))
    assert np.asarray(drawn)[v == 1].max() < 1e-12 and bool((weight == 1).all())
    found = np.asarray(coding.decode(drawn))
    assert np.abs(found[..., :2] - xy).max() < 1e-2 and (found[..., 2] > 0.7).all()
    assert (np.asarray(hidden_points(drawn)) == (v == 1)).all()


# --- SimCC


@pytest.mark.parametrize("decode_by", ["dark", "parabola"])
def test_simcc_brings_points_back_and_is_sure_of_them(decode_by: str) -> None:
    xy = (points(-0.5) + 0.5) * 4 - 0.5
    x, y = encode_simcc(xy, np.ones(xy.shape[:2]), bins=(COLUMNS * 8, ROWS * 8), stride=0.5, sigma=5)
    assert np.allclose(x.sum(-1), 1) and np.allclose(y.sum(-1), 1)
    found = decode_simcc(np.log(x + 1e-30), np.log(y + 1e-30), stride=0.5, sigma=5, decode_by=decode_by)
    assert np.abs(found[..., :2] - xy).max() < 0.01
    inside = (np.minimum(xy, np.array([COLUMNS, ROWS]) * 4 - xy) > 10).all(-1)
    assert found[inside, 2] == pytest.approx(1, abs=0.01)
    flat = decode_simcc(np.zeros((1, 1, 96)), np.zeros((1, 1, 128)), stride=0.5, sigma=5)
    assert flat[0, 0, 2] < 0.15, "a model that knows nothing is not sure"


def test_simcc_is_the_same_in_torch() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 4, 96))
    a, b = decode_simcc(logits, logits, stride=0.5, sigma=5), decode_simcc(torch.from_numpy(logits), torch.from_numpy(logits), stride=0.5, sigma=5)
    assert np.allclose(a, b.numpy(), atol=1e-9)


# --- hostile input


@pytest.mark.parametrize("decode_by", sorted(DECODERS))
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_no_map_is_too_odd(decode_by: str, kind: Any) -> None:
    odd = np.zeros((1, 6, 9, 7))
    odd[0, 1] = np.nan
    odd[0, 2, 3, 3] = np.inf
    odd[0, 3] = -5
    odd[0, 4, 4, 2] = 1  # a single cell
    odd[0, 5] = np.random.default_rng(0).normal(size=(9, 7))
    found = np.asarray(decode_heatmaps(kind(odd), stride=4, sigma=2, decode_by=decode_by))
    assert np.isnan(found[0, 1:3]).all(), "nothing finite is made of what is not"
    assert np.isfinite(found[0, [0, 3, 4, 5]]).all()
    assert found[0, 4].tolist() == pytest.approx([9.5, 17.5, 1], abs=2.1)
    assert (np.abs(found[0, [0, 3, 4, 5], :2] - [13.5, 17.5]) <= [14.5, 18.5]).all(), "inside the image"


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 30), (30, 2), (3, 3)])
@pytest.mark.parametrize("decode_by", sorted(DECODERS))
def test_no_map_is_too_small(shape: tuple[int, int], decode_by: str) -> None:
    found = decode_heatmaps(np.random.default_rng(0).uniform(size=(2, 3, *shape)), stride=1, sigma=2, decode_by=decode_by)
    assert np.isfinite(found).all()


def test_no_poses_are_no_poses() -> None:
    assert decode_heatmaps(np.zeros((0, 5, 8, 8)), stride=4, sigma=2).shape == (0, 5, 3)
    assert encode(np.zeros((0, 5, 2)), np.zeros((0, 5)), shape=(8, 8), stride=4, sigma=2).shape == (0, 5, 8, 8)
    assert decode_heatmaps(torch.zeros(0, 5, 8, 8), stride=4, sigma=2).shape == (0, 5, 3)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_point_nobody_draws_may_be_nan_but_a_drawn_one_is_not_hushed_up(kind: Any) -> None:
    xy = kind(np.full((1, 1, 2), np.nan))
    assert (np.asarray(encode(xy, kind(np.zeros((1, 1))), shape=(8, 8), stride=4, sigma=2)) == 0).all()
    assert np.isnan(np.asarray(encode(xy, kind(np.ones((1, 1))), shape=(8, 8), stride=4, sigma=2))).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"decode_by": "darc"}, "recipe: decode 'darc'; did you mean 'dark'?"),
        ({"hidden": "negativ"}, "recipe: hidden 'negativ'; did you mean 'negative'?"),
        ({"sigma": 0.0}, "recipe: sigma 0.0; a width above 0, in cells of the heatmap"),
        ({"sigma": float("nan")}, "recipe: sigma nan; a width above 0, in cells of the heatmap"),
        (
            {"simcc": True, "hidden": "negative"},
            "recipe: hidden 'negative' with head 'simcc'; a distribution has no sign: take hidden 'same' or 'ignore', or a head of heatmaps",
        ),
    ],
)
def test_a_coding_that_cannot_be_says_why(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PoseError) as caught:
        Coding(size=(64, 64), stride=4, **wrong)
    assert str(caught.value) == said
