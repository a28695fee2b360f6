"""`kconnect consume`: the records of a topic, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from kconnect.errors import ConnectError, NotFoundError
from kconnect_workers.cli.bootstrap import (
    REACH_SECONDS,
    BootstrapOption,
    bootstrap_servers,
    client_props,
    select,
    topics_at,
)
from kconnect_workers.cli.output import Output, OutputOption
from kconnect_workers.cli.record_printer import RecordPrinter

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition


OffsetOption = Annotated[
    int | None,
    typer.Option("--offset", help="Begin at this offset; -N for the last N of each partition.", show_default=False),
]
PartitionOption = Annotated[
    int | None, typer.Option("--partition", "-p", min=0, help="Read this partition alone.", show_default=False)
]
MaxMessagesOption = Annotated[
    int | None, typer.Option("--max-messages", "-n", min=1, help="Leave after this many records.", show_default=False)
]
ExitOption = Annotated[bool, typer.Option("--exit", "-e", help="Leave after the last record that is there now.")]
SeparatorOption = Annotated[
    str | None,
    typer.Option("--key-separator", "-K", metavar="TEXT", help="Print the key and this before each value."),
]
PayloadOption = Annotated[
    bool, typer.Option("--payload", help="Of JSON with a schema beside it, key or value, print the payload alone.")
]


def consume(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's name.")],
    bootstrap: BootstrapOption = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin at the oldest record.")] = False,
    offset: OffsetOption = None,
    partition: PartitionOption = None,
    max_messages: MaxMessagesOption = None,
    exit_at_end: ExitOption = False,
    separator: SeparatorOption = None,
    payload: PayloadOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the records of a topic as they come: values, a line each, or with -o json everything, a line each.

    No group is joined and nothing is committed. No converter reads the records (Avro, say, stays as it is): bytes that
    are no text show as \\\\xNN.

    For example: kconnect consume orders --from-beginning -n 3 · kconnect consume orders --offset -1 -e -o json
    """
    if from_beginning and offset is not None:
        raise typer.BadParameter("not together with --from-beginning", param_hint="--offset")
    from kconnect.kafka import consumer

    server = bootstrap_servers(bootstrap)
    printer = RecordPrinter(output, separator=separator, payload=payload)
    client = consumer(client_props(server) | {"group.id": "kconnect-cli", "enable.partition.eof": "true"})
    try:
        partitions = _partitions(client, server, topic, partition)
        spans = [_span(client, topic, p, 0 if from_beginning else offset) for p in partitions]
        client.assign([span.begin for span in spans])
        ends = {span.partition: span.end for span in spans if span.end > span.begin.offset} if exit_at_end else None
        for message in islice(_messages(client, topic, ends), max_messages):
            printer.print(message)
    finally:
        client.close()


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Topics")(consume)


class _Span(NamedTuple):
    """What is to be read of a partition, at the least: from where, and to which offset, which is the end now."""

    partition: int
    begin: TopicPartition
    end: int


def _partitions(client: Consumer, server: str, topic: str, partition: int | None) -> list[int]:
    """Those to read: `partition`, or all. NotFoundError for what is not there."""
    there = select(topics_at(client, server), [topic], server)[topic].partitions
    if partition is None:
        return sorted(there)
    if partition not in there:
        raise NotFoundError(f"{topic} has no partition {partition}, but 0 to {len(there) - 1}")
    return [partition]


def _span(client: Consumer, topic: str, partition: int, offset: int | None) -> _Span:
    """Read from the end for None, from -N for N before it, and never from outside of what there is."""
    from confluent_kafka import TopicPartition

    watermarks = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=REACH_SECONDS)
    if watermarks is None:
        raise ConnectError(f"{topic}-{partition} did not tell its offsets within {REACH_SECONDS:g} s")
    low, high = watermarks
    wanted = high if offset is None else offset if offset >= 0 else high + offset
    return _Span(partition, TopicPartition(topic, partition, min(max(low, wanted), high)), high)


def _messages(client: Consumer, topic: str, ends: Mapping[int, int] | None) -> Iterator[Message]:
    """What arrives, without end, or up to the `ends` of partitions: a topic may well grow faster than it is read."""
    from confluent_kafka import KafkaError, TopicPartition

    unread = None if ends is None else set(ends)
    while unread is None or unread:
        message = client.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise ConnectError(f"{topic} cannot be read: {error.str()}")
        partition, offset = cast("int", message.partition()), cast("int", message.offset())
        wanted = ends is None or offset < ends.get(partition, 0)
        if error is None and wanted:
            yield message
        # The last offset may be that of no record, so it is the end of the partition, or a later record, that tells.
        if unread is not None and ends is not None and (error is not None or offset + 1 >= ends.get(partition, 0)):
            unread.discard(partition)
            client.pause([TopicPartition(topic, partition)])
