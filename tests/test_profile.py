"""The first look: numbers worked by hand, figures without overlapping names, a page that needs nothing and trusts no name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import posedata
from posedata import DataError, FormatError, Keypoint, PoseDataset, Schema
from posedata.profiling.measuring import CELLS
from tests.conftest import poses
from tests.test_cli import run
from tests.test_pictures import with_pictures

HOSTILE = "<script>alert('$\\frac{1}$')</script>&\"\u202e.png"


def one_limb(labels: tuple[tuple[float, float], tuple[float, float]] = ((2, 2), (2, 0))) -> PoseDataset:
    """Two boxes of 10 x 10 at (0, 0); a at their upper left pixel, b three right and four down, or unlabelled."""
    schema = Schema(name="two", keypoints=(Keypoint("a", 0.1, "assumed"), Keypoint("b", 0.1, "assumed")), limbs=(("a", "b"),))
    keypoints = np.array([[[0, 0, a], [3, 4, b]] for a, b in labels], float)
    keypoints *= keypoints[..., 2:] > 0
    images = {"id": [1, 2], "file": ["1.png", "2.png"], "width": [20, 0], "height": [40, 0]}
    return PoseDataset.from_arrays(schema=schema, name="two", image=[1, 1], keypoints=keypoints, bbox=[[0, 0, 10, 10]] * 2, images=images)


def of_size(k: int, categories: int, n: int = 200) -> PoseDataset:
    """K points with long names, in many categories."""
    rng = np.random.default_rng(0)
    names = [f"left_hind_second_toe_{i:02d}".replace("left_", "near_") for i in range(k)]
    schema = Schema(name="many", keypoints=tuple(Keypoint(name, 0.05, "assumed") for name in names), limbs=tuple(pairwise(names)))
    v = rng.choice([0.0, 1.0, 2.0], (n, k, 1))
    keypoints = np.concatenate([rng.uniform(0, 99, (n, k, 2)), v], -1) * (v > 0)
    kinds = [f"king cheetah of the east {i:02d}" for i in rng.integers(0, categories, n)]
    return PoseDataset.from_arrays(schema=schema, name="many", image=rng.integers(0, 9, n), keypoints=keypoints, bbox=[[0, 0, 100, 100]] * n, category=kinds)


def test_numbers_worked_by_hand() -> None:
    p = posedata.profile(one_limb())
    k = p.keypoints
    assert (k["instances"].tolist(), k["seen"].tolist(), k["unlabelled"].tolist()) == ([2, 2], [2, 1], [0, 1])
    assert k["labelled_share"].tolist() == [1, 0.5]
    assert np.allclose((k["x_in_box"], k["y_in_box"]), [[0.05, 0.35], [0.05, 0.45]])
    assert p.together.tolist() == [[1, 0.5], [1, 1]]
    assert p.places.sum((1, 2)).tolist() == [2, 1]
    row, column = int((0.45 + 0.1) / 1.2 * CELLS), int((0.35 + 0.1) / 1.2 * CELLS)
    assert p.places[1, row, column] == 1
    assert (p.limbs["n"].tolist(), p.limbs["length_median"].tolist()) == ([1], [0.5])
    assert p.limbs["direction"][0] == pytest.approx(np.degrees(np.arctan2(4, 3)))
    assert p.angles[0, int((p.limbs["direction"][0] + 180) / 10)] == 1
    assert p.instances["pixels"].tolist() == [10, 10]
    assert p.instances["box_share"].tolist() == [0.125, 0.125]
    assert p.instances["others"].tolist() == [1, 1]
    assert p.images["instances"].tolist() == [2, 0]
    assert np.isnan(p.images["width"][1])


def test_points_the_source_lacks_enter_no_share() -> None:
    ds = one_limb(((2, 0), (2, 0)))
    own = replace(ds.instances, annotated=np.array([[True, False]] * 2))
    k = posedata.profile(replace(ds, instances=own)).keypoints
    assert k["instances"].tolist() == [2, 0]
    assert np.isnan(k["labelled_share"][1])


def test_sharpness_is_of_the_picture_and_a_column_to_slice_by(tmp_path: Path) -> None:
    ds = with_pictures(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "2.png")
    (tmp_path / "3.png").write_bytes(b"nothing")
    p = posedata.profile(ds)
    assert p.images["sharpness"][0] == 0
    assert p.images["sharpness"][1] > 1000
    assert np.isnan(p.images["sharpness"][2])
    assert (p.opened, list(p.unread)) == (3, [2])
    assert "1 pictures could not be opened: 3.png (cannot be decoded" in str(p)
    marked = p.mark()
    assert len(marked.where(sharpness=lambda s: s > 1000).images) == 1
    assert "pixels" in marked.instances.meta
    assert posedata.profile(ds, pictures=0).opened == 0
    with pytest.raises(DataError, match="other images or instances"):
        p.mark(ds.take([0]))


def test_names_that_a_merge_leaves_are_no_kinds() -> None:
    both, _ = posedata.merge([replace(poses("coco17", n=3), name=name) for name in "ab"])
    assert {"source", "image source"} <= posedata.profile(both).values.keys()
    assert not {"source_id", "image source_id", "image duplicate"} & posedata.profile(both).values.keys()


def test_differences_are_standardised_and_sorted_and_a_set_does_not_differ_from_itself() -> None:
    a, b = poses(n=300, images=40), poses(n=300, images=40, seed=1)
    shifted = replace(b, instances=replace(b.instances, bbox=b.instances.bbox * [1, 1, 3, 3]))
    d = posedata.profile(a, shifted, pictures=0).differences
    assert (np.diff(np.abs(d["difference"])) <= 0).all()
    row = d["what"].tolist().index("box_share, mean")
    x, y = (p.instances.bbox[:, 2] * p.instances.bbox[:, 3] / 1e4 for p in (a, shifted))
    spread = np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    assert d["difference"][row] == pytest.approx((x.mean() - y.mean()) / spread)
    assert d["low"][row] < d["difference"][row] < d["high"][row] < 0
    assert (d["n_here"][row], d["n_there"][row]) == (300, 300)
    assert not posedata.profile(a, a, pictures=0).differences["difference"].any()
    assert posedata.profile(a, pictures=0).differences == {}


@pytest.mark.parametrize("ds", [PoseDataset.from_arrays(image=[]), PoseDataset.from_arrays(image=[1, 1], bbox=[[0, 0, 5, 5]] * 2), one_limb(((0, 0), (0, 0)))])
def test_a_set_with_next_to_nothing_has_a_profile(ds: PoseDataset, tmp_path: Path) -> None:
    p = posedata.profile(ds, ds)
    json.dumps(p.to_dict(), allow_nan=False)
    assert str(p)
    for name in ("a.html", "a.png", "a.json"):
        assert p.write(tmp_path / name).stat().st_size > 100


def test_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give a dataset"):
        posedata.profile("a.json")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a whole number, 0 for none"):
        posedata.profile(poses(), pictures=-1)
    with pytest.raises(FormatError, match=r"no profile ends in '\.pdf'"):
        posedata.profile(poses()).write(tmp_path / "a.pdf")


# -- figures and page --------------------------------------------------------------------------------


def overlapping(panel: Any) -> list[tuple[str, str]]:
    """Names in a figure that lie on each other, or reach beyond it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from posedata.profiling import plots

    with plots._styled():
        figure = Figure(figsize=(plots.WIDTH, panel.height + 0.1), dpi=100)
        FigureCanvasAgg(figure)
        plots._place(figure, panel, 0, panel.height + 0.1, plots.WIDTH, panel.height + 0.1)
        figure.canvas.draw()
        texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
        ax = figure.axes[0]
        shown = {*ax.get_xticklabels(), *ax.get_yticklabels()}
        lim = [sorted(ax.get_xlim()), sorted(ax.get_ylim())]
        off = {t for t in ax.get_xticklabels() if not lim[0][0] <= t.get_position()[0] <= lim[0][1]} | {
            t for t in ax.get_yticklabels() if not lim[1][0] <= t.get_position()[1] <= lim[1][1]
        }
        boxes = [(t.get_text(), t.get_window_extent().shrunk(0.98, 0.8)) for t in texts if t not in off or t not in shown]
    page = figure.bbox
    bad = [(a, b) for i, (a, x) in enumerate(boxes) for b, y in boxes[:i] if x.overlaps(y)]
    return bad + [(a, "edge") for a, x in boxes if x.x0 < page.x0 - 1 or x.x1 > page.x1 + 1 or x.y0 < page.y0 - 1 or x.y1 > page.y1 + 1]


