"""Writes what is generated in the docs: the command page, the schemas' tables and pictures, the header's fields."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from posedata.images import draw_schema, save_picture
from posedata.mapping import KINDS
from posedata.predictions import HEADER_FIELDS
from posedata.schema import SIGMA_SOURCES, Schema
from posedata.schemas import SCHEMAS

DOCS = Path(__file__).parent


def pages() -> dict[str, dict[str, str]]:
    """For each page, the text of its generated parts by name."""
    return {
        "cli.md": {"commands": commands()},
        "schemas.md": {"schemas": "\n".join(map(schema_section, drawn())), "sources": table(SIGMA_SOURCES), "kinds": table(KINDS)},
        "formats.md": {"header": table(HEADER_FIELDS)},
    }


def drawn() -> list[Schema]:
    """Schemas that have a picture; sigma variants share their base's."""
    return [s for s in SCHEMAS.values() if len(s) and not s.name.endswith("_062")]


def table(rows: dict[str, str]) -> str:
    return "\n".join(f"| `{name}` | {text} |" for name, text in rows.items())


def schema_section(s: Schema) -> str:
    lines = [f"### {s.name}", "", f"![the {len(s)} points of {s.name}](img/{s.name}.png)", "", f"Source: {s.source}."]
    if s.asymmetry:
        lines.append(f"Left and right differ: {s.asymmetry}.")
    lines += ["", "| | keypoint | sigma | origin | mirror | meaning |", "|---|---|---|---|---|---|"]
    for row, k in enumerate(s.keypoints):
        mirror = s.names[s.mirror[row]] if s.mirror[row] != row else ""
        lines.append(f"| {row} | {k.name} | {k.sigma:g} | {k.sigma_source} | {mirror} | {k.definition} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """Every command's --help, as a terminal of 100 columns shows it."""
    from posebench.cli import app as posebench
    from posedata.cli import app as posedata

    parts = []
    for name, group in (("posedata", posedata), ("posebench", posebench)):
        parent = click.Context(group, info_name=name, terminal_width=100, help_option_names=["-h", "--help"])
        parts.append(help_block(name, group, parent))
        for verb in sorted(group.commands):
            command = group.commands[verb]
            parts.append(help_block(f"{name} {verb}", command, click.Context(command, info_name=verb, parent=parent, terminal_width=100)))
    return "\n".join(parts)


def help_block(title: str, command: click.Command, context: click.Context) -> str:
    return f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


def filled(text: str, parts: dict[str, str]) -> str:
    """The page with its generated parts replaced."""
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"no place for {name!r}")
        text = pattern.sub(lambda m, part=part: f"{m[1]}{part.rstrip()}\n{m[2]}", text)
    return text


def main() -> None:
    for page, parts in pages().items():
        path = DOCS / page
        path.write_text(filled(path.read_text(), parts))
    for schema in drawn():
        save_picture(draw_schema(schema), DOCS / "img" / f"{schema.name}.png")
    sheets()


def sheets() -> None:
    """The pictures of the README."""
    from posedata.images import contact_sheet
    from posedata.synthetic.build import synthesize

    for config in ("quadruped", "person"):
        save_picture(contact_sheet(synthesize(config, "train", 192), 18), DOCS / "img" / f"synthetic-{config}.jpg")


if __name__ == "__main__":
    sys.exit(main())
