"""What all commands share: --json and --quiet, one line for an error, and the exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from .errors import PoseError

__all__ = ["emit", "run", "say", "verb"]


def verb(app: click.Group, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Register a command that takes --json and --quiet beside its own options."""

    def register(function: Callable[..., Any]) -> click.Command:
        function = click.option("--quiet", is_flag=True, help="No progress and no talk on stderr.")(function)
        function = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, errors too.")(function)
        return app.command(**settings)(function)

    return register


def emit(values: Mapping[str, Any], text: str, as_json: bool) -> None:
    """The result on stdout, for a program or for a person."""
    click.echo(json.dumps(values, ensure_ascii=False) if as_json else text)


def say(text: str, quiet: bool = False) -> None:
    """Talk goes to stderr."""
    if not quiet:
        click.echo(text, err=True)


def run(app: click.Group, name: str) -> None:
    """Run a group; bad input is one line and exit 2, never a traceback. With --json a wrong usage is an object too."""
    as_json = "--json" in sys.argv[1:]
    if "--quiet" in sys.argv[1:]:
        os.environ["POSEDATA_QUIET"] = "1"  # licence notes are talk too
    try:
        sys.exit(app(prog_name=name, standalone_mode=not as_json))
    except PoseError as e:
        error = e
    except click.UsageError as e:
        error = PoseError(e.ctx.command_path if e.ctx else name, e.format_message(), f"{name} --help")
    if as_json:
        click.echo(json.dumps({"error": {"where": error.where, "seen": error.seen, "cure": error.cure}}, ensure_ascii=False))
    else:
        click.echo(f"{name}: {error}", err=True)
    sys.exit(2)
