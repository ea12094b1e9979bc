"""Injected: what was really drawn into simulated predictions, kept beside them and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posedata.errors import FormatError, brief
from posedata.files import write_bytes
from posedata.formats.rows import read_bytes
from posedata.predictions import Predictions

__all__ = ["KINDS", "POSES", "Injected", "Share", "Simulated", "read_injected"]

HUMAN, PROXIMITY = 0.85, 0.5
"""Similarity within which people disagree, and within which a point belongs to a place (Ronchi and Perona, ICCV 2017)."""

KINDS = ("good", "jitter", "inversion", "swap", "miss", "absent", "surplus")
GOOD, JITTER, INVERSION, SWAP, MISS, ABSENT, SURPLUS = range(7)
NONE = -1
"""The kind of a point that was not predicted, for the truth does not label it; and of all points on the background."""

POSES = ("pose", "duplicate", "background")
POSE, DUPLICATE, BACKGROUND = range(3)

_LETTERS = "gjisma+-"
"""Of KINDS, then of NONE, which is the last from either end."""


class Share(NamedTuple):
    """How much of a kind was asked for, and how many of how many came of it."""

    asked: float
    number: int
    total: int

    @property
    def drawn(self) -> float:
        """0 of nothing is 0."""
        return self.number / max(self.total, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Injected:
    """The errors of M predictions with K points, in the order of their file."""

    keypoints: tuple[str, ...]
    labels: NDArray[np.int8]
    """(M, K) place in KINDS; -1 where nothing was predicted that could be judged."""
    poses: NDArray[np.int8]
    """(M,) place in POSES."""
    truth: NDArray[Any]
    """(M,) id of the truth that was drawn from; -1 (or '') on the background."""
    attracted: NDArray[np.intp]
    """(S, 2) prediction and keypoint of every inversion and swap."""
    attracted_truth: NDArray[Any]
    """(S,) id of the truth that attracted it."""
    attracted_keypoint: NDArray[np.intp]
    """(S,) and its keypoint."""
    missed: NDArray[Any]
    """Ids of the truths that got no prediction."""
    shares: Mapping[str, Share]
    """Of labelled points, down to absent; of unlabelled points: surplus; of truths: missed, background; of poses that are found: duplicate."""
    seed: int

    def table(self) -> dict[str, NDArray[Any]]:
        """Columns, one row for each labelled or surplus point: `pandas.DataFrame(injected.table())`."""
        row, k = np.nonzero(self.labels != NONE)
        names, kinds, poses = (np.array(values, object) for values in (self.keypoints, KINDS, POSES))
        by_truth, by_keypoint = self.truth[row], k.copy()
        place = np.searchsorted(row * len(names) + k, self.attracted[:, 0] * len(names) + self.attracted[:, 1])
        by_truth[place], by_keypoint[place] = self.attracted_truth, self.attracted_keypoint
        return {"row": row, "pose": poses[self.poses[row]], "truth": self.truth[row], "keypoint": names[k], "label": kinds[self.labels[row, k]],
                "from_truth": by_truth, "from_keypoint": names[by_keypoint]}  # fmt: skip

    def to_json(self, path: str | Path | None = None) -> bytes:
        """One object; see docs/formats.md#simulated-errors."""
        names = np.array(self.keypoints, object)
        data = json.dumps({
            "version": 1,
            "seed": self.seed,
            "shares": {name: share._asdict() for name, share in self.shares.items()},
            "letters": dict(zip(_LETTERS, (*KINDS, "none"), strict=True)),
            "keypoints": list(self.keypoints),
            "labels": ["".join(row) for row in np.array(list(_LETTERS), object)[self.labels].tolist()],
            "poses": np.array(POSES, object)[self.poses].tolist(),
            "truth": self.truth.tolist(),
            "attracted": {"row": self.attracted[:, 0].tolist(), "keypoint": names[self.attracted[:, 1]].tolist(),
                          "truth": self.attracted_truth.tolist(), "by": names[self.attracted_keypoint].tolist()},
            "missed": self.missed.tolist(),
        }, ensure_ascii=False).encode()  # fmt: skip
        if path is not None:
            write_bytes(path, data)
        return data

    def report(self) -> dict[str, dict[str, float]]:
        """By kind: asked, drawn, number, total."""
        return {name: {"asked": s.asked, "drawn": s.drawn, "number": s.number, "total": s.total} for name, s in self.shares.items()}

    def __str__(self) -> str:
        lines = [f"{'':<10} {'asked':>7} {'drawn':>7} {'number':>9} {'total':>9}"]
        lines += [f"{name:<10} {s.asked:>7.3f} {s.drawn:>7.3f} {s.number:>9,} {s.total:>9,}" for name, s in self.shares.items()]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Simulated:
    """Predictions, and what was injected into them."""

    pred: Predictions
    injected: Injected

    @property
    def labels(self) -> NDArray[np.int8]:
        return self.injected.labels


def read_injected(path: str | Path) -> Injected:
    """What `Injected.to_json` wrote."""
    data = read_bytes(Path(path))
    try:
        return _parsed(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as e:
        raise FormatError(str(path), f"not what posebench simulate writes ({brief(repr(e), 80)})", "name the .injected.json beside the predictions") from None


def _parsed(top: Mapping[str, Any]) -> Injected:
    names, attracted = tuple(top["keypoints"]), top["attracted"]
    letters, place = {letter: i for i, letter in enumerate(_LETTERS[:-1])} | {"-": NONE}, {name: i for i, name in enumerate(names)}
    return Injected(
        keypoints=names,
        labels=np.array([[letters[c] for c in row] for row in top["labels"]], np.int8).reshape(len(top["labels"]), len(names)),
        poses=np.array([POSES.index(pose) for pose in top["poses"]], np.int8),
        truth=_ids(top["truth"]),
        attracted=np.array([[row, place[name]] for row, name in zip(attracted["row"], attracted["keypoint"], strict=True)], np.intp).reshape(-1, 2),
        attracted_truth=_ids(attracted["truth"]),
        attracted_keypoint=np.array([place[name] for name in attracted["by"]], np.intp),
        missed=_ids(top["missed"]),
        shares={name: Share(**share) for name, share in top["shares"].items()},
        seed=top["seed"],
    )


def _ids(values: list[Any]) -> NDArray[Any]:
    return np.array([*values, None], object)[:-1] if any(isinstance(v, str) for v in values) else np.array(values, np.int64)
