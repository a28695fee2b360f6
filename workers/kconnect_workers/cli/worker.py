"""`kconnect worker`: a worker of a pool, in this terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def worker(
    config: Annotated[Path, typer.Argument(metavar="WORKER.PROPERTIES", help="The worker's config.", dir_okay=False)],
    progress: Annotated[
        bool | None,
        typer.Option("--progress/--no-progress", help="Show what flows, live. The default: when it is a terminal."),
    ] = None,
) -> None:
    """Run a worker of a pool in this terminal until Ctrl-C. Workers with the same group.id share connectors and tasks.

    For example: kconnect worker worker.properties
    """
    from kconnect_workers.distributed import run

    raise typer.Exit(run(config, show_progress=sys.stdout.isatty() if progress is None else progress))


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Servers")(worker)