@pytest.mark.parametrize(("k", "categories"), [(1, 1), (2, 3), (17, 54), (30, 54), (30, 90)])
def test_no_names_lie_on_each_other(k: int, categories: int) -> None:
    from posedata.profiling.plots import panels

    p = posedata.profile(of_size(k, categories), of_size(k, categories, 100))
    found = {panel.title: overlapping(panel) for panel in panels(p)}
    assert not {title: bad[:5] for title, bad in found.items() if bad}


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


def hostile(tmp_path: Path) -> PoseDataset:
    """Every name that can be bad is bad."""
    ds = with_pictures(tmp_path)
    name = HOSTILE.replace("/", "")
    Image.new("RGB", (100, 100), (9, 99, 9)).save(tmp_path / name)
    images = replace(ds.images, file=np.array([name, "2.png", "3.png", "4.png"], object)).with_meta(background=np.array([HOSTILE, "日本", "c", "d"], object))
    categories = tuple(replace(c, name=HOSTILE) for c in ds.categories)
    return replace(ds, name=HOSTILE, images=images, categories=categories, schema=replace(ds.schema, source=HOSTILE))


def test_the_page_fetches_nothing_and_trusts_no_name(tmp_path: Path) -> None:
    ds = hostile(tmp_path)
    text = posedata.profile(ds, ds).to_html(tmp_path / "p.html").read_text()
    page = Page(text)
    assert "script" not in page.tags
    assert all(a.startswith(("data:image/", "#")) for a in page.addresses)
    assert not re.search(r"url\((?!['\"]?#)", text)
    assert "@import" not in text
    assert HOSTILE.replace("\u202e", "\\u202e") in page.words
    assert "\u202e" not in text
    assert page.tags.count("svg") == page.tags.count("h3") > 8
    assert len(re.findall(r'role="img" aria-label="[^"]{10,}', text)) == page.tags.count("svg")
    assert posedata.profile(ds).to_png(tmp_path / "p.png").stat().st_size > 10_000


