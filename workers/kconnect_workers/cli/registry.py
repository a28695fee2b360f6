"""`kconnect registry`: a small schema registry, in this terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from kconnect_workers.cli.bootstrap import BootstrapOption, bootstrap_servers, client_props


def registry(
    listener: Annotated[
        str, typer.Option(help="Where to listen; port 0 takes a free one.", metavar="http://HOST:PORT")
    ] = "http://127.0.0.1:8081",
    topic: Annotated[str, typer.Option(help="The topic that schemas are kept in.")] = "_schemas",
    bootstrap: BootstrapOption = None,
) -> None:
    """Serve a schema registry in this terminal until Ctrl-C, for the converters of Avro, JSON Schema and Protobuf.

    It answers as Confluent's does, and keeps schemas in a topic of the log as that does. It is for one machine: one
    registry a log, no users, http alone.

    For example: kconnect registry · kconnect registry --listener http://127.0.0.1:8085 -b kafka:9092
    """
    from kconnect_workers.config.worker_config import parse_listener
    from kconnect_workers.schema_registry.serve import run

    where = parse_listener("--listener", listener)
    raise typer.Exit(run(where, client_props(bootstrap_servers(bootstrap)), topic=topic))


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Servers")(registry)
