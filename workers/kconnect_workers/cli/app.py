"""The command line: what commands there are, and how a failure becomes an exit code.

Exit codes: 0 done · 1 failed · 2 wrong usage · 3 refused (a bad config or request) · 4 not found · 5 conflict (exists
already, or a rebalance is under way) · 6 nothing answers · 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kconnect.errors import (
    AlreadyExistsError,
    ConfigError,
    ConnectError,
    NotFoundError,
    RebalanceInProgressError,
)
from kconnect_workers.cli import (
    broker,
    connectors,
    consume,
    plugins,
    produce,
    registry,
    standalone,
    states,
    topics,
    worker,
)
from kconnect_workers.cli.bootstrap import CommandConfigOption, command_config
from kconnect_workers.cli.rest_client import UnreachableError

EXIT_CODES: tuple[tuple[type[ConnectError], int], ...] = (
    (ConfigError, 3),
    (NotFoundError, 4),
    (AlreadyExistsError, 5),
    (RebalanceInProgressError, 5),
    (UnreachableError, 6),
)

app = typer.Typer(
    name="kconnect",
    help="Kafka Connect for Python people: run connectors, look at them, and at the topics between them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from kconnect import __version__

        typer.echo(f"kconnect {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    config: CommandConfigOption = None,
) -> None:
    """Kafka Connect for Python people."""
    command_config.set(config)


for commands in (standalone, worker, broker, registry, states, connectors, plugins, topics, consume, produce):
    commands.register(app)


def main() -> None:
    """Run the command line; failures of a user's making are one line on standard error and an exit code."""
    try:
        app()
    except ConnectError as error:
        typer.echo(f"kconnect: {error}", err=True)
        sys.exit(next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        sys.stderr.close()
        sys.exit(0)
