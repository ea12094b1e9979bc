"""How well planted label errors are found: recall at the planted number, which is also precision, of every kind.

    python -m benchmarks.labels [--each 12] [--seeds 5] [--json FILE]

For each configuration of `synthetic` and each model, `--each` errors of every kind are planted in the training split, `--seeds`
times over. Predictions are made from the clean annotations: the model has errors of its own, and has not seen the planted ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import posebench
import posedata
from posebench.labels import KINDS, LabelErrors
from posebench.simulate import simulate

MODELS: Mapping[str, Mapping[str, float]] = {
    "good": {
        "jitter": 0.1,
        "inversion": 0.005,
        "swap": 0.005,
        "miss": 0.02,
        "absent": 0.003,
        "surplus": 0.003,
        "missed": 0.02,
        "duplicate": 0.02,
        "background": 0.05,
    },
    "poor": {
        "jitter": 0.16,
        "inversion": 0.03,
        "swap": 0.08,
        "miss": 0.1,
        "absent": 0.01,
        "surplus": 0.01,
        "missed": 0.05,
        "duplicate": 0.05,
        "background": 0.1,
    },
}
"""Shares of errors: of a good model, and of one with the shares that Ronchi and Perona (ICCV 2017) found on COCO in 2016."""


def identities(found: LabelErrors) -> np.ndarray[Any, Any]:
    """The annotation of every row, most suspect first; of a missing one, that for which the prediction was made."""
    columns = found.columns()
    made_for = found.folds[0].ev.predictions
    names = dict(zip(made_for.row.tolist(), made_for.truth.tolist(), strict=True))
    return np.array([names[p] if a is None else a for a, p in zip(columns["annotation_id"], columns["prediction"], strict=True)])


def measured(clean: posedata.PoseDataset, model: str, each: int, seed: int) -> dict[str, float]:
    """Recall at the planted number: by the kind's own score, by the overall rank, and of all kinds as one."""
    planted = posebench.plant_label_errors(clean, dict.fromkeys(posebench.PLANTED, each), seed)
    found = posebench.label_errors(posebench.evaluate(planted.truth, simulate(clean, seed=seed + 1000, **MODELS[model]).pred))
    kinds: dict[str, set[int]] = {}
    for row in planted.record:
        kinds.setdefault(row["kind"], set()).add(row["annotation_id"])
    every = set().union(*kinds.values())
    ids = identities(found)
    top = set(ids[: len(every)].tolist())
    values = {"all": len(every & top) / len(every), "planted": float(len(every)), "of": float(len(clean))}
    for kind, wanted in kinds.items():
        own = np.argsort(-found.scores[kind][found.top()], kind="stable")[: len(wanted)]
        values[f"{kind} alone"] = len(wanted & set(ids[own].tolist())) / len(wanted)
        values[f"{kind} in all"] = len(wanted & top) / len(wanted)
    shape = np.argsort(-found.scores["shape"][found.top()], kind="stable")[: len(every)]
    values["shape alone"] = len(every & set(ids[shape].tolist())) / len(every)
    return values


def table(each: int, seeds: int) -> dict[str, dict[str, float]]:
    """Means over seeds, for each configuration and model."""
    found = {}
    for config in ("person", "quadruped"):
        clean = posedata.load_dataset("synthetic", config, split="train")
        for model in MODELS:
            rows = [measured(clean, model, each, seed) for seed in range(seeds)]
            found[f"{config}, {model} model"] = {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = table(chosen.each, chosen.seeds)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))
    print("| planted | " + " | ".join(found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for kind in posebench.PLANTED:
        print(f"| `{kind}` | " + " | ".join(f"{f[f'{kind} alone']:.2f} / {f[f'{kind} in all']:.2f}" for f in found.values()) + " |")
    print("| all kinds, overall rank | " + " | ".join(f"{f['all']:.2f} ({f['planted']:.0f} of {f['of']:,.0f})" for f in found.values()) + " |")
    print("| all kinds, `shape` alone | " + " | ".join(f"{f['shape alone']:.2f}" for f in found.values()) + " |")
    assert set(posebench.PLANTED) < set(KINDS)


if __name__ == "__main__":
    main()
