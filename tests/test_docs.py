"""The docs are executed, and what is generated in them is up to date."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from docs.build import DOCS, drawn, filled, pages
from posedata import SCHEMAS, Schema, list_datasets
from posedata.catalog import entry

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, drawn_once: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    commands = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith(("posedata ", "posebench ", "baselines "))]
    if not code and not commands:
        pytest.skip("no code on this page")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_CACHE": str(drawn_once), "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in commands:
        name, *arguments = line.split("  #")[0].split()
        ran = subprocess.run([sys.executable, "-c", f"from {name}.cli import main; main()", *arguments], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert ran.returncode == 0, f"{line}: {ran.stderr}"


def test_schema_files_in_the_docs_are_schemas() -> None:
    found = [Schema.from_dict(tomllib.loads(block)) for page in PAGES for block in blocks(page, "toml") if "keypoints" in block]
    assert [s.name for s in found] == ["mouse"]
    assert found[0].mirror.tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("page", pages())
def test_generated_parts_are_up_to_date(page: str) -> None:
    text = (DOCS / page).read_text()
    assert filled(text, pages()[page]) == text, "run: make docs"


def test_every_schema_has_its_section_and_its_picture() -> None:
    text = (DOCS / "schemas.md").read_text()
    for schema in drawn():
        assert f"### {schema.name}\n" in text
        assert (DOCS / "img" / f"{schema.name}.png").stat().st_size > 10_000
    for schema in SCHEMAS.values():
        assert f"`{schema.name}`" in text or f"### {schema.name}\n" in text or schema.name == "none"


@pytest.mark.parametrize("name", list_datasets())
def test_every_dataset_and_every_known_fault_is_documented(name: str) -> None:
    card = (DOCS / "datasets.md").read_text().partition(f"### {name}\n")[2].partition("\n### ")[0]
    assert all(f"| {fault.name} |" in card for fault in entry(name).faults)
    assert entry(name).licence in card


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_errors_point_to_pages_that_exist() -> None:
    for source in ROOT.glob("posedata/**/*.py"):
        for target, anchor in re.findall(r"(docs/\w+\.md)(?:#([\w-]+))?", source.read_text()):
            text = (ROOT / target).read_text()
            headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
            assert not anchor or anchor in headings, f"{source.name}: {target}#{anchor}"


def test_the_repository_speaks_of_the_project_alone() -> None:
    for path in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "Makefile"]:
        assert not re.search(r"/work/|/tmp/|\bissue #?\d+ of ours", path.read_text())
