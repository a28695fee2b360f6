"""`kconnect consume`: the records of a topic, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
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
from kconnect_workers.cli.output import Output, OutputOption, print_json_line

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition


def consume(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's name.")],
    bootstrap: BootstrapOption = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin at the oldest record.")] = False,
    offset: Annotated[
        int | None,
        typer.Option("--offset", help="Begin at this offset; -N for the last N of each partition.", show_default=False),
    ] = None,
    partition: Annotated[
        int | None, typer.Option("--partition", "-p", min=0, help="Read this partition alone.", show_default=False)
    ] = None,
    max_messages: Annotated[
        int | None,
        typer.Option("--max-messages", "-n", min=1, help="Leave after this many records.", show_default=False),
    ] = None,
    exit_at_end: Annotated[bool, typer.Option("--exit", "-e", help="Leave when the last record is read.")] = False,
    separator: Annotated[
        str | None,
        typer.Option("--key-separator", "-K", metavar="TEXT", help="Print the key and this before each value."),
    ] = None,
    payload: Annotated[
        bool, typer.Option("--payload", help="Of JSON with a schema beside it, print the payload alone.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the records of a topic as they come: values, a line each, or with -o json everything, a line each.

    No group is joined and nothing is committed. Bytes that are no text show as \\\\xNN.

    For example: kconnect consume orders --from-beginning -n 3 · kconnect consume orders --offset -1 -e -o json
    """
    if from_beginning and offset is not None:
        raise typer.BadParameter("not together with --from-beginning", param_hint="--offset")
    from kconnect.kafka import consumer

    server = bootstrap_servers(bootstrap)
    client = consumer(client_props(server) | {"group.id": "kconnect-cli", "enable.partition.eof": "true"})
    try:
        partitions = select(topics_at(client, server), [topic], server)[topic].partitions
        if partition is not None and partition not in partitions:
            raise NotFoundError(f"{topic} has no partition {partition}, but 0 to {len(partitions) - 1}")
        wanted = sorted(partitions) if partition is None else [partition]
        client.assign([_begin(client, topic, p, 0 if from_beginning else offset) for p in wanted])
        messages = _messages(client, topic, wanted if exit_at_end else None)
        for printed, message in enumerate(messages, 1):
            value = _payload(message.value()) if payload else message.value()
            if output is Output.JSON:
                _print_json(message, value)
            else:
                _print_text(message, value, separator)
            if printed == max_messages:
                break
    finally:
        client.close()


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Topics")(consume)


def _messages(client: Consumer, topic: str, until_end_of: Iterable[int] | None) -> Iterator[Message]:
    """What arrives, without end unless partitions are given whose ends, once all are reached, are the end."""
    from confluent_kafka import KafkaError

    unread = None if until_end_of is None else set(until_end_of)
    while unread is None or unread:
        message = client.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            if unread is not None:
                unread.discard(cast("int", message.partition()))
        else:
            raise ConnectError(f"{topic} cannot be read: {error.str()}")


def _begin(client: Consumer, topic: str, partition: int, offset: int | None) -> TopicPartition:
    """Where to read from: the end for None, -N for N before it, and never outside of what there is."""
    from confluent_kafka import OFFSET_END, TopicPartition

    if offset is None:
        return TopicPartition(topic, partition, OFFSET_END)
    watermarks = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=REACH_SECONDS)
    if watermarks is None:
        raise ConnectError(f"{topic}-{partition} did not tell its offsets within {REACH_SECONDS:g} s")
    low, high = watermarks
    return TopicPartition(topic, partition, min(max(low, offset if offset >= 0 else high + offset), high))


def _print_text(message: Message, value: bytes | str | None, separator: str | None) -> None:
    key = "" if separator is None else f"{_text(message.key(), null='null')}{separator}"
    typer.echo(f"{key}{_text(value, null='null')}")


def _print_json(message: Message, value: bytes | str | None) -> None:
    _, timestamp = message.timestamp()
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    print_json_line(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": timestamp,
            "key": _text(message.key()),
            "value": _text(value),
            "headers": [[name, _text(data)] for name, data in headers],
        }
    )


def _payload(value: bytes | str | None) -> bytes | str | None:
    """The payload of JsonConverter's envelope; what is none, as it is."""
    if value is None:
        return None
    try:
        envelope = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value
    return bytes(envelope["payload"]) if envelope.keys() == {"schema", "payload"} else value


def _text(data: bytes | str | None, null: str | None = None) -> str | None:
    if data is None:
        return null
    return data.decode(errors="backslashreplace") if isinstance(data, bytes) else data
