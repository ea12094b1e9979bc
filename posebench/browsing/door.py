"""The door to FiftyOne: what may be shown, before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from posedata.errors import PoseError, brief, needs

from ..evaluation import Evaluation

if TYPE_CHECKING:
    from posedata.formats.fiftyone_db import Browsing

__all__ = ["browse"]


def browse(
    ev: Evaluation | Sequence[Evaluation] | Mapping[str, Evaluation],
    *,
    name: str | None = None,
    worst: int = 100,
    suspects: int = 200,
    instance: str | int | None = None,
    fresh: bool = False,
    app: bool = True,
    port: int | None = None,
    remote: bool = False,
) -> Browsing:
    """Errors in FiftyOne: a persistent dataset, made or brought up to date, and the App on it unless `app` is false.

    Several evaluations of one truth stand side by side, each a field by the name of its model: that of the header of its
    predictions, or the key in a mapping. `worst` poses and `suspects` of labels have ranks and saved views. `instance` opens
    on one pose: the id of an annotation, or "p17" for row 17 of the predictions. `fresh` begins anew; what was edited or
    tagged in FiftyOne is gone then.
    """
    for option, value in (("worst", worst), ("suspects", suspects)):
        if not isinstance(value, int) or value < 0:
            raise PoseError(f"browse: {option}", brief(repr(value)), "a whole number of 0 or more")
    evs = by_model(ev)
    try:
        from .browse import browse_evaluations
    except ModuleNotFoundError as e:
        raise needs(f"posebench browse ({e.name})", "browse") from None
    made = browse_evaluations(evs, name, worst=worst, suspects=suspects, instance=instance, fresh=fresh)
    return made.open(port, remote) if app else made


def by_model(ev: Evaluation | Sequence[Evaluation] | Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """Evaluations by the names of their models; models of one name are told apart by a number."""
    if isinstance(ev, Mapping):
        evs = {str(k): e for k, e in ev.items()}
    else:
        evs = {}
        for e in list(ev) if isinstance(ev, Sequence) else [ev]:
            word = str(e.predictions.header.get("model") or "predictions") if isinstance(e, Evaluation) else ""
            evs[word if word not in evs else f"{word} {sum(k.startswith(word) for k in evs) + 1}"] = e
    odd = next((e for e in evs.values() if not isinstance(e, Evaluation)), None)
    if odd is not None or not evs:
        raise PoseError(
            "browse", brief(repr(type(odd).__name__)) if evs else "nothing", "give what evaluate() returns: posebench.browse(evaluate(truth, predictions))"
        )
    return evs
