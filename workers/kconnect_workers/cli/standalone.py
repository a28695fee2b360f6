"""`kconnect standalone`: a worker in this terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def standalone(
    worker: Annotated[Path, typer.Argument(metavar="WORKER.PROPERTIES", help="The worker's config.", dir_okay=False)],
    connectors: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONNECTOR.JSON …]", help="Connectors to run, as JSON or properties.", dir_okay=False),
    ] = None,
    progress: Annotated[
        bool | None,
        typer.Option("--progress/--no-progress", help="Show what flows, live. The default: when it is a terminal."),
    ] = None,
) -> None:
    """Run a worker in this terminal until Ctrl-C, with the embedded log unless bootstrap.servers is set.

    For example: kconnect standalone worker.properties orders.json
    """
    from kconnect_workers.standalone import run

    show = sys.stdout.isatty() if progress is None else progress
    raise typer.Exit(run(worker, connectors or [], show_progress=show))


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Servers")(standalone)
