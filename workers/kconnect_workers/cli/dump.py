"""`kconnect broker dump`: what lies in segment files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from kconnect.errors import ConnectError
from kconnect_workers.cli.output import Output, OutputOption, print_json_line

if TYPE_CHECKING:
    from kconnect.log.dump import DumpedBatch
    from kconnect.log.protocol.records import Record


def dump(
    target: Annotated[
        str, typer.Argument(metavar="FILE.log|TOPIC-NUMBER", help="A segment file, or a partition and all of its.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="The data folder that a partition is in.", file_okay=False, show_default="your own"),
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", "-r", help="Show the records as well, those of internal topics decoded.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the batches in a partition's segment files, whether the broker runs or not; nothing is changed.

    Fails, after what can be read, when a batch is damaged. With -o json, each batch is an object on a line.

    For example: kconnect broker dump orders-0 --data ./log · kconnect broker dump __consumer_offsets-0 --records
    """
    from kconnect.log.dump import find_segments
    from kconnect.log.errors import LogError
    from kconnect.log.protocol.errors import ProtocolError
    from kconnect_workers.data_dir import default_data_dir

    try:
        segments = find_segments(data or default_data_dir() / "log", target)
        damaged = sum(_show(segment, records, output) for segment in segments)
    except BrokenPipeError:
        raise  # whoever reads what is printed has seen enough
    except (LogError, ProtocolError, OSError, ImportError) as error:
        raise ConnectError(str(error)) from error
    if damaged:
        raise ConnectError(f"{damaged} batches of {target} are damaged")


def _show(segment: Path, records: bool, output: Output) -> int:
    """Print a segment's batches; how many of them are damaged."""
    from kconnect.log.dump import batches_in, topic_of

    damaged = 0
    if output is Output.TABLE:
        typer.echo(segment)
    for batch in batches_in(segment):
        damaged += batch.damage is not None
        found = batch.records() if records and batch.damage is None else None
        if output is Output.JSON:
            _print_json(segment, batch, topic_of(segment), found)
        else:
            _print_text(batch, topic_of(segment), found or [])
    return damaged


def _print_text(batch: DumpedBatch, topic: str, records: list[Record]) -> None:
    header = batch.header
    parts = [
        f"{header.base_offset}–{header.last_offset}",
        f"at {batch.position}",
        f"{header.size} bytes",
        f"{header.record_count} records",
        _time(header.max_timestamp),
        header.compression.name.lower(),
        f"epoch {header.leader_epoch}",
    ]
    if header.producer_id >= 0:
        parts.append(f"producer {header.producer_id}/{header.producer_epoch} from {header.base_sequence}")
    parts += ["transactional"] * header.is_transactional + ["control"] * header.is_control
    if batch.damage is not None:
        parts.append(f"DAMAGED: {batch.damage}")
    typer.echo("  ".join(parts))
    for record in records:
        key, value = _readable(batch, topic, record)
        headers = "".join(f"  {name}={_text(data)}" for name, data in record.headers)
        typer.echo(f"    {record.offset}  {_time(record.timestamp)}  {_shown(key)} → {_shown(value)}{headers}")


def _print_json(segment: Path, batch: DumpedBatch, topic: str, records: list[Record] | None) -> None:
    header = batch.header
    shown: dict[str, Any] = {
        "file": str(segment),
        "position": batch.position,
        "size_bytes": header.size,
        "base_offset": header.base_offset,
        "last_offset": header.last_offset,
        "record_count": header.record_count,
        "max_timestamp": header.max_timestamp,
        "compression": header.compression.name.lower(),
        "leader_epoch": header.leader_epoch,
        "producer_id": header.producer_id,
        "producer_epoch": header.producer_epoch,
        "base_sequence": header.base_sequence,
        "transactional": header.is_transactional,
        "control": header.is_control,
        "damage": batch.damage,
    }
    if records is not None:
        shown["records"] = [_record(batch, topic, record) for record in records]
    print_json_line(shown)


def _record(batch: DumpedBatch, topic: str, record: Record) -> dict[str, Any]:
    key, value = _readable(batch, topic, record)
    return {
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": key,
        "value": value,
        "headers": [[name, _text(data)] for name, data in record.headers],
    }


def _readable(batch: DumpedBatch, topic: str, record: Record) -> tuple[Any, Any]:
    from kconnect.log.dump import decoded

    known = decoded(topic, batch.header, record)
    return (_text(record.key), _text(record.value)) if known is None else known


def _shown(data: Any) -> str:
    if data is None:
        return "null"
    return data if isinstance(data, str) else msgspec.json.encode(data).decode()


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")


def _time(timestamp_ms: int) -> str:
    """In UTC, or nothing where there is none."""
    if timestamp_ms < 0:
        return "no time"
    try:
        time = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError):
        return f"{timestamp_ms} ms"
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
