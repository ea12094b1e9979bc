"""Hand-made poses with a label for each point, on a grid where nothing is near by chance.

Seventeen points 120 px apart in rows of five, area 10,000; one other person 900 px to the right. A letter per keypoint:
good, jitter, inversion, swap, miss, - for none. coco-analyze gives the same labels but where a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from posebench import evaluate
from posebench.errors.correct import corrected_points
from posebench.errors.labels import LABELS, Labelled, Rules
from posebench.protocols import COCO
from posedata import PoseDataset, Predictions, load_schema

GRID = np.array([[100.0 + 120 * (i % 5), 100.0 + 120 * (i // 5)] for i in range(17)])
BESIDE = np.array([900.0, 0.0])
SCHEMA = load_schema("coco17")
NOSE, EAR, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, WRIST, LEFT_HIP = 0, 3, 5, 6, 7, 8, 9, 11
LETTERS = {-1: "-", **{i: name[0] for i, name in enumerate(LABELS)}}
Edit = Callable[[np.ndarray, np.ndarray], None]
"""Changes the predicted points (17, 2), and the truths (2, 17, 3)."""


def away(k: int, similarity: float, area: float = 1e4) -> float:
    """Pixels at which a point has this similarity."""
    return float(np.sqrt(-2 * np.log(similarity) * area) * 2 * SCHEMA.sigmas[k])


def labelled(edit: Edit, legacy: bool = False, area: tuple[float, float] = (1e4, 1e4), again: bool = False) -> Labelled:
    """The labels of one pose of the person on the grid; `again`: and of a second, less sure one."""
    truths = np.concatenate([np.stack([GRID, GRID + BESIDE]), np.full((2, 17, 1), 2.0)], -1)
    pose = GRID.copy()
    edit(pose, truths)
    poses = np.concatenate([pose, np.ones((17, 1))], -1)[None].repeat(1 + again, 0)
    truth = PoseDataset.from_arrays(schema="coco17", image=[1, 1], keypoints=truths, area=list(area), id=[1, 2])
    pred = Predictions.from_arrays(schema="coco17", image=[1] * len(poses), keypoints=poses, score=np.linspace(1, 0.5, len(poses)))
    return evaluate(truth, pred, COCO).errors(Rules(legacy=legacy)).labelled


def letters(own: Labelled) -> str:
    return "/".join("".join(LETTERS[int(c)] for c in row) for row in own.code)


def put(k: int, x: float, y: float) -> Edit:
    def edit(pose: np.ndarray, truths: np.ndarray) -> None:
        pose[k] = x, y

    return edit


def beside(k: int, similarity: float) -> Edit:
    return put(k, GRID[k, 0] + away(k, similarity), GRID[k, 1])


def on(k: int, other: int, shift: np.ndarray | float = 0.0) -> Edit:
    return put(k, *(GRID[other] + shift))


def exact(pose: np.ndarray, truths: np.ndarray) -> None:
    """Nothing to change."""


def exchanged(pose: np.ndarray, truths: np.ndarray) -> None:
    pose[[LEFT_SHOULDER, RIGHT_SHOULDER]] = pose[[RIGHT_SHOULDER, LEFT_SHOULDER]]


def mirror_unlabelled(pose: np.ndarray, truths: np.ndarray) -> None:
    pose[LEFT_SHOULDER] = pose[RIGHT_SHOULDER]
    truths[0, RIGHT_SHOULDER] = 0


def between_wrists(pose: np.ndarray, truths: np.ndarray) -> None:
    """At .9 of its own wrist and .95 of the other's."""
    pose[WRIST, 0] += away(WRIST, 0.9)
    truths[1, WRIST, :2] = pose[WRIST] + (away(WRIST, 0.95), 0)


def one_place(pose: np.ndarray, truths: np.ndarray) -> None:
    truths[1, WRIST] = truths[0, WRIST]


