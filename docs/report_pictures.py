"""The pictures of the page on the report, taken by a headless Chromium: python -m docs.report_pictures"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from docs.build import DOCS
from posebench.demo import CONFIG, SCENES, SPLIT, planted
from posebench.evaluation import evaluate
from posebench.simulate import simulate
from posebench.statistics.compare import compare
from posedata.synthetic.build import synthesize
from tests.browser import PHONE, chromium, watched

WIDE = {"width": 1200, "height": 760}


def main() -> None:
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        one, several = reports(Path(name))
        with watched(browser, WIDE) as seen:
            seen.page.goto(one.as_uri())
            taken(seen.page, "first.png")
            seen.page.evaluate("document.querySelector('#gallery').scrollIntoView({behavior: 'instant'})")
            taken(seen.page, "gallery.jpg")
        with watched(browser, PHONE, color_scheme="dark") as seen:
            seen.page.goto(one.as_uri())
            taken(seen.page, "phone.png")
        with watched(browser, WIDE) as seen:
            seen.page.goto(several.as_uri())
            taken(seen.page, "versus.png")


def reports(folder: Path) -> tuple[Path, Path]:
    """The demo's page, and one of two simulated models of which the second knows left from right."""
    truth = synthesize(CONFIG, SPLIT, SCENES)
    usual = {"jitter": 0.12, "miss": 0.04, "missed": 0.04, "background": 0.1, "score_noise": 0.8}
    models = [evaluate(truth, simulate(truth, inversion=share, seed=seed, **usual).pred) for seed, share in enumerate((0.12, 0.02))]
    which = compare(*models, names=["before", "after"])
    return evaluate(truth, planted(truth)).report(folder / "report.html", 60), which.report(folder / "which.html", 10)


def taken(page: Any, name: str) -> None:
    """The window as a small file: photographs as JPEG."""
    page.wait_for_timeout(400)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(DOCS / "img" / f"report-{name}", optimize=True, **({"quality": 85} if name.endswith("jpg") else {}))


if __name__ == "__main__":
    main()
