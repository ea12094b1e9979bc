"""The notebooks of examples/ run from top to bottom, and stand in the repository as they ran, small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

RUN = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(book, sys.argv[3])
"""
"""A process of its own: Jupyter's libraries warn of each other."""


def cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def printed(path: Path) -> list[str]:
    """What each cell says on stdout."""
    return ["".join("".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout") for cell in cells(path)]


def test_there_are_two() -> None:
    assert [p.stem for p in NOTEBOOKS] == ["explore", "train"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_as_it_ran(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text) < 400_000 and not any(folder in text for folder in ("/tmp/", "/home/", "/root/"))  # noqa: S108
    for number, cell in enumerate(cells(path), 1):
        assert cell["execution_count"] == number, "run it anew, from top to bottom"
        assert not any(o["output_type"] == "error" or o.get("name") == "stderr" for o in cell["outputs"])
    assert any("image/png" in o.get("data", {}) or "image/jpeg" in o.get("data", {}) for cell in cells(path) for o in cell["outputs"]), "something to look at"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, drawn_once: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    if path.stem == "train":
        pytest.importorskip("torch", reason="torch is not installed")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_CACHE": str(drawn_once), "OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    made = tmp_path / "made.ipynb"
    done = subprocess.run([sys.executable, "-c", RUN, str(path), str(tmp_path), str(made)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    if path.stem == "explore":  # what is drawn from a seed is the same everywhere
        assert printed(made) == printed(path)
