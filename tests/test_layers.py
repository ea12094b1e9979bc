"""Imports go one way, heavy libraries stay in their rooms, and a fresh interpreter loads next to nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scored import annotations, results, written

ROOT = Path(__file__).parents[1]
PACKAGES = ("posedata", "posebench", "baselines")
FORBIDDEN_AT_IMPORT = ("pandas", "pyarrow", "datasets", "scipy", "matplotlib", "PIL", "statsmodels", "torch", "fiftyone", "ray", "pycocotools", "rich")

TORCH = (
    "augment",
    "backbones",
    "complexity",
    "export",
    "layers",
    "checkpoint",
    "data",
    "distributed",
    "heads",
    "losses",
    "models",
    "optim",
    "scoring",
    "session",
    "starting",
    "train",
    "predict",
    "timing",
    "cost",
    "hub",
    "benchmark",
    "runtime",
    "rates",
    "ablation",
    "parity",
    "checking/bench",
    "checking/detectors",
    "checking/batch",
    "checking/flow",
    "checking/fitting",
    "checking/pictures",
    "checking/running",
    "looking",
    "topdown",
    "freezing",
    *(f"rcnn/{name}" for name in ("model", "regions", "losses", "targets", "decode", "loader", "grow", "foreign", "published", "family", "finding", "scoring")),
)
"""Files of baselines that are about tensors; its commands, recipes, crops and tables are not."""

# library: the files that may import it at their top
ROOMS = {
    "pandas": {"posedata/formats/frames.py", "posebench/frames.py"},
    "pyarrow": {"posedata/formats/arrow.py", "posedata/formats/arrow_in.py"},
    "datasets": {"posedata/formats/arrow.py", "posedata/formats/hf.py"},
    "pycocotools": {"posedata/formats/masks.py", "posebench/check.py"},
    "PIL": {
        "posedata/images.py",
        "posedata/synthetic/build.py",
        "posedata/lookalikes/reading.py",
        "posedata/lookalikes/sheet.py",
        "posebench/suspects/sheet.py",
        "baselines/checking/pictures.py",
    },
    "torch": {"posedata/formats/torch.py"} | {f"baselines/{name}.py" for name in TORCH},
    "torchvision": {"baselines/backbones.py"} | {f"baselines/rcnn/{name}.py" for name in ("model", "regions", "losses", "published")},
    "timm": {"baselines/rcnn/model.py", "baselines/backbones.py", "baselines/layers.py", "baselines/session.py", "baselines/benchmark.py"},
    "onnxruntime": set(),
    "onnxscript": set(),
    "safetensors": {"baselines/checkpoint.py"},
    "huggingface_hub": {"baselines/hub.py"},
    "matplotlib": {str(p.relative_to(ROOT)) for p in (ROOT / "posebench" / "plots").glob("*.py")}
    | {"posedata/profiling/plots.py", "baselines/curves.py", "baselines/forest.py", "baselines/checking/plots.py", "baselines/board/plot.py"},
    "scipy": {"posebench/statistics/batched.py", "posebench/stats.py"},
    "statsmodels": {"posebench/stats.py"},
    "fiftyone": {f"posedata/formats/fiftyone{name}.py" for name in ("", "_db", "_fields", "_home", "_standing")}
    | {"posedata/showing.py"}
    | {f"posebench/browsing/{name}.py" for name in ("browse", "views", "backend", "install", "plugin/__init__")},
}

# Within posedata, top-level imports go to files earlier in this list.
FLOW = (
    "version", "errors", "files", "pages", "progress", "command", "download", "schema", "schemas", "mapping", "rest", "columns", "grouping", "tables", "arrays", "category", "card", "dataset", "joining", "flips", "predictions",
    "similarity", "merging", "splitting", "entries", "catalog", "formats", "images", "synthetic", "datasets", "obtain", "lookalikes", "annotators", "validation", "profiling", "browsing", "showing",
    "cli_browse", "cli_validate", "cli_merge", "cli_duplicates", "cli_sigmas", "cli",
)  # fmt: skip


def sources() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def top_imports(tree: ast.Module) -> list[tuple[int, str]]:
    """(level, module) of imports that run when the file is imported; those for type checkers do not."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
    return found


def absolute(path: Path, level: int, module: str) -> str:
    """The imported module's full name."""
    if not level:
        return module
    package = path.relative_to(ROOT).with_suffix("").parts[:-level]
    return ".".join([*package, *([module] if module else [])])


def test_every_heavy_library_is_imported_only_in_its_room() -> None:
    for path in sources():
        for level, module in top_imports(ast.parse(path.read_text())):
            library = absolute(path, level, module).split(".")[0]
            if library in ROOMS:
                assert str(path.relative_to(ROOT)) in ROOMS[library], f"{path.name} imports {library} at its top"


