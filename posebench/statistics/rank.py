"""rank: many submissions on one truth, in their order, with the ranks each could have had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posedata.dataset import PoseDataset
from posedata.errors import PoseError, brief, first_few
from posedata.predictions import Predictions
from posedata.progress import bar

from ..evaluation import Evaluation, evaluate
from ..metrics import METRICS, canonical, read_metric
from .compare import require_counts
from .replicates import replicates
from .resampling import Clusters, draws
from .resampling import clusters as clustered
from .same import Task, difference
from .standings import Standings, adjusted, complete, stand

__all__ = ["rank", "submissions_in"]

Floats = NDArray[np.float64]
_ENDINGS = (".json", ".npz", ".json.gz")
_OURS = ".injected.json"
"""What `posebench simulate` writes beside predictions."""


@dataclass(frozen=True, eq=False)
class _Entry:
    """One submission that could be scored; of many, its predictions do not stay."""

    task: Task
    value: float
    replicates: Floats
    drawn: Clusters


def submissions_in(folder: str | Path) -> dict[str, Path]:
    """The .json and .npz files of a folder by name, in order; two of one name keep their endings."""
    place = Path(folder)
    if not place.is_dir():
        raise PoseError(str(folder), "no folder" if place.exists() else "not there", "a folder with a file of predictions for each submission")
    files = [p for p in sorted(place.iterdir()) if p.is_file() and p.name.endswith(_ENDINGS) and not p.name.endswith(_OURS) and p.name[0] != "."]
    stems = Counter(map(_stem, files))
    return {_stem(p) if stems[_stem(p)] == 1 else p.name: p for p in files}


def _stem(path: Path) -> str:
    return next(path.name.removesuffix(end) for end in _ENDINGS if path.name.endswith(end))


def rank(
    submissions: str | Path | Mapping[str, Predictions | str | Path],
    truth: PoseDataset | str | Path | None = None,
    protocol: Any = None,
    *,
    metric: str = "AP",
    clusters: str = "image",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    quiet: bool = True,
    **reading: Any,
) -> Standings:
    """Standings of many submissions, a folder of files or predictions by name, on one truth.

    A submission that cannot be scored, or was scored on other images, is named in `refused` and does not stop the others.
    `reading` goes to `evaluate`: schema, mapping, unknown, root.
    """
    require_counts(resamples, level, seed)
    s = read_metric(metric)
    given = submissions if isinstance(submissions, Mapping) else submissions_in(submissions)
    if not given:
        raise PoseError(brief(str(submissions)), "no submissions", ".json or .npz files of predictions are needed")
    scored, refused = _scored(given, _truth(truth, reading), protocol, canonical(s), (clusters, resamples, seed), quiet, reading)
    scored = _alike(scored, refused)
    if not scored:
        raise PoseError(brief(str(submissions if not isinstance(submissions, Mapping) else "rank")), "no submission can be scored", first_few([f"{k}: {v}" for k, v in refused.items()], 2))  # fmt: skip
    names = list(scored)
    values = np.array([e.value for e in scored.values()])
    drawn = complete(values, np.stack([e.replicates for e in scored.values()], 1))
    one = next(iter(scored.values()))
    how = (
        f"intervals and ranks at {level:g} by {len(drawn):,} common resamples of {one.drawn}, seed {seed}; "
        f"groups by the largest difference of any two in the same resamples; protocol {one.task.protocol.name} ({one.task.protocol.fingerprint})"
    )
    return stand(canonical(s), names, values, drawn, adjusted(values, drawn), how=how, higher=METRICS[s.name].higher_is_better, level=level, refused=refused)


def _truth(truth: PoseDataset | str | Path | None, reading: Mapping[str, Any]) -> PoseDataset | None:
    """The truth, read once for all."""
    if truth is None or isinstance(truth, PoseDataset):
        return truth
    from posedata.formats.anything import read

    return read(truth, schema=None if reading.get("mapping") else reading.get("schema"), root=reading.get("root"))


def _scored(
    given: Mapping[str, Any], truth: PoseDataset | None, protocol: Any, metric: str, how: tuple[str, int, int], quiet: bool, reading: Mapping[str, Any]
) -> tuple[dict[str, _Entry], dict[str, str]]:
    """Each submission with its number and resamples; and why others have none."""
    scored: dict[str, _Entry] = {}
    refused: dict[str, str] = {}
    with bar("scoring", len(given), quiet) as advance:
        for name, each in given.items():
            ev = None
            try:
                ev = evaluate(truth, each, protocol, **reading)
                scored[name] = _entry(ev, metric, *how)
            except PoseError as e:
                if ev is not None and truth is not None:
                    raise  # what was asked does not fit the one truth, so no other file would do better
                refused[name] = str(e)
            advance(1)
    return scored, refused


def _entry(ev: Evaluation, metric: str, clusters: str, resamples: int, seed: int) -> _Entry:
    drawn = clustered(ev.workings, clusters)
    made = replicates(ev.workings, [metric], draws(drawn, resamples, seed))[:, 0]
    return _Entry(Task(ev.truth, ev.protocol), ev[metric], made, drawn)


def _alike(scored: Mapping[str, _Entry], refused: dict[str, str]) -> dict[str, _Entry]:
    """Those on the images that most were scored on; the others are refused."""
    if not scored:
        return {}
    counts = Counter(len(e.task.truth.images) for e in scored.values())
    most = max(counts, key=lambda n: (counts[n], n))
    reference, first = next((e, name) for name, e in scored.items() if len(e.task.truth.images) == most)
    kept = {}
    for name, each in scored.items():
        seen = difference(reference.task, each.task)
        if seen:
            refused[name] = f"not as {first}: {seen}"
        else:
            kept[name] = each
    return kept
