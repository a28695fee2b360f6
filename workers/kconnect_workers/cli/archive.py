"""`kconnect broker export` and `import`: topics into a folder, and from there into another log or an Apache Kafka."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from kconnect.errors import NotFoundError
from kconnect_workers.cli.bootstrap import (
    BootstrapOption,
    admin_client,
    bootstrap_servers,
    client_props,
    log_dirs_at,
    reaching,
    select,
    topics_at,
)
from kconnect_workers.cli.output import Column, Output, OutputOption, print_json, print_table, size

if TYPE_CHECKING:
    from kconnect.kafka.archive.manifest import ArchivedTopic

_INTERNAL = ("__consumer_offsets", "__transaction_state")
"""What a broker writes itself: groups are exported by what they have committed, transactions by their records."""

_REQUEST_SECONDS = 60.0


def export(
    folder: Annotated[Path, typer.Argument(help="Where to write: a new or empty folder.", file_okay=False)],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC …", help="These topics alone.", show_default="all")
    ] = None,
    bootstrap: BootstrapOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write topics into a folder: their records as the log keeps them, configs, and how far groups are in them.

    Committed records are taken, as they are when a partition's turn comes. The broker goes on serving.

    For example: kconnect broker export ./backup · kconnect broker export ./orders orders orders-dlq
    """
    from kconnect.kafka.archive.export import export_topics
    from kconnect.kafka.client import Client

    server = bootstrap_servers(bootstrap)
    admin = admin_client(server)
    found = {name: topic for name, topic in topics_at(admin, server).items() if name not in _INTERNAL}
    chosen = [(name, len(topic.partitions)) for name, topic in sorted(select(found, names, server).items())]
    with (
        reaching(server),
        Client(client_props(server), client_id="kconnect-cli", timeout=_REQUEST_SECONDS) as client,
        _progress("exporting", _sizes(server, {name for name, _ in chosen})) as progress,
    ):
        manifest = export_topics(client, admin, chosen, folder, progress=progress)
    _print(manifest.topics, [group.group for group in manifest.groups], output, {"folder": str(folder)})


def import_(
    folder: Annotated[Path, typer.Argument(help="What `kconnect broker export` has written.", file_okay=False)],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC …", help="These topics alone.", show_default="all")
    ] = None,
    bootstrap: BootstrapOption = None,
    replication_factor: Annotated[
        int, typer.Option(help="Replicas of the topics; -1 for the cluster's default.", min=-1)
    ] = -1,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="NAME=VALUE",
            help="A topic config instead of what was exported; NAME= leaves it to the cluster.",
            show_default=False,
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring exported topics into a log or an Apache Kafka: topics with their configs, records, offsets of groups.

    Topics must not be there yet. Records keep order, timestamp, key, value and headers; their offsets begin at 0, and
    what groups have committed is translated. Where it fails in the middle, delete the topic that it names and import
    that again.

    For example: kconnect broker import ./backup -b kafka:9092 · kconnect broker import ./backup orders
    """
    from kconnect.kafka.archive.manifest import read_manifest
    from kconnect.kafka.archive.restore import import_groups, import_topic
    from kconnect.kafka.client import Client

    manifest = read_manifest(folder)
    archived = {topic.topic: topic for topic in manifest.topics}
    for name in names or ():
        if name not in archived:
            raise NotFoundError(f"there is no topic {name} in {folder}; there are: {', '.join(sorted(archived))}")
    chosen = [archived[name] for name in names] if names else list(manifest.topics)
    overrides = _overrides(config or [])
    chosen = [
        replace(topic, configs={name: value for name, value in (topic.configs | overrides).items() if value})
        for topic in chosen
    ]
    server = bootstrap_servers(bootstrap)
    admin = admin_client(server)
    topics_at(admin, server)  # whether a broker answers at all
    offsets: dict[tuple[str, int], dict[int, int]] = {}
    with (
        reaching(server),
        Client(client_props(server), client_id="kconnect-cli", timeout=_REQUEST_SECONDS) as client,
        _progress("importing", sum(p.bytes for topic in chosen for p in topic.partitions)) as progress,
    ):
        for topic in chosen:
            offsets |= import_topic(
                *(client, admin, folder, topic, manifest.groups),
                replication_factor=replication_factor,
                progress=progress,
            )
        groups = import_groups(admin, manifest.groups, offsets)
    _print(chosen, groups, output, {"folder": str(folder), "bootstrap_servers": server})


def _overrides(texts: list[str]) -> dict[str, str]:
    overrides = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not understood; write NAME=VALUE", param_hint="--config")
        overrides[name] = value
    return overrides


def _sizes(server: str, topics: set[str]) -> int | None:
    """Bytes of the topics on the broker's disk, or None where it does not tell."""
    from kconnect.errors import ConnectError

    try:
        log_dirs = log_dirs_at(server)
    except ConnectError:
        return None
    return sum(count for log_dir in log_dirs for (topic, _), count in log_dir.sizes.items() if topic in topics)


def _print(topics: list[ArchivedTopic], groups: list[str], output: Output, facts: dict[str, Any]) -> None:
    if output is Output.JSON:
        shown = [
            {
                "topic": topic.topic,
                "partitions": len(topic.partitions),
                "records": sum(p.records for p in topic.partitions),
                "size_bytes": sum(p.bytes for p in topic.partitions),
            }
            for topic in topics
        ]
        print_json(facts | {"topics": shown, "groups": groups})
        return
    print_table(
        ("topic", Column("partitions", right=True), Column("records", right=True), Column("size", right=True)),
        [
            (
                topic.topic,
                len(topic.partitions),
                sum(p.records for p in topic.partitions),
                size(sum(p.bytes for p in topic.partitions)),
            )
            for topic in topics
        ],
        empty="No topics.",
    )
    if groups:
        typer.echo(f"groups: {', '.join(groups)}")


@contextmanager
def _progress(doing: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's standard error, which is told of bytes."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)