def test_packages_import_one_way() -> None:
    for path in sources():
        own = path.relative_to(ROOT).parts[0]
        for level, module in top_imports(ast.parse(path.read_text())):
            other = absolute(path, level, module).split(".")[0]
            if other in PACKAGES:
                assert PACKAGES.index(other) <= PACKAGES.index(own), f"{path.relative_to(ROOT)} imports {other}"


def test_files_import_only_what_comes_earlier_in_the_flow() -> None:
    for path in (ROOT / "posedata").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        own = parts[1] if parts[1] != "__init__" else "cli"
        for level, module in top_imports(ast.parse(path.read_text())):
            name = absolute(path, level, module).split(".")
            if name[0] == "posedata" and len(name) > 1:
                assert FLOW.index(name[1]) <= FLOW.index(own), f"{path.relative_to(ROOT)} imports {'.'.join(name)}"


def loaded_after(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys; print(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import posedata, posebench, baselines",
        "import posedata; posedata.load_schema('coco17'); posedata.PoseDataset; posedata.read_coco; posedata.read_predictions",
        "import posedata.cli, posebench.cli",
    ],
)
def test_a_fresh_interpreter_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_after(statement) & set(FORBIDDEN_AT_IMPORT)


def test_the_command_evaluate_loads_nothing_heavy(tmp_path: Path) -> None:
    truth = annotations()
    paths = [str(p) for p in written(tmp_path, truth, results(truth))]
    said = f"{paths[1]!r}, '--truth', {paths[0]!r}, '--by', 'size', '--by', 'keypoint', '--json'"
    code = f"import sys; sys.argv = ['posebench', 'evaluate', {said}]\nfrom posebench.cli import main\ntry: main()\nexcept SystemExit: sys.stdout.write('\\n')"
    loaded = loaded_after(code)
    assert '{"AP":' in loaded, "the command has run"
    assert {"numpy", "click", "msgspec", "posebench"} <= loaded
    assert not loaded & set(FORBIDDEN_AT_IMPORT)


BARE = ("pycocotools", "datasets", "pandas", "pyarrow", "statsmodels", "fiftyone", "matplotlib", "msgspec", "rich", "scipy", "click")
"""What a machine that only trains may lack."""


def without(*names: str) -> str:
    """Python that makes these libraries absent."""
    return f"import sys; sys.modules.update(dict.fromkeys({names!r}))\n"


def test_scenes_are_drawn_and_scored_where_numpy_and_pillow_are_all_there_is(drawn_once: Path) -> None:
    code = (
        "import posedata, posebench\n"
        "truth = posedata.load_dataset('synthetic', 'quadruped', split='val', n=4)\n"
        "found = posedata.Predictions.from_arrays(schema=truth.schema, image=truth.images.id[truth.instances.image], keypoints=truth.instances.keypoints,\n"
        "    category=[truth.categories[c].id for c in truth.instances.category], score=[1.0] * len(truth))\n"
        "posebench.rescore(posebench.oks_nms(found), 0.2, 'keypoints').to_npz('found.npz')\n"
        "print(posebench.evaluate(truth, found)['AP'])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_CACHE": str(drawn_once)}
    done = subprocess.run([sys.executable, "-c", without(*BARE) + code], capture_output=True, text=True, cwd=drawn_once, env=env)
    assert done.stdout == "1.0\n", done.stderr


def test_the_fresh_interpreter_test_can_fail() -> None:
    assert "pandas" in loaded_after("import posedata; posedata.PoseDataset.from_arrays(image=[1]).to_pandas()")


def test_the_room_test_can_fail() -> None:
    assert top_imports(ast.parse("import numpy, torch"))[1] == (0, "torch")
    assert top_imports(ast.parse("def door():\n    import torch")) == []
    assert absolute(ROOT / "posedata" / "formats" / "coco.py", 2, "errors") == "posedata.errors"


def seconds(statement: str) -> float:
    """Processor time a fresh interpreter takes for a statement, best of three."""
    code = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout) for _ in range(3))


def test_importing_posedata_takes_a_quarter_second_at_most() -> None:
    assert seconds("import posedata") < 0.25
    # The first name asked for brings numpy, whose own time depends on the machine.
    assert seconds("import posedata; posedata.read_coco") < max(0.25, 3 * seconds("import numpy"))


def test_every_public_name_can_be_had_and_is_typed() -> None:
    import posedata

    for name in posedata.__all__:
        assert getattr(posedata, name) is not None
    text = (ROOT / "posedata" / "__init__.py").read_text()
    assert all(text.count(f"{name}") >= 2 for name in posedata.__all__), "a name without its twin for type checkers"
    homes = {module.split(".")[0] for module in posedata._HOME}
    assert not homes & set(posedata.__all__), "a module would hide the name"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = posedata.nonsense
