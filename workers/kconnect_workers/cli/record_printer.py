"""Records of a topic as `kconnect consume` prints them: values for people, everything for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import typer

from kconnect_workers.cli.output import Output, print_json_line

if TYPE_CHECKING:
    from confluent_kafka import Message


class RecordPrinter:
    """Prints a record a line. `separator` stands between key and value where keys are shown; `payload` leaves out
    schemas that stand beside them in JSON."""

    def __init__(self, output: Output, *, separator: str | None, payload: bool) -> None:
        self._output = output
        self._separator = separator
        self._payload = payload

    def print(self, message: Message) -> None:
        key, value = cast("bytes | str | None", message.key()), cast("bytes | str | None", message.value())
        if self._payload:
            key, value = _payload(key), _payload(value)
        if self._output is Output.JSON:
            _print_json(message, key, value)
        else:
            before = "" if self._separator is None else f"{_text(key, null='null')}{self._separator}"
            typer.echo(f"{before}{_text(value, null='null')}")


def _print_json(message: Message, key: bytes | str | None, value: bytes | str | None) -> None:
    _, timestamp = message.timestamp()
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    print_json_line(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": timestamp,
            "key": _text(key),
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
