"""`kconnect produce`: lines become records."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kconnect.errors import ConnectError
from kconnect_workers.cli.bootstrap import BootstrapOption, bootstrap_servers, client_props, topics_at

if TYPE_CHECKING:
    from confluent_kafka import Message

_DELIVERY_MS = "30000"
"""A person waits for it, other than for a task, whose deliveries never expire."""


def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's name.")],
    bootstrap: BootstrapOption = None,
    separator: Annotated[
        str | None, typer.Option("--key-separator", "-K", metavar="TEXT", help="What divides key and value on a line.")
    ] = None,
) -> None:
    """Send each line of standard input as a record; done when all of them are acknowledged. Lines are sent as they
    are: no converter makes anything else of them.

    For example: echo hello | kconnect produce greetings · echo 7:hello | kconnect produce greetings -K :
    """
    from kconnect.kafka import producer

    server = bootstrap_servers(bootstrap)
    client = producer({**client_props(server), "delivery.timeout.ms": _DELIVERY_MS})
    failures: list[str] = []

    def delivered(error: Any, _message: Message) -> None:
        if error is not None:
            failures.append(error.str())

    sent = 0
    topics_at(client, server)
    for line in sys.stdin:
        text = line.rstrip("\n")
        key, found, value = text.partition(separator) if separator else ("", "", text)
        while True:
            try:
                client.produce(topic, value if found else text, key if found else None, on_delivery=delivered)
                break
            except BufferError:
                client.poll(0.1)
        client.poll(0)
        sent += 1
    client.flush()
    if failures:
        raise ConnectError(f"{len(failures)} of {sent} records were not stored in {topic}: {failures[0]}")
    typer.echo(f"{sent} {'record' if sent == 1 else 'records'} sent to {topic}", err=True)


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Topics")(produce)