def test_the_page_is_the_same_twice_and_small(tmp_path: Path) -> None:
    ds = with_pictures(tmp_path)
    first, second = (posedata.profile(ds).to_html(tmp_path / n).read_bytes() for n in ("a.html", "b.html"))
    assert first == second
    assert len(first) < 1_500_000


def test_a_browser_shows_the_page_at_the_width_of_a_phone(tmp_path: Path) -> None:
    chromium = next((c for c in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if c), None)
    if not chromium:
        pytest.skip("no chromium on PATH")
    page = posedata.profile(with_pictures(tmp_path)).to_html(tmp_path / "p.html")
    probe = "<script>document.title = document.documentElement.scrollWidth <= innerWidth ? 'FITS' : 'WIDE'</script></body>"
    text = page.read_text().replace("</body>", probe).replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    page.write_text(text)
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'c'}",
        "--window-size=500,900",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "<title>FITS</title>" in done.stdout


# -- the command -------------------------------------------------------------------------------------


def test_the_command_writes_what_the_suffix_says(tmp_path: Path) -> None:
    with_pictures(tmp_path).to_coco(tmp_path / "a.json")
    poses(seed=1).to_coco(tmp_path / "b.json")
    done = run("posedata", "profile", "a.json", "--images", ".", "--against", "b.json", "-o", "p.html", "-o", "p.png", "-o", "p.json", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    plain = json.loads(done.stdout)
    assert plain == json.loads((tmp_path / "p.json").read_text())
    assert plain["opened"] == 4
    assert plain["differences"]
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.width > 1000
    assert "left_shoulder" in run("posedata", "profile", "a.json", cwd=tmp_path).stdout
    for wrong in (("-o", "p.pdf"), ("--against-images", "."), ("--schema", "nonsense")):
        assert run("posedata", "profile", "a.json", *wrong, cwd=tmp_path).returncode == 2


def test_real_files_have_profiles(real: Path, tmp_path: Path) -> None:
    crowd = posedata.read_coco(real / "crowdpose_sample" / "test_crowdpose.json", real / "crowdpose_sample", schema="crowdpose14")
    p = posedata.profile(crowd)
    rows = dict(zip(p.keypoints["keypoint"], p.keypoints["seen"], strict=True))
    assert rows["head"] == rows["neck"] == 0, "CrowdPose never marks head and neck as seen"
    assert p.to_html(tmp_path / "c.html").stat().st_size > 50_000
