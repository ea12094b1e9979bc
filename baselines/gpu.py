"""`make gpu`: everything that only a GPU can show, in steps that can be broken off and taken up again.

python3 -m baselines.gpu needs torch, timm, torchvision, numpy and Pillow; it installs and downloads nothing, and renders its data itself.
Each step leaves a small JSON file; a step whose file is there is not done again. No call works longer than its minutes: it then says
that the same command goes on, and exits with 3.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from posedata.errors import PoseError, brief
from posedata.files import write_bytes

__all__ = ["STEPS", "Job", "main"]

UNFINISHED = 3
"""Exit of a call that the same command goes on from."""
USED = ("torch", "torchvision", "timm", "numpy", "PIL", "safetensors")
UNUSED = ("pycocotools", "datasets", "pandas", "pyarrow", "msgspec", "click", "rich", "scipy", "statsmodels", "matplotlib", "fiftyone")
"""What the package knows but this path does without."""


@dataclass(frozen=True)
class Job:
    """What is measured, at which size."""

    folder: Path
    """Where the small files go."""
    work: Path
    """Where the run goes; not kept."""
    device: str
    until: float
    """When this call must stop, by time.monotonic."""
    toy: bool = False

    @property
    def recipes(self) -> tuple[str, ...]:
        """Recipes whose speed is measured and whose networks are compared."""
        return ("synthetic-demo",) if self.toy else _MEASURED

    @property
    def scenes(self) -> int:
        return 24 if self.toy else 4096

    @property
    def seconds(self) -> float:
        """For each part of a benchmark."""
        return 0.05 if self.toy else 10.0

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def check(self) -> None:
        """Stop here if the time of this call is over."""
        if time.monotonic() > self.until:
            raise Unfinished

    def write(self, name: str, values: dict[str, Any]) -> None:
        """A result, small and readable."""
        write_bytes(self.path(name), (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())


class Unfinished(Exception):
    """The time of this call is over; the same command goes on."""


_MEASURED = (
    "coco-resnet50",
    "coco-hrnet_w32",
    "coco-hrnet_w48",
    "coco-vit_s",
    "coco-vit_b",
    "coco-convnext_t",
    "coco-swin_t",
    "coco-mobilenetv4_s",
    "ap10k-hrnet_w32",
)
_TRAINED = "synthetic-mobilenetv4"


# -- steps -------------------------------------------------------------------------------------------


def draw(job: Job) -> None:
    """Render the scenes of the training run."""
    from posedata.synthetic.build import synthesize

    begun = time.perf_counter()
    recipe, config = _recipe(job), "quadruped"
    for n in range(512, recipe.scenes, 512):  # a shard is there or not; what is drawn is never drawn again
        synthesize(config, "train", n, quiet=True)
        job.check()
    train, val = synthesize(config, "train", recipe.scenes, quiet=True), synthesize(config, "val", _val_scenes(job), quiet=True)
    values = {"train": [len(train.images), len(train)], "val": [len(val.images), len(val)], "fingerprints": [train.fingerprint, val.fingerprint]}
    job.write("draw", {**_about(job), "images_and_instances": values, "seconds": round(time.perf_counter() - begun, 2), "processors": os.cpu_count()})


def parity(job: Job) -> None:
    """Whether CPU and GPU say the same: networks, decoding, augmentation, losses."""
    from .parity import compared

    done = _partly(job, "parity")
    for name in job.recipes:
        if name not in done["recipes"]:
            done["recipes"][name] = compared(name, job.device, 2 if job.toy else 8)
            job.write("parity.part", done)
            job.check()
    _finish(job, "parity", done)


def benchmark(job: Job) -> None:
    """Images a second, memory, floors."""
    from .benchmark import benchmark as measured

    done = _partly(job, "benchmark")
    done.setdefault("rows", [])
    for name in job.recipes:
        if name not in [row["recipe"] for row in done["rows"]]:
            done["rows"].append(measured(name, device=job.device, seconds=job.seconds, batch=4 if job.toy else None))
            job.write("benchmark.part", done)
            job.check()
    _finish(job, "benchmark", done)


def train(job: Job) -> None:
    """A real training run on rendered scenes, in pieces."""
    from .runs import METRICS, read_metrics
    from .train import Stopped
    from .train import train as learn

    recipe, out = _recipe(job), job.work / "run"
    with _stopping(job.until):
        try:
            run = learn(recipe, out, resume=(out / "config.toml").is_file(), device=job.device, quiet=True)
        except Stopped:
            raise Unfinished from None
    lines = read_metrics(run.folder)
    best = max(lines, key=lambda line: line.get("AP") or 0.0)
    seconds = sum(line["seconds"] for line in lines)
    job.write("train", {**_about(job), "recipe": recipe.to_dict(), "epochs": lines, "best": best, "seconds": round(seconds, 1), "from": METRICS})


def predict(job: Job) -> None:
    """Predictions of that run, scored."""
    from posebench.evaluation import evaluate
    from posedata.synthetic.build import synthesize

    from .predict import measured
    from .predict import predict as found_by
    from .runs import read_run

    run = read_run(job.work / "run")
    truth = synthesize("quadruped", "val", _val_scenes(job), quiet=True)
    found = found_by(run, truth, device=job.device, batch=8 if job.toy else 256, quiet=True)
    ev = evaluate(truth, found.predictions)
    found.predictions.to_npz(job.folder / "predictions.npz")
    metrics = {name: None if value != value else value for name, value in {**ev.metrics, "PCK@0.2": ev["PCK@0.2"]}.items()}
    values = {"metrics": metrics, "counts": ev.counts, "protocol": f"{ev.protocol.name} {ev.protocol.fingerprint}", "truth": truth.fingerprint}
    job.write("predict", {**_about(job), **values, "timing": found.timing.to_dict(), "measured": measured(found, run)})


STEPS: dict[str, Callable[[Job], None]] = {"draw": draw, "parity": parity, "benchmark": benchmark, "train": train, "predict": predict}
"""In their order; each leaves NAME.json."""


def _recipe(job: Job) -> Any:
    """What is trained."""
    from .recipes import RECIPES

    if job.toy:
        return replace(RECIPES["synthetic-demo"], width=64, height=64, scenes=job.scenes, epochs=2, batch=8, val=f"val[:{_val_scenes(job)}]", name="toy")
    return replace(RECIPES[_TRAINED], width=256, height=256, sigma=2.0, scenes=job.scenes, epochs=100, batch=256, name="synthetic-mobilenetv4-gpu")


def _val_scenes(job: Job) -> int:
    return 8 if job.toy else 128


def _about(job: Job) -> dict[str, Any]:
    import torch

    from .benchmark import about

    return {**about(torch.device(job.device)), "toy": job.toy, "absent": [name for name in UNUSED if find_spec_of(name) is None]}


def find_spec_of(name: str) -> object | None:
    """Where a library is; None where it is not."""
    try:
        return None if name in sys.modules and sys.modules[name] is None else find_spec(name)
    except (ImportError, ValueError):
        return None


def _partly(job: Job, name: str) -> dict[str, Any]:
    """What an earlier call has left of a step."""
    path = job.path(f"{name}.part")
    if path.is_file():
        try:
            return dict(json.loads(path.read_bytes()))
        except ValueError:
            path.unlink()
    return {**_about(job), "recipes": {}}


def _finish(job: Job, name: str, values: dict[str, Any]) -> None:
    job.write(name, values)
    job.path(f"{name}.part").unlink(missing_ok=True)


@contextmanager
def _stopping(until: float) -> Iterator[None]:
    """Ask this process to save itself and stop when the time is over, as Ctrl-C would; before the loop there is nothing to save yet."""

    def stop(number: int, frame: Any) -> None:
        raise Unfinished

    before = signal.signal(signal.SIGTERM, stop)
    timer = threading.Timer(max(until - time.monotonic(), 0.0), lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGTERM, before)


# -- running -----------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Do what is left to do, for as long as a call may."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except PoseError as e:
        sys.stderr.write(f"gpu: {e}\n")
        return 2


def _run(options: argparse.Namespace) -> int:
    _require(options.step)
    missing = [name for name in USED if find_spec_of(name) is None]
    if missing:
        raise PoseError(
            "make gpu", f"this python3 lacks {', '.join(missing)}", "it installs nothing itself: python3 -m pip install torch torchvision timm pillow"
        )
    import torch

    device = options.device or "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        raise PoseError("make gpu", "torch sees no GPU", "--device cpu tries the path, which measures no GPU; --toy in a minute")
    from .distributed import device_of

    device_of(device)
    os.environ.setdefault("POSEBENCH_CACHE", str(Path(options.work).absolute() / "cache"))
    job = Job(Path(options.out), Path(options.work), device, time.monotonic() + 60 * options.minutes, options.toy)
    _same_place(job)
    for name in [options.step] if options.step else STEPS:
        if job.path(name).is_file() and not options.again:
            _say(f"{name}: there already")
            continue
        begun = time.perf_counter()
        try:
            STEPS[name](job)
        except Unfinished:
            _say(f"{name}: not finished after {options.minutes:g} minutes; the same command goes on")
            return UNFINISHED
        _say(f"{name}: {job.path(name)}, {time.perf_counter() - begun:.1f} s")
    return 0


def _require(step: str | None) -> None:
    if step is not None and step not in STEPS:
        raise PoseError(f"--step {brief(step)}", "no such step", f"one of: {', '.join(STEPS)}")


def _same_place(job: Job) -> None:
    """Figures of two machines never mix in one folder."""
    from .benchmark import about

    import torch  # isort: skip

    here = {"hardware": about(torch.device(job.device))["hardware"], "toy": job.toy}
    for name in STEPS:
        if job.path(name).is_file():
            there = json.loads(job.path(name).read_bytes())
            if {k: there.get(k) for k in here} != here:
                raise PoseError(str(job.folder), f"holds figures of {there.get('hardware')}, this is {here['hardware']}", "--out names another folder")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m baselines.gpu", description="Measure on this machine's GPU what no other machine can.")
    parser.add_argument("--step", help=f"only one of: {', '.join(STEPS)}")
    parser.add_argument("--out", default="benchmarks/gpu", help="folder of the small files that are kept (default %(default)s)")
    parser.add_argument("--work", default="out/gpu", help="folder of scenes, crops and the run (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=8.0, help="at most, for one call (default %(default)s)")
    parser.add_argument("--device", help="another than the first GPU; cpu only tries the path")
    parser.add_argument("--toy", action="store_true", help="everything, at the smallest size")
    parser.add_argument("--again", action="store_true", help="do what is there already anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
