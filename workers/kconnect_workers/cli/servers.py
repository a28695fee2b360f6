"""Commands that serve: a standalone worker, and the embedded log by itself."""

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
    """Run a worker in this terminal until Ctrl-C, with the embedded log unless bootstrap.servers is set."""
    from kconnect_workers.standalone import run

    show = sys.stdout.isatty() if progress is None else progress
    raise typer.Exit(run(worker, connectors or [], show_progress=show))


def broker(
    listeners: Annotated[
        str, typer.Option(help="Where to listen; port 0 takes a free one.")
    ] = "PLAINTEXT://127.0.0.1:9092",
    data: Annotated[Path | None, typer.Option(help="Where topics are kept.", file_okay=False)] = None,
) -> None:
    """Serve the embedded log by itself, in the foreground, until it is interrupted."""
    from kconnect.log.serve import serve
    from kconnect_workers.data_dir import default_data_dir

    raise typer.Exit(serve(listeners, data or default_data_dir() / "log"))


def register(app: typer.Typer) -> None:
    for command in (standalone, broker):
        app.command(rich_help_panel="Servers")(command)
