"""The end of `posebench demo --browse`: FiftyOne on the predictions of the demo."""

from __future__ import annotations

from pathlib import Path

from posedata.command import say
from posedata.synthetic.build import synthesize

from ..demo import CONFIG, SCENES, SPLIT
from ..evaluation import evaluate
from .door import browse

__all__ = ["browse_demo"]


def browse_demo(folder: Path, count: int, quiet: bool, app: bool = True) -> None:
    """Open the errors of the demo, until the App is closed."""
    truth = synthesize(CONFIG, SPLIT, min(count, SCENES), quiet=quiet)
    made = browse(evaluate(truth, folder / f"{CONFIG}.json"), name="posebench-demo", app=False)
    say(f"\n{made!r}", quiet)
    if app:
        say("close its tab, or press Ctrl-C, to end", quiet)
        made.open().wait()
