"""Commands on topics and the records in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kconnect.errors import ConnectError, NotFoundError
from kconnect_workers.cli.output import Output, OutputOption, print_json, print_table
from kconnect_workers.cli.rest_client import UnreachableError

if TYPE_CHECKING:
    from confluent_kafka import Message

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
REACH_SECONDS = 5.0

BootstrapOption = Annotated[
    str,
    typer.Option(
        "--bootstrap-server",
        "-b",
        envvar="KCONNECT_BOOTSTRAP",
        help="Where the log, or an Apache Kafka, listens.",
    ),
]
Topic = Annotated[str, typer.Argument(help="The topic's name.")]


def topics(
    bootstrap: BootstrapOption = DEFAULT_BOOTSTRAP,
    internal: Annotated[bool, typer.Option("--internal", help="Show internal topics as well.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the topics with their partitions and how many records they hold."""
    from confluent_kafka import TopicPartition

    client = _consumer(bootstrap)
    try:
        found = []
        for topic in _metadata(client, bootstrap).values():
            if topic.topic.startswith("__") and not internal:
                continue
            records = 0
            for partition in topic.partitions:
                low, high = client.get_watermark_offsets(TopicPartition(topic.topic, partition), timeout=REACH_SECONDS)
                records += high - low
            found.append({"topic": topic.topic, "partitions": len(topic.partitions), "records": records})
    finally:
        client.close()
    found.sort(key=lambda topic: str(topic["topic"]))
    if output is Output.JSON:
        print_json(found)
    else:
        rows = [(topic["topic"], topic["partitions"], topic["records"]) for topic in found]
        print_table(("topic", "partitions", "records"), rows, empty="No topics yet.")


def consume(
    topic: Topic,
    bootstrap: BootstrapOption = DEFAULT_BOOTSTRAP,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin at the oldest record.")] = False,
    max_messages: Annotated[
        int | None, typer.Option("--max-messages", "-n", min=1, help="Leave after this many records.")
    ] = None,
    exit_at_end: Annotated[bool, typer.Option("--exit", "-e", help="Leave when the last record is read.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the records of a topic: the value on each line, or everything with --output json."""
    from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, TopicPartition

    client = _consumer(bootstrap)
    try:
        found = _metadata(client, bootstrap).get(topic)
        if found is None:
            raise NotFoundError(f"there is no topic {topic} at {bootstrap}; see `kconnect topics`")
        begin = OFFSET_BEGINNING if from_beginning else OFFSET_END
        client.assign([TopicPartition(topic, partition, begin) for partition in found.partitions])
        open_partitions = set(found.partitions)
        printed = 0
        while (max_messages is None or printed < max_messages) and not (exit_at_end and not open_partitions):
            message = client.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                _print(message, output)
                printed += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
            else:
                raise ConnectError(f"{topic} cannot be read: {error.str()}")
    finally:
        client.close()


def produce(
    topic: Topic,
    bootstrap: BootstrapOption = DEFAULT_BOOTSTRAP,
    separator: Annotated[
        str | None, typer.Option("--key-separator", "-K", help="What divides key and value on a line.")
    ] = None,
) -> None:
    """Send each line of standard input as a record; done when all of them are acknowledged."""
    from kconnect.kafka import producer

    client = producer(_quietly(bootstrap))
    failures: list[str] = []

    def delivered(error: Any, _message: Message) -> None:
        if error is not None:
            failures.append(error.str())

    sent = 0
    _metadata(client, bootstrap)
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
    typer.echo(f"{sent} records sent to {topic}", err=True)


def register(app: typer.Typer) -> None:
    for command in (topics, consume, produce):
        app.command(rich_help_panel="Topics")(command)


def _consumer(bootstrap: str) -> Any:
    from kconnect.kafka import consumer

    return consumer(_quietly(bootstrap) | {"group.id": "kconnect-cli", "enable.partition.eof": "true"})


def _quietly(bootstrap: str) -> dict[str, str]:
    """Settings of a client whose failures we report ourselves: librdkafka's own log would repeat each one."""
    return {"bootstrap.servers": bootstrap, "log_level": "0"}


def _metadata(client: Any, bootstrap: str) -> dict[str, Any]:
    from confluent_kafka import KafkaException

    try:
        metadata = client.list_topics(timeout=REACH_SECONDS)
    except KafkaException as error:
        raise UnreachableError(
            f"no broker answers at {bootstrap}; start the worker (or `kconnect broker`), or say where with "
            "--bootstrap-server"
        ) from error
    topics: dict[str, Any] = metadata.topics
    return topics


def _print(message: Message, output: Output) -> None:
    key, value = _text(message.key()), _text(message.value())
    if output is Output.TABLE:
        typer.echo(value if value is not None else "null")
        return
    _, timestamp = message.timestamp()
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    print_json(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": timestamp,
            "key": key,
            "value": value,
            "headers": [[name, _text(data)] for name, data in headers],
        }
    )


def _text(data: bytes | str | None) -> str | None:
    return data.decode(errors="backslashreplace") if isinstance(data, bytes) else data