def unlabelled_wrist(pose: np.ndarray, truths: np.ndarray) -> None:
    truths[0, WRIST] = 0
    pose[WRIST] = GRID[WRIST] + BESIDE


def hidden_ear(pose: np.ndarray, truths: np.ndarray) -> None:
    truths[..., 2] = 1
    pose[EAR, 0] += 500


def far_wrist(pose: np.ndarray, truths: np.ndarray) -> None:
    """100 px from the other's wrist, 200 px from its own."""
    truths[1, WRIST, :2] = GRID[WRIST] + (300, 0)
    pose[WRIST] = GRID[WRIST] + (200, 0)


def far_off(n: int) -> Edit:
    def edit(pose: np.ndarray, truths: np.ndarray) -> None:
        pose[:n] += 5000

    return edit


ALL = "g" * 17

VECTORS: dict[str, tuple[Edit, str]] = {
    "exact": (exact, ALL),
    **{f"left shoulder at ks {ks}": (beside(LEFT_SHOULDER, ks), f"ggggg{letter}ggggggggggg")
       for ks, letter in ((0.9, "g"), (0.8500001, "g"), (0.8499999, "j"), (0.5000001, "j"), (0.4999999, "m"), (0.1, "m"))},
    "shoulders exchanged": (exchanged, "gggggiigggggggggg"),
    "left shoulder on the right one": (on(LEFT_SHOULDER, RIGHT_SHOULDER), "gggggiggggggggggg"),
    "and the right one not labelled": (mirror_unlabelled, "gggggm-gggggggggg"),
    "left shoulder on the left hip": (on(LEFT_SHOULDER, LEFT_HIP), "gggggmggggggggggg"),
    "nose on the other's nose": (on(NOSE, NOSE, BESIDE), "sgggggggggggggggg"),
    "left elbow on the other's left elbow": (on(LEFT_ELBOW, LEFT_ELBOW, BESIDE), "gggggggsggggggggg"),
    "left elbow on the other's right elbow": (on(LEFT_ELBOW, RIGHT_ELBOW, BESIDE), "gggggggsggggggggg"),
    "left elbow on the other's nose": (on(LEFT_ELBOW, NOSE, BESIDE), "gggggggmggggggggg"),
    "wrist at own .9, the other's wrist at .95": (between_wrists, "gggggggggsggggggg"),
    "own and other's wrist at one place": (one_place, ALL),
    "wrist not labelled, predicted on the other's wrist": (unlabelled_wrist, "ggggggggg-ggggggg"),
    "all hidden, left ear 500 px off": (hidden_ear, "gggmggggggggggggg"),
    "15 of 17 far off": (far_off(15), "mmmmmmmmmmmmmmmgg"),
    "16 of 17 far off": (far_off(16), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("legacy", [False, True], ids=["ours", "legacy"])
def test_vector(name: str, legacy: bool) -> None:
    edit, wanted = VECTORS[name]
    assert letters(labelled(edit, legacy)) == wanted


@pytest.mark.parametrize("legacy", [False, True], ids=["ours", "legacy"])
@pytest.mark.parametrize(("area", "letter"), [(1e4, "m"), (1e6, "s")], ids=["a small neighbour attracts nothing", "a large neighbour attracts"])
def test_vector_neighbours_have_their_own_area(legacy: bool, area: float, letter: str) -> None:
    own = labelled(far_wrist, legacy, (1e4, area))
    assert letters(own) == f"ggggggggg{letter}ggggggg"
    assert (own.owner[0, WRIST], own.point[0, WRIST]) == (1, WRIST)


@pytest.mark.parametrize("legacy", [False, True], ids=["ours", "legacy"])
def test_vector_duplicate_of_a_matched_person_has_no_labels(legacy: bool) -> None:
    own = labelled(exact, legacy, again=True)
    assert letters(own) == ALL
    assert own.pred.tolist() == [0]


@pytest.mark.parametrize(("legacy", "letter"), [(False, "g"), (True, "-")], ids=["ours", "legacy"])
def test_vector_exactly_85_is_good_here_and_nothing_in_coco_analyze(legacy: bool, letter: str) -> None:
    """Own shoulder at (100, 220): the similarity is .85 to the last bit."""
    own = labelled(put(LEFT_SHOULDER, 106.36955458095969, 220.0), legacy, (5000.0, 1e4))
    assert own.own[0, LEFT_SHOULDER] == 0.85
    assert letters(own) == f"ggggg{letter}ggggggggggg"


def test_vector_oks_of_those_far_off() -> None:
    assert labelled(far_off(15)).oks == pytest.approx([2 / 17])


# -- corrected points ------------------------------------------------------------------------------------


def reached(edit: Edit, k: int, legacy: bool) -> float:
    """The similarity of a point to its own place after correction."""
    own = labelled(edit, legacy)
    place = corrected_points(own)[0, k]
    assert place[1] == GRID[k, 1] and place[0] >= GRID[k, 0], "it moves to the right"
    return float(np.exp(-((place[0] - GRID[k, 0]) ** 2) / (2 * (2 * SCHEMA.sigmas[k]) ** 2 * 1e4)))


CORRECTED = {
    "jitter .6": (beside(LEFT_SHOULDER, 0.6), LEFT_SHOULDER, 0.85, 0.960185),
    "miss .3": (beside(LEFT_SHOULDER, 0.3), LEFT_SHOULDER, 0.5, 0.840896),
    "inversion of .7": (put(LEFT_SHOULDER, GRID[RIGHT_SHOULDER, 0] + away(LEFT_SHOULDER, 0.7), GRID[RIGHT_SHOULDER, 1]), LEFT_SHOULDER, 0.7, 0.7**0.25),
    "swap of .7": (put(NOSE, GRID[NOSE, 0] + 900 + away(NOSE, 0.7), GRID[NOSE, 1]), NOSE, 0.7, 0.7**0.25),
    "inversion that is exact": (on(LEFT_SHOULDER, RIGHT_SHOULDER), LEFT_SHOULDER, 1.0, 1.0),
}


@pytest.mark.parametrize("name", CORRECTED)
def test_corrected(name: str) -> None:
    edit, k, wanted, _ = CORRECTED[name]
    ours = reached(edit, k, legacy=False)
    assert ours == pytest.approx(wanted, abs=2e-9) and ours >= wanted, "rounding leaves no point short of its threshold"


@pytest.mark.parametrize("name", CORRECTED)
def test_corrected_as_coco_analyze_does(name: str) -> None:
    edit, k, _, wanted = CORRECTED[name]
    assert reached(edit, k, legacy=True) == pytest.approx(wanted, abs=1e-6)


def test_the_ends_of_jitter_belong_to_jitter_below_and_to_good_above() -> None:
    """At a similarity of exactly `near` a point is near; of exactly `good`, good."""
    truths = np.concatenate([np.stack([GRID, GRID + BESIDE]), np.full((2, 17, 1), 2.0)], -1)
    pose = GRID.copy()
    pose[LEFT_SHOULDER, 0] += away(LEFT_SHOULDER, 0.6)
    truth = PoseDataset.from_arrays(schema="coco17", image=[1, 1], keypoints=truths, area=[1e4, 1e4])
    pred = Predictions.from_arrays(schema="coco17", image=[1], keypoints=pose[None], score=[1.0])
    ev = evaluate(truth, pred, COCO)
    measured = float(ev.errors().labelled.own[0, LEFT_SHOULDER])
    label = lambda **ends: LETTERS[int(ev.errors(Rules(**ends)).labelled.code[0, LEFT_SHOULDER])]
    assert (label(near=measured), label(near=float(np.nextafter(measured, 1)))) == ("j", "m")
    assert (label(good=measured), label(good=float(np.nextafter(measured, 1)))) == ("g", "j")
