"""The screenshots of docs/fiftyone.md: the App of FiftyOne on the demo's predictions, in a headless Chromium.

    python -m docs.fiftyone_pictures

A test goes the same steps.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

from tests.browser import chromium, watched
from tests.voxels import free_port, own_fiftyone

OUT = Path(__file__).parent / "img"
PATIENCE = 90_000
"""Milliseconds: a busy machine takes its time."""


@contextmanager
def serving(name: str) -> Iterator[str]:
    """The App's server on a dataset of the database that this process has started; its address."""
    port = free_port()
    code = (
        f"import fiftyone as fo, time; fo.config.do_not_track = True; s = fo.launch_app(fo.load_dataset({name!r}), port={port}, remote=True); time.sleep(3600)"
    )
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            yield _answering(f"http://localhost:{port}", server, said)
        finally:
            server.terminate()
            server.wait(30)


def _answering(address: str, server: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    for _ in range(360):
        try:
            with urlopen(f"{address}/fiftyone", timeout=2):  # noqa: S310  # our own address
                return address
        except OSError:
            if server.poll() is not None:
                said.seek(0)
                raise AssertionError(f"the App's server has ended: {said.read()[-600:].decode(errors='replace')}") from None
            time.sleep(0.5)
    raise AssertionError("the App's server does not answer")


class App:
    """One page of the App; each step leaves a picture in a folder."""

    def __init__(self, page: Any, address: str, name: str, folder: Path) -> None:
        self.page, self.address, self.name, self.folder = page, address, name, folder
        page.set_default_timeout(PATIENCE)

    def grid(self) -> bytes:
        """All images."""
        self._open("")
        advert = self.page.get_by_text("Dismiss", exact=True)
        if advert.count() or self._appears(advert):
            advert.first.click()
        return self._picture("grid")

    def view(self, title: str) -> bytes:
        """A saved view, by its address."""
        self._open(f"?view={title.lower().replace(': ', '-').replace(' ', '-')}")
        return self._picture("view")

    def panel(self) -> int:
        """The panel beside the images; how many bars it draws."""
        self._open("")
        self.page.locator('[data-cy="new-panel-btn"], [title="New panel"]').first.click()
        self.page.get_by_text("Pose errors").first.click()
        self.page.locator(".barlayer .point path").first.wait_for(state="attached")
        self._picture("panel")
        return int(self.page.locator(".barlayer .point").count())

    def click_widest_bar(self) -> tuple[str, str]:
        """Click the bar with most points; (keypoint, kind) as its tooltip names them."""
        bars = self.page.locator(".barlayer .point path")
        boxes = [box for i in range(bars.count()) if (box := bars.nth(i).bounding_box())]
        widest = max(boxes, key=lambda box: box["width"])
        x, y = widest["x"] + widest["width"] / 2, widest["y"] + widest["height"] / 2
        self.page.mouse.move(x, y)
        tooltip = self.page.locator(".hoverlayer .hovertext")
        tooltip.first.wait_for()
        texts = " ".join(tooltip.locator("text").all_text_contents())
        before = self.count()
        self.page.mouse.click(x, y)
        self._until(lambda: self.count() != before)
        self._settle()
        said = re.search(r"\([\d.]+, (\w+)\)", texts)
        assert said is not None, texts
        return said[1], texts.replace(said[0], "").strip()

    def evaluation(self, key: str) -> str:
        """The Model Evaluation panel on an evaluation; its text."""
        self.page.locator('[data-cy="new-panel-btn"], [title="New panel"]').first.click()
        self.page.get_by_text("Model Evaluation").first.click()
        self.page.get_by_text(re.compile(r"^\d+ Model Evaluations?$")).first.wait_for()  # the sidebar has a group of the same name
        self._settle()
        self.page.get_by_text(key, exact=True).last.click(force=True)
        self.page.get_by_text("Summary", exact=True).first.wait_for()
        self.page.get_by_text("AP@0.50").first.wait_for()
        self._picture("evaluation")
        return str(self.page.inner_text("body"))

    def count(self) -> int:
        """Samples of the view, as the App counts them."""
        text = str(self.page.locator("text=/^\\d+ samples?$/").first.inner_text())
        return int(text.split()[0])

    def _open(self, query: str) -> None:
        self.page.goto(f"{self.address}/datasets/{self.name}{query}")
        self.page.locator('[data-cy="looker"] canvas').first.wait_for()

    def _picture(self, name: str) -> bytes:
        self._settle()
        return bytes(self.page.screenshot(path=self.folder / f"{name}.png"))

    def _settle(self) -> None:
        """Until two looks are alike: pictures come one after another."""
        last = b""
        for _ in range(8):
            self.page.wait_for_timeout(1000)
            if (now := self.page.screenshot()) == last:
                return
            last = now

    def _appears(self, thing: Any) -> bool:
        for _ in range(8):
            self.page.wait_for_timeout(500)
            if thing.count():
                return True
        return False

    def _until(self, done: Any) -> None:
        for _ in range(60):
            if done():
                return
            self.page.wait_for_timeout(500)


def main() -> None:
    with own_fiftyone() as folder:
        import posebench
        import posedata
        from posebench.demo import planted

        truth = posedata.synthesize("quadruped", "val", 48, quiet=True)
        made = posebench.browse(posebench.evaluate(truth, planted(truth)), name="demo", app=False)
        with chromium() as browser, serving("demo") as address, watched(browser, {"width": 1280, "height": 720}, color_scheme="dark") as w:
            app = App(w.page, address, "demo", folder)
            app.grid()
            app.view("simulated: inversion")
            app.panel()
            print(app.click_widest_bar(), app.count(), "of", len(made.dataset))
            w.page.screenshot(path=folder / "click.png")
            app.evaluation("eval_simulated")
        for name in ("grid", "view", "click", "evaluation"):
            small(folder / f"{name}.png", OUT / f"fiftyone_{name}.png")


def small(source: Path, target: Path) -> None:
    """The picture in few colours, for it travels with the repository."""
    from PIL import Image

    with Image.open(source) as picture:
        picture.convert("RGB").resize((960, round(960 * picture.height / picture.width)), Image.Resampling.LANCZOS).quantize(160, dither=0).save(
            target, optimize=True
        )
    print(target, target.stat().st_size // 1000, "kB")


if __name__ == "__main__":
    main()
