"""Writes the pictures and the figures of the page on checks: a small recipe learned by heart, and the same with a layer that is dead.

About two minutes of one CPU core: python -m docs.checks
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import torch

from baselines.checking.flow import look_at_activations
from baselines.checking.running import check, opened
from baselines.recipes import RECIPES
from docs.build import DOCS, filled

RECIPE = RECIPES["synthetic-demo"].with_settings(["scenes=64", "train=train[:75%]", "val=train[75%:]", "width=96", "height=96"])
DEAD = "backbone.body.model.blocks.2.1.pw_exp.bn"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = check(RECIPE, folder, device="cpu")
        for name in ("batch", "fit", "precision-recall"):
            shutil.copy(Path(folder) / f"{name}.png", DOCS / "img" / f"checks-{name}.png")
        shutil.copy(Path(folder) / "activations.png", DOCS / "img" / "checks-alive.png")
        bench = opened(RECIPE, device="cpu")
        torch.nn.init.constant_(bench.model.get_submodule(DEAD).bias, -8.0)
        dead = look_at_activations(bench, Path(folder))
        shutil.copy(Path(folder) / "activations.png", DOCS / "img" / "checks-dead.png")
    page = DOCS / "checks.md"
    text = repr(found).replace(folder, "checks/synthetic-demo")
    verdicts = "\n".join(map(str, dead.verdicts))
    parts = {"checked": f"```text\n{text}\n```", "dead": f"```text\n{verdicts}\n```"}
    page.write_text(filled(page.read_text(), parts))


if __name__ == "__main__":
    sys.exit(main())
