"""The numbers of result records become points of a schema: each where its category says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..category import Category
from ..columns import ids_column
from ..errors import Fault, FormatError, brief, first_few
from ..schema import Schema

if TYPE_CHECKING:
    from .records import Records

__all__ = ["MISSING", "REFUSED", "Order", "keypoints_of", "unsaid_category"]

MISSING, REFUSED = -1, -2
"""In place of a size: no keypoints there, or none that can be read (a fault says why)."""


class Order(NamedTuple):
    """The points of one category: its name, and the schema's row of each point in the order of the source."""

    name: str
    places: tuple[int, ...]


def unsaid_category(n: int, categories: Sequence[Category] | None, where: str) -> NDArray[Any]:
    """(n,) the category of results that name none: the truth's only one, or 1 where no truth is known."""
    if not categories:
        return np.ones(n, np.int64)
    if len(categories) > 1 and n:
        known = first_few([f"{c.id} {c.name}" for c in categories], 3, ", ")
        raise FormatError(where, f"no record has a category_id, and the truth has {len(categories)} categories: {known}", "give each record its own")
    return ids_column([categories[0].id] * n, where)


def keypoints_of(
    found: Records, schema: Schema, category: NDArray[Any], orders: Mapping[int | str, Order], path: str, faults: list[Fault]
) -> NDArray[np.float64]:
    """(N, K, 3) x, y, confidence; x and y NaN where all three are 0, and of points that the category lacks."""
    k, sizes = len(schema), found.sizes
    plain = all(order.places == tuple(range(k)) for order in orders.values())
    if plain and (sizes == 3 * k).all():
        points = found.numbers.reshape(len(sizes), k, 3)
    elif not orders and k % 3 and len(sizes) and (sizes == 2 * k).all():  # else as many numbers are two thirds of K points
        points = np.concatenate([found.numbers.reshape(len(sizes), k, 2), np.ones((len(sizes), k, 1))], -1)
    else:
        points = _one_by_one(found, k, category, orders, path, faults)
    absent = (points[..., 0] == 0) & (points[..., 1] == 0) & (points[..., 2] == 0)
    points[absent, :2] = np.nan
    return points


def _one_by_one(found: Records, k: int, category: NDArray[Any], orders: Mapping[int | str, Order], path: str, faults: list[Fault]) -> NDArray[np.float64]:
    """Records of different lengths, each kind in one go; a length that is nobody's is a fault."""
    sizes, points = found.sizes, np.full((len(found), k, 3), (np.nan, np.nan, 0.0))
    unread = np.ones(len(found), bool)
    for id_, order in orders.items():
        own = _is(category, id_) & (sizes == 3 * len(order.places))
        points[np.ix_(own, order.places)] = _numbers_of(found, own).reshape(int(own.sum()), len(order.places), 3)
        unread &= ~own
    full = unread & (sizes == 3 * k)
    points[full] = _numbers_of(found, full).reshape(int(full.sum()), k, 3)
    wrong = np.flatnonzero(unread & ~full & (sizes >= MISSING)).tolist()
    faults.extend(Fault(f"{path}[{row}].keypoints", *_why(int(sizes[row]), k, category.item(row), orders)) for row in wrong)
    return points


def _is(category: NDArray[Any], id_: int | str) -> NDArray[np.bool_]:
    """Records of one category: 1 is not '1'."""
    if (category.dtype == object) is not isinstance(id_, str):
        return np.zeros(len(category), bool)
    return np.asarray(category == id_, bool)


def _numbers_of(found: Records, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return found.numbers[np.repeat(chosen, found.sizes.clip(0))]


def _why(size: int, k: int, id_: int | str, orders: Mapping[int | str, Order]) -> tuple[str, str]:
    """What is wrong with a record's length, and the way out."""
    if size == MISSING:
        return "missing", f"every record has {3 * k} numbers"
    cure = "without scores, write [[x, y], [x, y], ...]" if size == 2 * k else ""
    if id_ in orders:
        n = len(orders[id_].places)
        return f"{size} numbers, category {brief(orders[id_].name)!r} needs {3 * n} ({n} x 3)", cure
    if orders:
        cure = f"the truth has no category {brief(repr(id_))}"
    return f"{size} numbers where {3 * k} are needed", cure
