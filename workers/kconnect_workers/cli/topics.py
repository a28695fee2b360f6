"""`kconnect topics`: what there is to consume."""

from __future__ import annotations

from typing import Annotated

import typer

from kconnect.errors import ConnectError
from kconnect_workers.cli.bootstrap import BootstrapOption, admin_client, bootstrap_servers, log_dirs_at, topics_at
from kconnect_workers.cli.output import Column, Output, OutputOption, print_json, print_table, size


def topics(
    bootstrap: BootstrapOption = None,
    internal: Annotated[bool, typer.Option("--internal", help="Show internal topics as well.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the topics: their partitions, how many records they hold, and their size on the disk.

    For example: kconnect topics · kconnect topics -b broker:9092 -o json
    """
    from kconnect.kafka.topics import describe_topics

    server = bootstrap_servers(bootstrap)
    admin = admin_client(server)
    metadata = topics_at(admin, server, internal=internal)
    try:
        log_dirs = log_dirs_at(server)
    except ConnectError:  # a broker that tells it to administrators alone; the rest is worth showing
        log_dirs = []
    found = describe_topics(admin, metadata, log_dirs)
    if output is Output.JSON:
        print_json(
            [
                {"topic": t.topic, "partitions": len(t.partitions), "records": t.records, "size_bytes": t.size_bytes}
                for t in found
            ]
        )
        return
    print_table(
        ("topic", Column("partitions", right=True), Column("records", right=True), Column("size", right=True)),
        [(t.topic, len(t.partitions), t.records, size(t.size_bytes)) for t in found],
        empty="No topics yet.",
    )


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Topics")(topics)
