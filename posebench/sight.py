"""Sight: a cheap look at some truths beside the predictions of their images, to try what would make them fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posedata.columns import rows_of
from posedata.similarity import box_iou, oks

from .orders import known_orders, moves
from .problem import Problem
from .workings import Workings

__all__ = ["Distortion", "Sight", "Verdict", "distortions", "image_steps", "kept", "sight", "stepped", "tiny_areas", "verdict"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

IMAGES = 60
"""Images looked at, spread evenly over the set."""
SPARE = 5
"""Predictions looked at beyond the number of truths of an image, best scores first."""
PAIRED = 100
"""Pairs from which the order of points is read."""


@dataclass(frozen=True)
class Distortion:
    """A mistake that moves points, and what undoes it."""

    name: str
    kind: str
    """'exchanged', 'scaled', 'normalised', 'shifted' or 'order'."""
    undo: Callable[[Floats, Floats], Floats]
    """(points (M, K, 3), sizes of their images (M, 2)) -> points."""
    columns: Rows | None = None
    """(K,) of an order: where each point is found."""
    needs_sizes: bool = False


@dataclass(frozen=True)
class Verdict:
    """The distortion that explains the predictions, with the mean similarity before and after it is undone."""

    distortion: Distortion
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Sight:
    """P pairs by truth: every counted truth of some images with each of the first predictions of its image."""

    problem: Problem
    truth: Rows
    """(P,) row of the truth, ascending."""
    pred: Rows
    """(P,) place in `rows`."""
    rows: Rows
    """(m,) rows of the predictions that take part."""
    sizes: Floats
    """(m, 2) width and height of their images; 0 where unknown."""

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def starts(self) -> Rows:
        return np.flatnonzero(np.diff(self.truth, prepend=-1))

    @cached_property
    def points(self) -> Floats:
        """(m, K, 3) of the predictions; NaN where absent, whatever the protocol makes of that."""
        return self.problem.pred.keypoints[self.rows]

    @cached_property
    def found(self) -> Floats:
        """(P,) similarity of the pairs as they are."""
        return self._oks(self.points)

    def similarity(self, points: Floats | None = None) -> float:
        """Mean over the truths of the similarity of what fits best."""
        found = self.found if points is None else self._oks(points)
        return float(np.maximum.reduceat(found, self.starts).mean()) if len(self) else float("nan")

    def _oks(self, points: Floats) -> Floats:
        p = self.problem
        return oks(p.points, p.labelled, p.area, p.sigmas, points, self.truth, self.pred)

    def best(self, of: Floats) -> Rows:
        """(n,) for each truth the pair that has most of something; the first of equals."""
        order = np.lexsort((-np.arange(len(of)), of, self.truth))
        return np.asarray(order[np.append(self.starts[1:], len(of)) - 1])

    @cached_property
    def overlap(self) -> Floats:
        """(P,) overlap of the smallest boxes around labelled and around predicted points: it does not see in which order these are."""
        p = self.problem
        labelled = p.labelled[self.truth]
        a = _box(np.where(labelled[..., None], p.points[self.truth][..., :2], np.nan))
        return box_iou(a, _box(self.points[..., :2])[self.pred])

    @cached_property
    def nearness(self) -> Floats:
        """(K, K) mean similarity of predicted point i to true point j, over the pairs whose boxes overlap best."""
        p, chosen = self.problem, self.best(self.overlap)
        chosen = chosen[self.overlap[chosen] > 0.3][:PAIRED]
        t = self.truth[chosen]
        labelled = p.labelled[t].astype(float)
        offset = self.points[self.pred[chosen]][:, :, None, :2] - p.points[t][:, None, :, :2]
        spread = (p.sigmas[t] if len(p.sigmas) > 1 else p.sigmas) * 2
        near = np.exp(-(offset**2).sum(-1) / (2 * (spread**2)[:, None] * np.maximum(p.area[t], 1)[:, None, None]))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((np.nan_to_num(near) * labelled[:, None]).sum(0) / labelled.sum(0))

    @cached_property
    def fitted(self) -> tuple[float, Floats]:
        """Scale and shift that take truths to the predictions of the most similar shape: pred = scale x truth + shift."""
        p, k = self.problem, self.problem.labelled[self.truth]
        true, pred = np.where(k[..., None], p.points[self.truth][..., :2], np.nan), self.points[self.pred][..., :2]
        known = k & ~np.isnan(pred[..., 0])
        usable = known.sum(1) >= 3
        m, n = _moments(np.where(known[..., None], true, np.nan)), _moments(np.where(known[..., None], pred, np.nan))
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = n.spread / m.spread
            rest = (((pred - n.middle[:, None]) / n.spread[:, None, None] - (true - m.middle[:, None]) / m.spread[:, None, None]) ** 2).sum(-1)
            likeness = np.where(usable, -np.where(known, rest, 0).sum(1) / known.sum(1), -np.inf)
        chosen = self.best(np.nan_to_num(likeness, nan=-np.inf, neginf=-1e9))
        chosen = chosen[usable[chosen] & np.isfinite(scale[chosen])]
        if len(chosen) < 3:
            return 1.0, np.zeros(2)
        s = float(np.median(scale[chosen]))
        return s, np.asarray(np.median(n.middle[chosen] - s * m.middle[chosen], 0))


@dataclass(frozen=True, eq=False)
class _Moments:
    middle: Floats
    spread: Floats


def _moments(xy: Floats) -> _Moments:
    """Mean place of the known points, and their mean distance from it."""
    count = np.maximum((~np.isnan(xy[..., 0])).sum(1), 1)[:, None]
    middle = np.nansum(xy, 1) / count
    return _Moments(middle, np.sqrt(np.nansum((xy - middle[:, None]) ** 2, (1, 2)) / count[:, 0]))


def _box(xy: Floats) -> Floats:
    low, high = np.fmin.reduce(xy, 1), np.fmax.reduce(xy, 1)
    return np.concatenate([low, high - low], -1)


def sight(workings: Workings) -> Sight:
    """The look at an evaluation, made once."""
    return workings.once("sight", lambda: _look(workings))


def _look(w: Workings) -> Sight:
    problem = w.problem()
    image = w.aligned.image
    counted = np.flatnonzero(~problem.ignored & problem.labelled.any(1) & (problem.area > 1))
    has = np.zeros(len(problem.truth.images), bool)
    has[image] = True
    both = np.unique(problem.image[counted])
    both = both[has[both]]
    chosen = both[np.unique(np.linspace(0, len(both) - 1, min(IMAGES, len(both))).round().astype(np.intp))] if len(both) else both
    looked = np.zeros(len(has), bool)
    looked[chosen] = True
    truth = counted[looked[problem.image[counted]]]
    crowd = np.bincount(problem.image[truth], minlength=len(has))
    rows = _first_of_each(problem, image, np.flatnonzero(looked[image]), crowd + SPARE)
    first, last = (np.searchsorted(image[rows], problem.image[truth], side=side) for side in ("left", "right"))
    count = last - first
    pred = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    sizes = np.stack([problem.truth.images.width, problem.truth.images.height], 1)[image[rows]].astype(float)
    return Sight(problem, np.repeat(truth, count), pred, rows, sizes)


def _first_of_each(problem: Problem, image: Rows, rows: Rows, most: Rows) -> Rows:
    """The best-scored rows of each image, by image."""
    order = rows[np.lexsort((rows, -problem.pred.score[rows], image[rows]))]
    starts = np.searchsorted(image[order], image[order], side="left")
    return order[np.arange(len(order)) - starts < most[image[order]]]


# -- what could have happened to the points -----------------------------------------------------------


def _exchanged(points: Floats, sizes: Floats) -> Floats:
    return points[..., [1, 0, 2]]


def _times(x: float, y: float) -> Callable[[Floats, Floats], Floats]:
    return lambda points, sizes: points * (x, y, 1)


def _of_image(share: float = 1.0) -> Callable[[Floats, Floats], Floats]:
    return lambda points, sizes: np.concatenate([points[..., :2] * (sizes * share)[:, None], points[..., 2:]], -1)


def _moved(x: float, y: float) -> Callable[[Floats, Floats], Floats]:
    return lambda points, sizes: np.add(points, (x, y, 0))


def _ordered(columns: Rows) -> Callable[[Floats, Floats], Floats]:
    return lambda points, sizes: points[:, columns]


SQUARES = (224, 256, 384, 512, 640)
"""Sides of square inputs to which images are stretched."""

FIXED: tuple[Distortion, ...] = (
    Distortion("x and y are exchanged", "exchanged", _exchanged),
    *(Distortion(f"coordinates are divided by {n}", "scaled", _times(n, n)) for n in (2, 4, 8, 16)),
    *(Distortion(f"coordinates are multiplied by {n}", "scaled", _times(1 / n, 1 / n)) for n in (2, 4)),
    Distortion("coordinates are shares of the image's width and height", "normalised", _of_image(), needs_sizes=True),
    *(Distortion(f"coordinates are those of the image stretched to {n} x {n}", "scaled", _of_image(1 / n), needs_sizes=True) for n in SQUARES),
)
"""Mistakes that need no look at the data."""


def distortions(look: Sight) -> list[Distortion]:
    """All that could have happened to the points, those among them that are read from the data."""
    schema = look.problem.truth.schema
    orders = {f"points are in another order: {name}": columns for name, columns in known_orders(schema).items()}
    own = _own_order(look)
    if own is not None and not any(np.array_equal(own, columns) for columns in orders.values()):
        orders[f"points are in another order: {moves(schema, own)}"] = own
    return [*FIXED, *_fitted(look), *(Distortion(name, "order", _ordered(columns), columns) for name, columns in orders.items())]


def _fitted(look: Sight) -> list[Distortion]:
    """Scale and shift that fit the data best, where they are no trifle."""
    scale, shift = look.fitted if len(look) else (1.0, np.zeros(2))
    size = float(np.sqrt(np.median(look.problem.area[look.truth]))) if len(look) else 1.0
    found = []
    if abs(np.log(scale)) > 0.1:
        found.append(Distortion(f"coordinates are multiplied by {scale:.3g}", "scaled", _times(1 / scale, 1 / scale)))
    x, y = shift.tolist()
    if max(abs(x), abs(y)) > 0.15 * size and abs(np.log(scale)) <= 0.1:
        found.append(Distortion(f"points are shifted by ({x:.0f}, {y:.0f})", "shifted", _moved(-x, -y)))
    if max(abs(x), abs(y)) > 0.15 * size * scale and abs(np.log(scale)) > 0.1:
        found.append(
            Distortion(
                f"coordinates are multiplied by {scale:.3g}, then shifted by ({x:.0f}, {y:.0f})",
                "scaled",
                lambda points, sizes: np.subtract(points, (x, y, 0)) / (scale, scale, 1),
            )
        )
    return found


def _own_order(look: Sight) -> Rows | None:
    """(K,) where each point seems to be, where that differs from its own column in a clear majority of the pairs."""
    if len(look) < 5:
        return None
    near = np.nan_to_num(look.nearness)
    columns = np.full(len(near), -1)
    free = near.copy()
    for _ in range(len(near)):
        i, j = np.unravel_index(int(free.argmax()), free.shape)
        columns[j] = i
        free[i], free[:, j] = -1, -1
    k = np.arange(len(near))
    # a point that is as near where it belongs stays; what remains must still be a permutation
    moved = (columns != k) & (near[columns, k] > near[k, k] + 0.1)
    kept = np.where(moved, columns, k)
    return kept if moved.any() and len(np.unique(kept)) == len(k) else None


# -- what did ----------------------------------------------------------------------------------------


def verdict(workings: Workings) -> Verdict | None:
    """The distortion that makes predictions fit clearly better; None where none does."""
    return workings.once("verdict", lambda: _judge(sight(workings)))


def _judge(look: Sight) -> Verdict | None:
    if len(look) < 3:
        return None
    tried = distortions(look)
    return _moved_verdict(look, [d for d in tried if d.columns is None]) or _order_verdict(look, tried)


def _moved_verdict(look: Sight, tried: list[Distortion]) -> Verdict | None:
    before = look.similarity()
    if before > 0.8:
        return None
    known = bool((look.sizes > 0).all())
    after = [look.similarity(d.undo(look.points, look.sizes)) if known or not d.needs_sizes else 0.0 for d in tried]
    top = max(after)
    first = next(i for i, value in enumerate(after) if value > top - 0.02)  # round numbers before fitted ones
    return Verdict(tried[first], before, after[first]) if after[first] > max(0.3, before + 0.15, before * 1.3) else None


def _order_verdict(look: Sight, tried: list[Distortion]) -> Verdict | None:
    """Judged by the points that the order moves alone."""
    own, best = np.arange(len(look.nearness)), None
    for d, columns in ((d, d.columns) for d in tried if d.columns is not None):
        moved = (columns != own) & ~np.isnan(look.nearness).all(0)
        if moved.any():
            before, after = float(look.nearness[own, own][moved].mean()), float(look.nearness[columns, own][moved].mean())
            if after > max(0.4, before + 0.2, before * 1.3) and (best is None or after - before > best.after - best.before + 0.02):
                best = Verdict(d, before, after)
    return best


def tiny_areas(w: Workings) -> bool:
    """Whether most truths that count have an area of no more than a pixel: converters write 0 or 1 where they know none."""
    problem = w.problem()
    return bool(np.mean(problem.area[~problem.ignored] <= 1) > 0.5) if not problem.ignored.all() else False


# -- the images ---------------------------------------------------------------------------------------


def image_steps(w: Workings) -> list[int]:
    """By how much ids could be off: counted from 0 in one file and from 1 in the other."""
    ids, said = w.aligned.truth.images.id, w.aligned.pred.image
    if ids.dtype == object or len(ids) < 2 or not len(said):
        return []
    return [step for step in (1, -1) if (rows_of(ids, said + step) >= 0).mean() > 0.9]


def stepped(step: int, w: Workings) -> Workings:
    """The workings with every prediction on the image of the next id, or the one before."""
    image = rows_of(w.aligned.truth.images.id, w.aligned.pred.image + step)
    return kept(w.on(replace(w.aligned, image=image)), image >= 0)


def kept(w: Workings, rows: NDArray[np.bool_]) -> Workings:
    """The workings with some of the predictions."""
    a, keep = w.aligned, np.flatnonzero(rows)
    return w.on(replace(a, pred=a.pred.take(keep), image=a.image[keep], category=a.category[keep]))
