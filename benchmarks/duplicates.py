"""What of planted duplicates is found, and what is found besides: recall of each kind, precision, and seconds.

    python -m benchmarks.duplicates [--images 200] [--photos FOLDER] [--search 100000] [--json FILE]

Every picture of `synthetic` (and of --photos, a folder of real ones) gets one copy of each kind; originals are one set, the copies
of a kind another. A pair of an original and its own copy is right, any other pair is wrong, unless the originals are duplicates
of each other. Frames are synthetic scenes in which everybody moved by a share of the frame while nothing else changed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

import posedata
from posedata import PoseDataset
from posedata.images import open_image
from posedata.lookalikes.index import near_pairs
from posedata.lookalikes.reading import fingerprint
from posedata.synthetic import scene as scenes
from posedata.synthetic.staging import stage

Picture = Image.Image
Rng = np.random.Generator


def jpeg(picture: Picture, quality: int) -> Picture:
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=quality)
    return Image.open(io.BytesIO(held.getvalue())).convert("RGB")


def resized(picture: Picture, factor: float) -> Picture:
    return picture.resize([max(1, round(side * factor)) for side in picture.size], Image.Resampling.BICUBIC)


def cropped(picture: Picture, rng: Rng) -> Picture:
    """2 to 8 % of the width and of the height are cut off, anyhow shared between the sides."""
    lost = rng.uniform(0.02, 0.08, 2)
    start = rng.uniform(0, 1, 2) * lost
    wide, high = picture.size
    box = (start[0] * wide, start[1] * high, (start[0] + 1 - lost[0]) * wide, (start[1] + 1 - lost[1]) * high)
    return picture.crop([round(v) for v in box])  # type: ignore[arg-type]


def gamma(picture: Picture, power: float) -> Picture:
    return picture.point([round(255 * (i / 255) ** power) for i in range(256)] * 3)


PLANTED: dict[str, Callable[[Picture, Rng], Picture]] = {
    **{f"JPEG quality {q}": (lambda p, _, q=q: jpeg(p, q)) for q in (90, 70, 50, 30)},
    **{f"resized x{f}": (lambda p, _, f=f: resized(p, f)) for f in (0.5, 0.75, 1.5)},
    "cropped 2 to 8 %": cropped,
    "brightness x.7 or x1.3": lambda p, rng: ImageEnhance.Brightness(p).enhance(rng.choice([0.7, 1.3])),
    "contrast x.7 or x1.3": lambda p, rng: ImageEnhance.Contrast(p).enhance(rng.choice([0.7, 1.3])),
    "gamma .7 or 1.4": lambda p, rng: gamma(p, rng.choice([0.7, 1.4])),
    "grey": lambda p, _: p.convert("L").convert("RGB"),
    "mirrored": lambda p, _: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored, cropped, JPEG 60": lambda p, rng: jpeg(cropped(p, rng).transpose(Image.Transpose.FLIP_LEFT_RIGHT), 60),
    "quarter turn": lambda p, _: p.transpose(Image.Transpose.ROTATE_90),
    "turned 2 degrees": lambda p, rng: p.rotate(rng.choice([-2, 2]), Image.Resampling.BICUBIC, fillcolor=(0, 0, 0)),
}


def on_disk(pictures: Sequence[Picture], folder: Path, name: str) -> PoseDataset:
    """Pictures as a dataset without poses."""
    (folder / name).mkdir()
    for row, picture in enumerate(pictures):
        picture.save(folder / name / f"{row:05d}.png", compress_level=1)
    n = len(pictures)
    files = [f"{row:05d}.png" for row in range(n)]
    return PoseDataset.from_arrays(name=name, image=[], images={"id": np.arange(n), "file": files, "folder": [str(folder / name)] * n})


def drawn(n: int) -> list[Picture]:
    """Scenes of animals and of people, half of each."""
    sets = [posedata.synthesize(config, "val", -(-n // 2)) for config in ("quadruped", "person")]
    return [open_image(ds.images, row) for ds in sets for row in range(len(ds.images))][:n]


def photos(folder: Path, side: int = 1000) -> list[Picture]:
    found = []
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as picture:
            picture.draft("RGB", (side, side))
            small = picture.convert("RGB")
        small.thumbnail((side, side))
        found.append(small)
    return found


def frame(config: str, index: int, shift: float, turn: float) -> tuple[Picture, bool]:
    """A scene whose actors moved by a share of the frame and turned; and whether it has any."""
    rng = scenes.generator(config, 0, "val", index)
    troupe = scenes.TROUPES[config](rng)
    setting = stage(troupe, 256, rng)
    moved = [(actor, seen._replace(x=seen.x + shift * setting.view.width, yaw=seen.yaw + turn)) for actor, seen in setting.actors]
    hour = scenes.any_hour(rng)
    canvas = scenes.paint(troupe.ground, setting.view, hour, rng)
    light = scenes.sunlight(troupe.ground, hour, rng)
    scenes.perform(setting._replace(actors=moved), canvas, light, np.array(scenes.GROUNDS[troupe.ground].sky[1], np.float32))
    return Image.fromarray(scenes.develop(canvas, hour.tone)), bool(moved)


def row(originals: PoseDataset, alike: set[tuple[int, int]], name: str, copies: Sequence[Picture], folder: Path) -> dict[str, Any]:
    """Recall and precision of one kind."""
    planted = on_disk(copies, folder, name.replace("/", " "))
    found = posedata.duplicates(originals, planted, quiet=True)
    across = found.pairs.take(found.crossing)
    left, right = found.images.row[across.left], found.images.row[across.right]
    own = left == right
    wrong = sum((a, b) not in alike for a, b in zip(left[~own].tolist(), right[~own].tolist(), strict=True))
    recall = len(np.unique(left[own])) / len(copies)
    return {"kind": name, "images": len(copies), "recall": recall, "found": int(own.sum()) + wrong, "wrong": wrong}


def alike_in(originals: PoseDataset) -> set[tuple[int, int]]:
    """Originals that are duplicates of each other: their copies are too."""
    found = posedata.duplicates(originals, quiet=True)
    return {(a, b) for cluster in found.clusters for a in cluster.tolist() for b in cluster.tolist()}


def measured(name: str, pictures: Sequence[Picture], folder: Path) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    (folder / name).mkdir()
    originals = on_disk(pictures, folder / name, "originals")
    alike = alike_in(originals)
    return [{"of": name, **row(originals, alike, kind, [make(p, rng) for p in pictures], folder / name)} for kind, make in PLANTED.items()]


def frames(n: int, folder: Path) -> list[dict[str, Any]]:
    """How many frames of one scene are reported as near, by how far things moved."""
    (folder / "frames").mkdir()
    rows = []
    for shift, turn in ((0.02, 0.1), (0.05, 0.1), (0.1, 0.3), (0.25, 0.6)):
        pairs = [(frame(c, i, 0, 0), frame(c, i, shift, turn)) for i in range(n // 2) for c in ("quadruped", "person")]
        kept = [(a[0], b[0]) for a, b in pairs if a[1]]
        first = on_disk([a for a, _ in kept], folder / "frames", f"at {shift}")
        rows.append({"of": "frames of a scene", **row(first, set(), f"moved by {shift:.0%} of the frame", [b for _, b in kept], folder / "frames")})
    return rows


def rates(folder: Path, n: int) -> dict[str, float]:
    """Pictures of 640x480 read in a second by one core, and seconds for all near pairs of n."""
    rng = np.random.default_rng(0)
    ds = posedata.synthesize("person", "val", 20, size=640)
    paths = []
    for place in range(20):
        path = folder / f"speed{place}.jpg"
        open_image(ds.images, place).resize((640, 480)).save(path, quality=90)
        paths.append(str(path))
    fingerprint(paths[0])
    start = time.process_time()
    for path in paths * 5:
        fingerprint(path)
    rate = 100 / (time.process_time() - start)
    steep = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.rfftfreq(48), indexing="ij"))
    steep[0, 0] = 1
    small = np.empty((n, 48, 48), np.uint8)
    for at in range(0, n, 5000):  # clouds: spectra like those of photographs
        some = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(min(5000, n - at), 48, 48))) / steep**1.2, s=(48, 48))
        small[at : at + 5000] = (some / some.std((1, 2), keepdims=True) * 45 + 128).clip(0, 255)
    start, used = time.perf_counter(), time.process_time()
    near_pairs(small)
    took = {f"seconds for {n:,} hashes": time.perf_counter() - start, "of the processor": time.process_time() - used}
    return {"images a second and core": rate, **took}


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| pictures | planted | images | recall | pairs found | of them wrong |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {r['of']} | {r['kind']} | {r['images']} | {r['recall']:.3f} | {r['found']} | {r['wrong']} |" for r in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--photos", type=Path, help="a folder of real photographs")
    parser.add_argument("--search", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        rows = measured("synthetic", drawn(options.images), folder)
        if options.photos:
            rows += measured("photographs", photos(options.photos), folder)
        rows += frames(min(options.images, 80), folder)
        speed = rates(folder, options.search)
    print(table(rows))
    print("\n".join(f"{name}: {value:.1f}" for name, value in speed.items()))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "speed": speed}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
